"""Whether the candidate may replace the control: criteria with figures, thresholds and results.

A criterion that fails is a *no-go*. One that could not be measured is open: the verdict says so,
and depends on the others. If a requested series was not compared, the verdict is *inconclusive*. A
control that does not repeat its own values can condemn a candidate but not acquit it: where no more
values are unexplained than the control changes by itself, the verdict is *inconclusive*, and also
where they would pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tallow.core.errors import ParameterError
from tallow.migrate.compare.counts import ValueCounts
from tallow.migrate.compare.measuring import Cost
from tallow.migrate.compare.words import bytes_text, percent_text, seconds_text

CriterionResult = Literal["pass", "fail", "open"]
VerdictOutcome = Literal["go", "no-go", "inconclusive"]

TIME_FLOOR_SECONDS = 0.005
"""Below this on both sides, no caller notices the difference: time alone is no reason against."""

MEMORY_FLOOR_BYTES = 4 * 1024 * 1024
"""Below this on both sides, memory depends on pages and pools rather than on the engines."""


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
        Savings over the control, at least; negative if the candidate may take more.
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
    """One criterion; figure and threshold are of one unit, the figure None where it is unknown."""

    name: str
    figure: float | None
    threshold: float
    result: CriterionResult
    text: str
    rule: str


@dataclass(frozen=True)
class Verdict:
    """The outcome, the criteria that it follows from, and the reason if it is inconclusive."""

    outcome: VerdictOutcome
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
        criteria = [dict(vars(each)) for each in self.criteria]
        return {"outcome": self.outcome, "text": self.text, "criteria": criteria}


def judge_by(
    thresholds: Thresholds,
    costs: tuple[Cost, Cost],
    total: ValueCounts,
    *,
    noise: int = 0,
    decisions: tuple[int, int, int] = (0, 0, 0),
    requested: int = 0,
    left_out: tuple[str, ...] = (),
    errors: tuple[int, int] = (0, 0),
) -> Verdict:
    """Return the verdict; `costs` and `errors` are the control's and the candidate's.

    `noise` are the values in which the control differed from itself; `decisions` the bars with a
    decision of either side, those in which it flips, and those without a cause; `requested` the
    number of requested series, and `left_out` those that were not compared; `errors` the
    instruments that a side could not answer for.
    """
    criteria = (
        _judge_values(thresholds.values, total, noise),
        _judge_flips(thresholds.decisions, *decisions),
        _judge_series(requested, left_out),
        _judge_time(thresholds.time, costs),
        _judge_memory(thresholds.memory, costs),
        _judge_errors(errors),
    )
    if any(each.result == "fail" for each in criteria):
        return Verdict("no-go", criteria)
    doubts = []
    if left_out:
        doubts.append(f"nobody compared {', '.join(left_out)}")
    if noise:
        doubts.append("the control does not repeat its own values")
    return Verdict("inconclusive" if doubts else "go", criteria, " and ".join(doubts))


def _judge_flips(threshold: float, decisions: int, flipped: int, unexplained: int) -> Criterion:
    rule = f"at least {threshold:g} %"
    if not decisions:
        text = "no decision was taken: no rule applies to these series"
        return Criterion("flips", None, threshold, "open", text, rule)
    share = 100.0 * (decisions - unexplained) / decisions
    text = (
        f"{flipped:,} of {decisions:,} decisions flip, {unexplained:,} without a cause; "
        f"{percent_text(share)} the same or explained"
    )
    result: CriterionResult = "pass" if share >= threshold else "fail"
    return Criterion("flips", share, threshold, result, text, rule)


def _judge_series(requested: int, left_out: tuple[str, ...]) -> Criterion:
    result: CriterionResult = "open" if left_out else "pass"
    compared = requested - len(left_out)
    text = f"{compared} of {requested} compared"
    if left_out:
        text += f", not {', '.join(left_out)}; ask for what both have, or add it to the answers"
    return Criterion("series", compared, requested, result, text, "all that was asked for")


def _judge_values(threshold: float, total: ValueCounts, noise: int) -> Criterion:
    good = total.compared - total.unexplained
    share = 100.0 * good / total.compared if total.compared else 0.0
    result: CriterionResult = "pass" if share >= threshold else "fail"
    equal = percent_text(100.0 * total.same / total.compared if total.compared else 0.0)
    text = f"{percent_text(share)} equal or explained, {equal} equal"
    if noise and (result == "pass" or total.unexplained <= noise):
        result, text = "open", f"{text}, but the control differs from itself in {noise:,}"
    return Criterion("values", share, threshold, result, text, f"at least {threshold:g} %")


def _judge_time(threshold: float, costs: tuple[Cost, Cost]) -> Criterion:
    figures = [cost.seconds for cost in costs]
    judged = _judge_saving("time", threshold, figures, costs, seconds_text)
    is_small = all(figure is not None and figure < TIME_FLOOR_SECONDS for figure in figures)
    if judged.result != "fail" or not is_small:
        return judged
    text = f"{judged.text}: too little to tell; give more candles"
    return Criterion("time", judged.figure, threshold, "open", text, judged.rule)


def _judge_memory(threshold: float, costs: tuple[Cost, Cost]) -> Criterion:
    figures = [cost.memory_bytes for cost in costs]
    if all(figure is not None and figure < MEMORY_FLOOR_BYTES for figure in figures):
        texts = [bytes_text(figure) for figure in figures if figure is not None]
        text = f"{texts[1]} against {texts[0]}: too little to compare; give more candles"
        return Criterion("memory", None, threshold, "open", text, _saving_rule(threshold))
    return _judge_saving("memory", threshold, figures, costs, bytes_text)


def _judge_saving(
    name: str,
    threshold: float,
    figures: list[Any],
    costs: tuple[Cost, Cost],
    to_text: Callable[[float], str],
) -> Criterion:
    """Return the criterion that a candidate takes less than the control."""
    rule = _saving_rule(threshold)
    for side, cost, figure in zip(("control", "candidate"), costs, figures, strict=True):
        if figure is None:
            # A candidate that fails in its measurement fails; a control's failure proves nothing.
            result: CriterionResult = "fail" if cost.failed and side == "candidate" else "open"
            return Criterion(
                name, None, threshold, result, f"{side} not measured: {cost.why}", rule
            )
    control, candidate = figures
    less = 100.0 * (1.0 - candidate / control) if control else 0.0
    words = f"{percent_text(less)} less" if less >= 0 else f"{percent_text(-less)} more"
    text = f"{to_text(candidate)} against {to_text(control)}: {words}"
    return Criterion(name, less, threshold, "pass" if less >= threshold else "fail", text, rule)


def _saving_rule(threshold: float) -> str:
    return f"at least {threshold:g} % less" if threshold >= 0 else f"at most {-threshold:g} % more"


def _judge_errors(errors: tuple[int, int]) -> Criterion:
    control, candidate = errors
    result: CriterionResult = "pass" if candidate <= control else "fail"
    text = f"{candidate:,} against {control:,}"
    return Criterion("errors", candidate, control, result, text, "no more than the control's")
