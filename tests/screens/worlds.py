"""Random worlds of bars, as the twin has them and as panels: gaps, unknown values, open bars."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tallow.core.operator import COLUMNS
from tallow.core.time import MINUTE_US
from tallow.screens.panels import Panel
from tests.screens.trees import SPECS
from tests.screens.twin import World

Order = Callable[[Sequence[str]], Sequence[str]]

MINUTES = {"15m": 15, "1h": 60, "1d": 150}
"""How long bars last; a day of ten base bars is two hours and a half, its last hour is short."""

OPEN = 1_750_000_000_000_000 - 1_750_000_000_000_000 % (60 * MINUTE_US)
COLUMN_NAMES = (*COLUMNS, *(spec.columns[0] for spec in SPECS))
VALUES = (0.0, 0.5, 1.0, 2.0, 2.0, 3.0, -1.0, 1e16)
SHARES = (0.0, 0.05, 0.2)
"""Of unknown values, and of missing bars."""


def make_world(seed: int, *, has_seen: bool = True) -> World:
    """Return bars of up to five instruments in each timeframe.

    Hours and days have rows of open bars as they were seen at ends of base bars; or, without
    `has_seen`, one of the last bar. The last base bar may be open.
    """
    draw = random.Random(seed)
    names = draw.sample(["A", "B", "C", "D", "E"], draw.randint(1, 5))
    world: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for timeframe in MINUTES:
        world[timeframe] = {
            name: make_rows(draw, timeframe, has_seen)
            for name in draw.sample(names, len(names))
            # An instrument may have no bars of a timeframe.
            if timeframe == "15m" or draw.random() > 0.1
        }
    return world


def make_rows(draw: random.Random, timeframe: str, has_seen: bool) -> list[dict[str, Any]]:
    rows = []
    bars = spans(timeframe)
    ends_open = draw.random() < 0.4
    gaps, unknown = draw.choice(SHARES), draw.choice(SHARES)
    for position, (start, end) in enumerate(bars):
        if draw.random() < gaps:
            continue
        is_open = ends_open and position == len(bars) - 1
        row = {"open": start, "end": end, "position": position, "final": True, "seen": None}
        if timeframe != "15m" and has_seen:
            rows += [
                row | {"final": False, "seen": seen, "values": values(draw, unknown)}
                for seen in range(start + 15 * MINUTE_US, end, 15 * MINUTE_US)
                if draw.random() < 0.5
            ]
        if not is_open:
            rows.append(row | {"values": values(draw, unknown)})
        elif not has_seen or timeframe == "15m":
            rows.append(row | {"final": False, "values": values(draw, unknown)})
    return rows


def spans(timeframe: str) -> list[tuple[int, int]]:
    """Return the opens and ends of a timeframe's bars, of two days."""
    day = MINUTES["1d"] * MINUTE_US
    step = MINUTES[timeframe] * MINUTE_US
    return [
        (first + at, first + min(at + step, day))
        for first in (OPEN, OPEN + day)
        for at in range(0, day, step)
    ]


def values(draw: random.Random, unknown: float) -> dict[str, float | None]:
    return {name: None if draw.random() < unknown else draw.choice(VALUES) for name in COLUMN_NAMES}


def panels_of(world: World, order: Order = list) -> Mapping[str, Panel]:
    """Return the panels of a world, each with its instruments in an order."""
    return {name: panel_of(bars, order) for name, bars in world.items()}


def panel_of(bars: Any, order: Order) -> Panel:
    names = tuple(order(list(bars)))
    rows = [row for name in names for row in bars[name]]
    has_seen = any(row["seen"] is not None for row in rows)
    return Panel(
        names=names,
        offsets=np.cumsum([0, *(len(bars[name]) for name in names)]),
        opens=np.array([row["open"] for row in rows], np.int64),
        ends=np.array([row["end"] for row in rows], np.int64),
        is_final=np.array([row["final"] for row in rows], np.bool_),
        columns={
            name: np.array([as_float(row["values"][name]) for row in rows], np.float64)
            for name in COLUMN_NAMES
        },
        positions=np.array([row["position"] for row in rows], np.int64),
        seen=np.array([row["seen"] or 0 for row in rows], np.int64) if has_seen else None,
    )


def as_float(value: Any) -> float:
    return np.nan if value is None else float(value)


def before(world: World, moment: int) -> World:
    """Return what was known of a world at a moment: bars that were closed, open ones as seen."""
    return {
        timeframe: {
            name: [row for row in rows if known_at(row) <= moment] for name, rows in bars.items()
        }
        for timeframe, bars in world.items()
    }


def known_at(row: Any) -> int:
    return int(row["end"] if row["final"] or row["seen"] is None else row["seen"])
