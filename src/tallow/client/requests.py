"""Questions to a service and what its answers mean, whoever carries them."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import polars as pl

from tallow.client.errors import ServiceError

ARROW = "application/vnd.apache.arrow.stream"
NEXT_PAGE = "Tallow-Next"
"""Header of an answer that goes on: the cursor of the next page."""

Moment = str | date | datetime | None
Names = str | Iterable[str] | None


@dataclass(frozen=True)
class ServiceRequest:
    """A request: to where, with which parameters, and what is sent."""

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def on(self, cursor: str) -> ServiceRequest:
        """Return the same question for the page at a cursor."""
        parameters = {**self.parameters, "cursor": cursor}
        return ServiceRequest(self.method, self.path, parameters, self.headers, self.body)

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return it as a client of HTTP sends it."""
        given = {name: _said(value) for name, value in self.parameters.items() if value is not None}
        return client.build_request(
            self.method, self.path, params=given, headers=dict(self.headers), content=self.body
        )


def _said(value: Any) -> Any:
    """Return a parameter as text; of several, a list."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, str | int | float):
        return value
    return [_said(each) for each in value]


def bars_question(instruments: Names, **parameters: Any) -> ServiceRequest:
    """Return the question for bars of a range."""
    headers = {"Accept": ARROW}
    if isinstance(instruments, str):
        path = f"/v1/candles/{quote(instruments, safe='')}"
        return ServiceRequest("GET", path, parameters, headers)
    return ServiceRequest("GET", "/v1/candles", parameters | {"instrument": instruments}, headers)


def rows_question(path: str, **parameters: Any) -> ServiceRequest:
    """Return a question that is answered with rows."""
    return ServiceRequest("GET", path, parameters, {"Accept": ARROW})


def write_question(candles: pl.DataFrame, timezone: str | None, key: str | None) -> ServiceRequest:
    """Return the request that writes candles; `key` stands for it when it is sent again."""
    written = io.BytesIO()
    candles.write_ipc_stream(written, compat_level=pl.CompatLevel.oldest())
    headers = {"Content-Type": ARROW} | _once(key)
    body = written.getvalue()
    return ServiceRequest("POST", "/v1/candles", {"timezone": timezone}, headers, body)


def delete_question(keys: pl.DataFrame, key: str | None) -> ServiceRequest:
    """Return the request that deletes candles; `key` as in `write_question`."""
    rows = keys.select("instrument", "timestamp").to_dicts()
    headers = {"Content-Type": "application/json"} | _once(key)
    return ServiceRequest("POST", "/v1/candles/delete", {}, headers, orjson.dumps(rows))


def _once(key: str | None) -> dict[str, str]:
    """Return the header by which a request is done once; without a key it has one of its own."""
    return {"Idempotency-Key": key or uuid.uuid4().hex}


def require_ok(answer: httpx.Response) -> httpx.Response:
    """Return an answer; raise `ServiceError` with the problem's words if it is none."""
    if answer.is_success:
        return answer
    try:
        problem = orjson.loads(answer.content)
        title, detail = str(problem["title"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        problem, title, detail = {}, answer.reason_phrase, answer.text[:200]
    raise ServiceError(answer.status_code, title, detail, problem)


def frame_of(answer: httpx.Response) -> pl.DataFrame:
    """Return the rows of an answer."""
    return pl.read_ipc_stream(io.BytesIO(answer.content))


def value_of(answer: httpx.Response) -> Any:
    """Return what the JSON of an answer says."""
    return orjson.loads(answer.content)
