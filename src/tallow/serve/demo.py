"""`tallow demo`: a simulated market, its bars and indicators, and what to try next."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from tallow.core.calendars import Calendar, load_calendar
from tallow.core.errors import OutputError, ParameterError, TallowError
from tallow.core.text import counted
from tallow.core.timeframe import parse_timeframe
from tallow.data.simulate import simulate_blocks
from tallow.data.writers import FrameWriter
from tallow.engine import AnalyticsEngine
from tallow.serve.console import (
    BAD,
    GOOD,
    QUIET,
    compact,
    draws_sparks,
    make_console,
    make_table,
    next_text,
    number,
    progress_bar,
    sparkline,
)
from tallow.serve.run import compile_kernels
from tallow.serve.verbs import take_interrupts_back

CALENDAR = "XNSE"
LAST_SESSION = date(2025, 7, 18)
"""The market ends here whatever its length, so that the demo is the same on every day."""

SHOWN = 12
"""Instruments in the table of latest values."""

VALUES = ("close", "ema_9", "vwap", "atr_14", "rsi_14", "bb_width_percent_20_2")
HEADINGS = ("close", "ema_9", "vwap", "atr", "rsi", "bb width %")
HIGH_RSI, LOW_RSI = 70.0, 30.0

TABLE_COLUMNS = 70
"""Width of the table without its lines; these get what a terminal has left."""
SPARKS_MIN, SPARKS_MAX = 8, 24

_Bars = Sequence[tuple[str, pl.DataFrame]]
"""Instruments with their bars."""


@dataclass(frozen=True)
class _DemoOutput:
    """One output: its bars, and the seconds from file to file."""

    timeframe: str
    path: Path
    bars: int
    seconds: float


def run_demo(instruments: int, sessions: int, folder: Path, timeframes: Sequence[str]) -> int:
    """Simulate, run, show, and return the exit code.

    `TallowError` if a number is out of range, or the folder cannot be written.
    """
    texts = [parse_timeframe(text).text for text in dict.fromkeys(timeframes)]
    take_interrupts_back()
    _make_folder(folder)
    source, progress = folder / "candles_1m.parquet", make_console(stderr=True)
    began = time.perf_counter()
    candles = _simulate(instruments, sessions, source, progress)
    simulated = time.perf_counter() - began
    engine = AnalyticsEngine(calendar=CALENDAR)
    compile_kernels(engine, "default")
    # What was compiled before is loaded here, so that the times below are those of the work.
    engine.warm_up("default")
    outputs = [_run(engine, source, text, candles, progress) for text in texts]
    console = make_console()
    console.print(_opening(instruments, sessions, candles, simulated, source))
    some = _some(outputs[0].path)
    console.print(_latest(outputs[0], some, console))
    console.print(_closing(outputs, candles))
    # Not wrapped: a command is copied whole.
    console.print(_next(source, folder, some[0][0]), soft_wrap=True)
    console.print(f"[{QUIET}]CSV, Parquet and Arrow files of your own go in the same way.[/]")
    return 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"demo: output={folder}; must be a folder that can be written; {error.strerror}; "
            "choose another with --output"
        ) from error


def first_session(calendar: Calendar, sessions: int) -> date:
    """Return the first of some sessions that end with `LAST_SESSION`."""
    days = calendar.sessions().day_date
    known = int(np.searchsorted(days, np.datetime64(LAST_SESSION, "D"))) + 1
    if not 1 <= sessions <= known:
        raise ParameterError(f"demo: sessions={sessions}; must be 1..{known}")
    first: date = days[known - sessions].astype(object)
    return first


def _simulate(instruments: int, sessions: int, path: Path, console: Console) -> int:
    """Write the market's candles; return how many there are."""
    calendar = load_calendar(CALENDAR)
    blocks = simulate_blocks(
        instruments, sessions, calendar=calendar, start=first_session(calendar, sessions)
    )
    rows = done = 0
    first = next(blocks)
    with (
        progress_bar(console, "Simulating a market", "instruments") as move,
        FrameWriter(path, first.schema) as writer,
    ):
        for block in itertools.chain([first], blocks):
            writer.write(block)
            rows += len(block)
            done += block["instrument"].n_unique()
            if move is not None:
                move(done, instruments)
    return rows


def _run(
    engine: AnalyticsEngine, source: Path, timeframe: str, candles: int, console: Console
) -> _DemoOutput:
    output = source.with_name(f"bars_{timeframe}.parquet")
    began = time.perf_counter()
    with progress_bar(console, f"Bars of {timeframe}", "candles") as move:
        report = engine.process_files(source, output, timeframe, progress=move)
    took = time.perf_counter() - began
    if report.read.accepted != candles:
        raise TallowError(
            f"demo: candles={candles}; {report.read.accepted} came back; is {source} being "
            "written by another demo?"
        )
    return _DemoOutput(timeframe, output, report.bars, took)


def _opening(
    instruments: int, sessions: int, candles: int, seconds: float, source: Path
) -> RenderableType:
    text = Text("\nA simulated market: ", "bold")
    text.append(f"{counted(instruments, 'instrument')}, {counted(sessions, 'session')}", "not bold")
    line = f"{candles:,} one-minute candles, made in {seconds:.1f} s, in {source}\n"
    return Group(text, Text(line, QUIET))


def _latest(output: _DemoOutput, some: _Bars, console: Console) -> Table:
    """Return the newest bar of some instruments, with a line of the closes before it."""
    width = min(SPARKS_MAX, console.width - TABLE_COLUMNS)
    with_line = width >= SPARKS_MIN and draws_sparks(console)
    columns = [Column("instrument", no_wrap=True), *map(number, HEADINGS)]
    if with_line:
        columns.append(Column("closes", no_wrap=True))
    table = make_table(*columns, title=f"Latest bars of {output.timeframe}, at {_newest(some)}")
    for name, bars in some:
        newest = bars.row(-1, named=True)
        cells = [escape(name.rpartition("|")[2]), *_value_cells(newest)]
        if with_line:
            cells.append(f"[{QUIET}]{sparkline(bars['close'].to_list(), width)}[/]")
        table.add_row(*cells)
    return table


def _some(path: Path) -> _Bars:
    """Read the bars of the first few instruments."""
    bars = pl.scan_parquet(path).select("instrument", "timestamp", *VALUES)
    names = bars.select(pl.col("instrument").unique(maintain_order=True).head(SHOWN))
    some = bars.join(names, on="instrument", how="semi", maintain_order="left").collect()
    return [
        (str(key[0]), part)
        for key, part in some.partition_by("instrument", as_dict=True, maintain_order=True).items()
    ]


def _newest(some: _Bars) -> str:
    newest: datetime = max(bars["timestamp"][-1] for _, bars in some)
    zone = load_calendar(CALENDAR).timezone
    return f"{newest.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def _value_cells(bar: dict[str, Any]) -> list[str]:
    cells = {name: "-" if bar[name] is None else f"{bar[name]:,.2f}" for name in VALUES}
    if bar["ema_9"] is not None:
        cells["close"] = _styled(cells["close"], GOOD if bar["close"] >= bar["ema_9"] else BAD)
    rsi = bar["rsi_14"]
    if rsi is not None:
        cells["rsi_14"] = f"{rsi:.1f}"
        if not LOW_RSI <= rsi <= HIGH_RSI:
            cells["rsi_14"] = _styled(cells["rsi_14"], "bold")
    return list(cells.values())


def _styled(cell: str, style: str) -> str:
    return f"[{style}]{cell}[/]"


def _closing(outputs: Sequence[_DemoOutput], candles: int) -> RenderableType:
    table = Table.grid(number(""), number(""), number(""), number(""), "", padding=(0, 2))
    for each in outputs:
        table.add_row(
            each.timeframe,
            f"{counted(each.bars, 'bar')}",
            f"{each.seconds:.2f} s",
            f"{compact(candles / each.seconds)} candles/s",
            f"[{QUIET}]{escape(str(each.path))}[/]",
        )
    heading = Text("\nFrom file to file, with the twelve default indicator columns", "bold")
    return Group(heading, table)


def _next(source: Path, folder: Path, instrument: str) -> Text:
    quoted, bars, store = (
        shlex.quote(str(path)) for path in (source, folder / "macd_15m.parquet", folder / "store")
    )
    commands = (
        f'tallow run {quoted} -t 15m -i "macd, adx" -o {bars}',
        f"tallow ingest {quoted} --store {store} --adjustment raw",
        f"tallow query {shlex.quote(instrument)} --store {store} -t 1h",
        "tallow indicators macd",
        "tallow serve --demo",
    )
    return next_text(commands)
