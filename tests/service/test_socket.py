"""Goal: a client of another library is told what changes over a real socket, as the page says.

Method: a server in this process, and the client of `websockets`; rows are compared with what the
live engine answers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.frames import candles, minutes
from tests.service.inside import serving

Running = tuple[Service, str]
START, LATER = "2025-06-02T09:15+05:30", "2025-06-02T12:00+05:30"

SECONDS_TO_HEAR = 20.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "screens.toml").write_text('[climbers]\ncondition = "close > open"\n')
    rule = '[rise]\ncondition = "close > open"\ntimeframe = "1m"\n'
    (folder / "rules.toml").write_text(rule)
    store = str(folder / "candles")
    files = {"screens": folder / "screens.toml", "rules": folder / "rules.toml"}
    sizes = ["1m", "5m"]
    asked = read_settings(store=store, timeframes=sizes, indicators="ema(2), sma(3)", **files)
    with serving(asked) as found:
        yield found


def joined(address: str, **options: Any) -> ClientConnection:
    options = {"subprotocols": ["tallow.v1"], "compression": None} | options
    return connect(f"ws://{address}/v1/stream", **options)


def say(client: ClientConnection, **fields: Any) -> None:
    client.send(orjson.dumps(fields).decode())


def hear(client: ClientConnection, *kinds: str) -> dict[str, Any]:
    """Return the next message of some kinds; heartbeats come all the time."""
    until = time.monotonic() + SECONDS_TO_HEAR
    while True:
        found = orjson.loads(client.recv(timeout=until - time.monotonic()))
        if found["type"] in kinds or not kinds:
            return found


def as_rows(frame: pl.DataFrame, timeframe: str) -> list[list[Any]]:
    whole = frame.with_columns(
        pl.col("timestamp").cast(pl.Int64), open_interest=pl.lit(None, pl.Float64)
    )
    names = ["instrument", "timestamp", "open", "high", "low", "close", "volume", "open_interest"]
    names += ["candles", "is_final", "revision", "ema_2"]
    return [[timeframe, *row] for row in whole.select(names).rows()]


def test_a_client_is_told_the_last_bars_then_what_changes(running: Running) -> None:
    service, address = running
    service.live.update(candles("A", minutes(START, 3)))
    service.live.advance(LATER)
    with joined(address) as client:
        assert hear(client)["type"] == "welcome"
        say(client, type="subscribe", id="a", instruments=["A", "B"], indicators=["ema_2"])
        assert hear(client)["type"] == "subscribed"
        shown = hear(client, "snapshot")["rows"] + hear(client, "snapshot")["rows"]
        expected = [
            row for tf in ("1m", "5m") for row in as_rows(service.live.latest(tf, ["A"]), tf)
        ]
        assert sorted(shown) == sorted(expected)
        service.live.update(candles("B", minutes(START, 2)))
        service.live.advance(LATER)
        held: dict[Any, list[Any]] = {}
        while len(held) < 3 or not all(row[10] for row in held.values()):
            told = hear(client, "rows")
            assert told["from_seq"] <= told["seq"]
            held |= {(row[0], row[2]): row for row in told["rows"]}
        last = [(tf, service.live.latest(tf, ["B"])) for tf in ("1m", "5m")]
        for row in [row for tf, frame in last for row in as_rows(frame, tf)]:
            assert held[row[0], row[2]] == row


def test_who_enters_a_screen_is_told_and_what_fires_a_rule(running: Running) -> None:
    service, address = running
    # As many minutes as others have: members are those of the market's last bar.
    rising = candles("C", minutes(START, 3)).with_columns(close=pl.col("high"), open=pl.col("low"))
    service.live.update(rising.with_columns(open=pl.col("high"), close=pl.col("low")).head(2))
    with joined(address) as client:
        hear(client, "welcome")
        say(client, type="subscribe", id="s", screen="climbers", timeframe="1m")
        assert "C" not in hear(client, "snapshot")["members"]
        say(client, type="subscribe", id="x", alerts=["rise"], instruments=["C"])
        hear(client, "subscribed")
        service.live.update(rising.tail(1).with_columns(high=pl.col("close") + 1.0, low=0.5))
        service.live.advance(LATER)
        found = [hear(client, "members", "alerts"), hear(client, "members", "alerts")]
        by_kind = {each["type"]: each for each in found}
        assert "C" in by_kind["members"]["entered"]
        assert [each["rule"] for each in by_kind["alerts"]["alerts"]] == ["rise"]


def test_what_cannot_be_told_is_an_error_that_says_how(running: Running) -> None:
    with joined(running[1]) as client:
        hear(client, "welcome")
        say(client, type="subscribe", id="a", timeframes=["7m"])
        assert "those that are live: 1m, 5m" in hear(client, "error")["detail"]
        say(client, type="subscribe", id="a", indicators="ema(3)")
        assert "does not compute ema_3" in hear(client, "error")["detail"]
        say(client, type="unsubscribe", id="a")
        assert "id=a: is not subscribed" in hear(client, "error")["detail"]
        client.send(b"{}")
        with pytest.raises(ConnectionClosed) as closed:
            hear(client, "nothing")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003


def test_who_may_not_connect_is_told_why(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        joined(running[1], subprotocols=None)
    assert refused.value.response.status_code == 400
    with pytest.raises(InvalidStatus) as refused:
        joined(running[1], origin="http://elsewhere")
    assert refused.value.response.status_code == 403
    assert b"http://elsewhere" in refused.value.response.body
