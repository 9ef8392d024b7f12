"""Every encoder with every decoder on every framing; counts, an independent LSTM, and errors."""

import itertools
import subprocess
import sys
from math import ceil

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers, ops

from tsforecast import Framing, build_model, datasets, fit, models, predict, with_horizon
from tsforecast.training import adapt

LOOKBACK, UNITS = 4, 3
FRAMINGS = {
    "one column, one step": {"targets": "a"},
    "one column, three steps": {"targets": "a", "horizon": 3},
    "lead 0, no history": {
        "targets": ["c"],
        "past_covariates": ["a", "b"],
        "lead": 0,
        "horizon": 2,
        "use_target_history": False,
    },
    "two targets, two steps": {"targets": ["a", "c"], "horizon": 2},
    "past covariate, lead 2": {"targets": "c", "past_covariates": "b", "lead": 2, "horizon": 2},
    "future covariate": {"targets": "a", "future_covariates": "d", "horizon": 2},
    "static covariate": {"targets": ["a", "b"], "static_covariates": "s", "horizon": 2},
    "all kinds": {
        "targets": ["a", "b"],
        "past_covariates": "c",
        "horizon": 3,
        "future_covariates": ["d", "e"],
        "static_covariates": ["s", "r"],
    },
}


def make_table(rows=16):
    rng = np.random.default_rng(0)
    values = {name: rng.normal(100, 10, rows).cumsum() for name in "abcde"}
    return pd.DataFrame(values | {"s": 3.0, "r": -1.0})


TABLE = make_table()
COMBINATIONS = list(itertools.product(models.ENCODERS, models.DECODERS, FRAMINGS))


def recipes(framing):
    """Scalings and skips that a framing can have."""
    for scaling, skip in itertools.product(models.SCALINGS, models.SKIPS):
        past = scaling in models.RELATIVE or skip in ("last", *models.SEASONAL)
        if framing.use_target_history or not past:
            season = 3 if skip in models.SEASONAL else None
            yield {"scaling": scaling, "skip": skip, "season": season}


def numbers(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def parts(windows):
    X, y = windows.arrays()
    return X if isinstance(X, dict) else {"X": X}, y


# --- all combinations -----------------------------------------------------------------------------


@pytest.mark.filterwarnings(
    "ignore:[^T]*The structure of `inputs`"
)  # Keras 3.10: of a loaded model
@pytest.mark.parametrize(
    ("number", "encoder", "decoder", "framing"),
    [(number, *combination) for number, combination in enumerate(COMBINATIONS)],
    ids=[" ".join(combination) for combination in COMBINATIONS],
)
def test_every_combination_builds_trains_saves_and_loads(
    number, encoder, decoder, framing, tmp_path
):
    framing = Framing(LOOKBACK, **FRAMINGS[framing])
    possible = list(recipes(framing))  # each gets its turn
    recipe = possible[(number + number // 8) % len(possible)]
    table = TABLE
    if recipe["scaling"] == "none":
        table = TABLE / TABLE.max()  # raw hundreds saturate every gate: then no weight moves
    windows = framing.windows(table)
    keras.utils.set_random_seed(number)
    model = build_model(windows.framing, encoder=encoder, decoder=decoder, units=UNITS, **recipe)
    assert isinstance(model, keras.Model)
    inputs, y = windows.arrays()
    adapt(model, windows)
    before = model.get_weights()
    model.compile("sgd", "mae", run_eagerly=True)
    assert np.isfinite(model.train_on_batch(inputs, y))
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    trained = {weight.path for weight in model.trainable_weights}
    moved = {w.path for w, moves in zip(model.weights, changed, strict=True) if moves}
    assert moved
    assert moved <= trained  # the measured numbers stay
    forecast = as_numpy(model(inputs))
    assert forecast.shape == (len(windows), framing.horizon, framing.n_targets) == y.shape
    assert forecast.dtype == np.float32
    assert np.isfinite(forecast).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(as_numpy(loaded(inputs)), forecast)


def test_combinations_use_every_scaling_and_skip_with_every_encoder_and_decoder():
    seen = set()
    for number, (encoder, decoder, framing) in enumerate(COMBINATIONS):
        possible = list(recipes(Framing(LOOKBACK, **FRAMINGS[framing])))
        recipe = possible[(number + number // 8) % len(possible)]
        seen |= {(part, recipe["scaling"], recipe["skip"]) for part in (encoder, decoder)}
    wanted = itertools.product([*models.ENCODERS, *models.DECODERS], models.SCALINGS)
    assert {(part, scaling) for part, scaling, _ in seen} == set(wanted)
    wanted = itertools.product([*models.ENCODERS, *models.DECODERS], models.SKIPS)
    assert {(part, skip) for part, _, skip in seen} == set(wanted)


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("encoder", models.ENCODERS)
def test_every_weight_takes_part(encoder, decoder):
    windows = Framing(6, **FRAMINGS["all kinds"]).windows(TABLE)
    options = {"encoder": encoder, "decoder": decoder, "units": 4, "scaling": "standard"}
    model = build_model(windows.framing, **options)
    adapt(model, windows)
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), "mse", run_eagerly=True)
    inputs, y = windows.arrays()
    model.train_on_batch(inputs, (y - y.mean(axis=(0, 1))) / y.std())
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        assert weight.trainable == (not np.array_equal(old, new)), weight.path


SAVE = """
import sys, numpy as np, keras
{imports}
for name in sys.argv[2:]:
    model = load_model(sys.argv[1] + "/" + name + ".keras")
    saved = np.load(sys.argv[1] + "/" + name + ".npz")
    inputs = {{key: saved[key] for key in saved if key != "forecast"}}
    inputs = inputs["X"] if len(inputs) == 1 else inputs
    assert np.array_equal(keras.ops.convert_to_numpy(model(inputs)), saved["forecast"]), name
print("the same")
"""


@pytest.mark.parametrize(
    "imports",
    [
        "from tsforecast import load_model",
        "from keras.models import load_model\nimport tsforecast.models",
    ],
)
def test_a_saved_model_forecasts_the_same_in_another_process(imports, tmp_path):
    chosen = {"autoregressive": "all kinds", "attention": "two targets, two steps"}
    for decoder, framing in chosen.items():
        windows = Framing(LOOKBACK, **FRAMINGS[framing]).windows(TABLE)
        model = build_model(windows.framing, decoder=decoder, units=UNITS, skip="linear")
        adapt(model, windows)
        inputs, _ = windows.arrays()
        model.save(tmp_path / f"{decoder}.keras")
        np.savez(tmp_path / decoder, **parts(windows)[0], forecast=as_numpy(model(inputs)))
    command = [sys.executable, "-c", SAVE.format(imports=imports), str(tmp_path), *chosen]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "the same", result.stderr


# --- how many parameters --------------------------------------------------------------------------


def lstm(units, features):
    return 4 * units * (units + features + 1)


def dense(features, outputs):
    return (features + 1) * outputs


def encoder_count(name, f, u):
    """Parameters and width of the state, as the book explains them."""
    steps = LOOKBACK // 2
    return {
        "vanilla": (lstm(u, f), u),
        "stacked": (lstm(u, f) + lstm(u, u), u),
        "bidirectional": (2 * lstm(u, f), 2 * u),
        "cnn": (64 * (3 * f + 1) + lstm(u, ceil(steps / 2) * 64), u),
        "convlstm": (4 * u * (2 * (f + u) + 1), (steps - 2 + 1) * u),
        "patched": (dense(f, u) + lstm(u, u), u),
    }[name]


def decoder_count(name, state, u, horizon, targets, future):
    return {
        "vector": dense(state + horizon * future, horizon * targets),
        "encoder_decoder": lstm(u, state + future) + dense(u, targets),
        "autoregressive": 2 * dense(state, u)
        + dense(state, targets)
        + lstm(u, state + future + targets)
        + dense(u, targets),
        "attention": dense(state, u) + lstm(u, u + future) + dense(2 * u, targets),
        "patchwise": 2 * dense(state, u) + horizon * u + lstm(u, u + future) + dense(u, targets),
        "stepwise": dense(state, horizon * 8)
        + dense(8 + future, 2 * u)
        + dense(2 * u, 2 * u)
        + dense(2 * u, targets),
    }[name]


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("encoder", models.ENCODERS)
def test_parameter_counts(encoder, decoder):
    for framing, units in (("one column, one step", 50), ("all kinds", 7)):
        framing = Framing(LOOKBACK, **FRAMINGS[framing])
        model = build_model(framing, encoder=encoder, decoder=decoder, units=units, scaling="none")
        static, future = len(framing.static_covariates), len(framing.future_covariates)
        count, state = encoder_count(encoder, len(framing.inputs) + static, units)
        count += decoder_count(decoder, state, units, framing.horizon, framing.n_targets, future)
        assert model.count_params() == count


def test_a_patched_encoder_reads_a_patch_per_step_and_adds_to_it():
    x = keras.Input((6, 2))
    model = keras.Model(x, models.patched(x, 4, True, patch=3, depth=2))
    assert model.output_shape == (None, 2, 4)  # two patches
    assert model.count_params() == dense(3 * 2, 4) + 2 * lstm(4, 4)
    window = np.random.default_rng(0).normal(size=(1, 6, 2)).astype("float32")
    embed, *lstms = [layer for layer in model.layers if layer.weights]
    by_hand = ops.convert_to_numpy(embed(window.reshape(1, 2, 6)))  # time runs within a patch
    for layer in lstms:
        by_hand = by_hand + ops.convert_to_numpy(layer(by_hand))
    states = ops.convert_to_numpy(model(window))
    np.testing.assert_allclose(states, by_hand, atol=1e-6)
    last = keras.Model(x, models.patched(x, 4, patch=3, depth=2))
    last.set_weights(model.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(last(window)), by_hand[:, -1], atol=1e-6)


def test_a_patchwise_decoder_starts_every_patch_from_the_same_state():
    state, future = keras.Input((5,)), keras.Input((6, 2))
    forecast = models.patchwise(state, 6, 3, units=4, future=future, patch=3)
    model = keras.Model([state, future], forecast)
    assert model.output_shape == (None, 6, 3)
    cell = lstm(4, 4 + 3 * 2)  # reads the place and three rows of two future covariates
    assert model.count_params() == 2 * dense(5, 4) + 2 * 4 + cell + dense(4, 3 * 3)
    start, memory, steps, write = [layer for layer in model.layers if layer.weights]
    if start.activation is not keras.activations.tanh:
        start, memory = memory, start
    rng = np.random.default_rng(0)
    given, ahead = rng.normal(size=(2, 5)), rng.normal(size=(2, 6, 2))
    by_hand = []
    for window in range(2):
        first = [layer(given[window : window + 1]) for layer in (start, memory)]
        for patch in range(2):  # a plain loop: each patch by itself, no patch reads another
            place = as_numpy(steps.places)[patch]
            read = np.concatenate([place, ahead[window, 3 * patch : 3 * patch + 3].ravel()])
            hidden, _ = steps.lstm(read[None].astype("float32"), first)
            by_hand.append(as_numpy(write(hidden)).reshape(3, 3))
    by_hand = np.reshape(by_hand, (2, 6, 3))
    np.testing.assert_allclose(as_numpy(model([given, ahead])), by_hand, atol=1e-6)


def test_a_stepwise_decoder_writes_each_step_from_its_own_context_and_future():
    state, future = keras.Input((5,)), keras.Input((6, 2))
    model = keras.Model(
        [state, future], models.stepwise(state, 6, 3, units=4, future=future, context=7)
    )
    say, first, second, write = [layer for layer in model.layers if layer.weights]
    rng = np.random.default_rng(0)
    given, ahead = rng.normal(size=(2, 5)), rng.normal(size=(2, 6, 2))
    context = as_numpy(say(given.astype("float32")))  # (2, 6 * 7)
    by_hand = np.zeros((2, 6, 3))
    for window in range(2):
        for step in range(6):  # a plain loop: no step reads another
            own = context[window, 7 * step : 7 * step + 7]
            read = np.concatenate([own, ahead[window, step]])[None].astype("float32")
            by_hand[window, step] = as_numpy(write(second(first(read))))[0]
    np.testing.assert_allclose(as_numpy(model([given, ahead])), by_hand, atol=1e-6)


def test_an_option_goes_to_every_part_that_knows_it():
    framing = Framing(6, horizon=4)
    both = build_model(framing, encoder="patched", decoder="patchwise", units=4, patch=2)
    assert [layer.patches for layer in both.layers if hasattr(layer, "patches")] == [2]
    assert (None, 3, 4) in [layer.output.shape for layer in both.layers if layer.name != "X"]
    one = build_model(framing, encoder="cnn", decoder="patchwise", subsequences=3, patch=4)
    assert [layer.patches for layer in one.layers if hasattr(layer, "patches")] == [1]
    with pytest.raises(ValueError, match=r"horizon of 4 steps .* patches of 3 steps"):
        build_model(framing, encoder="patched", decoder="patchwise", patch=3)


def test_patchwise_drops_what_its_own_lstm_says():
    framing = Framing(6, horizon=4)
    model = build_model(framing, decoder="patchwise", patch=2, units=4, dropout=0.5)
    drop = model.get_layer("left_out")
    assert drop.output.shape == (None, 2, 4)  # (batch, patches, units)
    x = np.ones((1, 6, 1))
    adapt(model, framing.windows(TABLE["a"]))
    assert (as_numpy(model(x)) == as_numpy(model(x))).all()
    assert (as_numpy(model(x, training=True)) != as_numpy(model(x))).any()


def test_a_decoder_can_start_from_no_correction():
    windows = Framing(4, horizon=2).windows(TABLE["a"])
    options = {"skip": "linear", "decoder": "patchwise", "patch": 2, "encoder": "patched"}
    for start, same in (("zeros", True), ("glorot_uniform", False)):
        model = build_model(windows.framing, **options, initializer=start)
        adapt(model, windows)
        rule = keras.Model(model.input, model.get_layer("linear").output)
        assert np.allclose(as_numpy(model(windows.X)), as_numpy(rule(windows.X))) == same


def test_a_ridge_makes_the_linear_rule_small():
    windows = Framing(4, horizon=2).windows(TABLE["a"])
    size = {}
    for ridge in (1e-8, 1.0, 100.0):
        model = build_model(windows.framing, skip="linear", ridge=ridge)
        adapt(model, windows)
        size[ridge] = float(np.abs(as_numpy(model.get_layer("linear").kernel)).sum())
        assert model.get_layer("linear").get_config()["ridge"] == ridge
    assert size[1e-8] > size[1.0] > 5 * size[100.0] > 0


def test_dropout_is_for_training_only_and_repeats_with_the_seed():
    windows = Framing(4).windows(datasets.toy("univariate", 40))
    fitted = []
    for _ in range(2):
        model = build_model(windows.framing, units=8, dropout=0.5)
        fit(model, windows, epochs=2, seed=1)
        fitted.append(predict(model, windows))
    np.testing.assert_array_equal(*fitted)
    np.testing.assert_array_equal(fitted[1], predict(model, windows))  # nothing is left out
    trained = model(windows.X, training=True)
    assert not np.allclose(fitted[1], ops.convert_to_numpy(trained))


def test_parameter_counts_of_the_tutorials_models():
    toy, pairs = Framing(3), Framing(3, targets="c", past_covariates=["a", "b"], lead=1)
    pairs = Framing(3, targets="c", past_covariates=["a", "b"], lead=0, use_target_history=False)
    assert build_model(toy, units=50, scaling="none").count_params() == 10_451
    assert build_model(toy, encoder="stacked", scaling="none").count_params() == 30_651
    assert build_model(toy, encoder="bidirectional", scaling="none").count_params() == 20_901
    assert build_model(pairs, scaling="none").count_params() == 10_651


def test_what_is_measured_is_counted_but_not_trained():
    framing = Framing(LOOKBACK, **FRAMINGS["all kinds"])
    model = build_model(framing, units=UNITS, scaling="standard", skip="linear")
    plain = build_model(framing, units=UNITS, scaling="none")
    assert numbers(model.trainable_weights) == plain.count_params()
    features = LOOKBACK * 5 + 3 * 2 + 2  # inputs, future, static
    linear = (features + 1) * 3 * 2
    layers_with_a_flag = 6  # three scalings, mean, linear, forecast
    measured = 2 * (5 + 2 + 2) + 2 + linear + 2 + layers_with_a_flag
    assert numbers(model.non_trainable_weights) == measured


# --- an independent LSTM --------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(x, kernel, recurrent, bias, activation):
    """An LSTM layer in NumPy: the state after every step, (batch, steps, units)."""
    units = len(recurrent)
    hidden = memory = np.zeros((len(x), units))
    states = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ kernel + hidden @ recurrent + bias  # (batch, 4 * units)
        take, keep, new, show = np.split(gates, 4, axis=1)
        memory = sigmoid(keep) * memory + sigmoid(take) * activation(new)
        hidden = sigmoid(show) * activation(memory)
        states.append(hidden)
    return np.stack(states, axis=1)


ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sequences", [False, True])
def test_a_lstm_by_hand_is_the_keras_lstm(activation, sequences):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(5, 7, 3)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    layer = keras.Model(inputs, models.vanilla(inputs, 8, sequences, activation))
    weights = [weight + 0.1 for weight in layer.get_weights()]  # biases other than 0 and 1
    layer.set_weights(weights)
    states = lstm_by_hand(x.astype(float), *weights, ACTIVATIONS[activation])
    expected = states if sequences else states[:, -1]
    np.testing.assert_allclose(as_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def test_stacked_and_bidirectional_by_hand():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(5, 7, 3)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, models.stacked(inputs, 4))
    one, two = model.get_weights()[:3], model.get_weights()[3:]
    expected = lstm_by_hand(lstm_by_hand(x, *one, np.tanh), *two, np.tanh)[:, -1]
    np.testing.assert_allclose(as_numpy(model(x)), expected, atol=1e-5)

    model = keras.Model(inputs, models.bidirectional(inputs, 4))
    one, two = model.get_weights()[:3], model.get_weights()[3:]
    forwards = lstm_by_hand(x, *one, np.tanh)[:, -1]
    backwards = lstm_by_hand(x[:, ::-1], *two, np.tanh)[:, -1]
    expected = np.concatenate([forwards, backwards], axis=1)
    np.testing.assert_allclose(as_numpy(model(x)), expected, atol=1e-5)


@pytest.mark.parametrize("sequences", [False, True])
def test_a_convlstm_of_one_row_is_kerass_convlstm2d(sequences):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(5, 8, 2)).astype("float32")
    inputs = keras.Input((8, 2))
    one = keras.Model(inputs, models.convlstm(inputs, 4, sequences, subsequences=2, kernel_size=3))
    image = keras.Input((2, 1, 4, 2))  # subsequences, one row, columns, inputs
    layer = layers.ConvLSTM2D(4, (1, 3), return_sequences=sequences)
    two = keras.Model(image, layer(image))
    kernel, recurrent, bias = one.get_weights()
    two.set_weights([kernel[None], recurrent[None], bias])
    expected = as_numpy(two(x.reshape(5, 2, 1, 4, 2)))
    expected = expected.reshape(5, 2, -1) if sequences else expected.reshape(5, -1)
    np.testing.assert_allclose(as_numpy(one(x)), expected, atol=1e-6)


def test_a_cnn_reads_each_subsequence_by_itself():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 1))
    model = keras.Model(inputs, models.cnn(inputs, 4, True, subsequences=2))
    x = np.random.default_rng(0).normal(size=(1, 8, 1)).astype("float32")
    changed = x.copy()
    changed[0, 4:] += 1  # the second subsequence only
    before, after = as_numpy(model(x)), as_numpy(model(changed))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert not np.allclose(before[:, 1], after[:, 1])


def test_the_autoregressive_decoder_reads_its_own_forecast():
    framing = Framing(LOOKBACK, horizon=3)
    model = build_model(framing, decoder="autoregressive", units=UNITS, scaling="none")
    by_name = {layer.__class__.__name__: layer for layer in model.layers}
    cell = by_name["RNN"].cell
    kernel, recurrent, bias = (as_numpy(weight) for weight in cell.lstm.weights)
    dense_kernel, dense_bias = (as_numpy(weight) for weight in cell.dense.weights)
    x = np.random.default_rng(0).normal(size=(2, LOOKBACK, 1)).astype("float32")
    state = as_numpy(keras.Model(model.input, by_name["LSTM"].output)(x))
    starts = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    hidden, memory, forecast = (state @ as_numpy(d.kernel) + as_numpy(d.bias) for d in starts)
    hidden = np.tanh(hidden)
    expected = []
    for _ in range(3):
        read = np.concatenate([state, forecast], axis=1)
        gates = read @ kernel + hidden @ recurrent + bias
        take, keep, new, show = np.split(gates, 4, axis=1)
        memory = sigmoid(keep) * memory + sigmoid(take) * np.tanh(new)
        hidden = sigmoid(show) * np.tanh(memory)
        forecast = hidden @ dense_kernel + dense_bias
        expected.append(forecast)
    np.testing.assert_allclose(as_numpy(model(x)), np.stack(expected, 1), atol=1e-5)


@pytest.mark.parametrize("decoder", models.DECODERS)
def test_every_decoder_reads_future_and_static_covariates(decoder):
    keras.utils.set_random_seed(0)
    windows = Framing(LOOKBACK, **FRAMINGS["all kinds"]).windows(TABLE)
    model = build_model(windows.framing, decoder=decoder, units=8, scaling="none")
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=part.shape) for name, part in parts(windows)[0].items()}
    before = as_numpy(model(inputs))
    for name in ("future", "static"):
        after = as_numpy(model(inputs | {name: inputs[name] + 1}))
        assert (np.abs(after - before) > 1e-6).all()


@pytest.mark.parametrize("decoder", ["encoder_decoder", "autoregressive", "attention"])
def test_a_step_reads_its_own_future_covariates(decoder):
    keras.utils.set_random_seed(0)
    windows = Framing(LOOKBACK, **FRAMINGS["future covariate"]).windows(TABLE)
    model = build_model(windows.framing, decoder=decoder, units=8, scaling="none")
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=part.shape) for name, part in parts(windows)[0].items()}
    later = inputs["future"].copy()
    later[:, 1] += 1
    before, after = as_numpy(model(inputs)), as_numpy(model(inputs | {"future": later}))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert (before[:, 1] != after[:, 1]).all()


# --- predict and with_horizon ---------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("framing", ["one column, three steps", "all kinds"])
def test_the_batch_size_of_predict_does_not_matter(batch_size, framing):
    keras.utils.set_random_seed(0)
    windows = Framing(LOOKBACK, **FRAMINGS[framing]).windows(make_table(60))
    model = build_model(windows.framing, units=8)
    adapt(model, windows)
    whole = as_numpy(model(windows.arrays()[0]))
    forecasts = predict(model, windows, batch_size=batch_size)
    assert forecasts.shape == windows.y.shape
    rounding = 1e-6 * np.abs(whole).max()  # a small number may be what is left of large ones
    np.testing.assert_allclose(forecasts, whole, rtol=1e-6, atol=rounding)


@pytest.mark.parametrize("skip", ["none", "last", "season"])
@pytest.mark.parametrize("scaling", models.SCALINGS)
@pytest.mark.parametrize("decoder", ["autoregressive", "encoder_decoder", "attention"])
def test_with_horizon_goes_on_with_the_same_weights(decoder, scaling, skip):
    keras.utils.set_random_seed(0)
    windows = Framing(LOOKBACK, horizon=2, targets=["a", "b"]).windows(TABLE)
    recipe = {"scaling": scaling, "skip": skip, "season": 3 if skip == "season" else None}
    model = build_model(windows.framing, decoder=decoder, units=8, **recipe)
    adapt(model, windows)
    longer = with_horizon(model, 7)
    X, _ = windows.arrays()
    short, long = as_numpy(model(X)), as_numpy(longer(X))
    assert long.shape == (len(X), 7, 2)
    np.testing.assert_allclose(long[:, :2], short, rtol=1e-6)
    for a, b in zip(model.get_weights(), longer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if skip == "season" and decoder == "autoregressive" and scaling == "none":
        three = as_numpy(with_horizon(model, 1)(X))
        np.testing.assert_allclose(three, short[:, :1], rtol=1e-6)


def test_with_horizon_and_static_covariates():
    framing = Framing(LOOKBACK, **FRAMINGS["static covariate"])
    windows = framing.windows(TABLE)
    model = build_model(framing, decoder="autoregressive", units=8)
    adapt(model, windows)
    inputs, _ = windows.arrays()
    long = as_numpy(with_horizon(model, 5)(inputs))
    np.testing.assert_allclose(long[:, :2], as_numpy(model(inputs)), rtol=1e-6)


@pytest.mark.parametrize(
    ("framing", "options"),
    [
        ("one column, three steps", {"decoder": "vector"}),
        ("two targets, two steps", {"decoder": "autoregressive", "skip": "linear"}),
        ("future covariate", {"decoder": "autoregressive"}),
    ],
)
def test_with_horizon_where_weights_or_inputs_are_made_for_one(framing, options):
    model = build_model(Framing(LOOKBACK, **FRAMINGS[framing]), units=UNITS, **options)
    with pytest.raises(ValueError, match=r"made for its horizon of [23] steps.*autoregressive"):
        with_horizon(model, 5)


@pytest.mark.parametrize("horizon", [0, 2.0, "3"])
def test_with_horizon_wants_a_whole_number(horizon):
    model = build_model(Framing(3), decoder="autoregressive", units=UNITS)
    with pytest.raises(ValueError, match="horizon must be a whole number, 1 or more"):
        with_horizon(model, horizon)


def test_an_encoder_of_your_own():
    def gru(x, units, return_sequences=False, activation="tanh", forget=0.0):
        layer = layers.GRU(units, activation, return_sequences=return_sequences, dropout=forget)
        return layer(x)

    model = build_model(Framing(3), encoder=gru, units=5, scaling="none", forget=0.1)
    assert [type(layer).__name__ for layer in model.layers][1] == "GRU"
    assert model.output_shape == (None, 1, 1)
    with pytest.raises(ValueError, match=r"'gru' has no option 'drop'. Its options: forget"):
        build_model(Framing(3), encoder=gru, drop=0.1)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("part", [*models.ENCODERS, *models.DECODERS])
def test_the_activation_reaches_every_lstm(part, activation):
    role = "encoder" if part in models.ENCODERS else "decoder"
    model = build_model(Framing(LOOKBACK), units=UNITS, activation=activation, **{role: part})
    found = []
    for layer in model.layers:
        for cell in (layer, getattr(layer, "forward_layer", None), getattr(layer, "cell", None)):
            cell = getattr(cell, "lstm", cell)
            if isinstance(cell, layers.LSTM | layers.LSTMCell | layers.ConvLSTM1D):
                found.append(cell.activation.__name__)
    assert set(found) == {activation}
    several = ("stacked", "encoder_decoder", "autoregressive", "attention")
    assert len(found) >= (2 if part in several else 1)


@pytest.mark.parametrize("lookback", [4, 6, 12])
@pytest.mark.parametrize("encoder", ["cnn", "convlstm"])
def test_every_division_of_a_window(encoder, lookback):
    for subsequences in range(1, lookback + 1):
        if lookback % subsequences == 0:
            options = {"kernel_size": 1, "subsequences": subsequences}
            model = build_model(Framing(lookback), encoder=encoder, units=UNITS, **options)
            assert model.output_shape == (None, 1, 1)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoder": "vanila"}, ["no encoder 'vanila'", "stacked", "Did you mean 'vanilla'?"]),
        ({"encoder": "transformer"}, ["no encoder 'transformer'", "vanilla, stacked, bidirec"]),
        ({"encoder": None}, ["no encoder None", "vanilla"]),
        ({"decoder": "encoder-decoder"}, ["no decoder", "Did you mean 'encoder_decoder'?"]),
        ({"decoder": 3}, ["no decoder 3", "vector, encoder_decoder, autoregressive, attention"]),
        ({"scaling": "minmax"}, ["no scaling 'minmax'", "none, standard, window"]),
        ({"skip": "linaer"}, ["no skip 'linaer'", "none, last, season, linear"]),
        ({"subsequences": 2}, ["'vanilla' has no option 'subsequences'", "Its options: none"]),
        ({"encoder": "cnn", "filtres": 3}, ["no option 'filtres'", "subsequences, filters, ker"]),
        ({"skip": "season"}, ["season=", "season=None", "lookback=6"]),
        ({"skip": "season", "season": 7}, ["season=7", "lookback=6"]),
        ({"skip": "season", "season": 0}, ["season=0"]),
        (
            {"skip": "last", "season": 3},
            ["season=3", "'season' and 'combination' only", "skip='last'"],
        ),
        ({"units": 0}, ["units must be a whole number, 1 or more", "got 0"]),
        ({"units": "50"}, ["units must be a whole number", "got '50'"]),
        ({"encoder": "cnn", "subsequences": 4}, ["6 steps", "4 subsequences", "[1, 2, 3, 6]"]),
        ({"encoder": "convlstm", "subsequences": 5}, ["5 subsequences", "[1, 2, 3, 6]"]),
        ({"encoder": "patched", "patch": 4}, ["patches of 4 steps", "[1, 2, 3, 6]"]),
        ({"encoder": "patched", "patch": 2.0}, ["patches of 2.0 steps"]),
        ({"encoder": "patched", "depth": 0}, ["depth"]),
        ({"ridge": 1.0}, ["ridge=1.0", "skip='none'"]),
        ({"skip": "linear", "ridge": -1}, ["ridge=-1"]),
        ({"patch": 2}, ["'vanilla' has no option 'patch'", "decoder 'vector': initializer"]),
        ({"dropout": 1}, ["dropout", "not including, 1"]),
        ({"encoder": "cnn", "subsequences": 0}, ["0 subsequences", "[1, 2, 3, 6]"]),
        ({"encoder": "cnn", "subsequences": 2.0}, ["2.0 subsequences", "[1, 2, 3, 6]"]),
        (
            {"encoder": "convlstm", "subsequences": 3, "kernel_size": 3},
            ["kernel_size=3", "2 steps", "2 or less", "padding='same'"],
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_wrong_names_and_options(options, words):
    with pytest.raises(ValueError) as caught:
        build_model(Framing(6), **options)
    for word in words:
        assert word in str(caught.value)


def test_a_prime_window_has_two_divisions():
    with pytest.raises(ValueError, match=r"7 steps .* 2 subsequences .* \[1, 7\]"):
        build_model(Framing(7), encoder="cnn")


@pytest.mark.parametrize(
    "options", [{"scaling": "window"}, {"skip": "last"}, {"skip": "season", "season": 2}]
)
def test_no_history_no_last_value(options):
    framing = Framing(LOOKBACK, **FRAMINGS["lead 0, no history"])
    with pytest.raises(ValueError, match=r"use_target_history=False.*scaling='standard'"):
        build_model(framing, **options)


WRONG = {
    "steps in": ({"lookback": 5}, "windows of 4 steps x 1 columns", "have 5 steps x 1 columns"),
    "columns in": ({"targets": ["a", "b"]}, "4 steps x 1 columns", "4 steps x 2 columns"),
    "steps out": ({"horizon": 3}, "forecasts 2 steps x 1 targets", "ask for 3 steps x 1"),
    "another input": (
        {"targets": "a", "static_covariates": "s"},
        *("reads ['X']", "have ['X', 'static']"),
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_predicting_windows_of_another_shape(case):
    change, expected, came = case
    base = {"lookback": LOOKBACK, "horizon": 2, "targets": "a"}
    model = build_model(Framing(**base), units=UNITS)
    windows = Framing(**(base | change)).windows(TABLE)
    with pytest.raises(ValueError) as caught:
        predict(model, windows)
    assert expected in str(caught.value)
    assert came in str(caught.value)
    assert "build_model(windows.framing, ...)" in str(caught.value)


def test_predicting_with_another_number_of_static_covariates():
    model = build_model(Framing(LOOKBACK, targets="a", static_covariates=["s", "r"]), units=UNITS)
    windows = Framing(LOOKBACK, targets="a", static_covariates="s").windows(TABLE)
    with pytest.raises(ValueError, match=r"2 static covariates.*have 1 \['s'\]"):
        predict(model, windows)


def test_predicting_with_a_model_that_was_never_fitted():
    windows = Framing(3).windows(datasets.toy())
    with pytest.raises(ValueError, match=r"never fitted.*Call fit\(model, windows\)"):
        predict(build_model(windows.framing, units=UNITS), windows)


def test_models_of_your_own_whose_shapes_do_not_fit():
    """Before training: an axis too few, one too many, several outputs."""
    framing = Framing(3, horizon=2)
    x, dense = keras.Input((3, 1)), keras.layers.Dense(2)
    for net, words in (
        (
            keras.Model(x, dense(keras.layers.Flatten()(x))),
            r"output of shape \('batch', 2\).*Dense",
        ),
        (keras.Model(x, [keras.layers.Dense(1)(x)] * 2), r"2 outputs.*\('batch', 2, 1\)"),
        (keras.Model(x, keras.layers.LSTM(1, return_sequences=True)(x)), "3 steps x 1 targets"),
        (keras.Model(y := keras.Input((3,)), dense(y)), r"input of shape \('batch', 3\)"),
    ):
        with pytest.raises(ValueError, match=words):
            models.check_shapes(net, framing)


@pytest.mark.parametrize("encoder", ["vanilla", "patched"])
def test_attention_to_one_step_is_that_step_and_warns_of_nothing(encoder):
    windows = Framing(1, horizon=2, targets="a").windows(TABLE)
    model = build_model(windows.framing, encoder=encoder, decoder="attention", units=UNITS)
    fit(model, windows, epochs=1, seed=0)
    assert np.isfinite(predict(model, windows)).all()
