"""Polygon's aggregates: ``{"ticker": ..., "adjusted": true, "results": [{"t": ..., "o": ...}]}``.

It says its ticker, and whether prices are adjusted for splits; the timeframe stands in the request.
Times are epochs in milliseconds. A day without trades has no results. The ticker may stand
after all rows, and so after the part of a document that is looked at. Grouped bars of a day have
none, but one in each row; their times are of the end of the day, and they are refused.
"""

from __future__ import annotations

from tallow.data.providers.cells import Number, object_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

FIELDS = {
    "timestamp": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v",
}  # fmt: skip
_SIGNS = ('"adjusted"', '"queryCount"')


def _recognises(content: Content) -> bool:
    head = content.head.lstrip()
    return head.startswith("{") and all(sign in head for sign in _SIGNS)


def _read(content: Content) -> Reading:
    document = read_json(content)
    rows = document.get("results", []) if isinstance(document, dict) else None
    ticker = document.get("ticker") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not isinstance(ticker, str):
        rule = 'must be {"ticker": ..., "results": [...]}, aggregates of one ticker'
        raise wrong_document(content, document, rule)
    adjusted = document.get("adjusted")
    return Reading(
        object_table(content, rows, FIELDS, (Number,)),
        instrument=ticker,
        timezone="UTC",
        adjustment={True: "split", False: "raw"}.get(adjusted) if adjusted is not None else None,
    )


READER = Reader("polygon", "Polygon aggregates, JSON", _recognises, _read)
