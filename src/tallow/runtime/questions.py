"""What is asked of a store, read from what a caller gave; and what it is answered."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from tallow.core.errors import RangeError
from tallow.core.moments import Moment, is_relative
from tallow.core.spec import Spec
from tallow.core.time import from_us, now_us
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.universe import Universe
from tallow.data.universe_files import StoredLists, find_universe
from tallow.plan.plan import Plan
from tallow.runtime.cache import CacheOutcome, frame_bytes
from tallow.runtime.cached_bars import Kind
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.results import RunReport
from tallow.runtime.spans import Span

Indicators = str | tuple[str | Spec, ...]


@dataclass(frozen=True)
class Question:
    """What is asked of a store; moments are in microseconds since 1970 UTC.

    `known_at` is None for now, `final_at` for what the candles themselves say. By `seen_at` the
    candles have closed that count, None for all; by `in_effect_at` the actions have happened, which
    is `known_at` where it is None.
    """

    wanted: Range
    timeframe: Timeframe
    source: Timeframe
    adjustment: str
    indicators: Indicators
    convention: str
    known_at: int | None
    final_at: int | None
    seen_at: int | None = None
    in_effect_at: int | None = None

    def now(self, clock: int) -> int:
        """Return by when actions have happened, where the clock says a moment."""
        known = clock if self.known_at is None else self.known_at
        return known if self.in_effect_at is None else self.in_effect_at


Asked = tuple[
    str | tuple[str, ...] | None,
    str | Timeframe,
    Moment | None,
    Moment | None,
    Indicators,
    str | datetime | None,
    str | datetime | None,
    str | Timeframe,
    str,
    str | Universe | None,
]
"""The words of a question: instruments, timeframe, start, end, indicators, known_at, final_at,
source timeframe, adjustment, and a universe or the name of a stored one."""


def may_be_asked_again(asked: Asked) -> bool:
    """Say whether equal words ask the same, now and tomorrow.

    Datetimes may be equal an hour apart, in autumn.
    """
    return not any(isinstance(each, datetime) or is_relative(each) for each in asked)


def read_question(
    instruments: str | tuple[str, ...] | None,
    timeframe: str | Timeframe,
    start: Moment | None,
    end: Moment | None,
    indicators: Indicators,
    known_at: str | datetime | None,
    final_at: str | datetime | None,
    source: str | Timeframe,
    adjustment: str,
    universe: str | Universe | None,
    convention: str,
    stored: StoredLists,
) -> Question:
    """Return a question; errors are those of `tallow.AnalyticsEngine.query`."""
    known = None if known_at is None else moment_us("known_at", known_at)
    final = known if final_at is None else moment_us("final_at", final_at)
    _require_known(final, known)
    return Question(
        Range.of(start, end, instruments, find_universe(universe, stored, known)),
        parse_timeframe(timeframe),
        parse_timeframe(source),
        adjustment,
        indicators,
        convention,
        known,
        final,
    )


def _require_known(final: int | None, known: int | None) -> None:
    """Raise `RangeError` if bars shall be final by a moment about which nothing is known yet."""
    until = now_us() if known is None else known
    if final is not None and final > until:
        rule = "now" if known is None else f"known_at={from_us(known).isoformat()}"
        raise RangeError(
            f"query: final_at={from_us(final).isoformat()}; must not be later than {rule}: what "
            "comes in between is not known; give an earlier one"
        )


class QueryAnswer(NamedTuple):
    """The bars of a question, where their candles went, and how they came about."""

    frame: pl.DataFrame
    report: RunReport
    outcome: CacheOutcome


Answer = tuple[pl.DataFrame, RunReport]
"""The bars of a question, and where their candles went."""


@dataclass(frozen=True)
class WholeAnswers:
    """Answers to questions that were asked together.

    Of which state of the store, and of how many actions in effect.
    """

    revision: Hashable
    answers: Sequence[Answer]

    @property
    def nbytes(self) -> int:
        """Bytes of the bars."""
        return sum(frame_bytes(frame) for frame, _ in self.answers)


class OneInstrument(NamedTuple):
    """Where the bars of one instrument are kept, and which of them are wanted."""

    name: str
    kind: Kind
    span: Span
    interest: bool
    key: Hashable


class Ready(NamedTuple):
    """A question as it was read in one state of the store, with the indicators that there were."""

    token: Hashable
    indicators: object
    question: Question
    plan: Plan
    one: OneInstrument | None
