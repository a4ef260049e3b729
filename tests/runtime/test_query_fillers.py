"""Goal: a minute without trades stays one where prices are adjusted, on the ex-date, too.

Method: a real split of ten for one, and others, around minutes that a feed filled with the close
before; the bars are worked out by hand. On random illiquid candles, adjusted prices have bars where
raw ones do, and a range has the bars of the whole history, wherever it begins.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.frames import assert_same_frame, minutes

EX_DATE = "2024-01-05"
BEFORE, TRADED = 27_116.35, 2_718.4
"""Around the split of Nestle India: the last close before it, and a first price after it."""


def rows(*told: tuple[str, float, float], name: str = "A") -> pl.DataFrame:
    """Return flat candles of ``(time in India, price, volume)``."""
    held = [
        (name, datetime.fromisoformat(f"{time}+05:30").astimezone(UTC), *[price] * 4, volume)
        for time, price, volume in told
    ]
    return pl.DataFrame(held, schema=CANDLE_SCHEMA, orient="row")


def action(kind: str = "split", new: float | None = 10, old: float | None = 1, **more: float):
    table = pl.DataFrame({"instrument": ["A"], "ex_date": [EX_DATE], "kind": [kind]})
    numbers = {"new": new, "old": old} | more
    return table.with_columns(pl.lit(n, pl.Float64).alias(k) for k, n in numbers.items())


def opened(folder: Path, candles: pl.DataFrame, act: pl.DataFrame, **series) -> tallow.Store:
    store = tallow.open_store(folder, create=True)
    store.write(candles, **{"source_timeframe": "1m"} | series)
    store.actions.record(act)
    return store


def asked(store: tallow.Store, adjustment: str = "split", **wanted) -> pl.DataFrame:
    engine = tallow.AnalyticsEngine("XNSE", store=store)
    return engine.query("A", "1m", indicators="sma(2)", adjustment=adjustment, **wanted).frame


MORNING = rows(
    ("2024-01-04T15:28", 27_000.0, 4.0),
    ("2024-01-04T15:29", BEFORE, 9.0),
    (f"{EX_DATE}T09:15", BEFORE, 0.0),
    (f"{EX_DATE}T09:16", BEFORE, 0.0),
    (f"{EX_DATE}T09:17", TRADED, 50.0),
    (f"{EX_DATE}T09:18", TRADED, 0.0),
)


@pytest.mark.parametrize(("new", "old"), [(10, 1), (3, 1), (7, 2)])
def test_a_filler_on_the_ex_date_with_the_price_before_it_stays_one(tmp_path, new, old):
    with opened(tmp_path / "store", MORNING, action(new=new, old=old)) as store:
        assert asked(store, "raw")["close"].to_list() == [27_000.0, BEFORE, TRADED]
        right = [27_000.0 * (old / new), BEFORE * (old / new), TRADED]
        assert asked(store)["close"].to_list() == right
        # Where the range begins with it, too.
        of_day = asked(store, start=date(2024, 1, 5))
        assert of_day["close"].to_list() == [TRADED]
        mean = (BEFORE * old / new + TRADED) / 2
        assert of_day["sma_2"].to_list() == pytest.approx([mean], rel=1e-14)


def test_a_price_of_after_the_split_that_a_feed_fills_with_is_a_filler_of_adjusted_prices(tmp_path):
    """The raw series has a bar there, as its price moves."""
    filled = rows(("2024-01-04T15:29", 27_100.0, 9.0), (f"{EX_DATE}T09:15", 2_710.0, 0.0))
    with opened(tmp_path / "store", filled, action()) as store:
        assert asked(store, "raw")["close"].to_list() == [27_100.0, 2_710.0]
        assert asked(store)["close"].to_list() == [2_710.0]


def test_an_instrument_without_volume_has_no_fillers_and_its_prices_are_those_of_their_day(
    tmp_path,
):
    """A fund pays what it earned and is worth the same again."""
    fund = rows(
        ("2024-01-03T10:00", 9.9, 0.0),
        ("2024-01-04T10:00", 10.0, 0.0),
        (f"{EX_DATE}T10:00", 10.0, 0.0),
    )
    dividend = action("dividend", None, None, factor=0.99)
    with opened(tmp_path / "store", fund, dividend) as store:
        assert asked(store, "total")["close"].to_list() == [10.0 * 0.99, 10.0]
        assert asked(store, "total", start=date(2024, 1, 5))["close"].to_list() == [10.0]


def test_a_halt_of_months_after_the_ex_date_is_filled_to_its_end(tmp_path):
    """The row that tells lies further back than a week, and than a year."""
    days = [date(2024, 1, 5) + timedelta(days=k) for k in range(600)]
    halted = [(f"{day}T10:00", BEFORE, 0.0) for day in days]
    told = rows(("2024-01-04T15:29", BEFORE, 9.0), *halted, ("2025-09-01T10:00", TRADED, 1.0))
    with opened(tmp_path / "store", told, action()) as store:
        for start in (date(2024, 1, 10), date(2024, 6, 3), date(2025, 8, 1)):
            assert asked(store, start=start)["close"].to_list() == [TRADED]


def illiquid(draw: random.Random) -> pl.DataFrame:
    """Return minutes around the ex-date, most of them filled; the first ones always are."""
    told, price = [], 3_000.0
    days = [d for d in range(1, 13) if load_calendar("XNSE").session(date(2024, 1, d))]
    for day in days:
        for k, time in enumerate(minutes(f"2024-01-{day:02}T09:15+05:30", 8)):
            if draw.random() < 0.2 and k > 1:
                price = round(price * draw.choice((0.98, 1.01, 1.03)), 2)
                told.append(("A", time, price, price, price, price, float(draw.randrange(1, 9))))
            else:
                told.append(("A", time, price, price, price, price, 0.0))
    return pl.DataFrame(told, schema=CANDLE_SCHEMA, orient="row")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("came", [False, True])
def test_a_range_of_adjusted_illiquid_candles_is_cut_from_the_whole(tmp_path, seed, came):
    """`came`: the candles came adjusted for the split, and a dividend is asked for, too."""
    draw = random.Random(seed)
    candles = illiquid(draw)
    act = action("dividend", None, None, factor=0.9) if came else action(new=3)
    series = {"adjustment": "split"} if came else {}
    with opened(tmp_path / "store", candles, act, **series) as store:
        kind = "total" if came else "split"
        whole, plain = asked(store, kind), asked(store, "split" if came else "raw")
        assert whole["timestamp"].equals(plain["timestamp"])
        assert len(whole) < len(candles) / 2
        for start in draw.sample(candles["timestamp"].to_list(), 5):
            found = asked(store, kind, start=start)
            assert_same_frame(found, whole.filter(pl.col("timestamp") >= start))
