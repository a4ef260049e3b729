"""`tallow query`: bars of a range out of a store, as a table, a file or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tallow.core.errors import ParameterError
from tallow.core.text import counted
from tallow.core.timeframe import parse_timeframe
from tallow.data.output_zone import UTC, in_zone, require_output_zone
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST
from tallow.data.store.store import open_store
from tallow.data.writers import FRAME_ENDINGS, check_output, to_json, write_frame, write_text
from tallow.engine import AnalyticsEngine
from tallow.runtime.results import ProcessingResult, failure_text
from tallow.serve.console import (
    ASSUMED,
    QUIET,
    WARN,
    check_json_file,
    colour,
    draws_sparks,
    make_console,
    make_counts,
    make_table,
    number,
    number_cells,
    sparkline,
)
from tallow.serve.report import say_universe, show_assumed, show_more
from tallow.serve.run import compile_kernels
from tallow.serve.verbs import (
    ENGINE,
    EXIT_INCOMPLETE,
    NOTHING_WRITTEN,
    is_dirty,
    take_interrupts_back,
    take_options,
    when_cancelled,
)
from tallow.serve.wording import in_options, say, say_json

VERB = "query"
INSTRUMENTS_SHOWN = 6
"""Instruments that are shown in the terminal; a file and JSON have them all."""

BARS_SHOWN = 6
CELL_COLUMNS = 13
"""Width of a bar's column and of the space between two."""

SPARKS_MIN, SPARKS_MAX = 12, 32
_FORMING = "*"


def query_store(
    *,
    store: str,
    names: list[str] | None,
    instruments: list[str] | None,
    output: Path | None,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    output_zone: str | None,
    **question: Any,
) -> int:
    """Ask the store, show the answer, and return the exit code.

    `question` are arguments of `AnalyticsEngine` and of its `query`. `TallowError` on wrong
    options, and where every instrument fails.
    """
    take_interrupts_back()
    require_output_zone(output_zone)
    question["instruments"] = [*(names or ()), *(instruments or ())] or None
    check_json_file(json_file)
    if output is not None:
        check_output(output, FRAME_ENDINGS)
        if json:
            raise ParameterError("query: --json, --output; one place for the bars; leave out one")
    with open_store(store) as kept, when_cancelled(NOTHING_WRITTEN):
        engine = AnalyticsEngine(store=kept, **take_options(question, ENGINE))
        compile_kernels(engine, question["indicators"], shown=not quiet)
        if question["instruments"] is not None:
            keys = kept.find_keys(question["instruments"])
            question["instruments"] = list(keys.names)
            for each in keys.notes:
                say(each, err=True)
        answers: dict[str, ProcessingResult] = engine.query(**question)
    zone = output_zone or engine.calendars.calendars[0].timezone
    is_json = json or json_file is not None
    text = to_json(in_zone(_together(answers), output_zone)) if is_json else ""
    if json_file is not None:
        write_text(json_file, text)
    if json:
        say_json(text)
        for result in answers.values():
            if said := result.report.assumed:
                say(f"provisional: {in_options(said, VERB)}", err=True)
    elif output is not None:
        with when_cancelled(f"cancelled; {output} was not written"):
            _write(output, answers, output_zone, shown=not quiet)
    elif not quiet:
        _show(make_console(), answers, question["instruments"], zone)
    say_universe({size: result.report for size, result in answers.items()})
    hints = dict.fromkeys(result.report.hint for result in answers.values())
    for hint in filter(None, hints):
        say(f"hint: {in_options(hint, VERB)}", err=True)
    failures = {
        name: why for result in answers.values() for name, why in result.report.failures.items()
    }
    reasons = dict.fromkeys(result.report.why_empty for result in answers.values())
    nothing = "" if any(map(len, answers.values())) else next(iter(reasons))
    if nothing:
        say(in_options(nothing, VERB), err=True)
    if failures:
        say(f"failed: {in_options(failure_text(failures), VERB)}", err=True)
    rows = max(len(result.report.quarantine) for result in answers.values())
    return EXIT_INCOMPLETE if is_dirty(rows, strict) or nothing or failures else 0


def _together(answers: Mapping[str, ProcessingResult]) -> pl.DataFrame:
    """Return all bars in one frame; with several timeframes, each bar has its own."""
    frames: list[pl.DataFrame] = [result.frame for result in answers.values()]
    if len(answers) > 1:
        named = zip(answers, frames, strict=True)
        frames = [frame.select(pl.lit(size).alias("timeframe"), pl.all()) for size, frame in named]
    return pl.concat(frames)


def _write(
    output: Path, answers: Mapping[str, ProcessingResult], output_zone: str | None, shown: bool
) -> None:
    write_frame(output, in_zone(_together(answers), output_zone))
    if not shown:
        return
    console, rows = make_console(), []
    for size, result in answers.items():
        rows.append((f"{len(result):,}", f"bars of {size}", str(output)))
        if assumed := len(result.provisional):
            rows.append((colour(assumed, WARN), f"provisional of {size}", "in assumed sessions"))
    console.print(make_counts(rows))
    console.print(f"[{QUIET}]times in {output_zone or UTC}[/]")
    for result in answers.values():
        show_assumed(console, result.report.assumed, VERB)


def _show(
    console: Console,
    answers: Mapping[str, ProcessingResult],
    asked: Sequence[str] | None,
    zone: str,
) -> None:
    for size, result in answers.items():
        bars = result.frame.partition_by("instrument", as_dict=True, maintain_order=True)
        found = {str(key[0]): frame for key, frame in bars.items()}
        names = list(dict.fromkeys(asked)) if asked else list(found)
        for name in names[:INSTRUMENTS_SHOWN]:
            own = found.get(name, result.frame.clear())
            columns = [*NUMBERS, OPEN_INTEREST, *result.indicators]
            _show_bars(console, name, size, _with_marks(own, result.provisional), columns, zone)
        if not names:
            console.print(f"no bars of {size} in the range")
        if len(names) > INSTRUMENTS_SHOWN:
            show_more(console, len(names) - INSTRUMENTS_SHOWN)
            console.print(f"[{QUIET}]all of them: --output FILE, or --json[/]")
        show_assumed(console, result.report.assumed, VERB)


def _with_marks(bars: pl.DataFrame, provisional: pl.DataFrame) -> pl.DataFrame:
    """Return an instrument's bars with a column that is not null where they are provisional."""
    marks = provisional.select("instrument", "timestamp", assumed=True)
    return bars.join(marks, on=["instrument", "timestamp"], how="left", maintain_order="left")


def _show_bars(
    console: Console, name: str, size: str, bars: pl.DataFrame, columns: Sequence[str], zone: str
) -> None:
    """Print an instrument's newest bars side by side, and a line of each column."""
    heading = f"\n[bold]{escape(name)}[/]  {size}"
    if not len(bars):
        console.print(f"{heading}  [{QUIET}]no bars in the range[/]")
        return
    local = bars["timestamp"].dt.convert_time_zone(zone)
    span = f"{local[0]:%Y-%m-%d} to {local[-1]:%Y-%m-%d}"
    console.print(f"{heading}  [{QUIET}]{counted(len(bars), 'bar')}, {span}, {zone}[/]")
    shown = [column for column in columns if column in bars.columns]
    console.print(_table(console, bars, shown, size, zone))
    if not bars["is_final"][-1]:
        console.print(f"[{QUIET}]{_FORMING} still forming[/]")
    if bars["assumed"].any():
        console.print(f"[{QUIET}]{ASSUMED} provisional: the session is assumed[/]")


def _table(
    console: Console, bars: pl.DataFrame, columns: Sequence[str], size: str, zone: str
) -> Table:
    sparks = draws_sparks(console)
    room = console.width - max(map(len, columns)) - 2
    fitting = (room - SPARKS_MIN * sparks) // CELL_COLUMNS
    newest = bars.tail(max(1, min(BARS_SHOWN, fitting)))
    headings = [number(heading) for heading in _headings(newest, size, zone)]
    line = [Column("", no_wrap=True)] if sparks else []
    table = make_table(Column("", no_wrap=True), *headings, *line)
    width = min(SPARKS_MAX, room - CELL_COLUMNS * len(newest))
    for column in columns:
        cells = number_cells(column, newest[column].to_list())
        if sparks:
            cells.append(f"[{QUIET}]{sparkline(bars[column].tail(width).to_list(), width)}[/]")
        table.add_row(column, *cells)
    return table


def _headings(bars: pl.DataFrame, size: str, zone: str) -> list[str]:
    """Return when bars open, by the venue's clocks, marked if still forming or provisional."""
    text = "%m-%d %H:%M" if parse_timeframe(size).unit == "minute" else "%Y-%m-%d"
    opens = [moment.astimezone(ZoneInfo(zone)) for moment in bars["timestamp"]]
    return [
        f"{moment:{text}}" + _FORMING * (not final) + ASSUMED * bool(assumed)
        for moment, final, assumed in zip(opens, bars["is_final"], bars["assumed"], strict=True)
    ]
