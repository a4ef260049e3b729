"""What clients ask of bars: the parameters of a request, and the bounds that they are held to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from tallow.core.errors import ParameterError
from tallow.core.text import counted
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.store.reader import StoreState
from tallow.engine import AnalyticsEngine
from tallow.plan.plan import make_plan
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.ranges import Range
from tallow.runtime.spans import calendar_buckets
from tallow.service.limits import (
    ANSWER_CANDLES_MAX,
    ANSWER_VALUES_MAX,
    ASKED_CHARACTERS_MAX,
    ASKED_INSTRUMENTS_MAX,
    PAGE_ROWS,
    PAGE_ROWS_MAX,
    PAGE_VALUES_MAX,
)

Text = Annotated[str, Field(max_length=ASKED_CHARACTERS_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=1_024)]


class BarsQuestion(BaseModel):
    """Bars of a range: the parameters that are asked of one instrument and of many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframe: Text = Field("5m", description="How long a bar lasts.", examples=["5m"])
    indicators: Text = Field(
        "default",
        description="Indicators as text, separated by commas; nothing for the bars alone.",
        examples=["ema(9), rsi(14)"],
    )
    start: Text | None = Field(
        None,
        description="A date (a session, included), `today`, `-5d`, or a time; of the venue's zone.",
        examples=["2025-07-17"],
    )
    end: Text | None = Field(
        None,
        description="As `start`; a date is included, a time is not.",
        examples=["2025-07-18"],
    )
    known_at: Text | None = Field(
        None, description="Answer by what the store knew then, and which bars had ended."
    )
    source_timeframe: Text = Field("1m", description="How long the candles last.")
    adjustment: Text = Field("raw", description="Which prices the candles have.")
    limit: int | None = Field(
        None,
        ge=1,
        le=PAGE_ROWS_MAX,
        description=f"Most bars of a page; {PAGE_ROWS:,}, or fewer of many columns.",
        examples=[500],
    )
    cursor: Text | None = Field(
        None, description="Where the next page begins: `next` of the page before."
    )


class ManyQuestion(BarsQuestion):
    """Bars of several instruments, or of the members of a universe."""

    instrument: tuple[Name, ...] = Field(
        (),
        max_length=ASKED_INSTRUMENTS_MAX,
        description="Whose bars; may be given again.",
    )
    universe: Name | None = Field(
        None, description="A stored universe: bars of its members on their dates."
    )


def require_named(asked: ManyQuestion) -> None:
    """Raise `ParameterError` if neither instruments nor a universe are named."""
    if not asked.instrument and asked.universe is None:
        raise ParameterError(
            "candles: no instrument, and no universe; one of them must be named; for all "
            "instruments, keep a universe of them"
        )


def page_rows(asked: BarsQuestion, columns: int) -> int:
    """Return how many bars a page has; `ParameterError` if that is too much for their columns."""
    most = PAGE_VALUES_MAX // columns
    if asked.limit is None:
        return min(PAGE_ROWS, most)
    if asked.limit > most:
        raise ParameterError(
            f"limit: {asked.limit}; must be at most {most:,} where each bar has "
            f"{counted(columns, 'value')}; ask for fewer rows or indicators"
        )
    return asked.limit


def require_bounded(
    engine: AnalyticsEngine,
    asked: BarsQuestion,
    wanted: Range,
    state: StoreState,
    instruments: int,
) -> int:
    """Return of how many candles an answer is made at most, before anything is read for it.

    `ParameterError` if it would be too large.
    """
    size, source = parse_timeframe(asked.timeframe), parse_timeframe(asked.source_timeframe)
    plan = make_plan(asked.indicators, engine.convention, BAR_COLUMNS)
    columns = len(BAR_COLUMNS) + len(plan.outputs)
    page_rows(asked, columns)
    bars = instruments * _buckets(engine, size, source, wanted, state)
    candles = instruments * _buckets(engine, source, source, wanted, state)
    for what, number, most in (
        ("values", bars * columns, ANSWER_VALUES_MAX),
        ("candles", candles, ANSWER_CANDLES_MAX),
    ):
        if number > most:
            raise ParameterError(
                f"candles: start={asked.start}, end={asked.end}; up to {number:,} {what}; must be "
                f"at most {most:,}; ask for a shorter range, fewer instruments or indicators"
            )
    return candles


def _buckets(
    engine: AnalyticsEngine,
    size: Timeframe,
    source: Timeframe,
    wanted: Range,
    state: StoreState,
) -> int:
    """Return how many buckets a range has at most, of those in which a store has candles."""
    first, last = state.view().ends() or (BEGIN_OF_TIME, END_OF_TIME)
    most = 0
    for calendar in engine.calendars.calendars:
        low, high = wanted.limits(calendar)
        buckets = calendar_buckets(calendar, size, source)
        inside = buckets.before(min(high, last + 1)) - buckets.before(max(low, first))
        most = max(most, inside)
    return most


def said(asked: BarsQuestion, *without: str) -> dict[str, Any]:
    """Return the parameters that a client gave, but for some."""
    given = asked.model_dump(exclude_unset=True, exclude_none=True)
    return {name: value for name, value in given.items() if name not in without}


def names_of(asked: BarsQuestion, instrument: str | None) -> Sequence[str] | None:
    """Return the instruments that are asked for by name."""
    if instrument is not None:
        return (instrument,)
    return asked.instrument or None if isinstance(asked, ManyQuestion) else None
