"""The store: bulk ingest, a range of one among a thousand, a day of writes, 10,000 small ones.

The peer is deltalake's own bare write, append and scan: what the format costs, without revisions,
durability, or anything computed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import mean, median

import polars as pl
from deltalake import write_deltalake

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow.core.calendars import load_calendar
from tallow.data.simulate import simulate_blocks
from tallow.data.store.store import open_store

SESSIONS = 10
HISTORY_START, HISTORY_SESSIONS = date(2020, 8, 3), 1_240
"""Five years of one instrument."""

MINUTES = 375
"""Writes of a day."""

SMALL_WRITES, SMALL_WRITES_MEASURED = 10_000, 256
"""Writes of one candle, and how many of them are measured together: a whole round of folding."""

FRESH_APPENDS = 10
"""Bare appends to a table that is fresh: with every version it becomes slower."""

QUERIES = 20
MILLISECONDS = ("", "median ms", "mean ms", "worst ms")


def measure_ingest(settings: Settings) -> Outcome:
    """Measure the main file's frame into an empty store, and again into a full one."""
    frame = pl.read_parquet(settings.market.main_file)
    folder = settings.market.folder / "ingest"
    full = open_store(folder / "full", create=True)
    full.write(frame, source_timeframe="1m")

    def fresh(write: Callable[[Path], object]) -> object:
        shutil.rmtree(folder / "fresh", ignore_errors=True)
        return write(folder / "fresh")

    def ingest(path: Path) -> None:
        with open_store(path, create=True) as store:
            assert store.write(frame, source_timeframe="1m").new == len(frame)

    def again() -> None:
        assert full.write(frame, source_timeframe="1m").identical == len(frame)

    contestants: dict[str, Callable[[], object]] = {
        "deltalake's bare write": lambda: fresh(lambda path: write_deltalake(path, frame)),
        "Tallow, all new": lambda: fresh(ingest),
        "Tallow, all known": again,
    }
    timings = take_turns(contestants, settings.rounds, len(frame))
    bare, new, known = (timing.median for timing in timings.values())
    full.close()
    shutil.rmtree(folder)
    return Outcome(
        "ingest",
        f"Bulk ingest: {len(frame):,} candles into a store",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure("all new / bare write", new / bare, target=1.5),
            Figure("all known / all new", known / new, target=1.0),
        ],
    )


def measure_range(settings: Settings) -> Outcome:
    """Measure ten sessions of one instrument with five years of history, among all others."""
    folder = settings.market.folder / "range"
    name, frame = _market_with_history(settings)
    with open_store(folder, create=True) as store:
        store.write(frame, source_timeframe="1m")
    times = frame.filter(pl.col("instrument") == name)["timestamp"].dt.date().unique().sort()
    start, end = times[-3 * SESSIONS], times[-2 * SESSIONS - 1]
    low, high = (datetime.combine(day, datetime.min.time(), UTC) for day in (start, end))
    # The snapshots that a first question leaves are part of the store; what is in memory is not.
    tallow.AnalyticsEngine(calendar=CALENDAR, store=folder).query(name, "5m", start, end)
    warm = tallow.AnalyticsEngine(calendar=CALENDAR, store=folder)
    warm.query(name, "5m", start, end)

    def scan() -> pl.DataFrame:
        wanted = pl.col("timestamp").is_between(low, high + timedelta(days=1))
        return pl.scan_delta(str(folder)).filter(pl.col("instrument") == name, wanted).collect()

    def asked(engine: tallow.AnalyticsEngine) -> pl.DataFrame:
        answer: pl.DataFrame = engine.query(name, "5m", start, end).frame
        assert len(answer) == SESSIONS * 75, len(answer)
        return answer

    cold = [tallow.AnalyticsEngine(calendar=CALENDAR, store=folder) for _ in range(200)]
    contestants: dict[str, Callable[[], object]] = {
        "bare scan_delta": scan,
        "Tallow, nothing in memory": lambda: asked(cold.pop()),
        "Tallow, asked again": lambda: asked(warm),
    }
    timings = take_turns(contestants, QUERIES * settings.rounds, SESSIONS * MINUTES)
    bare, first, again = (timing.median for timing in timings.values())
    shutil.rmtree(folder)
    return Outcome(
        "range",
        f"A range query: {SESSIONS} sessions to 5m with the default set, of one of "
        f"{settings.market.instruments:,} instruments; it has {HISTORY_SESSIONS:,} sessions",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure("query / bare scan_delta", first / bare, target=2.0),
            Figure("asked again / bare scan_delta", again / bare, target=0.2),
        ],
    )


def measure_day(settings: Settings) -> Outcome:
    """Measure a day of writes, a candle of every instrument each, and queries around it."""
    folder = settings.market.folder / "day"
    frame = pl.read_parquet(settings.market.main_file)
    last = frame.group_by("instrument").last().sort("instrument")
    opens = last["timestamp"].max() + timedelta(days=1)  # type: ignore[operator]
    name = last["instrument"][len(last) // 2]

    def candles(minute: int) -> pl.DataFrame:
        now = pl.lit(opens + timedelta(minutes=minute)).cast(last.schema["timestamp"])
        return last.with_columns(timestamp=now).select(frame.columns)

    store = open_store(folder / "store", create=True)
    store.write(frame, source_timeframe="1m")
    start = last["timestamp"].max().date() - timedelta(days=SESSIONS)  # type: ignore[union-attr]

    def asked() -> None:
        # An engine that has nothing in memory: what is asked again would cost next to nothing.
        tallow.AnalyticsEngine(calendar=CALENDAR, store=store).query(name, "5m", start)

    before = _times(asked)
    write_deltalake(folder / "bare", candles(0))
    bare, appends = [], []
    for minute in range(MINUTES):
        rows = candles(minute)
        if minute % (MINUTES // FRESH_APPENDS) == 0:
            shutil.rmtree(folder / "bare")
            write_deltalake(folder / "bare", rows)
            began = time.perf_counter()
            write_deltalake(folder / "bare", rows, mode="append")
            bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        report = store.write(rows, source_timeframe="1m")
        appends.append(time.perf_counter() - began)
        assert report.new == len(rows)
    after = _times(asked)
    store.close()
    shutil.rmtree(folder)
    table = {
        "deltalake's bare append, fresh table": bare,
        "Tallow, durable append": appends,
        "the first ten": appends[:10],
        "the last ten": appends[-10:],
        "a range query before the day": before,
        "after it": after,
    }
    return Outcome(
        "day",
        f"A day of writes: {MINUTES} times a candle of {len(last):,} instruments",
        MILLISECONDS,
        [(n, 1e3 * median(t), 1e3 * mean(t), 1e3 * max(t)) for n, t in table.items()],
        [
            Figure("mean append / bare append", mean(appends) / mean(bare), target=1.0),
            Figure("last ten / first ten", mean(appends[-10:]) / mean(appends[:10]), target=1.5),
            Figure("query after / before", median(after) / median(before), target=1.5),
        ],
        ["the mean counts the flushes; every append is on disk when it returns"],
    )


def measure_small_writes(settings: Settings) -> Outcome:
    """Measure writes of a candle each, from the tenth on, to the ten-thousandth."""
    folder = settings.market.folder / "small"
    first = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
    store, times = open_store(folder, create=True), []
    for number in range(SMALL_WRITES):
        price = 100.0 + number % 7
        candle = {name: [price] for name in ("open", "high", "low", "close")}
        names, moments = [f"I{number % 20}"], [first + timedelta(minutes=number // 20)]
        rows = pl.DataFrame({"instrument": names, "timestamp": moments, **candle, "volume": [1.0]})
        began = time.perf_counter()
        assert store.write(rows, source_timeframe="1m").new == 1
        times.append(time.perf_counter() - began)
    store.close()
    began = time.perf_counter()
    with open_store(folder) as again:
        assert len(again.read(["I1"])) == SMALL_WRITES // 20
    opened = time.perf_counter() - began
    shutil.rmtree(folder)
    ends = (10 + SMALL_WRITES_MEASURED, 1_000, SMALL_WRITES)
    spans = {f"up to number {end:,}": times[end - SMALL_WRITES_MEASURED : end] for end in ends}
    tenth, thousandth, last = (mean(span) for span in spans.values())
    return Outcome(
        "small",
        f"Small writes: {SMALL_WRITES:,} of one candle, {SMALL_WRITES_MEASURED} at each place",
        MILLISECONDS,
        [
            *((n, 1e3 * median(t), 1e3 * mean(t), 1e3 * max(t)) for n, t in spans.items()),
            ("opening with all in the tail, and a read", *[1e3 * opened] * 3),
        ],
        [
            Figure("number 1,000 / number 10", thousandth / tenth, target=1.2),
            Figure("number 10,000 / number 10", last / tenth, target=1.2),
        ],
    )


def _times(run: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(QUERIES + 1):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times[1:]


def _market_with_history(settings: Settings) -> tuple[str, pl.DataFrame]:
    """Return the main file's candles, where one instrument has five years."""
    frame = pl.read_parquet(settings.market.main_file)
    names = frame["instrument"].unique().sort()
    name = str(names[len(names) // 2])
    blocks = simulate_blocks(
        1, HISTORY_SESSIONS, calendar=load_calendar(CALENDAR), start=HISTORY_START
    )
    history = pl.concat(blocks).with_columns(instrument=pl.lit(name))
    others = frame.filter(pl.col("instrument") != name)
    return name, pl.concat([others, history]).sort("instrument", "timestamp")
