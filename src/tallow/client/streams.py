"""The stream of a service as an iterator, in threads and in coroutines: it comes back by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Self

import polars as pl
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tallow.client.conversation import (
    MESSAGE_BYTES_MAX,
    SUBPROTOCOL,
    Conversation,
    stream_url,
)
from tallow.client.errors import ServiceError, UnreachableError
from tallow.client.newest_rows import StreamUpdate

OPTIONS: dict[str, Any] = {
    "subprotocols": [Subprotocol(SUBPROTOCOL)],
    "max_size": MESSAGE_BYTES_MAX,
    "compression": None,
    "open_timeout": 10.0,
    "close_timeout": 2.0,
}
_FINAL_STATUSES = frozenset({400, 401, 403, 404})


class _Patience:
    """For how long there may be no connection, before it is an error."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._since = seconds, time.monotonic()

    def renew(self) -> None:
        self._since = time.monotonic()

    def require(self, url: str, error: Exception) -> None:
        """Raise the reason if there is no use in another try, or no time for one."""
        if isinstance(error, InvalidStatus) and error.response.status_code in _FINAL_STATUSES:
            status, body = error.response.status_code, error.response.body or b""
            raise ServiceError(status, "Stream", body.decode("utf-8", "replace")) from error
        if isinstance(error, ConnectionClosed) and error.rcvd is not None:
            Conversation.require_may_return(error.rcvd.code, error.rcvd.reason)
        if time.monotonic() - self._since > self._seconds:
            raise UnreachableError(
                f"stream: {url} was not reached for {self._seconds:g} s: {error}; see if the "
                "service runs, or give more time with patience="
            ) from error


class Stream:
    """What changes, as it changes: an iterator of `StreamUpdate`, over breaks of the connection.

    Made by `Client.stream`; use it as a context. Where the service knows what changed meanwhile,
    it goes on after a break without a gap; else an update of kind ``resync`` says so.
    """

    def __init__(
        self,
        url: str,
        subscription: Mapping[str, Any],
        ticket: Callable[[], str | None],
        patience: float,
    ) -> None:
        self._url, self._ticket = url, ticket
        self._conversation = Conversation(subscription)
        self._patience = _Patience(patience)
        self._socket: ClientConnection | None = None
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; from another thread, too."""
        self._is_closed = True
        if self._socket is not None:
            self._socket.close()

    def frame(self) -> pl.DataFrame:
        """Return the newest row of each key that came, sorted."""
        return self._conversation.newest.frame()

    @property
    def members(self) -> frozenset[str]:
        """The instruments that match, of a screen."""
        return frozenset(self._conversation.newest.members)

    def __iter__(self) -> Iterator[StreamUpdate]:
        while not self._has_ended():
            try:
                yield from self._updates()
            except (OSError, WebSocketException) as error:
                if self._has_ended():
                    return
                self._patience.require(self._url, error)
                time.sleep(self._conversation.seconds_to_wait())

    def _has_ended(self) -> bool:
        return self._is_closed

    def _updates(self) -> Iterator[StreamUpdate]:
        with connect(stream_url(self._url, self._ticket()), **OPTIONS) as socket:
            self._socket = socket
            # `recv` and no iteration: that ends in silence where the service closes.
            while not self._has_ended():
                update, answer = self._conversation.take(socket.recv())
                self._patience.renew()
                if answer is not None:
                    socket.send(answer)
                if update is not None:
                    yield update


class AsyncStream:
    """`Stream` for coroutines: ``async with`` and ``async for``."""

    def __init__(
        self,
        url: str,
        subscription: Mapping[str, Any],
        ticket: Callable[[], Awaitable[str | None]],
        patience: float,
    ) -> None:
        self._url, self._ticket = url, ticket
        self._conversation = Conversation(subscription)
        self._patience = _Patience(patience)
        self._updating: AsyncIterator[StreamUpdate] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream."""
        if self._updating is not None:
            await self._updating.aclose()  # type: ignore[attr-defined]  # it is a generator

    def frame(self) -> pl.DataFrame:
        """Return the newest row of each key that came, sorted."""
        return self._conversation.newest.frame()

    @property
    def members(self) -> frozenset[str]:
        """The instruments that match, of a screen."""
        return frozenset(self._conversation.newest.members)

    def __aiter__(self) -> AsyncIterator[StreamUpdate]:
        if self._updating is None:
            self._updating = self._all_updates()
        return self._updating

    async def _all_updates(self) -> AsyncIterator[StreamUpdate]:
        while True:
            try:
                async for update in self._updates():
                    yield update
            except (OSError, WebSocketException) as error:
                self._patience.require(self._url, error)
                await asyncio.sleep(self._conversation.seconds_to_wait())

    async def _updates(self) -> AsyncIterator[StreamUpdate]:
        async with connect_async(stream_url(self._url, await self._ticket()), **OPTIONS) as socket:
            while True:
                update, answer = self._conversation.take(await socket.recv())
                self._patience.renew()
                if answer is not None:
                    await socket.send(answer)
                if update is not None:
                    yield update
