"""Ticks kept in order, and the minutes they make: the compiled part of `tallow.data.ticks`."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import numpy as np

from tallow.core.arrays import Codes, Floats, Ints, Times
from tallow.core.kernel import kernel, kernel_part
from tallow.core.limits import (
    CALENDAR_FIRST_DATE,
    CALENDAR_LAST_DATE,
    LIVE_AHEAD_SECONDS,
    TICKS_KEPT_MAX,
)
from tallow.core.time import MINUTE_US, SECOND_US, to_us
from tallow.data.kernels.aggregate import first_after
from tallow.data.kernels.tick_book import (
    FIRST,
    HORIZON,
    LAST,
    NEVER,
    NEWEST,
    Book,
    Clock,
    Out,
)
from tallow.data.kernels.tick_order import (
    PEAK,
    PRICE,
    SESSION,
    TIME,
    TOTAL,
    TRADED,
    Ticks,
    copy,
    is_among,
    merge,
    place_of,
    sort,
)

OUTCOMES = (
    "folded",
    "late",
    "repeated",
    "time_out_of_range",
    "price_missing",
    "volume_missing",
    "volume_negative",
    "no_session",
    "too_late",
)
"""What became of a tick: `late` ones changed a closed minute; those after `repeated` were refused.

Where candles have the same rule, in `tallow.data.reading.rules`, it has the same name.
"""

FOLDED, LATE, REPEATED, BAD_TIME, NO_PRICE, NO_QUANTITY, NEGATIVE, NO_SESSION, TOO_LATE = range(9)


def _midnight_us(day: date) -> int:
    return to_us(datetime.combine(day, time(), UTC))


TIME_FIRST_US = _midnight_us(CALENDAR_FIRST_DATE)
TIME_LAST_US = _midnight_us(CALENDAR_LAST_DATE)
"""Times outside are seconds, milliseconds or nanoseconds taken for microseconds, or nonsense."""

AHEAD_US = LIVE_AHEAD_SECONDS * SECOND_US


@kernel_part
def _minute(us: int) -> int:
    return us - us % MINUTE_US


@kernel_part
def _now(span: Ints, clock: Clock) -> int:
    """Return an instrument's now: the clock's where one is set, else its newest tick's time.

    A clock that stands still trails the newest tick by `AHEAD_US` at most, or nothing would close.
    """
    if clock.now == NEVER:
        return int(span[NEWEST])
    return int(max(clock.now, span[NEWEST] - AHEAD_US))


@kernel
def open_from(span: Ints, clock: Clock) -> int:
    """Return from which minute on an instrument's minutes are not closed."""
    return _minute(_now(span, clock) - clock.grace)


@kernel_part
def _newest(time: Times, span: Ints, clock: Clock) -> int:
    """Return the time of an instrument's newest tick, as far as it can be believed.

    Without a clock nothing tells wrong stamps and a quiet market apart: a tick that no other one is
    near closes and refuses nothing, until a later one comes.
    """
    last = span[LAST] - 1
    newest = time[last]
    if clock.now != NEVER:
        return int(newest)
    while last >= span[FIRST] and time[last] == newest:
        last -= 1
    if last < span[FIRST]:
        return NEVER
    return int(newest if newest - time[last] <= AHEAD_US else time[last])


@kernel_part
def _horizon(span: Ints, clock: Clock) -> int:
    """Return from which minute on an instrument takes ticks."""
    return int(max(span[HORIZON], _minute(_now(span, clock)) - clock.kept))


@kernel_part
def verdict(ticks: Ticks, q: int, cumulative: bool, span: Ints, clock: Clock) -> int:
    """Return the first reason to refuse a tick, or `FOLDED`."""
    time, price, session = ticks.whole[TIME, q], ticks.real[PRICE, q], ticks.real[SESSION, q]
    quantity = ticks.real[TOTAL if cumulative else TRADED, q]
    if not TIME_FIRST_US <= time <= TIME_LAST_US:
        return BAD_TIME
    if not -np.inf < price < np.inf:
        return NO_PRICE
    if not -np.inf < quantity < np.inf:
        return NO_QUANTITY
    if quantity < 0.0:
        return NEGATIVE
    if cumulative and session != session:
        return NO_SESSION
    return TOO_LATE if time < _horizon(span, clock) else FOLDED


@kernel
def group(
    instrument: Ints,
    ticks: Ticks,
    cumulative: bool,
    book: Book,
    clock: Clock,
    outcome: Codes,
    order: Ints,
    ends: Ints,
) -> None:
    """Judge each tick, and list the good ones in `order`, by instrument and as they came.

    Instrument ``i``'s are ``order[ends[i]:ends[i + 1]]``.
    """
    for q in range(len(instrument)):
        i = instrument[q]
        outcome[q] = verdict(ticks, q, cumulative, book.spans[i], clock)
        if outcome[q] == FOLDED:
            ends[i + 1] += 1
    for i in range(len(ends) - 1):
        ends[i + 1] += ends[i]
    place = ends.copy()
    for q in range(len(instrument)):
        if outcome[q] == FOLDED:
            order[place[instrument[q]]] = q
            place[instrument[q]] += 1


@kernel_part
def _sift(
    ticks: Ticks, order: Ints, kept: Ticks, span: Ints, closed: int, fresh: Ticks, outcome: Codes
) -> int:
    """Copy one instrument's sorted ticks to `fresh`, without repeats; return how many there are.

    Ticks of minutes before `closed` are marked late.
    """
    count = 0
    for q in order:
        place = place_of(kept, span[FIRST], span[LAST], ticks, q)
        if is_among(kept, span[FIRST], place, ticks, q) or is_among(fresh, 0, count, ticks, q):
            outcome[q] = REPEATED
            continue
        outcome[q] = LATE if ticks.whole[TIME, q] < closed else FOLDED
        copy(ticks, q, fresh, count)
        count += 1
    return count


@kernel_part
def _walk(
    i: int,
    book: Book,
    base_was: float,
    start: int,
    until: int,
    was: int,
    closed: int,
    out: Out,
    n: int,
) -> int:
    """Rebuild an instrument's minutes, write those that changed or closed, return `n` after them.

    From the minute of `start` to that before `until`, and on as far as a changed total reaches.
    Minutes before `was` were closed before, those before `closed` are now. Of ticks that were here
    before, the peaks still say what the minutes were: nothing else has to be remembered of them
    but `base_was`, the base's peak, NaN where it is the same.
    """
    ticks, last = book.ticks, book.spans[i, LAST]
    time = ticks.whole[TIME]
    k = first_after(time, book.spans[i, FIRST], last, start - 1)
    session, peak = book.base[i, 0], book.base[i, 1]
    peak_was = peak
    if k > book.spans[i, FIRST]:
        session, peak = ticks.real[SESSION, k - 1], ticks.real[PEAK, k - 1]
        peak_was = peak
    elif base_was == base_was:
        peak_was = base_was
    while k < last and (time[k] < until or peak != peak_was):
        if ticks.real[SESSION, k] != session:
            session, peak, peak_was = ticks.real[SESSION, k], 0.0, 0.0
        minute, before, before_was = _minute(time[k]), peak, peak_was
        opened = high = low = close = ticks.real[PRICE, k]
        volume, falls, falls_were, renewed = 0.0, 0, 0, False
        while k < last and time[k] < minute + MINUTE_US:
            close, total, stored = ticks.real[PRICE, k], ticks.real[TOTAL, k], ticks.real[PEAK, k]
            high, low = max(high, close), min(low, close)
            volume += ticks.real[TRADED, k]
            peak = max(peak, total)
            falls += 0.0 <= total < peak
            if stored == stored:
                peak_was = stored
                falls_were += 0.0 <= total < stored
            else:
                renewed = True
            ticks.real[PEAK, k] = peak
            k += 1
        rose, rose_before = peak - before, peak_was - before_was
        renewed = renewed or rose != rose_before
        if renewed or falls != falls_were or was <= minute < closed:
            volume += rose
            whole, real = out.whole, out.real
            whole[0, n], whole[1, n], whole[2, n], whole[3, n] = i, minute, minute < closed, falls
            whole[4, n] = renewed
            real[0, n], real[1, n], real[2, n], real[3, n] = opened, high, low, close
            real[4, n] = volume
            n += 1
    return n


@kernel_part
def _let_go(book: Book, i: int, clock: Clock) -> None:
    """Let go of an instrument's ticks before its horizon, whole minutes that are closed.

    Where more than `TICKS_KEPT_MAX` are kept, the horizon rises for good.
    """
    span, time = book.spans[i], book.ticks.whole[TIME]
    horizon = _horizon(span, clock)
    excess = span[LAST] - TICKS_KEPT_MAX
    if excess > span[FIRST]:
        full = _minute(time[excess - 1]) + MINUTE_US
        horizon = max(horizon, min(full, open_from(span, clock)))
    span[HORIZON] = horizon
    if span[FIRST] < span[LAST] and time[span[FIRST]] < horizon:
        span[FIRST] = first_after(time, span[FIRST], span[LAST], horizon - 1)
        book.base[i, 0] = book.ticks.real[SESSION, span[FIRST] - 1]
        book.base[i, 1] = book.ticks.real[PEAK, span[FIRST] - 1]
        book.begun[i] = 0


@kernel
def fold(
    ticks: Ticks,
    order: Ints,
    ends: Ints,
    book: Book,
    base_was: Floats,
    clock: Clock,
    fresh: Ticks,
    outcome: Codes,
    out: Out,
) -> int:
    """Fold grouped ticks into the book, which has room; return how many minutes were written."""
    buffer = np.empty_like(order)
    n = 0
    for i in range(len(ends) - 1):
        if ends[i] == ends[i + 1]:
            continue
        span = book.spans[i]
        was = open_from(span, clock)
        sort(ticks, order, ends[i], ends[i + 1], buffer)
        own = order[ends[i] : ends[i + 1]]
        count = _sift(ticks, own, book.ticks, span, was, fresh, outcome)
        if count == 0:
            continue
        n = add_sorted(i, fresh, count, book, base_was[i], was, clock, out, n)
    return n


@kernel_part
def add_sorted(
    i: int,
    fresh: Ticks,
    count: int,
    book: Book,
    base_was: float,
    was: int,
    clock: Clock,
    out: Out,
    n: int,
) -> int:
    """Merge an instrument's sorted new ticks into its own, which have room.

    Returns `n` after the minutes that change or close; those before `was` had closed.
    """
    span = book.spans[i]
    merge(fresh, count, book.ticks, span[FIRST], span[LAST])
    span[LAST] += count
    span[NEWEST] = max(span[NEWEST], _newest(book.ticks.whole[TIME], span, clock))
    closed = open_from(span, clock)
    start = _minute(fresh.whole[TIME, 0])
    if closed > was:
        start = min(start, was)  # Minutes without new ticks close, too.
    until = max(fresh.whole[TIME, count - 1] + 1, closed)
    n = _walk(i, book, base_was, start, until, was, closed, out, n)
    _let_go(book, i, clock)
    return n


@kernel
def close_minutes(book: Book, before: Clock, clock: Clock, out: Out) -> int:
    """Write the minutes that the clock has closed since `before`; return how many."""
    n = 0
    for i in range(len(book.spans)):
        span = book.spans[i]
        was = open_from(span, before)
        if before.now == NEVER and span[NEWEST] != NEVER:
            # From now on the newest tick counts less: what it has closed stays so.
            span[NEWEST] += AHEAD_US
        if span[FIRST] == span[LAST]:
            continue
        closed = open_from(span, clock)
        if was < closed and book.ticks.whole[TIME, span[LAST] - 1] >= was:
            n = _walk(i, book, np.nan, was, closed, was, closed, out, n)
        _let_go(book, i, clock)
    return n
