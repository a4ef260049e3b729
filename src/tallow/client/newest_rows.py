"""What a client of the stream holds: the newest row of each key, made of messages in any way cut.

No socket is known here: messages go in as they come, and what changed comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import polars as pl

_TYPES: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "timeframe": pl.String,
    "instrument": pl.String,
    "timestamp": pl.Datetime("us", "UTC"),
    "candles": pl.Int64,
    "is_final": pl.Boolean,
    "revision": pl.Int64,
}
"""Types of columns that every row has; the service says those of others, or they are float64."""

_KINDS: Mapping[str, type[pl.DataType]] = {
    "int8": pl.Int8,
    "int16": pl.Int16,
    "string": pl.String,
}

Row = list[Any]
Key = tuple[str, str, int]


def rows_frame(
    rows: Sequence[Row], columns: Sequence[str], types: Mapping[str, str] = MappingProxyType({})
) -> pl.DataFrame:
    """Return rows of the stream as a frame, in the order in which they are given.

    `types` are those of columns that are not float64, as the service says them.
    """
    said = {name: _KINDS[kind] for name, kind in types.items() if kind in _KINDS}
    schema = {name: _TYPES.get(name, said.get(name, pl.Float64)) for name in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True)
class StreamUpdate:
    """What a message of the stream changed.

    Attributes
    ----------
    kind
        ``snapshot``, ``rows``, ``members`` or ``alerts``; ``resync`` where what was held before may
        lack changes, and is forgotten.
    seq
        The number of the newest change that is in it.
    frame
        Of ``snapshot`` and ``rows``: the rows, with columns `timeframe`, `instrument`, `timestamp`
        and those of a bar; a row of 0 `candles` is of a bar that is no longer there.
    changed
        A frame of `timeframe`, `instrument` and `timestamp`: bars that open then or later may
        differ from what was held; ask the service for them.
    entered, left
        Of a screen: instruments. Those of a ``snapshot`` entered.
    alerts
        As the service tells them.
    reason
        Of a ``resync``.
    """

    kind: str
    seq: int
    frame: pl.DataFrame
    changed: pl.DataFrame
    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    alerts: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""


@dataclass
class NewestRows:
    """The rows of one subscription, by key, and how far they are complete.

    Attributes
    ----------
    types
        The types of columns that are not float64, as the service says them.
    stream, seq
        What to resume from: the run of the service, and the newest change that is whole.
    members
        Of a screen: the instruments that match.
    """

    columns: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    stream: str | None = None
    seq: int | None = None
    members: set[str] = field(default_factory=set)
    _rows: dict[Key, Row] = field(default_factory=dict)
    _is_within: bool = False

    def begin(self, stream: str, answer: Mapping[str, Any]) -> None:
        """Take the service's answer to a subscription, of a run of the service."""
        self.stream = stream
        self.columns = tuple(answer.get("columns", ()))
        if not answer.get("resumed"):
            self.seq = answer["seq"]

    def take(self, message: Mapping[str, Any]) -> StreamUpdate:
        """Take a message of the subscription, and return what it changed."""
        kind, seq = message["type"], message.get("seq", self.seq or 0)
        # Parts of one snapshot follow each other: only the first forgets what was held.
        if kind in ("snapshot", "resync") and not self._is_within:
            self._rows.clear()
            self.members.clear()
        rows: list[Row] = message.get("rows", [])
        self._put(rows)
        entered = tuple(message.get("members", message.get("entered", ())))
        left = tuple(message.get("left", ()))
        self.members.update(entered)
        self.members.difference_update(left)
        self._is_within = bool(message.get("more"))
        if kind != "resync" and not self._is_within:
            self.seq = seq
        return StreamUpdate(
            kind,
            seq,
            rows_frame(rows, self.columns, self.types),
            rows_frame(message.get("changed", []), ("timeframe", "instrument", "timestamp")),
            entered,
            left,
            tuple(message.get("alerts", ())),
            message.get("reason", ""),
        )

    def pass_to(self, seq: int) -> None:
        """Note that nothing changed up to `seq`."""
        if self.seq is not None:
            self.seq = max(self.seq, seq)

    def frame(self) -> pl.DataFrame:
        """Return all rows that are held, sorted by timeframe, instrument and time."""
        return rows_frame([self._rows[key] for key in sorted(self._rows)], self.columns, self.types)

    def _put(self, rows: Iterable[Row]) -> None:
        candles = self.columns.index("candles") if "candles" in self.columns else None
        for row in rows:
            key = (row[0], row[1], row[2])
            if candles is not None and row[candles] == 0:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
