"""A process that reads a store again and again, each time with one bit of one file flipped.

It is a process of its own because a damaged Parquet file can end the one that reads it. It prints a
line per flip: the byte, and what came of it. It is given how many flips to pass over, so that
another one can go on where one ended.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import polars as pl

from tallow.core.errors import TallowError
from tallow.data.store.store import open_store
from tests.data.store.campaign import say


def outcome(store: Path, right: pl.DataFrame) -> str:
    """Read the store; say `right`, `other` or `refused`, or what was raised that may not be."""
    try:
        with open_store(store) as opened:
            return "right" if opened.log().equals(right) else "other"
    except TallowError as error:
        return "refused" if str(store) in str(error) else f"unnamed: {error}"
    except BaseException as error:  # noqa: BLE001 - also what Polars panics with
        return f"raised {type(error).__name__}: {error}"


def main() -> None:
    store, file = map(Path, sys.argv[1:3])
    seed, flips, past = map(int, sys.argv[3:6])
    with open_store(store) as opened:
        right = opened.log()
    body, draw = file.read_bytes(), random.Random(seed)
    drawn = [(draw.randrange(len(body)), draw.randrange(8)) for _ in range(flips)]
    for byte, bit in drawn[past:]:
        damaged = bytearray(body)
        damaged[byte] ^= 1 << bit
        file.write_bytes(damaged)
        say(byte, outcome(store, right))
    file.write_bytes(body)


if __name__ == "__main__":
    main()
