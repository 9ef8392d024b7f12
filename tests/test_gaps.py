"""Missing values: refused, skipped, filled or masked; never looked up in the future."""

import re
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast import (
    Forecaster,
    Framing,
    adapt,
    build_model,
    fill_gaps,
    find_gaps,
    fit,
    predict,
    to_grid,
)
from tsforecast.layers import (
    KnownSteps,
    LastValue,
    OwnUnits,
    Scaling,
    SeasonalValue,
    last_known,
)
from tsforecast.tables import on_grid, read_panel

QUICK: dict[str, Any] = {"units": 4, "epochs": 1, "batch_size": 64}


def as_numpy(x: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


def run(model: keras.Model, x: np.ndarray) -> np.ndarray:
    return as_numpy(model(np.ascontiguousarray(x, dtype="float32"), training=False))


def hourly(rows: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-01-01", periods=rows, freq="h", name="time")
    load = 100 + 10 * np.sin(np.arange(rows) * np.pi / 12) + rng.normal(size=rows)
    return pd.DataFrame({"load": load, "heat": rng.normal(size=rows)}, index=index)


def holey(rows: int = 60, seed: int = 0, share: float = 0.1) -> pd.DataFrame:
    """With missing values in both columns, and with missing rows."""
    table, rng = hourly(rows, seed), np.random.default_rng(seed + 1)
    table = table.mask(rng.random(table.shape) < share)
    return table.drop(table.index[rng.choice(np.arange(2, rows - 2), rows // 15, replace=False)])


def panel(lengths: Any = (30, 4, 12), drop: Any = (), **columns: Any) -> pd.DataFrame:
    parts = []
    for number, rows in enumerate(lengths):
        ds = pd.date_range("2024-01-01", periods=rows, freq="D") + number * pd.Timedelta("3D")
        y = 1000.0 * number + np.arange(rows)
        part = {"unique_id": f"s{number}", "ds": ds, "y": y}
        parts.append(pd.DataFrame(part | {name: value[number] for name, value in columns.items()}))
    return pd.concat(parts, ignore_index=True).drop(index=[*drop])


def message(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ValueError) as error:
        call(*arguments, **named)
    return str(error.value)


# --- which windows exist --------------------------------------------------------------------------


def loop(series: dict[Any, dict[int, tuple[float, float]]], framing: Framing) -> list[Any]:
    """The windows by a plain loop: (series, inputs, targets), over values by series and step."""
    found = []
    for name, values in series.items():
        front = framing.lookback - framing.least_known
        for first in range(-front, max(values) + 1):
            if (first + front) % framing.stride:
                continue
            inputs = [values.get(first + k, (np.nan, np.nan)) for k in range(framing.lookback)]
            begin = first + framing.lookback + framing.lead - 1
            answers = [values.get(begin + k, (np.nan, np.nan))[0] for k in range(framing.horizon)]
            known = sum(not np.isnan(pair).any() for pair in inputs)
            if known >= framing.least_known and not np.isnan(answers).any():
                found.append((name, inputs, answers))
    return found


def same(got: list[Any], expected: list[Any]) -> None:
    assert len(got) == len(expected)
    for (name, x, y), (other, inputs, answers) in zip(got, expected, strict=True):
        assert name == other
        np.testing.assert_array_equal(x, inputs)
        np.testing.assert_array_equal(np.ravel(y), answers)


SHAPES = {
    "lookback": st.integers(1, 4),
    "horizon": st.integers(1, 3),
    "lead": st.integers(1, 3),
    "stride": st.integers(1, 3),
}


@settings(deadline=None, max_examples=120)
@given(
    **SHAPES,
    missing=st.sets(st.integers(0, 39), max_size=14),
    dropped=st.sets(st.integers(1, 19), max_size=5),
    least=st.integers(1, 4),
)
def test_masked_windows_are_those_of_a_plain_loop(
    lookback, horizon, lead, stride, missing, dropped, least
):
    table = hourly(20)
    for number in missing:
        table.iloc[number // 2, number % 2] = np.nan
    table = table.drop(table.index[sorted(dropped)])
    table.index.freq = None
    framing = Framing(
        lookback,
        horizon=horizon,
        lead=lead,
        stride=stride,
        targets="load",
        past_covariates="heat",
        missing="mask",
        min_history=min(least, lookback),
    )
    hours = (table.index - table.index[0]) // pd.Timedelta("1h")
    if len(table) < 3 or np.diff(hours).min() > 1:
        return  # the step is not known to be an hour
    values = dict(zip(hours, table.itertuples(index=False, name=None), strict=True))
    expected = loop({None: values}, framing)
    if not expected:
        with pytest.raises(ValueError, match=r"No window is left|One window needs"):
            framing.windows(table)
        return
    windows = framing.windows(table)
    same([(None, x, y) for x, y in zip(windows.X, windows.y, strict=True)], expected)
    assert (np.diff(windows.index) == pd.Timedelta("1h")).all()
    known = windows.index.get_indexer(table.index)
    np.testing.assert_array_equal(windows.values[known], table.to_numpy())  # dates stay attached


@settings(deadline=None, max_examples=120)
@given(**SHAPES, missing=st.sets(st.integers(0, 39), max_size=10), gap=st.integers(0, 19))
def test_skipped_windows_are_those_that_hold_nothing_missing(
    lookback, horizon, lead, stride, missing, gap
):
    table = hourly(20)
    for number in missing:
        table.iloc[number // 2, number % 2] = np.nan
    roles: dict[str, Any] = {"targets": "load", "past_covariates": "heat", "stride": stride}
    framing = Framing(lookback, horizon=horizon, lead=lead, **roles, missing="skip")
    table = table.drop(table.index[gap])
    try:
        all_of_them = Framing(lookback, horizon=horizon, lead=lead, **roles).windows(
            table.fillna(0.0)
        )
    except ValueError:
        return
    first = np.asarray(all_of_them.starts)
    expected = [
        start
        for start in first
        if np.isfinite(table.iloc[start : start + lookback]).to_numpy().all()
        and np.isfinite(
            table["load"].iloc[start + lookback + lead - 1 : start + framing.span]
        ).all()
    ]
    if not expected:
        assert "No window is left" in message(framing.windows, table)
        return
    windows = framing.windows(table)
    assert np.asarray(windows.starts).tolist() == expected
    assert np.isfinite(windows.X).all()
    assert np.isfinite(windows.y).all()


def test_a_masked_panel_is_padded_and_never_filled_from_another_series():
    table = panel(drop=[33, 40])
    framing = Framing(5, horizon=2, targets="y", missing="mask", min_history=2)
    windows = framing.windows(table)
    days = pd.to_datetime(table["ds"])
    series = {}
    for name, rows in table.groupby("unique_id", sort=False):
        step = (days[rows.index] - days[rows.index].iloc[0]) // pd.Timedelta("1D")
        series[name] = {int(k): (v, v) for k, v in zip(step, rows["y"], strict=True)}
    got = [
        (name, np.repeat(x, 2, axis=1), y)
        for name, x, y in zip(windows.series, windows.X, windows.y, strict=True)
    ]
    same(got, loop(series, framing))
    number = (windows.X // 1000)[~np.isnan(windows.X)]
    assert len({*number}) == 2  # s1 has 3 rows: a history of 2 and a horizon of 2 do not fit
    assert (np.diff(windows.X, axis=1)[~np.isnan(np.diff(windows.X, axis=1))] == 1).all()


def test_the_count_rule_of_padded_windows():
    table = hourly(20)[["load"]]
    assert len(Framing(6, horizon=2, missing="mask").windows(table)) == 20 - 2
    assert len(Framing(6, horizon=2, missing="mask", min_history=4).windows(table)) == 20 - 5
    assert len(Framing(6, horizon=2, missing="mask", min_history=6).windows(table)) == 20 - 7


def test_without_a_missing_value_skip_and_full_masks_cost_nothing():
    table = hourly()
    plain = Framing(6).windows(table)
    for framing in (Framing(6, missing="skip"), Framing(6, missing="mask", min_history=6)):
        windows = framing.windows(table)
        assert isinstance(windows.starts, range)
        assert np.shares_memory(windows.X, table.to_numpy())
        np.testing.assert_array_equal(windows.X, plain.X)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024-01-31", periods=24, freq="MS"),
        pd.date_range("2024-01-31", periods=24, freq="B"),
        pd.date_range("2024-03-28", periods=24, freq="D", tz="Europe/Berlin"),
        pd.date_range("2024-10-26 20:00", periods=24, freq="30min", tz="Europe/Berlin"),
        pd.period_range("2024-01", periods=24, freq="M"),
        pd.period_range("2024-01-01", periods=24, freq="7D"),
        pd.RangeIndex(5, 5 + 24 * 3, 3),
        pd.Index(np.arange(24)),
    ],
    ids=lambda index: f"{type(index).__name__}-{getattr(index, 'freqstr', '')}",
)
def test_padding_and_missing_rows_have_their_times(index):
    table = pd.DataFrame({"y": np.arange(24.0)}, index=index)
    windows = Framing(5, missing="mask", min_history=3).windows(table.iloc[4:].drop(index[[9, 15]]))
    assert windows.index.tolist() == index[2:].tolist()
    assert windows.index.dtype == index.dtype
    missing = np.isnan(windows.values[:, 0])
    assert windows.index[missing].tolist() == index[[2, 3, 9, 15]].tolist()


def test_months_of_a_panel_have_their_times():
    months = pd.date_range("2024-01-01", periods=12, freq="MS")
    parts = [months[:6], months[3:]]
    table = pd.concat(
        [pd.DataFrame({"unique_id": n, "ds": ds, "y": 1.0}) for n, ds in enumerate(parts)],
        ignore_index=True,
    )
    rows = on_grid(read_panel(table.drop(index=[2]), ["y"]), front=2)
    before = pd.date_range("2023-11-01", periods=2, freq="MS")
    assert rows.index[:8].tolist() == [*before, *months[:6]]
    assert rows.index[8:].tolist() == months[1:].tolist()
    assert rows.ids.tolist() == [0] * 8 + [1] * 11


def test_static_covariates_hold_in_padded_and_missing_rows():
    table = panel(size=[1.0, 2.0, 3.0], kind=["a", "b", "a"]).drop(index=[2, 40])
    roles: dict[str, Any] = {"targets": "y", "static_covariates": ["size", "kind"]}
    windows = Framing(5, **roles, missing="mask").windows(table)
    assert np.isfinite(windows.static).all()
    assert {*windows.of_series("s2").static[:, 0]} == {3.0}
    last = Framing(9, **roles, missing="mask").last_window(table)
    assert last["static"][:, 0].tolist() == [1.0, 2.0, 3.0]


def test_ten_thousand_short_series_are_padded_in_seconds():
    import time

    ds = pd.date_range("2024-01-01", periods=30, freq="D")
    table = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(10_000), 20),
            "ds": np.concatenate([ds[k % 10 : k % 10 + 20] for k in range(10_000)]),
            "y": np.arange(200_000.0),
        }
    )
    start = time.perf_counter()
    windows = Framing(14, targets="y", missing="mask").windows(table)
    assert len(windows) == 10_000 * 19
    assert time.perf_counter() - start < 20


# --- what stands behind a mask --------------------------------------------------------------------

MODELS = [
    {"encoder": "vanilla"},
    {"encoder": "stacked", "decoder": "encoder_decoder"},
    {"encoder": "bidirectional", "decoder": "autoregressive", "scaling": "standard"},
    {"encoder": "vanilla", "scaling": "series", "skip": "last"},
    {"encoder": "vanilla", "scaling": "none", "skip": "season", "season": 4},
    {"encoder": "vanilla", "scaling": "standard", "skip": "season", "season": 3},
]


@pytest.mark.parametrize("options", MODELS, ids=lambda o: "-".join(map(str, o.values())))
def test_padding_does_not_change_a_forecast(options):
    table = hourly()
    roles: dict[str, Any] = {"horizon": 3, "targets": "load", "past_covariates": "heat"}
    long = Framing(12, **roles, missing="mask").windows(table)
    padded = build_model(long.framing, units=5, **options)
    adapt(padded, long)
    short = Framing(5, **roles)
    plain = build_model(short, units=5, **options)
    plain.set_weights(padded.get_weights())
    unpadded = run(plain, short.windows(table.iloc[:8]).X)  # the whole of a short series
    windows = Framing(12, **roles, missing="mask", min_history=5).windows(table.iloc[:8])
    assert np.isnan(windows.X).any()
    np.testing.assert_allclose(run(padded, windows.X), unpadded, rtol=1e-5)


@pytest.mark.parametrize("options", MODELS[:4], ids=lambda o: "-".join(map(str, o.values())))
def test_masked_steps_inside_a_window_are_as_if_they_were_cut_out(options):
    table = hourly(20)
    roles: dict[str, Any] = {"targets": "load", "past_covariates": "heat"}
    masked = Framing(9, **roles, missing="mask")
    model = build_model(masked, units=5, **options)
    adapt(model, masked.windows(table))
    plain = build_model(Framing(6, **roles), units=5, **options)
    plain.set_weights(model.get_weights())
    full = table.to_numpy()[:9][None].astype("float32")
    gone = [0, 4, 8]  # also the newest
    holes = full.copy()
    holes[:, gone] = np.nan
    cut = np.delete(full, gone, axis=1)
    np.testing.assert_allclose(run(model, holes), run(plain, cut), rtol=1e-5)


def test_any_number_behind_a_mask_changes_nothing_bit_for_bit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 8, 2)).astype("float32")
    x[rng.random((6, 8)) < 0.4, 0] = np.nan
    other = x.copy()
    hidden = np.isnan(x).any(axis=2)
    other[hidden, 1] = 1e6 * rng.normal(size=hidden.sum())  # beside the missing value
    masking, lstm = keras.layers.Masking(KnownSteps.absent), keras.layers.LSTM(4)
    one, two = masking(KnownSteps()(x)), masking(KnownSteps()(other))
    np.testing.assert_array_equal(as_numpy(lstm(one)), as_numpy(lstm(two)))
    mask = ~(as_numpy(one) == 0).all(axis=2)
    assert (mask.sum(axis=1) == (~hidden).sum(axis=1)).all()
    for junk in (1e6, -3.0, 0.5):
        behind = np.where(mask[..., None], as_numpy(one), junk).astype("float32")
        np.testing.assert_array_equal(as_numpy(lstm(one)), as_numpy(lstm(behind, mask=mask)))


def test_the_model_cannot_see_a_masked_step_but_sees_a_known_one():
    table = hourly(30)
    framing = Framing(6, targets="load", past_covariates="heat", missing="mask")
    model = build_model(framing, units=4, scaling="standard")
    adapt(model, framing.windows(table))
    x = framing.last_window(table)
    holes, known = x.copy(), x.copy()
    holes[0, 2, 1] = np.nan
    other = holes.copy()
    other[0, 2, 0] += 50  # the load of a step whose heat is missing
    known[0, 2, 0] += 50
    np.testing.assert_array_equal(run(model, holes), run(model, other))
    assert (run(model, x) != run(model, known)).any()


def test_known_steps_move_together_in_their_order():
    x = np.array([[[1.0], [np.nan], [3.0], [np.nan], [5.0]]], dtype="float32")
    assert as_numpy(KnownSteps()(x)).ravel()[:3].tolist() == [1, 3, 5]
    assert (as_numpy(KnownSteps()(x)).ravel()[3:] == np.float32(KnownSteps.absent)).all()


def test_layers_measure_and_read_known_values_only():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, size=(50, 7, 2)).astype("float32")
    x[rng.random(x.shape) < 0.3] = np.nan
    x[:, 0] = 4.0
    scaling = Scaling(missing=True)
    scaling.build(x.shape)
    scaling.adapt([(x[:20], None), (x[20:], None)])
    columns = x.reshape(-1, 2).astype(float)
    np.testing.assert_allclose(as_numpy(scaling.center), np.nanmean(columns, axis=0), rtol=1e-5)
    np.testing.assert_allclose(as_numpy(scaling.scale), np.nanstd(columns, axis=0), rtol=1e-5)
    ahead = pd.DataFrame(x[0]).ffill().iloc[-1].to_numpy()
    np.testing.assert_array_equal(as_numpy(last_known(x[:1]))[0, 0], ahead)
    np.testing.assert_array_equal(as_numpy(LastValue(2, 2, missing=True)(x[:1]))[0, 1], ahead)
    own = OwnUnits(1, missing=True)
    own.build(x.shape)
    scaled, unit = own(x)
    history = x[:, :, 0].astype(float)
    level, spread = np.nanmean(np.abs(history), axis=1), np.nanvar(history, axis=1)
    expected = np.sqrt(spread + (0.01 * level) ** 2 + 1)
    np.testing.assert_allclose(as_numpy(unit).ravel(), expected, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(as_numpy(scaled)), np.isnan(x))


@pytest.mark.parametrize(("season", "lead"), [(2, 1), (3, 1), (3, 2), (7, 1)])
def test_the_seasonal_value_is_the_last_one_that_is_known(season, lead):
    rng = np.random.default_rng(season)
    x = rng.normal(size=(40, 7, 2)).astype("float32")
    x[rng.random(x.shape) < 0.4] = np.nan
    x[:, 0, 0] = 1.0
    layer = SeasonalValue(season, horizon=4, targets=1, lead=lead, missing=True)
    got = as_numpy(layer(x))
    for window, forecast in zip(x, got, strict=True):
        known = window[:, 0]
        for step in range(4):
            row = 6 + lead + step
            while row > 6 or (row >= 0 and np.isnan(known[row])):
                row -= season
            last = known[~np.isnan(known)][-1]
            assert forecast[step, 0] == (known[row] if row >= 0 else last)


def test_training_on_masked_windows_is_finite_and_learns():
    table = holey(200)
    framing = Framing(12, horizon=2, targets="load", past_covariates="heat", missing="mask")
    windows = framing.windows(table)
    model = build_model(framing, units=4, scaling="series", skip="season", season=6)
    history = fit(model, windows, epochs=20, seed=0)
    assert history.history["loss"][-1] < 0.9  # 1 is the simple forecast
    assert np.isfinite(predict(model, windows)).all()


# --- nothing after the cutoff ---------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["skip", "mask"])
def test_values_after_the_cutoff_change_no_window_before_it(missing):
    table = holey(120, share=0.04)
    framing = Framing(6, horizon=2, targets="load", past_covariates="heat", missing=missing)
    cutoff = table.index[70]
    changed = table.copy()
    changed.loc[changed.index > cutoff] = 1e6
    changed = changed.drop(changed.index[[80, 81, 90]])
    parts = []
    for one in (table, changed):
        windows = framing.windows(one)
        until = windows[
            : int((np.asarray(windows.index[windows.target_rows[:, -1]]) <= cutoff).sum())
        ]
        parts.append((until.X.copy(), until.y.copy()))
    assert len(parts[0][0]) > 20
    for one, other in zip(*parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_masked_forecast_reads_nothing_after_its_last_row():
    table = holey(150)
    forecaster = Forecaster(8, targets="load", past_covariates="heat", missing="mask", **QUICK)
    forecaster.fit(table.iloc[:110])
    windows = forecaster.windows(table)
    changed = table.copy()
    changed.iloc[120:] *= 3
    other = forecaster.windows(changed)
    before = int((np.asarray(windows.index[windows.target_rows[:, -1]]) < table.index[120]).sum())
    assert before > 50
    np.testing.assert_array_equal(
        forecaster.predict(windows)[:before], forecaster.predict(other)[:before]
    )


# --- the forecaster -------------------------------------------------------------------------------


def test_a_forecaster_keeps_its_policy_in_its_file(tmp_path):
    table = holey(90)
    roles: dict[str, Any] = {"targets": "load", "past_covariates": "heat", "level": [80]}
    forecaster = Forecaster(8, horizon=2, **roles, missing="mask", min_history=3, **QUICK)
    forecaster.fit(table)
    expected = forecaster.forecast()
    assert expected["ds"].iloc[0] == table.index[-1] + pd.Timedelta("1h")
    assert np.isfinite(expected[["load", "load-lo-80", "load-hi-80"]].to_numpy()).all()
    forecaster.save(tmp_path / "masked.keras")
    loaded = Forecaster.load(tmp_path / "masked.keras")
    assert loaded.settings["missing"] == "mask"
    assert loaded.framing.least_known == 3
    pd.testing.assert_frame_equal(loaded.forecast(), expected)


def test_a_short_series_is_forecast_with_masks():
    table = hourly(90)
    forecaster = Forecaster(12, targets="load", missing="mask", min_history=3, **QUICK).fit(table)
    short = forecaster.forecast(table.iloc[-4:])
    whole = table.iloc[-12:].copy()
    whole.iloc[:8] = np.nan
    assert np.isfinite(short["load"]).all()
    pd.testing.assert_frame_equal(short, forecaster.forecast(whole))
    every_other = table.iloc[[-7, -5, -3, -1]]  # rows are missing between all of them
    holes = table.iloc[-12:].copy()
    holes.loc[~holes.index.isin(every_other.index)] = np.nan
    pd.testing.assert_frame_equal(forecaster.forecast(every_other), forecaster.forecast(holes))
    text = message(forecaster.forecast, table.iloc[-2:])
    assert "2 known steps" in text
    assert "min_history=3" in text


def test_new_series_of_a_panel_may_be_short():
    forecaster = Forecaster(
        10, targets="y", missing="mask", min_history=2, scaling="series", **QUICK
    )
    forecaster.fit(panel((40, 30, 6)))
    got = forecaster.forecast(panel((12, 2)))
    assert got["unique_id"].tolist() == ["s0", "s1"]
    assert np.isfinite(got["y"]).all()
    assert "Series 's1' has 1 known steps" in message(forecaster.forecast, panel((12, 1)))


def test_an_update_and_a_long_horizon_with_masks():
    table = holey(120)[["load"]]
    forecaster = Forecaster(8, targets="load", missing="mask", **QUICK).fit(table.iloc[:90])
    forecaster.update(table)
    assert forecaster.forecast(horizon=3)["fed back"].tolist() == [False, True, True]


# --- clear errors ---------------------------------------------------------------------------------


def test_the_default_refuses_and_says_where_how_many_and_what_to_do():
    table = hourly()
    table.iloc[[5, 20, 21, 22, 40], 0] = np.nan
    text = message(Framing(3, targets="load").windows, table)
    for words in ("'load'", "5 missing values", "3 stretches", "longest has 3 rows"):
        assert words in text
    for words in (f"{table.index[5]} (row 5)", f"{table.index[20]} (row 20)"):
        assert words in text
    for words in ("tsf.fill_gaps(table", "missing='skip'", "missing='mask'", "future="):
        assert words in text


@pytest.mark.parametrize("missing", ["skip", "mask"])
def test_infinite_values_are_always_refused(missing):
    table = hourly()
    table.iloc[5, 0] = np.inf
    framing = Framing(3, targets="load", missing=missing)
    assert "1 infinite value; the first is at" in message(framing.windows, table)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"missing": "drop"}, "Choose 'refuse'"),
        ({"min_history": 2}, "needs missing='mask'"),
        ({"missing": "skip", "min_history": 2}, "needs missing='mask'"),
        ({"missing": "mask", "min_history": 4}, "at most the lookback of 3"),
        ({"missing": "mask", "min_history": 0}, "min_history must be a whole number"),
    ],
)
def test_framings_that_cannot_be(options, words):
    assert words in message(Framing, 3, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoder": "cnn"}, "vanilla, stacked, bidirectional"),
        ({"encoder": "convlstm"}, "Encoders that can"),
        ({"decoder": "attention"}, "vector, encoder_decoder, autoregressive"),
        ({"skip": "linear"}, "skip='last' or 'season'"),
    ],
)
def test_models_that_cannot_skip_a_step_say_so(options, words):
    text = message(build_model, Framing(4, missing="mask"), **options)
    assert words in text
    assert "fill_gaps" in text
    assert words in message(Forecaster, 4, missing="mask", **options)


def test_a_model_without_masks_does_not_take_masked_windows():
    table = hourly()
    model = build_model(Framing(4, targets="load"), units=2)
    windows = Framing(4, targets="load", missing="mask").windows(table)
    assert "cannot skip the steps that are missing" in message(fit, model, windows)


def test_a_missing_value_in_the_last_rows_cannot_be_skipped():
    table = hourly()
    table.iloc[-2, 0] = np.nan
    framing = Framing(3, targets="load", missing="skip")
    assert len(framing.windows(table)) == len(table) - 2 - 3
    text = message(framing.last_window, table)
    assert "1 missing value" in text
    assert f"row {len(table) - 2}" in text


def test_a_missing_static_covariate_is_always_an_error():
    table = panel(size=[1.0, np.nan, 3.0])
    for missing in ("skip", "mask"):
        framing = Framing(3, targets="y", static_covariates="size", missing=missing)
        assert "Column 'size' has 4 missing values" in message(framing.windows, table)


def test_no_window_left_names_the_column():
    table = hourly()
    table["heat"] = np.nan
    for missing in ("skip", "mask"):
        framing = Framing(3, targets="load", past_covariates="heat", missing=missing)
        text = message(framing.windows, table)
        assert "Column 'heat' is missing in" in text


# --- irregular times ------------------------------------------------------------------------------


def test_irregular_rows_come_to_the_step_that_ends_after_them():
    times = pd.to_datetime(["2024-01-01 10:00", "2024-01-01 10:01", "2024-01-01 11:00"])
    times = times.append(pd.to_datetime(["2024-01-01 10:30", "2024-01-01 14:59"]))
    table = pd.DataFrame({"y": [1.0, 2.0, 6.0, 4.0, 9.0], "who": list("abcde")}, index=times)
    got = to_grid(table, "h")
    assert got.index.hour.tolist() == [10, 11, 15]
    assert got["y"].tolist() == [1.0, 4.0, 9.0]  # 11: the mean of 2, 4 and 6
    assert got["who"].tolist() == ["a", "c", "e"]  # the last in time
    assert got["rows"].tolist() == [1, 3, 1]
    assert to_grid(table, "h", "sum")["y"].tolist() == [1.0, 12.0, 9.0]
    assert to_grid(table, "h", "last")["y"].tolist() == [1.0, 6.0, 9.0]


def test_a_row_on_the_grid_holds_nothing_later_than_its_time():
    rng = np.random.default_rng(0)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(rng.uniform(0, 96, 300)), unit="h")
    table = pd.DataFrame({"y": rng.normal(size=300)}, index=times)
    cutoff = pd.Timestamp("2024-01-03 06:00")
    changed = table.copy()
    changed.loc[changed.index > cutoff] = 1e6
    one, other = to_grid(table, "h"), to_grid(changed, "h")
    pd.testing.assert_frame_equal(one.loc[:cutoff], other.loc[:cutoff])
    assert (one.loc[one.index > cutoff, "y"] != other.loc[other.index > cutoff, "y"]).all()


def test_regular_rows_stay_as_they_are_and_panels_series_by_series():
    table = hourly(30)
    pd.testing.assert_frame_equal(to_grid(table, "h").drop(columns="rows"), table, check_freq=False)
    many = pd.concat(
        [panel((6, 5)), panel((6, 5)).assign(ds=lambda t: t["ds"] - pd.Timedelta("1h"))]
    )
    got = to_grid(many, "D")
    pd.testing.assert_frame_equal(got[["unique_id", "ds", "y"]], panel((6, 5)), check_dtype=False)
    assert {*got["rows"]} == {2}


def test_an_hour_that_comes_twice_and_one_that_never_comes():
    zone = "Europe/Berlin"
    whole = pd.date_range("2024-10-26", "2024-10-29", freq="h", tz=zone, inclusive="left")
    table = pd.DataFrame({"y": np.arange(len(whole), dtype=float)}, index=whole)
    local = table.tz_localize(None)  # as a logger writes it: 02:00 twice
    assert "more than once" in message(Framing(3).windows, local)
    assert len(to_grid(local, "h")) == len(whole) - 1  # one row of the two
    said = local.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
    assert len(to_grid(said, "h")) == len(whole) == 73
    assert len(Framing(3).windows(to_grid(said, "h"))) == 73 - 3
    spring = pd.date_range("2024-03-30", "2024-04-02", freq="h", tz=zone, inclusive="left")
    values = pd.DataFrame({"y": 1.0}, index=spring)
    assert len(find_gaps(values.tz_localize(None))) == 1  # 02:00 never came
    said = values.tz_localize(None).tz_localize(zone, nonexistent="shift_forward")
    assert find_gaps(said).empty


# --- gaps and how they are filled -----------------------------------------------------------------


def test_gaps_are_found_by_column_and_by_row():
    table = hourly(20)
    table.iloc[[3, 4, 9], 0] = np.nan
    table.iloc[9, 1] = np.nan
    got = find_gaps(table.drop(table.index[10]))
    assert got["column"].tolist() == ["load", "every column"]
    assert got["from"].tolist() == table.index[[3, 9]].tolist()
    assert got["to"].tolist() == table.index[[4, 10]].tolist()
    assert got["steps"].tolist() == [2, 2]
    assert find_gaps(hourly(20)).empty
    assert find_gaps(hourly(20)).columns.tolist() == ["column", "from", "to", "steps"]


def test_gaps_of_a_panel_end_with_their_series():
    table = panel((6, 6))
    table.loc[[5, 6], "y"] = np.nan  # the last of one series and the first of the next
    got = find_gaps(table.drop(index=[8]))
    assert got["unique_id"].tolist() == ["s0", "s1", "s1"]
    assert got["steps"].tolist() == [1, 1, 1]


def slow_fill(values: np.ndarray, season: int, limit: int) -> list[float]:
    """By a plain loop: the last known value of the phase, at most `limit` steps into a gap."""
    filled, age = [], 0
    for row, value in enumerate(values):
        age = age + 1 if np.isnan(value) else 0
        back = row
        while back >= 0 and np.isnan(values[back]):
            back -= season
        filled.append(values[back] if back >= 0 and age <= limit else np.nan)
    return filled


@settings(deadline=None, max_examples=80)
@given(
    missing=st.sets(st.integers(0, 39), max_size=25),
    dropped=st.sets(st.integers(0, 39), max_size=6),
    season=st.integers(1, 5),
    limit=st.integers(1, 6),
)
def test_filling_is_that_of_a_plain_loop_and_never_reads_another_series(
    missing, dropped, season, limit
):
    table = panel((25, 15))
    table.loc[sorted(missing), "y"] = np.nan
    table = table.drop(index=sorted(dropped - {0, 1, 25, 26}))
    options: dict[str, Any] = {"limit": limit}
    if season > 1:
        options |= {"method": "season", "season": season}
    got = fill_gaps(table, **options).set_index(["unique_id", "ds"])
    for name, rows in table.groupby("unique_id"):
        rows = rows.set_index("ds")["y"].asfreq("D")
        expected = slow_fill(rows.to_numpy(), season, limit)
        series = got.loc[name].reindex(rows.index)
        np.testing.assert_array_equal(series["y"], expected)
        marks = series["y filled"].fillna(0)
        np.testing.assert_array_equal(marks, rows.isna() & ~np.isnan(expected))


def test_the_mark_can_tell_how_long_ago_the_last_value_was_known():
    table = pd.DataFrame({"y": [np.nan, 1.0, np.nan, np.nan, 4.0, np.nan]})
    got = fill_gaps(table, mark="steps")
    assert got["y filled"].tolist() == [0, 0, 1, 2, 0, 1]
    assert fill_gaps(table, mark=False).columns.tolist() == ["y"]
    assert fill_gaps(table, limit=1)["y"].isna().tolist() == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]


def test_rows_that_stay_unknown_are_a_gap_that_windows_do_not_cross():
    table = hourly(40).drop(hourly(40).index[10:20])
    got = fill_gaps(table, limit=3, mark=False)
    assert len(got) == 30 + 3
    windows = Framing(4, targets="load").windows(got)
    assert len(windows) == (13 - 4) + (20 - 4)


def test_text_and_categories_of_a_panel_hold_in_its_missing_rows():
    table = panel((8, 8), kind=["a", "b"]).drop(index=[3, 12])
    got = fill_gaps(table)
    assert got["kind"].tolist() == ["a"] * 8 + ["b"] * 8
    windows = Framing(3, targets="y", static_covariates="kind").windows(
        got.drop(columns="y filled")
    )
    assert len(windows) == 2 * 5


@pytest.mark.parametrize("options", [{}, {"limit": 2}, {"method": "season", "season": 24}])
def test_values_after_the_cutoff_change_nothing_that_was_filled_before_it(options):
    table = holey(150)
    cutoff = table.index[90]
    changed = table.copy()
    changed.loc[changed.index > cutoff] = 1e6
    changed = changed.drop(changed.index[[91, 92, 93]])
    one, other = fill_gaps(table, **options), fill_gaps(changed, **options)
    pd.testing.assert_frame_equal(one.loc[:cutoff], other.loc[:cutoff], check_freq=False)
    assert one.loc[:cutoff].filter(like="filled").to_numpy().sum() > 5


def test_a_forecast_inside_a_gap_from_a_filled_table_reads_nothing_later():
    table = hourly(90)
    table.iloc[60:70, 0] = np.nan
    framing = Framing(6, targets="load", past_covariates="load filled")
    inputs = framing.last_window(fill_gaps(table.iloc[:66], columns="load"))
    later = framing.last_window(fill_gaps(table, columns="load").iloc[:66])
    np.testing.assert_array_equal(inputs, later)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "linear"}, "To interpolate needs values that have not come yet"),
        ({"method": "season"}, "needs season="),
        ({"season": 24}, "needs season="),
        ({"limit": 0}, "limit must be a whole number"),
        ({"columns": "loud"}, "no column 'loud'"),
        ({"columns": ["who"]}, "only numbers are filled"),
        ({"mark": "yes"}, "mark must be True, False or 'steps'"),
    ],
)
def test_fillings_that_cannot_be(options, words):
    assert words in message(fill_gaps, hourly().assign(who="x"), **options)


def test_other_bad_input_says_what_to_do():
    assert "column 'load filled' already" in message(fill_gaps, fill_gaps(hourly()), columns="load")
    assert "not in order" in message(find_gaps, hourly().iloc[::-1])
    assert "needs dates" in message(to_grid, pd.DataFrame({"y": [1.0]}), "h")
    assert "Choose from mean" in message(to_grid, hourly(), "h", "median")
    assert "column 'rows'" in message(to_grid, hourly().assign(rows=1), "h")
    times = pd.DatetimeIndex(["2024-01-01", None])
    assert "row 1 is missing" in message(to_grid, pd.DataFrame({"y": [1.0, 2.0]}, index=times), "h")


def test_gaps_in_local_times_whose_clock_is_set_back():
    hours = pd.date_range("2024-10-20 01:00", "2024-11-10", freq="h", tz="America/New_York")
    table = pd.DataFrame({"y": np.arange(float(len(hours)))}, index=hours).drop(hours[[5, 6]])
    assert len(fill_gaps(table)) == len(hours)
    days = pd.date_range("2024-10-20 01:00", periods=30, freq="D")  # on 3 November twice
    days = days.tz_localize("America/New_York", ambiguous=np.ones(30, dtype=bool))
    table = pd.DataFrame({"y": np.arange(30.0)}, index=days).drop(days[[5, 6]])
    assert fill_gaps(table).index.tolist() == days.tolist()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("skip", "8 lacks an input or a target. Column 'load' is missing in 6 of 12 rows."),
        ("mask", "10 lacks known steps or a target. Column 'load' is missing in 8 of 14 steps,"),
    ],
)
def test_no_window_with_all_of_its_targets_says_which_column_lacks_most(missing, words):
    index = pd.date_range("2024", periods=12, freq="h")
    table = pd.DataFrame({"load": np.arange(12.0), "heat": np.arange(12.0), "other": 0.0}, index)
    table.loc[index[::2], "load"] = np.nan
    table.loc[index[:2], "heat"] = np.nan
    framing = Framing(3, horizon=2, targets="load", past_covariates="heat", missing=missing)
    with pytest.raises(ValueError, match=re.escape(words)):
        framing.windows(table)


@pytest.mark.parametrize("freq", ["h", "D", "MS"])
@pytest.mark.parametrize("year", ["1500", "2024", "9000"])
def test_years_that_nanoseconds_do_not_reach(year, freq):
    """Found by fuzzing."""
    index = pd.date_range(np.datetime64(year, "s"), periods=9, freq=freq, unit="s")
    table = pd.DataFrame({"y": np.arange(9.0)}, index).drop(index[5])
    framing = Framing(3, missing="mask", min_history=2)
    assert framing.windows(table).target_times(0)[0] == index[2]
    assert framing.target_times(table)[0] == index[8] + (
        index[8] - index[7] if freq != "MS" else pd.offsets.MonthBegin()
    )
    assert framing.last_window(table)[0, :, 0].tolist() == [6, 7, 8]
