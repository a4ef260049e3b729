"""Rows of a store that several questions of one caller read alike: they are read once.

The questions are answered side by side, a batch of instruments each in turn, so that no more than a
batch's rows have to be kept; the next one's are read meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from tallow.core.limits import QUERY_ROWS
from tallow.runtime.blocks import Block
from tallow.runtime.stored import JoinedCandles

T = TypeVar("T")


def side_by_side(making: Sequence[Generator[None, None, T]]) -> list[T]:
    """Run generators in turns, from pause to pause; return what each of them returns."""
    found: dict[int, T] = {}
    left = dict(enumerate(making))
    while left:
        for number, each in list(left.items()):
            try:
                next(each)
            except StopIteration as done:
                found[number] = done.value
                del left[number]
    return [found[number] for number in range(len(making))]


class SharedReads:
    """What was read last for questions that are asked together; bounded in rows."""

    def __init__(self) -> None:
        self._blocks: dict[Hashable, Block] = {}
        self._changed: dict[Hashable, dict[str, int]] = {}
        self._coming: dict[Hashable, Future[Block]] = {}
        self._reader = ThreadPoolExecutor(1, "tallow-read")

    def of(self, candles: JoinedCandles, which: Hashable) -> Any:
        """Return candles of which rows are read once, as long as `which` they are is the same."""
        return _SharedCandles(candles, which, self)

    def block(self, key: Hashable, read: Callable[[], Block]) -> Block:
        """Return a block, read now or shortly before."""
        coming, found = self._coming.pop(key, None), self._blocks.pop(key, None)
        if found is None:
            found = read() if coming is None else coming.result()
        self._blocks[key] = found
        while len(self._blocks) > 1 and sum(map(len, self._blocks.values())) > QUERY_ROWS:
            # The oldest: what others ask for comes soon after it was first asked for.
            del self._blocks[next(iter(self._blocks))]
        return found

    def expect(self, key: Hashable, read: Callable[[], Block]) -> None:
        """Begin to read a block that will be asked for next."""
        if key not in self._blocks and key not in self._coming:
            self._coming[key] = self._reader.submit(read)

    def changed(self, key: Hashable, ask: Callable[[], dict[str, int]]) -> dict[str, int]:
        """Return what has changed, asked now or before."""
        if key not in self._changed:
            self._changed[key] = ask()
        return self._changed[key]


class _SharedCandles:
    """Candles of a store; see `SharedReads.of`."""

    def __init__(self, candles: JoinedCandles, which: Hashable, reads: SharedReads) -> None:
        self._candles, self._which, self._reads = candles, which, reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._candles, name)

    def block(self, names: Sequence[str], start: int | None, end: int | None) -> Block:
        """Return candles as a block."""
        key = (self._which, tuple(names), start, end)
        return self._reads.block(key, lambda: self._candles.block(names, start, end))

    def expect(self, names: Sequence[str], start: int | None, end: int | None) -> None:
        """Begin to read a block, while others are computed with."""
        key = (self._which, tuple(names), start, end)
        self._reads.expect(key, lambda: self._candles.block(names, start, end))

    def changed_between(self, names: Sequence[str], moment: int) -> dict[str, int]:
        """Return what has changed as the candles do."""
        key = (self._which, tuple(names), moment)
        return self._reads.changed(key, lambda: self._candles.changed_between(names, moment))
