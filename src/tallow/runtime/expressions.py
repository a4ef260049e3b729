"""``pl.col("close").tallow.ema(9).over("instrument")``: indicators as Polars expressions.

Registered by ``import tallow`` if Polars was imported before, else by the first use of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from tallow.core.errors import SpecError, excerpt
from tallow.core.operator import COLUMNS, PEER, YEAR_ROWS, Indicator, Value
from tallow.core.registry import registry
from tallow.core.spec import Spec, check_convention, make_spec, parse_specs
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine
from tallow.runtime.output_kinds import output_columns, output_types


@pl.api.register_expr_namespace("tallow")
class TallowExpressions:
    """Every indicator as a method, with its own parameters.

    The expression is the close or, where an indicator takes none, its first input; the other inputs
    are the columns of their names, or expressions given by keyword (``high=pl.col("h")``). Rows are
    taken as one series in their order, so use ``.over("instrument")`` for several instruments; and
    ``.over("timestamp")`` where instruments are compared, as by ``cs_rank()``. The
    result is float64 with nulls; of several outputs, a struct, or the one named by ``output=``.
    Anchored indicators (vwap) need a calendar: `tallow.AnalyticsEngine` has it. Volatilities of a
    year need one or ``rows_per_year=``.

    A text is read as everywhere, with chains and sources, and then the expression is the close:
    ``pl.col("close").tallow("ema(rsi(14), 9)")``, ``...tallow("sma(20, source=hl2)")``.

    Examples
    --------
    >>> frame = pl.DataFrame({"instrument": ["A", "A", "B"], "close": [1.0, 3.0, 5.0]})
    >>> frame.select(pl.col("close").tallow.sma(2).over("instrument")).to_series().to_list()
    [None, 2.0, None]
    """

    def __init__(self, expression: pl.Expr) -> None:
        self._expression = expression

    def __call__(
        self,
        text: str,
        *,
        output: str | None = None,
        convention: str = "tradingview",
        **inputs: pl.Expr,
    ) -> pl.Expr:
        """Return the expression of one indicator in text, such as ``ema(rsi(14), 9)``."""
        return _of_text(self._expression, text, output, convention, inputs)

    def __dir__(self) -> list[str]:
        return sorted(registry().by_name)

    def __getattr__(self, name: str) -> Callable[..., pl.Expr]:
        """Return the method that makes the indicator's expression."""
        if name.startswith("_"):
            raise AttributeError(name)
        indicator = registry().find(name)

        def make(
            *values: Value, output: str | None = None, convention: str = "tradingview", **named: Any
        ) -> pl.Expr:
            return _expression(self._expression, indicator, values, output, convention, named)

        make.__name__, make.__doc__ = name, f"{indicator.title}: {indicator.formula}."
        return make


def _expression(
    expression: pl.Expr,
    indicator: Indicator,
    positional: tuple[Value, ...],
    output: str | None,
    convention: str,
    named: dict[str, Any],
) -> pl.Expr:
    """Return the expression of an indicator; the expression that is given is its own input."""
    known = check_convention(convention)
    if indicator.source_input(indicator.values((), {})) is not None and "source" in named:
        raise SpecError(
            f"{indicator.name}: source={excerpt(named['source'])}; is the expression itself; give "
            f'pl.col("close").tallow.rsi(14).tallow.ema(9), or the text of the whole: '
            'pl.col("close").tallow("ema(rsi(14), 9)")'
        )
    inputs = {name: named.pop(name) for name in indicator.inputs if name in named}
    values = indicator.values(positional, named, known)
    spec = make_spec(indicator, values, known)
    names, machine = _machine(spec)
    own = "close" if "close" in names else names[0]
    if own in inputs:
        raise SpecError(
            f"{indicator.name}: {own}; is the expression itself; give the others by name"
        )
    return _computed(machine, spec, names, {**inputs, own: expression}, output)


def _of_text(
    expression: pl.Expr,
    text: str,
    output: str | None,
    convention: str,
    inputs: dict[str, pl.Expr],
) -> pl.Expr:
    """Return the expression of a spec's text; the expression that is given is the close."""
    specs = parse_specs(text, convention)
    if len(specs) != 1:
        raise SpecError(f"{excerpt(text)}; must be one indicator, such as ema(rsi(14), 9)")
    names, machine = _machine(specs[0])
    taken = [name for name in inputs if name not in names or name == "close"]
    if taken:
        raise SpecError(
            f"{specs[0].text}: {taken[0]}=; takes {', '.join(names)}, where close is the "
            "expression itself; give the others by name"
        )
    # Else it would be left out without a word.
    usual = [pl.col(name) for name in ("close", *names)]
    if "close" not in names and not any(expression.meta == each for each in usual):
        raise SpecError(
            f"{specs[0].text}: takes {', '.join(names)}, and not the close, which the expression "
            f'is; give {names[0]}= by name, behind pl.col("close")'
        )
    return _computed(machine, specs[0], names, {**inputs, "close": expression}, output)


def _machine(spec: Spec) -> tuple[list[str], Machine]:
    """Return the columns of candles that a spec takes, and the machine that computes it.

    `SpecError` if it takes what the rows of an expression do not have.
    """
    plan = make_plan([spec])
    made = {*plan.columns, *plan.hidden}
    inputs = {name for each in plan.every_operation for name in each.inputs if name not in made}
    if plan.phases:
        phase, *others = plan.phases
        if others or plan.operations:
            raise SpecError(
                f"{spec.text}: goes on from instruments to moments or back; use "
                "AnalyticsEngine.calculate_indicators"
            )
        # Of one indicator that compares rows, those are of one moment.
        plan = replace(plan, operations=phase.operations, columns=phase.columns, phases=())
    lacking = inputs.difference(COLUMNS)
    if all(
        each.values.get("rows_per_year") for each in plan.operations if YEAR_ROWS in each.inputs
    ):
        lacking.discard(YEAR_ROWS)
    for name in sorted(lacking):
        lacks = "the instruments' names" if name.startswith(PEER) else "a calendar"
        lacks += ", or its rows_per_year" if name == YEAR_ROWS else ""
        raise SpecError(
            f"{spec.indicator.name}: needs {lacks}; use AnalyticsEngine.calculate_indicators"
        )
    return [name for name in COLUMNS if name in inputs], Machine(plan)


def _computed(
    machine: Machine,
    spec: Spec,
    names: list[str],
    inputs: dict[str, pl.Expr],
    output: str | None,
) -> pl.Expr:
    """Return what a machine makes of inputs; one that is not given is the column of its name."""
    outputs = dict(zip(spec.outputs, spec.columns, strict=True))
    if output is not None and output not in outputs:
        raise SpecError(
            f"{spec.indicator.name}: output={output!r}; must be one of {', '.join(outputs)}"
        )
    columns = [
        inputs.get(name, pl.col(name)).cast(pl.Float64).fill_null(float("nan")).alias(name)
        for name in names
    ]
    types = output_types(machine.plan.columns, machine.plan.kinds)
    fields = [pl.Field(*each) for each in zip(outputs.values(), types, strict=True)]

    def compute(rows: pl.Series) -> pl.Series:
        given = {name: rows.struct.field(name).to_numpy() for name in names}
        # Of a year whose rows are given, none asks.
        given[YEAR_ROWS] = np.full(len(rows), np.nan)
        (matrix, small), offsets = machine.room(len(rows)), np.array([0, len(rows)])
        states = machine.new_states(1)
        for failure in machine.fill(states, offsets, given, matrix, small=small):
            raise failure.error
        made = output_columns(machine.plan, matrix, small)
        return pl.DataFrame(made, schema=list(outputs.values())).to_struct(spec.indicator.name)

    struct = pl.struct(columns).map_batches(compute, return_dtype=pl.Struct(fields))
    if output is None and len(fields) > 1:
        return struct.alias(spec.indicator.name)
    return struct.struct.field(outputs[output or next(iter(outputs))])
