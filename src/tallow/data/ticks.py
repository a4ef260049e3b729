"""One-minute candles from ticks: a pure function of the ticks, however they arrive.

Open and close are the prices of a minute's first and last tick, high and low their extremes. The
volume is the sum of the quantities; where ticks carry the day's cumulative volume instead, it is
the highest of its session until the minute's end less the highest before the minute (0 before the
session's first tick), so a late tick may change later minutes, too. A cumulative volume below an
earlier one of its session (a broker's reset, a bad tick) therefore adds nothing until the highest
is passed again; it is counted as a fall. A tick on the full minute belongs to the minute it opens.

Order: by time; at one instant by sequence number where there is one, then by cumulative volume,
then by arrival. A tick that equals a kept one in all fields is a repeat and counts once; so two
equal trades of one instant need sequence numbers to count as two.

"Now" is the clock's time or, until the clock is set, that of the instrument's own newest tick: the
history of another one, replayed first, closes nothing. A lone tick more than `LIVE_AHEAD_SECONDS`
after all others may have a wrong stamp: it is not the newest until the next comes. A minute closes
`grace_us` after its end. Ticks are kept for `minutes_kept` minutes before now, and at most
`TICKS_KEPT_MAX` per instrument, not counting minutes that have not closed. Older ones, as of before
a call, are quarantined: all ticks of a candle are always there. Memory: 64 bytes per instrument and
56 per tick kept, with room for up to two and a half times the ticks of when it last grew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats, Ints, Times
from tallow.core.errors import ParameterError
from tallow.core.kernel import read_only
from tallow.core.time import MINUTE_US
from tallow.data.kernels import one_tick
from tallow.data.kernels.tick_book import (
    FIRST,
    HIGH,
    LAST,
    LOW,
    NEVER,
    NEWEST,
    Book,
    Clock,
    Out,
    move,
    repack,
)
from tallow.data.kernels.tick_minutes import (
    AHEAD_US,
    BAD_TIME,
    FOLDED,
    OUTCOMES,
    TIME_FIRST_US,
    TIME_LAST_US,
    close_minutes,
    fold,
    group,
    open_from,
)
from tallow.data.kernels.tick_order import SEQUENCE, SESSION, TIME, TOTAL, Ticks, empty_ticks


class Minutes(NamedTuple):
    """Candles that changed or closed, by instrument and time, and what became of each tick."""

    instrument: Ints
    timestamp: Times
    """int64; the minute's open in microseconds UTC. Unique together."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    """float64."""
    closed: Flags
    """bool: the minute is closed now, or was before, and this corrects it."""
    falls: Ints
    """int64: ticks of the minute whose cumulative volume is below an earlier one of the session."""
    renewed: Flags
    """bool: a new tick of the minute, or a late total before it, made its candle again; the others
    are here because they closed, or for their falls."""
    outcome: Codes
    """int8, one per row of the input: a place in `OUTCOMES`."""

    @property
    def quarantined(self) -> Ints:
        """Rows of the input that break a rule."""
        return np.flatnonzero(self.outcome >= BAD_TIME)

    @property
    def rules(self) -> list[str]:
        """The rule that each of these rows breaks."""
        return [OUTCOMES[code] for code in self.outcome[self.quarantined].tolist()]


class TickBuilder:
    """One-minute candles of many instruments from ticks, in flat arrays; see the module.

    A minute is closed `grace_us` microseconds after its end. Ticks are kept, and late ones taken,
    for `minutes_kept` minutes before now. `ParameterError` if the grace is negative, or longer than
    what is kept.
    """

    def __init__(self, grace_us: int, minutes_kept: int) -> None:
        if grace_us < 0:
            raise ParameterError(f"ticks: grace_us={grace_us}; must not be negative")
        if minutes_kept * MINUTE_US < grace_us + MINUTE_US:
            raise ParameterError(
                f"ticks: minutes_kept={minutes_kept}; must hold the grace of {grace_us} us and a "
                "minute; keep more"
            )
        self._clock = Clock(NEVER, grace_us, minutes_kept * MINUTE_US)
        self._book = Book(
            empty_ticks(0),
            np.empty((0, 6), dtype=np.int64),
            np.empty((0, 2)),
            np.empty(0, dtype=np.int64),
        )
        self._base_was: dict[int, float] = {}
        self._minutes = minutes_kept + AHEAD_US // MINUTE_US + 3
        self._layout = np.zeros(one_tick.BOOK_NUMBERS, dtype=np.int64)
        self._laid: tuple[Book, Clock] | None = None

    def add(
        self,
        instrument: Ints,
        time_us: Times,
        price: Floats,
        quantity: Floats,
        session: Floats,
        *,
        cumulative: bool,
        sequence: Ints | None = None,
    ) -> Minutes:
        """Add ticks in any order; return the minutes that they change or close.

        Parameters
        ----------
        instrument, time_us
            int64 ``[n]``: numbers from 0, and microseconds since 1970 UTC.
        price, quantity
            float64 ``[n]``; the quantity is the trade's, or the day's volume so far.
        session
            float64 ``[n]``: the number of the session, the same for a whole minute. NaN where
            there is none: then a cumulative volume is quarantined, as brokers repeat yesterday's
            before the open; plain quantities need none.
        cumulative
            Quantities are the day's volume so far.
        sequence
            int64 ``[n]``, rising with the trades of one instant, where the feed numbers them.
        """
        count = len(instrument)
        assert instrument.min(initial=0) >= 0, "instruments are numbered from 0"
        traded, total = (0.0, quantity) if cumulative else (quantity, -1.0)
        ticks = empty_ticks(count)
        ticks.whole[TIME], ticks.whole[SEQUENCE] = time_us, 0 if sequence is None else sequence
        for row, values in enumerate((price, traded, total, session, np.nan)):
            ticks.real[row] = values
        self._grow(int(instrument.max(initial=-1)) + 1)
        numbers = read_only(np.ascontiguousarray(instrument, dtype=np.int64))
        outcome, order = np.empty(count, dtype=np.int8), np.empty(count, dtype=np.int64)
        ends = np.zeros(len(self._book.spans) + 1, dtype=np.int64)
        group(numbers, ticks, cumulative, self._book, self._clock, outcome, order, ends)
        arriving = np.diff(ends)
        self._make_room(arriving)
        held = self._book.spans[:, LAST] - self._book.spans[:, FIRST]
        # Beside minutes of these ticks, a late total may change all that are kept.
        most = np.minimum(held, self._minutes)[arriving > 0].sum()
        out = Out.of(int(ends[-1] + most))
        fresh = empty_ticks(int(arriving.max(initial=0)))
        was = np.full(len(self._book.spans), np.nan)
        was[list(self._base_was)] = list(self._base_was.values())
        self._base_was.clear()
        written = fold(ticks, order, ends, self._book, was, self._clock, fresh, outcome, out)
        return _minutes(out, written, outcome)

    def one_tick(self) -> int:
        """Return the address of what `take_tick` adds a tick to; see the kernel."""
        laid = self._laid
        if laid is None or laid[0] is not self._book or laid[1] is not self._clock:
            self._lay_out()
        return self._at

    def _lay_out(self) -> None:
        ticks, spans, base, begun = self._book
        if self._laid is None:
            self._one = Out.of(self._minutes), np.empty(one_tick.TICK_NUMBERS)
        (made, tick), layout = self._one, self._layout
        layout[one_tick.POOL], layout[one_tick.INSTRUMENTS] = ticks.whole.shape[1], len(spans)
        layout[one_tick.MINUTES] = self._minutes
        for place, array in (
            (one_tick.WHOLE, ticks.whole),
            (one_tick.REAL, ticks.real),
            (one_tick.SPANS, spans),
            (one_tick.BASE, base),
            (one_tick.BEGUN, begun),
            (one_tick.OUT_WHOLE, made.whole),
            (one_tick.OUT_REAL, made.real),
            (one_tick.SPARE, tick),
        ):
            layout[place] = array.ctypes.data
        layout[one_tick.NOW : one_tick.KEPT + 1] = self._clock
        self._laid, self._at = (self._book, self._clock), layout.ctypes.data

    def made(self, count: int) -> Minutes:
        """Return the minutes that `take_tick` has written."""
        return _minutes(self._one[0], count, np.full(1, FOLDED, dtype=np.int8))

    def advance(self, now_us: int) -> Minutes:
        """Set the clock, never back; return the minutes that it closes.

        `ParameterError` if the time is not microseconds of these years: every tick would be too
        late.
        """
        if not TIME_FIRST_US <= now_us <= TIME_LAST_US:
            raise ParameterError(
                f"ticks: now={now_us}; must be microseconds since 1970, "
                f"{TIME_FIRST_US}..{TIME_LAST_US}; check the unit"
            )
        before = self._clock
        self._clock = before._replace(now=max(now_us, before.now))
        out = Out.of(self._waiting(before.now))
        written = close_minutes(self._book, before, self._clock, out)
        return _minutes(out, written, np.empty(0, dtype=np.int8))

    def running(self) -> Minutes:
        """Return the minutes that have not closed, as they are now; they go on running."""
        ticks, spans = self._book[:2]
        ends = spans[spans[:, LAST] > spans[:, FIRST], LAST]
        newest = int(ticks.whole[TIME, ends - 1].max(initial=NEVER))
        copy = TickBuilder(self._clock.grace, self._clock.kept // MINUTE_US)
        copy.restore(self.arrays())
        if newest == NEVER:
            return copy.advance(TIME_FIRST_US)
        return copy.advance(min(newest + 2 * MINUTE_US + self._clock.grace, TIME_LAST_US))

    def knows(self, instrument: int, session: float) -> bool:
        """Say whether an instrument has ticks, or a volume to begin with, in a session."""
        if instrument >= len(self._book.spans):
            return False
        ticks, spans, base = self._book[:3]
        first, last = spans[instrument, FIRST], spans[instrument, LAST]
        held = last > first and ticks.real[SESSION, last - 1] == session
        return bool(held or base[instrument, 0] == session)

    def begins_after(self, instrument: int, session: float, tick: tuple[int, int, float]) -> bool:
        """Say whether `begin` began an instrument's session with a later tick than this one.

        The `tick`, by its time, sequence number and total, must not be too late.
        """
        ticks, spans, base, begun = self._book
        if instrument >= len(spans) or not begun[instrument]:
            return False
        (first, last), now = spans[instrument, [FIRST, LAST]], self._clock.now
        if first == last or base[instrument, 0] != session:
            return False
        newest = int(spans[instrument, NEWEST])
        now = newest if now == NEVER else max(now, newest - AHEAD_US)
        taken = tick[0] >= now // MINUTE_US * MINUTE_US - self._clock.kept
        whole, total = ticks.whole[:, first].tolist(), float(ticks.real[TOTAL, first])
        return taken and tick < (whole[TIME], whole[SEQUENCE], total)

    def running_minutes(self, instrument: int) -> Times:
        """Return the minutes of an instrument, int64 microseconds, that have not closed."""
        if instrument >= len(self._book.spans):
            return np.empty(0, dtype=np.int64)
        ticks, spans = self._book[:2]
        span = spans[instrument]
        minutes = np.unique(ticks.whole[TIME, span[FIRST] : span[LAST]] // MINUTE_US * MINUTE_US)
        return minutes[minutes >= open_from(span, self._clock)]

    def begin(self, instrument: int, session: float, total: float) -> None:
        """Set the volume of a session before an instrument's first tick of it.

        Once more where an earlier tick comes, before it is added.
        """
        self._grow(instrument + 1)
        _, spans, base, begun = self._book
        if spans[instrument, LAST] > spans[instrument, FIRST]:
            if not (begun[instrument] and base[instrument, 0] == session):
                return
            self._base_was.setdefault(instrument, float(base[instrument, 1]))
        base[instrument], begun[instrument] = (session, total), 1

    def _waiting(self, before: int) -> int:
        """Return how many minutes are open since the clock was at `before`, at most."""
        ticks, spans = self._book[:2]
        held = spans[:, LAST] - spans[:, FIRST]
        some = held > 0
        newest, last = spans[some, NEWEST], ticks.whole[TIME, spans[some, LAST] - 1]
        now = newest if before == NEVER else np.maximum(before, newest - AHEAD_US)
        minutes = np.maximum((last - now + self._clock.grace) // MINUTE_US + 2, 0)
        return int(np.minimum(held[some], minutes).sum())

    def arrays(self) -> dict[str, Ints | Floats]:
        """Return the whole state as arrays, copied, for `restore`."""
        spans = self._book.spans
        packed = self._packed(spans[:, LAST] - spans[:, FIRST], 0)
        return {
            "clock": np.array(self._clock, dtype=np.int64),
            "spans": packed.spans,
            "base": packed.base,
            "begun": packed.begun,
            "whole": packed.ticks.whole,
            "real": packed.ticks.real,
        }

    def restore(self, arrays: Mapping[str, Ints | Floats]) -> None:
        """Restore the state of a builder; `ParameterError` if its settings are others."""
        clock = Clock(*(int(value) for value in arrays["clock"]))
        if clock[1:] != self._clock[1:]:
            raise ParameterError(
                f"ticks: (grace, kept)={self._clock[1:]} us; must be the snapshot's, {clock[1:]}"
            )
        ticks = Ticks(np.array(arrays["whole"], np.int64), np.array(arrays["real"], np.float64))
        spans, base = np.array(arrays["spans"], np.int64), np.array(arrays["base"], np.float64)
        begun = np.array(arrays["begun"], np.int64)
        self._clock, self._layout[one_tick.USED] = clock, len(ticks.whole[0])
        self._book = Book(ticks, spans, base, begun)

    def _grow(self, instruments: int) -> None:
        """Make spans for so many instruments, doubling."""
        ticks, spans, base, begun = self._book
        if instruments > len(spans):
            more = max(instruments, 2 * len(spans)) - len(spans)
            fresh = np.array([[0, 0, 0, 0, NEVER, NEVER]], dtype=np.int64).repeat(more, axis=0)
            nothing = np.array([[np.nan, 0.0]]).repeat(more, axis=0)
            self._book = Book(
                ticks,
                np.concatenate([spans, fresh]),
                np.concatenate([base, nothing]),
                np.concatenate([begun, np.zeros(more, dtype=np.int64)]),
            )

    def _make_room(self, arriving: Ints) -> None:
        """Make room for `arriving` ticks of each instrument behind those it has."""
        used = int(move(self._book, arriving, int(self._layout[one_tick.USED])))
        if used < 0:
            spans = self._book.spans
            sizes = 2 * (spans[:, LAST] - spans[:, FIRST] + arriving)
            used = int(sizes.sum())
            self._book = self._packed(sizes, used // 4)
        self._layout[one_tick.USED] = used

    def _packed(self, sizes: Ints, spare: int) -> Book:
        """Return the book with spans of the given sizes, and spare room behind them."""
        ends = np.cumsum(sizes)
        ticks, spans = empty_ticks(int(sizes.sum()) + spare), self._book.spans.copy()
        spans[:, LOW], spans[:, HIGH] = ends - sizes, ends
        packed = Book(ticks, spans, self._book.base.copy(), self._book.begun.copy())
        repack(self._book, packed)
        return packed


def _minutes(out: Out, count: int, outcome: Codes) -> Minutes:
    """Return the first `count` rows, copied: the room was for the worst case."""
    instrument, timestamp, closed, falls, renewed = out.whole[:, :count].copy()
    opened, high, low, close, volume = out.real[:, :count].copy()
    candle = (opened, high, low, close, volume)
    return Minutes(instrument, timestamp, *candle, closed != 0, falls, renewed != 0, outcome)
