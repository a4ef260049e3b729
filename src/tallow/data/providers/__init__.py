"""Documents of data providers: one small declared reader each, found through an entry point.

`document.read_document` is the way in; `reader.Reader` is what a package of a user's own declares
under the entry point group ``tallow.readers``.
"""

from __future__ import annotations

from tallow.data.providers.reader import Reader


def builtin() -> tuple[Reader, ...]:
    """Return Tallow's own readers."""
    from tallow.data.providers import bhavcopy, binance, ccxt, generic, kite, upstox, yfinance

    modules = (upstox, kite, binance, ccxt, yfinance, bhavcopy, generic)
    return tuple(module.READER for module in modules)
