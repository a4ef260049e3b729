"""What threads count and time while they work: each in a place of its own, without a lock."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of counted durations, in seconds; what took longer is counted behind them."""

STAGES = ("update", "tell", "read", "compute", "request")
"""Work that is timed: an update of the live engine; a change until the clients of the stream were
told; a read of the store, or a question to it; one in a worker process; a request over HTTP from
its first byte to the last of its answer."""

ERRORS = ("feed", "store", "request", "internal")
"""Kinds of errors: the feed, what is written to disk, answers of 500 and above, mistakes here."""

DROPS = ("slow", "errors", "binary")
"""Why clients of the stream are dropped."""

STATUSES = ("2xx", "3xx", "4xx", "5xx")
"""Kinds of answers."""

WENT = ("rows_in", "late", "revised", "deleted", "repeated", "quarantined")
"""What is counted of an update's rows; see `tallow.runtime.live.updates.LiveReport`."""


class Durations:
    """Durations as counts by `BOUNDS`, and their sum in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def note(self, seconds: float, times: int = 1) -> None:
        """Count a duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += times
        self.seconds += seconds * times

    def add(self, other: Durations) -> None:
        """Add another's counts."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


class _Part:
    """What one thread has noted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.durations: dict[str, Durations] = {}


class Measures:
    """Counts and durations by name; a name may have a part behind a slash: ``errors/store``.

    To note one takes a microsecond. Whoever reads adds up what all threads noted.
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._parts: list[_Part] = []

    def count(self, name: str, times: int = 1) -> None:
        """Count something."""
        self._part().counts[name] += times

    def count_all(self, counts: Mapping[str, int]) -> None:
        """Count several things."""
        self._part().counts.update(counts)

    def note(self, name: str, seconds: float, times: int = 1) -> None:
        """Note how long something took, or several things took."""
        durations = self._part().durations
        found = durations.get(name)
        if found is None:
            found = durations[name] = Durations()
        found.note(seconds, times)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long what is done in it takes, also where it fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.note(name, time.perf_counter() - began)

    def counts(self, name: str, labels: Iterable[str]) -> dict[str, int]:
        """Return the counts of a name's parts, 0 for those that nobody noted."""
        keys = {label: f"{name}/{label}" for label in labels}
        parts = list(self._parts)
        return {
            label: sum(part.counts.get(key, 0) for part in parts) for label, key in keys.items()
        }

    def durations(self, name: str, labels: Iterable[str]) -> dict[str, Durations]:
        """Return the durations of a name's parts; none are counted where nobody noted any."""
        found = {}
        for label in labels:
            total = found[label] = Durations()
            for part in list(self._parts):
                each = part.durations.get(f"{name}/{label}")
                if each is not None:
                    total.add(each)
        return found

    def _part(self) -> _Part:
        part: _Part | None = getattr(self._mine, "part", None)
        if part is None:
            part = self._mine.part = _Part()
            self._parts.append(part)
        return part
