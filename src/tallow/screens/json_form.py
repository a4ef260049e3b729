"""A tree as JSON and back. A number is a number; every other node is an object.

``{"value": "rsi(14)", "timeframe": "1h"}`` is a leaf; all others have an operator, and what it is
of: ``{"op": ">", "of": [{"value": "close"}, 3]}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tallow.core.errors import ScreenError, TallowError, excerpt, near_matches
from tallow.core.limits import SCREEN_DEPTH_MAX, SCREEN_JSON_CHARACTERS_MAX, SCREEN_TERMS_MAX
from tallow.core.operator import COLUMNS
from tallow.core.registry import registry
from tallow.core.spec import check_convention, parse_specs
from tallow.core.spec_text import NAME
from tallow.screens.nodes import (
    COMBINATIONS,
    CROSS_SECTIONS,
    OVER_BARS,
    Combination,
    Constant,
    CrossSection,
    Leaf,
    Node,
    OverBars,
)
from tallow.screens.reasons import why_no_value

_OPERATORS = (*COMBINATIONS, *OVER_BARS, *CROSS_SECTIONS)


def to_json(tree: Node) -> Any:
    """Return a tree as `json.dumps` takes it: numbers, texts, lists and dictionaries.

    Examples
    --------
    >>> from tallow.screens.parser import parse_screen
    >>> to_json(parse_screen("close[1] > 3"))
    {'op': '>', 'of': [{'op': 'offset', 'of': {'value': 'close'}, 'bars': 1}, 3.0]}
    """
    match tree:
        case Constant(value=value):
            return value
        case Leaf(timeframe=timeframe, is_forming=is_forming):
            said = {"value": tree.text, "timeframe": timeframe, "forming": is_forming or None}
            return {name: each for name, each in said.items() if each is not None}
        case OverBars(operator=operator, operand=operand, bars=bars):
            return {"op": operator, "of": to_json(operand), "bars": bars}
        case CrossSection(operator=operator, operand=operand, population=population):
            said_in = {} if population is None else {"in": population}
            return {"op": operator, "of": to_json(operand), **said_in}
    return {"op": tree.operator, "of": [to_json(each) for each in tree.operands]}


def from_json(value: object, convention: str = "tradingview") -> Node:
    """Read a tree from JSON: from its text, or from what `json.loads` made of it.

    Raises
    ------
    ScreenError
        Naming where, as in ``of[1].bars``, what is there, and the rule. A key that is not known is
        an error, and the limits are those of texts.
    """
    try:
        check_convention(convention)
        return _Reading(convention).node(_loaded(value), "", 1)
    except ScreenError:
        raise
    except TallowError as error:
        raise ScreenError(str(error)) from error


def _loaded(value: object) -> object:
    if not isinstance(value, str):
        return value
    if len(value) > SCREEN_JSON_CHARACTERS_MAX:
        raise ScreenError(
            f"screen: {len(value):,} characters of JSON; at most {SCREEN_JSON_CHARACTERS_MAX:,}"
        )
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        # A JSON text may be nested deeper than the library follows, or hold a number too long.
        why = error if isinstance(error, ValueError) else "its brackets lie too deep in each other"
        raise ScreenError(f"screen: is no JSON: {why}; correct it") from error


class _Reading:
    """A tree on its way from JSON: its nodes are counted as they are met."""

    def __init__(self, convention: str) -> None:
        self.convention = convention
        self.count = 0

    def node(self, value: object, path: str, depth: int) -> Node:
        self.count += 1
        if depth > SCREEN_DEPTH_MAX or self.count > SCREEN_TERMS_MAX:
            raise _error(
                path,
                f"at most {SCREEN_DEPTH_MAX} nodes in each other and {SCREEN_TERMS_MAX} in all; "
                "ask in several screens",
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _checked(path, lambda: _constant(value))
        if not isinstance(value, Mapping):
            raise _error(path, f"{excerpt(value)}; must be a number or an object with op or value")
        if "value" in value:
            return self._leaf(value, path)
        return self._operator(value, path, depth)

    def _leaf(self, value: Mapping[str, object], path: str) -> Node:
        _refuse_others(value, ("value", "timeframe", "forming"), path)
        text, forming = value["value"], value.get("forming", False)
        timeframe = value.get("timeframe")
        if not isinstance(text, str):
            raise _error(f"{path}.value", f"{excerpt(text)}; must be text, such as ema(20)")
        if not isinstance(timeframe, str | None):
            raise _error(f"{path}.timeframe", f"{excerpt(timeframe)}; must be text, such as 1h")
        if not isinstance(forming, bool):
            raise _error(f"{path}.forming", f"{excerpt(forming)}; must be true or false")

        def leaf() -> Leaf:
            if text.lower() in COLUMNS:
                return Leaf(text.lower(), timeframe, forming)
            if NAME.fullmatch(text) and registry().get(text) is None:
                raise ScreenError(why_no_value(text))
            specs = parse_specs(text, self.convention)
            if len(specs) != 1:
                raise ScreenError(f"{excerpt(text)}; must be one indicator, such as ema(20)")
            return Leaf(specs[0], timeframe, forming)

        return _checked(path, leaf)

    def _operator(self, value: Mapping[str, object], path: str, depth: int) -> Node:
        operator = value.get("op")
        if not isinstance(operator, str) or operator not in _OPERATORS:
            hint = near_matches(str(operator), _OPERATORS) if isinstance(operator, str) else ""
            raise _error(f"{path}.op", f"{excerpt(operator)}; must be an operator; {hint}")
        extra = {**dict.fromkeys(OVER_BARS, ("bars",)), **dict.fromkeys(CROSS_SECTIONS, ("in",))}
        _refuse_others(value, ("op", "of", *extra.get(operator, ())), path)
        of = value.get("of")
        if operator in COMBINATIONS:
            if not isinstance(of, list | tuple):
                raise _error(f"{path}.of", f"{excerpt(of)}; must be a list of operands")
            operands = [
                self.node(each, f"{path}.of[{number}]", depth + 1) for number, each in enumerate(of)
            ]
            return _checked(path, lambda: Combination(operator, tuple(operands)))
        operand = self.node(of, f"{path}.of", depth + 1)
        if operator in OVER_BARS:
            bars: Any = value.get("bars")
            return _checked(path, lambda: OverBars(operator, operand, bars))
        population: Any = value.get("in")
        return _checked(path, lambda: CrossSection(operator, operand, population))


def _constant(value: float) -> Node:
    """Return a number; a negative one is what the text has for it."""
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    return Combination("negative", (Constant(-number),)) if number < 0 else Constant(number)


def _refuse_others(value: Mapping[str, object], known: tuple[str, ...], path: str) -> None:
    for name in value:
        if name not in known:
            hint = near_matches(str(name), known)
            raise _error(f"{path}.{name}", f"unknown; {hint}")


def _checked(path: str, make: Callable[[], Node]) -> Node:
    try:
        return make()
    except TallowError as error:
        raise _error(path, str(error)) from error


def _error(path: str, why: str) -> ScreenError:
    where = excerpt(path.removeprefix("."))[1:-1] if path else "the whole"
    return ScreenError(f"screen in JSON, {where}: {why}")
