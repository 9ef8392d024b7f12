"""One model trained by two processes: the same losses as by one, and a file that opens anywhere."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from packaging.version import Version

import tsforecast as tsf

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "book" / "many_machines" / "data_parallel.py"


@pytest.mark.skipif(
    Version(keras.__version__) < Version("3.15"),
    reason="Keras 3.10 wants a tf.data.Dataset from several processes",
)
@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="jax is not installed: pip install 'tsforecast-book[cluster]'",
)
def test_two_processes_have_the_losses_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    runs = {"alone": (0, 1), "first of two": (0, 2), "second of two": (1, 2)}
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    started, losses = {}, {}
    try:
        for name, (number, processes) in runs.items():
            folder = tmp_path / name
            folder.mkdir()
            with open(folder / "out", "w") as out, open(folder / "log", "w") as log:
                command = [sys.executable, str(SCRIPT), str(number), str(processes), address]
                started[name] = subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=out, stderr=log
                )
        for name, process in started.items():
            assert process.wait(240) == 0, (tmp_path / name / "log").read_text()[-5000:]
            line = (tmp_path / name / "out").read_text().splitlines()[-1]
            losses[name] = [float(word) for word in line.removeprefix("losses:").split()]
    finally:
        for process in started.values():
            process.kill()
            process.wait()
    assert len(losses["alone"]) == 3
    assert losses["alone"][-1] < losses["alone"][0]
    assert losses["first of two"] == losses["second of two"]
    np.testing.assert_allclose(losses["first of two"], losses["alone"], rtol=1e-4)

    models = [tsf.load_model(tmp_path / name / "demand_0.keras") for name in list(runs)[:2]]
    table = tsf.datasets.vic_elec()[["demand"]].resample("D").mean()["2014-12":] / 1000
    windows = tsf.Framing(14, horizon=7).windows(table)
    one, two = (tsf.predict(model, windows) for model in models)
    np.testing.assert_allclose(one, two, rtol=1e-3)
