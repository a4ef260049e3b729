"""The verb ``tallow sequences``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.cli_screen import AtOption, FilesArgument, StoreOption
from tallow.serve.options import BARS, OUTPUT, argument, option

EPILOG = """\b
Examples:
  tallow sequences --store candles
  tallow sequences "NSE_EQ|INE301A01014" --store candles -t 1h --horizon 3
  tallow sequences RAYMOND candles.parquet
  tallow sequences candles.parquet --moves "move(20, threshold=0.6)"
  tallow sequences --store candles --universe nifty50 --at 2025-07-17
  tallow sequences --store candles -o found.parquet --table sequences

\b
A sequence is bars in a row whose moves are all strong, or all weak, and all up,
or all down. What came of it is how far the close was --horizon bars after the
bar by which it was known to be over. The first part of the history, up to
--split, chooses the dominant pattern; every success is one of the rest, with
its interval of 95 % and the base rate: how often any bar was followed so.

\b
Exit codes:
  0    answered
  1    there is no bar, and a sentence says why; or rows were quarantined and
       --strict was given
  2    not answered: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C; no file is left half-written
"""

InstrumentArgument = Annotated[
    str | None,
    argument("INSTRUMENT", "Of whom: a key, or a symbol of a store; without, all together."),
]
SequenceTimeframeOption = Annotated[
    str, option("--timeframe -t TF", "Whose closed bars: 15m 1h 1d 1w, ...", BARS)
]
FromOption = Annotated[
    str | None,
    option("--start TIME", "Bars from this date or time on; all by default.", BARS),
]
MovesOption = Annotated[
    str,
    option("--moves SPEC", 'Which moves are strong: "move(20, threshold=0.55)".', BARS),
]
HorizonOption = Annotated[
    int, option("--horizon N", "Bars after which it is looked what came of a sequence.", BARS)
]
SplitOption = Annotated[
    float, option("--split SHARE", "Share of the history that chooses; the rest measures.", BARS)
]
TableOption = Annotated[
    str,
    option(
        "--table patterns|pooled|scores|sequences",
        "What --output writes: patterns of each instrument, or of all together; scores of each; or "
        "every sequence.",
        OUTPUT,
    ),
]
TableOutputOption = Annotated[
    Path | None,
    option("--output -o FILE", "Write a .parquet, .arrow, .csv or .json file.", OUTPUT),
]
SequencesJsonOption = Annotated[
    bool,
    option(
        "--json",
        "Print JSON: scores, and patterns of all together; of named instruments, their patterns "
        "and sequences, too.",
        OUTPUT,
    ),
]


def sequences(
    instrument: InstrumentArgument = None,
    inputs: FilesArgument = None,
    store: StoreOption = None,
    timeframe: SequenceTimeframeOption = "1d",
    at: AtOption = None,
    known_at: options.KnownAtOption = None,
    start: FromOption = None,
    moves: MovesOption = "move",
    horizon: HorizonOption = 5,
    split: SplitOption = 0.5,
    instruments: options.InstrumentsOption = None,
    universe: options.UniverseOption = None,
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
    table: TableOption = "patterns",
    output: TableOutputOption = None,
    output_zone: options.OutputZoneOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    json: SequencesJsonOption = False,
    json_file: options.JsonFileOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Find sequences of moves, and measure what came after them.

    Of the candles of a store, or of files: frequencies, strengths and returns of equal sequences,
    how often prices went on, and scores of each instrument. Nothing sees what came later.
    """
