"""Trends, their strength, and ranges."""

from __future__ import annotations

from tests.oracles.table import Row

HLC = "high, low, close"
ROWS = (
    Row(
        "adx_regime({0})",
        "regime(talib.ADX(high, low, close, {0}), talib.PLUS_DI(high, low, close, {0}), "
        "talib.MINUS_DI(high, low, close, {0}))",
    ),
    Row("aroon({0})", "talib.AROON(high, low, {0})", outputs=("down", "up")),
    Row("aroon({0})", "wickra.Aroon({0}).batch(high, low)"),
    Row("aroon_oscillator({0})", "talib.AROONOSC(high, low, {0})"),
    Row("aroon_oscillator({0})", "wickra.AroonOscillator({0}).batch(high, low)"),
    Row("vortex({0})", f"talib.VORTEX({HLC}, {{0}})"),
    Row("vortex({0}, zero)", f"wickra.Vortex({{0}}).batch({HLC})"),
    Row("natr({0})", f"talib.NATR({HLC}, {{0}})"),
    Row("natr({0}, high_low, zero)", f"wickra.NATR({{0}}).batch({HLC})"),
    Row("dx({0})", f"talib.DX({HLC}, {{0}})"),
    Row("dx({0}, full, zero)", f"wickra.DX({{0}}).batch({HLC})"),
    Row("plus_di({0})", f"talib.PLUS_DI({HLC}, {{0}})"),
    Row("plus_di({0}, full, zero)", f"wickra.PLUS_DI({{0}}).batch({HLC})"),
    Row("minus_di({0})", f"talib.MINUS_DI({HLC}, {{0}})"),
    Row("minus_di({0}, full, zero)", f"wickra.MINUS_DI({{0}}).batch({HLC})"),
    Row("mass({0}, {1})", "talib.MASSI(high, low, {0}, {1})", ((9, 25), (3, 10))),
    Row("mass({0}, {1}, one)", "wickra.MassIndex({0}, {1}).batch(high, low)", ((9, 25), (3, 10))),
    Row("vhf({0})", "talib.VHF(close, {0})"),
    Row("vhf({0}, zero)", "wickra.VerticalHorizontalFilter({0}).batch(close)"),
    Row(
        "choppiness({0})",
        f"wickra.ChoppinessIndex({{0}}).batch({HLC})",
        null_is=100.0,
        residue=1e-10,
        starts="the first row's range counts as one of a close before",
    ),
)
