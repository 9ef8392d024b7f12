"""A training that is killed at any moment goes on from its last round, to the same weights."""

import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, build_model, fit, predict, training

ROUNDS = 3  # of one epoch, in `train`


def noisy(rows=120, seed=0):
    rng = np.random.default_rng(seed)
    values = 100 + 20 * np.sin(np.arange(rows) / 4) + rng.normal(size=rows)
    return pd.DataFrame({"a": values}, index=pd.date_range("2024", periods=rows, freq="D"))


TABLE = noisy()


def split(table=TABLE):
    return Framing(4).windows(table).split(TABLE.index[80], TABLE.index[100])


def light(x, units, activation):
    """An encoder with dropout that trains in no time."""
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    return keras.layers.Dense(units, activation=activation)(x)


def recurrent(x, units, activation):
    x = keras.layers.LSTM(units, activation, dropout=0.2, recurrent_dropout=0.1)(x)
    return keras.layers.Dropout(0.3)(x)


def model(**options):
    return build_model(split()[0].framing, **({"units": 3, "encoder": light} | options))


def train(checkpoint=None, net=None, table=TABLE, **options):
    net = net or model()
    windows, validation, _ = split(table)
    options = {"seed": 0, "epochs": ROUNDS, "batch_size": 1} | options
    if options.pop("validate", True):
        options["validation"] = validation
    return net, fit(net, windows, checkpoint=checkpoint, **options)


class Killed(BaseException):
    """Stands for the end of the process: nothing in `fit` may catch it."""


def kill_after(monkeypatch, writes):
    """The process ends at the beginning of the next write of a checkpoint."""
    write, count = training.write_whole, [0]

    def counted(path, fill):
        count[0] += 1
        if count[0] > writes:
            raise Killed
        write(path, fill)

    monkeypatch.setattr(training, "write_whole", counted)


def check_same(one, two, first, second):
    for a, b in zip(one.variables, two.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), err_msg=a.path
        )
    assert first.history == second.history
    assert first.epoch == second.epoch


# --- the same as without interruption -------------------------------------------------------------


def test_a_checkpoint_changes_nothing(tmp_path):
    plain, first = train()
    kept, second = train(tmp_path / "run")
    check_same(plain, kept, first, second)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("encoder", [light, recurrent])
def test_going_on_after_every_round_ends_the_same(tmp_path, monkeypatch, encoder):
    whole, first = train(net=model(encoder=encoder))
    last = ROUNDS + 1  # this write says that it is complete
    for writes in range(last) if encoder is light else (1,):
        path = tmp_path / str(writes)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill_after(patched, writes)
            train(path, model(encoder=encoder))
        assert path.exists() == (writes > 0)
        resumed, second = train(path, model(encoder=encoder))
        check_same(whole, resumed, first, second)


def test_being_killed_again_and_again(tmp_path, monkeypatch):
    whole, first = train(validate=False)
    for _ in range(ROUNDS - 1):
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill_after(patched, 1)
            train(tmp_path / "run", validate=False)
    resumed, second = train(tmp_path / "run", validate=False)
    check_same(whole, resumed, first, second)


@pytest.mark.parametrize(
    ("options", "writes"),
    [
        ({"shuffle": False, "optimizer": "rmsprop"}, 2),
        ({"optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}}, 2),
        ({"epochs": 51, "batch_size": 32}, 2),  # three rounds of 17 epochs
    ],
    ids=str,
)
def test_other_arguments(tmp_path, monkeypatch, options, writes):
    whole, first = train(net=model(skip="linear", scaling="standard"), **options)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_after(patched, writes)
        train(tmp_path / "run", model(skip="linear", scaling="standard"), **options)
    again = model(skip="linear", scaling="standard")
    resumed, second = train(tmp_path / "run", again, **options)
    assert second.epoch[-1] == options.get("epochs", ROUNDS)
    check_same(whole, resumed, first, second)


def panel_windows():
    rows = [TABLE[:40].assign(unique_id=name).rename_axis("ds").reset_index() for name in "xy"]
    return Framing(4, targets="a").windows(pd.concat(rows, ignore_index=True))


def event_windows():
    table = TABLE.assign(event=(TABLE["a"] > 110).astype(float))
    return Framing(4, targets="event", past_covariates="a").windows(table)


@pytest.mark.parametrize(
    ("cut", "built", "options"),
    [
        (panel_windows, {"scaling": "series"}, {}),
        (panel_windows, {"quantiles": (0.1, 0.5, 0.9)}, {}),
        (event_windows, {"head": "event"}, {"class_weight": "balanced"}),
    ],
)
def test_other_models(tmp_path, monkeypatch, cut, built, options):
    windows = cut()
    options = {"epochs": 2, "batch_size": 1, "seed": 0} | options

    def run(path=None):
        net = build_model(windows.framing, units=3, encoder=light, **built)
        return net, fit(net, windows, checkpoint=path, **options)

    whole, first = run()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_after(patched, 1)
        run(tmp_path / "run")
    resumed, second = run(tmp_path / "run")
    check_same(whole, resumed, first, second)


def test_stopping_early_is_remembered(tmp_path, monkeypatch):
    options = {"epochs": 60, "batch_size": 1, "optimizer": keras.optimizers.Adam(0.05)}
    whole, first = train(patience=2, **options)
    stop = len(first.epoch)
    assert 2 < stop < 30
    for writes in (stop - 1, stop):  # before the last round, and after it
        path = tmp_path / str(writes)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            kill_after(patched, writes)
            train(path, patience=2, **options)
        resumed, second = train(path, patience=2, **options)
        check_same(whole, resumed, first, second)


def test_without_a_seed_it_goes_on_too(tmp_path, monkeypatch):
    start, done = model(), []
    for writes in (9, 2):
        net = model()
        for ours, theirs in zip(net.variables, start.variables, strict=True):
            ours.assign(theirs.value)
        with monkeypatch.context() as patched:
            kill_after(patched, writes)
            patched.setattr(
                np.random, "default_rng", lambda _: np.random.Generator(np.random.PCG64(5))
            )
            try:
                train(tmp_path / str(writes), net, seed=None)
            except Killed:
                net = None
        if net is None:  # with other weights and other orders, as a new process has
            net, _ = train(tmp_path / str(writes), seed=None)
        done.append(net)
    for a, b in zip(*(net.get_weights() for net in done), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_seed_fixes_dropout_too():
    one, two = train(validate=False), train(validate=False)
    check_same(one[0], two[0], one[1], two[1])


def test_a_complete_training_returns_at_once(tmp_path, monkeypatch):
    whole, first = train(tmp_path / "run")
    content = (tmp_path / "run").read_bytes()

    def no_training(*_, **__):
        raise AssertionError("it trained again")

    monkeypatch.setattr(training, "adapt", no_training)
    monkeypatch.setattr(keras.optimizers.Adam, "update_step", no_training)
    again, second = train(tmp_path / "run")
    check_same(whole, again, first, second)
    assert (tmp_path / "run").read_bytes() == content
    np.testing.assert_array_equal(predict(again, split()[2]), predict(whole, split()[2]))


# --- a process that is really killed --------------------------------------------------------------

SCRIPT = """
import os, random, signal, sys, time, warnings
import numpy as np
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tsforecast import training
from test_resume import train

warnings.simplefilter("ignore")  # Python 3.12 does not like fork
folder, write, wait = Path(sys.argv[1]), training.write_whole, random.Random(0)

def slow(path, fill):  # so that there is time to be killed, also in the middle of a write
    def in_halves(new):
        fill(new)
        content = new.read_bytes()
        new.write_bytes(content[:len(content) // 2])
        time.sleep(0.02)
        new.write_bytes(content)
    write(path, in_halves)
    time.sleep(0.02)

training.write_whole = slow
for attempt in range(3):
    before = (folder / "run").stat().st_mtime_ns if (folder / "run").exists() else 0
    child = os.fork()
    if child == 0:
        net, _ = train(folder / "run", epochs=15)
        np.savez(folder / "final.npz", *net.get_weights())
        os._exit(0)
    if attempt < 2:  # some time after it has written something
        while not (folder / "run").exists() or (folder / "run").stat().st_mtime_ns == before:
            time.sleep(0.002)
        time.sleep(wait.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_at_random_moments(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["-9", "-9", "0"], done.stderr[-2000:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final.npz", "run"]
    whole, _ = train(epochs=15)
    with np.load(tmp_path / "final.npz") as final:
        for ours, name in zip(whole.get_weights(), final.files, strict=True):
            np.testing.assert_array_equal(ours, final[name])


# --- a checkpoint of something else ---------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "run"
    train(path)
    return path


def other_values():
    table = TABLE.copy()
    table.iloc[40] += 1e-3
    return table


def other_validation():
    table = TABLE.copy()
    table.iloc[90] += 1e-3
    return table


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 6}, "epochs was 3 and is 6"),
        ({"batch_size": 3}, "batch_size was 1 and is 3"),
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"seed": None}, "seed was 0 and is None"),
        ({"loss": "mae"}, "loss was .* and is mae"),
        ({"learning_rate": 0.01}, "learning_rate was 0.005 and is 0.01"),
        ({"shuffle": False}, "shuffle was True and is False"),
        ({"patience": 3}, "patience was None and is 3"),
        ({"optimizer": "sgd"}, "optimizer was None and is sgd"),
        ({"validate": False}, "validation was .* windows, .* and is None"),
        ({"units": 4}, "the model was"),
        ({"encoder": recurrent}, "the model was"),
        ({"activation": "relu"}, "the model was"),
        ({"scaling": "standard"}, "the model was"),
        ({"table": noisy(seed=1)}, "the values of windows was"),
        ({"table": other_values()}, "the values of windows was"),
        ({"table": other_validation()}, "the values of validation was"),
        ({"table": TABLE.iloc[1:]}, "windows was 76 windows, .* and is 75 windows"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_checkpoint_of_another_training(checkpoint, options, words):
    built = {
        name: options.pop(name)
        for name in set(options) & {"units", "encoder", "activation", "scaling"}
    }
    net = model(**built)
    before, content = net.get_weights(), checkpoint.read_bytes()
    with pytest.raises(ValueError, match=rf"is of another training: .*{words}.*delete it"):
        train(checkpoint, net, **options)
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert checkpoint.read_bytes() == content


@pytest.mark.parametrize("change", [lambda x: b"text", lambda x: x[: len(x) // 2], lambda x: b""])
def test_a_file_that_is_no_checkpoint(checkpoint, tmp_path, change):
    path = tmp_path / "run"
    path.write_bytes(change(checkpoint.read_bytes()))
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"not a checkpoint of fit, or a damaged one. Delete it"):
        train(path)
    assert path.read_bytes() == content


def test_a_flipped_bit_is_noticed(checkpoint, tmp_path):
    path, content = tmp_path / "run", checkpoint.read_bytes()
    for part in (0.3, 0.5, 0.7):
        place = int(part * len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            state = training._read_checkpoint(path)
        except ValueError as error:
            assert "damaged" in str(error)
        else:
            assert state[0] == training._read_checkpoint(checkpoint)[0]


def test_a_folder_is_no_checkpoint(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / "run"):
        with pytest.raises(ValueError, match="names a file in a folder that exists"):
            train(path)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    table = pd.DataFrame({"a": 1e16 * np.arange(1.0, 40.0)})
    windows = Framing(3).windows(table)
    net = build_model(windows.framing, units=4, scaling="none", activation="relu")
    with pytest.raises(FloatingPointError):
        fit(net, windows, epochs=100, learning_rate=1e30, seed=0, checkpoint=tmp_path / "run")
    assert not training._read_checkpoint(tmp_path / "run")[0].get("complete")


def test_savez_is_given_arrays_and_no_option(tmp_path, monkeypatch):
    """NumPy 2.0 would keep an option as an array, and the checkpoint could not be read again."""
    names, savez = [], np.savez
    monkeypatch.setattr(np, "savez", lambda file, **kw: (names.extend(kw), savez(file, **kw)))
    train(tmp_path / "run.npz")
    assert {name.partition(".")[0] for name in names} == {"state", "model", "optimizer", "best"}
