"""Files and names that last: what is acknowledged must be on disk, and be found there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on disk; systems that cannot open one need no such thing."""
    if os.name == "posix":
        _sync(folder)


def sync_file(path: Path) -> None:
    """Wait until a file, and its name in its folder, are on disk."""
    _sync(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, where it is missing, and wait until its name and those above are on disk.

    All of them, since another process may have made one a moment ago. A folder that this user may
    not read is somebody else's, and older.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder)
    for above in folder.absolute().parents:
        with suppress(OSError):
            sync_folder(above)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
