"""Draw ``docs/demo.svg``, a run of ``tallow demo``, and ``docs/chart.svg``: ``make picture``."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

import polars as pl
from rich.console import Console

import tallow
from tallow.serve import demo

COLUMNS = 100


INDICATORS, SCREEN = "ema(9), vwap, rsi(14)", "rsi(14) < 35"


def main() -> None:
    """Draw both."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        draw_demo()
        draw_chart(Path("tallow-demo/candles_1m.parquet"))


def draw_chart(source: Path) -> None:
    """Draw a session of the demo's first instrument, up to a bar that is still forming."""
    candles = pl.read_parquet(source)
    key = candles["instrument"][0]
    last = candles["timestamp"].dt.date().max()
    own = candles.filter(pl.col("instrument") == key)[:-2]
    engine, about = tallow.AnalyticsEngine(calendar="XNSE"), {"start": last, "end": last}
    matches = engine.screen(SCREEN, "5m", candles=own, **about)
    result = engine.process_candles(own, "5m", INDICATORS, **about)
    result.plot(matches={SCREEN: matches}).write(Path(__file__).parent / "chart.svg")


def draw_demo() -> None:
    """Run the demo on a console that records, and save what it printed."""
    target = Path(__file__).parent / "demo.svg"
    console = Console(record=True, width=COLUMNS, force_terminal=True, highlight=False)
    demo.make_console = lambda stderr=False: Console(stderr=True) if stderr else console
    demo.run_demo(200, 20, folder=Path("tallow-demo"), timeframes=("5m", "1h", "1d"))
    picture = console.export_svg(title="tallow demo")
    # The reader's own monospaced font will do: a picture must not fetch one from elsewhere.
    target.write_text(re.sub(r"@font-face \{[^}]*\}\s*", "", picture), "utf-8")


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", str(COLUMNS))
    main()
