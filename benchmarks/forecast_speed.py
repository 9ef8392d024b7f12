"""Forecasting: many series in one call, one series from a loaded file, and cold from the shell.

``python benchmarks/forecast_speed.py`` writes ``benchmarks/results/forecast_speed.json``. 10,000
series are forecast 48 steps ahead in one call, beside a loop of ``model.predict``; the loop is
measured on a sample of the series, and multiplied up. A forecaster is loaded from its file and
forecasts one table, beside ``model.predict`` on the same window. And a process is started that
imports, loads and forecasts: which of these takes how long, on each backend that is installed.

Seconds are those of computing, with one thread of TensorFlow: other work on the machine does not
count. ``--quick`` is a look that writes nothing.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ |= {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}

import numpy as np
import pandas as pd

import tsforecast as tsf
from benchmarks.record import arguments, write

ROOT = Path(__file__).resolve().parents[1]
LOOKBACK, HORIZON, UNITS = 168, 48, 32
SERIES, ROWS = 10_000, 240
SAMPLE = 50  # series of the loop
REPEATS = 5
COLD = """
import sys, time
began = time.process_time()
taken = {"Python itself": began}
def done(name):
    global began
    now = time.process_time()
    taken[name], began = now - began, now
import numpy, pandas
done("import NumPy and pandas")
import tsforecast
done("import tsforecast")
import keras
done("import Keras and its backend")
tsforecast.Forecaster
done("import the rest of the package")
forecaster = tsforecast.Forecaster.load(sys.argv[1])
done("load the file")
forecaster.forecast()
done("first forecast")
forecaster.forecast()
done("second forecast")
import json
print(json.dumps(taken))
"""


def panel(series: int) -> pd.DataFrame:
    """Random walks, the hours of some days."""
    steps = np.random.default_rng(0).normal(size=(series, ROWS))
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{number:05d}" for number in range(series)], ROWS),
            "ds": np.tile(pd.date_range("2024-01-01", periods=ROWS, freq="h"), series),
            "y": steps.cumsum(axis=1).ravel(),
        }
    )


def forecaster() -> tsf.Forecaster:
    return tsf.Forecaster(
        LOOKBACK, horizon=HORIZON, targets="y", units=UNITS, scaling="window", epochs=1
    )


def seconds(work: Callable[[], Any]) -> float:
    """Seconds of computing that one call takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def many(series: int, sample: int, repeats: int) -> dict[str, Any]:
    """All series in one call, and a loop of `model.predict` over a sample of them, in turns."""
    table = panel(series)
    fitted = forecaster().fit(table[table["unique_id"] < "s00004"])
    X = fitted.framing.last_window(table)[:sample]
    result = fitted.forecast(table)  # what is compiled once is not counted
    assert len(result) == series * HORIZON

    def loop() -> list[np.ndarray]:
        return [fitted.model.predict(window[None], verbose=0) for window in X]

    slow = np.concatenate(loop())[:, :, 0].ravel()
    np.testing.assert_allclose(result["y"][: len(slow)], slow, rtol=1e-3, atol=1e-3)
    one_call, looped = [], []
    for _ in range(repeats):
        one_call.append(seconds(lambda: fitted.forecast(table)))
        looped.append(seconds(loop) / len(X) * series)
    ratios = [b / a for a, b in zip(one_call, looped, strict=True)]
    return {
        "series": series,
        "sample": len(X),
        "one_call_s": one_call,
        "loop_s": looped,
        "ratio": [statistics.median(ratios), min(ratios), max(ratios)],
    }


def single(path: Path, times: int) -> dict[str, Any]:
    """Milliseconds of one forecast from a loaded file, and of what is in it."""
    loaded = tsf.Forecaster.load(path)
    X = loaded.framing.last_window(loaded.tail)
    ways = {
        "forecaster.forecast()": loaded.forecast,
        "model.predict(X)": lambda: loaded.model.predict(X, verbose=0),
        "model.predict_on_batch(X)": lambda: loaded.model.predict_on_batch(X),
    }
    found: dict[str, dict[str, list[float]]] = {
        name: {"computing_ms": [], "clock_ms": []} for name in ways
    }
    for number in range(times + 3):
        for name, way in ways.items():
            clock = time.perf_counter()
            computing = seconds(way)
            if number >= 3:  # warm by then
                found[name]["computing_ms"].append(1000 * computing)
                found[name]["clock_ms"].append(1000 * (time.perf_counter() - clock))
    return {
        name: {
            "computing_ms": statistics.median(both["computing_ms"]),
            "clock_ms": [statistics.median(both["clock_ms"]), min(both["clock_ms"])],
        }
        for name, both in found.items()
    }


def cold(path: Path, backend: str, repeats: int) -> dict[str, float]:
    """Seconds of each step of a process that loads a file and forecasts: medians."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": backend}
    runs = []
    for number in range(repeats + 1):
        done = subprocess.run(
            [sys.executable, "-c", COLD, str(path)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if number:  # the first has brought the files into memory
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def import_times(code: str) -> dict[str, float]:
    """Seconds on the clock that importing takes, by package: its own modules only."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: Counter[str] = Counter()
    for line in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)", done.stderr):
        found[line[1].partition(".")[0]] += int(line[0])
    most = {name: value / 1e6 for name, value in found.most_common(8)}
    return most | {"all others": sum(found.values()) / 1e6 - sum(most.values())}


def main() -> int:
    quick = arguments(__doc__).parse_args().quick
    series, sample, times, repeats = (200, 3, 3, 1) if quick else (SERIES, SAMPLE, 30, REPEATS)
    backends = [
        name for name in ("tensorflow", "jax", "torch", "numpy") if find_spec(name) is not None
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        one = panel(1).set_index("ds")[["y"]]
        forecaster().fit(one).save(path)
        results = {
            "what": {"lookback": LOOKBACK, "horizon": HORIZON, "units": UNITS},
            "many": many(series, sample, repeats),
            "single": single(path, times),
            "cold": {
                name: cold(path, name, repeats) for name in (backends[:1] if quick else backends)
            },
            "imports": {
                "import tsforecast": import_times("import tsforecast"),
                "tsforecast.Forecaster": import_times("import tsforecast; tsforecast.Forecaster"),
            },
        }
    print(json.dumps(results, indent=1))
    if not quick:
        write("forecast_speed", __file__, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
