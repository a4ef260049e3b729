"""What a caller says of an input: checked once, and the same for files, frames and documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

from tallow.core.errors import CandleInputError, near_matches
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.kernels.rows import TIME_MAX_US
from tallow.data.reading.session_rows import CalendarName
from tallow.data.reading.time_texts import require_time_format
from tallow.data.reading.zones import require_timezone

TIMEFRAME = "1m"
"""How long candles last where it is not given."""

StampEdge = Literal["open", "close"]
"""Where a candle's stamp lies."""


class ReadKeywords(TypedDict, total=False):
    """What an input leaves out; see `tallow.data.reading.readers.read_candles`."""

    timezone: str | None
    instrument_key: str | None
    time_format: str | None
    stamped: StampEdge
    pattern: str | None
    no_volume: bool
    format: str | None


READ_KEYWORDS = tuple(ReadKeywords.__annotations__)


@dataclass(frozen=True)
class ReadOptions:
    """What the caller said about an input; see `tallow.data.reading.readers.read_candles`.

    Candles that open after `latest_us`, in microseconds since 1970 UTC, are still forming. With
    `no_volume`, inputs have none. `source_timeframe` may be what is taken where none is given; with
    `timeframe_open` it is for a first look only, whatever an input says of itself. With
    `has_interest`, candles have the column whether their source has it or not. Of `calendar` is the
    zone of times without one, where they then fall into its sessions; with None it is asked for.
    With `cut_short`, its sessions' ends cut candles short whose stamps lie at their close.
    """

    source_timeframe: Timeframe
    timezone: str | None = None
    instrument_key: str | None = None
    latest_us: int = TIME_MAX_US
    timeframe_given: bool = True
    timeframe_open: bool = False
    no_volume: bool = False
    time_format: str | None = None
    stamped: StampEdge = "open"
    pattern: str | None = None
    format: str | None = None
    has_interest: bool = False
    calendar: CalendarName | None = None
    cut_short: bool = False


def read_options(
    source_timeframe: str | Timeframe | None = None,
    latest_us: int = TIME_MAX_US,
    calendar: CalendarName | None = None,
    **said: Unpack[ReadKeywords],
) -> ReadOptions:
    """Return what the caller said about an input, with the timeframe that is taken where none is.

    Errors are those of `tallow.data.reading.readers.read_candles`.
    """
    for unknown in said.keys() - set(READ_KEYWORDS):
        hint = near_matches(unknown, READ_KEYWORDS)
        raise CandleInputError(f"read: {unknown}=; no parameter has this name; {hint}")
    is_given = source_timeframe is not None
    size = parse_timeframe(TIMEFRAME if source_timeframe is None else source_timeframe)
    options = ReadOptions(
        size, latest_us=latest_us, timeframe_given=is_given, calendar=calendar, **said
    )
    if options.timezone is not None:
        require_timezone(options.timezone)
    name = options.instrument_key
    if name is not None and (not name or not isinstance(name, str)):
        raise CandleInputError(
            f"read: instrument_key={name!r}; must be text that is not empty; "
            "for example instrument_key='NSE_EQ|INE301A01014'"
        )
    if options.time_format is not None:
        require_time_format(options.time_format)
    if options.stamped not in ("open", "close"):
        raise CandleInputError(f"read: stamped={options.stamped!r}; must be 'open' or 'close'")
    return options
