"""Goal: what is written is what is read: totals, mismatches, and how many were dropped; by many
writers at once, and after a kill at any moment.

Method: totals are compared with sums over plain lists, percentiles with the definition.
Writers are real processes, killed in between.
"""

from __future__ import annotations

import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from tallow.core.errors import EvidenceError
from tallow.migrate.evidence import Judgement, Observation, Side
from tallow.migrate.shadow import EvidenceStore
from tallow.migrate.shadow import store as store_module
from tallow.migrate.shadow.mismatch import mismatch_body
from tallow.migrate.shadow.outcome import CallOutcome
from tests.migrate.shadow.conftest import ALWAYS

ROOT = Path(__file__).parents[3]
START = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)


def body(*args: Any, control: CallOutcome | None, **about: Any) -> bytes:
    """Return a stored mismatch of a call with these arguments."""
    observation = Observation("test", START, "RAYMOND", "control", **about)
    outcomes: dict[Literal["control", "candidate"], CallOutcome] = {}
    if control is not None:
        outcomes["control"] = control
    return mismatch_body(observation, (args, {"last": 2}), outcomes, {"control": "1"}, "r7")


SIDES: tuple[Side, Side] = ("control", "candidate")


def p99(times: list[float | None]) -> float:
    known = sorted(each for each in times if each is not None)
    assert len(known) >= 100
    return known[math.ceil(0.99 * len(known)) - 1]


def random_observations(count: int, seed: int) -> list[Observation]:
    draw = random.Random(seed)

    def one(place: int) -> Observation:
        judged = draw.random() < 0.5
        a, b, c, d, e = (draw.randrange(9) for _ in range(5))
        causes = {draw.choice("AB"): draw.randrange(1, 5)} if draw.random() < 0.5 else {}
        return Observation(
            experiment="test",
            at=START + timedelta(seconds=place),
            key=draw.choice("XYZ"),
            served=draw.choice(["control", "candidate"]),
            control_ms=draw.choice([None, draw.uniform(1.0, 50.0)]),
            candidate_ms=draw.choice([None, draw.uniform(1.0, 50.0)]),
            background_ms=draw.choice([None, draw.uniform(1.0, 500.0)]),
            error=draw.choice([None, None, "it failed"]),
            skipped=draw.choice([None, None, "the queue is full"]),
            staleness_seconds=draw.choice([None, draw.uniform(0.0, 9.0)]),
            judgement=Judgement(a, b, c, d, e, causes) if judged else None,
        )

    return [one(place) for place in range(count)]


def test_totals_are_the_sums_of_an_interval(store: EvidenceStore) -> None:
    seen = random_observations(700, seed=4)
    for place in range(0, 700, 70):
        store.add(seen[place : place + 70])
    store.add([Observation("other", START, "", "control", error="not of this experiment")])
    inside = seen[100:600]
    totals = store.totals("test", START + timedelta(seconds=100), START + timedelta(seconds=600))

    judged = [each.judgement for each in inside if each.judgement]
    assert totals.calls == 500
    assert totals.served == sum(each.served == "candidate" for each in inside)
    assert totals.errors == sum(each.error is not None for each in inside)
    assert totals.skipped == sum(each.skipped is not None for each in inside)
    assert totals.tried == sum(
        any((each.candidate_ms is not None, each.error, each.judgement)) for each in inside
    )
    for name in ("compared", "equal", "explained", "unexplained", "flips"):
        assert getattr(totals, name) == sum(getattr(each, name) for each in judged)
    assert totals.causes == sum((Counter(each.causes) for each in judged), Counter())
    background = {
        side: [each.background_ms for each in inside if each.served == side] for side in SIDES
    }
    assert totals.control_p99_ms == p99([each.control_ms for each in inside])
    assert totals.candidate_p99_ms == p99([each.candidate_ms for each in inside])
    assert totals.control_background_p99_ms == p99(background["candidate"])
    assert totals.candidate_background_p99_ms == p99(background["control"])
    assert totals.staleness_seconds == max(each.staleness_seconds or 0.0 for each in inside)


@pytest.mark.parametrize(("count", "place"), [(2, 0), (10, 8), (99, 97), (101, 99), (250, 247)])
def test_one_accident_is_no_percentile(store: EvidenceStore, count: int, place: int) -> None:
    times = [float(number) for number in range(count)]
    random.Random(5).shuffle(times)
    seen = [Observation("test", START, "", "control", control_ms=each) for each in times]
    store.add(seen[:1])
    assert store.totals("test", *ALWAYS).control_p99_ms is None
    store.add(seen[1:])
    assert store.totals("test", *ALWAYS).control_p99_ms == float(place)


def test_nothing_observed_is_totals_of_nothing(store: EvidenceStore) -> None:
    totals = store.totals("test", *ALWAYS)
    assert (totals.calls, totals.compared, totals.control_p99_ms) == (0, 0, None)
    assert store.mismatches("test") == []


def test_times_without_a_zone_are_refused(store: EvidenceStore) -> None:
    naive = START.replace(tzinfo=None)
    with pytest.raises(EvidenceError, match="at=2025-07-18T03:45:00; must carry a zone"):
        store.totals("test", naive, START)


def test_the_newest_are_kept_and_the_rest_is_counted(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "EVIDENCE_ROWS", 50)
    monkeypatch.setattr(store_module, "_PRUNE_EVERY", 10)
    monkeypatch.setattr(store_module, "MISMATCHES_KEPT", 3)
    for each in random_observations(120, seed=1):
        store.add([each])
    for number in range(5):
        store.add([], [("test", body(number, control=None))])
    last = START + timedelta(seconds=70)
    assert store.totals("test", *ALWAYS).calls == 50
    assert store.totals("test", last, ALWAYS[1]).calls == 50
    assert [mismatch.args for mismatch in store.mismatches("test")] == [(4,), (3,), (2,)]
    assert store.dropped("test") == {"observations": 70, "mismatches": 2}


def test_bytes_of_mismatches_are_bounded(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = body(1, control=None)
    monkeypatch.setattr(store_module, "MISMATCHES_BYTES", 2 * len(one) + 20)
    store.add([], [("test", body(number, control=None)) for number in range(4)])
    assert [mismatch.args for mismatch in store.mismatches("test")] == [(3,), (2,)]


def test_what_is_no_evidence_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(EvidenceError, match=r"notes\.txt; cannot be read or written"):
        EvidenceStore(text)
    with closing(sqlite3.connect(tmp_path / "later")) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(EvidenceError, match="format=9; this version reads 2"):
        EvidenceStore(tmp_path / "later")


def test_a_lock_is_waited_for_and_then_reported(store: EvidenceStore) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EvidenceError, match="locked"):
            store.add(random_observations(3, seed=2))
        # Reading goes on.
        assert store.totals("test", *ALWAYS).calls == 0
    store.add(random_observations(3, seed=2))
    assert store.totals("test", *ALWAYS).calls == 3


WRITE = """
import sys
from tallow.migrate.shadow import EvidenceStore
from tests.migrate.shadow.test_evidence import random_observations
store = EvidenceStore(sys.argv[1])
for batch in range(int(sys.argv[2])):
    store.add(random_observations(7, seed=batch))
    print(batch, flush=True)
"""


def start_writer(path: Path, batches: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, path, str(batches)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    writers = [start_writer(path, 10) for _ in range(3)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert EvidenceStore(path).totals("test", *ALWAYS).calls == 3 * 10 * 7


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 40))]
)
def test_a_kill_leaves_whole_batches(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "evidence.sqlite"
    draw = random.Random(seed)
    said = 0
    for _ in range(2):
        writer = start_writer(path, 100_000)
        assert writer.stdout is not None
        for _ in range(draw.randrange(1, 60)):
            writer.stdout.readline()
            said += 1
        os.kill(writer.pid, signal.SIGKILL)
        said += len(writer.communicate()[0].splitlines())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    calls = EvidenceStore(path).totals("test", *ALWAYS).calls
    # A batch may be written and not yet said, at each kill.
    assert calls % 7 == 0
    assert said <= calls // 7 <= said + 2
