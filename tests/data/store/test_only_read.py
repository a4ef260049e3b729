"""Goal: a store that one may only read can be queried, its tail included, and copied; who tries to
write to it is told why not, and nothing of it is changed.

Method: a child process gives up its rights, or the folder's are taken, and works on stores of
somebody else, whose writer has gone, is still there, or died.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import tallow
from tallow.core.errors import StoreError
from tallow.data.store.store import Store, open_store
from tests.frames import market

ROOT = Path(__file__).parents[3]
NOBODY = 65_534

SERVE = "from tests.data.store.test_only_read import become_nobody, serve; become_nobody(); serve()"


@pytest.fixture
def shelf() -> Iterator[Path]:
    """Give a folder that everybody may enter, which pytest's is not."""
    folder = Path(tempfile.mkdtemp(prefix="tallow-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def fill(store: Store) -> None:
    store.write(market(["A", "B"], rows=60, seed=1), source_timeframe="1m")
    store.flush()
    store.write(market(["A", "B"], rows=30, seed=2), source_timeframe="1m")


def become_nobody() -> None:
    """Import and run all that is needed, since the interpreter may lie where only root comes."""
    for module in pkgutil.walk_packages(tallow.__path__, "tallow."):
        if module.name != "tallow.__main__":
            importlib.import_module(module.name)
    with tempfile.TemporaryDirectory() as folder, open_store(f"{folder}/s", create=True) as store:
        fill(store)
        engine = tallow.AnalyticsEngine(calendar="XNSE", store=store)
        engine.query("A", "5m", "2025-06-02", "2025-06-04", "sma(3)")
        store.backup(f"{folder}/copy")
        assert call(commands(Path(folder) / "s")) == [(0, "")] * 3
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Nobody:
    """A process of a user without rights, which does what it is asked, one thing after the other.

    One for all tests: until it has given its rights up, it must have imported all that it needs.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, what: str, **arguments: Any) -> Any:
        """Return what a function below returns to it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, arguments]) + "\n")
        self._process.stdin.flush()
        wrong, said = json.loads(self._process.stdout.readline())
        assert not wrong, wrong
        return said

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def nobody() -> Iterator[Nobody]:
    """Give a process of somebody who may only read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    made = Nobody()
    yield made
    made.end()


def serve() -> None:
    """Do what is asked, each on a line, and say what came of it."""
    tell = sys.stdout
    for line in sys.stdin:
        what, arguments = json.loads(line)
        wrong, said = "", None
        try:
            with warnings.catch_warnings(action="error"):
                said = ACTS[what](**arguments)
        except BaseException:  # noqa: BLE001 - the test is told, whatever it is
            wrong = traceback.format_exc()
        tell.write(json.dumps([wrong, said]) + "\n")
        tell.flush()


OPEN: dict[str, Store] = {}
"""In that process: the stores that it uses, by their places."""


def use(place: str, copy: str) -> dict[str, Any]:
    """Ask a store for all that can be read, try all that would change it, and keep it open."""
    store = OPEN[place] = open_store(place)
    engine = tallow.AnalyticsEngine(calendar="XNSE", store=store)
    ask = partial(engine.query, "A", "5m", "2025-06-02", "2025-06-04", "sma(3)")
    answers = [ask().frame.to_dict(as_series=False)["close"] for _ in range(2)]
    said = {
        "log": len(store.log()),
        "stats": [store.stats().rows, store.stats().tail_rows],
        "entries": len(store.ledger.entries()),
        "answer": answers[0],
        "again": answers[0] == answers[1],
        "copied": store.backup(copy).rows,
        "refused": [],
    }
    rows = market(["A"], rows=30, seed=9)
    acts: list[Callable[[], object]] = [
        lambda: store.write(rows, source_timeframe="1m"),
        store.flush,
        store.compact,
        lambda: store.prune(before=1),
        lambda: store.delete(rows.select("instrument", "timestamp")),
    ]
    for act in acts:
        try:
            act()
        except StoreError as error:
            said["refused"].append(str(error))
    return said


def look_again(place: str) -> list[int]:
    """Look at a store that is in use once more, and close it."""
    with OPEN.pop(place) as store:
        return [len(store.log()), len(store.ledger.entries())]


def call(commands: list[list[str]]) -> list[tuple[int, str]]:
    """Run the command line; return each exit code, and what was said on stderr."""
    from tallow.serve.cli import main

    found = []
    for command in commands:
        sys.argv, wrong = ["tallow", *command], io.StringIO()
        quiet = redirect_stdout(io.StringIO()), redirect_stderr(wrong)
        with pytest.raises(SystemExit) as done, quiet[0], quiet[1]:
            main()
        found.append((int(done.value.code or 0), wrong.getvalue()))
    return found


ACTS: dict[str, Callable[..., Any]] = {"use": use, "look_again": look_again, "call": call}


def copies(shelf: Path) -> str:
    """Return where anybody may make a copy."""
    folder = Path(tempfile.mkdtemp(dir=shelf))
    folder.chmod(0o777)
    return f"{folder}/copy"


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("writer", ["gone", "died"])
def test_somebody_elses_store_can_be_read_and_not_written(nobody, shelf, writer):
    folder = shelf / "store"
    store = open_store(folder, create=True)
    fill(store)
    rows, entries = len(store.log()), len(store.ledger.entries())
    if writer == "gone":
        store.close()
    if writer == "died":
        # What a kill leaves: the file, and what was not moved into it.
        shutil.copytree(folder, shelf / "left")
        folder = shelf / "left"
        (folder / "_tallow" / "state.sqlite-shm").unlink()
    before = state_of(folder)
    said = nobody.do("use", place=str(folder), copy=copies(shelf))
    assert said["log"] == said["copied"] == said["stats"][0] == rows
    assert said["stats"][1] > 0
    assert said["entries"] == entries
    assert said["answer"]
    assert said["again"]
    assert len(said["refused"]) == 5
    assert all(f"{folder}" in text and "may only read" in text for text in said["refused"])
    assert nobody.do("look_again", place=str(folder)) == [rows, entries]
    assert state_of(folder) == before
    store.close()


def test_what_its_writer_does_later_is_seen(nobody, shelf):
    place = str(shelf / "store")
    with open_store(place, create=True) as store:
        fill(store)
        first = nobody.do("use", place=place, copy=copies(shelf))["log"]
        store.write(market(["C"], rows=30, seed=3), source_timeframe="1m")
        store.flush()
        store.write(market(["C"], rows=30, seed=4), source_timeframe="1m")
        later = nobody.do("look_again", place=place)
        assert first < later[0]
        assert later == [len(store.log()), len(store.ledger.entries())]


def test_the_command_line_reads_it_too(nobody, shelf):
    with open_store(shelf / "store", create=True) as store:
        fill(store)
    said = nobody.do("call", commands=commands(shelf / "store"))
    assert said == [[0, ""]] * 3


def commands(store: Path) -> list[list[str]]:
    return [
        ["store", *command, "--store", str(store)]
        for command in (["coverage", "--end", "2025-06-03"], ["stats"], ["quarantine"])
    ]


def test_a_disk_that_is_only_read_can_be_read(tmp_path):
    with open_store(tmp_path / "disk" / "store", create=True) as store:
        fill(store)
        rows = len(store.log())
    mount = ["mount", "--bind", "-o", "ro", str(tmp_path / "disk"), str(tmp_path / "disk")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(tmp_path / "disk")], check=True)
        with open_store(tmp_path / "disk" / "store") as store:
            assert len(store.log()) == rows
            assert store.stats().tail_rows
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)
