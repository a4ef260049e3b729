"""Frames of one row as plain numbers: a feed's have one schema, which is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from tallow.data.reading.readers import is_candle_schema

Positions = Sequence[int | None]
"""Where fields are among a frame's columns, the time first; None where one is not there."""


class OneRow:
    """Reads frames of one row.

    `find` returns the places of the fields in a schema, or None where such frames must be read as
    all others: where a value is missing, of another type, or to be looked at.
    """

    def __init__(self, find: Callable[[pl.Schema], Positions | None]) -> None:
        self._find = find
        self._last: tuple[list[str], list[pl.DataType], Positions | None] = [], [], None

    def values(self, frame: Any) -> list[Any] | None:
        """Return a row's values, the time as microseconds; None for any other frame."""
        if not isinstance(frame, pl.DataFrame) or len(frame) != 1:
            return None
        columns, types, places = self._last
        if frame.columns != columns or frame.dtypes != types:
            places = self._find(frame.schema)
            self._last = frame.columns, frame.dtypes, places
        if places is None:
            return None
        time, *others = places
        assert time is not None
        values = [None if place is None else frame.item(0, place) for place in others]
        return [int(frame.to_series(time).to_numpy().view(np.int64)[0]), *values]


def candle_positions(schema: pl.Schema) -> Positions | None:
    """Return where the time, the name, prices, volume and open interest of a candle are."""
    if not is_candle_schema(schema):
        return None
    return [1, 0, *range(2, 7), 7 if len(schema) > 7 else None]
