"""Which version of Tallow made the store in a database, and whether this one reads it."""

from __future__ import annotations

from tallow.core.errors import StoreError
from tallow.data.store.log import UNFINISHED
from tallow.data.store.server import Server

VERSION, FILLING = "1", "filling"
"""Of a store, and of one that takes over another: it is none until that is whole."""


def version_of(server: Server) -> str | None:
    """Return the version of the store in a database; None where there is none."""
    if not server.query("SELECT to_regclass('tallow.facts') IS NOT NULL AS found").item():
        return None
    return str(server.query("SELECT version FROM tallow.facts").item())


def require_version(version: str, name: str, to_fill: bool = False) -> None:
    """Raise `StoreError` unless this version reads a store, or fills it where it is to."""
    if version == FILLING and not to_fill:
        raise StoreError(UNFINISHED.format(name))
    if version not in (VERSION, FILLING):
        raise StoreError(f"store: {name}: was made by a newer tallow; update this one")
