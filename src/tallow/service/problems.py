"""Errors as problem+json: what, where, which rule, what to do."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from tallow.core.errors import (
    EvidenceError,
    FlagError,
    RolloutError,
    StoreError,
    TallowError,
    UniverseError,
    UnknownInstrumentError,
    UnknownNameError,
)
from tallow.service.errors import BusyError, NotAcceptableError, RefusedError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1

_STATUSES: tuple[tuple[type[TallowError], int], ...] = (
    (BusyError, 503),
    (StoreError, 503),
    (EvidenceError, 503),
    (FlagError, 503),
    (RolloutError, 409),
    (UnknownInstrumentError, 404),
    (UnknownNameError, 404),
    (UniverseError, 404),
    (NotAcceptableError, 406),
)
"""Which error is which status; any other is 422."""


class Problem(BaseModel):
    """What was wrong, RFC 9457: with which parameter, by which rule, and what to do."""

    type: str
    title: str
    status: int
    detail: str
    where: str | None = None
    rule: str | None = None
    hint: str | None = None
    errors: list[dict[str, str]] | None = None


_EXAMPLE = {
    "type": "about:blank",
    "title": "UnknownInstrument",
    "status": 404,
    "detail": "instrument: 'RAYMON'; not in the store; did you mean RAYMOND?",
    "where": "instrument: 'RAYMON'",
    "rule": "not in the store",
    "hint": "did you mean RAYMOND?",
}


def _described(what: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {MEDIA_TYPE: {"schema": schema, "example": _EXAMPLE}}
    return {"description": what, "content": content}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: _described("There is none of this name."),
    406: _described("No format is accepted that there is."),
    422: _described("A parameter is wrong, or more is asked than is answered."),
    503: _described("Too much is asked at once, or the store cannot be read."),
}
"""The problems that any route may answer with, for OpenAPI."""


WRITE_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: _described("There is no such address: a name of it holds a line break, or nothing."),
    408: _described("The body did not come in time."),
    409: _described("It is being done; or what it asks for is not possible as things stand."),
    413: _described("The body is too large."),
    415: _described("The body is of a type, or packed in a way, that is not read."),
    422: _described("The body or a parameter is wrong, or its key stands for another request."),
    503: _described("Too much is written at once, or it cannot be written."),
}
"""The problems that a write may answer with, for OpenAPI."""


def problem(status: int, title: str, detail: str, headers: Any = None, **more: Any) -> JSONResponse:
    """Return an answer with a problem, RFC 9457."""
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Let errors that routes raise be answered as problems."""
    app.add_exception_handler(TallowError, _of_tallow)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(HTTPException, _of_http)


async def _of_tallow(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TallowError)
    return refusal(error)


def refusal(error: TallowError) -> JSONResponse:
    """Return the answer that an error is told by."""
    if isinstance(error, RefusedError):
        status, headers = error.status, error.headers()
    else:
        status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 422)
        headers = {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, BusyError) else {}
    title = type(error).__name__.removesuffix("Error")
    return problem(status, title, str(error), headers, **_parts(str(error)))


def _parts(message: str) -> dict[str, str]:
    """Return the parts of a message: where it is wrong, the rule, and what to do."""
    parts = message.split("; ", 2)
    return dict(zip(("where", "rule", "hint"), parts, strict=False)) if len(parts) > 1 else {}


async def _of_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(map(str, each["loc"])), "rule": each["msg"]} for each in error.errors()
    ]
    text = "; ".join(f"{each['where']}: {each['rule']}" for each in found)
    hint = "/openapi.json says what is taken"
    first = found[0] if len(found) == 1 else {}
    return problem(422, "Request", f"{text}; {hint}", **first, hint=hint, errors=found)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    rule, headers = str(error.detail), dict(error.headers or {})
    where = f"{request.method} {request.url.path[:200]}"
    hint = "/openapi.json has all that there are"
    if error.status_code == 405:
        # Starlette names those of the first route of the path alone.
        found = _methods(request) or headers.get("Allow", "").split(", ")
        headers["Allow"] = ", ".join(sorted(found))
        hint = f"ask with {headers['Allow']}"
    parts = {"where": where, "rule": rule, "hint": hint}
    return problem(error.status_code, "Request", "; ".join(parts.values()), headers, **parts)


def _methods(request: Request) -> set[str]:
    """Return with which methods a path is asked, by OpenAPI; none of a path that is not there."""
    found = {
        method.upper()
        for path, operations in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", ".+", path), request.url.path)
        for method in operations
    }
    return found | {"HEAD"} if "GET" in found else found
