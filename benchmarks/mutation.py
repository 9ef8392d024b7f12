"""Mutation testing: does a small mistake in the code turn a test red?

``python benchmarks/mutation.py`` changes one place of a module at a time (a sign, a number, a name,
an argument), runs the tests that come by that place, and counts the changes that no test notices.
A random sample of the changes is taken of each module. The changes are those of mutmut, which has
an environment of its own: see ``benchmarks/README.md``.

A change is killed if a test fails or does not end. It survives if all tests pass that run the
changed lines, the fastest first, up to `BUDGET` seconds of them. Each module has a record of its
own, ``results/mutation_framing.json``, and beside it a list of what survives, with the reason from
``mutants/reasons.json``.

``--module framing --count 50`` is a part of it, and writes no record. ``--keep FILE`` keeps what
became of each change: it is not tried again while the package and the module's tests are the same,
and where they are not, the test that killed it is tried first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import record  # noqa: E402
from benchmarks.mutants.make import REQUIREMENTS  # noqa: E402

FOLDER = ROOT / "build" / "mutation"
TOOL = FOLDER / "tool" / "bin" / "python"
REASONS = REQUIREMENTS.with_name("reasons.json")
MISSING = "no reason is known: a test is missing"
SEED, COUNT = 0, 300
BUDGET = 60.0  # seconds of tests per mutant, by the time that they take without one
SLOW = 15.0  # a test that takes longer is left out
TESTS = {  # of each module: the tests that are about it; the examples in its docstrings are, too
    "framing": ["framing", "framing_errors", "panels", "gaps", "leaks"],
    "intervals": ["intervals"],
    "backtest": ["backtest", "rolling_origin"],
    "layers": ["layers", "combination", "fused", "heads"],
}
MODULES = tuple(TESTS)
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "MPLBACKEND": "Agg",
    "PYTHONHASHSEED": "0",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


# --- a worker -------------------------------------------------------------------------------------


class Worker:
    """A process that runs tests in its forks, on a copy of the repository."""

    def __init__(self, number: int) -> None:
        self.folder = FOLDER / f"copy{number}"
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in record.git("ls-files", "-co", "--exclude-standard").decode().splitlines():
            if (ROOT / name).is_file() and not name.startswith(("notebooks/", "book/_static")):
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
        environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(self.folder)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "mutants" / "work.py"), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def do(self, **job: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


# --- which tests ----------------------------------------------------------------------------------


def test_files(module: str) -> list[str]:
    """The tests about a module, and the examples in its docstrings."""
    return [*(f"tests/test_{name}.py" for name in TESTS[module]), f"tsforecast/{module}.py"]


def map_of(module: str, worker: Worker, folder: Path | None) -> dict[str, Any]:
    """Which tests run which lines of a module; from a file of `folder` where it has one."""
    path = folder / f"{module}-{code_of(module)}.json" if folder else None
    if path and path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    found = worker.do(what="map", files=test_files(module), limit=3600)
    if found["failed"]:
        raise SystemExit(f"red without any mutant: {found['failed']}")
    if path:
        path.write_text(json.dumps(found), encoding="utf-8")
    return found


class Tests:
    """What `map_tests` found: the tests that run some lines of a module, in the order to try."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.lines, self.seconds = found["lines"], found["seconds"]
        self.users: dict[str, list[str]] = {}  # of a shared fixture: the tests
        for test, fixtures in found["uses"].items():
            for fixture in fixtures:
                self.users.setdefault(fixture, []).append(test)

    def of(self, module: str, first: int, last: int, before: str) -> list[str]:
        """The tests that run one of these lines: `before`, the module's own, the fastest first."""
        contexts: set[str] = set()
        if first == 0:  # what an import runs: any test may notice
            contexts = set(self.seconds)
        for line in range(first, last + 1):
            contexts.update(self.lines[module].get(str(line), ()))
        tests = {test for one in contexts for test in self.users.get(one, [one])}
        own = tuple(f"tests/test_{name}.py" for name in TESTS[module])
        own += (f"tsforecast/{module}.py",)
        chosen, total = [], 0.0
        known = [test for test in tests if self.seconds.get(test, math.inf) <= SLOW]
        known.sort(key=lambda t: (t != before, not t.startswith(own), self.seconds[t], t))
        for test in known:
            total += self.seconds[test]
            if total > BUDGET and chosen:
                break
            chosen.append(test)
        return chosen


def by_file(tests: list[str]) -> list[tuple[str, list[str]]]:
    """The same order, file by file."""
    files: dict[str, list[str]] = {}
    for test in tests:
        files.setdefault(test.split("::")[0], []).append(test)
    return list(files.items())


# --- the run --------------------------------------------------------------------------------------


def make(module: str, seed: int, count: int) -> list[dict[str, Any]]:
    """A random sample of the mutants of a module, in random order."""
    if not TOOL.exists():
        raise SystemExit(
            f"mutmut is not there. Give it an environment of its own:\n"
            f"  python -m venv {TOOL.parents[1].relative_to(ROOT)}\n"
            f"  {TOOL.relative_to(ROOT)} -m pip install -r {REQUIREMENTS.relative_to(ROOT)}"
        )
    script = REQUIREMENTS.with_name("make.py")
    words = [str(TOOL), str(script), f"tsforecast/{module}.py", str(seed), str(count)]
    lines = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) | {"module": module} for line in lines.splitlines()]


def name_of(mutant: dict[str, Any]) -> str:
    """What stays the same as long as the changed line does."""
    return f"{mutant['module']}.{mutant['function']}: " + " | ".join(mutant["change"])


def try_one(worker: Worker, tests: Tests, mutant: dict[str, Any], before: str) -> dict[str, Any]:
    """One mutant: killed by a test, by a limit, or a survivor."""
    chosen = tests.of(mutant["module"], *mutant["lines"], before)
    path = f"tsforecast/{mutant['module']}.py"
    source = (ROOT / path).read_text(encoding="utf-8")
    expected = sum(tests.seconds[test] for test in chosen)
    files = by_file(chosen)
    if before in chosen:
        files = [(before.split("::")[0], [before]), *files]
    job = {"what": "test", "path": path, "text": mutant["text"], "tests": files}
    start = time.monotonic()
    found = worker.do(**job, limit=int(60 + 4 * expected)) if chosen else {"failed": ""}
    (worker.folder / path).write_text(source, encoding="utf-8")
    failed = found["failed"]
    kind = "killed" if failed else "survived"
    if failed == "time limit":
        kind = "timeout"
    return {
        "kind": kind,
        "by": failed,
        "tests": len(chosen),
        "seconds": round(time.monotonic() - start, 2),
    }


class Kept:
    """What became of mutants in earlier runs: a line of JSON each."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.results, self.by = path, {}, {}
        self.code = {module: code_of(module) for module in MODULES}
        if path and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, result, code = json.loads(line)
                self.by[name] = result["by"]
                if code == self.code[name.split(".")[0]]:  # else it would be another experiment
                    self.results[name] = result

    def add(self, name: str, result: dict[str, Any]) -> None:
        if self.path:
            code = self.code[name.split(".")[0]]
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, result, code]) + "\n")


def code_of(module: str) -> str:
    """A hash of what the results of a module hang on: the package and the tests about it."""
    names = [*record.package_files(), *test_files(module), "conftest.py", "pyproject.toml"]
    files = [ROOT / name for name in sorted(set(names))] + [REQUIREMENTS]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def run(mutants: list[dict[str, Any]], tests: Tests, workers: list[Worker], kept: Kept) -> None:
    """Try each mutant; its result is written into it."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    lock, done = threading.Lock(), Counter()

    def go_on(worker: Worker) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            name = name_of(mutant)
            result = kept.results.get(name)
            if result is None:
                result = try_one(worker, tests, mutant, kept.by.get(name, ""))
                with lock:
                    kept.add(name, result)
            with lock:
                mutant["result"] = result
                done[result["kind"]] += 1
                words = "" if result["by"] else f"  {name} (line {mutant['line']})"
                print(f"{sum(done.values())}/{len(mutants)} {dict(done)}{words}", flush=True)

    threads = [threading.Thread(target=go_on, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- the record -----------------------------------------------------------------------------------


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share, from a sample (Wilson 1927)."""
    z, share = 1.96, part / whole
    middle = (share + z**2 / (2 * whole)) / (1 + z**2 / whole)
    half = z * math.sqrt(share * (1 - share) / whole + z**2 / (4 * whole**2)) / (1 + z**2 / whole)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def summary(mutants: list[dict[str, Any]], of: int) -> dict[str, Any]:
    """The counts of one module."""
    counts = Counter(mutant["result"]["kind"] for mutant in mutants)
    killed = counts["killed"] + counts["timeout"]
    low, high = wilson(killed, len(mutants))
    return {
        "mutants": of,
        "tried": len(mutants),
        "killed": counts["killed"],
        "timeout": counts["timeout"],
        "survived": counts["survived"],
        "share": killed / len(mutants),
        "low": low if len(mutants) < of else killed / len(mutants),
        "high": high if len(mutants) < of else killed / len(mutants),
    }


def reasons() -> dict[str, str]:
    return json.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}


def survivors(mutants: list[dict[str, Any]]) -> Iterator[str]:
    """The readable list: what was changed, where, and why no test notices."""
    known = reasons()
    yield "# Mutants that no test notices\n\nWritten by `python benchmarks/mutation.py`. "
    yield "The first line of each is the code, the second what it was changed to.\n"
    for mutant in sorted(mutants, key=lambda m: (m["line"], m["change"])):
        reason = known.get(name_of(mutant), MISSING)
        lines = "\n".join(mutant["change"])
        yield f"\n`{mutant['function']}`, line {mutant['line']}: {reason}\n\n"
        yield f"```diff\n{lines}\n```\n"


def keep_record(module: str, seed: int, mutants: list[dict[str, Any]], tests: int) -> None:
    """The record of a module, and the list of what survived beside it."""
    left = [mutant for mutant in mutants if mutant["result"]["kind"] == "survived"]
    text = "".join(survivors(left))
    results: dict[str, Any] = {
        "seed": seed,
        "seconds_of_tests_per_mutant": BUDGET,
        "tests": tests,
        "mutmut": REQUIREMENTS.read_text().strip(),
        **summary(mutants, mutants[0]["of"]),
        "with_a_reason": sum(name_of(mutant) in reasons() for mutant in left),
        "survivors": hashlib.sha256(text.encode()).hexdigest(),
    }
    print(record.write(f"mutation_{module}", __file__, results))
    (record.RESULTS / f"mutation_{module}.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", choices=MODULES, nargs="+", default=MODULES)
    parser.add_argument("--count", type=int, default=COUNT, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--keep", type=Path, help="a file that remembers what became of each mutant"
    )
    parser.add_argument(
        "--map", type=Path, help="a folder that remembers which tests run which lines"
    )
    parser.add_argument("--only-survivors", action="store_true", help="of --keep; no record")
    parser.add_argument("--quick", action="store_true", help="a few mutants, and no record")
    chosen = parser.parse_args()
    count = 5 if chosen.quick else chosen.count
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = Kept(chosen.keep)
    workers = [Worker(number) for number in range(chosen.workers)]
    try:
        for module in chosen.module:
            drawn = make(module, chosen.seed, count)
            if chosen.only_survivors:
                drawn = [m for m in drawn if kept.by.get(name_of(m)) == ""]
            found = map_of(module, workers[0], chosen.map)
            tests = len(found["seconds"])
            print(f"{module}: {tests} tests, {sum(found['seconds'].values()):.0f} s")
            run(drawn, Tests(found), workers, kept)
            print(json.dumps(summary(drawn, drawn[0]["of"]), indent=1), flush=True)
            if count >= COUNT and not chosen.only_survivors:
                keep_record(module, chosen.seed, drawn, tests)
    finally:
        for worker in workers:
            worker.close()


if __name__ == "__main__":
    main()
