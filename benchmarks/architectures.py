"""Five encoders with four decoders: twenty pairs, the same data, the same budget, five seeds.

``python benchmarks/architectures.py`` trains every pair on half-hourly demand and on the 414
series of M4 hourly and writes ``benchmarks/results/architectures.json``. One of two
learning rates, the same for all pairs of a data set, is chosen on the validation part, where five
pairs try both. Then every pair trains with five seeds, and the test part is scored once, at the
end. ``--validate`` makes the choice only, ``--quick`` is a look at two pairs that
writes nothing, ``--data demand`` does one data set, and ``--keep FILE`` writes every training to a
file as it ends and takes from there what is done already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import benchmarks.one_core  # noqa: F401  before TensorFlow

import numpy as np  # isort: skip
import pandas as pd

import tsforecast as tsf
from benchmarks.record import Runs, arguments, measure, write
from tsforecast.framing import Windows

ENCODERS = ("vanilla", "stacked", "bidirectional", "cnn", "convlstm")
DECODERS = ("vector", "encoder_decoder", "autoregressive", "attention")
SEEDS = (0, 1, 2, 3, 4)
RATES = (0.003, 0.01)  # of which each data set gets one, by its validation part
TRIED = (  # the pairs that try both: every encoder and every decoder is among them
    ("vanilla", "vector"),
    ("stacked", "attention"),
    ("bidirectional", "encoder_decoder"),
    ("cnn", "vector"),
    ("convlstm", "autoregressive"),
)
UNITS = 32
PIECES = 8  # subsequences of 12 steps, for "cnn" and "convlstm"

# What all pairs share, as arguments of `tsforecast.Forecaster`.
SHARED = {"units": UNITS, "loss": "mae", "batch_size": 64}
DEMAND = {
    "lookback": 96,  # two days
    "horizon": 48,
    "targets": "demand",
    "calendar": True,
    "stride": 7,  # shares no factor with 48: the windows begin at every time of the day
    "scaling": "standard",
    "skip": "season",
    "season": 48,
    "epochs": 2,
}
M4 = {
    "lookback": 96,  # four days
    "horizon": 48,  # two days, as in the competition
    "targets": "y",
    "stride": 29,
    "scaling": "series",
    "skip": "season",
    "season": 24,
    "epochs": 1,
}
# The filters of "convlstm" are chosen so that its recurrent layer has about as many weights as one
# LSTM of 32 units.
OPTIONS: dict[str, dict[str, Any]] = {
    "cnn": {"subsequences": PIECES, "filters": 16, "kernel_size": 5, "pool_size": 4},
    "convlstm": {"subsequences": PIECES, "units": 8, "kernel_size": 5, "padding": "same"},
}


@dataclass(frozen=True)
class Task:
    """Windows to learn from, windows to be scored on, and what the naive forecast errs there.

    Parameters
    ----------
    train, test : Windows
        The test windows' targets lie after all training targets of their series.
    rows : pandas.DataFrame
        A row per test window and step: ``unique_id``, ``ds``, ``y`` and ``naive``.
    known : pandas.DataFrame
        The series before the test part, for MASE.
    season : int
        Of MASE, and of the naive forecast that skill compares with.
    """

    train: Windows
    test: Windows
    rows: pd.DataFrame
    known: pd.DataFrame
    season: int


def demand_task(test: str = "2014", end: str = "2014", every: int = 101) -> Task:
    """Half-hourly demand: learn from all before `test`, forecast from cutoffs until `end`.

    `every` shares no factor with 48, so the cutoffs are at every time of the day.
    """
    season = 336  # a week
    table = tsf.datasets.vic_elec()[["demand"]].loc[:end]
    windows = tsf.Forecaster(**DEMAND).windows(table)
    train, later = windows.split(test)
    later = later.at_every_row().split(test)[1][::every]
    values = table["demand"].to_numpy()
    steps = later.target_rows  # (cutoffs, horizon)
    rows = pd.DataFrame(
        {
            "unique_id": "demand",
            "ds": np.arange(steps.size),
            "y": values[steps].ravel(),
            "naive": values[steps - season].ravel(),
        }
    )
    first = int(steps[0, 0])
    known = pd.DataFrame({"unique_id": "demand", "ds": np.arange(first), "y": values[:first]})
    return Task(train, later, rows, known, season)


def m4_task(validate: bool = False, series: int | None = None) -> Task:
    """M4 hourly: learn from all series but their last 48 hours, which are forecast."""
    season, horizon = 24, M4["horizon"]
    panel = m4_hourly(validate)
    if series is not None:
        panel = panel[panel["unique_id"].isin(panel["unique_id"].unique()[:series])]
    back = panel.groupby("unique_id").cumcount(ascending=False)  # hours before the last one
    known = panel[back >= horizon].reset_index(drop=True)
    last = panel[back < M4["lookback"] + horizon].reset_index(drop=True)  # a window per series
    forecaster = tsf.Forecaster(**M4)
    test = forecaster.windows(last)
    y = test.y[:, :, 0]  # (series, horizon)
    naive = np.tile(test.X[:, -season:, 0], horizon // season)
    rows = pd.DataFrame(
        {
            "unique_id": np.repeat(test.series, horizon),
            "ds": np.tile(np.arange(horizon), len(test)),
            "y": y.ravel(),
            "naive": naive.ravel(),
        }
    )
    return Task(forecaster.windows(known), test, rows, known, season)


def m4_hourly(validate: bool) -> pd.DataFrame:
    """The panel: for a choice without the competition's test part."""
    train = tsf.datasets.m4_hourly("train")
    if validate:
        return train
    both = pd.concat([train, tsf.datasets.m4_hourly("test")], ignore_index=True)
    return both.sort_values(["unique_id", "ds"], ignore_index=True)


# For a choice (True) and for the test (False).
TASKS = {
    "demand": {
        True: partial(demand_task, "2013-07-01", "2013-12"),
        False: demand_task,
    },
    "m4_hourly": {True: partial(m4_task, True), False: m4_task},
}
SETTINGS: dict[str, dict[str, Any]] = {"demand": DEMAND, "m4_hourly": M4}


def model_of(data: str, windows: Windows, encoder: str, decoder: str) -> Any:
    """The pair as a Keras model, not trained."""
    chosen = {name: SETTINGS[data][name] for name in ("scaling", "skip", "season")}
    chosen |= {"units": UNITS, "encoder": encoder, "decoder": decoder}
    return tsf.build_model(windows.framing, **(chosen | OPTIONS.get(encoder, {})))


def train(model: Any, data: str, task: Task, rate: float, seed: int) -> dict[str, Any]:
    """Train once and score: MASE, skill and the time of the training."""
    with measure() as cost:
        tsf.fit(
            model,
            task.train,
            epochs=SETTINGS[data]["epochs"],
            batch_size=SHARED["batch_size"],
            loss=SHARED["loss"],
            learning_rate=rate,
            seed=seed,
        )
    forecasts = tsf.predict(model, task.test)[:, :, 0]  # (windows, horizon)
    return score(task, forecasts) | {"fit_s": cost.wall_s, "cpu_s": cost.cpu_s}


def score(task: Task, forecasts: np.ndarray) -> dict[str, float]:
    """MASE, sMAPE (in percent), and skill: 1 - MASE / MASE of the seasonal naive forecast."""
    from utilsforecast.losses import mase, smape

    rows = task.rows.assign(model=np.asarray(forecasts, dtype=float).ravel())
    models = ["model", "naive"]
    scaled = mase(rows, models, seasonality=task.season, train_df=task.known)[models].mean()
    percent = 200 * smape(rows, models)[models].mean()
    return {
        "mase": float(scaled["model"]),
        "smape": float(percent["model"]),
        "skill": float(1 - scaled["model"] / scaled["naive"]),
        "naive_mase": float(scaled["naive"]),
        "naive_smape": float(percent["naive"]),
    }


# --- all of it --------------------------------------------------------------------------------


def validate(data: str, task: Task, pairs: Any, runs: Runs) -> Iterator[dict[str, Any]]:
    """Some pairs with every learning rate, scored on the validation part."""
    for encoder, decoder in pairs:
        model = model_of(data, task.train, encoder, decoder)
        for rate in RATES:
            key = ("validation", data, encoder, decoder, rate, SEEDS[0])
            run = runs.get(key, partial(train, model, data, task, rate, SEEDS[0]))
            pair = {"data": data, "encoder": encoder, "decoder": decoder, "learning_rate": rate}
            yield pair | {"mase": run["mase"], "skill": run["skill"], "fit_s": run["fit_s"]}


def best_rate(tried: list[dict[str, Any]], data: str) -> float:
    """The learning rate with the smaller validation error, the mean over the pairs."""
    mase = {
        rate: np.mean(
            [row["mase"] for row in tried if (row["data"], row["learning_rate"]) == (data, rate)]
        )
        for rate in RATES
    }
    return min(RATES, key=lambda rate: mase[rate])


def test(
    data: str, task: Task, pair: tuple[str, str], rate: float, seeds: Any, runs: Runs
) -> dict[str, Any]:
    """One pair over all seeds, scored on the test part: a row of the record."""
    model = model_of(data, task.train, *pair)
    made = [
        runs.get(("test", data, *pair, rate, seed), partial(train, model, data, task, rate, seed))
        for seed in seeds
    ]
    row = {"data": data, "encoder": pair[0], "decoder": pair[1], "learning_rate": rate}
    row |= {"parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights)}
    numbers = ("skill", "mase", "smape", "fit_s", "cpu_s")
    return row | {name: [run[name] for run in made] for name in numbers}


def describe(data: str, task: Task) -> dict[str, Any]:
    """What all pairs of a data set share."""
    windows, settings = len(task.train), SETTINGS[data]
    steps = -(-windows // SHARED["batch_size"])
    naive = score(task, task.rows["naive"].to_numpy())
    return {
        "data": data,
        "settings": settings | SHARED,
        "windows": windows,
        "updates": steps * settings["epochs"],
        "inputs": task.train.framing.n_inputs,
        "test_windows": len(task.test),
        "naive_season": task.season,
        "naive_mase": naive["mase"],
        "naive_smape": naive["smape"],
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=TASKS, help="one data set: not written")
    wanted = parser.parse_args()
    if wanted.quick:
        quick()
        return 0
    runs = Runs(__file__, wanted.keep)
    pairs = [(encoder, decoder) for encoder in ENCODERS for decoder in DECODERS]
    names = [wanted.data] if wanted.data else list(TASKS)
    tried: list[dict[str, Any]] = []
    for data in names:
        tried += validate(data, TASKS[data][True](), TRIED, runs)
    if wanted.validate:
        print(pd.DataFrame(tried).to_string())
        return 0
    rows, shared = [], []
    for data in names:
        task = TASKS[data][False]()
        shared.append(describe(data, task))
        for pair in pairs:
            rows.append(test(data, task, pair, best_rate(tried, data), SEEDS, runs))
    if not wanted.data:
        found = {"seeds": SEEDS, "rates": RATES, "options": OPTIONS, "shared": shared}
        write("architectures", __file__, found | {"validation": tried, "rows": rows})
    return 0


def quick() -> list[dict[str, Any]]:
    """Two pairs on a month of demand, a few seconds: does it run?"""
    task = demand_task("2012-03", "2012-03-14", every=301)
    task = replace(task, train=task.train[::8])
    runs, rows = Runs(__file__), []
    for pair in [("vanilla", "vector"), ("cnn", "encoder_decoder")]:
        tried = list(validate("demand", task, [pair], runs))
        rows.append(test("demand", task, pair, best_rate(tried, "demand"), SEEDS[:1], runs))
    return rows


if __name__ == "__main__":
    sys.exit(main())
