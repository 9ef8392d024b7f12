"""Figures show the numbers they are given, and shape cards say what is true."""

import itertools
from types import SimpleNamespace

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from tsforecast import (
    Forecaster,
    Framing,
    adapt,
    build_model,
    datasets,
    fit,
    forecast,
    forecast_table,
    label_lines,
    listing,
    models,
    plot_cells,
    plot_errors,
    plot_forecast,
    plot_history,
    plot_intervals,
    plot_window,
    score_by_step,
    shape_card,
    use_style,
)
from tsforecast.plotting import ORANGE


@pytest.fixture(autouse=True)
def closed_figures():
    with plt.rc_context():
        plt.rcdefaults()  # whatever style was used before
        yield
    plt.close("all")


def lines(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def make_table(rows=30, index=None):
    rng = np.random.default_rng(0)
    values = {name: rng.normal(50, 5, rows).cumsum() for name in "abcde"} | {"s": 2.0}
    index = pd.date_range("2024-03-30", periods=rows, freq="h") if index is None else index
    return pd.DataFrame(values, index=index)


# --- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 4, -1])
@pytest.mark.parametrize("lead", [0, 1, 3])
def test_plot_window_draws_what_goes_in_and_out(lead, number):
    roles = {"targets": "a", "past_covariates": ["b", "c"], "use_target_history": False}
    windows = Framing(4, horizon=2, lead=lead, **roles).windows(make_table())
    ax = windows.plot(number)
    X, y = windows[number]
    dots = [line.get_ydata() for line in lines(ax, "o")]
    np.testing.assert_array_equal(np.transpose(dots), X)
    (squares,) = lines(ax, "s")
    np.testing.assert_array_equal(squares.get_ydata(), y[:, 0])
    times = squares.get_xdata()
    assert list(times) == list(windows.target_times(number).to_numpy())
    cutoff = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert cutoff.get_xdata()[0] == windows.cutoffs[number].to_numpy()
    assert f"window {number % len(windows)} of {len(windows)}" in ax.get_title()


ROLES = {"targets": "b", "past_covariates": "a", "future_covariates": "d", "static_covariates": "s"}


def marked(ax, marker):
    """The cells that carry a mark, as (row of the picture, column)."""
    points = [line for line in ax.lines if line.get_marker() == marker and len(line.get_xdata())]
    return sorted((int(p.get_ydata()[0]), int(p.get_xdata()[0])) for p in points)


@pytest.mark.parametrize(("lead", "number"), [(1, 0), (2, 3), (0, -1)])
def test_plot_cells_marks_the_cells_of_each_array(lead, number):
    table = make_table(rows=12)
    framing = Framing(3, horizon=2, lead=lead, use_target_history=lead > 0, **ROLES)
    windows = framing.windows(table)
    ax = plot_cells(windows, number)
    place = {name: windows.columns.index(name) for name in windows.columns}
    rows = {
        "o": (windows.input_times(number), framing.inputs),
        "s": (windows.target_times(number), ["b"]),
        "^": (windows.target_times(number), ["d"]),
        "D": (windows.input_times(number)[:1], ["s"]),
    }
    for marker, (times, names) in rows.items():
        cells = [
            (int(row), place[name]) for row in table.index.get_indexer(times) for name in names
        ]
        assert marked(ax, marker) == sorted(cells)
    cutoff = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert cutoff.get_ydata()[0] == table.index.get_loc(windows.cutoffs[number]) + 1
    assert [text.get_text() for text in ax.texts] == [f"{v:g}" for v in windows.values.ravel()]


def test_plot_cells_of_a_long_table_shows_the_window_and_what_is_near():
    ax = plot_cells(Framing(4).windows(make_table(rows=200)), 100)
    assert len(ax.get_yticks()) == 5 + 6
    assert marked(ax, "o")[0][0] == 3 and len(marked(ax, "o")) == 4 * 6
    with pytest.raises(ValueError, match=r"window of 49 rows .* windows.plot\(2\)"):
        plot_cells(Framing(48).windows(make_table(rows=200)), 2)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(30),
        pd.period_range("2024-01", periods=30, freq="M"),
        pd.date_range("2024-03-30", periods=30, freq="h", tz="Europe/Berlin"),
        pd.Index([*range(15), *range(40, 55)]),
    ],
    ids=["numbers", "periods", "zone", "gap"],
)
def test_plot_window_of_every_kind_of_time(index):
    windows = Framing(4, targets="a").windows(make_table(index=index))
    fig, ax = plt.subplots()
    assert plot_window(windows, 3, ax=ax) is ax
    assert len(lines(ax, "s")) == 1
    fig.canvas.draw()


# --- training, forecast, errors -------------------------------------------------------------------


def test_plot_history():
    table = make_table()
    train, validation = Framing(4, targets="a").windows(table).split(table.index[20])
    model = build_model(train.framing, units=2)
    history = fit(model, train, epochs=3, validation=validation, seed=0)
    ax = plot_history(history)
    drawn = [list(line.get_ydata()) for line in ax.lines]
    assert drawn == [history.history["loss"], history.history["val_loss"]]
    assert list(ax.lines[0].get_xdata()) == history.epoch
    assert {text.get_text().strip() for text in ax.texts} == {"training", "validation"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


@pytest.mark.parametrize("target", [None, "b"])
def test_plot_forecast(target):
    table = make_table()
    framing = Framing(4, horizon=3, targets=["a", "b"])
    model = build_model(framing, units=2)
    adapt(model, framing.windows(table))
    result = forecast(model, framing, table)
    ax = plot_forecast(table, result, target=target, last=10)
    column = target or "a"
    known, ahead = ax.lines[0], lines(ax, ".")[0]
    np.testing.assert_array_equal(known.get_ydata(), table[column].iloc[-10:])
    np.testing.assert_array_equal(ahead.get_ydata(), result[column])
    assert list(ahead.get_xdata()) == list(result["ds"].to_numpy())
    joined = ax.lines[1]
    assert joined.get_ydata()[0] == table[column].iloc[-1]
    assert ax.get_ylabel() == column
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    "table", [np.arange(12.0), pd.Series(np.arange(12.0)), pd.DataFrame({0: np.arange(12.0)})]
)
def test_plot_forecast_of_every_kind_of_table(table):
    ahead = pd.DataFrame({"ds": [12], "cutoff": [11], 0: [12.0]})
    line = plot_forecast(table, ahead).lines[0]
    np.testing.assert_array_equal(line.get_ydata(), np.arange(12.0))


def test_a_loss_of_zero_needs_a_plain_axis():
    history = SimpleNamespace(history={"loss": [0.0, 0.0]}, epoch=[1, 2])
    assert plot_history(history).get_yscale() == "linear"


def test_plot_errors():
    table = make_table()
    windows = Framing(4, horizon=3, targets="a").windows(table)
    model = build_model(windows.framing, units=2)
    adapt(model, windows)
    by_step = score_by_step(forecast_table(model, windows, season=3))
    ax = plot_errors(by_step, unit="MW")
    for line, name in zip(ax.lines, by_step.columns, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), by_step[name])
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    assert [text.get_text() for text in ax.texts] == list(by_step.columns)
    assert ax.get_ylabel() == "mean absolute error (MW)"
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == len(ax.lines)
    assert ax.lines[0].get_color() == ORANGE  # the forecast; the simple ones are dark and dashed
    assert all(line.get_linestyle() != "-" for line in ax.lines[1:])


def test_names_stand_at_the_ends_of_their_lines_and_not_on_each_other():
    use_style()
    figure, ax = plt.subplots(figsize=(6, 3))
    ends = {"high": 9.0, "same": 5.0, "same too": 5.0, "nearly": 5.01, "low": 1.0}
    for name, end in ends.items():
        ax.plot([0, 1, 2], [4.0, 4.0, end], label=name)
    ax.plot([0, 2], [np.nan, np.nan], label="nothing known")
    ax.axhline(3.0)  # without a name
    assert label_lines(ax) is ax
    figure.canvas.draw()
    assert [text.get_text() for text in ax.texts] == list(ends)
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the line to it
    right = ax.get_window_extent().x1
    for text, box, end in zip(ax.texts, boxes, ends.values(), strict=True):
        assert text.xy == (2, end)
        assert box.x0 > right and box.x1 <= figure.bbox.x1
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    heights = {text.get_text(): box.y0 for text, box in zip(ax.texts, boxes, strict=True)}
    assert heights["low"] < heights["same"] < heights["nearly"] < heights["high"]
    with pytest.raises(ValueError, match="label='what came'"):
        label_lines(plt.subplots()[1])


def test_the_style_is_valid():
    before = plt.rcParams.copy()
    use_style()
    assert not plt.rcParams["axes.spines.top"]
    plt.rcParams.update(before)


# --- shape cards and listings ---------------------------------------------------------------------

SIZES = {  # no two alike, so that a wrong word shows
    "lookback": 12,
    "inputs": 9,
    "horizon": 5,
    "targets": 6,
    "units": 13,
    "2 * units": 26,
    "subsequences": 3,
    "steps": 4,
    "pooled steps": 2,
    "filters": 7,
    "future": 1,
    "static": 2,
    "context": 8,
    "last step": 1,
}
WIDE = Framing(
    12,
    horizon=5,
    targets=list("abcdef"),
    past_covariates=["p", "q"],
    future_covariates="g",
    static_covariates=["s", "t"],
)
PLAIN = Framing(12, horizon=5, targets=list("abcdef"), past_covariates=["p", "q", "r"])


@pytest.mark.parametrize("framing", [WIDE, PLAIN], ids=["all roles", "no future"])
@pytest.mark.parametrize("decoder", models.DECODERS)
@pytest.mark.parametrize("encoder", models.ENCODERS)
def test_shape_cards_say_what_is_true(encoder, decoder, framing):
    options = {"cnn": {"subsequences": 3, "filters": 7}, "convlstm": {"subsequences": 3}}
    for skip in ("none", "linear"):
        model = build_model(
            framing,
            encoder=encoder,
            decoder=decoder,
            units=13,
            skip=skip,
            **options.get(encoder, {}),
        )
        card = shape_card(model)
        assert len(card) == len(model.layers)
        trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        assert card["parameters"].sum() == trained
        last = card.iloc[-1]
        assert (last["returns"], last["the axes are"]) == ((5, 6), "horizon x targets")
        for name, row in card.iterrows():
            words = row["the axes are"].split(" x ")
            assert len(words) == len(row["returns"]), (name, row)
            for word, size in zip(words, row["returns"], strict=True):
                sizes = [SIZES.get(part) for part in word.split(" + ")]
                assert None in sizes or sum(sizes) == size, (name, row)


def test_the_shape_card_calls_a_linear_rule_a_forecast():
    card = shape_card(build_model(Framing(3, horizon=2), skip="linear"))
    assert card.loc["LinearForecast", "the axes are"] == "horizon x targets"


def test_the_shape_card_of_a_panel_with_categories_and_own_units():
    categories = (("state", ("a", "b", "c")),)
    framing = Framing(4, targets="y", static_covariates="state", categories=categories)
    card = shape_card(build_model(framing, units=2, scaling="series"))
    assert card.loc["OwnUnits", ["returns", "the axes are"]].tolist() == [
        (4, 1),
        "lookback x inputs",
    ]
    assert card.loc["Embedding"].tolist() == [(2,), "embedding", 8]  # 3 states and "unknown"


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_the_shape_card_of_joined_models(strategy):
    table = np.arange(20.0)
    forecaster = Forecaster(3, horizon=2, units=2, epochs=1, strategy=strategy).fit(table)
    card = shape_card(forecaster.model)
    assert card.iloc[-1, :2].tolist() == [(2, 1), "horizon x targets"]
    assert card.loc[["model of one step"], "returns"].iloc[0] == (1, 1)


def test_the_shape_card_of_pictures():
    x = keras.Input((3, 18, 108, 5), name="X")
    h = keras.layers.ConvLSTM2D(8, 3, padding="same", return_sequences=True)(x)
    h = keras.layers.ConvLSTM2D(8, 3, padding="same")(h)
    card = shape_card(keras.Model(x, keras.layers.Conv2D(1, 3, padding="same")(h)))
    assert card["the axes are"].tolist() == [
        "lookback x rows x columns x inputs",
        "lookback x rows x columns x filters",
        "rows x columns x filters",
        "rows x columns x targets",
    ]
    assert card["returns"].tolist()[-1] == (18, 108, 1)


def test_the_shape_card_of_the_first_chapter():
    card = shape_card(build_model(Framing(3), units=50))
    assert card.loc["LSTM", "returns"] == (50,)
    assert card.loc["LSTM", "parameters"] == 4 * 50 * (50 + 1 + 1)
    assert card.loc["LSTM", "the axes are"] == "units"


@pytest.mark.parametrize("function", [*models.ENCODERS.values(), *models.DECODERS.values()])
def test_a_listing_runs(function):
    """What a chapter prints is the function: pasted into a cell it builds the same layers."""
    code = listing(function).data
    assert code.startswith("```python\ndef ")
    assert code.endswith("\n```")
    assert "Parameters\n" not in code
    place = dict(vars(models))
    exec(code.removeprefix("```python\n").removesuffix("```"), place)
    again = place[function.__name__]
    assert again is not function
    state = keras.Input((12, 2) if function in models.ENCODERS.values() else (13,))
    steps = keras.Input((3, 13))
    arguments = (13,) if function in models.ENCODERS.values() else (5, 2)
    x = steps if function is models.attention else state
    assert again(x, *arguments).shape == function(x, *arguments).shape
    longest = max(map(len, code.splitlines()))
    assert longest <= 100


def test_words_of_the_tutorials_toy_series():
    for name, number in itertools.product(("univariate", "multivariate"), (0, -1)):
        plot_window(Framing(3).windows(datasets.toy(name)), number).figure.canvas.draw()


def test_errors_of_many_forecasts_can_be_told_apart():
    names = [f"model {number}" for number in range(6)]
    by_step = pd.DataFrame(np.ones((3, 7)), index=[1, 2, 3], columns=[*names, "naive"])
    ax = plot_errors(by_step)
    styles = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(styles) == 7


def test_shape_card_of_patches_and_of_a_combination():
    model = build_model(
        Framing(8, horizon=4),
        encoder="patched",
        decoder="patchwise",
        patch=2,
        units=5,
        scaling="log",
        skip="combination",
        season=(2, 4),
    )
    card = shape_card(model)["the axes are"]
    assert card["PatchSteps"] == "patches of the forecast x units"
    assert card["SimpleForecasts"] == "forecasts x horizon x targets"
    assert card["ErrorUnits"] == "one x targets"
    assert card["OwnSpread"] == "lookback x inputs"
    assert card["Reshape"].tolist() == ["patches x steps per patch * inputs", "horizon x numbers"]
    assert card["AddToCombination"] == "horizon x targets"


def test_a_forecast_is_drawn_with_its_intervals_at_its_own_times():
    """In the table's clock time, which is not that of Greenwich."""
    times = pd.date_range("2024-01-01", periods=6, freq="h", tz="Australia/Melbourne")
    table = pd.DataFrame({"a": range(4)}, index=times[:4])
    low, high = [3.0, 3.5], [5.0, 6.5]
    ahead = pd.DataFrame({"ds": times[4:], "cutoff": times[3], "a": [4.0, 5.0]})
    ahead = ahead.assign(**{"a-lo-80": low, "a-hi-80": high})
    ax = plot_forecast(table, ahead)
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    np.testing.assert_allclose(sorted(set(corners[:, 1])), sorted(low + high))
    drawn = matplotlib.dates.date2num(times[4:].tz_localize(None))
    np.testing.assert_allclose(sorted(set(corners[:, 0])), drawn)
    assert not plot_forecast(table, ahead[["ds", "cutoff", "a"]]).collections


@pytest.mark.parametrize("width, figures", [(8, 1), (10, 2), (10, 3)])
def test_times_on_an_axis_do_not_lie_on_each_other(width, figures):
    times = pd.date_range("2014-07-08 23:30", periods=48, freq="30min")
    rows = pd.DataFrame({"ds": times, "cutoff": 0, "LSTM quantiles": 1.0})
    rows = rows.assign(**{"LSTM quantiles-lo-90": 0.0, "LSTM quantiles-hi-90": 2.0})
    with matplotlib.rc_context():
        use_style()
        figure, axes = plt.subplots(1, figures, figsize=(width, 3.2), squeeze=False)
        for ax in axes[0]:
            plot_intervals(rows, ax=ax)
        figure.canvas.draw()
        for ax in axes[0]:
            boxes = [t.get_window_extent() for t in ax.get_xticklabels() if t.get_text()]
            assert len(boxes) > 2
            assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_labels_of_a_window_do_not_lie_on_each_other():
    values = {name: np.arange(9.0) + 0.01 * place for place, name in enumerate("abc")}
    ax = plot_window(Framing(3).windows(pd.DataFrame(values)))
    low, high = ax.get_ylim()
    heights = [text.get_position()[1] for text in ax.texts]
    assert [text.get_text().strip() for text in ax.texts] == ["a", "b", "c"]
    assert np.diff(heights).min() > 0.06 * (high - low)
