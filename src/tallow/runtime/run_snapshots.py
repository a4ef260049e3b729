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
from tallow.core.limits import CALENDARS_MAX
from tallow.core.time import MINUTE_US
from tallow.core.timeframe import Timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import period_ids
from tallow.data.kernels.rows import RULES_VERSION
from tallow.data.snapshots import SnapshotKey, Snapshots
from tallow.plan.plan import Plan
from tallow.runtime.batch import TALLY_SIZE, BarOptions
from tallow.runtime.operations import States
from tallow.runtime.spans import calendar_buckets
from tallow.runtime.stored import StoredCandles

_DIGEST_BYTES = 16


class Snapshot(NamedTuple):
    """An instrument's kernel states, side by side, before its rows from `boundary` on."""

    boundary: int
    state: Floats


@dataclass(frozen=True)
class SparseSnapshots:
    """An instrument's snapshots in memory, ascending; further and further apart before the last."""

    kept: tuple[Snapshot, ...] = ()

    def before(self, moment: int) -> Snapshot | None:
        """Return the latest one that has not seen a candle from a moment on."""
        return next((each for each in reversed(self.kept) if each.boundary <= moment), None)

    @property
    def nbytes(self) -> int:
        """Bytes of the states."""
        return sum(each.state.nbytes for each in self.kept)

    def forget(self, moment: int) -> SparseSnapshots:
        """Return those that have not seen a candle from a moment on."""
        return SparseSnapshots(tuple(each for each in self.kept if each.boundary <= moment))

    def put(self, later: Sequence[Snapshot]) -> SparseSnapshots:
        """Return these and later ones, thinned.

        The oldest at each power of two of minutes before the last one stays, and that.
        """
        *earlier, newest = *self.kept, *later
        kept = dict[int, Snapshot]()
        for each in earlier:
            if minutes := -((each.boundary - newest.boundary) // MINUTE_US):
                kept.setdefault(minutes.bit_length(), each)
        return SparseSnapshots((*kept.values(), newest))


class RunSnapshots:
    """The snapshots on disk of one kind of run: of a plan on bars of one calendar."""

    def __init__(
        self,
        file: Snapshots,
        candles: StoredCandles,
        plan: Plan,
        options: BarOptions,
        calendar: Calendar,
    ) -> None:
        self._file, self._candles = file, candles
        sizes = [o.indicator.state_size(o.values) for o in plan.operations]
        self._state_size = bars.STATE_SIZE + sum(sizes)
        self._identity = run_identity(plan, options, calendar)
        self._boundaries = month_starts(calendar, options.source)

    def before(self, names: Sequence[str], until: int) -> dict[str, Snapshot]:
        """Return the latest valid snapshot of each instrument that has one at or before `until`."""
        series = {name: self._series(name) for name in names}
        found = self._file.find(list(series.values()), until)
        changed = cache(partial(self._candles.changed_between, tuple(names)))
        snapshots, now = {}, self._candles.known_until
        for name, digest in series.items():

            def earliest(moment: int, name: str = name) -> int | None:
                return changed(moment).get(name)

            for key in found.get(digest, ()):
                if not self._is_boundary(key) or not still_holds(self._file, key, now, earliest):
                    continue
                state = self._file.load(key)
                if state is not None and len(state) == self._state_size:
                    snapshots[name] = Snapshot(key.boundary, state)
                    break
        return snapshots

    def _is_boundary(self, key: SnapshotKey) -> bool:
        """Say whether rows of one candle's period never lie on both sides; once they did."""
        return len(self.between(key.boundary - 1, key.boundary)) > 0

    def between(self, low: int, high: int) -> list[int]:
        """Return the boundaries after `low`, up to `high`."""
        first, last = np.searchsorted(self._boundaries, [low, high], "right")
        return [int(each) for each in self._boundaries[first:last]]

    def put(self, left: Sequence[tuple[str, Snapshot]]) -> None:
        """Keep what runs left behind, for later ones."""
        known = self._candles.known_until
        self._file.save(
            (SnapshotKey(self._series(name), snapshot.boundary, known), snapshot.state)
            for name, snapshot in left
        )

    def _series(self, name: str) -> bytes:
        """Return a digest of all that an instrument's states depend on, but the candles' rows."""
        text = repr(self._candles.identity(name)).encode()
        return hashlib.blake2b(self._identity + text, digest_size=_DIGEST_BYTES).digest()


def still_holds(
    file: Snapshots, key: SnapshotKey, now: int, earliest: Callable[[int], int | None]
) -> bool:
    """Say whether no row before a snapshot's boundary was received between its moment and `now`.

    `earliest` returns the earliest timestamp of what came between another moment and `now`.
    """
    low, high = file.interval(key)
    if not low <= now <= high:
        changed = earliest(low if now < low else high)
        if changed is not None and changed < key.boundary:
            return False
        file.widen(key, now)
    return True


def put_back(states: States, names: Sequence[str], snapshots: Sequence[Snapshot]) -> None:
    """Put instruments back to where their snapshots were taken; their counts begin again."""
    rows = np.stack([snapshot.state for snapshot in snapshots])
    states.put(names, np.hstack([rows, np.zeros((len(rows), TALLY_SIZE))]))


def take(
    states: States, names: Sequence[str], boundary: int | None = None
) -> list[tuple[str, Snapshot]]:
    """Return the states of the instruments that had rows, and did not fail.

    Before a boundary; by default, right after each one's last row.
    """
    rows = states.rows(names)[:, :-TALLY_SIZE]
    begun = np.isfinite(rows[:, bars.LAST_TIME]) & (rows[:, bars.FAILED] == 0.0)
    after = rows[:, bars.LAST_TIME] + 1.0
    return [
        (names[i], Snapshot(int(after[i]) if boundary is None else boundary, rows[i]))
        for i in np.flatnonzero(begun).tolist()
    ]


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
    operations = operation_texts(plan)
    versions = (RULES_VERSION, bars.BARS_VERSION, bars.STATE_SIZE)
    bars_are = (options.timeframe.text, options.source.text, options.no_trade)
    text = repr((versions, plan.convention, operations, bars_are)).encode()
    return hashlib.blake2b(text + calendar_digest(calendar), digest_size=_DIGEST_BYTES).digest()


def operation_texts(plan: Plan) -> list[str]:
    """Return what identifies each operation's numbers, and the size of its state."""
    return [operation.identity for operation in plan.operations]


@lru_cache(maxsize=CALENDARS_MAX)
def calendar_digest(calendar: Calendar) -> bytes:
    """Return a digest of a calendar's whole table: states hold the numbers of its sessions."""
    digest = hashlib.blake2b(repr((str(calendar), calendar.timezone)).encode(), digest_size=16)
    table = calendar.sessions()
    for field in fields(table):
        digest.update(np.asarray(getattr(table, field.name)).tobytes())
    return digest.digest()
