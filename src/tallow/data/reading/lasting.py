"""What rows say of how long they last: a column, or a key, and the spellings of its values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tallow.core.timeframe import meant_timeframe
from tallow.data.reading.schema import find_name
from tallow.data.reading.shape import Shape

LASTING = (
    "timeframe", "interval", "resolution", "granularity", "candle_interval", "bar_size",
    "kline_interval",
)  # fmt: skip
"""Names under which a candle says how long it lasts, best first."""

_WORDS = dict(
    zip(
        ("one", "two", "three", "five", "ten", "fifteen", "thirty", "sixty"),
        ("1", "2", "3", "5", "10", "15", "30", "60"),
        strict=True,
    )
)


def find_lasting(names: Sequence[str]) -> str | None:
    """Return the name that says how long a row lasts, or None where none does."""
    return find_name(LASTING, names)


def lasting_of(value: Any) -> str | None:
    """Return the timeframe that a text means; None where it is none, or may be several.

    A number alone says no unit: 60 is a minute's seconds, or an hour's minutes.

    Examples
    --------
    >>> [lasting_of(text) for text in ("5minute", "FIVE_MINUTE", "M15", "1min", "day", "1M", "60")]
    ['5m', '5m', '15m', '1m', '1d', None, None]
    """
    if not isinstance(value, str) or not re.search("[A-Za-z]", value):
        return None
    text = value.strip()
    word, mark, unit = text.lower().partition("_")
    if mark and word in _WORDS:
        return meant_timeframe(_WORDS[word] + unit)
    turned = re.fullmatch(r"([MHDW])([0-9]{1,4})", text)
    if turned is not None:
        return meant_timeframe(turned[2] + turned[1].lower())
    return meant_timeframe(text)


def lasting_values(rows: pl.DataFrame, shape: Shape | None) -> Iterator[tuple[str, str, str]]:
    """Yield what rows say of how long they last: the column, its value, the timeframe meant."""
    if shape is not None and shape.periods is not None:
        column, lasting = shape.periods
        values = rows[column].cast(pl.String).unique(maintain_order=True)
        yield from ((column, value, lasting[value]) for value in values if value in lasting)
        return
    found = find_lasting(rows.columns)
    if found is None or rows[found].dtype not in (pl.String, pl.Categorical, pl.Enum):
        return
    for value in rows[found].cast(pl.String).unique(maintain_order=True):
        meant = lasting_of(value)
        if meant is not None:
            yield found, value, meant
