"""What changed: rows by their keys, the newest of each, and bars that are to be asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tallow.runtime.live.bar_rows import BarRows
from tallow.service.limits import STREAM_CHANGED_ROWS_MAX, STREAM_RECENT_MAX

Key = tuple[str, str, int]
"""Timeframe, instrument, and a bar's open in microseconds."""

Series = tuple[str, str]
"""Timeframe and instrument."""


class StreamRow:
    """A bar's row as it is after a change.

    Attributes
    ----------
    seq
        The number of the change.
    values
        The bar's fields, float64, as bytes of its own: a view would keep all rows of the change.
    columns, text
        For which columns it was encoded last, and the text.
    """

    __slots__ = ("columns", "is_final", "key", "revision", "seq", "text", "values")

    def __init__(self, key: Key, seq: int, is_final: bool, revision: int, values: bytes) -> None:
        self.key, self.seq, self.is_final = key, seq, is_final
        self.revision, self.values = revision, values
        self.columns: object = None
        self.text = ""


@dataclass(frozen=True, slots=True)
class ChangedFrom:
    """Bars of a series that open at `since` or later may differ; so said by the change `seq`."""

    seq: int
    since: int

    def joined(self, earlier: ChangedFrom | None) -> ChangedFrom:
        """Return one mark for both."""
        return self if earlier is None else ChangedFrom(self.seq, min(self.since, earlier.since))


@dataclass
class RowChanges:
    """The newest row of each key that changed, and marks of series."""

    rows: dict[Key, StreamRow] = field(default_factory=dict)
    marks: dict[Series, ChangedFrom] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows) + len(self.marks)

    def update(self, later: RowChanges) -> None:
        """Take later changes, too."""
        self.rows.update(later.rows)
        for series, mark in later.marks.items():
            self.marks[series] = mark.joined(self.marks.get(series))

    def shown(self) -> list[StreamRow]:
        """Return the rows to be shown: those before a mark are asked for anyhow."""
        if not self.marks:
            return list(self.rows.values())
        return [row for row in self.rows.values() if not _is_before(row, self.marks)]


def _is_before(row: StreamRow, marks: Mapping[Series, ChangedFrom]) -> bool:
    mark = marks.get(row.key[:2])
    return mark is not None and row.seq <= mark.seq and row.key[2] >= mark.since


class RecentChanges:
    """The last changes of all keys, for whoever was away.

    Attributes
    ----------
    floor
        Of changes up to this one, some are no longer there.
    """

    def __init__(self, limit: int = STREAM_RECENT_MAX) -> None:
        self._limit = limit
        self._found: OrderedDict[Key | Series, StreamRow | ChangedFrom] = OrderedDict()
        self.floor = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, changes: RowChanges) -> None:
        """Take the rows and marks of a change."""
        found = self._found
        for key, row in changes.rows.items():
            if key in found:
                found.move_to_end(key)
            found[key] = row
        for series, mark in changes.marks.items():
            before = found.get(series)
            found[series] = mark.joined(before if isinstance(before, ChangedFrom) else None)
            found.move_to_end(series)
        while len(found) > self._limit:
            _, oldest = found.popitem(last=False)
            self.floor = oldest.seq

    def forget(self, seq: int) -> None:
        """Forget all, as changes up to `seq` were not seen."""
        self._found.clear()
        self.floor = seq

    def since(self, seq: int) -> RowChanges | None:
        """Return what changed after `seq`, oldest first; None where that is no longer known."""
        if seq < self.floor:
            return None
        rows: list[StreamRow] = []
        found = RowChanges()
        for key, each in reversed(self._found.items()):
            if each.seq <= seq:
                break
            if isinstance(each, StreamRow):
                rows.append(each)
            else:
                found.marks[key[:2]] = each
        found.rows = {row.key: row for row in reversed(rows)}
        return found


def changes_of(timeframe: str, rows: BarRows, names: list[str], seq: int) -> RowChanges:
    """Return the rows of a change as the stream has them; marks where there are too many."""
    marks: dict[Series, ChangedFrom] = {}
    if len(rows) > STREAM_CHANGED_ROWS_MAX:
        rows, marks = _without_many(timeframe, rows, names, seq)
    return RowChanges(_rows(timeframe, rows, names, seq), marks)


def _rows(timeframe: str, rows: BarRows, names: list[str], seq: int) -> dict[Key, StreamRow]:
    data = np.ascontiguousarray(rows.values.T).tobytes()
    width = 8 * len(rows.fields)
    places = range(0, len(data), width)
    found = {}
    parts = (rows.instrument, rows.timestamp, rows.is_final, rows.revision)
    for number, opened, is_final, revision, at in zip(
        *(part.tolist() for part in parts), places, strict=True
    ):
        key = (timeframe, names[number], opened)
        found[key] = StreamRow(key, seq, is_final, revision, data[at : at + width])
    return found


def _without_many(
    timeframe: str, rows: BarRows, names: list[str], seq: int
) -> tuple[BarRows, dict[Series, ChangedFrom]]:
    """Return the rows of instruments with few, and marks of the others."""
    counts = np.bincount(rows.instrument)
    is_many = counts[rows.instrument] > STREAM_CHANGED_ROWS_MAX
    marks = {}
    for number in np.flatnonzero(counts > STREAM_CHANGED_ROWS_MAX).tolist():
        since = int(rows.timestamp[rows.instrument == number].min())
        marks[timeframe, names[number]] = ChangedFrom(seq, since)
    return rows.take(~is_many), marks
