"""What tests of charts share: bars of an instrument, by hand or simulated, and their drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

import tallow
from tallow.core.calendars import load_calendar
from tallow.plots.drawing import Curve, Drawing
from tests.frames import minutes, simulate_candles

EVIL = "</script><script>window.evil = 1</script><!--&\u2028'\"`$x$"
"""A name that would be a script, or mathematics, wherever it is not escaped."""


def candles_of(
    high: Sequence[float], low: Sequence[float], name: str = "A", **columns: Sequence[Any]
) -> pl.DataFrame:
    """Return one-minute candles from their highs and lows; they close where they open."""
    middle = [(top + foot) / 2 for top, foot in zip(high, low, strict=True)]
    frame = pl.DataFrame({
        "instrument": [name] * len(high),
        "timestamp": minutes("2025-06-02T09:15+05:30", len(high)),
        "open": middle,
        "high": high,
        "low": low,
        "close": middle,
        "volume": [100.0] * len(high),
    })  # fmt: skip
    return frame.with_columns(pl.Series(key, values) for key, values in columns.items())


def drawing_of(
    candles: pl.DataFrame, indicators: str, timeframe: str = "1m", **options: Any
) -> Drawing:
    """Return the drawing of an instrument's candles."""
    engine = tallow.AnalyticsEngine(calendar="XNSE")
    return engine.process_candles(candles, timeframe, indicators).plot(**options).drawing


def curves_of(drawing: Drawing) -> Mapping[str, Curve]:
    """Return all curves by their labels."""
    return {curve.label: curve for pane in drawing.panes for curve in pane.curves}


def panes_of(drawing: Drawing) -> list[list[str]]:
    """Return the labels of each pane."""
    return [[curve.label for curve in pane.curves] for pane in drawing.panes]


def simulated(sessions: int = 3, name: str | None = None) -> pl.DataFrame:
    """Return candles of an instrument as they come while the last bar is still forming."""
    made = simulate_candles(1, sessions, calendar=load_calendar("XNSE"), start=date(2025, 7, 14))
    named = made if name is None else made.with_columns(instrument=pl.lit(name))
    return named[:-2]


def values_at(curve: Curve) -> dict[int, float]:
    """Return a curve's values by where they are drawn."""
    at = np.flatnonzero(np.isfinite(curve.values)).tolist()
    return {row: float(curve.values[row]) for row in at}
