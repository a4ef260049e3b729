"""Ehlers' dominant cycle: its period and phase, and averages made of them."""

from __future__ import annotations

from collections.abc import Sequence

from tallow.textbook.numbers import atan, cos, degrees, fsum, sin
from tallow.textbook.parts import PRICE, Column, Parameters, recursive

Cycle = tuple[list[float], list[float], list[float]]


def at(column: list[float], k: int) -> float:
    return column[k] if k >= 0 else 0.0


def about(close: list[float], k: int, newest: float) -> float:
    """Return the mean of the four closes up to row `k`, weighted 4, 3, 2, 1, minus `newest`.

    What came before the first close counts as that.
    """
    return fsum(w * (close[max(k - j, 0)] - newest) for j, w in enumerate((4, 3, 2, 1))) / 10.0


def transform(values: Sequence[float], scale: float) -> float:
    """Return the Hilbert transform of the values of the rows 0, 2, 4 and 6 before."""
    now, second, fourth, sixth = values
    return scale * (0.0962 * (now - sixth) + 0.5769 * (second - fourth))


def cycle(close: list[float]) -> Cycle:
    """Return the part in phase, the one in quadrature, and the smoothed period."""
    detrended: list[float] = []
    quadratures: list[float] = []
    phases: list[float] = []
    periods: list[float] = []
    period = smoothed = fsum([6.0])
    last_i = last_q = real = imaginary = 0.0
    for i, newest in enumerate(close):
        scale = 0.075 * period + 0.54
        back = (0, 2, 4, 6)
        detrended.append(transform([about(close, i - k, newest) for k in back], scale))
        quadratures.append(transform([at(detrended, i - k) for k in back], scale))
        phases.append(at(detrended, i - 3))
        now_i = phases[-1] - transform([at(quadratures, i - k) for k in back], scale)
        now_q = quadratures[-1] + transform([at(phases, i - k) for k in back], scale)
        now_i, now_q = 0.2 * now_i + 0.8 * last_i, 0.2 * now_q + 0.8 * last_q
        real = 0.2 * (now_i * last_i + now_q * last_q) + 0.8 * real
        imaginary = 0.2 * (now_i * last_q - now_q * last_i) + 0.8 * imaginary
        last_i, last_q = now_i, now_q
        before = period
        # An angle of zero is none, and nor is what rounding makes of it.
        if abs(imaginary) > 1e-12 * abs(real) and real != 0.0:
            period = 360.0 / degrees(atan(imaginary / real))
        period = max(min(period, 1.5 * before), 0.67 * before)
        period = before + 0.2 * (max(min(period, 50.0), 6.0) - before)
        smoothed = smoothed + 0.33 * (period - smoothed)
        periods.append(smoothed)
    return phases, quadratures, periods


def shown(values: Sequence[float | None], warmup: int) -> Column:
    """Return values from the end of the warm-up on."""
    return [None if i < warmup else x for i, x in enumerate(values)]


@recursive(6.0)
def ht_dcperiod(_: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (shown(cycle(close)[2], 32),)


def trendline(close: list[float], periods: list[float]) -> list[float]:
    means = close[:1] * 3
    result = []
    for i, period in enumerate(periods):
        n = int(period + 0.5)
        means.append(fsum(close[max(i - k, 0)] for k in range(n)) / n)
        a, b, c, d = means[-4:]
        result.append((4.0 * d + 3.0 * c + 2.0 * b + a) / 10.0)
    return result


def phases_of(close: list[float], periods: list[float]) -> Column:
    """Return phases in degrees, of smoothed prices about the newest close: they add up to zero."""
    result: Column = []
    for i, period in enumerate(periods):
        n = int(period + 0.5)
        parts = [about(close, i - k, close[i]) for k in range(n)]
        real = fsum(sin(turn(k, n)) * x for k, x in enumerate(parts))
        imaginary = fsum(cos(turn(k, n)) * x for k, x in enumerate(parts))
        # Nor has what cancels a phase.
        if max(abs(real), abs(imaginary)) <= 1e-12 * fsum(abs(x) for x in parts):
            result.append(None)
            continue
        upright = 90.0 if real > 0.0 else -90.0
        phase = degrees(atan(real / imaginary)) if imaginary != 0.0 else upright
        phase += 90.0 + 360.0 / period + (180.0 if imaginary < 0.0 else 0.0)
        result.append(phase - 360.0 if phase > 315.0 else phase)
    return result


def turn(k: int, n: int) -> float:
    """Return the angle of `k` parts of `n` of a circle."""
    return 8.0 * atan(fsum([1.0])) * k / n


def sine_of(phase: float) -> float:
    return sin(phase * atan(fsum([1.0])) / 45.0)


@recursive(PRICE)
def ht_trendline(_: Parameters, close: list[float]) -> tuple[Column, ...]:
    return (shown(trendline(close, cycle(close)[2]), 63),)


@recursive(None)
def ht_sine(_: Parameters, close: list[float]) -> tuple[Column, ...]:
    phases = phases_of(close, cycle(close)[2])
    return tuple(
        shown([None if x is None else sine_of(x + more) for x in phases], 63)
        for more in (0.0, 45.0)
    )


@recursive(1.0)
def ht_trendmode(_: Parameters, close: list[float]) -> tuple[Column, ...]:
    periods = cycle(close)[2]
    lines, phases = trendline(close, periods), phases_of(close, periods)
    before = sine = lead = 0.0
    days = 0
    modes: Column = []
    for i, (phase, period, line) in enumerate(zip(phases, periods, lines, strict=True)):
        mode = 1.0
        if phase is not None:
            last = sine - lead
            sine, lead = sine_of(phase), sine_of(phase + 45.0)
            if (sine > lead and last <= 0.0) or (sine < lead and last >= 0.0):
                days, mode = 0, 0.0
            if 0.67 * 360.0 < (phase - before) * period < 1.5 * 360.0:
                mode = 0.0
            before = phase
        days += 1
        if days < 0.5 * period:
            mode = 0.0
        if line and abs((about(close, i, line)) / line) >= 0.015:
            mode = 1.0
        modes.append(mode)
    return (shown(modes, 63),)


@recursive(PRICE)
def mama(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    fast, slow = float(p["fast_limit"]), float(p["slow_limit"])
    phases, quadratures, _ = cycle(close)
    ones, twos = close[:1], close[:1]
    before = 0.0
    for x, phase, quadrature in zip(close, phases, quadratures, strict=True):
        angle = degrees(atan(quadrature / phase)) if phase != 0.0 else 0.0
        weight = max(fast / max(before - angle, 1.0), slow)
        before = angle
        ones.append(ones[-1] + weight * (x - ones[-1]))
        twos.append(twos[-1] + weight / 2.0 * (ones[-1] - twos[-1]))
    return shown(ones[1:], 32), shown(twos[1:], 32)
