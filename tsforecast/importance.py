"""Which inputs matter? Exchange a part of the inputs between windows, and see what it costs.

Taught in the chapter on inputs (`notebooks/importance.ipynb`).
"""

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd

from tsforecast.framing import Windows
from tsforecast.intervals import point_forecast
from tsforecast.models import check_fitted, check_shapes, check_windows, quantiles_of
from tsforecast.tables import check_whole_number

ALL_COLUMNS, ALL_BLOCKS, AHEAD = "all columns", "all", "ahead"
METRICS = ("mae", "rmse")


class Part(NamedTuple):
    """A part of the inputs: where it is in the arrays that the model reads."""

    column: Hashable
    block: str
    cuts: list[tuple[str, slice, int]]  # array, time steps, number of the column


def importance(
    model: Any,
    windows: Windows,
    *,
    blocks: int = 4,
    repeats: int = 3,
    metric: str = "mae",
    within: Any = None,
    together: Mapping[str, Sequence[Hashable]] | None = None,
    seed: int = 0,
    batch_size: int = 1024,
) -> pd.DataFrame:
    """How much worse the forecasts get when a part of the inputs is exchanged between windows.

    Parameters
    ----------
    model : keras.Model or Forecaster
        Fitted.
    windows : Windows
        Held-out windows, framed as the model expects. They stay as they are.
    blocks : int
        Pieces of equal length into which the lookback is cut (no more than it has steps); with
        1, columns only.
    repeats : int
        How often each part is exchanged, every time in another random order.
    metric : {"mae", "rmse"}
        The error, in the units of the target.
    within : int or one label per window, optional
        Exchange only between windows that are alike: an int is the number of steps per season,
        and windows trade with windows whose cutoff has the same phase (48 for half-hours: the
        same time of day); labels say it window by window. By default every window trades with
        every other.
    together : dict of lists of column names, optional
        Columns that are exchanged as one, under a common name: for columns that say the same,
        such as ``{"calendar": ["hour_sin", "hour_cos"]}``.
    seed : int
        Draws the random orders.
    batch_size : int
        Windows per batch; it changes the memory used, not the result.

    Returns
    -------
    pandas.DataFrame
        A row per part: ``column`` and ``block``, the error with that part exchanged (``error``,
        the mean over the repeats), its ``rise`` relative to the error without exchange (0.5 is
        half as much again) and the ``spread`` of the rise, the standard deviation over the
        repeats. First the columns over all blocks, the most important first; then the blocks
        over all columns; then each column in each block. A block is named by its rows counted
        back from the cutoff, such as "1 to 84"; the block "ahead" is a future covariate at the
        target steps. With several targets there is a column ``target``, and a row per target.
        ``table.attrs["error"]`` holds the error without exchange.

    Raises
    ------
    ValueError
        If the model was built for other windows or never fitted, if there are fewer than two
        windows to trade, or if an argument is not in its range.

    Notes
    -----
    Permutation importance, with one permutation for all time steps of a block, so that
    curves stay whole. It says what *this model* uses, not what causes what. Two columns that say
    the same share their importance, and each alone looks unimportant. And an exchange between
    any two windows makes inputs that never occur, such as the temperature of noon at midnight:
    `within` keeps to windows that are alike.

    References
    ----------
    Breiman, "Random Forests", 2001.

    Examples
    --------
    >>> from tsforecast import Framing, build_model, fit
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.normal(size=(300, 2)), columns=["driver", "noise"])
    >>> table["y"] = table["driver"].shift(1, fill_value=0.0)
    >>> framing = Framing(4, targets="y", past_covariates=["driver", "noise"])
    >>> train, held_out = framing.windows(table).split(200)
    >>> model = build_model(framing, units=8, skip="linear")
    >>> history = fit(model, train, epochs=5, seed=0)
    >>> parts = importance(model, held_out, blocks=2)
    >>> parts.loc[0, ["column", "block"]].tolist()
    ['driver', 'all']
    """
    check_whole_number("blocks", blocks, 1)
    check_whole_number("repeats", repeats, 1)
    check_whole_number("batch_size", batch_size, 1)
    model = getattr(model, "model", model)  # of a Forecaster
    check_windows(windows)
    check_shapes(model, windows.framing)
    check_fitted(model)
    if metric not in METRICS:
        raise ValueError(f"There is no metric {metric!r}. Choose from {', '.join(METRICS)}.")
    groups = _groups(windows, within)
    labels = _labels(windows, together or {})

    rng = np.random.default_rng(seed)
    parts = list(_parts(windows, blocks, labels))
    base = _errors(model, windows, [None], np.arange(len(windows)), metric, batch_size)[0]
    errors = np.stack(
        [
            _errors(model, windows, parts, _partners(groups, rng), metric, batch_size)
            for _ in range(repeats)
        ]
    )  # (repeats, parts, targets)
    with np.errstate(divide="ignore", invalid="ignore"):  # a model that makes no error at all
        rises = np.where(errors == base, 0.0, (errors - base) / base)
    return _table(windows, parts, base, errors, rises)


def _labels(windows: Windows, together: Mapping[str, Sequence[Hashable]]) -> dict[Hashable, Any]:
    """The name under which each column is exchanged: its own, or that of its group."""
    framing = windows.framing
    labels: dict[Hashable, Any] = {
        name: name for name in (*framing.inputs, *framing.static_covariates)
    }
    for group, names in together.items():
        names = [names] if isinstance(names, str) else names
        for name in names:
            if name not in labels:
                raise ValueError(
                    f"together= names the column {name!r}, which the model does not read. It reads "
                    f"{list(labels)}."
                )
            if labels[name] != name:
                raise ValueError(
                    f"together= has the column {name!r} in {labels[name]!r} and in {group!r}. Keep "
                    f"it in one."
                )
            labels[name] = group
    return labels


def _parts(windows: Windows, blocks: int, labels: dict[Hashable, Any]) -> Iterator[Part]:
    """Columns over all blocks, blocks over all columns, then each column in each block."""
    framing = windows.framing
    asked, blocks = blocks, min(blocks, framing.lookback)
    edges = np.linspace(0, framing.lookback, blocks + 1).round().astype(int)[::-1]  # newest first
    pieces = {}
    for stop, start in itertools.pairwise(edges):
        first, last = framing.lookback - stop + 1, framing.lookback - start  # from the cutoff
        pieces[str(first) if first == last else f"{first} to {last}"] = slice(start, stop)

    whole = slice(None)
    cells = []  # column, block, and where it is in the arrays
    for number, name in enumerate(framing.inputs):
        cells += [(labels[name], block, ("X", steps, number)) for block, steps in pieces.items()]
    for number, name in enumerate(framing.future_covariates):
        cells.append((labels[name], AHEAD, ("future", whole, number)))
    for number, name in enumerate(framing.static_covariates):
        cells.append((labels[name], ALL_BLOCKS, ("static", whole, number)))

    columns = list(dict.fromkeys(column for column, _, _ in cells))
    for wanted in columns:
        yield Part(wanted, ALL_BLOCKS, [cut for column, _, cut in cells if column == wanted])
    if asked == 1:
        return
    for wanted in (*pieces, AHEAD):
        cuts = [cut for _, block, cut in cells if block == wanted]
        if cuts:
            yield Part(ALL_COLUMNS, wanted, cuts)
    for both in itertools.product(columns, (*pieces, AHEAD)):
        cuts = [cut for column, block, cut in cells if (column, block) == both]
        if cuts:
            yield Part(*both, cuts)


def _groups(windows: Windows, within: Any) -> list[np.ndarray]:
    """The windows that may trade with one another, as lists of their numbers."""
    samples = len(windows)
    if within is None:
        labels = np.zeros(samples)
    elif np.ndim(within) == 0:
        check_whole_number("within", within, 1)
        cutoffs = np.asarray(windows.starts) + windows.framing.lookback - 1
        labels = (cutoffs if windows.grid is None else windows.grid[cutoffs]) % within
    else:
        labels = np.asarray(within)
        if labels.shape != (samples,):
            raise ValueError(
                f"within= must hold one label per window: {samples}, and it has the shape "
                f"{labels.shape}. For example within=windows.cutoffs.hour."
            )
    _, codes = np.unique(labels, return_inverse=True)
    groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    if max(len(group) for group in groups) < 2:
        what = f"{samples} windows" if within is None else f"no two of the {samples} windows alike"
        raise ValueError(
            f"There are {what}, so nothing can be exchanged between them. Give more windows"
            + ("." if within is None else ", or leave within= out.")
        )
    return groups


def _partners(groups: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """For each window the one that it takes its part from: another one of its group."""
    partners = np.empty(sum(map(len, groups)), dtype=np.int64)
    for group in groups:
        ring = rng.permutation(group)  # each takes from its neighbour in a random ring
        partners[ring] = np.roll(ring, 1)
    return partners


def _errors(
    model: keras.Model,
    windows: Windows,
    parts: list[Any],
    partners: np.ndarray,
    metric: str,
    batch_size: int,
) -> np.ndarray:
    """The error of each target with each part exchanged, (parts, targets)."""
    sums = np.zeros((len(parts), windows.framing.n_targets))
    for first in range(0, len(windows), batch_size):
        rows = np.arange(first, min(first + batch_size, len(windows)))
        inputs, y = windows.batch(rows)
        others, _ = windows.batch(partners[rows])
        for number, part in enumerate(parts):
            mixed = inputs if part is None else exchange(inputs, others, part)
            forecast = point_forecast(model.predict_on_batch(mixed), quantiles_of(model))
            miss = np.abs(forecast.astype(np.float64) - y)
            sums[number] += (miss if metric == "mae" else miss**2).sum(axis=(0, 1))
    means = sums / (len(windows) * windows.framing.horizon)
    return means if metric == "mae" else np.sqrt(means)


def exchange(inputs: Any, others: Any, part: Part) -> Any:
    """The inputs with one part taken from other windows; everything else stays."""
    one = not isinstance(inputs, dict)
    mixed = {"X": inputs} if one else dict(inputs)
    source = {"X": others} if one else others
    for name in {name for name, _, _ in part.cuts}:
        mixed[name] = mixed[name].copy()
    for name, steps, column in part.cuts:
        if name == "static":
            mixed[name][:, column] = source[name][:, column]
        else:
            mixed[name][:, steps, column] = source[name][:, steps, column]
    return mixed["X"] if one else mixed


def _table(
    windows: Windows, parts: list[Part], base: np.ndarray, errors: np.ndarray, rises: np.ndarray
) -> pd.DataFrame:
    tables = []
    for number, target in enumerate(windows.framing.targets):
        table = pd.DataFrame(
            {
                "target": target,
                "column": [part.column for part in parts],
                "block": [part.block for part in parts],
                "error": errors[:, :, number].mean(axis=0),
                "rise": rises[:, :, number].mean(axis=0),
                "spread": rises[:, :, number].std(axis=0, ddof=1 if len(rises) > 1 else 0),
            }
        )
        whole = (table["block"] == ALL_BLOCKS).to_numpy()
        ranked = table[whole].sort_values("rise", ascending=False, kind="stable")
        tables.append(pd.concat([ranked, table[~whole]], ignore_index=True))
    result = pd.concat(tables, ignore_index=True)
    result.attrs["error"] = dict(zip(windows.framing.targets, base.tolist(), strict=True))
    if len(tables) == 1:
        result = result.drop(columns="target")
        result.attrs["error"] = float(base[0])
    return result
