"""One side's answer for one instrument: its labels put right, and the bars it may have used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from tallow.core.timeframe import parse_timeframe
from tallow.migrate.causes.bars import COLUMNS, Bars, Flags, Rebuilt, Times, overlay, read_bars
from tallow.migrate.causes.rounding import Printed

MINUTE_US = 60_000_000
ZONE_US = 330 * MINUTE_US
"""India's distance from UTC: labels that were read in the wrong zone are off by it."""

LABEL_STEPS = 3
"""Bars by which labels are tried to be shifted, both ways."""


@dataclass(frozen=True)
class Told:
    """What one side told of one instrument, and from which bars it may have computed.

    Attributes
    ----------
    lag
        Microseconds by which its labels are late; negative where they are early.
    own
        Its bars with the columns it told, labels put right; none where it told no bars.
    choices
        Whole histories of bars, each different: its own in the place of ours where it told them,
        ours without fillers, ours with them.
    """

    lag: int
    own: Bars
    choices: tuple[Bars, ...]


def read_told(instrument: str, answer: pl.DataFrame, rebuilt: Rebuilt) -> Told:
    """Read what one side told of `instrument`: its rows of the answer, sorted by time."""
    told = read_bars(answer)
    dropped, kept = rebuilt.dropped(instrument), rebuilt.kept(instrument)
    lag = _lag(told, dropped, kept, rebuilt.request.timeframe)
    own = replace(told, time=told.time - lag)
    choices = [dropped, kept]
    if set(own.columns) == set(COLUMNS):
        # Before its first row, and after its last, it treated fillers as it does in between.
        fillers = _agreement(own, kept, 0) > _agreement(own, dropped, 0)
        laid = overlay(kept if fillers else dropped, own)
        choices.insert(0, rebuilt.with_periods(instrument, laid))
    unlike = {bars.key: bars for bars in choices if len(bars)}
    return Told(lag, own, tuple(unlike.values()))


def _lag(told: Bars, dropped: Bars, kept: Bars, timeframe: str) -> int:
    """Return by how much the labels are late, found by where the same bars are in the candles."""
    if not len(told) or not len(kept):
        return 0

    def agree(lag: int) -> float:
        return max(_agreement(told, dropped, lag), _agreement(told, kept, lag))

    usual = agree(0)
    if usual == 1.0:
        return 0
    best = max(_lags(told.time, kept.time, timeframe), key=agree)
    # Half of the rows: a market that does not move agrees with itself at any label.
    return best if agree(best) > max(usual, 0.5) else 0


def _lags(told: Times, times: Times, timeframe: str) -> list[int]:
    size = parse_timeframe(timeframe).minutes * MINUTE_US
    whole = [steps * size for n in range(1, LABEL_STEPS + 1) for steps in (n, -n)]
    ends = [size - MINUTE_US, size - 1_000_000, size - 1_000, size - 1] if size else []
    seen = [int(told[0] - times[0]), int(told[-1] - times[-1])]
    return [*whole, *ends, ZONE_US, -ZONE_US, *seen]


def _agreement(told: Bars, bars: Bars, lag: int) -> float:
    """Return the share of told rows that are a bar with the same values, as far as told."""
    places = bars.places(told.time - lag)
    here = places >= 0
    same: Flags = here.copy()
    for name, column in told.columns.items():
        if len(bars):
            same &= ~here | Printed(column, 0.0).fit(bars.columns[name][places]).explained
    return float(same.mean())
