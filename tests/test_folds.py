"""The moving backtest shows the package's own cutoffs, and the scores that the chapter prints."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf

ROOT = Path(__file__).resolve().parents[1]
FOLDS = runpy.run_path(str(ROOT / "scripts" / "folds.py"))


@pytest.fixture(scope="module")
def shown():
    text = FOLDS["FILE"].read_text(encoding="utf-8")
    return json.loads(text.removeprefix(FOLDS["START"]).removesuffix(";\n"))


@pytest.fixture(scope="module")
def table():
    return tsf.datasets.vic_elec()[["demand"]]


def cell_with(words):
    cells = json.loads(FOLDS["NOTEBOOK"].read_text(encoding="utf-8"))["cells"]
    return next(cell for cell in cells if words in "".join(cell["source"]))


def test_the_cutoffs_are_those_of_the_packages_backtest(shown, table):
    """With the arguments of the chapter, and a model that costs nothing."""
    code = "".join(cell_with("validation = tsf.backtest(")["source"])
    start, end = re.search(r'start="([\d-]+)", end="([\d-]+)"', code).groups()
    every = eval(re.search(r"every=([\d *]+)", code)[1])
    cheap = tsf.Forecaster(336, horizon=48, targets="demand", stride=48, units=1, epochs=1)
    cheap.fit(table["2013-06-01":"2013-06-20"])
    baselines = ["naive", "seasonal naive"]
    result = tsf.backtest(
        {"cheap": cheap}, table["2013-06-10":"2014-01-03"], start=start, end=end, every=every, season=[48, 336],
        baselines=baselines, progress=False,
    )  # fmt: skip
    times = [f"{cutoff:%Y-%m-%dT%H:%M}" for cutoff in result.cutoffs]
    assert [fold["cutoff"] for fold in shown["folds"]] == times
    for fold, (_, rows) in zip(shown["folds"], result.table.groupby("cutoff"), strict=True):
        np.testing.assert_allclose(fold["came"], rows["y"], atol=0.51)
        np.testing.assert_allclose(fold["simple"], rows["seasonal naive 336"], atol=0.51)


def test_nothing_after_the_cutoff_is_among_what_is_known(shown, table):
    for fold in shown["folds"]:
        cutoff = pd.Timestamp(fold["cutoff"], tz="Australia/Melbourne")
        before = table["demand"][:cutoff].iloc[-FOLDS["KNOWN"] :]
        np.testing.assert_allclose(fold["known"], before, atol=0.51)
        after = table["demand"][cutoff:].iloc[1:49]
        np.testing.assert_allclose(fold["came"], after, atol=0.51)


def test_its_errors_are_those_that_the_chapter_prints(shown):
    printed = "".join(cell_with("validation.scores()")["outputs"][0]["data"]["text/plain"])
    for key, name in FOLDS["SHOWN"].items():
        mae = float(re.search(rf"^{name} +([\d.]+)", printed, re.M)[1])
        mean = np.mean([fold[f"{key}Error"] for fold in shown["folds"]])
        assert mean == pytest.approx(mae, rel=0.02), name
        for fold in shown["folds"]:
            error = np.abs(np.subtract(fold[key], fold["came"])).mean()
            assert fold[f"{key}Error"] == pytest.approx(error, abs=1)


def test_the_record_takes_what_the_backtest_has():
    """A day of two steps, by hand."""
    times = pd.date_range("2013-07-01", periods=6, freq="12h", tz="Australia/Melbourne")
    table = pd.DataFrame({"demand": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}, times)
    rows = pd.DataFrame({"cutoff": times[3], "y": [5.0, 6.0], "LSTM": [5.0, 8.0]})
    rows["seasonal naive 336"] = [1.0, 2.0]
    record = FOLDS["record"](type("Backtest", (), {"table": rows})(), table)
    record = json.loads(json.dumps(record, default=FOLDS["plain"]))
    assert record["firstDay"] == "2013-07-01" and record["days"] == [2, 4, 6]
    (fold,) = record["folds"]
    assert fold["cutoff"] == "2013-07-02T12:00" and fold["known"] == [1, 2, 3, 4]
    assert fold["model"] == [5, 8] and (fold["modelError"], fold["simpleError"]) == (1, 4)
