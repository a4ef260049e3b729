"""Whether a rule may fire: armed until it fires, and again once its condition did not hold."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable

import numpy as np

from tallow.core.arrays import Codes, Flags, Ints, Times
from tallow.core.time import BEGIN_OF_TIME, SECOND_US
from tallow.screens.series import MATCHED, NOT

HOUR_US = 3_600 * SECOND_US


class Arming:
    """Of each instrument, by number: whether a rule is armed, and up to which bar it was judged.

    A bar that comes again, corrected, is judged from how it was before it; one before that bar is
    not judged: what was answered then stays.
    """

    def __init__(self) -> None:
        self.armed = np.empty(0, dtype=np.bool_)
        self.judged = np.empty(0, dtype=np.int64)
        self._before = np.empty(0, dtype=np.bool_)

    def grow(self, armed: Flags, judged: Times) -> None:
        """Add instruments, as they were when they were judged last: at first armed."""
        self.armed = np.append(self.armed, armed)
        self.judged = np.append(self.judged, judged)
        # Kept is the bar at which it turned, and before that it was the other way.
        never = judged == BEGIN_OF_TIME
        self._before = np.append(self._before, np.where(never, True, ~armed))

    def take(self, which: Ints, opens: Times, states: Codes) -> tuple[Flags, Flags]:
        """Judge a bar of each of `which`; return which fire, and which are armed otherwise now.

        `states` are those of the condition on the bars.
        """
        again, is_new = opens == self.judged[which], opens > self.judged[which]
        began = np.where(again, self._before[which], self.armed[which])
        taken = again | is_new
        holds, fails = states == MATCHED, states == NOT
        after = np.where(holds, False, fails | began)
        turned: Flags = taken & (after != self.armed[which])
        fires: Flags = taken & holds & began
        some = which[taken]
        self._before[some], self.armed[some] = began[taken], after[taken]
        self.judged[some] = opens[taken]
        return fires, turned


class Allowance:
    """What cooldown and hourly cap let through, by the times of bars' ends."""

    def __init__(self, cooldown: float, hourly_cap: int) -> None:
        self._cooldown, self._cap = round(cooldown * SECOND_US), hourly_cap
        self._last: dict[str, int] = {}
        self._recent: list[int] = []

    def remember(self, fired: Iterable[tuple[str, int]]) -> None:
        """Take the instruments and moments of alerts that were fired before."""
        for instrument, moment in fired:
            self._last[instrument] = max(moment, self._last.get(instrument, moment))
            insort(self._recent, moment)

    def refusal(self, instrument: str, moment: int) -> str | None:
        """Return what holds an alert back, ``cooldown`` or ``cap``; None where nothing does."""
        last = self._last.get(instrument)
        if last is not None and moment - last < self._cooldown:
            return "cooldown"
        del self._recent[: bisect_right(self._recent, moment - HOUR_US)]
        if len(self._recent) >= self._cap:
            return "cap"
        self.remember([(instrument, moment)])
        return None
