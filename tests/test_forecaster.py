"""The dated forecast beyond the last row; and that nothing after a cutoff reaches a forecast."""

import keras
import numpy as np
import pandas as pd
import pytest

from tsforecast import Framing, adapt, build_model, datasets, fit, forecast, forecast_table, predict
from tsforecast.models import DECODERS, ENCODERS

FREQS = ["h", "D", "B", "MS", "W-SUN"]


def make_table(rows=40, freq="h", tz=None):
    rng = np.random.default_rng(0)
    values = {name: rng.normal(50, 5, rows).cumsum() for name in "abcd"} | {"s": 1.5}
    return pd.DataFrame(values, index=pd.date_range("2024-01-01", periods=rows, freq=freq, tz=tz))


def model_for(windows, **options):
    keras.utils.set_random_seed(0)
    model = build_model(windows.framing, units=3, **options)
    adapt(model, windows)
    return model


# --- beyond the last row --------------------------------------------------------------------------


@pytest.mark.parametrize("freq", FREQS)
@pytest.mark.parametrize("lead", [1, 3])
def test_a_forecast_carries_its_dates(freq, lead):
    table = make_table(freq=freq)
    framing = Framing(5, horizon=3, lead=lead, targets=["b", "a"])
    result = forecast(model_for(framing.windows(table)), framing, table)
    assert list(result.columns) == ["ds", "cutoff", "b", "a"]
    ahead = pd.date_range(table.index[-1], periods=lead + 3, freq=freq)[lead:]
    assert list(result["ds"]) == list(ahead)
    assert list(result["cutoff"]) == [table.index[-1]] * 3


def test_a_forecast_of_a_time_zone_of_periods_and_of_row_numbers():
    framing = Framing(5, targets="a")
    zoned = make_table(tz="Europe/Berlin")
    model = model_for(framing.windows(zoned))
    result = forecast(model, framing, zoned)
    assert result["ds"][0] == zoned.index[-1] + pd.Timedelta("1h")
    assert str(result["ds"].dt.tz) == "Europe/Berlin"
    periods = zoned.set_index(pd.period_range("2020-01", periods=40, freq="M"))
    result = forecast(model, framing, periods)
    assert (result["ds"][0], result["cutoff"][0]) == (pd.Period("2023-05"), pd.Period("2023-04"))
    numbers = forecast(model, framing, zoned.reset_index(drop=True))
    assert (numbers["ds"][0], numbers["cutoff"][0]) == (40, 39)
    assert numbers["a"][0] == result["a"][0]


@pytest.mark.parametrize("kind", ["frame", "series", "array", "column", "list"])
def test_a_forecast_of_every_kind_of_table(kind):
    series = make_table()["a"]
    table = {
        "frame": series.to_frame(),
        "series": series,
        "array": series.to_numpy(),
        "column": series.to_numpy()[:, None],
        "list": series.to_list(),
    }[kind]
    framing = Framing(5)
    windows = framing.windows(table)
    result = forecast(model_for(windows), framing, table)
    assert result.columns[-1] == ("a" if kind in ("frame", "series") else 0)
    expected = model_for(windows).predict(framing.last_window(table), verbose=0)
    assert result.iloc[0, -1] == expected[0, 0, 0]


def test_a_forecast_is_that_of_the_window_at_its_cutoff():
    """Forecast from a table cut at a row: what `predict` says for the window that ends there."""
    table = make_table()
    framing = Framing(5, horizon=2, targets=["a", "b"], past_covariates="c", lead=2)
    windows = framing.windows(table)
    model = model_for(windows)
    forecasts = predict(model, windows)
    for number in (0, 7, len(windows) - 1):
        known = table.loc[: windows.cutoffs[number]]
        result = forecast(model, framing, known)
        assert list(result["ds"]) == list(windows.target_times(number))
        np.testing.assert_allclose(result[["a", "b"]], forecasts[number], rtol=1e-6)


def test_lead_0_forecasts_the_last_row_itself():
    table = make_table()
    roles = {"targets": "a", "past_covariates": ["b", "c"], "use_target_history": False}
    framing = Framing(4, lead=0, horizon=1, **roles)
    model = model_for(framing.windows(table))
    unknown = table.assign(a=np.nan)
    result = forecast(model, framing, unknown)
    assert list(result["ds"]) == [table.index[-1]]
    np.testing.assert_allclose(result["a"], predict(model, framing.windows(table))[-1, 0])


def test_future_and_static_covariates_of_a_forecast():
    table = make_table()
    roles = {"targets": "a", "future_covariates": ["d", "c"], "static_covariates": "s"}
    framing = Framing(4, horizon=3, **roles)
    windows = framing.windows(table)
    model = model_for(windows)
    known, ahead = table.iloc[:-3], table.iloc[-3:].drop(columns="a")
    result = forecast(model, framing, known, ahead)
    assert list(result["ds"]) == list(ahead.index)
    np.testing.assert_allclose(result["a"], predict(model, windows)[-1, :, 0], rtol=1e-6)
    other = forecast(model, framing, known, ahead * 2)
    assert (other["a"] != result["a"]).all()
    with pytest.raises(ValueError, match="future="):
        forecast(model, framing, known)


def test_the_tutorials_series_goes_on():
    table = datasets.toy("univariate")
    framing = Framing(3)
    model = build_model(framing, units=8)
    fit(model, framing.windows(table), epochs=200, seed=0)
    result = forecast(model, framing, table)
    assert (result["ds"][0], result["cutoff"][0]) == (9, 8)
    assert result["a"][0] == pytest.approx(100, rel=0.01)


def test_a_rounded_forecast_prints_round_numbers():
    """In float32, 206.2 would print as 206.199997."""
    windows = Framing(3).windows(datasets.toy("multivariate"))
    result = forecast(model_for(windows), windows.framing, datasets.toy("multivariate"))
    assert (result[["a", "b", "c"]].dtypes == np.float64).all()


def test_errors_of_a_forecast():
    table = make_table()
    framing = Framing(5, targets="a")
    model = model_for(framing.windows(table))
    with pytest.raises(ValueError, match=r"5 steps x 1 columns.*have 4 steps x 1 columns"):
        forecast(model, Framing(4, targets="a"), table)
    with pytest.raises(ValueError, match=r"5 steps x 1 columns.*have 5 steps x 5 columns"):
        forecast(model, Framing(5), table)
    with pytest.raises(ValueError, match=r"forecasts 1 steps x 1 targets.*ask for 2 steps"):
        forecast(model, Framing(5, horizon=2, targets="a"), table)
    with pytest.raises(ValueError, match=r"3 rows.*needs the last 5"):
        forecast(model, framing, table[:3])
    with pytest.raises(ValueError, match=r"'a'.*not in the table.*'b', 'c'"):
        forecast(model, framing, table[["b", "c"]])
    with pytest.raises(ValueError, match="never fitted"):
        forecast(build_model(framing, units=3), framing, table)


# --- nothing after the cutoff ---------------------------------------------------------------------

LEAKY = {  # framings with each way in which the future could slip in
    "targets alone": {"targets": ["a", "b"], "horizon": 3},
    "past covariates, lead 2": {
        "targets": "a",
        "past_covariates": ["b", "c"],
        "lead": 2,
        "horizon": 2,
    },
    "lead 0": {
        "targets": "a",
        "past_covariates": "b",
        "lead": 0,
        "horizon": 2,
        "use_target_history": False,
    },
    "future and static": {
        "targets": "a",
        "past_covariates": "b",
        "future_covariates": "d",
        "static_covariates": "s",
        "horizon": 3,
    },
}
RECIPES = [
    {"scaling": "none", "skip": "none"},
    {"scaling": "standard", "skip": "linear"},
    {"scaling": "window", "skip": "season", "season": 4},
]
CUTOFF = 25  # the number of the last row that is known


def spoiled(table, framing):
    """All that is not known at the cutoff replaced: the rows after it, and at lead 0 the answer."""
    table = table.copy()
    ahead = [name for name in table if name not in ("s", *framing.future_covariates)]
    table.loc[table.index[CUTOFF + 1 :], ahead] = -1e5
    if framing.lead == 0:
        table.loc[table.index[CUTOFF:], list(framing.targets)] = 1e5
    return table


def known_part(windows):
    return windows[: list(windows.cutoffs).index(windows.index[CUTOFF]) + 1]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["scaling"])
@pytest.mark.parametrize("case", LEAKY.values(), ids=LEAKY)
def test_what_comes_after_the_cutoff_does_not_change_a_forecast(case, recipe):
    framing = Framing(5, **case)
    if not framing.use_target_history and recipe["scaling"] == "window":
        recipe = {"scaling": "standard"}
    table = make_table()
    model = model_for(framing.windows(table).split(table.index[20])[0], **recipe)
    before = known_part(framing.windows(table))
    after = known_part(framing.windows(spoiled(table, framing)))
    assert not np.array_equal(before.y[-1], after.y[-1])  # the answer itself is spoiled
    np.testing.assert_array_equal(predict(model, before), predict(model, after))

    tables = [forecast_table(model, windows, season=4) for windows in (before, after)]
    index = before.index
    last = [frame[frame["cutoff"] == index[CUTOFF]] for frame in tables]
    names = ["LSTM", "naive", "seasonal naive"]
    assert len(last[0]) == framing.horizon * len(framing.targets)
    pd.testing.assert_frame_equal(last[0][names], last[1][names], check_exact=True)

    ahead = table if framing.future_covariates else None
    rows = slice(0, CUTOFF + 1)
    pd.testing.assert_frame_equal(
        forecast(model, framing, table[rows], ahead),
        forecast(model, framing, spoiled(table, framing)[rows], ahead),
        check_exact=True,
    )


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_no_encoder_and_no_decoder_sees_beyond_the_cutoff(encoder, decoder):
    framing = Framing(4, horizon=2, targets="a", past_covariates=["b", "c"])
    table = make_table()
    model = model_for(framing.windows(table)[:15], encoder=encoder, decoder=decoder)
    before = known_part(framing.windows(table))
    after = known_part(framing.windows(spoiled(table, framing)))
    forecasts = [keras.ops.convert_to_numpy(model(part.arrays()[0])) for part in (before, after)]
    np.testing.assert_array_equal(*forecasts)
    beyond = framing.windows(spoiled(table, framing))[len(before) :]
    clean = framing.windows(table)[len(before) :]
    forecasts = [keras.ops.convert_to_numpy(model(part.arrays()[0])) for part in (clean, beyond)]
    assert (forecasts[0] != forecasts[1]).all()  # windows that read a spoiled row do change


def test_future_covariates_are_the_exception_and_only_at_the_target_times():
    framing = Framing(4, **LEAKY["future and static"])
    table = make_table()
    windows = framing.windows(table)
    model = model_for(windows)
    number = list(windows.cutoffs).index(table.index[CUTOFF])
    reached = []
    for row in range(CUTOFF + 1, CUTOFF + 6):
        changed = table.copy()
        changed.loc[table.index[row], "d"] += 5
        forecasts = [
            predict(model, framing.windows(t)[number : number + 1]) for t in (table, changed)
        ]
        reached.append(not np.array_equal(*forecasts))
    assert reached == [True, True, True, False, False]  # horizon 3


@pytest.mark.parametrize("name", ["ds", "cutoff"])
def test_a_target_named_as_a_column_of_times(name):
    table = make_table()[["a"]].rename(columns={"a": name})
    windows = Framing(5).windows(table)
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        forecast(model_for(windows), windows.framing, table)
