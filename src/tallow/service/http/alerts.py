"""``/v1/alerts``: what is wrong now, what was told to whom, and a test of whoever is told."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from tallow.service.http.sending import send_json
from tallow.service.problems import PROBLEMS, WRITE_PROBLEMS
from tallow.service.service import Service


class AlertsAnswer(BaseModel):
    """What is wrong now, and what was told."""

    open: list[dict[str, str]] = Field(description="Causes that were told, and are not over.")
    recent: list[dict[str, Any]] = Field(
        description="The newest alerts, the newest first, with what became of each by sink."
    )
    sinks: dict[str, dict[str, int]] = Field(description="Counts by sink, since it began.")
    problems: list[str] = Field(description="What went wrong last, in sentences.")
    is_quiet: bool = Field(description="Whether alerts that are not urgent wait now.")


class TrialAnswer(BaseModel):
    """What became of a test, by sink."""

    deliveries: list[dict[str, str]]


def make_router(service: Service) -> APIRouter:
    """Return the routes of alerts."""
    router = APIRouter(tags=["alerts"], responses=PROBLEMS)

    @router.get("/alerts", response_model=AlertsAnswer)
    async def alerts(request: Request) -> Response:
        """Return the causes that are open, the newest alerts, and what became of them."""
        return await send_json(request, service, lambda: orjson.dumps(service.alerting.status()))

    @router.post("/alerts/test", response_model=TrialAnswer, responses=WRITE_PROBLEMS)
    async def test(request: Request) -> Response:
        """Send a test to each sink, at any hour, and say what became of it."""
        return await send_json(
            request, service, lambda: orjson.dumps({"deliveries": service.alerting.test()})
        )

    return router
