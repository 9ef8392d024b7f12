"""M4 hourly, 414 series, 48 hours ahead: one LSTM of the package and the published record.

``python benchmarks/m4.py`` trains the network with five seeds and writes
``benchmarks/results/m4.json``, with the median of the five.
Settings were chosen on the last 48 hours of the training part and the days before them;
``--validate`` repeats the comparisons that decided. ``--quick`` is a smoke test that writes nothing;
``--keep FILE`` keeps every training as it ends and takes from there what is done already.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import benchmarks.one_core  # noqa: F401  before TensorFlow

import numpy as np  # isort: skip
import pandas as pd

import tsforecast as tsf
from benchmarks.record import Runs, arguments, measure, write
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
    "scaling": "log",  # in percents of the last week's level, over the window's own spread
    "skip": "combination",  # of simple forecasts by day and week
    "season": (24, 168),
    "loss": "owa",  # the two errors by which M4 is scored
    "batch_size": 256,
    "learning_rate": 0.0025,
    "epochs": 2,  # each of some 180,000 windows twice
}
CANDIDATES: dict[str, dict[str, Any]] = {
    "the model": {},
    "one epoch, rate 0.01, 64 units": {"epochs": 1, "learning_rate": 0.01, "units": 64},
}
ORIGINS = (168, 144, 120, 96, 72, 48)  # hours before the end of the training part

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
# The same on all but the last week of the training part, the mean of six origins in that week, which
# tells settings apart that one origin could not (one seed, 64 units, 400 steps where not said).
SCREENED_SIX = (
    ("relative to the last day", 0.3883),
    ("the same, another seed", 0.3914),
    ("relative to the last week", 0.3845),
    ("the same, another seed", 0.3869),
    ("relative to the last week, eight days read", 0.3894),
    ("every day relative to the week up to it, eight days read", 0.3866),
    ("every day beside its difference from a week before, eight days read", 0.3875),
    ("relative to the last week, layer normalisation", 0.3958),
    ("relative to the last week, dropout 0.2 between the LSTMs", 0.3875),
    ("relative to the last week, noise on the inputs", 0.3934),
    ("relative to the last week, a running mean of the weights", 0.3845),
    ("relative to the last week, ten simple forecasts", 0.3859),
    ("relative to the last week, one LSTM for all hours of the day", 0.4024),
    ("relative to the last week, 800 steps", 0.3829),
    ("relative to the last week, 1,500 steps", 0.3855),
    ("relative to the last week, 1,500 steps, 128 units", 0.3880),
    ("two forecasts per window, differences from a week before, 1,500 steps", 0.3800),
    ("three forecasts per window, 128 units, 1,500 steps", 0.3832),
    ("over the window's own spread, 800 steps", 0.3768),
    ("the same, and the spread told to the network", 0.3771),
    ("the same, the correction in thirds of the spread", 0.3759),
    ("over the window's own spread, 800 steps, series mixed with others", 0.3813),
    ("over the window's own spread, 800 steps, 128 units", 0.3795),
    ("over the window's own spread, 1,500 steps", 0.3763),
    ("over the window's own spread, three forecasts per window, 1,200 steps", 0.3793),
    ("this package, three epochs, rate 0.005, dropout 0.3", 0.3758),
    ("this package, four epochs, rate 0.005", 0.3799),
    ("this package, two epochs, rate 0.005, lookback 504", 0.3947),
    ("this package, the model with the loss in each window's own units", 0.3720),
    ("the same, rate 0.005", 0.3726),
    ("the same, one epoch, rate 0.01", 0.3765),
    ("the same, one epoch, rate 0.01, 64 units", 0.3794),
    ("loss in each window's own units, 450 steps, rate 0.01", 0.3808),
    ("the same, another seed", 0.3797),
    ("the same, a running mean of the weights", 0.3811),
    ("the same, another seed", 0.3798),
    ("loss: OWA, 450 steps, rate 0.01", 0.3784),
    ("the same, another seed", 0.3768),
    ("loss: OWA with less of sMAPE (10 to 13)", 0.3788),
    ("the same, recent windows drawn more often (half of it each week)", 0.3795),
    ("the same, every series drawn equally often", 0.3806),
    ("loss: OWA, gradients clipped at half of the length", 0.3774),
    ("the same, another seed", 0.3754),
    ("loss: OWA, gradients clipped at an eighth of the length", 0.3758),
    ("the same, another seed", 0.3742),
    ("loss: OWA in percent, so that nearly every gradient is clipped", 0.3761),
    ("the same, another seed", 0.3736),
    ("the same, dropout 0", 0.3752),
    ("the same, dropout 0.3", 0.3801),
    ("the same, 900 steps", 0.3724),  # series of 700 hours 0.450, of 960 hours 0.319
    ("the same, 900 steps, lookback 192", 0.3836),
    ("the same, 900 steps, 128 units", 0.3753),  # series of 700 hours 0.464, of 960 hours 0.314
    ("the same, 900 steps, 128 units, rate 0.005", 0.3742),  # 0.460, 0.315
)
REMARKS = (
    "Settings were screened with a prototype of the same layers in plain Keras, one seed each "
    "(screened, screened_six), on hours of the training part; two seeds of one setting differ by "
    "about 0.003.",
    "The test part was scored twice before with other settings, and its scores were known: an OWA of "
    "0.3965, the mean of five seeds (relative to the last day, not over the window's own spread), and "
    "of 0.3910 (the loss in each window's own units). What was changed since was chosen on the "
    "validation part alone. The loss OWA also comes from an earlier prototype whose test score of "
    "0.384 was known.",
)


def train(changes: dict[str, Any], seed: int, known: pd.DataFrame) -> tuple[Any, dict[str, Any]]:
    """Train once: the forecaster, and what it cost."""
    forecaster = tsf.Forecaster(**MODEL | changes, seed=seed)
    with measure() as cost:
        forecaster.fit(known)
    parameters = sum(int(np.prod(w.shape)) for w in forecaster.model.trainable_weights)
    costs = {"fit_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_mb": cost.peak_mb}
    return forecaster, costs | {"parameters": parameters}


def validation_run(changes: dict[str, Any], seed: int, panel: pd.DataFrame) -> dict[str, Any]:
    """Train on all but the last week of the training part; forecast from six midnights in it."""
    back = panel.groupby("unique_id").cumcount(ascending=False)  # hours before the last one
    forecaster, costs = train(changes, seed, panel[back >= max(ORIGINS)])
    found = []
    for origin in ORIGINS:
        known, after = panel[back >= origin], panel[(back < origin) & (back >= origin - HORIZON)]
        forecast = forecaster.forecast(known)[["unique_id", "ds", "y"]]
        found.append(m4_scores(forecast, after, known))
    scores = {name: [score[name] for score in found] for name in found[0]}
    return scores | costs


def test_run(changes: dict[str, Any], seed: int) -> dict[str, Any]:
    """Train on the whole training part and forecast the 48 hours after it."""
    known, after = datasets.m4_hourly("train"), datasets.m4_hourly("test")
    forecaster, costs = train(changes, seed, known)
    with measure() as then:
        forecast = forecaster.forecast()
    rows = after[["unique_id", "ds"]].merge(forecast, on=["unique_id", "ds"], validate="1:1")
    return costs | {"predict_s": then.wall_s, "y": rows["y"].to_numpy()}


def scores_of(y: Any) -> dict[str, float]:
    """The scores of the test part's forecasts, which are in the order of its rows."""
    known, after = datasets.m4_hourly("train"), datasets.m4_hourly("test")
    return m4_scores(after[["unique_id", "ds"]].assign(y=np.asarray(y)), after, known)


def row(name: str, runs: list[dict[str, Any]], scores: list[dict[str, float]]) -> dict[str, Any]:
    """A line of the page: scores by seed, and what they cost."""
    line: dict[str, Any] = {"model": name, "networks": len(runs) // len(scores)}
    for measured in ("owa", "smape", "mase"):
        line[measured] = [round(score[measured], 4) for score in scores]
    for cost in ("fit_s", "cpu_s", "predict_s"):
        line[cost] = [round(run[cost], 1) for run in runs]
    line["peak_mb"] = round(max(run["peak_mb"] for run in runs))
    return line | {"parameters": runs[0]["parameters"]}


def validate(runs: Runs) -> list[dict[str, Any]]:
    """Every candidate's scores in the last week of the training part, by origin, one seed."""
    panel, rows = datasets.m4_hourly("train"), []
    for name, changes in CANDIDATES.items():
        run = runs.get(["validation", changes, 0], partial(validation_run, changes, 0, panel))
        rows.append({"model": name, "mean_owa": float(np.mean(run["owa"])), "seeds": [0]} | run)
    return rows


def test(runs: Runs) -> list[dict[str, Any]]:
    """The published run: the test part, scored once, by seed; and the ensemble of the seeds."""
    made = [runs.get(["test", seed], partial(test_run, {}, seed)) for seed in SEEDS]
    single = row("one LSTM of this package", made, [scores_of(run["y"]) for run in made])
    median = np.median([run["y"] for run in made], axis=0)
    return [single | {"seeds": list(SEEDS)}, row("median of the five", made, [scores_of(median)])]


def quick() -> None:
    """A few series, a small network, seconds; nothing is written."""
    panel = datasets.m4_hourly("train")
    panel = panel[panel["unique_id"].isin(panel["unique_id"].unique()[:3])]
    small = {"units": 4, "stride": 24, "epochs": 1, "batch_size": 32}
    run = validation_run(small, 0, panel)
    print({"seconds": round(run["fit_s"], 1), "owa": np.mean(run["owa"])})


def main() -> int:
    chosen = arguments(__doc__).parse_args()
    if chosen.quick:
        quick()
        return 0
    runs = Runs(__file__, chosen.keep)
    validation = validate(runs)
    if chosen.validate:
        return 0
    results = {
        "task": "M4 hourly: 414 series, 48 hours",
        "settings": MODEL,
        "models": test(runs),
        "validation": validation,
        "screened": list(SCREENED),
        "screened_six": list(SCREENED_SIX),
        "remarks": list(REMARKS),
    }
    write("m4", __file__, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
