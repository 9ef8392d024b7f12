"""Kill the package at random moments, fill its disk, take its folder: ``python benchmarks/faults.py``.

A training, a save, an update, a study and a backtest are killed with SIGKILL, 200 times in all,
and started again on what is left. Every file must be whole, the old one or the new one, and what
comes out at the end must be what comes out without any kill. Then the disk is full at every page
of a file, and the folder is read-only. ``--quick save study`` is a small part of it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import http.server
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

import tsforecast as tsf  # noqa: E402
from benchmarks import record  # noqa: E402
from tsforecast import Forecaster, datasets, persistence, training, tuning  # noqa: E402

rng = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {"y": 10 + np.sin(np.arange(120) / 4) + 0.1 * rng.normal(size=120)},
    pd.date_range("2024", periods=120, freq="h"),
)
KNOWN, DAY = 60, 5  # rows at first, and rows that come with every update
KILLS = {"fit": 50, "save": 50, "update": 30, "study.db": 25, "study.log": 25, "backtest": 20}
LONG = 3600  # seconds: the machine may have other work
backtesting: Any = sys.modules[tsf.backtest.__module__]


def small(**settings: Any) -> Forecaster:
    return Forecaster(4, **({"units": 3, "epochs": 1, "batch_size": 8} | settings))


def light(x: Any, units: int, activation: str) -> Any:
    """An encoder that is built and trained in no time, where it is the files that matter."""
    return keras.layers.Dense(units, activation=activation)(keras.layers.Flatten()(x))


def digest(forecaster: Forecaster) -> str:
    """Of all that a forecast depends on, bit for bit."""
    assert forecaster.model is not None and forecaster.tail is not None
    parts = [weights.tobytes() for weights in forecaster.model.get_weights()]
    parts += [forecaster.tail.to_csv().encode(), str(forecaster.trained_until).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


# --- what is killed: each goes on from what it finds, and checks it first ------------------------


def fit(folder: Path, made: Path) -> str:
    """A training with a checkpoint: the weights of one that nobody killed."""
    forecaster = small(epochs=12, batch_size=1, dropout=0.2, encoder=light)
    forecaster.fit(TABLE, checkpoint=folder / "run")
    return digest(forecaster)


def save(folder: Path, made: Path) -> str:
    """A forecaster with the rows of one day, then of the other, under one name: never a mixture."""
    path = folder / "kept.keras"
    forecaster = Forecaster.load(path if path.exists() else made / "one.keras")
    days, found, known = [TABLE[KNOWN - 5 : KNOWN], TABLE[-5:]], digest(forecaster), []
    for forecaster.tail in days:
        known.append(digest(forecaster))
    assert found in known or not path.exists(), "neither the old file nor the new one"
    for forecaster.tail in days * 6:
        forecaster.save(path)
    return digest(forecaster)


def update(folder: Path, made: Path) -> str:
    """A forecaster that learns the new rows of each day: none is lost, none comes twice."""
    path, diary = folder / "kept.keras", folder / "diary.txt"
    forecaster = Forecaster.load(path if path.exists() else made / "one.keras")
    if path.exists():  # what was on the disk before the kill, or what was being written
        assert digest(forecaster) in diary.read_text().split()[-2:], "another file than was saved"
    note(diary, forecaster)
    assert forecaster.tail is not None
    done = int(TABLE.index.get_loc(forecaster.tail.index[-1])) + 1  # type: ignore[arg-type]
    assert (done - KNOWN) % DAY == 0, "half a day"
    for rows in range(done + DAY, len(TABLE) + 1, DAY):
        forecaster.update(TABLE[:rows])
        note(diary, forecaster)
        forecaster.save(path)
    assert forecaster.trained_until == TABLE.index[-1]
    return digest(forecaster)


def note(diary: Path, forecaster: Forecaster) -> None:
    with diary.open("a") as file:
        file.write(digest(forecaster) + "\n")
        file.flush()
        os.fsync(file.fileno())


def study(kind: str, folder: Path, made: Path) -> str:
    """A search with a storage: each trial once, with the errors of one that nobody killed."""
    search = {"units": [1, 2, 3, 4], "learning_rate": [0.01, 0.1]}
    storage = folder / kind
    found = tsf.tune(
        *(small(encoder=light), TABLE),
        validation=TABLE.index[90],
        search=search,
        storage=storage,
        progress=False,
    )
    names = [trial.params for trial in found.study.trials]
    assert len(names) == len({json.dumps(name, sort_keys=True) for name in names}) == 8
    return found.table[["units", "learning_rate", "error"]].to_csv()


def backtest(folder: Path, made: Path) -> str:
    """It keeps nothing on the disk: the same call gives the same table, each fold once."""
    assert not list(folder.iterdir()), "something was left"
    found = tsf.backtest(
        small(encoder=light), TABLE, start=TABLE.index[100], every=5, refit=True, baselines=["naive"],
        progress=False,
    )  # fmt: skip
    assert not found.table.duplicated(["ds", "cutoff"]).any() and found.fits == 4
    return found.table.to_csv()


WORK: dict[str, Callable[[Path, Path], str]] = {
    "fit": fit,
    "save": save,
    "update": update,
    "study.db": functools.partial(study, "study.db"),
    "study.log": functools.partial(study, "study.log"),
    "backtest": backtest,
}

# --- kill -9 --------------------------------------------------------------------------------------

WRITING, WRITES = 0, 1  # places in what the processes share
SHARED = mmap.mmap(-1, 4096)


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; others can see when it runs, and how often it has."""

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        SHARED[WRITING] = 1
        result = function(*args, **options)
        SHARED[WRITING], SHARED[WRITES] = 0, min(SHARED[WRITES] + 1, 255)
        return result

    return run


def start(name: str, folder: Path, made: Path) -> int:
    """The work in a process of its own; its result goes to `made`."""
    SHARED[WRITING] = SHARED[WRITES] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 does not like fork
        child = os.fork()
    if child:
        return child
    try:
        training.write_whole = persistence.write_whole = marked(training.write_whole)
        tuning._tell = marked(tuning._tell)
        backtesting._fit_and_predict = marked(backtesting._fit_and_predict)
        (made / "result").write_text(WORK[name](folder, made))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def ended(child: int, seconds: float = 0.0) -> int | None:
    """The exit code of a process, once it has ended; None if it still runs after so long."""
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(0.002)


def finish(name: str, folder: Path, made: Path) -> str:
    code = ended(start(name, folder, made), LONG)
    assert code == 0, f"{name} did not go on: exit code {code}"
    return (made / "result").read_text()


def whole(name: str, folder: Path) -> None:
    """What can be said of the files right after a kill, without Keras."""
    for path in folder.iterdir():
        if path.name == "run":
            assert training._read_checkpoint(path)[0]["rounds"] > 0
        else:
            known = path.name in ("kept.keras", "diary.txt", "study.db", "study.log")
            known |= path.name in ("study.db-journal", "study.log.lock")
            known |= path.name.startswith(".") and ".part" in path.name  # its next save removes it
            assert known, f"{name} left {path.name}"


def fallen(child: int, rng: np.random.Generator) -> int:
    """The exit code of a process that is killed at a random moment, mostly while it writes."""
    code, early = None, rng.random() < 0.1
    while not early and code is None and not SHARED[WRITING] and not SHARED[WRITES]:
        code = ended(child, 0.001)
    if code is None:
        code = ended(child, rng.uniform(0, 2.0 if early else 0.3))
    if code is None:
        os.kill(child, signal.SIGKILL)
        code = ended(child, 60)
    assert code is not None, "it outlived SIGKILL"
    return code


def kill(name: str, times: int, seed: int = 0) -> dict[str, int]:
    """Kill the work so often, at random moments, each time going on from what was left."""
    rng, counts = np.random.default_rng([seed, *name.encode()]), Counter[str]()
    with tempfile.TemporaryDirectory() as here:
        made, folder = Path(here, "made"), Path(here, "0")
        made.mkdir()
        folder.mkdir()
        assert ended(start("prepare", made, made), LONG) == 0
        wanted = finish(name, folder, made)
        while counts["kills"] < times or counts["finished"] == 0:
            if folder.name == "0" or (made / "result").exists():  # the last one came to its end
                folder = Path(here, f"after {counts['kills']} kills, {counts['finished']} ends")
                folder.mkdir()
                (made / "result").unlink(missing_ok=True)
            last = counts["kills"] >= times
            child = start(name, folder, made)
            code = ended(child, LONG) if last else fallen(child, rng)
            if code == -signal.SIGKILL:
                counts["kills"] += 1
                counts["while_writing"] += SHARED[WRITING]
                whole(name, folder)
                (made / "result").unlink(missing_ok=True)
                continue
            assert code == 0, f"{name} failed after a kill: exit code {code}"
            counts["finished"] += 1
            assert (made / "result").read_text() == wanted, f"{name} gave another result"
    return dict(counts)


def lose_workers(times: int, seed: int = 0) -> dict[str, int]:
    """Kill one of the processes that fit the folds: the same table, or an error in words."""
    import psutil

    rng, counts = np.random.default_rng(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as here:
        made, folder = Path(here, "made"), Path(here, "folder")
        made.mkdir()
        folder.mkdir()
        wanted = finish("backtest", folder, made)
        for _ in range(times):
            child = start("parallel", folder, made)
            workers: list[Any] = []
            while len(workers) < 2 and ended(child) is None:
                family = psutil.Process(child).children(recursive=True)
                workers = [one for one in family if "popen_loky" in " ".join(one.cmdline())]
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 6))
            with contextlib.suppress(psutil.NoSuchProcess):
                workers[int(rng.integers(len(workers)))].kill()
                counts["kills"] += 1
            assert ended(child, LONG) == 0
            result = (made / "result").read_text()
            assert result in (wanted, "told"), result
            counts["told_in_words" if result == "told" else "same_table"] += 1
            _, left = psutil.wait_procs(workers, timeout=60)
            assert not left, "a worker outlived the backtest"
    return dict(counts)


# --- a full disk, and a folder that may not be written to ----------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(action: Callable[[], Any], folder: Path, changing: tuple[str, ...] = ()) -> bool:
    """Did it fail? Then in words, and with every file as it was but for those that may change."""
    before = contents(folder)
    try:
        action()
    except OSError as error:
        words = str(error)
        assert " could not be " in words or "may not write" in words, f"not in words: {error!r}"
        assert any(word in words for word in ("Make room", "Give another one")), words
        after = contents(folder)
        for name in changing:
            before.pop(name, None), after.pop(name, None)
        assert after == before, f"changed: {sorted(after.keys() ^ before.keys()) or 'a file'}"
        return True
    return False


@contextlib.contextmanager
def served(content: bytes) -> Iterator[str]:
    """The address of a file on a server of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/file.csv"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def actions(folder: Path, forecaster: Forecaster, url: str) -> dict[str, Callable[[], Any]]:
    """What writes, each into the folder; a file of an earlier day is there where there can be."""

    def search(name: str) -> Callable[[], Any]:
        return lambda: study(name, folder, folder)

    def download() -> None:
        import pooch

        kept, pooch.os_cache = pooch.os_cache, lambda _: folder
        try:
            datasets._fetch("file.csv", url, lambda _: True)
        finally:
            pooch.os_cache = kept

    train = functools.partial(forecaster.copy, epochs=2, batch_size=2, encoder=light)
    return {
        "save": lambda: forecaster.save(folder / "kept.keras"),
        "fit": lambda: train().fit(TABLE, checkpoint=folder / "run"),
        "study.db": search("study.db"),
        "study.log": search("study.log"),
        "download": download,
    }


CHANGING = ("study.db", "study.log", "study.db-journal")  # a trial that is done stays there
CHANGING += ("run",)  # and a round that is done


def fill_the_disk(name: str, room: Callable[[int], Any], sizes: Any, folder: Path) -> Counter[str]:
    """Try with room for so many bytes, less than enough at first: refused each time, then it works."""
    counts, forecaster = Counter[str](), small().fit(TABLE)
    with served(bytes(40_000)) as url:
        for size in sizes:
            action = actions(folder, forecaster, url)[name]
            with room(size):
                counts["refused" if refused(action, folder, CHANGING) else "worked"] += 1
            if name == "fit":
                whole(name, folder)
        actions(folder, forecaster, url)[name]()  # with room for all
    assert counts["refused"], "there was room enough"
    if name == "save":
        assert digest(Forecaster.load(folder / "kept.keras")) == digest(forecaster)
    return counts


@contextlib.contextmanager
def mounted(size: str) -> Iterator[Path]:
    """A disk of that size in memory; needs the rights to mount one."""
    with tempfile.TemporaryDirectory() as here:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", here]
        subprocess.run(command, check=True)
        try:
            yield Path(here)
        finally:
            subprocess.run(["umount", here], check=True)


PAGE = 4096


@contextlib.contextmanager
def pages_left(disk: Path, pages: int) -> Iterator[None]:
    """A disk with so many free pages."""
    filler = disk / "filler"
    free = os.statvfs(disk)
    with filler.open("wb") as file:
        file.write(bytes(max(free.f_bavail * free.f_frsize - pages * PAGE, 0)))
    try:
        yield
    finally:
        filler.unlink()


def disk_full(name: str) -> str:
    """With 0, 1, 2, ... free pages, until it works; with nothing there before, and with a file."""
    counts = Counter[str]()
    with mounted("512k") as disk:
        for _ in range(2):
            sizes = range(40 if name == "study.db" else 14)
            counts += fill_the_disk(name, functools.partial(pages_left, disk), sizes, disk)
            if name in ("download", "study.db", "study.log", "fit"):
                break  # what is there is complete: there is nothing more to write
    return json.dumps(counts)


def read_only(name: str) -> str:
    """On a disk that is read-only: an error in words, all files as they were."""
    forecaster = small().fit(TABLE)
    with mounted("512k") as disk, served(bytes(40_000)) as url:
        for before in (False, True):
            if before and name == "save":
                actions(disk, forecaster, url)[name]()
            elif before:
                break
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            assert refused(actions(disk, forecaster, url)[name], disk)
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    return json.dumps({"refused": 1 + (name == "save")})


# --- the run --------------------------------------------------------------------------------------


def prepare(folder: Path, made: Path) -> str:
    small().fit(TABLE[:KNOWN]).save(made / "one.keras")
    return ""


def parallel(folder: Path, made: Path) -> str:
    try:
        found = tsf.backtest(
            small(encoder=light), TABLE, start=TABLE.index[100], every=5, refit=True, baselines=["naive"],
            progress=False, jobs=2,
        )  # fmt: skip
    except RuntimeError as error:
        assert "A worker process was ended from outside" in str(error), error
        return "told"
    return found.table.to_csv()


WORK |= {"prepare": prepare, "parallel": parallel}
FULL = ("save", "fit", "study.db", "study.log", "download")
WORK |= {f"{name}, disk full": lambda *_, name=name: disk_full(name) for name in FULL}
WORK |= {f"{name}, read-only": lambda *_, name=name: read_only(name) for name in FULL}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*KILLS, "worker"]))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="2 kills each, and no record")
    chosen = parser.parse_args()
    results: dict[str, Any] = {"seed": chosen.seed, "kills": {}, "disk_full": {}, "read_only": {}}
    for name, times in KILLS.items():
        if name in (chosen.names or KILLS):
            counts = kill(name, 2 if chosen.quick else times, chosen.seed)
            results["kills"][name] = counts
            print(f"{name:12}", counts, flush=True)
    if not chosen.names or "worker" in chosen.names:
        results["workers"] = lose_workers(1 if chosen.quick else 10, chosen.seed)
        print("worker      ", results["workers"], flush=True)
    if not chosen.names or "disk" in chosen.names:
        for kind in ("disk full", "read-only"):
            for name in FULL:
                with tempfile.TemporaryDirectory() as here:
                    results[re.sub(r"\W", "_", kind)][name] = json.loads(
                        finish(f"{name}, {kind}", Path(here), Path(here))
                    )
                print(f"{name}, {kind}:", results[re.sub(r"\W", "_", kind)][name], flush=True)
    if not chosen.quick and not chosen.names:
        results["total_kills"] = sum(counts["kills"] for counts in results["kills"].values())
        print(record.write("faults", __file__, results))


if __name__ == "__main__":
    main()
