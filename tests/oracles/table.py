"""The table of other libraries' functions: what a row of it says, and how it is compared.

A row names a spec of ours, a call of theirs, and where the two differ, if anywhere: each difference
is declared with its reason, and compared as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import talib
import wickra
from talib._ta_lib import MA_Type

from tallow.core.arrays import Floats
from tallow.core.operator import Convention, Output, Value
from tallow.testing.cases import Case
from tallow.testing.histories import Rows
from tests.running import case

RELATIVE: Final = 1e-10
RESIDUE: Final = 1e-12
"""Of the largest price, volume, or of 100 percent: what running sums leave behind where ours are
exact."""

SIMPLE: Final = MA_Type.SMA
LENGTHS: Final = ((2,), (5,), (14,), (50,))


@dataclass(frozen=True)
class Converges:
    """Why values differ at first, and when they are the same to `to`.

    That is at a row of `lengths` times as many rows as lead to our first value.
    """

    why: str
    lengths: float = 10.0
    to: float = 1e-9


@dataclass(frozen=True)
class Row:
    """A spec, and the call that gives the same: of `talib` or `wickra`, over columns by name.

    Attributes
    ----------
    spec, call
        Texts with ``{0}``, ``{1}`` for the values of each of `sets`.
    outputs
        Ours that are compared, in the order of theirs; else our first ones.
    convention
        Else TA-Lib's for `talib`, and our usual one for others.
    starts
        Why the first rows differ; values are compared where both have one.
    converges
        Why values differ at first.
    null_is
        What they have where a denominator is zero and we have null.
    differs_on
        Histories on which they have other values, with the reasons.
    residue
        What their running sums leave behind, of the largest number that went in.
    """

    spec: str
    call: str
    sets: Sequence[tuple[Value, ...]] = LENGTHS
    outputs: tuple[str, ...] = ()
    convention: Convention | None = None
    starts: str = ""
    converges: Converges | None = None
    null_is: float | None = None
    differs_on: Mapping[str, str] = field(default_factory=dict)
    residue: float = RESIDUE

    def __str__(self) -> str:
        """Return the call, with our spec."""
        return f"{self.spec}-{self.library}"

    @property
    def library(self) -> str:
        """The library that is called."""
        return "wickra" if "wickra." in self.call else "talib"

    @property
    def is_same(self) -> bool:
        """Whether all is compared from the first row on."""
        return not (self.starts or self.converges or self.null_is is not None)

    def cases(self) -> list[tuple[Case, str]]:
        """Return our case and their call for each set of values."""
        usual: Convention = "talib" if self.library == "talib" else "tradingview"
        convention = self.convention or usual
        return [
            (case(self.spec.format(*each), convention), self.call.format(*each))
            for each in self.sets
        ]


def theirs(call: str, rows: Rows) -> list[Floats]:
    """Return the columns that a call gives."""
    names: dict[str, Any] = {"talib": talib, "wickra": wickra, "SIMPLE": SIMPLE, "np": np, **rows}
    # TA-Lib's integers are 0 where there is none.
    names["known"] = lambda column: np.where(column == 0, np.nan, column)
    names["finite"] = lambda column: np.where(np.isfinite(column), column, np.nan)
    names |= {"cloud": _cloud, "inside": _inside, "regime": _regime, "returns": _returns}
    names["flags"] = lambda found, rows: tuple(
        np.where(np.arange(len(column)) < rows, np.nan, np.asarray(column) / 100.0)
        for column in found
    )
    # The texts stand in this folder.
    found = eval(call, names)
    # A matrix of Wickra's is no array, but has rows.
    columns = list(found) if isinstance(found, tuple) else [*np.atleast_2d(np.array([*found]).T)]
    return [np.asarray(column, dtype=np.float64) for column in columns]


def _returns(close: Floats) -> Floats:
    """Return logarithms of changes, zero where there is none."""
    whole = np.where(close > 0.0, close, 1.0)
    return np.log(whole[1:] / whole[:-1])


def _inside(found: Any, low: float, high: float) -> Floats:
    """Return the values between limits, after a row without one."""
    column = np.append(np.nan, found)
    return np.where((column > low) & (column < high), column, np.nan)


def _cloud(found: Any, base: int) -> tuple[Floats, ...]:
    """Return what Ichimoku's lines are known to be at each row, of Wickra's drawn ones."""
    conversion, line, *spans, _ = np.array([*found]).T
    later = np.full(base - 1, np.nan)
    known = (np.append(span[base - 1 :], later)[: len(span)] for span in spans)
    return conversion, line, *known


def _regime(adx: Floats, plus: Floats, minus: Floats) -> tuple[Floats, ...]:
    """Return 1 above 25, -1 below 20, else 0; and on which side there is more movement."""
    state = np.where(np.isnan(adx), np.nan, (adx > 25.0) * 1.0 - (adx < 20.0))
    return state, np.sign(plus - minus)


def scale(unit: str, rows: Rows) -> float:
    """Return the size of what a value is made of."""
    if unit in {"percent", "0..100", "ratio", "sign"}:
        return 100.0
    largest = float(np.nanmax(np.abs(rows["volume" if unit == "units" else "close"])))
    return float(np.degrees(largest)) if unit == "degrees" else largest


def pairs(row: Row, ours: Case, call: str, rows: Rows) -> Iterator[tuple[Output, Floats, Floats]]:
    """Yield each output that is compared, with our column and theirs."""
    names = [output.name for output in ours.indicator.outputs]
    columns = ours.run(rows)
    for place, other in enumerate(theirs(call, rows)):
        k = names.index(row.outputs[place]) if row.outputs else place
        yield ours.indicator.outputs[k], columns[k], other


def assert_row(row: Row, ours: Case, call: str, rows: Rows) -> int:
    """Compare; return on how many rows we have no value where they have `Row.null_is`."""
    stated = 0
    for output, mine, found in pairs(row, ours, call, rows):
        is_stated = np.isnan(mine) & (found == row.null_is)
        stated += int(np.sum(is_stated))
        other = np.where(is_stated, np.nan, found)
        message = f"{ours}, {call}, {output.name}"
        if not row.starts:
            np.testing.assert_array_equal(np.isnan(mine), np.isnan(other), f"{message}: null rows")
        compared = ~(np.isnan(mine) | np.isnan(other))
        if row.converges:
            compared[: int(row.converges.lengths * (max(ours.warmup) + 1))] = False
        slack = row.residue * scale(output.unit, rows)
        to = row.converges.to if row.converges else RELATIVE
        np.testing.assert_allclose(mine[compared], other[compared], to, slack, err_msg=message)
    return stated
