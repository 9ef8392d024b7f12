"""A picture of a model, drawn from the model itself; and one of what is inside an LSTM.

Both are explained on the page "How to read the shape cards" (`notebooks/shapes.ipynb`).
"""

import itertools
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tsforecast.plotting import BLUE, CELLS, FORECASTS, INK, ORANGE, shape_card

# Lengths are in inches from the upper left corner: a picture is as long as its model.
WIDTHS = (1.9, 1.6)  # of a box: in the network, and beside it
LETTERS = (17, 14)  # in a line of text below the box
LANE, LINE, GAP = 0.12, 0.16, 0.16  # between two arrows; a line of text; between two rows
STEM, TEXT = 0.3, 0.62  # from the left end of a box to the tensor below it, and to its axes
POINTS = 9.5
PALE = "#dfe2e6"
TINTS = {"encoder": BLUE, "decoder": ORANGE}
PREPARE = ("OwnUnits", "Scaling", "Logarithms", "OwnSpread", "KnownSteps", "Masking", "Concatenate")
AFTER_LSTM = ("Flatten", "TimeDistributed(Flatten)", "Add", "GetItem", "Dropout")
FINISH = ("quantiles", "event", "class", "forecast")  # names that build_model gives


@dataclass
class _Box:
    """A layer, and where it stands: in the network's column (0) or in the one beside it (1)."""

    layer: Any
    name: str
    words: list[str]  # for the axes of the tensor that it returns
    shape: tuple[int, ...]
    parents: list[int]
    part: str = ""
    label: str = ""  # above the box: where a part begins
    heading: str = ""  # above the axes: "state", "forecast"
    column: int = 0
    row: int = 0
    left: float = 0.0
    top: float = 0.0

    @property
    def right(self) -> float:
        return self.left + WIDTHS[self.column]

    @property
    def title(self) -> list[str]:  # a long name is broken before what it wraps
        return self.name.replace("(", "\n(").split("\n")

    @property
    def text(self) -> list[str]:
        axes = [f"{word} = {size}" for word, size in zip(self.words, self.shape, strict=True)]
        lines = [part for axis in axes for part in textwrap.wrap(axis, LETTERS[self.column])]
        return [self.heading, *lines] if self.heading else lines

    @property
    def bottom(self) -> float:
        return self.top + LINE * len(self.title) + 0.12

    @property
    def end(self) -> float:
        return self.bottom + 0.08 + LINE * len(self.text)


def plot_model(model: Any) -> Any:
    """Draw a model from what goes in to what comes out: its layers, and the tensors between them.

    Every box is a layer. Below it is the tensor that it returns, with its axes named as on the
    shape card. The network runs down the left side, its encoder blue and its decoder orange, with
    the state between them. Beside it stand the future and static covariates, and the simple
    forecast that the network corrects.

    Parameters
    ----------
    model : keras.Model
        From `tsforecast.build_model`, or one of your own. It need not be fitted.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        If the model calls one of its layers more than once.

    Examples
    --------
    >>> from tsforecast import Framing, build_model
    >>> ax = plot_model(build_model(Framing(3), units=50, scaling="none"))
    >>> print(*[text.get_text() for text in ax.texts], sep=", ")  # doctest: +NORMALIZE_WHITESPACE
    X, lookback = 3, inputs = 1, encoder, LSTM, state, units = 50, decoder, Dense, numbers = 1,
    Reshape, forecast, horizon = 1, targets = 1
    """
    boxes = _boxes(model)
    _name_parts(boxes, model)
    lanes = _place(boxes)
    ax = _paper(max(box.right for box in boxes) + 0.1, max(box.end for box in boxes) + 0.1)
    for part, color in TINTS.items():
        _draw_part(ax, [box for box in boxes if box.part == part], color)
    for box in boxes:
        _draw_box(ax, box)
    for number, box in enumerate(boxes):
        for order, parent in enumerate(box.parents):
            side = _side(boxes, parent, number)
            lane = None if side is None else lanes[parent, side]
            _draw_arrow(ax, boxes[parent], box, order, lane, between=side == 1)
    return ax


def _boxes(model: Any) -> list[_Box]:
    """The layers of a model in the order of the flow, and whom each of them reads."""
    card = dict(zip([id(layer) for layer in model.layers], _card(model), strict=True))
    calls: dict[int, list[Any]] = {}
    for node in itertools.chain(*model._nodes_by_depth.values()):
        calls.setdefault(id(node.operation), []).append(node)
    maker: dict[int, int] = {}
    boxes: list[_Box] = []
    for layer in model.operations:  # layers, and slices such as x[:, -1]
        call, *others = calls[id(layer)]
        if others:
            raise ValueError(
                f"This model calls its layer {layer.name!r} more than once, and a picture has one "
                f"place for it. If the layer is a model, draw that: "
                f"plot_model(model.get_layer({layer.name!r}))."
            )
        returned = call.output_tensors
        if returned[0].dtype == "bool":  # a mask goes along with its tensor, and has no box
            continue
        maker |= {id(tensor): len(boxes) for tensor in returned}
        read = [maker[id(tensor)] for tensor in call.input_tensors if id(tensor) in maker]
        parents = [parent for parent in read if parent != len(boxes)]
        if id(layer) in card:
            name, words, shape = card[id(layer)]
        else:
            name, shape = type(layer).__name__, tuple(returned[0].shape[1:])
            words = boxes[parents[0]].words[-len(shape) :] if shape else []
        boxes.append(_Box(layer, name, words, shape, list(dict.fromkeys(parents))))
    return boxes


def _card(model: Any) -> list[tuple[str, list[str], tuple[int, ...]]]:
    rows = shape_card(model).iterrows()
    return [(str(name), row["the axes are"].split(" x "), row["returns"]) for name, row in rows]


# --- which layer belongs to what ------------------------------------------------------------------


def _name_parts(boxes: list[_Box], model: Any) -> None:
    """Say which layers prepare, encode, decode and finish, and which stand beside the network."""
    first = next((number for number, box in enumerate(boxes) if box.name == "X"), 0)
    state = _state(boxes, first)
    if state is None:  # nothing recurrent: one column, without parts
        return
    before = _readers(boxes, first) & _sources(boxes, state)
    after = _readers(boxes, state)
    encodes = False
    for number, box in enumerate(boxes):
        if number in before:
            encodes = encodes or (number != first and box.name not in PREPARE)
            box.part = "encoder" if encodes else ""
        elif number in after:
            box.part = "" if box.layer.name in FINISH or box.name == "GetItem" else "decoder"
        else:
            box.column = 1
    for number, box in enumerate(boxes):
        if box.column and box.name in ("SimpleForecasts", *FORECASTS):
            for source in _sources(boxes, number):
                prepares = source in before or boxes[source].name in (*CELLS, "Scaling")
                boxes[source].part = boxes[source].part if prepares else "simple forecast"
        if box.name == "ErrorUnits":
            box.part = "own units"
    for part in ("encoder", "decoder", "simple forecast", "own units"):
        for box in [box for box in boxes if box.part == part][:1]:
            box.label = part
    boxes[state].heading = "state"
    next(box for box in boxes if box.layer.output is model.output).heading = "forecast"


def _state(boxes: list[_Box], first: int) -> int | None:
    """Whose tensor is the state: the last recurrent layer's before the steps of the forecast."""
    kinds = ("LSTM", "GRU", "SimpleRNN")
    past = _readers(boxes, first, _begins_forecast)
    recurrent = [n for n in past if any(kind in boxes[n].name for kind in kinds)]
    if not recurrent:
        return None
    state = max(recurrent)
    while True:  # what only brings the state into form belongs to the encoder too
        readers = [number for number, box in enumerate(boxes) if state in box.parents]
        if len(readers) != 1 or boxes[readers[0]].name not in AFTER_LSTM:
            return state
        if boxes[readers[0]].layer.name in FINISH:
            return state
        state = readers[0]


def _begins_forecast(box: _Box) -> bool:
    """Whether a layer's tensor has the steps of the forecast, and no longer those of the past."""
    repeats = box.name == "RepeatVector" and box.layer.name != "every_step"
    return repeats or box.name in ("RNN", "PatchSteps")


def _readers(
    boxes: list[_Box], start: int, ends: Callable[[_Box], bool] = lambda box: False
) -> set[int]:
    """A layer and all that read it, directly or through others."""
    found = {start}
    for number, box in enumerate(boxes):
        if found & set(box.parents) and not ends(box):
            found.add(number)
    return found


def _sources(boxes: list[_Box], end: int) -> set[int]:
    """A layer and all that it reads, directly or through others."""
    found = {end}
    for number in range(end, -1, -1):
        if number in found:
            found |= set(boxes[number].parents)
    return found


# --- where it stands ------------------------------------------------------------------------------


def _place(boxes: list[_Box]) -> dict[tuple[int, int], int]:
    """Put each layer below all that it reads; returns the lanes of arrows that go around others."""
    free = [0, 0]
    for box in boxes:
        box.row = max([free[box.column], *(boxes[parent].row + 1 for parent in box.parents)])
        free[box.column] = box.row + 1
    lanes = _lanes(boxes)
    wide = [len({lane for (_, its), lane in lanes.items() if its == side}) for side in (0, 1)]
    lefts = [0.1 + LANE * wide[0]]
    lefts.append(lefts[0] + WIDTHS[0] + LANE * (wide[1] + 1.5))
    y = 0.1
    for row in range(max(free)):
        here = [box for box in boxes if box.row == row]
        y += (LINE + 0.04) * any(box.label for box in here)
        for box in here:
            box.left, box.top = lefts[box.column], y
        y = max(box.end for box in here) + GAP
    return lanes


def _side(boxes: list[_Box], parent: int, child: int) -> int | None:
    """Left of the network (0) or between the columns (1): where an arrow goes; None: straight."""
    above, below = boxes[parent], boxes[child]
    if above.column != below.column:
        return 1
    between = [box.row for box in boxes if box.column == above.column]
    return above.column if any(above.row < row < below.row for row in between) else None


def _lanes(boxes: list[_Box]) -> dict[tuple[int, int], int]:
    """A lane for each layer and side, so that no two arrows run on top of each other."""
    until: dict[tuple[int, int], int] = {}
    for number, box in enumerate(boxes):
        for parent in box.parents:
            if (side := _side(boxes, parent, number)) is not None:
                until[parent, side] = max(until.get((parent, side), 0), box.row)
    lanes: dict[tuple[int, int], int] = {}
    for (parent, side), row in until.items():
        taken = {
            lane
            for (other, its), lane in lanes.items()
            if its == side and boxes[other].row <= row and until[other, its] >= boxes[parent].row
        }
        lanes[parent, side] = min(set(range(len(taken) + 1)) - taken)
    return lanes


# --- ink ------------------------------------------------------------------------------------------


def _paper(width: float, height: float) -> Any:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(width, height), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.axis("off")
    return ax


def _draw_part(ax: Any, boxes: list[_Box], color: str) -> None:
    from matplotlib.patches import Rectangle

    if boxes:
        top, last = boxes[0].top - LINE - 0.08, boxes[-1]
        bottom = last.bottom + 0.06 if last.heading else last.end + 0.04
        corner, width = (boxes[0].left - 0.06, top), WIDTHS[0] + 0.12
        ax.add_patch(Rectangle(corner, width, bottom - top, color=color, alpha=0.13, linewidth=0))


def _draw_box(ax: Any, box: _Box) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    write = {"color": INK, "fontsize": POINTS, "va": "center"}
    color, thick = (CELLS[box.name][0], 2.0) if box.name in CELLS else (INK, 1.0)
    area = (box.left, box.top), WIDTHS[box.column], box.bottom - box.top
    shape = "round,pad=0,rounding_size=0.06"
    ax.add_patch(
        FancyBboxPatch(*area, shape, facecolor="white", edgecolor=color, linewidth=thick, zorder=3)
    )
    if box.label:
        ax.text(box.right, box.top - 0.1, box.label, ha="right", weight="bold", **write)
    for number, line in enumerate(box.title):
        y = box.top + 0.06 + LINE * (number + 0.5)
        ax.text(box.left + 0.1, y, line, zorder=4, **write)
    for number, line in enumerate(box.text):
        y = box.bottom + 0.08 + LINE * (number + 0.5)
        weight = "bold" if box.heading and number == 0 else "normal"
        ax.text(box.left + TEXT, y, line, weight=weight, **write)
    wide, high, copies = _glyph(box.shape)
    y = (box.bottom + 0.08 + box.end) / 2
    for copy in range(copies)[::-1]:
        corner = box.left + STEM - wide / 2 + 0.03 * copy, y - high / 2 - 0.03 * copy
        ax.add_patch(Rectangle(corner, wide, high, facecolor=PALE, edgecolor=INK, lw=0.8, zorder=3))


def _glyph(shape: tuple[int, ...]) -> tuple[float, float, int]:
    """A tensor in small: width of its last axis, height of the one before, copies of the rest."""
    down, across = (1, 1, *shape)[-2:]
    wide = min(0.42, 0.09 + 0.06 * math.log2(across))
    high = min(0.27, 0.09 + 0.035 * math.log2(down))
    return wide, high, max(1, len(shape) - 1)


def _draw_arrow(
    ax: Any, above: _Box, below: _Box, order: int, lane: int | None, between: bool
) -> None:
    """Lead a tensor to the layer that reads it: straight down, or around others in a lane."""
    color = CELLS[above.name][0] if above.name in CELLS and lane is not None else INK
    if lane is None:
        x = above.left + STEM
        points = [(x, above.bottom), (x, below.top)]
    else:
        arrives = below.top + (below.bottom - below.top) * (order + 1) / (len(below.parents) + 1)
        network = min(above, below, key=lambda box: box.column)
        if between:
            x = network.left + WIDTHS[0] + LANE * (lane + 1)
            if network.column == 1:
                x = network.left - LANE * (lane + 1)
            start = above.left if above.column else above.right
            end = below.left if below.column else below.right
            leaves = above.bottom - 0.08
        else:
            x = below.left - LANE * (lane + 1)
            start, end = above.left + STEM, below.left
            leaves = (above.bottom + 0.08 + above.end) / 2
        points = [(start, leaves), (x, leaves), (x, arrives), (end, arrives)]
    ax.plot(*zip(*points[:-1], strict=True), color=color, linewidth=1.2, zorder=2)
    _draw_head(ax, points[-2], points[-1], color)


def _draw_head(ax: Any, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    line: dict[str, Any] = {"color": color, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, zorder=2, **line))


# --- what is inside an LSTM -----------------------------------------------------------------------


def plot_lstm_cell(layer: Any) -> Any:
    """Draw one time step of an LSTM layer: its gates, what it holds, and what it says.

    Two lines run from left to right, from one time step to the next: the memory above, and what
    the units said one step before (hidden) below. The names are those of the page "What an LSTM
    unit is"; sizes and activations are those of the layer.

    Parameters
    ----------
    layer : keras.layers.LSTM
        One that has read something, so that its number of inputs is known.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        If the layer is not an LSTM, or has not read anything yet.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Gers et al., "Learning to Forget",
    2000, gave it the gate that is called keep here.

    Examples
    --------
    >>> import keras
    >>> layer = keras.layers.LSTM(50)
    >>> said = layer(keras.Input((24, 3)))
    >>> ax = plot_lstm_cell(layer)
    >>> print(*[text.get_text() for text in ax.texts[:4]], sep=", ")
    keep, sigmoid, write, sigmoid
    """
    if type(layer).__name__ != "LSTM":
        raise ValueError(
            f"Expected an LSTM layer, got {type(layer).__name__}. Take one out of a model: "
            f"plot_lstm_cell(model.get_layer('lstm')); model.summary() lists the names."
        )
    if not layer.built:
        raise ValueError(
            "This LSTM has not read anything yet, so its number of inputs is not known. Call it "
            "once: layer(keras.Input((lookback, inputs)))."
        )
    gate, squash = layer.recurrent_activation.__name__, layer.activation.__name__
    inputs, units = layer.cell.kernel.shape[0], layer.units
    names = {"keep": gate, "write": gate, "candidate": squash, "tell": gate}
    places = dict(zip(names, (0.6, 1.6, 2.6, 3.6), strict=True))
    memory, product, says, boxes, read = 0.55, 1.2, 1.55, 2.0, 2.85  # heights, from above
    ax = _paper(4.6, 3.4)
    for name, activation in names.items():
        _draw_gate(ax, places[name], boxes, name, activation)
        _draw_head(ax, (places[name], read), (places[name], boxes + 0.5), INK)
    middle, last = (places["write"] + places["candidate"]) / 2, 4.25
    for xs, ys in (
        ((0.05, places["tell"]), (read, read)),
        ((places["write"], places["write"], middle - 0.12), (boxes, product, product)),
        ((places["candidate"], places["candidate"], middle + 0.12), (boxes, product, product)),
        ((places["tell"], places["tell"], last - 0.12), (boxes, says, says)),
    ):
        ax.plot(xs, ys, color=INK, linewidth=1.2, zorder=2)
    for start, end in (
        ((0.05, memory), (4.55, memory)),
        ((places["keep"], boxes), (places["keep"], memory + 0.12)),
        ((middle, product), (middle, memory + 0.12)),
        ((last, memory), (last, says - 0.12)),
        ((last, says), (4.55, says)),
    ):
        _draw_head(ax, start, end, INK)
    for x, y, sign in (
        (places["keep"], memory, "×"),
        (middle, memory, "+"),
        (middle, product, "×"),
        (last, says, "×"),
    ):
        _draw_sign(ax, x, y, sign)
    write = {"color": INK, "fontsize": POINTS, "va": "center"}
    ax.text(0.05, memory - 0.3, f"memory, step before: units = {units}", **write)
    ax.text(4.55, memory - 0.3, "memory", ha="right", **write)
    ax.text(last - 0.06, memory + 0.4, squash, ha="right", **write)
    ax.text(4.55, says + 0.24, "hidden", ha="right", **write)
    ax.text(0.05, read + 0.2, f"hidden, step before: units = {units}", **write)
    ax.text(0.05, read + 0.4, f"and inputs of this step: inputs = {inputs}", **write)
    return ax


def _draw_gate(ax: Any, x: float, y: float, name: str, activation: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    color = ORANGE if name == "candidate" else BLUE
    shape = "round,pad=0,rounding_size=0.06"
    style: dict[str, Any] = {"facecolor": "white", "edgecolor": color, "linewidth": 2, "zorder": 3}
    ax.add_patch(FancyBboxPatch((x - 0.44, y), 0.88, 0.5, shape, **style))
    write = {"color": INK, "fontsize": POINTS, "ha": "center", "va": "center", "zorder": 4}
    ax.text(x, y + 0.16, name, weight="bold", **write)
    ax.text(x, y + 0.35, activation, **write)


def _draw_sign(ax: Any, x: float, y: float, sign: str) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((x, y), 0.12, facecolor="white", edgecolor=INK, linewidth=1.2, zorder=3))
    ax.text(x, y, sign, color=INK, fontsize=11, ha="center", va="center", zorder=4)
