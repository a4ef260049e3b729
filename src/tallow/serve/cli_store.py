"""The verbs of ``tallow store``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.options import argument, option
from tallow.serve.verbs import add_verb, make_app

CoverageStartOption = Annotated[
    str | None,
    option(
        "--start TIME",
        "A date, today, yesterday, -5d, or a time. By default: each instrument's first candle; "
        "with --missing: its last one.",
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
UniverseOption = Annotated[
    str | None,
    option(
        "--universe NAME",
        "Only members, on the dates on which they are: a universe of the store, a group of it "
        "(sectors/Banks), or a .csv or .toml file.",
        options.OUTPUT,
    ),
]
FrameOutputOption = Annotated[
    Path | None,
    option("--output -o FILE", "Write all rows to a .csv, .json, .parquet or .arrow file."),
]
StoreZoneOption = Annotated[
    str | None, option("--output-zone ZONE", "By whose clocks times are shown. By default: UTC.")
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
        "Revisions that were superseded by then go; --known-at of tallow query does not reach "
        "behind it then.",
    ),
]
YesOption = Annotated[bool, option("--yes", "Do not ask.")]


HELP = """Look after a store: coverage, quarantine, backups."""

EPILOG = """\b
Examples:
  tallow store stats --store candles
  tallow store list --store candles
  tallow store coverage --store candles -c XNSE --start 2025-07-01
  tallow store quarantine --store candles --export repair.csv
  tallow store backup /backups/2025-07-18 --store candles

\b
Where the store lies may also be said by the environment variable TALLOW_STORE; keys
of a bucket by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.
"""

COVERAGE_EPILOG = """\b
Examples:
  tallow store coverage --store candles
  tallow store coverage --store candles --instrument "NSE_EQ|INE301A01014"
  tallow store coverage --store candles --missing --json
  tallow store coverage --store candles --missing --start 2025-01-01 --longest 60d \\
      --asked fetched.csv --output fetch.csv

\b
Kinds of dates:
  regular, special  a session, of usual hours or not
  provisional       a session that no fact states, or not its hours; it is assumed
  unknown           a session whose hours the calendar does not know
  holiday, weekend  no session
"""

QUARANTINE_EPILOG = """\b
Examples:
  tallow store quarantine --store candles
  tallow store quarantine --store candles --export repair.csv
  tallow ingest repair.csv --store candles

\b
A row leaves the quarantine when it comes back repaired: in an exported table, whose
column quarantine_id says which it is, or in its own file, ingested again. A candle
that was still forming leaves it when the whole one comes.

\b
Rows of a live feed have no row number; the same one again is counted (times), and a
message that was not understood is there with its text and the reason.
"""

PRUNE_EPILOG = """\b
Examples:
  tallow store prune --store candles --superseded-before 30d
  tallow store prune --store candles --before 2020-01-01 --yes
"""

ACTIONS_EPILOG = """\b
Examples:
  tallow store actions actions.csv --store candles
  tallow query A --store candles --adjustment split

\b
Columns of the file: instrument, ex_date, kind (split, bonus, dividend or join), and
  new, old   of a split or bonus: 5 and 1 for five shares out of one; a bonus of
             1:1 gives 1 new for 1 old
  amount     of a dividend, per share
  factor     instead of these: what earlier prices are multiplied by
  predecessor  of a join: the key that ended; instrument goes on where it did, from
             ex_date on, as after a split in India, a new symbol or a merger
"""

store_app = make_app("store", HELP, EPILOG)
_verb = partial(add_verb, store_app)


@_verb("stats", "store:show_stats")
def stats(store: options.StoreOption, json: options.JsonOption = False) -> None:
    """Count what there is, and show how it is stored."""


@_verb("list", "store:list_series")
def list_(
    store: options.StoreOption,
    output_zone: StoreZoneOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the series: instruments, timeframes and candles."""


@_verb("coverage", "coverage:show_coverage", COVERAGE_EPILOG)
def coverage(
    store: options.StoreOption,
    instruments: options.InstrumentsOption = None,
    universe: UniverseOption = None,
    start: CoverageStartOption = None,
    end: CoverageEndOption = None,
    missing: MissingOption = False,
    longest: LongestOption = None,
    asked: AskedOption = None,
    source_timeframe: options.SourceTimeframeOption = "1m",
    former_source_timeframe: options.FormerTimeframeOption = None,
    adjustment: options.AdjustmentOption = "raw",
    known_at: options.KnownAtOption = None,
    calendar: options.CalendarOption = "XNSE",
    calendar_dates: options.CalendarDatesOption = None,
    beyond_coverage: options.BeyondCoverageOption = "assume",
    output: FrameOutputOption = None,
    output_zone: options.OutputZoneOption = None,
    json: options.JsonOption = False,
) -> None:
    """Count the candles of each session, or list missing ones.

    A candle is expected in every minute of continuous trading, as the calendar has it. Many that
    are missing were never there: nothing was traded in that minute.
    """


@_verb("quarantine", "quarantine:show_quarantined", QUARANTINE_EPILOG)
def quarantine(
    store: options.StoreOption,
    export: ExportOption = None,
    json: options.JsonOption = False,
) -> None:
    """List the quarantined rows, or export them to be repaired."""


@_verb("ingests", "store:show_ingests")
def ingests(
    store: options.StoreOption,
    output_zone: StoreZoneOption = None,
    json: options.JsonOption = False,
) -> None:
    """List what was written, when, and what became of it."""


@_verb("actions", "actions:show_actions", ACTIONS_EPILOG)
def actions(
    file: ActionsArgument = None,
    *,
    store: options.StoreOption,
    json: options.JsonOption = False,
) -> None:
    """Record splits, bonuses, dividends and joins, or list them."""


@_verb("compact", "store:compact_store")
def compact(store: options.StoreOption, json: options.JsonOption = False) -> None:
    """Sort and merge files, for the fastest reads.

    Writers and readers may go on meanwhile. Files that it replaced are deleted after a week.
    """


@_verb("backup", "store:copy_store")
def backup(
    target: BackupTargetArgument,
    source: options.StoreOption,
    json: options.JsonOption = False,
) -> None:
    """Copy a store, with all revisions and the quarantine.

    The copy is a store like any other, of whatever kind; it must not hold candles yet.
    """


@_verb("restore", "store:copy_store")
def restore(
    source: BackupSourceArgument,
    target: options.StoreOption,
    json: options.JsonOption = False,
) -> None:
    """Copy a backup to where a store shall be.

    It must not hold candles yet.
    """


@_verb("prune", "store:prune_store", PRUNE_EPILOG)
def prune(
    store: options.StoreOption,
    before: BeforeOption = None,
    superseded_before: SupersededBeforeOption = None,
    yes: YesOption = False,
    json: options.JsonOption = False,
) -> None:
    """Remove what is too old, for good.

    This is the only thing that does; it asks before.
    """
