"""Rows of bars as arrays: what a live update gives, and the difference of two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.data.kernels.live_rows import differing
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE

BAR_FIELDS = (*NUMBERS, OPEN_INTEREST, "candles")
"""The fields of a bar, in the order in which its state holds them."""
CANDLES = BAR_FIELDS.index("candles")


@dataclass(frozen=True, eq=False)
class Rows:
    """Bars of one timeframe, each instrument's in ascending time.

    Attributes
    ----------
    times
        int64 ``[3, rows]``: the instruments' numbers; the bars' opens and their calendar ends, in
        microseconds since 1970 UTC.
    is_final
        Whether the bar has closed.
    revision
        int64, the update that changed the row last.
    values
        float64 ``[fields, rows]``, one row of memory per field; NaN is missing. A bar that is gone
        has 0 candles, and nothing else.
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

    def take(self, where: Any) -> Rows:
        """Return some of the rows, by an index or a mask; by a slice, as views."""
        final, revision = self.is_final[where], self.revision[where]
        return Rows(self.times[:, where], final, revision, self.values[:, where], self.fields)

    def gone(self, revision: int) -> Rows:
        """Return these rows as those of bars that an update has taken away."""
        values = np.full_like(self.values, np.nan)
        values[CANDLES] = 0.0
        final = np.ones(len(self), dtype=np.bool_)
        revisions = np.full(len(self), revision)
        return Rows(self.times, final, revisions, values, self.fields)

    def in_order(self) -> Rows:
        """Return the rows by instrument, and by time."""
        return self.take(np.lexsort((self.timestamp, self.instrument)))

    def frame(self, names: pl.Series, rank: Ints, interest: bool) -> pl.DataFrame:
        """Return the rows as a frame that owns its memory, by instrument name and time.

        `names` are those of all instruments, and `rank` their places among the sorted ones.
        """
        # Each instrument's rows are in order of time; and sorted stretches are merged fast.
        order = np.argsort(rank[self.instrument], kind="stable")
        which = self.instrument[order]
        # One series for all floats, in slices: to make one takes as long as to fill it.
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
                columns.append(column)
        # Indexed by a small type: that is a gather, without a query.
        instrument = names[which.astype(np.uint32)]
        time = pl.Series("timestamp", self.timestamp[order]).cast(TIME_TYPE)
        return pl.DataFrame([instrument, time, *columns])


def no_rows(fields: tuple[str, ...]) -> Rows:
    """Return rows of a timeframe's fields, of which there is none."""
    times, final = np.empty((3, 0), dtype=np.int64), np.empty(0, dtype=np.bool_)
    return Rows(times, final, times[0], np.empty((len(fields), 0)), fields)


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several parts, one after the other."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([part.times for part in parts], axis=1),
        np.concatenate([part.is_final for part in parts]),
        np.concatenate([part.revision for part in parts]),
        np.concatenate([part.values for part in parts], axis=1),
        parts[0].fields,
    )


def newest(rows: Rows) -> Rows:
    """Return rows in order; of those of one bar the one that came last."""
    ordered = rows.in_order()
    same_bar = (np.diff(ordered.instrument) == 0) & (np.diff(ordered.timestamp) == 0)
    return ordered.take(np.append(~same_bar, True)[: len(ordered)])


def changes(old: Rows, new: Rows, instruments: Ints, revision: int) -> Rows:
    """Return the rows of `new` that `old` does not have so, and those of `old` that are gone.

    Both are in order of `instruments`, ascending numbers, and time. Costs nanoseconds a value.
    """
    gone, changed = np.zeros(len(old), dtype=np.bool_), np.zeros(len(new), dtype=np.bool_)
    differing(
        _offsets(old, instruments),
        old.timestamp,
        old.is_final,
        old.values,
        _offsets(new, instruments),
        new.timestamp,
        new.is_final,
        new.values,
        gone,
        changed,
    )
    found = new.take(changed)
    return joined([found, old.take(gone).gone(revision)]).in_order() if gone.any() else found


def _offsets(rows: Rows, instruments: Ints) -> Ints:
    return np.append(np.searchsorted(rows.instrument, instruments), len(rows))
