"""What the old dashboard knows: rows of the newest bars, the last alerts, and what is set of these.

Alerts are raised by the bars that the live engine closes, in a thread, and by no question. They and
the settings are in memory, and gone with the process.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from tallow.alerts import Alert, Watch
from tallow.core.errors import TallowError
from tallow.core.time import MINUTE_US, from_us, now_us
from tallow.data.store.store import Store
from tallow.engine import AnalyticsEngine
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate
from tallow.service.compat.board_rows import NewestBars, board_bars, board_row
from tallow.service.compat.board_rules import TIMEFRAME, BoardRules
from tallow.service.compat.envelopes import to_text
from tallow.service.compat.members import Members
from tallow.service.compat.old_bars import OldRow, zone_of
from tallow.service.logs import log_event

EVENTS_KEPT = 100
"""Alerts that are kept; the oldest goes first."""

GROUP = "BBW_DASHBOARD"


@dataclass(frozen=True)
class BoardState:
    """Rows, and when the newest bar of all opened."""

    rows: list[OldRow]
    last: datetime | None


class Board:
    """The old dashboard of band widths; as a context it raises alerts.

    Attributes
    ----------
    members
        Whom it shows.
    zone
        By whose clocks times are shown.
    rules
        What is set of alerts; `configure` changes it.
    """

    def __init__(
        self, store: Store, engine: AnalyticsEngine, live: LiveEngine, universe: str | None
    ) -> None:
        self.zone = ZoneInfo(zone_of(engine))
        self.members = Members(store, universe, self.zone)
        self.rules = BoardRules()
        self._store, self._engine, self._live = store, engine, live
        self._events: deque[OldRow] = deque(maxlen=EVENTS_KEPT)
        self._newest = NewestBars(store, engine)
        self._state: tuple[Hashable, BoardState] | None = None
        self._waiting: queue.SimpleQueue[LiveUpdate | ArrayUpdate | BoardRules | None]
        self._waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._judge, name="board")

    def __enter__(self) -> Self:
        self._watch = Watch(self._live, self.rules.rules())
        self._live.listen(self._waiting.put)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waiting.put(None)
        self._thread.join()

    def now(self) -> datetime:
        """Return the time, by the venue's clocks."""
        return from_us(now_us()).astimezone(self.zone)

    def configure(self, rules: BoardRules) -> None:
        """Raise alerts by other rules from now on."""
        self.rules = rules
        self._waiting.put(rules)

    def events(self) -> list[OldRow]:
        """Return the alerts that are kept, the oldest first."""
        return list(self._events)

    def clear(self) -> None:
        """Forget all alerts."""
        self._events.clear()

    def state(self) -> BoardState:
        """Return a row for each stock that has one, in the order of the members."""
        token = (self._store.token(), now_us() // MINUTE_US, self.rules)
        if self._state is None or self._state[0] != token:
            self._state = token, self._new_state()
        return self._state[1]

    def history(self, name: str, days: int) -> list[OldRow]:
        """Return a row for each bar of the last days of an instrument, ascending."""
        if name not in self._store.names():
            return []
        now = self.now()
        start = now - timedelta(days=min(days, 36_500))
        bars = board_bars(self._engine, [name], start)
        symbol, updated = self.members.symbols().get(name, name), to_text(now)
        return [board_row(bar, symbol, self.rules, updated) for bar in bars.iter_rows(named=True)]

    def is_open(self) -> bool:
        """Say whether the venue trades now, by its calendar."""
        now = self.now()
        session = self._engine.calendars.calendars[0].session(now.date())
        return session is not None and any(a <= now < z for a, z in session.segments)

    def _new_state(self) -> BoardState:
        names, updated = self.members.with_minutes(), to_text(self.now())
        if not names:
            return BoardState([], None)
        bars = self._newest.read(names, self._live.latest(TIMEFRAME))
        symbols, rules = self.members.symbols(), self.rules
        rows = [
            board_row(bar, symbols.get(bar["instrument"]) or bar["instrument"], rules, updated)
            for bar in bars
        ]
        return BoardState(rows, max((bar["timestamp"] for bar in bars), default=None))

    # In the board's thread

    def _judge(self) -> None:
        while (found := self._waiting.get()) is not None:
            if isinstance(found, BoardRules):
                self._watch.close()
                self._watch = Watch(self._live, found.rules())
            else:
                self._take(found)
        self._watch.close()

    def _take(self, update: LiveUpdate | ArrayUpdate) -> None:
        """Keep the alerts of an update; one that cannot be judged is logged, and the next is."""
        try:
            if alerts := self._watch.take(update):
                self._keep(alerts)
        except TallowError:
            log_event("error", kind="board", exc_info=True)

    def _keep(self, alerts: Sequence[Alert]) -> None:
        names, symbols = {*self.members.with_minutes()}, self.members.symbols()
        taken = set()
        # Of one bar the first rule counts, which stands first.
        for alert in alerts:
            bar = (alert.instrument, alert.opened)
            if alert.instrument in names and bar not in taken:
                taken.add(bar)
                self._events.append(_event(alert, symbols, self.zone))


def _event(alert: Alert, symbols: dict[str, str], zone: ZoneInfo) -> OldRow:
    numbers = alert.numbers
    return {
        "Symbol": symbols.get(alert.instrument, alert.instrument),
        "BBWidth": numbers["width"] or 0.0,
        "LowestMinBBWidth": numbers["lowest"] or 0.0,
        "PatternLength": int(numbers["contracting"] or 0),
        "AlertType": alert.rule,
        "Timestamp": to_text(alert.opened.astimezone(zone)),
        "GroupID": GROUP,
        "Message": alert.reason,
    }
