"""``/v1/explain``: where one value comes from."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.engine import AnalyticsEngine
from tallow.service.http.questions import Text
from tallow.service.http.sending import send_bytes
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service


class ExplainQuestion(BaseModel):
    """Which value of which bar."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Text = Field(description="A bar's column, or a spec.", examples=["ema_9"])
    at: Text = Field(description="When the bar opens.", examples=["2025-06-03T10:15"])
    timeframe: Text = Field("5m", examples=["5m"])
    indicators: Text = Field("default", description="The set that is asked for.")
    known_at: Text | None = Field(None, description="What the store knew then.")
    source_timeframe: Text = "1m"
    adjustment: Text = "raw"


class ExplainAnswer(BaseModel):
    """An explanation; its fields are those of `tallow explain --json`."""

    model_config = ConfigDict(extra="allow")


def make_router(service: Service) -> APIRouter:
    """Return the route of explanations."""
    router = APIRouter(tags=["explain"], responses=PROBLEMS)

    @router.get("/explain/{instrument:path}", response_model=ExplainAnswer)
    async def explain(
        request: Request,
        instrument: Annotated[str, Path(max_length=1_024)],
        asked: Annotated[ExplainQuestion, Query()],
    ) -> Response:
        """Return candles with receipts, formula, warm-up, facts, and the value computed again."""
        made = await service.compute(explain_stored, instrument, asked.model_dump())
        return await send_bytes(request, service, made)

    return router


def explain_stored(engine: AnalyticsEngine, instrument: str, words: dict[str, Any]) -> bytes:
    """Explain one value of a worker's store, as JSON."""
    return orjson.dumps(engine.explain(instrument, **words).to_dict())
