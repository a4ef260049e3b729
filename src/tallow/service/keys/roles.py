"""Which role each address needs: one table, in the order in which it is looked through."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """What a key may do; each role may do what those before it may."""

    PUBLIC = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


ROLES = {role.name.lower(): role for role in Role if role is not Role.PUBLIC}
"""Roles of keys, by their names."""

SOCKET = "WEBSOCKET"
"""What stands for the method of a WebSocket."""


class AddressRole(NamedTuple):
    """The role that addresses with a beginning need; or one alone, where that is all of it."""

    method: str
    beginning: str
    role: Role
    is_whole: bool = False

    def is_of(self, path: str) -> bool:
        """Say whether a path is among these addresses."""
        return path == self.beginning if self.is_whole else path.startswith(self.beginning)


ADDRESSES = (
    AddressRole("GET", "/healthz", Role.PUBLIC),
    AddressRole("GET", "/readyz", Role.PUBLIC),
    AddressRole("GET", "/openapi.json", Role.PUBLIC),
    AddressRole("GET", "/api/v1/health", Role.PUBLIC),
    AddressRole("OPTIONS", "/api/", Role.PUBLIC),
    AddressRole("GET", "/api/", Role.READ),
    AddressRole("POST", "/api/v1/candles/", Role.READ),
    AddressRole("POST", "/api/v1/filter-pipeline/", Role.READ),
    AddressRole("POST", "/api/v1/historical-data/", Role.READ),
    AddressRole("POST", "/api/v1/bbw/", Role.WRITE),
    AddressRole("DELETE", "/api/v1/bbw/", Role.WRITE),
    # The dashboard's frame has no data: its scripts ask below /v1, with the key of who signs in.
    AddressRole("GET", "/desk", Role.PUBLIC),
    AddressRole("POST", "/desk/_nicegui_ws/", Role.PUBLIC),
    AddressRole(SOCKET, "/desk/_nicegui_ws/", Role.PUBLIC),
    AddressRole("GET", "/", Role.PUBLIC, is_whole=True),
    AddressRole("GET", "/metrics", Role.READ),
    # Tools for agents: they are asked by POST, and read.
    AddressRole("GET", "/mcp", Role.READ, is_whole=True),
    AddressRole("POST", "/mcp", Role.READ, is_whole=True),
    AddressRole("DELETE", "/mcp", Role.READ, is_whole=True),
    AddressRole("GET", "/v1/", Role.READ),
    AddressRole(SOCKET, "/v1/stream", Role.READ),
    AddressRole("POST", "/v1/tickets", Role.READ),
    AddressRole("POST", "/v1/screen", Role.READ),
    AddressRole("POST", "/v1/candles", Role.WRITE),
    AddressRole("POST", "/v1/quarantine", Role.WRITE),
    AddressRole("PUT", "/v1/universes/", Role.WRITE),
    AddressRole("POST", "/v1/rollout", Role.ADMIN),
    AddressRole("POST", "/v1/alerts/test", Role.ADMIN),
)


def declared_role(method: str, path: str) -> Role | None:
    """Return the role that an address needs by the table; None where it says none."""
    asked = "GET" if method == "HEAD" else method
    for each in ADDRESSES:
        if each.method == asked and each.is_of(path):
            return each.role
    return None


def needed_role(method: str, path: str) -> Role:
    """Return the role that an address needs: what the table does not say is for admins."""
    found = declared_role(method, path)
    return Role.ADMIN if found is None else found
