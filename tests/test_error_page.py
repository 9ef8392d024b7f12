"""Each message of Keras and NumPy that readers met and that still occurs: in today's words, as the
page of error messages shows them, and beside each the check of the package that comes first."""

import importlib
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from notebook_comparator import has_other_words

import tsforecast as tsf

PAGE = Path(__file__).parents[1] / "notebooks" / "errors.ipynb"
LSTM, DENSE, INPUT, ZEROS = layers.LSTM, layers.Dense, keras.Input, np.zeros
ONE, THREE = tsf.datasets.toy("univariate"), tsf.datasets.toy("multivariate")
FRAMING = tsf.Framing(3)
WINDOWS = FRAMING.windows(ONE)


def plain(text):
    text = re.sub(r"\x1b\[\d+m", "", text)
    return " ".join(text.split())


def sections():
    """What the page prints under each of its labels."""
    printed, label = {}, ""
    for cell in json.loads(PAGE.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for found in re.findall(r"^\(([a-z0-9-]+)\)=", source, re.MULTILINE):
                label = found
        for output in cell.get("outputs", []):
            printed[label] = printed.get(label, "") + plain("".join(output.get("text", []))) + " "
    return printed


PRINTED = sections()


def fit(*stack, X, y, loss="mse"):
    model = keras.Sequential(stack)
    model.compile(loss=loss)
    model.fit(X, y, verbose=0)


def many_outputs():
    x = INPUT((3, 1))
    return keras.Model(x, [DENSE(1)(LSTM(2)(x)) for _ in range(5)])


def fit_many_outputs():
    model = many_outputs()
    model.compile(loss="mse")
    model.fit(ZEROS((6, 3, 1)), ZEROS((6, 5)), verbose=0)


def kept_axis(loss="mse", activation=None):
    head = layers.TimeDistributed(DENSE(1 if activation else 2, activation=activation))
    stack = (INPUT((3, 1)), LSTM(2, return_sequences=True), head)
    fit(*stack, X=ZEROS((6, 3, 1)), y=ZEROS((6, 2)), loss=loss)


def own(*stack, framing=FRAMING, table=ONE):
    return lambda: tsf.fit(keras.Sequential(stack), framing.windows(table))


KEPT = own(INPUT((3, 1)), LSTM(2, return_sequences=True), DENSE(1))
PICTURES = (INPUT((4, 8, 8, 1)), layers.ConvLSTM2D(2, 3), layers.Flatten(), DENSE(1))
TEXT = THREE.assign(sky=["clear", "cloudy", "rain"] * 3)

# Label on the page; what raises today, and its words; what the package says first, and its words.
MESSAGES = {
    "a target with one axis more": (
        "error-target-shape",
        lambda: fit(INPUT((3, 3)), LSTM(2), DENSE(10), X=ZEROS((5, 3, 3)), y=ZEROS((5, 10, 3))),
        "Dimensions must be equal, but are 3 and 10",
        own(INPUT((3, 3)), LSTM(2), DENSE(6), framing=tsf.Framing(3, horizon=2), table=THREE),
        "The model has an output of shape ('batch', 6)",
    ),
    "pictures as targets of a dense layer": (
        "error-target-shape",
        lambda: fit(*PICTURES, X=ZEROS((5, 4, 8, 8, 1)), y=ZEROS((5, 8, 8))),
        "Incompatible shapes: [5,8,8] vs. [5,1]",
        lambda: tsf.fit(keras.Sequential(PICTURES), WINDOWS),
        "The model reads an input of shape",
    ),
    "five outputs and one array": (
        "error-many-outputs",
        fit_many_outputs,
        "The path: (0,) in the `loss` argument, can't be found",
        lambda: tsf.fit(many_outputs(), WINDOWS),
        "The model has 5 outputs",
    ),
    "a window of 3 cut into 2 x 3": (
        "error-subsequences",
        lambda: ZEROS((5, 3)).reshape(5, 2, 3, 3),
        "cannot reshape array of size 15 into shape (5,2,3,3)",
        lambda: tsf.build_model(tsf.Framing(7), encoder="cnn", subsequences=2),
        "A window of 7 steps cannot be cut into 2 subsequences",
    ),
    "a window of 7 cut into 2 x 2": (
        "error-subsequences",
        lambda: ZEROS((83, 7)).reshape(83, 2, 2, 1),
        "cannot reshape array of size 581 into shape (83,2,2,1)",
        lambda: tsf.build_model(tsf.Framing(7), encoder="cnn", subsequences=2),
        "Choose subsequences from [1, 7]",
    ),
    "a kernel that is too long": (
        "error-kernel",
        lambda: layers.TimeDistributed(layers.Conv1D(64, 3))(INPUT((None, 1, 17))),
        "Computed output size would be zero or negative",
        lambda: tsf.build_model(tsf.Framing(4), encoder="convlstm", kernel_size=3),
        "kernel_size=3 is longer than a subsequence of 2 steps",
    ),
    "a pool that is too long": (
        "error-kernel",
        lambda: layers.TimeDistributed(layers.MaxPooling1D(2))(INPUT((None, 1, 17))),
        "`pool_size=[2]`",
        None,  # the package pads, so that it fits
        "",
    ),
    "a ConvLSTM fed with ordinary windows": (
        "error-convlstm",
        lambda: fit(
            *(INPUT((6, 6, 2, 1)), layers.ConvLSTM2D(2, (2, 2))),
            X=ZEROS((4, 5, 6)),
            y=ZEROS((4, 1)),
        ),
        "Expected shape (None, 6, 6, 2, 1), but input has incompatible shape (None, 5, 6)",
        own(INPUT((6, 6, 2, 1)), layers.ConvLSTM2D(2, (2, 2)), layers.Flatten()),
        "The model reads an input of shape",
    ),
    "an axis too few": (
        "error-columns-of-model",
        lambda: LSTM(2)(ZEROS((5, 3), "float32")),
        "expected ndim=3, found ndim=2. Full shape received: (5, 3)",
        lambda: tsf.predict(tsf.build_model(FRAMING), tsf.Framing(4).windows(ONE)),
        "The model reads windows of 3 steps x 1 columns, and the windows have 4 steps",
    ),
    "memory for windows of everything": (
        "error-memory",
        lambda: np.empty((1_000_000, 1000, 150_000), "float32"),
        "for an array with shape (1000000, 1000, 150000) and data type float32",
        None,  # windows are views
        "",
    ),
    "a list of arrays": (
        "error-list",
        lambda: fit(INPUT((12, 31)), LSTM(2), DENSE(1), X=[ZEROS((12, 31))] * 3, y=ZEROS((3, 1))),
        "Data cardinality is ambiguous",
        lambda: FRAMING.windows([ZEROS((12, 31))] * 3),
        "Expected a table of shape (rows, columns), got an array of shape (3, 12, 31)",
    ),
    "the output keeps its time axis": (
        "error-incompatible",
        kept_axis,
        "Incompatible shapes: [6,2] vs. [6,3,2]",
        KEPT,
        "The model forecasts 3 steps x 1 targets",
    ),
    "the output keeps its time axis, with classes": (
        "error-incompatible",
        lambda: kept_axis("binary_crossentropy", "sigmoid"),
        "Arguments `target` and `output` must have the same shape. Received: "
        "target.shape=(None, 2), output.shape=(None, 3)",
        KEPT,
        "The model forecasts 3 steps x 1 targets",
    ),
    "text as input": (
        "error-text",
        lambda: fit(INPUT((3, 1)), LSTM(2), DENSE(1), X=np.full((6, 3, 1), "7.5"), y=ZEROS((6, 1))),
        "Invalid dtype: str",
        lambda: FRAMING.windows(TEXT),
        "Column 'sky' holds text (the first value is 'clear')",
    ),
    "text that is no number": (
        "error-text",
        lambda: np.array(["7.5", "n/a"]).astype("float32"),
        "could not convert string to float",
        lambda: FRAMING.windows(TEXT),
        "Column 'sky' holds text (the first value is 'clear')",
    ),
    "an old path of imports": (
        "error-versions",
        lambda: importlib.import_module("keras.layers.convolutional"),
        "No module named 'keras.layers.convolutional'",
        None,
        "",
    ),
    "TimeDistributed of something else": (
        "error-versions",
        lambda: layers.TimeDistributed(np.tanh),
        "Please initialize `TimeDistributed` layer with a `keras.layers.Layer` instance",
        None,
        "",
    ),
    "a function of NumPy on a placeholder": (
        "error-versions",
        lambda: np.exp(INPUT((3, 1))),
        "A KerasTensor is symbolic",
        None,
        "",
    ),
}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's words")
@pytest.mark.parametrize("case", MESSAGES)
def test_todays_words_are_those_of_the_page(case):
    label, action, words, _, _ = MESSAGES[case]
    if label == "error-kernel" and has_other_words(["words-of-keras"]):
        pytest.skip("another version of Keras has other words for it, or none")
    with pytest.raises(Exception) as caught:  # of whatever type Keras has chosen
        action()
    assert words in plain(str(caught.value))
    assert words in PRINTED[label]


@pytest.mark.parametrize("case", [case for case in MESSAGES if MESSAGES[case][3]])
def test_the_package_says_it_first(case):
    *_, check, words = MESSAGES[case]
    with pytest.raises(ValueError) as caught:
        check()
    assert words in plain(str(caught.value))
    assert words in " ".join(PRINTED.values()) or "an input of shape" in words


@pytest.mark.parametrize(
    ("X", "y", "stack"),
    [
        ((30, 12, 1), (30,), lambda: (LSTM(2, return_sequences=True), DENSE(1))),
        ((6, 3, 2), (6, 1, 2), lambda: (LSTM(2, return_sequences=True),)),
    ],
)
def test_what_trains_without_a_message(X, y, stack):
    fit(INPUT(X[1:]), *stack(), X=ZEROS(X), y=ZEROS(y))
    assert "no error" in PRINTED["error-silent"]
    framing = tsf.Framing(X[1], targets="a" if X[2] == 1 else ["a", "b"])
    table = np.arange(40.0 * X[2]).reshape(40, X[2])
    windows = tsf.Framing(X[1]).windows(table)
    with pytest.raises(ValueError, match=f"forecasts {X[1]} steps x {X[2]} targets"):
        tsf.fit(keras.Sequential([INPUT(X[1:]), *stack()]), windows)
    assert framing.n_inputs == X[2]


def test_whole_numbers_are_converted_today():
    fit(INPUT((3, 1)), LSTM(2), DENSE(1), X=np.arange(18).reshape(6, 3, 1), y=np.arange(6))
    assert "no error" in PRINTED["error-versions"]


def test_a_loss_that_is_no_number():
    model = tsf.build_model(FRAMING, scaling="none", activation="relu")
    optimizer = keras.optimizers.SGD(1.0)
    with pytest.raises(FloatingPointError, match="The loss became nan"):
        tsf.fit(model, FRAMING.windows(ONE * 1e6), epochs=100, optimizer=optimizer, seed=0)
    assert "The loss became nan" in PRINTED["error-nan"]


def test_every_entry_of_the_table_leads_to_a_section_of_the_page():
    text = "\n".join(
        "".join(cell["source"])
        for cell in json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "markdown"
    )
    labels = set(re.findall(r"^\((error-[a-z0-9-]+)\)=", text, re.MULTILINE))
    table = text[: text.index("## Your table")]
    assert labels - set(re.findall(r"\{ref\}`(error-[a-z0-9-]+)`", table)) <= {"error-load"}
