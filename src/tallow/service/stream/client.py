"""A client of the stream: its messages both ways, until it leaves or is dropped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from tallow.service.limits import STREAM_DRAIN_SECONDS, STREAM_ERRORS_MAX, STREAM_HEARTBEAT_SECONDS
from tallow.service.stream.encoding import message
from tallow.service.stream.groups import Subscription

STOPS, BINARY, FAILED, ERRORS, SLOW = 1001, 1003, 1011, 4400, 4408
"""Codes with which the service closes."""

Drop = Literal["slow", "errors", "binary"]
"""Why a client is dropped."""


class Socket(Protocol):
    """What a client's messages go through."""

    async def receive(self) -> dict[str, Any]:
        """Return what came, as ASGI has it."""
        ...

    async def send(self, text: str) -> None:
        """Send a message as soon as there is room."""
        ...

    def push(self, text: str) -> bool:
        """Send a message at once, where there is room; say whether it was sent."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close, as soon as there is room."""
        ...

    def drop(self, code: int, reason: str) -> None:
        """Close at once; what waits is lost."""
        ...


class StreamClient:
    """Sends what its subscriptions have, and nothing before there is room for it.

    Attributes
    ----------
    subscriptions
        By name.
    dropped
        Why the service dropped it; None where it did not.
    """

    def __init__(self, socket: Socket) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self.dropped: Drop | None = None
        self._socket, self._outbox = socket, deque[str]()
        self._news = asyncio.Event()
        self._is_sending = False
        self._loop = asyncio.get_running_loop()
        self._waits_since: float | None = None
        self._last_sent = self._loop.time()
        self._errors = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, and nothing is being sent."""
        return not self._is_sending and not self._news.is_set()

    def push(self, text: str) -> bool:
        """Send at once, where there is room; say whether it was sent."""
        if self._socket.push(text):
            self._last_sent = self._loop.time()
            return True
        return False

    def put(self, text: str) -> None:
        """Send a message after those that wait."""
        self._outbox.append(text)
        self._news.set()

    def wake(self) -> None:
        """Say that messages wait."""
        self._news.set()

    async def run(self, answer: Callable[[StreamClient, str], Awaitable[None]]) -> None:
        """Take messages and send what waits, until either side closes.

        Parameters
        ----------
        answer
            Takes a message; a `ValueError` or `TallowError` of it is told to the client.
        """
        sender = asyncio.create_task(self._send_all())
        try:
            await self._receive_all(answer)
        finally:
            for each in self.subscriptions.values():
                each.leave()
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    def look(self, now: float, seq: int) -> None:
        """Drop the client if it does not read; else say now and then that nothing else changed."""
        waits_since = self._waits_since
        if waits_since is not None and now - waits_since > STREAM_DRAIN_SECONDS:
            self.dropped = "slow"
            self._socket.drop(SLOW, f"nothing was read for {STREAM_DRAIN_SECONDS:g} s")
        elif self.is_idle and now - self._last_sent > STREAM_HEARTBEAT_SECONDS:
            for each in self.subscriptions.values():
                each.note(seq)
            self.put(message("heartbeat", seq=seq))

    async def stop(self) -> None:
        """Send what waits, and close as the service stops."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while not self.is_idle:
                await asyncio.sleep(0.01)
            await self._socket.close(STOPS, "the service stops")

    def refuse(self, name: str | None, title: str, detail: str) -> None:
        """Tell of an error in what came."""
        named = {} if name is None else {"id": name}
        self.put(message("error", **named, title=title, detail=detail))
        self._errors += 1

    def accept(self, text: str) -> None:
        """Answer a message that was no error."""
        self._errors = 0
        self.put(text)

    async def _receive_all(self, answer: Callable[[StreamClient, str], Awaitable[None]]) -> None:
        while (event := await self._socket.receive())["type"] == "websocket.receive":
            text = event.get("text")
            if text is None:
                self.dropped = "binary"
                await self._socket.close(BINARY, "a binary message; send JSON as text")
                return
            await answer(self, text)
            if self._errors >= STREAM_ERRORS_MAX:
                reason = f"{STREAM_ERRORS_MAX} messages in a row were errors"
                self.dropped = "errors"
                await self._socket.close(ERRORS, reason)
                return

    async def _send_all(self) -> None:
        try:
            while True:
                await self._news.wait()
                self._is_sending = True
                self._news.clear()
                await self._send_waiting()
                self._is_sending = False
        except WebSocketDisconnect:
            return
        except Exception:
            # Without its sender a client would wait for ever.
            self._socket.drop(FAILED, "an error of the service; its log says more")
            raise

    async def _send_waiting(self) -> None:
        while self._outbox or any(each.has_news for each in self.subscriptions.values()):
            while self._outbox:
                await self._send(self._outbox.popleft())
            for each in list(self.subscriptions.values()):
                async for text in each.messages():
                    await self._send(text)

    async def _send(self, text: str) -> None:
        self._waits_since = self._loop.time()
        await self._socket.send(text)
        self._waits_since, self._last_sent = None, self._loop.time()


class WebSocketLink:
    """A WebSocket as a client's socket; `direct` is what writes without waiting, if it is there."""

    def __init__(self, websocket: WebSocket, direct: Direct | None) -> None:
        self._websocket, self._direct = websocket, direct

    async def receive(self) -> dict[str, Any]:
        """Return what came."""
        return dict(await self._websocket.receive())

    async def send(self, text: str) -> None:
        """Send a message as soon as there is room."""
        await self._websocket.send_text(text)

    def push(self, text: str) -> bool:
        """Send a message at once, where there is room."""
        return self._direct is not None and self._direct.push(text)

    async def close(self, code: int, reason: str) -> None:
        """Close, as soon as there is room."""
        await self._websocket.close(code, reason)

    def drop(self, code: int, reason: str) -> None:
        """Close at once."""
        if self._direct is not None:
            self._direct.drop(code, reason)


class Direct(Protocol):
    """The server's side of a WebSocket."""

    def push(self, text: str) -> bool:
        """Write a message where there is room; say whether it was written."""
        ...

    def drop(self, code: int, reason: str) -> None:
        """Write that it is closed, and let go of the connection soon."""
        ...
