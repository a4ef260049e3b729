"""From messages to rows: JSON text, or a stream's flat fields, into candles and ticks.

A message is one object, a list of them, or an object whose `data` is either; what providers nest
is laid flat first (`envelopes`). An object in a declared shape is what `reading.message_shapes`
says. Of the others, one with any of open, high, low and close is a candle; one with a last price is
a tick, also beside the prices of its day: that is a broker's quote, and no candle. Anything else is
a notice and only counted, unless there are prices in it. A row that is not understood is rejected
alone: the others of its message go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from tallow.core.limits import DIGITS_MAX, FEED_LAYOUTS, FEED_ROW_FIELDS_MAX, NAME_CHARACTERS_MAX
from tallow.data.feeds.contents import items_of
from tallow.data.feeds.envelopes import laid_flat, names_a_price
from tallow.data.feeds.health import Meter
from tallow.data.feeds.moments import moments
from tallow.data.reading.lasting import find_lasting, lasting_of
from tallow.data.reading.message_shapes import message_shapes
from tallow.data.reading.schema import (
    ALIASES,
    NUMBERS,
    OPEN_INTEREST,
    PRICES,
    find_column,
    find_name,
    find_sequence,
    rival_columns,
    rival_names,
)
from tallow.data.reading.shape import Shape

TICK_ALIASES: dict[str, tuple[str, ...]] = {
    "price": ("price", "last_price", "ltp", "p"),
    "quantity": ("quantity", "last_traded_quantity", "last_quantity", "ltq", "qty", "q", "size"),
    "day_volume": ("day_volume", "volume_traded_today", "volume_traded", "vtt"),
    "timestamp": ("exchange_timestamp", "last_trade_time", "ltt"),
}
"""Names of a tick's fields beside those of `tallow.data.reading.schema.ALIASES`, best first."""

LAST_PRICES = TICK_ALIASES["price"][:-1]
"""Names of a last price: beside open, high, low and close, these are the day's so far."""
OF_A_DAY = (
    "last", "last_traded_price", "lp", "prev_close", "previous_close", "prev_close_price",
    "yesterday_close", "total_buy_quantity", "total_sell_quantity", "net_change",
    "change_percent", "percent_change", "last_trade_time", "last_traded_time", "ltt",
    "last_traded_quantity", "ltq", "average_traded_price", "atp", "bid", "ask", "bid_price",
    "ask_price", "best_bid", "best_ask", "best_bid_price", "best_ask_price", "bids", "asks",
    "depth", "upper_circuit", "lower_circuit", "upper_circuit_limit", "lower_circuit_limit",
)  # fmt: skip
"""Names that only a quote has, never a candle of a minute."""

OPENS = ("interval_begin", "start", "start_time", "begin")
"""Names of when a candle opens: beside one of `ALIASES`, that is another time of it."""

_QUANTITIES = ("quantity", "day_volume")
_UNKNOWN = (
    "no shape that is known; a candle has open, high, low, close and volume, a tick price, ltp or "
    "last_price"
)
_SHOWN = 200


@dataclass(frozen=True)
class Message:
    """What came: text, bytes or a stream's fields; in which connection; when, in microseconds."""

    content: str | bytes | Mapping[str, str]
    connection: int
    received_at: int
    token: str = ""


class MessageRow(NamedTuple):
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
    shape: Shape | None = None
    lasting: str | None = None


def _refused(problem: str) -> _Layout:
    return _Layout((), "", "", (), None, problem)


_TOO_WIDE = _refused(f"more than {FEED_ROW_FIELDS_MAX} fields; a row must have fewer")


def read_messages(
    messages: Sequence[Message], meter: Meter, timezone: str | None
) -> list[MessageRow]:
    """Return the rows of messages, in their order; what is not understood is counted.

    `timezone` is the zone of times that carry none; without it they are rejected.
    """
    found = [(item, message) for message in messages for item in _items(message, meter)]
    notices = 0
    kept: list[tuple[Mapping[str, Any], _Layout, Message]] = []
    for item, message in found:
        layout = _layout_of(item)
        if layout is None:
            notices += 1
        elif layout.problem:
            meter.reject(item, layout.problem, message.token)
        else:
            kept.append((item, layout, message))
    meter.add(notices=notices)
    times = moments([item[layout.timestamp] for item, layout, _ in kept], timezone)
    rows = []
    for (item, layout, message), moment in zip(kept, times, strict=True):
        row = _row(item, layout, message, moment)
        if isinstance(row, MessageRow):
            rows.append(row)
        else:
            meter.reject(item, row, message.token)
    return rows


def _items(message: Message, meter: Meter) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a message, rejecting what is not an object."""
    try:
        items = items_of(message.content)
    except ValueError as error:
        meter.reject(message.content, str(error), message.token)
        return
    for item in items:
        if isinstance(item, dict):
            yield from laid_flat(item)
        else:
            why = "no JSON object; a row must be an object of fields"
            meter.reject(json.dumps(item), why, message.token)


def _layout_of(item: Mapping[str, Any]) -> _Layout | None:
    """Return where an object's fields are, or None for a notice."""
    if len(item) > FEED_ROW_FIELDS_MAX:
        return _TOO_WIDE
    keys = tuple(item)
    for shaped in _shaped(keys):
        shape = shaped.shape
        if shape is not None and shape.agrees(item):
            return _as_said(item, shape, shaped)
    layout = _layout(keys)
    if layout is not None:
        return _of_a_minute(item, layout)
    name = names_a_price(item)
    return None if name is None else _refused(f"{name}: a price, but {_UNKNOWN}")


def _as_said(item: Mapping[str, Any], shape: Shape, layout: _Layout) -> _Layout | None:
    """Return the layout of an object in a declared shape, or None while its candle forms."""
    if shape.lasting is not None:
        name, minute = shape.lasting
        if item.get(name, minute) != minute:
            return _refused(f"{name}={_shown(item[name])}; a candle must last a minute, {minute}")
    return None if shape.closed is not None and item[shape.closed] is False else layout


def _of_a_minute(item: Mapping[str, Any], layout: _Layout) -> _Layout:
    """Return the layout of an object in no declared shape, if its candle lasts a minute."""
    said = None if layout.lasting is None else item[layout.lasting]
    if said in (None, 1, "1") or lasting_of(said) == "1m":
        return layout
    return _refused(f"{layout.lasting}={_shown(said)}; a candle must last a minute, '1m'")


@lru_cache(maxsize=FEED_LAYOUTS)
def _shaped(keys: tuple[str, ...]) -> tuple[_Layout, ...]:
    """Return the layout of each declared shape that an object with these keys may have."""
    return tuple(_layout_in(shape, keys) for shape in message_shapes(keys))


def _layout_in(shape: Shape, keys: tuple[str, ...]) -> _Layout:
    if shape.form == "refused":
        return _refused(str(shape.why))._replace(shape=shape)

    def key_of(name: str, aliases: Sequence[str]) -> str | None:
        return shape.column(name, keys) or (
            None if name in shape.fields else find_name(aliases, keys)
        )

    if shape.form == "candle":
        fields, found = CANDLE, {name: key_of(name, ALIASES[name]) for name in CANDLE}
    else:
        found = {name: key_of(name, TICK_ALIASES[name]) for name in ("price", *_QUANTITIES)}
        fields = QUOTE if found["day_volume"] else TRADE
    names = {name: key_of(name, ALIASES[name]) for name in ("instrument", "timestamp")}
    sequence = None if "sequence" in shape.fields else find_sequence(keys)
    return _put_together(fields, names | found, sequence)._replace(shape=shape)


@lru_cache(maxsize=FEED_LAYOUTS)
def _layout(keys: tuple[str, ...]) -> _Layout | None:
    """Return where the fields of an object with these keys are, or None for a notice."""
    numbers = {name: find_column(name, keys) for name in CANDLE}
    has_prices = any(numbers[name] for name in PRICES)
    last = find_name(LAST_PRICES, keys)
    price = last or (None if has_prices else _find("price", keys))
    if price:
        total = _find("day_volume", keys) or (numbers["volume"] if has_prices else None)
        fields = QUOTE if total else TRADE
        key_of = {"price": price, "day_volume": total, "quantity": _find("quantity", keys)}
    elif has_prices:
        fields, key_of = CANDLE, numbers
    else:
        return None
    names = {"instrument": find_column("instrument", keys), "timestamp": _time_key(keys, fields)}
    layout = _put_together(fields, names | key_of, find_sequence(keys))
    if layout.problem:
        return layout
    lasting = find_lasting(keys) if fields is CANDLE else None
    return layout._replace(problem=_problem(keys, fields, key_of), lasting=lasting)


def _put_together(
    fields: tuple[str, ...], key_of: Mapping[str, str | None], sequence: str | None
) -> _Layout:
    needed = ("instrument", "timestamp", *fields)
    optional = (OPEN_INTEREST, "quantity")
    missing = [name for name in needed if key_of[name] is None and name not in optional]
    problem = f"without {', '.join(missing)}" if missing else None
    values = tuple(key_of[name] for name in fields)
    name, time = str(key_of["instrument"]), str(key_of["timestamp"])
    return _Layout(fields, name, time, values, sequence, problem)


def _problem(
    keys: tuple[str, ...], fields: tuple[str, ...], key_of: Mapping[str, str | None]
) -> str | None:
    """Return what leaves a doubt about an object that has all that a row needs."""
    if fields is TRADE and not key_of["quantity"] and find_column("volume", keys):
        return "a tick's volume must be named quantity or day_volume"
    of_a_day = find_name(OF_A_DAY, keys) if fields is CANDLE else None
    if of_a_day is not None:
        return f"{of_a_day}: a quote, whose open, high and low are the day's; name its last price"
    opens = find_name(OPENS, keys) if fields is CANDLE else None
    if opens is not None:
        return f"{find_column('timestamp', keys)}, {opens}: both fit the time of the open; one must"
    wanted: dict[str, Sequence[str]] = {name: ALIASES[name] for name in fields if name in ALIASES}
    wanted |= {name: TICK_ALIASES[name] for name in fields if name in TICK_ALIASES}
    rivals = {name: rival_columns(name, keys) for name in ("instrument", "timestamp")}
    rivals |= {name: rival_names(aliases, keys) for name, aliases in wanted.items()}
    doubtful = next((name for name, found in rivals.items() if found), None)
    if doubtful is None:
        return None
    return f"{', '.join(rivals[doubtful])}: all fit {doubtful}; one must"


def _time_key(keys: Sequence[str], fields: tuple[str, ...]) -> str | None:
    found = find_column("timestamp", keys)
    return found if found or fields is CANDLE else _find("timestamp", keys)


def _find(field: str, keys: Sequence[str]) -> str | None:
    return find_name(TICK_ALIASES[field], keys)


def _row(
    item: Mapping[str, Any], layout: _Layout, message: Message, moment: int | str
) -> MessageRow | str:
    """Return the row, or why there is none."""
    if isinstance(moment, str):
        return f"{layout.timestamp}={_shown(item[layout.timestamp])}; {moment}"
    try:
        name, divisor = _by_shape(item, layout)
    except ValueError as error:
        return str(error)
    if not _is_name(name):
        return (
            f"{layout.instrument}={_shown(name)}; an instrument must be text of at most "
            f"{NAME_CHARACTERS_MAX:,} characters, or a whole number"
        )
    values: list[float | None] = []
    for field, key in zip(layout.fields, layout.values, strict=True):
        # A tick that names no quantity, as an index's, trades nothing.
        raw = item[key] if key else (0.0 if field == "quantity" else None)
        try:
            values.append(_number(raw))
        except (ValueError, TypeError, OverflowError):
            return f"{key}={_shown(raw)}; must be a number"
    values = _divided(layout.fields, values, divisor)
    order = item[layout.sequence] if layout.sequence else None
    if order is not None and not _is_order(order):
        return f"{layout.sequence}={_shown(order)}; must be a whole number"
    order = None if order is None else int(order)
    return MessageRow(layout.fields, str(name), moment, tuple(values), order, message)


def _by_shape(item: Mapping[str, Any], layout: _Layout) -> tuple[Any, float]:
    """Return an object's instrument, and what its prices are divided by."""
    key = None if layout.shape is None else layout.shape.key
    divisor = None if layout.shape is None else layout.shape.divisor
    name = item[layout.instrument]
    # Where there is no name, no key is made of it.
    named = key(item) if key is not None and _is_name(name) else name
    return named, 1.0 if divisor is None else divisor(item)


def _divided(
    fields: tuple[str, ...], values: Sequence[float | None], divisor: float
) -> list[float | None]:
    """Return values of which the prices are divided: sent as whole numbers of a small unit."""
    if divisor == 1.0:
        return list(values)
    return [
        value / divisor if name in (*PRICES, "price") and value is not None else value
        for name, value in zip(fields, values, strict=True)
    ]


def _shown(value: Any) -> str:
    """Return a value as an error shows it: its beginning, where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _is_name(value: Any) -> bool:
    # Half of a surrogate pair is JSON, but no text.
    text = isinstance(value, str) and len(value) <= NAME_CHARACTERS_MAX
    text = text and value.encode("utf-8", "ignore").decode() == value != ""
    return text or (isinstance(value, int) and not isinstance(value, bool))


def _is_order(value: Any) -> bool:
    digits = str(value)
    return isinstance(value, str | int) and digits.isdecimal() and len(digits) <= DIGITS_MAX


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise TypeError
    return None if value is None else float(value)
