"""Time zones: which names can be read, what an abbreviation may mean, and times of fixed offsets.

Brokers' times have offsets for zones, +05:30, in Arrow and Parquet. Polars knows names of zones
only, and refuses, or panics over, a column of such a zone; unless it is told not to check zones.
Its times are instants all the same, and become those of UTC here.
"""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

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


_SWITCH = "POLARS_IGNORE_TIMEZONE_PARSE_ERROR"
_lock = Lock()
_users: list[str | None] = []
"""What the switch was before each block that runs: the first one's is put back by the last."""


@contextmanager
def any_zone() -> Iterator[None]:
    """Let Polars take columns of any zone while the block runs, also in other threads."""
    with _lock:
        _users.append(os.environ.get(_SWITCH))
        os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        with _lock:
            # The first is what it was outside of all blocks.
            before = _users[0]
            _users.pop()
            if not _users:
                _restore(before)


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(_SWITCH, None)
    else:
        os.environ[_SWITCH] = before


def offset_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """Return the columns of times whose zone Polars does not know by name."""
    return [
        name
        for name, kind in schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None and not _known(kind)
    ]


def in_utc(schema: Mapping[str, pl.DataType], names: list[str]) -> list[pl.Expr]:
    """Return expressions that make times in UTC of the columns of `offset_columns`."""
    return [pl.col(name).to_physical().cast(_utc(schema[name])).alias(name) for name in names]


def frame_in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame whose times are of zones that Polars knows."""
    names = offset_columns(frame.schema)
    return frame.with_columns(in_utc(frame.schema, names)) if names else frame


def _utc(kind: pl.DataType) -> pl.Datetime:
    assert isinstance(kind, pl.Datetime)
    return pl.Datetime(kind.time_unit, "UTC")


def _known(kind: pl.Datetime) -> bool:
    zone: Any = kind.time_zone
    if zone == "UTC":
        return True
    try:
        return len(pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(zone)) == 1
    except pl.exceptions.PolarsError:
        return False
