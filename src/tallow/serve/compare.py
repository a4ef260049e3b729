"""`tallow compare`: two engines on the same candles, and the reports about their answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import typer

from tallow.core.errors import ComparisonError, ParameterError, near_matches
from tallow.core.limits import THREADS_MAX
from tallow.core.text import counted
from tallow.data.reading.options import READ_KEYWORDS, TIMEFRAME
from tallow.data.reading.readers import read_candles
from tallow.data.reading.schema import CANDLE_SCHEMA, NUMBERS
from tallow.data.universe_files import find_universe
from tallow.data.writers import check_output, write_text
from tallow.migrate.compare import (
    Comparison,
    ComparisonRules,
    EngineSource,
    Thresholds,
    Tolerance,
    compare,
)
from tallow.migrate.compare.counts import cause_name
from tallow.migrate.compare.page import page_template, render
from tallow.migrate.compare.words import span_text
from tallow.migrate.engines.bars import analytics_engine
from tallow.migrate.engines.stored import StoredEngine
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Engine, Request
from tallow.plan.plan import make_plan
from tallow.runtime.batch import Counts
from tallow.runtime.ranges import Range
from tallow.runtime.results import raise_if_all_refused
from tallow.runtime.why_empty import NO_ROW
from tallow.serve.compare_report import VERB, show_comparison
from tallow.serve.console import JSON, ShowProgress, make_console, progress_bar, put_json
from tallow.serve.report import some
from tallow.serve.run import compile_kernels
from tallow.serve.verbs import (
    EXIT_INCOMPLETE,
    NOTHING_WRITTEN,
    is_dirty,
    take_interrupts_back,
    take_options,
    when_cancelled,
)
from tallow.serve.wording import command_again, in_options, report_in_options, say

UNITS = {"Comparing": "instruments", "Measuring": "engines"}


def run_compare(
    context: typer.Context,
    *,
    inputs: list[str] | None,
    control: str,
    candidate: str,
    series: list[str] | None,
    timeframe: list[str],
    instruments: list[str] | None,
    absolute: float,
    relative: float,
    ulps: int,
    reject: list[str] | None,
    agree: float,
    agree_decisions: float,
    less_time: float,
    less_memory: float,
    runs: int,
    html: Path | None,
    json: bool,
    json_file: Path | None,
    output_zone: str | None,
    threads: int | None,
    strict: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Compare, report, and return the exit code: 0 go, 1 anything else.

    `options` are arguments of `read_candles`, and the fields of `Request`, but for candles.
    `TallowError` on wrong options, inputs and engines; no report is written then.
    """
    take_interrupts_back()
    # Wrong options are reported before anything is read, or compiled for seconds.
    rules = ComparisonRules(Tolerance(absolute, relative, ulps), rejected_causes(reject or ()))
    thresholds = Thresholds(agree, agree_decisions, less_time, less_memory)
    names, size = series_names(series or ()), _only(timeframe)
    _require_series(names, options["indicators"])
    options["universe"] = find_universe(options["universe"])
    outputs = _check_outputs(html, json_file)
    sources = [EngineSource(each, names, options["timezone"]) for each in (control, candidate)]
    engines = [source.load() for source in sources]
    dates, source = options["calendar_dates"], options.pop("source_timeframe")
    reading = take_options(options, READ_KEYWORDS) | {"source_timeframe": source}
    fields = options | {"calendar_dates": dates and str(dates), "timeframe": size}
    reading["calendar"] = options["calendar"]
    found = _read(inputs, reading, instruments) if inputs else _no_candles(engines, source)
    candles, lasting, quarantined = found
    fields |= {"source_timeframe": lasting}
    request, shown = Request(candles, **fields), not (json or quiet)
    compile_kernels(analytics_engine(request), request.indicators, shown)
    with _stages(shown) as progress, when_cancelled(NOTHING_WRITTEN):
        comparison = compare(
            sources[0],
            sources[1],
            request,
            rules=rules,
            thresholds=thresholds,
            runs=runs,
            workers=threads or min(os.cpu_count() or 1, THREADS_MAX),
            progress=progress,
            output_zone=output_zone,
        )
    _write(comparison, html, json, json_file)
    if shown:
        again = command_again(context, "html", "json_file")
        show_comparison(make_console(), comparison, outputs, again)
    _say_left_out(comparison, instruments)
    return _exit_code(comparison, is_dirty(quarantined, strict))


def _exit_code(comparison: Comparison, is_incomplete: bool) -> int:
    """Say on stderr why there is nothing to compare, if so."""
    values = comparison.values
    if nothing := _why_none_in_common(values.rows, span_text(values, comparison.zone)):
        say(in_options(nothing, VERB), err=True)
    return 0 if comparison.verdict.outcome == "go" and not is_incomplete else EXIT_INCOMPLETE


def _say_left_out(comparison: Comparison, instruments: Sequence[str] | None) -> None:
    """Say on stderr what a universe left out of the answers: of both sides, or of each of them."""
    said = {
        side: report.among(instruments).sentences() for side, report in comparison.left_out.items()
    }
    both = [each for each in said.get("control", ()) if each in said["candidate"]]
    alone = [f"{side}: {each}" for side, own in said.items() for each in own if each not in both]
    for sentence in both + alone:
        say(sentence, err=True)


def _why_none_in_common(rows: tuple[int, int, int], span: str) -> str:
    """Return why two answers have no bar in common; nothing where they have one."""
    both, control, candidate = rows
    if both:
        return ""
    return (
        f"no bar in common: the control has {control:,}, the candidate {candidate:,}, {span}, and "
        "none of the same instrument and time; is it another timezone=, timeframe= or name of the "
        "instruments?"
    )


def _require_series(names: Mapping[str, str], indicators: str) -> None:
    """Raise `ParameterError` for a name that is none of what is compared: nobody would see it."""
    known = {*NUMBERS, *make_plan(indicators).columns}
    for theirs, ours in names.items():
        if ours not in known:
            raise ParameterError(
                f"compare: --series {theirs}={ours}; {ours} is not among what is compared; "
                f"{near_matches(ours, known)}; or add its indicator with --indicators"
            )


def series_names(texts: Sequence[str]) -> dict[str, str]:
    """Read ``theirs=ours``."""
    names = {}
    for text in texts:
        theirs, equals, ours = (part.strip() for part in text.partition("="))
        if not (theirs and equals and ours):
            raise ParameterError(
                f"compare: --series {text!r}; must read like ma_9=sma_9: the name in your "
                "engine's answers, and ours"
            )
        names[theirs] = ours
    return names


def rejected_causes(names: Sequence[str]) -> Cause:
    """Read the causes that are not accepted as an explanation."""
    known = {cause_name(cause): cause for cause in Cause if cause is not Cause.UNEXPLAINED}
    rejected = Cause(0)
    for name in names:
        if name not in known:
            hint = near_matches(name, known)
            raise ParameterError(f"compare: --reject {name!r}; is no cause; {hint}")
        rejected |= known[name]
    return rejected


def _only(timeframes: Sequence[str]) -> str:
    if len(timeframes) > 1:
        raise ParameterError(
            f"compare: --timeframe {' and '.join(timeframes)}; engines are compared at one; give "
            "one, and compare again for the others"
        )
    return timeframes[0]


def _check_outputs(html: Path | None, json_file: Path | None) -> list[str]:
    """Return the files that will be written, after checking that they can be."""
    files = []
    if html is not None:
        files.append(str(check_output(html, (".html", ".htm"))))
        page_template()
    if json_file is not None:
        files.append(str(check_output(json_file, JSON)))
    return files


def _no_candles(engines: Sequence[Engine], source: str | None) -> tuple[pl.DataFrame, str, int]:
    if not all(isinstance(each, StoredEngine) for each in engines):
        raise ComparisonError(
            "compare: no INPUT; engines need candles, only stored values do without; name a file "
            "of candles"
        )
    return pl.DataFrame(schema=CANDLE_SCHEMA), source or TIMEFRAME, 0


def _read(
    inputs: list[str], reading: Mapping[str, Any], instruments: list[str] | None
) -> tuple[pl.DataFrame, str, int]:
    """Return the candles of files, how long they last, and how many rows break a rule.

    Those are no part of them.
    """
    read = read_candles(inputs, **reading)
    raise_if_all_refused(read.report, Counts(), read.quarantine)
    if not read.report.rows_in:
        # The comparison itself raises an error: without candles there is no verdict.
        say(f"no candles: {NO_ROW}", err=True)
    if read.report.quarantined:
        rows = counted(read.report.quarantined, "row")
        say(f"quarantined, and given to neither side: {rows}", err=True)
    if read.report.ignored_columns:
        say(f"ignored columns: {some(read.report.ignored_columns)}", err=True)
    candles = read.frame
    wanted = Range.of(None, None, instruments)
    wanted.check_found(candles["instrument"].unique().to_list())
    return wanted.pick(candles), read.source_timeframe.text, read.report.quarantined


@contextmanager
def _stages(shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that moves a progress bar, and begins a new one for each stage."""
    console, stage = make_console(stderr=True), ""
    move_bar: ShowProgress | None = None
    with ExitStack() as bar:

        def move(title: str, done: int, total: int) -> None:
            nonlocal stage, move_bar
            if title != stage:
                bar.close()
                stage = title
                move_bar = bar.enter_context(progress_bar(console, title, UNITS[title], shown))
            if move_bar is not None:
                move_bar(done, total)

        yield move


def _write(comparison: Comparison, html: Path | None, json: bool, json_file: Path | None) -> None:
    """Write the requested reports."""
    if html is not None:
        write_text(html, render(comparison, partial(in_options, verb=VERB)))
    if json or json_file is not None:
        put_json(report_in_options(comparison.to_dict(), VERB), json, json_file)
