"""The verb ``tallow mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tallow.serve import options
from tallow.serve.options import INPUT, OUTPUT, option

EPILOG = """\b
Examples:
  tallow mcp --store candles
  tallow mcp --store candles --folder files

\b
An agent starts it, and speaks with it over stdin and stdout. It is registered as
  {"mcpServers": {"tallow": {"command": "tallow", "args": ["mcp", "--store", "/path/candles"]}}}
The tools read: catalogue, compute, query, explain, coverage, screen, compare and
leak_check. The store's folder is left as it is, byte by byte.

\b
Exit codes:
  0    the agent went away
  2    a wrong option, or no store; the message says what to change
"""

McpStoreOption = Annotated[
    str, option("--store STORE", "The store that is read.", INPUT, envvar="TALLOW_STORE")
]
FolderOption = Annotated[
    Path | None,
    option(
        "--folder FOLDER",
        "Files of candles are read from it, and large answers are new files there.",
        OUTPUT,
    ),
]


def mcp(
    store: McpStoreOption,
    folder: FolderOption = None,
    calendar: options.CalendarOption = "XNSE",
    convention: options.ConventionOption = "tradingview",
) -> None:
    """Serve tools to an agent over stdio (MCP).

    A running service has the same tools at /mcp, for its keys.
    """
