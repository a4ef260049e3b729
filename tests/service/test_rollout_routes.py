"""Goal: over HTTP a rollout is read and led as on the command line, each request done once; two
engines are compared on the store's candles.

Method: a plan as the package prints it, observations as a shadow writes them; the log of the
rollout says what was done. A comparison is held against the same one in this process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.migrate.compare import compare
from tallow.migrate.evidence import Judgement, Observation
from tallow.migrate.flags.setting import read_setting
from tallow.migrate.protocol import Request
from tallow.migrate.rollout.audit import AuditLog
from tallow.migrate.rollout.plan import EXAMPLE, read_plan
from tallow.migrate.rollout.rollout import Rollout
from tallow.migrate.shadow import EvidenceStore
from tallow.service.errors import BusyError
from tallow.service.limits import ROLLOUT_ACTIONS_WAITING_MAX
from tallow.service.read_settings import read_settings
from tallow.service.rollout_access import RolloutAccess
from tallow.service.service import Service
from tests.service.asking import Client

NAME = "new-engine"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "rollout.toml"
    path.write_text(EXAMPLE)
    return path


@pytest.fixture
def client(plan: Path) -> Iterator[Client]:
    store = str(plan.parent / "candles")
    with Service(read_settings(store=store, rollout=plan, timeframes=["1m"])) as service:
        yield Client(service)


def acts(plan: Path) -> list[str]:
    entries = AuditLog(plan.with_name("rollout.log")).read()
    return [each.what for each in entries if each.what not in ("applied", "plan")]


def act(client: Client, action: str, key: str | None = None, **said: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.ask("POST", f"/v1/rollout/{action}", headers=headers, json=said)


def test_a_rollout_is_led_and_read(client: Client, plan: Path) -> None:
    assert client.get("/v1/rollout").json()["phase"] == "new"
    begun = act(client, "start", reason="the comparison was clean").json()
    assert (begun["stage"], begun["reason"]) == ("shadow", "the comparison was clean")
    answer = act(client, "advance", reason="it is right").json()
    assert (answer["stage"], answer["reason"]) == ("10%", "it is right")
    assert read_setting(plan.with_name("flags.toml"), NAME).share == 10
    assert act(client, "pause").json()["phase"] == "paused"
    refused = act(client, "pause")
    assert (refused.status_code, "only a running one" in refused.text) == (409, True)
    refused = act(client, "start")
    assert (refused.status_code, "resume goes on" in refused.text) == (409, True)
    assert act(client, "resume").json()["phase"] == "running"
    found = client.get("/v1/rollout").json()
    assert [each["what"] for each in found["log"] if each["what"] != "plan"] == acts(plan)
    assert [each["name"] for each in found["stages"]][:3] == ["off", "shadow", "10%"]
    gates = {each["name"]: each for each in found["stages"][2]["gates"]}
    assert gates["p99_ratio"] == {"name": "p99_ratio", "fail_above": 3.0, "pass_below": 1.5}
    assert found["problems"] == ["no controller watches it; tallow rollout run does"]
    off = act(client, "revert", reason="wrong VWAP").json()
    assert (off["phase"], off["stage"], off["problems"]) == ("reverted", "off", [])
    assert str(read_setting(plan.with_name("flags.toml"), NAME)) == "off"


def test_an_action_is_done_once_by_its_key(client: Client, plan: Path) -> None:
    act(client, "start")
    first = act(client, "advance", "k1", reason="a")
    again = act(client, "advance", "k1", reason="a")
    assert (first.json(), first.headers.get("Idempotent-Replayed")) == (again.json(), None)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert act(client, "advance", "k1", reason="another").status_code == 422
    assert act(client, "advance", "k2", reason="a").json()["stage"] == "50%"
    # The answer is that of the moment, whatever came after it.
    assert act(client, "advance", "k1", reason="a").json() == first.json()
    assert acts(plan) == ["start", "advance", "advance"]
    paused = act(client, "pause", "k3").json()
    assert act(client, "pause", "k3").json() == paused
    assert act(client, "resume", "k3").status_code == 422


def test_a_key_is_one_of_a_day(plan: Path) -> None:
    from tallow.migrate.rollout.journal import ActionRequest, RepeatedActionError

    days = iter(datetime(2025, 7, 1, tzinfo=UTC) + timedelta(hours=at) for at in (0, 1, 26))
    rollout = Rollout(read_plan(plan), "me", lambda: next(days), ActionRequest("k", ""))
    rollout.start()
    with pytest.raises(RepeatedActionError):
        rollout.advance()
    assert rollout.advance().stage == "10%"


def test_a_revert_needs_no_log_and_no_whole_plan(client: Client, plan: Path) -> None:
    act(client, "start")
    log = plan.with_name("rollout.log")
    log.write_bytes(log.read_bytes().replace(b"shadow", b"shadoW"))
    assert act(client, "advance").status_code == 409
    assert "is not what was written" in client.get("/v1/rollout").json()["problems"][0]
    plan.write_text(EXAMPLE.replace("stage = 50", "stage = 5"))
    assert client.get("/v1/rollout").status_code == 409
    off = act(client, "revert")
    assert (off.status_code, off.json()["stage"]) == (200, "off")
    assert any("is not what was written" in each for each in off.json()["problems"])
    assert str(read_setting(plan.with_name("flags.toml"), NAME)) == "off"


def test_a_log_that_is_begun_anew_is_read_anew(client: Client, plan: Path) -> None:
    act(client, "start")
    assert client.get("/v1/rollout").json()["phase"] == "running"
    for each in plan.parent.glob("rollout.log*"):
        each.unlink()
    client.get("/v1/rollout")
    assert client.get("/v1/rollout").json()["phase"] == "new"


def test_evidence_by_cause_and_the_worst_calls(client: Client, plan: Path) -> None:
    assert client.get("/v1/rollout/evidence").json()["totals"] is None
    assert not plan.with_name("evidence.db").exists()
    now = datetime.now(UTC)
    little = Judgement(10, 9, 1, 0, 0, {"ROUNDING": 1})
    much = Judgement(10, 4, 1, 5, 2, {"ROUNDING": 1, "UNEXPLAINED": 5})
    judged = {"A": little, "B": much, "C": Judgement(10, 10)}
    rows = [Observation(NAME, now, key, "control", judgement=each) for key, each in judged.items()]
    rows.append(Observation(NAME, now, "D", "control", error="ValueError: no"))
    rows.append(Observation(NAME, now - timedelta(hours=3), "E", "control", judgement=much))
    EvidenceStore(plan.with_name("evidence.db")).add(rows)
    found = client.get("/v1/rollout/evidence").json()
    assert found["totals"]["causes"] == {"ROUNDING": 2, "UNEXPLAINED": 5}
    assert [each["key"] for each in found["worst"]] == ["B", "A", "D"]
    assert found["worst"][0]["judgement"]["flips"] == 2
    found = client.get("/v1/rollout/evidence", hours=4, limit=2).json()
    assert [each["key"] for each in found["worst"]] == ["E", "B"]


def test_without_a_plan_there_is_no_rollout(service: Service) -> None:
    client = Client(service)
    for answer in (client.get("/v1/rollout"), act(client, "revert"), act(client, "advance")):
        assert (answer.status_code, answer.json()["hint"]) == (
            404,
            "name it in the setting rollout",
        )


def test_actions_that_wait_are_few(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may = threading.Event()
    monkeypatch.setattr(
        "tallow.service.rollout_access._act", lambda *_: may.wait(30) and pytest.fail("late")
    )
    access = RolloutAccess(plan)

    async def asking() -> list[BaseException | None]:
        asked = [access.act("start", "", "", None) for _ in range(ROLLOUT_ACTIONS_WAITING_MAX + 1)]
        tasks = [asyncio.ensure_future(each) for each in asked]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        may.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [each.exception() for each in done]

    assert [type(each) for each in asyncio.run(asking())] == [BusyError]
    access.close()


def test_two_engines_are_compared(service: Service, market: pl.DataFrame) -> None:
    client, name = Client(service), str(market["instrument"][0])
    own = market.filter(pl.col("instrument") == name)
    days = own["timestamp"].dt.date().unique().sort()
    asked: dict[str, Any] = {"timeframe": "15m", "indicators": "sma(9), ema(9)"}
    words = {"control": "polars_talib", "instrument": name, "start": str(days[-1])} | asked
    found = client.get("/v1/comparison", **words).json()
    request = Request(own, **asked, start=str(days[-1]))
    here = compare("polars_talib", "tallow", request, runs=0).to_dict()
    assert found["series"]["ema_9"]["causes"] == here["series"]["ema_9"]["causes"]
    assert found["total"] == here["total"]
    assert found["bars"]["both"] > 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ({"control": "http://169.254.169.254/"}, 422, "must be the name of a declared engine"),
        ({"control": "os:system"}, 422, "must be the name of a declared engine"),
        ({"candidate": "/etc/passwd.csv"}, 422, "must be the name of a declared engine"),
        ({"candidate": "talib_"}, 422, "talib"),
        ({"instrument": "NOBODY"}, 404, "NOBODY"),
        ({"indicators": "ema(0)"}, 422, "ema"),
        ({"timeframe": "7q"}, 422, "7q"),
        ({"start": "2025-99-01"}, 422, "2025-99-01"),
        ({"start": "1999-01-04", "end": "1999-01-05"}, 422, ""),
    ],
)
def test_what_cannot_be_compared_is_told(
    service: Service, market: pl.DataFrame, words: dict[str, str], status: int, said: str
) -> None:
    instrument = {"instrument": str(market["instrument"][0])}
    answer = Client(service).get("/v1/comparison", **(instrument | words))
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


def test_a_comparison_is_bounded(
    service: Service, market: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallow.service.http import comparison

    said = {"instrument": (str(market["instrument"][0]),)}
    engine = tallow.AnalyticsEngine(store=service.store)
    monkeypatch.setattr(comparison, "COMPARED_CANDLES_MAX", 100)
    with pytest.raises(tallow.TallowError, match="must be at most 100"):
        comparison.compare_stored(engine, "XNSE", said)
    monkeypatch.setattr(comparison, "COMPARED_CANDLES_MAX", 10**9)
    assert b'"verdict"' in comparison.compare_stored(engine, "XNSE", said)
