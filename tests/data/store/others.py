"""A store and other tools at work on its table, and a plain model of what must come out.

The model holds rows as lists: for each version of the table, each key's rows in the order of their
revisions; and the tail's beside it. It knows of no file, statistics, mark or lock.
"""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tallow import AnalyticsEngine, LiveEngine
from tallow.core.errors import DamagedFileError, RangeError, TallowWarning
from tallow.data.reading.schema import CANDLE_SCHEMA
from tallow.data.store.store import Store, open_store
from tests.data.store.conftest import Clock
from tests.data.store.model import Key, Values, candle_frame, counts, flat, keys_frame, read
from tests.frames import assert_same_frame

NAMES = ("A", "B", "C")
MONTHS = (4, 5, 6)
TIMES = [
    int(datetime(2025, month, day, 10, minute, tzinfo=UTC).timestamp()) * 1_000_000
    for month in MONTHS
    for day in (1, 2)
    for minute in (0, 5, 6, 11)
]
KEYS = [(name, time) for name in NAMES for time in TIMES]
WEEK = 7 * 24.0
LIVE = ("5m", "ema(3)")


@dataclass
class Row:
    """A row of the log, without its number."""

    received_at: int
    values: Values | None


Rows = dict[Key, list[Row]]


@dataclass
class Expected:
    """What a store must hold, whatever other tools did to its table.

    `versions` has what the table held, and how far a pruning reached, at versions to go back to.
    """

    table: Rows = field(default_factory=dict)
    tail: Rows = field(default_factory=dict)
    horizon: int = 0
    last_received: int = 0
    versions: dict[int, tuple[Rows, int]] = field(default_factory=dict)

    def rows(self, key: Key) -> list[Row]:
        """Return a key's rows in the order in which they count."""
        return self.table.get(key, []) + self.tail.get(key, [])

    def write(self, candles: Mapping[Key, Values | None], now: int) -> tuple[int, int, int]:
        """Take candles, or deletions, into the tail; return the new, identical and revised."""
        moment, found = max(now, self.last_received + 1), [0, 0, 0]
        for key, values in candles.items():
            known = self.rows(key)
            before = known[-1].values if known else None
            gone = values is None and before is None
            if gone or (known and before is not None and values == before):
                found[1] += 1
                continue
            found[2 if known else 0] += 1
            self.tail.setdefault(key, []).append(Row(moment, values))
            self.last_received = moment
        return found[0], found[1], found[2]

    def flush(self) -> None:
        """Move the tail into the table."""
        for key, rows in self.tail.items():
            self.table.setdefault(key, []).extend(rows)
        self.tail = {}

    def prune(self, superseded: int) -> None:
        """Take away what was superseded by a moment."""
        self.flush()
        superseded = min(superseded, self.last_received)
        for key, rows in self.table.items():
            follow = [*rows[1:], Row(superseded + 1, None)]
            kept = [r for r, f in zip(rows, follow, strict=True) if f.received_at > superseded]
            self.table[key] = kept
        self.horizon = max(self.horizon, superseded)

    def delete(self, gone) -> None:
        """Take rows out of the table, as another tool does."""
        kept = {k: [r for r in rows if not gone(k, r)] for k, rows in self.table.items()}
        self.table = {key: rows for key, rows in kept.items() if rows}

    def read(self, known_at: int | None = None) -> list[tuple]:
        """Return the candles known at a moment, in order."""
        found = []
        for key in sorted({*self.table, *self.tail}):
            known = [r for r in self.rows(key) if known_at is None or r.received_at <= known_at]
            if known and known[-1].values is not None:
                found.append((*key, *known[-1].values))
        return found

    def receipts(self) -> list[int]:
        """Return all receipt times."""
        held = [*self.table.values(), *self.tail.values()]
        return sorted({row.received_at for rows in held for row in rows})


class Shared:
    """A store that others work on, too: one handle stays open, others are opened for a look."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.draw, self.clock = folder, random.Random(seed), Clock(step=7)
        self.store = open_store(folder, create=True, clock=self.clock)
        self.engine = AnalyticsEngine(calendar="24/7", store=self.store)
        self.model, self.saved = Expected(), folder.parent / "live"
        self.remember()

    def remember(self) -> None:
        """Note what the table holds at its newest version."""
        version = DeltaTable(self.folder).version()
        self.model.versions[version] = copy.deepcopy((self.model.table, self.model.horizon))

    # What Tallow does

    def some(self, most: int = 12) -> list[Key]:
        return self.draw.sample(KEYS, self.draw.randrange(1, most))

    def write(self) -> None:
        candles = {key: flat(self.draw.choice([1.0, 2.0, 3.0])) for key in self.some()}
        report = self.store.write(candle_frame(candles), source_timeframe="1m")
        assert counts(report) == self.model.write(candles, self.clock.now)

    def remove(self) -> None:
        keys = self.some(5)
        report = self.store.delete(keys_frame(keys))
        assert counts(report) == self.model.write(dict.fromkeys(keys), self.clock.now)

    def flush(self) -> None:
        self.store.flush()
        self.model.flush()

    def compact(self) -> None:
        self.store.compact(WEEK)
        self.model.flush()

    def prune(self) -> None:
        moment = self.draw.choice([*self.model.receipts(), self.clock.now + 10**9])
        self.store.prune(superseded_before=moment, keep_hours=WEEK)
        self.model.prune(moment)

    def save_live(self) -> None:
        """Leave a live engine's state behind, for whoever comes later."""
        live = LiveEngine(*LIVE, calendar="24/7", store=self.store)
        live.catch_up()
        live.save(self.saved)

    # What other tools do

    def optimize(self) -> None:
        DeltaTable(self.folder).optimize.compact()

    def z_order(self) -> None:
        columns = self.draw.sample(["timestamp", "close", "revision", "instrument"], 2)
        DeltaTable(self.folder).optimize.z_order(columns)

    def delete_rows(self) -> None:
        name, time = self.draw.choice(KEYS)
        if self.draw.random() < 0.5:
            DeltaTable(self.folder).delete(f"instrument = '{name}' and timestamp = {_sql(time)}")
            self.model.delete(lambda key, row: key == (name, time))
        else:
            receipts = self.model.receipts() or [0]
            moment = self.draw.choice(receipts[len(receipts) // 2 :])
            DeltaTable(self.folder).delete(f"received_at > {_sql(moment)}")
            self.model.delete(lambda key, row: row.received_at > moment)

    def update_rows(self) -> None:
        name = self.draw.choice(NAMES)
        prices = dict.fromkeys(("open", "high", "low", "close"), "4.0")
        DeltaTable(self.folder).update(prices, predicate=f"instrument = '{name}' and not deleted")
        for key, rows in self.model.table.items():
            for row in rows:
                if key[0] == name and row.values is not None:
                    row.values = flat(4.0)

    def restore(self) -> None:
        version = self.draw.choice(list(self.model.versions))
        try:
            DeltaTable(self.folder).restore(version)
        except DeltaError:
            # A vacuum took its files.
            return
        self.model.table, self.model.horizon = copy.deepcopy(self.model.versions[version])

    def vacuum(self) -> None:
        DeltaTable(self.folder).vacuum(0, dry_run=False, enforce_retention_duration=False)

    def overwrite(self) -> None:
        rows = pl.read_delta(str(self.folder))
        rows = rows.sample(fraction=1.0, shuffle=True, seed=self.draw.randrange(1000))
        rows.write_delta(str(self.folder), mode="overwrite")

    def append_again(self) -> None:
        rows = pl.read_delta(str(self.folder))
        rows.sample(fraction=0.3, seed=self.draw.randrange(1000)).write_delta(
            str(self.folder), mode="append"
        )

    def contradict(self) -> None:
        """Another tool says something else of one row; then it takes that back."""
        rows = pl.read_delta(str(self.folder)).filter(~pl.col("deleted"))
        if not len(rows):
            return
        version = DeltaTable(self.folder).version()
        wrong = rows.sample(1, seed=self.draw.randrange(1000))
        wrong.with_columns(volume=pl.lit(77.0)).write_delta(str(self.folder), mode="append")
        name = wrong["instrument"][0]
        others = [each for each in NAMES if each != name]
        rest = [row for row in self.model.read() if row[0] in others]
        with open_store(self.folder) as fresh:
            for store in (self.store, fresh):
                with pytest.raises(DamagedFileError, match=f"instrument={name}"):
                    store.read([name])
                assert read(store, instruments=others) == rest
        with pytest.raises(DamagedFileError, match=f"instrument={name}"):
            self.engine.query(name, "5m", "2025-04-01", "2025-06-30", "ema(3)")
        DeltaTable(self.folder).restore(version)

    # What must come out

    def step(self) -> None:
        """Do something, and look."""
        acts = [self.write] * 6 + [self.remove, self.flush, self.flush, self.compact, self.prune]
        acts += [self.optimize, self.z_order, self.delete_rows, self.update_rows, self.restore]
        acts += [
            self.save_live,
            self.restore,
            self.vacuum,
            self.overwrite,
            self.append_again,
            self.contradict,
        ]
        self.act = self.draw.choice(acts)
        self.act()
        self.remember()
        self.look()

    def look(self) -> None:
        """Compare what the open store, a fresh one, and their engines say with the model."""
        with open_store(self.folder, clock=self.clock) as fresh:
            for store in (self.store, fresh):
                assert read(store) == self.model.read()
            for moment in self.draw.sample(
                self.model.receipts(), min(2, len(self.model.receipts()))
            ):
                self.look_back(fresh, moment)
            self.ask(self.engine)
            if self.draw.random() < 0.3:
                self.ask(AnalyticsEngine(calendar="24/7", store=fresh))
            if self.saved.exists() and self.draw.random() < 0.2:
                self.go_on(fresh)

    def look_back(self, store, moment: int) -> None:
        try:
            assert read(store, known_at=moment) == self.model.read(moment)
        except RangeError:
            assert moment < self.model.horizon
        else:
            assert moment >= self.model.horizon

    def ask(self, engine: AnalyticsEngine) -> None:
        """Compare a range of one instrument with a run over all of the model's candles."""
        name, month = self.draw.choice(NAMES), self.draw.choice(MONTHS)
        rows = [row for row in self.model.read() if row[0] == name]
        begins = datetime(2025, month, 1, tzinfo=UTC)
        if not any(row[1] >= _microseconds(begins) for row in rows):
            return
        candles = candle_frame({row[:2]: Values(*row[2:]) for row in rows})
        alone = AnalyticsEngine(calendar="24/7")
        whole = alone.process_candles(candles.select(list(CANDLE_SCHEMA)), "5m", "ema(3)").frame
        wanted = whole.filter(pl.col("timestamp") >= begins)
        got = engine.query(name, "5m", f"2025-{month:02d}-01", "2025-06-30", "ema(3)").frame
        assert_same_frame(got, wanted)

    def go_on(self, store: Store) -> None:
        """Compare a saved live state that goes on, or is rebuilt, with an engine from scratch."""
        with warnings.catch_warnings(action="ignore", category=TallowWarning):
            resumed = LiveEngine.load(self.saved, *LIVE, calendar="24/7", store=store)
        fresh = LiveEngine(*LIVE, calendar="24/7", store=store)
        for live in (resumed, fresh):
            live.catch_up()
        frames = [live.latest("5m").drop("revision") for live in (resumed, fresh)]
        assert_same_frame(*(frame.sort("instrument", "timestamp") for frame in frames))


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def _sql(microseconds: int) -> str:
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"'{moment:%Y-%m-%dT%H:%M:%S}.{microseconds % 1_000_000:06d}Z'"
