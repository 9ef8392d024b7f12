"""Seconds per training step of one LSTM, by one library: a process that answers jobs.

Runs in the environment of this package or the peers'. `benchmarks/training_speed.py` starts one
process per library and thread count, and asks them: a line of JSON in, a line out. Every
way trains an LSTM layer and a Dense on the same windows, batches of the same size, squared error,
Adam. What happens once (imports, building, the first round of steps) is not counted.
"""

import json
import os
import sys
import time
import warnings

import numpy as np


def table(size):
    """Random numbers, (rows, inputs): as many rows as the windows need."""
    rows = size["windows"] + size["lookback"]
    return np.random.default_rng(0).normal(size=(rows, size["inputs"])).astype("float32")


def mark():
    return time.process_time(), time.perf_counter()


def per_step(marks, steps):
    """Seconds of computing, and on the clock, from the first mark to the last."""
    cpu, wall = (last - first for first, last in zip(marks[0], marks[-1], strict=True))
    return {"cpu_s": cpu / steps, "wall_s": wall / steps, "steps": steps}


# --- Keras, and this package ----------------------------------------------------------------------


def keras_parts(size):
    import tsforecast as tsf

    columns = [f"c{number}" for number in range(size["inputs"])]
    framing = tsf.Framing(size["lookback"], targets="c0", past_covariates=columns[1:])
    import pandas as pd

    windows = framing.windows(pd.DataFrame(table(size), columns=columns))
    model = tsf.build_model(windows.framing, units=size["units"], scaling="none")
    return model, windows


def keras_clock():
    """A callback that marks the end of every epoch; `fit` of this package is given it as its own."""
    import keras

    class Clock(keras.callbacks.TerminateOnNaN):
        marks: list = []  # noqa: RUF012

        def on_epoch_end(self, epoch, logs=None):
            self.marks.append(mark())

    Clock.marks = []
    return Clock


def keras_plain(size):
    """`model.fit(X, y)`, as the tutorial writes it."""
    model, windows = keras_parts(size)
    X, y = windows.arrays()
    model.compile(optimizer="adam", loss="mse")
    clock, epochs = keras_clock(), size["epochs"]
    model.fit(X, y, epochs=epochs, batch_size=size["batch"], verbose=0, callbacks=[clock()])
    return per_step(clock.marks, (epochs - 1) * -(-len(y) // size["batch"]))


def ours(size, fast=False):
    """`tsforecast.fit`."""
    import keras

    import tsforecast as tsf
    from tsforecast import training

    model, windows = keras_parts(size)
    clock, known = keras_clock(), training._StopAtNaN
    steps = -(-len(windows) // size["batch"])
    training.STEPS_PER_REPORT = size["report"]  # fewer where a step is long
    rounds = training._epochs_per_round(size["our_epochs"], steps)  # between two marks
    training._StopAtNaN = clock
    try:
        tsf.fit(
            model,
            windows,
            epochs=size["our_epochs"],
            batch_size=size["batch"],
            optimizer=keras.optimizers.Adam(),
            fast=fast,
        )
    finally:
        training._StopAtNaN = known
    return per_step(clock.marks, (len(clock.marks) - 1) * rounds * steps)


def ours_fast(size):
    """`tsforecast.fit` with ``fast=True``."""
    return ours(size, fast=True)


# --- PyTorch, and what is built on it -------------------------------------------------------------


def torch_loop(size):
    """`torch.nn.LSTM` and a loop over shuffled batches."""
    import torch

    values = torch.from_numpy(table(size))
    X = values.unfold(0, size["lookback"], 1)[:-1].transpose(1, 2).contiguous()
    y = values[size["lookback"] :, :1]
    lstm = torch.nn.LSTM(size["inputs"], size["units"], batch_first=True)
    dense = torch.nn.Linear(size["units"], 1)
    adam = torch.optim.Adam([*lstm.parameters(), *dense.parameters()])
    measure, marks = torch.nn.MSELoss(), []
    while len(marks) <= size["torch_steps"]:
        for rows in torch.randperm(len(X)).split(size["batch"]):
            adam.zero_grad()
            hidden, _ = lstm(X[rows])
            measure(dense(hidden[:, -1]), y[rows]).backward()
            adam.step()
            marks.append(mark())
    return per_step(marks, len(marks) - 1)


MARKS: list = []  # outside of the callback, which Lightning may copy


def lightning_clock():
    import pytorch_lightning as lightning

    class Clock(lightning.Callback):
        def on_train_batch_end(self, *_args, **_kwargs):
            MARKS.append(mark())

    MARKS.clear()
    return {
        "callbacks": [Clock()],
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
    }


def neuralforecast_lstm(size):
    """neuralforecast's LSTM with one layer; its decoder is a Dense with a hidden layer."""
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MSE
    from neuralforecast.models import LSTM

    names = ["y", *(f"c{number}" for number in range(1, size["inputs"]))]
    panel = pd.DataFrame(table(size), columns=names)
    panel["unique_id"], panel["ds"] = "a", np.arange(len(panel))
    model = LSTM(
        h=1,
        input_size=size["lookback"],
        hist_exog_list=names[1:] or None,
        encoder_n_layers=1,
        encoder_hidden_size=size["units"],
        decoder_layers=1,
        decoder_hidden_size=size["units"],
        loss=MSE(),
        scaler_type="identity",
        batch_size=1,
        windows_batch_size=size["batch"],
        max_steps=size["torch_steps"] + 1,
        **lightning_clock(),
    )
    NeuralForecast([model], freq=1).fit(panel)
    return per_step(MARKS, len(MARKS) - 1)


def darts_lstm(size):
    """darts' BlockRNNModel with one LSTM layer."""
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    values = table(size)
    series = TimeSeries.from_values(values[:, :1])
    past = TimeSeries.from_values(values[:, 1:]) if size["inputs"] > 1 else None
    per_epoch = -(-size["windows"] // size["batch"])
    model = BlockRNNModel(
        model="LSTM",
        input_chunk_length=size["lookback"],
        output_chunk_length=1,
        hidden_dim=size["units"],
        n_rnn_layers=1,
        batch_size=size["batch"],
        n_epochs=1 + size["torch_steps"] // per_epoch,
        pl_trainer_kwargs=lightning_clock(),
    )
    model.fit(series, past_covariates=past)
    return per_step(MARKS, len(MARKS) - 1)


WAYS = {
    "Keras, plain fit": keras_plain,
    "tsforecast, fit": ours,
    "tsforecast, fit(fast=True)": ours_fast,
    "PyTorch, plain loop": torch_loop,
    "neuralforecast, LSTM": neuralforecast_lstm,
    "darts, BlockRNNModel": darts_lstm,
}


def threads(number):
    """Before TensorFlow or PyTorch is imported."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(number)


def main():
    import logging

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like elsewhere
    threads(sys.argv[1])
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(WAYS[job["way"]](job["size"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
