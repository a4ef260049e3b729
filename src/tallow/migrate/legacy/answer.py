"""The old API's answer to a request for five-minute candles: thirteen maps, and a join."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tallow.core.errors import EngineError
from tallow.migrate.legacy.aggregation import five_minute_bars
from tallow.migrate.legacy.candles import Candle, LegacyRow, between, finite, rounded
from tallow.migrate.legacy.days import warm_up_start
from tallow.migrate.legacy.kernels import indicators

EMAS = (5, 9, 50)
UNROUNDED = ("ma_9",)
FOUR_DIGITS = ("bb_width_normalized", "bb_width_normalized_percentage")


def five_minute_candles(
    minutes: Sequence[Candle],
    start: int | None = None,
    end: int | None = None,
    lowest: tuple[Path, str] | None = None,
) -> list[LegacyRow]:
    """Return bars with their indicators, newest first.

    `minutes` are one instrument's, ascending, as in the old system's table. `start` and `end` are
    included; None means no limit. A day before the start is the warm-up. `lowest` is the file of
    lowest widths and the instrument's name in it, read again for every bar; without it there is no
    such column.
    """
    first = -math.inf if start is None else warm_up_start(start)
    selected = between(minutes, first, math.inf if end is None else end)
    bars = five_minute_bars(selected)[::-1]
    assert all(newer.timestamp > older.timestamp for newer, older in pairwise(bars))
    maps = {
        name: {time: finite(value) for time, value in series}
        for name, series in indicators(bars, *EMAS).items()
    }
    rows = []
    for bar in bars:
        if (start is None or bar.timestamp >= start) and (end is None or bar.timestamp <= end):
            rows.append(_join(bar, maps))
            if lowest is not None:
                rows[-1]["lowest_bb_width"] = lowest_width(*lowest)
    return rows


def lowest_width(path: Path, instrument: str) -> float:
    """Return an instrument's lowest width from the job's file; `EngineError` if it has none."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["instrument_key"] == instrument:
                return float(row["lowest_min_bb_width"])
    raise EngineError(
        f"{path}: instrument {instrument!r}; is not in it, and without it there is no answer; run "
        "the job that writes the file"
    )


def fields(bar: Candle) -> LegacyRow:
    """Return a bar's own columns."""
    return {
        "timestamp": bar.timestamp,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "open_interest": bar.open_interest,
    }


def _join(bar: Candle, maps: dict[str, dict[int, float]]) -> LegacyRow:
    row = fields(bar)
    for name, values in maps.items():
        value = values.get(bar.timestamp, 0.0)
        if name not in UNROUNDED:
            value = rounded(value, 4 if name in FOUR_DIGITS else 2)
        row[name] = value
    return row
