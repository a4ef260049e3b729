"""How sure a share is that was counted."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from tallow.core.arrays import Floats

CONFIDENCE = 0.95

_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0)


def wilson_interval(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Return the limits of Wilson's interval for shares, at `CONFIDENCE`; NaN without a trial.

    Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference". It holds
    for trials that do not depend on each other.

    Examples
    --------
    >>> low, high = wilson_interval(np.array([8.0]), np.array([10.0]))
    >>> print(low.round(4), high.round(4))
    [0.4902] [0.9433]
    """
    share, squared = ratio(successes, trials), _Z * _Z
    middle = ratio(successes + squared / 2.0, trials + squared)
    reach = _Z * np.sqrt(share * (1.0 - share) * trials + squared / 4.0) / (trials + squared)
    return np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0)


def ratio(some: Floats, of_all: Floats) -> Floats:
    """Return quotients, NaN where nothing is divided by."""
    found: Floats = np.full(np.shape(some), np.nan)
    np.divide(some, of_all, out=found, where=of_all != 0.0)
    return found
