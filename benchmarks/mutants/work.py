"""Run tests on mutants, each in a fork of a process that has imported the libraries.

``python benchmarks/mutants/work.py FOLDER`` reads a line of JSON per job from its input and writes
one per result to its output. FOLDER is a copy of the repository that nothing else uses. What takes
seconds to import is imported once; the package and its tests are imported in each fork, after the
mutant has been written. Nothing is computed before a fork, so TensorFlow has no threads yet.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

POLL = 0.05  # seconds
STALLED = 60.0  # seconds without any computing, in polls: a machine that stands still stops both
OPTIONS = ["-x", "-q", "--doctest-modules", "-p", "no:cacheprovider", "-p", "no:xdist"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of a second run in one process


class Chosen:
    """A plugin of pytest: these tests in this order; how long each took, and what failed first."""

    def __init__(self, tests: list[str] | None) -> None:
        self.tests, self.failed = tests, ""
        self.seconds: dict[str, float] = {}

    def pytest_configure(self) -> None:
        from hypothesis import settings  # the same random inputs for each mutant

        settings.register_profile("mutants", database=None, derandomize=True, deadline=None)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.tests is not None:
            place = {name: number for number, name in enumerate(self.tests)}
            items[:] = sorted(
                (item for item in items if item.nodeid in place), key=lambda i: place[i.nodeid]
            )

    def pytest_runtest_logreport(self, report: Any) -> None:
        took = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = took + (0.0 if report.when == "setup" else report.duration)
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = f"{report.nodeid} (import)"


class Map(Chosen):
    """Also which lines of the package each test runs, those of its shared fixtures included."""

    def __init__(self, cover: Any) -> None:
        super().__init__(None)
        self.cover, self.uses = cover, {}

    def pytest_runtest_protocol(self, item: Any) -> None:
        self.cover.switch_context(item.nodeid)
        found = getattr(item, "_fixtureinfo", None)
        names = found.name2fixturedefs.items() if found else ()
        self.uses[item.nodeid] = [label(defs[-1]) for _, defs in names if shared(defs[-1])]

    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> None:
        if shared(fixturedef):
            self.cover.switch_context(label(fixturedef))

    def pytest_runtest_call(self, item: Any) -> None:
        self.cover.switch_context(item.nodeid)


def shared(definition: Any) -> bool:
    return definition.scope != "function"


def label(definition: Any) -> str:
    return f"fixture {definition.baseid} {definition.argname}"


def import_libraries() -> None:
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import pytest  # noqa: F401
    import sklearn  # noqa: F401
    import statsforecast.models  # noqa: F401
    import tensorflow  # noqa: F401
    import utilsforecast.losses  # noqa: F401


def run_tests(job: dict[str, Any]) -> dict[str, Any]:
    """In the fork: the tests of a job, file by file, up to the first failure."""
    import pytest

    seconds: dict[str, float] = {}
    for file, tests in job["tests"]:
        plugin = Chosen(tests)
        code = int(pytest.main([*OPTIONS, file], plugins=[plugin]))
        seconds |= plugin.seconds
        if code not in (0, 5):  # 5: no test is left
            return {"code": code, "failed": plugin.failed or f"{file} (pytest)", "seconds": seconds}
    return {"code": 0, "failed": "", "seconds": seconds}


def map_tests(job: dict[str, Any]) -> dict[str, Any]:
    """In the fork: which lines each test of some files runs, and how long it takes."""
    import coverage
    import pytest

    cover = coverage.Coverage(source=["tsforecast"], data_file=None, config_file=False)
    plugin = Map(cover)
    cover.start()
    pytest.main(
        [option for option in [*OPTIONS, *job["files"]] if option != "-x"], plugins=[plugin]
    )
    cover.stop()
    data = cover.get_data()
    lines = {
        Path(file).stem: {str(n): names for n, names in data.contexts_by_lineno(file).items()}
        for file in data.measured_files()
    }
    return {"lines": lines, "uses": plugin.uses, "seconds": plugin.seconds, "failed": plugin.failed}


def in_fork(job: dict[str, Any], answer: Path, log: Path) -> dict[str, Any]:
    """Do a job in a fork; "killed" by a limit or a crash, where it gives no answer."""
    answer.unlink(missing_ok=True)
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with contextlib.suppress(ValueError):
                resource.setrlimit(resource.RLIMIT_CPU, (job["limit"], job["limit"] + 5))
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.dont_write_bytecode = job["what"] == "test"
            result = run_tests(job) if job["what"] == "test" else map_tests(job)
            answer.write_text(json.dumps(result), encoding="utf-8")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    quiet, before = 0.0, -1.0
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(POLL)
        used = computed(pid)
        quiet = 0.0 if used > before else quiet + POLL
        before = used
        if quiet > STALLED:
            os.kill(pid, signal.SIGKILL)
            quiet = 0.0
            status = -1
    found = {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.monotonic() - start}
    if os.WIFEXITED(status) and answer.exists():
        return json.loads(answer.read_text(encoding="utf-8")) | found
    sign = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    over = sign in (signal.SIGXCPU, signal.SIGKILL)
    return {"code": -1, "failed": "time limit" if over else f"crash (signal {sign})"} | found


def computed(pid: int) -> float:
    """Seconds of computing of a process so far; those of its children that ended count."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("inf")
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    import_libraries()
    for line in sys.stdin:
        job = json.loads(line)
        if job["what"] == "test":
            path = folder / job["path"]
            for old in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
                old.unlink()
            path.write_text(job["text"], encoding="utf-8")
        result = in_fork(job, folder / "answer.json", folder / "log.txt")
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
