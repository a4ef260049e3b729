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
        Cause.FIXED_YEAR: "One side takes a year to have 252 rows, "
        "the other as many as the calendar had in the twelve months before.",
        Cause.REVERSED_WINDOW: "One side counts the rows of a window from the newest: "
        "what rises has a falling line.",
        Cause.SHORT_HISTORY: "One side begins an average anew for every row, "
        "a few rows before it: it never gets far from its first value.",
        Cause.LARGER_SHARE: "One side has the larger of two shares, whichever of them that is.",
        Cause.UNEXPLAINED: "No known cause reproduces the values.",
    }
)
"""One sentence per cause."""
