"""The options of ``tallow store``; those that other verbs have, too, are in `options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallow.serve.options import INPUT, option

SeriesTimeframeOption = Annotated[
    str, option("--timeframe", "-t", metavar="TF", text="How long each candle lasts.", panel=INPUT)
]
CoverageStartOption = Annotated[
    str | None,
    option(
        "--start",
        metavar="TIME",
        text="A date, or a time with its offset. By default: each instrument's first candle; with "
        "--missing: its last one.",
    ),
]
CoverageEndOption = Annotated[
    str | None,
    option("--end", metavar="TIME", text="A date is included. By default: now.", panel="Options"),
]
MissingOption = Annotated[
    bool,
    typer.Option("--missing", help="List the segments to fetch, instead of the sessions."),
]
LongestOption = Annotated[
    str | None,
    option("--longest", metavar="DAYS", text="Cut segments that span more, such as 60d."),
]
AskedOption = Annotated[
    Path | None,
    option(
        "--asked",
        metavar="FILE",
        text="Segments that were fetched before: what they did not bring is not there.",
    ),
]
FrameOutputOption = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        metavar="FILE",
        text="Write all rows to a .csv, .json, .parquet or .arrow file.",
    ),
]
ExportOption = Annotated[
    Path | None,
    option("--export", metavar="FILE", text="Write them to a .csv file, to repair their cells."),
]
ActionsArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help="Actions to record; without it, they are listed.", show_default=False
    ),
]
BackupTargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="Where to copy to.", show_default=False)
]
BackupSourceArgument = Annotated[
    str, typer.Argument(metavar="BACKUP", help="The backup.", show_default=False)
]
BeforeOption = Annotated[
    str | None,
    option(
        "--before",
        metavar="DATE|AGE",
        text="Candles that open before this go, with all their revisions: 2020-01-01 (its midnight "
        "in UTC), a time, or an age such as 1825d.",
    ),
]
SupersededBeforeOption = Annotated[
    str | None,
    option(
        "--superseded-before",
        metavar="DATE|AGE",
        text="Revisions that were superseded by then go; --as-of of tallow query does not reach "
        "behind it then.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
