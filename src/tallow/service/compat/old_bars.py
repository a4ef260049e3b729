"""Candles as the old services of aggregation and indicators answered them; of Tallow's public face.

Names, order and rounding of fields are the old ones; numbers are Tallow's. What is missing is 0.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from tallow import AnalyticsEngine, Store

OldRow = dict[str, Any]
"""A candle, or what else the old API has as an object."""

LOOKBACK, SHORT_LOOKBACK = 750, 7
"""Bars among which the lowest width is: ten sessions; what counts until there are as many."""

LONG = f"squeeze(20, 2, {LOOKBACK}, 0.1)"
SHORT = f"squeeze(20, 2, {SHORT_LOOKBACK}, 0.1)"
WIDTH = "bollinger(20, 2)[width]"
INDICATORS = "sma(9), bollinger(20, 2), vwap, ema(5), ema(9), ema(50), atr(14), rsi(14)"

_OURS = {
    "ma_9": "sma_9",
    "bb_upper": "bb_upper_20_2",
    "bb_middle": "bb_middle_20_2",
    "bb_lower": "bb_lower_20_2",
    "vwap": "vwap",
    "ema_5": "ema_5",
    "ema_9": "ema_9",
    "ema_20": None,
    "ema_50": "ema_50",
    "atr": "atr_14",
    "rsi": "rsi_14",
    "bb_width": "bb_width_20_2",
}
"""Old names and our columns, in the old order; one that the old API never filled has none."""

_NEXT = timedelta.resolution


def five_minute_rows(
    engine: AnalyticsEngine, name: str, start: datetime, end: datetime
) -> list[OldRow]:
    """Return an instrument's bars of five minutes, both ends included; the open one among them."""
    bars = engine.query(name, "5m", start, end + _NEXT, f"{INDICATORS}, {LONG}, {SHORT}").frame
    share = pl.col("bb_width_percent_20_2")
    return _rows(
        bars,
        _heads(engine, "5minute"),
        _indicators(digits=2),
        {
            "bb_width_normalized": _rounded(share / 100.0, 4),
            "bb_width_normalized_percentage": _rounded(share, 4),
            "lowest_bb_width": _rounded(
                pl.coalesce(
                    f"squeeze_lowest_20_2_{LOOKBACK}_0p1",
                    f"squeeze_lowest_20_2_{SHORT_LOOKBACK}_0p1",
                ),
                2,
            ),
        },
    )


def minute_rows(
    engine: AnalyticsEngine, store: Store, name: str, start: datetime, end: datetime
) -> list[OldRow]:
    """Return an instrument's candles as they are stored, both ends included; indicators are 0."""
    candles = store.read(name, start=_microseconds(start), end=_microseconds(end + _NEXT))
    named = (*_OURS, "bb_width_normalized", "bb_width_normalized_percentage", "lowest_bb_width")
    return _rows(candles, _heads(engine, "1minute"), {each: pl.lit(0.0) for each in named}, {})


def day_rows(engine: AnalyticsEngine, source: str, name: str, start: datetime) -> list[OldRow]:
    """Return an instrument's days that are over, from a moment on; see `day_sources`."""
    bars = engine.query(name, "1d", start, None, INDICATORS, source_timeframe=source).frame
    return days_of(engine, bars.filter("is_final"))


def days_of(engine: AnalyticsEngine, bars: pl.DataFrame) -> list[OldRow]:
    """Return bars of days as the old rows of days; their time is the date's midnight."""
    midnight = _local(engine).dt.truncate("1d")
    day = {"id": midnight.dt.strftime("%Y%m%d").cast(pl.Int64)}
    heads = day | _heads(engine, "day", midnight) | {"created_at": _text(midnight)}
    fields = {name: each for name, each in _indicators(digits=4).items() if name != "ema_20"}
    return _rows(bars, heads, fields, {"lowest_bb_width": pl.lit(0.0)})


def day_sources(store: Store, names: list[str]) -> dict[str, list[str]]:
    """Return of which candles each instrument's days are made: its own of days, or of minutes."""
    own = store.names("1d")
    found = {"1d": [n for n in names if n in own], "1m": [n for n in names if n not in own]}
    return {source: some for source, some in found.items() if some}


def count_rows(
    engine: AnalyticsEngine,
    store: Store,
    names: list[str],
    timeframe: str,
    span: tuple[datetime, datetime],
) -> dict[str, int]:
    """Return how many candles or bars of a timeframe each instrument has in a range."""
    start, end = span
    if timeframe == "1m":
        found = store.read(names, start=_microseconds(start), end=_microseconds(end))
    else:
        found = engine.query(names, timeframe, start, end, "").frame
    return dict(found.group_by("instrument").len().iter_rows())


def zone_of(engine: AnalyticsEngine) -> str:
    """Return the venue's time zone, by whose clocks all times are shown."""
    return engine.calendars.calendars[0].timezone


# Fields


def _rows(bars: pl.DataFrame, *fields: dict[str, pl.Expr]) -> list[OldRow]:
    if "open_interest" not in bars.columns:
        bars = bars.with_columns(open_interest=pl.lit(0.0))
    return bars.select(**{name: each for some in fields for name, each in some.items()}).to_dicts()


def _heads(
    engine: AnalyticsEngine, interval: str, opens: pl.Expr | None = None
) -> dict[str, pl.Expr]:
    return {
        "instrument_key": pl.col("instrument"),
        "timestamp": _text(_local(engine) if opens is None else opens),
        **{name: pl.col(name) for name in ("open", "high", "low", "close")},
        **{name: pl.col(name).fill_null(0).cast(pl.Int64) for name in ("volume", "open_interest")},
        "time_interval": pl.lit(interval),
    }


def _indicators(digits: int) -> dict[str, pl.Expr]:
    """Return the expressions of indicators; ``ma_9`` of five minutes was never rounded."""
    return {
        name: pl.lit(0.0)
        if ours is None
        else pl.col(ours).fill_null(0.0)
        if (name, digits) == ("ma_9", 2)
        else _rounded(pl.col(ours), digits)
        for name, ours in _OURS.items()
    }


def _rounded(number: pl.Expr, digits: int) -> pl.Expr:
    """Round half away from zero, as the old system did; missing is 0."""
    return number.round(digits, mode="half_away_from_zero").fill_null(0.0)


def _local(engine: AnalyticsEngine) -> pl.Expr:
    return pl.col("timestamp").dt.convert_time_zone(zone_of(engine))


def _text(moment: pl.Expr) -> pl.Expr:
    return moment.dt.strftime("%Y-%m-%dT%H:%M:%S%:z")


def _microseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // _NEXT
