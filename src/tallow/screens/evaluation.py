"""What trees answer for each base bar of panels.

A node is computed on the bars of its own timeframe, and then carried to the base bars: to each the
value of the last bar that was closed when the base bar was. So nothing of a tree sees a later bar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats, Ints, Times
from tallow.core.errors import ScreenError, excerpt, near_matches
from tallow.core.time import END_OF_TIME
from tallow.core.timeframe import parse_timeframe
from tallow.screens.cross_section import CROSS_SECTIONS, Sections, breadth, sections_of
from tallow.screens.nodes import (
    CONDITION,
    CROSSINGS,
    NUMBER,
    Combination,
    Constant,
    CrossSection,
    Leaf,
    Node,
    NodeKind,
    OverBars,
    all_nodes,
)
from tallow.screens.panels import Panel, PanelRows, latest
from tallow.screens.series import COMBINED, MATCHED, NOT, OVER_BARS, UNKNOWN, Values, crossing
from tallow.screens.text import text_of
from tallow.screens.timeframes import timeframe_of

Population = Flags | Ints | Callable[[Panel], Flags | Ints]
"""Of each row of the base panel: whether it is a member, or the number of its group, negative for
none; or a function that says so of the panel."""


@dataclass(frozen=True, eq=False)
class Matches:
    """What a condition is on each base bar.

    Attributes
    ----------
    states
        int8 ``[rows of the base panel]``: 0 not, 1 unknown, 2 matched. A row that is not final is
        not judged, and unknown.
    is_final
        bool ``[rows]``: which rows were judged.
    """

    states: Codes
    is_final: Flags

    @property
    def matched(self) -> Flags:
        """Which rows match."""
        is_matched: Flags = self.states == MATCHED
        return is_matched

    @property
    def counts(self) -> dict[str, int]:
        """How many of the judged rows are ``matched``, ``not`` and ``unknown``."""
        judged = np.bincount(self.states[self.is_final], minlength=3)
        return {
            "matched": int(judged[MATCHED]),
            "not": int(judged[NOT]),
            "unknown": int(judged[UNKNOWN]),
        }


class Evaluation:
    """Panels of bars, of which trees are asked; what trees have in common is computed once.

    Parameters
    ----------
    panels
        The bars by timeframe, as `leaves` says what they need.
    base
        The timeframe whose bars are judged.
    populations
        Those that trees name, as arrays over the rows of the base panel, or functions of it; that
        of None is meant where none is named, by default all instruments.

    Raises
    ------
    ScreenError
        If there is no panel of a timeframe, no column, no population of a name.
    """

    def __init__(
        self,
        panels: Mapping[str, Panel],
        base: str,
        populations: Mapping[str | None, Population] | None = None,
    ) -> None:
        self.base = parse_timeframe(base).text
        self._panels = {parse_timeframe(name).text: panel for name, panel in panels.items()}
        self._populations = populations or {}
        self._rows = self._panel(None).closed
        self._known: dict[tuple[object, str | None], Values] = {}
        self._trees: list[Node] = []
        self._newest: dict[str, Ints] = {}
        self._sections: dict[str | None, Sections] = {}

    def condition(self, tree: Node) -> Matches:
        """Return what a condition is on each base bar."""
        self._keep(tree, CONDITION)
        panel = self._panel(None)
        found = np.broadcast_to(self._of_base(tree), self._rows.rows.shape)
        states = np.full(len(panel.opens), UNKNOWN, np.int8)
        states[self._rows.rows] = found
        return Matches(states, panel.is_final)

    def number(self, tree: Node) -> Floats:
        """Return a number on each base bar: float64 ``[rows of the base panel]``, NaN unknown."""
        self._keep(tree, NUMBER)
        values = np.full(len(self._panel(None).opens), np.nan)
        values[self._rows.rows] = self._of_base(tree)
        return values

    def why_unknown(self, tree: Node, among: Flags | None = None) -> dict[str, int]:
        """Return for how many unknown rows of a condition each leaf has no value, by its text.

        `among` are the rows of the base panel that count; all by default.

        That is at the bar itself: in its warm-up, in a gap, or where its timeframe has no bar. A
        row may count for several leaves; one that counts for none is unknown by bars before it, or
        by a division by zero.
        """
        self._keep(tree, CONDITION)
        unknown = np.broadcast_to(self._of_base(tree), self._rows.rows.shape) == UNKNOWN
        if among is not None:
            unknown = unknown & self._rows.of_rows(among)
        found: dict[str, int] = {}
        for leaf in dict.fromkeys(node for node in all_nodes(tree) if isinstance(node, Leaf)):
            count = int(np.count_nonzero(unknown & np.isnan(self._of_base(leaf))))
            found |= {text_of(leaf): count} if count else {}
        return found

    def _keep(self, tree: Node, kind: NodeKind) -> None:
        """Keep a tree, so that the identity of its nodes is theirs as long as values are known."""
        if tree.kind != kind:
            raise ScreenError(f"{text_of(tree)}: is a {tree.kind}; a {kind} is asked for here")
        self._trees.append(tree)

    # Timeframes

    def _panel(self, timeframe: str | None) -> Panel:
        name = timeframe or self.base
        if name not in self._panels:
            there = ", ".join(self._panels) or "none"
            raise ScreenError(f"panels: {name}: no bars of this timeframe; there are: {there}")
        return self._panels[name]

    def _closed(self, timeframe: str | None) -> PanelRows:
        return self._panel(timeframe).closed

    def _newest_closed(self, timeframe: str) -> Ints:
        """Return which row of a timeframe is the last one closed at each base bar's end."""
        if timeframe not in self._newest:
            rows = self._closed(timeframe)
            self._newest[timeframe] = latest(rows, rows.ends, self._rows, self._rows.ends)
        return self._newest[timeframe]

    def _carried(self, values: Values, newest: Ints) -> Values:
        """Return the values of chosen rows; unknown where none is chosen."""
        unknown = np.nan if values.dtype == np.float64 else np.int8(UNKNOWN)
        if not values.ndim or not len(values):
            return np.append(values, unknown)[newest]
        found = values[newest]
        found[newest < 0] = unknown
        return found

    # Nodes

    def _of_base(self, node: Node) -> Values:
        """Return a node's values on the closed base bars."""
        with np.errstate(all="ignore"):
            return self._values(node, None)

    def _values(self, node: Node, counted: str | None) -> Values:
        """Return a node's values on the closed bars of a timeframe; None is the base's."""
        # To compare whole trees at each node would take longer than to compute most of them.
        key = (_identity(node), counted)
        if key not in self._known:
            self._known[key] = self._computed(node, counted)
        return self._known[key]

    def _computed(self, node: Node, counted: str | None) -> Values:
        own = timeframe_of(node, self.base)
        if counted is None and own is not None:
            return self._carried(self._values(node, own), self._newest_closed(own))
        match node:
            case Constant(value=value):
                return np.float64(value)
            case Leaf(is_forming=True):
                return self._forming(node)
            case Leaf():
                return self._closed(counted).column(node.column)
            case OverBars(operator=operator, operand=operand, bars=bars):
                numbers = self._closed(counted).numbers
                return OVER_BARS[operator](self._values(operand, counted), numbers, bars)
            case CrossSection():
                return self._cross_section(node)
        return self._combination(node, counted)

    def _combination(self, node: Combination, counted: str | None) -> Values:
        operands = [self._values(operand, counted) for operand in node.operands]
        if node.operator in CROSSINGS:
            rows, (left, right) = self._closed(counted), operands
            return crossing(node.operator, left, right, rows.follows, rows.numbers)
        return COMBINED[node.operator](*operands)

    def _forming(self, leaf: Leaf) -> Floats:
        """Return a value of the bar that is open at each base bar's end, as it was seen then."""
        timeframe = cast("str", leaf.timeframe)
        rows = self._panel(timeframe).still_open
        at, ends = self._rows, self._rows.ends
        newest = latest(rows, self._seen(rows), at, ends)
        opens, until = np.append(rows.opens, END_OF_TIME), np.append(rows.ends, -END_OF_TIME)
        is_open = (opens[newest] <= ends) & (ends < until[newest])
        values: Floats = self._carried(rows.column(leaf.column), np.where(is_open, newest, -1))
        return values

    def _seen(self, rows: PanelRows) -> Times:
        """Return from when each open row is known: by default, from the newest base bar's end."""
        if rows.panel.seen is not None:
            return rows.of_rows(rows.panel.seen)
        base = self._rows
        starts, stops = base.offsets[:-1], base.offsets[1:]
        last = {
            name: base.ends[stop - 1]
            for name, start, stop in zip(base.panel.names, starts, stops, strict=True)
            if stop > start
        }
        # Of an instrument without base bars, nobody asks.
        never = min(last.values(), default=0)
        newest: Times = np.array([last.get(name, never) for name in rows.panel.names], np.int64)
        return newest[rows.codes]

    # Populations

    def _cross_section(self, node: CrossSection) -> Floats:
        values = self._values(node.operand, None)
        values = np.broadcast_to(values, self._rows.rows.shape)
        sections = self._sections_of(node.population)
        if node.operator == "breadth":
            return breadth(values, sections)
        return CROSS_SECTIONS[node.operator](values, sections)

    def _sections_of(self, name: str | None) -> Sections:
        if name not in self._sections:
            is_all = name is None and None not in self._populations
            members = None if is_all else self._members(name)
            self._sections[name] = sections_of(self._rows.opens, members)
        return self._sections[name]

    def _members(self, name: str | None) -> Flags | Ints:
        if name not in self._populations:
            known = [each for each in self._populations if each is not None]
            hint = near_matches(str(name), known) if known else "none is given"
            raise ScreenError(f"in={excerpt(name)}: no such population; {hint}")
        given, panel = self._populations[name], self._panel(None)
        members = np.asarray(given(panel) if callable(given) else given)
        if members.shape != panel.opens.shape or members.dtype.kind not in "bi":
            raise ScreenError(
                f"in={excerpt(name)}: {members.dtype} {list(members.shape)}; must be bool or whole "
                f"numbers, one for each row of the base panel, {len(panel.opens):,}"
            )
        return self._rows.of_rows(members)


def _identity(node: Node) -> object:
    return (node.column, node.timeframe, node.is_forming) if isinstance(node, Leaf) else id(node)
