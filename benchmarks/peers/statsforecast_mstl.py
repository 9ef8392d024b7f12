"""statsforecast: exponential smoothing of what is left when the seasons are taken out."""

from statsforecast import StatsForecast
from statsforecast.models import MSTL, AutoETS


def fit(train, known, seed, seasons):
    trend = AutoETS(model="ZZN")
    return StatsForecast([MSTL(seasons, trend_forecaster=trend)], freq="30min")


def forecast(model, history, future):
    return model.forecast(48, df=history[["unique_id", "ds", "y"]])
