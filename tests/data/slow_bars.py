"""The slow twin of aggregation: the design's rules in plain Python, candle by candle.

Dictionaries, datetimes and `Calendar.session` only; nothing of the code under test.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tallow.core.calendars import Calendar, Session
from tallow.core.errors import CoverageError

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Candle:
    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    open_interest: float | None = None


@dataclass
class Bar:
    """A bucket's candles, and the calendar's end of the bucket."""

    begin: datetime
    end: datetime
    rows: list[Candle] = field(default_factory=list)

    def values(self) -> tuple[float | None, ...]:
        """Return open, high, low, close, volume, last known open interest, and the count."""
        volume = 0.0
        for row in self.rows:
            volume += row.volume
        known = [row.open_interest for row in self.rows if row.open_interest is not None]
        return (
            self.rows[0].open,
            max(row.high for row in self.rows),
            min(row.low for row in self.rows),
            self.rows[-1].close,
            volume,
            known[-1] if known else None,
            len(self.rows),
        )


@dataclass(frozen=True)
class Slow:
    """One instrument's bars with their finality, where its candles went, and those off the grid."""

    bars: list[tuple[Bar, bool]]
    went: Counter[str]
    off_grid: list[datetime]


def slow_bars(
    rows: list[Candle],
    calendar: Calendar,
    timeframe: str,
    source: str = "1m",
    no_trade: str = "drop",
    final_at: datetime | None = None,
) -> Slow:
    """Aggregate the candles of one instrument to ``7m``, ``1h``, ``1d``, ``1w``, ``1mo`` or so."""
    bars: dict[datetime, Bar] = {}
    went: Counter[str] = Counter()
    off_grid = []
    fillers = Fillers() if no_trade == "drop" else None
    for row in sorted(rows, key=lambda candle: candle.time):
        repeats = fillers is not None and fillers.sees(row)
        place = locate(calendar, row.time, source)
        if place is None:
            went["outside_session"] += 1
            continue
        day, segment = place
        if segment and (row.time - segment[0]) % size(source) != timedelta(0):
            went["off_grid"] += 1
            off_grid.append(row.time)
            continue
        if fillers is not None and fillers.hides(row, repeats):
            went["no_trade"] += 1
            continue
        went["in_bars"] += 1
        begin, end = bucket(calendar, day, segment, row.time, timeframe)
        bars.setdefault(begin, Bar(begin, end)).rows.append(row)
    now = final_at or last_end(rows, calendar, source)
    ordered = [bars[begin] for begin in sorted(bars)]
    return Slow([(bar, bar.end <= now) for bar in ordered], went, off_grid)


class Fillers:
    """Which candles without volume only fill a minute; told row by row, looking back only.

    Every row of the series is to be shown with `repeats`, also those outside the session: what has
    traded, and the close before, are of any row.
    """

    def __init__(self) -> None:
        self.traded = self.has_no_volume = False
        self.before: Candle | None = None

    def sees(self, row: Candle) -> bool:
        """Take the next row; say whether it repeats the close of the row before it."""
        before, self.before = self.before, row
        self.traded = self.traded or row.volume > 0
        prices = {row.open, row.high, row.low, row.close}
        if before is None:
            return len(prices) == 1
        return prices == {before.close}

    def hides(self, row: Candle, repeats: bool) -> bool:
        """Say whether a row of a session, which `sees` was told of, is a filler."""
        if row.volume > 0:
            return False
        if not self.traded and not repeats:
            self.has_no_volume = True
        return repeats and (self.traded or not self.has_no_volume)


def size(timeframe: str) -> timedelta:
    """Return how long an intraday timeframe lasts."""
    number, unit = int(timeframe[:-1]), timeframe[-1]
    return timedelta(minutes=number * {"m": 1, "h": 60}[unit])


def is_intraday(timeframe: str) -> bool:
    return timeframe[-1] in "mh"


@lru_cache(maxsize=10_000)
def session_on(calendar: Calendar, day: date) -> Session | None:
    try:
        return calendar.session(day)
    except CoverageError:
        return None


def period(calendar: Calendar, day: date, timeframe: str) -> list[Session]:
    """Return the sessions of a date, or of its week from Monday, or of its month."""
    days = [day]
    if timeframe == "1w":
        days = [day + (k - day.weekday()) * DAY for k in range(7)]
    if timeframe == "1mo":
        first = day.replace(day=1)
        days = [first + k * DAY for k in range(31) if (first + k * DAY).month == day.month]
    found = (session_on(calendar, each) for each in days)
    return [session for session in found if session is not None]


def locate(
    calendar: Calendar, time: datetime, source: str
) -> tuple[date, tuple[datetime, datetime] | None] | None:
    """Return the trading date and the open interval of a candle; None outside of all."""
    here = time.astimezone(ZoneInfo(calendar.timezone)).date()
    if not is_intraday(source):
        sessions = period(calendar, here, source)
        return (sessions[0].date, None) if sessions else None
    for day in (here - DAY, here, here + DAY):
        session = session_on(calendar, day)
        for segment in session.segments if session else ():
            if segment[0] <= time < segment[1]:
                return day, segment
    return None


def bucket(
    calendar: Calendar,
    day: date,
    segment: tuple[datetime, datetime] | None,
    time: datetime,
    timeframe: str,
) -> tuple[datetime, datetime]:
    """Return a bar's calendar open and end."""
    if is_intraday(timeframe):
        assert segment is not None
        begin = segment[0] + (time - segment[0]) // size(timeframe) * size(timeframe)
        return begin, min(begin + size(timeframe), segment[1])
    sessions = period(calendar, day, timeframe)
    return sessions[0].segments[0][0], sessions[-1].segments[-1][1]


def last_end(rows: list[Candle], calendar: Calendar, source: str) -> datetime:
    """Return the end of an instrument's last candle, whether it makes a bar or not."""
    last = max(row.time for row in rows)
    if is_intraday(source):
        return last + size(source)
    place = locate(calendar, last, source)
    return last if place is None else period(calendar, place[0], source)[-1].segments[-1][1]
