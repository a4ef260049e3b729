"""Goal: a write and its receipt are one: both are there, or neither.

Method: on each kind of store, as in `test_contract`; the clock is the test's.
"""

from __future__ import annotations

import pytest

from tallow.core.errors import RepeatedWriteError
from tallow.data.store.write import ReceiptMaker, WriteReport, keeping
from tests.data.store.conftest import Clock
from tests.data.store.model import ONE, at, candle_frame, counts, flat, read

A0, A1 = ("A", at(0)), ("A", at(1))


def row(key, price):
    return (*key, *flat(price))


def fail(_report: WriteReport) -> str:
    raise ArithmeticError


def test_a_receipt_is_kept_with_its_write_and_a_name_is_done_once(place):
    clock = Clock()
    store = place.open(clock=clock)
    maker = ReceiptMaker("name", "digest", lambda report: f"{report.new} new")
    with keeping(maker):
        store.write(candle_frame({A0: flat(1), A1: flat(2)}), **ONE)
    found = store.backend.receipts().find("name", clock.now)
    assert found == ("digest", "2 new")
    with keeping(maker), pytest.raises(RepeatedWriteError, match="has been done already"):
        store.write(candle_frame({A0: flat(9)}), **ONE)
    assert read(store) == [row(A0, 1), row(A1, 2)]
    assert len(store.ledger.entries()) == 1
    # A write that fails after its receipt was made keeps neither.
    with keeping(ReceiptMaker("other", "", fail)), pytest.raises(ArithmeticError):
        store.write(candle_frame({A0: flat(9)}), **ONE)
    assert store.backend.receipts().find("other", clock.now) is None
    # What is asked for one write is asked for no other.
    assert counts(store.write(candle_frame({A0: flat(3)}), **ONE)) == (0, 0, 1)
    # A day later it is forgotten.
    clock.now += 86_400_000_001
    assert store.backend.receipts().find("name", clock.now) is None
    with keeping(maker):
        store.write(candle_frame({A0: flat(4)}), **ONE)
    assert store.backend.receipts().find("name", clock.now) == ("digest", "0 new")
