"""Windows become predictions: six encoders, six decoders, and `build_model` to join them.

An encoder reads the history and returns a state. A decoder turns the state into the forecast.
Every encoder works with every decoder. Encoders are taught in the univariate chapter
(`notebooks/univariate.ipynb`), decoders in the multi-step chapter (`notebooks/multistep.ipynb`).
"""

import difflib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tsforecast.framing import Framing, Windows, random_order
from tsforecast.layers import (
    Adapted,
    AddCorrection,
    AddToCombination,
    AddToQuantiles,
    ErrorUnits,
    FeedbackCell,
    KnownSteps,
    LastValue,
    LinearForecast,
    Logarithms,
    OwnSpread,
    OwnUnits,
    PatchSteps,
    Quantiles,
    Scaling,
    SeasonalValue,
    SimpleForecasts,
    Tensor,
    TrainingMean,
)
from tsforecast.tables import check_memory, check_whole_number

# --- encoders: history -> state -------------------------------------------------------------------


def vanilla(
    x: Tensor,
    units: int,
    return_sequences: bool = False,
    activation: str = "tanh",
) -> Tensor:
    """One LSTM layer: what it holds after the last time step is the state.

    x : (batch, lookback, inputs)  ->  (batch, units)

    Parameters
    ----------
    x : keras tensor
        The history, (batch, lookback, inputs).
    units : int
        Width of the state; it has nothing to do with the number of time steps.
    return_sequences : bool
        Return what the layer says at every step, (batch, lookback, units): what the attention
        decoder reads.
    activation : str
        Keras's default tanh, or relu as in the tutorial.

    Returns
    -------
    keras tensor
        The state, (batch, units).

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997.

    Examples
    --------
    >>> vanilla(keras.Input((3, 1)), units=50).shape
    (None, 50)
    """
    lstm = layers.LSTM(units, activation=activation, return_sequences=return_sequences)
    return lstm(x)  # (batch, units)


def stacked(
    x: Tensor,
    units: int,
    return_sequences: bool = False,
    activation: str = "tanh",
) -> Tensor:
    """Two LSTM layers: the second reads what the first says at every step.

    x : (batch, lookback, inputs)  ->  (batch, units)

    Parameters and returned state are those of `vanilla`.

    Examples
    --------
    >>> stacked(keras.Input((3, 1)), units=50).shape
    (None, 50)
    """
    first = layers.LSTM(units, activation=activation, return_sequences=True)
    second = layers.LSTM(units, activation=activation, return_sequences=return_sequences)
    x = first(x)  # (batch, lookback, units)
    return second(x)  # (batch, units)


def bidirectional(
    x: Tensor,
    units: int,
    return_sequences: bool = False,
    activation: str = "tanh",
) -> Tensor:
    """Two LSTM layers side by side: one reads the window forwards, the other backwards.

    x : (batch, lookback, inputs)  ->  (batch, 2 * units)

    Both read the same past window, so nothing after the cutoff is seen. Parameters are those of
    `vanilla`; the state is twice as wide.

    References
    ----------
    Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", 1997.

    Examples
    --------
    >>> bidirectional(keras.Input((3, 1)), units=50).shape
    (None, 100)
    """
    lstm = layers.LSTM(units, activation=activation, return_sequences=return_sequences)
    return layers.Bidirectional(lstm)(x)  # (batch, 2 * units)


def cnn(
    x: Tensor,
    units: int,
    return_sequences: bool = False,
    activation: str = "tanh",
    subsequences: int = 2,
    filters: int = 64,
    kernel_size: int = 3,
    pool_size: int = 2,
) -> Tensor:
    """A convolution reads each subsequence of the window, then an LSTM reads the subsequences.

    x : (batch, lookback, inputs)  ->  (batch, units)

    Parameters
    ----------
    x : keras tensor
        The history, (batch, lookback, inputs).
    units, return_sequences, activation
        Of the LSTM, as in `vanilla`.
    subsequences : int
        Into how many pieces of equal length the window is cut; the LSTM takes one step for each.
    filters : int
        Numbers that the convolution makes of each time step.
    kernel_size : int
        Time steps that the convolution sees at once; with 1 it sees no neighbour.
    pool_size : int
        Of so many steps the largest is kept.

    Raises
    ------
    ValueError
        If the window cannot be cut into `subsequences` pieces of equal length.

    Examples
    --------
    >>> cnn(keras.Input((4, 1)), units=50).shape
    (None, 50)
    """
    each = layers.TimeDistributed
    steps = _steps_per_subsequence(x.shape[1], subsequences)
    conv = layers.Conv1D(filters, kernel_size, padding="same", activation="relu")
    pool = layers.MaxPooling1D(pool_size, padding="same")
    lstm = layers.LSTM(units, activation=activation, return_sequences=return_sequences)
    cut = layers.Reshape((subsequences, steps, x.shape[2]))
    x = cut(x)  # (batch, subsequences, steps, inputs)
    x = each(conv)(x)  # (batch, subsequences, steps, filters)
    x = each(pool)(x)  # (batch, subsequences, steps / pool_size, filters)
    x = each(layers.Flatten())(x)  # (batch, subsequences, features)
    return lstm(x)  # (batch, units)


def convlstm(
    x: Tensor,
    units: int,
    return_sequences: bool = False,
    activation: str = "tanh",
    subsequences: int = 2,
    kernel_size: int = 2,
    padding: str = "valid",
) -> Tensor:
    """An LSTM whose products are convolutions: it reads a subsequence at every step.

    x : (batch, lookback, inputs)  ->  (batch, columns * units)

    Parameters
    ----------
    x : keras tensor
        The history, (batch, lookback, inputs).
    units : int
        Filters of the convolutions.
    return_sequences, activation
        As in `vanilla`.
    subsequences : int
        Into how many pieces of equal length the window is cut.
    kernel_size : int
        Time steps within a subsequence that the convolution sees at once.
    padding : {"valid", "same"}
        "valid" keeps ``steps - kernel_size + 1`` columns, "same" all.

    Raises
    ------
    ValueError
        If the window cannot be cut into `subsequences` pieces of equal length, or if the kernel
        is longer than a piece.

    References
    ----------
    Shi et al., "Convolutional LSTM Network", 2015. With one row of pixels, as here, Keras's
    ConvLSTM2D and ConvLSTM1D are the same layer.

    Examples
    --------
    >>> convlstm(keras.Input((4, 1)), units=64).shape
    (None, 64)
    """
    steps = _steps_per_subsequence(x.shape[1], subsequences)
    if padding == "valid" and kernel_size > steps:
        raise ValueError(
            f"kernel_size={kernel_size} is longer than a subsequence of {steps} steps. Use a "
            f"kernel_size of {steps} or less, fewer subsequences, or padding='same'."
        )
    lstm = layers.ConvLSTM1D(
        units,
        kernel_size,
        padding=padding,
        activation=activation,
        return_sequences=return_sequences,
    )
    cut = layers.Reshape((subsequences, steps, x.shape[2]))
    x = cut(x)  # (batch, subsequences, steps, inputs)
    x = lstm(x)  # (batch, columns, units)
    if return_sequences:
        flat = layers.TimeDistributed(layers.Flatten())
        return flat(x)  # (batch, subsequences, columns * units)
    return layers.Flatten()(x)  # (batch, columns * units)


def patched(
    x: Tensor,
    units: int,
    return_sequences: bool = False,
    activation: str = "tanh",
    patch: int = 1,
    depth: int = 1,
) -> Tensor:
    """The LSTM takes one step per patch of the window, a day say, and not one per row.

    x : (batch, lookback, inputs)  ->  (batch, units)

    A Dense layer makes `units` numbers of each patch; each LSTM layer adds to them. Two weeks of
    hours are 14 steps instead of 336: it trains faster, and remembers more of what was long ago.

    Parameters
    ----------
    x : keras tensor
        The history, (batch, lookback, inputs).
    units, return_sequences, activation
        Of the LSTM layers, as in `vanilla`; one state per patch with ``return_sequences=True``.
    patch : int
        Rows per patch. Give a season: 24 hours, so that all patches begin at the same hour.
    depth : int
        Number of LSTM layers.

    Raises
    ------
    ValueError
        If the window cannot be cut into patches of `patch` rows, or without a layer.

    References
    ----------
    Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting",
    2023; Nie et al., "A Time Series is Worth 64 Words", 2023, gave the patches their name.

    Examples
    --------
    >>> patched(keras.Input((336, 1)), units=50, patch=24).shape
    (None, 50)
    """
    check_whole_number("depth", depth, 1)
    cut = layers.Reshape((_patches(x.shape[1], patch), patch * x.shape[2]))
    x = cut(x)  # (batch, patches, patch * inputs)
    x = layers.Dense(units)(x)  # (batch, patches, units)
    for _ in range(depth):
        lstm = layers.LSTM(units, activation=activation, return_sequences=True)
        x = layers.Add()([x, lstm(x)])  # (batch, patches, units)
    return x if return_sequences else x[:, -1]  # (batch, units)


def _patches(steps: int, patch: int, role: str = "lookback") -> int:
    lengths = [n for n in range(1, steps + 1) if steps % n == 0]
    if patch not in lengths or not isinstance(patch, int):
        raise ValueError(
            f"A {role} of {steps} steps cannot be cut into patches of {patch} steps. Choose a "
            f"patch from {lengths}, or a {role} that is a multiple of {patch}."
        )
    return steps // patch


def _steps_per_subsequence(lookback: int, subsequences: int) -> int:
    counts = [n for n in range(1, lookback + 1) if lookback % n == 0]
    if subsequences not in counts or not isinstance(subsequences, int):
        raise ValueError(
            f"A window of {lookback} steps cannot be cut into {subsequences} subsequences of equal "
            f"length. Choose subsequences from {counts}, or another lookback."
        )
    return lookback // subsequences


# --- decoders: state -> (batch, horizon, targets) -------------------------------------------------


def vector(
    state: Tensor,
    horizon: int,
    targets: int,
    units: int = 50,
    activation: str = "tanh",
    future: Tensor | None = None,
    initializer: str = "glorot_uniform",
) -> Tensor:
    """All numbers of the forecast at once, from one Dense layer.

    state : (batch, units)  ->  (batch, horizon, targets)

    Parameters
    ----------
    state : keras tensor
        What the encoder returns, (batch, units).
    horizon, targets : int
        Shape of the forecast.
    units, activation
        Not used: this decoder has no LSTM.
    future : keras tensor, optional
        Future covariates, (batch, horizon, future).
    initializer : str
        How the weights of the last layer start: with "zeros" the first correction is none.

    Examples
    --------
    >>> vector(keras.Input((50,)), horizon=2, targets=3).shape
    (None, 2, 3)
    """
    if future is not None:
        state = layers.Concatenate()([state, layers.Flatten()(future)])
    write = layers.Dense(horizon * targets, kernel_initializer=initializer)
    x = write(state)  # (batch, horizon * targets)
    return layers.Reshape((horizon, targets))(x)  # (batch, horizon, targets)


def encoder_decoder(
    state: Tensor,
    horizon: int,
    targets: int,
    units: int = 50,
    activation: str = "tanh",
    future: Tensor | None = None,
    initializer: str = "glorot_uniform",
) -> Tensor:
    """A second LSTM writes the forecast step by step; it reads the state again at every step.

    state : (batch, units)  ->  (batch, horizon, targets)

    Parameters
    ----------
    state, horizon, targets, future, initializer
        As in `vector`.
    units : int
        Width of the decoder's LSTM.
    activation : str
        Activation of the decoder's LSTM.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014;
    Sutskever et al., "Sequence to Sequence Learning with Neural Networks", 2014.

    Examples
    --------
    >>> encoder_decoder(keras.Input((100,)), horizon=2, targets=3).shape
    (None, 2, 3)
    """
    x = layers.RepeatVector(horizon)(state)  # (batch, horizon, state)
    if future is not None:
        x = layers.Concatenate()([x, future])  # (batch, horizon, state + future)
    lstm = layers.LSTM(units, activation=activation, return_sequences=True)
    x = lstm(x)  # (batch, horizon, units)
    write = layers.Dense(targets, kernel_initializer=initializer)
    return write(x)  # the same Dense at every step: (batch, horizon, targets)


def autoregressive(
    state: Tensor,
    horizon: int,
    targets: int,
    units: int = 50,
    activation: str = "tanh",
    future: Tensor | None = None,
    initializer: str = "glorot_uniform",
) -> Tensor:
    """An LSTM that starts from the state and reads its own last forecast at every step.

    state : (batch, units)  ->  (batch, horizon, targets)

    Its weights do not depend on the horizon: `with_horizon` forecasts further with the same ones.
    Parameters are those of `encoder_decoder`.

    References
    ----------
    Graves, "Generating Sequences With Recurrent Neural Networks", 2013.

    Examples
    --------
    >>> autoregressive(keras.Input((50,)), horizon=2, targets=3).shape
    (None, 2, 3)
    """
    hidden = layers.Dense(units, activation="tanh")(state)  # (batch, units)
    memory = layers.Dense(units)(state)  # (batch, units)
    begin = layers.Dense(targets, kernel_initializer=initializer)
    first = begin(state)  # what it reads before its first forecast
    x = layers.RepeatVector(horizon)(state)  # (batch, horizon, state)
    if future is not None:
        x = layers.Concatenate()([x, future])  # (batch, horizon, state + future)
    cell = FeedbackCell(units, targets, activation, initializer)
    rnn = layers.RNN(cell, return_sequences=True)
    return rnn(x, initial_state=[hidden, memory, first])  # (batch, horizon, targets)


def attention(
    steps: Tensor,
    horizon: int,
    targets: int,
    units: int = 50,
    activation: str = "tanh",
    future: Tensor | None = None,
    initializer: str = "glorot_uniform",
) -> Tensor:
    """An encoder-decoder that looks back: each step of the forecast asks every encoder step.

    steps : (batch, steps, units)  ->  (batch, horizon, targets)

    Parameters are those of `encoder_decoder`, except that it reads what the encoder says at every
    step (``return_sequences=True``) instead of its state at the end.

    References
    ----------
    Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", 2015.

    Examples
    --------
    >>> attention(keras.Input((3, 50)), horizon=2, targets=3).shape
    (None, 2, 3)
    """
    steps = layers.Dense(units)(steps)  # (batch, steps, units)
    last = layers.Cropping1D((steps.shape[1] - 1, 0))(steps)  # (batch, 1, units)
    query = layers.RepeatVector(horizon)(layers.Flatten()(last))  # (batch, horizon, units)
    if future is not None:
        query = layers.Concatenate()([query, future])  # (batch, horizon, units + future)
    lstm = layers.LSTM(units, activation=activation, return_sequences=True)
    query = lstm(query)  # (batch, horizon, units)
    if steps.shape[1] > 1:
        found = layers.Attention()([query, steps])  # (batch, horizon, units)
    else:  # one step has all the attention
        found = layers.RepeatVector(horizon)(layers.Flatten()(steps))
    x = layers.Concatenate()([query, found])  # (batch, horizon, 2 * units)
    write = layers.Dense(targets, kernel_initializer=initializer)
    return write(x)  # (batch, horizon, targets)


def patchwise(
    state: Tensor,
    horizon: int,
    targets: int,
    units: int = 50,
    activation: str = "tanh",
    future: Tensor | None = None,
    initializer: str = "glorot_uniform",
    patch: int = 1,
    dropout: float = 0.0,
) -> Tensor:
    """One LSTM step per patch of the forecast, a day say, and all patches at the same time.

    state : (batch, units)  ->  (batch, horizon, targets)

    Every patch starts from the encoder's state and reads which patch it is, not the patch before
    it: an error at the beginning is not handed on. One Dense layer writes all patches, so the hours
    of the first day and of the last are learned together.

    Parameters
    ----------
    state, horizon, targets, future
        As in `vector`.
    units : int
        Width of the decoder's LSTM.
    activation : str
        Activation of the decoder's LSTM.
    initializer : str
        How the weights of the last layer start: with "zeros" the first correction is none.
    patch : int
        Steps of the forecast per patch. With the encoder "patched" it is the same number.
    dropout : float
        Share of what the LSTM says that the last layer does not get in training.

    Raises
    ------
    ValueError
        If the horizon cannot be cut into patches of `patch` steps.

    References
    ----------
    Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting",
    2023.

    Examples
    --------
    >>> patchwise(keras.Input((50,)), horizon=48, targets=3, patch=24).shape
    (None, 48, 3)
    """
    patches = _patches(horizon, patch, "horizon")
    hidden = layers.Dense(units, activation="tanh")(state)  # (batch, units)
    memory = layers.Dense(units)(state)  # (batch, units)
    start = [hidden, memory]
    if future is not None:
        cut = layers.Reshape((patches, patch * future.shape[2]))
        start.append(cut(future))  # (batch, patches, patch * future)
    x = PatchSteps(patches, units, activation)(start)  # (batch, patches, units)
    if dropout:
        x = layers.Dropout(dropout, name="left_out")(x)
    write = layers.Dense(patch * targets, kernel_initializer=initializer)
    x = write(x)  # the same Dense for every patch: (batch, patches, patch * targets)
    return layers.Reshape((horizon, targets))(x)  # (batch, horizon, targets)


def stepwise(
    state: Tensor,
    horizon: int,
    targets: int,
    units: int = 50,
    activation: str = "tanh",
    future: Tensor | None = None,
    initializer: str = "glorot_uniform",
    context: int = 8,
) -> Tensor:
    """Each step is written by itself, from a few numbers of its own and what is known of it.

    state : (batch, units)  ->  (batch, horizon, targets)

    One Dense layer says in a few numbers what the state means for each step. Two more, the same for
    all steps, join them with the future covariates of the step: the hour, a holiday, the weather,
    the value a day before. No step reads another one.

    Parameters
    ----------
    state, horizon, targets, future, initializer
        As in `vector`.
    units : int
        Half the width of the two Dense layers.
    activation
        Not used: this decoder has no LSTM.
    context : int
        Numbers by which each step knows of the state.

    References
    ----------
    Wen et al., "A Multi-Horizon Quantile Recurrent Forecaster", 2017: the decoder of MQ-RNN.

    Examples
    --------
    >>> stepwise(keras.Input((50,)), horizon=48, targets=3, future=keras.Input((48, 5))).shape
    (None, 48, 3)
    """
    x = layers.Dense(horizon * context)(state)  # (batch, horizon * context)
    x = layers.Reshape((horizon, context), name="context")(x)  # (batch, horizon, context)
    if future is not None:
        x = layers.Concatenate()([x, future])  # (batch, horizon, context + future)
    x = layers.Dense(2 * units, activation="relu")(x)  # (batch, horizon, 2 * units)
    x = layers.Dense(2 * units, activation="relu")(x)  # (batch, horizon, 2 * units)
    write = layers.Dense(targets, kernel_initializer=initializer)
    return write(x)  # the same layers for every step: (batch, horizon, targets)


ENCODERS: dict[str, Callable[..., Any]] = {
    "vanilla": vanilla,
    "stacked": stacked,
    "bidirectional": bidirectional,
    "cnn": cnn,
    "convlstm": convlstm,
    "patched": patched,
}
DECODERS: dict[str, Callable[..., Any]] = {
    "vector": vector,
    "encoder_decoder": encoder_decoder,
    "autoregressive": autoregressive,
    "attention": attention,
    "patchwise": patchwise,
    "stepwise": stepwise,
}
# They read every time step and cannot skip a masked one.
WHOLE = (cnn, convlstm, patched, attention)
SCALINGS = ("none", "standard", "window", "series", "log")
RELATIVE = ("window", "series", "log")  # to the target's own past
SEASONAL = ("season", "combination")
HEADS = ("number", "event", "class")
SKIPS = ("none", "last", "season", "linear", "combination")


# --- the whole model ------------------------------------------------------------------------------


def build_model(
    framing: Framing,
    *,
    encoder: str | Callable[..., Any] = "vanilla",
    decoder: str | Callable[..., Any] = "vector",
    units: int = 50,
    activation: str = "tanh",
    scaling: str | None = None,
    skip: str = "none",
    season: int | Sequence[int] | None = None,
    dropout: float = 0.0,
    ridge: float = 1e-8,
    quantiles: Sequence[float] = (),
    head: str = "number",
    classes: int | None = None,
    **options: Any,
) -> keras.Model:
    """Join an encoder and a decoder to a Keras model that takes and gives raw numbers.

    Parameters
    ----------
    framing : Framing
        Says which shapes go in and out. A framing that does not name its targets counts as one
        column; use ``windows.framing``, or name them, for more.
    encoder : {"vanilla", "stacked", "bidirectional", "cnn", "convlstm", "patched"} or function
        How the history is read.
    decoder : str or function
        How the forecast is written: "vector", "encoder_decoder", "autoregressive", "attention",
        "patchwise" or "stepwise".
    units : int
        Width of the LSTM layers (filters of a convlstm).
    activation : str
        Activation of the LSTM layers: tanh, or relu as in the tutorial.
    scaling : {"none", "standard", "window", "series", "log"}, optional
        Inside the model: "none", raw numbers reach the LSTM (the tutorial's way); "standard",
        every column minus its mean, over its standard deviation; "window", the targets' history
        relative to its last value in the window, the other columns as in "standard"; "series",
        as "window" and counted in a unit of the window's own, for a panel whose series differ in
        size; "log", as "series" in logarithms, for positive series that change by percents, with
        a loss that counts in the window's own errors. The default is "window" where the targets'
        history is an input, else "standard".
    skip : {"none", "last", "season", "linear", "combination"}
        The simple forecast that the network corrects: none, the last value, the same time last
        season, a linear rule fitted by least squares, or a weighted mean of several
        (`tsforecast.layers.SimpleForecasts`), whose weights the decoder writes too. "none" with
        scaling "standard" corrects the training mean, with "window" the last value.
    season : int or sequence of int, optional
        Steps per season, for ``skip="season"``; for "combination" one or several.
    dropout : float
        Share of the encoder's numbers that is left out at random, anew at every training step:
        against learning the training windows by heart. Forecasts leave nothing out. With the decoder
        "patchwise" it is the decoder's numbers.
    ridge : float
        How much the rule of ``skip="linear"`` pays for large weights. Give 0.1 to 10, the best on a
        validation part, where the window is long and the training part short.
    quantiles : sequence of float
        Forecast these quantiles of each number instead of the number alone, for example
        ``(0.05, 0.5, 0.95)``: the median and the ends of a 90 % interval. In rising order, with
        0.5 among them: the median is the point forecast. No two of them cross.
    head : {"number", "event", "class"}
        What the model answers with: numbers; the chance of an event, for targets that are 0 or 1;
        or the chance of each class, for one target that holds codes 0, 1, ... The last two correct
        no simple forecast, and their default scaling is "standard".
    classes : int, optional
        Number of classes, for ``head="class"``.
    **options
        Further arguments of the encoder, such as ``subsequences=2`` for "cnn", and of the decoder:
        ``patch=24`` is read by "patched" and "patchwise" alike.

    Returns
    -------
    keras.Model
        Reads X (batch, lookback, inputs), or a dict of "X", "future" and "static"; returns
        (batch, horizon, targets), with quantiles (batch, horizon, targets, quantiles), with
        ``head="class"`` (batch, horizon, classes). Fit it with `tsforecast.fit`, which first measures the
        scaling on the training windows.

    Raises
    ------
    ValueError
        If a name or an option is not known, if the encoder cannot cut the window, or if a scaling
        or skip needs a history that the framing does not have.
    MemoryError
        If so many units do not fit into memory.

    Examples
    --------
    >>> model = build_model(Framing(3), encoder="vanilla", units=50, scaling="none")
    >>> model.count_params()  # LSTM: 4 * 50 * (50 + 1 + 1), Dense: 50 + 1
    10451
    """
    encode = _choose("encoder", encoder, ENCODERS)
    decode = _choose("decoder", decoder, DECODERS)
    if scaling is None:
        number = framing.use_target_history and head == "number"
        scaling = "window" if number else "standard"
    check_whole_number("units", units, 1)
    units = int(units)  # Keras takes no number of NumPy
    if encode in ENCODERS.values():  # each has a square of weights, and training keeps four
        check_memory(
            f"An LSTM of {units:,} units",
            4 * 4 * 4.0 * units**2,
            "Give fewer units; 16 to 128 are usual.",
        )
    if not 0 <= dropout < 1:
        raise ValueError(
            f"dropout is the share of numbers that is left out, from 0 up to, and not including, 1; "
            f"got {dropout!r}."
        )
    if not ridge >= 0 or (ridge != 1e-8 and skip != "linear"):
        raise ValueError(
            f"ridge={ridge!r} is what large weights of skip='linear' cost, 0 or more, and this is "
            f"skip={skip!r}. Leave one out or change the other."
        )
    _check_model(framing, encode, decode, options, scaling, skip, season)
    if framing.missing == "mask":
        _check_mask(encode, decode, scaling, skip)
    quantiles = _as_quantiles(quantiles)
    _check_head(framing, head, classes, quantiles, scaling, skip)

    horizon, targets = framing.horizon, framing.n_targets
    inputs = _inputs(framing)
    masked = framing.missing == "mask"
    raw = inputs["X"]  # (batch, lookback, inputs)
    scaled, own = dict(inputs), []  # own: each window's own units, if it has any
    if scaling == "series":
        scaled["X"], unit = OwnUnits(targets, masked, name="own_units")(raw)
        own = [unit]  # (batch, 1, targets)
    if scaling == "log":
        shortest = (_seasons(season) or [1])[0]
        own = [ErrorUnits(shortest, targets, name="error_units")(raw)]
        raw = scaled["X"] = Logarithms(targets, name="logarithms")(raw)
    if scaling != "none":
        relative = targets if scaling in RELATIVE else 0
        names = None if framing.targets is None else [str(name) for name in framing.inputs]
        level = _seasons(season)[-1] if skip == "combination" else 1
        log = scaling == "log"
        scaled["X"] = Scaling(relative, names, masked, level, log, name="scaling")(scaled["X"])
    if scaling == "log":
        scaled["X"], spread = OwnSpread(targets, name="own_spread")(scaled["X"])
        own += [spread]  # (batch, 1, targets)
    if scaling != "none" and "future" in inputs:
        scaled["future"] = Scaling(name="scaling_future")(inputs["future"])
    if "static" in inputs:
        scaled["static"] = _static(framing, inputs["static"], scaling)

    history, future = scaled["X"], scaled.get("future")
    if "static" in scaled:  # one value per series, told to the encoder at every step
        static = layers.RepeatVector(framing.lookback, name="every_step")(scaled["static"])
        history = layers.Concatenate()([history, static])  # (batch, lookback, inputs + static)
    if masked:
        history = KnownSteps(name="known_steps")(history)
        history = layers.Masking(KnownSteps.absent, name="masking")(history)
    sequences = {"return_sequences": True} if decode is attention else {}
    told = {name: options[name] for name in options if name in _options(encode)}
    state = encode(history, units, activation=activation, **sequences, **told)
    if dropout and decode is not patchwise:
        state = layers.Dropout(dropout, name="left_out")(state)
    numbers = classes or targets * max(len(quantiles), 1)  # that the decoder writes at every step
    if skip == "combination":
        seasonal = SimpleForecasts(
            _seasons(season), horizon, targets, framing.lead, name="simple_forecasts"
        )
        several = seasonal(raw)  # (batch, forecasts, horizon, targets)
        weights = targets * several.shape[1]  # one for each of them, at every step
        knows = "initializer" in inspect.signature(decode).parameters
        start = {"initializer": "zeros"} if knows else {}  # with their plain mean
    else:
        weights, start = 0, {}
    told = {name: options[name] for name in options if name in _options(decode)}
    if decode is patchwise:
        told["dropout"] = dropout  # on what the last LSTM says
    told |= {"units": units, "activation": activation, "future": future} | start
    forecast = decode(state, horizon, numbers + weights, **told)
    if weights:
        forecast, shares = forecast[:, :, :numbers], forecast[:, :, numbers:]
    if quantiles:  # (batch, horizon, targets, quantiles)
        forecast = Quantiles(quantiles, targets, name="quantiles")(forecast)
    if head != "number":
        activation = "sigmoid" if head == "event" else "softmax"
        chance = layers.Activation(activation, name=head)(forecast)  # the last axis adds up to 1
        return keras.Model(_one_or_all(inputs), chance)

    if skip == "combination":
        parts = [forecast, shares, several, *own]
        forecast = AddToCombination(scaling == "log", name="forecast")(parts)
        return keras.Model(_one_or_all(inputs), forecast)
    simple = _simple_forecast(framing, raw, scaled, own, scaling, skip, season, ridge)
    if simple is not None and scaling == "none":
        add = AddToQuantiles if quantiles else layers.Add
        forecast = add(name="forecast")([forecast, simple])
    elif simple is not None:
        forecast = AddCorrection(scaling == "log", name="forecast")([forecast, simple, *own])
    return keras.Model(_one_or_all(inputs), forecast)


def _seasons(season: Any) -> list[Any]:
    """Steps per season, the shortest first."""
    if season is None:
        return []
    return [season] if np.ndim(season) == 0 else sorted(season, key=float)


def _inputs(framing: Framing) -> dict[str, Any]:
    """What a model reads: always "X"; "future" and "static" in a framing that has them."""
    inputs = {"X": keras.Input((framing.lookback, framing.n_inputs), name="X")}
    if framing.future_covariates:
        ahead = (framing.horizon, len(framing.future_covariates))
        inputs["future"] = keras.Input(ahead, name="future")
    if framing.static_covariates:
        inputs["static"] = keras.Input((len(framing.static_covariates),), name="static")
    return inputs


def _one_step(inputs: dict[str, Any], step: int) -> Any:
    """The inputs of a model that forecasts one step: of the future only that step."""
    own = dict(inputs)
    if "future" in own:
        own["future"] = own["future"][:, step : step + 1]  # (batch, 1, future)
    return own if len(own) > 1 else own["X"]


def direct_model(framing: Framing, models: Sequence[keras.Model]) -> keras.Model:
    """Join one model per step: each forecasts its own step, and no other, from the same window.

    Parameters
    ----------
    framing : Framing
        Of the whole forecast, `horizon` steps.
    models : sequence of keras.Model
        A fitted model for each step, with a horizon of 1: the k-th leads ``framing.lead + k``.

    Returns
    -------
    keras.Model
        Reads what each of them reads; returns (batch, horizon, targets).

    Examples
    --------
    >>> from dataclasses import replace
    >>> framing = Framing(3, horizon=2)
    >>> models = [build_model(replace(framing, horizon=1, lead=lead)) for lead in (1, 2)]
    >>> direct_model(framing, models).output_shape
    (None, 2, 1)
    """
    inputs = _inputs(framing)
    steps = [model(_one_step(inputs, step)) for step, model in enumerate(models)]
    forecast = layers.Concatenate(axis=1)(steps) if len(steps) > 1 else steps[0]
    return keras.Model(_one_or_all(inputs), forecast)  # (batch, horizon, targets)


def recursive_model(framing: Framing, model: keras.Model) -> keras.Model:
    """Feed a model of one step its own forecasts, as if they had been measured.

    Parameters
    ----------
    framing : Framing
        Of the whole forecast, `horizon` steps; with ``lead=1``, the targets' history and no past
        covariates, whose values at the steps in between nobody knows.
    model : keras.Model
        Fitted, with a horizon of 1.

    Returns
    -------
    keras.Model
        Reads what `model` reads; returns (batch, horizon, targets).

    Examples
    --------
    >>> framing = Framing(3, horizon=2)
    >>> recursive_model(framing, build_model(Framing(3))).output_shape
    (None, 2, 1)
    """
    inputs = _inputs(framing)
    window, steps = inputs["X"], []
    for step in range(framing.horizon):
        read = _one_step(inputs | {"X": window}, step)
        row = forecast = model(read)  # (batch, 1, targets)
        if "future" in inputs:
            row = layers.Concatenate()([forecast, read["future"]])  # (batch, 1, inputs)
        window = layers.Concatenate(axis=1)([window[:, 1:], row])  # the oldest row goes
        steps.append(forecast)
    forecast = layers.Concatenate(axis=1)(steps) if len(steps) > 1 else steps[0]
    return keras.Model(_one_or_all(inputs), forecast)  # (batch, horizon, targets)


def _one_or_all(inputs: dict[str, Any]) -> Any:
    return inputs["X"] if len(inputs) == 1 else inputs


def _static(framing: Framing, static: Any, scaling: str) -> Any:
    """Static covariates as the network reads them: numbers scaled, categories embedded."""
    categories = dict(framing.categories)
    columns = list(enumerate(framing.static_covariates))
    numbers = [column for column, name in columns if name not in categories]
    parts = []
    if numbers:
        part = static if not categories else ops.take(static, np.array(numbers), axis=1)
        parts.append(part if scaling == "none" else Scaling(name="scaling_static")(part))
    for column, name in columns:
        if name in categories:
            count = len(categories[name]) + 1  # 0 is an unknown one: it stays at zeros
            embed = layers.Embedding(count, min(16, count // 2), "zeros", name=f"embed_{column}")
            parts.append(embed(static[:, column]))  # (batch, width)
    return parts[0] if len(parts) == 1 else layers.Concatenate()(parts)  # (batch, features)


def _simple_forecast(
    framing: Framing,
    raw: Any,
    scaled: dict[str, Any],
    own: list[Any],
    scaling: str,
    skip: str,
    season: Any,
    ridge: float,
) -> Any:
    """What the network corrects, (batch, horizon, targets); None for no skip and no scaling."""
    horizon, targets = framing.horizon, framing.n_targets
    masked = framing.missing == "mask"
    if skip == "season":
        (season,) = _seasons(season)
        seasonal = SeasonalValue(season, horizon, targets, framing.lead, masked, name="simple")
        return seasonal(raw)
    if skip == "last" or scaling in RELATIVE:
        simple = LastValue(horizon, targets, masked, name="simple")(raw)
    elif skip == "linear" or scaling == "standard":
        simple = TrainingMean(horizon, targets, name="simple")(raw)
    else:
        return None
    if skip == "linear":
        features = [layers.Flatten()(scaled[name]) for name in sorted(scaled)]
        features = layers.Concatenate()(features) if len(features) > 1 else features[0]
        rule = LinearForecast(horizon, targets, ridge, scaling == "log", name="linear")
        simple = rule([features, simple, *own[-1:]])
    return simple


def _as_quantiles(quantiles: Any) -> tuple[float, ...]:
    given = quantiles
    try:
        quantiles = tuple(float(quantile) for quantile in quantiles)
    except (TypeError, ValueError):
        quantiles = (0.0,)
    inside = all(0 < quantile < 1 for quantile in quantiles)
    rising = list(quantiles) == sorted(set(quantiles))
    if quantiles and not (inside and rising and 0.5 in quantiles):
        raise ValueError(
            f"quantiles must be numbers between 0 and 1, in rising order, with 0.5 (the median, "
            f"which is the point forecast) among them; got {given!r}. For 80 % and 95 % intervals: "
            f"quantiles=(0.025, 0.1, 0.5, 0.9, 0.975)."
        )
    return quantiles


def _check_head(
    framing: Framing, head: str, classes: Any, quantiles: Any, scaling: str, skip: str
) -> None:
    if head not in HEADS:
        raise ValueError(f"There is no head {head!r}. Choose from {', '.join(HEADS)}.")
    if head == "class":
        check_whole_number("classes", classes, 2)
        if framing.n_targets > 1:
            raise ValueError(
                f"head='class' answers with one class per step, and the framing has "
                f"{framing.n_targets} targets {list(framing.targets or ())}. Name the column of "
                f"class codes: targets=..."
            )
    elif classes is not None:
        raise ValueError(
            f"classes={classes} is read by head='class' only, and this is head={head!r}. Leave one "
            f"out or change the other."
        )
    unscaled = scaling in ("none", "standard")
    if head != "number" and (quantiles or not unscaled or skip != "none"):
        raise ValueError(
            f"head={head!r} answers with chances, so there is no simple forecast to correct and "
            f"no quantile. Use scaling='standard' and skip='none', without quantiles (got "
            f"scaling={scaling!r}, skip={skip!r}, quantiles={tuple(quantiles)})."
        )


def head_of(model: keras.Model) -> str:
    """What a model answers with: "number", "event" or "class".

    Examples
    --------
    >>> head_of(build_model(Framing(3), head="event"))
    'event'
    """
    names = [layer.name for layer in model.layers]
    return next((head for head in ("event", "class") if head in names), "number")


def quantiles_of(model: keras.Model) -> tuple[float, ...]:
    """The quantiles that a model forecasts; none for a model of point forecasts.

    Examples
    --------
    >>> quantiles_of(build_model(Framing(3), quantiles=(0.1, 0.5, 0.9)))
    (0.1, 0.5, 0.9)
    """
    found = [layer.quantiles for layer in all_layers(model) if isinstance(layer, Quantiles)]
    return tuple(found[0]) if found else ()


def all_layers(model: keras.Model) -> list[Any]:
    """The layers of a model, and of the models inside it where several are joined."""
    nested = [all_layers(x) if isinstance(x, keras.Model) else [x] for x in model.layers]
    return [layer for part in nested for layer in part]


def _choose(role: str, name: Any, known: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    if callable(name):
        return name
    if name not in known:
        close = difflib.get_close_matches(str(name), known, 1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"There is no {role} {name!r}. Choose from {', '.join(known)}.{hint}")
    return known[name]


def _options(part: Callable[..., Any]) -> list[str]:
    """What an encoder or a decoder can be told beside what all of them read."""
    common = [
        *("x", "state", "steps", "horizon", "targets", "future"),
        *("units", "return_sequences", "activation", "dropout"),
    ]
    return [name for name in inspect.signature(part).parameters if name not in common]


def _check_model(
    framing: Framing,
    encode: Callable[..., Any],
    decode: Callable[..., Any],
    options: dict[str, Any],
    scaling: str,
    skip: str,
    season: Any,
) -> None:
    for word, value, known in (("scaling", scaling, SCALINGS), ("skip", skip, SKIPS)):
        if value not in known:
            raise ValueError(f"There is no {word} {value!r}. Choose from {', '.join(known)}.")
    for option in options:
        if option not in [*_options(encode), *_options(decode)]:
            can = [", ".join(_options(part)) or "none" for part in (encode, decode)]
            raise ValueError(
                f"The encoder {encode.__name__!r} has no option {option!r}. Its options: {can[0]}. "
                f"Options of the decoder {decode.__name__!r}: {can[1]}. "
                f"Options of build_model itself: encoder, decoder, units, activation, scaling, "
                f"skip, season, dropout, ridge, quantiles, head, classes."
            )
    relative = scaling in RELATIVE
    if not framing.use_target_history and (relative or skip in ("last", *SEASONAL)):
        what = f"scaling={scaling!r}" if relative else f"skip={skip!r}"
        raise ValueError(
            f"{what} starts from the target's own past, and this framing has "
            f"use_target_history=False. Use scaling='standard' and skip='none' or 'linear'."
        )
    if season is not None and skip not in SEASONAL:
        raise ValueError(
            f"season={season} is read by skip='season' and 'combination' only, and this is "
            f"skip={skip!r}. Leave one out or change the other."
        )
    steps = [isinstance(s, (int, np.integer)) for s in _seasons(season)]
    fits = steps and all(steps) and all(1 <= s <= framing.lookback for s in _seasons(season))
    if skip in SEASONAL and not fits:
        raise ValueError(
            f"skip={skip!r} looks one season back inside the window: give season=, the number of "
            f"steps per season, and a lookback of at least as many (got season={season}, "
            f"lookback={framing.lookback})."
        )
    if skip == "season" and len(_seasons(season)) > 1:
        raise ValueError(
            f"skip='season' looks back by one season, and season={season} names several. Give one, "
            f"or skip='combination'."
        )


def _check_mask(
    encode: Callable[..., Any], decode: Callable[..., Any], scaling: str, skip: str
) -> None:
    for role, chosen, known in (("encoder", encode, ENCODERS), ("decoder", decode, DECODERS)):
        if chosen in WHOLE:
            can = [name for name, function in known.items() if function not in WHOLE]
            raise ValueError(
                f"The {role} {chosen.__name__!r} reads every time step, so it cannot skip those that "
                f"missing='mask' hides. {role.capitalize()}s that can: {', '.join(can)}. Or fill "
                f"the gaps (tsf.fill_gaps(table)) and leave missing='mask' out."
            )
    if skip in ("linear", "combination") or scaling == "log":
        what = "scaling='log'" if scaling == "log" else f"skip={skip!r}"
        raise ValueError(
            f"{what} reads every time step, so it cannot skip those that "
            "missing='mask' hides. Use skip='last' or 'season', or fill the gaps "
            "(tsf.fill_gaps(table))."
        )


def with_horizon(model: keras.Model, horizon: int) -> keras.Model:
    """The same model with the same weights, forecasting another number of steps.

    Parameters
    ----------
    model : keras.Model
        A model whose weights do not depend on its horizon: decoder "autoregressive",
        "encoder_decoder" or "attention", without future covariates and with any skip but "linear".
    horizon : int
        Steps to forecast. Steps beyond those it was trained for are extrapolation.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If the weights depend on the horizon.

    Examples
    --------
    >>> model = build_model(Framing(3, horizon=2), decoder="autoregressive")
    >>> with_horizon(model, 5).output_shape
    (None, 5, 1)
    """
    check_whole_number("horizon", horizon, 1)
    tied = [
        layer
        for layer in model.layers
        if isinstance(layer, (LinearForecast, PatchSteps))
        or (isinstance(layer, layers.Reshape) and len(layer.input.shape) == 2)  # all steps at once
    ]
    if tied or "future" in [tensor.name for tensor in model.inputs]:
        raise ValueError(
            "This model's weights or inputs are made for its horizon of "
            f"{model.output_shape[1]} steps. Build it with decoder='autoregressive', without "
            "future covariates and without skip='linear', to forecast any number of steps."
        )

    def stretch(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, layers.RepeatVector) and layer.name != "every_step":
            config["n"] = horizon
        if "horizon" in config:
            config["horizon"] = horizon
        return layer.__class__.from_config(config)

    longer = keras.models.clone_model(model, clone_function=stretch)
    longer.set_weights(model.get_weights())
    return longer


def predict(model: keras.Model, windows: Windows, batch_size: int = 1024) -> np.ndarray:
    """Forecast every window, in the units of the table.

    Parameters
    ----------
    model : keras.Model
        From `build_model`, fitted.
    windows : Windows
        Framed as the model expects.
    batch_size : int
        Windows per batch; it changes the memory used, not the forecasts.

    Returns
    -------
    numpy.ndarray
        (samples, horizon, targets); of a model with quantiles
        (samples, horizon, targets, quantiles); of events the chance of each, and of classes
        (samples, horizon, classes).

    Raises
    ------
    ValueError
        If the model was built for other shapes than these windows have, or if it was never
        fitted.
    MemoryError
        If the forecasts do not fit into memory.

    Examples
    --------
    >>> from tsforecast import datasets
    >>> windows = Framing(3).windows(datasets.toy("univariate"))
    >>> predict(build_model(windows.framing, scaling="none"), windows).shape
    (6, 1, 1)
    """
    check_windows(windows)
    check_shapes(model, windows.framing)
    check_fitted(model)
    check_memory(
        f"The forecasts of {len(windows):,} windows",
        4.0 * len(windows) * np.prod([n or 1 for n in model.output_shape[1:]], dtype=float),
        "Forecast some at a time: predict(model, windows[:100_000]) and so on.",
    )
    if len(windows) <= batch_size:
        return outputs_of(model, windows.arrays()[0])
    return model.predict(WindowBatches(windows, batch_size), verbose=0)


def outputs_of(model: keras.Model, inputs: Any, batch_size: int = 1024) -> np.ndarray:
    """What a model gives for its inputs, without the set-up of ``model.predict`` where it can.

    ``model.predict`` makes a data set and an iterator in every call, which takes longer than the
    forecast of one window. What fits into one batch goes straight into the compiled model.

    Examples
    --------
    >>> framing = Framing(3)
    >>> outputs_of(build_model(framing, scaling="none"), np.zeros((5, 3, 1))).shape
    (5, 1, 1)
    """
    X = inputs["X"] if isinstance(inputs, dict) else inputs
    if len(X) <= batch_size:
        return model.predict_on_batch(inputs)
    return model.predict(inputs, batch_size=batch_size, verbose=0)


class WindowBatches(keras.utils.PyDataset):
    """Windows a batch at a time, as Keras's fit, evaluate and predict read them.

    Parameters
    ----------
    windows : Windows
        What to read.
    batch_size : int
        Windows per batch; the last batch of an epoch may be smaller.
    epochs : int
        Times that all windows are read, one after the other, before Keras sees an end.
    shuffle : bool
        Draw the windows in a new random order each time.
    seed : int or numpy.random.Generator, optional
        Makes the orders repeatable.

    Examples
    --------
    >>> from tsforecast import datasets
    >>> batches = WindowBatches(Framing(3).windows(datasets.toy("univariate")), batch_size=4)
    >>> [y.shape for X, y in (batches[0], batches[1])]
    [(4, 1, 1), (2, 1, 1)]
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int = 1024,
        epochs: int = 1,
        shuffle: bool = False,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self.windows, self.batch_size, self.epochs = windows, batch_size, epochs
        self.steps = -(-len(windows) // batch_size)  # batches per epoch
        self.seeds = np.random.default_rng(seed) if shuffle else None
        self.epoch = -1
        self.order: Any = None

    def __len__(self) -> int:
        return self.epochs * self.steps

    def __getitem__(self, step: int) -> Any:
        epoch, batch = divmod(step, self.steps)
        rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        if self.seeds is None:
            return self.windows.batch(rows)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, random_order(len(self.windows), self.seeds)
        return self.windows.batch(self.order[rows])

    def on_epoch_end(self) -> None:
        self.epoch = -1  # a new order, also where there is one epoch only


def check_windows(windows: Any) -> None:
    """Raise a TypeError, in words, if somebody gives a table where windows are expected."""
    if not isinstance(windows, Windows):
        raise TypeError(
            f"Expected windows, got {type(windows).__name__}. Cut the table first: "
            f"windows = framing.windows(table)."
        )


def check_shapes(model: keras.Model, framing: Framing) -> None:
    """Raise a ValueError, in words, if the model was not built for this framing's shapes."""
    if not isinstance(model, keras.Model) or not isinstance(framing, Framing):
        raise TypeError(
            f"Expected a model and a framing, got {type(model).__name__} and "
            f"{type(framing).__name__}. The order is: model, framing or windows, table."
        )
    shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    expected = shapes["X"] if "X" in shapes else next(iter(shapes.values()))
    given = (framing.lookback, framing.n_inputs)
    if len(expected) != 2:
        raise ValueError(
            f"The model reads an input of shape {('batch', *expected)}, and windows have the shape "
            f"{('batch', *given)}. Begin it with keras.Input({given})."
        )
    if expected != given:
        raise ValueError(
            f"The model reads windows of {expected[0]} steps x {expected[1]} columns, and the "
            f"windows have {given[0]} steps x {given[1]} columns {list(framing.inputs)}. Build the "
            f"model from the framing of these windows: build_model(windows.framing, ...)."
        )
    written, given = model.output_shape, (framing.horizon, framing.n_targets)
    if not isinstance(written, tuple) or len(written) < 3:
        one = isinstance(written, tuple)
        what = f"an output of shape {('batch', *written[1:])}" if one else f"{len(written)} outputs"
        raise ValueError(
            f"The model has {what}, and windows want one of the shape {('batch', *given)}: horizon "
            f"and targets. End it with Dense({given[0] * given[1]}) and Reshape({given})."
        )
    expected = written[1:3]
    if head_of(model) == "class":  # its last axis counts classes of one target
        expected = (expected[0], 1)
    if expected != given:
        raise ValueError(
            f"The model forecasts {expected[0]} steps x {expected[1]} targets, and the windows ask "
            f"for {given[0]} steps x {given[1]} targets {list(framing.targets or ())}. Build the "
            f"model from the framing of these windows: build_model(windows.framing, ...)."
        )
    masks = any(isinstance(layer, layers.Masking) for layer in all_layers(model))
    if framing.missing == "mask" and not masks:
        raise ValueError(
            "The framing has missing='mask', and the model was built from one without it: it "
            "cannot skip the steps that are missing. Build the model from the framing of these "
            "windows: build_model(windows.framing, ...)."
        )
    for layer in all_layers(model):
        known = layer.columns if isinstance(layer, Scaling) else None
        names = [str(name) for name in framing.inputs]
        if known and known != names and sorted(known) == sorted(names):
            raise ValueError(
                f"The model was built for the columns {known}, in this order, and the framing "
                f"gives {names}: the roles are swapped. Use the framing that the model was built "
                f"from."
            )
    extra = {"X"} | {
        name for name in ("future", "static") if getattr(framing, f"{name}_covariates")
    }
    if (len(shapes) > 1 and set(shapes) != extra) or (len(shapes) == 1 and len(extra) > 1):
        raise ValueError(
            f"The model reads {sorted(shapes)}, and the windows have {sorted(extra)}. Build the "
            f"model from the framing of these windows: build_model(windows.framing, ...)."
        )
    for role in extra - {"X"}:
        names = getattr(framing, f"{role}_covariates")
        if shapes[role][-1] != len(names):
            raise ValueError(
                f"The model reads {shapes[role][-1]} {role} covariates, and the windows have "
                f"{len(names)} {list(names)}. Build the model from the framing of these windows: "
                f"build_model(windows.framing, ...)."
            )


def is_adapted(model: keras.Model) -> bool:
    """Whether the model's scaling was measured; True for a model that has none."""
    return all(layer.is_adapted for layer in all_layers(model) if isinstance(layer, Adapted))


def check_fitted(model: keras.Model) -> None:
    """Raise a ValueError if the model's scaling was never measured."""
    if not is_adapted(model):
        raise ValueError(
            "This model was never fitted: its scaling is not measured yet. Call fit(model, "
            "windows) first."
        )
