"""Fit one model once, forecast from all cutoffs, write what it said and what it cost.

Runs in the environment of the model, this package's or the peers', one process per fit:
``python run.py JOB.json``; `benchmarks/demand.py` writes the jobs and reads the answers.
"""

import argparse
import ast
import hashlib
import importlib
import importlib.metadata
import json
import logging
import os
import platform
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
HORIZON = 48
SERIES = "unique_id"


def panels(
    table: pd.DataFrame, cutoffs: list[int], history: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One series per cutoff: the rows that are known there, and the columns known ahead.

    The demand of the rows ahead is not in the second panel, so no model can read it.
    """
    names = np.asarray([f"c{number:04d}" for number in range(len(cutoffs))], dtype=object)
    last = np.asarray(cutoffs)[:, None]
    before = table.iloc[(last + np.arange(1 - history, 1)).ravel()].reset_index(drop=True)
    ahead = table.iloc[(last + np.arange(1, HORIZON + 1)).ravel()].reset_index(drop=True)
    before.insert(0, SERIES, names.repeat(history))
    ahead.insert(0, SERIES, names.repeat(HORIZON))
    return before, ahead.drop(columns="y")


def training_rows(table: pd.DataFrame, first_cutoff: int) -> pd.DataFrame:
    """What the models may learn from: all up to the first cutoff."""
    train = table.iloc[: first_cutoff + 1].reset_index(drop=True)
    train.insert(0, SERIES, "demand")
    return train


def values_of(answer: pd.DataFrame, cutoffs: int) -> np.ndarray:
    """The forecasts as an array (cutoffs, horizon), whatever the package calls its column."""
    answer = answer.reset_index() if SERIES not in answer else answer
    answer = answer.sort_values([SERIES, "ds"])
    (column,) = [name for name in answer if name not in (SERIES, "ds", "cutoff", "index")]
    values = answer[column].to_numpy(dtype=float).reshape(cutoffs, HORIZON)
    if not np.isfinite(values).all():
        raise ValueError("Some forecasts are missing.")
    return values


def parameters(model: object) -> int | None:
    """Weights of a network; None for models that have none."""
    if isinstance(model, tuple):
        model = model[0]
    for net in (*(getattr(model, "models", None) or ()), getattr(model, "model", None)):
        if hasattr(net, "count_params"):
            return int(net.count_params())
        if hasattr(net, "parameters"):
            return int(sum(p.numel() for p in net.parameters() if p.requires_grad))
    return None


def lines_of(path: Path) -> int:
    """Lines of code: no blank lines, comments or docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    spoken: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            spoken.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(
        bool(line.strip()) and not line.strip().startswith("#")
        for number, line in enumerate(lines, 1)
        if number not in spoken
    )


def code_of(script: str) -> str:
    """Of this file and the model's: what has to be the same for a result to hold."""
    files = [HERE / "run.py", HERE / f"{script}.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def run(job: dict) -> tuple[dict, np.ndarray]:
    """Fit and forecast as the job says."""
    table = pd.read_csv(job["table"], parse_dates=["ds"])
    cutoffs = job["cutoffs"]
    train = training_rows(table, cutoffs[0])
    history, future = panels(table, cutoffs, job["history"])
    known = job["known"]
    keep = [SERIES, "ds", *known]
    history, train, future = history[[*keep, "y"]], train[[*keep, "y"]], future[keep]
    script = importlib.import_module(job["script"])

    begun, cpu = time.perf_counter(), time.process_time()
    model = script.fit(train, known, job["seed"], **job["settings"])
    fit_s, fit_cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    begun, cpu = time.perf_counter(), time.process_time()
    answer = script.forecast(model, history, future)
    predict_s, predict_cpu_s = time.perf_counter() - begun, time.process_time() - cpu

    values = values_of(answer, len(cutoffs))
    cost = {
        "fit_s": fit_s,
        "fit_cpu_s": fit_cpu_s,
        "predict_s": predict_s,
        "predict_cpu_s": predict_cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,  # 10^6 bytes
    }
    return {
        **{name: round(value, 2) for name, value in cost.items()},
        "parameters": parameters(model),
        "lines": lines_of(HERE / f"{job['script']}.py"),
        "code": code_of(job["script"]),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in job["packages"]},
    }, values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path)
    path = parser.parse_args().job
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    sys.path.insert(0, str(HERE))
    job = json.loads(path.read_text(encoding="utf-8"))
    answer, values = run(job)
    np.save(path.with_suffix(".npy"), values)
    path.with_suffix(".answer.json").write_text(json.dumps(answer, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
