"""Goal: Ctrl-C in the middle of a verb's work says truly what is in, and nothing else.

Method: each verb runs in a process group of its own, and the work that it waits for takes minutes;
a file appears when that has begun. The group gets a SIGINT, as from a terminal. The code, all that
was printed, and what is on the disk are as the sentence says. `test_ingest.py` and `test_run.py` do
it without slowing the work, and `test_live.py` with a session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tallow import open_store
from tests.serve.calling import CLEAN, HEADER, SAID, ingested

PATIENCE_SECONDS = 200

# A shell without job control starts its background jobs with SIGINT ignored, and tests may be one.
SLOWED = """
import signal, sys, time
from importlib import import_module
from pathlib import Path

signal.signal(signal.SIGINT, signal.default_int_handler)
place, number, *words = sys.argv[1:]
module, _, name = place.partition(":")
owner = import_module(module)
*inner, name = name.split(".")
for each in inner:
    owner = getattr(owner, each)
work, calls = getattr(owner, name), []

def slow(*arguments, **named):
    calls.append(name)
    if len(calls) == int(number):
        Path("begun").touch()
        time.sleep(600)
    return work(*arguments, **named)

setattr(owner, name, slow)
sys.argv[1:] = words
from tallow.serve.cli import main

main()
"""
"""The command line, where one call of a function takes minutes: `module:name NUMBER VERB ...`."""

ENGINE = """
import time
from pathlib import Path

def answer(request):
    Path("begun").touch()
    time.sleep(600)
"""


def interrupted(folder: Path, words: Sequence[str]) -> tuple[int, str, str]:
    """Run the command line, interrupt it once it is at work; return its code and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWED, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        until = time.monotonic() + PATIENCE_SECONDS
        while not (folder / "begun").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "the work does not begin"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output, errors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ingested(tmp_path)
    for name in "BCD":
        (tmp_path / f"{name}.csv").write_text(HEADER + CLEAN.replace("A,", f"{name},"))
    (tmp_path / "slow_engine.py").write_text(ENGINE)
    return tmp_path


NEVER = ("tallow.serve.verbs:is_dirty", "0")
AGAINST = ("--control", "tallow", "--candidate", "slow_engine:answer", "-i", "sma(1)")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("tallow.engine:AnalyticsEngine.process_files", "1", "run", "B.csv", "-o",
             "out/bars.csv"),
            "cancelled; nothing was written",
        ),
        (
            ("tallow.engine:AnalyticsEngine.query", "1", "query", "A", "--store", "store"),
            "cancelled; nothing was written",
        ),
        (
            ("tallow.serve.query:write_frame", "1", "query", "A", "--store", "store", "-o",
             "out/bars.csv"),
            "cancelled; out/bars.csv was not written",
        ),
        (
            (*NEVER, "compare", "B.csv", *AGAINST, "--html", "out/report.html"),
            "cancelled; nothing was written",
        ),
    ],
    ids=["run", "query", "query to a file", "compare"],
)  # fmt: skip
def test_nothing_is_written(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    (folder / "out").mkdir()
    assert interrupted(folder, words) == (130, "", f"{sentence}\n")
    assert list((folder / "out").iterdir()) == []


def test_ingest_says_which_files_are_in_the_store(folder: Path) -> None:
    third = ("tallow.data.store.store:Store.append", "3")
    words = (*third, "ingest", "[BCD].csv", "--store", "store", *SAID)
    code, output, errors = interrupted(folder, words)
    assert (code, output) == (130, "")
    assert errors == (
        "cancelled; 2 of 3 files are in store and stay there, the last of them C.csv; the same "
        "command does the rest\n"
    )
    with open_store(folder / "store") as store:
        assert sorted(set(store.read()["instrument"])) == ["A", "B", "C"]
