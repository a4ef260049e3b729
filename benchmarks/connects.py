"""Clients of a stream that come and go: ``python -m benchmarks.connects --times 10000``.

Each connects to the program `tallow serve`, subscribes, reads its snapshot and breaks off, every
second one without a word. Memory and open files must be afterwards what they were after a tenth.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.soak import candles, program
from tallow.client import Client
from tallow.data.simulate import simulated_key

INSTRUMENTS = 20
GROWTH_BYTES = 16_000_000
SUBSCRIBE = '{"type": "subscribe", "id": "a"}'


def come_and_go(url: str, times: int) -> None:
    """Connect so many times, one after the other."""
    address = f"{url.replace('http', 'ws', 1)}/v1/stream"
    for number in range(times):
        with connect(address, subprotocols=[Subprotocol("tallow.v1")], compression=None) as client:
            client.send(SUBSCRIBE)
            while '"snapshot"' not in str(client.recv(10.0)):
                pass
            if number % 2:
                client.socket.shutdown(socket.SHUT_RDWR)


def look(url: str) -> tuple[float, float, float]:
    """Return the service's memory in bytes, its open files, and its clients."""
    with Client(url) as client:
        text = client._http.get("/metrics").text
    found = {each.name: each for each in text_string_to_metric_families(text)}
    names = ("tallow_memory_bytes", "tallow_open_files", "tallow_clients")
    memory, files, clients = (found[name].samples[0].value for name in names)
    return memory, files, clients


def settled(url: str) -> tuple[float, float, float]:
    """Look once all clients have left."""
    until = time.monotonic() + 30.0
    while (seen := look(url))[2] and time.monotonic() < until:
        time.sleep(0.2)
    return seen


def main(arguments: list[str] | None = None) -> int:
    """Connect and break off, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10_000)
    times = parser.parse_args(arguments).times
    # Of those that break off, the library says that as an error of its own.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    names = [simulated_key(number) for number in range(INSTRUMENTS)]
    with TemporaryDirectory() as folder, program(Path(folder)) as url:
        with Client(url, timeout=300.0) as client:
            client.write(candles(0, names, 0))
        come_and_go(url, times // 10)
        memory, files, _ = settled(url)
        come_and_go(url, times - times // 10)
        later, more, left = settled(url)
    print(f"{times:,} connects: memory {memory / 1e6:,.0f} MB, then {later / 1e6:,.0f} MB")
    print(f"open files {files:g}, then {more:g}; clients that are left: {left:g}")
    return int(later > memory + GROWTH_BYTES or more > files + 2 or left > 0)


if __name__ == "__main__":
    sys.exit(main())
