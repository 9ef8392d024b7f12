"""The tutorial's eleven models, each by its recipe and by this package's, over 20 seeds.

``python benchmarks/tutorial.py`` repeats the whole measurement (22 x 20 fits) and writes
``benchmarks/results/tutorial.json``. ``--only "Vector Output"`` repeats one model and replaces its
entry; ``--seeds 2`` is a quick look that is printed and not written; ``--table`` prints what is
recorded. See ``benchmarks/README.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from tsforecast import Framing, datasets

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "tutorial.json"
SEEDS = 20
RECIPES = ("tutorial", "package")


@dataclass(frozen=True)
class Model:
    """One model of the tutorial: its data, its shape, its recipe and the value it should give.

    Parameters
    ----------
    name : str
        The tutorial's name.
    chapter : str
        The notebook of this book that shows it.
    table : str
        The toy table, see `tsforecast.datasets.toy`.
    framing : Framing
        Which rows and columns go in and out.
    encoder, decoder, units, options
        Arguments of `tsforecast.build_model`; the same in both recipes.
    epochs : int
        The tutorial's; both recipes use it.
    given : list of list of float
        The window that the tutorial forecasts from, (lookback, inputs).
    expected : list of list of float
        What should come out, (horizon, targets).
    """

    name: str
    chapter: str
    table: str
    framing: Framing
    encoder: str
    units: int
    epochs: int
    given: list[list[float]]
    expected: list[list[float]]
    decoder: str = "vector"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return self.name.lower().replace("-", "_").replace(" ", "_")


SERIES = Framing(3, targets="a")
SERIES_OF_4 = Framing(4, targets="a")
TWO_STEPS = Framing(3, horizon=2, targets="a")
TOGETHER = {"targets": ["a", "b", "c"]}
SUM = {  # the tutorial's: c at the same time step, from a and b alone
    "lead": 0,
    "targets": "c",
    "past_covariates": ["a", "b"],
    "use_target_history": False,
}

MODELS = (
    Model(
        name="Vanilla",
        chapter="univariate",
        table="univariate",
        framing=SERIES,
        encoder="vanilla",
        units=50,
        epochs=200,
        given=[[70], [80], [90]],
        expected=[[100]],
    ),
    Model(
        name="Stacked",
        chapter="univariate",
        table="univariate",
        framing=SERIES,
        encoder="stacked",
        units=50,
        epochs=200,
        given=[[70], [80], [90]],
        expected=[[100]],
    ),
    Model(
        name="Bidirectional",
        chapter="univariate",
        table="univariate",
        framing=SERIES,
        encoder="bidirectional",
        units=50,
        epochs=200,
        given=[[70], [80], [90]],
        expected=[[100]],
    ),
    Model(
        name="CNN-LSTM",
        chapter="univariate",
        table="univariate",
        framing=SERIES_OF_4,
        encoder="cnn",
        units=50,
        options={"subsequences": 2, "filters": 64, "kernel_size": 1, "pool_size": 2},
        epochs=500,
        given=[[60], [70], [80], [90]],
        expected=[[100]],
    ),
    Model(
        name="ConvLSTM",
        chapter="univariate",
        table="univariate",
        framing=SERIES_OF_4,
        encoder="convlstm",
        units=64,  # the layer's filters
        options={"subsequences": 2, "kernel_size": 2, "padding": "valid"},
        epochs=500,
        given=[[60], [70], [80], [90]],
        expected=[[100]],
    ),
    Model(
        name="Multiple Input",
        chapter="multivariate",
        table="multivariate",
        framing=Framing(3, **SUM),
        encoder="vanilla",
        units=50,
        epochs=200,
        given=[[80, 85], [90, 95], [100, 105]],
        expected=[[205]],
    ),
    Model(
        name="Multiple Parallel",
        chapter="multivariate",
        table="multivariate",
        framing=Framing(3, **TOGETHER),
        encoder="stacked",
        units=100,
        epochs=400,
        given=[[70, 75, 145], [80, 85, 165], [90, 95, 185]],
        expected=[[100, 105, 205]],
    ),
    Model(
        name="Vector Output",
        chapter="multistep",
        table="univariate",
        framing=TWO_STEPS,
        encoder="stacked",
        units=100,
        epochs=50,
        given=[[70], [80], [90]],
        expected=[[100], [110]],
    ),
    Model(
        name="Encoder-Decoder",
        chapter="multistep",
        table="univariate",
        framing=TWO_STEPS,
        encoder="vanilla",
        decoder="encoder_decoder",
        units=100,
        epochs=100,
        given=[[70], [80], [90]],
        expected=[[100], [110]],
    ),
    Model(
        name="Multiple Input Multi-Step",
        chapter="multivariate_multistep",
        table="multivariate",
        framing=Framing(3, horizon=2, **SUM),
        encoder="stacked",
        units=100,
        epochs=200,
        given=[[70, 75], [80, 85], [90, 95]],
        expected=[[185], [205]],
    ),
    Model(
        name="Multiple Parallel Input Multi-Step",
        chapter="multivariate_multistep",
        table="multivariate",
        framing=Framing(3, horizon=2, **TOGETHER),
        encoder="vanilla",
        decoder="encoder_decoder",
        units=200,
        epochs=300,
        given=[[60, 65, 125], [70, 75, 145], [80, 85, 165]],
        expected=[[90, 95, 185], [100, 105, 205]],
    ),
)


def settings(model: Model, recipe: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of `build_model` and of `fit` in which the two recipes differ."""
    if recipe == "tutorial":  # relu, raw numbers, Adam at its constant 0.001
        return {"activation": "relu", "scaling": "none", "skip": "none"}, {"optimizer": "adam"}
    if model.framing.use_target_history:  # the package's defaults
        return {"activation": "tanh", "scaling": "window", "skip": "none"}, {}
    return {"activation": "tanh", "scaling": "standard", "skip": "linear"}, {}


def predictions(model: Model, recipe: str, seeds: list[int]) -> dict[str, Any]:
    """Fit once per seed; what each fit gives, how well it fits its own windows, and the time."""
    import keras

    from tsforecast import build_model, fit

    logging.getLogger("tensorflow").setLevel("ERROR")  # a note on retracing per seed
    build, train = settings(model, recipe)
    windows = model.framing.windows(datasets.toy(model.table))
    network = build_model(
        windows.framing,
        encoder=model.encoder,
        decoder=model.decoder,
        units=model.units,
        **build,
        **model.options,
    )
    given = np.array([*windows.X, model.given], dtype="float32")
    answers, fit_errors = [], []
    start = time.perf_counter()
    for seed in seeds:
        fit(network, windows, epochs=model.epochs, seed=seed, **train)
        output = keras.ops.convert_to_numpy(network(given, training=False)).astype(float)
        answers.append(output[-1])
        fit_errors.append(worst_error(output[:-1], windows.y))
    return {
        **build,
        "optimizer": "Adam, 0.001" if train else "Adam, 0.005 falling along a cosine to 0",
        "epochs": model.epochs,
        "parameters": sum(int(np.prod(w.shape)) for w in network.trainable_weights),
        "seconds": round(time.perf_counter() - start, 1),
        "worst_error_on_training_windows": round(max(fit_errors), 6),
        "predictions": np.round(answers, 4).tolist(),
    }


def worst_error(forecast: Any, truth: Any) -> float:
    """The largest relative error of any number."""
    return float(np.max(np.abs(np.asarray(forecast) / np.asarray(truth) - 1)))


def summary(expected: list[list[float]], answers: list[Any]) -> dict[str, Any]:
    """Mean and spread of each number, and how many seeds have all numbers within 1 percent."""
    values = np.array(answers)  # (seeds, horizon, targets)
    errors = [worst_error(value, expected) for value in values]
    return {
        "mean": values.mean(axis=0).round(4).tolist(),
        "sd": values.std(axis=0, ddof=1 if len(values) > 1 else 0).round(4).tolist(),
        "min": values.min(axis=0).round(4).tolist(),
        "max": values.max(axis=0).round(4).tolist(),
        "within_1_percent": sum(error <= 0.01 for error in errors),
        "share_within_1_percent": float(np.mean([error <= 0.01 for error in errors])),
        "median_error": round(float(np.median(errors)), 6),
        "worst_error": round(max(errors), 6),
    }


def provenance() -> dict[str, Any]:
    """When, with which versions and on what the measurement was made."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    tensorflow = next(name for name in ("tensorflow-cpu", "tensorflow") if is_installed(name))
    packages = ("keras", tensorflow, "numpy")
    return {
        "date": date.today().isoformat(),
        "commit": commit or "unknown",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    }


def is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except ImportError:
        return False


def run(model: Model, recipe: str, seeds: list[int]) -> tuple[Model, str, dict[str, Any]]:
    """One model by one recipe, over all seeds."""
    found = predictions(model, recipe, seeds)
    found |= summary(model.expected, found["predictions"])
    return model, recipe, found | {"seeds": seeds} | provenance()


def describe(model: Model) -> dict[str, Any]:
    """The model's entry in the results file, without its results."""
    windows = model.framing.windows(datasets.toy(model.table))
    return {
        "name": model.name,
        "chapter": model.chapter,
        "encoder": model.encoder,
        "decoder": model.decoder,
        "units": model.units,
        "options": model.options,
        "X": list(windows.X.shape),
        "y": list(windows.y.shape),
        "lead": model.framing.lead,
        "given": model.given,
        "expected": model.expected,
    }


def read_results() -> dict[str, dict[str, Any]]:
    """The recorded results by the tutorial's names."""
    if not RESULTS.exists():
        return {}
    return {entry["name"]: entry for entry in json.loads(RESULTS.read_text())["models"]}


def record(model: Model, recipe: str, found: dict[str, Any]) -> None:
    """Put one recipe's results into the file, in place of older ones."""
    entries = read_results()
    old = entries.get(model.name, {})
    entries[model.name] = describe(model) | {key: old[key] for key in RECIPES if key in old}
    entries[model.name][recipe] = found
    ordered = [entries[model.name] for model in MODELS if model.name in entries]
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"models": ordered}, indent=1)
    text = re.sub(r"\[[-\d\s,.e\[\]]*\]", one_line, text)  # an array of numbers on one line
    RESULTS.write_text(text + "\n")


def one_line(array: re.Match[str]) -> str:
    return json.dumps(json.loads(array[0]))


def table(entries: dict[str, dict[str, Any]]) -> str:
    """The results as a Markdown table, the one in the README."""
    rows = [
        "| model | expected | tutorial: mean (sd) | seeds | worst | here: mean (sd) | seeds | worst |"
    ]
    rows.append("|---|---|---|---|---|---|---|---|")
    for entry in entries.values():
        cells = [entry["name"], numbers(entry["expected"], "{:g}")]
        for found in (entry[recipe] for recipe in RECIPES):
            spread = "{:.1f}" if np.max(found["sd"]) >= 0.05 else "{:.2f}"
            cells += [
                f"{numbers(found['mean'], '{:.1f}')} ({spread.format(np.max(found['sd']))})",
                f"{found['within_1_percent']}/{len(found['seeds'])}",
                f"{100 * found['worst_error']:.1f} %",
            ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def numbers(values: list[list[float]], form: str) -> str:
    """Numbers of one forecast: commas between targets, semicolons between steps."""
    return "; ".join(", ".join(form.format(value) for value in step) for step in values)


def line(model: Model, recipe: str, found: dict[str, Any]) -> str:
    """One result as a line of text."""
    mean = ", ".join(f"{number:.2f}" for number in np.ravel(found["mean"]))
    return (
        f"{model.name:35} {recipe:9} {found['within_1_percent']:2}/{len(found['seeds'])} within 1 %"
        f"  worst {100 * found['worst_error']:7.3f} %  {found['seconds']:6.1f} s  mean {mean}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", help="one model, by its name in the tutorial")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="other than 20: not written")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--table", action="store_true", help="print the recorded results and stop")
    wanted = parser.parse_args()
    if wanted.table:
        print(table(read_results()))
        return 0
    models = [model for model in MODELS if wanted.only in (None, model.name, model.slug)]
    if not models:
        parser.error(f"no model {wanted.only!r}; there are: {', '.join(m.name for m in MODELS)}")

    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    jobs = [(model, recipe) for model in models for recipe in RECIPES]
    parallel = joblib.Parallel(n_jobs=wanted.jobs, return_as="generator_unordered")
    calls = (joblib.delayed(run)(*job, list(range(wanted.seeds))) for job in jobs)
    for done, found in enumerate(parallel(calls), start=1):
        print(f"{done:2}/{len(jobs)}  {line(*found)}", flush=True)
        if wanted.seeds == SEEDS:
            record(*found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
