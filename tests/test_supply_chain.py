"""What is installed, and from where: pinned, hashed, licensed; the core needs two packages only."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import licences  # noqa: E402

REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_every_requirement_has_one_version_and_a_hash() -> None:
    """So that pip refuses any other file, whoever serves it."""
    lines = re.sub(r"\\\n", "", REQUIREMENTS).splitlines()
    pinned = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert len(pinned) > 150
    for line in pinned:
        assert re.match(r"[\w.-]+==[\w.+!]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+$", line), (
            line
        )


def test_nothing_else_says_where_packages_come_from() -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|\s-[ef] ", REQUIREMENTS)


def test_setup_asks_for_the_hashes_and_lock_makes_them() -> None:
    assert '"--require-hashes", "-r", "requirements.txt"' in (
        ROOT / "scripts" / "setup_venv.py"
    ).read_text(encoding="utf-8")
    lock = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nlock:")[1].split("\n\n")[0]
    assert "--generate-hashes" in lock and "--no-emit-index-url" in lock


def test_pip_refuses_a_file_with_another_hash(tmp_path: Path) -> None:
    """The mechanism itself, on a wheel that is made here."""
    wheel = tmp_path / "harmless-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was pinned")
    (tmp_path / "requirements.txt").write_text(f"harmless==1.0 --hash=sha256:{'0' * 64}\n")
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--dry-run"]
    command += ["--find-links", str(tmp_path), "--require-hashes"]
    command += ["-r", str(tmp_path / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and "DO NOT MATCH THE HASHES" in done.stderr


def test_every_dependency_has_a_licence_that_allows_the_use() -> None:
    assert licences.problems() == []


def test_a_licence_that_nobody_looked_at_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = licences.recorded()
    monkeypatch.setattr(
        licences, "recorded", lambda: listed | {"numpy": "AGPL-3.0", "extra": "MIT"}
    )
    assert licences.problems() == [
        "extra: recorded, but not required",
        "numpy: look at its licence (AGPL-3.0)",
    ]


CORE = """
import importlib.abc, sys

ALLOWED = {"numpy", "pandas", "dateutil", "six", "pytz", "tzdata", "tsforecast"}

class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED | sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Guard())
import numpy as np, pandas as pd
import tsforecast as tsf

index = pd.date_range("2024-01-01", periods=60, freq="h", tz="Europe/Berlin")
table = pd.DataFrame({"y": np.arange(60.0), "x": np.arange(60.0) % 7}, index)
framing = tsf.Framing(5, horizon=2, targets="y", past_covariates="x", missing="skip")
windows = framing.windows(table)
train, test = windows.split(index[40])
assert [y.shape for _, y in train.batches(30, shuffle=True, seed=0)][0] == (30, 2, 1)
assert framing.last_window(table).shape == (1, 5, 2)
print(windows.describe())
panel = pd.concat([table.assign(unique_id=name, ds=index) for name in "ab"])
assert len(framing.windows(panel)) == 2 * len(windows)
tsf.fill_gaps(tsf.to_grid(table.drop(index[7]), "h"))
tsf.datasets.toy("multivariate")
from tsforecast.calendar import calendar_features, calendar_names
calendar_features(index, calendar_names(index))
try:
    tsf.build_model
except ModuleNotFoundError as error:
    print("models need", error.name)
"""


def test_windows_need_numpy_and_pandas_only() -> None:
    done = subprocess.run([sys.executable, "-c", CORE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "models need keras"
