"""What the build adds to a page: links to words and names, quizzes, stubs, scripts, buttons."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document
from sphinx import addnodes

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import exercises  # noqa: E402


def extension(name):
    path = ROOT / "book" / "_ext" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cross_links, quiz, reader_tools = map(extension, ("cross_links", "quiz", "reader_tools"))
search_order = extension("search_order")


def page(*parts):
    doctree = new_document("page")
    section = nodes.section("", nodes.title("", "Windows"), ids=["windows"], names=["windows"])
    section += list(parts)
    doctree += section
    return doctree


def paragraph(*parts):
    return nodes.paragraph("", "", *(nodes.Text(p) if isinstance(p, str) else p for p in parts))


def links(doctree, kind):
    return [
        (link["reftarget"], link.astext())
        for link in doctree.findall(addnodes.pending_xref)
        if link["reftype"] == kind
    ]


# --- words ----------------------------------------------------------------------------------------

TERMS = ["window", "naive forecast", "seasonal naive forecast", "MAE", "state", "batch"]


def test_the_first_use_of_a_word_on_a_page_leads_to_the_glossary():
    text = "A seasonal naive forecast per window. Windows and a naive forecast."
    doctree = page(paragraph(text), paragraph("Again: a window."))
    before = doctree.astext()
    cross_links.link_words(doctree, "page", TERMS)
    assert links(doctree, "term") == [
        ("seasonal naive forecast", "seasonal naive forecast"),
        ("window", "window"),
        ("naive forecast", "naive forecast"),
    ]
    assert doctree.astext() == before


def test_headings_code_links_and_names_in_capitals_are_left_alone():
    code = nodes.literal("", "window")
    link = nodes.reference("", "a window", refuri="x")
    doctree = page(
        paragraph(code, " and ", link, ", mae, batches"),
        nodes.literal_block("", "window = 3"),
        paragraph(nodes.strong("", "window")),
    )
    cross_links.link_words(doctree, "page", TERMS)
    assert links(doctree, "term") == [("batch", "batches")]


def test_a_word_in_its_everyday_meaning_is_not_linked_but_its_next_use_is():
    doctree = page(paragraph("An Australian\nstate. The state of an LSTM."))
    cross_links.link_words(doctree, "page", TERMS)
    linked = next(doctree.findall(addnodes.pending_xref))
    assert linked.parent.astext()[: linked.parent.astext().index("of an")].endswith("The state ")
    assert links(doctree, "term") == [("state", "state")]
    assert linked.parent.index(linked) == 1  # after "An Australian state. The "


def test_a_word_that_its_author_has_linked_is_not_linked_twice():
    mine = cross_links.word_link("window", "window", "page")
    doctree = page(paragraph(mine, " and a window"))
    cross_links.link_words(doctree, "page", TERMS)
    assert len(links(doctree, "term")) == 1


def test_every_everyday_meaning_belongs_to_a_word_of_the_glossary():
    terms = cross_links.glossary_terms((ROOT / "book" / "glossary.md").read_text("utf-8"))
    assert len(terms) > 80
    assert set(cross_links.PLAIN) <= set(terms)


# --- names ----------------------------------------------------------------------------------------

API = """.. autofunction:: tsforecast.fit

   *Taught in* :ref:`a-label`.

.. autofunction:: tsforecast.score

   *Taught in* :ref:`other`.

.. autofunction:: tsforecast.models.cnn

   *Taught in* :ref:`windows`.
"""


def test_names_in_code_and_prose_are_found_and_linked_once():
    names = cross_links.api_names(API)
    doctree = page(
        nodes.literal_block("", 'tsf.build(tsf.score(x), encoder="cnn")'),
        paragraph(nodes.literal("", "fit(...)"), nodes.literal("", "fit")),
        paragraph(nodes.literal("", "score"), nodes.literal("", "fitted")),
    )
    uses = cross_links.link_names(doctree, "page", names)
    full = {f"tsforecast.{name}" for name in ("fit", "score", "models.cnn")}
    assert set(uses) == full
    assert set(uses.values()) == {("windows", "Windows")}
    # `score` alone may be a column; in code it is the function.
    assert links(doctree, "obj") == [("tsforecast.fit", "fit(...)")]


def test_what_a_section_teaches_is_read_from_the_page_of_the_package():
    assert cross_links.taught(API)[2] == ("tsforecast.models.cnn", "windows")
    api = (ROOT / "book" / "api.md").read_text("utf-8")
    assert len(cross_links.taught(api)) == len(set(cross_links.api_names(api).values()))


# --- quizzes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines, said",
    [
        (["- [x] a :: why", "- [ ] b :: why", "- [ ] c :: why"], None),
        (["- [x] a :: why", "- [ ] b :: why"], "one answer must be right and two wrong"),
        (["- [x] a :: why", "- [x] b :: why", "- [ ] c :: why"], "one answer must be right"),
        (["- [ ] a"], "not an answer"),
    ],
)
def test_a_quiz_has_one_right_answer_and_explains_each(lines, said):
    if said is None:
        assert [right for right, _, _ in quiz.answers(lines)] == [True, False, False]
    else:
        with pytest.raises(ValueError, match=said):
            quiz.answers(lines)


WRAP_UP = ROOT / "book" / "wrap_up.md"
QUIZ = r"^```\{quiz\} .+\n([\s\S]*?)^```"


def all_quizzes():
    texts = [(WRAP_UP.stem, WRAP_UP.read_text(encoding="utf-8"))]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        texts += [(path.stem, cell.source) for cell in nbformat.read(path, as_version=4).cells]
    for name, text in texts:
        for body in re.findall(QUIZ, text, re.M):
            yield name, quiz.answers(body.splitlines())


def test_the_right_answer_is_not_always_in_the_same_place_nor_the_longest():
    found = list(all_quizzes())
    assert len(found) >= 46
    places = [[right for right, _, _ in answers].index(True) for _, answers in found]
    assert all(places.count(place) >= 8 for place in (0, 1, 2))
    longest = sum(max(answers, key=lambda a: len(a[1]))[0] for _, answers in found)
    assert longest < 0.6 * len(found)


def test_every_part_of_the_book_has_questions_that_mix_its_chapters():
    """A section of the wrap-up for each, and its last chapter leads there."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    parts = [part for part in parts if part.get("numbered") or part["caption"] == "Results"]
    text = WRAP_UP.read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^\(wrap-up-\w+\)=\n## (.+)\n([\s\S]*?)(?=^\(wrap-up|\Z)", text, re.M)
    )
    assert list(sections) == [part["caption"] for part in parts]
    for part in parts:
        pages = {chapter["file"] for chapter in part["chapters"]}
        section = sections[part["caption"]]
        answers = [quiz.answers(body.splitlines()) for body in re.findall(QUIZ, section, re.M)]
        places = [[right for right, _, _ in some].index(True) for some in answers]
        assert len(answers) >= 4 and set(places) == {0, 1, 2}
        named = set(re.findall(r"\{doc\}`/([\w/]+)`", section))
        assert named <= pages
        last = ROOT / f"{part['chapters'][-2 if 'book/wrap_up' in pages else -1]['file']}"
        last = next(
            path for path in (last.with_suffix(".ipynb"), last.with_suffix(".md")) if path.exists()
        )
        assert "<wrap-up" in last.read_text(encoding="utf-8")


# --- exercises ------------------------------------------------------------------------------------


def test_a_stub_asks_for_what_the_check_reads_and_the_solution_computes():
    code = "a = table.sum()\nfor b in range(3):\n    c = a + b\nassert c > limit\nprint(a)"
    stub = exercises.stub(code)
    assert stub == "c = ...  # your turn\n\nassert c > limit"
    with pytest.raises(TypeError):
        exec(stub, {"limit": 1})
    exec(code, {"limit": 1, "table": nbformat.NotebookNode(sum=lambda: 2)})


@pytest.mark.parametrize(
    "code, said", [("a = 1", "no check"), ("a = 1\nassert b", "reads nothing")]
)
def test_a_solution_without_a_check_of_its_own_is_refused(code, said):
    with pytest.raises(ValueError, match=said):
        exercises.stub(code)


class Kernel:
    """Runs what nbval would send to the notebook's kernel."""

    def __init__(self, names):
        self.names, self.messages = names, []

    def execute_cell_input(self, code, allow_stdin):
        kind = None
        try:
            exec(code, self.names)
        except Exception as error:
            kind = type(error).__name__
        parent = {"msg_id": 1}
        if kind:
            self.messages.append(
                {"parent_header": parent, "msg_type": "error", "content": {"ename": kind}}
            )
        idle = {"execution_state": "idle"}
        self.messages.append({"parent_header": parent, "msg_type": "status", "content": idle})
        return 1

    def await_reply(self, sent, timeout):
        pass

    def get_message(self, stream, timeout):
        return self.messages.pop(0)


@pytest.mark.parametrize(
    "check, names, passes",
    [
        ("assert a > limit", {"limit": 1}, True),
        ("assert a", {}, False),  # ... is true: the check would not notice
        ("assert a > limit", {}, False),  # fails, but only because a name is missing
    ],
)
def test_the_stub_must_fail_its_check_in_the_kernel_of_the_notebook(check, names, passes):
    new = nbformat.v4
    nb = new.new_notebook(
        cells=[
            new.new_markdown_cell("````{solution-start} x\n````"),
            new.new_code_cell(f"a = 2\n{check}"),
            new.new_markdown_cell("````{solution-end}\n````"),
        ]
    )
    parent = nbformat.NotebookNode(nb=nb)
    parent.kernel = Kernel(names)
    item = type("Item", (), {"parent": parent, "cell": nb.cells[1]})()
    if passes:
        exercises.run_stub_before(item)
    else:
        with pytest.raises(AssertionError, match="should fail"):
            exercises.run_stub_before(item)


# --- around the page ------------------------------------------------------------------------------


def test_buttons_need_an_address():
    assert reader_tools.launchers("") == {}
    assert {"binderhub_url", "colab_url"} <= set(reader_tools.launchers("https://github.com/a/b"))


def test_the_buttons_of_the_theme_lead_to_the_notebook():
    """The theme's own function, with the options that a book with an address has."""
    from sphinx_book_theme.header_buttons import launch

    options = reader_tools.launchers("https://github.com/somebody/lstm-book")
    app = SimpleNamespace(
        env=SimpleNamespace(
            metadata={"notebooks/shapes": {"kernelspec": {}}}, doc2path=lambda name: f"{name}.ipynb"
        ),
        config={"html_theme_options": {"launch_buttons": options, "repository_branch": "main"}},
    )
    context = {
        "pagename": "notebooks/shapes",
        "sourcename": "notebooks/shapes.ipynb",
        "header_buttons": [],
        "github_url": "https://github.com",
        "github_user": "somebody",
        "github_repo": "lstm-book",
    }
    launch.add_launch_buttons(app, "notebooks/shapes", "", context, None)
    found = {button["text"]: button["url"] for button in context["header_buttons"][0]["buttons"]}
    assert found == {
        "Binder": "https://mybinder.org/v2/gh/somebody/lstm-book/main"
        "?urlpath=lab/tree/notebooks/shapes.ipynb",
        "Colab": "https://colab.research.google.com/github/somebody/lstm-book/blob/main/"
        "notebooks/shapes.ipynb",
    }


def test_a_script_is_the_code_of_the_notebook_without_the_installation():
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A\n\ntext"),
            nbformat.v4.new_code_cell("%pip install x", metadata={"tags": ["install"]}),
            nbformat.v4.new_code_cell("answer = 6 * 7"),
        ]
    )
    script = reader_tools.as_script(nb, "a")
    names = {}
    exec(script, names)
    assert names["answer"] == 42
    assert "# # A\n#\n# text" in script


def test_the_words_of_a_page_are_counted_for_the_search():
    assert search_order.counts("MASE mase, Mase! mase x the the") == {"mase": 4}


def test_binder_installs_the_package_in_the_pinned_versions(tmp_path):
    """The script, with a pip that only says what it is asked to install."""
    bash = shutil.which("bash")
    (tmp_path / "python").write_text(f'#!{bash}\necho "$@"; cat "${{@: -2:1}}"\n')
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        [bash, str(ROOT / ".binder" / "postBuild")],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    asked, *pinned = done.stdout.splitlines()
    assert asked.startswith("-m pip install")
    assert asked.endswith(" .[all]")
    locked = re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
    assert [line.split()[0] for line in pinned] == locked
    assert "hash" not in done.stdout
    version = (ROOT / ".binder" / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text("utf-8"))
    assert f"'python-version': '{version}'" in str(workflow["jobs"]["test"])


# --- the table of models and framings -------------------------------------------------------------


def sections():
    """The code under each label of the notebooks, up to the next label."""
    found, label = {}, ""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                found[label] = found.get(label, "") + cell.source + "\n"
            else:
                label = (re.findall(r"^\(([\w-]+)\)=$", cell.source, re.M) or [label])[-1]
    return found


def rows(table):
    lines = [line.strip("|\n ") for line in table.strip().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"\s*\|\s?", f" {line} ")] for line in lines]
    return [cell.strip("`") for cell in cells[0][1:]], cells[2:]


def test_the_table_of_models_leads_to_sections_that_train_them():
    """Each cell's section names the encoder and the decoder that are not the default."""
    from tsforecast.models import DECODERS, ENCODERS

    page = (ROOT / "book" / "choose.md").read_text("utf-8")
    grid = page.split("(choose-grid)=")[1].split("(choose-start)=")[0]
    framings, pairs = grid.split("An empty cell")
    code = sections()

    def trains(label, encoder, decoder):
        text = code[label]
        named = encoder == "vanilla" or f'"{encoder}"' in text
        return named and (decoder == "vector" or f'"{decoder}"' in text)

    encoders, lines = rows(framings)
    assert encoders == list(ENCODERS)
    found = 0
    for line in lines:
        for encoder, cell in zip(encoders, line[1:], strict=False):
            for decoder, label in re.findall(r"\{ref\}`(\w+) <([\w-]+)>`", cell):
                assert trains(label, encoder, decoder), (label, encoder, decoder)
                found += 1
    assert found >= 20
    assert len(set(re.findall(r"<templates/(\w+\.py)>", framings))) == 11

    decoders, lines = rows(pairs)
    assert decoders == list(DECODERS)
    assert [line[0].strip("`") for line in lines] == list(ENCODERS)
    for line in lines:
        for decoder, cell in zip(decoders, line[1:], strict=True):
            for label in re.findall(r"\{ref\}`trained <([\w-]+)>`", cell):
                assert trains(label, line[0].strip("`"), decoder), (label, line[0], decoder)


# --- tables and figures on a narrow screen --------------------------------------------------------


def test_short_cells_of_a_data_frame_are_marked_and_prose_is_not():
    wide_figures = extension("wide_figures")
    prose = "demand, weather, holiday, calendar; all but demand also ahead"
    table = pd.DataFrame({"a": ["2014-12-31 23:30:00+11:00", prose, "(2, 2, 64)", "naive", -0.5]})
    html = wide_figures.CELL.sub(wide_figures.short_cell, table.to_html())
    assert f"<td>{prose}</td>" in html
    for text in ("2014-12-31 23:30:00+11:00", "(2, 2, 64)", "-0.5"):
        assert f'<td class="short number">{text}</td>' in html
    assert '<td class="short">naive</td>' in html
    assert "".join(re.split(r' class="short(?: number)?"', html)) == table.to_html()
