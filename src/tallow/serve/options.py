"""The options of the verbs: each is one type, so that a verb's signature reads as its summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

INPUT, BARS, OUTPUT = "Reading", "Bars", "Result"
"""Headings under which help pages list options."""


def option(*names: str, metavar: str, text: str, panel: str = "Options") -> Any:
    """Return an option that takes a value."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel)


def _flag(name: str, text: str) -> Any:
    return typer.Option(name, help=text, rich_help_panel=OUTPUT)


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="CSV, Parquet or Arrow files, or globs in quotes.",
        show_default=False,
    ),
]
SourceTimeframe = Annotated[
    str,
    option("--source-timeframe", metavar="TF", text="How long each candle lasts.", panel=INPUT),
]
Timezone = Annotated[
    str | None,
    option(
        "--timezone",
        metavar="ZONE",
        text="Zone of times that carry none, such as Asia/Kolkata.",
        panel=INPUT,
    ),
]
InstrumentKey = Annotated[
    str | None,
    option(
        "--instrument-key",
        metavar="KEY",
        text="Instrument of inputs that have no instrument column.",
        panel=INPUT,
    ),
]
TimeFormat = Annotated[
    str | None,
    option(
        "--time-format",
        metavar="FORMAT",
        text='How times are written, such as "%d-%m-%Y %H:%M".',
        panel=INPUT,
    ),
]
StampPlace = Annotated[
    str,
    option(
        "--stamped",
        metavar="open|close",
        text="Whether candles carry the time of their open or of their close.",
        panel=INPUT,
    ),
]
StampCalendar = Annotated[
    str,
    option(
        "--calendar",
        "-c",
        metavar="NAME",
        text="By whose sessions a hint says that stamps look like those of the close.",
        panel=INPUT,
    ),
]
NoVolume = Annotated[
    bool,
    typer.Option(
        "--no-volume",
        help="Inputs have no volume, as those of indices: every candle's is 0.",
        rich_help_panel=INPUT,
    ),
]
Timeframe = Annotated[
    str,
    option(
        "--timeframe",
        "-t",
        metavar="TF",
        text="Bars to build: 1m 3m 5m 15m 30m 1h 2h 4h 1d 1w 1mo, or any whole minutes.",
        panel=BARS,
    ),
]
Indicators = Annotated[
    str,
    option(
        "--indicators",
        "-i",
        metavar="SPECS",
        text='Such as "ema(9), rsi(14), bollinger(20, 2)[upper, lower]"; "default" is twelve '
        'columns, "" none. See tallow indicators.',
        panel=BARS,
    ),
]
CalendarName = Annotated[
    str,
    option(
        "--calendar",
        "-c",
        metavar="NAME",
        text="When the venue trades: XNSE, XNSE:derivatives, XNYS, 24/7, ...",
        panel=BARS,
    ),
]
CalendarDates = Annotated[
    Path | None,
    option(
        "--calendar-dates",
        metavar="FILE",
        text="TOML file with sessions and holidays of your own.",
        panel=BARS,
    ),
]
BeyondCoverage = Annotated[
    str,
    option(
        "--beyond-coverage",
        metavar="assume|raise|weekdays",
        text="Dates without calendar facts: assume sessions for 400 days, fail, or trade on every "
        "weekday.",
        panel=BARS,
    ),
]
ConventionName = Annotated[
    str,
    option(
        "--convention",
        metavar="tradingview|talib",
        text="Whose seeds and flat cases the indicators follow.",
        panel=BARS,
    ),
]
NoTradePolicy = Annotated[
    str,
    option(
        "--no-trade",
        metavar="drop|keep",
        text="Whether a zero-volume candle that only fills a minute counts.",
        panel=BARS,
    ),
]
AsOf = Annotated[
    str | None,
    option(
        "--as-of",
        metavar="TIME",
        text="A bar is final if it ends by then. By default: by the end of its instrument's "
        "last candle.",
        panel=BARS,
    ),
]
Output = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        metavar="FILE",
        text="Required. Ends in .parquet, .arrow or .csv; appears whole or not at all.",
        panel=OUTPUT,
    ),
]
Start = Annotated[
    str | None,
    option(
        "--start",
        metavar="TIME",
        text="First bar: a date, or a time with its offset. Indicators see all earlier candles.",
        panel=OUTPUT,
    ),
]
End = Annotated[
    str | None,
    option(
        "--end",
        metavar="TIME",
        text="End of the range: a date is included, a time is not.",
        panel=OUTPUT,
    ),
]
Instruments = Annotated[
    list[str] | None,
    option(
        "--instrument",
        metavar="KEY",
        text="Only this instrument; may be given again for more.",
        panel=OUTPUT,
    ),
]
Threads = Annotated[
    int | None,
    option(
        "--threads", metavar="N", text="Worker threads. By default: one a processor.", panel=OUTPUT
    ),
]
Strict = Annotated[bool, _flag("--strict", "Exit with 1 if any row is quarantined.")]
Quiet = Annotated[bool, _flag("--quiet", "Show nothing but errors.")]
RunJson = Annotated[bool, _flag("--json", "Print the report as one JSON object.")]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
DemoInstruments = Annotated[
    int, option("--instruments", metavar="N", text="How many instruments to simulate.")
]
DemoSessions = Annotated[
    int, option("--sessions", metavar="N", text="How many trading sessions of each.")
]
DemoFolder = Annotated[
    Path, option("--output", "-o", metavar="DIR", text="Folder for the files; made if missing.")
]
DemoTimeframes = Annotated[
    list[str],
    option("--timeframe", "-t", metavar="TF", text="Bars to build; may be given again for more."),
]
IndicatorName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Show all about this one.", show_default=False),
]

StorePlace = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="STORE",
        envvar="TALLOW_STORE",
        help="Where candles are kept: a folder, s3://bucket/path or postgresql://host/database.",
    ),
]
Documents = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Files, or globs in quotes.", show_default=False),
]
DocumentFormat = Annotated[
    str | None,
    option(
        "--format",
        metavar="NAME",
        text="The files' format; found by looking into them. tallow doctor lists the readers.",
        panel=INPUT,
    ),
]
DocumentInstrument = Annotated[
    str | None,
    option(
        "--instrument",
        metavar="KEY",
        text="Instrument of files that do not name it.",
        panel=INPUT,
    ),
]
DocumentTimeframe = Annotated[
    str | None,
    option(
        "--timeframe",
        "-t",
        metavar="TF",
        text="How long each candle lasts, where the files do not say so.",
        panel=INPUT,
    ),
]
DocumentAdjustment = Annotated[
    str | None,
    option(
        "--adjustment",
        metavar="NAME",
        text="How prices are adjusted, where the files do not say so: raw, split, total, or a "
        "name of your own.",
        panel=INPUT,
    ),
]
NamePattern = Annotated[
    str | None,
    option(
        "--pattern",
        metavar="REGEX",
        text="What file names say, by groups called instrument, timeframe, timezone, adjustment.",
        panel=INPUT,
    ),
]
QueryInstruments = Annotated[
    list[str] | None,
    typer.Argument(metavar="INSTRUMENT", help="Instruments; all by default.", show_default=False),
]
QueryTimeframes = Annotated[
    list[str],
    option(
        "--timeframe",
        "-t",
        metavar="TF",
        text="Bars to build, as in tallow run; may be given again for more.",
        panel=BARS,
    ),
]
Adjustment = Annotated[
    str,
    option("--adjustment", metavar="NAME", text="Of which prices: raw, split, ...", panel=INPUT),
]
KnownAsOf = Annotated[
    str | None,
    option(
        "--as-of",
        metavar="TIME",
        text="Answer by what the store knew at this time.",
        panel=BARS,
    ),
]
QueryOutput = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        metavar="FILE",
        text="Write a .parquet, .arrow, .csv or .json file; of several timeframes, with a column "
        "timeframe.",
        panel=OUTPUT,
    ),
]
QueryJson = Annotated[bool, _flag("--json", "Print the bars as JSON: an object per row.")]
