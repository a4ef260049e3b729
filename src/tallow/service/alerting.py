"""Alerts of a service: rules and saved screens, a thread that judges them, and whoever is told."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from tallow.alerts import (
    Alert,
    AlertRule,
    Outbox,
    QuietHours,
    Watch,
    indicators_of,
    read_rules,
)
from tallow.alerts.outbox import trial_alert, try_sinks
from tallow.alerts.rules import timeframes_of
from tallow.core.timeframe import parse_timeframe
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate
from tallow.screens.files import read_screens
from tallow.service.alert_sinks import require_sinks, sinks_of
from tallow.service.arrivals import Arrivals
from tallow.service.compat.board_rules import BoardRules
from tallow.service.outages import Outages, OutageThread, WatchedService
from tallow.service.settings import ServiceSettings

RECORD_FILE = "alerts.sqlite"

RECENT = 100
"""Alerts that are shown."""


@dataclass(frozen=True)
class Judgements:
    """What a service judges, of the files in its settings.

    Attributes
    ----------
    saved
        Texts of saved screens by name.
    rules
        Rules of alerts.
    indicators, timeframes
        What the live engine computes: what the settings say, and what rules look at, those of the
        old API's dashboard among them.
    """

    saved: dict[str, str]
    rules: list[AlertRule]
    indicators: list[str]
    timeframes: list[str]

    @classmethod
    def of(cls, settings: ServiceSettings) -> Judgements:
        """Read the files; `TallowError` if one cannot be read, or breaks a rule."""
        found = {} if settings.screens is None else read_screens(settings.screens)
        saved = {name: each.condition for name, each in found.items()}
        rules = [] if settings.rules is None else read_rules(settings.rules)
        convention = settings.convention
        # Of a list, an empty text is no indicator.
        own = [settings.indicators] if settings.indicators else []
        watched = rules if settings.compat is None else [*rules, *BoardRules().rules()]
        indicators = [*own, *indicators_of(watched, saved, convention)]
        sizes = [*settings.timeframes, *timeframes_of(watched, saved, convention)]
        return cls(saved, rules, indicators, list(dict.fromkeys(sizes)))


class AlertThread:
    """Judges rules on a live engine's changes, in a thread of its own.

    Parameters
    ----------
    tell
        Is called there with the alerts of a change; it must be short.
    """

    def __init__(
        self,
        live: LiveEngine,
        judgements: Judgements,
        outbox: Outbox,
        tell: Callable[[Sequence[Alert]], object],
    ) -> None:
        rules, saved = judgements.rules, judgements.saved
        self._watch = Watch(live, rules, outbox, saved=saved, tells_ends=True)
        self._tell = tell
        self._waiting: queue.SimpleQueue[LiveUpdate | ArrayUpdate | None] = queue.SimpleQueue()
        live.listen(self._waiting.put)
        self._thread = threading.Thread(target=self._judge, name="alerts")
        self._thread.start()

    def close(self) -> None:
        """Judge what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _judge(self) -> None:
        while (update := self._waiting.get()) is not None:
            if alerts := self._watch.take(update):
                self._tell(alerts)


class AlertingService(WatchedService, Protocol):
    """What alerts need of a service."""

    live: LiveEngine
    judgements: Judgements


class Alerting:
    """Whoever is told by a service, and what of: what rules find, and what goes wrong with itself.

    Where there are neither rules nor sinks, nothing is watched.

    Parameters
    ----------
    tell
        Is called with the alerts of rules, in a thread; it must be short.
    """

    def __init__(self, service: AlertingService, tell: Callable[[Sequence[Alert]], object]) -> None:
        settings, live, judgements = service.settings, service.live, service.judgements
        self._sinks, self._stack = sinks_of(settings), ExitStack()
        self._outbox: Outbox | None = None
        self._outages: Outages | None = None
        if not self._sinks and not judgements.rules:
            return
        folder = service.store.state_folder
        folder.mkdir(parents=True, exist_ok=True)
        zone = settings.quiet_zone or service.engine.calendars.calendars[0].timezone
        hours = settings.quiet_hours
        urgent = frozenset(settings.alerts_urgent)
        quiet = None if hours is None else QuietHours.of(hours, zone, urgent)
        self._outbox = Outbox(self._sinks, folder / RECORD_FILE, quiet)
        self._stack.callback(self._outbox.close)
        if judgements.rules:
            rules = AlertThread(live, judgements, self._outbox, tell)
            self._stack.callback(rules.close)
        arrivals = Arrivals(_shortest(live.timeframes))
        live.listen(arrivals.take)
        self._outages = Outages(service, arrivals, self._outbox)

    def start(self) -> None:
        """Look at what may go wrong, from now on."""
        if self._outages is not None and self._outbox is not None:
            self._stack.callback(OutageThread(self._outages, self._outbox).close)

    def close(self) -> None:
        """Judge what waits, send it, and end."""
        self._stack.close()

    def status(self) -> dict[str, Any]:
        """Return what is open, the newest alerts with what became of them, and counts by sink."""
        outbox, outages = self._outbox, self._outages
        if outbox is None or outages is None:
            return {"open": [], "recent": [], "sinks": {}, "problems": [], "is_quiet": False}
        problems = [*outbox.problems, *([outages.problem] if outages.problem else [])]
        return {
            "open": outages.open,
            "recent": outbox.record.recent(RECENT),
            "sinks": outbox.counts,
            "problems": problems,
            "is_quiet": outbox.is_quiet,
        }

    def test(self) -> list[dict[str, str]]:
        """Send a test to each sink, at any hour, and return what became of it.

        `AlertError` where there is none.
        """
        return try_sinks(require_sinks(self._sinks), trial_alert())


def _shortest(timeframes: Sequence[str]) -> str:
    sizes = {each: parse_timeframe(each).minutes for each in timeframes}
    return min(timeframes, key=lambda each: sizes[each] or math.inf)
