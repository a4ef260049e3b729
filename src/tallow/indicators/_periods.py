"""High, low and close of the session, week or month before a row's own."""

from __future__ import annotations

from tallow.core.kernel import kernel_part
from tallow.core.operator import PERIODS, Parameter

ANCHOR = Parameter("anchor", "session", "whose prices before they are of", choices=PERIODS)


@kernel_part
def period_step(s, period, high, low, close):  # type: ignore[no-untyped-def]
    """Take one more row; return whether there is a period before its own.

    State: periods seen, up to 2; the row's; its high, low and close so far; those of the last one.
    """
    if s[0] == 0.0 or period != s[1]:
        s[0], s[1] = min(s[0] + 1.0, 2.0), period
        s[5], s[6], s[7] = s[2], s[3], s[4]
        s[2], s[3] = high, low
    s[2], s[3], s[4] = max(s[2], high), min(s[3], low), close
    return s[0] == 2.0


@kernel_part
def pivot_of(s):  # type: ignore[no-untyped-def]
    """Return the mean of high, low and close of the period before: exactly them where equal."""
    return s[7] + ((s[5] - s[7]) + (s[6] - s[7])) / 3.0
