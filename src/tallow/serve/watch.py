"""`tallow watch`: a feed or a store through a live engine and its rules, alerts as they fire."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tallow import alerts
from tallow.alerts import (
    Alert,
    AlertRule,
    AlertSink,
    LogSink,
    Watch,
    WatchStatistics,
    WebhookSink,
    indicators_of,
    read_rules,
)
from tallow.alerts.rules import timeframes_of
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import AlertError
from tallow.core.given import file_path, require_new_file
from tallow.core.text import counted
from tallow.data.feeds.idle import IdleFeed
from tallow.data.feeds.open import open_session_feed
from tallow.data.output_zone import require_output_zone
from tallow.data.store.location import STATE_FOLDER
from tallow.data.store.store import open_store
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.updates import LiveUpdate
from tallow.runtime.results import failure_text
from tallow.serve.file_or_store import saved_screens
from tallow.serve.live import (
    FEED,
    asked_to_stop,
    checked_state,
    compile_session,
    session_engine,
)
from tallow.serve.verbs import (
    EXIT_INCOMPLETE,
    take_interrupts_back,
    take_options,
    when_cancelled,
)
from tallow.serve.wording import in_options, say, say_json

VERB = "watch"
CANCELLED = "cancelled; alerts that were claimed are on record"
RECORD_FILE = "alerts.sqlite"


def run_watch(
    *,
    store: str | None,
    feed: str | None,
    instruments: list[str] | None,
    screens: Path | None,
    state: Path | None,
    log: Path | None,
    webhook: str | None,
    record: Path | None,
    output_zone: str | None,
    json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Watch to the feed's end, print alerts and counts, and return the exit code.

    `options` are `RULES`, and arguments of `open_feed` and of `LiveEngine`; None, or no flag, is
    one that is not given. `TallowError` on wrong options; `KeyboardInterrupt` on Ctrl-C before the
    watch began, and on a second one.
    """
    take_interrupts_back()
    require_output_zone(output_zone)
    if store is None and feed is None:
        raise AlertError("watch: no feed= and no store=; name what is watched")
    file = saved_screens(screens, shown=not (json or quiet))
    saved = {name: each.condition for name, each in file.items()}
    rules = _rules(saved, **take_options(options, RULES))
    sinks = _sinks(log, webhook)
    given = {name: each for name, each in options.items() if each is not None and each is not False}
    feed_options, state = take_options(given, FEED), checked_state(state)
    convention = given["convention"]
    given["indicators"] = indicators_of(rules, saved, convention)
    sizes = timeframes_of(rules, saved, convention)
    calendars = LiveEngine(sizes, **given).calendars
    compile_session(given, shown=not (json or quiet))
    show = _shown(ZoneInfo(output_zone or _usual_zone(calendars)), json, quiet)
    with ExitStack() as stack:
        stack.enter_context(when_cancelled(CANCELLED))
        source = stack.enter_context(
            IdleFeed() if feed is None else open_session_feed(feed, feed_options, calendars)
        )
        kept = None
        if store is not None:
            kept = stack.enter_context(open_store(store, create=feed is not None))
            if feed is not None:
                kept.require_writable()
        engine = session_engine(state, instruments, sizes, given | {"store": kept}, VERB)
        place = _record_place(record, state, store)
        watch = stack.enter_context(Watch(engine, rules, sinks, record=place, saved=saved))
        session = LiveSession(engine, source, store=kept, state=state, instruments=instruments)
        with asked_to_stop() as stop:
            session.run(stop, lambda updates: _tell(watch, updates, show))
        watch.close()
        failures = engine.failures
    return _report(watch.statistics, failures, json=json, quiet=quiet)


# What is asked


RULES = (
    *("timeframe", "threshold", "contracting", "strength", "release", "squeeze", "screen"),
    *("rules", "cooldown", "hourly_cap"),
)
"""Options that say what is a cause."""


def _rules(
    saved: Mapping[str, str],
    *,
    threshold: float | None,
    contracting: int | None,
    strength: float,
    release: bool,
    squeeze: str,
    screen: list[str] | None,
    rules: Path | None,
    **base: Any,
) -> list[AlertRule]:
    """Return the rules that are asked for; `base` is what those of options have in common."""
    found = []
    if threshold is not None:
        found.append(alerts.threshold(threshold, squeeze=squeeze, **base))
    if contracting is not None:
        found.append(alerts.pattern(contracting, strength, squeeze=squeeze, **base))
    if release:
        found.append(alerts.release(squeeze=squeeze, **base))
    for number, text in enumerate(screen or [], start=1):
        found.append(AlertRule(text if text in saved else f"screen {number}", text, **base))
    found += [] if rules is None else read_rules(rules)
    if not found:
        raise AlertError(
            "watch: no rule; give threshold=, contracting=, release=, screen= or rules="
        )
    return found


def _sinks(log: Path | None, webhook: str | None) -> list[AlertSink]:
    found: list[AlertSink] = [] if log is None else [LogSink(log)]
    return found if webhook is None else [*found, WebhookSink(webhook)]


def _record_place(record: Path | None, state: Path | None, store: str | None) -> Path | None:
    """Return the record's file: as given, beside the state, in the store's folder; or none."""
    if record is not None:
        place = file_path("record", record, AlertError)
        require_new_file("record", place, AlertError)
        return place
    if state is not None:
        return state.with_name(f"{state.name}.alerts")
    if store is not None and (Path(store) / STATE_FOLDER).is_dir():
        return Path(store) / STATE_FOLDER / RECORD_FILE
    say(
        "note: what was told is kept in memory, and a restart may tell it again; give --record "
        "FILE",
        err=True,
    )
    return None


def _usual_zone(calendars: CalendarAssignment) -> str:
    zones = {each.timezone for each in calendars.calendars}
    return zones.pop() if len(zones) == 1 else "UTC"


# What is said


def _shown(zone: tzinfo, json: bool, quiet: bool) -> Callable[[Alert], None]:
    """Return what prints an alert."""

    def show(alert: Alert) -> None:
        if json:
            say_json(json_module.dumps(alert.to_dict(), ensure_ascii=False))
        elif not quiet:
            say(f"{alert.moment.astimezone(zone):%Y-%m-%d %H:%M}  {alert.text}")

    return show


def _tell(watch: Watch, updates: list[LiveUpdate], show: Callable[[Alert], None]) -> None:
    for update in updates:
        for alert in watch.take(update):
            show(alert)


def _report(
    statistics: WatchStatistics, failures: Mapping[str, str], *, json: bool, quiet: bool
) -> int:
    """Print the counts; say on stderr what is not well; return the exit code."""
    if json:
        say_json(json_module.dumps({"summary": statistics.to_dict()}, ensure_ascii=False))
    elif not quiet:
        for line in _lines(statistics):
            say(line)
    for problem in statistics.problems:
        say(f"problem: {in_options(problem, VERB)}", err=True)
    if failures:
        say(f"failed: {in_options(failure_text(failures), VERB)}", err=True)
    outcomes = [each for counts in statistics.sinks.values() for each in counts.items()]
    lost = sum(count for kind, count in outcomes if kind != "sent")
    lost += sum(counts["unclaimed"] for counts in statistics.rules.values())
    return EXIT_INCOMPLETE if lost or failures or statistics.unjudged else 0


def _lines(statistics: WatchStatistics) -> list[str]:
    """Return the counts as lines."""
    lines = [f"{counted(statistics.fired, 'alert')}"]
    for name, counts in statistics.rules.items():
        held = [f"{n:,} {_WORDS[kind]}" for kind, n in counts.items() if n and kind != "fired"]
        lines.append(f"  {name}: {counts['fired']:,} fired" + "".join(f", {each}" for each in held))
    for name, counts in statistics.sinks.items():
        said = [f"{n:,} {kind}" for kind, n in counts.items() if n or kind == "sent"]
        lines.append(f"  {name}: {', '.join(said)}")
    if statistics.unknown_before:
        lines.append(
            f"  before: {statistics.unknown_before:,} claimed and never confirmed; they may have "
            "been sent, and are not sent again"
        )
    if statistics.unjudged:
        lines.append(f"  {counted(statistics.unjudged, 'bar')} not judged: no longer in memory")
    return lines


_WORDS = {
    "cooldown": "held back by the cooldown",
    "cap": "held back by the hourly cap",
    "repeated": "told before",
    "unclaimed": "not told, as the record could not be written",
}
