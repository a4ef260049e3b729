"""Deadlines for what a library may wait for without end: a name's address, a peer's next byte.

A call that has no deadline of its own runs in a thread that is left behind when time is up. Whoever
waits on a socket there, or holds a lock meanwhile, is woken by shutting the connection down.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Self, TypeVar

T = TypeVar("T")

_NEVER = float("inf")


def start(act: Callable[[], T], late: Callable[[T], object] = lambda _result: None) -> Future[T]:
    """Run `act` in a daemon thread; where the caller has given up, `late` gets its result.

    Cancelling the future frees its waiter; `act` itself continues.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = act()
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            with suppress(InvalidStateError):
                future.set_exception(error)
            return
        try:
            future.set_result(result)
        except InvalidStateError:
            late(result)

    Thread(target=run, name="tallow-deadline", daemon=True).start()
    return future


def result_of(future: Future[T], seconds: float) -> T:
    """Wait for what `start` runs; after a timeout it is given up.

    `TimeoutError` if there is no result within `seconds`; `CancelledError` if another thread
    cancelled the future.
    """
    try:
        return future.result(seconds)
    except TimeoutError as error:
        if future.cancel():
            raise TimeoutError(f"no answer for {seconds:g} s") from error
        # It was the act's own, or the result came in the last moment.
        return future.result()
    except BaseException:
        future.cancel()
        raise


def within(
    seconds: float, act: Callable[[], T], late: Callable[[T], object] = lambda _result: None
) -> T:
    """Return what `act` returns, or raise `TimeoutError` after `seconds`; see `start`."""
    return result_of(start(act, late), seconds)


def shut(sock: Any) -> None:
    """End a connection, so that whoever reads from it or writes to it wakes with an error.

    Takes no lock of the library that the socket is of, and sends no farewell.
    """
    # Below TLS, whose own `shutdown` takes the socket out of the hands of the thread that uses it.
    end = socket.socket.shutdown if isinstance(sock, socket.socket) else type(sock).shutdown
    with suppress(OSError):
        end(sock, socket.SHUT_RDWR)


class Sockets:
    """The sockets of an exchange that are shut together when it is given up."""

    def __init__(self) -> None:
        self._held: list[Any] = []
        self._given_up = False
        self._lock = Lock()

    def hold(self, sock: Any) -> None:
        """Add a socket; it is shut at once if the exchange was given up before."""
        with self._lock:
            self._held.append(sock)
            given_up = self._given_up
        if given_up:
            shut(sock)

    def shut(self) -> None:
        """Give the exchange up."""
        with self._lock:
            self._given_up = True
            held = list(self._held)
        for sock in held:
            shut(sock)


class Watchdog:
    """Shuts a socket down where a wait on it takes longer than `seconds`, or up to twice as long.

    A thread of its own, since the one that waits may be held by a lock that a blocked write has.
    """

    def __init__(self, sock: Any, seconds: float) -> None:
        self._socket, self._seconds = sock, seconds
        self._due = _NEVER
        self._closed = Event()
        self.has_shut = False
        self._thread = Thread(target=self._run, name="tallow-watchdog", daemon=True)

    def wait(self) -> None:
        """Say that a wait begins."""
        self._due = monotonic() + self._seconds

    def rest(self) -> None:
        """Say that nothing is waited for."""
        self._due = _NEVER

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(min(self._due - monotonic(), self._seconds)):
            if monotonic() >= self._due:
                self.has_shut = True
                shut(self._socket)
                return
