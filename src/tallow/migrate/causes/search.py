"""Finding where, and how, a series began otherwise than at the first bar in the usual way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tallow.core.operator import WINDOW
from tallow.core.spec import Spec
from tallow.migrate.causes.bars import Bars, Flags, Floats, Times
from tallow.migrate.causes.formulas import Model, warmup
from tallow.migrate.causes.rounding import DECIMALS_MAX, SAME_RELATIVE, SINGLE, Fit, Printed
from tallow.migrate.causes.seeds import Average

ABSENT = "absent"
"""A segment without values: the warm-up of a series that began anew."""

CARRIED = "carried"
"""A segment that goes on from a value whose history is not known."""

DAY_US = 86_400_000_000

SEGMENTS_MAX = 64
"""Beginnings that are sought in one series."""

PROBES = 4
"""Rows that a start must reproduce, all but one, to be looked at."""

STARTS_MAX = 64
"""Starts that are looked at, of those that reproduce the probes."""

AHEAD = 48
"""Rows by which they are told apart."""

DIGITS_USUAL, DIGITS_ANY = 3.0, 5.0
"""Digits that rows must tell, together, for a start that engines choose, and for one of thousands:
a wrong value meets one of these by chance where it has few digits to tell."""

ROW_DIGITS_MIN = 0.5
"""What a row tells at least that was not reproduced and is: a third do so by chance."""

ROWS_MIN = 2
"""Rows that a beginning must explain: one alone may be a wrong value."""


class Segment(NamedTuple):
    """From the bar at `since` on, until that at `until`: begun at the bar `start`, in a way.

    `value` is the one at `since` of a segment that is carried on.
    """

    since: int
    kind: str
    start: int
    until: int | None = None
    value: float = 0.0


def with_segments(model: Model, segments: Sequence[Segment], times: Times) -> Floats:
    """Return a model's values with those of later beginnings; `times` in the order of computing."""
    values = model.plain.copy()
    for segment in segments:
        row = _row_of(times, segment.since)
        if segment.kind == ABSENT:
            until = len(times) if segment.until is None else _row_of(times, segment.until)
            values[row:until] = np.nan
        elif row < len(times):
            values[row:] = _begun(model, segment, times, np.arange(row, len(times)))
    return values


def _begun(model: Model, segment: Segment, times: Times, rows: Times) -> Floats:
    """Return a segment's values at `rows`; those of a model that cannot begin so are its own."""
    if segment.kind == CARRIED and isinstance(model.seeds, Average):
        return model.seeds.carried(_row_of(times, segment.since), segment.value, rows)
    if model.seeds is None or segment.kind not in model.seeds.kinds:
        return model.plain[rows]
    start = np.array([_row_of(times, segment.start)])
    return np.asarray(model.seeds.values(segment.kind, start, rows)[0])


def _row_of(times: Times, time: int) -> int:
    return int(_rows_of(times, np.array([time]))[0])


def _rows_of(times: Times, wanted: Times) -> Times:
    """Return the first rows that are not before the wanted times, in the order of computing."""
    if len(times) > 1 and times[0] > times[-1]:
        return np.searchsorted(-times, -wanted)
    return np.searchsorted(times, wanted)


@dataclass
class Search:
    """One side's values in the order of computing, and what is known of where they began.

    Attributes
    ----------
    rows
        Each value's row among the bars, int64 (values,), rising.
    bad
        Bool (values,): the model does not reproduce it yet.
    """

    model: Model
    bars: Bars
    printed: Printed
    rows: Times
    bad: Flags
    scale: float
    warmup: int
    is_window: bool
    segments: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = self.printed.values
        self.plain = self.model.plain * self.scale
        self.slack = _slack(self.printed)
        session = self.bars.periods["session"]
        begins = np.flatnonzero(np.diff(session, prepend=np.nan) != 0.0)
        # Whole days before the first value, too: so is a range's warm-up fetched.
        days = (self.bars.time - self.bars.time[self.rows[0]]) % DAY_US == 0
        same = np.flatnonzero(days[: self.rows[0] + 1])
        self.usual = np.unique(np.concatenate([[0], begins, same])).astype(np.int64)

    def run(self) -> tuple[Segment, ...]:
        """Go through the rows that are not reproduced, from beginning to beginning."""
        at = 0
        while len(self.segments) < SEGMENTS_MAX and (found := self._next_break(at)) is not None:
            at = self._gap(found) or self._begin(found) or self._end_of_run(found)
        return tuple(self.segments)

    def _next_break(self, at: int) -> int | None:
        """Return the next value from which on most are not reproduced; or the very first one."""
        for i in np.flatnonzero(self.bad[at:]) + at:
            ahead = self.bad[i : i + PROBES]
            if at == 0 or ahead.sum() >= PROBES - 1:
                return int(i)
        return None

    def _end_of_run(self, i: int) -> int:
        good = np.flatnonzero(~self.bad[i:])
        return i + int(good[0]) if len(good) else len(self.bad)

    def _gap(self, i: int) -> int | None:
        """Take values that are missing, or zero, for a warm-up, if it has the right length.

        Before its first value a window may have begun at any bar; a recursion is known by its seed.
        """
        stop = self._told(i)
        length = int(self.rows[stop - 1] - self.rows[i] + 1) if stop > i else 0
        whole = length == self.warmup and self.rows[i] in self.usual
        late = self.is_window and self._leads(i) and (~self.bad[stop:]).sum() >= ROWS_MIN
        if not length or not (whole or late):
            return None
        after = int(self.bars.time[self.rows[stop]]) if stop < len(self.rows) else None
        self._leave_out(i, after)
        self.bad[i:stop] = False
        return stop

    def _leave_out(self, i: int, until: int | None) -> None:
        since = int(self.bars.time[self.rows[i]])
        self.segments.append(Segment(since, ABSENT, since, until))

    def _told(self, i: int) -> int:
        """Return the first value from `i` on that is neither missing nor zero."""
        told = ~np.isnan(self.values[i:]) & (self.values[i:] != 0.0)
        return i + (int(np.argmax(told)) if told.any() else len(told))

    def _leads(self, i: int) -> bool:
        """Say whether there is no value before `i`."""
        return self._told(0) >= i

    def _begin(self, i: int) -> int | None:
        """Find the start that reproduces the values from `i` on."""
        seeds = self.model.seeds
        told = np.flatnonzero(self.bad[i:] & np.isfinite(self.values[i:])) + i
        told = told[self.values[told] != 0.0]
        if seeds is None or not len(told):
            return None
        probes, ahead = told[:PROBES], np.arange(told[0], min(told[0] + AHEAD, len(self.rows)))
        ahead = np.union1d(ahead, told[:AHEAD])
        starts = seeds.starts(int(self.rows[told[0]]), self.usual)
        best, most = None, 0
        for kind in seeds.kinds:
            for start in self._likely(kind, starts, probes):
                met = ahead[self._meets(kind, np.array([start]), ahead)[0]]
                usual = start in self.usual
                enough = self._digits(met) >= (DIGITS_USUAL if usual else DIGITS_ANY)
                if enough and 2 * len(met) + usual > most:
                    best, most = (kind, int(start)), 2 * len(met) + usual
        return self._carry(i) if best is None else self._keep(i, *best)

    def _likely(self, kind: str, starts: Times, probes: Times) -> Times:
        met = self._meets(kind, starts, probes).sum(axis=1)
        likely = starts[met >= max(1, len(probes) - 1)]
        usual = np.isin(likely, self.usual)
        return np.concatenate([likely[usual], likely[~usual]])[:STARTS_MAX]

    def _meets(self, kind: str, starts: Times, at: Times) -> NDArray[np.bool_]:
        """Return bool ``[starts, at]``: a beginning gives these values, as far as printed."""
        assert self.model.seeds is not None
        found = self.model.seeds.values(kind, starts, self.rows[at]) * self.scale
        return np.abs(found - self.values[at]) <= self.slack[at]

    def _digits(self, met: Times) -> float:
        """Return how many digits the rows tell that the usual beginning does not give."""
        told = met[self.bad[met]]
        off = np.abs(self.values[told] - self.plain[self.rows[told]])
        off = np.where(np.isnan(off), np.abs(self.values[told]) / 100.0, off)
        digits = np.log10(np.maximum(off / self.slack[told], 1.0))
        return float(np.maximum(digits, ROW_DIGITS_MIN).sum()) if len(told) >= ROWS_MIN else 0.0

    def _carry(self, i: int) -> int | None:
        """Find the value that the first one told goes on from, if none of the starts gives it.

        Each value tells an interval of that one, wider the later it is; all must meet.
        """
        seeds, first = self.model.seeds, self._told(i)
        if not isinstance(seeds, Average) or not self._leads(i) or first == len(self.rows):
            return None
        ahead = np.arange(first, min(first + AHEAD, len(self.rows)))
        rows = self.rows[ahead]
        weight = np.power(seeds.decay, (rows - rows[0]).astype(np.float64))
        seen = (self.values[ahead] / self.scale - seeds.carried(rows[0], 0.0, rows)) / weight
        wide = self.slack[ahead] / self.scale / weight
        low, high = np.maximum.accumulate(seen - wide), np.minimum.accumulate(seen + wide)
        meet = int(np.argmin(np.append(low <= high, False)))
        if self._digits(ahead[1:meet]) < DIGITS_ANY:
            return None
        value = float(low[meet - 1] + high[meet - 1]) / 2.0
        since = int(self.bars.time[rows[0]])
        return self._go_on(i, Segment(since, CARRIED, since, value=value))

    def _keep(self, i: int, kind: str, start: int) -> int:
        """Go on with a beginning whose values are seen from the first value after `i` on."""
        time, first = self.bars.time, self._told(i)
        if self._leads(i) and self.rows[i] < start:
            self._leave_out(i, int(time[start]))
        since = max(int(self.rows[i]), start) if first > i else int(self.rows[i])
        return self._go_on(i, Segment(int(time[since]), kind, int(time[start])))

    def _go_on(self, i: int, segment: Segment) -> int:
        self.segments.append(segment)
        rest = np.arange(i, len(self.rows))
        found = _begun(self.model, segment, self.bars.time, self.rows[rest]) * self.scale
        self.bad[rest] = ~self.printed.part(rest).fit(found).explained
        self.plain[self.rows[rest]] = found
        return i + 1


def begin_again(
    model: Model, bars: Bars, times: Times, printed: Printed, fit: Fit, scale: float, spec: Spec
) -> tuple[Segment, ...]:
    """Return where a series began otherwise, as far as that reproduces its values.

    Parameters
    ----------
    bars
        In the order of computing; `times`, `printed` and `fit` rise in time.
    """
    rising = len(bars) < 2 or bars.time[0] < bars.time[-1]
    order = np.argsort(times if rising else -times)
    at = _rows_of(bars.time, times[order])
    known = at < len(bars)
    known[known] = bars.time[at[known]] == times[order][known]
    order, at = order[known], at[known]
    if not len(order):
        return ()
    bad = ~fit.explained[order]
    is_window = spec.indicator.memory == WINDOW
    some = printed.part(order)
    return Search(model, bars, some, at, bad, scale, warmup(spec), is_window).run()


def _slack(printed: Printed) -> Floats:
    """Return how far from a value the one may be that was printed so."""
    values = printed.values
    exact = SAME_RELATIVE * np.abs(values) + printed.noise
    few = printed.decimals <= DECIMALS_MAX
    # All but a few, which may be wrong values, and have many decimals by chance.
    most = np.quantile(printed.decimals[few], 0.95, method="higher") if few.any() else 0.0
    unit = 10.0 ** -float(most)
    if printed.is_single:
        return exact + SINGLE * np.abs(values)
    return np.where(few, unit / 2.0 + exact, exact)
