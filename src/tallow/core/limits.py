"""Every limit, named and in one place. One that is hit is an error or a count, never silence."""

from __future__ import annotations

from datetime import date

LENGTH_MAX = 5_000
"""Longest look-back, in rows, that an indicator accepts."""

MULTIPLIER_MAX = 100.0
"""Largest band multiplier."""

TIMEFRAME_MINUTES_MAX = 1_440
"""Longest intraday timeframe, in minutes."""

BLOCK_ROWS = 262_144
"""Candles that a streaming run holds at a time: peak memory grows with this, not with the input."""

THREADS_MAX = 64
"""Most worker threads of one run."""

QUARANTINE_PREVIEW = 10
"""Quarantined rows that a report prints."""

DIGITS_MAX = 18
"""Most digits of a whole number in an indicator's text."""

KNOWN_SHOWN = 40
"""Known names that an error lists where none is near."""

INDICATORS_MAX = 500
"""Most indicators in one request."""

CALENDARS_MAX = 64
"""Calendars, and tables derived from them, that a process keeps."""

CALENDAR_FIRST_DATE = date(1990, 1, 1)
"""Earliest date to which a calendar is lengthened without facts."""

CALENDAR_LAST_DATE = date(2060, 12, 31)
"""Latest date to which a calendar is lengthened without facts."""

WRITER_QUEUE = 4
"""Frames that wait for the writer before the run does."""
