"""The addresses of writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tallow.service.keys.guard import caller_of
from tallow.service.limits import IDEMPOTENCY_KEY_MAX
from tallow.service.problems import WRITE_PROBLEMS
from tallow.service.service import Service
from tallow.service.writes import receipts
from tallow.service.writes.bodies import read_body, unpack
from tallow.service.writes.decoding import (
    JSON,
    LINES,
    TYPES,
    candles_of,
    frame_of,
    items,
    media_type,
)
from tallow.service.writes.writing import Work, WriteAnswer, named_request

KEPT = "Idempotent-Replayed"
"""Header of an answer that was given before, and is given again."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=IDEMPOTENCY_KEY_MAX,
        pattern="^[!-~]+$",
        description="Stands for this request: sent again, it is done once, and answered the same.",
    ),
]
Zone = Annotated[
    str | None, Query(max_length=64, description="Zone of times without one: Asia/Kolkata.")
]

_CLIENT_LEFT = 499
"""Status of an answer that nobody reads; it is for the log."""


class SentBody(NamedTuple):
    """A body as it was sent."""

    packed: bytes
    kind: str
    encoding: str

    def unpacked(self) -> bytes:
        """Return what it says; errors are those of `unpack`."""
        return unpack(self.packed, self.encoding)


def make_router(service: Service) -> APIRouter:
    """Return the routes of writes."""
    router = APIRouter(tags=["writes"], responses=WRITE_PROBLEMS)

    @router.post("/candles", **described("Candles.", _CANDLES, TYPES))
    async def write_candles(
        request: Request, key: IdempotencyKey = None, timezone: Zone = None
    ) -> Response:
        """Write one-minute candles: new ones, the same again, or corrections.

        They are durable when this is answered. A row that breaks a rule is in the quarantine; two
        rows of a candle that say different things both are.
        """
        work = partial(_candles, service, timezone)
        return await written(service, request, key, work, TYPES, timezone or "")

    @router.post("/candles/delete", **described("Keys.", _KEYS, (JSON, LINES)))
    async def delete_candles(request: Request, key: IdempotencyKey = None) -> Response:
        """Delete one-minute candles, by `instrument` and `timestamp`.

        It is a revision: `known_at` before it still shows them. A key without a candle counts as
        identical.
        """
        return await written(service, request, key, partial(_deletion, service), (JSON, LINES))

    return router


async def written(
    service: Service,
    request: Request,
    key: str | None,
    work: Callable[[bytes, str], Work],
    types: tuple[str, ...],
    *said: str,
) -> Response:
    """Read a write's body, do it once under its key, and answer it with its receipt."""

    async def do(sent: SentBody) -> Response:
        named = None
        if key is not None:
            asked = (request.url.path, sent.kind, sent.encoding, *said)
            caller, texts = caller_of(request.state).id, [each.encode() for each in asked]
            named = named_request(caller, key, *texts, sent.packed)
        return _answered(await service.writes.do(named, lambda: work(sent.unpacked(), sent.kind)))

    return await with_body(service, request, types, do)


async def with_body(
    service: Service,
    request: Request,
    types: tuple[str, ...],
    use: Callable[[SentBody], Awaitable[Response]],
) -> Response:
    """Read a write's body, which counts among those that wait until it is used, and use it."""
    kind = media_type(request.headers.get("content-type", ""), types)
    encoding = request.headers.get("content-encoding", "")
    try:
        with service.writes.taken_in() as took:
            return await use(SentBody(await read_body(request, took), kind, encoding))
    except ClientDisconnect:
        return Response(status_code=_CLIENT_LEFT)


def _answered(answer: WriteAnswer) -> Response:
    headers = {KEPT: "true"} if answer.is_kept else None
    return Response(answer.text, headers=headers, media_type=JSON)


def _candles(service: Service, timezone: str | None, body: bytes, kind: str) -> Work:
    read = candles_of(body, kind, timezone)
    return receipts.of_candles(read), lambda: service.watch.note(service.live.update(read))


def _deletion(service: Service, body: bytes, kind: str) -> Work:
    keys = frame_of(items(body, kind))
    return receipts.of_deletion, lambda: service.live.delete(keys)


_CANDLE = {
    "instrument": "NSE_EQ|INE301A01014",
    "timestamp": "2025-07-18T09:15:00+05:30",
    "open": 700.0,
    "high": 702.0,
    "low": 699.0,
    "close": 701.0,
    "volume": 900,
}
_CANDLES = [_CANDLE]
_KEYS = [{name: _CANDLE[name] for name in ("instrument", "timestamp")}]


def described(
    what: str,
    example: Any,
    types: tuple[str, ...],
    model: type[BaseModel] = receipts.WriteReceipt,
    answered: Any = receipts.EXAMPLE,
) -> dict[str, Any]:
    """Return how OpenAPI describes a write, and its receipt."""
    rows = {"schema": {"type": "array", "items": {"type": "object"}}, "example": example}
    content = {kind: rows if kind == JSON else {"schema": {"type": "string"}} for kind in types}
    body = {"description": what, "required": True, "content": content}
    receipt = {"description": "All is durable.", "content": {JSON: {"example": answered}}}
    return {
        "openapi_extra": {"requestBody": body},
        "response_class": Response,
        "responses": {200: receipt | {"model": model}},
    }
