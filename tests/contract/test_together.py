"""Goal: one new row for each of many instruments, as a live update has it, shows no seam.

Method: window kernels work on such rows side by side, so every indicator that discovery finds takes
blocks in which most instruments have one row and some have none or several; each instrument's
values are compared, bit by bit, with those of its whole history on its own.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tallow.testing.cases import Case
from tallow.testing.histories import Rows, joined, part, ticking, walk, with_gaps
from tests.contract.cases import every_telling_case
from tests.contract.test_twin import every_small_case
from tests.running import assert_same_bits

SEVERAL = 4
"""Most rows of an instrument in one block, after the first one."""


def histories(count: int, size: int) -> list[Rows]:
    """Return instruments of `size` rows: prices that move, tick, and are missing."""
    random = np.random.default_rng(60)
    kinds = [(walk, ticking)[i % 2](size, 50 + i) for i in range(count)]
    return [with_gaps(rows, random.random(size) < 0.02 * (i % 3)) for i, rows in enumerate(kinds)]


def blocks(count: int, size: int, first: int, seed: int) -> list[list[int]]:
    """Return row counts per block and instrument; all instruments have `size` rows in the end."""
    random = np.random.default_rng(seed)
    left = np.full(count, size - first)
    found = [[first] * count]
    while left.any():
        rare = random.random(count) < random.choice([0.0, 0.1, 0.5])
        rows = np.minimum(left, np.where(rare, random.integers(0, SEVERAL + 1, count), 1))
        left -= rows
        found.append(rows.tolist())
    return found


def check(case: Case, count: int, size: int, first: int) -> None:
    """Feed all instruments block by block, and compare with each one's whole history."""
    rows = histories(count, size)
    state, seen = case.start(count), [0] * count
    outputs: list[list[list[np.ndarray]]] = [[] for _ in rows]
    for block in blocks(count, size, first, 61):
        taken = [part(r, at, at + n) for r, at, n in zip(rows, seen, block, strict=True)]
        bounds = np.cumsum([0, *block]).tolist()
        columns = case.feed(state, joined(taken), bounds)
        for i, (a, b) in enumerate(pairwise(bounds)):
            outputs[i].append([column[a:b] for column in columns])
        seen = [at + n for at, n in zip(seen, block, strict=True)]
    assert seen == [size] * count
    for history, pieces in zip(rows, outputs, strict=True):
        whole = [np.concatenate(column) for column in zip(*pieces, strict=True)]
        assert_same_bits(whole, case.run(history))


@every_telling_case
def test_single_rows_of_many_instruments(case: Case) -> None:
    """More instruments than go side by side, and windows that are full after the first block."""
    full = max(case.warmup)
    check(case, 36, full + 12, full)


@pytest.mark.twin
@every_small_case
def test_single_rows_of_few_instruments(case: Case) -> None:
    """From the very first row on."""
    check(case, 4, 25, 0)
