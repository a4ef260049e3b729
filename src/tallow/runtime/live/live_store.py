"""The store as a live engine sees it: what others wrote, and the past of instruments.

A run over stored candles starts from the snapshots that range queries and earlier starts saved at
month ends (`tallow.runtime.run_snapshots`), and saves its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME
from tallow.data.joins import JoinedHistories
from tallow.data.kernels import aggregate as bars
from tallow.data.reading.candles import Candles
from tallow.data.reading.known_times import RIGHT, KnownTimes, latest_open
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, TIME_TYPE, time_view
from tallow.data.snapshots import Snapshots
from tallow.data.store.location import SNAPSHOT_FILE
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.blocks import rows_between
from tallow.runtime.live.memory import FIELDS, TIME, candle_rows, candles_of
from tallow.runtime.live.outcome import Past
from tallow.runtime.live.timeframe_state import SOURCE, TimeframeState, new_rows, split_rows
from tallow.runtime.operations import join_states, to_series
from tallow.runtime.ranged import RangeRun, Target
from tallow.runtime.run_snapshots import RunSnapshots, Snapshot, month_starts
from tallow.runtime.spans import calendar_buckets, span_of
from tallow.runtime.stored import JoinedCandles

if TYPE_CHECKING:
    from tallow.data.store.backend import LogPoint
    from tallow.data.store.store import Store

_SERIES = ("1m", "raw")


class LiveStore:
    """The store as a live engine sees it.

    Attributes
    ----------
    point
        The point of the store that the engine has seen.
    interest
        Whether candles of the store have open interest.
    epoch
        The epoch of the store that the engine has seen; snapshots are of one epoch.
    unknown
        Instruments whose stored candles all have times that the calendar does not know.
    """

    def __init__(
        self,
        store: Store,
        timeframes: Sequence[TimeframeState],
        calendars: CalendarAssignment,
        no_trade: bars.NoTrade,
    ) -> None:
        self.store, self.epoch = store, store.epoch
        self.point, self.interest = store.point(), store.has_interest()
        self._timeframes, self._calendars, self._no_trade = timeframes, calendars, no_trade
        self._snapshots = Snapshots(store.state_folder / SNAPSHOT_FILE)
        self._known = KnownTimes(calendars)
        self.unknown: set[str] = set()
        self._joined: dict[tuple[str, int], JoinedHistories] = {}

    def restart(self, point: LogPoint) -> None:
        """Start again where history was removed: nothing earlier is used any more."""
        self.interest = self.store.has_interest()
        epoch = point.epoch
        if epoch == self.point.epoch:
            # An older copy was restored: snapshots of its epoch may be of rows that are gone.
            epoch = f"{epoch} {uuid.uuid4().hex}"
        self.epoch = epoch
        self.point = point

    def is_rewritten(self, now: LogPoint) -> bool:
        """Say whether the store is not what was seen, with more added."""
        return not is_continuation(self.store, self.point, now)

    def past(self, name: str, keep: int, received: int | None = None) -> Past:
        """Return the past of an instrument that is new to the engine, as of a receipt."""
        if received == 0:
            return self.empty_past()
        return self._newest_past(name, keep, received or self.point.received)

    def past_from(self, name: str, keep: int, moment: int) -> Past:
        """Return an instrument's past from a moment on, with at least `keep` candles."""
        past = self.past(name, keep)
        if not len(past.rows) or past.rows[0, TIME] <= moment:
            return past
        return self.past_before(name, moment)

    def past_before(self, name: str, moment: int) -> Past:
        """Return an instrument's past that begins before a moment."""
        known_until = self.point.received
        boundary, states = self.states_before(name, moment, known_until)
        return Past(states, self.rows(name, boundary, known_until))

    def versions(self, name: str, received: int, whole: bool) -> tuple[Past, Past] | None:
        """Return an instrument's past as it is now, and as it was at a receipt.

        Both begin before the first difference; None if there is none, and the state is `whole`.
        """
        until = self.point.received
        earliest = self.changed_since(name, received, until)
        if earliest is None and whole:
            return None
        moment = END_OF_TIME if earliest is None else earliest
        boundary, states = self.states_before(name, moment, until)
        new = Past(states, self.rows(name, boundary, until))
        if not received:
            return new, self.empty_past()
        return new, Past(states, self.rows(name, boundary, received))

    def names(self, received: int | None = None, of: Sequence[str] | None = None) -> set[str]:
        """Return the instruments that had candles by a receipt, or ever; reads all their keys."""
        return set(self.store.changed_since(0, of, known_at=received))

    def rejoined_names(self, changed: Collection[str], until: int) -> set[str]:
        """Return the instruments whose history changed through another key."""
        joined, before = self.joined(until), self.joined(self.point.received)
        names = joined.pieces.keys() | before.pieces.keys()
        return {
            name
            for name in names
            if joined.pieces.get(name) != before.pieces.get(name)
            or any(p.key in changed for p in joined.pieces[name] if p.key != name)
        }

    def successors(self) -> dict[str, set[str]]:
        """Return for each key the instruments whose history begins with the key's."""
        return self.joined(self.point.received).successors()

    def changes(self, until: int) -> dict[str, Floats]:
        """Return, per instrument, the rows that changed since the engine's point up to a receipt.

        ``[rows, fields]`` in ascending time; a deleted candle has no prices.
        """
        since = self.point.received
        earliest = self.store.changed_since(since, known_at=until)
        if not earliest:
            return {}
        log = self.store.log(
            sorted(earliest),
            source_timeframe="1m",
            adjustment="raw",
            start=min(earliest.values()),
            known_at=until,
        )
        key = ("instrument", "timestamp")
        received = pl.col("received_at").to_physical()
        newest = log.filter(received > since)
        rows = newest.unique(key, keep="last", maintain_order=True).sort(key)
        if rows.is_empty():
            return {}
        self.interest |= rows[OPEN_INTEREST].is_not_null().any()
        names, offsets = instrument_runs(rows)
        parts = zip(names, np.split(candle_rows(rows), offsets[1:-1]), strict=True)
        return {name: part[self.has_known_times(name, part)] for name, part in parts}

    # What is stored, as known at a receipt

    def empty_past(self) -> Past:
        """Return the past of an instrument that has none."""
        return Past(new_rows(self._timeframes, 1)[0], np.empty((0, len(FIELDS))))

    def rows(self, name: str, start: int | None, known_until: int) -> Floats:
        """Return an instrument's candles from `start` on, as known at a receipt.

        Without those that a live update would quarantine for their times.
        """
        rows = candle_rows(self._candles(known_until).read([name], start, None))
        right = self.has_known_times(name, rows)
        if len(rows) and not right.any():
            self.unknown.add(name)
        return rows if right.all() else rows[right]

    def has_known_times(self, name: str, rows: Floats) -> Flags:
        """Say which of an instrument's sorted rows have known times that are not ahead."""
        calendars, offsets = self._calendars.indices([name]), np.array([0, len(rows)])
        times = rows[:, TIME].astype(np.int64)
        codes = self._known.wrong(calendars, offsets, times, latest_open())
        return np.ones(len(rows), dtype=np.bool_) if codes is None else codes == RIGHT

    def states_before(self, name: str, moment: int, known_until: int) -> tuple[int | None, Floats]:
        """Return the latest boundary up to `moment` with snapshots of every timeframe, and these.

        None, and the states before any candle, where there is no such boundary.
        """
        until, points = moment, self._run_snapshots(name, known_until)
        while True:
            found = [each.before([name], until).get(name) for each in points]
            starts = [start for start in found if start is not None]
            if len(starts) < len(found):
                return None, new_rows(self._timeframes, 1)[0]
            until = min(start.boundary for start in starts)
            if all(start.boundary == until for start in starts):
                return until, np.concatenate([start.state for start in starts])

    def _newest_past(self, name: str, keep: int, known_until: int) -> Past:
        """Return an instrument's past with its newest candles, `keep` or more if there are.

        Months without a snapshot before them are run through, and get one.
        """
        boundary, states = self.states_before(name, END_OF_TIME, known_until)
        rows = self.rows(name, boundary, known_until)
        if boundary is not None and len(rows) < keep:
            earlier, states = self.states_before(name, boundary - 1, known_until)
            rows = self.rows(name, earlier, known_until)
        return self._through_months(name, Past(states, rows), keep, known_until)

    def _through_months(self, name: str, past: Past, keep: int, known_until: int) -> Past:
        """Run candles up to the last month that leaves `keep` of them; save snapshots there."""
        if len(past.rows) <= keep:
            return past
        place = self._calendars.indices([name])
        if place[0] < 0:
            return past
        months = month_starts(self._calendars.calendars[int(place[0])], SOURCE)
        times, points = past.rows[:, TIME], self._run_snapshots(name, known_until)
        given = candles_of([past.rows])
        first, last, done = times[0], times[len(times) - keep], 0
        states = split_rows(self._timeframes, past.states[np.newaxis])
        for boundary in months[(months > first) & (months <= last)].tolist():
            end = int(np.searchsorted(times, boundary))
            candles = rows_between(given, np.array([done]), np.array([end]))
            number = np.zeros(1, dtype=np.int64)
            for each, state, kept in zip(self._timeframes, states, points, strict=True):
                each.closed_rows(state, number, place, candles, 0)
                kept.put([(name, Snapshot(boundary, join_states(state)[0]))])
            done = end
        return Past(join_states([part for each in states for part in each])[0], past.rows[done:])

    def bars(
        self, each: TimeframeState, names: Sequence[str], received: int
    ) -> tuple[pl.DataFrame, Times]:
        """Return all bars of a timeframe, with the columns of its plan, and when they end.

        As known at a receipt; sorted by instrument and time.
        """
        plan = replace(each.plan, phases=(), outputs=each.plan.columns)
        options = BarOptions(each.size, SOURCE, self._calendars, self._no_trade)
        make = partial(BarRun, plan, options, interest=True)
        run = RangeRun(plan, options, self._candles(received), self._snapshots, make)
        places = self._calendars.indices(list(names))
        ends: list[Times] = []
        for place in sorted({*places.tolist()} - {-1}):
            calendar = self._calendars.calendars[place]
            buckets = calendar_buckets(calendar, each.size, SOURCE)
            span = span_of(buckets, (BEGIN_OF_TIME, END_OF_TIME), True, True)
            assert span is not None
            target = Target(calendar, buckets, calendar_buckets(calendar, SOURCE, SOURCE), span)
            done = len(run.frames)
            run.add([name for name, at in zip(names, places, strict=True) if at == place], target)
            ends += [buckets.ends_of(time_view(frame)) for frame in run.frames[done:]]
        frames = run.frames or [run.make_run().empty_frame()]
        frame = pl.concat(frames).with_columns(end=np.concatenate([np.empty(0, np.int64), *ends]))
        frame = frame.sort("instrument", "timestamp")
        return frame.drop("end"), frame["end"].to_numpy()

    def joined(self, known_until: int) -> JoinedHistories:
        """Return which instruments continue others, as known at a receipt."""
        moment = (self.epoch, known_until)
        if moment not in self._joined:
            self._joined.clear()
            records = self.store.actions.joins(known_until)
            self._joined[moment] = JoinedHistories.of(records, self._calendars)
        return self._joined[moment]

    def changed_since(self, name: str, received: int, until: int) -> int | None:
        """Return the earliest time at which an instrument's history differs since a receipt."""
        joined, before = self.joined(until), self.joined(received)
        if joined.pieces.get(name) != before.pieces.get(name):
            return BEGIN_OF_TIME
        return self._candles(until).changed_between([name], received).get(name)

    def _candles(self, known_until: int) -> JoinedCandles:
        series = (self.store, *_SERIES, known_until, self.epoch, self._calendars)
        return JoinedCandles(*series, self.joined(known_until))

    def _run_snapshots(self, name: str, known_until: int) -> list[RunSnapshots]:
        """Return every timeframe's snapshots of an instrument's calendar."""
        calendar = self._calendars.calendars[max(int(self._calendars.indices([name])[0]), 0)]
        kept = (self._snapshots, self._candles(known_until))
        return [
            RunSnapshots(
                *kept,
                each.plan,
                BarOptions(each.size, SOURCE, self._calendars, self._no_trade),
                calendar,
            )
            for each in self._timeframes
        ]


def is_continuation(store: Store, seen: LogPoint, now: LogPoint) -> bool:
    """Say whether a store is one that was seen before, with nothing or more added.

    Receipts are never used twice: a store with the newest one seen has all before it.
    """
    if now.epoch != seen.epoch or now.received < seen.received:
        return False
    return now.received == seen.received or not seen.received or store.has_received(seen.received)


def as_candles(names: pl.Series, ranks: Ints, rows: Floats) -> Candles:
    """Return rows ``[rows, fields]`` that keep every rule as candles.

    Parameters
    ----------
    names, ranks
        Each row's instrument, and its place among the sorted names. The rows of one instrument are
        in ascending time.
    """
    if (ranks[1:] < ranks[:-1]).any():
        order = np.argsort(ranks, kind="stable")
        rows, names = rows[order], names[order.astype(np.uint32)]
    columns = [names.alias("instrument")]
    columns.append(pl.Series("timestamp", rows[:, TIME].astype(np.int64)).cast(TIME_TYPE))
    wanted = [*list(CANDLE_SCHEMA)[2:], OPEN_INTEREST]
    columns += [to_series(name, rows[:, k].copy()) for k, name in enumerate(wanted, start=1)]
    frame = pl.DataFrame(columns)
    return Candles.of(frame, instrument_runs(frame), SOURCE)
