"""Goal: candles are adjusted as the field does it, exactly what must change changes, and nothing
depends on which other candles or actions are there.

Method: splits, bonuses and dividends of the Indian market worked out by hand; and a textbook
version in plain Python with exact fractions, against which random tables of actions are held, on
random histories, cut and shuffled at random.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import partial

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.calendars import load_calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ActionError, CalendarError, CoverageError, ParameterError
from tallow.data.actions import ACTION_SCHEMA, read_records
from tallow.data.adjust import apply_factors, closes_before, resolve_factors
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.data.slow_bars import session_on
from tests.frames import assert_same_frame, candles, minutes, moment

NSE = CalendarAssignment("XNSE")
DAY = timedelta(days=1)
ALL = ("split", "bonus", "dividend")


def us(text: str) -> int:
    return int(moment(text).timestamp()) * 1_000_000


LATE = us("2026-06-01T00:00+05:30")


def rows(*prices: tuple[str, float, float]) -> pl.DataFrame:
    """Return flat candles of ``(time in India, price, volume)``."""
    held = [("A", moment(f"{time}+05:30"), *[price] * 4, volume) for time, price, volume in prices]
    return pl.DataFrame(held, schema=CANDLE_SCHEMA, orient="row")


def split(day: str, new: float, old: float, name: str = "A", kind: str = "split") -> tuple:
    return (name, date.fromisoformat(day), kind, new, old, None, None)


def bonus(day: str, new: float, held: float, name: str = "A") -> tuple:
    return split(day, new, held, name, "bonus")


def dividend(day: str, amount: float, name: str = "A") -> tuple:
    return (name, date.fromisoformat(day), "dividend", None, None, amount, None)


def table(*actions: tuple) -> pl.DataFrame:
    return read_records(pl.DataFrame(actions, schema=ACTION_SCHEMA, orient="row"))[0]


def factors(actions: pl.DataFrame, history: pl.DataFrame, adjustment="total", now=LATE):
    known = partial(closes_before, history)
    return resolve_factors(actions, adjustment, NSE, known, now=now)


def adjusted(history: pl.DataFrame, *actions: tuple, adjustment="total", now=LATE):
    return apply_factors(history, factors(table(*actions), history, adjustment, now))


def shown(frame: pl.DataFrame) -> list[tuple]:
    return list(zip(frame["close"], frame["volume"], strict=True))


TWO_DAYS = rows(("2025-06-02T15:29", 500.0, 1_000.0), ("2025-06-03T09:15", 101.5, 4_800.0))


# ---- by hand


def test_a_face_value_from_10_to_2_makes_five_shares_of_one():
    held = TWO_DAYS.with_columns(open_interest=pl.Series([750.0, None], dtype=pl.Float64))
    found = adjusted(held, split("2025-06-03", 10, 2))
    assert found.drop("instrument", "timestamp").rows() == [
        (100.0, 100.0, 100.0, 100.0, 5_000.0, 3_750.0),
        (101.5, 101.5, 101.5, 101.5, 4_800.0, None),
    ]


def test_a_bonus_is_given_on_top_of_what_is_held():
    assert shown(adjusted(TWO_DAYS, bonus("2025-06-03", 1, 1)))[0] == (250.0, 2_000.0)
    # Two for every three: five shares where three were.
    assert shown(adjusted(TWO_DAYS, bonus("2025-06-03", 2, 3)))[0] == (300.0, 5_000.0 / 3)


def test_shares_that_are_merged_cost_more():
    assert shown(adjusted(TWO_DAYS, split("2025-06-03", 1, 10)))[0] == (5_000.0, 100.0)


def test_a_dividend_takes_its_share_of_the_last_close_and_leaves_the_volume():
    found = adjusted(TWO_DAYS, dividend("2025-06-03", 12.5))
    assert shown(found) == [(487.5, 1_000.0), (101.5, 4_800.0)]
    assert adjusted(TWO_DAYS, dividend("2025-06-03", 12.5), adjustment="split") is TWO_DAYS


def test_a_dividends_close_is_the_raw_one_of_its_time():
    held = rows(
        ("2025-06-02T15:28", 390.0, 10.0),
        ("2025-06-02T15:29", 400.0, 10.0),
        ("2025-06-03T09:15", 396.0, 10.0),
        ("2025-06-04T09:15", 80.0, 50.0),
    )
    # 400 before a dividend of 4, then five for one: (1 - 4 / 400) / 5 = 0.198, and 1 / 5.
    found = adjusted(held, dividend("2025-06-03", 4), split("2025-06-04", 5, 1))
    assert shown(found) == [
        (390 * 0.198, 50.0),
        (400 * 0.198, 50.0),
        (396 * 0.2, 50.0),
        (80.0, 50.0),
    ]


def test_a_daily_candle_at_midnight_is_of_the_ex_date_itself():
    held = rows(("2025-06-02T00:00", 400.0, 10.0), ("2025-06-03T00:00", 300.0, 10.0))
    found = adjusted(held, dividend("2025-06-03", 4))
    assert found["close"].to_list() == [396.0, 300.0]


def test_actions_of_one_date_all_count():
    # 1:1 bonus, 10 to 5, and a dividend of a tenth: 0.5 * 0.5 * 0.9.
    day = "2025-06-03"
    found = adjusted(TWO_DAYS, bonus(day, 1, 1), split(day, 10, 5), dividend(day, 50))
    assert shown(found)[0] == (500 * 0.225, 4_000.0)


def test_a_published_factor_is_taken_as_it_is():
    own = ("A", date(2025, 6, 3), "dividend", None, None, None, 0.55)
    assert shown(adjusted(TWO_DAYS, own))[0] == (500.0 * 0.55, 1_000.0)


def test_an_ex_date_without_a_session_counts_from_the_next_one():
    # 2025-03-31 was a holiday; the rows of Sunday and Monday lie before the session of the 1st.
    held = rows(
        ("2025-03-30T12:00", 8.0, 1.0),
        ("2025-03-31T23:59", 8.0, 1.0),
        ("2025-04-01T00:00", 4.0, 1.0),
    )
    found = adjusted(held, split("2025-03-30", 2, 1))
    assert found["close"].to_list() == [4.0, 4.0, 4.0]


def test_an_evening_session_is_of_its_own_date():
    # Globex opens for Monday, 2025-06-02, on Sunday at 17:00 in Chicago.
    times = [moment(f"2025-05-{day}-05:00") for day in ("30T15:59", "31T23:59")]
    held = candles("A", [*times, moment("2025-06-01T17:00-05:00")])
    globex, known = CalendarAssignment("CMES"), partial(closes_before, held)
    action = table(split("2025-06-02", 2, 1))
    found = resolve_factors(action, "split", globex, known, now=LATE)
    closes = held["close"].to_list()
    changed = apply_factors(held, found)["close"].to_list()
    assert changed == [closes[0] / 2, closes[1] / 2, closes[2]]


def test_what_is_announced_has_not_happened():
    action = split("2025-06-03", 5, 1)
    eve, day = us("2025-06-02T23:59+05:30"), us("2025-06-03T00:00+05:30")
    assert adjusted(TWO_DAYS, action, now=eve) is TWO_DAYS
    assert shown(adjusted(TWO_DAYS, action, now=day))[0] == (100.0, 5_000.0)


def test_dates_outside_the_calendars_years():
    old, new = split("2009-05-04", 5, 1), split("2027-05-04", 5, 1)
    before = us("2026-12-31T20:00+05:30")
    found = factors(table(old, new), TWO_DAYS, now=before)
    assert found["until"].dt.to_string("iso").to_list() == ["2009-05-03 18:30:00.000000+00:00"]
    late = split("2028-05-04", 5, 1)
    with pytest.raises(CoverageError, match="date=2028-05-04; covers"):
        factors(table(late), TWO_DAYS, now=us("2028-06-01T00:00+05:30"))


def test_a_dividend_before_the_first_candle_changes_nothing():
    assert adjusted(TWO_DAYS, dividend("2025-06-02", 900)) is TWO_DAYS


@pytest.mark.parametrize("amount", [500.0, 501.0])
def test_a_dividend_that_takes_all_is_an_error(amount):
    with pytest.raises(ActionError, match="must be less than the last close before it, 500"):
        adjusted(TWO_DAYS, dividend("2025-06-03", amount))


def test_mistakes_are_errors():
    action = table(split("2025-06-03", 5, 1))
    with pytest.raises(ParameterError, match="'splits'; must be split or total"):
        factors(action, TWO_DAYS, "splits")
    other, known = CalendarAssignment({"B": "XNSE"}), partial(closes_before, TWO_DAYS)
    with pytest.raises(CalendarError, match="'A'; the mapping must name it"):
        resolve_factors(action, "split", other, known, now=0)


def test_what_no_action_concerns_keeps_its_bits():
    other = candles("B", minutes("2025-06-02T09:15+05:30", 9))
    both = pl.concat([TWO_DAYS, other])
    found = adjusted(both, split("2025-06-03", 3, 1))
    assert_same_frame(found[1:], both[1:])
    assert adjusted(other, split("2025-06-03", 3, 1)) is other
    assert TWO_DAYS["close"].to_list() == [500.0, 101.5]


# ---- the textbook version

FIRST = date(2025, 5, 28)


def begin_of(day: date) -> datetime:
    """Return the midnight in India before the first session on or after a date."""
    while session_on(load_calendar("XNSE"), day) is None:
        day += DAY
    return moment(f"{day}T00:00+05:30")


def slow_factor(action: tuple, last: float) -> Fraction:
    """Return the factor of one action; `last` is the close before it."""
    _, _, kind, new, old, amount, factor = action
    if factor is not None:
        return Fraction(str(factor))
    if kind == "split":
        return Fraction(str(old)) / Fraction(str(new))
    if kind == "bonus":
        return 1 / (1 + Fraction(str(new)) / Fraction(str(old)))
    return (Fraction(str(last)) - Fraction(str(amount))) / Fraction(str(last))


def slow_adjusted(history: pl.DataFrame, actions: list[tuple], kinds: tuple[str, ...]):
    """Return each row's close and volume: row by row, every later action's factor."""
    raw = history.select("instrument", "timestamp", "close", "volume").rows()
    begins = [begin_of(action[1]) for action in actions]
    found = []
    for name, time, close, volume in raw:
        price = shares = Fraction(1)
        for action, begin in zip(actions, begins, strict=True):
            if action[0] != name or action[2] not in kinds or time >= begin:
                continue
            last = [row[2] for row in raw if row[0] == name and row[1] < begin][-1]
            factor = slow_factor(action, last)
            price *= factor
            shares *= 1 if action[2] == "dividend" else factor
        found.append((close * float(price), volume * float(1 / shares)))
    return found


@st.composite
def one_action(draw) -> tuple:
    name = draw(st.sampled_from("AB"))
    day = FIRST + draw(st.integers(-2, 9)) * DAY
    kind = draw(st.sampled_from(ALL))
    if draw(st.integers(0, 4)) == 0:
        return (name, day, kind, None, None, None, draw(st.sampled_from([0.1, 0.37, 0.98])))
    if kind == "dividend":
        return (name, day, kind, None, None, draw(st.sampled_from([0.1, 2.35, 7.0])), None)
    new, old = draw(st.sampled_from([(5.0, 1.0), (10.0, 3.0), (1.0, 7.0), (3.0, 2.0)]))
    return (name, day, kind, new, old, None, None)


@settings(max_examples=40)
@given(
    st.lists(one_action(), unique_by=lambda action: action[:3], max_size=12),
    st.sampled_from(["split", "total"]),
    st.integers(0, 2**32),
)
def test_factors_are_exact_products_whatever_else_is_there(actions, adjustment, seed):
    draw = random.Random(seed)
    times = minutes("2025-05-28T09:15+05:30", 20, step=600)
    history = pl.concat([candles(name, times, seed % 1000 + k) for k, name in enumerate("ABC")])
    kinds = ALL if adjustment == "total" else ALL[:2]
    resolved = factors(table(*actions), history, adjustment)
    whole = apply_factors(history, resolved)
    assert shown(whole) == slow_adjusted(history, actions, kinds)

    draw.shuffle(actions)
    assert resolved.equals(factors(table(*actions), history, adjustment))
    cuts = sorted(draw.sample(range(len(history)), 4))
    pieces = [history[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    assert_same_frame(pl.concat([apply_factors(piece, resolved) for piece in pieces]), whole)
    high, low = whole["high"], whole["low"]
    assert ((low <= whole["open"]) & (whole["open"] <= high) & (whole["close"] <= high)).all()

    # One action more changes the rows before it, and no others.
    taken = {action[:3] for action in actions}
    late = split("2025-06-02", 3, 1)
    if late[:3] not in taken:
        more = apply_factors(history, factors(table(*actions, late), history, adjustment))
        changed = (pl.col("instrument") == "A") & (pl.col("timestamp") < begin_of(date(2025, 6, 2)))
        assert_same_frame(more.filter(~changed), whole.filter(~changed))
        assert (more.filter(changed)["close"] < whole.filter(changed)["close"]).all()
