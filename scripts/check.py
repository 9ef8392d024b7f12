"""Run the project's checks: ``python scripts/check.py all`` or some of their names.

Every step runs, even after one that failed, and the exit status says whether all passed.
``make test`` runs ``all``; it is also what CI runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
TOOLS = Path(PYTHON).parent
PYTEST = [PYTHON, "-m", "pytest", "-q"]
WORKERS = os.environ.get("TEST_WORKERS", "2")

STEPS: dict[str, dict[str, list[str]]] = {
    "lint": {
        "style (ruff check)": [PYTHON, "-m", "ruff", "check", "."],
        "layout (ruff format)": [PYTHON, "-m", "ruff", "format", "--check", "."],
        "types (mypy)": [PYTHON, "-m", "mypy"],
        "import contract": [str(TOOLS / "lint-imports"), "--no-logo"],
        "spelling (codespell)": [PYTHON, "-m", "codespell_lib"],
        "spelling in notebooks": [PYTHON, "scripts/notebooks.py", "spell"],
        "notebook files": [PYTHON, "scripts/notebooks.py", "check"],
        "first cells": [PYTHON, "scripts/try_it.py", "check"],
        "stubs of exercises": [PYTHON, "scripts/exercises.py", "check"],
        "reading and run times": [PYTHON, "scripts/times.py", "check"],
        "links to other sites (form)": [PYTHON, "scripts/links.py", "form"],
        "licences of dependencies": [PYTHON, "scripts/licences.py", "check"],
    },
    "unit": {
        "unit tests, doctests": [
            *PYTEST,
            *["-n", WORKERS, "--doctest-modules", "--ignore=tests/site", "--durations=8"],
            *["tests", "tsforecast"],
        ],
    },
    "notebooks": {
        "notebooks (nbval, strict)": [
            *PYTEST,
            *["--nbval", "--nbval-current-env", "--nbval-cell-timeout=900"],
            *["-n", WORKERS, "--dist", "loadfile", "--durations=8", "notebooks"],
        ],
    },
    "book": {
        "book (warnings are errors)": [
            *[str(TOOLS / "jupyter-book"), "build", "."],
            *["-W", "-n", "--keep-going", "--all"],
        ],
    },
    "site": {
        "built site": [*PYTEST, "tests/site"],
    },
    "pdf": {
        "book as PDF": [PYTHON, "scripts/pdf.py"],
        "what is in it": [*PYTEST, "tests/site/test_pdf.py"],
    },
}
# nbval passes the environment on to the kernels, where figures must be drawn inline.
ENVIRONMENT = {
    "unit": {"MPLBACKEND": "Agg"},
    "site": {"MPLBACKEND": "Agg"},
    "pdf": {"PRINTED": "1"},
}
APART = {"pdf"}  # minutes: not on every change, but before the book is published
DEFAULTS = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


def run(group: str, name: str, command: list[str]) -> tuple[bool, float, Counter[str]]:
    """Run one step with its output shown; count its tests if it is pytest, else it is one."""
    print(f"\n==> {name}", flush=True)
    environment = {**DEFAULTS, **os.environ, **ENVIRONMENT.get(group, {})}
    if group == "notebooks":
        environment.pop("MPLBACKEND", None)
    if not sys.stdout.isatty():
        environment["NO_COLOR"] = "1"
    if group == "book":  # nothing left over from an earlier build may pass for built
        shutil.rmtree(ROOT / "_build" / "html", ignore_errors=True)
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = "pytest" in command
        if tests:
            colour = "yes" if sys.stdout.isatty() else "no"
            command = [*command, f"--color={colour}", f"--junitxml={report}"]
        ok = subprocess.run(command, cwd=ROOT, env=environment).returncode == 0
        counts = count(report) if tests else Counter()
    if not tests or (not ok and not counts["failed"] + counts["error"]):
        counts["passed" if ok else "failed"] += 1
    return ok, time.time() - start, counts


def count(report: Path) -> Counter[str]:
    """The outcomes in a report of pytest; none if it did not get that far."""
    counts: Counter[str] = Counter()
    if report.exists():
        for suite in ET.parse(report).iter("testsuite"):
            total, *others = (
                int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
            )
            counts += Counter(dict(zip(("failed", "error", "skipped"), others, strict=True)))
            counts["passed"] += total - sum(others)
    return counts


def words(counts: Counter[str]) -> str:
    kinds = ("failed", "passed", "skipped", "error")
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind]) or "nothing ran"


def main() -> int:
    groups = sys.argv[1:] or ["all"]
    groups = [group for group in STEPS if group not in APART] if groups == ["all"] else groups
    if unknown := set(groups) - set(STEPS):
        print(f"no such check: {', '.join(sorted(unknown))}; there are: {', '.join(STEPS)}")
        return 2
    start = time.time()
    results = [
        (name, *run(group, name, command))
        for group in groups
        for name, command in STEPS[group].items()
    ]
    total: Counter[str] = Counter()
    print("\nsummary")
    for name, ok, seconds, counts in results:
        total += counts
        print(f"  {'ok    ' if ok else 'FAILED'} {seconds:7.1f} s  {name:28} {words(counts)}")
    failed = not all(ok for _, ok, _, _ in results)
    print(f"===== {words(total)} in {time.time() - start:.1f}s =====", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
