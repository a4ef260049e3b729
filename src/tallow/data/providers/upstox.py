"""Upstox, historical and intraday candles (V2, V3): newest first, and that one may be forming.

The answer says neither instrument nor timeframe (both stand in the request), nor whether prices are
adjusted. Times carry the offset of India; a day's candle opens at midnight there.
"""

from __future__ import annotations

from tallow.data.providers.broker import looks_like, read_answer
from tallow.data.providers.reader import Reader

READER = Reader(
    name="upstox",
    text="Upstox historical and intraday candles, JSON",
    recognises=lambda content: looks_like(content, colon=":", error_key="errors"),
    read=lambda content: read_answer(content, widths=(7,)),
)
