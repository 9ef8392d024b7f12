"""Windows against a plain loop, on the tutorial's framings and on random tables and framings."""

import io
import itertools
import mmap
import pickle
import tracemalloc
from contextlib import redirect_stdout

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsforecast import Framing, datasets
from tsforecast.framing import RandomOrder

# --- the oracle: nothing but loops and indices ----------------------------------------------------


def stretches_of(positions):
    """Row numbers in runs without a gap; `positions` counts time steps since the first row."""
    runs, run = [], [0]
    for row in range(1, len(positions)):
        if positions[row] - positions[row - 1] > 1:
            runs.append(run)
            run = []
        run.append(row)
    return [*runs, run]


def loop(rows, positions, framing):
    """Windows as a reader would cut them: append in a loop. `rows` is a list of dicts."""
    windows = []
    for run in stretches_of(positions):
        first = 0
        while True:
            into = run[first : first + framing.lookback]
            begin = first + framing.lookback - 1 + framing.lead  # lead steps after the last input
            out = run[begin : begin + framing.horizon]
            if len(into) < framing.lookback or len(out) < framing.horizon:
                break
            history = list(framing.targets) if framing.use_target_history else []
            names = history + list(framing.past_covariates) + list(framing.future_covariates)
            windows.append(
                {
                    "in": into,
                    "out": out,
                    "X": [[rows[i][name] for name in names] for i in into],
                    "y": [[rows[i][name] for name in framing.targets] for i in out],
                    "future": [[rows[i][name] for name in framing.future_covariates] for i in out],
                    "static": [rows[into[0]][name] for name in framing.static_covariates],
                }
            )
            first += framing.stride
    return windows


def array_of(windows, part):
    return np.array([window[part] for window in windows])


# --- the tutorial's framings (every row of the table of its shapes) -------------------------------

A, B, C = (datasets.toy("multivariate")[name].to_list() for name in "abc")
PAIRS, TRIPLES = list(zip(A, B, strict=True)), list(zip(A, B, C, strict=True))
SUM = {"targets": "c", "past_covariates": ["a", "b"], "use_target_history": False}
TUTORIAL = {
    "univariate": ("univariate", {"lookback": 3}, (6, 3, 1), (6, 1, 1), A[:3], [40]),
    "window of 4": ("univariate", {"lookback": 4}, (5, 4, 1), (5, 1, 1), A[:4], [50]),
    "multiple input, lead 0": (
        *("multivariate", {"lookback": 3, "lead": 0, **SUM}),
        *((7, 3, 2), (7, 1, 1), PAIRS[:3], [65]),
    ),
    "multiple input, lead 1": (
        *("multivariate", {"lookback": 3, **SUM}),
        *((6, 3, 2), (6, 1, 1), PAIRS[:3], [85]),
    ),
    "parallel": ("multivariate", {"lookback": 3}, (6, 3, 3), (6, 1, 3), TRIPLES[:3], [40, 45, 85]),
    "multi-step": (
        *("univariate", {"lookback": 3, "horizon": 2}),
        *((5, 3, 1), (5, 2, 1), A[:3], [40, 50]),
    ),
    "multiple input multi-step, lead 0": (
        *("multivariate", {"lookback": 3, "horizon": 2, "lead": 0, **SUM}),
        *((6, 3, 2), (6, 2, 1), PAIRS[:3], [65, 85]),
    ),
    "multiple input multi-step, lead 1": (
        *("multivariate", {"lookback": 3, "horizon": 2, **SUM}),
        *((5, 3, 2), (5, 2, 1), PAIRS[:3], [85, 105]),
    ),
    "parallel multi-step": (
        *("multivariate", {"lookback": 3, "horizon": 2}),
        *((5, 3, 3), (5, 2, 3), TRIPLES[:3], [*TRIPLES[3], *TRIPLES[4]]),
    ),
}


@pytest.mark.parametrize("case", TUTORIAL.values(), ids=TUTORIAL)
def test_the_tutorials_framings(case):
    name, arguments, x_shape, y_shape, first_x, first_y = case
    windows = Framing(**arguments).windows(datasets.toy(name))
    assert windows.X.shape == x_shape
    assert windows.y.shape == y_shape
    assert len(windows) == x_shape[0]
    np.testing.assert_array_equal(windows.X[0].ravel(), np.ravel(first_x))
    np.testing.assert_array_equal(windows.y[0].ravel(), first_y)


INPUTS_BEYOND = {  # table, framing, what the forecast beyond the data reads, its times
    "univariate": (A, {"lookback": 3}, [70, 80, 90], [9]),
    "window of 4": (A, {"lookback": 4}, [60, 70, 80, 90], [9]),
    "parallel": (TRIPLES, {"lookback": 3}, TRIPLES[6:], [9]),
    "multi-step": (A, {"lookback": 3, "horizon": 2}, [70, 80, 90], [9, 10]),
    "lead 1": (PAIRS, {"lookback": 3, "lead": 1}, PAIRS[6:], [9]),
    "lead 3": (A, {"lookback": 3, "lead": 3, "horizon": 2}, [70, 80, 90], [11, 12]),
}


@pytest.mark.parametrize("case", INPUTS_BEYOND.values(), ids=INPUTS_BEYOND)
def test_last_window_of_the_tutorials_framings(case):
    table, arguments, expected, times = case
    framing = Framing(**arguments)
    X = framing.last_window(np.array(table))
    assert X.dtype == np.float32
    assert X.shape == (1, framing.lookback, np.atleast_2d(np.transpose(table)).shape[0])
    np.testing.assert_array_equal(X.ravel(), np.ravel(expected))
    assert framing.target_times(np.array(table)).tolist() == times


def test_lead_0_forecasts_the_step_of_its_last_inputs_without_the_target():
    framing = Framing(3, lead=0, **SUM)
    inputs = pd.DataFrame({"a": [80, 90, 100], "b": [85, 95, 105]}, index=[7, 8, 9])
    X = framing.last_window(inputs)  # the column c is not known yet, and not there
    np.testing.assert_array_equal(X[0], [[80, 85], [90, 95], [100, 105]])
    assert framing.target_times(inputs).tolist() == [9]
    empty = inputs.assign(c=np.nan)
    np.testing.assert_array_equal(framing.last_window(empty), X)


# --- random tables and framings -------------------------------------------------------------------

NAMES = ["load", "sun", 3, "wind", "day", ("a", 1)]


@st.composite
def framings(draw, names):
    """Any valid framing of these columns; a column may have no role."""
    order = draw(st.permutations(names))
    n_targets = draw(st.integers(1, len(order)))
    targets, rest = order[:n_targets], order[n_targets:]
    roles = {"past_covariates": [], "future_covariates": [], "static_covariates": []}
    for name in rest:
        role = draw(st.sampled_from([*roles, "none"]))
        roles.get(role, []).append(name)
    covariates = bool(roles["past_covariates"] or roles["future_covariates"])
    history = not covariates or draw(st.booleans())
    used = sum(map(len, roles.values())) + len(targets)
    named = used < len(order) or draw(st.booleans())
    framing = Framing(
        draw(st.integers(1, 6)),
        horizon=draw(st.integers(1, 4)),
        lead=draw(st.integers(1 if history else 0, 3)),
        targets=targets if named else None,
        use_target_history=history,
        stride=draw(st.integers(1, 3)),
        **roles,
    )
    return framing


@st.composite
def tables(draw):
    """A table with its kind of index and of numbers, and its time steps; with gaps or without."""
    kind = draw(st.sampled_from(["array", "range", "integers", "dates", "zone", "periods"]))
    columns = 1 + draw(st.integers(0, 4))
    n = draw(st.integers(1, 40))
    kept = list(range(n))
    if kind in ("integers", "dates", "zone", "periods"):
        gaps = draw(st.lists(st.integers(0, n - 1), max_size=3))
        kept = [row for row in kept if row not in gaps] or [0]
    names = list(range(columns)) if kind == "array" else draw(st.permutations(NAMES))[:columns]
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = rng.permutation(n * columns).reshape(n, columns)[kept]  # no number appears twice
    numbers = draw(st.sampled_from([np.float64, np.float32, np.int64, "mixed"]))
    if kind == "array":
        table = np.asarray(values, dtype=np.float64 if numbers == "mixed" else numbers)
        return (table[:, 0] if columns == 1 and draw(st.booleans()) else table), names, kept
    if numbers == "mixed":
        table = pd.DataFrame({i: values[:, i] for i in range(columns)})
        table[0] = table[0].astype(np.float32)
    else:
        table = pd.DataFrame(values.astype(numbers))
    table.columns = pd.Index(names, tupleize_cols=False)
    table.index = {
        "range": lambda: pd.RangeIndex(5, 5 + 2 * n, 2),
        "integers": lambda: pd.Index([3 * step - 7 for step in range(n)]),
        "dates": lambda: pd.date_range("2020-02-28 23:00", periods=n, freq="7min"),
        "zone": lambda: pd.date_range(
            "2020-03-29 00:30", periods=n, freq="7min", tz="Europe/Berlin"
        ),
        "periods": lambda: pd.period_range("2020-02-28 23:00", periods=n, freq="7min"),
    }[kind]()[kept]
    return table, names, kept


@st.composite
def problems(draw):
    table, names, kept = draw(tables())
    framing = draw(framings(names))
    if framing.static_covariates:
        table = table.copy()
        for number, name in enumerate(framing.static_covariates):
            if isinstance(table, np.ndarray):
                table[:, name] = number
            else:
                table[name] = table[name].to_numpy() * 0 + number
    return table, framing, names, kept


def as_rows(table, names):
    values = table if isinstance(table, np.ndarray) else [table[name] for name in names]
    columns = np.array(values) if values is not table else np.atleast_2d(table.T)
    return [dict(zip(names, map(float, row), strict=True)) for row in columns.T]


def steps_between(kept):
    """Time steps since the first row in units of the smallest; None if they are not whole."""
    if len(kept) < 2:
        return [0]
    unit = min(b - a for a, b in itertools.pairwise(kept))
    steps = [row - kept[0] for row in kept]
    return None if any(step % unit for step in steps) else [step // unit for step in steps]


QUICK = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@QUICK
@given(problems())
def test_windows_are_those_of_a_plain_loop(problem):
    table, framing, names, kept = problem
    positions = steps_between(kept)
    named = framing.named(names)
    expected = [] if positions is None else loop(as_rows(table, names), positions, named)
    if not expected:
        with pytest.raises(ValueError, match=r"evenly spaced|One window needs"):
            framing.windows(table)
        return
    windows = framing.windows(table)
    assert windows.framing == named
    assert len(windows) == len(expected)
    for part in ("X", "y", "future", "static"):
        values = array_of(expected, part)
        assert getattr(windows, part).shape == values.shape
        np.testing.assert_array_equal(getattr(windows, part), values)

    index = pd.RangeIndex(len(table)) if isinstance(table, np.ndarray) else table.index
    assert list(windows.cutoffs) == [index[window["in"][-1]] for window in expected]
    np.testing.assert_array_equal(windows.target_rows, array_of(expected, "out"))
    for number in (0, len(expected) // 2, -1):
        assert list(windows.input_times(number)) == list(index[expected[number]["in"]])
        assert list(windows.target_times(number)) == list(index[expected[number]["out"]])
        X, y = windows[number]
        np.testing.assert_array_equal(X, expected[number]["X"])
        np.testing.assert_array_equal(y, expected[number]["y"])
    if positions[-1] == len(table) - 1 and framing.stride == 1:
        n, f = len(table), framing
        assert len(windows) == n - f.lookback - f.lead - f.horizon + 2


def parts_of(inputs, framing):
    """The arrays of a batch by name, whatever their number."""
    extra = framing.future_covariates or framing.static_covariates
    assert isinstance(inputs, dict) == bool(extra)
    return inputs if extra else {"X": inputs}


@QUICK
@given(problems(), st.integers(1, 7), st.booleans(), st.integers(0, 99))
def test_batches_hold_every_window_once(problem, batch_size, shuffle, seed):
    table, framing, names, kept = problem
    positions = steps_between(kept)
    expected = positions and loop(as_rows(table, names), positions, framing.named(names))
    if not expected:
        return
    windows = framing.windows(table)
    seen = []
    sizes = []
    for inputs, y in windows.batches(batch_size, shuffle=shuffle, seed=seed):
        inputs = parts_of(inputs, framing)
        for array in (*inputs.values(), y):
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert len(array) == len(y)
        sizes.append(len(y))
        for i in range(len(y)):
            seen.append([y[i].tolist(), *(inputs[name][i].tolist() for name in sorted(inputs))])
    parts = ["X"]
    parts += ["future"] if framing.future_covariates else []
    parts += ["static"] if framing.static_covariates else []
    wanted = [[window["y"], *(window[part] for part in parts)] for window in expected]
    assert (sorted(seen) if shuffle else seen) == (sorted(wanted) if shuffle else wanted)
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size
    inputs, y = windows.arrays()
    np.testing.assert_array_equal(y, array_of(expected, "y"))
    np.testing.assert_array_equal(parts_of(inputs, framing)["X"], array_of(expected, "X"))


@QUICK
@given(problems(), st.lists(st.integers(0, 39), min_size=1, max_size=2))
def test_split_parts_targets_and_loses_nothing_but_straddlers(problem, borders):
    table, framing, names, kept = problem
    positions = steps_between(kept)
    expected = positions and loop(as_rows(table, names), positions, framing.named(names))
    if not expected:
        return
    windows = framing.windows(table)
    borders = sorted(min(border, len(kept) - 1) for border in borders)
    edges = [0, *borders, len(kept)]
    wanted = [
        [w["out"] for w in expected if begin <= w["out"][0] and w["out"][-1] < end]
        for begin, end in itertools.pairwise(edges)
    ]
    times = [windows.index[border] for border in borders]
    if not all(wanted):
        with pytest.raises(ValueError, match="has no window"):
            windows.split(*times)
        return
    parts = windows.split(*times)
    assert [part.target_rows.tolist() for part in parts] == wanted
    for before, after in itertools.pairwise(parts):
        assert before.target_rows.max() < after.target_rows.min()
    lost = len(windows) - sum(map(len, parts))
    straddlers = [
        w for w in expected if any(w["out"][0] < border <= w["out"][-1] for border in borders)
    ]
    assert lost == len(straddlers)


@QUICK
@given(problems())
def test_describe_shows_the_rows_of_the_window(problem):
    table, framing, names, kept = problem
    positions = steps_between(kept)
    expected = positions and loop(as_rows(table, names), positions, framing.named(names))
    if not expected:
        return
    windows = framing.windows(table)
    number = len(expected) // 2
    with redirect_stdout(io.StringIO()) as printed:
        windows.describe(number)
    lines = printed.getvalue().splitlines()
    window = expected[number]
    assert lines[0].startswith(f"{len(expected)} windows: X {np.shape(array_of(expected, 'X'))}")
    rule = f"+ 2 = {len(expected)} windows"
    whole = positions[-1] == len(table) - 1 and framing.stride == 1
    assert any(rule in line for line in lines) or not whole
    assert f"window {number}" in lines[-framing.lookback - framing.horizon - 1]
    for line, rows, into in zip(
        lines[-framing.lookback - framing.horizon :],
        [*window["in"], *window["out"]],
        [True] * framing.lookback + [False] * framing.horizon,
        strict=True,
    ):
        assert line.startswith("in " if into else "out ")
        assert str(windows.index[rows]) in line
        values = window["X"][window["in"].index(rows)] if into else None
        if into:
            assert line.split()[-len(values) :] == [f"{value:g}" for value in values]
        else:
            shown = {f"{value:g}" for value in window["y"][window["out"].index(rows)]}
            assert shown <= set(line.split())


@QUICK
@given(problems())
def test_last_window_reads_the_last_rows(problem):
    table, framing, names, kept = problem
    positions = steps_between(kept)
    if positions is None or isinstance(table, np.ndarray) or framing.future_covariates:
        return
    tail = positions[-framing.lookback :]
    if len(positions) < framing.lookback:
        with pytest.raises(ValueError, match=f"needs the last {framing.lookback}"):
            framing.last_window(table)
        return
    if tail[-1] - tail[0] != framing.lookback - 1:
        with pytest.raises(ValueError, match="Rows are missing between"):
            framing.last_window(table)
        return
    inputs = framing.last_window(table)
    rows = as_rows(table, names)[-framing.lookback :]
    columns = framing.named(names).inputs
    X = parts_of(inputs, framing)["X"]
    np.testing.assert_array_equal(X, [[[row[name] for name in columns] for row in rows]])
    if framing.static_covariates:
        expected = [[rows[-1][name] for name in framing.static_covariates]]
        np.testing.assert_array_equal(inputs["static"], expected)
    if len(table) > 1:
        times = framing.target_times(table)
        step = table.index[1:] - table.index[:-1]
        least = min(step, key=lambda s: getattr(s, "n", s))
        assert times[0] == table.index[-1] + framing.lead * least
        assert len(times) == framing.horizon


def test_describe_leaves_out_the_middle_of_a_long_window(capsys):
    Framing(8, horizon=2).windows(np.arange(12.0)).describe()
    assert capsys.readouterr().out.splitlines() == [
        "3 windows: X (3, 8, 1), y (3, 2, 1)",
        "12 rows - lookback 8 - lead 1 - horizon 2 + 2 = 3 windows",
        "window 0     0",
        "in        0  0",
        "in        1  1",
        "in        2  2",
        "...",
        "in        6  6",
        "in        7  7",
        "out       8  8",
        "out       9  9",
    ]


def test_the_span_of_the_targets_is_that_of_the_first_and_the_last():
    assert Framing(3, horizon=2).windows(np.arange(12.0)).target_span == (3, 11)
    panel = pd.DataFrame({"unique_id": ["a"] * 5 + ["b"] * 6, "ds": [*range(5), *range(2, 8)]})
    assert Framing(3, horizon=2).windows(panel.assign(y=1.0)).target_span == (3, 7)
    panel["ds"] = [*range(3, 8), *range(6)]  # the series that comes last ends first
    assert Framing(3, horizon=2).windows(panel.assign(y=1.0)).target_span == (3, 7)


def test_shuffled_batches_come_in_an_order_of_their_own():
    windows = Framing(3).windows(np.arange(60.0))
    first, again, other = (
        np.concatenate([y.ravel() for _, y in windows.batches(8, shuffle=True, seed=seed)])
        for seed in (0, 0, 1)
    )
    assert first.tolist() == again.tolist()
    assert sorted(first) == sorted(other) == windows.y.ravel().tolist()
    assert first.tolist() != sorted(first)
    assert first.tolist() != other.tolist()


def test_windows_go_to_another_process_and_come_back():
    windows = Framing(3, horizon=2).windows(np.arange(12.0))[2:]
    again = pickle.loads(pickle.dumps(windows))
    assert (again.framing, again.starts) == (windows.framing, windows.starts)
    np.testing.assert_array_equal(again.X, windows.X)
    np.testing.assert_array_equal(again.y, windows.y)


def test_the_number_of_inputs_before_the_targets_have_names():
    assert Framing(3).n_inputs == Framing(3, targets="a").n_inputs == 1
    assert Framing(3, past_covariates=["b", "c"]).n_inputs == 3
    assert Framing(3, past_covariates="b", use_target_history=False).n_inputs == 1


@pytest.mark.parametrize("missing", ["refuse", "mask"])
def test_at_every_row_are_the_windows_at_stride_1(missing):
    table = pd.DataFrame({"y": np.arange(40.0)}, pd.date_range("2024", periods=40, freq="h"))
    if missing == "mask":
        table.iloc[[7, 20, 21, 22]] = np.nan
    table = table.drop(table.index[30])
    settings = {"horizon": 2, "missing": missing, "min_history": 2 if missing == "mask" else None}
    found = Framing(3, stride=4, **settings).windows(table).at_every_row()
    expected = Framing(3, **settings).windows(table)
    np.testing.assert_array_equal(found.X, expected.X)
    np.testing.assert_array_equal(found.y, expected.y)
    assert found.framing == expected.framing


def test_one_stretch_that_is_long_enough_needs_no_list_of_windows():
    table = pd.DataFrame({"y": np.arange(40.0)}, pd.date_range("2024", periods=40, freq="h"))
    windows = Framing(6, stride=2).windows(table.drop(table.index[[4, 37]]))
    assert windows.starts == range(4, 30, 2)


# --- gaps and calendars ---------------------------------------------------------------------------


def test_no_window_spans_a_gap_in_hours():
    index = pd.date_range("2024-01-01", periods=48, freq="h")
    table = pd.DataFrame({"load": np.arange(48.0)}, index=index).drop(index[[10, 11, 30]])
    windows = Framing(3, horizon=2).windows(table)
    hour = pd.Timedelta("1h")
    for number in range(len(windows)):
        times = windows.input_times(number).append(windows.target_times(number))
        assert ((times[1:] - times[:-1]) == hour).all()
    assert len(windows) == (10 - 4) + (18 - 4) + (17 - 4)


@pytest.mark.parametrize("freq", ["B", "MS", "ME", "QS", "QS-FEB", "YS", "YE", "W-WED", "2h", "D"])
def test_calendar_steps_are_steps(freq):
    index = pd.DatetimeIndex(pd.date_range("2020-01-03", periods=40, freq=freq), freq=None)
    table = pd.DataFrame({"a": np.arange(40.0)}, index=index)
    windows = Framing(3, horizon=2).windows(table)
    assert len(windows) == 40 - 3 - 1 - 2 + 2
    following = pd.date_range(index[-1], periods=3, freq=freq)[1:]
    assert list(Framing(3, horizon=2).target_times(table)) == list(following)
    with_gap = Framing(3, horizon=2).windows(table.drop(index[[20]]))
    assert len(with_gap) == (20 - 4) + (19 - 4)  # two stretches, of 20 and 19 rows
    assert list(Framing(3, horizon=2).target_times(table.drop(index[[20]]))) == list(following)


def test_weekends_are_no_gap_but_a_missing_business_day_is():
    days = pd.bdate_range("2024-01-01", periods=30)
    table = pd.DataFrame({"price": np.arange(30.0)}, index=days.rename("day"))
    assert len(Framing(5).windows(table)) == 25
    table.index = pd.DatetimeIndex(table.index, freq=None)
    holiday = table.drop(days[12])
    assert len(Framing(5).windows(holiday)) == (12 - 5) + (17 - 5)


@pytest.mark.parametrize("month", ["2024-03-30", "2024-10-26"])
def test_hours_across_a_change_of_clocks_are_evenly_spaced(month):
    index = pd.date_range(month, periods=72, freq="h", tz="Europe/Berlin")
    table = pd.DataFrame({"load": np.arange(72.0)}, index=pd.DatetimeIndex(index, freq=None))
    windows = Framing(24, horizon=24).windows(table)
    assert len(windows) == 72 - 24 - 24 + 1
    assert Framing(24).target_times(table)[0] == index[-1] + pd.Timedelta("1h")
    assert str(windows.cutoffs.tz) == "Europe/Berlin"
    border = "2024-10-28" if "10" in month else "2024-04-01"  # local time
    train, test = Framing(24).windows(table).split(border)
    assert test.target_times(0)[0] == pd.Timestamp(border, tz="Europe/Berlin")
    assert train.target_times(-1)[0] == test.target_times(0)[0] - pd.Timedelta("1h")


@pytest.mark.parametrize("missing", [[], [10]])
def test_days_in_a_time_zone_across_a_change_of_clocks(missing):
    index = pd.date_range("2024-03-20", periods=30, freq="D", tz="Europe/Berlin")
    table = pd.DataFrame({"load": np.arange(30.0)}, index=pd.DatetimeIndex(index, freq=None))
    windows = Framing(3).windows(table.drop(index[missing]))
    assert len(windows) == (27 if not missing else (10 - 3) + (19 - 3))


@pytest.mark.parametrize("freq", ["D", "W-WED", "MS"])
def test_the_days_to_forecast_are_days_of_the_same_clock(freq):
    index = pd.date_range("2024-01-01", periods=30, freq=freq, tz="Europe/Berlin")
    for rows in range(4, 12):
        table = pd.DataFrame({"load": np.arange(float(rows))}, index=index[:rows])
        found = Framing(3, horizon=10).target_times(table)
        assert found.tolist() == index[rows : rows + 10].tolist()


def test_a_window_is_drawn_on_the_axes_that_are_given():
    figure, (left, right) = plt.subplots(1, 2)
    assert Framing(3).windows(np.arange(12.0)).plot(2, ax=right) is right
    assert right.has_data()
    assert not left.has_data()
    plt.close(figure)


@pytest.mark.parametrize("freq", ["M", "Q", "2h", "W"])
def test_periods(freq):
    index = pd.period_range("2020-01", periods=20, freq=freq)
    table = pd.DataFrame({"a": np.arange(20.0)}, index=index)
    assert len(Framing(3).windows(table)) == 17
    assert Framing(3).target_times(table)[0] == index[-1] + 1
    assert len(Framing(3).windows(table.drop(index[[8]]))) == (8 - 3) + (11 - 3)


@pytest.mark.parametrize(
    ("times", "following"),
    [
        (["2024-01-04", "2024-01-05"], "2024-01-06"),  # Thursday, Friday: days
        (["2024-01-02", "2024-01-03", "2024-01-05"], "2024-01-06"),
        (["2024-01-05", "2024-01-08", "2024-01-09", "2024-01-11", "2024-01-12"], "2024-01-15"),
        (["2024-01-01", "2024-02-01"], "2024-03-01"),
        (["2023-12-31", "2024-01-31"], "2024-02-29"),
    ],
)
def test_the_step_of_few_dates(times, following):
    """Business days only where a weekend was skipped; months where all rows begin or end one."""
    table = pd.DataFrame({"load": np.arange(float(len(times)))}, index=pd.DatetimeIndex(times))
    assert list(Framing(1).target_times(table)) == [pd.Timestamp(following)]


def test_one_row_has_no_spacing_unless_it_says_so():
    table = pd.DataFrame({"a": [1.0]}, index=pd.to_datetime(["2024-01-01"]))
    assert Framing(1).last_window(table).tolist() == [[[1.0]]]
    with pytest.raises(ValueError, match="One row does not tell how far apart"):
        Framing(1).target_times(table)
    assert list(Framing(1).target_times(table.asfreq("h"))) == [pd.Timestamp("2024-01-01 01:00")]


def test_a_gap_in_the_last_rows_is_found_even_if_only_those_are_evenly_spaced():
    index = pd.date_range("2024-01-01", periods=20, freq="h")
    table = pd.DataFrame({"a": np.arange(20.0)}, index=index).drop(index[[16, 18]])
    with pytest.raises(ValueError, match="Rows are missing"):
        Framing(3).last_window(table)  # 15:00, 17:00, 19:00


def test_future_values_may_be_of_several_kinds():
    table = pd.DataFrame({"y": np.arange(9.0), "a": 1.0, "b": 2}, pd.RangeIndex(9))
    framing = Framing(3, horizon=2, targets="y", future_covariates=["a", "b"])
    future = pd.DataFrame({"a": [0.5, 1.5], "b": pd.array([3, 4], dtype="Int64")}, [9, 10])
    assert framing.last_window(table, future)["future"].tolist() == [[[0.5, 3], [1.5, 4]]]


def test_future_rows_are_taken_by_their_times():
    index = pd.date_range("2024-01-01", periods=10, freq="h")
    table = pd.DataFrame({"load": np.arange(10.0), "heat": np.arange(10.0) * 2}, index=index)
    framing = Framing(3, horizon=2, lead=2, targets="load", future_covariates="heat")
    ahead = pd.date_range("2024-01-01 08:00", periods=8, freq="h")
    future = pd.DataFrame({"heat": ahead.hour * 2.0}, index=ahead)
    inputs = framing.last_window(table, future.sample(frac=1, random_state=0))
    assert framing.target_times(table).hour.tolist() == [11, 12]
    np.testing.assert_array_equal(inputs["future"], [[[22.0], [24.0]]])
    windows = framing.windows(pd.concat([table, future[2:].assign(load=0.0)]))
    found = list(windows.cutoffs).index(index[-1])
    np.testing.assert_array_equal(windows.future[found], inputs["future"][0])
    np.testing.assert_array_equal(windows.X[found], inputs["X"][0])


# --- slicing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [slice(2, 5), slice(None, None, 2), slice(-3, None), slice(4)])
@pytest.mark.parametrize("gap", [False, True])
def test_a_slice_of_windows_is_the_slice_of_its_arrays(part, gap):
    index = pd.Index([*range(12), *range(20, 28)]) if gap else pd.RangeIndex(20)
    windows = Framing(3).windows(pd.DataFrame({"a": np.arange(20.0)}, index=index))
    np.testing.assert_array_equal(windows[part].X, windows.X[part])
    np.testing.assert_array_equal(windows[part].y, windows.y[part])
    np.testing.assert_array_equal(windows[part].arrays()[1], windows.y[part])
    assert list(windows[part].cutoffs) == list(windows.cutoffs[part])


def test_windows_stay_in_the_order_of_time():
    windows = Framing(3).windows(datasets.toy())
    with pytest.raises(ValueError, match="order of time"):
        windows[::-1]
    with pytest.raises(IndexError):
        windows[6]


def test_a_series_and_its_name():
    series = pd.Series(np.arange(9.0), name="demand")
    assert Framing(3).windows(series).framing.targets == ("demand",)
    assert Framing(3).windows(series.rename(None)).framing.targets == (0,)
    assert Framing(3, targets="demand").windows(series).y.shape == (6, 1, 1)


def test_windows_of_other_rows_are_not_equal():
    windows = Framing(3).windows(np.arange(20.0))
    train, test = windows.split(12)
    assert train != test
    assert windows != Framing(3).windows(np.arange(20.0) + 1)


def test_numbers_of_numpy_are_plain_numbers():
    """Keras does not take them as units or as a shape."""
    framing = Framing(np.int64(3), horizon=np.int64(2))
    assert type(framing.lookback) is int and type(framing.horizon) is int


def test_framing_is_a_value():
    assert Framing(3) == Framing(3, targets=None)
    assert Framing(3, targets="a") == Framing(np.int64(3), targets=["a"])
    assert hash(Framing(3, targets="a")) == hash(Framing(3, targets=("a",)))
    with pytest.raises(AttributeError):
        Framing(3).lookback = 4
    with pytest.raises(TypeError):
        Framing(3, 2)  # keyword-only after lookback


# --- no copies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 3])
def test_windows_share_the_memory_of_an_array(columns):
    table = np.random.default_rng(0).normal(size=(50, columns))
    windows = Framing(5, horizon=2, stride=2).windows(table)
    assert np.shares_memory(windows.X, table)
    assert np.shares_memory(windows.y, table)
    train, test = windows.split(30)
    assert np.shares_memory(train.X, table)
    assert np.shares_memory(test.y, table)
    table[0, 0] = 123.0  # a view shows it
    assert windows.X[0, 0, 0] == 123.0


@pytest.mark.parametrize("numbers", [np.float64, np.float32, np.int32])
def test_windows_share_the_memory_of_a_data_frame(numbers):
    values = np.arange(200).reshape(50, 4).astype(numbers)
    table = pd.DataFrame(values, columns=list("abcd"), copy=False)
    held = table.to_numpy()
    assert np.shares_memory(held, values)
    windows = Framing(5, targets="d", past_covariates=["a", "b"]).windows(table)
    assert np.shares_memory(windows.y, values)
    parallel = Framing(5).windows(table)
    assert np.shares_memory(parallel.X, values)
    evenly = Framing(5, targets="b", past_covariates="d").windows(table)  # every second column
    assert np.shares_memory(evenly.X, values)


@pytest.fixture(scope="module")
def long_table(tmp_path_factory):
    """Ten million rows on disk; the file has no content but a marked row, so it is quick."""
    path = tmp_path_factory.mktemp("long") / "table.dat"
    table = np.memmap(path, dtype=np.float32, mode="w+", shape=(10_000_000, 4))
    table[9_000_100] = [1, 2, 3, 4]
    return table


ROLES = {
    "all columns": {},
    "evenly spaced": {"targets": 3, "past_covariates": 1},
    "not evenly spaced": {"targets": 3, "past_covariates": [0, 1], "future_covariates": 2},
    "out of order": {"targets": 2, "past_covariates": [3, 0]},
}


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
def test_ten_million_rows_need_no_memory(long_table, roles):
    framing = Framing(168, horizon=48, **roles)
    tracemalloc.start()
    windows = framing.windows(long_table)
    _, test = windows.split(9_000_000)
    marked = 100  # its first target is the marked row
    inputs, y = test.batch(np.arange(marked, marked + 32))
    X, one = test[marked]
    test.describe(marked)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) == 10_000_000 - 168 - 1 - 48 + 2
    named = windows.framing.targets
    np.testing.assert_array_equal(y[0, 0], [name + 1 for name in named])
    np.testing.assert_array_equal(one[0], y[0, 0])
    np.testing.assert_array_equal((inputs["X"] if isinstance(inputs, dict) else inputs)[0], X)
    assert peak < 20e6, f"{peak / 1e6:.0f} MB"


def test_a_batch_of_a_table_with_gaps_copies_only_the_batch():
    index = np.arange(1_000_000)
    index[500_000:] += 10
    values = np.zeros((1_000_000, 4))
    table = pd.DataFrame(values, columns=list("abcd"), index=index, copy=False)
    windows = Framing(24, targets="d", past_covariates=["a", "b"]).windows(table)
    tracemalloc.start()
    windows.batch(np.arange(32))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


# --- a random order that is not held ------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 5, 64, 1000, 4097, 100_001])
def test_a_computed_order_has_every_number_once(count):
    order = RandomOrder(count, np.random.default_rng(count))
    found = np.concatenate([order[i : i + 37] for i in range(0, count, 37)])
    assert sorted(found.tolist()) == list(range(count))
    middle = count // 2
    np.testing.assert_array_equal(order[middle : middle + 5], found[middle : middle + 5])
    assert len(order[count : count + 5]) == 0


def test_a_computed_order_is_random():
    count, size = 1 << 18, 256
    orders = [RandomOrder(count, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    first, same, other = (order[0:count] for order in orders)
    np.testing.assert_array_equal(first, same)
    assert (first == other).mean() < 1e-3
    # as with drawn orders: neighbours do not go together, and every batch covers the whole table
    drawn = np.random.default_rng(0).permutation(count)
    for numbers in (first, other, drawn):
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01
        assert np.median(np.abs(np.diff(numbers))) > 0.2 * count
        means = numbers.reshape(-1, size).mean(axis=1) / count
        assert means.std() == pytest.approx(np.sqrt(1 / 12 / size), rel=0.1)
        parts = np.sort(numbers[:size]) // (count // 8)
        assert np.bincount(parts, minlength=8).min() > 10


def test_a_shuffled_pass_needs_two_batches_of_memory():
    values = np.zeros((300_000, 8), dtype=np.float32)
    windows = Framing(168, horizon=24).windows(values)
    batch = sum(array.nbytes for array in windows.batch(slice(0, 256)))
    tracemalloc.start()
    for _, (X, _y) in zip(range(50), windows.batches(256, shuffle=True, seed=0), strict=False):
        assert X.shape == (256, 168, 8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * batch, f"{peak / batch:.1f} batches"


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="needs madvise")
def test_a_file_does_not_stay_in_memory(tmp_path):
    path = tmp_path / "table.dat"
    with open(path, "wb") as file:
        file.truncate(400_000_000)
    process = psutil.Process()
    before = process.memory_info().rss
    table = np.memmap(path, dtype=np.float32, mode="r", shape=(12_500_000, 8))
    windows = Framing(168, horizon=24).windows(table)
    for _ in zip(range(64), windows.batches(64, shuffle=True, seed=0), strict=False):
        pass
    assert process.memory_info().rss - before < 100e6


def test_changes_that_are_not_written_are_kept(tmp_path):
    path = tmp_path / "table.dat"
    with open(path, "wb") as file:
        file.truncate(8_000_000)
    table = np.memmap(path, dtype=np.float64, mode="c", shape=(1_000_000, 1))
    table[:] = 7.0
    windows = Framing(3).windows(table)
    assert (table == 7).all()
    assert all((X == 7).all() for X, _y in windows[:3])
