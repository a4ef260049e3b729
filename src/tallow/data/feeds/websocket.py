"""A WebSocket client that comes back: JSON candles or ticks, with what was missed filled in.

A thread reads the connection into a bounded mailbox; `receive` turns what waits there into batches.
Where the reader is slow the mailbox fills, the thread stops reading, and the server's own buffers
fill: it waits, or it ends the connection, and then the gap is found as any other. Nothing is thrown
away here.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from datetime import datetime
from threading import Event, Thread
from time import monotonic
from typing import Any

from websockets.exceptions import InvalidURI, WebSocketException
from websockets.protocol import State
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from tallow.core.deadlines import Watchdog, result_of, shut, start, within
from tallow.core.errors import FeedError, ParameterError
from tallow.core.limits import (
    FEED_BATCH_MESSAGES,
    FEED_CLOSE_SECONDS,
    FEED_CONNECT_SECONDS,
    FEED_MESSAGE_BYTES_MAX,
    FEED_REJECTION_CHARACTERS,
    FEED_STALL_SECONDS,
)
from tallow.core.time import now_us
from tallow.data.feeds.backfill import Backfill, Backfiller
from tallow.data.feeds.batches import batches_of, hand_out
from tallow.data.feeds.feed import FeedBatch, MeteredFeed, shown
from tallow.data.feeds.gaps import Calendars, GapFinder
from tallow.data.feeds.messages import Message, read_messages
from tallow.data.feeds.waiting import Backoff, Mailbox, seconds_until
from tallow.data.reading.zones import require_timezone

_ITEM_BYTES = 200
"""What a message costs in memory beside its text."""


class WebSocketFeed(MeteredFeed):
    """Candles or ticks from a WebSocket server, as `tallow.data.feeds.messages` reads them.

    Parameters
    ----------
    url
        ``ws://`` or ``wss://``.
    subscribe
        Sent after each connect: text as it is, anything else as JSON.
    headers
        Sent with each connect, such as ``{"Authorization": "Bearer ..."}``.
    timezone
        Zone of times that carry none, such as ``Asia/Kolkata``; without it they are rejected.
    backfill
        Asked for what was missed; see `tallow.data.feeds.backfill.Backfill`. Without it, gaps are
        only counted.
    calendar
        As the engine's: where it has no trading, nothing is missed. Without it, nights are gaps.
    known
        Each instrument's newest candle (an aware datetime) that the reader has: what came after it
        and before this feed's first one is a gap, too.
    stall_seconds
        After so long a silence the client connects again.
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
        subscribe: Any = None,
        headers: Mapping[str, str] | None = None,
        timezone: str | None = None,
        backfill: Backfill | None = None,
        calendar: Calendars | None = None,
        known: Mapping[str, datetime] | None = None,
        stall_seconds: float = FEED_STALL_SECONDS,
        clock: Callable[[], int] = now_us,
    ) -> None:
        require_address(url, stall_seconds, timezone)
        self._url, self._headers, self._timezone = url, headers, timezone
        self._greeting = subscribe if isinstance(subscribe, str | None) else json.dumps(subscribe)
        super().__init__(shown(url), clock)
        self._stall_seconds = stall_seconds
        self._silence = f"no message for {stall_seconds:g} s"
        self._gaps = GapFinder(calendar, known or {})
        self._mailbox: Mailbox[Message | FeedBatch] = Mailbox()
        self._ready: deque[FeedBatch] = deque()
        self._stop = Event()
        self._opening: Future[ClientConnection] | None = None
        self._socket: ClientConnection | None = None
        self._connections = 0
        self._backfiller = (
            Backfiller(backfill, self._put_backfill, self._meter, clock) if backfill else None
        )
        self._thread = Thread(target=self._run, name="tallow-websocket", daemon=True)
        self._thread.start()

    def receive(self, timeout: float) -> FeedBatch | None:
        """Return the next batch, or None if nothing came within `timeout` seconds."""
        deadline = monotonic() + timeout
        while not self._ready:
            items = self._mailbox.take(seconds_until(deadline), FEED_BATCH_MESSAGES)
            if not items:
                return None
            self._read([item for item in items if isinstance(item, Message)])
            self._ready.extend(item for item in items if isinstance(item, FeedBatch))
        return hand_out(self._ready.popleft(), self._meter, self._now())

    def close(self) -> None:
        """End the connection and the threads; `receive` still gives what had come.

        Returns within seconds, whatever the server does: a thread that waits for the answer of a
        name server is left to end by itself.
        """
        self._stop.set()
        self._mailbox.close()
        opening, connection = self._opening, self._socket
        if opening is not None:
            opening.cancel()
        if connection is not None:
            _leave(connection)
        self._thread.join(2 * FEED_CLOSE_SECONDS)
        if self._backfiller is not None:
            self._backfiller.close()
        self._meter.note(connected=False)

    def _read(self, messages: list[Message]) -> None:
        """Make batches of messages, and ask for what is missing between them."""
        rows = read_messages(messages, self._meter, self._timezone)
        self._ready.extend(batches_of(rows))
        gaps = [gap for row in rows if (gap := self._gaps.see(row)) is not None]
        self._meter.add(gaps=len(gaps))
        if gaps and self._backfiller is not None:
            self._backfiller.ask(gaps)

    def _put_backfill(self, batch: FeedBatch) -> bool:
        return self._mailbox.put(batch, int(batch.frame.estimated_size()) + _ITEM_BYTES)

    def _run(self) -> None:
        """Connect again and again until the feed is closed. The thread's body."""
        backoff = Backoff()
        try:
            while not self._stop.is_set():
                before = self._meter.health.messages
                self._connect()
                self._meter.note(connected=False)
                if self._meter.health.messages > before:
                    backoff.reset()
                self._stop.wait(backoff.wait())
        # The reader learns of it, where a thread that only ended would look like a silent feed.
        except BaseException as error:  # noqa: BLE001
            self._mailbox.close(error)

    def _connect(self) -> None:
        """Read one connection to its end, and note why it ended."""
        connection = self._opened()
        if connection is None:
            return
        self._socket = connection
        try:
            self._listen(connection)
        except (OSError, WebSocketException) as error:
            self._fail(error)
        finally:
            _leave(connection)
            self._socket = None

    def _opened(self) -> ClientConnection | None:
        """Return a connection, or None where there is none in time; the reason is noted."""
        self._opening = start(self._entered, _leave)
        try:
            # A feed that is closed between two attempts finds nothing to cancel.
            return None if self._stop.is_set() else result_of(self._opening, FEED_CONNECT_SECONDS)
        except CancelledError:
            return None
        # Over what a server, or a proxy before it, answers the library may raise anything.
        except Exception as error:  # noqa: BLE001
            self._fail(error)
            return None

    def _entered(self) -> ClientConnection:
        # No pings of our own: what counts is whether messages come, and a reader who takes his
        # time must not look like a server that is gone.
        return connect(
            self._url,
            additional_headers=self._headers,
            open_timeout=FEED_CONNECT_SECONDS,
            close_timeout=FEED_CLOSE_SECONDS,
            ping_interval=None,
            max_size=FEED_MESSAGE_BYTES_MAX,
        ).__enter__()

    def _listen(self, connection: ClientConnection) -> None:
        self._connections += 1
        self._meter.note(connected=True)
        self._meter.add(reconnects=int(self._connections > 1))
        # The server may read nothing while it sends pings: the pong that waits for it then holds
        # the lock of the connection, and `send`, `recv` and `close` wait for that without end.
        with Watchdog(connection.socket, self._stall_seconds + FEED_CLOSE_SECONDS) as watchdog:
            try:
                self._take_all(connection, watchdog)
            except WebSocketException as error:
                if watchdog.has_shut:
                    raise TimeoutError(self._silence) from error
                raise

    def _take_all(self, connection: ClientConnection, watchdog: Watchdog) -> None:
        """Subscribe, and take messages until the feed is closed."""
        watchdog.wait()
        if self._greeting is not None:
            connection.send(self._greeting)
        # A feed that is closed in the midst of a connect finds no socket to close.
        while not self._stop.is_set():
            watchdog.wait()
            message = self._next(connection)
            watchdog.rest()
            if self._mailbox.put(message, len(message.content) + _ITEM_BYTES):
                self._meter.add(messages=1)

    def _next(self, connection: ClientConnection) -> Message:
        """Wait for the next message."""
        deadline = monotonic() + self._stall_seconds
        while True:
            seconds = min(FEED_CLOSE_SECONDS, seconds_until(deadline))
            try:
                # As bytes: a text that is not UTF-8 then spoils itself, and not the connection.
                content = connection.recv(seconds, decode=False)
            except TimeoutError as error:
                if connection.state is not State.OPEN:
                    # A server that broke the protocol was notified, and stays all the same: the
                    # next `recv` says how it broke it.
                    _leave(connection)
                elif seconds_until(deadline) == 0.0:
                    raise TimeoutError(self._silence) from error
            else:
                return Message(content, self._connections, self._now())

    def _fail(self, error: Exception) -> None:
        # A connection that we end ourselves has not failed.
        if not self._stop.is_set():
            is_late = isinstance(error, TimeoutError)
            reason = str(error) if is_late else f"{type(error).__name__}: {error}"
            self._meter.note(connected=False, error=reason[:FEED_REJECTION_CHARACTERS])


def _leave(connection: ClientConnection) -> None:
    """End a connection: with a farewell where the server takes it in time."""
    try:
        within(2 * FEED_CLOSE_SECONDS, connection.close)
    except TimeoutError:
        shut(connection.socket)


def require_address(
    url: str, stall_seconds: float = FEED_STALL_SECONDS, timezone: str | None = None
) -> None:
    """Raise `FeedError` or `ParameterError` if an address, or what is said of it, is wrong."""
    try:
        parse_uri(url)
    # Without what the library says: it has the whole address.
    except (InvalidURI, ValueError):
        raise FeedError(f"feed: {shown(url)}; must be such as ws://localhost:8765") from None
    if not stall_seconds > 0:
        raise ParameterError(f"feed: stall_seconds={stall_seconds}; must be more than 0")
    require_timezone(timezone)
