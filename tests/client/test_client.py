"""Goal: a client's frames are the engine's, whole over all pages, and its errors say what is wrong.

Method: a service and its server in this process; its engine is asked the same. What is written
goes in by the client, and comes back by the stream. Threads and coroutines ask alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.client import AsyncClient, Client, ServiceError, UnreachableError
from tallow.core.calendars import load_calendar
from tallow.service.keys.key_file import KeyFile
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.frames import assert_same_frame, simulate_candles
from tests.service.inside import serving

ASKED: dict[str, Any] = {"timeframe": "5m", "indicators": "ema(9), rsi(14)"}


@pytest.fixture(scope="module")
def candles() -> pl.DataFrame:
    return simulate_candles(3, 2, calendar=load_calendar("XNSE"), start=date(2025, 6, 2))


@pytest.fixture(scope="module")
def running(
    candles: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    folder = tmp_path_factory.mktemp("client") / "candles"
    with tallow.open_store(folder, create=True) as store:
        store.write(candles, source_timeframe="1m")
    settings = read_settings(store=str(folder), timeframes=["5m"], indicators="ema(9), cdl_doji")
    with serving(settings) as (service, address):
        yield service, f"http://{address}"


def names(candles: pl.DataFrame) -> list[str]:
    return candles["instrument"].unique(maintain_order=True).to_list()


def test_bars_are_those_of_the_engine_over_all_pages(
    running: tuple[Service, str], candles: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, url = running
    one, *_ = some = names(candles)
    # Pages so short that there are several.
    monkeypatch.setattr("tallow.service.http.questions.PAGE_ROWS", 40)
    with Client(url) as client:
        got = client.candles(some, **ASKED), client.candles(one, **ASKED)
    wanted = service.engine.query(some, **ASKED).frame
    assert len(wanted) > 400
    assert_same_frame(got[0], wanted)
    assert_same_frame(got[1], wanted.filter(pl.col("instrument") == one))


def test_coroutines_get_the_same(running: tuple[Service, str], candles: pl.DataFrame) -> None:
    async def ask(url: str) -> pl.DataFrame:
        async with AsyncClient(url) as client:
            return await client.candles(names(candles), **ASKED)

    service, url = running
    wanted = service.engine.query(names(candles), **ASKED).frame
    assert_same_frame(asyncio.run(ask(url)), wanted)


def test_an_unknown_instrument_is_an_error_in_the_words_of_the_service(
    running: tuple[Service, str],
) -> None:
    with Client(running[1]) as client, pytest.raises(ServiceError, match="NOBODY") as caught:
        client.candles("NOBODY", **ASKED)
    assert caught.value.status == 404


def test_a_service_that_is_not_there_is_an_error_that_says_where() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9: .*refused"),
    ):
        client.ask("/v1/timeframes")


def test_a_candle_of_the_engine_comes_by_the_stream(
    running: tuple[Service, str], candles: pl.DataFrame
) -> None:
    service, url = running
    one = names(candles)[0]
    newest = candles.filter(pl.col("instrument") == one).tail(1)
    revised = newest.with_columns(volume=pl.col("volume") + 1)
    with Client(url) as client, client.stream(one, "5m") as stream:
        updates = iter(stream)
        assert next(updates).kind == "snapshot"
        service.live.update(revised)
        while next(updates).kind != "rows":
            pass
        (bar,) = stream.frame().tail(1).to_dicts()
        frame = stream.frame()
    asked = service.engine.query(one, "5m", indicators="ema(9), cdl_doji").frame
    assert frame.schema["cdl_doji"] == asked.schema["cdl_doji"] == pl.Int8
    stored = asked.tail(1).to_dicts()[0]
    shared = ("timestamp", "open", "high", "low", "close", "volume", "ema_9", "cdl_doji")
    assert {name: bar[name] for name in shared} == {name: stored[name] for name in shared}


def test_what_is_written_is_durable_once_and_by_whom_may_write(
    candles: pl.DataFrame, tmp_path: Path
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    (_, reads), (_, writes) = (keys.create(role, role, None) for role in ("read", "write"))
    settings = read_settings(
        store=str(tmp_path / "candles"), keys=tmp_path / "keys.json", timeframes=["5m"]
    )
    first = candles.head(7)
    with serving(settings) as (_, address):
        url = f"http://{address}"
        with Client(url) as nobody, pytest.raises(ServiceError) as refused:
            nobody.latest()
        assert refused.value.status == 401
        with Client(url, reads) as reader, Client(url, writes) as writer:
            with pytest.raises(ServiceError) as refused:
                reader.write(first)
            assert refused.value.status == 403
            receipts = [writer.write(first, key="once"), writer.write(first, key="once")]
            assert receipts[0] == receipts[1]
            assert (receipts[0]["rows_in"], receipts[0]["new"]) == (7, 7)
            # A key in a header, and for the stream a ticket.
            with reader.stream() as stream:
                assert next(iter(stream)).frame["candles"].to_list() == [2]
            assert writer.delete(first.tail(1))["deleted"] == 1
            assert reader.latest()["candles"].to_list() == [1]
