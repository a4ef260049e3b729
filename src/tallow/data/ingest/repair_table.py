"""Rows of a store's quarantine as a table that a person repairs, and that table read again.

The table has our columns whatever the provider's are called, each cell as the record has it, and
the record beside them. A row is known by its number in the store's ledger; a row that is still bad
stays the open row it is, and one that is not in the table any more stays open, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import BLOCK_ROWS
from tallow.core.timeframe import parse_timeframe
from tallow.data.providers.bhavcopy import FIELDS
from tallow.data.providers.cells import ARRAY_COLUMNS, frame_source
from tallow.data.providers.content import open_content
from tallow.data.providers.facts import latest_open
from tallow.data.reading import text_tables
from tallow.data.reading.assembly import assemble
from tallow.data.reading.candles import Candles
from tallow.data.reading.files import ending_of, open_file
from tallow.data.reading.options import read_options
from tallow.data.reading.quarantine import QUARANTINE_SCHEMA
from tallow.data.reading.rules import FORMING
from tallow.data.reading.schema import ISO_TIME, NUMBERS, OPEN_INTEREST, find_column
from tallow.data.reading.spreadsheet import unmark_formulas

QUARANTINE_ID = "quarantine_id"
"""The column that distinguishes such a table from any other."""

_CELLS = ("instrument", "timestamp", *NUMBERS, OPEN_INTEREST)


@dataclass(frozen=True)
class RepairedRows:
    """Rows of one series kind out of a repaired table."""

    candles: Candles
    """What they say now. The quarantine holds those that are still bad as they were quarantined
    first, so that a ledger that has them keeps no second copy."""
    timeframe: str
    adjustment: str
    """Of which series the ledger says they are."""
    accepted: tuple[int, ...]
    """The numbers of the rows that keep every rule now."""
    sources: tuple[str, ...]
    """Where these rows came from at first."""
    by_rule: dict[str, int]
    """How many rows break which rule now."""
    refused: dict[int, str]
    """The rule that each other row breaks first, by its number."""


def repair_table(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return rows of a quarantine as a table of text.

    `quarantine` has the columns of `tallow.data.store.ledger.STORED_QUARANTINE_SCHEMA`. Rows of
    candles that were forming are left out: the candle itself comes once it has ended.
    Those of a feed, which have no row number, were ahead of the clock: they do not come again.
    """
    rows = quarantine.filter((pl.col("rule") != FORMING) | pl.col("row").is_null())
    records = [_cells(record) for record in rows["record"]]
    cells = pl.DataFrame(
        {name: [row.get(name) for row in records] for name in _CELLS},
        schema=dict.fromkeys(_CELLS, pl.String()),
    )
    has_reasons = "reason" in rows.columns and rows["reason"].null_count() < len(rows)
    return rows.select(
        pl.col("id").alias(QUARANTINE_ID),
        "source",
        "row",
        "rule",
        # What reading found out: a bare time has its zone, and a document names its instrument.
        pl.coalesce("instrument", cells["instrument"]).alias("instrument"),
        pl.coalesce(pl.col("timestamp").dt.strftime(ISO_TIME), cells["timestamp"]).alias(
            "timestamp"
        ),
        *(cells[name] for name in (*NUMBERS, OPEN_INTEREST)),
        "record",
        *(["reason"] if has_reasons else []),
    )


def is_repair_table(path: Path) -> bool:
    """Say whether a file is such a table, by its first line."""
    return ending_of(path) in text_tables.ENDINGS and QUARANTINE_ID in open_content(path).columns


def read_repairs(
    path: Path, quarantine: pl.DataFrame, timezone: str | None, now: int
) -> list[RepairedRows]:
    """Read a repaired table, its rows of each series kind by themselves.

    `quarantine` are all rows of the store's quarantine, settled ones too; `timezone` is the zone of
    times that carry none; `now` is as in `tallow.data.providers.document.read_document`.
    `CandleInputError` if a number is not one of the quarantine's, or comes twice, or no time can be
    read; `NaiveTimeError` if times carry no zone and none is given.
    """
    raw = open_file(path, BLOCK_ROWS)
    table = pl.concat([pl.DataFrame(schema=raw.schema), *raw.rows()])
    numbers = _numbers(path, table, set(quarantine["id"]))
    ours = quarantine.with_columns(pl.col("id").alias(QUARANTINE_ID))
    texts = [name for name in table.columns if name != QUARANTINE_ID and name not in _CELLS[:1]]
    rows = unmark_formulas(table, *texts).with_columns(numbers)
    parts = []
    for (timeframe, adjustment), known in ours.group_by("timeframe", "adjustment"):
        mine = rows.filter(numbers.is_in(known["id"].implode()))
        if len(mine):
            first = known.join(mine.select(QUARANTINE_ID), on=QUARANTINE_ID, maintain_order="right")
            size = parse_timeframe(str(timeframe))
            options = read_options(size, latest_open(now, size, timezone), timezone=timezone)
            candles = assemble([frame_source(str(path), mine)], options)
            parts.append(_repaired(candles, first, str(adjustment)))
    return parts


def _numbers(path: Path, table: pl.DataFrame, known: set[int]) -> pl.Series:
    """Return the rows' numbers in the ledger, int64."""
    texts = table[QUARANTINE_ID]
    numbers = texts.str.strip_chars().cast(pl.Int64, strict=False)
    seen: set[int] = set()
    for line, (text, number) in enumerate(zip(texts, numbers, strict=True), 1):
        if number not in known or number in seen:
            why = "comes twice" if number in seen else "is no row of this store's quarantine"
            raise CandleInputError(
                f"{path}: row={line}, {QUARANTINE_ID}={text!r}; {why}; export it again, and leave "
                "these numbers as they are"
            )
        seen.add(number)
    return numbers


def _repaired(candles: Candles, first: pl.DataFrame, adjustment: str) -> RepairedRows:
    """Return what became of rows; `first` says in their order how they were quarantined."""
    # Rows are counted from 1.
    bad = (candles.quarantine["row"].cast(pl.Int64) - 1).to_list()
    still = first[bad].select(list(QUARANTINE_SCHEMA))
    good = first.with_row_index().filter(~pl.col("index").is_in(bad))
    return RepairedRows(
        replace(candles, quarantine=still),
        candles.source_timeframe.text,
        adjustment,
        tuple(good["id"]),
        tuple(good["source"].unique()),
        candles.report.by_rule,
        dict(zip(first["id"][bad].to_list(), candles.quarantine["rule"], strict=True)),
    )


def _cells(record: str) -> dict[str, str | None]:
    """Return the cells of a record by our names; none where it is of no known shape."""
    try:
        cells = json.loads(record, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return {}
    if isinstance(cells, dict):
        return dict(_named(cells))
    # A longer array is a line of text whose cells have lost their columns.
    if isinstance(cells, list) and len(cells) <= len(ARRAY_COLUMNS):
        return {name: _text(cell) for name, cell in zip(ARRAY_COLUMNS, cells, strict=False)}
    return {}


def _named(cells: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for name in _CELLS:
        column = find_column(name, list(cells)) or FIELDS.get(name)
        if column is not None and column in cells:
            yield name, _text(cells[column])


def _text(cell: Any) -> str | None:
    return cell if cell is None or isinstance(cell, str) else json.dumps(cell)
