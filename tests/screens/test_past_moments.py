"""Goal: of a past moment a screen says what it said then, by what was there and known then.

Method: bars that were open are worked out with Polars of the candles that had closed, adjusted
prices by hand; files and a store say the same.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, load_calendar, open_store
from tallow.core.errors import EmptyWarning
from tallow.data.simulate import simulate_blocks
from tallow.runtime.query import StoreQueries
from tests.frames import flat_candle

CANDLES = pl.concat(simulate_blocks(4, 4, calendar=load_calendar("XNSE"), start=date(2025, 7, 1)))
NAMES = CANDLES["instrument"].unique().sort().to_list()
DAY = "2025-07-04"


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = open_store(tmp_path_factory.mktemp("past") / "store", create=True)
    store.write(CANDLES, source_timeframe="1m")
    return ((AnalyticsEngine(), CANDLES), (AnalyticsEngine(store=store), None))


@pytest.mark.parametrize(
    ("clock", "hour"), [("10:07", "09:15"), ("11:05:30", "10:15"), ("14:15", None)]
)
def test_a_bar_that_was_open_is_what_its_closed_candles_made_of_it(engines, clock, hour):
    at = datetime.fromisoformat(f"{DAY}T{clock}+05:30").astimezone(UTC)
    traded = CANDLES.filter(
        (pl.col("timestamp") + timedelta(minutes=1) <= at) & (pl.col("volume") > 0.0)
    )
    today = traded.filter(pl.col("timestamp").dt.date() == at.date())
    expected = today.group_by("instrument", maintain_order=True).agg(
        pl.col("high").max(), pl.col("close").last()
    )
    opened = datetime.fromisoformat(f"{DAY}T{hour or clock}+05:30")
    volume = (
        today.filter(pl.col("timestamp") >= opened)
        .group_by("instrument")
        .agg(pl.col("volume").sum())
    )
    expected = expected.join(volume, on="instrument", how="left")
    columns = {"high": "forming high@1d", "last": "forming close@1d", "v": "forming volume@1h"}
    for engine, candles in engines:
        asked: Any = {"candles": candles, "at": f"{DAY}T{clock}", "columns": columns}
        found = engine.screen("close > 0", "15m", **asked).frame
        assert found["instrument"].to_list() == NAMES
        assert found["high"].to_list() == expected["high"].to_list()
        assert found["last"].to_list() == expected["close"].to_list()
        assert found["v"].to_list() == pytest.approx(expected["volume"].to_list())
        assert found["v"].null_count() == (len(NAMES) if hour is None else 0)


def test_an_indicator_of_a_bar_that_was_open_is_that_of_the_candles_then(engines):
    text, clock = "forming ema(3)@1h > ema(3)@1h", "12:40"
    seen = CANDLES.filter(pl.col("timestamp") < datetime.fromisoformat(f"{DAY}T{clock}+05:30"))
    asked: Any = {"columns": ["forming ema(3)@1h", "forming atr(2)@1d"]}
    then = AnalyticsEngine().screen(text, "15m", candles=seen, **asked)
    assert then.counts["unknown"] == 0
    for engine, candles in engines:
        found = engine.screen(text, "15m", candles=candles, at=f"{DAY}T{clock}", **asked)
        assert found.frame.equals(then.frame)
        assert found.counts == then.counts


def daily(**closes: float) -> pl.DataFrame:
    """Return daily candles of A, by days of July 2025 such as d1."""
    return pl.concat(
        flat_candle("A", f"2025-07-0{day[1:]}T00:00+05:30", close, 8.0)
        for day, close in closes.items()
    )


def test_adjusted_prices_count_first_versions_and_later_ones_by_receipt(tmp_path: Path):
    """A split of one into two on July 3: what cost 100 before it, cost 50 in shares of after it."""
    store = open_store(tmp_path / "store", create=True)
    split = pl.DataFrame(
        {"instrument": ["A"], "ex_date": ["2025-07-03"], "kind": ["split"], "new": [2], "old": [1]}
    )
    store.write(daily(d1=100.0, d2=104.0, d3=53.0, d4=54.0), source_timeframe="1d")
    store.actions.record(split)
    changes = {"two": "change(close, 2)", "three": "change(close, 3)"}
    asked: Any = {"timeframe": "1d", "source_timeframe": "1d", "adjustment": "split"}
    then: Any = {**asked, "columns": changes, "at": "2025-07-04"}

    def changed(**known: Any) -> list[tuple[float, ...]]:
        found = AnalyticsEngine(store=store).screen("close > 0", **then, **known)
        notes.extend(found.notes)
        return found.frame.select(*changes).rows()

    notes: list[str] = []
    before = datetime.now(UTC)
    assert changed() == [(54.0 - 104.0 / 2, 54.0 - 100.0 / 2)]
    assert notes == [
        "received first after that moment: 4 candles, counted as known at the bar's close",
        "received first after that moment: 1 corporate action, counted from the ex-date on",
    ]
    store.write(daily(d2=90.0), source_timeframe="1d")
    store.actions.record(split.with_columns(new=pl.lit(4)))
    assert changed() == [(54.0 - 104.0 / 2, 54.0 - 100.0 / 2)] == changed(known_at=before)
    assert changed(known_at=datetime.now(UTC)) == [(54.0 - 90.0 / 4, 54.0 - 100.0 / 4)]
    notes.clear()
    # On July 2 nothing was split yet.
    then["at"], then["columns"] = "2025-07-02", {"one": "change(close)"}
    changes = then["columns"]
    assert changed() == [(104.0 - 100.0,)]
    assert any("1 later version, of 1 instrument" in note for note in notes)
    assert not any("corporate action," in note for note in notes)


def test_only_who_was_corrected_is_read_from_the_log(tmp_path: Path, monkeypatch):
    store = open_store(tmp_path / "store", create=True)
    store.write(CANDLES, source_timeframe="1m")
    changed = CANDLES.filter(pl.col("instrument") == NAMES[1]).with_columns(volume=1.0)
    store.write(changed, source_timeframe="1m")
    asked: list[Any] = []

    def noted(queries: Any, questions: Any, *others: Any) -> Any:
        asked.extend(sorted(each.wanted.instruments) for each in questions)
        return ask(queries, questions, *others)

    ask = StoreQueries.ask_together
    monkeypatch.setattr(StoreQueries, "ask_together", noted)
    engine, text = AnalyticsEngine(store=store), "volume > 1 and close@1h > 0"
    found = engine.screen(text, at=DAY)
    assert found.frame.equals(AnalyticsEngine().screen(text, at=DAY, candles=CANDLES).frame)
    assert asked == [[NAMES[0], *NAMES[2:]]] * 2
    asked.clear()
    # What compares instruments depends on all of them.
    text = "ema(cs_rank(volume), 3) > 2"
    found = engine.screen(text, at=DAY)
    assert found.frame.equals(AnalyticsEngine().screen(text, at=DAY, candles=CANDLES).frame)
    assert asked == []


def test_before_the_first_candle_of_a_peer_its_value_is_unknown(engines, tmp_path: Path):
    begun = (pl.col("instrument") != NAMES[0]) | (pl.col("timestamp").dt.day() > 2)
    candles = CANDLES.filter(begun)
    store = open_store(tmp_path / "store", create=True)
    store.write(candles, source_timeframe="1m")
    text = f'close > security(close, "{NAMES[0]}")'
    for engine, given in ((AnalyticsEngine(), candles), (AnalyticsEngine(store=store), None)):
        with pytest.warns(EmptyWarning, match="could be judged"):
            before = engine.screen(text, candles=given, at="2025-07-02", instruments=NAMES[1:])
        assert before.counts == {"matched": 0, "not": 0, "unknown": 3}
        assert before.unknown["why"].to_list() == ["a value is not known"] * 3
        later = engine.screen(text, candles=given, at="2025-07-03", instruments=NAMES[1:])
        assert later.counts["unknown"] == 0
