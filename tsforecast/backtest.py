"""How good is it? Forecasts of a test part beside simple ones, scored in the table's own units.

Taught in the univariate chapter (`notebooks/univariate.ipynb`).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd

from tsforecast.framing import Windows
from tsforecast.models import predict
from tsforecast.tables import check_whole_number

ABOUT = ("unique_id", "ds", "cutoff", "step", "y")  # columns of a forecast table; the rest forecast


def forecast_table(
    models: keras.Model | Mapping[str, keras.Model], windows: Windows, season: int | None = None
) -> pd.DataFrame:
    """Forecasts of every window, beside what came and the naive forecasts.

    Parameters
    ----------
    models : keras.Model or dict of keras.Model
        One fitted model, which gets the name "LSTM", or several with their names.
    windows : Windows
        The test windows.
    season : int, optional
        Steps per season, for the seasonal naive forecast.

    Returns
    -------
    pandas.DataFrame
        In the long format of the Nixtla libraries: ``unique_id`` (the target), ``ds`` (the time
        forecast), ``cutoff`` (the last time known), ``step`` (1, 2, ...), ``y`` (what came), and
        a column per forecast. "naive" is the last known value, "seasonal naive" the value of the
        same time last season. Rows without a naive forecast are left out.

    Raises
    ------
    ValueError
        If a model was built for other shapes, if a model's name is that of another column, or if
        no season lies before the windows.

    Examples
    --------
    >>> from tsforecast import Framing, build_model, datasets, fit
    >>> windows = Framing(3).windows(datasets.toy("univariate", rows=12))
    >>> train, test = windows.split(9)
    >>> model = build_model(windows.framing, units=8)
    >>> history = fit(model, train, epochs=200, seed=0)
    >>> forecast_table(model, test).round()
      unique_id  ds  cutoff  step      y   LSTM  naive
    0         a   9       8     1  100.0  100.0   90.0
    1         a  10       9     1  110.0  110.0  100.0
    2         a  11      10     1  120.0  120.0  110.0
    """
    models = {"LSTM": models} if isinstance(models, keras.Model) else dict(models)
    for name in models:
        if name in (*ABOUT, "naive", "seasonal naive"):
            raise ValueError(
                f"A model cannot be called {name!r}: the table has that column already."
            )
    forecasts = {name: predict(model, windows) for name, model in models.items()}
    simple = {"naive": _naive(windows, 1)}
    if season is not None:
        check_whole_number("season", season, 1)
        simple["seasonal naive"] = _naive(windows, season)
    forecasts |= simple
    framing, rows = windows.framing, windows.target_rows  # rows: (samples, horizon)
    y = _target_values(windows)[rows]  # (samples, horizon, targets)
    parts = []
    for column, target in enumerate(framing.targets):
        frame = {
            "unique_id": str(target),
            "ds": windows.index[rows.ravel()],
            "cutoff": windows.cutoffs.repeat(framing.horizon),
            "step": np.tile(np.arange(1, framing.horizon + 1), len(windows)),
            "y": y[:, :, column].ravel(),
        }
        frame |= {name: values[:, :, column].ravel() for name, values in forecasts.items()}
        parts.append(pd.DataFrame(frame))
    table = pd.concat(parts, ignore_index=True).dropna(subset=[*simple], ignore_index=True)
    if table.empty:
        raise ValueError(
            f"No window has a value {season} steps before its targets, so there is no seasonal "
            f"naive forecast to compare with. Keep more history before the test part."
        )
    return table


def score(forecasts: pd.DataFrame, windows: Windows, season: int = 1) -> pd.DataFrame:
    """Score every forecast of a table: MAE and RMSE in its own units, MASE, and skill.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        From `forecast_table`.
    windows : Windows
        The same test windows; what came before them is MASE's training part.
    season : int
        Steps per season, for MASE.

    Returns
    -------
    pandas.DataFrame
        A row per forecast (and target, where there are several), the best MAE first. ``mase`` is
        the error relative to what the seasonal naive forecast erred before the test part;
        ``skill`` is 1 - MAE / MAE of the naive forecast: above 0 is better than naive.

    Raises
    ------
    ValueError
        If no whole season lies before the test part.

    Examples
    --------
    >>> frame = pd.DataFrame({"unique_id": "a", "ds": [3, 4], "cutoff": [2, 3], "step": 1,
    ...                       "y": [40.0, 50.0], "LSTM": [41.0, 50.0], "naive": [30.0, 40.0]})
    >>> from tsforecast import Framing
    >>> windows = Framing(3).windows(pd.DataFrame({"a": [10.0, 20.0, 30.0, 40.0, 50.0]}))
    >>> score(frame, windows).round(2)
               mae   rmse  mase  skill
    forecast
    LSTM       0.5   0.71  0.05   0.95
    naive     10.0  10.00  1.00   0.00
    """
    from utilsforecast.evaluation import evaluate
    from utilsforecast.losses import mae, mase, rmse

    check_whole_number("season", season, 1)
    known = int(windows.target_rows[0, 0])
    if season >= known:
        raise ValueError(
            f"MASE compares with the seasonal naive forecast before the test part, which needs more "
            f"than {season} rows (season={season}); there are {known}. Keep more history."
        )
    names = _forecast_names(forecasts)
    long = evaluate(
        forecasts.drop(columns=["step", "cutoff"]),
        metrics=[mae, rmse, partial(mase, seasonality=season)],
        models=names,
        train_df=_training_part(windows),
    )
    long = long.melt(["unique_id", "metric"], var_name="forecast")
    scores = long.pivot(index=["unique_id", "forecast"], columns="metric", values="value")
    scores = scores[["mae", "rmse", "mase"]].rename_axis(columns=None)
    naive = scores["mae"].xs("naive", level="forecast")
    scores["skill"] = 1 - scores["mae"] / naive.reindex(scores.index, level="unique_id")
    scores = scores.sort_values(["unique_id", "mae"])
    return scores.droplevel("unique_id") if len(naive) == 1 else scores


def score_by_step(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error of every forecast, step by step ahead.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        From `forecast_table`.

    Returns
    -------
    pandas.DataFrame
        A row per step ahead (and target, where there are several), a column per forecast, in the
        units of the table.

    Examples
    --------
    >>> frame = pd.DataFrame({"unique_id": "a", "cutoff": [2, 2, 3, 3], "step": [1, 2, 1, 2],
    ...                       "y": 10.0, "LSTM": [9.0, 7.0, 10.0, 8.0], "naive": 8.0})
    >>> score_by_step(frame)
          LSTM  naive
    step
    1      0.5    2.0
    2      2.5    2.0
    """
    from utilsforecast.losses import mae

    names = _forecast_names(forecasts)
    parts = {}
    for target, frame in forecasts.groupby("unique_id", sort=False):
        frame = frame[["step", "y", *names]]  # with its cutoffs, each would get a row of its own
        parts[target] = mae(frame, models=names, id_col="step").set_index("step")
    return next(iter(parts.values())) if len(parts) == 1 else pd.concat(parts, names=["unique_id"])


def _forecast_names(forecasts: pd.DataFrame) -> list[str]:
    return [name for name in forecasts.columns if name not in ABOUT]


def _target_values(windows: Windows) -> np.ndarray:
    """The target columns of the table, (rows, targets)."""
    chosen = [windows.columns.index(name) for name in windows.framing.targets]
    return windows.values[:, chosen].astype(np.float64)


def _naive(windows: Windows, season: int) -> np.ndarray:
    """The last known value of the same phase, (samples, horizon, targets); NaN where none is."""
    framing, rows = windows.framing, windows.target_rows
    known = rows[:, :1] - max(framing.lead, 1)  # the last row whose target is known
    back = season * -(-(rows - known) // season)  # whole seasons back to a known row
    values = _target_values(windows)
    if windows.grid is None:
        source = rows - back
        found = source >= 0
    else:  # with gaps, count in time steps
        wanted = windows.grid[rows] - back
        source = np.searchsorted(windows.grid, wanted)
        found = (wanted >= 0) & (windows.grid[source] == wanted)
    return np.where(found[:, :, None], values[np.where(found, source, 0)], np.nan)


def _training_part(windows: Windows) -> pd.DataFrame:
    """What came before the first test target, in the long format."""
    first = int(windows.target_rows[0, 0])
    values = _target_values(windows)[:first]
    parts: list[Any] = [
        pd.DataFrame({"unique_id": str(name), "ds": windows.index[:first], "y": values[:, column]})
        for column, name in enumerate(windows.framing.targets)
    ]
    return pd.concat(parts, ignore_index=True)
