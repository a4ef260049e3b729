"""What is asked of a store, read from what a caller gave; and what it is answered."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from tallow.core.moments import Moment, is_relative
from tallow.core.spec import Spec
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.plan.plan import Plan
from tallow.runtime.cache import CacheOutcome
from tallow.runtime.cached_bars import Kind
from tallow.runtime.ranges import Range, moment_us
from tallow.runtime.results import RunReport
from tallow.runtime.spans import Span

Indicators = str | tuple[str | Spec, ...]


@dataclass(frozen=True)
class Question:
    """What is asked of a store; `as_of` in microseconds since 1970 UTC, None for now."""

    wanted: Range
    timeframe: Timeframe
    source: Timeframe
    adjustment: str
    indicators: Indicators
    convention: str
    as_of: int | None


Asked = tuple[
    str | tuple[str, ...] | None,
    str | Timeframe,
    Moment | None,
    Moment | None,
    Indicators,
    str | datetime | None,
    str | Timeframe,
    str,
]
"""The words of a question: instruments, timeframe, start, end, indicators, as_of, source timeframe
and adjustment."""


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
    as_of: str | datetime | None,
    source: str | Timeframe,
    adjustment: str,
    convention: str,
) -> Question:
    """Return a question; errors are those of `tallow.AnalyticsEngine.query`."""
    return Question(
        Range.of(start, end, instruments),
        parse_timeframe(timeframe),
        parse_timeframe(source),
        adjustment,
        indicators,
        convention,
        None if as_of is None else moment_us("as_of", as_of),
    )


class QueryAnswer(NamedTuple):
    """The bars of a question, where their candles went, and how they came about."""

    frame: pl.DataFrame
    report: RunReport
    outcome: CacheOutcome


@dataclass(frozen=True)
class WholeAnswer:
    """An answer to one question; of which state of the store, and of how many actions in effect."""

    revision: Hashable
    frame: pl.DataFrame
    report: RunReport

    @property
    def nbytes(self) -> int:
        """Bytes of the bars."""
        return int(self.frame.estimated_size())


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
