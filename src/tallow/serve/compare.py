"""`tallow compare`: two engines on the same candles, and what is made of their answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tallow.core.errors import ComparisonError, ParameterError, near_matches
from tallow.core.limits import THREADS_MAX
from tallow.data.files import expand_paths
from tallow.data.readers import read_candles
from tallow.data.schema import CANDLE_SCHEMA
from tallow.data.writers import check_output, write_text
from tallow.engine import AnalyticsEngine
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
from tallow.migrate.engines.stored import StoredEngine
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request
from tallow.runtime.batch import Counts
from tallow.runtime.ranges import Range
from tallow.runtime.results import raise_if_all_refused
from tallow.serve.compare_report import VERB, show_comparison
from tallow.serve.console import ShowProgress, make_console, print_json, progress_bar
from tallow.serve.run import NO_ROW, compile_kernels
from tallow.serve.saying import say
from tallow.serve.verbs import EXIT_INCOMPLETE, take_interrupts_back
from tallow.serve.wording import in_options, report_in_options

PRINT = "-"
UNITS = {"Comparing": "instruments", "Measuring": "engines"}


@dataclass(frozen=True)
class CompareRequest:
    """What the command line asked for.

    Attributes
    ----------
    question
        The fields of `Request`, but for candles.
    reading
        Keyword arguments of `read_candles`.
    tolerance, thresholds
        Those of `Tolerance` and `Thresholds`.
    json
        A file, or ``-`` for stdout.
    again
        The command, without what it reports to.
    """

    inputs: Sequence[str]
    control: str
    candidate: str
    series: Sequence[str]
    question: Mapping[str, Any]
    instruments: list[str] | None
    timezone: str | None
    reading: Mapping[str, Any]
    tolerance: Mapping[str, Any]
    reject: Sequence[str]
    thresholds: Mapping[str, float]
    runs: int
    html: Path | None
    json: str | None
    again: str


def run_compare(request: CompareRequest) -> int:
    """Compare, report, and return the exit code: 0 go, 1 anything else.

    Raises
    ------
    TallowError
        On wrong options, inputs and engines; no report is written then.
    """
    take_interrupts_back()
    # What is wrong is told before anything is read, or compiled for seconds.
    rules = ComparisonRules(Tolerance(**request.tolerance), rejected_causes(request.reject))
    thresholds = Thresholds(**request.thresholds)
    series = series_names(request.series)
    for output, endings in _outputs(request):
        check_output(output, endings)
    if request.html is not None:
        page_template()
    control = EngineSource(request.control, series, request.timezone)
    candidate = EngineSource(request.candidate, series, request.timezone)
    engines = (control.load(), candidate.load())
    needed = not all(isinstance(engine, StoredEngine) for engine in engines)
    question = _question(request, needed)
    shown = request.json != PRINT
    compile_kernels(AnalyticsEngine(**question.venue), question.indicators, shown)
    with _stages(shown) as progress:
        comparison = compare(
            control,
            candidate,
            question,
            rules=rules,
            thresholds=thresholds,
            runs=request.runs,
            workers=min(os.cpu_count() or 1, THREADS_MAX),
            progress=progress,
        )
    _write(request, comparison)
    return 0 if comparison.verdict.outcome == "go" else EXIT_INCOMPLETE


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
    """Read causes that explain nothing."""
    known = {cause_name(cause): cause for cause in Cause if cause is not Cause.UNEXPLAINED}
    rejected = Cause(0)
    for name in names:
        if name not in known:
            hint = near_matches(name, known)
            raise ParameterError(f"compare: --reject {name!r}; is no cause; {hint}")
        rejected |= known[name]
    return rejected


def _outputs(request: CompareRequest) -> Iterator[tuple[Path, tuple[str, ...]]]:
    if request.html is not None:
        yield request.html, (".html", ".htm")
    if request.json not in {None, PRINT}:
        yield Path(str(request.json)), (".json",)


def _question(request: CompareRequest, needed: bool) -> Request:
    """Return the question with its candles; rows that break a rule are no part of it."""
    import polars as pl

    if not request.inputs:
        if needed:
            raise ComparisonError(
                "compare: no INPUT; engines need candles, only stored values do without; name a "
                "file of candles"
            )
        return Request(pl.DataFrame(schema=CANDLE_SCHEMA), **request.question)
    paths = expand_paths(list(request.inputs))
    read = read_candles(paths, timezone=request.timezone, **request.reading)
    raise_if_all_refused(read.report, Counts(), read.quarantine)
    if not read.report.rows_in:
        # Nothing that was compared is no "go": the comparison itself refuses.
        say(f"no candles: {NO_ROW}", err=True)
    if read.report.quarantined:
        count = f"{read.report.quarantined:,}"
        say(f"quarantined, and given to neither side: {count} rows", err=True)
    candles = read.frame
    wanted = Range.of(None, None, request.instruments)
    wanted.check_found(candles["instrument"].unique().to_list())
    return Request(wanted.pick(candles), **request.question)


@contextmanager
def _stages(shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that moves a bar, and begins a new one where the work is another."""
    console, titles = make_console(stderr=True), list[str]()
    with ExitStack() as bar:
        moves: list[ShowProgress | None] = [None]

        def move(title: str, done: int, total: int) -> None:
            if titles != [title]:
                bar.close()
                titles[:] = [title]
                moves[0] = bar.enter_context(progress_bar(console, title, UNITS[title], shown))
            if moves[0] is not None:
                moves[0](done, total)

        yield move


def _write(request: CompareRequest, comparison: Comparison) -> None:
    if request.html is not None:
        write_text(request.html, render(comparison, partial(in_options, verb=VERB)))
    if request.json == PRINT:
        print_json(report_in_options(comparison.to_dict(), VERB))
        return
    if request.json is not None:
        report = report_in_options(comparison.to_dict(), VERB)
        told = json.dumps(report, ensure_ascii=False, allow_nan=False)
        write_text(Path(request.json), told)
    files = [str(path) for path, _ in _outputs(request)]
    show_comparison(make_console(), comparison, files, request.again)
