"""A search for settings: the same rows for all, nothing from after them, and no work done twice."""

import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import joblib
import matplotlib.pyplot as plt
import numpy as np
import optuna
import pandas as pd
import pytest

from tsforecast import Forecaster, Framing
from tsforecast.tuning import Study, tune

SETTINGS = {
    "lookback": 4,
    "horizon": 2,
    "targets": None,
    "stride": 1,
    "season": None,
    "units": 8,
    "learning_rate": 0.01,
    "batch_size": 32,
    "encoder": "vanilla",
    "patience": None,
    "level": None,
    "intervals": "conformal",
    "missing": "refuse",
    "seed": 0,
}


@dataclass
class Fake:
    """As a Forecaster, without training: the mean of the window, and worse far from units=20."""

    changes: dict[str, Any] = field(default_factory=dict)
    log: ClassVar[list[dict[str, Any]]] = []
    stop_at: ClassVar[int | None] = None  # the fit that is killed

    @property
    def settings(self):
        return SETTINGS | self.changes

    def copy(self, **changes):
        if changes.get("encoder") == "broken":
            raise ValueError("this encoder cannot be built")
        return Fake(self.changes | changes)

    def windows(self, table):
        s = self.settings
        framing = Framing(
            s["lookback"], horizon=s["horizon"], targets=s["targets"], stride=s["stride"]
        )
        return framing.windows(table)

    def fit(self, table, validation=None):
        if Fake.stop_at is not None and len(Fake.log) == Fake.stop_at:
            raise KeyboardInterrupt
        Fake.log.append({"settings": self.settings, "table": table, "validation": validation})
        if self.settings["units"] == 13:
            raise FloatingPointError("the loss became nan")
        return self

    def predict(self, windows):
        Fake.log[-1]["scored"] = windows
        s = self.settings
        bias = abs(s["units"] - 20) + 10 * abs(np.log10(s["learning_rate"]) + 2)
        columns = [windows.framing.inputs.index(name) for name in windows.framing.targets]
        level = windows.X[:, :, columns].mean(axis=1, keepdims=True)
        return np.repeat(level, s["horizon"], axis=1) + bias


@pytest.fixture(autouse=True)
def fresh():
    Fake.log.clear()
    Fake.stop_at = None


def make_table(rows=120, columns=1):
    rng = np.random.default_rng(0)
    index = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.DataFrame(
        rng.normal(50, 5, (rows, columns)), index=index, columns=list("abc")[:columns]
    )


def search_of(**search):
    return {"search": search, "progress": False}


VALIDATION, TEST = "2024-01-04", "2024-01-05"


def run(table=None, forecaster=None, **options):
    table = make_table() if table is None else table
    options = {"validation": VALIDATION, "progress": False} | options
    return tune(forecaster or Fake(), table, **options)


# --- what is scored -------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 5])
@pytest.mark.parametrize("missing", [[], [75, 90]], ids=["whole", "gaps"])
def test_all_trials_are_scored_on_the_same_target_rows(stride, missing) -> None:
    table = make_table().drop(index=make_table().index[missing])
    run(table, Fake({"stride": stride}), **search_of(lookback=[1, 4, 10]))
    rows = [entry["scored"].target_rows for entry in Fake.log]
    assert len(rows) == 3
    for other in rows[1:]:
        np.testing.assert_array_equal(rows[0], other)
    scored = Fake.log[0]["scored"]
    longest = Framing(10, horizon=2).windows(table).split(VALIDATION)[1][::stride]
    np.testing.assert_array_equal(rows[0], longest.target_rows)
    assert scored.framing.lookback == 1
    assert scored.target_times(0)[0] >= pd.Timestamp(VALIDATION)
    for entry in Fake.log:  # each window is whole: its inputs end where its targets begin
        windows = entry["scored"]
        last = windows.starts + windows.framing.lookback
        np.testing.assert_array_equal(last, windows.target_rows[:, 0])


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_the_error_is_that_of_a_plain_loop(metric) -> None:
    table = make_table()
    found = run(table, metric=metric, **search_of(lookback=[3, 6], units=[20, 30]))
    values = table["a"].to_numpy()
    first = table.index.get_loc(pd.Timestamp(VALIDATION))
    for row in found.table.itertuples():
        errors = []
        for target in range(first, len(values) - 1):
            mean = values[target - row.lookback : target].mean()
            forecast = mean + abs(row.units - 20)
            errors += [abs(forecast - values[target]), abs(forecast - values[target + 1])]
        expected = np.mean(errors) if metric == "mae" else np.sqrt(np.mean(np.square(errors)))
        assert row.error == pytest.approx(expected)
    assert found.metric == metric
    assert found.error == found.table["error"].min()


def test_several_targets_and_panels_count_in_their_own_scale() -> None:
    table = make_table(columns=2)
    table["b"] *= 1000
    forecaster = Fake({"targets": ["a", "b"], "season": 24})
    found = run(table, forecaster, **search_of(units=[20, 30]))
    assert found.metric == "mase"
    before = table[table.index < VALIDATION]
    expected = []
    for name in "ab":
        one = run(table[[name]], Fake({"season": 24}), metric="mae", **search_of(units=[20, 30]))
        scale = before[name].diff(24).abs().mean()
        expected.append(one.table["error"] / scale)
    assert found.table["error"].tolist() == pytest.approx(np.mean(expected, axis=0).tolist())

    long = table.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    if hasattr(Framing(3).windows(table), "ids"):
        panel = run(
            long[["unique_id", "ds", "y"]], Fake({"season": 24}), **search_of(units=[20, 30])
        )
        assert panel.table["error"].tolist() == pytest.approx(found.table["error"].tolist())


def test_nothing_is_trained_from_the_validation_part_on() -> None:
    run(**search_of(units=[8, 16]))
    for entry in Fake.log:
        assert entry["table"].index[-1] == pd.Timestamp(VALIDATION) - pd.Timedelta("1h")
        assert entry["validation"] is None


def test_with_patience_the_validation_part_is_watched() -> None:
    run(forecaster=Fake({"patience": 3}), test=TEST, **search_of(units=[8, 16]))
    for entry in Fake.log:
        assert entry["validation"] == VALIDATION
        assert entry["table"].index[-1] == pd.Timestamp(TEST) - pd.Timedelta("1h")


@pytest.mark.parametrize("kind", ["table", "series", "array", "panel"])
def test_what_comes_after_the_validation_part_changes_nothing(kind) -> None:
    whole, validation, test = make_table(), VALIDATION, TEST
    changed = whole.copy()
    changed.loc[TEST:] = 1e6
    if kind == "series":
        whole, changed = whole["a"], changed["a"]
    if kind == "array":
        whole, changed, validation, test = whole.to_numpy(), changed.to_numpy(), 72, 96
    if kind == "panel":
        whole, changed = (
            t.rename_axis("ds").reset_index().assign(unique_id="s") for t in (whole, changed)
        )
    search = {"units": (8, 40), "learning_rate": (1e-3, 1e-1)}
    options = {"validation": validation, "test": test, "trials": 6, "search": search}
    first, second = (run(table, **options).table for table in (whole, changed))
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), second.drop(columns="seconds"))


# --- the search -----------------------------------------------------------------------------------


def test_lists_that_fit_are_tried_once_each() -> None:
    found = run(trials=50, **search_of(lookback=[2, 4], units=[8, 16, 32]))
    assert len(found.table) == len(Fake.log) == 6
    assert found.table[["lookback", "units"]].drop_duplicates().shape == (6, 2)
    assert found.best["units"] == 16
    assert found.forecaster().settings == SETTINGS | found.best
    assert repr(found).startswith("Study of 6 trials: mae ")


def test_a_range_is_searched_well() -> None:
    search = {"units": (2, 200), "learning_rate": (1e-5, 1.0)}
    found = run(trials=40, search=search)
    assert abs(found.best["units"] - 20) < 10
    assert 1e-3 < found.best["learning_rate"] < 1e-1  # a factor of ten, of five decades
    assert isinstance(found.best["units"], int)
    assert len(found.table) == 40
    rates = found.table["learning_rate"]
    assert (rates < 1e-2).sum() > 10  # by factors, not by differences


def test_the_first_trial_is_the_forecasters_own() -> None:
    found = run(trials=3, search={"units": (2, 200), "learning_rate": (1e-5, 1.0)})
    assert found.table.loc[0, ["units", "learning_rate"]].tolist() == [8, 0.01]
    outside = run(trials=3, search={"units": (50, 200), "learning_rate": (1e-5, 1.0)})
    assert outside.table["units"].min() >= 50


def test_the_seed_decides() -> None:
    search = {"units": (2, 200), "learning_rate": (1e-5, 1.0)}
    first, again, other = (run(trials=12, search=search, seed=seed).table for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), again.drop(columns="seconds"))
    assert (first["units"] != other["units"]).any()


def test_no_choice_is_trained_twice() -> None:
    found = run(trials=15, search={"units": (19, 21), "lookback": [2, 3]})
    assert len(found.table) == 15
    assert len(Fake.log) == len(found.table[["units", "lookback"]].drop_duplicates()) <= 6
    assert (found.table.groupby(["units", "lookback"])["error"].nunique() == 1).all()


def test_choices_of_any_kind() -> None:
    found = run(search={"encoder": ["vanilla", np.tanh], "units": [np.int64(8), np.int64(16)]})
    assert found.table["encoder"].unique().tolist() == ["vanilla", "tanh"]
    assert {entry["settings"]["encoder"] for entry in Fake.log} == {"vanilla", np.tanh}


def test_an_option_goes_only_to_the_encoder_that_has_it() -> None:
    run(search={"encoder": ["vanilla", "cnn"], "subsequences": [2, 4]})
    given = [(e["settings"]["encoder"], e["settings"].get("subsequences")) for e in Fake.log]
    assert given == [("vanilla", None), ("vanilla", None), ("cnn", 2), ("cnn", 4)]


def test_a_choice_that_cannot_be_trained_is_noted() -> None:
    found = run(search={"units": [8, 13], "encoder": ["vanilla", "broken"]})
    failed = found.table.set_index(["units", "encoder"])["failed"]
    assert failed[8, "vanilla"] == ""
    assert failed[13, "vanilla"] == "the loss became nan"
    assert failed[8, "broken"] == "this encoder cannot be built"
    assert found.table["error"].isna().sum() == 3
    with pytest.raises(ValueError, match=r"No trial could be trained.*the loss became nan"):
        run(search={"units": [13]})


def test_without_a_search_there_is_one() -> None:
    found = run(trials=10)
    assert set(found.best) == {"lookback", "units", "learning_rate", "batch_size"}
    assert found.table["lookback"].isin([2, 4, 8]).all()
    daily = run(forecaster=Fake({"season": 4, "lookback": 4}), trials=10)
    assert daily.table["lookback"].isin([4, 8]).all()


def test_the_time_is_limited() -> None:
    found = run(trials=10, timeout=0.0)
    assert len(found.table) == 1


# --- with a Forecaster ----------------------------------------------------------------------------


def test_a_real_forecaster_and_nothing_after_the_validation_part() -> None:
    table, changed = make_table(columns=2), make_table(columns=2)
    changed.loc[TEST:] = -1e4
    forecaster = Forecaster(
        6, horizon=3, targets="a", past_covariates="b", calendar=True, units=3, epochs=1, level=[80]
    )
    search = {"lookback": [6, 9], "learning_rate": (1e-3, 1e-1)}
    options = {"search": search, "trials": 2, "test": TEST}
    found, again = (run(rows, forecaster, **options) for rows in (table, changed))
    pd.testing.assert_frame_equal(
        found.table.drop(columns="seconds"), again.table.drop(columns="seconds")
    )
    assert forecaster.model is None
    best = found.forecaster().copy(level=None).fit(table[table.index < VALIDATION])
    longest = forecaster.copy(lookback=9).windows(table[table.index < TEST]).split(VALIDATION)[1]
    scored = best.windows(table[table.index < TEST]).split(VALIDATION)[1][-len(longest) :]
    np.testing.assert_array_equal(scored.target_rows, longest.target_rows)
    error = np.abs(best.predict(scored) - scored.y).mean()
    assert found.error == pytest.approx(error, rel=1e-5)
    assert found.forecaster().settings["level"] == [80]


def test_lookbacks_with_masked_steps_are_scored_on_the_same_times() -> None:
    table = make_table(columns=2)
    table.iloc[[20, 80], 1] = np.nan
    table = table.drop(index=table.index[[60, 90]])
    forecaster = Forecaster(4, targets="a", past_covariates="b", missing="mask", units=2, epochs=1)
    found = run(table, forecaster, search={"lookback": [4, 8]})
    assert found.table["failed"].tolist() == ["", ""]
    assert found.table["error"].between(1, 50).all()


def test_a_real_panel_whose_series_differ_in_size() -> None:
    table = make_table(columns=2)
    table["b"] *= 1000
    long = table.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    forecaster = Forecaster(4, targets="y", scaling="series", units=2, epochs=1, patience=1)
    found = run(long[["unique_id", "ds", "y"]], forecaster, search={"units": [2, 3]})
    assert found.metric == "mase"
    assert found.table["error"].between(0.2, 5).all()


def test_an_encoder_is_searched_with_its_options() -> None:
    forecaster = Forecaster(8, encoder="cnn", subsequences=4, filters=2, units=2, epochs=1)
    found = run(forecaster=forecaster, search={"encoder": ["cnn", "vanilla"]})
    assert found.table["failed"].tolist() == ["", ""]
    with pytest.raises(ValueError, match="cannot be cut into 3 subsequences"):
        run(forecaster=forecaster, search={"subsequences": [3]})


# --- what is kept ---------------------------------------------------------------------------------


SEARCH = {"units": (2, 200), "learning_rate": (1e-5, 1.0), "lookback": [2, 4]}


@pytest.mark.parametrize("name", ["study.db", "study.log"])
@pytest.mark.parametrize(("killed", "together"), [(0, 1), (4, 1), (10, 1), (10, 3)])
def test_a_killed_study_goes_on_to_the_same_end(tmp_path, name, killed, together) -> None:
    block = {"together": together}
    whole = run(trials=12, search=SEARCH, **block).table.drop(columns="seconds")
    Fake.log.clear()
    Fake.stop_at = killed
    with pytest.raises(KeyboardInterrupt):
        run(trials=12, search=SEARCH, storage=tmp_path / name, **block)
    assert len(Fake.log) == killed
    Fake.stop_at = None
    resumed = run(trials=12, search=SEARCH, storage=str(tmp_path / name), **block)
    pd.testing.assert_frame_equal(resumed.table.drop(columns="seconds"), whole)
    assert len(Fake.log) == 12
    again = run(trials=12, search=SEARCH, storage=tmp_path / name)
    assert len(Fake.log) == 12  # nothing to do
    pd.testing.assert_frame_equal(again.table, resumed.table)
    assert again.best == resumed.best
    assert len(run(trials=14, search=SEARCH, storage=tmp_path / name).table) == 14
    assert len(Fake.log) == 14


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("search", [SEARCH, {"units": [8, 13, 16], "lookback": [2, 4]}], ids=len)
def test_the_result_does_not_depend_on_jobs(search, together) -> None:
    options = {"trials": 13, "search": search, "together": together}
    one = run(**options).table.drop(columns="seconds")
    with joblib.parallel_config("threading", n_jobs=3):  # or a cluster: tests/test_clusters.py
        three = run(**options).table.drop(columns="seconds")
    pd.testing.assert_frame_equal(one, three, check_exact=True)
    with pytest.raises(ValueError, match="together must be a whole number, 1 or more"):
        run(together=0)


def test_draws_of_a_block_do_not_know_each_others_results() -> None:
    one, six = (run(trials=26, search=SEARCH, together=n).table[[*SEARCH]] for n in (1, 6))
    same = (one == six).all(axis=1).tolist()
    assert same[:9] == [True] * 9  # the random ones, and the first of the first block
    assert not all(same)


def test_a_killed_grid_goes_on(tmp_path) -> None:
    Fake.stop_at = 2
    search = {"units": [8, 13, 16], "lookback": [2, 4]}
    with pytest.raises(KeyboardInterrupt):
        run(search=search, storage=tmp_path / "study.db")
    Fake.stop_at = None
    found = run(search=search, storage=tmp_path / "study.db")
    assert len(Fake.log) == len(found.table) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"table": make_table() + 1}, "other data"),
        ({"validation": "2024-01-03"}, "other validation"),
        ({"search": {"units": [8, 17]}}, "other search"),
        ({"forecaster": Fake({"batch_size": 64})}, "other settings"),
        ({"seed": 1}, "other seed"),
        ({"metric": "rmse", "seed": 1}, "other validation and seed"),
    ],
    ids=str,
)
def test_another_study_in_the_storage_is_an_error(tmp_path, change, message) -> None:
    options = {"search": {"units": [8, 16]}, "storage": tmp_path / "study.db"}
    first = run(**options)
    with pytest.raises(ValueError, match=f"study.db.*{message}.*another file"):
        run(**(options | change))
    pd.testing.assert_frame_equal(run(**options).table, first.table)  # it is whole


def test_rows_after_the_validation_part_are_not_the_studys_data(tmp_path) -> None:
    options = {"search": {"units": [8, 16]}, "storage": tmp_path / "study.db", "test": TEST}
    run(**options)
    longer = pd.concat([make_table(), make_table().shift(120, freq="h")])
    run(longer, **options)
    assert len(Fake.log) == 2


def test_a_storage_that_is_none(tmp_path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but some text that is long enough" * 30)
    with pytest.raises(ValueError, match=r"text.db.* cannot be opened as a study.*another file"):
        run(storage=tmp_path / "text.db", **search_of(units=[8]))
    with pytest.raises(ValueError, match=r"study.csv.*no ending.*study.db"):
        run(storage="study.csv", **search_of(units=[8]))
    assert Fake.log == []


def test_it_is_silent(capfd) -> None:
    level = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(trials=12, search=SEARCH).importances  # noqa: B018
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level
    run(trials=3, search=SEARCH, progress=True)
    assert "3/3" in capfd.readouterr().err


# --- what mattered --------------------------------------------------------------------------------


def test_what_mattered_and_its_figure() -> None:
    found = run(trials=30, search={"units": (2, 200), "batch_size": [16, 32, 64]})
    assert found.importances.index[0] == "units"
    assert found.importances.sum() == pytest.approx(1)
    assert found.importances["units"] > 0.9
    axes = found.plot()
    assert len(axes) == 3
    assert axes[1].get_xlabel() == "units"
    assert axes[1].get_xscale() == "log"
    assert [tick.get_text() for tick in axes[2].get_xticklabels()] == ["16", "32", "64"]
    plt.close("all")
    with pytest.raises(ValueError, match="fewer than two different"):
        run(**search_of(units=[8])).plot()


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": {}}, "search= is empty"),
        ({"search": {"horizon": [1, 2]}}, "'horizon' cannot be searched.*another question"),
        ({"search": {"unit": [1, 2]}}, "no setting 'unit'. Did you mean 'units'"),
        ({"search": {"units": 8}}, r"search for 'units' is 8.*list.*\(16, 64\)"),
        ({"search": {"units": (8, 8)}}, r"search for 'units' is \(8, 8\)"),
        ({"search": {"units": (64, 8)}}, r"search for 'units' is \(64, 8\)"),
        ({"search": {"units": (8, 16, 32)}}, r"search for 'units' is \(8, 16, 32\)"),
        ({"search": {"encoder": ("vanilla", "cnn")}}, "Give a list of choices"),
        ({"search": {"units": []}}, r"choices for 'units' are \[\]"),
        ({"search": {"units": [8, 8]}}, "Give each of them once"),
        ({"search": {"lookback": [4, 80]}}, "longest lookback of the search is 80.*72 rows"),
        ({"trials": 0}, "trials must be a whole number, 1 or more"),
        ({"metric": "mape"}, "no metric 'mape'"),
        ({"validation": "2025-01-01"}, "nothing from there on"),
        ({"validation": "2023-01-01"}, "nothing before it"),
        ({"validation": "noon"}, "'noon' is not a time of this table"),
        ({"validation": TEST, "test": VALIDATION}, "nothing from there on"),
    ],
    ids=str,
)
def test_bad_input(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        run(**({"search": {"units": [8]}} | options))
    assert Fake.log == []


def test_not_a_forecaster() -> None:
    with pytest.raises(TypeError, match=r"Expected a Forecaster, got Framing.*tsf.Forecaster"):
        run(forecaster=Framing(3))
    assert Study.__doc__
