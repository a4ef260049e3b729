"""What tests of universes share: a list, what it says of some days one by one, and candles."""

from __future__ import annotations

import polars as pl

from tests.frames import candles, local, minutes

DAYS = ("2025-07-08", "2025-07-09", "2025-07-10", "2025-07-11")
LIST = """instrument,from,to
A,2025-07-10,
B,,2025-07-09
B,2025-07-11,2025-07-11
Z,,
"""
MEMBERS = {
    ("A", "2025-07-10"),
    ("A", "2025-07-11"),
    ("B", "2025-07-08"),
    ("B", "2025-07-09"),
    ("B", "2025-07-11"),
}
"""What the list says of these days, one by one."""


def market() -> pl.DataFrame:
    """Return half an hour of candles of three instruments on each of the days."""
    parts = [
        candles(name, minutes(f"{day}T09:15+05:30", 30), seed)
        for seed, name in enumerate("ABC")
        for day in DAYS
    ]
    return pl.concat(parts).sort("instrument", "timestamp")


def of_members(bars: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of members, one by one, by the dates of a clock in Mumbai."""
    days = [text[:10] for text in local(bars["timestamp"])]
    keep = [key in MEMBERS for key in zip(bars["instrument"], days, strict=True)]
    return bars.filter(pl.Series(keep, dtype=pl.Boolean))
