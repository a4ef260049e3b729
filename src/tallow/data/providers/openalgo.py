"""OpenAlgo's history: ``{"status": "success", "data": [{"timestamp": ..., "open": ...}, ...]}``.

It says neither instrument nor timeframe (both stand in the request), nor whether prices are
adjusted. Times are epochs in seconds, or text with the offset of India. The status may stand after
all rows, and so after the part of a document that is looked at.
"""

from __future__ import annotations

import re

from tallow.data.providers.cells import Number, object_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

FIELDS = {name: name for name in ("timestamp", "open", "high", "low", "close", "volume")}
_KEYS = tuple(f'"{name}"' for name in FIELDS)
_SHAPE = re.compile(r'"data"\s*:\s*\[\s*(\{|\])')
_STATUS = re.compile(r'^\s*\{.*"status"\s*:\s*"success"', re.DOTALL)
_ROWS_FIRST = re.compile(r'\s*\{\s*"data"\s*:\s*\[\s*\{')


def _recognises(content: Content) -> bool:
    rows = _SHAPE.search(content.head)
    said = _STATUS.search(content.head) or _ROWS_FIRST.match(content.head)
    if rows is None or said is None:
        return False
    return rows[1] == "]" or all(key in content.head for key in _KEYS)


def _read(content: Content) -> Reading:
    document = read_json(content)
    rows = document.get("data") if isinstance(document, dict) else None
    if not isinstance(rows, list) or document.get("status") != "success":
        raise wrong_document(content, document, 'must be {"status": "success", "data": [...]}')
    fields = FIELDS | {"open_interest": "oi"}
    raw = object_table(content, rows, fields, (Number, str))
    return Reading(raw, timezone="Asia/Kolkata")


READER = Reader("openalgo", "OpenAlgo history, JSON", _recognises, _read)
