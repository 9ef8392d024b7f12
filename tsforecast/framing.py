"""A table becomes windows: which rows go in, which come out, and their dates.

Taught in the univariate chapter (`notebooks/univariate.ipynb`), with the other framings in the
chapters that follow it.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from tsforecast.tables import (
    Table,
    as_label,
    check_constant,
    check_dates_are_index,
    check_finite,
    check_order,
    check_whole_number,
    pick_columns,
    read_table,
    read_times,
    take_columns,
)

Names: TypeAlias = "Hashable | Sequence[Hashable]"
Inputs: TypeAlias = "np.ndarray | dict[str, np.ndarray]"


@dataclass(frozen=True)
class Framing:
    """Which rows and columns of a table go into a forecast, and which come out.

    Parameters
    ----------
    lookback : int
        Time steps of input per window.
    horizon : int
        Time steps forecast per window.
    lead : int
        Steps from the last input row to the first target row: 1 is a forecast, 0 the same time
        step (the tutorial's multiple-input framing), k a forecast that starts k steps ahead.
    targets : column name or list of column names, optional
        Columns to forecast. By default every column that has no other role.
    past_covariates : column name or list of column names
        Columns that are known up to the last input row only.
    future_covariates : column name or list of column names
        Columns that are known for the target steps too. Their history is also an input.
    static_covariates : column name or list of column names
        Columns with one value for the whole series.
    use_target_history : bool
        Whether the past of the targets is an input.
    stride : int
        Steps from one window to the next.

    Raises
    ------
    ValueError
        If a number is not a whole number in its range, if a column has two roles, if nothing
        is left as input, or if the answer would be among the inputs.

    Notes
    -----
    X is always ``[samples, lookback, inputs]`` and y always ``[samples, horizon, targets]``.
    A table of n rows gives ``n - lookback - lead - horizon + 2`` windows at stride 1.

    Examples
    --------
    >>> from tsforecast import datasets
    >>> Framing(3).windows(datasets.toy("univariate"))
    6 windows: X (6, 3, 1), y (6, 1, 1)
    >>> nowcast = Framing(3, lead=0, targets="c", past_covariates=["a", "b"],
    ...                   use_target_history=False)
    >>> nowcast.windows(datasets.toy("multivariate"))
    7 windows: X (7, 3, 2), y (7, 1, 1)
    """

    lookback: int
    _: KW_ONLY
    horizon: int = 1
    lead: int = 1
    targets: Any = None
    past_covariates: Any = ()
    future_covariates: Any = ()
    static_covariates: Any = ()
    use_target_history: bool = True
    stride: int = 1

    def __post_init__(self) -> None:
        for name, least in (("lookback", 1), ("horizon", 1), ("lead", 0), ("stride", 1)):
            check_whole_number(name, getattr(self, name), least)
            object.__setattr__(self, name, int(getattr(self, name)))  # of NumPy: no Keras shape
        for role in ("targets", "past_covariates", "future_covariates", "static_covariates"):
            object.__setattr__(self, role, _as_names(getattr(self, role)))
        self._check_roles()

    def _check_roles(self) -> None:
        roles: dict[Hashable, str] = {}
        for role in ("targets", "past_covariates", "future_covariates", "static_covariates"):
            for name in getattr(self, role) or ():
                if name in roles and roles[name] == role:
                    raise ValueError(f"Column {name!r} is named twice in {role}. Name it once.")
                if name in roles:
                    raise ValueError(
                        f"Column {name!r} is in {roles[name]} and in {role}. A column has one "
                        f"role: a target is what you do not know at the time of the forecast, a "
                        f"covariate what you know. Its past is an input already "
                        f"(use_target_history=True). Take it out of one of the two."
                    )
                roles[name] = role
        if self.lead == 0 and self.use_target_history:
            raise ValueError(
                "lead=0 with use_target_history=True puts the answer among the inputs: the last "
                "input row is the first target row. Set use_target_history=False, or lead=1."
            )
        if not self.use_target_history and not (self.past_covariates or self.future_covariates):
            raise ValueError(
                "use_target_history=False leaves no input. Name past_covariates or "
                "future_covariates, or set use_target_history=True."
            )

    @property
    def span(self) -> int:
        """Rows that one window covers, from its first input to its last target."""
        return self.lookback + self.lead + self.horizon - 1

    @property
    def inputs(self) -> tuple[Hashable, ...]:
        """Names of the columns of X, in their order: targets, past and future covariates."""
        history = (self.targets or ()) if self.use_target_history else ()
        return (*history, *self.past_covariates, *self.future_covariates)

    @property
    def n_targets(self) -> int:
        """Number of columns of y; one for a framing that does not name its targets yet."""
        return 1 if self.targets is None else len(self.targets)

    @property
    def n_inputs(self) -> int:
        """Number of columns of X."""
        unnamed = self.targets is None and self.use_target_history
        return len(self.inputs) + (1 if unnamed else 0)

    def named(self, columns: Sequence[Hashable]) -> Framing:
        """The same framing with its targets named: by default every column without a role."""
        if self.targets is not None:
            return self
        taken = {*self.past_covariates, *self.future_covariates, *self.static_covariates}
        return replace(self, targets=tuple(name for name in columns if name not in taken))

    def windows(self, table: Table) -> Windows:
        """Cut a table into windows, without copying it.

        Parameters
        ----------
        table : pandas.DataFrame, pandas.Series or numpy.ndarray
            One row per time step in order of time, one column per variable. Rows missing from
            a regular spacing are walls: no window reaches across.

        Returns
        -------
        Windows

        Raises
        ------
        ValueError
            If the table is too short, holds text, missing or infinite values in a column that
            the framing uses, lacks a column, or if its times are repeated, unsorted or
            irregular. The message says where, and what to do.

        Examples
        --------
        >>> import numpy as np
        >>> Framing(3, horizon=2).windows(np.arange(10.0, 100.0, 10.0)).y[0]
        array([[40.],
               [50.]])
        """
        values, columns, index = read_table(table)
        framing = self.named(columns)
        check_dates_are_index(table, _used(framing))
        if not framing.targets:
            raise ValueError(
                f"The framing has no column to forecast: the table's columns are {columns}, and "
                f"each has another role. Name one of them: targets=..."
            )
        values, columns = pick_columns(table, values, columns, _used(framing))
        check_finite(values, columns, index, _used(framing))
        check_constant(values, columns, framing.static_covariates)
        grid, freq = read_times(index)
        starts = _window_starts(framing, len(values), grid)
        return Windows(framing, values, tuple(columns), index, starts, grid, freq)

    def last_window(self, table: Table, future: pd.DataFrame | None = None) -> Inputs:
        """The newest inputs of a table: what a model needs to forecast beyond its last row.

        Parameters
        ----------
        table : pandas.DataFrame, pandas.Series or numpy.ndarray
            At least `lookback` rows. Columns that are not inputs may be missing or empty.
        future : pandas.DataFrame, optional
            The future covariates at the target times, in a framing that has them.

        Returns
        -------
        numpy.ndarray or dict
            X, shape (1, lookback, inputs); for a framing with future or static covariates a
            dict with the keys "X", "future" and "static".

        Raises
        ------
        ValueError
            As for `windows`; and if `future` lacks a target time.

        Examples
        --------
        >>> from tsforecast import datasets
        >>> Framing(3).last_window(datasets.toy("univariate")).ravel()
        array([70., 80., 90.], dtype=float32)
        """
        values, columns, index = read_table(table)
        if len(values) < self.lookback:
            raise ValueError(
                f"The table has {len(values)} rows and a forecast needs the last "
                f"{self.lookback} (lookback={self.lookback}). Add rows or shorten the lookback."
            )
        framing = self.named(columns)
        known = (*framing.inputs, *framing.static_covariates)
        if isinstance(table, np.ndarray):
            _check_width(framing, columns)
        values, columns = pick_columns(table, values, columns, known)
        grid, _ = read_times(index)
        first = len(values) - self.lookback
        values, index = values[first:], index[first:]
        check_finite(values, columns, index, known, first)
        steps = np.diff(np.arange(len(index)) if grid is None else grid[-self.lookback :])
        if (steps > 1).any():
            row = int(np.argmax(steps > 1))
            raise ValueError(
                f"Rows are missing between {index[row]} and {index[row + 1]}, inside the last "
                f"{self.lookback} rows that the forecast reads. Fill them, or shorten the lookback."
            )
        arrays = {"X": take_columns(values, columns, framing.inputs)[None]}
        if framing.future_covariates:
            arrays["future"] = self._future_rows(future, table)[None]
        if framing.static_covariates:
            arrays["static"] = take_columns(values[-1:], columns, framing.static_covariates)
        return arrays["X"] if len(arrays) == 1 else arrays

    def _future_rows(self, future: pd.DataFrame | None, table: Table) -> np.ndarray:
        times = self.target_times(table)
        names = list(self.future_covariates)
        if future is None:
            raise ValueError(
                f"This framing knows {names} ahead of time. Pass future=, a table with these "
                f"columns at the {self.horizon} target times {times[0]} to {times[-1]}."
            )
        if not isinstance(future, (pd.DataFrame, pd.Series)):
            raise ValueError(
                f"future= must be a DataFrame whose index holds the target times, with the columns "
                f"{names}; got {type(future).__name__}."
            )
        unnamed = [name for name in names if name not in _names_of(future)]
        if unnamed:
            raise ValueError(
                f"future= has no column {unnamed[0]!r}; its columns are {_names_of(future)}. It needs "
                f"{names} at the target times."
            )
        absent = [time for time in times if time not in future.index]
        if absent:
            raise ValueError(
                f"future= has no row for {absent[0]} ({len(absent)} of {len(times)} target times "
                f"are missing). Its index must hold every time from {times[0]} to {times[-1]}, and "
                f"it holds {future.index.dtype} ({future.index[:1].tolist()} ...). To make one: "
                f"pd.DataFrame({{...}}, index=framing.target_times(table))."
            )
        future = future.loc[times]
        check_order(future.index)
        values, columns, index = read_table(future)
        values, columns = pick_columns(future, values, columns, names)
        check_finite(values, columns, index, names)
        return take_columns(values, columns, names)

    def target_times(self, table: Table) -> pd.Index:
        """The times that `last_window` leads to: those of the forecast beyond the last row.

        Examples
        --------
        >>> Framing(3, horizon=2).target_times(np.arange(9.0)).tolist()
        [9, 10]
        """
        _, _, index = read_table(table)
        _, freq = read_times(index)
        steps = self.lead + self.horizon  # from the last row (step 0) to the last target
        if len(index) == 0:
            raise ValueError("The table has 0 rows, so nothing comes after its last row.")
        if freq is None:
            raise ValueError(
                "One row does not tell how far apart the times are. Give a table of two rows or "
                "more, or say it: table = table.asfreq('h')."
            )
        if isinstance(index, pd.DatetimeIndex):
            times: pd.Index = pd.date_range(index[-1], periods=steps, freq=freq, name=index.name)
        elif isinstance(index, pd.PeriodIndex):
            ahead = [index[-1] + freq * step for step in range(steps)]
            times = pd.PeriodIndex(ahead, name=index.name)
        else:
            first = int(index[-1])
            times = pd.RangeIndex(first, first + steps * freq, freq, name=index.name)
        return times[self.lead :]


@dataclass(frozen=True, repr=False, eq=False)
class Windows:
    """The windows of one table: views of its rows, with their times. Made by `Framing.windows`.

    Attributes
    ----------
    framing : Framing
        The framing, with its columns named.
    index : pandas.Index
        The times of the table's rows.
    starts : range or numpy.ndarray
        The first row of each window.

    Examples
    --------
    >>> from tsforecast import datasets
    >>> windows = Framing(3).windows(datasets.toy("univariate"))
    >>> X, y = windows[0]
    >>> X.ravel().tolist(), y.ravel().tolist()
    ([10, 20, 30], [40])
    >>> len(windows), windows[2:4]
    (6, 2 windows: X (2, 3, 1), y (2, 1, 1))
    """

    framing: Framing
    values: np.ndarray
    columns: tuple[Hashable, ...]
    index: pd.Index
    starts: range | np.ndarray
    grid: np.ndarray | None  # whole steps since the first row; None: no gaps
    freq: Any

    # --- the arrays -------------------------------------------------------------------------

    @cached_property
    def X(self) -> np.ndarray:
        """Inputs, (samples, lookback, inputs): a view of the table where it has no gaps."""
        return self._part(0, self.framing.lookback, self.framing.inputs)

    @cached_property
    def y(self) -> np.ndarray:
        """Targets, (samples, horizon, targets): a view of the table where it has no gaps."""
        return self._part(self._first_target, self.framing.horizon, self.framing.targets)

    @cached_property
    def future(self) -> np.ndarray:
        """Future covariates at the target steps, (samples, horizon, future)."""
        names = self.framing.future_covariates
        return self._part(self._first_target, self.framing.horizon, names)

    @cached_property
    def static(self) -> np.ndarray:
        """Static covariates, (samples, static)."""
        names = self.framing.static_covariates
        return self._part(0, 1, names)[:, 0]

    def _part(self, offset: int, length: int, names: Sequence[Hashable]) -> np.ndarray:
        """A stretch of every window, (samples, length, columns)."""
        columns = self.values[:, _as_slice(self._numbers(names))]  # a copy if out of even order
        return _stretches(columns, length)[_rows(self.starts, offset)]

    def _cut(self, first: Any, length: int, names: Sequence[Hashable]) -> np.ndarray:
        """The stretches from some rows on, (..., length, columns); no other row is copied."""
        chosen = _as_slice(self._numbers(names))
        if isinstance(chosen, slice):
            return _stretches(self.values[:, chosen], length)[first]
        parts = [_stretches(self.values[:, c : c + 1], length)[first] for c in chosen]
        return np.concatenate(parts, axis=-1)

    def _numbers(self, names: Sequence[Hashable]) -> list[int]:
        return [self.columns.index(name) for name in names]

    @property
    def _first_target(self) -> int:
        return self.framing.lookback + self.framing.lead - 1

    def batch(self, rows: np.ndarray | slice) -> tuple[Inputs, np.ndarray]:
        """Some windows as contiguous float32 arrays, (inputs, y): what a training step takes.

        `inputs` is X, or a dict with the keys "X", "future" and "static" in a framing that has
        future or static covariates.
        """
        rows = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        starts = self.starts
        if isinstance(starts, range):  # evenly spaced: no list of starts is ever made
            starts = starts.start + starts.step * rows
        else:
            starts = starts[rows]
        framing, first = self.framing, self._first_target

        def copy(offset: int, length: int, names: Sequence[Hashable]) -> np.ndarray:
            return np.ascontiguousarray(self._cut(starts + offset, length, names), np.float32)

        arrays = {"X": copy(0, framing.lookback, framing.inputs)}
        if framing.future_covariates:
            arrays["future"] = copy(first, framing.horizon, framing.future_covariates)
        if framing.static_covariates:
            arrays["static"] = copy(0, 1, framing.static_covariates)[:, 0]
        y = copy(first, framing.horizon, framing.targets)
        return (arrays["X"] if len(arrays) == 1 else arrays), y

    def batches(
        self, batch_size: int = 32, *, shuffle: bool = False, seed: int | None = None
    ) -> Iterator[tuple[Inputs, np.ndarray]]:
        """Go once through all windows, a batch at a time.

        Parameters
        ----------
        batch_size : int
            Windows per batch; the last batch may be smaller.
        shuffle : bool
            Whether to draw the windows in random order. Windows are shuffled, never the steps
            inside them.
        seed : int, optional
            Makes the order repeatable.

        Yields
        ------
        inputs, y
            Contiguous float32 arrays; see `batch`.

        Examples
        --------
        >>> windows = Framing(3).windows(np.arange(9.0))
        >>> [y.shape for X, y in windows.batches(4)]
        [(4, 1, 1), (2, 1, 1)]
        """
        check_whole_number("batch_size", batch_size, 1)
        order = np.random.default_rng(seed).permutation(len(self)) if shuffle else None
        for first in range(0, len(self), batch_size):
            stop = min(first + batch_size, len(self))
            yield self.batch(np.arange(first, stop) if order is None else order[first:stop])

    def arrays(self) -> tuple[Inputs, np.ndarray]:
        """All windows as one batch: ``model.fit(*windows.arrays())`` is plain Keras."""
        return self.batch(np.arange(len(self)))

    # --- the times --------------------------------------------------------------------------

    def input_times(self, window: int) -> pd.Index:
        """Times of the input rows of one window."""
        start = self.starts[window]
        return self.index[start : start + self.framing.lookback]

    def target_times(self, window: int) -> pd.Index:
        """Times of the target rows of one window."""
        start = self.starts[window] + self._first_target
        return self.index[start : start + self.framing.horizon]

    @property
    def cutoffs(self) -> pd.Index:
        """For each window the time of its last input row."""
        return self.index[_rows(self.starts, self.framing.lookback - 1)]

    @property
    def target_rows(self) -> np.ndarray:
        """Row numbers of the targets in the table, (samples, horizon)."""
        first = np.asarray(self.starts) + self._first_target
        return first[:, None] + np.arange(self.framing.horizon)

    def split(self, *times: Any) -> list[Windows]:
        """Part the windows by the time of their targets: train, validation, test.

        Parameters
        ----------
        *times : labels of the index
            Each begins a new part. A window belongs to the part that holds all of its targets;
            one whose targets lie on both sides is left out. Inputs of a later part may reach
            back before the border, as they do when you forecast.

        Returns
        -------
        list of Windows
            One more than there are `times`.

        Raises
        ------
        ValueError
            If a part has no window, or if the times are not in order.

        Examples
        --------
        >>> windows = Framing(3, horizon=2).windows(np.arange(12.0))
        >>> train, test = windows.split(8)
        >>> train.target_times(-1).tolist(), test.target_times(0).tolist()
        ([6, 7], [8, 9])
        """
        borders = [self.index.searchsorted(as_label(time, self.index)) for time in times]
        if borders != sorted(borders):
            raise ValueError(f"The times {list(times)} are not in order. Give the earliest first.")
        edges = [0, *borders, len(self.index)]
        parts = []
        for part, (begin, end) in enumerate(itertools.pairwise(edges)):
            first = bisect_left(self.starts, begin - self._first_target)
            last = bisect_right(self.starts, end - self.framing.span)
            if first >= last:
                raise ValueError(
                    f"Part {part + 1} of {len(edges) - 1} has no window: no window has all of its "
                    f"targets from row {begin} to row {end - 1}. The table runs from "
                    f"{self.index[0]} to {self.index[-1]}; the borders are {list(times)}."
                )
            parts.append(self[first:last])
        return parts

    # --- looking at it ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            if which.step is not None and which.step < 0:
                raise ValueError("Windows stay in the order of time: slice them with a step >= 1.")
            return replace(self, starts=self.starts[which])
        start, framing = self.starts[which], self.framing
        y = self._cut(start + self._first_target, framing.horizon, framing.targets)
        return self._cut(start, framing.lookback, framing.inputs), y

    def __repr__(self) -> str:
        framing, n = self.framing, len(self)
        text = f"{n} windows: X {(n, framing.lookback, framing.n_inputs)}"
        text += f", y {(n, framing.horizon, framing.n_targets)}"
        if framing.future_covariates:
            text += f", future {(n, framing.horizon, len(framing.future_covariates))}"
        if framing.static_covariates:
            text += f", static {(n, len(framing.static_covariates))}"
        return text

    def describe(self, window: int = 0) -> None:
        """Print the count, and which rows go into and come out of one window.

        Examples
        --------
        >>> from tsforecast import datasets
        >>> Framing(3).windows(datasets.toy("univariate")).describe()
        6 windows: X (6, 3, 1), y (6, 1, 1)
        9 rows - lookback 3 - lead 1 - horizon 1 + 2 = 6 windows
        window 0   a
        in    0   10
        in    1   20
        in    2   30
        out   3   40
        """
        print(self)
        framing = self.framing
        if len(self) == len(self.index) - framing.span + 1:
            print(
                f"{len(self.index)} rows - lookback {framing.lookback} - lead {framing.lead} - "
                f"horizon {framing.horizon} + 2 = {len(self)} windows"
            )
        rows = self._rows_as_text(window)
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            print("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())

    def _rows_as_text(self, window: int) -> list[list[str]]:
        framing = self.framing
        names = list(dict.fromkeys([*framing.inputs, *framing.targets]))
        number = window % len(self)
        rows = [[f"window {number}", "", *map(str, names)]]
        ahead = framing.future_covariates
        for side, times, first, shown in (
            ("in", self.input_times(window), 0, framing.inputs),
            ("out", self.target_times(window), self._first_target, (*framing.targets, *ahead)),
        ):
            lines = []
            for step, time in enumerate(times):
                row = self.values[self.starts[window] + first + step]
                cells = [
                    f"{row[self.columns.index(name)]:g}" if name in shown else "" for name in names
                ]
                lines.append([side, str(time), *cells])
            if len(lines) > 6:
                lines[3:-2] = [["...", "", *[""] * len(names)]]
            rows += lines
        return rows

    def plot(self, window: int = 0, ax: Any = None) -> Any:
        """Draw one window on its table: inputs, targets and the cutoff between them."""
        from tsforecast.plotting import plot_window  # the one arrow that points downstream

        return plot_window(self, window, ax=ax)


def _window_starts(framing: Framing, rows: int, grid: np.ndarray | None) -> range | np.ndarray:
    """First rows of the windows, which never cross a gap."""
    borders = [] if grid is None else (np.flatnonzero(np.diff(grid) > 1) + 1).tolist()
    edges = [0, *borders, rows]
    stretches = [
        range(begin, end - framing.span + 1, framing.stride)
        for begin, end in itertools.pairwise(edges)
    ]
    stretches = [starts for starts in stretches if len(starts)]
    if not stretches:
        longest = max(end - begin for begin, end in itertools.pairwise(edges))
        where = (
            f"{rows} rows"
            if not borders
            else (
                f"{rows} rows with {len(borders)} gaps in time, and the longest stretch without a gap "
                f"has {longest} rows"
            )
        )
        raise ValueError(
            f"The table has {where}. One window needs {framing.span} rows: lookback "
            f"{framing.lookback} + lead {framing.lead} + horizon {framing.horizon} - 1. "
            f"Give more rows, or shorten the lookback or the horizon."
        )
    if len(stretches) == 1:
        return stretches[0]
    return np.concatenate([np.asarray(starts) for starts in stretches])


def _check_width(framing: Framing, columns: list[Hashable]) -> None:
    expected = max((*framing.inputs, *framing.static_covariates), default=0)
    if isinstance(expected, int) and expected >= len(columns):
        raise ValueError(
            f"The framing reads {framing.n_inputs} columns ({list(framing.inputs)}) and the array "
            f"has {len(columns)}. Give an array of shape (rows, columns) with all of them."
        )


def _as_names(names: Any) -> tuple[Hashable, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not isinstance(names, Iterable):
        return (names,)
    return tuple(names)


def _names_of(table: pd.DataFrame | pd.Series) -> list[Hashable]:
    return list(table.columns) if isinstance(table, pd.DataFrame) else [table.name]


def _used(framing: Framing) -> list[Hashable]:
    names = (*framing.inputs, *framing.targets, *framing.static_covariates)
    return list(dict.fromkeys(names))


def _stretches(values: np.ndarray, length: int) -> np.ndarray:
    """What begins at every row, (rows, length, columns): a view."""
    return sliding_window_view(values, length, axis=0).swapaxes(1, 2)


def _as_slice(columns: list[int]) -> slice | list[int]:
    """Column numbers as a slice where they are evenly spaced: a slice gives a view, not a copy."""
    if len(columns) == 1:
        return slice(columns[0], columns[0] + 1)
    steps = {b - a for a, b in itertools.pairwise(columns)}
    if len(steps) == 1 and min(steps) > 0:
        return slice(columns[0], columns[-1] + 1, steps.pop())
    return columns


def _rows(starts: range | np.ndarray, offset: int) -> slice | np.ndarray:
    if isinstance(starts, range):
        return slice(starts.start + offset, starts.stop + offset, starts.step)
    return starts + offset
