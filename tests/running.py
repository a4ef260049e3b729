"""What tests of indicators share: cases by their specs, and comparing columns bit by bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.operator import CROSS, Convention, Indicator
from tallow.core.registry import registry
from tallow.core.spec import parse_specs
from tallow.testing.cases import Case
from tallow.testing.histories import Rows


def assert_same_bits(left: Sequence[Floats], right: Sequence[Floats]) -> None:
    """Assert the law of the design: the same null mask, and equal int64 views of other values."""
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), "null masks differ")
        there = ~np.isnan(a)
        np.testing.assert_array_equal(a[there].view(np.int64), b[there].view(np.int64))


def case(spec: str, convention: Convention = "tradingview") -> Case:
    """Return the case of a spec's text."""
    (parsed,) = parse_specs(spec, convention)
    return Case(parsed.indicator, dict(parsed.values), convention)


def outputs(spec: str, rows: Rows, convention: Convention = "tradingview") -> dict[str, Floats]:
    """Return a spec's outputs by name, for a whole history at once."""
    made = case(spec, convention)
    names = [output.name for output in made.indicator.outputs]
    return dict(zip(names, made.run(rows), strict=True))


def all_indicators() -> dict[str, Indicator]:
    """Return every indicator of one instrument's rows that discovery finds.

    Those of a family have one contract run for all.
    """
    found = registry().by_name
    return {
        name: each for name, each in found.items() if each.memory != CROSS and each.family is None
    }
