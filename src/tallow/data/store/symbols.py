"""Symbols in a store: rows of the same log, as actions are, that say by which name a key trades.

A document may name its instruments by a key, such as an ISIN, and say their trading symbol beside
it. Both are kept, every pair once: a key may have had several symbols, and a symbol several keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tallow.core.errors import RangeError
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, SYMBOL_SCHEMA, TIME_TYPE
from tallow.data.store.backend import Backend, LogView
from tallow.data.store.classify import classify
from tallow.data.store.log import LOG_ORDER, SYMBOL, Selection, current_rows
from tallow.data.store.write import append

_APART = "\n"
"""Between key and symbol in the log's column `instrument`: no cell of a table holds it."""

_COLUMNS = (*LOG_ORDER, "deleted")


def record_symbols(backend: Backend, symbols: pl.DataFrame, at: Any, source: str) -> None:
    """Keep the pairs of `instrument` and `symbol` that a store does not have yet.

    `at` is when an instrument has a candle: pruning leaves symbols alone, whenever that was.
    """
    fresh = symbols.join(read_symbols(backend.view()), on=[*SYMBOL_SCHEMA], how="anti")
    if not len(fresh):
        return
    number = pl.lit(1.0)
    rows = fresh.select(
        pl.concat_str("instrument", "symbol", separator=_APART).alias("instrument"),
        pl.lit(at, TIME_TYPE).alias("timestamp"),
        *(number.alias(name) for name in (*list(CANDLE_SCHEMA)[2:], OPEN_INTEREST)),
    )
    append(backend, rows.unique().sort("instrument"), (SYMBOL, SYMBOL, source), classify)


def read_symbols(view: LogView) -> pl.DataFrame:
    """Return the pairs: columns of `SYMBOL_SCHEMA`, sorted by symbol."""
    wanted = Selection(None, SYMBOL, SYMBOL)
    # Most stores have none, which costs next to nothing to know.
    if not view.has_interest(wanted):
        return pl.DataFrame(schema=SYMBOL_SCHEMA)
    both = pl.col("instrument").str.split_exact(_APART, 1).struct.rename_fields([*SYMBOL_SCHEMA])
    rows = current_rows(view.scan(wanted, _COLUMNS))
    return rows.select(both).unnest("instrument").unique().sort("symbol", "instrument")


@dataclass(frozen=True)
class SymbolAnswer:
    """Names of instruments, with keys for symbols; `notes` says which key a symbol is."""

    names: tuple[str, ...]
    notes: tuple[str, ...]


def find_keys(names: Sequence[str], symbols: pl.DataFrame, known: Sequence[str]) -> SymbolAnswer:
    """Return names with the key of each symbol among them; a name that is `known` is a key.

    `RangeError` if a symbol is that of several keys.
    """
    found: list[str] = []
    notes: list[str] = []
    keys_of = dict(symbols.group_by("symbol").agg("instrument").iter_rows())
    for name in names:
        keys = sorted(keys_of.get(name, ())) if name not in known else []
        if len(keys) > 1:
            raise RangeError(
                f"instrument: {name!r}; is the symbol of {', '.join(keys)}; give the one that is "
                "meant"
            )
        found.append(keys[0] if keys else name)
        notes += [f"{name} is {key}" for key in keys]
    return SymbolAnswer(tuple(found), tuple(notes))
