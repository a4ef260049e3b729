"""Goal: what is in the quarantine is repaired over HTTP, once; a list of members is kept as sent.

Method: bad rows are written over HTTP and read again; the store says what is there then. The same
list goes in as JSON, CSV and TOML.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.core.private import own_folder
from tallow.data.ingest.repair_table import repair_table
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.service.asking import Client

JSON = "application/json"
OPEN = "2025-07-18T09:15:00+05:30"
ROW = {"instrument": "A", "timestamp": OPEN, "open": 2, "high": 3, "low": 1, "close": 2}
ROW |= {"volume": 1}
BAD = [ROW | {"high": 0}, ROW | {"timestamp": OPEN.replace("15:00", "16:00"), "close": "two"}]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    store = str(tmp_path / "candles")
    with Service(read_settings(store=store, timeframes=["1m"], indicators="")) as opened:
        yield opened


@pytest.fixture
def client(service: Service) -> Client:
    client = Client(service)
    assert client.ask("POST", "/v1/candles", json=BAD).json()["quarantined"] == 2
    return client


def waiting(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/v1/quarantine").json()["rows"]
    return rows


def retry(client: Client, body: Any, key: str = "", kind: str = JSON) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    if kind == JSON:
        return client.ask("POST", "/v1/quarantine/retry", json=body, headers=headers)
    headers["Content-Type"] = kind
    return client.ask("POST", "/v1/quarantine/retry", content=body, headers=headers)


def test_corrected_rows_are_candles_and_the_others_stay(client: Client, service: Service) -> None:
    high, close = (each["id"] for each in waiting(client))
    body = [{"id": high, "high": 3.5}, {"id": close}]
    found = retry(client, body, "k").json()
    assert (found["new"], found["quarantined"], found["settled"]) == (1, 1, [high])
    assert [(each["id"], each["rule"]) for each in found["refused"]] == [(close, "price_missing")]
    assert [each["id"] for each in waiting(client)] == [close]
    assert service.store.read("A")["high"].to_list() == [3.5]
    assert service.live.latest("1m")["high"].to_list() == [3.5]
    # The first write is not done twice; what its client never knew is the same.
    again = retry(client, body, "k")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (found, "true")
    text = retry(client, [{"id": close, "close": "2.5"}]).json()
    assert (text["new"], text["settled"], waiting(client)) == (1, [close], [])


def test_rows_that_a_kill_left_open_are_settled_by_the_same_again(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.store.write(pl.DataFrame([ROW | {"high": 0}]), source_timeframe="5m")
    body = [{"id": waiting(client)[2]["id"], "high": 3.5}]
    with monkeypatch.context() as context:
        context.setattr("tallow.service.writes.repairs.settle_rows", lambda *_: None)
        assert retry(client, body, "k").json()["new"] == 1
    assert len(waiting(client)) == 3
    assert retry(client, body, "k").json()["new"] == 1
    assert len(waiting(client)) == 2


def test_an_exported_table_is_taken(client: Client, service: Service) -> None:
    table = repair_table(service.store.ledger.held()).with_columns(high=pl.lit("3.5"))
    found = retry(client, table.write_csv().encode(), kind="text/csv").json()
    assert (found["new"], found["quarantined"]) == (1, 1)
    bad = retry(client, b"a,b\n1,2\n", kind="text/csv")
    assert (bad.status_code, "quarantine_id" in bad.text) == (422, True)


def test_rows_of_another_series_are_repaired_in_it(client: Client, service: Service) -> None:
    rows = pl.DataFrame([ROW | {"high": 0}])
    service.store.write(rows, source_timeframe="5m")
    both = [{"id": each["id"], "high": 9} for each in waiting(client)]
    mixed = retry(client, both)
    assert (mixed.status_code, "1m raw" in mixed.text and "5m raw" in mixed.text) == (422, True)
    five = next(each["id"] for each in waiting(client) if each["timeframe"] == "5m")
    assert retry(client, [{"id": five, "high": 9}]).json()["settled"] == [five]
    assert service.store.read("A", source_timeframe="5m")["high"].to_list() == [9]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([{"id": 999}], "is no row"),
        ([{"id": "1"}], "must be the number"),
        ([{"id": True}], "must be the number"),
        ([{"id": 10**30}], "must be the number"),
        ([{}], "must be the number"),
        ([{"id": 1, "hihg": 2}], "did you mean high"),
        ([{"id": 1, "high": [1]}], "must be a number or a text"),
        ([{"id": 1}, {"id": 1}], "comes twice"),
        ([], "no row"),
        ([{"id": 1}] * 10_001, "at most 10,000"),
    ],
)
def test_a_wrong_retry_changes_nothing(client: Client, body: Any, said: str) -> None:
    answer = retry(client, body)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text
    assert len(waiting(client)) == 2


def put(client: Client, body: Any, kind: str = JSON, name: str = "mine") -> Any:
    if kind == JSON:
        return client.ask("PUT", f"/v1/universes/{name}", json=body)
    return client.ask("PUT", f"/v1/universes/{name}", content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, ["A", {"instrument": "B", "from": "2025-06-02", "sector": None}]),
        ("text/csv", "instrument,from\nA,\nB,2025-06-02\n"),
        (
            "application/toml",
            'members = ["A", {instrument = "B", from = 2025-06-02}]',
        ),
    ],
)
def test_a_list_is_kept_as_it_is_sent(
    client: Client, service: Service, kind: str, body: Any
) -> None:
    found = put(client, body, kind).json()
    assert (found["members"], found["new"]) == (2, 2)
    universe = service.store.universes.read("mine")
    assert universe.members(date(2025, 6, 1)) == ["A"]
    assert universe.members(date(2025, 6, 2)) == ["A", "B"]
    again = put(client, body, kind).json()
    assert (again["new"], again["identical"], again["revised"]) == (0, 2, 0)
    assert put(client, ["A"]).json()["revised"] == 1
    assert client.get("/v1/universes/mine").json()["members"] == ["A"]


def test_members_without_a_candle_are_named(client: Client, service: Service) -> None:
    service.store.write(pl.DataFrame([ROW]), source_timeframe="1m")
    assert put(client, ["A", "NOBODY"]).json()["unknown"] == ["NOBODY"]


@pytest.mark.parametrize(
    ("kind", "body", "name", "status", "said"),
    [
        (JSON, [], "mine", 422, "no member"),
        (JSON, [1], "mine", 422, "member 1"),
        (JSON, 1, "mine", 422, "member 1"),
        ("application/json; charset=utf-8", "[" * 100_000, "mine", 422, "no JSON"),
        (JSON, [{"instrument": "A", "form": "2025-06-02"}], "mine", 422, "member 1"),
        (JSON, [{"instrument": "A", "from": "2025-06"}], "mine", 422, "must be a date"),
        (JSON, [{"from": "2025-06-02"}], "mine", 422, "instrument"),
        (JSON, [{"instrument": "A", "universe": "x", "sector": "y"}], "mine", 422, "one may group"),
        (JSON, ["A"], "a/b", 422, "a name is a word without /"),
        (JSON, ["A"], "a.csv", 422, "is the name of a file"),
        (JSON, ["A"] * 50_001, "mine", 413, "50,000"),
        ("text/csv", "x,y\n1,2\n", "mine", 422, "body: columns x, y"),
        ("application/toml", "members = 1", "mine", 422, "must be a list"),
        ("application/toml", "= 1", "mine", 422, "body"),
        ("text/plain", "A", "mine", 415, "must be one of"),
    ],
)
def test_a_wrong_list_is_refused(
    client: Client, service: Service, kind: str, body: Any, name: str, status: int, said: str
) -> None:
    answer = put(client, body, kind, name)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert str(own_folder()) not in answer.text
    assert service.store.universes.names() == []


def test_what_is_sent_is_what_is_read(service: Service) -> None:
    # The name of a list that is sent is never a file's of this machine.
    universe = tallow.read_universe(pl.DataFrame({"instrument": ["A"]}), "mine")
    service.store.universes.record(universe)
    assert put(Client(service), ["A"]).json()["identical"] == 1
