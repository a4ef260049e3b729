"""`tallow live`: a feed into a store and a live engine, shown as it goes, and a report."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, TallowWarning
from tallow.core.text import without_secrets
from tallow.core.timeframe import parse_timeframe
from tallow.data.feeds.feed import Feed
from tallow.data.feeds.open import REDIS, open_feed
from tallow.data.store.store import Store, open_store
from tallow.engine import AnalyticsEngine
from tallow.runtime.live.engine import LiveEngine
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.updates import LiveUpdate
from tallow.runtime.results import failure_text
from tallow.serve.again import venue_words
from tallow.serve.console import make_console, print_json, progress_bar
from tallow.serve.live_report import VERB, Ended, show_ended
from tallow.serve.live_view import DAY, LiveView, line
from tallow.serve.run import compile_kernels
from tallow.serve.saying import say
from tallow.serve.verbs import EXIT_INCOMPLETE, take_interrupts_back
from tallow.serve.wording import in_options, report_in_options

REPLAY_SPEED = 60.0
SCREEN_SECONDS = 0.5
"""How often the screen is drawn."""

PLAIN_SECONDS = 5.0
"""How often a line is printed where there is no screen."""

OnStep = Callable[[list[LiveUpdate]], None]


@dataclass(frozen=True)
class LiveRequest:
    """What the command line asked for.

    Attributes
    ----------
    engine
        Keyword arguments of `LiveEngine`, but for timeframes and store.
    feed_options
        Those of `open_feed` that were given; None stands for not given.
    """

    store: str
    feed: str
    feed_options: Mapping[str, Any]
    instruments: Sequence[str] | None
    timeframes: Sequence[str]
    engine: Mapping[str, Any]
    state: Path | None = None
    plain: bool = False
    strict: bool = False
    json: bool = False


def run_live(request: LiveRequest) -> int:
    """Run the session to its end, report, and return the exit code.

    Raises
    ------
    TallowError
        On wrong options, and if what had come cannot be written.
    KeyboardInterrupt
        On Ctrl-C before the session began, and on a second one.
    """
    take_interrupts_back()
    sizes = list(dict.fromkeys(parse_timeframe(text).text for text in request.timeframes))
    # What is wrong is told before seconds of compiling, and before a store is made.
    calendars = LiveEngine([*sizes, DAY], **request.engine).calendars
    _compile(request)
    began = time.perf_counter()
    try:
        with (
            _feed(request, calendars) as feed,
            open_store(request.store, create=True) as store,
        ):
            engine = _engine(request, [*dict.fromkeys([*sizes, DAY])], store)
            session = LiveSession(
                engine,
                feed,
                store=store,
                state=request.state,
                instruments=request.instruments,
            )
            if session.resumption:
                say(in_options(session.resumption, VERB), err=True)
            view = _view(request, engine, sizes[0])
            with asked_to_stop() as stop, _shown(request, session, view) as on_step:
                statistics = session.run(stop, on_step)
            failures, bars = engine.failures, engine.latest(sizes[0])
    except KeyboardInterrupt:
        place = without_secrets(request.store)
        raise KeyboardInterrupt(
            f"cancelled; what was acknowledged to the feed is in {place}"
        ) from None
    seconds = time.perf_counter() - began
    places = (without_secrets(request.feed), without_secrets(request.store))
    example = str(bars["instrument"][0]) if len(bars) else None
    venue = venue_words(request.engine)
    ended = Ended(*places, statistics, failures, sizes, seconds, calendars, venue, example)
    if request.json:
        print_json(report_in_options(ended.to_dict(), VERB))
    else:
        show_ended(make_console(), ended)
    return _exit_code(request, ended)


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


def _compile(request: LiveRequest) -> None:
    names = ("calendar", "convention", "calendar_dates", "beyond_coverage")
    options = {name: request.engine[name] for name in names}
    indicators = request.engine["indicators"]
    compile_kernels(AnalyticsEngine(**options), indicators, shown=not request.json)


def _feed(request: LiveRequest, calendars: CalendarAssignment) -> Feed:
    options = {name: value for name, value in request.feed_options.items() if value is not None}
    scheme = request.feed.partition(":")[0]
    if scheme == "replay":
        speed = options.get("speed", REPLAY_SPEED)
        if speed < 0:
            raise ParameterError(f"live: speed={speed}; must be 0 or more; 0 does not wait")
        options["speed"] = speed or None
    elif scheme not in REDIS:
        options["calendar"] = calendars
    return open_feed(request.feed, **options)


def _engine(request: LiveRequest, sizes: Sequence[str], store: Store) -> LiveEngine:
    """Return the engine as the state's file has it, or with the past that is in the store."""
    options = dict(request.engine) | {"store": store}
    console = make_console(stderr=True)
    if request.state is not None and request.state.exists():
        with (
            progress_bar(console, f"Resuming {request.state.name}", "instruments") as move,
            warnings.catch_warnings(record=True) as told,
        ):
            if move is not None:
                move(0, 0)
            warnings.simplefilter("always", TallowWarning)
            engine = LiveEngine.load(request.state, sizes, **options)
        for each in told:
            say(f"Warning: {in_options(str(each.message), VERB)}", err=True)
        return engine
    engine = LiveEngine(sizes, **options)
    with progress_bar(console, "Catching up", "instruments") as move:
        names = request.instruments or sorted(store.changed_since(0))
        for done, name in enumerate(names, start=1):
            engine.numbers([name])
            if move is not None:
                move(done, len(names))
    return engine


def _view(request: LiveRequest, engine: LiveEngine, size: str) -> LiveView:
    return LiveView(
        engine,
        size,
        feed=without_secrets(request.feed),
        store=without_secrets(request.store),
        instruments=request.instruments,
        is_replay=request.feed.startswith("replay:"),
    )


# While it runs


def _shown(
    request: LiveRequest, session: LiveSession, view: LiveView
) -> AbstractContextManager[OnStep]:
    """Give a function that is called after each step: it draws the screen, or prints a line."""
    console = make_console()
    if request.json:
        return nullcontext(lambda _updates: None)
    if request.plain or not console.is_terminal or console.is_dumb_terminal:
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


def _exit_code(request: LiveRequest, ended: Ended) -> int:
    """Say on stderr why not everything is well: the table may be hidden, or far above."""
    if request.feed.startswith("replay:") and not ended.statistics.rows_in:
        say("no candles: the replay gave no row, as the answer of a holiday", err=True)
    if ended.statistics.hint:
        say(f"hint: {in_options(ended.statistics.hint, VERB)}", err=True)
    if ended.failures:
        say(f"failed: {in_options(failure_text(ended.failures), VERB)}", err=True)
    rows = ended.statistics.quarantined
    is_dirty = request.strict and rows > 0
    if is_dirty:
        say(f"quarantined: {rows:,} rows, and --strict is given", err=True)
    return EXIT_INCOMPLETE if ended.failures or is_dirty else 0
