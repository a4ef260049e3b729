"""`tallow explain`: where one value of a store's bar, or of files', comes from."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tallow.data.output_zone import UTC, require_output_zone
from tallow.data.store.store import open_store
from tallow.engine import AnalyticsEngine
from tallow.explain.explanation import Explanation
from tallow.serve.console import check_json_file, make_console, put_json
from tallow.serve.explain_report import show_explanation
from tallow.serve.file_or_store import candles_of_files, require_store
from tallow.serve.verbs import (
    ENGINE,
    EXIT_INCOMPLETE,
    is_dirty,
    take_interrupts_back,
    take_options,
)
from tallow.serve.wording import in_options

VERB = "explain"


def explain_to_screen(
    *,
    inputs: list[str] | None,
    store: str | None,
    output_zone: str | None,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    **question: Any,
) -> int:
    """Ask, show the explanation, and return the exit code.

    `question` are arguments of `AnalyticsEngine`, of `read_candles` and of the engine's `explain`.
    `TallowError` on wrong options and inputs.
    """
    take_interrupts_back()
    require_output_zone(output_zone)
    check_json_file(json_file)
    engine_options, quarantined = take_options(question, ENGINE), 0
    with ExitStack() as stack:
        engine = AnalyticsEngine(**engine_options)
        given: dict[str, Any] = {}
        if inputs:
            given, quarantined = candles_of_files(engine, inputs, store, question, VERB)
        else:
            where = require_store(store, VERB, "column")
            kept = stack.enter_context(open_store(where))
            engine = AnalyticsEngine(store=kept, **engine_options)
        found = engine.explain(**{**question, **given})
    put_json(_as_json(found.in_zone(output_zone or UTC)), json, json_file)
    if not (json or quiet):
        show_explanation(make_console(), found.in_zone(output_zone or found.session.timezone))
    dirty = is_dirty(quarantined, strict)
    return EXIT_INCOMPLETE if dirty or found.bar is None else 0


def _as_json(found: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON has it, its sentences in the words of options."""
    written = found.to_dict()
    written["notes"] = [in_options(note, VERB) for note in found.notes]
    written["why_null"] = in_options(found.why_null, VERB)
    return written
