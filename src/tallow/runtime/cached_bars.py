"""One instrument's bars in the cache, with snapshots: kernel states from which a run can go on.

The last snapshot has seen all candles that were known; from there only what was appended is read.
The earlier ones are further and further apart: after a correction the run continues from the latest
one that had not seen the corrected candle, and the bars before stay as they are. So to append and
to correct are one operation; a candle older than every snapshot makes all be computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
import polars as pl

from tallow.core.arrays import Times
from tallow.core.calendars import Calendar
from tallow.core.limits import CUTS, QUERY_SPANS
from tallow.core.time import END_OF_TIME, from_us
from tallow.data.kernels import aggregate as bars
from tallow.data.reading.candles import ReadReport
from tallow.data.reading.schema import time_view
from tallow.data.reading.stamps import IF_STORED
from tallow.plan.plan import Plan
from tallow.runtime.batch import BarOptions
from tallow.runtime.cache import CachedValue, CacheOutcome, frame_bytes
from tallow.runtime.ranged import RangeRun, Read, Target
from tallow.runtime.ranges import Range
from tallow.runtime.results import RunReport
from tallow.runtime.run_snapshots import Snapshot, SparseSnapshots
from tallow.runtime.spans import Buckets, Span, span_of
from tallow.runtime.stored import StoredCandles


@dataclass(frozen=True)
class CachedBars:
    """Bars without a gap, as they were known at a moment; times in microseconds since 1970 UTC.

    Attributes
    ----------
    frame
        All bars whose candles lie in the span, the last one perhaps still forming.
    moment
        The receipt time up to which it knows the log.
    snapshots
        States to go on from; the last has seen every candle. None where the instrument had no
        candle yet.
    quarantine
        Candles off their grid; such bars are not kept.
    answers
        Bars and reports that were cut from these.
    """

    frame: pl.DataFrame
    span: Span
    moment: int
    snapshots: SparseSnapshots
    read: Read
    quarantine: pl.DataFrame
    answers: dict[Span, tuple[pl.DataFrame, RunReport]] = field(
        default_factory=dict, init=False, compare=False
    )

    @cached_property
    def opens(self) -> Times:
        """When the bars open, int64; a view."""
        return time_view(self.frame)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the bars and the states."""
        return frame_bytes(self.frame) + self.snapshots.nbytes

    def cut(self, span: Span) -> pl.DataFrame:
        """Return the bars of a span within this one, without a copy of their columns."""
        low, high = np.searchsorted(self.opens, (span.first, span.last)).tolist()
        return self.frame.slice(low, high - low)

    def reaches(self, span: Span) -> bool:
        """Say whether every candle of a span that begins within this one has been seen."""
        end = self.span.end
        return end is None or (span.end is not None and span.end <= end)

    def leads_to(self, span: Span) -> bool:
        """Say whether a span begins within this one, or where this one ends."""
        begin, end = self.span.start, self.span.end
        if begin is not None and (span.start is None or span.start < begin):
            return False
        return end is None or span.start is None or span.start <= end

    def holds(self, span: Span, moment: int) -> bool:
        """Say whether the bars of a span are here, as they are known at a receipt time."""
        return self.moment >= moment and self.leads_to(span) and self.reaches(span)

    def keep_answer(self, span: Span, answer: tuple[pl.DataFrame, RunReport]) -> None:
        """Keep a span's bars and report: they share this one's memory, and go with it."""
        if len(self.answers) >= CUTS:
            self.answers.clear()
        self.answers[span] = answer

    def is_untouched(self, earliest: int | None) -> bool:
        """Say whether changes from a timestamp on leave these bars as they are."""
        newest = self.snapshots.before(END_OF_TIME)
        if earliest is None or newest is None:
            return earliest is None
        end = self.span.end
        # Later candles decide whether the last bar is final, where its own do not.
        is_sure = bool(newest.state[bars.CLOSES] <= newest.state[bars.LAST_END])
        return end is not None and earliest >= end and is_sure

    def known_at(self, moment: int) -> CachedBars:
        """Return these bars, which nothing has touched until a later moment."""
        return self if moment <= self.moment else replace(self, moment=moment)


@dataclass(frozen=True, eq=False)
class Kind:
    """What kept bars are of: these indicators on these bars of one calendar.

    `identity` says all that the values depend on, but the candles.
    """

    plan: Plan
    options: BarOptions
    calendar: Calendar
    buckets: Buckets
    source_buckets: Buckets
    identity: Hashable

    def target(self, span: Span) -> Target:
        """Return what is wanted of an instrument; only the span's end limits the last bars."""
        whole = replace(span, last=END_OF_TIME)
        return Target(self.calendar, self.buckets, self.source_buckets, whole)


@lru_cache(maxsize=QUERY_SPANS)
def span_of_kind(kind: Kind, wanted: Range) -> Span | None:
    """Return the span of a range's bars of a kind; None where the range is empty."""
    limits = wanted.limits(kind.calendar)
    if limits[0] >= limits[1]:
        # A date and an instant before it.
        return None
    return span_of(kind.buckets, limits, wanted.start is None, wanted.end is None)


def extend_or_repair(
    kept: CachedBars,
    kind: Kind,
    name: str,
    span: Span,
    candles: StoredCandles,
    make: Callable[[], RangeRun],
) -> CachedValue[CachedBars] | None:
    """Return bars that hold a span, from those that are kept; None where these do not help."""
    if not kept.leads_to(span):
        return None
    earliest = None
    if kept.moment < candles.known_until:
        # Else another thread has looked later than this one.
        earliest = candles.changed_between([name], kept.moment).get(name)
        if earliest is not None and kind.options.source.minutes != 1:
            # A row beside another one of its period changes what that one was counted as.
            earliest = kind.source_buckets.period_start(earliest)
    reaches = kept.reaches(span)
    if reaches and kept.is_untouched(earliest):
        return CachedValue(kept.known_at(candles.known_until), CacheOutcome.HIT)
    start = kept.snapshots.before(END_OF_TIME if earliest is None else earliest)
    if start is None:
        return None
    target = kind.target(replace(kept.span, end=kept.span.end if reaches else span.end))
    longer = resume_from(kept, start, make(), name, target)
    if longer is None:
        return None
    was_last = start is kept.snapshots.before(END_OF_TIME)
    return CachedValue(longer, CacheOutcome.EXTENSION if was_last else CacheOutcome.REPAIR)


def bars_of(run: RangeRun, name: str, span: Span) -> CachedBars:
    """Return what a run, which noted its snapshots, made of one instrument's span."""
    assert run.snapshots is not None
    frame = run.frames[0] if run.frames else run.make_run().empty_frame()
    snapshots = SparseSnapshots(tuple(run.snapshots.get(name, ())))
    moment = run.candles.known_until
    return CachedBars(_in_one_piece(frame, name), span, moment, snapshots, run.read, run.quarantine)


def resume_from(
    kept: CachedBars, start: Snapshot, run: RangeRun, name: str, target: Target
) -> CachedBars | None:
    """Return kept bars, made longer or repaired from one of their snapshots on.

    None where a new candle makes its instrument fail: a run of its own reports that.
    """
    run.go_on([name], {name: start}, target)
    if run.failures or len(run.quarantine):
        return None
    later = bars_of(run, name, target.span)
    stay = kept.frame.head(int(np.searchsorted(kept.opens, _first_open(start))))
    return replace(
        later,
        frame=_in_one_piece(stay.vstack(later.frame), name),
        snapshots=kept.snapshots.forget(start.boundary).put(later.snapshots.kept),
        read=kept.read.plus(later.read),
    )


def _in_one_piece(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return an instrument's bars with one chunk a column.

    Names of joined pieces would keep the texts of each of them, of 4 kB at least (Polars 2.1.0).
    """
    names = pl.Series("instrument", [name], pl.String).new_from_index(0, len(frame))
    return frame.with_columns(names).rechunk()


def _first_open(snapshot: Snapshot) -> int:
    """Return the open of the first bar that a run from a snapshot on gives."""
    has_bar = snapshot.state[bars.HAS_BAR] != 0.0
    return int(snapshot.state[bars.OPENS]) if has_bar else snapshot.boundary


def report_of(
    read: Read, instruments: int, failures: dict[str, str], quarantine: pl.DataFrame, bars: int
) -> RunReport:
    """Return the report of bars made of what was read from a store."""
    rows = read.counts.rows
    report = ReadReport(
        rows_in=rows,
        accepted=rows,
        repeated=0,
        quarantined=0,
        by_rule={},
        sources=("store",),
        ignored_columns=(),
        instruments=instruments,
        first=None if read.first is None else from_us(read.first),
        last=None if read.last is None else from_us(read.last),
    )
    hint = read.stamps.hint(IF_STORED)
    return RunReport(report, read.counts, bars, failures, quarantine, hint=hint)
