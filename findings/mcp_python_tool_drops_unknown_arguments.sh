#!/usr/bin/env bash
# mcp 2.3.0 (the Python SDK, MCPServer), Python 3.11: a tool made from a typed function, with a default.
# Guess: a client that misspells an argument is refused; the tool's schema says which ones there are, so
# that an agent can mend its call.
# Seen: the schema says nothing of other arguments (no `additionalProperties`), an argument that the
# function does not have is left out, and the tool answers with its default, as if it had been asked so.
# `is_error` is false. An agent that asks for `lenght=50` is given another number than it believes.
set -euo pipefail
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mcp==2.3.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
from importlib.metadata import version

from mcp import Client
from mcp.server import MCPServer

server = MCPServer("averages")


@server.tool()
def average(length: int = 14) -> str:
    return f"length {length}"


async def ask():
    async with Client(server) as client:
        (tool,) = (await client.list_tools()).tools
        right = await client.call_tool("average", {"length": 50})
        wrong = await client.call_tool("average", {"lenght": 50})
    return tool.input_schema, right, wrong


schema, right, wrong = asyncio.run(ask())
said = [each.content[0].text for each in (right, wrong)]
print("mcp", version("mcp"), said, wrong.is_error, "additionalProperties" in schema)
assert said == ["length 50", "length 14"] and not wrong.is_error
assert "additionalProperties" not in schema
PYTHON
