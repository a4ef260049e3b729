"""At which moments a leak check parts what is known from what is to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.limits import LEAK_CANDLES, LEAK_MOMENTS, LEAK_MOMENTS_MIN, LEAK_MOMENTS_THOROUGH
from tallow.core.time import DAY_US, MINUTE_US

HOUR_US: Final = 60 * MINUTE_US
"""A bar that is longer than most: what closes with it is looked at just before."""

LONGER_BARS: Final = 30
"""Longer bars end with a bar whose number in its session has a factor in common with this one."""

INSIDE_SHARE: Final = 8
"""Of so many moments between two bars, one more is inside of a bar."""


@dataclass(frozen=True)
class CheckMoment:
    """A moment of a check: candles that open before it are known, those from it on are to come.

    Attributes
    ----------
    at
        The open of the first candle to come, in microseconds since 1970 UTC.
    is_inside
        Whether a bar of the answer has begun and not ended.
    is_thorough
        Whether every future is tried, not just some of them.
    ends_alone
        Whether no longer bar, nor the session, ends with the bar that ends then, or is the next to:
        a row that was forming may have other values of longer bars once they end.
    """

    at: int
    is_inside: bool
    is_thorough: bool
    ends_alone: bool


def usual_moments(candles: int) -> int:
    """Return how many moments a check of so many candles takes where nobody says how many."""
    return int(np.clip(LEAK_CANDLES // max(candles, 1), LEAK_MOMENTS_MIN, LEAK_MOMENTS))


def choose_moments(
    candle_times: Times, bar_times: Times, most: int, seed: int
) -> list[CheckMoment]:
    """Return moments in order: at every bar's open where `most` allows it, else telling ones.

    Those are the first and the last, ends of weeks and sessions, just before a longer bar closes,
    and random ones; some are inside of bars, where bars have several candles.

    Parameters
    ----------
    candle_times, bar_times
        The different opens, int64 microseconds, ascending.
    most
        Most moments between bars.
    seed
        Of the random choice.
    """
    random = np.random.default_rng(seed)
    first, last = candle_times[0], candle_times[-1]
    opens = bar_times[(bar_times > first) & (bar_times <= last)]
    telling = _telling(opens, candle_times)
    chosen = _choose(opens, telling, most, random)
    others = candle_times[(candle_times > bar_times[0]) & ~np.isin(candle_times, bar_times)]
    inside = _choose(
        others, _before_closes(others, candle_times), max(most // INSIDE_SHARE, 8), random
    )
    few = int(np.clip(most // INSIDE_SHARE, 3, LEAK_MOMENTS_THOROUGH))
    thorough = set(_choose(chosen, np.isin(chosen, opens[telling]), few, random))
    thorough |= set(random.permutation(inside)[: few // 2])
    both = np.union1d(chosen, inside)
    alone = _end_alone(both, bar_times, candle_times)
    return [
        CheckMoment(int(at), bool(is_inside), at in thorough, bool(ends_alone))
        for at, is_inside, ends_alone in zip(both, np.isin(both, inside), alone, strict=True)
    ]


def _end_alone(times: Times, bar_times: Times, candle_times: Times) -> Flags:
    """Say of which bars, that end at some times or are the next to, no longer one ends with them.

    They are counted from their session's open; from midnight where that may not have been seen.
    """
    ends = bar_times[np.minimum(np.searchsorted(bar_times, times), len(bar_times) - 1)]
    since = _since_pause(ends, candle_times)
    is_first = ends - since == candle_times[0]
    number = np.where(is_first, ends % DAY_US, since) // _step(bar_times)
    alone: Flags = (np.gcd(number, LONGER_BARS) == 1) & (ends >= times) & (since > 0)
    return alone


def _choose(times: Times, telling: Flags, most: int, random: np.random.Generator) -> Times:
    """Return all times, or as many telling ones as half of `most`, and random ones."""
    if len(times) <= most:
        return times
    told = times[telling]
    told = np.sort(random.permutation(told)[: most // 2])
    if len(told):
        # The first and the last are always among them.
        told[0], told[-1] = times[telling][[0, -1]]
    rest = random.permutation(np.setdiff1d(times, told))[: most - len(np.unique(told))]
    return np.union1d(told, rest)


def _telling(opens: Times, candle_times: Times) -> Flags:
    """Say which bars' opens come first and last, after a pause, or with the end of an hour."""
    since = _since_pause(opens, candle_times)
    telling: Flags = (since == 0) | (since % HOUR_US == 0)
    telling[[0, -1][: len(telling)]] = True
    return telling


def _before_closes(times: Times, candle_times: Times) -> Flags:
    """Say which candles are the last before an hour is over, or before a pause."""
    position = np.searchsorted(candle_times, times)
    step = _step(candle_times)
    following = candle_times[np.minimum(position + 1, len(candle_times) - 1)]
    since = _since_pause(times, candle_times)
    before: Flags = (following - times > step) | ((since + step) % HOUR_US == 0)
    return before


def _step(times: Times) -> int:
    return int(np.diff(times).min(initial=HOUR_US))


def _since_pause(times: Times, candle_times: Times) -> Ints:
    """Return how long before each time the last pause ended: sessions begin after pauses."""
    begins = np.concatenate([[True], np.diff(candle_times) > _pause(candle_times)])
    starts = candle_times[begins]
    since: Ints = times - starts[np.searchsorted(starts, times, side="right") - 1]
    return since


def _pause(candle_times: Times) -> int:
    """Return what is longer than any step within a session: an hour, or the usual step."""
    return max(HOUR_US, int(np.median(np.diff(candle_times))) if len(candle_times) > 1 else 0)
