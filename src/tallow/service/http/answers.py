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
