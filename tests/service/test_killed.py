"""Goal: what a client of the stream was told is in the store, also where the service is killed; a
service that starts again over the store goes on from there.

Method: the real program, a replay at a minute each 5 ms, and SIGKILL while it goes on.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

from tallow import AnalyticsEngine, open_store
from tests.frames import market
from tests.service.program import running

ENOUGH = 100
"""Rows that are told before the kill."""

COLUMNS = ["timeframe", "instrument", "timestamp", "open", "high", "low", "close", "volume"]
COLUMNS += ["open_interest", "candles", "is_final", "revision", "ema_2"]
SHOWN = ["instrument", "timestamp", "open", "high", "low", "close", "volume", "ema_2"]


@contextmanager
def started(store: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    options = ["--store", str(store), "-t", "1m", "-i", "ema(2)", *more]
    with running(*options) as (program, url):
        yield program, f"{url.replace('http', 'ws', 1)}/v1/stream"


@contextmanager
def subscribed(url: str) -> Iterator[ClientConnection]:
    with connect(url, subprotocols=[Subprotocol("tallow.v1")], compression=None) as client:
        client.send('{"type": "subscribe", "id": "a"}')
        yield client


def told(client: ClientConnection, *kinds: str) -> list[dict[str, Any]]:
    """Return the rows of the next message of some kinds."""
    while (message := orjson.loads(client.recv(timeout=30)))["type"] not in kinds:
        pass
    return [dict(zip(COLUMNS, row, strict=True)) for row in message["rows"]]


def test_what_was_told_survives_a_kill(tmp_path: Path) -> None:
    file, store = tmp_path / "candles.parquet", tmp_path / "store"
    market(["A", "B"], rows=400).write_parquet(file)
    (tmp_path / "config.toml").write_text("speed = 12000.0\n")
    config = ("--config", str(tmp_path / "config.toml"))
    held: dict[tuple[str, int], dict[str, Any]] = {}
    serving = started(store, "--feed", f"replay:{file}", *config)
    with serving as (program, url), subscribed(url) as client:
        while len(held) < ENOUGH:
            for row in told(client, "rows", "snapshot"):
                held[row["instrument"], row["timestamp"]] = row
        program.send_signal(signal.SIGKILL)
        program.wait()
    with open_store(str(store)) as kept:
        engine = AnalyticsEngine(store=kept)
        frames = [engine.query(name, "1m", indicators="ema(2)").frame for name in ("A", "B")]
    found = pl.concat(frames).with_columns(pl.col("timestamp").cast(pl.Int64))
    rows = {(row["instrument"], row["timestamp"]): row for row in found.to_dicts()}
    for key, row in held.items():
        assert {name: row[name] for name in SHOWN} == {name: rows[key][name] for name in SHOWN}
    with started(store) as (program, url), subscribed(url) as client:
        last = {row["instrument"]: row["timestamp"] for row in told(client, "snapshot")}
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0
    assert last == {name: max(time for key, time in rows if key == name) for name in ("A", "B")}
