"""The page on speed and the records behind it: what is compared is comparable, and read aloud right."""

import json
import pickle
import re
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup

import tsforecast as tsf
from benchmarks import forecast_speed, gpu_speed, growth, record, windows_speed

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("windows_speed", "training_speed", "forecast_speed", "growth", "gpu_speed")


@pytest.fixture(scope="module")
def records():
    paths = {name: record.RESULTS / f"{name}.json" for name in NAMES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


@pytest.fixture(scope="module")
def page():
    return nbformat.read(ROOT / "notebooks" / "speed.ipynb", as_version=4)


def rows_of(page):
    """Every row of every table, as a tuple of words, and everything that is printed."""
    rows, printed = [], ""
    for cell in page.cells:
        for output in cell.get("outputs", []):
            printed += output.get("text", "")
            soup = BeautifulSoup(output.get("data", {}).get("text/html", ""), "html.parser")
            for row in soup.find_all("tr"):
                rows.append(tuple(cell.get_text().strip() for cell in row.find_all(["th", "td"])))
    return rows, printed


# --- the page -------------------------------------------------------------------------------------


def test_the_page_names_every_record(page, records):
    rows, printed = rows_of(page)
    assert set(NAMES) - set(records) <= {"gpu_speed"}
    for name, found in records.items():
        run = found["run"]
        start = (name, run["date"], run["commit"][:10], run["code"][:10])
        assert any(row[:4] == start for row in rows), start
        text = "\n".join(cell.source for cell in page.cells)
        assert f"benchmarks/{name}.py" in text
    assert ("not yet measured" in printed) == ("gpu_speed" not in records)


def test_the_page_says_what_the_records_say(page, records):
    rows, printed = rows_of(page)
    windows, speed = records["windows_speed"], records["forecast_speed"]
    for name, rates in windows["turns"]["windows_per_s"].items():
        middle = f"{np.median(rates):,.0f}"
        assert any(row[:2] == (name, middle) for row in rows), (name, middle)
    ours = windows["turns"]["windows_per_s"]["ours"]
    for name, what in (("keras", "times Keras"), ("memcpy", "part of memcpy")):
        other = windows["turns"]["windows_per_s"][name]
        ratio = np.median(np.divide(ours, other))
        row = next(row for row in rows if row[0] == f"windows per second, {what}")
        assert float(row[2].replace(",", "")) == pytest.approx(ratio, abs=0.006)
        goal = float(row[1].split()[1])
        assert row[3] == ("yes" if ratio >= goal else "no")
    for way, found in speed["single"].items():
        assert any(row[:2] == (way, f"{found['computing_ms']:.1f}") for row in rows), way
    ratio = np.median(np.divide(speed["many"]["loop_s"], speed["many"]["one_call_s"]))
    assert f"ratio: {ratio:.0f}," in printed
    training = records["training_speed"]["one_thread"] + records["training_speed"]["two_threads"]
    turns = [part["ratios"]["Keras, plain fit"][0] for part in training]
    shown = [row[-2:] for row in rows if "times Keras's plain fit" in row]
    assert shown == [(f"{ratio:.2f}", "yes" if ratio >= 3 else "no") for ratio in turns]
    for size in records["growth"]["series"]:
        shown = (str(size["series"]), f"{size['framing_us']:,.3f}", f"{size['drawing_us']:,.3f}")
        assert any(row[:3] == shown for row in rows), shown
    for size in records["growth"]["rows"]:
        line = rf"^{size['rows']} .*{size['framing_us']:,.3f} .*{size['drawing_us']:,.3f} "
        assert re.search(line, printed, re.M), line


# --- what is compared -----------------------------------------------------------------------------


def test_all_ways_hand_out_the_same_windows(monkeypatch):
    """Otherwise a rate says nothing: the same windows, each once, only in another order."""
    monkeypatch.setattr(windows_speed, "LOOKBACK", 5)
    monkeypatch.setattr(windows_speed, "HORIZON", 3)
    monkeypatch.setattr(windows_speed, "FRAMING", tsf.Framing(5, horizon=3))
    values = windows_speed.table(300)
    found = {}
    for name, way in windows_speed.ITERATORS.items():
        batches = [(np.asarray(X), np.asarray(y)) for X, y in way(values, 0)]
        X = np.concatenate([X for X, _ in batches])
        y = np.concatenate([y for _, y in batches])
        if y.shape[1] != 3:  # Keras's targets have the steps last
            y = y.swapaxes(1, 2)
        order = np.argsort(X[:, 0, 0])
        assert (order != np.arange(len(order))).any()  # shuffled
        found[name] = X[order], y[order]
    for X, y in found.values():
        np.testing.assert_array_equal(X, found["ours"][0])
        np.testing.assert_array_equal(y, found["ours"][1])


def test_a_turn_counts_all_of_the_loop_and_the_start_of_the_others(monkeypatch):
    clock = iter([0.0, 2.0, 3.0])
    monkeypatch.setattr(windows_speed, "now", lambda: next(clock))
    values = windows_speed.table(1000)
    assert windows_speed.turn("ours", values, 0, 2) == (2.0, 512.0)
    clock = iter([0.0, 2.0, 4.0])
    assert windows_speed.turn("loop", values, 0, 1000) == (2.0, 1000 / 4)


def test_the_loop_of_predict_gives_the_forecasts_of_the_one_call(monkeypatch):
    monkeypatch.setattr(forecast_speed, "LOOKBACK", 5)
    monkeypatch.setattr(forecast_speed, "HORIZON", 3)
    monkeypatch.setattr(forecast_speed, "ROWS", 12)
    found = forecast_speed.many(6, 2, 1)  # compares them
    assert found["ratio"][0] == pytest.approx(found["loop_s"][0] / found["one_call_s"][0])


def test_growth_at_a_small_size(monkeypatch):
    found = growth.of_rows(2000, 2, 1)
    assert found["windows"] == 2000 - 168 - 24 + 1
    assert 0 < found["framing_mb"] < found["drawing_mb"]


def test_the_gpu_command_runs_on_the_cpu(monkeypatch):
    small = {"LOOKBACK": 6, "HORIZON": 2, "FRAMING": tsf.Framing(6, horizon=2), "REPEATS": 1}
    for name, value in small.items():
        monkeypatch.setattr(gpu_speed, name, value)
    found = gpu_speed.measure("cpu:0", (4,), 1, 64)
    assert found["limit_flops"] > 0
    assert [row["activation"] for row in found["rows"]] == ["tanh", "relu"]
    for row in found["rows"]:
        used = row["windows_per_s"]["training"] * 3 * gpu_speed.FORWARD
        assert row["share_of_limit"] == pytest.approx(used / found["limit_flops"])


def test_without_a_gpu_nothing_is_written(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gpu_speed.py"])
    monkeypatch.setattr(gpu_speed, "has_gpu", lambda: False)
    monkeypatch.setattr(gpu_speed, "write", lambda *_: pytest.fail("wrote a record"))
    assert gpu_speed.main() == 0
    assert "sees no GPU" in capsys.readouterr().out


def test_flops_are_those_of_the_four_gates():
    """A multiplication and an addition for each weight of the layer, and the bias."""
    layer = keras.layers.LSTM(gpu_speed.UNITS)
    layer.build((None, gpu_speed.LOOKBACK, gpu_speed.COLUMNS))
    assert 2 * layer.count_params() * gpu_speed.LOOKBACK == gpu_speed.FORWARD


# --- the package ----------------------------------------------------------------------------------


def test_one_batch_goes_straight_into_the_model(monkeypatch):
    windows = tsf.Framing(3, horizon=2).windows(np.arange(40.0))
    model = tsf.build_model(windows.framing, units=4)
    tsf.adapt(model, windows)
    expected = model.predict(windows.arrays()[0], verbose=0)
    in_batches = tsf.predict(model, windows, batch_size=7)
    np.testing.assert_allclose(in_batches, expected, rtol=1e-5)
    monkeypatch.setattr(model, "predict", lambda *_, **__: pytest.fail("took the long way"))
    np.testing.assert_allclose(tsf.predict(model, windows), expected, rtol=1e-5)
    one = tsf.forecast(model, windows.framing, np.arange(40.0))
    last = model.predict_on_batch(windows.framing.last_window(np.arange(40.0)))
    np.testing.assert_allclose(one[0], last[0, :, 0], rtol=1e-6)


def test_windows_that_were_looked_at_are_pickled_as_rows():
    windows = tsf.Framing(100).windows(np.arange(1000.0))
    before = len(pickle.dumps(windows))
    _ = windows.X, windows.y, windows.batch(slice(0, 4))  # views, of ninety times the bytes
    assert len(pickle.dumps(windows)) == before
    again = pickle.loads(pickle.dumps(windows))
    np.testing.assert_array_equal(again.X, windows.X)
