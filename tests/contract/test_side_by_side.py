"""Goal: instruments whose rows go side by side have the bits of each one alone.

Method: many instruments at once, each of another number of rows, moving, ticking, still or with
missing rows; each one's values are compared, bit by bit, with those of its history alone, and so
are they when all come in two parts.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tallow.testing.cases import Case
from tallow.testing.histories import Rows, flat, gaps, joined, part, ticking, walk, with_gaps
from tests.contract.cases import RECURSIVE_CASES, is_telling, of_cases
from tests.running import assert_same_bits

SIZES = (0, 310, 1, 640, 205, 430, 333, 290, 512, 7, 380, 450, 298)
"""More than go side by side, most of them long past their warm-up."""


def histories() -> list[Rows]:
    found = [part((walk, ticking)[k % 2](650, 70 + k), 0, size) for k, size in enumerate(SIZES)]
    found[3] = with_gaps(found[3], gaps(SIZES[3]))
    found[5] = joined([walk(200), flat(SIZES[5] - 200)])
    return found


@pytest.mark.twin
@of_cases(RECURSIVE_CASES, now=is_telling)
def test_many_instruments_have_the_bits_of_each_alone(case: Case) -> None:
    rows = histories()
    state, alone = case.start(len(rows)), [case.run(each) for each in rows]
    for first, last in ((0.0, 0.6), (0.6, 1.0)):
        cuts = [(int(first * size), int(last * size)) for size in SIZES]
        pieces = [part(each, a, z) for each, (a, z) in zip(rows, cuts, strict=True)]
        bounds = np.cumsum([0, *(z - a for a, z in cuts)]).tolist()
        columns = case.feed(state, joined(pieces), bounds)
        for (low, high), (a, z), own in zip(pairwise(bounds), cuts, alone, strict=True):
            assert_same_bits([c[low:high] for c in columns], [c[a:z] for c in own])
