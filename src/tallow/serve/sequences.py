"""`tallow sequences`: sequences of moves of a store's instruments, or of files'."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tallow.analysis.sequence_result import SequenceResult
from tallow.core.errors import ParameterError, excerpt, near_matches
from tallow.core.timeframe import parse_timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.files import DOCUMENT_ENDINGS, ENDINGS
from tallow.data.store.store import open_store
from tallow.data.writers import FRAME_ENDINGS, check_output, write_frame
from tallow.engine import AnalyticsEngine
from tallow.serve.console import check_json_file, make_console, put_json
from tallow.serve.file_or_store import candles_of_files, keys_of_store, require_store
from tallow.serve.sequence_report import answer_json, show_instrument, show_market, show_written
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

VERB = "sequences"
TABLES = ("patterns", "pooled", "scores", "sequences")


def find_sequences(
    *,
    instrument: str | None,
    inputs: list[str] | None,
    store: str | None,
    instruments: list[str] | None,
    table: str,
    output: Path | None,
    output_zone: str | None,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    **question: Any,
) -> int:
    """Ask, show the answer, and return the exit code.

    `question` are arguments of `AnalyticsEngine`, of `read_candles` and of the engine's
    `sequences`. `TallowError` on wrong options and inputs.
    """
    take_interrupts_back()
    require_output_zone(output_zone)
    check_json_file(json_file)
    if table not in TABLES:
        raise ParameterError(f"{VERB}: table={excerpt(table)}; {near_matches(table, TABLES)}")
    if output is not None:
        check_output(output, FRAME_ENDINGS)
    who, files = _who(instrument, inputs or [], instruments or [])
    size = parse_timeframe(question["timeframe"]).text
    engine_options, quarantined = take_options(question, ENGINE), 0
    question["instruments"] = who or None
    with ExitStack() as stack, when_cancelled(NOTHING_WRITTEN):
        engine = AnalyticsEngine(**engine_options)
        if files:
            given, quarantined = candles_of_files(engine, files, store, question, VERB)
        else:
            where = require_store(store, VERB, "instrument")
            kept = stack.enter_context(open_store(where))
            engine = AnalyticsEngine(store=kept, **engine_options)
            given = keys_of_store(kept, question)
        found = engine.sequences(**{**question, **given})
        if output is not None:
            write_frame(output, getattr(found.in_zone(output_zone), table))
    asked = {"timeframe": size, "moves": question["moves"], "split": question["split"]}
    put_json(asked | answer_json(found, output_zone, VERB, whole=bool(who)), json, json_file)
    if not (json or quiet):
        zone = output_zone or engine.calendars.calendars[0].timezone
        _show(found.in_zone(zone), size, zone, who, output, table)
    if found.why_empty:
        say(in_options(found.why_empty, VERB), err=True)
    dirty = is_dirty(quarantined + found.quarantined, strict)
    return EXIT_INCOMPLETE if dirty or found.why_empty else 0


def _who(
    instrument: str | None, inputs: list[str], instruments: list[str]
) -> tuple[list[str], list[str]]:
    """Return of whom is asked, and the files: the first word may be one."""
    if instrument is None:
        return instruments, inputs
    if _is_file(instrument):
        return instruments, [instrument, *inputs]
    return [instrument, *instruments], inputs


def _is_file(word: str) -> bool:
    return word.lower().endswith((*ENDINGS, *DOCUMENT_ENDINGS)) or Path(word).exists()


def _show(
    found: SequenceResult, size: str, zone: str, who: list[str], output: Path | None, table: str
) -> None:
    console = make_console()
    if output is not None:
        show_written(console, found, output, table)
    elif len(found.scores) and who:
        show_instrument(console, found, size, zone)
    elif len(found.scores):
        show_market(console, found, size, zone)
