"""What the tests of comparisons share: answers made by hand, and engines that give them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.migrate.pairs import SeriesPair
from tallow.migrate.protocol import Request

OPEN = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Values = Sequence[float | None] | NDArray[np.float64]


def answer(bars: int, first: int = 0, instrument: str = "A", /, **series: Values) -> pl.DataFrame:
    """Return five-minute bars with these series, from the bar with number `first` on."""
    times = [OPEN + 5 * MINUTE * (first + bar) for bar in range(bars)]
    schema = {"instrument": pl.String(), "timestamp": pl.Datetime("us", "UTC")}
    schema |= dict.fromkeys(series, pl.Float64())
    return pl.DataFrame(
        {"instrument": [instrument] * bars, "timestamp": times, **series}, schema=schema
    )


def candles(instruments: Sequence[str], minutes: int = 10) -> pl.DataFrame:
    """Return one-minute candles; what they hold is for engines that look at them."""
    frames = []
    for number, name in enumerate(instruments):
        price = 100.0 + number + np.arange(minutes) % 7 / 10
        frames.append(
            pl.DataFrame(
                {
                    "instrument": [name] * minutes,
                    "timestamp": [OPEN + minute * MINUTE for minute in range(minutes)],
                    "open": price,
                    "high": price + 0.5,
                    "low": price - 0.5,
                    "close": price + 0.1,
                    "volume": [100.0] * minutes,
                }
            ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))
        )
    return pl.concat(frames)


def pair(control: Values, candidate: Values) -> SeriesPair:
    """Return a series whose rows both sides have; None is no value."""
    values = [np.array(side, dtype=np.float64) for side in (control, candidate)]
    there = np.ones(len(control), dtype=bool)
    return SeriesPair(
        "A", "sma_9", np.arange(len(control), dtype=np.int64), values[0], values[1], there, there
    )


@dataclass
class Fixed:
    """An engine that answers the same frame, as far as it was asked for; or what a function says.

    `bad` are instruments for which it raises.
    """

    frame: pl.DataFrame | Callable[[Request], pl.DataFrame]
    name: str = "fixed"
    version: str = "1"
    bad: Mapping[str, Exception] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def answer(self, request: Request) -> pl.DataFrame:
        names = request.candles["instrument"].unique(maintain_order=True).to_list()
        self.asked.append(names)
        for name in names:
            if name in self.bad:
                raise self.bad[name]
        if not isinstance(self.frame, pl.DataFrame):
            return self.frame(request)
        return self.frame.filter(pl.col("instrument").is_in(names)) if names else self.frame


# Engines for a process of their own: they are found there by their names.


def takes_memory(request: Request) -> pl.DataFrame:
    """Hold 64 MB for a moment where the whole is asked for, nothing in the small first answer."""
    held = np.ones(8_000_000 if len(request.candles) > 400 else 1)
    return answer(1, close=[float(held[0])])


def waits(request: Request) -> pl.DataFrame:
    time.sleep(600)
    return answer(1)


def dies(request: Request, *_others: object) -> pl.DataFrame:
    os.kill(os.getpid(), signal.SIGKILL)
    return answer(1)


def raises(request: Request) -> pl.DataFrame:
    raise ValueError("no such table")
