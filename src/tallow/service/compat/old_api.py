"""The old API as an application: a request finds its route, as the old router found it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from tallow.core.errors import TallowError, without_empty_warnings
from tallow.service.compat.elsewhere import BROKER, BROKER_HINT, NOWHERE, NOWHERE_HINT, PREFLIGHTS
from tallow.service.compat.envelopes import failure, line
from tallow.service.compat.old_bars import zone_of
from tallow.service.compat.reading import OldRequest
from tallow.service.errors import BusyError, RefusedError
from tallow.service.service import Service

T = TypeVar("T")

MOUNT = "/api"
"""Where the application stands; all of its routes are below `BASE`."""

BASE = "/api/v1"

Answer = Callable[[OldRequest], Awaitable[Response]]


class OldRoute(NamedTuple):
    """A route of the old API.

    Attributes
    ----------
    methods, path
        ``"GET"`` and ``"/candles/{instrument_key}/{timeframe}"``; one in braces is a part of the
        path without a slash.
    answer
        Answers a request.
    fail
        Returns the answer where Tallow cannot.
    """

    methods: str
    path: str
    answer: Answer
    fail: Callable[[str], Response] = lambda why: failure(why, 500)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parts of a path that is this route's; None where it is another's."""
        found = _pattern_of(self.path).fullmatch(path)
        return None if found is None else found.groupdict()


@cache
def _pattern_of(path: str) -> re.Pattern[str]:
    """Return what a route's path matches; each request asks all routes."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


class OldApi:
    """Answers what lies below `MOUNT`; everything that is not a route is the old text of 404."""

    def __init__(self, service: Service, routes: Sequence[OldRoute]) -> None:
        self._zone = ZoneInfo(zone_of(service.engine))
        self._routes = [*routes, *_routes_of_others()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a WebSocket is refused, as there never was one."""
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            await socket.send_denial_response(line("404 page not found", 404))
            return
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        clean = re.sub("/{2,}", "/", path)
        if clean != path:
            return RedirectResponse(str(request.url.replace(path=clean)), 301)
        own = path.removeprefix(BASE) if path.startswith(f"{BASE}/") else ""
        found = [(each, parts) for each in self._routes if (parts := each.match(own)) is not None]
        for route, parts in found:
            if request.method in route.methods.split():
                return await self._ask(route, OldRequest(request, parts, self._zone))
        return Response(None, 405) if found else line("404 page not found", 404)

    async def _ask(self, route: OldRoute, asked: OldRequest) -> Response:
        try:
            return await route.answer(asked)
        except (BusyError, RefusedError):
            raise  # whoever asks too much is told so as everywhere
        except TallowError as error:
            return route.fail(str(error))


async def read(service: Service, work: Callable[[], T]) -> T:
    """Do a read beside the loop, and write its answer; nothing found is one, and no warning."""

    def quietly() -> T:
        with without_empty_warnings():
            return work()

    return await service.read(quietly)


def _routes_of_others() -> list[OldRoute]:
    found = [_refused(said, NOWHERE_HINT) for said in NOWHERE]
    found += [_refused(said, BROKER_HINT) for said in BROKER]
    return found + [OldRoute("OPTIONS", path, _allow) for path in PREFLIGHTS]


def _refused(said: str, hint: str) -> OldRoute:
    methods, path = said.rsplit(" ", 1)

    async def refuse(asked: OldRequest) -> Response:
        return failure(f"Not implemented: {asked.request.method} {path}; {hint}", 501)

    return OldRoute(methods, path, refuse)


async def _allow(_asked: OldRequest) -> Response:
    return Response(None, 204)
