"""Two series beside each other."""

from __future__ import annotations

from itertools import pairwise

from tallow.textbook.numbers import fsum, sqrt
from tallow.textbook.parts import Column, Parameters, mean, over_windows, window

Pair = tuple[float, float]


def pairs(one: Column, other: Column) -> list[Pair | None]:
    """Return the rows in which both have a value."""
    return [None if a is None or b is None else (a, b) for a, b in zip(one, other, strict=True)]


def products(part: list[Pair]) -> tuple[float, float, float]:
    """Return the sums of squares of both, and of their products, around their means."""
    ones, others = (list(each) for each in zip(*part, strict=True))
    left, right = mean(ones), mean(others)
    return (
        fsum((a - left) ** 2 for a in ones),
        fsum((b - right) ** 2 for b in others),
        fsum((a - left) * (b - right) for a, b in part),
    )


@window(None, talib=0.0)
def correlation(p: Parameters, close: Column, other: Column) -> tuple[Column, ...]:
    flat = 0.0 if p["flat"] == "zero" else None

    def share(part: list[Pair]) -> float | None:
        one, two, both = products(part)
        still = any(min(each) == max(each) for each in zip(*part, strict=True))
        return flat if still else both / sqrt(one * two)

    return (over_windows(pairs(close, other), int(p["length"]), share),)


@window(None, talib=0.0)
def beta(p: Parameters, close: Column, other: Column) -> tuple[Column, ...]:
    flat = 0.0 if p["flat"] == "zero" else None

    def change(before: float, x: float) -> float | None:
        return (x - before) / before if before else flat

    def slope(part: list[Pair]) -> float | None:
        returns = pairs(
            *([change(x, later) for x, later in pairwise(each)] for each in zip(*part, strict=True))
        )
        known = [pair for pair in returns if pair is not None]
        if len(known) < len(returns):
            return None
        _, market, both = products(known)
        return flat if len({other for _, other in known}) == 1 else both / market

    return (over_windows(pairs(close, other), int(p["length"]) + 1, slope),)
