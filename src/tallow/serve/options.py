"""The options of the verbs: each is one type, so that a verb's signature reads as its summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

INPUT, BARS, OUTPUT = "Reading", "Bars", "Result"
"""Headings under which help pages list options."""

PLAN = Path("rollout.toml")
"""The plan of a rollout where none is named."""


def option(usage: str, text: str, panel: str = "Options", **more: Any) -> Any:
    """Return an option as its usage writes it: ``--output -o FILE``; a flag is a name alone."""
    *names, last = usage.split()
    metavar = None if last.startswith("-") else last
    declared = names if metavar else [*names, last]
    return typer.Option(*declared, metavar=metavar, help=text, rich_help_panel=panel, **more)


def argument(metavar: str, text: str) -> Any:
    """Return an argument, whose help says what stands where it is left out."""
    return typer.Argument(metavar=metavar, help=text, show_default=False)


InputsArgument = Annotated[
    list[str], argument("INPUT", "CSV, Parquet or Arrow files, or globs in quotes.")
]
SourceTimeframeOption = Annotated[
    str, option("--source-timeframe TF", "How long each candle lasts.", INPUT)
]
FileTimeframeOption = Annotated[
    str | None,
    option(
        "--source-timeframe TF",
        "How long each candle lasts; where it is not given, what a document says of itself, or 1m.",
        INPUT,
    ),
]
DocumentTimeframeOption = Annotated[
    str | None,
    option(
        "--source-timeframe TF", "How long each candle lasts, where the files do not say so.", INPUT
    ),
]
TimezoneOption = Annotated[
    str | None,
    option("--timezone ZONE", "Zone of times that carry none, such as Asia/Kolkata.", INPUT),
]
InstrumentKeyOption = Annotated[
    str | None,
    option("--instrument-key KEY", "Instrument of inputs that have no instrument column.", INPUT),
]
TimeFormatOption = Annotated[
    str | None,
    option("--time-format FORMAT", 'How times are written, such as "%d-%m-%Y %H:%M".', INPUT),
]
StampedOption = Annotated[
    str,
    option(
        "--stamped open|close",
        "Whether candles carry the time of their open or of their close.",
        INPUT,
    ),
]
StampCalendarOption = Annotated[
    str,
    option(
        "--calendar -c NAME",
        "By whose sessions a hint says that stamps look like those of the close.",
        INPUT,
    ),
]
NoVolumeOption = Annotated[
    bool,
    option(
        "--no-volume", "Inputs have no volume, as those of indices: every candle's is 0.", INPUT
    ),
]
_TO_BUILD = "Bars to build: 1m 3m 5m 15m 30m 1h 2h 4h 1d 1w 1mo, or any whole minutes"
TimeframeOption = Annotated[list[str], option("--timeframe -t TF", f"{_TO_BUILD}.", BARS)]
TimeframesOption = Annotated[
    list[str],
    option("--timeframe -t TF", f"{_TO_BUILD}; may be given again for more.", BARS),
]
IndicatorsOption = Annotated[
    str,
    option(
        "--indicators -i SPECS",
        'Such as "ema(9), ema(rsi(14), 9), bollinger(20, 2)[upper, lower]"; "default" is twelve '
        'columns, "" none. See tallow indicators.',
        BARS,
    ),
]
CalendarOption = Annotated[
    str,
    option(
        "--calendar -c NAME", "When the venue trades: XNSE, XNSE:derivatives, XNYS, 24/7, ...", BARS
    ),
]
CalendarDatesOption = Annotated[
    Path | None,
    option("--calendar-dates FILE", "TOML file with sessions and holidays of your own.", BARS),
]
BeyondCoverageOption = Annotated[
    str,
    option(
        "--beyond-coverage assume|raise|weekdays",
        "Dates without calendar facts: assume sessions for 400 days, fail, or trade on every "
        "weekday.",
        BARS,
    ),
]
ConventionOption = Annotated[
    str,
    option(
        "--convention tradingview|talib", "Whose seeds and flat cases the indicators follow.", BARS
    ),
]
NoTradeOption = Annotated[
    str,
    option(
        "--no-trade drop|keep",
        "Whether a zero-volume candle that only fills a minute counts.",
        BARS,
    ),
]
FinalAtOption = Annotated[
    str | None,
    option(
        "--final-at TIME",
        "A bar is final if it ends by then. By default: by the end of its instrument's last "
        "candle.",
        BARS,
    ),
]
OutputOption = Annotated[
    Path | None,
    option(
        "--output -o FILE",
        "Required. Ends in .parquet, .arrow or .csv; appears whole or not at all. Of several "
        "timeframes each has its own: bars_{timeframe}.parquet.",
        OUTPUT,
    ),
]
StartOption = Annotated[
    str | None,
    option(
        "--start TIME",
        "First bar: a date, today, yesterday, -5d, or a time of the calendar's zone or with its "
        "offset. Indicators see all earlier candles.",
        OUTPUT,
    ),
]
EndOption = Annotated[
    str | None, option("--end TIME", "End of the range: a date is included, a time is not.", OUTPUT)
]
InstrumentsOption = Annotated[
    list[str] | None,
    option("--instrument KEY", "Only this instrument; may be given again for more.", OUTPUT),
]
UniverseOption = Annotated[
    str | None,
    option(
        "--universe NAME",
        "Only members on the date of a bar's session: a universe of the store, a group of it "
        "(sectors/Banks), or a .csv or .toml file.",
        OUTPUT,
    ),
]
FileUniverseOption = Annotated[
    str | None,
    option(
        "--universe NAME",
        "Only members on the date of a bar's session: a .csv or .toml file, or a group of it "
        "(sectors.csv/Banks).",
        OUTPUT,
    ),
]
OutputZoneOption = Annotated[
    str | None,
    option(
        "--output-zone ZONE",
        "By whose clocks times are shown and written. By default: the calendar's on screens, UTC "
        "in files and JSON.",
        OUTPUT,
    ),
]
ThreadsOption = Annotated[
    int | None, option("--threads N", "How many work at once. By default: one a processor.", OUTPUT)
]
JsonFileOption = Annotated[
    Path | None, option("--json-file FILE", "Write what --json prints to a .json file.", OUTPUT)
]
ScreensOption = Annotated[
    Path | None,
    option(
        "--screens FILE",
        "TOML file of saved screens; screens.toml where it is in the folder.",
        INPUT,
    ),
]
StrictOption = Annotated[bool, option("--strict", "Exit with 1 if any row is quarantined.", OUTPUT)]
QuietOption = Annotated[bool, option("--quiet", "Show nothing but errors.", OUTPUT)]
ReportJsonOption = Annotated[
    bool,
    option(
        "--json",
        "Print the report as one JSON object; of several timeframes, a list of them.",
        OUTPUT,
    ),
]

JsonOption = Annotated[bool, option("--json", "Print JSON, for scripts.")]
DemoInstrumentsOption = Annotated[
    int, option("--instruments N", "How many instruments to simulate.")
]
DemoSessionsOption = Annotated[int, option("--sessions N", "How many trading sessions of each.")]
DemoFolderOption = Annotated[
    Path, option("--output -o DIR", "Folder for the files; made if missing.")
]
IndicatorArgument = Annotated[str | None, argument("NAME", "Show all about this one.")]
OwnNameArgument = Annotated[
    str | None, argument("OWN", "After new: the name of an indicator of your own.")
]

StoreOption = Annotated[
    str,
    option(
        "--store STORE",
        "Where candles are kept: a folder, s3://bucket/path or postgresql://host/database.",
        envvar="TALLOW_STORE",
    ),
]
DocumentsArgument = Annotated[list[str], argument("INPUT", "Files, or globs in quotes.")]
DocumentFormatOption = Annotated[
    str | None,
    option(
        "--format NAME",
        "The files' format; found by looking into them. tallow doctor lists the readers.",
        INPUT,
    ),
]
DocumentAdjustmentOption = Annotated[
    str | None,
    option(
        "--adjustment NAME",
        "How prices are adjusted, where the files do not say so: raw, split, total, or a "
        "name of your own.",
        INPUT,
    ),
]
PatternOption = Annotated[
    str | None,
    option(
        "--pattern REGEX",
        "What file names say, by groups called instrument, timeframe, timezone, adjustment.",
        INPUT,
    ),
]
InstrumentsArgument = Annotated[
    list[str] | None, argument("INSTRUMENT", "Instruments; all by default.")
]
AdjustmentOption = Annotated[
    str, option("--adjustment NAME", "Of which prices: raw, split, ...", INPUT)
]
KnownAtOption = Annotated[
    str | None, option("--known-at TIME", "Answer by what the store knew at this time.", INPUT)
]
StoreFinalAtOption = Annotated[
    str | None,
    option("--final-at TIME", "A bar is final if it ends by then. By default: --known-at.", BARS),
]
QueryOutputOption = Annotated[
    Path | None,
    option(
        "--output -o FILE",
        "Write a .parquet, .arrow, .csv or .json file; of several timeframes, with a column "
        "timeframe.",
        OUTPUT,
    ),
]
BarsJsonOption = Annotated[
    bool, option("--json", "Print the bars as JSON: an object per row.", OUTPUT)
]

FORMER = "former_"
"""What a parameter's name begins with that takes an option by the name that it had: the rest is its
name today. Help pages do not show it."""

FormerTimeframeOption = Annotated[str | None, option("--timeframe -t TF", "", hidden=True)]
FormerAsOfOption = Annotated[str | None, option("--as-of TIME", "", hidden=True)]
UnfilteredOption = Annotated[list[str] | None, option("--instrument KEY", "", hidden=True)]
"""What filters elsewhere, where nothing is filtered, and what it meant before."""
