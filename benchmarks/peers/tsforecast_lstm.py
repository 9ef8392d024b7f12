"""This package: an LSTM reads days, and each step is written from its state and what is known."""

import tsforecast as tsf


def fit(train, known, seed, **settings):
    forecaster = tsf.Forecaster(
        horizon=48,
        targets="y",
        future_covariates=known,
        decoder="stepwise",
        seed=seed,
        **settings,
    )
    return forecaster.fit(train)


def forecast(model, history, future):
    return model.forecast(history, future=future)
