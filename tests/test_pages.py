"""The README and the pages around the chapters: what they show runs, and what they name exists."""

import contextlib
import io
import json
import re
import tomllib
from pathlib import Path

import nbformat
import notebook_comparator
import pytest

import tsforecast as tsf

ROOT = Path(__file__).resolve().parents[1]
BOOK, NOTEBOOKS = ROOT / "book", ROOT / "notebooks"
PAGES = sorted(BOOK.glob("*.md"))
README_RTOL = 0.05  # a real training of a thousand steps, on another processor


def text_of(path: Path) -> str:
    """What an author wrote: a page, or the cells of a notebook without their outputs."""
    if path.suffix == ".ipynb":
        return "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    return path.read_text(encoding="utf-8")


def all_text() -> str:
    return "\n\n".join(text_of(path) for path in [*PAGES, *sorted(NOTEBOOKS.glob("*.ipynb"))])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


# --- the README -----------------------------------------------------------------------------------


def test_the_readme_opens_with_the_two_commands():
    first = blocks(text_of(ROOT / "README.md"), "bash")[0]
    assert re.findall(r"^make \w+", first, re.MULTILINE) == ["make book", "make test"]


def test_the_readme_prints_what_it_shows():
    readme = text_of(ROOT / "README.md")
    code, shown = blocks(readme, "python")[0], blocks(readme, "text")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    lines = "\n".join(line.rstrip() for line in printed.getvalue().strip("\n").splitlines())
    difference = notebook_comparator.first_difference(shown.strip("\n"), lines, rtol=README_RTOL)
    assert not difference, difference


def test_the_readme_names_what_exists():
    readme = text_of(ROOT / "README.md")
    for folder in re.findall(r"^\| `([\w/.]+/)`", readme, re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder
    commands = set(re.findall(r"(?:^|`|\()make ([a-z]+)", readme, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert {"book", "test", "serve"} <= commands <= targets


def test_the_flow_of_modules_in_the_readme_is_that_of_the_package():
    modules_part = text_of(ROOT / "README.md").split("| module |")[1].split("\n\n")[0]
    table = re.findall(r"^\| `(\w+)` \|", modules_part, re.MULTILINE)
    contract = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    order = [name.strip("()") for name in reversed(contract[0]["layers"])]
    modules = [name for name in order if (ROOT / "tsforecast" / f"{name}.py").exists()]
    assert sorted(table) == sorted(modules)
    assert [name for name in table if name != "plotting"] == [
        name for name in modules if name != "plotting"
    ]


# --- the chooser ----------------------------------------------------------------------------------


def test_every_framing_of_the_chooser_frames_the_real_table():
    calls = re.findall(r"`(tsf\.Framing\(.*?\))`", text_of(BOOK / "choose.md"))
    assert len(calls) >= 9
    table = tsf.datasets.vic_elec().iloc[:1000]
    for call in calls:
        framing = eval(call, {"tsf": tsf})
        windows = framing.windows(table)
        rule = len(table) - framing.lookback - framing.lead - framing.horizon + 2
        assert len(windows) == rule, call


def test_the_chooser_leads_to_every_template():
    linked = set(re.findall(r"<templates/(\w+\.py)>", text_of(BOOK / "choose.md")))
    assert linked == {path.name for path in (BOOK / "templates").glob("[0-9]*.py")}
    assert len(linked) == 11


def test_the_chooser_leads_to_every_encoder_and_decoder():
    from tsforecast.models import DECODERS, ENCODERS

    page = text_of(BOOK / "choose.md")
    assert [name for name in [*ENCODERS, *DECODERS] if f"| `{name}` |" not in page] == []


def test_the_number_of_encoders_and_decoders_is_that_of_the_package():
    from tsforecast import models

    counts = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    right = (counts[len(models.ENCODERS)], counts[len(models.DECODERS)])
    said = []
    for text in (text_of(BOOK / "index.md"), text_of(ROOT / "README.md"), models.__doc__):
        said += re.findall(r"(\w+) encoders(?:,| and) (\w+) decoders", text.lower())
    api = text_of(BOOK / "api.md").lower()
    said += re.findall(r"(\w+) ways to read.*?(\w+) ways to write", api, re.DOTALL)
    assert len(said) == 4 and set(said) == {right}, said


# --- links, words and references ------------------------------------------------------------------


def labels() -> set[str]:
    text = all_text()
    return {*re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_label_that_a_page_links_to_exists(page):
    text = text_of(page)
    used = {
        match[-2] or match[-1] for match in re.findall(r"\{ref\}`(.*?<([\w-]+)>|([\w-]+))`", text)
    }
    used |= set(re.findall(r":ref:`([\w-]+)`", text))
    used |= set(re.findall(r"^:link: ([\w-]+)$", text, re.MULTILINE))
    assert sorted(used - labels()) == []


def glossary_terms() -> list[str]:
    block = blocks(text_of(BOOK / "glossary.md"), r"\{glossary\}")[0]
    return re.findall(r"^(\w[^\n]*)$", block, re.MULTILINE)


def test_the_glossary_has_the_words_of_the_design():
    words = """table, panel, lookback, horizon, lead, targets, past covariates, future covariates,
    static covariates, window, cutoff, backtest, skill, unit, state, gate, RepeatVector,
    return_sequences, epoch, batch, seed, naive forecast, seasonal naive forecast, MAE, MASE"""
    assert {" ".join(word.split()) for word in words.split(",")} <= set(glossary_terms())


def test_the_glossary_has_each_word_once_and_every_term_that_is_linked():
    terms = glossary_terms()
    assert len(set(terms)) == len(terms)
    linked = re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", all_text())
    assert sorted(set(linked) - set(terms)) == []


def test_every_reference_is_cited_and_every_citation_has_its_reference():
    entries = re.findall(r"^@\w+\{(\w+),", text_of(BOOK / "references.bib"), re.MULTILINE)
    groups = re.findall(r"\{cite(?::\w+)?\}`([^`]*)`", all_text())
    cited = {key.strip() for group in groups for key in group.split(",")}
    assert len(set(entries)) == len(entries)
    assert cited == set(entries)


def test_the_api_page_has_every_public_name():
    page = text_of(BOOK / "api.md")
    listed = set(re.findall(r"^\.\. auto\w+:: tsforecast\.([\w.]+)$", page, re.MULTILINE))
    assert set(tsf.__all__) - {"datasets"} <= listed
    assert {"datasets.toy", "datasets.vic_elec"} <= listed
    assert page.count("*Taught in* :ref:") == len(listed)


# --- facts that must stay true --------------------------------------------------------------------


def test_the_versions_on_the_setup_page_are_the_pinned_ones():
    requirements = text_of(ROOT / "requirements.txt")
    table = text_of(BOOK / "setup.md").split("| package | version |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| ([\w-]+).* \| (\d.*) \|$", table, re.MULTILINE)
    assert len(rows) == 7
    for package, versions in rows:
        for version in re.findall(r"\d+\.\d+\.\w[\w.]*", versions):
            assert f"{package}=={version}" in requirements


def test_the_extras_on_the_setup_page_are_those_of_the_package():
    extras = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    listed = re.findall(r"^\| `(\w+)` \|", text_of(BOOK / "setup.md"), re.MULTILINE)
    assert set(listed) == set(extras) - {"all", "book", "test"}


def test_every_entry_of_the_error_page_raises_or_explains():
    """The page catches each error: a message that is gone would print "no error"."""
    notebook = nbformat.read(NOTEBOOKS / "errors.ipynb", as_version=4)
    printed = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code" and "show(" in cell.source
        for output in cell.outputs
    ]
    raised = [text for text in printed if re.search(r"^\w+Error: ", text, re.MULTILINE)]
    assert len(raised) >= 35
    assert sum("no error" in text for text in printed) == 4  # those that say so on purpose


FORBIDDEN = {
    "a mark of enthusiasm": r"!(?![=\[\]`{])",
    "a sales word": r"\b(powerful|seamless|leverage|delve|cutting-edge|game.chang|state-of-the-art)",
    "a word that talks down": r"\b(simply|obviously|of course|as everyone knows)\b",
    "a dash that chains sentences": "—",
    "a formula that would need the network": r"(?<!\\)\$\$",
    "another word for lookback": r"\b(look-back|look back window|n_steps_in)\b",
    "a place on somebody's machine": r"/(root|home|tmp)/",
}


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *PAGES, NOTEBOOKS / "shapes.ipynb", NOTEBOOKS / "errors.ipynb"],
    ids=lambda path: path.stem,
)
def test_the_prose_is_plain(page):
    text = text_of(page)
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", "\n".join(texts), flags=re.DOTALL)
    prose = re.sub(r"<!--.*?-->", "", prose, flags=re.DOTALL)
    for what, pattern in FORBIDDEN.items():
        found = re.search(pattern, prose)
        assert not found, f"{what}: ...{prose[max(found.start() - 40, 0) : found.end() + 20]}..."
