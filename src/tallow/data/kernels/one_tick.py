"""One tick and the candle of its minute, in every timeframe, in one compiled call."""

from __future__ import annotations

import numpy as np

from tallow.core.entries import counts_at, floats_at, integers_at, table_at
from tallow.core.kernel import kernel_part, kernel_quick
from tallow.data.kernels.machine import FIELDS, LOOK, take_kept
from tallow.data.kernels.machine import SPARE as SPARE_OF_LAYOUT
from tallow.data.kernels.tick_book import FIRST, LAST, Book, Clock, Out, move_one
from tallow.data.kernels.tick_minutes import FOLDED, add_sorted, open_from, verdict
from tallow.data.kernels.tick_order import (
    PEAK,
    PRICE,
    SEQUENCE,
    SESSION,
    TIME,
    TOTAL,
    TRADED,
    Ticks,
    before,
    is_among,
)

(WHOLE, REAL, POOL, SPANS, INSTRUMENTS, BASE, BEGUN, USED, NOW, GRACE, KEPT) = range(11)
(OUT_WHOLE, OUT_REAL, MINUTES, SPARE, BOOK_NUMBERS) = range(11, 16)
"""Places in the layout of a book, int64: addresses of the ticks, which have so much room, of the
spans of so many instruments, of their bases and flags; how much of the room is used; the clock;
addresses of an `Out` of so many minutes, and of memory for a tick, `TICK_NUMBERS`."""

TICK_NUMBERS = 7

MADE = 4
"""What became of a tick, besides what a candle was: it made minutes, which are to be passed on."""


@kernel_part
def _book(given):  # type: ignore[no-untyped-def]
    room, count = given[POOL], given[INSTRUMENTS]
    return Book(
        Ticks(counts_at(given[WHOLE], 2, room), table_at(given[REAL], 5, room)),
        counts_at(given[SPANS], count, 6),
        table_at(given[BASE], count, 2),
        integers_at(given[BEGUN], count),
    )


@kernel_part
def _add(given, number, tick, cumulative, out):  # type: ignore[no-untyped-def]
    """Add a tick that is later than all that are kept of its instrument.

    Returns how many minutes are written; -1 where something about it asks for a closer look: it is
    the first of its instrument, or of a session of totals, or late, or repeated, or breaks a rule,
    or there is no room.
    """
    if number >= given[INSTRUMENTS]:
        return -1
    book, clock = _book(given), Clock(given[NOW], given[GRACE], given[KEPT])
    span, kept = book.spans[number], book.ticks
    first, last = span[FIRST], span[LAST]
    if first == last or verdict(tick, 0, cumulative, span, clock) != FOLDED:
        return -1
    if cumulative and kept.real[SESSION, last - 1] != tick.real[SESSION, 0]:
        return -1
    was = open_from(span, clock)
    if tick.whole[TIME, 0] < was or before(tick, 0, kept, last - 1):
        return -1
    if is_among(kept, first, last, tick, 0):
        return -1
    used = move_one(book, number, 1, given[USED])
    if used < 0:
        return -1
    given[USED] = used
    return add_sorted(number, tick, 1, book, np.nan, was, clock, out, 0)


@kernel_quick
def take_tick(  # type: ignore[no-untyped-def]
    layout,
    given,
    number,
    time,
    sequence,
    price,
    quantity,
    session,
    cumulative,
    now,
    revision,
):
    """Add a tick to its minute, and take that as a candle in every timeframe; see `take_kept`.

    Returns what it was, how many rows have changed, and how many operations raised. `LOOK`: nothing
    has changed, as something about the tick asks for a closer look. `MADE`: instead of rows, how
    many minutes it changed or closed, which are to be passed on.

    Parameters
    ----------
    layout, given
        Addresses of a layout of `tallow.data.kernels.machine`, or 0, and of one of a book.
    number, time, sequence, price, quantity, session, cumulative
        As `tallow.data.ticks.TickBuilder.add` takes them.
    now, revision
        As there.
    """
    book = integers_at(given, BOOK_NUMBERS)
    tick = Ticks(counts_at(book[SPARE], 2, 1), table_at(book[SPARE] + 16, 5, 1))
    tick.whole[TIME, 0], tick.whole[SEQUENCE, 0] = time, sequence
    tick.real[PRICE, 0], tick.real[SESSION, 0] = price, session
    tick.real[TRADED, 0] = 0.0 if cumulative else quantity
    tick.real[TOTAL, 0] = quantity if cumulative else -1.0
    tick.real[PEAK, 0] = np.nan
    minutes = book[MINUTES]
    made = Out(counts_at(book[OUT_WHOLE], 5, minutes), table_at(book[OUT_REAL], 5, minutes))
    many = _add(book, number, tick, cumulative, made)
    if many < 0:
        return LOOK, 0, 0
    others = 0
    for k in range(many - 1):
        others += made.whole[4, k]
    if layout == 0 or others:
        return MADE, many, 0
    candle, last = (
        floats_at(integers_at(layout, SPARE_OF_LAYOUT + 1)[SPARE_OF_LAYOUT], FIELDS),
        many - 1,
    )
    candle[0], candle[6] = made.whole[1, last], np.nan
    for field in range(5):
        candle[1 + field] = made.real[field, last]
    kind, rows, failed = take_kept(layout, number, now, revision)
    return (MADE, many, 0) if kind == LOOK else (kind, rows, failed)
