"""What every feed is: a source of batches that is asked, in one thread, for what came next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import polars as pl

from tallow.core.text import without_secrets
from tallow.data.feeds.health import FeedHealth, Meter
from tallow.data.feeds.quarantined import PendingQuarantine

Kind = Literal["candles", "ticks", "quarantine"]

shown = without_secrets
"""How a feed's address is shown."""


class FeedEnded(Exception):  # noqa: N818 - an end is not an error, as StopIteration is not
    """There is nothing more: a replay is over, or a feed was closed and is read to its end."""


@dataclass(frozen=True, eq=False)
class FeedBatch:
    """Rows that came together.

    Attributes
    ----------
    kind
        ``candles`` (forming ones too, each later one a revision) or ``ticks``; ``quarantine`` is
        what could not be understood, and comes from `Feed.quarantined` only.
    frame
        Candles: what `tallow.read_candles` takes, no key twice, so that revisions of a candle come
        in batches of their own, in their order. Ticks: `instrument`, `timestamp` (datetime[us,
        UTC]), `price` and either `quantity` or `day_volume` (float64), and `sequence` (int64) where
        the feed numbers them. A quarantine: columns of `data.reading.quarantine.QUARANTINE_SCHEMA`,
        `reason`, and `times`, how often a row came.
    received_at
        When the last row came, in microseconds since 1970 UTC. In a replay: when it would have.
    backfill
        Whether these are rows that were asked for because the feed had missed them. They may come
        before or after live rows of later times.
    tokens
        What the feed needs to acknowledge the batch.
    """

    kind: Kind
    frame: pl.DataFrame
    received_at: int
    backfill: bool = False
    tokens: tuple[str, ...] = ()


class Feed(Protocol):
    """A source of candles or ticks. One thread reads it; any may close it or look at its health.

    Examples
    --------
    A feed's reader, in outline::

        with open_feed("ws://localhost:8765", backfill=fetch) as feed:
            while True:
                batch = feed.receive(timeout=1.0)  # FeedEnded leaves the loop
                if batch is not None:
                    engine.update(batch.frame)  # durable when it returns
                    feed.acknowledge(batch)
    """

    def receive(self, timeout: float) -> FeedBatch | None:
        """Return the next batch, or None if nothing came within `timeout` seconds.

        `FeedEnded` if nothing will come any more.
        """
        ...

    def acknowledge(self, batch: FeedBatch) -> None:
        """Say that a batch, and those handed out before it, need not be sent again."""
        return

    def hold_quarantined(self) -> None:
        """Keep what is not understood until `quarantined` gives it.

        Without this it is counted only, and counts as acknowledged.
        """
        return

    def quarantined(self) -> FeedBatch | None:
        """Return what was not understood since the last call, to be made durable; None for nothing.

        It is acknowledged as any other batch; before those that `receive` gave in the meantime.
        """
        return None

    def position(self) -> dict[str, Any] | None:
        """Return how far the reader has acknowledged, as `go_on` takes it; None where that is told.

        Feeds whose servers know it, or that cannot go back, have none.
        """
        return None

    def go_on(self, position: dict[str, Any]) -> str | None:
        """Leave out what was acknowledged before; return in words what that means, if anything."""
        return None

    def close(self) -> None:
        """Let go of connections and threads. What was received can still be read to its end."""
        ...

    @property
    def health(self) -> FeedHealth:
        """The counts so far, all of one moment."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MeteredFeed(Feed):
    """A feed with a name and a meter; `now` gives the time in microseconds since 1970 UTC."""

    def __init__(self, name: str, now: Callable[[], int]) -> None:
        self._name, self._now, self._meter = name, now, Meter()

    @property
    def health(self) -> FeedHealth:
        """The counts so far."""
        return self._meter.health

    def hold_quarantined(self) -> None:
        """Keep what is not understood, unacknowledged, until `quarantined` gives it."""
        self._meter.pending = PendingQuarantine(self._name)

    def quarantined(self) -> FeedBatch | None:
        """Return what was not understood since the last call."""
        pending = self._meter.pending
        found = pending.take() if pending else None
        if found is None or not len(found[0]):
            return None
        rows, tokens = found
        return FeedBatch("quarantine", rows, self._now(), tokens=tuple(tokens))
