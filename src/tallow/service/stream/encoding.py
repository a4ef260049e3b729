"""Rows and messages as text: each row once, each message of rows that are text already."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import polars as pl

from tallow.core.arrays import Floats
from tallow.core.operator import Output
from tallow.data.reading.schema import OPEN_INTEREST
from tallow.runtime.live.bar_rows import BAR_FIELDS, CANDLES
from tallow.service.limits import STREAM_MESSAGE_BYTES
from tallow.service.stream.changes import RowChanges, StreamRow

FIRST = ("timeframe", "instrument", "timestamp", *BAR_FIELDS, "is_final", "revision")
"""The columns that every row has."""

_TOGETHER_MIN = 4
"""Rows from which on it is faster to make their texts together."""

_NAMES_KNOWN = 100_000
"""Instruments whose names are kept as JSON."""

Convert = Callable[[float], object]


class Columns:
    """The columns of a subscription's rows, and how these become text.

    Parameters
    ----------
    every
        The indicators' columns that the live engine computes.
    chosen
        Those that are told.
    kinds
        Which are not float64 in frames.
    """

    def __init__(
        self, every: Sequence[str], chosen: Sequence[str], kinds: Mapping[str, Output]
    ) -> None:
        self.names = (*FIRST, *chosen)
        self._shown = [name for name in self.names if name != "timeframe"]
        self._unpack = struct.Struct(f"{len(BAR_FIELDS) + len(every)}d").unpack
        self._all = tuple(chosen) == tuple(every)
        self._places = [len(BAR_FIELDS) + every.index(name) for name in chosen]
        self._converted = [
            (len(FIRST) + place, _converter(kinds[name]))
            for place, name in enumerate(chosen)
            if name in kinds
        ]

    def text(self, row: StreamRow) -> str:
        """Return a row as text; it is kept in the row for others who have the same columns."""
        if row.columns is self:
            return row.text
        values = self._unpack(row.values)
        if self._all:
            chosen = values[len(BAR_FIELDS) :]
        else:
            chosen = tuple([values[place] for place in self._places])
        bar = values[:CANDLES]
        cells: list[Any] = [*row.key, *bar, int(values[CANDLES]), row.is_final, row.revision]
        cells += chosen
        for place, convert in self._converted:
            cells[place] = convert(cells[place])
        row.columns, row.text = self, encoded(cells)
        return row.text

    def texts(self, rows: Sequence[StreamRow]) -> list[str]:
        """Return rows as texts, the same as `text`; many take a fraction of the time together."""
        self.encode(rows)
        return [row.text if row.columns is self else self.text(row) for row in rows]

    def encode(self, rows: Sequence[StreamRow]) -> None:
        """Make the texts of rows that have none yet: all numbers of a kind in one call."""
        rows = [row for row in dict.fromkeys(rows) if row.columns is not self]
        if len(rows) < _TOGETHER_MIN or self._converted:
            return
        values = np.frombuffer(b"".join([row.values for row in rows])).reshape(len(rows), -1)
        bars, counts = _lists(values[:, :CANDLES]), values[:, CANDLES].astype(np.int64).tolist()
        chosen = [""] * len(rows)
        if self._places:
            chosen = [f",{numbers}" for numbers in _lists(values[:, self._places])]
        for row, bar, count, rest in zip(rows, bars, counts, chosen, strict=True):
            timeframe, instrument, opened = row.key
            final = "true" if row.is_final else "false"
            row.text = (
                f'["{timeframe}",{_name(instrument)},{opened},{bar},{count},'
                f"{final},{row.revision}{rest}]"
            )
            row.columns = self

    def texts_of_frame(self, timeframe: str, frame: pl.DataFrame) -> list[str]:
        """Return the rows of a live engine's frame as texts."""
        if OPEN_INTEREST not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.Float64).alias(OPEN_INTEREST))
        chosen = frame.select(self._shown).with_columns(pl.col("timestamp").cast(pl.Int64))
        return [encoded([timeframe, *row]) for row in chosen.rows()]


def _converter(output: Output) -> Convert:
    if output.kind == "names":
        names = output.names
        return lambda value: (
            None
            if math.isnan(value)
            else " ".join(name for bit, name in enumerate(names) if int(value) >> bit & 1)
        )
    return lambda value: None if math.isnan(value) else int(value)


def _lists(values: Floats) -> list[str]:
    """Return each row of numbers as JSON, without its brackets."""
    numbers = np.ascontiguousarray(values)
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].decode().split("],[")


def encoded(value: object) -> str:
    """Return a value as JSON; NaN is null."""
    return orjson.dumps(value).decode()


@lru_cache(_NAMES_KNOWN)
def _name(instrument: str) -> str:
    return encoded(instrument)


def message(kind: str, subscription: str | None = None, **fields: object) -> str:
    """Return a message."""
    named = {} if subscription is None else {"id": subscription}
    return encoded({"type": kind, **named, **fields})


def begin_rows(kind: str, subscription: str) -> str:
    """Return how a subscription's messages of rows begin, before `from_seq`."""
    return f'{{"type":"{kind}","id":{encoded(subscription)}'


def bodies(changes: RowChanges, columns: Columns, seq: int) -> list[str]:
    """Return the rest of messages with changes: one, or as many as their length asks for."""
    marks = [[*series, mark.since] for series, mark in changes.marks.items()]
    said = f',"changed":{encoded(marks)}' if marks else ""
    texts = columns.texts(changes.shown())
    return [f',"seq":{seq}{said}{rest}' for rest in with_rows(texts)]


def with_rows(texts: Iterable[str]) -> Iterator[str]:
    """Yield the ends of messages with rows, in parts that are not too long."""
    part: list[str] = []
    length = 0
    for text in texts:
        length += len(text) + 1
        if length > STREAM_MESSAGE_BYTES and part:
            yield f',"more":true,"rows":[{",".join(part)}]}}'
            part, length = [], len(text) + 1
        part.append(text)
    yield f',"rows":[{",".join(part)}]}}'
