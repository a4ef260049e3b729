"""What `tallow compare` prints: the verdict first, then series, causes in words, and flips."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from tallow.core.text import counted
from tallow.migrate.compare import Comparison
from tallow.migrate.compare.counts import ValueCounts, WorstRow, cause_name
from tallow.migrate.compare.words import (
    MARKS,
    CauseRow,
    cause_rows,
    local_text,
    span_text,
    value_text,
)
from tallow.migrate.pairs import Cause
from tallow.serve.console import (
    BAD,
    GOOD,
    QUIET,
    WARN,
    colour,
    compact,
    make_table,
    next_text,
    number,
)
from tallow.serve.report import show_failures

VERB = "compare"
WORST_SHOWN = 5
MANY = 100_000
WHY_WIDTH = 25
"""As wide as the longest cause."""

WIDE = 100
"""Columns of a terminal below which tables leave out why, and where first: the page has it."""

STYLES = {
    "go": GOOD, "no-go": BAD, "inconclusive": WARN, "pass": GOOD, "fail": BAD, "open": WARN,
}  # fmt: skip


def show_comparison(
    console: Console, comparison: Comparison, files: Sequence[str], again: str
) -> None:
    """Print the comparison, the `files` written, and the command that compares `again`."""
    zone = comparison.zone
    console.print(_outcome(comparison))
    console.print(_criteria(comparison))
    console.print()
    console.print(_facts(comparison, zone))
    console.print()
    is_wide = console.width >= WIDE
    console.print(_series(comparison, is_wide))
    _show_not_compared(console, comparison)
    causes = cause_rows(comparison.values.series())
    if causes:
        console.print("\n[bold]Why values differ[/]")
        console.print(_causes(causes))
    worst = _worst(comparison)
    if worst:
        console.print("\n[bold]Worst[/]")
        console.print(_worst_table(worst, zone, is_wide))
    if comparison.values.flips:
        console.print("\n[bold]Decisions that flip[/]")
        console.print(_flips(comparison, zone, is_wide))
    for side in (comparison.control, comparison.candidate):
        if side.errors:
            console.print(f"\n{escape(side.name)} could not answer for {len(side.errors):,}:")
            show_failures(console, side.errors, "instrument", VERB)
    # Again: the first lines may be far above.
    console.print("\n", _outcome(comparison), sep="")
    # Not wrapped: a command is copied whole.
    console.print(_next(files, again), soft_wrap=True)


def _facts(comparison: Comparison, zone: str) -> Table:
    values, request, noise = comparison.values, comparison.request, comparison.noise
    both, control, candidate = values.rows
    bars = f"{both:,} on both sides"
    bars += f", {control:,} only on the control's" if control else ""
    bars += f", {candidate:,} only on the candidate's" if candidate else ""
    given, asked = len(request.candles), counted(len(values.instruments), "instrument")
    candles = f"{given:,} of {asked}, for both sides"
    floor = f"the control asked twice repeats {counted(noise.compared, 'value')}"
    if noise.differing:
        series = ", ".join(f"{name} {count:,}" for name, count in noise.series.items())
        floor = (
            f"[{WARN}]the control differs from itself in {noise.differing:,} of "
            f"{counted(noise.compared, 'value')}: {escape(series)}[/]"
        )
    table = Table.grid(Column(style=QUIET, no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    rows = (
        ("control", f"[bold]{escape(comparison.control.name)}[/]  {comparison.control.version}"),
        (
            "candidate",
            f"[bold]{escape(comparison.candidate.name)}[/]  {comparison.candidate.version}",
        ),
        ("bars", f"{request.timeframe}, {span_text(values, zone)}; {bars}"),
        ("candles", candles if len(request.candles) else "none: stored values on both sides"),
        ("noise floor", floor),
    )
    for name, text in rows:
        table.add_row(name, text)
    return table


def _series(comparison: Comparison, is_wide: bool) -> Table:
    """Return counts by series; a narrow table has the number without a cause, not the causes."""
    heads = ["compared", "same", "different", "missing", "unexplained"]
    if is_wide:
        heads = ["compared", "equal", "rounded", "near", "different", "missing"]
    last = [_why_column()] if is_wide else []
    table = make_table(Column("series", no_wrap=True), *map(number, heads), *last)
    for name, counts in comparison.values.series().items():
        table.add_row(escape(name), *_counts(counts, is_wide), *([_why(counts)] if is_wide else []))
    table.add_section()
    total = comparison.values.total()
    share = (
        f"[{BAD}]{total.unexplained:,} unexplained[/]"
        if total.unexplained
        else "none unexplained"
        if total.differing
        else ""
    )
    table.add_row("all", *_counts(total, is_wide), *([share] if is_wide else []))
    return table


def _counts(counts: ValueCounts, is_wide: bool) -> tuple[str, ...]:
    missing = counts.only_control + counts.only_candidate
    compared = short(counts.compared)
    if not is_wide:
        parts = map(short, (counts.same, counts.different, missing))
        return (compared, *parts, colour(counts.unexplained, BAD))
    parts = map(short, (counts.equal, counts.rounded, counts.tolerated, counts.different, missing))
    return (compared, *parts)


def short(count: int) -> str:
    """Format a count so that a row fits a terminal: exactly up to a hundred thousand.

    Examples
    --------
    >>> short(12), short(99_999), short(299_551)
    ('12', '99,999', '300k')
    """
    if not count:
        return f"[{QUIET}]-[/]"
    return f"{count:,}" if count < MANY else compact(count)


def _why(counts: ValueCounts) -> str:
    unexplained = cause_name(Cause.UNEXPLAINED)
    texts = []
    for name, count in counts.causes.most_common():
        style = BAD if name == unexplained else QUIET
        # The number is shown only where it is not that of all differing values.
        texts.append(f"[{style}]{name}{'' if count == counts.differing else f' {short(count)}'}[/]")
    return ", ".join(texts)


def _show_not_compared(console: Console, comparison: Comparison) -> None:
    names = comparison.values.names
    for side, only in (("control", names.only_control), ("candidate", names.only_candidate)):
        if only:
            series = escape(", ".join(only))
            console.print(f"[{QUIET}]not compared, only the {side} has it: {series}[/]")


def _causes(rows: Sequence[CauseRow]) -> Table:
    table = make_table(Column("cause", no_wrap=True), number("values"), "what it is")
    unexplained = cause_name(Cause.UNEXPLAINED)
    for row in rows:
        name = f"[{BAD}]{row.name}[/]" if row.name == unexplained else row.name
        table.add_row(name, f"{row.count:,}", escape(row.text))
    return table


def _worst(comparison: Comparison) -> list[WorstRow]:
    """Return the worst row of each series, the worst of them first."""
    firsts = (rows[0] for rows in comparison.values.worst.values() if rows)
    return sorted(firsts, key=WorstRow.rank)[:WORST_SHOWN]


def _worst_table(rows: Sequence[WorstRow], zone: str, is_wide: bool) -> Table:
    heads = ("series", Column("instrument", overflow="fold"), Column("bar", no_wrap=True))
    last = [_why_column()] if is_wide else []
    table = make_table(*heads, number("control"), number("candidate"), *last)
    for row in rows:
        values = map(value_text, row.values())
        time = local_text(row.timestamp, zone)
        why = [", ".join(row.causes)] if is_wide else []
        table.add_row(row.series, escape(row.instrument), time, *values, *why)
    return table


def _why_column() -> Column:
    return Column("why", min_width=WHY_WIDTH)


def _flips(comparison: Comparison, zone: str, is_wide: bool) -> Table:
    heads = map(number, ("control", "candidate", "same", "flipped", "unexplained"))
    table = make_table(Column("rule", no_wrap=True), *heads, *(["first"] if is_wide else []))
    for name, counts in comparison.values.flips.items():
        first = ""
        if counts.first:
            flip = counts.first[0]
            time = local_text(flip.timestamp, zone)
            first = f"{time} {flip.control} -> {flip.candidate}"
        decisions = (counts.control, counts.candidate, counts.same)
        flips = (f"{counts.flipped:,}", colour(counts.unexplained, BAD))
        last = [first] if is_wide else []
        table.add_row(escape(name), *(f"{count:,}" for count in decisions), *flips, *last)
    return table


def _outcome(comparison: Comparison) -> Text:
    verdict = comparison.verdict
    outcome, _, rest = verdict.text.partition(":")
    return Text.assemble((outcome.upper(), f"bold {STYLES[verdict.outcome]}"), f":{rest}")


def _criteria(comparison: Comparison) -> Table:
    """Return the criteria: GO or NO-GO, the figures, and below them what was asked for."""
    table = Table.grid(
        Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0)
    )
    for each in comparison.verdict.criteria:
        mark = Text(MARKS[each.result], STYLES[each.result])
        table.add_row(mark, each.name, Text.assemble(each.text, (f" ({each.rule})", QUIET)))
    if comparison.measured_instrument is not None:
        where = (
            f"{comparison.measured_instrument}, {counted(comparison.measured_candles, 'candle')}"
        )
        table.add_row("", "", Text(f"time and memory: of one request, {where}", QUIET))
    return table


def _next(files: Sequence[str], again: str) -> Text:
    text = Text("".join(f"report: {file}\n" for file in files))
    commands = [] if any(map(is_page, files)) else [f"{again} --html report.html"]
    commands.append(f"{again} --json | jq .series")
    return text.append_text(next_text(commands))


def is_page(file: str) -> bool:
    """Say whether a report is the web page."""
    return file.lower().endswith((".html", ".htm"))
