"""Draw ``docs/demo.svg`` from a real run of ``tallow demo``: ``make picture``."""

from __future__ import annotations

import contextlib
import os
import re
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
    picture = console.export_svg(title="tallow demo")
    # The reader's own monospaced font will do: a picture must not fetch one from elsewhere.
    target.write_text(re.sub(r"@font-face \{[^}]*\}\s*", "", picture), "utf-8")


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", str(COLUMNS))
    main()
