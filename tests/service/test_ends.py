"""Goal: a client that does not read is let go of and told why; one that does is told all until the
service ends; what the service had computed is there when it begins again.

Method: a server in this process, and sockets whose buffers are small.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import tallow
from tallow.service.measured_engine import MeasuredEngine
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tallow.service.settings import ServiceSettings
from tests.frames import candles, minutes
from tests.service.inside import serving, wait_until

START = "2025-06-02T09:15+05:30"
SECONDS = 30.0


def settings_of(folder: Path, **more: Any) -> ServiceSettings:
    asked = {"store": str(folder / "candles"), "timeframes": ["1m"], "indicators": "ema(2)"}
    return read_settings(**asked | more)


def joined(address: str, **options: Any) -> ClientConnection:
    options = {"subprotocols": ["tallow.v1"], "compression": None} | options
    return connect(f"ws://{address}/v1/stream", **options)


def subscribe(client: ClientConnection, **asked: Any) -> None:
    client.send(orjson.dumps({"type": "subscribe", "id": "a"} | asked).decode())


def told(client: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """Return all messages that a client still reads, and the code by which it was closed."""
    found: list[dict[str, Any]] = []
    try:
        while True:
            found.append(orjson.loads(client.recv(timeout=SECONDS)))
    except ConnectionClosed as closed:
        return found, None if closed.rcvd is None else closed.rcvd.code


def test_a_client_that_does_not_read_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallow.service.stream.client.STREAM_DRAIN_SECONDS", 0.1)
    monkeypatch.setattr("tallow.service.stream.hub.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("tallow.service.stream.server.SECONDS_TO_READ", SECONDS)
    with serving(settings_of(tmp_path)) as (service, address), socket.socket() as small:
        # Their names alone are more than all buffers hold.
        names = [f"{number:0900d}" for number in range(600)]
        service.live.update(pl.concat([candles(each, minutes(START, 1)) for each in names]))
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        host, port = address.split(":")
        small.connect((host, int(port)))
        with joined(address, sock=small, max_queue=1) as client:
            subscribe(client)
            wait_until(lambda: service.measures.counts("drops", ["slow"]) == {"slow": 1})
            messages, code = told(client)
            assert code == 4408
            assert messages[0]["type"] == "welcome"
        assert not service.hub.clients


def test_what_came_until_the_end_is_told_and_then_that_it_ends(tmp_path: Path) -> None:
    with ExitStack() as running, ExitStack() as clients:
        service, address = running.enter_context(serving(settings_of(tmp_path)))
        client = clients.enter_context(joined(address))
        subscribe(client, indicators=[])
        while orjson.loads(client.recv(timeout=SECONDS))["type"] != "subscribed":
            pass
        service.live.update(candles("A", minutes(START, 2)))
        running.close()
        messages, code = told(client)
    assert code == 1001
    rows = [row for each in messages if each["type"] == "rows" for row in each["rows"]]
    assert {row[1] for row in rows} == {"A"}
    assert len({row[2] for row in rows}) == 2


def test_members_of_a_universe_are_told_of(tmp_path: Path) -> None:
    with serving(settings_of(tmp_path)) as (service, address):
        members = pl.DataFrame({"instrument": ["A", "B"]})
        service.store.universes.record(tallow.read_universe(members, "mine"))
        service.live.update(pl.concat([candles(each, minutes(START, 1)) for each in "ABC"]))
        with joined(address) as client:
            subscribe(client, universe="mine")
            found: list[dict[str, Any]] = []
            while not found or found[-1]["type"] != "snapshot" or found[-1].get("more"):
                found.append(orjson.loads(client.recv(timeout=SECONDS)))
            shown = [row[1:3] for each in found for row in each.get("rows", ())]
            assert sorted(instrument for instrument, _ in shown) == ["A", "B"]
            service.live.update(pl.concat([candles(each, minutes(START, 2)) for each in "BC"]))
            fresh = list[str]()
            # The first candles may be told once more, after the snapshot.
            for _ in range(20):  # Heartbeats are messages, too.
                told_rows = orjson.loads(client.recv(timeout=SECONDS)).get("rows", ())
                fresh = [row[1] for row in told_rows if row[1:3] not in shown]
                if fresh:
                    break
            assert fresh == ["B"]


def test_it_goes_on_from_the_state_that_it_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, state=tmp_path / "state")
    whole = candles("A", minutes(START, 9))
    with Service(settings) as service:
        service.live.update(whole.head(5))
    assert settings.state is not None
    assert settings.state.exists()
    monkeypatch.setattr(MeasuredEngine, "catch_up", None)
    with Service(settings) as service:
        service.live.update(whole.tail(4))
        found = service.live.latest("1m")["ema_2"].to_list()
        expected = service.engine.query("A", "1m", indicators="ema(2)").frame["ema_2"].to_list()
    assert found == expected[-1:]
