"""``/v1/screens`` and ``/v1/squeezes``: conditions of the live engine, or of the store."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.core.errors import ScreenError, without_empty_warnings
from tallow.core.limits_screens import SCREEN_CHARACTERS_MAX, SCREENS_MAX
from tallow.engine import AnalyticsEngine
from tallow.screens.answers import ScreenResult
from tallow.service.http.answers import MATCHES, rows_of
from tallow.service.http.formats import choose_format, choose_packing, to_body
from tallow.service.http.questions import Name, Text
from tallow.service.http.sending import body_of, read_model, to_response
from tallow.service.http.stored import PageAnswer, require_stored_name
from tallow.service.limits import ASKED_INSTRUMENTS_MAX, PAGE_ROWS, PAGE_ROWS_MAX
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service

Condition = Annotated[str, Field(min_length=1, max_length=SCREEN_CHARACTERS_MAX)]

EXAMPLE: dict[str, Any] = {
    "condition": "close > ema(9) and rsi(14) < 70",
    "timeframe": "5m",
    "columns": ["rsi(14)"],
    "sort": "rsi(14)",
}


class WhoQuestion(BaseModel):
    """Of whom, and as of when, something is asked; without moments, of the live engine, now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframe: Text = Field("5m", description="Of which bars.", examples=["5m"])
    instrument: tuple[Name, ...] = Field((), max_length=ASKED_INSTRUMENTS_MAX)
    universe: Name | None = Field(None, description="A stored universe.")
    at: Text | None = Field(None, description="Of the store: bars that had closed by then.")
    known_at: Text | None = Field(None, description="Of the store: what it knew then.")
    limit: int = Field(PAGE_ROWS, ge=1, le=PAGE_ROWS_MAX, description="Most matches to send.")

    @property
    def is_of_store(self) -> bool:
        """Whether the store is asked, and not the live engine."""
        return self.at is not None or self.known_at is not None


class HttpScreen(WhoQuestion):
    """A screen, as a URL has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    condition: Condition = Field(examples=[EXAMPLE["condition"]])
    columns: tuple[Text, ...] = Field((), max_length=64, description="Numbers beside each match.")
    sort: Text | None = Field(None, description="A number to sort by, the highest first.")
    ascending: bool = Field(default=False, description="Sort the lowest first.")


class HttpSavedScreens(HttpScreen):
    """A screen as a body, which may bring texts of screens that the condition names."""

    saved: dict[Name, Condition] = Field({}, max_length=SCREENS_MAX)


class SqueezesQuestion(WhoQuestion):
    """Which squeeze."""

    length: int = Field(20, ge=2, le=5_000)
    multiplier: float = Field(2.0, gt=0, le=100)
    lookback: int = Field(125, ge=2, le=5_000)
    tolerance: float = Field(5.0, ge=0, le=1_000)
    least: int = Field(1, ge=0, le=5_000, description="Bars in range, at least.")


def make_router(service: Service) -> APIRouter:
    """Return the routes of screens."""
    router = APIRouter(tags=["screens"], responses=PROBLEMS)
    shape: Any = {"response_model": PageAnswer, "responses": rows_of(MATCHES)}

    @router.get("/screens", **shape)
    async def screen(request: Request, asked: Annotated[HttpScreen, Query()]) -> Response:
        """Return which instruments match a condition, and how many do not or are unknown."""
        return await _send(request, service, asked, {})

    @router.post("/screens", openapi_extra=body_of(HttpSavedScreens), **shape)
    async def saved_screen(request: Request) -> Response:
        """Return the same; a body has room for long conditions, and for saved screens."""
        asked = await read_model(request, HttpSavedScreens)
        return await _send(request, service, asked, dict(asked.saved))

    @router.get("/squeezes", **shape)
    async def squeezes(request: Request, asked: Annotated[SqueezesQuestion, Query()]) -> Response:
        """Return whose Bollinger bands are near their lowest width, the nearest first."""
        screen = _squeeze_screen(asked)
        try:
            return await _send(request, service, screen, {})
        except ScreenError:
            if screen.is_of_store:
                raise
            # The live engine does not compute this squeeze.
            return await _send(request, service, screen, {}, of_store=True)

    return router


async def _send(
    request: Request,
    service: Service,
    asked: HttpScreen,
    saved: dict[str, str],
    *,
    of_store: bool = False,
) -> Response:
    media_type = choose_format(request.headers.get("accept"))
    packing = choose_packing(request.headers.get("accept-encoding"))
    words: dict[str, Any] = {
        "columns": asked.columns,
        "sort": asked.sort,
        "ascending": asked.ascending,
        "instruments": list(asked.instrument) or None,
        "universe": require_stored_name(asked.universe),
        "saved": saved,
    }
    what = (asked.condition, asked.timeframe)
    if of_store or asked.is_of_store:
        words |= {"at": asked.at, "known_at": asked.known_at}
        found = await service.compute(screen_of_store, *what, words)
    else:
        found = await service.read(lambda: service.live.screen(*what, **words))
    about = about_screen(found, asked.limit)
    body = await service.read(lambda: to_body(found.frame.head(asked.limit), media_type, about))
    return to_response(request, body, media_type, packing, about)


def screen_of_store(
    engine: AnalyticsEngine, condition: str, timeframe: str, words: dict[str, Any]
) -> ScreenResult:
    """Ask a worker's engine."""
    with without_empty_warnings():
        return engine.screen(condition, timeframe, **words)


def about_screen(found: ScreenResult, limit: int) -> dict[str, Any]:
    """Return what an answer says beside its matches; at most so many of the unknown."""
    judged = found.judged_at
    return {
        "counts": found.counts,
        "why_unknown": found.why_unknown,
        "unknown": found.unknown.head(limit).to_dicts(),
        "judged_at": None if judged is None else judged.isoformat(),
        "notes": list(found.notes),
        "why_empty": found.why_empty,
        "quarantined": found.quarantined,
        "more": max(0, len(found.frame) - limit),
    }


def _squeeze_screen(asked: SqueezesQuestion) -> HttpScreen:
    numbers = (asked.length, asked.multiplier, asked.lookback, asked.tolerance)
    spec = f"squeeze({', '.join(f'{each:g}' for each in numbers)})"
    shown = ("distance", "lowest", "in_range", "contracting", "percentile")
    who = {name: getattr(asked, name) for name in WhoQuestion.model_fields}
    return HttpScreen(
        condition=f"{spec}[in_range] >= {asked.least}",
        columns=tuple(f"{spec}[{name}]" for name in shown),
        sort=f"{spec}[distance]",
        ascending=True,
        **who,
    )
