"""Bars of a range as pages: made in a reader's thread, of one state of the store."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl

import tallow
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, without_empty_warnings
from tallow.core.moments import is_relative
from tallow.core.time import END_OF_TIME, MINUTE_US, SECOND_US, from_us, now_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.schema import time_view
from tallow.data.universe import Universe
from tallow.runtime.batch import BarOptions
from tallow.runtime.cache import CachedValue, CacheOutcome, IndicatorCache
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.results import ProcessingResult, RunReport
from tallow.runtime.run_snapshots import run_identity
from tallow.runtime.spans import calendar_buckets
from tallow.service.http.cursors import Cursor, digest_of, read_cursor, write_cursor
from tallow.service.http.questions import (
    BarsQuestion,
    ManyQuestion,
    names_of,
    page_rows,
    require_bounded,
    said,
)
from tallow.service.limits import ANSWERS_BYTES
from tallow.service.service import Service

RELATIVE_SECONDS = 60
"""How long an answer holds whose range begins or ends so many days before today."""


@dataclass(frozen=True)
class Page:
    """A page of an answer.

    Attributes
    ----------
    frame
        Its bars.
    about
        What JSON says beside them.
    digest
        Of the whole answer and the page's place in it; strong where both are.
    until
        Until when the clock changes nothing.
    is_fixed
        Whether nothing that is written will change it.
    """

    frame: pl.DataFrame
    about: Mapping[str, Any]
    digest: str
    until: int
    is_fixed: bool


@dataclass(frozen=True)
class Whole:
    """All bars of an answer, and what is said of them; `until` is that of `Page`."""

    frame: pl.DataFrame
    about: dict[str, Any]
    digest: bytes
    until: int

    @property
    def nbytes(self) -> int:
        """Bytes of the bars."""
        return int(self.frame.estimated_size())


class BarPages:
    """Answers questions about a service's bars, a page at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._wholes = IndicatorCache(ANSWERS_BYTES)

    def page(self, asked: BarsQuestion, instrument: str | None) -> Page:
        """Return the page that is asked for.

        Raises
        ------
        TallowError
            As `tallow.AnalyticsEngine.query`; also if the answer, or the page, would be too large,
            or the cursor belongs to another question.
        """
        digest = digest_of((instrument, sorted(said(asked, "cursor", "limit").items())))
        cursor = None if asked.cursor is None else read_cursor(asked.cursor, digest)
        known = None if asked.known_at is None else _past(moment_us("known_at", asked.known_at))
        if cursor is None and known is not None:
            cursor = Cursor(known, known, 0)
        if cursor is None:
            final_at = now_us() - round(self._service.live.grace * SECOND_US)
            whole = self._whole(asked, instrument, None, final_at)
            if len(whole.frame) <= page_rows(asked, whole.frame.width):
                return self._cut(asked, whole, Cursor(0, final_at, 0), digest)
            cursor = Cursor(self._service.store.last_received(), final_at, 0)
        return self._cut(asked, self._pinned(asked, instrument, cursor), cursor, digest)

    def _cut(self, asked: BarsQuestion, whole: Whole, cursor: Cursor, digest: str) -> Page:
        """Return the bars of a whole answer from the cursor on."""
        rows = page_rows(asked, whole.frame.width)
        stop = cursor.row + rows
        has_more = stop < len(whole.frame)
        following = write_cursor(cursor._replace(row=stop), digest) if has_more else None
        known = from_us(cursor.known_at).isoformat() if cursor.known_at else None
        about = {"next": following, "known_at": known, **whole.about}
        page = hashlib.blake2b(whole.digest, digest_size=16)
        page.update(repr((cursor.row, rows)).encode())
        is_fixed = 0 < cursor.known_at <= self._service.store.last_received()
        # Without a cursor, the newest state is asked for again.
        is_fixed &= asked.cursor is not None or asked.known_at is not None
        until = END_OF_TIME if is_fixed else whole.until
        frame = whole.frame.slice(cursor.row, rows)
        return Page(frame, about, page.hexdigest(), until, is_fixed)

    def _pinned(self, asked: BarsQuestion, instrument: str | None, cursor: Cursor) -> Whole:
        """Return an answer as it was known at a moment; kept while its pages are asked for."""
        store, (known_at, final_at, _) = self._service.store, cursor
        state = store.state()
        is_fixed = known_at <= state.last_received()
        revision = state.epoch if is_fixed else state.token()
        words = tuple(sorted(said(asked, "cursor", "limit", "known_at").items()))

        def calculate(kept: Whole | None) -> CachedValue[Whole]:
            if kept is not None:
                return CachedValue(kept, CacheOutcome.HIT)
            whole = self._whole(asked, instrument, known_at, final_at)
            return CachedValue(whole, CacheOutcome.MISS)

        key = (instrument, words, known_at, final_at, revision)
        whole, _, _ = self._wholes.get_or_calculate(key, calculate)
        return whole

    def _whole(
        self, asked: BarsQuestion, instrument: str | None, known_at: int | None, final_at: int
    ) -> Whole:
        """Ask the engine, and let bars turn final that had ended by a moment."""
        engine, state = self._service.engine, self._service.store.state()
        names, universe = names_of(asked, instrument), self._universe(asked, known_at)
        wanted = Range.of(asked.start, asked.end, list(names or ()) or None, universe)
        wanted = wanted.checked(engine.calendars)
        count = len(names) if names else len(universe or ())
        require_bounded(engine, asked, wanted, state, count)
        final = None if known_at is None else from_us(min(final_at, known_at))
        with without_empty_warnings():
            result = engine.query(
                list(names) if names else None,
                asked.timeframe,
                asked.start,
                asked.end,
                asked.indicators,
                None if known_at is None else from_us(known_at),
                final_at=final,
                source_timeframe=asked.source_timeframe,
                adjustment=asked.adjustment,
                universe=universe,
            )
        return self._told(asked, result, final_at)

    def _told(self, asked: BarsQuestion, result: ProcessingResult, final_at: int) -> Whole:
        size, source = parse_timeframe(asked.timeframe), parse_timeframe(asked.source_timeframe)
        calendars = self._service.engine.calendars
        frame, until = turn_final(result.frame.rechunk(), calendars, size, source, final_at)
        if until != END_OF_TIME:
            until += round(self._service.live.grace * SECOND_US)
        if is_relative(asked.start) or is_relative(asked.end):
            until = min(until, now_us() + RELATIVE_SECONDS * SECOND_US)
        about = about_report(result.report)
        digest = hashlib.blake2b(orjson.dumps(about), digest_size=16)
        digest.update(self._versions(result, size, source))
        digest.update(_bytes_of(frame))
        return Whole(frame, about, digest.digest(), until)

    def _versions(self, result: ProcessingResult, size: Timeframe, source: Timeframe) -> bytes:
        """Return a digest of what makes the numbers, but the candles: versions, calendar facts."""
        engine = self._service.engine
        options = BarOptions(size, source, engine.calendars, engine.no_trade)
        parts = [tallow.__version__.encode()]
        parts += (
            run_identity(result.recipe.plan, options, calendar)
            for calendar in engine.calendars.calendars
        )
        return b"".join(parts)

    def _universe(self, asked: BarsQuestion, known_at: int | None) -> Universe | None:
        """Return a stored universe; a name is never that of a file of this machine."""
        if not isinstance(asked, ManyQuestion) or asked.universe is None:
            return None
        return self._service.store.universes.read(asked.universe, known_at)


def turn_final(
    frame: pl.DataFrame,
    calendars: CalendarAssignment,
    size: Timeframe,
    source: Timeframe,
    moment: int,
) -> tuple[pl.DataFrame, int]:
    """Return bars of which those are final, too, that ended by a moment; and when the next ends.

    `END_OF_TIME` where none is left that is not final.
    """
    final = frame["is_final"].to_numpy()
    forming = np.flatnonzero(~final)
    if not len(forming):
        return frame, END_OF_TIME
    rows = frame[forming]
    opens, places = time_view(rows), calendars.indices(rows["instrument"].to_list())
    ends = np.full(len(rows), END_OF_TIME)
    for place in np.unique(places[places >= 0]):
        own = places == place
        buckets = calendar_buckets(calendars.calendars[int(place)], size, source)
        ends[own] = buckets.ends_of(opens[own])
    final = final.copy()
    final[forming] = ends <= moment
    until = int(ends[ends > moment].min(initial=END_OF_TIME))
    return frame.with_columns(pl.Series("is_final", final)), until


def about_report(report: RunReport) -> dict[str, Any]:
    """Return what a report says of an answer, as JSON has it."""
    return {
        "why_empty": report.why_empty,
        "failures": dict(report.failures),
        "notes": [*report.notes, *(report.universe.sentences() if report.universe else ())],
        "assumed": report.assumed,
        "hint": report.hint,
    }


def _bytes_of(frame: pl.DataFrame) -> memoryview:
    written = io.BytesIO()
    frame.write_ipc_stream(written)
    return written.getbuffer()


def _past(moment: int) -> int:
    now = now_us()
    if moment > now + MINUTE_US:
        raise ParameterError(
            f"known_at: {from_us(moment).isoformat()}; must not be later than now: what comes in "
            "between is not known; give an earlier one, or none"
        )
    return min(moment, now)
