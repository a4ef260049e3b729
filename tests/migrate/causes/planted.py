"""Defects planted into answers of our engine, by plain formulas that no other code shares.

`plant` takes a class of defect and a random generator, and returns what a candidate with that
defect would answer, beside the control and the request. Where (instrument, series, lengths,
timeframe, range, decimals, rows) is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow import AnalyticsEngine
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request

Floats = NDArray[np.float64]
Draw = np.random.Generator


@dataclass(frozen=True)
class Planted:
    """A defect's class, the request, and both answers."""

    cause: Cause
    request: Request
    control: pl.DataFrame
    candidate: pl.DataFrame


def answer(request: Request, no_trade: str = "drop") -> pl.DataFrame:
    """Return our engine's answer."""
    engine = AnalyticsEngine(request.calendar, no_trade=no_trade, threads=1)  # type: ignore[arg-type]
    result = engine.process_candles(
        request.candles,
        request.timeframe,
        request.indicators,
        start=request.start,
        end=request.end,
    )
    return result.frame


def plant(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    """Plant a defect of this class somewhere in one instrument of `candles`."""
    return _PLANTERS[cause](cause, candles, draw)


# Plain formulas, over lists and one row at a time.


def moving(values: Floats, length: int, of: Callable[[Floats], float]) -> Floats:
    found = np.full(len(values), np.nan)
    for row in range(length - 1, len(values)):
        found[row] = of(values[row + 1 - length : row + 1])
    return found


def deviation(values: Floats, divisor: int) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / divisor)


def averaged(values: Floats, weight: float, skip: int, first: float) -> Floats:
    """Recursive average that has the value `first` at row `skip`, and none before."""
    found, value = np.full(len(values), np.nan), first
    for row in range(skip, len(values)):
        value = first if row == skip else value + weight * (values[row] - value)
        found[row] = value
    return found


def seeded(values: Floats, length: int, weight: float, start: int, by_mean: bool) -> Floats:
    row = start + length - 1 if by_mean else start
    first = math.fsum(values[start : row + 1]) / (row + 1 - start) if by_mean else values[start]
    return averaged(values, weight, row, float(first)) if row < len(values) else values * np.nan


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    found = high - low
    for row in range(1, len(high)):
        before = close[row - 1]
        found[row] = max(high[row] - low[row], abs(high[row] - before), abs(low[row] - before))
    return found


def gains_and_losses(close: Floats, length: int, start: int) -> tuple[Floats, Floats]:
    """Wilder's averages of changes, begun at row `start` with the mean of the first ones."""
    change = np.diff(close, prepend=close[0])
    change[start] = 0.0
    sides = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    gain, loss = (seeded(side, length, 1.0 / length, start + 1, True) for side in sides)
    return gain, loss


def sessions(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the days of India."""
    return (times + 330 * 60_000_000) // 86_400_000_000


def mean_price(price: Floats, volume: Floats, day: NDArray[np.int64], start: int) -> Floats:
    found, value, units = np.full(len(price), np.nan), 0.0, 0.0
    for row in range(start, len(price)):
        if row == start or day[row] != day[row - 1]:
            value, units = 0.0, 0.0
        value += price[row] * volume[row]
        units += volume[row]
        found[row] = value / units if units else np.nan
    return found


# What is drawn.


def _one(candles: pl.DataFrame, draw: Draw) -> pl.DataFrame:
    names = candles["instrument"].unique().sort().to_list()
    return candles.filter(pl.col("instrument") == names[draw.integers(len(names))])


def _request(
    candles: pl.DataFrame, indicators: str, draw: Draw, timeframes: tuple[str, ...] = ()
) -> Request:
    sizes = timeframes or ("1m", "3m", "5m", "15m")
    return Request(_one(candles, draw), str(draw.choice(sizes)), indicators)


def _in_part(request: Request, draw: Draw) -> Request:
    """Ask for the whole history, or for its later sessions."""
    days = request.candles["timestamp"].dt.date().unique().sort().to_list()
    if len(days) < 2 or draw.random() < 0.5:
        return request
    first: date = days[draw.integers(1, len(days))]
    return replace(request, start=first)


def _history(request: Request) -> dict[str, Floats]:
    """Return the columns of all bars, from before the range too, as arrays; times as ``time``."""
    frame = answer(replace(request, start=None, end=None))
    columns = {n: frame[n].to_numpy() for n in ("open", "high", "low", "close", "volume")}
    return columns | {"time": frame["timestamp"].to_physical().to_numpy()}


def _with(
    cause: Cause, request: Request, draw: Draw, column: str, values: Floats, whole: bool = False
) -> Planted:
    """Put values of the whole history in the place of a column: of all rows, or of a stretch."""
    control = answer(request)
    every = answer(replace(request, start=None, end=None))
    kept = np.isin(every["timestamp"].to_physical(), control["timestamp"].to_physical())
    wrong, right = values[kept], control[column].fill_null(float("nan")).to_numpy().copy()
    rows = len(right)
    first, last = 0, rows
    if not whole and rows > 60 and draw.random() < 0.3:
        first = int(draw.integers(0, rows // 2))
        last = int(draw.integers(first + 20, rows + 1))
    right[first:last] = wrong[first:last]
    series = pl.Series(column, right, nan_to_null=True)
    return Planted(cause, request, control, control.with_columns(series))


# The defects.


def _rounding(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    request = _in_part(
        _request(candles, f"sma({n}), ema({n}), rsi({n}), atr({n}), vwap", draw), draw
    )
    column = str(draw.choice([f"sma_{n}", f"ema_{n}", f"rsi_{n}", f"atr_{n}", "vwap"]))
    every = answer(replace(request, start=None))
    values = every[column].fill_null(float("nan")).to_numpy()
    digits = int(draw.integers(1, 5))
    if draw.random() < 0.5:
        rounded = np.floor(np.abs(values) * 10.0**digits + 0.5) / 10.0**digits
    else:
        rounded = np.round(values, digits)
    return _with(cause, request, draw, column, rounded)


def _zero(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    names = [f"sma_{n}", f"ema_{n}", f"rsi_{n}", f"atr_{n}", f"bb_upper_{n}_2", f"wma_{n}"]
    text = f"sma({n}), ema({n}), rsi({n}), atr({n}), bollinger({n}, 2), wma({n})"
    request, column = _request(candles, text, draw), str(draw.choice(names))
    control = answer(request)
    return Planted(cause, request, control, control.with_columns(pl.col(column).fill_null(0.0)))


def _seed(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    request = _in_part(
        _request(candles, f"ema({n}), rma({n}), rsi({n}), atr({n}), vwap", draw), draw
    )
    bars = _history(request)
    close, rows = bars["close"], len(bars["close"])
    kind = str(draw.choice(["ema", "rma", "rsi", "atr", "vwap"]))
    by_mean = bool(draw.random() < 0.5)
    # By a mean from the first row on is how the control begins.
    start = int(draw.integers(1 if by_mean or kind in ("rsi", "vwap") else 0, max(2, rows // 2)))
    if kind in ("ema", "rma"):
        weight = 2.0 / (n + 1) if kind == "ema" else 1.0 / n
        values = seeded(close, n, weight, start, by_mean)
    elif kind == "atr":
        spread = true_range(bars["high"], bars["low"], close)
        values = seeded(spread, n, 1.0 / n, start, by_mean)
    elif kind == "rsi":
        gain, loss = gains_and_losses(close, n, start)
        with np.errstate(invalid="ignore"):
            # Until a price moves there is none.
            values = 100.0 * gain / (gain + loss)
    else:
        typical = (bars["high"] + bars["low"] + close) / 3.0
        values = mean_price(typical, bars["volume"], sessions(bars["time"].astype(np.int64)), start)
    column = "vwap" if kind == "vwap" else f"{kind}_{n}"
    return _with(cause, request, draw, column, values, whole=True)


def _shift(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(8, 40))
    request = _in_part(_request(candles, f"sma({n}), ema({n}), rsi({n}), vwap", draw), draw)
    control, steps = answer(request), int(draw.choice([-2, -1, 1, 2]))
    if draw.random() < 0.5:
        minutes = steps * int(request.timeframe.removesuffix("m"))
        moved = pl.col("timestamp") + timedelta(minutes=minutes)
        return Planted(cause, request, control, control.with_columns(moved))
    column = str(draw.choice([f"sma_{n}", f"ema_{n}", f"rsi_{n}", "vwap"]))
    return Planted(cause, request, control, control.with_columns(pl.col(column).shift(steps)))


def _ratio(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    text = f"bollinger({n}, 2)[width, width_percent, percent_b, middle], rsi({n}), roc({n})"
    request = _in_part(_request(candles, text, draw), draw)
    every = answer(replace(request, start=None))
    names = [f"bb_width_percent_{n}_2", f"bb_percent_b_{n}_2", f"rsi_{n}", f"roc_{n}"]
    column = str(draw.choice([*names, f"bb_width_{n}_2"]))
    values = every[column].fill_null(float("nan")).to_numpy()
    if column == f"bb_width_{n}_2":
        middle = every[f"bb_middle_{n}_2"].fill_null(float("nan")).to_numpy()
        return _with(cause, request, draw, column, values / middle * draw.choice([1.0, 100.0]))
    return _with(
        cause, request, draw, column, values * 100.0 if "_b_" in column else values / 100.0
    )


def _sample(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n, times = int(draw.integers(3, 40)), float(draw.choice([1.5, 2.0, 3.0]))
    request = _in_part(_request(candles, f"bollinger({n}, {times}), stddev({n})", draw), draw)
    close = _history(request)["close"]
    spread = moving(close, n, lambda window: deviation(window, n - 1))
    middle = moving(close, n, lambda window: math.fsum(window) / n)
    end = f"{n}_{times:g}".replace(".", "p")
    by_column = {
        f"stddev_{n}": spread,
        f"bb_upper_{end}": middle + times * spread,
        f"bb_lower_{end}": middle - times * spread,
        f"bb_width_{end}": 2.0 * times * spread,
        f"bb_width_percent_{end}": 200.0 * times * spread / middle,
    }
    column = str(draw.choice(sorted(by_column)))
    return _with(cause, request, draw, column, by_column[column])


def _typical(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    request = _in_part(_request(candles, f"sma({n}), ema({n}), rsi({n}), vwap", draw), draw)
    bars = _history(request)
    close = bars["close"]
    typical = (bars["high"] + bars["low"] + close) / 3.0
    gain, loss = gains_and_losses(typical, n, 0)
    day = sessions(bars["time"].astype(np.int64))
    by_column = {
        f"sma_{n}": moving(typical, n, lambda window: math.fsum(window) / n),
        f"ema_{n}": seeded(typical, n, 2.0 / (n + 1), 0, True),
        f"rsi_{n}": 100.0 * gain / (gain + loss),
        "vwap": mean_price(close, bars["volume"], day, 0),
    }
    column = str(draw.choice(sorted(by_column)))
    return _with(cause, request, draw, column, by_column[column])


def _look_ahead(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(5, 40))
    request = _in_part(
        _request(candles, f"sma({n}), ema({n}), rsi({n}), vwap, atr({n})", draw), draw
    )
    bars = {name: column[::-1] for name, column in _history(request).items()}
    close = bars["close"]
    typical = (bars["high"] + bars["low"] + close) / 3.0
    gain, loss = gains_and_losses(close, n, 0)
    spread = true_range(bars["high"], bars["low"], close)
    day = sessions(bars["time"].astype(np.int64))
    by_column = {
        f"sma_{n}": moving(close, n, lambda window: math.fsum(window) / n),
        f"ema_{n}": seeded(close, n, 2.0 / (n + 1), 0, True),
        f"rsi_{n}": 100.0 * gain / (gain + loss),
        f"atr_{n}": seeded(spread, n, 1.0 / n, 0, True),
        "vwap": mean_price(typical, bars["volume"], day, 0),
    }
    column = str(draw.choice(sorted(by_column)))
    return _with(cause, request, draw, column, by_column[column][::-1].copy())


def _strength(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    request = _in_part(_request(candles, f"rsi({n})", draw), draw)
    gain, loss = gains_and_losses(_history(request)["close"], n, 0)
    strength = np.full(len(gain), np.nan)
    lost = loss > 0.0
    strength[lost] = gain[lost] / loss[lost]
    return _with(cause, request, draw, f"rsi_{n}", strength)


def _high_low(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    n = int(draw.integers(3, 40))
    request = _in_part(_request(candles, f"atr({n})", draw), draw)
    bars = _history(request)
    spread = bars["high"] - bars["low"]
    ways = (
        spread,
        seeded(spread, n, 1.0 / n, 0, True),
        moving(spread, n, lambda window: math.fsum(window) / n),
    )
    return _with(cause, request, draw, f"atr_{n}", ways[draw.integers(3)])


_MANY = "sma(9), ema(9), rsi(14), atr(14), bollinger(20, 2), vwap, macd(12, 26, 9)"


def _partial(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    """Leave out the first or the last minutes of a few bars, before all else."""
    request = _in_part(_request(candles, _MANY, draw, ("3m", "5m", "15m", "1h")), draw)
    control, minutes = answer(request), request.candles
    opens = control["timestamp"].to_list()
    size = int(request.timeframe.removesuffix("m").removesuffix("h"))
    size *= 60 if request.timeframe.endswith("h") else 1
    for bar in draw.choice(len(opens), size=min(3, len(opens)), replace=False):
        missing = timedelta(minutes=int(draw.integers(1, size)))
        stop = opens[bar] + timedelta(minutes=size)
        span = (opens[bar], opens[bar] + missing) if draw.random() < 0.5 else (stop - missing, stop)
        time = pl.col("timestamp")
        left = minutes.filter(~((time >= span[0]) & (time < span[1])))
        if len(left.filter((time >= opens[bar]) & (time < stop))):
            minutes = left
    return Planted(cause, request, control, answer(replace(request, candles=minutes)))


def _filler(cause: Cause, candles: pl.DataFrame, draw: Draw) -> Planted:
    """Let the candidate count fillers: of whole bars, and of minutes."""
    request = _in_part(_request(candles, _MANY, draw), draw)
    rows = len(request.candles)
    first = int(draw.integers(1, rows - 30))
    gaps = [*range(first, first + int(draw.integers(1, 25))), int(draw.integers(1, rows))]
    quiet = pl.Series([row in gaps for row in range(rows)])
    before = pl.when(quiet).then(None).otherwise(pl.col("close")).forward_fill()
    filled = [
        pl.when(quiet).then(before).otherwise(pl.col(c)).alias(c)
        for c in ("open", "high", "low", "close")
    ]
    volume = pl.when(quiet).then(0.0).otherwise(pl.col("volume")).alias("volume")
    request = replace(request, candles=request.candles.with_columns(*filled, volume))
    return Planted(cause, request, answer(request), answer(request, "keep"))


_PLANTERS: dict[Cause, Callable[[Cause, pl.DataFrame, Draw], Planted]] = {
    Cause.ROUNDING: _rounding,
    Cause.ZERO_IN_WARM_UP: _zero,
    Cause.OTHER_SEED: _seed,
    Cause.SHIFTED_LABEL: _shift,
    Cause.RATIO_AGAINST_PERCENT: _ratio,
    Cause.SAMPLE_AGAINST_POPULATION: _sample,
    Cause.CLOSE_AGAINST_TYPICAL: _typical,
    Cause.LOOK_AHEAD: _look_ahead,
    Cause.RS_INSTEAD_OF_RSI: _strength,
    Cause.HIGH_LOW_INSTEAD_OF_ATR: _high_low,
    Cause.PARTIAL_BAR: _partial,
    Cause.ZERO_VOLUME_FILLER: _filler,
}

CLASSES = tuple(_PLANTERS)
