"""Cutting windows: batches per second beside Keras and a plain loop, and what a file of any size costs.

``python benchmarks/windows_speed.py`` writes ``benchmarks/results/windows_speed.json``. Shuffled
batches of 256 windows (168 rows in, 24 out, eight columns) are drawn from a table of a million
rows, turn by turn with the other ways, and compared with a plain copy of as many bytes. Then the
same from a file of 20 GB that is mapped into memory, and a panel of 150,000 short series.

Rates are per second of computing on one core, so that other work on the machine does not count.
``--quick`` is a look of seconds that writes nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}

import numpy as np
import pandas as pd

import tsforecast as tsf
from benchmarks.record import arguments, measure, write

ROOT = Path(__file__).resolve().parents[1]
ROWS, COLUMNS = 1_000_000, 8
LOOKBACK, HORIZON, BATCH = 168, 24, 256
FRAMING = tsf.Framing(LOOKBACK, horizon=HORIZON)
REPEATS = 9
LOOP_ROWS = 50_000
BIG = 20 * 10**9  # bytes of the file, most of them never written
WAYS = ("ours", "memcpy", "keras", "loop")
now = time.process_time


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


ITERATORS = {"ours": ours, "keras": keras_dataset, "loop": loop}


def turn(way: str, values: np.ndarray, seed: int, batches: int) -> tuple[float, float]:
    """Seconds until the first batch is there, and windows per second after it.

    The loop has cut every window before its first batch. So of the loop all seconds count, and
    all windows: its rate would else be that of picking from what is cut.
    """
    start, found = now(), 0
    drawn = ITERATORS[way](values, seed)
    next(drawn)
    first = now()
    for X, _y in drawn:
        found += len(X)
        if found >= batches * BATCH:
            break
    if way == "loop":
        return first - start, len(values) / (now() - start)
    return first - start, found / (now() - first)


def copy_rate(nbytes: int, batches: int) -> float:
    """Windows per second, if a window were nothing but a copy of its bytes."""
    source, target = np.ones(32 * nbytes, np.uint8), np.empty(nbytes, np.uint8)
    start = now()
    for batch in range(batches):
        first = batch % 32 * nbytes
        np.copyto(target, source[first : first + nbytes])
    return batches * BATCH / (now() - start)


def compare(rows: int, repeats: int, batches: int, loop_rows: int = LOOP_ROWS) -> dict[str, Any]:
    """Every way, turn by turn. Keras gets fewer batches, and the loop fewer rows."""
    values = table(rows)
    X, y = FRAMING.windows(values).batch(slice(0, BATCH))
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    first: dict[str, list[float]] = {name: [] for name in ITERATORS}
    for seed in range(repeats):
        rates["memcpy"].append(copy_rate(X.nbytes + y.nbytes, batches))
        for way in ITERATORS:
            few = {"ours": batches, "keras": max(batches // 20, 2), "loop": rows}[way]
            part = values[:loop_rows] if way == "loop" else values
            seconds, rate = turn(way, part, seed, few)
            rates[way].append(rate)
            first[way].append(seconds * rows / len(part))
    return {
        "rows": rows,
        "loop_rows": min(rows, loop_rows),
        "bytes_per_batch": X.nbytes + y.nbytes,
        "windows_per_s": rates,
        "seconds_to_first_batch": first,
    }


def middle(numbers: list[float]) -> list[float]:
    """Median, least and most."""
    return [statistics.median(numbers), min(numbers), max(numbers)]


def ratios(turns: dict[str, Any]) -> dict[str, Any]:
    """How many times the windows per second of each other way, and how much sooner ready."""
    rates, first = turns["windows_per_s"], turns["seconds_to_first_batch"]
    return {
        "windows_per_s": {
            name: middle([a / b for a, b in zip(rates["ours"], rates[name], strict=True)])
            for name in ("memcpy", "keras", "loop")
        },
        "first_batch": {
            name: middle([b / a for a, b in zip(first["ours"], first[name], strict=True)])
            for name in ("keras", "loop")
        },
    }


# --- memory, files, panels ------------------------------------------------------------------------


def extra_memory(rows: int) -> dict[str, float]:
    """The most that framing and a shuffled pass allocate, in batches; counted by tracemalloc."""
    values = table(rows)
    size = sum(array.nbytes for array in FRAMING.windows(values).batch(slice(0, BATCH)))
    tracemalloc.start()
    windows = FRAMING.windows(values)
    framing = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    for number, (_X, _y) in enumerate(windows.batches(BATCH, shuffle=True, seed=0)):
        if number == 100:
            break
    drawing = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"framing_batches": framing / size, "drawing_batches": drawing / size}


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
        drawn, start = windows.batches(BATCH, shuffle=True, seed=0), now()
        with measure() as drawing:
            found = sum(len(next(drawn)[0]) for _ in range(batches))
        seconds = now() - start
        return {
            "gb": nbytes / 1e9,
            "rows": rows,
            "framing_s": framing.cpu_s,
            "windows_per_s": found / seconds,
            "peak_mb": max(framing.peak_mb, drawing.peak_mb),
            "start_mb": framing.start_mb,
        }


def in_its_own_process(nbytes: int, batches: int) -> dict[str, float]:
    """`mapped_file` where nothing else is in memory."""
    code = f"from benchmarks import windows_speed as w; print(w.json.dumps(w.mapped_file({nbytes}, {batches})))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def panel(series: int, points: int) -> dict[str, float]:
    """Frame a panel in long format and cut one batch from it."""
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{number:06d}" for number in range(series)], points),
            "ds": np.tile(pd.date_range("2024-01-01", periods=points), series),
            "y": np.random.default_rng(0).normal(size=series * points),
        }
    )
    with measure() as cost:
        windows = tsf.Framing(24, horizon=12, targets="y").windows(frame)
        windows.batch(slice(0, BATCH))
    added = cost.peak_mb - cost.start_mb
    return {
        "series": series,
        "points": points,
        "windows": len(windows),
        "computing_s": cost.cpu_s,
        "added_mb": added,
    }


def main() -> int:
    quick = arguments(__doc__).parse_args().quick
    if quick:
        print(ratios(compare(30_000, 2, 10, 5_000)), extra_memory(300_000))
        print(in_its_own_process(10**7, 4), panel(100, 50))
        return 0
    turns = compare(ROWS, REPEATS, 1000)
    results = {
        "what": "windows of 168 + 24 rows and 8 columns, shuffled, in batches of 256",
        "turns": turns,
        "ratios": ratios(turns),
        "memory": extra_memory(ROWS),
        "file": in_its_own_process(BIG, 200),
        "panel": panel(150_000, 50),
        "remarks": [
            f"The loop gets the first {LOOP_ROWS:,} rows of the table: with all of them its arrays "
            "would need 6 GB. Its windows per second do not depend on the number of rows, and its "
            "time to the first batch is multiplied up to all of them.",
            "A copy of the same bytes is the limit of every way that hands out arrays of its own, "
            "so no such way has 1,000 times the windows per second of the loop.",
        ],
    }
    write("windows_speed", __file__, results)
    print(results["ratios"], results["memory"], results["file"], results["panel"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
