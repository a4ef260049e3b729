"""Goal: files that an earlier version wrote are read; those of a newer one are refused, in words.

Method: archives that `write_files` wrote with each version are unpacked and opened; what that
version read is beside its files. A newer file is one of today's with its version raised by one.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tallow.alerts.record import AlertRecord
from tallow.core.errors import TallowError, TallowWarning
from tallow.data.store.store import open_store
from tallow.engine import AnalyticsEngine
from tallow.migrate.flags.setting import read_setting
from tallow.migrate.rollout.audit import AuditLog
from tallow.migrate.rollout.journal import Journal
from tallow.migrate.rollout.plan import read_plan
from tallow.migrate.shadow import EvidenceStore
from tallow.runtime.live.live_engine import LiveEngine
from tallow.service.keys.key_file import KeyFile
from tests.upgrade.write_files import (
    CAUSE,
    FIRST,
    INDICATORS,
    INSTRUMENTS,
    MINUTES,
    REQUEST,
    TIMEFRAME,
    UNIVERSE,
    WRITTEN,
    candles,
)

VERSIONS = sorted(path.name.removesuffix(".tar.gz") for path in WRITTEN.glob("*.tar.gz"))


@pytest.fixture(params=VERSIONS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a folder with all that a version wrote."""
    with tarfile.open(WRITTEN / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_a_store_has_all_that_was_written_and_takes_more(folder: Path) -> None:
    with open_store(folder / "candles") as store:
        read = store.read()
        assert len(read) == len(INSTRUMENTS) * MINUTES
        written = pl.read_csv(folder / "candles.csv", try_parse_dates=True)
        assert_frame_equal(read.select("close", "volume"), written.select("close", "volume"))
        assert len(store.ledger.held()) == len(INSTRUMENTS)
        assert store.universes.names() == [UNIVERSE]
        # As it was kept: a day later it would be forgotten.
        receipts = store.backend.tail_file  # type: ignore[attr-defined]
        assert receipts.rows("SELECT name FROM receipts", ()) == [(REQUEST,)]
        assert store.write(candles(MINUTES, MINUTES + 5), source_timeframe="1m").new == 10
        bars = AnalyticsEngine(store=store).query(
            list(INSTRUMENTS), TIMEFRAME, indicators=INDICATORS, end="2025-07-18T11:15+05:30"
        )
    there = pl.read_parquet(folder / "bars.parquet")
    numbers = ["open", "high", "low", "close", "volume"]
    assert_frame_equal(bars.frame.select(numbers), there.select(numbers))


def test_a_live_state_goes_on_or_is_rebuilt(folder: Path) -> None:
    with open_store(folder / "candles") as store, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TallowWarning)
        live = LiveEngine.load(folder / "state", TIMEFRAME, INDICATORS, store=store)
        assert live.names == list(INSTRUMENTS)
    # Numbers of an indicator may have changed since: then it is said, and computed again.
    assert all("rebuilding from the store" in str(each.message) for each in caught)


def test_a_rollout_its_flag_and_its_evidence_are_where_they_were(folder: Path) -> None:
    paths = read_plan(folder / "rollout.toml").paths
    state = Journal(paths, "").refresh()
    assert (state.phase, state.stage) == ("running", "10%")
    assert read_setting(paths.flags, paths.experiment) == state.setting
    with closing(sqlite3.connect(paths.evidence)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM observation").fetchone()
    assert count == 1
    EvidenceStore(paths.evidence).close()


def test_a_key_and_a_claimed_alert_are_known(folder: Path) -> None:
    token = json.loads((folder / "token.json").read_text())
    key = KeyFile(folder / "keys.json").find(token)
    assert key is not None
    assert (key.name, key.role) == ("the writer", "read")
    record = AlertRecord(folder / "alerts.sqlite")
    assert record.known([CAUSE, "another"]) == {CAUSE}
    record.close()


def raise_user_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version + 1}")


def replace_text(path: Path, before: str, after: str) -> None:
    content = path.read_bytes()
    assert before.encode() in content
    path.write_bytes(content.replace(before.encode(), after.encode()))


def newer_table(folder: Path) -> object:
    log = folder / "candles" / "_delta_log" / f"{0:020}.json"
    replace_text(log, '"tallow.format":"1"', '"tallow.format":"2"')
    return open_store(folder / "candles")


def newer_tail(folder: Path) -> object:
    raise_user_version(folder / "candles" / "_tallow" / "state.sqlite")
    return open_store(folder / "candles")


def newer_state(folder: Path) -> object:
    replace_text(folder / "state", "tallow state 3\n", "tallow state 4\n")
    return LiveEngine.load(folder / "state", TIMEFRAME, INDICATORS)


def newer_evidence(folder: Path) -> object:
    raise_user_version(folder / "evidence.db")
    return EvidenceStore(folder / "evidence.db")


def newer_alerts(folder: Path) -> object:
    raise_user_version(folder / "alerts.sqlite")
    return AlertRecord(folder / "alerts.sqlite")


def newer_keys(folder: Path) -> object:
    replace_text(folder / "keys.json", '"format": 1', '"format": 2')
    return KeyFile(folder / "keys.json").keys()


def newer_plan(folder: Path) -> object:
    path = folder / "rollout.toml"
    path.write_text(f"budget = 3\n{path.read_text()}")
    return read_plan(path)


def newer_flags(folder: Path) -> object:
    paths = read_plan(folder / "rollout.toml").paths
    with paths.flags.open("a") as file:
        file.write("\n[flags.other]\nbudget = 3\n")
    return read_setting(paths.flags, paths.experiment)


def newer_log(folder: Path) -> object:
    paths = read_plan(folder / "rollout.toml").paths
    log = AuditLog(paths.log)
    log.read()
    # As a newer version would write it: its digest is right.
    log.append("me", "halve", FIRST, {})
    return Journal(paths, "").refresh()


@pytest.mark.parametrize(
    ("open_it", "to_do"),
    [
        (newer_table, "update tallow"),
        (newer_tail, "update it"),
        (newer_state, "rebuild it"),
        (newer_evidence, "go on with the version that wrote it"),
        (newer_alerts, "name another file"),
        (newer_keys, "update tallow"),
        (newer_plan, "budget: unknown"),
        (newer_flags, "budget: unknown"),
        (newer_log, "update this one"),
    ],
)
def test_a_file_of_a_newer_version_is_refused_with_what_to_do(
    open_it: Callable[[Path], object], to_do: str, tmp_path: Path
) -> None:
    with tarfile.open(WRITTEN / f"{VERSIONS[-1]}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    with pytest.raises(TallowError, match=to_do):
        open_it(tmp_path)
