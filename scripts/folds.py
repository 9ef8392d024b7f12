"""Record the backtest of the chapter on baselines, for its moving figure.

    python scripts/folds.py         run the chapter up to its backtest (a minute), then draw
    python scripts/folds.py draw    draw the picture for those without JavaScript again

Writes what the figure shows to `book/_static/moving_backtest_data.js`: every cutoff of the `Backtest`, the three days
before it, the forecasts of the day after it, and what came. `tests/test_folds.py` compares the file
with the package and with what the chapter prints. A script rather than JSON: it also loads where the
book is opened from a folder.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "baselines.ipynb"
FILE = ROOT / "book" / "_static" / "moving_backtest_data.js"
START = "window.tsfMovingBacktest = "
KNOWN = 3 * 48  # half-hours before the cutoff that the figure shows
SHOWN = {"model": "LSTM", "simple": "seasonal naive 336"}


def names_after(variable: str) -> dict[str, Any]:
    """What the cells of the chapter have computed when this variable is there."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if variable in names:
            break
        if cell["cell_type"] == "code" and "install" not in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)
    return names


def record(validation: Any, table: pd.DataFrame) -> dict[str, Any]:
    """Whole megawatts, a fold per cutoff, and the mean of each day for the line above them."""
    folds = []
    for cutoff, rows in validation.table.groupby("cutoff"):
        known = table["demand"][:cutoff].iloc[-KNOWN:]
        fold = {"cutoff": f"{cutoff:%Y-%m-%dT%H:%M}", "known": known, "came": rows["y"]}
        fold |= {key: rows[name] for key, name in SHOWN.items()}
        fold |= {
            f"{key}Error": round((rows[name] - rows["y"]).abs().mean())
            for key, name in SHOWN.items()
        }
        folds.append(fold)
    days = table["demand"]["2013-07":"2013-12"].resample("D").mean()
    return {"firstDay": f"{days.index[0]:%Y-%m-%d}", "days": days, "folds": folds}


def plain(values: pd.Series) -> list[int]:
    """A column as it is written: whole numbers."""
    return [round(value) for value in values]


def draw(folds: list[dict[str, Any]]) -> None:
    """The errors at all cutoffs, as the figure shows them at its end."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    import tsforecast as tsf
    from tsforecast.plotting import INK, ORANGE

    tsf.use_style()
    ax = plt.subplots(figsize=(8, 2.8))[1]
    times = pd.to_datetime([fold["cutoff"] for fold in folds])
    for key, style, color in (("model", "o-", ORANGE), ("simple", "s--", INK)):
        errors = [fold[f"{key}Error"] for fold in folds]
        ax.plot(times, errors, style, color=color, markersize=4, label=SHOWN[key])
    ax.set(xlabel="cutoff", ylabel="MAE of the next day (MW)")
    tsf.label_lines(ax)
    ax.figure.savefig(FILE.with_name("moving_backtest.png"))


def main() -> None:
    if sys.argv[1:] == ["draw"]:
        text = FILE.read_text(encoding="utf-8").removeprefix(START).removesuffix(";\n")
        return draw(json.loads(text)["folds"])
    os.environ["MPLBACKEND"] = "Agg"
    names = names_after("validation")
    data = record(names["validation"], names["table"])
    text = json.dumps(data, default=plain)
    FILE.write_text(f"{START}{text};\n", encoding="utf-8")
    draw(data["folds"])
    print(f"{FILE.name}: {len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
