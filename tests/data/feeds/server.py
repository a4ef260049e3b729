"""A WebSocket server that plays a script: what it sends, and how it misbehaves."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable
from enum import Enum
from threading import Event, Thread
from types import TracebackType

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve


class Trick(Enum):
    """What a server may do beside sending."""

    CUT = "end the connection without a word"
    LEAVE = "end the connection with a farewell"
    STALL = "keep the connection, and send nothing until the client leaves"
    HEAR = "wait for a message of the client's"


class ScriptedServer:
    """Plays one script, going on where it was with whichever connection comes next.

    Attributes
    ----------
    heard
        The messages of clients.
    headers
        The headers of each connection's request.
    finished
        Set when the script is over; connections are then kept until the client leaves.
    """

    def __init__(self, script: Iterable[str | bytes | Trick]) -> None:
        self._script = deque(script)
        self.heard: list[str | bytes] = []
        self.headers: list[dict[str, str]] = []
        self.finished = Event()
        # No pings: what is tested is the client's own watch.
        self._server: Server = serve(self._play, "localhost", 0, ping_interval=None)
        self.url = f"ws://localhost:{self._server.socket.getsockname()[1]}"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def __enter__(self) -> ScriptedServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()

    def _play(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.headers.append(dict(connection.request.headers.raw_items()))
        try:
            while self._script:
                step = self._script.popleft()
                if not isinstance(step, Trick):
                    connection.send(step)
                elif step is Trick.HEAR:
                    self.heard.append(connection.recv())
                elif step is Trick.STALL:
                    connection.recv()
                else:
                    if step is Trick.CUT:
                        connection.socket.shutdown(socket.SHUT_RDWR)
                    return
            self.finished.set()
            connection.recv()
        except ConnectionClosed:
            pass
