"""Which of TA-Lib's functions has the values of which indicator, and with which parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from tallow.core.operator import Value, Values
from tallow.core.registry import registry
from tallow.migrate.engines.library import TalibCall

_HL, _HLC, _OHLC = ("high", "low"), ("high", "low", "close"), ("open", "high", "low", "close")
_HLCV, _CLOSE, _VOLUME = (*_HLC, "volume"), ("close",), ("volume",)
_TRADED = ("close", "volume")


def _parameters(named: dict[str, str | Value], values: Values) -> dict[str, Value]:
    return {name: values[v] if isinstance(v, str) else v for name, v in named.items()}


def _call(
    function: str, inputs: tuple[str, ...], outputs: str, **named: str | Value
) -> tuple[TalibCall, ...]:
    """Return a call whose parameters are our values by name, or numbers."""
    return (TalibCall(function, inputs, partial(_parameters, named), tuple(outputs.split())),)


def _of_length(function: str, inputs: tuple[str, ...], outputs: str) -> tuple[TalibCall, ...]:
    return _call(function, inputs, outputs, timeperiod="length")


_FAST_SLOW: dict[str, Any] = {"fastperiod": "fast_length", "slowperiod": "slow_length"}
_EXPONENTIAL: dict[str, Any] = {**_FAST_SLOW, "matype": 1}
_WILDER = 13
"""TA-Lib's number for that kind of average."""

_SAME_NAME = ("sma", "ema", "wma", "rsi", "roc", "rma", "dema", "tema", "zlema", "trima", "hma")

CALLS: dict[str, tuple[TalibCall, ...]] = {
    **{name: _of_length(name, _CLOSE, name) for name in (*_SAME_NAME, "tsf", "midpoint", "vhf")},
    **{name: _of_length(name, _HLC, name) for name in ("atr", "natr", "dx", "cci")},
    **{name: _of_length(name, _HLC, name) for name in ("plus_di", "minus_di")},
    **{name: _of_length(name, _HLCV, name) for name in ("mfi", "cmf")},
    **{name: _call(name, _TRADED, name) for name in ("obv", "pvt", "nvi", "pvi")},
    "stddev": _call("stddev", _CLOSE, "stddev", timeperiod="length", nbdev=1.0),
    "bollinger": _call(
        *("bbands", _CLOSE, "upper middle lower"),
        timeperiod="length",
        nbdevup="multiplier",
        nbdevdn="multiplier",
    ),
    "volume_sma": _of_length("sma", _VOLUME, "volume_sma"),
    "rvol": _of_length("rvol", _VOLUME, "rvol"),
    "vwma": _of_length("vwma", _TRADED, "vwma"),
    "efi": _of_length("efi", _TRADED, "efi"),
    "donchian": _of_length("donchian", _HL, "upper middle lower"),
    "accbands": _of_length("accbands", _HLC, "upper middle lower"),
    "keltner": _call(
        *("kc", _HLC, "upper middle lower"),
        timeperiod="length",
        atrperiod="atr_length",
        nbdev="multiplier",
    ),
    "supertrend": _call(
        "supertrend", _HLC, "line direction", timeperiod="length", multiplier="multiplier"
    ),
    "vwap": (TalibCall("vwap", _HLCV, partial(_parameters, {}), ("vwap",), anchored=True),),
    "adx": (
        *_of_length("adx", _HLC, "adx"),
        *_of_length("plus_di", _HLC, "plus_di"),
        *_of_length("minus_di", _HLC, "minus_di"),
    ),
    "true_range": _call("trange", _HLC, "true_range"),
    "macd": _call(
        "macd", _CLOSE, "macd signal histogram", **_FAST_SLOW, signalperiod="signal_length"
    ),
    "apo": _call("apo", _CLOSE, "apo", **_EXPONENTIAL),
    "ppo": _call("ppo", _CLOSE, "ppo", **_EXPONENTIAL),
    "pvo": _call("pvo", _VOLUME, "pvo", **_EXPONENTIAL),
    "ao": _call("ao", _HL, "ao", **_FAST_SLOW),
    "adosc": _call("adosc", _HLCV, "adosc", **_FAST_SLOW),
    "ad": _call("ad", _HLCV, "ad"),
    "mass": _call("massi", _HL, "mass", fastperiod="length", slowperiod="sum_length"),
    "chaikin_volatility": _call(
        "cvi", _HL, "chaikin_volatility", timeperiod="length", rocperiod="change_length"
    ),
    "stoch": _call(
        *("stoch", _HLC, "k d"),
        fastk_period="length",
        slowk_period="smooth_k",
        slowk_matype=0,
        slowd_period="smooth_d",
        slowd_matype=0,
    ),
    "stoch_rsi": _call(
        *("stochrsi", _CLOSE, "k d"),
        timeperiod="rsi_length",
        fastk_period="length",
        fastd_period="smooth_d",
        fastd_matype=0,
    ),
    "kdj": _call(
        *("kdj", _HLC, "k d j"),
        fastk_period="length",
        slowk_period="k_length",
        slowd_period="d_length",
        slowk_matype=_WILDER,
        slowd_matype=_WILDER,
    ),
    "smi": _call(
        *("smi", _HLC, "smi signal"),
        timeperiod="length",
        fastperiod="short_length",
        slowperiod="long_length",
        signalperiod="signal_length",
    ),
    "tsi": _call("tsi", _CLOSE, "tsi", firstperiod="long_length", secondperiod="short_length"),
    "ultimate": _call(
        *("ultosc", _HLC, "ultimate"),
        timeperiod1="short_length",
        timeperiod2="middle_length",
        timeperiod3="long_length",
    ),
    "coppock": _call(
        *("coppock", _CLOSE, "coppock"),
        wmaperiod="length",
        roc1period="short_length",
        roc2period="long_length",
    ),
    "kama": _of_length("kama", _CLOSE, "kama"),
    "t3": _call("t3", _CLOSE, "t3", timeperiod="length", vfactor="factor"),
    "percent_rank": _of_length("percentrank", _CLOSE, "percent_rank"),
    "momentum": _of_length("mom", _CLOSE, "momentum"),
    "midprice": _of_length("midprice", _HL, "midprice"),
    "linreg": (
        *_of_length("linearreg", _CLOSE, "linreg"),
        *_of_length("linearreg_slope", _CLOSE, "slope"),
        *_of_length("linearreg_intercept", _CLOSE, "intercept"),
        *_of_length("linearreg_angle", _CLOSE, "angle"),
    ),
    "trix": _of_length("trix", _CLOSE, "trix"),
    "dpo": _of_length("dpo", _CLOSE, "dpo"),
    "rvi": _call("rvi", _CLOSE, "rvi", timeperiod="mean_length", stddevperiod="length"),
    "correlation": _of_length("correl", _TRADED, "correlation"),
    "beta": _of_length("beta", ("open", "close"), "beta"),
    "bop": _call("bop", _OHLC, "bop"),
    "elder_ray": _of_length("eri", _HLC, "bull bear"),
    "williams_r": _of_length("willr", _HLC, "williams_r"),
    "sar": _call("sar", _HL, "sar", acceleration="start", maximum="maximum"),
    "aroon": _of_length("aroon", _HL, "down up"),
    "aroon_oscillator": _of_length("aroonosc", _HL, "aroon_oscillator"),
    "vortex": _of_length("vortex", _HLC, "plus minus"),
    "heikin_ashi": _call("ha", _OHLC, "open high low close"),
    "ht_dcperiod": _call("ht_dcperiod", _CLOSE, "ht_dcperiod"),
    "ht_trendline": _call("ht_trendline", _CLOSE, "ht_trendline"),
    "ht_sine": _call("ht_sine", _CLOSE, "sine lead"),
    "fractal": (
        TalibCall(
            *("fractal", _HL, partial(_parameters, {"leftbars": "before", "rightbars": "after"})),
            ("up", "down"),
            lookback=lambda v: int(v["before"]) + int(v["after"]),
        ),
    ),
    "ht_trendmode": (
        TalibCall(
            "ht_trendmode",
            _CLOSE,
            partial(_parameters, {}),
            ("ht_trendmode",),
            lookback=lambda _: 63,
        ),
    ),
    "mama": _call("mama", _CLOSE, "mama fama", fastlimit="fast_limit", slowlimit="slow_limit"),
    "hl2": _call("medprice", _HL, "hl2"),
    "hlc3": _call("typprice", _HLC, "hlc3"),
    "ohlc4": _call("avgprice", _OHLC, "ohlc4"),
}
"""Calls by our indicator, for those that TA-Lib has; patterns aside, and what depends on values."""

FITS: dict[str, Callable[[Values], bool]] = {
    # TA-Lib's VWAP takes (high + low + close) / 3 only.
    "vwap": lambda v: v["source"] == "hlc3",
    "kama": lambda v: (v["fast_length"], v["slow_length"]) == (2, 30),
    "stoch_rsi": lambda v: v["smooth_k"] == 1,
    "dpo": lambda v: v["shift"] == "close",
    "sar": lambda v: v["start"] == v["increment"],
}
"""Of which values TA-Lib's functions are, where they are not of all."""


def calls_for(indicator: str, values: Values) -> tuple[TalibCall, ...]:
    """Return the calls for an indicator's outputs; none if TA-Lib does not have it."""
    if indicator.startswith("cdl_"):
        return (_pattern(indicator, values),)
    if indicator == "cmo":
        return _of_length("cmou" if values["smoothing"] == "sums" else "cmo", _CLOSE, "cmo")
    fits = FITS.get(indicator)
    return () if fits is not None and not fits(values) else CALLS.get(indicator, ())


def _pattern(indicator: str, values: Values) -> TalibCall:
    """Return the call for a candle pattern."""
    function, first = indicator.replace("_", ""), registry().by_name[indicator].warmup(values)[0]
    named: dict[str, str | Value] = {name: name for name in values}
    given = (function, _OHLC, partial(_parameters, named), ("pattern",))
    return TalibCall(*given, lookback=lambda _: first)


_UPPER, _LOWER = pl.col("upper"), pl.col("lower")

DERIVED: dict[tuple[str, str], pl.Expr] = {
    ("bollinger", "width"): _UPPER - _LOWER,
    ("bollinger", "width_percent"): 100.0 * (_UPPER - _LOWER) / pl.col("middle"),
    ("bollinger", "percent_b"): (pl.col("bar_close") - _LOWER) / (_UPPER - _LOWER),
    # Marks of 100, and where they are drawn.
    ("fractal", "up"): pl.col("up").abs() / 100.0,
    ("fractal", "down"): pl.col("down").abs() / 100.0,
    # TA-Lib has 0 instead of null for integers, and where nothing has traded.
    ("supertrend", "direction"): pl.when(pl.col("direction") != 0.0).then(pl.col("direction")),
    ("vwap", "vwap"): pl.when(pl.col("vwap") != 0.0).then(pl.col("vwap")),
}
"""Our outputs that follow from TA-Lib's, as expressions over these and the bar's close."""
