"""`tallow indicators`: what can be computed, from the declarations alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table

from tallow.core.described import (
    by_default,
    default_names,
    details_of,
    example_of,
    missing_policy,
    number_text,
    shifts_of,
    summary_of,
    usual_values,
)
from tallow.core.errors import ParameterError, excerpt
from tallow.core.operator import CONVENTIONS, Indicator
from tallow.core.registry import registry
from tallow.serve.console import QUIET, make_console, make_table, number, print_json
from tallow.serve.new_indicator import create_indicator

OWN_PACKAGE = "tallow"


KINDS = {
    "window": "window: a function of the last rows",
    "recursive": "recursive: a function of all rows",
    "cross": "cross: a function of all instruments' rows at one bar time",
}
"""What an indicator's values depend on, by its kind of memory."""

SOURCES = "sma(20, source=hl2), ema(rsi(14), 9), sma(bollinger(20, 2)[upper], 5)"
"""Examples of sources and chains."""

_COMPARED = "Among all instruments"

SCALES = {
    **dict.fromkeys(("price", "price difference"), "In units of price"),
    "0..100": "From 0 to 100",
    "percent": "In percent",
    "units": "In units traded",
    **dict.fromkeys(("place", "0..1", "deviations", "its own"), _COMPARED),
    "pattern": "Candle patterns",
}
"""Headings by the unit of an indicator's first output; another unit is its own heading."""


def show_indicators(name: str | None, own: str | None, json: bool) -> int:
    """Print every indicator, or all about one; or write one's own; return the exit code."""
    if name == "new":
        return create_indicator(own)
    if own is not None:
        raise ParameterError(f"indicators: {excerpt(own)}; one name is shown at a time")
    return show_all(json) if name is None else show_one(name, json)


def show_all(as_json: bool) -> int:
    """Print every indicator; return the exit code."""
    found = sorted(registry().by_name.values(), key=lambda indicator: indicator.name)
    if as_json:
        print_json([summary_of(indicator) for indicator in found])
        return 0
    console = make_console()
    table = make_table(
        Column("name", no_wrap=True), "title", "columns by default", "memory", number("warm-up")
    )
    for heading, group in _by_scale(found).items():
        table.add_row(f"[bold]{escape(heading)}[/]")
        for indicator in group:
            table.add_row(*_row(indicator))
        table.add_row()
    console.print(table)
    console.print(
        f"[{QUIET}]* in the default set.  warm-up: leading rows without a value.\n"
        "memory: window, a function of the last rows; recursive, of all rows;\n"
        "cross, of all instruments' rows at one bar time.\n"
        f"{escape(_other_names(found))}\n"
        "source: what takes one price can take another, or any indicator's output:\n"
        f"{escape(SOURCES)}[/]\n\n"
        "tallow indicators NAME shows the parameters, formula and conventions of one."
    )
    return 0


def show_one(name: str, as_json: bool) -> int:
    """Print all about one indicator; return the exit code.

    `SpecError` if there is none of this name; the message lists near matches.
    """
    indicator = registry().find(name)
    if as_json:
        print_json(details_of(indicator))
        return 0
    console = make_console()
    console.print(f"[bold]{indicator.name}[/]  {escape(indicator.title)}{_origin(indicator)}\n")
    console.print(_facts(indicator))
    if indicator.parameters:
        _section(console, "Parameters", _parameters(indicator))
    _section(console, "Outputs", _outputs(indicator))
    _section(console, "Conventions", _conventions(indicator))
    _section(console, "Try", f'tallow run candles.csv -i "{example_of(indicator)}" -o bars.parquet')
    return 0


def _by_scale(indicators: Iterable[Indicator]) -> dict[str, list[Indicator]]:
    groups: dict[str, list[Indicator]] = {heading: [] for heading in SCALES.values()}
    for indicator in indicators:
        unit = indicator.outputs[0].unit
        groups.setdefault(SCALES.get(unit, unit), []).append(indicator)
    return {heading: group for heading, group in groups.items() if group}


def _other_names(indicators: Iterable[Indicator]) -> str:
    """Return the aliases in a sentence."""
    named = [
        f"{', '.join(each.aliases)} for {each.name}"
        for each in indicators
        if each.aliases and each.family is None
    ]
    return f"other names: {'; '.join(named)}; TA-Lib's of candle patterns, as CDLHAMMER."


def _row(indicator: Indicator) -> tuple[str, ...]:
    columns, rows = by_default(indicator)
    mark = "*" if indicator.name in default_names() else ""
    title = escape(indicator.title) + _origin(indicator)
    warmup = _compact_warmup(rows)
    return indicator.name + mark, title, escape(", ".join(columns)), indicator.memory, warmup


def _facts(indicator: Indicator) -> Table:
    values = usual_values(indicator)
    facts = {
        "formula": indicator.formula,
        "example": example_of(indicator),
        "other names": ", ".join(indicator.aliases) or "none",
        "reads": ", ".join(indicator.input_names(values)),
        "source": _source(indicator),
        "memory": KINDS[indicator.memory],
        "seed": indicator.seed,
        "flat case": indicator.flat,
        "missing values": missing_policy(indicator),
        "charts draw": ", ".join(shifts_of(indicator)) or "each value at its row",
        "reference": indicator.reference,
        "version": f"{indicator.version}; raised when a value changes",
    }
    table = Table.grid(Column(style=QUIET, no_wrap=True), "", padding=(0, 2))
    for name, text in facts.items():
        table.add_row(name, escape(text))
    return table


def _source(indicator: Indicator) -> str:
    """Say what may stand in the place of the indicator's own input."""
    own = indicator.source_input(usual_values(indicator))
    if own is None:
        return "none: it takes these of every row"
    other = "hl2" if own != "volume" else "close"
    return f"instead of {own}: {indicator.name}(source={other}), {indicator.name}(rsi(14))"


def _parameters(indicator: Indicator) -> Table:
    table = make_table("name", number("default"), "accepts", "meaning")
    for parameter in indicator.parameters:
        table.add_row(
            parameter.name,
            number_text(parameter.default),
            parameter.rule,
            escape(parameter.description),
        )
    return table


def _outputs(indicator: Indicator) -> Table:
    values = usual_values(indicator)
    table = make_table("name", "column", "unit", "bounds", number("warm-up"), "meaning")
    columns = indicator.column_names(values, "tradingview")
    for output, column, rows in zip(
        indicator.outputs, columns, indicator.warmup(values), strict=True
    ):
        table.add_row(
            output.name,
            column,
            output.unit,
            "" if output.names else _bounds(output.minimum, output.maximum),
            str(rows),
            escape(output.description + "; where it is named" * output.on_request),
        )
    return table


def _conventions(indicator: Indicator) -> Table:
    table = make_table("", "parameters by default", number("warm-up"))
    for convention in CONVENTIONS:
        values = indicator.values((), {}, convention)
        preset = indicator.presets.get(convention, {})
        given = ", ".join(f"{name}={number_text(value)}" for name, value in preset.items())
        table.add_row(convention, given or "as above", _compact_warmup(indicator.warmup(values)))
    return table


def _section(console: Console, title: str, body: Table | str) -> None:
    console.print(f"\n[bold]{title}[/]")
    if isinstance(body, str):
        # Not wrapped: a command is copied whole.
        console.print("  " + body, markup=False, soft_wrap=True)
    else:
        console.print(Padding(body, (0, 0, 0, 2)))


def _origin(indicator: Indicator) -> str:
    """Say which package an indicator comes from, where it is not ours."""
    package = indicator.advance.__module__.partition(".")[0]
    return "" if package == OWN_PACKAGE else f" [{QUIET}](from {escape(package)})[/]"


def _compact_warmup(rows: tuple[int, ...]) -> str:
    return str(rows[0]) if len(set(rows)) == 1 else ", ".join(map(str, rows))


def _bounds(minimum: float, maximum: float) -> str:
    if math.isinf(minimum) and math.isinf(maximum):
        return ""
    if math.isinf(maximum):
        return f">= {minimum:g}"
    return f"<= {maximum:g}" if math.isinf(minimum) else f"{minimum:g}..{maximum:g}"
