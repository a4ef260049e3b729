"""TA-Lib's functions under our names, called through either of its two Python packages."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from tallow.core.errors import EngineError
from tallow.core.operator import Value, Values


@dataclass(frozen=True)
class TalibCall:
    """A function of TA-Lib: our inputs, its parameters, and our outputs in its order.

    `anchored`: it restarts with each session, week or month, which TA-Lib does not know. `lookback`
    is the number of rows without a value, where TA-Lib has 0 for these: its integers.
    """

    function: str
    inputs: tuple[str, ...]
    parameters: Callable[[Values], dict[str, Value]]
    outputs: tuple[str, ...]
    anchored: bool = False
    lookback: Callable[[Values], int] = lambda _: 0

    def groups(self, values: Values) -> tuple[str, ...]:
        """Return the columns by which rows are grouped into series."""
        return ("instrument", str(values["anchor"])) if self.anchored else ("instrument",)

    def inputs_of(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Return the inputs as float64: the plug-in would end the process for a column of text."""
        return bars.select(pl.col(self.inputs).cast(pl.Float64))

    def known(self, bars: pl.DataFrame, found: pl.DataFrame, values: Values) -> pl.DataFrame:
        """Return outputs without those of rows that have no value, but a 0."""
        first = self.lookback(values)
        if not first:
            return found
        places = bars.select(pl.int_range(pl.len()).over(self.groups(values))).to_series()
        outputs = found.select(pl.col(self.outputs).cast(pl.Float64))
        return outputs.select(pl.when(places >= first).then(pl.all()))


class Talib:
    """The wrapper around the C library: a call per instrument."""

    name = "talib"

    @property
    def version(self) -> str:
        """The package's version."""
        return _version("TA-Lib")

    def outputs(self, bars: pl.DataFrame, call: TalibCall, values: Values) -> pl.DataFrame:
        """Return float64 columns named after the call's outputs, NaN where there is no value."""
        module = _import("talib", "TA-Lib")
        function = getattr(module, call.function.upper())
        inputs = [column.to_numpy() for column in call.inputs_of(bars)]
        parts = [np.empty((len(call.outputs), 0))]
        try:
            with _default_settings(module):
                for a, z in pairwise(_offsets(bars, call.groups(values))):
                    outputs = function(
                        *(column[a:z] for column in inputs), **call.parameters(values)
                    )
                    parts.append(np.atleast_2d(outputs))
        # The wrapper raises plain exceptions for values that its library refuses.
        except Exception as error:
            raise _value_error("talib", call, values) from error
        columns = np.concatenate(parts, axis=1)
        found = pl.DataFrame(dict(zip(call.outputs, columns, strict=True)))
        return call.known(bars, found, values)


class PolarsTalib:
    """The plug-in for Polars: an expression over each instrument.

    A null in an input makes all later rows null; bars have none.
    """

    name = "polars_talib"

    @property
    def version(self) -> str:
        """The package's version."""
        return _version("polars-talib")

    def outputs(self, bars: pl.DataFrame, call: TalibCall, values: Values) -> pl.DataFrame:
        """Return float64 columns named after the call's outputs, NaN where there is no value."""
        function = getattr(_import("polars_talib", "polars-talib"), call.function)
        expression = function(*map(pl.col, call.inputs), **call.parameters(values))
        groups = call.groups(values)
        rows = bars.select(groups).hstack(call.inputs_of(bars))
        try:
            column = rows.select(expression.over(groups)).to_series()
        except pl.exceptions.PolarsError as error:
            raise _value_error(self.name, call, values) from error
        frame = column.struct.unnest() if column.dtype == pl.Struct else column.to_frame()
        found = frame.rename(dict(zip(frame.columns, call.outputs, strict=True)))
        return call.known(rows, found, values)


TalibLibrary = Talib | PolarsTalib
"""A Python package of TA-Lib."""

_SETTINGS = threading.Lock()

_UNSTABLE = frozenset(
    (
        *("ADX", "ATR", "CMO", "DX", "EMA", "HT_DCPERIOD", "HT_DCPHASE", "HT_PHASOR"),
        *("HT_SINE", "HT_TRENDLINE", "HT_TRENDMODE", "KAMA", "MAMA", "MINUS_DI"),
        *("MINUS_DM", "NATR", "PLUS_DI", "PLUS_DM", "RMA", "RSI", "T3"),
    )
)
"""TA-Lib's functions with an unstable period, which can hide their first rows."""


@contextmanager
def _default_settings(talib: Any) -> Iterator[None]:
    """Set TA-Lib's process-wide settings to their defaults, and restore them afterwards."""
    with _SETTINGS:
        periods = {name: talib.get_unstable_period(name) for name in _UNSTABLE}
        compatibility = talib.get_compatibility()
        try:
            talib.set_compatibility(0)
            for name in _UNSTABLE:
                talib.set_unstable_period(name, 0)
            yield
        finally:
            talib.set_compatibility(compatibility)
            for name, period in periods.items():
                talib.set_unstable_period(name, period)


def _offsets(bars: pl.DataFrame, groups: tuple[str, ...]) -> list[int]:
    """Return where groups begin, and the number of rows."""
    if not len(bars):
        return [0]
    starts = pl.any_horizontal(pl.col(groups).ne_missing(pl.col(groups).shift(1)))
    found = bars.select(pl.arg_where(starts | (pl.int_range(pl.len()) == 0))).to_series().to_list()
    return [*found, len(bars)]


def _value_error(name: str, call: TalibCall, values: Values) -> EngineError:
    return EngineError(
        f"{name}: {call.function} with {call.parameters(values)}; TA-Lib refuses these values; "
        "leave the indicator out, or lengthen it"
    )


def _version(package: str) -> str:
    # Read for every engine that is declared: it imports nothing, and never raises.
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package}, not installed"


def _import(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EngineError(
            f"{module}: {error}; the engine calls {package}, which is not part of Tallow; "
            f"pip install {package}"
        ) from error
