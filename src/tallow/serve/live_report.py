"""The report that ends `tallow live`: where every row went, what was wrong, what to try next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.text import counted, printable
from tallow.data.coverage.provisional import assumed_sentence
from tallow.data.reading.rules import RULES
from tallow.runtime.live.live_quarantine import HINTS
from tallow.runtime.live.tally import LiveStatistics
from tallow.runtime.universes import UniverseReport
from tallow.serve.console import (
    QUIET,
    WARN,
    colour,
    compact,
    make_counts,
    make_table,
    next_text,
    number,
)
from tallow.serve.report import ignored_row, show_assumed, show_failures
from tallow.serve.wording import in_options

VERB = "live"
REJECTIONS_SHOWN = 3
"""Messages that were not understood, in the report."""

COUNTS = (
    *("rows_in", "appended", "late", "revised", "deleted", "repeated", "quarantined"),
    "left_out",
)


@dataclass(frozen=True)
class SessionReport:
    """A session that is over.

    Attributes
    ----------
    feed, store
        What to call them.
    failures
        Why instruments lack values, by name.
    sizes
        The timeframes that were asked for.
    venue
        The options that say again when the venue trades.
    example
        An instrument that has bars, if there is one.
    ignored_columns
        Columns of a replay's files that no field was read from.
    universe
        What a universe left out, where one was given.
    """

    feed: str
    store: str
    statistics: LiveStatistics
    failures: Mapping[str, str]
    sizes: Sequence[str]
    seconds: float
    calendars: CalendarAssignment
    venue: str = ""
    example: str | None = None
    ignored_columns: tuple[str, ...] = ()
    universe: UniverseReport | None = None

    def bars(self) -> dict[str, int]:
        """Return how many rows of bars were given out, by timeframe."""
        return {size: self.statistics.bars.get(size, 0) for size in self.sizes}

    @property
    def assumed(self) -> str:
        """What is assumed of provisional bars, in words; empty where facts state all."""
        first, count = self.statistics.first_provisional, sum(self.provisional().values())
        return assumed_sentence(self.calendars, first, count) if first and count else ""

    def provisional(self) -> dict[str, int]:
        """Return how many of these rows lie in assumed sessions, by timeframe."""
        counts = self.statistics.provisional
        return {size: counts[size] for size in self.sizes if size in counts}

    def to_dict(self) -> dict[str, Any]:
        """Return the report for scripts."""
        statistics, health = self.statistics, self.statistics.health
        kinds = ("messages", "notices", "quarantined", "reconnects", "gaps", "redelivered")
        kept = {
            # By their old names, for scripts.
            "refused": statistics.quarantined,
            "by_reason": dict(statistics.by_rule),
        }
        return (
            {name: getattr(statistics, name) for name in COUNTS}
            | kept
            | {
                "corrected": statistics.corrected,
                "bars": self.bars(),
                "provisional": self.provisional(),
                "assumed": self.assumed,
                "hint": statistics.hint,
                "instruments": statistics.instruments,
                "by_rule": dict(statistics.by_rule),
                "failures": dict(self.failures),
                "ignored_columns": list(self.ignored_columns),
                "universe": self.universe and self.universe.to_dict(),
                "feed": {name: getattr(health, name) for name in (*kinds, "rejected")},
                "store": self.store,
                "seconds": round(self.seconds, 3),
            }
        )


def show_session(console: Console, report: SessionReport, output_zone: str | None) -> None:
    """Print the counts, then what was quarantined or failed, and what to do next."""
    statistics = report.statistics
    console.print(_counts(report))
    zone = output_zone or report.calendars.calendars[0].timezone
    console.print(f"[{QUIET}]times above in {zone}[/]")
    if statistics.by_rule:
        console.print("\n[bold]Quarantined[/]")
        console.print(_reasons(statistics))
    if statistics.health.rejections:
        console.print("\n[bold]Not understood[/]")
        console.print(_rejections(statistics))
    show_assumed(console, report.assumed, VERB)
    if report.failures:
        show_failures(console, report.failures, "instrument", VERB)
    # Not wrapped: a command is copied whole.
    console.print(_next(report), soft_wrap=True)


def _rejections(statistics: LiveStatistics) -> Table:
    table = make_table("message", "why")
    for each in statistics.health.rejections[-REJECTIONS_SHOWN:]:
        reason = in_options(each.reason, VERB)
        table.add_row(*(escape(printable(text)) for text in (each.text[:60], reason)))
    return table


def _counts(report: SessionReport) -> Table:
    statistics, health = report.statistics, report.statistics.health
    kinds = ("late", "revised", "deleted")
    corrected = ", ".join(f"{getattr(statistics, kind):,} {kind}" for kind in kinds)
    bars = report.bars()
    rows = [
        (f"{statistics.rows_in:,}", "rows in", report.feed),
        (f"{statistics.appended:,}", "appended", f"in {report.store}"),
        (f"{statistics.corrected:,}", "corrected", corrected),
        (f"{statistics.repeated:,}", "repeated", "said again what is known"),
        (
            colour(statistics.quarantined, WARN),
            "quarantined",
            "see below" if statistics.quarantined else "",
        ),
        (
            f"{sum(bars.values()):,}",
            "bar changes",
            ", ".join(f"{count:,} of {size}" for size, count in bars.items()),
        ),
        *_provisional(report.provisional()),
        (f"{statistics.instruments:,}", "instruments", ""),
    ]
    others = (
        (health.quarantined, "not understood", "messages, or rows of them; among the quarantined"),
        (statistics.left_out, "left out", "of instruments that were not asked for"),
        (statistics.from_store, "from the store", "candles that others wrote"),
        (health.reconnects, "reconnects", health.error or ""),
        (health.gaps, "gaps", f"{counted(health.backfilled, 'row')} filled in"),
        (health.redelivered, "redelivered", "entries that a consumer had been given before"),
    )
    rows += [(f"{count:,}", name, note) for count, name, note in others if count]
    rows += ignored_row(report.ignored_columns)
    pace = f"{compact(statistics.rows_in / report.seconds)} rows/s" if report.seconds else ""
    if statistics.update_ms is not None:
        median, high = statistics.update_ms
        pace += f"; updates {median:.1f} ms, 99%: {high:.1f} ms"
    rows.append((f"{report.seconds:.2f} s", "time", pace))
    return make_counts(rows)


def _provisional(counts: Mapping[str, int]) -> list[tuple[str, str, str]]:
    by_size = ", ".join(f"{count:,} of {size}" for size, count in counts.items())
    note = f"bar changes in assumed sessions: {by_size}"
    return [(colour(sum(counts.values()), WARN), "provisional", note)] if counts else []


def _reasons(statistics: LiveStatistics) -> Table:
    hints = {rule.name: rule.hint for rule in RULES} | HINTS
    table = make_table("rule broken", number("rows"), "hint")
    for reason, count in statistics.by_rule.items():
        hint = in_options(hints.get(reason, ""), VERB)
        table.add_row(escape(printable(in_options(reason, VERB))), f"{count:,}", escape(hint))
    return table


def _next(report: SessionReport) -> Text:
    where = f"--store {shlex.quote(report.store)}"
    commands = [f"tallow store stats {where}", f"tallow store coverage {where}{report.venue}"]
    if report.statistics.quarantined:
        commands.append(f"tallow store quarantine {where}")
    if report.example is not None:
        asked = f"{shlex.quote(report.example)} {where} -t {report.sizes[0]}{report.venue}"
        commands.insert(0, f"tallow query {asked}")
    return next_text(commands)
