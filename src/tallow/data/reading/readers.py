"""Reading candles: any file or frame becomes candles, quarantined rows and counts that add up.

The way of a row: `files` or `interchange` opens its source, `schema` finds its columns, `times`
reads its time, `rules` checks it, `batches` puts the good and the bad apart, `merge` settles keys
that come more than once. `candle_files` stops before the last step, for inputs larger than memory.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Unpack

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import BLOCK_ROWS
from tallow.core.renamed import renamed
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.rows import increasing_within
from tallow.data.providers.opening import open_frame
from tallow.data.reading.assembly import assemble
from tallow.data.reading.assumptions import warn_once
from tallow.data.reading.batches import as_said, finite_interest
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.candles import Candles
from tallow.data.reading.file_names import require_no_pattern
from tallow.data.reading.files import RawSource, split
from tallow.data.reading.interchange import from_native
from tallow.data.reading.merge import deduplicate, keep_latest
from tallow.data.reading.options import TIMEFRAME, ReadKeywords, ReadOptions, read_options
from tallow.data.reading.rules import all_rows_hold
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, find_sequence, time_view
from tallow.data.reading.session_rows import CalendarName

_CANDLE_SCHEMAS = (
    pl.Schema(CANDLE_SCHEMA),
    pl.Schema({**CANDLE_SCHEMA, OPEN_INTEREST: pl.Float64()}),
)


def is_candle_schema(schema: pl.Schema) -> bool:
    """Say whether a frame of this schema is what reading would make of it, if its rows hold."""
    return schema in _CANDLE_SCHEMAS


@renamed(instrument="instrument_key")
@warn_once
def read_candles(
    source: Any,
    *,
    source_timeframe: str | Timeframe | None = None,
    calendar: CalendarName = "XNSE",
    **reading: Unpack[ReadKeywords],
) -> Candles:
    r"""Read candles from files or a frame.

    Parameters
    ----------
    source
        A path, a glob, a list of these; or a frame: Polars, pandas, Arrow, anything with the
        Arrow C stream or that narwhals reads. `Candles` are returned as they are. Files are CSV
        (``.csv``, ``.tsv``, ``.txt``, also ``.gz``, ``.zst``), Parquet (``.parquet``, ``.pq``),
        Arrow (``.arrow``, ``.arrows``, ``.ipc``, ``.feather``) or documents (``.json``, ``.zip``):
        those, and providers' frames, are read by the readers of `tallow.data.providers`. Column
        names are those of `reading.schema.ALIASES` and of `reading.shapes`; a ``date`` and
        a ``time`` column are joined where no better one names the time. Times are those of
        `tallow.data.reading.times`. A line of a text file without any value is not a row.
    source_timeframe
        How long each candle lasts; by default what a document says of itself, else ``1m``, and a
        warning if rows say otherwise.
    calendar
        Whose zone is taken, with a warning, for times that carry none, where at least 95 % of an
        input's rows are in its sessions then; one that hardly closes tells of none.
    timezone
        Zone of times that carry none, such as ``Asia/Kolkata``.
    instrument_key
        Key of inputs that have no instrument column. Of several files whose times overlap only
        `pattern` can say which are whose.
    time_format
        How times are written, with the letters of Python's ``strftime``: ``%d-%m-%Y %H:%M``.
    stamped
        Where the stamps of candles lie: at their ``open``, or at their ``close``.
    pattern
        A regular expression that fits each whole file name, with a group ``instrument``, and
        perhaps ``timezone``: ``(?P<instrument>.+)_minute\.csv``.
    no_volume
        That the inputs have no volume: every candle's is 0. Taken of TradingView with a warning.
    format
        The name of the inputs' reader; found by looking into each where it is not given.

    Returns
    -------
    Candles
        Sorted and unique rows, whatever the input's order; rows that broke a rule; the report.

    Raises
    ------
    CandleInputError
        If an input cannot be candles at all; a bad row never raises.
    NaiveTimeError
        If times carry no zone, `timezone` is not given, and the calendar does not tell it.
    TimeframeError
        If `source_timeframe` is not a timeframe.

    Notes
    -----
    A clean file in order costs a third more than Polars' reading; sorting, several times that.
    """
    if isinstance(source, Candles):
        return source
    return _read(source, read_options(source_timeframe, calendar=calendar, **reading))


@warn_once
def read_unsized(source: Any, calendar: CalendarName = "XNSE") -> Candles:
    """Read candles whose timeframe is found by their steps: what an input says of it is not asked.

    Errors are those of `read_candles`.
    """
    return _read(source, replace(read_options(calendar=calendar), timeframe_open=True))


def _read(source: Any, options: ReadOptions) -> Candles:
    if isinstance(source, str | Path | list | tuple):
        return CandleFiles.find(source, options).read()
    return _read_frame(source, options)


def open_candles(
    source: Any,
    source_timeframe: str | Timeframe | None = None,
    calendar: CalendarName = "XNSE",
    **reading: Unpack[ReadKeywords],
) -> Candles | CandleFiles:
    """Return files, which may be larger than memory, unread, and anything else as candles.

    Errors are those of `read_candles`; also where something is said of candles that are read.
    """
    if isinstance(source, str | Path | list | tuple):
        return CandleFiles.find(
            source, read_options(source_timeframe, calendar=calendar, **reading)
        )
    said = [name for name, value in reading.items() if value not in (None, False, "open")]
    said += [] if source_timeframe is None else ["source_timeframe"]
    if isinstance(source, Candles) and said:
        raise CandleInputError(
            f"read: {said[0]}=; says nothing of Candles, which are read already; give it to "
            "read_candles(candles, ...)"
        )
    return read_candles(source, source_timeframe=source_timeframe, calendar=calendar, **reading)


def read_latest(source: Any) -> Candles:
    """Read one-minute candles as live engines do: of several versions of one the last counts.

    `source` and errors are as in `read_candles`, which quarantines all of them. The order is that
    of a frame's `sequence`, else that of the rows; versions before the last count as repeated.
    """
    if isinstance(source, Candles | str | Path | list | tuple):
        return read_candles(source, source_timeframe=TIMEFRAME)
    return _read_frame(source, _minutes(), latest=True)


def _read_frame(source: Any, options: ReadOptions, *, latest: bool = False) -> Candles:
    """Read a frame; with `latest`, the last row of a key counts, in the order of its `sequence`."""
    require_no_pattern(options.pattern)
    if options.format is None and (candles := _as_it_is(source, options)) is not None:
        return candles
    deduplicate_rows = keep_latest if latest else deduplicate
    if (opened := open_frame(source, options.format)) is not None:
        said = as_said([opened[0]], options)
        return assemble([opened[0]], said, opened[1], deduplicate_rows)
    frame, native = from_native(source)
    number = find_sequence(frame.columns) if latest else None
    if number is not None:
        order = frame[number].cast(pl.Int64, strict=False)
        frame = frame.with_columns(order).sort(number, maintain_order=True)
    # One that is Polars' own was looked at above.
    if frame is not source and (candles := _as_it_is(frame, options, native)) is not None:
        return candles
    raws = [RawSource("frame", frame.schema, lambda: split(frame, BLOCK_ROWS))]
    return assemble(raws, options, native, deduplicate_rows)


@cache
def _minutes() -> ReadOptions:
    return read_options(TIMEFRAME)


def _as_it_is(frame: Any, options: ReadOptions, native: str = "polars") -> Candles | None:
    """Return a frame that is what reading would make of it; None for any other.

    So it is for those who feed a live engine every minute; finding out costs a tenth of reading.
    """
    if not isinstance(frame, pl.DataFrame) or not is_candle_schema(frame.schema):
        return None
    if len(frame) == 0 or frame.n_chunks() > 1:
        return None
    on_grid = options.source_timeframe.unit == "minute"
    if options.stamped != "open":
        return None
    if options.instrument_key is not None or not all_rows_hold(frame, on_grid, options.latest_us):
        return None
    runs = instrument_runs(frame)
    if not (frame["instrument"].is_sorted() and increasing_within(time_view(frame), runs[1])):
        return None
    if OPEN_INTEREST in frame.columns:
        frame = finite_interest(frame)
    return Candles.of(frame, runs, options.source_timeframe, native)
