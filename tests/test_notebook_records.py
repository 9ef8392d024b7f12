"""What a notebook's page says of itself: where its numbers come from, and how long it takes."""

import copy
import functools
import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import times  # noqa: E402

import notebooks  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEMPLATE = ROOT / "scripts" / "page_template.ipynb"
RUN = {
    "from": "run",
    "keras": "3.15.1",
    "tensorflow": "2.21.0",
    "on": "2026-11-23",
    "python": "3.12",
    "seconds": 9,
}


@functools.cache  # they are large
def read(path):
    return nbformat.read(path, as_version=4)


def page_end():
    spec = importlib.util.spec_from_file_location(
        "page_end", ROOT / "book" / "_ext" / "page_end.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(*cells, **metadata):
    nb = nbformat.v4.new_notebook(cells=list(cells))
    nb.metadata.update(nbformat.from_dict({"verified": RUN, **metadata}))
    return notebooks.normalise(nb)


def prose(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, *outputs):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), execution_count=1)


# --- the record of the run ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*NOTEBOOKS, TEMPLATE], ids=lambda path: path.stem)
def test_every_notebook_says_where_its_outputs_come_from(path):
    stamp = read(path).metadata.get("verified")
    assert notebooks.wrong_stamp(stamp) is None
    assert page_end().sentence(stamp).startswith("Verified with Keras ")


@pytest.mark.parametrize(
    "change, words",
    [
        ({}, None),
        ({"on": "yesterday"}, "has on 'yesterday'"),
        ({"keras": "3"}, "has keras '3'"),
        ({"seconds": "long"}, "has seconds 'long'"),
        ({"author": "me"}, "must have"),
        ({"from": "memory", "seconds": None}, "must have"),
    ],
)
def test_a_record_that_is_not_one(change, words):
    said = notebooks.wrong_stamp({**RUN, **change})
    assert said is None if words is None else words in said


def test_a_notebook_without_a_record_is_not_in_order():
    nb = notebook(prose("# A"))
    assert notebooks.problems(nb) == []
    del nb.metadata["verified"]
    assert "no record of the run" in notebooks.problems(nb)[0]


def test_the_normal_form_keeps_the_record():
    assert notebook(prose("# A")).metadata["verified"] == RUN


def test_the_last_line_of_a_page():
    assert page_end().sentence(RUN) == (
        "Verified with Keras 3.15.1, TensorFlow 2.21.0, Python 3.12 on 23 November 2026. "
        "The cells of this page ran for 9 seconds."
    )
    old = {key: RUN[key] for key in ("keras", "tensorflow", "on")}
    assert page_end().sentence(old) == (
        "Verified with Keras 3.15.1, TensorFlow 2.21.0 on 23 November 2026."
    )


def test_history_knows_the_commit_that_last_changed_what_is_printed(tmp_path, monkeypatch):
    """A change of the prose after the run does not count as a run."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    git = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    notebooks.git("init", "-q")
    path = tmp_path / "a.ipynb"
    printed = nbformat.v4.new_output("stream", text="1\n")
    ran = notebook(prose("# A"), code("print(1)", printed))
    del ran.metadata["verified"]
    reworded = copy.deepcopy(ran)
    reworded.cells[0].source = "# B"
    for day, keras, nb in (("2026-01-02", "3.1.0", ran), ("2026-03-04", "3.2.0", reworded)):
        nbformat.write(nb, path)
        (tmp_path / "requirements.txt").write_text(f"keras=={keras}\ntensorflow-cpu==2.20.0 ; x\n")
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{day}T12:00:00Z")
        notebooks.git("add", ".")
        notebooks.git(*git, "commit", "-qm", day)
    wanted = {"from": "history", "on": "2026-01-02", "keras": "3.1.0", "tensorflow": "2.20.0"}
    assert notebooks.stamp_from_history(path) == wanted
    assert notebooks.stamp(path) == []
    assert nbformat.read(path, as_version=4).metadata["verified"] == wanted
    assert "has never been committed" in notebooks.stamp(tmp_path_copy(path))[0]


def tmp_path_copy(path):
    other = path.with_name("b.ipynb")
    nb = nbformat.read(path, as_version=4)
    del nb.metadata["verified"]
    nbformat.write(nb, other)
    return other


def test_a_run_is_recorded_once_and_an_unchanged_one_leaves_no_diff(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    nb = notebook(prose("# A"), code("print(2 + 2)"))
    del nb.metadata["verified"]
    nbformat.write(nb, path)
    assert notebooks.execute(path, exact=False) == []
    first = path.read_text()
    stamp = nbformat.read(path, as_version=4).metadata["verified"]
    assert stamp["from"] == "run"
    assert 1 <= stamp["seconds"] < 60
    monkeypatch.setattr(notebooks, "stamp_of_run", lambda _: {**stamp, "on": "2030-01-01"})
    assert notebooks.execute(path, exact=False) == []
    assert path.read_text() == first
    monkeypatch.setattr(notebooks, "stamp_of_run", lambda _: {**stamp, "keras": "4.0.0"})
    assert notebooks.execute(path, exact=False) == []
    assert nbformat.read(path, as_version=4).metadata["verified"]["keras"] == "4.0.0"


# --- the line on time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem not in times.LOOKED_UP], ids=lambda path: path.stem
)
def test_the_line_on_time_agrees_with_what_was_counted_and_measured(path):
    assert times.disagreements(read(path)) == []


@pytest.mark.parametrize(
    "words, seconds",
    [
        ("under a minute", (0, 60)),
        ("less than a minute", (0, 60)),
        ("about a minute", (60, 60)),
        ("about a minute and a half", (90, 90)),
        ("a minute and a half", (90, 90)),
        ("one to two minutes", (60, 120)),
        ("two to four minutes", (120, 240)),
        ("about 6 minutes", (360, 360)),
    ],
)
def test_words_for_a_time(words, seconds):
    assert times.run_seconds(words) == seconds


def test_no_words_for_a_time():
    with pytest.raises(ValueError, match="how many minutes is 'a while'"):
        times.run_seconds("a while")


@pytest.mark.parametrize("seconds", [1, 20, 46, 60, 74, 80, 100, 110, 150, 200, 400, 1000])
def test_the_words_written_for_a_measured_time_agree_with_it(seconds):
    low, high = times.run_seconds(times.run_words(seconds))
    assert low / times.FACTOR <= seconds <= high * times.FACTOR


def test_reading_time_is_counted():
    """2000 words, 100 lines of code, 30 lines of output, 3 figures: 10 + 10 + 1 + 1 minutes."""
    printed = nbformat.v4.new_output("stream", text="x\n" * 30)
    drawn = nbformat.v4.new_output("display_data", {"image/png": "a", "text/plain": "<Figure>"})
    nb = notebook(prose("word " * 2000), code("a = 1\n" * 100, printed, drawn, drawn, drawn))
    assert times.reading_minutes(nb) == 25
    nb.cells[1].metadata["tags"] = ["hide-input"]
    assert times.reading_minutes(nb) == 15


def test_a_line_that_does_not_agree_is_found_and_set():
    text = "Time: about 40 minutes to read, about a minute to run: it trains. Code: `a.py`."
    nb = notebook(prose(text), verified={**RUN, "seconds": 300})
    assert [wrong.split(",")[0] for wrong in times.disagreements(nb)] == [
        "says 40 minutes to read",
        "says about a minute to run",
    ]
    assert times.rewrite(nb)
    assert nb.cells[0].source == (
        "Time: about 5 minutes to read, about 5 minutes to run: it trains. Code: `a.py`."
    )
    assert times.disagreements(nb) == []
    assert not times.rewrite(nb)


def test_a_page_without_the_line():
    assert "no line" in times.disagreements(notebook(prose("# A")))[0]


# --- the template of a page -----------------------------------------------------------------------


def test_the_template_passes_the_checks_of_a_page():
    nb = nbformat.read(TEMPLATE, as_version=4)
    assert notebooks.problems(nb) == []
    assert times.disagreements(nb) == []
