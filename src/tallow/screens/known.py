"""What of a store came later than a moment, and what a screen of that moment makes of it.

First versions count, and later ones do not: `tallow.data.store.known`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.text import counted
from tallow.data.actions import KINDS
from tallow.data.adjust import ADJUSTMENTS
from tallow.data.joins import JoinedHistories
from tallow.data.store.log import ACTION, Selection

if TYPE_CHECKING:
    from tallow.data.store.reader import StoreState


@dataclass(frozen=True)
class LaterReceipts:
    """What a store received after a moment, of candles that had opened by another one.

    Attributes
    ----------
    first
        How many first versions: they count all the same.
    revised
        How many later versions and deletions: they do not count.
    first_actions, revised_actions
        The same of corporate actions, where prices are adjusted by them.
    instruments
        Those that have such later versions, or go on from one that has: their candles are read as
        they were.
    """

    first: int = 0
    revised: int = 0
    first_actions: int = 0
    revised_actions: int = 0
    instruments: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        state: StoreState,
        names: Sequence[str] | None,
        kind: tuple[str, str],
        moments: tuple[int, int],
        joined: JoinedHistories,
    ) -> LaterReceipts:
        """Look into the log.

        `kind` is a source timeframe and an adjustment; `moments` are the one that counts for
        receipts, and the one by which candles have opened.
        """
        known_at, until = moments
        keys_of = {name: {piece.key for piece in own} for name, own in joined.pieces.items()}
        keys = None
        if names is not None:
            keys = tuple(sorted({*names}.union(*(keys_of.get(name, ()) for name in names))))
        later = Selection(keys, None, None, None, None, known_at + 1)
        size, adjustment = kind
        is_adjusted, changed = adjustment in ADJUSTMENTS, set[str]()
        candles = [
            later.replace(timeframe=size, adjustment=each, end=until)
            for each in (("raw", *ADJUSTMENTS) if is_adjusted else (adjustment,))
        ]
        actions = [
            later.replace(timeframe=ACTION, adjustment=each, end=max(moments))
            for each in (KINDS if is_adjusted else ())
        ]
        first, revised = _counted(state, candles, changed)
        first_actions, revised_actions = _counted(state, actions, changed)
        changed |= {name for name, own in keys_of.items() if own & changed}
        return cls(first, revised, first_actions, revised_actions, tuple(sorted(changed)))

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
        if self.first_actions:
            actions = counted(self.first_actions, "corporate action")
            said.append(f"received first after that moment: {actions}, counted from the ex-date on")
        if self.revised_actions:
            said.append(
                f"received after that moment: {counted(self.revised_actions, 'later version')} of "
                "corporate actions, not counted"
            )
        return tuple(said)


def _counted(
    state: StoreState, selections: Sequence[Selection], changed: set[str]
) -> tuple[int, int]:
    """Return how many first and later versions there are; add the instruments of the latter."""
    first = revised = 0
    for selection in selections:
        rows = state.view().scan(selection, ["instrument", "timestamp", "revision"])
        later = rows.filter(pl.col("revision") > 1)
        first, revised = first + len(rows) - len(later), revised + len(later)
        changed.update(later["instrument"])
    return first, revised
