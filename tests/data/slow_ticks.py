"""A twin of the tick builder in plain Python: every tick in a list, everything from scratch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
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

    def now(self) -> float:
        newest = max((tick.time for tick, _ in self.ticks), default=-math.inf)
        return max(newest, -math.inf if self.clock is None else self.clock)

    def closed_before(self) -> float:
        now = self.now() - self.grace
        return now if math.isinf(now) else now // MINUTE * MINUTE

    def outcome(self, tick: Tick, cumulative: bool) -> str:
        if not 631_152_000 * SECOND <= tick.time <= 2_871_676_800 * SECOND:  # 1990 to 2060
            return "bad_time"
        if not (math.isfinite(tick.price) and tick.price > 0):
            return "bad_price"
        if not (math.isfinite(tick.quantity) and tick.quantity >= 0):
            return "bad_quantity"
        if cumulative and math.isnan(tick.session):
            return "no_session"
        if self.clock is not None and tick.time > self.clock + DAY:
            return "too_far_ahead"
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
            each.clock = now if each.clock is None else max(now, each.clock)
            given += [(i, *row) for row in each.changed(before, was, set())]
        return given
