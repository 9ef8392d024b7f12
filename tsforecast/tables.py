"""A table is read and checked: numbers, columns and times, before anything is cut from it.

Used by `tsforecast.framing`; its messages are explained on the error page
(`notebooks/errors.ipynb`).
"""

from __future__ import annotations

import difflib
import mmap
import numbers
import os
import re
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

LARGEST = np.float64(1e18)  # a model counts in single precision, and squares what it reads
SMALL = 2**27  # bytes that nobody counts
SAME_STEPS = 24  # wide steps of equal length in a row are a spacing, not gaps

Table: TypeAlias = "pd.DataFrame | pd.Series | np.ndarray"


def check_whole_number(name: str, value: Any, least: int) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more; got {value!r}.")


def check_memory(what: str, size: float, instead: str) -> None:
    """Raise a MemoryError in words, before anything is allocated, if so many bytes are not free."""
    free = free_memory() if size > SMALL else None
    if free is not None and size > free:
        raise MemoryError(
            f"{what}: {size / 1e9:,.1f} GB of memory would be needed, and {free / 1e9:,.1f} GB are "
            f"free. {instead}"
        )


def free_memory() -> float | None:
    """Bytes that a process may still take; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {name: int(text.split()[0]) for name, text in (line.split(":") for line in lines)}
        free = 1024.0 * (sizes["MemAvailable"] + sizes["SwapFree"])
    except (OSError, KeyError, ValueError):  # not Linux: all that is built in, free or not
        if not hasattr(os, "sysconf"):
            return None
        free = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:  # a container may have less
        return min(free, float(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # none, or "max"
        return free


def read_table(table: Table) -> tuple[Any, list[Any], pd.Index]:
    """Values (none where the columns differ in type), column names and times of a table."""
    if isinstance(table, pd.Series):
        table = table.to_frame(0 if table.name is None else table.name)
    if table is None or isinstance(table, (str, bytes, PathLike, dict)) or np.isscalar(table):
        path = (
            ": read the file first, pd.read_csv(path)" if isinstance(table, (str, PathLike)) else ""
        )
        raise ValueError(
            f"Expected a table (a DataFrame or an array), got {type(table).__name__} {table!r}{path}."
        )
    if isinstance(table, pd.DataFrame):
        columns = list(table.columns)
        repeated = table.columns[table.columns.duplicated()]
        if len(repeated):
            raise ValueError(
                f"The table has more than one column named {repeated[0]!r}. Rename or drop one: "
                f"table.columns = [...]."
            )
        same = len({*table.dtypes}) == 1 and isinstance(table.dtypes.iloc[0], np.dtype)
        return (table.to_numpy() if same else np.empty((len(table), 0))), columns, table.index
    if isinstance(table, np.ma.MaskedArray):
        table = np.ma.filled(table.astype(np.float64), np.nan)  # what the mask hides is missing
    values = np.asanyarray(table)
    if values.dtype.kind not in "iufb":
        raise ValueError(
            f"Expected numbers, got an array of {values.dtype}. Give one row per time step and "
            f"one number per column; turn text into numbers first."
        )
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(
            f"Expected a table of shape (rows, columns), got an array of shape {values.shape}. "
            f"If it holds windows already, give the table they were cut from: framing cuts it. "
            f"If its first axis counts series, frame each series by itself."
        )
    return values, list(range(values.shape[1])), pd.RangeIndex(len(values))


@dataclass(frozen=True)
class Rows:
    """The rows of a table or panel, read and checked: what windows are cut from."""

    values: np.ndarray  # (rows, columns)
    columns: list[Hashable]
    index: pd.Index  # the time of each row
    grid: np.ndarray | None  # whole steps of each row; a jump is a wall. None: no wall
    freq: Any
    ids: np.ndarray | None = None  # of a panel: the number of each row's series
    names: tuple[Hashable, ...] = ()  # of a panel: the name of each series

    @cached_property
    def last(self) -> np.ndarray:
        """The last row of each series; of a table the last row."""
        if self.ids is None:
            return np.array([len(self.values) - 1])
        return np.append(np.flatnonzero(np.diff(self.ids)), len(self.ids) - 1)

    def where(self, row: int) -> str:
        """A row in words: its time, and in a panel its series."""
        series = "" if self.ids is None else f" of series {self.names[self.ids[row]]!r}"
        return f"{self.index[row]}{series}"


def is_panel(table: Any) -> bool:
    """Whether a table is a panel: many series below each other, in the Nixtla long format."""
    return isinstance(table, pd.DataFrame) and {"unique_id", "ds"} <= {*table.columns}


def read_panel(panel: pd.DataFrame, names: Sequence[Hashable]) -> Rows:
    """The rows of a panel, series by series, each in order of time."""
    if panel.empty:
        raise ValueError("The panel has 0 rows.")
    for name in ("unique_id", "ds"):
        if panel[name].isna().any():
            row = int(np.argmax(panel[name].isna()))
            raise ValueError(f"Column {name!r} is missing in row {row}. Drop the row or fill it.")
    ids, series = pd.factorize(panel["unique_id"])
    index = pd.Index(panel["ds"], name="ds")
    if not isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)) and index.dtype.kind not in "iu":
        raise ValueError(
            f"Column 'ds' holds {index.dtype} (the first is {index[0]!r}), not times. Turn text "
            f"into times with panel['ds'] = pd.to_datetime(panel['ds']), or number the steps."
        )
    number = index.to_numpy() if index.dtype.kind in "iu" else index.asi8
    step, times = pd.factorize(number, sort=True)  # the number of each time among all times
    place = ids * len(times) + step  # series by series, each in order of time
    if (place[1:] < place[:-1]).any():
        order = np.argsort(place, kind="stable")
        panel, ids, step, index = panel.iloc[order], ids[order], step[order], index[order]
        place = place[order]
    again = place[1:] == place[:-1]
    if again.any():
        row = int(np.argmax(again)) + 1
        raise ValueError(
            f"Series {series[ids[row]]!r} has more than one row for {index[row]}. If the clocks went "
            f"back then, name the time zone in each series: panel['ds'] = panel.groupby('unique_id')"
            f"['ds'].transform(lambda ds: ds.dt.tz_localize('Europe/Berlin', ambiguous='infer')). "
            f"Else keep one: panel.drop_duplicates(['unique_id', 'ds'])."
        )
    del place  # large: a number for every row
    grid, freq = _panel_grid(index, ids, step)
    values, columns = pick_columns(panel, np.empty((len(panel), 0)), list(panel.columns), names)
    return Rows(values, columns, index, grid, freq, ids, tuple(series))


def _panel_grid(index: pd.Index, ids: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, Any]:
    """Whole steps of every row, with a jump between series; and the step."""
    times = index.unique().sort_values()  # every time that occurs, once
    grid, freq = read_times(times)
    grid = step if grid is None else grid[step]
    same = ids[1:] == ids[:-1]
    steps = np.diff(grid)
    least = int(steps.min(where=same, initial=np.iinfo(steps.dtype).max))
    if same.any() and least > 1 and not (steps[same] % least).any():  # on different days
        begin = np.flatnonzero(np.append(True, ~same))
        grid = (grid - np.repeat(grid[begin], np.diff(np.append(begin, len(ids))))) // least
        freq = freq * least
    del steps
    apart = ids * (4 * (int(grid.max()) + 1))  # so far that no season reaches from one to another
    apart += grid
    return apart, freq


def pick_columns(
    table: Table, values: Any, columns: list[Hashable], names: Sequence[Hashable]
) -> tuple[np.ndarray, list[Hashable]]:
    """The values to cut and the names of their columns; a copy only of a table of mixed types."""
    for name in names:
        if name not in columns:
            close = difflib.get_close_matches(str(name), map(str, columns), 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"The framing uses the column {name!r}, which is not in the table. "
                f"The table's columns are: {', '.join(map(repr, columns))}.{hint}"
            )
    if values.shape[1] == len(columns) and values.dtype.kind in "iufb":
        return values, columns
    assert isinstance(table, (pd.DataFrame, pd.Series))
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    for name in names:
        _check_numeric(frame[name], name)
    return frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan), list(names)


def _check_numeric(column: pd.Series, name: Hashable) -> None:
    if pd.api.types.is_datetime64_any_dtype(column):
        raise ValueError(
            f"Column {name!r} holds dates. Make it the index: table.set_index({name!r})."
        )
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        known = column.dropna()
        first = known.iloc[0] if len(known) else None
        what = "text" if isinstance(first, str) else str(column.dtype)
        if isinstance(first, str) and re.fullmatch(r"-?[\d.]*\d,\d+", first.strip()):
            raise ValueError(
                f"Column {name!r} holds text (the first value is {first!r}): numbers with a decimal "
                f"comma. Read them as numbers: pd.read_csv(..., decimal=','), with thousands='.' if "
                f"the file has such points."
            )
        raise ValueError(
            f"Column {name!r} holds {what} (the first value is {first!r}), and a model reads "
            f"numbers. Turn it into numbers with pd.to_numeric or pd.get_dummies, or leave it out "
            f"by naming the columns to use: targets=[...]."
        )


def check_dates_are_index(table: Table, names: Sequence[Hashable]) -> None:
    """Dates left in a column, with rows that are only numbered: the gaps would go unseen."""
    if not isinstance(table, pd.DataFrame) or not isinstance(table.index, pd.RangeIndex):
        return
    for name in table.columns:
        if name not in names and _holds_dates(table[name]):
            raise ValueError(
                f"Column {name!r} holds dates (the first is {table[name].iloc[0]!r}), and the index "
                f"only numbers the rows, so gaps in time go unseen. Make it the index: "
                f"table.index = pd.to_datetime(table.pop({name!r}), format=...), with the "
                f"format that the dates have ('%d/%m/%Y' where the day comes first). To count rows "
                f"instead of time, drop the column."
            )


def _holds_dates(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    text = column.dropna().iloc[:3]
    if not len(text) or not all(isinstance(value, str) for value in text):
        return False
    looks = text.str.contains(r"\d+[-/.]\d+[-/.]\d+")  # such as 2024-01-31 or 31.1.2024
    return bool(looks.all())


def check_finite(
    rows: Rows, names: Sequence[Hashable], first: int = 0, missing: str = "refuse"
) -> None:
    """Raise a ValueError where a value is infinite, too large, or missing if that is not allowed.

    `first` is the number of the first row in the table, for the message.
    """
    values, columns = rows.values, rows.columns
    if values.dtype.kind == "b" or (values.dtype.kind != "f" and values.dtype.itemsize < 8):
        return
    chosen = [columns.index(name) for name in names]
    for begin in range(0, len(values), 1 << 20):  # a block at a time: the table may be on disk
        block = values[begin : begin + (1 << 20)]
        if values.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):
                flat = block.ravel(order="K")
                squares = np.dot(flat, flat)  # one number that is missing or large makes it so
            if squares < LARGEST**2:
                release(values)
                continue
        size = np.abs(block)
        bad = ~(size < LARGEST) if missing == "refuse" else size >= LARGEST
        if not bad.any():
            release(values)
            continue
        for name, column in zip(names, chosen, strict=True):
            if bad[:, column].any():
                row = begin + int(np.argmax(bad[:, column]))
                value = values[row, column]
                if np.isinf(value):
                    raise ValueError(_infinite(rows, name, row, first))
                if not np.isnan(value):
                    raise ValueError(
                        f"Column {name!r} holds {value:g} at {rows.where(row)} (row {first + row}). "
                        f"A model reads numbers below {LARGEST:g}: count in a larger unit, for "
                        f"example table[{name!r}] / 1e12, or leave the column out."
                    )
                raise ValueError(_missing(rows, name, first))


def release(values: np.ndarray) -> None:
    """Take a file's pages out of this process's memory again; nothing is lost, they are read anew.

    For a table that is a ``numpy.memmap``: without it, what has once been read of a file counts as
    held until the machine runs short. Other arrays stay as they are, and so does a file that is
    open for changes that are not written (mode "c").
    """
    base: Any = file_of(values)
    if base is not None and base.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap):
            base.madvise(mmap.MADV_DONTNEED)


def file_of(values: np.ndarray) -> np.memmap | None:
    """The file that the numbers are read from, where it is a ``numpy.memmap``."""
    base: Any = values
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    return base


def _infinite(rows: Rows, name: Hashable, row: int, first: int) -> str:
    count = int(np.isinf(rows.values[:, rows.columns.index(name)]).sum())
    return (
        f"Column {name!r} has {count} infinite value{'s' * (count > 1)}; the first is at {rows.where(row)} (row "
        f"{first + row}). Make them missing: table = table.replace([np.inf, -np.inf], np.nan). "
        f"Then say what to do with missing values: tsf.fill_gaps(table), or missing='skip' or "
        f"missing='mask'."
    )


def _missing(rows: Rows, name: Hashable, first: int) -> str:
    bad = np.isnan(rows.values[:, rows.columns.index(name)])
    begins = np.flatnonzero(bad & ~np.append(False, bad[:-1]))  # of each stretch
    ends = np.flatnonzero(bad & ~np.append(bad[1:], False)) + 1
    longest = int((ends - begins).max())
    shown = ", ".join(f"{rows.where(row)} (row {first + row})" for row in begins[:3])
    count = int(bad.sum())
    return (
        f"Column {name!r} has {count} missing value{'s' * (count > 1)} in {len(begins)} "
        f"stretch{'es' * (len(begins) > 1)} (the longest has {longest} row{'s' * (longest > 1)}), "
        f"from {shown}{', ...' if len(begins) > 3 else ''} on. Choose what to do: "
        f"tsf.fill_gaps(table, columns=[...]) fills inputs with what was known before; missing='skip' leaves out "
        f"the windows that hold one; missing='mask' has the model skip such steps. What you know "
        f"of times to come goes into future=, not below the table."
    )


def check_constant(rows: Rows, names: Sequence[Hashable]) -> None:
    for name in names:
        column = rows.values[:, rows.columns.index(name)]
        changes = column[1:] != column[:-1]
        if rows.ids is not None:
            changes &= np.diff(rows.ids) == 0
        if changes.any():
            row = int(np.argmax(changes)) + 1
            raise ValueError(
                f"The static covariate {name!r} changes (from {column[row - 1]} to {column[row]} at "
                f"{rows.where(row)}, row {row}). A static covariate has one value per series; use "
                f"past_covariates or future_covariates for a column that changes."
            )


def on_grid(rows: Rows, front: int, constant: Sequence[Hashable] = ()) -> Rows:
    """The same rows, with those that are missing in time as rows of NaN.

    `front` more such rows stand before each series. The columns in `constant` keep their value.
    """
    if len(rows.values) == 0:
        return rows
    begin = np.append(0, rows.last[:-1] + 1)  # the first row of each series
    lengths = rows.last - begin + 1
    grid = np.arange(len(rows.values)) if rows.grid is None else rows.grid
    step = grid - np.repeat(grid[begin], lengths)  # of each row, since its series began
    counts = front + step[rows.last] + 1  # rows of each series, with the missing ones
    total, width = int(counts.sum()), rows.values.shape[1]
    if total == len(rows.values):
        return rows
    check_memory(
        f"With every step that is missing in time, the table has {total:,} rows",
        total * 8.0 * (width + 3),
        f"The times go from {rows.index.min()} to {rows.index.max()}: look for a wrong date, or "
        f"bring the table to wider steps first.",
    )
    zero = np.cumsum(counts) - counts + front  # where each series begins
    number = np.arange(total) - np.repeat(zero, counts)  # steps since its series began
    dtype = rows.values.dtype if rows.values.dtype.kind == "f" else np.dtype(float)
    values = np.full((total, width), np.nan, dtype)
    values[np.repeat(zero, lengths) + step] = rows.values
    for column in [rows.columns.index(name) for name in constant]:
        values[:, column] = np.repeat(rows.values[begin, column], counts)
    index = _times_from(rows.index[begin], counts, number, rows.freq)
    if rows.ids is None:
        return Rows(values, rows.columns, index, None, rows.freq)
    ids = np.repeat(rows.ids[begin], counts)
    grid = number + front + ids * 4 * int(counts.max() + 1)  # no season reaches over
    return Rows(values, rows.columns, index, grid, rows.freq, ids, rows.names)


def _times_from(first: pd.Index, counts: np.ndarray, number: np.ndarray, freq: Any) -> pd.Index:
    """The times that lie `number` steps after the first of each series, (rows,)."""
    times: Any = first.repeat(counts)
    if freq is None:  # one row: no step is known
        return times
    if isinstance(times, pd.PeriodIndex):
        steps = number * freq * getattr(times.freq, "n", 1)
        return pd.PeriodIndex.from_ordinals(  # type: ignore[attr-defined]
            times.asi8 + steps, freq=times.freq, name=times.name
        )
    if not isinstance(times, pd.DatetimeIndex):
        return times + number * freq
    if is_always_as_long(freq):
        step = pd.Timedelta(freq).as_unit(times.unit)  # years before 1678 do not fit nanoseconds
        return (times + number * step.to_timedelta64()).as_unit(times.unit).rename(first.name)
    low, high = int(number.min()), int(number.max())  # months, days: counted out for each first
    unique: Any
    code, unique = pd.factorize(first)
    parts = []
    for time in unique.tz_localize(None):
        before = pd.date_range(end=time, periods=1 - low, freq=freq, unit=times.unit)[:-1]
        after = pd.date_range(time, periods=high + 1, freq=freq, unit=times.unit)
        parts.append(before.append(after))
    chosen = np.repeat(code, counts) * (high - low + 1) + number - low
    dates = parts[0].append(parts[1:])[chosen].as_unit(times.unit).rename(first.name)
    if times.tz is None:
        return dates
    first_of_two = np.ones(len(dates), dtype=bool)  # where the clock shows a time twice
    return dates.tz_localize(times.tz, ambiguous=first_of_two, nonexistent="shift_forward")


def is_always_as_long(freq: Any) -> bool:
    """Whether a step has the same length each time: an hour has, a day by the clock has not."""
    offsets = pd.tseries.offsets  # to pandas 2 a day is a Tick, too
    return isinstance(freq, offsets.Tick) and not isinstance(freq, offsets.Day)


def read_times(index: pd.Index) -> tuple[np.ndarray | None, Any]:
    """Whole steps of each row since the first (None: no gaps), and the step itself."""
    if isinstance(index, pd.RangeIndex) and index.step > 0:
        return None, index.step
    if len(index) == 0:
        return None, None
    if isinstance(index, pd.MultiIndex):
        raise ValueError(
            f"The index has {index.nlevels} levels ({list(index.names)}). Expected one time per "
            f"row: choose one series, for example table.loc['its name']; or give all as a panel "
            f"with the columns unique_id and ds: table.reset_index()."
        )
    if not isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)) and index.dtype.kind not in "iu":
        raise ValueError(
            f"The index holds {index.dtype} (the first is {index[0]!r}), not times. Turn text "
            f"into times with table.index = pd.to_datetime(table.index) (dayfirst=True for "
            f"31/01/2024), or number the rows with table.reset_index(drop=True)."
        )
    check_order(index)
    if len(index) < 2:
        return None, index.freq if isinstance(index, pd.DatetimeIndex) else 1
    if isinstance(index, pd.DatetimeIndex):
        grid, freq = _read_dates(index)
    elif isinstance(index, pd.PeriodIndex):
        grid, least = _count_steps(index, index.asi8)
        freq = least // getattr(index.freq, "n", 1)
    else:
        grid, freq = _count_steps(index, index.to_numpy(dtype=np.int64))
    return (None if grid[-1] == len(grid) - 1 else grid), freq


def check_unique(index: pd.Index) -> None:
    if index.has_duplicates:
        row = int(np.argmax(index.duplicated()))
        no_zone = isinstance(index, pd.DatetimeIndex) and index.tz is None
        clocks = (
            "If the clocks went back then, name the time zone: table.index = "
            "table.index.tz_localize('Europe/Berlin', ambiguous='infer'). "
        )
        raise ValueError(
            f"The time {index[row]} appears more than once (again in row {row}). Keep one row per "
            f"time: table[~table.index.duplicated()], or table.groupby(level=0).mean(). "
            f"{clocks if no_zone else ''}If each series has its own rows, choose one series first, "
            f"or give a panel: a table with the columns unique_id and ds."
        )


def check_order(index: pd.Index) -> None:
    if index.hasnans:
        row = int(np.argmax(index.isna()))
        raise ValueError(f"The time in row {row} is missing. Drop the row, or give it its time.")
    check_unique(index)
    if not index.is_monotonic_increasing:
        row = int(np.argmax(np.asarray(index[1:] < index[:-1]))) + 1
        raise ValueError(
            f"The times are not in order: row {row} ({index[row]}) is earlier than the row before "
            f"it ({index[row - 1]}). Sort the table: table.sort_index()."
        )


def _read_dates(index: pd.DatetimeIndex) -> tuple[np.ndarray, Any]:
    to_offset = pd.tseries.frequencies.to_offset
    freq = index.freq or (_infer_freq(index) if len(index) > 2 else None)
    if freq is not None:
        return np.arange(len(index)), to_offset(freq)
    for name in ("B", "MS", "ME", "D"):  # with gaps: first the steps of unequal length
        wall = index.tz_localize(None)  # by the clock: a day with 23 or 25 hours is a day
        grid = pd.date_range(wall[0], wall[-1], freq=name, unit=wall.unit).get_indexer(wall)
        steps = np.diff(grid)
        if (grid < 0).any() or (steps % steps.min()).any():
            continue
        weekend = (index[-1] - index[0]).days >= grid[-1] + 1  # one was skipped
        if name != "B" or (weekend and steps.min() == 1 and grid[-1] + 1 < 2 * len(index)):
            return grid // steps.min(), to_offset(name) * int(steps.min())
    grid, _ = _count_steps(index, index.asi8)
    row = int(np.argmax(np.diff(grid) == 1))
    return grid, to_offset(index[row + 1] - index[row])


def _infer_freq(index: pd.DatetimeIndex) -> Any:
    with warnings.catch_warnings():  # pandas announces that it will return an offset
        warnings.simplefilter("ignore")
        return pd.infer_freq(index)


def _count_steps(index: pd.Index, numbers: np.ndarray) -> tuple[np.ndarray, int]:
    """Whole steps of each row since the first, and the step: the least that occurs."""
    steps = np.diff(numbers)
    least = int(steps.min())
    if (steps % least).any():
        _, kind = np.unique(steps, return_inverse=True)
        odd = kind != np.bincount(kind).argmax()  # not as most
        row, usual = int(np.argmax(odd)), int(np.argmin(odd))
        raise ValueError(
            f"The times are not evenly spaced: most rows are {index[usual + 1] - index[usual]} "
            f"apart, but {index[row]} and {index[row + 1]} (rows {row} and {row + 1}) are "
            f"{index[row + 1] - index[row]} apart. Bring the table to one spacing first, for "
            f"example table.resample('h').mean(). Whole rows that are missing are fine: they "
            f"become walls."
        )
    return (numbers - numbers[0]) // least, least


def check_one_spacing(index: pd.Index, grid: np.ndarray | None) -> None:
    """Raise a ValueError where a table changes its spacing for good, such as from hours to days."""
    steps = np.diff(np.arange(0) if grid is None else grid)
    if len(steps) < SAME_STEPS:
        return
    wide = steps > 1
    same = sliding_window_view(steps, SAME_STEPS)
    runs = (same == same[:, :1]).all(axis=1) & wide[: len(same)]
    if runs.any():
        row = int(np.argmax(runs))
        short = int(np.argmax(~wide))
        raise ValueError(
            f"The table has two spacings: from {index[row]} on rows are {index[row + 1] - index[row]} "
            f"apart, at {index[short]} only {index[short + 1] - index[short]}. Bring it to one first, "
            f"for example table.resample('h').mean(), or leave one part out."
        )


def as_label(time: Any, index: pd.Index) -> Any:
    """A border of `split` as a label of the index: text becomes a time in the index's zone."""
    label: Any = None
    number = isinstance(time, numbers.Real)
    try:
        if isinstance(index, pd.DatetimeIndex) and not number:
            label = pd.Timestamp(time)
            if label.tz is None and index.tz is not None:
                label = label.tz_localize(index.tz)
            label = None if index.tz is None and label.tz is not None else label
        elif isinstance(index, pd.PeriodIndex) and not number:
            label = pd.Period(time, freq=index.freqstr)
        elif index.dtype.kind in "iu" and number:
            label = time
    except (TypeError, ValueError):
        pass
    if label is None or label is pd.NaT:
        raise ValueError(
            f"{time!r} is not a time of this table, which runs from {index[0]} to {index[-1]}. "
            f"Give one like {index[len(index) // 2]!r}."
        )
    return label


def take_columns(
    values: np.ndarray, columns: Sequence[Hashable], names: Sequence[Hashable]
) -> np.ndarray:
    chosen = [list(columns).index(name) for name in names]
    return np.ascontiguousarray(values[:, chosen], dtype=np.float32)
