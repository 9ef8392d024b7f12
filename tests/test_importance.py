"""What an exchange costs: the one column and lag that matter, and a plain loop as oracle."""

import subprocess
import sys

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import tsforecast as tsf
from tsforecast import Framing, build_model
from tsforecast.importance import importance
from tsforecast.training import fit


def lagged_table(rows=400, lag=6):
    """The target is what `driver` was `lag` steps before; `noise` is not in it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(rows, 2)), columns=["driver", "noise"])
    table["y"] = table["driver"].shift(lag, fill_value=0.0)
    return table


@pytest.fixture(scope="module")
def fitted():
    framing = Framing(8, targets="y", past_covariates=["driver", "noise"])
    train, held_out = framing.windows(lagged_table()).split(250)
    model = build_model(framing, units=4, scaling="standard", skip="linear")
    fit(model, train, epochs=3, seed=0)
    return model, held_out


def everything():
    """A model with all kinds of inputs, and its windows."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(60, 5)), columns=["a", "b", "p", "f", "g"])
    table["s"] = 2.0
    framing = Framing(
        5,
        horizon=3,
        targets=["a", "b"],
        past_covariates="p",
        future_covariates=["f", "g"],
        static_covariates="s",
    )
    windows = framing.windows(table)
    keras.utils.set_random_seed(0)
    model = build_model(windows.framing, units=4, decoder="encoder_decoder")
    tsf.adapt(model, windows)
    return model, windows


def test_the_one_column_and_lag_that_matter_come_first(fitted) -> None:
    parts = importance(*fitted, blocks=4)
    assert parts.loc[0, ["column", "block"]].tolist() == ["driver", "all"]
    assert parts.loc[0, "rise"] > 5
    cells = parts[parts["block"] != "all"].set_index(["column", "block"])["rise"]
    assert cells["driver", "5 to 6"] > 5  # the lag of 6 lies here
    assert cells["all columns", "5 to 6"] > 5
    rest = cells.drop([("driver", "5 to 6"), ("all columns", "5 to 6")])
    assert rest.abs().max() < 0.3 * cells["driver", "5 to 6"]


def test_what_the_model_does_not_use_scores_nothing(fitted) -> None:
    parts = importance(*fitted, blocks=1).set_index("column")
    assert abs(parts.loc["noise", "rise"]) < 0.02 * parts.loc["driver", "rise"]
    assert set(parts["block"]) == {"all"}


def test_a_model_without_a_column_scores_exactly_nothing_for_it() -> None:
    """Only `a` is copied: an exchange of anything else changes no forecast, bit for bit."""
    framing = Framing(3, targets="a", past_covariates="p", future_covariates="f")
    rng = np.random.default_rng(0)
    windows = framing.windows(pd.DataFrame(rng.normal(size=(40, 3)), columns=list("apf")))
    inputs = {"X": keras.Input((3, 3), name="X"), "future": keras.Input((1, 1), name="future")}
    model = keras.Model(inputs, inputs["X"][:, -1:, :1] + 0 * inputs["future"])
    parts = importance(model, windows, blocks=3).set_index(["column", "block"])
    assert parts.loc["a", "all"]["rise"].item() == parts.loc["a", "1"]["rise"].item() != 0
    for part in [("a", "2"), ("a", "3"), ("p", "all"), ("f", "ahead"), ("all columns", "2")]:
        assert parts.loc[part][["rise", "spread"]].tolist() == [0, 0]
    naive = np.abs(windows.X[:, -1:, :1] - windows.y).mean()
    assert parts["error"].loc["f", "all"] == pytest.approx(naive, rel=1e-6)
    assert parts.attrs["error"] == pytest.approx(naive, rel=1e-6)


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_every_part_is_that_of_a_plain_loop(metric) -> None:
    model, windows = everything()
    parts = importance(model, windows, blocks=2, repeats=1, metric=metric, seed=3)
    inputs, y = windows.arrays()
    ring = np.random.default_rng(3).permutation(len(windows))
    partners = np.empty(len(windows), dtype=int)
    for i, number in enumerate(ring):
        partners[number] = ring[i - 1]
    steps = {"1 to 3": [2, 3, 4], "4 to 5": [0, 1]}  # five steps: two pieces, the newer is longer
    steps = steps if set(steps) <= set(parts["block"]) else {"1 to 2": [3, 4], "3 to 5": [0, 1, 2]}

    def errors(exchanged):
        mixed = {name: array.copy() for name, array in inputs.items()}
        for name, where, column in exchanged:
            for sample, partner in enumerate(partners):
                if name == "static":
                    mixed[name][sample, column] = inputs[name][partner, column]
                for step in where:
                    mixed[name][sample, step, column] = inputs[name][partner, step, column]
        miss = np.abs(model.predict(mixed, verbose=0) - y)
        return miss.mean((0, 1)) if metric == "mae" else np.sqrt((miss**2).mean((0, 1)))

    names = list(windows.framing.inputs)
    seen = 0
    for (column, block), rows in parts.groupby(["column", "block"], sort=False):
        chosen = names if column == "all columns" else [column]
        exchanged = []
        for name in chosen:
            for piece, where in steps.items():
                if block in ("all", piece) and name in names:
                    exchanged.append(("X", where, names.index(name)))
            if name in "fg" and block in ("all", "ahead"):
                exchanged.append(("future", range(3), "fg".index(name)))
            if name == "s":
                exchanged.append(("static", (), 0))
        assert rows["target"].tolist() == ["a", "b"]
        assert rows["error"].tolist() == pytest.approx(errors(exchanged).tolist(), rel=1e-5)
        base = np.array(list(parts.attrs["error"].values()))
        assert rows["rise"].tolist() == pytest.approx(
            (errors(exchanged) / base - 1).tolist(), abs=1e-5
        )
        seen += 1
    assert seen == 6 + 3 + 5 * 2 + 2  # columns; blocks; cells of X; cells ahead


def test_windows_stay_as_they_are_and_batches_do_not_matter() -> None:
    model, windows = everything()
    before = windows.values.copy()
    whole = importance(model, windows, blocks=2, seed=1)
    small = importance(model, windows, blocks=2, seed=1, batch_size=7)
    np.testing.assert_array_equal(windows.values, before)
    pd.testing.assert_frame_equal(whole, small, rtol=1e-4)


def test_the_seed_decides(fitted) -> None:
    first, again = (importance(*fitted, blocks=2, seed=1) for _ in range(2))
    other = importance(*fitted, blocks=2, seed=2)
    pd.testing.assert_frame_equal(first, again)
    assert (first["error"] != other["error"]).any()


def test_more_repeats_have_a_spread(fitted) -> None:
    assert (importance(*fitted, blocks=1, repeats=1)["spread"] == 0).all()
    assert importance(*fitted, blocks=1, repeats=3)["spread"].iloc[0] > 0


def test_within_a_season_only_windows_of_the_same_phase_trade() -> None:
    """A column that says the phase and nothing else is never changed by such an exchange."""
    table = pd.DataFrame({"y": np.random.default_rng(0).normal(size=80), "phase": 0.0})
    table["phase"] = np.arange(80) % 4
    framing = Framing(4, targets="y", past_covariates="phase")
    for rows in (table, table.drop(index=[30, 31, 55])):  # phases are of time, not of rows
        windows = framing.windows(rows)
        keras.utils.set_random_seed(0)
        model = build_model(windows.framing, units=4)
        tsf.adapt(model, windows)
        free = importance(model, windows).set_index(["column", "block"])["rise"]
        alike = importance(model, windows, within=4).set_index(["column", "block"])["rise"]
        same = importance(model, windows, within=windows.cutoffs % 4)
        assert free["phase", "all"] != 0
        assert (alike["phase"] == 0).all()
        assert alike["y", "all"] != 0
        assert same.set_index(["column", "block"])["rise"].equals(alike)


def test_columns_together_count_as_one() -> None:
    model, windows = everything()
    parts = importance(model, windows, blocks=2, together={"known": ["f", "g"], "x": "p"})
    assert set(parts["column"]) == {"a", "b", "known", "x", "s", "all columns"}
    cells = parts.set_index(["target", "column", "block"])["error"]
    both = importance(model, windows, blocks=2).set_index(["target", "column", "block"])["error"]
    assert cells["a", "known", "ahead"] == both["a", "all columns", "ahead"]
    assert cells["a", "x", "all"] == both["a", "p", "all"]


def test_of_quantiles_the_median_counts() -> None:
    rng = np.random.default_rng(0)
    windows = Framing(3, targets="y", past_covariates="p").windows(
        pd.DataFrame(rng.normal(size=(40, 2)), columns=list("yp"))
    )
    model = build_model(windows.framing, units=4, quantiles=(0.1, 0.5, 0.9))
    tsf.adapt(model, windows)
    parts = importance(model, windows)
    median = tsf.predict(model, windows)[..., 1]
    assert parts.attrs["error"] == pytest.approx(np.abs(median - windows.y).mean(), rel=1e-5)


def test_a_forecaster_is_its_model(fitted) -> None:
    class Forecaster:
        model = fitted[0]

    pd.testing.assert_frame_equal(importance(Forecaster(), fitted[1]), importance(*fitted))


def test_a_perfect_model() -> None:
    windows = Framing(2).windows(np.zeros(9))
    model = build_model(windows.framing, units=2)
    tsf.adapt(model, windows)
    parts = importance(model, windows)
    assert (parts["rise"] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": 0}, "blocks must be a whole number, 1 or more"),
        ({"blocks": 2.5}, "blocks must be a whole number"),
        ({"repeats": 0}, "repeats must be a whole number"),
        ({"metric": "mape"}, r"no metric 'mape'.*mae, rmse"),
        ({"within": 0}, "within must be a whole number"),
        ({"within": 10_000}, r"no two of the 150 windows alike.*leave within= out"),
        ({"within": [1, 2]}, r"one label per window: 150.*\(2,\)"),
        ({"together": {"z": ["nose"]}}, r"'nose', which the model does not read.*'noise'"),
        ({"together": {"z": ["noise"], "w": ["noise"]}}, "'noise' in 'z' and in 'w'"),
    ],
    ids=str,
)
def test_bad_arguments(fitted, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        importance(*fitted, **arguments)


def test_bad_models_and_windows(fitted) -> None:
    model, windows = fitted
    with pytest.raises(TypeError, match=r"Expected windows, got DataFrame"):
        importance(model, lagged_table())
    with pytest.raises(ValueError, match="1 windows, so nothing can be exchanged"):
        importance(model, windows[:1])
    with pytest.raises(ValueError, match="windows of 8 steps x 3 columns"):
        importance(model, Framing(3).windows(np.arange(9.0)))
    with pytest.raises(ValueError, match="never fitted"):
        importance(build_model(windows.framing), windows)


def test_the_figure(fitted) -> None:
    parts = importance(*fitted)
    bars, grid = tsf.plot_importance(parts)
    assert bars.get_yticklabels()[0].get_text() == "driver"
    assert grid.get_xticklabels()[-1].get_text() == "1 to 2"  # newest right
    assert len(tsf.plot_importance(importance(*fitted, blocks=1))) == 1
    several = importance(*everything())
    _, grid = tsf.plot_importance(several, target="b")
    assert grid.get_xticklabels()[-1].get_text() == "ahead"
    plt.close("all")


def test_the_function_has_the_name_of_its_module() -> None:
    code = (
        "import tsforecast.importance, tsforecast as tsf\n"
        "from tsforecast.importance import METRICS\n"
        "print(callable(tsf.importance), callable(tsf.importance), METRICS)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True True ('mae', 'rmse')"
