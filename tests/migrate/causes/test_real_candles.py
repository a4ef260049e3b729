"""Goal: on real candles every difference between the old system and ours has its true cause.

Method: the old system's five-minute answers and ours, for a stock of one session and for one of 25
with fillers and a frozen day: the whole history, and three days of it with warm-up before them. The
causes expected are those found by hand in the old system's stored values: its moving average and
VWAP look ahead, its VWAP takes the close, its RSI is the relative strength, its ATR high minus low;
its other averages begin with the first close; bands are zero in their warm-up, and rounded. TA-Lib
differs by where its recursions begin, and has zero where nothing moves. Last, what an earlier state
of the old system really stored, every value of which looks ahead.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tallow import read_candles
from tallow.migrate.causes import Classifier
from tallow.migrate.engines import load_engine
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request
from tests.migrate.causes.pairing import pairs

RAYMOND, PREMEXPLN = "NSE_EQ|INE301A01014", "NSE_EQ|INE863B01029"
SESSIONS = {
    "one session": (RAYMOND, None, None),
    "25 sessions": (PREMEXPLN, None, None),
    "three days": (PREMEXPLN, "2025-05-26", "2025-05-28"),
}

PRINTED = Cause.ROUNDING | Cause.ZERO_IN_WARM_UP | Cause.CAPPED
BEGUN = PRINTED | Cause.OTHER_SEED
ALWAYS = {
    "sma_9": Cause.LOOK_AHEAD,
    "vwap": Cause.CLOSE_AGAINST_TYPICAL | Cause.LOOK_AHEAD,
    "rsi_14": Cause.RS_INSTEAD_OF_RSI,
    "atr_14": Cause.HIGH_LOW_INSTEAD_OF_ATR,
}
"""Of the series that are something else on the old side: what is said of almost every row."""

OTHERWISE = {
    "sma_9": Cause(0),
    "vwap": PRINTED,
    "rsi_14": BEGUN,
    "atr_14": Cause(0),
    "ema_5": BEGUN,
    "ema_9": BEGUN,
    "ema_50": BEGUN,
    "open": Cause.ZERO_VOLUME_FILLER,
    "high": Cause.ZERO_VOLUME_FILLER,
}
"""What else may be said; of series that are not named, only how they are printed."""

BARS = ("open", "high", "low", "close", "volume")


def request_of(reference: Path, name: str) -> Request:
    instrument, start, end = SESSIONS[name]
    candles = read_candles(reference / "data" / "candles_1m.csv").frame
    return Request(candles.filter(pl.col("instrument") == instrument), start=start, end=end)


@pytest.mark.parametrize("name", SESSIONS)
def test_every_difference_from_the_old_system_has_its_cause(reference: Path, name: str) -> None:
    request = request_of(reference, name)
    old, ours = load_engine("legacy").answer(request), load_engine("tallow").answer(request)
    classifier, seen = Classifier(request, old, ours), 0
    for pair in pairs(old, ours):
        found = classifier.causes(pair)
        expected = ALWAYS.get(pair.series, Cause(0))
        others = OTHERWISE.get(pair.series, Cause(0) if pair.series in BARS else PRINTED)
        assert not (found & ~int(expected | others)).any(), (pair.series, np.unique(found))
        # Not where ours has no value yet: there is nothing for a formula to differ from.
        told = ~np.isnan(pair.candidate) & (found != 0)
        shares = [(found[told] & cause != 0).mean() for cause in expected]
        assert all(share > 0.9 for share in shares), (pair.series, shares)
        seen += int(told.any())
    assert seen >= 11


def test_a_band_width_beyond_a_hundred_is_capped_by_the_old_system(reference: Path) -> None:
    request = request_of(reference, "25 sessions")
    old, ours = load_engine("legacy").answer(request), load_engine("tallow").answer(request)
    (pair,) = (pair for pair in pairs(old, ours) if pair.series == "bb_width_20_2")
    capped = Classifier(request, old, ours).causes(pair) == Cause.CAPPED
    np.testing.assert_array_equal(capped, pair.candidate > 100.0)
    assert capped.sum() == 25


TALIB = (
    "default, adx(14), macd(12, 26, 9), obv, roc(9), stoch(14, 3, 3), "
    "sma(atr(14), 5), ema(macd(12, 26, 9)[macd], 5)"
)


@pytest.mark.parametrize("name", SESSIONS)
def test_a_library_with_other_conventions_begins_otherwise(reference: Path, name: str) -> None:
    pytest.importorskip("talib")
    whole = request_of(reference, name)
    request = Request(whole.candles, whole.timeframe, TALIB, start=whole.start, end=whole.end)
    ours, theirs = load_engine("tallow").answer(request), load_engine("talib").answer(request)
    classifier = Classifier(request, ours, theirs)
    for pair in pairs(ours, theirs):
        found = classifier.causes(pair)
        allowed = int(Cause.OTHER_SEED | Cause.ZERO_IN_WARM_UP)
        assert not (found & ~allowed).any(), (pair.series, np.unique(found))


STORED = {
    "ma_9": "sma_9",
    "bb_upper": "bb_upper_20_2",
    "bb_middle": "bb_middle_20_2",
    "bb_lower": "bb_lower_20_2",
    "bb_width": "bb_width_20_2",
    "atr": "atr_14",
    "rsi": "rsi_14",
    **{name: name for name in ("vwap", "ema_5", "ema_9", "ema_50")},
}


@pytest.mark.parametrize("symbol", ["AVANTEL"])
def test_what_the_old_system_stored_looks_ahead_and_all_of_it_is_explained(
    reference: Path, symbol: str
) -> None:
    stored = pl.read_csv(reference / "data" / "legacy_stored_indicators_1m.csv.gz")
    old = stored.filter(pl.col("symbol") == symbol).select(
        pl.col("instrument_key").alias("instrument"),
        pl.col("ts").str.to_datetime("%+", time_unit="us", time_zone="UTC").alias("timestamp"),
        *(pl.col(theirs).alias(ours) for theirs, ours in STORED.items()),
    )
    candles = read_candles(reference / "data" / "candles_1m.csv").frame
    request = Request(candles.filter(pl.col("instrument") == old["instrument"][0]), "1m")
    ours = load_engine("tallow").answer(request)
    classifier, seen = Classifier(request, old.sort("timestamp"), ours), 0
    for pair in pairs(old.sort("timestamp"), ours):
        found = classifier.causes(pair)
        assert not (found & Cause.UNEXPLAINED).any(), pair.series
        assert (found & Cause.LOOK_AHEAD != 0).sum() > 1_400, pair.series
        seen += 1
    assert seen == len(STORED)
