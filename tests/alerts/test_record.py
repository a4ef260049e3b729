"""Goal: each cause is told at most once, whatever ends a watch.

Method: watches that are ended, killed in the middle of sending, and begun again on the same record
over the same candles; what a killed one left open is counted, and never sent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tallow.alerts import Alert, AlertRecord, LogSink, Outbox, QuietHours, Watch
from tallow.core.errors import AlertError
from tests.alerts.markets import candles, engine, planted, rules

ROOT = Path(__file__).parents[2]


def run(folder: Path, first: int = 0, last: int = 12) -> tuple[list[str], Watch]:
    """Watch a part of the planted history, from a fresh engine that saw what was before."""
    asked = rules()
    live = engine(asked)
    for part in planted(0, first):
        live.update(part)
    with Watch(live, asked, [LogSink(folder / "log.jsonl")], record=folder / "record") as watch:
        found = [each for part in planted(first, last) for each in watch.take(live.update(part))]
    return [each.rule for each in found], watch


def logged(folder: Path) -> list[str]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["rule"] for line in lines]


def test_a_restart_tells_nothing_again(tmp_path: Path) -> None:
    assert run(tmp_path, 0, 9)[0] == ["threshold", "pattern"]
    # The same minutes come again, as a feed repeats what was not acknowledged.
    again, watch = run(tmp_path, 0, 12)
    assert again == ["release", "busy"]
    assert logged(tmp_path) == ["threshold", "pattern", "release", "busy"]
    assert watch.statistics.unknown_before == 0


def test_a_restart_in_the_middle_of_a_squeeze_knows_that_it_was_told(tmp_path: Path) -> None:
    """Minute 6 is in range as minute 5 was: a rule that forgot would take it for a beginning."""
    assert run(tmp_path, 0, 7)[0] == ["threshold", "pattern"]
    assert run(tmp_path, 6, 9)[0] == []


@pytest.mark.parametrize(
    ("limit", "held"), [({"cooldown": 7_200.0}, "cooldown"), ({"hourly_cap": 1}, "cap")]
)
def test_cooldown_and_cap_outlive_a_restart(
    tmp_path: Path, limit: dict[str, float], held: str
) -> None:
    asked = [each for each in rules(**limit) if each.name == "busy"]
    for number, fired in ((0, 1), (30, 0), (200, 1)):
        live = engine(asked)
        with Watch(live, asked, record=tmp_path / "record") as watch:
            rows = [("A", number, 5.0), ("A", number + 1, 5.0), ("A", number + 2, 5.0)]
            watch.take(live.update(candles(rows, [1, 9_000, 1])))
            counts = watch.statistics.rules["busy"]
        assert (counts["fired"], counts[held]) == (fired, 1 - fired)


KILLED = """
import os, signal, sys
from pathlib import Path
from tallow.alerts import Watch
from tests.alerts.markets import engine, planted, rules

class Killing:
    name = "log"
    def send(self, alert):
        if {after}:
            with open({log!r}, "a") as file:
                file.write(alert.rule + chr(10))
        os.kill(os.getpid(), signal.SIGKILL)
    def close(self):
        pass

asked = rules()
live = engine(asked)
watch = Watch(live, asked, [Killing()], record={record!r})
for part in planted():
    watch.take(live.update(part))
watch.close()
"""


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_between_claim_and_send_never_sends_twice(tmp_path: Path, after: bool) -> None:
    log, record = str(tmp_path / "sent"), str(tmp_path / "record")
    code = KILLED.format(log=log, record=record, after=after)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL

    class Listing:
        name = "log"

        def __init__(self) -> None:
            self.told: list[str] = []

        def send(self, alert: Alert) -> None:
            self.told.append(alert.rule)

        def close(self) -> None:
            """Do nothing."""

    asked, sink = rules(), Listing()
    live = engine(asked)
    with Watch(live, asked, [sink], record=record) as watch:
        for part in planted():
            watch.take(live.update(part))
    first = Path(log).read_text().splitlines() if after else []
    both = first + sink.told
    # The first was claimed; others may have been, before the kill. None of these comes again.
    assert len(both) == len(set(both))
    lost = watch.statistics.unknown_before
    assert lost >= 1
    assert "threshold" not in sink.told
    assert len(sink.told) + lost == 4


def test_two_watches_cannot_share_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.alerts.record.ALERT_LOCK_SECONDS", 0.05)
    first = AlertRecord(tmp_path / "record")
    with pytest.raises(AlertError, match="another watch has it; stop that one"):
        AlertRecord(tmp_path / "record")
    first.close()
    AlertRecord(tmp_path / "record").close()
    assert (tmp_path / "record").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"no database at all, but longer than a header of one" * 20)
    with pytest.raises(AlertError, match=f"record={path}; file is not a database"):
        AlertRecord(path)
    assert os.path.getsize(path) > 0  # noqa: PTH202 - it is left as it was


def test_what_was_held_for_a_sink_that_is_gone_is_dropped(tmp_path: Path) -> None:
    at = datetime(2025, 7, 18, 22, tzinfo=UTC)
    quiet = QuietHours.of("21:00-07:00", "UTC", frozenset({"urgent"}))
    alerts = [("r", Alert(name, name, "A", "5m", at, at, "why")) for name in ("calm", "urgent")]
    for name in ("log", "other"):
        sink = LogSink(tmp_path / name)
        outbox = Outbox([sink], tmp_path / "record", quiet, lambda: at)
        if name == "log":
            outbox.put(alerts)
        outbox.hand_out_waiting()
        assert [each.rule for _, each in outbox.record.waiting()] == ["calm"]
        outbox.close()
    # At seven hours are no longer quiet.
    other = LogSink(tmp_path / "other")
    outbox = Outbox([other], tmp_path / "record", quiet, lambda: at + timedelta(hours=9))
    outbox.hand_out_waiting()
    outcomes = [(cause, outcome) for cause, _, outcome, _ in outbox.record.deliveries()]
    outbox.close()
    assert outcomes == [("calm", "dropped"), ("urgent", "sent")]
    assert not (tmp_path / "other").exists()
