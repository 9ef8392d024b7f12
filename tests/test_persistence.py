"""One file for a model and what surrounds it: whole, safe, the same in a new process."""

import datetime
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
import zoneinfo
from importlib import resources

import dateutil.tz
import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tsforecast as tsf
from tsforecast import Framing, build_model, fit, predict
from tsforecast.persistence import DESCRIPTION, FORMAT, from_json, read, to_json, write
from tsforecast.training import write_whole

BERLIN = pd.date_range("2024-10-26 12:00", periods=30, freq="h", tz="Europe/Berlin")


def table(rows=40):
    rng = np.random.default_rng(0)
    index = pd.date_range("2024-03-30", periods=rows, freq="h", tz="Europe/Berlin")
    return pd.DataFrame(rng.normal(size=(rows, 2)).cumsum(axis=0), index, ["a", 7])


@pytest.fixture(scope="module")
def fitted():
    windows = Framing(4, horizon=2, targets="a", past_covariates=7).windows(table())
    model = build_model(windows.framing, units=3, decoder="autoregressive", skip="last")
    fit(model, windows, epochs=1, seed=0)
    return model, windows


@pytest.fixture
def saved(fitted, tmp_path):
    model, windows = fitted
    path = tmp_path / "model.keras"
    description = {"framing": windows.framing, "index": table().index[-4:], "columns": ["a", 7]}
    write(path, model, description, {"last rows": table().to_numpy()[-4:]})
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, contents, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def change_config(path, change):
    contents = members(path)
    config = json.loads(contents["config.json"])
    contents["config.json"] = json.dumps(change(config) or config)
    return pack(path, contents)


# --- there and back -------------------------------------------------------------------------------


def test_a_new_process_forecasts_the_same_bit_for_bit(saved, fitted):
    model, windows = fitted
    forecast = predict(model, windows)  # in batches of 1024: another size may round otherwise
    np.save(saved.parent / "X.npy", windows.X)
    code = (
        "import sys, numpy as np\n"
        "from tsforecast.persistence import read\n"
        "model, description, arrays = read(sys.argv[1] + '/model.keras')\n"
        "X = np.load(sys.argv[1] + '/X.npy')\n"
        "np.save(sys.argv[1] + '/forecast.npy', model.predict(X, 1024, verbose=0))\n"
        "print(description['framing'], description['index'].tz, arrays['last rows'].shape)\n"
    )
    command = [sys.executable, "-c", code, str(saved.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    np.testing.assert_array_equal(np.load(saved.parent / "forecast.npy"), forecast)
    assert done.stdout.strip() == f"{windows.framing} Europe/Berlin (4, 2)"


def test_everything_comes_back(saved, fitted):
    model, windows = fitted
    loaded, description, arrays = read(saved)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(predict(loaded, windows), predict(model, windows))
    assert description["framing"] == windows.framing
    pd.testing.assert_index_equal(description["index"], table().index[-4:])
    assert description["columns"] == ["a", 7]
    assert description["versions"]["keras"] == keras.__version__
    np.testing.assert_array_equal(arrays["last rows"], table().to_numpy()[-4:])
    fit(loaded, windows, epochs=1)  # training can go on


def test_keras_and_load_model_open_the_same_file(saved, fitted):
    model, windows = fitted
    np.testing.assert_array_equal(predict(tsf.load_model(saved), windows), predict(model, windows))


@pytest.mark.parametrize("encoder", ["vanilla", "stacked", "bidirectional", "cnn", "convlstm"])
@pytest.mark.parametrize("decoder", ["vector", "attention"])
def test_every_model_of_the_package_can_be_loaded(encoder, decoder, tmp_path):
    framing = Framing(
        4, horizon=2, targets="a", future_covariates="b", static_covariates="c", lead=2
    )
    model = build_model(framing, encoder=encoder, decoder=decoder, units=2, skip="linear")
    write(tmp_path / "model.keras", model, {})
    assert read(tmp_path / "model.keras")[0].count_params() == model.count_params()


def test_a_model_of_plain_keras_can_be_loaded(tmp_path):
    x = keras.Input((4, 2), name="X")
    y = keras.layers.Dense(3, activation="gelu", kernel_regularizer="l2")(x) * 2 + 1
    y = keras.layers.LSTM(2, dropout=0.1)(keras.layers.LayerNormalization()(y))
    write(tmp_path / "model.keras", keras.Model(x, y), {})
    loaded, *_ = read(tmp_path / "model.keras")
    assert loaded.output_shape == (None, 2)


@keras.saving.register_keras_serializable("tests_of_persistence")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def test_a_layer_that_you_registered_yourself_can_be_loaded(tmp_path):
    x = keras.Input((4, 2), name="X")
    write(tmp_path / "model.keras", keras.Model(x, Twice()(x)), {})
    assert isinstance(read(tmp_path / "model.keras")[0].layers[-1], Twice)


VALUES = [
    *(None, True, 3, -0.1, 2**70, "a", "ü", "", [1, [2, "b"]], (1, (2.5, None)), {}),
    {"a": {"b": (1,)}, "__kind__": "tuple"},
    {1: "one", ("a", 2): None, pd.Timestamp("2024"): 3},
    *(float("inf"), -float("inf")),
    *(np.float32(0.1), np.int64(-5), np.bool_(True), np.str_("x"), np.datetime64("2024-01", "M")),
    np.timedelta64(90, "s"),
    *(
        pd.Timestamp("2024-10-27 01:30", tz="Europe/Berlin"),
        pd.Timestamp("1600-01-01").as_unit("s"),
    ),
    BERLIN[15],  # the hour that comes twice
    pd.Timestamp("2024-01-01", tz=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    *(pd.Timedelta("90min"), pd.Period("2024Q1", "Q-JAN"), pd.Period("2024-03", "M")),
    *(datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, 0, 5)),
    *(pd.offsets.Minute(30), pd.offsets.MonthEnd(), pd.offsets.Week(weekday=2)),
    Framing(3, targets=["a", ("b", 1)], past_covariates=[np.int64(4)], stride=2),
]
INDEXES = [
    BERLIN,
    BERLIN[[0, 3, 4]].rename("when"),
    pd.date_range("2024", periods=3, freq="MS"),
    pd.date_range("2024", periods=3, freq="30min", tz="UTC").as_unit("s"),
    pd.date_range("2024", periods=3, freq="h", tz="Australia/Melbourne"),
    pd.DatetimeIndex([]),
    pd.DatetimeIndex(["2024-01-01", None]),
    pd.period_range("2024-01", periods=4, freq="M", name="month"),
    pd.RangeIndex(3, 10, 2, name=0),
    pd.Index([3, 1, 2], dtype="int32"),
    pd.Index([0.5, 1.5]),
    pd.Index(["a", 1, None, ("b", 2)], name=("x", 1)),
    pd.Index(["a", "b"]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_json(value):
    back = from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))
    assert back == value
    if not isinstance(value, datetime.datetime):  # which pandas has its own kind for
        assert type(back) is type(value)
    if isinstance(value, np.generic):
        assert back.dtype == value.dtype
    if isinstance(value, pd.Timestamp):
        assert (str(back.tz), back.unit) == (str(value.tz), value.unit)


@pytest.mark.parametrize("index", INDEXES, ids=repr)
def test_indexes_survive_json(index):
    back = from_json(json.loads(json.dumps(to_json(index), allow_nan=False)))
    pd.testing.assert_index_equal(back, index, exact=True)
    assert getattr(back, "freq", None) == getattr(index, "freq", None)


def test_what_equals_nothing_survives_json():
    assert from_json(to_json(pd.NaT)) is pd.NaT
    assert from_json(to_json(pd.NA)) is pd.NA
    assert np.isnan(from_json(to_json(float("nan"))))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(PLAIN)
def test_any_plain_value_survives_json(value):
    assert from_json(json.loads(json.dumps(to_json(value), allow_nan=False))) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "type object cannot be saved"),
        ({"model": print}, "cannot be saved"),
        ({1, 2}, "type set cannot be saved"),
        (np.arange(3), r"arrays go into arrays="),
        (pd.DateOffset(months=1, day=3), "has no name to save it under"),
        (pd.MultiIndex.from_tuples([(1, 2)]), "Turn it into columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_saved_says_so(value, words, fitted, tmp_path):
    with pytest.raises(ValueError, match=words):
        write(tmp_path / "model.keras", fitted[0], {"value": value})
    assert not list(tmp_path.iterdir())


def test_a_time_zone_without_a_name_is_refused():
    with resources.files("tzdata.zoneinfo.Europe").joinpath("Berlin").open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file)
    with pytest.raises(ValueError, match=r"has no name to save it under.*tz_convert"):
        to_json(pd.Timestamp("2024-07-01", tz=zone))


@pytest.mark.parametrize(
    "zone",
    [
        dateutil.tz.gettz("Europe/Berlin"),
        datetime.timezone(datetime.timedelta(hours=-3, minutes=-30), "NST"),
        datetime.UTC,
    ],
    ids=str,
)
def test_zones_of_other_libraries_keep_their_times(zone):
    if (
        isinstance(zone, dateutil.tz.tzfile)
        and pd.__version__ < "3"
        and dateutil.__version__ >= "4"
    ):
        pytest.skip("pandas 2 makes no times in a zone of dateutil 4")
    index = pd.date_range("2024-10-26", periods=5, freq="12h", tz=zone)
    back = from_json(json.loads(json.dumps(to_json(index))))
    assert list(back) == list(index)
    assert [str(a) for a in back] == [str(b) for b in index]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3.5, dtype="float16"),
        np.zeros((0, 4), dtype="float32"),
        np.array(["a", "bc"]),
        np.array(["2024-01-01", "NaT"], dtype="M8[ns]"),
        np.array([True, False]),
        np.array([np.nan, np.inf]),
    ],
    ids=str,
)
def test_arrays_come_back(array, fitted, tmp_path):
    write(tmp_path / "model.keras", fitted[0], {}, {"x/../y": array, "": array})
    back = read(tmp_path / "model.keras")[2]
    assert list(back) == ["x/../y", ""]  # names never become paths
    for same in back.values():
        np.testing.assert_array_equal(same, array)
        assert same.dtype == array.dtype and same.flags.writeable


def test_an_array_that_only_pickle_could_save(fitted, tmp_path):
    with pytest.raises(ValueError, match=r"array 'ids' holds object values.*astype\(str\)"):
        write(tmp_path / "model.keras", fitted[0], {}, {"ids": np.array(["a", None])})
    assert not list(tmp_path.iterdir())


# --- a save that fails ----------------------------------------------------------------------------


def test_the_name_and_the_folder_are_checked(fitted, tmp_path):
    with pytest.raises(ValueError, match=r"must end with .keras; got .*model.h5"):
        write(tmp_path / "model.h5", fitted[0], {})
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere.*Create it first"):
        write(tmp_path / "nowhere" / "model.keras", fitted[0], {})


@pytest.mark.parametrize("where", ["model.save", "writestr", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_no_litter(saved, fitted, where, monkeypatch):
    before = saved.read_bytes()

    def full(*_, **__):
        raise OSError("No space left on device")

    place, name = {
        "model.save": (keras.Model, "save"),
        "writestr": (zipfile.ZipFile, "writestr"),
        "replace": (os, "replace"),
    }[where]
    monkeypatch.setattr(place, name, full)
    with pytest.raises(OSError, match="No space left"):
        write(saved, fitted[0], {"another": 1})
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert read(saved)[1]["columns"] == ["a", 7]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")
def test_a_save_that_is_killed_leaves_the_old_file(saved):
    before = saved.read_bytes()
    child = os.fork()
    if child == 0:
        write_whole(saved, lambda new: (new.write_bytes(b"half"), time.sleep(60)))
        os._exit(1)
    try:
        while not list(saved.parent.glob(".model.*")):
            time.sleep(0.01)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert saved.read_bytes() == before


def test_a_file_is_replaced_where_a_link_leads_to(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    write_whole(tmp_path / "link.txt", lambda new: new.write_text("new"))
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_made_once_leaves_that_of_a_faster_process(tmp_path, monkeypatch, links):
    def refuse(*_):
        raise PermissionError("this file system has no links")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "made.txt"
    write_whole(path, lambda new: new.write_text("first"), once=True)
    assert [p.name for p in tmp_path.iterdir()] == ["made.txt"]
    assert path.read_text() == "first"
    write_whole(path, lambda new: new.write_text("second"), once=True)
    assert [p.name for p in tmp_path.iterdir()] == ["made.txt"]
    assert path.read_text() == "first"


# --- files that are damaged, foreign or newer -----------------------------------------------------


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*gone.keras"):
        read(tmp_path / "gone.keras")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 0.9999])
def test_a_file_that_was_cut_off(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="is not a file of a saved model, or only the first part"):
        read(saved)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_is_noticed_or_changes_nothing(damage, place, bit):
    path, whole, weights = damage
    content = bytearray(whole)
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        model, description, arrays = read(path)
    except ValueError as error:
        assert any(words in str(error) for words in ("damaged", "not a file", "Keras model and"))
        return
    for ours, theirs in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert description["columns"] == ["a", 7]
    np.testing.assert_array_equal(arrays["last rows"], table().to_numpy()[-4:])


@pytest.fixture
def damage(saved, fitted):
    return saved.with_name("damaged.keras"), saved.read_bytes(), fitted[0].get_weights()


def test_every_member_is_covered_by_its_checksum(saved):
    content = saved.read_bytes()
    for name, part in members(saved).items():
        place = content.index(part) + len(part) // 2
        saved.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ValueError, match=f"damaged or was changed.*{name}.*Save it again"):
            read(saved)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("date,demand\n"), "is not a file of a saved model"),
        (lambda path: pack(path, {"table.csv": "1"}), "zip archive, but not one of a saved model"),
        (lambda path: pack(path, {}), "zip archive, but not one of a saved model"),
    ],
)
def test_a_foreign_file(make, words, tmp_path):
    path = tmp_path / "model.keras"
    make(path)
    with pytest.raises(ValueError, match=words):
        read(path)


def test_a_file_of_plain_keras_says_how_to_open_it(fitted, tmp_path):
    path = tmp_path / "model.keras"
    fitted[0].save(path)
    with pytest.raises(ValueError, match=r"holds a Keras model and nothing about.*tsf.load_model"):
        read(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": FORMAT + 1}, rf"newer version.*format {FORMAT + 1}.*Update tsforecast"),
        ({"format": FORMAT + 1, "description": {"__kind__": "of the future"}}, "newer version"),
        ({"format": "one"}, "damaged or was changed"),
        ({"description": {"__kind__": "eval", "value": "print(1)"}}, "no kind of value 'eval'"),
        ({"description": {"__kind__": "numpy", "value": ["O", 1]}}, "damaged or was changed"),
        ({"description": [1]}, "damaged or was changed"),
        ({"arrays": ["last rows", "another"]}, "damaged or was changed"),
        ({"arrays": 3}, "damaged or was changed"),
    ],
    ids=str,
)
def test_a_description_that_was_changed(change, words, saved):
    contents = members(saved)
    head = json.loads(contents[DESCRIPTION]) | change
    pack(saved, contents | {DESCRIPTION: json.dumps(head)})
    with pytest.raises(ValueError, match=words):
        read(saved)


@pytest.mark.parametrize("text", ["", "[", "[]", "null", "[" * 100_000, '{"format": 1}', "\xff"])
def test_a_description_that_is_none(text, saved):
    pack(saved, members(saved) | {DESCRIPTION: text.encode("latin1")})
    with pytest.raises(ValueError, match="damaged or was changed"):
        read(saved)


# --- files that mean harm -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil", "assets/../../evil", "C:\\evil", "..\\x"]
)
def test_names_that_lead_out_of_the_file(name, saved):
    pack(saved, members(saved) | {name: "x"})
    with pytest.raises(ValueError, match="leads out of the file"):
        read(saved)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_an_array_with_pickle_is_not_opened(saved):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    pack(saved, members(saved) | {"tsforecast/0.npy": buffer.getvalue()})
    with pytest.raises(ValueError, match="damaged or was changed"):
        read(saved)
    assert not Bomb.opened


class Bomb:
    opened = []  # noqa: RUF012

    def __reduce__(self):
        return (Bomb.opened.append, (1,))


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(3, 3)", "(-1,)", "(10**9,)"])
def test_an_array_that_claims_another_size(shape, saved):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    content = (
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"12345678"
    )
    pack(saved, members(saved) | {"tsforecast/0.npy": content})
    with pytest.raises(ValueError, match="damaged or was changed"):
        read(saved)


def test_an_archive_that_unpacks_to_more_than_it_is(saved):
    contents = members(saved) | {"tsforecast/1.npy": bytes(10_000_000)}
    pack(saved, contents, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="packed again"):
        read(saved)


def test_members_that_share_their_bytes(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        info = archive.getinfo("model.weights.h5")
        for number in range(20):
            twin = zipfile.ZipInfo(f"{number}")
            for field in ("header_offset", "file_size", "compress_size", "CRC", "compress_type"):
                setattr(twin, field, getattr(info, field))
            archive.filelist.append(twin)
        archive._didModify = True
    with pytest.raises(ValueError, match=r"damaged or was changed.*larger than the file"):
        read(saved)


def layer(class_name, module="keras.layers", config=None, **more):
    entry = {"class_name": class_name, "module": module, "config": config or {}}
    entry |= {"registered_name": None} | more

    def change(model):
        model["config"]["layers"][1] |= entry

    return change


def nested(entry):
    def change(model):
        model["config"]["layers"][1]["config"]["activity_regularizer"] = entry

    return change


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (layer("Lambda", config={"name": "x"}), "keras.layers.Lambda"),
        (layer("Lambda", "keras.src.layers.core.lambda_layer"), "Lambda"),
        (layer("TFSMLayer", config={"filepath": "/x"}), "keras.layers.TFSMLayer"),
        (layer("TorchModuleWrapper"), "keras.layers.TorchModuleWrapper"),
        (layer("StringLookup", config={"vocabulary": "/etc/passwd"}), "StringLookup"),
        (layer("Popen", "subprocess"), "subprocess.Popen"),
        (layer("Scaling", "evil.layers", registered_name="evil>Scaling"), "evil.layers.Scaling"),
        (layer("Scaling", "tsforecast.layers", registered_name="evil>Scaling"), "Scaling"),
        (layer("Dense", None), "Dense"),
        (layer("Dense", ["keras.layers"]), "Dense"),
        (layer(["Dense"]), ""),
        (layer("load_model", "keras.models"), "keras.models.load_model"),
        (layer("get_file", "keras.utils"), "keras.utils.get_file"),
        (layer("clear_session", "keras"), "keras.clear_session"),
        (nested({"class_name": "__lambda__", "config": {"value": "4wA="}}), "__lambda__"),
        (nested({"class_name": "__typespec__", "config": []}), "__typespec__"),
        (
            nested({"class_name": "function", "module": "builtins", "config": "eval"}),
            "builtins.function",
        ),
        (
            nested({"class_name": "function", "module": "os", "config": "system"}),
            "os.function",
        ),
        (
            nested({"class_name": "Model", "module": "m", "config": {}, "registered_name": 3}),
            "m.Model",
        ),
    ],
)
def test_a_model_that_names_other_code_is_refused(change, name, saved):
    change_config(saved, change)
    with pytest.raises(
        ValueError, match=f"asks for .*{name}.*, which is neither.*do not open the file"
    ):
        read(saved)


@pytest.mark.parametrize("units", [10**6, 10**12])
def test_a_model_that_asks_for_more_memory_than_the_file_holds(units, saved):
    def change(model):
        for entry in model["config"]["layers"]:
            if entry["class_name"] == "Dense":
                entry["config"]["units"] = units
                entry["build_config"] = None

    change_config(saved, change)
    start = time.monotonic()
    with pytest.raises(ValueError, match="damaged or was changed"):
        read(saved)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "change",
    [
        lambda model: {"class_name": "Functional", "module": "keras", "config": {}},
        lambda model: {"a": 1},
        lambda model: [1],
        lambda model: model["config"]["layers"].pop(1) and None,
        lambda model: layer("Dense", config={"units": "many"})(model),
    ],
)
def test_a_model_that_was_changed(change, saved):
    change_config(saved, change)
    with pytest.raises(ValueError, match="damaged or was changed"):
        read(saved)


def test_how_it_was_trained_is_not_loaded(saved):
    def change(model):
        model["compile_config"] = {"loss": {"class_name": "Lambda", "module": "evil", "config": {}}}

    change_config(saved, change)
    assert not read(saved)[0].compiled
