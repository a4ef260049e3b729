"""The application: routes over a service."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from tallow.service import operations
from tallow.service.agents.http import add_agents
from tallow.service.compat.old_api import MOUNT
from tallow.service.compat.routes import make_old_api
from tallow.service.heads import HeadMiddleware
from tallow.service.http.routers import HTTP_ROUTERS
from tallow.service.keys.guard import Guard, GuardMiddleware
from tallow.service.keys.routes import make_router as make_tickets
from tallow.service.parameters import require_parameters
from tallow.service.problems import add_problems
from tallow.service.service import Service
from tallow.service.stream import route as stream
from tallow.service.writes import repairs, universes
from tallow.service.writes import routes as writes

ROUTERS: tuple[Callable[[Service], APIRouter], ...] = (
    *HTTP_ROUTERS,
    stream.make_router,
    writes.make_router,
    repairs.make_router,
    universes.make_router,
)
"""Functions that take the service, and return a router of ``/v1``."""

_ASKED_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match")
_READ_HEADERS = (
    *("ETag", "Idempotent-Replayed", "Retry-After", "Link", "X-Request-ID"),
    *(f"Tallow-{name}" for name in ("Rows", "Next", "Known-At", "Why-Empty", "Assumed")),
)


def make_app(service: Service) -> FastAPI:
    """Return the application of a service that is open."""
    # Their pages would take scripts from the net, which a service may not reach.
    app = FastAPI(title="Tallow", version="1", docs_url=None, redoc_url=None)
    add_problems(app)
    once = [Depends(require_parameters)]
    for make_router in ROUTERS:
        app.include_router(make_router(service), prefix="/v1", dependencies=once)
    app.include_router(operations.make_router(service))
    if service.board is not None:
        app.mount(MOUNT, make_old_api(service, service.board))
    add_agents(app, service)
    guard = Guard(service.settings)
    app.include_router(make_tickets(guard), prefix="/v1", dependencies=once)
    app.add_middleware(GuardMiddleware, guard=guard)
    app.add_middleware(HeadMiddleware)
    if service.settings.origins:
        # The outermost: a page reads refusals, too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=_ASKED_HEADERS,
            expose_headers=_READ_HEADERS,
        )
    return app
