"""Clients of a service in a process of their own: ``python -m benchmarks.stream_readers``.

Each line of its input is a command in JSON, and each of its output the answer. A client of the
stream reads frames as they come; rows are looked into where their times are asked for. Others ask
over HTTP, so many times a second.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import sys
import time
from typing import Any

import numpy as np
import orjson
import uvloop


class Reader(asyncio.Protocol):
    """A client that counts messages, and notes how long rows of one minute took."""

    def __init__(self, path: str, asked: dict[str, Any] | None, tally: Tally) -> None:
        self._path, self._asked, self._tally = path, asked, tally
        self._data, self._upgraded = b"", False
        self.transport: Any = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        host, port = transport.get_extra_info("peername")[:2]
        head = f"GET {self._path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        head += f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        transport.write(f"{head}Sec-WebSocket-Protocol: tallow.v1\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._data += data
        if not self._upgraded:
            head, found, self._data = self._data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self._tally.refused = head.decode("latin-1")
                return
            self._upgraded = True
            if self._asked is not None:
                self._say(orjson.dumps(self._asked))
        at = 0
        while (frame := _frame(self._data, at)) is not None:
            code, begin, at = frame
            if code == 1:
                self._tally.take(self._data[begin:at], now)
            elif code == 9:
                self._say(self._data[begin:at], 0x8A)
        self._data = self._data[at:]

    def _say(self, data: bytes, code: int = 0x81) -> None:
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
        self.transport.write(bytes([code]) + size + bytes(4) + data)


def _frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return a frame's code, and where what it says begins and ends; None where it is not whole."""
    if len(data) < at + 2:
        return None
    size, begin = data[at + 1], at + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, begin = int.from_bytes(data[begin : begin + width]), begin + width
    if begin > len(data) or len(data) < begin + size:
        return None
    return data[at] & 15, begin, begin + size


class Asker:
    """Asks one question after the other over a connection, a second's at even distances."""

    def __init__(self, port: int, urls: list[str], times: float) -> None:
        self._port, self._urls, self._times = port, urls, times
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self.task: asyncio.Task[None] | None = None

    def answer(self) -> dict[str, Any]:
        late = np.array(self.seconds or [0.0]) * 1e3
        found = {"times": len(self.seconds), "failures": self.failures[:1]}
        return found | {"p50": float(np.median(late)), "p99": float(np.quantile(late, 0.99))}

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        began = time.monotonic()
        try:
            for number in itertools.count():
                due = began + number / self._times
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                url = self._urls[number % len(self._urls)]
                writer.write(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                body = await reader.readexactly(size)
                if b" 200 " not in head.partition(b"\r\n")[0]:
                    self.failures.append(body.decode())
                # Of one that had to wait for the one before it, from when it was due.
                self.seconds.append(time.monotonic() - due)
        finally:
            writer.close()


class Tally:
    """What all clients have read."""

    def __init__(self) -> None:
        self.clear(None, 0.0)
        self.subscribed, self.refused = 0, ""

    def clear(self, began: float | None, step: float, group: int = 1) -> None:
        self.messages, self.bytes, self.rows, self.last = 0, 0, 0, 0.0
        self.resyncs = 0
        self._began, self._step, self._group = began, step, group
        self.seconds: list[float] = []

    def take(self, data: bytes, now: float) -> None:
        if not data.startswith(b'{"type":"rows"') and not data.startswith(b"bare"):
            self.subscribed += data.startswith(b'{"type":"subscribed"')
            self.resyncs += data.startswith(b'{"type":"resync"')
            return
        self.messages, self.bytes, self.last = self.messages + 1, self.bytes + len(data), now
        if self._began is None:
            self.rows += data.count(b"],[") + 1
            return
        for row in orjson.loads(data)["rows"]:
            self.rows += 1
            # The volume of a candle says which one it is, and so when it was due; its row comes
            # again when the bar turns final.
            if row[0] == "1m" and row[9] and not row[10]:
                which = int(row[7]) - 1
                due = self._began + self._step * (which - which % self._group)
                self.seconds.append(now - due)

    def answer(self) -> dict[str, Any]:
        found = {"messages": self.messages, "bytes": self.bytes, "rows": self.rows}
        found |= {"last": self.last, "resyncs": self.resyncs, "subscribed": self.subscribed}
        found["refused"] = self.refused
        if self.seconds:
            late = np.array(self.seconds) * 1e3
            found |= {"p50": float(np.quantile(late, 0.5)), "p99": float(np.quantile(late, 0.99))}
            found |= {"worst": float(late.max()), "seen": len(late)}
        return found


async def _read_slowly(reader: Reader) -> None:
    """Read for a hundredth of each second."""
    while not reader.transport.is_closing():
        reader.transport.resume_reading()
        await asyncio.sleep(0.01)
        if not reader.transport.is_closing():
            reader.transport.pause_reading()
        await asyncio.sleep(0.99)


async def _obey(
    command: dict[str, Any],
    tally: Tally,
    readers: list[Reader],
    hinderers: list[Reader],
    askers: dict[str, Asker],
) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    match command["do"]:
        case "connect":
            for asked in command["asked"]:
                reader = Reader(command["path"], asked, tally)
                await loop.create_connection(lambda r=reader: r, "127.0.0.1", command["port"])
                readers.append(reader)
        case "hinder":
            # What such a client reads late is not what the others are told.
            reader = Reader(command["path"], command["asked"], Tally())
            await loop.create_connection(lambda: reader, "127.0.0.1", command["port"])
            await asyncio.sleep(0.3)
            reader.transport.pause_reading()
            if command["how"] == "slow":
                reader.task = loop.create_task(_read_slowly(reader))
            hinderers.append(reader)
        case "free":
            for reader in hinderers:
                reader.transport.abort()
            hinderers.clear()
        case "ask":
            asker = Asker(command["port"], command["urls"], command["times"])
            asker.task = loop.create_task(asker.run())
            askers[command["name"]] = asker
        case "clear":
            tally.clear(command.get("began"), command.get("step", 0.0), command.get("group", 1))
            for asker in askers.values():
                asker.seconds.clear()
        case "close":
            for reader in readers:
                reader.transport.abort()
            readers.clear()
    return tally.answer() | {"asked": {name: each.answer() for name, each in askers.items()}}


async def _main() -> None:
    tally, askers = Tally(), dict[str, Asker]()
    readers, hinderers = list[Reader](), list[Reader]()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        answer = await _obey(orjson.loads(line), tally, readers, hinderers, askers)
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_main())
