"""The words of the language: functions, operators and how tight they bind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tallow.core.screen_words import BAR_FUNCTIONS, RESERVED, VALUE_FUNCTIONS
from tallow.screens.nodes import CROSS_SECTIONS, RELATIONS

OR, AND, NOT, REPEAT, RELATION, SUM, PRODUCT, NEGATIVE, OFFSET, ATOM = range(1, 11)
"""How tight operators bind, from loose to tight."""

LEVELS: Mapping[str, int] = MappingProxyType(
    {
        "or": OR,
        "and": AND,
        "within": REPEAT,
        "for": REPEAT,
        **dict.fromkeys((*RELATIONS, "crosses"), RELATION),
        "+": SUM,
        "-": SUM,
        "*": PRODUCT,
        "/": PRODUCT,
    }
)
"""By the sign or the word that stands between operands, or behind one."""

FUNCTIONS = (*BAR_FUNCTIONS, *VALUE_FUNCTIONS, *CROSS_SECTIONS)

WORDS = RESERVED | frozenset(FUNCTIONS)
"""What a saved screen cannot be called."""

OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "=>": "write >=",
        "=<": "write <=",
        "<>": "write !=",
        "#": "leave the remark out",
        "&": "write and",
        "|": "write or",
        "!": "write not",
        "%": "write a part of one: 2 % is 0.02",
        "^": "write x * x",
        "\u2265": "write >=",
        "\u2264": "write <=",
        "\u2260": "write !=",
        ".": "leave out a prefix such as ta.",
        "?": "write two conditions with and, or",
        ",": "write and between conditions, and 20000 for 20,000",
        ";": "write and between conditions",
        "{": "of a tree in JSON: read it by tallow.screens.json_form.from_json",
    }
)
"""What others write, and what is written here."""

OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "crossover": "write x crosses above y",
        "crossunder": "write x crosses below y",
        "crossed": "write x crosses above y",
        "true": "a comparison is true by itself: write close > open",
        "false": "a comparison is false by itself: write not close > open",
        **dict.fromkeys(
            ("na", "nan", "null", "none"), "what is not known is neither true nor false"
        ),
        "ta": "leave out the prefix: ema(20) for ta.ema(20)",
    }
)
