"""A series of two engines side by side, and the causes that a difference can have."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tallow.core.arrays import Flags, Floats, Ints, Times

CauseFlags = Ints
"""Each row's `Cause` flags."""


class Cause(enum.IntFlag):
    """Why two values differ; several may act together, such as rounding and another seed."""

    ROUNDING = enum.auto()
    ZERO_IN_WARM_UP = enum.auto()
    OTHER_SEED = enum.auto()
    SHIFTED_LABEL = enum.auto()
    RATIO_AGAINST_PERCENT = enum.auto()
    SAMPLE_AGAINST_POPULATION = enum.auto()
    CLOSE_AGAINST_TYPICAL = enum.auto()
    LOOK_AHEAD = enum.auto()
    RS_INSTEAD_OF_RSI = enum.auto()
    HIGH_LOW_INSTEAD_OF_ATR = enum.auto()
    PARTIAL_BAR = enum.auto()
    ZERO_VOLUME_FILLER = enum.auto()
    CAPPED = enum.auto()
    FIXED_YEAR = enum.auto()
    REVERSED_WINDOW = enum.auto()
    SHORT_HISTORY = enum.auto()
    LARGER_SHARE = enum.auto()
    UNEXPLAINED = enum.auto()


@dataclass(frozen=True)
class SeriesPair:
    """One series of one instrument; rows of both sides joined by their time, all kept."""

    instrument: str
    series: str
    """The column: ``sma_9``, or a bar's own (``close``)."""
    timestamp: Times
    """Shape (rows,), int64, microseconds since 1970 in UTC, rising."""
    control: Floats
    candidate: Floats
    """Shape (rows,), float64; NaN where that side has no value."""
    in_control: Flags
    in_candidate: Flags
    """Shape (rows,), bool: that side has the row."""
