"""Answers of rows that are made anew each time: in a reader's thread, in the accepted format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import polars as pl
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from tallow.core.text import printable
from tallow.service.http.formats import (
    JSON,
    choose_format,
    choose_packing,
    pack,
    short_name,
    to_body,
)
from tallow.service.http.ready import VARY, is_named
from tallow.service.service import Service
from tallow.service.writes.bodies import read_body

Body = TypeVar("Body", bound=BaseModel)

CHANGING = "private, no-cache"

Rows = tuple[pl.DataFrame, Mapping[str, Any]]
"""Rows, and what JSON says beside them."""


async def send_rows(request: Request, service: Service, make: Callable[[], Rows]) -> Response:
    """Answer with rows; `make` is called in a reader's thread."""
    accept = request.headers.get("accept")
    media_type, packing = choose_format(accept), choose_packing(_encodings(request))

    def made() -> Response:
        frame, about = make()
        return to_response(request, to_body(frame, media_type, about), media_type, packing, about)

    return await service.read(made)


async def send_json(request: Request, service: Service, make: Callable[[], bytes]) -> Response:
    """Answer with JSON that has no table in it; `make` is called in a reader's thread."""
    packing = choose_packing(_encodings(request))
    return await service.read(lambda: to_response(request, make(), JSON, packing, {}))


async def send_bytes(request: Request, service: Service, made: bytes) -> Response:
    """Answer with JSON that is there already, packed in a reader's thread."""
    return await send_json(request, service, lambda: made)


def body_of(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return how OpenAPI describes a body that `read_model` reads."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": required, "content": {JSON: {"schema": schema}}}}


async def read_model(request: Request, model: type[Body]) -> Body:
    """Return what the body of a request says; none says what an empty object does.

    Errors of bodies are those of `tallow.service.writes.bodies.read_body`; `RequestValidationError`
    if it is not as the model has it.
    """
    body = await read_body(request, lambda _size: None)
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [each | {"loc": ("body", *each["loc"])} for each in found]
        ) from error


def to_response(
    request: Request, body: bytes, media_type: str, packing: Any, about: Mapping[str, Any]
) -> Response:
    """Return an answer with a tag of its bytes; without a body, if the client has it."""
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    packed_body, packed = pack(body, media_type, packing)
    tag = f'"{digest}-{short_name(media_type)}{packed and f"-{packed}"}"'
    headers = {"ETag": tag, "Cache-Control": CHANGING, "Vary": VARY} | header_lines(about)
    given = request.headers.get("if-none-match")
    if given is not None and request.method == "GET" and is_named(given, tag):
        return Response(None, 304, headers)
    if packed:
        headers["Content-Encoding"] = packed
    return Response(packed_body, 200, headers, media_type)


def header_lines(about: Mapping[str, Any]) -> dict[str, str]:
    """Return what formats without a place for it say in headers: cursor, moments, sentences."""
    lines = {}
    for name in ("next", "known_at", "judged_at", "why_empty", "assumed"):
        if about.get(name):
            text = printable(str(about[name])).encode("ascii", "backslashreplace").decode()
            lines[f"Tallow-{name.replace('_', '-').title()}"] = text
    return lines


def _encodings(request: Request) -> str | None:
    return request.headers.get("accept-encoding")
