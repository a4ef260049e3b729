"""`tallow leak-check`: what looks ahead in indicators, or in a user's own function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from tallow.core.calendars import Calendar
from tallow.core.errors import LeakCheckError, ParameterError
from tallow.core.own_code import find_own, split_own
from tallow.core.text import counted
from tallow.core.time import MINUTE_US
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.reading.candles import Candles
from tallow.data.reading.readers import read_candles
from tallow.data.simulate import simulate_blocks
from tallow.data.universe_files import find_universe
from tallow.engine import AnalyticsEngine
from tallow.plan.plan import make_plan
from tallow.runtime.batch import Counts
from tallow.runtime.ranges import Range
from tallow.runtime.results import raise_if_all_refused
from tallow.screens.answers import Screen
from tallow.screens.needs import leaves
from tallow.serve.console import (
    BAD,
    GOOD,
    QUIET,
    WARN,
    make_console,
    make_table,
    number,
    print_json,
    progress_bar,
)
from tallow.serve.demo import first_session
from tallow.serve.file_or_store import saved_screens
from tallow.serve.run import compile_kernels
from tallow.serve.verbs import ENGINE, EXIT_INCOMPLETE, take_interrupts_back, take_options
from tallow.serve.wording import in_options, say
from tallow.testing.leaks.answers import FINAL, KEYS, read_answer
from tallow.testing.leaks.check import check_leaks
from tallow.testing.leaks.report import LeakReport, leak_text
from tallow.testing.leaks.texts import bars_of, judged_of, screen_of

VERB = "leak-check"
STYLES = {"ok": GOOD, "leaks": BAD, "not checked": WARN}

INSTRUMENTS = 4
"""Of the simulated market: one of each kind."""

SESSIONS_MIN, SESSIONS_MAX = 3, 400
"""Of the simulated market: they grow with the timeframe and the warm-up."""

DAY_MINUTES = 375
"""Of a session of NSE, whose market is simulated."""

ROWS_AFTER_WARMUP = 60
"""Bars that show values, at least."""


def check(
    *,
    what: str,
    inputs: list[str] | None,
    timeframe: Sequence[str],
    instruments: list[str] | None,
    universe: str | None,
    screens: Path | None,
    moments: int | None,
    json: bool,
    **options: Any,
) -> int:
    """Check, report, and return the exit code.

    `options` are arguments of `AnalyticsEngine` and of `read_candles`. `TallowError` on wrong
    options and inputs, and if the function fails.
    """
    take_interrupts_back()
    size = _only(timeframe)
    # One thread: what is asked of it is small, and asked a thousand times.
    engine = AnalyticsEngine(**take_options(options, ENGINE), threads=1)
    own = split_own(what)
    function = None if own is None else _own_function(*own)
    saved = saved_screens(screens, shown=not json)
    texts = {name: each.condition for name, each in saved.items()}
    screen = None if function else screen_of(what, texts, engine.convention)
    warmup = 0
    if screen is not None:
        warmup = _bars_back(screen, size)
    elif function is None:
        compile_kernels(engine, what, shown=not json)
        warmup = max(make_plan(what, engine.convention).warmup.values(), default=0)
    if inputs:
        candles = _read(inputs, options, instruments, engine)
    else:
        candles = read_candles(_market(engine.calendars.calendars[0], size, warmup))
    members = find_universe(universe)
    bars = partial(bars_of, engine, size, candles.source_timeframe, members)
    compute = partial(bars, what) if function is None else partial(_own_rows, function, bars)
    if screen is not None:
        compute = partial(judged_of, engine, screen, size, candles.source_timeframe, members)
    with progress_bar(make_console(stderr=True), "Checking", "moments", not json) as move:
        report = check_leaks(compute, candles, moments=moments, progress=move)
    if json:
        print_json({"what": what, "timeframe": size.text} | report.to_dict())
    else:
        _show(make_console(), report, engine.calendars.calendars[0].timezone)
    return 0 if report.is_clean else EXIT_INCOMPLETE


def _bars_back(screen: Screen, size: Timeframe) -> int:
    """Return how many bars before one a screen looks at, those of its indicators among them."""
    found = 0
    for name, each in leaves(*screen.trees, base=size.text).items():
        minutes = parse_timeframe(name or size.text).minutes or DAY_MINUTES
        own = make_plan(list(each.specs)).warmup.values()
        step = max(minutes // (size.minutes or minutes), 1)
        found = max(found, (max(own, default=0) + each.bars + 1) * step + each.base_bars)
    return found


def _only(timeframes: Sequence[str]) -> Timeframe:
    if len(timeframes) > 1:
        raise ParameterError(
            f"leak check: --timeframe {' and '.join(timeframes)}; bars are checked at one; give "
            "one, and check again for the others"
        )
    return parse_timeframe(timeframes[0])


def _own_function(module: str, name: str) -> Callable[[pl.DataFrame], Any]:
    found, _ = find_own(module, name, "leak check", LeakCheckError)
    if not callable(found):
        raise LeakCheckError(
            f"leak check: '{module}:{name}' is {type(found).__name__}; must be a function that "
            "takes a frame of bars and returns one; name another"
        )
    return found


def _own_rows(
    function: Callable[[pl.DataFrame], Any],
    bars: Callable[[str, pl.DataFrame], pl.DataFrame],
    frame: pl.DataFrame,
) -> pl.DataFrame:
    """Return what a user's function answers of bars; a row says if its bar is forming."""
    given = bars("", frame)
    answer = read_answer(function(given), given)
    if FINAL in answer.columns:
        return answer
    final = given.select(*KEYS, FINAL)
    joined = answer.join(final, on=KEYS, how="left", maintain_order="left")
    return joined.with_columns(pl.col(FINAL).fill_null(True))


def _read(
    inputs: list[str],
    options: dict[str, Any],
    instruments: list[str] | None,
    engine: AnalyticsEngine,
) -> Candles:
    """Return the candles of files; quarantined rows are no part of them."""
    read = read_candles(inputs, calendar=engine.calendars, **options)
    raise_if_all_refused(read.report, Counts(), read.quarantine)
    if read.report.quarantined:
        say(f"quarantined, and not given: {counted(read.report.quarantined, 'row')}", err=True)
    wanted = Range.of(None, None, instruments)
    wanted.check_found(read.frame["instrument"].unique().to_list())
    return replace(read, frame=wanted.pick(read.frame), runs=None)


def _market(calendar: Calendar, size: Timeframe, warmup: int) -> pl.DataFrame:
    """Simulate as many sessions as it takes for some bars to have values."""
    per_session = {"day": 1.0, "week": 1 / 5, "month": 1 / 21}.get(size.unit)
    if per_session is None:
        table = calendar.sessions()
        minutes = int((table.segment_close[-1] - table.segment_open[-1]) // MINUTE_US)
        per_session = max(minutes / size.minutes, 1.0)
    wanted = math.ceil((warmup + ROWS_AFTER_WARMUP) / per_session)
    sessions = min(max(wanted, SESSIONS_MIN), SESSIONS_MAX)
    start = first_session(calendar, sessions)
    return pl.concat(simulate_blocks(INSTRUMENTS, sessions, calendar=calendar, start=start))


def _show(console: Console, report: LeakReport, zone: str) -> None:
    """Show each column's verdict; then of each that leaks where, how far and by what it moves."""
    table = make_table(
        Column("column", no_wrap=True), "verdict", number("values"), number("rows that moved")
    )
    for each in report.columns:
        verdict = f"[{STYLES[each.verdict]}]{each.verdict}[/]"
        moved = f"{each.leak.rows:,}" if each.leak else "0"
        table.add_row(escape(each.column), verdict, f"{each.values:,}", moved)
    console.print(table)

    def local(time: datetime) -> str:
        return f"{time.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"

    for column, leak in report.leaks.items():
        text = escape(in_options(leak_text(leak, local), VERB))
        console.print(f"\n[{BAD}]{escape(column)}[/] {text}")
        if len(leak.moved_by) > 1:
            console.print(f"[{QUIET}]moved by {', '.join(leak.moved_by)}[/]")
    if report.not_checked:
        names = escape(", ".join(report.not_checked))
        console.print(
            f"\n[{WARN}]{names}[/] not checked: no value in any row, so nothing could have moved; "
            "give more candles"
        )
    console.print(f"\n[{QUIET}]checked: {report.extent}; times in {zone}[/]")
