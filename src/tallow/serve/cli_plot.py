"""The verb ``tallow plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.cli_screen import StoreOption
from tallow.serve.options import BARS, OUTPUT, argument, option

EPILOG = """\b
Examples:
  tallow plot "NSE_EQ|INE301A01014" --store candles -t 15m -o chart.html
  tallow plot RAYMOND --store candles -i "ema(9), vwap, rsi(14)" -o chart.png
  tallow plot RAYMOND candles.csv -t 5m --start 2025-07-18 -o chart.svg
  tallow plot RAYMOND --store candles -t 1d -i "ichimoku, zigzag(5)" -o chart.html
  tallow plot RAYMOND --store candles --screen "rsi(14) < 30" -o chart.html

\b
Exit codes:
  0    the chart is written
  1    there is no bar, and a sentence says why; or the chart is written, and rows
       were quarantined and --strict was given
  2    nothing is written: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C; nothing is written
"""

InstrumentArgument = Annotated[str, argument("INSTRUMENT", "Whose candles: a key, or a symbol.")]
FilesArgument = Annotated[
    list[str] | None,
    argument(
        "INPUT", "Candles: CSV, Parquet or Arrow files, or globs in quotes; without, a store's."
    ),
]
PlotTimeframeOption = Annotated[
    list[str],
    option("--timeframe -t TF", "Bars to draw: 1m 5m 15m 1h 1d 1w, or any whole minutes.", BARS),
]
ScreenOption = Annotated[
    list[str] | None,
    option(
        "--screen CONDITION",
        "Mark the bars that match a condition, or a saved screen; may be given again for more.",
        BARS,
    ),
]
ChartOutputOption = Annotated[
    Path | None,
    option(
        "--output -o FILE",
        "Required. Ends in .html, one page that opens offline, or in .png or .svg.",
        OUTPUT,
    ),
]


def plot(
    instrument: InstrumentArgument,
    inputs: FilesArgument = None,
    store: StoreOption = None,
    timeframe: PlotTimeframeOption = ["15m"],  # noqa: B006 - Typer copies it
    indicators: options.IndicatorsOption = "default",
    screen: ScreenOption = None,
    screens: options.ScreensOption = None,
    calendar: options.CalendarOption = "XNSE",
    start: options.StartOption = None,
    end: options.EndOption = None,
    known_at: options.KnownAtOption = None,
    final_at: options.StoreFinalAtOption = None,
    source_timeframe: options.FileTimeframeOption = None,
    adjustment: options.AdjustmentOption = "raw",
    timezone: options.TimezoneOption = None,
    instrument_key: options.InstrumentKeyOption = None,
    format: options.DocumentFormatOption = None,  # noqa: A002
    time_format: options.TimeFormatOption = None,
    stamped: options.StampedOption = "open",
    no_volume: options.NoVolumeOption = False,
    pattern: options.PatternOption = None,
    convention: options.ConventionOption = "tradingview",
    no_trade: options.NoTradeOption = "drop",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    output: ChartOutputOption = None,
    output_zone: options.OutputZoneOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Draw an instrument's bars and indicators: a page or a picture.

    Of the candles of a store, or of files. Prices lie over the candles, other scales in panes
    below; candle patterns and matches of screens are marked; nights take no room, and times are
    the venue's. Pictures need the extra [plot].
    """
