"""``/v1/comparison``: two engines on the store's candles, in a worker process."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import orjson
import polars as pl
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.core.errors import EngineError, ParameterError, near_matches
from tallow.engine import AnalyticsEngine
from tallow.migrate.compare import compare
from tallow.migrate.engines.registry import engines
from tallow.migrate.protocol import Request as EngineRequest
from tallow.plan.plan import make_plan
from tallow.runtime.ranges import Range
from tallow.service.http.questions import Name, Text
from tallow.service.http.sending import send_bytes
from tallow.service.limits import (
    COMPARED_CANDLES_MAX,
    COMPARED_INSTRUMENTS_MAX,
    COMPARED_VALUES_MAX,
)
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service


class ComparisonQuestion(BaseModel):
    """Which engines, and on what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: Name = Field("talib", description="The engine that is in use.", examples=["talib"])
    candidate: Name = Field("tallow", description="The one that may replace it.")
    instrument: tuple[Name, ...] = Field(
        min_length=1,
        max_length=COMPARED_INSTRUMENTS_MAX,
        description="Whose bars; may be given again.",
    )
    timeframe: Text = Field("5m", description="How long a bar lasts.", examples=["15m"])
    indicators: Text = Field("default", examples=["sma(9), rsi(14)"])
    start: Text | None = Field(None, description="As of `/v1/candles`.", examples=["2025-07-17"])
    end: Text | None = Field(None, description="As `start`.")
    source_timeframe: Text = Field("1m", description="How long the candles last.")
    adjustment: Text = Field("raw", description="Which prices the candles have.")


class ComparisonAnswer(BaseModel):
    """A comparison; its fields are those of `tallow compare --json`."""

    model_config = ConfigDict(extra="allow")
    verdict: dict[str, Any]
    series: dict[str, Any] = Field(description="By column: counts, causes, and the worst rows.")


def make_router(service: Service) -> APIRouter:
    """Return the route of comparisons."""
    router = APIRouter(tags=["rollout"], responses=PROBLEMS)

    @router.get("/comparison", response_model=ComparisonAnswer)
    async def comparison(
        request: Request, asked: Annotated[ComparisonQuestion, Query()]
    ) -> Response:
        """Return how two engines' values differ, why, and where most.

        Engines are those that are declared by name on the service's machine: `tallow`, `talib`,
        `polars_talib`, and those of packages that are installed there.
        """
        said = (service.settings.calendar, asked.model_dump())
        return await send_bytes(request, service, await service.compute(compare_stored, *said))

    return router


def compare_stored(engine: AnalyticsEngine, calendar: str, said: dict[str, Any]) -> bytes:
    """Compare two engines on candles of a worker's store, and return all of it as JSON."""
    asked = ComparisonQuestion(**said)
    control = _declared("control", asked.control)
    candidate = _declared("candidate", asked.candidate)
    candles = _candles(engine, asked)
    request = EngineRequest(
        candles,
        asked.timeframe,
        asked.indicators,
        calendar,
        asked.start,
        asked.end,
        source_timeframe=asked.source_timeframe,
        convention=engine.convention,
        no_trade=engine.no_trade,
    )
    with warnings.catch_warnings():
        # What fails is in the answer, by its instrument.
        warnings.simplefilter("ignore")
        found = compare(control, candidate, request, runs=0)
    return orjson.dumps(found.to_dict(), option=orjson.OPT_SERIALIZE_NUMPY)


def _declared(side: str, name: str) -> str:
    """Return the name of a declared engine: clients name no file, address or code of here."""
    known = engines().by_name
    if name not in known:
        raise EngineError(
            f"{side}: {name!r}; must be the name of a declared engine; {near_matches(name, known)}"
        )
    return name


def _candles(engine: AnalyticsEngine, asked: ComparisonQuestion) -> pl.DataFrame:
    """Return all candles of the instruments up to the range's end: also those that warm up.

    `ParameterError` if that is too much, before anything is read.
    """
    assert engine.store is not None
    state, calendar = engine.store.state(), engine.calendars.calendars[0]
    names = list(dict.fromkeys(asked.instrument))
    kind = (asked.source_timeframe, asked.adjustment)
    wanted = Range.of(asked.start, asked.end, names).checked(engine.calendars)
    wanted.check_found(state.names(*kind), "the store")
    columns = len(make_plan(asked.indicators, engine.convention).columns)
    series = state.series(names).filter(
        (pl.col("timeframe") == kind[0]) & (pl.col("adjustment") == kind[1])
    )
    count = int(series["candles"].sum())
    for what, number, most in (
        ("candles", count, COMPARED_CANDLES_MAX),
        ("values", count * columns, COMPARED_VALUES_MAX),
    ):
        if number > most:
            raise ParameterError(
                f"comparison: up to {number:,} {what}; must be at most {most:,}; name fewer "
                "instruments or indicators, or run tallow compare"
            )
    _, high = wanted.limits(calendar)
    return state.read(names, source_timeframe=kind[0], adjustment=kind[1], end=high)
