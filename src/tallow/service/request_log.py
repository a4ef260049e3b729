"""Every request has a name, is timed, and is logged where it took long or failed."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from tallow.service.logs import log_event
from tallow.service.measures import Measures

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """Stands before an application.

    A request keeps the name that it has in its header `HEADER`, or is given one; the answer and all
    lines of the log that belong to it say it, too.
    """

    def __init__(self, app: ASGIApp, measures: Measures, slow_seconds: float) -> None:
        self._app, self._measures, self._slow_seconds = app, measures, slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        name = given if _GIVEN.fullmatch(given) else uuid.uuid4().hex
        with bound_contextvars(request_id=name):
            try:
                if scope["type"] == "http":
                    await self._answer(name, scope, receive, send)
                else:
                    await self._app(scope, receive, send)
            except Exception:  # noqa: BLE001 - what could be answered is, and here it is reported
                log_event("error", kind="internal", path=scope["path"], exc_info=True)
                self._measures.count("errors/internal")

    async def _answer(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        status, began = 500, time.perf_counter()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (HEADER.lower().encode(), name.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        finally:
            self._finish(scope, status, time.perf_counter() - began)

    def _finish(self, scope: Scope, status: int, seconds: float) -> None:
        self._measures.note("processing/request", seconds)
        self._measures.count(f"requests/{status // 100}xx")
        if status >= 500:
            self._measures.count("errors/request")
        if seconds >= self._slow_seconds:
            log_event("slow", **_what(scope), status=status, seconds=round(seconds, 3))


def _what(scope: Scope) -> dict[str, Any]:
    # Without the query, which may have a secret.
    return {"method": scope["method"], "path": scope["path"]}
