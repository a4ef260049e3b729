"""Goal: whoever makes or opens a store at the same moment gets the same one, whole.

Method: threads, and processes, wait for each other, open the same place for the first time at once,
and write a candle each. All must succeed; the store has one mark, and every candle in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tallow.data.store.store import open_store
from tests.data.store.campaign import say
from tests.data.store.model import at, candle_frame, flat, read

ROOT = Path(__file__).parents[3]
MAKERS, STORES = 4, 6


@pytest.mark.parametrize("machines", [1, MAKERS])
def test_threads_that_make_a_store_at_once_get_the_same_one(place, machines):
    barrier = Barrier(MAKERS)

    def make(number: int) -> None:
        barrier.wait()
        store = place.open(f"machine {number % machines}" if not place.local else "")
        store.write(candle_frame({(f"I{number}", at(0)): flat(number)}), source_timeframe="1m")
        store.flush()

    with ThreadPoolExecutor(MAKERS) as pool:
        list(pool.map(make, range(MAKERS)))
    store = place.open("another")
    assert read(store) == [(f"I{n}", at(0), *flat(n)) for n in range(MAKERS)]
    assert read(place.opened[0]) == read(store)


def test_processes_that_make_a_store_at_once_get_the_same_one(tmp_path):
    command = [sys.executable, "-m", "tests.data.store.test_creation", str(tmp_path)]
    makers = [
        subprocess.Popen([*command, str(number)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for number in range(MAKERS)
    ]
    said = [json.loads(maker.communicate(timeout=120)[0]) for maker in makers]
    assert said == [said[0]] * MAKERS
    assert len(set(said[0])) == STORES
    for number in range(STORES):
        with open_store(tmp_path / f"store {number}") as store:
            assert read(store) == [(f"I{n}", at(0), *flat(n)) for n in range(MAKERS)]


def make_stores(folder: Path, maker: int) -> list[str]:
    """Make stores one after the other, each when all makers are there; return their marks."""
    marks = []
    for number in range(STORES):
        (folder / f"{number} {maker}").touch()
        while len(list(folder.glob(f"{number} *"))) < MAKERS:
            pass
        with open_store(folder / f"store {number}", create=True) as store:
            marks.append(store.epoch)
            store.write(candle_frame({(f"I{maker}", at(0)): flat(maker)}), source_timeframe="1m")
    return marks


if __name__ == "__main__":
    say(json.dumps(make_stores(Path(sys.argv[1]), int(sys.argv[2]))))
