"""Goal: an agent reads what the store has by tools that say what is wrong with a question, and the
store's folder is the same before and after, byte by byte.

Method: the protocol's own client speaks with `tallow mcp` over stdio, and over HTTP with a service
that asks for keys; what tools answer is held against the engine's own answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

import tallow
from tallow.core.errors import OutputError, ParameterError, StoreError, UnknownNameError
from tallow.service.agents.opening import open_tools
from tallow.service.agents.tools import TOOLS, Tools
from tallow.service.keys.key_file import KeyFile
from tallow.service.read_settings import read_settings
from tests.service.inside import serving

Work = Callable[[ClientSession], Awaitable[None]]


@pytest.fixture(scope="module")
def store(market: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agents") / "candles"
    with tallow.open_store(folder, create=True) as opened:
        opened.write(market, source_timeframe="1m")
    return folder


@pytest.fixture
def tools(store: Path, tmp_path: Path) -> Iterator[Tools]:
    (tmp_path / "files").mkdir()
    found = open_tools(str(store), "XNSE", folder=tmp_path / "files")
    yield found
    found.close()


def digests(folder: Path) -> dict[str, str]:
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in folder.rglob("*")
        if each.is_file()
    }


def ask(tools: Tools, tool: str, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tools.answer(tool, arguments))
    return found


def questions(market: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return a question for each tool."""
    name = str(market["instrument"][0])
    own = market.filter(instrument=name)
    columns = ("instrument", "timestamp", "open", "high", "low", "close", "volume")
    rows = own.head(30).select(columns).with_columns(pl.col("timestamp").dt.to_string("iso:strict"))
    bars = tallow.AnalyticsEngine(calendar="XNSE").process_candles(own, "5m", "").frame
    at = bars["timestamp"][30].isoformat()
    return {
        "catalogue": {"search": "moving average"},
        "compute": {"candles": rows.to_dicts(), "timeframe": "5m", "indicators": "sma(2)"},
        "query": {"instruments": [name], "timeframe": "15m", "indicators": "ema(9)", "limit": 5},
        "explain": {"instrument": name, "column": "sma(3)", "at": at, "indicators": "sma(3)"},
        "coverage": {"instruments": [name]},
        "screen": {"condition": "close > 0", "columns": ["rsi(14)"], "timeframe": "15m"},
        "compare": {"instruments": [name], "indicators": "sma(3)", "timeframe": "15m"},
        "leak_check": {"what": "sma(3)", "instruments": [name], "moments": 4},
    }


# What tools answer


def test_a_query_is_what_the_engine_says(tools: Tools, store: Path, market: pl.DataFrame) -> None:
    asked = questions(market)["query"]
    found = ask(tools, "query", **asked)
    with tallow.open_store(store) as opened:
        engine = tallow.AnalyticsEngine(store=opened, calendar="XNSE")
        frame = engine.query(asked["instruments"][0], "15m", indicators="ema(9)").frame
    assert found["columns"] == frame.columns
    assert found["rows_total"] == len(frame)
    assert "more; the last rows are shown" in found["hint"]
    ema = frame.columns.index("ema_9")
    assert [row[ema] for row in found["rows"]] == frame["ema_9"].tail(5).to_list()


def test_other_tools_answer(tools: Tools, store: Path, market: pl.DataFrame) -> None:
    asked = questions(market)
    names = [each["name"] for each in ask(tools, "catalogue", **asked["catalogue"])["indicators"]]
    assert {"ema", "sma"} <= set(names)
    assert ask(tools, "catalogue", name="ema")["parameters"]
    listed = ask(tools, "catalogue", what="instruments", limit=2)
    assert len(listed["rows"]) == 2
    assert ask(tools, "catalogue", what="universes") == {"universes": []}
    assert ask(tools, "catalogue", what="engines", search="tal")["engines"] != []
    computed = ask(tools, "compute", **asked["compute"])
    assert computed["rows_total"] == 6
    assert ask(tools, "coverage", **asked["coverage"])["rows_total"] > 0
    found = ask(tools, "screen", **asked["screen"])
    with tallow.open_store(store) as opened:
        engine = tallow.AnalyticsEngine(store=opened, calendar="XNSE")
        screened = engine.screen("close > 0", "15m", columns=["rsi(14)"])
    assert found["counts"] == screened.counts
    assert found["columns"] == screened.frame.columns
    assert len(found["rows"]) == len(screened.frame) > 0
    assert ask(tools, "compare", **asked["compare"])["series"] != {}


def test_a_look_ahead_is_found_and_none_where_there_is_none(
    tools: Tools, market: pl.DataFrame
) -> None:
    asked = questions(market)["leak_check"]
    found = ask(tools, "leak_check", **asked)
    verdicts = {each["column"]: each["verdict"] for each in found["columns"]}
    assert verdicts == {"sma_3": "ok", "(rows)": "ok"}
    screen = ask(tools, "leak_check", **{**asked, "what": "close > sma(3)"})
    assert {each["verdict"] for each in screen["columns"]} == {"ok"}


def test_large_answers_are_new_files_and_nothing_is_overwritten(
    tools: Tools, market: pl.DataFrame, tmp_path: Path
) -> None:
    asked = questions(market)["query"]
    found = ask(tools, "query", **asked, output="bars.parquet")
    assert pl.read_parquet(found["written"]).height == found["rows_total"]
    assert "rows" not in found
    before = Path(found["written"]).read_bytes()
    with pytest.raises(OutputError, match="is there already; nothing is overwritten"):
        ask(tools, "query", **asked, output="bars.parquet")
    assert Path(found["written"]).read_bytes() == before
    for name in ("../bars.csv", str(tmp_path / "bars.csv"), "a/b.csv"):
        with pytest.raises(ParameterError, match="without a path"):
            ask(tools, "query", **asked, output=name)
    with pytest.raises(OutputError, match="must end in"):
        ask(tools, "query", **asked, output="bars.exe")
    # What is in the folder may be read, and nothing else.
    market.head(50).write_parquet(tmp_path / "files" / "own.parquet")
    assert ask(tools, "compute", file="own.parquet", indicators="")["rows_total"] == 10
    (tmp_path / "files" / "link.csv").symlink_to("/etc/hostname")
    for name, why in (("none.csv", "is no file"), ("link.csv", "without a path")):
        with pytest.raises(ParameterError, match=why):
            ask(tools, "compute", file=name)


# Errors


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("query", {"instrument": ["A"]}, "is no argument of query; did you mean instruments"),
        ("query", {}, "instruments: is missing; Keys, as `catalogue` lists them."),
        ("query", {"instruments": ["A"], "limit": 10**6}, "limit: '1000000'; input should be less"),
        ("screen", {"condition": "clsoe > 1"}, "did you mean close"),
        ("compute", {"timeframe": "5m"}, "one of them must be given"),
        ("compute", {"candles": [{"open": {}}, {"open": "a"}]}, "candles: cannot be read as rows"),
        ("catalogue", {"what": "engines", "name": "ema"}, "only indicators have more to tell"),
        ("catalogue", {"name": "emma"}, "did you mean"),
    ],
)
def test_an_error_says_what_to_do(
    tools: Tools, tool: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(tallow.TallowError) as caught:
        ask(tools, tool, **arguments)
    assert said in str(caught.value)


def test_there_is_no_tool_that_writes(tools: Tools) -> None:
    with pytest.raises(UnknownNameError, match="did you mean query"):
        ask(tools, "querry")
    with pytest.raises(StoreError, match="was opened to be read"):
        tools._store.write(pl.DataFrame())


def questions_of_all() -> list[str]:
    return [
        "catalogue",
        "compute",
        "query",
        "explain",
        "coverage",
        "screen",
        "compare",
        "leak_check",
    ]


def test_schemas_are_strict() -> None:
    for tool in TOOLS.values():
        schema = tool.question.model_json_schema()
        assert schema["additionalProperties"] is False
        assert len(tool.description) > 80


# By the protocol


def test_a_walk_of_all_tools_over_stdio_leaves_the_store_as_it_is(
    store: Path, market: pl.DataFrame
) -> None:
    before = digests(store)
    command = ["-m", "tallow", "mcp", "--store", str(store)]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))

    async def walk() -> None:
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            listed = await session.list_tools()
            assert [each.name for each in listed.tools] == list(TOOLS)
            assert all(
                each.annotations and each.annotations.read_only_hint for each in listed.tools
            )
            for name, asked in questions(market).items():
                answer = await session.call_tool(name, asked)
                assert not answer.is_error, answer.content
                assert json.loads(answer.content[0].text)  # type: ignore[union-attr]
            wrong = await session.call_tool("query", {"instruments": ["nobody"]})
            assert wrong.is_error
            assert "not in the store" in wrong.content[0].text  # type: ignore[union-attr]

    asyncio.run(asyncio.wait_for(walk(), 120))
    assert digests(store) == before


async def over_http(url: str, key: str | None, work: Work) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as client,
        streamable_http_client(url, http_client=client) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        await work(session)


def test_a_service_has_the_tools_for_its_keys(
    store: Path, market: pl.DataFrame, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    _, key = KeyFile(file).create("agent", "read", None)
    settings = read_settings(
        store=str(store), timeframes=["5m"], indicators="", keys=file, hosts=["127.0.0.1"]
    )
    asked = questions(market)

    async def work(session: ClientSession) -> None:
        assert [each.name for each in (await session.list_tools()).tools] == list(TOOLS)
        for name in ("catalogue", "query"):
            answer = await session.call_tool(name, asked[name])
            assert not answer.is_error, answer.content
        refused = await session.call_tool("query", {**asked["query"], "output": "bars.csv"})
        assert refused.is_error
        assert "has no folder for files" in refused.content[0].text  # type: ignore[union-attr]

    with serving(settings) as (_, host):
        url = f"http://{host}/mcp"
        asyncio.run(asyncio.wait_for(over_http(url, key, work), 120))
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        kinds = {"Accept": "application/json, text/event-stream"}
        for more, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": f"Bearer {key}", "Origin": "https://evil.example"}, 403),
            ({"Authorization": f"Bearer {key}", "Host": "evil.example"}, 421),
        ):
            assert httpx2.post(url, json=body, headers=kinds | more).status_code == status
