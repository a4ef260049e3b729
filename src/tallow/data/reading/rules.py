"""The rules every candle row must keep: one table, and one compiled pass that finds any breach.

A file is nearly always clean, so `rows_hold` answers only yes or no, in one pass; the expressions
of the table run where it says no, and name each row's first broken rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import polars as pl

from tallow.core.limits import (
    CANDLE_YEAR_FIRST,
    CANDLE_YEAR_LAST,
    NAME_CHARACTERS_MAX,
    ROWS_IN_PYTHON_MAX,
)
from tallow.core.time import MINUTE_US
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US, rows_hold
from tallow.data.reading.schema import PRICES, time_view

_PYTHON_MIN_US, _PYTHON_MAX_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, which Python's datetime holds. Nanoseconds taken for microseconds are later.
"""

NAME_TOO_LONG = "instrument_too_long"
OUT_OF_RANGE = "time_out_of_range"
OFF_GRID = "off_grid"
REPEATED_PERIOD = "repeated_period"
NOT_COVERED, FORMING = "not_covered", "forming"
"""Rules that a row's time alone does not break: they need a calendar, or a clock."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule: its name in the quarantine, what it asks for, and what to do about a breach.

    `broken` is a boolean expression over the canonical columns; None where the row alone cannot
    show the breach.
    """

    name: str
    text: str
    hint: str
    broken: pl.Expr | None


_OPEN, _HIGH, _LOW, _CLOSE = (pl.col(name) for name in PRICES)
_IS_OFF_GRID = pl.col("timestamp").dt.epoch("us") % MINUTE_US != 0

RULES: tuple[Rule, ...] = (
    Rule(
        "row_unreadable",
        "a row has the cells of its format, and one of them at least can be read",
        "compare the record with a good row; fetch the document again",
        pl.all_horizontal(pl.col(name).is_null() for name in ("timestamp", *PRICES, "volume")),
    ),
    Rule(
        "instrument_missing",
        "a row names its instrument",
        "fill the instrument column, or drop the row",
        pl.col("instrument").fill_null("") == "",
    ),
    Rule(
        NAME_TOO_LONG,
        f"a row's instrument has at most {NAME_CHARACTERS_MAX:,} characters",
        "check the column order: which one has the names?",
        pl.col("instrument").str.len_chars() > NAME_CHARACTERS_MAX,
    ),
    Rule(
        "time_unreadable",
        "a row's time is ISO-8601 text, a datetime or an epoch, and exists once in its zone",
        "see tallow.data.reading.times for the formats; give offsets where clocks go back",
        pl.col("timestamp").is_null(),
    ),
    Rule(
        OUT_OF_RANGE,
        f"a row's time is of the years {CANDLE_YEAR_FIRST} to {CANDLE_YEAR_LAST}",
        "check the unit and the century; a library's zero time stands for a missing one",
        ~pl.col("timestamp").dt.epoch("us").is_between(TIME_MIN_US, TIME_MAX_US),
    ),
    Rule(
        "price_missing",
        "open, high, low and close are finite plain numbers",
        "remove thousands separators and placeholders",
        ~pl.all_horizontal(pl.col(name).is_finite().fill_null(False) for name in PRICES),
    ),
    Rule("high_below_low", "high >= low", "check the column order", _HIGH < _LOW),
    Rule(
        "open_outside_range",
        "low <= open <= high",
        "check for a mix of adjusted and raw prices",
        (_OPEN < _LOW) | (_OPEN > _HIGH),
    ),
    Rule(
        "close_outside_range",
        "low <= close <= high",
        "check for a mix of adjusted and raw prices",
        (_CLOSE < _LOW) | (_CLOSE > _HIGH),
    ),
    Rule(
        "volume_missing",
        "volume is a finite plain number",
        "write 0 where nothing traded",
        ~pl.col("volume").is_finite().fill_null(False),
    ),
    Rule("volume_negative", "volume >= 0", "check the sign", pl.col("volume") < 0),
    Rule(
        OFF_GRID,
        "an intraday candle opens on a whole minute, and no finer row is in that minute",
        "give the bar's open, not its last trade; build minutes of finer rows first",
        _IS_OFF_GRID,
    ),
    Rule(
        FORMING,
        "a candle has begun when it is read, and has ended when it is ingested",
        "ingest again after the candle has ended; check for local times taken for UTC",
        None,
    ),
    Rule(
        NOT_COVERED,
        "the calendar knows the row's date, and its hours",
        "see calendar_dates= and beyond_coverage=, or check the unit and the zone of the times",
        None,
    ),
    Rule(
        REPEATED_PERIOD,
        "an instrument has one candle of each day, week or month: the last row by time counts",
        "keep the final row; a provider's candle of today may come twice while it is forming",
        None,
    ),
    Rule(
        "repeated_key",
        "one instrument has one candle per time",
        "keep the row that is right: all rows that contradict each other were quarantined",
        None,
    ),
)


def first_broken(on_grid: bool, latest_us: int = TIME_MAX_US) -> pl.Expr:
    """Return an expression: each row's first broken rule by name, null where it keeps them all.

    With `on_grid`, times must be whole minutes: so for intraday source timeframes. `latest_us` is
    when the last candle opens that has ended: later ones are still forming.
    """
    checks = [
        pl.when(rule.broken).then(pl.lit(rule.name))
        for rule in RULES
        if rule.broken is not None and (on_grid or rule.name != OFF_GRID)
    ]
    forming = pl.col("timestamp").dt.epoch("us") > latest_us
    return pl.coalesce(*checks, pl.when(forming).then(pl.lit(FORMING))).alias("rule")


def all_rows_hold(frame: pl.DataFrame, on_grid: bool, latest_us: int = TIME_MAX_US) -> bool:
    """Say whether every row of a canonical frame keeps every rule that one row can break.

    Costs about a nanosecond a row: the kernel reads the columns in place.
    """
    by_name = dict(zip(frame.columns, frame.get_columns(), strict=True))
    columns = [by_name[name] for name in ("instrument", "timestamp", *PRICES, "volume")]
    if any(column.null_count() for column in columns):
        return False
    instrument, _, *numbers = columns
    if not _names_hold(instrument):
        return False
    open_, high, low, close, volume = (column.to_numpy() for column in numbers)
    latest = min(max(latest_us, TIME_MIN_US), TIME_MAX_US)
    return bool(rows_hold(open_, high, low, close, volume, time_view(frame), on_grid, latest))


_NAMES_FEW = 64
"""So many names are looked at sooner than they are compared with those before."""

_named: list[pl.Series] = []
"""The last few names that kept the rules: a feed's next minute mostly has the same ones."""


def _names_hold(names: pl.Series) -> bool:
    """Say whether no name is empty, or longer in bytes than it may be in characters."""
    if len(names) <= _NAMES_FEW:
        return _texts_hold(names.to_list())
    if any(known.equals(names) for known in _named):
        return True
    if len(names) <= ROWS_IN_PYTHON_MAX:
        texts = names.to_list()
        holds = _texts_hold(texts)
        if holds:
            # In memory of its own: the column may be a part of something large.
            _named[:] = [pl.Series(texts, dtype=pl.String)]
        return holds
    # In order, the empty text comes first.
    suspects = names.head(1) if names.flags["SORTED_ASC"] else names
    # Bytes, which need no look at the text: of names that are long in bytes, `first_broken` says.
    longest = cast("int", names.str.len_bytes().max() or 0)
    return not (suspects == "").any() and longest <= NAME_CHARACTERS_MAX


def _texts_hold(names: list[str]) -> bool:
    return all(0 < len(name.encode()) <= NAME_CHARACTERS_MAX for name in names)


def within_years(time: pl.Expr) -> pl.Expr:
    """Return times with null for those outside the years 1 to 9999."""
    return pl.when(time.dt.epoch("us").is_between(_PYTHON_MIN_US, _PYTHON_MAX_US)).then(time)
