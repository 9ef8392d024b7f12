"""Scaling and simple forecasts against NumPy, on all training windows and on nothing else."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, build_model
from tsforecast.layers import (
    AddCorrection,
    KnownSteps,
    LabelLoss,
    LastValue,
    LinearForecast,
    OwaLoss,
    OwnUnits,
    PatchSteps,
    QuantileLoss,
    ScaledLoss,
    Scaling,
    SeasonalValue,
    TrainingMean,
    _solve,
)
from tsforecast.models import SCALINGS, SEASONAL, SKIPS
from tsforecast.training import adapt


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def as_tensors(*arrays):
    return map(keras.ops.convert_to_tensor, arrays)


def in_pieces(x, y, size=7):
    """A training part as `adapt` reads it: a batch at a time."""
    cut = range(0, len(y), size)
    first = x if isinstance(x, (list, tuple)) else [x]
    pairs = [([part[i : i + size] for part in first], y[i : i + size]) for i in cut]
    return pairs if isinstance(x, (list, tuple)) else [(parts[0], y) for parts, y in pairs]


def adapted(layer, x, y, measured=None):
    shape = [part.shape for part in x] if isinstance(x, list) else x.shape
    layer.build(shape)
    assert not layer.is_adapted
    layer.adapt(in_pieces(x if measured is None else measured, y))
    assert layer.is_adapted
    return layer


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    sizes, levels = np.array([1.0, 1e-6, 1e6]), np.array([0.0, 5e-6, -1e7])
    return (rng.normal(size=(40, 5, 3)) * sizes + levels).astype("float32")


@pytest.fixture
def y():
    return np.random.default_rng(1).normal(size=(40, 2, 2)).cumsum(axis=0).astype("float32")


# --- scaling --------------------------------------------------------------------------------------


def test_standard_scaling(x, y):
    scaling = adapted(Scaling(), x, y)
    rows = x.astype(float).reshape(-1, 3)
    np.testing.assert_allclose(as_numpy(scaling.center), rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(as_numpy(scaling.scale), rows.std(axis=0), rtol=1e-5)
    scaled = as_numpy(scaling(x)).reshape(-1, 3)
    np.testing.assert_allclose(scaled[:, :2].mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled[:, :2].std(axis=0), 1, rtol=1e-3)


@pytest.mark.parametrize("relative", [1, 2, 3])
def test_scaling_relative_to_the_windows_last_value(x, y, relative):
    scaling = adapted(Scaling(relative), x, y)
    steps = x.astype(float)
    steps[:, :, :relative] -= steps[:, -1:, :relative]
    rows = steps.reshape(-1, 3)
    center = rows.mean(axis=0)
    center[:relative] = 0  # relative to the last value, not to a mean
    spread = np.sqrt(((rows - center) ** 2).mean(axis=0))
    np.testing.assert_allclose(as_numpy(scaling.center), center, rtol=1e-6)
    np.testing.assert_allclose(as_numpy(scaling.scale), spread, rtol=1e-4)
    scaled = as_numpy(scaling(x))
    np.testing.assert_array_equal(scaled[:, -1, :relative], 0)
    moved = x[:, :, :1] + np.float32(8)  # a level that no training window had
    np.testing.assert_allclose(
        as_numpy(scaling(np.concatenate([moved, x[:, :, 1:]], axis=2)))[:, :, 0],
        scaled[:, :, 0],
        atol=1e-5,
    )


@pytest.mark.parametrize("relative", [0, 1])
@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, 1e-20, 1e20])
def test_a_column_that_never_changes_is_divided_by_1(value, relative):
    x = np.full((20, 4, 1), value, dtype="float32")
    scaling = adapted(Scaling(relative), x, x)
    assert as_numpy(scaling.scale).tolist() == [1.0]
    np.testing.assert_array_equal(as_numpy(scaling(x)), 0)


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("relative", [0, 1])
def test_huge_and_tiny_numbers(size, relative):
    x = (np.random.default_rng(0).normal(size=(50, 4, 1)) * size).astype("float32")
    scaled = as_numpy(adapted(Scaling(relative), x, x)(x))
    assert np.isfinite(scaled).all()
    assert 0.3 < scaled.std() < 3


def test_the_batch_size_of_adapt_does_not_matter(x, y):
    one, two = Scaling(1), Scaling(1)
    for layer, size in ((one, 3), (two, 40)):
        layer.build(x.shape)
        layer.adapt(in_pieces(x, y, size))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_scaling_relative_to_the_mean_of_a_season(x, y):
    scaling = adapted(Scaling(1, level=3), x, y)
    steps = x.astype(float)
    steps[:, :, :1] -= steps[:, -3:, :1].mean(axis=1, keepdims=True)
    spread = np.sqrt((steps[:, :, 0] ** 2).mean())
    np.testing.assert_allclose(as_numpy(scaling.scale)[0], spread, rtol=1e-4)
    np.testing.assert_allclose(as_numpy(scaling(x))[:, :, 0], steps[:, :, 0] / spread, atol=1e-4)


@pytest.fixture
def gappy(x):
    """Windows of which every other value is missing, each in its own places, none all."""
    gone = np.random.default_rng(2).random(x.shape) < 0.5
    gone[np.arange(len(x)), np.arange(len(x)) % 5] = False  # one step is whole
    return np.where(gone, np.float32("nan"), x)


def test_scaling_measures_the_known_values(gappy, y):
    scaling = adapted(Scaling(missing=True), gappy, y)
    rows = gappy.astype(float).reshape(-1, 3)
    np.testing.assert_allclose(as_numpy(scaling.center), np.nanmean(rows, axis=0), rtol=1e-6)
    np.testing.assert_allclose(as_numpy(scaling.scale), np.nanstd(rows, axis=0), rtol=1e-4)


@pytest.mark.parametrize("missing", [False, True])
def test_own_units_are_the_spread_of_the_known_values(x, gappy, y, missing):
    windows = gappy if missing else x
    history = windows[:, :, :2].astype(float)
    spread = np.nanstd(history, axis=1)
    least = 0.1 * np.array([np.quantile(column[column > 0], 0.05) for column in spread.T])
    level = np.nanmean(np.abs(history), axis=1)
    unit = np.sqrt(spread**2 + (0.01 * level) ** 2 + least**2)[:, None]
    own = adapted(OwnUnits(2, missing=missing), windows, y)
    scaled, found = own(windows)
    np.testing.assert_allclose(as_numpy(found), unit, rtol=1e-4)
    np.testing.assert_allclose(as_numpy(scaled)[:, :, :2], history / unit, rtol=1e-3)
    np.testing.assert_array_equal(as_numpy(scaled)[:, :, 2], windows[:, :, 2])


def test_own_units_of_a_column_that_never_changes(y):
    windows = np.stack([np.full((6, 4), 3.0), np.arange(24.0).reshape(6, 4)], axis=2)
    own = adapted(OwnUnits(2), windows, y)
    spread = windows[0, :, 1].std()  # the same in every window
    np.testing.assert_allclose(as_numpy(own.least), [0.1, 0.1 * spread], rtol=1e-6)


def test_training_leaves_what_was_measured_alone(x, y):
    for layer in (Scaling(), OwnUnits(2), TrainingMean(2, 2)):
        adapted(layer, x, y)
        assert layer.trainable_weights == []
        assert len(layer.non_trainable_weights) == len(layer.weights) > 1


def test_known_steps_come_first_in_their_order(gappy):
    moved = as_numpy(KnownSteps()(gappy))
    for window, found in zip(gappy, moved, strict=True):
        known = window[~np.isnan(window).any(axis=1)]
        np.testing.assert_array_equal(found[: len(known)], known)
        assert (found[len(known) :] == np.float32(KnownSteps.absent)).all()


# --- simple forecasts -----------------------------------------------------------------------------


def test_last_value(x):
    forecast = as_numpy(LastValue(horizon=3, targets=2)(x))
    np.testing.assert_array_equal(forecast, np.stack([x[:, -1, :2]] * 3, axis=1))


@pytest.mark.parametrize(("season", "lead"), [*itertools.product([1, 2, 3, 5], [1, 2, 4])])
def test_seasonal_value(x, season, lead):
    horizon = 7
    forecast = as_numpy(SeasonalValue(season, horizon, 2, lead)(x))
    for step in range(horizon):
        row = 4 + lead + step  # of the step forecast, counted from the window's first row
        while row > 4:
            row -= season
        np.testing.assert_array_equal(forecast[:, step], x[:, row, :2])


@pytest.mark.parametrize(("season", "lead"), [*itertools.product([1, 2, 3], [1, 2, 4])])
def test_seasonal_value_goes_back_to_one_that_is_known(gappy, season, lead):
    horizon = 4
    forecast = as_numpy(SeasonalValue(season, horizon, 2, lead, missing=True)(gappy))
    for window, found in zip(gappy, forecast, strict=True):
        for step, target in itertools.product(range(horizon), range(2)):
            row = 4 + lead + step
            while row > 4 or (row >= 0 and np.isnan(window[row, target])):
                row -= season
            known = window[~np.isnan(window[:, target]), target]
            assert found[step, target] == (window[row, target] if row >= 0 else known[-1])


def test_training_mean(x, y):
    mean = adapted(TrainingMean(2, 2), x, y)
    expected = np.broadcast_to(y.astype(float).mean(axis=(0, 1)), (5, 2, 2))
    np.testing.assert_allclose(as_numpy(mean(x[:5])), expected, rtol=1e-6)


def test_linear_forecast_is_least_squares(y):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)).astype("float32")
    base = rng.normal(size=y.shape).astype("float32")
    linear = adapted(LinearForecast(2, 2), [features, base], y)
    design = np.column_stack([features, np.ones(40)]).astype(float)
    rule, *_ = np.linalg.lstsq(design, (y - base).reshape(40, -1).astype(float), rcond=None)
    expected = base + (design @ rule).reshape(y.shape)
    np.testing.assert_allclose(as_numpy(linear([features, base])), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", [-287387.707809, 1e9, 1e15])
def test_a_large_column_that_never_changes_says_what_the_constant_says(y, level):
    """Found by fuzzing: the ridge is nothing beside its square."""
    feature = np.random.default_rng(0).normal(size=(40, 1)).astype("float32")
    features = np.concatenate([feature, np.full_like(feature, level)], axis=1)
    answer = (3 * feature[:, :, None] + 1).astype("float32")
    linear = adapted(LinearForecast(1, 1), [features, np.zeros_like(answer)], answer)
    forecast = as_numpy(linear([features, np.zeros_like(answer)]))
    np.testing.assert_allclose(forecast, answer, atol=1e-3)


def test_the_smallest_rule_is_that_of_columns_in_their_own_sizes():
    gram = np.array([[1.0, 10.0, 0.0], [10.0, 100.0, 0.0], [0.0, 0.0, 0.0]])  # a, 10 a, and zeros
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.solve(gram, np.ones((3, 1)))
    rule = _solve(gram, np.array([[2.0], [20.0], [0.0]]))  # of y = 2 a: half of it by each column
    np.testing.assert_allclose(rule.ravel(), [1.0, 0.1, 0.0], atol=1e-12)


def test_a_ridge_makes_the_weights_small_and_leaves_the_constant(y):
    features = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    base, high = np.zeros_like(y), y + 100
    linear = adapted(LinearForecast(2, 2, ridge=1.0), [features, base], high)
    x, rest = features.astype(float), high.reshape(40, -1).astype(float)
    x, rest = x - x.mean(axis=0), rest - rest.mean(axis=0)
    kernel = np.linalg.solve(x.T @ x + 40 * np.eye(6), x.T @ rest)
    np.testing.assert_allclose(as_numpy(linear.kernel), kernel, rtol=1e-3, atol=1e-4)
    mean = as_numpy(linear([features, base])).mean(axis=0)
    np.testing.assert_allclose(mean, high.mean(axis=0), rtol=1e-5)


def test_linear_forecast_with_columns_that_say_the_same_twice(y):
    feature = np.random.default_rng(0).normal(size=(40, 1)).astype("float32")
    features = np.concatenate([feature, feature, np.zeros_like(feature)], axis=1)
    answer = (3 * feature[:, :, None] + 1).astype("float32")
    linear = adapted(LinearForecast(1, 1), [features, np.zeros_like(answer)], answer)
    forecast = as_numpy(linear([features, np.zeros_like(answer)]))
    np.testing.assert_allclose(forecast, answer, rtol=1e-4)
    assert np.abs(as_numpy(linear.kernel)).max() < 4


def test_a_correction_counts_in_typical_errors_of_the_simple_forecast(y):
    simple = np.random.default_rng(0).normal(size=y.shape).astype("float32")
    correction = np.random.default_rng(1).normal(size=y.shape).astype("float32")
    add = adapted(AddCorrection(), [correction, simple], y, measured=simple)
    error = np.sqrt(((y - simple).astype(float) ** 2).mean(axis=(0, 1)))
    np.testing.assert_allclose(as_numpy(add.scale), error, rtol=1e-6)
    expected = simple + correction * error
    np.testing.assert_allclose(as_numpy(add([correction, simple])), expected, rtol=1e-5, atol=1e-6)


def test_an_error_counts_at_most_a_thousand_own_units(y):
    simple, unit = np.zeros_like(y), np.full((len(y), 1, 2), 2.0, "float32")
    wild = y.copy()
    wild[3, 0] = 1e9
    add = adapted(AddCorrection(), [y, simple, unit], wild, measured=[simple, unit])
    own = np.clip(wild.astype(float) / 2, -1000, 1000)
    np.testing.assert_allclose(as_numpy(add.scale), np.sqrt((own**2).mean(axis=(0, 1))), rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 7.0, 1e-20, 1e20])
def test_an_exact_simple_forecast_leaves_a_small_correction(level):
    y = np.full((9, 1, 1), level, dtype="float32")
    scale = as_numpy(adapted(AddCorrection(), [y, y], y, measured=y).scale)
    assert np.isfinite(scale).all()
    assert 0 < scale[0] <= max(1.001e-3 * level, 1e-30)


@pytest.mark.parametrize(
    ("loss", "measure"), [("mse", np.square), ("mae", np.abs), ("huber", None)]
)
def test_the_loss_counts_in_scaled_units(y, loss, measure):
    forecast = np.random.default_rng(2).normal(size=y.shape).astype("float32")
    scale = [2.0, 500.0]
    value = float(as_numpy(ScaledLoss(loss, scale)(y, forecast)))
    errors = (forecast - y) / scale
    if measure is None:
        small = np.abs(errors) <= 1
        expected = np.where(small, errors**2 / 2, np.abs(errors) - 0.5).mean()
    else:
        expected = measure(errors).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_quantiles_leave_a_loss_for_every_window_and_step(y):
    forecast = np.random.default_rng(2).normal(size=(*y.shape, 2)).astype("float32")
    loss = QuantileLoss([0.1, 0.9], [2.0, 5.0])
    error = (y[..., None] - forecast) / np.array([2.0, 5.0])[:, None]
    pinball = np.where(error > 0, [0.1, 0.9] * error, ([0.1, 0.9] - np.ones(2)) * error)
    found = as_numpy(loss.call(*as_tensors(y, forecast)))
    np.testing.assert_allclose(found, pinball.mean(axis=-1), rtol=1e-4)


def test_owa_and_labels_leave_a_loss_for_every_window_and_step(y):
    both = np.stack([y + 1, np.full_like(y, 2.0)], axis=-1)  # the forecast, and the naive error
    parts = 50 * (0.5 / 2.395 + 2 / (np.abs(y + 1) + np.abs(y)) / 0.18383)
    found = as_numpy(OwaLoss().call(*as_tensors(y, both)))
    np.testing.assert_allclose(found, parts.mean(axis=-1), rtol=1e-3)
    labels, chances = (y > 0).astype("float32"), np.full_like(y, 0.25)
    found = as_numpy(LabelLoss("event", [[1, 2], [3, 5]]).call(*as_tensors(labels, chances)))
    weights = np.where(labels == 1, [2, 5], [1, 3])
    weights = weights * -np.log(np.where(labels == 1, 0.25, 0.75))
    assert found.shape[:2] == y.shape[:2]
    np.testing.assert_allclose(found, weights, rtol=1e-4)


LAYERS = [
    Scaling(relative=2, name="a"),
    LastValue(3, 2, name="b"),
    SeasonalValue(4, 3, 2, lead=5, name="c"),
    TrainingMean(3, 2, name="d"),
    LinearForecast(3, 2, ridge=0.5, name="e"),
    PatchSteps(3, 4, "relu", name="h"),
    AddCorrection(name="f"),
    ScaledLoss("mae", [1.0, 2.0]),
    OwaLoss(),
    QuantileLoss([0.1, 0.9], [2.0], name="i"),
    LabelLoss("class", [1.0, 2.0], name="j"),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers_come_back_from_their_configuration(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.name == layer.name == layer.get_config()["name"]
    kept = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(kept) is type(layer)


# --- what `adapt` measures on a model -------------------------------------------------------------


def make_table(rows=60):
    rng = np.random.default_rng(3)
    a, b = 50 + rng.normal(size=rows).cumsum(), 1e4 * rng.normal(size=rows) + 1e5
    return pd.DataFrame({"a": a, "b": b, "c": rng.normal(size=rows), "s": 2.5})


FRAMING = {
    "targets": ["a", "b"],
    "future_covariates": "c",
    "static_covariates": "s",
    "horizon": 2,
}


def test_adapt_measures_all_training_windows_and_only_those():
    table = make_table()
    train, _ = Framing(4, **FRAMING).windows(table).split(40)
    model = build_model(train.framing, units=2, scaling="standard", skip="linear")
    adapt(model, train, batch_size=7)
    inputs, y = train.arrays()
    X = inputs["X"].astype(float).reshape(-1, 3)
    named = {layer.name: layer for layer in model.layers}
    np.testing.assert_allclose(as_numpy(named["scaling"].center), X.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(as_numpy(named["scaling"].scale), X.std(axis=0), rtol=1e-5)
    future = inputs["future"].astype(float)
    np.testing.assert_allclose(as_numpy(named["scaling_future"].center), future.mean(), rtol=1e-4)
    np.testing.assert_allclose(as_numpy(named["scaling_future"].scale), future.std(), rtol=1e-5)
    assert as_numpy(named["scaling_static"].center).tolist() == [2.5]
    assert as_numpy(named["scaling_static"].scale).tolist() == [1.0]
    np.testing.assert_allclose(as_numpy(named["simple"].mean), y.mean(axis=(0, 1)), rtol=1e-5)

    scaled = (inputs["X"] - X.mean(axis=0)) / X.std(axis=0)
    ahead = (inputs["future"] - future.mean()) / future.std()
    features = [part.reshape(len(y), -1) for part in (scaled, ahead)]
    design = np.column_stack([*features, np.ones(len(y))])
    rule, *_ = np.linalg.lstsq(design, y.reshape(len(y), -1).astype(float), rcond=None)
    fitted = (design @ rule).reshape(y.shape)
    error = np.sqrt(((y - fitted) ** 2).mean(axis=(0, 1)))
    np.testing.assert_allclose(as_numpy(named["forecast"].scale), error, rtol=1e-2)


def test_adapt_measures_the_errors_of_the_simple_forecast_in_own_units():
    train, _ = Framing(4, targets=["a", "b"]).windows(make_table()).split(40)
    model = build_model(train.framing, units=2, scaling="series", skip="last")
    adapt(model, train, batch_size=7)
    inputs, y = train.arrays()
    forecast = model.get_layer("forecast")
    _, simple, unit = map(as_numpy, keras.Model(model.input, forecast.input)(inputs))
    np.testing.assert_allclose(simple[:, 0], inputs[:, -1], rtol=1e-6)
    error = np.sqrt((((y - simple) / unit) ** 2).mean(axis=(0, 1)))
    np.testing.assert_allclose(as_numpy(forecast.scale), error, rtol=1e-4)


@pytest.mark.parametrize(("scaling", "skip"), [*itertools.product(SCALINGS, SKIPS)])
def test_rows_after_the_training_part_are_not_in_the_scaling(scaling, skip):
    weights = []
    for spoil in (False, True):
        table = make_table()
        if spoil:
            table.iloc[40:, :3] = 1e6
        train, _ = Framing(4, **FRAMING).windows(table).split(40)
        keras.utils.set_random_seed(0)
        season = 4 if skip in SEASONAL else None
        model = build_model(train.framing, units=2, scaling=scaling, skip=skip, season=season)
        adapt(model, train)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_last_training_row_is_in_the_scaling():
    """The test above can fail: a row before the border does change what is measured."""
    weights = []
    for spoil in (False, True):
        table = make_table()
        if spoil:
            table.iloc[39, :3] = 1e6
        train, _ = Framing(4, **FRAMING).windows(table).split(40)
        keras.utils.set_random_seed(0)
        model = build_model(train.framing, units=2)
        adapt(model, train)
        weights.append(model.get_weights())
    assert any(not np.array_equal(a, b) for a, b in zip(*weights, strict=True))
