"""Trend, volatility and sequences of days, as the old services answered them; of the public face.

A "mamba" is a strong day in the direction of the trend. What made a day strong came from a file
that was not published: these numbers are those of the example in docs/screens.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from tallow import AnalyticsEngine
from tallow.service.compat.old_bars import INDICATORS, OldRow, days_of

DAYS = 10
"""Newest days that are looked at."""

CHANGE_PERCENT, VOLUME_WEIGHT, STRENGTH = 2.0, 0.3, 0.2
"""What makes a day strong: its move, and its strength, which volume has a share of."""

TREND_PERCENT = 60.0
"""Closes on one side of their average that make a trend."""

BULLISH, BEARISH, NEUTRAL = "BULLISH", "BEARISH", "NEUTRAL"
NO_TIME = "0001-01-01T00:00:00Z"
"""What the old system wrote for a time that is not set."""

_SPECS = f"{INDICATORS}, volume_sma(10), trend_strength(20), realised_volatility(20)"


@dataclass(frozen=True)
class DayHistory:
    """The newest days of an instrument, ascending.

    Attributes
    ----------
    name
        The instrument.
    rows
        As the old API has days.
    averages, indices, volumes
        The EMA of 50 days, the RSI of 14, and the mean volume of 10; None in a warm-up.
    trend_strength, volatility
        Of the newest day: -1..1, rising above 0; and the yearly deviation as a ratio.
    """

    name: str
    rows: Sequence[OldRow]
    averages: Sequence[float | None]
    indices: Sequence[float | None]
    volumes: Sequence[float | None]
    trend_strength: float | None
    volatility: float | None


def day_histories(
    engine: AnalyticsEngine, names: Sequence[str], source: str, start: datetime
) -> list[DayHistory]:
    """Return the newest days of each instrument that has as many since a moment."""
    asked: dict[str, Any] = {"source_timeframe": source}
    bars = engine.query(list(names), "1d", start, None, _SPECS, **asked).frame.filter("is_final")
    found = []
    for part in bars.partition_by("instrument", maintain_order=True):
        newest = part.tail(DAYS)
        if len(newest) < DAYS:
            continue
        found.append(
            DayHistory(
                newest["instrument"][0],
                days_of(engine, newest),
                newest["ema_50"].to_list(),
                newest["rsi_14"].to_list(),
                newest["volume_sma_10"].to_list(),
                newest["trend_strength_20"][-1],
                _ratio(newest["realised_volatility_20"][-1]),
            )
        )
    return found


def trend_of(days: DayHistory) -> OldRow:
    """Return the trend: on which side of their averages most closes are; neutral in a warm-up."""
    known = [each for each in days.averages if each is not None]
    count = len(days.rows)
    if len(known) < count:
        below = above = 0
    else:
        pairs = zip(days.rows, known, strict=True)
        below = sum(row["close"] < average for row, average in pairs)
        above = count - below
    share = 100.0 * max(below, above) / count
    side = BEARISH if below > above else BULLISH
    return {
        "Type": side if share >= TREND_PERCENT else NEUTRAL,
        "BelowEMACount": below,
        "AboveEMACount": above,
        "TrendPercentage": share,
        "EMAValues": known or None,
        "StartDate": days.rows[0]["timestamp"],
        "EndDate": days.rows[-1]["timestamp"],
    }


def sequences_of(days: DayHistory, stock: OldRow, trend: OldRow) -> OldRow:
    """Return runs of days that are mambas, and of days that are none; without a trend, nothing."""
    side = trend["Type"]
    pairs = zip(days.rows, days.volumes, strict=True)
    moves = [] if side == NEUTRAL else [_move(row, mean, side) for row, mean in pairs]
    runs = [_run(list(run)) for _, run in groupby(moves, lambda move: move["IsMamba"])]
    strong = [run["Length"] for run in runs if run["Type"] == "MAMBA"]
    others = [run["Length"] for run in runs if run["Type"] != "MAMBA"]
    return {
        "Stock": stock,
        "Trend": trend,
        "MambaSequences": strong or None,
        "NonMambaSequences": others or None,
        "AverageMambaLen": _mean(strong),
        "AverageNonMambaLen": _mean(others),
        "CurrentSequence": runs[-1] if runs else _NO_RUN,
        "TotalMambaDays": sum(strong),
        "TotalNonMambaDays": sum(others),
        "Sequences": runs or None,
    }


_NO_RUN = {
    "Type": "",
    "Length": 0,
    "StartDate": NO_TIME,
    "EndDate": NO_TIME,
    "Moves": None,
    "Strength": 0.0,
}


def _move(row: OldRow, mean: float | None, side: str) -> OldRow:
    first, last = row["open"], row["close"]
    change = 100.0 * abs(last - first) / min(first, last)
    busy = min(row["volume"] / mean - 1.0, 1.0) if mean else 0.0
    strength = min(change / 10.0, 1.0) * (1.0 - VOLUME_WEIGHT) + busy * VOLUME_WEIGHT
    is_strong = strength >= STRENGTH and change > CHANGE_PERCENT
    ups = is_strong and last > first and side == BULLISH
    downs = is_strong and last < first and side == BEARISH
    return {
        "Date": row["timestamp"],
        "PriceChange": change,
        "HighPrice": row["high"],
        "LowPrice": row["low"],
        "OpenPrice": first,
        "ClosePrice": last,
        "Volume": row["volume"],
        "IsMamba": ups or downs,
        "IsBullishMamba": ups,
        "IsBearishMamba": downs,
        "IsBullish": last > first,
        "MoveStrength": strength if ups or downs else 0.0,
    }


def _run(moves: list[OldRow]) -> OldRow:
    return {
        "Type": "MAMBA" if moves[0]["IsMamba"] else "NON_MAMBA",
        "Length": len(moves),
        "StartDate": moves[0]["Date"],
        "EndDate": moves[-1]["Date"],
        "Moves": moves,
        "Strength": _mean([move["MoveStrength"] for move in moves]),
    }


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100.0
