"""A state file that is gone while its table is there: found out, and said once."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

from tallow.core.errors import TallowWarning
from tallow.data.store.location import SNAPSHOT_FILE, STATE_FOLDER
from tallow.data.store.tail import STATE_FILE

_FRAMES = 7
"""Calls from `open_store`'s caller to where the warning is raised."""


def is_lost(folder: Path | None, state: Path, version: int) -> bool:
    """Say whether this machine's state file of a table is there no more.

    In a table's folder there is one from the first write on. One that is kept elsewhere, as of a
    bucket, is each machine's own: who opens the table for the first time has none, and nothing else
    of it either.

    Parameters
    ----------
    folder
        The table's, or None for a bucket.
    state
        Where the state file is to be.
    version
        The table's; 0 where nothing was written.
    """
    try:
        if not version or (state / STATE_FILE).stat().st_size:
            return False
    except FileNotFoundError:
        pass
    except OSError:
        return False
    inside = folder is not None and state == folder / STATE_FOLDER
    return inside or any(state.glob("*.sqlite*"))


def say_lost(root: str, state: Path) -> None:
    """Warn of what may be missing; what was derived from it goes."""
    # A snapshot may have seen what is missing.
    for path in state.glob(f"{SNAPSHOT_FILE}*"):
        with suppress(OSError):
            path.unlink()
    warnings.warn(
        f"store: {root}: {state / STATE_FILE} is not there, and is made anew; all that the table "
        "holds is whole, but writes that were not flushed into it, the ledger and the quarantine "
        "may be missing; where that file was only moved, put it back, or name its folder: "
        "open_store(..., state=FOLDER); else write again what came last, or restore a backup: "
        "tallow store restore",
        TallowWarning,
        stacklevel=_FRAMES,
    )
