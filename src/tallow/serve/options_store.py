"""The options of ``tallow store``; those that other verbs have, too, are in `options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve.options import INPUT, argument, option

SeriesTimeframeOption = Annotated[
    str, option("--timeframe -t TF", "How long each candle lasts.", INPUT)
]
CoverageStartOption = Annotated[
    str | None,
    option(
        "--start TIME",
        "A date, or a time with its offset. By default: each instrument's first candle; with "
        "--missing: its last one.",
    ),
]
CoverageEndOption = Annotated[
    str | None, option("--end TIME", "A date is included. By default: now.")
]
MissingOption = Annotated[
    bool, option("--missing", "List the segments to fetch, instead of the sessions.")
]
LongestOption = Annotated[
    str | None, option("--longest DAYS", "Cut segments that span more, such as 60d.")
]
AskedOption = Annotated[
    Path | None,
    option(
        "--asked FILE", "Segments that were fetched before: what they did not bring is not there."
    ),
]
FrameOutputOption = Annotated[
    Path | None,
    option("--output -o FILE", "Write all rows to a .csv, .json, .parquet or .arrow file."),
]
ExportOption = Annotated[
    Path | None, option("--export FILE", "Write them to a .csv file, to repair their cells.")
]
ActionsArgument = Annotated[
    str | None, argument("FILE", "Actions to record; without it, they are listed.")
]
BackupTargetArgument = Annotated[str, argument("TARGET", "Where to copy to.")]
BackupSourceArgument = Annotated[str, argument("BACKUP", "The backup.")]
BeforeOption = Annotated[
    str | None,
    option(
        "--before DATE|AGE",
        "Candles that open before this go, with all their revisions: 2020-01-01 (its "
        "midnight in UTC), a time, or an age such as 1825d.",
    ),
]
SupersededBeforeOption = Annotated[
    str | None,
    option(
        "--superseded-before DATE|AGE",
        "Revisions that were superseded by then go; --as-of of tallow query does not reach "
        "behind it then.",
    ),
]
YesOption = Annotated[bool, option("--yes", "Do not ask.")]
