"""What `tallow sequences` shows: patterns with what came after them, scores, newest sequences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from tallow.analysis.sequence_result import SequenceResult
from tallow.core.timeframe import parse_timeframe
from tallow.data.output_zone import UTC
from tallow.data.writers import to_json
from tallow.serve.console import QUIET, make_counts, make_table, number
from tallow.serve.report import show_more
from tallow.serve.wording import in_options

PATTERNS_SHOWN = 12
INSTRUMENTS_SHOWN = 10
SEQUENCES_SHOWN = 6
"""Rows of each table in the terminal; files and JSON have them all."""

SCORES = ("quality", "continuity", "momentum", "predictive", "volume")
WAYS = {1: "up", -1: "down"}
DOMINANT = "*"


def show_market(console: Console, found: SequenceResult, size: str, zone: str) -> None:
    """Print the patterns of all instruments together, and those of the highest quality."""
    _print_patterns(console, found.pooled, found.horizon)
    best = found.scores.sort("quality", "instrument", descending=[True, False], nulls_last=True)
    shown = best.head(INSTRUMENTS_SHOWN)
    table = make_table("instrument", *map(number, SCORES), "dominant", "going on")
    for row in shown.iter_rows(named=True):
        scores = [_ratio(row[name]) for name in SCORES]
        words = (_kind(row, "dominant_"), _kind(row, "current_"))
        table.add_row(escape(row["instrument"]), *scores, *words)
    console.print()
    console.print(table)
    show_more(console, len(best) - len(shown))
    _print_end(console, found, size, zone)


def show_instrument(console: Console, found: SequenceResult, size: str, zone: str) -> None:
    """Print the patterns, scores and newest sequences of each instrument asked for."""
    time = "%m-%d %H:%M" if parse_timeframe(size).unit == "minute" else "%Y-%m-%d"
    for row in found.scores.iter_rows(named=True):
        name = row["instrument"]
        console.print(f"[bold]{escape(name)}[/]")
        _print_patterns(console, found.patterns.filter(instrument=name), found.horizon)
        console.print()
        console.print(make_counts(_score_lines(row)))
        console.print()
        own = found.sequences.filter(instrument=name).tail(SEQUENCES_SHOWN)
        _print_sequences(console, own, time)
    _print_end(console, found, size, zone)


def show_written(console: Console, found: SequenceResult, output: Path, table: str) -> None:
    """Print what was written where."""
    console.print(make_counts([(f"{len(getattr(found, table)):,}", table, str(output))]))
    _print_notes(console, found.notes)


def answer_json(
    found: SequenceResult, zone: str | None, verb: str, *, whole: bool
) -> dict[str, Any]:
    """Return an answer as JSON has it; the `whole` of it has patterns and sequences, too."""
    shown = found.in_zone(zone or UTC)
    moments = {"split_at": shown.split_at, "judged_at": shown.judged_at}
    tables = ("scores", "pooled", *(("patterns", "sequences") if whole else ()))
    return {
        "horizon": shown.horizon,
        **{name: None if at is None else at.isoformat() for name, at in moments.items()},
        "quarantined": shown.quarantined,
        "notes": [in_options(note, verb) for note in shown.notes],
        "why_empty": in_options(shown.why_empty, verb),
        **{name: json.loads(to_json(getattr(shown, name))) for name in tables},
    }


def _print_patterns(console: Console, patterns: pl.DataFrame, horizon: int) -> None:
    """Print patterns, each with what came after it, beside what comes after any bar."""
    table = make_table(
        Column("pattern", no_wrap=True),
        *map(number, ("count", "strength", "return %", "gap", "then known")),
        number(f"went on in {horizon}"),
        *map(number, ("95 %", "any bar")),
    )
    shown = patterns.head(PATTERNS_SHOWN)
    for row in shown.iter_rows(named=True):
        mark = f" {DOMINANT}" if row["is_dominant"] else ""
        interval = "-"
        if row["success"] is not None:
            interval = f"{row['success_low']:.0%} to {row['success_high']:.0%}"
        table.add_row(
            f"{_kind(row)}{mark}",
            f"{row['frequency']:,}",
            _ratio(row["strength"]),
            f"{row['return_percent']:,.2f}",
            "-" if row["gap"] is None else f"{row['gap']:,.1f}",
            f"{row['outcomes']:,}",
            _percent(row["success"]),
            interval,
            _percent(row["base_rate"]),
        )
    console.print(table)
    show_more(console, len(patterns) - len(shown))


def _print_sequences(console: Console, rows: pl.DataFrame, time: str) -> None:
    """Print the newest sequences, the last one perhaps going on."""
    names = ("from", "to", "sequence", "strength", "return %", "gap", "outcome %")
    table = make_table(*names[:3], *map(number, names[3:]))
    for row in rows.iter_rows(named=True):
        goes_on = "" if row["over_at"] is not None else ", going on"
        outcome = row["outcome_percent"]
        table.add_row(
            row["start"].strftime(time),
            row["end"].strftime(time),
            f"{_kind(row)}{goes_on}",
            _ratio(row["strength"]),
            f"{row['return_percent']:,.2f}",
            "-" if row["gap"] is None else f"{row['gap']:,}",
            "-" if outcome is None else f"{outcome:,.2f}",
        )
    console.print(table)


def _score_lines(row: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return an instrument's scores, each with a note."""
    foretold = f"of {row['predictions']:,} foretold; as usual {_ratio(row['predictive_base'])}"
    trend, steady = row["volume_trend"], row["volume_steadiness"]
    notes = (
        f"{row['sequences']:,} sequences, strong ones {_ratio(row['strong_length'])} bars long",
        "0 far apart, 1 one bar apart",
        "-1 strongly down, 1 strongly up",
        foretold,
        f"0.5 as in other moves; trend {_ratio(trend)}, steadiness {_ratio(steady)}",
    )
    return [(_ratio(row[name]), name, note) for name, note in zip(SCORES, notes, strict=True)]


def _kind(row: Mapping[str, Any], prefix: str = "") -> str:
    """Write what a sequence is: ``strong up 3``."""
    kind, way, length = (row[f"{prefix}{name}"] for name in ("type", "direction", "length"))
    return "-" if kind is None else f"{kind} {WAYS[way]} {length}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _print_end(console: Console, found: SequenceResult, size: str, zone: str) -> None:
    form = "%Y-%m-%d %H:%M"
    split, judged = (
        "-" if at is None else at.strftime(form) for at in (found.split_at, found.judged_at)
    )
    console.print(
        f"\n[{QUIET}]{DOMINANT} dominant in the first part, to {split}; what came is of the rest, "
        f"{found.horizon} bars after a sequence was known to be over\nbars of {size} to {judged}; "
        f"times in {escape(zone)}[/]"
    )
    _print_notes(console, found.notes)


def _print_notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(f"[{QUIET}]{escape(note)}[/]")
