"""Sweeps: texts with ranges such as ``10..50 step 10``, as one text for each combination.

Ranges are looked for before a text is read as a screen. What is in quotes has none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import NamedTuple

from tallow.core.errors import excerpt
from tallow.core.limits import DIGITS_MAX, SWEEP_SCREENS_MAX
from tallow.core.spec_text import QUOTED
from tallow.screens.tokens import ScreenText

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(
    rf"""
      (?P<quoted> {QUOTED} )
    | (?<![\w.]) (?P<first> {_NUMBER} ) \s* \.\. \s* (?P<last> {_NUMBER} )
      (?: \s+ step \b \s* (?P<step> [^\s,()\[\]<>=*/+-]* ) )? (?![\w.])
    | (?P<wrong> \.\. )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MINUS = re.compile(r"(?:^|[(,<>=+*/-]|\b(?:and|or|not|above|below))\s*-\s*\Z", re.IGNORECASE)
"""Ends a text where a minus is no subtraction."""

_A_NUMBER = re.compile(_NUMBER)
_EXAMPLE = "10..50 step 10"


class Swept(NamedTuple):
    """A range in a text: where it stands, as it is shown, and its values."""

    start: int
    end: int
    name: str
    values: tuple[Decimal, ...]


@dataclass(frozen=True)
class Sweep:
    """A text with ranges.

    Attributes
    ----------
    text
        As it was given.
    ranges
        In the order in which they stand.
    """

    text: str
    ranges: tuple[Swept, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the ranges are called: as they are written; one that is there again has a number."""
        names: list[str] = []
        for each in self.ranges:
            again = sum(name.partition(" #")[0] == each.name for name in names)
            names.append(f"{each.name} #{again + 1}" if again else each.name)
        return tuple(names)

    def combinations(self) -> Iterator[tuple[tuple[float, ...], str]]:
        """Yield each combination of values, the last range changing first, and its text."""
        ends = [0, *(each.end for each in self.ranges)]
        starts = [*(each.start for each in self.ranges), len(self.text)]
        pieces = [self.text[end:start] for end, start in zip(ends, starts, strict=True)]
        for values in product(*(each.values for each in self.ranges)):
            filled = (f"{value:f}{piece}" for value, piece in zip(values, pieces[1:], strict=True))
            yield tuple(map(float, values)), pieces[0] + "".join(filled)


def find_range(text: str) -> int | None:
    """Return where the first two points in a row stand outside of quotes, as ranges have them."""
    found = (each for each in _RANGE.finditer(text) if each["quoted"] is None)
    return next((each.start() for each in found), None)


def read_sweep(text: str) -> Sweep:
    """Find the ranges of a text.

    `ScreenError` if one is none, or there are more than `SWEEP_SCREENS_MAX` combinations.

    Examples
    --------
    >>> [text for _, text in read_sweep("close > ema(10..30 step 10)").combinations()]
    ['close > ema(10)', 'close > ema(20)', 'close > ema(30)']
    """
    source = ScreenText(text)
    ranges = tuple(
        _swept(source, found) for found in _RANGE.finditer(text) if found["quoted"] is None
    )
    count = math.prod(len(each.values) for each in ranges)
    if count > SWEEP_SCREENS_MAX:
        raise source.error(ranges[-1].start, f"makes {count:,} combinations; {_at_most()}")
    return Sweep(text, ranges)


def _at_most() -> str:
    return f"a sweep has at most {SWEEP_SCREENS_MAX:,}; take a longer step"


def _swept(source: ScreenText, found: re.Match[str]) -> Swept:
    shown = excerpt(found[0])
    rule = f"must be a range of numbers, such as {_EXAMPLE}"
    if found["wrong"] is not None:
        raise source.error(found.start(), f"{shown}; {rule}")
    texts = [found["first"], found["last"], "1" if found["step"] is None else found["step"]]
    if not all(_A_NUMBER.fullmatch(each) and len(each) <= DIGITS_MAX for each in texts):
        raise source.error(found.start(), f"{shown}; {rule}")
    first, last, step = map(Decimal, texts)
    if not step:
        raise source.error(found.start(), f"{shown}; the step must be more than 0; {rule}")
    if last < first:
        raise source.error(found.start(), f"{shown}; must go up; begin with the lower number")
    if _MINUS.search(source.text, 0, found.start()):
        around = f"0..{last + first:f} step {step:f}"
        raise source.error(
            found.start(),
            f"{shown}; has a minus before it, and a range begins at 0 or more; write the minus "
            f"behind it: from -{first:f} to {last:f} is ({around}) - {first:f}",
        )
    count = int((last - first) // step) + 1
    if count > SWEEP_SCREENS_MAX:
        raise source.error(found.start(), f"{shown}; has {count:,} values; {_at_most()}")
    name = f"{texts[0]}..{texts[1]}" + (f" step {texts[2]}" if step != 1 else "")
    return Swept(found.start(), found.end(), name, tuple(first + k * step for k in range(count)))
