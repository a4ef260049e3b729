"""Goal: the page on the language is true: its examples are read, and it has every word.

Method: the page's blocks are parsed; what it says of two of them is compared; words and operators
are looked for in its tables.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tallow.core import limits
from tallow.screens.json_form import from_json
from tallow.screens.nodes import COMBINATIONS, CROSS_SECTIONS, OVER_BARS
from tallow.screens.parser import parse_screen
from tallow.screens.words import WORDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "screens.md").read_text("utf-8")
BLOCKS = re.findall(r"```screen\n(.*?)```", PAGE, re.DOTALL)
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]


def test_every_example_is_read():
    assert len(LINES) >= 15
    kinds = {parse_screen(line).kind for line in LINES}
    assert kinds == {"number", "condition"}


def test_two_ways_to_write_a_screen_are_one():
    first, second, *_ = next(block for block in BLOCKS if "crosses above ema" in block).splitlines()
    assert parse_screen(first) == parse_screen(second)


def test_the_tree_in_json_is_the_screen_beside_it():
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert from_json(text) == from_json(json.loads(text)) == parse_screen(LINES[-1])


def test_every_word_and_operator_is_on_the_page():
    code = " ".join(re.findall(r"`([^`]+)`", PROSE))
    assert {word for word in WORDS if not re.search(rf"\b{word}\b", code)} <= {"bar"}
    table = PAGE[PAGE.index("| `op` | beside it |") :]
    for name in (*COMBINATIONS, *OVER_BARS, *CROSS_SECTIONS):
        assert f"`{name}`" in table, name


def test_the_limits_are_those_of_the_code():
    given = (limits.SCREEN_TERMS_MAX, limits.SCREEN_DEPTH_MAX, limits.SCREEN_BARS_MAX)
    assert given == (500, 50, 5_000)
    assert "At most 500 nodes, 50 deep in each other, offsets and windows of at most 5,000" in PAGE
