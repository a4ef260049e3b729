"""Goal: whoever is told of a service's alerts hears of each cause once, and once that it is over,
over kills and restarts, at the right hour, and never sees a secret.

Method: an outage of each kind is planted in a service, whose webhook is a server of this process
that counts what it was sent; then it is mended.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from tallow.core.calendars import load_calendar
from tallow.core.errors import AlertError, ParameterError
from tallow.data.feeds.feed import Feed
from tallow.data.feeds.idle import IdleFeed
from tallow.migrate.rollout.plan import EXAMPLE, read_plan
from tallow.migrate.rollout.rollout import Rollout, revert
from tallow.serve.cli import app
from tallow.service.read_settings import read_settings, said_settings
from tallow.service.service import Service
from tallow.service.settings import ServiceSettings
from tests.alerts.hooks import server, status
from tests.alerts.markets import planted
from tests.service.asking import Client
from tests.service.inside import wait_until
from tests.service.program import running

HIDDEN = "hunter2hunter2"
Seen = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallow.service.outages.LOOK_SECONDS", 0.02)


@pytest.fixture
def hook() -> Iterator[tuple[str, Seen]]:
    """Return the address of a webhook with a secret, and what it is sent."""
    with server(status(200)) as (host, seen):
        yield f"http://{host}/services/{HIDDEN}", seen


def settings_of(folder: Path, url: str, **more: Any) -> ServiceSettings:
    said: dict[str, Any] = {
        "timeframes": ["1m"],
        "indicators": "",
        "calendar": "24/7",
        "alerts_settle_seconds": 0.0,
        "disk_free_alert": 0,
        "alerts_webhook": url,
    }
    return read_settings(None, **{"store": str(folder / "store"), **said, **more})


def told(seen: Seen) -> list[tuple[str, str]]:
    return [(each["body"]["rule"], each["body"]["state"]) for each in seen]


def wait_for(seen: Seen, rule: str, state: str) -> None:
    wait_until(lambda: (rule, state) in told(seen))


def once(rule: str) -> list[tuple[str, str]]:
    return [(rule, "began"), (rule, "over")]


def rows(*minutes: int) -> pl.DataFrame:
    """Return candles of an instrument, so many minutes ago; skip where that was another day."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    if (now - timedelta(minutes=max(minutes))).date() != now.date():
        pytest.skip("the session of this day is not as old as the test's candles")
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0)
    found = [
        {"instrument": "A", "timestamp": now - timedelta(minutes=each), **prices}
        for each in minutes
    ]
    return pl.DataFrame(found)


# An outage of each kind


def test_silence_in_a_session(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    with Service(settings_of(tmp_path, url, stale_seconds=0.2)) as service:
        service.live.update(rows(1))
        wait_for(seen, "staleness", "began")
        service.live.update(rows(0))
        wait_for(seen, "staleness", "over")
        wait_until(lambda: told(seen).count(("staleness", "began")) == 2)
    # Silent again is another cause.
    assert told(seen)[:3] == [*once("staleness"), ("staleness", "began")]
    assert "no candle came for" in seen[0]["body"]["reason"]
    causes = [each["headers"]["Idempotency-Key"] for each in seen]
    assert len(set(causes)) == len(causes)


class BrokenFeed(IdleFeed):
    """Says what it is told to of its connection."""

    def say(self, **said: Any) -> None:
        self._meter.note(**said)


class BrokenService(Service):
    def _open_feed(self) -> Feed:
        self.feed = BrokenFeed()
        return self.feed


def test_a_feed_that_is_cut_off_or_late(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    with BrokenService(settings_of(tmp_path, url, feed="ws://localhost:1/")) as service:
        service.feed.say(connected=False, error="refused", messages=1)
        wait_for(seen, "staleness", "began")
        service.feed.say(connected=True)
        wait_for(seen, "staleness", "over")
        service.feed.say(lag_seconds=500.0)
        wait_until(lambda: len(seen) == 3)
        service.feed.say(lag_seconds=1.0)
        wait_until(lambda: len(seen) == 4)
    assert told(seen) == once("staleness") * 2
    reasons = [each["body"]["reason"] for each in seen]
    assert reasons[0] == "the feed is not connected; refused"
    assert reasons[2].startswith("the feed's candles come 500 s after")


def test_a_gap_and_who_fills_it(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    with Service(settings_of(tmp_path, url)) as service:
        service.live.update(rows(12, 11, 5, 4))
        wait_for(seen, "gap", "began")
        service.live.update(rows(10, 9, 8))
        service.live.update(rows(7))
        wait_for(seen, "gap", "over")
    assert told(seen) == once("gap")
    assert seen[0]["body"]["reason"].endswith(", 5 minutes")


def test_a_session_that_no_fact_states(
    tmp_path: Path, hook: tuple[str, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = hook
    calendar = load_calendar("24/7")
    assumed = np.ones(len(calendar.table.day_date), dtype=np.bool_)
    planted = replace(calendar, table=replace(calendar.table, day_provisional=assumed))
    with Service(settings_of(tmp_path, url)) as service, monkeypatch.context() as patch:
        patch.setattr("tallow.service.outages._calendar", lambda _: planted)
        wait_for(seen, "calendar", "began")
        patch.setattr("tallow.service.outages._calendar", lambda _: calendar)
        wait_for(seen, "calendar", "over")
        assert service.alerting.status()["open"] == []
    assert told(seen) == once("calendar")
    assert "no fact states the session of" in seen[0]["body"]["reason"]


def test_a_rollout_that_is_reverted(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    plan = tmp_path / "rollout.toml"
    plan.write_text(EXAMPLE)
    read = read_plan(plan)
    rollout = Rollout(read, "me")
    rollout.start()
    with Service(settings_of(tmp_path, url, rollout=plan)):
        revert(read.paths, "wrong numbers")
        wait_for(seen, "rollback", "began")
        rollout.advance("it is right now")
        wait_for(seen, "rollback", "over")
    assert told(seen) == once("rollback")
    assert seen[0]["body"]["reason"] == "the candidate was turned off; wrong numbers"


RULES = """
[near]
alert = "threshold"
squeeze = "squeeze(2, 1, 4, 10)"
timeframe = "1m"
cooldown = 0

[busy]
condition = "volume > 5000"
timeframe = "1m"
"""


def test_a_squeeze_and_a_screen(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    # The planted history is of a day that is past: what comes is old, and nothing is missing.
    with Service(settings_of(tmp_path, url, rules=rules, stale_seconds=1e6)) as service:
        for part in planted():
            service.live.update(part)
    assert told(seen) == [("near", "began"), ("near", "over"), ("busy", "began"), ("busy", "over")]
    assert seen[1]["body"]["text"].startswith("A: near (1m): is over: band width is 0.00 %")


# Restarts


def test_a_kill_loses_no_end_and_tells_nothing_twice(
    tmp_path: Path, hook: tuple[str, Seen]
) -> None:
    url, seen = hook
    config = tmp_path / "serve.toml"
    config.write_text(
        f'alerts_webhook = "{url}"\nalerts_settle_seconds = 0\ndisk_free_alert = {10**15}\n'
        'timeframes = ["1m"]\nindicators = ""\ncalendar = "24/7"\n'
    )
    options = ("--config", str(config), "--store", str(tmp_path / "store"))
    with running(*options) as (program, _):
        wait_for(seen, "disk", "began")
        os.kill(program.pid, signal.SIGKILL)
        _, log = program.communicate()
    assert HIDDEN not in log
    looks = itertools.count()
    full = settings_of(tmp_path, url, disk_free_alert=10**15)
    with Service(full) as service, counted_looks(service, looks):
        wait_until(lambda: next(looks) > 0 and service.alerting.status()["open"] != [])
        assert [each["cause"] for each in service.alerting.status()["open"]] == ["disk"]
    assert told(seen) == [("disk", "began")]
    with Service(settings_of(tmp_path, url)):
        wait_for(seen, "disk", "over")
    with Service(settings_of(tmp_path, url)) as service:
        assert service.alerting.status()["open"] == []
    assert told(seen) == once("disk")


@contextmanager
def counted_looks(service: Service, looks: Iterator[int]) -> Iterator[None]:
    outages = service.alerting._outages
    assert outages is not None
    look: Callable[[], None] = outages.look

    def looked() -> None:
        look()
        next(looks)

    outages.look = looked  # type: ignore[method-assign]
    yield
    wait_until(lambda: next(looks) > 3)


# Quiet hours


def hours(begin: timedelta, end: timedelta) -> str:
    """Return hours around now, UTC."""
    now = datetime.now(UTC)
    return f"{now + begin:%H:%M}-{now + end:%H:%M}"


QUIET = {"quiet_zone": "UTC", "alerts_urgent": ["rollback"]}


def test_what_falls_in_quiet_hours_is_told_at_their_end_if_it_is_still_so(
    tmp_path: Path, hook: tuple[str, Seen]
) -> None:
    url, seen = hook
    now = hours(timedelta(hours=-1), timedelta(hours=1))
    quiet = settings_of(tmp_path, url, disk_free_alert=10**15, quiet_hours=now, **QUIET)
    with Service(quiet) as service:
        service.live.update(rows(12, 11, 5, 4))
        wait_until(lambda: len(service.alerting.status()["recent"]) == 2)
        service.live.update(rows(10, 9, 8, 7, 6))
        wait_until(lambda: len(service.alerting.status()["recent"]) == 3)
        assert service.alerting.status()["is_quiet"]
    assert seen == []
    later = hours(timedelta(hours=2), timedelta(hours=3))
    loud = settings_of(tmp_path, url, disk_free_alert=10**15, quiet_hours=later, **QUIET)
    with Service(loud) as service:
        wait_for(seen, "disk", "began")
        outcomes = {
            (each["rule"], delivery["outcome"])
            for each in service.alerting.status()["recent"]
            for delivery in each["deliveries"]
        }
    # The gap began and was filled meanwhile.
    assert outcomes >= {("gap", "quieted")}
    assert told(seen) == [("disk", "began")]


def test_what_is_urgent_does_not_wait(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    said = QUIET | {"alerts_urgent": ["disk"]}
    said |= {"quiet_hours": hours(timedelta(hours=-1), timedelta(hours=1))}
    with Service(settings_of(tmp_path, url, disk_free_alert=10**15, **said)):
        wait_for(seen, "disk", "began")


# A test of whoever is told


def test_a_test_goes_to_each_sink_and_says_what_became_of_it(
    tmp_path: Path, hook: tuple[str, Seen]
) -> None:
    url, seen = hook
    apprise = url.replace("http://", "json://")
    log = tmp_path / "alerts.jsonl"
    more = {"alerts_apprise": [apprise], "alerts_log": log, "hosts": ["localhost"]}
    with Service(settings_of(tmp_path, url, **more)) as service:
        answer = Client(service).ask("POST", "/v1/alerts/test")
        assert answer.status_code == 200
        found = answer.json()["deliveries"]
        assert HIDDEN not in Client(service).get("/v1/alerts").text
    assert [each["outcome"] for each in found] == ["sent"] * 3
    assert HIDDEN not in answer.text
    assert len(seen) == 2
    assert seen[0]["body"]["rule"] == "test"
    assert seen[1]["body"]["title"] == "Tallow: test"
    assert '"rule": "test"' in log.read_text()


def test_the_verb_sends_a_test(tmp_path: Path, hook: tuple[str, Seen]) -> None:
    url, seen = hook
    config = tmp_path / "serve.toml"
    config.write_text(f'alerts_webhook = "{url}"\n')
    answer = CliRunner().invoke(app, ["alerts", "test", "--config", str(config)])
    assert answer.exit_code == 0, answer.output
    assert HIDDEN not in answer.output
    assert told(seen) == [("test", "began")]
    with server(status(404)) as (host, _):
        config.write_text(f'alerts_webhook = "http://{host}/{HIDDEN}"\n')
        answer = CliRunner().invoke(app, ["alerts", "test", "--config", str(config), "--json"])
    assert answer.exit_code == 1
    assert '"outcome": "failed"' in answer.output
    assert HIDDEN not in answer.output
    config.write_text("port = 1\n")
    answer = CliRunner().invoke(app, ["alerts", "test", "--config", str(config)])
    assert answer.exit_code == 2
    assert "alerts_webhook" in answer.output


def test_without_sinks_and_rules_nothing_is_watched(tmp_path: Path) -> None:
    settings = read_settings(store=str(tmp_path / "store"), timeframes=["1m"], indicators="")
    with Service(settings) as service:
        assert service.alerting.status()["sinks"] == {}
        with pytest.raises(AlertError, match="no sink; nobody is told"):
            service.alerting.test()


# Settings


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"quiet_hours": "22-7"}, "must be two times of day"),
        ({"quiet_hours": "07:00-07:00"}, "begin and end are the same"),
        ({"quiet_zone": "Mars/Base"}, "is no time zone"),
        ({"alerts_webhook": f"ftp://host/{HIDDEN}"}, "must be http"),
        ({"alerts_apprise": [f"nonsense://host/{HIDDEN}"]}, "is no address that Apprise reads"),
        ({"alerts_apprise": [HIDDEN]}, "is no address that Apprise reads"),
    ],
)
def test_a_wrong_setting_is_said_without_its_secret(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ParameterError, match=why) as caught:
        read_settings(None, **said)
    assert HIDDEN not in str(caught.value)


def test_no_secret_is_among_the_settings_that_are_shown() -> None:
    url = f"https://host/{HIDDEN}"
    said = said_settings(None, alerts_webhook=url, alerts_apprise=[f"json://host/{HIDDEN}"])
    assert HIDDEN not in str(said)
