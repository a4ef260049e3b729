"""`tallow mcp`: tools for an agent, over stdin and stdout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from mcp.server.stdio import stdio_server

from tallow.core.errors import ParameterError
from tallow.service.agents.opening import open_tools
from tallow.service.agents.protocol import make_server
from tallow.service.agents.tools import Tools


def run_tools(store: str, folder: Path | None, calendar: str, convention: str) -> int:
    """Answer until the agent goes away; return the exit code.

    `TallowError` if the store, the folder or an option is wrong.
    """
    if folder is not None and not folder.is_dir():
        raise ParameterError(f"mcp: folder={folder}; must be a folder that is there; make it first")
    tools = open_tools(store, calendar, convention, folder)
    try:
        anyio.run(_serve, tools)
    finally:
        tools.close()
    return 0


async def _serve(tools: Tools) -> None:
    one = anyio.Lock()

    async def answer(name: str, arguments: dict[str, Any]) -> str:
        async with one:
            return await anyio.to_thread.run_sync(tools.answer, name, arguments)

    server = make_server(answer)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
