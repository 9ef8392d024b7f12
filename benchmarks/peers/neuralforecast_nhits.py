"""neuralforecast's NHITS: stacked perceptrons at several rates, with the known futures."""

from neuralforecast import NeuralForecast
from neuralforecast.models import NHITS


def fit(train, known, seed, **settings):
    model = NHITS(h=48, futr_exog_list=known, random_seed=seed, **settings)
    learner = NeuralForecast([model], freq="30min")
    learner.fit(train)
    return learner


def forecast(model, history, future):
    return model.predict(history, futr_df=future)
