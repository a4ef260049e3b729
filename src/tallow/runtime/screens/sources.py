"""Where the bars of a screen come from: candles that are given, or a store as it was known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from tallow.core.errors import EmptyWarning, RangeError
from tallow.core.spec import Spec
from tallow.core.time import DAY_US, MINUTE_US, from_us, now_us, to_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.adjust import ADJUSTMENTS
from tallow.data.reading.candles import Candles
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.plan.plan import make_plan
from tallow.screens.known import LaterReceipts, candles_known

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries


_EARLY = "no bars: of whom is asked, the input has no candle before that moment"


class Source(Protocol):
    """Bars by timeframe, as they were known at a moment.

    Attributes
    ----------
    size
        How long the candles last.
    until
        Bars are closed that end by then, microseconds.
    is_present
        Whether nothing is known after that moment: what is open then is open still.
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
    is_present: bool
    notes: tuple[str, ...]
    why_empty: str
    quarantined: int

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked, until when, and as known when."""

    def fetch(
        self, timeframe: str, specs: Sequence[Spec], start: int | None, names: Sequence[str] | None
    ) -> pl.DataFrame:
        """Return bars; see `tallow.runtime.screens.bars.Fetch`."""
        ...

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, by the keys of the instruments."""
        ...

    def sharing(self) -> AbstractContextManager[None]:
        """Return in what bars of several timeframes are fetched."""
        ...

    def instruments(self) -> Sequence[str]:
        """Return all instruments there are."""
        ...


class GivenSource:
    """Candles in memory."""

    has_receipts, is_whole = False, False

    def __init__(self, process: Callable[..., Any], candles: Candles) -> None:
        self._process, self._candles, self.size = process, candles, candles.source_timeframe
        self._names: list[str] | None = None
        self.until, self.is_present, self.notes = 0, True, tuple[str, ...]()
        self.why_empty, self.quarantined = "", 0

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked, and until when."""
        if known_at is not None:
            raise RangeError(
                f"screen: known_at={from_us(known_at).isoformat()}; candles that are given know no "
                "receipts; ask a store, or leave it out"
            )
        self._names = None if names is None else list(names)
        self.is_present = until is None
        last = self._candles.report.last
        newest = 0 if last is None else to_us(last)
        self.until = until if until is not None else newest + _length_us(self.size)

    def fetch(
        self, timeframe: str, specs: Sequence[Spec], start: int | None, names: Sequence[str] | None
    ) -> pl.DataFrame:
        """Return bars of the candles that open before `until`."""
        time = pl.col("timestamp").to_physical()
        rows = self._candles.frame.filter(time < self.until)
        wanted = self._names if names is None else list(names)
        asking = (self._process, rows, timeframe, specs, start, wanted)
        found = _made(*asking, self.until, self.size)
        own = rows if wanted is None else rows.filter(pl.col("instrument").is_in(wanted))
        self.quarantined = max(self.quarantined, found.report.quarantine.n_unique())
        is_early = own.is_empty() and not self._candles.frame.is_empty()
        self.why_empty = _EARLY if is_early else found.report.why_empty
        bars: pl.DataFrame = found.frame
        return bars

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant."""
        return find_universe(given)

    def sharing(self) -> AbstractContextManager[None]:
        """Return nothing of note: the candles are in memory."""
        return nullcontext()

    def instruments(self) -> Sequence[str]:
        """Return all instruments of the candles."""
        found: list[str] = self._candles.frame["instrument"].unique().sort().to_list()
        return found


class StoreSource:
    """The candles of a store.

    Those of instruments whose later versions were received after the moment are read from the log;
    all others are queried, as they are what they were.
    """

    has_receipts, is_whole = True, False

    def __init__(
        self,
        process: Callable[..., Any],
        query: Callable[..., Any],
        queries: StoreQueries,
        size: str | Timeframe,
        adjustment: str,
    ) -> None:
        self._process, self._query, self._queries = process, query, queries
        self.size, self._adjustment = parse_timeframe(size), adjustment
        self._names: list[str] | None = None
        self._known_at: int | None = None
        self._later = LaterReceipts(0, 0, ())
        self.until, self.is_present, self.notes = 0, True, tuple[str, ...]()
        self.why_empty, self.quarantined = "", 0

    def begin(self, names: Sequence[str] | None, until: int | None, known_at: int | None) -> None:
        """Take of whom is asked, until when, and as known when."""
        now = now_us()
        if known_at is not None and known_at < now:
            # Nothing counts as known before it closes.
            until = known_at if until is None else min(until, known_at)
        self.is_present = until is None
        # What is about the present is about the newest candles.
        last = self._queries.store.stats().last
        newest = now if last is None else min(now, last + _length_us(self.size))
        self._names = None if names is None else list(names)
        self.until = newest if until is None else min(until, now)
        self._known_at = known_at
        if self._known_at is None or self._adjustment in ADJUSTMENTS:
            return
        kind = (self.size.text, self._adjustment)
        state = self._queries.store.state()
        self._later = LaterReceipts.of(
            state, names, kind, self._known_at, self.until, self._queries.joined()
        )
        self.notes = self._later.sentences()

    def fetch(
        self, timeframe: str, specs: Sequence[Spec], start: int | None, names: Sequence[str] | None
    ) -> pl.DataFrame:
        """Return bars of the candles as they were known."""
        wanted = self._names if names is None else list(names)
        others = set(self._later.instruments)
        is_compared = bool(others) and bool(make_plan(list(specs)).phases)
        if is_compared:
            # What compares instruments depends on the rows of all.
            others |= set(self.instruments())
        frame = self._queried(timeframe, specs, start, wanted)
        affected = sorted(others if wanted is None else others.intersection(wanted))
        if not affected:
            return frame
        kind, state = (self.size.text, self._adjustment), self._queries.store.state()
        read = sorted(others) if is_compared else affected
        moments = (self._known_at or 0, self.until)
        candles = candles_known(state, read, kind, *moments, self._queries.joined())
        asking = (self._process, candles, timeframe, specs, start, affected)
        own: pl.DataFrame = _made(*asking, self.until, self.size).frame
        rest = frame.filter(~pl.col("instrument").is_in(affected))
        return pl.concat([rest, own.select(rest.columns)]).sort("instrument", maintain_order=True)

    def _queried(
        self,
        timeframe: str,
        specs: Sequence[Spec],
        start: int | None,
        names: list[str] | None,
    ) -> pl.DataFrame:
        is_adjusted = self._adjustment in ADJUSTMENTS
        known = self._known_at if is_adjusted else None
        with _silent():
            found = self._query(
                names,
                timeframe,
                None if start is None else from_us(start),
                None if self.is_present else from_us(self.until),
                list(specs),
                None if known is None else from_us(known),
                final_at=from_us(self.until),
                source_timeframe=self.size,
                adjustment=self._adjustment,
            )
        self.why_empty = found.report.why_empty
        self.quarantined = max(self.quarantined, found.report.quarantine.n_unique())
        bars: pl.DataFrame = found.frame
        return bars.drop("open_interest", strict=False)

    def universe(self, given: str | Path | Universe | None) -> Universe | None:
        """Return the universe that is meant, as it is known now, with keys for symbols."""
        universes = self._queries.store.universes
        found = find_universe(given, universes)
        return None if found is None else universes.by_keys(found)

    def sharing(self) -> AbstractContextManager[None]:
        """Let timeframes read the rows that they have in common once."""
        return self._queries.sharing_reads()

    def instruments(self) -> Sequence[str]:
        """Return all instruments of the store."""
        return self._queries.names(self.size.text, self._adjustment)


def _made(
    process: Callable[..., Any],
    candles: pl.DataFrame,
    timeframe: str,
    specs: Sequence[Spec],
    start: int | None,
    names: Sequence[str] | None,
    until: int,
    size: Timeframe,
) -> Any:
    """Return what is made of candles of a size; who has none of them yet has no bar."""
    if names is not None:
        there = set(candles["instrument"].unique())
        names = [name for name in names if name in there]
        candles = candles if names else candles.clear()
    limits: Any = {
        "start": None if start is None else from_us(start),
        "instruments": names or None,
        "final_at": from_us(until),
        "source_timeframe": size,
    }
    with _silent():
        return process(candles, timeframe, list(specs), **limits)


def _length_us(size: Timeframe) -> int:
    return size.minutes * MINUTE_US if size.minutes else DAY_US


@contextmanager
def _silent() -> Iterator[None]:
    """Let answers without a bar be no warning: a screen says so itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyWarning)
        yield
