"""Which backend keeps the store of a location, and where this machine keeps what is beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tallow.core.errors import StoreError
from tallow.core.text import without_secrets
from tallow.data.store.backend import Backend
from tallow.data.store.location import STATE_FOLDER, plain_location


def open_backend(
    location: str | Path,
    state: Path | None,
    storage_options: Mapping[str, str] | None,
    clock: Callable[[], int],
    create: bool,
    to_fill: bool = False,
) -> Backend:
    """Open what keeps a store; see `tallow.data.store.store.open_store`.

    With `to_fill`, for a copy of another store: one that is made is a store when that is whole, and
    nobody else can open it before.
    """
    place = str(location)
    try:
        scheme, mark, rest = place.partition("://")
        if mark and scheme.lower() in ("postgresql", "postgres"):
            # The server's library takes another spelling for a database's name.
            return _database(f"{scheme.lower()}://{rest}", state, create, clock, to_fill)
        from tallow.data.store.delta import DeltaBackend
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store: {without_secrets(place)}: needs {error.name}; install it with: pip install "
            "'tallow[store]'"
        ) from error
    plain = plain_location(location)
    if isinstance(plain, Path):
        folder = state or plain / STATE_FOLDER
    else:
        folder = _local_state(plain, state)
    return DeltaBackend(plain, folder, storage_options, create, clock, to_fill)


def _database(
    place: str, state: Path | None, create: bool, clock: Callable[[], int], to_fill: bool
) -> Backend:
    from tallow.data.store.postgres import PostgresBackend
    from tallow.data.store.server import identity

    return PostgresBackend(place, _local_state(identity(place), state), create, clock, to_fill)


def _local_state(place: str, state: Path | None) -> Path:
    """Return the folder for what is kept on this machine of a store elsewhere."""
    import hashlib
    import os

    if state is not None:
        return state
    try:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError as error:
        raise StoreError(
            f"store: {without_secrets(place)}: this user has no home; set XDG_STATE_HOME, or "
            "give open_store(..., state=FOLDER)"
        ) from error
    return home / "tallow" / hashlib.sha256(place.encode()).hexdigest()[:16]
