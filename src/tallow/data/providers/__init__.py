"""Documents of data providers: one small declared reader each, found through an entry point.

`document.read_document` is the way in; `reader.Reader` is what a package of a user's own declares
under the entry point group ``tallow.readers``.
"""

from __future__ import annotations

from tallow.data.providers.reader import Reader


def builtin() -> tuple[Reader, ...]:
    """Return Tallow's own readers."""
    from tallow.data.providers import (
        alpaca,
        angel,
        bhavcopy,
        binance,
        broker,
        ccxt,
        databento,
        dhan,
        fyers,
        generic,
        openalgo,
        polygon,
        yfinance,
    )

    indian = (openalgo, dhan, fyers, angel, bhavcopy)
    others = (binance, ccxt, alpaca, polygon, databento, yfinance, generic)
    return broker.UPSTOX, broker.KITE, *(module.READER for module in (*indian, *others))
