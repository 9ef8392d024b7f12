"""What a model can answer with besides numbers: quantiles."""

import keras
import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, adapt, build_model, fit, load_model, models, predict, with_horizon
from tsforecast.layers import QuantileLoss, Quantiles
from tsforecast.models import quantiles_of

LEVELS = (0.05, 0.5, 0.9)


def table(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(100, 10, rows).cumsum() for name in "abc"}
    return pd.DataFrame(values | {"s": 3.0})


def as_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


FRAMING = Framing(
    4, horizon=2, targets=["a", "b"], future_covariates="c", static_covariates="s"
)  # every kind of input
RECIPES = [
    (decoder, scaling, models.SKIPS[(number + shift) % 4])
    for number, decoder in enumerate(models.DECODERS)
    for shift, scaling in enumerate(models.SCALINGS)
]  # every skip with every scaling, and three with every decoder


# --- quantiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decoder", "scaling", "skip"), RECIPES)
def test_quantiles_with_every_decoder_scaling_and_skip(decoder, scaling, skip, tmp_path):
    keras.utils.set_random_seed(0)
    windows = FRAMING.windows(table())
    options = {"decoder": decoder, "scaling": scaling, "skip": skip, "units": 3}
    season = 3 if skip == "season" else None
    model = build_model(windows.framing, **options, season=season, quantiles=LEVELS)
    adapt(model, windows)
    inputs, _ = windows.arrays()
    wild = [10 * w if w.ndim == 2 else w for w in model.get_weights()]
    for weights in (model.get_weights(), wild):  # trained or not, quantiles are in order
        model.set_weights(weights)
        forecast = as_numpy(model(inputs))
        assert forecast.shape == (len(windows), 2, 2, 3)
        assert np.isfinite(forecast).all()
        assert (np.diff(forecast, axis=-1) >= 0).all()
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert quantiles_of(loaded) == LEVELS
    np.testing.assert_array_equal(as_numpy(loaded(inputs)), forecast)


@pytest.mark.parametrize("scaling", ["none", "window"])
def test_a_model_with_quantiles_trains_every_weight(scaling):
    windows = FRAMING.windows(table() / 1000)
    model = build_model(windows.framing, units=4, scaling=scaling, quantiles=LEVELS)
    adapt(model, windows)
    before = [as_numpy(weight) for weight in model.trainable_weights]
    history = fit(model, windows, epochs=1, learning_rate=0.1, batch_size=8)
    assert np.isfinite(history.history["loss"]).all()
    assert predict(model, windows).shape == (len(windows), 2, 2, 3)
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, as_numpy(weight)), weight.path


def test_quantiles_learn_the_quantiles():
    """Independent noise: whatever the window, the quantiles are those of the noise."""
    values = np.random.default_rng(0).exponential(10, 4000)
    train, test = Framing(2).windows(values).split(3000)
    model = build_model(train.framing, units=2, scaling="standard", quantiles=LEVELS)
    fit(model, train, epochs=10, batch_size=64, learning_rate=0.03, seed=0)
    forecast = predict(model, test)[:, 0, 0]
    expected = -10 * np.log(1 - np.array(LEVELS))  # of the exponential distribution
    np.testing.assert_allclose(forecast.mean(axis=0), expected, atol=2)
    assert np.ptp(forecast, axis=0).max() < 10  # the window says nothing


def test_an_untrained_model_gives_the_quantiles_of_a_normal_distribution():
    layer = Quantiles((0.025, 0.25, 0.5, 0.75, 0.975), targets=2)
    numbers = np.zeros((1, 3, 10), "float32")
    expected = [-1.959964, -0.6744898, 0, 0.6744898, 1.959964]
    np.testing.assert_allclose(
        as_numpy(layer(numbers)), np.broadcast_to(expected, (1, 3, 2, 5)), atol=1e-5
    )


def test_quantiles_by_hand():
    levels = (0.1, 0.3, 0.5, 0.8)
    layer = Quantiles(levels, targets=2)
    x = np.random.default_rng(0).normal(size=(3, 2, 8))
    result = as_numpy(layer(x.astype("float32")))
    for window, step, target in np.ndindex(3, 2, 2):
        numbers = x[window, step, 4 * target : 4 * target + 4]
        gap = [
            np.log1p(np.exp(number + start))
            for number, start in zip(np.delete(numbers, 2), layer.start, strict=True)
        ]
        middle = numbers[2]
        expected = [middle - gap[1] - gap[0], middle - gap[1], middle, middle + gap[2]]
        np.testing.assert_allclose(result[window, step, target], expected, rtol=1e-4, atol=1e-5)


def test_the_pinball_loss_by_hand():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(5, 2, 3)).astype("float32")
    forecast = rng.normal(size=(5, 2, 3, 2)).astype("float32")
    quantiles, scale = (0.5, 0.9), (1.0, 2.0, 10.0)
    total = 0.0
    for w, h, t, q in np.ndindex(5, 2, 3, 2):
        error = (y[w, h, t] - forecast[w, h, t, q]) / scale[t]
        total += quantiles[q] * error if error > 0 else (quantiles[q] - 1) * error
    loss = QuantileLoss(quantiles, scale)
    assert float(loss(y, forecast)) == pytest.approx(total / 60, rel=1e-5)
    again = QuantileLoss.from_config(loss.get_config())
    assert float(again(y, forecast)) == float(loss(y, forecast))


def test_with_one_quantile_the_median_is_fitted_as_by_half_the_absolute_error():
    windows = Framing(4).windows(table()[["a"]])
    losses = {}
    for quantiles, loss in (((0.5,), None), ((), "mae")):
        model = build_model(windows.framing, units=3, quantiles=quantiles)
        losses[quantiles] = fit(model, windows, epochs=3, loss=loss, seed=0).history["loss"]
    np.testing.assert_allclose(losses[(0.5,)], np.array(losses[()]) / 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("decoder", "skip"),
    [("autoregressive", "none"), ("encoder_decoder", "last"), ("attention", "season")],
)
def test_with_horizon_goes_on_with_quantiles(decoder, skip):
    windows = Framing(4, horizon=2, targets=["a", "b"]).windows(table())
    season = 3 if skip == "season" else None
    options = {"decoder": decoder, "units": 4, "skip": skip, "season": season}
    model = build_model(windows.framing, quantiles=LEVELS, **options)
    adapt(model, windows)
    longer = with_horizon(model, 5)
    X, _ = windows.arrays()
    assert longer.output_shape == (None, 5, 2, 3)
    np.testing.assert_allclose(as_numpy(longer(X))[:, :2], as_numpy(model(X)), rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"decoder": "autoregressive", "skip": "linear"}])
def test_with_horizon_where_quantiles_are_made_for_one(options):
    framing = Framing(4, horizon=2, targets=["a", "b"])
    model = build_model(framing, units=2, quantiles=LEVELS, **options)
    with pytest.raises(ValueError, match=r"made for its horizon of 2 steps"):
        with_horizon(model, 5)


@pytest.mark.parametrize(
    "quantiles",
    [(0.1, 0.9), (0.9, 0.5, 0.1), (0.0, 0.5), (0.5, 1), (0.5, 0.5), 0.5, "half", (5, 50)],
)
def test_wrong_quantiles(quantiles):
    with pytest.raises(ValueError, match=r"quantiles must be .*rising order.*0\.5 .*got "):
        build_model(Framing(3), quantiles=quantiles)


def test_quantiles_have_their_own_loss():
    windows = Framing(4).windows(table()[["a"]])
    model = build_model(windows.framing, units=2, quantiles=LEVELS)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"quantiles \(0.05, 0.5, 0.9\).*pinball.*loss='mse' out"):
        fit(model, windows, loss="mse", seed=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_windows_of_another_shape_and_quantiles():
    model = build_model(Framing(4, targets="a", horizon=2), units=2, quantiles=LEVELS)
    with pytest.raises(ValueError, match=r"forecasts 2 steps x 1 targets.* 3 steps x 1"):
        predict(model, Framing(4, targets="a", horizon=3).windows(table()))
