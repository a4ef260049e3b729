"""A feed in which nothing comes: of a session that only follows its store."""

from __future__ import annotations

from threading import Event

from tallow.core.time import now_us
from tallow.data.feeds.feed import FeedBatch, MeteredFeed


class IdleFeed(MeteredFeed):
    """Gives nothing, until it is closed."""

    def __init__(self) -> None:
        super().__init__("none", now_us)
        self._closed = Event()

    def receive(self, timeout: float) -> FeedBatch | None:
        """Wait."""
        self._closed.wait(timeout)
        return None

    def close(self) -> None:
        """End the waiting."""
        self._closed.set()
