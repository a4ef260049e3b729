"""One HTTP exchange with a deadline for all of it, from the name lookup to the last byte."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, TypeVar
from urllib.error import HTTPError

from tallow.core.deadlines import Sockets, within

T = TypeVar("T")


Response = HTTPResponse | HTTPError
"""A response; a failure status is an `HTTPError`."""


def post(request: urllib.request.Request, seconds: float, read: Callable[[Response], T]) -> T:
    """Send a request, and return `read` of the response.

    Raises
    ------
    TimeoutError
        If that takes longer than `seconds` in all. The connections are closed then.
    OSError, http.client.HTTPException, ValueError
        If the exchange fails.
    """
    sockets = Sockets()
    plain, secure = (
        partial(_connect, kind, sockets) for kind in (_HttpConnection, _HttpsConnection)
    )
    opener = urllib.request.build_opener(_HttpHandler(plain), _HttpsHandler(secure))

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


def _connect(kind: type[Any], sockets: Sockets, *args: Any, **options: Any) -> Any:
    connection = kind(*args, **options)
    connection.sockets = sockets
    return connection


class _HttpConnection(HTTPConnection):
    sockets: Sockets

    def connect(self) -> None:
        super().connect()
        self.sockets.hold(self.sock)


class _HttpsConnection(HTTPSConnection):
    sockets: Sockets

    def connect(self) -> None:
        super().connect()
        self.sockets.hold(self.sock)


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, connection: Callable[..., Any]) -> None:
        super().__init__()
        self._connection = connection

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, connection: Callable[..., Any]) -> None:
        super().__init__()
        self._connection = connection

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connection, req)
