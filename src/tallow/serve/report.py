"""The report that ends `tallow run`: where every row went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tallow.core.limits import QUARANTINE_PREVIEW
from tallow.serve.console import BAD, QUIET, WARN, compact, make_table, number
from tallow.serve.wording import in_options

if TYPE_CHECKING:
    from tallow.runtime.results import RunReport

FAILURES_SHOWN = 10
"""Failed instruments that a report names; `--json` has them all."""


def show_report(console: Console, report: RunReport, output: str, seconds: float) -> None:
    """Print the counts, then the quarantine and the failures where there are any."""
    console.print(_counts(report, output, seconds))
    if len(report.quarantine):
        _show_quarantine(console, report)
    if report.failures:
        _show_failures(console, report)


def _counts(report: RunReport, output: str, seconds: float) -> Table:
    read, candles = report.read, report.candles
    span = f"{read.first:%Y-%m-%d} to {read.last:%Y-%m-%d}" if read.first and read.last else ""
    rate = f"{compact(read.rows_in / seconds)} rows/s" if seconds else ""
    set_aside = len(report.quarantine)
    table = Table.grid(number(""), "", "", padding=(0, 2))
    rows = (
        (f"{read.rows_in:,}", "rows in", _files(read.sources)),
        (f"{read.accepted:,}", "accepted", span),
        (f"{read.repeated:,}", "repeated", "said again what another row says"),
        (_marked(set_aside, WARN), "quarantined", "set aside, see below" if set_aside else ""),
        (f"{candles.outside_session:,}", "outside session", "in no bar"),
        (f"{candles.no_trade:,}", "no-trade", "minutes filled without a trade, in no bar"),
        (f"{report.bars:,}", "bars out", escape(output)),
        (f"{read.instruments:,}", "instruments", ""),
        (_marked(len(report.failures), BAD), "failures", ""),
        (f"{seconds:.2f} s", "time", rate),
    )
    for count, name, note in rows:
        table.add_row(count, name, f"[{QUIET}]{note}[/]" if note else "")
    return table


def _files(sources: tuple[str, ...]) -> str:
    return escape(sources[0]) if len(sources) == 1 else f"{len(sources):,} files"


def _marked(count: int, style: str) -> str:
    return f"[{style}]{count:,}[/]" if count else "0"


def _show_quarantine(console: Console, report: RunReport) -> None:
    from tallow.data.quarantine import count_by_rule
    from tallow.data.rules import RULES

    known = {rule.name: rule for rule in RULES}
    rules = make_table("rule broken", number("rows"), "it asks for", "hint")
    for name, count in count_by_rule(report.quarantine).items():
        rules.add_row(
            name, f"{count:,}", escape(known[name].text), escape(in_options(known[name].hint))
        )
    console.print("\n[bold]Quarantined[/]")
    console.print(rules)
    rows = make_table(Column("source", overflow="fold"), number("row"), "rule broken")
    for source, row, rule in (
        report.quarantine.select("source", "row", "rule").head(QUARANTINE_PREVIEW).iter_rows()
    ):
        # What is found off the grid of its timeframe is found after reading, far from its file.
        rows.add_row(escape(source or "-"), "-" if row is None else f"{row:,}", rule)
    console.print()
    console.print(rows)
    if (more := len(report.quarantine) - QUARANTINE_PREVIEW) > 0:
        console.print(f"[{QUIET}]and {more:,} more[/]")


def _show_failures(console: Console, report: RunReport) -> None:
    table = make_table("instrument", "why it has no values")
    for name, why in list(report.failures.items())[:FAILURES_SHOWN]:
        table.add_row(escape(name), escape(in_options(why)))
    console.print("\n[bold]Failed[/]")
    console.print(table)
    if (more := len(report.failures) - FAILURES_SHOWN) > 0:
        console.print(f"[{QUIET}]and {more:,} more[/]")
