"""When venues trade: dated facts for NSE, exchange_calendars for the others, ``24/7`` for crypto.

Examples
--------
>>> from datetime import date
>>> calendar = load_calendar("XNSE")
>>> calendar.session(date(2025, 1, 25)) is None
True
>>> len(calendar.session(date(2024, 3, 2)).segments)
2
"""

from tallow.core.calendars.calendar import Calendar, coverage_warning
from tallow.core.calendars.load import Beyond, calendar_names, load_calendar
from tallow.core.calendars.table import Session, SessionTable, anchor_boundaries

__all__ = [
    "Beyond",
    "Calendar",
    "Session",
    "SessionTable",
    "anchor_boundaries",
    "calendar_names",
    "coverage_warning",
    "load_calendar",
]
