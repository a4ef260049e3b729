"""Five-minute bars as the old system stores them, mark by mark, and other ways it makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from tallow.core.errors import EngineError
from tallow.migrate.legacy.aggregation import BAR, five_minute_bars
from tallow.migrate.legacy.answer import EMAS, fields
from tallow.migrate.legacy.candles import (
    Candle,
    LegacyRow,
    TimedValues,
    between,
    finite,
    in_india,
)
from tallow.migrate.legacy.kernels import BAND_LENGTH, bollinger, indicators
from tests.migrate.legacy.reading import DAY

STORED_EMAS = (5, 9, 20, 50)
OPEN, CLOSE = (9, 15), (15, 30)
LOOK_BACK = 19 * DAY
"""How far before a range the bands' own query reads: days, where bars are meant."""


def stored_at(minutes: Sequence[Candle], mark: int) -> list[LegacyRow]:
    """Return what is stored at a five-minute mark: the bar before it, and the mark's first minute.

    With a calendar day before it for warm-up, in which the bar's first minute counts twice. Where
    that makes fewer than 20 bars, all of them are stored, with zeros in place of indicators.
    """
    begin = mark - BAR
    window = between(minutes, begin, mark)
    known = five_minute_bars([*between(minutes, begin - DAY, begin), *window])[::-1]
    series = indicators(known, *STORED_EMAS)
    if len(known) < BAND_LENGTH:
        zeros = dict.fromkeys([*series, "lowest_bb_width"], 0.0)
        return [{**fields(bar), **zeros} for bar in reversed(known)]
    maps = {name: dict(values) for name, values in series.items()}
    return [
        {
            **fields(bar),
            **{name: finite(values.get(bar.timestamp, 0.0)) for name, values in maps.items()},
            "lowest_bb_width": 0.0,
        }
        for bar in five_minute_bars(window)
    ]


def stored_range(minutes: Sequence[Candle]) -> dict[int, LegacyRow]:
    """Return the table after every mark was visited, from the first minute to the last.

    The last mark that is visited leaves its bar at one minute, as no later one repairs it.
    """
    table: dict[int, LegacyRow] = {}
    first = -(-minutes[0].timestamp // BAR) * BAR
    for mark in range(first, minutes[-1].timestamp + 1, BAR):
        clock = in_india(mark)
        if OPEN <= (clock.hour, clock.minute) <= CLOSE:
            table |= {int(row["timestamp"]): row for row in stored_at(minutes, mark)}
    return table


def requested_window(start: int, end: int) -> tuple[int, int]:
    """Return the API's range for its parameters, of which 0 means not given.

    `EngineError` if only the start is given: the old system compares them before it sets the end.
    """
    if start > end:
        raise EngineError(f"legacy: start={start}, end={end}; must not be after the end; give both")
    return start or end - 7 * DAY, end


def batch_window(first: date, last: date) -> tuple[int, int]:
    """Return the minutes that a batch of days reads: from midnight UTC, so without its last day."""
    start, end = (datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp() for d in (first, last))
    return int(start), int(end)


def live_bars(minutes: Sequence[Candle]) -> Iterator[LegacyRow]:
    """Yield the bars of just these minutes, newest first, for the monitor.

    Neither rounded nor guarded, and without the normalized widths.
    """
    bars = five_minute_bars(minutes)[::-1]
    series = indicators(bars, *EMAS)
    maps = {name: dict(of) for name, of in series.items() if not name.startswith("bb_width_")}
    for bar in bars:
        yield {**fields(bar), **{name: of.get(bar.timestamp, 0.0) for name, of in maps.items()}}


def bands_of_range(
    candles: Sequence[Candle], start: int, end: int
) -> tuple[TimedValues, TimedValues, TimedValues]:
    """Return the bands from `start` on, or of all that was read where nothing is so late.

    The ascending candles go to a kernel that reverses, so each band is of a candle and the 19 later
    ones, and the last 19 are zero.
    """
    known = between(candles, start - LOOK_BACK, end)
    place = next((i for i, candle in enumerate(known) if candle.timestamp >= start), 0)
    upper, middle, lower = bollinger(known)
    return upper[place:], middle[place:], lower[place:]
