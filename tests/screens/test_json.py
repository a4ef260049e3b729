"""Goal: a tree goes through JSON and back as it is, and JSON that is no tree is refused in words.

Method: random trees through `json.dumps` and back; a tree written by hand; each wrong object with
the words of its message; values that JSON can have and a tree cannot.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallow.core.errors import ScreenError
from tallow.core.limits import SCREEN_DEPTH_MAX, SCREEN_JSON_CHARACTERS_MAX
from tallow.screens.json_form import from_json, to_json
from tallow.screens.parser import parse_screen
from tests.screens.trees import trees


@given(trees)
def test_a_tree_goes_through_json(tree):
    value = to_json(tree)
    text = json.dumps(value, allow_nan=False)
    assert from_json(value) == from_json(text) == tree
    assert json.loads(text) == value


def test_a_tree_by_hand_is_that_of_its_text():
    by_hand = {
        "op": "and",
        "of": [
            {"op": ">", "of": [{"value": "CLOSE"}, {"value": "ema(20)", "timeframe": "60m"}]},
            {"op": "within", "bars": 3, "of": {"op": "rising", "of": {"value": "rsi"}, "bars": 2}},
            {"op": "<=", "of": [-2, {"op": "cs_rank", "of": {"value": "low"}, "in": "sector"}]},
            {"op": "==", "of": [{"value": "high", "timeframe": "1d", "forming": True}, 1.5]},
        ],
    }
    text = (
        "close > ema(20)@1h and rising(rsi(14), 2) within 3 bars and -2 <= cs_rank(low, in=sector) "
        "and forming high@1d == 1.5"
    )
    assert from_json(by_hand) == parse_screen(text)


CLOSE: Any = {"value": "close"}
WRONG: list[tuple[Any, str]] = [
    ("close", "is no JSON"),
    ("[" * 100_000, "its brackets lie too deep"),
    ("9" * 5_000, "is no JSON"),
    (" " * (SCREEN_JSON_CHARACTERS_MAX + 1), "characters of JSON; at most"),
    (None, "the whole: None; must be a number or an object with op or value"),
    ([CLOSE], "must be a number or an object"),
    (True, "True; must be a number or an object"),
    (float("nan"), "number: nan; must be finite"),
    (10**400, "number: inf; must be finite"),
    ({}, "op: None; must be an operator"),
    ({"op": "rising"}, "of: None; must be a number or an object"),
    ({"op": "risng", "of": CLOSE}, "'risng'; must be an operator; did you mean rising"),
    ({"op": "abs", "of": [CLOSE], "bar": 1}, "bar: unknown; known: of, op"),
    ({"op": "rising", "of": CLOSE}, "rising: bars=None; must be a whole number 1..5000"),
    ({"op": "rising", "of": CLOSE, "bars": True}, "bars=True; must be a whole number"),
    ({"op": "rising", "of": CLOSE, "bars": 2.0}, "bars=2.0; must be a whole number"),
    ({"op": "offset", "of": CLOSE, "bars": -1}, "bars=-1; must be a whole number 1..5000"),
    ({"op": "offset", "of": CLOSE, "bars": 0}, "bars=0; must be a whole number 1..5000"),
    (
        {"op": "and", "of": [CLOSE, CLOSE]},
        "and: takes a condition, such as close > 3; got a number",
    ),
    ({"op": "and", "of": []}, "and: 0 operands; must be 2 or more"),
    ({"op": ">", "of": CLOSE}, "must be a list of operands"),
    ({"op": ">", "of": [CLOSE]}, ">: 1 operand; must be 2"),
    ({"op": ">", "of": [CLOSE, {"op": "abs", "of": [{"value": "ema(x)"}]}]}, "of[1].of[0]: "),
    ({"value": "clos"}, "did you mean close"),
    ({"value": "ema(3), ema(4)"}, "must be one indicator, such as ema(20)"),
    ({"value": "ema_20"}, "an indicator is written with brackets; write ema(20)"),
    ({"value": "close > 1"}, "must read like ema(9)"),
    ({"value": 3}, "value: 3; must be text"),
    ({"value": "close", "timeframe": "1x"}, "timeframe: '1x'; must be"),
    ({"value": "close", "timeframe": 60}, "timeframe: 60; must be text"),
    ({"value": "close", "forming": 1}, "forming: 1; must be true or false"),
    ({"value": "close", "forming": True}, "forming close: no timeframe"),
    ({"value": "close", "output": "x"}, "output: unknown; known: forming, timeframe, value"),
    ({"op": "cs_rank", "of": CLOSE, "in": 3}, "in=3; must be a name"),
    ({"op": "cs_rank", "of": CLOSE, "in": 'a"b'}, "none of them a quotation mark"),
]


@pytest.mark.parametrize(("value", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_is_no_tree_is_refused_in_words(value, words):
    with pytest.raises(ScreenError) as caught:
        from_json(value)
    assert words in str(caught.value)


def test_limits_are_those_of_texts():
    value: Any = CLOSE
    for _ in range(SCREEN_DEPTH_MAX - 1):
        value = {"op": "abs", "of": [value]}
    assert from_json(value).depth == SCREEN_DEPTH_MAX
    with pytest.raises(ScreenError, match="at most 50 nodes in each other and 500 in all"):
        from_json({"op": "abs", "of": [value]})
    assert from_json({"op": "max", "of": [CLOSE] * 499}).size == 500
    with pytest.raises(ScreenError, match="at most 50 nodes in each other and 500 in all"):
        from_json({"op": "max", "of": [CLOSE] * 500})
    endless: Any = {"op": "abs", "of": []}
    endless["of"] = [endless]
    with pytest.raises(ScreenError, match="at most 50 nodes"):
        from_json(endless)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["close", "and", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "of", "bars", "in", "value", "timeframe", "forming", "x"]),
            inner | st.sampled_from(["abs", "rising", "and", ">", "cs_rank"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(plain)
def test_any_value_is_a_tree_or_an_error(value):
    try:
        tree = from_json(value)
    except ScreenError:
        return
    assert from_json(to_json(tree)) == tree
