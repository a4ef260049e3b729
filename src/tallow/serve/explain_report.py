"""What `tallow explain` shows: a value, what stands beside it, then where each part is from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tallow.core.text import counted
from tallow.explain.explanation import (
    Beside,
    ExplainedCandle,
    ExplainedValue,
    Explanation,
    Number,
    SessionFacts,
)
from tallow.serve.console import QUIET, make_table, number, number_cells
from tallow.serve.report import show_more
from tallow.serve.wording import in_options

CANDLES_SHOWN = 20
"""Candles in the terminal; JSON has them all."""

VERB = "explain"
Line = tuple[str, str]


def show_explanation(console: Console, found: Explanation) -> None:
    """Print an explanation, with times as they are in it."""
    console.print(
        f"[bold]{escape(found.column)}[/] of [bold]{escape(found.instrument)}[/], "
        f"{found.timeframe} bar of {_time(found.at)}"
    )
    console.print()
    console.print(_lines(_value_lines(found)))
    for title, lines in _sections(found):
        console.print(f"\n[bold]{title}[/]")
        console.print(_lines(lines))
    if found.candles:
        console.print("\n[bold]Candles[/]")
        console.print(_candle_table(found.candles[:CANDLES_SHOWN]))
        show_more(console, len(found.candles) - CANDLES_SHOWN)
        console.print()
        console.print(_lines(_source_lines(found.candles)))
    for note in found.notes:
        console.print(f"\n[{QUIET}]{escape(in_options(note, VERB))}[/]")


def _value_lines(found: Explanation) -> Iterator[Line]:
    yield "value", _number(found.value)
    if found.why_null:
        yield "why", in_options(found.why_null, VERB)
    if found.computed is not None:
        yield "beside", _beside(found.computed.beside, found.value)


def _beside(beside: Beside, value: Number) -> str:
    if beside.note:
        return beside.note
    said = f"{_number(beside.value)} by the textbook version, of {counted(beside.rows, 'row')}"
    if isinstance(value, str) or value is None or beside.value is None:
        return said
    return f"{said}; difference {value - beside.value:.3g}"


def _sections(found: Explanation) -> Iterator[tuple[str, Iterator[Line]]]:
    yield "Bar", _bar_lines(found)
    if found.computed is not None:
        yield "Indicator", _indicator_lines(found.computed, is_source=False)
        inner = found.computed.source
        if inner is not None:
            yield "Its source", _indicator_lines(inner, is_source=True)
    yield "Session", _session_lines(found.session)
    yield "Origin", _origin_lines(found)


def _bar_lines(found: Explanation) -> Iterator[Line]:
    bar = found.bar
    if bar is None:
        yield "", "there is none"
        return
    prices = number_cells("close", [bar.open, bar.high, bar.low, bar.close])
    yield (
        "prices",
        "  ".join(
            f"{name} {price}"
            for name, price in zip(("open", "high", "low", "close"), prices, strict=True)
        ),
    )
    yield "volume", number_cells("volume", [bar.volume])[0]
    yield "until", f"{_time(bar.ends)}, {'final' if bar.is_final else 'forming: it may change'}"
    yield "made of", counted(bar.candles, "candle")


def _indicator_lines(computed: ExplainedValue, *, is_source: bool) -> Iterator[Line]:
    facts, warm_up = computed.indicator, computed.warm_up
    if is_source:
        yield "value", _number(computed.value)
        if computed.why_null:
            yield "why", in_options(computed.why_null, VERB)
        yield "beside", _beside(computed.beside, computed.value)
    yield "name", f"{facts.title}: {facts.spec}, version {facts.version}"
    yield "formula", facts.formula
    yield "parameters", ", ".join(f"{name}={value}" for name, value in facts.parameters.items())
    yield "of", ", ".join(facts.inputs)
    yield "convention", f"{facts.convention}; seed: {facts.seed}; flat: {facts.flat}"
    yield "reference", facts.reference
    begins = "not yet" if warm_up.begins_at is None else _time(warm_up.begins_at)
    needed = f"{counted(warm_up.rows, 'bar')} before the first value, which is at: {begins}"
    yield "warm-up", f"{needed}; {counted(warm_up.before, 'bar')} before this one"
    if computed.population is not None:
        said = computed.population
        yield "population", f"{said.size:,} with a value, of {said.bars:,} with a bar"


def _session_lines(session: SessionFacts) -> Iterator[Line]:
    parts = [f"{_clock(a)} to {_clock(z)}" for a, z in session.segments]
    which = "" if session.segment is None else f"; the bar is in number {session.segment}"
    yield "date", f"{session.date}, {session.kind} by {session.calendar}"
    yield "trading", ", ".join(parts) + (which if len(parts) > 1 else "")
    yield "stated by", session.stated_by


def _origin_lines(found: Explanation) -> Iterator[Line]:
    yield "cache", f"{found.origin.cache}: {found.origin.began}"
    if found.origin.known_until is not None:
        yield "known until", f"{found.origin.known_until.isoformat(' ')}"
    factors = {(each.price_factor, each.volume_factor) for each in found.candles} - {(1.0, 1.0)}
    said = [
        f"prices x {_number(price)}, volume x {_number(volume)}"
        for price, volume in sorted(factors, key=str)
    ]
    yield "prices", "; ".join([found.adjustment, *said])
    if found.origin.snapshot is not None:
        yield "snapshot", f"before {_time(found.origin.snapshot)}"
    for each in found.joins:
        start = "" if each.start is None else f" from {_time(each.start)}"
        end = "" if each.end is None else f" until {_time(each.end)}"
        yield "history", f"{each.key}{start}{end}"


def _candle_table(candles: tuple[ExplainedCandle, ...]) -> Table:
    prices = ("open", "high", "low", "close", "volume")
    table = make_table("opens", *map(number, (*prices, "revision")), "received", number("entry"))
    cells = [number_cells(name, [getattr(each, name) for each in candles]) for name in prices]
    for k, each in enumerate(candles):
        received = "-" if each.received_at is None else _time(each.received_at)
        numbers = ("-" if n is None else str(n) for n in (each.revision, each.entry))
        revision, entry = numbers
        table.add_row(
            _clock(each.opens), *(column[k] for column in cells), revision, received, entry
        )
    return table


def _source_lines(candles: tuple[ExplainedCandle, ...]) -> Iterator[Line]:
    """Say what each candle was read from, once for all that came together."""
    came = {(each.entry, each.key, each.adjustment, each.source or "-") for each in candles}
    for entry, key, adjustment, source in sorted(came, key=str):
        name = "source" if entry is None else f"entry {entry}"
        yield name, f"{source}: {adjustment} candles of {key}"


def _lines(lines: Iterator[Line]) -> Table:
    """Return a table of what is said and its name; nothing of it is cut off."""
    table = Table.grid("", Column(overflow="fold"), padding=(0, 2))
    for name, said in lines:
        if said:
            table.add_row(f"[{QUIET}]{name}[/]", escape(said))
    return table


def _number(value: Number) -> str:
    if value is None:
        return "null"
    return value or "(none)" if isinstance(value, str) else f"{value:,.10g}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}".removesuffix(":00")
