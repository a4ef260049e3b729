"""Goal: a candidate that hangs, dies or eats memory is ended, replaced and written down; whoever
else dies, nothing is left running and the evidence can be read.

Method: real processes are driven into each end. Their numbers are looked up in /proc afterwards.
Waiting is for an event, with a bound after which the test fails.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from tallow.migrate.evidence import Observation
from tallow.migrate.shadow import Budget, EvidenceStore
from tallow.migrate.shadow import evidence_writer as writer_module
from tallow.migrate.shadow.evidence_writer import EvidenceWriter
from tallow.migrate.shadow.messages import SharedCounters
from tests.migrate.shadow import sides
from tests.migrate.shadow.conftest import ALWAYS, BUDGET, PATIENCE, Running

ROOT = Path(__file__).parents[3]


def until(happens: Callable[[], Any]) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := happens():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def is_running(number: int) -> bool:
    """Whether a process is there, and is no corpse."""
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def parent_of(number: int) -> int:
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(
    ("candidate", "options", "error"),
    [
        (sides.leaves, {}, "exited with status 3"),
        (sides.crashes, {}, "died: SIGSEGV"),
        (sides.exits, {}, "SystemExit: enough"),
        (sides.grabs_memory, {}, "MemoryError: "),
        (sides.eats_memory, {}, "too large: more than 300,000,000 bytes of memory"),
        (sides.hangs, {"budget": Budget(seconds=0.3)}, "too slow: more than 0.3 s"),
        (sides.spins, {"budget": Budget(seconds=0.3)}, "too slow: more than 0.3 s"),
        (sides.Unloadable(), {}, "did not start: ValueError: invalid literal for int() with base"),
    ],
)
def test_each_end_of_a_candidate_is_written_down(
    running: Running, candidate: Any, options: dict[str, Any], error: str
) -> None:
    run = running(sides.total, candidate, **options)
    assert run([1.0, 2.0]) == 3.0
    totals = run.totals()
    assert (totals.calls, totals.tried, totals.errors, totals.compared) == (1, 1, 1, 0)
    evidence = run.experiment.evidence
    if error.startswith("did not start"):
        # There is nobody to load the inputs.
        until(lambda: evidence.dropped("test") == {"mismatches": 1})
        return
    until(lambda: evidence.mismatches("test"))
    (mismatch,) = evidence.mismatches("test")
    assert mismatch.error is not None
    assert mismatch.error.startswith(error)
    # The inputs are there, though the process that had them is gone.
    assert mismatch.args == ([1.0, 2.0],)
    assert mismatch.control is not None
    assert mismatch.control.value == 3.0


def test_a_worker_that_was_killed_is_replaced(running: Running) -> None:
    run = running(sides.total, sides.hangs_on_negative, budget=Budget(seconds=0.5))
    for value in (1.0, -1.0, 2.0, -2.0, 3.0):
        assert run([value]) == value
    totals = run.totals()
    assert (totals.calls, totals.errors, totals.equal, totals.skipped) == (5, 2, 3, 0)


def test_a_killed_supervisor_ends_its_worker_and_is_replaced(running: Running) -> None:
    run = running(sides.total, sides.total)
    link = run.experiment._link
    worker = until(lambda: link.worker)
    os.kill(parent_of(worker), signal.SIGKILL)
    until(lambda: not is_running(worker))
    calls = 0
    while not run.experiment.lost:
        # Which call finds that the pipe is broken is not said; it is lost, and counted.
        assert run([1.0]) == 1.0
        calls += 1
        run.experiment.flush(0.1)
    # The next is started after a while; until then calls are lost, and counted.
    link._start_at = 0.0
    assert run([2.0]) == 2.0
    assert run.totals().calls == calls + 1 - run.experiment.lost
    assert run.totals().equal >= 1


def test_a_worker_that_dies_between_calls_is_blamed_on_the_next(running: Running) -> None:
    run = running(sides.total, sides.total)
    run([1.0])
    assert run.totals().equal == 1
    worker = run.experiment._link.worker
    os.kill(worker, signal.SIGKILL)
    until(lambda: run.experiment._link.worker != worker)
    run([2.0])
    assert (run.totals().calls, run.totals().errors) == (2, 1)
    (mismatch,) = until(run.mismatches)
    assert mismatch.error == "died: SIGKILL"


def test_memory_that_stays_is_blamed_on_the_call_that_took_it(running: Running) -> None:
    run = running(sides.total, sides.keeps_memory)
    for calls in (1, 2):
        assert run([1.0]) == 1.0
        assert (run.totals().calls, run.totals().errors) == (calls, calls)


class Server:
    """The program of `serving`, in a process of its own."""

    def __init__(self, folder: Path, candidate: str) -> None:
        self.evidence = folder / "evidence.sqlite"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.migrate.shadow.serving", self.evidence, candidate],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.worker = int(self._line())
        self.supervisor = parent_of(self.worker)

    def ask(self, text: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return self._line()

    def calls(self) -> int:
        return EvidenceStore(self.evidence).totals("test", *ALWAYS).calls

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.mark.parametrize("candidate", ["thrice", "hangs"])
def test_a_program_that_is_killed_leaves_no_process_and_its_evidence(
    tmp_path: Path, candidate: str
) -> None:
    server = Server(tmp_path, candidate)
    assert [server.ask(text) for text in "abc"] == ["aa", "bb", "cc"]
    if candidate == "thrice":
        until(lambda: server.calls() == 3)
    server.process.kill()
    server.process.communicate()
    until(lambda: not is_running(server.worker))
    until(lambda: not is_running(server.supervisor))
    store = EvidenceStore(server.evidence)
    totals = store.totals("test", *ALWAYS)
    if candidate == "hangs":
        # What the supervisor had received is written: it was not compared.
        assert totals.calls == totals.skipped
        return
    assert (totals.calls, totals.unexplained) == (3, 3)
    assert {mismatch.args for mismatch in store.mismatches("test")} == {("a",), ("b",), ("c",)}


def test_a_program_that_ends_finishes_its_evidence(tmp_path: Path) -> None:
    server = Server(tmp_path, "thrice")
    assert server.ask("a") == "aa"
    server.process.communicate()
    assert server.process.returncode == 0
    assert server.calls() == 1
    assert not is_running(server.worker)
    assert not is_running(server.supervisor)


def test_a_fork_has_a_worker_of_its_own(running: Running) -> None:
    run = running(sides.total, sides.total)
    assert run([1.0]) == 1.0
    assert run.totals().calls == 1
    own = run.experiment._link.worker
    child = os.fork()
    if child == 0:
        # In the child nothing may come back to pytest.
        with run.experiment:
            is_right = run([2.0]) == 2.0 and run.experiment.flush(PATIENCE)
            is_right = is_right and run.experiment._link.worker not in {0, own}
        os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert run.totals().calls == 2
    assert is_running(own)
    assert run([3.0]) == 3.0
    assert run.totals().equal == 3


def test_a_child_that_outlives_a_killed_program_keeps_nothing_running(tmp_path: Path) -> None:
    """A forked child has a copy of every pipe; one that stayed open would hide the parent's end."""
    program = (
        "import os, sys, time\n"
        "from tallow.migrate.shadow import Experiment\n"
        "from tests.migrate.shadow import sides\n"
        "experiment = Experiment('test', sides.total, sides.total, evidence=sys.argv[1])\n"
        "while not experiment._link.worker: time.sleep(0.01)\n"
        "child = os.fork()\n"
        "if child: print(child, experiment._link.worker, flush=True)\n"
        "time.sleep(3600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "evidence.sqlite")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    child, worker = map(int, process.stdout.readline().split())
    supervisor = parent_of(worker)
    process.kill()
    process.wait()
    try:
        until(lambda: not is_running(supervisor))
        until(lambda: not is_running(worker))
        assert is_running(child)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


def test_evidence_waits_for_a_lock(running: Running) -> None:
    run = running(sides.total, sides.total)
    with closing(sqlite3.connect(run.experiment.evidence.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert run([1.0]) == 1.0
        assert not run.experiment.flush(0.5)
    assert run.totals().equal == 1
    assert run.experiment.lost == 0


def test_what_cannot_be_written_for_long_is_lost_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "EVIDENCE_BACKLOG", 5)
    with TemporaryFile() as shared:
        progress = SharedCounters(shared)
        writer = EvidenceWriter(str(tmp_path / "evidence.sqlite"), "test", progress)
        for place in range(8):
            writer.add_observation(Observation("test", ALWAYS[0], str(place), "control"))
        writer.close()
    assert (progress.written, progress.lost) == (5, 3)
    store = EvidenceStore(tmp_path / "evidence.sqlite")
    assert store.totals("test", *ALWAYS).calls == 5
    assert store.dropped("test") == {"lost": 3}


def test_evidence_that_cannot_be_written_is_counted_and_no_callers_matter(
    running: Running, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    run = running(sides.total, sides.total, evidence=folder / "evidence.sqlite", budget=BUDGET)
    until(lambda: run.experiment._link.worker)
    folder.rename(tmp_path / "elsewhere")
    assert run([1.0]) == 1.0
    run.experiment.close()
    assert run.experiment.lost == 1
