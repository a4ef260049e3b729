"""Tables of a broker's quotes, which look like candles: their open, high and low are the day's."""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.reading.options import ReadOptions
from tallow.data.reading.schema import Layout, find_name

LAST_PRICES = ("last_price", "ltp", "last_traded_price")
"""Names of a last price: a candle's is its close, and a quote's is not, which is yesterday's."""

_APART = 1e-6


def require_no_quotes(
    rows: pl.DataFrame, layout: Layout, source: str, options: ReadOptions
) -> None:
    """Raise `CandleInputError` where most rows of minutes have another last price than close.

    In files of days, exchanges give both: a day's close may be an average of its last half hour.
    """
    last = find_name(LAST_PRICES, layout.ignored)
    if last is None or not (rows[last].dtype.is_numeric() or rows[last].dtype == pl.String):
        return
    if options.source_timeframe.unit != "minute" or options.timeframe_open:
        return
    prices = rows.select(
        close=pl.col(layout.numbers["close"]).cast(pl.Float64, strict=False),
        last=pl.col(last).cast(pl.Float64, strict=False),
    )
    other = (pl.col("last") - pl.col("close")).abs() > _APART * pl.col("close").abs()
    if 2 * (prices.select(other.sum()).item() or 0) > len(rows):
        raise CandleInputError(
            f"{source}: column {last!r} has other prices than {layout.numbers['close']!r}; a "
            "candle's last price is its close; are the rows quotes, whose open, high and low are "
            "the day's? If they are candles, leave out the column; if of days, say so"
        )
