"""Goal: kill -9 at any moment loses nothing, halves nothing, doubles nothing, and blocks nobody.

Method: a process works through a random history of writes, deletions, flushes and compactions, and
says after each step that it was acknowledged. It is killed after a random time, or kills itself at
a random entry into code that makes something durable. Then the store must open and hold the log
that the acknowledged steps leave, or those and the whole next one; the next process begins with the
first step that was not acknowledged. At last the whole ingest is repeated from its first step.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallow.data.store.store import open_store
from tests.data.store.campaign import (
    LOG_COLUMNS,
    History,
    Step,
    expected_candles,
    expected_log,
    seed_of,
    work,
)

ROOT = Path(__file__).parents[3]
AHEAD = 25
"""Steps that an ingest would do if it was not killed."""


@dataclass
class Campaign:
    """One store, the history that is ingested into it, and the steps acknowledged so far."""

    folder: Path
    history: History
    steps: list[tuple[int, Step]] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    next: int = 0

    def ingest(self, kill_at: int | None = None, kill_after: float | None = None) -> None:
        """Go on with the ingest until it is killed; if it was not, it did all the steps ahead."""
        asked = {
            "folder": str(self.folder),
            "seed": self.history.seed,
            "full_size": self.history.full_size,
            "start": self.next,
            "stop": self.next + AHEAD,
            "kill_at": kill_at,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.data.store.ingest", json.dumps(asked)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() and kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        said, wrong = process.communicate(timeout=300)
        assert wrong == ""
        for line in said.splitlines():
            number, received = line.split()
            self._acknowledged(int(number), int(received))
        assert process.returncode in (-signal.SIGKILL, 0)

    def _acknowledged(self, number: int, received: int) -> None:
        assert number == self.next
        self.next += 1
        self.steps.append((number, self.history.step(number)))
        self.received.append(received)

    def check(self) -> None:
        """Assert that the store holds what was acknowledged, and nothing else but whole steps."""
        begun = (self.next, self.history.step(self.next))
        sure, perhaps = expected_log(self.steps), expected_log([*self.steps, begun])
        with open_store(self.folder, create=True) as store:
            log = store.log().select(LOG_COLUMNS)
            assert log.equals(sure) or log.equals(perhaps), self.next
            assert store.damaged() == []
            candles = store.read().select("instrument", "timestamp", "close")
            assert candles.equals(expected_candles(log))
            self._check_as_of(store)
            entered = store.ledger.entries()["source"]
        # Twice where it was killed between its end and its acknowledgement, and came again.
        entered = entered.unique(maintain_order=True).to_list()
        writes = [str(n) for n, step in self.steps if step.kind in ("write", "delete")]
        assert [name for name in entered if name in set(writes)] == writes

    def _check_as_of(self, store) -> None:
        for upto in sorted({0, len(self.steps) // 2, len(self.steps) - 1} - {-1}):
            if upto < len(self.steps):
                then = store.read(as_of=self.received[upto])
                known = expected_candles(expected_log(self.steps[: upto + 1]))
                assert then.select("instrument", "timestamp", "close").equals(known)

    def repeat(self) -> None:
        """Ingest everything again from the first step on, and assert what that leaves."""
        again = self.history.steps(range(self.next + 1))
        with open_store(self.folder, create=True) as store:
            assert len(list(work(store, [again[-1], *again]))) == len(again) + 1
            everything = expected_log([*self.steps, again[-1], *again])
            assert store.log().select(LOG_COLUMNS).equals(everything)
            once = expected_candles(expected_log(again))
            assert store.read().select("instrument", "timestamp", "close").equals(once)


def kill_again_and_again(folder: Path, history: History, kills: int) -> None:
    """Kill an ingest so many times, in turn at a random durable moment and at a random time."""
    draw = random.Random(history.seed)
    campaign = Campaign(folder / "store", history)
    for kill in range(kills):
        if kill % 2:
            campaign.ingest(kill_after=draw.expovariate(1.0))
        else:
            campaign.ingest(kill_at=draw.randint(1, 18 * AHEAD))
        campaign.check()
    campaign.repeat()


def test_an_ingest_survives_kills(tmp_path, request):
    kill_again_and_again(tmp_path, History(seed_of(request)), kills=6)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_an_ingest_of_full_size_survives_a_hundred_kills(tmp_path, request, part):
    history = History(seed_of(request) + part, full_size=True)
    kill_again_and_again(tmp_path, history, kills=10)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(5))
def test_a_small_ingest_survives_a_hundred_kills(tmp_path, request, part):
    kill_again_and_again(tmp_path, History(seed_of(request) + 1_000 + part), kills=20)
