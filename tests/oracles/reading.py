"""Reading what others computed: CSV files as columns of numbers, blanks as NaN."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tallow.core.arrays import Floats

CANDLE = ("open", "high", "low", "close", "volume")


def records(path: Path) -> list[dict[str, str]]:
    """Return the rows as text. Of columns with the same name, the last one wins."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def header(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return next(csv.reader(file))


def columns(rows: list[dict[str, str]], *names: str) -> dict[str, Floats]:
    """Return columns by lower-case name, as numbers; a blank is NaN."""
    return {
        name.lower(): np.array([float(row[name]) if row[name] else np.nan for row in rows])
        for name in names
    }


def candles(rows: list[dict[str, str]]) -> dict[str, Floats]:
    """Return the candle columns of minutes, and a session that never ends."""
    by_lower = {name.lower(): name for name in rows[0]}
    found = columns(rows, *(by_lower[name] for name in CANDLE))
    ones = np.ones(len(rows))
    known = {"minute": np.arange(len(rows), dtype=np.float64), "year_rows": 252.0 * ones}
    return found | {"session": ones, "since": ones, **known}
