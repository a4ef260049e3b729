"""`tallow store`: what is there, its upkeep, its copies, and what was written when."""

from __future__ import annotations

import re
from dataclasses import asdict

import polars as pl
import typer
from rich.markup import escape
from rich.table import Column

from tallow.core.errors import ParameterError
from tallow.core.text import counted, without_secrets
from tallow.core.time import DAY_US, from_us, now_us
from tallow.data.output_zone import UTC, in_zone, require_output_zone
from tallow.data.store.backend import CompactionReport, StoreStats
from tallow.data.store.store import open_store
from tallow.data.writers import to_json
from tallow.runtime.ranges import moment_us
from tallow.serve.console import (
    QUIET,
    WARN,
    colour,
    compact,
    make_console,
    make_counts,
    make_table,
    number,
    print_json,
)
from tallow.serve.report import show_more
from tallow.serve.verbs import EXIT_INCOMPLETE, take_interrupts_back
from tallow.serve.wording import say, say_json

INGESTS_SHOWN = 20
"""Writes that the ledger's table shows, the newest first; `--json` has them all."""

_AGE = re.compile(r"(\d{1,5})d")


def show_stats(store: str, json: bool) -> int:
    """Print how much a store holds, and how it is stored."""
    with open_store(store) as opened:
        stats, writes = opened.stats(), len(opened.ledger.entries())
        waiting = len(opened.ledger.held())
    if json:
        times = {name: _time(getattr(stats, name)) for name in ("first", "last")}
        others = {
            name: _time(getattr(stats, name) or None) for name in ("last_received", "horizon")
        }
        counts = {"ingests": writes, "quarantined": waiting}
        print_json(asdict(stats) | times | others | counts)
        return 0
    _print_stats(stats, store, writes, waiting)
    return 0


def list_series(store: str, output_zone: str | None, json: bool) -> int:
    """Print each series: an instrument, its timeframe and adjustment, and its candles."""
    with open_store(store) as opened:
        series = in_zone(opened.series(), require_output_zone(output_zone))
        symbols = opened.symbols().group_by("instrument").agg(pl.col("symbol").sort())
    names = pl.col("symbol").list.join(", ").fill_null("")
    series = series.join(symbols, on="instrument", how="left", maintain_order="left")
    series = series.with_columns(names)
    if json:
        say_json(to_json(series))
        return 0
    place = without_secrets(store)
    if series.is_empty():
        say(f"{place}: holds no candles; put some in: tallow ingest FILE --store {place}")
        return EXIT_INCOMPLETE
    has_symbols = bool((series["symbol"] != "").any())
    table = make_table(
        Column("instrument", overflow="fold"),
        *["symbol"] * has_symbols,
        "series",
        number("candles"),
        "first",
        "last",
    )
    for row in series.iter_rows(named=True):
        table.add_row(
            escape(row["instrument"]),
            *[escape(row["symbol"])] * has_symbols,
            f"{row['timeframe']} {escape(row['adjustment'])}",
            f"{row['candles']:,}",
            f"{row['first']:%Y-%m-%d %H:%M}",
            f"{row['last']:%Y-%m-%d %H:%M}",
        )
    console = make_console()
    console.print(table)
    console.print(f"[{QUIET}]times in {output_zone or UTC}[/]")
    return 0


def compact_store(store: str, json: bool) -> int:
    """Compact a store, and say what changed."""
    take_interrupts_back()
    with open_store(store) as opened:
        _print_compacted(opened.compact(), json)
    return 0


def prune_store(
    store: str, before: str | None, superseded_before: str | None, yes: bool, json: bool
) -> int:
    """Remove what is too old, once a person has said yes to it."""
    take_interrupts_back()
    first = None if before is None else instant("before", before)
    later = None if superseded_before is None else instant("superseded_before", superseded_before)
    with open_store(store) as opened:
        if not yes and (first is not None or later is not None):
            _ask(store, first, later)
        _print_compacted(opened.prune(before=first, superseded_before=later), json)
    return 0


def copy_store(source: str, target: str, json: bool) -> int:
    """Copy a store to where there is none yet: to back up, or to restore."""
    take_interrupts_back()
    with open_store(source) as store:
        stats = store.backup(target)
    if json:
        print_json(
            {"from": without_secrets(source), "to": without_secrets(target), "rows": stats.rows}
        )
    else:
        make_console().print(
            f"{counted(stats.rows, 'row')}, all revisions, from {escape(without_secrets(source))} "
            f"to {escape(without_secrets(target))}"
        )
    return 0


def show_ingests(store: str, output_zone: str | None, json: bool) -> int:
    """Print the ledger: each write, and where its rows went."""
    with open_store(store) as opened:
        entries = in_zone(opened.ledger.entries(), require_output_zone(output_zone))
    if json:
        say_json(to_json(entries))
        return 0
    console = make_console()
    counts = ("rows_in", "new", "identical", "revised", "quarantined")
    headings = [number(name.replace("_", " ")) for name in counts]
    table = make_table("received", Column("source", overflow="fold"), "series", *headings)
    for row in entries.reverse().head(INGESTS_SHOWN).iter_rows(named=True):
        table.add_row(
            f"{row['received_at']:%Y-%m-%d %H:%M:%S}",
            escape(row["source"]),
            f"{row['timeframe']} {row['adjustment']}",
            *(f"{row[name]:,}" for name in counts),
        )
    console.print(table)
    show_more(console, len(entries) - INGESTS_SHOWN)
    console.print(f"[{QUIET}]times in {output_zone or UTC}[/]")
    return 0


def instant(name: str, text: str) -> int:
    """Return a date's midnight in UTC, a time, or so many days ago, in microseconds since 1970.

    `RangeError` if it is not one of these.
    """
    if age := _AGE.fullmatch(text.strip()):
        return now_us() - int(age[1]) * DAY_US
    is_date = re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()) is not None
    return moment_us(name, f"{text.strip()}T00:00+00:00" if is_date else text)


def _ask(place: str, before: int | None, superseded_before: int | None) -> None:
    """Say what will be gone.

    `KeyboardInterrupt` if the answer is no. `ParameterError` if there is no answer.
    """
    going = []
    if before is not None:
        going.append(f"candles that open before {_time(before)}, with all their revisions")
    if superseded_before is not None:
        going.append(
            f"revisions that were superseded by {_time(superseded_before)}; --known-at of tallow "
            "query does not reach behind that any more"
        )
    say(f"Gone for good from {without_secrets(place)}:", err=True)
    say("".join(f"  {each}\n" for each in going), nl=False, err=True)
    try:
        agreed = typer.confirm("Take them away?", err=True)
    except typer.Abort as error:
        raise ParameterError("prune: nobody answered; must be confirmed; add --yes") from error
    if not agreed:
        raise KeyboardInterrupt("cancelled; nothing was taken away")


def _time(moment: int | None) -> str | None:
    """Return microseconds since 1970 as ISO-8601 text."""
    return None if moment is None else from_us(moment).isoformat()


def _print_stats(stats: StoreStats, place: str, writes: int, waiting: int) -> None:
    first, last = _time(stats.first), _time(stats.last)
    since = (
        f"--known-at of tallow query reaches back to {_time(stats.horizon)}"
        if stats.horizon
        else ""
    )
    rows = (
        (f"{stats.rows:,}", "rows", "of the log, all revisions counted"),
        (f"{stats.tail_rows:,}", "in the tail", "durable, and not in a file yet"),
        (f"{stats.files:,}", "files", f"{compact(stats.bytes)}B, version {stats.version}"),
        (
            f"{stats.overlapping:,}",
            "overlapping",
            "files that tallow store compact rewrites" if stats.overlapping else "",
        ),
        (f"{writes:,}", "writes", f"last at {_time(stats.last_received)}" if writes else ""),
        (
            colour(waiting, WARN),
            "quarantined",
            "rows, see tallow store quarantine" if waiting else "",
        ),
    )
    console = make_console()
    console.print(f"[bold]{escape(without_secrets(place))}[/]")
    if first is not None:
        console.print(f"[{QUIET}]{first} to {last}[/]")
    console.print(make_counts(rows))
    if since:
        console.print(f"[{QUIET}]{since}[/]")


def _print_compacted(done: CompactionReport, as_json: bool) -> None:
    if as_json:
        print_json(asdict(done))
        return
    rows = [
        (f"{done.rows_removed:,}", "rows taken away", ""),
        (f"{done.files_after:,}", "files", f"{done.files_before:,} before"),
        (f"{done.files_removed:,}", "old files deleted", "younger ones stay a week"),
    ]
    make_console().print(make_counts(rows))
