"""Goal: whatever a loss of power leaves of a store, it opens, and holds what was acknowledged.

Method: a process makes a store, writes, flushes, compacts and closes it, under `strace`. From the
calls that it made, images are built of the folder after any of them, by four models of what a file
system keeps of that which nobody waited for.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tallow.data.store.store import open_store
from tests.data.store.campaign import seed_of
from tests.data.store.journal import MODELS, Journal, record_work
from tests.data.store.test_copies import numbers_of, write

WORK = """
import sys
import tallow.data.store.delta_backend
from tallow.data.store import commits
from tallow.data.store.store import open_store
from tests.data.store.test_copies import write
commits.STORE_CHECKPOINT_VERSIONS = 3
number = 0
for _ in range(2):
    with open_store(sys.argv[1], create=True) as store:
        for _ in range(4):
            for _ in range(3):
                write(store, number)
                sys.stdout.write(f"{number}\\n"); sys.stdout.flush()
                number += 1
            store.flush()
        store.compact(keep_hours=0)
"""


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> Journal:
    return record_work(WORK, tmp_path_factory.mktemp("power"))


def check(journal: Journal, until: int, model: str, folder: Path, draw: random.Random) -> None:
    said = [step.data for step in journal.steps[:until] if step.kind == "say"]
    folder.mkdir()
    journal.leave(until, model, folder, draw)
    place = folder / "store"
    with open_store(place, create=not said) as store:
        entries = len(store.ledger.entries())
    numbers = numbers_of(place)
    # The write that was under way may be there, and nothing else.
    assert numbers == list(range(len(numbers))), (until, model)
    assert len(said) <= len(numbers) <= len(said) + 1, (until, model)
    assert entries == len(numbers), (until, model)
    with open_store(place) as store:
        write(store, len(numbers))
        store.flush()
        assert store.damaged() == []
    assert numbers_of(place) == list(range(len(numbers) + 1))


@pytest.mark.parametrize("model", MODELS)
def test_a_store_outlives_a_loss_of_power(journal, model, tmp_path):
    draw = random.Random(1)
    for until in draw.sample(range(len(journal.steps)), 8):
        check(journal, until, model, tmp_path / str(until), draw)


@pytest.mark.nightly
@pytest.mark.parametrize("model", MODELS)
def test_a_store_outlives_a_loss_of_power_at_any_call(journal, model, tmp_path, request):
    draw = random.Random(seed_of(request))
    for until in range(0, len(journal.steps), 2):
        check(journal, until, model, tmp_path / str(until), draw)
        shutil.rmtree(tmp_path / str(until))
