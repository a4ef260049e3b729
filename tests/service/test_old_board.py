"""Goal: the old dashboard's routes answer as their text says, and asking them changes nothing.

Method: the calls of the old front end, one by one, and every other route of the dashboard, against
a service over twelve simulated sessions; shapes and texts are those of the old interface's
description, numbers those of plain Python over the widths. Alerts come of candles that are written.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tallow.core.time import to_us
from tallow.service.compat import board as boards
from tallow.service.compat.board_rules import BoardRules
from tallow.service.service import Service
from tests.service.asking import Client
from tests.service.old_world import (
    DEMO,
    E3,
    EVENT,
    GROUP,
    NOW,
    NUMBER,
    OTHER,
    MaybeAbsent,
    ask,
    assert_shape,
    minutes,
    moment_text,
    old_service,
    shaped,
)

TRENDS = {"contracting", "expanding", "stable"}
REDUCED = {
    "symbol": str,
    "instrument_key": str,
    "current_bb_width": NUMBER,
    "historical_min_bb_width": NUMBER,
    "distance_from_min_percent": NUMBER,
    "contracting_sequence_count": int,
    "bb_width_trend": TRENDS.__contains__,
    "alert_triggered": bool,
    "alert_triggered_at": lambda value: value is None or moment_text(value),
    "alert_type": {"", "threshold", "pattern", "squeeze"}.__contains__,
    "alert_message": str,
    "pattern_strength": {"weak", "moderate", "strong"}.__contains__,
    "timestamp": moment_text,
    "last_updated": moment_text,
}
OMITTED = ("alert_triggered_at", "alert_type", "alert_message")
ROW = {
    **{name: MaybeAbsent(each) if name in OMITTED else each for name, each in REDUCED.items()},
    "candles_in_range_count": int,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boards, "now_us", lambda: to_us(NOW))
        with old_service(tmp_path_factory.mktemp("old") / "candles", minutes()) as service:
            yield service


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    return Client(service)


def test_the_calls_of_the_front_end(client: Client) -> None:
    """On load, in its order; then the refresh of alerts, and the two buttons."""
    assert client.get("/api/v1/health").status_code == 200
    status = {
        "market_open": False,
        "current_time": "2025-07-22 16:00:00",
        "current_time_ist": "16:00:00",
        "market_hours": "09:15 - 15:30 IST",
        "last_data_timestamp": "2025-07-22T15:25:00+05:30",
        "last_data_age_minutes": 35,
    }
    text = "Market status retrieved successfully"
    shaped(client, "/market-status", {"success": True, "data": status, "message": text})
    rows = shaped(client, "/dashboard-data", {**E3, "data": [ROW]})["data"]
    assert [row["instrument_key"] for row in rows] == [DEMO, OTHER]
    assert rows[0]["symbol"] == "DEMO"
    shaped(client, "/statistics", {**E3, "data": dict}, timeframe="5m")
    active = shaped(client, "/alerts/active", {**E3, "data": object, "count": int})
    assert active["count"] == len(active["data"] or [])
    history = {**E3, "data": None, "count": 0, "total": 0}
    assert_shape(ask(client, "/alerts/history", limit="50").json(), {**history, "data": is_null})
    said = {"alertThreshold": 0.25, "contractingLookback": 6, "enableAlerts": True}
    config = {"alert_threshold": 0.25, "contracting_lookback": 6, "enable_alerts": True}
    done = {**E3, "status": "success", "message": "Alert configuration updated successfully"}
    shaped(client, "/alerts/configure", {**done, "config": config}, method="POST", json=said)
    cleared = {**done, "message": "Alert history cleared successfully"}
    shaped(client, "/alerts/history", cleared, method="DELETE")
    socket = client.get("/api/v1/bbw/live")
    assert (socket.status_code, socket.text) == (404, "404 page not found\n")


def is_null(value: Any) -> bool:
    return value is None


def bars_of(service: Service, name: str) -> pl.DataFrame:
    """Return the bars of five minutes with the widths of plain Python over their closes."""
    bars = service.engine.query(name, "5m", indicators="").frame
    closes, widths = bars["close"].to_list(), []
    for end in range(len(closes)):
        window = closes[max(0, end - 19) : end + 1]
        widths.append(4.0 * statistics.pstdev(window) if len(window) == 20 else None)
    return bars.with_columns(width=pl.Series(widths, dtype=pl.Float64))


def test_a_row_is_what_plain_python_says_of_the_widths(client: Client, service: Service) -> None:
    rows = shaped(client, "/dashboard-data", {**E3, "data": [ROW]})["data"]
    for row in rows:
        bars = bars_of(service, row["instrument_key"])
        widths = bars["width"].drop_nulls().to_list()
        lowest = min(widths[-750:])
        assert len(widths) > 750
        assert row["current_bb_width"] == pytest.approx(widths[-1])
        assert row["historical_min_bb_width"] == pytest.approx(lowest)
        # One of the two stood still for a while.
        distance = 100.0 * (widths[-1] - lowest) / lowest if lowest else 0.0
        assert row["distance_from_min_percent"] == pytest.approx(distance)
        falls = 0
        while widths[-1 - falls] < widths[-2 - falls]:
            falls += 1
        assert row["contracting_sequence_count"] == falls
        newest, before = (sum(part) / 3.0 for part in (widths[-3:], widths[-6:-3]))
        change = 100.0 * (newest - before) / before
        trend = "stable" if abs(change) <= 5 else "expanding" if change > 0 else "contracting"
        assert row["bb_width_trend"] == trend
        assert datetime.fromisoformat(row["timestamp"]) == bars["timestamp"][-1]


def test_one_stock(client: Client) -> None:
    row = shaped(client, "/stocks", {**E3, "data": ROW}, instrument_key=DEMO)["data"]
    assert row["symbol"] == "DEMO"
    for asked, status, text in (
        ({}, 400, "instrument_key parameter is required"),
        ({"instrument_key": "DEMO"}, 404, "Stock not found"),
    ):
        refused(ask(client, "/stocks", **asked), status, text)


def refused(answer: httpx.Response, status: int, text: str) -> None:
    assert (answer.status_code, answer.text) == (status, f"{text}\n")
    assert answer.headers["content-type"].startswith("text/plain")


WIDTHS = {"avg_bb_width": NUMBER, "min_bb_width": NUMBER, "max_bb_width": NUMBER}


def test_stats(client: Client) -> None:
    counts = ("total_stocks", "alerted_stocks", "contracting_count", "expanding_count",
              "stable_count", "total_alerts")  # fmt: skip
    shape = {**dict.fromkeys(counts, int), **WIDTHS, "recent_alerts": [EVENT]}
    found = shaped(client, "/stats", {**E3, "data": shape})["data"]
    assert found["total_stocks"] == 2
    assert sum(found[f"{trend}_count"] for trend in TRENDS) == 2
    rows = ask(client, "/dashboard-data").json()["data"]
    widths = [row["current_bb_width"] for row in rows]
    assert found["avg_bb_width"] == pytest.approx(sum(widths) / 2)
    assert (found["min_bb_width"], found["max_bb_width"]) == (min(widths), max(widths))


def test_statistics(client: Client) -> None:
    shape = {
        **WIDTHS,
        "total_stocks": 2,
        "alert_distribution": dict,
        "trend_distribution": dict,
        "market_volatility": "medium",
        "squeeze_opportunities": int,
    }
    found = shaped(client, "/statistics", {**E3, "data": shape})["data"]
    assert sum(found["trend_distribution"].values()) == 2
    assert found["squeeze_opportunities"] == len(found["alert_distribution"])


def test_a_stocks_history(client: Client, service: Service) -> None:
    shape = {"success": True, "data": [REDUCED], "count": int, "instrument_key": DEMO,
             "days": int, "message": str}  # fmt: skip
    asked = {"instrument_key": DEMO}
    found = shaped(client, "/stocks/ignored/history", {**shape, "days": 1}, days="1", **asked)
    bars = bars_of(service, DEMO).filter(pl.col("timestamp") >= NOW - timedelta(days=1))
    times = [datetime.fromisoformat(row["timestamp"]) for row in found["data"]]
    assert times == bars["timestamp"].to_list()
    widths = [row["current_bb_width"] for row in found["data"]]
    assert widths == pytest.approx(bars["width"].to_list())
    for bad in ("0", "-3", "x", ""):
        week = shaped(client, "/stocks/x/history", {**shape, "days": 7}, days=bad, **asked)
        assert week["count"] == len(week["data"]) > 300
    none = {"success": True, "data": is_null, "count": 0, "instrument_key": "?", "days": 7}
    shaped(client, "/stocks/x/history", {**none, "message": str}, instrument_key="?")
    refused(ask(client, "/stocks/x/history"), 400, "instrument_key parameter is required")


def test_the_latest_day(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = {"success": True, "data": [REDUCED], "count": 2, "message": str}
    shaped(client, "/latest-day-data", shape)
    monkeypatch.setattr(boards, "now_us", lambda: to_us(NOW + timedelta(days=2)))
    shaped(client, "/latest-day-data", {**shape, "data": is_null, "count": 0})


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2025-07-22T09:14:59+05:30", False),
        ("2025-07-22T09:15:01+05:30", True),
        ("2025-07-22T15:29:59+05:30", True),
        ("2025-07-22T15:30:00+05:30", False),
        ("2025-07-20T12:00:00+05:30", False),
        ("2025-08-15T12:00:00+05:30", False),
    ],
)
def test_the_market_is_open_by_its_calendar(
    client: Client, monkeypatch: pytest.MonkeyPatch, at: str, is_open: bool
) -> None:
    """A Sunday, and a holiday on a Friday, which the old server took for a trading day."""
    monkeypatch.setattr(boards, "now_us", lambda: to_us(datetime.fromisoformat(at)))
    assert ask(client, "/market-status").json()["data"]["market_open"] is is_open


@pytest.mark.parametrize("body", [None, "text", {"alert_threshold": "1"}, [],
                                  {"contracting_lookback": 1.5}, {"enable_alerts": 1}])  # fmt: skip
def test_a_configuration_that_cannot_be_read(client: Client, body: Any) -> None:
    refused(ask(client, "/alerts/configure", "POST", json=body), 400, "Invalid request body")


def test_a_configuration_sets_what_is_above_zero(client: Client, service: Service) -> None:
    board = service.board
    assert board is not None
    board.configure(BoardRules())
    for said, config, within, falls in (
        ({"alert_threshold": 0.2}, (0.2, 0, False), 0.2, 5),
        ({"alert_threshold": -1, "contracting_lookback": 7}, (-1, 7, False), 0.2, 7),
        ({"enable_alerts": True, "other": 1}, (0, 0, True), 0.2, 7),
        ({}, (0, 0, False), 0.2, 7),
    ):
        answer = ask(client, "/alerts/configure", "POST", json=said).json()
        assert tuple(answer["config"].values()) == config
        assert (board.rules.within, board.rules.contracting) == (within, falls)
    board.configure(BoardRules())


def test_asking_changes_nothing(client: Client, service: Service) -> None:
    token = service.store.token()
    for path in ("/dashboard-data", "/latest-day-data", "/market-status", "/alerts/active"):
        ask(client, path)
    ask(client, "/stocks/x/history", instrument_key=DEMO)
    assert service.store.token() == token
    assert ask(client, "/alerts/history").json()["total"] == 0


def test_there_is_no_websocket(client: Client) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket",
        "path": "/api/v1/bbw/live",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    asyncio.run(client.app(scope, receive, send))
    assert (sent[0]["status"], sent[1]["body"]) == (404, b"404 page not found\n")


def test_an_empty_board(tmp_path: Path) -> None:
    no_group = {"compat_universe": "BB_RANGE"}
    with old_service(tmp_path / "candles", minutes().head(0), **no_group) as service:
        client = Client(service)
        # There is no such list yet: what fails is a line, and hidden in the market's status.
        refused(ask(client, "/dashboard-data"), 500, "Internal server error")
        refused(ask(client, "/latest-day-data"), 500, "Failed to get latest available day data")
        for method, path, what in (
            ("POST", "run", "Failed to run filter pipeline: "),
            ("GET", "fetch/top-10", "Failed to get top 10 filtered stocks: "),
        ):
            answer = client.ask(method, f"/api/v1/filter-pipeline/{path}")
            assert answer.status_code == 500
            assert_shape(answer.json(), {"success": False, "error": str})
            assert answer.json()["error"].startswith(f"{what}universe")
        status = ask(client, "/market-status").json()["data"]
        assert (status["last_data_timestamp"], status["last_data_age_minutes"]) == (None, -1)
        service.store.universes.record(GROUP)
        assert ask(client, "/dashboard-data").json()["data"] is None
        empty = ask(client, "/statistics").json()["data"]
        assert (empty["alert_distribution"], empty["trend_distribution"]) == (None, None)
        assert (empty["avg_bb_width"], empty["total_stocks"]) == (0, 0)
