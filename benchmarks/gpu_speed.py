"""The same code on a GPU: tanh beside relu, batch sizes, and how near to the chip's limit.

``KERAS_BACKEND=jax python benchmarks/gpu_speed.py`` (or ``torch``, or ``tensorflow``) trains and
forecasts windows of 168 + 24 rows and 8 columns with an LSTM of 64 units, on the GPU and on the
CPU of the same machine, and writes ``benchmarks/results/gpu_speed.json``. Where there is no GPU it
says so and writes nothing. ``--quick`` is a small run on whatever there is, and writes nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

import tsforecast as tsf
from benchmarks.record import arguments, write

LOOKBACK, HORIZON, COLUMNS, UNITS = 168, 24, 8, 64
FRAMING = tsf.Framing(LOOKBACK, horizon=HORIZON)
BATCHES = (64, 256, 1024, 4096, 16384)
STEPS = 20  # updates of a measurement
REPEATS = 5
# Per window and time step 8 x units x (inputs + units + 1) forward, and twice that backward.
FORWARD = 8 * UNITS * (COLUMNS + UNITS + 1) * LOOKBACK


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return torch.cuda.is_available()
    if backend == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def chip() -> str:
    """The name of the GPU, as the backend has it."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name(0)
    if backend == "jax":
        import jax

        return jax.devices()[0].device_kind
    import tensorflow as tf

    gpu = tf.config.list_physical_devices("GPU")[0]
    return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")


def limit(device: str, size: int) -> float:
    """The rate of a large matrix multiply, in FLOPs per second: the best of ten."""
    with keras.device(device):
        a = keras.random.normal((size, size), seed=0)
        times = []
        for _ in range(10):
            start = time.perf_counter()
            keras.ops.convert_to_numpy(keras.ops.sum(keras.ops.matmul(a, a)))  # waits for it
            times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def windows_per_second(device: str, activation: str, batch: int, steps: int) -> dict[str, float]:
    """Training and forecasting, without what is compiled first: medians."""
    rows = np.random.default_rng(0).normal(size=(batch * steps + LOOKBACK + HORIZON - 1, COLUMNS))
    windows = FRAMING.windows(rows.astype(np.float32))
    X, y = windows.arrays()
    with keras.device(device):
        model = tsf.build_model(
            windows.framing, units=UNITS, activation=activation, scaling="standard"
        )
        tsf.adapt(model, windows)
        model.compile(keras.optimizers.Adam(), loss="mse")
        rates: dict[str, list[float]] = {"training": [], "forecasting": []}
        for turn in range(REPEATS + 1):
            start = time.perf_counter()
            model.fit(X, y, batch_size=batch, epochs=1, verbose=0)
            middle = time.perf_counter()
            model.predict(X, batch_size=batch, verbose=0)
            end = time.perf_counter()
            if turn:  # the first compiles
                rates["training"].append(len(X) / (middle - start))
                rates["forecasting"].append(len(X) / (end - middle))
    return {name: statistics.median(found) for name, found in rates.items()}


def measure(device: str, batches: tuple[int, ...], steps: int, size: int) -> dict[str, Any]:
    """One device: its limit, and each activation at each batch size."""
    flops = limit(device, size)
    rows = []
    for activation in ("tanh", "relu"):
        for batch in batches:
            rates = windows_per_second(device, activation, batch, steps)
            rows.append(
                {
                    "activation": activation,
                    "batch": batch,
                    "windows_per_s": rates,
                    "share_of_limit": 3 * FORWARD * rates["training"] / flops,
                }
            )
            print(device, rows[-1], flush=True)
    return {"limit_flops": flops, "rows": rows}


def main() -> int:
    quick = arguments(__doc__).parse_args().quick
    gpu = has_gpu()
    if quick:
        print(json.dumps(measure("gpu:0" if gpu else "cpu:0", (8,), 2, 256)))
        return 0
    if not gpu:
        print(f"{keras.backend.backend()} sees no GPU here: nothing was measured or written.")
        return 0
    results = {
        "backend": keras.backend.backend(),
        "chip": chip(),
        "flops_per_window": 3 * FORWARD,
        "gpu": measure("gpu:0", BATCHES, STEPS, 8192),
        "cpu": measure("cpu:0", BATCHES[:3], STEPS, 2048),
    }
    write("gpu_speed", __file__, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
