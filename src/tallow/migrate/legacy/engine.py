"""The old API as an engine: its answers for all instruments, under our names."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import EngineError
from tallow.core.time import SECOND_US
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.schema import NUMBERS, TIME_TYPE
from tallow.migrate.legacy.answer import five_minute_candles
from tallow.migrate.legacy.candles import Candle
from tallow.migrate.protocol import Request
from tallow.runtime.ranges import Range

LEGACY_SERIES = {
    "ma_9": "sma_9",
    "bb_upper": "bb_upper_20_2",
    "bb_middle": "bb_middle_20_2",
    "bb_lower": "bb_lower_20_2",
    "bb_width": "bb_width_20_2",
    "bb_width_normalized_percentage": "bb_width_percent_20_2",
    "atr": "atr_14",
    "rsi": "rsi_14",
}
"""From the old names to ours. ``vwap`` and ``ema_9`` are the same in both; we have no
``bb_width_normalized``, which is a ratio."""

SERIES = (
    "ma_9", "bb_upper", "bb_middle", "bb_lower", "bb_width", "bb_width_normalized_percentage",
    "bb_width_normalized", "vwap", "ema_5", "ema_9", "ema_50", "atr", "rsi",
)  # fmt: skip
LOWEST = "lowest_bb_width"


class LegacyEngine:
    """Five-minute candles with the old system's thirteen indicators, zeros included.

    With `lowest`, the job's file of lowest band widths, there is a column ``lowest_bb_width``, at
    the old system's cost: the file is read again for every bar.
    """

    name = "legacy"
    series = LEGACY_SERIES

    def __init__(self, lowest: Path | None = None) -> None:
        self._lowest = lowest
        self._columns = (*NUMBERS, *SERIES, *([LOWEST] if lowest else []))

    @property
    def version(self) -> str:
        """The state of the old system, and the version that re-creates it."""
        return f"July 2025, by tallow {version('tallow')}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars; see `Engine.answer`. Always with all thirteen indicators.

        `EngineError` if the timeframe is not five minutes.
        """
        if request.source_timeframe != "1m":
            raise EngineError(
                f"legacy: source_timeframe={request.source_timeframe}; the old system takes "
                "candles of 1m only; compare on those"
            )
        if parse_timeframe(request.timeframe).text != "5m":
            raise EngineError(
                f"legacy: timeframe={request.timeframe}; the old system answers for 5m only; "
                "compare at 5m"
            )
        low, high = Range.of(request.start, request.end, None).limits(
            CalendarAssignment(*request.venue.values()).calendars[0]
        )
        start = None if request.start is None else -(-low // SECOND_US)
        # The old system's ends are included.
        end = None if request.end is None else -(-high // SECOND_US) - 1
        parts = request.candles.partition_by("instrument", maintain_order=True)
        frames = [self._answer(part, start, end) for part in parts]
        keys = {"instrument": pl.String(), "timestamp": TIME_TYPE}
        empty = pl.DataFrame(schema={**keys, **dict.fromkeys(self._columns, pl.Float64())})
        return pl.concat([empty, *frames]).rename(LEGACY_SERIES)

    def _answer(self, part: pl.DataFrame, start: int | None, end: int | None) -> pl.DataFrame:
        instrument = str(part["instrument"][0])
        times = part["timestamp"].to_physical() // SECOND_US
        prices = (part[name].to_list() for name in NUMBERS)
        minutes = [Candle(*row) for row in zip(times.to_list(), *prices, strict=True)]
        lowest = (self._lowest, instrument) if self._lowest else None
        rows = five_minute_candles(minutes, start, end, lowest)[::-1]
        seconds = pl.Series([row["timestamp"] for row in rows], dtype=pl.Int64)
        keys = [
            pl.Series("instrument", [instrument] * len(rows), pl.String),
            (seconds * SECOND_US).cast(TIME_TYPE).alias("timestamp"),
        ]
        values = [pl.Series(n, [row[n] for row in rows], pl.Float64) for n in self._columns]
        return pl.DataFrame([*keys, *values])
