"""What formulas are made of: windows, averages, ranges, and how an oracle is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tallow.textbook.numbers import fsum, sqrt

T = TypeVar("T")
Value = int | float | str
Parameters = Mapping[str, Value]
Column = list[float | None]
Formula = Callable[..., tuple[Column, ...]]


Still = float | None | tuple[float | None, ...]
"""The value of each output, None where it is null; one value stands for all outputs."""

PRICE, VOLUME = 546.2, 1_300.0
"""Of a market that stands still."""


@dataclass(frozen=True)
class Oracle:
    """A formula ``(parameters, *columns) -> columns``, and how it treats a missing row.

    `still` is what each output is from its warm-up on, by hand, while every price is `PRICE` and
    every volume `VOLUME`; `talib` the same under TA-Lib's convention; `zeros` where all are zero.
    """

    formula: Formula
    skips_missing_rows: bool
    still: Still
    talib: Still
    zeros: Still

    def __call__(self, parameters: Parameters, *columns: Column) -> tuple[Column, ...]:
        """Return the output columns, each as long as the inputs.

        A recursive indicator does not see rows of which anything is missing: its formula gets the
        others, and its values are put back into their places.
        """
        if not self.skips_missing_rows:
            return self.formula(parameters, *columns)
        rows = list(zip(*columns, strict=True))
        kept = [i for i, row in enumerate(rows) if None not in row]
        outputs = self.formula(parameters, *([column[i] for i in kept] for column in columns))
        spread: tuple[Column, ...] = tuple([None] * len(rows) for _ in outputs)
        for place, output in zip(spread, outputs, strict=True):
            for i, value in zip(kept, output, strict=True):
                place[i] = value
        return spread


ORACLES: dict[str, Oracle] = {}


Register = Callable[[Formula], Formula]
SAME: Still = (-1.0, -1.0)
"""Stands for: as `still`, with zero for a price or a volume."""


def window(still: Still, talib: Still = SAME, zeros: Still = SAME) -> Register:
    """Register the oracle of an indicator that is a function of the last rows."""
    return _register(still, talib, zeros, skips_missing_rows=False)


def recursive(still: Still, talib: Still = SAME, zeros: Still = SAME) -> Register:
    """Register the oracle of an indicator that remembers."""
    return _register(still, talib, zeros, skips_missing_rows=True)


def _register(still: Still, talib: Still, zeros: Still, *, skips_missing_rows: bool) -> Register:
    def register(formula: Formula) -> Formula:
        ORACLES[formula.__name__] = Oracle(
            formula,
            skips_missing_rows,
            still,
            still if talib is SAME else talib,
            _without_prices(still) if zeros is SAME else zeros,
        )
        return formula

    return register


def _without_prices(still: Still) -> Still:
    if isinstance(still, tuple):
        return tuple(0.0 if value in {PRICE, VOLUME} else value for value in still)
    return 0.0 if still in {PRICE, VOLUME} else still


# Parts


def over_windows(
    column: Sequence[T | None], length: int, summary: Callable[[list[T]], float | None]
) -> Column:
    """Apply `summary` to each full window, oldest row first; None where a row is missing."""
    result: Column = []
    for end in range(1, len(column) + 1):
        part = [x for x in column[max(0, end - length) : end] if x is not None]
        result.append(summary(part) if len(part) == length else None)
    return result


def mean(part: Sequence[float]) -> float:
    return fsum(part) / len(part)


def deviation(part: Sequence[float]) -> float:
    """Return the population deviation. Equal values have none, though their mean is rounded."""
    if min(part) == max(part):
        return 0.0
    middle = mean(part)
    return sqrt(mean([(x - middle) ** 2 for x in part]))


def exponential(column: Sequence[float], length: int, weight: float) -> Column:
    """Return ``weight * x + (1 - weight) * before``, from the mean of the first `length` on."""
    result: Column = [None] * min(length - 1, len(column))
    if len(column) < length:
        return result
    value = mean(column[:length])
    result.append(value)
    for x in column[length:]:
        value = value + weight * (x - value)
        result.append(value)
    return result


def repeated(column: Sequence[float], length: int, times: int) -> list[Column]:
    """Return exponential averages, each of the one before."""
    found: list[Column] = []
    for _ in range(times):
        inner = known(found[-1]) if found else column
        average = exponential(inner, length, 2.0 / (length + 1))
        found.append(delayed(len(column) - len(average), average))
    return found


def delayed(rows: int, column: Column) -> Column:
    """Return `column` after `rows` rows without a value."""
    return [None] * rows + column


def known(column: Column) -> list[float]:
    """Return the values that are there."""
    return [x for x in column if x is not None]


def combine(function: Callable[..., float | None], *columns: Sequence[float | None]) -> Column:
    """Apply `function` row by row; None where any of its arguments is."""
    rows = zip(*columns, strict=True)
    return [None if None in row else function(*row) for row in rows]


def hidden(column: Column, until: Column) -> Column:
    """Return `column` where `until` has a value."""
    return combine(lambda x, _: x, column, until)


def ranges(high: Column, low: Column, close: Column) -> Column:
    """Return true ranges; the first row has no close before it, and none."""
    return combine(
        lambda h, l, before: max(h - l, abs(h - before), abs(l - before)),
        high,
        low,
        [None, *close[:-1]],
    )


def mean_ranges(p: Parameters, length: str, high: Column, low: Column, close: Column) -> Column:
    """Return Wilder's mean of the ranges; ``first_range`` says whether the first row has one."""
    n, every = int(p[length]), ranges(high, low, close)
    if p.get("first_range") == "none":
        return delayed(1, exponential(known(every), n, 1.0 / n))[: len(close)]
    first = combine(lambda h, l: h - l, high[:1], low[:1])
    return exponential(known(first + every[1:]), n, 1.0 / n)
