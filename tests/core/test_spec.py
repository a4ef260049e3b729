"""Goal: the text of indicators means one thing: what it computes, and which columns it makes.

Method: texts with the columns and the full text written out beside them; every mistake with the
message that answers it; and any text at all, which must be read or refused, never crash.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.core.errors import ParameterError, SpecError, TallowError
from tallow.core.limits import INDICATORS_MAX
from tallow.core.registry import registry
from tallow.core.spec import parse_specs
from tallow.core.spec_text import quote


def columns(text, convention="tradingview"):
    return [name for spec in parse_specs(text, convention) for name in spec.columns]


def test_the_default_set_is_that_of_the_old_system():
    assert sorted(columns("default")) == sorted(
        [
            "sma_9",
            "bb_upper_20_2",
            "bb_middle_20_2",
            "bb_lower_20_2",
            "bb_width_20_2",
            "bb_width_percent_20_2",
            "vwap",
            "ema_5",
            "ema_9",
            "ema_50",
            "atr_14",
            "rsi_14",
        ]
    )


SPECS = {
    "ema(9)": ("ema(length=9)", "ema_9"),
    "ema": ("ema(length=9)", "ema_9"),
    "EMA ( length = 9 )": ("ema(length=9)", "ema_9"),
    "ema(9.0)": ("ema(length=9)", "ema_9"),
    "rsi(length=14)": ("rsi(length=14, flat=100.0)", "rsi_14"),
    "rsi(14, flat=50)": ("rsi(length=14, flat=50.0)", "rsi_14_50"),
    "vwap": ("vwap(anchor=session, source=hlc3)", "vwap"),
    "vwap(week)": ("vwap(anchor=week, source=hlc3)", "vwap_week"),
    "vwap('month', source=close)": ("vwap(anchor=month, source=close)", "vwap_month_close"),
    "true_range": ("true_range()", "true_range"),
    "true_range()": ("true_range()", "true_range"),
    "supertrend(7, .5)": (
        "supertrend(length=7, multiplier=0.5, first_range=high_low, first_trend=down)",
        "supertrend_7_0p5 supertrend_direction_7_0p5",
    ),
    "bollinger(20, 2.5)[upper]": ("bollinger(length=20, multiplier=2.5)", "bb_upper_20_2p5"),
    "bollinger(20, 2.50) [ lower , upper ]": (
        "bollinger(length=20, multiplier=2.5)",
        "bb_lower_20_2p5 bb_upper_20_2p5",
    ),
}


@pytest.mark.parametrize("text", SPECS)
def test_one_spec(text):
    (spec,) = parse_specs(text)
    assert (spec.text, " ".join(spec.columns)) == SPECS[text]


@pytest.mark.parametrize("key", ["A B", "A'B", 'A"B', "A\"B'C", "''", '""', "\"'\"', (x)["])
def test_a_key_of_any_signs_is_written_and_read(key):
    """One of both kinds of quotes has its own kind twice."""
    (spec,) = parse_specs(f"security(close, {quote(key)})")
    assert dict(spec.values)["instrument"] == key
    assert parse_specs(spec.text) == (spec,)
    assert parse_specs("security(close, 'it''s')") == parse_specs('security(close, "it\'s")')


def test_the_full_text_is_read_as_the_same():
    for indicator in registry().by_name:
        (spec,) = parse_specs(indicator)
        assert parse_specs(spec.text) == (spec,)


def test_every_column_is_a_name_in_an_expression():
    texts = [f"bollinger(20, {m})" for m in ("2", "2.5", "0.001", "99.99", "1e-3", "1e2")]
    names = columns(texts) + columns(list(registry().by_name), "talib")
    assert all(name.isidentifier() for name in names), names


def test_several_ways_to_name_several():
    wanted = ["ema_9", "bb_upper_20_2", "bb_lower_20_2", "rsi_14"]
    assert columns("ema(9), bollinger(20, 2)[upper, lower],rsi(14),") == wanted
    assert columns(["ema(9)", "bollinger(20, 2)[upper, lower]", "rsi(14)"]) == wanted
    assert columns(("ema(9), bollinger(20, 2)[upper, lower]", "rsi(14)")) == wanted
    assert columns(parse_specs("ema(9), bollinger(20, 2)[upper, lower], rsi(14)")) == wanted
    assert columns("") == columns([]) == columns(" , ") == []


def test_what_is_asked_for_twice_is_there_once():
    assert columns("ema(9), ema(length=9), EMA, default")[:2] == ["ema_9", "sma_9"]
    assert len(columns("default, default")) == 12
    assert len(parse_specs(["ema(9)"] * 3)) == 1


def test_a_convention_sets_what_is_not_given():
    assert parse_specs("atr(14)", "talib")[0].text == "atr(length=14, first_range=none)"
    (given_anyway,) = parse_specs("atr(14, first_range=high_low)", "talib")
    assert given_anyway.text == parse_specs("atr(14)")[0].text
    # A column says what is not the convention's own.
    assert columns("atr(14)", "talib") == ["atr_14"]
    assert columns("atr(14, first_range=high_low)", "talib") == ["atr_14_high_low"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("emma(9)", r"indicator: 'emma'; unknown; did you mean ema"),
        ("bolinger", r"unknown; did you mean bollinger\?"),
        ("xyzzy", r"indicator: 'xyzzy'; unknown; known: accbands, accdist, ad"),
        ("ema(9", r"indicator: 'ema\(9'; must read like ema\(9\), rsi\(length=14\)"),
        ("ema 9", r"must read like"),
        ("ema(9)(3)", r"must read like"),
        ("9", r"must read like"),
        ("ema(9)]", r"must read like"),
        ("ema(1, 2)", r"ema: 2 values; takes at most 1: length"),
        ("true_range(1)", r"true_range: 1 value; takes at most 0: none"),
        ("ema(len=9)", r"ema: len; unknown; did you mean length\?"),
        ("ema(9, length=9)", r"ema: length=9; given twice"),
        ("ema(length=9, length=8)", r"ema\(length=9, length=8\): length=8; given twice"),
        ("rsi(length=9, 50)", r"50; must stand before the named parameters"),
        ("ema(0)", r"ema: length=0; must be 1\.\.5000"),
        ("rsi(1)", r"rsi: length=1; must be 2\.\.5000"),
        ("ema(2.5)", r"ema: length=2\.5; must be a whole number"),
        ("ema(nan)", r"ema: length=nan; must be 1\.\.5000"),
        ("ema(1e999)", r"must be 1\.\.5000"),
        (f"ema({'9' * 5000})", r"must be 1\.\.5000"),
        ("vwap(sesion)", r"vwap: anchor=sesion; must be one of session, week, month"),
        ("macd(26, 12)", r"macd: fast_length"),
        ("bollinger[uper]", r"bollinger\[uper\]: output 'uper'; unknown; did you mean upper"),
        ("highest(20)", "indicator: 'highest'; is a function of screens, and no indicator; ask"),
        ("ema(breadth(close > 3), 5)", "indicator: 'breadth'; is a function of screens"),
        ("cs_rank(rsi(14), in=NIFTY500)", "in=NIFTY500; names a population, as screens do alone"),
        ([9], r"indicators: 9; must be text such as ema\(9\), or a list of it"),
        (None, r"indicators: None; must be text"),
        ([None], r"indicators: None; must be text"),
        (" ".join(["ema,"] * (INDICATORS_MAX + 1)), rf"{INDICATORS_MAX + 1} given; at most"),
    ],
)  # fmt: skip
def test_mistakes_are_told(text, message):
    with pytest.raises((SpecError, ParameterError), match=message):
        parse_specs(text)


def test_conventions_that_do_not_exist():
    with pytest.raises(SpecError, match=r"convention: 'ta-lib'; unknown; did you mean talib\?"):
        parse_specs("ema", "ta-lib")


def test_numbers_of_numpy_are_numbers():
    whole: Any = np.int64(9)
    yes: Any = np.bool_(True)
    ema, bollinger = registry().find("ema"), registry().find("bollinger")
    assert ema.values((whole,), {}) == ema.values((9,), {}) == {"length": 9}
    values = bollinger.values((whole, np.float64(2.5)), {})
    assert values == {"length": 9, "multiplier": 2.5}
    assert [type(value) for value in values.values()] == [int, float]
    with pytest.raises(ParameterError):
        ema.values((yes,), {})


@given(st.text(alphabet="ema(9),[]upr= .-'\"\n%default" + "é", max_size=30))
def test_any_text_is_read_or_refused(text):
    for given_text in (text, [text]):
        try:
            parse_specs(given_text)
        except TallowError as error:
            assert str(error)  # noqa: PT017 - most texts are refused, and some are not


@given(st.text(max_size=30), st.text(max_size=5))
def test_any_text_in_the_brackets_is_read_or_refused(inner, output):
    try:
        parse_specs(f"bollinger({inner})[{output}]")
    except TallowError as error:
        assert str(error)  # noqa: PT017
