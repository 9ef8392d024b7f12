"""Records of benchmarks: they name the code that made them, and nothing else can be written."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import record

ROOT = Path(__file__).resolve().parents[1]
OLDER = {"tutorial", "fit_speed"}  # from before there was `record`
RECORDS = sorted(
    path
    for path in record.RESULTS.glob("*.json")
    if path.stem not in OLDER and not path.stem.endswith(".unrecorded")
)


def history() -> bool:
    """Is the history here, as in a clone? Not in an archive, and not in a shallow clone."""
    try:
        return record.git("rev-parse", "--is-shallow-repository").strip() == b"false"
    except (OSError, subprocess.CalledProcessError):
        return False


@pytest.mark.skipif(not history(), reason="needs the repository's history")
@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_names_the_code_that_made_it(path):
    assert record.check(path) == []


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_says_how_it_was_made(path):
    run = json.loads(path.read_text())["run"]
    assert {"commit", "script", "files", "code", "date", "python", "versions"} <= set(run)
    assert {"system", "processor", "cpus", "memory_gb"} <= set(run["machine"])
    assert len(run["commit"]) == 40
    assert len(run["code"]) == 64
    assert run["script"] == f"benchmarks/{path.stem}.py"
    assert (ROOT / run["script"]).exists()


def test_every_script_has_its_place_in_the_list():
    from benchmarks.__main__ import SCRIPTS

    helpers = {"__main__", "record", "scores"}
    there = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - helpers
    assert there <= set(SCRIPTS)
    assert {path.stem for path in RECORDS} <= set(SCRIPTS)


# --- a repository of its own, with a script that records --------------------------------------


SCRIPT = """
import sys
from pathlib import Path
import tsforecast
from benchmarks.record import measure, write

with measure() as cost:
    value = sum(range(1000))
if "--edit" in sys.argv:
    Path(tsforecast.__file__).write_text("answer = 43\\n")
write("toy", __file__, {"value": value, "third": 1 / 3, "wall_s": cost.wall_s})
"""


@pytest.fixture
def repository(tmp_path):
    """A small repository with this project's recorder, committed."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "tsforecast").mkdir()
    (tmp_path / "tsforecast" / "__init__.py").write_text("answer = 42\n")
    (tmp_path / "benchmarks" / "toy.py").write_text(SCRIPT)
    (tmp_path / "benchmarks" / "other.py").write_text("# another script\n")
    shutil.copy(ROOT / "benchmarks" / "record.py", tmp_path / "benchmarks")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(folder, *words):
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *names, *words], check=True, capture_output=True)


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a commit")


def python(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def run(folder, *options):
    return python(folder, "benchmarks/toy.py", *options)


def problems(folder):
    code = "from benchmarks.record import check; print(check('benchmarks/results/toy.json'))"
    return python(folder, "-c", code).stdout.strip()


def test_a_committed_run_is_recorded_and_stays_right(repository):
    done = run(repository)
    assert done.returncode == 0, done.stderr
    found = json.loads((repository / "benchmarks" / "results" / "toy.json").read_text())
    assert found["value"] == 499500
    assert found["third"] == 0.333333
    assert found["run"]["files"] == ["benchmarks/record.py", "benchmarks/toy.py"]
    assert problems(repository) == "[]"
    (repository / "tsforecast" / "__init__.py").write_text("answer = 44\n")
    commit(repository)  # later code does not make an older record wrong
    assert problems(repository) == "[]"


@pytest.mark.parametrize("name", ["tsforecast/__init__.py", "benchmarks/toy.py"])
def test_code_that_no_commit_holds_is_not_recorded(repository, name):
    with (repository / name).open("a") as file:
        file.write("# not committed\n")
    done = run(repository)
    assert done.returncode == 1
    assert f"other versions of: {name}. Commit first" in done.stderr
    results = repository / "benchmarks" / "results"
    assert [path.name for path in results.iterdir()] == ["toy.unrecorded.json"]  # nothing is lost


def test_an_uncommitted_script_that_was_not_used_does_no_harm(repository):
    (repository / "benchmarks" / "other.py").write_text("# work in progress\n")
    assert run(repository).returncode == 0


def test_code_that_changes_during_the_run_is_not_recorded(repository):
    done = run(repository, "--edit")
    assert done.returncode == 1
    assert "Changed while the run was going on: tsforecast/__init__.py" in done.stderr


def test_a_new_module_of_the_package_must_be_committed_too(repository):
    (repository / "tsforecast" / "new.py").write_text("")
    done = run(repository)
    assert "other versions of: tsforecast/new.py" in done.stderr
    assert done.returncode == 1  # though the file is empty


def test_the_package_of_another_folder_is_refused(repository):
    moved = repository / "elsewhere"
    moved.mkdir()
    shutil.copytree(repository / "tsforecast", moved / "tsforecast")
    code = (
        f"import sys; sys.path.insert(0, {str(moved)!r}); import tsforecast\n"
        "from benchmarks.record import write; write('toy', 'benchmarks/toy.py', {})"
    )
    done = python(repository, "-c", code)
    assert "is not that of this repository" in done.stderr


@pytest.mark.parametrize("what", ["digit", "code", "commit", "results"])
def test_a_record_that_was_touched_is_found_out(repository, what):
    assert run(repository).returncode == 0
    path = repository / "benchmarks" / "results" / "toy.json"
    found = json.loads(path.read_text())
    if what == "digit":
        found["value"] += 1
    if what == "code":
        (repository / "tsforecast" / "__init__.py").write_text("answer = 45\n")
        commit(repository)
        found["run"]["commit"] = record_head(repository)
    if what == "commit":
        found["run"]["commit"] = "0" * 40
    if what == "results":
        found["more"] = 1
    path.write_text(json.dumps(found))
    expected = {
        "digit": "the results were changed",
        "results": "the results were changed",
        "code": "has other code",
        "commit": "has no commit 0000",
    }
    assert expected[what] in problems(repository)


def record_head(folder):
    done = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True)
    return done.stdout.decode().strip()


# --- the pieces -----------------------------------------------------------------------------------


def test_measure_sees_time_and_memory():
    with record.measure() as cost:
        block = np.ones(25_000_000)  # 200 MB
        time.sleep(0.1)
        del block
    assert cost.wall_s >= 0.1
    assert cost.peak_mb - cost.start_mb > 150
    with record.measure() as small:
        time.sleep(0.05)
    assert small.peak_mb < cost.peak_mb
    assert small.cpu_s < small.wall_s


def test_measure_counts_work_and_not_waiting():
    with record.measure() as cost:
        sum(i * i for i in range(2_000_000))
    assert cost.cpu_s > 0.03


def test_measure_is_whole_after_an_error():
    with pytest.raises(ZeroDivisionError), record.measure() as cost:
        1 / 0  # noqa: B018
    assert cost.wall_s > 0


def test_numbers_are_plain_and_rounded():
    given = {"a": np.float32(1 / 3), "b": np.arange(3), 4: (1.23456789e-7, 7), "d": np.float64(2)}
    expected = {"a": 0.333333, "b": [0, 1, 2], "4": [1.23457e-7, 7], "d": 2.0}
    assert record.plain(given) == expected


@pytest.mark.parametrize("value", [float("nan"), np.inf, [np.array([1.0, np.nan])]])
def test_a_number_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="numbers only"):
        record.plain({"mse": value})


def test_the_text_of_a_record_reads_back():
    given = {"rows": [{"model": "a", "mse": [0.1, -2e-5]}, {"model": "b", "mse": []}]}
    text = record.text_of(given)
    assert json.loads(text) == given
    assert '"mse": [0.1, -2e-05]' in text
