"""From messages to rows: JSON text, or a stream's flat fields, into candles and ticks.

A message is one object, a list of them, or an object whose `data` is either. A row with any of
open, high, low and close is a candle; one with a price is a tick; anything else is a notice and
only counted. A row that is not understood is rejected alone: the others of its message go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, cast

import polars as pl

from tallow.core.errors import NaiveTimeError
from tallow.core.limits import DIGITS_MAX, FEED_LAYOUTS, FEED_ROW_FIELDS_MAX
from tallow.data.days import microseconds
from tallow.data.feeds.contents import items_of
from tallow.data.feeds.health import Meter
from tallow.data.schema import NUMBERS, OPEN_INTEREST, find_column, find_sequence, plain_name
from tallow.data.times import EPOCH_SECONDS_MAX, EPOCH_SECONDS_MIN, FORMATS, to_utc

PRICES = NUMBERS[:4]

TICK_ALIASES: dict[str, tuple[str, ...]] = {
    "price": ("price", "last_price", "ltp", "p"),
    "quantity": ("quantity", "last_traded_quantity", "last_quantity", "ltq", "qty", "q", "size"),
    "day_volume": ("day_volume", "volume_traded_today", "volume_traded", "vtt"),
    "timestamp": ("exchange_timestamp", "last_trade_time", "ltt"),
}
"""Names of a tick's fields beside those of `tallow.data.schema.ALIASES`, best first."""

_MINUTE = timedelta(minutes=1)
_NO_ZONE = 'has no zone; pass timezone="Asia/Kolkata", say'
_SHOWN = 200


@dataclass(frozen=True)
class Message:
    """What came: text, bytes or a stream's fields; in which connection; when, in microseconds."""

    content: str | bytes | Mapping[str, str]
    connection: int
    received_at: int
    token: str = ""


class Row(NamedTuple):
    """A candle or a tick: which by `fields`, the names of its `values`."""

    fields: tuple[str, ...]
    instrument: str
    timestamp: int
    values: tuple[float | None, ...]
    sequence: int | None
    message: Message


CANDLE: tuple[str, ...] = (*NUMBERS, OPEN_INTEREST)
TRADE: tuple[str, ...] = ("price", "quantity")
QUOTE: tuple[str, ...] = ("price", "day_volume")
"""Fields of a candle, of a tick with its quantity, and of one with the day's volume so far."""


class _Layout(NamedTuple):
    """Which keys of an object hold what; `problem` where it cannot be a row."""

    fields: tuple[str, ...]
    instrument: str
    timestamp: str
    values: tuple[str | None, ...]
    sequence: str | None
    problem: str | None


_TOO_WIDE = _Layout(
    (), "", "", (), None, f"more than {FEED_ROW_FIELDS_MAX} fields; a row must have fewer"
)


def read_messages(messages: Sequence[Message], meter: Meter, timezone: str | None) -> list[Row]:
    """Return the rows of messages, in their order; what is not understood is counted.

    Parameters
    ----------
    timezone
        Zone of times that carry none; without it they are rejected.
    """
    found = [(item, message) for message in messages for item in _items(message, meter)]
    notices = 0
    kept: list[tuple[Mapping[str, Any], _Layout, Message]] = []
    for item, message in found:
        layout = _layout(tuple(item)) if len(item) <= FEED_ROW_FIELDS_MAX else _TOO_WIDE
        if layout is None:
            notices += 1
        elif layout.problem:
            meter.reject(item, layout.problem, message.token)
        else:
            kept.append((item, layout, message))
    meter.add(notices=notices)
    times = _times([item[layout.timestamp] for item, layout, _ in kept], timezone)
    rows = []
    for (item, layout, message), moment in zip(kept, times, strict=True):
        row = _row(item, layout, message, moment)
        if isinstance(row, Row):
            rows.append(row)
        else:
            meter.reject(item, row, message.token)
    return rows


def _items(message: Message, meter: Meter) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a message, rejecting what is none."""
    try:
        items = items_of(message.content)
    except ValueError as error:
        meter.reject(message.content, str(error), message.token)
        return
    for item in items:
        if isinstance(item, dict):
            yield item
        else:
            why = "no JSON object; a row must be an object of fields"
            meter.reject(json.dumps(item), why, message.token)


@lru_cache(maxsize=FEED_LAYOUTS)
def _layout(keys: tuple[str, ...]) -> _Layout | None:
    """Return where the fields of an object with these keys are, or None for a notice."""
    numbers = {name: find_column(name, keys) for name in CANDLE}
    price = _find("price", keys)
    if any(numbers[name] for name in PRICES):
        fields, held = CANDLE, numbers
    elif price:
        total = _find("day_volume", keys)
        fields = QUOTE if total else TRADE
        held = {"price": price, "day_volume": total, "quantity": _find("quantity", keys)}
    else:
        return None
    instrument, timestamp = find_column("instrument", keys), _time_key(keys, fields)
    needed = {"instrument": instrument, "timestamp": timestamp}
    needed |= {name: held[name] for name in fields if name not in (OPEN_INTEREST, "quantity")}
    missing = [name for name, key in needed.items() if key is None]
    problem = f"without {', '.join(missing)}" if missing else None
    if fields is TRADE and not held["quantity"] and numbers["volume"]:
        problem = "a tick's volume must be named quantity or day_volume"
    sequence = find_sequence(keys)
    values = tuple(held[name] for name in fields)
    return _Layout(fields, str(instrument), str(timestamp), values, sequence, problem)


def _time_key(keys: Sequence[str], fields: tuple[str, ...]) -> str | None:
    found = find_column("timestamp", keys)
    return found if found or fields is CANDLE else _find("timestamp", keys)


def _find(field: str, keys: Sequence[str]) -> str | None:
    return _first(TICK_ALIASES[field], keys)


def _first(aliases: Sequence[str], keys: Sequence[str]) -> str | None:
    """Return the key that is the best of some aliases, by the rules of `find_column`."""
    by_name = {plain_name(key): key for key in reversed(keys)}
    return next((by_name[name] for name in map(plain_name, aliases) if name in by_name), None)


def _row(
    item: Mapping[str, Any], layout: _Layout, message: Message, moment: int | str
) -> Row | str:
    """Return the row, or why there is none."""
    if isinstance(moment, str):
        return f"{layout.timestamp}={_shown(item[layout.timestamp])}; {moment}"
    name = item[layout.instrument]
    if not _is_name(name):
        return f"{layout.instrument}={_shown(name)}; an instrument must be text or a whole number"
    values = []
    for field, key in zip(layout.fields, layout.values, strict=True):
        # A tick that names no quantity, as an index's, trades nothing.
        raw = item[key] if key else (0.0 if field == "quantity" else None)
        try:
            values.append(_number(raw))
        except (ValueError, TypeError, OverflowError):
            return f"{key}={_shown(raw)}; must be a number"
    order = item[layout.sequence] if layout.sequence else None
    if order is not None and not _is_order(order):
        return f"{layout.sequence}={_shown(order)}; must be a whole number"
    order = None if order is None else int(order)
    return Row(layout.fields, str(name), moment, tuple(values), order, message)


def _shown(value: Any) -> str:
    """Return a value as an error shows it: its beginning, where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _is_name(value: Any) -> bool:
    # Half of a surrogate pair is JSON, but no text.
    text = isinstance(value, str) and value.encode("utf-8", "ignore").decode() == value != ""
    return text or (isinstance(value, int) and not isinstance(value, bool))


def _is_order(value: Any) -> bool:
    digits = str(value)
    return isinstance(value, str | int) and digits.isdecimal() and len(digits) <= DIGITS_MAX


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise TypeError
    return None if value is None else float(value)


def _times(values: Sequence[Any], timezone: str | None) -> list[int | str]:
    """Return each time in microseconds since 1970 UTC, or what is wrong with it."""
    quick = [_instant(value) for value in values]
    rest = [value for value, instant in zip(values, quick, strict=True) if instant is None]
    if not rest:
        return cast("list[int | str]", quick)
    others = iter(_other_times(rest, timezone))
    return [next(others) if instant is None else instant for instant in quick]


def _instant(value: Any) -> int | None:
    """Return the instant of the commonest forms; a frame for one message would cost 8 ms."""
    if type(value) is int:
        for per_second in (1, 1_000, 1_000_000):
            if EPOCH_SECONDS_MIN * per_second <= value < EPOCH_SECONDS_MAX * per_second:
                return value * (1_000_000 // per_second)
    elif isinstance(value, str) and value[4:5] == value[7:8] == "-" and value[10:11] in {"T", " "}:
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
            offset = moment.utcoffset()
            # Offsets with seconds, of the time before time zones, are not read from files either.
            if offset is not None and not offset % _MINUTE:
                return microseconds(moment)
    return None


def _other_times(values: Sequence[Any], timezone: str | None) -> list[int | str]:
    """Return each time as files' times are read."""
    texts = [str(value) if _may_be_time(value) else None for value in values]
    column = pl.Series("timestamp", texts, dtype=pl.String)
    try:
        read = to_utc(column, timezone, "feed")
    except NaiveTimeError:
        return _zoned_times(column)
    return _instants(read)


def _zoned_times(column: pl.Series) -> list[int | str]:
    """Return each time; those without a zone must not spoil the others.

    A time without one is another instant in another zone, and one with a zone the same in all.
    """
    here, there = (to_utc(column, zone, "feed") for zone in ("UTC", "Etc/GMT-1"))
    is_same = here.eq_missing(there).to_list()
    pairs = zip(_instants(here), is_same, strict=True)
    return [instant if same else _NO_ZONE for instant, same in pairs]


def _instants(times: pl.Series) -> list[int | str]:
    instants = times.dt.epoch("us").to_list()
    return [f"must be {FORMATS}" if instant is None else instant for instant in instants]


def _may_be_time(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
