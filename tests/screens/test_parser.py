"""Goal: a text means what a reader of the grammar expects, and a tree is written so that it is read
back as the same one.

Method: pairs of texts, the second with every parenthesis that binding asks for, must be one tree;
random trees go through text and back; limits are tried at the last allowed number and at the next.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tallow.core.errors import ScreenError
from tallow.core.limits import SCREEN_BARS_MAX, SCREEN_DEPTH_MAX, SCREEN_TERMS_MAX
from tallow.screens.nodes import CONDITION, NUMBER, Combination, Constant, Leaf, OverBars
from tallow.screens.parser import parse_screen
from tallow.screens.text import text_of
from tests.screens.trees import trees

Tree = Any
"""Whose parts a test looks at without asking what kind of node each is."""

BINDING = {
    # [] is tighter than unary minus, that than * and /, those than + and -.
    "-close[1] > 0": "(-(close[1])) > 0",
    "-close * open > 0": "((-close) * open) > 0",
    "2 * -close > 0": "(2 * (-close)) > 0",
    "open + close * 2 - low / 3 > 0": "((open + (close * 2)) - (low / 3)) > 0",
    "open - close - low > 0": "((open - close) - low) > 0",
    "open / close / low > 0": "((open / close) / low) > 0",
    # Comparison and crossing are looser than sums.
    "open + 1 > close - 1": "(open + 1) > (close - 1)",
    "open + 1 crosses above close * 2": "(open + 1) crosses above (close * 2)",
    # within and for are of the comparison before them, and not of what stands before that.
    "open > 1 and close > 2 within 5 bars": "(open > 1) and ((close > 2) within 5 bars)",
    "not close > 2 for 3 bars": "not ((close > 2) for 3 bars)",
    "close crosses below 2 within 1 bar or open > 1": (
        "((close crosses below 2) within 1 bars) or (open > 1)"
    ),
    # not, and, or.
    "not close > 1 and open > 2": "(not (close > 1)) and (open > 2)",
    "close > 1 or open > 2 and low > 3": "(close > 1) or ((open > 2) and (low > 3))",
    "close > 1 and open > 2 or low > 3": "((close > 1) and (open > 2)) or (low > 3)",
    "not not close > 1": "not (not (close > 1))",
    # One node for all operands of a row of and, or of or.
    "close > 1 and (open > 2 and low > 3)": "(close > 1 and open > 2) and low > 3",
    # A timeframe behind a group or a function is that of all values in it.
    "(close > open)@1h": "close@1h > open@1h",
    "highest(high, 3)@1d[1] < close": "(highest(high@1d, 3))[1] < close",
    # Names and words in any case, other names of indicators and timeframes, the offset of nothing.
    "CLOSE > EMA(20) AND NOT Rising(Volume, 3)": "close > ema(20) and not rising(volume, 3)",
    "bb(20, 2)[upper]@60m[0] > bbands(20, 2)[lower]": (
        "bollinger(20, 2)[upper]@1h > bollinger(length=20)[lower]"
    ),
    "change(close) > ema(close, 9)": "change(close, 1) > ema(9)",
    "close>1 and(open)<2": "close > 1 and open < 2",
    "cs_rank(close, in='NIFTY500') > 1": "cs_rank(close, in=NIFTY500) > 1",
}


@pytest.mark.parametrize("text", BINDING)
def test_a_text_means_what_it_means_with_all_parentheses(text):
    assert parse_screen(text, kind=CONDITION) == parse_screen(BINDING[text], kind=CONDITION)


def test_what_differs_is_no_one_tree():
    texts = ["close > 1", "close >= 1", "close > 1.5", "close@1h > 1", "forming close@1h > 1"]
    texts += ["close[1] > 1", "(close > 1)[1]", "close > 1 within 2 bars", "close > 1 for 2 bars"]
    texts += ["cs_rank(close) > 1", "cs_rank(close, in=a) > 1", "cs_rank(close, in=b) > 1"]
    assert len({parse_screen(text) for text in texts}) == len(texts)


def test_the_tree_of_a_text():
    above: Tree = parse_screen("1.5 crosses above highest(low@1d, 7)")
    atom: Tree = parse_screen("forming vwap@1h")
    assert (above.operator, above.operands) == (
        "crosses above",
        (Constant(1.5), OverBars("highest", Leaf("low", "1d"), 7)),
    )
    assert (atom.source.text, atom.timeframe, atom.is_forming) == (
        "vwap(anchor=session, source=hlc3)",
        "1h",
        True,
    )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("(close>3)AND((open)<2)", "close > 3 and open < 2"),
        ("((close - open) - (low - 1)) > 0", "close - open - (low - 1) > 0"),
        ("-(-(close)) * -3 < 1e20", "--close * -3 < 1e+20"),
        ("(-close)[1] > (close[1])[2]", "(-close)[1] > (close[1])[2]"),
        ("(close > 1 within 2 bars) for 1 bar", "(close > 1 within 2 bars) for 1 bar"),
        ("not (close > 1 or open > 1)", "not (close > 1 or open > 1)"),
        ("breadth(close > 1, in='F&O list')>0.5", 'breadth(close > 1, in="F&O list") > 0.5'),
        ("security(close, 'A\"B''C')>1", 'security(instrument="A""B\'C") > 1'),
        ('security(close, "A) [b], c")[1]>1', 'security(instrument="A) [b], c")[1] > 1'),
        (
            "(forming close@1h)[1] > vwap@1d",
            "(forming close@1h)[1] > vwap(anchor=session, source=hlc3)@1d",
        ),
    ],
)
def test_a_tree_is_written_in_one_way(text, canonical):
    assert text_of(parse_screen(text)) == canonical
    assert parse_screen(canonical) == parse_screen(text)


@given(trees)
def test_a_written_tree_is_read_back(tree):
    text = text_of(tree)
    again = parse_screen(text, kind=tree.kind)
    assert again == tree, text
    assert text_of(again) == text


def test_the_convention_is_that_of_the_indicators():
    trees: list[Tree] = [
        parse_screen("rsi(14) > 50", convention=each) for each in ("tradingview", "talib")
    ]
    assert [tree.operands[0].source.text for tree in trees] == [
        "rsi(length=14, flat=100.0)",
        "rsi(length=14, flat=0.0)",
    ]


# Saved screens


def test_a_saved_screen_stands_for_its_condition():
    saved = {"strong": "rsi(14) > 60", "breakout": "strong and close > highest(high, 20)[1]"}
    given = parse_screen("not breakout within 3 bars and strong@1h", saved)
    meant = (
        "not ((rsi(14) > 60 and close > highest(high, 20)[1]) within 3 bars) and rsi(14)@1h > 60"
    )
    assert given == parse_screen(meant)


@pytest.mark.parametrize(
    ("saved", "parts"),
    [
        ({"a": "a"}, ["screen a, column 1: a -> a"]),
        (
            {"a": "b", "b": "not c", "c": "close > 1 or a"},
            ["screen c, column 14: a -> b -> c -> a"],
        ),
        ({"a": "close"}, ["screen a, column 1: close; is a number; a saved screen is a condition"]),
        ({"a": "close > emma(3)"}, ["screen a, column 9: 'emma'", "did you mean ema"]),
        ({"a": "close > 1", "ema": "a"}, ["saved screen 'ema': the name is", "choose another"]),
        ({"a": "close > 1", "Within": "a"}, ["saved screen 'Within': the name is"]),
        ({"a": "close > 1", "5x": "a"}, ["saved screen '5x': the name must be letters"]),
        ({"a": 3}, ["saved screen 'a': 3; must be text"]),
    ],
)
def test_what_is_wrong_with_a_saved_screen_is_said(saved, parts):
    with pytest.raises(ScreenError) as caught:
        parse_screen("a", saved)
    for part in parts:
        assert part in str(caught.value)


def test_saved_screens_that_double_are_counted_and_not_walked():
    saved = {"s0": "close > 1"} | {
        f"s{k}": f"s{k - 1} for {k} bars or s{k - 1}" for k in range(1, 40)
    }
    with pytest.raises(ScreenError, match="terms with those below it; at most 500"):
        parse_screen("s39", saved)


# Limits


@pytest.mark.parametrize("text", ["(" * 200 + "close", "not " * 200 + "close > 1", "s0"])
def test_what_is_too_deep_is_refused_before_python_is(text):
    saved = {f"s{k}": f"s{k + 1} or close > 1" for k in range(1_000)}
    with pytest.raises(
        ScreenError, match="lies more than 50 deep in operators, brackets and saved"
    ):
        parse_screen(text, saved)


def nested(depth: int) -> str:
    """Return a number's text whose tree is so deep."""
    return "abs(" * (depth - 1) + "close" + ")" * (depth - 1)


def test_the_last_allowed_is_read_and_the_next_is_refused():
    assert parse_screen(nested(SCREEN_DEPTH_MAX)).depth == SCREEN_DEPTH_MAX
    with pytest.raises(ScreenError, match=f"51 deep in each other; at most {SCREEN_DEPTH_MAX}"):
        parse_screen(nested(SCREEN_DEPTH_MAX + 1))
    sums = " + ".join(["close"] * SCREEN_DEPTH_MAX)
    assert parse_screen(sums).depth == SCREEN_DEPTH_MAX
    with pytest.raises(ScreenError, match="deep in each other"):
        parse_screen(f"{sums} + close")
    most = f"max({', '.join(['close'] * (SCREEN_TERMS_MAX - 1))})"
    assert parse_screen(most).size == SCREEN_TERMS_MAX
    with pytest.raises(ScreenError, match=f"501 terms.*at most {SCREEN_TERMS_MAX}"):
        parse_screen(most.replace("max(", "max(open, "))
    for text in ("close[{}] > 1", "close > 1 within {} bars", "rising(close, {})"):
        assert parse_screen(text.format(SCREEN_BARS_MAX)).kind == CONDITION
        with pytest.raises(ScreenError, match=f"must be a whole number [01]..{SCREEN_BARS_MAX}"):
            parse_screen(text.format(SCREEN_BARS_MAX + 1))


def test_the_deepest_tree_is_written_and_read_back():
    tree: Tree = Leaf("close")
    while tree.depth < SCREEN_DEPTH_MAX:
        # Each is an operand on the right, and needs parentheses there.
        tree = Combination("-", (Constant(1.0), tree))
    assert parse_screen(text_of(tree), kind=NUMBER) == tree
