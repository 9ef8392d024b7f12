"""Mutation testing and the matrix: the tools do what they say, and the records hold what is promised."""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks import matrix, mutation, record

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import recorded  # noqa: E402

# --- the tests that are tried ---------------------------------------------------------------------


def covered_by(seconds, lines, uses=()):
    return mutation.Tests({"seconds": seconds, "lines": {"framing": lines}, "uses": dict(uses)})


def test_only_tests_that_run_the_lines_are_tried_the_modules_own_and_the_fastest_first():
    own, slow, other = (
        "tests/test_framing.py::a",
        "tests/test_framing.py::b",
        "tests/test_jobs.py::c",
    )
    seconds = {slow: 2.0, own: 1.0, other: 0.1, "tests/test_jobs.py::d": 0.1}
    tests = covered_by(seconds, {"7": [slow, other], "8": [own]})
    assert tests.of("framing", 7, 8, "") == [own, slow, other]
    assert tests.of("framing", 8, 8, "") == [own]
    assert tests.of("framing", 9, 9, "") == []
    assert tests.of("framing", 7, 8, other) == [other, own, slow]  # what killed it before
    assert len(tests.of("framing", 0, 0, "")) == 4  # what an import runs


def test_lines_of_a_shared_fixture_belong_to_all_tests_that_use_it():
    one, two = "tests/test_framing.py::a", "tests/test_framing.py::b"
    uses = {one: ["fixture tests table"], two: ["fixture tests table"]}
    tests = covered_by({one: 1.0, two: 2.0}, {"7": ["fixture tests table"]}, uses)
    assert tests.of("framing", 7, 7, "") == [one, two]


def test_slow_tests_are_left_out_and_the_sum_has_a_limit():
    names = [f"tests/test_framing.py::{number:02}" for number in range(20)]
    seconds = dict.fromkeys(names, 10.0) | {"tests/test_framing.py::slow": mutation.SLOW + 1}
    tests = covered_by(seconds, {"7": list(seconds)})
    assert tests.of("framing", 7, 7, "") == names[: int(mutation.BUDGET / 10)]


def test_the_interval_of_a_share_is_that_of_wilson():
    low, high = mutation.wilson(90, 100)
    assert (low, high) == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert mutation.wilson(10, 10)[1] == 1.0


WORK = """
import sys
sys.path.insert(0, sys.argv[2])
import work
work.import_libraries, work.POLL = (lambda: None), 0.01
work.main()
"""


def test_a_mutant_is_killed_by_a_red_test_or_by_the_limit_and_survives_otherwise(tmp_path):
    (tmp_path / "code.py").write_text("")
    (tmp_path / "test_code.py").write_text(
        "from code_under_test import f\n\ndef test_one():\n    assert f(1) == 1\n"
        "\ndef test_two():\n    assert f(2) == 4\n"
    )
    bodies = ["x * x", "x ** 2", "x + 0", "(x - 3) / 0", "[x for _ in iter(int, 1)]"]
    tests = [["test_code.py", ["test_code.py::test_two", "test_code.py::test_one"]]]
    jobs = [
        {"what": "test", "path": "code_under_test.py", "tests": tests, "limit": 1}
        | {"text": f"def f(x):\n    return {body}\n"}
        for body in bodies
    ]
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path), str(ROOT / "benchmarks" / "mutants")],
        input="\n".join(
            json.dumps(job | {"limit": 1 if "iter" in job["text"] else 60}) for job in jobs
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    two = "test_code.py::test_two"
    assert [one["failed"] for one in found] == ["", "", two, two, "time limit"]


# --- the environments -----------------------------------------------------------------------------


def test_the_oldest_versions_are_the_lower_bounds_that_the_project_states():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    stated = [Requirement(line) for line in lines]
    pins = {pin.name: pin for pin in map(Requirement, matrix.lower_bounds())}
    assert {"numpy", "pandas", "keras", "tensorflow-cpu"} <= set(pins)
    for requirement in stated:
        least = [one.version for one in requirement.specifier if one.operator == ">="]
        if least and requirement.name in pins:
            assert pins[requirement.name].specifier.contains(Version(least[0])), requirement


def test_what_failed_in_a_cell_is_named(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="t" name="a"/>'
        '<testcase classname="t" name="b"><failure/></testcase>'
        '<testcase classname="t" name="c"><error/></testcase>'
        '<testcase classname="t" name="d"><skipped/></testcase></testsuite></testsuites>'
    )
    assert matrix.counts(report) == {"passed": 1, "skipped": 1, "failed": ["t::b", "t::c"]}
    assert matrix.counts(tmp_path / "none.xml")["passed"] == 0


def test_a_processor_that_can_do_less_is_asked_for_in_each_library(monkeypatch):
    monkeypatch.setattr(matrix, "ask", lambda cell, code: ["X86_V3", "X86_V4", "AVX512_ICL"])
    cells = {cell.name: matrix.settings(cell) for cell in matrix.CELLS}
    assert cells["sse41"] == {
        "KERAS_BACKEND": "tensorflow",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL",
    }
    assert cells["avx2"]["NPY_DISABLE_CPU_FEATURES"] == "X86_V4 AVX512_ICL"
    assert cells["no-onednn"]["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert cells["torch"] == {"KERAS_BACKEND": "torch"}


# --- figures on pages, and what the records hold --------------------------------------------------


def test_a_figure_on_a_page_is_that_of_the_record(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "RESULTS", tmp_path)
    held = {"share": 0.934, "parts": {"a": {"tried": 3}, "b": {"tried": 1200}}, "rows": ["x", "y"]}
    (tmp_path / "some.json").write_text(json.dumps(held))
    assert recorded.figure("some share .0%") == "93%"
    assert recorded.figure("some parts.b.tried ,") == "1,200"
    assert recorded.figure("some parts.*.tried ,") == "1,203"
    assert recorded.figure("some rows.*") == "2"
    assert recorded.figure("so* *.parts.*.tried ,") == "1,203"
    for nothing in ("some nothing", "some parts.*.nothing", "some parts.a.nothing"):
        with pytest.raises(KeyError):
            recorded.figure(nothing)


@pytest.mark.parametrize("module", mutation.MODULES)
def test_nine_of_ten_mutants_are_killed_and_each_survivor_has_a_reason(module):
    path = record.RESULTS / f"mutation_{module}.json"
    if not path.exists():
        pytest.skip("not recorded yet")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["tried"] >= mutation.COUNT
    assert found["share"] == pytest.approx((found["killed"] + found["timeout"]) / found["tried"])
    assert found["share"] >= 0.9
    assert found["killed"] + found["timeout"] + found["survived"] == found["tried"]
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert hashlib.sha256(text.encode()).hexdigest() == found["survivors"]
    assert text.count("```diff") == found["survived"] == found["with_a_reason"]
    assert mutation.MISSING not in text


def test_what_became_of_a_mutant_is_kept_for_the_same_code_only(tmp_path, monkeypatch):
    path = tmp_path / "kept.jsonl"
    mutation.Kept(path).add("framing.f: - a | + b", {"kind": "survived", "by": ""})
    assert mutation.Kept(path).results == {"framing.f: - a | + b": {"kind": "survived", "by": ""}}
    monkeypatch.setattr(mutation, "code_of", lambda module: "other")
    assert mutation.Kept(path).results == {}
    assert mutation.Kept(path).by == {"framing.f: - a | + b": ""}


def test_every_cell_of_the_matrix_ran_and_nothing_failed():
    cells = {cell.name: record.read(f"matrix_{cell.name}") for cell in matrix.CELLS}
    for name, row in cells.items():
        ran = [*row["tests"].values(), *row["notebooks"].values()]
        assert sum(one["passed"] for one in ran) > 0, name
        assert [test for one in ran for test in one["failed"]] == [], name
    ran = [row for row in cells.values() if row["settings"]["KERAS_BACKEND"] == "tensorflow"]
    same = {(frozenset(row["tests"]), frozenset(row["notebooks"])) for row in ran}
    assert len(same) == 1  # the page of promises gives the numbers of one cell for all
    ((tests, notebooks),) = same
    assert tests == set(matrix.TESTS)
    assert notebooks >= {"univariate", "multivariate", "multistep", "multivariate_multistep"}
