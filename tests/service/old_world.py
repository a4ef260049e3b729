"""What the old API is asked about in tests: minutes and days of stocks, and shapes of answers."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.frames import simulate_candles
from tests.service.asking import Client

DEMO, OTHER = "NSE_EQ|INE000X01011", "NSE_EQ|INE000X01012"
UP, DOWN, CHEAP, YOUNG = (f"NSE_EQ|INE000D0101{each}" for each in range(4))
SYMBOLS = {DEMO: "DEMO", UP: "RISING"}
SESSIONS = 12
"""Of minutes, up to 2025-07-22: enough for the lowest width of ten sessions."""

STEPS = (3.0, 3.0, 0.0, 3.0, 3.0, 3.0, 0.0, 0.0, 3.0, 3.0)
"""How many percent the newest ten days of `UP` rise, and those of `DOWN` fall."""


def minutes() -> pl.DataFrame:
    """Return the sessions' minutes of two stocks, one of which has a symbol."""
    frame = simulate_candles(2, SESSIONS, calendar=load_calendar("XNSE"), start=date(2025, 7, 7))
    names = dict(zip(frame["instrument"].unique(maintain_order=True), (DEMO, OTHER), strict=True))
    return frame.with_columns(
        instrument=pl.col("instrument").replace_strict(names),
        symbol=pl.col("instrument").replace_strict({k: v[-4:] for k, v in names.items()}),
    ).with_columns(symbol=pl.col("instrument").replace_strict(SYMBOLS, default=pl.col("symbol")))


def days() -> pl.DataFrame:
    """Return 70 days of four stocks: still, then `STEPS`; one costs 10, one has ten days alone."""
    table = load_calendar("XNSE").sessions().day_date
    first = int(np.searchsorted(table, np.datetime64("2025-04-01")))
    times = [
        datetime.combine(each, datetime.min.time(), UTC) + timedelta(hours=3, minutes=45)
        for each in table[first : first + 70].astype(object)
    ]
    rows = []
    for name, sign, price in (
        (UP, 1, 100.0),
        (DOWN, -1, 100.0),
        (CHEAP, 1, 10.0),
        (YOUNG, 1, 100.0),
    ):
        close = price
        for number, time in enumerate(times):
            step = STEPS[number - 60] if number >= 60 else 0.0
            opened, close = close, close * (1.0 + sign * step / 100.0)
            prices = (opened, max(opened, close), min(opened, close), close)
            if name != YOUNG or number >= 65:
                rows.append((name, SYMBOLS.get(name, name[-4:]), time, *prices, 400_000.0))
    names = ["instrument", "symbol", "timestamp", "open", "high", "low", "close", "volume"]
    return pl.DataFrame(rows, names, orient="row")


@contextmanager
def old_service(folder: Path, *frames: pl.DataFrame, **settings: Any) -> Iterator[Service]:
    """Give a service with the old API, whose workers are this process, over some candles."""
    with tallow.open_store(folder, create=True) as store:
        for frame in frames:
            is_of_days = UP in frame["instrument"].to_list()
            store.write(frame, source_timeframe="1d" if is_of_days else "1m")
    said = {"hosts": ["testserver"], "timeframes": ["5m"], "indicators": "", **settings}
    service = Service(read_settings(store=str(folder), compat="setbull", **said))

    async def compute(function: Callable[..., Any], *arguments: Any) -> Any:
        # What a worker process is given, and gives, is pickled.
        given = pickle.loads(pickle.dumps(arguments))
        found = await service.read(lambda: function(service.engine, *given))
        return pickle.loads(pickle.dumps(found))

    with pytest.MonkeyPatch.context() as patch, service:
        patch.setattr(service, "compute", compute)
        yield service


# Shapes


@dataclass(frozen=True)
class MaybeAbsent:
    """A field that may be left out."""

    shape: Any


NUMBER = (int, float)


def assert_shape(value: Any, shape: Any, where: str = "$") -> None:
    """Fail where a value of JSON is not of a shape: a type, several, a constant, or nested ones."""
    if isinstance(shape, Mapping):
        assert isinstance(value, dict), where
        needed = {name for name, each in shape.items() if not isinstance(each, MaybeAbsent)}
        assert needed <= set(value) <= set(shape), (where, needed ^ set(value))
        for name, each in value.items():
            own = shape[name]
            inner = own.shape if isinstance(own, MaybeAbsent) else own
            assert_shape(each, inner, f"{where}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for number, each in enumerate(value):
            assert_shape(each, shape[0], f"{where}[{number}]")
    elif isinstance(shape, type | tuple):
        assert isinstance(value, shape), (where, value)
        assert isinstance(value, bool) == (shape is bool), (where, value)
    elif callable(shape):
        assert shape(value), (where, value)
    else:
        assert value == shape, (where, value)


def moment_text(value: Any) -> bool:
    """Say whether a value is a time with its zone."""
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


HEADS = {"instrument_key": str, "timestamp": moment_text, "volume": int, "open_interest": int}
PRICES = dict.fromkeys(("open", "high", "low", "close"), NUMBER)
SHARED = dict.fromkeys(
    ("ma_9", "bb_upper", "bb_middle", "bb_lower", "vwap", "ema_5", "ema_9", "ema_50", "atr", "rsi",
     "bb_width", "lowest_bb_width"),
    NUMBER,
)  # fmt: skip
DAY = {**HEADS, **PRICES, **SHARED, "id": int, "time_interval": "day", "created_at": moment_text}


# Answers


def double(answer: httpx.Response) -> Any:
    """Return what lies in the double envelope."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert_shape(answer.json(), {"success": True, "data": {"status": "success", "data": object}})
    return answer.json()["data"]["data"]


def refused(answer: httpx.Response, status: int, text: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["success", "error"]
    assert answer.json()["success"] is False
    assert answer.json()["error"].startswith(text)
    assert text.endswith(": ") or answer.json()["error"] == text


# The dashboard


NOW = datetime(2025, 7, 22, 10, 30, tzinfo=UTC)
"""Half an hour after the last session's close."""

GROUP = tallow.read_universe(pl.DataFrame({"instrument": [DEMO]}), "BB_RANGE")
EVENT = {
    "Symbol": str,
    "BBWidth": NUMBER,
    "LowestMinBBWidth": NUMBER,
    "PatternLength": int,
    "AlertType": str,
    "Timestamp": moment_text,
    "GroupID": "BBW_DASHBOARD",
    "Message": str,
}
E3 = {"success": True, "timestamp": moment_text}


def ask(client: Client, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    return client.ask(method, f"/api/v1/bbw{path}", **more)


def shaped(client: Client, path: str, shape: dict[str, Any], **more: Any) -> Any:
    """Return an answer of a shape, whose fields come in the order of their names."""
    answer = ask(client, path, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert_shape(answer.json(), shape)
    assert list(answer.json()) == sorted(answer.json())
    return answer.json()
