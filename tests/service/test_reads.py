"""Goal: what HTTP says of the store and the live engine is what Python says of them.

Method: an application in this process; stores, engines and declarations are asked the same.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import polars as pl
import pytest

import tallow
from tallow.core.registry import registry
from tallow.service.service import Service
from tests.service.asking import ARROW, Client

CONDITION = "close > ema(9) and rsi(14) < 70"


@pytest.fixture(scope="module")
def client(service: Service) -> Client:
    service.live.catch_up()
    return Client(service)


@pytest.fixture(scope="module")
def names(market: pl.DataFrame) -> list[str]:
    return sorted(market["instrument"].unique())


def test_instruments_come_in_pages(client: Client, market: pl.DataFrame, names: list[str]) -> None:
    pages, following = [], None
    while True:
        page = client.get("/v1/instruments", limit=2, cursor=following).json()
        pages += page["rows"]
        following = page["next"]
        if following is None:
            break
    counts = dict(market.group_by("instrument").len().iter_rows())
    assert {each["instrument"]: each["candles"] for each in pages} == counts
    assert [each["instrument"] for each in pages] == names
    found = client.get("/v1/instruments", search=names[2][2:].lower()).json()["rows"]
    assert [each["instrument"] for each in found] == [names[2]]


def test_timeframes_are_those_of_the_live_engine(client: Client, service: Service) -> None:
    assert tuple(client.get("/v1/timeframes").json()["live"]) == service.live.timeframes


def test_every_indicator_has_a_schema_that_takes_what_it_takes(client: Client) -> None:
    listed = {each["name"] for each in client.get("/v1/indicators").json()["indicators"]}
    assert listed == {each.name for each in registry().by_name.values()}
    for name in ("ema", "bollinger", "supertrend", "vwap", "cs_rank", "security", "anchored_vwap"):
        schema = client.get(f"/v1/indicators/{name}").json()["json_schema"]
        usual = registry().find(name).values((), {})
        assert jsonschema_rs.validator_for(schema).is_valid(dict(usual))
    schema = client.get("/v1/indicators/ema").json()["json_schema"]
    for wrong in ({"length": 0}, {"length": 2.5}, {"length": "9"}, {"lenght": 9}):
        assert not jsonschema_rs.validator_for(schema).is_valid(wrong)
    assert client.get("/v1/indicators/emma").json()["hint"].startswith("did you mean ema")


def test_latest_bars_are_those_of_the_live_engine(
    client: Client, service: Service, names: list[str]
) -> None:
    answer = client.get("/v1/latest", accept=ARROW, timeframe="15m")
    frame = pl.read_ipc_stream(io.BytesIO(answer.content))
    assert frame.equals(service.live.latest("15m").sort("instrument"))
    asked: dict[str, Any] = {
        "instrument": names[:2],
        "column": "ema_9",
        "timeframe": "15m",
        "limit": 1,
    }
    first = client.get("/v1/latest", **asked).json()
    assert list(first["rows"][0]) == ["instrument", "timestamp", "ema_9"]
    second = client.get("/v1/latest", cursor=first["next"], **asked).json()
    assert [each["instrument"] for each in (*first["rows"], *second["rows"])] == names[:2]
    assert second["next"] is None


def test_screens_are_those_of_the_live_engine(client: Client, service: Service) -> None:
    for timeframe in ("5m", "15m"):
        asked: dict[str, Any] = {"timeframe": timeframe, "columns": ["rsi(14)"]}
        found = service.live.screen(CONDITION, **asked)
        answer = client.get("/v1/screens", condition=CONDITION, **asked).json()
        assert answer["counts"] == found.counts
        assert len(answer["rows"]) == len(found.frame)
        body = asked | {"condition": "up", "saved": {"up": CONDITION}}
        assert client.ask("POST", "/v1/screens", json=body).json() == answer


def test_screens_of_a_moment_are_those_of_the_store(
    client: Client, service: Service, market: pl.DataFrame
) -> None:
    at = market["timestamp"].max().isoformat()  # type: ignore[union-attr]
    asked: dict[str, Any] = {"timeframe": "15m", "columns": ["sma(3)"], "at": at}
    found = service.engine.screen("close > sma(3)", **asked)
    answer = client.get("/v1/screens", condition="close > sma(3)", **asked).json()
    assert answer["counts"] == found.counts
    column = found.frame.columns[-1]
    assert [each[column] for each in answer["rows"]] == found.frame[column].to_list()
    assert answer["judged_at"] == found.judged_at.isoformat()  # type: ignore[union-attr]


def test_squeezes_and_sequences_are_those_of_the_store(
    client: Client, service: Service, names: list[str]
) -> None:
    squeezes = client.get("/v1/squeezes", timeframe="5m", lookback=50, least=0).json()
    spec = "squeeze(20, 2, 50, 5)"
    found = service.engine.screen(f"{spec}[in_range] >= 0", "5m")
    assert squeezes["counts"] == found.counts
    asked = {"timeframe": "15m", "instrument": names[0], "table": "patterns"}
    rows = client.get("/v1/sequences", **asked).json()["rows"]
    patterns = service.engine.sequences("15m", instruments=names[0]).patterns
    assert [each["frequency"] for each in rows] == patterns["frequency"].to_list()


def test_coverage_counts_what_the_market_has(
    client: Client, market: pl.DataFrame, names: list[str]
) -> None:
    asked = {"instrument": names[0], "end": "2025-06-30"}
    rows = client.get("/v1/coverage", **asked).json()["rows"]
    own = market.filter(pl.col("instrument") == names[0])
    assert sum(each["present"] + each["outside"] for each in rows) == len(own)
    missing = client.get("/v1/coverage", missing=True, **asked).json()["rows"]
    assert missing[-1]["end"] > rows[-1]["session"]
    # Between two candles that follow each other there is none.
    first, second = own["timestamp"].sort()[:2].to_list()
    within = {"start": first.isoformat(), "end": second.isoformat()}
    whole = client.get("/v1/coverage", instrument=names[0], missing=True, **within).json()
    assert (whole["rows"], whole["why_empty"]) == ([], "no intervals: no candle is missing")


def test_quarantined_rows_come_in_pages_with_their_rules(
    own_service: Service, market: pl.DataFrame
) -> None:
    wrong = market.head(3).with_columns(high=pl.col("low") - 1)
    own_service.store.write(wrong, source_timeframe="1m")
    client = Client(own_service)
    first = client.get("/v1/quarantine", limit=2).json()
    second = client.get("/v1/quarantine", limit=2, cursor=first["next"]).json()
    assert (len(first["rows"]), len(second["rows"]), second["next"]) == (2, 1, None)
    assert all(first["rules"][each["rule"]] for each in first["rows"])
    assert client.get("/v1/store").json()["quarantined"] == 3


def test_a_universe_is_that_of_a_date(own_service: Service, names: list[str]) -> None:
    rows = {"instrument": names[:2], "from": ["2025-06-03", None], "to": [None, None]}
    frame = pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))
    own_service.store.universes.record(tallow.read_universe(frame, "two"))
    client = Client(own_service)
    assert client.get("/v1/universes").json() == {"universes": ["two"]}
    assert client.get("/v1/universes/two", at="2025-06-02").json()["members"] == [names[1]]
    assert client.get("/v1/universes/two", at="2025-06-03").json()["members"] == names[:2]
    bars = client.get("/v1/candles", universe="two", timeframe="1d").json()["rows"]
    assert {each["instrument"] for each in bars} <= set(names[:2])


def test_an_explanation_has_both_values(client: Client, service: Service, names: list[str]) -> None:
    (row,) = client.bars(names[0], timeframe="15m", limit=1, indicators="vwap").json()["rows"]
    asked = {"column": "vwap", "at": row["timestamp"], "timeframe": "15m"}
    found = client.get(f"/v1/explain/{names[0]}", **asked).json()
    assert found["value"] == row["vwap"]
    assert client.get("/v1/explain/nobody", **asked).status_code == 404


WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    ("/v1/instruments", {"limit": 501}, 422, "limit"),
    ("/v1/instruments", {"source_timeframe": "x" * 9_000}, 422, "8192"),
    ("/v1/latest", {"timeframe": "7m"}, 422, "must be one of"),
    ("/v1/latest", {"instrument": "nobody"}, 404, "does not know it"),
    ("/v1/latest", {"column": "clos"}, 422, "did you mean close"),
    ("/v1/screens", {}, 422, "condition"),
    ("/v1/screens", {"condition": "close >"}, 422, "screen"),
    ("/v1/screens", {"condition": "(" * 5_000}, 422, "screen"),
    ("/v1/screens", {"condition": "close > sma(33)"}, 422, "is no indicator of this live engine"),
    ("/v1/screens", {"condition": "close > 1", "universe": "/etc/passwd.csv"}, 422, "file"),
    ("/v1/screens", {"condition": "close > 1", "at": "1850-01-01"}, 422, "screen: at=1850-01-01"),
    ("/v1/squeezes", {"length": 1}, 422, "length"),
    ("/v1/sequences", {"table": "all"}, 422, "table"),
    ("/v1/sequences", {"moves": "ema(9)"}, 422, "move"),
    ("/v1/coverage", {}, 422, "instrument"),
    ("/v1/coverage", {"instrument": "nobody"}, 404, "not in the store"),
    ("/v1/quarantine", {"cursor": "a"}, 422, "cursor"),
    ("/v1/universes/nobody", {}, 404, "does not know it"),
    ("/v1/universes/x", {"at": "2025-02-30"}, 422, "at"),
    ("/v1/indicators/..%3B%20drop", {}, 404, "unknown"),
    ("/v1/explain/x", {"column": "ema_9"}, 422, "at"),
    ("/v1/nothing", {}, 404, "Not Found"),
]


@pytest.mark.parametrize(("url", "asked", "status", "says"), WRONG)
def test_what_is_wrong_is_said(
    client: Client, url: str, asked: dict[str, Any], status: int, says: str
) -> None:
    answer = client.get(url, **asked)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [None, [], {}, {"condition": 1}, {"condition": "up", "saved": {"up": "up"}}]
)
def test_a_body_that_is_no_screen_is_refused(client: Client, body: Any) -> None:
    answer = client.ask("POST", "/v1/screens", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_no_file_of_the_machine_is_read(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    file.write_text("instrument\nX\n")
    for url in ("/v1/candles", "/v1/screens", "/v1/sequences"):
        answer = client.get(
            url, universe=str(file), **{"condition": "close > 1"} if "scr" in url else {}
        )
        assert answer.status_code in (404, 422), answer.text


def test_a_parameter_of_one_value_is_given_once(client: Client, names: list[str]) -> None:
    answer = client.get(f"/v1/candles/{quote(names[0])}?timeframe=1h&timeframe=5m")
    assert answer.status_code == 422
    assert answer.json()["where"] == "query.timeframe: 2 values, '1h', '5m'"
    asked = "&".join(f"instrument={quote(name)}" for name in names[:2])
    assert client.get(f"/v1/latest?{asked}&column=close&column=open").status_code == 200


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("/v1/instruments?search=zzzz", "'zzzz' is in no key or symbol"),
        ("/v1/instruments?adjustment=dividend", "no candles of 1m dividend"),
        ("/v1/quarantine", "none is in the quarantine"),
        ("/v1/universes", "none is stored"),
    ],
)
def test_a_list_without_a_row_says_why(client: Client, url: str, says: str) -> None:
    answer = client.get(url)
    assert says in answer.json()["why_empty"]


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("PATCH", "/v1/candles", "GET, HEAD, POST"),
        ("DELETE", "/v1/universes/a", "GET, HEAD, PUT"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    client: Client, method: str, url: str, allowed: str
) -> None:
    answer = client.ask(method, url)
    assert (answer.status_code, answer.headers.get_list("Allow")) == (405, [allowed])
    assert answer.json()["hint"] == f"ask with {allowed}"


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/v1/store"),
        ("GET", "/v1/universes"),
        ("POST", "/v1/screens"),
        ("POST", "/v1/candles"),
    ],
)
def test_a_parameter_that_a_route_has_not_is_refused(client: Client, method: str, url: str) -> None:
    answer = client.ask(method, f"{url}?known_a=2025-07-18", json={"condition": "close > 1"})
    assert (answer.status_code, "query.known_a" in answer.text) == (422, True)


def test_head_is_answered_as_get_without_the_body(client: Client, names: list[str]) -> None:
    for url in (f"/v1/candles/{quote(names[0], safe='')}?limit=3", "/v1/nothing", "/openapi.json"):
        asked, head = client.get(url), client.ask("HEAD", url)
        assert (head.status_code, head.headers, head.content) == (
            asked.status_code,
            asked.headers,
            b"",
        )
        assert asked.content


def test_the_stream_says_that_it_is_a_websocket(client: Client) -> None:
    answer = client.get("/v1/stream")
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert "wss://" in answer.json()["detail"]


def test_no_page_takes_its_script_from_the_net(client: Client) -> None:
    for url in ("/docs", "/redoc"):
        answer = client.get(url)
        assert (answer.status_code, answer.json()["hint"]) == (
            404,
            "/openapi.json has all that there are",
        )


@pytest.mark.parametrize("name", ["..", "a/../b", "."])
def test_a_name_that_no_address_keeps_is_refused(client: Client, name: str) -> None:
    url = f"/v1/universes/{quote(name, safe='').replace('.', '%2E')}"
    answer = client.ask("PUT", url, json=["A"])
    assert (answer.status_code, "take another name" in answer.text) == (422, True)


def test_a_ticket_has_no_parameter(client: Client) -> None:
    answer = client.ask("POST", "/v1/tickets?seconds=5")
    assert (answer.status_code, "query.seconds" in answer.text) == (422, True)
