"""Alerts as the stream tells them: each once, and again to whoever was away."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from tallow.alerts import Alert
from tallow.service.limits import STREAM_ALERTS_RECENT_MAX
from tallow.service.stream.encoding import encoded, message
from tallow.service.stream.groups import Teller


class NumberedAlert(NamedTuple):
    """An alert with the number of its change, as text."""

    seq: int
    rule: str
    instrument: str
    text: str


class RecentAlerts:
    """The last alerts, and who is told.

    Attributes
    ----------
    rules
        The names of all rules.
    floor
        Of alerts up to this change, some are no longer there.
    """

    def __init__(self, rules: tuple[str, ...]) -> None:
        self.rules, self.floor, self.seq = rules, 0, 0
        self._found: deque[NumberedAlert] = deque()
        self.subscriptions: set[AlertSubscription] = set()

    def add(self, seq: int, alerts: Sequence[Alert]) -> None:
        """Take alerts, and wake who is told."""
        self.seq = seq
        for alert in alerts:
            text = encoded(alert.to_dict())
            self._found.append(NumberedAlert(seq, alert.rule, alert.instrument, text))
        while len(self._found) > STREAM_ALERTS_RECENT_MAX:
            self.floor = self._found.popleft().seq
        for each in self.subscriptions:
            each.wake()

    def since(self, seq: int) -> list[NumberedAlert]:
        """Return the alerts after a change, oldest first."""
        found = []
        for each in reversed(self._found):
            if each.seq <= seq:
                break
            found.append(each)
        return found[::-1]


class AlertSubscription:
    """A client's subscription of alerts.

    Attributes
    ----------
    seq
        The change up to which all is told.
    """

    def __init__(
        self,
        name: str,
        recent: RecentAlerts,
        client: Teller,
        seq: int,
        rules: frozenset[str],
        instruments: frozenset[str] | None,
    ) -> None:
        self.name, self.seq = name, seq
        self._recent, self._client = recent, client
        self._rules, self._instruments = rules, instruments
        recent.subscriptions.add(self)

    @property
    def has_news(self) -> bool:
        """Whether alerts came since."""
        return self._recent.seq > self.seq

    def wake(self) -> None:
        """Say that messages wait."""
        self._client.wake()

    async def messages(self) -> AsyncIterator[str]:
        """Yield the alerts since the last message."""
        if not self.has_news:
            return
        begin, seq = self.seq + 1, self._recent.seq
        is_known = self.seq >= self._recent.floor
        found = [each.text for each in self._recent.since(self.seq) if self._wants(each)]
        self.seq = seq
        if not is_known:
            reason = "alerts that came since are no longer known"
            yield message("resync", self.name, seq=seq, reason=reason)
        elif found:
            head = f'{{"type":"alerts","id":{encoded(self.name)},"from_seq":{begin},"seq":{seq}'
            yield f'{head},"alerts":[{",".join(found)}]}}'

    def note(self, seq: int) -> None:
        """Take note that nothing else changed up to a change."""
        if not self.has_news:
            self.seq = seq

    def leave(self) -> None:
        """Be told nothing any more."""
        self._recent.subscriptions.discard(self)

    def _wants(self, alert: NumberedAlert) -> bool:
        is_of = self._instruments is None or alert.instrument in self._instruments
        return is_of and alert.rule in self._rules
