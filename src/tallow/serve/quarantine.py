"""`tallow store quarantine`: the quarantined rows, and how they are repaired."""

from __future__ import annotations

import shlex
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column
from rich.text import Text

from tallow.core.limits import QUARANTINE_PREVIEW
from tallow.core.text import counted, without_secrets
from tallow.data.ingest.repair_table import QUARANTINE_ID, repair_table
from tallow.data.reading.quarantine import count_by_rule
from tallow.data.store.store import open_store
from tallow.data.writers import check_output, to_json, write_frame
from tallow.serve.console import QUIET, make_console, make_table, number
from tallow.serve.report import show_more, show_rules
from tallow.serve.wording import say_json

RECORD_SHOWN = 500
"""Characters of a record that the table shows; `--json` and `--export` have all."""


def show_quarantined(store: str, export: Path | None, json: bool) -> int:
    """List the rows that wait to be repaired, or write them into a table."""
    if export is not None:
        check_output(export, (".csv",))
    with open_store(store) as opened:
        rows = opened.ledger.held()
    if export is not None:
        _export(rows, export, store)
    elif json:
        say_json(to_json(rows.drop("settled_by").rename({"id": QUARANTINE_ID})))
    else:
        _show(make_console(), rows, store)
    return 0


def _export(rows: pl.DataFrame, path: Path, place: str) -> None:
    table = repair_table(rows)
    write_frame(path, table)
    console, left_out = make_console(stderr=True), len(rows) - len(table)
    if len(table):
        console.print(f"{counted(len(table), 'row')} in {escape(str(path))}")
    else:
        console.print(f"no row waits to be repaired; {escape(str(path))} has a header alone")
    if left_out:
        forming = counted(left_out, "forming candle")
        console.print(f"[{QUIET}]{forming} left out: whole ones come by themselves[/]")
    if not len(table):
        return
    command = (
        f"tallow ingest {shlex.quote(str(path))} --store {shlex.quote(without_secrets(place))}"
    )
    console.print(Text(f"Repair their cells, then: {command}"), soft_wrap=True)


def _show(console: Console, rows: pl.DataFrame, place: str) -> None:
    if not len(rows):
        console.print("no row is quarantined")
        return
    show_rules(console, count_by_rule(rows), "quarantine")
    table = make_table(
        number("id"),
        Column("source", overflow="fold"),
        number("row"),
        number("times"),
        "rule broken",
        "record",
    )
    columns = ("id", "source", "row", "times", "rule", "reason", "record")
    newest = rows.sort("id", descending=True).head(QUARANTINE_PREVIEW)
    for id_, source, row, times, rule, reason, record in newest.select(columns).iter_rows():
        # A feed's rows have no number.
        stands = "-" if row is None else f"{row:,}"
        why = f"{rule}: {reason}" if reason else rule
        cells = (source or "-", stands, f"{times:,}", why, record[:RECORD_SHOWN])
        table.add_row(str(id_), *map(escape, cells))
    console.print()
    console.print(table)
    show_more(console, len(rows) - QUARANTINE_PREVIEW)
    command = (
        f"tallow store quarantine --store {shlex.quote(without_secrets(place))} --export repair.csv"
    )
    console.print(Text(f"\nTo repair them: {command}"), soft_wrap=True)
