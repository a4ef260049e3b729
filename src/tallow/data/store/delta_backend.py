"""The backend of a folder or a bucket: a log in a Delta table, and all that is done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from tallow.core.limits import STORE_GROUP_SECONDS
from tallow.data.store.backend import Meanwhile, StoreStats, T
from tallow.data.store.commits import require_log
from tallow.data.store.copying import contents, load, take_ledger
from tallow.data.store.delta import DeltaLog
from tallow.data.store.files import damaged
from tallow.data.store.flush import Tidier, flush, is_long, write_group, writing
from tallow.data.store.group import WriteQueue
from tallow.data.store.maintenance import compact, prune
from tallow.data.store.table import COPIED


class DeltaBackend(DeltaLog):
    """Keeps a log in a Delta table and a tail; see `tallow.data.store.backend.Backend`."""

    def __init__(
        self,
        location: Path | str,
        state: Path,
        options: Mapping[str, str] | None,
        create: bool,
        clock: Callable[[], int],
        to_fill: bool = False,
        longest_wait: float = STORE_GROUP_SECONDS,
    ) -> None:
        super().__init__(location, state, options, create, clock, to_fill)
        self._tidier = Tidier(self)
        self._queue = WriteQueue(partial(write_group, self), longest_wait)
        # In this order: meanwhile, others may commit.
        reached = self.tail_file.fact("reached")
        take_ledger(self, self.transaction_version(COPIED))
        require_log(self.location.folder, self.location.root, self.files().version, reached)

    def write(
        self,
        work: Callable[[Any], T],
        rows: int,
        meanwhile: Meanwhile = nullcontext,
    ) -> T:
        """Do a write, in one commit with others that wait; flush beside it where the tail is long.

        Files are no part of a transaction, so a long write has a commit of its own.
        """
        done: T = self._queue.write(work, is_long(rows), meanwhile)
        self._tidier.look(rows)
        return done

    def close(self) -> None:
        """Wait for a flush that is under way, and close the tail's file."""
        self._tidier.end()
        super().close()

    writing, flush = writing, flush
    compact, prune = compact, prune
    contents, load = contents, load

    def stats(self) -> StoreStats:
        """Return how much there is, and how it is stored."""
        return self.view().stats()

    def tail_rows(self) -> int | None:
        """Return how many rows were in the tail at the last write of this process."""
        return self.tail_file.written.rows

    def damaged(self) -> list[str]:
        """Return what is wrong with which files."""
        return list(damaged(self.location, self.files().facts).values())
