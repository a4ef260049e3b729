"""What the pages ask of the service beside its other reads; for them alone, and may change."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import orjson
import polars as pl
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.core.errors import without_empty_warnings
from tallow.core.time import from_us
from tallow.plan.plan import make_plan
from tallow.service.desk.charted import ChartQuestion, chart_of
from tallow.service.desk.state import state_of
from tallow.service.http.questions import Name, Text
from tallow.service.http.sending import send_json
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service

SPARK_BARS = 48
"""Bars of the small lines beside instruments."""

SPARK_DAYS = 7
"""How far back they begin at most."""

SPARKS_MAX = 64
"""Instruments whose small lines are asked for at once: those that a screen shows."""


class SparksQuestion(BaseModel):
    """Whose small lines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframe: Text = "5m"
    instrument: tuple[Name, ...] = Field(min_length=1, max_length=SPARKS_MAX)


def make_router(service: Service) -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter(tags=["desk"], responses=PROBLEMS)

    @router.get("/about")
    async def about(request: Request) -> Response:
        """Say what there is: instruments and their symbols, timeframes, columns, screens, zone."""
        return await send_json(request, service, lambda: _about(service))

    @router.get("/sparks")
    async def sparks(request: Request, asked: Annotated[SparksQuestion, Query()]) -> Response:
        """Return the last closes of some instruments, by name."""
        return await send_json(request, service, lambda: _sparks(service, asked))

    @router.get("/state")
    async def state(request: Request) -> Response:
        """Return how the service is: its metrics, its feed, and whether it is ready."""
        return await send_json(request, service, lambda: orjson.dumps(state_of(service)))

    @router.get("/chart/{instrument:path}")
    async def chart(
        request: Request,
        instrument: Annotated[str, Path(max_length=1_024)],
        asked: Annotated[ChartQuestion, Query()],
    ) -> Response:
        """Return what a chart draws of an instrument, in no more places than there is room for."""
        return await send_json(request, service, lambda: chart_of(service, instrument, asked))

    return router


def _about(service: Service) -> bytes:
    symbols = service.store.symbols().group_by("instrument").agg(pl.col("symbol").sort().first())
    judged, convention = service.judgements, service.settings.convention
    plan = make_plan(judged.indicators, convention)
    found: dict[str, Any] = {
        "timeframes": service.live.timeframes,
        "instruments": sorted(service.live.names),
        "symbols": dict(symbols.iter_rows()),
        "columns": plan.columns,
        "specs": plan.specs,
        "screens": judged.saved,
        "rules": [each.name for each in judged.rules],
        "zone": service.engine.calendars.calendars[0].timezone,
        "convention": convention,
        "has_rollout": service.settings.rollout is not None,
    }
    return orjson.dumps(found)


def _sparks(service: Service, asked: SparksQuestion) -> bytes:
    known = set(service.store.names())
    names = [each for each in asked.instrument if each in known]
    newest = service.store.last_time()
    if not names or newest is None:
        return orjson.dumps({})
    start = from_us(newest) - timedelta(days=SPARK_DAYS)
    with without_empty_warnings():
        frame = service.engine.query(names, asked.timeframe, start, None, "").frame
    closes = frame.group_by("instrument", maintain_order=True).agg(pl.col("close").tail(SPARK_BARS))
    return orjson.dumps(dict(closes.iter_rows()))
