"""Goal: a candle without volume makes no bar where it only fills a minute, and makes one elsewhere.

Method: candles written out by hand, with prices that move or repeat the close before, in a session
and outside; the bars are worked out by hand.
"""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store, read_candles
from tests.frames import candles, flat_candle, local, minutes


def bars(frame, timeframe, **options):
    return AnalyticsEngine("XNSE", **options).process_candles(frame, timeframe, ())


def test_an_index_has_no_volume_and_keeps_its_bars():
    """Its first candle is flat, and nothing yet tells it from a filler."""
    index = candles("NIFTY", minutes("2025-06-02T09:15+05:30", 375), volume=0.0)
    still = flat_candle("NIFTY", "2025-06-02T09:15+05:30", index["open"][0], 0.0)
    result = bars(pl.concat([still, index.slice(1)]), "5m")
    assert len(result.frame) == 75
    assert result.report.candles.no_trade == 1
    assert len(bars(index, "5m", no_trade="keep").frame) == 75


@pytest.mark.twin
def test_a_traded_instruments_fillers_make_no_bar_even_when_they_come_first():
    still = ((15, 100.0), (16, 100.0), (26, 101.0))
    fillers = [flat_candle("A", f"2025-06-02T09:{m}+05:30", price, 0.0) for m, price in still]
    trades = [flat_candle("A", f"2025-06-02T09:{m}+05:30", 101.0, 5.0) for m in (21, 31)]
    frame = pl.concat([*fillers, *trades])
    dropped = bars(frame, "5m")
    assert local(dropped.frame["timestamp"]) == ["2025-06-02 09:20", "2025-06-02 09:30"]
    assert dropped.report.candles.no_trade == 3
    assert len(bars(frame, "5m", no_trade="keep").frame) == 4


def test_a_candle_without_volume_counts_where_its_prices_moved_after_trades():
    """At 09:16 nothing is new; 09:17 trades lower, 09:18 stays there, and 09:19 moves back."""
    prices = [(15, 101.0, 5.0), (16, 101.0, 0.0), (17, 100.0, 0.0), (18, 100.0, 0.0)]
    prices += [(19, 101.0, 0.0)]
    rows = [flat_candle("A", f"2025-06-02T09:{m}+05:30", p, v) for m, p, v in prices]
    result = bars(pl.concat(rows), "5m")
    assert result.frame.select("open", "high", "low", "close", "volume", "candles").rows() == [
        (101.0, 101.0, 100.0, 101.0, 5.0, 3)
    ]
    assert result.report.candles.no_trade == 2
    kept = bars(pl.concat(rows), "5m", no_trade="keep")
    assert kept.frame["candles"].to_list() == [5]


def test_the_close_before_is_also_of_a_row_outside_the_session():
    """The auction at 09:08 trades at 99: what stays there is a filler, and 101 again is none."""
    day_before = flat_candle("A", "2025-05-30T15:29+05:30", 101.0, 5.0)
    auction = flat_candle("A", "2025-06-02T09:08+05:30", 99.0, 7.0)
    for price, count in ((99.0, 1), (101.0, 2)):
        first = flat_candle("A", "2025-06-02T09:15+05:30", price, 0.0)
        assert len(bars(pl.concat([day_before, auction, first]), "1d").frame) == count
    first = flat_candle("A", "2025-06-02T09:15+05:30", 101.0, 0.0)
    assert len(bars(pl.concat([day_before, first]), "1d").frame) == 1


def test_vwap_is_null_while_its_session_has_no_volume():
    before = flat_candle("A", "2025-05-30T15:29+05:30", 101.0, 5.0)
    moved = flat_candle("A", "2025-06-02T09:15+05:30", 102.0, 0.0)
    traded = flat_candle("A", "2025-06-02T09:20+05:30", 104.0, 1.0)
    rows = read_candles(pl.concat([before, moved, traded]))
    result = AnalyticsEngine("XNSE").process_candles(rows, "5m", "vwap")
    assert result.frame["vwap"].to_list() == [101.0, None, 104.0]


def test_which_candles_are_fillers_does_not_depend_on_what_comes_later():
    """Zero volume with moving prices, then trades: the bars before the trades stay."""
    before = candles("A", minutes("2025-06-02T09:15+05:30", 10), volume=0.0)
    after = candles("A", minutes("2025-06-02T09:25+05:30", 10))
    short = bars(before, "5m").frame
    assert (
        bars(pl.concat([before, after]), "5m")
        .frame.head(2)
        .drop("is_final")
        .equals(short.drop("is_final"))
    )


def test_live_a_correction_has_the_candle_after_it_judged_again():
    def minute(time, price, volume):
        return flat_candle("A", f"2025-06-02T09:{time}+05:30", price, volume)

    live = LiveEngine("1m", "", calendar="XNSE")
    live.update(pl.concat([minute(15, 100.0, 5.0), minute(16, 100.0, 0.0), minute(17, 99.0, 0.0)]))
    assert local(live.latest()["timestamp"]) == ["2025-06-02 09:17"]
    told = live.update(minute(15, 101.0, 5.0)).frame
    assert local(told["timestamp"]) == ["2025-06-02 09:15", "2025-06-02 09:16"]
    update = live.update(minute(16, 99.0, 0.0))
    # A row without candles says that the bar is gone.
    assert local(update.frame["timestamp"]) == ["2025-06-02 09:16", "2025-06-02 09:17"]
    assert update.frame["candles"].to_list() == [1, 0]


def test_a_range_from_a_store_knows_the_close_before_its_first_row(tmp_path):
    rows = [("2025-05-30T15:29", 100.0, 5.0), ("2025-06-02T09:15", 100.0, 0.0)]
    rows += [("2025-06-02T09:16", 101.0, 0.0), ("2025-06-02T09:17", 101.0, 0.0)]
    with open_store(tmp_path / "store", create=True) as store:
        store.write(
            pl.concat([flat_candle("A", f"{t}+05:30", p, v) for t, p, v in rows]),
            source_timeframe="1m",
        )
        engine = AnalyticsEngine("XNSE", store=store)
        found = engine.query("A", "1m", start=date(2025, 6, 2), indicators="").frame
        assert local(found["timestamp"]) == ["2025-06-02 09:16"]
