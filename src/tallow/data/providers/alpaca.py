"""Alpaca's bars: ``{"bars": {"SPY": [{"t": ..., "o": ...}]}, "next_page_token": null}``.

Of one symbol, `bars` is the array, and `symbol` stands beside it. The timeframe and the adjustment
stand in the request. A page before the last one says so by its token; each is read by itself.
"""

from __future__ import annotations

from typing import Any

from tallow.core.errors import CandleInputError
from tallow.data.providers.cells import clip, object_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

FIELDS = {
    "timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
}  # fmt: skip
_SYMBOL = "symbol"


def _recognises(content: Content) -> bool:
    head = content.head.lstrip()
    return head.startswith("{") and '"bars"' in head and _has_token(head)


def _has_token(head: str) -> bool:
    # A long answer has its token after all bars; they are then known by what a bar has.
    return '"next_page_token"' in head or all(f'"{key}"' in head for key in ("t", "o", "n", "vw"))


def _read(content: Content) -> Reading:
    document = read_json(content)
    if not isinstance(document, dict) or "bars" not in document:
        raise wrong_document(content, document, 'must be {"bars": ...}')
    rows = _named(document["bars"] or [], document.get(_SYMBOL))
    if rows is None:
        raise CandleInputError(
            f"{content.name}: bars={clip(document['bars'])}; must be arrays by symbol, or one "
            "with symbol beside it; fetch it again"
        )
    raw = object_table(content, rows, {"instrument": _SYMBOL} | FIELDS, (str,))
    return Reading(raw, timezone="UTC")


def _named(bars: Any, symbol: Any) -> list[Any] | None:
    """Return the bars with their symbol in each; None where they are of another shape."""
    by_symbol = {symbol: bars} if isinstance(bars, list) else bars
    if not isinstance(by_symbol, dict) or not all(isinstance(v, list) for v in by_symbol.values()):
        return None
    return [
        row | {_SYMBOL: name} if isinstance(row, dict) else row
        for name, rows in by_symbol.items()
        for row in rows
    ]


READER = Reader("alpaca", "Alpaca bars, JSON", _recognises, _read)
