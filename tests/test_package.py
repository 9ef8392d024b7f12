"""The package as a whole: what importing it costs, and what its public names promise."""

import inspect
import subprocess
import sys

import pytest

import tsforecast as tsf
from tsforecast import Framing, build_model


def test_framing_needs_no_keras_and_no_matplotlib() -> None:
    code = (
        "import sys, numpy as np, tsforecast as tsf\n"
        "windows = tsf.Framing(3).windows(np.arange(9.0))\n"
        "windows.describe(), list(windows.batches(4))\n"
        "print(sorted({'keras', 'tensorflow', 'matplotlib', 'utilsforecast'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", tsf.__all__)
def test_public_names_exist_and_show_an_example(name: str) -> None:
    thing = getattr(tsf, name)
    assert name in dir(tsf)
    if not inspect.ismodule(thing):
        doc = inspect.getdoc(thing) or ""
        assert "Examples\n---" in doc
        assert ">>> " in doc


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'forecasst'"):
        _ = tsf.forecasst


def test_season_without_its_skip() -> None:
    with pytest.raises(ValueError, match=r"season=48.*skip='season'.*skip='none'"):
        build_model(Framing(96), season=48)
