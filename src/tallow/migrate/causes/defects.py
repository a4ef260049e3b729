"""Why a bar differs: minutes that are missing in it, fillers in it, or another label."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.migrate.causes.bars import (
    COLUMNS,
    PRICES,
    Bars,
    Flags,
    Floats,
    Times,
    read_bars,
)
from tallow.migrate.causes.rounding import Printed, is_finer
from tallow.migrate.pairs import Cause

HOLE_MINUTES_MAX = 60
"""Longest bar in which a hole is looked for between its first and its last minute."""

SAME_BAR = 1e-12
"""What another order of adding may change in a volume, relative."""

_THERE = "there"
_ABSENT = dict.fromkeys((*COLUMNS, _THERE), float("nan"))


class BarCauses:
    """Explains the bars of one instrument by its candles.

    Parameters
    ----------
    dropped, kept
        The bars that the candles make without fillers, and with them.
    candles
        The instrument's candles, sorted by time.
    """

    def __init__(self, dropped: Bars, kept: Bars, candles: pl.DataFrame | None) -> None:
        self.dropped, self.kept = dropped, kept
        self.minutes = None if candles is None else read_bars(candles)

    def between(
        self, one: Bars, other: Bars, times: Times, names: Collection[str] = COLUMNS
    ) -> NDArray[np.int64]:
        """Return for each time why the bars of two sides differ then; 0 where they do not.

        `names` are the columns that matter.
        """
        flags = np.zeros(len(times), dtype=np.int64)
        mine, theirs = one.places(times), other.places(times)
        differs = (mine < 0) != (theirs < 0)
        both = (mine >= 0) & (theirs >= 0)
        for name in one.columns.keys() & other.columns.keys() & set(names):
            a, b = one.columns[name][mine[both]], other.columns[name][theirs[both]]
            apart = np.abs(a - b) > SAME_BAR * np.abs(a)
            differs[both] |= apart | (np.isnan(a) != np.isnan(b))
        rows = np.flatnonzero(differs)
        found = self.departures(one, times[rows]) | self.departures(other, times[rows])
        flags[rows] = np.where(found == 0, int(Cause.UNEXPLAINED), found)
        return flags

    def departures(self, bars: Bars, times: Times) -> NDArray[np.int64]:
        """Return how a side's bars at these times depart from those of the candles; 0 if not.

        The measure is the candles without their fillers; a bar that is not there is all missing.
        """
        rounded = self._rounded(bars)
        places = bars.places(times)
        found = [
            self._departure(bars, place, time, bool(place >= 0 and rounded[place]))
            for place, time in zip(places.tolist(), times.tolist(), strict=True)
        ]
        return np.array([int(cause) for cause in found], dtype=np.int64)

    def _rounded(self, bars: Bars) -> Flags:
        """Return which of a side's bars are those of the candles but for rounding."""
        places, rounded = self.dropped.places(bars.time), np.zeros(len(bars), dtype=np.bool_)
        same = places >= 0
        for name, column in bars.columns.items():
            if len(self.dropped):
                model = np.where(places >= 0, self.dropped.columns[name][places], np.nan)
                fit = Printed(column, 0.0).fit(model)
                rounded |= fit.rounded & is_finer(model, fit.unit)
                same &= fit.explained
        return rounded & same

    def _departure(self, bars: Bars, place: int, time: int, rounded: bool) -> Cause:
        bar = _row(bars, place)
        sound = _row(self.dropped, self.dropped.places(np.array([time]))[0])
        filled = _row(self.kept, self.kept.places(np.array([time]))[0])
        if _is_same(bar, sound):
            return Cause(0)
        if _is_same(bar, filled) or self._is_filler(bar, sound, time):
            return Cause.ZERO_VOLUME_FILLER
        if rounded:
            return Cause.ROUNDING
        if self._is_partial(bar, time):
            return Cause.PARTIAL_BAR
        return Cause.UNEXPLAINED

    def _is_filler(self, bar: dict[str, float], sound: dict[str, float], time: int) -> bool:
        """Say whether this is the sound bar after minutes invented at the close before it."""
        row = int(np.searchsorted(self.kept.time, time))
        if row == 0 or np.isnan(list(bar.values())).any():
            return False
        before = float(self.kept.columns["close"][row - 1])
        if np.isnan(list(sound.values())).any():
            return _is_same(bar, dict.fromkeys(PRICES, before) | {"volume": 0.0})
        high, low = max(sound["high"], before), min(sound["low"], before)
        return _is_same(bar, sound | {"open": before, "high": high, "low": low})

    def _is_partial(self, bar: dict[str, float], time: int) -> bool:
        """Say whether this is the bar of some of its minutes: a run of them, or all but a run."""
        absent = np.isnan(list(bar.values())).any()
        if self.minutes is None or absent or not bar.keys() & set(COLUMNS):
            return False
        place = int(self.kept.places(np.array([time]))[0])
        if place < 0:
            return False
        end = self.kept.time[place + 1] if place + 1 < len(self.kept) else np.iinfo(np.int64).max
        rows = slice(*np.searchsorted(self.minutes.time, [time, end]))
        part = self.minutes.part(rows).columns
        traded = {k: v[part["volume"] > 0.0] for k, v in part.items()}
        return any(_some_minutes(minutes, bar) for minutes in (part, traded))


def _row(bars: Bars, place: int) -> dict[str, float]:
    if place < 0:
        return _ABSENT
    return {name: float(column[place]) for name, column in bars.columns.items()} | {_THERE: 1.0}


def _is_same(bar: dict[str, float], other: dict[str, float]) -> bool:
    """Compare what both tell: prices to the bit, and volumes as sums in any order."""
    return all(
        math.isclose(bar[name], other[name], rel_tol=SAME_BAR)
        or (math.isnan(bar[name]) and math.isnan(other[name]))
        for name in bar.keys() & other.keys()
    )


def _some_minutes(minutes: dict[str, Floats], bar: dict[str, float]) -> bool:
    """Say whether some minutes of these make exactly this bar."""
    count = len(minutes["close"])
    if count < 2:
        return False
    head = _running(minutes)
    tail = {k: v[::-1] for k, v in _running({k: v[::-1] for k, v in minutes.items()}).items()}
    tail["open"], tail["close"] = minutes["open"], np.full(count, minutes["close"][-1])
    if _found(head, bar) or _found(tail, bar):
        return True
    if count > HOLE_MINUTES_MAX:
        return False
    return _with_hole(head, tail, bar) or any(
        _found(_running({k: v[first:] for k, v in minutes.items()}), bar)
        for first in range(1, count - 1)
    )


def _running(minutes: dict[str, Floats]) -> dict[str, Floats]:
    """Return the bars of the first minute, the first two, and so on."""
    return {
        "open": np.full(len(minutes["open"]), minutes["open"][0]),
        "high": np.maximum.accumulate(minutes["high"]),
        "low": np.minimum.accumulate(minutes["low"]),
        "close": minutes["close"],
        "volume": np.cumsum(minutes["volume"]),
    }


def _with_hole(head: dict[str, Floats], tail: dict[str, Floats], bar: dict[str, float]) -> bool:
    """Say whether a head and a tail, with minutes missing between them, make this bar."""
    count = len(head["open"])
    first, last = np.triu_indices(count, 2)
    joined = {
        "open": head["open"][first],
        "high": np.maximum(head["high"][first], tail["high"][last]),
        "low": np.minimum(head["low"][first], tail["low"][last]),
        "close": tail["close"][last],
        "volume": head["volume"][first] + tail["volume"][last],
    }
    return _found(joined, bar)


def _found(some: dict[str, Floats], bar: dict[str, float]) -> bool:
    same = np.ones(len(some["open"]), dtype=np.bool_)
    for name in some.keys() & bar.keys():
        same &= np.abs(some[name] - bar[name]) <= SAME_BAR * abs(bar[name])
    return bool(same.any())
