"""Tallow: candle analytics for trading backends.

One-minute candles in; candles at any timeframe with every indicator, right from the first row, for
every instrument, out.

Examples
--------
>>> import tallow
>>> engine = tallow.AnalyticsEngine(calendar="XNSE")
>>> engine.convention
'tradingview'
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tallow.core.calendars import load_calendar
    from tallow.core.errors import TallowError
    from tallow.core.operator import CROSS, RECURSIVE, WINDOW, Indicator, Output, Parameter
    from tallow.core.spec import parse_specs
    from tallow.data.reading.candles import Candles
    from tallow.data.reading.readers import read_candles
    from tallow.data.store.store import Store, open_store
    from tallow.data.transformers import CandleTransformer, transform_candles
    from tallow.data.universe import Universe
    from tallow.data.universe_files import read_universe
    from tallow.engine import AnalyticsEngine
    from tallow.runtime.array_run import ArrayResult
    from tallow.runtime.cache import IndicatorCache
    from tallow.runtime.live.live_engine import LiveEngine
    from tallow.runtime.results import IndicatorSet, ProcessingResult, RunReport

__version__ = "0.1.0"

_HOME = {
    "AnalyticsEngine": "tallow.engine",
    "ArrayResult": "tallow.runtime.array_run",
    "CROSS": "tallow.core.operator",
    "CandleTransformer": "tallow.data.transformers",
    "Candles": "tallow.data.reading.candles",
    "Indicator": "tallow.core.operator",
    "IndicatorCache": "tallow.runtime.cache",
    "IndicatorSet": "tallow.runtime.results",
    "LiveEngine": "tallow.runtime.live.live_engine",
    "Output": "tallow.core.operator",
    "Parameter": "tallow.core.operator",
    "ProcessingResult": "tallow.runtime.results",
    "RECURSIVE": "tallow.core.operator",
    "RunReport": "tallow.runtime.results",
    "Store": "tallow.data.store.store",
    "TallowError": "tallow.core.errors",
    "Universe": "tallow.data.universe",
    "WINDOW": "tallow.core.operator",
    "load_calendar": "tallow.core.calendars",
    "open_store": "tallow.data.store.store",
    "parse_specs": "tallow.core.spec",
    "read_candles": "tallow.data.reading.readers",
    "read_universe": "tallow.data.universe_files",
    "transform_candles": "tallow.data.transformers",
}

__all__ = [
    "CROSS",
    "RECURSIVE",
    "WINDOW",
    "AnalyticsEngine",
    "ArrayResult",
    "CandleTransformer",
    "Candles",
    "Indicator",
    "IndicatorCache",
    "IndicatorSet",
    "LiveEngine",
    "Output",
    "Parameter",
    "ProcessingResult",
    "RunReport",
    "Store",
    "TallowError",
    "Universe",
    "load_calendar",
    "open_store",
    "parse_specs",
    "read_candles",
    "read_universe",
    "transform_candles",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: `tallow --help` must not wait for Polars and Numba."""
    if name not in _HOME:
        from tallow.core.errors import near_matches

        hint = "" if name.startswith("_") else f"; {near_matches(name, __all__)}"
        raise AttributeError(f"module 'tallow' has no attribute {name!r}{hint}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if "polars" in sys.modules:
    # Adds `pl.col("close").tallow`; a program that imports Polars later gets it with the engine.
    importlib.import_module("tallow.runtime.expressions")
