"""ETTh1, seven columns, 96 to 720 hours ahead: an LSTM of the package and the published record.

``python benchmarks/etth1.py`` trains the model of each horizon with three seeds, then the same
task at 96 hours from a plain LSTM on, one change at a time, and writes
``benchmarks/results/etth1.json``. Settings were chosen on the validation part, the rows from 8,640
to 11,520; ``--validate`` repeats what was tried there. ``--quick`` is a smoke test that writes
nothing; ``--horizons 96 192`` does some horizons, and ``--keep FILE`` keeps every training as it
ends and takes from there what is done already.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # the seconds are those of one core
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pandas as pd

import tsforecast as tsf
from benchmarks.record import measure, write
from benchmarks.scores import ETTH1_TEST, ETTH1_TRAIN, ETTH1_VALIDATION, etth1_scores
from tsforecast import datasets

HORIZONS = (96, 192, 336, 720)
SEEDS = (0, 1, 2)
BORDER = ETTH1_TRAIN + ETTH1_VALIDATION  # the first row of the test part
END = BORDER + ETTH1_TEST

# Every training. Windows begin every third hour: neighbours are nearly the same.
SHARED = {"lookback": 720, "stride": 3, "batch_size": 256, "learning_rate": 0.002}
PLAIN = SHARED | {"scaling": "standard", "loss": "mse", "epochs": 8, "units": 128}
MODEL = SHARED | {
    "targets": "y",
    "static_covariates": "column",
    "encoder": "patched",
    "decoder": "patchwise",
    "patch": 48,
    "units": 128,
    "dropout": 0.5,
    "loss": "mae",
    "epochs": 6,
}
BY_HORIZON: dict[int, dict[str, Any]] = {96: {}, 192: {}, 336: {}, 720: {}}


# --- the data -------------------------------------------------------------------------------------


def standardised() -> pd.DataFrame:
    """All rows up to the end of the test part; each column by mean and spread of the first 8,640."""
    table = datasets.etth1().iloc[:END]
    train = table.iloc[:ETTH1_TRAIN]
    return (table - train.mean()) / train.std(ddof=0)


def as_panel(table: pd.DataFrame, sign: int = 1) -> pd.DataFrame:
    """Each column a series of its own, in long format, with its name as a static covariate."""
    long = table.reset_index(names="ds").melt("ds", var_name="column", value_name="y")
    names = long["column"] if sign > 0 else "minus " + long["column"]
    return long.assign(unique_id=names, y=sign * long["y"])


def mirrored(table: pd.DataFrame) -> pd.DataFrame:
    """The panel, and the training part of each series upside down: what rises there falls here."""
    upside_down = as_panel(table.iloc[:ETTH1_TRAIN], -1)
    return pd.concat([as_panel(table), upside_down], ignore_index=True)


SHAPES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "table": lambda table: table,
    "panel": as_panel,
    "mirrored panel": mirrored,
}


# --- one training ---------------------------------------------------------------------------------


def train(shape: str, settings: dict[str, Any], seed: int, table: pd.DataFrame) -> dict[str, Any]:
    """Train on the rows before 8,640, stop by those before 11,520; nothing of the test part."""
    forecaster = tsf.Forecaster(**settings, seed=seed)
    known = SHAPES[shape](table.iloc[:BORDER])
    with measure() as cost:
        forecaster.fit(known, validation=table.index[ETTH1_TRAIN])
    model = forecaster.model
    assert model is not None
    return {
        "forecaster": forecaster,
        "fit_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "peak_mb": cost.peak_mb,
        "parameters": sum(int(np.prod(weight.shape)) for weight in model.trainable_weights),
    }


def errors(forecaster: tsf.Forecaster, shape: str, table: pd.DataFrame, first: int) -> np.ndarray:
    """What the forecasts miss by, (windows, horizon, 7): all windows of the 2,880 rows from `first`.

    The history of a window may reach back before `first`.
    """
    framing = replace(forecaster.framing, stride=1)
    part = table.iloc[first - framing.lookback : first + ETTH1_TEST]
    windows = framing.windows(part if shape == "table" else as_panel(part))
    missed = forecaster.predict(windows) - windows.y
    if shape == "table":
        return missed
    return missed.reshape(7, -1, framing.horizon).transpose(1, 2, 0)


def scores(shape: str, settings: dict[str, Any], seed: int, first: int) -> dict[str, Any]:
    """Train once and score once, on the part that begins at `first`."""
    table = standardised()
    made = train(shape, settings, seed, table)
    with measure() as cost:
        missed = errors(made.pop("forecaster"), shape, table, first)
    found = etth1_scores(np.zeros_like(missed), missed, 1.0)
    return found | made | {"predict_s": cost.wall_s}


class Runs:
    """Trainings by their settings: in memory, and in a file where there is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.made: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                key, result = json.loads(line)
                self.made[key] = result

    def get(self, shape: str, settings: dict[str, Any], seed: int, first: int) -> dict[str, Any]:
        key = json.dumps([shape, settings, seed, first], sort_keys=True)
        if key not in self.made:
            self.made[key] = scores(shape, settings, seed, first)
            print(key, self.made[key], flush=True)
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, self.made[key]]) + "\n")
        return self.made[key]


NUMBERS = ("mse", "mae", "fit_s", "cpu_s", "predict_s", "peak_mb")


def row(
    words: dict[str, Any], shape: str, settings: dict[str, Any], seeds: Any, first: int, runs: Runs
) -> dict[str, Any]:
    """A row of the record: one list per number, with an entry per seed."""
    made = [runs.get(shape, settings, seed, first) for seed in seeds]
    parameters = {"parameters": made[0]["parameters"], "seeds": list(seeds)}
    return words | parameters | {name: [one[name] for one in made] for name in NUMBERS}


# --- what was tried, what was chosen, and what made the difference ------------------------------------


def settings_of(horizon: int) -> dict[str, Any]:
    return MODEL | {"horizon": horizon} | BY_HORIZON[horizon]


def candidates() -> list[tuple[str, int, str, dict[str, Any]]]:
    """What was compared on the validation part: words, horizon, shape of the data, settings."""
    found = []
    for horizon in (96, 720):
        chosen = settings_of(horizon)
        vector = {name: chosen[name] for name in chosen if name != "decoder"}
        found += [
            ("chosen", horizon, "mirrored panel", chosen),
            ("not mirrored", horizon, "panel", chosen),
            ("decoder vector", horizon, "mirrored panel", vector),
        ]
    return found


def ablation() -> list[tuple[str, str, dict[str, Any]]]:
    """From a plain LSTM to the model of 96 hours, one change at a time: words, shape, settings."""
    chosen = settings_of(96)
    panel = {name: chosen[name] for name in ("targets", "static_covariates")}
    patches = {name: chosen[name] for name in ("encoder", "patch")}
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("plain LSTM: all columns in, all columns out", "table", {}),
        ("skip: corrects the last value", "table", {"skip": "last"}),
        ("scaling: history relative to the last value", "table", {"scaling": "window"}),
        ("patches: an LSTM step per two days", "table", patches),
        ("each column a series of its own", "panel", panel),
        ("loss: absolute error", "panel", {"loss": chosen["loss"]}),
        ("dropout", "panel", {"dropout": chosen["dropout"]}),
        ("decoder: all patches side by side", "panel", {"decoder": chosen["decoder"]}),
        ("mirrored series: the model of 96 hours", "mirrored panel", chosen),
    ]
    settings: dict[str, Any] = PLAIN | {"horizon": 96}
    found = []
    for words, shape, change in changes:
        settings = settings | change
        found.append((words, shape, settings))
    return found


def run(horizons: Any, seeds: Any, runs: Runs, ablated: bool, tried: bool) -> dict[str, Any]:
    results: dict[str, Any] = {"shared": MODEL, "by_horizon": BY_HORIZON}
    if tried:
        results["validation"] = [
            row({"model": words, "horizon": horizon}, shape, settings, SEEDS[:1], ETTH1_TRAIN, runs)
            for words, horizon, shape, settings in candidates()
        ]
    results["rows"] = [
        row({"horizon": horizon}, "mirrored panel", settings_of(horizon), seeds, BORDER, runs)
        for horizon in horizons
    ]
    if ablated:
        results["ablation"] = [
            row({"change": words, "horizon": 96}, shape, settings, seeds[:2], BORDER, runs)
            for words, shape, settings in ablation()
        ]
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look at small models, no record")
    parser.add_argument("--validate", action="store_true", help="what was tried, no record")
    parser.add_argument("--horizons", type=int, nargs="+", choices=HORIZONS, help="not written")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where trainings are kept")
    wanted = parser.parse_args()
    if wanted.quick:
        print(pd.DataFrame(quick()))
        return 0
    runs = Runs(wanted.keep)
    if wanted.validate:
        print(pd.DataFrame(run((), SEEDS, runs, ablated=False, tried=True)["validation"]))
        return 0
    if wanted.horizons:
        print(pd.DataFrame(run(wanted.horizons, SEEDS, runs, ablated=False, tried=False)["rows"]))
        return 0
    write("etth1", __file__, run(HORIZONS, SEEDS, runs, ablated=True, tried=True))
    return 0


def quick() -> list[dict[str, Any]]:
    """The first and the last row of the ablation with tiny networks: does it run?"""
    small = {"lookback": 96, "stride": 97, "units": 4, "epochs": 1, "batch_size": 64}
    runs = Runs(None)
    return [
        row({"change": words}, shape, settings | small, (0,), ETTH1_TRAIN, runs)
        for words, shape, settings in (ablation()[0], ablation()[-1])
    ]


if __name__ == "__main__":
    sys.exit(main())
