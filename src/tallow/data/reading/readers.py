"""Reading candles: any file or frame becomes candles, quarantined rows and counts that add up.

The way of a row: `files` or `interchange` opens its source, `schema` finds its columns, `times`
reads its time, `rules` checks it, `batches` puts the good and the bad apart, `merge` settles keys
that come more than once. `scan_batches` stops before the last step, for inputs larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypedDict, cast

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.core.limits import BLOCK_ROWS
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.kernels.rows import TIME_MAX_US, increasing_within
from tallow.data.providers.opening import open_frame, open_source, open_sources
from tallow.data.reading.assembly import assemble, batches_of
from tallow.data.reading.assumed import told_once
from tallow.data.reading.batches import Batch, ReadOptions, Stamped
from tallow.data.reading.candles import Candles, ReadReport
from tallow.data.reading.file_names import FilesApart, by_name, require_no_pattern
from tallow.data.reading.files import RawSource, expand_paths, split
from tallow.data.reading.interchange import from_native
from tallow.data.reading.merge import settle_latest
from tallow.data.reading.quarantine import empty_quarantine
from tallow.data.reading.rules import all_rows_hold
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_SCHEMA, find_sequence, time_view
from tallow.data.reading.time_texts import require_time_format
from tallow.data.reading.zones import require_timezone

__all__ = [
    "Batch",
    "expand_paths",
    "instrument_runs",
    "read_candles",
    "read_options",
    "scan_batches",
]


_CANDLE_SCHEMA = pl.Schema(CANDLE_SCHEMA)


TIMEFRAME = "1m"
"""How long candles last where nobody says it."""


class _Said(TypedDict):
    """What a caller says of an input beside its timeframe, zone and instrument."""

    time_format: str | None
    stamped: Stamped
    no_volume: bool


@told_once
def read_candles(
    source: Any,
    *,
    source_timeframe: str | Timeframe | None = None,
    timezone: str | None = None,
    instrument: str | None = None,
    time_format: str | None = None,
    stamped: Stamped = "open",
    pattern: str | None = None,
    no_volume: bool = False,
    format: str | None = None,  # noqa: A002
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
        `tallow.data.reading.times`. A line of a text file without any value is no row.
    source_timeframe
        How long each candle lasts; ``1m`` by default, and a warning if an input says otherwise.
    timezone
        Zone of times that carry none, such as ``Asia/Kolkata``.
    instrument
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
        If times carry no zone and `timezone` is not given.
    TimeframeError
        If `source_timeframe` is no timeframe.

    Notes
    -----
    A clean file in order costs a third more than Polars' reading; sorting, several times that.
    """
    if isinstance(source, Candles):
        return source
    said = _Said(time_format=time_format, stamped=stamped, no_volume=no_volume)
    options = read_options(source_timeframe, timezone, instrument, **said)
    if isinstance(source, str | Path | list | tuple):
        return _read_files(expand_paths(source), options, pattern, format)
    require_no_pattern(pattern)
    return _read_frame(source, options, format)


def _read_frame(source: Any, options: ReadOptions, reader: str | None) -> Candles:
    if reader is None and (candles := _as_it_is(source, options)) is not None:
        return candles
    if (opened := open_frame(source, reader)) is not None:
        return assemble([opened[0]], options, opened[1])
    frame, native = from_native(source)
    # One that is Polars' own was looked at above.
    if frame is not source and (candles := _as_it_is(frame, options, native)) is not None:
        return candles
    raws = [RawSource("frame", frame.schema, lambda: split(frame, BLOCK_ROWS))]
    return assemble(raws, options, native)


def _read_files(
    paths: Sequence[Path], options: ReadOptions, pattern: str | None, reader: str | None
) -> Candles:
    raws = open_sources(paths, BLOCK_ROWS, reader)
    if pattern is None:
        return assemble(raws, options)
    return assemble(raws, [by_name(path, pattern, options) for path in paths])


def read_latest(source: Any) -> Candles:
    """Read one-minute candles as live engines do: of several versions of one the last counts.

    Parameters
    ----------
    source
        As in `read_candles`, which sets all of them aside. The order is that of a frame's
        `sequence`, else that of the rows; versions before the last count as repeated.

    Raises
    ------
    CandleInputError, NaiveTimeError
        As `read_candles`.
    """
    if isinstance(source, Candles | str | Path | list | tuple):
        return read_candles(source, source_timeframe=TIMEFRAME)
    options = _minutes()
    if (candles := _as_it_is(source, options)) is not None:
        return candles
    if (opened := open_frame(source)) is not None:
        return assemble([opened[0]], options, opened[1], settle_latest)
    frame, native = from_native(source)
    number = find_sequence(frame.columns)
    if number is not None:
        order = frame[number].cast(pl.Int64, strict=False)
        frame = frame.with_columns(order).sort(number, maintain_order=True)
    if frame is not source and (candles := _as_it_is(frame, options, native)) is not None:
        return candles
    raws = [RawSource("frame", frame.schema, lambda: split(frame, BLOCK_ROWS))]
    return assemble(raws, options, native, settle_latest)


def scan_batches(
    paths: Sequence[Path],
    *,
    source_timeframe: str | Timeframe | None = None,
    timezone: str | None = None,
    instrument: str | None = None,
    time_format: str | None = None,
    stamped: Stamped = "open",
    pattern: str | None = None,
    no_volume: bool = False,
    format: str | None = None,  # noqa: A002
    chunk_rows: int = BLOCK_ROWS,
) -> Iterator[Batch]:
    """Read files batch by batch, every row checked on its own, in file order.

    Each file gives at least one batch, which may be empty. Keys may repeat, within a batch and
    across them: settling that is the caller's. Parameters and errors are those of `read_candles`;
    a broken file may raise after some of its batches were given.
    """
    said = _Said(time_format=time_format, stamped=stamped, no_volume=no_volume)
    options = read_options(source_timeframe, timezone, instrument, **said)
    apart = FilesApart(instrument)
    for path in paths:
        own = options if pattern is None else by_name(path, pattern, options)
        for batch in batches_of(open_source(path, chunk_rows, format), own):
            apart.see(batch.source, batch.frame, own.instrument)
            yield batch
    apart.check()


def read_options(
    source_timeframe: str | Timeframe | None,
    timezone: str | None,
    instrument: str | None,
    latest_us: int = TIME_MAX_US,
    *,
    time_format: str | None = None,
    stamped: Stamped = "open",
    no_volume: bool = False,
) -> ReadOptions:
    """Return what the caller said about an input; see `read_candles` for parameters and errors.

    Candles that open after `latest_us`, in microseconds since 1970 UTC, are still forming.
    """
    require_timezone(timezone)
    if instrument is not None and (not instrument or not isinstance(instrument, str)):
        raise CandleInputError(
            f"read: instrument={instrument!r}; must be text that is not empty; "
            "for example instrument='NSE_EQ|INE301A01014'"
        )
    require_time_format(time_format)
    if stamped not in ("open", "close"):
        raise CandleInputError(f"read: stamped={stamped!r}; must be 'open' or 'close'")
    return ReadOptions(
        source_size(source_timeframe),
        timezone,
        instrument,
        latest_us,
        timeframe_given=source_timeframe is not None,
        no_volume=no_volume,
        time_format=time_format,
        stamped=stamped,
    )


@cache
def _minutes() -> ReadOptions:
    return read_options(TIMEFRAME, None, None)


def source_size(given: str | Timeframe | None) -> Timeframe:
    """Return how long candles last, as it is given or as it is taken."""
    return parse_timeframe(TIMEFRAME if given is None else given)


def _as_it_is(frame: Any, options: ReadOptions, native: str = "polars") -> Candles | None:
    """Return a frame that is what reading would make of it; None for any other.

    So it is for those who feed a live engine every minute; finding out costs a tenth of reading.
    """
    if not isinstance(frame, pl.DataFrame) or frame.schema != _CANDLE_SCHEMA:
        return None
    if len(frame) == 0 or frame.n_chunks() > 1:
        return None
    on_grid = options.source_timeframe.unit == "minute"
    if options.stamped != "open":
        return None
    if options.instrument is not None or not all_rows_hold(frame, on_grid, options.latest_us):
        return None
    runs = instrument_runs(frame)
    if not (frame["instrument"].is_sorted() and increasing_within(time_view(frame), runs[1])):
        return None
    rows, time = len(frame), frame["timestamp"]
    ends = cast("Any", time.min()), cast("Any", time.max())
    report = ReadReport(rows, rows, 0, 0, {}, ("frame",), (), len(runs[0]), *ends)
    return Candles(frame, empty_quarantine(), report, options.source_timeframe, native, runs)
