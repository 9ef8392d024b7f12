"""The faster loop of LSTM layers: the numbers of `keras.layers.LSTM`, and Keras's loop elsewhere."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers, ops

import tsforecast.layers
import tsforecast.training
from benchmarks import training_speed
from tsforecast import Forecaster, Framing, build_model, datasets, fit, load_model, predict
from tsforecast.layers import fused_lstms

tensorflow = keras.backend.backend() == "tensorflow"
only_tensorflow = pytest.mark.skipif(not tensorflow, reason="an operation of TensorFlow")
WINDOWS = Framing(8, horizon=2).windows(np.sin(np.arange(120.0) / 5).astype("float32"))


def results(call, x, trainable):
    """Output, gradient of the inputs and gradients of the weights, as one list of arrays."""
    import tensorflow as tf

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = call(x)
            parts = found if isinstance(found, (list, tuple)) else [found]
            total = sum(tf.reduce_sum(tf.sin(3.0 * part)) for part in parts)
        return parts, tape.gradient(total, [x, *(weight.value for weight in trainable)])

    parts, gradients = run(tf.constant(x))
    graph = run.get_concrete_function(tf.constant(x)).graph
    fused = [node.type for node in graph.get_operations() if node.type.startswith("BlockLSTM")]
    return [part.numpy() for part in parts] + [part.numpy() for part in gradients], fused


@only_tensorflow
@pytest.mark.parametrize("compiled", [False, True], ids=["operation", "compiled"])
@pytest.mark.parametrize(
    ("batch", "options"),
    [
        (7, {}),
        (7, {"return_sequences": True, "return_state": True}),
        (7, {"go_backwards": True, "return_sequences": True}),
        (1, {}),  # of one window, all pieces but one are empty
    ],
    ids=["last step", "all steps", "backwards", "one window"],
)
def test_outputs_and_gradients_are_those_of_keras(batch, options, compiled, monkeypatch):
    monkeypatch.setattr(tsforecast.layers, "COMPILE_FROM", 0 if compiled else 10**9)
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(batch, 11, 3)).astype("float32")
    lstm = layers.LSTM(5, bias_initializer="random_normal", unit_forget_bias=False, **options)
    lstm.build(x.shape)
    slow, none = results(lstm, x, lstm.trainable_variables)
    with fused_lstms([lstm], batch_size=200) as chosen:  # three pieces
        fast, fused = results(lstm, x, lstm.trainable_variables)
    assert chosen == [lstm]
    assert not none
    assert fused.count("BlockLSTMV2") == 3
    assert fused.count("BlockLSTMGradV2") == (0 if compiled else 3)
    assert len(slow) == len(fast) > 4
    for one, other in zip(slow, fast, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@only_tensorflow
def test_only_what_takes_long_is_compiled():
    """At the sizes of the benchmark: a week of hours is, a day and the toy series are not."""
    for size in training_speed.SIZES:
        states = keras.KerasTensor((size["lookback"], None, size["units"]))
        assert tsforecast.layers._pays_compiling(states) == (size["lookback"] > 100)
    assert not tsforecast.layers._pays_compiling(keras.KerasTensor((None, None, 1000)))


@only_tensorflow
@pytest.mark.parametrize("compiled", [False, True], ids=["operation", "compiled"])
def test_a_given_first_state_has_its_gradients_too(compiled, monkeypatch):
    monkeypatch.setattr(tsforecast.layers, "COMPILE_FROM", 0 if compiled else 10**9)
    x = np.random.default_rng(0).normal(size=(4, 6, 5)).astype("float32")
    lstm = layers.LSTM(5)
    lstm.build(x.shape)

    def call(x):
        return lstm(x, initial_state=[x[:, 0] * 0.5, x[:, 1]])

    slow, _ = results(call, x, lstm.trainable_variables)
    with fused_lstms([lstm]):
        fast, fused = results(call, x, lstm.trainable_variables)
    assert fused
    for one, other in zip(slow, fast, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"use_bias": False},
        {"dropout": 0.2},
        {"recurrent_dropout": 0.2},
        {"dtype": "mixed_bfloat16"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_other_layers_keep_the_loop_of_keras(options):
    with fused_lstms([layers.LSTM(3, **options), layers.GRU(3), layers.Dense(2)]) as chosen:
        assert chosen == []


@only_tensorflow
def test_a_gpu_keeps_its_own_kernel(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a GPU"])
    with fused_lstms([layers.LSTM(3)]) as chosen:
        assert chosen == []


@pytest.mark.skipif(tensorflow, reason="other backends")
def test_other_backends_keep_their_own_loop():
    with fused_lstms([layers.LSTM(3)]) as chosen:
        assert chosen == []


@only_tensorflow
def test_a_mask_goes_through_the_loop_of_keras():
    x = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("float32")
    mask = np.arange(6)[None, :] < np.array([[6], [4], [2]])
    lstm = layers.LSTM(4)
    slow = ops.convert_to_numpy(lstm(x, mask=mask))
    with fused_lstms([lstm]) as chosen:
        fast = ops.convert_to_numpy(lstm(x, mask=mask))
    assert chosen == [lstm]
    np.testing.assert_array_equal(slow, fast)


def test_fit_gives_the_same_weights_to_rounding(tmp_path, monkeypatch):
    trained = []
    for fast, compile_from in ((False, 0), (True, 10**9), (True, 0)):
        monkeypatch.setattr(tsforecast.layers, "COMPILE_FROM", compile_from)
        model = build_model(
            WINDOWS.framing, encoder="bidirectional", decoder="encoder_decoder", units=6
        )
        fit(model, WINDOWS, epochs=4, batch_size=20, seed=1, fast=fast)
        trained.append(model)
    for slow, *fast in zip(*(model.get_weights() for model in trained), strict=True):
        for weights in fast:
            np.testing.assert_allclose(slow, weights, rtol=1e-3, atol=1e-5)
    model = trained[2]
    assert all("inner_loop" not in vars(layer) for layer in model.layers)
    assert [type(x) for x in model.layers] == [type(x) for x in trained[0].layers]
    model.save(tmp_path / "model.keras")  # holds Keras's own layer
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(loaded, WINDOWS), predict(model, WINDOWS))


def test_keras_has_its_loop_back_after_an_error():
    lstm = layers.LSTM(3)
    with pytest.raises(RuntimeError, match="stop"), fused_lstms([lstm]):
        raise RuntimeError("stop")
    assert "inner_loop" not in vars(lstm)


def test_a_checkpoint_knows_which_loop_it_was_trained_with(tmp_path):
    windows = Framing(3).windows(datasets.toy("univariate"))
    for fast in (False, True):
        path = tmp_path / f"{fast}.npz"
        model = build_model(windows.framing, units=3)
        fit(model, windows, epochs=2, seed=0, checkpoint=path, fast=fast)
        with pytest.raises(ValueError, match="fast was"):
            model = build_model(windows.framing, units=3)
            fit(model, windows, epochs=2, seed=0, checkpoint=path, fast=not fast)


def test_the_benchmark_counts_the_useful_arithmetic_and_compares_within_turns():
    size = {"lookback": 168, "inputs": 8, "units": 64}
    assert training_speed.flops(size) == 3 * 168 * 8 * 64 * (8 + 64 + 1)
    rates = {training_speed.OURS: [10.0, 30.0, 8.0], "other": [5.0, 10.0, 8.0]}
    assert training_speed.ratios(rates) == {"other": [2.0, 1.0, 3.0]}


def test_a_forecaster_passes_it_on_and_its_file_remembers(tmp_path, monkeypatch):
    table, counts = datasets.toy("univariate"), []

    def counted(found, batch_size):
        counts.append(len(list(found)))
        return fused_lstms(found, batch_size)

    monkeypatch.setattr(tsforecast.training, "fused_lstms", counted)
    forecaster = Forecaster(3, units=4, epochs=2, fast=True).fit(table)
    forecaster.save(tmp_path / "toy.keras")
    loaded = Forecaster.load(tmp_path / "toy.keras")
    assert loaded.settings["fast"] is True
    loaded.update(pd.DataFrame({table.columns[0]: np.arange(10.0, 130.0, 10.0)}))
    assert len(counts) == 2 and min(counts) > 0  # of fit and of update
    Forecaster(3, units=4, epochs=2).fit(table)
    assert counts[2:] == [0]
