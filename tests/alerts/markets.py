"""Markets for tests of alerts, made minute by minute, and one in which each rule fires once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

import tallow
from tallow.alerts import AlertRule, indicators_of, pattern, release, threshold

BEGIN = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
SQUEEZE = "squeeze(2, 1, 4, 10)"
"""Of two closes and a multiplier of 1, the width is by how much they differ."""

WIDTHS = (2, 10, 9, 8, 7, 6, 5, 10, 20, 40, 80)
"""By how much each close differs from the one before it."""

PLANTED = (1000, 1002, 992, 1001, 993, 1000, 994, 999, 989, 1009, 969, 1049)
VOLUMES = (*[100] * 9, 9_000, 100, 100)


def rules(**options: Any) -> list[AlertRule]:
    """Return a rule of each kind, on one-minute bars."""
    given: dict[str, Any] = {"timeframe": "1m", "cooldown": 0.0} | options
    return [
        threshold(1.0, squeeze=SQUEEZE, **given),
        pattern(3, 20.0, squeeze=SQUEEZE, **given),
        release(squeeze=SQUEEZE, **given),
        AlertRule("busy", "volume > 5000", numbers={"volume": "volume"}, **given),
    ]


def engine(asked: Sequence[AlertRule], **options: Any) -> tallow.LiveEngine:
    """Return a live engine for rules, of a market that never closes."""
    return tallow.LiveEngine("1m", indicators_of(asked), calendar="24/7", **options)


def minute(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def candles(
    rows: Sequence[tuple[str, int, float]], volumes: Sequence[float] | None = None
) -> pl.DataFrame:
    """Return candles of instruments, minutes and closes."""
    close = [float(price) for _, _, price in rows]
    return pl.DataFrame(
        {
            "instrument": [name for name, _, _ in rows],
            "timestamp": [minute(number) for _, number, _ in rows],
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "volume": [float(each) for each in volumes or [100] * len(rows)],
        }
    )


def planted(first: int = 0, last: int = len(PLANTED)) -> list[pl.DataFrame]:
    """Return the planted history, a frame a minute."""
    return [candles([("A", k, PLANTED[k])], [VOLUMES[k]]) for k in range(first, last)]


def drawn(draw: random.Random, names: Sequence[str], minutes: int) -> list[tuple[str, int, float]]:
    """Return candles that move, stand still, and are missing here and there."""
    prices = dict.fromkeys(names, 500)
    found = []
    for number in range(minutes):
        for name in names:
            if draw.random() < 0.7:
                prices[name] += draw.choice([-4, -3, -2, -1, 1, 2, 3, 4])
            if draw.random() < 0.9:
                found.append((name, number, float(prices[name])))
    return found
