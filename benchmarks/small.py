"""Little calls, as a trading backend makes them: one candle, one tick, one session.

All take the same minutes, in turns, all warm; what they take is made outside of the measured time.
TA-Lib's handles and talipp compute indicators only: no bars, no rules, no session. What an update
says is not looked at, but where it is said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

import tallow
from benchmarks.live import (
    FIVE,
    MINUTES,
    WARM_UP,
    Floats,
    Minutes,
    feed_arrays,
    feed_frames,
    feed_peer,
    in_a_turn,
)
from benchmarks.live_peers import TalibHandles, Talipp
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, Timing, take_turns
from benchmarks.settings import Settings

ROUNDS_PER_ROUND = 20
"""A turn takes a millisecond: many make a steady median."""

TICKS_A_MINUTE = 10
BATCH, INSTRUMENTS = 100, 1_000

LOCK_SECONDS = 10.0
"""How long candles and ticks come one by one while another thread asks."""

BEFORE = {"candle in a frame": 172.0, "tick": 965.0, "batch": 117.0}
"""What the build before one compiled call (4a0a970) took against TA-Lib's handles for a candle, as
measured once on two cores: a frame of one candle at one timeframe; a tick, in a frame, and a tick
of a batch, at five."""


def measure(settings: Settings) -> Outcome:
    """Measure single candles and ticks, batches of ticks, and a session as one request."""
    rounds = ROUNDS_PER_ROUND * settings.rounds
    count = WARM_UP + (rounds + 1) * MINUTES
    market = Minutes(1, count // 375 + 1)
    minutes = [market.next() for _ in range(count)]
    rows = [list(map(tuple, minute.T.tolist())) for minute in minutes]
    talib = TalibHandles([np.array([minute[:, 0] for minute in minutes[:WARM_UP]])])
    talipp = Talipp(1)
    for minute in rows[:WARM_UP]:
        talipp.update(minute)
    contestants: dict[str, Callable[[], object]] = {
        "update_one": _plain(market, minutes, ["1m"]),
        "update_one, five timeframes": _plain(market, minutes, FIVE),
        "update_arrays": feed_arrays(market, minutes, ["1m"]),
        "update, a frame of one row": feed_frames(market, minutes, looks=False),
        "update, a frame of one row, and its frame": feed_frames(market, minutes),
        "update_tick, five timeframes": _ticks(market, minutes),
        "update_ticks, a frame of one, five timeframes": _tick_frames(market, minutes),
        "TA-Lib's handles": feed_peer(talib, rows),
        "talipp": feed_peer(talipp, rows),
    }
    turns = {name: in_a_turn(minute) for name, minute in contestants.items()}
    timings = take_turns(turns, rounds, MINUTES)
    one, five, few, frame, _, tick, tick_frame, handles, other = (
        timing.median for timing in timings.values()
    )
    many = take_turns(
        {
            f"update_ticks, {BATCH} ticks of {INSTRUMENTS:,} instruments, five timeframes": (
                in_a_turn(_batches(settings.rounds))
            )
        },
        settings.rounds,
        BATCH * MINUTES,
    )
    batch = next(iter(many.values())).median / BATCH
    request = _requests(settings)
    candles, again, arrays = (timing.median for timing in request.values())
    return Outcome(
        "small",
        f"One candle of one instrument, default set, {MINUTES} minutes a turn; 375 candles to 5m",
        TIMING_COLUMNS,
        [timing.cells() for timing in (*timings.values(), *many.values(), *request.values())],
        [
            Figure("update_one / TA-Lib's handles", one / handles, "x", 4.0),
            Figure("update_one / talipp", one / other, "x", 0.4),
            Figure("five timeframes / one", five / one, "x", 3.0),
            Figure("update_arrays / TA-Lib's handles", few / handles, "x"),
            _against_before("a frame of one row", frame / handles, "candle in a frame", 0.1),
            _against_before("one tick, five timeframes", tick / handles, "tick", 0.02),
            _against_before("the same in a frame", tick_frame / handles, "tick", 0.1),
            _against_before("a tick of a batch, five timeframes", batch / handles, "batch", 0.2),
            Figure("375 candles to 5m, from a frame / from Candles", again / candles, "x"),
            Figure("375 candles to 5m, as arrays / as a frame", arrays / candles, "x", 0.5),
        ],
    )


def measure_locks(_settings: Settings) -> Outcome:
    """Measure how long the lock is held, by whoever asks or updates, while both go on."""
    live, numbers = tallow.LiveEngine(FIVE, calendar=CALENDAR), range(BATCH)
    market = Minutes(BATCH, 100)
    live.numbers(market.names)
    done, asked = threading.Event(), 0
    times = iter(market.times.tolist())

    def minute() -> None:
        now, candles = next(times), market.next().T.tolist()
        for number in numbers[: BATCH // 2]:
            live.update_one(number, now, *candles[number])
        for number in numbers[BATCH // 2 :]:
            for second in range(0, 60, 60 // TICKS_A_MINUTE):
                live.update_tick(number, now + second * 1_000_000, candles[number][0], 1.0)

    def ask() -> None:
        nonlocal asked
        while not done.is_set():
            live.latest(FIVE[asked % len(FIVE)], [market.names[asked % BATCH]])
            asked += 1

    # What is loaded at first use is loaded.
    for _ in range(WARM_UP):
        minute()
    live.latest("1m")
    lock = _TimedLock()
    vars(live)["_lock"] = lock
    thread = threading.Thread(target=ask)
    thread.start()
    end, updates = time.monotonic() + LOCK_SECONDS, 0
    while time.monotonic() < end:
        minute()
        updates += BATCH // 2 * (1 + TICKS_A_MINUTE)
    done.set()
    thread.join()
    held = 1e3 * np.array(lock.seconds)
    middle, high, highest = np.percentile(held, [50.0, 99.9, 100.0]).tolist()
    return Outcome(
        "locks",
        f"Candles and ticks one by one, five timeframes, while a thread asks, {LOCK_SECONDS:g} s",
        ("", "median ms", "p99.9 ms", "worst ms", "times"),
        [("the lock is held", middle, high, highest, float(len(held)))],
        [Figure("held, p99.9", high, "ms", 1.0)],
        [f"{updates:,} updates and {asked:,} questions; other work of the machine counts, too"],
    )


class _TimedLock:
    """A lock that notes how long it is held each time."""

    def __init__(self) -> None:
        self._lock, self._began = threading.RLock(), 0.0
        self.seconds: list[float] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds.append(time.perf_counter() - self._began)
        self._lock.release()


def _against_before(name: str, ratio: float, before: str, target: float) -> Figure:
    return Figure(f"{name} / the build before", ratio / BEFORE[before], "x", target)


def _plain(
    market: Minutes, minutes: list[Floats], timeframes: list[str] | tuple[str, ...]
) -> Callable[[], object]:
    live = tallow.LiveEngine(timeframes, calendar=CALENDAR)
    name, times = market.names[0], market.times.tolist()
    given = iter(
        [(time, *minute[:, 0].tolist()) for time, minute in zip(times, minutes, strict=False)]
    )
    return _warm(lambda: live.update_one(name, *next(given)))


def _ticks(market: Minutes, minutes: Sequence[Floats]) -> Callable[[], object]:
    live, name = tallow.LiveEngine(FIVE, calendar=CALENDAR), market.names[0]
    given = _trades(market, minutes)
    return _warm(lambda: live.update_tick(name, *next(given)))


def _tick_frames(market: Minutes, minutes: Sequence[Floats]) -> Callable[[], object]:
    live, name = tallow.LiveEngine(FIVE, calendar=CALENDAR), market.names[0]
    trades = list(_trades(market, minutes))
    frames = iter([_tick_frame([name], *map(_column, trade)) for trade in trades])
    return _warm(lambda: live.update_ticks(next(frames)))


def _column(value: float) -> list[float]:
    return [value]


def _trades(market: Minutes, minutes: Sequence[Floats]) -> Iterator[tuple[int, float, float]]:
    """Yield as many trades as there are minutes: time, price, quantity."""
    for place, minute in enumerate(minutes):
        into = place % TICKS_A_MINUTE * (60_000_000 // TICKS_A_MINUTE)
        yield int(market.times[place // TICKS_A_MINUTE]) + into, float(minute[3, 0]), 5.0


def _batches(rounds: int) -> Callable[[], object]:
    """Return what takes a batch of trades of many instruments, each at some moment."""
    live, market = tallow.LiveEngine(FIVE, calendar=CALENDAR), Minutes(INSTRUMENTS)
    live.numbers(market.names)
    draw, frames = np.random.default_rng(3), []
    each = INSTRUMENTS * TICKS_A_MINUTE // BATCH
    for place in range((rounds + 1) * MINUTES + WARM_UP):
        moment = market.times[place // each] + place % each * (60_000_000 // each)
        names = [market.names[number] for number in draw.integers(0, INSTRUMENTS, BATCH)]
        prices = np.round(100.0 + draw.random(BATCH), 2)
        frames.append(_tick_frame(names, np.full(BATCH, moment), prices, np.full(BATCH, 5.0)))
    given = iter(frames)
    return _warm(lambda: live.update_ticks(next(given)))


def _tick_frame(names: list[str], times: Any, prices: Any, quantities: Any) -> pl.DataFrame:
    stamp = pl.Series(times).cast(pl.Datetime("us", "UTC"))
    columns = {"instrument": names, "timestamp": stamp, "price": prices, "quantity": quantities}
    return pl.DataFrame(columns)


def _warm(take: Callable[[], object]) -> Callable[[], object]:
    for _ in range(WARM_UP):
        take()
    return take


def _requests(settings: Settings) -> dict[str, Timing]:
    frame = pl.read_parquet(settings.market.by_instrument(1, 1))
    candles, engine = tallow.read_candles(frame), tallow.AnalyticsEngine(calendar=CALENDAR)
    contestants: dict[str, Callable[[], object]] = {
        "375 candles to 5m, from Candles": lambda: engine.process_candles(candles, "5m"),
        "375 candles to 5m, from a frame": lambda: engine.process_candles(frame, "5m"),
        "375 candles to 5m, as arrays": lambda: engine.calculate_arrays(candles, "5m"),
    }
    return take_turns(contestants, ROUNDS_PER_ROUND * settings.rounds, len(frame))
