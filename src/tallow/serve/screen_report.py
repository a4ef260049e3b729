"""What `tallow screen` shows: matches, counts, why bars are unknown, and the rows of a sweep."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from tallow.core.timeframe import parse_timeframe
from tallow.data.output_zone import UTC
from tallow.data.writers import to_json
from tallow.screens.answers import ScreenResult, SweepResult
from tallow.screens.files import SavedScreen
from tallow.serve.console import QUIET, WARN, make_counts, make_table, number, number_cells
from tallow.serve.report import show_more
from tallow.serve.wording import in_options

ROWS_SHOWN = 20
"""Matches that are shown in the terminal, of a range the newest; a file and JSON have them all."""

SWEEP_ROWS_SHOWN = 60
NAMES_SHOWN = 3
"""Instruments that a line names, and a row of a sweep."""

WHY_SHOWN = 6
GAP = 2
"""Columns of the terminal between two of a table."""

HEADING = 12
"""As wide a heading is at most; what is longer is folded."""

COUNTED = ("matched", "not", "unknown")


def show_matches(console: Console, answer: ScreenResult, size: str, zone: str) -> None:
    """Print the matches, the counts, why bars are unknown, and what is to be known."""
    rows = answer.frame
    # Of a moment, the ranks on top; of a range, the newest.
    shown = rows.head(ROWS_SHOWN) if answer.judged_at else rows.tail(ROWS_SHOWN)
    if len(rows):
        _print_rows(console, shown, size)
        if len(rows) > len(shown):
            show_more(console, len(rows) - len(shown))
            console.print(f"[{QUIET}]all of them: --output FILE, or --json[/]")
        console.print()
    elif not answer.why_empty:
        console.print("nothing matches")
    console.print(_counted(answer.counts))
    _print_unknown(console, answer)
    console.print(f"[{QUIET}]{_when(answer.judged_at, size, zone)}[/]")
    _print_notes(console, answer.notes)


def show_sweep(console: Console, answer: SweepResult, size: str, zone: str) -> None:
    """Print a row for each combination, with who matches."""
    rows = answer.frame
    ranges = rows.columns[: rows.columns.index(COUNTED[0])]
    table = make_table(
        *(Column(escape(name), justify="right") for name in ranges),
        *map(number, COUNTED),
        Column("who matches", overflow="fold"),
    )
    shown = rows.head(SWEEP_ROWS_SHOWN)
    for row in shown.iter_rows(named=True):
        values = [f"{row[name]:g}" for name in ranges]
        counts = [f"{row[name]:,}" for name in COUNTED]
        table.add_row(*values, *counts, escape(_first(row["instruments"])))
    console.print(table)
    show_more(console, len(rows) - len(shown))
    console.print(f"\n[{QUIET}]{_when(answer.judged_at, size, zone)}[/]")
    _print_notes(console, answer.notes)


def show_written(
    console: Console, answer: ScreenResult | SweepResult, output: Path, output_zone: str | None
) -> None:
    """Print what was written where, and the counts of a screen."""
    rows = f"{len(answer.frame):,}"
    if isinstance(answer, SweepResult):
        console.print(make_counts([(rows, "combinations", str(output))]))
    else:
        counts = [(f"{answer.counts[name]:,}", name, "") for name in COUNTED[1:]]
        console.print(make_counts([(rows, "matched", str(output)), *counts]))
        _print_unknown(console, answer)
    console.print(f"[{QUIET}]times in {output_zone or UTC}[/]")
    _print_notes(console, answer.notes)


def show_list(console: Console, screens: Collection[SavedScreen], usual: Path) -> None:
    """Print saved screens, with what they ask."""
    if not screens:
        console.print(f"no saved screens; write them into {usual}, or name a file: --screens FILE")
        return
    table = make_table(Column("screen", overflow="fold"), "of", Column("asks", overflow="fold"))
    for each in screens:
        said = f"{each.description}\n" if each.description else ""
        condition = " ".join(each.condition.split())
        table.add_row(escape(each.name), each.timeframe or "", escape(f"{said}{condition}"))
    console.print(table)


def list_json(screens: Iterable[SavedScreen]) -> list[dict[str, Any]]:
    """Return saved screens as JSON has them."""
    return [vars(each) | {"columns": dict(each.columns)} for each in screens]


def answer_json(answer: ScreenResult | SweepResult, zone: str | None, verb: str) -> dict[str, Any]:
    """Return an answer as JSON has it, with times by a zone's clocks, by default in UTC."""
    shown = answer.in_zone(zone or UTC)
    judged = shown.judged_at
    found: dict[str, Any] = {
        "quarantined": shown.quarantined,
        "judged_at": None if judged is None else judged.isoformat(),
        "notes": [in_options(note, verb) for note in shown.notes],
        "why_empty": in_options(shown.why_empty, verb),
    }
    if isinstance(shown, SweepResult):
        return found | {"combinations": shown.frame.to_dicts()}
    return found | {
        "counts": shown.counts,
        "why_unknown": shown.why_unknown,
        "unknown": shown.unknown.to_dicts(),
        "matches": json.loads(to_json(shown.frame)),
    }


def _print_rows(console: Console, rows: pl.DataFrame, size: str) -> None:
    """Print matches: who, when the bar opened, the close, and the columns that were asked for."""
    time = "%m-%d %H:%M" if parse_timeframe(size).unit == "minute" else "%Y-%m-%d"
    opens = rows["timestamp"].dt.strftime(time).to_list()
    at = rows.columns.index("timestamp")
    who = {name: [each or "" for each in rows[name].to_list()] for name in rows.columns[:at]}
    first = who | {"bar": opens}
    numbers = {name: number_cells(name, rows[name].to_list()) for name in rows.columns[at + 1 :]}
    fitting = _fitting(console.width, first, numbers)
    table = make_table(
        *(Column(name, overflow="fold", no_wrap=name == "bar") for name in first),
        *(Column(escape(name), justify="right", overflow="fold") for name in fitting),
    )
    shown = [*first.values(), *(numbers[name] for name in fitting)]
    for row in zip(*shown, strict=True):
        table.add_row(*map(escape, row))
    console.print(table)
    left_out = list(numbers)[len(fitting) :]
    if left_out:
        names = escape(", ".join(left_out))
        console.print(f"[{QUIET}]too wide here, in --output FILE and --json: {names}[/]")


def _fitting(
    room: int, first: Mapping[str, Sequence[str]], numbers: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return the columns for which there is room beside the first ones: the close at least."""
    left = room - sum(max(map(len, (name, *cells))) + GAP for name, cells in first.items())
    fitting: list[str] = []
    for name, cells in numbers.items():
        left -= max(min(len(name), HEADING), *map(len, cells)) + GAP
        if fitting and left < 0:
            break
        fitting.append(name)
    return fitting


def _counted(counts: dict[str, int]) -> str:
    matched, other, unknown = (counts[name] for name in COUNTED)
    marked = f"[{WARN}]{unknown:,}[/]" if unknown else "0"
    return f"[bold]{matched:,}[/] matched, {other:,} not, {marked} unknown"


def _when(judged_at: Any, size: str, zone: str) -> str:
    if judged_at is None:
        return f"bars of {size}; times in {zone}"
    return f"bars of {size} to {judged_at:%Y-%m-%d %H:%M}; times in {zone}"


def _print_unknown(console: Console, answer: ScreenResult) -> None:
    """Print which values are not known, and who is unknown, by why."""
    whys = sorted(answer.why_unknown.items(), key=lambda each: -each[1])
    for text, count in whys[:WHY_SHOWN]:
        console.print(f"  {count:,} without {escape(text)}")
    show_more(console, len(whys) - WHY_SHOWN)
    for (why,), rows in answer.unknown.group_by("why", maintain_order=True):
        names = rows["instrument"].to_list()
        console.print(f"  {escape(str(why))}: {escape(_first(names))}")


def _print_notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(f"[{QUIET}]{escape(note)}[/]")


def _first(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    rest = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
