"""Records of benchmarks: they name the code that made them, and nothing else can be written."""

import ast
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from benchmarks import published_checks, record, scores
from tsforecast import datasets

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


def script_of(path):
    """Mutation testing has a record for each module, and the matrix for each environment."""
    several = [name for name in ("mutation", "matrix") if path.stem.startswith(f"{name}_")]
    return several[0] if several else path.stem


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
    assert run["script"] == f"benchmarks/{script_of(path)}.py"
    assert (ROOT / run["script"]).exists()


def test_every_script_has_its_place_in_the_list():
    from benchmarks.__main__ import SCRIPTS

    helpers = {"__main__", "guided", "one_core", "record", "scores"}
    there = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - helpers
    assert there <= set(SCRIPTS)
    assert {script_of(path) for path in RECORDS} <= set(SCRIPTS)


# --- the page and the records ---------------------------------------------------------------------


def cells_of_tables(notebook):
    """All cells of all tables that the page shows, and all printed words: a list of strings."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            soup = BeautifulSoup(html, "html.parser")
            found += [
                tuple(cell.get_text().strip() for cell in row.find_all(["th", "td"]))
                for row in soup.find_all("tr")
            ]
    return found


def mean(values):
    return sum(values) / len(values)


def sd(values):
    middle = mean(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1))


def expected_rows(records):
    """What the page must show, worked out from the records apart from the page's own code.

    Each is a tuple of strings which must stand in one row in this order, others between them.
    """
    for run in (found["run"] for found in records.values()):
        yield run["commit"][:10], run["code"][:10], run["date"]
    published = records["published_checks"]
    for check in published["checks"]:
        for name, value in check["published"].items():
            yield check["model"], name, f"{value:g}", f"{check['computed'][name]:.4f}"
    for row in published["m4_hourly"]:
        yield row["model"], row["kind"], *(f"{row[name]:.{M4[name]}f}" for name in M4)
    for name in ("mse", "mae"):
        for model, source in {(row["model"], row["source"]): 0 for row in published["etth1"]}:
            mine = [row for row in published["etth1"] if row["model"] == model]
            yield model, source, *(f"{row[name]:.3f}" for row in mine)
        yield (
            "daily seasonal naive",
            *(f"{row[name]:.3f}" for row in published["etth1_daily_seasonal_naive"]),
        )
        if "etth1" in records:
            ours = [f"{mean(row[name]):.3f}" for row in records["etth1"]["rows"]]
            yield "LSTM of this package", *ours
    for row in records.get("m4", {}).get("models", []):
        spread = [f"{sd(row['owa']):.4f}"] if len(row["owa"]) > 1 else []
        means = [f"{mean(row[name]):.{M4[name]}f}" for name in M4]
        yield row["model"], *means, *spread, str(len(row["owa"]))
        yield "M4 hourly", row["model"], *costs(row)
    for row in records.get("etth1", {}).get("rows", []):
        yield "ETTh1", f"{row['horizon']} hours", *costs(row)
    for row in records.get("etth1", {}).get("ablation", []):
        yield row["change"], f"{mean(row['mse']):.3f}", f"{mean(row['mae']):.3f}"
    for row in records.get("demand", {}).get("rows", []):
        spread = [f"{sd(row['mae']):.1f}"] if len(row["mae"]) > 1 else []
        yield row["model"], row["reads"], f"{mean(row['mae']):.1f}", *spread
        yield row["model"], f"{mean(row['rmse']):.1f}", f"{mean(row['skill']):.3f}"
        yield row["model"], f"{mean(row['fit_cpu_s']):.1f}", f"{mean(row['predict_cpu_s']):.1f}"
        yield row["model"], f"{max(row['peak_mb']):.0f}", str(row["lines"])


def costs(row):
    memory = row["peak_mb"] if isinstance(row["peak_mb"], list) else [row["peak_mb"]]
    seconds, memory = f"{mean(row['fit_s']):.0f}", f"{max(memory):.0f}"
    computing = f"{mean(row.get('cpu_s') or row['fit_cpu_s']):.0f}"
    return str(len(row["fit_s"])), seconds, computing, memory, str(row["parameters"])


M4 = {"smape": 3, "mase": 3, "owa": 4}  # digits


def disagreements(records, notebook):
    rows = cells_of_tables(notebook)
    return [
        wanted
        for wanted in expected_rows(records)
        if not any(in_order(wanted, shown) for shown in rows)
    ]


def in_order(wanted, shown):
    """Are the words in this row, in this order?"""
    rest = iter(shown)
    return all(word in rest for word in wanted)


PAGE = ROOT / "notebooks" / "benchmarks.ipynb"
PLACES = [  # some numbers in the records
    "published_checks checks 0 computed smape",
    "published_checks m4_hourly 0 owa",
    "published_checks etth1 3 mse",
    "m4 models 0 owa 0",
    "etth1 rows 0 mse 0",
    "etth1 ablation 0 mse 0",
    "demand rows 0 mae 0",
]


@pytest.fixture
def page():
    return json.loads(PAGE.read_text(encoding="utf-8"))


@pytest.fixture
def records(page):
    """The records that the page says it reads."""
    source = "\n".join("".join(cell["source"]) for cell in page["cells"])
    names = ast.literal_eval(re.search(r"^names = (\(.*\))$", source, re.MULTILINE)[1])
    return {name: record.read(name) for name in names}


def test_the_page_shows_what_the_records_hold(page, records):
    assert disagreements(records, page) == []


@pytest.mark.parametrize("path", PLACES)
def test_a_changed_digit_in_a_record_is_found(page, records, path):
    *places, last = (int(word) if word.isdigit() else word for word in path.split())
    if places[0] not in records:
        pytest.skip("not on the page")
    value = records
    for place in places:
        value = value[place]
    value[last] += 0.5 if value[last] > 20 else 0.006  # it shows in the last digit of a mean
    assert disagreements(records, page)


def test_a_changed_digit_on_the_page_is_found(page, records):
    text = json.dumps(page)
    for row in list(expected_rows(records))[::5]:
        digits = [word for word in row if re.fullmatch(r"\d+\.\d+", word)]
        for shown in digits[-1:]:
            other = shown[:-1] + str((int(shown[-1]) + 5) % 10)
            assert disagreements(records, json.loads(text.replace(shown, other))), shown
    commit = records["published_checks"]["run"]["commit"][:10]
    assert disagreements(records, json.loads(text.replace(commit, "0123456789")))


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


def test_a_folder_that_the_script_uses_counts_whole(repository):
    folder = repository / "benchmarks" / "peers"
    folder.mkdir()
    for name in ("run.py", "peer.py", "requirements.txt", "notes.md"):
        (folder / name).write_text("")
    with (repository / "benchmarks" / "toy.py").open("a") as file:
        file.write("import benchmarks.peers.run\nwrite('toy', __file__, {})\n")
    commit(repository)
    assert run(repository).returncode == 0
    found = json.loads((repository / "benchmarks" / "results" / "toy.json").read_text())
    names = [f"benchmarks/peers/{name}" for name in ("peer.py", "requirements.txt", "run.py")]
    assert found["run"]["files"][:3] == names
    (folder / "peer.py").write_text("# another peer")
    assert "other versions of: benchmarks/peers/peer.py" in run(repository).stderr


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


# --- the scores -----------------------------------------------------------------------------------


def two_series(seed=0):
    """A training part, a test part and a forecast of two series, as M4 has them."""
    rng = np.random.default_rng(seed)
    parts = {"train": [], "test": [], "forecast": []}
    for name, length in (("H1", 60), ("H2", 73)):
        values = rng.uniform(1, 100, length + 48)
        ds = np.arange(1, length + 49)
        table = pd.DataFrame({"unique_id": name, "ds": ds, "y": values})
        parts["train"].append(table[:length])
        parts["test"].append(table[length:])
        parts["forecast"].append(table[length:].assign(y=rng.uniform(1, 100, 48), cutoff=length))
    return {key: pd.concat(tables, ignore_index=True) for key, tables in parts.items()}


def m4_by_hand(forecast, test, train):
    """The competition's definitions as plain loops, one series after the other."""
    smapes, mases = [], []
    for name in train["unique_id"].unique():
        history, truth, guess = (
            part.loc[part["unique_id"] == name, "y"].tolist() for part in (train, test, forecast)
        )
        steps = [abs(history[i] - history[i - 24]) for i in range(24, len(history))]
        scale = sum(steps) / len(steps)
        errors = [abs(y - f) for y, f in zip(truth, guess, strict=True)]
        shares = [2 * abs(y - f) / (abs(y) + abs(f)) for y, f in zip(truth, guess, strict=True)]
        smapes.append(100 * sum(shares) / len(shares))
        mases.append(sum(errors) / len(errors) / scale)
    smape, mase = sum(smapes) / len(smapes), sum(mases) / len(mases)
    return {"smape": smape, "mase": mase, "owa": (smape / 18.383 + mase / 2.395) / 2}


@pytest.mark.parametrize("seed", range(3))
def test_m4_scores_are_the_competitions(seed):
    parts = two_series(seed)
    assert scores.m4_scores(**parts) == pytest.approx(m4_by_hand(**parts), rel=1e-12)
    shuffled = parts | {"forecast": parts["forecast"].sample(frac=1, random_state=seed)}
    assert scores.m4_scores(**shuffled) == pytest.approx(m4_by_hand(**parts), rel=1e-12)


def test_m4_scores_of_naive2_give_one():
    """Scores equal to Naive2's are an OWA of one, and a perfect forecast has nought."""
    parts = two_series()
    assert scores.m4_scores(parts["test"], parts["test"], parts["train"])["owa"] == 0
    assert scores.NAIVE2 == {"smape": 18.383, "mase": 2.395}


@pytest.mark.parametrize("what", ["missing", "nan", "twice", "more"])
def test_m4_scores_want_every_hour_once(what):
    parts = two_series()
    forecast = parts["forecast"]
    if what == "missing":
        forecast = forecast[:-1]
    if what == "nan":
        forecast.loc[3, "y"] = np.nan
    if what == "twice":
        forecast = pd.concat([forecast, forecast[:1]])
    if what == "more":
        forecast = pd.concat([forecast, forecast[-1:].assign(ds=999)])
    with pytest.raises(ValueError, match=r"every hour of the test part|not a one-to-one"):
        scores.m4_scores(forecast, parts["test"], parts["train"])


def test_etth1_scores_by_hand():
    rng = np.random.default_rng(0)
    y, forecast = rng.normal(size=(2, 2880 - 720 + 1, 720, 7))
    scale = np.arange(1.0, 8)
    found = scores.etth1_scores(y, forecast, scale)
    squared = absolute = 0.0
    for column in range(7):
        error = (forecast[:, :, column] - y[:, :, column]) / (column + 1)
        squared += (error**2).sum()
        absolute += abs(error).sum()
    assert found == pytest.approx({"mse": squared / y.size, "mae": absolute / y.size})
    assert scores.etth1_scores(y, y, 1.0) == {"mse": 0, "mae": 0}


def test_etth1_scores_want_all_windows():
    part = np.zeros((2880 - 96 + 1 - 32, 96, 7))  # a dropped batch
    with pytest.raises(ValueError, match=r"All windows.*\(2785, 96, 7\) was expected"):
        scores.etth1_scores(part, part, 1.0)


@pytest.mark.skipif(not os.environ.get("TSFORECAST_DATA"), reason="needs TSFORECAST_DATA")
class TestOnTheData:
    def test_the_scores_are_the_published_ones(self):
        rows = published_checks.checks()
        assert [row["agree"] for row in rows] == [True, True]
        m4, ett = (row["computed"] for row in rows)
        assert m4 == pytest.approx({"smape": 13.912, "mase": 1.193, "owa": 0.6275}, abs=5e-4)
        assert ett == pytest.approx({"mse": 0.512, "mae": 0.433}, abs=5e-4)

    def test_the_windows_of_etth1_are_those_of_the_test_rows(self):
        y = scores.etth1_targets(96)
        rows = datasets.etth1().to_numpy()
        assert y.shape == (2785, 96, 7)
        np.testing.assert_array_equal(y[0], rows[11_520 : 11_520 + 96])
        np.testing.assert_array_equal(y[-1], rows[14_400 - 96 : 14_400])
        np.testing.assert_allclose(scores.etth1_scale(), rows[:8640].std(axis=0))


@pytest.mark.parametrize("published, agrees", [(0.512, True), (0.511, False), (0.5122, True)])
def test_agreement_is_to_the_last_published_digit(published, agrees):
    assert published_checks.same(0.51222, published) == agrees


def test_published_rows_are_ordered_and_complete():
    rows = published_checks.m4_published()
    assert [row["owa"] for row in rows] == sorted(row["owa"] for row in rows)
    for row in rows:  # the published OWA follows from the published sMAPE and MASE
        owa = (row["smape"] / 18.383 + row["mase"] / 2.395) / 2
        assert owa == pytest.approx(row["owa"], abs=2e-4)
    ett = published_checks.etth1_published()
    best = [row["mse"] for row in ett if row["model"] == "SegRNN"]
    assert best == [0.351, 0.392, 0.423, 0.466]
    assert {row["horizon"] for row in ett if row["model"] == "LSTM with attention"} == {336, 720}


# --- runs that can be interrupted -----------------------------------------------------------------


def test_runs_are_kept_and_made_again_by_other_code_only(tmp_path, monkeypatch, capsys):
    code = {"code": "x"}
    monkeypatch.setattr(record, "code_of_run", lambda script: code)
    path, made = tmp_path / "runs.jsonl", []

    def make():
        made.append(1)
        return {"mase": np.float32(1.0), "errors": {"a": 1.0}}

    for _ in range(2):
        found = record.Runs("script.py", path).get({"part": "test", "seed": 1}, make)
        assert found == {"mase": 1.0, "errors": {"a": 1.0}}
    assert len(made) == 1
    record.Runs("script.py", path).get({"part": "test", "seed": 2}, make)
    assert len(made) == 2
    code["code"] = "other code"
    record.Runs("script.py", path).get({"part": "test", "seed": 1}, make)
    assert len(made) == 3
    kept = [json.loads(line)[0] for line in path.read_text().splitlines()]
    assert kept == ["x", "x", "other code"]
