"""Rows as texts: many together say the same as each alone, and what they were made of."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.runtime.live.bar_rows import BAR_FIELDS
from tallow.service.stream.changes import StreamRow
from tallow.service.stream.encoding import Columns

EVERY = ("ema_9", "rsi_14", "obv")
NUMBERS = st.floats(width=64)
ROWS = st.tuples(
    st.sampled_from(["1m", "1d"]),
    st.text(min_size=1, max_size=8).filter(lambda name: name.isprintable()),
    st.lists(NUMBERS, min_size=6, max_size=6),
    st.integers(0, 400),
    st.booleans(),
    st.lists(NUMBERS, min_size=len(EVERY), max_size=len(EVERY)),
)


def row_of(number: int, given: tuple[str, str, list[float], int, bool, list[float]]) -> StreamRow:
    timeframe, name, bar, candles, is_final, values = given
    data = struct.pack(f"{len(BAR_FIELDS) + len(EVERY)}d", *bar, candles, *values)
    return StreamRow((timeframe, name, 60_000_000 * number), 1, is_final, number, data)


@pytest.mark.parametrize("chosen", [EVERY, ("obv", "ema_9"), ()])
@given(given=st.lists(ROWS, max_size=12))
def test_rows_together_say_what_each_says_alone(
    chosen: tuple[str, ...], given: list[tuple[str, str, list[float], int, bool, list[float]]]
) -> None:
    together = Columns(EVERY, chosen, {}).texts([row_of(k, each) for k, each in enumerate(given)])
    alone = Columns(EVERY, chosen, {})
    assert together == [alone.text(row_of(k, each)) for k, each in enumerate(given)]
    for number, (text, each) in enumerate(zip(together, given, strict=True)):
        timeframe, name, bar, candles, is_final, values = each
        rest = [candles, is_final, number, *_finite([values[EVERY.index(n)] for n in chosen])]
        assert json.loads(text) == [timeframe, name, 60_000_000 * number, *_finite(bar), *rest]


def _finite(values: list[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
