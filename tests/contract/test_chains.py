"""Goal: a chain keeps the contract of indicators: chunks, other instruments, what comes later and a
state that is put back change no value, and its warm-up is the sum.

Method: the same checks as for indicators, on chains that are run as a plan runs them; among them
one whose inner has no value midway, while nothing is traded. What concerns missing candles is a
matter of each indicator, and not checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from tallow.core.arrays import Floats
from tallow.core.spec import parse_specs
from tallow.plan.plan import make_plan
from tallow.runtime.operations import Machine, join_states, split_states
from tallow.testing import contract
from tallow.testing.cases import UNWRITTEN, Case
from tallow.testing.histories import Rows, length, part, uneven

CHAINS = (
    "sma(20, source=hl2)",
    "ema(rsi(14), 9)",
    "sma(ema(rsi(14), 9), 5)",
    "sma(vwap, 3)",
    "wma(bollinger(5, 2)[percent_b], 4)",
    "macd(sma(volume, 3), 3, 5, 2)",
    "stddev(roc(45), 50)",
)
CHECKS = (
    contract.check_every_row_is_written,
    contract.check_warmup,
    contract.check_no_look_ahead,
    contract.check_pieces,
    contract.check_instruments_apart,
    contract.check_snapshots,
    contract.check_bounds,
)


class ChainCase(Case):
    """A chain as one indicator: its state is those of all operations, side by side."""

    machine: Machine

    @classmethod
    def of(cls, text: str) -> ChainCase:
        """Return the case of a chain's text."""
        (spec,) = parse_specs(text)
        made = cls(spec.indicator, dict(spec.values))
        object.__setattr__(made, "machine", Machine(make_plan([spec])))
        return made

    @property
    def warmup(self) -> tuple[int, ...]:
        plan = self.machine.plan
        return tuple(plan.warmup[column] for column in plan.columns)

    def start(self, instruments: int = 1) -> Floats:
        return join_states(self.machine.new_states(instruments))

    def feed(
        self,
        state: Floats,
        rows: Rows,
        offsets: Sequence[int] | None = None,
        unwritten: float = UNWRITTEN,
    ) -> list[Floats]:
        bounds = np.array([0, length(rows)] if offsets is None else offsets, dtype=np.int64)
        states = split_states(state, self.machine.new_states(len(state)))
        out = np.full((len(self.machine.plan.columns), length(rows)), unwritten)
        assert not self.machine.fill(states, bounds, rows, out)
        state[:] = join_states(states)
        return list(out)

    def run_pieces(self, rows: Rows, cuts: Sequence[int]) -> list[Floats]:
        state = self.start()
        bounds = pairwise([0, *cuts, length(rows)])
        pieces = [self.feed(state, part(rows, start, end)) for start, end in bounds]
        return [np.concatenate(column) for column in zip(*pieces, strict=True)]


def test_a_source_is_missing_midway() -> None:
    """Else the chains would show less than they are for."""
    case = ChainCase.of("sma(vwap, 3)")
    missing = np.isnan(case.run(uneven(case.rows))[0])
    assert missing[int(np.argmin(missing)) :].any()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("text", CHAINS)
def test_a_chain_keeps_the_contract(text: str, check: Callable[[Case], None]) -> None:
    check(ChainCase.of(text))
