"""The guard before a service's routes: host, origin, rate, key and role of every request.

It stands before all of them, so that a route that is added is guarded, too.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from tallow.service.errors import (
    ForbiddenError,
    RefusedError,
    TooOftenError,
    UnauthorizedError,
    WrongHostError,
)
from tallow.service.keys.binding import LOCAL_NAMES, is_local
from tallow.service.keys.key_file import KeyFile
from tallow.service.keys.rates import Rates
from tallow.service.keys.roles import SOCKET, Role, needed_role
from tallow.service.keys.tickets import Caller, Tickets
from tallow.service.limits import (
    FAILURES_BURST,
    FAILURES_PER_SECOND,
    RATE_BURST_SECONDS,
    RATES_MAX,
)
from tallow.service.problems import refusal
from tallow.service.settings import ServiceSettings

TICKET = "ticket."
"""What a subprotocol begins with that is a ticket."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ANYBODY = Caller("", Role.PUBLIC)
_LOCAL = Caller("", Role.ADMIN)


class Guard:
    """What decides about requests; for the service's loop.

    Attributes
    ----------
    tickets
        Those that connect WebSockets.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.tickets = Tickets()
        self._keys = None if settings.keys is None else KeyFile(settings.keys)
        local = is_local(settings.host)
        # A name that leads to this machine may be somebody else's, whose page asks in our name.
        self._hosts = {*settings.hosts, *(LOCAL_NAMES if local else settings.hosts)}
        self._origins = frozenset(settings.origins)
        rate = settings.requests_per_second
        self._rates = Rates(rate, rate * RATE_BURST_SECONDS, RATES_MAX)
        self._failures = Rates(FAILURES_PER_SECOND, FAILURES_BURST, RATES_MAX)

    def admit(self, scope: Scope) -> Caller:
        """Return who asks.

        Raises
        ------
        RefusedError
            If the request is not let through.
        """
        headers, address = Headers(scope=scope), _address(scope)
        method = SOCKET if scope["type"] == "websocket" else scope["method"]
        self._require_host(headers)
        self._require_rate(("address", address))
        self._require_origin(method, scope, headers)
        role = needed_role(method, scope["path"])
        if role is Role.PUBLIC:
            return _ANYBODY
        caller = self._caller(method, scope, headers, address)
        if caller.role < role:
            raise ForbiddenError(
                f"key: has the role {caller.role.name.lower()}; this asks for "
                f"{role.name.lower()}; take a key that has it"
            )
        if caller.id:
            self._require_rate(("key", caller.id))
        return caller

    def _require_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            raise WrongHostError(
                f"Host: {host[:100]!r}; is no name of this service; ask it by its own, or name "
                "this one in the setting hosts"
            )

    def _require_origin(self, method: str, scope: Scope, headers: Headers) -> None:
        origin = headers.get("origin")
        if method in _SAFE or origin is None or origin in self._origins:
            return
        if origin.partition("://")[2] == headers.get("host"):
            return
        raise ForbiddenError(
            f"Origin: {origin[:100]!r}; pages from there may not change anything here; name it in "
            "the setting origins if they should"
        )

    def _require_rate(self, who: tuple[str, str]) -> None:
        wait = self._rates.take(who)
        if wait:
            raise TooOftenError(f"{who[0]}: asks too often; slow down", math.ceil(wait))

    def _caller(self, method: str, scope: Scope, headers: Headers, address: str) -> Caller:
        if self._keys is None:
            return _LOCAL
        ticket = _ticket(scope) if method == SOCKET else None
        found = self._of_key(headers) if ticket is None else self.tickets.use(ticket)
        if found is not None:
            return found
        wait = self._failures.take(address)
        if wait:
            raise TooOftenError("key: was wrong too often; wait", math.ceil(wait))
        if ticket is not None:
            raise UnauthorizedError("ticket: is unknown, used, or too old; ask for a new one")
        raise UnauthorizedError(
            "key: none that is known, and not expired; send it as Authorization: Bearer KEY"
        )

    def _of_key(self, headers: Headers) -> Caller | None:
        assert self._keys is not None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = self._keys.find(token.strip()) if scheme.lower() == "bearer" else None
        if key is None or key.is_expired(datetime.now(UTC)):
            return None
        return Caller(key.id, key.rank)


class GuardMiddleware:
    """Lets through what a guard admits; ``request.state.caller`` is who asks then."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            caller = self._guard.admit(scope)
        except RefusedError as error:
            answer = refusal(error)
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(answer)
            else:
                await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(_without_ticket(scope), receive, send)


def caller_of(state: Any) -> Caller:
    """Return who asks, of the ``state`` of a request or WebSocket that was admitted."""
    found: Caller = state.caller
    return found


def _without_ticket(scope: Scope) -> Scope:
    """Return a scope whose subprotocols have no ticket: none is chosen, nor shown."""
    if scope["type"] != "websocket":
        return scope
    names = [name for name in scope["subprotocols"] if not name.startswith(TICKET)]
    return {**scope, "subprotocols": names}


def _ticket(scope: Mapping[str, Any]) -> str | None:
    """Return the ticket of a WebSocket, by its subprotocols or its address."""
    for name in scope["subprotocols"]:
        if name.startswith(TICKET):
            return str(name.removeprefix(TICKET))
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return query["ticket"][0] if "ticket" in query else None


def _name(host: str) -> str:
    """Return the name of a ``Host``, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _address(scope: Mapping[str, Any]) -> str:
    """Return whose rate counts: an address, of IPv6 its network, which one owner has."""
    host = str((scope.get("client") or ("", 0))[0])
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if found.version == 4:
        return host
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
