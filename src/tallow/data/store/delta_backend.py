"""The backend of a folder or a bucket: a log in a Delta table, and all that is done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tallow.data.store.backend import StoreStats
from tallow.data.store.commits import require_log
from tallow.data.store.copying import contents, load, take_ledger
from tallow.data.store.delta import DeltaLog
from tallow.data.store.files import damaged
from tallow.data.store.flush import flush, writing
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
    ) -> None:
        super().__init__(location, state, options, create, clock, to_fill)
        # In this order: meanwhile, others may commit.
        reached = self.tail_file.fact("reached")
        take_ledger(self, self.transaction_version(COPIED))
        require_log(self.location.folder, self.location.root, self.files().version, reached)

    writing, flush = writing, flush
    compact, prune = compact, prune
    contents, load = contents, load

    def stats(self) -> StoreStats:
        """Return how much there is, and how it is stored."""
        return self.view().stats()

    def damaged(self) -> list[str]:
        """Return what is wrong with which files."""
        return list(damaged(self.location, self.files().facts).values())
