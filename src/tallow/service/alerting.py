"""Rules of alerts and saved screens of a service; a thread judges the rules."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tallow.alerts import Alert, AlertRule, Watch, indicators_of, read_rules
from tallow.alerts.rules import timeframes_of
from tallow.data.store.location import STATE_FOLDER
from tallow.runtime.live.live_engine import LiveEngine
from tallow.runtime.live.updates import ArrayUpdate, LiveUpdate
from tallow.screens.files import read_screens
from tallow.service.compat.board_rules import BoardRules
from tallow.service.settings import ServiceSettings

RECORD_FILE = "alerts.sqlite"


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
        store: str,
        tell: Callable[[Sequence[Alert]], object],
    ) -> None:
        folder = Path(store) / STATE_FOLDER
        # What was told is on record beside the candles; a store elsewhere keeps it in memory.
        record = folder / RECORD_FILE if folder.is_dir() else None
        self._watch = Watch(live, judgements.rules, record=record, saved=judgements.saved)
        self._tell = tell
        self._waiting: queue.SimpleQueue[LiveUpdate | ArrayUpdate | None] = queue.SimpleQueue()
        live.listen(self._waiting.put)
        self._thread = threading.Thread(target=self._judge, name="alerts")
        self._thread.start()

    def close(self) -> None:
        """Judge what waits, and end."""
        self._waiting.put(None)
        self._thread.join()
        self._watch.close()

    def _judge(self) -> None:
        while (update := self._waiting.get()) is not None:
            if alerts := self._watch.take(update):
                self._tell(alerts)
