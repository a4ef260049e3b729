"""Where a run over stored candles may begin: kernel states that earlier runs left at month ends.

A snapshot has seen the rows before its boundary, as they were known at a moment of receipt. It
holds for another moment if no row before the boundary was received between the two, which the log
tells; so it may serve, and come from, questions about the past as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache, partial
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Times
from tallow.core.calendars import Calendar, anchor_boundaries
from tallow.core.limits import CALENDARS_MAX, SNAPSHOTS_KNOWN
from tallow.core.timeframe import Timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import period_ids
from tallow.data.kernels.rows import RULES_VERSION
from tallow.data.snapshots import SnapshotKey, Snapshots
from tallow.plan.plan import Plan
from tallow.runtime.batch import TALLY, BarOptions
from tallow.runtime.operations import States, fresh_states
from tallow.runtime.spans import calendar_buckets
from tallow.runtime.stored import StoredCandles

_DIGEST_BYTES = 16


class Snapshot(NamedTuple):
    """An instrument's kernel states, side by side, before its rows from `boundary` on."""

    boundary: int
    state: Floats


class Validity:
    """At which moments of receipt snapshots are known to hold: each in an interval around its own.

    The log is not asked twice: a process that asks all day would else look
    through the whole day's rows every time.
    """

    def __init__(self) -> None:
        self._known: dict[SnapshotKey, tuple[int, int]] = {}

    def interval(self, key: SnapshotKey) -> tuple[int, int]:
        """Return the first and the last moment at which a snapshot is known to hold."""
        return self._known.get(key, (key.known_until, key.known_until))

    def widen(self, key: SnapshotKey, moment: int) -> None:
        """Remember that nothing happened between the interval and a moment."""
        low, high = self.interval(key)
        if len(self._known) >= SNAPSHOTS_KNOWN:
            self._known.clear()
        self._known[key] = min(low, moment), max(high, moment)


@dataclass(frozen=True)
class RunSnapshots:
    """The snapshots of one kind of run: these operations on these bars of one calendar."""

    file: Snapshots
    validity: Validity
    candles: StoredCandles
    identity: bytes
    state_size: int
    boundaries: Times

    @classmethod
    def of(
        cls,
        file: Snapshots,
        validity: Validity,
        candles: StoredCandles,
        plan: Plan,
        options: BarOptions,
        calendar: Calendar,
    ) -> RunSnapshots:
        """Return those of the runs of `plan` with `options` over `candles`."""
        size = bars.STATE_SIZE + sum(make(0).shape[1] for make in fresh_states(plan))
        identity = run_identity(plan, options, calendar)
        months = month_starts(calendar, options.source)
        return cls(file, validity, candles, identity, size, months)

    def latest(self, names: Sequence[str], until: int) -> dict[str, Snapshot]:
        """Return the latest valid snapshot of each instrument that has one at or before `until`."""
        series = {name: self._series(name) for name in names}
        found = self.file.find(list(series.values()), until)
        changed = cache(partial(self.candles.changed_between, tuple(names)))
        snapshots = {}
        for name, digest in series.items():
            for key in found.get(digest, ()):
                if not self._is_boundary(key) or not self._holds(key, name, changed):
                    continue
                state = self.file.load(key)
                if state is not None and len(state) == self.state_size:
                    snapshots[name] = Snapshot(key.boundary, state)
                    break
        return snapshots

    def _is_boundary(self, key: SnapshotKey) -> bool:
        """Say whether rows of one candle's period never lie on both sides; once they did."""
        return len(self.between(key.boundary - 1, key.boundary)) > 0

    def _holds(self, key: SnapshotKey, name: str, changed: Callable[[int], dict[str, int]]) -> bool:
        """Say whether no row before a snapshot's boundary came between its moment and ours."""
        now = self.candles.known_until
        low, high = self.validity.interval(key)
        if not low <= now <= high:
            if changed(low if now < low else high).get(name, key.boundary) < key.boundary:
                return False
            self.validity.widen(key, now)
        return True

    def between(self, low: int, high: int) -> list[int]:
        """Return the boundaries after `low`, up to `high`."""
        first, last = np.searchsorted(self.boundaries, [low, high], "right")
        return [int(each) for each in self.boundaries[first:last]]

    def save(self, left: Sequence[tuple[str, Snapshot]]) -> None:
        """Keep what runs left behind, for later ones."""
        known = self.candles.known_until
        self.file.save(
            (SnapshotKey(self._series(name), snapshot.boundary, known), snapshot.state)
            for name, snapshot in left
        )

    def _series(self, name: str) -> bytes:
        """Return a digest of all that an instrument's states depend on, but the candles' rows."""
        text = repr(self.candles.identity(name)).encode()
        return hashlib.blake2b(self.identity + text, digest_size=_DIGEST_BYTES).digest()


def put_back(states: States, names: Sequence[str], snapshots: Sequence[Snapshot]) -> None:
    """Put instruments back to where their snapshots were taken; their counts begin again."""
    rows, column = np.stack([snapshot.state for snapshot in snapshots]), 0
    fresh = [make(len(names)) for make in states.fresh]
    for place, state in enumerate(fresh):
        if place != TALLY:
            width = state.shape[1]
            state[:] = rows[:, column : column + width]
            column += width
    states.keep(names, fresh)


def take(states: States, names: Sequence[str], boundary: int) -> list[tuple[str, Snapshot]]:
    """Return the states of the instruments that had rows, and did not fail."""
    kernels = [state for place, state in enumerate(states.take(names)) if place != TALLY]
    rows = np.concatenate(kernels, axis=1)
    begun = np.isfinite(kernels[0][:, bars.LAST_TIME]) & (kernels[0][:, bars.FAILED] == 0.0)
    return [(names[i], Snapshot(boundary, rows[i])) for i in np.flatnonzero(begun).tolist()]


@lru_cache(maxsize=CALENDARS_MAX)
def month_starts(calendar: Calendar, source: Timeframe) -> Times:
    """Return from when on rows belong to the first session of each month, int64 microseconds.

    Or to the candle that this session is in, where candles are longer.
    """
    table = calendar.sessions()
    months = period_ids(table, "month")
    first = np.flatnonzero(np.diff(months, prepend=months[0] - 1))
    starts = anchor_boundaries(table, calendar.timezone)[first]
    if source.unit == "minute":
        return starts
    periods = calendar_buckets(calendar, source, source).starts
    return np.unique(periods[np.searchsorted(periods, starts, "right") - 1])


def run_identity(plan: Plan, options: BarOptions, calendar: Calendar) -> bytes:
    """Return a digest of all that makes the numbers of a run, but the candles."""
    operations = [
        (
            o.indicator.name,
            o.indicator.version,
            o.indicator.state_size(o.values),
            sorted(o.values.items()),
        )
        for o in plan.operations
    ]
    versions = (RULES_VERSION, bars.BARS_VERSION, bars.STATE_SIZE)
    bars_are = (options.timeframe.text, options.source.text, options.no_trade)
    text = repr((versions, plan.convention, operations, bars_are)).encode()
    return hashlib.blake2b(text + calendar_digest(calendar), digest_size=_DIGEST_BYTES).digest()


@lru_cache(maxsize=CALENDARS_MAX)
def calendar_digest(calendar: Calendar) -> bytes:
    """Return a digest of a calendar's whole table: states hold the numbers of its sessions."""
    digest = hashlib.blake2b(repr((str(calendar), calendar.timezone)).encode(), digest_size=16)
    table = calendar.sessions()
    for field in fields(table):
        digest.update(np.asarray(getattr(table, field.name)).tobytes())
    return digest.digest()
