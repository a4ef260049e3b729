"""What is said of an indicator, from its declaration: for people, as JSON, and as a JSON schema."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallow.core.operator import CONVENTIONS, PEER, Convention, Indicator, Parameter, Value, Values
from tallow.core.spec import parse_specs

MISSING = {
    "window": "null while a row of the window is missing",
    "recursive": "null on a row that is missing; the state stays as it was",
    "cross": "null on a row that is missing; others are compared without it",
}
"""The policy that follows from an indicator's kind of memory."""


def summary_of(indicator: Indicator) -> dict[str, Any]:
    """Return an indicator in short, as JSON has it."""
    columns, rows = by_default(indicator)
    return {
        "name": indicator.name,
        "aliases": list(indicator.aliases),
        "title": indicator.title,
        "columns": list(columns),
        "memory": indicator.memory,
        "warmup": list(rows),
        "in_default_set": indicator.name in default_names(),
        "package": indicator.advance.__module__.partition(".")[0],
    }


def details_of(indicator: Indicator) -> dict[str, Any]:
    """Return all about an indicator, as JSON has it."""
    return summary_of(indicator) | {
        "example": example_of(indicator),
        "inputs": list(indicator.input_names(usual_values(indicator))),
        "source_input": indicator.source_input(usual_values(indicator)),
        "formula": indicator.formula,
        "seed": indicator.seed,
        "flat": indicator.flat,
        "missing_values": missing_policy(indicator),
        "charts_draw": list(shifts_of(indicator)),
        "reference": indicator.reference,
        "version": indicator.version,
        "parameters": [
            {
                "name": parameter.name,
                "default": parameter.default,
                "minimum": _finite(parameter.minimum),
                "maximum": _finite(parameter.maximum),
                "choices": list(parameter.choices),
                "description": parameter.description,
            }
            for parameter in indicator.parameters
        ],
        "outputs": [
            {
                "name": output.name,
                "column": column,
                "on_request": output.on_request,
                "unit": output.unit,
                "minimum": _finite(output.minimum),
                "maximum": _finite(output.maximum),
                "description": output.description,
            }
            for output, column in zip(
                indicator.outputs,
                indicator.column_names(usual_values(indicator), "tradingview"),
                strict=True,
            )
        ],
        "presets": {name: preset_of(indicator, name) for name in CONVENTIONS},
    }


def preset_of(indicator: Indicator, convention: Convention) -> Mapping[str, Any]:
    """Return the parameters and warm-up of a convention."""
    return {
        "parameters": dict(indicator.presets.get(convention, {})),
        "warmup": list(indicator.warmup(usual_values(indicator, convention))),
    }


def missing_policy(indicator: Indicator) -> str:
    """Say what an indicator makes of missing rows."""
    if PEER in indicator.inputs:
        return "none of its own; null where the other instrument's row is missing"
    return MISSING[indicator.memory]


def by_default(indicator: Indicator) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the columns, and their warm-ups, of whoever names no output."""
    values = usual_values(indicator)
    columns, rows = indicator.column_names(values, "tradingview"), indicator.warmup(values)
    usual = [k for k, output in enumerate(indicator.outputs) if not output.on_request]
    return tuple(columns[k] for k in usual), tuple(rows[k] for k in usual)


def example_of(indicator: Indicator) -> str:
    """Return a spec as people write it: with the first numbers, those that columns are named by."""
    templates = "".join(output.column for output in indicator.outputs)
    shown = itertools.takewhile(lambda p: f"{{{p.name}}}" in templates, indicator.parameters)
    numbers = ", ".join(number_text(parameter.default) for parameter in shown)
    return f"{indicator.name}({numbers})" if numbers else indicator.name


def usual_values(indicator: Indicator, convention: Convention = "tradingview") -> Values:
    """Return the parameters of a convention, where none is given."""
    return indicator.values((), {}, convention)


def default_names() -> set[str]:
    """Return the names of the default set's indicators."""
    return {spec.indicator.name for spec in parse_specs("default")}


def number_text(value: Value) -> str:
    """Return a parameter's value as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _finite(value: float) -> float | None:
    """Return a bound as JSON can say it: null where there is none."""
    return value if math.isfinite(value) else None


def shifts_of(indicator: Indicator) -> Iterator[str]:
    """Yield the outputs that charts draw at another row, and by how many rows."""
    for output, rows in shifted(indicator):
        yield f"{output} {rows}"


def shifted(indicator: Indicator) -> Iterable[tuple[str, str]]:
    """Yield the outputs that charts draw at another row, and at which."""
    yield from ((each.name, "at its extreme") for each in indicator.outputs if each.at_extreme)
    if indicator.shift is None:
        return
    rows = indicator.shift(indicator.values((), {}))
    for output, shift in zip(indicator.outputs, rows, strict=True):
        if shift:
            way = "later" if shift > 0 else "earlier"
            yield output.name, f"{abs(shift)} rows {way}"


def parameters_schema(indicator: Indicator) -> dict[str, Any]:
    """Return a JSON schema of an indicator's parameters by name."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": indicator.name,
        "type": "object",
        "properties": {each.name: _parameter_schema(each) for each in indicator.parameters},
        "additionalProperties": False,
    }


def _parameter_schema(parameter: Parameter) -> dict[str, Any]:
    said = {"description": parameter.description, "default": parameter.default}
    if parameter.is_text:
        return {"type": "string", "minLength": 1, **said}
    if parameter.choices:
        return {"type": "string", "enum": list(parameter.choices), **said}
    limits = {"minimum": parameter.minimum, "maximum": parameter.maximum}
    bounds = {name: value for name, value in limits.items() if math.isfinite(value)}
    kind = "integer" if isinstance(parameter.default, int) else "number"
    return {"type": kind, **bounds, **said}
