"""Controls and candidates of the tests: a worker imports them from here."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallow.migrate.evidence import Judgement

ANSWER = {"ema": [1.0, 2.0, None], "rsi": 55.5}
KEPT: list[Any] = []
NEWEST = datetime(2025, 7, 18, 9, 59, tzinfo=UTC)


class OldError(Exception):
    """An exception that cannot be copied: its constructor takes more than it keeps."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Unloadable:
    """Can be pickled, and never loaded again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


@dataclass(frozen=True)
class Bar:
    key: str
    close: float


def same(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
    return ANSWER


def total(values: list[float]) -> float:
    return sum(values)


def total_kept_in_order(values: list[float]) -> float:
    values.sort()
    return sum(values)


def wrong(values: list[float]) -> float:
    return sum(values) + 1.0


def refuses(values: list[float]) -> float:
    raise OldError(7, f"no total of {len(values)}")


def refuses_otherwise(values: list[float]) -> float:
    raise LookupError


def leaves(_values: list[float]) -> float:
    os._exit(3)


def crashes(_values: list[float]) -> float:
    ctypes.string_at(0)
    return 0.0


def hangs(_values: list[float]) -> float:
    while True:
        time.sleep(3_600.0)


def spins(_values: list[float]) -> float:
    while True:
        pass


def exits(_values: list[float]) -> float:
    sys.exit("enough")


def hangs_on_negative(values: list[float]) -> float:
    return hangs(values) if values[0] < 0.0 else sum(values)


def eats_memory(_values: list[float]) -> float:
    held = []
    while True:
        held.append(b"x" * 8_000_000)


def keeps_memory(values: list[float]) -> float:
    """Answer well, and give 400 MB, touched at one go, back to nobody."""
    KEPT.append(b"x" * 400_000_000)
    return sum(values)


def grabs_memory(_values: list[float]) -> float:
    return float(len(bytearray(1 << 40)))


def waits_for_file(path: str) -> str:
    """Return the text of a file once it is there: the test decides when this ends."""
    while not Path(path).exists():
        time.sleep(0.01)
    return Path(path).read_text()


def kind(value: object) -> str:
    return type(value).__name__


def total_or_text(value: Any) -> Any:
    return value if isinstance(value, str) else sum(value)


def waits_or_refuses(value: Any) -> Any:
    return waits_for_file(value) if isinstance(value, str) else refuses(value)


def path_itself(path: str) -> str:
    return path


def unpicklable(_values: list[float]) -> Any:
    return (number for number in range(0))


def flipped(_control: Any, _candidate: Any, *_args: Any, **_kwargs: Any) -> Judgement:
    return Judgement(compared=3, equal=1, explained=1, unexplained=0, flips=1, causes={"SEED": 1})


def broken_judge(_control: Any, _candidate: Any, *_args: Any, **_kwargs: Any) -> Judgement:
    raise LookupError


def newest(_answer: Any) -> datetime:
    return NEWEST


def process_of(_values: list[float]) -> tuple[int, int, int]:
    """Return where this runs, and with which priority."""
    return os.getpid(), os.nice(0), os.sched_getscheduler(0)


ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def refuses_one_in_three(values: list[float]) -> float:
    if values[0] % 3.0 == 0.0:
        raise LookupError
    return sum(values)


def first(values: list[float]) -> str:
    return str(values[0])


def name_of(name: str, _value: float) -> str:
    return name


def total_for(_name: str, value: float) -> float:
    return value


def wrong_for(_name: str, value: float) -> float:
    return value + 1.0


async def later(_values: list[float]) -> float:
    return 0.0
