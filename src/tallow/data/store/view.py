"""One state of a log that lies in files and a tail: what a reader sees, whatever is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tallow.data.store.files import FileIndex, Place, damaged, naming, require_whole
from tallow.data.store.log import Selection
from tallow.data.store.order import in_log_order
from tallow.data.store.tail import NO_ROWS, Tail


@dataclass(frozen=True)
class View:
    """One state of the log: a tail and the files, each batch in one of the two."""

    place: Place
    tail: Tail
    files: FileIndex

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return the rows of a selection in the log's order."""
        newest = max(self.files.last_received, self.tail.last_received)
        if selection.received_before is not None and selection.received_before > newest:
            selection = selection.replace(received_before=None)
        facts = self.files.select(selection)
        if (broken := damaged(self.place, facts)) and not skip_damaged:
            require_whole(broken)
        if broken:
            facts = facts.filter(~pl.col("path").is_in(list(broken)))
        parts = [self._read(facts["path"].to_list(), selection, columns)] if len(facts) else []
        if len(late := self.tail.scan(selection, columns)):
            parts.append(late)
        if not parts:
            return NO_ROWS.select(columns)
        rows = parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=False)
        return rows if len(parts) == len(facts) == 1 else in_log_order(rows)

    def _read(self, paths: list[str], selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        with naming(self.place.of(paths[0] if len(paths) == 1 else "")):
            rows = self.place.scan(paths).filter(selection.where()).select(columns)
            return rows.collect()
