"""Money that flows: volume with a sign, or by where in its range a row closed."""

from __future__ import annotations

from collections.abc import Sequence

from tallow.textbook.numbers import fsum, sqrt
from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    delayed,
    exponential,
    hidden,
    known,
    mean,
    over_windows,
    recursive,
    window,
)
from tallow.textbook.swings import averaged_where_known, averages_apart, flat_value


def typical_price(high: float, low: float, close: float) -> float:
    return (high + low + close) / 3.0


def change(now: float, before: float) -> float:
    """Return a mean's change; sums of three prices are rounded, and that is none."""
    return now - before if abs(now - before) > 1e-15 * abs(before) else 0.0


@window(None, talib=0.0)
def mfi(
    p: Parameters, high: Column, low: Column, close: Column, volume: Column
) -> tuple[Column, ...]:
    typical = combine(typical_price, high, low, close)
    before = [None, *typical[:-1]]
    rising, falling = (
        over_windows(
            combine(
                lambda x, y, units, w=way: x * units * (w * change(x, y) > 0),
                typical,
                before,
                volume,
            ),
            int(p["length"]),
            fsum,
        )
        for way in (1, -1)
    )
    return (combine(lambda r, f: 100.0 * r / (r + f) if r + f else flat_value(p), rising, falling),)


def flows(high: Column, low: Column, close: Column, volume: Column) -> Column:
    """Return volume by where in its range a row closed; none of it in a row without range."""
    return combine(
        lambda h, l, c, units: units * ((c - l) - (h - c)) / (h - l) if h != l else 0.0,
        high,
        low,
        close,
        volume,
    )


@window(0.0, zeros=None)
def cmf(
    p: Parameters, high: Column, low: Column, close: Column, volume: Column
) -> tuple[Column, ...]:
    moved = flows(high, low, close, volume)
    moved_sums, units = (
        over_windows(column, int(p["length"]), fsum) for column in (moved, hidden(volume, moved))
    )
    return (combine(lambda m, u: m / u if u else flat_value(p), moved_sums, units),)


@recursive(0.0)
def efi(p: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    n = int(p["length"])
    forces = [(close[i] - close[i - 1]) * volume[i] for i in range(1, len(close))]
    return (delayed(1, exponential(forces, n, 2.0 / (n + 1)))[: len(close)],)


def added_up(parts: list[float]) -> Column:
    return [fsum(parts[: i + 1]) for i in range(len(parts))]


@recursive(0.0)
def ad(
    _: Parameters, high: Column, low: Column, close: Column, volume: Column
) -> tuple[Column, ...]:
    return (added_up(known(flows(high, low, close, volume))),)


@recursive(0.0)
def adosc(
    p: Parameters, high: Column, low: Column, close: Column, volume: Column
) -> tuple[Column, ...]:
    line = known(added_up(known(flows(high, low, close, volume))))
    if p["seed"] == "mean":
        return (combine(lambda a, b: a - b, *averages_apart(p, line)),)
    near, far = (
        exponential(line, 1, 2.0 / (int(p[name]) + 1)) for name in ("fast_length", "slow_length")
    )
    later = int(p["slow_length"]) - 1
    return (delayed(later, combine(lambda a, b: a - b, near, far)[later:])[: len(line)],)


@recursive(0.0)
def pvt(_: Parameters, close: list[float], volume: list[float]) -> tuple[Column, ...]:
    every = [0.0] if close else []
    for i in range(1, len(close)):
        before = close[i - 1]
        every.append(volume[i] * (close[i] - before) / before if before else 0.0)
    return (added_up(every),)


def klinger_forces(rows: Sequence[tuple[float, ...]]) -> list[float]:
    """Return the volume of each row after the first by its trend, as Klinger has it."""
    forces, way = [], 0
    total, reach = typical_price(*rows[0][:3]), rows[0][0] - rows[0][1]
    measured = reach
    for high, low, close, units in rows[1:]:
        before, reach_before = total, reach
        total, reach = typical_price(high, low, close), high - low
        moved = change(total, before)
        way_now = 1 if moved > 0 else -1 if moved < 0 else way
        measured = measured + reach if way_now == way else reach_before + reach
        part = abs(2 * (reach / measured - 1)) if measured else 0
        forces.append(100 * units * part * way_now)
        way = way_now
    return forces


@recursive(0.0)
def kvo(
    p: Parameters, high: list[float], low: list[float], close: list[float], volume: list[float]
) -> tuple[Column, ...]:
    rows = list(zip(high, low, close, volume, strict=True))
    if not rows:
        return [], [], []
    means = known(combine(typical_price, high, low, close))
    changes = known(combine(change, means[1:], means[:-1]))
    forces = [v if x >= 0 else -v for x, v in zip(changes, volume[1:], strict=True)]
    if p["force"] == "klinger":
        forces = klinger_forces(rows)
    line = combine(lambda a, b: a - b, *averages_apart(p, forces))
    signal = averaged_where_known(line, int(p["signal_length"]))
    histogram = combine(lambda a, b: a - b, line, signal)
    return tuple(delayed(1, column)[: len(close)] for column in (line, signal, histogram))


@recursive(None, talib=0.0)
def chaikin_volatility(p: Parameters, high: list[float], low: list[float]) -> tuple[Column, ...]:
    n, m = int(p["length"]), int(p["change_length"])
    reach = [top - bottom for top, bottom in zip(high, low, strict=True)]
    average = exponential(reach, n, 2.0 / (n + 1))
    before = delayed(m, average)[: len(average)]
    return (combine(lambda x, y: 100.0 * (x - y) / y if y else flat_value(p), average, before),)


@window(1.0, zeros=None)
def rvol(p: Parameters, volume: Column) -> tuple[Column, ...]:
    before = over_windows([None, *volume[:-1]], int(p["length"]), mean)
    return (combine(lambda x, usual: x / usual if usual else None, volume, before),)


@recursive(PRICE, zeros=None)
def vwap_bands(
    p: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    volume: list[float],
    period: list[float],
) -> tuple[Column, ...]:
    middle: Column = []
    width: Column = []
    start = 0
    for i in range(len(close)):
        if period[i] != period[i - 1]:
            start = i
        rows = range(start, i + 1)
        prices = [(high[j] + low[j] + close[j]) / 3.0 for j in rows]
        units = fsum(volume[j] for j in rows)
        if not units:
            middle.append(None)
            width.append(None)
            continue
        average = fsum(x * volume[j] for x, j in zip(prices, rows, strict=True)) / units
        # Sums of three prices are rounded, which is no distance.
        gaps = [change(x, average) for x in prices]
        spread = fsum(volume[j] * gap**2 for gap, j in zip(gaps, rows, strict=True)) / units
        middle.append(average)
        width.append(float(p["multiplier"]) * sqrt(spread))
    upper, lower = (combine(lambda x, w, s=s: x + s * w, middle, width) for s in (1, -1))
    return upper, middle, lower
