"""The verb ``tallow explain``."""

from __future__ import annotations

from typing import Annotated

from tallow.serve import options
from tallow.serve.cli_screen import FilesArgument, StoreOption
from tallow.serve.options import BARS, OUTPUT, argument, option

EPILOG = """\b
Examples:
  tallow explain "NSE_EQ|INE301A01014" ema_9 --at 2025-07-18T10:15 --store candles
  tallow explain RAYMOND "ema(rsi(14), 9)" --at 2025-07-18T10:15 -t 15m --store candles
  tallow explain RAYMOND close candles.parquet --at 2025-07-18 -t 1d
  tallow explain RAYMOND vwap --at 2025-07-18T10:15 --store candles --json | jq .candles

\b
Shown are the bar with its candles, their revisions and what they came with;
the indicator's formula, parameters and warm-up; the session, and what states
it; whether the value was in the cache, which is that of this command alone;
and the value computed a second time by the textbook version, in plain Python.

\b
Exit codes:
  0    explained; also a value that is null
  1    there is no bar, and a sentence says why; or rows were quarantined and
       --strict was given
  2    not answered: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C
"""

WhoseArgument = Annotated[str, argument("INSTRUMENT", "Whose bar: a key, or a symbol of a store.")]
ColumnArgument = Annotated[
    str,
    argument(
        "COLUMN",
        "open, high, low, close, volume; an output's column, ema_9; or a spec with one output.",
    ),
]
BarTimeOption = Annotated[
    str,
    option(
        "--at TIME",
        "When the bar opens: a time of the calendar's zone, or with its offset; of days and "
        "longer, also a date.",
        BARS,
        show_default=False,
    ),
]
BarTimeframeOption = Annotated[
    str, option("--timeframe -t TF", "Of which bars: 5m 15m 1h 1d 1w, ...", BARS)
]
ExplanationJsonOption = Annotated[
    bool, option("--json", "Print the explanation as one JSON object.", OUTPUT)
]


def explain(
    instrument: WhoseArgument,
    column: ColumnArgument,
    at: BarTimeOption,
    inputs: FilesArgument = None,
    store: StoreOption = None,
    timeframe: BarTimeframeOption = "5m",
    indicators: options.IndicatorsOption = "default",
    known_at: options.KnownAtOption = None,
    calendar: options.CalendarOption = "XNSE",
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
    output_zone: options.OutputZoneOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    json: ExplanationJsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Say where one value of a bar comes from, and compute it again.

    Its candles and how they came, the formula, the session, and why it is null where it is.
    """
