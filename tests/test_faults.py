"""Killed, without room on the disk, without the right to write, without memory: errors in words,
and whole files. `benchmarks/faults.py` does the same 200 times, on a disk that is really full."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from benchmarks import faults
from benchmarks.faults import TABLE, contents, fill_the_disk, light, refused, small
from tsforecast import Forecaster, Framing, backtest, build_model, fit, predict, tables, training
from tsforecast.jobs import Job, run_jobs

unix = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of Unix")

# --- killed ---------------------------------------------------------------------------------------


@unix
def test_kill_at_random_moments() -> None:
    """Two kills of saving; in a process of its own, since it forks."""
    script = [sys.executable, faults.__file__, "--quick", "save"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "'kills': 2" in done.stdout


IN_PLACE = """
import sys
sys.path.insert(0, sys.argv[1])
from benchmarks import faults
from tsforecast import persistence, training

def in_place(path, fill):
    new = path.with_suffix(".new.keras")
    fill(new)
    with open(path, "wb") as file:
        for byte in new.read_bytes():
            file.write(bytes([byte]))
            file.flush()
    new.unlink()

training.write_whole = persistence.write_whole = in_place
faults.kill("save", 2)
"""


@unix
def test_a_file_that_is_written_in_place_is_found() -> None:
    """The same check on a package that does it the wrong way."""
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", IN_PLACE, root], capture_output=True, text=True)
    assert done.returncode == 1
    assert "failed after a kill" in done.stderr or "left kept" in done.stderr


def test_what_a_killed_save_left_is_removed_by_a_later_one(tmp_path: Path) -> None:
    old, new, other = (tmp_path / f".{n}.part.keras" for n in ("kept.0a", "kept.0b", "else.0c"))
    for part in (old, new, other):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    training.write_whole(tmp_path / "kept.keras", lambda path: path.write_bytes(b"whole"))
    assert sorted(contents(tmp_path)) == sorted([new.name, other.name, "kept.keras"])


def _end(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@unix
def test_a_worker_that_is_killed() -> None:
    from tqdm import tqdm

    with pytest.raises(RuntimeError, match=r"ended from outside.*jobs=1 needs the least memory"):
        list(run_jobs([Job(_end, (0,)), Job(_end, (1,))], 2, tqdm(disable=True)))


# --- a study that was killed between two writes ---------------------------------------------------


def search(storage: Path) -> pd.DataFrame:
    found = tsf.tune(
        *(small(encoder=light), TABLE),
        validation=TABLE.index[90],
        search={"units": [1, 2]},
        storage=storage,
        progress=False,
    )
    return found.table[["units", "error"]]


def test_a_database_that_was_only_begun_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk SQLite keeps a table without its index, and names could come twice in it."""
    import optuna
    from sqlalchemy.exc import OperationalError

    def begun(url: str) -> None:
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            database.execute("create table studies (study_id integer, study_name varchar)")
        raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patched, pytest.raises(OSError, match=r"could not be .* is full"):
        patched.setattr(optuna.storages, "RDBStorage", begun)
        search(tmp_path / "study.db")
    assert not list(tmp_path.iterdir())
    assert len(search(tmp_path / "study.db")) == 2


@pytest.mark.parametrize("name", ["study.db", "study.log"])
def test_a_study_that_was_killed_before_it_said_what_it_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import optuna

    write, count = optuna.Study.set_user_attr, [0]

    def killed(*args: Any) -> None:
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt
        write(*args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(optuna.Study, "set_user_attr", killed)
        search(tmp_path / name)
    pd.testing.assert_frame_equal(search(tmp_path / name), search(tmp_path / f"other-{name}"))


def test_half_a_line_of_a_journal_is_a_trial_that_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    whole = search(path)
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    pd.testing.assert_frame_equal(search(path), whole)
    path.write_bytes(content + content[:40])
    pd.testing.assert_frame_equal(search(path), whole)


@unix
@pytest.mark.filterwarnings("ignore:The existing lock file")  # Optuna 4.3 warns that it takes it
def test_a_lock_that_a_killed_study_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna waits half a minute for its owner; with a path from here it would wait for ever."""
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    whole = search(Path("inner/study.log"))
    kept = tsf.tuning._open_storage("inner/study.log")._backend
    lock = Path(kept._lock._lock_file)
    assert lock.is_absolute()
    lock.symlink_to(kept._file_path)
    assert lock.exists()  # the link leads to the study: its age can be told
    kept._lock.grace_period = 0
    kept._lock.acquire()
    kept._lock.release()
    pd.testing.assert_frame_equal(search(Path("inner/study.log")), whole)


# --- no room on the disk, no right to write -------------------------------------------------------


@contextlib.contextmanager
def largest_file(size: int) -> Any:
    """No file may grow beyond so many bytes, which needs no rights: as on a disk that is full."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# NumPy 2.0 leaves an archive open that it could not write.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@unix
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("save", [0, 1, 5_000, 20_000, 30_000]),
        ("fit", [0, 5_000]),
        ("study.db", [0, 20_000, 50_000]),
        ("study.log", [0, 300]),
        ("download", [0, 5_000]),
    ],
)
def test_a_full_disk(tmp_path: Path, name: str, sizes: list[int]) -> None:
    counts = fill_the_disk(name, largest_file, sizes, tmp_path)
    assert counts["refused"] == len(sizes)
    if name == "save":  # over the file that is there now
        assert fill_the_disk(name, largest_file, sizes, tmp_path)["refused"] == len(sizes)


@contextlib.contextmanager
def read_only() -> Any:
    """A folder that this process may not write to: as somebody else, where it may do everything."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as here:
        folder = Path(here, "folder")
        folder.mkdir()
        os.chmod(here, 0o755)
        yield folder, lambda: (folder.chmod(0o555), os.seteuid(65534) if root else None)
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@unix
@pytest.mark.parametrize("name", ["save", "fit", "study.db", "study.log", "download"])
def test_a_folder_that_may_not_be_written_to(name: str) -> None:
    forecaster = small().fit(TABLE)
    with faults.served(b"a" * 100) as url, read_only() as (folder, close):
        action = faults.actions(folder, forecaster, url)[name]
        if name == "save":
            action()
        close()
        try:
            assert refused(action, folder)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)


@unix
def test_an_error_that_is_swallowed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tsforecast import persistence

    def swallow(path: Any, fill: Any) -> None:
        with contextlib.suppress(OSError):
            fill(Path(path))

    monkeypatch.setattr(persistence, "write_whole", swallow)
    with pytest.raises((AssertionError, ValueError)):
        fill_the_disk("save", largest_file, [5_000], tmp_path)


# --- no memory ------------------------------------------------------------------------------------


@pytest.fixture
def one_gigabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "free_memory", lambda: 1e9)


def panel(series: int, rows: int) -> pd.DataFrame:
    names, ds = np.repeat(np.arange(series), rows), np.tile(np.arange(rows), series)
    return pd.DataFrame({"unique_id": names, "ds": ds, "y": np.sin(ds / 3.0) + names})


def test_the_memory_that_is_free() -> None:
    free = tables.free_memory()
    assert free is None or 1e8 < free < 1e14


def test_what_is_small_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "free_memory", lambda: 1 / 0)
    Framing(3).windows(np.arange(9.0)).arrays()


def test_a_container_has_less(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def fake(path: Path, *args: Any, **options: Any) -> str:
        return "12345678\n" if path.name == "memory.max" else read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", fake)
    assert tables.free_memory() == 12345678


def asks(words: str, gigabytes: float) -> Any:
    return pytest.raises(MemoryError, match=rf"{words}.*: {gigabytes:,} GB .*, and 1.0 GB are free")


@pytest.mark.usefixtures("one_gigabyte")
class TestTooMuchMemory:
    def test_all_windows_at_once(self) -> None:
        windows = Framing(100).windows(np.ones(20_000_000, np.float32))
        with asks("A batch of 19,999,900 windows", 8.1):
            windows.arrays()
        with asks("A batch of 10,000,000 windows", 4.0):
            next(windows.batches(10_000_000))
        assert next(windows.batches(32))[0].shape == (32, 100, 1)  # type: ignore[union-attr]

    def test_windows_that_are_no_view(self) -> None:
        table = np.ones(3_000_000)
        table[1_000_000] = np.nan
        windows = Framing(100, missing="skip").windows(table)
        with asks(r"2,999,799 windows of 100 x 1 numbers, copied", 2.4):
            _ = windows.X

    def test_the_last_windows_of_many_series(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables, "SMALL", 1000)
        monkeypatch.setattr(tables, "free_memory", lambda: 1e4)
        with pytest.raises(MemoryError, match=r"The last 100 rows of 50 series: .* Forecast some"):
            Framing(100, targets="y").last_window(panel(50, 200))

    def test_a_wrong_date(self) -> None:
        times = pd.DatetimeIndex(
            ["1970-01-01", *map(str, range(2023, 2025)), "2024-01-01 00:00:01"]
        )
        table = pd.DataFrame({"y": np.arange(4.0)}, times)
        for call in (tsf.fill_gaps, Framing(2, missing="mask").windows):
            with asks(r"the table has 1,704,067,20. rows", 54.5) as caught:
                call(table)
            assert "look for a wrong date" in str(caught.value)

    def test_an_lstm_of_far_too_many_units(self) -> None:
        with asks("An LSTM of 10,000 units", 6.4):
            build_model(Framing(3), units=10_000)
        with asks("An LSTM of 10,000 units", 6.4):
            Forecaster(3, units=10_000)

    @pytest.mark.parametrize(("encoder", "size"), [("vanilla", 6.0), ("bidirectional", 12.0)])
    def test_a_training_step_on_everything(self, encoder: str, size: float) -> None:
        windows = Framing(50).windows(np.sin(np.arange(100_050.0)))
        model = build_model(windows.framing, encoder=encoder, units=50)
        before = model.get_weights()
        with asks("A training step on 100,000 windows of 50 rows", size):
            fit(model, windows, batch_size=1_000_000)
        assert all(map(np.array_equal, before, model.get_weights()))

    def test_forecasts_of_everything(self) -> None:
        framing = Framing(2, horizon=100)
        windows = framing.windows(np.ones(10_000_000, np.float32))
        model = build_model(framing, units=1, scaling="none")
        with asks("The forecasts of 9,999,899 windows", 4.0):
            predict(model, windows)

    def test_a_backtest_that_makes_too_long_a_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def train(*_: Any, **__: Any) -> None:
            raise AssertionError("it trained")

        monkeypatch.setattr(Forecaster, "fit", train)
        forecaster = Forecaster(2, horizon=1000, targets="y", units=1)
        with asks(r"19,002 forecasts of 1000 steps, a table of 19,002,000 rows", 2.7):
            backtest(forecaster, panel(2, 12_000), start=1500, every=1, baselines=["naive"])

    def test_a_table_that_fits(self) -> None:
        table = panel(3, 40)
        keras.utils.clear_session()
        found = backtest(small(targets="y"), table, start=30, baselines=["naive"], progress=False)
        assert len(found.table) == 30
