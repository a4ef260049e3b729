"""Angel One's candle data: ``{"status": true, "errorcode": "", "data": [[time, ...], ...]}``.

Times are text with the offset of India. It says neither instrument nor timeframe, nor whether
prices are adjusted. ``"data": null`` with a good status is an answer without candles.
"""

from __future__ import annotations

import re

from tallow.data.providers.cells import json_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

_STATUS = re.compile(r'"status"\s*:\s*(?:true|false)')


def _recognises(content: Content) -> bool:
    head = content.head
    return (
        head.lstrip().startswith("{")
        and _STATUS.search(head) is not None
        and '"errorcode"' in head
        and '"data"' in head
    )


def _read(content: Content) -> Reading:
    document = read_json(content)
    good = isinstance(document, dict) and document.get("status") is True
    rows = document.get("data") if isinstance(document, dict) else None
    if good and rows is None:
        rows = []
    if not good or not isinstance(rows, list):
        raise wrong_document(content, document, 'must be {"status": true, "data": [...]}')
    return Reading(json_table(content, rows, widths=(6,), time=str), timezone="Asia/Kolkata")


READER = Reader("angel", "Angel One SmartAPI candle data, JSON", _recognises, _read)
