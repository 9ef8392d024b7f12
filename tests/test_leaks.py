"""Nothing after a border may reach what lies before it: every path of the Forecaster, bit for bit.

The whole table is given, with a validation part; then everything from its border on is changed.
With one epoch the weights cannot depend on the validation loss, so no forecast that was made
before the border may change: not by scaling, calendar, filling, panel, heads or intervals.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsforecast import Forecaster

BORDER = pd.Timestamp("2024-01-16", tz="Europe/Berlin")
TINY: dict[str, Any] = {"lookback": 12, "horizon": 3, "units": 2, "epochs": 1, "batch_size": 128}


def make_table() -> pd.DataFrame:
    index = pd.date_range("2024-01-01", periods=24 * 20, freq="h", tz="Europe/Berlin")
    rng = np.random.default_rng(0)
    load = 100 + 10 * np.sin(np.arange(len(index)) * 2 * np.pi / 24) + rng.normal(size=len(index))
    columns = {
        "load": load,
        "wind": rng.normal(size=len(index)),
        "warm": rng.normal(size=len(index)),
    }
    return pd.DataFrame(columns, index=index)


def make_panel() -> pd.DataFrame:
    parts = []
    for number, (name, size) in enumerate({"a": 1.0, "b": 50.0}.items()):
        part = (make_table() * size).iloc[24 * number :].reset_index(names="ds")
        parts.append(part.assign(unique_id=name, kind=name))
    return pd.concat(parts, ignore_index=True)


def spoiled(table: pd.DataFrame, times: Any, border: pd.Timestamp = BORDER) -> pd.DataFrame:
    """All measured values from the border on become large and wrong."""
    changed = table.copy()
    later = np.asarray(times >= border)
    for name in ("load", "wind", "warm"):
        values = changed[name].to_numpy().copy()
        values[later] = 1e5 + 37 * np.arange(later.sum()) % 1000
        changed[name] = values
    return changed


COVARIATES = {"targets": "load", "past_covariates": "wind", "future_covariates": "warm"}
TABLES: dict[str, dict[str, Any]] = {
    "no scaling": {"scaling": "none"},
    "standard": {"scaling": "standard"},
    "window": {"scaling": "window"},
    "series": {"scaling": "series"},
    "log, combination": {"scaling": "log", "skip": "combination", "season": (3, 6)},
    "linear skip": {"skip": "linear"},
    "seasonal skip, standard": {"skip": "season", "season": 12, "scaling": "standard"},
    "calendar": {"calendar": True, "decoder": "encoder_decoder"},
    "quantiles": {"level": [80], "intervals": "quantile"},
    "bidirectional, autoregressive": {"encoder": "bidirectional", "decoder": "autoregressive"},
    "cnn, attention": {"encoder": "cnn", "subsequences": 3, "decoder": "attention"},
    "convlstm": {"encoder": "convlstm", "subsequences": 3},
    "patched": {"encoder": "patched", "patch": 3, "depth": 2, "dropout": 0.3},
    "patchwise": {"decoder": "patchwise", "skip": "linear", "ridge": 1.0},
}


def unreached(table: pd.DataFrame, settings: dict[str, Any]) -> None:
    """Other values from the border on change no weight and no forecast before it."""
    forecaster = Forecaster(**TINY, **COVARIATES, **settings)
    known = forecaster.fit(table, validation=BORDER).windows(table).split(BORDER)[0]
    before = forecaster.predict(known)
    other = forecaster.copy().fit(spoiled(table, table.index), validation=BORDER)
    np.testing.assert_array_equal(other.predict(known), before)
    weights = zip(other.model.get_weights(), forecaster.model.get_weights(), strict=True)
    assert all(np.array_equal(one, two) for one, two in weights)


@pytest.mark.parametrize("name", TABLES)
def test_a_table(name: str) -> None:
    unreached(make_table(), TABLES[name])


@pytest.mark.parametrize(
    ("missing", "scaling"),
    [("mask", "window"), ("mask", "standard"), ("mask", "series"), ("skip", "standard")],
)
def test_a_table_with_gaps(missing: str, scaling: str) -> None:
    table, random = make_table(), np.random.default_rng(1)
    for name in ("load", "wind"):
        table[name] = table[name].mask(random.random(len(table)) < 0.02)
    unreached(table.drop(table.index[[50, 51, 200]]), {"missing": missing, "scaling": scaling})


@pytest.mark.parametrize("scaling", ["series", "standard"])
def test_a_panel(scaling: str) -> None:
    panel = make_panel()
    settings = {"scaling": scaling, "static_covariates": "kind", "calendar": True}
    forecaster = Forecaster(**TINY, **COVARIATES, **settings)
    known = forecaster.fit(panel, validation=BORDER).windows(panel).split(BORDER)[0]
    before = forecaster.predict(known)
    other = forecaster.copy().fit(spoiled(panel, panel["ds"]), validation=BORDER)
    np.testing.assert_array_equal(other.predict(known), before)


@pytest.mark.parametrize("intervals", ["conformal", "both"])
def test_intervals_are_measured_on_their_own_part_only(intervals: str) -> None:
    """What comes after the calibration part is not in the margins; that part is not in the model."""
    table, calibration = make_table(), BORDER - pd.Timedelta("4D")
    forecaster = Forecaster(**TINY, **COVARIATES, level=[80], intervals=intervals)
    forecaster.fit(table[: BORDER - pd.Timedelta("1h")], calibration=calibration)
    later = forecaster.copy().fit(
        spoiled(table, table.index)[: BORDER - pd.Timedelta("1h")], calibration=calibration
    )
    np.testing.assert_array_equal(later.margins, forecaster.margins)
    changed = spoiled(table, table.index, calibration)[: BORDER - pd.Timedelta("1h")]
    other = forecaster.copy().fit(changed, calibration=calibration)
    known = forecaster.windows(table).split(calibration)[0]
    np.testing.assert_array_equal(other.predict(known), forecaster.predict(known))
    assert (other.margins > 10 * forecaster.margins).all()  # the part itself does count


def test_the_test_itself_can_fail() -> None:
    """A scaling that is measured on everything is found out by the test above."""
    from tsforecast import adapt

    table = make_table()
    forecaster = Forecaster(**TINY, **COVARIATES, scaling="standard").fit(table, validation=BORDER)
    known = forecaster.windows(table).split(BORDER)[0]
    before = forecaster.predict(known)
    adapt(forecaster.model, forecaster.windows(spoiled(table, table.index)))
    assert not np.array_equal(forecaster.predict(known), before)
