"""`tallow plot`: an instrument's bars of a store, or of files, as a chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import OutputError, ParameterError
from tallow.core.spec import parse_specs
from tallow.core.time import from_us, to_us
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.schema import SYMBOL_SCHEMA
from tallow.data.store.store import open_store
from tallow.data.store.symbols import find_keys
from tallow.data.writers import check_output
from tallow.engine import AnalyticsEngine
from tallow.plots.placing import rows_ahead
from tallow.plots.plot import ENDINGS
from tallow.runtime.results import ProcessingResult, failure_text
from tallow.runtime.spans import Buckets
from tallow.screens.needs import population_names
from tallow.screens.nodes import CONDITION
from tallow.screens.parser import parse_screen
from tallow.serve.console import make_console, make_counts
from tallow.serve.file_or_store import (
    read_files,
    require_files_alone,
    require_store,
    saved_screens,
)
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
from tallow.serve.wording import in_options, say

VERB = "plot"
NO_OUTPUT = "plot: no --output; a file to write is needed; add --output chart.html"


def plot_instrument(
    *,
    instrument: str,
    inputs: list[str] | None,
    store: str | None,
    timeframe: list[str],
    indicators: str,
    screen: list[str] | None,
    screens: Path | None,
    output: Path | None,
    strict: bool,
    quiet: bool,
    **question: Any,
) -> int:
    """Draw, write, and return the exit code.

    `question` are arguments of `AnalyticsEngine`, of `read_candles`, and of the engine's `query`.
    `TallowError` on wrong options and inputs; nothing is written then.
    """
    take_interrupts_back()
    if output is None:
        raise OutputError(NO_OUTPUT)
    check_output(output, ENDINGS)
    if len(timeframe) > 1:
        raise ParameterError(
            f"plot: --timeframe {' and '.join(timeframe)}; a chart has one; give one"
        )
    texts = {text: text for text in screen or ()}
    if screen or screens:
        saved = saved_screens(screens, shown=not quiet)
        texts = {name: saved[name].condition if name in saved else name for name in texts}
    engine_options = take_options(question, ENGINE)
    asked = (instrument, timeframe[0], indicators, texts)
    with when_cancelled(NOTHING_WRITTEN):
        if inputs:
            _require_files_alone(inputs, store, question)
            engine = AnalyticsEngine(**engine_options)
            compile_kernels(engine, indicators, shown=not quiet)
            result, whole, title, matches = _of_files(engine, inputs, asked, question)
        else:
            with open_store(require_store(store, VERB, "instrument")) as kept:
                engine = AnalyticsEngine(store=kept, **engine_options)
                compile_kernels(engine, indicators, shown=not quiet)
                result, whole, title, matches = _of_store(engine, kept, asked, question)
        report = result.report
        for line in filter(None, (report.assumed, report.hint)):
            say(in_options(line, VERB), err=True)
        if report.failures:
            say(f"failed: {in_options(failure_text(report.failures), VERB)}", err=True)
        if not len(result):
            say(in_options(report.why_empty, VERB), err=True)
            return EXIT_INCOMPLETE
        first = result.indicators.timestamps[0]
        chart = whole.plot(matches=matches, title=title, since=first)
        chart.write(output)
    if not quiet:
        rows = [(f"{len(result):,}", "bars", str(output))]
        rows += [(f"{len(found):,}", "matches", text) for text, found in matches.items()]
        make_console().print(make_counts(rows))
    dirty = is_dirty(len(report.quarantine), strict)
    return EXIT_INCOMPLETE if dirty or report.failures else 0


Asked = tuple[str, str, str, Mapping[str, str]]
"""Instrument, timeframe, indicators, and the conditions to mark by their names."""

Drawn = tuple[ProcessingResult, ProcessingResult, str, dict[str, pl.DataFrame]]
"""Bars, the same with those before that are drawn later, the chart's title, and matches."""


def _require_files_alone(inputs: list[str], store: str | None, question: Any) -> None:
    """Raise `ParameterError` where what only a store can answer is asked of files."""
    require_files_alone(inputs, store, question, VERB)
    if question["known_at"] is not None:
        raise ParameterError(
            f"plot: known_at={question['known_at']}; files do not say when their candles became "
            "known; leave it out, or ask a store"
        )


def _of_files(
    engine: AnalyticsEngine, inputs: list[str], asked: Asked, question: dict[str, Any]
) -> Drawn:
    name, size, indicators, texts = asked
    read = read_files(engine, inputs, question, "quarantined")
    symbols = pl.DataFrame(schema=SYMBOL_SCHEMA) if read.symbols is None else read.symbols
    known = read.frame["instrument"].unique().to_list()
    key, title = _key(name, symbols, known)
    span = {each: question[each] for each in ("start", "end")}
    shown = {"final_at": question["final_at"], "output_zone": question["output_zone"]}

    def ask(start: Any) -> ProcessingResult:
        own = {**span, **shown, "start": start}
        made: ProcessingResult = engine.process_candles(
            read, size, indicators, instruments=key, **own
        )
        return made

    result = ask(span["start"])
    whole = result if span["start"] is None else _with_earlier(result, ask)
    matches = _matches(engine, texts, key, {"timeframe": size, "candles": read, **span}, result)
    return result, whole, title, matches


def _of_store(engine: AnalyticsEngine, kept: Any, asked: Asked, question: dict[str, Any]) -> Drawn:
    name, size, indicators, texts = asked
    answer = kept.find_keys([name])
    for note in answer.notes:
        say(note, err=True)
    key, title = answer.names[0], _title(answer.names[0], kept.symbols())
    source = question["source_timeframe"] or "1m"
    span = {each: question[each] for each in ("start", "end", "known_at", "adjustment")}

    def ask(start: Any) -> ProcessingResult:
        made: ProcessingResult = engine.query(
            key, size, indicators=indicators, final_at=question["final_at"],
            source_timeframe=source, output_zone=question["output_zone"],
            **{**span, "start": start},
        )  # fmt: skip
        return made

    result = ask(span["start"])
    whole = result if span["start"] is None else _with_earlier(result, ask)
    options = {"timeframe": size, "source_timeframe": source, **span}
    return result, whole, title, _matches(engine, texts, key, options, result)


def _with_earlier(
    result: ProcessingResult, ask: Callable[[datetime], ProcessingResult]
) -> ProcessingResult:
    """Return bars with those before that are drawn among them, as a cloud's.

    A bar of no trade may be missing: then earlier ones are asked for, until they are enough.
    """
    recipe = result.recipe
    ahead = rows_ahead(parse_specs(recipe.plan.specs, recipe.plan.convention))
    if not len(result) or ahead <= 0:
        return result
    first, whole = result.indicators.timestamps[0], result
    calendars = recipe.calendars
    calendar = calendars.calendars[
        int(calendars.indices([str(result.indicators.instruments[0])])[0])
    ]
    size = parse_timeframe(recipe.timeframe)
    buckets = Buckets.of(calendar, size, size)
    place = buckets.before(to_us(first))
    for many in (1, 8, 64, 512):
        start = buckets.start(max(place - many * ahead, 0))
        whole = ask(from_us(start))
        if len(whole) - len(result) >= ahead or place <= many * ahead:
            break
    return whole


def _key(name: str, symbols: pl.DataFrame, known: list[str]) -> tuple[str, str]:
    """Return the key of a name, which may be a symbol, and the title of its chart."""
    answer = find_keys([name], symbols, known)
    for note in answer.notes:
        say(note, err=True)
    return answer.names[0], _title(answer.names[0], symbols)


def _title(key: str, symbols: pl.DataFrame) -> str:
    own = symbols.filter(pl.col("instrument") == key)["symbol"].sort().to_list()
    return f"{own[-1]} ({key})" if own and own[-1] != key else key


def _matches(
    engine: AnalyticsEngine,
    texts: Mapping[str, str],
    key: str,
    asked: dict[str, Any],
    result: ProcessingResult,
) -> dict[str, pl.DataFrame]:
    """Return the instrument's bars at which conditions hold, by their names.

    Where a condition compares instruments, all of them are asked, else this one alone.
    """
    if not len(result):
        return {}
    found = {}
    times = result.indicators.timestamps
    if asked["start"] is None and asked["end"] is None:
        asked = asked | {"start": times[0], "end": None}
    for name, text in texts.items():
        tree = parse_screen(text, convention=engine.convention, kind=CONDITION)
        who = None if population_names(tree) else key
        answer = engine.screen(text, instruments=who, **asked)
        found[name] = answer.frame.filter(pl.col("instrument") == key)
    return found
