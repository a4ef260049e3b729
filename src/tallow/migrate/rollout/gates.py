"""Judges the totals of an interval by a stage's gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from tallow.core.text import counted
from tallow.migrate.evidence import Totals
from tallow.migrate.rollout.plan import SHARES, Gate, Stage

AnalysisVerdict = Literal["success", "failure", "inconclusive"]


@dataclass(frozen=True)
class GateResult:
    """A gate's figure and verdict; `figure` is None if nothing was observed."""

    gate: str
    figure: float | None
    fail_above: float
    pass_below: float
    verdict: AnalysisVerdict
    text: str


@dataclass(frozen=True)
class Analysis:
    """The verdict on an interval's totals at a stage."""

    verdict: AnalysisVerdict
    reason: str
    gates: tuple[GateResult, ...]


def analyse(stage: Stage, totals: Totals, expected: int = 0) -> Analysis:
    """Judge the totals of an interval by a stage's gates.

    A share of bad things fails if it would fail even with all remaining calls good, up to the
    stage's least count and `expected`: the calls that the interval will have when it is over, 0 if
    it is. So a few calls can prove a failure, but not a success.
    """
    totals = _choose_times(stage, totals)
    enough = totals.tried >= stage.calls
    part = min(1.0, totals.tried / max(stage.calls, expected))
    is_complete = enough and not expected
    gates = tuple(_judge_gate(gate, totals, part, is_complete) for gate in stage.gates)
    if failed := [each for each in gates if each.verdict == "failure"]:
        return Analysis("failure", "; ".join(each.text for each in failed), gates)
    if not enough:
        reason = f"{counted(totals.tried, 'call')} of the candidate; {stage.calls:,} are needed"
        return Analysis("inconclusive", reason, gates)
    if unclear := [each for each in gates if each.verdict == "inconclusive"]:
        return Analysis("inconclusive", "; ".join(each.text for each in unclear), gates)
    return Analysis("success", f"all gates hold over {counted(totals.tried, 'call')}", gates)


def _choose_times(stage: Stage, totals: Totals) -> Totals:
    """Return totals with the times that are compared at a stage.

    These are the times in the serving processes. Only where a side never answers there, its times
    in the background are used: in shadow the candidate's, which seem too long (so the example has
    no such gate); where the candidate serves everybody the control's, which flatter the candidate.
    """
    if stage.setting.share == 0:
        return replace(totals, candidate_p99_ms=totals.candidate_background_p99_ms)
    if stage.setting.share == 100:
        return replace(totals, control_p99_ms=totals.control_background_p99_ms)
    return totals


def _judge_gate(gate: Gate, totals: Totals, part: float, is_complete: bool) -> GateResult:
    figure, counts = _FIGURES[gate.name](totals)
    verdict: AnalysisVerdict
    if figure is None:
        verdict, text = "inconclusive", f"{gate.name}: nothing was observed"
    elif figure * (part if gate.name in SHARES else float(is_complete)) > gate.fail_above:
        verdict = "failure"
        limit = figure_text(gate.name, gate.fail_above)
        text = f"{gate.name}: {figure_text(gate.name, figure)} over {limit}"
    elif figure <= gate.pass_below:
        verdict, text = "success", f"{gate.name}: {figure_text(gate.name, figure)}"
    else:
        verdict, limit = "inconclusive", figure_text(gate.name, gate.pass_below)
        text = f"{gate.name}: {figure_text(gate.name, figure)}; {limit} passes"
    text += f" ({counts})" if figure is not None and counts else ""
    return GateResult(gate.name, figure, gate.fail_above, gate.pass_below, verdict, text)


def figure_text(gate: str, figure: float) -> str:
    """Return a gate's figure with its unit."""
    if gate in SHARES:
        return f"{figure:.4%}"
    unit = {"p99_ms": " ms", "staleness_seconds": " s"}.get(gate, "x")
    return f"{figure:.4g}{unit}"


def _share(bad: int, of: int, what: str) -> tuple[float | None, str]:
    return (bad / of if of else None), f"{bad:,} of {of:,} {what}"


def _ratio(totals: Totals) -> tuple[float | None, str]:
    candidate, control = totals.candidate_p99_ms, totals.control_p99_ms
    if candidate is None or not control:
        return None, ""
    return candidate / control, f"{candidate:.4g} ms against {control:.4g} ms"


_FIGURES: dict[str, Callable[[Totals], tuple[float | None, str]]] = {
    "unexplained": lambda totals: _share(totals.unexplained, totals.compared, "values"),
    "flips": lambda totals: _share(totals.flips, totals.compared, "values"),
    "errors": lambda totals: _share(totals.errors, totals.tried, "calls"),
    "p99_ratio": _ratio,
    "p99_ms": lambda totals: (totals.candidate_p99_ms, ""),
    "staleness_seconds": lambda totals: (totals.staleness_seconds, ""),
}
