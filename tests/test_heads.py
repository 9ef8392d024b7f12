"""What a model can answer with besides numbers: quantiles, events, classes."""

import keras
import numpy as np
import pandas as pd
import pytest

from tsforecast import (
    Framing,
    adapt,
    build_model,
    fit,
    forecast,
    forecast_table,
    load_model,
    models,
    predict,
    score,
    training,
    with_horizon,
)
from tsforecast.layers import LabelLoss, QuantileLoss, Quantiles
from tsforecast.models import head_of, quantiles_of

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
    (decoder, scaling, models.SKIPS[(number + shift) % 5])
    for number, decoder in enumerate(models.DECODERS)
    for shift, scaling in enumerate(models.SCALINGS)
]  # every skip with every scaling, and three with every decoder


# --- quantiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decoder", "scaling", "skip"), RECIPES)
def test_quantiles_with_every_decoder_scaling_and_skip(decoder, scaling, skip, tmp_path):
    keras.utils.set_random_seed(0)
    windows = FRAMING.windows(table())
    options = {"decoder": decoder, "scaling": scaling, "skip": skip, "units": 3}
    season = 3 if skip in models.SEASONAL else None
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
    season = 3 if skip in models.SEASONAL else None
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


# --- events and classes ---------------------------------------------------------------------------


def labelled(rows=60, seed=0):
    """A rare event that comes two rows after a high value; a class that counts 0, 1, 2."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    event = np.roll(x > 1.0, 2).astype(float)
    event[:2] = 0
    frame = {"event": event, "other": 1 - event, "kind": np.arange(rows) % 3.0, "x": x}
    return pd.DataFrame(frame, index=pd.date_range("2024", periods=rows, freq="D"))


def event_windows(rows=60, **options):
    return Framing(4, targets="event", past_covariates="x", **options).windows(labelled(rows))


HEADS = {"event": (["event", "other"], None), "class": ("kind", 3)}


@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.filterwarnings(
    "ignore:[^T]*The structure of `inputs`"
)  # Keras 3.10: of a loaded model
def test_chances_with_every_decoder(head, decoder, tmp_path):
    keras.utils.set_random_seed(0)
    targets, classes = HEADS[head]
    windows = Framing(4, horizon=2, targets=targets, past_covariates="x").windows(labelled())
    model = build_model(windows.framing, decoder=decoder, units=3, head=head, classes=classes)
    adapt(model, windows)
    X, _ = windows.arrays()
    chances = as_numpy(model(X))
    assert chances.shape == (len(windows), 2, classes or 2)
    assert ((chances > 0) & (chances < 1)).all()
    if head == "class":
        np.testing.assert_allclose(chances.sum(axis=-1), 1, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert head_of(loaded) == head
    np.testing.assert_array_equal(as_numpy(loaded(X)), chances)
    if decoder not in ("vector", "patchwise", "stepwise"):  # their weights are made for the horizon
        np.testing.assert_allclose(as_numpy(with_horizon(model, 4)(X))[:, :2], chances, rtol=1e-5)


def test_an_event_is_learned_and_a_class_too():
    train, test = event_windows(600).split(labelled(600).index[500])
    model = build_model(train.framing, units=8, head="event")
    fit(model, train, epochs=20, learning_rate=0.03, seed=0)
    chances = predict(model, test)
    assert ((chances > 0.5) == (test.y == 1)).mean() > 0.97

    windows = Framing(4, targets="kind").windows(labelled(300))
    model = build_model(windows.framing, units=8, head="class", classes=3)
    fit(model, windows, epochs=20, learning_rate=0.03, seed=0)
    assert (predict(model, windows).argmax(axis=-1) == windows.y[..., 0]).all()


def test_chances_of_pure_noise_are_the_share_and_weights_move_them():
    """Without anything to learn, the chance is the share of events, in weighted counts."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"event": (rng.random(2000) < 0.1).astype(float)})
    windows = Framing(1, targets="event").windows(table)
    share = windows.y.mean()
    for weight, expected in (("balanced", 0.5), ({0: 1, 1: 3}, 3 * share / (2 * share + 1))):
        model = build_model(windows.framing, units=2, head="event")
        fit(model, windows, epochs=3, learning_rate=0.03, class_weight=weight, seed=0)
        assert predict(model, windows).mean() == pytest.approx(expected, abs=0.05)


def test_the_label_loss_by_hand():
    rng = np.random.default_rng(0)
    y = (rng.random((5, 2, 2)) < 0.5).astype("float32")
    chances = rng.uniform(0.1, 0.9, (5, 2, 2)).astype("float32")
    weights = [[1.0, 4.0], [0.5, 2.0]]
    total = 0.0
    for w, h, t in np.ndindex(5, 2, 2):
        right = chances[w, h, t] if y[w, h, t] else 1 - chances[w, h, t]
        total -= weights[t][int(y[w, h, t])] * np.log(right)
    loss = LabelLoss("event", weights)
    assert float(loss(y, chances)) == pytest.approx(total / 20, rel=1e-4)

    codes = rng.integers(0, 3, (5, 2, 1)).astype("float32")
    chances = rng.dirichlet(np.ones(3), (5, 2)).astype("float32")
    total = 0.0
    for w, h in np.ndindex(5, 2):
        code = int(codes[w, h, 0])
        total -= (1.0, 2.0, 5.0)[code] * np.log(chances[w, h, code])
    loss = LabelLoss.from_config(LabelLoss("class", [1.0, 2.0, 5.0]).get_config())
    assert float(loss(codes, chances)) == pytest.approx(total / 10, rel=1e-4)


def test_balanced_counts_every_label_as_much_in_all():
    weights = training._as_weights("balanced", np.array([90, 10]))
    np.testing.assert_allclose(weights * [90, 10], [50, 50])
    np.testing.assert_array_equal(training._as_weights({1: 20, 0: 1}, np.array([90, 10])), [1, 20])


def test_rows_after_the_training_part_do_not_reach_a_fitted_classifier():
    weights = []
    for spoil in (False, True):
        table = labelled()
        if spoil:
            table.loc[table.index[40] :, ["event", "x"]] = [1.0, 1e6]
        train, _ = (
            Framing(4, targets="event", past_covariates="x").windows(table).split(table.index[40])
        )
        model = build_model(train.framing, units=2, head="event")
        fit(model, train, epochs=2, class_weight="balanced", seed=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": "events"}, r"no head 'events'.*number, event, class"),
        ({"head": "class"}, r"classes must be a whole number, 2 or more; got None"),
        ({"head": "class", "classes": 1}, r"classes must be a whole number, 2 or more; got 1"),
        ({"head": "event", "classes": 2}, r"classes=2 is read by head='class' only.*'event'"),
        ({"classes": 2}, r"classes=2 is read by head='class' only.*'number'"),
        ({"head": "event", "skip": "last"}, r"no simple forecast.*skip='last'"),
        ({"head": "event", "scaling": "window"}, r"scaling='standard'.*got scaling='window'"),
        ({"head": "event", "quantiles": LEVELS}, r"no quantile.*quantiles=\(0.05, 0.5, 0.9\)"),
    ],
)
def test_wrong_heads(options, words):
    with pytest.raises(ValueError, match=words):
        build_model(Framing(3), units=2, **options)


def test_one_column_of_classes():
    with pytest.raises(ValueError, match=r"2 targets \['a', 'b'\].*class codes"):
        build_model(Framing(3, targets=["a", "b"]), head="class", classes=3)


def spoiled(column, value):
    table = labelled()
    table.loc[table.index[7], column] = value
    return table


@pytest.mark.parametrize(
    ("head", "table", "arguments", "words"),
    [
        ("event", spoiled("event", 0.5), {}, r"'event' holds 0.5.*from 0 to 1.*> limit"),
        ("class", spoiled("kind", 3), {}, r"'kind' holds 3,.*from 0 to 2.*cat.codes"),
        ("class", spoiled("kind", -1), {}, r"'kind' holds -1"),
        ("event", labelled().assign(event=0.0), {}, r"'event': they hold 56 of 0, 0 of 1.*longer"),
        ("class", labelled().assign(kind=1.0), {}, r"'kind': they hold 0 of 0, 56 of 1, 0 of 2"),
        ("event", labelled(), {"class_weight": {1: 20}}, r"each label \[0, 1\]; got \{1: 20\}"),
        ("event", labelled(), {"class_weight": "balance"}, r"'balanced' or a dict.*'balance'"),
        ("event", labelled(), {"class_weight": {0: 1, 1: 0}}, r"weight must be a number above 0"),
        ("event", labelled(), {"loss": "mse"}, r"head='event'.*cross-entropy.*loss='mse' out"),
        ("number", labelled(), {"class_weight": "balanced"}, r"forecasts numbers.*head='event'"),
    ],
)
def test_wrong_labels_and_weights_before_training(head, table, arguments, words):
    target = "kind" if head == "class" else "event"
    windows = Framing(4, targets=target).windows(table)
    classes = 3 if head == "class" else None
    model = build_model(windows.framing, units=2, head=head, classes=classes)
    before = model.get_weights()
    with pytest.raises(ValueError, match=words):
        fit(model, windows, seed=0, **arguments)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_forecasts_and_tables_of_every_head():
    table = labelled()
    windows = Framing(4, horizon=2, targets="x").windows(table)
    model = build_model(windows.framing, units=2, quantiles=(0.05, 0.1, 0.5, 0.9))
    adapt(model, windows)
    values = predict(model, windows[5:])
    frame = forecast_table(model, windows[5:])
    names = ["LSTM", "LSTM-lo-80", "LSTM-hi-80", "naive"]  # 0.05 has no partner
    assert list(frame.columns[5:]) == names
    for name, quantile in (("LSTM", 2), ("LSTM-lo-80", 1), ("LSTM-hi-80", 3)):
        np.testing.assert_allclose(frame[name], values[:, :, 0, quantile].ravel())
    assert [*score(frame, windows[5:]).index.sort_values()] == ["LSTM", "naive"]
    ahead = forecast(model, windows.framing, table)
    assert list(ahead.columns) == ["ds", "cutoff", "x"]
    np.testing.assert_allclose(
        ahead["x"], as_numpy(model(windows.framing.last_window(table)))[0, :, 0, 2], rtol=1e-5
    )

    windows = Framing(4, horizon=2, targets="kind").windows(table)
    model = build_model(windows.framing, units=2, head="class", classes=3)
    adapt(model, windows)
    ahead = forecast(model, windows.framing, table)
    assert list(ahead.columns) == ["ds", "cutoff", "kind=0", "kind=1", "kind=2"]
    np.testing.assert_allclose(ahead.iloc[:, 2:].astype(float).sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match=r"'LSTM' answers with chances.*class_table"):
        forecast_table(model, windows)
