"""Goal: whatever comes as a write is told what is wrong with it, in bounds, and changes nothing.

Method: the application behind a real server; bodies that are damaged, huge, or grow when they are
unpacked; clients that are slow, or many.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard

from tallow.core.private import own_folder
from tallow.service.app import make_app
from tallow.service.errors import BodyTooLargeError
from tallow.service.limits import BODY_BYTES_MAX
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tallow.service.writes.bodies import unpack
from tests.service.serving import serving

JSON = "application/json"
ROW = {"instrument": "A", "timestamp": 1_752_810_300_000, "open": 2, "high": 3, "low": 1}
ROW |= {"close": 2, "volume": 1}
ZEROS = 200 * 1_048_576


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    store = tmp_path_factory.mktemp("hostile") / "candles"
    with Service(read_settings(store=str(store), timeframes=["1m"], indicators="ema(2)")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with serving(make_app(service)) as client:
        yield client


def text(**others: Any) -> bytes:
    return json.dumps([ROW | others]).encode()


BAD: list[tuple[int, str, bytes | str, str]] = [
    (415, "", text(), "Content-Type"),
    (415, "application/xml", text(), "must be one of"),
    (415, "application/json; charset=utf-16", text(), "UTF-8"),
    (422, JSON, b"", "no JSON"),
    (422, JSON, b"[", "no JSON"),
    (422, JSON, b'{"data": []}', "has no row"),
    (422, JSON, b"[" * 100_000, "no JSON"),
    (422, JSON, b"[]", "no row"),
    (422, JSON, b"[1]", "row 1"),
    (422, JSON, b'[{"a": 1}]', "missing"),
    (422, JSON, b'[{"open": 1, "open": 2}]', "twice"),
    (422, JSON, text(timestamp="2025-07-18T09:15:00"), "zone"),
    (422, JSON, b"\xff\xfe", "no JSON"),
    (422, "application/x-ndjson", b"\n{\n", "no JSON"),
    (422, "text/csv", b"", "body"),
    (422, "text/csv", b"a,b\n1,2\n", "missing"),
    (422, "application/vnd.apache.parquet", b"PAR1garbagePAR1", "body"),
    (422, "application/vnd.apache.arrow.stream", b"\xff\xff\xff\xff\xff\xff\xff\x7f", "body"),
    (413, JSON, json.dumps([ROW] * 65_536).encode(), "65,535"),
    (413, "text/csv", b"x" * (BODY_BYTES_MAX + 1), "bytes"),
]


@pytest.mark.parametrize(("status", "kind", "body", "said"), BAD)
def test_a_bad_body_is_refused(
    client: httpx.Client, service: Service, status: int, kind: str, body: bytes, said: str
) -> None:
    entries = len(service.store.ledger.entries())
    answer = client.post("/v1/candles", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert str(own_folder()) not in answer.text
    assert len(answer.text) < 5_000
    assert len(service.store.ledger.entries()) == entries


def test_cells_of_any_kind_are_quarantined(client: httpx.Client) -> None:
    cells: list[Any] = [None, True, [], {}, "1,5", "\ud800", 10**400, "x" * 5_000]
    for cell in cells:
        answer = client.post(
            "/v1/candles", content=text(close=cell), headers={"Content-Type": JSON}
        )
        assert answer.status_code == 200, (str(cell)[:20], answer.text)
        assert answer.json()["quarantined"] == 1
    far = client.post(
        "/v1/candles", content=text(timestamp="2999-01-01T00:00Z"), headers={"Content-Type": JSON}
    )
    assert (far.status_code, far.json()["quarantined"]) == (200, 1)


def test_a_zone_that_is_none_is_refused_where_no_time_needs_it(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/candles", content=text(), headers={"Content-Type": JSON}, params={"timezone": "Mars/X"}
    )
    assert (answer.status_code, "IANA time zone" in answer.text) == (422, True)


@pytest.mark.parametrize("key", ["", "a b", "\xe9", "k" * 256])
def test_a_bad_key_is_refused(client: httpx.Client, key: str) -> None:
    headers = {"Content-Type": JSON, "Idempotency-Key": key.encode("latin-1")}
    answer = client.post("/v1/candles", content=text(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(bytes(ZEROS), 1)),
        ("gzip", gzip.compress(bytes(BODY_BYTES_MAX // 2), 1) * 3),
        ("zstd", zstandard.compress(bytes(ZEROS))),
    ],
)
def test_a_bomb_is_unpacked_so_far_and_no_further(encoding: str, body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError, match="when it is unpacked"):
            unpack(body, encoding)
        assert tracemalloc.get_traced_memory()[1] < 4 * BODY_BYTES_MAX
    finally:
        tracemalloc.stop()


PACKED = {"gzip": gzip.compress(text()), "zstd": zstandard.compress(text()), "br": text()}


@pytest.mark.parametrize(("encoding", "whole"), PACKED.items())
def test_a_damaged_packing_is_refused(client: httpx.Client, encoding: str, whole: bytes) -> None:
    for body in (whole[:-6], b"", b"\x00" * 50):
        headers = {"Content-Type": JSON, "Content-Encoding": encoding}
        answer = client.post("/v1/candles", content=body, headers=headers)
        assert answer.status_code in (415, 422), answer.text


def test_a_key_in_use_and_a_full_service(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, update = threading.Event(), threading.Event(), service.live.update

    def slowly(candles: Any) -> Any:
        began.set()
        assert go_on.wait(30)
        return update(candles)

    monkeypatch.setattr(service.live, "update", slowly)
    headers = {"Content-Type": JSON, "Idempotency-Key": "in-use"}

    def send() -> httpx.Response:
        return client.post("/v1/candles", content=text(), headers=headers)

    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(send)
        assert began.wait(30)
        in_use = send()
        monkeypatch.setattr("tallow.service.writes.writing.WRITES_MAX", 1)
        full = client.post("/v1/candles", content=text(), headers={"Content-Type": JSON})
        go_on.set()
        assert first.result().status_code == 200
    assert (in_use.status_code, in_use.headers["retry-after"]) == (409, "1")
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    monkeypatch.undo()
    assert send().content == first.result().content


def test_a_body_that_does_not_come(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tallow.service.writes.bodies.BODY_SECONDS", 0.1)
    url = client.base_url
    with socket.create_connection((url.host, url.port or 0), timeout=30) as slow:
        slow.sendall(
            b"POST /v1/candles HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n["
        )
        assert b" 408 " in slow.recv(1_000).partition(b"\r\n")[0]
