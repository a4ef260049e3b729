"""Where a rollout stands: what its log says, added up line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from tallow.migrate.flags.setting import OFF, Setting
from tallow.migrate.rollout.audit import Entry
from tallow.migrate.rollout.plan import Plan

Phase = Literal["new", "running", "paused", "complete", "reverted"]
Act = Literal["fail", "pause", "promote", "complete"]


@dataclass(frozen=True)
class Window:
    """An interval that was analysed, to look at again: evidence may come late."""

    stage: str
    since: datetime
    until: datetime
    verdict: str
    reason: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """Where a rollout stands.

    Parameters
    ----------
    stage
        The stage's name in the plan.
    setting
        What the flag is set to; None where the file could not be read.
    before
        What it was set to before, as long as nobody knows whether the change was done.
    since
        When the stage began.
    window
        When the interval began that is analysed next.
    last
        The interval that was analysed last, unless the candidate was off since.
    reason
        Why the phase is what it is.
    looked
        How far evidence went, in its own order, when it was analysed last.
    position
        Evidence up to there is of before the clock was set back, and counts no more.
    """

    phase: Phase = "new"
    stage: str = "off"
    setting: Setting | None = OFF
    before: Setting | None = None
    is_pending: bool = False
    since: datetime | None = None
    window: datetime | None = None
    last: Window | None = None
    successes: int = 0
    failures: int = 0
    inconclusive: int = 0
    reason: str = ""
    plan: str = ""
    number: int = 0
    looked: int = 0
    position: int = 0

    @property
    def is_on(self) -> bool:
        """Whether the candidate runs at all."""
        return self.setting != OFF

    def due(self, plan: Plan) -> Act | None:
        """Return what the analyses so far ask for."""
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


def told(setting: Setting | None) -> dict[str, Any] | None:
    """Return a setting as the log has it."""
    return None if setting is None else {"rest": setting.rest, "share": setting.share}


def _setting(facts: Mapping[str, Any] | None) -> Setting | None:
    return None if facts is None else Setting(facts["rest"], facts["share"])


def fold(state: State, entry: Entry) -> State:
    """Return the state after one more line."""
    facts = entry.facts
    state = replace(state, number=entry.number)
    if "to" in facts:
        return _changed(state, entry)
    match entry.what:
        case "applied":
            return replace(state, is_pending=False, before=None, since=entry.at, window=entry.at)
        case "analysis":
            return _analysed(state, facts)
        case "pause":
            return replace(state, phase="paused", reason=facts["reason"])
        case "resume":
            state = replace(state, phase="running", reason=facts["reason"], window=entry.at)
            return replace(state, failures=0, inconclusive=0)
        case "complete":
            return replace(state, phase="complete", reason=facts["reason"])
        case "edited":
            return _edited(state, entry)
        case "clock":
            since = datetime.fromisoformat(facts["since"])
            return replace(state, since=since, window=since, last=None, position=state.looked)
        case "plan":
            return replace(state, plan=facts["plan"])
    return state


def _changed(state: State, entry: Entry) -> State:
    facts = entry.facts
    setting = _setting(facts["to"])
    off = setting == OFF
    return replace(
        state,
        phase="reverted" if off else "running",
        stage=facts["to"]["stage"],
        setting=setting,
        before=_setting(facts["from"]),
        is_pending=True,
        since=entry.at,
        window=entry.at,
        last=None if off else state.last,
        successes=0,
        failures=0,
        inconclusive=0,
        reason=facts["reason"],
    )


def _analysed(state: State, facts: Mapping[str, Any]) -> State:
    since, until = (datetime.fromisoformat(facts[name]) for name in ("since", "until"))
    verdict = facts["verdict"]
    last = Window(state.stage, since, until, verdict, facts["reason"], facts["evidence"])
    return replace(
        state,
        window=until,
        last=last,
        successes=state.successes + (verdict == "success"),
        failures=state.failures + (verdict == "failure"),
        inconclusive=state.inconclusive + (verdict == "inconclusive"),
        looked=facts.get("position", 0),
    )


def _edited(state: State, entry: Entry) -> State:
    """Take over what somebody set by hand; who turned it off must turn it on again, too."""
    found = _setting(entry.facts["found"])
    state = replace(
        state,
        setting=found,
        before=None,
        is_pending=False,
        since=entry.at,
        window=entry.at,
        last=None,
        successes=0,
        failures=0,
        inconclusive=0,
        reason=entry.facts["reason"],
    )
    if found == OFF:
        return replace(state, phase="reverted", stage="off")
    return replace(state, phase="paused")
