"""Goal: a store that one may only read can be queried, its tail included, and copied; who tries to
write to it is told why not, and nothing of it is changed.

Method: a child process gives up its rights, or the folder's are taken, and works on a store of
somebody else, whose writer has gone, is still there, or died.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tallow
from tallow.data.store.store import Store, open_store
from tests.frames import market

ROOT = Path(__file__).parents[3]
NOBODY = 65_534

ASK = """
import json, os, sys, warnings
warnings.simplefilter("error")
import tallow
from tests.frames import market
from tests.data.store.test_only_read import become_nobody
become_nobody()
place, copy = sys.argv[1:]
said = {}
with tallow.open_store(place) as store:
    said["log"] = len(store.log())
    said["stats"] = [store.stats().rows, store.stats().tail_rows]
    said["entries"] = len(store.ledger.entries())
    engine = tallow.AnalyticsEngine(calendar="XNSE", store=store)
    asked = ("A", "5m", "2025-06-02", "2025-06-04", "sma(3)")
    said["answer"] = engine.query(*asked).frame.to_dict(as_series=False)["close"]
    said["again"] = said["answer"] == engine.query(*asked).frame.to_dict(as_series=False)["close"]
    said["copied"] = store.backup(copy).rows
    said["refused"] = []
    rows = market(["A"], rows=30, seed=9)
    acts = [lambda: store.write(rows), store.flush, store.compact, lambda: store.prune(before=1)]
    for act in [*acts, lambda: store.delete(rows.select("instrument", "timestamp"))]:
        try:
            act()
        except tallow.core.errors.StoreError as error:
            said["refused"].append(str(error))
    sys.stdout.write(json.dumps(said) + "\\n"); sys.stdout.flush()
    sys.stdin.readline()
    said["later"] = len(store.log()), len(store.ledger.entries())
sys.stdout.write(json.dumps(said) + "\\n")
"""


RUN = """
import json, sys
from tallow.serve.cli import main
from tests.data.store.test_only_read import become_nobody
commands = json.loads(sys.argv[1])
for rights in ("root", "nobody"):
    for command in commands:
        sys.argv = ["tallow", *command]
        try:
            main()
        except SystemExit as done:
            assert not done.code, (rights, command)
    if rights == "root":
        become_nobody()
        sys.stderr.write("as nobody")
"""


@pytest.fixture
def shelf() -> Iterator[Path]:
    """Give a folder that everybody may enter, which pytest's is not."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    folder = Path(tempfile.mkdtemp(prefix="tallow-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def fill(store: Store) -> None:
    store.write(market(["A", "B"], rows=60, seed=1))
    store.flush()
    store.write(market(["A", "B"], rows=30, seed=2))


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
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def ask(folder: Path, shelf: Path) -> subprocess.Popen[str]:
    copies = Path(tempfile.mkdtemp(dir=shelf))
    copies.chmod(0o777)
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            ASK,
            str(folder),
            f"{copies}/copy",
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    said, wrong = child.communicate("\n", timeout=120)
    assert child.returncode == 0, wrong[-3000:]
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("writer", ["gone", "died"])
def test_somebody_elses_store_can_be_read_and_not_written(shelf, writer):
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
    said = answer(ask(folder, shelf))
    assert said["log"] == said["copied"] == said["stats"][0] == rows
    assert said["stats"][1] > 0
    assert said["entries"] == entries
    assert said["answer"]
    assert said["again"]
    assert len(said["refused"]) == 5
    assert all(f"{folder}" in text and "may only read" in text for text in said["refused"])
    assert state_of(folder) == before
    store.close()


def test_what_its_writer_does_later_is_seen(shelf):
    with open_store(shelf / "store", create=True) as store:
        fill(store)
        child = ask(shelf / "store", shelf)
        assert child.stdout is not None
        first = json.loads(child.stdout.readline())
        store.write(market(["C"], rows=30, seed=3))
        store.flush()
        store.write(market(["C"], rows=30, seed=4))
        later = answer(child)["later"]
        assert first["log"] < later[0] == len(store.log())
        assert later[1] == len(store.ledger.entries())


def test_the_command_line_reads_it_too(shelf):
    with open_store(shelf / "store", create=True) as store:
        fill(store)
    store_option = ["--store", str(shelf / "store")]
    commands = [
        ["store", "coverage", "--end", "2025-06-03", *store_option],
        ["store", "stats", *store_option],
        ["store", "quarantine", *store_option],
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Warning" not in done.stderr.partition("as nobody")[2]


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
