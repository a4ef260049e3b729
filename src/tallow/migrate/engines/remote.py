"""A user's engine at an HTTP address; a user and password in it are sent as Basic authentication.

The body of the POST is JSON: ``timeframe``, ``indicators``, ``calendar``, ``start`` and ``end``
(text or null), and ``candles``, a list of rows with ISO-8601 times in UTC. The answer is a list of
rows as JSON, or a Parquet or Arrow file; its header ``Engine-Version`` is the engine's version.
"""

from __future__ import annotations

import json
import urllib.request
import warnings
from base64 import b64encode
from http.client import HTTPException
from io import BytesIO
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import polars as pl

from tallow.core.errors import EngineError, TallowWarning
from tallow.core.limits import (
    ENGINE_ANSWER_BYTES_MAX,
    ENGINE_ANSWER_SECONDS,
    ENGINE_READ_BYTES,
    ENGINE_TEXT_SHOWN,
)
from tallow.core.text import (
    HIDDEN,
    hide_secrets,
    require_escaped_user,
    without_secrets,
    without_user,
)
from tallow.data.reading.arrow_claims import FILE_MARK, require_honest
from tallow.migrate.engines.answers import AnswerReader
from tallow.migrate.engines.posting import Response, post
from tallow.migrate.protocol import Request
from tallow.runtime.ranges import moment_text

_UNREADABLE = (
    ValueError,
    RecursionError,
    MemoryError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)


class RemoteEngine:
    """An engine that answers at an address."""

    def __init__(
        self, address: str, reader: AnswerReader, seconds_max: float = ENGINE_ANSWER_SECONDS
    ) -> None:
        require_escaped_user("engine", address, EngineError)
        self._written, self.name = address, without_secrets(address)
        self._address, user, password = without_user(address)
        self._basic = None if user is None else _basic(self.name, user, password)
        if user is not None and _is_open(self._address):
            warnings.warn(
                f"engine: {self.name}: its user and password are sent in plain text, since the "
                "address begins with http://; use https://, or send them over a network of your "
                "own only",
                TallowWarning,
                stacklevel=3,
            )
        self.version = f"{self.name}, version unknown"
        self.reader, self._seconds_max = reader, seconds_max

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars; see `Engine.answer`."""
        return self.reader.read(self._parse(self._post(request)), request, self.name)

    def _post(self, request: Request) -> bytes:
        data = _body(request)
        _require_size(self.name, "request", len(data))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, application/vnd.apache.parquet, "
            "application/vnd.apache.arrow.stream",
        }
        try:
            http_request = urllib.request.Request(self._address, data, headers)
            if self._basic is not None:
                # Not for where a server may send the request on to.
                http_request.add_unredirected_header("Authorization", self._basic)
            return post(http_request, self._seconds_max, self._read)
        except EngineError:
            raise
        except (OSError, HTTPException, ValueError) as error:
            text = f"{type(error).__name__}: {_shorten(error)}"
            why = self._hidden(text)
            # An error with a password must not appear in a traceback either.
            raise self._error(why) from (error if why == text else None)

    def _read(self, response: Response) -> bytes:
        if isinstance(response, HTTPError):
            text = response.read(ENGINE_TEXT_SHOWN).decode("utf-8", "replace")
            reason, shown = self._hidden(_shorten(response.reason)), self._hidden(text)
            raise self._error(f"status {response.code} {reason}: {shown!r}")
        parts: list[bytes] = []
        size = 0
        while part := response.read1(ENGINE_READ_BYTES):
            parts.append(part)
            size += len(part)
            _require_size(self.name, "answer", size)
        if response.length:
            raise ConnectionError(f"the answer ended {response.length} bytes too early")
        said = _shorten(response.headers.get("Engine-Version") or self.version)
        self.version = self._hidden(said)
        return b"".join(parts)

    def _parse(self, body: bytes) -> Any:
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
        # Polars panics on some broken Parquet files, and a panic is a BaseException.
        except _UNREADABLE as error:
            text = body[:ENGINE_TEXT_SHOWN].decode("utf-8", "replace")
            shown = self._hidden(text)
            raise self._error(f"answered {shown!r}") from (error if shown == text else None)

    def _error(self, why: str) -> EngineError:
        return EngineError(
            f"{self.name}: {why}; must answer a POST with rows as JSON, or with a Parquet or Arrow "
            f"file, within {self._seconds_max:g} s; is it running?"
        )

    def _hidden(self, text: str) -> str:
        """Return text without the address's secrets, which a server may send back."""
        if self._basic is not None:
            text = text.replace(self._basic.partition(" ")[2], HIDDEN)
        return hide_secrets(text, self._written)


def _basic(name: str, user: str, password: str) -> str:
    """Return what a user and password are as a header."""
    if ":" in user:
        raise EngineError(f"engine: {name}: user has a colon; HTTP has none in a user; correct it")
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _is_open(address: str) -> bool:
    """Say whether others may read what is sent to an address: another machine's, unencrypted."""
    try:
        parts = urlsplit(address)
    except ValueError:
        # No address at all: nothing is ever sent to it.
        return False
    host = parts.hostname or ""
    try:
        own = ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "http" and not own


def _require_size(name: str, what: str, size: int) -> None:
    if size > ENGINE_ANSWER_BYTES_MAX:
        raise EngineError(
            f"{name}: {what} of {size:,} bytes or more; at most {ENGINE_ANSWER_BYTES_MAX:,}; ask "
            "for fewer instruments or a shorter range"
        )


def _shorten(text: object) -> str:
    return str(text)[:ENGINE_TEXT_SHOWN]


def _body(request: Request) -> bytes:
    candles = request.candles.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    fields = {
        "timeframe": request.timeframe,
        "source_timeframe": request.source_timeframe,
        "indicators": request.indicators,
        "calendar": request.calendar,
        "start": moment_text(request.start),
        "end": moment_text(request.end),
    }
    # Polars writes the rows: a list of dictionaries would take fifty times the memory.
    head = json.dumps(fields)[:-1]
    return f'{head}, "candles": {candles.write_json()}}}'.encode()
