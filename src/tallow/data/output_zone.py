"""Times as the user sees them: one function puts what comes out into a zone."""

from __future__ import annotations

import polars as pl
from polars import selectors

from tallow.core.errors import CandleInputError, ParameterError
from tallow.data.reading.zones import require_timezone

UTC = "UTC"
"""The zone of files where none is asked for."""


def in_zone(frame: pl.DataFrame, output_zone: str | None) -> pl.DataFrame:
    """Return a frame whose instants are shown by the clocks of a zone; of None, as they are.

    They stay the same instants: Parquet and Arrow keep the zone in the type, text has offsets.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> bars = pl.DataFrame({"timestamp": [datetime(2025, 7, 18, 3, 45, tzinfo=UTC)]})
    >>> in_zone(bars, "Asia/Kolkata")["timestamp"].dt.to_string("%H:%M %Z").to_list()
    ['09:15 IST']
    """
    if output_zone is None:
        return frame
    instants = selectors.datetime(time_zone="*")
    return frame.with_columns(instants.dt.convert_time_zone(output_zone))


def require_output_zone(output_zone: str | None) -> str | None:
    """Return the zone; `ParameterError` unless it is None or the name of a zone."""
    try:
        require_timezone(output_zone)
    except CandleInputError as error:
        said = str(error).partition("=")[2]
        raise ParameterError(f"output: output_zone={said}") from error
    return output_zone
