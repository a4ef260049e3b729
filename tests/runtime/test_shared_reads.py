"""What several timeframes of a screen read alike is read once, and nothing else is shared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, open_store
from tallow.core.limits import QUERY_ROWS
from tallow.data.store.reader import StoreReader
from tallow.runtime import ranged, shared_reads
from tests.frames import market

TEXT = "close > ema(3) and close@1h > ema(2)@1h and close@1d > 0"


@pytest.mark.parametrize("most", [QUERY_ROWS, 150])
def test_rows_are_read_once_and_again_after_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """In one batch, and in a batch for each instrument, of whom no more is kept at once."""
    monkeypatch.setattr(ranged, "QUERY_ROWS", most)
    monkeypatch.setattr(shared_reads, "QUERY_ROWS", most)
    store = open_store(tmp_path / "store", create=True)
    store.write(market(["A", "B"]), source_timeframe="1m")
    engine, reads, read = AnalyticsEngine(store=store), Counter[Any](), StoreReader.read

    def counted(state: Any, names: Any = None, **options: Any) -> pl.DataFrame:
        reads[tuple(names), options["start"], options["end"], options["known_at"]] += 1
        return read(state, names, **options)

    monkeypatch.setattr(StoreReader, "read", counted)
    before = engine.screen(TEXT, "15m")
    assert len({key[0] for key in reads}) == (1 if most == QUERY_ROWS else 2)
    # They have too few bars, and all are asked for once more.
    assert max(reads.values()) == (1 if most == QUERY_ROWS else 2)
    reads.clear()
    later = market(["A"]).with_columns(volume=pl.col("volume") + 1.0)
    store.write(later, source_timeframe="1m")
    after = engine.screen(TEXT, "15m")
    assert reads
    assert after.frame.equals(before.frame)
    assert after.counts == before.counts
