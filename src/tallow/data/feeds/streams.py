"""A consumer of a Redis stream: an entry is gone from it only after the reader said so.

Entries come from a consumer group, and are acknowledged (XACK) when the reader has made them
durable. What a consumer was given and did not acknowledge is given again: to itself when it starts
under the same name, to another one after `FEED_CLAIM_SECONDS` (XAUTOCLAIM). So an entry may come
twice, which an engine does not mind, and never not at all. A group that is not there (a new stream,
a server that lost its memory) is made to begin with the stream's first entry.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from time import monotonic, sleep

from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as TooLateError

from tallow.core.errors import FeedError
from tallow.core.limits import (
    FEED_ASK_AGAIN_SECONDS,
    FEED_BATCH_MESSAGES,
    FEED_CLAIM_SECONDS,
    FEED_REJECTION_CHARACTERS,
    FEED_REPLY_SECONDS,
    FEED_UNACKNOWLEDGED_MAX,
)
from tallow.core.time import now_us
from tallow.data.feeds.batches import batches_of, hand_out
from tallow.data.feeds.exchanges import Entry, Exchanges, ReplyTooLongError
from tallow.data.feeds.feed import FeedBatch, FeedEnded, MeteredFeed, shown
from tallow.data.feeds.messages import Message, read_messages
from tallow.data.feeds.waiting import Backoff, seconds_until
from tallow.data.reading.zones import require_timezone

_FIRST = "0"
_CLAIMED_ALL = "0-0"
_PAGE_STEP = 8


class RedisFeed(MeteredFeed):
    """Candles or ticks from a Redis stream, as `tallow.data.feeds.messages` reads them.

    An entry has either one field that holds JSON, or the fields of one row.

    Parameters
    ----------
    url
        ``redis://host:port/0``, ``rediss://...`` or ``unix://path``.
    stream, group
        Names; both are made where they are missing.
    consumer
        This reader's name in the group. One that is the same after a restart gets at once what it
        was given before; by default the machine's name.
    timezone
        Zone of times that carry none, such as ``Asia/Kolkata``; without it they are rejected.
    clock
        Gives the time in microseconds since 1970 UTC.

    Raises
    ------
    FeedError
        If the URL is not valid.

    Notes
    -----
    A server that cannot be reached is tried for ever, each wait twice as long as the last, up to a
    limit; `health.error` says why.
    """

    def __init__(
        self,
        url: str,
        *,
        stream: str = "candles",
        group: str = "tallow",
        consumer: str | None = None,
        timezone: str | None = None,
        clock: Callable[[], int] = now_us,
    ) -> None:
        require_timezone(timezone)
        self._server = Exchanges(url, stream, group, consumer or socket.gethostname())
        super().__init__(shown(url), clock)
        self._timezone = timezone
        self._ready: deque[FeedBatch] = deque()
        self._handed: set[str] = set()
        self._durable: set[str] = set()
        self._own_from: str | None = _FIRST
        self._claim_from, self._claimed_at = _CLAIMED_ALL, float("-inf")
        self._backoff, self._not_before = Backoff(), float("-inf")
        self._page, self._has_made_group = FEED_BATCH_MESSAGES, False
        self._was_connected, self._closed = False, False

    def receive(self, timeout: float) -> FeedBatch | None:
        """Return the next batch, or None if nothing came within `timeout` seconds.

        `FeedEnded` if the feed was closed, and what it had fetched is read; `FeedError` if
        `FEED_UNACKNOWLEDGED_MAX` entries are not acknowledged.
        """
        deadline = monotonic() + timeout
        while not self._ready:
            if self._closed:
                raise FeedEnded
            if len(self._handed) >= FEED_UNACKNOWLEDGED_MAX:
                raise FeedError(
                    f"feed: {len(self._handed)} entries are not acknowledged; must be fewer than "
                    f"{FEED_UNACKNOWLEDGED_MAX}; call acknowledge for each batch made durable"
                )
            self._fetch(deadline)
            if not self._ready and seconds_until(deadline) == 0.0:
                return None
        return hand_out(self._ready.popleft(), self._meter, self._now())

    def acknowledge(self, batch: FeedBatch) -> None:
        """Say that a batch is durable; if the server is away, it is sent when it is back."""
        self._durable.update(batch.tokens)
        self._handed.difference_update(batch.tokens)
        if monotonic() < self._not_before:
            return
        try:
            self._acknowledge()
        except RedisError as error:
            self._lose(error)
        if self._closed:
            # The client has connected once more.
            self._server.close()

    def close(self) -> None:
        """Let go of the connection. What was not acknowledged is delivered again."""
        self._closed = True
        self._server.close()
        self._meter.note(connected=False)

    def _fetch(self, deadline: float) -> None:
        """Get what there is, or what comes by the deadline; after a failure, wait for its turn."""
        wait = self._not_before - monotonic()
        if wait > 0:
            sleep(min(wait, seconds_until(deadline)))
            return
        try:
            self._acknowledge()
            entries = self._entries(seconds_until(deadline))
        except ResponseError as error:
            # Anything else that the server refuses may be repaired on its side: it is tried again.
            if str(error).startswith("NOGROUP") and not self._has_made_group:
                self._make_group()
            else:
                self._lose(error)
        except ReplyTooLongError as error:
            self._ask_for_less(error)
        except RedisError as error:
            self._lose(error)
        else:
            self._gain()
            self._take(entries)

    def _entries(self, timeout: float) -> Sequence[Entry]:
        """Return entries: first what this consumer had, then what dead ones left, then new ones."""
        if self._own_from is not None:
            return self._read_own(self._own_from)
        if monotonic() - self._claimed_at >= FEED_CLAIM_SECONDS:
            return self._claim()
        # Redis takes 0 for ever.
        block = round(min(timeout, FEED_REPLY_SECONDS) * 1_000) or None
        asked = monotonic()
        entries = self._read(">", block)
        if block and not entries:
            # A proxy may not wait: it would be asked as often as it can answer.
            sleep(min(seconds_until(asked + block / 1_000), FEED_ASK_AGAIN_SECONDS))
        return entries

    def _read_own(self, start: str) -> Sequence[Entry]:
        """Return the next page of what this consumer was given; after the last one, none."""
        entries = self._read(start, None)
        self._own_from = _text(entries[-1][0]) if entries else None
        return self._not_in_hand(entries)

    def _read(self, start: str, block: int | None) -> Sequence[Entry]:
        return self._server.read(start, self._page, block)

    def _claim(self) -> Sequence[Entry]:
        """Take over a page of what was too long with its consumer."""
        idle = round(FEED_CLAIM_SECONDS * 1_000)
        self._claim_from, entries = self._server.claim(self._claim_from, idle, self._page)
        if self._claim_from == _CLAIMED_ALL:
            self._claimed_at = monotonic()
        return self._not_in_hand(entries)

    def _not_in_hand(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries that the reader does not have, counting them as given again."""
        held = self._handed | self._durable
        again = [entry for entry in entries if _text(entry[0]) not in held]
        self._meter.add(redelivered=len(again))
        return again

    def _take(self, entries: Sequence[Entry]) -> None:
        """Make batches of entries; those without rows need no acknowledgement by the reader."""
        now = self._now()
        messages = [m for entry, fields in entries if (m := self._message(entry, fields, now))]
        batches = batches_of(read_messages(messages, self._meter, self._timezone))
        tokens = {token for batch in batches for token in batch.tokens}
        if self._meter.pending is not None:
            # Where some rows are good, the entry is acknowledged with these: they come later.
            self._meter.pending.tokens -= tokens
            tokens |= self._meter.pending.tokens
        self._ready.extend(batches)
        self._handed |= tokens
        self._durable |= {_text(entry) for entry, _ in entries} - tokens
        self._meter.add(messages=len(entries))

    def _message(self, entry: bytes, fields: Mapping[bytes, bytes], now: int) -> Message | None:
        """Return an entry's content: the JSON of its only field, or the fields of a row."""
        if not fields:
            why = "trimmed from the stream before it was read"
            self._meter.reject(entry, why, _text(entry))
            return None
        if len(fields) == 1:
            return Message(next(iter(fields.values())), 0, now, _text(entry))
        content = {_text(name): _text(value) for name, value in fields.items() if value}
        return Message(content, 0, now, _text(entry))

    def _acknowledge(self) -> None:
        """Acknowledge what the reader has made durable."""
        while self._durable:
            some = list(islice(self._durable, FEED_BATCH_MESSAGES))
            self._server.acknowledge(some)
            self._durable.difference_update(some)

    def _make_group(self) -> None:
        """Begin with the stream's first entry; a group that is gone knows of nothing handed out."""
        self._handed.clear()
        self._durable.clear()
        self._has_made_group = True
        try:
            self._server.make_group()
        except RedisError as error:
            # Somebody else made it first.
            if not str(error).startswith("BUSYGROUP"):
                self._lose(error)

    def _ask_for_less(self, error: ReplyTooLongError) -> None:
        """Ask for fewer entries at a time; pass over one that is too long by itself.

        What was handed out in an answer that was not read to its end is pending here.
        """
        self._meter.note(error=str(error))
        start = _FIRST if self._own_from is None else self._own_from
        if self._page == 1 and self._own_from is not None:
            try:
                entry = self._server.next_pending(start)
            except RedisError as failure:
                self._lose(failure)
                return
            if entry is not None:
                self._meter.reject(entry, f"too long to be read: {error}", entry)
                # Told as done only when that is in the quarantine, where somebody keeps one.
                (self._durable if self._meter.pending is None else self._handed).add(entry)
                start = entry
        self._own_from, self._page = start, max(1, self._page // _PAGE_STEP)

    def _gain(self) -> None:
        """Note that the server answers."""
        self._backoff.reset()
        self._has_made_group = False
        self._page = min(FEED_BATCH_MESSAGES, self._page * _PAGE_STEP)
        if not self._meter.health.connected:
            self._meter.add(reconnects=int(self._was_connected))
            self._meter.note(connected=True)
            self._was_connected = True

    def _lose(self, error: RedisError) -> None:
        """Note why the server does not; an answer may be lost, so what it held is read again."""
        # Nothing that is still on its way may be taken for the answer to a later command.
        self._server.leave()
        reason = f"{type(error).__name__}: {error}"[:FEED_REJECTION_CHARACTERS]
        self._meter.note(connected=False, error=reason)
        if isinstance(error, TooLateError):
            # Over a slow line a shorter answer may come in time.
            self._page = max(1, self._page // _PAGE_STEP)
        self._own_from, self._has_made_group = _FIRST, False
        self._not_before = monotonic() + self._backoff.wait()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
