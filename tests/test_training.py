"""What `fit` promises: seeds, the same updates as Keras, no leak, best weights, honest errors."""

import statistics

import keras
import numpy as np
import pandas as pd
import pytest

from benchmarks import fit_speed
from tsforecast import Framing, adapt, build_model, datasets, fit, load_model, predict
from tsforecast.layers import AddCorrection, ScaledLoss
from tsforecast.models import WindowBatches, is_adapted

TOY = Framing(3).windows(datasets.toy("univariate"))


def noisy(rows=80, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.arange(rows)
    values = 100 + 20 * np.sin(steps / 4) + rng.normal(size=rows)
    return pd.DataFrame({"a": values}, index=pd.date_range("2024", periods=rows, freq="D"))


def split(rows=80):
    table = noisy(rows)
    return Framing(4).windows(table).split(table.index[50], table.index[65])


def same(a, b):
    pairs = zip(a.get_weights(), b.get_weights(), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


# --- seeds ----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_model_bit_for_bit():
    one, two = build_model(TOY.framing, units=4), build_model(TOY.framing, units=4)
    first = fit(one, TOY, epochs=20, batch_size=2, seed=3)
    second = fit(two, TOY, epochs=20, batch_size=2, seed=3)
    assert same(one, two)
    assert first.history == second.history
    fit(one, TOY, epochs=20, batch_size=2, seed=3)  # again, on the trained model
    assert same(one, two)
    fit(two, TOY, epochs=20, batch_size=2, seed=4)
    assert not same(one, two)


def test_the_weights_do_not_depend_on_how_many_layers_were_built_before():
    """TensorFlow orders sums by the names of layers, and "dense_9" comes after "dense_10"."""
    windows = Framing(12, horizon=3).windows(noisy(360))
    results = []
    for ahead in (2, 50):  # of a name with a digit more
        number = [int(keras.layers.Dense(1).name[6:] or 0) for _ in range(2)][1]
        for _ in range(10 ** len(str(number + ahead)) - ahead - 1 - number):
            keras.layers.Dense(1)
        parts = {"encoder": "bidirectional", "decoder": "autoregressive"}
        model = build_model(windows.framing, **parts, units=2)
        names = [layer.name for layer in model.layers]
        fit(model, windows, epochs=1, batch_size=128, seed=0)
        assert [layer.name for layer in model.layers] == names
        results.append(model.get_weights())
    assert all(np.array_equal(one, two) for one, two in zip(*results, strict=True))


def test_without_a_seed_training_goes_on():
    model = build_model(TOY.framing, units=4)
    losses = [fit(model, TOY, epochs=60).history["loss"][-1] for _ in range(3)]
    assert losses[0] > losses[1] > losses[2]


def test_a_warm_start_keeps_the_weights_and_draws_the_order():
    windows, _, _ = split()
    model = build_model(windows.framing, units=4)
    fit(model, windows, epochs=2, seed=0)
    learned = model.get_weights()
    results = []
    for seed in (1, 1, 2):
        model.set_weights(learned)
        fit(model, windows, epochs=1, learning_rate=1e-4, seed=seed, warm_start=True)
        results.append(model.get_weights())
    for old, new in zip(learned, results[0], strict=True):
        np.testing.assert_allclose(old, new, atol=0.01)  # not drawn afresh
    assert all(np.array_equal(a, b) for a, b in zip(*results[:2], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(*results[1:], strict=True))


def test_training_goes_on_after_loading_with_the_scaling_it_had(tmp_path):
    train, later, _ = split()
    model = build_model(train.framing, units=4)
    before = fit(model, train, epochs=20, seed=0).history["loss"][-1]
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert same(model, loaded)
    np.testing.assert_array_equal(predict(model, later), predict(loaded, later))
    measured = [as_numpy(w) for w in loaded.non_trainable_weights if "seed" not in w.path]
    after = fit(loaded, train, epochs=20).history["loss"][-1]
    assert after < before
    fit(loaded, later, epochs=2)  # other windows: they do not change the scaling either
    for old, new in zip(measured, loaded.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(old, as_numpy(new))
    assert not same(model, loaded)


# --- the same training steps as Keras, only faster ------------------------------------------------


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_fit_makes_the_same_updates_as_keras(loss):
    train, *_ = split()
    models = []
    for ours in (True, False):
        keras.utils.set_random_seed(0)
        model = build_model(train.framing, units=4)
        adapt(model, train)
        if ours:
            fit(model, train, epochs=30, batch_size=20, shuffle=False, loss=loss)
        else:
            X, y = train.arrays()
            steps = 30 * -(-len(y) // 20)
            schedule = keras.optimizers.schedules.CosineDecay(0.005, steps)
            scale = next(x.scale for x in model.layers if isinstance(x, AddCorrection))
            optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
            model.compile(optimizer, ScaledLoss(loss, as_numpy(scale)))
            model.fit(X, y, epochs=30, batch_size=20, shuffle=False, verbose=0)
        models.append(model)
    assert int(models[0].optimizer.iterations) == int(models[1].optimizer.iterations) == 90
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert not np.allclose(models[0].get_weights()[0], 0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="measured on TensorFlow")
def test_short_epochs_are_several_times_faster_than_in_keras():
    seconds, difference = fit_speed.measure(epochs=fit_speed.LONG, repeats=1)
    assert difference < 1e-5
    ratio = statistics.median(seconds["plain"]) / statistics.median(seconds["ours"])
    assert ratio > 4, f"only {ratio:.1f} times as fast"


@pytest.mark.parametrize(
    ("epochs", "batch_size"), [(1, 32), (7, 6), (30, 4), (13, 6), (4, 1), (60, 5)]
)
def test_every_epoch_takes_its_steps(epochs, batch_size):
    model = build_model(TOY.framing, units=1)
    history = fit(model, TOY, epochs=epochs, batch_size=batch_size, seed=0)
    assert int(model.optimizer.iterations) == epochs * -(-6 // batch_size)
    assert history.epoch[-1] == epochs
    assert len(history.epoch) == len(history.history["loss"])


def test_steps_that_fill_no_whole_round():
    windows = Framing(3).windows(np.arange(130.0))  # 127 steps in an epoch of single windows
    model = build_model(windows.framing, units=1)
    fit(model, windows, epochs=2, batch_size=1, seed=0)
    assert int(model.optimizer.iterations) == 2 * 127


@pytest.mark.parametrize("epochs", [1, 3])
def test_batches_for_keras_hold_every_window_once_an_epoch(epochs):
    windows = Framing(3).windows(np.arange(20.0))
    batches = WindowBatches(windows, 4, epochs, shuffle=True, seed=0)
    orders = []
    for _ in range(2):
        targets = np.concatenate([batches[i][1].ravel() for i in range(len(batches))])
        for epoch in targets.reshape(epochs, 17):
            assert sorted(epoch) == list(range(3, 20))
            orders.append(tuple(epoch))
        batches.on_epoch_end()
    assert len(set(orders)) == len(orders)
    again = WindowBatches(windows, 4, epochs, shuffle=True, seed=0)
    first = np.concatenate([again[i][1].ravel() for i in range(len(again))])
    assert tuple(first[:17]) == orders[0]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces the loss")
def test_keras_sees_every_window_once_an_epoch():
    seen = []

    def spy(y, forecast):
        seen.append(as_numpy(y).ravel())
        return keras.losses.mean_squared_error(y, forecast)

    windows = Framing(3).windows(np.arange(20.0))
    model = build_model(windows.framing, units=1, scaling="none")
    model.compile("sgd", spy, run_eagerly=True)
    batches = WindowBatches(windows, 4, epochs=2, shuffle=True, seed=0)
    model.fit(batches, epochs=3, shuffle=False, verbose=0)
    epochs = np.concatenate(seen[-30:]).reshape(6, 17)  # PyTorch first builds with one batch
    for epoch in epochs:
        assert sorted(epoch) == list(range(3, 20))
    assert len({tuple(epoch) for epoch in epochs}) == 6  # each in another order


# --- validation -----------------------------------------------------------------------------------


def test_the_best_weights_are_kept():
    train, validation, _ = split()
    model = build_model(train.framing, units=16)
    history = fit(
        *(model, train),
        epochs=40,
        validation=validation,
        seed=0,
        batch_size=2,
        optimizer=keras.optimizers.Adam(0.05),
    )
    losses = history.history["val_loss"]
    assert np.argmin(losses) < len(losses) - 1  # the last epoch is not the best one
    value = model.evaluate(WindowBatches(validation), verbose=0)
    assert value == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.parametrize("patience", [3, 8])
def test_patience(patience):
    train, validation, _ = split()
    model = build_model(train.framing, units=16)
    history = fit(
        *(model, train),
        epochs=200,
        validation=validation,
        seed=0,
        batch_size=1,
        optimizer=keras.optimizers.Adam(0.05),
        patience=patience,
    )
    losses = history.history["val_loss"]
    assert len(losses) < 100
    assert history.epoch[-1] - history.epoch[int(np.argmin(losses))] >= patience
    assert history.epoch[-2] - history.epoch[int(np.argmin(losses))] < patience
    value = model.evaluate(WindowBatches(validation), verbose=0)
    assert value == pytest.approx(min(losses), rel=1e-5)


def test_validation_must_come_after_training():
    train, validation, _ = split()
    model = build_model(train.framing, units=2)
    for early in (train, train[:3]):
        with pytest.raises(ValueError, match=r"validation targets begin at 2024-01-05.*split"):
            fit(model, train, validation=early)
    with pytest.raises(ValueError, match="targets end at 2024-03-05"):
        fit(model, validation, validation=train)
    overlapping = Framing(4).windows(noisy())[40:]
    with pytest.raises(ValueError, match="validation targets begin"):
        fit(model, train, validation=overlapping)
    other = Framing(4).windows(noisy().iloc[:60])  # another table, of the same times
    with pytest.raises(ValueError, match="validation targets begin"):
        fit(model, train, validation=other)


def test_patience_needs_validation():
    with pytest.raises(ValueError, match=r"patience.*give validation="):
        fit(build_model(TOY.framing, units=2), TOY, patience=3)


# --- no leak --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"scaling": "none"},
        {"scaling": "standard", "skip": "linear"},
        {"scaling": "window", "skip": "season", "season": 3},
        {"scaling": "window", "skip": "linear", "encoder": "bidirectional"},
    ],
)
def test_rows_after_the_training_part_do_not_reach_the_fitted_model(options):
    models = []
    for spoil in (False, True):
        table = noisy() / 100
        if spoil:
            table.iloc[50:] = 1e5
        train, _ = Framing(4).windows(table).split(table.index[50])
        model = build_model(train.framing, units=2, **options)
        fit(model, train, epochs=3, seed=0)
        models.append(model)
    assert same(*models)


def test_validation_chooses_weights_and_touches_nothing_else():
    fitted = []
    for factor in (1, 1000):
        table = noisy()
        table.iloc[50:65] *= factor
        train, validation, _ = Framing(4).windows(table).split(table.index[50], table.index[65])
        model = build_model(train.framing, units=2, scaling="standard", skip="linear")
        history = fit(model, train, epochs=3, validation=validation, seed=0)
        fitted.append((model, history.history))
    (one, first), (two, second) = fitted
    assert first["loss"] == second["loss"]
    assert first["val_loss"] != second["val_loss"]
    for a, b in zip(one.non_trainable_weights, two.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(as_numpy(a), as_numpy(b))


# --- the loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", ["none", "last", "linear"])
def test_targets_of_very_different_size_have_an_equal_say(skip):
    """A table and the same with one target a million times larger: the same training."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(60, 2)).cumsum(axis=0) + 50
    losses, forecasts = [], []
    for factor in (1.0, 2.0**20):  # a power of two: scaling it back is exact
        table = base * [1.0, factor]
        train, test = Framing(4).windows(table).split(50)
        model = build_model(train.framing, units=4, skip=skip)
        losses.append(fit(model, train, epochs=20, seed=0).history["loss"])
        forecasts.append(predict(model, test) / [1.0, factor])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)
    np.testing.assert_allclose(forecasts[0], forecasts[1], rtol=1e-3)


def test_a_loss_of_1_is_no_better_than_the_simple_forecast():
    train, *_ = split()
    model = build_model(train.framing, units=2)
    adapt(model, train)
    model.layers[-3].set_weights([0 * weight for weight in model.layers[-3].get_weights()])
    dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    dense.set_weights([0 * weight for weight in dense.get_weights()])  # no correction
    history = fit(model, train, epochs=1, optimizer=keras.optimizers.SGD(0.0))
    assert history.history["loss"][0] == pytest.approx(1, rel=1e-3)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_loss_that_is_no_number_is_an_error(capsys):
    table = pd.DataFrame({"a": 1e16 * np.arange(1.0, 40.0)})
    windows = Framing(3).windows(table)
    model = build_model(windows.framing, units=4, scaling="none", activation="relu")
    with pytest.raises(
        FloatingPointError,
        match=r"loss became (nan|inf) within \d+ epochs, so the weights.*scaling='standard'",
    ):
        fit(model, windows, epochs=100, learning_rate=1e30, seed=0)
    with pytest.raises(FloatingPointError, match="within 1 epoch, so"):
        fit(model, windows, epochs=1, learning_rate=1e30, seed=0, warm_start=True)
    assert capsys.readouterr().out == ""  # the error says it


# --- wrong arguments, before training -------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epochs": 0}, "epochs must be a whole number, 1 or more; got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number, 1 or more; got 0"),
        ({"patience": 0, "validation": TOY[5:]}, "patience must be a whole number, 1 or more"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0; got -1.0"),
        ({"loss": "rmsse"}, "no loss 'rmsse'"),
        ({"loss": "mape"}, "loss 'mape' depends on more than the error"),
        ({"loss": "msle"}, "loss 'msle' depends on more than the error"),
    ],
)
def test_wrong_arguments_of_fit(arguments, words):
    model = build_model(TOY.framing, units=2)
    before = model.get_weights()
    with pytest.raises(ValueError) as caught:
        fit(model, TOY[:4], **({"epochs": 2} | arguments), seed=0)
    assert words in str(caught.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # nothing was trained or measured


def test_measuring_does_not_run_the_network():
    """Over a week of half-hours, it would take longer than an epoch of training."""

    @keras.saving.register_keras_serializable("tests")
    class Counted(keras.layers.Layer):
        runs = 0

        def call(self, x):
            Counted.runs += 1
            return x

    def encoder(x, units, activation):
        return keras.layers.Flatten()(Counted()(x))

    model = build_model(TOY.framing, units=2, encoder=encoder, skip="linear")
    built = Counted.runs
    adapt(model, TOY)
    assert is_adapted(model) and Counted.runs == built


@pytest.mark.parametrize("loss", ["mape", "huber"])
def test_a_model_without_scaling_takes_any_loss(loss):
    model = build_model(TOY.framing, units=2, scaling="none")
    assert np.isfinite(fit(model, TOY, epochs=2, loss=loss, seed=0).history["loss"]).all()


def test_an_optimizer_that_has_trained_starts_afresh():
    optimizer = keras.optimizers.Adam(0.01)
    weights = []
    for model in (one := build_model(TOY.framing, units=2), one, build_model(TOY.framing, units=2)):
        fit(model, TOY, epochs=3, optimizer=optimizer, seed=0)
        weights.append(model.get_weights())
    for first, second, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, other)


def test_windows_of_another_shape_stop_before_training():
    model = build_model(Framing(4), units=2)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"windows of 4 steps x 1 columns.*have 3 steps"):
        fit(model, TOY, seed=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
