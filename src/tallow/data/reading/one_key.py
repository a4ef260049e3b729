"""Whether files that come one after the other, and are given one key, are of one instrument."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.reading.schema import NUMBERS, example_pattern

_SHARED_MIN = 2
"""Of fewer candles of the same time, one may have been forming when it was fetched."""


@dataclass
class OneKey:
    """Watches files to which one key is given: where they overlap, they say the same of something.

    Several instruments' files do not, and each would correct the one before it. Of each file a
    number is kept for each candle.
    """

    key: str | None
    _seen: dict[Hashable, list[tuple[str, pl.DataFrame]]] = field(default_factory=dict)

    def take(self, source: str, candles: pl.DataFrame, series: Hashable) -> None:
        """Take the sorted candles of the next file; those of other series are others.

        Raises
        ------
        CandleInputError
            If they cannot be the instrument of a file before; this one does not count then.
        """
        if self.key is None or not len(candles):
            return
        digest = candles.select(NUMBERS).hash_rows()
        rows = candles.select("timestamp", digest.alias("digest"))
        first, last = rows["timestamp"][0], rows["timestamp"][-1]
        seen = self._seen.setdefault(series, [])
        for other, before in seen:
            if last < before["timestamp"][0] or first > before["timestamp"][-1]:
                continue
            shared = rows.join(before, on="timestamp")
            equal = int((shared["digest"] == shared["digest_right"]).sum())
            if len(shared) >= _SHARED_MIN and not equal:
                raise CandleInputError(
                    f"{source}: instrument={self.key!r} given for it and for {other}, and not one "
                    f"of their {len(shared):,} candles of the same time is equal; are they one "
                    f"instrument? If each file has its own, pass pattern="
                    f"'{example_pattern(source)}'; if they are one, ingest each by itself"
                )
        seen.append((source, rows))
