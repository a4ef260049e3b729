"""Goal: whatever comes in whatever order, a live engine has told the bits of a run from scratch.

Method: hypothesis makes up histories of candles, late ones, corrections, deletions, clock steps,
saves and kills, over venues whose clocks and hours change; after each step a batch run over the
candles that survive says which rows must have changed, and to what.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tallow import load_calendar, open_store
from tests.contract.cases import CASES
from tests.data.store.campaign import seed_of
from tests.frames import minutes
from tests.running import all_indicators
from tests.runtime.live.markets import Key, Values, microseconds
from tests.runtime.live.screened import drawn_text, require_kept, require_newest
from tests.runtime.live.setups import Setup, waits_fit
from tests.runtime.live.twin import MINUTE_US, NEVER, Twin
from tests.sizes import sized

pytestmark = pytest.mark.no_cover

SEEDS = st.integers(0, 2**32 - 1)


class Histories(RuleBasedStateMachine):
    """One engine without a store."""

    stored = False

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        draw = random.Random(seed)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        store = open_store(self.path / "store", create=True) if self.stored else None
        self.twin = Twin(Setup.drawn(draw), draw, store)
        self.resume: Callable[[], None] | None = None
        self.texts = [drawn_text(self.twin, draw) for _ in range(2)]

    def teardown(self) -> None:
        if hasattr(self, "twin"):
            if self.twin.store is not None:
                self.twin.store.close()
            self.folder.cleanup()

    @rule(seed=SEEDS)
    def append_one_each(self, seed: int) -> None:
        self._append(seed, 1)

    @rule(seed=SEEDS)
    def append_many(self, seed: int) -> None:
        self._append(seed, random.Random(seed).choice([2, 10, 60]))

    @rule(seed=SEEDS)
    def correct(self, seed: int) -> None:
        draw = random.Random(seed)
        self.twin.update(draw, self.twin.corrections(draw, draw.choice([1, 1, 2, 9])))

    @rule(seed=SEEDS)
    def append_and_correct(self, seed: int) -> None:
        draw = random.Random(seed)
        fresh = self.twin.fresh(draw, draw.choice(self.twin.setup.names), 3)
        self.twin.update(draw, self.twin.corrections(draw, 3) | fresh)

    @rule(seed=SEEDS)
    def revise_the_newest(self, seed: int) -> None:
        draw, twin = random.Random(seed), self.twin
        newest = [max(own) for own in map(twin.own, twin.setup.names) if own]
        for _ in range(draw.choice([1, 3])):
            twin.update(draw, {key: twin.drawn(draw, key) for key in newest})

    @rule(seed=SEEDS)
    def delete(self, seed: int) -> None:
        draw, twin = random.Random(seed), self.twin
        name = draw.choice(twin.setup.names)
        known, own = sorted(twin.truth), twin.own(name)
        kinds = [own[-1:], own[-draw.choice([2, 5, 20]) :], own[:1], twin.skipped[:1], own]
        kinds += [draw.sample(known, min(len(known), 3))]
        twin.delete(draw.choice(kinds))

    @rule(seed=SEEDS)
    def advance(self, seed: int) -> None:
        draw, twin = random.Random(seed), self.twin
        times = [key[1] for key in twin.truth] or [twin.begins]
        minutes = draw.choice([-60, 0, 1, 5, 65, 400, 1440, 4000, 50_000])
        start = twin.now if twin.now > NEVER and draw.random() < 0.3 else max(times)
        twin.advance(start + minutes * MINUTE_US + draw.choice([0, 1_999_999, 2_000_000]))

    @rule(seed=SEEDS)
    def trade(self, seed: int) -> None:
        self.twin.update_ticks(random.Random(seed))

    @rule(seed=SEEDS)
    def screen(self, seed: int) -> None:
        require_newest(self.twin, random.Random(seed).choice(self.twin.setup.timeframes))

    @invariant()
    def screens_see_no_stale_bar(self) -> None:
        for text, base in self.texts:
            require_kept(self.twin.live, text, base)

    @rule()
    def save(self) -> None:
        self.resume = self.twin.save(self.path / "state")

    @rule()
    def kill(self) -> None:
        if self.resume is not None:
            self.resume()

    def _append(self, seed: int, most: int) -> None:
        draw = random.Random(seed)
        found: dict[Key, Values] = {}
        names = self.twin.setup.names
        for name in names if draw.random() < 0.6 else [draw.choice(names)]:
            found |= self.twin.fresh(draw, name, most)
        self.twin.update(draw, found)


class StoredHistories(Histories):
    """One engine with a store, to which others write, too."""

    stored = True

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        super().begin(seed)
        self.twin.live.numbers(self.twin.setup.names)

    @rule(seed=SEEDS)
    def others_append(self, seed: int) -> None:
        draw = random.Random(seed)
        name = draw.choice(self.twin.setup.names)
        self.twin.others_write(self.twin.fresh(draw, name, draw.choice([1, 20])))

    @rule(seed=SEEDS)
    def others_correct(self, seed: int) -> None:
        draw, twin = random.Random(seed), self.twin
        twin.others_write(twin.corrections(draw, draw.choice([1, 3])))
        # They do not know the minutes that ticks are making here.
        known = sorted(twin.truth.keys() - twin.ticks.keys())
        twin.others_delete(draw.sample(known, min(len(known), 1)))

    @rule()
    def catch_up(self) -> None:
        self.twin.catch_up()


def check(machine: type[Histories], examples: int, steps: int) -> None:
    effort = settings(max_examples=examples, stateful_step_count=steps)
    run_state_machine_as_test(machine, settings=effort)


def check_a_part(machine: type[Histories], request: pytest.FixtureRequest, part: int) -> None:
    """Check as many histories as the profile says, by a seed that no other part has."""
    own = seed(seed_of(request) + part)(type(f"Part{part}", (machine,), {}))
    check(own, settings().max_examples, 20)


def test_what_was_told_is_what_a_run_from_scratch_says():
    check(Histories, sized(20, 60), 9)


def test_so_it_is_with_a_store_to_which_others_write():
    check(StoredHistories, sized(9, 25), 7)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(8))
def test_so_it_is_at_length(request, part):
    check_a_part(Histories, request, part)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(2))
def test_so_it_is_with_a_store_at_length(request, part):
    check_a_part(StoredHistories, request, part)


def tell_and_repair(twin: Twin, draw: random.Random, candles: int) -> None:
    """Tell candles, then revise and delete some of the newest; the twin checks each step."""
    for most in (candles, 1):
        twin.update(draw, twin.fresh(draw, "A", most))
    for count in (1, 5):
        recent = sorted(twin.truth, key=lambda key: key[1])[-60:]
        twin.update(draw, {key: twin.drawn(draw, key) for key in draw.sample(recent, count)})
        twin.delete(draw.sample(recent, count))
        twin.advance(recent[-1][1] + 7 * MINUTE_US)


PARTS = 12
"""Engines that share all indicators among them: each costs as much as its candles."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_indicator_is_repaired_exactly(part):
    """In a history longer than most look-backs, of which little is kept."""
    draw = random.Random(part)
    convention = draw.choice(["tradingview", "talib"])
    asked = []
    for name in list(all_indicators())[part::PARTS]:
        cases = [
            each
            for each in CASES
            if each.indicator.name == name
            and max(each.warmup) < 650
            # Three days have no week and no month before them.
            and not (each.indicator.period_before and each.values["anchor"] != "session")
            # Bars of five minutes must fit into what is waited for.
            and waits_fit(each, [5])
        ]
        fitting = [each for each in cases if each.convention == convention]
        asked.append(draw.choice(fitting or cases))
    spec = ", ".join(each.spec for each in asked)
    twin = Twin(Setup(("1m", "5m"), spec, convention, keep=90, names=("A",)), draw)
    # Of three sessions 700 candles are left, when the first quarter of them comes late.
    days = ("2025-06-02", "2025-06-03", "2025-06-04")
    times = [time for day in days for time in minutes(f"{day}T09:15+05:30", 375)]
    twin.ahead["A"] = [microseconds(time) for time in times]
    tell_and_repair(twin, draw, 700)
    sizes = [len(each.indicator.outputs) for each in asked]
    told = [iter(row[-sum(sizes) :]) for row in twin.told["1m"].values()]
    for each, size in zip(asked, sizes, strict=True):
        # Some output may never have a value: a place within bands without a width.
        own = [value for row in told for value in islice(row, size)]
        assert any(value is not None for value in own), each


def test_candle_patterns_are_repaired_exactly():
    """One kernel serves all of them; some are whole numbers in frames, and some names."""
    draw = random.Random(3)
    spec = "patterns, cdl_hikkake[pattern, trend], cdl_hammer, cdl_engulfing, cdl_doji"
    twin = Twin(Setup(("1m", "5m"), spec, "tradingview", keep=90, names=("A",)), draw)
    times = minutes("2025-06-02T09:15+05:30", 375)
    twin.ahead["A"] = [microseconds(time) for time in times]
    tell_and_repair(twin, draw, 300)


def test_the_eras_have_the_days_that_they_are_for():
    """Else the histories would prove less than they say."""

    def hours(name: str, day: date) -> list[str]:
        calendar = load_calendar(name)
        session = calendar.session(day)
        zone = ZoneInfo(calendar.timezone)
        edges = [] if session is None else [e for s in session.segments for e in s]
        return [f"{edge.astimezone(zone):%H:%M}" for edge in edges]

    assert len(hours("XNSE", date(2024, 3, 2))) == 4
    assert hours("XNSE", date(2024, 11, 1)) == ["18:00", "19:00"]
    assert hours("XNSE", date(2025, 3, 14)) == []
    assert hours("XTKS", date(2024, 11, 4)) == []
    assert hours("XTKS", date(2024, 11, 1)) == ["09:00", "11:30", "12:30", "15:00"]
    assert hours("XTKS", date(2024, 11, 5))[-1] == "15:30"
    assert hours("XNYS", date(2025, 1, 1)) == []
