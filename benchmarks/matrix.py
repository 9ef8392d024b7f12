"""The tests and notebooks on other versions, backends and processors: ``python benchmarks/matrix.py``.

Each cell of the matrix is an environment: a version of Python, the pinned, the oldest supported or
the newest versions of the packages, a backend of Keras, and what the processor may do. In each,
tests run, and on the default backend notebooks, whose stored outputs must come out again within
the tolerance of their cells. uv makes the environments, in ``build/matrix``.

Each cell has a record of its own, such as ``results/matrix_oldest.json``, which names what was run
in it. So a cell can be run again alone. ``--cells``, ``--tests`` and ``--notebooks`` take a part.
``--python 3.12=/usr/bin/python3.12`` names an interpreter; without it uv looks for one, and a cell
without an interpreter has no record. ``--keep FILE`` remembers what was run.

The processor is limited for oneDNN, NumPy and OpenBLAS. What TensorFlow computes by Eigen and XLA
chooses its instructions itself, and no setting limits it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import record  # noqa: E402

FOLDER = ROOT / "build" / "matrix"
SHOWN = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "pandas", "jax", "torch")
TESTS = ("framing", "framing_errors", "gaps", "panels", "calendar", "intervals", "layers")
TESTS += ("training", "resume", "forecaster", "forecaster_class", "persistence", "backtest")
TESTS += ("numbers",)
NOTEBOOKS = tuple(sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")))
# A processor without these: for oneDNN, for OpenBLAS, and what NumPy may use beyond its baseline.
PROCESSORS = {
    "AVX2": ("AVX2", "Haswell", ("X86_V3", "AVX2", "FMA3", "AVX", "F16C", "SSE42", "POPCNT")),
    "SSE4.1": ("SSE41", "Nehalem", ()),
}


@dataclass(frozen=True)
class Cell:
    """One environment."""

    name: str
    python: str = "3.11"
    versions: str = "pinned"  # or "oldest", "newest"
    backend: str = "tensorflow"
    onednn: bool = True
    processor: str = ""  # of PROCESSORS

    @property
    def folder(self) -> Path:
        extra = "-torch" if self.backend == "torch" else ""
        return FOLDER / f"{self.versions}-{self.python}{extra}"

    @property
    def interpreter(self) -> Path:
        return self.folder / "bin" / "python"


CELLS = (
    Cell("python-3.11"),
    Cell("python-3.12", python="3.12"),
    Cell("python-3.13", python="3.13"),
    Cell("oldest", versions="oldest"),
    Cell("newest", python="3.13", versions="newest"),
    Cell("jax", backend="jax"),
    Cell("torch", backend="torch"),
    Cell("no-onednn", onednn=False),
    Cell("avx2", processor="AVX2"),
    Cell("sse41", processor="SSE4.1"),
)


# --- environments ---------------------------------------------------------------------------------


def lower_bounds() -> list[str]:
    """What pyproject.toml supports at least, as pins: ``numpy>=2.0`` becomes ``numpy==2.0.*``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for name in extras for line in extras[name])]
    found = {}
    for line in wanted:
        if match := re.match(r"([\w-]+)(?:\[[^]]*\])?>=([\d.]+)", line):
            name, least = match.groups()
            found[name] = f"{name}=={least if least.count('.') > 1 else f'{least}.*'}"
            if "." not in least:
                found[name] = f"{name}=={least}.0.*"
    found.pop("tensorflow")  # the same numbers as tensorflow-cpu
    return sorted(found.values())


def uv(*words: Any) -> None:
    subprocess.run([sys.executable, "-m", "uv", *map(str, words)], cwd=ROOT, check=True)


def make(cell: Cell, python: str) -> None:
    """The environment of a cell, if it is not there. CalledProcessError if it can't be had."""
    if (cell.folder / "ready").exists():
        return
    uv("venv", "-q", "--clear", "--python", python, cell.folder)
    pins = ROOT / "requirements.txt"
    if cell.versions != "pinned":
        pins = cell.folder / "pins.txt"
        bounds = cell.folder / "bounds.txt"
        bounds.write_text("\n".join(lower_bounds() if cell.versions == "oldest" else []) + "\n")
        extras = [word for name in ("all", "book", "test") for word in ("--extra", name)]
        words = ["-q", "--python", cell.interpreter, "-c", bounds, "-o", pins]
        uv("pip", "compile", "--upgrade", *words, *extras, ROOT / "pyproject.toml")
    install = ["pip", "install", "-q", "--compile-bytecode", "--python", cell.interpreter]
    uv(*install, "-r", pins)
    if cell.backend == "torch":
        uv(*install, "torch")
    uv(*install, "--no-deps", "--editable", ROOT)  # a message may name the package's version
    (cell.folder / "ready").touch()


def ask(cell: Cell, code: str) -> Any:
    """What a line of Python in the environment prints, read as JSON."""
    words = [str(cell.interpreter), "-c", f"import json; {code}"]
    return json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)


def packages(cell: Cell) -> dict[str, str]:
    names = ", ".join(map(repr, SHOWN))
    code = "from importlib import metadata as m; there = {d.metadata['Name'].lower().replace('_', '-') for d in "
    code += f"m.distributions()}}; print(json.dumps({{n: m.version(n) for n in ({names}) "
    return ask(cell, code + "if n in there}))")


def settings(cell: Cell) -> dict[str, str]:
    """The environment variables that make the cell what it is."""
    found = {"KERAS_BACKEND": cell.backend}
    if not cell.onednn:
        found["TF_ENABLE_ONEDNN_OPTS"] = "0"
    if cell.processor:
        onednn, blas, kept = PROCESSORS[cell.processor]
        code = "from numpy._core import _multiarray_umath as u; "
        code += "print(json.dumps([f for f in u.__cpu_dispatch__ if u.__cpu_features__.get(f)]))"
        off = [feature for feature in ask(cell, code) if feature not in kept]
        found |= {"ONEDNN_MAX_CPU_ISA": onednn, "OPENBLAS_CORETYPE": blas}
        found["NPY_DISABLE_CPU_FEATURES"] = " ".join(off)
    return found


# --- what runs in them ----------------------------------------------------------------------------


def pytest(cell: Cell, options: Iterable[str], **environment: str) -> dict[str, Any]:
    """Run pytest in the environment: how many passed, and the names of what failed."""
    everything = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONHASHSEED": "0"}
    everything |= {"PYTHONPATH": str(ROOT), "JUPYTER_PREFER_ENV_PATH": "1"} | environment
    everything["PATH"] = f"{cell.interpreter.parent}{os.pathsep}{everything['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [str(cell.interpreter), "-m", "pytest", "-q", f"--junitxml={report}"]
        words += ["-p", "no:cacheprovider", *options]
        start = time.monotonic()
        log = subprocess.run(words, cwd=ROOT, env=everything, capture_output=True, text=True)
        found = {"seconds": time.monotonic() - start, **counts(report)}
    if log.returncode not in (0, 1) or (log.returncode and not found["failed"]):
        found["failed"] = [f"pytest ended with {log.returncode}"]
    for name in found["failed"]:
        print(f"  FAILED {name}", flush=True)
    if found["failed"]:
        (FOLDER / "failed.txt").open("a").write(f"\n=== {cell.name}\n{log.stdout[-20000:]}")
    return found


def counts(report: Path) -> dict[str, Any]:
    """Of a report in JUnit's form: what passed and what was skipped, and the names of the rest."""
    found: dict[str, Any] = {"passed": 0, "skipped": 0, "failed": []}
    if report.exists():
        for case in ET.parse(report).iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                found["failed"].append(f"{case.get('classname')}::{case.get('name')}")
            else:
                found["skipped" if "skipped" in kinds else "passed"] += 1
    return found


def content(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def run_cell(
    cell: Cell, runs: record.Runs, tests: list[str], notebooks: list[str]
) -> dict[str, Any]:
    """The tests of a cell, and its notebooks one by one."""
    row: dict[str, Any] = {"packages": packages(cell), "settings": settings(cell)}
    environment = {**row["settings"], "MPLBACKEND": "Agg"}
    row["python"] = ask(cell, "import platform; print(json.dumps(platform.python_version()))")
    made = [cell.name, row["python"], row["packages"], row["settings"]]
    row["tests"], row["notebooks"] = {}, {}
    if cell.backend != "tensorflow":  # in a process of its own per group: see the test
        file = ROOT / "tests" / "test_backends.py"
        environment |= {"KERAS_BACKEND": "tensorflow", "TEST_BACKENDS": cell.backend}
        words = [str(file), "-k", cell.backend]
        row["tests"]["backends"] = runs.get(
            [*made, "backends", content(file)], lambda: pytest(cell, words, **environment)
        )
        return row
    for name in tests:
        file = ROOT / "tests" / f"test_{name}.py"
        row["tests"][name] = runs.get(
            [*made, name, content(file)], lambda file=file: pytest(cell, [str(file)], **environment)
        )
    environment.pop("MPLBACKEND")  # the kernels draw inline
    for name in notebooks:
        file = ROOT / "notebooks" / f"{name}.ipynb"
        words = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=1800", str(file)]
        row["notebooks"][name] = runs.get(
            [*made, name, content(file, ROOT / "tests" / "notebook_comparator.py")],
            lambda words=words: pytest(cell, words, **environment),
        )
    return row


def summary(row: dict[str, Any]) -> str:
    parts = []
    for what in ("tests", "notebooks"):
        failed = [name for one in row[what].values() for name in one["failed"]]
        passed = sum(one["passed"] for one in row[what].values())
        unit = "cells" if what == "notebooks" else "tests"
        parts.append(f"{len(row[what])} {what}: {passed} {unit} passed, {len(failed)} failed")
    return "; ".join(parts)


def main() -> None:
    names = [cell.name for cell in CELLS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", choices=names, default=names)
    parser.add_argument("--tests", nargs="*", default=TESTS, help="tests/test_NAME.py")
    parser.add_argument("--notebooks", nargs="*", default=NOTEBOOKS)
    parser.add_argument("--python", nargs="*", default=[], metavar="3.12=PATH")
    parser.add_argument("--keep", type=Path, help="a file that remembers what was run")
    parser.add_argument("--quick", action="store_true", help="one test file, and no record")
    chosen = parser.parse_args()
    pythons = dict(pair.split("=", 1) for pair in chosen.python)
    tests, notebooks = (["framing"], []) if chosen.quick else (chosen.tests, chosen.notebooks)
    runs = record.Runs(__file__, chosen.keep)
    failed = False
    for cell in CELLS:
        if cell.name not in chosen.cells:
            continue
        print(f"==> {cell.name}", flush=True)
        try:
            make(cell, pythons.get(cell.python, cell.python))
        except subprocess.CalledProcessError:
            print(f"{cell.name}: not run, its environment could not be made on this machine")
            failed = True
            continue
        row = run_cell(cell, runs, list(tests), list(notebooks))
        print(f"{cell.name}: {summary(row)}", flush=True)
        failed |= any(
            one["failed"] for what in ("tests", "notebooks") for one in row[what].values()
        )
        if not chosen.quick:
            print(record.write(f"matrix_{cell.name}", __file__, row))
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
