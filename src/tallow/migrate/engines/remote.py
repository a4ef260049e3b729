"""A user's engine behind an HTTP address.

The body of the POST is JSON: ``timeframe``, ``indicators``, ``calendar``, ``start`` and ``end``
(text or null), and ``candles``, a list of rows with ISO-8601 times in UTC. The answer is a list of
rows as JSON, or a Parquet or Arrow file; its header ``Engine-Version`` says what answered.
"""

from __future__ import annotations

import json
import urllib.request
from datetime import date
from http.client import HTTPException
from io import BytesIO
from typing import Any
from urllib.error import HTTPError

import polars as pl

from tallow.core.errors import EngineError
from tallow.core.limits import (
    ENGINE_ANSWER_BYTES_MAX,
    ENGINE_ANSWER_SECONDS,
    ENGINE_READ_BYTES,
    ENGINE_TEXT_SHOWN,
)
from tallow.core.text import hide_secrets, without_secrets
from tallow.data.arrow_claims import FILE_MARK, require_honest
from tallow.migrate.engines.answers import Reading
from tallow.migrate.engines.posting import Response, post
from tallow.migrate.protocol import Request
from tallow.runtime.ranges import Moment

_UNREADABLE = (
    ValueError,
    RecursionError,
    MemoryError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)


class RemoteEngine:
    """Something that answers a `Request` at an address."""

    def __init__(
        self, address: str, reading: Reading, seconds_max: float = ENGINE_ANSWER_SECONDS
    ) -> None:
        self._address, self.name = address, without_secrets(address)
        self.version = f"{self.name}, which did not say"
        self._reading, self._seconds_max = reading, seconds_max

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the bars asked for; see `Engine.answer`."""
        return self._reading.answer(self._table(self._posted(request)), request, self.name)

    def _posted(self, request: Request) -> bytes:
        data = _body(request)
        _require_size(self.name, "request", len(data))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, application/vnd.apache.parquet, "
            "application/vnd.apache.arrow.stream",
        }
        try:
            asked = urllib.request.Request(self._address, data, headers)
            return post(asked, self._seconds_max, self._read)
        except EngineError:
            raise
        except (OSError, HTTPException, ValueError) as error:
            said = f"{type(error).__name__}: {_clipped(error)}"
            why = hide_secrets(said, self._address)
            # What says a password must not stand in a traceback either.
            raise self._failed(why) from (error if why == said else None)

    def _read(self, response: Response) -> bytes:
        if isinstance(response, HTTPError):
            told = response.read(ENGINE_TEXT_SHOWN).decode("utf-8", "replace")
            raise self._failed(f"status {response.code} {_clipped(response.reason)}: {told!r}")
        parts: list[bytes] = []
        size = 0
        while part := response.read1(ENGINE_READ_BYTES):
            parts.append(part)
            size += len(part)
            _require_size(self.name, "answer", size)
        if response.length:
            raise ConnectionError(f"the answer ended {response.length} bytes too early")
        self.version = _clipped(response.headers.get("Engine-Version") or self.version)
        return b"".join(parts)

    def _table(self, body: bytes) -> Any:
        try:
            if body[:4] == b"PAR1":
                return pl.read_parquet(BytesIO(body))
            if body[:6] == FILE_MARK:
                require_honest(BytesIO(body), "answer")
                return pl.read_ipc(BytesIO(body))
            if body[:4] == b"\xff\xff\xff\xff":
                require_honest(BytesIO(body), "answer")
                return pl.read_ipc_stream(BytesIO(body))
            return json.loads(body)
        # Some broken Parquet files make Polars panic, and a panic is a BaseException.
        except _UNREADABLE as error:
            shown = body[:ENGINE_TEXT_SHOWN].decode("utf-8", "replace")
            raise self._failed(f"answered {shown!r}") from error

    def _failed(self, why: str) -> EngineError:
        return EngineError(
            f"{self.name}: {why}; must answer a POST with rows as JSON, or with a Parquet or Arrow "
            f"file, within {self._seconds_max:g} s; is it running?"
        )


def _require_size(name: str, what: str, size: int) -> None:
    if size > ENGINE_ANSWER_BYTES_MAX:
        raise EngineError(
            f"{name}: {what} of {size:,} bytes or more; at most {ENGINE_ANSWER_BYTES_MAX:,}; ask "
            "for fewer instruments or a shorter range"
        )


def _clipped(text: object) -> str:
    return str(text)[:ENGINE_TEXT_SHOWN]


def _body(request: Request) -> bytes:
    candles = request.candles.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    asked = {
        "timeframe": request.timeframe,
        "indicators": request.indicators,
        "calendar": request.calendar,
        "start": _text(request.start),
        "end": _text(request.end),
    }
    # The rows are written by Polars: a list of dictionaries would take fifty times their memory.
    head = json.dumps(asked)[:-1]
    return f'{head}, "candles": {candles.write_json()}}}'.encode()


def _text(moment: Moment | None) -> str | None:
    return moment.isoformat() if isinstance(moment, date) else moment
