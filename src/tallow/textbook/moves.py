"""Moves of rows, and how many of a kind are in a row."""

from __future__ import annotations

from tallow.textbook.parts import Column, Parameters, mean, recursive


@recursive((0.0, 0.0, 0.15, 0.0, 0.0), zeros=None)
def move(
    p: Parameters, opens: list[float], closes: list[float], volumes: list[float]
) -> tuple[Column, ...]:
    n, weight = int(p["length"]), float(p["volume_weight"])
    rows = [i for i, row in enumerate(zip(opens, closes, strict=True)) if min(row) > 0.0]
    outputs: tuple[Column, ...] = tuple([None] * len(closes) for _ in range(5))
    sizes: list[float] = []
    traded: list[float] = []
    kinds: list[tuple[bool, float]] = []
    for i in rows:
        gain = closes[i] - opens[i]
        size = 100.0 * abs(gain) / min(opens[i], closes[i])
        direction = float((gain > 0.0) - (gain < 0.0))
        outputs[0][i], outputs[1][i] = size, direction
        if len(sizes) >= n:
            strength = size / (size + mean(sizes[-n:])) if size > 0.0 else 0.0
            both = volumes[i] + mean(traded[-n:])
            if both > 0.0:
                strength = (1.0 - weight) * strength + weight * volumes[i] / both
            kinds.append((strength >= float(p["threshold"]), direction))
            outputs[2][i], outputs[3][i] = strength, float(kinds[-1][0])
            outputs[4][i] = float(same_at_end(kinds)) if direction else 0.0
        sizes.append(size)
        traded.append(volumes[i])
    return outputs


def same_at_end(kinds: list[tuple[bool, float]]) -> int:
    """Return how many at the end are equal."""
    count = 0
    for kind in reversed(kinds):
        if kind != kinds[-1]:
            break
        count += 1
    return count
