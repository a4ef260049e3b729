"""The tree of a screen: four kinds of nodes, each a number or a condition of every bar.

A node refuses operands that it cannot take, and a tree that is beyond the limits, whoever makes it:
the parser, the reader of JSON, or a program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from tallow.core.errors import ScreenError, excerpt, near_matches
from tallow.core.limits import (
    NAME_CHARACTERS_MAX,
    SCREEN_BARS_MAX,
    SCREEN_DEPTH_MAX,
    SCREEN_TERMS_MAX,
)
from tallow.core.operator import COLUMNS
from tallow.core.spec import Spec
from tallow.core.text import counted
from tallow.core.timeframe import parse_timeframe

NodeKind = Literal["number", "condition"]
Timeframes = frozenset[str | None]
"""Whose bars the values of a node are of; None is the base's."""

NUMBER: NodeKind = "number"
CONDITION: NodeKind = "condition"

Node: TypeAlias = "Constant | Leaf | Combination | OverBars | CrossSection"


class Signature(NamedTuple):
    """What an operator takes and gives; `gives` is None where it gives what its operand is."""

    takes: NodeKind | None
    gives: NodeKind | None
    least: int = 1
    most: int = 1


RELATIONS = ("<=", ">=", "==", "!=", "<", ">")
CROSSINGS = ("crosses above", "crosses below")
ARITHMETIC = ("+", "-", "*", "/")

COMBINATIONS: Mapping[str, Signature] = MappingProxyType(
    {
        **dict.fromkeys(ARITHMETIC, Signature(NUMBER, NUMBER, 2, 2)),
        **dict.fromkeys(("negative", "abs"), Signature(NUMBER, NUMBER)),
        **dict.fromkeys(("min", "max"), Signature(NUMBER, NUMBER, 2, SCREEN_TERMS_MAX)),
        "between": Signature(NUMBER, CONDITION, 3, 3),
        **dict.fromkeys((*RELATIONS, *CROSSINGS), Signature(NUMBER, CONDITION, 2, 2)),
        "not": Signature(CONDITION, CONDITION),
        **dict.fromkeys(("and", "or"), Signature(CONDITION, CONDITION, 2, SCREEN_TERMS_MAX)),
    }
)
"""Operators of values of one bar; a crossing looks at the bar before, too."""

OVER_BARS: Mapping[str, Signature] = MappingProxyType(
    {
        "offset": Signature(None, None),
        **dict.fromkeys(("rising", "falling"), Signature(NUMBER, CONDITION)),
        **dict.fromkeys(("highest", "lowest", "change"), Signature(NUMBER, NUMBER)),
        **dict.fromkeys(("within", "for"), Signature(CONDITION, CONDITION)),
    }
)
"""Operators over a number of bars of one instrument."""

CROSS_SECTIONS: Mapping[str, Signature] = MappingProxyType(
    {
        **dict.fromkeys(("cs_rank", "cs_pct_rank", "cs_zscore"), Signature(NUMBER, NUMBER)),
        "breadth": Signature(CONDITION, NUMBER),
    }
)
"""Operators over the instruments of a population at one time."""

EXAMPLES: Mapping[NodeKind | None, str] = MappingProxyType(
    {
        NUMBER: "a number, such as close",
        CONDITION: "a condition, such as close > 3",
    }
)

POPULATION = re.compile(r"[^\"'\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Constant:
    """A number from the text: finite, not negative (a minus is an operator)."""

    value: float
    kind: NodeKind = field(default=NUMBER, init=False, repr=False, compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)
    size: int = field(default=1, init=False, repr=False, compare=False)
    timeframes: Timeframes = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise ScreenError(f"number: {self.value}; must be finite, and a minus an operator")
        object.__setattr__(self, "value", float(self.value) + 0.0)


@dataclass(frozen=True)
class Leaf:
    """A value of the bars: a column (`COLUMNS`) or a spec with one output.

    `timeframe` is None for the base timeframe of the screen. `is_forming`: of the bar of this
    timeframe that is still open.
    """

    source: Spec | str
    timeframe: str | None = None
    is_forming: bool = False
    kind: NodeKind = field(default=NUMBER, init=False, repr=False, compare=False)
    depth: int = field(default=1, init=False, repr=False, compare=False)
    size: int = field(default=1, init=False, repr=False, compare=False)
    timeframes: Timeframes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.source, str):
            if self.source not in COLUMNS:
                hint = near_matches(self.source, COLUMNS)
                raise ScreenError(f"column: {excerpt(self.source)}; unknown; {hint}")
        elif len(self.source.outputs) != 1:
            raise ScreenError(
                f"{self.source.text}: has several outputs: {', '.join(self.source.outputs)}; "
                "choose one, as in bollinger(20, 2)[upper]"
            )
        elif self.source.has_names:
            raise ScreenError(
                f"{self.source.output_text}: has names, which are no numbers; ask for one of them, "
                "as in cdl_hammer != 0"
            )
        if self.timeframe is not None:
            object.__setattr__(self, "timeframe", parse_timeframe(self.timeframe).text)
        elif self.is_forming:
            raise ScreenError(
                f"forming {self.text}: no timeframe; must be of a longer one than the screen's; "
                f"write forming {self.text}@1h"
            )
        counted = None if self.is_forming else self.timeframe
        object.__setattr__(self, "timeframes", frozenset({counted}))

    @property
    def column(self) -> str:
        """What the column of a panel is called that has the values."""
        return self.source if isinstance(self.source, str) else self.source.columns[0]

    @property
    def text(self) -> str:
        """The source as a screen says it, without timeframe."""
        return self.source if isinstance(self.source, str) else self.source.output_text


@dataclass(frozen=True)
class Combination:
    """An operator of `COMBINATIONS` with its operands.

    ``and`` in ``and``, and ``or`` in ``or``, are one node with all their operands.
    """

    operator: str
    operands: tuple[Node, ...]
    kind: NodeKind = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    timeframes: Timeframes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        signature = _signature(COMBINATIONS, self.operator)
        if self.operator in {"and", "or"}:
            parts = tuple(part for each in self.operands for part in _parts(self.operator, each))
            object.__setattr__(self, "operands", parts)
        count = len(self.operands)
        if not signature.least <= count <= signature.most:
            raise ScreenError(
                f"{self.operator}: {counted(count, 'operand')}; must be {_many(signature)}"
            )
        _measure(self, signature, self.operands)


@dataclass(frozen=True)
class OverBars:
    """An operator of `OVER_BARS` over a number of bars: 1..`SCREEN_BARS_MAX`."""

    operator: str
    operand: Node
    bars: int
    kind: NodeKind = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    timeframes: Timeframes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        signature = _signature(OVER_BARS, self.operator)
        if type(self.bars) is not int or not 1 <= self.bars <= SCREEN_BARS_MAX:
            raise ScreenError(
                f"{self.operator}: bars={excerpt(self.bars)}; must be a whole number "
                f"1..{SCREEN_BARS_MAX}"
            )
        _measure(self, signature, (self.operand,))


@dataclass(frozen=True)
class CrossSection:
    """An operator of `CROSS_SECTIONS` over a population; None is all instruments."""

    operator: str
    operand: Node
    population: str | None = None
    kind: NodeKind = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    timeframes: Timeframes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        signature = _signature(CROSS_SECTIONS, self.operator)
        given: object = self.population
        is_name = isinstance(given, str) and POPULATION.fullmatch(given) is not None
        if given is not None and not (is_name and len(str(given)) <= NAME_CHARACTERS_MAX):
            raise ScreenError(
                f"{self.operator}: in={excerpt(given)}; must be a name of at most "
                f"{NAME_CHARACTERS_MAX:,} characters, none of them a quotation mark"
            )
        _measure(self, signature, (self.operand,))


NODES = (Constant, Leaf, Combination, OverBars, CrossSection)


def _parts(operator: str, operand: Node) -> tuple[Node, ...]:
    is_same = isinstance(operand, Combination) and operand.operator == operator
    return operands_of(operand) if is_same else (operand,)


def _signature(known: Mapping[str, Signature], operator: str) -> Signature:
    if operator not in known:
        raise ScreenError(
            f"operator: {excerpt(operator)}; unknown; {near_matches(operator, known)}"
        )
    return known[operator]


def _many(signature: Signature) -> str:
    return (
        str(signature.least) if signature.most == signature.least else f"{signature.least} or more"
    )


def _measure(
    node: Combination | OverBars | CrossSection, signature: Signature, operands: Sequence[Node]
) -> None:
    """Set what a node is, and how deep and large the tree below it; refuse what is beyond them."""
    for operand in operands:
        if signature.takes not in {None, operand.kind}:
            raise ScreenError(
                f"{node.operator}: takes {EXAMPLES[signature.takes]}; got a {operand.kind}"
            )
    depth = 1 + max(operand.depth for operand in operands)
    size = 1 + sum(operand.size for operand in operands)
    if depth > SCREEN_DEPTH_MAX:
        raise ScreenError(
            f"{node.operator}: its operands lie {depth} deep in each other; at most "
            f"{SCREEN_DEPTH_MAX}; ask in several screens"
        )
    if size > SCREEN_TERMS_MAX:
        raise ScreenError(
            f"{node.operator}: {size} terms with those below it; at most {SCREEN_TERMS_MAX} in a "
            "screen, those of saved screens among them; ask in several screens"
        )
    object.__setattr__(node, "kind", signature.gives or operands[0].kind)
    object.__setattr__(node, "depth", depth)
    object.__setattr__(node, "size", size)
    object.__setattr__(node, "timeframes", _timeframes(node, operands))


def _timeframes(node: Node, operands: Sequence[Node]) -> Timeframes:
    if isinstance(node, CrossSection):
        return frozenset({None})
    return frozenset().union(*(operand.timeframes for operand in operands))


def operands_of(node: Node) -> tuple[Node, ...]:
    """Return the operands of a node; none of a constant or a leaf."""
    match node:
        case Combination(operands=operands):
            return operands
        case OverBars(operand=operand) | CrossSection(operand=operand):
            return (operand,)
    return ()


def all_nodes(tree: Node) -> Iterator[Node]:
    """Yield every node of a tree, operands after what they are operands of."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(operands_of(node)))
