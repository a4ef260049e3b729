"""Goal: a copy of a store's folder that was taken while it was written to opens without a hole, or
says what to do; and what is written to it then is there.

Method: a process writes one row after the other, flushes and compacts. Meanwhile its folder is
copied as tools do it: names first, then each file by itself, in any order, a piece at a time.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tallow.core.errors import StoreError
from tallow.data.store.store import open_store
from tests.data.store.campaign import seed_of
from tests.frames import flat_candle

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from tallow.data.store.store import open_store
from tests.data.store.campaign import lower_limits
from tests.data.store.test_copies import write
import tallow.data.store.delta_backend
lower_limits()
with open_store(sys.argv[1]) as store:
    number = int(sys.argv[2])
    while True:
        write(store, number)
        sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
        number += 1
        if number % 9 == 0:
            store.flush()
        if number % 40 == 0:
            store.compact(keep_hours=number % 80 / 10)
"""


def write(store, number: int) -> None:
    store.write(
        flat_candle(f"I{number:06d}", "2025-07-18T09:15+05:30", 10.0, 1.0), source_timeframe="1m"
    )


def copy(source: Path, target: Path, draw: random.Random) -> None:
    """Copy files in any order, with a pause now and then; what is gone by then is gone."""
    files = [path for path in source.rglob("*") if path.is_file()]
    draw.shuffle(files)
    for path in files:
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("rb") as read, there.open("wb") as written:
                while piece := read.read(16_384):
                    written.write(piece)
                    if draw.random() < 0.1:
                        time.sleep(0.002)
        except FileNotFoundError:
            there.unlink(missing_ok=True)


def numbers_of(folder: Path) -> list[int]:
    with open_store(folder) as store:
        return [int(name[1:]) for name in store.log()["instrument"]]


def take_copies(folder: Path, seed: int, copies: int) -> list[str]:
    """Return what each copy said: nothing, or what to do."""
    draw = random.Random(seed)
    open_store(folder / "store", create=True).close()
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder / "store"), "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said = []
    try:
        for number in range(copies):
            steps = draw.randrange(1, 12)
            acknowledged = [int(child.stdout.readline()) for _ in range(steps)][-1]
            target = folder / f"copy {number}"
            copy(folder / "store", target, draw)
            said.append(look(target, acknowledged))
    finally:
        child.kill()
        child.communicate()
    return said


def look(target: Path, acknowledged: int) -> str:
    numbers, refused = [], ""
    try:
        numbers = numbers_of(target)
    except StoreError as error:
        refused = str(error)
    if refused:
        assert "backup" in refused
        return refused
    # A copy has all that was there when it began, and what came after without a hole.
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > acknowledged
    for number in range(len(numbers), len(numbers) + 12):
        with open_store(target) as store:
            write(store, number)
    assert numbers_of(target) == list(range(len(numbers) + 12))
    return ""


def test_copies_taken_while_a_store_is_written(tmp_path):
    take_copies(tmp_path, seed=1, copies=6)


@pytest.mark.nightly
def test_many_copies_taken_while_a_store_is_written(tmp_path, request):
    said = take_copies(tmp_path, seed_of(request), copies=150)
    assert any(said)
    assert not all(said)
