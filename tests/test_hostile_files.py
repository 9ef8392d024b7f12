"""Files that mean harm, opened by every door: refused in words, nothing run, nothing written.

What `persistence.read` refuses is also in `test_persistence.py`; here are the weights' own file,
`load_model`, and the checkpoints of `fit`.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import tsforecast as tsf
from tsforecast import Framing, build_model, fit, load_model
from tsforecast.persistence import read, write

WEIGHTS = "model.weights.h5"


@pytest.fixture(scope="module")
def model() -> Any:
    return build_model(Framing(3), units=2, scaling="none")


@pytest.fixture
def saved(model: Any, tmp_path: Path) -> Path:
    write(tmp_path / "model.keras", model, {"columns": ["a"]})
    return tmp_path / "model.keras"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, contents: dict[str, Any], **options: Any) -> None:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def refused(path: Path, words: str) -> None:
    """By both doors; and nothing lies in the folder that was not there."""
    before = sorted(path.parent.rglob("*"))
    for opened in (read, load_model):
        with pytest.raises(ValueError, match=words):
            opened(path)
    assert sorted(path.parent.rglob("*")) == before


def first_weights(file: Any) -> str:
    """The name of a weight with two axes."""
    found: list[str] = []
    file.visititems(
        lambda name, part: found.append(name) if getattr(part, "ndim", 0) == 2 else None
    )
    return found[0]


def external(file: Any, name: str, secret: Path) -> None:
    file.create_dataset(name, (1, 8), "f4", external=[(str(secret), 0, 32)])


def external_link(file: Any, name: str, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["w"] = np.ones((1, 8), "f4")
    file[name] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "w")


def virtual(file: Any, name: str, secret: Path) -> None:
    layout = h5py.VirtualLayout((1, 8), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "w", (1, 8))
    file.create_virtual_dataset(name, layout)


def packed(file: Any, name: str, secret: Path) -> None:
    file.create_dataset(name, data=np.zeros((1, 10**6), "f4"), compression="gzip")


def never_written(file: Any, name: str, secret: Path) -> None:
    file.create_dataset(name, (10**6, 10**6), "f4")


def text(file: Any, name: str, secret: Path) -> None:
    file.create_dataset(name, data=np.array([["a"]], dtype=object), dtype=h5py.string_dtype())


def circle(file: Any, name: str, secret: Path) -> None:
    file[name] = file["/"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external, "not plain numbers"),
        (external_link, "link to somewhere else"),
        (virtual, "not plain numbers"),
        (packed, "not plain numbers"),
        (never_written, "larger than the file"),
        (text, "not plain numbers"),
        (circle, "(run in a circle|larger than the file)"),
    ],
)
def test_weights_that_lie_elsewhere_or_grow(
    saved: Path, change: Any, words: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(range(32)))
    contents = members(saved)
    buffer = io.BytesIO(contents[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        name = first_weights(file)
        del file[name]
        change(file, name, secret)
    pack(saved, contents | {WEIGHTS: buffer.getvalue()})
    refused(saved, f"damaged or was changed.*{words}")


def test_what_any_saved_model_has_is_accepted(saved: Path, model: Any, tmp_path: Path) -> None:
    assert len(load_model(saved).weights) == len(model.weights)
    model.save(tmp_path / "plain.keras")
    assert len(load_model(tmp_path / "plain.keras").weights) == len(model.weights)
    x = keras.Input((3, 1))
    y = keras.layers.BatchNormalization(dtype="bfloat16")(x)
    keras.Model(x, y).save(tmp_path / "bfloat16.keras")
    assert len(load_model(tmp_path / "bfloat16.keras").weights) == 4


@pytest.mark.filterwarnings("ignore:.*Lambda")
def test_a_layer_with_code_in_it(tmp_path: Path) -> None:
    """Made as Keras makes it, with the code as bytes in the file."""
    x = keras.Input((3, 1))
    path = tmp_path / "code.keras"
    flag = str(tmp_path / "executed")
    y = keras.layers.Lambda(lambda x: (Path(flag).touch(), x)[1], output_shape=(3, 1))(
        keras.layers.Identity()(x)
    )
    Path(flag).unlink(missing_ok=True)  # of the layer that was built here
    keras.Model(x, y).save(path)
    with pytest.raises(ValueError, match=r"asks for .*Lambda.*do not open the file"):
        load_model(path)
    assert not Path(flag).exists()


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "C:\\evil", "a/../../evil"])
def test_names_that_lead_out_of_the_archive(saved: Path, name: str) -> None:
    pack(saved, members(saved) | {name: "x"})
    refused(saved, "leads out of the file")


def test_an_archive_that_unpacks_to_a_thousand_times_its_size(saved: Path) -> None:
    pack(saved, members(saved) | {"zeros": bytes(10**7)}, compression=zipfile.ZIP_DEFLATED)
    refused(saved, "packed again")


def test_a_layer_that_asks_for_all_memory(saved: Path) -> None:
    contents = members(saved)
    config = json.loads(contents["config.json"])
    for entry in config["config"]["layers"]:
        if entry["class_name"] == "Dense":
            entry["config"]["units"] = 10**12
            entry["build_config"] = None
    pack(saved, contents | {"config.json": json.dumps(config)})
    refused(saved, "damaged or was changed")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "null", "\xff"])
def test_a_configuration_that_is_none(saved: Path, text: str) -> None:
    pack(saved, members(saved) | {"config.json": text.encode("latin1")})
    refused(saved, "damaged or was changed")


def test_the_wrong_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "table.keras"
    path.write_text("date,demand\n")
    refused(path, "is not a file of a saved model")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_model(tmp_path / "gone.keras")


class Bomb:
    """What a pickle would run."""

    opened: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return (Bomb.opened.append, (1,))


@pytest.mark.parametrize("name", ["state", "model.0"])
def test_a_checkpoint_with_a_pickle_in_it(model: Any, tmp_path: Path, name: str) -> None:
    arrays: dict[str, Any] = {"state": np.array("{}"), "model.0": np.zeros(1)}
    arrays[name] = np.array([Bomb()], dtype=object)
    np.savez(tmp_path / "training.npz", **arrays)
    windows = Framing(3).windows(tsf.datasets.toy())
    with pytest.raises(ValueError, match=r"not a checkpoint of fit, or a damaged one. Delete it"):
        fit(model, windows, epochs=1, checkpoint=tmp_path / "training.npz")
    assert not Bomb.opened
