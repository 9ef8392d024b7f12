"""neuralforecast's TFT: an LSTM with attention and variable selection, with the known futures."""

from neuralforecast import NeuralForecast
from neuralforecast.models import TFT


def fit(train, known, seed, **settings):
    model = TFT(h=48, futr_exog_list=known, random_seed=seed, **settings)
    learner = NeuralForecast([model], freq="30min")
    learner.fit(train)
    return learner


def forecast(model, history, future):
    return model.predict(history, futr_df=future)
