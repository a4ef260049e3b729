"""Universes: dated lists of instruments, such as an index, a sector or a watchlist.

A row says that an instrument is a member from a date to a date, both included; without them it
always was, or is for good. A list may put its members into groups, such as sectors: then each group
is a universe of its own, ``sectors/Banks``, and the list itself has the members of all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.errors import RangeError, UniverseError, excerpt, near_matches
from tallow.core.text import counted, first_of

UNIVERSE_SCHEMA: dict[str, pl.DataType] = {
    "instrument": pl.String(),
    "from": pl.Date(),
    "to": pl.Date(),
    "group": pl.String(),
}
"""Columns of a universe's table, in order; a date that is null is no limit, a group none."""

APART = "/"
"""Between the name of a universe and that of a group."""

ALWAYS, FOR_GOOD = date(1, 1, 1), date(9999, 12, 31)
"""What stands for a date that is not given."""

_OWN = ["instrument", "group"]
_DAY_BITS = 23
"""So many bits hold any date, counted from `ALWAYS`."""


@dataclass(frozen=True, eq=False)
class Universe:
    """Which instruments are members on which date.

    Attributes
    ----------
    name
        What it is called: ``nifty50``, or ``sectors/Banks``, a group.
    table
        Columns `instrument`, `from`, `to` (dates, both included, null for no limit) and `group`
        (null for none), sorted by these. Intervals of an instrument, within a group, neither
        overlap nor touch.
    notes
        What was merged when it was read.

    Examples
    --------
    >>> import polars as pl
    >>> import tallow
    >>> rows = {"instrument": ["TCS", "INFY"], "from": ["2024-04-01", None], "to": [None, None]}
    >>> frame = pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))
    >>> universe = tallow.read_universe(frame, "it")
    >>> universe.members("2024-03-31"), universe.members("2024-04-01")
    (['INFY'], ['INFY', 'TCS'])
    >>> universe.is_member(["TCS", "TCS"], ["2024-03-31", "2024-04-01"]).tolist()
    [False, True]
    """

    name: str
    table: pl.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, rows: pl.DataFrame, notes: Sequence[str] = ()) -> Universe:
        """Return the universe of rows of `UNIVERSE_SCHEMA`, in any order; what overlaps is merged.

        `UniverseError` if there is none.
        """
        if rows.is_empty():
            raise UniverseError(f"universe: {name}; has no members; name one at least")
        table, overlapping = _merged(rows, _OWN)
        if len(overlapping):
            names = overlapping["instrument"].unique(maintain_order=True).to_list()
            note = f"merged {counted(len(overlapping), 'row')} with others of the same instrument: "
            notes = (*notes, note + first_of(names, "instrument"))
        return cls(name, table, tuple(notes))

    # Members

    def members(self, on_date: date | str) -> list[str]:
        """Return the members on a date, sorted; none where there is no list of that date.

        `UniverseError` if it is no date.
        """
        day = _day_numbers(on_date)
        rows = self._spans.filter((pl.col("from") <= int(day)) & (pl.col("to") >= int(day)))
        return rows["instrument"].to_list()

    def is_member(self, instruments: Any, dates: Any) -> Flags:
        """Say whether instruments are members on dates.

        Parameters
        ----------
        instruments
            Names: a series or a sequence; or one name for all dates.
        dates
            Dates, as many: a series, an array or a sequence; or one for all instruments.

        Returns
        -------
        numpy.ndarray
            bool, as many. Costs some hundred nanoseconds a row.

        Raises
        ------
        UniverseError
            If there are not as many dates as names, or they are none.
        """
        names = pl.Series([instruments] if isinstance(instruments, str) else instruments)
        distinct = names.cast(pl.String).unique()
        codes = pl.Series(self.numbers(distinct.to_list()))
        own = names.cast(pl.String).replace_strict(distinct, codes, return_dtype=pl.Int64)
        count = np.size(dates)
        if len(own) != count and 1 not in (len(own), count):
            raise UniverseError(
                f"universe: {counted(len(own), 'instrument')}, {counted(count, 'date')}; "
                "there must be as many, or one of either"
            )
        return self.has(own.to_numpy(), dates)

    def numbers(self, instruments: Iterable[str]) -> Ints:
        """Return by which numbers `has` knows instruments: int64, -1 for one that is no member."""
        return np.array([self._codes.get(name, -1) for name in instruments], dtype=np.int64)

    def has(self, numbers: Ints, dates: Any) -> Flags:
        """Do as `is_member`, for instruments by their `numbers`."""
        days = _day_numbers(dates)
        wanted = (numbers << _DAY_BITS) + days
        at = np.searchsorted(self._keys, wanted, side="right") - 1
        found: Flags = (at >= 0) & (numbers >= 0)
        found &= self._ends[np.maximum(at, 0)] >= wanted
        return found

    @cached_property
    def instruments(self) -> frozenset[str]:
        """All instruments that are members on any date."""
        return frozenset(self._codes)

    def intervals(self, instrument: str) -> list[tuple[date | None, date | None]]:
        """Return from when to when an instrument is a member, ascending; None is no limit."""
        own = self._spans.filter(pl.col("instrument") == instrument).select("from", "to")
        return [
            (
                None if first == 0 else ALWAYS + timedelta(days=first),
                None if last == _number(FOR_GOOD) else ALWAYS + timedelta(days=last),
            )
            for first, last in own.iter_rows()
        ]

    def require_among(self, known: Collection[str], where: str) -> None:
        """Raise `RangeError` if there are instruments, and none of them is a member on any date."""
        if known and self.instruments.isdisjoint(known):
            first = min(self.instruments)
            raise RangeError(
                f"universe: {self.name}; none of {counted(len(self), 'member')} is in {where}; the "
                f"first is {excerpt(first)}; {near_matches(first, known)}"
            )

    def span_text(self) -> str:
        """Return in words of which dates there are members."""
        first, last = (
            None if limits.null_count() else str(end)
            for limits, end in (
                (self.table["from"], self.table["from"].min()),
                (self.table["to"], self.table["to"].max()),
            )
        )
        if first is None:
            return "all dates" if last is None else f"dates until {last}"
        return f"dates from {first} on" if last is None else f"dates from {first} to {last}"

    def has_members(self, dates: Any) -> Flags:
        """Say of each date whether there is any member on it."""
        spans, _ = _merged_numbers(self._spans.with_columns(instrument=pl.lit("")), ["instrument"])
        days, begins = _day_numbers(dates), spans["from"].to_numpy()
        at = np.searchsorted(begins, days, side="right") - 1
        found: Flags = (at >= 0) & (spans["to"].to_numpy()[np.maximum(at, 0)] >= days)
        return found

    # Groups

    @property
    def groups(self) -> list[str]:
        """The names of the groups, sorted; none where the list has none."""
        return self.table["group"].drop_nulls().unique().sort().to_list()

    def group(self, name: str) -> Universe:
        """Return a group as a universe of its own; `UniverseError` if there is none of the name."""
        own = self.table.filter(pl.col("group") == name)
        if own.is_empty():
            known = self.groups
            hint = near_matches(name, known) if known else "the list has no groups; leave it out"
            raise UniverseError(f"universe: {self.name}{APART}{name}; unknown group; {hint}")
        alone = own.with_columns(group=pl.lit(None, pl.String))
        return replace(self, name=f"{self.name}{APART}{name}", table=alone)

    # Identity

    @cached_property
    def _identity(self) -> tuple[str, bytes]:
        text = self.table.write_csv(separator="\t").encode()
        return self.name, hashlib.blake2b(text, digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Universe) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __len__(self) -> int:
        return len(self.instruments)

    def __repr__(self) -> str:
        groups = f", {counted(len(self.groups), 'group')}" if self.groups else ""
        return (
            f"Universe({self.name}: {counted(len(self), 'instrument')}{groups}, {self.span_text()})"
        )

    # By numbers

    @cached_property
    def _spans(self) -> pl.DataFrame:
        """The intervals of each instrument, of whatever group, as numbers of days; none touch."""
        return _merged_numbers(_as_numbers(self.table), ["instrument"])[0]

    @cached_property
    def _codes(self) -> dict[str, int]:
        names = self._spans["instrument"].unique(maintain_order=True)
        return {name: code for code, name in enumerate(names)}

    @cached_property
    def _keys(self) -> Ints:
        """Instrument and first day of each interval as one number, ascending."""
        return self._with_codes("from")

    @cached_property
    def _ends(self) -> Ints:
        """Instrument and last day of each interval as one number."""
        return self._with_codes("to")

    def _with_codes(self, name: str) -> Ints:
        found: Ints = self._spans[name].to_numpy()
        return (self.numbers(self._spans["instrument"]) << _DAY_BITS) + found


def _day_numbers(dates: Any) -> Ints:
    """Return dates as numbers of days from `ALWAYS` on, int64; `UniverseError` if they are none."""
    given = np.asarray(dates.to_numpy() if isinstance(dates, pl.Series) else dates)
    with suppress(TypeError, ValueError):
        if not given.size or given.dtype.kind in "MUO":
            days = given.astype("datetime64[D]") - np.datetime64(ALWAYS, "D")
            # What is no date is before all of them.
            return np.maximum(days.astype(np.int64), -1)
    raise UniverseError(
        f"universe: date={excerpt(dates)}; must be a date such as 2025-06-02, or several"
    )


def _as_numbers(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table with numbers of days for dates."""
    return table.with_columns(
        (pl.col(name).fill_null(open_).to_physical() - pl.lit(ALWAYS).to_physical()).cast(pl.Int64)
        for name, open_ in (("from", ALWAYS), ("to", FOR_GOOD))
    )


def _merged(table: pl.DataFrame, by: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a table sorted, without intervals that touch, and the rows that overlapped others."""
    spans, overlapping = _merged_numbers(_as_numbers(table), by)
    dates = (
        pl.when(pl.col(name) != _number(open_)).then(
            (pl.col(name) + pl.lit(ALWAYS).to_physical().cast(pl.Int64))
            .cast(pl.Int32)
            .cast(pl.Date)
        )
        for name, open_ in (("from", ALWAYS), ("to", FOR_GOOD))
    )
    return spans.with_columns(dates).select(*UNIVERSE_SCHEMA), overlapping


def _number(day: date) -> int:
    return day.toordinal() - ALWAYS.toordinal()


def _merged_numbers(spans: pl.DataFrame, by: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return spans of each of `by`, sorted, none of which touch; and the rows that overlapped."""
    reached = pl.col("to").cum_max().shift(1).over(by)
    rows = spans.sort(*by, "from", "to", nulls_last=False).with_columns(reached=reached)
    begins = pl.col("reached").is_null() | (pl.col("from") > pl.col("reached") + 1)
    merged = (
        rows.with_columns(run=begins.cum_sum())
        .group_by("run", maintain_order=True)
        .agg(pl.col(*by).first(), pl.col("from").min(), pl.col("to").max())
        .drop("run")
    )
    return merged, rows.filter(pl.col("from") <= pl.col("reached"))
