"""The comparison on demand: what models are given, how they are scored. The peers are not here."""

import ast
import json
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import demand
from benchmarks.peers import run

PEERS = run.HERE
SCRIPTS = sorted({entry["script"] for entry in demand.MODELS})


@pytest.fixture(scope="module")
def table():
    return demand.demand_table()


@pytest.fixture
def rows():
    """200 half-hours that count up, in both columns."""
    numbers = np.arange(200.0)
    times = pd.date_range("2014-01-01", periods=200, freq="30min")
    return pd.DataFrame({"ds": times, "y": numbers, "temperature": -numbers})


def test_the_cutoffs_are_those_of_the_books_chapter(table):
    cutoffs = demand.cutoffs_of(table.index, "test")
    assert len(cutoffs) == 73
    assert str(table.index[cutoffs[0] + 1]) == "2014-01-01 00:00:00+11:00"
    assert cutoffs[-1] + 5 * demand.HORIZON == len(table) - 1
    assert set(np.diff(cutoffs)) == {5 * demand.DAY}


def test_the_validation_part_ends_before_the_test_part(table):
    cutoffs = demand.cutoffs_of(table.index, "validation")
    assert len(cutoffs) == 183
    assert cutoffs[-1] + demand.HORIZON <= demand.cutoffs_of(table.index, "test")[0]


def test_standard_time_has_every_half_hour_once(table):
    times = demand.standard_time(table.index)
    assert times.tz is None
    assert (np.diff(times) == np.timedelta64(30, "m")).all()


def test_the_columns_of_a_day_and_a_week_ago_are_known_ahead(table):
    cutoff = demand.cutoffs_of(table.index, "test")[3]
    spoiled = table["y"].copy()
    spoiled.iloc[cutoff + 1 :] = np.nan
    for name, ago in (("day", 48), ("week", 336)):
        ahead = table[f"y_{name}_ago"].iloc[cutoff + 1 : cutoff + 49]
        np.testing.assert_array_equal(ahead, spoiled.shift(ago).iloc[cutoff + 1 : cutoff + 49])
        assert ahead.notna().all()


def test_no_model_is_told_the_demand_ahead(table):
    for clock in ("waves", "numbers"):
        for columns in ("plain", "lagged"):
            known = demand.known_columns(table, clock, columns)
            assert "y" not in known
            assert set(known) <= set(table.columns)
    plain = demand.known_columns(table, "waves")
    assert not [name for name in plain if name.startswith(("year", "y_"))]
    assert {"temperature", "day_mean", "holiday", "weekend"} < set(plain)


def test_panels_hold_what_is_known_at_each_cutoff_and_no_more(rows):
    history, future = run.panels(rows, [99, 120], history=10)
    assert "y" not in future
    for name, cutoff in (("c0000", 99), ("c0001", 120)):
        known = history[history["unique_id"] == name]
        ahead = future[future["unique_id"] == name]
        assert known["y"].tolist() == list(range(cutoff - 9, cutoff + 1))
        assert (-ahead["temperature"]).tolist() == list(range(cutoff + 1, cutoff + 49))
        assert ahead["ds"].iloc[0] - known["ds"].iloc[-1] == pd.Timedelta("30min")
    spoiled = rows.copy()
    spoiled.loc[121:, "y"] = -999.0
    pd.testing.assert_frame_equal(run.panels(spoiled, [99, 120], 10)[0], history)


def test_training_ends_at_the_first_cutoff(rows):
    assert run.training_rows(rows, 99)["y"].tolist() == list(range(100))


def test_forecasts_are_read_in_the_order_of_the_cutoffs(rows):
    _, future = run.panels(rows, [99, 120], history=10)
    answer = future[["unique_id", "ds"]].assign(LSTM=np.arange(96.0))
    expected = np.arange(96.0).reshape(2, 48)
    shuffled = answer.sample(frac=1, random_state=0)
    np.testing.assert_array_equal(run.values_of(shuffled, 2), expected)
    np.testing.assert_array_equal(run.values_of(answer.set_index("unique_id"), 2), expected)
    with pytest.raises(ValueError, match="missing"):
        run.values_of(answer.assign(LSTM=np.nan), 2)


def test_scores_are_means_over_all_cutoffs_and_steps(rows):
    y = demand.actual(rows, [99, 120])
    assert y[1].tolist() == list(range(121, 169))
    off = np.where(np.arange(48) < 24, 3.0, -1.0)
    assert demand.scores(y + off, y) == pytest.approx({"mae": 2.0, "rmse": 5**0.5})


def test_a_row_keeps_every_seed_and_skill_is_against_the_weekly_naive(rows):
    y = demand.actual(rows, [99, 120])
    costs = dict.fromkeys(("fit_s", "fit_cpu_s", "predict_s", "predict_cpu_s", "peak_mb"), 1.0)
    about = {"parameters": 7, "lines": 5, "python": "3.11", "versions": {}, "cutoffs": [99, 120]}
    entry = {"model": "a", "script": "seasonal_naive", "reads": "all"}
    runs = [about | costs | {"seed": seed, "forecasts": y + 1.0 + seed} for seed in (0, 1)]
    row = demand.merge(entry, {}, runs, rows)
    naive = demand.merge(
        entry | {"model": demand.NAIVE}, {}, [runs[0] | {"forecasts": y + 4}], rows
    )
    assert row["mae"] == pytest.approx([1.0, 2.0])
    assert row["mae_of_mean"] == pytest.approx(1.5)
    assert row["mae_by_step"] == pytest.approx([1.5] * 48)
    ranked = demand.with_skill([naive, row])
    assert [row["model"] for row in ranked] == ["a", demand.NAIVE]
    assert ranked[0]["skill"] == pytest.approx([0.75, 0.5])


def test_the_choice_is_the_best_of_the_validation_part(rows, monkeypatch):
    index = rows.set_index(pd.date_range("2013-12-29", periods=200, freq="30min", tz="UTC")).index
    table = rows.drop(columns="ds").set_axis(index)
    monkeypatch.setattr(demand, "PARTS", {"validation": ("2013-12-31", "2014-01-01")})
    y = demand.actual(table, demand.cutoffs_of(index, "validation"))

    def answer(job, folder, peers):
        return {"forecasts": y + job["settings"]["off"], "fit_cpu_s": 1.0}

    monkeypatch.setattr(demand, "run_job", answer)
    monkeypatch.setattr(demand, "known_columns", lambda *_: [])
    entry = {"model": "a", "script": "seasonal_naive", "packages": []}
    entry["candidates"] = [{"off": 3.0}, {"off": -1.0}, {"off": 2.0}]
    tried = demand.validate(entry, table, None, None)
    assert [row["chosen"] for row in tried] == [False, True, False]
    assert [row["mae"] for row in tried] == pytest.approx([3.0, 1.0, 2.0])


def test_the_naive_runs_as_a_job_of_its_own(table, tmp_path):
    short = table.iloc[: 30 * demand.DAY]
    short.set_axis(demand.standard_time(short.index)).to_csv(tmp_path / "table.csv")
    entry = next(entry for entry in demand.MODELS if entry["model"] == demand.NAIVE)
    job = demand.job_of(entry, {"season": 336}, "validation", 0, table)
    job["cutoffs"] = [20 * demand.DAY - 1, 21 * demand.DAY - 1]
    found = demand.run_job(job, tmp_path, demand.sys.executable)
    week_ago = short["y"].to_numpy()[np.add.outer(job["cutoffs"], np.arange(1, 49)) - 336]
    np.testing.assert_allclose(found["forecasts"], week_ago)
    assert found["peak_mb"] > 0
    for path in tmp_path.glob("*.answer.json"):  # an answer is kept, and not made twice
        path.write_text(json.dumps(found | {"forecasts": None, "peak_mb": -1.0}))
    assert demand.run_job(job, tmp_path, demand.sys.executable)["peak_mb"] == -1.0


def test_lines_of_code_are_counted_without_words(tmp_path):
    script = tmp_path / "a.py"
    script.write_text(
        '"""Words.\n\nMore."""\n\nimport os\n\n\ndef f():\n    """Words."""\n    # more\n    return os\n'
    )
    assert run.lines_of(script) == 3


# --- the peers' scripts, which cannot run here -----------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_has_fit_and_forecast(script):
    tree = ast.parse((PEERS / f"{script}.py").read_text())
    functions = {node.name: node.args for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [a.arg for a in functions["fit"].args[:3]] == ["train", "known", "seed"]
    assert [a.arg for a in functions["forecast"].args] == ["model", "history", "future"]


def test_every_script_is_used():
    speed = "training_speed"  # the peers' part of benchmarks/training_speed.py
    assert {path.stem for path in PEERS.glob("*.py")} == {"run", speed, *SCRIPTS}


def test_the_peers_versions_are_pinned():
    lines = (PEERS / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", pin) for pin in pins)
    named = {pin.partition("==")[0] for pin in pins}
    needed = {name for entry in demand.MODELS for name in entry["packages"]}
    assert needed - {"keras", "tensorflow-cpu"} <= named
    asked = (PEERS / "requirements.in").read_text().splitlines()
    assert {re.split(r"[<#]", line)[0].strip() for line in asked[1:]} <= named


def test_each_learner_had_as_many_settings_to_choose_from():
    counts = {len(entry["candidates"]) for entry in demand.MODELS if "history" not in entry}
    assert len(counts) == 1
