"""Goal: whatever works on a store at the same time, no row is lost and no write seen in part.

Method: two writers, readers and tidiers (they flush and compact) work at once, as processes and as
threads of one. Each reader says how many rows it saw and the newest receipt time among them; in the
log that is left in the end, as many rows must have been received by then. So a reader saw all of
each write or nothing, and never a later write without an earlier one. It must also have seen what
had been acknowledged before it began, and the same answer wherever the store gave the same token.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.data.store.store import open_store
from tests.data.store import crowd
from tests.data.store.campaign import lower_limits
from tests.sizes import sized

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 900
"""A long day takes two to three minutes alone on two processors, and shares them in a whole run."""

Lines = list[list[Any]]
Task = tuple[Any, ...]


def in_processes(folder: Path, tasks: list[Task]) -> list[Lines]:
    """Do tasks at once, each in a process; return what each said."""
    started = []
    for number, (role, *arguments) in enumerate(tasks):
        asked = {"store": str(folder / "store"), "folder": str(folder), "role": role}
        command = [sys.executable, "-m", "tests.data.store.crowd"]
        command.append(json.dumps(asked | {"arguments": arguments}))
        said = folder / f"{number}.said"
        with said.open("w") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
        started.append((role, process, said))
    # Those that go on until they are told to stop are told when the writers are done.
    for role, process, _ in sorted(started, key=lambda each: each[0] != "write"):
        if role != "write":
            (folder / "stop").touch()
        process.wait(timeout=PATIENCE_SECONDS)
    assert [process.returncode for _, process, _ in started] == [0] * len(started), started
    return [[json.loads(line) for line in said.read_text().splitlines()] for *_, said in started]


def in_threads(folder: Path, tasks: list[Task]) -> list[Lines]:
    """Do tasks at once, each in a thread, on one store; return what each said."""
    said: list[Lines] = [[] for _ in tasks]
    with (
        open_store(folder / "store", create=True) as store,
        ThreadPoolExecutor(len(tasks)) as pool,
    ):
        started = [
            (role, pool.submit(crowd.ROLES[role], store, lines.append, folder, *arguments))
            for (role, *arguments), lines in zip(tasks, said, strict=True)
        ]
        try:
            for _, future in (each for each in started if each[0] == "write"):
                future.result(timeout=PATIENCE_SECONDS)
        finally:
            (folder / "stop").touch()
        for _, future in started:
            future.result(timeout=PATIENCE_SECONDS)
    return said


def check(folder: Path, tasks: list[Task], said: list[Lines]) -> None:
    """Assert what the log holds in the end, and that each reader saw a state of it."""
    with open_store(folder / "store") as store:
        log = store.log()
        assert store.damaged() == []
    roles = [role for role, *_ in tasks]
    written = [
        line for role, lines in zip(roles, said, strict=True) if role == "write" for line in lines
    ]
    moments = log.group_by("source", "received_at").len()
    there = moments.with_columns(pl.col("received_at").to_physical()).rows()
    assert sorted(there) == sorted((source, received, rows) for source, rows, received in written)
    check_revisions(log)
    received = log["received_at"].to_physical().sort()
    answers: dict[str, tuple[int, int]] = {}
    for role, lines in zip(roles, said, strict=True):
        for acknowledged, rows, newest, token in lines if role == "read" else ():
            assert newest >= acknowledged
            assert rows == received.search_sorted(newest, side="right")
            if token is not None:
                assert answers.setdefault(token, (rows, newest)) == (rows, newest)


def check_revisions(log: pl.DataFrame) -> None:
    """Assert that a key's revisions count from 1 on in the order of receipt."""
    key = ["instrument", "timestamp"]
    rank = pl.col("received_at").rank("ordinal").over(key)
    assert log.select((pl.col("revision") == rank).all()).item()


def crowd_of(batches: int, readers: int) -> list[Task]:
    writers = [("write", writer, batches) for writer in crowd.WRITERS]
    return [*writers, *[("read",)] * readers, ("tidy", 168.0)]


def test_two_writers_three_readers_and_a_tidier(tmp_path):
    tasks = crowd_of(batches=sized(8, 20), readers=3)
    check(tmp_path, tasks, in_processes(tmp_path, tasks))


def test_the_same_as_threads_of_one_process(tmp_path, monkeypatch):
    lower_limits(monkeypatch)
    tasks = crowd_of(batches=sized(8, 20), readers=3)
    check(tmp_path, tasks, in_threads(tmp_path, tasks))


def test_tidiers_that_keep_nothing_take_nothing_from_each_other(tmp_path):
    tasks = (
        [("write", writer, sized(8, 20)) for writer in crowd.WRITERS]
        + [("tidy", 0.0)] * 2
        + [("read",)]
    )
    check(tmp_path, tasks, in_processes(tmp_path, tasks))


def test_who_opens_and_reads_does_not_wait_for_a_writer(tmp_path, monkeypatch):
    monkeypatch.setattr("tallow.data.store.state.STORE_LOCK_SECONDS", 0.1)
    with open_store(tmp_path, create=True) as store:
        store.write(crowd.batch("first", 0), source_timeframe="1m")
        with store.backend.writing(), open_store(tmp_path) as other:
            assert len(other.read()) == crowd.SIZES[0] + crowd.SHARED


@pytest.mark.nightly
@pytest.mark.parametrize("crowded", [in_processes, in_threads])
def test_a_long_day_in_a_crowd(tmp_path, crowded, monkeypatch):
    lower_limits(monkeypatch)
    tasks = crowd_of(batches=400, readers=3)
    check(tmp_path, tasks, crowded(tmp_path, tasks))
