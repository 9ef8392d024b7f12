"""A backtest: forecasts by a plain loop, no look into the future, scores by hand, clear errors."""

import copy
import re
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast import Framing, backtest, tables

rolling = sys.modules[backtest.__module__]


class Linear:
    """Least squares on the window, behind the interface of a Forecaster: fits in no time."""

    def __init__(self, lookback, *, seed=0, noise=0.0, fails_until=None, **framing):
        self.settings = {"lookback": lookback, "seed": seed, "noise": noise, **framing}
        self.settings["fails_until"] = fails_until
        self.framing = Framing(lookback, **framing)
        self.seed, self.noise, self.fails_until = seed, noise, fails_until
        self.trained_until = None

    def copy(self, **changes):
        return Linear(**(self.settings | changes))

    def windows(self, table):
        return self.framing.windows(table)

    def design(self, windows):
        inputs, _ = windows.batch(slice(None))
        parts = inputs.values() if isinstance(inputs, dict) else [inputs]
        x = np.hstack([part.reshape(len(windows), -1) for part in parts]).astype(float)
        return np.hstack([x, np.ones((len(x), 1))])

    def fit(self, table, validation=None, calibration=None, verbose=0):
        windows = self.windows(table)
        if validation is not None:
            windows, *self.held = windows.split(
                *(time for time in (validation, calibration) if time is not None)
            )
        if self.fails_until is not None and windows.target_span[1] >= self.fails_until:
            if self.fails_until == "interrupt":
                raise KeyboardInterrupt
            raise FloatingPointError("The loss became nan.")
        y = windows.y.reshape(len(windows), -1)
        self.weights = np.linalg.lstsq(self.design(windows), y, rcond=None)[0]
        draw = np.random.default_rng(self.seed).normal(size=self.weights.shape)
        self.weights = self.weights + self.noise * draw
        self.trained_until = windows.target_span[1]
        return self

    def predict(self, windows):
        out = self.design(windows) @ self.weights
        return out.reshape(len(windows), windows.framing.horizon, -1)


def make_table(rows=60, freq="h", columns="ab"):
    rng = np.random.default_rng(0)
    wave = 5 * np.sin(np.arange(rows) * 2 * np.pi / 6)
    return pd.DataFrame(
        {name: 50 + wave + rng.normal(0, 1, rows).cumsum() for name in columns},
        index=pd.date_range("2024-01-01", periods=rows, freq=freq),
    )


def make_panel(lengths=(40, 50, 30)):
    parts = []
    for number, rows in enumerate(lengths):
        values = make_table(60)["a"].to_numpy()[-rows:] * (number + 1)
        ds = pd.date_range("2024-01-01", periods=60, freq="D")[-rows:]
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": ds, "y": values}))
    return pd.concat(parts, ignore_index=True)


QUIET = {"progress": False, "baselines": ["naive"]}


# --- the forecasts are those of a plain loop ----------------------------------------------------


@pytest.mark.parametrize("gap", [0, 4])
@pytest.mark.parametrize("refit", [False, True, 3])
@pytest.mark.parametrize(
    "framing",
    [
        {"targets": "a"},
        {"targets": ["a", "b"], "horizon": 3},
        {"targets": "a", "horizon": 2, "past_covariates": "b", "stride": 4},
        {"targets": "a", "horizon": 2, "future_covariates": "b"},
    ],
    ids=["one step", "two targets", "stride 4", "future covariate"],
)
def test_forecasts_are_those_of_a_plain_loop(framing, refit, gap):
    table = make_table()
    f = Linear(4, **framing)
    result = backtest(f, table, start=table.index[30], every=4, refit=refit, gap=gap, **QUIET)
    horizon = framing.get("horizon", 1)
    cutoffs = list(range(29, 60 - horizon, 4))
    assert result.cutoffs.tolist() == table.index[cutoffs].tolist()
    per_fit = {False: 1000, True: 1}.get(refit, refit)
    assert result.fits == -(-len(cutoffs) // per_fit)
    for number, cutoff in enumerate(cutoffs):
        fold_cutoff = cutoffs[number - number % per_fit]
        fitted = f.copy().fit(table[: fold_cutoff - gap + 1])
        seen = table[: cutoff + horizon + 1]
        windows = Framing(4, **(framing | {"stride": 1})).windows(seen)[cutoff - 3 :][:1]
        expected = fitted.predict(windows)[0]  # (horizon, targets)
        for column, target in enumerate(np.atleast_1d(framing["targets"])):
            rows = result.table
            rows = rows[(rows["unique_id"] == target) & (rows["cutoff"] == table.index[cutoff])]
            assert rows["ds"].tolist() == table.index[cutoff + 1 : cutoff + horizon + 1].tolist()
            assert rows["step"].tolist() == [*range(1, horizon + 1)]
            np.testing.assert_array_equal(rows["y"], table[target][rows["ds"]])
            np.testing.assert_allclose(rows["LSTM"], expected[:, column], rtol=1e-6)
            assert (rows["naive"] == table[target].iloc[cutoff]).all()


def test_a_fitted_forecaster_is_used_as_it_is_and_begins_after_its_training():
    table = make_table()
    f = Linear(4, targets="a", horizon=3).fit(table[:40])
    weights = f.weights.copy()
    result = backtest(f, table, **QUIET)
    assert result.fits == 0
    assert result.table["ds"].iloc[0] == table.index[40]
    assert result.cutoffs.tolist() == table.index[[39, 42, 45, 48, 51, 54]].tolist()
    np.testing.assert_array_equal(f.weights, weights)
    only_test = backtest(f, table[40:], **QUIET)  # no history before it: later cutoffs
    assert only_test.cutoffs[0] == table.index[43]


def test_an_unfitted_forecaster_is_left_unfitted():
    f = Linear(4, targets="a")
    backtest(f, make_table(), start="2024-01-02", refit=10, **QUIET)
    assert f.trained_until is None


@pytest.mark.parametrize("lead", [0, 1, 3])
def test_lead(lead):
    """What the baselines know: the target up to the row before the first one to be forecast."""
    table = make_table()
    roles = {"past_covariates": "b", "use_target_history": False} if lead == 0 else {}
    f = Linear(4, targets="a", horizon=2, lead=lead, **roles).fit(table[:40])
    result = backtest(f, table, baselines=["naive", "drift"], progress=False)
    rows = result.table
    assert rows["ds"].iloc[0] == table.index[40]
    known = table.index.get_indexer(rows["cutoff"]) - (lead == 0)
    ahead = table.index.get_indexer(rows["ds"]) - known
    y = table["a"].to_numpy()
    np.testing.assert_array_equal(rows["naive"], y[known])
    np.testing.assert_allclose(rows["drift"], y[known] + ahead * (y[known] - y[0]) / known)


@pytest.mark.parametrize("kind", ["array", "numbered", "period", "zone", "series"])
def test_kinds_of_tables(kind):
    table = make_table(columns="a")
    start = "2024-01-02 06:00"
    if kind == "array":
        table, start = table.to_numpy(), 30
    elif kind == "numbered":
        table, start = table.reset_index(drop=True), 30
    elif kind == "period":
        table = table.to_period("h")
    elif kind == "zone":
        table = table.tz_localize("Australia/Melbourne")
    elif kind == "series":
        table = table["a"]
    result = backtest(Linear(4, horizon=2), table, start=start, every=2, refit=8, **QUIET)
    assert len(result) == 15
    assert result.scores().loc["naive", "skill"] == 0
    assert len(result.lag_test()) == 2
    expected = backtest(
        Linear(4, horizon=2), make_table(columns="a"), start=pd.Timestamp("2024-01-02 06:00"),
        every=2, refit=8, **QUIET,
    )  # fmt: skip
    np.testing.assert_array_equal(result.table["LSTM"], expected.table["LSTM"])


def test_end():
    table = make_table()
    f = Linear(4, targets="a", horizon=2).fit(table[:30])
    day = backtest(f, table, end="2024-01-02", **QUIET)  # the whole day, as in table[:"2024-01-02"]
    assert day.table["ds"].max() == pd.Timestamp("2024-01-02 23:00")
    until = backtest(f, table, end=table.index[40], **QUIET)
    assert until.table["ds"].max() == table.index[39]


def test_validation_and_calibration_parts_of_the_fits_made_here():
    table = make_table()
    seen = []

    class Watched(Linear):
        def copy(self, **changes):
            return Watched(**(self.settings | changes))

        def fit(self, table, validation=None, calibration=None, verbose=0):
            seen.append((table.index[-1], validation, calibration))
            return super().fit(table, validation, calibration)

    f = Watched(4, targets="a", horizon=2)
    options = {"start": table.index[40], "every": 10, "refit": True, "gap": 3}
    backtest(f, table, validation=6, calibration=5, **options, **QUIET)
    assert seen[0] == (table.index[36], table.index[26], table.index[32])
    assert len(seen) == 2
    backtest(f, table, validation=6, **options, **QUIET)
    assert seen[2] == (table.index[36], table.index[31], None)
    backtest(f, table, calibration=5, **options, **QUIET)
    assert seen[4] == (table.index[36], None, table.index[32])


# --- panels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [False, True, 2])
def test_panels(refit):
    panel = make_panel()
    f = Linear(4, targets="y", horizon=2, stride=3)
    start = pd.Timestamp("2024-02-20")
    result = backtest(f, panel, start=start, every=3, refit=refit, **QUIET)
    assert result.cutoffs.tolist() == [*pd.date_range("2024-02-19", "2024-02-27", freq="3D")]
    assert result.table["unique_id"].unique().tolist() == ["s0", "s1", "s2"]
    cutoffs = result.cutoffs
    per_fit = {False: 1000, True: 1}.get(refit, refit)
    for number, cutoff in enumerate(cutoffs):
        fitted = f.copy().fit(panel[panel["ds"] <= cutoffs[number - number % per_fit]])
        for name in ("s0", "s1", "s2"):
            one = panel[panel["unique_id"] == name].set_index("ds")[["y"]]
            part = one[: cutoff + pd.Timedelta("2D")]
            expected = fitted.predict(Framing(4, horizon=2).windows(part)[-1:])[0, :, 0]
            rows = result.table.query("unique_id == @name and cutoff == @cutoff")
            np.testing.assert_allclose(rows["LSTM"], expected)
            np.testing.assert_array_equal(rows["y"], one["y"].loc[rows["ds"]])
            assert (rows["naive"] == one["y"].loc[cutoff]).all()


def test_scores_of_a_panel_are_means_over_its_series():
    panel = make_panel()
    start = pd.Timestamp("2024-02-20")
    result = backtest(Linear(4, targets="y"), panel, start=start, season=6, **QUIET)
    each = result.scores(by="unique_id")
    both = result.scores()
    for name in ("LSTM", "naive"):
        rows = each.xs(name, level="forecast")
        assert len(rows) == 3
        for column in ("mae", "rmse", "mase"):
            assert both.loc[name, column] == pytest.approx(rows[column].mean())
    for series in ("s0", "s2"):
        before = panel[(panel["unique_id"] == series) & (panel["ds"] < start)]["y"].to_numpy()
        scale = np.abs(before[6:] - before[:-6]).mean()
        row = each.loc[(series, "naive")]
        assert row["mase"] == pytest.approx(row["mae"] / scale)
    assert both.loc["LSTM", "skill"] == pytest.approx(
        1 - both["mae"]["LSTM"] / both["mae"]["naive"]
    )
    with pytest.raises(ValueError, match="by='cutoff' is not known"):
        result.scores(by="cutoff")


def test_a_panel_with_two_targets():
    panel = make_panel().assign(z=lambda frame: 100 * frame["y"] ** 0.5)
    result = backtest(
        Linear(4, targets=["y", "z"]), panel, start="2024-02-20", every=3, refit=3, **QUIET
    )
    assert set(result.table["target"]) == {"y", "z"}
    scores = result.scores()
    assert scores.index.names == ["target", "forecast"]
    for target in "yz":
        rows = result.table[result.table["target"] == target]
        errors = (rows["naive"] - rows["y"]).abs()
        mae = errors.groupby(rows["unique_id"]).mean().mean()
        assert scores.loc[(target, "naive"), "mae"] == pytest.approx(mae)
    assert len(result.lag_test()) == len(result.skill()) == 4
    assert len(result.by_step()) == 2


# --- nothing after a cutoff changes a forecast made at it ---------------------------------------


@pytest.mark.parametrize("gap", [0, 5])
@pytest.mark.parametrize("refit", [False, True, 2])
@pytest.mark.parametrize("panel", [False, True], ids=["table", "panel"])
def test_nothing_after_a_cutoff_changes_a_forecast_made_at_it(panel, refit, gap):
    f = Linear(4, targets="y", horizon=2)
    data = make_panel()
    options = {"start": pd.Timestamp("2024-02-10"), "every": 3, "refit": refit, "gap": gap}
    options |= {"season": 7, "history": 12, "progress": False, "level": [80], "seeds": [0, 1]}
    if not panel:
        data = data[data["unique_id"] == "s1"].set_index("ds")[["y"]]
    whole = backtest(f, data, **options)
    times = pd.Index(data["ds"]) if panel else data.index
    for cutoff in whole.cutoffs[::2]:
        changed = data.copy()
        later = np.asarray(times > cutoff)
        changed.loc[later, "y"] = np.random.default_rng(1).normal(0, 1000, later.sum())
        other = backtest(f, changed, **options)
        kept = [
            result.table[result.table["cutoff"] <= cutoff].drop(columns="y")
            for result in (whole, other)
        ]
        assert len(kept[0])
        before = kept[0]["ds"] <= cutoff
        pd.testing.assert_frame_equal(*kept, check_exact=True)
        assert not before.all()
        rest = [r.table[r.table["cutoff"] > cutoff]["LSTM"] for r in (whole, other)]
        assert rest[0].empty or not np.array_equal(*rest)  # the change was seen where it may be


def test_a_gap_hides_the_last_rows_from_the_fit_and_from_nothing_else():
    table = make_table()
    f = Linear(4, targets="a")
    options = {"start": table.index[50], "end": table.index[50], "refit": True, "gap": 8} | QUIET
    whole = backtest(f, table, **options)
    changed = table.copy()
    changed.iloc[42:46] += 100  # in the gap, before the window
    hidden = backtest(f, changed, **options)
    np.testing.assert_array_equal(hidden.table["LSTM"], whole.table["LSTM"])
    changed = table.copy()
    changed.iloc[49] += 100  # the last row that the window and the baseline read
    seen = backtest(f, changed, **options)
    assert (seen.table["LSTM"] != whole.table["LSTM"]).all()
    assert (seen.table["naive"] != whole.table["naive"]).all()
    changed = table.copy()
    changed.iloc[41] += 100  # the last row that the fit may read
    assert (backtest(f, changed, **options).table["LSTM"] != whole.table["LSTM"]).all()


# --- baselines ----------------------------------------------------------------------------------


def test_baselines_by_hand():
    table = make_table()
    f = Linear(4, targets="a", horizon=8).fit(table[:40])
    names = ["naive", "seasonal naive", "drift"]
    result = backtest(f, table, season=[3, 7], baselines=names, every=2, progress=False)
    y = table["a"].to_numpy()
    expected = {"naive": [], "seasonal naive 3": [], "seasonal naive 7": [], "drift": []}
    for cutoff in table.index.get_indexer(result.cutoffs):
        for step in range(1, 9):
            expected["naive"].append(y[cutoff])
            expected["drift"].append(y[cutoff] + step * (y[cutoff] - y[0]) / cutoff)
            for season in (3, 7):
                row = cutoff + step
                while row > cutoff:
                    row -= season
                expected[f"seasonal naive {season}"].append(y[row])
    assert result.baselines == [*expected]
    for name, values in expected.items():
        np.testing.assert_allclose(result.table[name], values)


@pytest.mark.parametrize("season", [6, 26])
def test_auto_ets_is_that_of_statsforecast(season):
    from statsforecast.models import MSTL, AutoETS

    table = make_table(120)
    f = Linear(4, targets="a", horizon=3).fit(table[:100])
    result = backtest(f, table, season=season, baselines="AutoETS", history=60, progress=False)
    model = AutoETS(season_length=6) if season == 6 else MSTL(26, AutoETS(model="ZZN"))
    y = table["a"].to_numpy()
    for cutoff in result.cutoffs[[0, -1]]:
        known = table.index.get_loc(cutoff) + 1
        expected = model.forecast(y=y[known - 60 : known], h=3)["mean"]
        rows = result.table[result.table["cutoff"] == cutoff]
        np.testing.assert_allclose(rows["AutoETS"], expected)


@pytest.mark.parametrize(
    ("season", "kind"), [(1, "AutoETS"), (24, "AutoETS"), (25, "MSTL"), (200, "MSTL")]
)
def test_a_season_of_a_day_of_hours_is_one_for_auto_ets(season, kind):
    (model, rows, needed), *_ = rolling._simple_models(["AutoETS"], [season], None).values()
    assert type(model).__name__ == kind
    assert (rows, needed) == (max(500, 4 * season), {1: 5, 24: 24, 25: 50, 200: 400}[season])
    assert kind == "MSTL" or model.season_length == season


def test_models_of_statsforecast_and_intervals():
    from statsforecast.models import HistoricAverage, SeasonalWindowAverage

    table = make_table()
    f = Linear(4, targets="a", horizon=2).fit(table[:50])
    models = {"mean": HistoricAverage(), "three days": SeasonalWindowAverage(6, 3), "last": "naive"}
    result = backtest(f, table, baselines=models, history=18, progress=False)
    assert result.baselines == ["mean", "three days", "last"]
    y = table["a"].to_numpy()
    np.testing.assert_allclose(result.table["mean"].iloc[0], y[32:50].mean())
    np.testing.assert_allclose(result.table["three days"].iloc[0], y[[32, 38, 44]].mean())
    assert (result.skill()["last"]["last"]) == 0
    banded = backtest(f, table, baselines=["naive"], level=[80, 95], progress=False)
    assert [*banded.table.columns[-4:]] == [
        f"naive-{end}-{level}" for end, level in (("lo", 95), ("lo", 80), ("hi", 80), ("hi", 95))
    ]
    assert banded.forecasts == ["LSTM", "naive"]  # the ends of an interval are no forecasts


def test_default_baselines_without_a_season():
    table = make_table()
    result = backtest(Linear(4, targets="a"), table, start=table.index[55], progress=False)
    assert result.baselines == ["naive", "drift", "AutoETS"]


def test_missing_rows_are_walls_for_windows_and_filled_from_the_past_for_baselines():
    table = make_table()
    holes = [30, 44, 45]
    f = Linear(4, targets="a").fit(table[:25])
    gappy = table.drop(table.index[holes])
    result = backtest(f, gappy, season=6, baselines=["naive", "seasonal naive"], progress=False)
    whole = backtest(f, table, season=6, baselines=["naive", "seasonal naive"], progress=False)
    rows = result.table.set_index("ds")
    expected = whole.table.set_index("ds")
    cutoffs = table.index.get_indexer(result.table["cutoff"])
    assert not set(cutoffs) & {29, 30, 31, 32, 33, 43, 44, 45, 46, 47, 48}
    pd.testing.assert_series_equal(rows["LSTM"], expected["LSTM"].loc[rows.index])
    after = table.index[[36, 50, 51]]  # the season before is a hole: one more season back
    np.testing.assert_array_equal(rows["seasonal naive"][after], table["a"].iloc[[24, 38, 39]])
    others = rows.index.difference(after)
    pd.testing.assert_series_equal(
        rows["seasonal naive"][others], expected["seasonal naive"][others], check_freq=False
    )


@pytest.mark.parametrize("missing", ["skip", "mask"])
def test_missing_values_by_the_policy_of_the_forecaster(missing):
    table = make_table(80)
    table.iloc[[0, 1, 20, 44, 45], 0] = np.nan
    if missing == "skip":
        f = Linear(4, targets="a", missing=missing, stride=3)
    else:
        f = tsf.Forecaster(4, targets="a", missing=missing, stride=3, units=2, epochs=1)
    options = {"start": table.index[40], "season": 6, "progress": False}
    options["baselines"] = ["naive", "seasonal naive"]
    result = backtest(f, table, **options)
    cutoffs = table.index.get_indexer(result.cutoffs)
    assert cutoffs[0] == 39
    assert not set(cutoffs) & {43, 44}  # no target came
    unknown = {45, 46, 47, 48} if missing == "skip" else set()
    assert set(cutoffs) == set(range(39, 79)) - {43, 44} - unknown
    assert result.table.notna().all(axis=None)
    cutoff = result.cutoffs[20]
    changed = table.copy()
    changed.loc[changed.index > cutoff, "a"] *= -7
    other = backtest(f, changed, **options)
    kept = [r.table[r.table["cutoff"] <= cutoff].drop(columns="y") for r in (result, other)]
    pd.testing.assert_frame_equal(*kept, check_exact=True)
    assert len(kept[0]) == 21


def test_rows_are_counted_from_0_where_values_are_missing():
    table = make_table(80)
    table.iloc[[0, 1, 20, 44, 45], 0] = np.nan
    f = Linear(4, targets="a", horizon=2, missing="skip").fit(table[:40])
    gappy = table.assign(a=table["a"].where(table.index != table.index[60]))
    result = backtest(f, gappy, every=1, **QUIET)
    for frame in (result.table, result.series):
        assert frame.index.tolist() == list(range(len(frame)))
        assert frame["y"].notna().all()
    assert len(result.series) == 80 - 6


def test_a_series_has_a_value_for_each_step_from_its_first_to_its_last():
    panel = make_panel((6, 4)).drop(index=[2])
    series = rolling._read_series(panel, ["y"])
    dense = rolling._dense(series, rolling._clock(rolling._times_of(panel)), True)
    assert [(key, first, len(values)) for key, (first, values) in dense.items()] == [
        (("s0", "y"), 0, 6),
        (("s1", "y"), 2, 4),
    ]
    assert np.flatnonzero(np.isnan(dense["s0", "y"][1])).tolist() == [2]
    np.testing.assert_array_equal(dense["s1", "y"][1], panel["y"].to_numpy()[-4:])


# --- scores -------------------------------------------------------------------------------------


def test_scores_by_hand():
    table = make_table()
    f = Linear(4, targets=["a", "b"], horizon=2).fit(table[:40])
    result = backtest(f, table, season=6, baselines=["naive", "seasonal naive"], progress=False)
    scores, skill = result.scores(), result.skill()
    for target in "ab":
        rows = result.table[result.table["unique_id"] == target]
        before = table[target].to_numpy()[:40]
        scale = np.abs(before[6:] - before[:-6]).mean()
        mae = {name: np.abs(rows[name] - rows["y"]).mean() for name in result.forecasts}
        for name in result.forecasts:
            found = scores.loc[(target, name)]
            assert found["mae"] == pytest.approx(mae[name])
            assert found["rmse"] == pytest.approx(np.sqrt(((rows[name] - rows["y"]) ** 2).mean()))
            assert found["mase"] == pytest.approx(mae[name] / scale)
            assert found["skill"] == pytest.approx(1 - mae[name] / mae["naive"])
            for other in result.baselines:
                gain = 1 - mae[name] / mae[other]
                assert skill.loc[(target, name), other] == pytest.approx(gain)
        assert scores.loc[target]["mae"].is_monotonic_increasing
        for step in (1, 2):
            part = rows[rows["step"] == step]
            error = np.abs(part["LSTM"] - part["y"]).mean()
            assert result.by_step().loc[(target, step), "LSTM"] == pytest.approx(error)


def test_seeds():
    table = make_table()
    f = Linear(4, targets="a", noise=0.05)
    options = {"start": table.index[40], "refit": 10} | QUIET
    result = backtest(f, table, seeds=[3, 5], **options)
    assert result.fits == 4
    scores = result.scores()
    maes = []
    for seed in (3, 5):
        one = backtest(f.copy(seed=seed), table, **options)
        rows = result.table[result.table["seed"] == seed].drop(columns="seed")
        pd.testing.assert_frame_equal(rows.reset_index(drop=True), one.table, check_exact=True)
        maes.append(one.scores()["mae"]["LSTM"])
    assert scores.loc["LSTM", "mae"] == pytest.approx(np.mean(maes))
    assert scores.loc["LSTM", "mae spread"] == pytest.approx(np.std(maes, ddof=1))
    assert scores.loc["naive", "mae spread"] == 0
    assert "2 seeds, 4 fits" in repr(result)


def test_without_baselines_there_is_no_skill():
    table = make_table()
    f = Linear(4, targets="a").fit(table[:40])
    result = backtest(f, table, baselines=(), progress=False)
    assert [*result.scores().columns] == ["mae", "rmse", "mase"]
    with pytest.raises(ValueError, match="Skill compares with a baseline"):
        result.skill()


class Delayed(Linear):
    """Says what was `late` steps before: 1 is the naive forecast of one step ahead."""

    late = 1

    def copy(self, **changes):
        return Delayed(**(self.settings | changes))

    def fit(self, table, validation=None, calibration=None, verbose=0):
        self.trained_until = self.windows(table).target_span[1]
        return self

    def predict(self, windows):
        rows = windows.target_rows - self.late
        return windows.values[rows][:, :, :1] + 0.01


@pytest.mark.parametrize("late", [1, 3, 6])
def test_lag_test_finds_a_late_copy(late):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(0, 1, 300).cumsum()})
    f = Delayed(8, targets="a", horizon=1).fit(table[:100])
    f.late = late
    found = backtest(f, table, **QUIET).lag_test(lags=10)
    row = found.loc["LSTM"]
    assert row["best lag"] == late
    assert row["error there"] == pytest.approx(0.01)
    y = table["a"].to_numpy()
    error = np.abs(y[100:] - y[100 - late : -late] - 0.01).mean()
    assert row["error"] == pytest.approx(error)
    assert row["left of naive"] == pytest.approx(error / np.abs(np.diff(y[99:])).mean())
    assert row["verdict"] == f"late copy: {late} step{'s' * (late > 1)} late, and no better"
    assert found.loc["naive", "best lag"] == 1


def test_lag_test_of_a_good_forecast_and_of_the_last_value():
    table = pd.DataFrame({"a": np.tile([0.0, 5.0, 9.0, 2.0, 7.0], 40)})
    f = Linear(5, targets="a", horizon=3).fit(table[:100])
    found = backtest(f, table, season=5, **QUIET).lag_test(lags=4)
    assert found.loc["LSTM", "verdict"] == "no copy, and better than naive"
    assert found.loc["LSTM", "best lag"] == 0
    assert found.loc["naive", "verdict"] == "follows the last value, and no better"
    assert found.loc["naive", "to last value"] == 0
    with pytest.raises(ValueError, match="lags must be a whole number, 1 or more"):
        backtest(f, table, **QUIET).lag_test(lags=0)


def test_lag_test_of_two_targets_is_that_of_each():
    table = pd.DataFrame(np.random.default_rng(0).normal(0, 1, (200, 2)).cumsum(axis=0))
    table.columns = ["a", "b"]
    both = backtest(Linear(4).fit(table[:100]), table, **QUIET).lag_test(lags=3)
    for name in table:
        one = backtest(Linear(4, targets=name).fit(table[:100]), table, **QUIET).lag_test(lags=3)
        pd.testing.assert_frame_equal(
            both.loc[name, one.columns[1:-2]].loc[["naive"]], one[one.columns[1:-2]].loc[["naive"]]
        )


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((5.0, 0, 5.0, 6.0, 0.5), "no copy, and better than naive"),
        ((5.0, 0, 5.0, 6.0, 0.95), "no copy, but no better than naive"),
        ((5.0, 0, 5.0, 6.0, np.nan), "no copy, but no better than naive"),
        ((5.0, 0, 5.0, 4.0, 0.5), "follows the last value, yet better than naive"),
        ((5.0, 2, 3.0, 4.0, 1.2), "late copy: 2 steps late, and no better"),
        ((5.0, 1, 3.0, 4.0, 0.5), "late copy: 1 step late, yet better than naive"),
    ],
)
def test_a_lag_in_words(numbers, words):
    assert rolling._verdict(*numbers) == words


# --- with a real network ------------------------------------------------------------------------


@pytest.mark.parametrize("intervals", ["conformal", "quantile"])
def test_a_forecaster_with_intervals(intervals):
    table = make_table(90)
    f = tsf.Forecaster(
        6, horizon=2, targets="a", level=[80, 90], intervals=intervals, units=3, epochs=1
    ).fit(table[:70])
    result = backtest(f, table, level=[80, 90], **QUIET)
    assert result.fits == 0
    ends = ["-lo-90", "-lo-80", "-hi-80", "-hi-90"]
    assert [*result.table.columns] == [
        *("unique_id", "ds", "cutoff", "step", "y"),
        *("LSTM", *(f"LSTM{end}" for end in ends), "naive", *(f"naive{end}" for end in ends)),
    ]
    assert result.forecasts == ["LSTM", "naive"]
    for cutoff in result.cutoffs[::4]:
        expected = f.forecast(table[:cutoff])
        rows = result.table[result.table["cutoff"] == cutoff]
        for end in ("", *ends):
            np.testing.assert_allclose(rows[f"LSTM{end}"], expected[f"a{end}"], rtol=1e-5)
    covered = result.coverage()
    assert len(covered) == 4
    inside = result.table["y"].between(result.table["naive-lo-80"], result.table["naive-hi-80"])
    assert covered.loc[("naive", 80), "coverage"] == pytest.approx(100 * inside.mean())


@pytest.mark.parametrize("refit", [False, 2])
def test_nothing_after_a_cutoff_changes_a_forecast_of_a_network(refit):
    panel = make_panel().assign(known=lambda frame: np.arange(len(frame)) % 7)
    f = tsf.Forecaster(
        4, horizon=2, targets="y", future_covariates="known", calendar=True, level=[80],
        units=3, epochs=1, scaling="standard",
    )  # fmt: skip
    options = {"start": "2024-02-20", "every": 3, "refit": refit, "validation": 5, **QUIET}
    whole = backtest(f, panel, **options)
    cutoff = whole.cutoffs[1]
    changed = panel.copy()
    changed.loc[changed["ds"] > cutoff, "y"] *= -7
    other = backtest(f, changed, **options)
    kept = [r.table[r.table["cutoff"] <= cutoff].drop(columns="y") for r in (whole, other)]
    pd.testing.assert_frame_equal(*kept, check_exact=True)
    assert whole.fits == (1 if not refit else 2)


# --- looks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("panel", [False, True], ids=["table", "panel"])
def test_text_and_figure(panel, horizon):
    import matplotlib.pyplot as plt

    data = make_panel() if panel else make_table()
    f = Linear(4, targets="y" if panel else ["a", "b"], horizon=horizon)
    start = "2024-02-20" if panel else data.index[40]
    result = backtest(f, data, start=start, every=3, level=[80], **QUIET)
    text = repr(result)
    assert text.startswith(f"Backtest: {len(result)} cutoffs from {result.cutoffs[0]} to ")
    assert f"{horizon} steps ahead" in text
    assert "skill" in text
    assert "<table" in result._repr_html_()
    figure = result.plot("naive", target="s2" if panel else "b")
    titles = [ax.get_title() for ax in figure.axes]
    assert len(titles) == (2 if horizon == 1 else 4)
    if horizon > 1:
        assert [title.split(":")[0] for title in titles] == ["best", "middle", "worst", ""]
        errors = (result.table["naive"] - result.table["y"]).abs()
        rows = result.table["unique_id"] == ("s2" if panel else "b")
        worst = errors[rows].groupby(result.table["cutoff"]).mean().idxmax()
        first = result.table.loc[rows & (result.table["cutoff"] == worst), "ds"].iloc[0]
        assert f"{first:%Y-%m-%d}" in titles[2]
    assert result.plot()
    plt.close("all")
    with pytest.raises(ValueError, match="There is no forecast 'GRU'"):
        result.plot("GRU")
    with pytest.raises(ValueError, match="There is no 'c' among the series"):
        result.plot(target="c")


def test_the_result_does_not_depend_on_jobs_and_progress(capsys):
    table = make_table()
    f = Linear(4, targets="a")
    options = {"start": table.index[40], "refit": 5, "season": 6}
    one = backtest(f, table, **options)
    bar = capsys.readouterr().err.split("\r")[-1]
    assert re.search(r"backtest: 100%.* (\d+)/\1 ", bar)
    two = backtest(f, table, jobs=2, progress=False, **options)
    assert capsys.readouterr().err == ""
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)
    with joblib.parallel_config("threading", n_jobs=3):  # or a cluster: tests/test_clusters.py
        three = backtest(f, table, progress=False, **options)
    pd.testing.assert_frame_equal(one.table, three.table, check_exact=True)


# --- interruption and errors --------------------------------------------------------------------


def test_an_interrupted_backtest_returns_what_is_done(monkeypatch):
    table = make_table()
    options = {"start": table.index[40], "refit": 5} | QUIET
    whole = backtest(Linear(4, targets="a"), table, **options)
    fit, calls = Linear.fit, []

    def interrupted(self, *arguments, **more):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(self, *arguments, **more)

    monkeypatch.setattr(Linear, "fit", interrupted)
    with pytest.warns(UserWarning, match="Interrupted: the forecasts of 10 of 20 cutoffs"):
        part = backtest(Linear(4, targets="a"), table, **options)
    pd.testing.assert_frame_equal(part.table, whole.table.iloc[:10])
    assert part.scores().loc["naive", "skill"] == 0
    calls[:] = [1, 1]
    with pytest.raises(KeyboardInterrupt):  # nothing is done yet
        backtest(Linear(4, targets="a"), table, **options)


def test_a_failing_fold_names_its_cutoff():
    table = make_table()
    f = Linear(4, targets="a", fails_until=table.index[50])
    message = f"fit of 'LSTM' for the cutoff {table.index[53]}.*loss became nan"
    with pytest.raises(RuntimeError, match=message):
        backtest(f, table, start=table.index[45], every=3, refit=True, gap=1, **QUIET)


def test_a_failing_baseline_names_its_cutoff():
    class Broken:
        def new(self):
            return self

        def forecast(self, **_):
            raise ZeroDivisionError

    table = make_table()
    f = Linear(4, targets="a").fit(table[:40])
    message = f"baseline 'x' failed at the cutoff {table.index[39]}, on 40 rows: ZeroDivisionError"
    with pytest.raises(RuntimeError, match=message):
        backtest(f, table, baselines={"x": Broken()}, progress=False)


FITTED = Linear(4, targets="a", horizon=2).fit(make_table()[:40])
ERRORS = {
    "every": ({"every": 0}, "every must be a whole number, 1 or more; got 0"),
    "gap": ({"gap": -1}, "gap must be a whole number, 0 or more"),
    "validation": ({"validation": -1}, "validation must be a whole number, 0 or more"),
    "calibration": ({"calibration": 2.5}, "calibration must be a whole number, 0 or more"),
    "no history": ({"history": 0}, "history must be a whole number, 1 or more"),
    "refit text": ({"refit": "daily"}, "refit must be False .never., True .*got 'daily'"),
    "refit zero": ({"refit": 0}, "refit must be False"),
    "refit half": ({"refit": 0.5}, "refit must be False"),
    "start outside": ({"start": "2025-01-01"}, "outside the table, which runs from 2024-01-01"),
    "start before": ({"start": "2023-01-01"}, "outside the table"),
    "start no time": ({"start": "spring"}, "'spring' is not a time of this table"),
    "start number": ({"start": 30}, "30 is not a time of this table"),
    "end first": ({"end": "2024-01-01"}, "end='2024-01-01' is before the first target"),
    "leak": ({"start": "2024-01-02"}, r"Leakage: .*trained or validated on targets until"),
    "gap not kept": (
        {"start": "2024-01-02 18:00", "gap": 5},
        "gap=5 keeps 5 steps free before the first target",
    ),
    "too early": (
        {"start": "2024-01-01 02:00", "refit": True},
        "reads 4 rows before it, and the table begins at 2024-01-01",
    ),
    "no room": ({"start": "2024-01-03 11:00"}, "No cutoff has all of its 2 targets"),
    "season long": ({"season": 50}, "season=50 is longer than the history: 40 rows"),
    "season zero": ({"season": 0}, "season must be a whole number, 1 or more"),
    "season twice": ({"season": [6, 6]}, "names a season twice"),
    "no season": ({"baselines": ["seasonal naive"]}, "needs the steps per season"),
    "unknown": ({"baselines": ["mean"]}, "no baseline 'mean'. There are 'naive'"),
    "no model": ({"baselines": [3]}, "is a int. Give one of 'naive'"),
    "history": (
        {"season": 30, "baselines": ["AutoETS"]},
        "'AutoETS' reads 60 rows before its first forecast, and there are 40",
    ),
    "seeds": ({"seeds": 3}, r"seeds must be a list of whole numbers, such as \[0, 1, 2\]"),
    "no seeds": ({"seeds": []}, "give one or more seeds"),
    "seeds twice": ({"seeds": [1, 1]}, "give one or more seeds, each once"),
}


@pytest.mark.parametrize(("options", "message"), ERRORS.values(), ids=ERRORS)
def test_bad_input(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        backtest(FITTED, make_table(), progress=False, **options)


@pytest.mark.parametrize("gap", [0, 2])
def test_the_first_target_that_may_be_scored(gap):
    table = make_table()  # FITTED has seen targets until row 39
    words = "gap=2 keeps 2 steps free" if gap else "Leakage: the targets from"
    with pytest.raises(ValueError, match=words):
        backtest(FITTED, table, start=table.index[39 + gap], gap=gap, **QUIET)
    result = backtest(FITTED, table, start=table.index[40 + gap], gap=gap, **QUIET)
    assert result.table["ds"].min() == table.index[40 + gap]


def test_what_lacks_history_is_named():
    with pytest.raises(ValueError, match=r"reads 14 rows before .*, and series 's1' has 13 up to"):
        backtest(
            Linear(4),
            make_panel((40, 33)),
            start="2024-02-10",
            season=14,
            baselines=["seasonal naive"],
            refit=True,
        )
    with pytest.raises(ValueError, match="season=22 is longer than the history: 20 rows lie"):
        backtest(Linear(4), make_panel((40, 33)), start="2024-02-10", season=22, refit=True)
    with pytest.raises(ValueError, match=r"The fit of 'LSTM' for the cutoff .* failed: "):
        backtest(
            Linear(4, targets="a"),
            make_table(),
            start="2024-01-01 05:00",
            gap=9,
            refit=True,
            **QUIET,
        )


def test_other_bad_input():
    table, model = make_table(), FITTED
    for name in ("y", "seed", "a-lo-80", 3):
        with pytest.raises(ValueError, match="cannot be called"):
            backtest({name: model}, table, progress=False)
    with pytest.raises(ValueError, match="two forecasts called 'naive'"):
        backtest({"naive": model}, table, progress=False)
    with pytest.raises(ValueError, match="Say where the test part begins: start="):
        backtest(Linear(4), table, progress=False)
    with pytest.raises(ValueError, match="different tasks: horizon is 2 in 'one' and 3 in 'two'"):
        two = Linear(4, targets="a", horizon=3)
        backtest({"one": model, "two": two}, table, start="2024-01-03", progress=False)
    with pytest.raises(ValueError, match="the dict is empty"):
        backtest({}, table)
    with pytest.raises(TypeError, match="'LSTM' is the class Linear"):
        backtest(Linear, table)
    with pytest.raises(TypeError, match="a DataFrame, and a backtest takes a Forecaster"):
        backtest(table, model)
    with pytest.raises(ValueError, match="nothing is left to test on"):
        backtest(Linear(4, targets="a").fit(table), table)
    keras_model = tsf.build_model(Framing(3), units=2)
    with pytest.raises(TypeError, match=r"tsf.forecast_table\(model, windows\)"):
        backtest(keras_model, table)


def test_a_message_names_the_ends_of_the_table():
    table = make_table()
    first, last = (re.escape(str(table.index[row])) for row in (0, -1))
    with pytest.raises(ValueError, match=f"trained until {last}, and the table ends at {last}:"):
        backtest(Linear(4, targets="a").fit(table), table)
    with pytest.raises(ValueError, match=f"which runs from {first} to {last}. Give the time"):
        backtest(FITTED, table, start="2025-01-01", progress=False)


def test_a_table_of_forecasts_that_does_not_fit_is_refused(monkeypatch):
    table = make_table()
    rows = len(backtest(FITTED, table, every=1, **QUIET).table)
    needed = 2 * 8.0 * rows * (len(rolling.ABOUT) + 1 + 1)  # the model and the baseline
    monkeypatch.setattr(tables, "SMALL", 0)
    monkeypatch.setattr(tables, "free_memory", lambda: needed / 0.99)
    backtest(FITTED, table, every=1, **QUIET)
    monkeypatch.setattr(tables, "free_memory", lambda: needed * 0.99)
    with pytest.raises(MemoryError, match=f"{rows} rows.*larger every="):
        backtest(FITTED, table, every=1, **QUIET)


def test_one_date_far_away_is_refused_before_every_step_to_it_is_made(monkeypatch):
    monkeypatch.setattr(tables, "free_memory", lambda: 1e9)
    far = pd.Index([*range(20), 10**9])
    with pytest.raises(
        MemoryError, match=r"From 0 to 1000000000 there are 1,000,000,001 time steps: 8\.0 GB"
    ):
        rolling._clock(far)


@pytest.mark.parametrize(
    "every_step",
    [
        pd.RangeIndex(3, 12, 2),
        pd.date_range("2024", periods=9, freq="h"),
        pd.period_range("2024", periods=9, freq="M"),
    ],
    ids=["numbers", "times", "periods"],
)
def test_the_clock_has_every_step_once(every_step):
    rows = every_step[[0, 1, 2, -1, 1]]
    assert rolling._clock(rows).tolist() == every_step.tolist()


def test_values_outside_of_a_series_are_unknown():
    steps = np.array([[1, 2, 3], [4, 5, 6]])
    found = rolling._values_at((2, np.array([20.0, 30.0, 40.0])), steps)
    np.testing.assert_array_equal(found, [[np.nan, 20, 30], [40, np.nan, np.nan]])
    found = rolling._values_at((2, np.array([20.0])), steps)  # a series of one row
    np.testing.assert_array_equal(found, [[np.nan, 20, np.nan], [np.nan] * 3])


def test_a_model_has_its_alias_or_the_name_of_its_class():
    class Theta:
        pass

    class Other:
        alias = "other"

    assert [rolling._name_of(one) for one in ("naive", Theta(), Other())] == [
        "naive",
        "Theta",
        "other",
    ]


def test_errors_come_before_any_training():
    table = make_table()
    f = Linear(4, targets="a", fails_until=table.index[0])
    with pytest.raises(ValueError, match="season=50"):
        backtest(f, table, start=table.index[40], season=50, progress=False)


def test_the_forecasters_may_differ_in_lookback():
    table = make_table()
    several = {name: Linear(rows, targets="a") for name, rows in (("short", 3), ("long", 12))}
    result = backtest(several, table, start=table.index[20], every=10, refit=True, **QUIET)
    assert result.forecasts == ["short", "long", "naive"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert copy.copy(result).scores().shape == (3, 4)


def test_a_target_whose_name_is_a_tuple():
    """Found by fuzzing."""
    table = pd.DataFrame({"y": np.arange(40.0), 1: np.arange(40.0)})
    table.columns = pd.Index(["y", ("a", 1)], tupleize_cols=False)
    forecaster = tsf.Forecaster(2, targets=["y", ("a", 1)], units=2, epochs=1)
    found = tsf.backtest(forecaster, table, start=35, baselines=["naive"], progress=False)
    assert set(found.table["unique_id"]) == {"y", "('a', 1)"}
    assert found.scores().index.nlevels == 2
