"""The textbook in exact arithmetic: on numbers of many digits instead of floats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mpmath
import pytest

from tallow.testing.cases import Case
from tallow.testing.histories import Rows
from tallow.textbook import ORACLES, numbers

DIGITS = 60

Exact = list[list[Any]]


@contextmanager
def many_digits() -> Iterator[None]:
    """Let the textbook compute with many digits while this lasts."""
    with pytest.MonkeyPatch.context() as patch, mpmath.workdps(DIGITS):
        patch.setattr(numbers, "FUNCTIONS", mpmath)
        yield


def exact(case: Case, rows: Rows) -> Exact:
    """Return the textbook's outputs as numbers of many digits, None where it has none."""
    columns = [[mpmath.mpf(x) for x in rows[name].tolist()] for name in case.inputs]
    return [list(column) for column in ORACLES[case.indicator.name](case.values, *columns)]
