"""Bars as many as a screen has room for: so many as one candle; of lines, what stands out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.plots.drawing import Curve, Drawing, Mark


def thin(drawing: Drawing, per: int) -> Drawing:
    """Return a drawing whose places have `per` bars each; the last may have fewer.

    A candle has the first open, the last close and the extremes of its bars, and the sum of their
    volumes. Of a line, two places side by side have the lowest and the highest of their values, in
    the order in which these came; a histogram's place has the value furthest from zero. So there is
    never more than a candle, or a point of a line, at a place.
    """
    if per == 1:
        return drawing
    first = np.arange(0, drawing.bars, per)
    points = -(-drawing.points // per)
    prices, lows, highs = drawing.candles, drawing.candles["low"], drawing.candles["high"]
    last = np.minimum(first + per, drawing.bars) - 1
    candles = {
        "open": prices["open"][first],
        "high": np.fmax.reduceat(highs, first),
        "low": np.fmin.reduceat(lows, first),
        "close": prices["close"][last],
    }
    return replace(
        drawing,
        times=drawing.times[first],
        clock=drawing.clock[first],
        starts=np.logical_or.reduceat(drawing.starts, first),
        forming=drawing.forming[last],
        candles=candles,
        volume=np.add.reduceat(np.nan_to_num(drawing.volume), first),
        points=points,
        panes=tuple(
            replace(pane, curves=tuple(_curve(each, per, points) for each in pane.curves))
            for pane in drawing.panes
        ),
        marks=tuple(_marks(drawing.marks, per)),
    )


def _curve(curve: Curve, per: int, points: int) -> Curve:
    room = np.full(points * per, np.nan)
    room[: len(curve.values)] = curve.values
    if curve.kind == "histogram":
        values, kept = _furthest(room.reshape(points, per))
    elif curve.kind == "corners":
        values, kept = _last(room.reshape(points, per))
    else:
        values, kept = _extremes(room, per, points)
    ends = np.zeros(len(room), dtype=np.bool_)
    ends[: len(curve.ends)] = curve.ends
    signs = None
    if curve.signs is not None:
        wide = np.full(len(room), np.nan)
        wide[: len(curve.signs)] = curve.signs
        signs = wide[kept]
    return replace(curve, values=values, ends=_ends(ends, per, points), signs=signs)


def _ends(ends: Flags, per: int, points: int) -> Flags:
    """Return whether a line ends at a place; of many ends there is none to be seen between."""
    found: Flags = ends.reshape(points, per)[:, -1]
    return found


def _furthest(values: Floats) -> tuple[Floats, Ints]:
    sizes = np.where(np.isnan(values), -1.0, np.abs(values))
    return _picked(values, np.argmax(sizes, axis=1))


def _last(values: Floats) -> tuple[Floats, Ints]:
    backward = np.argmax(np.isfinite(values)[:, ::-1], axis=1)
    return _picked(values, values.shape[1] - 1 - backward)


def _picked(values: Floats, where: Ints) -> tuple[Floats, Ints]:
    rows = np.arange(len(values))
    return values[rows, where], rows * values.shape[1] + where


def _extremes(values: Floats, per: int, points: int) -> tuple[Floats, Ints]:
    """Return the lowest and the highest value of each two places, in the order of time."""
    pairs = -(-points // 2)
    wide = np.full(pairs * 2 * per, np.nan)
    wide[: len(values)] = values
    rows = wide.reshape(pairs, 2 * per)
    lowest = np.argmin(np.where(np.isnan(rows), np.inf, rows), axis=1)
    highest = np.argmax(np.where(np.isnan(rows), -np.inf, rows), axis=1)
    both = np.sort(np.stack([lowest, highest], axis=1), axis=1)
    kept = (np.arange(pairs)[:, None] * 2 * per + both).ravel()[:points]
    # One place of a pair may be behind the last value there is.
    return wide[kept], np.minimum(kept, len(values) - 1)


def _marks(marks: tuple[Mark, ...], per: int) -> list[Mark]:
    """Return the first mark of each kind, side and text of a place."""
    found: dict[tuple[int, str, int, str], Mark] = {}
    for mark in marks:
        moved = replace(mark, row=mark.row // per)
        found.setdefault((moved.row, moved.kind, moved.side, moved.text), moved)
    return list(found.values())
