"""The verb ``tallow screen``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.options import BARS, INPUT, OUTPUT, argument, option

EPILOG = """\b
Examples:
  tallow screen "close > ema(20) and rsi(14)@1h < 30" --store candles -t 15m
  tallow screen "volume > 2 * volume_sma(20)" candles.parquet --sort "rsi(14)"
  tallow screen "rsi(14) < 30" --store candles --at 2025-07-17 --column "atr(14)"
  tallow screen "close < ema(50)" --store candles --start -5d -o hits.csv
  tallow screen "close > ema(10..50 step 10)" --store candles
  tallow screen my_screen --store candles --screens screens.toml
  tallow screen "close > ema(9)" --live live.state -t 5m
  tallow screen --list

\b
Judged is the newest closed bar of each instrument, or with --start and --end
every bar. With --known-at by what the store knew then, where --at alone means
what it knew at that moment. The language: docs/screens.md.

\b
A range of numbers, 10..50 step 10, makes a sweep: a row for each value, with
counts. Several ranges make all combinations.

\b
Exit codes:
  0    answered; also where nothing matches
  1    no bar could be judged, and a sentence says why; or rows were
       quarantined and --strict was given
  2    not answered: a wrong text, option or input; the message says what to
       change
  130  cancelled by Ctrl-C; no file is left half-written
"""

ConditionArgument = Annotated[
    str | None, argument("CONDITION", "What must hold, or the name of a saved screen.")
]
FilesArgument = Annotated[
    list[str] | None,
    argument(
        "INPUT", "Candles: CSV, Parquet or Arrow files, or globs in quotes; without, a store's."
    ),
]
StoreOption = Annotated[
    str | None,
    option(
        "--store STORE",
        "Where candles are kept: a folder, s3://bucket/path or postgresql://host/database.",
        INPUT,
        envvar="TALLOW_STORE",
    ),
]
LiveOption = Annotated[
    Path | None,
    option("--live STATE", "Ask a live engine, by the file in which it saved its state.", INPUT),
]
ScreenTimeframeOption = Annotated[
    list[str] | None,
    option("--timeframe -t TF", "Bars to judge; 15m where no saved screen says another.", BARS),
]
AtOption = Annotated[
    str | None,
    option(
        "--at TIME",
        "Judge the bars that had closed by then: a date, today, -5d, or a time. By default: now.",
        BARS,
    ),
]
FirstOption = Annotated[
    str | None,
    option(
        "--start TIME", "Judge all bars of a range: from this date or time on. A row a match.", BARS
    ),
]
LastOption = Annotated[
    str | None, option("--end TIME", "End of the range: a date is included, a time is not.", BARS)
]
ColumnOption = Annotated[
    list[str] | None,
    option(
        "--column TEXT",
        'A number to show beside each match: "rsi(14)", or with a name "strength=rsi(14)"; may be '
        "given again for more.",
        OUTPUT,
    ),
]
SortOption = Annotated[
    str | None, option("--sort TEXT", "A number to sort matches by, the highest first.", OUTPUT)
]
AscendingOption = Annotated[bool, option("--ascending", "Sort the lowest first.", OUTPUT)]
ListOption = Annotated[bool, option("--list", "List the saved screens.", OUTPUT)]
MatchesOutputOption = Annotated[
    Path | None,
    option(
        "--output -o FILE",
        "Write the matches, or the rows of a sweep, to a .parquet, .arrow, .csv or .json file.",
        OUTPUT,
    ),
]


def screen(
    condition: ConditionArgument = None,
    inputs: FilesArgument = None,
    store: StoreOption = None,
    live: LiveOption = None,
    timeframe: ScreenTimeframeOption = None,
    at: AtOption = None,
    known_at: options.KnownAtOption = None,
    start: FirstOption = None,
    end: LastOption = None,
    instruments: options.InstrumentsOption = None,
    universe: options.UniverseOption = None,
    columns: ColumnOption = None,
    sort: SortOption = None,
    ascending: AscendingOption = False,
    screens: options.ScreensOption = None,
    list_: ListOption = False,
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
    output: MatchesOutputOption = None,
    output_zone: options.OutputZoneOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    json: options.JsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Ask a condition of every instrument: who matches, now or then.

    Of the candles of a store, or of files. Matches are ranked by --sort; what cannot be known is
    counted as unknown, and named.
    """
