"""Goal: what the old system stored and answered comes out, to the last digit that it kept.

Method: its pipelines over the real minutes; the counts are exact. What it stored depends on history
that is not there: on closes before the first minute. A series that such history only seeds is given
a seed, as few numbers as its state has, and must then give every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from tallow.migrate.legacy.answer import five_minute_candles, lowest_width
from tallow.migrate.legacy.candles import Candle, LegacyRow
from tests.migrate.legacy import reading
from tests.migrate.legacy.file_bars import COPIED, file_bars
from tests.migrate.legacy.ingestion import ingested
from tests.migrate.legacy.june import stored_in_june

STORED_DIGITS = 0.5001e-4
"""Half of the last place of DECIMAL(18,4)."""

ONE_PLACE = 1e-4
"""A seed that is known to four digits is that much off at most."""


@pytest.fixture(scope="module")
def raymond(reference: Path) -> list[Candle]:
    return reading.minutes(reference)["RAYMOND"]


@pytest.fixture(scope="module")
def stored(reference: Path) -> dict[int, LegacyRow]:
    return reading.stored(reference, "RAYMOND")


@pytest.fixture(scope="module")
def answered(reference: Path) -> dict[int, LegacyRow]:
    return reading.answered(reference, "goapi")


def equal(
    rows: Iterable[LegacyRow],
    expected: dict[int, LegacyRow],
    name: str,
    theirs: str = "",
    by: float = 0.0,
) -> int:
    """Count the rows whose value is the expected one, within `by`."""
    return sum(
        abs(row[name] - expected[int(row["timestamp"])][theirs or name]) <= by for row in rows
    )


def after(closes: Sequence[float], minutes: Sequence[Candle]) -> list[Candle]:
    """Return minutes, newest first, with others of these closes before them."""
    first = minutes[0].timestamp - 60 * len(closes)
    made = [Candle(first + 60 * i, c, c, c, c, 1.0) for i, c in enumerate(closes)]
    return [*made, *minutes][::-1]


def ema_seed(length: int, value: float, close: float) -> float:
    """Return the mean before a row from the mean and the close of it."""
    weight = 2.0 / (length + 1)
    return (value - weight * close) / (1.0 - weight)


def strength_seed(gain: float, loss: float, close: float) -> list[float]:
    """Return closes that rise once, fall once, and are flat at `close` then.

    After one more flat row Wilder's means are `gain` and `loss`.
    """
    up, down = gain * 14.0 / 13.0 * 14.0, loss * 14.0 / 13.0 * 14.0
    return [close - up + down, close + down, *[close] * 12]


class TestMinutesWithTheChunk:
    """RAYMOND's 375 minutes, as fetched in July 2025."""

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, raymond: list[Candle]) -> list[LegacyRow]:
        return ingested(raymond[::-1])

    def test_what_needs_no_history(
        self, rows: list[LegacyRow], stored: dict[int, LegacyRow]
    ) -> None:
        assert len(rows) == len(stored) == 375
        for name in ("ma_9", "vwap", "atr"):
            assert equal(rows, stored, name, by=STORED_DIGITS) == 375

    def test_bands_from_the_twentieth_minute(
        self, rows: list[LegacyRow], stored: dict[int, LegacyRow]
    ) -> None:
        for name in ("bb_upper", "bb_middle", "bb_lower"):
            assert equal(rows, stored, name, by=STORED_DIGITS) == 356
        # At that time the width was still divided by the middle.
        assert equal(rows, stored, "bb_width_normalized", "bb_width", 1e-9) == 356

    @pytest.mark.parametrize("length", [5, 9, 50])
    def test_emas_from_their_seed(
        self, raymond: list[Candle], stored: dict[int, LegacyRow], length: int
    ) -> None:
        name, first = f"ema_{length}", raymond[0]
        seed = ema_seed(length, stored[first.timestamp][name], first.close)
        rows = ingested(after([seed], raymond))[:375]
        assert equal(rows, stored, name, by=ONE_PLACE) == 375

    def test_rsi_is_relative_strength(
        self, raymond: list[Candle], stored: dict[int, LegacyRow]
    ) -> None:
        """The state is two numbers: those of least squares give 374 rows, these all."""
        seed = strength_seed(0.2900087, 0.2970639, raymond[0].close)
        rows = ingested(after(seed, raymond))[:375]
        assert equal(rows, stored, "rsi", by=1e-9) == 375
        values = [row["rsi"] for row in stored.values()]
        assert (min(values), max(values)) == (0.44, 8.93)

    def test_forward_formulas_do_not_match(
        self, raymond: list[Candle], stored: dict[int, LegacyRow]
    ) -> None:
        """What MA9 and VWAP should be: nothing of it was stored, but for one row by chance."""
        mean = vwap = typical = 0
        amount = volume = ahead = behind = 0.0
        for i, minute in enumerate(raymond):
            window = [each.close for each in raymond[max(0, i - 8) : i + 1]]
            value = stored[minute.timestamp]["ma_9"]
            mean += abs(sum(window) / len(window) - value) <= STORED_DIGITS
            amount += minute.close * minute.volume
            volume += minute.volume
            vwap += abs(amount / volume - stored[minute.timestamp]["vwap"]) <= STORED_DIGITS
        for minute in reversed(raymond):
            ahead += (minute.high + minute.low + minute.close) / 3.0 * minute.volume
            behind += minute.volume
            typical += abs(ahead / behind - stored[minute.timestamp]["vwap"]) <= STORED_DIGITS
        assert (mean, vwap, typical) == (1, 0, 0)


class TestFiveMinuteAnswer:
    """The API's 75 bars of RAYMOND's day, of which only the day's own minutes are known."""

    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls, raymond: list[Candle]) -> list[LegacyRow]:
        return five_minute_candles(raymond)

    @pytest.mark.parametrize(
        "name", ["open", "high", "low", "close", "volume", "ma_9", "vwap", "atr"]
    )
    def test_bars_and_what_needs_no_history(
        self, rows: list[LegacyRow], answered: dict[int, LegacyRow], name: str
    ) -> None:
        assert len(rows) == len(answered) == 75
        assert equal(rows, answered, name, by=1e-9) == 75

    @pytest.mark.parametrize(
        "name",
        ["bb_upper", "bb_middle", "bb_lower", "bb_width", "bb_width_normalized",
         "bb_width_normalized_percentage"],
    )  # fmt: skip
    def test_bands_from_the_twentieth_bar(
        self, rows: list[LegacyRow], answered: dict[int, LegacyRow], name: str
    ) -> None:
        assert equal(rows, answered, name) == 56

    def test_emas_from_any_seed(
        self, rows: list[LegacyRow], answered: dict[int, LegacyRow]
    ) -> None:
        """Where the unknown day before no longer shows: from the 17th and the 32nd bar on."""
        assert [equal(rows, answered, f"ema_{n}") for n in (5, 9, 50)] == [59, 44, 0]

    @pytest.mark.parametrize("length", [5, 9, 50])
    def test_emas_go_on_from_bar_to_bar(self, answered: dict[int, LegacyRow], length: int) -> None:
        """One chain for the whole answer; two digits of both its ends are what is known."""
        weight, name = 2.0 / (length + 1), f"ema_{length}"
        bars = list(answered.values())
        steps = [
            abs(old[name] + weight * (new["close"] - old[name]) - new[name]) <= 0.005 * (2 - weight)
            for old, new in pairwise(bars)
        ]
        assert sum(steps) == len(steps) == 74

    def test_rsi_is_relative_strength(
        self, rows: list[LegacyRow], answered: dict[int, LegacyRow]
    ) -> None:
        bars = [
            Candle(int(row["timestamp"]), *(row[name] for name in reading.NUMBERS))
            for row in reversed(rows)
        ]
        seed = strength_seed(0.8201377, 0.4123552, bars[0].close)
        assert equal(ingested(after(seed, bars))[:75], answered, "rsi", by=1e-9) == 75

    def test_the_lowest_width_is_that_of_the_file(
        self, reference: Path, answered: dict[int, LegacyRow]
    ) -> None:
        path = reference / "data" / "lowest_bb_width_by_instrument.csv"
        lowest = lowest_width(path, "NSE_EQ|INE301A01014")
        assert sum(row["lowest_bb_width"] == lowest for row in answered.values()) == 75


class TestFiveMinuteQuery:
    """29 bars of the query in a file."""

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, reference: Path) -> dict[int, LegacyRow]:
        return reading.answered(reference, "sqlquery")

    @pytest.fixture(scope="class")
    @classmethod
    def rows(
        cls, raymond: list[Candle], stored: dict[int, LegacyRow], expected: dict[int, LegacyRow]
    ) -> list[LegacyRow]:
        return [row for row in file_bars(raymond, stored) if row["timestamp"] in expected]

    @pytest.mark.parametrize("name", [*reading.NUMBERS, *COPIED])
    def test_bars_and_copied_indicators(
        self, rows: list[LegacyRow], expected: dict[int, LegacyRow], name: str
    ) -> None:
        assert len(rows) == len(expected) == 29
        assert equal(rows, expected, name) == 29

    @pytest.mark.parametrize(
        ("name", "theirs", "by"),
        [
            ("minutes", "candle_count", 0.0),
            ("range", "range_", 1e-9),
            ("change", "change_", 1e-9),
            ("change_percent", "change_percent", STORED_DIGITS),
            ("vwap_5min", "vwap_5min", 0.5001e-6),
            ("bb_position_percent", "bb_position_percent", 0.5001e-6),
            ("bb_percentile", "bb_percentile", 0.5001e-6),
        ],
    )
    def test_what_it_adds(
        self,
        rows: list[LegacyRow],
        expected: dict[int, LegacyRow],
        name: str,
        theirs: str,
        by: float,
    ) -> None:
        assert equal(rows, expected, name, theirs, by) == 29


JUNE = {"PREMEXPLN": 9_375, "AVANTEL": 1_500, "IDEAFORGE": 1_500, "JAICORPLTD": 8}
"""Rows of each symbol: 12,383, of them 12,375 of symbols that have enough to seed anything."""


@pytest.mark.parametrize("symbol", JUNE)
def test_june(reference: Path, symbol: str) -> None:
    expected = reading.stored(reference, symbol)
    rows = stored_in_june(reading.minutes(reference)[symbol])
    assert len(rows) == len(expected) == JUNE[symbol]
    for name in COPIED[:-1]:
        by = 1e-9 if name == "bb_width" else STORED_DIGITS
        assert equal(rows, expected, name, by=by) == JUNE[symbol]
    # The newest rows have no seed: 19 closes for a band, 49 for the long mean.
    zeros = {name: sum(row[name] == 0.0 for row in rows) for name in ("bb_upper", "ema_50", "vwap")}
    few = JUNE[symbol] < 20
    assert zeros == {"bb_upper": 8 if few else 19, "ema_50": 8 if few else 49, "vwap": 0}
