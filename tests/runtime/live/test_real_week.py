"""Goal: a real week that is replayed ends with the bits of the batch run, however it comes.

Method: candles of two NSE shares, one by one, in random chunks, and late, repeated and wrong first.
All rows that were told, the last version of each, are compared with one run over the week.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine
from tallow.data.reading.readers import read_candles
from tests.frames import assert_same_frame
from tests.sizes import sized

SIZES = ["1m", "5m", "15m", "1h", "1d"]
INDICATORS = "default, macd, adx, stoch, obv, supertrend"
SHARES = ["NSE_EQ|INE301A01014", "NSE_EQ|INE863B01029"]
"""A day of RAYMOND, a week of PREMEXPLN."""
KEYS = ["instrument", "timestamp"]


@pytest.fixture(scope="module")
def week(reference):
    frame = read_candles(reference / "data" / "candles_1m.csv").frame
    assert set(SHARES) <= set(frame["instrument"])
    own = [frame.filter(instrument=name).tail(sized(2, 5) * 375) for name in SHARES]
    return pl.concat(own).select(frame.columns[:7]).sort("timestamp", "instrument")


@pytest.fixture(scope="module")
def wanted(week):
    engine = AnalyticsEngine("XNSE", threads=1)
    return {size: engine.process_candles(week, size, INDICATORS).frame for size in SIZES}


def assert_told(told: dict[str, list[pl.DataFrame]], wanted: dict[str, pl.DataFrame]) -> None:
    """Assert that the last versions of what was told are the bars of the batch run."""
    for size, frames in told.items():
        last = pl.concat(frames).unique(KEYS, keep="last", maintain_order=True)
        last = last.filter(pl.col("candles") > 0).sort(KEYS).drop("is_final")
        # Whether the last bar has closed is the clock's to say, which was not set.
        assert_same_frame(
            last.select(wanted[size].drop("is_final").columns), wanted[size].drop("is_final")
        )


def replay(pieces: list[pl.DataFrame], keep: int) -> dict[str, list[pl.DataFrame]]:
    live = LiveEngine(SIZES, INDICATORS, keep=keep)
    told: dict[str, list[pl.DataFrame]] = {size: [] for size in SIZES}
    for piece in pieces:
        for size, frame in live.update(piece).frames.items():
            told[size].append(frame)
    return told


def test_candle_by_candle(week, wanted):
    """By arrays, as a feed does."""
    live = LiveEngine(SIZES, INDICATORS, keep=5)
    numbers = live.numbers(week["instrument"])
    columns = [week["timestamp"].to_physical().to_numpy()]
    columns += [week[name].to_numpy() for name in week.columns[2:]]
    told: dict[str, dict[Any, Any]] = {size: {} for size in SIZES}
    update: Any = None
    for row in range(len(week)):
        one = slice(row, row + 1)
        update = live.update_arrays(numbers[one], *(column[one] for column in columns))
        assert update.report.appended == 1
        for size, rows in update.rows.items():
            for place, key in enumerate(zip(rows.instrument, rows.timestamp, strict=True)):
                told[size][key] = rows.values[:, place]
    fields = update.rows["1m"].fields
    for size, values in told.items():
        frame = wanted[size]
        keys = sorted(values, key=lambda key: (live.names[key[0]], key[1]))
        assert [int(key[1]) for key in keys] == frame["timestamp"].to_physical().to_list()
        table = np.array([values[key] for key in keys])
        for name in set(fields) & set(frame.columns):
            column = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            np.testing.assert_array_equal(table[:, fields.index(name)], column, name)


@pytest.mark.parametrize("keep", [1, 512])
def test_in_random_chunks(week, wanted, keep):
    draw = random.Random(keep)
    edges = sorted({0, len(week), *(draw.randrange(len(week)) for _ in range(60))})
    pieces = [week[a:b] for a, b in pairwise(edges)]
    assert_told(replay(pieces, keep), wanted)


def test_late_repeated_and_corrected(week, wanted):
    """Within what is kept."""
    draw, pieces = random.Random(9), []
    for low in range(0, len(week), 97):
        piece = week[low : low + 97]
        wrong = piece.sample(5, seed=low).with_columns(close="low", volume=pl.col("volume") + 1.0)
        held = [draw.random() < 0.1 for _ in range(len(piece))]
        first = pl.concat([piece.filter(pl.Series(held).not_()), wrong])
        pieces += [first.unique(KEYS, keep="last", maintain_order=True), piece, piece.tail(3)]
    assert_told(replay(pieces, 512), wanted)
