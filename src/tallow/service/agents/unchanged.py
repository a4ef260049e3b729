"""A store that is read, and left as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tallow.core.errors import StoreError
from tallow.core.time import now_us
from tallow.data.store.store import Store, open_backend


class UnchangedStore(Store):
    """A store whose folder is the same before and after, byte by byte.

    What is derived beside it, to be faster the next time, goes to a folder that is gone at the end;
    writes are refused.

    Raises
    ------
    StoreError
        If there is no store, or it cannot be opened.
    """

    def __init__(self, location: str) -> None:
        open_it: Callable[[bool], Any] = partial(open_backend, location, None, None, now_us)
        super().__init__(open_it)
        self._derived = tempfile.TemporaryDirectory(prefix="tallow-")

    @property
    def state_folder(self) -> Path:
        """The folder for what is derived from the store."""
        return Path(self._derived.name)

    def close(self) -> None:
        """Let go of the store, and of what was derived."""
        super().close()
        self._derived.cleanup()

    def write(self, *_: Any, **_options: Any) -> NoReturn:
        """Refuse."""
        raise StoreError("store: was opened to be read; nothing is written to it")

    append = delete = write
