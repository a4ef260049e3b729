"""May the candidate replace the control? Each criterion with its figure, its threshold and result.

A criterion that fails is a *no-go*. One that could not be measured stays open: the verdict says so,
and goes by the others. A series that was asked for and that nobody compared leaves the verdict
*inconclusive*. A control that does not repeat its own values can condemn a candidate, and
not acquit it: where the values that differ without cause are no more than those that the control
changes by itself, the verdict is *inconclusive*; so is it where they would pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from tallow.core.errors import ParameterError
from tallow.migrate.compare.counts import Counts
from tallow.migrate.compare.measuring import Cost

Result = Literal["pass", "fail", "open"]
Outcome = Literal["go", "no-go", "inconclusive"]

MEMORY_FLOOR_BYTES = 4 * 1024 * 1024
"""Where both sides take less than this, pages and pools decide, not the engines."""


@dataclass(frozen=True)
class Thresholds:
    """What a candidate must reach, in percent.

    Parameters
    ----------
    values
        Values that are equal or explained, at least.
    decisions
        Decisions that are the same or explained, at least.
    time, memory
        Less than the control, at least; negative where more is allowed.
    """

    values: float = 99.9
    decisions: float = 99.9
    time: float = 40.0
    memory: float = 60.0

    def __post_init__(self) -> None:
        for name, least in (("values", 0.0), ("decisions", 0.0), ("time", -1e6), ("memory", -1e6)):
            value = getattr(self, name)
            if not least <= value <= 100.0:
                raise ParameterError(f"thresholds: {name}={value}; must be {least:g}..100")


@dataclass(frozen=True)
class Criterion:
    """One criterion.

    Attributes
    ----------
    figure, threshold
        Numbers of one unit; the figure is None where it is not known.
    text
        The figure in words.
    """

    name: str
    figure: float | None
    threshold: float
    result: Result
    text: str
    rule: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Verdict:
    """The outcome, the criteria that it follows from, and what leaves it inconclusive."""

    outcome: Outcome
    criteria: tuple[Criterion, ...]
    doubt: str = ""

    @property
    def text(self) -> str:
        """The verdict in one sentence."""
        failed = [each.name for each in self.criteria if each.result == "fail"]
        open_ = [each.name for each in self.criteria if each.result == "open"]
        rest = f"; open: {', '.join(open_)}" if open_ else ""
        if failed:
            return f"no-go: {', '.join(failed)} {'fails' if len(failed) == 1 else 'fail'}{rest}"
        if self.outcome == "inconclusive":
            return f"inconclusive: {self.doubt}{rest}"
        return (
            f"go: every criterion that was measured passes{rest}"
            if rest
            else "go: every criterion passes"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        criteria = [each.to_dict() for each in self.criteria]
        return {"outcome": self.outcome, "text": self.text, "criteria": criteria}


@dataclass(frozen=True)
class Found:
    """What a comparison found, as far as its verdict goes by it.

    Attributes
    ----------
    noise
        Values in which the control differed from itself.
    decisions
        Bars with a decision of either side, and unexplained flips.
    asked, left_out
        Series that were asked for, and the names of those that nobody compared.
    errors
        Instruments that the control, and the candidate, could not answer for.
    """

    total: Counts
    noise: int = 0
    decisions: tuple[int, int] = (0, 0)
    asked: int = 0
    left_out: tuple[str, ...] = ()
    errors: tuple[int, int] = (0, 0)


def judge_by(thresholds: Thresholds, found: Found, costs: tuple[Cost, Cost]) -> Verdict:
    """Return the verdict; pairs are the control's and the candidate's."""
    criteria = (
        _values(thresholds.values, found.total, found.noise),
        _decisions(thresholds.decisions, *found.decisions),
        _series(found.asked, found.left_out),
        _less("time", thresholds.time, [cost.seconds for cost in costs], costs, seconds_text),
        _memory(thresholds.memory, costs),
        _errors(found.errors),
    )
    if any(each.result == "fail" for each in criteria):
        return Verdict("no-go", criteria)
    doubts = []
    if found.left_out:
        doubts.append(f"nobody compared {', '.join(found.left_out)}")
    if found.noise:
        doubts.append("the control does not repeat its own values")
    return Verdict("inconclusive" if doubts else "go", criteria, " and ".join(doubts))


def _decisions(threshold: float, decided: int, unexplained: int) -> Criterion:
    rule = f"at least {threshold:g} %"
    if not decided:
        text = "no decision was taken: no rule goes by these series"
        return Criterion("decisions", None, threshold, "open", text, rule)
    share = 100.0 * (decided - unexplained) / decided
    text = f"{percent_text(share)} the same or explained, {unexplained:,} flipped without a cause"
    result: Result = "pass" if share >= threshold else "fail"
    return Criterion("decisions", share, threshold, result, text, rule)


def _series(asked: int, left_out: tuple[str, ...]) -> Criterion:
    result: Result = "open" if left_out else "pass"
    text = f"{asked - len(left_out)} of {asked} compared"
    if left_out:
        text += f", not {', '.join(left_out)}; ask for what both have, or add it to the answers"
    return Criterion("series", asked - len(left_out), asked, result, text, "all that was asked for")


def _values(threshold: float, total: Counts, noise: int) -> Criterion:
    good = total.compared - total.unexplained
    share = 100.0 * good / total.compared if total.compared else 0.0
    result: Result = "pass" if share >= threshold else "fail"
    equal = percent_text(100.0 * total.same / total.compared if total.compared else 0.0)
    text = f"{percent_text(share)} equal or explained, {equal} equal"
    if noise and (result == "pass" or total.unexplained <= noise):
        result, text = "open", f"{text}, but the control differs from itself in {noise:,}"
    return Criterion("values", share, threshold, result, text, f"at least {threshold:g} %")


def _memory(threshold: float, costs: tuple[Cost, Cost]) -> Criterion:
    figures = [cost.memory_bytes for cost in costs]
    if all(figure is not None and figure < MEMORY_FLOOR_BYTES for figure in figures):
        shown = [bytes_text(figure) for figure in figures if figure is not None]
        text = f"{shown[1]} against {shown[0]}: too little to compare; give more candles"
        return Criterion("memory", None, threshold, "open", text, _less_rule(threshold))
    return _less("memory", threshold, figures, costs, bytes_text)


def _less(
    name: str,
    threshold: float,
    figures: list[Any],
    costs: tuple[Cost, Cost],
    shown: Any,
) -> Criterion:
    """Return the criterion that a candidate takes less than the control."""
    rule = _less_rule(threshold)
    for side, cost, figure in zip(("control", "candidate"), costs, figures, strict=True):
        if figure is None:
            # Whoever cannot even be measured alone has failed; a control's failure says nothing.
            result: Result = "fail" if cost.failed and side == "candidate" else "open"
            return Criterion(
                name, None, threshold, result, f"{side} not measured: {cost.why}", rule
            )
    control, candidate = figures
    less = 100.0 * (1.0 - candidate / control) if control else 0.0
    words = f"{percent_text(less)} less" if less >= 0 else f"{percent_text(-less)} more"
    text = f"{shown(candidate)} against {shown(control)}: {words}"
    return Criterion(name, less, threshold, "pass" if less >= threshold else "fail", text, rule)


def _less_rule(threshold: float) -> str:
    return f"at least {threshold:g} % less" if threshold >= 0 else f"at most {-threshold:g} % more"


def _errors(errors: tuple[int, int]) -> Criterion:
    control, candidate = errors
    result: Result = "pass" if candidate <= control else "fail"
    text = f"{candidate:,} against {control:,}"
    return Criterion("errors", candidate, control, result, text, "no more than the control's")


def percent_text(share: float) -> str:
    """Write a percentage so that less than all never reads as all.

    Examples
    --------
    >>> percent_text(100.0), percent_text(99.99996), percent_text(41.237), percent_text(246.9)
    ('100 %', '99.9999 %', '41.2 %', '247 %')
    """
    if share >= 100.0 or not share:
        return f"{share:.0f} %"
    if share >= 99.0:
        # Cut, not rounded: on which side of a threshold it lies must be seen.
        return f"{math.floor(share * 1e4) / 1e4:.6g} %"
    return f"{share:.1f} %" if share >= 0.05 else f"{share:.2g} %"


def seconds_text(seconds: float) -> str:
    """Write a duration in the unit that suits it.

    Examples
    --------
    >>> seconds_text(0.00042), seconds_text(0.0123), seconds_text(4.2)
    ('0.42 ms', '12.3 ms', '4.20 s')
    """
    if seconds >= 1.0:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms"


def bytes_text(size: float) -> str:
    """Write an amount of memory.

    Examples
    --------
    >>> bytes_text(12_400_000)
    '12.4 MB'
    """
    return f"{size / 1e6:,.1f} MB"
