"""Goal: a person's mistake with files is one sentence that says what to do, and never a traceback.

Method: root makes files that another user may not read, or write beside; the verbs are called as
that user, in this process. Each call has the words that its message must hold.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from tallow.serve.verbs import WORKS, find_work
from tests.serve.calling import CLEAN, HEADER, SAID, ingested, tallow

NOBODY = 65_534
LONG = "x" * 300
two_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for two users")


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of root's, in which others may read all but what is called so."""
    folder = tmp_path_factory.mktemp("world")
    for above in (folder, *folder.parents):
        if above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
            above.chmod(0o755)
    monkeypatch.chdir(folder)
    # What is imported late may lie where the other user may not look.
    for _, work in WORKS.values():
        find_work(work)
    import_module("urllib.request")
    store = ingested(folder)
    for path in (folder / "secret.csv", folder / "hidden" / "a.csv", folder / "file"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEADER + CLEAN)
    (folder / "secret.csv").chmod(0o600)
    (folder / "hidden").chmod(0o700)
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    locked = ingested(folder / "hidden")
    locked.rename(folder / "locked")
    (folder / "locked").chmod(0o700)
    assert store.is_dir()
    return folder


INTO = ("-o", "open/x.csv", "-i", "")
REPLAY = ("--speed", 0, "--plain", "-i", "")
SIDES = ("--control", "talib", "--candidate", "tallow", "-i", "sma(9)", "--runs", 0)
RIGHTS = [
    (("run", "secret.csv", *INTO), "secret.csv: this user may not read it; ask its owner"),
    (("run", "hidden/a.csv", *INTO), "hidden/a.csv: this user may not read it"),
    (("run", "hidden/*.csv", *INTO), "no file matches"),
    (("run", "candles.csv", "-o", "x.csv"), "output: x.csv; this user may not write to"),
    (
        ("ingest", "secret.csv", "--store", "open/st", *SAID),
        "secret.csv: this user may not read it",
    ),
    (("ingest", "candles.csv", "--store", "new", *SAID), "this user may not write to"),
    (("ingest", "candles.csv", "--store", "store", *SAID), "this user may only read it"),
    (("query", "--store", "locked"), "locked: this user may not read it"),
    (("query", "--store", "store", "-o", "x.csv"), "output: x.csv; this user may not write to"),
    (("store", "compact", "--store", "store"), "this user may only read it"),
    (("live", "--feed", "replay:candles.csv", "--store", "store", *REPLAY), "may only read it"),
    (
        ("live", "--feed", "replay:candles.csv", "--store", "open/st", *REPLAY, "--state", "x"),
        "state: x; this user may not write to",
    ),
    (("compare", "secret.csv", *SIDES), "secret.csv: this user may not read it"),
    (("compare", "candles.csv", *SIDES, "--html", "x.html"), "output: x.html; this user may not"),
]


@two_users
@pytest.mark.parametrize(("words", "message"), RIGHTS)
def test_what_a_user_may_not_do_is_said(
    world: Path, words: tuple[object, ...], message: str
) -> None:
    tallow("query", "--store", "store", "-i", "sma(9)")  # what is imported late is there
    with as_nobody():
        result = tallow(*words)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.startswith("Error: ")


@two_users
def test_a_store_that_may_only_be_read_answers(world: Path) -> None:
    with as_nobody():
        result = tallow("query", "A", "--store", "store", "-i", "", "--json")
    assert result.exit_code == 0, result.output
    assert '"candles":2' in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("query", "--store", "file"), "file: is a file; a store is a folder"),
        (("ingest", "file.csv", "--store", "file/x", *SAID), "file: is a file"),
        (("run", ".", *INTO), "is a folder; a file is needed"),
        (("run", f"{LONG}.csv", *INTO), "is too long"),
        (("run", "file.csv", "-o", f"{LONG}.csv"), f"output: '{'x' * 20}"),
        (("live", "--feed", "replay:file.csv", "--store", "s", "--state", LONG), "is too long"),
        (("live", "--feed", "replay:file.csv", "--store", "s", "--state", "."), "is a folder"),
        (("query", "--store", LONG), "too long"),
    ],
)
def test_names_of_the_wrong_kind_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("file", "file.csv"):
        (tmp_path / name).write_text(HEADER + CLEAN)
    result = tallow(*words)
    assert (result.exit_code, message in result.stderr) == (2, True), result.output


def test_what_no_message_foresees_is_no_traceback_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error", "candles")

    monkeypatch.setattr("tallow.serve.query.open_store", fails)
    result = tallow("query", "--store", tmp_path)
    assert result.exit_code == 2
    assert "Error: candles: Input/output error; check the name" in result.stderr


def test_who_reads_no_further_sees_no_traceback(tmp_path: Path) -> None:
    store = ingested(tmp_path)
    words = [sys.executable, "-m", "tallow", "query", "--store", str(store), "-i", "", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
