"""A formula that begins elsewhere or with another first value, and converges.

A recursive average forgets its start: two that differ only in it differ by a power of the decay.
So the value at a row follows for every start at once, and a start is found by trying all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tallow.core.arrays import Floats, Ints

FORGOTTEN = 1e-13
"""Weight below which a start has no visible effect."""


class Average:
    """One recursive average of inputs, the first of which may have another value.

    `x` are the inputs, float64 (rows,), without NaN; `length` the rows of the first mean; `decay`
    the weight of the previous value in each step; `first`, float64 (rows,), the input of a row that
    is the first one, `x` itself if None.
    """

    def __init__(self, x: Floats, length: int, decay: float, first: Floats | None = None) -> None:
        self.first = x if first is None else first
        self.x, self.length, self.decay = x, length, decay
        self.kinds: tuple[str, ...] = ("mean", "first", "growing", "weighted")
        if first is not None:
            self.kinds += ("later mean", "later first", "later weighted")
        self.reach = int(np.log(FORGOTTEN) / np.log(decay)) + 1 + length if decay > 0.0 else length
        # Sums of differences from the median, which are small.
        self._middle = float(np.median(x)) if len(x) else 0.0
        self._sums = np.concatenate([[0.0], np.cumsum(x - self._middle)])
        self._from_zero = _filter_from_zero(x, decay)

    def starts(self, row: int, usual: Ints) -> Ints:
        """Return the starts that affect `row`."""
        return np.arange(max(0, row - self.reach), row + 1)

    def values(self, kind: str, starts: Ints, rows: Ints) -> Floats:
        """Return float64 ``[starts, rows]``, NaN before a first value."""
        s, t = starts[:, None], rows[None, :]
        if kind.startswith("later"):
            # As if the next row were the first one, with its ordinary input.
            return self._values(kind.removeprefix("later "), s + 1, t, self.x)
        return self._values(kind, s, t, self.first)

    def continue_from(self, row: int, value: float, rows: Ints) -> Floats:
        """Return the values at `rows` of an average that has `value` at `row`."""
        correction = self._weight(rows - row) * (value - self._from_zero[row])
        return np.asarray(self._from_zero[rows] + correction)

    def _values(self, kind: str, s: Ints, t: Ints, first: Floats) -> Floats:
        begin = np.minimum(s, len(self.x) - 1)
        if kind == "weighted":
            return self._weighted(begin, s, t, first)
        seeded = s if kind == "first" else s + self.length - 1
        seed = first[begin] if kind == "first" else self.mean(s, seeded, first[begin])
        at = np.minimum(seeded, len(self.x) - 1)
        values = self._from_zero[t] + self._weight(t - seeded) * (seed - self._from_zero[at])
        values = np.where(t >= seeded, values, np.nan)
        if kind == "growing":
            early = (t >= s) & (t < seeded)
            values = np.where(early, self.mean(s, t, first[begin]), values)
        return values

    def mean(self, s: Ints, t: Ints, first: Floats) -> Floats:
        """Return the mean of rows ``s..t``, with `first` as the input of the first one."""
        last = np.minimum(t, len(self.x) - 1) + 1
        after = self._sums[last] - self._sums[np.minimum(s + 1, len(self.x))]
        rows = np.maximum(t - s + 1, 1)
        return np.asarray((first - self._middle + after) / rows + self._middle)

    def _weighted(self, begin: Ints, s: Ints, t: Ints, first: Floats) -> Floats:
        """Return the mean over all rows since the start, with weights that fall by the decay."""
        before = np.where(s > 0, self._from_zero[np.maximum(begin - 1, 0)], 0.0)
        old = self._weight(t - s)
        total = self._from_zero[t] - old * self.decay * before
        total = total + (1.0 - self.decay) * old * (first[begin] - self.x[begin])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(t >= s, total / (1.0 - old * self.decay), np.nan)

    def _weight(self, steps: Ints) -> Floats:
        weights: Floats = np.power(self.decay, np.maximum(steps, 0).astype(np.float64))
        return weights


class Averages:
    """A function of several averages that begin together, such as gains and losses."""

    def __init__(self, parts: Sequence[Average], combine: Callable[..., Floats]) -> None:
        self.parts, self.combine = parts, combine
        self.kinds = parts[0].kinds

    def starts(self, row: int, usual: Ints) -> Ints:
        """Return the starts that affect `row`."""
        return self.parts[0].starts(row, usual)

    def values(self, kind: str, starts: Ints, rows: Ints) -> Floats:
        """Return float64 ``[starts, rows]``, NaN before a first value."""
        return self.combine(*(part.values(kind, starts, rows) for part in self.parts))


class AnchoredMean:
    """A weighted mean since the start of a period; it may begin late in one, or never restart."""

    kinds = ("period", "running")

    def __init__(self, price: Floats, volume: Floats, period: Floats) -> None:
        self._middle = float(np.median(price)) if len(price) else 0.0
        self._traded = np.concatenate([[0.0], np.cumsum((price - self._middle) * volume)])
        self._units = np.concatenate([[0.0], np.cumsum(volume)])
        change = np.flatnonzero(np.diff(period)) + 1
        self._begin = np.zeros(len(price), dtype=np.int64)
        self._begin[change] = change
        self._begin = np.maximum.accumulate(self._begin)

    def starts(self, row: int, usual: Ints) -> Ints:
        """Return every row up to `row`."""
        return np.arange(row + 1)

    def values(self, kind: str, starts: Ints, rows: Ints) -> Floats:
        """Return float64 ``[starts, rows]``, NaN before a first value."""
        s, t = starts[:, None], rows[None, :]
        first = np.maximum(s, self._begin[t]) if kind == "period" else s
        units = self._units[t + 1] - self._units[first]
        traded = self._traded[t + 1] - self._traded[first]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = traded / units + self._middle
        return np.where((t >= s) & (units > 0.0), mean, np.nan)


class GrowingMean:
    """A simple mean that begins with fewer rows than its length."""

    kinds = ("growing",)

    def __init__(self, x: Floats, length: int) -> None:
        self.length, self._average = length, Average(x, length, 0.5)

    def starts(self, row: int, usual: Ints) -> Ints:
        """Return the starts whose window is not full at `row`."""
        return np.arange(max(0, row - self.length + 1), row + 1)

    def values(self, kind: str, starts: Ints, rows: Ints) -> Floats:
        """Return float64 ``[starts, rows]``, NaN before the start."""
        s, t = starts[:, None], rows[None, :]
        first = np.maximum(s, t - self.length + 1)
        return np.where(t >= s, self._average.mean(first, t, self._average.x[first]), np.nan)


class Restarts:
    """Any formula, computed from a later row on: at the starts that engines usually choose."""

    kinds = ("restarted",)

    def __init__(self, compute: Callable[[int], Floats], rows: int) -> None:
        self._compute, self._rows = compute, rows
        self._cache: dict[int, Floats] = {}

    def starts(self, row: int, usual: Ints) -> Ints:
        """Return the usual starts up to `row`."""
        return usual[usual <= row][-RESTARTS_MAX:]

    def values(self, kind: str, starts: Ints, rows: Ints) -> Floats:
        """Return float64 ``[starts, rows]``, NaN before a first value."""
        found = [self._values_from(int(start))[rows] for start in starts]
        return np.array(found).reshape(-1, len(rows))

    def _values_from(self, start: int) -> Floats:
        if start not in self._cache:
            gap = np.full(start, np.nan)
            self._cache[start] = np.concatenate([gap, self._compute(start)])
        return self._cache[start]


RESTARTS_MAX = 16
"""Most starts that are tried where each needs its own computation: the latest ones."""


Seeds = Average | Averages | AnchoredMean | GrowingMean | Restarts
"""A formula that can begin at any row: `kinds` are the ways to begin, `starts` the rows that affect
a later one (`usual` are those that engines usually choose), `values` what follows from each."""


def _filter_from_zero(x: Floats, decay: float) -> Floats:
    """Return ``y[t] = decay y[t - 1] + (1 - decay) x[t]``, from zero.

    Computed block by block, with weights within the block: a loop over rows in Python would take
    longer than everything else.
    """
    block = 64
    lags = np.arange(block)[:, None] - np.arange(block)[None, :]
    weights = np.where(lags >= 0, (1.0 - decay) * np.power(decay, np.maximum(lags, 0.0)), 0.0)
    rows = -(-len(x) // block) * block
    within = np.concatenate([x, np.zeros(rows - len(x))]).reshape(-1, block) @ weights.T
    carry, powers, last = 0.0, np.power(decay, np.arange(1.0, block + 1.0)), within[:, -1]
    carries = np.empty(len(within))
    for i in range(len(within)):
        carries[i] = carry
        carry = last[i] + powers[-1] * carry
    filtered: Floats = within + carries[:, None] * powers
    return filtered.reshape(-1)[: len(x)]
