"""Goal: pages are where they should be, give nothing away without a key, and may be absent.

Method: the application with its pages, asked in this process.
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tallow.service.desk import add_desk
from tallow.service.desk.mount import MISSING
from tallow.service.desk.state import quantile_of
from tallow.service.measures import Durations
from tallow.service.service import Service
from tests.service.asking import Client

STATIC = Path(str(files("tallow.service.desk"))) / "static"


@pytest.fixture
def client(service: Service) -> Client:
    client = Client(service)
    add_desk(client.app, service)
    return client


def test_the_first_page_leads_to_the_market(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/desk/")


def test_without_the_library_a_page_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nicegui", None)
    monkeypatch.delitem(sys.modules, "tallow.service.desk.pages", raising=False)
    answer = client.get("/desk/chart")
    assert (answer.status_code, answer.text) == (501, MISSING)
    assert "connect-src" not in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_what_pages_ask_for_is_answered(client: Client, service: Service) -> None:
    about = client.get("/v1/desk/about").json()
    assert about["instruments"] == sorted(service.live.names)
    # Who has not traded for days has no last closes.
    name = service.store.series().sort("last")["instrument"][-1]
    closes = client.get("/v1/desk/sparks", timeframe="15m", instrument=[name, "UNKNOWN"]).json()
    bars = service.engine.query(name, "15m", indicators="").frame
    assert closes == {name: bars["close"].tail(48).to_list()[-len(closes[name]) :]}
    assert client.get("/v1/desk/sparks", instrument="UNKNOWN").json() == {}
    state = client.get("/v1/desk/state").json()
    assert state["metrics"]["instruments"] == {"": len(about["instruments"])}
    assert client.get("/v1/desk/chart/UNKNOWN").status_code == 404
    refused = client.get("/v1/desk/about", zone="UTC")
    assert (refused.status_code, "query.zone" in refused.text) == (422, True)


def test_what_comes_from_the_store_is_text_and_never_a_page_of_its_own() -> None:
    scripts = {each.name: each.read_text("utf-8") for each in STATIC.glob("*.js")}
    made = [
        line.strip()
        for text in scripts.values()
        for line in text.replace("=\n", "=").splitlines()
        if re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", line)
    ]
    assert len(made) == 1
    assert "${" not in made[0]
    assert all(len(text.splitlines()) <= 400 for text in scripts.values())


def test_quantiles_are_bounds_that_so_many_keep() -> None:
    durations = Durations()
    assert quantile_of(durations, 0.5) is None
    for seconds in (0.002, 0.002, 0.04, 99.0):
        durations.note(seconds)
    assert [quantile_of(durations, each) for each in (0.5, 0.75, 0.99)] == [0.0025, 0.05, None]
