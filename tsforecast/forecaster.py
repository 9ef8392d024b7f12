"""All of it for one table or panel: `Forecaster` frames, builds, fits, forecasts, saves.

It adds no modelling: it is `Framing`, `build_model`, `fit` and `predict` in a row. Taught in the
chapter on your own table (`notebooks/own_table.ipynb`); `forecast`, for a model that you built
yourself, in the univariate chapter (`notebooks/univariate.ipynb`).
"""

from __future__ import annotations

import difflib
import html
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import keras
import numpy as np
import pandas as pd

from tsforecast.calendar import calendar_features, calendar_names
from tsforecast.framing import Framing, Windows
from tsforecast.intervals import (
    INTERVALS,
    calibrate,
    check_level,
    interval_bounds,
    interval_columns,
    point_forecast,
    quantiles_for,
)
from tsforecast.models import (
    build_model,
    check_fitted,
    check_shapes,
    direct_model,
    outputs_of,
    predict,
    quantiles_of,
    recursive_model,
)
from tsforecast.persistence import read, refuse_damaged, write
from tsforecast.tables import Table, check_whole_number, is_panel, read_table, read_times
from tsforecast.training import fit

FRAMING = (
    *("lookback", "horizon", "lead", "targets", "past_covariates", "future_covariates"),
    *("static_covariates", "use_target_history", "stride", "missing", "min_history"),
)
MODEL = (
    *("encoder", "decoder", "units", "activation", "scaling", "skip", "season", "dropout"),
    "ridge",
)
STRATEGIES = ("joint", "direct", "recursive")
TRAINING = ("epochs", "batch_size", "learning_rate", "loss", "patience", "seed", "fast")
# What a saved forecaster has beside its model. Not all of them have a step and a last time.
SAVED: dict[str, type] = {
    "settings": dict,
    "framing": Framing,
    "calendar": list,
    "summary": dict,
    "history": dict,
    "epochs": list,
    "columns": list,
    "index": pd.Index,
}


def forecast(
    model: keras.Model, framing: Framing, table: Table, future: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Forecast what comes after the last row of a table, with its dates.

    Parameters
    ----------
    model : keras.Model
        From `tsforecast.build_model`, fitted.
    framing : Framing
        The framing that the model was built from.
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        At least `lookback` rows, of a panel for each series; the last ones are read.
    future : pandas.DataFrame, optional
        The future covariates at the target times, in a framing that has them.

    Returns
    -------
    pandas.DataFrame
        A row per time step: in a panel ``unique_id``; ``ds``, the time that is forecast;
        ``cutoff``, the last time that was known; and a column per target, in the units of the
        table.

    Raises
    ------
    ValueError
        If the table cannot be framed, or does not have the shape that the model was built for.

    Examples
    --------
    >>> from tsforecast import build_model, datasets, fit
    >>> table = datasets.toy("univariate")
    >>> framing = Framing(3)
    >>> model = build_model(framing, units=8)
    >>> history = fit(model, framing.windows(table), epochs=200, seed=0)
    >>> forecast(model, framing, table).round()
       ds  cutoff      a
    0   9       8  100.0
    """
    framing = _named(framing, table) if isinstance(framing, Framing) else framing
    check_shapes(model, framing)
    check_fitted(model)
    inputs = framing.last_window(table, future)
    values = outputs_of(model, inputs).astype(np.float64)  # (series, horizon, targets)
    dated = _dates_of(framing, table)
    values = point_forecast(values, quantiles_of(model)).reshape(len(dated), -1)
    return _with_targets(dated, framing, values)


class Forecaster:
    """A table or panel goes in, a dated forecast comes out.

    Parameters
    ----------
    lookback, horizon, lead, targets, past_covariates, future_covariates, static_covariates
        What goes in and what comes out, as in `tsforecast.Framing`.
    use_target_history, stride, missing, min_history
        Further choices, as in `tsforecast.Framing`.
    calendar : bool
        Add hour, weekday and season of the year as future covariates, as far as the times of the
        table can teach them: see `tsforecast.calendar`.
    encoder, decoder, units, activation, scaling, skip, season, dropout, ridge
        The model, as in `tsforecast.build_model`.
    strategy : {"joint", "direct", "recursive"}
        How a forecast of several steps comes about. "joint": one model writes all steps, in the
        way of its decoder. "direct": one model per step, each trained for its own. "recursive":
        one model of the next step, which is fed its own forecasts as if they had been measured.
    level : list of float, optional
        Percents of prediction intervals, such as ``[80, 95]``.
    intervals : {"conformal", "quantile", "both"}
        Where intervals come from: errors on a calibration part, a model that forecasts quantiles,
        or quantiles that are corrected by errors on a calibration part.
    epochs, batch_size, learning_rate, loss, patience, seed, fast
        The training, as in `tsforecast.fit`.
    **options
        Further options of the encoder and the decoder, such as ``subsequences=7`` for "cnn".

    Attributes
    ----------
    settings : dict
        All of the arguments.
    model : keras.Model
        The fitted model; None before `fit`.
    framing : Framing
        With its columns named, the calendar's among them.
    trained_until : time
        The last time of which anything was seen in training, validation or calibration.

    Raises
    ------
    ValueError
        If an argument is not possible, at once and not after training.

    Examples
    --------
    >>> from tsforecast import datasets
    >>> forecaster = Forecaster(lookback=3, horizon=2, units=8, epochs=200)
    >>> forecaster.fit(datasets.toy("univariate")).forecast().round()
       ds  cutoff      a
    0   9       8  100.0
    1  10       8  110.0
    """

    def __init__(
        self,
        lookback: int,
        *,
        horizon: int = 1,
        lead: int = 1,
        targets: Any = None,
        past_covariates: Any = (),
        future_covariates: Any = (),
        static_covariates: Any = (),
        use_target_history: bool = True,
        stride: int = 1,
        missing: str = "refuse",
        min_history: int | None = None,
        calendar: bool = False,
        encoder: Any = "vanilla",
        decoder: Any = "vector",
        units: int = 50,
        activation: str = "tanh",
        scaling: str | None = None,
        skip: str = "none",
        season: int | Sequence[int] | None = None,
        dropout: float = 0.0,
        ridge: float = 1e-8,
        strategy: str = "joint",
        level: Any = None,
        intervals: str = "conformal",
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 0.005,
        loss: str | None = None,
        patience: int | None = None,
        seed: int | None = 0,
        fast: bool = False,
        **options: Any,
    ) -> None:
        named = {name: value for name, value in locals().items() if name not in ("self", "options")}
        _check_spelling(options, named)
        self.settings: dict[str, Any] = named | options
        self.options = options
        self.level = None if level is None else check_level(level)
        if intervals not in INTERVALS:
            raise ValueError(f"There are no {intervals!r} intervals. Choose from {INTERVALS}.")
        self.framing = Framing(**{name: named[name] for name in FRAMING})
        self._check()
        self.calendar: list[str] = []  # names of the features, once the times are known
        self.model: keras.Model | None = None
        self.history: Any = None
        self.margins: np.ndarray | None = None  # (levels, horizon, targets), of conformal intervals
        self.tail: pd.DataFrame | None = None  # the last rows, from which a forecast starts
        self.freq: Any = None  # the step between two rows
        self.trained_until: Any = None
        self.summary: dict[str, Any] = {}  # what it was trained on, in words and numbers

    def _check(self) -> None:
        """Build the model for placeholder columns: what cannot be built is refused at once."""
        framing = self.framing
        if framing.targets is None:
            framing = framing.named(["y"])
        self._check_strategy(framing)
        self._build(framing if self.strategy == "joint" else replace(framing, horizon=1))

    def _check_strategy(self, framing: Framing) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"There is no strategy {self.strategy!r}. Choose from {', '.join(STRATEGIES)}."
            )
        if self.strategy != "recursive":
            return
        if framing.past_covariates:
            raise ValueError(
                f"strategy='recursive' needs every input at the steps in between, and nobody knows "
                f"the past covariates {list(framing.past_covariates)} there. Use 'direct' or "
                f"'joint', or forecast these columns too: targets=[...]."
            )
        if framing.lead != 1 or not framing.use_target_history:
            raise ValueError(
                "strategy='recursive' feeds forecasts back into the targets' history: it needs "
                "lead=1 and use_target_history=True. Use 'direct' or 'joint'."
            )
        if self.quantiles:
            raise ValueError(
                "strategy='recursive' feeds one number back per step, not quantiles. Use "
                "intervals='conformal', or another strategy."
            )

    @property
    def strategy(self) -> str:
        """How a forecast of several steps comes about."""
        return self.settings["strategy"]

    def _build(self, framing: Framing) -> keras.Model:
        quantiles = self.quantiles
        chosen = {name: self.settings[name] for name in MODEL}
        return build_model(framing, **chosen, **self.options, quantiles=quantiles)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The quantiles that the model forecasts; none if intervals are conformal only."""
        if self.level is None or self.settings["intervals"] == "conformal":
            return ()
        return quantiles_for(self.level)

    # --- learning -----------------------------------------------------------------------------

    def fit(
        self,
        table: Table,
        validation: Any = None,
        calibration: Any = None,
        *,
        checkpoint: str | PathLike[str] | None = None,
        verbose: int = 0,
    ) -> Forecaster:
        """Frame a table, build the model, train it.

        Parameters
        ----------
        table : pandas.DataFrame, pandas.Series or numpy.ndarray
            One row per time step, with its times as the index; or a panel with the columns
            ``unique_id`` and ``ds``.
        validation : time, optional
            From this time on, the table is the validation part: the weights of the epoch with the
            best loss there are kept.
        calibration : time, optional
            From this time on, the table is the calibration part of conformal intervals, after the
            validation part. By default the second half of the validation part, or the last fifth
            of the table.
        checkpoint : path, optional
            A file that training can be resumed from; see `tsforecast.fit`.
        verbose : {0, 1, 2}
            Keras's progress: none, a bar, a line per epoch.

        Returns
        -------
        Forecaster
            Itself. If anything fails, it stays as it was.

        Raises
        ------
        ValueError
            If the table cannot be framed; see `Framing.windows`.
        """
        table = _as_frame(table)
        calendar = calendar_names(_times(table)) if self.settings["calendar"] else []
        windows = self._framing(calendar).windows(_with_calendar(table, calendar))
        train, check, measure = self._parts(windows, validation, calibration)
        chosen: dict[str, Any] = {name: self.settings[name] for name in TRAINING}
        if check is None:
            chosen["patience"] = None
        if checkpoint is not None:
            chosen["checkpoint"] = checkpoint
        model, history = self._train(train, check, chosen | {"verbose": verbose})
        margins = None if measure is None else self._calibrate(model, measure)

        self.model, self.framing, self.calendar = model, windows.framing, calendar
        self.history, self.margins = history, margins
        self.tail, self.freq = self._last_rows(table, windows), windows.freq
        self.trained_until = windows.target_span[1]
        self.summary = _summary(train, check, measure, history)
        return self

    def _train(
        self, train: Windows, check: Windows | None, chosen: dict[str, Any]
    ) -> tuple[keras.Model, Any]:
        """Train by the strategy: one model of all steps, one per step, or one that is fed back."""
        framing = train.framing
        if self.strategy == "joint":
            model = self._build(framing)
            return model, fit(model, train, validation=check, **chosen)
        if self.strategy == "direct" and "checkpoint" in chosen:
            raise ValueError(
                "checkpoint=... keeps one training, and strategy='direct' has one per step. Leave "
                "it out."
            )
        steps = range(framing.horizon) if self.strategy == "direct" else [0]
        models, histories = [], []
        for step in steps:
            part = _only_step(train, step)
            validation = None if check is None else _only_step(check, step)
            models.append(self._build(part.framing))
            histories.append(fit(models[-1], part, validation=validation, **chosen))
        if self.strategy == "direct":
            return direct_model(framing, models), _mean_history(histories)
        return recursive_model(framing, models[0]), histories[0]

    def _framing(self, calendar: list[str]) -> Framing:
        chosen = {name: self.settings[name] for name in FRAMING}
        known = Framing(**chosen).future_covariates
        return Framing(**chosen | {"future_covariates": (*known, *calendar)})

    def _parts(
        self, windows: Windows, validation: Any, calibration: Any
    ) -> tuple[Windows, Windows | None, Windows | None]:
        """Training, validation and calibration windows; None for a part that is not needed."""
        conformal = self.level is not None and self.settings["intervals"] != "quantile"
        if calibration is not None and not conformal:
            raise ValueError(
                "calibration=... is for conformal intervals: give level=[...] and intervals="
                "'conformal' or 'both', or leave it out."
            )
        if conformal and calibration is None:
            after = windows if validation is None else windows.split(validation)[1]
            times = after.index[after.target_rows[:, 0]].unique().sort_values()
            calibration = times[int(len(times) * (0.8 if validation is None else 0.5))]
        borders = [time for time in (validation, calibration) if time is not None]
        parts = windows.split(*borders) if borders else [windows]
        check = None if validation is None else parts[1]
        return parts[0], check, parts[-1] if conformal else None

    def _calibrate(self, model: keras.Model, windows: Windows) -> np.ndarray:
        y = np.asarray(windows.y, dtype=np.float64)
        unit = self._unit(windows.X)
        assert self.level is not None
        return calibrate(y, predict(model, windows), self.level, self.quantiles, unit)

    def _unit(self, X: np.ndarray) -> Any:
        """What errors are counted in: 1, or how far each window of a panel strays from its mean."""
        if self.settings["scaling"] not in ("series", "log"):
            return 1.0
        history = np.asarray(X[:, :, : self.framing.n_targets], dtype=np.float64)
        level = np.nanmean(np.abs(history), axis=1, keepdims=True)
        return np.maximum(np.nanstd(history, axis=1, keepdims=True), 0.01 * level + 1e-30)

    def update(
        self, table: Table, *, epochs: int | None = None, learning_rate: float | None = None
    ) -> Forecaster:
        """Train on with new rows.

        Parameters
        ----------
        table : pandas.DataFrame, pandas.Series or numpy.ndarray
            Rows after those that it knows; rows that it knows already are passed over. Rows that
            are missing in between are a wall, and cannot be handed in later.
        epochs : int, optional
            Times that the new windows are seen; by default a quarter of those in `fit`.
        learning_rate : float, optional
            By default a tenth of that in `fit`, so that what was learned is not lost.

        Returns
        -------
        Forecaster
            Itself, with its forecasts starting from the last new row. Scaling and the margins of
            conformal intervals stay as measured in `fit`. If anything fails, all stays as it was.

        Raises
        ------
        ValueError
            If it was not fitted yet, if no row is new, if no new window is complete, or if the
            strategy is not "joint".
        """
        model, framing = self._fitted()
        if self.strategy != "joint":
            raise ValueError(
                f"update trains the one model of strategy='joint' on, and this is "
                f"{self.strategy!r}. Fit it again on all rows: forecaster.copy().fit(table)."
            )
        known, latest = self._join(self._on_its_clock(_as_frame(table)))
        windows = framing.windows(_with_calendar(known, self.calendar))
        windows = _ending_after(windows, latest)
        weights = model.get_weights()
        try:
            fit(
                model,
                windows,
                epochs=epochs or max(1, self.settings["epochs"] // 4),
                learning_rate=learning_rate or self.settings["learning_rate"] / 10,
                batch_size=self.settings["batch_size"],
                loss=self.settings["loss"],
                seed=self.settings["seed"],
                warm_start=True,
                fast=self.settings["fast"],
            )
        except BaseException:
            model.set_weights(weights)
            raise
        self.tail = self._last_rows(known, windows)
        self.trained_until = max(self.trained_until, windows.target_span[1])
        self.summary["updated with"] = f"{len(windows)} windows to {windows.target_span[1]}"
        return self

    # --- forecasting --------------------------------------------------------------------------

    def forecast(
        self,
        table: Table | None = None,
        future: pd.DataFrame | None = None,
        horizon: int | None = None,
    ) -> pd.DataFrame:
        """Forecast what comes after the last row.

        Parameters
        ----------
        table : pandas.DataFrame, pandas.Series or numpy.ndarray, optional
            Rows to start from, the last `lookback` are read; also series that it never saw. By
            default the last rows that it was fitted on or updated with.
        future : pandas.DataFrame, optional
            The future covariates at the target times, without the calendar's.
        horizon : int, optional
            Steps to forecast. Beyond those that the model was built for, its forecasts are fed
            back to it as if they had been measured; such rows are marked in the column
            ``fed back``, have no intervals, and get worse with every round.

        Returns
        -------
        pandas.DataFrame
            A row per time step: in a panel ``unique_id``; ``ds``, the time that is forecast;
            ``cutoff``, the last time that was known; a column per target in the units of the
            table; and for each level the ends of its interval, such as ``demand-lo-95`` and
            ``demand-hi-95``.

        Raises
        ------
        ValueError
            If it was not fitted yet, if the table lacks a column or rows, or if `future` lacks a
            target time.
        """
        _, framing = self._fitted()
        if future is not None and not isinstance(future, (pd.DataFrame, pd.Series)):
            raise ValueError(
                f"future= must be a table of what is known ahead, got {type(future).__name__}. For "
                f"another number of steps write horizon=..."
            )
        table = self.tail if table is None else self._on_its_clock(_as_frame(table), future)
        assert table is not None
        if is_panel(table) and future is not None and future.index.names == ["unique_id", "ds"]:
            future = future.reset_index()
        steps = framing.horizon
        if horizon is not None:
            check_whole_number("horizon", horizon, 1)
            steps = horizon
        if steps > framing.horizon:
            return self._feed_back(table, future, steps)
        dated = self._forecast_once(table, future)
        first = np.arange(len(dated)) % framing.horizon < steps
        return dated[first].reset_index(drop=True)

    def _forecast_once(self, table: pd.DataFrame, future: pd.DataFrame | None) -> pd.DataFrame:
        """The forecast of as many steps as the model was built for."""
        model, framing = self._fitted()
        table = self._spaced(table)
        dated = _dates_of(framing, table)
        future = self._with_calendar_ahead(dated, future)
        inputs = framing.last_window(_with_calendar(table, self.calendar), future)
        values = outputs_of(model, inputs).astype(np.float64)
        point = point_forecast(values, self.quantiles)  # (series, horizon, targets)
        forecasts = _with_targets(dated, framing, point.reshape(len(dated), -1))
        if self.level is not None:
            unit = self._unit(inputs["X"] if isinstance(inputs, dict) else inputs)
            ends = interval_bounds(values, self.level, self.margins, self.quantiles, unit)
            for column, target in enumerate(framing.targets):
                low, high = (end[..., column] for end in ends)
                forecasts = forecasts.assign(**interval_columns(target, self.level, low, high))
        return forecasts

    @property
    def _known_ahead(self) -> list[Any]:
        """The future covariates that the reader must give; the calendar's are added to them."""
        return [name for name in self.framing.future_covariates if name not in self.calendar]

    def _with_calendar_ahead(self, dated: pd.DataFrame, future: Any) -> Any:
        """The future covariates with the calendar's at the target times."""
        if not self.calendar:
            return future
        names = self._known_ahead
        panel = "unique_id" in dated
        if future is None and names:
            columns = ["unique_id", "ds", *names] if panel else names
            raise ValueError(
                f"This forecaster knows {names} ahead of time. Pass future=, a table with the "
                f"columns {columns} at the {self.framing.horizon} target times "
                f"{dated['ds'].iloc[0]} to {dated['ds'].iloc[-1]}. The calendar is added to it."
            )
        times = dated[["unique_id", "ds"]] if panel else dated.set_index("ds")[[]]
        return _with_calendar(times if future is None else future, self.calendar)

    def _feed_back(self, table: pd.DataFrame, future: Any, steps: int) -> pd.DataFrame:
        """Forecast again and again, each time from the last forecast."""
        framing = self.framing
        if framing.past_covariates:
            raise ValueError(
                f"A horizon of {steps} is longer than the {framing.horizon} steps that the model "
                f"was built for, and to feed forecasts back it needs the past covariates "
                f"{list(framing.past_covariates)} of times that have not come. Build it with "
                f"horizon={steps}."
            )
        if framing.lead != 1 or not framing.use_target_history:
            raise ValueError(
                f"A horizon longer than {framing.horizon} needs lead=1 and the targets' history."
            )
        own = self._known_ahead
        rounds = -(-steps // framing.horizon) * framing.horizon
        if own and future is not None:
            times = replace(framing, horizon=rounds).target_times(table)
            given = future.set_index(["unique_id", "ds"]) if is_panel(table) else future
            if not times.isin(given.index).all():
                raise ValueError(
                    f"A horizon of {steps} is forecast in rounds of {framing.horizon} steps, so "
                    f"future= must hold {own} for {rounds} steps: every time from {times[0]} to "
                    f"{times[-1]}. {int((~times.isin(given.index)).sum())} are missing."
                )
        parts: list[pd.DataFrame] = []
        for _ in range(0, steps, framing.horizon):
            parts.append(self._forecast_once(table, future).assign(**{"fed back": bool(parts)}))
            table = self._as_measured(table, parts[-1], future)
        return _joined(parts, framing, steps)

    def _as_measured(self, table: Any, forecasts: pd.DataFrame, future: Any) -> pd.DataFrame:
        """The table continued by forecasts, as if they had been measured."""
        framing = self.framing
        keys = ["unique_id", "ds"] if "unique_id" in forecasts else ["ds"]
        rows = forecasts.set_index(keys)[list(framing.targets)]
        ahead = self._known_ahead
        if ahead:
            known = future.set_index(keys) if len(keys) == 2 else future
            rows[ahead] = known.loc[rows.index, ahead]
        if len(keys) == 2:
            rows = rows.reset_index()
        last = table.groupby("unique_id").last() if len(keys) == 2 else table.iloc[[-1]]
        for name in framing.static_covariates:
            if name != "unique_id":
                one = last[name].iloc[0]
                rows[name] = rows["unique_id"].map(last[name]) if len(keys) == 2 else one
        return pd.concat([table[rows.columns], rows], ignore_index=len(keys) == 2)

    def windows(self, table: Table) -> Windows:
        """The windows of a table as the model reads them: the calendar is added."""
        table = self._on_its_clock(_as_frame(table))
        calendar, framing = self.calendar, self.framing
        if self.model is None:
            calendar = calendar_names(_times(table)) if self.settings["calendar"] else []
            framing = self._framing(calendar)
        return framing.windows(_with_calendar(table, calendar))

    def predict(self, windows: Windows) -> np.ndarray:
        """Forecast every window: (samples, horizon, targets), with quantiles one axis more."""
        return predict(self._fitted()[0], windows)

    def bounds(self, windows: Windows, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the intervals around what `predict` gave, (levels, samples, horizon, targets)."""
        if self.level is None:
            raise ValueError("This forecaster has no intervals. Build it with level=[80, 95].")
        unit = self._unit(windows.X)
        return interval_bounds(values, self.level, self.margins, self.quantiles, unit)

    # --- keeping ------------------------------------------------------------------------------

    def copy(self, **changes: Any) -> Forecaster:
        """A forecaster that is not fitted, with the same settings but for some changes.

        The options of an encoder go with it, where the encoder is changed.

        Examples
        --------
        >>> Forecaster(3, units=8).copy(units=16).settings["units"]
        16
        """
        kept = dict(self.settings)
        if changes.get("encoder", kept["encoder"]) != kept["encoder"]:
            kept = {name: value for name, value in kept.items() if name not in self.options}
        return Forecaster(**kept | changes)

    def save(self, path: str | PathLike[str]) -> None:
        """Save all that a forecast needs in one file; an old file stays whole if saving fails.

        Parameters
        ----------
        path : str or path
            Ends with ``.keras``; `tsforecast.load_model` can read the model in it.

        Raises
        ------
        OSError
            If the disk is full, or if the folder may not be written to (a PermissionError).
        """
        model, framing = self._fitted()
        assert self.tail is not None
        tail = self.tail.set_index("ds") if is_panel(self.tail) else self.tail
        description = {
            "kind": "Forecaster",
            "settings": self.settings,
            "framing": framing,
            "calendar": self.calendar,
            "trained_until": self.trained_until,
            "summary": self.summary,
            "history": {name: list(map(float, v)) for name, v in self.history.history.items()},
            "epochs": list(map(int, self.history.epoch)),
            "freq": self.freq,
            "columns": list(tail.columns),
            "index": tail.index,
        }
        arrays = {f"column {n}": _plain(tail.iloc[:, n]) for n in range(tail.shape[1])}
        if self.margins is not None:
            arrays["margins"] = self.margins
        write(path, model, description, arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Forecaster:
        """Load what `save` wrote: the same forecasts, bit for bit; safe also from a stranger.

        Parameters
        ----------
        path : str or path
            Of the file.

        Returns
        -------
        Forecaster

        Raises
        ------
        ValueError
            If the file is damaged, foreign, or from a newer version.
        """
        model, description, arrays = read(path)
        if description.get("kind") != "Forecaster":
            raise ValueError(
                f"{path} does not hold a Forecaster. For a model saved with model.save, use "
                f"tsforecast.load_model."
            )
        try:
            return cls._restored(model, description, arrays)
        except Exception as error:  # whatever a part leads to that is missing or another one
            refuse_damaged(path, error)

    @classmethod
    def _restored(
        cls, model: keras.Model, description: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> Forecaster:
        for name, kind in SAVED.items():
            if not isinstance(description.get(name), kind):
                raise ValueError(f"its {name!r} is no {kind.__name__}")
        forecaster = cls(**description["settings"])
        forecaster.model, forecaster.framing = model, description["framing"]
        forecaster.calendar, forecaster.freq = description["calendar"], description["freq"]
        forecaster.trained_until = description["trained_until"]
        forecaster.summary = description["summary"]
        forecaster.history = keras.callbacks.History()
        forecaster.history.history = description["history"]
        forecaster.history.epoch = description["epochs"]
        forecaster.margins = arrays.get("margins")
        columns = [values for name, values in arrays.items() if name.startswith("column ")]
        index = description["index"]
        tail = pd.DataFrame(dict(enumerate(columns)), index=index)
        tail.columns = pd.Index(description["columns"])
        if "unique_id" in tail:
            tail = tail.reset_index()
            tail = tail[["unique_id", "ds", *tail.columns[2:]]]
        forecaster.tail = tail
        return forecaster

    # --- looking at it ------------------------------------------------------------------------

    def _fitted(self) -> tuple[keras.Model, Framing]:
        if self.model is None:
            raise ValueError("This forecaster was never fitted. Call forecaster.fit(table) first.")
        return self.model, self.framing

    def _last_rows(self, table: pd.DataFrame, windows: Windows) -> pd.DataFrame:
        """The rows that a forecast and an update start from, of each series."""
        names = [*windows.framing.inputs, *windows.framing.targets]
        names = [name for name in names if name not in self.calendar]
        names = list(dict.fromkeys([*names, *windows.framing.static_covariates]))
        if is_panel(table):
            names = [name for name in names if name != "unique_id"]
            order = np.lexsort((table["ds"], pd.factorize(table["unique_id"])[0]))
            rows = table.iloc[order].groupby("unique_id", sort=False)  # the series in their order
            tail = rows.tail(windows.framing.span)[["unique_id", "ds", *names]]
            return tail.reset_index(drop=True)
        tail = table[names].iloc[-windows.framing.span :].copy()
        if isinstance(tail.index, pd.DatetimeIndex):
            tail.index = _with_freq(tail.index, windows.freq)
        return tail

    def _on_its_clock(self, table: pd.DataFrame, future: Any = None) -> pd.DataFrame:
        """The table, with the columns that are needed and its times in the zone of the fit."""
        if self.tail is None or is_panel(table) != is_panel(self.tail):
            return table
        needed = (*self.framing.inputs, *self.framing.static_covariates)
        lacking = [name for name in needed if name not in [*table.columns, *self.calendar]]
        if lacking:
            ahead = set(table.columns) <= {"unique_id", "ds", *self.framing.future_covariates}
            hint = (
                " To give what is known ahead, write future=." if ahead and future is None else ""
            )
            raise ValueError(
                f"The table has no column {lacking[0]!r}; its columns are {list(table.columns)}. The "
                f"forecaster reads {[name for name in needed if name not in self.calendar]}.{hint}"
            )
        if is_panel(table):
            times = _same_zone(pd.Index(table["ds"]), pd.Index(self.tail["ds"]))
            return table.assign(ds=times)
        return table.set_axis(_same_zone(table.index, self.tail.index))

    def _spaced(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table, if its rows are as far apart as those that the forecaster was fitted on."""
        if is_panel(table) or not isinstance(table.index, pd.DatetimeIndex) or self.freq is None:
            return table
        index = _with_freq(table.index, self.freq)
        masked = self.framing.missing == "mask" and index.freq != self.freq
        if masked and index.is_monotonic_increasing:
            whole = pd.date_range(index[0], index[-1], freq=self.freq, unit=index.unit)
            if index.isin(whole).all() and index.is_unique:
                return table.set_axis(index).reindex(whole)  # rows missing in time: masked steps
        freq = index.freq or (read_times(index)[1] if len(index) > 2 else self.freq)
        if freq != self.freq:
            raise ValueError(
                f"The forecaster was fitted on rows that are {self.freq.freqstr!r} apart, and the "
                f"rows of this table are {freq.freqstr!r} apart. Bring it to the same spacing, for "
                f"example with table.resample({self.freq.freqstr!r}).mean()."
            )
        return table.set_axis(index)

    def _join(self, table: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
        """The known rows with the new ones below, and the last known time (of each series)."""
        tail = self.tail
        assert tail is not None
        panel = is_panel(tail)
        if panel != is_panel(table):
            raise ValueError(
                f"The forecaster was fitted on a {'panel' if panel else 'table'}, and this is a "
                f"{'table' if panel else 'panel'}. Give rows of the same kind."
            )
        lacking = [name for name in tail.columns if name not in table]
        if lacking:
            raise ValueError(
                f"The new rows have no column {lacking[0]!r}; their columns are "
                f"{list(table.columns)}. It needs {list(tail.columns)}."
            )
        table = table[tail.columns]
        if panel:
            last = tail.groupby("unique_id")["ds"].max()
            known = table["unique_id"].map(last)
            new = table[(known.isna() | (table["ds"] > known)).to_numpy()]
            latest: Any = last.to_dict()
        else:
            latest = tail.index[-1]
            new = table[table.index > latest]
        if new.empty:
            raise ValueError(
                f"No row of this table is later than those that the forecaster knows, which run to "
                f"{max(latest.values()) if panel else latest}."
            )
        return pd.concat([tail, new], ignore_index=panel), latest

    def describe(self) -> dict[str, str]:
        """What it is, what it needs, what it was trained on: a row for each, in words."""
        settings, framing = self.settings, self.framing
        named = framing.targets is not None
        roles = {"past covariates": framing.past_covariates}
        roles["future covariates"] = self._known_ahead
        roles["static covariates"] = framing.static_covariates
        targets = ", ".join(map(str, framing.targets)) if named else "every column"
        rows = {"forecasts": f"{framing.horizon} steps of {targets}"}
        rows["from"] = f"the last {framing.lookback} steps"
        rows |= {role: ", ".join(map(str, names)) for role, names in roles.items() if names}
        if settings["calendar"]:
            rows["calendar"] = ", ".join(self.calendar) or "found in fit"
        model = f"{settings['encoder']} encoder, {settings['decoder']} decoder"
        rows["model"] = f"{model}, {settings['units']} units"
        if self.strategy == "direct":
            rows["strategy"] = f"direct: {framing.horizon} models, one per step"
        elif self.strategy == "recursive":
            rows["strategy"] = "recursive: a model of one step is fed its own forecasts"
        if self.level is not None:
            levels = ", ".join(f"{one:g} %" for one in self.level)
            rows["intervals"] = f"{levels}, {settings['intervals']}"
        if self.model is None:
            return rows | {"trained on": "nothing yet: call fit(table)"}
        rows["model"] += f", {self.model.count_params():,} parameters"
        ahead = roles["future covariates"]
        needs = f"future= with {', '.join(map(str, ahead))}" if ahead else "nothing"
        return rows | {"forecast() needs": needs} | self.summary

    def __repr__(self) -> str:
        rows = self.describe()
        width = max(map(len, rows))
        return "\n".join(["Forecaster", *[f"  {k.ljust(width)}  {v}" for k, v in rows.items()]])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align: left">{html.escape(name)}</th>'
            f'<td style="text-align: left">{html.escape(str(value))}</td></tr>'
            for name, value in self.describe().items()
        )
        return f"<table><caption>Forecaster</caption>{rows}</table>"


def _only_step(windows: Windows, step: int) -> Windows:
    """The same windows, with one step of their targets: 0 is the first."""
    framing = replace(windows.framing, horizon=1, lead=windows.framing.lead + step)
    return replace(windows, framing=framing)


def _mean_history(histories: list[Any]) -> Any:
    """The mean loss of several trainings, over the epochs that all of them have."""
    mean = keras.callbacks.History()
    shortest = min(len(history.epoch) for history in histories)
    mean.epoch = histories[0].epoch[:shortest]
    mean.history = {
        name: np.mean([h.history[name][:shortest] for h in histories], axis=0).tolist()
        for name in histories[0].history
    }
    return mean


def _plain(column: pd.Series) -> np.ndarray:
    """A column as numbers or as text."""
    numeric = pd.api.types.is_numeric_dtype(column)
    return column.to_numpy(dtype=None if numeric else str)


def _check_spelling(options: dict[str, Any], known: dict[str, Any]) -> None:
    """Options go to the encoder; one that is nearly the name of an argument is a slip."""
    for option in options:
        close = difflib.get_close_matches(option, known, 1, cutoff=0.8)
        if close:
            raise ValueError(
                f"A Forecaster has no argument {option!r}. Did you mean {close[0]!r}? Its arguments: "
                f"{', '.join(known)}; others go to the encoder."
            )


def _same_zone(times: Any, known: Any) -> Any:
    """Times on the clock that the forecaster was fitted on."""
    here, there = getattr(times, "tz", None), getattr(known, "tz", None)
    if not isinstance(times, pd.DatetimeIndex) or not isinstance(known, pd.DatetimeIndex):
        return times
    if (here is None) != (there is None):
        raise ValueError(
            f"The forecaster was fitted on times {_zone(there)}, and these are {_zone(here)}. "
            + (
                f"Name the zone: table.index.tz_localize({str(there)!r}, ambiguous='infer')."
                if here is None
                else "Take the zone off: table.index.tz_localize(None)."
            )
        )
    return times if there is None else times.tz_convert(there)


def _zone(zone: Any) -> str:
    return "without a time zone" if zone is None else f"in the time zone {zone}"


def _as_frame(table: Any) -> pd.DataFrame:
    """A table as a DataFrame: an array gets numbered rows and columns."""
    if isinstance(table, pd.DataFrame):
        return table
    values, columns, index = read_table(table)
    return pd.DataFrame(values, columns=columns, index=index)


def _named(framing: Framing, table: Any) -> Framing:
    if not is_panel(table):
        return framing.named(read_table(table)[1])
    return framing.named([name for name in table.columns if name not in ("unique_id", "ds")])


def _times(table: pd.DataFrame) -> pd.Index:
    return pd.Index(table["ds"]) if is_panel(table) else table.index


def _with_freq(index: pd.DatetimeIndex, freq: Any) -> pd.DatetimeIndex:
    """The same times with their frequency, where they have no gap."""
    try:
        return pd.DatetimeIndex(index, freq=freq)
    except ValueError:
        return index


def _with_calendar(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    if not names:
        return table
    taken = [name for name in names if name in table]
    if taken:
        raise ValueError(
            f"The table has a column {taken[0]!r}, and calendar=True adds one of that name. Rename "
            f"it, or leave the calendar out."
        )
    features = calendar_features(_times(table), names)
    return pd.concat([table, features.set_index(table.index)], axis=1)


def _dates_of(framing: Framing, table: Any) -> pd.DataFrame:
    """What a forecast is about: its times, and the last time that was known."""
    times = framing.target_times(table)
    if is_panel(table):
        last = table.groupby("unique_id")["ds"].max()
        dated = times.to_frame(index=False)
        return dated.assign(cutoff=dated["unique_id"].map(last))
    _, _, index = read_table(table)
    return pd.DataFrame({"ds": times, "cutoff": [index[-1]] * len(times)})


def _with_targets(dated: pd.DataFrame, framing: Framing, values: np.ndarray) -> pd.DataFrame:
    """A column per target beside the times; `values` is (rows, targets)."""
    for target in framing.targets:
        if target in dated:
            raise ValueError(
                f"A target cannot be called {target!r}: the forecast has a column of that name "
                f"for its times. Rename it: table.rename(columns=...)."
            )
    columns = list(framing.targets)
    if values.shape[1] > len(columns):  # of classes, the chance of each
        columns = [f"{columns[0]}={code}" for code in range(values.shape[1])]
    forecasts = pd.DataFrame(values, index=dated.index, columns=columns)
    return pd.concat([dated, forecasts], axis=1)


def _joined(parts: list[pd.DataFrame], framing: Framing, steps: int) -> pd.DataFrame:
    """Rounds of fed-back forecasts as one table, with the cutoff of the first."""
    rounds: list[pd.DataFrame] = []
    for part in parts:
        ends = [
            name for name in part.columns if str(name).rpartition("-")[0].endswith(("-lo", "-hi"))
        ]
        if part["fed back"].all():
            part[ends] = np.nan
        series = np.arange(len(part)) // framing.horizon
        step = np.arange(len(part)) % framing.horizon + len(rounds) * framing.horizon
        rounds.append(part.assign(cutoff=parts[0]["cutoff"].to_numpy(), series=series, step=step))
    joined = pd.concat(rounds).sort_values(["series", "step"], kind="stable")
    joined = joined[joined["step"] < steps]
    return joined.drop(columns=["series", "step"]).reset_index(drop=True)


def _ending_after(windows: Windows, latest: Any) -> Windows:
    """The windows whose last target is later than what was known (of each series)."""
    ends = windows.index[np.asarray(windows.starts) + windows.framing.span - 1]
    if isinstance(latest, dict):
        pairs = zip(windows.series, ends, strict=True)  # type: ignore[arg-type]
        new = np.array([name not in latest or end > latest[name] for name, end in pairs])
    else:
        new = np.asarray(ends > latest)
    if not new.any():
        raise ValueError(
            "No window ends in the new rows: rows are missing between those that the forecaster "
            "knows and the new ones. Give all rows from the first unknown one on."
        )
    return replace(windows, starts=np.asarray(windows.starts)[new])


def _summary(
    train: Windows, validation: Windows | None, calibration: Windows | None, history: Any
) -> dict[str, str]:
    def span(windows: Windows) -> str:
        first, last = windows.target_span
        return f"{windows}: targets from {first} to {last}"

    rows = {"trained on": span(train)}
    if validation is not None:
        best = min(history.history["val_loss"])
        rows["validated on"] = f"{span(validation)}, best loss {best:.4g}"
    if calibration is not None:
        rows["calibrated on"] = span(calibration)
    return rows
