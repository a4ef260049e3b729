"""Goal: our talib preset gives the values that TA-Lib's own regression test expects.

Method: `FUNCTIONS` says of every function in that test which indicator of ours it is, or why it is
none; a test fails where a function is missing. The expected values were printed, mostly truncated,
with as few as one decimal, so they are compared within 0.01; tests/oracles/test_talib_library.py
compares with the library itself at full precision.
Source: TA-Lib's regression set, BSD-3.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracles.reading import candles, records
from tests.running import outputs

PRINTED = 0.01

NOT_BUILT = "no such indicator is built"
METASTOCK = "all of its vectors have Metastock's seeds, which are no preset of ours"

FUNCTIONS: dict[str, str | dict[str, str]] = {
    # Spec with TA-Lib's parameter names in braces; then our output per output of TA-Lib's.
    "ADX": {"spec": "adx({timeperiod})", "real": "adx"},
    "ATR": {"spec": "atr({timeperiod})", "real": "atr"},
    "BBANDS": {
        "spec": "bollinger({timeperiod}, {nbdevup})",
        "upperband": "upper",
        "middleband": "middle",
        "lowerband": "lower",
    },
    "DX": {"spec": "dx({timeperiod})", "real": "dx"},
    "MACD": {
        "spec": "macd({fastperiod}, {slowperiod}, {signalperiod})",
        "macd": "macd",
        "macdsignal": "signal",
    },
    "MA_EMA": {"spec": "ema({timeperiod})", "real": "ema"},
    "MA_SMA": {"spec": "sma({timeperiod})", "real": "sma"},
    "MA_WMA": {"spec": "wma({timeperiod})", "real": "wma"},
    "MA_TRIMA": {"spec": "trima({timeperiod})", "real": "trima"},
    "MINUS_DI": {"spec": "adx({timeperiod})", "real": "minus_di"},
    "NATR": {"spec": "natr({timeperiod})", "real": "natr"},
    "PLUS_DI": {"spec": "adx({timeperiod})", "real": "plus_di"},
    "RSI": {"spec": "rsi({timeperiod})", "real": "rsi"},
    "STDDEV": {"spec": "stddev({timeperiod})", "real": "stddev"},
    "STOCH": {
        "spec": "stoch({fastk_period}, {slowk_period}, {slowd_period})",
        "slowk": "k",
        "slowd": "d",
    },
    "TRANGE": {"spec": "true_range", "real": "true_range"},
    "ADXR": NOT_BUILT,
    "CCI": NOT_BUILT,
    "CMO": NOT_BUILT,
    "MA_DEMA": METASTOCK,
    "MA_KAMA": NOT_BUILT,
    "MA_MAMA": NOT_BUILT,
    "MA_T3": NOT_BUILT,
    "MA_TEMA": METASTOCK,
    "MINUS_DM": NOT_BUILT,
    "PLUS_DM": NOT_BUILT,
    "ULTOSC": NOT_BUILT,
    "WILLR": NOT_BUILT,
}
BUILT = [name for name, ours in FUNCTIONS.items() if not isinstance(ours, str)]


def why_not(row: dict[str, str]) -> str | None:
    """Return why a vector of a built function is not compared; None where it is."""
    if row["compatibility"] != "DEFAULT":
        return "Metastock's seeds are no preset of ours"
    if "matype=EMA" in row["params"]:
        return "our bands have a simple mean in the middle"
    if row["function"] in {"PLUS_DI", "MINUS_DI"} and row["params"] == "timeperiod=1":
        return "our directional indicators start at a length of 2"
    if "fastperiod=26;slowperiod=12" in row["params"]:
        return "TA-Lib swaps the two lengths; we refuse them"
    return None


@pytest.fixture(scope="module")
def vectors(reference: Path) -> list[dict[str, str]]:
    return records(reference / "oracles" / "talib" / "ref252_expected.csv")


def test_every_function_is_accounted_for(vectors: list[dict[str, str]]) -> None:
    assert {row["function"] for row in vectors} == set(FUNCTIONS)
    built = [row for row in vectors if row["function"] in BUILT]
    compared = [row for row in built if why_not(row) is None]
    # 235 in all. The number is a tripwire: a change of the reasons shows here.
    assert (len(vectors), len(built), len(compared)) == (235, 173, 90)


@pytest.mark.parametrize("function", BUILT)
def test_vectors(reference: Path, vectors: list[dict[str, str]], function: str) -> None:
    given = candles(records(reference / "oracles" / "talib" / "ref252_ohlcv.csv"))
    table = FUNCTIONS[function]
    assert isinstance(table, dict)
    rows = [row for row in vectors if row["function"] == function and why_not(row) is None]
    assert rows
    for row in rows:
        parameters = dict(pair.split("=") for pair in row["params"].split(";") if pair)
        column = outputs(table["spec"].format(**parameters), given, "talib")[table[row["output"]]]
        # The vectors of a deviation are some multiple of it.
        value = column[int(row["bar_index"])] * float(parameters.get("nbdev", 1.0))
        assert value == pytest.approx(float(row["expected"]), rel=0.0, abs=PRINTED), row
