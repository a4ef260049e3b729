"""TA-Lib's functions under our names, called through either of its two faces in Python."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import polars as pl

from tallow.core.errors import EngineError
from tallow.core.operator import Value, Values
from tallow.data.runs import instrument_runs


@dataclass(frozen=True)
class Call:
    """A function of TA-Lib: our inputs, its parameters, and our outputs in its order."""

    function: str
    inputs: tuple[str, ...]
    parameters: Callable[[Values], dict[str, Value]]
    outputs: tuple[str, ...]


class Library(Protocol):
    """One face of TA-Lib."""

    name: str

    @property
    def version(self) -> str: ...  # noqa: D102 - the package's

    def outputs(self, bars: pl.DataFrame, call: Call, values: Values) -> pl.DataFrame:
        """Return float64 columns named after the call's outputs, NaN where there is no value."""


class Talib:
    """The wrapper around the C library: a call per instrument."""

    name = "talib"

    @property
    def version(self) -> str:
        """The package's version."""
        return _version("TA-Lib")

    def outputs(self, bars: pl.DataFrame, call: Call, values: Values) -> pl.DataFrame:
        """Return float64 columns named after the call's outputs, NaN where there is no value."""
        function = getattr(_imported("talib", "TA-Lib"), call.function.upper())
        inputs = [bars[name].to_numpy() for name in call.inputs]
        offsets = instrument_runs(bars)[1]
        parts = [np.empty((len(call.outputs), 0))]
        try:
            for a, z in pairwise(offsets):
                made = function(*(column[a:z] for column in inputs), **call.parameters(values))
                parts.append(np.atleast_2d(made))
        # The wrapper raises plain exceptions for values that its library refuses.
        except Exception as error:
            raise _refused("talib", call, values) from error
        columns = np.concatenate(parts, axis=1)
        return pl.DataFrame(dict(zip(call.outputs, columns, strict=True)))


class PolarsTalib:
    """The plugin for Polars: an expression over each instrument.

    Notes
    -----
    One null in an input blanks all later rows; bars have none.
    """

    name = "polars_talib"

    @property
    def version(self) -> str:
        """The package's version."""
        return _version("polars-talib")

    def outputs(self, bars: pl.DataFrame, call: Call, values: Values) -> pl.DataFrame:
        """Return float64 columns named after the call's outputs, NaN where there is no value."""
        function = getattr(_imported("polars_talib", "polars-talib"), call.function)
        made = function(*map(pl.col, call.inputs), **call.parameters(values))
        try:
            column = bars.select(made.over("instrument")).to_series()
        except pl.exceptions.PolarsError as error:
            raise _refused(self.name, call, values) from error
        frame = column.struct.unnest() if column.dtype == pl.Struct else column.to_frame()
        return frame.rename(dict(zip(frame.columns, call.outputs, strict=True)))


def _refused(name: str, call: Call, values: Values) -> EngineError:
    return EngineError(
        f"{name}: {call.function} with {call.parameters(values)}; TA-Lib refuses these values; "
        "leave the indicator out, or lengthen it"
    )


def _version(package: str) -> str:
    # Asked of every engine there is: nothing is imported for it, and nothing raised.
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package}, not installed"


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EngineError(
            f"{module}: {error}; the engine calls {package}, which is not part of Tallow; "
            f"pip install {package}"
        ) from error


def _length(values: Values) -> dict[str, Value]:
    return {"timeperiod": values["length"]}


def _bands(values: Values) -> dict[str, Value]:
    reach = values["multiplier"]
    return {"timeperiod": values["length"], "nbdevup": reach, "nbdevdn": reach}


def _stochastic(values: Values) -> dict[str, Value]:
    return {
        "fastk_period": values["length"],
        "slowk_period": values["smooth_k"],
        "slowk_matype": 0,
        "slowd_period": values["smooth_d"],
        "slowd_matype": 0,
    }


def _periods(values: Values) -> dict[str, Value]:
    return {f"{name}period": values[f"{name}_length"] for name in ("fast", "slow", "signal")}


_BAR = ("high", "low", "close")

CALLS: dict[str, tuple[Call, ...]] = {
    "sma": (Call("sma", ("close",), _length, ("sma",)),),
    "ema": (Call("ema", ("close",), _length, ("ema",)),),
    "wma": (Call("wma", ("close",), _length, ("wma",)),),
    "rsi": (Call("rsi", ("close",), _length, ("rsi",)),),
    "roc": (Call("roc", ("close",), _length, ("roc",)),),
    "atr": (Call("atr", _BAR, _length, ("atr",)),),
    "stddev": (Call("stddev", ("close",), lambda v: {**_length(v), "nbdev": 1.0}, ("stddev",)),),
    "bollinger": (Call("bbands", ("close",), _bands, ("upper", "middle", "lower")),),
    "volume_sma": (Call("sma", ("volume",), _length, ("volume_sma",)),),
    "donchian": (
        Call("max", ("high",), _length, ("upper",)),
        Call("min", ("low",), _length, ("lower",)),
    ),
    "adx": (
        Call("adx", _BAR, _length, ("adx",)),
        Call("plus_di", _BAR, _length, ("plus_di",)),
        Call("minus_di", _BAR, _length, ("minus_di",)),
    ),
    "true_range": (Call("trange", _BAR, lambda _: {}, ("true_range",)),),
    "obv": (Call("obv", ("close", "volume"), lambda _: {}, ("obv",)),),
    "macd": (Call("macd", ("close",), _periods, ("macd", "signal", "histogram")),),
    "stoch": (Call("stoch", _BAR, _stochastic, ("k", "d")),),
}
"""By our indicator; one that is not here, such as ``vwap``, TA-Lib does not have."""

_UPPER, _LOWER = pl.col("upper"), pl.col("lower")

DERIVED: dict[tuple[str, str], pl.Expr] = {
    ("bollinger", "width"): _UPPER - _LOWER,
    ("bollinger", "width_percent"): 100.0 * (_UPPER - _LOWER) / pl.col("middle"),
    ("bollinger", "percent_b"): (pl.col("close") - _LOWER) / (_UPPER - _LOWER),
    ("donchian", "middle"): (_UPPER + _LOWER) / 2.0,
}
"""Outputs that follow from its own, as expressions over these."""
