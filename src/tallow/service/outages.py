"""What a service watches of itself, and tells as alerts: each cause once, and once that it is over.

The causes are `staleness` and `gap` of what comes in, a provisional `calendar`, a `rollback` of the
rollout, and `disk` space that runs out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from tallow.alerts import Alert, Outbox
from tallow.alerts.ends import identity_of_end
from tallow.alerts.record import Turn
from tallow.core.calendars import Calendar
from tallow.core.disk import free_bytes
from tallow.core.errors import AlertError, TallowError, without_empty_warnings
from tallow.core.text import counted
from tallow.core.time import from_us, now_us
from tallow.data.store.store import Store
from tallow.engine import AnalyticsEngine
from tallow.service.arrivals import Arrivals
from tallow.service.logs import log_event
from tallow.service.rollout_access import RolloutAccess
from tallow.service.settings import ServiceSettings
from tallow.service.watch import FeedWatch

LOOK_SECONDS = 1.0
"""How often it is looked at."""


class WatchedService(Protocol):
    """What is looked at of a service; see `tallow.service.service.Service`."""

    settings: ServiceSettings
    store: Store
    engine: AnalyticsEngine
    watch: FeedWatch
    rollout_access: RolloutAccess
    is_stopping: bool

    @property
    def is_driven(self) -> bool:
        """Whether the thread that drives the feed runs."""
        ...


class CauseState(NamedTuple):
    """Whether a cause is there now, and why, in words."""

    is_so: bool
    why: str = ""


NOTHING = CauseState(False)


@dataclass
class _Cause:
    """A cause as it was told: whether it is open, and since when it was found to be otherwise."""

    is_open: bool
    began: int
    otherwise_since: float | None = None


class Outages:
    """Looks at causes, and puts what began and what is over into an outbox.

    For one thread. What is open is on record: a service that starts again tells its end.

    Parameters
    ----------
    clock
        Gives the time in microseconds since 1970 UTC.
    """

    def __init__(
        self,
        service: WatchedService,
        arrivals: Arrivals,
        outbox: Outbox,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._service, self._arrivals, self._outbox = service, arrivals, outbox
        self._clock, self._settle = clock, service.settings.alerts_settle_seconds
        self._causes = {kind: self._known(kind) for kind in CAUSES}
        self.problem = ""
        self._knows_session = False

    def look(self) -> None:
        """Look at all causes once; `StoreError` if the session so far cannot be read."""
        now, monotonic = self._clock(), time.monotonic()
        if not self._knows_session:
            self._read_session(now)
            self._knows_session = True
        for kind, find in CAUSES.items():
            finding = find(self._service, self._arrivals, now)
            if finding is not None:
                self._judge(kind, finding, now, monotonic)

    @property
    def open(self) -> list[dict[str, str]]:
        """The causes that were told, and are not over: their names, since when, and why."""
        found = []
        for kind, cause in self._causes.items():
            began = self._outbox.record.last(_identity(kind), "") if cause.is_open else None
            if began is not None:
                since = began.opened.isoformat()
                found.append({"cause": kind, "since": since, "reason": began.reason})
        return found

    def _judge(self, kind: str, finding: CauseState, now: int, monotonic: float) -> None:
        cause = self._causes[kind]
        if finding.is_so == cause.is_open:
            cause.otherwise_since = None
            return
        if cause.otherwise_since is None:
            cause.otherwise_since = monotonic
        if monotonic - cause.otherwise_since < self._settle:
            return
        identity, moment = _identity(kind), from_us(now)
        alert = _began(kind, finding.why, moment)
        rule = identity
        if cause.is_open:
            began = self._outbox.record.last(identity, "") or alert
            alert, rule = began.ended(moment, finding.why), identity_of_end(identity)
        turn = Turn(identity, "", cause.is_open, now)
        try:
            self._outbox.put([(rule, alert)], [turn])
        except AlertError as error:
            # It is tried again with the next look: what is not claimed is not told.
            self._say(str(error))
            return
        self._say("")
        self._causes[kind] = _Cause(finding.is_so, now)
        log_event("alert", kind=kind, state=alert.state, text=alert.reason)

    def _read_session(self, now: int) -> None:
        """Let the arrivals know which bars of the session the store has already."""
        table, names = _calendar(self._service).sessions(), sorted(self._service.store.names())
        day = int(np.searchsorted(table.day_open, now, side="right")) - 1
        if day < 0 or not names:
            return
        start, size = from_us(int(table.day_open[day])), self._arrivals.timeframe
        with without_empty_warnings():
            frame = self._service.engine.query(names, size, start, None, "").frame
        self._arrivals.add(frame["timestamp"].unique().to_physical().to_numpy())

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            log_event("error", kind="alerts", text=problem)
        self.problem = problem

    def _known(self, kind: str) -> _Cause:
        is_armed, opened = self._outbox.record.turns(_identity(kind)).get("", (True, 0))
        return _Cause(not is_armed, opened)


class OutageThread:
    """Looks at outages, and hands out what quiet hours held, in a thread of its own."""

    def __init__(self, outages: Outages, outbox: Outbox) -> None:
        self._outages, self._outbox = outages, outbox
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outages")
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._outages.look()
                self._outbox.hand_out_waiting()
            except Exception:  # noqa: BLE001 - nobody waits for this thread: the log says it
                log_event("error", kind="alerts", exc_info=True)
            self._stop.wait(LOOK_SECONDS)


def _identity(kind: str) -> str:
    return f"service:{kind}"


def _began(kind: str, why: str, moment: datetime) -> Alert:
    return Alert(f"{_identity(kind)}:{moment.isoformat()}", kind, "", "", moment, moment, why)


# What is looked at: a finding, or None where nobody knows now


def _staleness(service: WatchedService, arrivals: Arrivals, now: int) -> CauseState | None:
    settings, watch = service.settings, service.watch
    health = watch.statistics.health
    if not service.is_driven:
        return None if service.is_stopping else CauseState(True, "the feed's thread has ended")
    has_feed = settings.feed is not None and not watch.is_over
    if has_feed and not health.connected and (health.messages or health.error):
        return CauseState(True, f"the feed is not connected; {health.error or 'it ended'}")
    if has_feed and health.lag_seconds is not None and health.lag_seconds > settings.feed_lag_max:
        why = f"the feed's candles come {health.lag_seconds:.0f} s after their minute"
        return CauseState(True, f"{why}; at most {settings.feed_lag_max:g} s are expected")
    if settings.feed is not None and settings.feed.startswith("replay:"):
        return NOTHING
    if not has_feed and arrivals.last is None:
        # Nobody has sent anything yet: nobody need.
        return NOTHING
    opened = _open_since(_calendar(service), now)
    if opened is None:
        # A night says nothing about what was silent before it.
        return None
    silent = (now - max(opened, arrivals.last or arrivals.began)) / 1e6
    if silent <= settings.stale_seconds:
        return CauseState(False, "candles come again")
    why = f"no candle came for {silent:.0f} s of the session"
    return CauseState(True, f"{why}; at most {settings.stale_seconds:g} s are expected")


def _gap(service: WatchedService, arrivals: Arrivals, now: int) -> CauseState | None:
    gap = arrivals.gap(_calendar(service), now)
    if gap is None or gap.minutes < service.settings.gap_minutes:
        return CauseState(False, "its candles came, or its session is past")
    begin, end = from_us(gap.start).isoformat(), from_us(gap.end).isoformat()
    minutes = counted(gap.minutes, "minute")
    return CauseState(True, f"no instrument has a candle from {begin} to {end}, {minutes}")


def _provisional(service: WatchedService, _arrivals: Arrivals, now: int) -> CauseState | None:
    calendar = _calendar(service)
    table = calendar.sessions()
    day = int(np.searchsorted(table.day_close, now, side="right"))
    if day < len(table.day_date) and not table.day_provisional[day]:
        return CauseState(False, "facts state the session")
    which = f"the session of {table.day_date[day]}" if day < len(table.day_date) else "what follows"
    return CauseState(
        True,
        f"calendar {calendar}: no fact states {which}; last_date={calendar.last_date}; "
        "its bars may change: update the package",
    )


def _rollback(service: WatchedService, _arrivals: Arrivals, _now: int) -> CauseState | None:
    try:
        state = service.rollout_access.phase()
    except TallowError:
        # The page of the rollout says what is wrong with its log.
        return None
    if state is None:
        return NOTHING
    phase, reason = state
    if phase != "reverted":
        return CauseState(False, "the rollout goes on")
    return CauseState(True, f"the candidate was turned off; {reason}".removesuffix("; "))


def _disk(service: WatchedService, _arrivals: Arrivals, _now: int) -> CauseState | None:
    free, least = free_bytes(Path(service.settings.store)), service.settings.disk_free_alert
    if free is None:
        return NOTHING
    said = f"the store's disk has {free:,} bytes free"
    return CauseState(free < least, f"{said}; {least:,} are expected" if free < least else said)


CAUSES: Mapping[str, Callable[[WatchedService, Arrivals, int], CauseState | None]] = {
    "staleness": _staleness,
    "gap": _gap,
    "calendar": _provisional,
    "rollback": _rollback,
    "disk": _disk,
}
"""The causes by name."""


def _calendar(service: WatchedService) -> Calendar:
    return service.engine.calendars.calendars[0]


def _open_since(calendar: Calendar, now: int) -> int | None:
    """Return since when there is trading; None where there is none now."""
    table = calendar.sessions()
    segment = int(np.searchsorted(table.segment_open, now, side="right")) - 1
    if segment < 0 or table.segment_close[segment] <= now:
        return None
    return int(table.segment_open[segment])
