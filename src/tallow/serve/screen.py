"""`tallow screen`: a condition asked of all instruments of a store, or of files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import ParameterError, ScreenError, excerpt
from tallow.core.timeframe import parse_timeframe
from tallow.data.output_zone import in_zone, require_output_zone
from tallow.data.store.store import open_store
from tallow.data.writers import FRAME_ENDINGS, check_output, write_frame
from tallow.engine import AnalyticsEngine
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.saved_state import asked_of
from tallow.screens.answers import ScreenResult, SweepResult
from tallow.screens.files import SavedScreen
from tallow.screens.nodes import CONDITION, NUMBER
from tallow.screens.parser import parse_screen
from tallow.screens.sweeps import find_range, read_sweep
from tallow.serve.console import check_json_file, make_console, put_json
from tallow.serve.file_or_store import (
    SCREENS,
    candles_of_files,
    keys_of_store,
    require_store,
    saved_screens,
)
from tallow.serve.screen_report import (
    answer_json,
    list_json,
    show_list,
    show_matches,
    show_sweep,
    show_written,
)
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

VERB = "screen"
"""The file of saved screens where none is named."""

TIMEFRAME = "15m"
Answer = ScreenResult | SweepResult


def screen_market(
    *,
    condition: str | None,
    inputs: list[str] | None,
    store: str | None,
    live: Path | None,
    timeframe: list[str] | None,
    columns: list[str] | None,
    screens: Path | None,
    list_: bool,
    output: Path | None,
    output_zone: str | None,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    **question: Any,
) -> int:
    """Ask, show the answer, and return the exit code.

    `question` are arguments of `AnalyticsEngine`, of `read_candles` and of the engine's `screen`.
    `TallowError` on wrong texts, options and inputs.
    """
    take_interrupts_back()
    saved = saved_screens(screens, shown=not quiet)
    if list_:
        _list(saved, json, json_file, quiet)
        return 0
    require_output_zone(output_zone)
    check_json_file(json_file)
    if output is not None:
        check_output(output, FRAME_ENDINGS)
    asked = _asked(condition, saved, _only(timeframe), _columns(columns), question)
    engine_options = take_options(question, ENGINE)
    with ExitStack() as stack, when_cancelled(NOTHING_WRITTEN):
        asked |= {"saved": {name: each.condition for name, each in saved.items()}}
        quarantined, symbols = 0, None
        engine = AnalyticsEngine(**engine_options)
        if live is not None:
            _require_present(live, inputs, store, question, asked["condition"])
            running = _live_engine(live, engine_options)
            answer: Answer = running.screen(**asked, instruments=question["instruments"])
        elif inputs:
            given, quarantined = candles_of_files(engine, inputs, store, question, VERB)
            symbols = given["candles"].symbols
            answer = _answer(engine, {**question, **given, **asked})
        else:
            kept = stack.enter_context(open_store(require_store(store, VERB, "condition")))
            engine = AnalyticsEngine(store=kept, **engine_options)
            given, symbols = keys_of_store(kept, question), kept.symbols()
            answer = _answer(engine, {**question, **given, **asked})
        zone = output_zone or engine.calendars.calendars[0].timezone
        named = _named(answer, symbols)
        if output is not None:
            write_frame(output, _for_file(in_zone(named.frame, output_zone), output))
    what = {"condition": asked["condition"], "timeframe": asked["timeframe"]}
    put_json(what | answer_json(named, output_zone, VERB), json, json_file)
    if output is not None and not (json or quiet):
        show_written(make_console(), named, output, output_zone)
    elif not (json or quiet):
        _show(named.in_zone(zone), asked["timeframe"], zone)
    return _exit_code(answer, quarantined + answer.quarantined, strict)


def _answer(engine: AnalyticsEngine, question: dict[str, Any]) -> Answer:
    """Ask an engine: a sweep where the condition has a range, else a screen."""
    if find_range(question["condition"]) is None:
        return engine.screen(**question)
    for name in ("columns", "sort", "ascending"):
        if question.pop(name):
            raise ParameterError(
                f"screen: {name}=; a sweep counts, and has no columns and no order; leave it out, "
                "or write one number for the range"
            )
    return engine.sweep(**question)


def _exit_code(answer: Answer, quarantined: int, strict: bool) -> int:
    """Say on stderr why an answer is none, or incomplete."""
    if answer.why_empty:
        say(in_options(answer.why_empty, VERB), err=True)
    return EXIT_INCOMPLETE if is_dirty(quarantined, strict) or answer.why_empty else 0


# What is asked


def _only(timeframes: Sequence[str] | None) -> str | None:
    if timeframes and len(timeframes) > 1:
        raise ParameterError(
            f"screen: --timeframe {' and '.join(timeframes)}; bars of one are judged; give "
            "one, and write the others in the condition: rsi(14)@1h"
        )
    return timeframes[0] if timeframes else None


def _columns(texts: Sequence[str] | None) -> dict[str, str]:
    """Return the texts of columns by their names: ``strength=rsi(14)``, or the text itself."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, is_named, number = text.partition("=")
        named = bool(is_named) and name.strip().isidentifier()
        key, value = (name.strip(), number) if named else (text, text)
        if key in found:
            raise ParameterError(f"screen: --column {key}; is there twice; name it otherwise")
        found[key] = value
    return found


def _asked(
    condition: str | None,
    saved: Mapping[str, SavedScreen],
    timeframe: str | None,
    columns: dict[str, str],
    question: dict[str, Any],
) -> dict[str, Any]:
    """Return what is asked: what is given, else what a saved screen of this name says."""
    if condition is None:
        raise ScreenError(
            'screen: no condition; write one, such as "close > ema(20)", or the name of a saved '
            "screen; tallow screen --list has them"
        )
    own = saved.get(condition.strip(), SavedScreen("", condition))
    if own.name:
        _read_saved(own, saved, question["convention"])
    sort, ascending = question.pop("sort"), question.pop("ascending")
    return {
        "condition": own.condition,
        "timeframe": parse_timeframe(timeframe or own.timeframe or TIMEFRAME).text,
        "columns": columns or dict(own.columns),
        "sort": own.sort if sort is None else sort,
        "ascending": ascending or (sort is None and own.ascending),
        "universe": question.pop("universe") or own.universe,
    }


def _read_saved(own: SavedScreen, saved: Mapping[str, SavedScreen], convention: str) -> None:
    """Read the texts of a saved screen: what is wrong in one is told with the screen's name."""
    texts = {name: each.condition for name, each in saved.items()}
    read = partial(parse_screen, saved=texts, convention=convention)
    condition = own.condition
    if find_range(condition) is not None:
        _, condition = next(read_sweep(condition).combinations())
    read(condition, kind=CONDITION, what=f"screen {own.name}")
    for name, text in own.columns.items():
        read(text, kind=NUMBER, what=f"screen {own.name}: columns: {excerpt(name)}")
    if own.sort is not None:
        read(own.sort, kind=NUMBER, what=f"screen {own.name}: sort")


def _list(
    saved: Mapping[str, SavedScreen], json: bool, json_file: Path | None, quiet: bool
) -> None:
    check_json_file(json_file)
    put_json(list_json(saved.values()), json, json_file)
    if not (json or quiet):
        show_list(make_console(), saved.values(), SCREENS)


# Of whom


def _require_present(
    live: Path, inputs: list[str] | None, store: str | None, question: Any, condition: str
) -> None:
    """Raise `ParameterError` where something is asked beside a live engine that it cannot say."""
    if inputs or (store is not None and store != os.environ.get("TALLOW_STORE")):
        other = inputs[0] if inputs else f"--store {store}"
        raise ParameterError(
            f"screen: --live {live}, {other}; candles are of one of them; leave out the other"
        )
    for name in ("at", "known_at", "start", "end"):
        if question[name] is not None:
            raise ParameterError(
                f"screen: {name}={question[name]}; a live engine knows the present alone; leave it "
                "out, or ask a store"
            )
    if find_range(condition) is not None:
        raise ParameterError("screen: a sweep, of a live engine; ask a store, or files, for it")


def _live_engine(path: Path, options: Mapping[str, Any]) -> LiveEngine:
    """Return the live engine of a saved state, as it was."""
    asked = asked_of(path)
    given = {name: value for name, value in options.items() if name not in ("threads", *asked)}
    return LiveEngine.load(path, **asked, **given)


# What is answered


def _named(answer: Answer, symbols: pl.DataFrame | None) -> Answer:
    """Return a screen's answer with the symbols of instruments, where some are known."""
    if isinstance(answer, SweepResult) or symbols is None or not len(symbols):
        return answer
    own = symbols.group_by("instrument").agg(pl.col("symbol").sort().last())
    taken = "symbol" in answer.frame.columns or not len(own)
    if taken:
        return answer
    rows = answer.frame.join(own, on="instrument", how="left", maintain_order="left")
    order = ["instrument", "symbol", *answer.frame.columns[1:]]
    return replace(answer, frame=rows.select(order))


def _for_file(frame: pl.DataFrame, file: Path) -> pl.DataFrame:
    """Return rows as a file takes them: a table of text has lists as words."""
    if file.suffix.lower() != ".csv" or "instruments" not in frame.columns:
        return frame
    return frame.with_columns(pl.col("instruments").list.join(" "))


def _show(answer: Answer, size: str, zone: str) -> None:
    if isinstance(answer, SweepResult):
        show_sweep(make_console(), answer, size, zone)
    else:
        show_matches(make_console(), answer, size, zone)
