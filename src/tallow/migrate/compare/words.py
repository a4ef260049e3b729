"""The words that a comparison is reported in, on a terminal and on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tallow.core.time import from_us
from tallow.migrate.causes import DESCRIPTIONS
from tallow.migrate.compare.counts import ValueCounts, add_up, cause_name
from tallow.migrate.compare.values import ComparisonValues
from tallow.migrate.pairs import Cause

MARKS = {"pass": "GO", "fail": "NO-GO", "open": "OPEN"}
"""What a reader is told first of each criterion."""


def value_text(value: float | None) -> str:
    """Format a value with as many digits as are useful to a reader.

    Examples
    --------
    >>> value_text(702.25), value_text(0.000123456789), value_text(1250000.0), value_text(None)
    ('702.25', '0.00012346', '1,250,000', 'none')
    """
    if value is None:
        return "none"
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.6g}"
    digits = 4 if abs(value) >= 1.0 else 8
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def percent_text(share: float) -> str:
    """Format a percentage so that it reads 100 % only if it is.

    Examples
    --------
    >>> percent_text(100.0), percent_text(99.99996), percent_text(41.237), percent_text(246.9)
    ('100 %', '99.9999 %', '41.2 %', '247 %')
    """
    if share >= 100.0 or not share:
        return f"{share:.0f} %"
    if share >= 99.0:
        # Cut, not rounded: it must be visible on which side of a threshold it is.
        return f"{math.floor(share * 1e4) / 1e4:.6g} %"
    return f"{share:.1f} %" if share >= 0.05 else f"{share:.2g} %"


def seconds_text(seconds: float) -> str:
    """Format a duration in a suitable unit.

    Examples
    --------
    >>> seconds_text(0.00042), seconds_text(0.0123), seconds_text(4.2)
    ('0.42 ms', '12.3 ms', '4.20 s')
    """
    if seconds >= 1.0:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms"


def bytes_text(size: float) -> str:
    """Format an amount of memory.

    Examples
    --------
    >>> bytes_text(12_400_000)
    '12.4 MB'
    """
    return f"{size / 1e6:,.1f} MB"


@dataclass(frozen=True)
class CauseRow:
    """A cause, its meaning, and the number of values that differ for it, in all and by series."""

    name: str
    text: str
    count: int
    series: tuple[tuple[str, int], ...]


def cause_rows(by_series: Mapping[str, ValueCounts]) -> list[CauseRow]:
    """Return the causes that occur, unexplained first, then the most frequent ones."""
    total = add_up(by_series.values()).causes
    rows = [
        CauseRow(
            name,
            DESCRIPTIONS[cause],
            total[name],
            tuple((s, one.causes[name]) for s, one in by_series.items() if one.causes[name]),
        )
        for cause in Cause
        if total[name := cause_name(cause)]
    ]
    return sorted(rows, key=lambda row: (row.name != cause_name(Cause.UNEXPLAINED), -row.count))


def decimals_text(decimals: tuple[int | None, int | None]) -> str:
    """Return the decimals that the sides keep, where these differ.

    Examples
    --------
    >>> decimals_text((2, None)), decimals_text((2, 2))
    ('control 2 decimals, candidate all', '')
    """
    if decimals[0] == decimals[1]:
        return ""
    texts = ["all" if each is None else f"{each} decimals" for each in decimals]
    return f"control {texts[0]}, candidate {texts[1]}"


def span_text(values: ComparisonValues, zone: str) -> str:
    """Return the first and the last bar's local time."""
    if values.first is None or values.last is None:
        return "no bars"
    return f"{local_text(values.first, zone)} to {local_text(values.last, zone)} {zone}"


def local_text(microseconds: int, zone: str) -> str:
    """Return a time in the venue's time zone."""
    return f"{from_us(microseconds).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
