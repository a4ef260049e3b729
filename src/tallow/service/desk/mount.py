"""Where the pages stand in the application, and the library that frames them, loaded when asked."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallow.service.desk import routes
from tallow.service.parameters import require_parameters
from tallow.service.service import Service

PATH = "/desk"
"""Where the pages are; ``/`` leads there."""

_FROM = {
    "default": "'self'",
    # NiceGUI's page has scripts in it, and its templates are compiled in the browser.
    "script": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style": "'self' 'unsafe-inline'",
    "img": "'self' data: blob:",
    "font": "'self' data:",
    "object": "'none'",
}
_REST = "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

POLICY = "; ".join([*(f"{kind}-src {allowed}" for kind, allowed in _FROM.items()), _REST])
"""What a page may load, and where it may send: to this service alone."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

MISSING = "The dashboard is not installed. Install it with: pip install 'tallow[desk]'\n"


def add_desk(app: FastAPI, service: Service) -> None:
    """Add the pages, and what they ask of the service, to an application.

    NiceGUI is loaded when a page is first asked for: a service that nobody looks at has none of it.
    An application of one process may have them.
    """
    once = [Depends(require_parameters)]
    router = routes.make_router(service)
    app.include_router(router, prefix="/v1/desk", dependencies=once, include_in_schema=False)
    pages = DeskPages()
    app.mount(PATH, pages)

    @app.get("/", include_in_schema=False)
    async def first_page() -> Response:
        return RedirectResponse(f"{PATH}/")

    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(whole: Any) -> AsyncIterator[Any]:
        async with before(whole) as state:
            try:
                yield state
            finally:
                await pages.close()

    app.router.lifespan_context = lifespan


class DeskPages:
    """The application of the pages."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._turn = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of a page."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        is_gone = False

        async def receive_noted() -> Message:
            nonlocal is_gone
            message = await receive()
            is_gone |= message["type"] == "http.disconnect"
            return message

        app = self._app or await self._load()
        try:
            await app(scope, receive_noted, send_guarded)
        except RuntimeError:
            # A middleware of NiceGUI wants an answer also where nobody waits for one.
            if not is_gone:
                raise

    async def close(self) -> None:
        """End what the library does beside requests."""
        await self._stack.aclose()

    async def _load(self) -> ASGIApp:
        async with self._turn:
            if self._app is None:
                try:
                    pages: Any = await asyncio.to_thread(
                        importlib.import_module, "tallow.service.desk.pages"
                    )
                except ModuleNotFoundError as error:
                    if error.name != "nicegui":
                        raise
                    self._app = PlainTextResponse(MISSING, 501)
                else:
                    app = pages.make_pages()
                    await self._stack.enter_async_context(app.router.lifespan_context(app))
                    self._app = app
            return self._app
