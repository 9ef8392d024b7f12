"""The registry of the tutorial's models, and the recorded measurement of them."""

import numpy as np
import pytest

from benchmarks import tutorial
from tsforecast import build_model, datasets

MODELS = {model.name: model for model in tutorial.MODELS}
RECORDED = tutorial.read_results()
EACH = pytest.mark.parametrize("name", MODELS)
BOTH = pytest.mark.parametrize("recipe", tutorial.RECIPES)

ROWS = [[10, 15, 25], [20, 25, 45], [30, 35, 65], [40, 45, 85], [50, 55, 105]]
INPUTS = [row[:2] for row in ROWS[:3]]
SERIES = [[10], [20], [30]]


def lstm(units, inputs):
    """Numbers that an LSTM layer learns."""
    return 4 * units * (units + inputs + 1)


# From the tutorial, written down apart from the registry: shapes of X and y, the first window and
# its target, where the forecast starts and what it should be, epochs, and numbers learnt.
UNIVARIATE = [(6, 3, 1), (6, 1, 1), SERIES, [[40]], [[70], [80], [90]], [[100]]]
OF_4 = [(5, 4, 1), (5, 1, 1), [*SERIES, [40]], [[50]], [[60], [70], [80], [90]], [[100]]]
MULTI_STEP = [(5, 3, 1), (5, 2, 1), SERIES, [[40], [50]], [[70], [80], [90]], [[100], [110]]]
TUTORIAL = {
    "Vanilla": [*UNIVARIATE, 200, lstm(50, 1) + 51],
    "Stacked": [*UNIVARIATE, 200, lstm(50, 1) + lstm(50, 50) + 51],
    "Bidirectional": [*UNIVARIATE, 200, 2 * lstm(50, 1) + 101],
    "CNN-LSTM": [*OF_4, 500, 64 * (1 + 1) + lstm(50, 64) + 51],
    "ConvLSTM": [*OF_4, 500, 4 * 64 * (2 * (64 + 1) + 1) + 65],
    "Multiple Input": [
        *[(7, 3, 2), (7, 1, 1), INPUTS, [[65]]],
        *[[[80, 85], [90, 95], [100, 105]], [[205]]],
        *[200, lstm(50, 2) + 51],
    ],
    "Multiple Parallel": [
        *[(6, 3, 3), (6, 1, 3), ROWS[:3], [ROWS[3]]],
        *[[[70, 75, 145], [80, 85, 165], [90, 95, 185]], [[100, 105, 205]]],
        *[400, lstm(100, 3) + lstm(100, 100) + 3 * 101],
    ],
    "Vector Output": [*MULTI_STEP, 50, lstm(100, 1) + lstm(100, 100) + 2 * 101],
    "Encoder-Decoder": [*MULTI_STEP, 100, lstm(100, 1) + lstm(100, 100) + 101],
    "Multiple Input Multi-Step": [
        *[(6, 3, 2), (6, 2, 1), INPUTS, [[65], [85]]],
        *[[[70, 75], [80, 85], [90, 95]], [[185], [205]]],
        *[200, lstm(100, 2) + lstm(100, 100) + 2 * 101],
    ],
    "Multiple Parallel Input Multi-Step": [
        *[(5, 3, 3), (5, 2, 3), ROWS[:3], ROWS[3:]],
        *[[[60, 65, 125], [70, 75, 145], [80, 85, 165]], [[90, 95, 185], [100, 105, 205]]],
        *[300, lstm(200, 3) + lstm(200, 200) + 3 * 201],
    ],
}


def test_the_registry_has_the_tutorials_eleven_models_in_order():
    assert list(MODELS) == list(TUTORIAL)
    assert len(MODELS) == 11


@EACH
def test_registry_is_the_tutorials(name):
    model = MODELS[name]
    shape_x, shape_y, window, target, given, expected, epochs, parameters = TUTORIAL[name]
    windows = model.framing.windows(datasets.toy(model.table))
    assert windows.X.shape == shape_x
    assert windows.y.shape == shape_y
    np.testing.assert_array_equal(windows.X[0], window)
    np.testing.assert_array_equal(windows.y[0], target)
    assert (model.given, model.expected, model.epochs) == (given, expected, epochs)
    network = build_model(
        windows.framing,
        encoder=model.encoder,
        decoder=model.decoder,
        units=model.units,
        scaling="none",
        **model.options,
    )
    assert network.count_params() == parameters


def test_expected_value_follows_the_last_window_where_the_tutorial_forecasts():
    """The given window is the last of the table but for two rows, which the book explains."""
    elsewhere = {"Multiple Input", "Multiple Parallel Input Multi-Step"}
    for name, model in MODELS.items():
        last = model.framing.last_window(datasets.toy(model.table))[0]
        assert np.array_equal(last, model.given) == (name not in elsewhere)


def test_the_record_has_every_model_and_nothing_else():
    assert list(RECORDED) == list(MODELS)


@BOTH
@EACH
def test_record_is_whole_and_adds_up(name, recipe):
    model, entry = MODELS[name], RECORDED[name]
    assert {key: entry[key] for key in tutorial.describe(model)} == tutorial.describe(model)
    found = entry[recipe]
    build, train = tutorial.settings(model, recipe)
    assert {key: found[key] for key in build} == build
    assert found["optimizer"].startswith("Adam, 0.001" if train else "Adam, 0.005")
    assert found["epochs"] == model.epochs
    assert found["parameters"] == TUTORIAL[name][-1]
    assert found["seeds"] == list(range(20))
    values = np.array(found["predictions"])
    assert values.shape == (20, *np.shape(model.expected))
    again = tutorial.summary(model.expected, found["predictions"])
    for key, value in again.items():
        np.testing.assert_allclose(found[key], value, atol=1e-6)
    assert {"date", "commit", "python", "versions", "machine", "seconds"} <= set(found)
    assert set(found["versions"]) >= {"keras", "numpy"}


@EACH
def test_with_scaling_every_seed_is_within_1_percent(name):
    found, expected = RECORDED[name]["package"], np.array(MODELS[name].expected)
    errors = np.abs(np.array(found["predictions"]) / expected - 1)
    assert (errors <= 0.01).all()
    assert found["within_1_percent"] == 20


def test_the_record_shows_what_no_reader_could_reproduce():
    """Vector output at the tutorial's 50 epochs has not learnt its own training windows yet."""
    found = RECORDED["Vector Output"]["tutorial"]
    assert found["within_1_percent"] == 0
    assert found["worst_error_on_training_windows"] > 0.1


def test_readme_shows_the_record():
    text = (tutorial.ROOT / "benchmarks" / "README.md").read_text()
    assert tutorial.table(RECORDED) in text


@pytest.mark.parametrize(
    "name, recipe",
    [("Vanilla", "tutorial"), ("Vector Output", "package"), ("Multiple Input", "package")],
)
def test_a_seed_gives_its_recorded_prediction_again(name, recipe):
    seed = 3
    again = tutorial.predictions(MODELS[name], recipe, [seed])["predictions"][0]
    np.testing.assert_allclose(again, RECORDED[name][recipe]["predictions"][seed], rtol=1e-3)
