"""The four chapters hold all of the tutorial, and have the page shape that the book promises."""

import ast
import functools
import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = ("univariate", "multivariate", "multistep", "multivariate_multistep")

# Functions that are the lesson itself: an LSTM in NumPy; a model of pictures; catching an error
# to print it.
LESSONS = {
    "lstm_unit": {"lstm", "lstm_step", "sigmoid"},
    "space": {"grid_model"},
    "errors": {"show", "compiled"},
}


def chapters_of(caption: str) -> list[str]:
    """The notebooks of a part of the book, as _toc.yml has them."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    part = next(part for part in toc["parts"] if part["caption"] == caption)
    return [entry["file"].removeprefix("notebooks/") for entry in part["chapters"]]


# Every chapter after the tutorial has the page shape, and so have the results that are chapters.
MORE_CHAPTERS = [*chapters_of("From toy to real"), "architectures", "learning_curve"]
# Parts of the page shape that a page has no place for: no function is taught that fits on a page,
# no model is new, and events have a base rate and a last label as their baseline.
WITHOUT = {
    "baselines": {"listing("},
    "splits": {"listing(", "shape_card("},
    "events": {"listing(", "naive", "skill"},
    "lookback": {"listing(", "shape_card("},
    "architectures": {"listing("},
    "learning_curve": {"listing(", "shape_card("},
}
# The remaining notebook pages: to look things up, and records read aloud.
OTHER_PAGES = ["shapes", "benchmarks", "eleven_models", "speed", "errors"]

# Every section of the tutorial: where it is in the book, and the model that it is about.
# (section, chapter, label, words in the heading, encoder, decoder, template)
TUTORIAL = [
    (
        "Univariate: Data Preparation",
        "univariate",
        "univariate-data",
        "Data preparation",
        "",
        "",
        "",
    ),
    ("Vanilla LSTM", "univariate", "univariate-vanilla", "Vanilla", "vanilla", "", "01_vanilla"),
    ("Stacked LSTM", "univariate", "univariate-stacked", "Stacked", "stacked", "", "02_stacked"),
    (
        *("Bidirectional LSTM", "univariate", "univariate-bidirectional", "Bidirectional"),
        *("bidirectional", "", "03_bidirectional"),
    ),
    ("CNN LSTM", "univariate", "univariate-cnn", "CNN-LSTM", "cnn", "", "04_cnn_lstm"),
    ("ConvLSTM", "univariate", "univariate-convlstm", "ConvLSTM", "convlstm", "", "05_convlstm"),
    (
        *("Multiple Input Series", "multivariate", "multivariate-multiple-input"),
        *("Multiple input", "vanilla", "", "06_multiple_input"),
    ),
    (
        *("Multiple Parallel Series", "multivariate", "multivariate-parallel"),
        *("parallel", "stacked", "", "07_multiple_parallel"),
    ),
    ("Multi-Step: Data Preparation", "multistep", "multistep-data", "Data preparation", "", "", ""),
    (
        *("Vector Output Model", "multistep", "multistep-vector"),
        *("Vector output", "stacked", "", "08_vector_output"),
    ),
    (
        *("Encoder-Decoder Model", "multistep", "multistep-encoder-decoder"),
        *("Encoder-decoder", "", "encoder_decoder", "09_encoder_decoder"),
    ),
    (
        *("Multiple Input Multi-Step Output", "multivariate_multistep", "mvms-multiple-input"),
        *("Multiple input", "stacked", "", "10_multiple_input_multistep"),
    ),
    (
        *("Multiple Parallel Input and Multi-Step Output", "multivariate_multistep"),
        *("mvms-parallel", "parallel", "", "encoder_decoder", "11_parallel_multistep"),
    ),
]


@functools.cache  # they are large
def read(chapter: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)


def section(chapter: str, label: str) -> tuple[str, str, str]:
    """The heading, the prose and the code under a label, to the next label."""
    parts = [(cell.cell_type, cell.source) for cell in read(chapter).cells]
    text = "\n".join(f"\0{kind}\0{source}" for kind, source in parts)
    match = re.search(rf"\({label}\)=\n#+ (.+)\n([\s\S]*?)(?=\n\([a-z-]+\)=\n|\Z)", text)
    assert match, f"{chapter} has no label ({label})= before a heading"
    pieces = match[2].split("\0")
    code = [
        source for kind, source in zip(pieces[1::2], pieces[2::2], strict=True) if kind == "code"
    ]
    return match[1], match[2], "\n".join(code)


@pytest.mark.parametrize("row", TUTORIAL, ids=[row[0] for row in TUTORIAL])
def test_every_section_of_the_tutorial_is_in_the_book(row: tuple[str, ...]) -> None:
    _, chapter, label, words, encoder, decoder, template = row
    heading, prose, code = section(chapter, label)
    assert words.lower() in heading.lower()
    if encoder and encoder != "vanilla":
        assert f'encoder="{encoder}"' in code
    if decoder:
        assert f'decoder="{decoder}"' in code
    if template:
        assert "build_model(" in code
        assert "fit(" in code
        assert "Copy this" in prose
        path = f"../book/templates/{template}.py"
        assert f"{{literalinclude}} {path}" in prose
        assert f"<{path}>" in prose  # the download
        assert (ROOT / "notebooks" / path).resolve().exists()
    else:
        assert ".windows(" in code


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_page_shape(chapter: str) -> None:
    cells = read(chapter).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert len(re.findall(r"^# ", prose, re.M)) == 1
    for words in ("When you are done you can", "You need", "Time:", "What can go wrong"):
        assert words in prose
    for words in ("Exercise", "Check yourself", "Take-away", "**Next"):
        assert words in prose
    assert "{exercise}" in prose
    assert "```{dropdown} Hint\n" in prose
    assert prose.count("```{quiz}") >= 2
    assert "{solution-start}" in prose
    assert "assert " in code  # the solution is checked
    for call in ("shape_card(", "listing(", ".plot(", "import tsforecast as tsf"):
        assert call in code


@pytest.mark.parametrize("chapter", MORE_CHAPTERS)
def test_page_shape_from_toy_to_real(chapter: str) -> None:
    folder = "tsforecast" if chapter in chapters_of("From toy to real") else "benchmarks"
    check_page_shape(read(chapter).cells, chapter, folder, WITHOUT.get(chapter, set()))


def test_the_template_for_authors_has_the_page_shape() -> None:
    template = nbformat.read(ROOT / "scripts" / "page_template.ipynb", as_version=4)
    check_page_shape(template.cells, "page_template", "tsforecast", set())


def check_page_shape(cells: list, chapter: str, folder: str, without: set[str]) -> None:
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    label, title, _, question = prose[0].splitlines()[:4]
    assert label == f"({chapter.replace('_', '-')})="
    assert title.startswith("# ")
    assert question.startswith("> ")  # as readers put it
    assert "?" in prose[0].split("\n\n")[1]
    everything = "\n".join(prose)
    assert len(re.findall(r"^# ", everything, re.M)) == 1
    for words in ("When you are done you can", "You need", "Time:", f"Code: `{folder}/"):
        assert words in prose[0]
    for words in ("## What can go wrong", "## Exercise", "## Check yourself", "## Take-away"):
        assert words in everything
    assert "{exercise}" in everything
    assert prose[-1].splitlines()[-1].startswith("**Next:**")
    assert everything.count("```{quiz}") >= 2
    assert everything.count("```{quiz}") + everything.count("```{dropdown}") >= 4
    assert "```{dropdown} Hint\n" in everything
    start = next(i for i, cell in enumerate(cells) if "{solution-start}" in cell.source)
    end = next(i for i, cell in enumerate(cells) if "{solution-end}" in cell.source)
    solution = [cell.source for cell in cells[start:end] if cell.cell_type == "code"]
    assert "assert " in "\n".join(solution)  # the solution is checked
    for call in {"listing(", "shape_card(", "plt.show()", "import tsforecast as tsf"} - without:
        assert call in "\n".join(code)
    outputs = str([cell.get("outputs") for cell in cells])
    for word in {"naive", "skill"} - without:  # a baseline row
        assert word in outputs


def test_every_notebook_of_the_book_is_checked_for_its_shape() -> None:
    toc = set(re.findall(r"file: notebooks/(\w+)", (ROOT / "_toc.yml").read_text("utf-8")))
    assert toc == {*CHAPTERS, *MORE_CHAPTERS, *OTHER_PAGES}
    assert toc == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_other_pages_say_what_they_are_and_where_to_go_on(page: str) -> None:
    prose = [cell.source for cell in read(page).cells if cell.cell_type == "markdown"]
    label, title = prose[0].splitlines()[:2]
    assert label == f"({page.replace('_', '-')})="
    assert title.startswith("# ")
    assert len(re.findall(r"^# ", "\n".join(prose), re.M)) == 1
    if page != "errors":
        assert re.search(r"Time:.* to read, .* to run", prose[0])
        assert prose[-1].splitlines()[-1].startswith("**Next:**")


# What readers asked and a chapter must answer: words in its text or code, and in its outputs.
ANSWERS = {
    "scaling": (
        [
            "relu",
            "saturates",
            "one scale per lag",
            "doubled",
            "the last 30 percent",
            ".diff()",
            "cumsum",
            "clipnorm",
            "terminateonnan",
            "floatingpointerror",
            "round trip",
        ],
        ["moved at all: False", "The loss became nan", "above the training maximum"],
    ),
    "lstm_unit": (
        [
            "4 * units * (units + inputs + 1)",
            "forget gate",
            "(3000, 400, 1)",
            "reset_states",
            "both** `tanh`",
            "batch_size=7",
            "return_sequences=true",
            "univariate-bidirectional",
        ],
        ["164644", "144444", "66000", "80400", "59600", "(1000, 10, 50)", "untouched"],
    ),
    "space": (
        [
            "convlstm2d",
            "convlstm1d",
            "55 x 55",
            "along a road",
            "2 dimensions",
            "does not pay",
            "what the convolution sees",
        ],
        ["same month last year", "LSTM per pixel", "ConvLSTM, season", "bit-identical"],
    ),
}


@pytest.mark.parametrize("chapter", ANSWERS)
def test_what_readers_asked_is_answered(chapter: str) -> None:
    words, shown = ANSWERS[chapter]
    cells = read(chapter).cells
    text = re.sub(r"\s+", " ", "\n".join(cell.source for cell in cells)).lower()
    assert [word for word in words if word not in text] == []
    outputs = str([cell.get("outputs") for cell in cells])
    assert [word for word in shown if word not in outputs] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_ends_on_a_real_dated_forecast(chapter: str) -> None:
    label = {"multivariate_multistep": "mvms"}.get(chapter, chapter) + "-real"
    _, prose, code = section(chapter, label)
    for call in ("vic_elec()", ".split(", "validation=", "forecast_table(", "score("):
        assert call in code or (call == "vic_elec()" and call in str(read(chapter)))
    assert re.search(r"tsf\.forecast\(.*table", code)
    assert "plot_forecast(" in code
    assert "seasonal naive" in prose.lower()
    if "multistep" in chapter:
        assert "score_by_step(" in code
    outputs = str([cell.get("outputs") for cell in read(chapter).cells])
    assert "2015-01-01" in outputs  # the time after the last row
    assert "skill" in outputs
    assert "mase" in outputs


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_defines_nothing_that_the_package_should_have(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "install" not in cell.metadata.get("tags", []):
            tree = ast.parse(cell.source)
            names = [
                node.name
                for node in ast.walk(tree)
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            ]
            assert set(names) <= LESSONS.get(path.stem, set()), f"{path.stem} defines {names}"
            assert "NBVAL" not in cell.source


def test_the_tutorials_errors_are_named() -> None:
    """What the tutorial gets wrong or leaves unclear is said in plain words."""
    text = {
        name: re.sub(
            r"\s+", " ", "\n".join(c.source for c in read(name).cells if c.cell_type == "markdown")
        ).lower()
        for name in CHAPTERS
    }
    everything = " ".join(text.values())
    assert "units are not time steps" in text["univariate"]
    assert "does not see the future" in text["univariate"]
    assert "width-1 convolution" in text["univariate"]
    assert "lead=0" in text["multivariate"]
    assert "nowcast" in text["multivariate"]
    assert "repeatvector" in text["multistep"]
    assert "teacher forcing" in text["multistep"]
    assert "reshape" in text["multivariate_multistep"]
    assert "beyond" in text["multivariate_multistep"]
    assert "lead=1" in everything
