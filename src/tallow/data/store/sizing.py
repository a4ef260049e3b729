"""How long the candles of a write last, where nobody says it; and whether what is said is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from tallow.core.errors import CandleInputError, StoreError, warn_caller
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.assumptions import read_as_given
from tallow.data.reading.candles import Candles
from tallow.data.reading.readers import read_candles, read_unsized
from tallow.data.reading.session_rows import (
    STEPS_MIN,
    TOO_FEW,
    CalendarName,
    StepCounts,
    assigned,
    require_steps,
)
from tallow.data.store.log import LOG_ORDER, Selection
from tallow.data.store.reader import StoreReader


def read_sized(
    candles: Any, said: str | Timeframe | None, calendar: CalendarName, store: StoreReader
) -> tuple[Candles, tuple[str, ...]]:
    """Return candles of a certain timeframe, and what was not said of them but is known.

    `CandleInputError` if it is not said and their steps do not tell, or tell of another one than
    that of what the store has of an instrument; `TimeframeError` if they contradict what is said.
    Other errors are those of `read_candles`.
    """
    if said is None and not isinstance(candles, Candles):
        return _find_size(candles, calendar, store)
    size = None if said is None else parse_timeframe(said)
    read: Candles = read_as_given(read_candles, candles, source_timeframe=size, calendar=calendar)
    if size is not None and read.source_timeframe != size:
        raise StoreError(
            f"store: source_timeframe={said}; these candles were read as "
            f"{read.source_timeframe.text}; read them with read_candles(candles, "
            f"source_timeframe={size.text!r})"
        )
    require_steps("store", read.frame, read.source_timeframe, calendar)
    return read, ()


def _find_size(
    candles: Any, calendar: CalendarName, store: StoreReader
) -> tuple[Candles, tuple[str, ...]]:
    if getattr(candles, "shape", (STEPS_MIN + 1,))[0] <= STEPS_MIN:
        return _as_one_minute(candles, calendar)
    read: Candles = read_as_given(read_unsized, candles, calendar)
    steps = StepCounts.of([read.frame], assigned(calendar))
    if steps.together is None:
        return _as_one_minute(candles, calendar)
    size = steps.timeframe
    if size is None:
        raise CandleInputError(_asking(steps.doubt()))
    require_stored(size, read.frame["instrument"].unique().to_list(), store)
    # Whatever their length is, whole minutes are read by the same rules.
    return replace(read, source_timeframe=size), (steps.sentence(),)


def _as_one_minute(candles: Any, calendar: CalendarName) -> tuple[Candles, tuple[str, ...]]:
    """Read candles as they were read before steps were looked at, with a warning."""
    warn_caller(f"{_asking(TOO_FEW)}; until the next version these are taken as candles of 1m")
    return read_as_given(read_candles, candles, calendar=calendar), ()


def _asking(doubt: str) -> str:
    return (
        f"store: source_timeframe=None; how long candles last is not said; {doubt}give it, such as "
        'source_timeframe="1m"'
    )


def require_stored(size: Timeframe, instruments: Sequence[str], store: StoreReader) -> None:
    """Raise `CandleInputError` where a store has candles of an instrument, but of other minutes."""
    selection = Selection(tuple(sorted(instruments)), None, None)
    rows = store.view().scan(selection, LOG_ORDER).select("instrument", "timeframe").unique()
    minutes = [text for text in rows["timeframe"].unique() if _is_of_minutes(text)]
    for (name,), own in rows.filter(pl.col("timeframe").is_in(minutes)).group_by("instrument"):
        known = sorted(own["timeframe"])
        if size.text not in known:
            raise CandleInputError(
                f"store: source_timeframe=None; steps within sessions are of {size}, and the store "
                f"has candles of {', '.join(known)} for {name!r}; they must agree; give "
                f'source_timeframe="{size}" if these are of their own'
            )


def _is_of_minutes(text: str) -> bool:
    return text.endswith(("m", "h"))
