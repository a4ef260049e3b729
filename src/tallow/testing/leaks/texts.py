"""What is checked of a text: indicators, or a screen, as functions of candles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from tallow.core.errors import TallowError
from tallow.core.spec import parse_specs
from tallow.core.timeframe import Timeframe
from tallow.data.reading.readers import read_candles
from tallow.data.universe import Universe
from tallow.engine import AnalyticsEngine
from tallow.runtime.screens.asking import judge_bars, read_screen
from tallow.screens.answers import Screen

SIGNS = ("<", ">", "==", "!=", "crosses", "rising(", "falling(", "between(")
"""What a screen has, and no indicator."""


def screen_of(what: str, saved: Mapping[str, str], convention: str) -> Screen | None:
    """Return the screen that a text is, or the one of that name among `saved`; None of indicators.

    `TallowError` if it is neither: that of what it looks like.
    """
    try:
        parse_specs(what, convention)
    except TallowError:
        names = saved.keys() & set(re.findall(r"\w+", what))
        if not names and not any(sign in what for sign in SIGNS):
            raise
        return read_screen(what, (), None, False, dict(saved), convention)
    return None


def bars_of(
    engine: AnalyticsEngine,
    size: Timeframe,
    source: Timeframe,
    universe: Universe | None,
    indicators: str,
    frame: pl.DataFrame,
) -> pl.DataFrame:
    """Return the bars of candles, with indicators."""
    said: Any = {"source_timeframe": source, "universe": universe}
    result = engine.process_candles(frame, size, indicators, **said)
    bars: pl.DataFrame = result.frame
    return bars


def judged_of(
    engine: AnalyticsEngine,
    screen: Screen,
    size: Timeframe,
    source: Timeframe,
    universe: Universe | None,
    frame: pl.DataFrame,
) -> pl.DataFrame:
    """Return the bars of candles, with what a screen says of each."""
    candles = read_candles(frame, source_timeframe=source)
    return judge_bars(engine, screen, size, candles, universe)
