"""The application: routes over a service."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI

from tallow.service import operations
from tallow.service.http.routers import HTTP_ROUTERS
from tallow.service.problems import add_problems
from tallow.service.service import Service
from tallow.service.stream import route as stream
from tallow.service.writes import routes as writes

ROUTERS: tuple[Callable[[Service], APIRouter], ...] = (
    *HTTP_ROUTERS,
    stream.make_router,
    writes.make_router,
)
"""Functions that take the service, and return a router of ``/v1``."""


def make_app(service: Service) -> FastAPI:
    """Return the application of a service that is open."""
    app = FastAPI(title="Tallow", version="1")
    app.state.service = service
    add_problems(app)
    for make_router in ROUTERS:
        app.include_router(make_router(service), prefix="/v1")
    app.include_router(operations.make_router(service))
    return app
