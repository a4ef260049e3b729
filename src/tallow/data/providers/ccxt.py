"""ccxt's OHLCV as JSON: ``[[milliseconds, open, high, low, close, volume], ...]``.

A seventh cell, where there is one, is the number of trades (`build_ohlcvc`), and is left out. It
says neither instrument nor timeframe. Times are UTC; the last candle may be forming. Prices of
cryptocurrencies know no corporate actions, and are raw.
"""

from __future__ import annotations

import re

from tallow.core.errors import CandleInputError
from tallow.data.providers.cells import Number, clip, json_table, read_json
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading

# An exchange's own answer may be an array of arrays, too, but with its prices as text.
_SHAPE = re.compile(r"\s*\[\s*(?:\]\s*$|\[\s*\d{10,}\s*,\s*(?:-?\d|null))")

_CANDLE, _WITH_COUNT = 6, 7


def _recognises(content: Content) -> bool:
    return _SHAPE.match(content.head) is not None


def _read(content: Content) -> Reading:
    rows = read_json(content)
    if not isinstance(rows, list):
        raise CandleInputError(
            f"{content.name}: document={clip(rows)}; must be an array of arrays; say what it is "
            "with format="
        )
    raw = json_table(content, [_candle(row) for row in rows], widths=(6,), time=Number)
    return Reading(raw, timezone="UTC", adjustment="raw")


def _candle(row: object) -> object:
    return row[:_CANDLE] if isinstance(row, list) and len(row) == _WITH_COUNT else row


READER = Reader("ccxt", "ccxt's OHLCV arrays, JSON", _recognises, _read)
