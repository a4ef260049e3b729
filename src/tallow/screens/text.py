"""A tree as text: one form for equal trees, which is read back as the same tree."""

from __future__ import annotations

import re

from tallow.screens.nodes import Combination, Constant, CrossSection, Leaf, Node, OverBars
from tallow.screens.words import ATOM, LEVELS, NEGATIVE, NOT, OFFSET, RELATION, REPEAT

FORMING = "forming "
"""Stands before a value of the bar that is still open."""

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def text_of(tree: Node) -> str:
    """Return the text of a tree, with every parameter of its indicators and no spare parentheses.

    Examples
    --------
    >>> from tallow.screens.parser import parse_screen
    >>> text_of(parse_screen("(close>EMA(20)) AND not (volume)[1] > 1e3"))
    'close > ema(length=20) and not volume[1] > 1000'
    """
    return _written(tree)[0]


def _written(node: Node) -> tuple[str, int]:
    """Return the text of a node, and how tight it binds."""
    match node:
        case Constant(value=value):
            return repr(value).removesuffix(".0"), ATOM
        case Leaf():
            return _leaf(node)
        case CrossSection(operator=operator, operand=operand, population=population):
            return f"{operator}({text_of(operand)}{_population(population)})", ATOM
        case OverBars():
            return _over_bars(node)
    return _combination(node)


def _leaf(leaf: Leaf) -> tuple[str, int]:
    text = leaf.text if leaf.timeframe is None else f"{leaf.text}@{leaf.timeframe}"
    return (f"{FORMING}{text}", OFFSET) if leaf.is_forming else (text, ATOM)


def _population(name: str | None) -> str:
    if name is None:
        return ""
    return f", in={name}" if _BARE.fullmatch(name) else f', in="{name}"'


def _over_bars(node: OverBars) -> tuple[str, int]:
    if node.operator == "offset":
        return f"{_inside(node.operand, ATOM)}[{node.bars}]", OFFSET
    if node.operator in {"within", "for"}:
        bars = "bar" if node.bars == 1 else "bars"
        return f"{_inside(node.operand, REPEAT + 1)} {node.operator} {node.bars} {bars}", REPEAT
    return f"{node.operator}({text_of(node.operand)}, {node.bars})", ATOM


def _combination(node: Combination) -> tuple[str, int]:
    operator, operands = node.operator, node.operands
    if operator == "negative":
        return f"-{_inside(operands[0], NEGATIVE)}", NEGATIVE
    if operator == "not":
        return f"not {_inside(operands[0], NOT)}", NOT
    level = LEVELS.get(operator, RELATION if operator.startswith("crosses") else ATOM)
    if level == ATOM:
        return f"{operator}({', '.join(map(text_of, operands))})", ATOM
    # Comparisons do not chain; the others go from left to right.
    first = _inside(operands[0], level + (level == RELATION))
    rest = (_inside(each, level + 1) for each in operands[1:])
    return f" {operator} ".join([first, *rest]), level


def _inside(node: Node, level: int) -> str:
    """Return a node's text as an operand of what binds at a level: in parentheses if looser."""
    text, own = _written(node)
    return text if own >= level else f"({text})"
