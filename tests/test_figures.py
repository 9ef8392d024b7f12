"""Figures can be read by everybody: contrast on the white page and on the dark one, and colours
that do not run together for those who see fewer of them."""

import io
import itertools
import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch
from PIL import Image

import tsforecast as tsf
from tsforecast import models
from tsforecast.plotting import BLUE, GREEN, GREY, INK, ORANGE, PURPLE

ROOT = Path(__file__).resolve().parents[1]
CSS = ROOT / "book" / "_static" / "book.css"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WHITE, DARK_PAGE = (1.0, 1.0, 1.0), to_rgb("#121212")
HUE_ROTATE_180 = np.array(  # as the CSS filter is defined, at 180 degrees
    [[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]]
)
# What is left of red, green and blue (Viénot et al., "Digital video colourmaps for checking the
# legibility of displays by dichromats", 1999), for light that is not gamma-coded.
PROTAN = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def light_of(rgb):
    rgb = np.asarray(rgb, float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Of WCAG 2: 1 for the same colour, 21 for black on white."""
    low, high = sorted(light_of(rgb) @ (0.2126, 0.7152, 0.0722) for rgb in (one, other))
    return (high + 0.05) / (low + 0.05)


def in_the_dark(rgb):
    """What book.css makes of a colour of a figure where the page is dark."""
    rules = CSS.read_text(encoding="utf-8")
    (amount,) = re.findall(r"filter: invert\((0?\.\d+)\) hue-rotate\(180deg\);", rules)
    share = float(amount)
    turned = share - (2 * share - 1) * np.asarray(rgb, float)
    return np.clip(HUE_ROTATE_180 @ turned, 0, 1)


def figures():
    """One of each kind that the package draws."""
    table = pd.DataFrame({"a": np.arange(30.0) ** 1.5, "b": np.arange(30.0)})
    windows = tsf.Framing(3, horizon=2, targets="a", future_covariates="b").windows(table)
    yield tsf.plot_window(windows)
    yield tsf.plot_cells(tsf.Framing(3, horizon=2).windows(table))
    losses = {"loss": [3.0, 1.0], "val_loss": [4.0, 2.0]}
    yield tsf.plot_history(SimpleNamespace(history=losses, epoch=[1, 2]))
    ahead = pd.DataFrame({"ds": [30, 31], "cutoff": 29, "a": [40.0, 50.0]})
    yield tsf.plot_forecast(table, ahead)
    names = ["LSTM", "naive", "seasonal naive", "linear", "drift"]
    yield tsf.plot_errors(pd.DataFrame({name: [1.0, 2.0] for name in names}, index=[1, 2]))
    band = {"y": [5.0, 6.0], "LSTM": [5.0, 5.0], "LSTM-lo-90": [3.0, 2.0], "LSTM-hi-90": [7.0, 8.0]}
    yield tsf.plot_intervals(pd.DataFrame({"ds": [1, 2], "cutoff": 0} | band))
    model = tsf.build_model(windows.framing, units=4, skip="linear")
    yield tsf.plot_model(model)
    layer = keras.layers.LSTM(4)
    layer(keras.Input((3, 1)))
    yield tsf.plot_lstm_cell(layer)


@pytest.fixture(scope="module")
def drawn():
    with plt.rc_context():
        plt.rcdefaults()
        tsf.use_style()
        axes = list(figures())
        for ax in axes:
            ax.figure.canvas.draw()
        yield axes
    plt.close("all")


def words_of(ax):
    legend = ax.get_legend()
    labels = [
        *ax.get_xticklabels(),
        *ax.get_yticklabels(),
        ax.title,
        ax.xaxis.label,
        ax.yaxis.label,
    ]
    labels += [ax._left_title, *(legend.get_texts() if legend else [])]
    return [text for text in [*ax.texts, *labels] if text.get_text() and text.get_visible()]


def test_words_can_be_read_on_white_and_in_the_dark(drawn):
    colors = {to_rgb(text.get_color()) for ax in drawn for text in words_of(ax)}
    assert len(colors) >= 3
    for color in colors:
        assert contrast(color, WHITE) >= 4.5, color
        assert contrast(in_the_dark(color), DARK_PAGE) >= 4.5, color


def test_lines_can_be_seen_on_white_and_in_the_dark(drawn):
    colors = {to_rgb(line.get_color()) for ax in drawn for line in ax.lines}
    colors |= {
        to_rgb(patch.get_edgecolor())
        for ax in drawn
        for patch in ax.patches
        if isinstance(patch, FancyArrowPatch)
    }
    assert {to_rgb(color) for color in (INK, GREY, BLUE, ORANGE)} <= colors
    for color in colors | {to_rgb(GREEN), to_rgb(PURPLE)}:
        assert contrast(color, WHITE) >= 3, color
        assert contrast(in_the_dark(color), DARK_PAGE) >= 3, color


def test_white_becomes_the_ground_of_the_dark_page():
    assert np.allclose(in_the_dark(WHITE), DARK_PAGE, atol=0.004)


@pytest.mark.parametrize("turn", [np.asarray, in_the_dark], ids=["white", "dark"])
@pytest.mark.parametrize("seen", [np.eye(3), PROTAN, DEUTAN], ids=["all", "protan", "deutan"])
def test_colours_do_not_run_together(seen, turn):
    def perceived(color):
        """CIE L*a*b* of what is seen."""
        light = np.clip(seen @ light_of(turn(np.array(to_rgb(color)))), 0, 1)
        to_xyz = np.array(
            [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        )
        f = np.cbrt(to_xyz @ light / (0.9505, 1.0, 1.089))
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    for one, other in itertools.combinations((INK, BLUE, ORANGE, GREEN, PURPLE), 2):
        assert np.linalg.norm(perceived(one) - perceived(other)) > 12, (one, other)


def test_a_contrast_is_what_wcag_says():
    assert contrast(WHITE, (0, 0, 0)) == pytest.approx(21)
    assert contrast(to_rgb("#777777"), WHITE) == pytest.approx(4.48, abs=0.01)


PALE = {"#d9dce1", "#dddddd", "#b8bcc2"}  # what lies behind: times without data, a spread, land


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_colours_of_a_notebook_can_be_seen(path):
    code = "\n".join(
        "".join(cell["source"])
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    )
    assert "plt." not in code or "tsf.use_style()" in code
    lines = set(re.findall(r"#[0-9a-f]{6}\b", code)) - PALE
    words = set(re.findall(r"(?:annotate|text)\([^\n]*color=\"(#[0-9a-f]{6})", code))
    for color, least in [*((line, 3) for line in lines), *((word, 4.5) for word in words)]:
        assert contrast(to_rgb(color), WHITE) >= least, color
        assert contrast(in_the_dark(to_rgb(color)), DARK_PAGE) >= least, color


# --- the pictures of the chooser ------------------------------------------------------------------


@pytest.mark.skipif(
    f"matplotlib=={matplotlib.__version__} " not in (ROOT / "requirements.txt").read_text(),
    reason="another version of matplotlib sets text otherwise",
)
@pytest.mark.parametrize("name", [*models.ENCODERS, *models.DECODERS])
def test_the_committed_picture_is_what_the_model_draws(name):
    gallery = runpy.run_path(str(ROOT / "scripts" / "gallery.py"))
    stored = (gallery["FOLDER"] / f"{name}.png").read_bytes()
    now, then = (
        np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=int)
        for png in (gallery["draw"](name), stored)
    )
    assert now.shape == then.shape
    assert (np.abs(now - then) > 64).sum() < 10  # an edge may differ, not a word


def test_every_encoder_and_decoder_has_its_picture_where_it_is_taught():
    page = (ROOT / "book" / "choose.md").read_text(encoding="utf-8")
    for name in (*models.ENCODERS, *models.DECODERS):
        assert f"_static/models/{name}.png" in page
        (label,) = re.findall(rf"^\| `{name}` \|.*\{{ref\}}`([\w-]+)`", page, re.M)
        (text,) = [source for path in NOTEBOOKS if f"({label})=" in (source := cells_of(path))]
        section = re.split(r"\n\([a-z-]+\)=\n", text.split(f"({label})=")[1])[0]
        assert "tsf.plot_model(" in section, label


def cells_of(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)
