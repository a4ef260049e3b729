"""The cache: one request that is known, and a day of requests by a crowd while candles come in."""

from __future__ import annotations

import csv
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import MEGABYTE, TIMING_COLUMNS, Figure, Outcome, Timing, take_turns
from benchmarks.settings import Settings
from tallow.data.store.store import Store, open_store
from tallow.migrate.legacy.answer import five_minute_candles
from tallow.migrate.legacy.candles import Candle
from tallow.runtime.cache import IndicatorCache

SESSIONS = 10
CALLS = 200
"""Cached requests in one measurement: one alone is too short to be timed."""

FULL_INSTRUMENTS = 1_000
FULL_REQUESTS = 600
"""Requests of a minute: ten a second."""

FULL_BYTES = 100 * MEGABYTE
ZIPF = 1.1
CORRECTED = 0.01
LONG_AGO = 0.1
"""Share of the corrections that are of an earlier session; the others are of the same day."""

TIMEFRAMES = ("5m", "15m")
SEED = 20_260_101


def measure_request(settings: Settings) -> Outcome:
    """Measure ten sessions of one instrument: cached, from the store, and the legacy way."""
    folder = settings.market.folder / "cached"
    frame = pl.read_parquet(settings.market.main_file)
    names = frame["instrument"].unique().sort()
    name = str(names[len(names) // 2])
    days = frame["timestamp"].dt.date().unique().sort()
    start, end = days[-SESSIONS], days[-1]
    with open_store(folder, create=True) as store:
        store.write(frame, source_timeframe="1m")
        engine = tallow.AnalyticsEngine(calendar=CALENDAR, store=store)
        without = tallow.AnalyticsEngine(calendar=CALENDAR, store=store, cache=IndicatorCache(0))

        def asked(engine: tallow.AnalyticsEngine) -> Any:
            return engine.query(name, "5m", start, end)

        for each in (engine, without):
            asked(each)
        assert asked(engine).cache_hits
        assert not asked(without).cache_hits
        minutes = as_rows(frame, name, days[-SESSIONS - 1])
        limits = midnight(start), minutes[-1].timestamp
        widths = _width_file(settings.market.folder / "widths.csv", names.to_list())
        rows = len(asked(engine))
        assert len(five_minute_candles(minutes, *limits)) == rows
        contestants: dict[str, Callable[[], object]] = {
            "cached": lambda: [asked(engine) for _ in range(CALLS)],
            "computed from the store": lambda: asked(without),
            "legacy way, no file": lambda: five_minute_candles(minutes, *limits),
            "legacy way": lambda: five_minute_candles(minutes, *limits, (widths, name)),
        }
        timings = take_turns(contestants, settings.rounds, rows)
    shutil.rmtree(folder)
    timings["cached"] = _each(timings["cached"], CALLS)
    cached, computed, loops, whole = (timing.median for timing in timings.values())
    return Outcome(
        "cache",
        f"One request: {SESSIONS} sessions to 5m with the default set, {rows:,} bars, "
        f"of one of {len(names):,} instruments in a store",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure("computed / cached", computed / cached, target=50.0, better="higher"),
            Figure("legacy way / cached", whole / cached, target=500.0, better="higher"),
            Figure("legacy way without its file / cached", loops / cached, better="higher"),
            Figure("cached", 1e3 * cached, "ms"),
        ],
        [
            "ns a row: of a bar returned",
            "the legacy way gets its candles for nothing; it reads a file again for every bar",
        ],
    )


def _each(timing: Timing, calls: int) -> Timing:
    """Return what one of several calls took that were measured together."""
    wall, cpu = (tuple(t / calls for t in times) for times in (timing.wall, timing.cpu))
    return replace(timing, wall=wall, cpu=cpu)


def midnight(day: date) -> int:
    """Return a date's begin in UTC, before NSE's session of that date, in seconds since 1970."""
    return int(_instant(day).timestamp())


def as_rows(frame: pl.DataFrame, name: str, first: date) -> list[Candle]:
    """Return an instrument's candles from a date on as a database would."""
    own = frame.filter(pl.col("instrument") == name, pl.col("timestamp").dt.date() >= first)
    prices = own.select(pl.col("timestamp").dt.epoch("s"), "open", "high", "low", "close", "volume")
    return [Candle(*row) for row in prices.iter_rows()]


def _width_file(path: Path, names: Sequence[str]) -> Path:
    """Write a file like the old system's: a row per instrument, 27 columns."""
    others = [f"statistic_{number}" for number in range(25)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["instrument_key", *others, "lowest_min_bb_width"])
        writer.writerows([name, *["12.345"] * len(others), "1.57"] for name in names)
    return path


def measure_hits(settings: Settings) -> Outcome:
    """Measure a day: every minute's candles and corrections, and requests in between, all checked.

    The size follows the number of instruments: requests and bytes are those of 1,000.
    """
    share = settings.market.instruments / FULL_INSTRUMENTS
    cache = IndicatorCache(int(share * FULL_BYTES))
    folder = settings.market.folder / "hits"
    with open_store(folder, create=True) as store:
        day = _Day(pl.read_parquet(settings.market.main_file), store, cache)
        for minute in day.minutes:
            day.append(minute)
            day.ask(minute, int(share * FULL_REQUESTS))
    shutil.rmtree(folder)
    now, rows = (
        cache.counters,
        [
            (name, len(times), 1e3 * median(times), 1e3 * max(times), sum(times))
            for name, times in (("hits", day.hits), ("others", day.others), ("writes", day.writes))
        ],
    )
    counted = f"{now.hits:,} hits, of them {now.extensions:,} extensions; {now.repairs:,} repairs"
    return Outcome(
        "hits",
        f"A day of requests: {len(day.hits) + len(day.others):,} for {len(day.names):,} "
        f"instruments, 1 to {SESSIONS} sessions at {' and '.join(TIMEFRAMES)}, while "
        f"{len(day.minutes)} minutes are written; cache of {cache.bytes_max / MEGABYTE:,.0f} MB",
        ("", "number", "median ms", "worst ms", "total s"),
        rows,
        [
            Figure("hit rate", 100.0 * now.hit_rate, "%", target=85.0, better="higher"),
            Figure("extensions among all", 100.0 * now.extensions / now.answers, "%"),
            Figure("stale answers", day.stale, "x", target=0.0),
        ],
        [
            f"{counted}, {now.misses:,} misses",
            f"{now.entries:,} entries of {now.bytes / MEGABYTE:,.1f} MB; {now.evictions:,} evicted",
            f"{day.corrected:,} candles were corrected; a repair is no hit",
            "every answer was compared with a batch run over what had been written until then",
        ],
    )


class _Day:
    """The last session of a market, minute by minute; what came before is in the store."""

    def __init__(self, frame: pl.DataFrame, store: Store, cache: IndicatorCache) -> None:
        self._draw = random.Random(SEED)
        days = frame["timestamp"].dt.date()
        self._days = days.unique().sort()
        today = days == self._days[-1]
        store.write(frame.filter(~today), source_timeframe="1m")
        self._store, self._frames = store, _by("instrument", frame)
        self._rows = _by("timestamp", frame.filter(today))
        self._engine = tallow.AnalyticsEngine(calendar=CALENDAR, store=store, cache=cache)
        self.minutes, self.names = sorted(self._rows), list(self._frames)
        self._draw.shuffle(self.names)
        self._weights = list(accumulate(rank**-ZIPF for rank in range(1, len(self.names) + 1)))
        self.hits: list[float] = []
        self.others: list[float] = []
        self.writes: list[float] = []
        self.corrected = self.stale = 0

    def append(self, minute: datetime) -> None:
        """Write a minute's candles, and some corrections of earlier ones."""
        rows = self._rows[minute]
        wrong = sum(self._draw.random() < CORRECTED for _ in range(len(rows)))
        corrections = [self._correction(minute) for _ in range(wrong)]
        new = pl.concat([*corrections, rows]).unique(["instrument", "timestamp"], keep="last")
        began = time.perf_counter()
        self._store.write(new, source_timeframe="1m")
        self.writes.append(time.perf_counter() - began)
        self.corrected += wrong

    def _correction(self, minute: datetime) -> pl.DataFrame:
        """Return a candle that was known before, with another close; remember it."""
        name = self._draw.choice(self.names)
        known = self._known(name, minute)
        begin = known["timestamp"].search_sorted(_instant(self._days[-1]))
        if self._draw.random() < LONG_AGO or begin >= len(known) - 1:
            begin = 0
        place = self._draw.randrange(begin, len(known) - 1)
        time = known["timestamp"][place]
        own, this = self._frames[name], pl.col("timestamp") == time
        low = pl.when(this).then("low").otherwise("close").alias("close")
        units = pl.col("volume") + pl.when(this).then(1.0).otherwise(0.0)
        self._frames[name] = own.with_columns(low, units)
        return self._frames[name][place : place + 1]

    def ask(self, minute: datetime, requests: int) -> None:
        """Ask, and compare each answer with a batch run over all that was written."""
        asked = [
            (name, self._draw.choice(TIMEFRAMES), self._draw.randrange(1, SESSIONS + 1))
            for name in self._draw.choices(self.names, cum_weights=self._weights, k=requests)
        ]
        truth = {
            size: self._truth({n for n, s, _ in asked if s == size}, size, minute)
            for size in TIMEFRAMES
        }
        for name, timeframe, sessions in asked:
            start = self._days[-sessions]
            began = time.perf_counter()
            result = self._engine.query(name, timeframe, start)
            took = time.perf_counter() - began
            (self.hits if result.cache_hits else self.others).append(took)
            own = truth[timeframe][name]
            expected = own[int(own["timestamp"].search_sorted(_instant(start))) :]
            self.stale += not result.frame.equals(expected)

    def _truth(self, names: set[str], timeframe: str, minute: datetime) -> dict[Any, pl.DataFrame]:
        """Return the bars of some instruments, from all of their candles so far."""
        if not names:
            return {}
        known = pl.concat(self._known(name, minute) for name in sorted(names))
        engine = tallow.AnalyticsEngine(calendar=CALENDAR)
        return _by("instrument", engine.process_candles(known, timeframe).frame)

    def _known(self, name: str, minute: datetime) -> pl.DataFrame:
        own = self._frames[name]
        return own.head(int(own["timestamp"].search_sorted(minute, side="right")))


def _by(column: str, frame: pl.DataFrame) -> dict[Any, pl.DataFrame]:
    """Return the rows of each value of a column."""
    parts = frame.partition_by(column, as_dict=True, maintain_order=True)
    return {key: part for (key,), part in parts.items()}


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
