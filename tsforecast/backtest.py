"""How good is it? Forecasts from many cutoffs beside simple ones, scored in the table's own units.

Taught in the chapters "Is my LSTM any good? Baselines first" (`notebooks/baselines.ipynb`) and
"Splits, walk-forward, and how leakage flatters you" (`notebooks/splits.ipynb`).
"""

import itertools
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pandas as pd

from tsforecast.framing import Windows
from tsforecast.intervals import coverage, interval_bounds, levels_in, point_forecast
from tsforecast.jobs import Job, run_jobs
from tsforecast.models import head_of, predict, quantiles_of
from tsforecast.tables import (
    Table,
    as_label,
    check_memory,
    check_whole_number,
    is_panel,
    read_table,
    read_times,
)

# Columns of a forecast table that are about it; the others forecast.
ABOUT = ("unique_id", "target", "ds", "cutoff", "step", "seed", "y")
BASELINES = ("naive", "seasonal naive", "drift", "AutoETS")
LONGEST_ETS_SEASON = 24  # as in R: the states of a longer season take too long to estimate


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
        same time last season. Rows without a naive forecast are left out. A model with quantiles has
        its median as forecast, and columns such as "LSTM-lo-90" and "LSTM-hi-90".

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
    forecasts: dict[str, Any] = {}
    for name, model in models.items():
        forecasts |= _point_and_interval(name, model, windows)
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


def _point_and_interval(name: str, model: Any, windows: Windows) -> dict[str, np.ndarray]:
    """The columns of one model, each (samples, horizon, targets)."""
    values = predict(model, windows)
    if head_of(model) != "number":
        raise ValueError(
            f"The model {name!r} answers with chances (head={head_of(model)!r}), and this table is "
            f"of numbers. Use event_table(model, windows) or class_table(model, windows)."
        )
    quantiles = quantiles_of(model)
    columns = {name: point_forecast(values, quantiles)}
    for level in levels_in(quantiles):
        low, high = interval_bounds(values, [level], None, quantiles)
        columns |= {f"{name}-lo-{level:g}": low[0], f"{name}-hi-{level:g}": high[0]}
    return columns


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
    names = [name for name in forecasts.columns if name not in ABOUT]
    return [name for name in names if not re.search(r"-(lo|hi)-[\d.]+$", str(name))]


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


# --- the rolling origin -------------------------------------------------------------------------


def backtest(
    forecasters: Any,
    table: Table,
    *,
    start: Any = None,
    end: Any = None,
    every: int | None = None,
    gap: int = 0,
    refit: bool | int = False,
    validation: int | None = None,
    calibration: int | None = None,
    baselines: Any = BASELINES,
    season: int | Sequence[int] | None = None,
    history: int | None = None,
    level: Sequence[float] | None = None,
    seeds: Sequence[int] | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> "Backtest":
    """Forecast from many cutoffs, as if you stood there, and keep what came beside it.

    Parameters
    ----------
    forecasters : Forecaster or dict of Forecaster
        One, which gets the name "LSTM", or several with their names. They are left as they are.
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        A table or a panel: all of it, with the history before `start`.
    start : time label, optional
        Where the test part begins, as in `Windows.split`: the time of the first target. The first
        cutoff is the step before. By default right after `trained_until` of a fitted forecaster.
    end : time label, optional
        No target lies after it; by default the last row.
    every : int, optional
        Steps from one cutoff to the next; by default the horizon, so that each time is forecast
        once.
    gap : int
        Steps that no fit may read before the first step that is forecast: the last target of
        training, validation and calibration lies before them. The windows reach up to the cutoff
        as ever, and so do the baselines: a gap must not hide from them what the model is shown.
    refit : bool or int
        False: one fit serves all cutoffs (that of a fitted forecaster, else one before `start`).
        True: a new fit at every cutoff. k: a new fit at every k-th cutoff.
    validation, calibration : int, optional
        For the fits made here: so many steps at the end of what a fit may read watch the loss, or
        calibrate intervals (these come last).
    baselines : sequence or dict
        Names out of "naive" (the last value), "seasonal naive" (the same time last season),
        "drift" (the line through the first and the last value) and "AutoETS", or models of
        statsforecast; a dict gives models their names.
    season : int or list of int, optional
        Steps per season. Several give a column "seasonal naive 48" and so on each. The longest is
        that of AutoETS and of MASE.
    history : int, optional
        Rows before each cutoff that AutoETS, and models of statsforecast, read; by default 4
        seasons, at least 500.
    level : sequence of float, optional
        Intervals of the baselines too, such as ``[80, 95]``.
    seeds : sequence of int, optional
        A fit for each seed. The table has a column ``seed``, the scores mean and spread.
    jobs : int, optional
        Fits that run at the same time, in processes of their own; by default what
        ``joblib.parallel_config`` says, which may be a cluster, otherwise 1. Changes the time, not
        the result.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Backtest

    Raises
    ------
    TypeError
        If something else than a Forecaster is given.
    ValueError
        If a target to be scored was trained or validated on; if the table lacks history; if two
        forecasts have the same name; if a number is not in its range.
    MemoryError
        If the table of forecasts does not fit into memory: before anything is trained.

    Notes
    -----
    The baselines are those of statsforecast. "AutoETS" with a season of at most 24 is AutoETS. It
    has no states for longer seasons; there, MSTL takes the season out, AutoETS forecasts what is
    left, and the season is added again. That is a strong baseline, and the slowest: half a second
    per cutoff with a season of 336. Rows that are missing in the history of a baseline count as
    the value of the season before, or else the last one known.

    A backtest that you interrupt returns the cutoffs that are done, with a warning. (On Ray none:
    there all results come together at the end.)

    Examples
    --------
    >>> from tsforecast import Forecaster, datasets
    >>> table = datasets.toy("univariate", rows=30)
    >>> forecaster = Forecaster(3, units=8, epochs=100).fit(table[:20])
    >>> result = backtest(forecaster, table, baselines=["naive", "drift"], progress=False)
    >>> result.scores()[["mae", "skill"]].round(0)
              mae  skill
    forecast
    drift     0.0    1.0
    LSTM      0.0    1.0
    naive    10.0    0.0
    """
    named = _check_forecasters(forecasters)
    seasons = _check_seasons(season)
    models = _simple_models(baselines, seasons, history)
    _check_names(named, models)
    _check_numbers(
        every=every, gap=gap, validation=validation, calibration=calibration, history=history
    )
    per_fit, seeds = _cutoffs_per_fit(refit), _check_seeds(seeds)
    all_fitted = all(_trained_until(f) is not None for f in named.values())
    as_they_are = per_fit is None and not seeds and all_fitted  # no fit is needed

    windows = {name: f.windows(table).at_every_row() for name, f in named.items()}
    framing = _check_same_task(windows)
    series = _read_series(table, framing.targets)
    clock = _clock(_times_of(table))
    first, last = _test_part(start, end, named, gap, clock)
    cells = _choose(windows, clock, first, last, every or framing.horizon, start)
    if as_they_are:
        _check_not_trained_on(named, cells, framing, gap, clock)
    steps = len(cells) * framing.horizon * framing.n_targets * len(seeds or [0])
    columns = len(ABOUT) + len(named) + len(models)
    check_memory(
        f"{len(cells):,} forecasts of {framing.horizon} steps, a table of {steps:,} rows",
        2 * 8.0 * steps * columns,  # they are collected first
        "Give a larger every=, fewer series, or a later start=.",
    )
    dense = _dense(series, clock, is_panel(table))
    _check_season(dense, first, seasons, clock)

    tasks = _baseline_tasks(models, dense, cells, framing, seasons, level, clock)
    if as_they_are:
        for name, f in named.items():
            tasks.append(
                _Task(name, None, np.arange(len(cells)), _predict, (f, table, cells, clock))
            )
    for name, f in () if as_they_are else named.items():
        for seed in seeds or (None,):
            fresh = f.copy() if seed is None else f.copy(seed=seed)
            for fold in _folds(cells, per_fit):
                held = (gap, validation, calibration)
                job = (name, fresh, table, cells.iloc[fold], clock, framing, held)
                tasks.append(_Task(name, seed, fold, _fit_and_predict, job))
    done, forecasts = _run(tasks, len(cells), jobs, progress)

    names = [*named, *models]
    long = _long_table(cells, done, forecasts, names, framing, dense, clock, seeds)
    if "target" not in long:
        series = series.drop(columns="target")
    return Backtest(
        table=long,
        series=series,
        start=clock[int(cells["cutoff"].min()) + framing.lead],
        horizon=framing.horizon,
        season=max(seasons, default=1),
        baselines=[*models],
        panel=is_panel(table),
        fits=sum(task.job is _fit_and_predict for task in tasks),
    )


@dataclass(frozen=True, repr=False, eq=False)
class Backtest:
    """The forecasts of a `backtest`, beside what came: a table, its scores and figures.

    Attributes
    ----------
    table : pandas.DataFrame
        A row per series, cutoff and step (and seed): ``unique_id`` (the series of a panel, else
        the target), ``ds``, ``cutoff``, ``step``, ``y`` (what came), and a column per forecast,
        with its intervals (``LSTM-lo-80``, ``LSTM-hi-80``) where it has any.
    series : pandas.DataFrame
        The series themselves, ``unique_id``, ``ds`` and ``y``, from the first row on.
    start : time
        Where the test part begins.
    horizon : int
        Steps of each forecast.
    season : int
        Steps of the season that MASE compares with.
    baselines : list of str
        The columns that are simple forecasts.
    panel : bool
        Whether the table was a panel.
    fits : int
        How many times a Forecaster was trained.

    Examples
    --------
    >>> from tsforecast import Forecaster, datasets
    >>> table = datasets.toy("univariate", rows=30)
    >>> forecaster = Forecaster(3, horizon=2, units=8, epochs=100).fit(table[:20])
    >>> backtest(forecaster, table, baselines=["naive"], every=4, progress=False).table.round()
      unique_id  ds  cutoff  step      y   LSTM  naive
    0         a  20      19     1  210.0  210.0  200.0
    1         a  21      19     2  220.0  220.0  200.0
    2         a  24      23     1  250.0  250.0  240.0
    3         a  25      23     2  260.0  260.0  240.0
    4         a  28      27     1  290.0  290.0  280.0
    5         a  29      27     2  300.0  300.0  280.0
    """

    table: pd.DataFrame
    series: pd.DataFrame
    start: Any
    horizon: int
    season: int
    baselines: list[str]
    panel: bool
    fits: int

    @property
    def forecasts(self) -> list[str]:
        """The names of the forecasts, the baselines last."""
        names = _forecast_names(self.table)
        return [*(name for name in names if name not in self.baselines), *self.baselines]

    @property
    def cutoffs(self) -> pd.Index:
        """The cutoffs, in order of time."""
        return pd.Index(self.table["cutoff"].unique()).sort_values()

    def scores(self, by: str | None = None) -> pd.DataFrame:
        """MAE, RMSE, MASE and skill of every forecast, the best first.

        Parameters
        ----------
        by : str, optional
            "unique_id" for a row per series and forecast. By default a panel gives one row per
            forecast, the mean over its series; a table one per target and forecast.

        Returns
        -------
        pandas.DataFrame
            ``mae`` and ``rmse`` in the units of the table; ``mase``, the MAE relative to what the
            seasonal naive forecast erred before the test part (Hyndman and Koehler, 2006); ``skill``,
            1 - MAE / MAE of the first baseline. With several seeds the mean over them, and
            ``mae spread`` and ``skill spread``, their standard deviations.
        """
        groups = ["unique_id"] if by == "unique_id" else self._groups()
        if by not in (None, "unique_id"):
            raise ValueError(f"by={by!r} is not known. Give by='unique_id', or nothing.")
        parts = [self._scores(rows, groups) for _, rows in self._by_seed()]
        scores = sum(parts[1:], parts[0]) / len(parts)
        if len(parts) > 1:
            for name in [name for name in ("mae", "skill") if name in scores]:
                values = np.stack([part[name].to_numpy() for part in parts])
                scores[f"{name} spread"] = values.std(axis=0, ddof=1)
        return scores.sort_values([*groups, "mae"])

    def _scores(self, rows: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
        """The scores of one seed."""
        from utilsforecast.evaluation import evaluate
        from utilsforecast.losses import mae, mase, rmse

        rows, train = _keyed(rows), _keyed(self.series[self.series["ds"] < self.start])
        long = evaluate(
            rows[["key", "ds", "y", *self.forecasts]],
            metrics=[mae, rmse, partial(mase, seasonality=self.season)],
            models=self.forecasts,
            train_df=train[["key", "ds", "y"]],
            id_col="key",
        )
        long = long.melt(["key", "metric"], var_name="forecast")
        long["value"] = long["value"].replace([np.inf, -np.inf], np.nan)  # a constant history
        for name in groups:
            long[name] = long["key"].map(rows.drop_duplicates("key").set_index("key")[name])
        means = long.groupby([*groups, "forecast", "metric"], sort=False)["value"].mean()
        scores = means.unstack("metric")[["mae", "rmse", "mase"]].rename_axis(columns=None)
        if self.baselines:
            scores["skill"] = 1 - scores["mae"] / self._errors_of(self.baselines[0], scores["mae"])
        return scores

    def _errors_of(self, name: str, mae: pd.Series) -> Any:
        """The error of one forecast, in the place of every forecast of the same group."""
        if mae.index.nlevels == 1:
            return mae[name]
        return mae.xs(name, level="forecast").loc[mae.index.get_level_values(0)].to_numpy()

    def skill(self) -> pd.DataFrame:
        """The skill of every forecast against every baseline: 1 - MAE / MAE of the baseline.

        Returns
        -------
        pandas.DataFrame
            A row per forecast, the best first; a column per baseline. Above 0 is better than it.
        """
        if not self.baselines:
            raise ValueError("Skill compares with a baseline, and this backtest has none.")
        mae = self.scores()["mae"]
        against = {name: 1 - mae / self._errors_of(name, mae) for name in self.baselines}
        return pd.DataFrame(against).rename_axis(columns="against")

    def by_step(self) -> pd.DataFrame:
        """Mean absolute error of every forecast, step by step ahead.

        Returns
        -------
        pandas.DataFrame
            A row per step (and target, where a table has several), a column per forecast.
        """
        rows, groups = self.table, self._groups()
        rows = rows.assign(unique_id=rows[groups[0]] if groups else "all")
        by_step = score_by_step(rows)
        return by_step[self.forecasts]

    def lag_test(self, lags: int | None = None) -> pd.DataFrame:
        """Whether a forecast is only a late copy of the series.

        Parameters
        ----------
        lags : int, optional
            Steps to look back; by default the horizon, or the season if it is longer.

        Returns
        -------
        pandas.DataFrame
            A row per forecast. ``error`` is its MAE; ``best lag`` the number of steps by which
            the series has to be shifted to match the forecast best (0: it matches what came), and
            ``error there`` the mean absolute difference that is left; ``to last value`` the mean
            absolute difference to the last value known at the cutoff; ``left of naive`` the share
            of the naive forecast's error that is left; ``verdict`` the same in words.

        Notes
        -----
        A network that has learned nothing but "the next value is near the last one" draws a
        perfect curve, one step late. Its error is small where the series moves little; the lag
        and the share of the naive error show what it is worth.
        """
        if lags is None:
            lags = max(self.horizon, self.season)
        check_whole_number("lags", lags, 1)
        groups = self._groups()
        if not groups:
            return _lag_test(self, self.table, self.series, lags)
        parts = {}
        for label, rows in self.table.groupby(groups[0], sort=False):
            series = self.series[self.series[groups[0]] == label]
            parts[label] = _lag_test(self, rows, series, lags)
        return pd.concat(parts, names=groups)

    def coverage(self) -> pd.DataFrame:
        """How often what came lay inside the intervals, beside their level, and how wide they are.

        Returns
        -------
        pandas.DataFrame
            As `tsforecast.coverage`: a row per forecast and level.
        """
        return coverage(self.table)

    def plot(self, forecast: str | None = None, target: Any = None) -> Any:
        """Draw the best, the middle and the worst cutoff of a forecast, and all errors by step.

        Parameters
        ----------
        forecast : str, optional
            By default the first.
        target : str, optional
            Which ``unique_id``; by default the first.

        Returns
        -------
        matplotlib figure
        """
        from tsforecast.plotting import plot_backtest  # the other arrow that points downstream

        return plot_backtest(self, forecast, target)

    def _groups(self) -> list[str]:
        """What scores are not averaged over: targets have units of their own, series have not."""
        if "target" in self.table:
            return ["target"]
        several = self.table["unique_id"].nunique() > 1
        return ["unique_id"] if several and not self.panel else []

    def _by_seed(self) -> list[tuple[Any, pd.DataFrame]]:
        return [*self.table.groupby("seed")] if "seed" in self.table else [(None, self.table)]

    def __len__(self) -> int:
        return len(self.cutoffs)

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self.scores().round(2)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline()}</p>{self.scores().round(2).to_html()}"

    def _headline(self) -> str:
        cutoffs, seeds = self.cutoffs, len(self._by_seed())
        count = self.table["unique_id"].nunique()
        text = f"Backtest: {len(cutoffs)} cutoffs from {cutoffs[0]} to {cutoffs[-1]}, "
        text += f"{self.horizon} steps ahead"
        text += f", {count} series" if count > 1 else ""
        text += f", {seeds} seeds" if seeds > 1 else ""
        return text + (f", {self.fits} fits" if self.fits else "")


# --- what is forecast, and when -----------------------------------------------------------------


def _read_series(table: Table, targets: Sequence[Any]) -> pd.DataFrame:
    """What came: unique_id, target, ds and y of every series; rows without a value are left out."""
    parts = []
    if isinstance(table, pd.DataFrame) and is_panel(table):
        for target in targets:
            part = table[["unique_id", "ds"]].assign(y=table[target].astype(float))
            parts.append(part.assign(target=[target] * len(part)))
    else:
        _, columns, index = read_table(table)
        values = pd.DataFrame(table)
        values.columns = pd.Index(columns)
        for target in targets:
            y = values[target].to_numpy(dtype=float)
            part = pd.DataFrame({"unique_id": str(target), "ds": index, "y": y})
            parts.append(part.assign(target=[target] * len(part)))
    return pd.concat(parts, ignore_index=True).dropna(subset="y", ignore_index=True)


def _times_of(table: Table) -> pd.Index:
    """The times of all rows, those without a value too."""
    if isinstance(table, pd.DataFrame) and is_panel(table):
        return pd.Index(table["ds"], name=None)
    return read_table(table)[2].rename(None)


def _clock(times: pd.Index) -> pd.Index:
    """Every time step from the first to the last, whether it has a row or not."""
    times = times.unique().sort_values()
    grid, freq = read_times(times)
    if grid is None:
        return times
    check_memory(
        f"From {times[0]} to {times[-1]} there are {grid[-1] + 1:,} time steps",
        8.0 * grid[-1],
        "Look for a wrong date.",
    )
    if isinstance(times, pd.DatetimeIndex):
        return pd.date_range(times[0], times[-1], freq=freq, unit=times.unit)
    if isinstance(times, pd.PeriodIndex):
        return pd.PeriodIndex([times[0] + step * freq for step in range(grid[-1] + 1)])
    return pd.RangeIndex(int(times[0]), int(times[-1]) + 1, freq)


def _test_part(
    start: Any, end: Any, named: Mapping[str, Any], gap: int, clock: pd.Index
) -> tuple[int, int]:
    """The first and the last step of the clock that may be a target."""
    trained = [_trained_until(f) for f in named.values()]
    known = [time for time in trained if time is not None]
    if start is None and not known:
        raise ValueError(
            "Say where the test part begins: start=..., the time of the first target. (A fitted "
            "Forecaster brings it along: the step after the last one that it was trained on.)"
        )
    if start is None:
        first = max(int(clock.searchsorted(as_label(time, clock), "right")) for time in known) + gap
        if first >= len(clock):
            raise ValueError(
                f"The forecaster was trained until {max(known)}, and the table ends at {clock[-1]}"
                f"{f' (gap={gap})' if gap else ''}: nothing is left to test on. Fit it on an "
                f"earlier part, or give refit=True and start=..."
            )
    else:
        label = as_label(start, clock)
        if not clock[0] < label <= clock[-1]:
            raise ValueError(
                f"start={start!r} is outside the table, which runs from {clock[0]} to {clock[-1]}. "
                f"Give the time of the first target."
            )
        first = int(clock.searchsorted(label))
    last = len(clock) - 1
    if end is not None:
        label = as_label(end, clock)
        until = clock.get_slice_bound(end, "right") if isinstance(end, str) else None
        last = int(clock.searchsorted(label, "right") if until is None else until) - 1
    if last < first:
        raise ValueError(f"end={end!r} is before the first target, {clock[first]}.")
    return first, last


def _choose(
    windows: Mapping[str, Windows],
    clock: pd.Index,
    first: int,
    last: int,
    every: int,
    start: Any,
) -> pd.DataFrame:
    """The cells of the backtest: for each series the cutoffs, as steps of the clock."""
    indexes = [_cells(part, clock) for part in windows.values()]
    common = indexes[0]
    for other in indexes[1:]:
        common = common[common.isin(other)]
    framing = next(iter(windows.values())).framing
    cells = common.to_frame(index=False)  # in the order of the panel, then of time
    ahead = cells["cutoff"] + framing.lead  # the first target
    needed = max(part.framing.lookback + part.framing.lead - 1 for part in windows.values())
    if start is not None and len(ahead) and ahead.min() > first:
        raise ValueError(
            f"A forecast for start={start!r} reads {needed} rows before it, and the table begins at "
            f"{clock[0]}: the first time that can be forecast is {clock[int(ahead.min())]}. Give "
            f"the whole table, not the test part alone, or start there."
        )
    origin = max(first, int(ahead.min()) if len(ahead) else first)
    inside = (ahead >= origin) & (ahead + framing.horizon - 1 <= last)
    cells = cells[inside & ((ahead - origin) % every == 0)]
    if cells.empty:
        raise ValueError(
            f"No cutoff has all of its {framing.horizon} targets from {clock[first]} to "
            f"{clock[last]} and {needed} rows without a gap before them. Give more rows, or an "
            f"earlier start."
        )
    return cells.reset_index(drop=True)


def _cells(windows: Windows, clock: pd.Index) -> pd.MultiIndex:
    """Of each window its series ("" in a table) and its cutoff, as a step of the clock."""
    cutoffs = clock.get_indexer(windows.cutoffs)
    series = [""] * len(windows) if windows.series is None else windows.series
    return pd.MultiIndex.from_arrays([series, cutoffs], names=["series", "cutoff"])


def _folds(cells: pd.DataFrame, per_fit: int | None) -> list[np.ndarray]:
    """The cells that each fit serves: all of them, or those of so many cutoffs."""
    number = cells["cutoff"].rank(method="dense").to_numpy(dtype=int) - 1
    fold = number // (per_fit or len(cells) + 1)
    return [np.flatnonzero(fold == which) for which in range(int(fold.max()) + 1)]


# --- the jobs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """A job whose forecasts belong to one column, one seed and some cells."""

    name: str
    seed: int | None
    cells: np.ndarray
    job: Any
    arguments: tuple[Any, ...]


def _run(
    tasks: list[_Task], count: int, jobs: int | None, progress: bool
) -> tuple[np.ndarray, dict[Any, dict[str, np.ndarray]]]:
    """Do all jobs: which cells are complete, and by (name, seed) the arrays by their suffix."""
    from tqdm import tqdm

    done = {(task.name, task.seed): np.zeros(count, dtype=bool) for task in tasks}
    forecasts: dict[Any, dict[str, np.ndarray]] = {key: {} for key in done}
    here = [task for task in tasks if task.job is _predict]  # fitted models stay in this process
    away = [task for task in tasks if task.job is not _predict]
    tasks = [*here, *away]
    bar = tqdm(total=len(tasks), disable=not progress, desc="backtest")
    parcels = [Job(task.job, task.arguments) for task in away]
    results = itertools.chain(
        (task.job(*task.arguments) for task in here), run_jobs(parcels, jobs, bar)
    )
    try:
        for task, result in zip(tasks, results, strict=True):
            key = (task.name, task.seed)
            for suffix, values in result.items():
                empty = np.full((count, *values.shape[1:]), np.nan)
                forecasts[key].setdefault(suffix, empty)[task.cells] = values
            done[key][task.cells] = True
            if task.job is _predict:
                bar.update()
        bar.update(len(tasks) - bar.n)
    except KeyboardInterrupt:
        complete = np.all([*done.values()], axis=0)
        if not complete.any():
            raise
        warnings.warn(
            f"Interrupted: the forecasts of {complete.sum()} of {count} cutoffs are complete and "
            f"are returned.",
            stacklevel=3,
        )
    finally:
        bar.close()
    return np.all([*done.values()], axis=0), forecasts


def _predict(f: Any, table: Table, cells: pd.DataFrame, clock: pd.Index) -> dict[str, np.ndarray]:
    """What a fitted forecaster says at some cells, (cells, horizon, targets)."""
    windows = f.windows(table).at_every_row()
    wanted = pd.MultiIndex.from_frame(cells[["series", "cutoff"]])
    places = _cells(windows, clock).get_indexer(wanted)
    windows = replace(windows, starts=np.asarray(windows.starts)[places])
    values = np.asarray(f.predict(windows), dtype=float)
    arrays = {"": point_forecast(values, getattr(f, "quantiles", ()))}
    if getattr(f, "level", None):
        levels, ends = sorted(f.level), f.bounds(windows, values)  # (levels, cells, horizon, ...)
        for side, bounds in zip(("lo", "hi"), ends, strict=True):
            arrays |= {f"-{side}-{one:g}": row for one, row in zip(levels, bounds, strict=True)}
    return arrays


def _fit_and_predict(
    name: str,
    f: Any,
    table: Table,
    cells: pd.DataFrame,
    clock: pd.Index,
    framing: Any,
    held: tuple[int, int | None, int | None],
) -> dict[str, np.ndarray]:
    """Train on what lies before the first cutoff of a fold, and forecast from all of its cutoffs."""
    gap, validation, calibration = held
    cutoff = int(cells["cutoff"].min())
    until = cutoff - (framing.lead == 0) - gap  # the last row that the fit may read
    calibrated = until + 1 - (calibration or 0)
    validated = calibrated - (validation or 0)
    options: dict[str, Any] = {}
    if calibration:
        options["calibration"] = clock[max(calibrated, 0)]
    if validation:
        options["validation"] = clock[max(validated, 0)]
    last = int(cells["cutoff"].max()) + framing.lead + framing.horizon - 1
    try:
        f = f.copy()
        f.fit(_until(table, clock[until]) if until >= 0 else _until(table, clock[0]), **options)
        return _predict(f, _until(table, clock[last]), cells, clock)
    except Exception as error:
        kind = type(error) if type(error) in (ValueError, TypeError) else RuntimeError
        raise kind(
            f"The fit of {name!r} for the cutoff {clock[cutoff]}, on rows until {clock[until]}, "
            f"failed: {error}"
        ) from error


def _until(table: Table, time: Any) -> Table:
    """The rows of a table or panel up to a time."""
    if isinstance(table, np.ndarray):
        return table[: time + 1]
    if is_panel(table):
        return table[table["ds"] <= time].reset_index(drop=True)
    return table[table.index <= time]


# --- the baselines ------------------------------------------------------------------------------


def _simple_models(
    baselines: Any, seasons: list[int], history: int | None
) -> dict[str, tuple[Any, int | None, int]]:
    """By column: a model of statsforecast, the rows it reads (None: all), the rows it needs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in a notebook its progress bar asks for a widget
        from statsforecast import models as sf

    longest = max(seasons, default=1)
    rows = max(500, 4 * longest) if history is None else history
    if baselines == BASELINES and not seasons:
        baselines = [name for name in BASELINES if name != "seasonal naive"]
    if isinstance(baselines, str) or not hasattr(baselines, "__iter__"):
        baselines = [baselines]
    if not isinstance(baselines, Mapping):
        baselines = {_name_of(model): model for model in baselines}
    models: dict[str, tuple[Any, int | None, int]] = {}
    for name, model in baselines.items():
        if not isinstance(model, str):
            if not hasattr(model, "forecast"):
                raise TypeError(
                    f"The baseline {name!r} is a {type(model).__name__}. Give one of "
                    f"{', '.join(map(repr, BASELINES))}, or a model of statsforecast such as "
                    f"AutoARIMA(season_length=12)."
                )
            models[name] = (model, rows, 1)
        elif model == "naive":
            models[name] = (sf.Naive(), None, 1)
        elif model == "drift":
            models[name] = (sf.RandomWalkWithDrift(), None, 2)
        elif model == "seasonal naive":
            if not seasons:
                raise ValueError(
                    "The baseline 'seasonal naive' needs the steps per season: season=48 for "
                    "half-hours and days. Give it, or leave the baseline out."
                )
            for season in seasons:
                column = name if len(seasons) == 1 else f"{name} {season}"
                models[column] = (sf.SeasonalNaive(season), None, season)
        elif model == "AutoETS":
            if longest <= LONGEST_ETS_SEASON:
                models[name] = (sf.AutoETS(season_length=longest), rows, max(longest, 5))
            else:
                ets = sf.MSTL(longest, trend_forecaster=sf.AutoETS(model="ZZN"))
                models[name] = (ets, rows, 2 * longest)
        else:
            raise ValueError(
                f"There is no baseline {model!r}. There are {', '.join(map(repr, BASELINES))}; "
                f"others come as models of statsforecast, such as AutoARIMA(season_length=12)."
            )
    return models


def _name_of(model: Any) -> str:
    return model if isinstance(model, str) else str(getattr(model, "alias", type(model).__name__))


def _dense(series: pd.DataFrame, clock: pd.Index, panel: bool) -> dict[Any, tuple[int, np.ndarray]]:
    """By (series, target): its first step, and a value for each step from there (NaN: none)."""
    steps, y = clock.get_indexer(pd.Index(series["ds"])), series["y"].to_numpy()
    names = series["unique_id"] if panel else pd.Series("", index=series.index)
    dense = {}
    for key, rows in series.groupby([names, "target"], sort=False).indices.items():
        first = int(steps[rows].min())
        values = np.full(int(steps[rows].max()) - first + 1, np.nan)
        values[steps[rows] - first] = y[rows]
        dense[key] = (first, values)
    return dense


def _filled(values: np.ndarray, length: int, season: int) -> np.ndarray:
    """Missing values as that of the season before, or the last known one: from the past only."""
    values = np.append(values, np.full(max(length - len(values), 0), np.nan))
    for row in np.flatnonzero(np.isnan(values)):
        values[row] = values[row - season] if row >= season else values[row - 1]
    return values


def _baseline_tasks(
    models: Mapping[str, tuple[Any, int | None, int]],
    dense: Mapping[Any, tuple[int, np.ndarray]],
    cells: pd.DataFrame,
    framing: Any,
    seasons: list[int],
    level: Sequence[float] | None,
    clock: pd.Index,
    size: int = 32,
) -> list[_Task]:
    """The jobs of the baselines, some cells each. Raises if one lacks history."""
    known = cells["cutoff"].to_numpy() - (framing.lead == 0)  # the last row that may be read
    codes = cells["series"].to_numpy()
    longest, end = max(seasons, default=1), int(known.max()) + 1
    filled = {
        key: (first, _filled(values, end - first if np.isnan(values).any() else 0, longest))
        for key, (first, values) in dense.items()
    }
    tasks = []
    for name, (model, rows, needed) in models.items():
        reads = []  # of each cell and target: the series, and which rows of it
        for code, cutoff in zip(codes, known, strict=True):
            for target in framing.targets:
                first, values = filled[code, target]
                stop = cutoff - first + 1
                if stop < needed:
                    raise ValueError(
                        f"The baseline {name!r} reads {needed} rows before its first forecast, and "
                        f"{f'series {code!r} has' if code else 'there are'} {max(stop, 0)} up to "
                        f"the cutoff {clock[cutoff]}. Begin later (start=...), give a shorter "
                        f"season=, or leave it out (baselines=...)."
                    )
                reads.append((values, slice(0 if rows is None else max(stop - rows, 0), stop)))
        count = len(framing.targets)
        for part in np.array_split(np.arange(len(cells)), -(-len(cells) // size)):
            chosen = [reads[cell * count : (cell + 1) * count] for cell in part]
            job = (name, model, chosen, clock[known[part]], framing, level)
            tasks.append(_Task(name, None, part, _simple_forecasts, job))
    return tasks


def _simple_forecasts(
    name: str,
    model: Any,
    reads: list[list[tuple[np.ndarray, slice]]],
    cutoffs: pd.Index,
    framing: Any,
    level: Sequence[float] | None,
) -> dict[str, np.ndarray]:
    """What a model of statsforecast says at some cells, (cells, horizon, targets)."""
    steps = max(framing.lead - 1, 0) + framing.horizon
    options = {} if level is None else {"level": list(level)}
    found: dict[str, list[np.ndarray]] = {}
    for cutoff, read in zip(cutoffs, reads, strict=True):
        try:
            answers = [
                model.new().forecast(y=values[rows], h=steps, **options) for values, rows in read
            ]
        except Exception as error:
            raise RuntimeError(
                f"The baseline {name!r} failed at the cutoff {cutoff}, on {read[0][1].stop} rows: "
                f"{str(error) or type(error).__name__}. Leave it out (baselines=...), or begin later."
            ) from error
        for key in answers[0]:
            values = np.stack([answer[key] for answer in answers], axis=-1)  # (steps, targets)
            found.setdefault("" if key == "mean" else f"-{key}", []).append(values)
    return {suffix: np.stack(rows)[:, -framing.horizon :] for suffix, rows in found.items()}


# --- the long table -----------------------------------------------------------------------------


def _long_table(
    cells: pd.DataFrame,
    done: np.ndarray,
    forecasts: Mapping[Any, dict[str, np.ndarray]],
    names: list[str],
    framing: Any,
    dense: Mapping[Any, tuple[int, np.ndarray]],
    clock: pd.Index,
    seeds: Sequence[int] | None,
) -> pd.DataFrame:
    """All forecasts in the long format; `names` is the order of their columns."""
    codes, cutoffs = cells["series"].to_numpy()[done], cells["cutoff"].to_numpy()[done]
    steps = cutoffs[:, None] + framing.lead + np.arange(framing.horizon)  # (cells, horizon)
    panel = "" not in codes.tolist()
    parts = []
    for column, target in enumerate(framing.targets):
        y = np.stack(
            [_values_at(dense[code, target], row) for code, row in zip(codes, steps, strict=True)]
        )
        about = {
            "unique_id": codes.repeat(framing.horizon) if panel else str(target),
            "target": [target] * steps.size,  # a name may be a tuple
            "ds": clock[steps.ravel()],
            "cutoff": clock[cutoffs.repeat(framing.horizon)],
            "step": np.tile(np.arange(1, framing.horizon + 1), len(cutoffs)),
        }
        for seed in seeds or (None,):
            frame = about | ({} if seed is None else {"seed": seed}) | {"y": y.ravel()}
            for name in names:
                arrays = forecasts.get((name, seed)) or forecasts[name, None]
                for suffix in sorted(arrays, key=_place_of_suffix):
                    frame[f"{name}{suffix}"] = arrays[suffix][done][:, :, column].ravel()
            parts.append(pd.DataFrame(frame))
    table = pd.concat(parts, ignore_index=True).dropna(subset="y", ignore_index=True)
    if not panel or len(framing.targets) == 1:
        table = table.drop(columns="target")
    return table


def _place_of_suffix(suffix: str) -> tuple[int, float]:
    """The forecast, then its intervals from the lowest end to the highest."""
    if not suffix:
        return 0, 0.0
    _, side, level = suffix.split("-")  # such as -lo-80
    return (1, -float(level)) if side == "lo" else (2, float(level))


def _values_at(known: tuple[int, np.ndarray], steps: np.ndarray) -> np.ndarray:
    first, values = known
    places = steps - first
    inside = (places >= 0) & (places < len(values))
    return np.where(inside, values[np.where(inside, places, 0)], np.nan)


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """With one name for each series and target, in the column `key`."""
    key = rows["unique_id"]
    if "target" in rows:
        key = key.astype(str) + " " + rows["target"].astype(str)
    return rows.assign(key=key, ds=np.arange(len(rows)))  # metrics need no dates


# --- the lag test -------------------------------------------------------------------------------


def _lag_test(
    result: "Backtest", rows: pd.DataFrame, series: pd.DataFrame, lags: int
) -> pd.DataFrame:
    """How far the series has to be shifted to match each forecast best."""
    rows, series = _keyed(rows).assign(ds=rows["ds"]), _keyed(series).assign(ds=series["ds"])
    clock = _clock(pd.Index(series["ds"], name=None))
    names, width = pd.Index(series["key"].unique()), len(clock)

    def steps_of(times: pd.Series) -> np.ndarray:
        return clock.get_indexer(pd.Index(times))

    def begin_of(keys: pd.Series) -> np.ndarray:
        return names.get_indexer(pd.Index(keys)) * width

    flat = np.full(len(names) * width, np.nan)  # all series, one after the other
    flat[begin_of(series["key"]) + steps_of(series["ds"])] = series["y"]
    begin, column = begin_of(rows["key"]), steps_of(rows["ds"])
    known = np.minimum(steps_of(rows["cutoff"]), column - rows["step"].to_numpy())
    last_value = flat[begin + known]
    y, verdicts = rows["y"].to_numpy(), []
    naive = None if not result.baselines else (rows[result.baselines[0]] - rows["y"]).abs().mean()
    shifted = [
        np.where(column >= lag, flat[begin + column - lag], np.nan) for lag in range(lags + 1)
    ]
    for name in result.forecasts:
        values = rows[name].to_numpy()
        away = [float(np.nanmean(np.abs(values - then))) for then in shifted]
        error, best = float(np.abs(values - y).mean()), int(np.argmin(away))
        to_last = float(np.nanmean(np.abs(values - last_value)))
        left = np.nan if not naive else error / naive
        verdicts.append(
            {
                "forecast": name,
                "error": error,
                "best lag": best,
                "error there": away[best],
                "to last value": to_last,
                "left of naive": left,
                "verdict": _verdict(error, best, away[best], to_last, left),
            }
        )
    return pd.DataFrame(verdicts).set_index("forecast")


def _verdict(error: float, best: int, there: float, to_last: float, left: float) -> str:
    gain = left < 0.9  # less than a tenth is no gain to speak of
    if to_last < min(error, there):
        return "follows the last value, " + ("yet better than naive" if gain else "and no better")
    if best > 0:
        late = f"{best} step{'s' if best > 1 else ''} late"
        return f"late copy: {late}, " + ("yet better than naive" if gain else "and no better")
    return "no copy, " + ("and better than naive" if gain else "but no better than naive")


# --- checks -------------------------------------------------------------------------------------


def _check_forecasters(forecasters: Any) -> dict[str, Any]:
    named = dict(forecasters) if isinstance(forecasters, Mapping) else {"LSTM": forecasters}
    if not named:
        raise ValueError("There is no forecaster to test: the dict is empty.")
    for name, f in named.items():
        if isinstance(f, type) or not all(hasattr(f, word) for word in ("fit", "copy", "windows")):
            more = (
                " A fitted Keras model is scored with tsf.forecast_table(model, windows)."
                if isinstance(f, keras.Model)
                else ""
            )
            raise TypeError(
                f"{name!r} is {'the class' if isinstance(f, type) else 'a'} "
                f"{getattr(f, '__name__', type(f).__name__)}, and a backtest takes a Forecaster, "
                f"or a dict of names and Forecasters.{more}"
            )
    return named


def _trained_until(f: Any) -> Any:
    """The last time of a target that a forecaster was fitted on; None for an unfitted one."""
    return getattr(f, "trained_until", None)


def _check_names(named: Mapping[str, Any], models: Mapping[str, Any]) -> None:
    for name in (*named, *models):
        if (
            not isinstance(name, str)
            or name in ABOUT
            or name == "key"
            or not _forecast_names(pd.DataFrame(columns=[name]))
        ):
            raise ValueError(
                f"A forecast cannot be called {name!r}: the table has columns of its own "
                f"({', '.join(ABOUT)}, and names that end in -lo-80 or -hi-80). Choose another name."
            )
        if name in named and name in models:
            raise ValueError(
                f"There are two forecasts called {name!r}, a forecaster and a baseline. Give the "
                f"forecaster another name: backtest({{'my {name}': forecaster}}, ...)."
            )


def _check_seasons(season: Any) -> list[int]:
    seasons = [] if season is None else [season] if np.ndim(season) == 0 else list(season)
    for steps in seasons:
        check_whole_number("season", steps, 1)
    if len(set(seasons)) < len(seasons):
        raise ValueError(f"season={season} names a season twice. Name it once.")
    return seasons


def _check_numbers(**numbers: Any) -> None:
    for name, value in numbers.items():
        if value is not None:
            check_whole_number(name, value, 1 if name in ("every", "history") else 0)


def _cutoffs_per_fit(refit: Any) -> int | None:
    if isinstance(refit, (bool, np.bool_)):
        return 1 if refit else None
    if not isinstance(refit, (int, np.integer)) or refit < 1:
        raise ValueError(
            f"refit must be False (never), True (at every cutoff) or a whole number k, 1 or more "
            f"(at every k-th cutoff); got {refit!r}."
        )
    return int(refit)


def _check_seeds(seeds: Any) -> list[int] | None:
    if seeds is None:
        return None
    if isinstance(seeds, str) or not hasattr(seeds, "__iter__"):
        raise ValueError(
            f"seeds must be a list of whole numbers, such as [0, 1, 2]; got {seeds!r}."
        )
    seeds = list(seeds)
    for seed in seeds:
        check_whole_number("each of seeds", seed, 0)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={seeds}: give one or more seeds, each once.")
    return seeds


def _check_same_task(windows: Mapping[str, Windows]) -> Any:
    """The framing that all forecasters share, as far as it concerns the targets."""
    tasks = {
        name: (part.framing.targets, part.framing.horizon, part.framing.lead)
        for name, part in windows.items()
    }
    name, first = next(iter(tasks.items()))
    for other, task in tasks.items():
        for what, a, b in zip(("targets", "horizon", "lead"), first, task, strict=True):
            if a != b:
                raise ValueError(
                    f"The forecasters have different tasks: {what} is {a!r} in {name!r} and {b!r} "
                    f"in {other!r}. Test them one by one."
                )
    return windows[name].framing


def _check_not_trained_on(
    named: Mapping[str, Any], cells: pd.DataFrame, framing: Any, gap: int, clock: pd.Index
) -> None:
    """Leakage: a target that was trained or validated on may not be scored."""
    ahead = int(cells["cutoff"].min()) + framing.lead
    for name, f in named.items():
        until = _trained_until(f)
        step = int(clock.searchsorted(as_label(until, clock), "right")) - 1
        if ahead <= step:
            raise ValueError(
                f"Leakage: the targets from {clock[ahead]} on are to be scored, and {name!r} was "
                f"trained or validated on targets until {until}. Begin after them (leave start= "
                f"out), or let backtest fit on what lies before each cutoff (refit=True)."
            )
        if ahead <= step + gap:
            raise ValueError(
                f"{name!r} was trained or validated on targets until {until}, and gap={gap} keeps "
                f"{gap} steps free before the first target, {clock[ahead]}. Begin at "
                f"{clock[min(step + gap + 1, len(clock) - 1)]} or later."
            )


def _check_season(
    dense: Mapping[Any, tuple[int, np.ndarray]], first: int, seasons: list[int], clock: pd.Index
) -> None:
    known = max(first - begin for begin, _ in dense.values())
    if seasons and known <= max(seasons):
        raise ValueError(
            f"season={max(seasons)} is longer than the history: {known} rows lie before the first "
            f"target, {clock[first]}. Give more rows before it, a later start= or a shorter season=."
        )
