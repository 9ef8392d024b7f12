"""Frame a table, choose an encoder and a decoder, get a dated forecast.

The modules, in the order in which data flows through them (and in which the book teaches them):
`datasets`, `tables`, `calendar`, `gaps`, `framing`, `layers`, `models`, `training`, `intervals`,
`events`, `persistence`, `forecaster`, `jobs`, `backtest`, `importance`, `tuning`, `plotting`,
`diagrams`.

Framing needs NumPy and pandas only. Keras is imported when a model is first asked for.
"""

import logging
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tsforecast import datasets
from tsforecast.framing import Framing, Windows
from tsforecast.gaps import fill_gaps, find_gaps, to_grid

if TYPE_CHECKING:
    from tsforecast.backtest import Backtest, backtest, forecast_table, score, score_by_step
    from tsforecast.diagrams import plot_lstm_cell, plot_model
    from tsforecast.events import (
        choose_thresholds,
        class_table,
        confusion,
        event_table,
        events_within,
        flag_anomalies,
        score_events,
    )
    from tsforecast.forecaster import Forecaster, forecast
    from tsforecast.importance import importance
    from tsforecast.intervals import add_intervals, coverage
    from tsforecast.models import build_model, predict, with_horizon
    from tsforecast.persistence import load_model
    from tsforecast.plotting import (
        label_lines,
        listing,
        plot_backtest,
        plot_cells,
        plot_errors,
        plot_forecast,
        plot_history,
        plot_importance,
        plot_intervals,
        plot_precision_recall,
        plot_study,
        plot_window,
        shape_card,
        use_style,
    )
    from tsforecast.training import adapt, fit
    from tsforecast.tuning import Study, tune

__all__ = [
    "Backtest",
    "Forecaster",
    "Framing",
    "Study",
    "Windows",
    "adapt",
    "add_intervals",
    "backtest",
    "build_model",
    "choose_thresholds",
    "class_table",
    "confusion",
    "coverage",
    "datasets",
    "event_table",
    "events_within",
    "fill_gaps",
    "find_gaps",
    "fit",
    "flag_anomalies",
    "forecast",
    "forecast_table",
    "importance",
    "label_lines",
    "listing",
    "load_model",
    "plot_backtest",
    "plot_cells",
    "plot_errors",
    "plot_forecast",
    "plot_history",
    "plot_importance",
    "plot_intervals",
    "plot_lstm_cell",
    "plot_model",
    "plot_precision_recall",
    "plot_study",
    "plot_window",
    "predict",
    "score",
    "score_by_step",
    "score_events",
    "shape_card",
    "to_grid",
    "tune",
    "use_style",
    "with_horizon",
]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own messages: errors only
logging.getLogger("tensorflow").addFilter(lambda record: record.levelno >= logging.ERROR)

_HOMES = {
    "models": ("build_model", "predict", "with_horizon"),
    "persistence": ("load_model",),
    "training": ("adapt", "fit"),
    "intervals": ("add_intervals", "coverage"),
    "events": (
        "choose_thresholds",
        "class_table",
        "confusion",
        "event_table",
        "events_within",
        "flag_anomalies",
        "score_events",
    ),
    "forecaster": ("Forecaster", "forecast"),
    "backtest": ("Backtest", "backtest", "forecast_table", "score", "score_by_step"),
    "importance": ("importance",),
    "tuning": ("Study", "tune"),
    "plotting": (
        "label_lines",
        "listing",
        "plot_backtest",
        "plot_cells",
        "plot_errors",
        "plot_forecast",
        "plot_history",
        "plot_importance",
        "plot_intervals",
        "plot_precision_recall",
        "plot_study",
        "plot_window",
        "shape_card",
        "use_style",
    ),
    "diagrams": ("plot_lstm_cell", "plot_model"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"tsforecast.{_MODULE_OF[name]}"), name)
    if find_spec(f"tsforecast.{name}"):
        return import_module(f"tsforecast.{name}")
    raise AttributeError(f"module 'tsforecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Where a function has the name of its module, `tsforecast.name` is always the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _MODULE_OF.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:  # a function that says `tsf` may go to a worker
        return import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package
