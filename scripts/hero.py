"""Draw the figure of the landing page: a day of electricity demand beyond the last row.

    python scripts/hero.py

Trains one model (about a minute), then writes `book/_static/hero.png` and `book/_static/hero.md`,
the figure's text with its numbers, which `book/index.md` includes.
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

import tsforecast as tsf
from tsforecast.plotting import GREY, INK, ORANGE, ORANGE_WORDS

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"
DAY = 48
WEEK = 7 * DAY
# The settings below were chosen by the scores of December 2014. So the scores that are printed are
# from the three months before it, which nothing was chosen by, and training ends before that.
TEST_FROM, TEST_TO = "2014-09-01", "2014-12-01"
TEXT = """\
```{{figure}} _static/hero.png
---
name: hero
alt: >-
  Line plot of the electricity demand of Victoria, Australia, in megawatts. A dark line shows the
  last four days of 2014, half-hour by half-hour, between about {low:,.0f} and {high:,.0f} megawatts.
  At the dotted line the data ends, and an orange line with dots continues it through
  1 January 2015: {peak:,.0f} megawatts soon after midnight, {bottom:,.0f} before dawn, and two
  lower peaks at noon and in the evening.
---
The last four days of a real table, and what an LSTM forecasts beyond its last row: the 48
half-hours of {day}. The model knows that this is a public holiday.
From September to November 2014, which nothing was trained or chosen by, its mean absolute error was
{lstm:.0f} megawatts; that of "the same as a week before" was {seasonal:.0f}, and of "the same as now" {naive:.0f}.
```
"""


def tomorrow(framing: tsf.Framing, table: pd.DataFrame) -> pd.DataFrame:
    """What is known about the target times: whether they are a public holiday (New Year is)."""
    times = framing.target_times(table)
    return pd.DataFrame({"holiday": (times.day_of_year == 1).astype(float)}, index=times)


def draw(table: pd.DataFrame, forecast: pd.DataFrame) -> Any:
    tsf.use_style()
    figure, ax = plt.subplots(figsize=(9, 3.6))
    known = table["demand"].iloc[-4 * DAY :].tz_localize(None)
    ahead = pd.DatetimeIndex(forecast["ds"]).tz_localize(None)
    ax.plot(known.index, known, color=INK)
    ax.plot([known.index[-1], *ahead], [known.iloc[-1], *forecast["demand"]], color=ORANGE)
    ax.plot(ahead, forecast["demand"], ".", color=ORANGE, markersize=4)
    ax.axvline(known.index[-1], color=GREY, linewidth=0.8, linestyle=":")
    ax.annotate("the data ends ", (known.index[-1], ax.get_ylim()[1]), color=INK, ha="right")
    ax.annotate(
        " forecast", (ahead[-1], forecast["demand"].iloc[-1]), color=ORANGE_WORDS, va="center"
    )
    ax.set_ylabel("demand (megawatts)")
    ax.xaxis.set_major_locator(matplotlib.dates.DayLocator())
    ax.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%-d %b\n%Y"))
    ax.xaxis.set_minor_locator(matplotlib.dates.HourLocator([6, 12, 18]))
    return figure


def main() -> None:
    table = tsf.datasets.vic_elec()
    framing = tsf.Framing(
        WEEK, horizon=DAY, targets="demand", future_covariates="holiday", stride=6
    )
    train, test, _ = framing.windows(table).split(TEST_FROM, TEST_TO)
    model = tsf.build_model(
        framing,
        encoder="cnn",
        subsequences=7,
        filters=16,
        decoder="encoder_decoder",
        units=64,
        skip="season",
        season=WEEK,
    )
    tsf.fit(model, train, epochs=10, batch_size=64, seed=0, verbose=2)

    forecasts = tsf.forecast_table(model, test, season=WEEK)
    mae = tsf.score(forecasts, test, season=WEEK)["mae"]
    forecast = tsf.forecast(model, framing, table, tomorrow(framing, table))
    figure = draw(table, forecast)
    figure.savefig(STATIC / "hero.png", dpi=160, metadata={"Software": None})
    text = TEXT.format(
        low=table["demand"].iloc[-4 * DAY :].min(),
        high=table["demand"].iloc[-4 * DAY :].max(),
        bottom=forecast["demand"].min(),
        peak=forecast["demand"].max(),
        day=f"{forecast['ds'].iloc[0]:%A, %-d %B %Y}",
        lstm=mae["LSTM"],
        seasonal=mae["seasonal naive"],
        naive=mae["naive"],
    )
    (STATIC / "hero.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
