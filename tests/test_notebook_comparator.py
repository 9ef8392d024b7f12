"""The comparison of notebook outputs: what it forgives, and that it forgives nothing else."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import nbformat
import notebook_comparator
import pytest
from notebook_comparator import adopt_close_outputs, first_difference, tolerances

ROOT = Path(__file__).resolve().parents[1]

TABLE = "<table><tr><td>{mae}</td><td>{rows}</td></tr></table>"

AGREE = {
    "identical": ("loss 0.25", "loss 0.25"),
    "last digits": ("102.16113", "102.16112"),
    "fewer digits printed": ("[[102.16113]]", "[[102.1611]]"),
    "scientific": ("1.2345e-05", "1.2346e-05"),
    "whole floats as NumPy prints them": ("[100. 105.]", "[100.02 105.03]"),
    "padding of a column": ("[  9.9999  10.5]", "[ 10.0001 10.5]"),
    "negative": ("skill -0.4213", "skill -0.4214"),
    "zero but for rounding": ("bias 0.0000001", "bias -0.0000002"),
    "thousands": ("MAE 1,234.5 MW", "MAE 1,234.9 MW"),
    "inside an HTML table": (TABLE.format(mae=211.402, rows=7), TABLE.format(mae=211.41, rows=7)),
    "percent": ("12.345 %", "12.346 %"),
}

DIFFER = {
    "a number": ("mean 102.31", "mean 103.9"),
    "a number just outside": ("1000.0", "1002.1"),
    "a number in an HTML table": (
        TABLE.format(mae=211.402, rows=7),
        TABLE.format(mae=213.1, rows=7),
    ),
    "a count in an HTML table": (
        TABLE.format(mae=1.5, rows=7000),
        TABLE.format(mae=1.5, rows=7001),
    ),
    "a tag in an HTML table": ("<td>1.5</td>", "<th>1.5</th>"),
    "a word": ("mean 102.31", "median 102.31"),
    "an integer": ("10000 windows", "10001 windows"),
    "an integer with commas": ("10,000 windows", "10,001 windows"),
    "a shape": ("(6, 3, 1)", "(6, 1, 1)"),
    "a large shape": ("(100000, 48, 2)", "(100001, 48, 2)"),
    "a date": ("2014-12-31 00:30:00", "2014-12-30 00:30:00"),
    "a year at the end of a sentence": ("It ends in 2014. Then", "It ends in 2013. Then"),
    "an integer became a float": ("100", "100.0"),
    "a float became an integer": ("[100.0]", "[100]"),
    "a sign": ("skill 0.42", "skill -0.42"),
    "not a number": ("loss 0.25", "loss nan"),
    "one number more": ("1.5 2.5", "1.5 2.5 3.5"),
    "one number less": ("1.5 2.5", "1.5"),
    "a version": ("keras 3.15.1", "keras 3.15.2"),
    "a name with a digit": ("lstm_1 0.5", "lstm_2 0.5"),
    "an address": ("<object at 0x7f3a1b>", "<object at 0x7f3a1c>"),
    "a unit": ("1.5 MW", "1.5 GW"),
    "a line break": ("1.5\n2.5", "1.5 2.5"),
    "the exponent": ("1.5e-03", "1.5e-04"),
    "a unit of thousands": ("1,234.5", "2,234.5"),
}


@pytest.mark.parametrize(("old", "new"), AGREE.values(), ids=AGREE.keys())
def test_agrees_within_the_tolerance(old, new):
    assert first_difference(old, new) is None
    assert first_difference(new, old) is None


@pytest.mark.parametrize(("old", "new"), DIFFER.values(), ids=DIFFER.keys())
def test_differs(old, new):
    assert first_difference(old, new)
    assert first_difference(new, old)


def test_a_difference_is_said_in_words():
    said = first_difference("MAE 211.4 MW", "MAE 230.0 MW")
    assert "211.4 became 230.0" in said
    assert "tolerance is 0.001" in said


def test_tags_widen_the_tolerance():
    rtol, atol = tolerances(["hide-input", "rtol-0.02", "atol-0.5"])
    assert (rtol, atol) == (0.02, 0.5)
    assert first_difference("100.0", "101.5", rtol) is None
    assert first_difference("100.0", "103.5", rtol)
    assert first_difference("100", "101", rtol), "a tag must not loosen whole numbers"
    assert tolerances([]) == (notebook_comparator.RTOL, notebook_comparator.ATOL)
    assert tolerances(["rtol-0.00001"])[0] == notebook_comparator.RTOL, "tags only widen"


@pytest.mark.parametrize("tag", ["rtol-abc", "rtol--1", "rtol-0.5", "rtol-inf", "atol-nan"])
def test_a_tag_that_proves_nothing_is_refused(tag):
    with pytest.raises(ValueError, match=tag):
        tolerances([tag])


def notebook(*cells, tags=()):
    """A notebook of (source, stored outputs[, tags]) cells."""
    nb = nbformat.v4.new_notebook()
    nb.metadata["tags"] = list(tags)
    for i, (source, outputs, *more) in enumerate(cells, 1):
        cell = nbformat.v4.new_code_cell(source, execution_count=i, outputs=list(outputs))
        cell.metadata["tags"] = more[0] if more else []
        nb.cells.append(cell)
    return nb


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def value(text):
    return nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=1)


def shown(html):
    return nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "x"})


def test_outputs_pair_by_kind_and_order_and_the_rest_is_left():
    stored = [printed("loss 0.25"), shown("<b>1.5</b>"), shown("<b>2.5</b>")]
    new = [shown("<b>1.5001</b>"), shown("<b>9.5</b>"), printed("loss 0.2501")]
    adopted, differences = adopt_close_outputs(stored, new)
    assert adopted == [stored[1], new[1], stored[0]]
    assert differences == [
        "text/html: number 2.5 became 9.5: a change of 0.737, the tolerance is 0.001"
    ]
    assert new[0] == shown("<b>1.5001</b>"), "the new outputs themselves stay as they are"


PNG = nbformat.v4.new_output(
    "display_data", {"image/png": "AAAA", "text/plain": "<Figure size 10x10>"}
)
FIGURE = """from IPython.display import display
class F:
    def _repr_png_(self): return b"123"
    def __repr__(self): return "<Figure size 10x10>"
display(F())"""

CELLS = [
    ("near", True, 'print("loss", 0.25001)', [printed("loss 0.25\n")]),
    ("far", False, 'print("loss", 0.26)', [printed("loss 0.25\n")]),
    ("far, but tagged", True, 'print("loss", 0.254)', [printed("loss 0.25\n")], ["rtol-0.02"]),
    ("too far for its tag", False, 'print("loss", 0.26)', [printed("loss 0.25\n")], ["rtol-0.02"]),
    ("word", False, 'print("lost", 0.25)', [printed("loss 0.25\n")]),
    ("shape", False, "(6, 1, 1)", [value("(6, 3, 1)")]),
    ("missing output", False, "x = 1", [printed("loss 0.25\n")]),
    ("extra output", False, 'print("a")', []),
    ("extra value", False, 'print("a"); 1', [printed("a\n")]),
    ("error", False, "1 / 0", []),
    ("stderr is not compared", True, "import sys; print('log', file=sys.stderr)", []),
    ("stored stderr neither", True, 'print("a")', [printed("a\n"), printed("x\n", "stderr")]),
    ("picture", True, FIGURE, [PNG]),
    ("missing picture", False, "x = 1", [PNG]),
]


@pytest.fixture(scope="module")
def nbval_report(tmp_path_factory):
    """Run all cells above through nbval once, as the check of the book does."""
    folder = tmp_path_factory.mktemp("nbval")
    path = folder / "cells.ipynb"
    nbformat.write(notebook(*[case[2:] for case in CELLS]), path)
    tagged = folder / "tagged.ipynb"
    nbformat.write(notebook((CELLS[2][2], CELLS[2][3]), tags=["rtol-0.02"]), tagged)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-v"]
    command += ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "-W", "default"]
    command += [f"--rootdir={folder}", "--confcutdir", str(ROOT), "-p", "conftest"]
    run = subprocess.run([*command, str(folder)], cwd=ROOT, capture_output=True, text=True)
    return run.stdout


@pytest.mark.parametrize("i", range(len(CELLS)), ids=[case[0] for case in CELLS])
def test_nbval_uses_it(nbval_report, i):
    verdict = "PASSED" if CELLS[i][1] else "FAILED"
    assert f"cells::ipynb::Cell {i} {verdict}" in nbval_report, nbval_report


def test_nbval_reads_the_tags_of_the_notebook(nbval_report):
    assert "tagged::ipynb::Cell 0 PASSED" in nbval_report, nbval_report


def test_nbval_says_which_number(nbval_report):
    assert "stdout: number 0.25 became 0.26: a change of 0.0385" in nbval_report


def test_words_of_a_library_are_compared_with_its_pinned_version_only():
    here = importlib.metadata.version("keras")
    assert not notebook_comparator.has_other_words(["words-of-keras"], f"keras=={here} \\\n")
    assert notebook_comparator.has_other_words(["words-of-keras"], "keras==1.2.3 \\\n")
    assert not notebook_comparator.has_other_words(["hide-input"], "keras==1.2.3 \\\n")
    assert "\nkeras==" in notebook_comparator.PINS.read_text(encoding="utf-8")
