"""A live engine compares instruments with the bits of a run over all candles."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine, LiveEngine, load_calendar, open_store
from tallow.core.errors import StateError
from tallow.data.simulate import simulate_blocks
from tests.sizes import sized

CANDLES = pl.concat(
    simulate_blocks(4, 3, calendar=load_calendar("XNSE"), start=date(2025, 7, 1))
).filter(pl.col("timestamp").dt.hour() < 5)
"""Four instruments, the first hour and a quarter of three days."""
NAMES = CANDLES["instrument"].unique().sort().to_list()
TIMES = CANDLES["timestamp"].unique().sort()
PEER = NAMES[1]
SPECS = f'rsi(3), cs_rank(rsi(3)), cs_zscore(roc(2)), ema(cs_pct_rank, 4), security("{PEER}"), '
SPECS += f'correlation(security("{PEER}"), 5)'
SIZES = ["5m", "1h"]
EXAMPLES = sized(2, 100)


class Held:
    """What a caller of a live engine knows: the last row of each bar."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Any, dict[str, Any]]] = {size: {} for size in SIZES}

    def see(self, update: Any) -> None:
        for size, frame in update.frames.items():
            for row in frame.iter_rows(named=True):
                key = (row["instrument"], row["timestamp"])
                if row["candles"]:
                    assert row != self.rows[size].get(key), "a row came that did not change"
                    self.rows[size][key] = row
                else:
                    del self.rows[size][key]

    def frame(self, size: str, like: pl.DataFrame) -> pl.DataFrame:
        rows = pl.DataFrame(list(self.rows[size].values()), infer_schema_length=None)
        rows = rows.sort("instrument", "timestamp").select(like.columns)
        return rows.cast(like.schema).drop("is_final")


def play(live: LiveEngine, seed: int, held: Held, times: pl.Series, folder: Path) -> LiveEngine:
    """Feed the candles of some minutes: late ones, corrections, deletions, a restart."""
    random, lost = np.random.default_rng(seed), CANDLES.clear()
    restart = int(random.integers(len(times)))
    for number, time in enumerate(times):
        rows = CANDLES.filter(pl.col("timestamp") == time)
        late = pl.Series(random.random(len(rows)) < 0.02)
        lost = pl.concat([lost, rows.filter(late)])
        held.see(live.update(rows.filter(~late)))
        if random.random() < 0.01:
            seen = CANDLES.filter(pl.col("timestamp") <= time)
            wrong = seen.sample(1, seed=int(random.integers(1 << 30)))
            planned = live.peek(wrong.with_columns(close=pl.col("low")))
            done = live.update(wrong.with_columns(close=pl.col("low")))
            for size in SIZES:
                assert (
                    planned.frames[size].drop("revision").equals(done.frames[size].drop("revision"))
                )
            held.see(done)
            held.see(live.delete(wrong) if random.random() < 0.5 else live.update(wrong))
            held.see(live.update(wrong))
        if random.random() < 0.02 and len(lost):
            held.see(live.update(lost))
            lost = lost.clear()
        if number == restart:
            live.save(folder / "state")
            live = LiveEngine.load(folder / "state", SIZES, SPECS, **_options(live))
    held.see(live.update(lost))
    return live


def _options(live: LiveEngine) -> dict[str, Any]:
    source = live._intake.source
    return {"keep": 2_000} if source is None else {"keep": 70, "store": source.store}


def require_whole(live: LiveEngine, held: Held, size: str, whole: pl.DataFrame) -> None:
    assert held.frame(size, whole).equals(whole.drop("is_final"))
    last = whole.group_by("instrument", maintain_order=True).last().drop("is_final")
    shown = live.latest(size).select(last.columns).cast(last.schema)
    assert shown.equals(last.select(shown.columns))


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 1 << 30))
def test_rows_are_those_of_a_run_over_all_candles(seed):
    held = Held()
    with tempfile.TemporaryDirectory() as folder:
        live = LiveEngine(SIZES, SPECS, keep=2_000)
        live = play(live, seed, held, TIMES, Path(folder))
    found = AnalyticsEngine().process_candles(CANDLES, SIZES, SPECS)
    for size in SIZES:
        require_whole(live, held, size, found[size].frame)


@settings(max_examples=EXAMPLES)
@given(seed=st.integers(0, 1 << 30))
def test_with_a_store_corrections_reach_back_before_memory(seed):
    held, begun = Held(), len(TIMES) // 2
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder, "store"), create=True)
        before = CANDLES.filter(pl.col("timestamp") < TIMES[begun])
        store.write(before, source_timeframe="1m")
        engine = AnalyticsEngine(store=store)
        for size in SIZES:
            for row in engine.query(None, size, indicators=SPECS).frame.iter_rows(named=True):
                held.rows[size][row["instrument"], row["timestamp"]] = row
        live = LiveEngine(SIZES, SPECS, store=store, keep=70)
        live.catch_up()
        live = play(live, seed, held, TIMES[begun:], Path(folder))
        for size in SIZES:
            whole = engine.query(None, size, indicators=SPECS).frame
            assert whole.equals(AnalyticsEngine().process_candles(CANDLES, size, SPECS).frame)
            require_whole(live, held, size, whole)


def test_without_a_store_what_is_older_than_all_kept_bar_times_is_refused():
    live = LiveEngine("5m", "cs_rank", keep=5)
    day = CANDLES.filter(pl.col("timestamp") < TIMES[60])
    for time in TIMES[:60]:
        live.update(day.filter(pl.col("timestamp") == time))
    update = live.update(day.head(1).with_columns(volume=pl.lit(7.0)))
    assert update.report.quarantined == 1
    assert "older" in update.report.quarantine["rule"].item()


def test_a_bar_that_turns_final_keeps_its_values_where_many_bar_times_come_at_once():
    fives = TIMES.filter(TIMES.dt.minute() % 5 == 0)
    some = CANDLES.filter(pl.col("timestamp").is_in(fives.implode()))
    both, one, other = (
        pl.col("instrument").is_in(each) for each in (NAMES[:2], NAMES[:1], NAMES[1:2])
    )
    time = pl.col("timestamp")
    parts = [
        some.filter(both, time == fives[0]),
        # So many bar times that the first is not kept any more.
        some.filter(one, time.is_between(fives[1], fives[7])),
        # The other's first bar turns final, and its later ones are as many.
        some.filter(other, time.is_between(fives[8], fives[14])),
    ]
    live = LiveEngine("5m", "cs_rank", keep=5)
    held: dict[Any, float | None] = {}
    for part in parts:
        frame = live.update(part).frame
        rows = frame.select("instrument", "timestamp", "cs_rank").rows()
        held |= {(name, time): rank for name, time, rank in rows}
    whole = AnalyticsEngine().process_candles(pl.concat(parts), "5m", "cs_rank").frame
    rows = whole.select("instrument", "timestamp", "cs_rank").rows()
    assert held == {(name, time): rank for name, time, rank in rows}


def test_a_state_of_other_comparisons_is_refused(tmp_path):
    live = LiveEngine("5m", "cs_rank")
    live.update(CANDLES.head(3))
    live.save(tmp_path / "state")
    with pytest.raises(StateError, match="made with other phases"):
        LiveEngine.load(tmp_path / "state", "5m", "cs_pct_rank")
