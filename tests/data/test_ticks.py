"""Goal: a minute's candle is a pure function of its ticks, and what is given out is what changed.

Method: a twin in plain Python keeps every tick in a list, sorts it and builds all candles anew
after each step; random feeds with late, repeated, wrong and far-off ticks go to both, and each
answer must be the twin's, exactly. Beside that, small cases whose numbers were worked out by hand.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.errors import ParameterError
from tallow.core.limits import TICKS_KEPT_MAX
from tallow.data.kernels import tick_minutes
from tallow.data.ticks import Minutes, TickBuilder
from tests.data.slow_ticks import DAY, MINUTE, OPENS, SECOND, SlowBuilder, Tick

GRACE = 2 * SECOND
KEPT = 4


def add(builder: TickBuilder, ticks: list[Tick], cumulative: bool = False) -> Minutes:
    """Hand the ticks over as the arrays that they are."""
    number, time, sequence = (
        np.array([tick[k] for tick in ticks], dtype=np.int64) for k in (0, 1, 5)
    )
    price, quantity, session = (
        np.array([tick[k] for tick in ticks], dtype=np.float64) for k in (2, 3, 4)
    )
    return builder.add(
        number, time, price, quantity, session, cumulative=cumulative, sequence=sequence
    )


def rows(given: Minutes) -> list[tuple[Any, ...]]:
    """Return ``(instrument, minute, candle, closed, falls, renewed)`` per row."""
    return list(zip(*(column.tolist() for column in given[:10]), strict=True))


def candles(given: Minutes) -> list[tuple[Any, ...]]:
    """Return ``(instrument, second of the minute's open, candle, closed)``, for reading."""
    return [(i, (at - OPENS) // SECOND, *candle) for i, at, *candle, _, _ in rows(given)]


def at(second: float, price: float, quantity: float, instrument: int = 0, **more: Any) -> Tick:
    return Tick(instrument, OPENS + round(second * SECOND), price, quantity, **more)


def drawn(draw: random.Random, around: int, cumulative: bool) -> Tick:
    """Return a tick: mostly near now, some late or far off, and now and then nonsense."""
    spread = draw.choice([SECOND, 10 * SECOND, 2 * MINUTE, 6 * MINUTE])
    time = around + draw.randint(-spread, spread // 4)
    if draw.random() < 0.5:
        time = time // SECOND * SECOND
    if draw.random() < 0.01:
        time = draw.choice([0, -1, time * 1000, time // 1000, time + 3 * DAY])
    price = draw.choice([100.0, 100.05, 99.9, draw.uniform(90, 110)])
    # A cumulative volume that mostly rises with time, in whole and broken numbers.
    day_volume = max(time - OPENS + DAY, 0) // SECOND % 50_000 * 0.1
    quantity = draw.choice([0.0, 0.1, 0.2, draw.uniform(0, 9)])
    if cumulative and draw.random() < 0.9:
        quantity = day_volume + draw.choice([0.0, 0.0, 0.1, -3.0, 5.0])
    if draw.random() < 0.02:
        price = draw.choice([0.0, -1.0, math.nan, math.inf])
    if draw.random() < 0.02:
        quantity = draw.choice([-0.1, math.nan, math.inf])
    # Sessions change in the midst of what is kept.
    session = 1.0 + (time - OPENS) // (3 * MINUTE)
    if draw.random() < 0.02:
        session = math.nan
    numbered = draw.random() < 0.3
    return Tick(draw.randrange(4), time, price, quantity, session, draw.randrange(3) * numbered)


def history(seed: int, steps: int, kept: int = KEPT) -> None:
    """Run a random feed through the builder and its twin, and compare each answer."""
    draw = random.Random(seed)
    fast, slow = TickBuilder(GRACE, kept), SlowBuilder(GRACE, kept, 4)
    now, sent = OPENS, [at(0, 100.0, 1.0)]
    for _ in range(steps):
        now += draw.choice([0, SECOND, 7 * SECOND, 70 * SECOND])
        what = draw.random()
        if what < 0.15:
            clock = now + draw.choice([0, 0, 3 * SECOND, -MINUTE])
            assert rows(fast.advance(clock)) == slow.advance(clock)
        elif what < 0.2:
            saved, fast = fast.arrays(), TickBuilder(GRACE, kept)
            fast.restore(saved)
        else:
            cumulative = draw.random() < 0.6
            batch = [drawn(draw, now, cumulative) for _ in range(draw.choice([0, 1, 2, 12]))]
            batch += draw.choices(sent, k=draw.choice([0, 0, 1, 3]))
            # A plain tick needs no session; a minute's ticks agree on theirs all the same.
            batch = [tick for tick in batch if cumulative or not math.isnan(tick.session)]
            sent += batch
            given = add(fast, batch, cumulative)
            expected, outcomes = slow.add(batch, cumulative)
            assert [tick_minutes.OUTCOMES[code] for code in given.outcome] == outcomes
            assert rows(given) == expected


@pytest.mark.twin
@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1))
def test_each_answer_is_the_twins(seed):
    history(seed, steps=25)


@pytest.mark.nightly
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 30]))
def test_each_answer_is_the_twins_at_length(seed, kept):
    history(seed, steps=80, kept=kept)


@pytest.mark.twin
@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_no_order_batching_or_repetition_changes_a_bit(seed, cumulative):
    """Ticks of different instants, delivered in any way while they are kept, make one history."""
    draw = random.Random(seed)
    times = draw.sample(range(10 * MINUTE), 80)
    ticks = [
        Tick(draw.randrange(3), OPENS + time, draw.uniform(99, 101), draw.uniform(0, 9))
        for time in times
    ]
    slow = SlowBuilder(GRACE, 20, 3)
    slow.add(ticks, cumulative)
    expected = [(i, m, *c) for i, each in enumerate(slow.own) for m, c in each.minutes().items()]

    delivered = ticks + draw.sample(ticks, 30)
    draw.shuffle(delivered)
    builder, table = TickBuilder(GRACE, 20), {}
    while delivered:
        size = draw.choice([1, 2, 5, 40])
        batch, delivered = delivered[:size], delivered[size:]
        for i, minute, *candle, _, falls, _ in rows(add(builder, batch, cumulative)):
            table[i, minute] = (i, minute, *candle, falls)
    assert [table[key] for key in sorted(table)] == expected


@pytest.mark.twin
@pytest.mark.parametrize("late", [False, True])
def test_cumulative_and_plain_quantities_make_the_same_candles(late):
    draw = random.Random(8)
    times = sorted(draw.sample(range(1, 40 * MINUTE), 400))
    prices = [100 + draw.randrange(99) * 0.05 for _ in times]
    sizes = [float(draw.randrange(1, 500)) for _ in times]
    totals = {1.0: 0.0, 2.0: 0.0}
    plain, running = [], []
    for time, price, size in zip(times, prices, sizes, strict=True):
        session = 1.0 if time < 20 * MINUTE else 2.0
        totals[session] += size
        plain.append(Tick(0, OPENS + time, price, size, session))
        running.append(Tick(0, OPENS + time, price, totals[session], session))
    order = list(range(len(times)))
    if late:
        draw.shuffle(order)
    tables = []
    for ticks, cumulative in ((plain, False), (running, True)):
        builder, table = TickBuilder(GRACE, 60), {}
        for k in range(0, len(order), 7):
            batch = [ticks[place] for place in order[k : k + 7]]
            for _, minute, *candle, _, falls, _ in rows(add(builder, batch, cumulative)):
                table[minute] = (*candle, falls)
        tables.append(table)
    assert tables[0] == tables[1]
    assert sum(candle[4] for candle in tables[0].values()) == sum(sizes)


@pytest.mark.twin
def test_a_minute_from_its_first_tick_to_its_correction():
    builder = TickBuilder(GRACE, KEPT)
    first = add(builder, [at(0, 10, 5), at(59.999999, 9, 1), at(30, 12, 2)])
    assert candles(first) == [(0, 0, 10, 12, 9, 9, 8, False)]
    # The full minute opens the next one; within the grace, the one before stays open.
    assert candles(add(builder, [at(60, 11, 4)])) == [(0, 60, 11, 11, 11, 11, 4, False)]
    assert candles(add(builder, [at(59.9999995, 8, 1)])) == [(0, 60, 11, 11, 8, 8, 5, False)]
    assert candles(builder.advance(OPENS + 61_999_999)) == []
    assert candles(builder.advance(OPENS + 62_000_000)) == [(0, 0, 10, 12, 9, 9, 8, True)]
    # Given out as closed: what comes now corrects it.
    late = add(builder, [at(0.5, 13, 1), at(30, 12, 2)])
    assert candles(late) == [(0, 0, 10, 13, 9, 9, 9, True)]
    assert [tick_minutes.OUTCOMES[code] for code in late.outcome] == ["late", "repeated"]
    # Two minutes on, by the tick's time: the clock closes what is open, and makes up no minute.
    assert candles(add(builder, [at(182, 7, 1)])) == [(0, 180, 7, 7, 7, 7, 1, False)]
    assert candles(builder.advance(OPENS + 182_000_000)) == [(0, 60, 11, 11, 8, 8, 5, True)]


@pytest.mark.twin
def test_a_late_total_changes_every_minute_that_it_reaches():
    builder = TickBuilder(GRACE, 10)
    feed = [at(1, 10, 100), at(61, 11, 150), at(121, 12, 140), at(181, 13, 170), at(241, 14, 200)]
    add(builder, feed, cumulative=True)
    # 09:17 came with a total below 09:16's: nothing traded, one fall. Now 160 turns up for 09:15.
    given = rows(add(builder, [at(59, 10.5, 160)], cumulative=True))
    assert [((m - OPENS) // MINUTE, v, falls, new) for _, m, *_, v, _, falls, new in given] == [
        (0, 160.0, 0, True),
        (1, 0.0, 1, True),
        (3, 10.0, 0, True),
    ]
    # A new session counts from 0 again, and its tick closes 09:18.
    fresh = rows(add(builder, [at(301, 15, 30, session=2.0)], cumulative=True))
    assert [(row[6], row[7]) for row in fresh] == [(10.0, True), (30.0, False)]


@pytest.mark.twin
def test_one_instant_is_ordered_by_sequence_then_total_then_arrival():
    plain = TickBuilder(GRACE, KEPT)
    add(plain, [at(5, 10, 1), at(5, 12, 1)])
    assert candles(add(plain, [at(5, 11, 1)])) == [(0, 0, 10, 12, 10, 11, 3, False)]
    numbered = TickBuilder(GRACE, KEPT)
    ticks = [at(5, 12, 1, sequence=3), at(5, 10, 1, sequence=1), at(5, 10, 1, sequence=2)]
    assert candles(add(numbered, ticks)) == [(0, 0, 10, 12, 10, 12, 3, False)]
    running = TickBuilder(GRACE, KEPT)
    given = add(running, [at(5, 12, 300), at(5, 10, 100), at(5, 11, 200)], cumulative=True)
    assert rows(given) == [(0, OPENS, 10, 12, 10, 12, 300, False, 0, True)]


@pytest.mark.twin
def test_what_is_refused_and_why():
    builder = TickBuilder(GRACE, KEPT)
    builder.advance(OPENS + 5 * MINUTE)
    good = at(300, 10, 1)
    cases = {
        "time_out_of_range": [
            good._replace(time=time) for time in (0, good.time // 1000, good.time * 1000)
        ],
        "price_missing": [good._replace(price=price) for price in (math.nan, math.inf)],
        "volume_missing": [good._replace(quantity=each) for each in (math.nan, math.inf)],
        "volume_negative": [good._replace(quantity=-1.0)],
        "too_late": [at(59.999999, 10, 1)],
        "no_session": [good._replace(session=math.nan)],
    }
    for reason, ticks in cases.items():
        given = add(builder, [good, *ticks], cumulative=True)
        assert given.quarantined.tolist() == list(range(1, len(ticks) + 1))
        assert given.rules == [reason] * len(ticks)
    # Plain quantities need no session; the oldest minute kept still takes ticks.
    given = add(builder, [at(301, 11, 2, session=math.nan), at(60, 10, 1)])
    assert [row[1] for row in rows(given)] == [OPENS + MINUTE, OPENS + 5 * MINUTE]
    assert not given.rules


@pytest.mark.twin
def test_an_instrument_is_not_closed_by_another_ones_ticks():
    """As where a file holds one instrument's days after the other's."""
    builder = TickBuilder(GRACE, KEPT)
    add(builder, [at(day * 86_400, 10, 1) for day in range(3)])
    given = add(builder, [at(day * 86_400, 20, 1, instrument=1) for day in range(3)])
    assert [row[1] for row in rows(given)] == [OPENS + day * DAY for day in range(3)]
    # The last one stands alone, and may be a wrong stamp: it has closed what was before the second.
    assert [row[7] for row in rows(given)] == [True, False, False]


@pytest.mark.twin
def test_ticks_beyond_the_bound_are_let_go_by_whole_closed_minutes():
    builder = TickBuilder(GRACE, 100)
    step = 3 * MINUTE // (TICKS_KEPT_MAX + 2000)
    count = TICKS_KEPT_MAX + 2000
    times = OPENS + step * np.arange(count)
    ones, zeros = np.ones(count), np.zeros(count, dtype=np.int64)
    builder.add(zeros, times, ones, ones.cumsum(), ones, cumulative=True)
    held = builder.arrays()["whole"][0]
    assert held[0] == times[times >= OPENS + MINUTE][0]
    assert held[-1] == times[-1]
    early = add(builder, [at(59, 5, 1), at(61, 5, 1)], cumulative=True)
    assert early.rules == ["too_late"]
    # What was let go is still counted against the totals after it.
    assert rows(early)[0][6] == float(
        (times < OPENS + 2 * MINUTE).sum() - (times < OPENS + MINUTE).sum()
    )


@pytest.mark.twin
def test_a_minute_that_is_not_closed_is_never_let_go():
    count = TICKS_KEPT_MAX + 10
    builder = TickBuilder(GRACE, KEPT)
    ones = np.ones(count)
    builder.add(
        np.zeros(count, np.int64), OPENS + np.arange(count), ones, ones, ones, cumulative=False
    )
    assert [row[6] for row in rows(add(builder, [at(59, 1, 5)]))] == [count + 5.0]


def test_memory_is_bounded_by_what_is_kept():
    builder, instruments, most = TickBuilder(GRACE, KEPT), 5, 0
    for second in range(15 * 60):
        add(builder, [at(second, 10, 1, instrument=i) for i in range(instruments)])
        most = max(most, len(builder.arrays()["real"][0]))
        # Spans double; there is room for two and a half times the ticks, with a batch's own.
        ticks, spans, base = builder._book[:3]
        held = ticks.whole.nbytes + ticks.real.nbytes + spans.nbytes + base.nbytes
        assert held <= 2 * 64 * instruments + 2.5 * 56 * (most + instruments)
    assert most == instruments * (KEPT + 1) * 60


def test_a_snapshot_shares_nothing_and_fits_its_settings_only():
    builder = TickBuilder(GRACE, KEPT)
    add(builder, [at(1, 10, 1)])
    saved = builder.arrays()
    before = {name: array.copy() for name, array in saved.items()}
    add(builder, [at(2, 11, 1)])
    resumed = TickBuilder(GRACE, KEPT)
    resumed.restore(saved)
    assert candles(add(resumed, [at(3, 9, 1)])) == [(0, 0, 10, 10, 9, 9, 2, False)]
    assert all(np.array_equal(saved[name], before[name], equal_nan=True) for name in saved)
    with pytest.raises(ParameterError, match=r"ticks: \(grace, kept\)=.*snapshot's"):
        TickBuilder(GRACE + 1, KEPT).restore(saved)


def test_mistakes_are_told():
    with pytest.raises(ParameterError, match="grace_us=-1; must not be negative"):
        TickBuilder(-1, KEPT)
    with pytest.raises(ParameterError, match="minutes_kept=1; must hold the grace"):
        TickBuilder(1, 1)
    builder = TickBuilder(GRACE, KEPT)
    with pytest.raises(ParameterError, match="must be microseconds since 1970"):
        builder.advance(OPENS // SECOND)
    # A clock that goes back changes nothing.
    builder.advance(OPENS + 10 * MINUTE)
    builder.advance(OPENS)
    assert add(builder, [at(1, 10, 1)]).rules == ["too_late"]


@pytest.mark.twin
def test_a_lone_stamp_far_ahead_shuts_out_no_right_tick():
    """Without a clock, whether it comes first, in the midst, or together with the right ones."""
    right = [at(20 * k, 10 + k, 1) for k in range(12)]
    wrong = at(330 * 60 + 1, 99, 1)
    for place in (0, 1, 5):
        for size in (1, 4, 20):
            ticks, builder = [*right[:place], wrong, *right[place:]], TickBuilder(GRACE, 4)
            table: dict[Any, Any] = {}
            while ticks:
                given, ticks = add(builder, ticks[:size]), ticks[size:]
                assert not given.rules
                table |= {row[1]: row for row in rows(given)}
            minutes = sorted(table)[:-1]
            assert [table[minute][6] for minute in minutes] == [3.0, 3.0, 3.0, 3.0]
            assert [table[minute][7] for minute in minutes] == [True, True, True, False]
