"""What is made of Wilder's relative strength."""

from __future__ import annotations

from itertools import pairwise

from tallow.textbook.parts import (
    Column,
    Parameters,
    delayed,
    exponential,
    hidden,
    known,
    mean,
    over_windows,
    recursive,
)
from tallow.textbook.swings import flat_value


def strengths(close: list[float], n: int, flat: float) -> Column:
    """Return the relative strength, which stays what it was where nothing changes."""
    changes = [x - before for before, x in pairwise(close)]
    gains = exponential([max(x, 0.0) for x in changes], n, 1.0 / n)
    losses = exponential([max(-x, 0.0) for x in changes], n, 1.0 / n)
    result: Column = []
    for change, gain, loss in zip(changes, gains, losses, strict=True):
        if gain is None or loss is None:
            result.append(None)
        elif change == 0.0 and result and result[-1] is not None:
            result.append(result[-1])
        else:
            result.append(100.0 * gain / (gain + loss) if gain + loss else flat)
    return delayed(1, result)[: len(close)]


def over_known(column: Column, length: int, summary: object) -> Column:
    """Apply `summary` to the last values that are there, in their places."""
    values = iter(over_windows(known(column), length, summary))  # type: ignore[arg-type]
    return [None if x is None else next(values) for x in column]


@recursive(None, talib=0.0)
def stoch_rsi(p: Parameters, close: list[float]) -> tuple[Column, ...]:
    still = 0.0 if p["flat"] == "zero" else 100.0

    def percent_of(part: list[float]) -> float | None:
        top, bottom = max(part), min(part)
        return 100.0 * (part[-1] - bottom) / (top - bottom) if top > bottom else flat_value(p)

    rsi = strengths(close, int(p["rsi_length"]), still)
    k = over_known(over_known(rsi, int(p["length"]), percent_of), int(p["smooth_k"]), mean)
    d = over_known(k, int(p["smooth_d"]), mean)
    return hidden(k, d) if p["start"] == "together" else k, d
