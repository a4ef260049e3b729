"""Goal: what clients write is durable when it is answered, once for each key, and accounted for.

Method: the application over a real store in a folder, asked as clients ask it. Candles and counts
are written down by hand; the store is read beside the service.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import polars as pl
import pytest
import zstandard

from tallow.service.app import make_app
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.service.serving import serving

OPENS = 1_752_810_300_000_000
"""09:15 in Mumbai on 2025-07-18, in microseconds since 1970 UTC."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("writes") / "candles"
    settings = read_settings(store=str(folder), timeframes=["1m", "5m"], indicators="ema(2)")
    with Service(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with serving(make_app(service)) as client:
        yield client


def candle(name: str, minute: int, close: float = 2.0, **others: Any) -> dict[str, Any]:
    times = {"instrument": name, "timestamp": OPENS // 1_000 + 60_000 * minute}
    return times | {"open": 2.0, "high": 3.0, "low": 1.0, "close": close, "volume": 10} | others


def counts(receipt: dict[str, Any]) -> tuple[int, ...]:
    assert receipt["rows_in"] == sum(
        receipt[name] for name in ("new", "revised", "deleted", "identical", "quarantined")
    )
    names = ("new", "revised", "deleted", "identical", "quarantined")
    return tuple(receipt[name] for name in names)


def stored(service: Service, name: str) -> list[tuple[int, float]]:
    rows = service.store.read([name])
    return list(zip(rows["timestamp"].to_physical(), rows["close"], strict=True))


def test_a_receipt_says_what_became_of_each_row(client: httpx.Client, service: Service) -> None:
    first = client.post("/v1/candles", json=[candle("A", 0), candle("A", 1)])
    assert first.status_code == 200
    assert counts(first.json()) == (2, 0, 0, 0, 0)
    mixed = [candle("A", 0), candle("A", 1, 2.5), candle("A", 2, high=0.5), candle("A", 3)]
    second = client.post("/v1/candles", json=mixed).json()
    assert counts(second) == (1, 1, 0, 1, 1)
    assert second["entry"] == first.json()["entry"] + 1
    (bad,) = second["quarantine"]
    assert (bad["row"], bad["instrument"], bad["rule"]) == (3, "A", "high_below_low")
    assert bad["text"] == "high >= low; check the column order"
    minute = 60_000_000
    assert stored(service, "A") == [
        (OPENS, 2.0),
        (OPENS + minute, 2.5),
        (OPENS + 3 * minute, 2.0),
    ]
    assert service.live.latest("5m", ["A"])["close"].to_list() == [2.0]


def test_a_deletion_is_a_revision(client: httpx.Client, service: Service) -> None:
    client.post("/v1/candles", json=[candle("DEL", 0), candle("DEL", 1)])
    keys = [{name: candle("DEL", n)[name] for name in ("instrument", "timestamp")} for n in (0, 7)]
    gone = client.post("/v1/candles/delete", json=keys)
    assert counts(gone.json()) == (0, 0, 1, 1, 0)
    assert stored(service, "DEL") == [(OPENS + 60_000_000, 2.0)]
    assert service.live.latest("1m", ["DEL"])["timestamp"].to_physical().to_list() == [
        OPENS + 60_000_000
    ]


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    time = pl.from_epoch("timestamp", "ms").dt.replace_time_zone("UTC")
    return pl.DataFrame(rows).with_columns(time)


def arrow(rows: list[dict[str, Any]]) -> bytes:
    frame(rows).write_ipc_stream(stream := io.BytesIO())
    return stream.getvalue()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    frame(rows).write_parquet(file := io.BytesIO())
    return file.getvalue()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "application/json": lambda rows: json.dumps(rows).encode(),
    "application/x-ndjson": lines,
    "text/csv": lambda rows: pl.DataFrame(rows).write_csv().encode(),
    "application/vnd.apache.arrow.stream": arrow,
    "application/vnd.apache.parquet": parquet,
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("encoding", PACKINGS)
def test_the_same_rows_in_each_format(
    client: httpx.Client, service: Service, kind: str, encoding: str
) -> None:
    name = f"{kind} {encoding}"
    rows = [candle(name, 0, 1.5), candle(name, 1), candle(name, 2, high=0.5)]
    body = PACKINGS[encoding](FORMATS[kind](rows))
    headers = {"Content-Type": kind} | ({"Content-Encoding": encoding} if encoding else {})
    answer = client.post("/v1/candles", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert counts(answer.json()) == (2, 0, 0, 0, 1)
    assert answer.json()["quarantine"][0]["row"] == 3
    assert stored(service, name) == [(OPENS, 1.5), (OPENS + 60_000_000, 2.0)]


def test_a_key_stands_for_one_request(client: httpx.Client, service: Service) -> None:
    rows, key = [candle("KEY", 0), candle("KEY", 1, high=0.5)], {"Idempotency-Key": "one"}
    entries = len(service.store.ledger.entries())
    first = client.post("/v1/candles", json=rows, headers=key)
    again = client.post("/v1/candles", json=rows, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = client.post("/v1/candles", json=[candle("KEY", 2)], headers=key)
    assert other.status_code == 422
    assert "a key stands for one" in other.json()["detail"]
    # Another address with the same bytes is another request, too.
    keys = client.post("/v1/candles/delete", json=rows, headers=key)
    assert keys.status_code == 422
    assert len(service.store.ledger.entries()) == entries + 1
    assert stored(service, "KEY") == [(OPENS, 2.0)]
