"""A weighted mean of simple forecasts, logarithms, and the units that errors are counted in."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tsforecast import Forecaster, Framing, build_model, fit, predict, with_horizon
from tsforecast.layers import (
    AddToCombination,
    ErrorUnits,
    Logarithms,
    OwnSpread,
    SimpleForecasts,
)
from tsforecast.models import DECODERS
from tsforecast.training import adapt


def panel(series: int = 3, rows: int = 120, season: int = 6) -> pd.DataFrame:
    """Positive series of very different size with a season and a drift."""
    rng, parts = np.random.default_rng(0), []
    for number in range(series):
        time = np.arange(rows)
        y = 10**number * (10 + 3 * np.sin(2 * np.pi * time / season))
        y = y * np.exp(0.02 * rng.normal(size=rows).cumsum())
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": time, "y": y}))
    return pd.concat(parts, ignore_index=True)


def simple_forecasts(history: np.ndarray, seasons: list[int], horizon: int, lead: int) -> list:
    """The same in plain loops over steps, for one column."""
    now, shortest = len(history), min(seasons)

    def same_time(step: int, season: int, back: int) -> float | None:
        row = now - 1 + step
        while row > now - 1:
            row -= season
        row -= season * (back - 1)
        return history[row] if row >= 0 else None

    def level(end: int) -> float | None:
        return history[end - shortest : end].mean() if end >= shortest else None

    steps = range(lead, lead + horizon)
    found = [[history[-1] for _ in steps]]
    for season in seasons:
        backs = [[same_time(step, season, back) for step in steps] for back in range(1, now + 1)]
        backs = [back for back in backs if None not in back]
        found += [backs[0], *backs[1:2], np.mean(backs, axis=0)]
        moved = []
        for number, back in enumerate(backs, 1):
            then = level(now - season * number)
            if then is not None:
                moved.append(np.array(back) + level(now) - then)
        if moved:
            found += [moved[0], np.mean(moved, axis=0)]
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 5), st.integers(1, 3), st.integers(1, 9), st.integers(0, 2), st.integers(0, 9)
)
def test_simple_forecasts_against_loops(season, times, horizon, lead, more):
    seasons = [season, season * times] if times > 1 else [season]
    lookback = max(seasons) + more
    x = np.random.default_rng(0).normal(size=(2, lookback, 3)).astype("float32")
    layer = SimpleForecasts(seasons, horizon, targets=2, lead=lead)
    found = ops.convert_to_numpy(layer(x))
    for sample, column in np.ndindex(2, 2):
        wanted = simple_forecasts(x[sample, :, column].astype(float), seasons, horizon, lead)
        np.testing.assert_allclose(found[sample, :, :, column], wanted, atol=1e-5)


def test_what_the_network_adds_and_weighs():
    rng = np.random.default_rng(0)
    correction = rng.normal(size=(4, 3, 2)).astype("float32")
    weights = rng.normal(size=(4, 3, 2 * 5)).astype("float32")
    simple = rng.normal(size=(4, 5, 3, 2)).astype("float32")
    layer = AddToCombination()
    found = ops.convert_to_numpy(layer([correction, weights, simple]))
    for sample, step, target in np.ndindex(4, 3, 2):
        shares = np.exp(weights[sample, step, 5 * target : 5 * target + 5])
        mean = shares @ simple[sample, :, step, target] / shares.sum()
        assert found[sample, step, target] == pytest.approx(
            mean + correction[sample, step, target], abs=1e-5
        )


@pytest.mark.parametrize("scaling", ["none", "standard", "window", "series", "log"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_training_starts_from_the_plain_mean(decoder, scaling):
    windows = Framing(12, horizon=4).windows(panel())
    model = build_model(
        windows.framing,
        decoder=decoder,
        units=3,
        scaling=scaling,
        skip="combination",
        season=[3, 6],
    )
    adapt(model, windows)
    X = windows.X.astype("float32")
    layer = SimpleForecasts([3, 6], 4, targets=1)
    if scaling == "log":
        mean = np.exp(ops.convert_to_numpy(layer(np.log(X))).mean(axis=1))
    else:
        mean = ops.convert_to_numpy(layer(X)).mean(axis=1)
    np.testing.assert_allclose(predict(model, windows), mean, rtol=1e-4)
    fit(model, windows, epochs=3, loss="mae", seed=0)
    assert not np.allclose(predict(model, windows), mean, rtol=1e-4)


@pytest.mark.parametrize("skip", ["none", "combination"])
def test_in_logarithms_a_series_times_a_thousand_is_forecast_times_a_thousand(skip):
    table = panel()
    chosen = {"skip": skip, "season": 6 if skip == "combination" else None}
    forecaster = Forecaster(12, horizon=3, units=4, scaling="log", epochs=2, **chosen).fit(table)
    larger = table.assign(y=1000 * table["y"])
    once, more = forecaster.forecast(table)["y"], forecaster.forecast(larger)["y"]
    np.testing.assert_allclose(more, 1000 * once, rtol=1e-4)
    assert (once > 0).all()


def test_the_loss_of_logarithms_counts_in_each_windows_own_units():
    windows = Framing(12, horizon=3).windows(panel())
    model = build_model(windows.framing, units=2, scaling="log", skip="combination", season=6)
    history = fit(model, windows, epochs=1, batch_size=10_000, learning_rate=1e-9, loss="mae")
    X, y = windows.X.astype(float)[:, :, 0], windows.y.astype(float)[:, :, 0]
    naive = np.abs(X[:, 6:] - X[:, :-6]).mean(axis=1) + 1e-3 * X.mean(axis=1)
    unit = 1 / (1 / naive + 10 / X.mean(axis=1))
    error = np.abs(y - predict(model, windows)[:, :, 0]) / unit[:, None]
    assert history.history["loss"][0] == pytest.approx(error.mean(), rel=1e-3)


def test_the_loss_owa_is_the_competitions_in_percent():
    windows = Framing(12, horizon=3).windows(panel())
    model = build_model(windows.framing, units=2, scaling="log", skip="combination", season=6)
    history = fit(model, windows, epochs=1, batch_size=10_000, learning_rate=1e-9, loss="owa")
    X, y = windows.X.astype(float)[:, :, 0], windows.y.astype(float)[:, :, 0]
    forecast = predict(model, windows)[:, :, 0]
    naive = np.abs(X[:, 6:] - X[:, :-6]).mean(axis=1, keepdims=True)
    mase = np.abs(y - forecast) / (naive + 1e-3 * X.mean(axis=1, keepdims=True))
    smape = 2 * np.abs(y - forecast) / (y + forecast)
    percent = 50 * (mase / 2.395 + smape / 0.18383).mean()
    assert history.history["loss"][0] == pytest.approx(percent, rel=1e-3)


def test_the_loss_owa_trains_and_needs_logarithms():
    windows = Framing(12, horizon=3).windows(panel())
    chosen = {"units": 4, "skip": "combination", "season": 6}
    model = build_model(windows.framing, scaling="log", **chosen)
    told = {"epochs": 10, "batch_size": 64, "loss": "owa", "seed": 0}
    before = fit(model, windows, **told, learning_rate=1e-9).history["loss"][-1]
    assert fit(model, windows, **told).history["loss"][-1] < 0.95 * before
    with pytest.raises(ValueError, match=r"loss='owa' counts in percents.*scaling='log'"):
        fit(build_model(windows.framing, scaling="series", **chosen), windows, loss="owa")
    quantiles = build_model(windows.framing, scaling="log", quantiles=[0.1, 0.5, 0.9], **chosen)
    with pytest.raises(ValueError, match="pinball"):
        fit(quantiles, windows, loss="owa")


def test_logarithms_need_positive_numbers_and_survive_others_later():
    table = panel()
    spoiled = table.assign(y=table["y"].where(table.index != 50, 0.0))
    forecaster = Forecaster(12, units=2, scaling="log", epochs=1)
    with pytest.raises(ValueError, match=r"percents.*hold 0.*scaling='series'"):
        forecaster.fit(spoiled)
    forecaster.fit(table)
    dead = table.assign(y=table["y"].where(table["unique_id"] != "s1", 0.0))
    assert np.isfinite(forecaster.forecast(dead)["y"]).all()
    logarithms = Logarithms(1)
    logarithms.build((None, 3, 2))
    with pytest.raises(ValueError, match="-5"):
        logarithms.adapt([(np.ones((1, 3, 2)), np.full((1, 2, 1), -5.0))])


@pytest.mark.parametrize("skip", ["last", "combination"])
@pytest.mark.parametrize("scaling", ["standard", "series", "log"])
def test_errors_have_a_unit_of_the_windows_own_where_scaling_has(scaling, skip):
    windows = Framing(12, horizon=3).windows(panel())
    season = 6 if skip == "combination" else None
    model = build_model(windows.framing, units=2, scaling=scaling, skip=skip, season=season)
    unit = model.get_layer("forecast").own_unit
    assert (unit is None) == (scaling == "standard")
    assert unit is None or unit.shape == (None, 1, 1)


def test_the_least_logarithm_is_that_of_each_target():
    logarithms = Logarithms(2)
    logarithms.build((None, 3, 2))
    x = np.array([[[200.0, 3e4], [300.0, 4e4], [400.0, 5e4]]])
    logarithms.adapt([(x, np.array([[[500.0, 2e4]]])), (x * 2, np.array([[[900.0, 9e4]]]))])
    np.testing.assert_allclose(ops.convert_to_numpy(logarithms.least), [2.0, 200.0])


def test_a_unit_is_never_zero():
    flat = np.full((1, 8, 1), 7.0)
    unit = float(ops.convert_to_numpy(ErrorUnits(2, 1)(flat)).ravel()[0])
    assert 0 < unit < 0.7


@pytest.mark.parametrize("skip", ["last", "season", "linear", "combination"])
def test_what_swings_twice_as_much_is_corrected_twice_as_much(skip):
    table = panel(series=1)
    windows = Framing(12, horizon=3).windows(table)
    season = 6 if skip in ("season", "combination") else None
    model = build_model(windows.framing, units=4, scaling="log", skip=skip, season=season)
    adapt(model, windows)  # random weights, so there is a correction
    x = windows.X[:5].astype("float64")
    last = x[:, -1:]
    found = ops.convert_to_numpy(model(x))
    for factor in (1.0, 2.0, 3.0):  # of the logarithms' way from the last value
        moved = ops.convert_to_numpy(model(10 * last * (x / last) ** factor))
        change = np.log(found / last)
        wanted = 10 * last * np.exp(factor * change)  # ten times the level changes nothing else
        np.testing.assert_allclose(moved, wanted, rtol=0.02)
    assert np.abs(change).mean() > 0.01


def test_a_spread_is_never_zero():
    x, spread = OwnSpread(1)(np.zeros((1, 8, 2)))
    assert ops.convert_to_numpy(spread).ravel() == pytest.approx(0.01)
    assert np.isfinite(ops.convert_to_numpy(x)).all()


@pytest.mark.parametrize("strategy", ["joint", "direct", "recursive"])
def test_a_forecaster_keeps_what_it_weighs(strategy, tmp_path):
    forecaster = Forecaster(
        12,
        horizon=3,
        encoder="patched",
        patch=6,
        depth=2,
        units=4,
        dropout=0.2,
        scaling="log",
        skip="combination",
        season=(6, 12),
        strategy=strategy,
        epochs=1,
    ).fit(panel())
    forecaster.save(tmp_path / "kept.keras")
    again = Forecaster.load(tmp_path / "kept.keras").forecast()
    pd.testing.assert_frame_equal(again, forecaster.forecast())


def test_intervals_of_a_combination_contain_the_point_forecast():
    forecaster = Forecaster(
        12,
        horizon=2,
        units=4,
        scaling="log",
        skip="combination",
        season=6,
        level=[80],
        intervals="both",
        epochs=2,
    )
    table = forecaster.fit(panel()).forecast()
    assert (table["y-lo-80"] <= table["y"]).all() and (table["y"] <= table["y-hi-80"]).all()


@pytest.mark.parametrize("decoder", ["encoder_decoder", "autoregressive", "attention"])
def test_another_horizon(decoder):
    chosen = {"units": 3, "skip": "combination", "season": 6, "decoder": decoder}
    windows = Framing(12, horizon=3).windows(panel())
    model = build_model(windows.framing, **chosen)
    fit(model, windows, epochs=1, seed=0)
    longer = with_horizon(model, 5)
    X = windows.X[:10].astype("float32")
    found = ops.convert_to_numpy(longer(X))[:, :3]
    np.testing.assert_allclose(found, ops.convert_to_numpy(model(X)), rtol=1e-5)
    vector = build_model(windows.framing, **chosen | {"decoder": "vector"})
    with pytest.raises(ValueError, match="made for its horizon of 3"):
        with_horizon(vector, 5)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"skip": "combination"}, "season="),
        ({"skip": "combination", "season": (6, 24)}, "lookback=12"),
        ({"skip": "combination", "season": 2.5}, "season"),
        ({"skip": "season", "season": (3, 6)}, "names several"),
        ({"skip": "last", "season": 6}, "'season' and 'combination' only"),
        ({"skip": "combination", "season": 6, "use_target_history": False}, "target"),
        ({"scaling": "log", "use_target_history": False}, "target"),
        ({"scaling": "log", "missing": "mask"}, "scaling='log' reads every"),
        ({"skip": "combination", "season": 6, "missing": "mask"}, "skip='combination' reads every"),
    ],
)
def test_what_cannot_be_combined_is_said_at_once(wrong, words):
    past = {} if wrong.get("use_target_history", True) else {"past_covariates": ["x"]}
    with pytest.raises(ValueError, match=words):
        Forecaster(12, targets="y", **past, **wrong)


def test_the_keras_file_is_plain(tmp_path):
    windows = Framing(12, horizon=3).windows(panel())
    model = build_model(windows.framing, units=3, scaling="log", skip="combination", season=6)
    fit(model, windows, epochs=1, seed=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(again, windows), predict(model, windows))


def test_a_linear_rule_in_logarithms_is_the_least_squares_rule_of_logarithms():
    windows = Framing(6, horizon=2).windows(panel(series=2))
    model = build_model(windows.framing, units=2, scaling="log", skip="linear")
    adapt(model, windows)
    rule = next(layer for layer in model.layers if layer.name == "linear")
    read = keras.Model(model.input, [*rule.input, rule.output])
    found = read(windows.X.astype("float32"))
    features, last, spread, fitted = (ops.convert_to_numpy(x) for x in found)
    design = np.column_stack([features, np.ones(len(features))]).astype(float)
    rest = ((np.log(windows.y) - last) / spread)[..., 0]  # in the window's own spread
    weights, *_ = np.linalg.lstsq(design, rest, rcond=None)
    np.testing.assert_allclose(
        fitted[..., 0], design @ weights * spread[..., 0] + last[..., 0], atol=1e-3
    )


def test_a_decoder_of_ones_own_may_drop_too():
    def drops(state, horizon, targets, units=50, activation="tanh", future=None):
        x = keras.layers.Dropout(0.1)(keras.layers.Dense(horizon * targets)(state))
        return keras.layers.Reshape((horizon, targets))(x)

    model = build_model(Framing(12), decoder=drops, units=3, dropout=0.2)
    assert model.output_shape == (None, 1, 1)
    both = build_model(Framing(12), decoder=drops, units=3, skip="combination", season=6)
    assert both.output_shape == (None, 1, 1)
