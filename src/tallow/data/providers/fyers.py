"""Fyers' history: ``{"s": "ok", "candles": [[seconds, open, high, low, close, volume], ...]}``.

A seventh cell is the open interest, where it was asked for. It says neither instrument nor
timeframe, nor whether prices are adjusted. ``"no_data"`` is an answer without candles; alone it is
anybody's who answers TradingView's charts. The status may stand after all candles, and so after the
part of a document that is looked at.
"""

from __future__ import annotations

import re

from tallow.data.providers.cells import Number, json_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

_STATUS = re.compile(r'"s"\s*:\s*"(ok|no_data|error)"')
_CANDLES = re.compile(r'"candles"\s*:\s*\[')
_CANDLES_FIRST = re.compile(r'\s*\{\s*"candles"\s*:\s*\[\s*\[\s*\d{9,10}\s*,')
_CODE = re.compile(r'"code"\s*:')


def _recognises(content: Content) -> bool:
    head = content.head
    status = _STATUS.search(head)
    if status is None or not head.lstrip().startswith("{"):
        return _CANDLES_FIRST.match(head) is not None
    sign = _CODE if status[1] == "error" else _CANDLES
    return sign.search(head) is not None


def _read(content: Content) -> Reading:
    document = read_json(content)
    said = document.get("s") if isinstance(document, dict) else None
    rows = document.get("candles") if isinstance(document, dict) else None
    if said == "no_data":
        rows = []
    if said not in {"ok", "no_data"} or not isinstance(rows, list):
        raise wrong_document(content, document, 'must be {"s": "ok", "candles": [...]}')
    raw = json_table(content, rows, widths=(6, 7), time=Number)
    return Reading(raw, timezone="Asia/Kolkata")


READER = Reader("fyers", "Fyers history, JSON", _recognises, _read)
