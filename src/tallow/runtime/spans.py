"""Which rows a range of bars needs: buckets by number, and where the rows of each begin and end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tallow.core.arrays import Ints, Times
from tallow.core.calendars import Calendar
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import MINUTE_US
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.buckets import BucketTable, bucket_table


@dataclass(frozen=True, eq=False)
class Buckets:
    """A calendar's buckets, numbered from 0.

    Times are int64 microseconds since 1970 UTC. A run of `counts` buckets, each `step` long but
    perhaps the last, is a segment of trading; days, weeks and months are runs of one bucket, whose
    rows may begin before the bucket's own open and end after its close (daily rows lie anywhere on
    their date).
    """

    table: BucketTable
    opens: Times
    starts: Times
    ends: Times
    numbers: Ints
    step: int

    @classmethod
    def of(cls, calendar: Calendar, timeframe: Timeframe, source: Timeframe) -> Buckets:
        """Number the buckets of a timeframe for candles of size `source`."""
        table = bucket_table((calendar,), timeframe, source)
        starts, ends, step = table.segment_open, table.segment_close, table.step_us
        if step:
            counts = -((starts - ends) // step)
            return cls(table, starts, starts, ends, np.cumsum([0, *counts]), step)
        first = np.flatnonzero(np.diff(table.bucket_open, prepend=table.bucket_open[0] - 1))
        last = np.append(first[1:], len(starts)) - 1
        numbers = np.arange(len(first) + 1)
        return cls(table, table.bucket_open[first], starts[first], ends[last], numbers, step)

    def before(self, time: int) -> int:
        """Return how many buckets open before an instant."""
        run = int(np.searchsorted(self.opens, time)) - 1
        if run < 0:
            return 0
        inside = -((int(self.opens[run]) - time) // self.step) if self.step else 1
        return min(int(self.numbers[run]) + inside, int(self.numbers[run + 1]))

    def at(self, time: int) -> int:
        """Return the bucket of a row at an instant that `takes` has accepted."""
        run = int(np.searchsorted(self.starts, time, "right")) - 1
        inside = (time - int(self.starts[run])) // self.step if self.step else 0
        return int(self.numbers[run]) + inside

    def start(self, number: int) -> int:
        """Return from when on rows belong to a bucket."""
        run = self._run(number)
        return int(self.starts[run]) + (number - int(self.numbers[run])) * self.step

    def period_start(self, time: int) -> int:
        """Return from when on rows belong to the bucket of a time, or to one shortly before."""
        run = int(np.searchsorted(self.starts, time, "right")) - 1
        if run < 0:
            return time
        if not self.step:
            # A date at midnight in UTC may lie in the evening before.
            return int(self.starts[run])
        start = int(self.starts[run])
        return start + (time - start) // self.step * self.step

    def end(self, number: int) -> int:
        """Return from when on rows do not belong to a bucket any more."""
        end = int(self.ends[self._run(number)])
        return min(self.start(number) + self.step, end) if self.step else end

    def ends_of(self, opens: Times) -> Times:
        """Return the ends of buckets by their opens."""
        run = np.searchsorted(self.opens, opens, "right") - 1
        ends: Times = self.ends[run]
        return np.minimum(opens + self.step, ends) if self.step else ends

    def numbers_of(self, opens: Times) -> Ints:
        """Return the numbers of buckets by their opens."""
        run = np.searchsorted(self.opens, opens, "right") - 1
        first: Ints = self.numbers[run]
        return first + (opens - self.opens[run]) // self.step if self.step else first

    def closed_by(self, moment: int) -> int:
        """Return up to when rows belong to buckets that have ended by a moment."""
        start = self.period_start(moment - 1)
        run = int(np.searchsorted(self.starts, start, "right")) - 1
        if run < 0:
            return moment
        end = int(self.ends[run])
        end = min(start + self.step, end) if self.step else end
        return start if moment < end else moment

    def takes(self, time: int) -> bool:
        """Say whether a row at an instant lies in a session, on the grid of its source."""
        table = self.table
        j = int(np.searchsorted(table.segment_close, time, "right"))
        if j == len(table.segment_close) or time < table.segment_open[j] or not table.known[j]:
            return False
        return table.source_us <= MINUTE_US or (time - table.segment_open[j]) % table.source_us == 0

    def _run(self, number: int) -> int:
        return int(np.searchsorted(self.numbers, number, "right")) - 1


calendar_buckets = lru_cache(maxsize=CALENDARS_MAX)(Buckets.of)
"""`Buckets.of`, remembered: a query over few rows would spend its time on it."""


@dataclass(frozen=True)
class Span:
    """The rows that the bars of a range are made of, and the bars.

    `start` and `end` limit the rows, `first` and `last` the opens of the bars, all in microseconds;
    `start` is None where the first row is the instrument's own, `end` where there is no end.
    `number` is the first bar's bucket.
    """

    start: int | None
    end: int | None
    first: int
    last: int
    number: int

    def until(self, end: int) -> Span:
        """Return this span without the rows from a time on."""
        return replace(self, end=end if self.end is None else min(self.end, end))


def span_of(
    buckets: Buckets, limits: tuple[int, int], from_origin: bool, to_end: bool
) -> Span | None:
    """Return the span of the bars with ``limits[0] <= open < limits[1]``; None where there is none.

    `from_origin` and `to_end` say that there is no limit on that side. Where a limit lies beyond
    what the calendar covers, the rows there are read too: they are quarantined, as they are in
    a batch.
    """
    first, last = limits
    until = int(buckets.table.covered_until[0])
    number, stop = buckets.before(first), buckets.before(last)
    open_end = to_end or last > until
    if number == stop and not open_end:
        return None
    start = buckets.start(number) if number < int(buckets.numbers[-1]) else min(first, until)
    end = None if open_end else buckets.end(stop - 1)
    return Span(None if from_origin else start, end, first, last, number)
