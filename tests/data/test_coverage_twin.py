"""Goal: counts and segments are right for any candles on any calendar.

Method: a twin in plain Python walks every minute of random histories, on calendars with breaks,
half days and clock changes; what it finds must be what is told, row by row.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.calendars import Calendar, load_calendar
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.data.coverage.missing import missing_segments
from tallow.data.coverage.sessions import coverage
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.data.slow_bars import Candle, Fillers, locate, session_on, size
from tests.frames import MINUTE, moment

DAY = timedelta(days=1)

CASES = {
    "plain": ("XNSE", "2025-06-02", 3),
    "drill on a Saturday": ("XNSE", "2024-03-01", 4),
    "holiday": ("XNSE", "2025-03-28", 5),
    "hours change": ("XNSE:derivatives", "2026-07-31", 4),
    "clocks go forward": ("XNYS", "2025-03-07", 4),
    "half day": ("XNYS", "2024-11-27", 3),
    "lunch": ("XTKS", "2025-06-02", 2),
    "always": ("24/7", "2025-05-31", 2),
}


def expected_slots(calendar: Calendar, first: date, days: int, step: timedelta, now: datetime):
    """Return of each date the opens and closes of its candles that are closed at `now`."""
    found = {}
    for day in (first + k * DAY for k in range(days)):
        slots = []
        session = session_on(calendar, day)
        for opens, closes in session.segments if session else ():
            time = opens
            while time < closes:
                if min(time + step, closes) <= now:
                    slots.append((time, min(time + step, closes)))
                time += step
        found[day] = slots
    return found


def slow_coverage(rows: list[Candle], calendar: Calendar, slots, source: str, limit: datetime):
    """Return ``{date: [expected, present, missing, no_trade, outside]}``."""
    found = {day: [len(own), 0, len(own), 0, 0] for day, own in slots.items()}
    fillers = Fillers()
    early = [row for row in rows if row.time < limit]
    several = sharing(early, calendar, source)
    for row in early:
        here = found.get(row.time.astimezone(ZoneInfo(calendar.timezone)).date(), [0] * 5)
        if row.time in several:
            here[4] += 1
            continue
        segment, repeats = segment_at(calendar, row.time), fillers.sees(row)
        if segment and (row.time - segment[0]) % size(source) == timedelta(0):
            here[1] += 1
            here[2] -= 1
            here[3] += fillers.hides(row, repeats)
        else:
            here[4] += 1
    return found


def sharing(rows: list[Candle], calendar: Calendar, source: str) -> set[datetime]:
    """Return the times of rows that lie in one candle's time with another row."""
    together: dict[object, list[datetime]] = {}
    for row in rows:
        segment = segment_at(calendar, row.time)
        if segment:
            step = (row.time - segment[0]) // size(source)
            together.setdefault((segment[0], step), []).append(row.time)
    return {time for times in together.values() if len(times) > 1 for time in times}


def slow_segments(missing: list[bool], slots, longest: timedelta | None):
    """Return start, end and candles of each run of missing slots, cut where it is too long."""
    found: list[tuple[datetime, datetime, int]] = []
    for k, (opens, closes) in enumerate(slots):
        if not missing[k]:
            continue
        joins = found and k and missing[k - 1]
        if joins and (longest is None or closes - found[-1][0] <= longest):
            found[-1] = (found[-1][0], closes, found[-1][2] + 1)
        else:
            found.append((opens, closes, 1))
    return found


def segment_at(calendar: Calendar, time: datetime) -> tuple[datetime, datetime] | None:
    """Return the open interval in which a time lies."""
    place = locate(calendar, time, "1m")
    return place[1] if place else None


def history(
    calendar: Calendar, first: date, days: int, draw: random.Random, source: str
) -> list[Candle]:
    """Return candles in and around the hours, some without volume, and a few finer rows."""
    rows, share = [], draw.choice([0.02, 0.5, 0.97])
    midnight = datetime(first.year, first.month, first.day, 2, tzinfo=ZoneInfo(calendar.timezone))
    every = size(source) // MINUTE
    for k in range((days * DAY - timedelta(hours=4)) // MINUTE):
        if draw.random() < (share if k % every in (0, 15) else 0.02):
            price = draw.choice([9.0, 9.0, 9.5])
            volume = draw.choice([0.0, 7.0]) if draw.random() < 0.3 else 7.0
            time = midnight.astimezone(UTC) + k * MINUTE
            rows.append(Candle(time, price, price, price, price, volume))
    return rows


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    case=st.sampled_from(sorted(CASES)),
    source=st.sampled_from(["1m", "1m", "5m", "1h"]),
    longest=st.sampled_from([None, timedelta(minutes=7), timedelta(hours=30)]),
)
def test_counts_and_segments_are_those_of_a_walk_over_every_minute(seed, case, source, longest):
    draw = random.Random(seed)
    name, text, days = CASES[case]
    first = date.fromisoformat(text)
    calendar, last = load_calendar(name), first + (days - 1) * DAY
    rows = history(calendar, first, days, draw, source)
    now = moment(f"{text}T09:30+00:00") + draw.randrange(days * 1440) * MINUTE + MINUTE / 3
    slots = expected_slots(calendar, first, days, size(source), now)
    open_now = segment_at(calendar, now)
    limit = now - (now - open_now[0]) % size(source) if open_now else now
    table = [("A", *list(vars(row).values())[:6]) for row in rows]
    frame = pl.DataFrame(table, schema=CANDLE_SCHEMA, orient="row")
    asked_for: dict[str, Any] = {
        "now": int(now.timestamp() * 1_000_000),
        "source_timeframe": source,
        "start": first,
        "end": last,
        "instruments": ["A"],
    }

    told = coverage(frame, CalendarAssignment(name), **asked_for)
    slow = slow_coverage(rows, calendar, slots, source, limit)
    counts = {row[1]: list(row[3:]) for row in told.iter_rows()}
    assert counts == {day: slow[day] for day in counts}
    assert not any(any(own) for day, own in slow.items() if day not in counts)

    places = [slot for own in slots.values() for slot in own]
    times = {row.time for row in rows} - sharing(rows, calendar, source)
    fetch = missing_segments(frame, CalendarAssignment(name), longest=longest, **asked_for)
    gaps = [opens not in times for opens, _ in places]
    assert fetch.drop("instrument").rows() == slow_segments(gaps, places, longest)
