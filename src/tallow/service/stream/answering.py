"""Answers to what clients of the stream ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallow.core.errors import ParameterError, TallowError
from tallow.service.limits import (
    STREAM_KEYS_MAX,
    STREAM_REQUEST_BYTES,
    STREAM_SUBSCRIPTIONS_MAX,
)
from tallow.service.stream import requests
from tallow.service.stream.alerts import AlertSubscription
from tallow.service.stream.client import StreamClient
from tallow.service.stream.encoding import FIRST, message
from tallow.service.stream.groups import RowGroup, RowSubscription, Subscription
from tallow.service.stream.hub import Hub
from tallow.service.stream.live_bars import LiveBars
from tallow.service.stream.screens import ScreenSubscription


class Answering:
    """Takes clients' messages, and makes their subscriptions."""

    def __init__(self, hub: Hub, bars: LiveBars) -> None:
        self._hub, self._bars = hub, bars

    def welcome(self) -> str:
        """Return the first message to a client."""
        return message(
            "welcome",
            stream=self._hub.stream,
            seq=self._hub.seq,
            timeframes=self._bars.timeframes,
            columns=(*FIRST, *self._bars.plan.columns),
            types=self._bars.types,
            screens=self._hub.screens.names,
            rules=self._hub.alerts.rules,
            limits={
                "subscriptions": STREAM_SUBSCRIPTIONS_MAX,
                "keys": STREAM_KEYS_MAX,
                "message_bytes": STREAM_REQUEST_BYTES,
            },
        )

    async def answer(self, client: StreamClient, text: str) -> None:
        """Answer a message; what is wrong with it is told."""
        name = None
        try:
            asked = requests.read_message(text)
            name = requests.name_of(asked)
            if asked["type"] == "unsubscribe":
                self._unsubscribe(client, name)
            else:
                await self._subscribe(client, name, asked)
        except TallowError as error:
            client.refuse(name, *requests.detail_of(error))

    async def _subscribe(self, client: StreamClient, name: str, asked: Mapping[str, Any]) -> None:
        fields = requests.kind_of(asked)
        if name in client.subscriptions:
            raise ParameterError(f"stream: id={name}: is subscribed; unsubscribe it first")
        if len(client.subscriptions) >= STREAM_SUBSCRIPTIONS_MAX:
            raise ParameterError(
                f"stream: id={name}: {STREAM_SUBSCRIPTIONS_MAX} subscriptions are all that a "
                "client has; unsubscribe one, or ask for more instruments in one"
            )
        if fields == requests.SCREEN:
            found, said = await self._screen(client, name, asked)
        elif fields == requests.ALERTS:
            found, said = self._alerts(client, name, asked)
        else:
            found, said = await self._rows(client, name, asked)
        client.accept(message("subscribed", name, **said))
        if said.get("resumed") is False:
            reason = "what changed since is no longer known, or is of another run"
            client.put(message("resync", name, seq=said["seq"], reason=reason))
        client.subscriptions[name] = found
        client.wake()

    async def _screen(
        self, client: StreamClient, name: str, asked: Mapping[str, Any]
    ) -> tuple[Subscription, dict[str, object]]:
        hub, live = self._hub, self._bars.timeframes
        screen = requests.one_of("screen", asked["screen"], hub.screens.names)
        (size,) = requests.timeframes([asked.get("timeframe") or live[0]], live)
        found = await hub.screens.find(screen, size, hub.seq)
        return ScreenSubscription(name, found, client), {"seq": found.seq}

    def _alerts(
        self, client: StreamClient, name: str, asked: Mapping[str, Any]
    ) -> tuple[Subscription, dict[str, object]]:
        hub = self._hub
        wanted = None if asked["alerts"] is True else requests.texts(asked, "alerts")
        rules = hub.alerts.rules if wanted is None else wanted
        for each in rules:
            requests.one_of("alerts", each, hub.alerts.rules)
        named = requests.texts(asked, "instruments")
        instruments = None if named is None else frozenset(named)
        resumption, seq, said = requests.resumption(asked), hub.seq, dict[str, object]()
        if resumption is not None:
            said["resumed"] = resumption[0] == hub.stream and resumption[1] <= hub.seq
            seq = resumption[1] if said["resumed"] else seq
        found = AlertSubscription(name, hub.alerts, client, seq, frozenset(rules), instruments)
        return found, {"seq": seq, **said}

    async def _rows(
        self, client: StreamClient, name: str, asked: Mapping[str, Any]
    ) -> tuple[Subscription, dict[str, object]]:
        sizes = requests.timeframes(requests.texts(asked, "timeframes"), self._bars.timeframes)
        chosen = requests.columns(asked.get("indicators"), self._bars.plan)
        named = requests.texts(asked, "instruments")
        if asked.get("universe") is not None:
            named = await self._bars.members(requests.text(asked, "universe"), named)
        instruments = None if named is None else frozenset(named)
        columns = self._bars.columns(chosen)
        self._require_room(client, name, RowGroup(instruments, sizes, columns))
        resumption, hub = requests.resumption(asked), self._hub
        is_resumed = resumption is not None and hub.knows(*resumption)
        seq = resumption[1] if resumption is not None and is_resumed else None
        group = hub.groups.find(instruments, sizes, columns)
        found = RowSubscription(name, group, hub, client, seq)
        said: dict[str, object] = {"seq": found.seq, "columns": columns.names}
        if resumption is not None:
            said["resumed"] = is_resumed
        return found, said

    def _require_room(self, client: StreamClient, name: str, asked: RowGroup) -> None:
        groups = [asked]
        groups += [e.group for e in client.subscriptions.values() if isinstance(e, RowSubscription)]
        # All instruments are as many as there are now.
        every = len(self._bars.every_name)
        keys = [
            len(g.timeframes) * (every if g.instruments is None else len(g.instruments))
            for g in groups
        ]
        if sum(keys) > STREAM_KEYS_MAX:
            raise ParameterError(
                f"stream: id={name}: {sum(keys):,} keys (instruments times timeframes); a client "
                f"has {STREAM_KEYS_MAX:,} at most; ask for fewer timeframes, or connect twice"
            )

    def _unsubscribe(self, client: StreamClient, name: str) -> None:
        found = client.subscriptions.pop(name, None)
        if found is None:
            known = ", ".join(client.subscriptions) or "nothing"
            raise ParameterError(f"stream: id={name}: is not subscribed; {known} is")
        found.leave()
        client.accept(message("unsubscribed", name, seq=self._hub.seq))
