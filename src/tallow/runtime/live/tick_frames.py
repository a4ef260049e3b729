"""Frames of ticks: their columns, and what a row may lack."""

from __future__ import annotations

import numpy as np
import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import NAME_CHARACTERS_MAX
from tallow.data.reading.rules import NAME_TOO_LONG
from tallow.data.reading.schema import TIME_TYPE, find_column, require_apart
from tallow.runtime.live.one_row import Positions

QUANTITIES = ("quantity", "day_volume")


def tick_positions(schema: pl.Schema) -> Positions | None:
    """Return where a tick's time, name, price, quantity, day's volume and sequence number are."""
    names = {field: find_column(field, list(schema)) for field in ("timestamp", "instrument")}
    fields = ("timestamp", "instrument", "price", *QUANTITIES, "sequence")
    columns = [names.get(field, field) for field in fields]
    order = list(schema)
    places = [order.index(name) if name in order else None for name in columns]
    time, text, price, *quantities, number = (
        None if place is None else schema.dtypes()[place] for place in places
    )
    is_plain = (
        isinstance(time, pl.Datetime)
        and time.time_unit == "us"
        and time.time_zone is not None
        and text == pl.String
        and quantities.count(None) == 1
        and price is not None
        and all(
            each is None or each.is_integer() or each.is_float() for each in (price, *quantities)
        )
        and (number is None or number.is_integer())
    )
    return places if is_plain else None


def tick_frame(frame: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """Return ticks with columns of the right types, and whether quantities are cumulative."""
    instrument, timestamp = (
        find_column(field, frame.columns) for field in ("instrument", "timestamp")
    )
    quantity = [name for name in QUANTITIES if name in frame.columns]
    if (
        instrument is None
        or timestamp is None
        or "price" not in frame.columns
        or len(quantity) != 1
    ):
        raise CandleInputError(
            f"ticks: columns={', '.join(frame.columns)}; must be instrument, timestamp, price, and "
            "either quantity or day_volume; rename them"
        )
    assert instrument is not None
    assert timestamp is not None
    require_apart(frame.columns, (instrument, timestamp, "price", *quantity), "ticks")
    dtype = frame.schema[timestamp]
    if not (isinstance(dtype, pl.Datetime) and dtype.time_zone):
        raise CandleInputError(f"ticks: {timestamp}: type={dtype}; must be a datetime with a zone")
    columns = {
        "instrument": pl.col(instrument).cast(pl.String),
        "timestamp": pl.col(timestamp).cast(TIME_TYPE),
        "price": pl.col("price").cast(pl.Float64).fill_null(np.nan),
        "quantity": pl.col(quantity[0]).cast(pl.Float64).fill_null(np.nan),
        "sequence": pl.lit(0, pl.Int64),
    }
    if "sequence" in frame.columns:
        columns["sequence"] = pl.col("sequence").cast(pl.Int64).fill_null(0)
    try:
        taken = frame.select(expression.alias(name) for name, expression in columns.items())
    except pl.exceptions.PolarsError as error:
        raise CandleInputError(f"ticks: {error}; must be numbers") from error
    return taken, quantity[0] == "day_volume"


def missing_fields(frame: pl.DataFrame) -> list[str | None] | None:
    """Return the rule that each tick breaks by its name or its time; None where none does."""
    name = pl.col("instrument")
    checks = {
        "instrument_missing": name.fill_null("") == "",
        NAME_TOO_LONG: name.str.len_chars() > NAME_CHARACTERS_MAX,
        "time_unreadable": pl.col("timestamp").is_null(),
    }
    if not frame.select(pl.any_horizontal(*checks.values()).any()).item():
        return None
    rule = pl.coalesce(pl.when(broken).then(pl.lit(name)) for name, broken in checks.items())
    rules: list[str | None] = frame.select(rule).to_series().to_list()
    return rules
