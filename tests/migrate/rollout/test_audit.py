"""Goal: a cut, an edit or a forged line of the log is noticed; readers and writers may be many.

Method: each line of a log is edited, taken out, doubled and moved in turn; its end is cut off; a
torn line is left at its end. Digests are computed here once more, from what the page of the format
says.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tallow.core.errors import DamagedLogError, RolloutError
from tallow.migrate.rollout.audit import AuditLog
from tests.migrate.rollout.acting import BEGIN

LINES = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rollout.log"
    log = AuditLog(path)
    for number in range(LINES):
        log.append("ann@desk", "pause", BEGIN, {"reason": f"no. {number}"})
    return path


def read(path: Path) -> AuditLog:
    log = AuditLog(path)
    log.read()
    return log


def test_lines_are_sealed_to_those_before(path: Path) -> None:
    before = ""
    for text in path.read_text().splitlines():
        body = json.loads(text)
        digest = body.pop("digest")
        plain = before + json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        assert digest == hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()
        before = digest


@pytest.mark.parametrize("line", range(LINES))
@pytest.mark.parametrize("harm", ["edited", "taken out", "doubled", "unreadable", "forged"])
def test_damage_is_noticed(path: Path, line: int, harm: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    body = json.loads(lines[line])
    if harm == "edited":
        lines[line] = lines[line].replace("no.", "nO.")
    elif harm == "taken out":
        del lines[line]
    elif harm == "doubled":
        lines.insert(line, lines[line])
    elif harm == "forged":
        lines[line] = json.dumps(body | {"who": "bob", "digest": "0" * 32}) + "\n"
    else:
        lines[line] = "{}\n"
    path.write_text("".join(lines))
    log = read(path)
    assert log.problem is not None
    with pytest.raises(DamagedLogError, match=r"move rollout.log\* away"):
        log.append("ann@desk", "pause", BEGIN, {})
    # A revert is written down all the same.
    log.append("ann@desk", "revert", BEGIN, {}, force=True)
    assert json.loads(path.read_text().splitlines()[-1])["what"] == "revert"


@pytest.mark.parametrize("left", range(LINES))
def test_a_cut_is_noticed(path: Path, left: int) -> None:
    reader = read(path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:left]))
    for log in (read(path), reader):
        log.read()
        assert "its end was cut off" in str(log.problem)


def test_a_deleted_log_is_noticed(path: Path) -> None:
    path.unlink()
    assert "cut off" in str(read(path).problem)


@pytest.mark.parametrize("torn", ['{"n":5', '{"n":5}', "\N{SNOWMAN}"])
def test_a_torn_line_is_truncated_and_logged(path: Path, torn: str) -> None:
    with path.open("a") as file:
        file.write(torn)
    log = read(path)
    assert log.problem is None
    assert [entry.what for entry in log.truncate_torn_line("ann@desk", BEGIN)] == ["repaired"]
    log.append("ann@desk", "pause", BEGIN, {})
    assert read(path).problem is None
    assert json.loads(path.read_text().splitlines()[LINES])["torn"] == torn


def test_the_controller_is_named_and_those_who_ask_are_none(path: Path) -> None:
    """Who asks holds the lock for a moment, and is no controller to others who ask."""

    def ask(_number: int) -> str | None:
        return AuditLog(path).find_controller()

    with ThreadPoolExecutor(8) as threads:
        with AuditLog(path).hold_control("ann@desk"):
            held = list(threads.map(ask, range(8)))
            with (
                pytest.raises(RolloutError, match=f"held by ann@desk .process {os.getpid()}"),
                AuditLog(path).hold_control("bob@desk"),
            ):
                pass
        free = list(threads.map(ask, range(200)))
    assert held == [f"ann@desk (process {os.getpid()})"] * 8
    assert free == [None] * 200


def test_readers_see_what_others_add(path: Path) -> None:
    reader, writer = read(path), read(path)
    writer.append("bob@desk", "resume", BEGIN, {})
    assert [(entry.number, entry.who) for entry in reader.read()] == [(LINES + 1, "bob@desk")]
    assert reader.read() == []
    reader.append("ann@desk", "pause", BEGIN, {})
    assert [entry.number for entry in writer.read()] == [LINES + 2]
    assert read(path).problem is None
