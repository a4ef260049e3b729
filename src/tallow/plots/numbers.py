"""How numbers of a pane are written, and in which size a library of charts is given them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tallow.core.arrays import Floats

PLAIN, SHORT, SCIENTIFIC = "plain", "short", "scientific"

_LEAST, _MOST = 1e-5, 9e13
"""Between them the page's library draws scales rightly: its limits are a step of 1e-14, and 2**53
hundredths."""

_LONG = 1e6
_DECIMALS_MOST = 8
_PLAIN_MOST = 1e15


@dataclass(frozen=True)
class Numbers:
    """How the numbers of a pane are written.

    Attributes
    ----------
    style
        `PLAIN`, with `decimals`; `SHORT`, as ``1.25M``; or `SCIENTIFIC`, as ``1.2500e-9``.
    scale
        A power of two, so that no bit is lost, by which numbers are multiplied that are too large
        or too small for the page's library; else 1.
    """

    style: str
    decimals: int
    scale: float


def numbers_of(values: Sequence[Floats]) -> Numbers:
    """Return how some values that are no prices are written: with four digits."""
    largest = _largest(values)
    decimals = _decimals(largest, 4)
    style = SHORT if largest >= _LONG else SCIENTIFIC if decimals > _DECIMALS_MOST else PLAIN
    return Numbers(style, decimals, _scale(largest))


def numbers_of_prices(prices: Sequence[Floats]) -> Numbers:
    """Return how prices are written: with the decimals that nearly all have, else six digits.

    Examples
    --------
    >>> numbers_of_prices([np.array([712.25, 700.5])])
    Numbers(style='plain', decimals=2, scale=1.0)
    >>> numbers_of_prices([np.array([2e-11])]).style
    'scientific'
    """
    largest = _largest(prices)
    finite = np.concatenate([each[np.isfinite(each)] for each in prices])
    decimals = _decimals(largest, 6)
    for fewer in range(_decimals(largest, 8) + 1):
        scaled = finite * 10.0**fewer
        if np.mean(np.abs(scaled - np.rint(scaled)) > 1e-9 * np.abs(scaled)) < 0.01:
            decimals = fewer
            break
    style = SCIENTIFIC if decimals > _DECIMALS_MOST else PLAIN
    return Numbers(style, decimals, _scale(largest))


def whole_numbers(values: Sequence[Floats], style: str = PLAIN) -> Numbers:
    """Return how whole numbers are written, such as directions and volumes."""
    return Numbers(style, 0, _scale(_largest(values)))


def _largest(values: Sequence[Floats]) -> float:
    found = [np.abs(each[np.isfinite(each)]) for each in values]
    return max((float(each.max()) for each in found if len(each)), default=0.0)


def _decimals(largest: float, digits: int) -> int:
    """Return how many decimals show so many digits of the largest value."""
    return max(digits - 1 - math.floor(math.log10(largest)), 0) if largest > 0.0 else 0


def _scale(largest: float) -> float:
    if largest == 0.0 or _LEAST <= largest <= _MOST:
        return 1.0
    # Of the smallest numbers there are, the power itself would be too large.
    return 2.0 ** min(-math.floor(math.log2(largest)), 1_000)


def number_text(value: float, numbers: Numbers) -> str:
    """Return a number as its pane writes it.

    Examples
    --------
    >>> (
    ...     number_text(1234.5, Numbers(PLAIN, 2, 1.0)),
    ...     number_text(2e-9, Numbers(SCIENTIFIC, 12, 1.0)),
    ... )
    ('1,234.50', '2.0000e-9')
    >>> number_text(950.0, Numbers(SHORT, 0, 1.0)), number_text(1_234_567.0, Numbers(SHORT, 0, 1.0))
    ('950', '1.23M')
    """
    size = abs(value)
    if size >= _PLAIN_MOST or (numbers.style == SCIENTIFIC and size > 0.0):
        text = _scientific(size)
    elif numbers.style == SHORT:
        text = _short(size)
    else:
        text = f"{size:,.{0 if numbers.style == SCIENTIFIC else numbers.decimals}f}"
    is_zero = not any(digit in "123456789" for digit in text.partition("e")[0])
    return text if value >= 0.0 or is_zero else f"\u2212{text}"


def _scientific(size: float) -> str:
    digits, _, power = f"{size:.4e}".partition("e")
    return f"{digits}e{'+' if int(power) > 0 else ''}{int(power)}"


def _short(size: float) -> str:
    for least, factor, unit in (
        (1e12, 1e12, "T"),
        (1e9, 1e9, "B"),
        (1e6, 1e6, "M"),
        (1e4, 1e3, "K"),
    ):
        if size >= least:
            return f"{size / factor:,.2f}".rstrip("0").rstrip(".") + unit
    return f"{size:,.0f}"
