"""From the last window to a dated forecast beyond the last row.

Taught in the univariate chapter (`notebooks/univariate.ipynb`).
"""

from typing import Any

import keras
import numpy as np
import pandas as pd

from tsforecast.framing import Framing
from tsforecast.models import check_fitted, check_shapes
from tsforecast.tables import Table, read_table


def forecast(
    model: keras.Model, framing: Framing, table: Table, future: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Forecast what comes after the last row of a table, with its dates.

    Parameters
    ----------
    model : keras.Model
        From `tsforecast.build_model`, fitted.
    framing : Framing
        The framing that the model was built from.
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        At least `lookback` rows; the last ones are read.
    future : pandas.DataFrame, optional
        The future covariates at the target times, in a framing that has them.

    Returns
    -------
    pandas.DataFrame
        A row per time step: ``ds``, the time that is forecast; ``cutoff``, the last time that was
        known; and a column per target, in the units of the table.

    Raises
    ------
    ValueError
        If the table cannot be framed, or does not have the shape that the model was built for.

    Examples
    --------
    >>> from tsforecast import build_model, datasets, fit
    >>> table = datasets.toy("univariate")
    >>> framing = Framing(3)
    >>> model = build_model(framing, units=8)
    >>> history = fit(model, framing.windows(table), epochs=200, seed=0)
    >>> forecast(model, framing, table).round()
       ds  cutoff      a
    0   9       8  100.0
    """
    _, columns, index = read_table(table)
    check_shapes(model, framing.named(columns) if isinstance(framing, Framing) else framing)
    check_fitted(model)
    inputs = framing.last_window(table, future)
    framing = framing.named(columns)
    values = model.predict(inputs, verbose=0)[0].astype(np.float64)  # (horizon, targets)
    times = framing.target_times(table)
    dated: dict[Any, Any] = {"ds": times, "cutoff": [index[-1]] * len(times)}
    for column, target in enumerate(framing.targets):
        if target in dated:
            raise ValueError(
                f"A target cannot be called {target!r}: the forecast has a column of that name "
                f"for its times. Rename it: table.rename(columns=...)."
            )
        dated[target] = values[:, column]
    return pd.DataFrame(dated)
