"""Universes in a store: rows of the same log, as actions are, with revisions and `known_at`.

A row is an interval of a member. The log's adjustment is the universe's name, its instrument the
member's name with that of its group, and its prices are the first and the last day, as numbers. Its
time counts the intervals of a member and says nothing else, so that another list revises rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from tallow.core.errors import UniverseError, near_matches
from tallow.core.given import name_text
from tallow.data.reading.runs import Runs, instrument_runs
from tallow.data.reading.schema import CANDLE_COLUMNS, CANDLE_SCHEMA, OPEN_INTEREST, TIME_TYPE
from tallow.data.store.backend import Backend, LogView, Writing
from tallow.data.store.classify import Classification, classify, classify_deletions
from tallow.data.store.log import LOG_ORDER, LOG_SCHEMA, UNIVERSE, Selection, current_rows
from tallow.data.store.symbols import read_symbols
from tallow.data.store.write import WriteReport, commit, write_rows
from tallow.data.universe import ALWAYS, APART, FOR_GOOD, UNIVERSE_SCHEMA, Universe
from tallow.data.universe_files import is_file_name

_APART = "\n"
"""Between member and group in the log's column `instrument`: neither holds it."""

_COLUMNS = (*LOG_ORDER, "open", "close", "deleted")


@dataclass(frozen=True)
class StoredUniverses:
    """The universes of a store."""

    backend: Backend
    view: Callable[[], LogView]

    def record(self, universe: Universe) -> WriteReport:
        """Keep a universe under its name; another list of the name is replaced from now on.

        Returns
        -------
        WriteReport
            Of its rows: a member that is no longer there is a revision, too.

        Raises
        ------
        UniverseError
            If the name is that of a file or of a group.
        StoreError
            If it cannot be written; nothing is then.
        """
        name = _checked_name(universe.name)
        oldest = self.backend.stats().first

        def work(writing: Writing) -> WriteReport:
            known = current_rows(writing.scan(Selection(None, UNIVERSE, name), _COLUMNS))
            base = _base(writing, name, oldest)
            rows = _to_rows(universe.table, base)
            gone = known.join(rows, on=["instrument", "timestamp"], how="anti")
            none = [pl.lit(None, pl.Float64).alias(each) for each in CANDLE_COLUMNS[2:]]
            gone = gone.select("instrument", "timestamp", *none)
            both = pl.concat([rows, gone]).sort("instrument", "timestamp")
            return write_rows(writing, both, (UNIVERSE, name, name), _replace, None, 0)

        known = self.view().scan(Selection(None, UNIVERSE, name), _COLUMNS)
        return commit(self.backend, work, len(universe.table) + len(known))

    def names(self, known_at: int | None = None) -> list[str]:
        """Return the names of the universes known now, or at a moment, sorted."""
        found = self._kept(None, known_at)["adjustment"].unique().sort()
        return [str(name) for name in found]

    def read(self, name: str, known_at: int | None = None) -> Universe:
        """Return a universe as it is known now, or was at a moment; or one of its groups.

        `UniverseError` if the store knows none of the name.
        """
        own, mark, group = name.partition(APART)
        rows = self._kept(own, known_at)
        if rows.is_empty():
            known = self.names(known_at)
            hint = near_matches(own, known) if known else "it has none: tallow universe add"
            when = "" if known_at is None else " at that moment"
            raise UniverseError(f"universe: {own}; the store does not know it{when}; {hint}")
        universe = Universe.of(own, _from_rows(rows))
        return universe.group(group) if mark else universe

    def by_keys(self, universe: Universe) -> Universe:
        """Return a universe with keys for symbols: a member that is no key may be one of several.

        A key that had two symbols may be listed twice, which nobody wrote and no note says.
        """
        symbols = read_symbols(self.view())
        among = sorted(universe.instruments.intersection(symbols["symbol"]))
        if not among:
            return universe
        # A key may be spelt as another one's symbol: then the key is meant.
        rows = self.view().scan(Selection(tuple(among), None, None), LOG_ORDER)
        pairs = symbols.filter(
            pl.col("symbol").is_in(among) & ~pl.col("symbol").is_in(rows["instrument"].unique())
        ).rename({"instrument": "key"})
        table = universe.table.join(pairs, left_on="instrument", right_on="symbol", how="left")
        keys = table.with_columns(instrument=pl.coalesce("key", "instrument"))
        found = Universe.of(universe.name, keys.select(*UNIVERSE_SCHEMA))
        return replace(found, notes=universe.notes)

    def _kept(self, name: str | None, known_at: int | None) -> pl.DataFrame:
        view, before = self.view(), None if known_at is None else known_at + 1
        wanted = Selection(None, UNIVERSE, name)
        # Most stores have none, which costs next to nothing to know.
        if name is not None and not view.has_interest(wanted):
            return pl.DataFrame(schema={each: LOG_SCHEMA[each] for each in _COLUMNS})
        return current_rows(view.scan(wanted.replace(received_before=before), _COLUMNS))


def _checked_name(given: str) -> str:
    name = name_text("universe", given, UniverseError).strip()
    if not name or APART in name or not name.isprintable():
        raise UniverseError(
            f"universe: {name!r}; a name is a word without {APART}, which is for groups; give "
            "another"
        )
    if is_file_name(name):
        raise UniverseError(f"universe: {name}; is the name of a file; leave out its ending")
    return name


def _base(writing: Writing, name: str, oldest: int | None) -> int:
    """Return the time of a universe's first rows: the one that it has, or that of a candle.

    A time of its own would be the first or the last one of the whole store.
    """
    known = writing.scan(Selection(None, UNIVERSE, name), LOG_ORDER)["timestamp"]
    if len(known):
        return int(known.to_physical().min())  # type: ignore[arg-type]
    return writing.received_at if oldest is None else oldest


def _to_rows(table: pl.DataFrame, base: int) -> pl.DataFrame:
    """Return the intervals as candle rows; every rule for candles holds.

    Open interest says cheaply whether a store has the universe.
    """
    name = pl.concat_str("instrument", pl.col("group").fill_null(""), separator=_APART)
    first, last = (
        _ordinals(pl.col(each).fill_null(limit))
        for each, limit in (("from", ALWAYS), ("to", FOR_GOOD))
    )
    nth = pl.int_range(pl.len()).over("instrument", "group")
    rows = table.select(
        name.alias("instrument"),
        (nth + base).cast(TIME_TYPE).alias("timestamp"),
        first.alias("open"),
        last.alias("high"),
        first.alias("low"),
        last.alias("close"),
        pl.lit(0.0).alias("volume"),
        pl.lit(1.0).alias(OPEN_INTEREST),
    )
    assert [*rows.columns[:-1]] == [*CANDLE_SCHEMA], rows.columns
    return rows.sort("instrument", "timestamp")


def _from_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the intervals that `_to_rows` made rows of."""
    both = pl.col("instrument").str.split_exact(_APART, 1)
    dates = {"from": (pl.col("open"), ALWAYS), "to": (pl.col("close"), FOR_GOOD)}
    group = both.struct.field("field_1")
    return rows.select(
        both.struct.field("field_0").alias("instrument"),
        *(
            pl.when(number != limit.toordinal()).then(_dates(number)).alias(each)
            for each, (number, limit) in dates.items()
        ),
        pl.when(group != "").then(group).alias("group"),
    ).select(*UNIVERSE_SCHEMA)


_EPOCH = date(1970, 1, 1).toordinal()


def _ordinals(dates: pl.Expr) -> pl.Expr:
    return (dates.to_physical() + _EPOCH).cast(pl.Float64)


def _dates(ordinals: pl.Expr) -> pl.Expr:
    return (ordinals.cast(pl.Int32) - _EPOCH).cast(pl.Date)


def _replace(rows: pl.DataFrame, known: pl.DataFrame, _runs: Runs) -> Classification:
    """Compare a list with the one that is known; a row without prices takes an interval back."""
    is_gone = pl.col("close").is_null()
    kept, gone = rows.filter(~is_gone), rows.filter(is_gone).select("instrument", "timestamp")
    found = classify(kept, known, instrument_runs(kept))
    taken = classify_deletions(gone, known, instrument_runs(gone))
    both = pl.concat([found.rows, taken.rows.select(found.rows.columns)])
    return Classification(
        both.sort("instrument", "timestamp"),
        found.new,
        found.identical + taken.identical,
        found.revised + taken.revised,
    )
