"""A few random inputs to every part of the package; `benchmarks/fuzzing.py` tries thousands."""

from typing import Any

import pandas as pd
import pytest

from benchmarks import fuzzing
from tsforecast import Framing, Windows


@pytest.mark.parametrize(
    ("name", "examples"), [("frames", 60), ("models", 3), ("forecasters", 4), ("files", 6)]
)
def test_random_inputs_work_or_are_refused_in_words(name: str, examples: int) -> None:
    before = fuzzing.COUNTS[f"{name}: inputs"]
    fuzzing.run(name, examples, seed=1)
    assert fuzzing.COUNTS[f"{name}: inputs"] - before >= examples // 2


def raises(error: Exception) -> Any:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


@pytest.mark.parametrize("error", [KeyError("y"), TypeError("no"), UserWarning("mind the gap")])
def test_another_exception_is_found(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(Framing, "windows", raises(error))
    with pytest.raises(type(error)):
        fuzzing.run("frames", 60, seed=1, shrink=False)


def test_an_error_of_a_library_below_is_found() -> None:
    with pytest.raises(AssertionError, match="not the package"):
        fuzzing.attempt("dates", lambda: pd.to_datetime("no date at all"))


def test_a_broken_promise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Windows, "target_times", lambda *_: [])
    with pytest.raises(AssertionError):
        fuzzing.run("frames", 200, seed=1, shrink=False)
