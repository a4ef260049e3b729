"""Routes for whoever runs the service: whether it is alive and ready, and its metrics."""

from __future__ import annotations

import asyncio

import orjson
from fastapi import APIRouter, Response

from tallow.service.metrics import CONTENT_TYPE, Metrics
from tallow.service.problems import problem
from tallow.service.readiness import notes, reasons
from tallow.service.service import Service


def make_router(service: Service) -> APIRouter:
    """Return the routes; they stand beside ``/v1``."""
    router, metrics = APIRouter(tags=["operations"]), Metrics(service)

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @router.get("/readyz", responses={503: {"description": "Not ready, and why."}})
    async def readyz() -> Response:
        """Say whether the service can take candles and answer, and if not, why."""
        found = await asyncio.to_thread(reasons, service)
        if found:
            return problem(503, "Not ready", "; ".join(found), reasons=found)
        said = {"status": "ready"} | ({"notes": more} if (more := notes(service)) else {})
        return Response(orjson.dumps(said), media_type="application/json")

    @router.get("/metrics", response_class=Response)
    async def show_metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE)

    return router
