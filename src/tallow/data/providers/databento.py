"""Databento's ohlcv records: CSV, or frames of `to_df()`.

Times are of UTC. Prices without a point are whole numbers of 10^-9, as Databento stores them; the
greatest of these means that there is none. A record's `rtype` says how long it lasts.
"""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.providers.cells import frame_of, frame_source
from tallow.data.providers.content import Content
from tallow.data.providers.reader import Reader, Reading
from tallow.data.reading.schema import PRICES

SIGNS = frozenset({"rtype", "publisher_id", "instrument_id", *PRICES})
TIMEFRAMES = {32: "1s", 33: "1m", 34: "1h", 35: "1d", 36: "1d"}
UNDEFINED = 2**63 - 1
_UNIT = 1_000_000_000


def _recognises(content: Content) -> bool:
    return set(content.columns) >= SIGNS


def _read(content: Content) -> Reading:
    frame, native = frame_of(content)
    missing = sorted(SIGNS - set(frame.columns))
    if missing:
        raise CandleInputError(
            f"{content.name}: columns missing: {', '.join(missing)}; must be Databento's ohlcv "
            "records; say what it is with format="
        )
    frame = frame.with_columns(_price(frame[name]) for name in PRICES)
    names = {"ts_event": "timestamp"}
    if "symbol" not in frame.columns:
        names["instrument_id"] = "instrument"
    frame = frame.rename({old: new for old, new in names.items() if old in frame.columns})
    return Reading(
        frame_source(content.name, frame),
        timeframe=_timeframe(content, frame["rtype"]),
        timezone="UTC",
        adjustment="raw",
        native=native,
    )


def _price(column: pl.Series) -> pl.Series:
    """Return a price: whole numbers are divided, those with a point are as they are."""
    if column.dtype.is_float():
        return column
    text = column.cast(pl.String)
    if text.str.contains(".", literal=True).any():
        return column
    whole = text.cast(pl.Int64, strict=False)
    price = whole.cast(pl.Float64) / _UNIT
    return price.to_frame().select(pl.when(whole != UNDEFINED).then(column.name)).to_series()


def _timeframe(content: Content, column: pl.Series) -> str | None:
    kinds = column.drop_nulls().unique().cast(pl.Int64, strict=False).to_list()
    if len(kinds) > 1:
        raise CandleInputError(
            f"{content.name}: rtype={', '.join(map(str, sorted(map(str, kinds))))}; must be of one "
            "kind; write each into a file of its own"
        )
    return TIMEFRAMES.get(kinds[0]) if kinds else None


READER = Reader("databento", "Databento ohlcv records, CSV and frames", _recognises, _read)
