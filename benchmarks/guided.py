"""A coverage-guided fuzzer on the loader of files; `fuzzing.py` starts it, with atheris on the path.

Atheris sees which branches of `tsforecast.persistence` a file reaches. Files that reach new ones are
kept and changed again. A change is one of bytes, or of one value in a text of JSON, in a member
of the archive, whose checksums are then made good again.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import traceback
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

ODD = (None, True, -1, 0, 1, 2**31, 10**12, 1e308, "", "y", "x" * 300, "../x", [], {}, [[]], "1D")


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def with_odd_value(value: Any, rng: random.Random) -> Any:
    """The same JSON with one value somewhere inside replaced, removed, or put in a second place."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.1:
        return rng.choice(ODD)
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if rng.random() < 0.1:
        changed = value.copy()
        changed.pop(key)
        return changed
    new = with_odd_value(value[key], rng)
    if isinstance(value, dict):
        return value | {key: new} | ({str(new)[:20]: value[key]} if rng.random() < 0.05 else {})
    return [*value[:key], new, *value[key + 1 :]]


def main(seeds: str, runs: str, seed: str, out: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["tsforecast.persistence"]):
        from tsforecast import persistence
    from tsforecast import Forecaster

    package = Path(persistence.__file__).parent
    counts: dict[str, Any] = {"inputs": 0, "worked": 0, "refused": 0}
    counts["atheris"] = version("atheris")
    wanted = int(runs)
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "kept.keras")

    def load(content: bytes) -> None:
        counts["inputs"] += 1
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            try:
                assert repr(Forecaster.load(path))
                counts["worked"] += 1
            except ValueError as error:
                raised = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
                assert package in raised.parents, f"{raised} raised it: {error!r}"
                assert len(str(error).split()) >= 5, f"not in words: {error!r}"
                counts["refused"] += 1
        assert [part.name for part in Path(folder.name).iterdir()] == ["kept.keras"]
        if counts["inputs"] % 100 == 0 or counts["inputs"] >= wanted:
            Path(out).write_text(json.dumps(counts))

    def change(content: bytes, most: int, number: int) -> bytes:
        rng = random.Random(number)
        try:
            members = unpacked(content)
            name = rng.choice(sorted(members))
        except Exception:  # no archive any more
            return atheris.Mutate(content, most)
        if rng.random() < 0.1:
            return atheris.Mutate(content, most)
        part = members[name]
        if name.endswith(".json") and rng.random() < 0.8:
            try:
                part = json.dumps(with_odd_value(json.loads(part), rng)).encode()
            except ValueError:
                part = atheris.Mutate(part, len(part) + 100)
        else:
            part = atheris.Mutate(part, len(part) + 100)
        return packed(members | {name: part})

    options = [f"-runs={runs}", f"-seed={seed}", "-max_len=400000", "-timeout=1200"]
    options += ["-rss_limit_mb=8000", "-print_final_stats=1", "-len_control=0", seeds]
    atheris.Setup([sys.argv[0], *options], load, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
