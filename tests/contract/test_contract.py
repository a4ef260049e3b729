"""Goal: every indicator keeps the contract that `tallow.testing` states; one that breaks a rule is
told which, with its parameters and the first row.

Method: each check runs on every case of every discovered indicator. Indicators of a user's own, in
plain Python, each with one fault that people make, must fail by the rule that forbids it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tallow.core.operator import RECURSIVE, WINDOW, Indicator, Memory, Output, Parameter
from tallow.testing import ContractError, check_indicator
from tallow.testing.cases import Case
from tallow.testing.contract import CHECKS
from tallow.textbook import ORACLES
from tests.contract.cases import every_short_case
from tests.running import case

LENGTH = 3


@every_short_case
def test_every_indicator_keeps_the_contract(case: Case) -> None:
    for check in CHECKS:
        check(case)


def indicator(
    advance: Callable[..., None],
    memory: Memory = RECURSIVE,
    warmup: int = 0,
    state_size: int = 2,
    **bounds: Any,
) -> Indicator:
    """Return a user's indicator over closes."""
    return Indicator(
        name="own",
        title="Own",
        inputs=("close",),
        outputs=(Output("own", "own_{length}", "price", "a value", **bounds),),
        parameters=(Parameter("length", LENGTH, "rows", minimum=1, maximum=5_000),),
        memory=memory,
        warmup=lambda _: (warmup,),
        state_size=lambda _: state_size,
        advance=advance,
        formula="-",
        reference="-",
    )


def each_row(rule: Callable[..., float]) -> Callable[..., None]:
    """Return a kernel that calls ``rule(state, closes, row, first)`` for each row."""

    def advance(state: Any, _: Any, offsets: Any, close: Any, out: Any) -> None:
        for i in range(len(state)):
            for row in range(offsets[i], offsets[i + 1]):
                out[row] = rule(state[i], close, row, offsets[i])

    return advance


def largest_so_far(state: Any, close: Any, row: int, _: int) -> float:
    if np.isnan(close[row]):
        return np.nan
    state[0] = max(state[0], close[row])
    return float(state[0])


def largest_ever(state: Any, close: Any, row: int, _: int) -> float:
    state[0] = np.fmax(state[0], close[row])
    return float(state[0])


def sees_the_next_row(_: Any, close: Any, row: int, __: int) -> float:
    later = close[min(row + 1, len(close) - 1)]
    return float(close[row] if np.isnan(later) else later)


def counts_a_missing_row(state: Any, close: Any, row: int, _: int) -> float:
    state[0] += 1.0
    return np.nan if np.isnan(close[row]) else float(state[0])


def sees_the_row_before_in_the_call(_: Any, close: Any, row: int, first: int) -> float:
    before = close[row - 1] if row > first else close[row]
    return float(before + close[row])


def is_infinite_at_zero(_: Any, close: Any, row: int, __: int) -> float:
    with np.errstate(divide="ignore"):
        return float(1.0 / close[row])


def remembers_outside_of_state() -> Callable[..., float]:
    seen = [0.0]

    def rule(_: Any, close: Any, row: int, __: int) -> float:
        seen[0] = close[row] if np.isnan(seen[0]) else 0.5 * (seen[0] + close[row])
        return seen[0]

    return rule


def writes_every_other_row(state: Any, _: Any, offsets: Any, close: Any, out: Any) -> None:
    for row in range(offsets[0], offsets[len(state)], 2):
        out[row] = close[row]


def takes_all_for_one(state: Any, _: Any, offsets: Any, close: Any, out: Any) -> None:
    for row in range(offsets[0], offsets[-1]):
        out[row] = largest_so_far(state[0], close, row, 0)


def raises(state: Any, _: Any, offsets: Any, close: Any, out: Any) -> None:
    raise ZeroDivisionError("by zero")


FAULTS = {
    "a later row must not change": indicator(each_row(sees_the_next_row)),
    "must be null and leave the state": indicator(each_row(counts_a_missing_row)),
    "rows that come in several calls": indicator(each_row(sees_the_row_before_in_the_call)),
    "must be finite": indicator(each_row(is_infinite_at_zero)),
    "-inf..100": indicator(each_row(largest_so_far), maximum=100.0),
    "write every row on every call": indicator(writes_every_other_row),
    "state must hold all that is remembered": indicator(each_row(remembers_outside_of_state())),
    "an instrument must not see another's": indicator(takes_all_for_one),
    "own: warmup=2; its first value": indicator(each_row(largest_so_far), warmup=2),
    "memory=WINDOW needs no row before": indicator(each_row(largest_ever), WINDOW),
    "raises ZeroDivisionError: by zero": indicator(raises),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_broken_indicator_is_told_the_rule(rule: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_indicator(FAULTS[rule])
    assert str(caught.value).startswith("own(length=3): ")
    assert rule in str(caught.value)


def test_an_indicator_that_keeps_all_rules_passes() -> None:
    check_indicator(indicator(each_row(largest_so_far)))


def test_values_are_compared_with_a_textbook() -> None:
    def textbook(_: Any, close: Any) -> Any:
        """The largest of the last four, which is another thing from the fifth row on."""
        return [[max(x for x in close[max(k - 3, 0) : k + 1]) for k in range(len(close))]]

    with pytest.raises(ContractError, match=r"own: 549\.\d+ at row 15; the textbook has 548\.\d+"):
        check_indicator(indicator(each_row(largest_so_far)), textbook)
    check_indicator(case("ema(9)").indicator, ORACLES["ema"])
