"""Naive forecasts by a plain loop, scores by hand."""

import keras
import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, adapt, build_model, forecast_table, predict, score, score_by_step


def make_table(rows=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {name: rng.normal(50, 5, rows).cumsum() for name in "ab"},
        index=pd.date_range("2024-01-01", periods=rows, freq="h"),
    )


def model_for(windows, **options):
    keras.utils.set_random_seed(0)
    model = build_model(windows.framing, units=3, **options)
    adapt(model, windows)
    return model


CASES = {
    "one step": {"targets": "a"},
    "three steps, two targets": {"targets": ["a", "b"], "horizon": 3},
    "lead 3": {"targets": "a", "horizon": 2, "lead": 3},
    "lead 0": {
        "targets": "a",
        "past_covariates": "b",
        "lead": 0,
        "horizon": 2,
        "use_target_history": False,
    },
    "stride 2": {"targets": "b", "horizon": 5, "stride": 2},
}


@pytest.mark.parametrize("season", [1, 3, 4, 7])
@pytest.mark.parametrize("missing", [[], [12], [9, 25]], ids=["whole", "one gap", "two gaps"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_naive_forecasts_are_those_of_a_plain_loop(case, missing, season):
    whole = make_table()
    table = whole.drop(whole.index[missing])
    framing = Framing(3, **case)
    windows = framing.windows(table)
    model = model_for(windows)
    result = forecast_table(model, windows, season)
    forecasts = predict(model, windows)
    hour = pd.Timedelta("1h")
    rows = []
    for column, target in enumerate(framing.targets):
        for number in range(len(windows)):
            known = windows.cutoffs[number] - (hour if framing.lead == 0 else 0 * hour)
            for step, time in enumerate(windows.target_times(number)):
                value = {}
                for name, length in (("naive", 1), ("seasonal naive", season)):
                    source = time
                    while source > known:
                        source -= length * hour
                    value[name] = table[target].get(source, np.nan)
                if np.isnan([*value.values()]).any():
                    continue
                rows.append(
                    {
                        "unique_id": target,
                        "ds": time,
                        "cutoff": windows.cutoffs[number],
                        "step": step + 1,
                        "y": table.loc[time, target],
                        "LSTM": forecasts[number, step, column],
                        **value,
                    }
                )
    expected = pd.DataFrame(rows)
    pd.testing.assert_frame_equal(result, expected, check_dtype=False, check_exact=True)


def test_scores_by_hand():
    table = make_table()
    framing = Framing(3, horizon=2, targets=["a", "b"])
    train, test = framing.windows(table).split(table.index[30])
    models = {"one": model_for(train), "two": model_for(train, encoder="stacked")}
    forecasts = forecast_table(models, test, season=4)
    scores = score(forecasts, test, season=4)
    assert scores.index.names == ["unique_id", "forecast"]
    for target in "ab":
        rows = forecasts[forecasts["unique_id"] == target]
        before = table[target].to_numpy()[:30]
        scale = np.abs(before[4:] - before[:-4]).mean()
        naive = np.abs(rows["naive"] - rows["y"]).mean()
        for name in ("one", "two", "naive", "seasonal naive"):
            errors = (rows[name] - rows["y"]).to_numpy()
            found = scores.loc[(target, name)]
            assert found["mae"] == pytest.approx(np.abs(errors).mean())
            assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
            assert found["mase"] == pytest.approx(np.abs(errors).mean() / scale)
            assert found["skill"] == pytest.approx(1 - np.abs(errors).mean() / naive)
        assert scores.loc[target]["mae"].is_monotonic_increasing  # the best first


def test_one_target_has_one_row_per_forecast():
    table = make_table()
    train, test = Framing(3, targets="a").windows(table).split(table.index[30])
    scores = score(forecast_table(model_for(train), test), test)
    assert scores.index.name == "forecast"
    assert set(scores.index) == {"LSTM", "naive"}
    assert scores.loc["naive", "skill"] == 0


def test_errors_by_step_by_hand():
    table = make_table()
    train, test = Framing(3, horizon=3, targets=["a", "b"]).windows(table).split(table.index[28])
    forecasts = forecast_table(model_for(train), test)
    by_step = score_by_step(forecasts)
    for target in "ab":
        for step in (1, 2, 3):
            rows = forecasts[(forecasts["unique_id"] == target) & (forecasts["step"] == step)]
            error = np.abs(rows["naive"] - rows["y"]).mean()
            assert by_step.loc[(target, step), "naive"] == pytest.approx(error)
    one = score_by_step(forecasts[forecasts["unique_id"] == "a"])
    pd.testing.assert_frame_equal(one, by_step.loc["a"])


def test_rows_without_a_seasonal_forecast_are_left_out_for_all():
    table = make_table()
    windows = Framing(3, targets="a").windows(table)
    forecasts = forecast_table(model_for(windows), windows, season=10)
    assert len(forecasts) == len(windows) - 7  # the first target with a row 10 before it is row 10
    assert forecasts["ds"].min() == table.index[10]
    with pytest.raises(ValueError, match=r"40 steps before.*Keep more history"):
        forecast_table(model_for(windows), windows, season=40)


def test_a_forecast_that_is_no_number_is_not_left_out():
    """A broken model must not look better by losing the rows where it fails."""
    windows = Framing(3, targets="a").windows(make_table())
    model = model_for(windows)
    model.set_weights(
        [weight * np.nan if weight.ndim else weight for weight in model.get_weights()]
    )
    forecasts = forecast_table(model, windows)
    assert len(forecasts) == len(windows)
    assert np.isnan(score(forecasts, windows).loc["LSTM", "mae"])


@pytest.mark.parametrize("season", [0, -1, 2.5, "day"])
def test_a_season_is_a_whole_number(season):
    windows = Framing(3, targets="a").windows(make_table())
    with pytest.raises(ValueError, match="season must be a whole number, 1 or more"):
        forecast_table(model_for(windows), windows, season)


@pytest.mark.parametrize("season", [0, 30])
def test_mase_needs_more_than_a_season_before_the_test_part(season):
    windows = Framing(3).windows(np.arange(40.0))
    test = windows.split(30)[1]
    model = build_model(windows.framing, units=2, scaling="none")
    with pytest.raises(ValueError, match="season"):
        score(forecast_table(model, test), test, season)


@pytest.mark.parametrize("name", ["naive", "seasonal naive", "y", "step"])
def test_a_model_named_as_another_column(name):
    windows = Framing(3).windows(np.arange(12.0))
    model = build_model(windows.framing, units=2, scaling="none")
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        forecast_table({name: model}, windows)


def test_a_model_with_quantiles_brings_its_own_ends():
    windows = Framing(3, horizon=2, targets=["a", "b"]).windows(make_table())
    model = model_for(windows, quantiles=(0.05, 0.1, 0.5, 0.9, 0.95))
    values, table = predict(model, windows), forecast_table(model, windows)
    for place, name in enumerate(("-lo-90", "-lo-80", "", "-hi-80", "-hi-90")):
        for column, target in enumerate("ab"):
            found = table.loc[table["unique_id"] == target, f"LSTM{name}"]
            np.testing.assert_allclose(found, values[:, :, column, place].ravel(), rtol=1e-6)


def test_errors_by_step_of_several_targets_name_their_levels():
    windows = Framing(3, horizon=2, targets=["a", "b"]).windows(make_table())
    errors = score_by_step(forecast_table(model_for(windows), windows))
    assert errors.index.names == ["unique_id", "step"]
    assert [*errors.index] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_the_skill_is_against_the_naive_forecast_of_the_same_target():
    windows = Framing(3, horizon=2, targets=["a", "b"]).windows(make_table())
    scores = score(forecast_table(model_for(windows), windows, 2), windows, 2)
    for target in "ab":
        naive = scores.loc[(target, "naive"), "mae"]
        part = scores.loc[target]
        np.testing.assert_allclose(part["skill"], 1 - part["mae"] / naive)
