"""A model learns from windows: `fit` measures the scaling, trains, and stops in time.

Taught in the univariate chapter (`notebooks/univariate.ipynb`).
"""

import contextlib
import glob
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tsforecast.framing import Windows, random_order
from tsforecast.layers import (
    Adapted,
    AddCorrection,
    ErrorUnits,
    LabelLoss,
    OwaLoss,
    QuantileLoss,
    ScaledLoss,
    fused_lstms,
)
from tsforecast.models import (
    WindowBatches,
    all_layers,
    check_shapes,
    check_windows,
    head_of,
    is_adapted,
    quantiles_of,
)
from tsforecast.tables import check_memory, check_whole_number

CHECKPOINT_FORMAT = 1
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
    warm_start: bool = False,
    checkpoint: str | PathLike[str] | None = None,
    fast: bool = False,
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
        units, so that no target drowns another; so it must depend on nothing but the error. Or
        "owa", the two errors of the M4 competition (`tsforecast.layers.OwaLoss`), for a model
        with ``scaling="log"``. A model with quantiles has its own, the pinball loss; so have
        events and classes, the cross-entropy.
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
    warm_start : bool
        With a seed, go on from the weights and the scaling all the same: the seed draws only the
        order of the windows and what dropout leaves out.
    checkpoint : str or path, optional
        File in which the state of the training is kept, after every round of epochs. If the
        program is killed, the same call goes on from there and ends with the same weights, bit
        for bit, as one that was never interrupted. When the training is complete, the same call
        returns at once with the fitted weights.
    fast : bool
        Let the LSTM layers take all their steps in one operation of TensorFlow while they train:
        the same weights to rounding, in less time on a CPU. It pays where training takes minutes:
        the gradient of long windows is compiled first, which takes a second or two. See
        `tsforecast.layers.fused_lstms`, which also says which layers keep Keras's own loop.
        Rounding grows over a long training, so that a result is repeated bit by bit only with the
        same `fast`.
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
        overlaps the training targets. If the checkpoint is of another call, or damaged.
    FloatingPointError
        If the loss stops being a number.
    MemoryError
        If a training step does not fit into memory.
    OSError
        If the checkpoint cannot be written. What was there before stays as it is.

    Notes
    -----
    Keras spends about 45 milliseconds on the beginning and end of each epoch. Where an epoch is
    shorter than 50 training steps, as on the toy series, several epochs run as one round: the
    same updates in a fraction of the time.

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

    batch = min(batch_size, len(windows))
    check_memory(
        f"A training step on {batch:,} windows of {windows.framing.lookback} rows",
        batch * _bytes_per_window(model),
        "Give a smaller batch_size, a shorter lookback or fewer units.",
    )

    weights = _label_weights(model, windows, validation, class_weight)

    steps = -(-len(windows) // batch_size)  # training steps per epoch
    rounds = _epochs_per_round(epochs, steps)  # epochs that run as one
    orders = np.random.default_rng(seed)  # of the windows
    best = None if validation is None else _BestWeights(patience, rounds)
    kept = None
    if checkpoint is not None:
        arguments = {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "loss": loss,
            "optimizer": optimizer,
            "patience": patience,
            "class_weight": class_weight,
            "shuffle": shuffle,
            "seed": seed,
            "warm_start": warm_start,
            "fast": fast,
        }
        call = _describe_call(model, windows, validation, arguments)
        kept = _Checkpoint(checkpoint, call, model, best, orders)

    if kept is not None and kept.state:
        kept.restore_model()
    else:
        fresh = seed is not None and not warm_start
        if seed is not None:
            _draw(model, seed, weights=fresh)
        if fresh or not is_adapted(model):
            adapt(model, windows)
    trained = _with_own_units(model, loss)
    trained.compile(
        optimizer=_optimizer(optimizer, learning_rate, epochs * steps),
        loss=_loss(model, loss, weights),
        steps_per_execution=_steps_per_execution(rounds * steps),
    )
    done = 0 if kept is None else kept.restore_training(trained, epochs // rounds)
    if shuffle:
        for _ in range(done * rounds):  # the orders that were used already
            random_order(len(windows), orders)
    watch = [_StopAtNaN(), best, kept]
    with _plain_names(trained), fused_lstms(all_layers(model) if fast else [], batch_size):
        history = trained.fit(
            WindowBatches(windows, batch_size, rounds, shuffle, orders),
            initial_epoch=done,
            epochs=epochs // rounds,
            validation_data=None if validation is None else WindowBatches(validation),
            callbacks=[callback for callback in watch if callback is not None],
            shuffle=False,  # the batches come shuffled
            verbose=verbose,
        )
    if kept is not None:
        history.history, history.epoch = kept.history, list(range(kept.rounds))
    history.epoch = [rounds * (epoch + 1) for epoch in history.epoch]
    _check_loss(history, model)
    return history


def _bytes_per_window(model: keras.Model) -> float:
    """The least that a training step takes of each window: what LSTMs keep to learn from."""
    numbers = 0
    for layer in all_layers(model):
        lstm = getattr(layer, "forward_layer", layer)
        if isinstance(lstm, keras.layers.LSTM):  # four gates, the cell and what it says
            both = 1 if lstm is layer else 2
            read = keras.tree.flatten(getattr(layer, "input", None))[0]  # (batch, steps, numbers)
            numbers += 6 * both * lstm.units * ((read is not None and read.shape[1]) or 1)
    return 4.0 * numbers


def write_whole(
    path: str | PathLike[str], fill: Callable[[Path], None], once: bool = False
) -> None:
    """Write a file beside `path`, then put it in its place: a failed save changes nothing.

    Parameters
    ----------
    path : str or path
        Of the file to write or to replace.
    fill : function
        Is given the path of the new file, with the same ending, and writes it.
    once : bool
        Leave a file alone that another process has put there in the meantime.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    OSError
        If the disk is full, or if the folder may not be written to (a PermissionError).

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
        _put(new, target, once)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # it is not there, or the disk is read-only
            new.unlink()
    _remove_parts(target, older_than=3600)


def _put(new: Path, target: Path, once: bool) -> None:
    if once:
        try:
            return os.link(new, target)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            if target.exists():
                return
    os.replace(new, target)


def unwritten(path: str | PathLike[str], error: OSError) -> OSError:
    """The same error in words: a full disk, a folder that may not be written to."""
    words = (
        f"{os.fspath(path)!r} could not be written: {error.strerror or error}. What was there "
        f"before is whole. Make room, or give a path in a folder that you may write to."
    )
    return OSError(error.errno, words) if error.errno else OSError(words)


def _remove_parts(target: Path, older_than: float) -> None:
    """Remove what processes left that were killed while they wrote this file, seconds ago."""
    for part in target.parent.glob(f".{glob.escape(target.stem)}.*.part{target.suffix}*"):
        with contextlib.suppress(OSError):  # another process has removed it
            if not older_than or time.time() - part.stat().st_mtime > older_than:
                part.unlink()


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


def _draw(model: keras.Model, seed: int, weights: bool) -> None:
    """Fresh seeds of dropout and, if asked, initial weights: the same for the same seed."""
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(model)
    for ours, drawn in zip(model.variables, fresh.variables, strict=True):
        if weights or "seed_generator" in ours.path:
            ours.assign(drawn.value)


@contextlib.contextmanager
def _plain_names(model: keras.Model) -> Iterator[None]:
    """Layers are named by their place in the model, whatever was built before them.

    TensorFlow puts sums into an order by the names, and Keras counts the layers of a session in
    those: the last digit of the weights would depend on how many models there were before.
    """
    found = list(model._flatten_layers())  # those inside others, too
    names = [layer.name for layer in found]
    try:
        for place, layer in enumerate(found):
            layer.name = f"{type(layer).__name__}_{place:03d}"
        yield
    finally:
        for layer, name in zip(found, names, strict=True):
            layer.name = name


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
            scale, own = keras.ops.convert_to_numpy(layer.scale), layer.own_unit is not None
            if quantiles:
                return QuantileLoss(quantiles, scale, own)
            if loss == "owa":
                return OwaLoss()
            return ScaledLoss(loss, scale, own)
    return QuantileLoss(quantiles, [1.0] * model.output.shape[2]) if quantiles else loss


def _with_own_units(model: keras.Model, loss: str | None) -> keras.Model:
    """The same layers; where windows have their own unit, it comes out beside the forecast."""
    for layer in model.layers:
        if isinstance(layer, AddCorrection) and layer.own_unit is not None:
            forecast, own_unit = model.output, layer.own_unit
            if loss == "owa":
                errors = model.get_layer("error_units")
                own_unit = errors.naive_error(errors.input)  # (batch, 1, targets)
            if len(forecast.shape) == 3:
                forecast = keras.ops.expand_dims(forecast, -1)  # (batch, horizon, targets, 1)
            unit = keras.ops.expand_dims(own_unit, -1)  # (batch, 1, targets, 1)
            unit = keras.ops.zeros_like(forecast[..., :1]) + unit
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


class _StopAtNaN(keras.callbacks.Callback):
    """Keras's TerminateOnNaN prints a line, too, and another one with each version of Keras."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self.model.stop_training = True


class _BestWeights(keras.callbacks.Callback):
    """Keep the weights of the best validation loss; stop after `patience` epochs without one."""

    def __init__(self, patience: int | None, rounds: int) -> None:
        super().__init__()
        self.patience, self.rounds = patience, rounds
        self.best, self.best_epoch = np.inf, -1
        self.weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs["val_loss"] < self.best:
            self.best, self.best_epoch = logs["val_loss"], epoch
            self.weights = self.model.get_weights()
        elif self.patience is not None and (epoch - self.best_epoch) * self.rounds >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)


class _Checkpoint(keras.callbacks.Callback):
    """After every round, write all that training depends on; in another process, go on from it."""

    def __init__(
        self,
        path: str | PathLike[str],
        call: dict[str, str],
        net: keras.Model,
        best: _BestWeights | None,
        orders: np.random.Generator,
    ) -> None:
        super().__init__()
        self.path, self.call, self.net, self.best = Path(path), call, net, best
        self.rounds, self.history = 0, {}
        self.state, self.arrays = _read_checkpoint(self.path)
        if self.state:
            _check_same_call(self.path, self.state["call"], call)
            orders.bit_generator.state = self.state["orders"]
            self.rounds, self.history = self.state["rounds"], self.state["history"]
        self.first_orders = orders.bit_generator.state
        _remove_parts(self.path, older_than=0)

    def restore_model(self) -> None:
        """Weights, scaling and the seeds of dropout."""
        for variable, value in zip(self.net.variables, self.arrays["model"], strict=True):
            variable.assign(value)

    def restore_training(self, model: keras.Model, rounds: int) -> int:
        """The optimizer and the best weights so far; returns how many rounds are done."""
        if not self.state:
            return 0
        model.optimizer.build(model.trainable_variables)
        for variable, value in zip(
            model.optimizer.variables, self.arrays["optimizer"], strict=True
        ):
            variable.assign(value)
        if self.best is not None:
            self.best.best, self.best.best_epoch = self.state["best"]
            self.best.weights = self.arrays["best"] or None
        return rounds if self.state["complete"] or self.state["stopped"] else self.rounds

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not np.isfinite(logs["loss"]):
            return
        self.rounds = epoch + 1
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        self.write(complete=False)

    def on_train_end(self, logs: Any = None) -> None:
        losses = self.history.get("loss", [])
        if losses and np.isfinite(losses[-1]) and not self.state.get("complete"):
            self.write(complete=True)

    def write(self, complete: bool) -> None:
        best = None if self.best is None else [float(self.best.best), self.best.best_epoch]
        state = {
            "format": CHECKPOINT_FORMAT,
            "call": self.call,
            "rounds": self.rounds,
            "history": self.history,
            "orders": self.first_orders,
            "best": best,
            "stopped": self.model.stop_training,
            "complete": complete,
        }
        weights = None if self.best is None or complete else self.best.weights
        arrays = {
            "model": [keras.ops.convert_to_numpy(x) for x in self.net.variables],
            "optimizer": [keras.ops.convert_to_numpy(x) for x in self.model.optimizer.variables],
            "best": weights or [],  # the complete model has them already
        }
        named = {f"{part}.{i}": x for part in arrays for i, x in enumerate(arrays[part])}

        def fill(new: Path) -> None:
            with open(new, "wb") as file:  # plain arrays, no pickle
                np.savez(file, state=np.array(json.dumps(state)), **named)

        write_whole(self.path, fill)


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
    """What a checkpoint holds; nothing where there is no file yet."""
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"checkpoint= names a file in a folder that exists; got {str(path)!r}.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(
            f"checkpoint={str(path)!r} lies in a folder that you may not write to. Give another one."
        )
    if not path.exists():
        return {}, {}
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            arrays: dict[str, list[np.ndarray]] = {"model": [], "optimizer": [], "best": []}
            for name in file.files[1:]:
                arrays[name.partition(".")[0]].append(file[name])
        known = state["format"]
    except Exception as error:  # a flipped bit can break any part of an archive
        raise ValueError(
            f"{str(path)!r} is not a checkpoint of fit, or a damaged one. Delete it to train from "
            f"the beginning, or give another path."
        ) from error
    if known != CHECKPOINT_FORMAT:
        raise ValueError(
            f"The checkpoint {str(path)!r} is of another version of tsforecast (format {known}, "
            f"this version reads {CHECKPOINT_FORMAT}). Delete it to train from the beginning."
        )
    return state, arrays


def _check_same_call(path: Path, then: dict[str, str], now: dict[str, str]) -> None:
    differ = [name for name in now if then.get(name) != now[name]]
    if differ:
        changes = [f"{name} was {then.get(name)} and is {now[name]}" for name in differ[:3]]
        raise ValueError(
            f"The checkpoint {str(path)!r} is of another training: {'; '.join(changes)}. Make the "
            f"same call to go on with it, give another path, or delete it to train from the "
            f"beginning."
        )


def _describe_call(
    model: keras.Model, windows: Windows, validation: Windows | None, arguments: dict[str, Any]
) -> dict[str, str]:
    """What a training depends on, in short: equal for the same call and for no other."""
    layers = [[type(layer).__name__, _without_names(layer.get_config())] for layer in model.layers]
    shapes = [list(variable.shape) for variable in model.variables]
    optimizer = arguments["optimizer"]
    if isinstance(optimizer, keras.optimizers.Optimizer):
        optimizer = [type(optimizer).__name__, _without_names(optimizer.get_config())]
    call = {name: str(value) for name, value in (arguments | {"optimizer": optimizer}).items()}
    call["backend"] = keras.backend.backend()
    call["the model"] = _digest(json.dumps([layers, shapes], default=str, sort_keys=True).encode())
    for name, part in (("windows", windows), ("validation", validation)):
        call[name] = "None"
        if part is not None:
            first, last = part.target_times(0)[0], part.target_times(-1)[-1]
            call[name] = f"{len(part)} windows, {first} to {last}, {part.framing}"
            rows = np.unique(np.linspace(0, len(part) - 1, 256).astype(int))
            X, y = part.batch(rows)
            inputs = [X[key] for key in sorted(X)] if isinstance(X, dict) else [X]
            call[f"the values of {name}"] = _digest(*(x.tobytes() for x in (*inputs, y)))
    return call


def _without_names(config: Any) -> Any:
    """Keras counts the layers of a session in their names."""
    if isinstance(config, dict):
        return {key: _without_names(value) for key, value in config.items() if key != "name"}
    if isinstance(config, (list, tuple)):
        return [_without_names(value) for value in config]
    return config


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]


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
    if loss == "owa":
        if not any(isinstance(layer, ErrorUnits) for layer in model.layers):
            raise ValueError(
                "loss='owa' counts in percents and in each window's own seasonal naive error, "
                "which only a model with scaling='log' knows. Build it so, or use 'mae'."
            )
        return
    try:
        measure = keras.losses.get(loss)
    except ValueError:
        measure = None
    if measure is None:
        raise ValueError(
            f"There is no loss {loss!r}. Give the name of a Keras loss, such as 'mse' (mean squared "
            f"error), 'mae' (mean absolute error) or 'huber', or 'owa'."
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
    losses, epochs = history.history.get("loss", []), max(history.epoch, default=1)
    if losses and np.isfinite(losses[-1]):
        return
    raise FloatingPointError(
        f"The loss became {losses[-1] if losses else 'nan'} within {epochs} "
        f"epoch{'s' if epochs > 1 else ''}, so the weights are useless. The usual causes: raw "
        f"numbers without scaling (scaling='standard' or 'window'), activation='relu', or a "
        f"learning rate that is too high."
    )
