"""What tests of runs over files share: candles, and writing them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.frames import market

NAMES = ("A", "B", "C", "D")
BLOCK = 40
"""Rows of a block in these tests: instruments, keys and files straddle them."""


def rows(seed: int = 3) -> pl.DataFrame:
    """Return gapped candles of four instruments over two days, with some open interest."""
    days = [market(NAMES, f"2025-06-0{d}T09:12+05:30", 90, seed + d) for d in (2, 3)]
    frame = pl.concat(days).sort("instrument", "timestamp")
    known = pl.int_range(pl.len()) % 3 == 0
    return frame.with_columns(pl.when(known).then(pl.col("volume").round()).alias("open_interest"))


def write(frame: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".arrow":
        frame.write_ipc(path)
    else:
        frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%z")
    return path
