"""The JSON of Upstox and Zerodha: ``{"status": ..., "data": {"candles": [[...], ...]}}``.

Both send the same document, and write the offset of times, India's, differently. It says
neither instrument nor timeframe (both stand in the request), nor whether prices are adjusted. A
day's candle opens at midnight in India.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tallow.core.errors import CandleInputError
from tallow.data.providers.cells import clip, json_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

TIMEZONE = "Asia/Kolkata"

_CANDLES = re.compile(r'"data"\s*:\s*\{[^\[\]]*"candles"\s*:\s*\[')
_FYERS = re.compile(r'"s"\s*:\s*"')
_FAILED = re.compile(r'"status"\s*:\s*"error"')
_OFFSET = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?[+-]\d\d(:?)\d\d"')


def _looks_like(content: Content, colon: str, error_key: str) -> bool:
    """Say whether a document is a broker's answer, and not surely another broker's.

    `colon` is what the broker writes between the hours and the minutes of an offset; `error_key` a
    key of its answers that are errors.
    """
    if not content.head.lstrip().startswith("{") or _FYERS.search(content.head):
        return False
    if _FAILED.search(content.head):
        return f'"{error_key}"' in content.head
    if not _CANDLES.search(content.head):
        return False
    offset = _OFFSET.search(content.head)
    return offset is None or offset[1] == colon


def _read_answer(content: Content, widths: Collection[int]) -> Reading:
    """Return the candles of a broker's answer; `widths` as `tallow.data.providers.cells` has them.

    `CandleInputError` if the answer is an error, or no such document.
    """
    document = read_json(content)
    data = document.get("data") if isinstance(document, dict) else None
    candles = data.get("candles") if isinstance(data, dict) else None
    if isinstance(candles, list):
        raw = json_table(content, candles, widths, str)
        return Reading(raw, timezone=TIMEZONE)
    if isinstance(document, dict) and document.get("status") == "error":
        raise CandleInputError(
            f"{content.name}: the provider answered with an error: {clip(document)}; fetch it again"
        )
    rule = 'must be {"status": "success", "data": {"candles": [...]}}'
    raise wrong_document(content, document, rule)


UPSTOX = Reader(
    name="upstox",
    text="Upstox historical and intraday candles, JSON",
    recognises=lambda content: _looks_like(content, colon=":", error_key="errors"),
    read=lambda content: _read_answer(content, widths=(7,)),
)
"""V2 and V3: newest first, and that one may be forming."""

KITE = Reader(
    name="kite",
    text="Zerodha Kite historical candles, JSON",
    recognises=lambda content: _looks_like(content, colon="", error_key="error_type"),
    read=lambda content: _read_answer(content, widths=(6, 7)),
)
"""Oldest first, and the last one may be forming; open interest where it was asked for."""
