"""The server's side of the stream: bounded buffers, and a way to write without waiting."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from tallow.service.limits import STREAM_BUFFER_BYTES
from tallow.service.stream.client import STOPS

SECONDS_TO_READ = 1.0
"""How long a client that is dropped may still read why."""


class StreamProtocol(WebSocketsSansIOProtocol):
    """A WebSocket of uvicorn that an application finds in its scope, as ``state["direct"]``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what waits in a connection."""
        self.app_state = {**self.app_state, "direct": self}
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(STREAM_BUFFER_BYTES)
        opened: Any = transport.get_extra_info("socket")
        if opened is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER_BYTES)

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application says; after a refusal nothing more is expected of it."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def push(self, text: str) -> bool:
        """Write a message where there is room; say whether it was written."""
        if not self.writable.is_set() or self.disconnected or self.close_sent:
            return False
        try:
            self.conn.send_text(text.encode())
        except InvalidState:
            return False
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True

    def drop(self, code: int, reason: str) -> None:
        """Write that it is closed, and let go of the connection soon."""
        self._send_close(code, reason)
        self.loop.call_later(SECONDS_TO_READ, self._abort)

    def shutdown(self) -> None:
        """Close as the server stops; uvicorn would say that it starts again."""
        if self.handshake_complete:
            self._send_close(STOPS, "the service stops")
        super().shutdown()

    def _send_close(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def _abort(self) -> None:
        self.transport.abort()
