"""Goal: a history at once, in pieces, row by row, resumed or rolled back gives the same bits.

Method: every indicator that discovery finds, with several parameter sets each, runs over the same
rows in many ways; hypothesis draws where the pieces end. Bits are compared, never tolerances.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.testing.cases import Case
from tallow.testing.histories import joined, part, uneven
from tests.contract.cases import CASES, every_sharpest_case
from tests.running import assert_same_bits

EXAMPLES = 10
"""Drawn histories per case: several hundred cuts in all per run, many more at night."""


@every_sharpest_case
def test_pieces_do_not_show(case: Case) -> None:
    rows, total = uneven(case.rows), case.rows
    whole = case.run(rows)

    @settings(max_examples=EXAMPLES)
    @given(st.sets(st.integers(0, total), max_size=12))
    def check(cuts: set[int]) -> None:
        assert_same_bits(case.run_pieces(rows, sorted(cuts)), whole)

    check()


@every_sharpest_case
def test_instruments_in_one_call_do_not_touch_each_other(case: Case) -> None:
    """Instruments of all sizes, one without rows, in two blocks, against each on its own."""
    sizes = (300, 0, 1, case.rows, 17)
    histories = [part(uneven(case.rows, seed), 0, size) for seed, size in enumerate(sizes, 20)]
    alone = [case.run(history) for history in histories]

    state = case.start(len(sizes))
    seen = [0] * len(sizes)
    for share in (2, 1):
        until = [size // share for size in sizes]
        block = [part(h, a, b) for h, a, b in zip(histories, seen, until, strict=True)]
        bounds = np.cumsum([0, *(b - a for a, b in zip(seen, until, strict=True))]).tolist()
        together = case.feed(state, joined(block), bounds)
        for i, expected in enumerate(alone):
            mine = [column[bounds[i] : bounds[i + 1]] for column in together]
            assert_same_bits(mine, [column[seen[i] : until[i]] for column in expected])
        seen = until


@every_sharpest_case
def test_later_rows_change_no_earlier_value(case: Case) -> None:
    """The history up to a row, alone, and with any future, even an absurd one."""
    rows, total = uneven(case.rows), case.rows
    whole = case.run(rows)

    @settings(max_examples=EXAMPLES)
    @given(now=st.integers(0, total), factor=st.sampled_from([0.0, -1.0, 3.7, 1e9, np.nan]))
    def check(now: int, factor: float) -> None:
        future = {name: column * factor for name, column in part(rows, now).items()}
        expected = [column[:now] for column in whole]
        assert_same_bits(case.run(part(rows, 0, now)), expected)
        other = case.run(joined([part(rows, 0, now), future]))
        assert_same_bits([column[:now] for column in other], expected)

    check()


@every_sharpest_case
def test_a_snapshot_resumes(case: Case) -> None:
    """The state goes through bytes, as a checkpoint on disk does."""
    rows, total = uneven(case.rows), case.rows
    whole = case.run(rows)

    @settings(max_examples=EXAMPLES)
    @given(st.integers(0, total))
    def check(now: int) -> None:
        state = case.start()
        case.feed(state, part(rows, 0, now))
        kept = state.tobytes()
        state.fill(777.0)
        resumed = np.frombuffer(kept).reshape(state.shape).copy()
        later = case.feed(resumed, part(rows, now))
        assert_same_bits(later, [column[now:] for column in whole])

    check()


def test_the_parameter_sets_reach_past_a_stretch() -> None:
    """The cases hold every kind of length there is to get wrong."""
    lengths = {case.values["length"] for case in CASES if "length" in case.values}
    assert {1, 7, 300} <= lengths
    assert len(CASES) > 2 * len({case.indicator.name for case in CASES})


@pytest.mark.nightly
@every_sharpest_case
def test_pieces_do_not_show_at_length(case: Case) -> None:
    """As above, with as many drawn histories as the profile asks for."""
    total = case.rows

    @given(st.sets(st.integers(0, total), max_size=40), st.integers(0, 2**32 - 1))
    def check(cuts: set[int], seed: int) -> None:
        rows = uneven(case.rows, seed)
        assert_same_bits(case.run_pieces(rows, sorted(cuts)), case.run(rows))

    check()
