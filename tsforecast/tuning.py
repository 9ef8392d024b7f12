"""How long a lookback, how many units? A search for settings, scored on validation windows only.

Taught in the chapter on lookback and units (`notebooks/lookback.ipynb`).
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import itertools
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsforecast.framing import Windows
from tsforecast.jobs import Job, run_jobs
from tsforecast.models import ENCODERS
from tsforecast.tables import Table, as_label, check_whole_number, is_panel, read_table
from tsforecast.training import unwritten, write_whole

FIXED = (
    "horizon",
    "lead",
    "targets",
    "missing",
    "level",
    "intervals",
)  # what is scored, not a setting
METRICS = ("mae", "rmse", "mase")
DATABASES = (".db", ".sqlite", ".sqlite3")
RANDOM = 8  # trials that are drawn before Optuna looks at results


@dataclass(frozen=True, repr=False)
class Study:
    """What a search has found: made by `tsforecast.tune`.

    Attributes
    ----------
    table : pandas.DataFrame
        A row per trial: its number, the settings that were searched, the ``error`` on the
        validation windows, the ``seconds`` that it took, and ``failed``, which says why where a
        choice could not be trained (empty elsewhere).
    metric : str
        What ``error`` is.
    study : optuna.Study
        Optuna's own object.

    Examples
    --------
    >>> from tsforecast import Forecaster, tune
    >>> table = pd.DataFrame({"y": np.arange(60.0) % 7})
    >>> found = tune(Forecaster(7, epochs=1), table, validation=50, search={"units": [2, 8]})
    >>> found.table[["trial", "units"]]
       trial  units
    0      0      2
    1      1      8
    >>> found.forecaster().settings["units"] == found.best["units"]
    True
    """

    base: Any
    table: pd.DataFrame
    metric: str
    study: Any
    choices: dict[str, dict[Any, Any]]

    @property
    def best(self) -> dict[str, Any]:
        """The settings with the smallest error."""
        return _choice(self.study.best_trial.params, self.choices)

    @property
    def error(self) -> float:
        """The smallest error on the validation windows."""
        return float(self.study.best_value)

    def forecaster(self) -> Any:
        """A forecaster with the best settings, not fitted yet: fit it on all that you know."""
        return self.base.copy(**self.best)

    @property
    def importances(self) -> pd.Series:
        """How much of the differences in error each setting explains; they sum to 1.

        Raises
        ------
        ValueError
            If fewer than two different trials are finished.
        """
        if self.table["error"].nunique() < 2:
            raise ValueError(
                "What mattered shows where trials differ, and fewer than two different ones are "
                "finished. Run more: tune(..., trials=...)."
            )
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        with _quiet():
            shares = get_param_importances(self.study, evaluator=FanovaImportanceEvaluator(seed=0))
        return pd.Series(shares, name="importance").rename_axis("setting")

    def plot(self) -> Any:
        """Draw what mattered, and the error against each setting."""
        from tsforecast.plotting import plot_study

        return plot_study(self)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.best.items())
        finished = self.table["error"].notna().sum()
        return f"Study of {finished} trials: {self.metric} {self.error:.4g} with {settings}"


def tune(
    forecaster: Any,
    table: Table,
    *,
    validation: Any,
    test: Any = None,
    search: Mapping[str, Any] | None = None,
    trials: int = 20,
    metric: str | None = None,
    storage: str | PathLike[str] | None = None,
    seed: int = 0,
    timeout: float | None = None,
    jobs: int | None = None,
    together: int = 1,
    progress: bool = True,
) -> Study:
    """Search for good settings: each trial is fitted before `validation` and scored after it.

    Parameters
    ----------
    forecaster : Forecaster
        Where the search starts. Settings that are not searched stay as they are. It is not
        fitted and not changed.
    table : pandas.DataFrame, pandas.Series or numpy.ndarray
        A table or a panel.
    validation : label of the index
        From there on the windows are scored, and nothing is trained.
    test : label of the index, optional
        From there on nothing is read: the part for the final judgement. By default the
        validation part reaches to the table's end.
    search : dict, optional
        What to try for which setting: a list of choices, or a tuple ``(low, high)``, in whole
        numbers or not. A range that spans a factor of ten or more is searched by factors, as is
        right for a learning rate. If there are lists only, and no more combinations than
        `trials`, then each is tried once. By default lookback, units, learning rate and batch
        size, around those of the forecaster.
    trials : int
        Finished trials in all, those of an earlier call in `storage` included. Trial 0 tries the
        forecaster's own settings, if they are in the search.
    metric : {"mae", "rmse", "mase"}, optional
        The error, in the units of the target, or relative to the seasonal naive forecast before
        `validation` (``mase``). By default "mae" for one target of one series, else "mase".
    storage : str or path, optional
        A file that keeps the study: ``"study.db"`` (SQLite) or ``"study.log"`` (a journal). The
        same call goes on where an earlier one stopped or was killed.
    seed : int
        Draws the trials. The weights are drawn with the forecaster's own seed.
    timeout : float, optional
        Seconds after which no new trial begins.
    jobs : int, optional
        Trials that run at the same time, in processes of their own; by default what
        ``joblib.parallel_config`` says, which may be a cluster, otherwise 1. Changes the time, not
        the result.
    together : int
        Trials that are drawn at once, before the results of any of them are known, so that so
        many can run at the same time. A grid, and the first 8 trials of any search, are always
        drawn at once. It is part of the search: with 1 each draw knows all results before it.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Study
        ``.best``, ``.forecaster()``, ``.table``, ``.importances`` and ``.plot()``.

    Raises
    ------
    ValueError
        If a setting cannot be searched, if a part has no window for the longest lookback, if the
        storage holds a study of other data or settings, or if no trial could be trained.
    OSError
        If the storage cannot be written. The trials that it holds stay, and the same call goes on.

    Notes
    -----
    All trials are scored on the same target rows, whatever their lookback: those that the longest
    one can forecast. The search is Optuna's tree-structured Parzen estimator. The smallest
    of many errors flatters, because luck was chosen too: judge the winner on a part that the
    search has not seen.

    References
    ----------
    Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", 2019.

    Examples
    --------
    >>> from tsforecast import Forecaster
    >>> table = pd.DataFrame({"y": np.arange(60.0) % 7})
    >>> search = {"lookback": [2, 7], "learning_rate": (1e-3, 1e-1)}
    >>> found = tune(Forecaster(7, epochs=2, units=4), table, validation=50, search=search,
    ...              trials=3, progress=False)
    >>> sorted(found.best), len(found.table)
    (['learning_rate', 'lookback'], 3)
    """
    check_whole_number("trials", trials, 1)
    check_whole_number("together", together, 1)
    if not hasattr(forecaster, "settings") or not hasattr(forecaster, "copy"):
        raise TypeError(
            f"Expected a Forecaster, got {type(forecaster).__name__}. Make one first: "
            f"forecaster = tsf.Forecaster(lookback, ...)."
        )
    if metric is not None and metric not in METRICS:
        raise ValueError(f"There is no metric {metric!r}. Choose from {', '.join(METRICS)}.")
    known = table if test is None else _before(table, test)
    training = _before(known, validation)
    search = _default_search(forecaster, len(training)) if search is None else dict(search)
    _check_search(forecaster, search)
    scoring = _scoring_windows(forecaster, known, training, validation, search)
    metric = metric or ("mae" if _is_single(scoring) else "mase")
    choices = {name: _labels(tried) for name, tried in search.items() if isinstance(tried, list)}
    about = {
        "data": _digest(known),
        "settings": repr(sorted((k, _label(v)) for k, v in forecaster.settings.items())),
        "search": repr([(k, list(choices.get(k, v))) for k, v in search.items()]),
        "validation": f"{validation}, test {test}, metric {metric}",
        "seed": str(seed),
    }

    goal = min(trials, _grid_size(search, choices) or trials)
    fresh = forecaster.copy()
    until = np.inf if timeout is None else time.monotonic() + timeout
    with _quiet(), _open_study(storage, about) as study, _bar(goal, progress) as bar:
        done = _Done(study)
        while done.count < goal and not (done.count and time.monotonic() > until):
            bar.update(done.count - bar.n)
            drawn = _draw(study, forecaster, search, choices, trials, together, seed)
            new = [params for params in _once(drawn) if not done.knows(params)]
            about_all = (known, training, validation, scoring, metric)
            fits = (
                Job(_try, (fresh, _choice(params, choices), *about_all))
                for params in _in_time(new, until)
            )
            results = run_jobs(fits, jobs, bar)
            for params in drawn:
                again = done.knows(params)  # drawn again: nothing new to learn from it
                result = done.result(params) if again else next(results, None)
                if result is None:
                    break  # the time is over
                with _told_in_words(storage):
                    _tell(study, params, search, *result)
                done = _Done(study)
        bar.update(done.count - bar.n)
        if done.best is None:
            raise ValueError(f"No trial could be trained. The first failed with: {done.why}")
        return Study(forecaster, _tidy(study, search), metric, _in_memory(study), choices)


# --- one trial ------------------------------------------------------------------------------------


def _try(
    forecaster: Any,
    choice: dict[str, Any],
    known: Table,
    training: Table,
    validation: Any,
    scoring: Windows,
    metric: str,
) -> tuple[float, float, str]:
    """Fit and score one choice of settings: its error, its seconds, and why it failed."""
    began = time.monotonic()
    try:
        candidate = forecaster.copy(**choice, level=None)
        if candidate.settings.get("patience") is None:
            candidate.fit(training)
        else:  # it stops by itself, at the best epoch of the validation part
            candidate.fit(known, validation=validation)
        error = _error(candidate, known, scoring, validation, metric)
    except (ValueError, FloatingPointError) as problem:  # this choice cannot be trained
        return np.nan, time.monotonic() - began, str(problem)
    return error, time.monotonic() - began, ""


def _tell(
    study: Any,
    params: dict[str, Any],
    search: dict[str, Any],
    error: float,
    seconds: float,
    failed: str,
) -> None:
    """Write a finished trial down, as a whole: a call that is killed leaves no half ones."""
    from optuna.trial import TrialState, create_trial

    trial = create_trial(
        state=TrialState.PRUNED if failed else TrialState.COMPLETE,
        value=None if failed else error,
        params=params,
        distributions={name: _distribution(tried) for name, tried in search.items()},
        user_attrs={"seconds": seconds, "failed": failed},
    )
    study.add_trial(trial)


def _error(candidate: Any, known: Table, scoring: Windows, validation: Any, metric: str) -> float:
    """The candidate's error on the target rows of `scoring`, mean over series and targets."""
    from utilsforecast import losses

    windows = candidate.windows(known)
    first = _times(windows).get_indexer(_times(scoring)[scoring.target_rows[:, 0]])
    starts = first - (windows.framing.span - windows.framing.horizon)  # rows differ, times do not
    windows = replace(windows, starts=starts)
    forecast = np.asarray(candidate.predict(windows), dtype=np.float64)
    frame = _long(scoring, scoring.target_rows.ravel())
    frame["forecast"] = np.concatenate([part.ravel() for part in np.moveaxis(forecast, -1, 0)])
    frame = frame.dropna(subset="y")
    if metric == "mase":
        season = int(np.min(candidate.settings.get("season") or 1))
        border = as_label(validation, scoring.index)
        past = _long(scoring, np.flatnonzero(np.asarray(scoring.index < border)))
        measure = partial(losses.mase, seasonality=season, train_df=past)
    else:
        measure = getattr(losses, metric)
    error = float(measure(frame, models=["forecast"])["forecast"].mean())
    if not np.isfinite(error):
        raise FloatingPointError(f"The {metric} on the validation windows is {error}.")
    return error


def _times(windows: Windows) -> pd.Index:
    """The time of each row, in a panel with the number of its series."""
    if windows.ids is None:
        return windows.index
    return pd.MultiIndex.from_arrays([windows.ids, windows.index])


def _long(windows: Windows, rows: np.ndarray) -> pd.DataFrame:
    """The targets at some rows of the table in the long format, one target below the other."""
    parts: list[Any] = []
    for target in windows.framing.targets:
        values = windows.values[rows, windows.columns.index(target)].astype(np.float64)
        series = 0 if windows.ids is None else windows.ids[rows]
        frame = pd.DataFrame({"unique_id": series, "ds": windows.index[rows], "y": values})
        parts.append(frame.assign(unique_id=frame["unique_id"].astype(str) + f" {target}"))
    return pd.concat(parts, ignore_index=True)


# --- the windows that all trials are scored on ----------------------------------------------------


def _scoring_windows(
    forecaster: Any, known: Table, training: Table, validation: Any, search: dict[str, Any]
) -> Windows:
    """Validation windows that every lookback of the search can forecast."""
    tried = search.get("lookback", [forecaster.settings["lookback"]])
    longest = int(max(tried))
    try:
        forecaster.copy(lookback=longest, level=None).windows(training)
        windows = forecaster.copy(lookback=longest, stride=1, level=None).windows(known)
    except ValueError as problem:
        raise ValueError(f"The longest lookback of the search is {longest}. {problem}") from problem
    return windows.split(validation)[1][:: forecaster.settings["stride"]]


def _is_single(windows: Windows) -> bool:
    return windows.framing.n_targets == 1 and windows.ids is None


def _before(table: Any, time: Any) -> Any:
    """The rows of a table or a panel before a time."""
    if is_panel(table):
        times = pd.Index(table["ds"])
        part = table[np.asarray(times < as_label(time, times))]
    else:
        _, _, index = read_table(table)
        border = int(index.searchsorted(as_label(time, index)))
        part = (
            table.iloc[:border] if isinstance(table, (pd.DataFrame, pd.Series)) else table[:border]
        )
    if not 0 < len(part) < len(table):
        raise ValueError(
            f"{time!r} leaves {'nothing before it' if not len(part) else 'nothing from there on'}. "
            f"Give a time inside the table: validation=... begins the part that is scored, "
            f"test=... the part that is never read."
        )
    return part


def _digest(table: Table) -> str:
    if isinstance(table, (pd.DataFrame, pd.Series)):
        rows = pd.util.hash_pandas_object(table, index=True).to_numpy()
    else:
        rows = np.ascontiguousarray(table)
    return hashlib.sha256(rows.tobytes()).hexdigest()[:16]


# --- what is searched -----------------------------------------------------------------------------


def _default_search(forecaster: Any, rows: int) -> dict[str, Any]:
    """Around the forecaster's own settings, within what the training part can bear."""
    settings = forecaster.settings
    lookback, rate = settings["lookback"], settings["learning_rate"]
    least = int(np.max(settings.get("season") or 1))
    pieces = settings.get("subsequences") or settings.get("patch") or 1
    lookbacks = {-(-lookback // (2 * pieces)) * pieces, lookback, 2 * lookback}
    return {
        "lookback": sorted(n for n in lookbacks if n == lookback or least <= n <= rows // 4),
        "units": (max(settings["units"] // 4, 1), 4 * settings["units"]),
        "learning_rate": (rate / 10, min(4 * rate, 0.1)),
        "batch_size": sorted(
            {max(settings["batch_size"] // 2, 1), settings["batch_size"] * 2}
            | {settings["batch_size"]}
        ),
    }


def _check_search(forecaster: Any, search: dict[str, Any]) -> None:
    options = {name for encode in ENCODERS.values() for name in _arguments(encode)}
    names = {*forecaster.settings, *options} - {"x", "return_sequences"}
    if not search:
        raise ValueError("search= is empty. Name a setting: search={'units': [16, 64]}.")
    for name, tried in search.items():
        if name in FIXED:
            raise ValueError(
                f"{name!r} cannot be searched: trials with another {name} answer another question, "
                f"and their errors cannot be compared. Tune once for each."
            )
        if name not in names:
            close = difflib.get_close_matches(str(name), names, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"A Forecaster has no setting {name!r}.{hint}")
        if isinstance(tried, list):
            if not tried or len(_labels(tried)) < len(tried):
                raise ValueError(f"The choices for {name!r} are {tried}. Give each of them once.")
            continue
        numbers = isinstance(tried, tuple) and all(
            isinstance(n, (int, float)) and not isinstance(n, bool) for n in tried
        )
        if not numbers or len(tried) != 2 or not tried[0] < tried[1]:
            raise ValueError(
                f"The search for {name!r} is {tried!r}. Give a list of choices, such as [16, 64], "
                f"or a range (low, high), such as (16, 64)."
            )


def _label(value: Any) -> Any:
    """What Optuna may store: a plain value, or the name of anything else."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return getattr(value, "__name__", None) or repr(value)


def _labels(tried: list[Any]) -> dict[Any, Any]:
    return {_label(value): value for value in tried}


def _choice(params: dict[str, Any], choices: dict[str, dict[Any, Any]]) -> dict[str, Any]:
    """The settings of a trial, from what Optuna stores."""
    chosen = {
        name: choices[name][value] if name in choices else value for name, value in params.items()
    }
    if chosen.get("encoder") not in ENCODERS:
        return chosen
    own = _arguments(ENCODERS[chosen["encoder"]])
    others = {name for encode in ENCODERS.values() for name in _arguments(encode)} - own
    return {name: value for name, value in chosen.items() if name not in others}


def _arguments(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


def _distribution(tried: Any) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(tried, list):
        return CategoricalDistribution(list(_labels(tried)))
    low, high = tried
    factors = low > 0 and high >= 10 * low
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=factors)
    return FloatDistribution(low, high, log=factors)


def _grid_size(search: dict[str, Any], choices: dict[str, dict[Any, Any]]) -> int | None:
    """How many combinations there are, if there are lists only."""
    sizes = [len(choices[name]) for name in search if name in choices]
    return int(np.prod(sizes)) if len(sizes) == len(search) else None


def _own(
    forecaster: Any, search: dict[str, Any], choices: dict[str, dict[Any, Any]]
) -> dict[str, Any] | None:
    """The forecaster's own settings, if they are in the search."""
    own = {name: _label(forecaster.settings.get(name)) for name in search}
    for name, tried in search.items():
        inside = own[name] in choices[name] if name in choices else _within(own[name], tried)
        if not inside:
            return None
    return own


def _within(value: Any, tried: tuple[Any, Any]) -> bool:
    return isinstance(value, (int, float)) and tried[0] <= value <= tried[1]


# --- Optuna ---------------------------------------------------------------------------------------


class _Done:
    """The trials that a study has finished, those that failed included."""

    def __init__(self, study: Any) -> None:
        trials = _finished(study)
        self.count = len(trials)
        self.trials = {_key(trial.params): trial for trial in reversed(trials)}
        self.best = min((t.value for t in trials if t.value is not None), default=None)
        self.why = next((t.user_attrs["failed"] for t in trials), "")

    def knows(self, params: dict[str, Any]) -> bool:
        return _key(params) in self.trials

    def result(self, params: dict[str, Any]) -> tuple[float, float, str]:
        trial = self.trials[_key(params)]
        return trial.value, 0.0, trial.user_attrs["failed"]


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _key(params: dict[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)


def _draw(
    study: Any,
    forecaster: Any,
    search: dict[str, Any],
    choices: dict[str, dict[Any, Any]],
    trials: int,
    together: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The next trials: what is left of a grid, or of a block that is drawn at once.

    A draw depends on the seed, on its number, and on the trials before its block: a study that
    was stopped inside a block goes on with the same ones.
    """
    import optuna

    finished = _finished(study)
    size = _grid_size(search, choices)
    if size is not None and size <= trials:
        grid = [dict(zip(choices, values, strict=True)) for values in _product(choices)]
        tried = {_key(trial.params) for trial in finished}
        return [params for params in grid if _key(params) not in tried][: trials - len(finished)]
    count, first, end = len(finished), 0, RANDOM
    if count >= RANDOM:
        first = RANDOM + (count - RANDOM) // together * together
        end = first + together
    draws = optuna.create_study()  # in memory
    draws.add_trials(finished[:first])
    own = _own(forecaster, search, choices)
    if own is not None and first == 0:
        draws.enqueue_trial(own)
    drawn = []
    for number in range(first, min(end, trials)):
        own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        draws.sampler = optuna.samplers.TPESampler(seed=own_seed, n_startup_trials=RANDOM)
        trial = draws.ask({name: _distribution(tried) for name, tried in search.items()})
        drawn.append(trial.params)
    return drawn[count - first :]


def _product(choices: dict[str, dict[Any, Any]]) -> Iterator[tuple[Any, ...]]:
    return itertools.product(*choices.values())


def _in_time(drawn: list[dict[str, Any]], until: float) -> Iterator[dict[str, Any]]:
    """The first one, and others as long as there is time."""
    for number, params in enumerate(drawn):
        if number and time.monotonic() > until:
            return
        yield params


def _once(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({_key(params): params for params in drawn}.values())


@contextmanager
def _open_study(storage: str | PathLike[str] | None, about: dict[str, str]) -> Iterator[Any]:
    """A new study, or the one that the storage holds, if it is about the same."""
    import optuna

    if storage is not None and fspath(storage).endswith(DATABASES):
        _make_database(fspath(storage))
    with _told_in_words(storage):
        place = None if storage is None else _open_storage(fspath(storage))
        study = optuna.create_study(storage=place, study_name="tsforecast", load_if_exists=True)
    known = study.user_attrs  # some of them where an earlier call was killed at this place
    other = [name for name, value in about.items() if known.get(name, value) != value]
    if other:
        raise ValueError(
            f"{fspath(storage or '')!r} holds a study with other {' and '.join(other)}, and its "
            f"trials cannot be compared with these. Give another file, or delete this one."
        )
    with _told_in_words(storage):
        for name in about.keys() - known.keys():
            study.set_user_attr(name, about[name])
        for trial in study.trials:
            if trial.state.name == "RUNNING":  # an earlier call was killed in the middle of it
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    try:
        yield study
    finally:
        if isinstance(place, optuna.storages.RDBStorage):
            place.remove_session()
            place.engine.dispose()


def _make_database(path: str) -> None:
    """A database without studies, whole in its place: on a full disk a table may lack its index."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import OperationalError

    def fill(new: Path) -> None:
        try:
            RDBStorage(f"sqlite:///{new}").engine.dispose()
        except OperationalError as problem:
            raise OSError(str(problem.orig)) from problem

    if not os.path.exists(path):
        write_whole(path, fill, once=True)


def _open_storage(path: str) -> Any:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if path.endswith(DATABASES):
        from sqlalchemy.exc import DatabaseError, OperationalError

        try:
            return RDBStorage(f"sqlite:///{path}")
        except DatabaseError as problem:
            there = os.path.isdir(os.path.dirname(os.path.abspath(path)))
            if there and isinstance(problem, OperationalError):  # the disk, not the file
                raise OSError(str(problem.orig)) from problem
            raise ValueError(
                f"{path!r} cannot be opened as a study: {problem.orig}. Give another file."
            ) from problem
    if path.endswith((".log", ".journal", ".jsonl")):
        path = os.path.abspath(path)  # its lock is a link, which a killed call may leave behind
        _drop_half_line(path)
        return JournalStorage(JournalFileBackend(path))
    raise ValueError(
        f"storage={path!r} has no ending that says what it is. Use 'study.db' (SQLite) or "
        f"'study.log' (a journal)."
    )


def _drop_half_line(path: str) -> None:
    """Cut off what a full disk, or a call that was killed, has left of the last line."""
    from optuna.storages.journal import JournalFileSymlinkLock

    if os.path.exists(path):
        lock = JournalFileSymlinkLock(path)  # another process may be in the middle of a line
        lock.acquire()
        try:
            with open(path, "rb+") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
        finally:
            lock.release()


@contextmanager
def _told_in_words(storage: str | PathLike[str] | None) -> Iterator[None]:
    """An error while a study is written, in words."""
    import optuna

    try:
        yield
    except optuna.exceptions.StorageInternalError as error:
        cause = error.__cause__
        raise unwritten(storage or "", OSError(str(getattr(cause, "orig", cause)))) from error
    except OSError as error:
        raise unwritten(storage or "", error) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's log and its warnings of things to come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing Optuna warns of a progress bar for notebooks
        import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _bar(trials: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=trials, disable=not progress, desc="tune", unit="trial")


def _in_memory(study: Any) -> Any:
    """The finished trials as a study of their own, which holds no file open."""
    import optuna

    copy = optuna.create_study(study_name="tsforecast")
    copy.add_trials(_finished(study))
    return copy


def _tidy(study: Any, search: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for number, trial in enumerate(_finished(study)):
        about = {name: trial.user_attrs[name] for name in ("seconds", "failed")}
        error = np.nan if trial.value is None else trial.value
        rows.append(
            {"trial": number, **{n: trial.params[n] for n in search}, "error": error} | about
        )
    return pd.DataFrame(rows)
