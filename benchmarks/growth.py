"""Growth: time and memory per window, from 10,000 rows to 10 million, from 10 series to 100,000.

``python benchmarks/growth.py`` writes ``benchmarks/results/growth.json``. For each size a table (or
panel) is framed, shuffled batches are drawn from it, and a panel is forecast. Time is that of
computing on one core, per window or series; memory is what Python and NumPy allocate on top of the
table, counted by tracemalloc. ``--quick`` is a look of seconds that writes nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}

import numpy as np
import pandas as pd

import tsforecast as tsf
from benchmarks.record import arguments, write

ROWS = [10**power for power in (4, 5, 6, 7)]
SERIES = [10**power for power in (1, 2, 3, 4, 5)]
COLUMNS, POINTS, BATCH = 8, 50, 256
FRAMING = tsf.Framing(168, horizon=24)
OF_PANEL = tsf.Framing(24, horizon=12, targets="y")
REPEATS = 5


def table(rows: int) -> np.ndarray:
    """Random numbers, (rows, 8)."""
    return np.random.default_rng(0).normal(size=(rows, COLUMNS)).astype(np.float32)


def panel(series: int) -> pd.DataFrame:
    """Series of 50 days each, of random numbers."""
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{number:06d}" for number in range(series)], POINTS),
            "ds": np.tile(pd.date_range("2024-01-01", periods=POINTS), series),
            "y": np.random.default_rng(0).normal(size=series * POINTS),
        }
    )


def draw(windows: tsf.Windows, batches: int) -> int:
    """Go through shuffled batches, again from the start where they end; how many windows."""
    found = 0
    while found < batches * BATCH:
        for X, _y in windows.batches(BATCH, shuffle=True, seed=0):
            found += len(X)
            if found >= batches * BATCH:
                break
    return found


def per(work: Callable[[], int], repeats: int) -> float:
    """Microseconds of computing for each of the things that `work` says it did: the median."""
    work()  # what is set up once
    found = []
    for _ in range(repeats):
        start, count = time.process_time(), 0
        while time.process_time() - start < 0.05:  # the clock of the processor is coarse
            count += work()
        found.append(1e6 * (time.process_time() - start) / count)
    return statistics.median(found)


def peak(work: Callable[[], Any]) -> float:
    """The most that is allocated while `work` runs, in megabytes."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def of_rows(rows: int, batches: int, repeats: int) -> dict[str, float]:
    """One table."""
    values = table(rows)
    windows = FRAMING.windows(values)
    return {
        "rows": rows,
        "windows": len(windows),
        "framing_us": per(lambda: len(FRAMING.windows(values)), repeats),
        "drawing_us": per(lambda: draw(windows, batches), repeats),
        "framing_mb": peak(lambda: FRAMING.windows(values)),
        "drawing_mb": peak(lambda: draw(windows, batches)),
    }


def of_series(series: int, batches: int, repeats: int, model: Any) -> dict[str, float]:
    """One panel."""
    frame = panel(series)
    windows = OF_PANEL.windows(frame)

    def forecast() -> int:
        return len(tsf.forecast(model, OF_PANEL, frame)) // OF_PANEL.horizon

    return {
        "series": series,
        "windows": len(windows),
        "framing_us": per(lambda: len(OF_PANEL.windows(frame)), repeats),
        "drawing_us": per(lambda: draw(windows, batches), repeats),
        "forecast_us": per(forecast, repeats),
        "framing_mb": peak(lambda: OF_PANEL.windows(frame)),
        "drawing_mb": peak(lambda: draw(windows, batches)),
        "table_mb": 3 * 8 * len(frame) / 1e6,
    }


def main() -> int:
    quick = arguments(__doc__).parse_args().quick
    batches, repeats = (4, 1) if quick else (200, REPEATS)
    model = tsf.build_model(OF_PANEL, units=16, scaling="window")
    tsf.fit(model, OF_PANEL.windows(panel(2)), epochs=1, seed=0)
    results = {
        "batch_mb": sum(
            array.nbytes for array in FRAMING.windows(table(1000)).batch(slice(0, BATCH))
        )
        / 1e6,
        "rows": [of_rows(rows, batches, repeats) for rows in (ROWS[:2] if quick else ROWS)],
        "series": [
            of_series(series, batches, repeats, model)
            for series in (SERIES[:2] if quick else SERIES)
        ],
    }
    print(json.dumps(results, indent=1))
    if not quick:
        write("growth", __file__, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
