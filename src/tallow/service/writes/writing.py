"""Writes: a bounded number at once, each key done once, several of them in one commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from tallow.core.errors import StoreError
from tallow.core.time import now_us
from tallow.data.store.store import Store
from tallow.data.store.write import ReceiptMaker, WriteReport, keeping
from tallow.service.errors import BusyError, KeyInUseError, KeyReusedError
from tallow.service.limits import WRITE_BYTES_MAX, WRITE_THREADS, WRITES_MAX

T = TypeVar("T")

Work = tuple[Callable[[WriteReport], str], Callable[[], object]]
"""What makes the text of a write's receipt, and what does the write."""


class WriteAnswer(NamedTuple):
    """The text of a receipt, and whether it was kept from before."""

    text: str
    is_kept: bool


class NamedRequest(NamedTuple):
    """A request by its key: the receipt's name, and the digest of all that it asks."""

    name: str
    digest: str


def named_request(caller: str, key: str, *asked: bytes) -> NamedRequest:
    """Return the request of a caller by its key. Keys of other callers are other keys."""
    digest = hashlib.sha256()
    for part in asked:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    name = hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()
    return NamedRequest(name, digest.hexdigest())


class Writes:
    """The writes of a service; all but `close` is for its loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Whoever waits here for a commit shares the next one with all others who do.
        self._threads = ThreadPoolExecutor(WRITE_THREADS, thread_name_prefix="write")
        self._count = self._bytes = 0
        self._in_use: set[str] = set()

    @contextmanager
    def taken_in(self) -> Iterator[Callable[[int], None]]:
        """Give a context for one write; what it gives is told of the bytes that the write holds.

        Raises
        ------
        BusyError
            If too many writes, or bytes, are there already.
        """
        if self._count >= WRITES_MAX:
            raise BusyError(f"write: {self._count} writes wait or run; send it again in a second")
        held = 0

        def took(size: int) -> None:
            nonlocal held
            held += size
            self._bytes += size
            if self._bytes > WRITE_BYTES_MAX:
                raise BusyError(
                    f"write: bodies of {self._bytes:,} bytes wait; send it again in a second"
                )

        self._count += 1
        try:
            yield took
        finally:
            self._count -= 1
            self._bytes -= held

    async def do(
        self,
        request: NamedRequest | None,
        work: Callable[[], Work],
    ) -> WriteAnswer:
        """Do a write in a thread, and return its receipt when it is durable.

        Parameters
        ----------
        request
            None where it has no key: then it is done as often as it is sent.
        work
            Returns what makes the receipt's text, and what does the one write to the store.

        Raises
        ------
        KeyInUseError
            If a request of the key is being done.
        KeyReusedError
            If a request of the key was done that asked for something else.
        StoreError
            If it cannot be written.
        """
        loop = asyncio.get_running_loop()
        if request is None:
            return await loop.run_in_executor(self._threads, lambda: self._do(None, work))
        if request.name in self._in_use:
            raise KeyInUseError(
                "Idempotency-Key: a request of this key is being done; send it again in a second"
            )
        self._in_use.add(request.name)
        done = loop.run_in_executor(self._threads, lambda: self._once(request, work))
        # Not where its client has gone: its key is in use until the thread has done it.
        done.add_done_callback(lambda _done: self._in_use.discard(request.name))
        return await asyncio.shield(done)

    async def run(self, work: Callable[[], T]) -> T:
        """Do in a thread what changes nothing where it is done again, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _once(self, request: NamedRequest, work: Callable[[], Work]) -> WriteAnswer:
        kept = self._kept(request)
        if kept is not None:
            return kept
        try:
            return self._do(request, work)
        except StoreError:
            # Another process did it meanwhile; or it is durable, though not all came of it.
            kept = self._kept(request)
            if kept is None:
                raise
            return kept

    def _do(self, request: NamedRequest | None, work: Callable[[], Work]) -> WriteAnswer:
        answer, act = work()
        made: list[str] = []

        def note(report: WriteReport) -> str:
            made[:] = [answer(report)]
            return made[0]

        name, digest = request or (None, "")
        with keeping(ReceiptMaker(name, digest, note)):
            act()
        return WriteAnswer(made[0], is_kept=False)

    def _kept(self, request: NamedRequest) -> WriteAnswer | None:
        found = self._store.backend.receipts().find(request.name, now_us())
        if found is None:
            return None
        if found.digest != request.digest:
            raise KeyReusedError(
                "Idempotency-Key: was sent with another request; a key stands for one; take a new "
                "one"
            )
        return WriteAnswer(found.answer, is_kept=True)

    def close(self) -> None:
        """Wait for the writes that run."""
        self._threads.shutdown()
