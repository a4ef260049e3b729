"""From the totals of an interval to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tallow.migrate.evidence import Totals
from tallow.migrate.rollout.plan import SHARES, Gate, Stage

Verdict = Literal["success", "failure", "inconclusive"]


@dataclass(frozen=True)
class GateResult:
    """What a gate found; `figure` is None where nothing was observed."""

    gate: str
    figure: float | None
    fail_above: float
    pass_below: float
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Analysis:
    """What an interval's totals mean at a stage."""

    verdict: Verdict
    reason: str
    findings: tuple[GateResult, ...]


def analyse(stage: Stage, totals: Totals, expected: int = 0) -> Analysis:
    """Judge the totals of an interval by a stage's gates.

    A share of bad things fails for certain where it would, even if all calls still missing up to
    the stage's least count, and up to `expected`, were good. So a few calls can show a failure,
    never a success.

    Parameters
    ----------
    expected
        Calls that the interval will have when it is over; 0 if it is.
    """
    totals = _timed(stage, totals)
    enough = totals.tried >= stage.calls
    part = min(1.0, totals.tried / max(stage.calls, expected))
    whole = enough and not expected
    findings = tuple(_find(gate, totals, part, whole) for gate in stage.gates)
    if failed := [each for each in findings if each.verdict == "failure"]:
        return Analysis("failure", "; ".join(each.text for each in failed), findings)
    if not enough:
        reason = f"{totals.tried:,} calls of the candidate; {stage.calls:,} are needed"
        return Analysis("inconclusive", reason, findings)
    if unclear := [each for each in findings if each.verdict == "inconclusive"]:
        return Analysis("inconclusive", "; ".join(each.text for each in unclear), findings)
    return Analysis("success", f"all gates hold over {totals.tried:,} calls", findings)


def _timed(stage: Stage, totals: Totals) -> Totals:
    """Return totals with the times that are to be compared at a stage.

    Those of the serving processes. Only where a side never answers there, its times aside: in
    shadow the candidate's, which seem too long (so the example has no such gate); where the
    candidate serves everybody the control's, so that the ratio seems too good.
    """
    if stage.setting.share == 0:
        return replace(totals, candidate_p99_ms=totals.candidate_background_p99_ms)
    if stage.setting.share == 100:
        return replace(totals, control_p99_ms=totals.control_background_p99_ms)
    return totals


def _find(gate: Gate, totals: Totals, part: float, whole: bool) -> GateResult:
    figure, counts = _FIGURES[gate.name](totals)
    verdict: Verdict
    if figure is None:
        verdict, text = "inconclusive", f"{gate.name}: nothing was observed"
    elif figure * (part if gate.name in SHARES else float(whole)) > gate.fail_above:
        verdict = "failure"
        text = f"{gate.name}: {shown(gate.name, figure)} over {shown(gate.name, gate.fail_above)}"
    elif figure <= gate.pass_below:
        verdict, text = "success", f"{gate.name}: {shown(gate.name, figure)}"
    else:
        verdict = "inconclusive"
        text = (
            f"{gate.name}: {shown(gate.name, figure)}; {shown(gate.name, gate.pass_below)} passes"
        )
    text += f" ({counts})" if figure is not None and counts else ""
    return GateResult(gate.name, figure, gate.fail_above, gate.pass_below, verdict, text)


def shown(gate: str, figure: float) -> str:
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


def worst(findings: Sequence[GateResult]) -> Sequence[GateResult]:
    """Return findings with failures first, then what is unclear."""
    order = ("failure", "inconclusive", "success")
    return sorted(findings, key=lambda each: order.index(each.verdict))
