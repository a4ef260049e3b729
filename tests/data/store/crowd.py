"""Writers, readers and tidiers that work on one store at the same time, as threads or processes.

Each write replaces every candle of its keys by one with a new price, so that all its rows are
revisions: a log then holds a write whole or not at all, and how many rows it holds up to a moment
says whether it holds all of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

import tallow.data.store.delta_backend  # noqa: F401 - loaded before its limits are lowered
from tallow.data.reading.schema import CANDLE_SCHEMA, TIME_TYPE
from tallow.data.store.store import Store, open_store
from tests.data.store.campaign import FIRST, MINUTE, lower_limits, say

WRITERS = ("first", "second")
SIZES = (25, 180, 10, 700, 60)
SHARED = 15
Say = Callable[[list[Any]], None]


def batch(writer: str, number: int) -> pl.DataFrame:
    """Return a write: candles of the writer's own, and those that both write."""
    price = 100.0 + number + 0.5 * WRITERS.index(writer)
    parts = [(writer, SIZES[number % len(SIZES)]), ("shared", SHARED)]
    times = [FIRST + minute * MINUTE for _, rows in parts for minute in range(rows)]
    frame = pl.DataFrame(
        {
            "instrument": [name for name, rows in parts for _ in range(rows)],
            "timestamp": pl.Series(times).cast(TIME_TYPE),
        }
    )
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    values = {name: pl.lit(value) for name, value in prices.items()}
    return frame.with_columns(**values, volume=pl.lit(7.0)).select(list(CANDLE_SCHEMA))


def write(store: Store, say: Say, folder: Path, writer: str, batches: int) -> None:
    """Write batches; say of each its source, rows and receipt time once it is acknowledged."""
    heard = folder / f"{writer}.heard"
    for number in range(batches):
        rows = batch(writer, number)
        report = store.write(rows, source=f"{writer} {number}", source_timeframe="1m")
        assert report.new + report.revised == len(rows), report
        heard.write_text(f"{report.received_at}\n")
        say([f"{writer} {number}", len(rows), report.received_at])


def read(store: Store, say: Say, folder: Path) -> None:
    """Read until told to stop; say what had been acknowledged before, and what was there then."""
    for number in count():
        stop = (folder / "stop").exists()
        acknowledged = [_heard(folder / f"{writer}.heard") for writer in WRITERS]
        token = store.token()
        received = store.log()["received_at"].to_physical()
        is_still = store.token() == token
        newest = received.max() or 0
        say([max(acknowledged), len(received), newest, str(token) if is_still else None])
        if stop and number >= 3:
            return
        time.sleep(0.01)


def _heard(path: Path) -> int:
    # A file is being written anew while it is empty.
    text = path.read_text() if path.exists() else ""
    return int(text) if text.endswith("\n") else 0


def tidy(store: Store, say: Say, folder: Path, keep_hours: float) -> None:
    """Flush and compact until told to stop."""
    for number in count():
        stop = (folder / "stop").exists()
        store.flush()
        compacted = store.compact(keep_hours=keep_hours)
        say([number, compacted.files_before, compacted.files_after])
        time.sleep(0.02)
        if stop:
            return


ROLES: dict[str, Callable[..., None]] = {"write": write, "read": read, "tidy": tidy}


def main() -> None:
    asked = json.loads(sys.argv[1])
    lower_limits()
    with open_store(asked["store"], create=True) as store:
        folder = Path(asked["folder"])
        ROLES[asked["role"]](store, lambda line: say(json.dumps(line)), folder, *asked["arguments"])


if __name__ == "__main__":
    main()
