"""`tallow store coverage`: which candles are there, and which a downloader must fetch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import CandleInputError, RangeError
from tallow.core.limits import BLOCK_ROWS
from tallow.core.text import counted
from tallow.core.time import now_us
from tallow.data.coverage.sessions import COUNTS
from tallow.data.coverage.store import StoredSeries
from tallow.data.output_zone import in_zone, require_output_zone
from tallow.data.reading.files import expand_paths, open_file
from tallow.data.reading.times import to_utc
from tallow.data.store.store import open_store
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.data.writers import FRAME_ENDINGS, check_output, to_json, write_frame
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.universes import UniverseReport
from tallow.serve.console import BAD, QUIET, WARN, make_console, make_table, number, progress_bar
from tallow.serve.report import show_more
from tallow.serve.verbs import take_interrupts_back
from tallow.serve.wording import in_options, say, say_json

VERB = "coverage"

WIDE = 110
"""Columns of a terminal in which all counts of a session fit beside its instrument."""

ROWS_SHOWN = 25
"""Rows of a table in the terminal; a file and JSON have them all."""


def show_coverage(
    *,
    output: Path | None,
    json: bool,
    missing: bool,
    output_zone: str | None,
    calendar: str,
    **question: Any,
) -> int:
    """Look at a store, and show or write what was found.

    `question` are further arguments of `_look`. `TallowError` on wrong options, and on dates beyond
    a calendar's years.
    """
    take_interrupts_back()
    if output is not None:
        check_output(output, FRAME_ENDINGS)
    require_output_zone(output_zone)
    found = _look(missing=missing, shown=not json, calendar=calendar, **question)
    console = make_console()
    if output is not None:
        write_frame(output, in_zone(found, output_zone))
        console.print(f"{counted(len(found), 'row')} in {escape(str(output))}")
    elif json:
        say_json(to_json(in_zone(found, output_zone)))
    elif missing:
        zone = output_zone or CalendarAssignment(calendar).calendars[0].timezone
        _show_segments(console, in_zone(found, zone), zone)
    else:
        _show_sessions(console, found)
    return 0


def _look(
    *,
    store: str,
    calendar: str,
    calendar_dates: Path | None,
    beyond_coverage: str,
    source_timeframe: str,
    adjustment: str,
    instruments: list[str] | None,
    universe: str | None,
    start: str | None,
    end: str | None,
    longest: str | None,
    asked: Path | None,
    known_at: str | None,
    missing: bool,
    shown: bool,
) -> pl.DataFrame:
    """Return the segments that are missing, or the counts of all sessions."""
    calendars = CalendarAssignment(calendar, dates=calendar_dates, beyond=beyond_coverage)  # type: ignore[arg-type]
    wanted = Range.of(start, end, None).checked(calendars)
    days = None if longest is None else _days(longest)
    fetched = None if asked is None else _segments(asked)
    now, known = now_us(), None if known_at is None else moment_us("known_at", known_at)
    bar = progress_bar(make_console(stderr=True), "coverage", "instruments", shown)
    with open_store(store) as kept, bar as move:
        listed = find_universe(universe, kept.universes, known)
        series = StoredSeries(
            kept,
            calendars,
            now if known is None else min(now, known),
            source_timeframe,
            adjustment,
            wanted.start,
            wanted.end,
            instruments,
            move,
            known,
            listed,
        )
        found = series.missing(days, fetched) if missing else series.coverage()
        others = "" if len(found) else series.other_kinds()
        unknown = tuple(series.unknown_members)
    if listed is not None:
        _say_universe(listed, unknown, is_empty=not (missing or len(found)))
    if others:
        say(f"hint: {in_options(others, VERB)}", err=True)
    return found


def _say_universe(universe: Universe, unknown: tuple[str, ...], *, is_empty: bool) -> None:
    """Say whom a universe names that is not there, and of which dates it is where that is all."""
    span = universe.span_text()
    report = UniverseReport(universe.name, span, len(universe), unknown, notes=universe.notes)
    for sentence in report.sentences():
        say(sentence, err=True)
    if is_empty:
        say(f"universe {universe.name}: nothing in the range; it has members on {span}", err=True)


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})d", text.strip())
    if found is None:
        raise RangeError(f"longest: {text!r}; must be a number of days, such as 60d")
    return timedelta(days=int(found[1]))


def _segments(path: Path) -> pl.DataFrame:
    """Read segments that were fetched before, as this verb wrote them."""
    rows = pl.concat(
        frame for one in expand_paths(path) for frame in open_file(one, BLOCK_ROWS).rows()
    )
    missing = {"instrument", "start", "end"}.difference(rows.columns)
    if missing:
        raise CandleInputError(
            f"{path}: columns missing: {', '.join(sorted(missing))}; must be segments as --missing "
            "writes them"
        )
    limits = (to_utc(rows[name], None, str(path)).alias(name) for name in ("start", "end"))
    return rows.with_columns(*limits)


def _show_sessions(console: Console, found: pl.DataFrame) -> None:
    """Print sums per instrument, then the sessions that lack candles."""
    if not len(found):
        console.print("no candles in the range")
        return
    sums = found.group_by("instrument", maintain_order=True).agg(
        pl.col("expected").gt(0).sum().alias("sessions"), pl.col(COUNTS).sum()
    )
    table = make_table(
        Column("instrument", overflow="fold"), number("sessions"), *map(number, _headings())
    )
    for row in sums.head(ROWS_SHOWN).iter_rows(named=True):
        table.add_row(escape(row["instrument"]), f"{row['sessions']:,}", *_counts(row))
    console.print(table)
    show_more(console, len(sums) - ROWS_SHOWN)
    lacking = _lacking(found)
    if len(lacking):
        console.print("\n[bold]Sessions that lack candles, the newest first[/]")
        console.print(_sessions(lacking, is_wide=console.width >= WIDE))
        show_more(console, len(lacking) - ROWS_SHOWN)
    if len(assumed := _of_kind(found, "provisional")):
        console.print(
            f"\n[bold]Provisional[/]\nsessions={len(assumed)} are assumed, the first on "
            f"{assumed[0]}: no fact tells of them or of their hours; what they lack is a guess; "
            "update the package, or give a TOML file as --calendar-dates"
        )
    if len(unknown := _of_kind(found, "unknown")):
        console.print(
            f"\n[bold]Unknown hours[/]\nsessions={len(unknown)} are announced without hours, the "
            f"first on {unknown[0]}: what they lack is not known; give the hours in a TOML file as "
            "--calendar-dates"
        )


def _of_kind(found: pl.DataFrame, kind: str) -> pl.Series:
    return found.filter(pl.col("kind") == kind)["session"].unique().sort()


def _lacking(found: pl.DataFrame) -> pl.DataFrame:
    """Return sessions that lack candles; of those without any, a run of them is one row.

    Columns are those of `found`, and `until`, the run's last session, and `sessions`, their number.
    """
    lacks = (pl.col("missing") > 0) | pl.col("expected").is_null()
    is_empty = (pl.col("present") == 0) & (pl.col("missing") > 0)
    # Runs continue over days without a session.
    held = found.filter(pl.col("expected").is_null() | (pl.col("expected") > 0))
    run = pl.when(is_empty).then(pl.struct("instrument", is_empty).rle_id())
    alone = pl.int_range(pl.len()) + pl.len()
    runs = held.with_columns(run=pl.coalesce(run, alone)).filter(lacks)
    return runs.group_by("run", maintain_order=True).agg(
        pl.col("instrument", "session", "kind").first(),
        pl.col("session").last().alias("until"),
        pl.len().alias("sessions"),
        # A sum would make 0 of what is unknown.
        *(
            pl.when(pl.len() == 1).then(pl.col(n).first()).otherwise(pl.col(n).sum())
            for n in COUNTS
        ),
    )


def _sessions(lacking: pl.DataFrame, is_wide: bool) -> Table:
    shown, between = (len(COUNTS), " ") if is_wide else (3, "\n")
    table = make_table(
        Column("instrument", overflow="fold"),
        Column("session", no_wrap=True),
        Column("kind", no_wrap=True),
        *map(number, _headings()[:shown]),
    )
    newest = lacking.sort("until", descending=True, maintain_order=True).head(ROWS_SHOWN)
    for row in newest.iter_rows(named=True):
        session, kind = f"{row['session']:%a %Y-%m-%d}", row["kind"]
        if row["sessions"] > 1:
            session = f"{row['session']} to{between}{row['until']}"
            kind = f"{counted(row['sessions'], 'session')}"
        table.add_row(escape(row["instrument"]), session, kind, *_counts(row)[:shown])
    return table


def _headings() -> list[str]:
    return [name.replace("_", "-") for name in COUNTS]


def _counts(row: Mapping[str, Any]) -> list[str]:
    cells = {name: "?" if row[name] is None else f"{row[name]:,}" for name in COUNTS}
    if row["missing"]:
        style = BAD if not row["present"] else WARN
        cells["missing"] = f"[{style}]{cells['missing']}[/]"
    return list(cells.values())


def _show_segments(console: Console, found: pl.DataFrame, zone: str) -> None:
    if not len(found):
        console.print("nothing is missing")
        return
    table = make_table(Column("instrument", overflow="fold"), "from", "until", number("candles"))
    for name, start, end, candles in found.head(ROWS_SHOWN).iter_rows():
        table.add_row(
            escape(name), f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}", f"{candles:,}"
        )
    console.print(table)
    show_more(console, len(found) - ROWS_SHOWN)
    console.print(
        f"[{QUIET}]{counted(int(found['candles'].sum()), 'candle')} in all; times in {zone}; for a "
        "downloader: --output FILE, or --json[/]"
    )
