"""What the sequences of an instrument amount to: a number for each side of them.

Compiled passes, one instrument after the other. What cannot be said of few sequences is NaN.
"""

from __future__ import annotations

import math

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.data.kernels.sequences import (
    FIRST_FALLS,
    FIRST_RISES,
    IN_FIRST,
    IN_REST,
    KINDS,
    OVER,
    STRONG,
    UP,
    MoveRows,
    Sequences,
)

SCORES = (
    *("sequences", "strong_length", "weak_length", "quality", "continuity", "momentum"),
    *("predictions", "hits", "usual_hits"),
    *("volume", "volume_trend", "volume_steadiness"),
)
(
    SEQUENCES,
    STRONG_LENGTH,
    WEAK_LENGTH,
    QUALITY,
    CONTINUITY,
    MOMENTUM,
    PREDICTIONS,
    HITS,
    USUAL_HITS,
    VOLUME,
    VOLUME_TREND,
    VOLUME_STEADINESS,
) = range(len(SCORES))

NEWEST = 5
"""Sequences of a momentum."""

_WEIGHTED, _MEAN = 0.7, 0.3
"""Shares of the mean by age, and of the plain one, in a momentum."""

_LONG, _STRONG, _EVEN = 0.3, 0.4, 0.3
"""Shares of lengths, strengths and equal lengths in a quality."""


@kernel
def score(
    rows: MoveRows,
    found: Sequences,
    counts: Ints,
    scores: Floats,
    start: int,
    stop: int,
    threshold: float,
) -> None:
    """Fill in the scores of instruments ``start:stop``, float64 ``[len(SCORES), instruments]``.

    They are NaN before; `counts` are those of `count_outcomes`; from `threshold` on a move is
    strong.
    """
    for i in range(start, stop):
        begin, end = found.offsets[i], found.offsets[i + 1]
        own = scores[:, i]
        _quality(found, begin, end, threshold, own)
        _momentum(found, begin, end, own)
        _predict(found, begin, end, counts[i, FIRST_RISES] - counts[i, FIRST_FALLS], own)
        _volumes(rows, rows.offsets[i], rows.offsets[i + 1], own)


@kernel_part
def _quality(found, begin, end, threshold, scores):  # type: ignore[no-untyped-def]
    """Write how many sequences are over, how long they are, and how good the strong ones are."""
    strong = weak = gaps = 0.0
    length = weak_length = longer = strength = nearness = 0.0
    for n in range(begin, end):
        if found.stage[n] & OVER == 0:
            continue
        # Chosen, not branched: nobody can guess which moves are strong.
        own, gap = 1.0 if found.kind[n] & STRONG else 0.0, found.gap[n]
        near = own if gap >= 0 else 0.0
        strong += own
        weak += 1.0 - own
        length += own * found.length[n]
        weak_length += (1.0 - own) * found.length[n]
        longer += own * (1.0 - 1.0 / found.length[n])
        strength += own * found.strength[n]
        gaps += near
        nearness += near / max(gap, 1)
    scores[SEQUENCES] = strong + weak
    if weak > 0:
        scores[WEAK_LENGTH] = weak_length / weak
    if strong > 0:
        scores[STRONG_LENGTH] = length / strong
    if gaps > 0:
        scores[CONTINUITY] = nearness / gaps
    if strong > 1:
        mean, squares = length / strong, 0.0
        for n in range(begin, end):
            if found.stage[n] & OVER and found.kind[n] & STRONG:
                squares += (found.length[n] - mean) ** 2
        even = 1.0 / (1.0 + squares / strong / (mean * mean))
        over = (strength / strong - threshold) / (1.0 - threshold) if threshold < 1.0 else 1.0
        over = min(max(over, 0.0), 1.0)
        scores[QUALITY] = _LONG * (longer / strong) + _STRONG * over + _EVEN * even


@kernel_part
def _momentum(found, begin, end, scores):  # type: ignore[no-untyped-def]
    """Write where the newest sequences go, and how strongly; one that goes on is among them."""
    first = max(begin, end - NEWEST)
    weighted = total = weights = 0.0
    for n in range(first, end):
        weight = n - first + 1.0
        value = found.strength[n] if found.kind[n] & UP else -found.strength[n]
        weighted += weight * value
        total += value
        weights += weight
    if end > first:
        scores[MOMENTUM] = _WEIGHTED * (weighted / weights) + _MEAN * (total / (end - first))


@kernel_part
def _predict(found, begin, end, usual, scores):  # type: ignore[no-untyped-def]
    """Write how many outcomes of the rest the first part foretells, and how many rightly.

    What followed a kind mostly, in the first part, is foretold in the rest; or, as what is usual,
    what followed all bars mostly.
    """
    after = np.zeros(KINDS)
    predictions = hits = usual_hits = 0.0
    for n in range(begin, end):
        if found.stage[n] & IN_FIRST:
            way = _sign(found.outcome[n])
            after[found.kind[n]] += way if found.kind[n] & UP else -way
    for n in range(begin, end):
        foretold = after[found.kind[n]]
        if found.stage[n] & IN_REST and foretold != 0.0:
            way = _sign(found.outcome[n])
            way = way if found.kind[n] & UP else -way
            predictions += 1.0
            hits += 1.0 if foretold * way > 0.0 else 0.0
            usual_hits += 1.0 if usual * way > 0.0 else 0.0
    scores[PREDICTIONS], scores[HITS] = predictions, hits
    if usual != 0:
        scores[USUAL_HITS] = usual_hits


@kernel_step
def _sign(value):  # type: ignore[no-untyped-def]
    up = 1.0 if value > 0.0 else 0.0
    return -1.0 if value < 0.0 else up


@kernel_part
def _volumes(rows, begin, end, scores):  # type: ignore[no-untyped-def]
    """Write how much is traded in strong moves beside others; how it grows, how even it is."""
    count, strong, volume, in_strong = 0, 0.0, 0.0, 0.0
    for row in range(begin, end):
        if rows.bars[row] == rows.bars[row]:
            count += 1
            volume += rows.volume[row]
            strong += rows.strong[row]
            in_strong += rows.strong[row] * rows.volume[row]
    if count == 0 or volume <= 0.0:
        return
    if 0.0 < strong < count:
        own, others = in_strong / strong, (volume - in_strong) / (count - strong)
        scores[VOLUME] = own / (own + others)
    mean, middle, k = volume / count, (count - 1) / 2.0, 0
    squares = steps = both = 0.0
    for row in range(begin, end):
        if rows.bars[row] == rows.bars[row]:
            gap, step = rows.volume[row] - mean, k - middle
            squares += gap * gap
            steps += step * step
            both += gap * step
            k += 1
    scores[VOLUME_STEADINESS] = 1.0 / (1.0 + squares / count / (mean * mean))
    if squares > 0.0 and steps > 0.0:
        scores[VOLUME_TREND] = min(max(both / math.sqrt(squares * steps), -1.0), 1.0)
