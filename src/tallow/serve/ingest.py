"""`tallow ingest`: files into a store, a report of where every row went, and what to do next."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from tallow.core.errors import ParameterError
from tallow.core.text import counted, first_of, without_secrets
from tallow.data.ingest.documents import FileReport, IngestReport, find_documents, ingest
from tallow.data.store.store import Store, open_store
from tallow.serve.console import (
    BAD,
    WARN,
    check_json_file,
    colour,
    compact,
    make_console,
    make_counts,
    make_table,
    next_text,
    number,
    progress_bar,
    put_json,
)
from tallow.serve.report import ignored_row, show_failures, show_more, show_quarantine
from tallow.serve.verbs import EXIT_INCOMPLETE, is_dirty, take_interrupts_back
from tallow.serve.wording import in_options, report_in_options, say, spelling, venue_words

VERB = "ingest"
COUNTS = ("rows_in", "new", "identical", "revised", "quarantined", "settled")
NOTES_SHOWN = 3
FILES_SHOWN = 20
"""Files that the report lists; `--json` has them all."""


def ingest_files(
    *,
    inputs: list[str],
    store: str,
    unfiltered: list[str] | None,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Ingest, report, and return the exit code.

    `options` are arguments of `ingest`. `TallowError` on wrong options and inputs, and where
    nothing can be read; `KeyboardInterrupt` on Ctrl-C, with the sentence that says what became of
    the files.
    """
    take_interrupts_back()
    _require_all_rows(unfiltered)
    check_json_file(json_file)
    # Before the store: a misspelt name shall not make one.
    find_documents(inputs)
    began, place = time.perf_counter(), without_secrets(store)
    report = _ingest(inputs, store, options, shown=not quiet)
    seconds = time.perf_counter() - began
    more = {"store": place, "seconds": round(seconds, 3)}
    put_json(report_in_options(_as_dict(report) | more, VERB), json, json_file)
    if not (json or quiet):
        following = _next(report, f"--store {shlex.quote(place)}", venue_words(options))
        _show(make_console(), report, place, seconds, following)
    return _exit_code(report, strict)


def _require_all_rows(instruments: list[str] | None) -> None:
    if instruments:
        raise ParameterError(
            f"ingest: {spelling(VERB, 'unfiltered')} {instruments[0]!r}; is a filter, and all rows "
            "are ingested; to name the instrument of files that do not, give --instrument-key"
        )


def _ingest(inputs: list[str], place: str, options: Mapping[str, Any], shown: bool) -> IngestReport:
    bar = progress_bar(make_console(stderr=True), VERB, "files", shown)
    with open_store(place, create=True) as store, bar as move:
        try:
            return ingest(store, inputs, progress=move, **options)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_what_is_in(store, inputs, place)) from None


def _what_is_in(store: Store, inputs: list[str], place: str) -> str:
    """Say which files are in the store, by its ledger: one may have been written just now."""
    written, paths = set(store.ledger.entries()["source"]), find_documents(inputs)
    inside = [str(path) for path in paths if str(path.absolute()) in written]
    last = f" and stay there, the last of them {inside[-1]}" if inside else ""
    count = f"{len(inside):,} of {counted(len(paths), 'file')}"
    return (
        f"cancelled; {count} are in {without_secrets(place)}{last}; the same command does the rest"
    )


def _as_dict(report: IngestReport) -> dict[str, Any]:
    times = ("first", "last")
    files = [
        asdict(file) | {name: value.isoformat() for name in times if (value := getattr(file, name))}
        for file in report.files
    ]
    totals = {name: report.total(name) for name in COUNTS}
    rest = {"by_rule": report.by_rule, "hint": report.hint, "failures": report.failures}
    return totals | rest | {"files": files}


def _show(
    console: Console, report: IngestReport, store: str, seconds: float, following: Text
) -> None:
    console.print(_counts(report, store, seconds))
    if len(report.files) > 1:
        console.print()
        console.print(_files(report.files))
        show_more(console, len(report.files) - FILES_SHOWN)
    notes = list(dict.fromkeys(each for file in report.files for each in file.notes))
    if notes:
        shown = "\n".join(map(escape, notes[:NOTES_SHOWN]))
        console.print(f"\n[bold]Not said, but known[/]\n{shown}")
        show_more(console, len(notes) - NOTES_SHOWN)
    if report.by_rule:
        show_quarantine(console, report.by_rule, report.quarantine, VERB)
    if report.failures:
        show_failures(console, report.failures, "file", VERB)
    # Not wrapped: a command is copied whole.
    console.print(following, soft_wrap=True)


def _counts(report: IngestReport, store: str, seconds: float) -> Table:
    total = {name: report.total(name) for name in COUNTS}
    only = (
        report.files[0].source
        if len(report.files) == 1
        else f"{counted(len(report.files), 'file')}"
    )
    rate = f"{compact(total['rows_in'] / seconds)} rows/s" if seconds else ""
    rows = [
        (f"{total['rows_in']:,}", "rows in", only),
        (f"{total['new']:,}", "new", f"in {store}"),
        (f"{total['identical']:,}", "identical", "said again what is there, or another row"),
        (
            f"{total['revised']:,}",
            "revised",
            "corrections; tallow query --known-at sees the others",
        ),
        (
            colour(total["quarantined"], WARN),
            "quarantined",
            "see below" if total["quarantined"] else "",
        ),
    ]
    if total["settled"]:
        rows.append((f"{total['settled']:,}", "settled", "rows that were quarantined before"))
    if report.failures:
        rows.append((colour(len(report.failures), BAD), "failures", "files, see below"))
    rows += ignored_row(report.ignored_columns)
    rows.append((f"{seconds:.2f} s", "time", rate))
    return make_counts(rows)


def _files(files: Sequence[FileReport]) -> Table:
    counts = [number(name.replace("_", " ")) for name in COUNTS[:-1]]
    table = make_table(Column("file", overflow="fold"), "format", "series", *counts)
    for file in files[:FILES_SHOWN]:
        cells = [f"{getattr(file, name):,}" for name in COUNTS[:-1]]
        table.add_row(
            escape(file.source), file.format, f"{file.timeframe} {file.adjustment}", *cells
        )
    return table


def _next(report: IngestReport, where: str, venue: str) -> Text:
    """Return commands that answer with something that has just come in."""
    file = next((file for file in report.files if file.instrument is not None), None)
    commands = [f"tallow query {where}{venue}", f"tallow store coverage {where}{venue}"]
    if file is not None:
        asked, size = f"{shlex.quote(str(file.instrument))} {where}", file.timeframe
        more = f" --adjustment {file.adjustment}{venue}" if file.adjustment != "raw" else venue
        if size == "1m":
            commands[0] = f"tallow query {asked} -t 5m{more}"
            commands[1] = f"tallow store coverage {where}{more}"
        else:
            commands[0] = f"tallow query {asked} -t {size} --source-timeframe {size}{more}"
            commands[1] = f"tallow store coverage {where} --source-timeframe {size}{more}"
    if report.by_rule:
        commands.append(f"tallow store quarantine {where} --export repair.csv")
    return next_text(commands)


def _exit_code(report: IngestReport, strict: bool) -> int:
    """Say on stderr why not everything is in the store: the table may be hidden, or far above."""
    empty = [file.source for file in report.files if not file.rows_in]
    if empty:
        say(f"no candles: {first_of(empty)} holds no row, as the answer of a holiday", err=True)
    if report.hint:
        say(f"hint: {in_options(report.hint, VERB)}", err=True)
    if report.failures:
        reasons = [in_options(why, VERB) for why in report.failures.values()]
        say(f"failed: {first_of(reasons)}", err=True)
    quarantined = report.total("quarantined")
    refused = [file for file in report.files if file.rows_in and file.quarantined == file.rows_in]
    if refused:
        rules = ", ".join(refused[0].by_rule)
        sources = first_of([file.source for file in refused])
        say(f"refused: {sources}: every row was quarantined: {rules}", err=True)
    return EXIT_INCOMPLETE if is_dirty(quarantined, strict) or report.failures or refused else 0
