"""One HTTP exchange with a deadline for all of it, from looking up the name to the last byte."""

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
"""What came: an error is what a status of failure brings."""


def post(asked: urllib.request.Request, seconds: float, read: Callable[[Response], T]) -> T:
    """Send a request, and return what `read` makes of the response.

    Raises
    ------
    TimeoutError
        If that takes longer than `seconds`, wherever it waits. The connections are ended then.
    OSError, http.client.HTTPException, ValueError
        If the exchange fails.
    """
    sockets = Sockets()
    plain, secure = (partial(_opened, kind, sockets) for kind in (_Plain, _Secure))
    opener = urllib.request.build_opener(_PlainHandler(plain), _SecureHandler(secure))

    def exchange() -> T:
        try:
            response: Response = opener.open(asked, timeout=seconds)
        except HTTPError as error:
            response = error
        with response:
            return read(response)

    try:
        return within(seconds, exchange)
    finally:
        # Nothing else uses them; a thread that was left behind ends with them.
        sockets.shut()


def _opened(kind: type[Any], sockets: Sockets, *args: Any, **options: Any) -> Any:
    connection = kind(*args, **options)
    connection.sockets = sockets
    return connection


class _Plain(HTTPConnection):
    sockets: Sockets

    def connect(self) -> None:
        super().connect()
        self.sockets.hold(self.sock)


class _Secure(HTTPSConnection):
    sockets: Sockets

    def connect(self) -> None:
        super().connect()
        self.sockets.hold(self.sock)


class _PlainHandler(urllib.request.HTTPHandler):
    def __init__(self, connection: Callable[..., Any]) -> None:
        super().__init__()
        self._connection = connection

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, connection: Callable[..., Any]) -> None:
        super().__init__()
        self._connection = connection

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connection, req)
