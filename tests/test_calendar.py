"""Calendar features: where in the day, the week and the year a time is."""

import numpy as np
import pandas as pd
import pytest

from tsforecast.calendar import calendar_features, calendar_names


def cycles(names):
    return sorted({name.split("_")[0] for name in names})


@pytest.mark.parametrize(
    ("freq", "rows", "expected"),
    [
        ("30min", 48 * 800, ["day", "week", "weekend", "year"]),
        ("30min", 48 * 20, ["day", "week", "weekend"]),
        ("h", 47, []),
        ("h", 48, ["day"]),
        ("D", 20, ["week", "weekend"]),
        ("D", 731, ["week", "weekend", "year"]),
        ("7D", 200, ["year"]),
        ("MS", 24, ["year"]),
        ("YS", 30, []),
    ],
)
def test_the_cycles_that_the_times_can_teach(freq, rows, expected):
    names = calendar_names(pd.date_range("2020-01-01", periods=rows, freq=freq))
    assert cycles(names) == expected


def test_no_wave_is_faster_than_the_steps():
    assert calendar_names(pd.date_range("2020-01-01", periods=60, freq="8h"))[:2] == [
        "day_sin_1",
        "day_cos_1",
    ]
    assert "day_sin_2" not in calendar_names(pd.date_range("2020-01-01", periods=60, freq="8h"))


@pytest.mark.parametrize("cycle", ["day", "week"])
def test_a_cycle_comes_back_and_tells_all_its_times_apart(cycle):
    times = pd.date_range("2024-03-04", periods=3 * 7 * 24, freq="h")
    table = calendar_features(times, [f"{cycle}_sin_1", f"{cycle}_cos_1"]).to_numpy()
    steps = {"day": 24, "week": 168}[cycle]
    np.testing.assert_allclose(table[steps : 2 * steps], table[:steps], atol=1e-9)
    assert len(np.unique(table[:steps].round(9), axis=0)) == steps
    np.testing.assert_allclose((table**2).sum(axis=1), 1)


def test_the_clock_is_the_local_one():
    utc = pd.date_range("2024-01-01", periods=4, freq="h", tz="UTC")
    local = utc.tz_convert("Australia/Melbourne")
    hours = np.asarray(local.hour)
    table = calendar_features(local, ["day_cos_1"])
    np.testing.assert_allclose(table["day_cos_1"], np.cos(2 * np.pi * hours / 24))


def test_periods_are_dates_too():
    periods = pd.period_range("2020-01", periods=30, freq="M")
    table = calendar_features(periods)
    expected = calendar_features(periods.to_timestamp())
    np.testing.assert_array_equal(table, expected)
    assert table.index.equals(periods)


def test_what_is_ahead_does_not_change_what_is_behind():
    times = pd.date_range("2020-01-01", periods=900, freq="D")
    names = calendar_names(times[:800])
    pd.testing.assert_frame_equal(
        calendar_features(times, names).iloc[:800].reset_index(drop=True),
        calendar_features(times[:800], names).reset_index(drop=True),
    )


@pytest.mark.parametrize(
    ("index", "names", "words"),
    [
        (pd.RangeIndex(9), None, r"needs dates, and the times are int64 .*calendar=False"),
        (pd.date_range("2024", periods=1), None, "two rows or more"),
        (pd.date_range("2024", periods=9), ["moon"], "no calendar feature 'moon'"),
        (pd.date_range("2024", periods=9), ["day_tan_1"], "no calendar feature 'day_tan_1'"),
    ],
)
def test_bad_input(index, names, words):
    with pytest.raises(ValueError, match=words):
        calendar_features(index, names)
