"""How two series of a window go together: sums of squares and products of their deviations."""

from __future__ import annotations

from tallow.core.kernel import kernel_part
from tallow.indicators._windows import window_sums


@kernel_part
def _add_products(x, newest_x, mean_x, y, newest_y, mean_y, xx, yy, xy):  # type: ignore[no-untyped-def]
    for j in range(len(xy)):
        a = (x[j] - newest_x[j]) - mean_x[j]
        b = (y[j] - newest_y[j]) - mean_y[j]
        xx[j] += a * a
        yy[j] += b * b
        xy[j] += a * b


@kernel_part
def window_products(x, y, length, side, work):  # type: ignore[no-untyped-def]
    """Return the sums of squares of both and of their products, from their means.

    For windows that end in `x` and `y`, which start with ``length - 1`` earlier rows. `work` is
    float64 ``[9, >= len(x)]``. Each window is added up by itself: sums that are joined would lose
    the digits in which two series differ.
    """
    first = (length - 1) * side
    mean_x = window_sums(x, length, side, work[:3])
    mean_y = window_sums(y, length, side, work[3:6])
    rows = len(mean_x)
    xx, yy, xy = work[6, :rows], work[7, :rows], work[8, :rows]
    for j in range(rows):
        mean_x[j] /= length
        mean_y[j] /= length
        xx[j] = 0.0
        yy[j] = 0.0
        xy[j] = 0.0
    for k in range(length):
        _add_products(
            x[k * side :], x[first:], mean_x, y[k * side :], y[first:], mean_y, xx, yy, xy
        )
    return xx, yy, xy
