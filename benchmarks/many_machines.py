"""The rates that a plan for many machines needs: reading, framing, training, forecasting.

``python benchmarks/many_machines.py`` measures each in windows (or rows) per second of computing
on one core, three times, and keeps the median. Seconds of computing, not of the clock: other work
on the machine slows the clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

import tsforecast as tsf
from benchmarks.record import write

PLAN = {
    "rows_per_series": 1_000,
    "lookback": 56,
    "horizon": 28,
    "units": 64,
    "batch_size": 512,
    "series_measured": 200,
}
REPEATS = 3


def panel(series: int) -> pd.DataFrame:
    """Pieces of a real series, as if each were a series: `rows_per_series` steps each."""
    demand = tsf.datasets.vic_elec()["demand"].to_numpy()
    rows = PLAN["rows_per_series"]
    starts = np.linspace(0, len(demand) - rows, series).astype(int)
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{number:07d}" for number in range(series)], rows),
            "ds": np.tile(pd.date_range("2023-01-01", periods=rows), series),
            "y": np.concatenate([demand[start : start + rows] for start in starts]).round(),
        }
    )


def per_second(count: int, work: Callable[[], Any]) -> float:
    """How many of `count` things the work does in a second of computing: the median."""
    work()  # the first time, TensorFlow builds its graph
    rates = []
    for _ in range(REPEATS):
        began, times = time.process_time(), 0
        while time.process_time() - began < 0.2:
            work()
            times += 1
        rates.append(count * times / (time.process_time() - began))
    return float(np.median(rates))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few series, no record")
    quick = parser.parse_args().quick
    table = panel(20 if quick else PLAN["series_measured"])
    f = tsf.Forecaster(
        PLAN["lookback"],
        horizon=PLAN["horizon"],
        targets="y",
        units=PLAN["units"],
        scaling="series",
        batch_size=PLAN["batch_size"],
        epochs=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.parquet"
        table.to_parquet(path, index=False)
        size = path.stat().st_size
        reading = per_second(len(table), lambda: pd.read_parquet(path))
    windows = f.windows(table)
    framing = per_second(len(windows), lambda: f.windows(table))
    cutting = per_second(len(windows), lambda: [0 for _ in windows.batches(512, shuffle=True)])
    # A fit has a fixed part, the graph; the rate is that of what more windows cost.
    few = table[table["unique_id"] < f"s{len(table) // PLAN['rows_per_series'] // 10:07d}"]
    seconds = {}
    for name, part in (("few", few), ("all", table)):
        fit = lambda part=part: f.copy().fit(part)  # noqa: E731
        seconds[name] = 1 / per_second(1, fit)
    more = len(windows) - len(f.windows(few))
    fitted = f.copy().fit(few)
    last = windows[:: PLAN["horizon"]]
    rates = {
        "rows_read": reading,
        "windows_framed": framing,
        "windows_cut": cutting,
        "windows_trained": more / (seconds["all"] - seconds["few"]),
        "windows_forecast": per_second(len(last), lambda: fitted.predict(last)),
    }
    found = {"plan": PLAN, "bytes_per_row": size / len(table), "per_core_second": rates}
    print(found)
    if not quick:
        write("many_machines", __file__, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
