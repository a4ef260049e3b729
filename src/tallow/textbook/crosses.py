"""What compares instruments: the values of one bar time, None where an instrument has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tallow.textbook.numbers import fsum, sqrt

Compared = Callable[[Sequence[float], int], float | None]
"""Takes the values that there are, and which of them is asked about."""


def cs_rank(values: Sequence[float], which: int) -> float | None:
    below = sum(x < values[which] for x in values)
    equal = sum(x == values[which] for x in values) - 1
    return 1.0 + below + equal / 2.0


def cs_pct_rank(values: Sequence[float], which: int) -> float | None:
    if len(values) == 1:
        return 0.5
    rank = cs_rank(values, which)
    return None if rank is None else (rank - 1.0) / (len(values) - 1)


def cs_zscore(values: Sequence[float], which: int) -> float | None:
    mean = fsum(values) / len(values)
    deviation = sqrt(fsum((x - mean) ** 2 for x in values) / len(values))
    if min(values) == max(values) or deviation == 0.0:
        return None
    return (values[which] - mean) / deviation


def security(values: Sequence[float], which: int) -> float | None:
    """Return the value of the instrument that is named."""
    return values[which]


COMPARED: Mapping[str, Compared] = {
    "cs_rank": cs_rank,
    "cs_pct_rank": cs_pct_rank,
    "cs_zscore": cs_zscore,
    "security": security,
}
"""By the names of their indicators."""
