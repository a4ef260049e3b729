"""What a store's name means: a folder, or the URL of a bucket; never a second name of another.

The libraries below take names for URLs, each in its own way: one decodes ``%41`` to ``A``, another
does not, and ``a/../b`` is shortened without a look at links. Each would then work in a folder of
its own. So a folder's name is made plain before they see it, and a bucket's is refused where it is
not.
"""

from __future__ import annotations

import os
import re
import shutil
import weakref
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

from tallow.core.disk import may_access
from tallow.core.errors import StoreError
from tallow.core.text import without_secrets

STATE_FOLDER = "_tallow"
"""In a store's folder, what is kept beside its table: the tail, the ledger."""

SNAPSHOT_FILE = "snapshots.sqlite"
"""There as well: kernel states, which are derived, and may be deleted at any time."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_CHANGED_IN_FOLDERS = re.compile(r"%[0-9A-Fa-f]{2}|[\\\x00-\x1f\x7f]")
_CHANGED_IN_URLS = re.compile(r"[%?#\\\s\x00-\x1f\x7f]|/\.{0,2}(?=/|$)")
"""What deltalake, obstore and Polars decode, cut off or shorten."""


def plain_location(location: str | Path) -> Path | str:
    """Return the folder that a name means, links followed, or a bucket's URL in its one spelling.

    `StoreError` if it is a URL that means another place to one library than to the next.

    Examples
    --------
    >>> plain_location("s3://bucket/candles/")
    's3://bucket/candles'
    """
    text = str(location)
    found = _SCHEME.fullmatch(text) if isinstance(location, str) else None
    if found is None:
        return _folder(text, text)
    scheme, rest = found[1].lower(), found[2].rstrip("/")
    if scheme == "file":
        return _folder(_path_of(text), text)
    if ":" in rest.partition("/")[0].rpartition("@")[0]:
        # Not with the address in it: a library's message would hand the key on.
        raise StoreError(
            f"store: {without_secrets(text)}: has a key in it; a bucket's address has none; give "
            "keys by the environment, such as AWS_SECRET_ACCESS_KEY, or by "
            "open_store(..., storage_options=...)"
        )
    if wrong := _CHANGED_IN_URLS.search(f"/{rest}"):
        raise StoreError(
            f"store: {text!r}: {wrong[0]!r} is changed in a URL; a bucket's folder is named "
            "without spaces, %, ?, #, backslashes and dots alone; choose another name"
        )
    return f"{scheme}://{rest}"


def _path_of(url: str) -> str:
    # Late: it brings the libraries of HTTP and TLS.
    from urllib.request import url2pathname

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise StoreError(
            f"store: {url!r}: names no folder of this machine; write file:///folder, with %23 for "
            "# and %3F for ?, or the folder's plain name"
        )
    return url2pathname(parts.path)


def _folder(path: str, text: str) -> Path:
    try:
        path.encode()
        return Path(path).expanduser().resolve()
    except (ValueError, RuntimeError, OSError) as error:
        # No UTF-8, a zero byte, a home that nobody has, links in a circle.
        raise StoreError(f"store: {text!r}: names no folder: {error}; name another") from error


class TableFolder:
    """A folder whose Delta table can be opened by `name`, whatever the folder's own name is.

    Where a URL would change that, `name` is a folder of this process alone, in which ``_delta_log``
    is a link to the real one: the library reads and writes nothing else. It goes with this object.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        if _CHANGED_IN_FOLDERS.search(self.name):
            link = private_folder(self)
            if _CHANGED_IN_FOLDERS.search(str(link)):
                raise StoreError(
                    f"store: {self.name!r}: is changed in a URL, and so is the folder for "
                    f"temporary files, {str(link)!r}; set TMPDIR to one with a plain name"
                )
            (link / "_delta_log").symlink_to(folder / "_delta_log", target_is_directory=True)
            self.name = str(link)


def no_store(name: str) -> StoreError:
    """Return the error of a place that holds no store, by its name without secrets."""
    return StoreError(
        f"store: {name}: holds no store; check the name, or create one with "
        f"tallow ingest INPUT... --store {name}"
    )


def needs_package(name: str, error: ModuleNotFoundError) -> StoreError:
    """Return the error of a store, by its name without secrets, that a missing package opens."""
    return StoreError(
        f"store: {name}: needs {error.name}; install it with: pip install 'tallow[store]'"
    )


def private_folder(owner: object) -> Path:
    """Make a temporary folder that only this user can enter; it goes with its owner."""
    folder = Path(mkdtemp(prefix="tallow-")).resolve()
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def require_folder(folder: Path, create: bool) -> None:
    """Raise `StoreError` if a folder is none, or not this user's to read, or to make."""
    above = next((p for p in (folder, *folder.parents) if os.path.lexists(p)), folder)
    if not os.path.isdir(above):  # noqa: PTH112 - pathlib raises where it may not look
        raise StoreError(f"store: {above}: is a file; a store is a folder; name another one")
    if above == folder and not may_access(folder, os.R_OK | os.X_OK):
        raise StoreError(
            f"store: {folder}: this user may not read it; ask its owner for the right to read its "
            "folder and files"
        )
    if create and above != folder and not may_access(above, os.W_OK | os.X_OK):
        raise StoreError(
            f"store: {folder}: this user may not write to {above}; make it elsewhere, or ask its "
            "owner for the right to"
        )
