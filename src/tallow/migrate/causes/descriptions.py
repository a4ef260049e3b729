"""What each cause of a difference means, for reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tallow.migrate.pairs import Cause

DESCRIPTIONS: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.ROUNDING: "One side is rounded to fewer decimals.",
        Cause.ZERO_IN_WARM_UP: "One side has zero where there is no value yet.",
        Cause.OTHER_SEED: "The same recursion with another start or first value; it converges.",
        Cause.SHIFTED_LABEL: "The same values, under the label of an earlier or a later bar.",
        Cause.RATIO_AGAINST_PERCENT: "The same quantity in another unit: ratio, percent or price.",
        Cause.SAMPLE_AGAINST_POPULATION: "One side divides the squares by n - 1, the other by n.",
        Cause.CLOSE_AGAINST_TYPICAL: "One side takes the close, the other "
        "the mean of high, low and close.",
        Cause.LOOK_AHEAD: "One side computes from the newest bar to the oldest: "
        "it uses bars that did not exist yet.",
        Cause.RS_INSTEAD_OF_RSI: "One side has the relative strength, gain over loss, "
        "and not the index from 0 to 100.",
        Cause.HIGH_LOW_INSTEAD_OF_ATR: "One side takes high minus low, "
        "which ignores the gap from the previous close, or does not average it.",
        Cause.PARTIAL_BAR: "One side made a bar, this one or an earlier one, "
        "without some of its minutes.",
        Cause.ZERO_VOLUME_FILLER: "One side counts candles of minutes in which nothing was traded.",
        Cause.CAPPED: "One side cuts the value off at a limit.",
        Cause.UNEXPLAINED: "No known cause reproduces the values.",
    }
)
"""One sentence per cause."""
