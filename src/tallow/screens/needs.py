"""What must be computed before trees can be judged: columns, indicators, and how far back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tallow.core.spec import Spec
from tallow.screens.nodes import (
    CROSSINGS,
    CrossSection,
    Leaf,
    Node,
    OverBars,
    all_nodes,
    operands_of,
)
from tallow.screens.timeframes import timeframe_of


@dataclass(frozen=True)
class TimeframeNeeds:
    """What trees look at in the bars of one timeframe.

    Attributes
    ----------
    timeframe
        None for the base timeframe of the screen.
    columns, specs
        Columns of the candles, and indicators of one output each.
    bars
        How many closed bars before the newest one are looked at, at a moment; what the indicators
        themselves look back on is not among them. Of the members of a population it is the bars of
        these times, of which one may have more than the instrument that is judged.
    base_bars
        At how many base bars before the one that is judged they are looked at so.
    has_forming
        Whether the bar that is still open is looked at.
    """

    timeframe: str | None
    columns: tuple[str, ...] = ()
    specs: tuple[Spec, ...] = ()
    bars: int = 0
    base_bars: int = 0
    has_forming: bool = False

    def with_leaf(self, leaf: Leaf, bars: int, base_bars: int) -> TimeframeNeeds:
        """Return this with a leaf, which is looked at so many bars back."""
        source = leaf.source
        columns, specs = self.columns, self.specs
        if isinstance(source, str):
            columns = tuple(dict.fromkeys((*columns, source)))
        else:
            specs = tuple(dict.fromkeys((*specs, source)))
        return replace(
            self,
            columns=columns,
            specs=specs,
            bars=max(self.bars, bars),
            base_bars=max(self.base_bars, base_bars),
            has_forming=self.has_forming or leaf.is_forming,
        )


def leaves(*trees: Node, base: str | None = None) -> Mapping[str | None, TimeframeNeeds]:
    """Return what trees need, by timeframe; None is the base timeframe, which `base` names.

    Examples
    --------
    >>> from tallow.screens.parser import parse_screen
    >>> needs = leaves(parse_screen("close > highest(high, 20)[1] and rsi(14)@1h[2] < 30"))
    >>> [(name, each.columns, each.bars) for name, each in needs.items()]
    [(None, ('close', 'high'), 20), ('1h', (), 2)]
    """
    found: dict[str | None, TimeframeNeeds] = {}
    for tree in trees:
        _add(found, tree, None, 0, 0, base)
    return found


def population_names(*trees: Node) -> set[str | None]:
    """Return the populations that trees name; None among them stands for all instruments."""
    nodes = (node for tree in trees for node in all_nodes(tree))
    return {node.population for node in nodes if isinstance(node, CrossSection)}


def _add(
    found: dict[str | None, TimeframeNeeds],
    node: Node,
    counted: str | None,
    bars: int,
    base_bars: int,
    base: str | None,
) -> None:
    """Add what a node needs which is looked at so many bars back of the timeframe `counted`."""
    own = timeframe_of(node, base)
    if counted is None and own is not None:
        counted, bars, base_bars = own, 0, bars
    if isinstance(node, Leaf):
        timeframe = None if node.timeframe == base else node.timeframe
        back = (0, bars) if node.is_forming else (bars, bars if counted is None else base_bars)
        needs = found.get(timeframe, TimeframeNeeds(timeframe))
        found[timeframe] = needs.with_leaf(node, *back)
    for operand in operands_of(node):
        _add(found, operand, counted, bars + bars_back(node), base_bars, base)


def bars_back(node: Node) -> int:
    """Return how many bars before a bar an operator looks at."""
    if isinstance(node, OverBars):
        is_window = node.operator in {"highest", "lowest", "within", "for"}
        return node.bars - is_window
    is_crossing = not isinstance(node, Leaf) and getattr(node, "operator", "") in CROSSINGS
    return int(is_crossing)
