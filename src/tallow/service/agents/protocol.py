"""The protocol: tools with their schemas, and answers or errors that teach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp import types
from mcp.server.lowlevel.server import Server

import tallow
from tallow.core.errors import TallowError
from tallow.core.text import hide_secrets
from tallow.service.agents.tools import TOOLS, problem_of

Answer = Callable[[str, dict[str, Any]], Awaitable[str]]
"""Takes a tool's name and arguments, and returns JSON."""

INSTRUCTIONS = (
    "Tallow computes bars and indicators of one-minute candles, and keeps them in a store. All "
    "tools read; none changes anything. Begin with catalogue; query and screen need names that it "
    "lists. Times without a zone are the venue's; answers are in UTC. A null is unknown, as "
    "before a warm-up is over. An error says what is wrong, which rule it breaks, and what to do."
)


def make_server(answer: Answer) -> Server[Any]:
    """Return a server of the tools."""

    async def list_tools(_context: Any, _asked: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(name) for name in TOOLS])

    async def call_tool(_context: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        try:
            text, is_error = await answer(asked.name, asked.arguments or {}), False
        except TallowError as error:
            text, is_error = hide_secrets(problem_of(error)), True
        content: list[Any] = [types.TextContent(type="text", text=text)]
        return types.CallToolResult(content=content, is_error=is_error)

    return Server(
        "tallow",
        version=tallow.__version__,
        title="Tallow",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _described(name: str) -> types.Tool:
    tool = TOOLS[name]
    return types.Tool(
        name=name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.question.model_json_schema(),
        annotations=types.ToolAnnotations(
            read_only_hint=True, destructive_hint=False, open_world_hint=False
        ),
    )
