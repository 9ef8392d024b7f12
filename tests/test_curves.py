"""The scripts of two pages of results: what they compare is comparable, and nothing leaks."""

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from benchmarks import architectures, learning_curve, learning_curve_demand


@pytest.fixture(scope="module")
def small_task():
    return architectures.demand_task("2012-03", "2012-03-14", every=301)


def test_demand_test_windows_come_after_training(small_task):
    task = small_task
    assert task.train.target_span[1] < task.test.target_span[0]
    assert str(task.test.target_span[0])[:10] == "2012-03-01"


def test_the_naive_forecast_is_the_value_of_a_week_before(small_task):
    table = tsf.datasets.vic_elec()["demand"]
    times = np.array([small_task.test.target_times(i) for i in range(len(small_task.test))]).ravel()
    times = pd.DatetimeIndex(times).tz_convert("Australia/Melbourne")
    before = table.loc[times - pd.Timedelta("7D")].to_numpy()
    np.testing.assert_array_equal(small_task.rows["naive"], before)
    np.testing.assert_array_equal(small_task.rows["y"], table.loc[times])


def test_scores_of_the_naive_forecast_and_of_the_truth(small_task):
    naive = architectures.score(small_task, small_task.rows["naive"].to_numpy())
    assert naive["skill"] == 0
    assert naive["mase"] == naive["naive_mase"] > 0
    history = small_task.known["y"].to_numpy()
    unit = np.abs(history[336:] - history[:-336]).mean()
    error = (small_task.rows["naive"] - small_task.rows["y"]).abs().mean()
    assert naive["mase"] == pytest.approx(error / unit)
    perfect = architectures.score(small_task, small_task.rows["y"].to_numpy())
    assert (perfect["mase"], perfect["skill"]) == (0, 1)


@pytest.fixture
def three_series(monkeypatch):
    """A panel as of M4: lengths differ, every value says where it is."""
    lengths = {"a": 300, "b": 260, "c": 220}
    parts = [
        pd.DataFrame(
            {"unique_id": name, "ds": np.arange(1, n + 49), "y": 1000.0 * k + np.arange(n + 48)}
        )
        for k, (name, n) in enumerate(lengths.items(), start=1)
    ]
    back = pd.concat([part.iloc[:-48] for part in parts], ignore_index=True)
    ahead = pd.concat([part.iloc[-48:] for part in parts], ignore_index=True)

    def m4_hourly(part="train"):
        return back if part == "train" else ahead

    monkeypatch.setattr(tsf.datasets, "m4_hourly", m4_hourly, raising=False)
    return back, ahead


@pytest.mark.parametrize("validate", [False, True])
def test_m4_forecasts_the_last_48_hours_and_learns_from_none_of_them(three_series, validate):
    back, ahead = three_series
    task = architectures.m4_task(validate)
    assert len(task.test) == 3
    whole = back if validate else pd.concat([back, ahead])
    for name, rows in whole.groupby("unique_id"):
        y = rows.sort_values("ds")["y"].to_numpy()
        mine = task.rows[task.rows["unique_id"] == name]
        np.testing.assert_array_equal(mine["y"], y[-48:])
        np.testing.assert_array_equal(mine["naive"], np.tile(y[-72:-48], 2))
        seen = task.train.of_series(name)
        assert seen.y.max() < y[-48]
        assert task.known.loc[task.known["unique_id"] == name, "y"].max() < y[-48]
    if validate:  # nothing of the test part
        assert not set(task.rows["y"]) & set(ahead["y"])


def test_the_rate_is_chosen_by_validation():
    rows = [
        {"data": data, "learning_rate": rate, "mase": mase}
        for data, rate, mase in [
            *(("a", 0.003, 1.0), ("a", 0.01, 0.5), ("a", 0.003, 1.0), ("a", 0.01, 0.9)),
            *(("b", 0.003, 0.1), ("b", 0.01, 0.9)),
        ]
    ]
    assert architectures.best_rate(rows, "a") == 0.01
    assert architectures.best_rate(rows, "b") == 0.003


def test_pairs_that_choose_the_rate_cover_all_parts():
    encoders, decoders = zip(*architectures.TRIED, strict=True)
    assert set(encoders) == set(architectures.ENCODERS) == set(tsf.models.ENCODERS) - {"patched"}
    assert (
        set(decoders)
        == set(architectures.DECODERS)
        == set(tsf.models.DECODERS)
        - {
            "patchwise",
            "stepwise",
        }
    )


def test_the_encoders_have_recurrent_layers_of_comparable_size(small_task):
    def recurrent(encoder):
        model = architectures.model_of("demand", small_task.train, encoder, "vector")
        layer = next(layer for layer in model.layers if "lstm" in layer.name)
        return layer.count_params()

    assert recurrent("convlstm") == pytest.approx(recurrent("vanilla"), rel=0.5)


# --- learning curve -----------------------------------------------------------------------------


@pytest.mark.parametrize(("validate", "year"), [(False, "2018"), (True, "2017")])
def test_retail_forecasts_a_year_that_nobody_knows(validate, year):
    known, coming = learning_curve.retail(validate)
    assert known["ds"].max() < pd.Timestamp(f"{year}-01-01") == coming["ds"].min()
    assert (coming.groupby("unique_id").size() == 12).all()
    rows = learning_curve.last_months(known, 24)
    assert (rows.groupby("unique_id").size() == 24).all()
    assert rows["ds"].max() == known["ds"].max()


def test_draws_are_repeatable_and_differ():
    names = [f"s{number}" for number in range(20)]
    first, again, other = (learning_curve.draw(names, 5, number) for number in (0, 0, 1))
    assert first == again != other
    assert len(set(first)) == 5
    assert learning_curve.draw(names, 148, 0) == sorted(names)


@pytest.mark.parametrize("months", learning_curve.MONTHS)
def test_the_shortest_history_gives_a_window_with_the_lookback_of_the_rule(months):
    assert months >= learning_curve.retail_lookback(months) + learning_curve.YEAR
    assert learning_curve.retail_lookback(months) >= learning_curve.YEAR  # the season's value


def test_updates_are_about_the_same_for_all_sizes():
    for windows in (1, 10, 64, 65, 1000, 30000):
        steps = -(-windows // learning_curve.BATCH)
        assert learning_curve.epochs_for(windows, 200) * steps == pytest.approx(200, rel=0.2) or (
            steps > 200
        )


@pytest.mark.parametrize("validate", [False, True])
def test_cutoffs_are_midnights_on_every_day_of_the_week(validate):
    times = learning_curve_demand.demand().index[learning_curve_demand.cutoffs(validate)]
    assert set(times.hour) == set(times.minute) == {0}
    assert set(times.year) == {2013 if validate else 2014}
    if not validate:
        assert set(times.day_of_week) == set(range(7))


def test_simple_forecasts_of_demand_know_the_rows_before_the_cutoff_only(monkeypatch):
    row = learning_curve_demand.cutoffs(False)[0]
    table = learning_curve_demand.demand().copy()
    before = learning_curve_demand.simple_for_demand(8, row)
    y = table["demand"].to_numpy()
    coming = y[row : row + 48]
    assert before["naive"] == pytest.approx(np.abs(y[row - 48 : row] - coming).mean())
    assert before["weekly"] == pytest.approx(np.abs(y[row - 336 : row - 288] - coming).mean())
    table.iloc[: row - 8 * 48] += 500  # older than the history that counts
    table.iloc[row + 48 :] += 500  # what nobody asks for
    monkeypatch.setattr(learning_curve_demand, "demand", lambda: table)
    assert learning_curve_demand.simple_for_demand(8, row) == before


def test_errors_are_counted_in_the_same_unit_whatever_was_learnt_from():
    known, coming = learning_curve.retail(True)
    name = known["unique_id"].iloc[0]
    forecast = coming[coming["unique_id"] == name].rename(columns={"y": "model"})
    forecast = forecast.assign(model=forecast["model"] + 1.0)
    y = known.loc[known["unique_id"] == name, "y"].to_numpy()
    unit = np.abs(y[12:] - y[:-12]).mean()
    found = learning_curve.error_in_units_of_history(forecast, True)
    assert found[name] == pytest.approx(1 / unit)


def test_skill_is_of_all_draws_together():
    assert learning_curve.skill([1.0, 2.0], [2.0, 4.0]) == pytest.approx(0.5)


def test_one_window_is_trained_on():
    found = learning_curve.retail_run(24, 1, 0, "small", validate=True)
    assert found["windows"] == 1
    assert np.isfinite(found["mase"])


def test_a_row_compares_the_same_series(monkeypatch):
    """With one draw, LSTM and AutoETS are scored on the series that the LSTM learned from."""
    known, _ = learning_curve.retail(False)
    names = known["unique_id"].unique()
    simple = {
        "AutoETS": {name: float(k) for k, name in enumerate(names)},
        "naive": dict.fromkeys(names, 100.0),
    }
    monkeypatch.setattr(
        learning_curve, "simple_for_retail", lambda months, validate: pd.DataFrame(simple)
    )

    def run(months, series, number, config, validate):
        chosen = learning_curve.draw(names, series, number)
        errors = {name: 0.5 + simple["AutoETS"][name] - (k == 0) for k, name in enumerate(chosen)}
        mase = float(np.mean([*errors.values()]))
        return {"mase": mase, "errors": errors, "windows": 1, "fit_s": 1.0, "cpu_s": 1.0}

    monkeypatch.setattr(learning_curve, "retail_run", run)
    row = learning_curve.retail_row(
        learning_curve.Runs(learning_curve.__file__), 24, 10, 2, "small"
    )
    expected = [
        np.mean([simple["AutoETS"][name] for name in learning_curve.draw(names, 10, number)])
        for number in (0, 1)
    ]
    assert row["ets_mase"] == pytest.approx(expected)
    assert row["better_than_ets"] == pytest.approx(0.1)
    assert np.array(row["mase"]) - row["ets_mase"] == pytest.approx(0.4)


def test_sizes_choose_among_settings_that_suit_their_windows():
    assert learning_curve.configs_for(24, 1) == ["small", "large"]
    assert learning_curve.configs_for(429, 148) == ["large", "long"]
    for months in learning_curve.MONTHS:
        for series in learning_curve.DRAWS:
            assert set(learning_curve.configs_for(months, series)) < set(learning_curve.CONFIGS)
