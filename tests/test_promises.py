"""No silent surprises: a forecast depends on the rows that it reads and the model, on nothing else.

Not on the size of a batch, the order of columns, rows and series, columns and series that have
nothing to do with it, an earlier forecast, or on whether the forecaster was saved in between.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsforecast import Forecaster, predict

QUICK: dict[str, Any] = {"units": 3, "epochs": 1, "batch_size": 256}
CLOSE = 1e-5  # of the forecast: what the order of a sum may change in single precision


def make_table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-03-25", periods=24 * 10, freq="h", tz="Europe/Berlin")
    load = 100 + 10 * np.sin(np.arange(len(index)) * 2 * np.pi / 24) + rng.normal(size=len(index))
    columns = {
        "load": load,
        "wind": rng.normal(size=len(index)),
        "warm": rng.normal(size=len(index)),
    }
    return pd.DataFrame(columns, index=index)


def make_panel() -> pd.DataFrame:
    parts = []
    for number, name in enumerate("abcde"):
        part = 10.0**number * make_table(number)[["load"]].iloc[-60 - 5 * number :]
        parts.append(part.reset_index(names="ds").assign(unique_id=name, kind="xy"[number % 2]))
    return pd.concat(parts, ignore_index=True)


def holes(table: pd.DataFrame) -> pd.DataFrame:
    gone = np.random.default_rng(1).random(len(table)) < 0.1
    return table.assign(wind=table["wind"].mask(gone))


KINDS: dict[str, dict[str, Any]] = {
    "a table": {"past_covariates": "wind", "calendar": True, "level": [80]},
    "a table with gaps": {"past_covariates": "wind", "missing": "mask"},
    "a panel": {"static_covariates": "kind", "scaling": "series", "level": [80]},
    "a panel, combined": {"scaling": "log", "skip": "combination", "season": 6},
}
TABLES = {
    "a table": make_table(),
    "a table with gaps": holes(make_table()),
    "a panel": make_panel(),
    "a panel, combined": make_panel(),
}
PANELS = [kind for kind in KINDS if "panel" in kind]


@pytest.fixture(scope="module")
def fitted() -> dict[str, Forecaster]:
    made = {}
    for kind, settings in KINDS.items():
        forecaster = Forecaster(12, horizon=3, targets="load", **settings, **QUICK)
        made[kind] = forecaster.fit(TABLES[kind])
    return made


def same(one: pd.DataFrame, two: pd.DataFrame, rtol: float = 0.0) -> None:
    pd.testing.assert_frame_equal(one, two, rtol=rtol, atol=0, check_exact=rtol == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_batch_size(fitted: dict[str, Forecaster], kind: str) -> None:
    windows = fitted[kind].windows(TABLES[kind])
    model = fitted[kind].model
    at_once = predict(model, windows, batch_size=4096)
    for batch_size in (1000, 64):
        np.testing.assert_allclose(predict(model, windows, batch_size), at_once, rtol=CLOSE)
    alone = predict(model, windows[:1], batch_size=1)
    np.testing.assert_allclose(alone, at_once[:1], rtol=CLOSE)


@pytest.mark.parametrize("kind", KINDS)
def test_of_having_forecast_before_or_having_been_saved(
    fitted: dict[str, Forecaster], kind: str, tmp_path: Path
) -> None:
    """Bit for bit."""
    forecaster = fitted[kind]
    before = forecaster.forecast()
    same(forecaster.forecast(), before)
    forecaster.save(tmp_path / "kept.keras")
    loaded = Forecaster.load(tmp_path / "kept.keras")
    same(loaded.forecast(), before)
    same(loaded.forecast(TABLES[kind]), forecaster.forecast(TABLES[kind]))
    same(forecaster.forecast(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_order_of_columns_and_of_columns_that_are_not_used(
    fitted: dict[str, Forecaster], kind: str
) -> None:
    """Bit for bit."""
    table = TABLES[kind]
    before = fitted[kind].forecast(table)
    other = table[table.columns[::-1]].assign(noise=1e9, words="text")
    same(fitted[kind].forecast(other), before)


@pytest.mark.parametrize("kind", KINDS)
def test_training_does_not_depend_on_them_either(fitted: dict[str, Forecaster], kind: str) -> None:
    """Bit for bit."""
    table = TABLES[kind]
    other = table[table.columns[::-1]].assign(noise=1e9, words="text")
    again = fitted[kind].copy().fit(other)
    pairs = zip(again.model.get_weights(), fitted[kind].model.get_weights(), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)
    same(again.forecast(), fitted[kind].forecast())


@pytest.mark.parametrize("kind", KINDS)
def test_of_rows_before_the_lookback(fitted: dict[str, Forecaster], kind: str) -> None:
    """Only the last rows are read: 12 here."""
    table = TABLES[kind]
    short = table.groupby("unique_id").tail(12) if kind in PANELS else table[-12:]
    same(fitted[kind].forecast(short), fitted[kind].forecast(table))


@pytest.mark.parametrize("kind", PANELS)
def test_of_the_order_of_rows_and_series(fitted: dict[str, Forecaster], kind: str) -> None:
    panel = TABLES[kind]
    keys = ["unique_id", "ds"]
    before = fitted[kind].forecast(panel).sort_values(keys, ignore_index=True)
    mixed = fitted[kind].forecast(panel.sample(frac=1, random_state=0))
    same(mixed.sort_values(keys, ignore_index=True), before, CLOSE)


@pytest.mark.parametrize("kind", PANELS)
def test_of_other_series_in_the_panel(fitted: dict[str, Forecaster], kind: str) -> None:
    """A series alone, and beside one that is a million times larger."""
    panel = TABLES[kind]
    one = panel[panel["unique_id"] == "c"]
    wild = one.assign(unique_id="wild", load=one["load"] * 1e6)
    alone = fitted[kind].forecast(one)
    beside = fitted[kind].forecast(pd.concat([wild, panel]))
    beside = beside[beside["unique_id"] == "c"].reset_index(drop=True)
    same(beside, alone, CLOSE)


def test_of_the_zone_in_which_the_same_times_are_told(fitted: dict[str, Forecaster]) -> None:
    """Bit for bit, and told on the clock that the forecaster was fitted on."""
    table = TABLES["a table"]
    same(fitted["a table"].forecast(table.tz_convert("UTC")), fitted["a table"].forecast(table))


def test_the_page_of_promises_names_commands_that_exist() -> None:
    """And every line of its tables says how to repeat the check."""
    from benchmarks.faults import KILLS
    from benchmarks.fuzzing import PROPERTIES

    root = Path(__file__).resolve().parents[1]
    page = (root / "book" / "promises.md").read_text(encoding="utf-8")
    for place in re.findall(r"(?:tests|benchmarks)/\w+\.py", page):
        assert (root / place).exists(), place
    for names in re.findall(r"fuzzing\.py ([a-z ]+)`", page):
        assert set(names.split()) <= {*PROPERTIES, "guided"}
    for names in re.findall(r"faults\.py ([a-z. ]+)`", page):
        assert set(names.split()) <= {*KILLS, "disk", "worker"}
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for target in re.findall(r"`make ([a-z-]+)`", page))
    rows = [row for row in page.splitlines() if row.startswith("| ") and "promise |" not in row]
    assert len(rows) > 20
    assert all(re.search(r"(`|the same) \|$", row) for row in rows)
