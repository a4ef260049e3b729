"""A thread for each sink, so that a slow or dead one keeps nobody waiting."""

from __future__ import annotations

import threading
from collections import Counter
from queue import Empty, Full, Queue
from time import monotonic

from tallow.alerts.alert import Alert
from tallow.alerts.record import AlertRecord
from tallow.alerts.sinks import AlertSink, UnsentError
from tallow.core.errors import AlertError
from tallow.core.limits import ALERT_QUEUE

OUTCOMES = ("sent", "failed", "unknown", "dropped")


class Sender:
    """Gives claimed alerts to a sink, one after the other, and notes what became of each.

    Attributes
    ----------
    counts
        How many were `sent`, `failed`, are `unknown`, or were `dropped` as the queue was full or
        the watch ended; of some moment.
    problem
        What went wrong last, or empty.
    """

    def __init__(self, sink: AlertSink, record: AlertRecord) -> None:
        self.sink, self.counts, self.problem = sink, Counter[str](), ""
        self._record = record
        self._queue: Queue[Alert | None] = Queue(ALERT_QUEUE)
        self._lock = threading.Lock()
        self._is_given_up = False
        self._thread = threading.Thread(target=self._run, name=f"tallow-{sink.name}", daemon=True)
        self._thread.start()

    def put(self, alert: Alert) -> None:
        """Take an alert that was claimed; one that finds no room is dropped."""
        try:
            self._queue.put_nowait(alert)
        except Full:
            self._note(alert, "dropped", f"{ALERT_QUEUE:,} alerts wait for this sink")

    def close(self, seconds: float) -> None:
        """Wait so long for what is left to be sent; drop the rest."""
        until = monotonic() + seconds
        while not self._queue.empty() and self._thread.is_alive() and monotonic() < until:
            self._thread.join(0.01)
        rest = self._drained()
        self.sink.close()
        self._queue.put(None)
        self._thread.join(max(until - monotonic(), 0.05))
        for alert in rest:
            self._note(alert, "dropped", "the watch ended")
        with self._lock:
            # What a sink still holds stays claimed: it may arrive, or not.
            self._is_given_up = self._thread.is_alive()
        if self._is_given_up:
            self.counts["unknown"] += 1

    def _drained(self) -> list[Alert]:
        found = []
        try:
            while (alert := self._queue.get_nowait()) is not None:
                found.append(alert)
        except Empty:
            pass
        return found

    def _run(self) -> None:
        while (alert := self._queue.get()) is not None:
            try:
                self.sink.send(alert)
            except UnsentError as error:
                self._note(alert, "unknown" if error.is_unknown else "failed", str(error))
            except Exception as error:  # noqa: BLE001 - a sink of others may raise anything
                why = f"{type(error).__name__}: {error}"
                self._note(alert, "unknown", why)
            else:
                self._note(alert, "sent")

    def _note(self, alert: Alert, outcome: str, why: str = "") -> None:
        with self._lock:
            if self._is_given_up:
                return
            self.counts[outcome] += 1
            self.problem = why or self.problem
        try:
            self._record.settle(alert.cause, self.sink.name, outcome, why)
        except AlertError as error:
            # It stays claimed, and is not sent again.
            self.problem = str(error)
