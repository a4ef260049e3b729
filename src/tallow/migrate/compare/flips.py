"""Decisions that a trader takes from the series, and where they differ between the two sides.

Each rule gives a decision per bar, +1, -1 or 0 for none:

=========================  ===============================================================
close x average            the close crosses a moving average, up or down
fast x slow average        averages of one kind, of neighbouring lengths, cross
squeeze                    a band's width is the least of the last 20 bars
rsi above 70, below 30     overbought or oversold, in every such bar
close outside the bands    above the upper band, or below the lower one, in every such bar
=========================  ===============================================================

A crossing follows a bar on the other side of the line or on it, as in TradingView. Each side
decides by its own close and rows; without a value there is no decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats
from tallow.core.limits import COMPARE_FLIPS
from tallow.core.operator import MEANS
from tallow.core.spec import Spec, parse_specs
from tallow.migrate.compare.pairing import InstrumentRows

AVERAGES = ("sma", "ema", "wma", "rma")
COUNTS = ("control", "candidate", "same", "flipped", "unexplained")
"""The numbers of `DecisionCounts`."""

SQUEEZE_BARS = 20
OVERBOUGHT, OVERSOLD = 70.0, 30.0

Decisions = Codes
SeriesDifference = tuple[Flags, Flags]
"""Rows in which a series differs in any bit, and those of them without an accepted cause."""


@dataclass(frozen=True)
class DecisionRule:
    """A rule: the series it reads, the words for its decisions, and the bars it looks back."""

    name: str
    series: tuple[str, ...]
    decide: Callable[..., Decisions]
    up: str
    down: str
    looks_back: int = 0

    def word(self, decision: int) -> str:
        """Return a decision in words."""
        return self.up if decision > 0 else self.down if decision < 0 else "none"


@dataclass(frozen=True)
class Flip:
    """A bar in which the two sides decide differently."""

    instrument: str
    timestamp: int
    control: str
    candidate: str


@dataclass
class DecisionCounts:
    """The decisions of one rule, added up over instruments."""

    rule: DecisionRule
    control: int = 0
    candidate: int = 0
    """Decisions of each side."""
    same: int = 0
    """Bars in which both take the same one."""
    flipped: int = 0
    """Bars in which they differ: in the decision, or because only one side takes any."""
    unexplained: int = 0
    """Flips that no accepted cause explains: a value that the rule reads differs without one, or
    none differs."""
    first: list[Flip] = field(default_factory=list)
    """The first flips."""

    def add(self, other: DecisionCounts) -> None:
        """Add other counts of the same rule."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first = [*self.first, *other.first][:COMPARE_FLIPS]


def list_rules(indicators: str, compared: Iterable[str]) -> tuple[DecisionRule, ...]:
    """Return the rules whose series are all compared."""
    names = set(compared)
    rules = [rule for spec in parse_specs(indicators) for rule in _rules_of(spec)]
    rules += _average_rules(parse_specs(indicators))
    return tuple(rule for rule in rules if names.issuperset(rule.series))


def decide(rule: DecisionRule, rows: InstrumentRows) -> tuple[Decisions, Decisions]:
    """Return both sides' decisions, shape (rows,), int8."""
    sides = []
    for answer, inside in ((rows.control, rows.in_control), (rows.candidate, rows.in_candidate)):
        spread = np.zeros(len(inside), dtype=np.int8)
        # Each side looks back over its own rows: one that only the other side has is no bar of it.
        spread[inside] = rule.decide(*(answer.values(rows.instrument, s) for s in rule.series))
        sides.append(spread)
    return sides[0], sides[1]


def add_decisions(
    total: DecisionCounts, rows: InstrumentRows, differences: Mapping[str, SeriesDifference]
) -> None:
    """Count an instrument's decisions, and keep the first flips; `differences` by series."""
    left, right = decide(total.rule, rows)
    total.control += int(np.count_nonzero(left))
    total.candidate += int(np.count_nonzero(right))
    total.same += int(np.count_nonzero((left == right) & (left != 0)))
    flips = np.flatnonzero(left != right)
    total.flipped += len(flips)
    total.unexplained += int(np.count_nonzero(_unexplained(total.rule, differences)[flips]))
    word = total.rule.word
    total.first += [
        Flip(rows.instrument, int(rows.timestamp[at]), word(int(left[at])), word(int(right[at])))
        for at in flips[: COMPARE_FLIPS - len(total.first)]
    ]


def _unexplained(rule: DecisionRule, differences: Mapping[str, SeriesDifference]) -> Flags:
    """Return for each bar whether a flip in it has no accepted cause."""
    differs, is_unexplained = (
        np.logical_or.reduce([_spread_forward(rule.looks_back, rows) for rows in masks])
        for masks in zip(*(differences[name] for name in rule.series), strict=True)
    )
    return np.asarray(is_unexplained | ~differs)


def _spread_forward(bars: int, rows: Flags) -> Flags:
    """Return for each row whether it, or one of so many before it, is marked."""
    spread = rows.copy()
    for back in range(1, min(bars, len(rows) - 1) + 1):
        spread[back:] |= rows[:-back]
    return spread


def _rules_of(spec: Spec) -> list[DecisionRule]:
    columns = dict(zip(spec.outputs, spec.columns, strict=True))
    name = spec.indicator.name
    if name in (*AVERAGES, "vwap") and _is_of_prices(spec):
        column = columns[name]
        return [_crossing_rule(f"close x {column}", ("close", column))]
    if name == "rsi":
        column = columns["rsi"]
        return [DecisionRule(f"{column} 70/30", (column,), _extreme, "overbought", "oversold")]
    if name == "bollinger":
        return _band_rules(columns, _is_of_prices(spec))
    return []


def _is_of_prices(spec: Spec) -> bool:
    """Say whether values are near the close, so that it may cross them."""
    if isinstance(spec.source, Spec):
        return spec.source.indicator.name in MEANS
    return spec.source != "volume"


def _band_rules(columns: dict[str, str], of_prices: bool) -> list[DecisionRule]:
    rules = []
    if of_prices and {"upper", "lower"} <= columns.keys():
        series = ("close", columns["upper"], columns["lower"])
        name = f"close outside {series[1]}"
        rules.append(DecisionRule(name, series, _outside, "overbought", "oversold"))
    if "width" in columns:
        width = columns["width"]
        rules.append(
            DecisionRule(f"squeeze of {width}", (width,), _squeeze, "squeeze", "", SQUEEZE_BARS - 1)
        )
    return rules


def _average_rules(specs: Sequence[Spec]) -> list[DecisionRule]:
    rules = []
    for name in AVERAGES:
        lengths = {
            float(dict(spec.values)["length"]): spec.columns[0]
            for spec in specs
            if spec.indicator.name == name and spec.source is None
        }
        for fast, slow in pairwise(sorted(lengths)):
            pair = (lengths[fast], lengths[slow])
            rules.append(_crossing_rule(" x ".join(pair), pair))
    return rules


def _crossing_rule(name: str, series: tuple[str, str]) -> DecisionRule:
    return DecisionRule(name, series, _cross, "up", "down", 1)


def _cross(line: Floats, other: Floats) -> Decisions:
    found = np.zeros(len(line), dtype=np.int8)
    above = line - other
    found[1:][(above[:-1] <= 0.0) & (above[1:] > 0.0)] = 1
    found[1:][(above[:-1] >= 0.0) & (above[1:] < 0.0)] = -1
    return found


def _extreme(values: Floats) -> Decisions:
    return (values > OVERBOUGHT).astype(np.int8) - (values < OVERSOLD).astype(np.int8)


def _outside(close: Floats, upper: Floats, lower: Floats) -> Decisions:
    return (close > upper).astype(np.int8) - (close < lower).astype(np.int8)


def _squeeze(width: Floats) -> Decisions:
    found = np.zeros(len(width), dtype=np.int8)
    if len(width) >= SQUEEZE_BARS:
        # A window with a missing value has no minimum: the comparison with NaN is False.
        least = np.lib.stride_tricks.sliding_window_view(width, SQUEEZE_BARS).min(axis=1)
        found[SQUEEZE_BARS - 1 :] = width[SQUEEZE_BARS - 1 :] <= least
    return found
