"""Compiling, or loading, the kernels of a plan before a run needs them."""

from __future__ import annotations

from contextlib import nullcontext

from tallow.core.kernel import compiling_beside, is_compiled
from tallow.plan.plan import Plan
from tallow.runtime.operations import run_one_row
from tallow.runtime.outputs import Progress


def is_plan_compiled(plan: Plan) -> bool:
    """Say whether all kernels of a plan were compiled on this machine before."""
    return all(is_compiled(operation.advance) for operation in plan.operations)


def compile_plan(plan: Plan, progress: Progress | None) -> None:
    """Compile, or load, each kernel; `progress` gets those done, and those in all."""
    from tallow.data.simulate import BARS_OF_ONE_CANDLE

    with nullcontext() if is_plan_compiled(plan) else compiling_beside(BARS_OF_ONE_CANDLE):
        for done, operation in enumerate(plan.operations, 1):
            run_one_row(operation)
            if progress is not None:
                progress(done, len(plan.operations))
