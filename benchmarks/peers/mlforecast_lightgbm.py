"""LightGBM through mlforecast: lags, known futures, one tree model that is fed its forecasts."""

import lightgbm
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.target_transforms import Differences


def fit(train, known, seed, lags, means=(), difference=None, **settings):
    model = MLForecast(
        {"lightgbm": lightgbm.LGBMRegressor(random_state=seed, n_jobs=1, verbosity=-1, **settings)},
        freq="30min",
        lags=lags,
        lag_transforms={48: [RollingMean(steps) for steps in means]} if means else None,
        target_transforms=[Differences([difference])] if difference else None,
    )
    return model.fit(train[["unique_id", "ds", "y", *known]], static_features=[])


def forecast(model, history, future):
    return model.predict(48, new_df=history, X_df=future)
