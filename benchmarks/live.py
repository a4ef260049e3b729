"""The live engine: a candle for each of a thousand instruments, corrections, memory over a week.

Everybody takes the same minutes, in turns, all warm. The peers take plain Python numbers, one
instrument after the other; theirs are made outside of the measured time, as are our arrays.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import tallow
from benchmarks.live_peers import WARM_UP, TalibHandles, Talipp, Wickra
from benchmarks.market import CALENDAR
from benchmarks.measure import MEGABYTE, ROOT, TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow.core.calendars import load_calendar
from tallow.core.operator import CROSS
from tallow.core.registry import registry
from tallow.plan.plan import make_plan

FIVE = ("1m", "5m", "15m", "1h", "1d")
MINUTES = 60
"""Minutes that each contestant takes in its turn, one after the other, as a feed brings them."""

WEEK_INSTRUMENTS, WEEK_SESSIONS = 10_000, 5
REPEATS = 200
BACK = 60
"""How many minutes back a correction goes."""

Floats = NDArray[np.float64]


class Minutes:
    """Minutes of a made-up market in which every instrument trades every minute."""

    def __init__(self, instruments: int, sessions: int = 2, seed: int = 5) -> None:
        table = load_calendar(CALENDAR).sessions()
        first = int(np.searchsorted(table.day_date, np.datetime64(date(2025, 6, 2))))
        opens = table.day_open[first : first + sessions]
        self.times = (opens[:, None] + 60_000_000 * np.arange(375)).ravel()
        self.names = [f"NSE_EQ|INE{number:06d}" for number in range(instruments)]
        self._draw = np.random.default_rng(seed)
        self._close = 100.0 + 900.0 * self._draw.random(instruments)

    def next(self) -> Floats:
        """Return the next minute's candles, float64 ``[fields, instruments]``."""
        opens = self._close
        moves = self._draw.standard_normal((3, len(opens)))
        self._close = np.round(np.maximum(opens * (1.0 + 6e-4 * moves[0]), 1.0) * 20.0) / 20.0
        high = np.maximum(opens, self._close) + np.abs(np.round(moves[1]) / 20.0)
        low = np.minimum(opens, self._close) - np.abs(np.round(moves[2]) / 20.0)
        return np.array([opens, high, low, self._close, self._draw.integers(1, 900, len(opens))])


def measure(settings: Settings) -> Outcome:
    """Measure a minute of all instruments."""
    count = settings.market.instruments
    market = Minutes(count, 3)
    minutes = [market.next() for _ in range(WARM_UP + (settings.rounds + 1) * MINUTES)]
    rows = [list(map(tuple, minute.T.tolist())) for minute in minutes]
    history = np.stack(minutes[:WARM_UP], axis=2).transpose(1, 2, 0)
    peers: dict[str, Any] = {
        "talipp": Talipp(count),
        "TA-Lib's handles": TalibHandles(history),
        "Wickra": Wickra(count),
    }
    for minute in rows[:WARM_UP]:
        peers["talipp"].update(minute)
        peers["Wickra"].update(minute)
    contestants: dict[str, Callable[[], object]] = {
        "update_arrays": feed_arrays(market, minutes, ["1m"]),
        "update_arrays, five timeframes": feed_arrays(market, minutes, FIVE),
        "update_arrays, 60 columns": feed_arrays(market, minutes, ["1m"], of_columns(60)),
        "update, frames": feed_frames(market, minutes),
    }
    contestants |= {name: feed_peer(peer, rows) for name, peer in peers.items()}
    turns = {name: in_a_turn(minute) for name, minute in contestants.items()}
    timings = take_turns(turns, settings.rounds, count * MINUTES)
    ours, five, sixty, frames, talipp, talib, wickra = (each.median for each in timings.values())
    return Outcome(
        "live",
        f"One new candle for each of {count:,} instruments, default set, {MINUTES} minutes a turn",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure("talipp / update_arrays", talipp / ours, "x", 60.0, "higher"),
            Figure("TA-Lib's handles / update_arrays", talib / ours, "x", 4.0, "higher"),
            Figure("Wickra / update_arrays", wickra / ours, "x", 3.0, "higher"),
            Figure("talipp / update with frames", talipp / frames, "x", 20.0, "higher"),
            Figure("five timeframes / one", five / ours, "x", 6.0),
            Figure("60 columns / the default set's 12", sixty / ours, "x", 5.0),
        ],
        ["every minute closes a bar and opens one; the rows of both come back"],
    )


def measure_corrections(settings: Settings) -> Outcome:
    """Measure corrections an hour back, after a short and after a long history."""
    table: list[tuple[str | float, ...]] = []
    cost: dict[int, float] = {}
    ratio: dict[int, float] = {}
    for sessions in (2, 20):
        append, correct = _corrections(sessions)
        cost[sessions], ratio[sessions] = correct, correct / append
        table.append((f"{sessions} sessions before", 1e3 * append, 1e3 * correct))
    return Outcome(
        "corrections",
        f"One instrument, {len(FIVE)} timeframes, default set: a candle {BACK} minutes back",
        ("", "append ms", "correction ms"),
        table,
        [
            Figure("correction / append", ratio[20], "x", 50.0),
            Figure("after 20 sessions / after 2", cost[20] / cost[2], "x", 1.3),
        ],
    )


def measure_memory(settings: Settings) -> Outcome:
    """Measure the memory of a universe over a week, in a process of its own."""
    count = WEEK_INSTRUMENTS * settings.market.instruments // 1_000
    command = [sys.executable, "-m", "benchmarks.live", str(count)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    days = json.loads(done.stdout)
    base, first, last = days[0], days[1], days[-1]
    each = (last - base) / (count * len(FIVE))
    return Outcome(
        "live-memory",
        f"{count:,} instruments, {len(FIVE)} timeframes, default set, {WEEK_SESSIONS} sessions",
        ("after", "resident MB"),
        [
            (f"session {day}" if day else "start", bytes_ / MEGABYTE)
            for day, bytes_ in enumerate(days)
        ],
        [
            Figure("resident, of 2 GB", last / 2e9 * (WEEK_INSTRUMENTS / count), "x", 1.0),
            Figure("after the week / after a day", last / first, "x", 1.05),
        ],
        [f"{each / 1e3:.1f} kB per instrument and timeframe, with what repairs need"],
    )


def of_columns(count: int) -> list[str]:
    """Return indicators by their names, as many as have so many columns, or a few more."""
    asked: list[str] = []
    for name, indicator in sorted(registry().by_name.items()):
        if indicator.memory != CROSS and len(make_plan(asked).outputs) < count:
            asked.append(name)
    return asked


def feed_arrays(
    market: Minutes,
    minutes: list[Floats],
    timeframes: list[str] | tuple[str, ...],
    indicators: str | list[str] = "default",
) -> Callable[[], object]:
    """Return what gives an engine one minute after the other, as arrays."""
    live = tallow.LiveEngine(timeframes, indicators, calendar=CALENDAR)
    numbers, place = live.numbers(market.names), iter(range(len(minutes)))
    times = [np.full(len(numbers), time) for time in market.times[: len(minutes)]]

    def minute() -> object:
        k = next(place)
        return live.update_arrays(numbers, times[k], *minutes[k])

    for _ in range(WARM_UP):
        minute()
    return minute


def feed_frames(
    market: Minutes, minutes: list[Floats], *, looks: bool = True
) -> Callable[[], object]:
    """Return what gives an engine one minute after the other, as frames, and looks at its frame."""
    live = tallow.LiveEngine("1m", calendar=CALENDAR)
    frames = [
        _frame(market.names, time, minute)
        for time, minute in zip(market.times, minutes, strict=False)
    ]
    place = iter(frames)

    def minute() -> object:
        update = live.update(next(place))
        return update.frame if looks else update

    for _ in range(WARM_UP):
        minute()
    return minute


def _frame(names: list[str], time: int, minute: Floats) -> pl.DataFrame:
    columns = dict(zip(("open", "high", "low", "close", "volume"), minute, strict=True))
    stamp = pl.Series(np.full(len(names), time)).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"instrument": names, "timestamp": stamp, **columns})


def in_a_turn(minute: Callable[[], object]) -> Callable[[], object]:
    """Return a turn of many minutes."""

    def turn() -> None:
        for _ in range(MINUTES):
            minute()

    return turn


def feed_peer(peer: Any, rows: list[Any]) -> Callable[[], object]:
    """Return what gives a peer one minute after the other."""
    place = iter(rows[WARM_UP:])
    return lambda: peer.update(next(place))


def _corrections(sessions: int) -> tuple[float, float]:
    """Return the median seconds of an append and of a correction, after so many sessions."""
    market = Minutes(1, sessions + 2)
    live = tallow.LiveEngine(FIVE, calendar=CALENDAR)
    numbers = live.numbers(market.names)
    begin = sessions * 375 + BACK
    for k in range(begin):
        live.update_arrays(numbers, market.times[k : k + 1], *market.next())
    appends, corrections = [], []
    for k in range(begin, begin + REPEATS):
        fresh, other = market.next(), market.next()
        began = time.perf_counter()
        live.update_arrays(numbers, market.times[k : k + 1], *fresh)
        appends.append(time.perf_counter() - began)
        began = time.perf_counter()
        live.update_arrays(numbers, market.times[k - BACK : k - BACK + 1], *other)
        corrections.append(time.perf_counter() - began)
    return median(appends), median(corrections)


def _resident() -> int:
    """Return the process's resident bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def main() -> None:
    """Run a week of so many instruments; print the resident bytes before and after each session."""
    market = Minutes(int(sys.argv[1]), WEEK_SESSIONS)
    live = tallow.LiveEngine(FIVE, calendar=CALENDAR)
    # Kernels are loaded, and there is one instrument.
    live.update_arrays(live.numbers(["*"]), market.times[:1], *market.next()[:, :1])
    days = [_resident()]
    numbers = live.numbers(market.names)
    for place, moment in enumerate(market.times[1:].tolist(), start=1):
        live.update_arrays(numbers, np.full(len(numbers), moment), *market.next())
        if place % 375 == 374:
            live.advance(moment + 120_000_000)
            days.append(_resident())
    print(json.dumps(days))


if __name__ == "__main__":
    main()
