"""Goal: the engines that come with Tallow answer as what they stand for would, under our names.

Method: ours beside `process_candles`; TA-Lib's beside calls of TA-Lib over each instrument's bars,
both of its faces, for every indicator that it has. Then what is said where one is not there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib
from talib._ta_lib import MA_Type

import tallow
from tallow.core.errors import EngineError, TallowWarning
from tallow.core.registry import registry
from tallow.migrate.engines import library, load_engine
from tallow.migrate.engines.talib_calls import CALLS
from tallow.migrate.protocol import Engine, Request
from tests.migrate.engines.market import candles

Columns = Mapping[str, np.ndarray]
SIMPLE = MA_Type.SMA
SETTINGS: Any = talib
"""Its stubs leave out what is set for the whole process."""

EXPECTED: dict[str, Callable[[Columns], np.ndarray]] = {
    "sma_9": lambda b: talib.SMA(b["close"], 9),
    "ema_50": lambda b: talib.EMA(b["close"], 50),
    "wma_7": lambda b: talib.WMA(b["close"], 7),
    "rsi_14": lambda b: talib.RSI(b["close"], 14),
    "roc_9": lambda b: talib.ROC(b["close"], 9),
    "atr_14": lambda b: talib.ATR(b["high"], b["low"], b["close"], 14),
    "stddev_20": lambda b: talib.STDDEV(b["close"], 20, 1.0),
    "bb_upper_20_2p5": lambda b: talib.BBANDS(b["close"], 20, 2.5, 2.5)[0],
    "bb_lower_20_2p5": lambda b: talib.BBANDS(b["close"], 20, 2.5, 2.5)[2],
    "bb_width_20_2p5": lambda b: 5.0 * talib.STDDEV(b["close"], 20, 1.0),
    "volume_sma_20": lambda b: talib.SMA(b["volume"], 20),
    "donchian_upper_20": lambda b: talib.MAX(b["high"], 20),
    "donchian_middle_20": lambda b: talib.MIDPRICE(b["high"], b["low"], 20),
    "rma_14": lambda b: talib.RMA(b["close"], 14),
    "keltner_lower_20_2_10": lambda b: talib.KC(b["high"], b["low"], b["close"], 20, 10, 2.0)[2],
    "supertrend_10_3": lambda b: talib.SUPERTREND(b["high"], b["low"], b["close"], 10, 3.0)[0],
    "supertrend_direction_10_3": lambda b: np.where(
        np.arange(len(b["close"])) < 10,
        np.nan,
        talib.SUPERTREND(b["high"], b["low"], b["close"], 10, 3.0)[1],
    ),
    "vwap": lambda b: by_session(b),  # noqa: PLW0108 - it is defined below
    "adx_14": lambda b: talib.ADX(b["high"], b["low"], b["close"], 14),
    "minus_di_14": lambda b: talib.MINUS_DI(b["high"], b["low"], b["close"], 14),
    "true_range": lambda b: talib.TRANGE(b["high"], b["low"], b["close"]),
    "obv": lambda b: talib.OBV(b["close"], b["volume"]),
    "macd_signal_12_26_9": lambda b: talib.MACD(b["close"], 12, 26, 9)[1],
    "hl2": lambda b: talib.MEDPRICE(b["high"], b["low"]),
    "hlc3": lambda b: talib.TYPPRICE(b["high"], b["low"], b["close"]),
    "ohlc4": lambda b: talib.AVGPRICE(b["open"], b["high"], b["low"], b["close"]),
    "ema_9_of_rsi_14": lambda b: np.concatenate(
        [np.full(14, np.nan), talib.EMA(talib.RSI(b["close"], 14)[14:], 9)]
    ),
    "bb_percent_b_20_2_of_hl2": lambda b: place_in_bands((b["high"] + b["low"]) / 2.0),
    "sma_5_of_volume": lambda b: talib.SMA(b["volume"], 5),
    "stoch_d_14_1_3": lambda b: talib.STOCH(
        b["high"], b["low"], b["close"], 14, 1, SIMPLE, 3, SIMPLE
    )[1],
}


def place_in_bands(column: np.ndarray) -> np.ndarray:
    upper, _, lower = talib.BBANDS(column, 20, 2.0, 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((column - lower) / (upper - lower))


def by_session(bars: Columns) -> np.ndarray:
    """Return TA-Lib's average price of each day's bars; NSE's days do not cross midnight UTC."""
    days = bars["timestamp"].astype("datetime64[D]")
    columns = [bars[name] for name in ("high", "low", "close", "volume")]
    parts = [talib.VWAP(*(column[days == day] for column in columns)) for day in np.unique(days)]
    return np.concatenate(parts)


SPECS = (
    "sma(9), ema(50), wma(7), rsi(14), roc(9), atr(14), stddev(20), bollinger(20, 2.5), "
    "volume_sma(20), donchian(20), adx(14), true_range, obv, macd(12, 26, 9), stoch(14, 1, 3), "
    "rma(14), keltner(20, 2, 10), supertrend(10, 3), vwap, hl2, hlc3, ohlc4, ema(rsi(14), 9), "
    "bb(hl2, 20, 2)[percent_b], sma(volume, 5)"
)


def test_ours_is_process_candles() -> None:
    asked = Request(candles(), "15m", "ema(9), vwap", start="2025-06-03")
    result = tallow.AnalyticsEngine("XNSE").process_candles(
        candles(), "15m", "ema(9), vwap", start="2025-06-03"
    )
    columns = ["instrument", "timestamp", "open", "high", "low", "close", "volume", "ema_9", "vwap"]
    assert load_engine("tallow").answer(asked).equals(result.frame.select(columns))


def test_ours_warns_of_an_instrument_that_fails() -> None:
    """A calendar that does not know a year fails the instrument with candles in it."""
    old = candles(1).with_columns(
        pl.lit("OLD").alias("instrument"), pl.col("timestamp").dt.offset_by("-30y")
    )
    both = pl.concat([candles(), old]).sort("instrument", "timestamp")
    with pytest.warns(TallowWarning, match="OLD: "):
        frame = load_engine("tallow").answer(Request(both))
    assert "OLD" not in frame["instrument"]


@pytest.mark.parametrize("name", ["talib", "polars_talib"])
class TestTalib:
    def test_values_are_ta_libs_own(self, name: str) -> None:
        frame = load_engine(name).answer(Request(candles(), indicators=SPECS))
        for part in frame.partition_by("instrument"):
            bars = {column: part[column].to_numpy() for column in part.columns[1:]}
            for column, expected in EXPECTED.items():
                own = np.where(part[column].is_null(), np.nan, bars[column])
                np.testing.assert_allclose(own, expected(bars), 1e-9, 1e-9, err_msg=column)

    def test_all_that_it_has_is_there_with_our_values(self, name: str) -> None:
        """Of each indicator that has a name there; seeds are forgotten after some hundred rows."""
        market = candles(1)
        asked = [each.name for each in registry().by_name.values() if each.names.get("talib")]
        theirs = load_engine(name).answer(Request(market, "1m", ", ".join(asked)))
        engine = tallow.AnalyticsEngine("XNSE", convention="talib")
        ours = engine.process_candles(market, "1m", asked).frame
        lacking = set(ours.columns) - {*theirs.columns, "candles", "is_final"}
        assert {column.split("_")[1] for column in lacking} == {"signal", "histogram"}
        for column in theirs.columns[7:]:
            own, other = (
                frame[column].cast(pl.Float64).tail(300).to_numpy() for frame in (ours, theirs)
            )
            np.testing.assert_allclose(own, other, 1e-6, 1e-6, err_msg=column)
            assert not np.isnan(own).all(), column

    def test_only_what_it_has_is_a_column(self, name: str) -> None:
        asked = Request(candles(), indicators=f"{SPECS}, vwap(source=close)")
        theirs, ours = (load_engine(each).answer(asked) for each in (name, "tallow"))
        assert set(ours.columns) - set(theirs.columns) == {"vwap_close"}
        assert set(theirs.columns) <= set(ours.columns)
        bars = ours.columns[:7]
        assert theirs.select(bars).equals(ours.select(bars))

    def test_a_range_sees_the_candles_before_it(self, name: str) -> None:
        engine = load_engine(name)
        whole = engine.answer(Request(candles()))
        day = engine.answer(Request(candles(), start="2025-06-03", end="2025-06-03"))
        assert day.equals(whole.filter(pl.col("timestamp").dt.date() == pl.date(2025, 6, 3)))
        assert not day["ema_50"].null_count()

    def test_no_candles_and_few_candles(self, name: str) -> None:
        engine = load_engine(name)
        assert len(engine.answer(Request(candles().clear()))) == 0
        few = engine.answer(Request(candles().head(7)))
        assert few["rsi_14"].null_count() == len(few) > 0

    def test_values_that_ta_lib_refuses(self, name: str) -> None:
        with pytest.raises(EngineError, match=rf"{name}: supertrend .*refuses these values"):
            load_engine(name).answer(
                Request(candles(), indicators="supertrend(length=1, multiplier=3)")
            )


def test_settings_of_the_process_change_no_value_and_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application may have hidden TA-Lib's first rows, or chosen Metastock's seeds.

    TA-Lib 0.8.2 has the words for seeds, and does nothing with them; versions of before do.
    """
    chosen: list[int] = []
    monkeypatch.setattr(talib, "get_compatibility", lambda: 1)
    monkeypatch.setattr(talib, "set_compatibility", chosen.append)
    asked = Request(candles(), indicators="ema(9), rsi(14), adx(14)")
    usual = load_engine("talib").answer(asked)
    SETTINGS.set_unstable_period("EMA", 30)
    try:
        assert load_engine("talib").answer(asked).equals(usual)
        assert SETTINGS.get_unstable_period("EMA") == 30
    finally:
        SETTINGS.set_unstable_period("EMA", 0)
    assert set(zip(chosen[::2], chosen[1::2], strict=True)) == {(0, 1)}


@pytest.mark.parametrize("face", [library.Talib(), library.PolarsTalib()], ids=lambda f: f.name)
def test_columns_of_text_and_of_integers_are_numbers_to_it(face: library.TalibLibrary) -> None:
    """Given text, the plugin for Polars ends the process."""
    bars = candles().select("instrument", "close")
    calls = [
        face.outputs(frame, CALLS["ema"][0], {"length": 9})
        for frame in (bars, bars.with_columns(pl.col("close").cast(pl.String)))
    ]
    assert calls[0].equals(calls[1])


def test_every_call_is_tried() -> None:
    tried = {spec.partition("(")[0] for spec in SPECS.split(", ") if spec[0].isalpha()}
    named = {each.name for each in registry().by_name.values() if each.names.get("talib")}
    assert tried | named >= set(CALLS)


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("talib", "talib", "TA-Lib"), ("polars_talib", "polars_talib", "polars-talib")],
)
def test_what_is_not_installed_is_named(
    name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineError, match=f"pip install {package}"):
        load_engine(name).answer(Request(candles()))


def test_versions_say_what_answers() -> None:
    assert load_engine("tallow").version == f"tallow {tallow.__version__}"
    assert load_engine("talib").version.startswith(f"TA-Lib {talib.__version__}, tallow ")
    assert load_engine("polars_talib").version.startswith("polars-talib ")


def test_a_version_is_told_of_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(library, "version", version)
    assert load_engine("talib").version.startswith("TA-Lib, not installed, tallow ")


def test_ta_lib_is_imported_when_it_is_asked_and_not_before() -> None:
    code = (
        "import sys; from tallow.migrate.engines import load_engine; load_engine('talib');"
        "assert not {'talib', 'polars_talib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(EngineError, match="did you mean talib"):
        load_engine("ta-lib")
    for text in ("", "no such", "a b:c", "module:"):
        with pytest.raises(EngineError, match="must be the name of an engine"):
            load_engine(text)


def test_a_declared_engine_takes_no_other_names() -> None:
    with pytest.raises(EngineError, match="answers under our names"):
        load_engine("tallow", series={"a": "b"})


def test_each_is_an_engine() -> None:
    assert all(
        isinstance(load_engine(name), Engine) for name in ("tallow", "talib", "polars_talib")
    )
