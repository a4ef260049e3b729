"""`tallow store actions`: corporate actions into a store, and those that it knows."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from tallow.data.actions import JOIN, TERMS
from tallow.data.store.store import open_store
from tallow.data.store.write import WriteReport
from tallow.data.writers import to_json
from tallow.serve.console import make_console, make_table, number, print_json
from tallow.serve.report import show_more
from tallow.serve.wording import say_json

ACTIONS_SHOWN = 40
"""Actions that are listed, the newest first; `--json` has them all."""


def show_actions(store: str, file: str | None, json: bool) -> int:
    """Record the actions of a file; without one, list those that the store knows."""
    with open_store(store) as opened:
        if file is not None:
            _print_recorded(opened.actions.record(file), json)
            return 0
        known, joins = opened.actions.read(), opened.actions.joins()
    if len(joins):
        known = pl.concat([known, joins.with_columns(kind=pl.lit(JOIN))], how="diagonal")
    if json:
        say_json(to_json(known))
    else:
        _print_known(make_console(), known)
    return 0


def _print_recorded(reports: Mapping[str, WriteReport], as_json: bool) -> None:
    names = ("new", "identical", "revised")
    counts = {
        kind: {name: getattr(report, name) for name in names} for kind, report in reports.items()
    }
    if as_json:
        print_json(counts)
        return
    table = make_table("kind", *map(number, names))
    for kind, numbers in counts.items():
        table.add_row(kind, *(f"{count:,}" for count in numbers.values()))
    make_console().print(table)


def _print_known(console: Console, known: pl.DataFrame) -> None:
    if not len(known):
        console.print("no corporate actions are recorded")
        return
    joined = [Column("predecessor", overflow="fold")] if "predecessor" in known.columns else []
    table = make_table(
        Column("instrument", overflow="fold"), "ex-date", "kind", *map(number, TERMS), *joined
    )
    newest = known.sort("ex_date", descending=True, maintain_order=True).head(ACTIONS_SHOWN)
    for row in newest.iter_rows(named=True):
        terms = ("" if row[name] is None else f"{row[name]:g}" for name in TERMS)
        before = [escape(row["predecessor"] or "")] if joined else []
        name = escape(row["instrument"])
        table.add_row(name, f"{row['ex_date']}", row["kind"], *terms, *before)
    console.print(table)
    show_more(console, len(known) - ACTIONS_SHOWN)
