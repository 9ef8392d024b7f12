"""A picture shows every layer, every tensor and every arrow of its model, and nothing else."""

import re

import keras
import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from tsforecast import (
    Framing,
    build_model,
    load_model,
    models,
    plot_lstm_cell,
    plot_model,
    shape_card,
)
from tsforecast.plotting import BLUE, ORANGE

WIDE = Framing(
    12,
    horizon=6,
    targets=["a", "b"],
    past_covariates="p",
    future_covariates=["f", "g"],
    static_covariates="s",
)
PLAIN = Framing(12, horizon=6, targets=["a", "b"])


@pytest.fixture(autouse=True)
def closed_figures():
    with plt.rc_context():
        plt.rcdefaults()
        yield
    plt.close("all")


def as_list(tensors):
    return tensors if isinstance(tensors, (list, tuple)) else [tensors]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def corners(patch):
    left, top = patch.get_x(), patch.get_y()
    return left, top, left + patch.get_width(), top + patch.get_height()


def boxes(ax):
    return [corners(patch) for patch in ax.patches if isinstance(patch, FancyBboxPatch)]


def inside(box, x, y, room=1e-6):
    left, top, right, bottom = box
    return left - room <= x <= right + room and top - room <= y <= bottom + room


def titles(ax, area=(0, 0, 99, 99)):
    """The names in the boxes of an area; a name that was broken is put together again."""
    return [
        "".join(text.get_text() for text in ax.texts if inside(box, *text.get_position()))
        for box in boxes(ax)
        if inside(area, *box[:2]) and inside(area, *box[2:])
    ]


def tinted(ax, color):
    (area,) = [
        corners(patch)
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_facecolor()[:3] == to_rgb(color)
    ]
    return area


def check_picture(ax, model):
    shown, place = " ".join(texts(ax)).replace(" (", "("), 0
    for name, row in shape_card(model).iterrows():  # each layer, then the tensor that it returns
        axes = zip(row["the axes are"].split(" x "), row["returns"], strict=True)
        for words in (name, *(f"{word} = {size}" for word, size in axes)):
            found = shown.find(words, place)
            assert found >= 0, (name, words, shown)
            place = found + len(words)
    layers = [layer for layer in model.operations if as_list(layer.output)[0].dtype != "bool"]
    calls = {layer["name"]: layer["inbound_nodes"] for layer in model.get_config()["layers"]}
    drawn = boxes(ax)
    assert len(drawn) == len(layers)
    heads = [patch._posA_posB[1] for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    for number, (layer, box) in enumerate(zip(layers, drawn, strict=True)):
        read = re.findall(r"'keras_history': \['(\w+)'", str(calls[layer.name]))
        reads = set(read) & {layer.name for layer in layers}  # without masks
        assert sum(inside(box, *head) for head in heads) == len(reads), layer.name
        assert not any(  # no box lies on another
            inside(other, x, y) for other in drawn[:number] for x in box[::2] for y in box[1::2]
        )


OPTIONS = {"cnn": {"subsequences": 3, "filters": 7}, "convlstm": {"subsequences": 3}}


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("encoder", models.ENCODERS)
def test_the_picture_of_every_combination(encoder, decoder):
    options = {"encoder": encoder, "decoder": decoder} | OPTIONS.get(encoder, {})
    model = build_model(WIDE, units=13, skip="linear", **options)
    ax = plot_model(model)
    check_picture(ax, model)
    assert ax.figure.get_size_inches()[0] < 5.2  # its letters on a page of 320 pixels: 8 of them
    words = texts(ax)
    for word in ("encoder", "decoder", "state", "forecast", "simple forecast"):
        assert words.count(word) == 1, word
    assert words[-3:] == ["forecast", "horizon = 6", "targets = 2"]


@pytest.mark.parametrize("encoder", models.ENCODERS)
def test_the_encoder_is_what_the_function_makes(encoder):
    options = OPTIONS.get(encoder, {})
    for decoder in ("vector", "attention"):
        model = build_model(WIDE, encoder=encoder, decoder=decoder, units=13, **options)
        ax = plot_model(model)
        x = keras.Input((12, 4), name="X")
        told = options | {"return_sequences": decoder == "attention"}
        made = plot_model(keras.Model(x, models.ENCODERS[encoder](x, 13, **told)))
        assert titles(ax, tinted(ax, BLUE)) == titles(made)[1:]


@pytest.mark.parametrize("framing", [WIDE, PLAIN], ids=["all roles", "own past"])
@pytest.mark.parametrize("decoder", models.DECODERS)
def test_the_decoder_is_what_the_function_makes(decoder, framing):
    ax = plot_model(build_model(framing, decoder=decoder, units=13, dropout=0.1))
    state = keras.Input((12, 13) if decoder == "attention" else (13,), name="state")
    future = keras.Input((6, 2), name="future") if framing is WIDE else None
    forecast = models.DECODERS[decoder](state, 6, 2, units=13, future=future)
    inputs = [state] if future is None else [state, future]
    made = titles(plot_model(keras.Model(inputs, forecast)))
    beside = {"state", "future"}  # and what only brings the future into form stands beside too
    made = [name for name in made if name not in beside]
    drawn = [name for name in titles(ax, tinted(ax, ORANGE)) if name != "Dropout"]
    if future is not None and decoder in ("vector", "patchwise"):
        made.remove("Flatten" if decoder == "vector" else "Reshape")
    assert sorted(drawn) == sorted(made)


@pytest.mark.parametrize(
    "options",
    [
        {"skip": "combination", "season": (2, 4), "scaling": "log"},
        {"quantiles": (0.1, 0.5, 0.9), "skip": "last", "scaling": "none"},
        {"head": "event"},
        {"encoder": "patched", "decoder": "patchwise", "patch": 2, "depth": 2, "scaling": "series"},
    ],
    ids=["combination", "quantiles", "event", "patches"],
)
def test_the_picture_of_what_else_a_model_can_have(options):
    model = build_model(PLAIN, units=5, **options)
    check_picture(plot_model(model), model)


def test_the_picture_of_a_masked_panel_with_categories():
    categories = (("s", ("x", "y")),)
    roles = {"static_covariates": "s", "categories": categories, "missing": "mask"}
    model = build_model(Framing(4, targets="a", **roles), encoder="stacked", units=5)
    ax = plot_model(model)
    check_picture(ax, model)
    assert titles(ax, tinted(ax, BLUE)) == ["LSTM", "LSTM"]


def test_a_picture_needs_no_fitting_and_survives_saving(tmp_path):
    model = build_model(WIDE, encoder="cnn", decoder="attention", units=5, skip="last")
    model.save(tmp_path / "model.keras")
    assert texts(plot_model(load_model(tmp_path / "model.keras"))) == texts(plot_model(model))


def test_no_text_leaves_the_picture_or_its_box():
    options = {"encoder": "cnn", "decoder": "patchwise", "patch": 2, "skip": "combination"}
    for framing in (PLAIN, WIDE):
        ax = plot_model(build_model(framing, units=128, season=(2, 4), scaling="log", **options))
        renderer, paper = ax.figure.canvas.get_renderer(), ax.figure.bbox
        unit = ax.figure.dpi
        for text in ax.texts:
            extent = text.get_window_extent(renderer)
            assert extent.x0 >= 0 and extent.x1 <= paper.x1, text
            for left, top, right, bottom in boxes(ax):
                if inside((left, top, right, bottom), *text.get_position()):
                    assert extent.x1 < right * unit, text


def test_the_picture_of_a_model_of_ones_own():
    x = keras.Input((24, 3), name="X")
    model = keras.Model(x, keras.layers.Dense(1)(keras.layers.GRU(8)(x)))
    ax = plot_model(model)
    check_picture(ax, model)
    assert titles(ax, tinted(ax, BLUE)) == ["GRU"]
    plain = keras.Model(x, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    check_picture(plot_model(plain), plain)


def test_a_layer_that_is_called_again_and_again_is_not_drawn_wrongly():
    one = build_model(Framing(3))
    model = models.recursive_model(Framing(3, horizon=2), one)
    with pytest.raises(ValueError, match=rf"more than once.*get_layer\('{one.name}'\)"):
        plot_model(model)
    assert texts(plot_model(model.get_layer(one.name))) == texts(plot_model(one))
    steps = [build_model(Framing(3, lead=lead)) for lead in (1, 2)]
    model = models.direct_model(Framing(3, horizon=2), steps)
    check_picture(plot_model(model), model)


# --- the cell -------------------------------------------------------------------------------------


def lstm(activation="tanh", kind=keras.layers.LSTM):
    layer = kind(7, activation=activation)
    layer(keras.Input((24, 3)))
    return layer


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_cell_is_that_of_the_layer(activation):
    words = texts(plot_lstm_cell(lstm(activation)))
    gates = dict(zip(words[:8:2], words[1:8:2], strict=True))
    assert gates == {
        "keep": "sigmoid",
        "write": "sigmoid",
        "candidate": activation,
        "tell": "sigmoid",
    }
    assert words.count("×") == 3 and words.count("+") == 1
    assert sum("units = 7" in word for word in words) == 2
    assert sum("inputs = 3" in word for word in words) == 1


def test_the_cell_is_legible_on_a_phone():
    assert plot_lstm_cell(lstm()).figure.get_size_inches()[0] < 5.2


def test_what_is_no_lstm_has_no_such_cell():
    with pytest.raises(ValueError, match="Expected an LSTM layer, got GRU"):
        plot_lstm_cell(lstm(kind=keras.layers.GRU))
    with pytest.raises(ValueError, match="has not read anything yet"):
        plot_lstm_cell(keras.layers.LSTM(7))
