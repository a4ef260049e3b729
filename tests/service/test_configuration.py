"""Goal: `tallow serve --check` says all that is wrong with a configuration, and changes nothing.

Method: a folder with every kind of file that a service is told of, written by Tallow itself, is
checked as it is and with mistakes; its files are compared byte by byte.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from tallow.data.store.store import open_store
from tallow.migrate.evidence import Observation
from tallow.migrate.rollout.plan import EXAMPLE, read_plan
from tallow.migrate.rollout.rollout import Rollout
from tallow.migrate.shadow import EvidenceStore
from tallow.runtime.live.live_engine import LiveEngine
from tallow.serve.cli import app
from tallow.service.configuration import check_configuration
from tallow.service.keys.key_file import KeyFile
from tallow.service.settings import ServiceSettings
from tests.service.program import free_port

SETTINGS = """\
store = "{0}/candles"
state = "{0}/state"
keys = "{0}/keys.json"
feed = "replay:{0}/candles"
timeframes = ["5m"]
indicators = "ema(2)"
calendar = "24/7"
screens = "{0}/screens.toml"
rules = "{0}/rules.toml"
rollout = "{0}/rollout.toml"
disk_free_min = 0
port = {1}
"""
SCREENS = '[tall]\ncondition = "close > 1"\ntimeframe = "5m"\n'
RULES = '[up]\ncondition = "close crosses above ema(2)"\ntimeframe = "5m"\n'


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(f"TALLOW_{name.upper()}", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with all that a service reads."""
    opened = datetime(2025, 7, 18, 4, tzinfo=UTC)
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    row = {"instrument": "A", "timestamp": opened, "volume": 1.0} | prices
    with open_store(tmp_path / "candles", create=True) as store:
        store.write(pl.DataFrame(row), source_timeframe="1m")
        LiveEngine("5m", "ema(2)", store=store, calendar="24/7").save(tmp_path / "state")
    KeyFile(tmp_path / "keys.json").create("me", "read", None)
    (tmp_path / "screens.toml").write_text(SCREENS)
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "rollout.toml").write_text(EXAMPLE)
    plan = read_plan(tmp_path / "rollout.toml")
    Rollout(plan, "me").start()
    evidence = EvidenceStore(plan.paths.evidence)
    evidence.add([Observation("new-engine", datetime.now(UTC), "A", "control")])
    evidence.close()
    (tmp_path / "serve.toml").write_text(SETTINGS.format(tmp_path, free_port()))
    return tmp_path


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the bytes of all files, and when each was changed."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return {str(each): (each.stat().st_mtime_ns, each.read_bytes()) for each in files}


def wrong(folder: Path) -> tuple[str, ...]:
    return check_configuration(folder / "serve.toml").wrong


def test_a_right_configuration_is_right_and_no_file_is_made_or_changed(folder: Path) -> None:
    before = contents(folder)
    report = check_configuration(folder / "serve.toml")
    assert (report.wrong, report.notes) == ((), ())
    assert contents(folder) == before


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    (folder / "keys.json").write_text("{}")
    (folder / "screens.toml").write_text('[tall]\nconditions = "close > 1"\n')
    (folder / "state").write_text("a state of something else")
    (folder / "candles" / "_tallow" / "state.sqlite").write_text("nothing")
    (folder / "evidence.db").write_text("nothing")
    with (folder / "serve.toml").open("a") as file:
        file.write("speed = -1\nlogg = 'text'\nhosts = 5\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        report = check_configuration(folder / "serve.toml", port=port, disk_free_min=10**18)
    starts = (
        f"{folder}/serve.toml: speed = -1; must be 0.0 or more",
        f"{folder}/serve.toml: hosts = 5; must be a list",
        f"{folder}/serve.toml: logg; is no setting; did you mean log?",
        f"keys: {folder}/keys.json; is no file of keys; make one with:",
        f"store: {folder}/candles/_tallow/state.sqlite: ",
        f"disk: {folder}/candles: free=",
        f"screens: {folder}/screens.toml: 'tall': 'conditions'; unknown key",
        f"evidence: file={folder}/evidence.db",
        f"port: host=127.0.0.1, port={port}; cannot listen there: Address already in use; ",
    )
    found = sorted(report.wrong)
    assert len(found) == len(starts), "\n".join(found)
    for text, start in zip(found, sorted(starts), strict=True):
        assert text.startswith(start), text
    (note,) = report.notes
    assert note.startswith(f"state: file={folder}/state; not a state")
    assert note.endswith("it is rebuilt from the store")


def test_what_screens_and_rules_say_is_read(folder: Path) -> None:
    (folder / "screens.toml").write_text('[tall]\ncondition = "closed > 1"\n')
    (said,) = wrong(folder)
    assert said.startswith(f"screens: {folder}/screens.toml: 'tall': ")
    assert "closed" in said
    (folder / "rules.toml").write_text("[up]\n")
    (said,) = wrong(folder)
    assert said.startswith(f"rules: {folder}/rules.toml: 'up': no condition")


def test_a_tail_of_a_newer_version_is_refused(folder: Path) -> None:
    with sqlite3.connect(folder / "candles" / "_tallow" / "state.sqlite") as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    assert all("made by a newer tallow" in text for text in wrong(folder))
    assert "update it" in wrong(folder)[0]


def test_what_is_not_there_yet_is_right_where_it_may_be_made(folder: Path) -> None:
    shutil.rmtree(folder / "candles")
    (folder / "state").unlink()
    text = (folder / "serve.toml").read_text().replace(f"replay:{folder}/candles", "ws://feed:1")
    (folder / "serve.toml").write_text(text)
    assert wrong(folder) == ()
    assert not (folder / "candles").exists()
    (folder / "serve.toml").write_text(text.replace(f"{folder}/state", f"{folder}/none/state"))
    log = folder / "none" / "alerts.jsonl"
    found = check_configuration(folder / "serve.toml", alerts_log=log).wrong
    assert len(found) == 2
    assert all("its folder is not there; make it" in said for said in found)


def test_a_feed_is_held_to_its_options_without_a_connection(folder: Path) -> None:
    file = folder / "serve.toml"
    for feed, rule in (
        ("ws://", "must be such as ws://"),
        ("redis://127.0.0.1:1/0?stream=a&speed=1", "speed"),
        (f"replay:{folder}/none.csv", "no such file"),
        (f"replay:{folder}", "holds no store"),
    ):
        found = check_configuration(file, feed=feed).wrong
        assert len(found) == 1, feed
        assert rule in found[0]
    assert check_configuration(file, feed="redis://127.0.0.1:1/0?stream=a").wrong == ()


def test_the_command_ends_with_1_where_something_is_wrong(folder: Path) -> None:
    options = ["serve", "--check", "--config", str(folder / "serve.toml")]
    done = CliRunner().invoke(app, options)
    assert (done.exit_code, done.output.splitlines()[-1].partition(";")[0]) == (
        0,
        "ok: the configuration is right",
    )
    done = CliRunner().invoke(app, [*options, "--host", "10.0.0.1", "--keys", f"{folder}/no.json"])
    assert done.exit_code == 1
    assert done.output.startswith("wrong: serve: host=10.0.0.1; other machines reach it")
