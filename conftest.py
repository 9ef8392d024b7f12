"""Shared by the tests and by the check of the notebooks (``pytest --nbval``)."""

import os
import sys
from pathlib import Path

import notebook_comparator
import pytest

sys.path.insert(0, str(Path(__file__).parent / "scripts"))

import exercises


def pytest_configure(config):
    if config.getoption("--nbval", default=False):
        notebook_comparator.install()


def pytest_runtest_call(item):
    """Before the solution of an exercise runs in the notebook's kernel, its stub must fail there."""
    if hasattr(item, "cell_num"):
        exercises.run_stub_before(item)


def pytest_report_header(config):
    if config.getoption("--nbval", default=False):
        return (
            f"notebook outputs: decimals within {notebook_comparator.RTOL:g} (relative) or "
            f"{notebook_comparator.ATOL:g}, unless a tag widens it; all else exactly"
        )
    return None


def pytest_collection_modifyitems(items):
    """Examples that need data from the network run where ``TSFORECAST_DATA`` names a folder."""
    if os.environ.get("TSFORECAST_DATA"):
        return
    reason = "needs data from the network; TSFORECAST_DATA names a folder that has it"
    for item in items:
        if item.name in ("tsforecast.datasets.m4_hourly", "tsforecast.datasets.etth1"):
            item.add_marker(pytest.mark.skip(reason=reason))
