"""How much faster `tsforecast.fit` is than plain ``model.fit`` where an epoch is one short step.

Same model, data, seed, optimizer, loss and number of updates, in one process, turn by turn; the
weights must come out the same. Run ``python -m benchmarks.fit_speed``.
"""

import datetime
import json
import os
import platform
import statistics
import time
from pathlib import Path

import keras
import numpy as np

import tsforecast as tsf
from tsforecast.layers import AddCorrection, ScaledLoss

EPOCHS, REPEATS = 200, 5  # the tutorial trains its univariate models 200 or 500 epochs
LONG, LONG_REPEATS = 500, 3
RESULT = Path(__file__).parent / "results" / "fit_speed.json"


def fresh_model(windows):
    """The first chapter's model, with its scaling measured: the same weights at every call."""
    keras.utils.set_random_seed(0)
    model = tsf.build_model(windows.framing, encoder="vanilla", units=50)
    tsf.adapt(model, windows)
    return model


def plain_fit(model, windows, epochs):
    """What a reader of the Keras guide would write, with the optimizer and loss of `fit`."""
    X, y = windows.arrays()
    schedule = keras.optimizers.schedules.CosineDecay(0.005, epochs)
    scale = next(x.scale for x in model.layers if isinstance(x, AddCorrection))
    model.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0),
        ScaledLoss("mse", keras.ops.convert_to_numpy(scale)),
    )
    model.fit(X, y, epochs=epochs, batch_size=len(y), shuffle=False, verbose=0)


def our_fit(model, windows, epochs):
    tsf.fit(model, windows, epochs=epochs, batch_size=len(windows), shuffle=False)


def measure(epochs=EPOCHS, repeats=REPEATS):
    """Seconds of each way, one list per way, and the largest difference between the weights."""
    windows = tsf.Framing(3).windows(tsf.datasets.toy("univariate"))
    seconds, differences = {"plain": [], "ours": []}, []
    for repeat in range(repeats + 1):  # the first is a warm-up
        models = {}
        for name, way in (("plain", plain_fit), ("ours", our_fit)):
            models[name] = fresh_model(windows)
            if repeat == 0:
                way(models[name], windows, 2)
                continue
            start = time.perf_counter()
            way(models[name], windows, epochs)
            seconds[name].append(time.perf_counter() - start)
        if repeat == 0:
            continue
        pairs = zip(models["plain"].get_weights(), models["ours"].get_weights(), strict=True)
        differences.append(max(float(np.abs(a - b).max()) for a, b in pairs))
        assert models["plain"].optimizer.iterations == models["ours"].optimizer.iterations == epochs
    return seconds, max(differences)


def compare(epochs, repeats):
    """Both ways over some epochs: the ratio of their times, and how far the weights differ."""
    seconds, difference = measure(epochs, repeats)
    assert difference < 1e-5, f"the weights differ by {difference:g}"
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    return {
        "epochs": epochs,
        "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "median_seconds": {name: round(statistics.median(v), 3) for name, v in seconds.items()},
        "largest_weight_difference": difference,
    }


def main():
    result = {
        "what": "univariate toy series, LSTM of 50 units, one update per epoch",
        "runs": [compare(EPOCHS, REPEATS), compare(LONG, LONG_REPEATS)],
        "date": datetime.date.today().isoformat(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "backend_version": backend_version(),
        "numpy": np.__version__,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def backend_version():
    from importlib.metadata import version

    name = keras.backend.backend()
    if name != "tensorflow":
        return version(name)
    import tensorflow

    return tensorflow.__version__


if __name__ == "__main__":
    main()
