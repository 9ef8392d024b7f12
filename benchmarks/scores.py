"""The scores by which others have published results, so that ours stand beside theirs.

M4: sMAPE in percent, MASE and OWA, by utilsforecast. ETTh1: the squared and the absolute error of
standardised numbers, over all windows. ``benchmarks/published_checks.py`` compares both with
published numbers that can be computed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

NAIVE2 = {"smape": 18.383, "mase": 2.395}  # of the M4 competition's Naive2, hourly, as published
SEASON = 24  # hours

ETTH1_TRAIN, ETTH1_VALIDATION, ETTH1_TEST = 8640, 2880, 2880  # rows, one part after the other


def m4_scores(forecast: pd.DataFrame, test: pd.DataFrame, train: pd.DataFrame) -> dict[str, float]:
    """sMAPE, MASE and OWA of hourly M4 forecasts, as the competition computed them.

    Parameters
    ----------
    forecast : pandas.DataFrame
        ``unique_id``, ``ds``, ``y``, as `Forecaster.forecast` returns it; other columns are left
        alone. Every hour of the test part once.
    test, train : pandas.DataFrame
        `tsforecast.datasets.m4_hourly` in its parts.

    Returns
    -------
    dict
        "smape" in percent: the mean over series of ``200 |y - f| / (|y| + |f|)``. "mase": the
        mean absolute error in units of that of the seasonal naive forecast (24 hours) within the
        training part. "owa": the mean of both, each divided by the published one of Naive2.

    Raises
    ------
    ValueError
        If an hour is missing, is there twice, or has no number.
    """
    from utilsforecast import losses

    keys = ["unique_id", "ds"]
    ours = forecast[[*keys, "y"]].rename(columns={"y": "model"})
    both = test[[*keys, "y"]].merge(ours, on=keys, how="left", validate="one_to_one")
    missing = both.loc[~np.isfinite(both["model"]), "unique_id"].unique()
    if len(ours) != len(test) or len(missing):
        raise ValueError(
            f"The forecast must have a number for every hour of the test part and for no other: "
            f"{len(test)} rows expected, {len(ours)} came; series with hours missing: "
            f"{', '.join(missing[:5]) or 'none'}."
        )
    history = train[train["unique_id"].isin(both["unique_id"])]
    smape = 200 * losses.smape(both, ["model"])["model"].mean()
    mase = losses.mase(both, ["model"], SEASON, history)["model"].mean()
    owa = (smape / NAIVE2["smape"] + mase / NAIVE2["mase"]) / 2
    return {"smape": float(smape), "mase": float(mase), "owa": float(owa)}


def etth1_scores(
    y: np.ndarray, forecast: np.ndarray, scale: np.ndarray | float | None = None
) -> dict[str, float]:
    """Squared and absolute error of standardised numbers, over all windows, steps and columns.

    Parameters
    ----------
    y, forecast : array, (windows, horizon, 7)
        What came and what was forecast, in the table's own units. The test part has
        ``2880 - horizon + 1`` windows, and none may be left out.
    scale : array of 7, or float, optional
        The standard deviations to divide by; if not given, those of the first 8,640 rows. 1.0 if
        the numbers are standardised already.

    Returns
    -------
    dict
        "mse" and "mae".

    Raises
    ------
    ValueError
        If windows of the test part are missing.
    """
    y, forecast = np.asarray(y, float), np.asarray(forecast, float)
    expected = (ETTH1_TEST - y.shape[1] + 1, y.shape[1], 7)
    if y.shape != expected or forecast.shape != expected:
        raise ValueError(
            f"All windows of the test part count: the shape {expected} was expected for a horizon "
            f"of {y.shape[1]}, {y.shape} and {forecast.shape} came."
        )
    error = (forecast - y) / (etth1_scale() if scale is None else scale)
    return {"mse": float(np.mean(error**2)), "mae": float(np.mean(np.abs(error)))}


def etth1_scale() -> np.ndarray:
    """The standard deviation of each column in the first 8,640 rows."""
    from tsforecast import datasets

    return datasets.etth1().to_numpy()[:ETTH1_TRAIN].std(axis=0)


def etth1_targets(horizon: int) -> np.ndarray:
    """What comes in every window of the test part, (2880 - horizon + 1, horizon, 7)."""
    from tsforecast import datasets

    start = ETTH1_TRAIN + ETTH1_VALIDATION
    rows = datasets.etth1().to_numpy()[start : start + ETTH1_TEST]
    windows = np.lib.stride_tricks.sliding_window_view(rows, horizon, axis=0)
    return windows.transpose(0, 2, 1)  # (windows, horizon, columns)
