"""A forecast becomes an interval, and the interval is checked: coverage beside width.

Two ways, which can be joined. A model with quantiles says how far it may be off, window by window.
Conformal intervals measure how far a model was off, on a calibration part that it was not trained
on. Levels are percents, as in the column names: ``demand-lo-90`` and ``demand-hi-90`` hold the 90 %
interval. Taught in the interval chapter (`notebooks/intervals.ipynb`).
"""

import math
import re
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

INTERVALS = ("conformal", "quantile", "both")


def check_level(level: Any) -> list[float]:
    """Levels as a list of numbers in rising order; a ValueError, in words, if they are none.

    Examples
    --------
    >>> check_level([95, 80])
    [80, 95]
    """
    levels = list(level) if isinstance(level, (Sequence, np.ndarray)) else [level]
    numbers = [isinstance(one, (int, float, np.number)) and 1 <= one < 100 for one in levels]
    if isinstance(level, str) or not levels or not all(numbers) or len({*levels}) < len(levels):
        raise ValueError(
            f"level must be percents from 1 to below 100, each once, such as [80, 95]; got "
            f"{level!r}. For a share of 0.9 write 90."
        )
    return sorted(levels)


def quantiles_for(level: Sequence[float]) -> tuple[float, ...]:
    """The quantiles that a model must forecast to give the intervals of these levels.

    Parameters
    ----------
    level : sequence of float
        Percents, such as ``[80, 95]``.

    Returns
    -------
    tuple of float
        For ``build_model(..., quantiles=...)``: the ends of each interval, and the median.

    Raises
    ------
    ValueError
        If a level is not a percent.

    Examples
    --------
    >>> quantiles_for([80, 95])
    (0.025, 0.1, 0.5, 0.9, 0.975)
    """
    tails = [_tail(one) for one in reversed(check_level(level))]
    return (*tails, 0.5, *[round(1 - tail, 10) for tail in reversed(tails)])


def levels_in(quantiles: Sequence[float]) -> list[float]:
    """The levels whose two ends are among some quantiles, in rising order.

    Examples
    --------
    >>> levels_in((0.025, 0.1, 0.5, 0.9, 0.975))
    [80, 95]
    """
    levels = [round(100 * (1 - 2 * tail), 8) for tail in quantiles if tail < 0.5]
    levels = [int(level) if level == int(level) else level for level in levels if level >= 1]
    tails = [np.isclose(quantiles, 1 - _tail(level)).any() for level in levels]
    return sorted(level for level, both in zip(levels, tails, strict=True) if both)


def calibrate(
    y: np.ndarray,
    forecast: np.ndarray,
    level: Sequence[float],
    quantiles: Sequence[float] = (),
    scale: Any = 1.0,
) -> np.ndarray:
    """Measure, on windows that the model was not trained on, how wide the intervals must be.

    Parameters
    ----------
    y : numpy.ndarray
        What came, (samples, horizon, targets).
    forecast : numpy.ndarray
        Point forecasts, (samples, horizon, targets); or, of a model with quantiles,
        (samples, horizon, targets, quantiles).
    level : sequence of float
        Percents, such as ``[80, 95]``.
    quantiles : sequence of float
        Of the last axis of `forecast`, where it has one.
    scale : float or numpy.ndarray
        Unit of the errors, for windows of very different size: anything that broadcasts to
        (samples, horizon, targets) and is known at the cutoff.

    Returns
    -------
    numpy.ndarray
        Margins, (levels, horizon, targets), for `interval_bounds`. Of point forecasts: half the
        width of the interval. Of quantiles: what is added at both ends; below 0 where the model's
        own intervals are too wide.

    Raises
    ------
    ValueError
        If there are too few windows for a level, if shapes do not fit, or if a value is missing.

    Notes
    -----
    The margin is the k-th smallest error of the n calibration windows, with
    ``k = ceil((n + 1) * level / 100)``. If the next window is no different from those (in any
    order, they are equally likely), it lies inside with at least the level's probability, however
    good or bad the model is. Time series break that promise when the season or the level of the
    series changes: so coverage is always measured.

    References
    ----------
    Lei et al., "Distribution-Free Predictive Inference for Regression", 2018;
    Romano, Patterson and Candes, "Conformalized Quantile Regression", 2019, for quantiles.

    Examples
    --------
    >>> y = np.arange(1.0, 20.0).reshape(19, 1, 1)  # errors of a forecast of 0: 1, 2, ..., 19
    >>> calibrate(y, 0 * y, [80, 95]).ravel().tolist()
    [16.0, 19.0]
    """
    levels = check_level(level)
    y, forecast, scale = np.asarray(y, float), np.asarray(forecast, float), np.asarray(scale, float)
    _check_calibration(y, forecast, levels, quantiles)
    margins = []
    for one in levels:
        if forecast.ndim == 3:
            errors = np.abs(y - forecast)  # (samples, horizon, targets)
        else:
            low, high = _ends(forecast, one, quantiles)
            errors = np.maximum(low - y, y - high)
        rank = _rank(len(y), one)
        margins.append(np.sort(errors / scale, axis=0)[rank - 1])
    return np.stack(margins)  # (levels, horizon, targets)


def interval_bounds(
    forecast: np.ndarray,
    level: Sequence[float],
    margins: np.ndarray | None = None,
    quantiles: Sequence[float] = (),
    scale: Any = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper ends of the intervals around forecasts.

    Parameters
    ----------
    forecast : numpy.ndarray
        Point forecasts, (samples, horizon, targets); or, of a model with quantiles,
        (samples, horizon, targets, quantiles).
    level : sequence of float
        Percents.
    margins : numpy.ndarray, optional
        From `calibrate`, for the same levels. Without it the model's own quantiles are taken.
    quantiles : sequence of float
        Of the last axis of `forecast`, where it has one.
    scale : float or numpy.ndarray
        As in `calibrate`.

    Returns
    -------
    low, high : numpy.ndarray
        Both (levels, samples, horizon, targets), the levels in rising order. The median lies
        inside, and an interval of a higher level holds that of a lower one.

    Raises
    ------
    ValueError
        If there are neither margins nor quantiles, or if the shapes do not fit.

    Examples
    --------
    >>> low, high = interval_bounds(np.full((1, 1, 1), 50.0), [80], np.full((1, 1, 1), 4.0))
    >>> low.item(), high.item()
    (46.0, 54.0)
    """
    levels = check_level(level)
    forecast, scale = np.asarray(forecast, float), np.asarray(scale, float)
    _check_bounds(forecast, levels, margins, quantiles)
    middle = point_forecast(forecast, quantiles)  # (samples, horizon, targets)
    lows, highs = [middle], [middle]
    for number, one in enumerate(levels):
        margin = 0.0 if margins is None else np.asarray(margins)[number] * scale
        low, high = _ends(forecast, one, quantiles) if forecast.ndim == 4 else (middle, middle)
        lows.append(np.minimum(low - margin, lows[-1]))
        highs.append(np.maximum(high + margin, highs[-1]))
    return np.stack(lows[1:]), np.stack(highs[1:])


def point_forecast(forecast: np.ndarray, quantiles: Sequence[float] = ()) -> np.ndarray:
    """The median of a forecast with quantiles, (samples, horizon, targets); else the forecast.

    Examples
    --------
    >>> point_forecast(np.array([[[[1.0, 2.0, 4.0]]]]), (0.1, 0.5, 0.9)).shape
    (1, 1, 1)
    """
    return forecast[..., list(quantiles).index(0.5)] if forecast.ndim == 4 else forecast


def interval_columns(
    name: Hashable, level: Sequence[float], low: np.ndarray, high: np.ndarray
) -> dict[str, np.ndarray]:
    """The columns of one forecast's intervals, named as in the Nixtla libraries.

    Parameters
    ----------
    name : column name
        Of the point forecast: a target, or a model.
    level : sequence of float
        Percents.
    low, high : numpy.ndarray
        (levels, samples, horizon) or (levels, rows): from `interval_bounds`, of one target.

    Returns
    -------
    dict
        ``name-lo-95``, ``name-lo-80``, ``name-hi-80``, ``name-hi-95``: one number per row, window
        after window.

    Examples
    --------
    >>> low, high = np.array([[9.0], [8.0]]), np.array([[11.0], [12.0]])
    >>> interval_columns("demand", [80, 95], low, high)
    {'demand-lo-95': array([8.]), 'demand-lo-80': array([9.]),
     'demand-hi-80': array([11.]), 'demand-hi-95': array([12.])}
    """
    levels = list(enumerate(check_level(level)))
    below = {f"{name}-lo-{one:g}": np.ravel(low[number]) for number, one in reversed(levels)}
    return below | {f"{name}-hi-{one:g}": np.ravel(high[number]) for number, one in levels}


def add_intervals(
    forecasts: pd.DataFrame, calibration: pd.DataFrame, level: Sequence[float]
) -> pd.DataFrame:
    """Conformal intervals for every forecast of a table, from its errors in an earlier table.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        From `tsforecast.forecast_table` or `tsforecast.backtest`.
    calibration : pandas.DataFrame
        The same columns, of cutoffs before those of `forecasts`, which no model was trained on.
    level : sequence of float
        Percents, such as ``[80, 95]``.

    Returns
    -------
    pandas.DataFrame
        `forecasts` with columns such as ``LSTM-lo-95`` and ``LSTM-hi-95`` for every forecast in
        it. A step ahead has its own width, and so has a series. A forecast that has the intervals
        of a level already (from quantiles) gets them widened or narrowed as its errors ask.

    Raises
    ------
    ValueError
        If the calibration has too few cutoffs for a level, if it was still going on when a
        forecast was made, or if it lacks a forecast, a series or a step.

    Examples
    --------
    >>> errors = np.arange(1.0, 20.0)
    >>> past = pd.DataFrame({"unique_id": "a", "ds": range(19), "cutoff": range(-1, 18),
    ...                      "step": 1, "y": 100 + errors, "LSTM": 100.0})
    >>> new = past.tail(1).assign(ds=20, cutoff=19, LSTM=50.0)
    >>> add_intervals(new, past, [90])[["LSTM-lo-90", "LSTM", "LSTM-hi-90"]]
        LSTM-lo-90  LSTM  LSTM-hi-90
    18        32.0  50.0        68.0
    """
    levels = check_level(level)
    names = forecast_names(forecasts)
    _check_tables(forecasts, calibration, names)
    keys = [key for key in ("unique_id", "target", "seed", "step") if key in forecasts]
    groups = dict(list(calibration.groupby(keys)))
    parts = []
    for key, rows in forecasts.groupby(keys, sort=False):
        past = groups.get(key)
        if past is None:
            raise ValueError(
                f"The calibration has no forecasts of {key[0]!r}, step {key[-1]} ahead. Calibrate "
                f"on the same series and the same horizon."
            )
        columns: dict[str, Any] = {}
        for name in names:
            ends = _own_ends(name, levels, forecasts, calibration)
            quantiles = quantiles_for(levels) if ends else ()
            margins = calibrate(_column(past, "y"), _values(past, name, ends), levels, quantiles)
            bounds = interval_bounds(_values(rows, name, ends), levels, margins, quantiles)
            columns |= interval_columns(name, levels, *bounds)
        parts.append(rows.assign(**columns))
    return pd.concat(parts).loc[forecasts.index]


def coverage(
    forecasts: pd.DataFrame, level: Sequence[float] | None = None, by: Any = None
) -> pd.DataFrame:
    """Are the intervals right? How many hold what came, beside how wide they are.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        With ``y`` and columns such as ``LSTM-lo-90`` and ``LSTM-hi-90``.
    level : sequence of float, optional
        Percents; by default all levels that the table has.
    by : column name or one label per row, optional
        Also part the rows by this: ``by="step"``, ``by="unique_id"``, or
        ``by=forecasts["ds"].dt.month``.

    Returns
    -------
    pandas.DataFrame
        A row per forecast and level (and part): ``coverage``, the percentage of rows inside the
        interval, to be compared with the level; ``width``, the mean width in units of the table;
        ``winkler``, the mean width plus a fine for each miss (2 / (1 - level) times the distance):
        the lower the better, and wide intervals do not win it. Rows without ``y`` are left out.

    Raises
    ------
    ValueError
        If the table has no intervals, or not those of a level that is asked for.

    References
    ----------
    Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", 2007,
    for the Winkler score.

    Examples
    --------
    >>> table = pd.DataFrame({"y": [1.0, 2.0, 9.0, 4.0], "LSTM": 3.0,
    ...                       "LSTM-lo-80": 0.0, "LSTM-hi-80": 6.0})
    >>> coverage(table)
                    coverage  width  winkler
    forecast level
    LSTM     80         75.0    6.0     13.5
    """
    found = _intervals_in(forecasts)
    wanted = sorted({one for _, one in found}) if level is None else check_level(level)
    forecasts = forecasts[forecasts["y"].notna()] if "y" in forecasts else forecasts
    if not found or forecasts.empty or "y" not in forecasts:
        raise ValueError(
            f"Coverage compares intervals with what came: the table needs a column 'y' with values "
            f"and columns such as 'LSTM-lo-90' and 'LSTM-hi-90'. It has {list(forecasts.columns)} "
            f"and {len(forecasts)} rows with a value of y. Make intervals with level=[90] or with "
            f"add_intervals(forecasts, calibration, [90])."
        )
    parts = {}
    for name in dict.fromkeys(name for name, _ in found):
        for one in wanted:
            if (name, one) not in found:
                has = levels_of(forecasts, name)
                raise ValueError(
                    f"There is no {one:g} % interval of {name!r}; the table has the levels {has}."
                )
            y, low, high = (forecasts[c] for c in ("y", *_names_of_ends(name, one)))
            misses = (low - y).clip(lower=0) + (y - high).clip(lower=0)
            scored = pd.DataFrame(
                {
                    "coverage": 100.0 * ((y >= low) & (y <= high)),
                    "width": high - low,
                    "winkler": high - low + misses / _tail(one),
                }
            )
            parts[name, one] = scored if by is None else scored.groupby(_key(forecasts, by))
    means = {key: part.mean() for key, part in parts.items()}
    if by is None:
        return pd.DataFrame(means).T.rename_axis(["forecast", "level"])
    return pd.concat(means, names=["forecast", "level"])


def forecast_names(forecasts: pd.DataFrame) -> list[str]:
    """Columns of a table that are point forecasts: neither about the row nor an interval's end.

    Examples
    --------
    >>> forecast_names(pd.DataFrame(columns=["ds", "cutoff", "LSTM", "LSTM-lo-90", "LSTM-hi-90"]))
    ['LSTM']
    """
    about = ("unique_id", "target", "ds", "cutoff", "step", "seed", "y", "fed back")
    ends = {end for name, one in _intervals_in(forecasts) for end in _names_of_ends(name, one)}
    return [name for name in forecasts.columns if name not in about and name not in ends]


def levels_of(forecasts: pd.DataFrame, name: str) -> list[float]:
    """The levels of the intervals that a forecast has in a table.

    Examples
    --------
    >>> levels_of(pd.DataFrame(columns=["LSTM", "LSTM-lo-90", "LSTM-hi-90"]), "LSTM")
    [90]
    """
    return sorted(level for other, level in _intervals_in(forecasts) if other == name)


def _tail(level: float) -> float:
    """The share that lies below an interval: 0.05 for the level 90."""
    return round((1 - level / 100) / 2, 10)


def _rank(n: int, level: float) -> int:
    """Which of n errors in order is the margin: the finite-sample correction of split conformal."""
    return math.ceil(round((n + 1) * level / 100, 8))


def _ends(
    forecast: np.ndarray, level: float, quantiles: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The model's own lower and upper end, both (samples, horizon, targets)."""
    near = [np.isclose(quantiles, q) for q in (_tail(level), 1 - _tail(level))]
    if not all(found.any() for found in near):
        raise ValueError(
            f"A {level:g} % interval needs the quantiles {_tail(level):g} and "
            f"{1 - _tail(level):g}, and the model has {tuple(quantiles)}. Build it with "
            f"quantiles=quantiles_for([{level:g}])."
        )
    low, high = (int(np.argmax(found)) for found in near)
    return forecast[..., low], forecast[..., high]


def _check_calibration(
    y: np.ndarray, forecast: np.ndarray, levels: list[float], quantiles: Sequence[float]
) -> None:
    shape = (*y.shape, len(quantiles)) if len(quantiles) else y.shape
    if y.ndim != 3 or forecast.shape != shape:
        raise ValueError(
            f"Expected y of shape (samples, horizon, targets) and forecasts of the same shape, or "
            f"with one more axis for {len(quantiles) or 'the'} quantiles; got {y.shape} and "
            f"{forecast.shape}. Forecast the windows that y is from: predict(model, windows)."
        )
    if not (np.isfinite(y).all() and np.isfinite(forecast).all()):
        raise ValueError(
            "The calibration windows hold missing or infinite values. Calibrate on windows whose "
            "targets and forecasts are all known."
        )
    for level in levels:
        least = math.ceil(round(level / (100 - level), 8))
        if len(y) < least:
            raise ValueError(
                f"A {level:g} % interval needs at least {least} calibration windows, and there are "
                f"{len(y)}. Calibrate on a longer part, or ask for a lower level."
            )


def _check_bounds(
    forecast: np.ndarray, levels: list[float], margins: Any, quantiles: Sequence[float]
) -> None:
    if forecast.ndim not in (3, 4) or (forecast.ndim == 4) != bool(len(quantiles)):
        raise ValueError(
            f"Expected forecasts of shape (samples, horizon, targets), or with quantiles "
            f"(samples, horizon, targets, quantiles); got {forecast.shape} and "
            f"quantiles={tuple(quantiles)}."
        )
    if margins is None and forecast.ndim == 3:
        raise ValueError(
            "A point forecast has no interval of its own. Measure margins on a calibration part: "
            "margins = calibrate(y, forecast, level); or build the model with quantiles."
        )
    expected = (len(levels), *forecast.shape[1:3])
    if margins is not None and np.shape(margins) != expected:
        raise ValueError(
            f"The margins have the shape {np.shape(margins)}; for {len(levels)} levels and these "
            f"forecasts it is {expected}: (levels, horizon, targets). Calibrate for the levels "
            f"{levels}."
        )


def _check_tables(forecasts: pd.DataFrame, calibration: pd.DataFrame, names: list[str]) -> None:
    for which, table in (("forecasts", forecasts), ("calibration", calibration)):
        more = [key for key in ("target", "seed") if key in forecasts]
        needed = ["unique_id", "ds", "cutoff", "step", *more, *(names if names else ["LSTM"])]
        lacking = [name for name in [*needed, "y"] if name not in table]
        if which == "forecasts" and lacking == ["y"]:
            continue
        if lacking:
            raise ValueError(
                f"The table of {which} has no column {lacking[0]!r}. Give tables from "
                f"forecast_table or backtest, with the same forecasts in both."
            )
    if calibration["ds"].max() > forecasts["cutoff"].min():
        raise ValueError(
            f"The calibration runs to {calibration['ds'].max()}, and the first forecast was made "
            f"at {forecasts['cutoff'].min()}, when that was not known yet. Calibrate on an earlier "
            f"part."
        )


def _own_ends(
    name: str, levels: list[float], forecasts: pd.DataFrame, calibration: pd.DataFrame
) -> list[str]:
    """The columns of a forecast's own intervals, in the order of their quantiles; or none."""
    low = [f"{name}-lo-{one:g}" for one in reversed(levels)]
    ends = [*low, name, *[f"{name}-hi-{one:g}" for one in levels]]
    return ends if {*ends} <= {*forecasts.columns} & {*calibration.columns} else []


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].to_numpy(dtype=np.float64)[:, None, None]  # (samples, 1, 1)


def _values(rows: pd.DataFrame, name: str, ends: list[str]) -> np.ndarray:
    if not ends:
        return _column(rows, name)
    return rows[ends].to_numpy(dtype=np.float64)[:, None, None, :]  # (samples, 1, 1, quantiles)


def _intervals_in(forecasts: pd.DataFrame) -> list[tuple[str, float]]:
    """Pairs of forecast and level that have both ends in the table."""
    pairs = []
    for column in forecasts.columns:
        match = re.fullmatch(r"(.+)-lo-(\d+(?:\.\d+)?)", str(column))
        if match and f"{match[1]}-hi-{match[2]}" in forecasts.columns:
            number = float(match[2])
            pairs.append((match[1], int(number) if number == int(number) else number))
    return pairs


def _names_of_ends(name: str, level: float) -> tuple[str, str]:
    return f"{name}-lo-{level:g}", f"{name}-hi-{level:g}"


def _key(forecasts: pd.DataFrame, by: Any) -> Any:
    if isinstance(by, str):
        if by not in forecasts:
            raise ValueError(
                f"There is no column {by!r} to part the rows by; the table has "
                f"{list(forecasts.columns)}."
            )
        return forecasts[by]
    return by.loc[forecasts.index] if isinstance(by, pd.Series) else by
