"""Joins: dated records that a key goes on where another one ended.

A split gives a share a new ISIN in India, a company takes another symbol, two companies become one:
the history stays, and its key changes. A record of the kind ``join`` names the new key, the first
date of it, and its predecessor. From that date's session on the new key's rows count, before it the
predecessor's: rows of the other key on either side do not. Predecessors may have their own. A join
changes no price: what was exchanged for what is a split of the new key on the same date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ActionError
from tallow.data.actions import EX_MIDNIGHT, JOIN_SCHEMA
from tallow.data.adjust import session_starts
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST

Read = Callable[[Sequence[str], int | None, int | None], pl.DataFrame]
"""Returns the candles of keys, ``start <= timestamp < end``, as `tallow.Store.read` has them."""


class Piece(NamedTuple):
    """A key's part of an instrument's history; microseconds since 1970 UTC, None means no limit."""

    key: str
    start: int | None
    end: int | None

    def within(self, start: int | None, end: int | None) -> tuple[int | None, int | None] | None:
        """Return the limits of the part that lies in a range; None where none does."""
        low = max((each for each in (start, self.start) if each is not None), default=None)
        high = min((each for each in (end, self.end) if each is not None), default=None)
        return None if low is not None and high is not None and low >= high else (low, high)


@dataclass(frozen=True)
class JoinedHistories:
    """The instruments that go on where others ended.

    `pieces` has, of each, the parts of its history, the oldest first; `joins` are the records.
    """

    pieces: Mapping[str, tuple[Piece, ...]] = field(default_factory=dict)
    joins: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=JOIN_SCHEMA))

    @classmethod
    def of(cls, joins: pl.DataFrame, calendars: CalendarAssignment) -> JoinedHistories:
        """Return the histories of records; those of instruments without a calendar are left out."""
        dated: dict[str, list[tuple[int, str]]] = {}
        names = joins["instrument"].unique().sort().to_list()
        for name, place in zip(names, calendars.indices(names).tolist(), strict=True):
            if place >= 0:
                own = joins.filter(instrument=name)
                starts = session_starts(calendars.calendars[place], own["ex_date"])
                dated[name] = sorted(zip(starts.tolist(), own["predecessor"], strict=True))
        return cls({name: _pieces(name, dated) for name in dated}, joins)

    def among(self, names: Iterable[str]) -> list[str]:
        """Return those of some instruments that have predecessors."""
        return [name for name in names if name in self.pieces] if self.pieces else []

    def ended_keys(self, names: Iterable[str]) -> set[str]:
        """Return the keys that ended and go on as one of some instruments."""
        before = {piece.key for name in self.among(names) for piece in self.pieces[name][:-1]}
        return before - self._successors_again

    def successors(self) -> dict[str, set[str]]:
        """Return for each key the instruments that continue it, directly or later."""
        found: dict[str, set[str]] = {}
        for name, pieces in self.pieces.items():
            for piece in pieces[:-1]:
                found.setdefault(piece.key, set()).add(name)
        return found

    @property
    def _successors_again(self) -> set[str]:
        """Keys that another instrument got after they had ended."""
        last = self.joins.group_by("predecessor").agg(pl.col("ex_date").max().alias("end"))
        again = self.joins.join(last, left_on="instrument", right_on="predecessor")
        return set(again.filter(pl.col("ex_date") > pl.col("end"))["instrument"])

    def read(
        self, names: Sequence[str], start: int | None, end: int | None, read: Read
    ) -> pl.DataFrame:
        """Return candles of instruments, each with those of its predecessors under its own name."""
        joined = self.among(names)
        if not joined:
            return read(names, start, end)
        parts = [read([name for name in names if name not in self.pieces], start, end)]
        for name in joined:
            for piece in self.pieces[name]:
                limits = piece.within(start, end)
                if limits is not None:
                    rows = read([piece.key], *limits)
                    parts.append(rows.with_columns(pl.lit(name).alias("instrument")))
        return pl.concat(parts).sort("instrument", "timestamp")

    def changed(
        self, names: Sequence[str], changed: Callable[[Sequence[str]], Mapping[str, int]]
    ) -> dict[str, int]:
        """Return the earliest change of instruments, from what `changed` returns of keys."""
        joined = self.among(names)
        if not joined:
            return dict(changed(names))
        keys = {piece.key for name in joined for piece in self.pieces[name]}
        changes = changed(sorted(keys.union(names)))
        found = {
            name: changes[name] for name in names if name in changes and name not in self.pieces
        }
        for name in joined:
            for piece in self.pieces[name]:
                earliest = changes.get(piece.key)
                if earliest is not None and (piece.end is None or earliest < piece.end):
                    known = found.get(name, earliest)
                    found[name] = min(known, max(earliest, piece.start or earliest))
        return found

    def actions(self, actions: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """Return the actions of instruments, those of their predecessors under their own names.

        A key's list is believed up to the date on which it ended, that date's own actions included,
        and back to where the key was somebody else's. An action under two keys counts once.
        """
        parts = [actions.filter(pl.col("instrument").is_in(list(names)))]
        for name in self.among(names):
            own = [
                self._own_actions(actions, piece, until).with_columns(instrument=pl.lit(name))
                for piece, until in self._ends(name)
            ]
            parts[0] = parts[0].filter(pl.col("instrument") != name)
            parts.append(pl.concat(own).unique(["ex_date", "kind"], keep="first"))
        return pl.concat(parts)

    def _ends(self, name: str) -> list[tuple[Piece, date | None]]:
        """Return the pieces of an instrument, the newest first, and the date each key ended on."""
        found: list[tuple[Piece, date | None]] = []
        until, after = None, None
        for piece in reversed(self.pieces[name]):
            if after is not None:
                records = self.joins.filter(instrument=after.key, predecessor=piece.key)
                dates = records["ex_date"].to_list()
                until = max(each for each in dates if until is None or each <= until)
            found.append((piece, until))
            after = piece
        return found

    def _own_actions(self, actions: pl.DataFrame, piece: Piece, until: date | None) -> pl.DataFrame:
        own = actions.filter(instrument=piece.key)
        ended = self.joins.filter(predecessor=piece.key)["ex_date"]
        begun = self.joins.filter(instrument=piece.key)["ex_date"]
        if until is not None:
            own = own.filter(pl.col("ex_date") <= until)
            ended = ended.filter(ended < until)
            begun = begun.filter(begun < until)
        if len(begun):
            # A symbol that was somebody else's: what ended before this one began.
            ended = ended.filter(ended <= begun.max())
            own = own.filter(pl.col("ex_date") > ended.max()) if len(ended) else own
        return own


def _pieces(name: str, dated: Mapping[str, Sequence[tuple[int, str]]]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    key, end = name, None
    while True:
        before = [each for each in dated.get(key, ()) if end is None or each[0] < end]
        start, predecessor = before[-1] if before else (None, None)
        found.append(Piece(key, start, end))
        if predecessor is None:
            return tuple(found[::-1])
        key, end = predecessor, start


def require_no_cycle(joins: pl.DataFrame) -> None:
    """Raise `ActionError` if a key would be its own predecessor, by however many joins."""
    before: dict[str, set[str]] = {}
    for name, _, predecessor in joins.iter_rows():
        before.setdefault(name, set()).add(predecessor)
    for name in before:
        path = _way_back(name, before)
        if path:
            raise ActionError(
                f"actions: join of {' <- '.join(map(repr, path))}; a key cannot go on where it "
                "ended itself; withdraw or correct one of these joins"
            )


def _way_back(name: str, before: Mapping[str, set[str]]) -> list[str]:
    """Return the keys from a key back to itself; none where there is no such way."""
    ways, seen = [[name]], set[str]()
    while ways:
        way = ways.pop()
        for each in sorted(before.get(way[-1], ())):
            if each == name:
                return [*way, name]
            if each not in seen:
                seen.add(each)
                ways.append([*way, each])
    return []


def joins_to_rows(joins: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return joins as candle rows by predecessor, so that what keeps candles can keep them.

    The log's `source` of such a row is the predecessor; its prices are a digest of that, so that
    another one is a revision. Open interest says cheaply whether a store has joins.
    """
    found = {}
    for (predecessor,), own in joins.partition_by("predecessor", as_dict=True).items():
        price = pl.lit(_digest(str(predecessor)))
        rows = own.sort("instrument", "ex_date").select(
            "instrument",
            EX_MIDNIGHT.alias("timestamp"),
            *(price.alias(name) for name in ("open", "high", "low", "close")),
            pl.lit(0.0).alias("volume"),
            pl.lit(1.0).alias(OPEN_INTEREST),
        )
        found[str(predecessor)] = rows.select(*CANDLE_SCHEMA, OPEN_INTEREST)
    return found


def joins_from_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the joins that `joins_to_rows` made rows of, with the log's `source`."""
    return rows.select(
        "instrument",
        pl.col("timestamp").dt.date().alias("ex_date"),
        pl.col("source").alias("predecessor"),
    ).sort("instrument", "ex_date")


def _digest(text: str) -> float:
    """Return a whole number of 48 bits, from 1 on."""
    return 1.0 + int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")
