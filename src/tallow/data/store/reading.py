"""The tail of a store that this user may only read, seen through a copy of its file.

SQLite wants to write beside a file that it only reads. So the file, and what waits beside it to be
moved in, are copied to a folder of this process; again whenever they changed.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import NoReturn

from tallow.core.errors import StoreError
from tallow.core.limits import STORE_VIEW_ATTEMPTS
from tallow.data.store.batches import Tail
from tallow.data.store.location import private_folder
from tallow.data.store.state import connect, naming
from tallow.data.store.tail import TailFile, prepare

_ENDINGS = ("", "-wal")
_BESIDE = ("", "-wal", "-shm")

Stamp = tuple[tuple[int, int, int] | None, ...]
"""What changes with every change of the file: inode, size and time, of each part."""


def may_write(path: Path) -> bool:
    """Say whether this user may write to a state file, or make it where there is none."""
    there = [part for ending in _BESIDE if (part := _beside(path, ending)).exists()]
    above = next(each for each in path.parents if each.exists())
    effective = os.access in os.supports_effective_ids
    return all(os.access(each, os.W_OK, effective_ids=effective) for each in (*there, above))


def open_tail(path: Path) -> TailFile:
    """Open a state file, to write where this user may."""
    return TailFile(path) if may_write(path) else TailCopy(path)


class TailCopy(TailFile):
    """A state file that is only read; see `tallow.data.store.tail.TailFile`."""

    may_write = False

    def __init__(self, path: Path) -> None:
        self.home = private_folder(self)
        self._stamp: Stamp | None = None
        self._copies = 0
        super().__init__(path)

    def _open(self) -> None:
        self._refresh()
        self.writer = self._reader

    def _reading(self) -> sqlite3.Connection:
        if self._stamp != _stamp(self.path):
            self._refresh()
        return self._reader

    def _refresh(self) -> None:
        """Copy the file as it is at one moment."""
        for _ in range(STORE_VIEW_ATTEMPTS):
            stamp, folder = _stamp(self.path), self.home / str(self._copies)
            self._copies += 1
            folder.mkdir()
            for part, ending in zip(stamp, _ENDINGS, strict=True):
                if part is not None:
                    shutil.copyfile(_beside(self.path, ending), _beside(folder / "copy", ending))
            if stamp == _stamp(self.path):
                break
            shutil.rmtree(folder)
        else:
            raise StoreError(f"store: {self.path}: others keep writing; try again")
        if self._stamp is not None:
            self._reader.close()
            shutil.rmtree(self.home / str(self._copies - 2), ignore_errors=True)
        self._reader = connect(folder / "copy")
        prepare(self._reader, folder / "copy")
        self._stamp, self._seen, self._known = stamp, None, Tail()

    def transaction(self) -> NoReturn:
        """Refuse to write: always a `StoreError`."""
        raise StoreError(
            f"store: {self.path}: this user may only read it; ask its owner for the right to write "
            "to its folder and files, or write to a copy of your own: tallow store backup"
        )


def _stamp(path: Path) -> Stamp:
    found: list[tuple[int, int, int] | None] = []
    for ending in _ENDINGS:
        try:
            with naming(path):
                status = _beside(path, ending).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            found.append(None)
    return tuple(found)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
