"""Layers that models are built from: scaling, simple forecasts, and a cell that feeds itself.

Everything that must be known about the data before training (a mean, a spread, a linear rule) is
measured by `adapt` on the training windows and saved with the model. So a model takes raw numbers
and gives raw numbers, and there is nothing to invert by hand. Taught in the multivariate chapter
(`notebooks/multivariate.ipynb`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from statistics import NormalDist
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import layers, ops

Tensor: TypeAlias = Any  # of Keras: a placeholder while a model is built, numbers when it runs
Batches = Iterable[tuple[Any, np.ndarray]]  # pairs of (what the layer measures, y)

TINY = 1e-33  # what single precision can still divide by
PIECE = 64  # windows that one core takes through the steps of an LSTM at a time
COMPILE_FROM = 2000  # steps times units of an LSTM, from which compiling its gradient pays
MOST = 1000.0  # own units of a window by which an error counts at most, where units are measured


def last_known(x: Tensor) -> Tensor:
    """The last value of every column that is not missing, (batch, 1, columns).

    Examples
    --------
    >>> window = np.array([[[70.0, 1.0], [80.0, np.nan], [np.nan, np.nan]]])
    >>> ops.convert_to_numpy(last_known(window)).tolist()
    [[[80.0, 1.0]]]
    """
    step = np.arange(x.shape[1], dtype="int32")[:, None]  # (time, 1)
    last = ops.max(ops.where(ops.isnan(x), 0, step), axis=1, keepdims=True)
    return ops.take_along_axis(x, last, axis=1)


class Adapted(layers.Layer):
    """A layer with numbers that are measured on the training windows before training starts."""

    def build(self, shape: Any) -> None:
        self.seen = self.add_number((), "zeros", "seen")  # 1 once the numbers are measured

    def add_number(self, shape: tuple[int, ...], initializer: str, name: str) -> Any:
        """A weight that is saved with the model and that training does not touch."""
        return self.add_weight(shape=shape, initializer=initializer, trainable=False, name=name)

    @property
    def is_adapted(self) -> bool:
        """Whether the layer's numbers have been measured."""
        return bool(ops.convert_to_numpy(self.seen))

    @property
    def measured(self) -> Any:
        """The tensors that `adapt` must be given batches of: by default all that it reads."""
        return self.input

    def adapt(self, batches: Batches) -> None:
        """Measure the layer's numbers on pairs of (values of `measured`, y)."""
        self.measure(batches)
        self.seen.assign(1.0)

    def measure(self, batches: Batches) -> None:
        """What each kind of layer does in `adapt`."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("tsforecast")
class Scaling(Adapted):
    """Bring every input column to a size near 1.

    Parameters
    ----------
    relative : int
        The first so many columns are taken relative to the window's own last value, in units of
        how far they usually stray from it. The other columns are standardised: minus their
        training mean, over their training standard deviation.
    columns : list of str, optional
        Names of the columns, to notice when they come in another order.
    missing : bool
        Whether values may be missing (NaN). They stay so; only known ones are measured.
    level : int
        Relative to the mean of so many last values, a season for example, instead of one.
    log : bool
        Whether the first columns are logarithms. These keep their unit: 0.1 is ten percent.

    Notes
    -----
    Reads and returns (batch, time, columns). A column that never changes is divided by 1.

    Examples
    --------
    >>> scaling = Scaling(relative=1)
    >>> window = np.array([[[70.0], [80.0], [90.0]]])
    >>> scaling.build(window.shape)
    >>> scaling.adapt([(window, None)])
    >>> keras.ops.convert_to_numpy(scaling(window)).ravel().round(2).tolist()
    [-1.55, -0.77, 0.0]
    """

    def __init__(
        self,
        relative: int = 0,
        columns: list[str] | None = None,
        missing: bool = False,
        level: int = 1,
        log: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.relative, self.columns, self.missing = relative, columns, missing
        self.level, self.log = level, log

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.center = self.add_number((shape[-1],), "zeros", "center")
        self.scale = self.add_number((shape[-1],), "ones", "scale")

    def measure(self, batches: Batches) -> None:
        count, total, squares = np.zeros(()), 0.0, 0.0
        shift: Any = None
        for x, _ in batches:
            x = ops.convert_to_tensor(x, "float32")  # (batch, time, columns)
            x = _numpy(self._from_last(x)).astype(np.float64)
            x = x.reshape(-1, x.shape[-1])
            known = ~np.isnan(x)  # (steps, columns)
            x = np.where(known, x, 0.0)
            if shift is None:  # keeps the squares small
                shift = x.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
                shift = shift * self._is_level(x.shape[-1])
            count = count + known.sum(axis=0)
            total += ((x - shift) * known).sum(axis=0)
            squares += (((x - shift) * known) ** 2).sum(axis=0)
        count = np.maximum(count, 1)
        mean = total / count * self._is_level(x.shape[-1])
        spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
        tiny = np.maximum(1e-6 * np.abs(mean + shift), TINY)  # below this it is rounding
        keep = (self._is_level(x.shape[-1]) == 0) & self.log
        self.center.assign(mean + shift)
        self.scale.assign(np.where((spread > tiny) & ~keep, spread, 1.0))

    def _is_level(self, columns: int) -> np.ndarray:
        return (np.arange(columns) >= self.relative).astype(np.float64)

    def _from_last(self, x: Any) -> Any:
        if self.relative == 0:
            return x
        mask = ops.convert_to_tensor(1.0 - self._is_level(x.shape[-1]), x.dtype)
        last = x[:, -1:, :]
        if self.missing:
            last = last_known(x)
        elif self.level > 1:
            last = ops.mean(x[:, -self.level :], axis=1, keepdims=True)
        return x - last * mask

    def call(self, x: Any) -> Any:
        return (self._from_last(x) - self.center) / self.scale

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "relative": self.relative,
            "columns": self.columns,
            "missing": self.missing,
            "level": self.level,
            "log": self.log,
        }


@keras.saving.register_keras_serializable("tsforecast")
class OwnUnits(Adapted):
    """Count the targets' history of each window in a unit of the window's own.

    The unit is how far the window's values stray from their mean (standard deviation). So a shop
    that sells ten a day and one that sells ten thousand look alike, also one never seen before.

    Parameters
    ----------
    targets : int
        The first so many columns are the targets' history; the others stay as they are.
    missing : bool
        Whether values may be missing (NaN). They stay so; only known ones are measured.

    Notes
    -----
    Reads X (batch, lookback, inputs); returns X in own units, and the unit (batch, 1, targets).
    The unit never falls below 1 % of the window's level or a tenth of the smallest units in
    training (their 5 % quantile), so that a window of equal values does not divide by zero.

    Examples
    --------
    >>> own = OwnUnits(targets=1)
    >>> windows = np.array([[[8.0], [10.0], [12.0]], [[8000.0], [10000.0], [12000.0]]])
    >>> own.build(windows.shape)
    >>> own.adapt([(windows[:1], None)])
    >>> x, unit = own(windows)
    >>> [round(float(number), 1) for number in ops.convert_to_numpy(unit).ravel()]
    [1.6, 1636.1]
    """

    def __init__(self, targets: int, missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets, self.missing = targets, missing

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.least = self.add_number((self.targets,), "ones", "least")

    def measure(self, batches: Batches) -> None:
        spread = np.nanstd if self.missing else np.std
        parts = [spread(_numpy(x)[:, :, : self.targets], axis=1) for x, _ in batches]
        units = np.concatenate(parts)  # (samples, targets)
        found = [column[column > 0] for column in units.T]
        small = [np.quantile(column, 0.05) if len(column) else 1.0 for column in found]
        self.least.assign(0.1 * np.array(small))

    def call(self, x: Any) -> Any:
        history = x[:, :, : self.targets]  # (batch, lookback, targets)
        if self.missing:
            level, spread = _level_and_spread(history)
        else:
            level = ops.mean(ops.abs(history), axis=1, keepdims=True)  # (batch, 1, targets)
            spread = ops.var(history, axis=1, keepdims=True)  # (batch, 1, targets)
        unit = ops.sqrt(spread + (0.01 * level) ** 2 + self.least**2)
        unit = ops.maximum(unit, 1e-18)  # squares of less are zero
        others = x[:, :, self.targets :]  # (batch, lookback, covariates)
        return ops.concatenate([history / unit, others], axis=-1), unit

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"targets": self.targets, "missing": self.missing}


def _level_and_spread(history: Tensor) -> tuple[Tensor, Tensor]:
    """Mean size and variance of the known values of each window, (batch, 1, targets)."""
    known = ops.logical_not(ops.isnan(history))
    count = ops.sum(ops.cast(known, history.dtype), axis=1, keepdims=True)
    values = ops.where(known, history, 0.0)
    mean = ops.sum(values, axis=1, keepdims=True) / count
    level = ops.sum(ops.abs(values), axis=1, keepdims=True) / count
    strayed = ops.where(known, values - mean, 0.0)
    return level, ops.sum(strayed**2, axis=1, keepdims=True) / count


@keras.saving.register_keras_serializable("tsforecast")
class Logarithms(Adapted):
    """Take the targets' history in logarithms: the same percent is the same step at every size.

    Parameters
    ----------
    targets : int
        The first so many columns are the targets' history; the others stay as they are.

    Notes
    -----
    Reads and returns X (batch, lookback, inputs). Values below a hundredth of the smallest in
    training count as that, so that a forecast never starts from the logarithm of nothing.

    Raises
    ------
    ValueError
        In `adapt`, if a value of the training windows is zero or less.

    Examples
    --------
    >>> logarithms = Logarithms(targets=1)
    >>> window = np.array([[[1.0], [10.0], [100.0]]])
    >>> logarithms.build(window.shape)
    >>> logarithms.adapt([(window, window[:, -1:])])
    >>> ops.convert_to_numpy(logarithms(window)).ravel().round(2).tolist()
    [0.0, 2.3, 4.61]
    """

    def __init__(self, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets = targets

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.least = self.add_number((self.targets,), "ones", "least")

    def measure(self, batches: Batches) -> None:
        least: Any = np.inf
        for x, y in batches:
            x = _numpy(x)[:, :, : self.targets]
            least = np.minimum(least, np.minimum(x.min(axis=(0, 1)), y.min(axis=(0, 1))))
        if (least <= 0).any():
            raise ValueError(
                f"scaling='log' counts in percents, and the training windows hold "
                f"{least.min():g}. Use scaling='series', which needs no positive numbers."
            )
        self.least.assign(np.maximum(least / 100, TINY))

    def call(self, x: Any) -> Any:
        history = ops.log(
            ops.maximum(x[:, :, : self.targets], self.least)
        )  # (batch, lookback, targets)
        return ops.concatenate([history, x[:, :, self.targets :]], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"targets": self.targets}


@keras.saving.register_keras_serializable("tsforecast")
class OwnSpread(layers.Layer):
    """Count the targets' history of each window in the window's own spread.

    The spread is the root mean square of what is read, which is relative to a level already. So a
    series that swings by five percents a day and one that swings by fifty look alike.

    Parameters
    ----------
    targets : int
        The first so many columns are the targets' history; the others stay as they are.
    least : float
        What the spread is at least, near a window that does not move at all.

    Notes
    -----
    Reads X (batch, lookback, inputs); returns X in own spreads, and the spread
    (batch, 1, targets).

    Examples
    --------
    >>> x, spread = OwnSpread(targets=1)(np.array([[[-0.5], [0.5]], [[-0.05], [0.05]]]))
    >>> ops.convert_to_numpy(x)[:, :, 0].round(2).tolist()
    [[-1.0, 1.0], [-0.98, 0.98]]
    """

    def __init__(self, targets: int, least: float = 0.01, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets, self.least = targets, least

    def call(self, x: Any) -> Any:
        history = x[:, :, : self.targets]  # (batch, lookback, targets)
        square = ops.mean(ops.square(history), axis=1, keepdims=True)  # (batch, 1, targets)
        spread = ops.sqrt(square + self.least**2)
        x = ops.concatenate([history / spread, x[:, :, self.targets :]], axis=-1)
        return x, spread

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"targets": self.targets, "least": self.least}


@keras.saving.register_keras_serializable("tsforecast")
class ErrorUnits(layers.Layer):
    """What an error in a window is counted in: its own seasonal naive error, or its level.

    The smaller one of two decides: how far values lie from those one season before, on average
    over the window, and a tenth of the window's level. (One over the unit is the sum of one over
    each.) So that neither a quiet series nor a large one takes the training for itself.

    Parameters
    ----------
    season : int
        Steps per season; 1 if there is none.
    targets : int
        The first so many columns are the targets' history.

    Notes
    -----
    Reads X (batch, lookback, inputs); returns the unit (batch, 1, targets).

    References
    ----------
    Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006: errors relative
    to the naive forecast's.

    Examples
    --------
    >>> window = np.array([[[90.0], [110.0], [90.0], [110.0]]])
    >>> ops.convert_to_numpy(ErrorUnits(season=1, targets=1)(window)).ravel().round(2).tolist()
    [6.67]
    """

    def __init__(self, season: int, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.season, self.targets = season, targets

    def call(self, x: Any) -> Any:
        unit = 1 / (1 / self.naive_error(x) + 10 / self._level(x))
        return ops.maximum(unit, TINY)  # also of a window of zeros

    def naive_error(self, x: Any) -> Any:
        """The window's own seasonal naive error, (batch, 1, targets); never zero."""
        history = x[:, :, : self.targets]  # (batch, lookback, targets)
        error = ops.abs(history[:, self.season :] - history[:, : -self.season])
        error = ops.mean(error, axis=1, keepdims=True) + 1e-3 * self._level(x)
        return ops.maximum(error, TINY)

    def _level(self, x: Any) -> Any:
        return ops.mean(ops.abs(x[:, :, : self.targets]), axis=1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"season": self.season, "targets": self.targets}


@keras.saving.register_keras_serializable("tsforecast")
class KnownSteps(layers.Layer):
    """Move the time steps of a window at which nothing is missing together, to its beginning.

    With ``keras.layers.Masking(KnownSteps.absent)`` behind it, an LSTM reads the known steps in
    their order and nothing else.

    Notes
    -----
    Reads and returns (batch, lookback, inputs). A step at which any input is missing (NaN) goes to
    the end and holds the number `absent`. At the end, because that is the one place where the fast
    kernels for GPUs accept masked steps.

    Examples
    --------
    >>> window = np.array([[[70.0], [np.nan], [90.0]]], dtype="float32")
    >>> steps = KnownSteps()(window)
    >>> ops.convert_to_numpy(layers.Masking(KnownSteps.absent)(steps)).ravel().tolist()
    [70.0, 90.0, 0.0]
    """

    absent = -1e30

    def call(self, x: Any) -> Any:
        steps = x.shape[1]
        known = ops.logical_not(ops.any(ops.isnan(x), axis=-1))  # (batch, lookback)
        order = ops.where(known, np.arange(steps), np.arange(steps, 2 * steps))
        order = ops.argsort(order, axis=-1)  # the known ones first, each kind in its order
        x = ops.where(ops.expand_dims(known, -1), x, self.absent)
        return ops.take_along_axis(x, ops.expand_dims(order, -1), axis=1)


@keras.saving.register_keras_serializable("tsforecast")
class LastValue(layers.Layer):
    """The simplest forecast: the last value again, at every step.

    Reads X (batch, lookback, inputs), whose first columns are the targets' history; returns
    (batch, horizon, targets). With ``missing=True`` it is the last value that is not missing (NaN).

    Examples
    --------
    >>> tuple(LastValue(horizon=2, targets=1)(np.array([[[70.0], [80.0], [90.0]]])).shape)
    (1, 2, 1)
    """

    def __init__(self, horizon: int, targets: int, missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.horizon, self.targets, self.missing = horizon, targets, missing

    def call(self, x: Any) -> Any:
        history = x[:, :, : self.targets]  # (batch, lookback, targets)
        last = last_known(history) if self.missing else history[:, -1:]
        return ops.repeat(last, self.horizon, axis=1)

    def get_config(self) -> dict[str, Any]:
        config = {"horizon": self.horizon, "targets": self.targets, "missing": self.missing}
        return super().get_config() | config


@keras.saving.register_keras_serializable("tsforecast")
class SeasonalValue(layers.Layer):
    """The value of the same time last season, at every step.

    Reads X (batch, lookback, inputs) with a lookback of at least one season; returns
    (batch, horizon, targets). With ``missing=True``, a value that is missing (NaN) is replaced by
    that of one season before, and so on; and by the last known value, where the window has none.

    Examples
    --------
    >>> week = np.arange(7.0).reshape(1, 7, 1)
    >>> ops.convert_to_numpy(SeasonalValue(7, horizon=2, targets=1)(week)).ravel().tolist()
    [0.0, 1.0]
    """

    def __init__(
        self,
        season: int,
        horizon: int,
        targets: int,
        lead: int = 1,
        missing: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.season, self.horizon, self.targets, self.lead = season, horizon, targets, lead
        self.missing = missing

    def call(self, x: Any) -> Any:
        ahead = self.lead + np.arange(self.horizon)  # steps after the last input row
        back = self.season * -(-ahead // self.season)  # whole seasons back to a known row
        rows = x.shape[1] - 1 + ahead - back
        history = x[:, :, : self.targets]  # (batch, lookback, targets)
        if self.missing:
            return self._last_season_known(history, rows)
        return ops.take(history, rows.astype("int32"), axis=1)

    def _last_season_known(self, history: Any, rows: np.ndarray) -> Any:
        seasons = history.shape[1] // self.season + 1
        rows = rows - self.season * np.arange(seasons)[:, None]  # (seasons, horizon), newest first
        chosen = np.maximum(rows, 0).astype("int32")
        found = ops.take(history, chosen.ravel(), axis=1)
        found = ops.reshape(found, (-1, *rows.shape, self.targets))
        found = ops.where((rows >= 0)[:, :, None], found, np.nan)
        last = ops.expand_dims(ops.repeat(last_known(history), self.horizon, axis=1), 1)
        found = ops.concatenate([found, last], axis=1)  # (batch, seasons + 1, horizon, targets)
        first = ops.argmax(ops.logical_not(ops.isnan(found)), axis=1)  # the newest that is known
        return ops.take_along_axis(found, ops.expand_dims(first, 1), axis=1)[:, 0]

    def get_config(self) -> dict[str, Any]:
        config = {"season": self.season, "horizon": self.horizon, "targets": self.targets}
        return super().get_config() | config | {"lead": self.lead, "missing": self.missing}


@keras.saving.register_keras_serializable("tsforecast")
class SimpleForecasts(layers.Layer):
    """Several simple forecasts side by side, for a network to weigh.

    The last value; and for each season: the same time one season back, two seasons back, and the
    mean over all whole seasons in the window. The first and the last of these also *moved*: by
    as much as the level (the mean of the shortest season) has changed since then.

    Parameters
    ----------
    seasons : sequence of int
        Steps per season, such as 24 and 168 hours.
    horizon, targets, lead : int
        As in `tsforecast.Framing`.

    Notes
    -----
    Reads X (batch, lookback, inputs), whose first columns are the targets' history, with a
    lookback of at least the longest season; returns (batch, forecasts, horizon, targets).

    Examples
    --------
    >>> two_days = np.array([1.0, 3.0, 2.0, 4.0]).reshape(1, 4, 1)  # of two steps each
    >>> forecasts = SimpleForecasts([2], horizon=2, targets=1)(two_days)
    >>> for name, forecast in zip(["last", "1 back", "2 back", "mean", "moved", "mean moved"],
    ...                           ops.convert_to_numpy(forecasts)[0, :, :, 0]):
    ...     print(f"{name:10}", forecast)
    last       [4. 4.]
    1 back     [2. 4.]
    2 back     [1. 3.]
    mean       [1.5 3.5]
    moved      [3. 5.]
    mean moved [3. 5.]
    """

    def __init__(
        self, seasons: Sequence[int], horizon: int, targets: int, lead: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.seasons = [int(season) for season in seasons]
        self.horizon, self.targets, self.lead = horizon, targets, lead

    def call(self, x: Any) -> Any:
        history = x[:, :, : self.targets]  # (batch, lookback, targets)
        found = [ops.repeat(history[:, -1:], self.horizon, axis=1)]
        for season in self.seasons:
            back = self._seasons_back(history, season)  # (batch, seasons, horizon, targets)
            found += [back[:, 0], *([back[:, 1]] if back.shape[1] > 1 else [])]
            found += [ops.mean(back, axis=1)]
            change = self._change_since(history, season)  # (batch, seasons, 1, targets)
            if change is not None:
                known = min(back.shape[1], change.shape[1])
                moved = back[:, :known] + change[:, :known]
                found += [moved[:, 0], ops.mean(moved, axis=1)]
        return ops.stack(found, axis=1)  # (batch, forecasts, horizon, targets)

    def _seasons_back(self, history: Any, season: int) -> Any:
        """The same times one season back, two seasons back and so on."""
        lookback = history.shape[1]
        ahead = self.lead + np.arange(self.horizon)  # steps after the last input row
        rows = lookback - 1 + ahead - season * -(-ahead // season)
        seasons = 1 + int(rows.min()) // season  # that the window holds
        rows = rows - season * np.arange(seasons)[:, None]  # (seasons, horizon)
        values = ops.take(history, rows.ravel().astype("int32"), axis=1)
        return ops.reshape(values, (-1, seasons, self.horizon, self.targets))

    def _change_since(self, history: Any, season: int) -> Any:
        """How much the level has changed since one season ago, two seasons ago and so on."""
        lookback, length = history.shape[1], min(self.seasons)
        ends = range(lookback - season, length - 1, -season)
        levels = [ops.mean(history[:, end - length : end], axis=1) for end in ends]
        if not levels:
            return None
        now = ops.mean(history[:, -length:], axis=1)  # (batch, targets)
        change = ops.expand_dims(now, 1) - ops.stack(levels, axis=1)
        return ops.expand_dims(change, 2)  # (batch, seasons, 1, targets)

    def get_config(self) -> dict[str, Any]:
        config = {"seasons": self.seasons, "horizon": self.horizon, "targets": self.targets}
        return super().get_config() | config | {"lead": self.lead}


@keras.saving.register_keras_serializable("tsforecast")
class TrainingMean(Adapted):
    """The mean of the training targets, at every step.

    Reads anything with a batch axis; returns (batch, horizon, targets).
    """

    def __init__(self, horizon: int, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.horizon, self.targets = horizon, targets

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.mean = self.add_number((self.targets,), "zeros", "mean")

    def measure(self, batches: Batches) -> None:
        sums = [(len(y), y.astype(np.float64).mean(axis=(0, 1))) for _, y in batches]
        counts = np.array([count for count, _ in sums], dtype=np.float64)
        self.mean.assign(np.average([mean for _, mean in sums], axis=0, weights=counts))

    def call(self, x: Any) -> Any:
        zeros = ops.zeros((ops.shape(x)[0], self.horizon, self.targets), dtype=self.compute_dtype)
        return zeros + self.mean

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"horizon": self.horizon, "targets": self.targets}


@keras.saving.register_keras_serializable("tsforecast")
class LinearForecast(Adapted):
    """A linear rule from the window to the targets, fitted by least squares before training.

    Reads the flattened scaled inputs (batch, features), and what is to be corrected
    (batch, horizon, targets); returns their sum (batch, horizon, targets). With a third input,
    each window's own unit (batch, 1, targets), the rule counts in that unit.

    Parameters
    ----------
    horizon, targets : int
        Shape of the forecast.
    ridge : float
        How much large weights cost: the squares of a rule's weights, times `ridge`, are added to
        its mean squared error. A tiny ridge keeps the rule unique when columns say the same thing
        twice; with 1 or more the weights become small and smooth.
    log : bool
        Whether what is to be corrected is a logarithm of the table's numbers.

    References
    ----------
    Zeng et al., "Are Transformers Effective for Time Series Forecasting?", 2023: a linear map of
    the window is a hard baseline to beat.
    """

    def __init__(
        self, horizon: int, targets: int, ridge: float = 1e-8, log: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.horizon, self.targets, self.ridge, self.log = horizon, targets, ridge, log

    def build(self, shape: Any) -> None:
        super().build(shape)
        outputs = self.horizon * self.targets
        self.kernel = self.add_number((shape[0][-1], outputs), "zeros", "kernel")
        self.bias = self.add_number((outputs,), "zeros", "bias")

    def measure(self, batches: Batches) -> None:
        gram, cross, count = np.zeros(()), np.zeros(()), 0
        for (x, base, *units), y in batches:
            x = np.column_stack([_numpy(x), np.ones(len(y))]).astype(np.float64)
            y = y.astype(np.float64)
            rest = (np.log(y) if self.log else y) - _numpy(base)
            rest = (rest / _numpy(units[0]) if units else rest).reshape(len(y), -1)
            gram, cross, count = gram + x.T @ x, cross + x.T @ rest, count + len(y)
        ridge = self.ridge * count * np.eye(len(gram))
        ridge[-1, -1] = min(self.ridge, 1e-8) * count  # the constant costs next to nothing
        rule = _solve(gram + ridge, cross)  # (features + 1, horizon * targets)
        self.kernel.assign(rule[:-1])
        self.bias.assign(rule[-1])

    def call(self, inputs: Any) -> Any:
        x, base, *units = inputs
        rule = ops.matmul(x, self.kernel) + self.bias  # (batch, horizon * targets)
        rule = ops.reshape(rule, (-1, self.horizon, self.targets))
        return base + (rule * units[0] if units else rule)

    def get_config(self) -> dict[str, Any]:
        config = {"horizon": self.horizon, "targets": self.targets, "ridge": self.ridge}
        return super().get_config() | config | {"log": self.log}


@keras.saving.register_keras_serializable("tsforecast")
class AddCorrection(Adapted):
    """The simple forecast plus the network's correction, back in the units of the table.

    Reads [correction, simple forecast], both (batch, horizon, targets); the correction may have
    one more axis, of quantiles, which all correct the same simple forecast. The correction counts in
    typical errors (root mean square) that the simple forecast makes on the training windows, one
    per target: a training loss of 1 (mean squared error) means "no better than the simple
    forecast". With a third input, each window's own unit (batch, 1, targets), errors are
    measured in that unit. Of logarithms there is a fourth, the window's own spread, in which
    the correction counts.
    """

    def __init__(self, log: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log = log

    def build(self, shape: Any) -> None:
        super().build(shape)
        self.scale = self.add_number((shape[1][-1],), "ones", "scale")

    @property
    def own_unit(self) -> Any:
        """Each window's own unit, (batch, 1, targets), if it has one."""
        return self.input[2] if len(self.input) > 2 else None

    @property
    def measured(self) -> Any:
        """The simple forecast and the unit: the network has not learned yet, and it is slow."""
        return self.input[1:] if len(self.input) > 2 else self.input[1]

    def simple_of(self, read: Any) -> Any:
        """The forecast whose errors are the unit of a correction, (batch, horizon, targets)."""
        return read

    def measure(self, batches: Batches) -> None:
        squares: Any = 0.0
        count, low, high = 0, np.inf, -np.inf
        for read, y in batches:
            simple, *units = read if isinstance(read, (list, tuple)) else [read]
            simple = _numpy(self.simple_of(simple))
            unit: Any = _numpy(units[0]) if units and not self.log else 1.0
            y, simple = (np.log(y) if self.log else y) / unit, simple / unit
            rest = (y - simple).astype(np.float64)
            if units:  # one wild value does not become the unit of all windows
                rest, y = np.clip(rest, -MOST, MOST), np.clip(y, -MOST, MOST)
            squares, count = squares + (rest**2).sum(axis=(0, 1)), count + rest[..., 0].size
            low, high = np.minimum(low, y.min(axis=(0, 1))), np.maximum(high, y.max(axis=(0, 1)))
        error = np.sqrt(squares / count)
        least = 1e-3 * np.where(high > low, high - low, np.abs(high))
        least = np.maximum(least, TINY)
        error = np.maximum(error, least)  # an exact simple forecast needs no correction
        self.scale.assign(np.ones_like(error) if self.log else error)

    def call(self, inputs: Any) -> Any:
        correction, simple, *units = inputs
        unit = units[-1] * self.scale if units else self.scale  # (batch, 1, targets)
        if len(correction.shape) == 4:  # quantiles
            simple, unit = ops.expand_dims(simple, -1), ops.expand_dims(unit, -1)
        if self.log:  # a factor of at most e^20, and no forecast is infinite
            forecast = simple + ops.clip(correction * unit, -20.0, 20.0)
            return ops.exp(ops.clip(forecast, -80.0, 80.0))
        return simple + correction * unit

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"log": self.log}


@keras.saving.register_keras_serializable("tsforecast")
class AddToCombination(AddCorrection):
    """A weighted mean of simple forecasts, plus the network's correction.

    Reads [correction, weights, simple forecasts], and what else `AddCorrection` reads:
    correction (batch, horizon, targets) or one axis more, of quantiles; weights
    (batch, horizon, targets * forecasts), of which a softmax makes shares; simple forecasts
    (batch, forecasts, horizon, targets). The correction counts in typical errors of their plain
    mean.

    References
    ----------
    Bates and Granger, "The Combination of Forecasts", 1969.
    """

    def build(self, shape: Any) -> None:
        super().build((shape[0], shape[2]))

    @property
    def own_unit(self) -> Any:
        """Each window's own unit, (batch, 1, targets), if it has one."""
        return self.input[3] if len(self.input) > 3 else None

    @property
    def measured(self) -> Any:
        """The simple forecasts, and the unit."""
        return self.input[2:] if len(self.input) > 3 else self.input[2]

    def simple_of(self, read: Any) -> Any:
        """The plain mean of the simple forecasts, (batch, horizon, targets)."""
        return ops.mean(read, axis=1)

    def call(self, inputs: Any) -> Any:
        correction, weights, simple, *units = inputs
        _, count, horizon, targets = simple.shape
        weights = ops.reshape(weights, (-1, horizon, targets, count))
        shares = ops.softmax(weights, axis=-1)  # they add up to 1
        simple = ops.transpose(simple, (0, 2, 3, 1))  # (batch, horizon, targets, forecasts)
        combined = ops.sum(shares * simple, axis=-1)  # (batch, horizon, targets)
        return super().call([correction, combined, *units])


@keras.saving.register_keras_serializable("tsforecast")
class Quantiles(layers.Layer):
    """Numbers become quantiles, in order: the lower is never above the higher.

    The middle one is the network's own number. Each other one is its neighbour plus or minus a
    gap that can not be negative (softplus). An untrained network gives the quantiles of a normal
    distribution.

    Parameters
    ----------
    quantiles : sequence of float
        Between 0 and 1, in order, with 0.5 among them.
    targets : int
        Columns that are forecast.

    Notes
    -----
    Reads (batch, horizon, targets * quantiles); returns (batch, horizon, targets, quantiles).

    References
    ----------
    Koenker and Bassett, "Regression Quantiles", 1978.

    Examples
    --------
    >>> layer = Quantiles((0.05, 0.5, 0.95), targets=1)
    >>> ops.convert_to_numpy(layer(np.zeros((1, 1, 3)))).ravel().round(2).tolist()
    [-1.64, 0.0, 1.64]
    """

    def __init__(self, quantiles: Sequence[float], targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quantiles, self.targets = [float(q) for q in quantiles], targets
        gaps = np.diff([NormalDist().inv_cdf(q) for q in self.quantiles])
        self.start = np.log(np.expm1(gaps))  # what softplus turns into the gaps

    def call(self, x: Any) -> Any:
        count, middle = len(self.quantiles), self.quantiles.index(0.5)
        x = ops.reshape(x, (-1, x.shape[1], self.targets, count))
        start = ops.convert_to_tensor(self.start, dtype=x.dtype)
        below, above = x[..., :middle], x[..., middle + 1 :]
        gaps = ops.softplus(ops.concatenate([below, above], axis=-1) + start)
        columns = [x[..., middle]]
        for gap in range(middle - 1, -1, -1):
            columns.insert(0, columns[0] - gaps[..., gap])
        for gap in range(middle, count - 1):
            columns.append(columns[-1] + gaps[..., gap])
        return ops.stack(columns, axis=-1)  # (batch, horizon, targets, quantiles)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"quantiles": self.quantiles, "targets": self.targets}


@keras.saving.register_keras_serializable("tsforecast")
class AddToQuantiles(layers.Layer):
    """The simple forecast plus each quantile of its correction, in raw numbers.

    Reads [(batch, horizon, targets, quantiles), (batch, horizon, targets)].

    Examples
    --------
    >>> tuple(AddToQuantiles()([np.zeros((1, 2, 1, 3)), np.ones((1, 2, 1))]).shape)
    (1, 2, 1, 3)
    """

    def call(self, inputs: Any) -> Any:
        correction, simple = inputs
        return ops.expand_dims(simple, -1) + correction


@keras.saving.register_keras_serializable("tsforecast")
class FeedbackCell(layers.Layer):
    """One step of an LSTM that reads its own last forecast. Used inside `keras.layers.RNN`.

    Parameters
    ----------
    units : int
        Width of the LSTM's state.
    targets : int
        Numbers forecast per step.
    activation : str
        Activation of the LSTM.
    initializer : str
        How the weights that make the forecast start.
    """

    def __init__(
        self,
        units: int,
        targets: int,
        activation: str = "tanh",
        initializer: str = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.targets, self.activation = units, targets, activation
        self.initializer = initializer
        self.state_size = [units, units, targets]
        self.output_size = targets
        self.lstm = layers.LSTMCell(units, activation=activation)
        self.dense = layers.Dense(targets, kernel_initializer=initializer)

    def build(self, shape: Any) -> None:
        self.lstm.build((shape[0], shape[-1] + self.targets))
        self.dense.build((shape[0], self.units))

    def call(self, x: Any, states: Any, training: Any = None) -> Any:
        hidden, memory, forecast = states
        x = ops.concatenate([x, forecast], axis=-1)  # (batch, features + targets)
        hidden, (_, memory) = self.lstm(x, [hidden, memory])  # (batch, units)
        forecast = self.dense(hidden)  # (batch, targets)
        return forecast, [hidden, memory, forecast]

    def get_config(self) -> dict[str, Any]:
        config = {"units": self.units, "targets": self.targets, "activation": self.activation}
        return super().get_config() | config | {"initializer": self.initializer}


@keras.saving.register_keras_serializable("tsforecast")
class PatchSteps(layers.Layer):
    """One LSTM step for every patch of a forecast, all from the same state, side by side.

    What tells the patches apart is what each of them reads: its place, numbers that are learned,
    and the future covariates within it.

    Parameters
    ----------
    patches : int
        Patches of the forecast.
    units : int
        Width of the LSTM's state, and of what a place is told by.
    activation : str
        Activation of the LSTM.

    Notes
    -----
    Reads [hidden, memory], both (batch, units), and with future covariates a third input,
    (batch, patches, features); returns (batch, patches, units).

    Examples
    --------
    >>> layer = PatchSteps(patches=4, units=50)
    >>> tuple(layer([np.zeros((2, 50)), np.zeros((2, 50))]).shape)
    (2, 4, 50)
    """

    def __init__(self, patches: int, units: int, activation: str = "tanh", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patches, self.units, self.activation = patches, units, activation
        self.lstm = layers.LSTMCell(units, activation=activation)

    def build(self, shape: Any) -> None:
        self.places = self.add_weight(
            shape=(self.patches, self.units), initializer="random_normal", name="places"
        )
        future = shape[2][-1] if len(shape) > 2 else 0
        self.lstm.build((None, self.units + future))

    def call(self, inputs: Any, training: Any = None) -> Any:
        hidden, memory, *future = inputs
        batch = ops.shape(hidden)[0]
        x = ops.broadcast_to(self.places, (batch, self.patches, self.units))
        x = ops.concatenate([x, *future], axis=-1)  # (batch, patches, units + features)
        x = ops.reshape(x, (-1, x.shape[-1]))  # (batch * patches, units + features)
        state = [ops.repeat(one, self.patches, axis=0) for one in (hidden, memory)]
        x, _ = self.lstm(x, state, training=training)  # (batch * patches, units)
        return ops.reshape(x, (-1, self.patches, self.units))

    def get_config(self) -> dict[str, Any]:
        config = {"patches": self.patches, "units": self.units, "activation": self.activation}
        return super().get_config() | config


@keras.saving.register_keras_serializable("tsforecast")
class ScaledLoss(keras.losses.Loss):
    """A loss in scaled units, so that no target drowns another.

    Parameters
    ----------
    loss : str
        Name of a Keras loss, such as "mse" or "mae".
    scale : sequence of float
        One unit per target; errors are divided by it.
    own_units : bool
        Whether each window's own unit comes beside the forecast, (batch, horizon, targets, 2);
        errors are divided by it too.
    """

    def __init__(
        self,
        loss: str,
        scale: Any,
        own_units: bool = False,
        name: str = "scaled_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.loss, self.scale = loss, [float(number) for number in scale]
        self.own_units = own_units
        self.measure = keras.losses.get(loss)

    def call(self, y: Any, forecast: Any) -> Any:
        scale = ops.convert_to_tensor(self.scale, dtype=forecast.dtype)
        if self.own_units:
            scale, forecast = scale * forecast[..., 1], forecast[..., 0]
        return self.measure(ops.zeros_like(forecast), (forecast - y) / scale)

    def get_config(self) -> dict[str, Any]:
        config = {"loss": self.loss, "scale": self.scale, "own_units": self.own_units}
        return config | {"name": self.name}


@keras.saving.register_keras_serializable("tsforecast")
class OwaLoss(keras.losses.Loss):
    """The two errors of the M4 competition, MASE and sMAPE, in one number: its OWA, in percent.

    The absolute error in units of the window's own seasonal naive error, and the absolute error
    as a share of the step's own size, the mean of what was forecast and what came. M4 ranked by
    OWA, the overall weighted average of these two: each is divided by the error of a simple
    forecast, 2.395 and 0.18383 on its hourly series (their published values, of the test part).

    Notes
    -----
    Reads y (batch, horizon, targets); beside the forecast comes the window's seasonal naive error
    (`ErrorUnits.naive_error`), (batch, horizon, targets, 2). For positive targets.

    In percent, so that `tsforecast.fit`, which clips gradients at length 1, clips nearly every one:
    a batch with a strange window takes no longer step than the others. On the validation hours of
    M4 that helped small networks as much as the loss itself, and large ones hardly.

    References
    ----------
    Makridakis, Spiliotis and Assimakopoulos, "The M4 Competition: 100,000 time series and 61
    forecasting methods", 2020.

    Examples
    --------
    >>> y, forecast, naive_error = 90.0, 110.0, 40.0
    >>> both = np.array([[[[forecast, naive_error]]]])
    >>> round(float(OwaLoss()(np.array([[[y]]]), both)), 1)  # 50 * (0.5 / 2.395 + 0.2 / 0.18383)
    64.8
    """

    def __init__(self, name: str = "owa", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y: Any, forecast: Any) -> Any:
        forecast, naive_error = forecast[..., 0], forecast[..., 1]
        error = ops.abs(forecast - y)
        size = (ops.abs(forecast) + ops.abs(y)) / 2
        mase, smape = error / naive_error, error / size
        return ops.mean(50 * (mase / 2.395 + smape / 0.18383), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


@keras.saving.register_keras_serializable("tsforecast")
class QuantileLoss(keras.losses.Loss):
    """The pinball loss of several quantiles, in scaled units.

    An error counts q per unit where the truth lies above the quantile q, and 1 - q below it. The
    number that makes this least is the quantile.

    Parameters
    ----------
    quantiles : sequence of float
        Those that the model forecasts.
    scale : sequence of float
        One unit per target; errors are divided by it.
    own_units : bool
        Whether each window's own unit comes after the quantiles, as one more of them; errors are
        divided by it too.

    References
    ----------
    Koenker and Bassett, "Regression Quantiles", 1978.

    Examples
    --------
    >>> loss = QuantileLoss([0.5, 0.9], scale=[10.0])
    >>> y, forecast = np.full((1, 1, 1), 30.0), np.full((1, 1, 1, 2), 20.0)
    >>> float(loss(y, forecast))  # one unit too low: (0.5 + 0.9) / 2
    0.7
    """

    def __init__(
        self,
        quantiles: Any,
        scale: Any,
        own_units: bool = False,
        name: str = "quantile_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.quantiles = [float(number) for number in quantiles]
        self.scale = [float(number) for number in scale]
        self.own_units = own_units

    def call(self, y: Any, forecast: Any) -> Any:
        levels = ops.convert_to_tensor(self.quantiles, dtype=forecast.dtype)
        scale = ops.convert_to_tensor(self.scale, dtype=forecast.dtype)
        if self.own_units:
            scale, forecast = scale * forecast[..., -1], forecast[..., :-1]
        error = (ops.expand_dims(y, -1) - forecast) / ops.expand_dims(scale, -1)
        return ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=-1)

    def get_config(self) -> dict[str, Any]:
        config = {"quantiles": self.quantiles, "scale": self.scale}
        return config | {"own_units": self.own_units, "name": self.name}


@keras.saving.register_keras_serializable("tsforecast")
class LabelLoss(keras.losses.Loss):
    """The cross-entropy of events or classes, in which a rare label may count more.

    Parameters
    ----------
    head : {"event", "class"}
        Of events, y and the chances are (batch, horizon, targets); of classes, y holds codes,
        (batch, horizon, 1), and the chances are (batch, horizon, classes).
    weights : list
        How much each label counts: (targets, 2) for events, (classes,) for classes.

    Examples
    --------
    >>> y, chance = np.ones((1, 1, 1)), np.full((1, 1, 1), 0.5)
    >>> round(float(LabelLoss("event", [[1.0, 10.0]])(y, chance)), 2)  # 10 * log(2)
    6.93
    """

    def __init__(self, head: str, weights: Any, name: str = "label_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.head, self.weights = head, np.asarray(weights, dtype=float).tolist()

    def call(self, y: Any, chances: Any) -> Any:
        weights = ops.convert_to_tensor(self.weights, dtype=chances.dtype)
        if self.head == "event":
            y = ops.cast(y, chances.dtype)
            weight = weights[:, 0] + (weights[:, 1] - weights[:, 0]) * y
            return weight * ops.binary_crossentropy(y, chances)
        codes = ops.cast(y[..., 0], "int32")  # (batch, horizon)
        return ops.take(weights, codes) * ops.sparse_categorical_crossentropy(codes, chances)

    def get_config(self) -> dict[str, Any]:
        return {"head": self.head, "weights": self.weights, "name": self.name}


# --- a faster way through the steps of an LSTM, while it trains -----------------------------------


@contextmanager
def fused_lstms(found: Iterable[Any], batch_size: int = 32) -> Iterator[list[Any]]:
    """Within the block, LSTM layers take all their steps in one operation of TensorFlow.

    The layers stay `keras.layers.LSTM`, with their weights and their place in a saved file: only the
    loop over the time steps is another one, and after the block it is Keras's again. The same
    numbers come out, to rounding. A layer that TensorFlow's operation cannot do for, or any layer on
    another backend or with a GPU, keeps Keras's loop.

    Parameters
    ----------
    found : iterable of layers
        Those of a model; what is not an LSTM is left alone.
    batch_size : int
        How many windows come at a time. They are independent, and go through the steps in pieces
        of about 64, two at least: one core takes one piece, so that two cores have work.

    Yields
    ------
    list of keras.layers.LSTM
        The layers with the faster loop.

    Examples
    --------
    >>> lstm = layers.LSTM(4)
    >>> window = np.ones((1, 24, 2))
    >>> slow = lstm(window)  # (1, 4)
    >>> with fused_lstms([lstm]):
    ...     fast = lstm(window)
    >>> np.allclose(_numpy(slow), _numpy(fast), atol=1e-6)
    True
    """
    chosen = [layer for layer in _lstms(found) if _can_fuse(layer)]
    for layer in chosen:
        layer.inner_loop = partial(_fused_loop, layer, max(2, batch_size // PIECE))
    try:
        yield chosen
    finally:
        for layer in chosen:
            del layer.inner_loop


def _lstms(found: Iterable[Any]) -> Iterator[Any]:
    for layer in found:
        if isinstance(layer, layers.Bidirectional):
            yield from _lstms([layer.forward_layer, layer.backward_layer])
        if isinstance(layer, layers.LSTM):
            yield layer


def _can_fuse(layer: Any) -> bool:
    """The operation knows tanh and sigmoid, a bias and no dropout; a GPU has a faster one."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return (
        not tf.config.list_physical_devices("GPU")
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.use_bias
        and not (layer.dropout or layer.recurrent_dropout)
        and layer.compute_dtype == "float32"
    )


def _fused_loop(
    layer: Any,
    pieces: int,
    sequences: Tensor,
    initial_state: Any,
    mask: Any,
    training: bool = False,
) -> Any:
    """What Keras's `LSTM.inner_loop` does: (batch, time, inputs) to the states of every step."""
    if mask is not None:  # steps to skip: Keras's own loop
        return type(layer).inner_loop(layer, sequences, initial_state, mask, training)
    import tensorflow as tf

    weights = ops.concatenate([layer.cell.kernel, layer.cell.recurrent_kernel], axis=0)
    x = ops.transpose(sequences, (1, 0, 2))  # (time, batch, inputs)
    x = tf.reverse(x, [0]) if layer.go_backwards else x
    ends = [tf.shape(x)[1] * piece // pieces for piece in range(pieces + 1)]
    states = []
    for rows in map(slice, ends, ends[1:]):
        hidden, memory = (state[rows] for state in initial_state)  # (rows, units) each
        part = (x[:, rows], hidden, memory, weights, layer.cell.bias.value)
        states.append(fused_lstm(*part, every=layer.return_sequences))
    hidden = tf.concat([hidden for hidden, _ in states], axis=1)  # (time or 1, batch, units)
    memory = tf.concat([memory for _, memory in states], axis=0)  # (batch, units)
    return hidden[-1], ops.transpose(hidden, (1, 0, 2)), [hidden[-1], memory]


def fused_lstm(
    x: Tensor, hidden: Tensor, memory: Tensor, weights: Tensor, bias: Tensor, every: bool = True
) -> tuple[Tensor, Tensor]:
    """All time steps of an LSTM in one operation of TensorFlow.

    x : (time, batch, inputs)  ->  (time, batch, units) and (batch, units)

    Parameters
    ----------
    x : tensor
        The inputs of all steps, (time, batch, inputs).
    hidden, memory : tensor
        The state before the first step, (batch, units) each.
    weights : tensor
        Of the inputs and below them of the state, (inputs + units, 4 * units), in Keras's order of
        the gates: input, forget, candidate, output.
    bias : tensor
        (4 * units,)
    every : bool
        Whether what the layer says at every step is wanted, or after the last one only.

    Returns
    -------
    tuple of tensors
        What the layer says, (time, batch, units) or (1, batch, units), and what it remembers after
        the last step, (batch, units).

    Notes
    -----
    The operation also returns the gates of every step, which the gradient reads again. TensorFlow
    has a gradient in one operation, too. Where there is much to do, `lstm_gradient` is faster.
    """
    import tensorflow as tf

    @tf.custom_gradient  # the one that TensorFlow registers has another order of the gates
    def run(x: Any, hidden: Any, memory: Any, weights: Any, bias: Any) -> Any:
        none = tf.zeros_like(bias[: bias.shape[0] // 4])  # gates that do not look at the memory
        read = {
            "seq_len_max": tf.shape(x, out_type=tf.int64)[0],
            "x": x,
            "h_prev": hidden,
            "cs_prev": memory,
            "w": weights,
            "b": bias,
            "wci": none,
            "wcf": none,
            "wco": none,
            "use_peephole": False,
        }
        kept = tf.raw_ops.BlockLSTMV2(**read, cell_clip=0.0)._asdict()  # (time, batch, units) each

        def gradient(hidden_grad: Any, memory_grad: Any) -> Any:
            if _pays_compiling(kept["h"]):
                back = _compiled(lstm_gradient)
                return back(x, hidden, memory, weights, kept, hidden_grad, memory_grad, every)
            before = tf.zeros_like(kept["cs"][1:])  # of all steps but the last
            memory_grads = tf.concat([before, memory_grad[None]], axis=0)
            grads = hidden_grad if every else tf.concat([before, hidden_grad], axis=0)
            back = tf.raw_ops.BlockLSTMGradV2(**read, **kept, h_grad=grads, cs_grad=memory_grads)
            w_grad, b_grad = (  # of an empty batch the operation leaves them as they were
                tf.where(tf.size(x) > 0, grad, 0.0) for grad in (back.w_grad, back.b_grad)
            )
            return back.x_grad, back.h_prev_grad, back.cs_prev_grad, w_grad, b_grad

        return (kept["h"] if every else kept["h"][-1:], kept["cs"][-1]), gradient

    return run(x, hidden, memory, weights, bias)


def lstm_gradient(
    x: Tensor,
    hidden: Tensor,
    memory: Tensor,
    weights: Tensor,
    kept: dict[str, Tensor],
    hidden_grad: Tensor,
    memory_grad: Tensor,
    every: bool = True,
) -> tuple[Tensor, ...]:
    """Back through the time steps of an LSTM: the gradient of `fused_lstm`, for XLA to compile.

    Compiled, what is not a product of matrices becomes two or three passes over the numbers of a
    step. The two products of a step are that of the gates' gradients with the weights, and that of
    what the step has read with the gates' gradients.

    Parameters
    ----------
    x, hidden, memory, weights : tensor
        What `fused_lstm` was given.
    kept : dict of tensors
        What its operation found at every step, (time, batch, units) each: the gates "i", "f", "ci"
        (the candidate) and "o", the memory "cs", its tanh "co" and the state "h".
    hidden_grad, memory_grad : tensor
        The gradients of its two results, (time, batch, units) and (batch, units).
    every : bool
        As there.

    Returns
    -------
    tuple of tensors
        The gradients of x, hidden, memory, weights and bias.
    """
    import tensorflow as tf

    steps, inputs = x.shape[0], x.shape[2]
    across = tf.transpose(weights)  # (4 * units, inputs + units)
    one = tf.ones_like(x[0, :, :1])  # what the bias reads

    def step(t: Any, dh: Any, dc: Any, dw: Any, dx: Any) -> Any:
        i, f, g, o, out = (kept[name][t] for name in ("i", "f", "ci", "o", "co"))  # (batch, units)
        h = tf.where(t > 0, kept["h"][tf.maximum(t - 1, 0)], hidden)
        c = tf.where(t > 0, kept["cs"][tf.maximum(t - 1, 0)], memory)
        dh += hidden_grad[t] if every else 0.0
        dc += dh * o * (1 - out * out)
        gates = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)]
        d = tf.concat([*gates, dh * out * o * (1 - o)], axis=1)  # (batch, 4 * units)
        dw += tf.matmul(tf.concat([x[t], h, one], axis=1), d, transpose_a=True)
        both = tf.matmul(d, across)  # (batch, inputs + units)
        return t - 1, both[:, inputs:], dc * f, dw, dx.write(t, both[:, :inputs])

    dx = tf.TensorArray(x.dtype, steps, element_shape=(None, inputs))
    dw = tf.concat([tf.zeros_like(weights), tf.zeros_like(weights[:1])], axis=0)
    last = tf.zeros_like(hidden) if every else hidden_grad[0]
    start = (steps - 1, last, memory_grad, dw, dx)
    _, dh, dc, dw, dx = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return dx.stack(), dh, dc, dw[:-1], dw[-1]


def _pays_compiling(states: Tensor) -> bool:
    """Compiling takes half a second: not for the few small steps of a short window."""
    import tensorflow as tf

    steps, _, units = states.shape
    return steps is not None and steps * units >= COMPILE_FROM and tf.test.is_built_with_xla()


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def _solve(gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """The rule; the smallest one where columns say the same thing and are large beside the ridge."""
    try:
        return np.linalg.solve(gram, cross)
    except np.linalg.LinAlgError:
        size = np.sqrt(np.diag(gram))  # of each column
        size = np.where(size > 0, size, 1.0)
        rule, *_ = np.linalg.lstsq(gram / np.outer(size, size), cross / size[:, None])
        return rule / size[:, None]


def _numpy(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))
