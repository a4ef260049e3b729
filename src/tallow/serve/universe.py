"""`tallow universe`: lists of instruments into a store, and those that it knows."""

from __future__ import annotations

from datetime import date

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from tallow.core.errors import RangeError
from tallow.core.text import counted
from tallow.data.store.store import open_store
from tallow.data.universe import Universe
from tallow.data.universe_files import read_universe
from tallow.data.writers import to_json
from tallow.runtime.ranges import moment_us
from tallow.runtime.universes import record_universe
from tallow.serve.console import make_console, make_table, number, print_json
from tallow.serve.report import show_more
from tallow.serve.verbs import EXIT_INCOMPLETE
from tallow.serve.wording import say, say_json

ROWS_SHOWN = 40
"""Rows of a table in the terminal; `--json` has them all."""


def add_universe(name: str, file: str, store: str, json: bool) -> int:
    """Record the members of a file under a name, and say what changed."""
    universe = read_universe(file, name)
    with open_store(store) as opened:
        report, said = record_universe(opened, universe)
    counts = {each: getattr(report, each) for each in ("new", "identical", "revised")}
    for note in said.sentences():
        say(note, err=True)
    found = {"name": name, "members": len(universe), "groups": universe.groups, **counts}
    found |= {"unknown": list(said.unknown)}
    if json:
        print_json(found)
        return 0
    groups = f" in {counted(len(universe.groups), 'group')}" if universe.groups else ""
    rows = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    say(f"{name}: {counted(len(universe), 'member')}{groups}, {said.span}; rows: {rows}")
    return 0


def list_universes(store: str, known_at: str | None, json: bool) -> int:
    """Print each universe: how many members it ever had, and of which dates."""
    known = None if known_at is None else moment_us("known_at", known_at)
    with open_store(store) as opened:
        kept = opened.universes
        found = [kept.read(name, known) for name in kept.names(known)]
    if json:
        print_json([_summary(each) for each in found])
        return 0
    if not found:
        say("no universes are recorded; put one in: tallow universe add NAME FILE")
        return 0
    headings = (Column("universe", overflow="fold"), number("members"), number("groups"), "of")
    table = make_table(*headings)
    for each in found:
        members, groups = f"{len(each):,}", f"{len(each.groups):,}"
        table.add_row(escape(each.name), members, groups, each.span_text())
    make_console().print(table)
    return 0


def show_universe(name: str, store: str, at: str | None, known_at: str | None, json: bool) -> int:
    """Print the members of a universe, or those of a date; 1 where that has none."""
    day = None if at is None else _date(at)
    known = None if known_at is None else moment_us("known_at", known_at)
    with open_store(store) as opened:
        universe = opened.universes.read(name, known)
    rows = universe.table if day is None else _on(universe, day)
    if json:
        say_json(to_json(rows))
    elif len(rows):
        _print_rows(make_console(), rows)
    if len(rows):
        return 0
    say(f"universe {name}: no members on {day}; it has members on {universe.span_text()}", err=True)
    return EXIT_INCOMPLETE


def _summary(universe: Universe) -> dict[str, object]:
    groups = universe.groups
    return {"name": universe.name, "members": len(universe), "groups": groups} | {
        "of": universe.span_text()
    }


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise RangeError(f"at: {text!r}; must be a date such as 2025-06-02") from error


def _on(universe: Universe, day: date) -> pl.DataFrame:
    """Return the rows of those who are members on a date."""
    begun = pl.col("from").is_null() | (pl.col("from") <= day)
    return universe.table.filter(begun & (pl.col("to").is_null() | (pl.col("to") >= day)))


def _print_rows(console: Console, rows: pl.DataFrame) -> None:
    has_groups = rows["group"].null_count() < len(rows)
    table = make_table(Column("instrument", overflow="fold"), "from", "to", *["group"] * has_groups)
    for name, first, last, group in rows.head(ROWS_SHOWN).iter_rows():
        limits = ("" if each is None else f"{each}" for each in (first, last))
        table.add_row(escape(name), *limits, *[escape(group or "")] * has_groups)
    console.print(table)
    show_more(console, len(rows) - ROWS_SHOWN)
