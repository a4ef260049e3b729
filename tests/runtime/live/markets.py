"""Candles of several venues around days on which clocks and hours change, as random as it takes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from tallow.data.reading.schema import CANDLE_SCHEMA, TIME_TYPE
from tests.frames import MINUTE

CALENDAR = {"N": "XNYS", "T": "XTKS", "C": "24/7", "A": "XNSE", "IDX": "XNSE"}
NAMES = tuple(CALENDAR)

HOURS = {
    "A": ("Asia/Kolkata", (("09:07", 390), ("18:00", 75))),
    "IDX": ("Asia/Kolkata", (("09:15", 375),)),
    "N": ("America/New_York", (("09:30", 393),)),
    "T": ("Asia/Tokyo", (("08:58", 395),)),
    "C": ("UTC", (("00:00", 1440),)),
}
"""Zones, first minutes and minutes: with some before, after and between the sessions."""

ERAS = (
    # NSE trades on Saturday, 2 March, in two short sessions; a month ends.
    date(2024, 2, 28),
    # Diwali's evening session on 1 November; New York's clocks go back on the 3rd; Tokyo rests on
    # the 4th, and closes later from the 5th; a month ends.
    date(2024, 10, 31),
    # New York's clocks go forward on 9 March; NSE rests on the 14th.
    date(2025, 3, 7),
    # A year ends, and all but NSE and the coins rest.
    date(2024, 12, 30),
)
DAYS = 8

Key = tuple[str, int]
"""An instrument and a time in microseconds."""


class Values(NamedTuple):
    """What a candle says."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    open_interest: float | None = None


def values(draw: random.Random, name: str, interest: bool) -> Values:
    """Return a candle on ticks of 0.05; an index has no volume.

    Many close at 100, and some without volume stay there: fillers or not, as the close before says.
    """
    opened, close = (100.0 + 0.05 * draw.randrange(40) for _ in "oc")
    if draw.random() < 0.4:
        close = 100.0
    if draw.random() < 0.2:
        opened = close
    wide = draw.random() < 0.7
    if draw.random() < 0.15:
        return Values(100.0, 100.0, 100.0, 100.0, 0.0)
    high = max(opened, close) + 0.05 * draw.randrange(3) * wide
    low = min(opened, close) - 0.05 * draw.randrange(3) * wide
    volume = 0.0 if name == "IDX" or draw.random() < 0.15 else float(draw.randrange(1, 999))
    held = float(draw.randrange(9)) if interest and draw.random() < 0.6 else None
    return Values(opened, high, low, close, volume, held)


def minutes(draw: random.Random, era: date, name: str, most: int) -> list[int]:
    """Return ascending minutes, microseconds UTC, in stretches with gaps over the era's days."""
    found: set[int] = set()
    for day in range(DAYS):
        today = era + timedelta(days=day)
        if draw.random() < (0.2 if today.weekday() > 4 or name == "C" else 0.0):
            continue
        for _ in range(draw.choice([1, 1, 2, 3])):
            found.update(_stretch(draw, today, name))
    kept = sorted(found)
    begin = draw.randrange(max(len(kept) - most, 0) + 1)
    return kept[begin : begin + most]


def _stretch(draw: random.Random, today: date, name: str) -> Iterable[int]:
    """Return some minutes of a day that follow each other closely."""
    zone, ranges = HOURS[name]
    opens, count = draw.choice(ranges)
    first = datetime.fromisoformat(f"{today}T{opens}").replace(tzinfo=ZoneInfo(zone))
    begin = draw.choice([0, draw.randrange(count), max(count - 20, 0)])
    end = min(begin + draw.choice([1, 5, 30]), count)
    return (
        microseconds(first.astimezone(UTC) + k * MINUTE)
        for k in range(begin, end)
        if draw.random() < 0.8
    )


def microseconds(time: datetime) -> int:
    """Return an instant's microseconds since 1970 UTC."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def frame_of(candles: Mapping[Key, Values], interest: bool) -> pl.DataFrame:
    """Return candles as a frame, in the mapping's order."""
    rows = [(*key, *said) for key, said in candles.items()]
    schema = {**CANDLE_SCHEMA, "timestamp": pl.Int64(), "open_interest": pl.Float64()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").cast({"timestamp": TIME_TYPE})
    return frame if interest else frame.drop("open_interest")


def keys_of(keys: Iterable[Key]) -> pl.DataFrame:
    """Return keys as a frame."""
    schema = {"instrument": pl.String(), "timestamp": pl.Int64()}
    return pl.DataFrame(list(keys), schema, orient="row").cast({"timestamp": TIME_TYPE})
