"""A backtest and a sweep. Where they run is one line, and the results do not depend on it."""

import joblib

import tsforecast as tsf

joblib.parallel_config("loky", n_jobs=2)  # two processes of this machine

table = tsf.datasets.vic_elec()[["demand"]].resample("D").mean().loc["2013":].tz_localize(None)
forecaster = tsf.Forecaster(14, horizon=7, units=8, epochs=2)

result = tsf.backtest(  # one fit per fold: a job each
    forecaster, table, start="2014-10-01", every=7, refit=2, baselines=["naive"]
)
result.table.to_csv("forecasts.csv", index=False)

found = tsf.tune(  # one fit per trial: a job each
    forecaster,
    table,
    validation="2014-07-01",
    test="2014-10-01",
    search={"lookback": [7, 14], "units": [4, 8]},
)
found.table.to_csv("trials.csv", index=False)
