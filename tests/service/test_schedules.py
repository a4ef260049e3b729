"""Goal: whatever breaks, stalls and is corrected, clients of the same rows hold the same rows, and
these are what a computation from scratch gives; no final row is left out.

Method: hypothesis draws changes of a market and what happens to two clients meanwhile. All bounds
are small, so that conflation, looking up, marks and resync occur in most of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.service.stream import changes, groups
from tests.service.schedules import NAMES, Market, Reader, followed, settle

MINUTES = 12
STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.integers(0, MINUTES), st.integers(1, 9)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES), st.integers(0, MINUTES)),
    st.tuples(st.sampled_from(["stall", "go on", "break", "read"]), st.integers(0, 1)),
)


@pytest.fixture(autouse=True, scope="module")
def _small_bounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "STREAM_PENDING_MAX", 4)
        patch.setattr(groups, "STREAM_STEP_GROUPS", 1)
        patch.setattr(changes, "STREAM_CHANGED_ROWS_MAX", 3)
        yield


@settings(max_examples=40)
@given(st.lists(STEPS, min_size=5, max_size=40), st.sampled_from([3, 8, 1_000]))
def test_clients_hold_what_is_computed_from_scratch(steps: list[Any], recent: int) -> None:
    asyncio.run(_run(steps, recent))


async def _run(steps: list[Any], recent: int) -> None:
    market = Market()
    async with followed(market, recent) as make:
        # Of the same rows, but not of one group: one is told before the other.
        readers = [make(), make(NAMES)]
        for reader in readers:
            await reader.connect()
        for step, *given_ in steps:
            if step == "put":
                name, minute, close = given_
                market.put(name, minute, 100.0 + close)
            elif step == "remove":
                market.remove(*given_)
            else:
                await _happen(readers[given_[0]], step)
            await settle()
        market.close()
        for reader in readers:
            reader.socket.room.set()
            await settle()
            reader.read()
        assert readers[0].rows == readers[1].rows == market.held()


async def _happen(reader: Reader, step: str) -> None:
    if step == "stall":
        reader.socket.room.clear()
    elif step == "go on":
        reader.socket.room.set()
    elif step == "read":
        reader.read()
    else:
        await reader.disconnect()
        await reader.connect()
