"""When not to use an LSTM: skill against the number of points and of series, beside AutoETS.

``python benchmarks/learning_curve.py`` writes ``benchmarks/results/learning_curve.json``. Retail
turnover, from very little to all there is: the last 24, 48, 96, 192 or all months of 1, 10, 50 or
148 monthly series; one LSTM for all of them, an AutoETS for each, from the same rows. The months
of 2018 are the test part. ``benchmarks/learning_curve_demand.py`` asks the same of one long series.

Which of a few settings a size gets is decided on the validation part, the months of 2017.
``--validate`` does that only, ``--quick`` is a look of seconds that writes nothing, and ``--keep
FILE`` keeps every training in a file as it ends and takes from there what is done already.
"""

from __future__ import annotations

import sys
import warnings
from functools import cache, partial
from typing import Any

import benchmarks.one_core  # noqa: F401  before TensorFlow

import numpy as np  # isort: skip
import pandas as pd  # isort: skip

import tsforecast as tsf  # isort: skip
from benchmarks.record import Runs, arguments, measure, write  # isort: skip

CONFIGS: dict[str, dict[str, Any]] = {
    "small": {"units": 8, "updates": 60, "learning_rate": 0.005},
    "large": {"units": 32, "updates": 200, "learning_rate": 0.005},
    "long": {"units": 32, "updates": 1000, "learning_rate": 0.005},
}
MANY = 1000  # windows
BATCH = 64

# --- retail -------------------------------------------------------------------------------------

YEAR = 12  # months: the horizon and the season
MONTHS = (24, 48, 96, 192, 429)  # the last is all: April 1982 to December 2017
DRAWS = {1: 8, 10: 3, 50: 2, 148: 1}  # series: how many random choices of so many
VALIDATION_DRAWS = {1: 2, 10: 1, 50: 1, 148: 1}
REMARKS = (
    "An earlier run had no setting 'long'. Its test scores were seen; with many series they were "
    "no better than the naive forecast. On the validation part 1,000 updates then turned out much "
    "better than 200 there, so 'long' was added and everything was run again.",
)


@cache
def retail(validate: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known, and the year that is forecast: 2018, or for a choice 2017.

    Only the series that run to the end of 2018.
    """
    panel = tsf.datasets.aus_retail()[["unique_id", "ds", "y"]]
    last = panel.groupby("unique_id")["ds"].transform("max")
    panel = panel[last == panel["ds"].max()]
    year = "2017" if validate else "2018"
    following = str(int(year) + 1)
    coming = panel[(panel["ds"] >= year) & (panel["ds"] < following)]
    return panel[panel["ds"] < year].reset_index(drop=True), coming.reset_index(drop=True)


def last_months(known: pd.DataFrame, months: int) -> pd.DataFrame:
    """The last so many months of every series; a shorter one gives what it has."""
    return known.groupby("unique_id").tail(months).reset_index(drop=True)


def draw(names: Any, series: int, number: int) -> list[str]:
    """Some series at random: the same for the same numbers."""
    if series >= len(names):
        return sorted(names)
    return sorted(np.random.default_rng([series, number]).choice(sorted(names), series, False))


def retail_lookback(months: int) -> int:
    """Two years, where there are four or more of history; else one."""
    return 24 if months >= 48 else 12


def lstm_for_retail(rows: pd.DataFrame, months: int, config: dict[str, Any], seed: int) -> Any:
    """One LSTM of all series: (its forecast of the next year, windows it learned from)."""
    forecaster = tsf.Forecaster(
        lookback=retail_lookback(months),
        horizon=YEAR,
        targets="y",
        scaling="series",
        skip="season",
        season=YEAR,
        loss="mae",
        units=config["units"],
        batch_size=BATCH,
        learning_rate=config["learning_rate"],
        seed=seed,
    )
    windows = len(forecaster.windows(rows))
    epochs = epochs_for(windows, config["updates"])
    fitted = forecaster.copy(epochs=epochs).fit(rows)
    return fitted.forecast().rename(columns={"y": "model"}), windows


def epochs_for(windows: int, updates: int) -> int:
    """Epochs that come to about so many training steps."""
    return max(1, round(updates / -(-windows // BATCH)))


def error_in_units_of_history(forecast: pd.DataFrame, validate: bool) -> pd.Series:
    """MASE of each series. Its unit is measured on all the history, so it is the same for all sizes."""
    from utilsforecast.losses import mase

    known, coming = retail(validate)
    rows = coming.merge(forecast[["unique_id", "ds", "model"]], on=["unique_id", "ds"])
    names = rows["unique_id"].unique()
    known = known[known["unique_id"].isin(names)]
    return mase(rows, ["model"], YEAR, known).set_index("unique_id")["model"]


def simple_for_retail(months: int, validate: bool) -> pd.DataFrame:
    """MASE of AutoETS and of the seasonal naive forecast, a row per series."""
    from statsforecast.models import AutoETS, SeasonalNaive

    known, coming = retail(validate)
    found = {}
    for name, model in (("AutoETS", AutoETS(YEAR)), ("naive", SeasonalNaive(YEAR))):
        parts = []
        for unique_id, rows in last_months(known, months).groupby("unique_id"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ahead = model.forecast(y=rows["y"].to_numpy(), h=YEAR)["mean"]
            ds = coming.loc[coming["unique_id"] == unique_id, "ds"]
            parts.append(pd.DataFrame({"unique_id": unique_id, "ds": ds, "model": ahead}))
        found[name] = error_in_units_of_history(pd.concat(parts), validate)
    return pd.DataFrame(found)


def retail_run(
    months: int, series: int, number: int, config: str, validate: bool
) -> dict[str, Any]:
    """One training on one draw of series."""
    known, _ = retail(validate)
    names = draw(known["unique_id"].unique(), series, number)
    rows = last_months(known[known["unique_id"].isin(names)], months)
    with measure() as cost:
        forecast, windows = lstm_for_retail(rows, months, CONFIGS[config], seed=number)
    errors = error_in_units_of_history(forecast, validate)
    return {
        "mase": float(errors.mean()),
        "errors": errors.to_dict(),
        "windows": windows,
        "fit_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
    }


def configs_for(months: int, series: int) -> list[str]:
    """What a size chooses from, on the validation part: it depends on the number of windows."""
    windows = series * (months - retail_lookback(months) - YEAR + 1)
    return ["large", "long"] if windows > MANY else ["small", "large"]


def retail_part(runs: Runs, only_validate: bool) -> tuple[list[Any], list[Any]]:
    """Every size: the choice of a setting, then the test. Returns (what was tried, rows)."""
    tried, rows = [], []
    for months in MONTHS:
        for series, draws in DRAWS.items():
            configs = configs_for(months, series)
            for config in configs:
                made = [
                    runs.get(
                        ("validation", "retail", months, series, config, number),
                        partial(retail_run, months, series, number, config, True),
                    )
                    for number in range(VALIDATION_DRAWS[series])
                ]
                mase = float(np.mean([run["mase"] for run in made]))
                size = {"data": "retail", "points": months, "series": series}
                tried.append(size | {"config": config, "mase": mase})
            if not only_validate:
                config = min(tried[-len(configs) :], key=lambda row: row["mase"])["config"]
                rows.append(retail_row(runs, months, series, draws, config))
    return tried, rows


def retail_row(runs: Runs, months: int, series: int, draws: int, config: str) -> dict[str, Any]:
    """One size on the test part, beside the simple forecasts of the same series."""
    made = [
        runs.get(
            ("test", "retail", months, series, config, number),
            partial(retail_run, months, series, number, config, False),
        )
        for number in range(draws)
    ]
    key = ("test", "retail", months, "simple")
    simple = runs.get(key, lambda: {"table": simple_for_retail(months, False).to_dict()})["table"]
    names = retail(False)[0]["unique_id"].unique()
    drawn = [draw(names, series, number) for number in range(draws)]
    ets, naive = (
        [float(np.mean([simple[model][name] for name in chosen])) for chosen in drawn]
        for model in ("AutoETS", "naive")
    )
    mase = [run["mase"] for run in made]
    better = [
        error < simple["AutoETS"][name] for run in made for name, error in run["errors"].items()
    ]
    return {
        "data": "retail",
        "points": months,
        "series": series,
        "lookback": retail_lookback(months),
        "config": config,
        "windows": made[0]["windows"],
        "mase": mase,
        "ets_mase": ets,
        "naive_mase": naive,
        "skill": skill(mase, naive),
        "ets_skill": skill(ets, naive),
        "better_than_ets": float(np.mean(better)),  # share of the series, over all draws
        "fit_s": [run["fit_s"] for run in made],
    }


def skill(errors: list[float], naive: list[float]) -> float:
    """1 - error / error of the naive forecast, of all draws or cutoffs together."""
    return float(1 - np.mean(errors) / np.mean(naive))


# --- all of it ----------------------------------------------------------------------------------


def main() -> int:
    wanted = arguments(__doc__).parse_args()
    if wanted.quick:
        print(retail_run(24, 1, 0, "small", validate=True)["mase"])
        return 0
    tried, rows = retail_part(Runs(__file__, wanted.keep), wanted.validate)
    if wanted.validate:
        print(pd.DataFrame(tried).to_string())
    else:
        found = {"configs": CONFIGS, "batch_size": BATCH, "draws": DRAWS, "remarks": REMARKS}
        write("learning_curve", __file__, found | {"validation": tried, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
