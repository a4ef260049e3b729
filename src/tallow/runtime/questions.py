"""What is asked of a store, read from what a caller gave; the same words are read once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from tallow.core.limits import QUERY_SPANS
from tallow.core.spec import Spec, parse_specs
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.runtime.ranges import Moment, Range, moment_us


@dataclass(frozen=True)
class Question:
    """What is asked of a store; `as_of` in microseconds since 1970 UTC, None for now."""

    wanted: Range
    timeframe: Timeframe
    source: Timeframe
    adjustment: str
    indicators: str | tuple[str | Spec, ...]
    convention: str
    as_of: int | None


def read_question(
    instruments: str | Sequence[str] | None,
    timeframe: str | Timeframe,
    start: Moment | None,
    end: Moment | None,
    indicators: str | Iterable[str | Spec],
    as_of: str | datetime | None,
    source: str | Timeframe,
    adjustment: str,
    convention: str,
) -> Question:
    """Return a question; errors are those of `tallow.AnalyticsEngine.query`."""
    names = tuple(instruments) if isinstance(instruments, list) else instruments
    specs = indicators if isinstance(indicators, str) else parse_specs(indicators, convention)
    # Two datetimes may be equal, and lie an hour apart where clocks go back; texts may not.
    is_text = not isinstance(start, datetime) and not isinstance(end, datetime)
    read = _read_again if is_text and not isinstance(as_of, datetime) else _read
    return read(names, timeframe, start, end, specs, as_of, source, adjustment, convention)


def _read(
    instruments: str | Sequence[str] | None,
    timeframe: str | Timeframe,
    start: Moment | None,
    end: Moment | None,
    indicators: str | tuple[str | Spec, ...],
    as_of: str | datetime | None,
    source: str | Timeframe,
    adjustment: str,
    convention: str,
) -> Question:
    return Question(
        Range.of(start, end, instruments),
        parse_timeframe(timeframe),
        parse_timeframe(source),
        adjustment,
        indicators,
        convention,
        None if as_of is None else moment_us("as_of", as_of),
    )


_read_again = lru_cache(maxsize=QUERY_SPANS)(_read)
