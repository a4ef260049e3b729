"""Goal: a candle without volume is the same filler, or the same candle, whichever way it comes.

Method: random minutes of two sessions, many without volume, some of which repeat the close before;
as a file, as live candles in any order, as quotes of a broker with the day's volume so far, and out
of a store whose candles were corrected between two queries. Bars and VWAP are those of a few lines
of plain Python that follow the rule.
"""

from __future__ import annotations

import random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine, LiveEngine, open_store
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.frames import assert_same_frame, minutes

DAYS = ("2025-07-17", "2025-07-18")
LATER = "2025-07-18T15:31+05:30"
Row = tuple[Any, ...]


def drawn(seed: int) -> list[Row]:
    """Return candles of one instrument: ``(name, time, open, high, low, close, volume)``."""
    draw, rows, close = random.Random(seed), [], 100.0
    quiet = draw.choice([0.3, 0.7, 1.0])
    for day in DAYS:
        for time in minutes(f"{day}T09:15+05:30", 12):
            if draw.random() < 0.2:
                continue
            opened = close if draw.random() < 0.6 else close + draw.choice([-1.0, 1.0])
            close = opened if draw.random() < 0.6 else opened + draw.choice([-1.0, 0.5])
            volume = 0.0 if draw.random() < quiet else float(draw.randrange(1, 9))
            high, low = max(opened, close), min(opened, close)
            rows.append(("A", time, opened, high, low, close, volume))
    return rows


def by_hand(rows: list[Row]) -> list[tuple[Any, ...]]:
    """Return ``(time, close, volume, vwap)`` of the candles that are no fillers."""
    found, before, traded, moved = [], None, False, False
    value, units, day = 0.0, 0.0, None
    for _, time, opened, high, low, close, volume in rows:
        is_still = {opened, high, low, close} == {before}
        moved = moved or high > low or (before is not None and not is_still)
        is_filler = volume == 0.0 and (is_still if traded else not moved)
        traded |= volume > 0.0
        before = close
        if time.date() != day:
            value, units, day = 0.0, 0.0, time.date()
        if not is_filler:
            value += (high + low + close) / 3.0 * volume
            units += volume
            found.append((time, close, volume, value / units if units else None))
    return found


def as_frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def shown(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select("timestamp", "close", "volume", "vwap").rows()


def of_a_file(rows: list[Row], folder) -> pl.DataFrame:
    as_frame(rows).write_parquet(folder / "a.parquet")
    engine, out = AnalyticsEngine("XNSE"), folder / "out.parquet"
    engine.process_files(folder / "a.parquet", out, "1m", "vwap", final_at=LATER)
    return pl.read_parquet(out)


def collected(updates: list[Any]) -> pl.DataFrame:
    """Return what a consumer of live updates holds: of each bar the last row; gone ones are out."""
    rows = pl.concat([update.frame for update in updates])
    last = rows.unique("timestamp", keep="last", maintain_order=True).sort("timestamp")
    return last.filter(pl.col("candles") > 0)


def of_live_candles(rows: list[Row], draw: random.Random) -> pl.DataFrame:
    live, frame = LiveEngine("1m", "vwap", calendar="XNSE"), as_frame(rows)
    order = draw.sample(range(len(rows)), len(rows))
    updates = [live.update(frame[sorted(order[k : k + 3])]) for k in range(0, len(rows), 3)]
    return collected([*updates, live.advance(LATER)])


def of_quotes(rows: list[Row]) -> pl.DataFrame:
    """Each minute as the quotes of its four prices; the volume comes with the last."""
    live, updates = LiveEngine("1m", "vwap", calendar="XNSE"), []
    total, day = 0.0, None
    for name, time, opened, high, low, close, volume in rows:
        total, day = (total if time.date() == day else 0.0), time.date()
        prices = [opened, high, low, close]
        totals = [total, total, total, total + volume]
        total += volume
        quotes = {"price": prices, "day_volume": totals, "sequence": [1, 2, 3, 4]}
        stamps = [time] * 4
        frame = pl.DataFrame({"instrument": [name] * 4, "timestamp": stamps} | quotes)
        updates.append(live.update_ticks(frame.cast({"timestamp": pl.Datetime("us", "UTC")})))
    return collected([*updates, live.advance(LATER)])


def of_a_corrected_store(rows: list[Row], draw: random.Random, folder) -> pl.DataFrame:
    """Some candles were other ones when the query was asked first."""
    frame = as_frame(rows)
    wrong = [(*row[:6], draw.choice([0.0, 3.0])) if draw.random() < 0.3 else row for row in rows]
    with open_store(folder / "store", create=True) as store:
        engine = AnalyticsEngine("XNSE", store=store)
        store.write(as_frame(wrong), source_timeframe="1m")
        engine.query("A", "1m", indicators="vwap")
        store.write(frame, source_timeframe="1m")
        return engine.query("A", "1m", indicators="vwap").frame


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_every_way_has_the_same_bars_and_vwap(tmp_path_factory, seed):
    rows, draw, folder = drawn(seed), random.Random(seed), tmp_path_factory.mktemp("ways")
    right = by_hand(rows)
    file = of_a_file(rows, folder)
    assert shown(file) == right
    assert shown(of_live_candles(rows, draw)) == right
    assert shown(of_quotes(rows)) == right
    query = of_a_corrected_store(rows, draw, folder)
    assert_same_frame(query.drop("is_final"), file.select(query.columns).drop("is_final"))
