"""From specs to a plan: what is computed once, in which columns, how far it looks back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

from tallow.core.arrays import Floats
from tallow.core.errors import SpecError
from tallow.core.limits import PLANS
from tallow.core.operator import PERIODS, RECURSIVE, Indicator, Kernel, Value
from tallow.core.plugins import Registry
from tallow.core.registry import registry
from tallow.core.spec import Spec, check_convention, parse_specs

Indicators = str | Iterable[str | Spec]


@dataclass(frozen=True)
class Operation:
    """One indicator to run: each kernel output's column, or None where it was not asked for."""

    indicator: Indicator
    advance: Kernel
    values: dict[str, Value]
    inputs: tuple[str, ...]
    parameters: Floats
    columns: tuple[str | None, ...]


@dataclass(frozen=True)
class Plan:
    """What to compute, each indicator once, and the columns in the order asked for."""

    operations: tuple[Operation, ...]
    columns: tuple[str, ...]
    warmup: dict[str, int]
    """Leading null rows of each column."""
    history_rows: int | None
    """Earlier rows that make every value of a range exact, or None where they must reach back to
    the instrument's first row (or a snapshot)."""
    convention: str

    @cached_property
    def anchors(self) -> tuple[str, ...]:
        """The period numbers (session, week, month) that some indicator takes as input."""
        used = {name for operation in self.operations for name in operation.inputs}
        return tuple(name for name in PERIODS if name in used)


def make_plan(
    indicators: Indicators, convention: str = "tradingview", taken: Iterable[str] = ()
) -> Plan:
    """Read specs and plan them; `taken` are columns that the result has already.

    What was planned last is kept: a caller asks for the same again and again. `SpecError` or
    `ParameterError` if a spec cannot be read, or two of them want one column for different things.
    """
    asked = tuple(indicators) if isinstance(indicators, list) else indicators
    texts = asked if isinstance(asked, tuple) else (asked,)
    if all(isinstance(each, str) for each in (*texts, convention)):
        return _kept_plan(cast("Hashable", asked), convention, tuple(taken), registry())
    return _plan(asked, convention, taken)


@lru_cache(maxsize=PLANS)
def _kept_plan(
    asked: Any, convention: str, taken: tuple[str, ...], _found: Registry[Indicator]
) -> Plan:
    """Return the plan of texts, made once as long as the same indicators exist."""
    return _plan(asked, convention, taken)


def _plan(indicators: Indicators, convention: str, taken: Iterable[str]) -> Plan:
    specs = parse_specs(indicators, convention)
    owner: dict[str, str] = dict.fromkeys(taken, "the candles")
    wanted: dict[str, dict[str, str]] = {}
    firsts: dict[str, Spec] = {}
    for spec in specs:
        firsts.setdefault(spec.text, spec)
        for output, column in zip(spec.outputs, spec.columns, strict=True):
            if owner.setdefault(column, spec.text) != spec.text:
                raise SpecError(
                    f"indicators: {spec.text} and {owner[column]} both want column {column!r}; "
                    "ask for them in two runs"
                )
            wanted.setdefault(spec.text, {})[output] = column
    operations = tuple(_operation(firsts[text], columns) for text, columns in wanted.items())
    warmup = {
        column: rows
        for operation in operations
        for column, rows in zip(
            operation.columns, operation.indicator.warmup(operation.values), strict=True
        )
        if column is not None
    }
    recursive = any(o.indicator.memory == RECURSIVE for o in operations)
    return Plan(
        operations=operations,
        columns=tuple(column for column in owner if column in warmup),
        warmup=warmup,
        history_rows=None if recursive else max(warmup.values(), default=0),
        convention=check_convention(convention),
    )


def _operation(spec: Spec, columns: dict[str, str]) -> Operation:
    values = dict(spec.values)
    return Operation(
        indicator=spec.indicator,
        advance=spec.indicator.kernel(values),
        values=values,
        inputs=spec.indicator.input_names(values),
        parameters=spec.indicator.kernel_parameters(values),
        columns=tuple(columns.get(output.name) for output in spec.indicator.outputs),
    )
