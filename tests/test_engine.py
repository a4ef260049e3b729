"""Goal: the engine does what its page promises, for the frames and models that callers have.

Method: the calls of the design, word for word, on one made-up morning; each kind of frame in and
out; numbers that can be checked by hand.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest

import tallow
from tallow import AnalyticsEngine, IndicatorSet, parse_specs
from tallow.core.errors import (
    CandleInputError,
    ParameterError,
    SpecError,
    TallowWarning,
    TimeframeError,
)
from tests.frames import (
    assert_same_frame,
    bits,
    candles,
    flat_candle,
    market,
    minutes,
    times_column,
)

TWELVE = (
    *("sma_9", "bb_upper_20_2", "bb_middle_20_2", "bb_lower_20_2", "bb_width_20_2"),
    *("bb_width_percent_20_2", "vwap", "ema_5", "ema_9", "ema_50", "atr_14", "rsi_14"),
)
BARS = ("instrument", "timestamp", "open", "high", "low", "close", "volume", "candles", "is_final")
ENGINE = AnalyticsEngine(calendar="XNSE", threads=2)


def test_the_calls_of_the_design(tmp_path):
    market(["A", "B"], rows=375).write_parquet(tmp_path / "candles.parquet")

    engine = tallow.AnalyticsEngine(calendar="XNSE")
    read = tallow.read_candles(tmp_path / "candles.parquet")
    result = engine.process_candles(read, timeframe="5m", indicators="default")

    assert isinstance(result.frame, pl.DataFrame)
    assert tuple(result.frame.columns) == (*BARS, *TWELVE)
    assert len(result) == len(result.frame) == result.report.bars
    assert tuple(result.indicators) == TWELVE
    assert result.cache_hits == 0
    assert result.process_time > 0
    assert result.report.candles.rows == len(read) == read.report.accepted
    assert result.to_dicts() == result.frame.to_dicts()

    assert list(engine.aggregate_timeframes(read, ["5m", "60m", "1d"])) == ["5m", "1h", "1d"]
    out = engine.calculate_indicators(read, ["ema(9)", "rsi(14)"])
    assert out.columns == [*read.frame.columns, "ema_9", "rsi_14"]
    assert out.select(read.frame.columns).equals(read.frame)


def test_numbers_that_can_be_checked_by_hand():
    """Closes 1, 2, 4, 8 in two-minute bars of the ones and fours."""
    rows = [flat_candle("A", f"2025-06-02T09:{15 + k}+05:30", 2.0**k, 10.0 + k) for k in range(4)]
    result = ENGINE.process_candles(pl.concat(rows), "2m", "sma(2), vwap, obv")
    assert result.frame.select("open", "high", "low", "close", "volume", "candles").rows() == [
        (1.0, 2.0, 1.0, 2.0, 21.0, 2),
        (4.0, 8.0, 4.0, 8.0, 25.0, 2),
    ]
    first, second = (1 + 2 + 2) / 3, (4 + 8 + 8) / 3
    assert result.indicators["sma_2"].to_list() == [None, 5.0]
    assert result.indicators["vwap"].to_list() == [first, (21 * first + 25 * second) / 46]
    assert result.indicators["obv"].to_list() == [0.0, 25.0]


# Frames in and out


def test_pandas_in_is_pandas_out():
    polars = market(["A", "B"])
    result = ENGINE.process_candles(pandas_frame(polars), "5m", "ema(3)")
    assert isinstance(result.frame, pd.DataFrame)
    expected = ENGINE.process_candles(polars, "5m", "ema(3)").frame
    assert str(result.frame["timestamp"].dt.tz) == "UTC"
    assert result.frame["ema_3"].isna().tolist() == expected["ema_3"].is_null().to_list()
    assert result.frame["close"].tolist() == expected["close"].to_list()
    assert isinstance(result.indicators["ema_3"], pl.Series)
    assert isinstance(ENGINE.calculate_indicators(pandas_frame(polars), "ema"), pd.DataFrame)
    for frame in ENGINE.aggregate_timeframes(pandas_frame(polars), ["5m", "1d"]).values():
        assert isinstance(frame, pd.DataFrame)


def pandas_frame(frame: pl.DataFrame) -> Any:
    return pd.DataFrame({name: frame[name].to_list() for name in frame.columns})


def test_arrow_in_is_arrow_out():
    polars = market(["A", "B"])
    result = ENGINE.process_candles(polars.to_arrow(), "5m")
    assert isinstance(result.frame, pa.Table)
    back = pl.from_arrow(result.frame)
    assert isinstance(back, pl.DataFrame)
    assert_same_frame(back, ENGINE.process_candles(polars, "5m").frame)
    assert isinstance(ENGINE.calculate_indicators(polars.to_arrow(), "ema"), pa.Table)


def test_lazy_frames_and_paths(tmp_path):
    frame = market(["A", "B"])
    expected = ENGINE.process_candles(frame, "5m").frame
    frame.write_csv(tmp_path / "a.csv", datetime_format="%+")
    for given in (frame.lazy(), str(tmp_path / "*.csv"), [tmp_path / "a.csv"]):
        assert_same_frame(ENGINE.process_candles(given, "5m").frame, expected)


def test_open_interest_comes_through_where_there_is_any():
    frame = market(["A"]).with_columns(open_interest=pl.int_range(pl.len()).cast(pl.Float64))
    for each in (frame, frame.clear()):
        columns = ENGINE.process_candles(each, "5m", "ema(3)").frame.columns
        assert columns == [*BARS[:7], "open_interest", *BARS[7:], "ema_3"]


def test_results_own_their_memory():
    """The second run reuses what the first has worked in; the first result must not notice."""
    one, other = market(["A", "B"], rows=375, seed=1), market(["A", "B"], rows=375, seed=50)
    result = ENGINE.process_candles(one, "5m")
    calculated = ENGINE.calculate_indicators(one)
    kept = [copied(result.frame), copied(calculated)]
    for _ in range(3):
        ENGINE.process_candles(other, "5m")
        ENGINE.calculate_indicators(other)
    assert kept == [copied(result.frame), copied(calculated)]


def copied(frame: pl.DataFrame) -> list[list[int]]:
    return [
        bits(frame[name]).to_list() for name in frame.columns if frame[name].dtype == pl.Float64
    ]


def test_inputs_are_not_changed():
    frame = market(["A", "B"])
    kept = copied(frame)
    ENGINE.process_candles(frame, "5m")
    ENGINE.calculate_indicators(frame)
    assert copied(frame) == kept


# Results


def test_an_indicator_set_is_a_mapping_with_times():
    result = ENGINE.process_candles(market(["A", "B"]), "5m", "ema(2), bollinger(3)[upper]")
    found = result.indicators
    assert isinstance(found, IndicatorSet)
    assert list(found) == ["ema_2", "bb_upper_3_2"]
    assert all(column.equals(result.frame[name]) for name, column in found.items())
    assert len(found) == 2
    assert "ema_2" in found
    assert "close" not in found
    assert found.get("close") is None
    with pytest.raises(KeyError, match="the outputs are ema_2, bb_upper_3_2"):
        found["ema_3"]
    assert found.timestamps.equals(result.frame["timestamp"])
    assert found.instruments.equals(result.frame["instrument"])
    only = found.of("B")
    assert set(only.instruments) == {"B"}
    assert only["ema_2"].equals(result.frame.filter(instrument="B")["ema_2"])
    assert repr(only) == f"IndicatorSet(ema_2, bb_upper_3_2; {len(only.timestamps):,} rows)"
    assert repr(result).startswith(f"ProcessingResult({len(result):,} bars, 2 outputs, ")


@dataclasses.dataclass
class Candle:
    close: float
    ema_2: float | None
    instrument: str = ""
    note: str = dataclasses.field(default="", init=False)


class Model(pydantic.BaseModel):
    instrument: str
    close: float
    is_final: bool
    ema_2: float | None


def test_bars_become_the_callers_own_objects():
    result = ENGINE.process_candles(market(["A"]), "5m", "ema(2)")
    rows = result.to_dicts()
    for made in (result.to_models(Candle), result.to_models(Model)):
        assert [each.close for each in made] == [row["close"] for row in rows]
        assert made[0].ema_2 is None
        assert made[1].ema_2 == rows[1]["ema_2"]
    plain = result.to_models(dict)
    assert plain == rows


def test_a_report_is_json():
    frame = pl.concat([market(["A"]), flat_candle("A", "2025-06-03T07:00+05:30", 5.0, 5.0)])
    report = ENGINE.process_candles(frame, "5m").report
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["candles"]["outside_session"] == 1
    assert plain["read"]["last"] == "2025-06-03T01:30:00+00:00"
    empty = ENGINE.process_candles(frame.clear(), "5m").report
    assert json.loads(json.dumps(empty.to_dict()))["read"]["first"] is None


# Rows as they are


def test_calculating_keeps_every_row():
    """Fillers, auction prints, holidays and rows of other years: none is dropped or added."""
    times = [
        *minutes("2025-06-01T10:00+05:30", 3),
        *minutes("2025-06-02T09:07+05:30", 20),
        *minutes("2025-06-02T15:35+05:30", 2),
    ]
    frame = candles("A", times).with_columns(
        pl.when(pl.int_range(pl.len()) % 4 > 0).then("volume").otherwise(0.0).alias("volume")
    )
    out = ENGINE.calculate_indicators(frame, "sma(1), obv, vwap")
    assert out.select(frame.columns).equals(frame)
    assert out["sma_1"].equals(frame["close"].alias("sma_1"))
    # Pre-open and evening rows belong to the day's session, and Sunday's to Friday's.
    typical = (frame["high"] + frame["low"] + frame["close"]) / 3.0
    monday = frame["timestamp"] >= times_column(times)[3]
    traded, units = (typical * frame["volume"]).filter(monday), frame["volume"].filter(monday)
    expected = (traded.cum_sum() / units.cum_sum()).to_list()
    assert out["vwap"].filter(monday).to_list() == pytest.approx(expected, rel=1e-12)


@pytest.mark.twin
def test_calculating_says_what_failed():
    frame = pl.concat([market(["A"]), candles("L", minutes("2029-01-04T09:15+05:30", 3))])
    with pytest.warns(TallowWarning, match="L: calendar XNSE:cash-other: date=2029-01-04"):
        out = ENGINE.calculate_indicators(frame, "vwap, ema(1)")
    late = out.filter(instrument="L")
    assert late["vwap"].is_null().all()
    assert late["ema_1"].equals(late["close"].alias("ema_1"))
    # What needs no session has no use for a calendar.
    assert len(ENGINE.calculate_indicators(frame, "ema(3)")) == len(frame)


@pytest.mark.twin
def test_calculating_for_an_instrument_without_a_calendar():
    engine = AnalyticsEngine({"A": "XNSE"}, threads=1)
    with pytest.warns(
        TallowWarning, match="B: calendar: the mapping does not name this instrument"
    ):
        out = engine.calculate_indicators(market(["A", "B"]), "vwap")
    assert out.filter(instrument="B")["vwap"].is_null().all()
    assert out.filter(instrument="A")["vwap"].is_not_null().all()


def test_calculating_nothing():
    frame = market(["A"])
    assert ENGINE.calculate_indicators(frame, []).equals(frame)
    assert ENGINE.calculate_indicators(frame.clear(), "ema(3)").columns == [*frame.columns, "ema_3"]


def test_a_column_of_the_candles_is_not_overwritten():
    with pytest.raises(SpecError, match="both want column 'close'"):
        ENGINE.calculate_indicators(market(["A"]), [clashing()])


def clashing() -> Any:
    (spec,) = parse_specs("sma(1)")
    return dataclasses.replace(spec, columns=("close",))


# Settings


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"no_trade": "fill"}, ParameterError, "engine: no_trade='fill'; must be 'drop' or 'keep'"),
        ({"threads": 0}, ParameterError, r"engine: threads=0; must be 1\.\.64"),
        ({"threads": 65}, ParameterError, r"engine: threads=65; must be 1\.\.64"),
        ({"convention": "talb"}, SpecError, r"convention: 'talb'; unknown; did you mean talib\?"),
    ],
)
def test_settings_that_are_wrong(settings, error, message):
    with pytest.raises(error, match=message):
        AnalyticsEngine(**settings)


@pytest.mark.parametrize("timeframe", ["5", "0m", "1441m", "7", "1y", "", 5, None, "5m 5m"])
def test_timeframes_that_do_not_exist(timeframe):
    with pytest.raises(TimeframeError, match=r"must be 1d, 1w, 1mo, or whole minutes or hours"):
        ENGINE.process_candles(market(["A"]), timeframe)


def test_a_convention_is_the_engines():
    frame = market(["A"], rows=90)
    own = AnalyticsEngine(convention="talib", threads=1).process_candles(frame, "1m", "atr(14)")
    assert own.indicators["atr_14"].null_count() == 14
    assert ENGINE.process_candles(frame, "1m", "atr(14)").indicators["atr_14"].null_count() == 13


def test_any_number_of_threads_gives_the_same_bits():
    frame = market([f"I{k}" for k in range(9)], rows=200)
    one = AnalyticsEngine(threads=1).process_candles(frame, "5m").frame
    for threads in (2, 5):
        assert_same_frame(AnalyticsEngine(threads=threads).process_candles(frame, "5m").frame, one)


def test_a_caller_may_cancel():
    class StopError(Exception):
        pass

    def stop(_done, _total):
        raise StopError

    with pytest.raises(StopError):
        ENGINE.process_candles(market(["A"]), "5m", progress=stop)
    assert len(ENGINE.process_candles(market(["A"]), "5m")) > 0


def test_what_a_live_engine_takes_is_what_a_query_answers(tmp_path):
    """One store, one cache: appended candles make what was asked longer, a late one repairs it."""
    rows = candles("A", minutes("2025-06-02T09:15+05:30", 60))
    with tallow.open_store(tmp_path, create=True) as store:
        engine = AnalyticsEngine(store=store)
        live = engine.live("5m", "default")
        late = rows.filter(pl.int_range(len(rows)) == 21)
        for share in (rows[:20], rows[20:21], rows[22:41], late, rows[41:]):
            live.update(share)
            answer = engine.query("A", "5m").frame
            whole = engine.process_candles(store.read().drop("open_interest"), "5m").frame
            assert_same_frame(answer.drop("open_interest", strict=False), whole)
            newest = whole.drop("is_final")[-1]
            assert_same_frame(live.latest("5m").select(newest.columns), newest)
        counters = engine.cache.counters
    assert (counters.misses, counters.extensions, counters.repairs) == (1, 3, 1)


def test_arrays_are_the_columns_of_the_frame_without_one():
    frame = market(["A", "B", "C"], rows=400).with_columns(open_interest=pl.lit(3.0))
    unfit = flat_candle("B", "2025-06-02T09:00+05:30", 9.0, 1.0).with_columns(open_interest=None)
    given = pl.concat([frame, unfit], how="vertical_relaxed")
    for threads in (1, 2):
        engine = tallow.AnalyticsEngine("XNSE", threads=threads)
        result = engine.process_candles(given, "5m", "ema(9), bollinger, vwap")
        arrays = engine.calculate_arrays(given, "5m", "ema(9), bollinger, vwap")
        names = np.repeat(arrays.instruments, np.diff(arrays.offsets))
        columns = {"instrument": names} | arrays.columns
        made = pl.DataFrame(columns, nan_to_null=True).cast(result.frame.schema)
        assert_same_frame(made, result.frame)
        assert arrays.report.to_dict() == result.report.to_dict()
    with pytest.raises(CandleInputError, match="all were quarantined"):
        ENGINE.calculate_arrays(given.with_columns(volume=-1.0))
    assert len(ENGINE.calculate_arrays(tallow.read_candles(given).frame.clear())) == 0


def test_arrays_mark_bars_of_assumed_sessions_as_a_frame_does():
    given = tallow.read_candles(candles("A", minutes("2026-11-27T09:15+05:30", 9)))
    engine = tallow.AnalyticsEngine("XNSE")
    assert not len(engine.calculate_arrays(given).report.provisional)
    # A session that was announced without its hours.
    assumed = tallow.read_candles(candles("A", minutes("2026-11-08T09:15+05:30", 600)))
    made = engine.calculate_arrays(assumed).report
    assert len(made.provisional) > 0
    assert made.provisional.equals(engine.process_candles(assumed).provisional)
