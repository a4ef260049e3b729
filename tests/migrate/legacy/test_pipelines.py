"""Goal: the old system's other ways, each with the defect that its users saw.

Method: made-up minutes, and what must follow from the way's description, worked out apart from it.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from statistics import fmean

import pytest

from tallow.migrate.legacy.aggregation import five_minute_bars
from tallow.migrate.legacy.candles import LegacyRow
from tallow.migrate.legacy.kernels import vwap, widths
from tests.migrate.legacy.ingestion import ingested, intraday, latest_time
from tests.migrate.legacy.made import OPEN, minutes, walk
from tests.migrate.legacy.reading import DAY, seconds
from tests.migrate.legacy.stored import (
    bands_of_range,
    batch_window,
    live_bars,
    stored_at,
    stored_range,
)

FRIDAY = OPEN
THURSDAY = OPEN - DAY


class TestIntraday:
    """Today's minutes come newest first, history ascending; they are put together as they are."""

    latest = walk(30, FRIDAY + 60 * 100, 2)[::-1]
    history = walk(100, FRIDAY, 3)

    def test_bands_and_ema_know_no_history(self) -> None:
        """The delay of 20 candles: bands of zero, every day anew."""
        rows, alone = intraday(self.latest, self.history), ingested(self.latest)
        for name in ("bb_upper", "bb_width", "ema_9", "rsi"):
            assert [row[name] for row in rows[:15]] == [row[name] for row in alone[:15]]
        assert [row["bb_upper"] == 0.0 for row in rows] == [False] * 11 + [True] * 19

    def test_the_mean_runs_over_both_orders(self) -> None:
        rows = intraday(self.latest, self.history)
        window = [c.close for c in self.history[-8:]] + [self.latest[0].close]
        assert rows[0]["ma_9"] == pytest.approx(fmean(window))

    def test_what_is_stored_already_counts_twice_in_vwap(self) -> None:
        stored = [*self.history, *reversed(self.latest)]
        rows = intraday(self.latest, stored)
        seen = [*stored, *self.latest]
        amount = sum(c.close * c.volume for c in seen)
        assert rows[-1]["vwap"] == pytest.approx(amount / sum(c.volume for c in seen))

    def test_two_hundred_need_no_history(self) -> None:
        latest = walk(200, FRIDAY)[::-1]
        assert intraday(latest, self.history)[50] == ingested(latest)[50]

    def test_the_oldest_row_is_taken_for_the_newest(self) -> None:
        assert latest_time(walk(375, FRIDAY)[::-1]) == FRIDAY


class TestStored:
    """Five-minute bars, stored at every mark."""

    table = walk(375, THURSDAY, 4) + walk(375, FRIDAY, 5)

    def test_a_bar_sees_itself_and_one_minute_ahead(self) -> None:
        mark = FRIDAY + 3600
        bar, partial = stored_at(self.table, mark)
        window = [c for c in self.table if mark - 300 <= c.timestamp <= mark]
        assert (bar["timestamp"], partial["timestamp"]) == (mark - 300, mark)
        assert bar["ma_9"] == pytest.approx((window[4].close + window[5].close) / 2.0)
        # Its own first minute was read twice.
        own, next_one = sum(c.volume for c in window[:5]) + window[0].volume, window[5].volume
        amount = window[4].close * own + window[5].close * next_one
        assert bar["vwap"] == pytest.approx(amount / (own + next_one))
        assert bar["volume"] == sum(c.volume for c in window[:5])
        assert partial["volume"] == window[5].volume

    def test_a_day_without_one_before_it_begins_with_zeros(self) -> None:
        """And writes them over all bars of the day so far, as on every Monday."""
        friday = walk(375, FRIDAY, 5)
        early = stored_at(friday, FRIDAY + 18 * 300)
        assert [row["timestamp"] for row in early] == [FRIDAY + 300 * i for i in range(19)]
        assert {row["ema_9"] for row in early} == {0.0}
        assert len(stored_at(friday, FRIDAY + 19 * 300)) == 2

    def test_the_last_bar_stays_at_its_first_minute(self) -> None:
        stored = stored_range(self.table)
        whole = {bar.timestamp: bar for bar in five_minute_bars(self.table)}
        assert list(stored) == list(whole)
        last = max(whole)
        wrong = [time for time, bar in whole.items() if stored[time]["close"] != bar.close]
        assert wrong == [last]
        assert stored[last]["volume"] == self.table[-5].volume

    def test_each_bar_seeds_its_means_anew(self) -> None:
        """So long means are no chain from bar to bar, where short ones have forgotten the seed."""
        stored = [row for time, row in stored_range(self.table).items() if time >= FRIDAY]
        chained = {n: self._chained(stored, n) for n in (5, 9, 20, 50)}
        assert chained[5] == chained[9] == 74
        assert 74 > chained[20] > chained[50]

    def _chained(self, rows: list[LegacyRow], length: int) -> int:
        name, weight = f"ema_{length}", 2.0 / (length + 1)
        return sum(
            abs(old[name] + weight * (new["close"] - old[name]) - new[name]) < 1e-4
            for old, new in pairwise(rows)
        )

    def test_a_batch_reads_from_midnight_utc(self) -> None:
        start, end = batch_window(date(2025, 7, 17), date(2025, 7, 18))
        assert start == seconds("2025-07-17T05:30+05:30")
        assert end < FRIDAY


def test_the_monitor_sees_two_bars_and_no_bands() -> None:
    first, second = live_bars(walk(7))
    assert first["timestamp"] == OPEN + 300
    assert {first[name] for name in ("bb_upper", "bb_width", "rsi", "ema_5")} == {0.0}
    assert "bb_width_normalized" not in first
    assert second["vwap"] != 0.0


def test_bands_of_a_range_look_ahead() -> None:
    table = walk(40)
    upper, middle, _ = bands_of_range(table, OPEN + 60 * 5, OPEN + 60 * 39)
    time, value = middle[0]
    assert time == OPEN + 300
    assert value == pytest.approx(fmean(c.close for c in table[5:25]))
    assert [value == 0.0 for _, value in upper] == [False] * 16 + [True] * 19
    # Where nothing is so late, all is returned.
    assert len(bands_of_range(table, OPEN + DAY, OPEN + 2 * DAY)[0]) == 40


def test_vwap_is_not_reset_between_the_same_day_of_two_years() -> None:
    later = seconds("2026-07-18T09:15+05:30")
    assert vwap(minutes([10.0]) + minutes([20.0], later)) == [(OPEN, 10.0), (later, 15.0)]


def test_widths_are_capped_and_zero_without_a_band() -> None:
    upper, middle, lower = ([(1, a), (2, b), (3, c)] for a, b, c in zip(
        (400.0, 10.0, 1.0), (20.0, 0.0, 5.0), (0.0, 10.0, 2.0), strict=True
    ))  # fmt: skip
    width, normalized, percentage = widths(upper, middle, lower)
    assert [value for _, value in width] == [100.0, 0.0, 0.0]
    assert [value for _, value in normalized] == [10.0, 0.0, 0.0]
    assert [value for _, value in percentage] == [1_000.0, 0.0, 0.0]
