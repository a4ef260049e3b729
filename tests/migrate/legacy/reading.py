"""Real minutes, and what the old system stored and answered for them."""

from __future__ import annotations

import csv
import gzip
from datetime import datetime
from functools import cache
from pathlib import Path

from tallow.migrate.legacy.candles import Candle, LegacyRow

MINUTE, DAY = 60, 86_400
"""In seconds, like all times here."""

NUMBERS = ("open", "high", "low", "close", "volume", "open_interest")


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@cache
def minutes(reference: Path) -> dict[str, list[Candle]]:
    """Return each symbol's candles, ascending."""
    found: dict[str, list[Candle]] = {}
    with (reference / "data" / "candles_1m.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            candle = Candle(seconds(row["ts"]), *(float(row[name]) for name in NUMBERS))
            found.setdefault(row["symbol"], []).append(candle)
    return {name: sorted(rows, key=lambda row: row.timestamp) for name, rows in found.items()}


@cache
def stored_rows(reference: Path) -> list[dict[str, str]]:
    path = reference / "data" / "legacy_stored_indicators_1m.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def stored(reference: Path, symbol: str) -> dict[int, LegacyRow]:
    """Return what was stored for a symbol's minutes, by time."""
    return _by_time(row for row in stored_rows(reference) if row["symbol"] == symbol)


def answered(reference: Path, what: str) -> dict[int, LegacyRow]:
    """Return the old answer for RAYMOND's day: of ``goapi`` or ``sqlquery``, by time."""
    path = reference / "data" / f"legacy_5m_{what}_RAYMOND_20250718.csv"
    with path.open(newline="") as file:
        return _by_time(csv.DictReader(file))


def _by_time(rows) -> dict[int, LegacyRow]:
    return {seconds(row["ts"]): _numbers(row) for row in rows}


def _numbers(row: dict[str, str]) -> LegacyRow:
    found = {}
    for name, text in row.items():
        try:
            found[name] = float(text or 0.0)
        except ValueError:
            continue
    return found
