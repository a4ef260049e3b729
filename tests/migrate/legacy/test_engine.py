"""Goal: the old API stands behind `Engine`, and lives apart from everything else.

Method: its answer for the real minutes of all symbols beside that of the pipeline, under our names;
the imports of every source file; and a process in which the folder cannot be imported.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.errors import EngineError
from tallow.migrate.engines import load_engine, registry
from tallow.migrate.legacy import LEGACY_SERIES, LegacyEngine
from tallow.migrate.legacy.answer import five_minute_candles
from tallow.migrate.protocol import Request
from tests.migrate.legacy import reading
from tests.test_layers import PACKAGE, imported_names, read_source

PREMEXPLN = "NSE_EQ|INE863B01029"
RAYMOND = "NSE_EQ|INE301A01014"


@pytest.fixture(scope="module")
def candles(reference: Path) -> pl.DataFrame:
    return tallow.read_candles(reference / "data" / "candles_1m.csv").frame


def test_the_answer_is_the_old_apis_under_our_names(reference: Path, candles: pl.DataFrame) -> None:
    frame = load_engine("legacy").answer(Request(candles))
    assert frame.select("instrument", "timestamp").rows() == sorted(
        frame.select("instrument", "timestamp").rows()
    )
    assert set(frame.schema.values()) == {pl.String, pl.Datetime("us", "UTC"), pl.Float64}
    # Zeros stay zeros, and rows outside of every session would stay rows: nothing is null.
    assert not frame.null_count().sum_horizontal().item()
    old = five_minute_candles(reading.minutes(reference)["PREMEXPLN"])[::-1]
    ours = frame.filter(pl.col("instrument") == PREMEXPLN)
    assert len(ours) == len(old) == 25 * 75
    for theirs in old[0].keys() - {"timestamp", "open_interest"}:
        name = LEGACY_SERIES.get(theirs, theirs)
        assert ours[name].to_list() == [row[theirs] for row in old]


def test_a_range_has_a_trading_day_of_warm_up(candles: pl.DataFrame) -> None:
    """Of the first session of a Tuesday, Monday's bars are known, and Friday's are not."""
    own = candles.filter(pl.col("instrument") == PREMEXPLN)
    asked = Request(own, start="2025-05-20", end="2025-05-20")
    frame = LegacyEngine().answer(asked)
    assert len(frame) == 75
    first, last = frame["timestamp"][0] - timedelta(days=1), frame["timestamp"][-1]
    two_days = own.filter(pl.col("timestamp").is_between(first, last + timedelta(minutes=4)))
    assert frame.equals(LegacyEngine().answer(Request(two_days))[75:])
    whole = (
        LegacyEngine().answer(Request(own)).filter(pl.col("timestamp").is_in(frame["timestamp"]))
    )
    assert not frame["ema_50"].equals(whole["ema_50"])


def test_an_instants_end_is_left_out(candles: pl.DataFrame) -> None:
    own = candles.filter(pl.col("instrument") == RAYMOND)
    noon = "2025-07-18T12:00:00+05:30"
    frame = LegacyEngine().answer(Request(own, end=noon))
    assert len(frame) == 33
    # The old VWAP runs ahead as far as minutes were read: the last bar has its own close.
    assert frame["vwap"][-1] == pytest.approx(frame["close"][-1], abs=0.0051)


def test_the_file_of_lowest_widths_is_an_argument(reference: Path, candles: pl.DataFrame) -> None:
    path = reference / "data" / "lowest_bb_width_by_instrument.csv"
    own = candles.filter(pl.col("instrument") == RAYMOND)
    assert LegacyEngine(path).answer(Request(own))["lowest_bb_width"].to_list() == [1.19] * 75
    strange = own.with_columns(instrument=pl.lit("STRANGE"))
    with pytest.raises(EngineError, match="instrument 'STRANGE'; is not in it"):
        LegacyEngine(path).answer(Request(strange))


def test_it_knows_five_minutes_only(candles: pl.DataFrame) -> None:
    with pytest.raises(EngineError, match=r"legacy: timeframe=15m; .* 5m only"):
        load_engine("legacy").answer(Request(candles, "15m"))


def test_no_candles_are_no_bars(candles: pl.DataFrame) -> None:
    empty = LegacyEngine().answer(Request(candles.clear()))
    assert empty.schema == LegacyEngine().answer(Request(candles.head(400))).schema
    assert len(empty) == 0


def test_nothing_imports_it() -> None:
    outside = [
        (path.relative_to(PACKAGE), name)
        for path in PACKAGE.rglob("*.py")
        if "legacy" not in path.relative_to(PACKAGE).parts
        for name in imported_names(read_source(path))
        if "legacy" in name.split(".")
    ]
    assert not outside


def test_it_is_plain_python() -> None:
    """But for the engines themselves, which take a frame and return one."""
    folder = PACKAGE / "migrate" / "legacy"
    names = {
        name.partition(".")[0]
        for path in folder.glob("*.py")
        if path.name not in {"engine.py", "trends_engine.py"}
        for name in imported_names(read_source(path))
    }
    assert names - {"tallow"} <= set(sys.stdlib_module_names)


def test_the_others_work_when_it_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tallow.migrate.legacy", "tallow.migrate.legacy.engine"):
        monkeypatch.setitem(sys.modules, name, None)
    registry.engines.cache_clear()
    try:
        assert load_engine("tallow").name == "tallow"
        with pytest.raises(EngineError, match="'legacy'; must be the name"):
            load_engine("legacy")
    finally:
        registry.engines.cache_clear()
