"""One model, trained by several processes at once: each reads its share of every batch.

Start one per machine, with its number, how many there are, and the address of number 0:

    python data_parallel.py 0 2 192.0.2.10:8476
    python data_parallel.py 1 2 192.0.2.10:8476

Needs Keras 3.15 or newer: from several processes 3.10 takes a tf.data.Dataset and nothing else.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"  # Keras trains over several processes on JAX

import keras

import tsforecast as tsf

number, processes, address = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if processes > 1:
    keras.distribution.initialize(address, processes, number)
keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
keras.utils.set_random_seed(0)  # the same first weights everywhere

table = tsf.datasets.vic_elec()[["demand"]].resample("D").mean()["2013":"2014"] / 1000  # GW
windows = tsf.Framing(14, horizon=7).windows(table)
batch, epochs, steps = 64, 3, len(windows) // 64
model = tsf.build_model(windows.framing, units=8, scaling="standard")
tsf.adapt(model, windows)  # measured on all windows, the same everywhere


def shares():
    """The same batches in every process, of which each takes every so-manieth window."""
    for epoch in range(epochs):
        for X, y in list(windows.batches(batch, shuffle=True, seed=epoch))[:steps]:
            yield X[number::processes], y[number::processes]


model.compile(keras.optimizers.Adam(0.005), loss="mse")
history = model.fit(shares(), epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0)
print("losses:", *history.history["loss"])
model.save(f"demand_{number}.keras")  # in every process: Keras waits for all of them
