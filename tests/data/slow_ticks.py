"""A twin of the tick builder in plain Python: every tick in a list, everything from scratch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
AHEAD = 55 * MINUTE
OPENS = 1_748_835_900 * SECOND  # 2025-06-02 09:15 in India, a full minute


class Tick(NamedTuple):
    instrument: int
    time: int
    price: float
    quantity: float
    session: float = 1.0
    sequence: int = 0


def place_in_time(taken: tuple[Tick, bool]) -> tuple[float, ...]:
    """Return the key of the order; Python's sort keeps equals as they arrived."""
    tick, cumulative = taken
    return (tick.time, tick.sequence, tick.quantity if cumulative else -1.0)


@dataclass
class Slow:
    """One instrument, the long way: all ticks ever taken, in the order they arrived."""

    grace: int
    kept: int
    ticks: list[tuple[Tick, bool]] = field(default_factory=list)
    clock: int | None = None

    newest: float = -math.inf

    def now(self) -> float:
        return self.newest if self.clock is None else max(self.clock, self.newest - AHEAD)

    def note_newest(self) -> None:
        """Without a clock, a tick far after all others is not believed until the next comes."""
        times = sorted({tick.time for tick, _ in self.ticks})
        if self.clock is not None:
            found = times[-1]
        elif len(times) < 2:
            return
        else:
            found = times[-1] if times[-1] - times[-2] <= AHEAD else times[-2]
        self.newest = max(self.newest, found)

    def closed_before(self) -> float:
        now = self.now() - self.grace
        return now if math.isinf(now) else now // MINUTE * MINUTE

    def outcome(self, tick: Tick, cumulative: bool) -> str:
        if not 631_152_000 * SECOND <= tick.time <= 2_871_676_800 * SECOND:  # 1990 to 2060
            return "time_out_of_range"
        if not math.isfinite(tick.price):
            return "price_missing"
        if not math.isfinite(tick.quantity):
            return "volume_missing"
        if tick.quantity < 0:
            return "volume_negative"
        if cumulative and math.isnan(tick.session):
            return "no_session"
        now = self.now()
        oldest = now if math.isinf(now) else now // MINUTE * MINUTE - self.kept * MINUTE
        return "too_late" if tick.time < oldest else "folded"

    def minutes(self) -> dict[int, tuple[float, ...]]:
        """Return all candles and falls, from a fresh sort of everything."""
        found: dict[int, list[tuple[Tick, bool]]] = {}
        for tick, cumulative in sorted(self.ticks, key=place_in_time):
            found.setdefault(tick.time // MINUTE * MINUTE, []).append((tick, cumulative))
        built: dict[int, tuple[float, ...]] = {}
        highest: dict[float, float] = {}
        for minute, held in found.items():
            prices = [tick.price for tick, _ in held]
            session = held[0][0].session
            start = peak = highest.get(session, 0.0)
            traded, falls = 0.0, 0
            for tick, cumulative in held:
                if not cumulative:
                    traded += tick.quantity
                elif tick.quantity < peak:
                    falls += 1
                else:
                    peak = tick.quantity
            highest[session] = peak
            candle = (prices[0], max(prices), min(prices), prices[-1], traded + (peak - start))
            built[minute] = (*candle, falls)
        return built

    def changed(
        self, before: dict[int, tuple[float, ...]], was: float, touched: set[int]
    ) -> list[Any]:
        """Return the minutes that changed, closed or were touched, as `rows` gives them."""
        closed, given = self.closed_before(), []
        for minute, (*candle, falls) in sorted(self.minutes().items()):
            *candle_was, falls_were = before.get(minute, (None,))
            renewed = minute in touched or candle != candle_was
            if renewed or falls != falls_were or was <= minute < closed:
                given.append((minute, *candle, minute < closed, falls, renewed))
        return given


class SlowBuilder:
    """The twin of `TickBuilder`."""

    def __init__(self, grace: int, kept: int, instruments: int) -> None:
        self.own = [Slow(grace, kept) for _ in range(instruments)]

    def add(self, ticks: list[Tick], cumulative: bool) -> tuple[list[Any], list[str]]:
        before = [(each.minutes(), each.closed_before()) for each in self.own]
        touched: list[set[int]] = [set() for _ in self.own]
        # What is too late is judged by what was known before the batch.
        outcomes = [self.own[tick.instrument].outcome(tick, cumulative) for tick in ticks]
        for place, tick in enumerate(ticks):
            if outcomes[place] == "folded":
                outcomes[place] = self.take(tick, cumulative, before[tick.instrument][1])
                if outcomes[place] != "repeated":
                    touched[tick.instrument].add(tick.time // MINUTE * MINUTE)
        for i, each in enumerate(self.own):
            if touched[i]:
                each.note_newest()
        given = [
            (i, *row)
            for i, each in enumerate(self.own)
            if touched[i]
            for row in each.changed(*before[i], touched[i])
        ]
        return given, outcomes

    def take(self, tick: Tick, cumulative: bool, closed: float) -> str:
        own = self.own[tick.instrument].ticks
        # The session follows from the time, and says nothing more.
        if any(
            kind == cumulative and held._replace(session=0.0) == tick._replace(session=0.0)
            for held, kind in own
        ):
            return "repeated"
        own.append((tick, cumulative))
        return "late" if tick.time < closed else "folded"

    def advance(self, now: int) -> list[Any]:
        given = []
        for i, each in enumerate(self.own):
            before, was = each.minutes(), each.closed_before()
            each.newest += AHEAD if each.clock is None else 0
            each.clock = now if each.clock is None else max(now, each.clock)
            given += [(i, *row) for row in each.changed(before, was, set())]
        return given
