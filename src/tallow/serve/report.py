"""The report that ends `tallow run`: where every row went; and what other reports share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tallow.core.limits import QUARANTINE_PREVIEW
from tallow.core.text import counted
from tallow.serve.console import BAD, QUIET, WARN, colour, compact, make_counts, make_table, number
from tallow.serve.wording import in_options, say

if TYPE_CHECKING:
    import polars as pl

    from tallow.runtime.results import RunReport

FAILURES_SHOWN = 10
"""Failed instruments that a report names; `--json` has them all."""

IGNORED_SHOWN = 8
"""Ignored columns that a report names."""


def show_report(
    console: Console,
    reports: Mapping[str, RunReport],
    outputs: Mapping[str, Path],
    seconds: float,
    zone: str,
) -> None:
    """Print the counts of each timeframe, then the quarantine and failures where there are any."""
    from tallow.data.reading.quarantine import count_by_rule

    console.print(_counts(reports, outputs, seconds))
    console.print(f"[{QUIET}]times in {zone}[/]")
    # Mostly all timeframes quarantine the same rows.
    by_counts = {
        tuple(count_by_rule(report.quarantine).items()): report.quarantine
        for report in reports.values()
        if len(report.quarantine)
    }
    for by_rule, quarantine in by_counts.items():
        show_quarantine(console, dict(by_rule), quarantine)
    for report in reports.values():
        show_assumed(console, report.assumed)
    if failures := all_failures(reports.values()):
        show_failures(console, failures, "instrument")


def all_failures(reports: Iterable[RunReport]) -> dict[str, str]:
    """Return why instruments have no values, in some timeframe at least."""
    return {name: why for report in reports for name, why in report.failures.items()}


def _counts(reports: Mapping[str, RunReport], outputs: Mapping[str, Path], seconds: float) -> Table:
    read = next(iter(reports.values())).read
    span = f"{read.first:%Y-%m-%d} to {read.last:%Y-%m-%d}" if read.first and read.last else ""
    rate = f"{compact(read.rows_in / seconds)} rows/s" if seconds else ""
    each = partial(_rows_of_all, reports)
    quarantined = any(len(report.quarantine) for report in reports.values())
    provisional = each("provisional", lambda of: len(of.provisional), "in assumed sessions", WARN)
    name = "bars of {size}" if len(reports) > 1 else "bars out"
    rows = (
        (f"{read.rows_in:,}", "rows in", _files(read.sources)),
        (f"{read.accepted:,}", "accepted", span),
        (f"{read.repeated:,}", "repeated", "said again what another row says"),
        *ignored_row(read.ignored_columns),
        *each(
            "quarantined",
            lambda of: len(of.quarantine),
            "see below" if quarantined else "",
            WARN,
        ),
        *each("outside session", lambda of: of.candles.outside_session, "in no bar"),
        *each(
            "no-trade",
            lambda of: of.candles.no_trade,
            "minutes filled without a trade, in no bar",
        ),
        *(
            (f"{report.bars:,}", name.format(size=size), str(outputs[size]))
            for size, report in reports.items()
        ),
        *(row for row in provisional if row[0] != "0"),
        (f"{read.instruments:,}", "instruments", ""),
        *each("failures", lambda of: len(of.failures), "", BAD),
        (f"{seconds:.2f} s", "time", rate),
    )
    return make_counts(rows)


def _rows_of_all(
    reports: Mapping[str, RunReport],
    what: str,
    count: Callable[[RunReport], int],
    note: str,
    style: str = "default",
) -> Iterator[tuple[str, str, str]]:
    """Yield a row with a count; one a timeframe where these differ."""
    counts = {size: count(report) for size, report in reports.items()}
    if len(set(counts.values())) == 1:
        yield colour(next(iter(counts.values())), style), what, note
        return
    for size, found in counts.items():
        yield colour(found, style), f"{what} of {size}", note


def ignored_row(columns: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the row of counts that names columns from which nothing was read, if there are any."""
    return [(f"{len(columns):,}", "ignored columns", some(columns))] if columns else []


def some(columns: Sequence[str]) -> str:
    """Return the first of some columns' names, and how many more there are."""
    shown = ", ".join(columns[:IGNORED_SHOWN])
    rest = len(columns) - IGNORED_SHOWN
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def _files(sources: tuple[str, ...]) -> str:
    return sources[0] if len(sources) == 1 else f"{counted(len(sources), 'file')}"


def show_quarantine(
    console: Console, by_rule: Mapping[str, int], first: pl.DataFrame, verb: str = "run"
) -> None:
    """Print how many rows broke which rule, and where the first of them stand."""
    show_rules(console, by_rule, verb)
    rows = make_table(Column("source", overflow="fold"), number("row"), "rule broken")
    shown = first.select("source", "row", "rule").head(QUARANTINE_PREVIEW)
    for source, row, name in shown.iter_rows():
        # What is found off the grid of its timeframe is found after reading, far from its file.
        rows.add_row(escape(source or "-"), "-" if row is None else f"{row:,}", name)
    console.print()
    console.print(rows)
    show_more(console, sum(by_rule.values()) - len(shown))


def show_assumed(console: Console, sentence: str, verb: str = "run") -> None:
    """Say what is assumed of provisional bars, if there are any."""
    if sentence:
        console.print(f"\n[bold]Provisional[/]\n{escape(in_options(sentence, verb))}")


def say_universe(reports: Mapping[str, RunReport]) -> None:
    """Say on stderr what a universe left out, and whom it names that is not there."""
    by_size = {size: each.universe.sentences() for size, each in reports.items() if each.universe}
    for sentence in dict.fromkeys(each for said in by_size.values() for each in said):
        sizes = [size for size, said in by_size.items() if sentence in said]
        of_some = f"{', '.join(sizes)}: " if len(sizes) < len(reports) else ""
        say(of_some + sentence, err=True)


def show_rules(console: Console, by_rule: Mapping[str, int], verb: str = "run") -> None:
    """Print how many rows broke which rule, and what to do about it."""
    from tallow.data.reading.rules import RULES
    from tallow.runtime.live.live_quarantine import HINTS

    rules = make_table("rule broken", number("rows"), "it asks for", "hint")
    for rule in RULES:
        if count := by_rule.get(rule.name):
            hint = in_options(rule.hint, verb)
            rules.add_row(rule.name, f"{count:,}", escape(rule.text), escape(hint))
    for name in by_rule.keys() - {rule.name for rule in RULES}:
        hint = in_options(HINTS.get(name, ""), verb)
        rules.add_row(name, f"{by_rule[name]:,}", "a live engine can take it", escape(hint))
    console.print("\n[bold]Quarantined[/]")
    console.print(rules)


def show_failures(
    console: Console, failures: Mapping[str, str], what: str, verb: str = "run"
) -> None:
    """Print the first failures with their reasons; `what` names the kind of what failed."""
    table = make_table(Column(what, overflow="fold"), "why")
    for name, why in list(failures.items())[:FAILURES_SHOWN]:
        table.add_row(escape(name), escape(in_options(why, verb)))
    console.print("\n[bold]Failed[/]")
    console.print(table)
    show_more(console, len(failures) - FAILURES_SHOWN)


def show_more(console: Console, count: int) -> None:
    """Say how many rows a table leaves out, if it does."""
    if count > 0:
        console.print(f"[{QUIET}]and {count:,} more[/]")
