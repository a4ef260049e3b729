"""`tallow run`: files in, one file of bars out, and a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tallow.core.errors import OutputError
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.options import READ_KEYWORDS, read_options
from tallow.data.writers import check_output
from tallow.engine import AnalyticsEngine
from tallow.runtime.results import RunReport, failure_text
from tallow.serve.console import make_console, print_json, progress_bar
from tallow.serve.report import show_report
from tallow.serve.verbs import ENGINE, EXIT_INCOMPLETE, take_interrupts_back, take_options
from tallow.serve.wording import in_options, report_in_options, say

NO_ROW = "the input holds no row, as the answer of a holiday"
READING = ("source_timeframe", *READ_KEYWORDS)
"""Options that say what the files leave out."""

NOTHING_WRITTEN = "cancelled; nothing was written"


def run_to_file(
    *,
    inputs: list[str],
    output: Path | None,
    timeframe: str,
    indicators: str,
    strict: bool,
    json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run, report, and return the exit code.

    `options` are arguments of `AnalyticsEngine` and of its `process_files`. `TallowError` on wrong
    options and inputs; nothing is written then. `KeyboardInterrupt` on Ctrl-C, with the sentence
    that says what became of the output.
    """
    take_interrupts_back()
    try:
        files = CandleFiles.find(inputs, read_options(**take_options(options, READING)))
        output = _not_an_input(output, files.paths)
        engine = AnalyticsEngine(**take_options(options, ENGINE))
        if not engine.is_warm(indicators):
            # Errors of the output come before seconds of compiling.
            check_output(output)
            compile_kernels(engine, indicators, shown=not quiet)
        console, began = make_console(stderr=True), time.perf_counter()
        with progress_bar(console, output.name, "candles", shown=not quiet) as move:
            report = engine.process_files(
                files, output, timeframe, indicators, progress=move, **options
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(NOTHING_WRITTEN) from None
    seconds = time.perf_counter() - began
    if json:
        shown = report.to_dict() | {"output": str(output), "seconds": round(seconds, 3)}
        print_json(report_in_options(shown, "run"))
    elif not quiet:
        show_report(make_console(), report, str(output), seconds)
    return _exit_code(report, strict)


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


def _not_an_input(output: Path | None, inputs: Sequence[Path]) -> Path:
    if output is None:
        raise OutputError("run: no --output; a file to write is needed; add --output bars.parquet")
    if output.exists() and any(path.samefile(output) for path in inputs):
        raise OutputError(
            f"run: output={output}; must not be an input; choose another name, or a glob that "
            "does not match it"
        )
    return output


def _exit_code(report: RunReport, strict: bool) -> int:
    """Say on stderr why a run is incomplete, if it is: the table may be hidden, or far above."""
    if not report.read.rows_in:
        say(f"no candles: {NO_ROW}", err=True)
    if report.hint:
        say(f"hint: {in_options(report.hint)}", err=True)
    if report.failures:
        say(f"failed: {in_options(failure_text(report.failures))}", err=True)
    is_dirty = strict and len(report.quarantine) > 0
    if is_dirty:
        say(f"quarantined: {len(report.quarantine):,} rows, and --strict is given", err=True)
    return EXIT_INCOMPLETE if report.failures or is_dirty else 0
