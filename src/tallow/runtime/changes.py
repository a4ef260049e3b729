"""What a store's log says has changed: asked once after each write, for all instruments at once."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tallow.core.limits import CHANGES_PER_INSTRUMENT
from tallow.runtime.stored import StoredCandles


class _Track:
    """One instrument's changes: the moments they were noticed, and their earliest timestamps.

    Both ascend: what a later change reaches behind, nobody needs to know of any more. `since` is
    the moment from which on nothing is missing.
    """

    __slots__ = ("earliest", "moments", "since")

    def __init__(self, since: int) -> None:
        self.moments, self.earliest, self.since = array("q"), array("q"), since

    def add(self, moment: int, earliest: int) -> None:
        while self.earliest and self.earliest[-1] >= earliest:
            self.earliest.pop()
            self.moments.pop()
        self.moments.append(moment)
        self.earliest.append(earliest)
        if len(self.moments) > CHANGES_PER_INSTRUMENT:
            half = len(self.moments) // 2
            self.since = self.moments[half - 1]
            del self.moments[:half], self.earliest[:half]


class Changes:
    """The changes of one kind of series since a moment of receipt (in microseconds, as all times).

    May be used by several threads.
    """

    def __init__(self, moment: int) -> None:
        self._lock = threading.Lock()
        self._began = self._moment = moment
        self._tracks: dict[str, _Track] = {}

    def look(self, candles: StoredCandles) -> None:
        """Ask what was received until the moment of `candles`, unless that is known already."""
        with self._lock:
            if candles.known_until <= self._moment:
                return
            for name, earliest in candles.all_changed_since(self._moment).items():
                track = self._tracks.get(name)
                if track is None:
                    track = self._tracks[name] = _Track(self._began)
                track.add(candles.known_until, earliest)
            self._moment = candles.known_until

    def since(self, name: str, moment: int) -> tuple[bool, int | None]:
        """Return whether all changes after a moment are known, and their earliest timestamp."""
        with self._lock:
            track = self._tracks.get(name)
            if moment < (self._began if track is None else track.since):
                return False, None
            if track is None:
                return True, None
            place = bisect_right(track.moments, moment)
            return True, track.earliest[place] if place < len(track.earliest) else None


@dataclass(frozen=True)
class TrackedCandles(StoredCandles):
    """Candles whose log is not looked through again for what is known of it."""

    changes: Changes

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Do as the log does; for one instrument, from what is known of it since a moment."""
        if len(names) == 1 and moment <= self.known_until:
            known, earliest = self.changes.since(names[0], moment)
            if known:
                return {} if earliest is None else {names[0]: earliest}
        return super().changed_between(names, moment)
