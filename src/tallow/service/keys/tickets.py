"""Tickets: what a page connects a WebSocket with, once and soon, in the place of its key.

A browser sends no header of one's own with a WebSocket, and a key has no place in an address.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from tallow.service.errors import BusyError
from tallow.service.keys.roles import Role
from tallow.service.limits import TICKET_SECONDS, TICKETS_MAX


class Caller(NamedTuple):
    """Who asks: a key's id, empty where none is needed, and what it may do."""

    id: str
    role: Role


class Tickets:
    """The tickets that were given and not used yet; for one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: dict[bytes, tuple[float, Caller]] = {}

    def give(self, caller: Caller) -> str:
        """Return a new ticket of a caller, good for `TICKET_SECONDS`.

        Raises
        ------
        BusyError
            If `TICKETS_MAX` of them wait.
        """
        now = self._clock()
        # They are in the order in which they end.
        while self._given and next(iter(self._given.values()))[0] <= now:
            del self._given[next(iter(self._given))]
        if len(self._given) >= TICKETS_MAX:
            raise BusyError(f"tickets: {len(self._given)} wait; ask again in a second")
        ticket = secrets.token_urlsafe(32)
        self._given[_digest(ticket)] = (now + TICKET_SECONDS, caller)
        return ticket

    def use(self, ticket: str) -> Caller | None:
        """Return whose ticket it is, once; None where it is unknown, used, or too old."""
        until, caller = self._given.pop(_digest(ticket), (0.0, None))
        return caller if until > self._clock() else None


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()
