"""From the text of a message to its items, within bounds: bytes, values, rows, fields.

Each bound costs no more than one look at the text, or at its items, before anything else does.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tallow.core.limits import (
    FEED_MESSAGE_BYTES_MAX,
    FEED_MESSAGE_OTHERS_MAX,
    FEED_MESSAGE_ROWS_MAX,
    FEED_MESSAGE_VALUES_MAX,
)
from tallow.data.feeds.envelopes import inside

_DIGITS_MAX = 400
"""Digits beyond which no whole number is a price, a time or a name."""
_NAME_SHOWN = 80


def items_of(content: Any) -> list[Any]:
    """Return the items of a message: of its list, of its `data`, or itself.

    Text and bytes are JSON; anything else is parsed already. `ValueError` if it is no JSON, or over
    a bound; the reason says which.
    """
    if isinstance(content, str | bytes):
        content = _parsed(content)
    if isinstance(content, dict):
        content = inside(content) or [content]
    if not isinstance(content, list):
        return [content]
    _require("rows", len(content), FEED_MESSAGE_ROWS_MAX)
    others = sum(not isinstance(item, dict) for item in content)
    _require("elements that are no objects", others, FEED_MESSAGE_OTHERS_MAX)
    return content


def _parsed(content: str | bytes) -> Any:
    _require("bytes", len(content), FEED_MESSAGE_BYTES_MAX)
    marks = (",", "{", "[") if isinstance(content, str) else (b",", b"{", b"[")
    # Every value but the first comes after one of these.
    _require("values", sum(map(content.count, marks)), FEED_MESSAGE_VALUES_MAX)  # type: ignore[arg-type]
    try:
        return _loaded(content)
    # A deep nest of brackets is not a ValueError.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error


def _loaded(content: str | bytes) -> Any:
    try:
        return json.loads(content, object_pairs_hook=_object)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        # Python makes no number of thousands of digits: it spoils its row, and not the message.
        return json.loads(content, parse_int=_whole, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; `ValueError` where a name comes twice, as nothing says which counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the name {twice[:_NAME_SHOWN]!r} comes twice in one object")
    return found


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _DIGITS_MAX else digits


def _require(what: str, count: int, most: int) -> None:
    if count > most:
        raise ValueError(f"{count:,} {what} in one message; at most {most:,}; send it in parts")
