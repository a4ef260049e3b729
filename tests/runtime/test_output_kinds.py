"""Goal: whole numbers and names are the same wherever bars come out, and so are their types.

Method: candle patterns, whose outputs are such, by every way that leads to a frame, a file or a
screen; each compared with the bars of one run over all candles, whose values other tests know.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.errors import EmptyWarning, ScreenError, SpecError
from tests.frames import assert_same_frame, market

CANDLES = market(["A", "B", "C"], rows=360)
SPECS = "cdl_doji, cdl_hikkake, cdl_hammer[pattern, trend], patterns, ema(cdl_doji, 3), sma(3)"
TYPES = {
    "cdl_doji": pl.Int8,
    "cdl_hikkake": pl.Int16,
    "cdl_hammer": pl.Int8,
    "cdl_hammer_trend": pl.Int8,
    "patterns_bullish": pl.String,
    "patterns_bearish": pl.String,
    "patterns_neutral": pl.String,
    "ema_3_of_cdl_doji": pl.Float64,
    "sma_3": pl.Float64,
}


@pytest.fixture(scope="module")
def engine():
    return tallow.AnalyticsEngine(calendar="XNSE", threads=1)


@pytest.fixture(scope="module")
def bars(engine):
    frame = engine.process_candles(CANDLES, "3m", SPECS).frame
    assert {name: frame.schema[name] for name in TYPES} == TYPES
    assert all(frame[name].null_count() for name in TYPES)
    assert frame["patterns_bullish"].n_unique() > 5
    return frame


def test_an_empty_frame_and_rows_as_they_are_have_the_same_types(engine):
    rows = engine.calculate_indicators(CANDLES, SPECS)
    assert {name: rows.schema[name] for name in TYPES} == TYPES
    with pytest.warns(EmptyWarning):
        none = engine.process_candles(CANDLES, "3m", SPECS, end="2025-06-01").frame
    assert not len(none)
    assert {name: none.schema[name] for name in TYPES} == TYPES


def test_arrays_have_the_numbers(engine, bars):
    found = engine.calculate_arrays(CANDLES, "3m", SPECS).columns
    for name, kind in TYPES.items():
        assert found[name].dtype == np.float64
        if kind != pl.String:
            numbers = bars[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            np.testing.assert_array_equal(found[name], numbers)
    some = found["patterns_bullish"] > 0
    assert some.tolist() == [bool(text) for text in bars["patterns_bullish"]]


def test_files_have_them(engine, bars, tmp_path):
    CANDLES.write_parquet(tmp_path / "candles.parquet")
    for ending in ("parquet", "csv", "arrow"):
        engine.process_files(
            tmp_path / "candles.parquet", tmp_path / f"bars.{ending}", "3m", indicators=SPECS
        )
    assert_same_frame(pl.read_parquet(tmp_path / "bars.parquet"), bars)
    assert_same_frame(pl.read_ipc(tmp_path / "bars.arrow"), bars)
    wanted = bars.select(pl.col(list(TYPES)).cast(pl.String).fill_null(""))
    text = pl.read_csv(tmp_path / "bars.csv", infer_schema=False).select(list(TYPES))
    whole = [name for name, kind in TYPES.items() if kind != pl.Float64]
    assert text.select(whole).fill_null("").equals(wanted.select(whole))


def test_a_store_and_its_cache_give_them(bars, tmp_path):
    with tallow.open_store(tmp_path / "store", create=True) as store:
        store.write(CANDLES, source_timeframe="1m")
        engine = tallow.AnalyticsEngine(calendar="XNSE", store=store)
        for _ in range(2):
            found = engine.query(None, "3m", indicators=SPECS).frame
            assert_same_frame(found.select(bars.columns), bars)
        start = datetime(2025, 6, 2, 6, 0, tzinfo=UTC)
        part = engine.query("B", "3m", start, indicators=SPECS).frame
        wanted = bars.filter((pl.col("instrument") == "B") & (pl.col("timestamp") >= start))
        assert_same_frame(part.select(bars.columns), wanted)


@pytest.mark.parametrize("more", ["", ", cs_rank(close)"])
def test_live_gives_them_and_goes_on_after_a_restart(engine, more, tmp_path):
    specs, half = SPECS + more, CANDLES["timestamp"].sort()[len(CANDLES) // 2]
    live = tallow.LiveEngine(["3m"], specs, calendar="XNSE")
    live.update(CANDLES.filter(pl.col("timestamp") < half))
    live.save(tmp_path / "state")
    live = tallow.LiveEngine.load(tmp_path / "state", ["3m"], specs, calendar="XNSE")
    seen = [live.update(part).frame for part in _minutes(half)]
    whole = engine.process_candles(CANDLES, "3m", specs).frame
    newest = whole.group_by("instrument", maintain_order=True).last()
    shown = [name for name in whole.columns if name != "is_final"]
    assert_same_frame(live.latest().select(shown), newest.select(shown))
    told = pl.concat(seen).unique(["instrument", "timestamp"], keep="last", maintain_order=True)
    told = told.sort("instrument", "timestamp").select(shown)
    later = whole.join(told.select("instrument", "timestamp"), ["instrument", "timestamp"], "semi")
    assert_same_frame(told, later.select(shown))
    assert len(later) > 100


def _minutes(start):
    rest = CANDLES.filter(pl.col("timestamp") >= start)
    return [rest.filter(pl.col("timestamp") == time) for time in sorted(set(rest["timestamp"]))]


def test_screens_see_numbers(engine, bars):
    day = {"start": "2025-06-02", "end": "2025-06-02", "columns": {"hikkake": "cdl_hikkake"}}
    text = "cdl_doji != 0 and cdl_hammer[trend] < 0"
    found = engine.screen(text, "3m", candles=CANDLES, **day).frame.sort("instrument", "timestamp")
    is_match = (pl.col("cdl_doji") != 0) & (pl.col("cdl_hammer_trend") < 0)
    wanted = bars.filter(is_match & pl.col("is_final"))
    assert len(wanted) > 5
    assert found.select("instrument", "timestamp").equals(wanted.select("instrument", "timestamp"))
    assert found["hikkake"].to_list() == wanted["cdl_hikkake"].to_list()


def test_names_are_no_numbers(engine):
    with pytest.raises(SpecError, match=r"has names, which are no numbers; take one of them"):
        engine.calculate_indicators(CANDLES, "ema(patterns[bullish], 3)")
    with pytest.raises(ScreenError, match=r"has names, which are no numbers; ask for one"):
        engine.screen("patterns[bullish] > 0", "3m", candles=CANDLES)


def test_expressions_have_the_types(engine):
    rows = engine.calculate_indicators(CANDLES, SPECS)
    for name in ("cdl_doji", "cdl_hikkake"):
        made = pl.col("close").tallow(name).over("instrument")  # type: ignore[attr-defined]
        assert CANDLES.select(made).to_series().equals(rows[name])
    made = pl.col("close").tallow("patterns").over("instrument")  # type: ignore[attr-defined]
    found = CANDLES.select(made).to_series().struct.unnest()
    assert found.equals(rows.select(found.columns))


def test_a_user_of_dictionaries_gets_plain_values(engine, bars):
    first = engine.process_candles(CANDLES, "3m", SPECS).to_dicts()[20]
    said = json.loads(json.dumps({name: first[name] for name in TYPES}))
    assert said == {name: bars[name][20] for name in TYPES}
