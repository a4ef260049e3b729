"""Goal: a service starts on an empty folder, answers, and stops, whatever its clients do.

Method: the real program, on a free port; and a socket that sends half a body, and waits.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest

from tallow.service.limits import BODY_SECONDS
from tallow.service.read_settings import read_settings
from tests.service.inside import serving
from tests.service.program import served

HALF = (
    b"POST /v1/candles HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\n"
    b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
)


def test_it_starts_on_an_empty_folder_and_answers(tmp_path: Path) -> None:
    with (
        served("--store", str(tmp_path / "candles")) as url,
        urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer,
    ):
        assert json.load(answer) == {"status": "ok"}
    assert (tmp_path / "candles").is_dir()


def test_it_ends_though_a_body_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.serve.service.STOP_SECONDS", 1)
    settings = read_settings(store=str(tmp_path / "candles"))
    with serving(settings) as (_, address):
        host, port = address.split(":")
        client = socket.create_connection((host, int(port)), timeout=BODY_SECONDS)
        client.sendall(HALF)
        # The service waits for the body now.
        assert client.recv(100).startswith(b"HTTP/1.1 100")
    # It was cut off: a service that goes on would say 408 when the body's time is over.
    assert client.recv(100).startswith(b"HTTP/1.1 500")
    client.close()
