"""The verb ``tallow leak-check``."""

from __future__ import annotations

from typing import Annotated

from tallow.serve import options
from tallow.serve.options import argument, option

EPILOG = """\b
Examples:
  tallow leak-check "ema(9), ema(rsi(14), 9)"
  tallow leak-check default candles.parquet -t 1h
  tallow leak-check "close > ema(20) and rsi(14)@1h < 60" -t 15m
  tallow leak-check my_strategy:columns candles.csv -t 15m
  tallow leak-check my_strategy:columns --json | jq .columns

\b
Everything after a moment is changed, at many moments: later candles do not come, have
other prices or volumes, are corrected, are those of other instruments only, or of
instruments that did not exist. What was known at the moment must stay, to the bit. Bars
that are forming must be what their own candles make of them.

\b
A function of your own is given a frame of bars (Polars: instrument, timestamp, open, high,
low, close, volume, candles, is_final), and returns a frame with instrument, timestamp and
its columns, or just its columns, a row for each bar.

\b
Exit codes:
  0    every column was checked, and none looks ahead
  1    a column looks ahead, or has no value that could be checked
  2    not checked: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C
"""

WhatArgument = Annotated[
    str,
    argument(
        "WHAT",
        'Indicators, such as "ema(9), ema(rsi(14), 9)"; a screen, such as "close > ema(20)", or '
        "the name of a saved one; or your own function, as module:name.",
    ),
]
CandlesArgument = Annotated[
    list[str] | None,
    argument(
        "INPUT",
        "Candles: CSV, Parquet or Arrow files, or globs in quotes. By default: a few instruments "
        "of the market of tallow demo.",
    ),
]
MomentsOption = Annotated[
    int | None,
    option(
        "--moments N",
        "Most moments between two bars. By default: as many as take seconds.",
        options.OUTPUT,
    ),
]


def leak_check(
    what: WhatArgument,
    inputs: CandlesArgument = None,
    timeframe: options.TimeframeOption = ["5m"],  # noqa: B006 - Typer copies it
    calendar: options.CalendarOption = "XNSE",
    instruments: options.InstrumentsOption = None,
    universe: options.FileUniverseOption = None,
    source_timeframe: options.FileTimeframeOption = None,
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
    screens: options.ScreensOption = None,
    moments: MomentsOption = None,
    json: options.JsonOption = False,
) -> None:
    """Find what looks ahead, where first, and how far.

    For any indicator, chain or screen, and for a function of your own on bars. Of everything that
    is computed of candles, a row may use those up to its own alone.
    """
