"""Reads over HTTP that were asked before, beside an empty route of the same server.

The server runs in this process, the client in a second one, with one connection.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import quote

import polars as pl
import uvicorn

import tallow
from benchmarks.measure import ROOT, Figure, Outcome
from benchmarks.settings import Settings
from tallow.service.app import make_app
from tallow.service.read_settings import read_settings
from tallow.service.service import Service

ROUNDS_PER_ROUND = 100
INSTRUMENTS, SESSIONS, BARS = 20, 20, 500
COLUMNS = ("", "median us", "p99 us", "bytes", "of the empty route")

EMPTY, ONE, MANY, ARROW = "empty", "JSON of one row", f"JSON of {BARS} bars", f"Arrow of {BARS}"
Asked = Mapping[str, tuple[str, dict[str, str]]]


def measure(settings: Settings) -> Outcome:
    """Measure cached ranges, in turns with an empty route."""
    path = settings.market.by_instrument(INSTRUMENTS, SESSIONS)
    name = str(pl.read_parquet(path)["instrument"][0])
    with _served(path, settings.market.folder / "served") as port:
        found = _ask(port, _asked(name), ROUNDS_PER_ROUND * settings.rounds)
    medians = {each: median(times) for each, (times, _) in found.items()}
    rows = [
        (each, 1e6 * medians[each], 1e6 * _p99(times), size, medians[each] / medians[EMPTY])
        for each, (times, size) in found.items()
    ]
    ranges = max(medians[each] for each in (ONE, MANY, ARROW))
    return Outcome(
        "service-reads",
        f"Cached ranges over HTTP, bars of 5m with the default set, {INSTRUMENTS} instruments",
        COLUMNS,
        rows,
        [
            Figure("cached range request / empty FastAPI route", ranges / medians[EMPTY], "x", 2.5),
            Figure(f"{ARROW} bars / {ONE}", medians[ARROW] / medians[ONE], "x", 2.0),
        ],
    )


def _asked(name: str) -> Asked:
    url = f"/v1/candles/{quote(name, safe='')}"
    arrow = {"Accept": "application/vnd.apache.arrow.stream"}
    return {
        EMPTY: ("/empty", {}),
        ONE: (f"{url}?limit=1", {}),
        MANY: (f"{url}?limit={BARS}", {}),
        ARROW: (f"{url}?limit={BARS}", arrow),
    }


@contextmanager
def _served(candles: Path, folder: Path) -> Iterator[int]:
    """Serve a file's candles, and an empty route; give the port."""
    with tallow.open_store(folder, create=True) as store:
        store.write(candles, source_timeframe="1m")
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = int(tried.getsockname()[1])
    settings = read_settings(store=str(folder), timeframes=["5m"], port=port)
    with Service(settings) as service:
        application = make_app(service)
        application.add_api_route("/empty", _empty)
        server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.05)
            yield port
        finally:
            server.should_exit = True
            thread.join()


async def _empty() -> dict[str, str]:
    return {}


def _ask(port: int, asked: Asked, rounds: int) -> dict[str, tuple[list[float], int]]:
    words = [sys.executable, "-m", "benchmarks.service_reads", str(port), str(rounds)]
    done = subprocess.run(
        [*words, json.dumps(asked)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name: (times, size) for name, (times, size) in json.loads(done.stdout).items()}


def _p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * len(times))]


def main() -> None:
    """Be the client: ask each in turns over one connection, and print seconds and bytes."""
    port, rounds, asked = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    found: dict[str, tuple[list[float], int]] = {name: ([], 0) for name in asked}
    for turn in range(rounds + 20):
        for name, (url, headers) in asked.items():
            began = time.perf_counter()
            connection.request("GET", url, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            seconds = time.perf_counter() - began
            assert answer.status == 200, body
            times = found[name][0]
            if turn >= 20:
                times.append(seconds)
            found[name] = (times, len(body))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
