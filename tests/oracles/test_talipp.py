"""Goal: our values are those that talipp's own tests expect, to their five places.

Method: `INDICATORS` says of every indicator of talipp's which of ours it is, or why it is none; a
test fails where one is missing. Where talipp seeds otherwise, the difference is stated, and what is
left of it compared at the same five places.
Source: nardew/talipp, MIT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallow.core.arrays import Floats
from tallow.core.operator import Convention
from tallow.testing.histories import Rows
from tests.oracles.reading import candles, records
from tests.running import outputs

FIVE_PLACES = 1.0e-5
"""The values are printed truncated, not rounded, so up to one unit of the last place is lost."""

NOT_BUILT = "no such indicator is built"


def by_its_own_range(column: Floats, rows: Rows) -> Floats:
    """Declared difference: talipp's mean range of the directional indicators has a first row.

    Ours starts, as Wilder's, with the first row that has a close before it. The means of the
    movements are the same, so exchanging the range turns our value into talipp's.
    """
    ours = outputs("atr(14, none)", rows)["atr"]
    return column * ours / outputs("atr(14)", rows)["atr"]


@dataclass(frozen=True)
class Ours:
    """A spec, and our output per field; `adjust` exchanges what talipp declares otherwise."""

    spec: str
    fields: Mapping[str, str]
    convention: Convention = "tradingview"
    adjust: Mapping[str, Callable[[Floats, Rows], Floats]] = field(default_factory=dict)


def single(spec: str, output: str, convention: Convention = "tradingview") -> list[Ours]:
    return [Ours(spec, {"value": output}, convention)]


CHANNEL = {"lb": "lower", "cb": "middle", "ub": "upper"}
DIRECTIONS = {"plus_di": by_its_own_range, "minus_di": by_its_own_range}

BUILT: dict[str, list[Ours]] = {
    "AccuDist": single("ad", "ad"),
    "ADX": [Ours("adx(14)", {n: n for n in ("adx", "plus_di", "minus_di")}, adjust=DIRECTIONS)],
    "Aroon": [Ours("aroon(10)", {"up": "up", "down": "down"})],
    "ATR": single("atr(5)", "atr"),
    "BB": [Ours("bollinger(5, 2)", CHANNEL)],
    "CHOP": single("choppiness(14)", "choppiness"),
    "ChaikinOsc": single("adosc(5, 7)", "adosc"),
    "DEMA": single("dema(20)", "dema"),
    "DonchianChannels": [Ours("donchian(5)", CHANNEL)],
    "EMA": single("ema(20)", "ema"),
    "ForceIndex": single("efi(20)", "efi"),
    "HMA": single("hma(20)", "hma"),
    # Its upper and lower multipliers differ: two channels of ours, each for one band.
    "KeltnerChannels": [
        Ours("keltner(10, 2, 10)", {"ub": "upper", "cb": "middle"}),
        Ours("keltner(10, 3, 10)", {"lb": "lower"}),
    ],
    "MACD": [Ours("macd(12, 26, 9)", {n: n for n in ("macd", "signal", "histogram")})],
    "MassIndex": single("mass(9, 10)", "mass"),
    "NATR": single("natr(5)", "natr"),
    # It starts with the first volume, as TA-Lib does.
    "OBV": single("obv", "obv", "talib"),
    "ROC": single("roc(20)", "roc"),
    "RSI": single("rsi(20)", "rsi"),
    "SMA": single("sma(20)", "sma"),
    "SMMA": single("rma(20)", "rma"),
    "StdDev": single("stddev(20)", "stddev"),
    "Stoch": [Ours("stoch(14, 1, 3)", {"k": "k", "d": "d"})],
    "TTM": [Ours("ttm_squeeze(20, 2, 2)", {"histogram": "momentum"})],
    "TEMA": single("tema(10)", "tema"),
    "SuperTrend": [Ours("supertrend(10, 3)", {"value": "line", "trend": "direction"})],
    # It never starts anew: one session.
    "VWAP": single("vwap", "vwap"),
    "VTX": [Ours("vortex(14)", {"plus_vtx": "plus", "minus_vtx": "minus"})],
    "VWMA": single("vwma(20)", "vwma"),
    "WMA": single("wma(20)", "wma"),
}
OTHERS = """ALMA AO BOP CCI ChandeKrollStop CoppockCurve DPO EMV IBS KAMA KST McGinleyDynamic
MeanDev RogersSatchell SFX SOBV STC StochRSI T3 TRIX TSI UO Williams"""
INDICATORS: dict[str, list[Ours] | str] = (
    BUILT
    | dict.fromkeys(OTHERS.split(), NOT_BUILT)
    | {"ParabolicSAR": "shows trend, extreme and acceleration, too, which are no outputs of ours"}
    | {"KVO": "its averages begin with other forces, and fifty rows are too few to forget them"}
    | {"ZLEMA": "its lag is half the length; ours, TA-Lib's and Wickra's of length - 1"}
)

TRENDS = {"Trend.UP": 1.0, "Trend.DOWN": -1.0}


@pytest.fixture(scope="module")
def expected(reference: Path) -> list[dict[str, str]]:
    return records(reference / "oracles" / "talipp" / "expected.csv")


def test_every_indicator_and_field_is_accounted_for(expected: list[dict[str, str]]) -> None:
    assert {row["indicator"] for row in expected} == set(INDICATORS)
    for name, parts in BUILT.items():
        theirs = {row["field"] for row in expected if row["indicator"] == name}
        assert theirs == {field for ours in parts for field in ours.fields}, name


@pytest.mark.parametrize("name", BUILT)
def test_last_values(reference: Path, expected: list[dict[str, str]], name: str) -> None:
    given = candles(records(reference / "oracles" / "talipp" / "ohlcv50.csv"))
    for ours in BUILT[name]:
        columns = outputs(ours.spec, given, ours.convention)
        rows = [r for r in expected if r["indicator"] == name and r["field"] in ours.fields]
        assert rows
        for row in rows:
            column = columns[ours.fields[row["field"]]]
            if row["field"] in ours.adjust:
                column = ours.adjust[row["field"]](column, given)
            theirs = TRENDS.get(row["expected"]) or float(row["expected"])
            value = column[int(row["output_index"])]
            assert value == pytest.approx(theirs, rel=0.0, abs=FIVE_PLACES), row
