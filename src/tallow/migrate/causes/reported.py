"""What one side reported of one instrument: its labels corrected, and the bars it may have used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from tallow.core.arrays import Flags, Times
from tallow.core.time import MINUTE_US, SECOND_US
from tallow.core.timeframe import parse_timeframe
from tallow.migrate.causes.bars import COLUMNS, Bars, RequestBars, overlay, read_bars
from tallow.migrate.causes.rounding import PrintedValues

ZONE_US = 330 * MINUTE_US
"""India's offset from UTC: labels that were read in the wrong zone are off by it."""

LABEL_STEPS = 3
"""Most bars by which a shift of the labels is looked for, in both directions."""


@dataclass(frozen=True)
class ReportedBars:
    """The bars that one side reported of one instrument, and those it may have computed from.

    Attributes
    ----------
    lag
        Microseconds by which its labels are late; negative where they are early.
    bars
        Its bars with the columns it reported and corrected labels; none where it reported none.
    histories
        Whole histories of bars, each different: the candles' bars with its own in place of them
        where it reported any, those without fillers, those with them.
    """

    lag: int
    bars: Bars
    histories: tuple[Bars, ...]


def read_reported(
    instrument: str, answer: pl.DataFrame, request_bars: RequestBars, dropped: Bars, kept: Bars
) -> ReportedBars:
    """Read what one side reported of `instrument`: its rows of the answer, sorted by time.

    `dropped` and `kept` are the candles' bars, without fillers and with them.
    """
    agreement = _Agreement(read_bars(answer), dropped, kept)
    lag = _find_lag(agreement, request_bars.request.timeframe)
    bars = replace(agreement.reported, time=agreement.reported.time - lag)
    histories = [dropped, kept]
    if set(bars.columns) == set(COLUMNS):
        # Outside its own rows it is assumed to treat fillers as it does in them.
        without, with_them = agreement.at(lag)
        whole = overlay(kept if with_them > without else dropped, bars)
        histories.insert(0, request_bars.with_periods(instrument, whole))
    different = {each.key: each for each in histories if len(each)}
    return ReportedBars(lag, bars, tuple(different.values()))


class _Agreement:
    """The share of reported rows that are a bar with the same values, as far as reported."""

    def __init__(self, reported: Bars, dropped: Bars, kept: Bars) -> None:
        self.reported, self.dropped, self.kept = reported, dropped, kept
        self._printed = {n: PrintedValues(c, 0.0) for n, c in reported.columns.items()}
        self._found: dict[int, tuple[float, float]] = {}

    def at(self, lag: int) -> tuple[float, float]:
        """Return the share among bars without fillers, and with them, if labels are so late."""
        if lag not in self._found:
            share = self._share(self.dropped, lag)
            same = self.kept is self.dropped
            self._found[lag] = (share, share if same else self._share(self.kept, lag))
        return self._found[lag]

    def best_at(self, lag: int) -> float:
        """Return the larger share."""
        return max(self.at(lag))

    def _share(self, bars: Bars, lag: int) -> float:
        rows = bars.find_rows(self.reported.time - lag)
        found = rows >= 0
        same: Flags = found.copy()
        if len(bars):
            for name, printed in self._printed.items():
                same &= ~found | printed.fit(bars.columns[name][rows]).explained
        return float(same.mean()) if len(same) else 0.0


def _find_lag(agreement: _Agreement, timeframe: str) -> int:
    """Return by how much the labels are late: where the same bars are found among the candles'."""
    reported, kept = agreement.reported, agreement.kept
    if not len(reported) or not len(kept):
        return 0
    usual = agreement.best_at(0)
    if usual == 1.0:
        return 0
    best = max(_possible_lags(reported.time, kept.time, timeframe), key=agreement.best_at)
    # Half of the rows: a market that does not move agrees with itself at any label.
    return best if agreement.best_at(best) > max(usual, 0.5) else 0


def _possible_lags(reported: Times, times: Times, timeframe: str) -> list[int]:
    size = parse_timeframe(timeframe).minutes * MINUTE_US
    whole = [steps * size for n in range(1, LABEL_STEPS + 1) for steps in (n, -n)]
    ends = [size - MINUTE_US, size - SECOND_US, size - 1_000, size - 1] if size else []
    at_the_ends = [int(reported[0] - times[0]), int(reported[-1] - times[-1])]
    return [*whole, *ends, ZONE_US, -ZONE_US, *at_the_ends]
