"""Goal: nobody asks a service for more than their key allows, whatever they send.

Method: the application with a file of keys, behind a real server; all of its routes are walked.
Rates and tickets are tried with clocks of their own.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tallow.core.errors import KeyFileError, ParameterError, TallowWarning
from tallow.service.app import make_app
from tallow.service.errors import BusyError
from tallow.service.keys.binding import require_keys
from tallow.service.keys.key_file import KeyFile
from tallow.service.keys.rates import Rates
from tallow.service.keys.roles import ROLES, SOCKET, Role, declared_role
from tallow.service.keys.tickets import Caller, Tickets
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.service.serving import serving

PAGE = "https://desk.example"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def tokens(keys: KeyFile) -> dict[str, str]:
    return {role: keys.create(role, role, None)[1] for role in ROLES}


@pytest.fixture(scope="module")
def app(keys: KeyFile, tokens: dict[str, str]) -> Iterator[FastAPI]:
    store = str(keys.path.parent / "candles")
    settings = read_settings(
        store=store, keys=keys.path, origins=[PAGE], timeframes=["1m"], indicators="ema(2)"
    )
    with Service(settings) as service:
        yield make_app(service)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def addresses(app: FastAPI) -> list[tuple[str, str]]:
    """Return methods and addresses of all routes, what they take in braces filled in."""
    found = []
    for path, methods in app.openapi()["paths"].items():
        found += [(method.upper(), path) for method in methods]
    return found


def test_each_route_declares_its_role(app: FastAPI) -> None:
    found = addresses(app)
    assert ("POST", "/v1/candles") in found
    assert {each: declared_role(*each) for each in found if declared_role(*each) is None} == {}
    assert declared_role(SOCKET, "/v1/stream") is Role.READ
    # What nobody declared is refused to all but admins.
    assert declared_role("POST", "/v1/forgotten") is None


def test_each_route_with_each_key(
    app: FastAPI, client: httpx.Client, tokens: dict[str, str]
) -> None:
    for method, path in addresses(app):
        need = declared_role(method, path)
        assert need is not None
        if need is Role.PUBLIC:
            continue
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (
            401,
            "application/problem+json",
        )
        assert answer.headers["www-authenticate"] == "Bearer"
        for role, token in tokens.items():
            status = client.request(method, path, headers=bearer(token)).status_code
            assert (status == 403) == (ROLES[role] < need), (method, path, role, status)
            assert status not in (401, 500)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer zzqq",
        "Basic dGVzdDp0ZXN0",
        "Bearer tallow_00_00",
        "Bearer " + "A" * 5_000,
        "Bearer tallow_\xe9_\xff",
    ],
)
def test_a_wrong_key_is_refused_and_not_repeated(client: httpx.Client, value: str) -> None:
    headers = {"Authorization": value.encode("latin-1")}
    answer = client.get("/v1/coverage", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert len(answer.text) < 400
    assert not value.partition(" ")[2] or value.partition(" ")[2] not in answer.text


def test_a_key_that_was_revoked_or_has_expired_is_refused(
    client: httpx.Client, keys: KeyFile
) -> None:
    key, token = keys.create("short", "read", None)
    past, old = keys.create("old", "admin", datetime.now(UTC) - timedelta(seconds=1))
    assert client.post("/v1/tickets", headers=bearer(token)).status_code == 200
    assert client.post("/v1/tickets", headers=bearer(old)).status_code == 401
    for each in (key, past):
        keys.revoke(each.id)
    assert client.post("/v1/tickets", headers=bearer(token)).status_code == 401


def test_a_file_of_keys_has_no_key(keys: KeyFile, tokens: dict[str, str]) -> None:
    text = keys.path.read_text()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert not [token for token in tokens.values() if token.split("_", 2)[2] in text]
    assert {len(token) for token in tokens.values()} == {len("tallow_") + 12 + 1 + 43}


def test_a_file_that_is_none_of_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    for content in ("", "[]", "{}", '{"keys": [1]}', '{"keys": [{"id": "a"}]}', "\xff"):
        path.write_text(content)
        with pytest.raises(KeyFileError, match="keys"):
            KeyFile(path).find("tallow_a_b")


def socket_status(url: str, **options: Any) -> int:
    try:
        with connect(url, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_a_ticket_connects_once(client: httpx.Client, tokens: dict[str, str]) -> None:
    url = f"{client.base_url}/v1/stream".replace("http://", "ws://").replace("//v1", "/v1")
    plain = {"subprotocols": ["tallow.v1"]}
    assert socket_status(url, **plain) == 401
    assert socket_status(f"{url}?ticket={tokens['read']}", **plain) == 401

    def ticket() -> str:
        answer = client.post("/v1/tickets", headers=bearer(tokens["read"]))
        return str(answer.json()["ticket"])

    given = ticket()
    with_ticket = {"subprotocols": ["tallow.v1", f"ticket.{given}"]}
    assert [socket_status(url, **with_ticket) for _ in range(2)] == [101, 401]
    given = ticket()
    assert [socket_status(f"{url}?ticket={given}", **plain) for _ in range(2)] == [101, 401]
    assert socket_status(url, additional_headers=bearer(tokens["read"]), **plain) == 101
    for origin, status in ((PAGE, 101), ("https://evil.example", 403)):
        headers = bearer(tokens["read"]) | {"Origin": origin}
        assert socket_status(url, additional_headers=headers, **plain) == status


def test_pages_of_other_origins(client: httpx.Client, tokens: dict[str, str]) -> None:
    start = "Access-Control-Request"
    asked = {f"{start}-Method": "POST", f"{start}-Headers": "content-type"}
    allowed = client.options("/v1/candles", headers={"Origin": PAGE} | asked)
    assert allowed.headers["access-control-allow-origin"] == PAGE
    read = client.get("/healthz", headers={"Origin": PAGE}).headers
    assert "Tallow-Next" in read["access-control-expose-headers"]
    other = client.options("/v1/candles", headers={"Origin": "https://evil.example"} | asked)
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers
    for origin in ("https://evil.example", "null"):
        headers = bearer(tokens["admin"]) | {"Origin": origin}
        assert client.post("/v1/candles", headers=headers).status_code == 403


def test_another_name_of_this_machine_is_refused(client: httpx.Client) -> None:
    for host in ("rebound.example", "127.0.0.1.rebound.example", ""):
        assert client.get("/healthz", headers={"Host": host}).status_code == 421
    for host in ("localhost:1", "127.0.0.1", "[::1]:8765"):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_service_listens_to_others_only_with_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = KeyFile(path)
    for host in ("127.0.0.1", "localhost", "::1"):
        require_keys(read_settings(host=host))
    keys.create("old", "admin", datetime.now(UTC) - timedelta(days=1))
    for said in ({"host": "0.0.0.0"}, {"host": "::"}, {"host": "10.0.0.1", "keys": path}):  # noqa: S104
        with pytest.raises(ParameterError, match="tallow keys create"):
            require_keys(read_settings(**said))
    with pytest.warns(TallowWarning, match="no key in it is good, so requests are refused"):
        require_keys(read_settings(keys=path))
    keys.create("new", "read", None)
    require_keys(read_settings(host="0.0.0.0", keys=path))  # noqa: S104


def test_a_bucket_fills_and_is_bounded() -> None:
    now = 0.0
    rates = Rates(2.0, burst=3.0, most=2, clock=lambda: now)
    assert [rates.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now = 0.5
    assert [rates.take("a") for _ in range(2)] == [0.0, 0.5]
    assert [rates.take(who) for who in "bcd"] == [0.0, 0.0, 0.0]
    assert len(rates) == 2


def test_tickets_end_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now, caller = 0.0, Caller("id", Role.READ)
    tickets = Tickets(clock=lambda: now)
    monkeypatch.setattr("tallow.service.keys.tickets.TICKETS_MAX", 2)
    first, second = tickets.give(caller), tickets.give(caller)
    with pytest.raises(BusyError):
        tickets.give(caller)
    assert (tickets.use(first), tickets.use(first)) == (caller, None)
    now = 30.0
    assert tickets.use(second) is None
    assert tickets.use(tickets.give(caller)) == caller


def test_too_many_requests_wait(keys: KeyFile, tokens: dict[str, str], tmp_path: Path) -> None:
    settings = read_settings(
        store=str(tmp_path / "c"), keys=keys.path, requests_per_second=1, timeframes=["1m"]
    )
    with Service(settings) as service, serving(make_app(service)) as client:
        answers = [client.post("/v1/tickets", headers=bearer(tokens["read"])) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert json.loads(answers[-1].content)["title"] == "TooOften"
