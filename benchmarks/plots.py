"""Charts: a session, and a year of five-minute bars, as pages and as pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow import open_store
from tallow.core.calendars import load_calendar
from tallow.data.simulate import simulate_blocks, simulated_key

SESSIONS, TIMEFRAME, START = 250, "5m", date(2024, 7, 1)


def measure(settings: Settings) -> Outcome:
    """Measure from a question to a store to the file that shows the answer, kernels compiled."""
    folder = settings.market.folder / "plots"
    folder.mkdir()
    calendar = load_calendar(CALENDAR)
    candles = pl.concat(simulate_blocks(1, SESSIONS, calendar=calendar, start=START))
    with open_store(folder / "store", create=True) as store:
        store.write(candles, source_timeframe="1m")
        store.flush()
    last = candles["timestamp"].dt.date().max()

    def drawn(name: str, start: object) -> Callable[[], object]:
        def draw() -> Path:
            engine = tallow.AnalyticsEngine(calendar=CALENDAR, store=folder / "store")
            result = engine.query(simulated_key(0), TIMEFRAME, start)  # type: ignore[arg-type]
            return result.plot().write(folder / name)  # type: ignore[no-any-return]

        return draw

    def asked() -> object:
        engine = tallow.AnalyticsEngine(calendar=CALENDAR, store=folder / "store")
        return engine.query(simulated_key(0), TIMEFRAME)

    contestants: dict[str, Callable[[], object]] = {
        "a year's bars, asked": asked,
        "a session as a page": drawn("session.html", last),
        "a session as a picture": drawn("session.png", last),
        "a year as a page": drawn("year.html", None),
        "a year as a picture": drawn("year.png", None),
    }
    timings = take_turns(contestants, settings.rounds, len(candles))
    bars, page, picture, year, year_picture = (each.median for each in timings.values())
    shutil.rmtree(folder)
    return Outcome(
        "plots",
        f"Charts with the default set, of {SESSIONS} sessions and of one, from a store to a file",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure("a session as a page, warm", page, "s", 1.0),
            Figure("a session as a picture, warm", picture, "s", 1.0),
            Figure("a year of 5m bars as a page", year, "s", 3.0),
            Figure("a year of 5m bars as a picture", year_picture, "s", 3.0),
            Figure("a year as a page / its bars alone", year / bars, "x"),
        ],
    )
