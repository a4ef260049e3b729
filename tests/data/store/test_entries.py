"""Goal: of a candle's receipt, the write that it came with is found in the ledger.

Method: three writes to every backend; some of their receipts are asked for, and one of no write.
"""

from __future__ import annotations

from tests.data.store.model import ONE, at, candle_frame, flat


def test_writes_are_found_by_their_receipts(place):
    store = place.open()
    writes = [store.write(candle_frame({("A", at(0)): flat(n)}), **ONE) for n in (1, 2, 3)]
    found = store.ledger.entries_of([writes[2].received_at, writes[0].received_at, 0])
    assert found["id"].sort().to_list() == [1, 3]
    assert store.ledger.entries_of([]).is_empty()
