"""How narrow bands are."""

from __future__ import annotations

from typing import NamedTuple

from tallow.textbook.parts import (
    PRICE,
    Column,
    Parameters,
    combine,
    deviation,
    mean_ranges,
    over_windows,
    recursive,
    window,
)

EQUAL = 1e-9
"""Of a width: what is closer is equal."""


class SqueezeRow(NamedTuple):
    """What a look-back of widths says."""

    lowest: float
    distance: float | None
    contracting: float
    contraction: float
    in_range: float
    percentile: float
    release: float


def squeezed(widths: list[float], tolerance: float) -> SqueezeRow:
    """Look at widths one by one, the newest first."""
    lowest, now = min(widths), widths[-1]
    limit = lowest * (1 + tolerance / 100 + EQUAL)
    falls = 0
    while falls < len(widths) - 1 and widths[-1 - falls] < widths[-2 - falls] * (1 - EQUAL):
        falls += 1
    inside = 0
    while inside < len(widths) and widths[-1 - inside] <= limit:
        inside += 1
    distance = 0.0 if now == 0 else None
    if lowest > 0:
        distance = 100 * (now - lowest) / lowest
    begin = widths[-1 - falls]
    below = [width for width in widths[:-1] if width < now * (1 - EQUAL)]
    return SqueezeRow(
        lowest,
        distance,
        falls,
        100 * (begin - now) / begin if falls else 0.0,
        inside,
        100 * len(below) / (len(widths) - 1),
        1.0 if inside == 0 and widths[-2] <= limit else 0.0,
    )


@window((0.0, 0.0, 0.0, 0.0, 125.0, 0.0, 0.0))
def squeeze(p: Parameters, close: Column) -> tuple[Column, ...]:
    times, tolerance = float(p["multiplier"]), float(p["tolerance"])
    widths = over_windows(close, int(p["length"]), lambda part: 2 * times * deviation(part))

    def part_of(name: str) -> Column:
        def value(part: list[float]) -> float | None:
            found: float | None = getattr(squeezed(part, tolerance), name)
            return found

        return over_windows(widths, int(p["lookback"]), value)

    return tuple(part_of(name) for name in SqueezeRow._fields)


@recursive((PRICE, PRICE, 0.0, None), zeros=(0.0, 0.0, 0.0, None))
def opening_range(
    p: Parameters,
    high: list[float],
    low: list[float],
    close: list[float],
    session: list[float],
    minute: list[float],
) -> tuple[Column, ...]:
    """Look at all bars of a row's session that opened in its first minutes."""
    first = int(p["minutes"])
    reach = mean_ranges({"n": p["atr_length"]}, "n", [*high], [*low], [*close])
    top: Column = []
    bottom: Column = []
    begin = 0
    for row, number in enumerate(session):
        if number != session[row - 1]:
            begin = row
        inside = [k for k in range(begin, row) if 0 <= minute[k] < first]
        is_over = minute[row] >= first and inside
        top.append(max(high[k] for k in inside) if is_over else None)
        bottom.append(min(low[k] for k in inside) if is_over else None)
    wide = combine(lambda a, b: a - b, top, bottom)
    return top, bottom, wide, combine(lambda x, r: x / r if r else None, wide, reach)
