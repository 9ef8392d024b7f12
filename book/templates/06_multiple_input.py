"""Multiple input: two series go in, a third comes out at the same step: a nowcast.

Prints the sum one row after the data: about 205. It needs both inputs of that very row,
100 and 105. For a forecast without them: lead = 1, window = data[-lookback:]."""

import keras
import numpy as np
from keras import layers

a = np.arange(10.0, 100.0, 10.0)  # 10, 20, ..., 90
data, target = np.column_stack([a, a + 5]), (a + a + 5)[:, None]  # (9, 2) and (9, 1)
lookback, horizon, lead = 3, 1, 0  # lead 0: y starts at the last row of X; 1: one later
ends = range(lookback, len(data) - lead - horizon + 2)  # the first row after X
X = np.array([data[i - lookback : i] for i in ends])  # (7, 3, 2)
y = np.array([target[i + lead - 1 : i + lead - 1 + horizon] for i in ends])  # (7, 1, 1)

mean, spread, level = X.mean(axis=(0, 1)), X.std(axis=(0, 1)), y.mean()
scaled = (X - mean) / spread  # (7, 3, 2)
terms = np.column_stack([scaled.reshape(len(X), -1), np.ones(len(X))])  # (7, 7)
rule = np.linalg.lstsq(terms, y[..., 0] - level, rcond=1e-6)[0]  # linear, (7, 1)
rest = y[..., 0] - level - terms @ rule  # the network learns what the rule leaves
unit = max(np.sqrt(np.mean(rest**2)), np.ptp(y) / 1000)  # it leaves nothing here

keras.utils.set_random_seed(0)
model = keras.Sequential([layers.Input(X.shape[1:])])  # (batch, 3, 2)
model.add(layers.LSTM(50))  # (batch, 50)
model.add(layers.Dense(y[0].size))  # all numbers at once, (batch, 1)
model.add(layers.Reshape(y.shape[1:]))  # (batch, 1, 1)
model.compile(keras.optimizers.Adam(0.005), loss="mse", steps_per_execution=50)
many = (200, 1, 1)  # 200 epochs as a single long one: faster on so few windows
inputs, targets = np.tile(scaled, many), np.tile(rest[..., None] / unit, many)
model.fit(inputs, targets, batch_size=len(X), shuffle=False, verbose=0)

window = np.vstack([data[-2:], [[100, 105]]])  # the last row is not in the data
scaled = (window[None] - mean) / spread  # (1, 3, 2)
linear = level + np.append(scaled, 1) @ rule  # (1,)
forecast = linear[None, :, None] + unit * model.predict(scaled, verbose=0)
print(forecast[0].round(1))  # a row per step, from the window's last row on
# Your data: load it with np.loadtxt; data is what you know, target what you don't.
# With hundreds of rows: many = (20, 1, 1), and in fit batch_size=32, shuffle=True.
