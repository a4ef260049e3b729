"""How often somebody may ask: a bucket of tokens each, in a bounded table."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Rates:
    """Buckets that fill by so many tokens a second, up to a burst.

    Parameters
    ----------
    per_second, burst
        Of each bucket.
    most
        Buckets that are kept. The one that was used least recently is given up for a new one, and
        is full when it comes again.
    """

    def __init__(
        self,
        per_second: float,
        burst: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._most, self._clock = per_second, burst, most, clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: Hashable) -> float:
        """Take a token; return 0.0, or in how many seconds there is one where there is none."""
        now = self._clock()
        tokens, since = self._buckets.pop(who, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        wait = max(0.0, (1.0 - tokens) / self._per_second)
        self._buckets[who] = (tokens if wait else tokens - 1.0, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait
