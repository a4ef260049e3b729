"""Goal: the old API's health, candles and stored history answer as its text says; others refuse.

Method: each route is asked of a service over simulated minutes and made days; the shapes, texts and
numbers expected are written out from the old interface's description.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import httpx
import polars as pl
import pytest

from tallow.core.errors import StoreError
from tallow.service.compat.elsewhere import BROKER, NOWHERE
from tallow.service.service import Service
from tests.service.asking import Client
from tests.service.old_world import (
    DAY,
    DEMO,
    HEADS,
    NUMBER,
    OTHER,
    PRICES,
    SHARED,
    UP,
    assert_shape,
    days,
    double,
    minutes,
    moment_text,
    old_service,
    refused,
)

PAGE = "https://desk.example"
MINUTES = {
    **HEADS,
    **PRICES,
    **SHARED,
    "time_interval": str,
    "ema_20": 0,
    "bb_width_normalized": NUMBER,
    "bb_width_normalized_percentage": NUMBER,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("old") / "candles"
    with old_service(folder, minutes(), days(), origins=[PAGE]) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return Client(service)


def candles(client: Client, key: str, timeframe: str, **asked: str) -> httpx.Response:
    return client.get(f"/api/v1/candles/{key}/{timeframe}", **asked)


def multi(client: Client, **more: Any) -> httpx.Response:
    return client.ask("POST", f"/api/v1/candles/{DEMO}/multi", **more)


def test_health(client: Client) -> None:
    answer = client.get("/api/v1/health").json()
    shape = {"success": True, "data": {"status": "UP", "time": moment_text}}
    assert_shape(answer, shape)
    assert len(answer["data"]["time"]) == len("2025-07-24T10:00:00+05:30")


OPEN, NOON = "2025-07-18T09:15:00+05:30", "2025-07-18T12:00:00+05:30"


def test_five_minutes(client: Client, service: Service) -> None:
    rows = double(candles(client, DEMO, "5minute", start=OPEN, end=NOON))
    assert_shape(rows, [MINUTES])
    assert [row["timestamp"] for row in (rows[0], rows[-1])] == [OPEN, NOON]
    assert len(rows) == 34
    bars = service.engine.query(DEMO, "5m", OPEN, "2025-07-18T12:00:01+05:30").frame
    last = bars.row(-1, named=True)
    assert rows[-1]["ma_9"] == last["sma_9"]
    for name, ours in {"rsi": "rsi_14", "bb_upper": "bb_upper_20_2", "vwap": "vwap"}.items():
        assert rows[-1][name] == pytest.approx(last[ours], abs=0.005001)
        assert rows[-1][name] == round(rows[-1][name], 2)
    share = (last["bb_upper_20_2"] - last["bb_lower_20_2"]) / last["bb_middle_20_2"]
    assert rows[-1]["bb_width_normalized"] == pytest.approx(share, abs=0.00005001)
    assert rows[-1]["bb_width_normalized_percentage"] == pytest.approx(100 * share, abs=0.00005001)
    assert 0 < rows[-1]["lowest_bb_width"] <= rows[-1]["bb_width"]


def test_without_a_start_it_is_a_week_and_a_month_before_the_end(client: Client) -> None:
    end = "2025-07-22T15:25:00Z"
    rows = double(candles(client, DEMO, "5minute", end=end))
    assert rows[0]["timestamp"] == "2025-07-16T09:15:00+05:30"
    assert double(candles(client, DEMO, "day", end=end))[0]["timestamp"].startswith("2025-07-07T00")
    assert double(candles(client, DEMO, "5minute")) is None


def test_the_key_may_be_sent_raw_or_encoded_and_a_slash_never_matches(client: Client) -> None:
    raw = double(candles(client, DEMO, "5minute", start=OPEN, end=NOON))
    assert double(candles(client, quote(DEMO), "5minute", start=OPEN, end=NOON)) == raw
    assert candles(client, "a%2Fb", "5minute").status_code == 404


def test_days_leave_the_end_out(client: Client) -> None:
    rows = double(candles(client, UP, "day", start="2025-06-20T00:00:00+05:30", end=OPEN))
    assert_shape(rows, [DAY])
    assert len(rows) > 10
    assert rows[0]["timestamp"] == "2025-06-20T00:00:00+05:30"
    early = {"start": "2025-06-20T00:00:00+05:30", "end": "2025-06-20T00:00:00+05:30"}
    assert double(candles(client, UP, "day", **early)) == rows
    assert rows[0]["rsi"] == round(rows[0]["rsi"], 4)


def test_an_unknown_instrument_has_no_candles(client: Client) -> None:
    assert double(candles(client, "NSE_EQ|NONE", "5minute", start=OPEN, end=NOON)) is None
    assert double(candles(client, "NSE_EQ|NONE", "day", start=OPEN, end=NOON)) == []


ORDER = "Failed to retrieve candle data: end time must be after start time"
TIME = "Invalid {} time format, use RFC3339".format


@pytest.mark.parametrize(
    ("timeframe", "asked", "status", "text"),
    [
        ("1minute", {}, 400, "Unsupported timeframe"),
        ("5min", {}, 400, "Unsupported timeframe"),
        ("multi", {}, 400, "Unsupported timeframe"),
        ("5min", {"start": "x"}, 400, TIME("start")),
        ("5min", {"end": "2025-07-18"}, 400, TIME("end")),
        ("day", {"start": "2025-07-18T09:15:00"}, 400, TIME("start")),
        ("day", {"start": "2025-13-18T09:15:00Z"}, 400, TIME("start")),
        ("5minute", {"start": OPEN}, 500, ORDER),
        ("day", {"start": OPEN}, 500, ORDER),
        ("5minute", {"start": NOON, "end": OPEN}, 500, ORDER),
    ],
)
def test_what_is_wrong_about_candles(
    client: Client, timeframe: str, asked: dict[str, str], status: int, text: str
) -> None:
    refused(candles(client, DEMO, timeframe, **asked), status, text)


def test_a_plus_that_is_not_escaped_is_a_space(client: Client) -> None:
    answer = client.get(f"/api/v1/candles/{DEMO}/day?end=2025-07-18T09:15:00+05:30")
    refused(answer, 400, TIME("end"))


def test_several_timeframes(client: Client) -> None:
    found = double(
        multi(
            client,
            json={
                "TIMEFRAMES": ["1minute", "5minute", "day", "1minute"],
                "start": OPEN,
                "end": NOON,
            },
        )
    )
    assert list(found) == ["1minute", "5minute"]
    assert_shape(found, {"1minute": [MINUTES], "5minute": [MINUTES]})
    times = minutes().filter(instrument=DEMO)["timestamp"].to_list()
    first, last = (datetime.fromisoformat(each) for each in (OPEN, NOON))
    assert len(found["1minute"]) == sum(first <= each <= last for each in times)
    ones = found["1minute"][0]
    assert {name for name, value in ones.items() if value == 0} >= set(SHARED)
    assert double(multi(client, json={"timeframes": ["day"]})) == {}
    unset = {"timeframes": ["1minute", "5minute"], "start": None}
    assert double(multi(client, json=unset)) == {"1minute": [], "5minute": None}
    start_alone = {"timeframes": ["1minute"], "start": OPEN}
    assert double(multi(client, json=start_alone)) == {"1minute": []}
    far = {"timeframes": ["1minute"], "end": "9999-12-31T23:59:59Z"}
    assert len(double(multi(client, json=far))["1minute"]) == len(times)


BODY = "Invalid request format: "


def test_what_is_wrong_about_several_timeframes(client: Client) -> None:
    least = "At least one timeframe is required"
    bodies: tuple[Any, ...] = ({}, {"timeframes": []}, {"timeframes": None}, None)
    for body in bodies:
        answer = multi(client, json=body)
        refused(answer, 400, BODY if body is None else least)
    unreadable: tuple[Any, ...] = (
        {"timeframes": "5minute"},
        {"timeframes": [5]},
        {"timeframes": ["5minute"], "start": ""},
        {"timeframes": ["5minute"], "end": "2025-07-18"},
        [],
    )
    for wrong in unreadable:
        refused(multi(client, json=wrong), 400, BODY)
    late = {"timeframes": ["5minute"], "start": NOON, "end": OPEN}
    refused(
        multi(client, json=late),
        500,
        "Failed to retrieve multi-timeframe candle data: end time must be after start time",
    )
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused(multi(client, json={"timeframes": ["day"]}, headers=form), 400, BODY)
    assert (
        double(multi(client, json={"timeframes": ["day"]}, headers={"content-type": "x/y"})) == {}
    )
    assert client.ask("POST", f"/api/v1/candles/{DEMO}/5minute").status_code == 405


def sent(client: Client, content: str) -> httpx.Response:
    """Send a body as it is, to the route of several timeframes."""

    async def sending() -> httpx.Response:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
            return await asking.post(f"/api/v1/candles/{DEMO}/multi", content=content)

    return asyncio.run(sending())


def test_a_body_is_its_first_value(client: Client) -> None:
    assert double(sent(client, ' {"timeframes": ["day"]} {"and": more')) == {}
    for content in (
        "timeframes",
        '{"timeframes": NaN}',
        '"day"',
        '{"timeframes": ["day"]',
        "[" * 9_000,
    ):
        refused(sent(client, content), 400, BODY)
    refused(sent(client, "null"), 400, "At least one timeframe is required")


STORED = {"interval": "1minute", "fromDate": "2025-07-18", "toDate": "2025-07-18"}


def stored(client: Client, **body: Any) -> httpx.Response:
    return client.ask("POST", "/api/v1/historical-data/batch-store", json=body)


def test_stored_history_is_counted(client: Client) -> None:
    found = double(stored(client, instrumentKeys=[DEMO, "NSE_EQ|NONE"], **STORED))
    detail = {"instrumentKey": str, "status": str, "recordsStored": int, "message": str}
    counts = dict.fromkeys(("processedItems", "successfulItems", "failedItems"), int)
    assert_shape(found, {**counts, "details": [detail]})
    day = date(2025, 7, 18)
    count = len(minutes().filter(pl.col("timestamp").dt.date() == day, instrument=DEMO))
    assert found["details"][0] == {
        "instrumentKey": DEMO,
        "status": "success",
        "recordsStored": count,
        "message": f"Successfully processed {count} records",
    }
    assert (found["details"][1]["status"], found["details"][1]["recordsStored"]) == ("failed", 0)
    assert [found[name] for name in counts] == [2, 1, 1]
    everybody = double(stored(client, **STORED | {"interval": "day"}))
    assert {each["instrumentKey"]: each["recordsStored"] for each in everybody["details"]} == {
        DEMO: 1,
        OTHER: 1,
    }
    backwards = double(stored(client, **STORED | {"toDate": "2025-07-17"}))
    assert [each["recordsStored"] for each in backwards["details"]] == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"interval": ""}, "Validation failed: "),
        ({"interval": "2minute"}, "Validation failed: "),
        ({"fromDate": None}, "Validation failed: "),
        ({"toDate": "2025-7-1"}, "Validation failed: "),
        ({"interval": 5}, BODY),
    ],
)
def test_what_is_wrong_about_stored_history(
    client: Client, wrong: dict[str, Any], text: str
) -> None:
    refused(stored(client, **STORED | wrong), 400, text)


# Other routes


def filled(path: str) -> str:
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize("said", [*NOWHERE, *BROKER])
def test_what_is_no_analytics_is_not_implemented(client: Client, said: str) -> None:
    *methods, path = said.split()
    for method in methods:
        answer = client.ask(method, f"/api/v1{filled(path)}")
        assert answer.status_code == 501
        assert_shape(answer.json(), {"success": False, "error": str})
        assert answer.json()["error"].startswith(f"Not implemented: {method} {path}; ")


def test_a_path_that_is_none_and_a_method_that_is_none(client: Client) -> None:
    for path in (
        "/api/v1/nothing",
        "/api/v1/health/",
        "/api/v1/stocks/symbol/X",
        "/api/x",
        "/api/v1",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n"), path
        assert answer.headers["content-type"].startswith("text/plain")
    for method, path in (("POST", "/health"), ("OPTIONS", "/bbw/stats"), ("PUT", "/orders")):
        answer = client.ask(method, f"/api/v1{path}")
        assert (answer.status_code, answer.content) == (405, b""), path
    assert client.ask("OPTIONS", "/api/v1/orders/7").status_code == 204
    twice = client.get("/api/v1//candles//x/day", end=OPEN)
    assert twice.status_code == 301
    assert httpx.URL(twice.headers["location"]).path == "/api/v1/candles/x/day"


def test_what_tallow_cannot_answer_is_said_as_the_old_server_said_it(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise StoreError("store: cannot be read; damaged")

    monkeypatch.setattr(service.engine, "query", fail)
    why = "store: cannot be read; damaged"
    span = {"start": OPEN, "end": NOON}
    refused(candles(client, DEMO, "5minute", **span), 500, f"Failed to retrieve candle data: {why}")
    refused(
        multi(client, json={"timeframes": ["5minute"], **span}),
        500,
        f"Failed to retrieve multi-timeframe candle data: {why}",
    )
    body = STORED | {"interval": "week"}
    refused(stored(client, **body), 500, f"Failed to process batch request: {why}")
    history = client.get("/api/v1/bbw/stocks/x/history", instrument_key=DEMO)
    assert (history.status_code, history.text) == (500, "Failed to get stock BBW history\n")


def test_pages_of_listed_origins_may_ask(client: Client) -> None:
    url = "/api/v1/bbw/alerts/history"
    for origin, status, allowed in ((PAGE, 200, PAGE), ("https://other.example", 400, None)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        preflight = client.ask("OPTIONS", url, headers=asked)
        assert preflight.status_code == status
        assert preflight.headers.get("access-control-allow-origin") == allowed
        answer = client.ask("GET", url, headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed
    assert client.ask("DELETE", url, headers={"Origin": "https://other.example"}).status_code == 403


def test_a_read_does_not_hold_the_loop(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an answer about candles waits in its thread, another one is given."""
    gate, client = threading.Event(), Client(service)
    inner = service.engine.query

    def slow(*args: Any, **more: Any) -> Any:
        assert gate.wait(30)
        return inner(*args, **more)

    monkeypatch.setattr(service.engine, "query", slow)

    async def both() -> tuple[int, int]:
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
            url = f"/api/v1/candles/{DEMO}/5minute?start={quote(OPEN)}&end={quote(NOON)}"
            waiting = asyncio.create_task(asking.get(url))
            await asyncio.sleep(0)
            health = (await asking.get("/api/v1/health")).status_code
            gate.set()
            return health, (await waiting).status_code

    assert asyncio.run(both()) == (200, 200)
