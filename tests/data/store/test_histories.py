"""Goal: whatever is written in whatever order and chunks, a store holds what a dictionary would.

Method: hypothesis makes up histories of writes, repeats, corrections and deletions, with flushes,
compactions and reopenings in between and a clock that may run backwards. Keys and prices are few,
so that most of it meets what is there; limits are lowered, so that a handful of rows takes all
ways. After each step the store reads as the model does; in the end so does every moment of its
past.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.data.store.conftest import Clock, Place
from tests.data.store.model import (
    RAW,
    Key,
    Kind,
    Model,
    Values,
    at,
    candle_frame,
    counts,
    flat,
    keys_frame,
    log,
    read,
)

KINDS = st.sampled_from([RAW, ("5m", "raw"), ("1m", "split")])
KEYS = st.builds(lambda name, n: (name, at(5 * n)), st.sampled_from("ABC"), st.integers(0, 3))
CANDLES = st.builds(flat, st.sampled_from([1.0, 2.0]), st.sampled_from([None, None, 5.0, 6.0]))
BATCHES = st.dictionaries(KEYS, CANDLES, min_size=1, max_size=9)


class Histories(RuleBasedStateMachine):
    """One store and its model, side by side."""

    new_place: Callable[[], Place]

    @initialize()
    def begin(self) -> None:
        self.place, self.clock, self.model = type(self).new_place(), Clock(), Model()
        self.store = self.place.open(clock=self.clock)
        self.last: tuple[Kind, dict[Key, Values]] = (RAW, {("A", at(0)): flat(1)})

    @rule(kind=KINDS, batch=BATCHES)
    def write(self, kind: Kind, batch: dict[Key, Values]) -> None:
        report = self.store.write(candle_frame(batch), source_timeframe=kind[0], adjustment=kind[1])
        assert counts(report) == self.model.write(batch, self.clock.now, kind)
        self.last = (kind, batch)
        self.agree(kind)

    @rule()
    def repeat(self) -> None:
        self.write(*self.last)

    @rule(kind=KINDS, keys=st.lists(KEYS, min_size=1, max_size=9, unique=True))
    def delete(self, kind: Kind, keys: list[Key]) -> None:
        report = self.store.delete(keys_frame(keys), source_timeframe=kind[0], adjustment=kind[1])
        assert counts(report) == self.model.delete(keys, self.clock.now, kind)
        self.agree(kind)

    @rule(kind=KINDS)
    def flush(self, kind: Kind) -> None:
        self.store.flush()
        self.agree(kind)

    @rule(kind=KINDS)
    def compact(self, kind: Kind) -> None:
        self.store.compact(keep_hours=0)
        self.agree(kind)

    @rule(kind=KINDS)
    def reopen(self, kind: Kind) -> None:
        self.store.close()
        self.store = self.place.open(clock=self.clock)
        self.agree(kind)

    @rule(by=st.sampled_from([-100, 1, 100]))
    def tick(self, by: int) -> None:
        self.clock.now += by

    def agree(self, kind: Kind) -> None:
        assert read(self.store, kind) == self.model.read(kind)

    def teardown(self) -> None:
        assert self.store.last_received() == self.model.last_received
        for kind in (RAW, ("5m", "raw"), ("1m", "split")):
            timeframe, adjustment = kind
            rows = self.model.log(kind)
            assert log(self.store, kind) == rows
            assert self.store.has_interest(*kind) == self.model.has_interest(kind)
            for receipt in self.model.receipts():
                for moment in (receipt - 1, receipt):
                    assert read(self.store, kind, known_at=moment) == self.model.read(kind, moment)
                later = [row[:2] for row in rows if row[3] > receipt]
                earliest = {name: min(t for n, t in later if n == name) for name, _ in later}
                changed = self.store.changed_since(
                    receipt, source_timeframe=timeframe, adjustment=adjustment
                )
                assert changed == earliest
        self.store.close()


@pytest.mark.parametrize(
    ("kind", "share", "steps"), [("folder", 1, 10), ("bucket", 20, 8), ("database", 10, 10)]
)
def test_a_store_holds_what_a_dictionary_would(new_place, tiny_limits, kind, share, steps):
    class Here(Histories):
        pass

    Here.new_place = staticmethod(lambda: new_place(kind))
    effort = settings(max_examples=settings().max_examples // share, stateful_step_count=steps)
    run_state_machine_as_test(Here, settings=effort)
