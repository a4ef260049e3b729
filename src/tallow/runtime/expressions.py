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
from tallow.core.operator import PEER, Indicator, Value
from tallow.core.registry import registry
from tallow.core.spec import check_convention, make_spec
from tallow.plan.plan import Plan, make_plan
from tallow.runtime.operations import Machine, to_columns


@pl.api.register_expr_namespace("tallow")
class TallowExpressions:
    """Every indicator as a method, with its own parameters.

    The expression is the close or, where an indicator takes none, its first input; the other inputs
    are the columns of their names, or expressions given by keyword (``high=pl.col("h")``). Rows are
    taken as one series in their order, so use ``.over("instrument")`` for several instruments; and
    ``.over("timestamp")`` where instruments are compared, as by ``cs_rank()``. A
    chain is one expression after the other: ``pl.col("close").tallow.rsi(14).tallow.ema(9)``. The
    result is float64 with nulls; of several outputs, a struct, or the one named by ``output=``.
    Anchored indicators (vwap) need a calendar: `tallow.AnalyticsEngine` has it.

    Examples
    --------
    >>> frame = pl.DataFrame({"instrument": ["A", "A", "B"], "close": [1.0, 3.0, 5.0]})
    >>> frame.select(pl.col("close").tallow.sma(2).over("instrument")).to_series().to_list()
    [None, 2.0, None]
    """

    def __init__(self, expression: pl.Expr) -> None:
        self._expression = expression

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


def _one_phase(plan: Plan) -> Plan:
    """Return the plan of one indicator; of one that compares rows, those are of one moment."""
    if not plan.phases:
        return plan
    (phase,) = plan.phases
    return replace(plan, operations=phase.operations, columns=phase.columns, phases=())


def _expression(
    expression: pl.Expr,
    indicator: Indicator,
    positional: tuple[Value, ...],
    output: str | None,
    convention: str,
    named: dict[str, Any],
) -> pl.Expr:
    known = check_convention(convention)
    if indicator.source_input(indicator.values((), {})) is not None and "source" in named:
        raise SpecError(
            f"{indicator.name}: source={excerpt(named['source'])}; is the expression itself; give "
            f'pl.col("close").tallow.rsi(14).tallow.ema(9), or use '
            "AnalyticsEngine.calculate_indicators"
        )
    inputs = {name: named.pop(name) for name in indicator.inputs if name in named}
    values = indicator.values(positional, named, known)
    names = indicator.input_names(values)
    if PEER in names:
        raise SpecError(
            f"{indicator.name}: needs the instruments' names; use "
            "AnalyticsEngine.calculate_indicators"
        )
    if not set(names) <= {"open", "high", "low", "close", "volume"}:
        raise SpecError(
            f"{indicator.name}: needs a calendar; use AnalyticsEngine.calculate_indicators"
        )
    own = "close" if "close" in names else names[0]
    if own in inputs:
        raise SpecError(
            f"{indicator.name}: {own}; is the expression itself; give the others by name"
        )
    columns = [
        (expression if name == own else inputs.get(name, pl.col(name)))
        .cast(pl.Float64)
        .fill_null(float("nan"))
        .alias(name)
        for name in names
    ]
    spec = make_spec(indicator, values, known)
    outputs = dict(zip(spec.outputs, spec.columns, strict=True))
    if output is not None and output not in outputs:
        raise SpecError(f"{indicator.name}: output={output!r}; must be one of {', '.join(outputs)}")
    fields = [pl.Field(column, pl.Float64) for column in outputs.values()]
    machine = Machine(_one_phase(make_plan([spec])))

    def compute(rows: pl.Series) -> pl.Series:
        inputs = {name: rows.struct.field(name).to_numpy() for name in names}
        matrix, offsets = np.empty((len(fields), len(rows))), np.array([0, len(rows)])
        for failure in machine.fill(machine.new_states(1), offsets, inputs, matrix):
            raise failure.error
        columns = to_columns(matrix, nan_to_null=True)
        return pl.DataFrame(columns, schema=list(spec.columns)).to_struct(indicator.name)

    struct = pl.struct(columns).map_batches(compute, return_dtype=pl.Struct(fields))
    if output is None and len(fields) > 1:
        return struct.alias(indicator.name)
    return struct.struct.field(outputs[output or next(iter(outputs))])
