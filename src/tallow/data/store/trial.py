"""A store opened to see whether it can be, without a change to any of its files.

To open one repairs what a loss of power left, and makes what is missing. So a folder is opened
through one of this process alone, in which its files are links, and the tail is a copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tallow.core.disk import may_access
from tallow.core.errors import StoreError
from tallow.core.limits import STORE_CONNECT_SECONDS
from tallow.core.text import without_secrets
from tallow.data.store.location import (
    STATE_FOLDER,
    needs_package,
    no_store,
    plain_location,
    require_folder,
)
from tallow.data.store.store import Store, open_store
from tallow.data.store.tail import STATE_FILE, may_write

_LOG = "_delta_log"
_COPIED = (STATE_FILE, f"{STATE_FILE}-wal")


@contextmanager
def trial_store(location: str, *, to_write: bool = True) -> Iterator[Store | None]:
    """Open a store as whoever writes to it would, or only reads it, and change nothing.

    None for a folder or bucket in which there is none yet, but may be made, and for a database,
    which is asked for its version alone.

    Raises
    ------
    StoreError
        If it cannot be opened, its server does not answer soon, this user may not write to it, or
        there is none where it is only to be read.
    """
    if location.lower().startswith(("postgresql://", "postgres://")):
        _ask_database(location, to_write)
        yield None
        return
    plain = plain_location(location)
    with ExitStack() as stack:
        aside = Path(stack.enter_context(TemporaryDirectory(prefix="tallow-")))
        if not isinstance(plain, Path):
            if not _has_table(plain) and to_write:
                yield None
                return
            # What is kept of a bucket on this machine is left alone: it is another tail.
            yield stack.enter_context(open_store(location, state=aside))
            return
        require_folder(plain, create=to_write)
        if to_write:
            _require_rights(plain)
        if not (plain / _LOG).exists():
            yield None
            return
        _link(plain, aside)
        try:
            store = stack.enter_context(open_store(aside))
        except StoreError as error:
            # Named as the user does.
            raise type(error)(str(error).replace(str(aside), str(plain))) from error
        yield store


def _require_rights(folder: Path) -> None:
    there = [each for each in (folder, folder / _LOG) if each.exists()]
    if all(may_access(each, os.W_OK) for each in there) and may_write(
        folder / STATE_FOLDER / STATE_FILE
    ):
        return
    raise StoreError(
        f"store: {folder}: this user may only read it; ask its owner for the right to write to its "
        "folder and files, or name another store"
    )


def _link(folder: Path, aside: Path) -> None:
    """Make a folder that opens as a store's does: the tail first, since rows go from there on."""
    for name in (STATE_FOLDER, _LOG):
        (aside / name).mkdir()
    for each in _inside(folder / STATE_FOLDER):
        if each.name in _COPIED:
            shutil.copyfile(each, aside / STATE_FOLDER / each.name)
        elif each.suffix == ".parquet":
            (aside / STATE_FOLDER / each.name).symlink_to(each)
    for each in _inside(folder / _LOG):
        (aside / _LOG / each.name).symlink_to(each)
    for each in _inside(folder):
        if each.name not in (STATE_FOLDER, _LOG):
            (aside / each.name).symlink_to(each)


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _has_table(url: str) -> bool:
    """Ask a bucket whether there is a table; not for minutes, as its library does by itself."""
    try:
        from deltalake import DeltaTable

        from tallow.data.store.table import delta_errors
    except ModuleNotFoundError as error:
        raise needs_package(url, error) from error
    seconds = f"{STORE_CONNECT_SECONDS:g}s"
    options = {"connect_timeout": seconds, "timeout": seconds, "max_retries": "2"}
    with delta_errors(url):
        return DeltaTable.is_deltatable(url, options)


def _ask_database(url: str, to_write: bool) -> None:
    name = without_secrets(url)
    try:
        from tallow.data.store.postgres_version import require_version, version_of
        from tallow.data.store.server import Server
    except ModuleNotFoundError as error:
        raise needs_package(name, error) from error
    server = Server(url)
    try:
        version = version_of(server)
    finally:
        server.close()
    if version is not None:
        require_version(version, name)
    elif not to_write:
        raise no_store(name)
