"""This package: an LSTM reads days, a small network of Dense layers writes each step."""

from keras import layers

import tsforecast as tsf


def step_by_step(state, horizon, targets, units, activation, future):
    x = layers.Concatenate()([layers.RepeatVector(horizon)(state), future])
    x = layers.Dense(2 * units, activation="relu")(x)
    x = layers.Dense(2 * units, activation="relu")(x)
    return layers.Dense(targets)(x)


def fit(train, known, seed, **settings):
    forecaster = tsf.Forecaster(
        horizon=48,
        targets="y",
        future_covariates=known,
        decoder=step_by_step,
        seed=seed,
        **settings,
    )
    return forecaster.fit(train)


def forecast(model, history, future):
    return model.forecast(history, future=future)
