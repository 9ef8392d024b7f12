"""The ETTh1 benchmark: which rows are trained on, which are scored, and what is mirrored."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import etth1
from benchmarks.scores import ETTH1_TEST, ETTH1_TRAIN
from tsforecast import Framing


@pytest.fixture
def table(monkeypatch):
    """Seven columns in which a number tells its row and its column."""
    rows = np.arange(17_420.0)[:, None]
    names = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    times = pd.date_range("2016-07-01", periods=len(rows), freq="h", name="time")
    found = pd.DataFrame(1000 * np.sin(rows / 700 + np.arange(7)), times, names)
    monkeypatch.setattr(etth1.datasets, "etth1", lambda: found)
    return found


def test_columns_are_standardised_by_the_training_part(table):
    numbers = etth1.standardised()
    assert len(numbers) == 8640 + 2880 + 2880
    np.testing.assert_allclose(numbers.iloc[:8640].mean(), 0, atol=1e-9)
    np.testing.assert_allclose(numbers.iloc[:8640].std(ddof=0), 1)
    changed = table.copy()
    changed.iloc[8640:] = 1e6
    etth1.datasets.etth1 = lambda: changed
    np.testing.assert_allclose(
        etth1.standardised().iloc[:8640], numbers.iloc[:8640], rtol=1e-9, atol=1e-12
    )


def test_only_the_training_part_is_mirrored(table):
    numbers = etth1.standardised().iloc[: etth1.BORDER]
    panel = etth1.mirrored(numbers)
    ids = list(panel["unique_id"].unique())
    assert ids == [*table.columns, *("minus " + table.columns)]
    assert set(panel["column"]) == set(table.columns)
    for name in table.columns:
        there = panel[panel["unique_id"] == name]
        assert there["y"].tolist() == numbers[name].tolist()
        upside_down = panel[panel["unique_id"] == f"minus {name}"]
        assert len(upside_down) == ETTH1_TRAIN
        assert upside_down["y"].tolist() == (-numbers[name].iloc[:ETTH1_TRAIN]).tolist()


@pytest.mark.parametrize("shape", ["table", "panel"])
def test_every_window_of_the_part_is_scored_and_errors_are_of_their_columns(table, shape):
    numbers = etth1.standardised()
    seen = []

    def predict(windows):
        seen.append(windows)
        truth = windows.y.reshape(7, -1, 5).transpose(1, 2, 0) if shape == "panel" else windows.y
        rows = numbers.to_numpy()[etth1.BORDER :]
        wanted = np.lib.stride_tricks.sliding_window_view(rows, 5, axis=0).transpose(0, 2, 1)
        np.testing.assert_allclose(truth, wanted, rtol=1e-5, atol=1e-6)
        error = np.arange(7.0) + np.zeros_like(wanted)  # each column by its number
        flat = error.transpose(2, 0, 1).reshape(-1, 5, 1)
        return windows.y + (flat if shape == "panel" else error)

    roles = {} if shape == "table" else {"targets": "y", "static_covariates": "column"}
    framing = Framing(10, horizon=5, stride=3, **roles)
    shaped = etth1.SHAPES[shape](numbers.iloc[:100])
    fitted = SimpleNamespace(framing=framing.windows(shaped).framing, predict=predict)
    missed = etth1.errors(fitted, shape, numbers, etth1.BORDER)
    assert missed.shape == (ETTH1_TEST - 5 + 1, 5, 7)
    np.testing.assert_allclose(missed, np.broadcast_to(np.arange(7.0), missed.shape), atol=1e-5)
    assert len(seen) == 1


def test_nothing_of_the_test_part_is_seen_in_training(table, monkeypatch):
    known = []

    class Stub:
        def __init__(self, **settings):
            self.model = SimpleNamespace(trainable_weights=[])

        def fit(self, table, validation):
            known.append((table, validation))

    monkeypatch.setattr(etth1.tsf, "Forecaster", Stub)
    numbers = etth1.standardised()
    for shape in etth1.SHAPES:
        etth1.train(shape, {}, 0, numbers)
        given, validation = known[-1]
        times = given.index if shape == "table" else given["ds"]
        assert times.max() == numbers.index[8640 + 2880 - 1]
        assert validation == numbers.index[8640]


def test_the_ablation_ends_with_the_model_of_96_hours():
    steps = etth1.ablation()
    *_, (_, shape, settings) = steps
    assert shape == "mirrored panel"
    assert settings == etth1.settings_of(96)
    assert len({str(step) for step in steps}) == len(steps)  # each changes something
