"""What verbs share that ask of files or of a store: which it is, whose candles, saved screens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tallow.core.errors import ParameterError
from tallow.core.text import counted
from tallow.data.reading.candles import Candles
from tallow.data.reading.options import READ_KEYWORDS
from tallow.data.reading.readers import read_candles
from tallow.engine import AnalyticsEngine
from tallow.runtime.batch import Counts
from tallow.runtime.results import raise_if_all_refused
from tallow.screens.files import SavedScreen, read_screens
from tallow.serve.verbs import take_options
from tallow.serve.wording import say

SCREENS = Path("screens.toml")


def saved_screens(file: Path | None, *, shown: bool) -> dict[str, SavedScreen]:
    """Return the screens of a file, or of the usual one where it is there, which is said."""
    if file is not None:
        return read_screens(file)
    if not SCREENS.exists():
        return {}
    found = read_screens(SCREENS)
    if shown:
        say(f"saved screens of {SCREENS}: {', '.join(found) or 'none'}", err=True)
    return found


def require_store(store: str | None, verb: str, behind: str) -> str:
    """Return the store; `ParameterError` where there is none."""
    if store is None:
        raise ParameterError(
            f"{verb}: no candles; name files behind the {behind}, or a store with --store STORE "
            "or in the environment variable TALLOW_STORE"
        )
    return store


def require_files_alone(
    inputs: list[str], store: str | None, question: dict[str, Any], verb: str
) -> None:
    """Raise `ParameterError` where files are asked beside a store, or of what one would adjust."""
    if store is not None and store != os.environ.get("TALLOW_STORE"):
        raise ParameterError(
            f"{verb}: {inputs[0]}, --store {store}; candles are of files or of a store; leave out "
            "one of them"
        )
    if question["adjustment"] != "raw":
        raise ParameterError(
            f"{verb}: adjustment={question['adjustment']}; the prices of files are taken as they "
            "are; leave it out, or ask a store"
        )


def read_files(
    engine: AnalyticsEngine, inputs: list[str], question: dict[str, Any], quarantined: str
) -> Candles:
    """Return the candles of files; say in these words how many rows are none."""
    options = take_options(question, ("source_timeframe", *READ_KEYWORDS))
    read = read_candles(inputs, calendar=engine.calendars, **options)
    raise_if_all_refused(read.report, Counts(), read.quarantine)
    if read.report.quarantined:
        say(f"{quarantined}: {counted(read.report.quarantined, 'row')}", err=True)
    return read


def candles_of_files(
    engine: AnalyticsEngine,
    inputs: list[str],
    store: str | None,
    question: dict[str, Any],
    verb: str,
) -> tuple[dict[str, Any], int]:
    """Return the candles of files as what is asked, and how many rows are quarantined."""
    require_files_alone(inputs, store, question, verb)
    read = read_files(engine, inputs, question, "quarantined, and not judged")
    return {"candles": read}, read.report.quarantined


def keys_of_store(kept: Any, question: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of the instruments of a store, also of those that are named by symbol."""
    if question["instruments"] is None:
        return {}
    keys = kept.find_keys(question["instruments"])
    for note in keys.notes:
        say(note, err=True)
    return {"instruments": list(keys.names)}
