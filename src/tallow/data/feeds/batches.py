"""From rows to batches: what came together, cut where a candle comes again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from tallow.core.limits import DIGITS_MAX
from tallow.core.time import MINUTE_US, SECOND_US
from tallow.data.feeds.feed import FeedBatch, Kind
from tallow.data.feeds.health import Meter
from tallow.data.feeds.messages import CANDLE, MessageRow
from tallow.data.reading.schema import OPEN_INTEREST, TIME_TYPE


def batches_of(rows: Sequence[MessageRow]) -> list[FeedBatch]:
    """Put rows together in as few batches as keep their order and every revision.

    A batch has rows of one kind, and a candle once: each later version is a revision. Versions are
    in the order of their sequence numbers or else of a stream's entries, where all have them; else
    as they arrived. An entry's token goes with the last batch that holds rows of it.
    """
    pieces = list(_pieces(_in_sequence(rows)))
    last = {row.message.token: place for place, piece in enumerate(pieces) for row in piece}
    tokens: list[list[str]] = [[] for _ in pieces]
    for token, place in last.items():
        if token:
            tokens[place].append(token)
    return [_batch(piece, tuple(held)) for piece, held in zip(pieces, tokens, strict=True)]


def hand_out(batch: FeedBatch, meter: Meter, now: int) -> FeedBatch:
    """Count a batch that is handed to the reader at `now`, in microseconds since 1970 UTC."""
    rows = len(batch.frame)
    if batch.backfill:
        meter.add(batches=1, rows=rows, backfilled=rows)
        return batch
    newest = pl.Series(batch.frame["timestamp"]).dt.epoch("us").max()
    assert isinstance(newest, int), "a batch has rows, and every row a time"
    complete = newest + (MINUTE_US if batch.kind == "candles" else 0)
    meter.add(batches=1, rows=rows)
    meter.note(lag_seconds=max(0.0, (now - complete) / SECOND_US))
    return batch


def _in_sequence(rows: Sequence[MessageRow]) -> Sequence[MessageRow]:
    """Return rows with the versions of each candle in order, at the positions that they had."""
    places: dict[tuple[str, int], list[int]] = {}
    for place, row in enumerate(rows):
        if row.fields is CANDLE:
            places.setdefault((row.instrument, row.timestamp), []).append(place)
    ordered = list(rows)
    for held in places.values():
        versions = [rows[place] for place in held]
        numbers = [row.sequence for row in versions]
        entries = [_entry(row.message.token) for row in versions]
        known: Sequence[Any] = numbers if None not in numbers else entries
        if len(held) > 1 and None not in known:
            order = sorted(range(len(held)), key=known.__getitem__)
            for place, version in zip(held, order, strict=True):
                ordered[place] = versions[version]
    return ordered


def _entry(token: str) -> tuple[int, int] | None:
    """Return a stream's entry, milliseconds and a number, such as ``1526919030474-55``."""
    moment, _, number = token.partition("-")
    digits = moment.isdecimal() and number.isdecimal() and len(token) <= 2 * DIGITS_MAX
    return (int(moment), int(number)) if digits else None


def _pieces(rows: Sequence[MessageRow]) -> Iterator[list[MessageRow]]:
    """Cut rows where their kind changes or a candle comes again."""
    piece: list[MessageRow] = []
    seen: set[tuple[str, int]] = set()
    for row in rows:
        key = (row.instrument, row.timestamp)
        again = row.fields is CANDLE and key in seen
        if piece and (again or row.fields is not piece[0].fields):
            yield piece
            piece, seen = [], set()
        piece.append(row)
        seen.add(key)
    if piece:
        yield piece


def _batch(rows: Sequence[MessageRow], tokens: tuple[str, ...]) -> FeedBatch:
    kind: Kind = "candles" if rows[0].fields is CANDLE else "ticks"
    frame = pl.DataFrame(
        [
            pl.Series("instrument", [row.instrument for row in rows], pl.String),
            pl.Series("timestamp", [row.timestamp for row in rows], pl.Int64).cast(TIME_TYPE),
            *_columns(rows),
        ]
    )
    if kind == "candles" and frame[OPEN_INTEREST].null_count() == len(frame):
        frame = frame.drop(OPEN_INTEREST)
    elif kind == "ticks" and any(row.sequence is not None for row in rows):
        numbers = pl.Series("sequence", [row.sequence for row in rows], pl.Int64)
        frame = frame.with_columns(numbers)
    return FeedBatch(kind, frame, rows[-1].message.received_at, tokens=tokens)


def _columns(rows: Sequence[MessageRow]) -> Iterator[pl.Series]:
    for place, name in enumerate(rows[0].fields):
        yield pl.Series(name, [row.values[place] for row in rows], pl.Float64)
