"""What a feed says of itself: counts that several threads add to, and anyone may look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from tallow.core.limits import FEED_REJECTION_CHARACTERS, FEED_REJECTIONS_KEPT
from tallow.data.feeds.quarantined import PendingQuarantine, text_of


@dataclass(frozen=True)
class Rejection:
    """A message, or a row of one, that was not understood: the head of its text, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class FeedHealth:
    """How a feed does. All numbers are since it was opened.

    Attributes
    ----------
    connected
        Whether there is a connection now, or a replay has not ended.
    messages
        Messages, or entries of a stream, that came. Each is, or holds, rows, notices or rejections.
    notices
        Those that are neither candle nor tick, nor look like it: greetings, heartbeats.
    batches, rows
        Handed out, backfilled ones included.
    quarantined
        Messages, or rows of them, that were not understood; `rejections` are the last of them.
        `rejected` is another name of this count.
    redelivered
        Entries of a stream that were given to a consumer before, to this one or to a dead one.
    reconnects
        Connections after the first one.
    gaps
        Stretches of an instrument that may be missing; `gaps_open` of them are not filled yet.
    backfilled
        Rows that filled gaps.
    lag_seconds
        From when the newest row of the last live batch was complete (a candle at its minute's end)
        to when it was handed out; a replay's, from when it was due. None before the first.
    error
        Why the connection, or a request for a gap, failed last; it stays after it worked again.
    """

    connected: bool = False
    messages: int = 0
    notices: int = 0
    batches: int = 0
    rows: int = 0
    quarantined: int = 0
    rejections: tuple[Rejection, ...] = ()
    redelivered: int = 0
    reconnects: int = 0
    gaps: int = 0
    gaps_open: int = 0
    backfilled: int = 0
    lag_seconds: float | None = None
    error: str | None = None

    @property
    def rejected(self) -> int:
        """The same as `quarantined`."""
        return self.quarantined


class Meter:
    """Keeps a feed's health; `pending` is what was not understood, where the reader wants it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._health = FeedHealth()
        self.pending: PendingQuarantine | None = None

    @property
    def health(self) -> FeedHealth:
        """The counts so far, all of one moment."""
        return self._health

    def add(self, **counts: int) -> None:
        """Add to counts by name."""
        with self._lock:
            sums = {name: getattr(self._health, name) + count for name, count in counts.items()}
            self._health = replace(self._health, **sums)

    def note(self, **values: Any) -> None:
        """Set attributes by name."""
        with self._lock:
            self._health = replace(self._health, **values)

    def reject(self, content: object, reason: str, token: str = "") -> None:
        """Count a message, or a row of one, that is not understood, and keep it.

        `token` is the entry's that it is, or is a part of.
        """
        if self.pending is not None:
            self.pending.add(content, reason, token)
        rejection = Rejection(text_of(content)[:FEED_REJECTION_CHARACTERS], reason)
        with self._lock:
            kept = (*self._health.rejections, rejection)[-FEED_REJECTIONS_KEPT:]
            count = self._health.quarantined + 1
            self._health = replace(self._health, quarantined=count, rejections=kept)
