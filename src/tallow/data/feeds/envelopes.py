"""Messages laid flat: what a provider nests becomes objects of fields, each of one instrument.

An instrument that stands beside `data` belongs to what is in it. What cannot be laid flat stays as
it is, and whoever reads it says why it is not a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallow.data.reading.schema import find_column, plain_name

_DEPTH = 6
"""As deep as prices are looked for."""
_PRICE_NAMES = frozenset(
    "open high low close last price bid ask ap atp bp cp lp ltp".split()  # noqa: SIM905
)
_LETTERS = frozenset("ohlc")
_OPENALGO = "market_data"


def inside(outer: Mapping[str, Any]) -> list[Any] | None:
    """Return what a message carries in its `data`, each with the instrument beside it, or None."""
    data = outer.get("data")
    if not isinstance(data, list | dict):
        return None
    name = find_column("instrument", [key for key in outer if key != "data"])
    if isinstance(data, dict) and outer.get("type") == _OPENALGO and _has_exchange(outer):
        return [_openalgo_tick(outer, data)]
    carried = data if isinstance(data, list) else [data]
    if name is None or not isinstance(outer[name], str | int):
        return carried
    return [
        item
        if not isinstance(item, dict) or find_column("instrument", list(item))
        else {name: outer[name], **item}
        for item in carried
    ]


def laid_flat(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects that an object nests: Upstox' feeds, Binance's kline, Databento's head."""
    feeds, kline, head = item.get("feeds"), item.get("k"), item.get("hd")
    if isinstance(feeds, dict) and feeds and all(isinstance(each, dict) for each in feeds.values()):
        return [_upstox_feed(key, feed) for key, feed in feeds.items()]
    if isinstance(kline, dict) and item.get("e") == "kline":
        return [{**kline, "e": "kline", "s": item.get("s", kline.get("s"))}]
    if isinstance(head, dict):
        return [{**head, **{key: value for key, value in item.items() if key != "hd"}}]
    return [item]


def names_a_price(item: Any, depth: int = _DEPTH) -> str | None:
    """Return the name under which an object, or one in it, has a price; None where none has."""
    if isinstance(item, list) and depth:
        return next(filter(None, (names_a_price(each, depth - 1) for each in item)), None)
    if not isinstance(item, dict) or not depth:
        return None
    numbers = [str(key) for key, value in item.items() if _is_number(value)]
    found = next((key for key in numbers if _is_price(plain_name(key))), None)
    if found is None and len(_LETTERS & set(map(plain_name, numbers))) >= len(_LETTERS) - 1:
        found = "o, h, l, c"
    nested = (names_a_price(value, depth - 1) for value in item.values())
    return found or next(filter(None, nested), None)


def _has_exchange(outer: Mapping[str, Any]) -> bool:
    return all(isinstance(outer.get(name), str) for name in ("symbol", "exchange"))


def _openalgo_tick(outer: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what OpenAlgo carries, under its own symbol and exchange.

    In the data each broker repeats its own spelling of them; what a broker does not send is null.
    """
    held = {name: value for name, value in data.items() if value is not None}
    return held | {name: outer[name] for name in ("type", "symbol", "exchange")}


def _upstox_feed(key: str, feed: dict[str, Any]) -> dict[str, Any]:
    """Return one instrument's last trade, and the day's volume where the mode sends it."""
    full = feed.get("fullFeed", feed.get("ff"))
    inner = feed.get("firstLevelWithGreeks")
    if isinstance(full, dict):
        inner = full.get("marketFF", full.get("indexFF"))
    held = inner if isinstance(inner, dict) else feed
    last = held.get("ltpc")
    if not isinstance(last, dict) or "ltp" not in last:
        return {"instrument_key": key, "feed": feed}
    names = ("ltp", "ltt", "ltq")
    row = {"instrument_key": key} | {name: last[name] for name in names if name in last}
    return row | ({"vtt": held["vtt"]} if "vtt" in held else {})


def _is_price(name: str) -> bool:
    # Levels of a book are numbered: bid_price1.
    name = name.rstrip("0123456789")
    return name in _PRICE_NAMES or name.endswith("price")


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        digits = value.lstrip("-").replace(".", "", 1)
        return digits.isdecimal()
    return isinstance(value, int | float) and not isinstance(value, bool)
