"""Call the package with thousands of random tables, settings and files: ``python benchmarks/fuzzing.py``.

Each call works and gives what it promises, or is refused with an error of the package's own:
a ValueError in words (of training also a FloatingPointError), raised by the package and not by a
library below it. Anything else stops the run: another exception, a warning, a promise not kept.
``--seconds 60 frames files`` runs some of it. The numbers of inputs are recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from hypothesis import seed as sown  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import tsforecast as tsf  # noqa: E402
from benchmarks import guided, record  # noqa: E402
from tsforecast import Forecaster, Framing, build_model  # noqa: E402
from tsforecast.models import DECODERS, ENCODERS, WHOLE  # noqa: E402

PACKAGE = Path(tsf.__file__).parent
COUNTS: Counter[str] = Counter()  # of inputs, by property and by what became of them


def attempt(name: str, call: Callable[[], Any], *others: type[Exception]) -> Any:
    """What a call gives; None if the package refuses it in words."""
    try:
        with in_time(name):
            result = call()
    except (ValueError, *others) as error:
        raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if PACKAGE not in raised.parents:
            raise AssertionError(f"{raised} raised it, not the package: {error!r}") from error
        assert len(str(error).split()) >= 5, f"not in words: {error!r}"
        COUNTS[f"{name}: refused"] += 1
        return None
    COUNTS[f"{name}: worked"] += 1
    return result


@contextlib.contextmanager
def in_time(name: str, seconds: float = 120) -> Iterator[None]:
    """No call may compute longer than that; seconds in which others compute do not count."""

    def stop(*_: Any) -> None:
        raise AssertionError(f"{name} took more than {seconds} seconds of computing")

    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# --- random tables --------------------------------------------------------------------------------

NAMES: list[Any] = ["y", "x", 7, ("a", 1)]
STEPS = ("30min", "h", "D", "B", "W", "MS", "ME", "QS", "YE", "4h", "2D", "s")
ZONES = (None, None, "UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York")
STARTS = ("2024-03-30", "2023-10-28 22:00", "2024-02-27", "1999-12-31", "1600-01-01", "2200-02-28")
TYPES = ("float64", "float32", "float16", "int64", "int8", "Int64", "Float64", "bool", "object")


@st.composite
def columns(draw: Any, rows: int, ordinary: bool = False) -> np.ndarray:
    """The values of one column: of any size, constant, with holes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1.0, 1.0, 1e-12, 1e-3, 100.0, 1e6, 1e12]))
    kind = draw(st.sampled_from(["walk", "noise", "season", "constant", "zeros", "counts", "jump"]))
    steps = np.arange(rows)
    values = {
        "walk": rng.normal(size=rows).cumsum(),
        "noise": rng.normal(size=rows),
        "season": 10 + np.sin(steps * np.pi / 6) + 0.1 * rng.normal(size=rows),
        "constant": np.full(rows, rng.normal()),
        "zeros": np.zeros(rows),
        "counts": rng.poisson(2.0, size=rows).astype(float),
        "jump": np.where(steps < rows // 2, 1.0, 1e6),
    }[kind] * scale
    if not ordinary and draw(st.integers(0, 4)) == 0:
        values[rng.random(rows) < draw(st.sampled_from([0.02, 0.2, 1.0]))] = draw(
            st.sampled_from([np.nan, np.nan, np.inf, -np.inf, 1e30])
        )
    return values


@st.composite
def indexes(draw: Any, rows: int, ordinary: bool = False) -> Any:
    """The times of a table: regular in most cases, else anything that readers bring."""
    step = draw(st.sampled_from(STEPS))
    start = pd.Timestamp(draw(st.sampled_from(STARTS)))
    kind = draw(st.sampled_from(["times", "times", "times", "numbers", "periods"]))
    if kind == "numbers":
        index: Any = pd.RangeIndex(3, 3 + 2 * rows, 2)
    elif kind == "periods":
        index = pd.period_range(
            "2023-11", periods=rows, freq=draw(st.sampled_from(["M", "D", "h"]))
        )
    else:
        index = pd.date_range(start, periods=rows, freq=step)
        zone = draw(st.sampled_from(ZONES))
        if zone is not None:
            index = index.tz_localize("UTC").tz_convert(zone)
    if ordinary or rows < 3:
        return index
    spoil = draw(
        st.sampled_from(["no", "no", "no", "gap", "twice", "order", "text", "levels", "missing"])
    )
    place = draw(st.integers(1, rows - 2))
    if spoil == "gap":
        return index[:place].append(index[place + 1 :].append(index[-1:] + (index[-1] - index[-2])))
    if spoil == "twice":
        return index[:place].append(index[place - 1 : place]).append(index[place + 1 :])
    if spoil == "order":
        return index[::-1]
    if spoil == "text":
        return index.astype(str)
    if spoil == "levels":
        return pd.MultiIndex.from_arrays([np.arange(rows) % 2, index])
    if spoil == "missing" and isinstance(index, pd.DatetimeIndex):
        return index.where(np.arange(rows) != place)
    return index


@st.composite
def tables(draw: Any, least: int = 0, most: int = 50, ordinary: bool = False) -> pd.DataFrame:
    rows = draw(st.integers(least, most))
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    index = draw(indexes(rows, ordinary))
    table = pd.DataFrame({n: draw(columns(rows, ordinary)) for n in range(len(names))}, index)
    table.columns = pd.Index(names, tupleize_cols=False)
    if ordinary:
        return table
    dtype = draw(st.sampled_from([*["float64"] * 8, *TYPES]))
    try:
        with np.errstate(all="ignore"):
            return table.astype(dtype)
    except (TypeError, ValueError, OverflowError):  # holes are no whole numbers
        return table


@st.composite
def panels(draw: Any, least: int = 0, most: int = 30, ordinary: bool = False) -> pd.DataFrame:
    parts = []
    template = draw(tables(max(least, 1), most, ordinary))
    for number in range(draw(st.integers(1, 4))):
        rows = len(template) if ordinary else draw(st.integers(1, len(template)))
        part = (
            template.iloc[len(template) - rows :].reset_index(names="ds")
            if not isinstance(template.index, pd.MultiIndex)
            else template.iloc[:rows].assign(ds=range(rows)).reset_index(drop=True)
        )
        parts.append(part.assign(unique_id=draw(st.sampled_from(["a", "b"])) + str(number)))
    panel = pd.concat(parts, ignore_index=True)
    if not ordinary and draw(st.booleans()):
        panel = panel.sample(frac=1, random_state=0)
    return panel


@st.composite
def roles(draw: Any, table: pd.DataFrame, ordinary: bool = False) -> dict[str, Any]:
    """The columns of a framing, most of them there and each in one role."""
    names = [name for name in table.columns if name not in ("unique_id", "ds")]
    if draw(st.integers(0, 3)) == 0:
        return {}
    chosen: dict[str, list[Any]] = {
        "targets": [names[0]],
        "past_covariates": [],
        "future_covariates": [],
    }
    for name in names[1:]:
        role = draw(st.sampled_from(["targets", "past_covariates", "future_covariates", None]))
        if role:
            chosen[role].append(name)
    if not ordinary and draw(st.integers(0, 9)) == 0:
        chosen[draw(st.sampled_from(sorted(chosen)))].append(
            draw(st.sampled_from(["Y", names[0], 3]))
        )
    return chosen


@st.composite
def sizes(draw: Any, ordinary: bool = False) -> dict[str, Any]:
    """The numbers of a framing, few of them impossible."""
    odd = [] if ordinary else [0, -1, 2.5, "3", None, True, np.int64(4)]

    def number(least: int, most: int) -> Any:
        if odd and draw(st.integers(0, 24)) == 0:
            return draw(st.sampled_from(odd))
        return draw(st.integers(least, most))

    chosen = {"lookback": number(1, 9), "horizon": number(1, 4), "lead": number(1, 2)}
    if not ordinary:
        chosen["stride"] = number(1, 3)
        chosen["use_target_history"] = draw(st.sampled_from([True, True, True, False]))
        if draw(st.integers(0, 3)) == 0:
            chosen["min_history"] = number(1, 4)
    chosen["missing"] = draw(st.sampled_from(["refuse", "refuse", "skip", "mask"]))
    if not ordinary and draw(st.integers(0, 30)) == 0:
        chosen["missing"] = "drop"
    return chosen


# --- what must hold -------------------------------------------------------------------------------


def check_frames(data: Any) -> None:
    """A framing of any table: windows with the promised shapes, times and values, or an error."""
    panel = data.draw(st.integers(0, 2)) == 0
    table = data.draw(panels() if panel else tables())
    size, columns = data.draw(sizes()), data.draw(roles(table))
    framing = attempt("framing", lambda: Framing(**size, **columns))
    if framing is None:
        return
    given: Any = table
    if not panel and data.draw(st.integers(0, 5)) == 0:
        given = data.draw(
            st.sampled_from([table.to_numpy(), table.iloc[:, 0], table.iloc[:, 0].to_numpy()])
        )
    windows = attempt("windows", lambda: framing.windows(given))
    if windows is not None:
        check_windows(framing, windows)
    future = None
    last = attempt("last window", lambda: framing.last_window(given, future))
    if last is not None:
        X = last["X"] if isinstance(last, dict) else last
        named = framing if windows is None else windows.framing
        assert X.dtype == np.float32 and X.shape[1] == framing.lookback
        assert windows is None or X.shape[2] == named.n_inputs
        assert framing.missing == "mask" or np.isfinite(X).all()
        times = attempt("target times", lambda: framing.target_times(given))
        assert times is None or len(times) == len(X) * framing.horizon


def check_windows(framing: Framing, windows: Any) -> None:
    named, count = windows.framing, len(windows)
    assert windows.X.shape == (count, named.lookback, named.n_inputs)
    assert windows.y.shape == (count, named.horizon, named.n_targets)
    for window in {0, count // 2, count - 1}:
        before, after = windows.input_times(window), windows.target_times(window)
        assert len(before) == named.lookback and len(after) == named.horizon
        assert before.is_monotonic_increasing and after.is_monotonic_increasing
        assert before[-1] < after[0] or named.lead == 0  # nothing of the answer among the inputs
    seen = 0
    for inputs, y in windows.batches(7):
        X = inputs["X"] if isinstance(inputs, dict) else inputs
        assert X.dtype == y.dtype == np.float32 and len(X) == len(y) <= 7
        assert np.isfinite(y).all() and (named.missing == "mask" or np.isfinite(X).all())
        seen += len(y)
    assert seen == count > 0
    with contextlib.redirect_stdout(io.StringIO()):
        windows.describe()
    middle = windows.index[len(windows.index) // 2]
    parts = attempt("split", lambda: windows.split(middle))
    if parts is not None:
        assert parts[0].target_span[1] < middle <= parts[1].target_span[0]


def check_models(data: Any) -> None:
    """Any model of any framing: it answers in the promised shape with numbers, or an error."""
    table = data.draw(tables(30, 40, ordinary=True))
    size = data.draw(sizes(ordinary=True))
    framing = Framing(**size, **data.draw(roles(table, ordinary=True)))
    windows = attempt("windows", lambda: framing.windows(table))
    if windows is None:
        return
    chosen = data.draw(models(size, bool((table > 0).all(axis=None))))
    if data.draw(st.integers(0, 4)) == 0 and chosen["skip"] != "combination":
        chosen.setdefault("quantiles", (0.1, 0.5, 0.9))
    model = attempt("model", lambda: build_model(windows.framing, **chosen))
    if model is None or attempt("adapt", lambda: (tsf.adapt(model, windows), 1)) is None:
        return
    inputs, _ = windows.batch(slice(0, 3))
    answer = np.asarray(model(inputs))
    shape = (min(3, len(windows)), windows.framing.horizon, windows.framing.n_targets)
    assert answer.shape[: len(shape)] == shape
    assert np.isfinite(answer).all() or chosen["activation"] == "relu"


# What a model cannot be: one of these in a few of the inputs.
WRONG: dict[str, list[Any]] = {
    "encoder": ["vanila", "cnn", None],
    "decoder": ["linear", "attention"],
    "units": [0, "4", 2.5],
    "scaling": ["minmax", "log"],
    "skip": ["x", "season"],
    "season": [50, 0, (2, 4)],
    "quantiles": [(0.9, 0.1), (0.1, 0.5, 2)],
    "dropout": [1.0, -1],
    "subsequences": [0, 7, 1.5],
    "wrong": [1],
}


def divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


@st.composite
def models(draw: Any, size: dict[str, Any], positive: bool = False) -> dict[str, Any]:
    """Settings of a model that go together; in one of eight, one of them is another one."""
    masked, lookback = size["missing"] == "mask", size["lookback"]

    def one_of(*names: Any) -> Any:
        return draw(st.sampled_from(names))

    encoder = one_of(*(name for name, f in ENCODERS.items() if not (masked and f in WHOLE)))
    decoder = one_of(*(name for name, f in DECODERS.items() if not (masked and f in WHOLE)))
    chosen: dict[str, Any] = {
        "encoder": encoder,
        "decoder": decoder,
        "units": one_of(1, 2, 3),
        "activation": one_of("tanh", "tanh", "tanh", "relu"),
        "scaling": one_of(None, "none", "standard", "window", "series"),
        "skip": one_of("none", "none", "last", "season", *(() if masked else ("linear",))),
    }
    if not masked and positive and one_of(True, False):
        chosen["scaling"] = "log"
    if not masked and chosen["scaling"] not in ("none", "log") and one_of(True, False, False):
        chosen["skip"] = "combination"
    if chosen["skip"] in ("season", "combination"):
        chosen["season"] = draw(st.integers(1, lookback))
    if encoder in ("cnn", "convlstm"):
        chosen["subsequences"] = one_of(*divisors(lookback))
        if encoder == "convlstm":
            chosen["padding"] = "same"
    if "patch" in (encoder[:5], decoder[:5]):
        both = {"patched": lookback, "patchwise": size["horizon"]}
        whole = [both[name] for name in (encoder, decoder) if name in both]
        chosen["patch"] = one_of(*divisors(math.gcd(*whole)))
    if one_of(True, False, False, False):
        chosen["dropout"] = 0.5
    if one_of(*[False] * 7, True):
        name = one_of(*WRONG)
        chosen[name] = one_of(*WRONG[name])
    return chosen


def check_forecasters(data: Any) -> None:
    """Fit, forecast, save, load, backtest: dates after the cutoff, numbers, the same once loaded."""
    one_of = lambda *names: data.draw(st.sampled_from(names))  # noqa: E731
    panel = one_of(True, False, False)
    size = data.draw(sizes(ordinary=True))
    table = data.draw((panels if panel else tables)(50, 70, ordinary=True))
    columns = data.draw(roles(table, ordinary=True))
    times = pd.Index(table["ds"]) if panel else table.index
    targets = columns.get("targets") or [n for n in table if n not in ("unique_id", "ds")]
    chosen = data.draw(models(size, bool((table[targets] > 0).all(axis=None))))
    chosen |= {"epochs": 1, "batch_size": 64}
    if chosen.pop("quantiles", None) or one_of(True, False):
        chosen["level"] = one_of(*[[50], [50, 60], [60]] * 4, 101)
        chosen["intervals"] = one_of("conformal", "conformal", "quantile")
    if isinstance(times, pd.DatetimeIndex) and one_of(True, False, False):
        chosen["calendar"] = True
    forecaster = attempt("forecaster", lambda: Forecaster(**size, **columns, **chosen))
    if forecaster is None:
        return
    if attempt("fit", lambda: forecaster.fit(table), FloatingPointError) is None:
        return
    COUNTS["forecasters: fitted"] += 1
    dated = attempt("forecast", lambda: forecaster.forecast(future=ahead_of(forecaster, table)))
    if dated is not None:
        assert (dated["ds"] > dated["cutoff"]).all()
        series = table["unique_id"].nunique() if panel else 1
        assert len(dated) == series * forecaster.framing.horizon
        numbers = dated.drop(columns=["ds", "cutoff", "unique_id"], errors="ignore")
        assert np.isfinite(numbers.to_numpy(float)).all() or chosen["activation"] == "relu"
        with tempfile.TemporaryDirectory() as folder:
            forecaster.save(f"{folder}/kept.keras")
            again = Forecaster.load(f"{folder}/kept.keras")
        repeated = again.forecast(future=ahead_of(again, table))
        pd.testing.assert_frame_equal(repeated, dated, check_exact=True)
    if one_of(True, False):
        check_no_leak(forecaster, table, times, one_of(2, 3, 4))


def ahead_of(forecaster: Forecaster, table: pd.DataFrame) -> Any:
    """Something for the future covariates that the reader must give; None where there are none."""
    names = forecaster._known_ahead
    if not names:
        return None
    times = forecaster.framing.target_times(table)
    future = pd.DataFrame(np.ones((len(times), len(names))), times)
    future.columns = pd.Index(names, tupleize_cols=False)
    return future


def check_no_leak(forecaster: Forecaster, table: pd.DataFrame, times: pd.Index, back: int) -> None:
    """Other values from some time on change no forecast of a cutoff before it, bit for bit."""
    known = times.unique().sort_values()
    start, border = known[-8 * back // 2], known[-2 * back]
    later = np.asarray(times >= border)
    other = table.copy()
    for name in forecaster.framing.inputs:
        if name in table and name not in forecaster.framing.future_covariates:
            other[name] = table[name].where(~later, 7 - 3 * table[name].to_numpy()[::-1])

    def test(rows: pd.DataFrame) -> pd.DataFrame:
        fresh = forecaster.copy(level=None)
        options = {"start": start, "progress": False, "baselines": ["naive"], "every": 1}
        found = tsf.backtest(fresh, rows, **options).table
        return found[found["cutoff"] < border].drop(columns="y").reset_index(drop=True)

    first = attempt("backtest", lambda: test(table), FloatingPointError)
    if first is not None and not forecaster.framing.static_covariates:
        second = attempt("backtest", lambda: test(other), FloatingPointError)
        if second is not None:
            COUNTS["no leak: compared"] += len(first)
            pd.testing.assert_frame_equal(first, second, check_exact=True)


# --- files ----------------------------------------------------------------------------------------

_KEPT: dict[str, bytes] = {}


def saved_file() -> bytes:
    if not _KEPT:
        forecaster = Forecaster(3, units=2, epochs=1, level=[50])
        table = pd.DataFrame({"y": np.arange(40.0)}, pd.date_range("2024", periods=40, freq="h"))
        with tempfile.TemporaryDirectory() as folder:
            forecaster.fit(table).save(f"{folder}/kept.keras")
            _KEPT["file"] = Path(folder, "kept.keras").read_bytes()
    return _KEPT["file"]


def changed(content: bytes, data: Any) -> bytes:
    """The same bytes with a few changes: a piece gone, doubled, or other bytes in it."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        length = data.draw(st.sampled_from([1, 1, 2, 8, 100, 5000]))
        piece = bytes(content[place : place + length])
        new = data.draw(
            st.sampled_from([b"", piece * 2, bytes(len(piece)), piece[::-1], b"\xff" * len(piece)])
            | st.binary(min_size=1, max_size=4)
        )
        content[place : place + length] = new
    return bytes(content)


def check_files(data: Any) -> None:
    """A file that was changed anywhere, its checksums made good again or not, loads or is refused."""
    whole = saved_file()
    if data.draw(st.integers(0, 3)) == 0:
        content = changed(whole, data)
    else:  # inside a member, in an archive that is in order
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(buffer, "w") as new:
            name = data.draw(st.sampled_from(old.namelist()))
            for other in old.namelist():
                part = old.read(other)
                new.writestr(other, changed(part, data) if other == name else part)
        content = buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "inner", "kept.keras")
        path.parent.mkdir()
        path.write_bytes(content)
        loaded = attempt("file", lambda: Forecaster.load(path))
        if loaded is not None:
            assert isinstance(loaded, Forecaster) and repr(loaded)
        assert [p.name for p in Path(folder).rglob("*")] == ["inner", "kept.keras"]


ATHERIS = (
    ROOT / "build" / "atheris"
)  # .venv/bin/python -m pip install --target build/atheris atheris


def guided_files(inputs: int, seed: int) -> dict[str, Any]:
    """Let atheris change files so often, guided by what they reach in `tsforecast.persistence`."""
    table = pd.DataFrame(
        {"y": np.arange(40.0), "x": 1.0}, pd.date_range("2024", periods=40, tz="Europe/Berlin")
    )
    panel = pd.concat([table.reset_index(names="ds").assign(unique_id=name) for name in "ab"])
    settings: dict[str, Any] = {"units": 2, "epochs": 1}
    kept = {
        "table": Forecaster(3, **settings).fit(table),
        "levels": Forecaster(3, level=[50], calendar=True, targets="y", **settings).fit(table),
        "panel": Forecaster(3, targets=["y", "x"], scaling="series", **settings).fit(panel),
        "numbers": Forecaster(3, skip="linear", **settings).fit(np.arange(40.0)),
    }
    with tempfile.TemporaryDirectory() as here:
        seeds, counts = Path(here, "seeds"), Path(here, "counts.json")
        seeds.mkdir()
        for name, forecaster in kept.items():
            forecaster.save(seeds / f"{name}.keras")
        path = os.pathsep.join([str(ATHERIS), str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, guided.__file__, str(seeds), str(inputs), str(seed), str(counts)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": path}, cwd=here, capture_output=True, text=True
        )
        found = [path for path in Path(here).iterdir() if path.name.startswith(("crash", "oom"))]
        if done.returncode or found:
            for crash in found:
                (ATHERIS.parent / crash.name).write_bytes(crash.read_bytes())
            raise AssertionError(f"{found}, now in build/: {(done.stdout + done.stderr)[-4000:]}")
        reached = len(list(seeds.iterdir())) - len(kept)
        return json.loads(counts.read_text()) | {"new_files_that_reached_more": reached}


PROPERTIES = {
    "frames": check_frames,
    "models": check_models,
    "forecasters": check_forecasters,
    "files": check_files,
}
AT_ONCE = {"frames": 200, "models": 10, "forecasters": 5, "files": 20}
SHARE = {"frames": 0.5, "models": 1.0, "forecasters": 2.5, "files": 1.0}  # of --seconds: some train


def run(name: str, examples: int, seed: int = 0, shrink: bool = True) -> None:
    """Try a property on so many random inputs; show the smallest that breaks it, or the first."""
    check = PROPERTIES[name]

    @sown(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def tried(data: Any) -> None:
        check(data)
        COUNTS[f"{name}: inputs"] += 1  # of those that could be drawn to their end

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Keras 3.15 turns a TensorFlow variable into an array in NumPy 1's way.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        tried()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="PROPERTY", help=", ".join([*PROPERTIES, "guided"])
    )
    parser.add_argument("--seconds", type=float, default=600, help="for a property")
    parser.add_argument("--guided", type=int, default=10_000, help="files that atheris changes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="seconds, and no record")
    chosen = parser.parse_args()
    seconds = 5 if chosen.quick else chosen.seconds
    for name in [name for name in chosen.names or PROPERTIES if name != "guided"]:
        start, seed = time.monotonic(), chosen.seed
        while time.monotonic() - start < SHARE[name] * seconds:  # a few at a time, to end in time
            run(name, AT_ONCE[name], seed)
            seed += 1
        print(f"{name}: {COUNTS[f'{name}: inputs']} inputs, every promise kept", flush=True)
    by_atheris = {}
    if "guided" in (chosen.names or ["guided"]) and not chosen.quick:
        by_atheris = guided_files(chosen.guided, chosen.seed)
        print(f"guided: {by_atheris}", flush=True)
    for key, count in sorted(COUNTS.items()):
        print(f"{key:26}{count:8,}")
    if not chosen.quick and not chosen.names:
        results = {
            "seed": chosen.seed,
            "seconds": {name: share * seconds for name, share in SHARE.items()},
            "inputs": {name: COUNTS[f"{name}: inputs"] for name in PROPERTIES},
            "total_inputs": sum(COUNTS[f"{name}: inputs"] for name in PROPERTIES),
            "guided": by_atheris,
            "calls": {key: n for key, n in sorted(COUNTS.items()) if not key.endswith("inputs")},
        }
        print(record.write("fuzzing", __file__, results))


if __name__ == "__main__":
    main()
