"""Where an explanation looks: a store, in one of its states, or candles that are given."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import EmptyWarning, RangeError
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.core.time import from_us, now_us
from tallow.core.timeframe import Timeframe
from tallow.data.adjust import ADJUSTMENTS, FACTOR_SCHEMA
from tallow.data.reading.candles import Candles
from tallow.data.reading.periods import noon_shifts
from tallow.data.reading.schema import CANDLE_SCHEMA, TIME_TYPE
from tallow.data.store.log import current_rows
from tallow.explain.bar_times import BarTimes
from tallow.explain.explanation import ExplainedKey, Origin
from tallow.plan.plan import Plan, make_plan
from tallow.runtime.adjusted import AdjustedCandles
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.batch import BarOptions
from tallow.runtime.cache import CacheOutcome
from tallow.runtime.questions import Question
from tallow.runtime.ranges import Range
from tallow.runtime.results import RunReport
from tallow.runtime.run_snapshots import RunSnapshots
from tallow.runtime.shared_reads import side_by_side
from tallow.runtime.stored import JoinedCandles

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries
    from tallow.runtime.requests import CandleRequests

LOGGED = ("key", "adjustment", "revision", "received_at", "source")
"""Columns beside those of candles that say how each came."""

_KNOWN_AS = {
    CacheOutcome.HIT: "hit",
    CacheOutcome.EXTENSION: "extension",
    CacheOutcome.REPAIR: "repair",
    CacheOutcome.MISS: "miss",
}


class BarAnswer(NamedTuple):
    """The bars that were asked for, what became of their candles, and how they came about."""

    frame: pl.DataFrame
    report: RunReport
    origin: Origin


class ExplainSource(Protocol):
    """Where bars and candles are looked up.

    Attributes
    ----------
    size
        How long the candles last.
    adjustment, notes
        Of which prices; and what a person should know.
    """

    size: Timeframe
    adjustment: str
    notes: tuple[str, ...]

    def find(self, instrument: str) -> str:
        """Return an instrument's key; `RangeError` where it is unknown."""
        ...

    def bar(self, name: str, size: Timeframe, times: BarTimes, specs: Sequence[Spec]) -> BarAnswer:
        """Return the bar with the columns of specs."""
        ...

    def history(self, name: str, size: Timeframe, times: BarTimes) -> pl.DataFrame:
        """Return all bars up to that one, without indicators."""
        ...

    def population(self, size: Timeframe, times: BarTimes, specs: Sequence[Spec]) -> pl.DataFrame:
        """Return the bars of all instruments that open with it."""
        ...

    def candles(self, name: str, times: BarTimes) -> pl.DataFrame:
        """Return the candles of its bucket: `CANDLE_SCHEMA` and `LOGGED`, as they came."""
        ...

    def entries(self, received: Sequence[int]) -> dict[int, int]:
        """Return the ledger's entries of receipts."""
        ...

    def factors(self, name: str) -> pl.DataFrame:
        """Return the factors of the prices; columns of `FACTOR_SCHEMA`."""
        ...

    def joins(self, name: str) -> tuple[ExplainedKey, ...]:
        """Return the keys that the instrument's history came under."""
        ...

    def quarantined(self, name: str, times: BarTimes) -> list[str]:
        """Say which rows of the bucket are quarantined, and why."""
        ...


@dataclass(frozen=True)
class LoggedCandles(JoinedCandles):
    """Candles with the columns `LOGGED`."""

    def _kept(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        kind = {"source_timeframe": self.timeframe, "adjustment": self.adjustment}
        log = self.store.log(names, **kind, start=start, end=end, known_at=self.known_until)
        rows = current_rows(log).with_columns(key=pl.col("instrument"))
        return rows.select(*CANDLE_SCHEMA, *LOGGED)


class StoredSource(ExplainSource):
    """A store's candles, as they were known at a moment; now, where that is None."""

    def __init__(
        self, queries: StoreQueries, size: Timeframe, adjustment: str, known_at: int | None
    ) -> None:
        self._queries, self._bars, self._state = queries, queries.bars, queries.store.state()
        self.size, self.adjustment, self._known_at = size, adjustment, known_at
        last = self._state.last_received()
        self._until = last if known_at is None else min(last, known_at)
        self.notes: tuple[str, ...] = ()

    def find(self, instrument: str) -> str:
        """Return an instrument's key, also of its symbol."""
        keys = self._queries.store.find_keys(instrument)
        known = self._bars.names((self.size.text, self.adjustment), self._state)
        instead = self._state.other_kinds(self.size.text, self.adjustment)
        Range.of(None, None, list(keys.names)).check_found(known, "the store", instead)
        self.notes = keys.notes
        return keys.names[0]

    def bar(self, name: str, size: Timeframe, times: BarTimes, specs: Sequence[Spec]) -> BarAnswer:
        """Return the bar as `AnalyticsEngine.query` does, from the cache where it is there."""
        begin, end = from_us(times.opens), from_us(times.opens + 1)
        known = None if self._known_at is None else from_us(self._known_at)
        rest = (size, begin, end, tuple(specs), known, None, self.size, self.adjustment, None)
        snapshot = self._snapshot(name, size, times, specs)
        answer, plan = self._queries.answer(((name,), *rest), self._state)
        cache = _KNOWN_AS[answer.outcome]
        is_new = answer.outcome is CacheOutcome.MISS
        went_on = from_us(snapshot) if is_new and snapshot is not None else None
        began = _began(plan, answer.outcome, went_on is not None)
        known_until = from_us(self._until) if self._until else None
        origin = Origin(cache, began, known_until, went_on)
        return BarAnswer(answer.frame, answer.report, origin)

    def _snapshot(
        self, name: str, size: Timeframe, times: BarTimes, specs: Sequence[Spec]
    ) -> int | None:
        """Return from which snapshot on disk a run would go on now."""
        plan = self._plan(specs)
        calendars = self._bars.calendars
        calendar = calendars.calendars[int(calendars.indices([name])[0])]
        options = BarOptions(size, self.size, calendars, self._bars.no_trade)
        if plan.history_rows is not None:
            return None
        kept = RunSnapshots(self._bars.snapshots, self._read, plan, options, calendar)
        found = kept.before([name], times.rows_from).get(name)
        return None if found is None else found.boundary

    def _plan(self, specs: Sequence[Spec]) -> Plan:
        return make_plan(tuple(specs), self._queries.convention, BAR_COLUMNS)

    def history(self, name: str, size: Timeframe, times: BarTimes) -> pl.DataFrame:
        """Return all bars up to that one; the cache is left as it is."""
        return self._made(Range.of(None, from_us(times.opens + 1), [name]), size, ())

    def population(self, size: Timeframe, times: BarTimes, specs: Sequence[Spec]) -> pl.DataFrame:
        """Return the bars of all instruments that open with it."""
        wanted = Range.of(from_us(times.opens), from_us(times.opens + 1), None)
        return self._made(wanted, size, specs)

    def _made(self, wanted: Range, size: Timeframe, specs: Sequence[Spec]) -> pl.DataFrame:
        question = self._question(wanted, size, specs)
        asked = (question, self._plan(specs), self._state, now_us(), None)
        ((frame, _),) = side_by_side([self._bars.making(*asked)])
        return frame

    def _question(self, wanted: Range, size: Timeframe, specs: Sequence[Spec]) -> Question:
        return Question(
            wanted,
            size,
            self.size,
            self.adjustment,
            tuple(specs),
            self._queries.convention,
            self._known_at,
            self._known_at,
        )

    @cached_property
    def _read(self) -> JoinedCandles:
        """The candles as queries read them."""
        question = self._question(Range.of(None, None, None), self.size, ())
        return self._bars.candles(question, self._state, question.now(now_us()))

    def _logged(self, adjustment: str) -> LoggedCandles:
        series = self._bars.series(self._state, (self.size.text, adjustment), self._until)
        return LoggedCandles(*series, self._read.joined)

    def candles(self, name: str, times: BarTimes) -> pl.DataFrame:
        """Return the candles of the bucket; of each time a raw one, where prices are adjusted."""
        kinds = [self.adjustment]
        if self.adjustment in ADJUSTMENTS:
            kinds = ["raw", self.adjustment, *(each for each in ADJUSTMENTS if each not in kinds)]
        limits = (times.rows_from, times.rows_until)
        read = [self._logged(kind).read([name], *limits) for kind in kinds]
        return (
            pl.concat(read).unique("timestamp", keep="first", maintain_order=True).sort("timestamp")
        )

    def entries(self, received: Sequence[int]) -> dict[int, int]:
        """Return the ledger's entries of receipts."""
        found = self._queries.store.ledger.entries_of(received)
        rows = found.select(pl.col("received_at").to_physical(), "id").iter_rows()
        return dict(rows)

    def factors(self, name: str) -> pl.DataFrame:
        """Return the factors of the actions that have happened."""
        if isinstance(self._read, AdjustedCandles):
            return self._read.factors([name])
        return pl.DataFrame(schema=FACTOR_SCHEMA)

    def joins(self, name: str) -> tuple[ExplainedKey, ...]:
        """Return the keys that the instrument's history came under."""
        pieces = self._read.joined.pieces.get(name, ())
        return tuple(
            ExplainedKey(
                piece.key,
                None if piece.start is None else from_us(piece.start),
                None if piece.end is None else from_us(piece.end),
            )
            for piece in pieces
        )

    def quarantined(self, name: str, times: BarTimes) -> list[str]:
        """Say which rows of the bucket are quarantined and not settled."""
        return _quarantined(self._queries.store.ledger.held(), name, times)


class GivenCandles(ExplainSource):
    """Candles in memory: they know no revisions, receipts or entries."""

    adjustment = "raw"

    def __init__(
        self, requests: CandleRequests, candles: Candles, calendars: CalendarAssignment
    ) -> None:
        self._requests, self._candles, self.size = requests, candles, candles.source_timeframe
        self._shifts = noon_shifts(calendars.calendars, self.size)
        self.notes = tuple[str, ...]()

    def find(self, instrument: str) -> str:
        """Return the instrument, which must be there."""
        known = self._candles.frame["instrument"].unique().sort().to_list()
        Range.of(None, None, instrument).check_found(known)
        return instrument

    def bar(self, name: str, size: Timeframe, times: BarTimes, specs: Sequence[Spec]) -> BarAnswer:
        """Return the bar; all before it are computed, too."""
        wanted = Range.of(from_us(times.opens), from_us(times.opens + 1), [name])
        found = self._ask(size, specs, wanted)
        began = "the kernels ran over all candles up to the bar"
        return BarAnswer(found.frame, found.report, Origin("none", began))

    def history(self, name: str, size: Timeframe, times: BarTimes) -> pl.DataFrame:
        """Return all bars up to that one."""
        frame: pl.DataFrame = self._ask(
            size, (), Range.of(None, from_us(times.opens + 1), [name])
        ).frame
        return frame

    def population(self, size: Timeframe, times: BarTimes, specs: Sequence[Spec]) -> pl.DataFrame:
        """Return the bars of all instruments that open with it."""
        wanted = Range.of(from_us(times.opens), from_us(times.opens + 1), None)
        frame: pl.DataFrame = self._ask(size, specs, wanted).frame
        return frame

    def _ask(self, size: Timeframe, specs: Sequence[Spec], wanted: Range) -> Any:
        given = replace(self._candles, native="polars")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EmptyWarning)
            asked = (size.text, tuple(specs), wanted, None)
            (made,) = self._requests.to_frames(given, {}, *asked).values()
        return made

    def candles(self, name: str, times: BarTimes) -> pl.DataFrame:
        """Return the candles of the bucket."""
        time = pl.col("timestamp").to_physical() + int(self._shifts.max())
        inside = (time >= times.rows_from) & (time < times.rows_until)
        source = ", ".join(self._candles.report.sources)
        return self._candles.frame.filter((pl.col("instrument") == name) & inside).select(
            *CANDLE_SCHEMA,
            key=pl.lit(name),
            adjustment=pl.lit("raw"),
            revision=pl.lit(None, pl.Int32),
            received_at=pl.lit(None, TIME_TYPE),
            source=pl.lit(source),
        )

    def entries(self, received: Sequence[int]) -> dict[int, int]:
        """Return nothing: there is no ledger."""
        return {}

    def factors(self, name: str) -> pl.DataFrame:
        """Return no factors: prices are as they came."""
        return pl.DataFrame(schema=FACTOR_SCHEMA)

    def joins(self, name: str) -> tuple[ExplainedKey, ...]:
        """Return nothing: keys are as they came."""
        return ()

    def quarantined(self, name: str, times: BarTimes) -> list[str]:
        """Say which rows of the bucket are quarantined."""
        return _quarantined(self._candles.quarantine, name, times)


def _quarantined(rows: pl.DataFrame, name: str, times: BarTimes) -> list[str]:
    time = pl.col("timestamp").to_physical()
    inside = (time >= times.rows_from) & (time < times.rows_until)
    found = rows.filter((pl.col("instrument") == name) & inside)
    return [
        f"quarantined: {row['rule']}, {row['source']}"
        + ("" if row["row"] is None else f", row {row['row']}")
        for row in found.iter_rows(named=True)
    ]


def _began(plan: Plan, outcome: CacheOutcome, has_snapshot: bool) -> str:
    """Say with what the kernels began."""
    if outcome is CacheOutcome.HIT:
        return "the bars were there; no kernel ran"
    if outcome is CacheOutcome.EXTENSION:
        return "the kernels went on from the newest kept state over what was appended"
    if outcome is CacheOutcome.REPAIR:
        return "the kernels went on from a kept state before what was corrected"
    if plan.phases:
        return "the bars of all instruments were computed and compared"
    if plan.history_rows is not None:
        before = f" and {counted(plan.history_rows, 'bar')} before" if plan.history_rows else ""
        return f"computed from the bar's candles{before}: it depends on no others"
    if has_snapshot:
        return "the kernels went on from a snapshot on disk"
    return "the kernels ran from the instrument's first candle on"


def require_no_receipts(known_at: object) -> None:
    """Raise `RangeError` where candles that are given are asked by what was known."""
    if known_at is not None:
        raise RangeError(
            f"explain: known_at={known_at}; candles that are given know no receipts; ask a store, "
            "or leave it out"
        )
