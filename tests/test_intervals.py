"""Intervals: the margins by hand, the promise of coverage, no leak, and errors in words."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast import Framing, add_intervals, build_model, coverage, fit, intervals, predict
from tsforecast.intervals import (
    calibrate,
    forecast_names,
    interval_bounds,
    interval_columns,
    point_forecast,
    quantiles_for,
)

LEVELS = [80, 95]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def forecast_rows(cutoffs, seed=0, steps=2, start=0):
    """A forecast table of two series, as of forecast_table, and a model 'naive' beside 'LSTM'."""
    rng = np.random.default_rng(seed)
    rows = [
        {"unique_id": name, "ds": cutoff + step, "cutoff": cutoff, "step": step}
        for name in ("a", "b")
        for cutoff in range(start, start + cutoffs)
        for step in range(1, steps + 1)
    ]
    table = pd.DataFrame(rows)
    size = table["step"] * np.where(table["unique_id"] == "a", 1.0, 10.0)
    table["y"] = 100 + size * rng.normal(size=len(table))
    return table.assign(LSTM=100.0, naive=101.0)


# --- the margins ----------------------------------------------------------------------------------


def margin_by_hand(errors, level):
    """The smallest error that is at least as large as (n + 1) * level of them."""
    least = (len(errors) + 1) * level / 100 - 1e-9
    return min(e for e in errors if sum(other <= e for other in errors) >= least)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=19, max_size=60),
    st.sampled_from([50, 80, 90, 95]),
)
def test_a_margin_by_hand(y, level):
    y = np.array(y).reshape(-1, 1, 1)
    margins = calibrate(y, np.zeros_like(y), [level])
    assert margins.shape == (1, 1, 1)
    assert margins.item() == margin_by_hand(np.abs(y).ravel().tolist(), level)


def test_every_step_and_target_has_its_own_margin():
    y, forecast = normal(50, 3, 2), normal(50, 3, 2, seed=1)
    margins = calibrate(y, forecast, LEVELS)
    assert margins.shape == (2, 3, 2)
    for number, step, target in np.ndindex(2, 3, 2):
        errors = np.abs(y - forecast)[:, step, target].tolist()
        assert margins[number, step, target] == margin_by_hand(errors, LEVELS[number])


@pytest.mark.parametrize("which", ["point", "quantiles"])
def test_the_promise_of_coverage(which):
    """Over many draws the next one lies inside as often as promised, and hardly more often."""
    rng, inside = np.random.default_rng(0), []
    for _ in range(300):
        y = rng.exponential(10, size=(40, 1, 1))
        if which == "point":
            forecast, quantiles = np.full_like(y, 7.0), ()
        else:  # quantiles that are far too narrow
            forecast, quantiles = np.tile([6.0, 7.0, 8.0], (40, 1, 1, 1)), (0.1, 0.5, 0.9)
        margins = calibrate(y[:20], forecast[:20], [80], quantiles)
        low, high = interval_bounds(forecast[20:], [80], margins, quantiles)
        inside.append(((low[0] <= y[20:]) & (y[20:] <= high[0])).mean())
    assert 0.79 < np.mean(inside) < 0.80 + 1 / 21 + 0.01


def test_quantiles_that_are_too_wide_are_narrowed():
    y = normal(200, 1, 1)
    forecast = np.tile([-50.0, 0.0, 50.0], (200, 1, 1, 1))
    margins = calibrate(y, forecast, [80], (0.1, 0.5, 0.9))
    low, high = interval_bounds(forecast, [80], margins, (0.1, 0.5, 0.9))
    assert margins.item() < -40
    assert 0.79 < ((low[0] <= y) & (y <= high[0])).mean() < 0.83


def test_errors_in_the_windows_own_unit():
    """Windows of very different size: the unit given to both functions is taken out."""
    y, forecast = normal(40, 2, 1), normal(40, 2, 1, seed=1)
    scale = 10.0 ** np.arange(40).reshape(-1, 1, 1)
    margins = calibrate(y, forecast, LEVELS)
    np.testing.assert_allclose(calibrate(y * scale, forecast * scale, LEVELS, (), scale), margins)
    for one, other in zip(
        interval_bounds(forecast, LEVELS, margins),
        interval_bounds(forecast * scale, LEVELS, margins, (), scale),
        strict=True,
    ):
        np.testing.assert_allclose(other / scale, one)


def test_margins_survive_json_bit_for_bit():
    margins = calibrate(normal(50, 3, 2), normal(50, 3, 2, seed=1), LEVELS)
    np.testing.assert_array_equal(np.array(json.loads(json.dumps(margins.tolist()))), margins)


@pytest.mark.parametrize(
    ("level", "least"), [(50, 1), (80, 4), (90, 9), (95, 19), (95.5, 22), (99, 99)]
)
def test_how_many_windows_a_level_needs(level, least):
    y = normal(least, 1, 1)
    assert calibrate(y, 0 * y, [level]).item() == np.abs(y).max()
    if least > 1:
        words = rf"{level} % interval needs at least {least} .*there are {least - 1}\. Calibrate on"
        with pytest.raises(ValueError, match=words):
            calibrate(y[1:], 0 * y[1:], [level])


# --- the ends -------------------------------------------------------------------------------------


def test_quantiles_for_levels():
    assert quantiles_for([80]) == (0.1, 0.5, 0.9)
    assert quantiles_for([95, 80, 90]) == (0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975)
    assert quantiles_for(np.array([99.5])) == (0.0025, 0.5, 0.9975)
    assert quantiles_for(90) == (0.05, 0.5, 0.95)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000))
def test_the_ends_are_in_order(seed):
    """Whatever the margins: the median is inside, a higher level holds a lower one."""
    quantiles = quantiles_for([80, 90, 95])
    forecast = np.sort(normal(4, 3, 2, 7, seed=seed), axis=-1)
    margins = normal(3, 3, 2, seed=seed + 1)
    low, high = interval_bounds(forecast, [80, 90, 95], margins, quantiles)
    middle = point_forecast(forecast, quantiles)
    assert low.shape == high.shape == (3, 4, 3, 2)
    assert (low[0] <= middle).all() and (middle <= high[0]).all()
    assert (np.diff(low, axis=0) <= 0).all() and (np.diff(high, axis=0) >= 0).all()


def test_quantiles_without_margins_are_the_models_own():
    quantiles = quantiles_for(LEVELS)
    forecast = np.sort(normal(4, 3, 2, 5), axis=-1)
    low, high = interval_bounds(forecast, LEVELS, None, quantiles)
    np.testing.assert_array_equal(low, [forecast[..., 1], forecast[..., 0]])
    np.testing.assert_array_equal(high, [forecast[..., 3], forecast[..., 4]])


def test_columns_are_named_as_in_the_nixtla_libraries():
    low, high = interval_bounds(np.zeros((2, 3, 1)), [95, 80], np.ones((2, 3, 1)))
    columns = interval_columns("demand", [95, 80], low[..., 0], high[..., 0])
    assert list(columns) == ["demand-lo-95", "demand-lo-80", "demand-hi-80", "demand-hi-95"]
    assert all(values.shape == (6,) for values in columns.values())
    assert list(interval_columns("a", [99.5], low[:1], high[:1])) == ["a-lo-99.5", "a-hi-99.5"]


# --- tables ---------------------------------------------------------------------------------------


def test_a_table_gets_the_margins_of_its_series_and_steps():
    past, new = forecast_rows(40), forecast_rows(5, seed=1, start=50)
    result = add_intervals(new, past, LEVELS)
    assert list(result.columns)[: new.shape[1]] == list(new.columns)
    pd.testing.assert_frame_equal(result[new.columns], new)
    assert result.shape[1] == new.shape[1] + 2 * 2 * 2  # models, levels, ends
    for _, row in result.iterrows():
        mine = past[(past["unique_id"] == row["unique_id"]) & (past["step"] == row["step"])]
        for name in ("LSTM", "naive"):
            for level in LEVELS:
                margin = margin_by_hand((mine["y"] - mine[name]).abs().tolist(), level)
                assert row[f"{name}-hi-{level}"] == row[name] + margin
                assert row[f"{name}-lo-{level}"] == row[name] - margin


def test_a_table_with_quantiles_is_conformalised():
    past, new = forecast_rows(40), forecast_rows(5, seed=1, start=50)
    ends = {"LSTM-lo-80": 99.9, "LSTM-hi-80": 100.2}
    result = add_intervals(new.assign(**ends), past.assign(**ends), [80])
    assert forecast_names(result) == ["LSTM", "naive"]
    mine = past[(past["unique_id"] == "a") & (past["step"] == 1)]
    margin = margin_by_hand(np.maximum(99.9 - mine["y"], mine["y"] - 100.2).tolist(), 80)
    row = result.iloc[0]
    assert row["LSTM-lo-80"] == pytest.approx(99.9 - margin)
    assert row["LSTM-hi-80"] == pytest.approx(100.2 + margin)


def test_what_comes_does_not_reach_its_interval():
    past, new = forecast_rows(40), forecast_rows(5, seed=1, start=50)
    with_y = add_intervals(new, past, LEVELS).drop(columns="y")
    without = add_intervals(new.drop(columns="y"), past, LEVELS)
    spoiled = add_intervals(new.assign(y=1e9), past, LEVELS).drop(columns="y")
    pd.testing.assert_frame_equal(with_y, without)
    pd.testing.assert_frame_equal(with_y, spoiled)


@pytest.mark.parametrize("way", intervals.INTERVALS)
def test_rows_after_the_cutoff_do_not_reach_an_interval(way):
    """The whole path, from a table to the interval at a cutoff, twice: the second time the table
    is spoiled after the cutoff."""
    quantiles = () if way == "conformal" else quantiles_for(LEVELS)
    ends = []
    for spoil in (False, True):
        values = normal(90, 1).cumsum(axis=0) + 50
        if spoil:
            values[80:] = 1e6
        train, calibration, test = Framing(4, horizon=2).windows(values).split(40, 80)
        model = build_model(train.framing, units=2, quantiles=quantiles)
        fit(model, train, epochs=1, seed=0)
        margins = None
        if way != "quantile":
            forecast = predict(model, calibration)
            margins = calibrate(calibration.y, forecast, LEVELS, quantiles)
        ends.append(interval_bounds(predict(model, test[:1]), LEVELS, margins, quantiles))
    np.testing.assert_array_equal(ends[0], ends[1])


def test_only_forecasts_are_taken_for_forecasts():
    """Each column that is about a row has a name of its own, with and without intervals beside it."""
    about = ["unique_id", "target", "ds", "cutoff", "step", "seed", "y", "fed back"]
    columns = [*about, "LSTM", "LSTM-lo-80", "LSTM-hi-80", "half-lo-80"]
    assert forecast_names(pd.DataFrame(columns=columns)) == ["LSTM", "half-lo-80"]


@pytest.mark.parametrize("key", ["target", "seed"])
def test_every_target_and_every_seed_has_its_own_margin(key):
    def twice(table):
        other = table.assign(y=100 + 50 * (table["y"] - 100))
        return pd.concat([table.assign(**{key: 1}), other.assign(**{key: 2})], ignore_index=True)

    past, new = forecast_rows(40), forecast_rows(5, seed=1, start=50)
    result = add_intervals(twice(new), twice(past), [80])
    one, two = (result[result[key] == number].reset_index(drop=True) for number in (1, 2))
    alone = add_intervals(new, past, [80])
    np.testing.assert_allclose(one["LSTM-hi-80"], alone["LSTM-hi-80"])
    np.testing.assert_allclose(two["LSTM-hi-80"] - 100, 50 * (one["LSTM-hi-80"] - 100))


def test_intervals_of_its_own_count_where_the_calibration_has_them_too():
    past, new = forecast_rows(40), forecast_rows(5, seed=1, start=50)
    ends = {"LSTM-lo-80": 0.0, "LSTM-hi-80": 200.0}
    result = add_intervals(new.assign(**ends), past, [80])
    pd.testing.assert_frame_equal(result, add_intervals(new, past, [80]), check_like=True)


def test_the_ends_are_in_double_precision():
    forecast = np.full((1, 1, 1, 3), 0.1, dtype=np.float32)
    low, high = interval_bounds(forecast, [80], None, (0.1, 0.5, 0.9))
    assert low.dtype == high.dtype == np.float64


# --- coverage -------------------------------------------------------------------------------------


def test_a_value_on_the_border_is_inside():
    table = pd.DataFrame({"y": [1.0, 3.0, 3.5], "LSTM": 2.0, "LSTM-lo-80": 1.0, "LSTM-hi-80": 3.0})
    scored = coverage(table).loc[("LSTM", 80)]
    assert scored["coverage"] == pytest.approx(200 / 3)
    assert scored["winkler"] == pytest.approx(2.0 + 0.5 / 0.1 / 3)


def with_intervals():
    past, new = forecast_rows(40), forecast_rows(30, seed=1, start=50)
    return add_intervals(new, past, LEVELS)


def test_coverage_by_hand():
    table = with_intervals()
    table.loc[3, "y"] = np.nan  # not known yet: left out
    result = coverage(table)
    assert result.index.names == ["forecast", "level"]
    assert list(result.columns) == ["coverage", "width", "winkler"]
    assert [*result.index] == [(m, one) for m in ("LSTM", "naive") for one in LEVELS]
    for (name, level), scored in result.iterrows():
        inside, width, winkler = [], [], []
        for _, row in table.dropna(subset=["y"]).iterrows():
            y, low, high = row["y"], row[f"{name}-lo-{level}"], row[f"{name}-hi-{level}"]
            inside.append(low <= y <= high)
            width.append(high - low)
            miss = max(low - y, y - high, 0)
            winkler.append(high - low + 2 / (1 - level / 100) * miss)
        assert scored["coverage"] == pytest.approx(100 * np.mean(inside))
        assert scored["width"] == pytest.approx(np.mean(width))
        assert scored["winkler"] == pytest.approx(np.mean(winkler))


def test_coverage_is_that_of_utilsforecast():
    from utilsforecast.losses import coverage as theirs

    table = with_intervals()
    mine = coverage(table, by="unique_id")
    for level in LEVELS:
        expected = theirs(table.drop(columns="cutoff"), ["LSTM", "naive"], level).set_index(
            "unique_id"
        )
        for name in ("LSTM", "naive"):
            got = mine.loc[(name, level), "coverage"]
            np.testing.assert_allclose(got, 100 * expected[name])


def test_coverage_in_parts():
    table = with_intervals()
    by_step = coverage(table, [80], by="step")
    assert by_step.index.names == ["forecast", "level", "step"]
    assert [*by_step.loc[("LSTM", 80)].index] == [1, 2]
    second = coverage(table[table["step"] == 2], [80])
    pd.testing.assert_series_equal(
        *(by_step.loc[("LSTM", 80, 2)], second.loc[("LSTM", 80)]), check_names=False
    )
    late = (table["cutoff"] > 60).rename("late")
    assert [*coverage(table, [95], by=late).loc[("naive", 95)].index] == [False, True]


def test_labels_of_parts_belong_to_their_rows():
    table = with_intervals()
    late = (table["cutoff"] > 60).rename("late")
    expected = coverage(table, by=late)
    in_another_order = late.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(coverage(table, by=in_another_order), expected)
    as_an_array = coverage(table, by=late.to_numpy())
    pd.testing.assert_frame_equal(as_an_array, expected, check_names=False)


# --- errors ---------------------------------------------------------------------------------------


def test_one_percent_is_a_level_and_so_is_half_a_percent():
    assert intervals.check_level(1) == [1]
    assert intervals.levels_in(quantiles_for([1, 80])) == [1, 80]
    assert intervals.levels_in(quantiles_for([97.5])) == [97.5]


@pytest.mark.parametrize("level", [[], [0.9], [100], [0], [80, 80], "90", ["90"], None, [np.nan]])
def test_a_level_that_is_no_percent(level):
    for call in (quantiles_for, lambda level: calibrate(normal(30, 1, 1), normal(30, 1, 1), level)):
        with pytest.raises(ValueError, match=r"level must be percents.*got .*write 90"):
            call(level)


Y = normal(30, 2, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibrate(Y, Y[:5], [80]), r"\(30, 2, 1\) and \(5, 2, 1\).*predict\(model"),
        (lambda: calibrate(Y[:, 0], Y[:, 0], [80]), r"\(samples, horizon, targets\).*\(30, 1\)"),
        (lambda: calibrate(Y, Y[..., None], [80]), r"one more axis"),
        (lambda: calibrate(Y, Y * np.nan, [80]), r"missing or infinite"),
        (
            lambda: calibrate(Y, np.stack([Y, Y, Y], -1), [90], (0.1, 0.5, 0.9)),
            r"90 % interval needs the quantiles 0\.05 and 0\.95.*quantiles_for\(\[90\]\)",
        ),
        (lambda: interval_bounds(Y, [80]), r"no interval of its own.*calibrate"),
        (lambda: interval_bounds(Y, [80], Y[:1], (0.1, 0.5, 0.9)), r"got \(30, 2, 1\) and quant"),
        (
            lambda: interval_bounds(Y, [80, 95], np.ones((1, 2, 1))),
            r"margins have the shape \(1, 2, 1\).*it is \(2, 2, 1\)",
        ),
    ],
)
def test_wrong_arrays(call, words):
    with pytest.raises(ValueError, match=words):
        call()


PAST, NEW = forecast_rows(40), forecast_rows(5, start=50)
ABOUT = ["unique_id", "ds", "cutoff", "step", "y"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: add_intervals(NEW, PAST.drop(columns="LSTM"), [80]), r"calibration.*'LSTM'"),
        (lambda: add_intervals(NEW.drop(columns="step"), PAST, [80]), r"forecasts.*'step'"),
        (lambda: add_intervals(NEW, PAST.drop(columns="y"), [80]), r"calibration.*'y'"),
        (lambda: add_intervals(NEW.assign(target="x"), PAST, [80]), r"calibration.*'target'"),
        (lambda: add_intervals(NEW.assign(seed=0), PAST, [80]), r"calibration.*'seed'"),
        (lambda: add_intervals(NEW[ABOUT], PAST[ABOUT], [80]), r"forecasts has no column 'LSTM'"),
        (lambda: add_intervals(NEW, PAST[PAST["step"] < 2], [80]), r"of 'a', step 2 ahead"),
        (lambda: add_intervals(NEW, PAST[PAST["unique_id"] < "b"], [80]), r"of 'b', step 1"),
        (
            lambda: add_intervals(
                *(part.assign(target="x") for part in (NEW, PAST[PAST["step"] < 2])), [80]
            ),
            r"of 'a', step 2 ahead",
        ),
        (lambda: add_intervals(NEW, PAST.drop(columns="naive"), [80]), r"calibration.*'naive'"),
        (
            lambda: add_intervals(NEW.drop(columns="y"), PAST.drop(columns="LSTM"), [80]),
            r"calibration.*'LSTM'",
        ),
        (lambda: add_intervals(PAST, NEW, [80]), r"runs to 56.*made at 0.*earlier part"),
        (lambda: add_intervals(NEW, PAST[:30], [95]), r"needs at least 19"),
        (lambda: coverage(NEW), r"'LSTM-lo-90'.*level=\[90\]"),
        (lambda: coverage(with_intervals().drop(columns="y")), r"needs a column 'y'"),
        (lambda: coverage(with_intervals().assign(y=np.nan)), r"0 rows with a value of y"),
        (lambda: coverage(with_intervals(), [90]), r"no 90 % interval of 'LSTM'.*\[80, 95\]"),
        (lambda: coverage(with_intervals(), by="month"), r"no column 'month'.*'unique_id'"),
    ],
)
def test_wrong_tables(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_rank_is_not_a_victim_of_rounding():
    for n in range(1, 300):
        for level in (55, 70, 90, 95, 99):
            exact = -(-(n + 1) * level // 100)
            assert intervals._rank(n, level) == exact
            assert (exact <= n) == (n >= math.ceil(round(level / (100 - level), 8)))
