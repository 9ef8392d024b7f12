"""Are our scores those of the published tables? Naive forecasts, scored as the models are.

``python benchmarks/published_checks.py`` scores the seasonal naive forecast on M4 hourly and the
daily one on ETTh1, compares them with published numbers, and writes
``benchmarks/results/published_checks.json``; with it go the published rows that the book's
benchmark page shows beside ours. ``--quick`` computes and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.record import measure, write
from benchmarks.scores import (
    ETTH1_TEST,
    ETTH1_TRAIN,
    ETTH1_VALIDATION,
    etth1_scores,
    etth1_targets,
    m4_scores,
)
from tsforecast import datasets

HORIZONS = (96, 192, 336, 720)

# The competition's "Evaluation and Ranks" (github.com/Mcompetitions/M4-methods), hourly series.
M4_SOURCE = "M4 competition, Evaluation and Ranks"
M4_PUBLISHED = (  # place among all entries and benchmarks, model, kind, sMAPE, MASE, OWA
    (1, "Doornik, Hendry and Castle", "combination", 8.913, 0.801, 0.4096),
    (2, "Smyl", "LSTM hybrid", 9.328, 0.893, 0.4401),
    (3, "Pawlikowski, Chorowska and Yanchuk", "combination", 9.611, 0.873, 0.4437),
    (4, "Jaganathan and Prakash", "combination", 9.934, 0.976, 0.474),
    (5, "Kharaghani", "combination", 11.336, 0.81, 0.4774),
    (18, "seasonal naive (organisers)", "statistical", 13.912, 1.193, 0.6275),
    (19, "Trotta", "machine learning", 14.006, 1.213, 0.6342),
    (35, "MLP (organisers)", "machine learning", 13.842, 2.607, 0.9207),
    (39, "Naive2 (organisers)", "statistical", 18.383, 2.395, 1.0),
    (42, "RNN (organisers)", "machine learning", 14.698, 3.048, 1.0361),
)

ETTH1_PUBLISHED = (  # source, model, and (MSE, MAE) by horizon; None where it was not published
    (
        "SegRNN repository, Table 2",
        "SegRNN",
        (0.351, 0.392),
        (0.392, 0.414),
        (0.423, 0.433),
        (0.466, 0.472),
    ),
    (
        "SegRNN repository, Table 2",
        "PatchTST",
        (0.375, 0.404),
        (0.418, 0.43),
        (0.462, 0.46),
        (0.495, 0.497),
    ),
    (
        "SegRNN repository, Table 2",
        "iTransformer",
        (0.396, 0.426),
        (0.43, 0.45),
        (0.48, 0.486),
        (0.7, 0.608),
    ),
    (
        "SegRNN repository, Table 2",
        "DeepAR",
        (1.097, 0.803),
        (1.08, 0.793),
        (1.076, 0.8),
        (1.079, 0.815),
    ),
    (
        "SegRNN repository, Table 2",
        "GRU",
        (1.135, 0.844),
        (1.123, 0.814),
        (1.08, 0.807),
        (1.089, 0.822),
    ),
    (
        "SegRNN repository, Table 2",
        "Informer",
        (1.571, 0.964),
        (1.786, 1.045),
        (1.668, 1.003),
        (1.368, 0.9),
    ),
    (
        "LTSF-Linear repository",
        "NLinear",
        (0.374, 0.394),
        (0.408, 0.415),
        (0.429, 0.427),
        (0.44, 0.453),
    ),
    (
        "LTSF-Linear repository",
        "DLinear",
        (0.375, 0.399),
        (0.405, 0.416),
        (0.439, 0.443),
        (0.472, 0.49),
    ),
    (
        "neuralforecast repository",
        "TiDE",
        (0.375, 0.398),
        (0.412, 0.422),
        (0.435, 0.433),
        (0.454, 0.465),
    ),
    (
        "neuralforecast repository",
        "NHITS",
        (0.378, 0.393),
        (0.427, 0.436),
        (0.458, 0.484),
        (0.561, 0.501),
    ),
    ("Informer paper", "LSTM with attention", None, None, (1.424, 0.994), (1.96, 1.322)),
)


def m4_published() -> list[dict[str, Any]]:
    """The published M4 rows, one dict each."""
    names = ("place", "model", "kind", "smape", "mase", "owa")
    return [{"source": M4_SOURCE} | dict(zip(names, row, strict=True)) for row in M4_PUBLISHED]


def etth1_published() -> list[dict[str, Any]]:
    """The published ETTh1 rows, one dict per model and horizon."""
    return [
        {"source": source, "model": model, "horizon": horizon, "mse": pair[0], "mae": pair[1]}
        for source, model, *pairs in ETTH1_PUBLISHED
        for horizon, pair in zip(HORIZONS, pairs, strict=True)
        if pair is not None
    ]


def m4_check() -> dict[str, float]:
    """Yesterday again, twice, on every hourly series of M4."""
    train, test = datasets.m4_hourly(), datasets.m4_hourly("test")
    last_day = train.groupby("unique_id", sort=False).tail(24)
    days = [last_day.assign(ds=last_day["ds"] + shift) for shift in (24, 48)]
    return m4_scores(pd.concat(days), test, train)


def etth1_check(horizon: int) -> dict[str, float]:
    """The last day again and again, from every cutoff of the test part."""
    rows = datasets.etth1().to_numpy()
    first = ETTH1_TRAIN + ETTH1_VALIDATION + np.arange(ETTH1_TEST - horizon + 1)
    steps = np.arange(horizon) % 24 - 24
    return etth1_scores(etth1_targets(horizon), rows[first[:, None] + steps])


CHECKS = (  # what is computed, and what was published
    ("M4 hourly", "seasonal naive", 48, {"smape": 13.912, "mase": 1.193, "owa": 0.6275}),
    ("ETTh1", "daily seasonal naive", 96, {"mse": 0.512, "mae": 0.433}),
)


def same(computed: float, published: float) -> bool:
    """Do they agree to the last digit that was published?"""
    digits = len(str(published).split(".")[1])
    return abs(computed - published) <= 0.51 * 10**-digits


def checks() -> list[dict[str, Any]]:
    """Each check: what was computed, what was published, and whether they agree."""
    rows = []
    for data, model, horizon, published in CHECKS:
        found = m4_check() if data == "M4 hourly" else etth1_check(horizon)
        agree = all(same(found[name], value) for name, value in published.items())
        rows.append(
            {"data": data, "model": model, "horizon": horizon}
            | {"computed": found, "published": published, "agree": agree}
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="compute, and write nothing")
    quick = parser.parse_args().quick
    with measure() as cost:
        rows = checks()
        naive = [{"horizon": h, **etth1_check(h)} for h in HORIZONS]
    for row in rows:
        print(row)
    if not all(row["agree"] for row in rows):
        print("The scores are not those of the published tables: nothing was written.")
        return 1
    if not quick:
        results = {
            "checks": rows,
            "etth1_daily_seasonal_naive": naive,
            "m4_hourly": m4_published(),
            "etth1": etth1_published(),
            "wall_s": cost.wall_s,
            "peak_mb": cost.peak_mb,
        }
        print(write("published_checks", __file__, results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
