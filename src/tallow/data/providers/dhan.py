"""Dhan's historical and intraday charts: ``{"open": [...], ..., "timestamp": [...]}``.

An array per field, alone or as `data` of the Python client's answer. It says neither instrument nor
timeframe, nor whether prices are adjusted. Times are epochs in seconds. An answer of the client
without candles has no arrays: ``"data": {}``.
"""

from __future__ import annotations

import re
from typing import Any

from tallow.data.providers.cells import Number, json_table, read_json, wrong_document
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

FIELDS = ("timestamp", "open", "high", "low", "close", "volume")
INTEREST = "open_interest"
_KEYS = "|".join((*FIELDS, INTEREST))
_SHAPE = re.compile(
    rf'\s*\{{(?:[^{{}}\[\]]*"data"\s*:\s*\{{)?\s*"(?:{_KEYS})"\s*:\s*\[\s*(?:-?\d|\])'
)


_NOTHING = re.compile(r'"data"\s*:\s*(?:\{\s*\}|"")')
_CLIENT = ('"status"', '"remarks"')


def _recognises(content: Content) -> bool:
    return _SHAPE.match(content.head) is not None or _is_without_candles(content.head)


def _is_without_candles(head: str) -> bool:
    is_of_client = head.lstrip().startswith("{") and all(key in head for key in _CLIENT)
    return is_of_client and _NOTHING.search(head) is not None


def _read(content: Content) -> Reading:
    document = read_json(content)
    held = document.get("data", document) if isinstance(document, dict) else None
    if held == {} and document.get("status") == "success":
        held = {name: [] for name in FIELDS}
    arrays = _arrays(held if isinstance(held, dict) else {})
    if arrays is None:
        rule = f"must have an array of one length for each of {', '.join(FIELDS)}"
        raise wrong_document(content, document, rule)
    rows = [list(row) for row in zip(*arrays, strict=True)]
    raw = json_table(content, rows, widths=(len(arrays),), time=Number)
    return Reading(raw, timezone="Asia/Kolkata")


def _arrays(held: dict[str, Any]) -> list[list[Any]] | None:
    """Return the arrays in the order of a row; None where one lacks, or is of another length."""
    found = [held.get(name) for name in FIELDS]
    interest = held.get(INTEREST)
    # It is asked for; where it was not, the array is empty.
    found += [interest] if interest else []
    arrays = [array for array in found if isinstance(array, list)]
    same = len(arrays) == len(found) and len(set(map(len, arrays))) == 1
    return arrays if same else None


READER = Reader("dhan", "Dhan historical and intraday charts, JSON", _recognises, _read)
