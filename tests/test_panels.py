"""Panels: many series below each other, cut into windows that never cross from one to the next."""

import itertools
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast import Framing, build_model, fit, load_model, predict


def make_panel(lengths: dict[str, int], start: str = "2024-01-01", freq: str = "h", **columns: Any):
    """A panel whose value names its series and row: series number * 1000 + row."""
    parts = []
    for number, (name, length) in enumerate(lengths.items()):
        ds = pd.date_range(start, periods=length, freq=freq) + number * pd.Timedelta(
            freq_hours(freq)
        )
        part = {"unique_id": name, "ds": ds, "y": 1000.0 * number + np.arange(length)}
        parts.append(pd.DataFrame(part | {key: value[number] for key, value in columns.items()}))
    return pd.concat(parts, ignore_index=True)


def freq_hours(freq: str) -> str:
    return {"h": "3h", "D": "2D"}[freq]


def loop(panel: pd.DataFrame, framing: Framing) -> list[tuple[str, list, list]]:
    """The windows by a plain loop over series and rows."""
    found = []
    for name, series in panel.groupby("unique_id", sort=False):
        y = series["y"].to_numpy()
        ds = series["ds"].tolist()
        step = pd.Timedelta("1h")
        for first in range(len(y) - framing.span + 1):
            begin = first
            while begin > 0 and ds[begin] - ds[begin - 1] == step:
                begin -= 1
            if (first - begin) % framing.stride:
                continue
            times = ds[first : first + framing.span]
            if any(b - a != step for a, b in itertools.pairwise(times)):
                continue
            target = first + framing.lookback + framing.lead - 1
            x = y[first : first + framing.lookback].tolist()
            found.append((name, x, y[target : target + framing.horizon].tolist()))
    return found


@settings(deadline=None, max_examples=100)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=5),
    dropped=st.sets(st.integers(0, 60), max_size=6),
    lookback=st.integers(1, 4),
    horizon=st.integers(1, 3),
    lead=st.integers(1, 3),
    stride=st.integers(1, 3),
    shuffled=st.booleans(),
)
def test_windows_of_a_panel_are_those_of_a_plain_loop(
    lengths, dropped, lookback, horizon, lead, stride, shuffled
):
    panel = make_panel({f"s{i}": length for i, length in enumerate(lengths)})
    panel = panel.drop(index=[row for row in dropped if row in panel.index])
    framing = Framing(lookback, horizon=horizon, lead=lead, stride=stride, targets="y")
    if panel.empty:
        return
    gap = panel.groupby("unique_id")["ds"].diff().min()
    if pd.isna(gap) or gap > pd.Timedelta("1h"):
        return  # the step is not known to be an hour
    expected = loop(panel, framing)
    given_panel = panel.sample(frac=1, random_state=1) if shuffled else panel
    if not expected:
        with pytest.raises(ValueError, match="One window needs"):
            framing.windows(given_panel)
        return
    windows = framing.windows(given_panel)
    got = [
        (name, x.ravel().tolist(), y.ravel().tolist())
        for name, x, y in zip(windows.series, windows.X, windows.y, strict=True)
    ]
    assert sorted(got) == sorted(expected)


def test_no_window_holds_two_series():
    panel = make_panel({"a": 30, "b": 9, "c": 4, "d": 17})
    windows = Framing(3, horizon=2).windows(panel)
    values = np.concatenate([windows.X, windows.y], axis=1)[:, :, 0]
    assert (values.max(axis=1) - values.min(axis=1) == 4).all()  # five rows of one series
    assert len(windows) == 26 + 5 + 13
    assert sorted({*windows.series}) == ["a", "b", "d"]


def test_the_order_of_series_and_rows_does_not_matter():
    panel = make_panel({"a": 12, "b": 9}, site=[1.0, 2.0])
    framing = Framing(3, targets="y", static_covariates="site")
    one, other = framing.windows(panel), framing.windows(panel.iloc[::-1])
    assert np.array_equal(one.of_series("b").X, other.of_series("b").X)
    assert np.array_equal(one.of_series("a").static, other.of_series("a").static)


def test_split_parts_each_series_by_time():
    panel = make_panel({"a": 30, "b": 20})
    train, test = Framing(3, horizon=2).windows(panel).split("2024-01-01 15:00")
    border = pd.Timestamp("2024-01-01 15:00")
    assert {*train.series} == {*test.series} == {"a", "b"}
    assert all(train.target_times(i)[-1] < border for i in range(len(train)))
    assert all(test.target_times(i)[0] >= border for i in range(len(test)))
    assert train.target_span[1] < border <= test.target_span[0]


def test_text_becomes_categories_that_later_windows_keep():
    panel = make_panel({"a": 8, "b": 8, "c": 8}, kind=["shop", "bank", "shop"])
    windows = Framing(3, targets="y", static_covariates="kind").windows(panel)
    assert windows.framing.categories == (("kind", ("bank", "shop")),)
    assert windows.static[:, 0].tolist() == [2.0] * 5 + [1.0] * 5 + [2.0] * 5
    other = make_panel({"x": 8, "y": 8}, kind=["school", "shop"])
    assert windows.framing.windows(other).static[:, 0].tolist() == [0.0] * 5 + [2.0] * 5


def test_categories_may_be_text_and_numbers():
    panel = make_panel({"a": 8, "b": 8, "c": 8}, kind=["shop", 24, 7])
    windows = Framing(3, targets="y", static_covariates="kind").windows(panel)
    assert windows.framing.categories == (("kind", (24, 7, "shop")),)
    assert windows.static[:, 0].tolist() == [3.0] * 5 + [1.0] * 5 + [2.0] * 5


def test_a_panel_describes_a_window_and_leaves_the_sum_of_rows_out(capsys):
    Framing(3).windows(make_panel({"a": 8})).describe()
    lines = capsys.readouterr().out.splitlines()
    assert "5 windows of 1 series" in lines[0]
    assert not any("lookback" in line for line in lines)


def test_the_series_itself_can_be_a_category():
    panel = make_panel({"a": 8, "b": 8})
    windows = Framing(3, targets="y", static_covariates="unique_id").windows(panel)
    assert windows.static[:, 0].tolist() == [1.0] * 5 + [2.0] * 5


def test_last_window_and_target_times_of_every_series():
    panel = make_panel({"a": 8, "b": 5})
    framing = Framing(3, horizon=2)
    assert framing.last_window(panel)[:, :, 0].tolist() == [[5, 6, 7], [1002, 1003, 1004]]
    times = framing.target_times(panel)
    assert times.names == ["unique_id", "ds"]
    assert times.get_level_values("unique_id").tolist() == ["a", "a", "b", "b"]
    assert times.get_level_values("ds").strftime("%H").tolist() == ["08", "09", "08", "09"]


def test_future_covariates_of_a_panel():
    panel = make_panel({"a": 8, "b": 5}).assign(price=2.0)
    framing = Framing(3, horizon=2, targets="y", future_covariates="price")
    future = framing.target_times(panel).to_frame(index=False).assign(price=[1.0, 2.0, 3.0, 4.0])
    inputs = framing.last_window(panel, future.iloc[::-1])
    assert inputs["future"][:, :, 0].tolist() == [[1, 2], [3, 4]]
    indexed = framing.last_window(panel, future.set_index(["unique_id", "ds"]))
    assert indexed["future"].tolist() == inputs["future"].tolist()
    with pytest.raises(ValueError, match=r"no row for \('b', .*1 of 4"):
        framing.last_window(panel, future.iloc[:3])
    with pytest.raises(ValueError, match="no column 'ds'"):
        framing.last_window(panel, future.drop(columns="ds"))


def test_days_of_the_week_apart_and_months():
    monday = pd.DataFrame(
        {"unique_id": "m", "ds": pd.date_range("2024-01-01", periods=9, freq="7D")}
    )
    tuesday = pd.DataFrame(
        {"unique_id": "t", "ds": pd.date_range("2024-01-02", periods=9, freq="7D")}
    )
    panel = pd.concat([monday, tuesday]).assign(y=np.arange(18.0))
    assert len(Framing(3).windows(panel)) == 12
    assert Framing(3).target_times(panel)[-1] == ("t", pd.Timestamp("2024-03-05"))
    months = pd.DataFrame(
        {"unique_id": "a", "ds": pd.date_range("2024-01-31", periods=9, freq="ME")}
    )
    assert Framing(3).target_times(months.assign(y=1.0))[0] == ("a", pd.Timestamp("2024-10-31"))


def test_numbered_steps():
    panel = pd.DataFrame({"unique_id": [1] * 6 + [2] * 5, "ds": [*range(1, 7), *range(1, 6)]})
    windows = Framing(3).windows(panel.assign(y=np.arange(11.0)))
    assert len(windows) == 3 + 2
    assert Framing(3).target_times(panel.assign(y=0.0)).tolist() == [(1, 7), (2, 6)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda p: pd.concat([p, p.iloc[3:4]]),
            "Series 'a' has more than one row for 2024-01-01 03",
        ),
        (lambda p: p.assign(ds=p["ds"].astype(str)), "Column 'ds' holds (str|object)"),
        (lambda p: p.assign(ds=p["ds"].where(p.index != 2)), "Column 'ds' is missing in row 2"),
        (lambda p: p.assign(y=p["y"].where(p.index != 9)), "1 missing value .* of series 'b'"),
        (lambda p: p.assign(site=np.arange(len(p))), "'site' changes .* of series 'a'"),
        (lambda p: p.assign(site=None), "'site' is missing in row 0"),
        (lambda p: p.assign(site=["x"] * 3 + [None] * (len(p) - 3)), "'site' is missing in row 3"),
        (lambda p: p.groupby("unique_id").head(4), "2 series, and the longest stretch .* 4 rows"),
        (lambda p: p.iloc[:0], "The panel has 0 rows"),
        (lambda p: p.assign(y="x"), "Column 'y' holds text"),
    ],
)
def test_a_bad_panel(change, words):
    panel = make_panel({"a": 8, "b": 8}, site=[1.0, 2.0])
    framing = Framing(3, horizon=2, targets="y", static_covariates="site")
    with pytest.raises(ValueError, match=words):
        framing.windows(change(panel))


def test_a_series_that_is_too_short_to_forecast_is_named():
    panel = make_panel({"a": 8, "b": 2, "c": 1})
    with pytest.raises(ValueError, match=r"'b' has 2 rows .* last 3 .*2 of 3 series"):
        Framing(3).last_window(panel)


def test_ten_thousand_series_frame_in_seconds():
    count, length = 10_000, 50
    panel = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), length),
            "ds": np.tile(pd.date_range("2024-01-01", periods=length, freq="D"), count),
            "y": np.arange(count * length, dtype=float),
        }
    )
    begin = time.process_time()
    windows = Framing(14, horizon=7).windows(panel)
    seconds = time.process_time() - begin
    assert len(windows) == count * (length - 20)
    assert seconds < 5


# --- models of panels -----------------------------------------------------------------------------


def test_each_series_in_its_own_unit():
    """Two series that differ only in size and level: a model with own units sees no difference."""
    small = 10 + np.sin(np.arange(60) / 3)
    sizes = {"small": 1.0, "large": 1000.0}
    parts = [
        pd.DataFrame({"unique_id": name, "ds": np.arange(60), "y": size * small})
        for name, size in sizes.items()
    ]
    windows = Framing(12, horizon=3).windows(pd.concat(parts))
    model = build_model(windows.framing, units=4, scaling="series")
    history = fit(model, windows, epochs=60, learning_rate=0.03, seed=0)
    assert history.history["loss"][-1] < 0.3
    forecast = [predict(model, windows.of_series(name)) / size for name, size in sizes.items()]
    np.testing.assert_allclose(forecast[0], forecast[1], rtol=2e-3)
    error = np.abs(forecast[0][:, :, 0] - windows.of_series("small").y[:, :, 0]).mean()
    assert error < 0.3


def test_own_units_of_empty_and_constant_windows_stay_finite():
    panel = pd.DataFrame({"unique_id": ["z"] * 30 + ["s"] * 30, "ds": [*range(30)] * 2})
    panel["y"] = np.r_[np.zeros(20), np.ones(10), np.sin(np.arange(30))]
    windows = Framing(5).windows(panel)
    model = build_model(windows.framing, units=3, scaling="series")
    fit(model, windows, epochs=2, seed=0)
    assert np.isfinite(predict(model, windows)).all()


def test_a_category_is_embedded_and_an_unknown_one_is_zeros(tmp_path):
    panel = make_panel({"a": 40, "b": 40, "c": 40}, kind=["up", "down", "up"], size=[1.0, 2.0, 3.0])
    sign = np.where(panel["kind"] == "up", 1.0, -1.0)
    panel["y"] = np.random.default_rng(0).normal(size=len(panel)).cumsum() * 0.01 + sign
    panel["y"] = panel.groupby("unique_id")["y"].cumsum()  # rises or falls
    framing = Framing(1, targets="y", static_covariates=["kind", "size"])
    windows = framing.windows(panel)
    model = build_model(windows.framing, units=4)
    fit(model, windows, epochs=40, learning_rate=0.05, seed=0)
    steps = predict(model, windows)[:, 0, 0] - windows.X[:, -1, 0]
    assert (steps[windows.series == "a"] > 0.5).all()
    assert (steps[windows.series == "b"] < -0.5).all()
    embedding = model.get_layer("embed_0").get_weights()[0]
    assert (embedding[0] == 0).all()
    assert (embedding[1:] != 0).any()
    new = make_panel({"x": 20}, kind=["sideways"], size=[1.0])
    assert np.isfinite(predict(model, windows.framing.windows(new))).all()
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert np.array_equal(predict(again, windows), predict(model, windows))


def test_an_hour_that_occurs_twice_in_a_panel():
    ds = pd.date_range("2024-10-27", periods=9, freq="h", tz="Europe/Berlin").tz_localize(None)
    panel = pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": 1.0}) for name in "ab"])
    with pytest.raises(
        ValueError, match=r"'a' has more than one row .*clocks went back.*transform"
    ):
        Framing(3).windows(panel)
    panel["ds"] = panel.groupby("unique_id")["ds"].transform(
        lambda ds: ds.dt.tz_localize("Europe/Berlin", ambiguous="infer")
    )  # as it says
    assert len(Framing(3).windows(panel)) == 12
