"""What can be asked for: ``/v1/timeframes`` and ``/v1/indicators``, from the declarations."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.core.described import details_of, parameters_schema, summary_of
from tallow.core.errors import SpecError, UnknownNameError
from tallow.core.registry import registry
from tallow.service.http.sending import send_json
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service

NAMED = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "1d", "1w", "1mo")


class TimeframesAnswer(BaseModel):
    """The timeframes of the live engine, and those that a range may have."""

    live: list[str] = Field(examples=[["1m", "5m", "1d"]])
    usual: list[str] = Field(examples=[list(NAMED)])
    rule: str


class IndicatorSummary(BaseModel):
    """An indicator in short."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(examples=["ema"])
    title: str
    columns: list[str]
    warmup: list[int]


class IndicatorsAnswer(BaseModel):
    """All indicators."""

    indicators: list[IndicatorSummary]


class IndicatorAnswer(IndicatorSummary):
    """All about an indicator; `json_schema` checks its parameters by name."""

    formula: str
    version: int
    parameters: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    json_schema: dict[str, Any]


def make_router(service: Service) -> APIRouter:
    """Return the routes of what there is."""
    router = APIRouter(tags=["reference"], responses=PROBLEMS)

    @router.get("/timeframes", response_model=TimeframesAnswer)
    async def timeframes(request: Request) -> Response:
        """Return how long bars may last."""
        rule = "any whole number of minutes up to a day, 1d, 1w and 1mo"
        found = {"live": service.live.timeframes, "usual": NAMED, "rule": rule}
        return await send_json(request, service, lambda: orjson.dumps(found))

    @router.get("/indicators", response_model=IndicatorsAnswer)
    async def indicators(request: Request) -> Response:
        """Return all indicators in short."""

        def found() -> bytes:
            known = sorted(registry().by_name.values(), key=lambda each: each.name)
            return orjson.dumps({"indicators": [summary_of(each) for each in known]})

        return await send_json(request, service, found)

    @router.get("/indicators/{name}", response_model=IndicatorAnswer)
    async def indicator(
        request: Request, name: Annotated[str, Path(max_length=256, examples=["ema"])]
    ) -> Response:
        """Return an indicator's parameters, outputs, warm-up, formula and conventions."""

        def found() -> bytes:
            try:
                one = registry().find(name)
            except SpecError as error:
                raise UnknownNameError(str(error)) from error
            return orjson.dumps(details_of(one) | {"json_schema": parameters_schema(one)})

        return await send_json(request, service, found)

    return router
