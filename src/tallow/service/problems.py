"""Errors as problem+json: what, where, which rule, what to do."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from tallow.core.errors import StoreError, TallowError
from tallow.service.errors import BusyError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


def problem(status: int, title: str, detail: str, headers: Any = None, **more: Any) -> JSONResponse:
    """Return an answer with a problem, RFC 9457."""
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Let errors that routes raise be answered as problems."""
    app.add_exception_handler(TallowError, _of_tallow)
    app.add_exception_handler(RequestValidationError, _of_request)


async def _of_tallow(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, BusyError):
        return problem(503, "Busy", str(error), {"Retry-After": str(RETRY_SECONDS)})
    status = 503 if isinstance(error, StoreError) else 422
    return problem(status, type(error).__name__.removesuffix("Error"), str(error))


async def _of_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(map(str, each["loc"])), "rule": each["msg"]} for each in error.errors()
    ]
    text = "; ".join(f"{each['where']}: {each['rule']}" for each in found)
    return problem(422, "Request", text, errors=found)
