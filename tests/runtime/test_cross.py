"""Goal: instruments are compared at equal bar times, with the same bits by whatever way bars come.

Method: pandas, and exact fractions, for what one moment says; then files in any order, arrays,
rows, expressions and a store, which goes on from states at months.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import UTC, date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, load_calendar, open_store
from tallow.core.errors import DeclarationError, ParameterError, RangeError
from tallow.core.operator import CROSS, PEER, RECURSIVE, SINCE
from tallow.core.registry import registry
from tallow.core.spec import make_spec, parse_specs
from tallow.core.time import from_us, to_us
from tallow.data.reading.schema import CANDLE_SCHEMA
from tallow.data.simulate import simulate_blocks
from tallow.data.store.reader import StoreReader
from tallow.plan.plan import make_plan
from tallow.runtime.expressions import TallowExpressions

SIMULATED = pl.concat(
    simulate_blocks(7, 4, calendar=load_calendar("XNSE"), start=date(2025, 7, 29))
).filter(pl.col("timestamp").dt.hour() < 6)
NAMES = SIMULATED["instrument"].unique().sort().to_list()
CANDLES = SIMULATED.filter(
    ~((pl.col("instrument") == NAMES[4]) & (pl.col("timestamp").dt.minute() >= 30))
    & ~((pl.col("instrument") == NAMES[5]) & (pl.col("timestamp").dt.day() < 31))
)
"""Seven instruments over the end of a month; one has no second half hours, one begins later."""
PEER_NAME = NAMES[2]
SPECS = [
    "rsi(3)",
    "cs_rank(rsi(3))",
    "cs_pct_rank",
    "cs_zscore(roc(2))",
    "ema(cs_rank(rsi(3)), 4)",
    "cs_rank(sma(cs_zscore(roc(2)), 3))",
    f'security(rsi(3), "{PEER_NAME}")',
]
ENGINE = AnalyticsEngine()
WHOLE = ENGINE.process_candles(CANDLES, "15m", SPECS).frame
BY_TIME = WHOLE.group_by("timestamp", maintain_order=True)


def moments() -> list[pd.DataFrame]:
    return [frame.to_pandas() for _, frame in BY_TIME]


def test_ranks_are_those_of_pandas():
    assert len({len(moment) for moment in moments()}) > 1, "no instrument misses a bar"
    for moment in moments():
        expected = moment["rsi_3"].rank(method="average")
        np.testing.assert_array_equal(moment["cs_rank_of_rsi_3"], expected)
        share = (moment["close"].rank() - 1) / (len(moment) - 1)
        np.testing.assert_allclose(moment["cs_pct_rank"], share, rtol=1e-15)


def test_distances_are_those_of_exact_fractions():
    roc = ENGINE.process_candles(CANDLES, "15m", "roc(2)").frame
    for _, moment in WHOLE.with_columns(roc=roc["roc_2"]).group_by("timestamp"):
        known = moment.drop_nulls("roc")
        values = [Fraction(value) for value in known["roc"]]
        if values:
            mean, deviation = statistics.fmean(values), statistics.pstdev(values)
            expected = [float((value - Fraction(mean)) / Fraction(deviation)) for value in values]
            np.testing.assert_allclose(known["cs_zscore_of_roc_2"], expected, rtol=1e-9)
        assert moment.filter(pl.col("roc").is_null())["cs_zscore_of_roc_2"].is_null().all()


def test_another_instruments_value_is_there_for_all_also_in_their_warm_up():
    column = f"security_{PEER_NAME.replace('|', '_')}_of_rsi_3"
    theirs = WHOLE.filter(pl.col("instrument") == PEER_NAME).select("timestamp", peer="rsi_3")
    both = WHOLE.join(theirs, on="timestamp", how="left", maintain_order="left")
    assert both[column].equals(both["peer"], null_equal=True)
    assert both.filter(pl.col("rsi_3").is_null() & pl.col(column).is_not_null()).height > 0


def test_a_kernel_goes_on_over_what_was_compared():
    for (_,), frame in WHOLE.group_by("instrument"):
        rank = frame["cs_rank_of_rsi_3"].drop_nulls()
        seed = rank[:4].mean()
        expected = [seed]
        for value in rank[4:]:
            expected.append(expected[-1] + (value - expected[-1]) * 2 / 5)
        shown = frame["ema_4_of_cs_rank_of_rsi_3"].drop_nulls()
        np.testing.assert_allclose(shown, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("values", "ranks", "shares", "distances"),
    [
        ([3.0, 1.0, 2.0], [3, 1, 2], [1.0, 0.0, 0.5], [1.5**0.5, -(1.5**0.5), 0.0]),
        ([5.0, 5.0, 1.0], [2.5, 2.5, 1], [0.75, 0.75, 0.0], [0.5**0.5, 0.5**0.5, -(2**0.5)]),
        # Their mean is another number than each of them.
        ([0.1, 0.1, 0.1], [2, 2, 2], [0.5, 0.5, 0.5], [None] * 3),
        ([7.0, None, None], [1, None, None], [0.5, None, None], [None] * 3),
    ],
)
def test_a_moment_worked_by_hand(values, ranks, shares, distances):
    frame, source = pl.DataFrame({"x": values, "t": 0}), pl.col("x").cast(pl.Float64)
    names = ("cs_rank", "cs_pct_rank", "cs_zscore")
    asked: Any = TallowExpressions(source)
    found = frame.select(getattr(asked, name)().over("t").alias(name) for name in names)
    assert found["cs_rank"].to_list() == ranks
    assert found["cs_pct_rank"].to_list() == shares
    assert found["cs_zscore"].to_list() == pytest.approx(distances)


def test_the_order_of_instruments_changes_no_bit():
    renamed = dict(zip(NAMES, reversed(NAMES), strict=True))
    other = CANDLES.with_columns(pl.col("instrument").replace_strict(renamed))
    found = ENGINE.process_candles(other, "15m", SPECS[:-1]).frame
    back = found.with_columns(
        pl.col("instrument").replace_strict({v: k for k, v in renamed.items()})
    )
    assert back.sort("instrument", "timestamp").equals(WHOLE.select(found.columns))


def test_files_arrays_and_a_part_have_the_same_bits(tmp_path: Path):
    for name, order in (("time", ["timestamp"]), ("name", ["instrument", "timestamp"])):
        CANDLES.sort(order).write_parquet(tmp_path / f"{name}.parquet")
        report = ENGINE.process_files(
            tmp_path / f"{name}.parquet", tmp_path / "bars.parquet", "15m", SPECS
        )
        assert pl.read_parquet(tmp_path / "bars.parquet").equals(WHOLE)
        assert report.bars == len(WHOLE)
    arrays = ENGINE.calculate_arrays(CANDLES, "15m", SPECS)
    assert list(arrays.columns) == WHOLE.columns[1:]
    for name in WHOLE.columns[2:]:
        np.testing.assert_array_equal(arrays.columns[name], WHOLE[name].to_numpy())
    asked: Any = {"instruments": NAMES[3], "start": "2025-07-30", "end": "2025-07-31"}
    part = ENGINE.process_candles(CANDLES, "15m", SPECS, **asked)
    assert part.frame.equals(expected_part(NAMES[3], "2025-07-30", "2025-07-31"))
    assert part.report.bars == len(part.frame) > 0


def expected_part(name: str, first: str, last: str) -> pl.DataFrame:
    days = (
        pl.col("timestamp")
        .dt.date()
        .is_between(date.fromisoformat(first), date.fromisoformat(last))
    )
    return WHOLE.filter((pl.col("instrument") == name) & days)


def test_several_timeframes_and_rows_as_they_are():
    both = ENGINE.process_candles(CANDLES, ["5m", "15m"], SPECS)
    assert both["15m"].frame.equals(WHOLE)
    rows = ENGINE.calculate_indicators(CANDLES, "cs_rank, ema(cs_rank, 3)")
    expected = CANDLES.to_pandas().groupby("timestamp")["close"].rank()
    np.testing.assert_array_equal(rows["cs_rank"].to_numpy(), expected)


def test_a_store_goes_on_from_months_until_a_candle_before_changes(tmp_path: Path):
    store = open_store(tmp_path / "store", create=True)
    store.write(CANDLES, source_timeframe="1m")
    asked: Any = {"timeframe": "15m", "indicators": SPECS, "start": "2025-08-01"}
    for _ in range(2):
        # A new engine has nothing in memory, and finds what the one before has left.
        found = AnalyticsEngine(store=store).query(NAMES[3], **asked).frame
        assert found.equals(expected_part(NAMES[3], "2025-08-01", "2025-08-01"))
    last = (pl.col("timestamp").dt.day() == 31) & (pl.col("instrument") == NAMES[0])
    number = CANDLES.with_row_index().filter(last)["index"].max()
    assert isinstance(number, int)
    prices = [(pl.col(name) * 2.0) for name in ("open", "high", "low", "close")]
    changed = CANDLES[number : number + 1].with_columns(prices)
    before = AnalyticsEngine(store=store).query(None, **asked).frame
    known = from_us(store.last_received())
    store.write(changed, source_timeframe="1m")
    corrected = pl.concat([CANDLES[:number], changed, CANDLES[number + 1 :]])
    whole = ENGINE.process_candles(corrected, "15m", SPECS, start="2025-08-01").frame
    after = AnalyticsEngine(store=store).query(None, **asked).frame
    assert after.equals(whole)
    assert not after.equals(before)
    past = AnalyticsEngine(store=store).query(None, known_at=known, **asked).frame
    assert past.drop("is_final").equals(before.drop("is_final"))


def test_weeks_go_on_from_the_first_whole_one_of_a_month(tmp_path: Path, monkeypatch):
    """August 1 is a Friday: its week began in July, and the states are those before August 4."""
    days = load_calendar("XNSE").sessions().day_date.tolist()
    draw, names = np.random.default_rng(5), ["A", "B", "C"]
    dates = [day for day in days if date(2025, 5, 1) <= day <= date(2025, 8, 29)]
    rows = [
        (name, datetime.combine(day, time(), UTC), *[price] * 4, 1.0)
        for name in names
        for day, price in zip(dates, draw.uniform(50, 60, len(dates)).tolist(), strict=True)
    ]
    candles = pl.DataFrame(rows, CANDLE_SCHEMA, orient="row")
    store = open_store(tmp_path / "store", create=True)
    store.write(candles, source_timeframe="1d")
    spec, begins, read = "ema(cs_rank, 3)", list[int](), StoreReader.read
    asked: Any = {"timeframe": "1w", "source_timeframe": "1d", "start": "2025-08-18"}

    def noted(state: Any, names: Any = None, **options: Any) -> pl.DataFrame:
        begins.append(options["start"] or 0)
        return read(state, names, **options)

    def answer() -> pl.DataFrame:
        return AnalyticsEngine(store=store).query(None, indicators=spec, **asked).frame

    first = answer()
    whole = ENGINE.process_candles(candles, "1w", spec, start="2025-08-18", source_timeframe="1d")
    assert first.drop("is_final").equals(whole.frame.drop("is_final"))
    monkeypatch.setattr(StoreReader, "read", noted)
    assert answer().equals(first)
    assert min(begins) == to_us(datetime(2025, 8, 3, 18, 30, tzinfo=UTC))
    for day, goes_on in ((date(2025, 8, 5), True), (date(2025, 8, 1), False)):
        is_day = pl.col("timestamp").dt.date() == day
        is_changed = is_day & (pl.col("instrument") == "B")
        prices = [
            pl.when(is_changed).then(pl.lit(70.0)).otherwise(name).alias(name)
            for name in ("open", "high", "low", "close")
        ]
        candles = candles.with_columns(prices)
        store.write(candles.filter(is_changed), source_timeframe="1d")
        begins.clear()
        again = ENGINE.process_candles(
            candles, "1w", spec, start="2025-08-18", source_timeframe="1d"
        )
        assert answer().drop("is_final").equals(again.frame.drop("is_final"))
        assert (min(begins) >= to_us(datetime(2025, 8, 3, 18, 30, tzinfo=UTC))) is goes_on


def test_who_is_compared_with_must_be_there():
    with pytest.raises(RangeError, match=r"security: instrument='NIFTY'; has no bars; "):
        ENGINE.process_candles(CANDLES, "15m", "security(NIFTY)")
    with pytest.raises(ParameterError, match="instrument=; must be a text of 1"):
        parse_specs("security(instrument='')")


def test_a_range_in_which_the_other_instrument_has_no_bar_has_no_value(tmp_path: Path):
    store = open_store(tmp_path / "store", create=True)
    ended = (pl.col("instrument") == NAMES[0]) & (pl.col("timestamp").dt.date() > date(2025, 7, 30))
    store.write(CANDLES.filter(~ended), source_timeframe="1m")
    spec, engine = f'security(close, "{NAMES[0]}")', AnalyticsEngine(store=store)
    frame = engine.query(NAMES[1], "15m", date(2025, 7, 31), indicators=spec).frame
    expected = WHOLE.filter(pl.col("instrument") == NAMES[1])["timestamp"].dt.date()
    assert len(frame) == (expected >= date(2025, 7, 31)).sum() > 0
    assert frame[frame.columns[-1]].is_null().all()


def test_a_plan_has_a_phase_for_each_time_instruments_are_compared():
    plan = make_plan(SPECS)
    assert [phase.is_cross for phase in plan.phases] == [True, False, True]
    assert plan.outputs[-2] == "cs_rank_of_sma_3_of_cs_zscore_of_roc_2"
    assert set(plan.columns) - set(plan.outputs) == {"roc(length=2, flat=null)[roc]"}
    assert plan.warmup["ema_4_of_cs_rank_of_rsi_3"] == 3 + 3
    assert make_plan("sma(3), ema(5)").phases == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"warmup": lambda _: (1,)}, "has no state and no warm-up"),
        ({"state_size": lambda _: 1}, "has no state and no warm-up"),
        ({"inputs": ("high", "low")}, "takes one column"),
        ({"inputs": ("close", "session")}, "takes one column"),
        ({"inputs": ("close", PEER)}, "needs a parameter instrument"),
        ({"inputs": ("close", SINCE)}, "needs a parameter moment"),
        ({"memory": RECURSIVE, "inputs": ("close", PEER)}, "is for CROSS alone"),
    ],
)
def test_a_declaration_that_could_not_be_compared_is_refused(change, why):
    assert registry().find("cs_rank").memory == CROSS
    with pytest.raises(DeclarationError, match=why):
        replace(registry().find("cs_rank"), **change)


def test_where_a_kernel_raises_that_moment_alone_is_without_values():
    moment = WHOLE["timestamp"].unique().sort()[9]
    closes = WHOLE.filter(pl.col("timestamp") == moment)["close"].to_list()

    def picky(state: Any, params: Any, offsets: Any, close: Any, out: Any) -> None:
        for k in range(len(state)):
            rows = slice(offsets[k], offsets[k + 1])
            if sorted(close[rows]) == sorted(closes):
                raise ZeroDivisionError("no rank")
            out[rows] = 1.0

    indicator = replace(registry().find("cs_rank"), name="picky", advance=picky)
    spec = make_spec(indicator, {}, "tradingview")
    found = ENGINE.process_candles(CANDLES, "15m", [spec])
    column = spec.columns[0]
    without = found.frame.filter(pl.col(column).is_null())
    assert without["timestamp"].unique().to_list() == [moment]
    there = WHOLE.filter(pl.col("timestamp") == moment)["instrument"].to_list()
    assert found.report.failures == dict.fromkeys(there, "picky: ZeroDivisionError: no rank")
    live = LiveEngine("15m", [spec], keep=2_000)
    live.update(CANDLES)
    assert live.latest("15m")[column].to_list() == [1.0] * len(NAMES)
    assert set(live.failures) == set(there)
