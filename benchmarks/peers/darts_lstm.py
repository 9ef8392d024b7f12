"""darts' BlockRNNModel as an LSTM: it reads the past of the covariates, not their future."""

import numpy as np
import torch
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import BlockRNNModel
from sklearn.preprocessing import StandardScaler


def series_of(panel, columns):
    return TimeSeries.from_group_dataframe(
        panel, "unique_id", "ds", columns, freq="30min", drop_group_cols="unique_id"
    )


def fit(train, known, seed, stride, **settings):
    scalers = [Scaler(StandardScaler(), global_fit=True) for _ in range(2)]
    y = scalers[0].fit_transform(series_of(train, "y"))
    past = scalers[1].fit_transform(series_of(train, known))
    model = BlockRNNModel(
        model="LSTM",
        output_chunk_length=48,
        random_state=seed,
        loss_fn=torch.nn.L1Loss(),
        **settings,
    )
    model.fit([s.astype("float32") for s in y], [s.astype("float32") for s in past], stride=stride)
    return model, scalers, known


def forecast(model, history, future):
    model, scalers, known = model
    y = scalers[0].transform(series_of(history, "y"))
    past = scalers[1].transform(series_of(history, known))
    values = model.predict(
        48,
        series=[s.astype("float32") for s in y],
        past_covariates=[s.astype("float32") for s in past],
    )
    values = scalers[0].inverse_transform(values)
    return future[["unique_id", "ds"]].assign(y=np.concatenate([v.values()[:, 0] for v in values]))
