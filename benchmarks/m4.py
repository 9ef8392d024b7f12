"""M4 hourly, 414 series, 48 hours ahead: one LSTM of the package and the published record.

``python benchmarks/m4.py`` trains the network with five seeds and writes
``benchmarks/results/m4.json``, with the median of the five. Settings were chosen on the last 48 hours of the training
part; ``--validate`` repeats that. ``--quick`` is a smoke test that writes nothing; ``--keep FILE``
keeps every training as it ends and takes from there what is done already.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import benchmarks.one_core  # noqa: F401  before TensorFlow

import numpy as np  # isort: skip
import pandas as pd

import tsforecast as tsf
from benchmarks.record import measure, write
from benchmarks.scores import m4_scores
from tsforecast import datasets

HORIZON = 48
SEEDS = (0, 1, 2, 3, 4)

MODEL: dict[str, Any] = {
    "lookback": 360,  # fifteen days: two weeks back, and the day before
    "horizon": HORIZON,
    "targets": "y",
    "encoder": "patched",  # an LSTM step per day
    "patch": 24,
    "depth": 2,
    "units": 128,
    "dropout": 0.1,
    "decoder": "vector",
    "scaling": "log",  # in percents, relative to the last day
    "skip": "combination",  # of simple forecasts by day and week
    "season": (24, 168),
    "loss": "mae",  # in each window's own units
    "batch_size": 256,
    "learning_rate": 0.01,
    "epochs": 1,  # each of some 180,000 windows once
}
CANDIDATES: dict[str, dict[str, Any]] = {
    "the model": {},
    "decoder patchwise": {"decoder": "patchwise"},
}

# What was screened on the last 48 training hours before, with the same layers in plain Keras (one
# seed, 64 units, 400 to 600 steps of 256 windows): words, OWA.
SCREENED = (
    ("four simple forecasts and two moved ones, first weights at random", 0.4475),
    ("the same in units of the window's spread, not in logarithms", 0.4672),
    ("the same in units of the window's level", 0.4800),
    ("more moved forecasts, training starts from their plain mean", 0.4267),
    ("the same, first weights at random", 0.4520),
    ("the same, a gain that starts at zero", 0.4371),
    ("loss: error of the logarithm", 0.4430),
    ("loss: in each window's own units", 0.4289),
    ("history relative to the last day, not the last week", 0.4190),
    ("history relative to the last value", 0.4285),
    ("relative to the last day, rate 0.01", 0.4145),
    ("rate 0.02", 0.4163),
    ("dropout 0.3", 0.4171),
    ("lookback 504", 0.4208),
    ("one LSTM layer", 0.4178),
    ("1,200 steps", 0.4182),
    ("128 units, 600 steps", 0.4115),
    ("means over all days of the window", 0.4139),
    ("mirrored series", 0.4223),
    ("series mixed with others", 0.4163),
    ("weight decay", 0.4144),
    ("dropout on the inputs", 0.4149),
    ("windows that end at the same hour only", 0.4201),
    ("every day relative to the week before it, forecasts trained from three days", 0.4225),
    ("128 units, 1,500 steps", 0.4178),
)
REMARKS = (
    "Settings were screened with a prototype of the same layers in plain Keras, on the last 48 hours "
    "of the training part, one seed each (screened); two seeds of one setting differ by about 0.003. "
    "The test part had not been scored before the settings stood.",
)


def parts(validation: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known, and the 48 hours after it: the test part, or the hours before it."""
    known, after = datasets.m4_hourly("train"), datasets.m4_hourly("test")
    if validation:
        last = known.groupby("unique_id")["ds"].transform("max") - HORIZON
        known, after = known[known["ds"] <= last], known[known["ds"] > last]
    return known, after


def train(changes: dict[str, Any], seed: int, known: pd.DataFrame) -> dict[str, Any]:
    """Train once and forecast once."""
    forecaster = tsf.Forecaster(**MODEL | changes, seed=seed)
    with measure() as cost:
        forecaster.fit(known)
    with measure() as then:
        forecast = forecaster.forecast()
    model = forecaster.model
    assert model is not None
    return {
        "forecast": forecast[["unique_id", "ds", "y"]],
        "fit_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "predict_s": then.wall_s,
        "peak_mb": cost.peak_mb,
        "parameters": sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
    }


class Trainings:
    """Trainings by their settings: in memory, and in a folder where there is one."""

    def __init__(self, folder: Path | None, known: pd.DataFrame) -> None:
        self.folder, self.known = folder, known
        self.done: dict[str, dict[str, Any]] = {}

    def get(self, changes: dict[str, Any], seed: int) -> dict[str, Any]:
        """The training with these settings and this seed, now or before."""
        name = json.dumps([changes, seed, len(self.known)])
        path = self.folder / f"{hash_of(name)}.pkl" if self.folder else None
        if name not in self.done:
            if path is not None and path.exists():
                self.done[name] = pd.read_pickle(path)
            else:
                self.done[name] = train(changes, seed, self.known)
                if path is not None:
                    pd.to_pickle(self.done[name], path)
        return self.done[name]


def hash_of(text: str) -> int:
    """The same number in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def combined(forecasts: list[pd.DataFrame]) -> pd.DataFrame:
    """The median of several forecasts of the same hours."""
    several = pd.concat(forecasts)
    return several.groupby(["unique_id", "ds"], as_index=False)["y"].median()


def row(name: str, runs: list[dict[str, Any]], scores: list[dict[str, float]]) -> dict[str, Any]:
    """A line of the page: scores by seed, and what they cost."""
    line: dict[str, Any] = {"model": name, "networks": len(runs) // len(scores)}
    for measured in ("owa", "smape", "mase"):
        line[measured] = [round(score[measured], 4) for score in scores]
    line["fit_s"] = [round(run["fit_s"], 1) for run in runs]
    line["cpu_s"] = [round(run["cpu_s"], 1) for run in runs]
    line["predict_s"] = [round(run["predict_s"], 1) for run in runs]
    line["peak_mb"] = round(max(run["peak_mb"] for run in runs))
    line["parameters"] = runs[0]["parameters"]
    return line


def validate(folder: Path | None, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Every candidate's scores on the last 48 hours of the training part."""
    known, after = parts(validation=True)
    trainings, rows = Trainings(folder, known), []
    for name, changes in CANDIDATES.items():
        runs = [trainings.get(changes, seed) for seed in seeds]
        scores = [m4_scores(run["forecast"], after, known) for run in runs]
        rows.append(row(name, runs, scores) | {"seeds": list(seeds)})
        print(name, rows[-1]["owa"], flush=True)
    return rows


def test(folder: Path | None) -> list[dict[str, Any]]:
    """The published run: the test part, scored once, by seed; and the ensemble of all networks."""
    known, after = parts(validation=False)
    trainings = Trainings(folder, known)
    singles = [trainings.get({}, seed) for seed in SEEDS]
    scores = [m4_scores(run["forecast"], after, known) for run in singles]
    median = m4_scores(combined([run["forecast"] for run in singles]), after, known)
    return [
        row("one LSTM of this package", singles, scores) | {"seeds": list(SEEDS)},
        row("median of the five", singles, [median]),
    ]


def quick() -> None:
    """A few series, a small network, seconds; nothing is written."""
    known, after = parts(validation=True)
    few = known["unique_id"].unique()[:3]
    known = known[known["unique_id"].isin(few)]
    after = after[after["unique_id"].isin(few)]
    small = {"units": 4, "stride": 24, "epochs": 1, "batch_size": 32}
    run = train(small, 0, known)
    print({"seconds": round(run["fit_s"], 1)} | m4_scores(run["forecast"], after, known))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    if chosen.quick:
        quick()
        return 0
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    validation = validate(chosen.keep, seeds=(0,))
    if chosen.validate:
        return 0
    results = {
        "task": "M4 hourly: 414 series, 48 hours",
        "settings": MODEL,
        "models": test(chosen.keep),
        "validation": validation,
        "screened": list(SCREENED),
        "remarks": list(REMARKS),
    }
    write("m4", __file__, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
