"""Coverage of what a store holds: `tallow.data.coverage.sessions`, some instruments at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.calendars import Calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import RangeError, near_matches
from tallow.core.limits import COVERAGE_ROWS
from tallow.core.moments import DaysAgo, Limit
from tallow.core.time import to_us
from tallow.data.coverage.candle_index import daily_at_most
from tallow.data.coverage.days import session_start
from tallow.data.coverage.missing import SEGMENT_SCHEMA, missing_segments
from tallow.data.coverage.sessions import COVERAGE_SCHEMA, coverage
from tallow.data.joins import JoinedHistories
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.schema import TIME_TYPE
from tallow.data.store.store import Store
from tallow.data.universe import Universe
from tallow.data.universe_joins import with_joins

Progress = Callable[[int, int], None]
"""Called with the instruments done and the instruments in all."""

_AROUND = timedelta(days=2)
"""A session's rows lie within this of its date in UTC, wherever on earth it is."""


@dataclass(frozen=True)
class StoredSeries:
    """Which candles of a store are looked at; `now` in microseconds since 1970 UTC.

    `start` and `end` are those of `coverage.sessions` and `coverage.missing`; `instruments`
    are all that the store has of the kind, if they are None, but for those that ended and go on
    under another key: the candles of predecessors are an instrument's own (`tallow.data.joins`).
    With `known_at`, in microseconds too, they are those that the store knew at that moment.

    Of a `universe`, the sessions on whose dates an instrument is a member count, and the members
    that the store has; `unknown_members` are the others.
    """

    store: Store
    calendars: CalendarAssignment
    now: int
    source_timeframe: str = "1m"
    adjustment: str = "raw"
    start: Limit | None = None
    end: Limit | None = None
    instruments: Sequence[str] | None = None
    progress: Progress | None = None
    known_at: int | None = None
    universe: Universe | None = None

    def coverage(self) -> pl.DataFrame:
        """Count candles per instrument and session; see `tallow.data.coverage.sessions.coverage`.

        Reads all candles before `end`: what an instrument did before shows which are fillers.
        Errors as there; also a `RangeError` if the store has no candles of an instrument.
        """
        known = self._known()
        self._require_known(known)
        parts = [pl.DataFrame(schema=COVERAGE_SCHEMA)]
        parts += (
            coverage(self._read(names, None), instruments=names, **self._wanted)
            for names in self._groups(known)
        )
        found = pl.concat(parts)
        if self._members is None:
            return found
        is_member = self._members.is_member(found["instrument"], found["session"])
        return found.filter(pl.Series(is_member))

    def missing(
        self, longest: timedelta | None = None, asked: pl.DataFrame | None = None
    ) -> pl.DataFrame:
        """Return what must be fetched; see `tallow.data.coverage.missing.missing_segments`."""
        known = self._known()
        parts = [pl.DataFrame(schema=SEGMENT_SCHEMA)]
        for names in self._groups(known):
            # To go on from the last candles, they are all it takes.
            last = known.filter(pl.col("instrument").is_in(names))["last"].min()
            since = last if self.start is None else _instant(self.start, -_AROUND)
            candles = self._read(names, since)  # type: ignore[arg-type]
            both = (_spans_of(asked), self._no_members(names))
            given = [each for each in both if each is not None]
            found = missing_segments(
                candles,
                instruments=names,
                longest=longest,
                asked=pl.concat(given) if given else None,
                **self._wanted,
            )
            parts.append(found)
        return pl.concat(parts)

    @property
    def _wanted(self) -> dict[str, Any]:
        """The arguments of both functions."""
        names = ("calendars", "now", "source_timeframe", "start", "end")
        return {name: getattr(self, name) for name in names}

    def other_kinds(self) -> str:
        """Say which candles the store has; nothing where it has those of this kind."""
        size = daily_at_most(self.source_timeframe).text
        return self.store.other_kinds(size, self.adjustment)

    def _known(self) -> pl.DataFrame:
        """Return the store's series of this kind that are asked for."""
        size = daily_at_most(self.source_timeframe).text
        return self.store.series().filter(
            pl.col("timeframe") == size, pl.col("adjustment") == self.adjustment
        )

    @property
    def unknown_members(self) -> list[str]:
        """The members that the store has no such candles of, sorted."""
        listed = frozenset() if self._listed is None else self._listed.instruments
        size = daily_at_most(self.source_timeframe).text
        return sorted(listed.difference(self.store.names(size, self.adjustment)))

    @cached_property
    def _listed(self) -> Universe | None:
        """The universe with keys for symbols."""
        return None if self.universe is None else self.store.universes.by_keys(self.universe)

    @cached_property
    def _members(self) -> Universe | None:
        return self._listed and with_joins(self._listed, self._joined, self.calendars)

    def _no_members(self, names: Sequence[str]) -> pl.DataFrame | None:
        """Return from when to when instruments are no members; None without a universe."""
        if self._members is None:
            return None
        found = []
        for name, place in zip(names, self.calendars.indices(names).tolist(), strict=True):
            if place >= 0:
                spans = self._members.intervals(name)
                found += [(name, *each) for each in _around(self.calendars.calendars[place], spans)]
        return _spans_of(pl.DataFrame(found, _SPANS, orient="row"))

    def _require_known(self, known: pl.DataFrame) -> None:
        names = known["instrument"].to_list()
        if self._listed is not None:
            self._listed.require_among(names, "the store")
        for name in self.instruments or ():
            if name not in names:
                hint = near_matches(name, names) if names else self.other_kinds()
                raise RangeError(
                    f"instrument: {name!r}; not in the store at {self.source_timeframe} "
                    f"{self.adjustment}; {hint}"
                )

    def _groups(self, known: pl.DataFrame) -> Iterator[list[str]]:
        """Yield names, sorted, a bounded number of candles at a time."""
        counts = dict(known.select("instrument", "candles").iter_rows())
        given = self.instruments
        wanted = counts.keys() - self._joined.ended_keys(counts) if given is None else set(given)
        names = sorted(wanted if self._members is None else wanted & self._members.instruments)
        group: list[str] = []
        rows = 0
        for done, name in enumerate(names):
            rows += counts.get(name, 0)
            if group and rows > COVERAGE_ROWS:
                yield group
                group, rows = [], counts.get(name, 0)
                if self.progress is not None:
                    self.progress(done, len(names))
            group.append(name)
        if group:
            yield group

    @cached_property
    def _joined(self) -> JoinedHistories:
        return JoinedHistories.of(self.store.actions.joins(self.known_at), self.calendars)

    def _read(self, names: Sequence[str], since: datetime | None) -> pl.DataFrame:
        until = _instant(self.end, _AROUND)
        start = None if since is None else to_us(since)
        end = None if until is None else to_us(until)
        read = partial(
            self.store.read,
            source_timeframe=self.source_timeframe,
            adjustment=self.adjustment,
            known_at=self.known_at,
        )
        return self._joined.read(names, start, end, lambda keys, a, b: read(keys, start=a, end=b))


_SPANS = {"instrument": pl.String(), "start": pl.Int64(), "end": pl.Int64()}


def _spans_of(rows: pl.DataFrame | None) -> pl.DataFrame | None:
    """Return spans of instruments, as `missing_segments` takes them."""
    if rows is None:
        return None
    return rows.select("instrument", *(pl.col(name).cast(TIME_TYPE) for name in ("start", "end")))


def _around(
    calendar: Calendar, intervals: Sequence[tuple[date | None, date | None]]
) -> list[tuple[int, int]]:
    """Return from when to when it is none of some intervals of dates, in microseconds."""
    ends = [TIME_MIN_US]
    for first, last in intervals:
        opens = TIME_MIN_US if first is None else session_start(calendar, first, TIME_MAX_US)
        closes = TIME_MAX_US
        if last is not None:
            closes = session_start(calendar, last, TIME_MAX_US, after=True)
        ends += [opens, closes]
    ends.append(TIME_MAX_US)
    return list(zip(ends[::2], ends[1::2], strict=True))


def _instant(limit: Limit | None, apart: timedelta) -> datetime | None:
    """Return an instant that lies so far apart from a limit, taken for one of UTC."""
    if limit is None:
        return None
    if isinstance(limit, DaysAgo):
        # Today is another date in UTC.
        limit, apart = limit.date_in(ZoneInfo("UTC")), apart * 2
    if not isinstance(limit, datetime):
        limit = datetime.combine(limit, time())
    try:
        return (limit if limit.tzinfo else limit.replace(tzinfo=UTC)) + apart
    except OverflowError:
        return (
            datetime(9999, 12, 31, tzinfo=UTC)
            if apart > timedelta(0)
            else datetime(1, 1, 1, tzinfo=UTC)
        )
