"""A live engine beside what it must have told: the batch run over the candles that survive.

After each change all bars of all surviving candles are computed anew; the rows that the engine
told must be those in which this run differs from the one before, and no others, bit for bit.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from tallow import AnalyticsEngine, LiveEngine
from tallow.core.spec import parse_specs
from tallow.data.reading.schema import TIME_TYPE
from tallow.data.store.store import Store
from tallow.plan.plan import make_plan
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.updates import ArrayUpdate
from tallow.runtime.output_kinds import in_kind
from tests.runtime.live.markets import (
    CALENDAR,
    ERAS,
    Key,
    Values,
    frame_of,
    keys_of,
    microseconds,
    minutes,
    values,
)
from tests.runtime.live.setups import Setup
from tests.runtime.live.tables import Table, table
from tests.runtime.live.tickers import Tick, drawn_ticks, folded, tick_frame

MINUTE_US = 60_000_000
NEVER = -(2**40)


class Twin:
    """A live engine, and what it must know."""

    def __init__(self, setup: Setup, draw: random.Random, store: Store | None = None) -> None:
        self.setup, self.store = setup, store
        self.live = setup.engine(store)
        # So it knows from the first row on whether there is a column of open interest.
        self.live.update(frame_of({}, setup.interest))
        era = draw.choice(ERAS)
        self.begins = microseconds(datetime(era.year, era.month, era.day, tzinfo=UTC))
        self.ahead = {name: minutes(draw, era, name, 70) for name in setup.names}
        self.skipped: list[Key] = []
        self.truth: dict[Key, Values] = {}
        self.told: dict[str, Table] = {size: {} for size in setup.timeframes}
        self.now, self.deletions = NEVER, 0
        self.revision = self.live.peek(frame_of({}, setup.interest)).revision
        self.resumed = False
        self.unseen: dict[Key, Values | None] = {}
        self.ticks: dict[Key, tuple[Tick, ...]] = {}
        self.waiting: list[tuple[Key, Tick]] = []
        self.refused: set[tuple[Key, Tick]] = set()
        self._batch = AnalyticsEngine(
            CALENDAR, convention=setup.convention, no_trade=setup.no_trade, threads=1
        )
        for name, ahead in self.ahead.items():
            early = draw.choice([0, 0, len(ahead) // 4])
            self.skipped += [(name, time) for time in ahead[:early]]
            del ahead[:early]

    # What comes

    def fresh(self, draw: random.Random, name: str, most: int) -> dict[Key, Values]:
        """Return the next candles of an instrument; some are left out, and may come late."""
        ahead = self.ahead[name]
        found: dict[Key, Values] = {}
        while ahead and len(found) < most:
            key = (name, ahead.pop(0))
            if draw.random() < 0.15:
                self.skipped.append(key)
            else:
                found[key] = self.drawn(draw, key)
        return found

    def corrections(self, draw: random.Random, most: int) -> dict[Key, Values]:
        """Return late, revised and repeated candles; the newest ones more often than others."""
        found: dict[Key, Values] = {}
        for _ in range(most):
            pool = self.skipped if draw.random() < 0.4 else sorted(self.truth)
            if pool:
                key = draw.choice(pool[-2:] if draw.random() < 0.3 else pool)
                same = key in self.truth and draw.random() < 0.2
                found[key] = self.truth[key] if same else self.drawn(draw, key)
        return found

    def drawn(self, draw: random.Random, key: Key) -> Values:
        return values(draw, key[0], self.setup.interest)

    def own(self, name: str) -> list[Key]:
        """Return the keys of an instrument's candles, ascending."""
        return sorted(key for key in self.truth if key[0] == name)

    # What the engine is told

    def update(self, draw: random.Random, candles: Mapping[Key, Values]) -> None:
        """Give candles to the engine, in any order and by any of its ways."""
        order = draw.sample(list(candles), len(candles))
        given = {key: candles[key] for key in order}
        self._tell_time(key[1] for key in given)
        if len(given) == 1 and draw.random() < 0.4:
            ((key, said),) = given.items()
            self.take(given, self.live.update_one(*key, *said[:5], said.open_interest))
            return
        if draw.random() < 0.3:
            self._update_arrays(draw, given)
            return
        frame = frame_of(given, self.setup.interest)
        peeked = self.live.peek(frame) if draw.random() < 0.3 else None
        before = {size: self.live.latest(size) for size in self.setup.timeframes}
        if peeked is not None:
            # An engine that went on from a file knows what it tells with its next update.
            self._must_be_known(self.expected() if self.resumed else self.told, before)
        update = self.live.update(frame)
        if peeked is not None and self.store is None:
            for size, rows in peeked.frames.items():
                assert table(rows) == table(update.frames[size])
        self.take(given, update)

    def _update_arrays(self, draw: random.Random, given: Mapping[Key, Values]) -> None:
        """Give candles by number; an earlier version of one may be among them."""
        rows = [(key, self.drawn(draw, key)) for key in given if draw.random() < 0.1]
        rows += list(given.items())
        frame = frame_of({}, True)
        if rows:
            frame = pl.concat([frame_of({key: said}, True) for key, said in rows])
        columns = [frame[name].to_physical().to_numpy() for name in frame.columns[1:]]
        if not self.setup.interest:
            columns = columns[:-1]
        update = self.live.update_arrays(self.live.numbers(frame["instrument"]), *columns)
        self.take(given, update, versions=len(rows) - len(given))

    def _tell_time(self, times: Iterable[int]) -> None:
        """Keep a clock that was told a right one: rows far ahead of it would be set aside."""
        if self.now > NEVER:
            self.live.note_time(max(times, default=NEVER))

    def update_ticks(self, draw: random.Random) -> None:
        """Give the next minutes, or late and repeated parts of earlier ones, as ticks."""
        self._meet_others()
        fresh = drawn_ticks(draw, self.fresh(draw, draw.choice(self.setup.names), 3))
        kept = [tick for tick in fresh if draw.random() < 0.2]
        late = draw.sample(self.waiting, min(len(self.waiting), 2))
        given = [tick for tick in fresh if tick not in kept] + late
        given += draw.sample(given, min(len(given), draw.choice([0, 0, 1])))
        self.waiting = [tick for tick in self.waiting if tick not in late] + kept
        draw.shuffle(given)
        self._tell_time(tick.time for _, tick in given)
        if draw.random() < 0.4:
            for (name, minute), tick in given:
                self._tell_time([tick.time])
                self._take_ticks([((name, minute), tick)], self.live.update_tick(name, *tick))
                self._close_ticks([tick])
        else:
            self._take_ticks(given, self.live.update_ticks(tick_frame(given)))
            self._close_ticks([tick for _, tick in given])

    def _close_ticks(self, given: Sequence[Tick]) -> None:
        """Move the clock behind ticks: what leaves memory before it closes is not in the store yet.

        A correction from before memory would miss it: who mixes ticks and candles moves the clock.
        """
        if given and self.store is not None and self.setup.keep < 100:
            newest = max(tick.time for tick in given)
            self.advance(newest + MINUTE_US + round(self.setup.grace * 1e6))

    def _take_ticks(self, given: Sequence[tuple[Key, Tick]], update: Any) -> None:
        """Note ticks that the engine was given, and assert that it did what it must."""
        held = update.report.quarantine
        refused = set(held.select("instrument", pl.col("timestamp").to_physical()).rows())
        taken = [(key, tick) for key, tick in given if (key[0], tick.time) not in refused]
        assert update.report.rows_in == len(given)
        assert update.report.refused == len(given) - len(taken)
        # One that was refused and comes again is a repeated one.
        self.refused = self.refused | {tick for tick in given if tick not in taken}
        taken = [tick for tick in taken if tick not in self.refused]
        for key, tick in taken:
            if tick not in self.ticks.get(key, ()):
                self.ticks[key] = (*self.ticks.get(key, ()), tick)
                self.truth[key] = self._kept(key, folded(self.ticks[key]))
        self.agree(update)

    def delete(self, keys: Iterable[Key]) -> None:
        """Delete candles, or what is none."""
        keys = list(keys)
        update = self.live.delete(keys_of(keys))
        others = self._see(True)
        refused = self._refused(update)
        gone = {key for key in keys if key in self.truth} - refused
        self.truth = {key: said for key, said in self.truth.items() if key not in gone}
        self.deletions += len(gone)
        counts = update.report
        assert (counts.deleted, counts.refused) == (len(gone), len(refused))
        assert counts.repeated == len(keys) - len(gone) - len(refused)
        self.agree(update, others=others)

    def advance(self, now: int) -> None:
        """Move the clock."""
        self._meet_others()
        self.now = max(self.now, now)
        self.agree(self.live.advance(now))

    def others_write(self, candles: Mapping[Key, Values]) -> None:
        """Write candles to the store behind the engine's back."""
        assert self.store is not None
        if candles:
            self.store.write(frame_of(candles, self.setup.interest), source_timeframe="1m")
            self.unseen |= {key: self._kept(key, said) for key, said in candles.items()}

    def others_delete(self, keys: Iterable[Key]) -> None:
        """Delete candles from the store behind the engine's back."""
        assert self.store is not None
        keys = list(keys)
        self.store.delete(keys_of(keys))
        self.unseen |= dict.fromkeys(keys)

    def catch_up(self) -> None:
        """Let the engine see what others wrote, all at once."""
        update = self.live.catch_up()
        # What they changed twice, and back, may be told, too.
        self.agree(update, others=self._see(True))

    def _meet_others(self) -> None:
        """Catch up before minutes of ticks close: their candles would be later than the others'."""
        if self.unseen:
            self.catch_up()

    def _see(self, looked: bool) -> bool:
        """Take over what others wrote, if the engine looked; return whether there was anything."""
        seen, self.unseen = (self.unseen, {}) if looked else ({}, self.unseen)
        for key, said in seen.items():
            if said is None:
                self.truth.pop(key, None)
            else:
                self.truth[key] = said
        return bool(seen)

    def _kept(self, key: Key, said: Values) -> Values:
        """Return what a candle says with the open interest that was known, if it says none."""
        held = self.unseen.get(key, self.truth.get(key))
        if held is None or said.open_interest is not None:
            return said
        return said._replace(open_interest=held.open_interest)

    def save(self, path: Path) -> Callable[[], None]:
        """Save the engine; return what kills it later, and goes on from the file."""
        self.live.save(path)
        truth, told, ticks = dict(self.truth), self.told, dict(self.ticks)
        known = (self.now, self.revision, self.deletions, set(self.refused))

        def resume() -> None:
            if self.store is not None and self.ticks != ticks:
                # A minute is durable once it has closed: ticks since then come again, or are lost.
                return
            self.live = LiveEngine.load(path, **self.setup.options(self.store))
            self.now, revision, self.deletions, self.refused = known
            self.told, self.revision = told, revision
            if self.store is None:
                self.truth, self.ticks = dict(truth), dict(ticks)
            else:
                # What the store received since has been caught up with; it is told later.
                self._see(True)
                self.resumed = True
            self._must_be_known(self.expected())

        return resume

    # What must be so

    def take(self, given: Mapping[Key, Values], update: Any, versions: int = 0) -> None:
        """Note candles that the engine was given, and assert that it did what it must."""
        others = self._see(bool(given))
        given = {key: self._kept(key, said) for key, said in given.items()}
        refused = self._refused(update)
        counts = dict.fromkeys(("appended", "late", "revised", "repeated"), 0)
        heads = {name: max(self.own(name), default=None) for name in self.setup.names}
        for key, said in given.items():
            if key not in refused:
                counts[self._kind(key, said, heads[key[0]])] += 1
        counts["repeated"] += versions
        self.truth |= {key: said for key, said in given.items() if key not in refused}
        assert {kind: getattr(update.report, kind) for kind in counts} == counts
        assert update.report.refused == len(refused)
        self.agree(update, others=others)

    def _kind(self, key: Key, said: Values, head: Key | None) -> str:
        if head is None or key > head:
            return "appended"
        if key not in self.truth:
            return "late"
        return "repeated" if self.truth[key] == said else "revised"

    def _refused(self, update: Any) -> set[Key]:
        """Return what was refused; without a store, what may lie before all that is held."""
        held = update.report.quarantine
        keys = set(held.select("instrument", pl.col("timestamp").to_physical()).rows())
        assert not keys or self.store is None
        assert set(held["rule"]) <= {"older_than_memory"}
        for name, time in keys:
            later = sum(key[0] == name and key[1] > time for key in self.truth)
            assert later + self.deletions >= self.setup.keep
        return keys

    def agree(self, update: Any, *, others: bool = False) -> None:
        """Assert that the engine told just what has changed, and knows each instrument's last bar.

        After writes of others, what they changed and the update changed back may be told, too.
        """
        others, self.resumed = others or self.resumed, False
        expected, changed = self.expected(), False
        frames = self._frames(update)
        for size, rows in expected.items():
            old, told = self.told[size], table(frames[size])
            differing = {key: row for key, row in rows.items() if old.get(key) != row}
            gone = old.keys() - rows.keys()
            for key, row in told.items():
                if others and key not in differing.keys() | gone:
                    assert rows.get(key, row) == row
                else:
                    assert row == differing.get(key, (0, True, *[None] * (len(row) - 2)))
            assert differing.keys() | gone <= told.keys()
            newer = frames[size]["revision"]
            assert (newer > self.revision).all() if others else (newer == update.revision).all()
            changed |= bool(told)
        assert (update.revision > self.revision) == changed or others
        self.told, self.revision = expected, update.revision
        self._must_be_known(self.told)

    def _frames(self, update: Any) -> Mapping[str, pl.DataFrame]:
        if not isinstance(update, ArrayUpdate):
            return update.frames
        return {size: self._frame(rows) for size, rows in update.rows.items()}

    def _frame(self, rows: BarRows) -> pl.DataFrame:
        """Return arrays as the frame that `update` would return."""
        left_out = () if self.setup.interest else ("open_interest",)
        fields = [name for name in rows.fields if name not in left_out]
        values = pl.DataFrame({name: rows[name] for name in fields}).fill_nan(None)
        kinds = make_plan(self.setup.indicators, self.setup.convention).kinds
        values = values.with_columns(
            in_kind(values[name], kind) for name, kind in kinds.items() if name in fields
        )
        return values.select(
            pl.Series("instrument", [self.live.names[n] for n in rows.instrument], pl.String),
            pl.Series("timestamp", rows.timestamp).cast(TIME_TYPE),
            pl.exclude("candles"),
            pl.col("candles").cast(pl.UInt32),
            pl.Series("is_final", rows.is_final),
            pl.Series("revision", rows.revision),
        )

    def _must_be_known(
        self, bars: Mapping[str, Table], latest: Mapping[str, pl.DataFrame] | None = None
    ) -> None:
        """Assert that the last one of each instrument's bars is what the engine has, or had."""
        for size, rows in bars.items():
            frame = self.live.latest(size) if latest is None else latest[size]
            last = {name: key for key in sorted(rows) for name in key[:1]}
            assert table(frame) == {key: rows[key] for key in last.values()}

    def expected(self) -> dict[str, Table]:
        """Return all bars of the surviving candles.

        One is final if a later one has come, or its end and the grace have passed.
        """
        if not self.truth:
            return {size: {} for size in self.setup.timeframes}
        candles = frame_of(self.truth, self.setup.interest)
        until = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=self.now - round(self.setup.grace * 1e6)
        )
        found = {}
        for size in self.setup.timeframes:
            specs = parse_specs(self.setup.indicators, self.setup.convention)
            frame = self._batch.process_candles(candles, size, specs, final_at=until).frame
            last = pl.col("timestamp") == pl.col("timestamp").max().over("instrument")
            found[size] = table(frame.with_columns(pl.col("is_final") | ~last))
        return found
