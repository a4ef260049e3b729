"""A way to compute a series, what it makes of bars, and what an indicator looks back on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tallow.core.arrays import Flags, Floats
from tallow.core.limits import PLANS
from tallow.core.spec import Spec
from tallow.data.reading.schema import NUMBERS
from tallow.migrate.causes.bars import Bars
from tallow.migrate.causes.seeds import Seeds
from tallow.migrate.pairs import Cause
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine


@dataclass(frozen=True)
class FormulaModel:
    """What a formula makes of bars."""

    plain: Floats
    """Shape (rows,), float64: from the first bar in the usual way; NaN where there is no value."""
    make_seeds: Callable[[], Seeds] | None = None
    """Makes `seeds`, the same with other starts; None where the start has no effect."""
    undefined: Flags | None = None
    """Bool (rows,): rows whose value is a convention, because nothing has moved yet."""

    @cached_property
    def seeds(self) -> Seeds | None:
        """The same with other starts, made when a start is looked for."""
        return None if self.make_seeds is None else self.make_seeds()


@dataclass(frozen=True)
class Formula:
    """One way to compute a series; `causes` say how it departs from the textbook's."""

    causes: Cause
    compute: Callable[[Bars], FormulaModel]


def warmup_rows(spec: Spec) -> int:
    """Return the number of leading rows without a value, of the output that has most."""
    return max(_machine_of(spec).plan.warmup.values())


def is_window(spec: Spec) -> bool:
    """Return whether values depend on as many rows as their warm-up, and on no earlier ones."""
    return _machine_of(spec).plan.history_rows is not None


def takes_one_price(spec: Spec) -> bool:
    """Return whether the indicator uses one price of each bar, which another may replace."""
    inputs = input_names(spec)
    return "close" in inputs and not {"high", "low"} & set(inputs)


def input_names(spec: Spec) -> tuple[str, ...]:
    """Return the columns of bars, and the periods, that the indicator and its sources use."""
    operations = _machine_of(spec).plan.operations
    used = [name for each in operations for name in each.inputs if name != each.source]
    return tuple(dict.fromkeys(used))


def run_indicator(spec: Spec, output: str, bars: Bars) -> Floats:
    """Return an indicator's output over bars in their order, by its own kernel."""
    machine = _machine_of(spec)
    inputs = {name: bars.columns[name] for name in NUMBERS} | bars.periods
    out = np.empty((len(machine.plan.columns), len(bars)))
    machine.fill(machine.new_states(1), np.array([0, len(bars)]), inputs, out)
    values: Floats = out[machine.plan.columns.index(spec.columns[spec.outputs.index(output)])]
    return values


@lru_cache(maxsize=PLANS)
def _machine_of(spec: Spec) -> Machine:
    return Machine(make_plan([spec]))


def number_of(spec: Spec, name: str) -> float:
    """Return the value of a parameter that is a number."""
    return float(dict(spec.values)[name])


def length_of(spec: Spec) -> int:
    """Return the length of an indicator's window."""
    return int(number_of(spec, "length"))
