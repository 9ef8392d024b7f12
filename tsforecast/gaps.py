"""Irregular times and missing values become a regular table, without a look ahead.

Taught in the chapter on gaps (`notebooks/gaps.ipynb`).
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tsforecast.tables import (
    Rows,
    Table,
    check_whole_number,
    is_panel,
    on_grid,
    read_panel,
    read_table,
    read_times,
)

PER_STEP = ("mean", "last", "sum", "min", "max")  # what `to_grid` can make of the rows of a step


def to_grid(table: pd.DataFrame, freq: str, method: str = "mean") -> pd.DataFrame:
    """Bring rows at irregular times to one row per step.

    Parameters
    ----------
    table : pandas.DataFrame
        With the times as its index, or a panel with the columns ``unique_id`` and ``ds``; the rows
        in any order, also several of the same time.
    freq : str
        The step, such as ``"h"`` or ``"D"``.
    method : {"mean", "last", "sum", "min", "max"}
        What becomes of several rows in one step; of text it is always the last.

    Returns
    -------
    pandas.DataFrame
        The row of a time holds what came after the step before and up to this time, never later;
        the column ``rows`` counts how many rows it is made of. Steps without a row are left out:
        they are gaps, which no window crosses.

    Raises
    ------
    ValueError
        If the table has no dates, if a time is missing, or if `method` is not known.

    Notes
    -----
    Local times without a time zone are ambiguous twice a year: the clock shows one hour twice, and
    another never. Say the zone first, with
    ``table.tz_localize("Europe/Berlin", ambiguous="infer", nonexistent="shift_forward")``; the
    steps are then as long as they were. Without it the repeated hour becomes one row, and the
    skipped one a gap.

    Examples
    --------
    >>> times = pd.to_datetime(["2024-01-01 09:50", "2024-01-01 09:58", "2024-01-01 12:00"])
    >>> to_grid(pd.DataFrame({"load": [1.0, 3.0, 5.0]}, index=times), "h")
                         load  rows
    2024-01-01 10:00:00   2.0     2
    2024-01-01 12:00:00   5.0     1
    """
    if method not in PER_STEP:
        raise ValueError(f"There is no method {method!r}. Choose from {', '.join(PER_STEP)}.")
    panel = is_panel(table)
    times = pd.Index(table["ds"] if panel else table.index)
    if not isinstance(times, pd.DatetimeIndex):
        raise ValueError(
            f"to_grid needs dates, and the times are {times.dtype} (the first is "
            f"{times[0] if len(times) else None!r}). Make them dates with pd.to_datetime."
        )
    if times.hasnans:
        row = int(np.argmax(times.isna()))
        raise ValueError(f"The time in row {row} is missing. Drop the row, or give it its time.")
    if "rows" in table:
        raise ValueError("The table has a column 'rows', and to_grid adds one. Rename it.")
    table = table.iloc[np.argsort(times, kind="stable")]
    step = pd.Grouper(key="ds" if panel else None, freq=freq, closed="right", label="right")
    groups = table.groupby(["unique_id", step] if panel else step, sort=True)
    names = [name for name in table.columns if name not in ("unique_id", "ds")]
    parts = {}
    for name in names:
        how = method if pd.api.types.is_numeric_dtype(table[name]) else "last"
        parts[name] = groups[name].sum(min_count=1) if how == "sum" else groups[name].agg(how)
    parts["rows"] = groups.size()
    steps = pd.DataFrame(parts)
    steps = steps[steps["rows"] > 0]
    return steps.reset_index() if panel else steps


def find_gaps(table: Table, columns: Any = None) -> pd.DataFrame:
    """Where values are missing, and for how long.

    Parameters
    ----------
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        A table or a panel.
    columns : column name or list of column names, optional
        Where to look; by default in all columns of numbers.

    Returns
    -------
    pandas.DataFrame
        A row per stretch: in a panel ``unique_id``; ``column``, or "every column" where whole rows
        are missing; ``from`` and ``to``, its first and last time; and its ``steps``.

    Raises
    ------
    ValueError
        If the times are repeated, unsorted or not evenly spaced, or if a column does not exist.

    Examples
    --------
    >>> table = pd.DataFrame({"load": [1.0, None, None, 4.0]}, index=[0, 1, 2, 5])
    >>> find_gaps(table)
      column  from  to  steps
    0   load     1   4      4
    """
    frame, full, _ = _whole(table)
    names = _numeric(frame, columns)
    missing = frame[names].isna().to_numpy()  # (rows, columns)
    whole = missing.all(axis=1) & (len(names) > 1)
    ids = np.zeros(len(frame), dtype=int) if full.ids is None else full.ids
    parts = []
    of_column: list[tuple[Any, np.ndarray]] = [("every column", np.asarray(whole))]
    of_column += [(name, np.asarray(missing[:, k] & ~whole)) for k, name in enumerate(names)]
    for name, bad in of_column:
        new = np.append(True, ids[1:] != ids[:-1])  # a series begins
        begins = np.flatnonzero(bad & (new | ~np.append(False, bad[:-1])))
        ends = np.flatnonzero(bad & (np.append(new[1:], True) | ~np.append(bad[1:], False)))
        part = {"unique_id": ids[begins], "column": [name] * len(begins)}
        part |= {"from": full.index[begins], "to": full.index[ends], "steps": ends - begins + 1}
        parts.append(pd.DataFrame(part))
    gaps = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    gaps = gaps.sort_values(["unique_id", "from"], kind="stable", ignore_index=True)
    if full.ids is None:
        return gaps.drop(columns="unique_id")
    return gaps.assign(unique_id=pd.Index(full.names)[gaps["unique_id"]])


def fill_gaps(
    table: Table,
    method: str = "last",
    *,
    season: int | None = None,
    limit: int | None = None,
    columns: Any = None,
    mark: bool | str = True,
) -> pd.DataFrame:
    """Fill missing values and rows with what was known before them, and mark what was filled.

    Parameters
    ----------
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        A table or a panel; of a panel each series is filled by itself.
    method : {"last", "season"}
        The last known value; or the value of the same time last season (or the season before, if
        that is missing too).
    season : int, optional
        Steps per season, for ``method="season"``.
    limit : int, optional
        Fill at most so many steps in a row. What is left stays missing, and rows of which nothing
        is known stay out: they are gaps, which no window crosses.
    columns : column name or list of column names, optional
        What to fill; by default all columns of numbers.
    mark : bool or "steps"
        Add a column ``<column> filled`` for each: 1 where the value was filled, else 0. With
        "steps" it holds how many steps ago the last value was known, else 0. Name it among the
        past covariates, so that the model knows which values to believe.

    Returns
    -------
    pandas.DataFrame
        The table with its missing rows.

    Raises
    ------
    ValueError
        If the times are repeated, unsorted or not evenly spaced, if a column does not exist or
        holds text, or if `method` and `season` do not fit.

    Notes
    -----
    Nothing is interpolated: between two known values, interpolation needs the second one, which
    has not come yet when a forecast is made inside the gap. For the same reason `limit` fills the
    first steps of a long gap: that it will be long is not known either.

    Examples
    --------
    >>> table = pd.DataFrame({"load": [1.0, 2.0, None, 4.0]}, index=[0, 1, 2, 5])
    >>> fill_gaps(table, limit=2)
       load  load filled
    0   1.0          0.0
    1   2.0          0.0
    2   2.0          1.0
    3   2.0          1.0
    5   4.0          0.0
    """
    _check_method(method, season, limit, mark)
    frame, full, there = _whole(table)
    names = _numeric(frame, columns)
    values = frame[names].to_numpy(dtype=np.float64, na_value=np.nan)  # (rows, columns)
    missing = np.isnan(values)
    row = np.arange(len(values))[:, None]
    ids = np.zeros(len(values), dtype=int) if full.ids is None else full.ids
    begin = np.searchsorted(ids, ids)[:, None]  # where the series of each row begins
    last = _last_known(missing, ids, row[:, 0])
    age = np.where(last >= 0, row - last, row - begin + 1)  # steps since the last known value
    if season is not None:
        phase = (row - begin)[:, 0] % season
        order = np.lexsort((row[:, 0], phase, ids))
        last = _last_known(missing, ids * season + phase, order)
    fill = missing & (last >= 0) & (age <= (len(values) if limit is None else limit))
    values = np.where(fill, np.take_along_axis(values, np.maximum(last, 0), axis=0), values)

    changed = fill.any(axis=0) | ~there.all()
    for number, name in enumerate(names):
        if changed[number]:
            frame[name] = values[:, number]
    for number, name in enumerate(names if mark else []):
        if f"{name} filled" in frame:
            raise ValueError(
                f"The table has a column '{name} filled' already. Rename it, or leave the marks "
                f"out (mark=False)."
            )
        marks = age if mark == "steps" else np.ones_like(age)
        frame[f"{name} filled"] = np.where(fill, marks, 0)[:, number].astype(float)
    kept = frame[there | ~np.isnan(values).all(axis=1)]
    return kept if full.ids is None else kept.reset_index(drop=True)


def _check_method(method: str, season: int | None, limit: int | None, mark: bool | str) -> None:
    if method not in ("last", "season"):
        raise ValueError(
            f"There is no method {method!r}. Choose 'last' (the last known value) or 'season' (the "
            f"same time last season). To interpolate needs values that have not come yet."
        )
    if (method == "season") != (season is not None):
        raise ValueError(
            f"method='season' needs season=, the number of steps per season, and method='last' has "
            f"none; got method={method!r}, season={season}."
        )
    if season is not None:
        check_whole_number("season", season, 1)
    if limit is not None:
        check_whole_number("limit", limit, 1)
    if mark not in (True, False, "steps"):
        raise ValueError(f"mark must be True, False or 'steps'; got {mark!r}.")


def _whole(table: Table) -> tuple[pd.DataFrame, Rows, np.ndarray]:
    """The table with a row for every step, its times, and which rows were there."""
    if is_panel(table):
        rows = read_panel(table, ())  # type: ignore[arg-type]
        panel = pd.DataFrame(table)
        frame = panel.iloc[np.lexsort((panel["ds"], pd.factorize(panel["unique_id"])[0]))]
    else:
        values, columns, index = read_table(table)
        frame = pd.DataFrame(table if isinstance(table, pd.DataFrame) else values)
        frame = frame.set_axis(columns, axis=1)
        rows = Rows(values, columns, index, *read_times(index))
    number = np.arange(len(frame), dtype=float)[:, None]
    full = on_grid(replace(rows, values=number, columns=["row"]), front=0)
    there = ~np.isnan(full.values[:, 0])
    source = np.where(there, full.values[:, 0], -1).astype(int)
    frame = frame.reset_index(drop=True).reindex(source)
    if full.ids is None:
        return frame.set_axis(full.index), full, there
    named: pd.DataFrame = frame.reset_index(drop=True).assign(ds=full.index)
    named["unique_id"] = pd.Index(full.names)[full.ids]
    for name in named.columns:
        if not pd.api.types.is_numeric_dtype(named[name]) and name != "ds":
            named[name] = named[name].where(there, named.groupby(full.ids)[name].ffill())
    return named, full, there


def _numeric(frame: pd.DataFrame, columns: Any) -> list[Hashable]:
    known = [name for name in frame.columns if name not in ("unique_id", "ds")]
    if columns is None:
        return [name for name in known if pd.api.types.is_numeric_dtype(frame[name])]
    names: Sequence[Hashable] = [columns] if isinstance(columns, str) else list(columns)
    for name in names:
        if name not in known:
            raise ValueError(f"The table has no column {name!r}. Its columns are {known}.")
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise ValueError(
                f"Column {name!r} holds {frame[name].dtype}, and only numbers are filled. Leave it "
                f"out of columns=[...]."
            )
    return list(names)


def _last_known(missing: np.ndarray, group: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The row of the last known value in the same group, (rows, columns); -1 where there is none.

    `order` sorts the rows so that those of a group stand together, in order of time.
    """
    place = np.arange(len(order))[:, None]
    known = np.maximum.accumulate(np.where(missing[order], -1, place), axis=0)
    sorted_group = group[order]
    new = np.append(True, sorted_group[1:] != sorted_group[:-1])
    begin = np.maximum.accumulate(np.where(new, place[:, 0], 0))[:, None]  # of the group
    found = np.empty_like(known)
    found[order] = np.where(known >= begin, order[np.maximum(known, 0)], -1)
    return found
