"""A figure for each step: the window, the training, the forecast, the errors; and the shape card.

Used in every chapter; explained on the page "How to read the shape cards"
(`notebooks/shapes.ipynb`).
"""

import ast
import inspect
import itertools
import math
import textwrap
from collections.abc import Callable
from typing import Any

import pandas as pd

from tsforecast.framing import Windows
from tsforecast.tables import Table

INK, GREY = "#1b1f24", "#8a8f98"  # grey for lines; words are darker, or nobody can read them
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"  # colour-blind safe
ORANGE_WORDS = "#b34b00"  # words need more contrast than lines do
MOST_CELLS = 40  # rows that a figure shows cell by cell
CELLS = {  # the arrays that a model reads: colour, mark and words
    "X": (BLUE, "o", "X: what goes in"),
    "y": (ORANGE, "s", "y: what should come out"),
    "future": (GREEN, "^", "future: known at the target steps"),
    "static": (PURPLE, "D", "static: one value, read once"),
}
DASHES = ("--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 3)))  # of simple forecasts
FORECASTS = ("LastValue", "SeasonalValue", "TrainingMean", "LinearForecast")  # simple ones
STYLE: dict[str, Any] = {
    "figure.figsize": (8, 3.2),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "font.size": 10,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "savefig.bbox": "tight",
}


def use_style() -> None:
    """Draw matplotlib figures as the book does.

    Examples
    --------
    >>> use_style()
    """
    import matplotlib as mpl
    from matplotlib.rcsetup import cycler

    colors = [BLUE, ORANGE, GREEN, PURPLE, GREY]
    mpl.rcParams.update(STYLE | {"axes.prop_cycle": cycler(color=colors)})


def plot_window(windows: Windows, window: int = 0, ax: Any = None) -> Any:
    """Draw one window: which values go in, which come out, and the cutoff between them.

    Parameters
    ----------
    windows : Windows
        From `Framing.windows`.
    window : int
        Which window.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> from tsforecast import Framing, datasets
    >>> ax = plot_window(Framing(3).windows(datasets.toy("univariate")))
    """
    ax = _axes(ax)
    framing, index, start = windows.framing, windows.index, windows.starts[window]
    before = max(0, start - framing.lookback)
    shown = slice(before, min(len(index), start + framing.span + framing.lookback))
    times = _plain(index)
    names = list(dict.fromkeys([*framing.inputs, *framing.targets]))
    size = 5 if framing.span <= 100 else 2  # dots of a long window would run together
    into, out = windows.input_times(window), windows.target_times(window)
    for name in names:
        values = windows.values[:, windows.columns.index(name)]
        ax.plot(times[shown], values[shown], color=GREY, linewidth=0.8, zorder=1)
        if name in framing.inputs:
            rows = slice(start, start + framing.lookback)
            ax.plot(times[rows], values[rows], "o-", color=BLUE, markersize=size, zorder=2)
        if name in framing.targets:
            rows = slice(windows.target_rows[window, 0], windows.target_rows[window, -1] + 1)
            ax.plot(times[rows], values[rows], "s-", color=ORANGE, markersize=size + 1, zorder=3)
    ends = windows.values[shown][-1, [windows.columns.index(name) for name in names]]
    low, high = ax.get_ylim()
    for name, height in zip(names, _apart(ends, 0.07 * (high - low)), strict=True):
        ax.annotate(f" {name}", (times[shown][-1], height), color=INK, va="center")
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
        _shorten_dates(ax, index)
    ax.axvline(times[start + framing.lookback - 1], color=INK, linewidth=0.8, linestyle=":")
    ax.set_title(
        f"window {window % len(windows)} of {len(windows)}: {len(into)} steps in (blue dots), "
        f"{len(out)} out (orange squares); dotted line: cutoff"
    )
    return ax


def plot_cells(windows: Windows, window: int = 0, ax: Any = None) -> Any:
    """Draw the table itself, with the cells marked that one window reads and forecasts.

    Parameters
    ----------
    windows : Windows
        From `Framing.windows`, of a table that is small enough to read cell by cell.
    window : int
        Which window.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        If the window covers more than 40 rows.

    Examples
    --------
    >>> from tsforecast import Framing, datasets
    >>> ax = plot_cells(Framing(3, horizon=2).windows(datasets.toy("multivariate")))
    """
    framing, columns = windows.framing, windows.columns
    if framing.span > MOST_CELLS:
        raise ValueError(
            f"A window of {framing.span} rows is too long to read cell by cell (at most "
            f"{MOST_CELLS}). Draw it as lines: windows.plot({window})."
        )
    window %= len(windows)
    start, targets = windows.starts[window], windows.target_rows[window]
    inputs = range(start, start + framing.lookback)
    rows = range(len(windows.index))
    if len(rows) > MOST_CELLS:  # the window, and some rows on either side
        rows = rows[max(0, start - 3) : start + framing.span + 3]
    marks: dict[tuple[int, Any], list[str]] = {}
    for array, where, names in (
        ("X", inputs, framing.inputs),
        ("y", targets, framing.targets),
        ("future", targets, framing.future_covariates),
        ("static", inputs[:1], framing.static_covariates),
    ):
        for row, name in itertools.product(where, names):
            marks.setdefault((row, name), []).append(array)

    ax = _axes(ax)
    for (place, row), (number, name) in itertools.product(enumerate(rows), enumerate(columns)):
        here = marks.get((row, name), [])
        color = CELLS[here[0]][0] if here else GREY
        box = (number + 0.04, place + 0.06), 0.92, 0.88
        ax.add_patch(_box(*box, facecolor=color, alpha=0.18 if here else 0.08))
        if here:
            ax.add_patch(_box(*box, fill=False, edgecolor=color, linewidth=1.2))
        for mark, array in enumerate(here):
            color, marker, _ = CELLS[array]
            ax.plot(number + 0.15 + 0.13 * mark, place + 0.5, marker, color=color, markersize=5)
        value = f"{windows.values[row, columns.index(name)]:g}"
        ax.text(number + 0.88, place + 0.5, value, ha="right", va="center", color=INK)
    ax.axhline(inputs[-1] - rows[0] + 1, color=INK, linewidth=1, linestyle=":")

    used = dict.fromkeys(array for here in marks.values() for array in here)
    for _, (color, marker, label) in ((array, CELLS[array]) for array in CELLS if array in used):
        ax.plot([], [], marker, color=color, markersize=5, label=label)
    ax.plot([], [], ":", color=INK, linewidth=1, label="cutoff")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    ax.set_xticks([number + 0.5 for number in range(len(columns))], [str(name) for name in columns])
    ax.set_yticks(
        [place + 0.5 for place in range(len(rows))], [str(windows.index[row]) for row in rows]
    )
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    ax.set_title(f"window {window} of {len(windows)}")
    return ax


def _box(corner: tuple[float, float], width: float, height: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **style)


def plot_history(history: Any, ax: Any = None) -> Any:
    """Draw the loss over the epochs, of training and, where there is one, validation.

    Parameters
    ----------
    history : keras.callbacks.History
        From `tsforecast.fit`.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> from tsforecast import Framing, build_model, datasets, fit
    >>> windows = Framing(3).windows(datasets.toy("univariate"))
    >>> ax = plot_history(fit(build_model(windows.framing, units=8), windows, epochs=200, seed=0))
    """
    from matplotlib import ticker as mticker

    ax = _axes(ax)
    for key, label, color, words in (
        ("loss", "training", BLUE, BLUE),
        ("val_loss", "validation", ORANGE, ORANGE_WORDS),
    ):
        if key in history.history:
            losses = history.history[key]
            ax.plot(history.epoch, losses, marker="o", markersize=3, color=color)
            ax.annotate(f" {label}", (history.epoch[-1], losses[-1]), color=words, va="center")
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(mticker.MaxNLocator(integer=True))
    ax.set_ylabel("loss")
    if min(map(min, history.history.values())) <= 0:  # a series that never changes
        return ax
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(mticker.LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(mticker.NullLocator())
    return ax


def plot_forecast(
    table: Table, forecast: pd.DataFrame, target: Any = None, last: int = 96, ax: Any = None
) -> Any:
    """Draw the end of a table and the forecast that continues it, with its intervals if it has any.

    Parameters
    ----------
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        What is known.
    forecast : pandas.DataFrame
        From `tsforecast.forecast`.
    target : column name, optional
        By default the forecast's first target.
    last : int
        Rows of the table to show.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> table = pd.DataFrame({"a": [10.0, 20.0, 30.0]})
    >>> ax = plot_forecast(table, pd.DataFrame({"ds": [3, 4], "cutoff": 2, "a": [40.0, 50.0]}))
    """
    from tsforecast.intervals import levels_of

    ax = _axes(ax)
    if target is None:
        target = next(name for name in forecast.columns if name not in ("ds", "cutoff"))
    known = pd.DataFrame(table)[target].iloc[-last:]
    ax.plot(_plain(known.index), known.to_numpy(), color=INK)
    ahead = _plain(pd.Index(forecast["ds"]))
    values = forecast[target].to_numpy()
    joined_times = [_plain(known.index)[-1], *ahead]
    ax.plot(joined_times, [known.iloc[-1], *values], color=ORANGE)
    ax.plot(ahead, values, ".", color=ORANGE)
    for level in levels_of(forecast, str(target)):
        low, high = forecast[f"{target}-lo-{level:g}"], forecast[f"{target}-hi-{level:g}"]
        ax.fill_between(ahead, low, high, color=ORANGE, alpha=0.2, linewidth=0)
    ax.axvline(joined_times[0], color=GREY, linewidth=0.8, linestyle=":")
    ax.annotate(" forecast", (joined_times[-1], values[-1]), color=ORANGE_WORDS, va="center")
    ax.set_ylabel(str(target))
    _shorten_dates(ax, known.index)
    return ax


def plot_errors(by_step: pd.DataFrame, unit: str = "", ax: Any = None) -> Any:
    """Draw the mean absolute error over the steps ahead, a line per forecast.

    Parameters
    ----------
    by_step : pandas.DataFrame
        From `tsforecast.score_by_step`, for one target.
    unit : str
        Unit of the error, for the label.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> steps = pd.Index([1, 2, 3], name="step")
    >>> by_step = pd.DataFrame({"LSTM": [1.0, 1.5, 2.0], "naive": [2.0, 4.0, 6.0]}, index=steps)
    >>> ax = plot_errors(by_step, unit="megawatts")
    """
    from tsforecast.backtest import BASELINES

    ax = _axes(ax)
    _draw_steps(ax, by_step, [name for name in by_step if str(name).startswith(BASELINES)])
    ax.set_ylabel(f"mean absolute error{f' ({unit})' if unit else ''}")
    return ax


def _draw_steps(ax: Any, by_step: pd.DataFrame, simple: list[Any]) -> None:
    """A line per forecast over the steps ahead: thin, dark and dashed where it is a simple one."""
    others = [name for name in by_step if name not in simple]
    for name in by_step:
        if name in simple:
            style = {"color": INK, "linewidth": 1.2, "linestyle": _dash(name, simple)}
        else:
            again, number = divmod(others.index(name), 4)  # the colours begin again
            color = (ORANGE, BLUE, GREEN, PURPLE)[number]
            style = {"color": color, "linewidth": 2.0, "linestyle": ("-", *DASHES)[again]}
        ax.plot(by_step.index, by_step[name], label=str(name), **style)
    ax.set_xlabel("steps ahead")
    ax.set_ylim(bottom=0)
    label_lines(ax)


def _dash(name: Any, simple: list[Any]) -> Any:
    return DASHES[simple.index(name) % len(DASHES)]


def label_lines(ax: Any) -> Any:
    """Write the name of each line at its right end, in place of a legend.

    A thin line in the colour and dashes of its own leads from the end to the name, which may have
    moved to make room for another.

    Parameters
    ----------
    ax : matplotlib axes
        With lines that have a ``label``. Set its limits before, where they are set at all.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    ValueError
        If no line has a label.

    Examples
    --------
    >>> table = pd.DataFrame({"rises": [1.0, 2.0, 3.0], "falls": [3.0, 2.0, 1.0]})
    >>> ax = label_lines(table.plot(legend=False))
    >>> [text.get_text() for text in ax.texts]
    ['rises', 'falls']
    """
    ends = []
    for line in ax.get_lines():
        points = line.get_xydata()
        points = points[[all(map(math.isfinite, point)) for point in points]]
        if not str(line.get_label()).startswith("_") and len(points):
            ends.append((line.get_label(), *points[-1], line.get_color(), line.get_linestyle()))
    if not ends:
        raise ValueError("No line of these axes has a name: ax.plot(x, y, label='what came').")
    return _label_ends(ax, ends)


def _label_ends(ax: Any, ends: list[tuple[str, float, float, Any, Any]]) -> Any:
    """Words to the right of the axes, each led to from its point: name, x, y, colour, dashes."""
    import matplotlib as mpl

    ax.autoscale_view()
    tall = ax.get_window_extent().height / ax.figure.dpi  # inches
    room = 1.3 * mpl.rcParams["font.size"] / 72 / tall
    to_axes = ax.transData + ax.transAxes.inverted()
    heights = [to_axes.transform(end[1:3])[1] for end in ends]
    for (name, x, y, color, dash), height in zip(ends, _apart(heights, room), strict=True):
        ax.annotate(
            name,
            (x, y),
            (1.04, height),
            textcoords="axes fraction",
            va="center",
            color=INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linestyle": dash if dash != "None" else "-",  # dots without a line
                "linewidth": 0.9,
                "shrinkA": 1,
                "shrinkB": 1,
                "relpos": (0, 0.5),
            },
        )
    return ax


def plot_importance(parts: pd.DataFrame, target: Any = None, axes: Any = None) -> Any:
    """Draw what an exchange costs: a bar per column, and a map of columns and lag blocks.

    Parameters
    ----------
    parts : pandas.DataFrame
        From `tsforecast.importance`.
    target : column name, optional
        Which target to show, where there are several; by default the first.
    axes : pair of matplotlib axes, optional
        Where to draw the bars and the map. Without blocks there is no map.

    Returns
    -------
    array of matplotlib axes

    Examples
    --------
    >>> parts = pd.DataFrame({"column": ["a", "b"], "block": "all", "error": [3.0, 2.0],
    ...                       "rise": [0.5, 0.0], "spread": [0.1, 0.0]})
    >>> axes = plot_importance(parts)
    """
    import matplotlib.pyplot as plt
    import numpy as np

    if "target" in parts:
        target = parts["target"].iloc[0] if target is None else target
        parts = parts[parts["target"] == target]
    columns = parts[parts["block"] == "all"]
    cells = parts[(parts["block"] != "all") & (parts["column"] != "all columns")]
    if axes is None:
        height = 1.2 + 0.3 * len(columns)
        wide = 1 if cells.empty else 2
        _, axes = plt.subplots(1, wide, figsize=(4.5 * wide, height), squeeze=False)
    axes = np.ravel(axes)

    names = [str(name) for name in columns["column"]]
    axes[0].barh(names, 100 * columns["rise"], xerr=100 * columns["spread"], color=BLUE, ecolor=INK)
    axes[0].axvline(0, color=GREY, linewidth=0.8)
    axes[0].invert_yaxis()
    axes[0].set_xlabel("rise of the error (%)")
    if cells.empty:
        return axes

    blocks = list(dict.fromkeys(cells["block"]))[::-1]
    if "ahead" in blocks:  # time runs to the right
        blocks = [*[block for block in blocks if block != "ahead"], "ahead"]
    grid = cells.pivot(index="column", columns="block", values="rise")
    grid = 100 * grid.reindex(index=list(columns["column"]), columns=blocks)
    high = max(float(np.nanmax(grid.to_numpy())), 1.0)
    axes[1].imshow(grid, cmap="Blues", vmin=0, vmax=high, aspect="auto")
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        if np.isfinite(value):
            color = "white" if value > 0.6 * high else INK
            text = str(round(float(value)))
            axes[1].text(column, row, text, ha="center", va="center", color=color)
    axes[1].set_xticks(range(len(blocks)), blocks, rotation=30, ha="right")
    axes[1].set_yticks(range(len(names)), names)
    axes[1].set_xlabel("steps before the cutoff")
    return axes


def plot_intervals(
    forecasts: pd.DataFrame, name: str | None = None, cutoff: Any = None, ax: Any = None
) -> Any:
    """Draw one forecast of a table with its intervals, and what came.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        With columns such as ``LSTM``, ``LSTM-lo-90`` and ``LSTM-hi-90``.
    name : str, optional
        Which forecast; by default the first.
    cutoff : time, optional
        Which cutoff; by default the first.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> table = pd.DataFrame({"ds": [1, 2], "cutoff": 0, "y": [5.0, 6.0], "LSTM": [5.0, 5.0],
    ...                       "LSTM-lo-90": [3.0, 2.0], "LSTM-hi-90": [7.0, 8.0]})
    >>> ax = plot_intervals(table)
    """
    from tsforecast.intervals import forecast_names, levels_of

    ax = _axes(ax)
    name = forecast_names(forecasts)[0] if name is None else name
    levels = levels_of(forecasts, name)
    rows = forecasts[forecasts["cutoff"] == (cutoff or forecasts["cutoff"].iloc[0])]
    times, ends = _plain(pd.Index(rows["ds"])), []
    for number, level in enumerate(reversed(levels)):
        low, high = rows[f"{name}-lo-{level:g}"], rows[f"{name}-hi-{level:g}"]
        color = 0.15 + 0.6 * number / len(levels)
        ax.fill_between(times, low, high, color=ORANGE, alpha=color, lw=0)
        ends.append((f"{level:g} %", high.iloc[-1], ORANGE))
    ax.plot(times, rows[name], color=ORANGE)
    ends.append((name, rows[name].iloc[-1], ORANGE))
    if "y" in rows:
        ax.plot(times, rows["y"], color=INK)
        ends.append(("what came", rows["y"].iloc[-1], INK))
    _shorten_dates(ax, pd.Index(rows["ds"]))
    last = ax.get_lines()[0].get_xydata()[-1, 0]
    return _label_ends(ax, [(words, last, height, color, "-") for words, height, color in ends])


def plot_precision_recall(chances: pd.DataFrame, thresholds: Any = None, ax: Any = None) -> Any:
    """Draw precision against recall over all thresholds, a curve per forecast.

    Parameters
    ----------
    chances : pandas.DataFrame
        From `tsforecast.event_table`.
    thresholds : dict, optional
        From `tsforecast.choose_thresholds`: marked on the curves.
    ax : matplotlib axes, optional
        Where to draw.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> table = pd.DataFrame({"y": [0, 0, 1, 1], "LSTM": [0.1, 0.6, 0.4, 0.9], "base rate": 0.5})
    >>> ax = plot_precision_recall(table, {"LSTM": 0.4})
    """
    from sklearn.metrics import precision_recall_curve, precision_score, recall_score

    from tsforecast.intervals import forecast_names

    ax = _axes(ax)
    colors = iter([BLUE, GREEN, PURPLE, ORANGE])
    y = chances["y"].astype(int)
    for name in forecast_names(chances):
        if chances[name].nunique() == 1:  # one answer for all: as good as drawing lots
            ax.axhline(y.mean(), color=GREY, linestyle="--", label=name)
            continue
        precision, recall, levels = precision_recall_curve(y, chances[name])
        if len(levels) == 2:  # yes or no: a point, not a curve
            ax.plot(recall[1], precision[1], "D", color=INK, label=name)
            continue
        color = next(colors)
        ax.plot(recall[:-1], precision[:-1], color=color, label=name)
        if thresholds is not None and name in thresholds:
            says = chances[name] >= thresholds[name]
            ax.plot(recall_score(y, says), precision_score(y, says), "o", color=color)
    ax.set(xlabel="recall: share of the events that are found", ylabel="precision of the alarms")
    ax.set(xlim=(0, 1.02), ylim=(0, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def plot_backtest(result: Any, forecast: str | None = None, target: Any = None) -> Any:
    """Draw the best, the middle and the worst cutoff of a backtest, and its errors by step.

    Parameters
    ----------
    result : Backtest
        From `tsforecast.backtest`.
    forecast : str, optional
        Whose cutoffs are ranked; by default the first forecast.
    target : str, optional
        Which ``unique_id`` to draw; by default the first.

    Returns
    -------
    matplotlib figure

    Examples
    --------
    >>> from tsforecast import Forecaster, backtest, datasets
    >>> table = datasets.toy("univariate", rows=30)
    >>> forecaster = Forecaster(3, horizon=2, units=8, epochs=20).fit(table[:20])
    >>> result = backtest(forecaster, table, baselines=["naive"], progress=False)
    >>> figure = plot_backtest(result)
    """
    import matplotlib.pyplot as plt

    table, names = result.table, result.forecasts
    name = names[0] if forecast is None else forecast
    if name not in names:
        raise ValueError(f"There is no forecast {name!r}. There are {', '.join(map(repr, names))}.")
    ids = table["unique_id"].unique()
    target = ids[0] if target is None else target
    if target not in ids:
        raise ValueError(f"There is no {target!r} among the series {[*ids[:10]]}.")
    rows, series = (frame[frame["unique_id"] == target] for frame in (table, result.series))
    if "seed" in rows:
        rows = rows[rows["seed"] == rows["seed"].iloc[0]]
    shown = _stretches_to_draw(rows, name, result.horizon)
    figure, axes = plt.subplot_mosaic([[*shown], ["errors"] * len(shown)], figsize=(9, 5.6))
    for title, part in shown.items():
        known = series[series["ds"] <= part["ds"].max()]
        if result.horizon > 1:
            known = known.iloc[-3 * result.horizon :]
        else:
            known = known[known["ds"] >= part["ds"].min()]
        _draw_cutoff(axes[title], known, part, name, result.baselines)
        axes[title].set_title(title)
    axes[next(iter(shown))].set_ylabel(str(target))
    label_lines(axes[title])
    _draw_errors(axes["errors"], result, target)
    return figure


def _stretches_to_draw(rows: pd.DataFrame, name: str, horizon: int) -> dict[str, pd.DataFrame]:
    """The best, the middle and the worst cutoff; one step ahead the first 48 rows instead."""
    if horizon == 1:
        return {"the first forecasts, one step ahead each": rows.iloc[:48]}
    errors = (rows[name] - rows["y"]).abs().groupby(rows["cutoff"]).mean()
    ranked = errors.sort_values(kind="stable").index
    places = {"best": ranked[0], "middle": ranked[len(ranked) // 2], "worst": ranked[-1]}
    parts = {place: rows[rows["cutoff"] == cutoff] for place, cutoff in places.items()}
    return {f"{place}: {_short_time(part['ds'].iloc[0])}": part for place, part in parts.items()}


def _draw_errors(ax: Any, result: Any, target: Any) -> None:
    by_step = result.by_step()
    if by_step.index.nlevels > 1:
        by_step = by_step.loc[target]
    if len(by_step) > 1:
        _draw_steps(ax, by_step, result.baselines)
        ax.set_ylabel("mean absolute error")
        return
    bars = by_step.iloc[0].sort_values(ascending=False)
    fills = [GREY if bar in result.baselines else BLUE for bar in bars.index]
    ax.barh(bars.index, bars.to_numpy(), color=fills)
    ax.set_xlabel("mean absolute error")


def _draw_cutoff(
    ax: Any, known: pd.DataFrame, part: pd.DataFrame, name: str, baselines: list[str]
) -> None:
    """One cutoff: what was known, what came, the forecast, its interval and a baseline."""
    ax.plot(_plain(pd.Index(known["ds"])), known["y"], color=INK, linewidth=1, label="what came")
    times = _plain(pd.Index(part["ds"]))
    simple = [other for other in baselines if "season" in other] or baselines
    if simple and simple[0] != name:
        dash = _dash(simple[0], baselines)
        ax.plot(times, part[simple[0]], color=INK, linewidth=1.2, linestyle=dash, label=simple[0])
    ax.plot(times, part[name], ".-", markersize=3, color=ORANGE, label=name)
    bands = [column for column in part.columns if str(column).startswith(f"{name}-lo-")]
    for band in bands:
        high = part[band.replace("-lo-", "-hi-")]
        ax.fill_between(times, part[band], high, color=ORANGE, alpha=0.15, linewidth=0)
    if part["cutoff"].nunique() == 1:
        ax.axvline(_plain(pd.Index(part["cutoff"]))[0], color=GREY, linewidth=0.8, linestyle=":")
    _shorten_dates(ax, pd.Index(known["ds"]), ticks=5)
    ax.tick_params(axis="x", labelsize=8)


def _short_time(time: Any) -> str:
    if not isinstance(time, (pd.Timestamp, pd.Period)):
        return str(time)
    return f"{time:%Y-%m-%d}" if (time.hour, time.minute) == (0, 0) else f"{time:%Y-%m-%d %H:%M}"


def plot_study(study: Any) -> Any:
    """Draw what mattered in a search, and the validation error against each setting.

    Parameters
    ----------
    study : Study
        From `tsforecast.tune`, with two different trials or more.

    Returns
    -------
    array of matplotlib axes

    Examples
    --------
    >>> from tsforecast import Forecaster, tune
    >>> table = pd.DataFrame({"y": [0.0, 1.0, 2.0] * 20})
    >>> search = {"units": [1, 2, 4]}
    >>> study = tune(Forecaster(3, epochs=1), table, validation=50, search=search, progress=False)
    >>> axes = plot_study(study)
    """
    import matplotlib.pyplot as plt
    from matplotlib import ticker as mticker

    shares = study.importances.sort_values(ascending=False)
    finished = study.table.dropna(subset="error")
    best = finished.loc[finished["error"].idxmin()]
    wide = len(shares) + 1
    _, axes = plt.subplots(1, wide, figsize=(2.6 * wide, 2.8))
    axes[0].barh(list(shares.index), shares, color=BLUE)
    axes[0].invert_yaxis()
    axes[0].set_title("what mattered")
    axes[0].set_xlabel("share of the differences")
    for name, ax in zip(shares.index, axes[1:], strict=True):
        distribution = study.study.trials[0].distributions[name]
        values, mark = finished[name], best[name]
        if hasattr(distribution, "choices"):  # side by side, in the order in which they were given
            places = {choice: place for place, choice in enumerate(distribution.choices)}
            values, mark = values.map(places), places[mark]
            ax.set_xticks(range(len(places)), [str(choice) for choice in places])
            ax.set_xlim(-0.5, len(places) - 0.5)
        elif distribution.log:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(mticker.LogLocator(subs=(1, 3)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_locator(mticker.NullLocator())
        ax.plot(values, finished["error"], "o", color=GREY, markersize=5)
        ax.plot([mark], [best["error"]], "o", color=ORANGE, markersize=7)
        ax.set_xlabel(name)
        ax.sharey(axes[1])
    axes[1].set_ylabel(f"validation {study.metric.upper()}")
    return axes


def shape_card(model: Any) -> pd.DataFrame:
    """List what every layer of a model returns: its shape, its axes, and its trained parameters.

    Parameters
    ----------
    model : keras.Model
        From `tsforecast.build_model`.

    Returns
    -------
    pandas.DataFrame
        A row per layer, in the order of the flow.

    Examples
    --------
    >>> from tsforecast import Framing, build_model
    >>> shape_card(build_model(Framing(3), units=50, scaling="none"))
            returns       the axes are  parameters
    layer
    X        (3, 1)  lookback x inputs           0
    LSTM      (50,)              units       10400
    Dense      (1,)            numbers          51
    Reshape  (1, 1)  horizon x targets           0
    """
    words: dict[int, tuple[str, ...]] = {}
    rows = []
    for layer in model.layers:
        read = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
        before = [words[id(tensor)] for tensor in read if id(tensor) in words]
        axes = _axis_words(layer, before[0] if before else (), model)
        joined = _layer_name(layer) == "Concatenate" and layer.output is not model.output
        if joined and len(before) == len(read):
            axes = (*axes[:-1], " + ".join(names[-1] for names in before))
        output, *unit = _outputs(layer)
        words[id(output)] = axes
        words |= {id(tensor): ("one", "targets") for tensor in unit}  # of OwnUnits
        shape = tuple(output.shape[1:])
        trained = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
        rows.append((_layer_name(layer), shape, " x ".join(axes), trained))
    card = pd.DataFrame(rows, columns=["layer", "returns", "the axes are", "parameters"])
    return card.set_index("layer")


def _outputs(layer: Any) -> list[Any]:
    return layer.output if isinstance(layer.output, list) else [layer.output]


def _layer_name(layer: Any) -> str:
    kind = type(layer).__name__
    if kind == "Functional":
        return "model of one step"
    if kind == "InputLayer":
        return layer.name
    inner = getattr(layer, "layer", None) or getattr(layer, "forward_layer", None)
    return f"{kind}({type(inner).__name__})" if inner is not None else kind


def _axis_words(layer: Any, before: tuple[str, ...], model: Any) -> tuple[str, ...]:
    """What each axis after the batch is, told from the kind of layer."""
    kind, rank = _layer_name(layer), len(_outputs(layer)[0].shape) - 1
    time = before[0] if len(before) > 1 else "horizon"
    if kind in ("ConvLSTM2D", "Conv2D"):  # pictures
        last = "targets" if layer.output is model.output else "filters"
        return (*before[: rank - 3], "rows", "columns", last)
    if rank == 3 and (kind == "Quantiles" or layer.output is model.output):
        return ("horizon", "targets", "quantiles")
    if kind == "Activation" and layer.name == "class":
        return ("horizon", "classes")
    if (layer.output is model.output and rank == 2) or kind in FORECASTS:
        return ("horizon", "targets")
    if kind == "model of one step":
        return ("horizon", "targets")
    if kind in ("X", "OwnUnits", "OwnSpread", "Scaling"):
        picture = ("rows", "columns") if rank == 4 else ()
        return before or ("lookback", *picture, "inputs")
    if kind == "future":
        return ("horizon", "future")
    if kind == "static":
        return ("static",)
    if kind == "RepeatVector":  # a static covariate is told to the encoder at every step
        steps = "lookback" if layer.name == "every_step" else "horizon"
        return (steps, before[-1] if before else "units")
    if kind == "Cropping1D":
        return ("last step", *before[1:])
    if kind == "RNN":
        return ("horizon", "targets")
    if kind == "Reshape" and before[0] == "lookback" and rank == 2:
        return ("patches", "steps per patch * inputs")
    if kind == "SimpleForecasts":
        return ("forecasts", "horizon", "targets")
    if kind == "ErrorUnits":
        return ("one", "targets")
    if kind == "PatchSteps":
        return ("patches of the forecast", "units")
    if kind == "GetItem":  # the last of a sequence
        return before[-rank:]
    if kind == "Reshape" and before[-1] == "future":
        return ("patches of the forecast", "steps per patch * future")
    if layer.name == "context":
        return ("horizon", "context")
    if kind == "Reshape" and rank == 3:
        return ("subsequences", "steps", before[-1])
    if kind == "Reshape":
        weighs = any(_layer_name(other) == "SimpleForecasts" for other in model.layers)
        return ("horizon", "numbers" if weighs else "targets")  # targets, and their weights
    if kind == "TimeDistributed(Conv1D)":
        return ("subsequences", "steps", "filters")
    if kind == "TimeDistributed(MaxPooling1D)":
        return ("subsequences", "pooled steps", "filters")
    if kind == "ConvLSTM1D":
        return ("columns", "units") if rank == 2 else ("subsequences", "columns", "units")
    if "LSTM" in kind:
        width = "2 * units" if kind.startswith("Bidirectional") else "units"
        return (width,) if rank == 1 else (time, width)
    if kind == "Dense":
        return ("numbers",) if rank == 1 else (time, "numbers")
    if rank == 1:
        return ("embedding",) if kind == "Embedding" else ("features",)
    return before if len(before) == rank else (time, "features")


def listing(function: Callable[..., Any]) -> Any:
    """Show a function's own source, without the long part of its docstring.

    Parameters
    ----------
    function : function
        Such as ``tsforecast.models.stacked``.

    Returns
    -------
    IPython.display.Markdown
        The source as a code block.

    Examples
    --------
    >>> from tsforecast.models import vanilla
    >>> print(listing(vanilla).data.splitlines()[1])
    def vanilla(
    """
    from IPython.display import Markdown

    source = textwrap.dedent(inspect.getsource(function))
    lines = source.splitlines()
    first = ast.parse(source).body[0].body[0]  # type: ignore[attr-defined]
    docstring = inspect.getdoc(function)
    if docstring and isinstance(first, ast.Expr):
        short = [line for line in docstring.split("\n\n")[:2] if "\n---" not in line]
        short = [part for part in short if "->" in part or part == short[0]]
        quoted = '"""' + "\n\n".join(short) + ("\n" if len(short) > 1 else "") + '"""'
        kept = textwrap.indent(quoted, "    ").splitlines()
        lines[first.lineno - 1 : first.end_lineno] = kept
    return Markdown("```python\n" + "\n".join(lines) + "\n```")


def _axes(ax: Any) -> Any:
    import matplotlib.pyplot as plt

    return ax if ax is not None else plt.subplots()[1]


def _plain(index: pd.Index) -> Any:
    """Times as matplotlib draws them: local clock time, without a zone."""
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        index = index.tz_localize(None)
    return index.to_numpy()


def _apart(heights: Any, room: float) -> list[float]:
    """Heights for labels, moved as little as it takes that no two lie on top of each other."""

    def spread(group: list[int]) -> list[float]:
        middle = sum(float(heights[number]) for number in group) / len(group)
        return [middle + room * (place - (len(group) - 1) / 2) for place in range(len(group))]

    groups: list[list[int]] = []
    for number in sorted(range(len(heights)), key=lambda number: heights[number]):
        groups.append([number])
        while len(groups) > 1 and spread(groups[-1])[0] < spread(groups[-2])[-1] + room:
            groups[-2:] = [groups[-2] + groups[-1]]
    places = {n: place for group in groups for n, place in zip(group, spread(group), strict=True)}
    return [places[number] for number in range(len(heights))]


def _shorten_dates(ax: Any, index: pd.Index, ticks: int | None = None) -> None:
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
        import matplotlib.dates as mdates

        inches = ax.get_window_extent().width / ax.figure.dpi
        room = ticks or max(4, int(inches / 0.55))  # a time and a gap take so much
        locator = mdates.AutoDateLocator(minticks=2, maxticks=room)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    else:
        ax.set_xlabel("time step")
