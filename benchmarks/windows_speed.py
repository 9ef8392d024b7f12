"""Cutting windows: batches per second beside Keras and a plain loop, and what a file of any size costs.

``python benchmarks/windows_speed.py`` writes ``benchmarks/results/windows_speed.json``. Shuffled
batches of 256 windows (168 rows in, 24 out, eight columns) are drawn from a table of a million
rows, turn by turn with the other ways, and compared with a plain copy of as many bytes. Then the
same from a file of 20 GB that is mapped into memory, a panel of 150,000 short series, and tables
from 10,000 to 10 million rows. ``--quick`` is a look of seconds that writes nothing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import benchmarks.one_core  # noqa: F401  before TensorFlow

import numpy as np  # isort: skip
import pandas as pd

import tsforecast as tsf
from benchmarks.record import arguments, measure, write

ROWS, COLUMNS = 1_000_000, 8
LOOKBACK, HORIZON, BATCH = 168, 24, 256
FRAMING = tsf.Framing(LOOKBACK, horizon=HORIZON)
REPEATS = 5
BIG = 20 * 10**9  # bytes of the file, most of them never written


def table(rows: int) -> np.ndarray:
    """Random numbers, (rows, 8)."""
    return np.random.default_rng(0).normal(size=(rows, COLUMNS)).astype(np.float32)


# --- three ways to shuffled batches ---------------------------------------------------------------


def ours(values: np.ndarray, seed: int) -> Iterator[Any]:
    return FRAMING.windows(values).batches(BATCH, shuffle=True, seed=seed)


def keras_dataset(values: np.ndarray, seed: int) -> Iterator[Any]:
    """`timeseries_dataset_from_array`, as its guide has it; the targets are cut beforehand."""
    import keras

    ahead = np.lib.stride_tricks.sliding_window_view(values[LOOKBACK:], HORIZON, axis=0)
    dataset = keras.utils.timeseries_dataset_from_array(
        values[: len(ahead) + LOOKBACK - 1],
        np.ascontiguousarray(ahead),
        sequence_length=LOOKBACK,
        batch_size=BATCH,
        shuffle=True,
        seed=seed,
    )
    return iter(dataset)


def loop(values: np.ndarray, seed: int) -> Iterator[Any]:
    """The tutorial's splitter: a Python loop that appends every window to a list."""
    X, y = [], []
    for start in range(len(values) - LOOKBACK - HORIZON + 1):
        end = start + LOOKBACK
        X.append(values[start:end])
        y.append(values[end : end + HORIZON])
    X_all, y_all = np.array(X), np.array(y)
    order = np.random.default_rng(seed).permutation(len(X_all))
    for first in range(0, len(order), BATCH):
        yield X_all[order[first : first + BATCH]], y_all[order[first : first + BATCH]]


def rate(drawn: Iterator[Any], batches: int) -> float:
    """Windows per second over so many batches, after the first one: what is set up once is free."""
    next(drawn)
    start, found = time.perf_counter(), 0
    for X, _y in drawn:
        found += len(X)
        if found >= batches * BATCH:
            break
    return found / (time.perf_counter() - start)


def loop_rate(values: np.ndarray, seed: int) -> float:
    """Windows per second of the loop, all of them: it cuts every window before the first batch."""
    start = time.perf_counter()
    found = sum(len(X) for X, _y in loop(values, seed))
    return found / (time.perf_counter() - start)


def copy_rate(nbytes: int, batches: int) -> float:
    """Windows per second, if a window were nothing but a copy of its bytes."""
    source, target = np.ones(32 * nbytes, np.uint8), np.empty(nbytes, np.uint8)
    start = time.perf_counter()
    for batch in range(batches):
        first = batch % 32 * nbytes
        np.copyto(target, source[first : first + nbytes])
    return batches * BATCH / (time.perf_counter() - start)


def compare(rows: int, repeats: int, batches: int) -> dict[str, Any]:
    """Windows per second of every way, turn by turn. The slow ones get fewer batches or rows."""
    values = table(rows)
    X, y = FRAMING.windows(values).batch(slice(0, BATCH))
    few = min(rows, 20_000)  # the loop's time is proportional to the rows: it holds every window
    found: dict[str, list[float]] = {name: [] for name in ("ours", "memcpy", "keras", "loop")}
    for seed in range(repeats):
        found["ours"].append(rate(ours(values, seed), batches))
        found["memcpy"].append(copy_rate(X.nbytes + y.nbytes, batches))
        found["keras"].append(rate(keras_dataset(values, seed), max(batches // 20, 2)))
        found["loop"].append(loop_rate(values[:few], seed))
    return {"rows": rows, "bytes_per_batch": X.nbytes + y.nbytes, "windows_per_s": found}


def ratios(found: dict[str, list[float]]) -> dict[str, Any]:
    """Ours over each other way, by turns: median, least and most."""
    result = {}
    for name in ("memcpy", "keras", "loop"):
        turns = [a / b for a, b in zip(found["ours"], found[name], strict=True)]
        result[name] = [statistics.median(turns), min(turns), max(turns)]
    return result


# --- memory, files, panels, growth ----------------------------------------------------------------


def extra_memory(rows: int) -> dict[str, float]:
    """The most that a shuffled pass allocates, in batches; counted by tracemalloc."""
    import tracemalloc

    values = table(rows)
    windows = FRAMING.windows(values)
    size = sum(array.nbytes for array in windows.batch(slice(0, BATCH)))
    tracemalloc.start()
    for number, (_X, _y) in enumerate(windows.batches(BATCH, shuffle=True, seed=0)):
        if number == 100:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"peak_batches": peak / size}


def mapped_file(nbytes: int, batches: int) -> dict[str, float]:
    """Frame a file of so many bytes, mostly empty, and draw shuffled batches from it."""
    rows = nbytes // (COLUMNS * 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.dat"
        with path.open("wb") as file:
            file.truncate(rows * COLUMNS * 4)
        values = np.memmap(path, dtype=np.float32, mode="r", shape=(rows, COLUMNS))
        with measure() as framing:
            windows = FRAMING.windows(values)
        with measure() as drawing:
            speed = rate(windows.batches(BATCH, shuffle=True, seed=0), batches)
        peak = max(framing.peak_mb, drawing.peak_mb)
        return {
            "gb": nbytes / 1e9,
            "rows": rows,
            "framing_s": framing.wall_s,
            "windows_per_s": speed,
            "peak_mb": peak,
            "start_mb": framing.start_mb,
        }


def panel(series: int, points: int) -> dict[str, float]:
    """Frame a panel in long format and cut one batch from it."""
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(series), points),
            "ds": np.tile(np.arange(points), series),
            "y": np.random.default_rng(0).normal(size=series * points),
        }
    )
    with measure() as cost:
        windows = tsf.Framing(24, horizon=12, targets="y").windows(frame)
        windows.batch(slice(0, BATCH))
    added = cost.peak_mb - cost.start_mb
    return {"series": series, "seconds": cost.wall_s, "windows": len(windows), "added_mb": added}


def growth(sizes: list[int], batches: int) -> list[dict[str, float]]:
    """Seconds per window and memory as the table grows: framing, and a shuffled pass."""
    found = []
    for rows in sizes:
        values = table(rows)
        with measure() as cost:
            start = time.perf_counter()
            windows = FRAMING.windows(values)
            framed = time.perf_counter() - start
            speed = rate(windows.batches(BATCH, shuffle=True, seed=0), min(batches, rows // 300))
        added = cost.peak_mb - cost.start_mb
        found.append(
            {
                "rows": rows,
                "framing_s_per_million_rows": framed / rows * 1e6,
                "microseconds_per_window": 1e6 / speed,
                "added_mb": added,
            }
        )
    return found


def main() -> int:
    quick = arguments(__doc__).parse_args().quick
    if quick:
        turns = compare(30_000, 1, 4)
        print(ratios(turns["windows_per_s"]), extra_memory(300_000), mapped_file(10**7, 4))
        print(panel(100, 50), growth([10_000, 20_000], 4))
        return 0
    turns = compare(ROWS, REPEATS, 1000)
    results = {
        "what": "windows of 168 + 24 rows and 8 columns, shuffled, in batches of 256",
        "turns": turns,
        "ratios": ratios(turns["windows_per_s"]),
        "memory": extra_memory(ROWS),
        "file": mapped_file(BIG, 400),
        "panels": [panel(count, 50) for count in (10, 100, 1000, 10_000, 100_000, 150_000)],
        "growth": growth([10**power for power in (4, 5, 6, 7)], 400),
        "remarks": [
            "The loop gets the first 20,000 rows of the table: with all of them its lists would "
            "need more memory than the machine has. Its windows per second do not depend on it.",
        ],
    }
    write("windows_speed", __file__, results)
    print(results["ratios"], results["file"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
