"""What a store knew at a moment, as a screen of the past means it.

A first version counts as known at its bar's close, whenever it was received: history that was
filled in later was there for whoever watched the market. Later versions count by receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.text import counted
from tallow.data.joins import JoinedHistories
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST
from tallow.data.store.log import Selection

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreState

_FIRST = 1
"""The number of a key's first revision."""


@dataclass(frozen=True)
class LaterReceipts:
    """What a store received after a moment, of candles that had opened by another one.

    Attributes
    ----------
    first
        How many first versions: they count all the same.
    revised
        How many later versions and deletions: they do not count.
    instruments
        Those that have such later versions, or go on from one that has: their candles are read as
        they were.
    """

    first: int
    revised: int
    instruments: tuple[str, ...]

    @classmethod
    def of(
        cls,
        state: StoreState,
        names: Sequence[str] | None,
        kind: tuple[str, str],
        known_at: int,
        until: int,
        joined: JoinedHistories,
    ) -> LaterReceipts:
        """Look into the log; `kind` is a source timeframe and an adjustment."""
        keys_of = {name: {piece.key for piece in own} for name, own in joined.pieces.items()}
        keys = names and sorted(set(names).union(*(keys_of.get(name, ()) for name in names)))
        selection = Selection.of(keys, *kind, None, until, None)
        columns = ["instrument", "timestamp", "revision"]
        later = state.view().scan(selection.replace(received_from=known_at + 1), columns)
        revised = later.filter(pl.col("revision") > _FIRST)
        changed = set(revised["instrument"])
        changed |= {name for name, own in keys_of.items() if own & changed}
        return cls(len(later) - len(revised), len(revised), tuple(sorted(changed)))

    def sentences(self) -> tuple[str, ...]:
        """Return what a person should know."""
        said = []
        if self.first:
            said.append(
                f"received first after that moment: {counted(self.first, 'candle')}, counted as "
                "known at the bar's close"
            )
        if self.revised:
            said.append(
                f"received after that moment: {counted(self.revised, 'later version')}, of "
                f"{counted(len(self.instruments), 'instrument')}, not counted"
            )
        return tuple(said)


def candles_known(
    state: StoreState,
    names: Sequence[str],
    kind: tuple[str, str],
    known_at: int,
    until: int,
    joined: JoinedHistories,
) -> pl.DataFrame:
    """Return the candles of instruments that open before a time, as they were known.

    Those of predecessors are among them, under the names of who goes on from them.
    """
    size, adjustment = kind
    known = pl.col("received_at").to_physical() <= known_at

    def read(keys: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        limits = {"start": start, "end": end}
        log = state.log(list(keys), source_timeframe=size, adjustment=adjustment, **limits)
        rows = log.filter(known | (pl.col("revision") == _FIRST))
        last = rows.unique(("instrument", "timestamp"), keep="last", maintain_order=True)
        return last.filter(~pl.col("deleted")).select(*CANDLE_SCHEMA, OPEN_INTEREST)

    return joined.read(names, None, until, read)
