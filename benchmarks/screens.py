"""Screens: over values that are held, over a store, over a range, and beside live minutes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl

import tallow
from benchmarks.live import Minutes
from benchmarks.market import CALENDAR
from benchmarks.measure import TIMING_COLUMNS, Figure, Outcome, take_turns
from benchmarks.settings import Settings
from tallow import open_store
from tallow.screens.evaluation import Evaluation
from tallow.screens.needs import leaves
from tallow.screens.panels import Panel
from tallow.screens.parser import parse_screen

HELD = 10_000
"""Instruments whose values are held."""

TERMS = (
    *("close > ema(20)", "ema(5) > ema(9)", "ema(9) > ema(50)", "close > sma(9)", "rsi(14) > 40"),
    *("rsi(14) < 80", "volume > 0.5 * volume_sma(20)[1]", "close > bollinger(20, 2)[middle]"),
    *("bollinger(20, 2)[percent_b] > 0.1", "atr(14) > 0", "close > vwap", "close >= low"),
    *(
        "rsi(14)@1h > 35",
        "close@1h > ema(9)@1h",
        "close@1h > open@1h[1] / 2",
        "close > open[1] / 2",
    ),
    *("close@1d > ema(5)@1d / 2", "high@1d >= low@1d", "rising(close, 1) or close > 0"),
    "abs(change(close)) >= 0",
)
"""Twenty terms over three timeframes."""

TEXT = " and ".join(f"({term})" for term in TERMS)
RANKED = f"{TEXT} and cs_pct_rank(rsi(14)) >= 0"


def measure(settings: Settings) -> Outcome:
    """Measure twenty terms over three timeframes."""
    market, folder = settings.market, settings.market.folder / "screens"
    frame = pl.read_parquet(market.main_file)
    with open_store(folder, create=True) as store:
        store.write(frame, source_timeframe="1m")
        store.flush()
    tallow.AnalyticsEngine(calendar=CALENDAR, store=folder).screen(TEXT, "15m")
    last = frame["timestamp"].max()
    start = (last - timedelta(days=28)).date() if last is not None else None  # type: ignore[operator]
    specs = [spec for needs in leaves(parse_screen(TEXT)).values() for spec in needs.specs]

    def engine() -> tallow.AnalyticsEngine:
        return tallow.AnalyticsEngine(calendar=CALENDAR, store=folder)

    def columns() -> object:
        asked = leaves(parse_screen(TEXT), base="15m")
        return [
            engine().query(None, name or "15m", start, None, list(each.specs))
            for name, each in asked.items()
        ]

    contestants: dict[str, Callable[[], object]] = {
        # The same rows: states are kept at months, and all candles are of one.
        "all candles, read": lambda: open_store(folder).read(),
        "a screen of now": lambda: engine().screen(TEXT, "15m"),
        "its columns over 20 sessions": columns,
        "a screen over 20 sessions": lambda: engine().screen(TEXT, "15m", start=start),
        f"{HELD:,} instruments, values held": _held(TEXT),
        "the same, and a rank among them": _held(RANKED),
        "a live minute": _minutes(market.instruments, screened=False),
        "a live minute and a screen": _minutes(market.instruments, screened=True),
    }
    timings = take_turns(contestants, settings.rounds, market.rows(market.main_file))
    read, now, made, replay, held, ranked, bare, screened = (
        each.median for each in timings.values()
    )
    shutil.rmtree(folder)
    return Outcome(
        "screens",
        f"{len(TERMS)} terms over three timeframes, {len(specs)} values, "
        f"{market.instruments:,} instruments, {market.sessions} sessions",
        TIMING_COLUMNS,
        [timing.cells() for timing in timings.values()],
        [
            Figure(
                f"{HELD:,} instruments x {len(TERMS)} terms, values held", 1e3 * held, "ms", 5.0
            ),
            Figure("the same, and a rank among them", 1e3 * ranked, "ms"),
            Figure("from the store as of now / reading its candles", now / read, "x", 2.0),
            Figure("a replay / computing its columns", replay / made, "x", 1.5),
            Figure("a live minute with a screen / without", screened / bare, "x", 1.2),
        ],
    )


def _held(text: str) -> Callable[[], object]:
    """Return a screen of values that are there: two closed bars of each instrument."""
    tree, draw = parse_screen(text), np.random.default_rng(3)
    panels, instruments = {}, tuple(f"I{number:05d}" for number in range(HELD))
    for name, each in leaves(tree, base="15m").items():
        rows = 2 * HELD
        names = [*each.columns, *(spec.columns[0] for spec in each.specs), "close", "open"]
        step = {None: 15, "1h": 60, "1d": 375}[name] * 60_000_000
        opens = np.tile(np.array([0, step]), HELD) - 2 * step
        panels[name or "15m"] = Panel(
            instruments,
            np.arange(0, rows + 1, 2),
            opens,
            opens + step,
            np.ones(rows, dtype=np.bool_),
            {column: draw.random(rows) + 1.0 for column in names},
        )
    return lambda: Evaluation(panels, "15m").condition(tree)


def _minutes(instruments: int, *, screened: bool) -> Callable[[], object]:
    """Return what takes a minute's candles of all instruments, and perhaps answers a screen."""
    live = tallow.LiveEngine(["15m", "1h"], "default", calendar=CALENDAR)
    market = Minutes(instruments, 40)
    numbers, times = live.numbers(market.names), iter(market.times.tolist())

    def minute() -> object:
        candles = market.next()
        at = np.full(instruments, next(times))
        update = live.update_arrays(numbers, at, *candles)
        return (update, live.screen("close > ema(9) and rsi(14)@1h > 40")) if screened else update

    for _ in range(400):
        candles = market.next()
        live.update_arrays(numbers, np.full(instruments, next(times)), *candles)
    return minute
