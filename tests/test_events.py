"""Events: labels that look back only, scores by hand, thresholds, flags, and errors in words."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsforecast import (
    Framing,
    build_model,
    choose_thresholds,
    class_table,
    confusion,
    event_table,
    events_within,
    fit,
    flag_anomalies,
    plot_precision_recall,
    predict,
    score_events,
)


def events(rows=40, seed=0, share=0.2):
    values = np.random.default_rng(seed).random(rows) < share
    index = pd.date_range("2024", periods=rows, freq="D")
    return pd.Series(values.astype(float), index, name="fault")


def fitted(rows=40, head="event", **options):
    table = events(rows).to_frame()
    windows = Framing(4, targets="fault", **options).windows(table)
    model = build_model(windows.framing, units=2, head=head, classes=2 if head == "class" else None)
    fit(model, windows, epochs=1, seed=0)
    return model, windows


# --- labels ---------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 10))
def test_a_label_by_hand(occurs, steps):
    column = pd.Series(occurs, name="fault")
    label = events_within(column, steps)
    assert label.name == f"fault within {steps}"
    assert label.dtype == np.float64
    for row in range(len(occurs)):
        assert label[row] == any(occurs[max(0, row - steps + 1) : row + 1])


@pytest.mark.parametrize("dtype", [bool, int, float, "boolean", "Int64"])
def test_labels_of_any_type(dtype):
    expected = events_within(events(), 3)
    pd.testing.assert_series_equal(events_within(events().astype(dtype), 3), expected)


def test_a_label_looks_back_only():
    column, changed = events(), events()
    changed.iloc[20:] = 1 - changed.iloc[20:]
    before, after = events_within(column, 5), events_within(changed, 5)
    pd.testing.assert_series_equal(before[:20], after[:20])
    assert (before[20:] != after[20:]).any()


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_the_label_of_a_window_is_about_the_steps_after_its_cutoff(steps):
    column = events(60)
    label = events_within(column, steps)
    table = pd.DataFrame({"fault": column, "label": label})
    framing = Framing(4, lead=steps, targets="label", past_covariates="fault")
    windows = framing.windows(table)
    for number in range(len(windows)):
        cutoff = windows.cutoffs[number]
        ahead = column[column.index > cutoff].iloc[:steps]
        assert windows.y[number].item() == ahead.max()
        assert windows.input_times(number)[-1] == cutoff


def test_labels_of_a_panel_stay_in_their_series():
    panel = pd.DataFrame({"unique_id": ["a"] * 3 + ["b"] * 3, "event": [0, 0, 1, 0, 0, 0]})
    label = panel.groupby("unique_id")["event"].transform(events_within, steps=3)
    assert label.tolist() == [0, 0, 1, 0, 0, 0]


# --- tables of chances ----------------------------------------------------------------------------


def test_a_table_of_chances_by_hand():
    model, windows = fitted(lead=2, horizon=2)
    part = windows[10:]
    table, column = event_table(model, part), events()
    chances = predict(model, part)
    assert list(table.columns[:5]) == ["unique_id", "ds", "cutoff", "step", "y"]
    assert len(table) == 2 * len(part)
    share = column[: part.cutoffs[0]].mean()
    for number, row in table.iterrows():
        window, step = divmod(number, 2)
        assert row["cutoff"] == part.cutoffs[window]
        assert row["ds"] == part.target_times(window)[step]
        assert row["step"] == step + 1
        assert row["y"] == column[row["ds"]]
        assert row["LSTM"] == chances[window, step, 0]
        assert row["last label"] == column[row["cutoff"]]
        assert row["base rate"] == pytest.approx(share)


def test_what_comes_after_a_cutoff_does_not_reach_its_row():
    model, _ = fitted()
    tables = []
    for spoil in (False, True):
        table = events().to_frame()
        if spoil:
            table.iloc[30:] = 1 - table.iloc[30:]
        _, test = Framing(4, targets="fault").windows(table).split(table.index[30])
        tables.append(event_table(model, test[:1]).drop(columns="y"))
    pd.testing.assert_frame_equal(*tables)


def test_classes_by_hand():
    model, windows = fitted(head="class", horizon=2)
    table, chances = class_table(model, windows), predict(model, windows)
    assert table["LSTM"].tolist() == chances.argmax(-1).ravel().tolist()
    np.testing.assert_array_equal(table["chance"], chances.max(-1).ravel())
    assert table["y"].tolist() == windows.y.ravel().tolist()
    expected = events()[windows.cutoffs].to_numpy().repeat(2)
    assert table["last label"].tolist() == expected.tolist()


# --- scores ---------------------------------------------------------------------------------------


def chances(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.2).astype(float)
    noisy = np.clip(0.3 * y + 0.6 * rng.random(rows), 0, 1)
    return pd.DataFrame({"step": 1, "y": y, "LSTM": noisy, "base rate": 0.2})


def test_scores_by_hand():
    table = chances()
    scores = score_events(table, {"LSTM": 0.4, "base rate": 0.5})
    says, came = table["LSTM"] >= 0.4, table["y"] == 1
    row = scores.loc["LSTM"]
    assert row["precision"] == pytest.approx((says & came).sum() / says.sum())
    assert row["recall"] == pytest.approx((says & came).sum() / came.sum())
    assert row["f1"] == pytest.approx(2 / (1 / row["precision"] + 1 / row["recall"]))
    assert row["alarms"] == pytest.approx(says.mean())
    assert row["accuracy"] == pytest.approx((says == came).mean())
    ranked = table.sort_values("LSTM", ascending=False)["y"].to_numpy()
    at = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    assert row["average_precision"] == pytest.approx((at * ranked).sum() / ranked.sum())
    assert scores.loc["base rate", "average_precision"] == pytest.approx(came.mean())


def test_the_threshold_is_the_best_of_all():
    table = chances()
    best = choose_thresholds(table)["LSTM"]
    reached = score_events(table, best).loc["LSTM", "f1"]
    for other in table["LSTM"]:
        assert score_events(table[["y", "LSTM"]], other).loc["LSTM", "f1"] <= reached + 1e-12


@pytest.mark.parametrize("recall", [0.5, 0.8, 1.0])
def test_a_threshold_for_a_recall(recall):
    table = chances()[["y", "LSTM"]]
    chosen = choose_thresholds(table, recall)["LSTM"]
    reached = score_events(table, chosen).loc["LSTM"]
    assert reached["recall"] >= recall
    for other in table["LSTM"]:
        scored = score_events(table, other).loc["LSTM"]
        if scored["recall"] >= recall:
            assert scored["precision"] <= reached["precision"] + 1e-12


def test_a_confusion_table():
    y, says = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]
    table = confusion(y, says, ["a", "b", "c"])
    assert table.to_numpy().tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert list(table.index) == list(table.columns) == ["a", "b", "c"]
    assert confusion([0, 0], [0, 0], ["no", "yes"]).shape == (2, 2)


def test_the_picture_has_a_curve_a_line_and_a_point():
    table = chances().assign(last=lambda frame: (frame["LSTM"] > 0.6).astype(float))
    ax = plot_precision_recall(table, {"LSTM": 0.4})
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["LSTM", "base rate", "last"]
    assert ax.get_xlabel().startswith("recall")


# --- flags ----------------------------------------------------------------------------------------


def forecasts(rows=100, start=0, seed=0):
    y = 100 + np.random.default_rng(seed).normal(size=rows)
    times = np.arange(start, start + rows)
    frame = {"unique_id": "a", "ds": times + 1, "cutoff": times, "step": 1, "y": y}
    return pd.DataFrame(frame | {"LSTM": 100.0, "naive": 90.0})


def test_flags_by_hand():
    past, new = forecasts(300), forecasts(50, start=300, seed=1)
    new.loc[[7, 30], "y"] = [105.0, 94.0]
    flagged = flag_anomalies(new, past, 99)
    limit = np.sort((past["y"] - past["LSTM"]).abs())[297]  # ceil(301 * 0.99) = 298th
    expected = (new["y"] - 100).abs() > limit
    assert flagged["anomaly"].tolist() == expected.tolist()
    assert flagged["anomaly"][[7, 30]].all()
    assert list(flagged.columns[-4:]) == ["LSTM", "LSTM-lo-99", "LSTM-hi-99", "anomaly"]
    assert list(flag_anomalies(new, past, 90, "naive").columns[-2:]) == ["naive-hi-90", "anomaly"]


def test_ordinary_values_are_flagged_as_often_as_was_asked():
    flagged = flag_anomalies(forecasts(4000, 4000, seed=1), forecasts(4000), 95)
    assert flagged["anomaly"].mean() == pytest.approx(0.05, abs=0.015)


def test_the_flagged_part_does_not_set_its_own_limits():
    past, new = forecasts(200), forecasts(50, start=200, seed=1)
    spoiled = new.assign(y=new["y"].where(new.index < 25, 1e6))
    one, two = flag_anomalies(new, past), flag_anomalies(spoiled, past)
    pd.testing.assert_frame_equal(one[:25], two[:25])
    assert two["anomaly"][25:].all()


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "steps", "words"),
    [
        (pd.Series([0, 0.5, 1], name="x"), 2, r"'x' holds .*0\.5.* at 1, .*> limit"),
        (pd.Series([0, np.nan], name="x"), 2, r"'x' holds .*nan.* at 1.*filled"),
        (pd.Series(["no", "yes"], name="x"), 2, r"'x' holds 'no' at 0"),
        (pd.Series([0, 1]), 0, r"steps must be a whole number, 1 or more; got 0"),
    ],
)
def test_columns_that_are_no_events(column, steps, words):
    with pytest.raises(ValueError, match=words):
        events_within(column, steps)


def test_an_event_is_a_column():
    with pytest.raises(TypeError, match=r"one column of a table, got DataFrame"):
        events_within(events().to_frame(), 2)


def test_tables_of_other_heads():
    table = events().to_frame()
    windows = Framing(4, targets="fault").windows(table)
    number = build_model(windows.framing, units=2)
    with pytest.raises(ValueError, match=r"'LSTM' has head='number'.*forecast_table"):
        event_table(number, windows)
    with pytest.raises(ValueError, match=r"of classes.*head='class'"):
        class_table(number, windows)


CHANCES = chances()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: score_events(CHANCES.drop(columns="y")), r"Expected a table.*event_table"),
        (lambda: score_events(CHANCES.assign(y=0)), r"got 0 events in 200 rows.*longer part"),
        (lambda: score_events(CHANCES.assign(y=CHANCES["LSTM"])), r"labels 0 and 1"),
        (lambda: score_events(CHANCES, {"other": 0.5}), r"no threshold for 'LSTM'.*choose_thresh"),
        (lambda: choose_thresholds(CHANCES, recall=80), r"recall is a share.*got 80"),
        (lambda: confusion([0, 1], [0, 1, 1]), r"\(2,\) labels and \(3,\) answers"),
        (lambda: confusion([0, 2], [0, 1], ["a", "b"]), r"2 names and a label 2"),
        (lambda: flag_anomalies(forecasts(), forecasts(), name="AutoETS"), r"no column 'AutoETS'"),
        (lambda: flag_anomalies(forecasts().drop(columns="y"), forecasts()), r"no column 'y'"),
        (lambda: flag_anomalies(forecasts(), forecasts()), r"runs to 100.*made at 0"),
        (lambda: flag_anomalies(forecasts(9, 100), forecasts(50)), r"needs at least 99 .*are 50"),
    ],
)
def test_wrong_tables(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_nowcast_is_not_told_its_answer():
    """With lead=0 the row of the cutoff holds the answer: the last label is the one before."""
    table = events().to_frame().assign(x=1.0)
    framing = Framing(4, lead=0, targets="fault", past_covariates="x", use_target_history=False)
    windows = framing.windows(table)
    model = build_model(windows.framing, units=2, head="event")
    fit(model, windows, epochs=1, seed=0)
    frame = event_table(model, windows)
    assert frame["y"].tolist() == table["fault"].iloc[3:].tolist()
    assert frame["last label"].tolist() == table["fault"].iloc[2:-1].tolist()
