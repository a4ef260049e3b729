"""The verb ``tallow compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tallow.serve import options
from tallow.serve.options import OUTPUT, argument, option
from tallow.serve.verbs import VerbCommand

EPILOG = """\b
Examples:
  tallow compare candles.csv --control talib --candidate tallow
  tallow compare candles.csv --control stored.csv --candidate tallow \\
      --timezone Asia/Kolkata --series ma_9=sma_9 --start 2025-07-18 --html report.html
  tallow compare "2025/*.parquet" --control http://old:8080/bars --candidate tallow
  tallow compare candles.csv --control talib --candidate my_engine:answer --runs 0
  tallow compare --control old.csv --candidate new.csv --json | jq .verdict.outcome

\b
An engine is
  tallow, talib, polars_talib, or another that an installed package declares
  package.module:name     your callable of a Request, or your Engine
  http://HOST/PATH        POST of the request as JSON; rows, Parquet or Arrow back
  FILE                    values that an engine stored: CSV, Parquet or Arrow

\b
Both sides are given the same candles. The control is asked twice first: what it changes
by itself cannot be held against the candidate. A difference counts as explained where
its cause is found, whichever side it is on. Where the candidate must not look ahead, add
--reject look-ahead.

\b
Exit codes:
  0    go
  1    no-go, or inconclusive: the control does not repeat its own values; rows were
       quarantined and --strict was given; or there is nothing to compare
  2    not compared: a wrong option or input; the message says what to change
  130  cancelled by Ctrl-C; no report is left half-written
"""


ENGINES, VERDICT = "Engines", "Verdict"

CandlesArgument = Annotated[
    list[str] | None,
    argument(
        "INPUT",
        "Candles: CSV, Parquet or Arrow files, or globs in quotes. Not needed where both "
        "sides are stored values.",
    ),
]
ControlOption = Annotated[str, option("--control ENGINE", "What answers today.", ENGINES)]
CandidateOption = Annotated[str, option("--candidate ENGINE", "What is to replace it.", ENGINES)]
SeriesOption = Annotated[
    list[str] | None,
    option(
        "--series THEIRS=OURS",
        "A name of a column in your engine's answers, and ours for it, such as ma_9=sma_9; "
        "may be given again.",
        ENGINES,
    ),
]
AbsoluteOption = Annotated[
    float,
    option("--absolute X", "Two values count as equal if they are no further apart,", VERDICT),
]
RelativeOption = Annotated[
    float, option("--relative X", "or by this share of the larger one,", VERDICT)
]
UlpsOption = Annotated[int, option("--ulps N", "or by so many doubles.", VERDICT)]
RejectOption = Annotated[
    list[str] | None,
    option(
        "--reject CAUSE",
        "A cause that is not accepted, such as look-ahead; may be given again.",
        VERDICT,
    ),
]
AgreeOption = Annotated[float, option("--agree %", "Values equal or explained, at least.", VERDICT)]
AgreeDecisionsOption = Annotated[
    float, option("--agree-decisions %", "Decisions the same or explained, at least.", VERDICT)
]
LessTimeOption = Annotated[float, option("--less-time %", "Less time, at least.", VERDICT)]
LessMemoryOption = Annotated[float, option("--less-memory %", "Less memory, at least.", VERDICT)]
RunsOption = Annotated[
    int, option("--runs N", "Timed runs of each engine; 0 leaves time and memory open.", VERDICT)
]
HtmlOption = Annotated[
    Path | None,
    option(
        "--html FILE", "Write the report as one web page, with charts of the worst rows.", OUTPUT
    ),
]
JsonOption = Annotated[
    bool, option("--json", "Print everything as JSON, and nothing else.", OUTPUT)
]


class CompareCommand(VerbCommand):
    """The verb's command, which knows that a file behind ``--json`` is no input."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line."""
        for word, following in zip(args, [*args[1:], ""], strict=False):
            name, _, file = word.partition("=")
            file = file or following
            if name == "--json" and (file == "-" or file.lower().endswith(".json")):
                raise typer.BadParameter(
                    f"--json {file}; prints, and takes no file; to write one, give --json-file "
                    "FILE; an input comes before --json",
                    ctx=ctx,
                )
        return super().parse_args(ctx, args)


def compare(
    context: typer.Context,
    inputs: CandlesArgument = None,
    *,
    control: ControlOption,
    candidate: CandidateOption,
    series: SeriesOption = None,
    timeframe: options.TimeframeOption = ["5m"],  # noqa: B006 - Typer copies it
    indicators: options.IndicatorsOption = "default",
    calendar: options.CalendarOption = "XNSE",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    convention: options.ConventionOption = "tradingview",
    no_trade: options.NoTradeOption = "drop",
    start: options.StartOption = None,
    end: options.EndOption = None,
    output_zone: options.OutputZoneOption = None,
    instruments: options.InstrumentsOption = None,
    universe: options.FileUniverseOption = None,
    source_timeframe: options.FileTimeframeOption = None,
    timezone: options.TimezoneOption = None,
    instrument_key: options.InstrumentKeyOption = None,
    format: options.DocumentFormatOption = None,  # noqa: A002
    no_volume: options.NoVolumeOption = False,
    time_format: options.TimeFormatOption = None,
    stamped: options.StampedOption = "open",
    pattern: options.PatternOption = None,
    absolute: AbsoluteOption = 1e-9,
    relative: RelativeOption = 1e-9,
    ulps: UlpsOption = 4,
    reject: RejectOption = None,
    agree: AgreeOption = 99.9,
    agree_decisions: AgreeDecisionsOption = 99.9,
    less_time: LessTimeOption = 40.0,
    less_memory: LessMemoryOption = 60.0,
    runs: RunsOption = 5,
    html: HtmlOption = None,
    json: JsonOption = False,
    json_file: options.JsonFileOption = None,
    threads: options.ThreadsOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Compare two engines, and judge if one may replace the other.

    Both are given the same candles. Per series: what is equal, equal after rounding, within
    tolerance, different or missing, and why. Then decisions that flip - crossings, squeezes,
    overbought states - and the verdict by values, decisions, series, time, memory and errors.
    """
