"""Goal: a source and a chain are said in one way or another, and mean one thing; what is wrong in
one is told where it is, with what to give instead.

Method: texts with the full text and the columns beside them; each mistake with its message; and
texts made to take long, in depth and in breadth, whose signs may each be looked at so often.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.core import spec_text
from tallow.core.errors import TallowError
from tallow.core.limits import CHAIN_MAX, TEXT_CHARACTERS_MAX
from tallow.core.spec import Spec, parse_specs

RSI = "rsi(length=14, flat=100.0)"
BANDS = "bollinger(length=20, multiplier=2.0)"

SPECS = {
    "sma(20, source=hl2)": ("sma(length=20, source=hl2())", "sma_20_of_hl2"),
    "sma(hl2, 20)": ("sma(length=20, source=hl2())", "sma_20_of_hl2"),
    "ema(rsi(14), 9)": (f"ema(length=9, source={RSI})", "ema_9_of_rsi_14"),
    "ema(9, source = RSI ( 14 ) )": (f"ema(length=9, source={RSI})", "ema_9_of_rsi_14"),
    "ema(rsi, length=9)": (f"ema(length=9, source={RSI})", "ema_9_of_rsi_14"),
    "sma(bollinger(20, 2)[upper], 5)": (
        f"sma(length=5, source={BANDS}[upper])",
        "sma_5_of_bb_upper_20_2",
    ),
    "bb(rsi(14), 20, 2)[lower]": (
        f"bollinger(length=20, multiplier=2.0, source={RSI})",
        "bb_lower_20_2_of_rsi_14",
    ),
    "sma(ema(rsi(14), 9), 5)": (
        f"sma(length=5, source=ema(length=9, source={RSI}))",
        "sma_5_of_ema_9_of_rsi_14",
    ),
    "sma(volume, 20)": ("sma(length=20, source=volume)", "sma_20_of_volume"),
    "volume_sma(Close, 3)": ("volume_sma(length=3, source=close)", "volume_sma_3_of_close"),
    "vwap(session, close)": ("vwap(anchor=session, source=close)", "vwap_close"),
}
OWN = ("ema(close, 9)", "ema(9, source=close)", "ema('close', length=9)", "ema(source=CLOSE)")
"""The same as ema(9)."""


@pytest.mark.parametrize("text", SPECS)
def test_one_source(text):
    (spec,) = parse_specs(text)
    assert (spec.text, " ".join(spec.columns)) == SPECS[text]
    (again,) = parse_specs(spec.text)
    assert (again.text, again.source) == (spec.text, spec.source)


@pytest.mark.parametrize("text", OWN)
def test_its_own_input_is_no_source(text):
    assert parse_specs(text) == parse_specs("ema(9)")


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("bb(20, 2)", "bollinger(20, 2)"),
        ("bbands", "bollinger"),
        ("KC", "keltner"),
        ("stdev(close, 5)", "stddev(5)"),
        ("macd(close, 12, 26, 9)", "macd(12, 26, 9)"),
    ],
)
def test_other_names_and_orders_mean_the_same(alias, name):
    assert parse_specs(alias) == parse_specs(name)


def test_a_convention_is_that_of_the_whole_chain():
    (spec,) = parse_specs("sma(atr(14), 5)", "talib")
    assert spec.text == "sma(length=5, source=atr(length=14, first_range=none))"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ema(rssi(14), 9)", "indicator: 'rssi'; unknown; did you mean rsi"),
        ("ema(clse, 9)", "ema(clse, 9): source 'clse'; unknown; did you mean close"),
        ("ema(9, source=hl22)", "source 'hl22'; unknown; did you mean hl2"),
        ("ema(9, source=3)", "source '3'; unknown; did you mean t3?"),
        ("ema(rsi_14, 9)", "'rsi_14'; an indicator is written with brackets; give rsi(14)"),
        ("ema(rsi(0), 9)", "rsi: length=0; must be 2..5000"),
        ("ema(rsi(14)[x], 9)", "rsi(14)[x]: output 'x'; unknown; known: rsi"),
        ("ema(rsi(14, 9)", "'ema(rsi(14, 9)'; must read like"),
        ("ema(rsi(14]), 9)", "'ema(rsi(14]), 9)'; must read like"),
        ("ema((rsi), 9)", "'(rsi)'; must read like"),
        ("ema(default, 9)", "source 'default'; unknown"),
        (
            "sma(bb(20, 2)[upper, lower], 5)",
            "source 'bb(20, 2)[upper, lower]'; has several outputs: upper, lower; choose one",
        ),
        ("sma(macd, 5)", "source 'macd'; has several outputs: macd, signal, histogram; choose one"),
        ("ema(hl2, 9, source=close)", "source=close; given twice"),
        ("ema(9, hl2)", "hl2; a source stands first, or by name: source=hl2"),
        ("ema(9, rsi(14))", "rsi(14); a source stands first, or by name: source=rsi(14)"),
        ("ema(length=rsi(14))", "ema: length=rsi(14); must be 1..5000"),
        ("atr(14, source=hl2)", "atr: hl2; takes high, low, close of every row"),
        ("obv(close)", "obv: close; takes close, volume of every row, and no other source"),
        ("stoch(close, high, low, 14)", "stoch: close; takes high, low, close of every row"),
        ("stoch(close, high, low, 14)", "and no other source; give stoch(14)"),
        ("atr(close, 14)", "give atr(14)"),
        ("kc(close, 20, 1.5)", "give keltner(20, 1.5, source=close)"),
        ("vwap(hlc3)", "give vwap(source=hlc3)"),
        ("ta.ema(close, 9)", "leave out ta.: ema(close, 9)"),
        ("ta.ema(ta.rsi(close, 14), 9)", "leave out ta.: ema(rsi(close, 14), 9)"),
        ("supertrend(3, 10)", "give supertrend(10, 3), or both by name: length=3, multiplier=10"),
        ("supertrend(2.5, 10)", "give supertrend(10, 2.5)"),
    ],
)  # fmt: skip
def test_mistakes_are_told(text, message):
    with pytest.raises(TallowError, match=re.escape(message)):
        parse_specs(text)


def test_whoever_means_a_short_supertrend_says_so_by_name():
    (spec,) = parse_specs("supertrend(length=3, multiplier=10)[line]")
    assert spec.columns == ("supertrend_3_10",)


def chain(count: int) -> str:
    return "ema(" * count + "close" + ", 3)" * count


def test_a_chain_has_an_end():
    (spec,) = parse_specs(chain(CHAIN_MAX))
    assert spec.text.count("ema(") == CHAIN_MAX
    with pytest.raises(TallowError, match=rf"is number 9 of a chain; at most {CHAIN_MAX}"):
        parse_specs(chain(CHAIN_MAX + 1))


HOSTILE = {
    "deep": "ema(" * 16_000,
    "deep and closed": "a(" * 20_000 + ")" * 20_000,
    "deep and crossed": "a([" * 12_000 + ")]" * 12_000,
    "wide": "ema(" + "rsi(14)," * 8_000 + ")",
    "wide and deep": chain(CHAIN_MAX).replace("close", "x" * 60_000),
    "many names": "ema(" + "a=1," * 16_000 + ")",
    "prefixes": "ta." * 20_000,
    "commas": "ema(" + "," * 60_000 + ")",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_each_sign_is_looked_at_so_many_times(kind, monkeypatch):
    """Counted in the signs that passes go over, of which each place in a chain has a few."""
    seen = 0

    class Counted(NamedTuple):
        signs: re.Pattern[str]

        def finditer(self, given: str) -> Any:
            nonlocal seen
            seen += len(given)
            return self.signs.finditer(given)

    for name in ("_SIGNS", "BRACKETS"):
        monkeypatch.setattr(spec_text, name, Counted(getattr(spec_text, name)))
    text = HOSTILE[kind]
    assert len(text) <= TEXT_CHARACTERS_MAX
    with suppress(TallowError):
        parse_specs(text)
    assert 0 < seen <= 4 * CHAIN_MAX * len(text)


@pytest.mark.parametrize(
    "key",
    ["Nifty (50)", "a,b", "a)b", "x]y[", "NSE_EQ|ema(9)", "close", "ema", "'q", 'the "q"', "007"],
)
def test_a_text_in_quotes_is_taken_as_it_is(key):
    """Brackets, commas, other quotes and digits in it are the instrument's."""
    mark = "'" if '"' in key else '"'
    for text in (f"security({mark}{key}{mark})", f"security(close, instrument={mark}{key}{mark})"):
        (spec,) = parse_specs(text)
        assert dict(spec.values) == {"instrument": key}
        assert parse_specs(f"ema(9), {spec.text}")[1] == spec
    (outer,) = parse_specs(f"ema(security(rsi(3), {mark}{key}{mark}), 2)")
    assert isinstance(outer.source, Spec)
    assert dict(outer.source.values) == {"instrument": key}


@given(st.text(alphabet="emarsi(9),[]upr=. close%hl2\n", max_size=60))
def test_any_text_is_read_or_refused(text):
    for given_text in (text, f"ema({text})", f"ema(source={text})"):
        try:
            parse_specs(given_text)
        except TallowError as error:
            assert str(error)  # noqa: PT017 - most texts are refused, and some are not
