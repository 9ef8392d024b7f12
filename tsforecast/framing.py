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
    SMALL,
    Rows,
    Table,
    as_label,
    check_constant,
    check_dates_are_index,
    check_finite,
    check_memory,
    check_one_spacing,
    check_order,
    check_unique,
    check_whole_number,
    file_of,
    is_always_as_long,
    is_panel,
    on_grid,
    pick_columns,
    read_panel,
    read_table,
    read_times,
    release,
    take_columns,
)

Names: TypeAlias = "Hashable | Sequence[Hashable]"
Inputs: TypeAlias = "np.ndarray | dict[str, np.ndarray]"
MISSING = ("refuse", "skip", "mask")


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
    missing : {"refuse", "skip", "mask"}
        What to do with missing values. "refuse" says where they are. "skip" leaves out the
        windows that would hold one. "mask" lets inputs be missing, and the model skips such time
        steps: rows missing in time are masked steps instead of walls, and a window may begin
        before its series does. Targets are never missing in a window.
    min_history : int, optional
        With ``missing="mask"``: the time steps of the lookback that must be known, with all of
        their inputs; by default 1.
    categories : tuple, optional
        For each static covariate that holds text, its name and the values it may have. Filled in
        by `windows`; a value that is not among them counts as unknown.

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
    missing: str = "refuse"
    min_history: int | None = None
    categories: Any = ()

    def __post_init__(self) -> None:
        for name, least in (("lookback", 1), ("horizon", 1), ("lead", 0), ("stride", 1)):
            check_whole_number(name, getattr(self, name), least)
            object.__setattr__(self, name, int(getattr(self, name)))  # of NumPy: no Keras shape
        for role in ("targets", "past_covariates", "future_covariates", "static_covariates"):
            object.__setattr__(self, role, _as_names(getattr(self, role)))
        self._check_roles()
        self._check_missing()

    def _check_missing(self) -> None:
        if self.missing not in MISSING:
            raise ValueError(
                f"missing={self.missing!r} is not a choice. Choose 'refuse' (an error says where "
                f"values are missing), 'skip' (windows that hold one are left out) or 'mask' (the "
                f"model skips such time steps)."
            )
        if self.min_history is None:
            return
        check_whole_number("min_history", self.min_history, 1)
        object.__setattr__(self, "min_history", int(self.min_history))
        if self.missing != "mask" or self.min_history > self.lookback:
            raise ValueError(
                f"min_history={self.min_history} says how many steps of the lookback must be known "
                f"where others may be missing: it needs missing='mask' and is at most the lookback "
                f"of {self.lookback} (got missing={self.missing!r})."
            )

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
    def least_known(self) -> int:
        """Time steps of the lookback that must be known: all of them, unless some are masked."""
        if self.missing != "mask":
            return self.lookback
        return 1 if self.min_history is None else self.min_history

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
        """Cut a table or a panel into windows, without copying it.

        Parameters
        ----------
        table : pandas.DataFrame, pandas.Series or numpy.ndarray
            One row per time step in order of time, one column per variable. Rows missing from
            a regular spacing are walls: no window reaches across. A DataFrame with the columns
            ``unique_id`` and ``ds`` is a panel: many series below each other, which may begin
            and end at different times; no window reaches from one series into another.

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
        rows, framing = self._read(table)
        check_finite(rows, _used(framing), missing=self.missing)
        check_finite(rows, framing.static_covariates)
        check_constant(rows, framing.static_covariates)
        if self.missing == "mask":
            front = self.lookback - self.least_known  # steps before a series that a window may hold
            rows = on_grid(rows, front, framing.static_covariates)
        starts = _window_starts(framing, rows)
        if self.missing != "refuse":
            starts = _known_windows(framing, rows, starts)
        return Windows(framing, rows, starts)

    def _read(self, table: Table) -> tuple[Rows, Framing]:
        """The rows of a table or panel, and the framing with its columns named."""
        if is_panel(table):
            framing, panel = self._encoded(table)
            _check_targets(framing, list(panel.columns[2:]))
            return read_panel(panel, _used(framing)), framing
        values, columns, index = read_table(table)
        framing = self.named(columns)
        check_dates_are_index(table, _used(framing))
        _check_targets(framing, columns)
        values, columns = pick_columns(table, values, columns, _used(framing))
        grid, freq = read_times(index)
        check_one_spacing(index, grid)
        return Rows(values, columns, index, grid, freq), framing

    def _encoded(self, panel: Any) -> tuple[Framing, pd.DataFrame]:
        """Text in static covariates as numbers: 1, 2, ... by `categories`, 0 for an unknown one."""
        values = [name for name in panel.columns if name not in ("unique_id", "ds")]
        panel = panel[["unique_id", "ds", *values]]
        framing = self.named([name for name in values if not _is_text(panel[name])])
        known = dict(self.categories)
        for name in self.static_covariates:
            if name in panel.columns and (name in known or _is_text(panel[name])):
                if panel[name].isna().any():
                    row = int(np.argmax(panel[name].isna()))
                    raise ValueError(
                        f"The static covariate {name!r} is missing in row {row} of the panel. Fill "
                        f"it, for example with panel[{name!r}].fillna('unknown')."
                    )
                known.setdefault(name, tuple(sorted(panel[name].unique(), key=str)))
                codes = pd.Index(known[name]).get_indexer(panel[name]) + 1.0
                panel = panel.assign(**{str(name): codes})
        return replace(framing, categories=tuple(known.items())), panel

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
        MemoryError
            If they do not fit into memory.

        Examples
        --------
        >>> from tsforecast import datasets
        >>> Framing(3).last_window(datasets.toy("univariate")).ravel()
        array([70., 80., 90.], dtype=float32)
        """
        rows, framing = self._last_rows(table)
        known = (*framing.inputs, *framing.static_covariates)
        first = rows.last - self.lookback + 1
        check_memory(
            f"The last {self.lookback} rows of {len(first):,} series",
            len(first) * self.lookback * 8.0 * (rows.values.shape[1] + len(known)),
            "Forecast some series at a time.",
        )
        chosen = first[:, None] + np.arange(self.lookback)  # (series, lookback)
        part = replace(
            rows,
            values=rows.values[chosen.ravel()],
            index=rows.index[chosen.ravel()],
            ids=None if rows.ids is None else rows.ids[chosen.ravel()],
        )
        check_finite(part, known, int(first[0]), "mask" if self.missing == "mask" else "refuse")
        values = part.values.reshape(*chosen.shape, -1)  # (series, lookback, columns)
        if self.missing == "mask":
            self._check_known_steps(part, values[:, :, [part.columns.index(n) for n in known]])

        def copy(names: Sequence[Hashable]) -> np.ndarray:
            taken = take_columns(part.values, part.columns, names)
            return taken.reshape(*values.shape[:2], len(names))

        arrays = {"X": copy(framing.inputs)}
        if framing.future_covariates:
            arrays["future"] = framing._future_rows(future, table)
        if framing.static_covariates:
            arrays["static"] = copy(framing.static_covariates)[:, -1]
        return arrays["X"] if len(arrays) == 1 else arrays

    def _check_known_steps(self, rows: Rows, values: np.ndarray) -> None:
        """`values` are those of the last steps of each series, (series, lookback, columns)."""
        known = np.isfinite(values).all(axis=2).sum(axis=1)  # (series,)
        if (known < self.least_known).any():
            number = int(np.argmax(known < self.least_known))
            whose = "The table" if rows.ids is None else f"Series {rows.names[number]!r}"
            raise ValueError(
                f"{whose} has {known[number]} known steps among its last {self.lookback}, and a "
                f"forecast needs {self.least_known} (min_history={self.least_known}). A step is "
                f"known if none of {list(self.inputs or rows.columns)} is missing. Fill them "
                f"(tsf.fill_gaps(table)), or leave the series out."
            )

    def _last_rows(self, table: Table) -> tuple[Rows, Framing]:
        """The rows of a table whose last `lookback` rows can be read; targets may be missing."""
        masked = self.missing == "mask"
        if is_panel(table):
            framing, panel = self._encoded(table)
            rows = read_panel(panel, (*framing.inputs, *framing.static_covariates))
            if masked:
                return on_grid(rows, self.lookback, framing.static_covariates), framing
            first = np.append(0, rows.last[:-1] + 1)
            short = rows.last - first + 1 < self.lookback
            if short.any():
                number = int(np.argmax(short))
                raise ValueError(
                    f"Series {rows.names[number]!r} has {rows.last[number] - first[number] + 1} rows "
                    f"and a forecast needs the last {self.lookback} (lookback={self.lookback}); "
                    f"{short.sum()} of {len(short)} series are too short. Leave them out, or "
                    f"shorten the lookback."
                )
        else:
            values, columns, index = read_table(table)
            if len(values) < (1 if masked else self.lookback):
                raise ValueError(
                    f"The table has {len(values)} rows and a forecast needs the last "
                    f"{self.lookback} (lookback={self.lookback}). Add rows or shorten the lookback."
                )
            framing = self.named(columns)
            known = (*framing.inputs, *framing.static_covariates)
            if isinstance(table, np.ndarray):
                _check_width(framing, columns)
            values, columns = pick_columns(table, values, columns, known)
            grid, freq = read_times(index)
            rows = Rows(values, columns, index, grid, freq)
            if masked:
                return on_grid(rows, self.lookback, framing.static_covariates), framing
        if rows.grid is not None:
            steps = rows.grid[rows.last] - rows.grid[rows.last - self.lookback + 1]
            if (steps >= self.lookback).any():
                last = int(rows.last[np.argmax(steps >= self.lookback)])
                inside = np.diff(rows.grid[last - self.lookback + 1 : last + 1])
                row = last - self.lookback + 1 + int(np.argmax(inside > 1))
                raise ValueError(
                    f"Rows are missing between {rows.index[row]} and {rows.where(row + 1)}, inside "
                    f"the last {self.lookback} rows that the forecast reads. Fill them "
                    f"(tsf.fill_gaps(table)), or shorten the lookback."
                )
        return rows, framing

    def _future_rows(self, future: Any, table: Table) -> np.ndarray:
        """The future covariates at the target times, (series, horizon, future)."""
        times, names, panel = (
            self.target_times(table),
            list(self.future_covariates),
            is_panel(table),
        )
        columns = ["unique_id", "ds", *names] if panel else names
        if future is None:
            raise ValueError(
                f"This framing knows {names} ahead of time. Pass future=, a table with the columns "
                f"{columns} at the {self.horizon} target times {times[0]} to {times[-1]}."
            )
        if not isinstance(future, (pd.DataFrame, pd.Series)):
            raise ValueError(
                f"future= must be a DataFrame whose index holds the target times, with the columns "
                f"{names}; got {type(future).__name__}."
            )
        if panel and future.index.names == ["unique_id", "ds"]:
            future = future.reset_index()
        unnamed = [name for name in columns if name not in _names_of(future)]
        if unnamed:
            raise ValueError(
                f"future= has no column {unnamed[0]!r}; its columns are {_names_of(future)}. It needs "
                f"{columns} at the target times."
            )
        if panel:
            future = future.set_index(["unique_id", "ds"])
        absent = times[~times.isin(future.index)]
        if len(absent):
            raise ValueError(
                f"future= has no row for {absent[0]} ({len(absent)} of {len(times)} target times "
                f"are missing). Its index must hold every time from {times[0]} to {times[-1]}; what "
                f"it holds begins with {future.index[:1].tolist()}. To make one: "
                f"pd.DataFrame({{...}}, index=framing.target_times(table))."
            )
        future = future.loc[future.index.isin(times)]
        if panel:
            check_unique(future.index)
            future = future.reindex(times)
        else:
            check_order(future.index)
        values, columns, index = read_table(future)
        values, columns = pick_columns(future, values, columns, names)
        check_finite(Rows(values, columns, index, None, None), names)
        return take_columns(values, columns, names).reshape(-1, self.horizon, len(names))

    def target_times(self, table: Table) -> pd.Index:
        """The times that `last_window` leads to: those of the forecast beyond the last row.

        Of a panel, the pairs of series and time, with the names ``unique_id`` and ``ds``.

        Examples
        --------
        >>> Framing(3, horizon=2).target_times(np.arange(9.0)).tolist()
        [9, 10]
        """
        if is_panel(table):
            rows = read_panel(table, ())  # type: ignore[arg-type]
            code, ends = pd.factorize(rows.index[rows.last])  # many series end at the same time
            after: Any = [self._times_after(time, rows.freq) for time in ends]
            places = code[:, None] * self.horizon + np.arange(self.horizon)  # (series, horizon)
            ds = after[0].append(after[1:])[places.ravel()]
            names = pd.Index(rows.names).repeat(self.horizon)
            return pd.MultiIndex.from_arrays([names, ds], names=["unique_id", "ds"])
        _, _, index = read_table(table)
        _, freq = read_times(index)
        if len(index) == 0:
            raise ValueError("The table has 0 rows, so nothing comes after its last row.")
        times = self._times_after(index[-1], freq)
        return times.rename(index.name)

    def _times_after(self, last: Any, freq: Any) -> pd.Index:
        """The target times of a forecast whose last known row is at `last`."""
        steps = self.lead + self.horizon  # from the last row (step 0) to the last target
        if freq is None:
            raise ValueError(
                "One row does not tell how far apart the times are. Give a table of two rows or "
                "more, or say it: table = table.asfreq('h')."
            )
        if isinstance(last, pd.Timestamp):
            times: pd.Index = _dates_from(last, steps, freq)
        elif isinstance(last, pd.Period):
            times = pd.PeriodIndex([last + freq * step for step in range(steps)])
        else:
            times = pd.RangeIndex(int(last), int(last) + steps * freq, freq)
        return times[self.lead :]


def _dates_from(first: pd.Timestamp, count: int, freq: Any) -> pd.DatetimeIndex:
    """So many times from the first one on, by the clock where a step is a day or longer."""
    if first.tz is None or is_always_as_long(freq):
        return pd.date_range(first, periods=count, freq=freq, unit=first.unit)
    wall = pd.date_range(first.tz_localize(None), periods=count, freq=freq, unit=first.unit)
    first_of_two = np.ones(count, dtype=bool)  # where the clock shows a time twice
    return wall.tz_localize(first.tz, ambiguous=first_of_two, nonexistent="shift_forward")


def random_order(count: int, rng: np.random.Generator) -> Any:
    """The numbers from 0 to count - 1 in random order: drawn if they are few, else computed.

    Parameters
    ----------
    count : int
        How many.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    numpy.ndarray or RandomOrder
        A slice of it gives the numbers at those places.

    Examples
    --------
    >>> sorted(random_order(5, np.random.default_rng(0))[0:5].tolist())
    [0, 1, 2, 3, 4]
    """
    return rng.permutation(count) if count <= 100_000 else RandomOrder(count, rng)


class RandomOrder:
    """A random order that is computed where it is asked for, so a billion windows need no list.

    A place is scrambled four times: times an odd number, plus a number, and its high bits are mixed
    into its low ones. Each of these can be undone, so no two places give the same number. A result
    beyond the last number is scrambled again.

    References
    ----------
    Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002: cycle walking.

    Examples
    --------
    >>> order = RandomOrder(1_000_000, np.random.default_rng(0))
    >>> len(set(order[0:1_000_000].tolist()))
    1000000
    """

    block = 1 << 12  # places that are computed at once

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.count, bits = count, int(count - 1).bit_length()
        self.mask, self.shift = np.uint64((1 << bits) - 1), np.uint64((bits + 1) // 2)
        self.odd = rng.integers(0, 1 << 63, 4, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self.plus = rng.integers(0, 1 << 63, 4, dtype=np.uint64)
        self.first, self.numbers = 0, np.arange(0)  # the block that was computed last

    def __getitem__(self, places: slice) -> np.ndarray:
        start, stop, _ = places.indices(self.count)
        if not self.first <= start <= stop <= self.first + len(self.numbers):
            self.first = start
            self.numbers = self._at(start, min(max(start + self.block, stop), self.count))
        return self.numbers[start - self.first : stop - self.first]

    def _at(self, start: int, stop: int) -> np.ndarray:
        """The numbers at the places from start to stop."""
        numbers = self._scramble(np.arange(start, stop, dtype=np.uint64))
        beyond = np.flatnonzero(numbers >= self.count)
        while len(beyond):
            numbers[beyond] = self._scramble(numbers[beyond])
            beyond = beyond[numbers[beyond] >= self.count]
        return numbers.astype(np.int64)

    def _scramble(self, x: np.ndarray) -> np.ndarray:
        for odd, plus in zip(self.odd, self.plus, strict=True):
            x = (x * odd + plus) & self.mask
            x = x ^ (x >> self.shift)
        return x


@dataclass(frozen=True, repr=False, eq=False)
class Windows:
    """The windows of a table or panel: views of its rows, with times. Made by `Framing.windows`.

    Attributes
    ----------
    framing : Framing
        The framing, with its columns named.
    rows : Rows
        The rows of the table, with their times.
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
    rows: Rows
    starts: range | np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The numbers of the table, (rows, columns)."""
        return self.rows.values

    @property
    def columns(self) -> list[Hashable]:
        """The names of the columns of `values`."""
        return self.rows.columns

    @property
    def index(self) -> pd.Index:
        """The times of the table's rows."""
        return self.rows.index

    @property
    def grid(self) -> np.ndarray | None:
        """Whole steps of each row; a jump is a wall. None: no walls."""
        return self.rows.grid

    @property
    def freq(self) -> Any:
        """The step between two rows."""
        return self.rows.freq

    @property
    def ids(self) -> np.ndarray | None:
        """Of a panel: the number of each row's series in `names`."""
        return self.rows.ids

    @property
    def names(self) -> tuple[Hashable, ...]:
        """Of a panel: the names of the series."""
        return self.rows.names

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
        if not isinstance(self.starts, range):
            check_memory(
                f"{len(self):,} windows of {length} x {len(names)} numbers, copied, since the "
                f"table has gaps or several series",
                self.values.itemsize * float(len(self)) * length * len(names),
                "Go through them with windows.batches(), as fit and predict do, or cut fewer: "
                "Framing(stride=...).",
            )
        columns = self.values[:, _as_slice(self._numbers(names))]  # a copy if out of even order
        return _stretches(columns, length)[_rows(self.starts, offset)]

    @cached_property
    def _views(self) -> dict[str, list[np.ndarray]]:
        """Of X, future, static and y what a window at each row has, (rows, length, columns): views.

        One view for each array; one for each column where the columns are not evenly spaced.
        """
        framing, first = self.framing, self._first_target
        parts = {
            "X": (0, framing.lookback, framing.inputs),
            "future": (first, framing.horizon, framing.future_covariates),
            "static": (0, 1, framing.static_covariates),
            "y": (first, framing.horizon, framing.targets),
        }
        views = {}
        for name, (offset, length, columns) in parts.items():
            chosen = _as_slice(self._numbers(columns)) if columns else []
            slices = [chosen] if isinstance(chosen, slice) else [slice(c, c + 1) for c in chosen]
            views[name] = [_stretches(self.values[offset:, c], length) for c in slices]
        return {name: parts for name, parts in views.items() if parts}

    @cached_property
    def _bytes(self) -> float:
        """Of one window as a training step takes it, with its targets."""
        framing = self.framing
        ahead = framing.n_targets + len(framing.future_covariates)
        return 4.0 * (framing.lookback * framing.n_inputs + framing.horizon * ahead)

    @cached_property
    def _file(self) -> np.memmap | None:
        return file_of(self.values)

    def _numbers(self, names: Sequence[Hashable]) -> list[int]:
        return [self.columns.index(name) for name in names]

    @property
    def _first_target(self) -> int:
        return self.framing.lookback + self.framing.lead - 1

    def batch(self, rows: np.ndarray | slice) -> tuple[Inputs, np.ndarray]:
        """Some windows as contiguous float32 arrays, (inputs, y): what a training step takes.

        `inputs` is X, or a dict with the keys "X", "future" and "static" in a framing that has
        future or static covariates. A MemoryError says so if the batch does not fit into memory.
        """
        rows = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        if len(rows) * self._bytes > SMALL:  # else not even the words are made: this is a hot path
            check_memory(
                f"A batch of {len(rows):,} windows",
                len(rows) * self._bytes,
                "Give a smaller batch_size, or cut fewer windows: Framing(stride=...).",
            )
        starts = self.starts
        if not isinstance(starts, range):
            starts = starts[rows]
        elif starts == range(len(starts)):  # a window at every row
            starts = rows
        else:  # evenly spaced: no list of starts is ever made
            starts = starts.start + starts.step * rows
        arrays = {
            name: np.ascontiguousarray(_cut(views, starts), np.float32)
            for name, views in self._views.items()
        }
        if self._file is not None:
            release(self._file)
        y = arrays.pop("y")
        if "static" in arrays:
            arrays["static"] = arrays["static"][:, 0]
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
        order = random_order(len(self), np.random.default_rng(seed)) if shuffle else None
        for first in range(0, len(self), batch_size):
            stop = min(first + batch_size, len(self))
            yield self.batch(slice(first, stop) if order is None else order[first:stop])

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
        labels = [as_label(time, self.index) for time in times]
        if labels != sorted(labels):
            raise ValueError(f"The times {list(times)} are not in order. Give the earliest first.")
        if self.ids is not None:
            return self._split_panel(labels)
        borders = [_row_of(label, self.index) for label in labels]
        edges = [0, *borders, len(self.index)]
        parts = []
        for part, (begin, end) in enumerate(itertools.pairwise(edges)):
            first = bisect_left(self.starts, begin - self._first_target)
            last = bisect_right(self.starts, end - self.framing.span)
            if first >= last:
                if begin >= len(self.index):
                    raise ValueError(
                        f"{times[part - 1]!r} lies after the last row of the table, which runs from "
                        f"{self.index[0]} to {self.index[-1]}. Choose an earlier border."
                    )
                raise ValueError(
                    f"Part {part + 1} of {len(edges) - 1} has no window: no window has all of its "
                    f"targets from row {begin} to row {end - 1}. The table runs from "
                    f"{self.index[0]} to {self.index[-1]}; the borders are {list(times)}."
                )
            parts.append(self[first:last])
        return parts

    def _split_panel(self, labels: list[Any]) -> list[Windows]:
        first = self.index[np.asarray(self.starts) + self._first_target]  # target of each window
        last = self.index[np.asarray(self.starts) + self.framing.span - 1]
        parts = []
        for part, (begin, end) in enumerate(itertools.pairwise([None, *labels, None])):
            inside = np.ones(len(self), dtype=bool)
            if begin is not None:
                inside &= np.asarray(first >= begin)
            if end is not None:
                inside &= np.asarray(last < end)
            if not inside.any():
                raise ValueError(
                    f"Part {part + 1} of {len(labels) + 1} has no window: no window has all of its "
                    f"targets from {begin or self.index.min()} to {end or self.index.max()}."
                )
            parts.append(replace(self, starts=np.asarray(self.starts)[inside]))
        return parts

    def of_series(self, name: Hashable) -> Windows:
        """The windows of one series of a panel.

        Parameters
        ----------
        name : str or int
            Its ``unique_id``.

        Examples
        --------
        >>> panel = pd.DataFrame({"unique_id": ["a"] * 5 + ["b"] * 4, "ds": [*range(5), *range(4)],
        ...                       "y": np.arange(9.0)})
        >>> Framing(3).windows(panel), Framing(3).windows(panel).of_series("b")
        (3 windows of 2 series: X (3, 3, 1), y (3, 1, 1), 1 windows of 2 series: X (1, 3, 1), y (1, 1, 1))
        """
        if self.ids is None or name not in self.names:
            raise ValueError(
                f"There is no series {name!r}. "
                + (
                    "This is a table, not a panel."
                    if self.ids is None
                    else f"There are {self.names}."
                )
            )
        starts = np.asarray(self.starts)
        return replace(self, starts=starts[self.ids[starts] == self.names.index(name)])

    def at_every_row(self) -> Windows:
        """The same windows at stride 1, for cutoffs that are chosen by time.

        Examples
        --------
        >>> len(Framing(3, stride=5).windows(np.arange(20.0)).at_every_row())
        17
        """
        framing = replace(self.framing, stride=1)
        starts = _window_starts(framing, self.rows)
        if framing.missing != "refuse":
            starts = _known_windows(framing, self.rows, starts)
        return Windows(framing, self.rows, starts)

    @property
    def series(self) -> pd.Index | None:
        """Of a panel: for each window the name of its series."""
        if self.ids is None:
            return None
        return pd.Index(self.names)[self.ids[np.asarray(self.starts)]]

    @property
    def target_span(self) -> tuple[Any, Any]:
        """The times of the earliest and of the latest target."""
        if self.ids is None:
            return self.target_times(0)[0], self.target_times(-1)[-1]
        rows = np.asarray(self.starts) + self._first_target
        return self.index[rows].min(), self.index[rows + self.framing.horizon - 1].max()

    # --- looking at it ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            if which.step is not None and which.step < 0:
                raise ValueError("Windows stay in the order of time: slice them with a step >= 1.")
            return replace(self, starts=self.starts[which])
        start = self.starts[which]
        return _cut(self._views["X"], start), _cut(self._views["y"], start)

    def __getstate__(self) -> dict[str, Any]:
        """To another process go the rows; their views, which would be copies there, are made anew."""
        return {name: getattr(self, name) for name in ("framing", "rows", "starts")}

    def __repr__(self) -> str:
        framing, n = self.framing, len(self)
        series = "" if self.ids is None else f" of {len(self.names)} series"
        text = f"{n} windows{series}: X {(n, framing.lookback, framing.n_inputs)}"
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
        if self.ids is None and len(self) == len(self.index) - framing.span + 1:
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
        series = "" if self.ids is None else str(self.names[self.ids[self.starts[number]]])
        rows = [[f"window {number}", series, *map(str, names)]]
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


def _window_starts(framing: Framing, rows: Rows) -> range | np.ndarray:
    """First rows of the windows, which never cross a gap or the border of a series."""
    count = len(rows.values)
    if rows.grid is None and count >= framing.span:
        return range(0, count - framing.span + 1, framing.stride)
    walls = np.arange(0) if rows.grid is None else np.flatnonzero(np.diff(rows.grid) != 1) + 1
    begins = np.append(0, walls)  # (stretches,)
    lengths = np.diff(np.append(begins, count))
    windows = np.maximum((lengths - framing.span) // framing.stride + 1, 0)  # of each stretch
    if not windows.any():
        raise ValueError(
            f"{_where(rows, lengths)} One window needs {framing.span} rows: lookback "
            f"{framing.lookback} + lead {framing.lead} + horizon {framing.horizon} - 1. "
            f"Give more rows, or shorten the lookback or the horizon."
        )
    if np.count_nonzero(windows) == 1:
        stretch = int(np.argmax(windows))
        first, stop = int(begins[stretch]), int(windows[stretch]) * framing.stride
        return range(first, first + stop, framing.stride)
    starts = np.arange(windows.sum())
    starts -= np.repeat(np.cumsum(windows) - windows, windows)  # 0, 1, ... in each stretch
    starts *= framing.stride
    starts += np.repeat(begins, windows)
    return starts


def _known_windows(framing: Framing, rows: Rows, starts: range | np.ndarray) -> range | np.ndarray:
    """The windows with enough known inputs, and with all of their targets."""
    inputs = _count_known(rows, framing.inputs)
    answers = _count_known(rows, (*framing.targets, *framing.future_covariates))
    begin = np.asarray(starts)
    first = begin + framing.lookback + framing.lead - 1  # row of the first target
    keep = inputs[begin + framing.lookback] - inputs[begin] >= framing.least_known
    keep &= answers[first + framing.horizon] - answers[first] == framing.horizon
    if keep.all():
        return starts
    if not keep.any():
        used = [rows.columns.index(name) for name in _used(framing)]
        missing = np.isnan(rows.values[:, used]).sum(axis=0)
        worst = _used(framing)[int(np.argmax(missing))]
        lacks, steps = "an input or a target", "rows"
        if framing.missing == "mask":
            lacks, steps = "known steps or a target", "steps, with those before the first row"
        raise ValueError(
            f"No window is left: each of {len(keep)} lacks {lacks}. Column {worst!r} is missing in "
            f"{missing.max()} of {len(rows.values)} {steps}. Fill it (tsf.fill_gaps(table)), leave "
            f"it out, or shorten the lookback or the horizon."
        )
    return begin[keep]


def _count_known(rows: Rows, names: Sequence[Hashable]) -> np.ndarray:
    """How many rows before each one have all of these columns, (rows + 1,)."""
    known = np.ones(len(rows.values), dtype=bool)
    for name in names:
        known &= ~np.isnan(rows.values[:, rows.columns.index(name)])
    return np.append(0, np.cumsum(known))


def _where(rows: Rows, lengths: np.ndarray) -> str:
    count, gaps = len(rows.values), len(lengths) - 1
    if rows.ids is not None:
        return (
            f"The panel has {len(rows.names)} series, and the longest stretch without a gap has "
            f"{lengths.max()} rows."
        )
    if not gaps:
        return f"The table has {count} rows."
    return (
        f"The table has {count} rows with {gaps} gaps in time, and the longest stretch without a "
        f"gap has {lengths.max()} rows."
    )


def _row_of(label: Any, index: pd.Index) -> int:
    """The first row that is not before a label. pandas 2 would write out a RangeIndex for it."""
    if isinstance(index, pd.RangeIndex):
        return bisect_left(range(index.start, index.stop, index.step), label)
    return int(index.searchsorted(label))


def _check_targets(framing: Framing, columns: list[Hashable]) -> None:
    if not framing.targets:
        raise ValueError(
            f"The framing has no column to forecast: the table's columns are {columns}, and "
            f"each has another role. Name one of them: targets=..."
        )


def _check_width(framing: Framing, columns: list[Hashable]) -> None:
    names = (*framing.inputs, *framing.static_covariates)
    expected = max((name for name in names if isinstance(name, int)), default=0)
    if expected >= len(columns):
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


def _is_text(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column)


def _used(framing: Framing) -> list[Hashable]:
    names = (*framing.inputs, *framing.targets, *framing.static_covariates)
    return list(dict.fromkeys(names))


def _stretches(values: np.ndarray, length: int) -> np.ndarray:
    """What begins at every row, (rows, length, columns): a view."""
    return sliding_window_view(values, length, axis=0).swapaxes(1, 2)


def _cut(views: list[np.ndarray], starts: Any) -> np.ndarray:
    """The stretches from some rows on, (..., length, columns); no other row is copied."""
    parts = [view[starts] for view in views]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


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
