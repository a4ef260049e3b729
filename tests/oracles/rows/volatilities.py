"""Volatilities of a year, and how well a line fits."""

from __future__ import annotations

from tests.oracles.table import Row

OHLC = "open, high, low, close"
LENGTHS = ((2,), (5,), (20,))

ROWS = (
    Row(
        "realised_volatility({0}, 252)",
        "wickra.HistoricalVolatility({0}, 252).batch(close)",
        LENGTHS,
        residue=1e-7,
    ),
    Row(
        "parkinson({0}, 252)",
        "wickra.ParkinsonVolatility({0}, 252).batch(high, low)",
        LENGTHS,
        null_is=0.0,
        residue=1e-8,
    ),
    Row(
        "garman_klass({0}, 252)",
        f"wickra.GarmanKlassVolatility({{0}}, 252).batch({OHLC})",
        LENGTHS,
        null_is=0.0,
        residue=1e-8,
    ),
    Row(
        "rogers_satchell({0}, 252)",
        f"wickra.RogersSatchellVolatility({{0}}, 252).batch({OHLC})",
        LENGTHS,
        null_is=0.0,
        residue=1e-8,
    ),
    Row(
        "yang_zhang({0}, 252)",
        f"wickra.YangZhangVolatility({{0}}, 252).batch({OHLC})",
        LENGTHS,
        null_is=0.0,
        residue=1e-8,
    ),
    Row(
        "trend_strength({0})",
        # It has R squared, with the sign.
        "(lambda x: np.sign(x) * np.sqrt(np.abs(x)))"
        "(np.asarray(wickra.TREND_STRENGTH_INDEX({0}).batch(close)))",
        ((3,), (14,), (50,)),
        null_is=0.0,
        residue=1e-8,
    ),
)
