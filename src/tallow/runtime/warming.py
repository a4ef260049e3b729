"""Compiling, or loading, the kernels of a plan before a run needs them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import compiling_beside, is_compiled
from tallow.core.operator import Values
from tallow.core.registry import registry
from tallow.core.spec import make_spec
from tallow.plan.plan import Indicators, Plan, make_plan
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.operations import run_one_row
from tallow.runtime.outputs import Progress


def is_plan_compiled(plan: Plan) -> bool:
    """Say whether all kernels of a plan were compiled on this machine before."""
    return all(is_compiled(operation.advance) for operation in plan.every_operation)


def compile_plan(plan: Plan, progress: Progress | None) -> None:
    """Compile, or load, each kernel; `progress` gets those done, and those in all.

    Another process begins at the other end, after the kernels of bars: what it has compiled by the
    time that this one comes there is loaded.
    """
    with nullcontext() if is_plan_compiled(plan) else compiling_beside(_beside(plan)):
        for done, operation in enumerate(plan.every_operation, 1):
            run_one_row(operation)
            if progress is not None:
                progress(done, len(plan.every_operation))


def compile_in_order(indicators: Sequence[tuple[str, Values]]) -> None:
    """Compile the kernels of indicators by name and values, but those that are compiled."""
    for name, values in indicators:
        found = registry().by_name.get(name)
        if found is not None and not is_compiled(found.kernel(values)):
            for operation in make_plan([make_spec(found, dict(values), "tradingview")]).operations:
                run_one_row(operation)


class KernelUser:
    """What an engine says and does of the kernels that it will need."""

    convention: str
    calendars: CalendarAssignment

    def is_warm(self, indicators: Indicators = "default") -> bool:
        """Say whether the kernels of these indicators were compiled on this machine before."""
        return is_plan_compiled(make_plan(indicators, self.convention, BAR_COLUMNS))

    def warm_up(self, indicators: Indicators = "default", progress: Progress | None = None) -> None:
        """Compile, or load, the kernels that a run with these indicators needs.

        `progress` is called with the kernels done and the kernels in all.
        """
        from tallow.data.simulate import one_candle

        compile_plan(make_plan(indicators, self.convention, BAR_COLUMNS), progress)
        # All other kernels of a run.
        self.process_candles(one_candle(self.calendars), "5m", indicators)

    def process_candles(self, *asked: Any, **named: Any) -> Any:
        """Run candles; see `tallow.AnalyticsEngine.process_candles`."""
        raise NotImplementedError


def _beside(plan: Plan) -> str:
    """Return what the other process runs."""
    from tallow.data.simulate import BARS_OF_ONE_CANDLE

    names = [(each.indicator.name, dict(each.values)) for each in reversed(plan.every_operation)]
    return (
        f"{BARS_OF_ONE_CANDLE}\n"
        "from tallow.runtime.warming import compile_in_order\n"
        f"compile_in_order({names!r})\n"
    )
