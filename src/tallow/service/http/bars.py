"""Bars of a range as pages: made in a reader's thread, of one state of the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tallow.core.errors import ParameterError
from tallow.core.time import END_OF_TIME, MINUTE_US, SECOND_US, from_us, now_us
from tallow.runtime.cache import CachedValue, CacheOutcome, IndicatorCache
from tallow.runtime.ranges import moment_us
from tallow.service.http.cursors import Cursor, digest_of, read_cursor, write_cursor
from tallow.service.http.questions import BarsQuestion, page_rows, said
from tallow.service.http.whole_bars import Whole, WholeQuestion, answer_whole, bounds_of
from tallow.service.limits import ANSWERS_BYTES, LONG_CANDLES
from tallow.service.service import Service


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


class LongAnswerError(Exception):
    """An answer takes so long that a worker is to make it.

    Attributes
    ----------
    question
        What to ask the worker.
    """

    def __init__(self, question: WholeQuestion) -> None:
        super().__init__()
        self.question = question


@dataclass
class PageWork:
    """A page that is being made: more than once, where a worker makes a part of it.

    Attributes
    ----------
    final_at
        Bars that had ended by this moment are final.
    known_at
        The moment of which all pages are, once one is not enough.
    made
        What workers made.
    """

    final_at: int
    known_at: int | None = None
    made: dict[WholeQuestion, Whole] = field(default_factory=dict)


class BarPages:
    """Answers questions about a service's bars, a page at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._wholes = IndicatorCache(ANSWERS_BYTES)

    def begin(self) -> PageWork:
        """Return the work on a page that is asked for now."""
        return PageWork(now_us() - round(self._service.live.grace * SECOND_US))

    def page(self, asked: BarsQuestion, instrument: str | None, work: PageWork) -> Page:
        """Return the page that is asked for.

        Raises
        ------
        LongAnswerError
            If a worker is to make a part of it: then put that into `work`, and ask again.
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
            whole = self._whole(asked, instrument, None, work.final_at, work)
            if len(whole.frame) <= page_rows(asked, whole.frame.width):
                return self._cut(asked, whole, Cursor(0, work.final_at, 0), digest)
            if work.known_at is None:
                work.known_at = self._service.store.last_received()
            cursor = Cursor(work.known_at, work.final_at, 0)
        return self._cut(asked, self._pinned(asked, instrument, cursor, work), cursor, digest)

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

    def _pinned(
        self, asked: BarsQuestion, instrument: str | None, cursor: Cursor, work: PageWork
    ) -> Whole:
        """Return an answer as it was known at a moment; kept while its pages are asked for."""
        store, (known_at, final_at, _) = self._service.store, cursor
        state = store.state()
        is_fixed = known_at <= state.last_received()
        revision = state.epoch if is_fixed else state.token()
        words = tuple(sorted(said(asked, "cursor", "limit", "known_at").items()))

        def calculate(kept: Whole | None) -> CachedValue[Whole]:
            if kept is not None:
                return CachedValue(kept, CacheOutcome.HIT)
            whole = self._whole(asked, instrument, known_at, final_at, work)
            return CachedValue(whole, CacheOutcome.MISS)

        key = (instrument, words, known_at, final_at, revision)
        whole, _, _ = self._wholes.get_or_calculate(key, calculate)
        return whole

    def _whole(
        self,
        asked: BarsQuestion,
        instrument: str | None,
        known_at: int | None,
        final_at: int,
        work: PageWork,
    ) -> Whole:
        """Return all bars: what a worker made of them, or those of few candles made here."""
        grace, engine = self._service.live.grace, self._service.engine
        question = WholeQuestion(asked, instrument, known_at, final_at, grace)
        if question in work.made:
            return work.made[question]
        within = bounds_of(engine, question)
        if within.candles > LONG_CANDLES:
            raise LongAnswerError(question)
        return answer_whole(engine, question, within)


def _past(moment: int) -> int:
    now = now_us()
    if moment > now + MINUTE_US:
        raise ParameterError(
            f"known_at: {from_us(moment).isoformat()}; must not be later than now: what comes in "
            "between is not known; give an earlier one, or none"
        )
    return min(moment, now)
