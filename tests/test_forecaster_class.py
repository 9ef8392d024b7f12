"""The Forecaster: framing, model, training, forecast and file in a row, for a table or a panel."""

import json
import subprocess
import sys
import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast import Forecaster, Framing, build_model, fit, predict


def hourly(rows: int = 24 * 20, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-01-01", periods=rows, freq="h", tz="Europe/Berlin", name="time")
    warm = rng.normal(size=rows).cumsum()
    load = 100 + 10 * np.sin(np.arange(rows) * 2 * np.pi / 24) + warm
    return pd.DataFrame({"load": load, "warm": warm, "wind": rng.normal(size=rows)}, index=index)


def panel(lengths: Any = (40, 30), start: str = "2024-01-01") -> pd.DataFrame:
    parts = []
    for number, rows in enumerate(lengths):
        ds = pd.date_range(start, periods=rows, freq="D")
        y = 10.0 ** (number + 1) * (2 + np.sin(np.arange(rows) * 2 * np.pi / 7))
        kind = "ab"[number % 2]
        parts.append(pd.DataFrame({"unique_id": f"s{number}", "ds": ds, "y": y, "kind": kind}))
    return pd.concat(parts, ignore_index=True)


QUICK: dict[str, Any] = {"units": 4, "epochs": 2, "batch_size": 64}
COVARIATES = {"targets": "load", "future_covariates": "warm"}


@pytest.fixture(scope="module")
def fitted() -> Forecaster:
    forecaster = Forecaster(12, horizon=4, **COVARIATES, calendar=True, level=[80], **QUICK)
    return forecaster.fit(hourly().iloc[:-4])


@pytest.fixture(scope="module")
def ahead() -> pd.DataFrame:
    return hourly().iloc[-4:][["warm"]]


# --- it adds no modelling -------------------------------------------------------------------------


def test_it_is_framing_model_training_and_prediction_in_a_row() -> None:
    table = hourly()[["load"]]
    forecaster = Forecaster(12, horizon=3, units=4, epochs=3, seed=7).fit(table)
    framing = Framing(12, horizon=3)
    windows = framing.windows(table)
    model = build_model(windows.framing, units=4)
    fit(model, windows, epochs=3, seed=7)
    np.testing.assert_array_equal(forecaster.predict(windows), predict(model, windows))
    pd.testing.assert_frame_equal(forecaster.forecast(), tsf.forecast(model, framing, table))


def test_validation_keeps_the_best_weights_and_is_named() -> None:
    table = hourly()[["load"]]
    forecaster = Forecaster(12, units=4, epochs=3, patience=1).fit(table, validation="2024-01-15")
    assert len(forecaster.history.history["val_loss"]) >= 1
    assert "best loss" in repr(forecaster)
    assert str(forecaster.trained_until) == str(table.index[-1])


# --- the forecast ---------------------------------------------------------------------------------


def test_the_forecast_is_dated_and_has_its_intervals(fitted, ahead) -> None:
    got = fitted.forecast(future=ahead)
    assert got.columns.tolist() == ["ds", "cutoff", "load", "load-lo-80", "load-hi-80"]
    assert got["ds"].tolist() == ahead.index.tolist()
    assert {*got["cutoff"]} == {hourly().index[-5]}
    assert (got["load-lo-80"] < got["load"]).all()
    assert (got["load"] < got["load-hi-80"]).all()


def test_a_shorter_horizon_is_the_beginning_of_the_forecast(fitted, ahead) -> None:
    whole = fitted.forecast(future=ahead)
    pd.testing.assert_frame_equal(fitted.forecast(future=ahead, horizon=2), whole.iloc[:2])


def test_a_longer_horizon_is_fed_back_and_marked() -> None:
    table = hourly()[["load"]]
    forecaster = Forecaster(12, horizon=4, level=[80], **QUICK).fit(table)
    got = forecaster.forecast(horizon=10)
    assert got["fed back"].tolist() == [False] * 4 + [True] * 6
    assert got["load-lo-80"].notna().tolist() == [True] * 4 + [False] * 6
    assert {*got["cutoff"]} == {table.index[-1]}
    times = pd.date_range(table.index[-1], periods=11, freq="h")[1:]
    assert got["ds"].tolist() == times.tolist()
    known = table
    for _ in range(3):  # the oracle: append what was forecast, forecast again
        step = forecaster.forecast(known)
        rows = step.set_index("ds")[["load"]]
        known = pd.concat([known, rows])
    np.testing.assert_array_equal(got["load"], known["load"].iloc[-12:-2])


def test_a_longer_horizon_with_covariates_known_ahead(fitted) -> None:
    future = hourly(24 * 21).iloc[24 * 20 - 4 :][["warm"]]
    got = fitted.forecast(future=future, horizon=9)
    assert len(got) == 9
    with pytest.raises(ValueError, match=r"rounds of 4 steps.*for 12 steps.*8 are missing"):
        fitted.forecast(future=future.iloc[:4], horizon=9)


def test_past_covariates_cannot_be_fed_back() -> None:
    forecaster = Forecaster(12, horizon=2, targets="load", past_covariates="wind", **QUICK)
    forecaster.fit(hourly())
    with pytest.raises(ValueError, match=r"needs the past covariates \['wind'\].*horizon=3"):
        forecaster.forecast(horizon=3)


def test_nothing_after_the_cutoff_changes_a_forecast() -> None:
    """Calendar, scaling, calibration and forecast: the table after the cutoff is not seen."""
    table = hourly()
    known, changed = table.iloc[:-48], table.copy()
    changed.iloc[-48:] = 1e6
    settings = {"targets": "load", "past_covariates": "wind", "calendar": True, "level": [80]}
    forecaster = Forecaster(12, horizon=4, **settings, encoder="stacked", **QUICK).fit(known)
    for other in (table, changed):
        windows = forecaster.windows(other)
        cutoffs = windows.cutoffs
        before = windows[: int((cutoffs <= known.index[-1]).sum())]
        assert before.cutoffs[-1] == known.index[-1]
        values = forecaster.predict(before)
        pd.testing.assert_frame_equal(forecaster.forecast(other.iloc[:-48]), forecaster.forecast())
        last = forecaster.forecast()["load"].to_numpy()
        np.testing.assert_allclose(values[-1, :, 0], last, rtol=1e-6)


def test_business_days_are_not_taken_for_days() -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="B")  # the 60th is a Friday
    table = pd.DataFrame({"y": np.arange(60.0)}, index=days)
    forecaster = Forecaster(3, **QUICK).fit(table)
    assert days[-1].day_name() == "Friday"
    assert forecaster.forecast()["ds"][0].day_name() == "Monday"
    assert forecaster.forecast(table.iloc[-3:].set_axis(days[-3:]))["ds"][0].day_name() == "Monday"
    weekly = table.set_axis(pd.date_range("2024-01-01", periods=60, freq="7D"))
    with pytest.raises(ValueError, match=r"fitted on rows that are 'B' apart.*'7D' apart"):
        forecaster.forecast(weekly)


def test_an_array_is_a_table_without_dates() -> None:
    forecaster = Forecaster(3, horizon=2, **QUICK).fit(np.arange(30.0))
    assert forecaster.forecast()["ds"].tolist() == [30, 31]


# --- panels ---------------------------------------------------------------------------------------


def test_one_model_for_a_panel_and_a_series_it_never_saw() -> None:
    forecaster = Forecaster(
        7, horizon=3, targets="y", static_covariates="kind", scaling="series", level=[80], **QUICK
    )
    forecaster.fit(panel())
    got = forecaster.forecast()
    assert got["unique_id"].tolist() == ["s0"] * 3 + ["s1"] * 3
    assert got.groupby("unique_id")["cutoff"].first().tolist() == [
        pd.Timestamp("2024-02-09"),
        pd.Timestamp("2024-01-30"),
    ]
    assert (got["y-lo-80"] <= got["y"]).all()
    width = (got["y-hi-80"] - got["y-lo-80"]).groupby(got["unique_id"]).mean()
    assert 5 < width["s1"] / width["s0"] < 20  # ten times the size, ten times the width
    new = panel((12,)).assign(unique_id="new", kind="c")
    assert forecaster.forecast(new)["unique_id"].tolist() == ["new"] * 3
    longer = forecaster.forecast(horizon=5)
    assert longer["fed back"].tolist() == [False, False, False, True, True] * 2
    assert longer.groupby("unique_id")["ds"].is_monotonic_increasing.all()


def test_other_series_do_not_change_a_forecast() -> None:
    forecaster = Forecaster(7, horizon=3, targets="y", **QUICK).fit(panel())
    both = forecaster.forecast(panel())
    one = forecaster.forecast(panel().query("unique_id == 's1'"))
    alone = both[both["unique_id"] == "s1"]["y"].to_numpy()
    np.testing.assert_allclose(one["y"], alone, rtol=1e-6)
    shuffled = forecaster.forecast(panel().sample(frac=1, random_state=0))
    merged = shuffled.merge(both, on=["unique_id", "ds"])
    np.testing.assert_allclose(merged["y_x"], merged["y_y"], rtol=1e-6)


# --- update ---------------------------------------------------------------------------------------


def test_update_learns_new_rows_and_starts_from_the_last() -> None:
    table = hourly()[["load"]]
    forecaster = Forecaster(12, horizon=4, **QUICK).fit(table.iloc[:400])
    before = forecaster.forecast(table)
    forecaster.update(table.iloc[350:])  # 50 rows are known already
    assert forecaster.trained_until == table.index[-1]
    assert forecaster.forecast()["cutoff"][0] == table.index[-1]
    assert (forecaster.forecast()["load"] != before["load"]).any()
    assert "updated with" in repr(forecaster)


def test_update_sees_the_windows_that_end_in_new_rows(monkeypatch) -> None:
    table, seen = hourly()[["load"]], []
    forecaster = Forecaster(12, horizon=4, **QUICK).fit(table.iloc[:400])
    real = tsf.forecaster.fit
    monkeypatch.setattr(tsf.forecaster, "fit", lambda m, w, **k: (seen.append(w), real(m, w, **k)))
    forecaster.update(table.iloc[400:410])
    ends = [seen[0].target_times(i)[-1] for i in range(len(seen[0]))]
    assert ends == table.index[400:410].tolist()


def test_the_same_update_of_a_saved_forecaster_gives_the_same_weights(tmp_path) -> None:
    table, path = hourly()[["load"]], tmp_path / "kept.keras"
    Forecaster(12, dropout=0.2, **QUICK).fit(table.iloc[:400]).save(path)
    updated = [Forecaster.load(path).update(table) for _ in range(2)]
    one, two = (forecaster.model.get_weights() for forecaster in updated)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_an_update_that_fails_changes_nothing(monkeypatch) -> None:
    table = hourly()[["load"]]
    forecaster = Forecaster(12, **QUICK).fit(table.iloc[:400])
    before = forecaster.forecast()
    for bad, words in [
        (table.iloc[:300], "No row of this table is later"),
        (table.iloc[402:403], "No window ends in the new rows"),
        (table.rename(columns={"load": "power"}), "no column 'load'"),
        (panel(), "fitted on a table, and this is a panel"),
    ]:
        with pytest.raises(ValueError, match=words):
            forecaster.update(bad)
    with pytest.raises(FloatingPointError):
        forecaster.update(table.iloc[400:], epochs=20, learning_rate=1e35)
    pd.testing.assert_frame_equal(forecaster.forecast(), before)


def test_update_of_a_panel_takes_new_series_too() -> None:
    forecaster = Forecaster(7, horizon=3, targets="y", **QUICK).fit(panel())
    later = panel((45, 35, 20))
    forecaster.update(later)
    assert forecaster.forecast()["unique_id"].unique().tolist() == ["s0", "s1", "s2"]


def test_a_fit_that_fails_changes_nothing(fitted, ahead) -> None:
    before = fitted.forecast(future=ahead)
    with pytest.raises(ValueError, match="missing"):
        fitted.fit(hourly().assign(load=np.nan))
    pd.testing.assert_frame_equal(fitted.forecast(future=ahead), before)


# --- files ----------------------------------------------------------------------------------------


def test_a_saved_forecaster_forecasts_the_same_in_a_new_process(fitted, ahead, tmp_path) -> None:
    path = tmp_path / "load.keras"
    fitted.save(path)
    ahead.to_pickle(tmp_path / "ahead.pkl")
    code = (
        "import sys, pandas as pd, tsforecast as tsf\n"
        f"forecaster = tsf.Forecaster.load({str(path)!r})\n"
        f"ahead = pd.read_pickle({str(tmp_path / 'ahead.pkl')!r})\n"
        f"forecaster.forecast(future=ahead).to_pickle({str(tmp_path / 'out.pkl')!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    again = pd.read_pickle(tmp_path / "out.pkl")
    pd.testing.assert_frame_equal(again, fitted.forecast(future=ahead), check_exact=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"static_covariates": "kind", "scaling": "series", "level": [80, 90], "intervals": "both"},
        {"static_covariates": ["kind", "unique_id"], "calendar": True, "decoder": "autoregressive"},
    ],
)
def test_all_of_a_forecaster_comes_back(settings, tmp_path) -> None:
    forecaster = Forecaster(7, horizon=3, targets="y", **settings, **QUICK).fit(panel((60, 50)))
    forecaster.save(tmp_path / "f.keras")
    again = Forecaster.load(tmp_path / "f.keras")
    assert again.settings == forecaster.settings
    assert again.framing == forecaster.framing
    assert repr(again) == repr(forecaster)
    pd.testing.assert_frame_equal(again.forecast(), forecaster.forecast(), check_exact=True)
    pd.testing.assert_frame_equal(again.tail, forecaster.tail)
    again.update(panel((64, 54)))
    assert again.forecast()["cutoff"].max() == pd.Timestamp("2024-03-04")


def _change_description(path, change) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(contents["tsforecast.json"])
    change(head["description"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (contents | {"tsforecast.json": json.dumps(head)}).items():
            archive.writestr(name, content)


SAVED = ["settings", "framing", "calendar", "trained_until", "summary", "history", "epochs"]
SAVED += ["freq", "columns", "index"]


@pytest.mark.parametrize("part", SAVED)
def test_a_file_that_lacks_a_part_of_a_forecaster_is_refused(part, fitted, tmp_path) -> None:
    """Found by fuzzing: one changed letter in the name of a part."""
    fitted.save(tmp_path / "f.keras")
    _change_description(tmp_path / "f.keras", lambda description: description.pop(part))
    with pytest.raises(ValueError, match=rf"f\.keras' is damaged or was changed.*{part}"):
        Forecaster.load(tmp_path / "f.keras")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *((part, 1) for part in SAVED if part not in ("trained_until", "freq")),
        ("settings", {"lookback": 0}),
        ("settings", {"lookback": 12, "lokback": 12}),
        ("columns", ["load"]),
        ("columns", ["load", "warm", "wind"]),
        ("index", {"__kind__": "range", "value": [0, 3, 1, None]}),
    ],
)
def test_a_file_with_another_part_of_a_forecaster_is_refused(part, value, fitted, tmp_path) -> None:
    fitted.save(tmp_path / "f.keras")
    _change_description(tmp_path / "f.keras", lambda description: description.update({part: value}))
    with pytest.raises(ValueError, match=r"f\.keras' is damaged or was changed"):
        Forecaster.load(tmp_path / "f.keras")


def test_a_plain_model_is_not_a_forecaster(tmp_path) -> None:
    build_model(Framing(3)).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="load_model"):
        Forecaster.load(tmp_path / "model.keras")


# --- bad input and what it says of itself ---------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lookback": 0}, "lookback must be a whole number"),
        ({"encoder": "vanila"}, "Did you mean 'vanilla'"),
        ({"encoder": "cnn", "subsequences": 5}, r"cannot be cut into 5.*\[1, 2, 3, 4, 6, 12\]"),
        ({"subsequenses": 2}, "no option 'subsequenses'"),
        ({"scaling": "minmax"}, "no scaling 'minmax'"),
        ({"level": [0.9]}, "For a share of 0.9 write 90"),
        ({"level": [90], "intervals": "bootstrap"}, "no 'bootstrap' intervals"),
        ({"targets": "a", "past_covariates": "a"}, "one role"),
    ],
)
def test_what_cannot_be_built_is_refused_at_once(arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        Forecaster(**{"lookback": 12} | arguments)


def test_forecasting_before_fitting_and_without_what_is_needed(fitted) -> None:
    with pytest.raises(ValueError, match="never fitted"):
        Forecaster(12).forecast()
    with pytest.raises(ValueError, match=r"knows .*'warm'.* ahead of time. Pass future="):
        fitted.forecast()
    with pytest.raises(ValueError, match="horizon must be a whole number"):
        fitted.forecast(horizon=0)
    with pytest.raises(ValueError, match=r"calibration=\.\.\. is for conformal"):
        Forecaster(12, **QUICK).fit(hourly()[["load"]], calibration="2024-01-10")
    with pytest.raises(ValueError, match="has a column 'weekend'"):
        Forecaster(12, targets="load", calendar=True).fit(hourly().assign(weekend=1.0))
    with pytest.raises(ValueError, match="calendar=False"):
        Forecaster(3, calendar=True).fit(np.arange(30.0))


def test_it_says_what_it_is(fitted) -> None:
    text = repr(fitted)
    for words in ("4 steps of load", "the last 12 steps", "warm", "day_sin_1", "80 %, conformal"):
        assert words in text
    assert "future= with warm" in text
    assert "trained on" in text
    page = fitted._repr_html_()
    assert page.count("<tr>") == len(fitted.describe())
    odd = Forecaster(3, targets="<b>")._repr_html_()
    assert "<b>" not in odd


def test_copy_changes_settings_and_forgets_the_fit(fitted) -> None:
    other = fitted.copy(units=9)
    assert other.model is None
    assert other.settings == fitted.settings | {"units": 9}


# --- what a reader got wrong, and what it says ------------------------------------------------------


def test_a_table_in_another_zone_is_read_by_the_clock_of_the_fit() -> None:
    table = hourly()[["load"]]
    forecaster = Forecaster(12, horizon=4, calendar=True, **QUICK).fit(table)
    new = hourly(24 * 21)[["load"]]
    here = forecaster.forecast(new)
    pd.testing.assert_frame_equal(forecaster.forecast(new.tz_convert("UTC")), here)
    windows = forecaster.windows(new.tz_convert("UTC"))
    np.testing.assert_array_equal(windows.X, forecaster.windows(new).X)
    naive = new.tz_localize(None)
    for call in (forecaster.forecast, forecaster.update, forecaster.windows):
        with pytest.raises(
            ValueError, match=r"in the time zone Europe/Berlin.*without a time zone"
        ):
            call(naive)
    forecaster.update(new.tz_convert("UTC"))
    assert forecaster.trained_until == new.index[-1]


def test_a_number_where_a_table_of_the_future_belongs() -> None:
    forecaster = Forecaster(12, horizon=4, **QUICK).fit(hourly()[["load"]])
    with pytest.raises(ValueError, match=r"future= must be a table.*got int.*horizon="):
        forecaster.forecast(hourly()[["load"]], 24)


def test_the_future_in_the_place_of_the_table(fitted, ahead) -> None:
    with pytest.raises(ValueError, match=r"no column 'load'.*write future="):
        fitted.forecast(ahead)


def test_a_longer_horizon_says_how_much_of_the_future_it_needs(fitted, ahead) -> None:
    future = hourly(24 * 21).iloc[24 * 20 - 4 :][["warm"]].iloc[:6]
    with pytest.raises(
        ValueError, match=r"horizon of 6 .* rounds of 4 .*for 8 steps.*2 are missing"
    ):
        fitted.forecast(future=future, horizon=6)


def test_a_slip_in_an_argument() -> None:
    with pytest.raises(ValueError, match=r"no argument 'epoch'. Did you mean 'epochs'"):
        Forecaster(12, epoch=3)


def test_a_future_made_from_the_target_times_of_a_panel() -> None:
    table = panel((40, 40)).assign(price=1.0)
    forecaster = Forecaster(7, horizon=3, targets="y", future_covariates="price", **QUICK)
    forecaster.fit(table)
    times = forecaster.framing.target_times(table)
    got = forecaster.forecast(future=pd.DataFrame({"price": 2.0}, index=times))
    assert got["unique_id"].tolist() == ["s0"] * 3 + ["s1"] * 3


@pytest.mark.parametrize("what", ["strom.csv", 5, None, {"a": 1}])
def test_something_that_is_no_table(what) -> None:
    with pytest.raises(ValueError, match="Expected a table"):
        Forecaster(3, **QUICK).fit(what)


def test_two_spacings_in_one_table() -> None:
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    halves = pd.date_range(hours[-1], periods=400, freq="30min")[1:]
    table = pd.DataFrame({"y": 1.0}, index=hours.append(halves))
    with pytest.raises(
        ValueError, match=r"two spacings: from 2024-01-01 00:00:00 on .* 0 days 01:00"
    ):
        Framing(12).windows(table)


def test_validation_after_the_end() -> None:
    with pytest.raises(ValueError, match=r"'2025-06-01' lies after the last row"):
        Forecaster(12, **QUICK).fit(hourly()[["load"]], validation="2025-06-01")
