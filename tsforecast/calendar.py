"""Times become columns: hour, weekday and season of the year, as a network can read them.

Taught in the chapter on known futures (`notebooks/known_futures.ipynb`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

DAYS = {"day": 1.0, "week": 7.0, "year": 365.2425}  # that a cycle lasts
WAVES = {"day": 3, "week": 3, "year": 2}  # per cycle; each is a sine and a cosine


def calendar_names(index: pd.Index) -> list[str]:
    """The calendar features that can be learned from the times of a table.

    Parameters
    ----------
    index : pandas.DatetimeIndex or pandas.PeriodIndex
        The times; of a panel also with repetitions.

    Returns
    -------
    list of str
        Names for `calendar_features`. A cycle counts if the times cover it at least twice, and
        a wave of it if it takes more than two steps. "weekend" needs steps of a day or less.

    Raises
    ------
    ValueError
        If the index holds no dates.

    Examples
    --------
    >>> calendar_names(pd.date_range("2024-01-01", periods=36, freq="MS"))
    ['year_sin_1', 'year_cos_1', 'year_sin_2', 'year_cos_2']
    """
    times = _dates(index).unique().sort_values()
    if len(times) < 2:
        raise ValueError("The calendar needs the spacing of the times: give two rows or more.")
    since = np.asarray((times - times[0]) / pd.Timedelta("1D"))  # days
    step = np.median(np.diff(since))
    covered = since[-1] + step + 1e-9  # days, the last step included
    names = []
    for cycle, days in DAYS.items():
        for wave in range(1, WAVES[cycle] + 1):
            if covered >= 2 * days and days / wave > 2 * step:
                names += [f"{cycle}_sin_{wave}", f"{cycle}_cos_{wave}"]
    return names + (["weekend"] if step <= 1 and covered >= 14 else [])


def calendar_features(index: pd.Index, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Columns that say where in the day, the week and the year a time is.

    Parameters
    ----------
    index : pandas.DatetimeIndex or pandas.PeriodIndex
        Times, past or future; the clock is that of the index's own time zone.
    names : sequence of str, optional
        Which features; by default `calendar_names` of the index.

    Returns
    -------
    pandas.DataFrame
        A row per time. Sines and cosines go round once per cycle (and twice, three times), so
        that midnight is next to 23:30 and December next to January; ``weekend`` is 0 or 1.

    Raises
    ------
    ValueError
        If the index holds no dates, or if a name is not known.

    Notes
    -----
    All of it is known for any time to come, so these columns are future covariates.

    Examples
    --------
    >>> times = pd.date_range("2024-01-05", periods=3, freq="12h")
    >>> calendar_features(times, ["day_cos_1", "weekend"])
                         day_cos_1  weekend
    2024-01-05 00:00:00        1.0      0.0
    2024-01-05 12:00:00       -1.0      0.0
    2024-01-06 00:00:00        1.0      1.0
    """
    times = _dates(index)
    day = np.asarray(times.hour / 24 + times.minute / 1440 + times.second / 86400)
    turns = {  # where in the cycle, from 0 to 1
        "day": day,
        "week": (np.asarray(times.day_of_week) + day) / DAYS["week"],
        "year": (np.asarray(times.day_of_year) - 1 + day) / DAYS["year"],
    }
    columns = {}
    for name in calendar_names(index) if names is None else names:
        cycle, *rest = name.split("_")
        if name == "weekend":
            columns[name] = np.asarray(times.day_of_week >= 5, dtype=float)
        elif cycle in turns and len(rest) == 2 and rest[0] in ("sin", "cos") and rest[1].isdigit():
            angle = 2 * np.pi * int(rest[1]) * turns[cycle]
            columns[name] = (np.sin if rest[0] == "sin" else np.cos)(angle)
        else:
            raise ValueError(
                f"There is no calendar feature {name!r}. There are 'weekend', and names such as "
                f"'day_sin_1' and 'week_cos_2' of the cycles {', '.join(DAYS)}."
            )
    return pd.DataFrame(columns, index=index)


def _dates(index: pd.Index) -> pd.DatetimeIndex:
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex):
        raise ValueError(
            f"A calendar needs dates, and the times are {index.dtype} (the first is "
            f"{index[0] if len(index) else None!r}). Make them dates with pd.to_datetime, or leave "
            f"the calendar out (calendar=False)."
        )
    return index
