"""Goal: whatever comes to any route is answered or refused in its own words, and changes nothing.

Method: the routes are those of the application's own OpenAPI, so that a new one is tried by itself:
each of its parameters is missing, wrong, huge and hostile, and so is its body; without a key, with
one of too low a role, and with one that may do all.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import polars as pl
import pytest

from tallow.migrate.rollout.plan import EXAMPLE
from tallow.service.app import make_app
from tallow.service.keys.key_file import KeyFile
from tallow.service.keys.roles import ROLES, Role, needed_role
from tallow.service.limits import BODY_BYTES_MAX
from tallow.service.service import Service
from tests.service.conftest import compute_here, opened
from tests.sizes import sized

HOSTILE = (
    "",
    "\x00",
    "A" * 9_000,
    "../../etc/passwd",
    "/etc/passwd.csv",
    "'; DROP TABLE quarantine; --",
    "%s%n{0}${jndi:ldap://x}",
    "NaN",
    "-1",
    "9" * 400,
    "1e400",
    "[" * 2_000,
    "(" * 2_000,
    "http://169.254.169.254/",
    "os:system",
    "\u202e\U0001f4a5\r\nSet-Cookie: a=b",
    "0001-01-01",
    "9999-12-31T23:59:59Z",
    "-100000d",
)
BODIES = (
    b"",
    b"\x00" * 100,
    b"\xff\xfe{",
    b"{",
    b"null",
    b"[[[]]]",
    b"[" * 100_000,
    b'{"__proto__": {"a": 1}, "reason": 7, "id": 1e999}',
    b'[{"id": 18446744073709551616, "instrument": "\\ud800", "timestamp": "x"}]',
    b"a,b\n" + b'"' * 1_000,
)
HEADERS: tuple[dict[str, str], ...] = (
    {"Idempotency-Key": "k" * 300},
    {"Idempotency-Key": "\xe9"},
    {"Content-Encoding": "br"},
    {"Accept": "image/png"},
    {"Accept": ";;;q="},
    {"Accept-Encoding": "zstd;q=x"},
    {"If-None-Match": '"' * 5_000},
    {"Content-Length": "99999999999"},
)

Ask = Callable[..., Awaitable[httpx.Response]]


class Operation:
    """A method and address of the application, and what it takes by its description."""

    def __init__(self, path: str, method: str, said: dict[str, Any]) -> None:
        self.path, self.method, self.parameters = path, method.upper(), said.get("parameters", [])
        self.types = list(said.get("requestBody", {}).get("content", ()))

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    def usual(self) -> dict[str, str]:
        """Return values of what must be given, by the examples of the description."""
        return {
            each["name"]: _example(each)
            for each in self.parameters
            if each["in"] == "path" or (each["in"] == "query" and each.get("required"))
        }

    def url(self, values: dict[str, str]) -> str:
        """Return the address with these values."""
        names = {each["name"] for each in self.parameters if each["in"] == "path"}
        path = self.path
        for name in names:
            path = path.replace("{" + name + "}", quote(values[name], safe=""))
        query = "&".join(
            f"{quote(name)}={quote(value)}" for name, value in values.items() if name not in names
        )
        return f"{path}?{query}" if query else path


def _example(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    if "enum" in schema:
        return str(schema["enum"][0])
    found = parameter.get("examples") or schema.get("examples") or ["A"]
    return str(found[0]) if isinstance(found, list) else "A"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    keys = KeyFile(folder / "keys.json")
    return {role: keys.create(role, role, None)[1] for role in ROLES}


@pytest.fixture(scope="module")
def service(market: pl.DataFrame, folder: Path, tokens: dict[str, str]) -> Iterator[Service]:
    plan = folder / "rollout.toml"
    plan.write_text(EXAMPLE)
    few = market.filter(pl.col("instrument") == market["instrument"][0])
    more = {"rollout": plan, "keys": folder / "keys.json", "requests_per_second": 1e6}
    with opened(few, folder / "candles", **more) as service:
        service.live.catch_up()
        compute_here(service)
        yield service


@pytest.fixture(scope="module")
def operations(service: Service) -> list[Operation]:
    paths = make_app(service).openapi()["paths"]
    return [
        Operation(path, method, said)
        for path, methods in paths.items()
        for method, said in methods.items()
    ]


def asking(service: Service, work: Callable[[Ask], Awaitable[None]]) -> None:
    """Do what asks an application, without a network."""

    async def run() -> None:
        transport = httpx.ASGITransport(make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            await work(client.request)

    asyncio.run(run())


def what_is_wrong(answer: httpx.Response, folder: Path) -> str:
    """Return what an answer must not be; nothing where it is as it should be."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    if answer.status_code >= 400:
        if answer.headers.get("content-type") != "application/problem+json":
            return "no problem"
        said = answer.json()
        if said["status"] != answer.status_code or not said["title"] or not said["detail"]:
            return "a problem that says too little"
    if "set-cookie" in answer.headers:
        return "a header that was injected"
    if answer.status_code >= 400 and str(folder) in answer.text:
        return "it tells of this machine"
    return ""


def test_each_parameter_of_each_route(
    service: Service, operations: list[Operation], tokens: dict[str, str], folder: Path
) -> None:
    candles, found = service.store.read(), []
    values = itertools.cycle(HOSTILE)
    admin = {"Authorization": f"Bearer {tokens['admin']}"}

    async def work(ask: Ask) -> None:
        for each in operations:
            usual = each.usual()
            asked = [
                usual | {parameter["name"]: value}
                for parameter in each.parameters
                if parameter["in"] != "header"
                for value in itertools.islice(values, sized(2, len(HOSTILE)))
            ]
            asked += [{k: usual[k] for k in usual if k != name} for name in usual]
            for given in [*asked, usual | {"zzz": "1"}]:
                answer = await ask(each.method, each.url(usual | given), headers=admin)
                if wrong := what_is_wrong(answer, folder):
                    found.append((each, given, wrong, answer.text[:300]))

    asking(service, work)
    assert not found
    assert service.store.read().equals(candles)


def test_each_body_and_header_of_each_route(
    service: Service, operations: list[Operation], tokens: dict[str, str], folder: Path
) -> None:
    candles, found = service.store.read(), []
    admin = {"Authorization": f"Bearer {tokens['admin']}"}
    headers = itertools.cycle(HEADERS)
    bomb = gzip.compress(bytes(BODY_BYTES_MAX + 1))

    async def work(ask: Ask) -> None:
        for each in operations:
            url, kinds = each.url(each.usual()), each.types or ["application/json"]
            some = itertools.islice(headers, sized(3, len(HEADERS)))
            tried = [(b"", dict(more)) for more in some]
            tried += [(b"{}", {"Content-Type": "image/png"}), (b"{}", {})]
            if each.types:
                tried += [
                    (body, {"Content-Type": kind})
                    for kind in kinds[: sized(1, len(kinds))]
                    for body in BODIES
                ]
                tried.append((bomb, {"Content-Type": kinds[0], "Content-Encoding": "gzip"}))
            for body, more in tried:
                encoded = [(k.encode(), v.encode("latin-1")) for k, v in (admin | more).items()]
                answer = await ask(each.method, url, content=body, headers=encoded)
                if wrong := what_is_wrong(answer, folder):
                    found.append((each, more, body[:40], wrong, answer.text[:300]))

    asking(service, work)
    assert not found
    assert service.store.read().equals(candles)


def test_who_may_not_is_refused_whatever_comes(
    service: Service, operations: list[Operation], tokens: dict[str, str]
) -> None:
    async def work(ask: Ask) -> None:
        for each in operations:
            need = needed_role(each.method, each.path)
            url = each.url(dict.fromkeys(each.usual(), HOSTILE[5]))
            answer = await ask(each.method, url, content=BODIES[6])
            assert (answer.status_code == 401) == (need > Role.PUBLIC), each
            for role, token in tokens.items():
                if ROLES[role] < need:
                    said = {"Authorization": f"Bearer {token}"}
                    answer = await ask(each.method, url, content=BODIES[6], headers=said)
                    assert answer.status_code == 403, each

    asking(service, work)
