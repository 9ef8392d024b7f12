"""A model learns from windows: `fit` measures the scaling, trains, and stops in time.

Taught in the univariate chapter (`notebooks/univariate.ipynb`).
"""

import os
import secrets
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tsforecast.framing import Windows
from tsforecast.layers import Adapted, AddCorrection, LabelLoss, QuantileLoss, ScaledLoss
from tsforecast.models import (
    WindowBatches,
    check_shapes,
    check_windows,
    head_of,
    is_adapted,
    quantiles_of,
)
from tsforecast.tables import check_whole_number

STEPS_PER_REPORT = 50  # training steps between two returns to Keras, where an epoch is shorter


def fit(
    model: keras.Model,
    windows: Windows,
    *,
    epochs: int = 20,
    validation: Windows | None = None,
    batch_size: int = 32,
    learning_rate: float = 0.005,
    loss: str | None = None,
    optimizer: Any = None,
    patience: int | None = None,
    class_weight: Any = None,
    shuffle: bool = True,
    seed: int | None = None,
    verbose: int = 0,
) -> keras.callbacks.History:
    """Train a model on windows.

    Parameters
    ----------
    model : keras.Model
        From `tsforecast.build_model`.
    windows : Windows
        The training windows. Scaling is measured on these and on nothing else.
    epochs : int
        Times that every window is seen.
    validation : Windows, optional
        Windows after the training ones, to watch the loss on. The weights of the best epoch are
        kept.
    batch_size : int
        Windows per training step.
    learning_rate : float
        Where the learning rate starts; it falls to zero along half a cosine.
    loss : str, optional
        Name of a Keras loss, such as "mse" (the default) or "mae". It is computed in scaled
        units, so that no target drowns another; so it must depend on nothing but the error. A
        model with quantiles has its own, the pinball loss; so have events and classes, the
        cross-entropy.
    optimizer : str or keras.optimizers.Optimizer, optional
        Used as it is, instead of Adam with `learning_rate` and clipped gradients. One that has
        trained before starts afresh.
    patience : int, optional
        Stop after so many epochs without a better validation loss.
    class_weight : dict or "balanced", optional
        Of events and classes: how much a label counts, ``{0: 1, 1: 20}``, or "balanced": each
        label counts as much in all as every other. Rare events are then found more often, and
        the chances that the model gives are too high: choose a threshold on the validation part.
    shuffle : bool
        Draw the windows in random order. The steps inside a window stay in theirs.
    seed : int, optional
        With a seed, training starts from fresh weights drawn from it: the same call gives the
        same model. Without one, training goes on from the weights and the scaling that the
        model has.
    verbose : {0, 1, 2}
        Keras's progress: none, a bar, a line per epoch.

    Returns
    -------
    keras.callbacks.History
        ``history.history["loss"]``, and ``["val_loss"]`` with a validation part, at the epochs
        ``history.epoch``. In units of the simple forecast's error where the model scales.

    Raises
    ------
    ValueError
        If the windows do not have the shapes that the model was built for, or if `validation`
        overlaps the training targets.
    FloatingPointError
        If the loss stops being a number.

    Notes
    -----
    Keras spends about 45 milliseconds on the beginning and end of each epoch. Where an epoch is
    shorter than 50 training steps, as on the toy series, several epochs run as one: the same
    updates in a fraction of the time.

    Examples
    --------
    >>> from tsforecast import Framing, build_model, datasets
    >>> framing = Framing(3)
    >>> windows = framing.windows(datasets.toy("univariate"))
    >>> model = build_model(framing, units=8)
    >>> history = fit(model, windows, epochs=200, seed=0)
    >>> model.predict(framing.last_window(datasets.toy()), verbose=0).round().ravel().tolist()
    [100.0]
    """
    check_whole_number("epochs", epochs, 1)
    check_whole_number("batch_size", batch_size, 1)
    check_windows(windows)
    check_shapes(model, windows.framing)
    if validation is not None:
        check_windows(validation)
        check_shapes(model, validation.framing)
        _check_after(windows, validation)
    if patience is not None:
        check_whole_number("patience", patience, 1)
        if validation is None:
            raise ValueError("patience=... watches the validation loss: give validation= as well.")
    _check_training(model, loss, learning_rate)

    weights = _label_weights(model, windows, validation, class_weight)

    if seed is not None:
        _draw_weights(model, seed)
    if seed is not None or not is_adapted(model):
        adapt(model, windows)

    steps = -(-len(windows) // batch_size)  # training steps per epoch
    rounds = _epochs_per_round(epochs, steps)  # epochs that run as one
    trained = _with_own_units(model)
    trained.compile(
        optimizer=_optimizer(optimizer, learning_rate, epochs * steps),
        loss=_loss(model, loss, weights),
        steps_per_execution=_steps_per_execution(rounds * steps),
    )
    watch = [keras.callbacks.TerminateOnNaN()]
    if validation is not None:
        watch.append(_BestWeights(patience, rounds))
    history = trained.fit(
        WindowBatches(windows, batch_size, rounds, shuffle, seed),
        epochs=epochs // rounds,
        validation_data=None if validation is None else WindowBatches(validation),
        callbacks=watch,
        shuffle=False,  # the batches come shuffled
        verbose=verbose,
    )
    history.epoch = [rounds * (epoch + 1) for epoch in history.epoch]
    _check_loss(history, model)
    return history


def write_whole(path: str | PathLike[str], fill: Callable[[Path], None]) -> None:
    """Write a file beside `path`, then put it in its place: a failed save changes nothing.

    Parameters
    ----------
    path : str or path
        Of the file to write or to replace.
    fill : function
        Is given the path of the new file, with the same ending, and writes it.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/note.txt", lambda new: new.write_text("whole"))
    ...     Path(folder, "note.txt").read_text()
    'whole'
    """
    target = Path(path).resolve()  # where a link leads to
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(Path(path).parent)!r}. Create it first.")
    new = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        fill(new)
        with open(new, "rb+") as file:
            os.fsync(file.fileno())  # on the disk before the old file goes
        os.replace(new, target)
    finally:
        new.unlink(missing_ok=True)


def adapt(model: keras.Model, windows: Windows, batch_size: int = 1024) -> None:
    """Measure a model's scaling and simple forecast on the training windows.

    `fit` does this; call it yourself to train with plain ``model.fit``.

    Parameters
    ----------
    model : keras.Model
        From `tsforecast.build_model`.
    windows : Windows
        The training windows.
    batch_size : int
        Windows per batch; it changes the memory used, not the result.

    Examples
    --------
    >>> from tsforecast import Framing, build_model, datasets
    >>> windows = Framing(3).windows(datasets.toy("univariate"))
    >>> model = build_model(windows.framing)
    >>> adapt(model, windows)  # no training: the model now forecasts around the last value
    """
    for layer in model.layers:
        if isinstance(layer, Adapted):
            read = keras.Model(model.input, layer.measured)
            layer.adapt((read(x, training=False), y) for x, y in windows.batches(batch_size))


def _draw_weights(model: keras.Model, seed: int) -> None:
    """Fresh initial weights, the same for the same seed."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())


def _epochs_per_round(epochs: int, steps: int) -> int:
    """Short epochs are joined until they make STEPS_PER_REPORT steps; rounds divide the epochs."""
    wanted = min(epochs, -(-STEPS_PER_REPORT // steps))
    return next(rounds for rounds in range(wanted, 0, -1) if epochs % rounds == 0)


def _optimizer(optimizer: Any, learning_rate: float, steps: int) -> Any:
    if getattr(optimizer, "built", False):  # it knows the weights and the steps of another fit
        return type(optimizer).from_config(optimizer.get_config())
    if optimizer is not None:
        return optimizer
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.Adam(schedule, clipnorm=1.0)


def _loss(model: keras.Model, loss: str | None, weights: Any = None) -> Any:
    if head_of(model) != "number":
        return LabelLoss(head_of(model), weights)
    quantiles, loss = quantiles_of(model), loss or "mse"
    for layer in model.layers:
        if isinstance(layer, AddCorrection):
            scale, own = keras.ops.convert_to_numpy(layer.scale), len(layer.input) == 3
            if quantiles:
                return QuantileLoss(quantiles, scale, own)
            return ScaledLoss(loss, scale, own)
    return QuantileLoss(quantiles, [1.0] * model.output.shape[2]) if quantiles else loss


def _with_own_units(model: keras.Model) -> keras.Model:
    """The same layers; where windows have their own unit, it comes out beside the forecast."""
    for layer in model.layers:
        if isinstance(layer, AddCorrection) and len(layer.input) == 3:
            forecast, simple, unit = model.output, layer.input[1], layer.input[2]
            if len(forecast.shape) == 3:
                forecast = keras.ops.expand_dims(forecast, -1)  # (batch, horizon, targets, 1)
            unit = keras.ops.expand_dims(keras.ops.zeros_like(simple) + unit, -1)
            both = keras.ops.concatenate([forecast, unit], axis=-1)
            return keras.Model(model.input, both)  # (batch, horizon, targets, numbers + 1)
    return model


def _label_weights(
    model: keras.Model, windows: Windows, validation: Windows | None, class_weight: Any
) -> Any:
    """How much each label counts, (targets, 2) or (classes,), after a look at the labels."""
    head = head_of(model)
    if head == "number":
        if class_weight is not None:
            raise ValueError(
                "class_weight is for events and classes, and this model forecasts numbers. Leave "
                "it out, or build the model with head='event' or head='class'."
            )
        return None
    labels = 2 if head == "event" else model.output_shape[-1]
    counts = _count_labels(windows, head, labels)
    if validation is not None:
        _count_labels(validation, head, labels)
    for target, row in zip(windows.framing.targets, counts, strict=True):
        if (row == 0).any():
            found = ", ".join(f"{count} of {label}" for label, count in enumerate(row))
            raise ValueError(
                f"The training windows lack a label of {target!r}: they hold {found}. A model "
                f"learns only what it has seen: train on a longer part, or choose an event that "
                f"is less rare."
            )
    weights = np.stack([_as_weights(class_weight, row) for row in counts])
    return weights if head == "event" else weights[0]


def _count_labels(windows: Windows, head: str, labels: int) -> np.ndarray:
    """How often each label occurs, (targets, labels); a ValueError for anything else."""
    counts = []
    for column, target in enumerate(windows.framing.targets):
        values, times = np.unique(windows.y[:, :, column], return_counts=True)
        odd = ~np.isin(values, np.arange(labels))
        if odd.any():
            how = (
                f"(table[{target!r}] > limit).astype(float)"
                if head == "event"
                else f"table[{target!r}].astype('category').cat.codes"
            )
            raise ValueError(
                f"Column {target!r} holds {values[odd][0]:g}, and head={head!r} reads whole labels "
                f"from 0 to {labels - 1}. Make them: {how}."
            )
        counts.append(np.zeros(labels, dtype=int))
        counts[-1][values.astype(int)] = times
    return np.stack(counts)


def _as_weights(class_weight: Any, counts: np.ndarray) -> np.ndarray:
    if class_weight is None:
        return np.ones(len(counts))
    if isinstance(class_weight, str) and class_weight == "balanced":
        return counts.sum() / (len(counts) * counts)
    labels = list(range(len(counts)))
    if not isinstance(class_weight, dict) or sorted(class_weight) != labels:
        raise ValueError(
            f"class_weight must be 'balanced' or a dict with a weight for each label {labels}; got "
            f"{class_weight!r}."
        )
    weights = np.array([class_weight[label] for label in labels], dtype=float)
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise ValueError(f"Every class weight must be a number above 0; got {class_weight!r}.")
    return weights


def _steps_per_execution(steps: int) -> int:
    """Training steps between two returns to Python; PyTorch knows only 1."""
    return 1 if keras.backend.backend() == "torch" else min(steps, STEPS_PER_REPORT)


class _BestWeights(keras.callbacks.Callback):
    """Keep the weights of the best validation loss; stop after `patience` epochs without one."""

    def __init__(self, patience: int | None, rounds: int) -> None:
        super().__init__()
        self.patience, self.rounds = patience, rounds
        self.best, self.best_epoch, self.weights = np.inf, -1, None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs["val_loss"] < self.best:
            self.best, self.best_epoch = logs["val_loss"], epoch
            self.weights = self.model.get_weights()
        elif self.patience is not None and (epoch - self.best_epoch) * self.rounds >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)


def _check_training(model: keras.Model, loss: Any, learning_rate: float) -> None:
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be above 0; got {learning_rate!r}.")
    if loss is None:
        return
    if head_of(model) != "number":
        raise ValueError(
            f"This model answers with chances (head={head_of(model)!r}), and the cross-entropy is "
            f"what makes them chances. Leave loss={loss!r} out."
        )
    if quantiles_of(model):
        raise ValueError(
            f"This model forecasts the quantiles {quantiles_of(model)}, and only the pinball loss "
            f"makes them quantiles. Leave loss={loss!r} out."
        )
    try:
        measure = keras.losses.get(loss)
    except ValueError:
        measure = None
    if measure is None:
        raise ValueError(
            f"There is no loss {loss!r}. Give the name of a Keras loss, such as 'mse' (mean squared "
            f"error), 'mae' (mean absolute error) or 'huber'."
        )
    scaled = any(isinstance(layer, AddCorrection) for layer in model.layers)
    one = np.ones((1, 1), dtype=np.float32)
    same = [keras.ops.convert_to_numpy(measure(y, y + one)) for y in (0 * one, one)]
    if scaled and not np.allclose(*same):
        raise ValueError(
            f"The loss {loss!r} depends on more than the error, and a model with scaling knows the "
            f"error only. Use 'mse', 'mae', 'huber' or 'log_cosh', or scaling='none'."
        )


def _check_after(windows: Windows, validation: Windows) -> None:
    last, first = windows.target_span[1], validation.target_span[0]
    numbered = windows.index.dtype.kind in "iu"  # row numbers of another table say nothing
    if windows.index.dtype != validation.index.dtype or (
        numbered and not windows.index.equals(validation.index)
    ):
        return
    if first <= last:
        raise ValueError(
            f"The validation targets begin at {first}, before the training targets end at {last}. "
            f"Validate on what comes after the training part: "
            f"train, validation = windows.split(time)."
        )


def _check_loss(history: keras.callbacks.History, model: keras.Model) -> None:
    losses = history.history.get("loss", [])
    if losses and np.isfinite(losses[-1]):
        return
    raise FloatingPointError(
        f"The loss became {losses[-1] if losses else 'nan'} after {len(losses)} rounds, so the "
        f"weights are useless. The usual causes: raw numbers without scaling (scaling='standard' "
        f"or 'window'), activation='relu', or a learning rate that is too high."
    )
