"""Numbers of any kind: constant, huge, tiny, spoiled by one wild value; odd types and odd calendars.

Every kind of scaling and simple forecast is measured on a series, trained for a step and asked
for all windows: everything stays finite, and in range where that can be promised.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, adapt, build_model, forecast
from tsforecast.training import _loss, _optimizer, _with_own_units

ROWS = 40
STEP = np.arange(ROWS)
ORDINARY = 100 + 10 * np.sin(STEP * np.pi / 2) + np.random.default_rng(0).normal(size=ROWS)
SERIES = {
    "ordinary": ORDINARY,
    "constant": np.full(ROWS, 5.0),
    "zeros": np.zeros(ROWS),
    "negative": -ORDINARY,
    "around zero": ORDINARY - 100,
    **{f"times {c:g}": ORDINARY * c for c in (1e-40, 1e-30, 1e-20, 1e-12, 1e12, 1e15)},
    "a constant of 1e12": np.full(ROWS, 1e12),
    "a constant of 1e-12": np.full(ROWS, 1e-12),
    "one outlier of a million sigma": np.where(STEP == 20, 1e6, ORDINARY),
    "an outlier at the end": np.where(STEP == ROWS - 1, 1e6, ORDINARY),
    "on top of 1e9": ORDINARY + 1e9,
    "zeros, then numbers": np.where(STEP < 30, 0.0, ORDINARY),
    "a constant, then numbers": np.where(STEP < 30, 7.0, ORDINARY),
    "many zeros": np.maximum(ORDINARY - 100, 0),
}
KINDS: dict[str, dict[str, Any]] = {
    "none": {"scaling": "none"},
    "window": {"scaling": "window"},
    "standard": {"scaling": "standard"},
    "series": {"scaling": "series"},
    "log": {"scaling": "log"},
    "linear": {"skip": "linear"},
    "season": {"skip": "season", "season": 4},
    "series, linear": {"skip": "linear", "scaling": "series"},
    "series, combination": {"skip": "combination", "season": 4, "scaling": "series"},
    "log, combination": {"skip": "combination", "season": 4, "scaling": "log"},
    "quantiles": {"quantiles": (0.1, 0.5, 0.9)},
    "masked": {"missing": "mask"},
    "series, masked": {"missing": "mask", "scaling": "series"},
}
IN_RANGE = ("window", "standard", "season", "masked", "quantiles")


def trained_on(model: Any, series: np.ndarray, framing: Framing) -> tuple[float, np.ndarray]:
    """A training step on the first 30 rows: its loss; and the forecasts of all windows after it."""
    table = pd.DataFrame({"y": series, "x": np.roll(series, 1)})
    if framing.missing == "mask":
        table.loc[[7, 33], "x"] = np.nan
    train = framing.windows(table[:30])
    adapt(model, train)
    trained = _with_own_units(model, None)
    trained.compile(_optimizer(None, 0.005, 10), _loss(model, None), run_eagerly=True)
    loss = float(trained.train_on_batch(*train.arrays()))
    X, _ = framing.windows(table).arrays()
    return loss, np.asarray(model(X), dtype=float)


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_forecasts_stay_finite(kind: str) -> None:
    options = dict(KINDS[kind])
    missing = options.pop("missing", "refuse")
    framing = Framing(5, horizon=2, targets="y", past_covariates="x", missing=missing)
    model = build_model(framing, units=2, **options)
    weights = model.get_weights()
    for name, series in SERIES.items():
        if options.get("scaling") == "log" and series.min() <= 0:
            with pytest.raises(ValueError, match=r"scaling='log' counts in percents"):
                trained_on(model, series, framing)
            continue
        if options.get("scaling") == "none" and np.abs(series).max() > 1e6:
            continue  # raw numbers reach the network and its loss as they are
        model.set_weights(weights)
        loss, forecasts = trained_on(model, series, framing)
        assert np.isfinite(loss), name
        assert np.isfinite(forecasts).all(), name
        if kind in IN_RANGE:
            reach = 2 * np.ptp(series) + 0.01 * np.abs(series).max() + 1e-30  # less is as good as 0
            assert series.min() - reach <= forecasts.min(), name
            assert forecasts.max() <= series.max() + reach, name


def test_one_wild_value_does_not_spoil_the_units_of_all_windows() -> None:
    """Of the own units of a window: the typical error stays below a thousand of them."""
    framing = Framing(5, horizon=2, targets="y")
    model = build_model(framing, units=2, scaling="series")
    adapt(model, framing.windows(pd.DataFrame({"y": SERIES["one outlier of a million sigma"]})))
    assert model.get_layer("forecast").scale[0] < 1000


@pytest.mark.parametrize("value", [1e18, -3e38, 1e300, 2**63 - 1], ids=str)
def test_what_is_too_large_for_single_precision_is_refused(value: float) -> None:
    """With a word on what to do, before anything is trained."""
    table = pd.DataFrame({"y": ORDINARY.astype(object)})
    table.loc[7, "y"] = value
    table = table.astype(type(value))
    with pytest.raises(ValueError, match=r"'y' holds .* at 7 \(row 7\).*larger unit.* / 1e12"):
        Framing(5).windows(table)
    with pytest.raises(ValueError, match="larger unit"):
        Framing(36, missing="mask").last_window(table)
    assert len(Framing(5, targets="z").windows(table.assign(z=1.0))) == 35  # not read: no matter


# --- scale equivariance ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "none"])
def test_the_table_times_c_gives_c_times_the_forecast(kind: str) -> None:
    options = dict(KINDS[kind])
    missing = options.pop("missing", "refuse")
    framing = Framing(5, horizon=2, targets="y", past_covariates="x", missing=missing)
    model = build_model(framing, units=2, **options)
    weights = model.get_weights()
    _, once = trained_on(model, ORDINARY, framing)
    for factor in (1e-12, 1e-3, 1e12):
        model.set_weights(weights)
        _, times = trained_on(model, ORDINARY * factor, framing)
        np.testing.assert_allclose(times / factor, once, rtol=1e-4, err_msg=str(factor))


# --- types and calendars --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured() -> tuple[Any, Framing]:
    """A model that has measured its scaling; its weights do not matter here."""
    framing = Framing(5, horizon=4, targets="y")
    model = build_model(framing, units=2)
    adapt(model, framing.windows(pd.DataFrame({"y": np.rint(ORDINARY)})))
    return model, framing


TYPES = [
    "int8",
    "uint8",
    "int32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "Int16",
    "Int64",
    "Float32",
]


@pytest.mark.parametrize("dtype", TYPES)
def test_the_type_of_a_column_does_not_matter(measured: Any, dtype: str) -> None:
    table = pd.DataFrame({"y": np.rint(ORDINARY)})
    expected = forecast(*measured, table)
    found = forecast(*measured, table.astype(dtype))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("dtype", ["bool", "boolean"])
def test_truth_values_are_zero_and_one(measured: Any, dtype: str) -> None:
    table = pd.DataFrame({"y": STEP % 3 == 0})
    expected = forecast(*measured, table.astype(float))
    found = forecast(*measured, table.astype(dtype))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_missing_value_of_a_nullable_column_is_told() -> None:
    table = pd.DataFrame({"y": pd.array([1, None, *range(10)], dtype="Int64")})
    with pytest.raises(ValueError, match=r"'y' has 1 missing value .* 1 \(row 1\)"):
        Framing(3).windows(table)


CALENDARS = {
    "clocks go forward": pd.date_range(
        "2024-03-30 22:00", periods=9, freq="30min", tz="Europe/Berlin"
    ),
    "clocks go back": pd.date_range("2024-10-26 22:00", periods=9, freq="h", tz="Europe/Berlin"),
    "days over a change": pd.date_range("2024-03-26", periods=9, freq="D", tz="Europe/Berlin"),
    "half an hour of summer": pd.date_range(
        "2024-04-06 20:00", periods=9, freq="h", tz="Australia/Lord_Howe"
    ),
    "leap day": pd.date_range("2024-02-20", periods=9, freq="D"),
    "no leap day": pd.date_range("2023-02-20", periods=9, freq="D"),
    "no leap day in 2100": pd.date_range("2100-02-20", periods=9, freq="D"),
    "ends of months": pd.date_range("2023-05-31", periods=9, freq="ME"),
    "begins of months": pd.date_range("2023-05-01", periods=9, freq="MS"),
    "quarters": pd.date_range("2022-01-01", periods=9, freq="QE"),
    "ends of leap years": pd.date_range("2000-01-01", periods=9, freq="YE"),
    "leap days only": pd.date_range("1980-02-29", periods=9, freq="4YE-FEB"),
    "working days": pd.date_range("2024-02-22", periods=9, freq="B"),
    "weeks from Wednesday": pd.date_range("2023-12-01", periods=9, freq="W-WED"),
    "months as periods": pd.period_range("2023-06", periods=9, freq="M"),
    "quarters from February": pd.period_range("2022Q1", periods=9, freq="Q-JAN"),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_a_forecast_goes_on_in_the_steps_of_its_calendar(measured: Any, name: str) -> None:
    """As pandas would go on, and whether or not the index says its frequency."""
    index: Any = CALENDARS[name]
    table = pd.DataFrame({"y": ORDINARY[: len(index)]}, index)
    if isinstance(index, pd.PeriodIndex):
        expected: Any = pd.period_range(index[0], periods=13, freq=index.freq)[9:]
    else:
        expected = pd.date_range(index[0], periods=13, freq=index.freq)[9:]
        unnamed = table.set_axis(pd.DatetimeIndex(index, freq=None))
        pd.testing.assert_frame_equal(forecast(*measured, unnamed), forecast(*measured, table))
    dated = forecast(*measured, table)
    assert list(dated["ds"]) == list(expected)
    assert (dated["cutoff"] == index[-1]).all()
    assert np.isfinite(dated["y"]).all()


def test_a_day_that_begins_at_one_o_clock(measured: Any) -> None:
    """In Santiago the clocks go forward at midnight: that day's first time is meant."""
    index = pd.date_range("2024-08-29", periods=9, freq="D", tz="America/Santiago")
    dated = forecast(*measured, pd.DataFrame({"y": ORDINARY[:9]}, index))
    days = ["2024-09-07 00:00", "2024-09-08 01:00", "2024-09-09 00:00", "2024-09-10 00:00"]
    assert list(dated["ds"].dt.strftime("%Y-%m-%d %H:%M")) == days


def test_an_array_where_the_framing_names_columns_of_a_table() -> None:
    """Text and numbers among the names: found by fuzzing."""
    with pytest.raises(ValueError, match=r"uses the column 'y', which is not in the table"):
        Framing(3, targets=["y", 1]).last_window(np.ones((9, 2)))
