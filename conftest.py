"""Shared by the tests and by the check of the notebooks (``pytest --nbval``)."""

import notebook_comparator


def pytest_configure(config):
    if config.getoption("--nbval", default=False):
        notebook_comparator.install()


def pytest_report_header(config):
    if config.getoption("--nbval", default=False):
        return (
            f"notebook outputs: decimals within {notebook_comparator.RTOL:g} (relative) or "
            f"{notebook_comparator.ATOL:g}, unless a tag widens it; all else exactly"
        )
    return None
