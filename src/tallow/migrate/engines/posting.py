"""One HTTP exchange with a deadline for all of it, from the name lookup to the last byte."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TypeVar
from urllib.error import HTTPError

from tallow.core.deadlines import Sockets, within

T = TypeVar("T")


Response = HTTPResponse | HTTPError
"""A response; a failure status is an `HTTPError`."""


def post(request: urllib.request.Request, seconds: float, read: Callable[[Response], T]) -> T:
    """Send a request, and return `read` of the response.

    `TimeoutError` if that takes longer than `seconds` in all; the connections are closed then.
    `OSError`, `http.client.HTTPException` or `ValueError` if the exchange fails.
    """
    sockets = Sockets()
    plain, secure = urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()
    plain.http_open = partial(plain.do_open, _watched(HTTPConnection, sockets))  # type: ignore[method-assign]
    secure.https_open = partial(secure.do_open, _watched(HTTPSConnection, sockets))  # type: ignore[method-assign]
    opener = urllib.request.build_opener(plain, secure)

    def exchange() -> T:
        try:
            response: Response = opener.open(request, timeout=seconds)
        except HTTPError as error:
            response = error
        with response:
            return read(response)

    try:
        return within(seconds, exchange)
    finally:
        # Nothing else uses them; an abandoned thread ends with them.
        sockets.shut()


def _watched(kind: type[HTTPConnection], sockets: Sockets) -> type[HTTPConnection]:
    """Return a kind of connection whose sockets can be closed from another thread."""

    class Connection(kind):  # type: ignore[misc,valid-type]
        def connect(self) -> None:
            super().connect()
            sockets.hold(self.sock)

    return Connection
