"""`tallow run`: files in, a file of bars of each timeframe out, and a report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tallow.core.errors import OutputError
from tallow.core.timeframe import parse_timeframes
from tallow.data.output_zone import UTC
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.options import READ_KEYWORDS, read_options
from tallow.data.writers import check_outputs
from tallow.engine import AnalyticsEngine
from tallow.runtime.results import RunReport, failure_text
from tallow.serve.console import check_json_file, make_console, progress_bar, put_json
from tallow.serve.report import all_failures, say_universe, show_report
from tallow.serve.verbs import (
    ENGINE,
    EXIT_INCOMPLETE,
    NOTHING_WRITTEN,
    is_dirty,
    take_interrupts_back,
    take_options,
    when_cancelled,
)
from tallow.serve.wording import in_options, report_in_options, say

READING = ("source_timeframe", *READ_KEYWORDS)
"""Options that say what the files leave out."""

NO_OUTPUT = "run: no --output; a file to write is needed; add --output bars.parquet"


def run_to_file(
    *,
    inputs: list[str],
    output: Path | None,
    timeframe: list[str],
    indicators: str,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Run, report, and return the exit code.

    `options` are arguments of `AnalyticsEngine` and of its `process_files`. `TallowError` on wrong
    options and inputs; nothing is written then. `KeyboardInterrupt` on Ctrl-C, with the sentence
    that says what became of the output.
    """
    take_interrupts_back()
    with when_cancelled(NOTHING_WRITTEN):
        files = CandleFiles.find(inputs, read_options(**take_options(options, READING)))
        if output is None:
            raise OutputError(NO_OUTPUT)
        check_json_file(json_file)
        sizes = parse_timeframes(timeframe)
        outputs = check_outputs(output, [size.text for size in sizes])
        for each in outputs.values():
            _require_no_input(each, files.paths)
        engine = AnalyticsEngine(**take_options(options, ENGINE))
        compile_kernels(engine, indicators, shown=not quiet)
        console, began = make_console(stderr=True), time.perf_counter()
        with progress_bar(console, output.name, "candles", shown=not quiet) as move:
            reports = engine.process_files(
                files, output, sizes, indicators, progress=move, **options
            )
    seconds = time.perf_counter() - began
    put_json(_shown(reports, outputs, seconds), json, json_file)
    if not (json or quiet):
        zone = options.get("output_zone") or UTC
        show_report(make_console(), reports, outputs, seconds, zone)
    say_universe(reports)
    return _exit_code(list(reports.values()), strict)


def _shown(reports: Mapping[str, RunReport], outputs: Mapping[str, Path], seconds: float) -> Any:
    """Return the report as JSON has it: of one timeframe an object, of several a list of them."""
    several = len(reports) > 1
    shown = []
    for size, report in reports.items():
        told = report.to_dict() | {"output": str(outputs[size]), "seconds": round(seconds, 3)}
        shown.append(report_in_options({"timeframe": size} | told if several else told, "run"))
    return shown if several else shown[0]


def compile_kernels(engine: AnalyticsEngine, indicators: str, shown: bool = True) -> None:
    """Compile what a run needs, with a bar, where this version has never run on this machine."""
    if engine.is_warm(indicators):
        return
    console, title = make_console(stderr=True), "Compiling kernels, once for this version"
    if shown and not console.is_terminal:
        console.print(title)
    with progress_bar(console, title, "kernels", shown) as move:
        if move is not None:
            # Seconds pass before the first is done.
            move(0, 0)
        engine.warm_up(indicators, progress=move)


def _require_no_input(output: Path, inputs: Sequence[Path]) -> None:
    if output.exists() and any(path.samefile(output) for path in inputs):
        raise OutputError(
            f"run: output={output}; must not be an input; choose another name, or a glob that "
            "does not match it"
        )


def _exit_code(reports: Sequence[RunReport], strict: bool) -> int:
    """Say on stderr why a run is incomplete, if it is: the table may be hidden, or far above."""
    nothing = dict.fromkeys(report.why_empty for report in reports if report.why_empty)
    for why in nothing:
        say(in_options(why), err=True)
    for hint in dict.fromkeys(report.hint for report in reports if report.hint):
        say(f"hint: {in_options(hint)}", err=True)
    failures = all_failures(reports)
    if failures:
        say(f"failed: {in_options(failure_text(failures))}", err=True)
    quarantined = max(len(report.quarantine) for report in reports)
    return EXIT_INCOMPLETE if is_dirty(quarantined, strict) or nothing or failures else 0
