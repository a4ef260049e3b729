"""The forms of the old API's answers: four envelopes, and errors as JSON or as a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from starlette.responses import Response

JSON, TEXT = "application/json", "text/plain; charset=utf-8"


def success(data: Any = None) -> Response:
    """Return data in the general envelope."""
    return to_json({"success": True} | ({} if data is None else {"data": data}))


def failure(text: str, status: int) -> Response:
    """Return an error in the general envelope."""
    return to_json({"success": False, "error": text}, status)


def double(data: Any) -> Response:
    """Return data in an envelope within the general one; what is not there is null."""
    return success({"status": "success", "data": data})


def stamped(moment: datetime, fields: Mapping[str, Any]) -> Response:
    """Return the fields of an answer of the dashboard, with its time, in the order of names."""
    return unstamped({**fields, "timestamp": to_text(moment)})


def unstamped(fields: Mapping[str, Any]) -> Response:
    """Return the fields of an answer of the dashboard that has no time."""
    return to_json(dict(sorted({"success": True, **fields}.items())))


def line(text: str, status: int) -> Response:
    """Return an error as a line of text."""
    return Response(f"{text}\n", status, {"X-Content-Type-Options": "nosniff"}, TEXT)


def to_json(content: Mapping[str, Any], status: int = 200) -> Response:
    """Return JSON."""
    return Response(orjson.dumps(content), status, media_type=JSON)


def to_text(moment: datetime) -> str:
    """Return a time as RFC 3339 has it."""
    return moment.isoformat()
