"""Draw ``docs/demo.svg`` from a real run of ``tallow demo``: ``make picture``."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from rich.console import Console

from tallow.serve import demo

COLUMNS = 100


def main() -> None:
    """Run the demo on a console that records, and save what it printed."""
    target = Path(__file__).parent / "demo.svg"
    console = Console(record=True, width=COLUMNS, force_terminal=True, highlight=False)
    demo.make_console = lambda stderr=False: Console(stderr=True) if stderr else console
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        demo.run_demo(200, 20, folder=Path("tallow-demo"), timeframes=("5m", "1h", "1d"))
    console.save_svg(str(target), title="tallow demo")


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", str(COLUMNS))
    main()
