"""Goal: on real candles, every value in which the old system and ours differ has its cause.

Method: RAYMOND and PREMEXPLN, control ``legacy``, candidate ``tallow``; what must come out is known
from the study of the old system's stored values: 19 bars of zeros before the bands, averages that
look ahead, the relative strength in place of the index. Each side's numbers are those of the real
engines; the counts that are checked follow from the lengths of warm-ups and histories.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tallow import read_candles
from tallow.migrate.compare import Comparison, ComparisonRules, compare, judge
from tallow.migrate.engines import load_engine
from tallow.migrate.pairs import Cause
from tallow.migrate.protocol import Request

RAYMOND, PREMEXPLN = "NSE_EQ|INE301A01014", "NSE_EQ|INE863B01029"
BANDS = ("bb_upper_20_2", "bb_middle_20_2", "bb_lower_20_2", "bb_width_percent_20_2")


def request(reference: Path, instrument: str) -> Request:
    frame = read_candles(reference / "data" / "candles_1m.csv").frame
    return Request(frame.filter(pl.col("instrument") == instrument), "5m")


@pytest.fixture(scope="module", params=[(RAYMOND, 75), (PREMEXPLN, 1_875)], ids=["RAYMOND", "PREM"])
def compared(reference: Path, request_of, request: pytest.FixtureRequest) -> tuple[Comparison, int]:
    instrument, bars = request.param
    return compare("legacy", "tallow", request_of(reference, instrument), runs=0), bars


@pytest.fixture(scope="module")
def request_of():
    return request


def test_every_difference_is_explained(compared) -> None:
    comparison, bars = compared
    assert comparison.values.rows == (bars, 0, 0)
    assert comparison.values.total().unexplained == 0
    assert comparison.noise.differing == 0
    assert comparison.verdict.outcome == "go"
    assert comparison.control.errors == comparison.candidate.errors == {}


def test_the_bands_are_equal_but_for_zeros_in_their_warm_up(compared) -> None:
    comparison, bars = compared
    for name in BANDS:
        counts = comparison.values.series()[name]
        assert counts.same == bars - 19, name
        assert (counts.only_control, counts.different) == (19, 0), name
        assert counts.causes == {"zero-in-warm-up": 19}, name
    assert comparison.values.decimals["bb_upper_20_2"] == (2, None)


@pytest.mark.parametrize(
    ("series", "cause"),
    [
        ("sma_9", Cause.LOOK_AHEAD),
        ("vwap", Cause.LOOK_AHEAD),
        ("vwap", Cause.CLOSE_AGAINST_TYPICAL),
        ("atr_14", Cause.HIGH_LOW_INSTEAD_OF_ATR),
        ("rsi_14", Cause.RS_INSTEAD_OF_RSI),
        ("ema_50", Cause.OTHER_SEED),
    ],
)
def test_differences_are_named_with_their_cause(compared, series: str, cause: Cause) -> None:
    comparison, _ = compared
    counts = comparison.values.series()[series]
    name = (cause.name or "").lower().replace("_", "-")
    if series == "ema_50":
        # It converges: what is left rounds to the same later on.
        assert counts.causes[name] >= 49
    else:
        assert counts.causes[name] >= 0.95 * counts.different
        assert counts.different > 0.8 * counts.compared


def test_a_rejected_cause_explains_nothing(reference: Path) -> None:
    asked = request(reference, RAYMOND)
    rules = ComparisonRules(rejected=Cause.LOOK_AHEAD)
    rejecting = compare("legacy", "tallow", asked, rules=rules, runs=0)
    counts = rejecting.values.series()["sma_9"]
    assert counts.unexplained == counts.causes["look-ahead"] > 60
    assert rejecting.verdict.outcome == "no-go"


def test_a_judgement_counts_what_the_comparison_counts(reference: Path) -> None:
    asked = request(reference, RAYMOND)
    control, candidate = (load_engine(name).answer(asked) for name in ("legacy", "tallow"))
    judgement = judge(control, candidate, asked)
    comparison = compare("legacy", "tallow", asked, runs=0)
    total = comparison.values.total()
    assert (judgement.compared, judgement.equal) == (total.compared, total.same)
    assert (judgement.explained, judgement.unexplained) == (total.differing, 0)
    assert judgement.causes == dict(total.causes)
    assert judgement.flips == comparison.values.flipped


def test_what_the_old_system_stored_is_a_control(reference: Path) -> None:
    stored = str(reference / "data" / "legacy_5m_goapi_RAYMOND_20250718.csv")
    comparison = compare(stored, "legacy", request(reference, RAYMOND), runs=1)
    assert comparison.values.rows == (75, 0, 0)
    criteria = {each.name: each.result for each in comparison.verdict.criteria}
    assert (criteria["time"], criteria["memory"]) == ("open", "open")
    for name in ("sma_9", "vwap", "close"):
        assert comparison.values.series()[name].same == 75, name
