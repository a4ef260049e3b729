"""Goal: a sink takes each alert at most once, keeps nobody waiting, and tells no secret.

Method: servers on loopback that answer well, late, wrongly, piece by piece or not at all, and count
what they were sent; sinks that raise or block.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallow.alerts import Alert, AppriseSink, LogSink, UnsentError, Watch, WebhookSink
from tallow.alerts.record import AlertRecord
from tallow.alerts.sending import Sender
from tallow.core.errors import AlertError
from tests.alerts.hooks import Answer, server, status
from tests.alerts.markets import candles, engine, rules

MOMENT = datetime(2025, 7, 18, 3, 50, tzinfo=UTC)
HIDDEN = "hunter2hunter2"


def alert(number: int = 1) -> Alert:
    return Alert(f"c{number}", "near", "A", "5m", MOMENT, MOMENT, "since", {"x": 1.0, "y": None})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.alerts.webhook.ALERT_WEBHOOK_PAUSE_SECONDS", 0.01)


def test_a_webhook_posts_the_alert_with_its_cause() -> None:
    with server(status(204)) as (host, seen):
        sink = WebhookSink(f"http://me:{HIDDEN}@{host}/hook?token={HIDDEN}")
        sink.send(alert())
    assert seen[0]["body"] == alert().to_dict()
    assert seen[0]["headers"]["Idempotency-Key"] == "c1"
    assert seen[0]["headers"]["Authorization"].startswith("Basic ")
    assert seen[0]["path"] == f"/hook?token={HIDDEN}"
    assert HIDDEN not in sink.name


@pytest.mark.parametrize("code", [429, 503])
def test_what_was_refused_for_now_is_tried_again(code: int) -> None:
    with server(status(code, 200)) as (host, seen):
        WebhookSink(f"http://{host}/").send(alert())
    assert len(seen) == 2


@pytest.mark.parametrize(("code", "sent"), [(400, 1), (500, 1), (502, 1), (503, 3)])
def test_an_answer_that_is_no_yes_fails(code: int, sent: int) -> None:
    with (
        server(status(code)) as (host, seen),
        pytest.raises(UnsentError, match=str(code)) as caught,
    ):
        WebhookSink(f"http://{host}/?token={HIDDEN}").send(alert())
    assert len(seen) == sent
    assert not caught.value.is_unknown
    assert HIDDEN not in str(caught.value)


def test_a_redirect_is_not_followed() -> None:
    with server(status(200)) as (elsewhere, there):
        for code in (301, 302, 307, 308):
            answer = status(code, Location=f"http://{elsewhere}/")
            with server(answer) as (host, seen), pytest.raises(UnsentError, match="not followed"):
                WebhookSink(f"http://{host}/").send(alert())
            assert len(seen) == 1
    assert not there


def drip(handler: Any, _: int) -> None:
    """Answer a byte at a time, for ever: no socket's timeout sees it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        try:
            handler.wfile.write(b"X: y\r\n"[:1])
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.02)


def hang_up(handler: Any, _: int) -> None:
    handler.connection.close()


@pytest.mark.parametrize("answer", [drip, hang_up, lambda _h, _n: time.sleep(1.0)])
def test_a_missing_answer_is_unknown_and_not_tried_again(answer: Answer) -> None:
    with server(answer) as (host, seen), pytest.raises(UnsentError, match="may have") as caught:
        WebhookSink(f"http://{host}/?token={HIDDEN}", deadline=0.3).send(alert())
    assert len(seen) == 1
    assert caught.value.is_unknown
    assert HIDDEN not in str(caught.value)


def test_a_dead_server_was_surely_not_told() -> None:
    with server(status(200)) as (host, _):
        pass
    with pytest.raises(UnsentError, match=r"no connection: .*; tried 3 times") as caught:
        WebhookSink(f"http://me:{HIDDEN}@{host}/").send(alert())
    assert not caught.value.is_unknown
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://host/x", "must be http"),
        ("http:///x", "must be http"),
        (f"http://me:{HIDDEN}@host:port/x", "cannot be read as an address"),
        ("http://host/a\r\nX-Evil: 1", "has a sign that must be escaped"),
    ],
)
def test_what_is_no_address_is_refused(url: str, problem: str) -> None:
    with pytest.raises(AlertError, match=problem) as caught:
        WebhookSink(url)
    assert HIDDEN not in str(caught.value)


def test_apprise_sends_once_and_shows_no_address() -> None:
    ended = alert().ended(MOMENT)
    with server(status(200)) as (host, seen):
        sink = AppriseSink(f"json://{host}/{HIDDEN}")
        sink.send(alert())
        sink.send(ended)
    bodies = [each["body"] for each in seen]
    assert [each["message"] for each in bodies] == [alert().text, ended.text]
    assert [each["type"] for each in bodies] == ["warning", "success"]
    assert [each["path"] for each in seen] == [f"/{HIDDEN}"] * 2
    assert HIDDEN not in sink.name


@pytest.mark.parametrize(
    ("answer", "is_unknown", "why"),
    [
        (status(500), False, "status 500"),
        (status(404), False, "status 404"),
        (hang_up, True, "may have arrived"),
    ],
)
def test_apprise_says_what_became_of_it(
    answer: Answer, is_unknown: bool, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with server(answer) as (host, seen), pytest.raises(UnsentError, match=why) as caught:
        AppriseSink(f"json://{host}/{HIDDEN}").send(alert())
    assert len(seen) == 1
    assert caught.value.is_unknown is is_unknown
    assert HIDDEN not in str(caught.value) + "".join(capfd.readouterr())


def test_an_apprise_that_takes_too_long_is_left() -> None:
    with (
        server(lambda _h, _n: time.sleep(1.0)) as (host, _),
        pytest.raises(UnsentError, match="TimeoutError; it may have arrived"),
    ):
        AppriseSink(f"json://{host}/", deadline=0.2).send(alert())


def test_a_log_has_a_line_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sink = LogSink(tmp_path / "log")
    sink.send(alert(1))
    sink.send(alert(2))
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [alert(1).to_dict(), alert(2).to_dict()]
    LogSink().send(alert())
    assert json.loads(capsys.readouterr().err) == alert().to_dict()
    with pytest.raises(AlertError, match="the folder does not exist"):
        LogSink(tmp_path / "none" / "log")


class Stuck:
    """Blocks until it is let go, then raises what it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.name, self.free, self.error, self.told = "stuck", threading.Event(), error, 0

    def send(self, _: Alert) -> None:
        self.free.wait()
        self.told += 1
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Do nothing: it is deaf, too."""


def test_a_dead_sink_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.alerts.sending.ALERT_QUEUE", 3)
    asked = [each for each in rules(hourly_cap=100) if each.name == "busy"]
    live, sink, record = engine(asked), Stuck(), AlertRecord()
    watch = Watch(live, asked, [sink], record=record)
    for number in range(0, 20, 2):
        volumes = [9_000, 1]
        watch.take(live.update(candles([("A", number, 5), ("A", number + 1, 5)], volumes)))
    watch.take(live.update(candles([("A", 20, 5)])))
    fired = watch.statistics.rules["busy"]["fired"]
    assert fired == 10
    # One is with the sink, three wait, the others found no room.
    assert watch.statistics.sinks["stuck"]["dropped"] == 6
    outcomes = [outcome for _, _, outcome, _ in record.deliveries()]
    assert sorted(outcomes) == ["claimed"] * 4 + ["dropped"] * 6
    watch.close(0.1)
    assert watch.statistics.sinks["stuck"] == {"sent": 0, "failed": 0, "unknown": 1, "dropped": 9}
    sink.free.set()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UnsentError("no"), "failed"),
        (UnsentError("late", is_unknown=True), "unknown"),
        (ValueError("bug"), "unknown"),
    ],
)
def test_what_a_sink_raises_is_on_record(error: Exception, outcome: str) -> None:
    record, sink = AlertRecord(), Stuck(error)
    record.claim([("r", alert())], ["stuck"], [])
    sender = Sender(sink, record)
    sender.put(alert())
    sink.free.set()
    sender.close(5.0)
    assert sender.counts[outcome] == 1
    assert sink.told == 1
    ((_, _, noted, why),) = record.deliveries()
    assert noted == outcome
    assert str(error) in why
