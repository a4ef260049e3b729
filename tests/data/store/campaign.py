"""What the store's campaigns share: histories of writes, and what a log must then hold.

The oracle knows nothing of files and locks: it lines up what was written to each key, and drops
what says the same as the line before. Where a history is not of full size, the store's limits are
lowered, so that a second of it flushes, merges and splits files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import polars as pl
import pytest

from tallow.core import limits
from tallow.data.reading.schema import CANDLE_SCHEMA, TIME_TYPE
from tallow.data.store.store import Store

SMALL_LIMITS = {
    "STORE_TAIL_BATCH_ROWS": 400,
    "STORE_TAIL_FOLD": 3,
    "STORE_TAIL_FOLD_ROWS": 100,
    "STORE_TAIL_LOOSE": 2,
    "STORE_FLUSH_ROWS": 1_000,
    "STORE_SMALL_FILES": 3,
    "STORE_FILE_ROWS": 3_000,
    "STORE_GROUP_ROWS": 512,
    "STORE_REWRITE_ROWS": 2_500,
    "STORE_FILTER_INSTRUMENTS": 5,
}
FIRST = 1_748_736_000_000_000
MINUTE = 60_000_000
LOG_COLUMNS = ["instrument", "timestamp", "close", "revision", "source", "deleted"]

Kind = Literal["write", "delete", "flush", "compact"]


@dataclass(frozen=True)
class Step:
    """One thing to do to a store; `rows` are candles to write, or keys to delete."""

    kind: Kind
    rows: pl.DataFrame


@dataclass(frozen=True)
class History:
    """Endless random steps; the one of a number is always the same.

    Keys are few, so that most writes repeat, correct or bring back what was written before.
    """

    seed: int
    full_size: bool = False

    def step(self, number: int) -> Step:
        draw = np.random.default_rng([self.seed, number])
        instruments, minutes, sizes = (
            (64, 1_500, (1, 2_000, 40_000, 80_000))
            if self.full_size
            else (20, 40, (1, 60, 350, 700))
        )
        kinds: list[Kind] = ["write", "delete", "flush", "compact"]
        kind = kinds[draw.choice(4, p=[0.8, 0.1, 0.05, 0.05])]
        count = 0
        if kind in ("write", "delete"):
            most = sizes[draw.choice(4, p=[0.2, 0.3, 0.3, 0.2])]
            count = int(draw.integers(1, most + 1)) if most < sizes[3] else most
        keys = np.sort(draw.choice(instruments * minutes, count, replace=False))
        return Step(
            kind, _candles(keys, minutes, draw) if kind == "write" else _keys(keys, minutes)
        )

    def steps(self, numbers: Iterable[int]) -> list[tuple[int, Step]]:
        """Return steps with their numbers."""
        return [(number, self.step(number)) for number in numbers]


def _keys(keys: np.ndarray, minutes: int) -> pl.DataFrame:
    number = pl.Series("instrument", keys // minutes).cast(pl.String).str.zfill(4)
    time = pl.Series("timestamp", FIRST + keys % minutes * MINUTE).cast(TIME_TYPE)
    return pl.DataFrame([number, time]).with_columns("NSE_EQ|" + pl.col("instrument"))


def _candles(keys: np.ndarray, minutes: int, draw: np.random.Generator) -> pl.DataFrame:
    # One of three prices for a key: a third of what is written again is the same again.
    version = draw.integers(0, 3, len(keys))
    close = 100.0 + 0.05 * (keys % 97) + version
    prices = {"open": close, "high": close + 1.0, "low": close - 1.0, "close": close}
    frame = _keys(keys, minutes).with_columns(
        **{name: pl.Series(values) for name, values in prices.items()},
        volume=pl.Series(10.0 * keys + version),
    )
    return frame.select(list(CANDLE_SCHEMA))


def work(store: Store, numbered: Iterable[tuple[int, Step]]) -> Iterator[int]:
    """Do steps one after the other; yield the number of each once the store acknowledged it."""
    for number, step in numbered:
        if step.kind == "write":
            store.write(step.rows, source=str(number), source_timeframe="1m")
        elif step.kind == "delete":
            store.delete(step.rows, source=str(number))
        elif step.kind == "flush":
            store.flush()
        else:
            store.compact(keep_hours=0)
        yield number


def expected_log(steps: Iterable[tuple[int, Step]]) -> pl.DataFrame:
    """Return the log that numbered steps leave, each writing under its number as its source."""
    written = [
        step.rows.select(
            "instrument",
            "timestamp",
            pl.col("close") if step.kind == "write" else pl.lit(None, pl.Float64).alias("close"),
            order=pl.lit(order, pl.Int64),
            source=pl.lit(str(number)),
        )
        for order, (number, step) in enumerate(steps)
        if step.kind in ("write", "delete")
    ]
    empty = pl.DataFrame(
        schema={
            "instrument": pl.String,
            "timestamp": TIME_TYPE,
            "close": pl.Float64,
            "order": pl.Int64,
            "source": pl.String,
        }
    )
    key = ["instrument", "timestamp"]
    lined_up = pl.concat([empty, *written]).sort(*key, "order")
    # A key begins as a deleted one: null.
    says_more = pl.col("close").ne_missing(pl.col("close").shift(1).over(key))
    return (
        lined_up.filter(says_more)
        .with_columns(
            revision=pl.col("order").cum_count().over(key).cast(pl.Int32),
            deleted=pl.col("close").is_null(),
        )
        .select(LOG_COLUMNS)
    )


def expected_candles(log: pl.DataFrame) -> pl.DataFrame:
    """Return instrument, timestamp and close of the candles that an expected log comes down to."""
    last = log.group_by("instrument", "timestamp", maintain_order=True).last()
    return last.filter(~pl.col("deleted")).select("instrument", "timestamp", "close")


def lower_limits(patch: pytest.MonkeyPatch | None = None) -> None:
    """Make the store flush, merge and split at a few hundred rows, wherever it looks."""
    modules: list[ModuleType] = [limits]
    modules += [m for n, m in sys.modules.items() if n.startswith("tallow.data.store.")]
    for module in modules:
        for name, value in SMALL_LIMITS.items():
            if not hasattr(module, name):
                continue
            if patch is None:
                setattr(module, name, value)
            else:
                patch.setattr(module, name, value)


def say(*words: object) -> None:
    """Write a line to the process that waits for it."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def seed_of(request: pytest.FixtureRequest) -> int:
    """Return 1, or for a nightly test the seed that `make nightly` prints."""
    if request.node.get_closest_marker("nightly") is None:
        return 1
    return int(request.config.getoption("randomly_seed", default=1))
