"""Corporate actions and joins in a store: rows of the same log, with revisions and `known_at`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from tallow.core.renamed import renamed
from tallow.data.actions import (
    JOIN,
    JOIN_SCHEMA,
    KINDS,
    actions_from_rows,
    actions_to_rows,
    read_records,
)
from tallow.data.joins import joins_from_rows, joins_to_rows, require_no_cycle
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST
from tallow.data.store.backend import Backend, LogView
from tallow.data.store.classify import classify, classify_deletions
from tallow.data.store.log import ACTION, Selection, current_rows
from tallow.data.store.write import WriteReport, append

_COLUMNS = (*CANDLE_SCHEMA, "revision", "deleted", "source")


@dataclass(frozen=True)
class StoredActions:
    """The corporate actions of a store."""

    backend: Backend
    view: Callable[[], LogView]

    def record(self, source: Any) -> dict[str, WriteReport]:
        """Add actions and joins, or correct them; return a report per kind.

        Parameters
        ----------
        source
            What `tallow.data.actions.read_records` takes: a file or a frame.

        Raises
        ------
        ActionError
            If one breaks a rule, or joins would make a key its own predecessor; nothing is recorded
            then.
        """
        actions, joins = read_records(source)
        self._require_no_cycle(joins)
        none = pl.lit(None, pl.Float64).alias(OPEN_INTEREST)
        name = str(source) if isinstance(source, str) else "actions"
        reports = {
            kind: append(self.backend, rows.with_columns(none), (ACTION, kind, name), classify)
            for kind, rows in actions_to_rows(actions).items()
        }
        joined = [
            append(self.backend, rows, (ACTION, JOIN, predecessor), classify)
            for predecessor, rows in joins_to_rows(joins).items()
        ]
        return reports | _together(joined)

    def withdraw(self, source: Any) -> dict[str, WriteReport]:
        """Take back actions and joins that never were; `known_at` before it still knows them."""
        actions, joins = read_records(source)
        rows = actions_to_rows(actions)
        if len(joins):
            rows[JOIN] = pl.concat(joins_to_rows(joins).values()).sort("instrument", "timestamp")
        return {
            kind: append(
                self.backend,
                own.select("instrument", "timestamp"),
                (ACTION, kind, "withdraw"),
                classify_deletions,
            )
            for kind, own in rows.items()
        }

    @renamed(as_of="known_at")
    def read(
        self, instruments: Sequence[str] | None = None, known_at: int | None = None
    ) -> pl.DataFrame:
        """Return the actions known now, or at a moment, as `read_records` does."""
        names = None if instruments is None else tuple(sorted(set(instruments)))
        return actions_from_rows({kind: self._rows(kind, names, known_at) for kind in KINDS})

    @renamed(as_of="known_at")
    def joins(self, known_at: int | None = None) -> pl.DataFrame:
        """Return the joins known now, or at a moment: columns of `JOIN_SCHEMA`."""
        # Most stores have none, which costs next to nothing to know.
        if not self.view().has_interest(Selection(None, ACTION, JOIN)):
            return pl.DataFrame(schema=JOIN_SCHEMA)
        return joins_from_rows(self._rows(JOIN, None, known_at))

    def _rows(self, kind: str, names: tuple[str, ...] | None, known_at: int | None) -> pl.DataFrame:
        before = None if known_at is None else known_at + 1
        wanted = Selection(names, ACTION, kind, None, None, None, before)
        return current_rows(self.view().scan(wanted, _COLUMNS))

    def _require_no_cycle(self, joins: pl.DataFrame) -> None:
        """Raise `ActionError` if joins, beside those that are known, make a cycle."""
        if len(joins):
            # A correction takes the place of what it corrects.
            known = self.joins().join(joins, on=["instrument", "ex_date"], how="anti")
            require_no_cycle(pl.concat([known, joins]))


def _together(reports: Sequence[WriteReport]) -> dict[str, WriteReport]:
    """Return the writes of joins, one for each predecessor, as one report."""
    if not reports:
        return {}
    last = reports[-1]
    names = ("rows_in", "new", "identical", "revised", "quarantined")
    sums = {name: sum(getattr(each, name) for each in reports) for name in names}
    received = [each.received_at for each in reports if each.received_at is not None]
    received_at = received[-1] if received else None
    return {JOIN: replace(last, **sums, received_at=received_at, follows=reports[0].follows)}
