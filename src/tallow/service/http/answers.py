"""What answers look like in JSON, for OpenAPI; and what other formats are described as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from tallow.service.http.formats import ARROW, CSV, JSON, PARQUET

_BAR = {
    "instrument": "NSE_EQ|INE301A01014",
    "timestamp": "2025-07-18T03:45:00+00:00",
    "open": 700.0,
    "high": 704.0,
    "low": 699.0,
    "close": 703.4,
    "volume": 1335.0,
    "candles": 5,
    "is_final": True,
    "ema_9": 702.81,
}

BARS: dict[str, Any] = {
    "rows": [_BAR],
    "next": None,
    "known_at": None,
    "why_empty": "",
    "failures": {},
    "notes": [],
    "assumed": "",
    "hint": "",
}
"""An example of an answer of bars."""


_NAME = _BAR["instrument"]

LATEST: dict[str, Any] = {
    "rows": [_BAR | {"revision": 1752810600120000}],
    "next": None,
    "timeframe": "5m",
    "why_empty": "",
}
MATCHES: dict[str, Any] = {
    "rows": [
        {"instrument": _NAME, "timestamp": _BAR["timestamp"], "close": 703.4, "rsi(14)": 60.6}
    ],
    "counts": {"matched": 1, "not": 0, "unknown": 1},
    "unknown": [{"instrument": "NSE_EQ|INE005B01027", "why": "no bar at this time"}],
    "judged_at": "2025-07-18T03:50:00+00:00",
    "why_empty": "",
    "more": 0,
}
SEQUENCES: dict[str, Any] = {
    "rows": [
        {
            "instrument": _NAME,
            "sequences": 42,
            "strong_length": 2.1,
            "weak_length": 1.81,
            "quality": 0.42,
            "current_type": "strong",
            "current_direction": 1,
            "current_length": 1,
        }
    ],
    "horizon": 5,
    "split_at": "2025-05-27T04:00:00+00:00",
    "more": 0,
}
INSTRUMENTS: dict[str, Any] = {
    "rows": [
        {
            "instrument": _NAME,
            "symbol": "RAYMOND",
            "first": "2025-06-02T03:45:00+00:00",
            "last": "2025-06-05T09:59:00+00:00",
            "candles": 1500,
        }
    ],
    "next": _NAME,
    "total": 5,
}
COVERAGE: dict[str, Any] = {
    "rows": [
        {
            "instrument": _NAME,
            "session": "2025-06-02",
            "kind": "regular",
            "expected": 375,
            "present": 374,
            "missing": 1,
            "no_trade": 2,
            "outside": 0,
        }
    ]
}
QUARANTINE: dict[str, Any] = {
    "rows": [
        {
            "id": 5,
            "ingest": 2,
            "timeframe": "1m",
            "adjustment": "raw",
            "source": "live",
            "row": None,
            "rule": "high_below_low",
            "instrument": _NAME,
            "timestamp": _BAR["timestamp"],
            "record": '{"open":700,"high":0,"low":699,"close":701,"volume":900}',
            "reason": None,
            "times": 1,
            "settled_by": None,
        }
    ],
    "next": None,
    "rules": {"high_below_low": "high >= low; check the column order"},
    "total": 1,
}
"""Examples of the other answers of rows."""


class BarsAnswer(BaseModel):
    """Bars, and what is said of them."""

    rows: list[dict[str, Any]] = Field(
        description="A bar each: its columns by name, null where a value is not known."
    )
    next: str | None = Field(description="The cursor of the next page; null on the last one.")
    known_at: str | None = Field(description="Of which moment the answer is, where it is pinned.")
    why_empty: str = Field(description="Why there is no bar; empty where there is one.")
    failures: dict[str, str] = Field(description="Why an instrument has no values, by its name.")
    notes: list[str] = Field(description="Sentences about the answer.")
    assumed: str = Field(description="On bars in sessions that no fact states.")
    hint: str = Field(description="A sentence where stamps look like those of the close.")


def rows_of(example: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI describes an answer of rows, in all formats."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    text = {"schema": {"type": "string"}}
    content = {JSON: {"example": example}, CSV: text, ARROW: binary, PARQUET: binary}
    return {
        200: {"description": "Rows in the format that is accepted.", "content": content},
        304: {"description": "The client has the answer already, by its `If-None-Match`."},
    }
