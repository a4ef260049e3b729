"""Why a bar differs: it lacks minutes, counts fillers, or is rounded."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Times
from tallow.data.reading.schema import NUMBERS, PRICES
from tallow.migrate.causes.bars import Bars, read_bars
from tallow.migrate.causes.rounding import PrintedValues, is_finer
from tallow.migrate.pairs import Cause, CauseFlags

GAP_MINUTES_MAX = 60
"""Longest bar in which a gap is looked for between its first and its last minute."""

SAME_BAR = 1e-12
"""Relative error of a volume that is summed in another order."""

_EXISTS = "exists"
_ABSENT = dict.fromkeys((*NUMBERS, _EXISTS), float("nan"))


@dataclass(frozen=True)
class BarCauses:
    """Explains the bars of one instrument by its candles, which are sorted by time.

    `dropped` and `kept` are the bars of the candles without fillers, and with them.
    """

    dropped: Bars
    kept: Bars
    candles: pl.DataFrame | None

    @cached_property
    def minutes(self) -> Bars | None:
        """The candles as arrays."""
        return None if self.candles is None else read_bars(self.candles)

    def between(
        self, one: Bars, other: Bars, times: Times, names: Collection[str] = NUMBERS
    ) -> CauseFlags:
        """Return why the bars of two sides differ at each time; 0 where they do not.

        `names` are the columns that matter.
        """
        flags = np.zeros(len(times), dtype=np.int64)
        own, others = one.find_rows(times), other.find_rows(times)
        differs = (own < 0) != (others < 0)
        both = (own >= 0) & (others >= 0)
        for name in one.columns.keys() & other.columns.keys() & set(names):
            a, b = one.columns[name][own[both]], other.columns[name][others[both]]
            apart = np.abs(a - b) > SAME_BAR * np.abs(a)
            differs[both] |= apart | (np.isnan(a) != np.isnan(b))
        rows = np.flatnonzero(differs)
        found = self.departures(one, times[rows]) | self.departures(other, times[rows])
        flags[rows] = np.where(found == 0, int(Cause.UNEXPLAINED), found)
        return flags

    def departures(self, bars: Bars, times: Times) -> CauseFlags:
        """Return how a side's bars at these times depart from those of the candles; 0 if not.

        They are compared with the candles' bars without fillers; an absent bar lacks all minutes.
        """
        rounded = self._find_rounded(bars)
        rows = bars.find_rows(times)
        found = [
            self._departure(bars, row, time, bool(row >= 0 and rounded[row]))
            for row, time in zip(rows.tolist(), times.tolist(), strict=True)
        ]
        return np.array([int(cause) for cause in found], dtype=np.int64)

    def _find_rounded(self, bars: Bars) -> Flags:
        """Return which of a side's bars are those of the candles except for rounding."""
        rows, rounded = self.dropped.find_rows(bars.time), np.zeros(len(bars), dtype=np.bool_)
        same = rows >= 0
        for name, column in bars.columns.items():
            if len(self.dropped):
                model = np.where(rows >= 0, self.dropped.columns[name][rows], np.nan)
                fit = PrintedValues(column, 0.0).fit(model)
                rounded |= fit.rounded & is_finer(model, fit.unit)
                same &= fit.explained
        return rounded & same

    def _departure(self, bars: Bars, row: int, time: int, rounded: bool) -> Cause:
        bar = _bar_at(bars, row)
        expected = _bar_at(self.dropped, self.dropped.find_rows(np.array([time]))[0])
        filled = _bar_at(self.kept, self.kept.find_rows(np.array([time]))[0])
        if _is_same(bar, expected):
            return Cause(0)
        if _is_same(bar, filled) or self._is_filler(bar, expected, time):
            return Cause.ZERO_VOLUME_FILLER
        if rounded:
            return Cause.ROUNDING
        if self._is_partial(bar, time):
            return Cause.PARTIAL_BAR
        return Cause.UNEXPLAINED

    def _is_filler(self, bar: dict[str, float], expected: dict[str, float], time: int) -> bool:
        """Return whether this is the expected bar, with fillers at the previous close before it."""
        row = int(np.searchsorted(self.kept.time, time))
        if row == 0 or np.isnan(list(bar.values())).any():
            return False
        before = float(self.kept.columns["close"][row - 1])
        if np.isnan(list(expected.values())).any():
            return _is_same(bar, dict.fromkeys(PRICES, before) | {"volume": 0.0})
        high, low = max(expected["high"], before), min(expected["low"], before)
        return _is_same(bar, expected | {"open": before, "high": high, "low": low})

    def _is_partial(self, bar: dict[str, float], time: int) -> bool:
        """Return whether this bar has some of its minutes: a run of them, or all but a run."""
        absent = np.isnan(list(bar.values())).any()
        if self.minutes is None or absent or not bar.keys() & set(NUMBERS):
            return False
        row = int(self.kept.find_rows(np.array([time]))[0])
        if row < 0:
            return False
        end = self.kept.time[row + 1] if row + 1 < len(self.kept) else np.iinfo(np.int64).max
        rows = slice(*np.searchsorted(self.minutes.time, [time, end]))
        part = self.minutes.select(rows).columns
        traded = {k: v[part["volume"] > 0.0] for k, v in part.items()}
        return any(_some_make_bar(minutes, bar) for minutes in (part, traded))


def _bar_at(bars: Bars, row: int) -> dict[str, float]:
    if row < 0:
        return _ABSENT
    return {name: float(column[row]) for name, column in bars.columns.items()} | {_EXISTS: 1.0}


def _is_same(bar: dict[str, float], other: dict[str, float]) -> bool:
    """Compare the columns that both have, with volumes as sums in any order."""
    return all(
        math.isclose(bar[name], other[name], rel_tol=SAME_BAR)
        or (math.isnan(bar[name]) and math.isnan(other[name]))
        for name in bar.keys() & other.keys()
    )


def _some_make_bar(minutes: dict[str, Floats], bar: dict[str, float]) -> bool:
    """Return whether some of these minutes make exactly this bar."""
    count = len(minutes["close"])
    if count < 2:
        return False
    head = _accumulate(minutes)
    tail = {k: v[::-1] for k, v in _accumulate({k: v[::-1] for k, v in minutes.items()}).items()}
    tail["open"], tail["close"] = minutes["open"], np.full(count, minutes["close"][-1])
    if _has_bar(head, bar) or _has_bar(tail, bar):
        return True
    if count > GAP_MINUTES_MAX:
        return False
    return _gap_makes_bar(head, tail, bar) or any(
        _has_bar(_accumulate({k: v[first:] for k, v in minutes.items()}), bar)
        for first in range(1, count - 1)
    )


def _accumulate(minutes: dict[str, Floats]) -> dict[str, Floats]:
    """Return the bars of the first minute, the first two, and so on."""
    return {
        "open": np.full(len(minutes["open"]), minutes["open"][0]),
        "high": np.maximum.accumulate(minutes["high"]),
        "low": np.minimum.accumulate(minutes["low"]),
        "close": minutes["close"],
        "volume": np.cumsum(minutes["volume"]),
    }


def _gap_makes_bar(head: dict[str, Floats], tail: dict[str, Floats], bar: dict[str, float]) -> bool:
    """Return whether the first and the last minutes, without some in between, make this bar."""
    count = len(head["open"])
    first, last = np.triu_indices(count, 2)
    bars = {
        "open": head["open"][first],
        "high": np.maximum(head["high"][first], tail["high"][last]),
        "low": np.minimum(head["low"][first], tail["low"][last]),
        "close": tail["close"][last],
        "volume": head["volume"][first] + tail["volume"][last],
    }
    return _has_bar(bars, bar)


def _has_bar(bars: dict[str, Floats], bar: dict[str, float]) -> bool:
    same = np.ones(len(bars["open"]), dtype=np.bool_)
    for name in bars.keys() & bar.keys():
        same &= np.abs(bars[name] - bar[name]) <= SAME_BAR * abs(bar[name])
    return bool(same.any())
