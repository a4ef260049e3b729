"""Zerodha Kite Connect, historical candles: oldest first, and the last one may be forming.

The answer says neither instrument nor timeframe (both stand in the request), nor whether prices are
adjusted. Open interest is there where it was asked for. A day's candle opens at midnight in India.
"""

from __future__ import annotations

from tallow.data.providers.broker import looks_like, read_answer
from tallow.data.providers.reader import Reader

READER = Reader(
    name="kite",
    text="Zerodha Kite historical candles, JSON",
    recognises=lambda content: looks_like(content, colon="", error_key="error_type"),
    read=lambda content: read_answer(content, widths=(6, 7)),
)
