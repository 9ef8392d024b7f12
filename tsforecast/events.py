"""Events instead of numbers: labels without look-ahead, honest scores, and flags for the unusual.

A label is a column like any other, so that the framing's borders and cutoffs hold for it too. The
model answers with a chance (``build_model(..., head="event")``); a threshold, chosen on a validation
part, makes a yes or no of it. Taught in the event chapter (`notebooks/events.ipynb`).
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from tsforecast.framing import Windows
from tsforecast.intervals import add_intervals, forecast_names
from tsforecast.models import head_of, predict
from tsforecast.tables import check_whole_number


def events_within(column: pd.Series, steps: int) -> pd.Series:
    """Whether an event occurred in the last so many rows: a label that looks back only.

    With ``Framing(lookback, lead=steps, targets=...)`` the label of a window lies `steps` rows
    after the cutoff, and so it says whether an event occurs in the next `steps` rows.

    Parameters
    ----------
    column : pandas.Series
        1 where an event occurs, else 0 (or True and False). In a panel, one series at a time:
        ``panel.groupby("unique_id")["event"].transform(events_within, steps=3)``.
    steps : int
        Rows to look back, this one included.

    Returns
    -------
    pandas.Series
        1.0 or 0.0, with the name ``"<name> within <steps>"``.

    Raises
    ------
    ValueError
        If the column holds anything but 0 and 1, or a missing value.

    Examples
    --------
    >>> fault = pd.Series([0, 0, 1, 0, 0, 0], name="fault")
    >>> events_within(fault, 3).tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    """
    check_whole_number("steps", steps, 1)
    if not isinstance(column, pd.Series):
        raise TypeError(
            f"Expected one column of a table, got {type(column).__name__}. Give "
            f"table['its name'], with 1 where an event occurs."
        )
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        values = np.full(len(column), np.nan)
    odd = ~np.isin(values, (0.0, 1.0))
    if odd.any():
        row = int(np.argmax(odd))
        raise ValueError(
            f"Column {column.name!r} holds {column.iloc[row]!r} at {column.index[row]}, and an "
            f"event is 1 (it occurs) or 0 (it does not). Make it so: (table[...] > limit)."
            f"astype(float); a missing value must be filled or its row dropped."
        )
    recent = pd.Series(values, column.index).rolling(steps, min_periods=1).max()
    return recent.rename(f"{column.name} within {steps}")


def event_table(models: keras.Model | Mapping[str, keras.Model], windows: Windows) -> pd.DataFrame:
    """Chances of every window, beside what came and two simple answers.

    Parameters
    ----------
    models : keras.Model or dict of keras.Model
        One fitted model with ``head="event"``, which gets the name "LSTM", or several.
    windows : Windows
        The validation or test windows.

    Returns
    -------
    pandas.DataFrame
        A row per window and step (and target): ``unique_id`` (the target; of a panel the series),
        ``ds``, ``cutoff``,
        ``step``, ``y`` (0 or 1), a chance per model, "last label" (the last label that is known: what
        just was, goes on) and "base rate" (the share of 1 in all rows up to the first cutoff).

    Raises
    ------
    ValueError
        If a model forecasts numbers, or was built for other shapes.

    Examples
    --------
    >>> from tsforecast import Framing, build_model, fit
    >>> table = pd.DataFrame({"event": np.tile([0.0, 0.0, 1.0], 20)})
    >>> train, test = Framing(3).windows(table).split(54)
    >>> model = build_model(train.framing, units=8, head="event")
    >>> history = fit(model, train, epochs=50, learning_rate=0.05, seed=0)
    >>> event_table(model, test)[["ds", "y", "LSTM", "last label", "base rate"]].head(3).round(1)
       ds    y  LSTM  last label  base rate
    0  54  0.0   0.0         1.0        0.3
    1  55  0.0   0.0         0.0        0.3
    2  56  1.0   1.0         0.0        0.3
    """
    models = {"LSTM": models} if isinstance(models, keras.Model) else dict(models)
    for name, model in models.items():
        if isinstance(model, keras.Model) and head_of(model) != "event":
            raise ValueError(
                f"The model {name!r} has head={head_of(model)!r}, and this table is of chances of "
                f"events. Build it with head='event'; for numbers use forecast_table, for classes "
                f"class_table."
            )
    chances = {name: predict(model, windows) for name, model in models.items()}
    framing, rows = windows.framing, windows.target_rows  # rows: (samples, horizon)
    known = rows[:, 0] - max(framing.lead, 1)  # the last rows whose labels are known
    parts = []
    for column, target in enumerate(framing.targets):
        labels = windows.values[:, windows.columns.index(target)].astype(np.float64)
        frame = _about(windows, target, labels[rows])
        frame |= {name: values[:, :, column].ravel() for name, values in chances.items()}
        frame["last label"] = labels[known].repeat(framing.horizon)
        frame["base rate"] = labels[windows.index <= windows.cutoffs.min()].mean()
        parts.append(pd.DataFrame(frame))
    return pd.concat(parts, ignore_index=True)


def choose_thresholds(chances: pd.DataFrame, recall: float | None = None) -> dict[str, float]:
    """From which chance on a forecast says yes: chosen on a validation part, used on the test.

    Parameters
    ----------
    chances : pandas.DataFrame
        From `event_table`, of the validation part.
    recall : float, optional
        Find at least this share of the events, with as few false alarms as that allows. By
        default the threshold with the best F1 score, a mean of precision and recall.

    Returns
    -------
    dict
        A threshold for each column of chances.

    Raises
    ------
    ValueError
        If the part has no event, or if `recall` is not a share.

    Examples
    --------
    >>> table = pd.DataFrame({"y": [0, 0, 1, 1], "LSTM": [0.1, 0.6, 0.4, 0.9]})
    >>> choose_thresholds(table), choose_thresholds(table, recall=0.5)
    ({'LSTM': 0.4}, {'LSTM': 0.9})
    """
    from sklearn.metrics import precision_recall_curve

    if recall is not None and not 0 < recall <= 1:
        raise ValueError(f"recall is a share of the events, above 0 and at most 1; got {recall!r}.")
    y = _labels(chances)
    thresholds = {}
    for name in forecast_names(chances):
        precision, found, levels = precision_recall_curve(y, chances[name])
        precision, found = precision[:-1], found[:-1]  # the last point has no threshold
        if recall is None:
            worth = 2 * precision * found / np.maximum(precision + found, 1e-12)
        else:
            worth = np.where(found >= recall, precision, -1.0)
        best = np.flatnonzero(worth == worth.max())[-1]  # of equals the strictest
        thresholds[name] = float(levels[best])
    return thresholds


def score_events(
    chances: pd.DataFrame, thresholds: float | Mapping[str, float] = 0.5
) -> pd.DataFrame:
    """Score yes-or-no answers: precision and recall, and what accuracy would have said.

    Parameters
    ----------
    chances : pandas.DataFrame
        From `event_table`, of the test part.
    thresholds : float or dict
        From which chance on a forecast says yes: one for all, or from `choose_thresholds`.

    Returns
    -------
    pandas.DataFrame
        A row per forecast, the best average precision first. ``precision``: of the alarms, the
        share that was right. ``recall``: of the events, the share that was found. ``f1``: their
        harmonic mean. ``average_precision``: precision over all thresholds; that of pure chance
        is the share of events. ``alarms``: the share of rows with an alarm. ``accuracy``: the share of right answers,
        which is high for "never" when events are rare.

    Raises
    ------
    ValueError
        If the part has no event, or a forecast has no threshold.

    Examples
    --------
    >>> table = pd.DataFrame({"y": [0, 0, 0, 1], "LSTM": [0.1, 0.2, 0.6, 0.9], "base rate": 0.25})
    >>> score_events(table).round(2)
               precision  recall    f1  average_precision  alarms  accuracy
    forecast
    LSTM             0.5     1.0  0.67               1.00     0.5      0.75
    base rate        0.0     0.0  0.00               0.25     0.0      0.75
    """
    from sklearn.metrics import (
        accuracy_score,
        average_precision_score,
        precision_recall_fscore_support,
    )

    y = _labels(chances)
    rows = {}
    for name in forecast_names(chances):
        says = chances[name] >= _threshold(thresholds, name)
        scores = precision_recall_fscore_support(y, says, average="binary", zero_division=0.0)
        rows[name] = {
            **dict(zip(("precision", "recall", "f1"), scores[:3], strict=True)),
            "average_precision": average_precision_score(y, chances[name]),
            "alarms": says.mean(),
            "accuracy": accuracy_score(y, says),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("forecast")
    return table.sort_values("average_precision", ascending=False)


def class_table(model: keras.Model, windows: Windows) -> pd.DataFrame:
    """The class of every window: the likeliest one, its chance, and the last class before it.

    Parameters
    ----------
    model : keras.Model
        Fitted, with ``head="class"``.
    windows : Windows
        The test windows.

    Returns
    -------
    pandas.DataFrame
        ``unique_id``, ``ds``, ``cutoff``, ``step``, ``y`` (the code that came), ``LSTM`` (the
        likeliest code), ``chance`` (how likely), and ``last label`` (the last code that is known).

    Raises
    ------
    ValueError
        If the model has another head.

    Examples
    --------
    >>> from tsforecast import Framing, build_model, fit
    >>> train, test = Framing(3).windows(pd.DataFrame({"kind": np.arange(60) % 3})).split(54)
    >>> model = build_model(train.framing, units=8, head="class", classes=3)
    >>> history = fit(model, train, epochs=50, learning_rate=0.05, seed=0)
    >>> class_table(model, test)[["ds", "y", "LSTM", "last label"]].head(3)
       ds  y  LSTM  last label
    0  54  0     0           2
    1  55  1     1           0
    2  56  2     2           1
    """
    if not isinstance(model, keras.Model) or head_of(model) != "class":
        raise ValueError(
            "This table is of classes, and the model has another head. Build it with "
            "head='class' and classes=..., the number of codes."
        )
    chances = predict(model, windows)  # (samples, horizon, classes)
    target = windows.framing.targets[0]
    codes = windows.values[:, windows.columns.index(target)].astype(int)
    known = windows.target_rows[:, 0] - max(windows.framing.lead, 1)
    frame = _about(windows, target, codes[windows.target_rows])
    frame["LSTM"] = chances.argmax(axis=-1).ravel()
    frame["chance"] = chances.max(axis=-1).ravel()
    frame["last label"] = codes[known].repeat(windows.framing.horizon)
    return pd.DataFrame(frame)


def confusion(y: Any, says: Any, names: list[str] | None = None) -> pd.DataFrame:
    """How often each label was answered with each: the rows are what came.

    Parameters
    ----------
    y : labels
        What came: 0 and 1, or class codes.
    says : labels
        What was forecast.
    names : list of str, optional
        Of the labels 0, 1, ...

    Returns
    -------
    pandas.DataFrame
        Counts; right answers are on the diagonal.

    Examples
    --------
    >>> confusion([0, 0, 0, 1], [0, 0, 1, 1], ["quiet", "event"])
    forecast  quiet  event
    came
    quiet         2      1
    event         0      1
    """
    from sklearn.metrics import confusion_matrix

    y, says = np.asarray(y).astype(int), np.asarray(says).astype(int)
    if y.shape != says.shape:
        raise ValueError(
            f"There are {y.shape} labels and {says.shape} answers. Give one answer per label."
        )
    labels = list(range(len(names) if names else max(y.max(), says.max()) + 1))
    if max(y.max(), says.max()) >= len(labels):
        raise ValueError(
            f"There are {len(labels)} names and a label {max(y.max(), says.max())}. Name the "
            f"labels 0, 1, ... in order."
        )
    names = names or [str(label) for label in labels]
    counts = confusion_matrix(y, says, labels=labels)
    table = pd.DataFrame(counts, index=pd.Index(names, name="came"), columns=names)
    return table.rename_axis(columns="forecast")


def flag_anomalies(
    forecasts: pd.DataFrame,
    calibration: pd.DataFrame,
    level: float = 99.0,
    name: str | None = None,
) -> pd.DataFrame:
    """Flag what a forecast did not expect: values outside its interval.

    Parameters
    ----------
    forecasts : pandas.DataFrame
        From `tsforecast.forecast_table` or `tsforecast.backtest`, of the part to be flagged.
    calibration : pandas.DataFrame
        The same of an earlier part with nothing unusual in it. The limits are measured here, for
        each series and step ahead, and never on the part that is flagged.
    level : float
        Percent of ordinary values that shall not be flagged: 99 flags one ordinary value in a
        hundred.
    name : str, optional
        Which forecast; by default the first in the table.

    Returns
    -------
    pandas.DataFrame
        ``unique_id``, ``ds``, ``cutoff``, ``step``, ``y``, the forecast, the two limits, and
        ``anomaly``: True outside the limits.

    Raises
    ------
    ValueError
        As `tsforecast.add_intervals`; and if ``y`` or the forecast is not in the table.

    Examples
    --------
    >>> past = pd.DataFrame({"unique_id": "a", "ds": range(1, 100), "cutoff": range(99), "step": 1,
    ...                      "y": np.tile([9.0, 10.0, 11.0], 33), "LSTM": 10.0})
    >>> new = past.tail(2).assign(ds=[100, 101], cutoff=[99, 100], y=[10.5, 15.0])
    >>> flag_anomalies(new, past)[["y", "LSTM-lo-99", "LSTM-hi-99", "anomaly"]]
           y  LSTM-lo-99  LSTM-hi-99  anomaly
    97  10.5         9.0        11.0    False
    98  15.0         9.0        11.0     True
    """
    names = forecast_names(forecasts)
    name = names[0] if name is None and names else name
    for column in (name, "y"):
        if column not in forecasts:
            raise ValueError(
                f"There is no column {column!r}; the table has {list(forecasts.columns)}. Flags "
                f"need what came ('y') beside a forecast of it: forecast_table(model, windows)."
            )
    about = ["unique_id", "target", "ds", "cutoff", "step", "seed", "y"]
    kept = [column for column in (*about, name) if column in forecasts]
    past = [column for column in (*about, name) if column in calibration]
    table = add_intervals(forecasts[kept], calibration[past], [level])
    low, high = table.columns[-2:]
    outside = (table["y"] < table[low]) | (table["y"] > table[high])
    return table.assign(anomaly=outside)


def _about(windows: Windows, target: Any, y: np.ndarray) -> dict[str, Any]:
    """The columns that say which forecast a row is; y: (samples, horizon)."""
    horizon, series = windows.framing.horizon, getattr(windows, "series", None)
    return {
        "unique_id": str(target) if series is None else series.repeat(horizon),
        "ds": windows.index[windows.target_rows.ravel()],
        "cutoff": windows.cutoffs.repeat(horizon),
        "step": np.tile(np.arange(1, horizon + 1), len(windows)),
        "y": y.ravel(),
    }


def _labels(chances: pd.DataFrame) -> np.ndarray:
    if "y" not in chances or not forecast_names(chances):
        raise ValueError(
            f"Expected a table with what came ('y') and a column of chances; it has "
            f"{list(chances.columns)}. Make it with event_table(model, windows)."
        )
    y = chances["y"].to_numpy(dtype=float)
    if not np.isin(y, (0.0, 1.0)).all() or not y.any():
        raise ValueError(
            f"Expected labels 0 and 1 with at least one event; got {int((y == 1).sum())} events in "
            f"{len(y)} rows. Without an event there is nothing to find: take a longer part."
        )
    return y.astype(int)


def _threshold(thresholds: float | Mapping[str, float], name: str) -> float:
    if not isinstance(thresholds, Mapping):
        return thresholds
    if name not in thresholds:
        raise ValueError(
            f"There is no threshold for {name!r}; there are {dict(thresholds)}. Choose them on a "
            f"validation part with the same columns: choose_thresholds(event_table(...))."
        )
    return thresholds[name]
