"""A fitted model and everything around it in one file, safe to open when a stranger sent it.

The file is Keras's own (a zip archive, so `tsforecast.load_model` opens it too) with two kinds of
members added: one JSON text that describes what surrounds the model, and NumPy arrays. Nothing in
it is code, nothing is unpickled; `SECURITY.md` says what is promised. Taught in the chapter on your own table
(`notebooks/own_table.ipynb`), where `Forecaster.save` and `Forecaster.load` use it.
"""

import copy
import datetime
import importlib.metadata
import io
import json
import os
import platform
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import h5py
import keras
import numpy as np
import pandas as pd
from keras.src.backend.common import global_state

from tsforecast import layers
from tsforecast.framing import Framing
from tsforecast.training import write_whole

FORMAT = 1  # goes up when an older version of the package could not read the file
DESCRIPTION = "tsforecast.json"
ARRAYS = "tsforecast/"  # folder of the arrays inside the archive
OF_KERAS = ("config.json", "metadata.json", "model.weights.h5")
MEMBERS = 10_000  # more than any file that `write` makes
KIND = "__kind__"  # marks a value of the description that JSON has no word for

# A model's layers may come from here; the package's own and those that you registered are known.
MODULES = (
    "keras.activations",
    "keras.constraints",
    "keras.dtype_policies",
    "keras.initializers",
    "keras.layers",
    "keras.losses",
    "keras.regularizers",
    "keras.src.ops.nn",
    "keras.src.ops.numpy",
)
MODELS = ("DTypePolicy", "Functional", "Model", "Sequential")
RUN_CODE = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")
READ_FILES = ("IntegerLookup", "StringLookup", "TextVectorization")
VALUES = ("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__")


def write(
    path: str | PathLike[str],
    model: keras.Model,
    description: dict[str, Any],
    arrays: dict[str, np.ndarray] | None = None,
) -> None:
    """Save a model with a description and arrays: the whole file, or no change at all.

    Parameters
    ----------
    path : str or path
        Of the file to write; ends with ``.keras``. A file that is there is replaced at the end,
        in one step: if saving fails or is killed, it is still whole.
    model : keras.Model
        Of Keras's layers and this package's.
    description : dict
        What must come back with the model: text, numbers, lists, dicts, times, time zones,
        frequencies, indexes, a `Framing`. See `to_json`.
    arrays : dict of str to numpy.ndarray, optional
        Larger tables of numbers, times or text.

    Raises
    ------
    ValueError
        If the name does not end with ``.keras``, or if something cannot be saved without pickle.
    FileNotFoundError
        If the folder does not exist.
    OSError
        If the disk is full, or if the folder may not be written to (a PermissionError).

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tsforecast import build_model
    >>> model = build_model(Framing(3))
    >>> with TemporaryDirectory() as folder:
    ...     write(f"{folder}/model.keras", model, {"columns": ["a", 2]}, {"last": np.arange(3)})
    ...     loaded, description, arrays = read(f"{folder}/model.keras")
    >>> description["columns"], arrays["last"].tolist()
    (['a', 2], [0, 1, 2])
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f"The name of the file must end with .keras; got {os.fspath(path)!r}.")
    arrays = arrays or {}
    members = {
        DESCRIPTION: json.dumps(
            {
                "format": FORMAT,
                "versions": _versions(),
                "arrays": list(arrays),
                "description": to_json(description),
            },
            allow_nan=False,
        ).encode()
    }
    for number, (name, array) in enumerate(arrays.items()):
        members[f"{ARRAYS}{number}.npy"] = _npy(name, array)

    def fill(temporary: Path) -> None:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    write_whole(path, fill)


def read(path: str | PathLike[str]) -> tuple[keras.Model, dict[str, Any], dict[str, np.ndarray]]:
    """Open a file that `write` made, whoever sent it.

    Parameters
    ----------
    path : str or path
        Of the file.

    Returns
    -------
    model : keras.Model
        With the same weights, bit for bit, ready to forecast. It is not compiled: `fit` does that.
    description : dict
        As it was given to `write`, and in ``["versions"]`` what it was written with.
    arrays : dict of str to numpy.ndarray

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, was not made by `write` or by a newer version of it, or if its
        model would run code that is neither Keras's nor this package's.

    Notes
    -----
    What protects you: members are read by their names and never unpacked to a folder; they are
    stored uncompressed, so that none can be larger than the file; each has a checksum; arrays are
    read without pickle; the model's configuration may name Keras's layers and this package's
    only, and none that hold code; it may not ask for more weights than the file holds; and the
    weights lie in the file itself, as they are.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "notes.keras")
    ...     _ = path.write_text("no model")
    ...     try:
    ...         read(path)
    ...     except ValueError as error:
    ...         print(error)
    '.../notes.keras' is not a file of a saved model...
    """
    members = _members(path)
    if DESCRIPTION not in members:
        raise ValueError(
            f"{_name(path)} holds a Keras model and nothing about its columns, times and settings: "
            f"it was saved with model.save. Open it with tsf.load_model({_name(path)})."
        )
    try:
        head = json.loads(members[DESCRIPTION])
        if not isinstance(head["format"], int):
            raise ValueError("its format is no number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        refuse_damaged(path, error)
    if head["format"] > FORMAT:
        raise ValueError(
            f"{_name(path)} was saved by a newer version of tsforecast (file format "
            f"{head['format']}, this version reads up to {FORMAT}). Update tsforecast, or save the "
            f"file again with the version that you have here ({_versions()['tsforecast']})."
        )
    try:
        description = from_json(head["description"]) | {"versions": dict(head["versions"])}
        arrays = {
            name: _array(members[f"{ARRAYS}{number}.npy"])
            for number, name in enumerate(head["arrays"])
        }
        config = json.loads(members["config.json"])
    except Exception as error:  # whatever a wrong value raises in pandas or NumPy
        refuse_damaged(path, error)
    return _model(path, config, members), description, arrays


def load_model(path: str | PathLike[str]) -> keras.Model:
    """Load a model that was saved with ``model.save(path)``: the same forecasts, scaling included.

    Parameters
    ----------
    path : str or path
        Of the ``.keras`` file.

    Returns
    -------
    keras.Model
        Fitted as it was when it was saved. It is not compiled: `fit` does that.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a Keras file, if it is damaged, or if its model would run code that is neither
        Keras's nor this package's.

    Notes
    -----
    The file names the package's layers. That is why ``keras.models.load_model`` in a new process
    says "could not be deserialized": Keras has not met them yet. This function introduces them. It
    looks at a file as closely as `read` does, so a stranger's file is safe to open.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from tsforecast import build_model
    >>> model = build_model(Framing(3))
    >>> with TemporaryDirectory() as folder:
    ...     model.save(Path(folder) / "model.keras")
    ...     load_model(Path(folder) / "model.keras").count_params() == model.count_params()
    True
    """
    members = _members(path)
    try:
        config = json.loads(members["config.json"])
    except (ValueError, RecursionError) as error:
        refuse_damaged(path, error)
    return _model(path, config, members)


# --- what JSON has no word for ---------------------------------------------------------------------


def to_json(value: Any) -> Any:
    """The same value in words that JSON knows; `from_json` turns it back.

    Parameters
    ----------
    value : object
        None, a truth value, number or text; a list, tuple or dict of such; a number of NumPy; a
        time, period, time difference, date, frequency or index of pandas; a `Framing`.

    Returns
    -------
    object
        Of dicts, lists, text, numbers, truth values and None only.

    Raises
    ------
    ValueError
        If there is no way to write it that is sure to come back the same.

    Examples
    --------
    >>> index = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin")
    >>> from_json(json.loads(json.dumps(to_json(index)))).equals(index)
    True
    >>> from_json(to_json({("demand", 1): np.float32(0.1)}))
    {('demand', 1): np.float32(0.1)}
    """
    if value is None or (isinstance(value, (bool, str)) and type(value) in (bool, str)):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        return value if np.isfinite(value) else _kind("float", repr(value))
    if type(value) is list:
        return [to_json(item) for item in value]
    if type(value) is tuple:
        return _kind("tuple", [to_json(item) for item in value])
    if type(value) is dict:
        if all(type(key) is str for key in value) and KIND not in value:
            return {key: to_json(item) for key, item in value.items()}
        return _kind("dict", [[to_json(key), to_json(item)] for key, item in value.items()])
    if isinstance(value, Framing):
        names = [field.name for field in fields(value) if field.init and field.name != "_"]
        return _kind("framing", {name: to_json(getattr(value, name)) for name in names})
    if isinstance(value, pd.Index):
        return _index_to_json(value)
    for kind, encode in _TO_JSON.items():
        if isinstance(value, kind):
            return encode(value)
    raise ValueError(
        f"A value of type {type(value).__name__} cannot be saved: {value!r}. A saved file holds "
        f"text, numbers, times, frequencies, and lists and dicts of these; arrays go into arrays=."
    )


def from_json(value: Any) -> Any:
    """The value that `to_json` wrote.

    Parameters
    ----------
    value : object
        What `to_json` returned.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it is not something that `to_json` writes.

    Examples
    --------
    >>> from_json(to_json(pd.Timestamp("2024-10-27 01:30", tz="Europe/Berlin")))
    Timestamp('2024-10-27 01:30:00+0200', tz='Europe/Berlin')
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if KIND not in value:
        return {key: from_json(item) for key, item in value.items()}
    kind, content = value[KIND], value["value"]
    if kind not in _FROM_JSON:
        raise ValueError(f"there is no kind of value {kind!r}")
    return _FROM_JSON[kind](content)


def _kind(kind: str, value: Any) -> dict[str, Any]:
    return {KIND: kind, "value": value}


def _zone(zone: datetime.tzinfo | None) -> str | None:
    """The name of a time zone, from which pandas makes it again."""
    if zone is None:
        return None
    name = getattr(zone, "key", None) or getattr(zone, "zone", None) or str(zone)
    if isinstance(zone, datetime.timezone):
        name = str(datetime.timezone(zone.utcoffset(None)))  # "UTC+05:30", whatever it is called
    try:
        again = pd.Timestamp(0, tz=name).tz
    except Exception:  # whatever the name stands for, pandas cannot read it
        again = None
    here = [pd.Timestamp(year, tz="UTC").tz_convert(zone).utcoffset() for year in _MOMENTS]
    if again is None or here != [
        pd.Timestamp(year, tz="UTC").tz_convert(again).utcoffset() for year in _MOMENTS
    ]:
        raise ValueError(
            f"The time zone {zone!r} has no name to save it under. Name it: "
            f"table.tz_convert('Europe/Berlin')."
        )
    return str(name)


_MOMENTS = [f"{year}-{month:02}-01" for year in (1975, 2024) for month in range(1, 13)]


def _frequency(freq: Any) -> str | None:
    if freq is None:
        return None
    try:
        again = pd.tseries.frequencies.to_offset(freq.freqstr)
    except ValueError:
        again = None
    if again != freq:
        raise ValueError(f"The frequency {freq!r} has no name to save it under, such as '30min'.")
    return str(freq.freqstr)


def _index_to_json(index: pd.Index) -> dict[str, Any]:
    name = to_json(index.name)
    if isinstance(index, pd.RangeIndex):
        return _kind("range", [index.start, index.stop, index.step, name])
    if isinstance(index, pd.PeriodIndex):
        return _kind("periods", [index.asi8.tolist(), index.freqstr, name])
    if isinstance(index, pd.DatetimeIndex):
        parts = [index.unit, _zone(index.tz), _frequency(index.freq), name]
        return _kind("times", [index.asi8.tolist(), *parts])
    if isinstance(index, (pd.MultiIndex, pd.CategoricalIndex, pd.IntervalIndex)):
        raise ValueError(f"A {type(index).__name__} cannot be saved. Turn it into columns.")
    return _kind("index", [to_json(index.tolist()), str(index.dtype), name])


def _times_from_json(content: Any) -> pd.DatetimeIndex:
    numbers, unit, zone, freq, name = content
    index = pd.DatetimeIndex(np.array(numbers, dtype=f"M8[{unit}]"), name=from_json(name))
    if zone is not None:
        index = index.tz_localize("UTC").tz_convert(zone)
    return pd.DatetimeIndex(index, freq=freq)


def _periods_from_json(content: Any) -> pd.PeriodIndex:
    ordinals, freq, name = content
    periods = [pd.Period(ordinal=ordinal, freq=freq) for ordinal in ordinals]
    return pd.PeriodIndex(periods, freq=freq, name=from_json(name))


def _time_from_json(content: Any) -> pd.Timestamp:
    number, unit, zone = content
    time = pd.Timestamp(np.datetime64(number, unit))
    return time if zone is None else time.tz_localize("UTC").tz_convert(zone)


def _framing_from_json(content: Any) -> Framing:
    return Framing(**{name: from_json(value) for name, value in content.items()})


_TO_JSON: dict[Any, Callable[[Any], Any]] = {  # the first kind that fits: NaT before times
    type(pd.NaT): lambda _: _kind("missing", "NaT"),
    type(pd.NA): lambda _: _kind("missing", "NA"),
    pd.Timestamp: lambda x: _kind("time", [x.asm8.astype("i8").item(), x.unit, _zone(x.tz)]),
    pd.Timedelta: lambda x: _kind("difference", [x.asm8.astype("i8").item(), x.unit]),
    pd.Period: lambda x: _kind("period", [x.ordinal, x.freqstr]),
    pd.offsets.BaseOffset: lambda x: _kind("frequency", _frequency(x)),
    datetime.datetime: lambda x: to_json(pd.Timestamp(x)),
    datetime.date: lambda x: _kind("date", x.isoformat()),
    datetime.timedelta: lambda x: to_json(pd.Timedelta(x)),
    (np.datetime64, np.timedelta64): lambda x: _kind("numpy", [str(x.dtype), x.astype(int).item()]),
    (np.bool_, np.integer, np.floating, np.str_): lambda x: _kind(
        "numpy", [x.dtype.str, to_json(x.item())]
    ),
}
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "tuple": lambda x: tuple(from_json(item) for item in x),
    "dict": lambda x: {from_json(key): from_json(item) for key, item in x},
    "framing": _framing_from_json,
    "range": lambda x: pd.RangeIndex(x[0], x[1], x[2], name=from_json(x[3])),
    "periods": _periods_from_json,
    "times": _times_from_json,
    "index": lambda x: pd.Index(from_json(x[0]), dtype=x[1], name=from_json(x[2])),
    "missing": {"NaT": pd.NaT, "NA": pd.NA}.__getitem__,
    "time": _time_from_json,
    "difference": lambda x: pd.Timedelta(np.timedelta64(*x)),
    "period": lambda x: pd.Period(ordinal=x[0], freq=x[1]),
    "frequency": pd.tseries.frequencies.to_offset,
    "date": datetime.date.fromisoformat,
    "numpy": lambda x: np.array(from_json(x[1]), dtype=_plain(x[0]))[()],
}


# --- the archive -----------------------------------------------------------------------------------


def _versions() -> dict[str, str]:
    try:
        own = importlib.metadata.version("tsforecast-book")
    except importlib.metadata.PackageNotFoundError:  # a folder on the path, never installed
        own = "unknown"
    return {
        "tsforecast": own,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "python": platform.python_version(),
    }


def _plain(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype.kind not in "biufcSUmM":
        raise ValueError(f"arrays of {dtype} are not read")
    return dtype


def _npy(name: str, array: Any) -> bytes:
    array = np.asarray(array)
    if array.dtype.kind not in "biufcSUmM":
        raise ValueError(
            f"The array {name!r} holds {array.dtype} values, which only pickle could save. Turn it "
            f"into numbers, times or text first: array.astype(float), array.astype(str)."
        )
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> np.ndarray:
    buffer = io.BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(buffer)
    values = content[buffer.tell() :]
    expected = int(np.prod(shape, dtype=object)) * _plain(dtype).itemsize
    if len(values) != expected:
        raise ValueError(f"an array of {shape} {dtype} in {len(values)} bytes")
    flat = np.frombuffer(values, dtype).copy()
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _members(path: str | PathLike[str]) -> dict[str, bytes]:
    """What is in the archive, each member checked against its checksum."""
    if not Path(path).exists():
        raise FileNotFoundError(f"There is no file {_name(path)}. Check the name and the folder.")
    if Path(path).is_dir():
        raise ValueError(f"{_name(path)} is a folder. Give the path of the .keras file.")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{_name(path)} is not a file of a saved model, or only the first part of one. Save it "
            f"again, or copy it again from where it is whole."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            _check_members(names, members, os.path.getsize(path))
            contents = {name: archive.read(name) for name in names}
    except Exception as error:  # a flipped bit can break any part of an archive
        refuse_damaged(path, error)
    if not set(OF_KERAS) <= set(contents):
        raise ValueError(
            f"{_name(path)} is a zip archive, but not one of a saved model: it has no "
            f"{', '.join(name for name in OF_KERAS if name not in contents)}."
        )
    return contents


def _check_members(names: list[str], members: list[zipfile.ZipInfo], size: int) -> None:
    strange = [name for name in names if name.startswith(("/", "\\")) or ":" in name]
    strange += [name for name in names if ".." in name.replace("\\", "/").split("/")]
    if strange:
        raise ValueError(f"a member is called {strange[0]!r}, which leads out of the file")
    if len(names) > MEMBERS or len(set(names)) < len(names):
        raise ValueError("it has too many members, or two of one name")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("its members were packed again by another program")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members claim to be larger than the file")


def refuse_damaged(path: str | PathLike[str], error: Exception) -> NoReturn:
    """Raise a ValueError that says what is wrong with a file, and what to do."""
    reason = " ".join(str(error).split()) or type(error).__name__
    raise ValueError(
        f"{_name(path)} is damaged or was changed since it was saved: {reason[:200]}. Save it "
        f"again, or copy it again from where it is whole."
    ) from error


def _name(path: str | PathLike[str]) -> str:
    return repr(os.fspath(path))


# --- the model -------------------------------------------------------------------------------------


def _model(path: str | PathLike[str], config: Any, members: dict[str, bytes]) -> keras.Model:
    try:
        _drop_compile_config(config)
        strange = _strange_classes(config)
    except (RecursionError, TypeError) as error:
        refuse_damaged(path, error)
    if strange:
        raise ValueError(
            f"{_name(path)} asks for {strange[0]}, which is neither a layer of Keras that is safe "
            f"to load nor one of this package. If you wrote it yourself, register it before "
            f"loading: @keras.saving.register_keras_serializable(). If not, do not open the file."
        )
    try:
        _check_weights(members["model.weights.h5"])
        needed = _count_weights(config)
        if needed > len(members["model.weights.h5"]):  # a weight takes at least a byte
            raise ValueError(f"its model asks for {needed:,} weights, more than the file holds")
        with tempfile.TemporaryDirectory() as folder:
            clean = Path(folder, "model.keras")
            with zipfile.ZipFile(clean, "w") as archive:
                for name in OF_KERAS:
                    content = json.dumps(config) if name == "config.json" else members[name]
                    archive.writestr(name, content)
            return keras.models.load_model(clean, compile=False, safe_mode=True)
    except Exception as error:  # Keras reports a wrong value in many ways
        refuse_damaged(path, error)


def _check_weights(content: bytes) -> None:
    """Raise a ValueError where weights are not plainly in this file: elsewhere, or packed."""
    size, seen = 0, 0
    with h5py.File(io.BytesIO(content), "r") as file:
        groups = [file]
        while groups:
            group = groups.pop()
            for name in group:
                seen += 1
                if seen > MEMBERS:
                    raise ValueError("its weights have too many parts, or run in a circle")
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"the weights {name!r} are a link to somewhere else")
                part = group[name]
                if isinstance(part, h5py.Group):
                    groups.append(part)
                    continue
                elsewhere = part.external or part.is_virtual
                if elsewhere or part.chunks or part.dtype.kind not in "biufV":
                    raise ValueError(f"the weights {part.name!r} are not plain numbers in the file")
                size += part.size * part.dtype.itemsize
                if size > len(content):
                    raise ValueError("its weights claim to be larger than the file")


def _count_weights(config: Any) -> int:
    """Weights of the model that a configuration describes, found without any memory for them."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            outline = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
        return sum(int(np.prod(weight.shape, dtype=object)) for weight in outline.weights)
    finally:  # Keras keeps a list of weights to initialise later: not these
        global_state.set_global_attribute("uninitialized_variables", [])


def _drop_compile_config(config: Any) -> None:
    """How the model was trained is not needed to forecast, and would be more to check."""
    if isinstance(config, dict):
        config.pop("compile_config", None)
        for value in config.values():
            _drop_compile_config(value)
    elif isinstance(config, list):
        for value in config:
            _drop_compile_config(value)


def _strange_classes(config: Any) -> list[str]:
    """Classes and functions that a configuration names and that `read` does not load."""
    if isinstance(config, list):
        return [name for value in config for name in _strange_classes(value)]
    if not isinstance(config, dict):
        return []
    strange = []
    if "class_name" in config and not _is_known(config):
        module = config.get("module")
        strange.append(f"{module}.{config['class_name']}" if module else str(config["class_name"]))
    return strange + [name for value in config.values() for name in _strange_classes(value)]


def _is_known(config: dict[str, Any]) -> bool:
    module, name = config.get("module"), config["class_name"]
    if name in VALUES:
        return True
    if name in RUN_CODE + READ_FILES or not isinstance(module, str) or not isinstance(name, str):
        return False
    if name == "function":
        name = config.get("config")
        if module == "builtins":
            return any(hasattr(part, str(name)) for part in (keras.activations, keras.initializers))
        return module in ("keras.activations", "keras.initializers") or _is_registered(name)
    if module == "keras" or module == "keras.src.models.functional":
        return name in MODELS
    return module in MODULES or _is_registered(config.get("registered_name"))


def _is_registered(name: Any) -> bool:
    """Whether this program, not the file, has said what the name stands for."""
    assert layers  # importing them registers the package's own
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None
