"""`tallow live`: a feed into a store and a live engine, shown as it goes, and a report."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from tallow.core.errors import OutputError, TallowWarning, TimeframeError
from tallow.core.given import file_path, require_new_file
from tallow.core.text import without_secrets
from tallow.core.timeframe import parse_timeframe
from tallow.data.feeds.open import open_session_feed
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.options import READ_KEYWORDS, TIMEFRAME
from tallow.data.store.store import open_store
from tallow.data.universe import Universe
from tallow.data.universe_files import read_if_file
from tallow.engine import AnalyticsEngine
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.updates import LiveUpdate
from tallow.runtime.results import failure_text
from tallow.serve.console import check_json_file, make_console, progress_bar, put_json
from tallow.serve.live_report import VERB, SessionReport, show_session
from tallow.serve.live_view import DAY, LiveView, line
from tallow.serve.run import compile_kernels
from tallow.serve.verbs import (
    ENGINE,
    EXIT_INCOMPLETE,
    is_dirty,
    take_interrupts_back,
    take_options,
    when_cancelled,
)
from tallow.serve.wording import in_options, report_in_options, say, venue_words

CANCELLED = "cancelled; what was acknowledged to the feed is in {}"
SCREEN_SECONDS = 0.5
"""How often the screen is drawn."""

PLAIN_SECONDS = 5.0
"""How often a line is printed where there is no screen."""

OnStep = Callable[[list[LiveUpdate]], None]


FEED = (*READ_KEYWORDS, "subscribe", "speed")
"""Options that are arguments of `open_feed`, if they are given."""


def run_live(
    *,
    store: str,
    feed: str,
    instruments: list[str] | None,
    source_timeframe: str,
    timeframe: list[str],
    state: Path | None,
    plain: bool,
    strict: bool,
    json: bool,
    json_file: Path | None,
    quiet: bool,
    output_zone: str | None,
    **options: Any,
) -> int:
    """Run the session to its end, report, and return the exit code.

    `options` are arguments of `open_feed` and of `LiveEngine`; None, or no flag, is one that is not
    given. `TallowError` on wrong options, and if what had come cannot be written;
    `KeyboardInterrupt` on Ctrl-C before the session began, and on a second one.
    """
    take_interrupts_back()
    require_output_zone(output_zone)
    check_json_file(json_file)
    require_minutes(source_timeframe)
    is_quiet = json or quiet
    sizes = list(dict.fromkeys(parse_timeframe(text).text for text in timeframe))
    given = {name: each for name, each in options.items() if each is not None and each is not False}
    # Errors come before seconds of compiling, and before a store is made.
    feed_options, state = take_options(given, FEED), checked_state(state)
    members = checked_universe(given.pop("universe", None), store)
    calendars = LiveEngine([*sizes, DAY], **given).calendars
    compile_session(given, shown=not is_quiet)
    names = (without_secrets(feed), without_secrets(store))
    is_replay, began = feed.startswith("replay:"), time.perf_counter()
    with (
        when_cancelled(CANCELLED.format(names[1])),
        open_session_feed(feed, feed_options, calendars) as source,
        open_store(store, create=True) as kept,
    ):
        kept.require_writable()
        engine_options = given | {"store": kept, "universe": members}
        engine = session_engine(state, instruments, [*dict.fromkeys([*sizes, DAY])], engine_options)
        session = LiveSession(engine, source, store=kept, state=state, instruments=instruments)
        if session.resumption:
            say(in_options(session.resumption, VERB), err=True)
        view = LiveView(
            engine,
            sizes[0],
            feed=names[0],
            store=names[1],
            instruments=instruments,
            is_replay=is_replay,
            output_zone=output_zone,
        )
        with asked_to_stop() as stop, _shown(session, view, plain, is_quiet) as on_step:
            statistics = session.run(stop, on_step)
        failures, bars = engine.failures, engine.latest(sizes[0])
        left_out = engine.universe_report and engine.universe_report.among(instruments)
    seconds = time.perf_counter() - began
    venue, example = venue_words(given), str(bars["instrument"][0]) if len(bars) else None
    ignored = source.ignored_columns if isinstance(source, ReplayFeed) else ()
    report = SessionReport(
        *names, statistics, failures, sizes, seconds, calendars, venue, example, ignored, left_out
    )
    put_json(report_in_options(report.to_dict(), VERB), json, json_file)
    if not is_quiet:
        show_session(make_console(), report, output_zone)
    return _exit_code(report, strict, is_replay)


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; a second signal ends the session at once."""
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


# What the session is made of


def require_minutes(source_timeframe: str) -> None:
    """Raise `TimeframeError` for candles that live does not take."""
    if parse_timeframe(source_timeframe).text != TIMEFRAME:
        raise TimeframeError(
            f"live: source_timeframe={source_timeframe}; live takes candles of one minute, and "
            "ticks; for longer candles: tallow ingest, then tallow query"
        )


def checked_state(state: Path | None) -> Path | None:
    """Return the state's file; `OutputError` if this user can make none there."""
    if state is None:
        return None
    path = file_path("state", state, OutputError)
    require_new_file("state", path, OutputError)
    return path


def checked_universe(universe: str | None, store: str) -> Universe | str | None:
    """Return a file's universe, or a name that the store knows; `TallowError` for any other."""
    found: Universe | str | None = read_if_file(universe)
    if isinstance(found, str):
        with open_store(store) as opened:
            opened.universes.read(found)
    return found


def compile_session(options: Mapping[str, Any], shown: bool) -> None:
    """Compile what a session needs, where this version has never run on this machine."""
    engine = AnalyticsEngine(**take_options(dict(options), ENGINE))
    compile_kernels(engine, options["indicators"], shown)


def session_engine(
    state: Path | None,
    instruments: Sequence[str] | None,
    sizes: Sequence[str],
    options: Mapping[str, Any],
    verb: str = VERB,
) -> LiveEngine:
    """Return the engine as the state's file has it, or with the past that is in the store."""
    console = make_console(stderr=True)
    if state is not None and state.exists():
        with (
            progress_bar(console, f"Resuming {state.name}", "instruments") as move,
            warnings.catch_warnings(record=True) as caught,
        ):
            if move is not None:
                move(0, 0)
            warnings.simplefilter("always", TallowWarning)
            engine = LiveEngine.load(state, sizes, **options)
        for each in caught:
            say(f"Warning: {in_options(str(each.message), verb)}", err=True)
        return engine
    engine = LiveEngine(sizes, **options)
    if options.get("store") is None:
        return engine
    with progress_bar(console, "Catching up", "instruments") as move:
        names = instruments or sorted(options["store"].changed_since(0))
        if engine.members is not None:
            names = [name for name in names if name in engine.members]
        for done, name in enumerate(names, start=1):
            engine.numbers([name])
            if move is not None:
                move(done, len(names))
    return engine


# While it runs


def _shown(
    session: LiveSession, view: LiveView, plain: bool, quiet: bool
) -> AbstractContextManager[OnStep]:
    """Give a function that is called after each step: it draws the screen, or prints a line."""
    console = make_console()
    if quiet:
        return nullcontext(lambda _updates: None)
    if plain or not console.is_terminal or console.is_dumb_terminal:
        return nullcontext(_now_and_then(PLAIN_SECONDS, lambda: _print_line(session, view)))
    return _screen(console, session, view)


def _print_line(session: LiveSession, view: LiveView) -> None:
    say(line(session.statistics, view.zone))


@contextmanager
def _screen(console: Console, session: LiveSession, view: LiveView) -> Iterator[OnStep]:
    first = view.render(session.statistics, console)
    with Live(first, console=console, screen=True, auto_refresh=False) as screen:

        def draw() -> None:
            screen.update(view.render(session.statistics, console), refresh=True)

        yield _now_and_then(SCREEN_SECONDS, draw)


def _now_and_then(seconds: float, act: Callable[[], None]) -> OnStep:
    last = time.monotonic()

    def on_step(_updates: list[LiveUpdate]) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            act()
            last = time.monotonic()

    return on_step


def _exit_code(report: SessionReport, strict: bool, is_replay: bool) -> int:
    """Say on stderr why not everything is well: the table may be hidden, or far above."""
    if is_replay and not report.statistics.rows_in:
        say("no candles: the replay gave no row, as the answer of a holiday", err=True)
    if report.statistics.hint:
        say(f"hint: {in_options(report.statistics.hint, VERB)}", err=True)
    for sentence in report.universe.sentences() if report.universe else ():
        say(sentence, err=True)
    if report.failures:
        say(f"failed: {in_options(failure_text(report.failures), VERB)}", err=True)
    rows = report.statistics.quarantined
    return EXIT_INCOMPLETE if is_dirty(rows, strict) or report.failures else 0
