"""The state of a rollout, computed from its log line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from tallow.core.errors import RolloutError
from tallow.migrate.flags.setting import OFF, Setting
from tallow.migrate.rollout.audit import AuditEntry
from tallow.migrate.rollout.plan import RolloutPlan

Phase = Literal["new", "running", "paused", "complete", "reverted"]
DueAction = Literal["fail", "pause", "promote", "complete"]


class UnknownEntryError(RolloutError):
    """A line of a log says what this version does not know."""


@dataclass(frozen=True)
class AnalysisInterval:
    """An interval that was analysed, to be checked again: evidence may arrive late."""

    stage: str
    since: datetime
    until: datetime
    verdict: str
    reason: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class RolloutState:
    """The state of a rollout."""

    phase: Phase = "new"
    stage: str = "off"
    """The stage's name in the plan."""
    setting: Setting | None = OFF
    """What the flag is set to; None if the file could not be read."""
    before: Setting | None = None
    """What it was set to before, while it is not known whether the change was applied."""
    is_pending: bool = False
    since: datetime | None = None
    """When the stage began."""
    interval_start: datetime | None = None
    """When the interval began that is analysed next."""
    last: AnalysisInterval | None = None
    """The interval that was analysed last, unless the candidate was off since."""
    successes: int = 0
    failures: int = 0
    inconclusive: int = 0
    reason: str = ""
    """Why the rollout is in its phase."""
    plan: str = ""
    number: int = 0
    analysed: int = 0
    """Position of the evidence, in its own order, at the last analysis."""
    position: int = 0
    """Evidence up to there is from before the clock was set back, and no longer counts."""

    @property
    def is_on(self) -> bool:
        """Whether the candidate runs at all."""
        return self.setting != OFF

    def due_action(self, plan: RolloutPlan) -> DueAction | None:
        """Return the action that follows from the analyses so far."""
        if not self.is_on or self.phase in ("new", "reverted"):
            return None
        stage = plan.stage(self.stage)
        if self.failures > stage.failures:
            return "fail"
        if self.phase != "running":
            return None
        if self.inconclusive > stage.inconclusive:
            return "pause"
        if self.successes >= stage.successes:
            return "promote" if plan.after(self.stage) else "complete"
        return None


def setting_facts(setting: Setting | None) -> dict[str, Any] | None:
    """Return a setting as the facts of a log line."""
    return None if setting is None else {"rest": setting.rest, "share": setting.share}


def _setting(facts: Mapping[str, Any] | None) -> Setting | None:
    return None if facts is None else Setting(facts["rest"], facts["share"])


def apply_entry(state: RolloutState, entry: AuditEntry) -> RolloutState:
    """Return the state after one more line."""
    facts = entry.facts
    state = replace(state, number=entry.number)
    if "to" in facts:
        return _apply_change(state, entry)
    match entry.what:
        case "applied":
            at = entry.at
            return replace(state, is_pending=False, before=None, since=at, interval_start=at)
        case "analysis":
            return _apply_analysis(state, facts)
        case "pause":
            return replace(state, phase="paused", reason=facts["reason"])
        case "resume":
            state = replace(state, phase="running", reason=facts["reason"])
            return replace(state, interval_start=entry.at, failures=0, inconclusive=0)
        case "complete":
            return replace(state, phase="complete", reason=facts["reason"])
        case "edited":
            return _apply_edit(state, entry)
        case "clock":
            since = datetime.fromisoformat(facts["since"])
            state = replace(state, since=since, interval_start=since, last=None)
            return replace(state, position=state.analysed)
        case "plan":
            return replace(state, plan=facts["plan"])
        case "repaired":
            return state
    raise UnknownEntryError(f"{entry.what!r} is of a newer tallow; update this one")


def _apply_change(state: RolloutState, entry: AuditEntry) -> RolloutState:
    facts = entry.facts
    setting = _setting(facts["to"])
    off = setting == OFF
    return replace(
        _begin_anew(state, entry),
        phase="reverted" if off else "running",
        stage=facts["to"]["stage"],
        setting=setting,
        before=_setting(facts["from"]),
        is_pending=True,
        last=None if off else state.last,
    )


def _begin_anew(state: RolloutState, entry: AuditEntry) -> RolloutState:
    """Return the state at the begin of a setting, with nothing analysed."""
    at, reason = entry.at, entry.facts["reason"]
    state = replace(state, since=at, interval_start=at, last=None, reason=reason)
    return replace(state, successes=0, failures=0, inconclusive=0)


def _apply_analysis(state: RolloutState, facts: Mapping[str, Any]) -> RolloutState:
    since, until = (datetime.fromisoformat(facts[name]) for name in ("since", "until"))
    verdict = facts["verdict"]
    last = AnalysisInterval(state.stage, since, until, verdict, facts["reason"], facts["evidence"])
    return replace(
        state,
        interval_start=until,
        last=last,
        successes=state.successes + (verdict == "success"),
        failures=state.failures + (verdict == "failure"),
        inconclusive=state.inconclusive + (verdict == "inconclusive"),
        analysed=facts.get("position", 0),
    )


def _apply_edit(state: RolloutState, entry: AuditEntry) -> RolloutState:
    """Accept a setting made by hand; a person who turned it off must also turn it on again."""
    found = _setting(entry.facts["found"])
    begun = _begin_anew(state, entry)
    state = replace(begun, setting=found, before=None, is_pending=False)
    if found == OFF:
        return replace(state, phase="reverted", stage="off")
    return replace(state, phase="paused")
