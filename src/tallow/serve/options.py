"""The options of the verbs: each is one type, so that a verb's signature reads as its summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

INPUT, BARS, OUTPUT = "Reading", "Bars", "Result"
"""Headings under which help pages list options."""

PLAN = Path("rollout.toml")
"""The plan of a rollout where none is named."""


def option(*names: str, metavar: str, text: str, panel: str = "Options") -> Any:
    """Return an option that takes a value."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel)


def _flag(name: str, text: str) -> Any:
    return typer.Option(name, help=text, rich_help_panel=OUTPUT)


InputsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="CSV, Parquet or Arrow files, or globs in quotes.",
        show_default=False,
    ),
]
SourceTimeframeOption = Annotated[
    str,
    option("--source-timeframe", metavar="TF", text="How long each candle lasts.", panel=INPUT),
]
FileTimeframeOption = Annotated[
    str | None,
    option(
        "--source-timeframe",
        metavar="TF",
        text="How long each candle lasts; 1m where it is not given.",
        panel=INPUT,
    ),
]
TimezoneOption = Annotated[
    str | None,
    option(
        "--timezone",
        metavar="ZONE",
        text="Zone of times that carry none, such as Asia/Kolkata.",
        panel=INPUT,
    ),
]
InstrumentKeyOption = Annotated[
    str | None,
    option(
        "--instrument-key",
        metavar="KEY",
        text="Instrument of inputs that have no instrument column.",
        panel=INPUT,
    ),
]
TimeFormatOption = Annotated[
    str | None,
    option(
        "--time-format",
        metavar="FORMAT",
        text='How times are written, such as "%d-%m-%Y %H:%M".',
        panel=INPUT,
    ),
]
StampedOption = Annotated[
    str,
    option(
        "--stamped",
        metavar="open|close",
        text="Whether candles carry the time of their open or of their close.",
        panel=INPUT,
    ),
]
StampCalendarOption = Annotated[
    str,
    option(
        "--calendar",
        "-c",
        metavar="NAME",
        text="By whose sessions a hint says that stamps look like those of the close.",
        panel=INPUT,
    ),
]
NoVolumeOption = Annotated[
    bool,
    typer.Option(
        "--no-volume",
        help="Inputs have no volume, as those of indices: every candle's is 0.",
        rich_help_panel=INPUT,
    ),
]
TimeframeOption = Annotated[
    str,
    option(
        "--timeframe",
        "-t",
        metavar="TF",
        text="Bars to build: 1m 3m 5m 15m 30m 1h 2h 4h 1d 1w 1mo, or any whole minutes.",
        panel=BARS,
    ),
]
IndicatorsOption = Annotated[
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
CalendarOption = Annotated[
    str,
    option(
        "--calendar",
        "-c",
        metavar="NAME",
        text="When the venue trades: XNSE, XNSE:derivatives, XNYS, 24/7, ...",
        panel=BARS,
    ),
]
CalendarDatesOption = Annotated[
    Path | None,
    option(
        "--calendar-dates",
        metavar="FILE",
        text="TOML file with sessions and holidays of your own.",
        panel=BARS,
    ),
]
BeyondCoverageOption = Annotated[
    str,
    option(
        "--beyond-coverage",
        metavar="assume|raise|weekdays",
        text="Dates without calendar facts: assume sessions for 400 days, fail, or trade on every "
        "weekday.",
        panel=BARS,
    ),
]
ConventionOption = Annotated[
    str,
    option(
        "--convention",
        metavar="tradingview|talib",
        text="Whose seeds and flat cases the indicators follow.",
        panel=BARS,
    ),
]
NoTradeOption = Annotated[
    str,
    option(
        "--no-trade",
        metavar="drop|keep",
        text="Whether a zero-volume candle that only fills a minute counts.",
        panel=BARS,
    ),
]
AsOfOption = Annotated[
    str | None,
    option(
        "--as-of",
        metavar="TIME",
        text="A bar is final if it ends by then. By default: by the end of its instrument's "
        "last candle.",
        panel=BARS,
    ),
]
OutputOption = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        metavar="FILE",
        text="Required. Ends in .parquet, .arrow or .csv; appears whole or not at all.",
        panel=OUTPUT,
    ),
]
StartOption = Annotated[
    str | None,
    option(
        "--start",
        metavar="TIME",
        text="First bar: a date, or a time with its offset. Indicators see all earlier candles.",
        panel=OUTPUT,
    ),
]
EndOption = Annotated[
    str | None,
    option(
        "--end",
        metavar="TIME",
        text="End of the range: a date is included, a time is not.",
        panel=OUTPUT,
    ),
]
InstrumentsOption = Annotated[
    list[str] | None,
    option(
        "--instrument",
        metavar="KEY",
        text="Only this instrument; may be given again for more.",
        panel=OUTPUT,
    ),
]
ThreadsOption = Annotated[
    int | None,
    option(
        "--threads", metavar="N", text="Worker threads. By default: one a processor.", panel=OUTPUT
    ),
]
StrictOption = Annotated[bool, _flag("--strict", "Exit with 1 if any row is quarantined.")]
QuietOption = Annotated[bool, _flag("--quiet", "Show nothing but errors.")]
ReportJsonOption = Annotated[bool, _flag("--json", "Print the report as one JSON object.")]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
DemoInstrumentsOption = Annotated[
    int, option("--instruments", metavar="N", text="How many instruments to simulate.")
]
DemoSessionsOption = Annotated[
    int, option("--sessions", metavar="N", text="How many trading sessions of each.")
]
DemoFolderOption = Annotated[
    Path, option("--output", "-o", metavar="DIR", text="Folder for the files; made if missing.")
]
IndicatorArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Show all about this one.", show_default=False),
]

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="STORE",
        envvar="TALLOW_STORE",
        help="Where candles are kept: a folder, s3://bucket/path or postgresql://host/database.",
    ),
]
DocumentsArgument = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Files, or globs in quotes.", show_default=False),
]
DocumentFormatOption = Annotated[
    str | None,
    option(
        "--format",
        metavar="NAME",
        text="The files' format; found by looking into them. tallow doctor lists the readers.",
        panel=INPUT,
    ),
]
DocumentInstrumentOption = Annotated[
    str | None,
    option(
        "--instrument",
        metavar="KEY",
        text="Instrument of files that do not name it.",
        panel=INPUT,
    ),
]
DocumentTimeframeOption = Annotated[
    str | None,
    option(
        "--timeframe",
        "-t",
        metavar="TF",
        text="How long each candle lasts, where the files do not say so.",
        panel=INPUT,
    ),
]
DocumentAdjustmentOption = Annotated[
    str | None,
    option(
        "--adjustment",
        metavar="NAME",
        text="How prices are adjusted, where the files do not say so: raw, split, total, or a "
        "name of your own.",
        panel=INPUT,
    ),
]
PatternOption = Annotated[
    str | None,
    option(
        "--pattern",
        metavar="REGEX",
        text="What file names say, by groups called instrument, timeframe, timezone, adjustment.",
        panel=INPUT,
    ),
]
InstrumentsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="INSTRUMENT", help="Instruments; all by default.", show_default=False),
]
TimeframesOption = Annotated[
    list[str],
    option(
        "--timeframe",
        "-t",
        metavar="TF",
        text="Bars to build, as in tallow run; may be given again for more.",
        panel=BARS,
    ),
]
AdjustmentOption = Annotated[
    str,
    option("--adjustment", metavar="NAME", text="Of which prices: raw, split, ...", panel=INPUT),
]
StoreAsOfOption = Annotated[
    str | None,
    option(
        "--as-of",
        metavar="TIME",
        text="Answer by what the store knew at this time.",
        panel=BARS,
    ),
]
QueryOutputOption = Annotated[
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
BarsJsonOption = Annotated[bool, _flag("--json", "Print the bars as JSON: an object per row.")]
