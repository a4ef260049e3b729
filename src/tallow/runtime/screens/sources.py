"""Where the bars of a screen come from: candles that are given, or a store as it was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import RangeError, without_empty_warnings
from tallow.core.time import DAY_US, MINUTE_US, from_us, nearest_datetime, now_us, to_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.candles import Candles
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.plan.plan import make_plan
from tallow.runtime.questions import QueryAnswer, Question
from tallow.runtime.ranges import Range
from tallow.runtime.screens.bars import BarRequest, closed_candles, panel_of, panels_of
from tallow.runtime.shared_reads import SharedReads
from tallow.screens.known import LaterReceipts
from tallow.screens.needs import TimeframeNeeds
from tallow.screens.panels import Panel

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries
    from tallow.runtime.requests import CandleRequests, InputKeywords
    from tallow.runtime.results import ProcessingResult, RunReport


_EARLY = "no bars: of whom is asked, the input has no candle before that moment"


class Source(Protocol):
    """Bars by timeframe, as they were known at a moment.

    Attributes
    ----------
    size
        How long the candles last.
    until
        Bars are closed that end by then, microseconds.
    has_receipts, is_whole
        Whether it is known when candles came; whether all bars there are come at once.
    notes
        What a person should know.
    why_empty
        Why there is no bar that was asked for last; empty where there is one.
    quarantined
        How many rows break a rule, such as the grid of their timeframe, and are in no bar.
    """

    has_receipts: bool
    is_whole: bool
    size: Timeframe
    until: int
    notes: tuple[str, ...]
    why_empty: str
    quarantined: int

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked, until when, and as known when."""

    def panels(
        self,
        needs: Mapping[str | None, TimeframeNeeds],
        base: str,
        first: int | None,
        calendars: CalendarAssignment,
    ) -> dict[str, Panel]:
        """Return the panels to judge base bars that open at a moment or later; None is all."""
        ...

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, by the keys of the instruments."""
        ...

    def instruments(self) -> Sequence[str]:
        """Return all instruments there are, each once, sorted."""
        ...


class FrameSource(Source, Protocol):
    """Bars that are fetched as frames."""

    def fetch(self, wanted: Sequence[BarRequest]) -> list[pl.DataFrame]:
        """Return bars; see `tallow.runtime.screens.bars.Fetch`."""
        ...

    def panels(
        self,
        needs: Mapping[str | None, TimeframeNeeds],
        base: str,
        first: int | None,
        calendars: CalendarAssignment,
    ) -> dict[str, Panel]:
        """Return the panels to judge base bars that open at a moment or later."""
        make = partial(panel_of, source=self.size, calendars=calendars, until=self.until)
        return panels_of(needs, base, first, self.fetch, make, calendars, self.size)


class GivenSource(FrameSource):
    """Candles in memory."""

    has_receipts, is_whole = False, False

    def __init__(self, requests: CandleRequests, candles: Candles, what: str = "screen") -> None:
        self._requests, self._candles, self.size = requests, candles, candles.source_timeframe
        self._what = what
        self._rows = candles.frame
        self._instruments: list[str] = candles.frame["instrument"].unique().sort().to_list()
        self._names: list[str] | None = None
        self.until, self.notes = 0, tuple[str, ...]()
        self.why_empty, self.quarantined = "", 0

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked, and until when."""
        if known_at is not None:
            given = from_us(known_at).isoformat()
            raise RangeError(
                f"{self._what}: known_at={given}; candles that are given know no receipts; ask a "
                "store, or leave it out"
            )
        self._names = None if names is None else list(names)
        last = self._candles.report.last
        newest = 0 if last is None else to_us(last)
        self.until = until if until is not None else newest + _length_us(self.size)
        if until is not None:
            where = (self.size, self._requests.calendars, until)
            self._rows = closed_candles(self._candles.frame, *where)

    def fetch(self, wanted: Sequence[BarRequest]) -> list[pl.DataFrame]:
        """Return bars of the candles that have ended by `until`."""
        return [self._bars(each) for each in wanted]

    def _bars(self, wanted: BarRequest) -> pl.DataFrame:
        names = self._names if wanted.names is None else list(wanted.names)
        made_of = (self._rows, wanted, names, self.instruments())
        found = _made(self._requests, *made_of, self.until, self.size)
        own = self._rows
        own = own if names is None else own.filter(pl.col("instrument").is_in(names))
        self.quarantined = max(self.quarantined, found.report.quarantine.n_unique())
        is_early = own.is_empty() and not self._candles.frame.is_empty()
        self.why_empty = _EARLY if is_early else found.report.why_empty
        bars: pl.DataFrame = found.frame
        return bars

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant."""
        return find_universe(given)

    def instruments(self) -> Sequence[str]:
        """Return all instruments of the candles."""
        return self._instruments


class StoreSource(FrameSource):
    """The candles of a store.

    Those of instruments whose later versions were received after the moment are read as they were
    known; all others are queried, as they are what they were.
    """

    has_receipts, is_whole = True, False

    def __init__(
        self,
        requests: CandleRequests,
        queries: StoreQueries,
        size: str | Timeframe,
        adjustment: str,
    ) -> None:
        self._requests, self._queries, self._bars = requests, queries, queries.bars
        self._state, self._reads = queries.store.state(), SharedReads()
        self.size, self._adjustment = parse_timeframe(size), adjustment
        self._kind = (self.size.text, adjustment)
        self._known: dict[tuple[str, ...], pl.DataFrame] = {}
        self._names: list[str] | None = None
        self._known_at: int | None = None
        self._later = LaterReceipts()
        self.until, self._is_present, self.notes = 0, True, tuple[str, ...]()
        self.why_empty, self.quarantined = "", 0

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked, until when, and as known when."""
        now = now_us()
        if known_at is not None and known_at < now:
            # Nothing counts as known before it closes.
            until = known_at if until is None else min(until, known_at)
        # What is open at the present is open still.
        self._is_present = until is None
        # What is about the present is about the newest candles.
        last = self._state.last_time()
        newest = now if last is None else min(now, last + _length_us(self.size))
        self._names = None if names is None else list(names)
        self.until = newest if until is None else min(until, now)
        self._known_at = known_at
        if known_at is not None:
            moments, joined = (known_at, self.until), self._bars.facts.joined(self._state)
            self._later = LaterReceipts.of(self._state, names, self._kind, moments, joined)
            self.notes = self._later.sentences()

    def fetch(self, wanted: Sequence[BarRequest]) -> list[pl.DataFrame]:
        """Return bars of the candles as they were known."""
        shares = [self._shares(each) for each in wanted]
        asked = [
            self._question(each, queried)
            for each, (queried, _) in zip(wanted, shares, strict=True)
            if queried is None or queried
        ]
        asking = (self._state, self._reads)
        answers = iter(self._queries.ask_together(asked, *asking) if asked else ())
        found: list[pl.DataFrame] = []
        reports: list[RunReport] = []
        for each, (queried, known) in zip(wanted, shares, strict=True):
            parts: list[QueryAnswer | ProcessingResult] = []
            if queried is None or queried:
                parts.append(next(answers))
            if known:
                parts.append(self._of_known(each, known))
            reports += [part.report for part in parts]
            bars = pl.concat([part.frame.drop("open_interest", strict=False) for part in parts])
            found.append(bars.sort("instrument", maintain_order=True) if parts[1:] else bars)
        self._note(reports, is_all=any(each.names is None for each in wanted))
        return found

    def _note(self, reports: Sequence[RunReport], *, is_all: bool) -> None:
        """Note what reports say; of some instruments that have bars, nothing is missing."""
        if is_all:
            whys = [report.why_empty for report in reports]
            self.why_empty = "" if "" in whys else next(iter(whys), "")
        taken_out = [report.quarantine.n_unique() for report in reports]
        self.quarantined = max([self.quarantined, *taken_out])

    def _shares(self, wanted: BarRequest) -> tuple[list[str] | None, list[str]]:
        """Return of whom bars are queried, None is all; and of whom candles are read as known."""
        names = self._names if wanted.names is None else list(wanted.names)
        affected = self._later.instruments
        if not affected:
            return names, []
        among = sorted(self.instruments() if names is None else names)
        if self._is_compared(wanted):
            return [], among
        return sorted({*among}.difference(affected)), sorted({*among}.intersection(affected))

    def _is_compared(self, wanted: BarRequest) -> bool:
        """Say whether values depend on the rows of all instruments."""
        return bool(make_plan(list(wanted.specs)).phases)

    def _question(self, wanted: BarRequest, names: list[str] | None) -> Question:
        start = None if wanted.start is None else from_us(wanted.start)
        end = None if self._is_present else from_us(self.until)
        return Question(
            Range.of(start, end, names),
            parse_timeframe(wanted.timeframe),
            self.size,
            self._adjustment,
            tuple(wanted.specs),
            self._queries.convention,
            known_at=None,
            final_at=self.until,
            seen_at=None if self._is_present else self.until,
            # What takes effect with the next session has not happened at the end of this one.
            in_effect_at=None if self._known_at is None else self._known_at - 1,
        )

    def _of_known(self, wanted: BarRequest, names: list[str]) -> ProcessingResult:
        """Return what is made of candles as they were known."""
        read = tuple(self.instruments() if self._is_compared(wanted) else names)
        if read not in self._known:
            assert self._known_at is not None
            moments = (self._known_at, self.until)
            found = self._bars.candles_known(self._state, read, self._kind, *moments)
            self._known[read] = closed_candles(found, self.size, self._bars.calendars, self.until)
        made_of = (self._known[read], wanted, names, self.instruments())
        return _made(self._requests, *made_of, self.until, self.size)

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, as it is known now, with keys for symbols."""
        universes = self._queries.store.universes
        found = find_universe(given, universes)
        return None if found is None else universes.by_keys(found)

    def instruments(self) -> Sequence[str]:
        """Return all instruments of the store."""
        return self._bars.names(self._kind, self._state)


def _made(
    requests: CandleRequests,
    candles: pl.DataFrame,
    wanted: BarRequest,
    names: Sequence[str] | None,
    peers: Sequence[str],
    until: int,
    size: Timeframe,
) -> ProcessingResult:
    """Return what is made of candles of a size; who has none of them yet has no bar."""
    if names is not None:
        there = set(candles["instrument"].unique())
        names = [name for name in names if name in there]
        candles = candles if names else candles.clear()
    start = None if wanted.start is None else from_us(wanted.start)
    over = Range.of(start, None, names or None)
    reading: InputKeywords = {"source_timeframe": size}
    asked = (candles, reading, wanted.timeframe, tuple(wanted.specs), over)
    with without_empty_warnings():
        (made,) = requests.to_frames(*asked, nearest_datetime(until), peers=peers).values()
    return made


def _length_us(size: Timeframe) -> int:
    return size.minutes * MINUTE_US if size.minutes else DAY_US
