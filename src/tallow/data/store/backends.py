"""Which backend keeps the store of a location, and where this machine keeps what is beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tallow.core.errors import StoreError
from tallow.core.text import without_secrets
from tallow.data.store.location import plain_location
from tallow.data.store.log import Backend

_STATE_FOLDER = "_tallow"


def open_backend(
    location: str | Path,
    create: bool,
    state: Path | None,
    storage_options: Mapping[str, str] | None,
    clock: Callable[[], int],
) -> Backend:
    """Open what keeps a store; see `tallow.data.store.store.open_store`."""
    place = str(location)
    try:
        if place.startswith(("postgresql://", "postgres://")):
            return _database(place, state, create, clock)
        from tallow.data.store.delta import DeltaBackend
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store: {without_secrets(place)}: needs {error.name}; install it with: pip install "
            "'tallow[store]'"
        ) from error
    plain = plain_location(location)
    if isinstance(plain, Path):
        folder = state or plain / _STATE_FOLDER
    else:
        folder = _local_state(plain, state)
    return DeltaBackend(plain, folder, storage_options, create, clock)


def _database(place: str, state: Path | None, create: bool, clock: Callable[[], int]) -> Backend:
    from tallow.data.store.postgres import PostgresBackend
    from tallow.data.store.server import identity

    return PostgresBackend(place, _local_state(identity(place), state), create, clock)


def _local_state(place: str, state: Path | None) -> Path:
    """Return the folder for what is kept on this machine of a store elsewhere."""
    import hashlib
    import os

    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state or home / "tallow" / hashlib.sha256(place.encode()).hexdigest()[:16]
