"""A feed in which nothing comes: of a session that only follows its store."""

from __future__ import annotations

from threading import Event
from typing import Any

from tallow.core.time import now_us
from tallow.data.feeds.feed import FeedBatch, MeteredFeed


class IdleFeed(MeteredFeed):
    """Gives nothing, until it is closed.

    `position` is that of a feed before it, which has ended: whoever saves the state keeps it.
    """

    def __init__(self, position: dict[str, Any] | None = None) -> None:
        super().__init__("none", now_us)
        self._closed, self._position = Event(), position

    def position(self) -> dict[str, Any] | None:
        """Return the position of the feed before."""
        return self._position

    def receive(self, timeout: float) -> FeedBatch | None:
        """Wait."""
        self._closed.wait(timeout)
        return None

    def close(self) -> None:
        """End the waiting."""
        self._closed.set()
