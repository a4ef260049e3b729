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
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tallow.data.store.store import open_store
from tests.data.store.campaign import (
    LOG_COLUMNS,
    History,
    Step,
    expected_candles,
    expected_log,
    lower_limits,
    seed_of,
    work,
)
from tests.sizes import sized

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

    def ingest(
        self, ahead: int = AHEAD, kill_at: int | None = None, kill_after: float | None = None
    ) -> bool:
        """Go on with the ingest; say whether it was killed before it had done the steps ahead."""
        asked = {
            "folder": str(self.folder),
            "seed": self.history.seed,
            "full_size": self.history.full_size,
            "start": self.next,
            "stop": self.next + ahead,
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
        # Not by `communicate`: what was read ahead with the first line would be lost.
        said = process.stdout.read()
        _, wrong = process.communicate(timeout=300)
        assert wrong == "", wrong[-2000:]
        for line in said.splitlines():
            number, received = line.split()
            self._acknowledged(int(number), int(received))
        assert process.returncode in (-signal.SIGKILL, 0)
        return process.returncode != 0

    def _acknowledged(self, number: int, received: int) -> None:
        assert number == self.next
        self.next += 1
        self.steps.append((number, self.history.step(number)))
        self.received.append(received)

    def check(self) -> None:
        """Assert that the store holds what was acknowledged, and nothing else but whole steps."""
        with open_store(self.folder, create=True) as store:
            log = store.log().select(LOG_COLUMNS)
            if not log.equals(expected_log(self.steps)):
                begun = self.history.steps([self.next])
                assert log.equals(expected_log([*self.steps, *begun])), self.next
            assert store.damaged() == []
            candles = store.read().select("instrument", "timestamp", "close")
            assert candles.equals(expected_candles(log))
            self._check_known_at(store)
            entered = store.ledger.entries()["source"]
        # Twice where it was killed between its end and its acknowledgement, and came again.
        entered = entered.unique(maintain_order=True).to_list()
        writes = [str(n) for n, step in self.steps if step.kind in ("write", "delete")]
        assert [name for name in entered if name in set(writes)] == writes

    def _check_known_at(self, store) -> None:
        for upto in {len(self.steps) // 2, len(self.steps)} - {0}:
            then = store.read(known_at=self.received[upto - 1])
            known = expected_candles(expected_log(self.steps[:upto]))
            assert then.select("instrument", "timestamp", "close").equals(known)

    def go_on(self, *steps: tuple[int, Step]) -> None:
        """Do the step that was begun again, and others, and assert what that leaves."""
        steps = (*self.history.steps([self.next]), *steps)
        with open_store(self.folder, create=True) as store:
            assert list(work(store, steps)) == [number for number, _ in steps]
            log = expected_log([*self.steps, *steps])
            assert store.log().select(LOG_COLUMNS).equals(log)
            candles = store.read().select("instrument", "timestamp", "close")
            assert candles.equals(expected_candles(log))


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
    everything = history.steps(range(campaign.next + 1))
    campaign.go_on(*everything)
    with open_store(campaign.folder) as store:
        once = expected_candles(expected_log(everything))
        assert store.read().select("instrument", "timestamp", "close").equals(once)


def kill_at_each_moment(folder: Path, kind: str, rows: int, moments: Iterable[int]) -> None:
    """Kill a step at durable moments of it, each time on a copy of the same store."""
    history = History(seed=5)
    steps = [history.step(number) for number in range(100)]
    wanted = (kind, rows)
    number = next(n for n in range(12, 100) if (steps[n].kind, len(steps[n].rows) // 400) == wanted)
    before = history.steps(range(number))
    with open_store(folder / "before", create=True) as store:
        received = [store.last_received() for _ in work(store, before)]
    for moment in moments:
        copy = folder / str(moment)
        shutil.copytree(folder / "before", copy)
        campaign = Campaign(copy, history, before.copy(), received.copy(), number)
        is_killed = campaign.ingest(ahead=1, kill_at=moment)
        campaign.check()
        campaign.go_on()
        if not is_killed:
            return


def test_a_compaction_survives_kills(tmp_path, monkeypatch):
    lower_limits(monkeypatch)
    kill_at_each_moment(tmp_path, "compact", 0, moments=sized([10, 30], [10, 20, 30]))


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "rows"), [("write", 0), ("write", 1), ("delete", 0), ("flush", 0), ("compact", 0)]
)
def test_a_step_survives_a_kill_at_each_durable_moment(tmp_path, monkeypatch, kind, rows):
    lower_limits(monkeypatch)
    kill_at_each_moment(tmp_path, kind, rows, count(1))


def test_an_ingest_survives_kills(tmp_path, request):
    kill_again_and_again(tmp_path, History(seed_of(request)), kills=sized(4, 6))


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(4))
def test_an_ingest_of_full_size_survives_kills(tmp_path, request, part):
    """Few: each is minutes of work. The hundred kills are those of a small ingest."""
    history = History(seed_of(request) + part, full_size=True)
    kill_again_and_again(tmp_path, history, kills=5)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(5))
def test_a_small_ingest_survives_a_hundred_kills(tmp_path, request, part):
    kill_again_and_again(tmp_path, History(seed_of(request) + 1_000 + part), kills=20)
