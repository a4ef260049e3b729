"""Where volume was traded."""

from __future__ import annotations

from tallow.textbook.numbers import fsum
from tallow.textbook.pairs import pairs
from tallow.textbook.parts import PRICE, Column, Parameters, over_windows, window


@window(PRICE, zeros=None)
def volume_profile(p: Parameters, close: Column, volume: Column) -> tuple[Column, ...]:
    bins, share = int(p["bins"]), float(p["value_area"])

    def profile(part: list[tuple[float, float]]) -> tuple[float, float, float] | None:
        low, high = min(close for close, _ in part), max(close for close, _ in part)
        reach, total = high - low, fsum(volume for _, volume in part)
        if not total:
            return None
        inner = [k * reach for k in range(1, bins)]
        found = [0.0] * bins
        for price, traded in part:
            found[sum(bins * (price - low) >= edge for edge in inner) if reach else 0] += traded
        first = last = found.index(max(found))
        control = first
        while 100 * fsum(found[first : last + 1]) < share * total:
            above = found[last + 1] if last + 1 < bins else -1
            below = found[first - 1] if first else -1
            first, last = (first, last + 1) if above >= below else (first - 1, last)
        ends = (control + 0.5, last + 1.0, float(first))
        poc, top, bottom = (low + place * reach / bins for place in ends)
        return poc, top, bottom

    def part_of(k: int) -> Column:
        def value(part: list[tuple[float, float]]) -> float | None:
            found = profile(part)
            return None if found is None else found[k]

        return over_windows(pairs(close, volume), int(p["length"]), value)

    return part_of(0), part_of(1), part_of(2)
