"""The same script on this machine, on a Dask and on a Ray cluster, where a worker is killed."""

import importlib.util
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import clusters
import pandas as pd
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = (ROOT / "book" / "many_machines" / "backtest_and_sweep.py").read_text()
LINE = next(line for line in SCRIPT.splitlines() if line.startswith("joblib.parallel_config"))
RAY_LINE = (
    "from ray.util.joblib.ray_backend import RayBackend; "
    "joblib.parallel_config(RayBackend(ray_remote_args={'max_restarts': 3, "
    "'max_task_retries': -1, 'scheduling_strategy': 'SPREAD'}), n_jobs=2)"
)
LINES = {"dask": 'joblib.parallel_config("dask", scheduler_host="{address}")', "ray": RAY_LINE}
KILLED = ["backtest", "tune"]  # in the middle of these


def run(folder, line=LINE, environment=None, kill=None, phases=()):
    """Run the script with one line changed; what it wrote. `kill` is called within the phases."""
    assert SCRIPT.count(LINE) == 1
    script = folder / "script.py"
    script.write_text(SCRIPT.replace(LINE, line))
    waiting = list(phases)
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=folder,
        env=os.environ | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        timer = threading.Timer(600, process.kill)
        timer.start()
        seen = b""
        while part := os.read(process.stderr.fileno(), 4096):
            seen += part
            # The bar, such as "backtest:  57%|#####7    | 4/7": some jobs are done, others not.
            for name in waiting[:1]:
                bars = re.findall(rf"{name}: [^\r\n]* (\d+)/(\d+) ".encode(), seen)
                if bars and 2 <= int(bars[-1][0]) < int(bars[-1][1]):
                    waiting.pop(0)
                    kill()
        timer.cancel()
    assert process.returncode == 0, seen.decode()[-5000:]
    assert waiting == [], f"nothing was killed in {waiting}: {seen.decode()[-2000:]}"
    trials = pd.read_csv(folder / "trials.csv")
    forecasts = pd.read_csv(folder / "forecasts.csv")
    return forecasts, trials.drop(columns="seconds")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The script as it is."""
    return run(tmp_path_factory.mktemp("local"))


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_every_fold_and_trial_comes_back_though_workers_die(kind, local, tmp_path):
    package = {"dask": "distributed", "ray": "ray"}[kind]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'tsforecast-book[cluster]'")
    if sys.platform == "win32":
        pytest.skip("SIGKILL is for Linux and macOS")
    command = [sys.executable, clusters.__file__, kind]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen(command, stderr=log, **pipes) as cluster,  # leaving closes its input
    ):
        address = cluster.stdout.readline().strip()
        assert address, (tmp_path / "log").read_text()[-5000:]
        started = psutil.Process(cluster.pid).children(recursive=True)

        def kill():
            cluster.stdin.write("kill\n")
            cluster.stdin.flush()

        environment = clusters.RAY | {"RAY_ADDRESS": address} if kind == "ray" else {}
        line = LINES[kind].replace("{address}", address)
        forecasts, trials = run(tmp_path, line, environment, kill, KILLED)
    left = psutil.wait_procs(started, timeout=30)[1]
    for process in left:
        process.kill()
    pd.testing.assert_frame_equal(forecasts, local[0], check_exact=True)
    pd.testing.assert_frame_equal(trials, local[1], check_exact=True)
    assert len(local[0]) == 13 * 7
    assert len(local[1]) == 4
    assert left == [], "processes were left running"
