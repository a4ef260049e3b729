"""From raw rows to candle columns, batch by batch, each row checked on its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl

from tallow.core.arrays import Ints
from tallow.core.errors import CandleInputError, NaiveTimeError, TimeframeError
from tallow.core.time import MINUTE_US
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.assumptions import assume
from tallow.data.reading.files import RawSource
from tallow.data.reading.lasting import lasting_values
from tallow.data.reading.merge import finer_minutes, in_minutes, require_minutes
from tallow.data.reading.options import ReadOptions
from tallow.data.reading.quarantine import as_quarantine, empty_quarantine, records
from tallow.data.reading.quotes import require_no_quotes
from tallow.data.reading.row_keys import key_text
from tallow.data.reading.rules import OFF_GRID, all_rows_hold, first_broken, within_years
from tallow.data.reading.runs import mark_sorted
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE, Layout, resolve_layout
from tallow.data.reading.session_rows import (
    assigned,
    calendar_zone,
    fits_sessions,
    opens_of_closes,
)
from tallow.data.reading.time_texts import TimeStyle, explain_unreadable
from tallow.data.reading.times import FORMATS, join_date_and_time, to_utc

EXAMPLES_SHOWN = 3
"""Unreadable times that an error prints."""

WITHOUT_VOLUME = (
    "has no volume; 0 is taken, as TradingView leaves the column out where a chart shows none; "
    "pass no_volume=True to say so, or export the chart with its volume"
)
"""What is assumed of a source without volume, where its shape is known to come so."""

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)

ZONE_TAKEN = (
    "times carry no zone; {0}, the calendar's, is taken, as 95 % of the rows or more are in "
    'sessions then; pass timezone="{0}" to say so, or another one'
)
"""What is assumed of a source whose times carry no zone."""


@dataclass(frozen=True)
class Batch:
    """A part of one source's rows, read and checked.

    Attributes
    ----------
    frame
        Candle columns of the rows that keep every rule of one row, in input order: not sorted, and
        keys may repeat.
    quarantine
        The other rows.
    rows_in
        Rows in both together.
    source
        The file, or ``frame``.
    first_row
        The number, in its source and from 1, of the batch's first row.
    ignored_columns
        The source's columns that no field is read from.
    symbols
        Columns of `SYMBOL_SCHEMA`, each pair once; None where rows say no symbols beside keys.
    """

    frame: pl.DataFrame
    quarantine: pl.DataFrame
    rows_in: int
    source: str
    first_row: int
    ignored_columns: tuple[str, ...] = ()
    symbols: pl.DataFrame | None = None

    def row_numbers(self) -> Ints:
        """Return the row number in the source of every row of `frame`."""
        rows = np.arange(self.first_row, self.first_row + self.rows_in, dtype=np.int64)
        return np.delete(rows, self.quarantine["row"].to_numpy().astype(np.int64) - self.first_row)


def read_batches(raw: RawSource, options: ReadOptions) -> Iterator[Batch]:
    """Read and check one source's rows as they come; at least one batch, which may be empty.

    What the source says of all its rows counts where they and the caller do not. `CandleInputError`
    if columns are missing, or not a single time can be read; the latter only at the end.
    `NaiveTimeError` if times carry no zone, none was given, and the calendar does not tell it.
    """
    source = raw.name
    if raw.timeframe is not None:
        require_timeframe(source, "the document", raw.timeframe, options)
    options = replace(
        options,
        instrument_key=options.instrument_key or raw.instrument,
        timezone=raw.timezone or options.timezone,
    )
    layout = resolve_layout(raw.schema, source, options.instrument_key, options.no_volume)
    rows_seen = unreadable = off_grid = 0
    examples: list[str] = []
    day_first = None if layout.shape is None else layout.shape.day_first
    style = TimeStyle(options.time_format, day_first)
    options = _with_cuts(raw, layout, options)
    for rows in raw.rows():
        _require_period(rows, layout, source, options)
        require_no_quotes(rows, layout, source, options)
        try:
            batch = _read_batch(rows, layout, source, rows_seen + 1, options, style)
        except NaiveTimeError:
            options = _with_cuts(raw, layout, _with_zone(raw, layout, options))
            batch = _read_batch(rows, layout, source, rows_seen + 1, options, style)
        rows_seen += len(rows)
        unreadable += batch.quarantine["timestamp"].null_count()
        off_grid += _count_within_minutes(batch)
        yield batch
        if rows_seen == len(rows) == unreadable:
            examples = _example_times(rows, layout)
    if rows_seen == 0:
        nothing = pl.DataFrame(schema=raw.schema)
        yield _read_batch(nothing, layout, source, 1, options, style)
    elif unreadable == rows_seen:
        raise CandleInputError(
            f"{source}: column {' + '.join(layout.time_columns)!r}="
            f"{', '.join(map(repr, examples[:EXAMPLES_SHOWN]))}; "
            f"not one of {rows_seen} times can be read; they must be "
            f"{options.time_format or FORMATS}{explain_unreadable(examples, options.time_format)}"
        )
    if off_grid:
        require_minutes(source, rows_seen, off_grid)
    if "volume" not in layout.numbers and not options.no_volume:
        assume(source, WITHOUT_VOLUME)


def _with_zone(raw: RawSource, layout: Layout, options: ReadOptions) -> ReadOptions:
    """Return options with the calendar's zone, where the source's times then are in sessions."""
    if options.calendar is None:
        return options
    calendars = assigned(options.calendar)
    zone = calendar_zone(calendars)
    if zone is None:
        return options
    zoned = replace(options, timezone=zone)
    day_first = None if layout.shape is None else layout.shape.day_first
    style = TimeStyle(options.time_format, day_first)
    frames = (_candle_columns(rows, layout, raw.name, zoned, style) for rows in raw.rows())
    if not fits_sessions(frames, calendars):
        return options
    assume(raw.name, ZONE_TAKEN.format(zone))
    return zoned


def _with_cuts(raw: RawSource, layout: Layout, options: ReadOptions) -> ReadOptions:
    """Return options by which a session's end cuts candles short, where that can be known.

    Only stamps at the close hide when such a candle opens. The calendar must be the rows'.
    """
    size = options.source_timeframe
    if options.stamped == "open" or size.unit != "minute" or options.calendar is None:
        return options
    day_first = None if layout.shape is None else layout.shape.day_first
    style = TimeStyle(options.time_format, day_first)
    frames = (_candle_columns(rows, layout, raw.name, options, style) for rows in raw.rows())
    try:
        fits = size.minutes > 1 and fits_sessions(frames, assigned(options.calendar))
    except NaiveTimeError:
        return options
    return replace(options, cut_short=fits)


def _read_batch(
    raw: pl.DataFrame,
    layout: Layout,
    source: str,
    first_row: int,
    options: ReadOptions,
    style: TimeStyle,
) -> Batch:
    frame = _candle_columns(raw, layout, source, options, style)
    on_grid = options.source_timeframe.unit == "minute"
    symbols = _symbols_of(raw, layout)
    named = (source, first_row, layout.ignored, symbols)
    if all_rows_hold(frame, on_grid, options.latest_us):
        return Batch(frame, empty_quarantine(), len(raw), *named)
    frame = frame.with_columns(within_years(pl.col("timestamp")))
    single = pl.Float32 in {raw.schema[column] for column in layout.numbers.values()}
    frame = widen_range(frame, single)
    rule = frame.select(first_broken(on_grid, options.latest_us)).to_series()
    if on_grid and (rule == OFF_GRID).any():
        shares = in_minutes(frame, finer_minutes(frame.with_columns(rule)))
        rule = rule.scatter((shares & rule.is_null()).arg_true(), OFF_GRID)
    bad = rule.is_not_null()
    at = pl.int_range(first_row, first_row + len(raw), dtype=pl.UInt64, eager=True).alias("row")
    broken = frame.select("instrument", "timestamp").with_columns(at, rule).filter(bad)
    broken = broken.with_columns(records(raw.filter(bad)))
    quarantine = as_quarantine(broken, source)
    return Batch(frame.filter(~bad), quarantine, len(raw), *named)


def _symbols_of(raw: pl.DataFrame, layout: Layout) -> pl.DataFrame | None:
    """Return each pair of key and symbol once."""
    if layout.symbol is None or layout.instrument is None:
        return None
    pairs = raw.select(
        pl.Series("instrument", key_text(raw[layout.instrument])),
        pl.col(layout.symbol).str.strip_chars().alias("symbol"),
    )
    kept = pairs.unique().drop_nulls().filter(pl.col("symbol") != "")
    return kept.filter(pl.col("symbol") != pl.col("instrument"))


def _candle_columns(
    raw: pl.DataFrame, layout: Layout, source: str, options: ReadOptions, style: TimeStyle
) -> pl.DataFrame:
    """Return the candle columns of raw rows; what cannot be read is null. Clean input is shared."""
    if layout.instrument is None:
        instrument = pl.Series([options.instrument_key], dtype=pl.String).new_from_index(
            0, len(raw)
        )
    else:
        column = raw[layout.instrument]
        instrument = column if column.dtype == pl.String else key_text(column)
    times = [raw[column] for column in layout.time_columns]
    time = times[0] if len(times) == 1 else join_date_and_time(*times)
    if time.dtype != TIME_TYPE:
        zone = None if layout.shape is None else layout.shape.timezone
        time = to_utc(time, zone or options.timezone, source, style)
    columns = [
        mark_sorted(instrument.alias("instrument")),
        _opens(time, instrument, options).alias("timestamp"),
    ]
    numbers = {field: _to_float(raw[column]) for field, column in layout.numbers.items()}
    if "volume" not in numbers:
        numbers["volume"] = pl.Series([0.0]).new_from_index(0, len(raw))
    if options.has_interest and OPEN_INTEREST not in numbers:
        numbers[OPEN_INTEREST] = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(raw))
    columns += [
        numbers[field].alias(field) for field in (*NUMBERS, OPEN_INTEREST) if field in numbers
    ]
    frame = pl.DataFrame(columns)
    return finite_interest(frame) if OPEN_INTEREST in layout.numbers else frame


def finite_interest(frame: pl.DataFrame) -> pl.DataFrame:
    """Return candle columns with null for open interest that is not a finite number.

    No rule asks for it: what is not a number is unavailable.
    """
    if frame[OPEN_INTEREST].is_finite().all():
        return frame
    return frame.with_columns(pl.when(pl.col(OPEN_INTEREST).is_finite()).then(OPEN_INTEREST))


def as_said(raws: Iterable[RawSource], options: ReadOptions) -> ReadOptions:
    """Return the options with the timeframe that all documents say, where the caller gives none.

    Where it cannot be read, or documents differ, `require_timeframe` says so.
    """
    said = {raw.timeframe for raw in raws}
    own = said.pop() if len(said) == 1 else None
    if options.timeframe_given or options.timeframe_open or own is None:
        return options
    with suppress(TimeframeError):
        return replace(options, source_timeframe=parse_timeframe(own))
    return options


def require_timeframe(source: str, by: str, lasting: str, options: ReadOptions) -> None:
    """Compare how long rows last, `by` which word, with what the caller says, if anything.

    `CandleInputError` if the two do not agree, `TimeframeError` if it is not a timeframe.
    """
    try:
        agree = parse_timeframe(lasting) == options.source_timeframe
    except TimeframeError as error:
        raise TimeframeError(f"{source}: {by}: {error}") from error
    size = options.source_timeframe.text
    if agree or options.timeframe_open:
        return
    if not options.timeframe_given:
        claim = f"by {by} rows last {lasting}, and are read as candles of {size}"
        assume(source, f'{claim}; pass source_timeframe="{lasting}" if they last so')
        return
    raise CandleInputError(
        f"{source}: by {by} rows last {lasting}, and candles of {size} are read; "
        f'they must agree; is it the right file? If so, pass source_timeframe="{lasting}"'
    )


def _require_period(raw: pl.DataFrame, layout: Layout, source: str, options: ReadOptions) -> None:
    """Compare how long rows say that they last with each other, and with what the caller says."""
    said = list(lasting_values(raw, layout.shape))
    if len({lasting for _, _, lasting in said}) > 1:
        shown = ", ".join(repr(value) for _, value, _ in said[:EXAMPLES_SHOWN])
        raise CandleInputError(
            f"{source}: {said[0][0]}={shown}; rows of one input must last alike; read those of "
            "each length by themselves"
        )
    for column, value, lasting in said:
        require_timeframe(source, f"{column}={value!r}", lasting, options)


def _opens(times: pl.Series, instrument: pl.Series, options: ReadOptions) -> pl.Series:
    """Return when candles open, of their stamps.

    A stamp at the end of a day, week or month may be the next one's midnight: a microsecond before
    it is in its own.
    """
    if options.stamped == "open":
        return times
    if options.source_timeframe.unit != "minute":
        return (times.cast(pl.Int64) - 1).cast(times.dtype)
    stamps = pl.DataFrame({"instrument": instrument, "timestamp": times.fill_null(_ANY_TIME)})
    calendars = assigned(options.calendar) if options.cut_short and options.calendar else None
    length = options.source_timeframe.minutes * MINUTE_US
    opens = pl.Series(opens_of_closes(stamps, length, calendars)).cast(times.dtype)
    return opens.zip_with(times.is_not_null(), times)


def _to_float(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Float64:
        return column
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64)
    text = column.cast(pl.String)
    number = text.cast(pl.Float64, strict=False)
    if number.null_count() == text.null_count():
        return number
    return text.str.strip_chars().cast(pl.Float64, strict=False)


def _example_times(raw: pl.DataFrame, layout: Layout) -> list[str]:
    """Return the times of raw rows as they were written, each once."""
    shown = records(raw.select(layout.time_columns).unique(maintain_order=True))
    return [" ".join(map(str, json.loads(row).values())) for row in shown]


def _count_within_minutes(batch: Batch) -> int:
    """Return how many rows were quarantined as they open within a minute, alone or with others."""
    if not len(batch.quarantine):
        return 0
    late = pl.col("timestamp").to_physical() % MINUTE_US != 0
    return len(batch.quarantine.filter((pl.col("rule") == OFF_GRID) & late))


ROUNDING, ROUNDING_SINGLE = 1e-9, 2.0**-22
"""How far apart prices may be that are the same but for a rounding, as a share of the price: of
64-bit numbers and of text, and where a column of prices is 32-bit."""


def widen_range(frame: pl.DataFrame, single: bool) -> pl.DataFrame:
    """Return candle columns whose high and low hold open and close, where a rounding is missing.

    A high that is below the close by the last digits of a float is no other price: adjusting,
    averaging and 32-bit columns make such rows. `single`: some prices come from 32-bit numbers.
    Other rows stay as they are.
    """
    share = ROUNDING_SINGLE if single else ROUNDING
    high, low = pl.col("high"), pl.col("low")
    # Of text that is not a number NaN or null comes, which no comparison lets through.
    top = pl.max_horizontal("open", "close", "low")
    floor = pl.min_horizontal("open", "close", "high")
    over = (top > high) & (top - high <= share * top.abs())
    under = (floor < low) & (low - floor <= share * low.abs())
    return frame.with_columns(
        pl.when(over).then(top).otherwise(high).alias("high"),
        pl.when(under).then(floor).otherwise(low).alias("low"),
    )
