"""Goal: no database, and nothing that stands before one, holds a store.

Method: servers in plain sockets that misbehave when a store is opened; and a real server behind one
that stops handing anything on, in the midst of a session. Deadlines are small here.
"""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from tallow.core.errors import LostConnectionError, StoreError
from tallow.data.store import server
from tallow.data.store.store import open_store
from tests.data.feeds.hostile import (
    PAGE,
    TLS_ALERT,
    Behaviour,
    HostileServer,
    answer,
    answer_and_leave,
    drip,
    forward_to,
    keep_silent,
    reset,
)
from tests.data.store.cluster import PASSWORD, USER, Cluster
from tests.data.store.model import at, candle_frame, flat, read

A0, A1 = ("A", at(0)), ("A", at(1))


@pytest.fixture(autouse=True)
def small_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STORE_CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(server, "STORE_ANSWER_SECONDS", 0.2)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        pytest.param(keep_silent, "no answer for 0.9 s", id="silent"),
        pytest.param(reset, "reset by peer|closed the connection", id="reset"),
        pytest.param(answer(PAGE), "received invalid response", id="a page"),
        pytest.param(answer_and_leave(TLS_ALERT), "", id="TLS"),
        pytest.param(drip(b"N", b"E"), "", id="drops"),
        pytest.param(answer(b"NE\x7f\xff\xff\xff"), "", id="a huge error"),
        pytest.param(answer(b"NR\x7f\xff\xff\xff\x00\x00\x00\x00"), "", id="a huge greeting"),
    ],
)
def test_a_store_is_not_opened_for_ever(behave: Behaviour, reason: str, tmp_path: Path) -> None:
    with HostileServer([behave]) as hostile:
        url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{hostile.port}/candles"
        with pytest.raises(StoreError) as caught:
            open_store(url, create=True, state=tmp_path)
    said = str(caught.value)
    assert any(part in said for part in reason.split("|")), said
    assert PASSWORD not in said


def test_a_server_that_falls_silent_is_left_and_asked_anew(
    cluster: Cluster, tmp_path: Path
) -> None:
    name = cluster.database().split("/")[3].partition("?")[0]
    held = Event()
    with HostileServer([forward_to(f"{cluster.folder}/.s.PGSQL.5432", held)]) as between:
        url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{between.port}/{name}"
        with open_store(url, create=True, state=tmp_path) as store:
            store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")
            held.set()
            with pytest.raises(LostConnectionError, match=r"no answer for .*must answer"):
                store.write(candle_frame({A1: flat(1)}), source_timeframe="1m")
            with pytest.raises(LostConnectionError, match="no answer for"):
                store.read()
            held.clear()
            store.write(candle_frame({A1: flat(1)}), source_timeframe="1m")
            assert [row[:2] for row in read(store)] == [A0, A1]
