"""Corporate actions in a store: rows of the same log, with revisions and `as_of` like candles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tallow.data.actions import KINDS, actions_from_rows, actions_to_rows, read_actions
from tallow.data.schema import CANDLE_SCHEMA, OPEN_INTEREST
from tallow.data.store.classify import classify, classify_deletions
from tallow.data.store.log import Backend, Selection, current
from tallow.data.store.write import WriteReport, append

ACTION = "action"
"""The timeframe of such rows in the log; their adjustment is the kind of the action."""

_COLUMNS = (*CANDLE_SCHEMA, "revision", "deleted")


@dataclass(frozen=True)
class StoredActions:
    """The corporate actions of a store."""

    backend: Backend

    def record(self, source: Any) -> dict[str, WriteReport]:
        """Add actions, or correct them; return a report per kind.

        Parameters
        ----------
        source
            What `tallow.data.actions.read_actions` takes: a file or a frame.

        Raises
        ------
        ActionError
            If an action breaks a rule; nothing is recorded then.
        """
        none = pl.lit(None, pl.Float64).alias(OPEN_INTEREST)
        name = str(source) if isinstance(source, str) else "actions"
        return {
            kind: append(self.backend, rows.with_columns(none), (ACTION, kind, name), classify)
            for kind, rows in actions_to_rows(read_actions(source)).items()
        }

    def withdraw(self, source: Any) -> dict[str, WriteReport]:
        """Take back actions that never were; `as_of` before it still knows them."""
        return {
            kind: append(
                self.backend,
                rows.select("instrument", "timestamp"),
                (ACTION, kind, "withdraw"),
                classify_deletions,
            )
            for kind, rows in actions_to_rows(read_actions(source)).items()
        }

    def read(
        self, instruments: Sequence[str] | None = None, as_of: int | None = None
    ) -> pl.DataFrame:
        """Return the actions known now, or at a moment, as `read_actions` does."""
        names = None if instruments is None else tuple(sorted(set(instruments)))
        before = None if as_of is None else as_of + 1
        return actions_from_rows(
            {
                kind: current(
                    self.backend.scan(
                        Selection(names, ACTION, kind, None, None, None, before), _COLUMNS
                    )
                )
                for kind in KINDS
            }
        )
