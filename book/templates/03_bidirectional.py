"""Bidirectional LSTM: one LSTM reads the window forwards, another backwards.

Both read past rows only. Prints the row after 10, 20, ..., 90: about 100."""

import keras
import numpy as np
from keras import layers

data = np.arange(10.0, 100.0, 10.0)[:, None]  # (9 rows, 1 series): 10, 20, ..., 90
lookback, horizon = 3, 1  # rows that go in, rows that come out
starts = range(len(data) - lookback - horizon + 1)  # where a window can start
X = np.array([data[i : i + lookback] for i in starts])  # (6, 3, 1)
y = np.array([data[i + lookback : i + lookback + horizon] for i in starts])  # (6, 1, 1)

# Scaling: count from each window's last value, in units of the usual distance from it.
last = X[:, -1:]  # (6, 1, 1)
unit_X = np.sqrt(np.mean((X - last) ** 2, axis=(0, 1)))  # one per series
unit_y = np.sqrt(np.mean((y - last) ** 2, axis=(0, 1)))

keras.utils.set_random_seed(0)
model = keras.Sequential([layers.Input(X.shape[1:])])  # (batch, 3, 1)
model.add(layers.Bidirectional(layers.LSTM(50)))  # (batch, 100)
model.add(layers.Dense(y[0].size))  # all numbers at once, (batch, 1)
model.add(layers.Reshape(y.shape[1:]))  # (batch, 1, 1)
model.compile(keras.optimizers.Adam(0.005), loss="mse", steps_per_execution=50)
many = (200, 1, 1)  # 200 epochs as a single long one: faster on so few windows
inputs, targets = np.tile((X - last) / unit_X, many), np.tile((y - last) / unit_y, many)
model.fit(inputs, targets, batch_size=len(X), shuffle=False, verbose=0)

window = data[None, -lookback:]  # the last rows, (1, 3, 1)
forecast = data[-1] + unit_y * model.predict((window - data[-1]) / unit_X, verbose=0)
print(forecast[0].round(1))  # a row per step ahead
# Your data: data = np.loadtxt("my.csv", delimiter=",", skiprows=1, usecols=[1], ndmin=2)
# With hundreds of rows: many = (20, 1, 1), and in fit batch_size=32, shuffle=True.
