"""Servers that misbehave, in plain sockets: each connection is handled by the next behaviour."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType

Behaviour = Callable[[socket.socket, Event], None]
"""Handles one connection until it is over, or the event says that the test is."""

DRIP_SECONDS = 0.02


class HostileServer:
    """Gives each connection to the next behaviour, and those that follow to the last."""

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        self._behaviours = behaviours
        self._over = Event()
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._acceptor = Thread(target=self._accept)
        self._acceptor.start()

    def __enter__(self) -> HostileServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                place = min(len(self._threads), len(self._behaviours) - 1)
                thread = Thread(target=self._serve, args=(connection, self._behaviours[place]))
                thread.start()
                self._threads.append(thread)

    def _serve(self, connection: socket.socket, behave: Behaviour) -> None:
        connection.settimeout(0.05)
        with connection, suppress(OSError):
            behave(connection, self._over)


# Whatever the protocol


def keep_silent(_connection: socket.socket, over: Event) -> None:
    """Keep the connection, and say nothing."""
    over.wait()


def reset(connection: socket.socket, _over: Event) -> None:
    """End the connection as a machine that fails does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(content: bytes) -> Behaviour:
    """Hear a request, answer it with the same bytes whatever it was, and say no more."""

    def behave(connection: socket.socket, over: Event) -> None:
        connection.recv(65_536)
        with suppress(TimeoutError):
            connection.sendall(content)
        over.wait()

    return behave


def answer_and_leave(content: bytes) -> Behaviour:
    """Hear a request, answer it, and end the connection."""

    def behave(connection: socket.socket, _over: Event) -> None:
        connection.recv(65_536)
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        # What came and is not heard would make the end a reset.
        with suppress(OSError):
            while connection.recv(65_536):
                pass

    return behave


def drip(head: bytes, drop: bytes) -> Behaviour:
    """Answer with a head, and then a drop at a time for ever: no single read waits for long."""

    def behave(connection: socket.socket, over: Event) -> None:
        connection.recv(65_536)
        connection.sendall(head)
        while not over.wait(DRIP_SECONDS):
            connection.sendall(drop)

    return behave


def flood(head: bytes, more: bytes) -> Behaviour:
    """Answer with a head, and then with more and more, as fast as it is taken."""

    def behave(connection: socket.socket, over: Event) -> None:
        connection.recv(65_536)
        connection.sendall(head)
        while not over.is_set():
            with suppress(TimeoutError):
                connection.send(more)

    return behave


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>no</html>"
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x28"


# WebSocket


def frame(
    content: bytes, opcode: int = 1, first_bits: int = 0x80, size: int | None = None
) -> bytes:
    """Return a server's frame; `size` is what it claims to hold."""
    return struct.pack("!BBQ", first_bits | opcode, 127, size or len(content)) + content


def upgrade(connection: socket.socket, extensions: str = "") -> None:
    """Take a WebSocket client's handshake."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65_536)
    (key,) = re.findall(rb"(?i)Sec-WebSocket-Key: (\S+)", request)
    mark = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + extensions.encode()
        + b"Sec-WebSocket-Accept: "
        + base64.b64encode(mark)
        + b"\r\n\r\n"
    )


def after_upgrade(content: bytes, extensions: str = "") -> Behaviour:
    """Take the handshake, send the same bytes, and then only wait."""

    def behave(connection: socket.socket, over: Event) -> None:
        upgrade(connection, extensions)
        with suppress(TimeoutError):
            connection.sendall(content)
        over.wait()

    return behave


def ping_for_ever(before: bytes = b"") -> Behaviour:
    """Take the handshake, then send pings and read nothing: the pongs fill both buffers."""

    def behave(connection: socket.socket, over: Event) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        upgrade(connection)
        connection.sendall(before)
        ping = b"\x89\x7d" + b"x" * 125
        while not over.is_set():
            with suppress(TimeoutError):
                connection.send(ping * 500)

    return behave


def say_candle(text: str) -> Behaviour:
    """Behave well: send one message, and keep the connection."""
    return after_upgrade(frame(text.encode()))


def packed_without_end() -> bytes:
    """Return a compressed message of a few kilobytes that unpacks to more than a feed takes."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = b"".join(packer.compress(b" " * 2**20) for _ in range(32))
    packed += packer.flush(zlib.Z_SYNC_FLUSH)
    return frame(packed[:-4], first_bits=0xC0)


# Redis


def answer_reads(content: bytes) -> Behaviour:
    """Greet as Redis does, and answer every read of a stream with the same bytes."""

    def behave(connection: socket.socket, over: Event) -> None:
        while not over.is_set():
            try:
                heard = connection.recv(65_536)
            except TimeoutError:
                continue
            if not heard:
                return
            connection.settimeout(None if b"XREADGROUP" in heard else 0.05)
            greetings = len(re.findall(rb"(?i)\$6\r\nCLIENT", heard))
            connection.sendall(content if b"XREADGROUP" in heard else b"+OK\r\n" * greetings)
            connection.settimeout(0.05)

    return behave


def forward_to(path: str, held: Event | None = None) -> Behaviour:
    """Hand everything on to the server behind a Unix socket, and its answers back; but not `held`.

    A connection that was held once stays so: what is on its way is never handed on.
    """

    def behave(connection: socket.socket, over: Event) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(path)
            server.settimeout(0.001)
            while not over.is_set():
                if held is not None and held.is_set():
                    over.wait()
                    return
                for source, target in ((connection, server), (server, connection)):
                    with suppress(TimeoutError):
                        content = source.recv(65_536)
                        if not content:
                            return
                        target.sendall(content)

    return behave
