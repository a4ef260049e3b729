"""Names of time zones: which can be read, and what an abbreviation may mean."""

from __future__ import annotations

import zoneinfo

import polars as pl

from tallow.core.errors import CandleInputError, near_matches
from tallow.core.given import name_text

ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "AEST": ("Australia/Sydney", "Australia/Brisbane"),
    "AST": ("America/Halifax", "Asia/Riyadh"),
    "BST": ("Europe/London", "Asia/Dhaka"),
    "CEST": ("Europe/Berlin", "Europe/Paris"),
    "CDT": ("America/Chicago", "America/Havana"),
    "CST": ("America/Chicago", "Asia/Shanghai", "America/Havana"),
    "EDT": ("America/New_York",),
    "EST": ("America/New_York", "America/Panama"),
    "GST": ("Asia/Dubai",),
    "HST": ("Pacific/Honolulu",),
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "MDT": ("America/Denver",),
    "MSK": ("Europe/Moscow",),
    "MST": ("America/Denver", "America/Phoenix"),
    "NZST": ("Pacific/Auckland",),
    "PDT": ("America/Los_Angeles",),
    "PST": ("America/Los_Angeles", "Asia/Manila"),
    "SGT": ("Asia/Singapore",),
    "SST": ("Asia/Singapore", "Pacific/Pago_Pago"),
}
"""Abbreviations that people write, and the zones whose clocks they may mean.

EST, MST and HST are names of the time zone database, too, of zones whose clocks never change: few
who write them mean that, so that they are refused like the others.
"""


def require_timezone(timezone: str | None) -> None:
    """Raise `CandleInputError` unless `timezone` is None or a zone that can be read."""
    if timezone is None:
        return
    name = name_text("read: timezone", timezone, CandleInputError)
    meant = zones_meant(name)
    if meant is not None:
        raise CandleInputError(
            f"read: timezone={timezone!r}; is an abbreviation, and may mean {meant}; give the "
            "zone's own name"
        )
    if _is_zone(name):
        return
    hint = near_matches(str(timezone), zoneinfo.available_timezones())
    hint = hint if hint.startswith("did") else 'for example "Asia/Kolkata"'
    raise CandleInputError(
        f"read: timezone={timezone!r}; must be the name of an IANA time zone; {hint}"
    )


def zones_meant(abbreviation: str) -> str | None:
    """Return the zones that an abbreviation may mean, as text; None if it is not known as one.

    Examples
    --------
    >>> zones_meant("BST")
    'Europe/London or Asia/Dhaka'
    """
    zones = ABBREVIATIONS.get(abbreviation.strip().upper())
    return None if zones is None else " or ".join(zones)


def _is_zone(timezone: str) -> bool:
    """Ask Polars itself, because it has a list of zones of its own."""
    epoch = pl.Series([0]).cast(pl.Datetime("us"))
    try:
        # An empty name means no zone to Polars.
        return bool(timezone) and len(epoch.dt.replace_time_zone(timezone)) == 1
    except (pl.exceptions.PolarsError, TypeError):
        return False
