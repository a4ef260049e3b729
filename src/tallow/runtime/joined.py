"""Stored candles of instruments that go on where others ended; see `tallow.data.joins`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tallow.data.joins import Joined
from tallow.runtime.stored import StoredCandles


@dataclass(frozen=True)
class JoinedCandles(StoredCandles):
    """Candles with those of an instrument's predecessors, under its own name."""

    joined: Joined

    def read(self, names: Sequence[str], start: int | None, end: int | None) -> pl.DataFrame:
        """Return candles with ``start <= timestamp < end``, sorted by instrument and time."""
        return self.joined.read(names, start, end, super().read)

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Do as the log does, of every key of an instrument's history; other joins are no change.

        They are another `identity`.
        """
        changed = super().changed_between
        return self.joined.changed(names, lambda keys: changed(keys, moment))

    def names(self) -> set[str]:
        """Return all instruments that ever had candles, or predecessors with such."""
        names = super().names()
        pieces = self.joined.pieces.items()
        return names | {name for name, own in pieces if any(p.key in names for p in own)}

    def identity(self, name: str) -> tuple[str, ...]:
        """Return what says which candles an instrument's are, revisions aside."""
        pieces = self.joined.pieces.get(name)
        own = super().identity(name)
        return own if pieces is None else (*own, repr(pieces))
