"""How two series of a window go together: sums of squares and products of their deviations.

Deviations are from the window's newest row first, which keeps the digits in which rows differ, and
then from the mean. What that takes away is at most `length` times what is left of it: the newest
row's own deviation is part of both.
"""

from __future__ import annotations

from tallow.core.kernel import kernel_part
from tallow.indicators._windows import FOUR


@kernel_part
def window_products(x, y, length, side, work):  # type: ignore[no-untyped-def]
    """Return the sums of squares of both and of their products, from their means.

    For windows that end in `x` and `y`, which start with ``length - 1`` earlier rows. `work` is
    float64 ``[5, >= len(x)]``. Each window is added up by itself.
    """
    first = (length - 1) * side
    newest_x, newest_y = x[first:], y[first:]
    rows = len(newest_x)
    xs, ys, xx, yy, xy = (
        work[0, :rows],
        work[1, :rows],
        work[2, :rows],
        work[3, :rows],
        work[4, :rows],
    )
    for j in range(rows):
        xs[j] = ys[j] = xx[j] = yy[j] = xy[j] = 0.0
    for k in range(0, length - length % FOUR, FOUR):
        i = k * side
        _add_four(x[i:], y[i:], side, newest_x, newest_y, xs, ys, xx, yy, xy)
    for k in range(length - length % FOUR, length):
        i = k * side
        _add_one(x[i:], y[i:], newest_x, newest_y, xs, ys, xx, yy, xy)
    for j in range(rows):
        xx[j] -= xs[j] * (xs[j] / length)
        yy[j] -= ys[j] * (ys[j] / length)
        xy[j] -= xs[j] * (ys[j] / length)
    return xx, yy, xy


@kernel_part
def _add_four(x, y, side, newest_x, newest_y, xs, ys, xx, yy, xy):  # type: ignore[no-untyped-def]
    b, c, d = x[side:], x[2 * side :], x[3 * side :]
    q, r, s = y[side:], y[2 * side :], y[3 * side :]
    for j in range(len(xs)):
        e, f, g, h = x[j] - newest_x[j], b[j] - newest_x[j], c[j] - newest_x[j], d[j] - newest_x[j]
        t, u, v, w = y[j] - newest_y[j], q[j] - newest_y[j], r[j] - newest_y[j], s[j] - newest_y[j]
        xs[j] += (e + f) + (g + h)
        ys[j] += (t + u) + (v + w)
        xx[j] += (e * e + f * f) + (g * g + h * h)
        yy[j] += (t * t + u * u) + (v * v + w * w)
        xy[j] += (e * t + f * u) + (g * v + h * w)


@kernel_part
def _add_one(x, y, newest_x, newest_y, xs, ys, xx, yy, xy):  # type: ignore[no-untyped-def]
    for j in range(len(xs)):
        a, b = x[j] - newest_x[j], y[j] - newest_y[j]
        xs[j] += a
        ys[j] += b
        xx[j] += a * a
        yy[j] += b * b
        xy[j] += a * b
