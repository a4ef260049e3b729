"""What tests of the store's verbs share: calling the command line, and candles to call it with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from tallow.serve.cli import app

HEADER = "symbol,ts,o,h,l,c,v\n"
CLEAN = (
    "A,2025-07-18T09:15+05:30,10,12,9,11,100\n"
    "A,2025-07-18T09:17+05:30,11,15,10,14,50\n"
    "A,2025-07-18T09:20+05:30,14,14,13,13,25\n"
)
HIGH_BELOW_LOW = "A,2025-07-18T09:21+05:30,10,9,11,10,100\n"

SAID = ("--source-timeframe", "1m", "--adjustment", "raw")
"""What a table of candles does not say of itself."""


def tallow(*arguments: object, **environment: str) -> Result:
    """Run a verb, in a wide terminal: no path is folded."""
    return CliRunner(env={"COLUMNS": "200"} | environment).invoke(app, list(map(str, arguments)))


def told(*arguments: object) -> Any:
    """Return what a verb prints as JSON."""
    result = tallow(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def ingested(folder: Path, text: str = CLEAN, name: str = "candles.csv") -> Path:
    """Write candles to a file, and that into a store; return where the store is."""
    source, store = folder / name, folder / "store"
    source.write_text(HEADER + text)
    result = tallow("ingest", source, "--store", store, *SAID)
    assert result.exit_code == 0, result.output
    return store
