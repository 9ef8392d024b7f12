"""The templates: each runs on NumPy and Keras alone, and is the package's model."""

import ast
import contextlib
import io
import re
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.tutorial import MODELS, settings
from tsforecast import build_model, datasets, fit
from tsforecast.training import adapt

FOLDER = Path(__file__).resolve().parents[1] / "book" / "templates"
TEMPLATES = sorted(FOLDER.glob("*.py"))
PAIRS = pytest.mark.parametrize(
    "path, model", list(zip(TEMPLATES, MODELS, strict=True)), ids=[path.stem for path in TEMPLATES]
)
# The tutorial's last window stops a row before the end of the data; the template's does not.
FROM_THE_LAST_ROW = {
    "11_parallel_multistep": (
        [[70, 75, 145], [80, 85, 165], [90, 95, 185]],
        [[100, 105, 205], [110, 115, 225]],
    )
}


def run(path):
    """The script's names and what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        names = runpy.run_path(str(path))
    return names, printed.getvalue()


def without_names(config):
    """A layer's configuration without what Keras numbers or looks up by itself."""
    if isinstance(config, dict):
        own = ("name", "build_config", "registered_name", "shared_object_id")
        return {key: without_names(value) for key, value in config.items() if key not in own}
    if isinstance(config, (list, tuple)):
        return [without_names(value) for value in config]
    return config


def network_of(package):
    """The package's model without its scaling and its simple forecast."""
    scaled = package.get_layer("scaling").output
    return keras.Model(scaled, package.get_layer("forecast").input[0])


def numbers(tensor):
    return keras.ops.convert_to_numpy(getattr(tensor, "value", tensor))


@pytest.mark.parametrize("path", TEMPLATES, ids=[path.stem for path in TEMPLATES])
def test_template_is_short_and_needs_numpy_and_keras_only(path):
    tree = ast.parse(path.read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported == {"keras", "numpy"}
    assert len(path.read_text().splitlines()) <= 40
    assert ast.get_docstring(tree)


@PAIRS
def test_template_is_the_packages_model(path, model):
    names, printed = run(path)
    template, forecast = names["model"], names["forecast"]
    given, expected = FROM_THE_LAST_ROW.get(path.stem, (model.given, model.expected))

    # It prints its forecast, and the forecast is right.
    shown = np.array(re.findall(r"\d+\.\d*", printed), dtype=float).reshape(np.shape(expected))
    np.testing.assert_allclose(shown, forecast[0], atol=0.051)
    np.testing.assert_allclose(shown, expected, rtol=0.01)

    # The same windows.
    windows = model.framing.windows(datasets.toy(model.table))
    np.testing.assert_array_equal(names["X"], windows.X)
    np.testing.assert_array_equal(names["y"], windows.y)

    # The same layers with the same settings in the same order, and as many weights.
    package = build_model(
        windows.framing,
        encoder=model.encoder,
        decoder=model.decoder,
        units=model.units,
        **settings(model, "package")[0],
        **model.options,
    )
    network = network_of(package)
    assert [type(layer) for layer in template.layers] == [type(x) for x in network.layers[1:]]
    for ours, theirs in zip(template.layers, network.layers[1:], strict=True):
        assert without_names(ours.get_config()) == without_names(theirs.get_config())
    trainable = sum(weight.shape.num_elements() for weight in package.trainable_weights)
    assert template.count_params() == trainable

    # The same scaling.
    adapt(package, windows)
    scaled = package.get_layer("scaling")(np.asarray(windows.X, dtype="float32"))
    np.testing.assert_allclose(names["inputs"][: len(windows)], numbers(scaled), atol=1e-5)
    unit = np.ravel(names.get("unit_y", names.get("unit")))
    np.testing.assert_allclose(unit, numbers(package.get_layer("forecast").scale), rtol=1e-4)
    if "rule" in names:
        linear = package.get_layer("linear")
        rule = np.vstack([numbers(linear.kernel), numbers(linear.bias)])
        np.testing.assert_allclose(names["rule"], rule, rtol=1e-3, atol=1e-3)

    # The same forecast with the same weights, and with the same seed.
    window = np.array([given], dtype="float32")
    network.set_weights(template.get_weights())
    np.testing.assert_allclose(package.predict(window, verbose=0), forecast, rtol=1e-4)
    epochs = names["many"][0]
    fit(package, windows, epochs=epochs, optimizer=keras.optimizers.Adam(0.005), seed=0)
    np.testing.assert_allclose(package.predict(window, verbose=0), forecast, rtol=1e-4)


@pytest.mark.parametrize(
    "stem, expected",
    [("06_multiple_input", [[205]]), ("10_multiple_input_multistep", [[205], [225]])],
)
def test_a_nowcast_template_forecasts_with_lead_1(stem, expected, tmp_path):
    text = (FOLDER / f"{stem}.py").read_text()
    text = re.sub(r"(lookback, horizon, lead = \d, \d), 0", r"\1, 1", text)
    text = re.sub(r"window = np.vstack.*", "window = data[-lookback:]", text)
    script = tmp_path / "lead.py"
    script.write_text(text)
    names, _ = run(script)
    assert names["lead"] == 1
    np.testing.assert_allclose(names["forecast"][0], expected, rtol=0.01)
