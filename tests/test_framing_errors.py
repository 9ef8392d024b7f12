"""Bad input: one clear error before training, which says what came, where, and what to do."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsforecast import Framing, datasets, fill_gaps, tables

HOURS = pd.date_range("2024-01-01", periods=12, freq="h")


def hourly(**columns):
    columns = columns or {"load": np.arange(12.0), "heat": np.arange(12.0)}
    return pd.DataFrame(columns, index=HOURS)


def message(call, *arguments, **named):
    with pytest.raises(ValueError) as caught:
        call(*arguments, **named)
    return str(caught.value)


def says(text, *fragments):
    for fragment in fragments:
        assert str(fragment) in text, f"{fragment!r} is not in {text!r}"


# --- the framing itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 2.5, 3.0, "3", None, True, np.nan])
@pytest.mark.parametrize("name", ["lookback", "horizon", "stride"])
def test_counts_are_whole_numbers_from_1_on(name, value):
    text = message(Framing, **({"lookback": 3} | {name: value}))
    says(text, name, "whole number, 1 or more", f"got {value!r}")


@pytest.mark.parametrize("value", [-1, 0.5, None])
def test_lead_is_a_whole_number_from_0_on(value):
    says(message(Framing, 3, lead=value), "lead", "whole number, 0 or more", f"got {value!r}")


@pytest.mark.parametrize("role", ["past_covariates", "future_covariates", "static_covariates"])
def test_a_target_that_is_also_a_covariate(role):
    text = message(Framing, 3, targets=["load", "heat"], **{role: ["heat"]})
    says(text, "'heat'", "in targets and in", role, "one role", "Take it out of one of the two")


def test_a_column_named_twice_in_one_role():
    text = message(Framing, 3, targets="load", past_covariates=["heat", "heat"])
    says(text, "'heat'", "twice in past_covariates", "Name it once")


def test_lead_0_with_the_targets_history():
    says(
        message(Framing, 3, lead=0, targets="c", past_covariates="a"),
        "lead=0 with use_target_history=True",
        "the answer among the inputs",
        "use_target_history=False, or lead=1",
    )


def test_nothing_left_as_input():
    text = message(Framing, 3, use_target_history=False)
    says(text, "leaves no input", "past_covariates or future_covariates")


def test_no_targets():
    empty = pd.DataFrame(index=HOURS)
    for framing, table in (
        (Framing(3), empty),
        (Framing(3, targets=[]), hourly()),
        (Framing(3, past_covariates=["load", "heat"]), hourly()),
    ):
        text = message(framing.windows, table)
        says(text, "no column to forecast", f"columns are {list(table.columns)}", "targets=")


# --- the table: its size and its columns ----------------------------------------------------------


def test_a_table_too_short():
    text = message(Framing(8, lead=2, horizon=4).windows, hourly())
    says(text, "12 rows", "needs 13 rows", "lookback 8 + lead 2 + horizon 4 - 1", "shorten")
    assert len(Framing(8, lead=2, horizon=3).windows(hourly())) == 1  # what it says is enough
    says(message(Framing(3).windows, np.array([])), "The table has 0 rows. One window needs 4 rows")


def test_a_table_too_short_because_of_its_gaps():
    text = message(Framing(4, horizon=2).windows, hourly().drop(HOURS[[3, 8]]))
    says(text, "10 rows with 2 gaps", "without a gap has 4 rows", "needs 6 rows")


def test_last_window_of_a_table_too_short():
    says(message(Framing(13).last_window, hourly()), "12 rows", "last 13", "lookback=13")


def test_a_missing_column():
    text = message(Framing(3, targets="load", past_covariates="heatt").windows, hourly())
    says(text, "'heatt'", "not in the table", "'load', 'heat'", "Did you mean 'heat'?")
    says(message(Framing(3, targets=2).windows, np.zeros((9, 2))), "column 2", "are: 0, 1")
    says(message(Framing(3, targets="load").windows, np.zeros((9, 2))), "column 'load'", "are: 0")


def test_a_repeated_column():
    table = hourly()
    table.columns = ["load", "load"]
    text = message(Framing(3).windows, table)
    says(text, "more than one column named 'load'", "Rename or drop one")


@pytest.mark.parametrize("rows", [np.zeros((2, 3, 4)), np.zeros((1, 9, 1, 1))])
def test_an_array_that_is_no_table(rows):
    text = message(Framing(3).windows, rows)
    says(text, "shape (rows, columns)", f"shape {np.shape(rows)}", "series")


# --- its values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"), [(np.nan, "missing"), (np.inf, "infinite"), (-np.inf, "infinite")]
)
@pytest.mark.parametrize("other", [np.arange(12.0), np.arange(12)])
def test_missing_and_infinite_values(value, kind, other):
    table = hourly(load=np.arange(12.0), heat=other)
    table.loc[HOURS[[5, 7]], "load"] = value
    text = message(Framing(3).windows, table)
    says(text, "'load'", f"2 {kind} values", HOURS[5], "row 5")
    says(text, "tsf.fill_gaps(table", "missing='skip'", "missing='mask'")
    assert ("table.replace([np.inf, -np.inf], np.nan)" in text) == (kind == "infinite")


def test_what_a_mask_hides_is_missing():
    table = np.ma.masked_array(np.arange(9), mask=np.arange(9) == 4)
    with pytest.raises(ValueError, match=r"1 missing value .*row 4"):
        Framing(3).windows(table)


def test_what_the_message_on_missing_values_advises_works():
    table = hourly()
    table.loc[HOURS[5], "load"] = np.nan
    assert len(Framing(3).windows(fill_gaps(table, mark=False))) == 9
    assert len(Framing(3, missing="skip").windows(table)) == (5 - 3) + (6 - 3)
    assert len(Framing(3, missing="mask").windows(table)) == 11 - 1
    assert len(Framing(3, targets="heat").windows(table)) == 9  # load has no role


def test_missing_values_in_the_last_rows():
    table = hourly()
    table.iloc[0, 0] = np.nan
    assert Framing(3).last_window(table).shape == (1, 3, 2)
    table.iloc[-2, 1] = np.nan
    says(message(Framing(3).last_window, table), "'heat'", "1 missing", HOURS[10], "row 10")


def test_text():
    table = hourly(load=np.arange(12.0), day=["Monday"] * 12)
    text = message(Framing(3).windows, table)
    says(text, "'day'", "holds text", "'Monday'", "get_dummies", "targets=[...]")
    assert len(Framing(3, targets="load").windows(table)) == 9
    text = message(Framing(3).windows, np.array(["1", "2", "3"]))
    says(text, "Expected numbers", "turn text into numbers")
    categories = hourly(load=pd.Categorical(["a"] * 12))
    says(message(Framing(3).windows, categories), "'load'", "'a'", "get_dummies")


def test_dates_in_a_column():
    table = hourly(load=np.arange(12.0), when=HOURS).reset_index(drop=True)
    text = message(Framing(3).windows, table)
    says(text, "'when'", "holds dates", "set_index('when')")
    assert len(Framing(3).windows(table.set_index("when"))) == 9


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(9, dtype=complex),
        np.zeros(9, dtype="timedelta64[s]"),
        np.zeros(9, dtype="datetime64[s]"),
        np.array([1, None, 3]),
        np.array([b"1"] * 9),
    ],
    ids=lambda values: str(values.dtype),
)
def test_arrays_that_hold_no_numbers(values):
    says(message(Framing(3).windows, values), "Expected numbers", str(values.dtype))
    if values.dtype.kind in "cmM":
        says(message(Framing(3).windows, pd.DataFrame({"a": values})), "'a'", "holds")


def test_a_static_covariate_that_changes():
    table = hourly(load=np.arange(12.0), site=[1.0] * 8 + [2.0] * 4)
    text = message(Framing(3, targets="load", static_covariates="site").windows, table)
    says(text, "'site' changes", "from 1.0 to 2.0", "row 8", "past_covariates or")


# --- its times ------------------------------------------------------------------------------------


def test_repeated_times():
    table = pd.concat([hourly(), hourly().iloc[[4]]]).sort_index()
    text = message(Framing(3).windows, table)
    says(text, HOURS[4], "more than once", "row 5", "table[~table.index.duplicated()]")
    assert len(Framing(3).windows(table[~table.index.duplicated()])) == 9


@pytest.mark.parametrize("index", [HOURS, pd.RangeIndex(12), pd.Index(range(12))])
def test_times_out_of_order(index):
    table = hourly().set_index(index)
    text = message(Framing(3).windows, table.iloc[::-1])
    says(text, "not in order", f"row 1 ({index[10]})", f"({index[11]})", "table.sort_index()")
    says(message(Framing(3).last_window, table.iloc[::-1]), "not in order")
    swapped = table.iloc[[0, 1, 3, 2, *range(4, 12)]]
    says(message(Framing(3).windows, swapped), "row 3", index[2], "earlier than")
    assert len(Framing(3).windows(swapped.sort_index())) == 9


def test_uneven_times():
    late = HOURS[5] + pd.Timedelta("25min")
    table = hourly().set_index(HOURS[:5].append(pd.DatetimeIndex([late])).append(HOURS[6:]))
    text = message(Framing(3).windows, table)
    says(text, "not evenly spaced", "most rows are 0 days 01:00:00 apart")
    says(text, HOURS[4], late, "rows 4 and 5", "0 days 01:25:00 apart", "resample")
    says(message(Framing(3).last_window, table), "not evenly spaced")
    numbers = hourly().set_index(pd.Index([0, 2, 4, 7, *range(9, 17)]))
    says(message(Framing(3).windows, numbers.iloc[:4]), "most rows are 2 apart", "4 and 7", "3 apa")


def test_a_time_that_is_missing():
    table = hourly().set_index(HOURS.where(np.arange(12) != 6))
    says(message(Framing(3).windows, table), "time in row 6 is missing", "Drop the row")


def test_an_index_that_holds_no_times():
    text = message(Framing(3).windows, hourly().set_index(HOURS.astype(str)))
    says(text, "'2024-01-01 00:00:00'", "not times", "pd.to_datetime(table.index)", "reset_index")
    says(message(Framing(3).windows, hourly().set_index(pd.Index(np.arange(12) / 2))), "float64")


def test_rows_that_are_apart_in_another_way_from_some_row_on():
    days = pd.date_range(HOURS[-1], periods=30, freq="D")[1:]
    table = pd.DataFrame({"load": np.arange(41.0)}, index=HOURS.append(days))
    says(message(Framing(3).windows, table), "two spacings", HOURS[-1], "1 days", "resample")


def test_several_series_in_one_table():
    panel = pd.concat({"north": hourly(), "south": hourly()}, names=["unique_id", "ds"])
    text = message(Framing(3).windows, panel)
    says(text, "2 levels", "['unique_id', 'ds']", "table.loc['its name']")
    assert len(Framing(3).windows(panel.loc["north"])) == 9
    says(message(Framing(3).windows, panel.droplevel(0)), "more than once", "choose one series")


def test_rows_missing_before_a_forecast():
    text = message(Framing(3).last_window, hourly().drop(HOURS[10]))
    says(text, "missing between", HOURS[9], HOURS[11], "last 3 rows", "Fill them")
    text = message(Framing(5).last_window, hourly().drop(HOURS[8]))
    says(text, f"missing between {HOURS[7]} and", HOURS[9], "last 5 rows")
    later = hourly(y=np.arange(12.0)).drop(HOURS[8]).reset_index(names="ds")
    whole = hourly(y=np.arange(12.0)).reset_index(names="ds")
    panel = pd.concat([whole.assign(unique_id="a"), later.assign(unique_id="b")])
    text = message(Framing(5).last_window, panel)
    says(text, f"missing between {HOURS[7]} and", HOURS[9], "last 5 rows")


def test_too_few_known_steps_before_a_forecast():
    table = hourly(y=np.arange(12.0))
    table.iloc[[8, 9, 11]] = np.nan
    framing = Framing(4, missing="mask", min_history=3)
    text = message(framing.last_window, table)
    assert text.startswith("The table has 1 known steps among its last 4, and a forecast needs 3 (")
    panel = table.reset_index(names="ds").assign(unique_id="a")
    says(message(framing.last_window, panel), "Series 'a' has 1 known steps")


def test_windows_that_do_not_fit_into_memory(monkeypatch):
    monkeypatch.setattr(tables, "free_memory", lambda: 1e6)
    monkeypatch.setattr(tables, "SMALL", 0)
    rows = pd.DataFrame(
        {"y": np.arange(200_000.0)}, pd.date_range("2024", periods=200_000, freq="s")
    )
    windows = Framing(50, horizon=2, targets="y").windows(rows.drop(rows.index[[500, 9000]]))
    with pytest.raises(MemoryError) as caught:
        windows.X  # noqa: B018
    size = 8 * 50 * len(windows) / 1e9
    says(str(caught.value), "windows of 50 x 1 numbers, copied", f"{size:.1f}", "windows.batches()")


def test_a_batch_that_does_not_fit_into_memory(monkeypatch):
    monkeypatch.setattr(tables, "free_memory", lambda: 1e9)
    rows = np.zeros((5000, 3))
    windows = Framing(1000, horizon=30, targets=[0, 1], past_covariates=2).windows(rows)
    with pytest.raises(MemoryError) as caught:
        windows.batch(np.zeros(400_000, int))
    assert str(caught.value) == (
        "A batch of 400,000 windows: 4.9 GB of memory would be needed, and 1.0 GB are free. "
        "Give a smaller batch_size, or cut fewer windows: Framing(stride=...)."
    )


# --- splitting and batching -----------------------------------------------------------------------


def test_a_split_that_leaves_a_part_empty():
    windows = Framing(3, horizon=4).windows(hourly())
    text = message(windows.split, HOURS[10])
    says(text, "Part 2 of 2 has no window", "row 10 to row 11", HOURS[0], HOURS[11], HOURS[10])
    assert f"from {HOURS[0]} to {HOURS[11]}; the borders are" in text
    says(message(windows.split, HOURS[9], HOURS[6]), "not in order", "earliest first")


def test_a_split_after_the_last_row():
    after = HOURS[-1] + pd.Timedelta("1h")
    text = message(Framing(3).windows(hourly()).split, HOURS[6], after)
    says(text, repr(after), "after the last row", f"from {HOURS[0]} to {HOURS[11]}. Choose")


def test_a_split_of_a_panel_that_leaves_a_part_empty():
    panel = pd.DataFrame({"unique_id": ["a"] * 12, "ds": HOURS, "y": np.arange(12.0)})
    windows = Framing(3, horizon=4).windows(panel)
    text = message(windows.split, HOURS[10])
    says(text, "Part 2 of 2 has no window", f"from {HOURS[10]} to {HOURS[11]}.")
    text = message(windows.split, HOURS[5])
    says(text, "Part 1 of 2 has no window", f"from {HOURS[0]} to {HOURS[5]}.")


def test_a_series_that_is_too_short_for_a_forecast():
    ids, hours = ["a"] * 5 + ["b"] * 4 + ["c"] * 2, [*HOURS[:5], *HOURS[:4], *HOURS[:2]]
    panel = pd.DataFrame({"unique_id": ids, "ds": hours, "y": np.arange(11.0)})
    says(
        message(Framing(3).last_window, panel),
        "Series 'c' has 2 rows",
        "needs the last 3 (lookback=3)",
        "1 of 3 series are too short",
    )
    assert Framing(4).last_window(panel[:9])[:, :, 0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    text = message(Framing(6).last_window, panel)
    says(text, "Series 'a' has 5 rows", "3 of 3 series are too short")
    assert Framing(5).last_window(panel[:5])[:, :, 0].tolist() == [[0, 1, 2, 3, 4]]
    says(message(Framing(5).last_window, panel[:9]), "Series 'b' has 4 rows", "1 of 2 series")


@pytest.mark.parametrize("border", ["yesterday-ish", 2.5, None, pd.Timestamp("2024", tz="UTC")])
def test_a_border_that_is_no_time_of_the_table(border):
    text = message(Framing(3).windows(hourly()).split, border)
    says(text, repr(border), "not a time", HOURS[0], HOURS[11])


def test_a_border_of_the_wrong_kind_in_a_numbered_table():
    says(message(Framing(3).windows(datasets.toy()).split, "2024"), "'2024'", "not a time", 0, 8)


@pytest.mark.parametrize("size", [0, -3, 1.5])
def test_batch_size(size):
    windows = Framing(3).windows(hourly())
    text = message(lambda: next(windows.batches(size)))
    says(text, "batch_size", "1 or more", f"got {size!r}")


# --- the future covariates of a forecast ----------------------------------------------------------

WEATHER = Framing(3, horizon=2, targets="load", future_covariates="heat")
AHEAD = pd.date_range(HOURS[-1], periods=3, freq="h")[1:]


def test_future_covariates_that_are_not_given():
    text = message(WEATHER.last_window, hourly())
    says(text, "['heat']", "future=", "2 target times", AHEAD[0], AHEAD[1])


def test_future_covariates_for_other_times():
    future = pd.DataFrame({"heat": [1.0]}, index=AHEAD[:1])
    says(message(WEATHER.last_window, hourly(), future), "no row for", AHEAD[1], "1 ")
    zoned = pd.DataFrame({"heat": [1.0, 2.0]}, index=AHEAD.tz_localize("UTC"))
    says(message(WEATHER.last_window, hourly(), zoned), "no row for", AHEAD[0])


def test_future_covariates_without_their_column_or_value():
    future = pd.DataFrame({"hot": [1.0, 2.0]}, index=AHEAD)
    says(message(WEATHER.last_window, hourly(), future), "'heat'", "no column", "'hot'")
    future = pd.DataFrame({"heat": [1.0, np.nan]}, index=AHEAD)
    says(message(WEATHER.last_window, hourly(), future), "'heat'", "missing", AHEAD[1])


def test_future_covariates_given_twice_or_as_an_array():
    future = pd.DataFrame({"heat": [1.0, 2.0, 3.0]}, index=AHEAD[[0, 1, 1]])
    says(message(WEATHER.last_window, hourly(), future), AHEAD[1], "more than once")
    text = message(WEATHER.last_window, hourly(), np.zeros((2, 1)))
    says(text, "future=", "DataFrame", "ndarray")


def test_an_array_for_a_framing_whose_columns_have_names():
    text = message(Framing(3, targets="load").last_window, np.zeros((9, 2)))
    says(text, "column 'load'", "columns are: 0, 1")


def test_an_array_with_too_few_columns_for_the_forecast():
    framing = Framing(3).named([0, 1, 2])
    says(message(framing.last_window, np.zeros((9, 2))), "reads 3 columns", "has 2")


# --- whatever comes, the error is a ValueError, and before training -------------------------------

CELLS = st.one_of(
    st.floats(width=32),
    st.integers(-5, 5),
    st.text(max_size=2),
    st.none(),
    st.booleans(),
    st.just(pd.Timestamp("2024")),
    st.just(pd.NaT),
)
INDEXES = st.sampled_from(
    [
        lambda n: pd.RangeIndex(n),
        lambda n: pd.RangeIndex(n, 0, -1) if n else pd.RangeIndex(0),
        lambda n: pd.Index([3, 1, 4, 1, 5, 9, 2, 6, 5, 3][:n]),
        lambda n: pd.Index(list("abcdefghij")[:n]),
        lambda n: pd.Index([None] * n, dtype=object),
        lambda n: pd.Index([True, False] * n)[:n],
        lambda n: pd.DatetimeIndex([pd.NaT] * n),
        lambda n: HOURS[:n][::-1],
        lambda n: HOURS[[0, 1, 2, 3, 5, 5, 6, 7, 8, 9][:n]],
        lambda n: pd.timedelta_range("0h", periods=n, freq="h"),
        lambda n: pd.period_range("2024", periods=n, freq="M"),
        lambda n: pd.interval_range(0, n),
        lambda n: pd.MultiIndex.from_product([range(n), [0]]),
        lambda n: pd.Index(np.arange(n) * 1.5),
        lambda n: pd.CategoricalIndex(range(n)),
    ]
)
COLUMNS = st.lists(st.sampled_from(["a", "b", 0, 1, None, 2.5, ("a", "b")]), min_size=0, max_size=3)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.data())
@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_a_bad_table_gives_windows_or_a_value_error(data):
    names = data.draw(COLUMNS)
    n = data.draw(st.integers(0, 10))
    good = data.draw(st.booleans())  # a column of numbers, so that other faults show
    columns = [
        np.arange(n) if good else data.draw(st.lists(CELLS, min_size=n, max_size=n)) for _ in names
    ]
    table = pd.DataFrame(dict(enumerate(columns)))
    table.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    table.index = data.draw(INDEXES)(n) if names else pd.RangeIndex(0)
    framing = Framing(
        data.draw(st.integers(1, 3)),
        horizon=data.draw(st.integers(1, 2)),
        targets=data.draw(st.sampled_from([None, "a", ["a", 1], 2.5, "zz"])),
    )
    for call in (framing.windows, framing.last_window, framing.target_times):
        try:
            call(table)
        except ValueError as error:
            text = str(error)
            assert re.match(r"[A-Z].*[.?]$", text, re.S), text  # a sentence, not a library's words
            assert "Traceback" not in text


def test_dates_left_in_a_column() -> None:
    table = pd.DataFrame({"date": ["2024-01-01", "2024-01-02", "2024-01-04"], "sales": 1.0})
    with pytest.raises(ValueError, match=r"'date' holds dates.*gaps.*to_datetime"):
        Framing(2, targets="sales").windows(table)
    with pytest.raises(ValueError, match=r"'date' holds dates"):
        Framing(2, targets="sales").windows(table.assign(date=pd.to_datetime(table["date"])))
    code = table.assign(date=["A1", "A2", "A3"])  # text that is no date
    assert len(Framing(2, targets="sales").windows(code)) == 1


def test_future_says_which_column_or_time_is_missing() -> None:
    times = pd.date_range("2024-01-01", periods=5, freq="D")
    table = pd.DataFrame({"sales": np.arange(5.0), "promo": 0.0}, index=times)
    framing = Framing(2, targets="sales", future_covariates="promo")
    with pytest.raises(ValueError, match=r"future= has no column 'promo'.*'Promo'"):
        framing.last_window(table, pd.DataFrame({"Promo": [1.0]}, index=times[-1:] + times.freq))
    with pytest.raises(
        ValueError, match=r"future= has no row for 2024-01-06.*begins with \[0\].*target_times"
    ):
        framing.last_window(table, pd.DataFrame({"promo": [1.0]}))


def test_an_hour_that_occurs_twice_when_the_clocks_go_back():
    index = pd.date_range("2024-10-27", periods=9, freq="h", tz="Europe/Berlin")
    table = pd.DataFrame({"load": np.arange(9.0)}, index=index.tz_localize(None))
    text = message(Framing(3).windows, table)
    says(
        text, "2024-10-27 02:00:00 appears more than once", "clocks went back", "ambiguous='infer'"
    )
    table.index = table.index.tz_localize("Europe/Berlin", ambiguous="infer")  # as it says
    assert len(Framing(3).windows(table)) == 6


@pytest.mark.parametrize("value", ["189,5", "-1,25", "1.189,50"])
def test_numbers_with_a_decimal_comma(value):
    text = message(Framing(3).windows, hourly(load=[value] * 12))
    says(text, "'load' holds text", repr(value), "decimal=','", "thousands='.'")
