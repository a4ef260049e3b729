"""Means of gains and of losses, shared by what weighs them against each other."""

from __future__ import annotations

from tallow.core.kernel import kernel_part
from tallow.indicators._averages import FAINT, average_step, keep_faint


@kernel_part
def step_changes(count, gain, loss, change, length):  # type: ignore[no-untyped-def]
    """Take one more change into Wilder's means of gains and losses; return their count and both."""
    weight = 1.0 / length
    _, loss = average_step(count, loss, max(-change, 0.0), length, weight)
    count, gain = average_step(count, gain, max(change, 0.0), length, weight)
    # Behind a branch, so that the next row need not wait for it.
    if min(gain, loss) < FAINT:
        loss, gain = keep_faint(loss), keep_faint(gain)
    return count, gain, loss


@kernel_part
def strength_step(count, gain, loss, value, change, length, flat):  # type: ignore[no-untyped-def]
    """Take one more change as `step_changes` does; return the relative strength of them, too.

    A change of zero shrinks both means alike, so the strength stays what it was. `flat` is its
    value while nothing has changed.
    """
    is_new = count < length or change != 0.0
    count, gain, loss = step_changes(count, gain, loss, change, length)
    if is_new:
        both = gain + loss
        value = 100.0 * (gain / both) if both > 0.0 else flat
    return count, gain, loss, value
