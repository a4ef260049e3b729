"""BSE, the older exchange of Mumbai: sessions from dated facts of its own.

Its holidays are NSE's. On 2021-02-24 it traded all day while NSE stood still, and to 17:00.
"""

from __future__ import annotations

from datetime import date

from tallow.core.calendars.facts import DatedFacts
from tallow.core.calendars.nse import SEGMENTS, TIMEZONE

BSE = DatedFacts("bse", "XBOM", TIMEZONE, date(2015, 1, 1), date(2026, 12, 31), SEGMENTS)
