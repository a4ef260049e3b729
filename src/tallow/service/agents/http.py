"""``/mcp`` of the service: the tools over streamable HTTP, without sessions, loaded when asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tallow.engine import AnalyticsEngine
from tallow.service.service import Service

PATH = "/mcp"
MISSING = "Tools for agents are not installed. Install them with: pip install 'tallow[mcp]'\n"


def add_agents(app: FastAPI, service: Service) -> None:
    """Add the tools to an application; the guard's keys are asked for as for other reads."""
    agents = AgentsApp(service)
    app.router.routes.append(Route(PATH, endpoint=agents, include_in_schema=False))
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(whole: Any) -> AsyncIterator[Any]:
        async with before(whole) as state:
            try:
                yield state
            finally:
                await agents.close()

    app.router.lifespan_context = lifespan


class AgentsApp:
    """The tools as an application; workers of the service answer."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._app: ASGIApp | None = None
        self._turn, self._end = asyncio.Lock(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = self._app or await self._load()
        await app(scope, receive, send)

    async def close(self) -> None:
        """End what the library does beside requests."""
        self._end.set()
        if self._task is not None:
            await self._task

    async def _load(self) -> ASGIApp:
        async with self._turn:
            if self._app is None:
                try:
                    self._app = await self._start()
                except ModuleNotFoundError as error:
                    if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
                        raise
                    self._app = PlainTextResponse(MISSING, 501)
            return self._app

    async def _start(self) -> ASGIApp:
        def load() -> Any:
            from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

            from tallow.service.agents.protocol import make_server

            # Hosts and origins are the guard's to look at.
            server = make_server(self._answer)
            return StreamableHTTPSessionManager(server, json_response=True, stateless=True)

        manager, started = await asyncio.to_thread(load), asyncio.Event()

        async def run() -> None:
            # Its tasks must end in the task that began them.
            async with manager.run():
                started.set()
                await self._end.wait()

        self._task = asyncio.create_task(run())
        await started.wait()
        app: ASGIApp = manager.handle_request
        return app

    async def _answer(self, name: str, arguments: dict[str, Any]) -> str:
        settings = self._service.settings
        said = (str(settings.store), settings.calendar, settings.convention)
        return await self._service.compute(answer_in_worker, said, name, arguments)


def answer_in_worker(
    _engine: AnalyticsEngine, said: tuple[str, str, str], name: str, arguments: dict[str, Any]
) -> str:
    """Answer a tool's question in a worker, of a store that is left as it is."""
    text: str = _tools(*said).answer(name, arguments)
    return text


@lru_cache(maxsize=1)
def _tools(location: str, calendar: str, convention: str) -> Any:
    from tallow.service.agents.opening import open_tools

    return open_tools(location, calendar, convention)
