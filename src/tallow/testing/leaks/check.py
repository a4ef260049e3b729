"""Whether a function of candles looks ahead.

Everything after a moment is changed, and nothing that was known then may move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Times
from tallow.core.errors import LeakCheckError, ParameterError, TallowError
from tallow.core.limits import LEAK_MOMENTS_MAX, LEAKS_MEASURED
from tallow.core.time import END_OF_TIME, from_us
from tallow.data.reading.readers import read_candles
from tallow.data.reading.schema import CANDLE_COLUMNS
from tallow.testing.leaks.answers import FINAL, KEYS, differing
from tallow.testing.leaks.asking import CheckedFunction, Compute
from tallow.testing.leaks.distances import Distance, Distances, MovedValue
from tallow.testing.leaks.futures import CAME, OTHERS, Future, Futures
from tallow.testing.leaks.moments import CheckMoment, choose_moments, usual_moments
from tallow.testing.leaks.report import ColumnCheck, Leak, LeakReport
from tallow.testing.leaks.tally import LAST, ColumnTally, KnownRows, Tallies, Trial

Progress = Callable[[int, int], None]

GIVEN: Final = frozenset((*CANDLE_COLUMNS, "candles", FINAL))
"""Columns that an answer has of what it was given: they are reported only where they leak."""

ROUNDING: Final = 1e-9
"""Relative changes up to here are those of sums in another order."""

ROUNDED: Final = (
    "no value moved by more than rounding does: are sums taken in an order that hangs on how many "
    "rows there are?"
)

FORMING: Final = "a forming bar's row depends on candles after its bar; use those of the bar alone"


def check_leaks(
    compute: Compute,
    candles: Any,
    *,
    moments: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> LeakReport:
    """Check that a function of candles does not look ahead, and say what does, where and how far.

    At many moments all later candles are changed: they do not come, have other prices or volumes,
    are corrected, are those of other instruments only, or of instruments that did not exist. Every
    value is held, bit for bit, against what the function answers of the candles up to the moment.

    Parameters
    ----------
    compute
        Takes a frame of candles (of the library that `candles` were given in), returns a frame of
        any library, or a result with a `frame`: rows with ``instrument``, ``timestamp`` (the bar's
        open) and columns of any type; without these two, a row for each candle. A row counts as
        known as soon as it is there, unless its ``is_final`` is false: then it must be what the
        candles of its own bar make of it.
    candles
        `Candles`, or whatever `tallow.read_candles` takes; best of several instruments.
    moments
        Most moments between two bars; by default as many as take seconds: all of some hundred.
    seed
        Of what is chosen and changed at random: the same gives the same report.
    progress
        Called with the moments done, and the moments in all.

    Returns
    -------
    LeakReport
        A verdict for each column: ``ok``, ``leaks`` with its first row, or ``not checked`` where
        it has no value in any row. Its `is_clean` is for a test to assert.

    Raises
    ------
    LeakCheckError
        If the function fails, answers no rows, or other values when it is asked again.
    ParameterError
        If `moments` is below 1 or above a million.
    TallowError
        If the candles cannot be read.

    Examples
    --------
    >>> import polars as pl
    >>> from datetime import UTC, datetime, timedelta
    >>> opens = [datetime(2025, 7, 18, 4, tzinfo=UTC) + timedelta(minutes=i) for i in range(30)]
    >>> price = [100.0 + i * i % 7 for i in range(30)]
    >>> candles = pl.DataFrame(
    ...     {"instrument": "A", "timestamp": opens, "volume": 9.0}
    ...     | {name: price for name in ("open", "high", "low", "close")}
    ... )
    >>> def centred(candles):
    ...     mean = pl.col("close").rolling_mean(5, center=True).over("instrument")
    ...     return candles.with_columns(mean=mean)
    >>> report = check_leaks(centred, candles)
    >>> report.is_clean, report.leaks["mean"].farthest
    (False, 2)
    """
    _require_moments(moments)
    read = read_candles(candles)
    if read.frame.is_empty():
        raise LeakCheckError("leak check: no candles; there must be some to change; give others")
    futures = Futures(read.frame.rechunk(), seed)
    check = _LeakCheck(CheckedFunction(compute, read.native), futures)
    return check.run(moments or usual_moments(len(read.frame)), seed, progress)


def _require_moments(moments: int | None) -> None:
    if moments is not None and not 1 <= moments <= LEAK_MOMENTS_MAX:
        raise ParameterError(
            f"leak check: moments={moments}; must be 1..{LEAK_MOMENTS_MAX}; leave it out for as "
            "many as take seconds"
        )


class _LeakCheck:
    """One check: at every moment it asks what is known, and what becomes of that in futures."""

    def __init__(self, ask: CheckedFunction, futures: Futures) -> None:
        self._ask, self._futures = ask, futures
        self._base = ask.aloud(futures.candles)
        if self._base.is_empty():
            raise LeakCheckError(
                "leak check: the function answers no row; there must be some to check; give it "
                "other candles, or more of them"
            )
        self._require_the_same_again()
        self._bar_of_candle = self._bars_of_candles()
        self._bars = self._base.with_columns(self._last_candles())
        self._tallies = Tallies(self._bars)
        self._changes = futures.all()
        self._trials = 0

    def run(self, most: int, seed: int, progress: Progress | None) -> LeakReport:
        """Look at all moments, and report."""
        candle_times, bar_times = (
            np.unique(each) for each in (self._futures.times, _times(self._base))
        )
        moments = choose_moments(candle_times, bar_times, most, seed)
        if not moments:
            raise LeakCheckError(
                "leak check: one bar; there must be others after it; give more candles"
            )
        for done, moment in enumerate(moments):
            self._look(moment, done)
            if progress is not None:
                progress(done + 1, len(moments))
        between = [each for each in moments if not each.is_inside]
        there = int(((bar_times > candle_times[0]) & (bar_times <= candle_times[-1])).sum())
        return self._report(len(moments), there + len(moments) - len(between))

    def _look(self, moment: CheckMoment, number: int) -> None:
        """Hold what is known at a moment against futures: at some moments all of them."""
        answer = self._ask(self._futures.past(moment.at))
        known = KnownRows.of(answer, moment, self._bars)
        later = self._futures.times >= moment.at
        # One kind of change after the other, at every second moment.
        one = [self._changes[number // 2 % len(self._changes)]] if number % 2 else []
        for future in [Future(CAME), *(self._changes if moment.is_thorough else one)]:
            self._try(Trial(known, future, self._counted(known, future)), later)
        if moment.is_inside and moment.ends_alone:
            # What was left of the bars that were forming never comes: their rows must stay.
            gone = later & (self._bar_of_candle < moment.at)
            everything = np.ones(len(known.rows), np.bool_)
            self._try(Trial(known, Future(CAME), everything, is_settled=True), later, gone)

    def _try(self, trial: Trial, later: Flags, gone: Flags | None = None) -> None:
        """Ask what becomes of a future, and hold what was known against it."""
        if gone is None and trial.future.change == CAME:
            answer = self._base
        elif (later & self._futures.is_changed(trial.future)).any():
            answer = self._ask(self._futures.changed(trial.future, later, gone))
        else:
            return
        self._tallies.hold(trial, answer)
        self._trials += 1

    def _counted(self, known: KnownRows, future: Future) -> Flags:
        """Return which known rows a future may not move: of others' candles, those of the rest."""
        if future.change != OTHERS:
            return known.is_over
        changed = self._futures.names_changed(future)
        counted: Flags = known.is_over & ~known.rows["instrument"].is_in(changed).to_numpy()
        return counted

    def _require_the_same_again(self) -> None:
        again = self._ask(self._futures.candles)
        same = len(again) == len(self._base) and again.columns == self._base.columns
        for name in self._base.columns:
            if not same or differing(self._base[name], again[name]).any():
                raise LeakCheckError(
                    f"leak check: {name}; the function answers otherwise when it is asked again; "
                    "must depend on the candles alone; give its random numbers a seed, and keep "
                    "nothing between calls"
                )

    def _bars_of_candles(self) -> Times:
        """Return the open of the row in whose bar each candle is, or would be."""
        bars = self._base.select(*KEYS, pl.col("timestamp").alias("bar"))
        joined = self._futures.candles.select(KEYS).join_asof(
            bars, on="timestamp", by="instrument", check_sortedness=False
        )
        opens: Times = joined["bar"].dt.epoch("us").fill_null(END_OF_TIME).to_numpy()
        return opens

    def _last_candles(self) -> pl.Series:
        """Return for each row when the last candle of the bars of its time opened."""
        candles = pl.DataFrame({"bar": self._bar_of_candle, LAST: self._futures.times})
        last = candles.group_by("bar").agg(pl.col(LAST).max())
        bars = pl.DataFrame({"bar": _times(self._base)})
        return bars.join(last, on="bar", how="left", maintain_order="left")[LAST]

    def _report(self, moments: int, there: int) -> LeakReport:
        measure = Distances(self._ask, self._futures, self._base)
        columns, measured = [], 0
        for name, tally in self._tallies.of.items():
            if tally.first is None and name in GIVEN:
                continue
            leak = None
            if tally.first is not None:
                leak = _leak(tally, measure if measured < LEAKS_MEASURED else None)
                measured += 1
            columns.append(ColumnCheck(name, tally.values, leak))
        return LeakReport(
            columns=tuple(columns),
            moments=moments,
            moments_there=there,
            futures=self._trials,
            values=sum(each.values for each in columns),
            candles=len(self._futures.candles),
            instruments=self._futures.candles["instrument"].n_unique(),
        )


def _times(rows: pl.DataFrame) -> Times:
    times: Times = rows["timestamp"].dt.epoch("us").to_numpy()
    return times


def _leak(tally: ColumnTally, distances: Distances | None) -> Leak:
    """Return what is reported of a column that moved."""
    moved = tally.first
    assert moved is not None
    distance = None if moved.is_forming or distances is None else _measure(distances, moved)
    return Leak(
        instrument=moved.instrument,
        timestamp=from_us(moved.at),
        known_at=from_us(moved.moment),
        moved_by=tuple(dict.fromkeys([moved.future.change, *tally.changes])),
        before=moved.before,
        after=moved.after,
        rows=tally.rows,
        nearest=None if distance is None else distance.nearest,
        farthest=None if distance is None else distance.farthest,
        until=None if distance is None else from_us(distance.until),
        largest=tally.largest,
        reason=_reason(tally, distance),
    )


def _reason(tally: ColumnTally, distance: Distance | None) -> str:
    if tally.largest <= ROUNDING:
        return ROUNDED
    if tally.first is not None and tally.first.is_forming:
        return FORMING
    return distance.reason if distance else ""


def _measure(distances: Distances, moved: MovedValue) -> Distance | None:
    """Return how far a value looks ahead; None where the function fails on what that takes."""
    try:
        return distances.measure(moved)
    except TallowError:
        return None
