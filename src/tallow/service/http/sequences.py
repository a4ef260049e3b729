"""``/v1/sequences``: bars in a row whose moves are alike, and what came after them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from tallow.analysis.sequence_result import SequenceResult
from tallow.core.errors import without_empty_warnings
from tallow.engine import AnalyticsEngine
from tallow.service.http.answers import SEQUENCES, rows_of
from tallow.service.http.formats import choose_format, choose_packing, to_body
from tallow.service.http.questions import Text
from tallow.service.http.screens import WhoQuestion
from tallow.service.http.sending import to_response
from tallow.service.http.stored import PageAnswer, require_stored_name
from tallow.service.problems import PROBLEMS
from tallow.service.service import Service


class SequencesQuestion(WhoQuestion):
    """Sequences of the store's instruments."""

    timeframe: Text = Field("1d", description="Of which bars.", examples=["1d"])
    start: Text | None = Field(None, description="Bars from this date or time on.")
    moves: Text = Field("move", description="The indicator `move` with its parameters.")
    horizon: int = Field(5, ge=1, le=1_000, description="Bars after which it is looked.")
    split: float = Field(0.5, gt=0, lt=1, description="Share of the history that chooses.")
    table: Literal["scores", "pooled", "patterns", "sequences"] = "scores"


def make_router(service: Service) -> APIRouter:
    """Return the route of sequences."""
    router = APIRouter(tags=["sequences"], responses=PROBLEMS)

    @router.get("/sequences", response_model=PageAnswer, responses=rows_of(SEQUENCES))
    async def sequences(request: Request, asked: Annotated[SequencesQuestion, Query()]) -> Response:
        """Return a table about sequences of moves: scores, patterns, or the sequences."""
        media_type = choose_format(request.headers.get("accept"))
        packing = choose_packing(request.headers.get("accept-encoding"))
        names = ("at", "known_at", "start", "moves", "horizon", "split")
        words: dict[str, Any] = {name: getattr(asked, name) for name in names} | {
            "instruments": list(asked.instrument) or None,
            "universe": require_stored_name(asked.universe),
        }
        found = await service.compute(sequences_of_store, asked.timeframe, words)
        about = _about(found)
        rows = getattr(found, asked.table)
        about["more"] = max(0, len(rows) - asked.limit)
        body = await service.read(lambda: to_body(rows.head(asked.limit), media_type, about))
        return to_response(request, body, media_type, packing, about)

    return router


def sequences_of_store(
    engine: AnalyticsEngine, timeframe: str, words: dict[str, Any]
) -> SequenceResult:
    """Ask a worker's engine."""
    with without_empty_warnings():
        return engine.sequences(timeframe, **words)


def _about(found: SequenceResult) -> dict[str, Any]:
    moments = {"split_at": found.split_at, "judged_at": found.judged_at}
    return {
        "horizon": found.horizon,
        **{name: None if at is None else at.isoformat() for name, at in moments.items()},
        "notes": list(found.notes),
        "why_empty": found.why_empty,
        "quarantined": found.quarantined,
    }
