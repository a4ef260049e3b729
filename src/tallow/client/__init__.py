"""Talks to a service: questions over HTTP, and its stream over a WebSocket.

`Client` and `AsyncClient` return frames. Needs ``pip install "tallow[client]"``.
"""

from __future__ import annotations

from tallow.client.client import AsyncClient, Client
from tallow.client.errors import ServiceError, UnreachableError
from tallow.client.newest_rows import StreamUpdate
from tallow.client.streams import AsyncStream, Stream

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Client",
    "ServiceError",
    "Stream",
    "StreamUpdate",
    "UnreachableError",
]
