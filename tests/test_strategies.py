"""Direct and recursive forecasts are what a plain loop over single-step models gives."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tsforecast import Forecaster, Framing, backtest, build_model, fit, predict
from tsforecast.models import recursive_model

QUICK: dict[str, Any] = {"units": 3, "epochs": 1, "batch_size": 64, "seed": 0}


def make_table(rows: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.date_range("2024-01-01", periods=rows, freq="h", name="time")
    warm = rng.normal(size=rows)
    load = 100 + 10 * np.sin(np.arange(rows) / 4) + rng.normal(size=rows).cumsum()
    return pd.DataFrame({"load": load, "warm": warm, "kind": 3.0}, index=index)


ROLES: dict[str, Any] = {
    "targets": "load",
    "future_covariates": "warm",
    "static_covariates": "kind",
}


@pytest.fixture(scope="module", params=["direct", "recursive"])
def fitted(request) -> Forecaster:
    strategy = request.param
    forecaster = Forecaster(6, horizon=2, **ROLES, strategy=strategy, level=[80], **QUICK)
    return forecaster.fit(make_table()[:100])


def test_direct_is_one_model_per_lead_each_trained_for_its_own() -> None:
    table = make_table()
    forecaster = Forecaster(6, horizon=2, **ROLES, strategy="direct", **QUICK).fit(table)
    windows = Framing(6, horizon=2, **ROLES).windows(table)
    got = forecaster.predict(windows)
    for lead in (1, 2):
        own = Framing(6, lead=lead, **ROLES).windows(table)
        own = own[: len(windows)]  # the windows that have both targets
        model = build_model(own.framing, units=3)
        fit(model, own, epochs=1, batch_size=64, seed=0)
        np.testing.assert_allclose(got[:, lead - 1], predict(model, own)[:, 0], rtol=1e-5)


def test_recursive_is_a_loop_that_rolls_the_window() -> None:
    table = make_table()
    framing = Framing(6, **ROLES)
    windows = framing.windows(table)
    model = build_model(windows.framing, units=3)
    fit(model, windows, epochs=1, seed=0)
    long = replace(windows.framing, horizon=3)
    whole = long.windows(table)
    got = predict(recursive_model(long, model), whole)
    inputs, _ = whole.arrays()
    window, expected = inputs["X"].copy(), []
    for step in range(3):
        future = inputs["future"][:, step : step + 1]
        one = {"X": window, "future": future, "static": inputs["static"]}
        value = model.predict(one, verbose=0)  # (samples, 1, 1)
        expected.append(value)
        window = np.concatenate([window[:, 1:], np.concatenate([value, future], axis=2)], axis=1)
    np.testing.assert_allclose(got, np.concatenate(expected, axis=1), rtol=1e-5)


def test_several_targets_are_fed_back_together() -> None:
    table = make_table()[["load", "warm"]]
    framing = Framing(5, horizon=2)
    one = replace(framing, horizon=1)
    windows = one.windows(table)
    model = build_model(windows.framing, units=3)
    fit(model, windows, epochs=1, seed=0)
    whole = framing.windows(table)
    got = predict(recursive_model(whole.framing, model), whole)
    window = whole.X.astype(np.float32)
    for step in range(2):
        value = model.predict(window, verbose=0)
        np.testing.assert_allclose(got[:, step : step + 1], value, rtol=1e-4)
        window = np.concatenate([window[:, 1:], value], axis=1)


def test_what_comes_after_the_cutoff_changes_no_forecast(fitted) -> None:
    table = make_table()
    changed = table.copy()
    changed.loc[changed.index[100:], "load"] *= 7
    future = table.iloc[100:102][["warm"]]
    ahead = fitted.forecast(table[:100], future=future)
    windows, others = fitted.windows(table), fitted.windows(changed)
    last = 100 - 6  # the window whose cutoff is row 99
    np.testing.assert_array_equal(
        fitted.predict(windows[last : last + 1]), fitted.predict(others[last : last + 1])
    )
    np.testing.assert_allclose(
        ahead["load"], fitted.predict(windows[last : last + 1])[0, :, 0], rtol=1e-6
    )


def test_validation_targets_of_every_step_lie_after_the_border() -> None:
    table = make_table()
    changed = table.copy()
    changed.loc["2024-01-05":, "load"] *= 7  # validation chooses an epoch: there is only one
    plain = Forecaster(6, horizon=2, targets="load", strategy="direct", **QUICK)
    parts = [plain.copy().fit(rows, validation="2024-01-05") for rows in (table, changed)]
    windows = parts[0].windows(table)[:20]
    np.testing.assert_array_equal(parts[0].predict(windows), parts[1].predict(windows))
    assert "val_loss" in parts[0].history.history


def test_a_file_gives_the_same_forecasts(fitted, tmp_path) -> None:
    fitted.save(tmp_path / "model.keras")
    again = Forecaster.load(tmp_path / "model.keras")
    future = make_table().iloc[100:102][["warm"]]
    pd.testing.assert_frame_equal(again.forecast(future=future), fitted.forecast(future=future))
    assert again.strategy == fitted.strategy
    assert fitted.strategy in repr(again)


def test_intervals_and_a_backtest(fitted) -> None:
    table = make_table()
    future = table.iloc[100:102][["warm"]]
    ahead = fitted.forecast(future=future)
    assert (ahead["load-lo-80"] < ahead["load-hi-80"]).all()
    result = backtest(fitted, table, start=table.index[102], baselines=["naive"], progress=False)
    assert result.by_step().shape == (2, 2)
    assert np.isfinite(result.table["LSTM"]).all()


def test_direct_models_of_quantiles() -> None:
    forecaster = Forecaster(
        6, horizon=2, targets="load", strategy="direct", level=[80], intervals="quantile", **QUICK
    )
    table = make_table()[["load"]]
    ahead = forecaster.fit(table).forecast()
    assert (ahead["load-lo-80"] < ahead["load"]).all()
    assert forecaster.predict(forecaster.windows(table)).shape[1:] == (2, 1, 3)


def test_a_panel_with_categories_and_own_units() -> None:
    parts = [
        pd.DataFrame({"unique_id": name, "ds": np.arange(40), "y": size * (2 + np.sin(range(40)))})
        for name, size in (("a", 1.0), ("b", 1000.0))
    ]
    panel = pd.concat(parts).assign(kind=["x"] * 40 + ["y"] * 40)
    roles = {"targets": "y", "static_covariates": "kind"}
    settings = {"scaling": "series", "strategy": "recursive"}
    forecaster = Forecaster(8, horizon=2, **roles, **settings, **QUICK)
    ahead = forecaster.fit(panel).forecast()
    assert ahead["ds"].tolist() == [40, 41, 40, 41]
    assert np.isfinite(ahead["y"]).all()


def test_beyond_its_horizon_a_forecast_is_marked() -> None:
    forecaster = Forecaster(6, horizon=2, targets="load", strategy="direct", **QUICK)
    ahead = forecaster.fit(make_table()[["load"]]).forecast(horizon=5)
    assert ahead["fed back"].tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strategy": "both"}, "no strategy 'both'. Choose from joint, direct, recursive"),
        ({"strategy": "recursive", "past_covariates": "warm"}, r"past covariates \['warm'\]"),
        ({"strategy": "recursive", "lead": 2}, "needs lead=1"),
        (
            {"strategy": "recursive", "level": [80], "intervals": "quantile"},
            "intervals='conformal'",
        ),
        (
            {
                "strategy": "recursive",
                "use_target_history": False,
                "future_covariates": "warm",
            },
            "use_target_history=True",
        ),
    ],
)
def test_what_a_strategy_cannot_do_is_said_before_training(settings, words) -> None:
    with pytest.raises(ValueError, match=words):
        Forecaster(6, horizon=2, targets="load", **settings)


def test_no_update_and_no_checkpoint_and_nothing_lost(fitted, tmp_path) -> None:
    future = make_table().iloc[100:102][["warm"]]
    before = fitted.forecast(future=future)
    with pytest.raises(ValueError, match="update trains the one model"):
        fitted.update(make_table())
    if fitted.strategy == "direct":
        with pytest.raises(ValueError, match="one per step"):
            fitted.fit(make_table(), checkpoint=tmp_path / "part.keras")
    pd.testing.assert_frame_equal(fitted.forecast(future=future), before)
