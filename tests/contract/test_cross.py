"""The contract of what compares instruments: moments stand apart, whatever the order of rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tallow.core.kernel import kernel
from tallow.core.registry import registry
from tallow.testing import ContractError, check_indicator
from tallow.testing.contract import CROSS_CHECKS
from tests.contract.cases import CROSS_CASES


@pytest.mark.parametrize("check", CROSS_CHECKS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("case", CROSS_CASES, ids=str)
def test_instruments_that_are_compared(case, check):
    check(case)


@kernel
def place_in_the_call(state, params, offsets, close, out):
    for row in range(offsets[0], offsets[len(state)]):
        out[row] = row - offsets[0]


@kernel
def rows_in_the_call(state, params, offsets, close, out):
    for row in range(offsets[0], offsets[len(state)]):
        out[row] = offsets[len(state)] - offsets[0]


@pytest.mark.parametrize(
    ("advance", "rule"),
    [
        (place_in_the_call, "order of instruments|start anew at each of offsets"),
        (rows_in_the_call, "start anew at each of offsets"),
    ],
)
def test_a_kernel_that_breaks_the_contract_is_told_the_rule(advance, rule):
    with pytest.raises(ContractError, match=rule):
        check_indicator(replace(registry().find("cs_rank"), name="mine", advance=advance))
