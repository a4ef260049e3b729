"""``/v1/latest``: the last bar of each instrument, as the live engine has it."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.core.errors import ParameterError, UnknownInstrumentError, excerpt, near_matches
from tallow.service.http.answers import LATEST, rows_of
from tallow.service.http.questions import Name, Text
from tallow.service.http.sending import Rows, send_rows
from tallow.service.http.stored import PageAnswer
from tallow.service.limits import ASKED_INSTRUMENTS_MAX, PAGE_ROWS, PAGE_ROWS_MAX
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service

_KEYS = ("instrument", "timestamp")


class LatestQuestion(BaseModel):
    """Whose last bars, and which of their columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframe: Text | None = Field(None, description="One of the live engine; its first.")
    instrument: tuple[Name, ...] = Field(
        (), max_length=ASKED_INSTRUMENTS_MAX, description="Whose; of all, if none is named."
    )
    column: tuple[Name, ...] = Field(
        (), max_length=ASKED_INSTRUMENTS_MAX, description="Columns to send; all by default."
    )
    limit: int = Field(PAGE_ROWS, ge=1, le=PAGE_ROWS_MAX, description="Most bars of a page.")
    cursor: Text | None = Field(None, description="`next` of the page before.")


def make_router(service: Service) -> APIRouter:
    """Return the route of the last bars."""
    router = APIRouter(tags=["live"], responses=PROBLEMS)

    @router.get("/latest", response_model=PageAnswer, responses=rows_of(LATEST))
    async def latest(request: Request, asked: Annotated[LatestQuestion, Query()]) -> Response:
        """Return each instrument's last bar, forming or final, with the live indicators."""
        return await send_rows(request, service, lambda: _latest(service, asked))

    return router


def _latest(service: Service, asked: LatestQuestion) -> Rows:
    live, names = service.live, list(asked.instrument) or None
    timeframe = asked.timeframe or live.timeframes[0]
    known = set(live.names)
    for name in names or ():
        if name not in known:
            raise UnknownInstrumentError(
                f"instrument: {excerpt(name)}; the live engine does not know it; "
                f"{near_matches(name, known) if known else 'it knows none yet'}"
            )
    bars = live.latest(timeframe, names).sort("instrument")
    for name in asked.column:
        if name not in bars.columns:
            raise ParameterError(
                f"column: {excerpt(name)}; is none of these bars; "
                f"{near_matches(name, bars.columns)}"
            )
    if asked.cursor is not None:
        bars = bars.filter(pl.col("instrument") > asked.cursor)
    page = bars.head(asked.limit)
    following = page["instrument"][-1] if len(bars) > len(page) else None
    why = "" if len(page) else _why_none(names)
    if asked.column:
        page = page.select(*dict.fromkeys((*_KEYS, *asked.column)))
    return page, {"next": following, "timeframe": timeframe, "why_empty": why}


def _why_none(names: list[str] | None) -> str:
    who = "the live engine" if names is None else "none of these instruments"
    return f"no bars: {who} has had a candle in a session yet"
