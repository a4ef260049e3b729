"""Exchanges with a Redis server about one stream: bounded in time and bytes, and right or an error.

Whatever answers - a proxy, a server that is broken, or no Redis at all - ends in a `RedisError`:
too late, too long, or of a wrong shape. The connection is then given up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionFailedError
from redis.exceptions import InvalidResponse, RedisError
from redis.retry import Retry

from tallow.core.deadlines import within
from tallow.core.errors import FeedError
from tallow.core.limits import FEED_CONNECT_SECONDS, FEED_REPLY_BYTES_MAX, FEED_REPLY_SECONDS
from tallow.core.text import hide_secrets, require_escaped_user
from tallow.data.feeds.feed import shown

Entry = tuple[bytes, Mapping[bytes, bytes]]
"""An entry's id, and its fields: none where it was trimmed."""

_ID = re.compile(rb"\d{1,20}-\d{1,20}")
_SHOWN = 100

_WRONG = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What the library raises over an answer that breaks its protocol, or is of another command."""


class ReplyTooLongError(RedisError):
    """An answer has more bytes than a feed takes at a time."""


class _Allowance:
    """The bytes and the seconds that the exchange at hand may still take."""

    def __init__(self) -> None:
        self.renew(0.0)

    def renew(self, seconds: float) -> None:
        self._deadline, self._bytes = monotonic() + seconds, FEED_REPLY_BYTES_MAX

    def seconds(self, most: float | None) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        # 0 is a look that does not wait.
        return left if most is None else min(most, left)

    def take(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0:
            raise ReplyTooLongError(
                f"an answer has more than {FEED_REPLY_BYTES_MAX:,} bytes; are its entries so long?"
            )


class _Socket:
    """A socket whose reads and writes share an allowance: who drips uses it up all the same."""

    def __init__(self, sock: Any, allowance: _Allowance) -> None:
        self._sock, self._allowance = sock, allowance
        self._timeout: float | None = sock.gettimeout()

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        self._sock.settimeout(self._allowance.seconds(self._timeout))
        data: bytes = self._sock.recv(size)
        self._allowance.take(len(data))
        return data

    def recv_into(self, buffer: Any) -> int:
        self._sock.settimeout(self._allowance.seconds(self._timeout))
        size: int = self._sock.recv_into(buffer)
        self._allowance.take(size)
        return size

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._allowance.seconds(self._timeout))
        self._sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _bounded(kind: type[Any], allowance: _Allowance) -> type[Any]:
    """Return a kind of connection whose sockets share an allowance."""

    class BoundedConnection(kind):  # type: ignore[misc]
        def _connect(self) -> _Socket:
            # In a thread, because looking up a name, or all addresses of it, has no deadline.
            opened = within(FEED_CONNECT_SECONDS, super()._connect, lambda sock: sock.close())
            return _Socket(opened, allowance)

    return BoundedConnection


class Exchanges:
    """What a consumer of a stream's group sends the server.

    Each raises a `RedisError` where the server does not answer, or not in time, or wrongly, and
    `ReplyTooLongError` where it answers at too great a length.
    """

    def __init__(self, url: str, stream: str, group: str, consumer: str) -> None:
        self._allowance = _Allowance()
        self._client = _client(url, self._allowance)
        self._stream, self._group, self._consumer = stream, group, consumer

    def read(self, start: str, count: int, block: int | None = None) -> list[Entry]:
        """Return new entries, where `start` is ``>``, or those pending here after that id.

        `block` is how long to wait for new ones, in milliseconds.
        """
        with self._answered((block or 0) / 1_000):
            answer: Any = self._client.xreadgroup(
                self._group, self._consumer, {self._stream: start}, count, block
            )
            if not answer:
                return []
            ((stream, entries),) = answer
            _require(stream == self._stream.encode(), stream)
            return _entries(entries)

    def claim(self, start: str, idle: int, count: int) -> tuple[str, list[Entry]]:
        """Take over what was with its consumer for `idle` milliseconds; return where to go on."""
        with self._answered():
            answer: Any = self._client.xautoclaim(
                self._stream, self._group, self._consumer, idle, start, count
            )
            following, entries, *rest = answer
            # Since Redis 7 those that were trimmed come apart.
            trimmed: list[Any] = [(entry, {}) for entry in rest and rest[0]]
            _require(_ID.fullmatch(following) is not None, following)
            return following.decode(), _entries([*entries, *trimmed])

    def next_pending(self, start: str) -> str | None:
        """Return the id of the first entry after `start` that is pending here; do not read it."""
        with self._answered():
            first = f"({start}" if "-" in start else "-"
            answer: Any = self._client.xpending_range(
                self._stream, self._group, first, "+", 1, self._consumer
            )
            for pending in answer:
                _require(_ID.fullmatch(pending["message_id"]) is not None, pending)
                return str(pending["message_id"].decode())
            return None

    def acknowledge(self, ids: Sequence[str]) -> None:
        """Say that entries need not be given again."""
        with self._answered():
            answer: Any = self._client.xack(self._stream, self._group, *ids)
            _require(isinstance(answer, int), answer)

    def make_group(self) -> None:
        """Make the group, and the stream where it is missing, to begin with the first entry."""
        with self._answered():
            answer = self._client.xgroup_create(self._stream, self._group, "0", mkstream=True)
            _require(answer is True, answer)

    def leave(self) -> None:
        """Close the connection; the next exchange makes another."""
        self._client.connection_pool.disconnect()

    def close(self) -> None:
        """Let go of the connections, also of one that another thread waits on."""
        self._client.close()

    @contextmanager
    def _answered(self, waiting: float = 0.0) -> Iterator[None]:
        """Give one exchange its time, and turn what comes of a wrong answer into an error."""
        self._allowance.renew(FEED_CONNECT_SECONDS + 2 * FEED_REPLY_SECONDS + waiting)
        try:
            yield
        except _WRONG as error:
            raise InvalidResponse(
                f"answered in a wrong shape ({type(error).__name__}: {str(error)[:_SHOWN]}); is "
                "it a Redis server?"
            ) from error
        except OSError as error:
            raise ConnectionFailedError(str(error)) from error
        except MemoryError as error:
            raise ReplyTooLongError("an answer does not fit into memory") from error


def _client(url: str, allowance: _Allowance) -> redis.Redis:
    require_escaped_user("feed", url, FeedError)
    # The next attempt is the feed's to make, and old answers keep their shape (protocol 2).
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=2 * FEED_REPLY_SECONDS,
            socket_connect_timeout=FEED_CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        # A wrong option of the URL is noticed here, not at the first command.
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError) as error:
        raise FeedError(
            f"feed: {shown(url)}; must be such as redis://localhost:6379/0; "
            f"{hide_secrets(str(error), url)}"
        ) from error
    pool.connection_class = _bounded(pool.connection_class, allowance)
    return client


def _entries(answer: Any) -> list[Entry]:
    """Return the entries of an answer; those that were deleted have neither id nor fields."""
    entries = []
    for entry, fields in answer:
        if entry is None:
            continue
        _require(isinstance(entry, bytes) and _ID.fullmatch(entry) is not None, entry)
        for name, value in fields.items():
            _require(isinstance(name, bytes) and isinstance(value, bytes), entry)
        entries.append((entry, fields))
    return entries


def _require(is_right: bool, answer: object) -> None:
    if not is_right:
        raise ValueError(repr(answer))
