"""``/v1/rollout``: where the rollout stands, the evidence about it, and what people do with it."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tallow.migrate.rollout.journal import ActionRequest
from tallow.service.http.formats import JSON
from tallow.service.http.sending import body_of, read_model, send_json
from tallow.service.keys.guard import caller_of
from tallow.service.limits import ROLLOUT_CALLS_MAX, ROLLOUT_HOURS_MAX, ROLLOUT_REASON_MAX
from tallow.service.problems import PROBLEMS, WRITE_PROBLEMS
from tallow.service.rollout_access import Action
from tallow.service.service import Service
from tallow.service.writes.routes import KEPT, IdempotencyKey
from tallow.service.writes.writing import named_request

_STATE: dict[str, Any] = {
    "experiment": "new-engine",
    "phase": "running",
    "stage": "10%",
    "setting": {"rest": "shadow", "share": 10.0},
    "since": "2025-07-18T09:30:00+00:00",
    "reason": "5 successes",
    "successes": 2,
    "failures": 0,
    "inconclusive": 1,
    "problems": [],
}


class RolloutAnswer(BaseModel):
    """A rollout's state; further fields are those of `tallow rollout status --json`."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": _STATE})
    experiment: str
    phase: str
    stage: str
    problems: list[str] = Field(description="What is wrong with its log, its flag or its watch.")


class EvidenceQuestion(BaseModel):
    """Of which time, and how much, evidence is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: float = Field(1.0, gt=0, le=ROLLOUT_HOURS_MAX, description="The last so many hours.")
    limit: int = Field(20, ge=1, le=ROLLOUT_CALLS_MAX, description="Most calls of `worst`.")


class EvidenceAnswer(BaseModel):
    """What was seen of the candidate."""

    experiment: str
    since: str
    until: str
    totals: dict[str, Any] | None = Field(
        description="Counts of calls and values, how they differ (`causes`), and times; null "
        "where nothing was written yet."
    )
    dropped: dict[str, int] = Field(description="What could not be kept.")
    worst: list[dict[str, Any]] = Field(description="Calls that differ most, or failed.")


class ActionQuestion(BaseModel):
    """Why somebody acts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "all well"}})

    reason: str = Field("", max_length=ROLLOUT_REASON_MAX, description="For the log.")


def make_router(service: Service) -> APIRouter:
    """Return the routes of the rollout."""
    router, access = APIRouter(tags=["rollout"], responses=PROBLEMS), service.rollout_access

    @router.get("/rollout", response_model=RolloutAnswer)
    async def rollout(request: Request) -> Response:
        """Return its stage, the stages with their gates, the last analyses, and who did what."""
        return await send_json(request, service, lambda: orjson.dumps(access.status()))

    @router.get("/rollout/evidence", response_model=EvidenceAnswer)
    async def evidence(request: Request, asked: Annotated[EvidenceQuestion, Query()]) -> Response:
        """Return how the candidate's answers differ, by cause, and in which calls most."""
        return await send_json(
            request, service, lambda: orjson.dumps(access.evidence(asked.hours, asked.limit))
        )

    @router.post(
        "/rollout/{action}",
        response_model=RolloutAnswer,
        responses=WRITE_PROBLEMS,
        openapi_extra=body_of(ActionQuestion, required=False),
    )
    async def act(
        request: Request, action: Annotated[Action, Path()], key: IdempotencyKey = None
    ) -> Response:
        """Begin, go to the next stage, pause, go on after a pause, or turn the candidate off.

        An action that the rollout is in no state for is refused by 409. A revert needs no key: sent
        again, it changes nothing.
        """
        asked = await read_model(request, ActionQuestion)
        caller = caller_of(request.state).id
        named = None
        if key is not None:
            texts = (request.url.path, asked.reason)
            found = named_request(caller, key, *(each.encode() for each in texts))
            named = ActionRequest(found.name, found.digest)
        done = await access.act(action, asked.reason, caller, named)
        headers = {KEPT: "true"} if done.is_kept else None
        return Response(orjson.dumps(done.facts), headers=headers, media_type=JSON)

    return router
