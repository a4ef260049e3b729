"""Rows of bars as arrays: what a live update returns, and how two versions differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.operator import Output
from tallow.data.kernels.live_rows import differing
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE
from tallow.runtime.output_kinds import in_kind

BAR_FIELDS = (*NUMBERS, OPEN_INTEREST, "candles")
"""The fields of a bar, in the order in which its state holds them."""
CANDLES = BAR_FIELDS.index("candles")


@dataclass(frozen=True, eq=False)
class BarRows:
    """Bars of one timeframe, each instrument's in ascending time.

    Attributes
    ----------
    times
        int64 ``[3, rows]``: the instruments' numbers; the bars' opens and their calendar ends, in
        microseconds since 1970 UTC.
    is_final
        Whether the bar has closed.
    revision
        int64, the last update that changed the row.
    values
        float64 ``[fields, rows]``, one row of memory per field; NaN is missing. A removed bar has
        0 candles, and nothing else.
    fields
        ``open`` to ``volume``, ``open_interest``, ``candles``, then the indicators' columns.
    """

    times: Times
    is_final: Flags
    revision: Ints
    values: Floats
    fields: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.is_final)

    @property
    def instrument(self) -> Ints:
        """The instruments' numbers, int64."""
        numbers: Ints = self.times[0]
        return numbers

    @property
    def timestamp(self) -> Times:
        """When the bars open, int64 microseconds."""
        times: Times = self.times[1]
        return times

    @property
    def end(self) -> Times:
        """When the bars end by the calendar, int64 microseconds."""
        times: Times = self.times[2]
        return times

    def __getitem__(self, field: str) -> Floats:
        """Return one field's values, as a view."""
        values: Floats = self.values[self.fields.index(field)]
        return values

    def take(self, where: Any) -> BarRows:
        """Return some of the rows, by an index or a mask; by a slice, as views."""
        final, revision = self.is_final[where], self.revision[where]
        return BarRows(self.times[:, where], final, revision, self.values[:, where], self.fields)

    def as_removed(self, revision: int) -> BarRows:
        """Return these rows as those of bars that an update removed."""
        values = np.full_like(self.values, np.nan)
        values[CANDLES] = 0.0
        final = np.ones(len(self), dtype=np.bool_)
        revisions = np.full(len(self), revision)
        return BarRows(self.times, final, revisions, values, self.fields)

    def sort(self) -> BarRows:
        """Return the rows sorted by instrument and time."""
        return self.take(np.lexsort((self.timestamp, self.instrument)))

    def frame(
        self, names: pl.Series, rank: Ints, interest: bool, kinds: Mapping[str, Output]
    ) -> pl.DataFrame:
        """Return the rows as a frame that owns its memory, by instrument name and time.

        `names` are those of all instruments, and `rank` their places among the sorted ones;
        `kinds` says which columns are not float64.
        """
        # Each instrument's rows are sorted by time already, and sorted runs merge fast.
        order = np.argsort(rank[self.instrument], kind="stable")
        which = self.instrument[order]
        # One series for all floats, then slices: to make a series takes as long as to fill it.
        values = np.take(self.values, order, axis=1).ravel()
        floats = pl.Series(values, dtype=pl.Float64, nan_to_null=True)
        count = len(order)
        columns = []
        for place, name in enumerate(self.fields):
            column = floats.slice(place * count, count).alias(name)
            if name == "candles":
                columns.append(column.cast(pl.UInt32))
                columns.append(pl.Series("is_final", self.is_final[order]))
                columns.append(pl.Series("revision", self.revision[order]))
            elif name != OPEN_INTEREST or interest:
                columns.append(in_kind(column, kinds.get(name)))
        # An index of a small type is a gather without a query.
        instrument = names[which.astype(np.uint32)]
        time = pl.Series("timestamp", self.timestamp[order]).cast(TIME_TYPE)
        return pl.DataFrame([instrument, time, *columns])


def rows_as_text(rows: BarRows) -> list[str]:
    """Return rows as four texts, for a file in JSON; see `rows_of_text`."""
    parts = (rows.times, rows.is_final, rows.revision, rows.values)
    return [np.ascontiguousarray(part).tobytes().hex() for part in parts]


def rows_of_text(texts: Sequence[str], fields: tuple[str, ...]) -> BarRows:
    """Return the rows of four texts.

    Raises
    ------
    ValueError
        If they are not rows of these fields.
    """
    times, final, revision, values = map(bytes.fromhex, texts)
    count = len(final)
    return BarRows(
        np.frombuffer(times, np.int64).reshape(3, count),
        np.frombuffer(final, np.bool_),
        np.frombuffer(revision, np.int64).reshape(count),
        np.frombuffer(values, np.float64).reshape(len(fields), count),
        fields,
    )


def empty_rows(fields: tuple[str, ...]) -> BarRows:
    """Return no rows, with a timeframe's fields."""
    times, final = np.empty((3, 0), dtype=np.int64), np.empty(0, dtype=np.bool_)
    return BarRows(times, final, times[0], np.empty((len(fields), 0)), fields)


def join_rows(parts: Sequence[BarRows]) -> BarRows:
    """Join the rows of several parts, in their order."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    return BarRows(
        np.concatenate([part.times for part in parts], axis=1),
        np.concatenate([part.is_final for part in parts]),
        np.concatenate([part.revision for part in parts]),
        np.concatenate([part.values for part in parts], axis=1),
        parts[0].fields,
    )


def latest_rows(rows: BarRows) -> BarRows:
    """Return rows sorted, only the last one of each bar."""
    ordered = rows.sort()
    same_bar = (np.diff(ordered.instrument) == 0) & (np.diff(ordered.timestamp) == 0)
    return ordered.take(np.append(~same_bar, True)[: len(ordered)])


def changed_rows(old: BarRows, new: BarRows, instruments: Ints, revision: int) -> BarRows:
    """Return the rows of `new` that differ from `old`, and those of `old` that are removed.

    Both are sorted by instrument and time; `instruments` are ascending numbers.
    """
    removed, changed = np.zeros(len(old), dtype=np.bool_), np.zeros(len(new), dtype=np.bool_)
    differing(*_columns(old, instruments), *_columns(new, instruments), removed, changed)
    found = new.take(changed)
    if not removed.any():
        return found
    return join_rows([found, old.take(removed).as_removed(revision)]).sort()


def _columns(rows: BarRows, instruments: Ints) -> tuple[Ints, Ints, Flags, Floats]:
    """Return where each instrument's rows begin, and what is compared of them."""
    offsets = np.append(np.searchsorted(rows.instrument, instruments), len(rows))
    return offsets, rows.timestamp, rows.is_final, rows.values
