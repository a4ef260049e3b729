"""The old filters of days, as a worker process asks an engine for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tallow.core.errors import without_empty_warnings
from tallow.engine import AnalyticsEngine
from tallow.service.compat.old_bars import OldRow
from tallow.service.compat.old_days import (
    BEARISH,
    BULLISH,
    NO_TIME,
    DayHistory,
    day_histories,
    sequences_of,
    trend_of,
)

PRICES, VOLUME = (20.0, 1_500.0), 300_000
"""What the newest close must be between, and what must be traded a day."""

DISTANCE = 0.03
"""How far the close must be from its EMA of 50 days, as a share of it."""

RSI_UP, RSI_DOWN = 50.0, 55.0
"""Least RSI of a bullish stock, and most of a bearish one."""

RUN = 2
"""Mambas in a row that one run must have."""


@dataclass(frozen=True)
class PipelineQuestion:
    """Which instruments are filtered.

    Attributes
    ----------
    sources
        Names, by the candles that their days are made of.
    symbols
        By the names.
    since
        When the days begin that may be looked at.
    """

    sources: Mapping[str, Sequence[str]]
    symbols: Mapping[str, str]
    since: datetime


def run_pipeline(engine: AnalyticsEngine, asked: PipelineQuestion) -> tuple[list[OldRow], OldRow]:
    """Return the stocks that pass all filters, and how many passed each one."""
    total = sum(map(len, asked.sources.values()))
    passed, counts = [], dict.fromkeys(("basic", "ema", "rsi"), 0)
    for days in _histories(engine, asked):
        item = _filter(days, stock_of(days, asked.symbols))
        results = item["FilterResults"]
        for name in counts:
            counts[name] += results[name]
        if all(results.values()):
            passed.append(item)
    metrics = {"total_stocks": total}
    return passed, metrics | {f"{name}_filter_pass": count for name, count in counts.items()}


def _histories(engine: AnalyticsEngine, asked: PipelineQuestion) -> Iterator[DayHistory]:
    with without_empty_warnings():
        for source, names in asked.sources.items():
            yield from day_histories(engine, names, source, asked.since)


def stock_of(days: DayHistory, symbols: Mapping[str, str]) -> OldRow:
    """Return what is known of a stock; the rest of its record is empty."""
    venue, _, code = days.name.rpartition("|")
    exchange, _, kind = venue.partition("_")
    symbol = symbols.get(days.name, days.name)
    last = days.rows[-1]
    return {
        "id": days.name,
        "symbol": symbol,
        "name": symbol,
        "exchange": exchange,
        "instrumentType": kind,
        "isin": code if venue else "",
        "instrumentKey": days.name,
        "tradingSymbol": symbol,
        "exchangeToken": "",
        "lastPrice": last["close"],
        "tickSize": 0.0,
        "lotSize": 0,
        "securityId": "",
        "isSelected": False,
        "createdAt": NO_TIME,
        "updatedAt": NO_TIME,
    }


def _filter(days: DayHistory, stock: OldRow) -> OldRow:
    last, average, index = days.rows[-1], days.averages[-1], days.indices[-1]
    trend = trend_of(days)
    found = sequences_of(days, stock, trend)
    volume = sum(row["volume"] for row in days.rows) // len(days.rows)
    away = None if average is None else (last["close"] - average) / average
    side = BULLISH if (away or 0.0) > DISTANCE else BEARISH if (away or 0.0) < -DISTANCE else ""
    longest = max(found["MambaSequences"] or [0])
    # Each filter is asked of what the one before it let through.
    basic = PRICES[0] <= last["close"] <= PRICES[1] and volume >= VOLUME
    ema = basic and bool(side)
    agrees = index is not None and (index >= RSI_UP if side == BULLISH else index <= RSI_DOWN)
    rsi = ema and agrees
    mamba = rsi and trend["Type"] == side and longest >= RUN
    reasons = {
        "basic": f"close {last['close']:g}, mean volume {volume:,}",
        "ema": "EMA of 50 days: too few days" if away is None else f"{100 * away:+.2f} % from it",
        "rsi": "RSI of 14 days: too few days" if index is None else f"RSI {index:.2f}",
        "mamba": f"trend {trend['Type']}, at most {longest} mambas in a row",
        "trend_strength": _number(days.trend_strength),
        "volatility": _number(days.volatility),
    }
    return {
        "Stock": stock,
        "LastCandle": last,
        "ClosePrice": last["close"],
        "DailyVolume": last["volume"],
        "EMA50": _or_zero(average),
        "RSI14": _or_zero(index),
        "IsBullish": mamba and side == BULLISH,
        "IsBearish": mamba and side == BEARISH,
        "SequenceAnalysis": found,
        "LastPrice": last["close"],
        "LastVolume": last["volume"],
        "FilterResults": {"basic": basic, "ema": ema, "rsi": rsi, "mamba": mamba},
        "FilterReasons": reasons,
    }


def filtered_row(number: int, item: OldRow, moment: str) -> OldRow:
    """Return a stock that passed as the old table of filtered stocks had it."""
    stock, found = item["Stock"], item["SequenceAnalysis"]
    moves = [move for run in found["Sequences"] for move in run["Moves"]]

    def count(name: str) -> int:
        return sum(move[name] for move in moves)

    row: dict[str, Any] = {
        "id": number,
        "symbol": stock["symbol"],
        "instrument_key": stock["instrumentKey"],
        "exchange_token": stock["exchangeToken"],
        "trend": found["Trend"]["Type"],
        "current_price": item["ClosePrice"],
        "mamba_count": found["TotalMambaDays"],
        "bullish_mamba_count": count("IsBullishMamba"),
        "bearish_mamba_count": count("IsBearishMamba"),
        "avg_mamba_move": found["AverageMambaLen"],
        "avg_non_mamba_move": found["AverageNonMambaLen"],
        "mamba_series": found["MambaSequences"] or [],
        "non_mamba_series": found["NonMambaSequences"] or [],
        "filter_date": item["LastCandle"]["timestamp"],
        "created_at": moment,
        "updated_at": moment,
    }
    return row


def _or_zero(number: float | None) -> float:
    return 0.0 if number is None else number


def _number(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.4f}"
