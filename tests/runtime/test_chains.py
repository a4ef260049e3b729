"""Goal: an indicator of a source has the values that the outer makes of the inner's, one after the
other, and the same bits by whatever way the candles come.

Method: TA-Lib called step by step on the rows that have a value, and plain Python where the inner
has none midway; then rows in pieces, files in small blocks, arrays, bars as candles, and a live
engine that takes them one by one, in bulk, with corrections and from a saved state.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib

from tallow import AnalyticsEngine, LiveEngine
from tallow.core.arrays import Floats
from tallow.core.spec import Spec, parse_specs
from tallow.plan.plan import make_plan
from tallow.runtime import batch
from tallow.runtime.operations import Machine, in_parallel
from tallow.testing.histories import Rows, part, ticking, walk, with_gaps
from tallow.textbook import ORACLES
from tests.frames import assert_same_frame, candles, market, minutes
from tests.running import assert_same_bits
from tests.runtime.live.markets import CALENDAR
from tests.runtime.live.setups import Setup

pytestmark = pytest.mark.twin

CHAINS = (
    "ema(rsi(14), 9)",
    "sma(20, source=hl2)",
    "sma(ema(rsi(14), 9), 5)",
    "sma(bollinger(20, 2)[upper], 5)",
    "bb(bb(5, 2)[percent_b], 4, 2)",
    "rsi(volume, 5)",
    "sma(vwap, 3)",
    "wma(roc(true_range, 3), 2)",
    "macd(ohlc4, 3, 5, 2)",
)
ALL = ", ".join(CHAINS)


def after(rows: int, values: Floats) -> Floats:
    """Return values in the places of the rows that come after some without a value."""
    return np.concatenate([np.full(rows, np.nan), values])


def typical(r: Rows) -> Floats:
    return (r["high"] + r["low"] + r["close"]) / 3.0


STEPS: dict[str, Callable[[Rows], Floats]] = {
    "ema(rsi(14), 9)": lambda r: after(14, talib.EMA(talib.RSI(r["close"], 14)[14:], 9)),
    "sma(20, source=hl2)": lambda r: talib.SMA((r["high"] + r["low"]) / 2.0, 20),
    "stdev(hlc3, 5)": lambda r: talib.STDDEV(typical(r), 5, 1.0),
    "rsi(volume, 5)": lambda r: talib.RSI(r["volume"], 5),
    "sma(bollinger(20, 2)[upper], 5)": lambda r: after(
        19, talib.SMA(talib.BBANDS(r["close"], 20, 2.0, 2.0)[0][19:], 5)
    ),
    "sma(ema(rsi(14), 9), 5)": lambda r: after(
        22, talib.SMA(talib.EMA(talib.RSI(r["close"], 14)[14:], 9)[8:], 5)
    ),
    "wma(macd(3, 5, 2)[signal], 4)": lambda r: after(
        5, talib.WMA(talib.MACD(r["close"], 3, 5, 2)[1][5:], 4)
    ),
    "ema(volume_sma(4), 3)": lambda r: after(3, talib.EMA(talib.SMA(r["volume"], 4)[3:], 3)),
}


def run(texts: str, rows: Rows, cuts: tuple[int, ...] = (), convention: str = "tradingview"):
    """Return the columns of one instrument's rows, run in pieces."""
    machine = Machine(make_plan(texts, convention))
    states, found = machine.new_states(1), []
    edges = (0, *cuts, len(rows["close"]))
    for low, high in pairwise(edges):
        out = np.empty((len(machine.plan.columns), high - low))
        some = part(rows, low, high)
        assert not machine.fill(states, np.array([0, high - low]), some, out)
        found.append(out)
    return list(np.concatenate(found, axis=1))


@pytest.mark.parametrize("history", [walk, ticking])
@pytest.mark.parametrize("spec", STEPS)
def test_values_are_those_of_talib_step_by_step(spec, history):
    rows = history(400)
    (found,), wanted = run(spec, rows, convention="talib"), STEPS[spec](rows)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    scale = float(np.nanmax(np.abs(wanted)))
    np.testing.assert_allclose(found, wanted, 1e-9, 1e-11 * scale)
    (column,) = make_plan(spec, "talib").columns
    assert make_plan(spec, "talib").warmup[column] == int(np.isnan(found).sum())


@pytest.mark.parametrize(
    ("outer", "inner", "source"),
    [
        ("sma(length=3", "bollinger(length=4, multiplier=2.0", "percent_b"),
        ("ema(length=4", "bollinger(length=3, multiplier=1.0", "percent_b"),
        ("rsi(length=3, flat=100.0", "stddev(length=3", "stddev"),
        ("stddev(length=3", "true_range(", "true_range"),
    ],
)
def test_rows_without_a_value_are_skipped(outer, inner, source):
    """Of candles that stand still for a while, and of which some are missing."""
    rows = with_gaps(ticking(160), np.random.default_rng(5).random(160) < 0.1)
    rows["close"][60:70] = rows["close"][60]
    (spec,) = parse_specs(f"{outer}, source={inner})[{source}])")
    made, used = dict(spec.values), spec.source
    assert isinstance(used, Spec)
    names = used.indicator.input_names(dict(used.values))
    given = [[None if x != x else x for x in rows[name].tolist()] for name in names]
    columns = ORACLES[used.indicator.name](dict(used.values), *given)
    values = columns[[o.name for o in used.indicator.outputs].index(source)]
    known = [k for k, value in enumerate(values) if value is not None]
    assert len(known) < known[-1] - known[0] + 1, "none is missing midway"
    (of_known,) = ORACLES[spec.indicator.name](made, [values[k] for k in known])
    wanted = np.full(len(values), np.nan)
    wanted[known] = [np.nan if value is None else value for value in of_known]
    (found,) = run(spec.text, rows)
    np.testing.assert_allclose(found, wanted, 1e-9, 1e-9, equal_nan=True)


@pytest.mark.parametrize("seed", range(3))
def test_pieces_give_what_the_whole_gives(seed):
    texts = ", ".join(text for text in CHAINS if "vwap" not in text)
    rows = with_gaps(ticking(120), np.random.default_rng(seed).random(120) < 0.1)
    whole, cuts = run(texts, rows), sorted(random.Random(seed).sample(range(121), 9))
    assert_same_bits(run(texts, rows, tuple(cuts)), whole)
    assert_same_bits(run(texts, rows, tuple(range(1, 120))), whole)


def quiet_market() -> pl.DataFrame:
    """Return candles of two sessions that begin without volume, so that the vwap comes late."""
    times = [t for day in ("02", "03") for t in minutes(f"2025-06-{day}T09:15+05:30", 60)]
    frames = [candles(name, times, seed) for seed, name in enumerate(("A", "IDX"))]
    early = (pl.int_range(pl.len()) % 60) < 7
    return pl.concat(
        each.with_columns(pl.when(early).then(0.0).otherwise("volume").alias("volume"))
        for each in frames
    )


def test_a_price_that_is_missing_midway():
    engine = AnalyticsEngine("XNSE", no_trade="keep", threads=1)
    frame = engine.process_candles(quiet_market(), "1m", "vwap, sma(vwap, 3)").frame
    for (_,), own in frame.group_by("instrument"):
        prices, means = own["vwap"].to_list(), own["sma_3_of_vwap"].to_list()
        missing = [k for k, price in enumerate(prices) if price is None]
        assert missing == [*range(7), *range(60, 67)]
        known = [k for k, price in enumerate(prices) if price is not None]
        wanted = {known[k]: sum(prices[i] for i in known[k - 2 : k + 1]) / 3 for k in range(2, 106)}
        assert [k for k, value in enumerate(means) if value is not None] == list(wanted)
        assert [means[k] for k in wanted] == pytest.approx(list(wanted.values()), rel=1e-12)


def test_frames_arrays_and_rows_have_the_same_bits():
    quiet = quiet_market().with_columns(instrument=pl.lit("Q") + pl.col("instrument"))
    frame = pl.concat([market(["A", "B", "C"]), quiet]).sort("instrument", "timestamp")
    engines = [AnalyticsEngine("XNSE", no_trade="keep", threads=n) for n in (1, 3)]
    whole = engines[0].process_candles(frame, "1m", ALL).frame
    assert_same_frame(engines[1].process_candles(frame, "1m", ALL).frame, whole)
    arrays = engines[0].calculate_arrays(frame, "1m", ALL).columns
    outputs = whole.columns[whole.columns.index("is_final") + 1 :]
    for name in outputs:
        assert_same_bits([arrays[name]], [whole[name].to_numpy()])
    bars = whole.select("instrument", "timestamp", "open", "high", "low", "close", "volume")
    rows = engines[0].calculate_indicators(bars, ALL)
    assert_same_frame(rows.select(outputs), whole.select(outputs))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_shares_of_threads_do_not_show(threads, monkeypatch):
    monkeypatch.setattr(batch, "THREAD_ROWS", 10)
    frame = pl.concat(
        quiet_market().with_columns(instrument=pl.lit(name) + pl.col("instrument"))
        for name in "ABC"
    )
    texts = f"{ALL}, cs_rank(rsi(14)), ema(cs_rank, 3)"
    one = AnalyticsEngine("XNSE", no_trade="keep", threads=1)
    whole = one.process_candles(frame, "3m", texts).frame
    many = AnalyticsEngine("XNSE", no_trade="keep", threads=threads)
    shares: list[int] = []

    def counted(pool: Any, jobs: Any) -> Any:
        shares.append(len(jobs))
        return in_parallel(pool, jobs)

    monkeypatch.setattr(batch, "in_parallel", counted)
    assert_same_frame(many.process_candles(frame, "3m", texts).frame, whole)
    assert max(shares) == min(threads, 6)
    bars = whole.select("instrument", "timestamp", "open", "high", "low", "close", "volume")
    outputs = whole.columns[whole.columns.index("is_final") + 1 :]
    rows = many.calculate_indicators(bars, texts)
    assert_same_frame(rows.select(outputs), whole.select(outputs))


def test_live_rows_have_the_bits_of_a_run(tmp_path: Path):
    """One by one in plain numbers, in bulk, late and revised, before and after a restart."""
    frame = quiet_market()
    setup = Setup(["1m", "7m"], ALL, no_trade="keep", keep=50)
    live = setup.engine()
    told: dict[str, dict[Any, Any]] = {"1m": {}, "7m": {}}

    def take(update) -> None:
        for size, rows in update.frames.items():
            told[size] |= {(r["instrument"], r["timestamp"]): r for r in rows.to_dicts()}

    steps = frame.sort("timestamp").partition_by("timestamp")
    for minute, rows in enumerate(steps):
        if minute % 3 == 0:
            for row in rows.iter_rows(named=True):
                stamp = int(row["timestamp"].timestamp() * 1e6)
                values = (row[n] for n in ("open", "high", "low", "close", "volume"))
                take(live.update_one(row["instrument"], stamp, *values))
        else:
            take(live.update(rows))
        if minute % 11 == 10:
            wrong = rows.with_columns(pl.col("close") * 0 + pl.col("low"))
            take(live.update(wrong))
            take(live.update(rows))
        if minute in (40, 65):
            live.save(tmp_path / "state")
            live = LiveEngine.load(tmp_path / "state", **setup.options())
    engine = AnalyticsEngine(CALENDAR, no_trade="keep")
    for size, found in told.items():
        whole = engine.process_candles(frame, size, ALL).frame
        kept = pl.DataFrame(list(found.values()), schema_overrides=whole.schema)
        kept = kept.select(whole.columns).sort("instrument", "timestamp")
        assert_same_frame(kept.drop("is_final"), whole.drop("is_final"))
        assert not any("(" in name for name in kept.columns)
