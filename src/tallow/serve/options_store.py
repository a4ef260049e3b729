"""The options of ``tallow store``; those that other verbs have, too, are in `options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallow.serve.options import INPUT, option

SeriesTimeframe = Annotated[
    str, option("--timeframe", "-t", metavar="TF", text="How long each candle lasts.", panel=INPUT)
]
CoverageStart = Annotated[
    str | None,
    option(
        "--start",
        metavar="TIME",
        text="A date, or a time with its offset. By default: each instrument's first candle; with "
        "--missing: its last one.",
    ),
]
CoverageEnd = Annotated[
    str | None,
    option("--end", metavar="TIME", text="A date is included. By default: now.", panel="Options"),
]
Missing = Annotated[
    bool,
    typer.Option("--missing", help="List the segments to fetch, instead of the sessions."),
]
Longest = Annotated[
    str | None,
    option("--longest", metavar="DAYS", text="Cut segments that span more, such as 60d."),
]
Asked = Annotated[
    Path | None,
    option(
        "--asked",
        metavar="FILE",
        text="Segments that were fetched before: what they did not bring is not there.",
    ),
]
FrameOutput = Annotated[
    Path | None,
    option(
        "--output",
        "-o",
        metavar="FILE",
        text="Write all rows to a .csv, .json, .parquet or .arrow file.",
    ),
]
Export = Annotated[
    Path | None,
    option("--export", metavar="FILE", text="Write them to a .csv file whose cells can be mended."),
]
ActionsFile = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help="Actions to record; without it, they are listed.", show_default=False
    ),
]
BackupTarget = Annotated[
    str, typer.Argument(metavar="TARGET", help="Where to copy to.", show_default=False)
]
BackupSource = Annotated[
    str, typer.Argument(metavar="BACKUP", help="The backup.", show_default=False)
]
Before = Annotated[
    str | None,
    option(
        "--before",
        metavar="DATE|AGE",
        text="Candles that open before this go, with all their revisions: 2020-01-01 (its midnight "
        "in UTC), a time, or an age such as 1825d.",
    ),
]
SupersededBefore = Annotated[
    str | None,
    option(
        "--superseded-before",
        metavar="DATE|AGE",
        text="Revisions that were superseded by then go; --as-of does not reach behind it then.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
