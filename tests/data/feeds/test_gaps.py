"""Goal: whatever a live feed missed is asked for, and a night or a lunch break is not.

Method: rows by hand, minute by minute, beside the gap that a person would see.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import to_us
from tallow.data.feeds.gaps import Calendars, GapFinder
from tallow.data.feeds.messages import CANDLE, TRADE, Message, MessageRow
from tests.frames import moment

NOW = moment("2025-06-04T09:00+05:30")


def row(
    time: str, connection: int = 1, sequence: int | None = None, fields: tuple[str, ...] = CANDLE
) -> MessageRow:
    """Return a row of one instrument; `time` by the clock of 2 June 2025, or with a day before."""
    day, clock = time.split() if " " in time else ("02", time)
    opened = to_us(moment(f"2025-06-{day}T{clock}+05:30"))
    return MessageRow(fields, "A", opened, (), sequence, Message("", connection, to_us(NOW)))


def gaps(
    *rows: MessageRow, calendar: Calendars | None = None, known: str | None = None
) -> list[str]:
    """Return the gaps that rows show, as clocks on the wall in India."""
    held = {} if known is None else {"A": moment(f"2025-06-02T{known}+05:30")}
    finder = GapFinder(calendar, held)
    found = [gap for each in rows if (gap := finder.see(each)) is not None]
    return [f"{wall(gap.start)}-{wall(gap.end)}" for gap in found]


def wall(instant: int) -> str:
    return f"{moment('1970-01-01T05:30+00:00') + timedelta(microseconds=instant):%H:%M}"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("09:15"), row("09:16"), row("09:16"), row("09:17")], []),
        # The candle before a gap may not have been over: it is asked for again.
        ([row("09:15"), row("09:18")], ["09:15-09:18"]),
        # Out of order: the gap that was seen is asked for, the late row opens none.
        ([row("09:15"), row("09:17"), row("09:16"), row("09:18")], ["09:15-09:17"]),
        # A new connection: the last candle may have changed, also where no minute is missing.
        ([row("09:15"), row("09:16", 2)], ["09:15-09:16"]),
        # A candle that is still forming goes on, with all that it has.
        ([row("09:15"), row("09:15", 2), row("09:16", 2)], []),
        # The server begins with old candles: what comes after them is still a gap.
        ([row("09:20"), row("09:18", 2), row("09:21", 2)], ["09:20-09:21"]),
    ],
)
def test_candles(rows: list[MessageRow], expected: list[str]) -> None:
    assert gaps(*rows) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Numbers that follow each other: the market was quiet, nothing is missing.
        ([row("09:15", sequence=7), row("09:40", sequence=8)], []),
        ([row("09:15", sequence=7), row("09:16", sequence=9)], ["09:15-09:16"]),
        ([row("09:15", sequence=7), row("09:15", sequence=9), row("09:16", sequence=10)], []),
        # Counting begins anew, and once more goes by the minutes.
        (
            [row("09:15", sequence=7), row("09:16", sequence=1), row("09:17", sequence=3)],
            ["09:16-09:17"],
        ),
        ([row("09:15", sequence=7), row("09:19", sequence=1)], ["09:15-09:19"]),
    ],
)
def test_numbered_candles(rows: list[MessageRow], expected: list[str]) -> None:
    assert gaps(*rows) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("09:15:10", fields=TRADE), row("09:30:00", fields=TRADE)], []),
        # Ticks are gone from both minutes that were cut.
        ([row("09:15:10", fields=TRADE), row("09:17:50", 2, fields=TRADE)], ["09:15-09:18"]),
        ([row("09:15:10", fields=TRADE), row("09:15:50", 2, fields=TRADE)], ["09:15-09:16"]),
        ([row("09:15:10", 1, 4, TRADE), row("09:16:00", 1, 6, TRADE)], ["09:15-09:17"]),
    ],
)
def test_ticks(rows: list[MessageRow], expected: list[str]) -> None:
    assert gaps(*rows) == expected


def test_a_calendar_knows_where_nothing_can_be_missing() -> None:
    night = [row("15:29"), row("03 09:15")]
    assert gaps(*night) == ["15:29-09:15"]
    assert gaps(*night, calendar="XNSE") == []
    assert gaps(*night, calendar=CalendarAssignment("XNSE")) == []
    assert gaps(row("15:28"), row("03 09:15"), calendar="XNSE") == ["15:28-09:15"]
    assert gaps(row("15:29"), row("03 09:16"), calendar="XNSE") == ["15:29-09:16"]
    # A new connection after a night: the day's last candle may have changed.
    assert gaps(row("15:29"), row("03 09:15", 2), calendar="XNSE") == ["15:29-09:15"]


def test_where_no_calendar_knows_a_missing_minute_is_a_gap() -> None:
    far = moment("2060-01-01T00:00+00:00")
    beyond = [
        row(time)._replace(timestamp=to_us(far) + k * 120_000_000)
        for k, time in enumerate(["09:15", "09:16"])
    ]
    later = [each._replace(message=Message("", 1, to_us(far))) for each in beyond]
    assert len(gaps(*later, calendar="XNSE")) == 1
    assert gaps(row("15:29"), row("03 09:15"), calendar={"B": "XNSE"}) == ["15:29-09:15"]


def test_what_the_reader_has_is_where_the_first_gap_begins() -> None:
    assert gaps(row("09:30"), known="09:20") == ["09:20-09:30"]
    assert gaps(row("09:20"), row("09:21"), known="09:20") == []


def test_a_time_to_come_does_not_hide_what_is_missing_now() -> None:
    assert gaps(row("09:15"), row("28 09:15"), row("09:17")) == ["09:15-09:17"]
