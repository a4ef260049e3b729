"""NSE: sessions from dated facts.

Halts within a session are kept as facts but cut no session: during a halt minutes are merely
missing. 2021-02-24 is the exception, with a second session.
"""

from __future__ import annotations

from datetime import date

from tallow.core.calendars.facts import DatedFacts

TIMEZONE = "Asia/Kolkata"
DEFAULT_SEGMENT = "cash-other"

SEGMENTS: dict[str, frozenset[str]] = {
    "cash-other": frozenset({"all", "cash", "cash-other"}),
    "cash-eligible-for-closing-auction": frozenset(
        {"all", "cash", "cash-eligible-for-closing-auction"}
    ),
    "derivatives": frozenset({"all", "derivatives"}),
}
"""Each segment, and the names under which facts speak of it."""

NSE = DatedFacts("nse", "XNSE", TIMEZONE, date(2015, 1, 1), date(2026, 12, 31), SEGMENTS)
