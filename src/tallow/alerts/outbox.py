"""The outbox: alerts are claimed on record, held in quiet hours, and handed to sinks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tallow.alerts.alert import Alert, cause_of_end
from tallow.alerts.quiet import QuietHours
from tallow.alerts.record import AlertRecord, Turn
from tallow.alerts.sending import OUTCOMES, Sender
from tallow.alerts.sinks import AlertSink, UnsentError
from tallow.core.errors import AlertError
from tallow.core.limits import ALERT_CLOSE_SECONDS

_QUIETED = "it began and was over in quiet hours"
_GONE = "its sink is no longer there"


def utc_now() -> datetime:
    """Return the time, by this machine's clock."""
    return datetime.now(UTC)


class Outbox:
    """Claims alerts, and hands them to sinks; for any threads.

    Parameters
    ----------
    sinks
        Whoever is told; of different names.
    record
        Where causes are claimed; by default in memory.
    quiet
        When alerts wait. What is held is claimed only when it is handed out, so a restart finds it.
    clock
        Gives the time by which hours are quiet.

    Attributes
    ----------
    record
        The same record.

    Raises
    ------
    AlertError
        If two sinks are the same, or the record cannot be read or is somebody else's.
    """

    def __init__(
        self,
        sinks: Sequence[AlertSink] = (),
        record: AlertRecord | str | Path | None = None,
        quiet: QuietHours | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        names = [sink.name for sink in sinks]
        if len(set(names)) < len(names):
            raise AlertError(f"sinks: {', '.join(names)}; two are one and the same; leave one out")
        self.record = record if isinstance(record, AlertRecord) else AlertRecord(record)
        self._quiet, self._clock = quiet, clock
        self._senders = {sink.name: Sender(sink, self.record) for sink in sinks}
        self._open = list(self._senders.values())

    @property
    def is_quiet(self) -> bool:
        """Whether alerts that are not urgent wait now."""
        return self._quiet is not None and self._quiet.is_quiet(self._clock())

    def put(self, alerts: Sequence[tuple[str, Alert]], turns: Iterable[Turn] = ()) -> None:
        """Claim alerts, with the identities of their rules, and turns; and hand them out.

        `AlertError` if they cannot be claimed: then nobody is told.
        """
        now, quiet = self._clock(), self._quiet
        held = {each.cause for _, each in alerts if quiet is not None and quiet.holds(each, now)}
        self.record.claim(alerts, list(self._senders), turns, held)
        for _, alert in alerts:
            if alert.cause not in held:
                for sender in self._senders.values():
                    sender.put(alert)

    def hand_out_waiting(self) -> None:
        """Hand out what was held, once hours are no longer quiet.

        What began and was over meanwhile is told nobody. `AlertError` if it cannot be claimed.
        """
        if self.is_quiet:
            return
        by_sink: dict[str, list[Alert]] = {}
        for sink, alert in self.record.waiting():
            by_sink.setdefault(sink, []).append(alert)
        for sink, alerts in by_sink.items():
            self._hand_out(sink, alerts)

    def _hand_out(self, sink: str, alerts: Sequence[Alert]) -> None:
        sender, causes = self._senders.get(sink), {each.cause for each in alerts}
        ended = {cause for cause in causes if cause_of_end(cause) in causes}
        ended |= {cause_of_end(cause) for cause in ended}
        told = []
        for alert in alerts:
            if sender is None:
                self.record.settle(alert.cause, sink, "dropped", _GONE)
            elif alert.cause in ended:
                self.record.settle(alert.cause, sink, "quieted", _QUIETED)
            else:
                told.append(alert)
        if sender is not None and told:
            self.record.claim_waiting([each.cause for each in told], sink)
            for alert in told:
                sender.put(alert)

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """By sink: how many alerts were sent, failed, are unknown, or were dropped."""
        return {
            name: {kind: each.counts[kind] for kind in OUTCOMES}
            for name, each in self._senders.items()
        }

    @property
    def problems(self) -> list[str]:
        """What went wrong last with each sink, in sentences."""
        return [f"{name}: {each.problem}" for name, each in self._senders.items() if each.problem]

    def close(self, seconds: float = ALERT_CLOSE_SECONDS) -> None:
        """Wait so long for the sinks in all; what they have not sent by then is dropped."""
        until = time.monotonic() + seconds
        while self._open:
            self._open.pop().close(max(until - time.monotonic(), 0.0))
        self.record.close()


def try_sinks(sinks: Sequence[AlertSink], alert: Alert) -> list[dict[str, str]]:
    """Send an alert to sinks, beside any record and at any hour; return what became of it."""
    found = []
    for sink in sinks:
        outcome, why = "sent", ""
        try:
            sink.send(alert)
        except UnsentError as error:
            outcome, why = "unknown" if error.is_unknown else "failed", str(error)
        found.append({"sink": sink.name, "outcome": outcome, "why": why})
    return found


def trial_alert() -> Alert:
    """Return what a test sends."""
    now = utc_now()
    reason = "this is a test; nothing is wrong"
    return Alert(f"test:{now.timestamp():.6f}", "test", "", "", now, now, reason)
