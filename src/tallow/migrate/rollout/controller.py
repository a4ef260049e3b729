"""Controls a rollout, interval by interval, by its plan, its log and the evidence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from tallow.core.errors import DamagedLogError, TallowError
from tallow.core.limits import (
    ROLLOUT_CLOCK_SECONDS,
    ROLLOUT_LATE_INTERVALS,
    ROLLOUT_LOOK_SECONDS_MAX,
    ROLLOUT_LOOKS,
)
from tallow.migrate.evidence import EvidenceSource, OrderedEvidence, Totals
from tallow.migrate.rollout.gates import Analysis, analyse
from tallow.migrate.rollout.journal import Journal
from tallow.migrate.rollout.plan import RolloutPlan, Stage
from tallow.migrate.rollout.rollout import UtcClock, now_utc, who_am_i
from tallow.migrate.rollout.state import RolloutState


class Controller:
    """Moves a rollout from stage to stage, or turns it off.

    Everything it knows is in the log, so that another one can continue after it is killed. `who` is
    the person who started it; the log names the controller for its own actions. `clock` returns
    times in UTC, by the same clock as the observations of `evidence`.
    """

    def __init__(
        self,
        plan: RolloutPlan,
        evidence: EvidenceSource,
        who: str | None = None,
        clock: UtcClock = now_utc,
    ) -> None:
        self.plan, self._evidence, self._clock = plan, evidence, clock
        self._journal = Journal(plan.paths, f"controller of {who or who_am_i()}")

    def step(self) -> RolloutState:
        """Do what is due now: at most one analysis, and the action that follows from it.

        `DamagedLogError` if the log was cut or edited, so that the rollout's state is uncertain.
        `RolloutError` or `FlagError` if a file cannot be read or written; the next step tries
        again.
        """
        now = self._clock()
        with self._journal.locked(now):
            if self._act(now):
                return self._journal.state
            self._follow_clock(now)
            state = self._journal.state
        # Without the lock: reading evidence may take long, and must not delay a person's revert.
        analysis = self._analyse(state, now)
        if analysis is None:
            return state
        with self._journal.locked(now) as current:
            # If somebody acted meanwhile, that counts, and the analysis is repeated.
            if current.number == state.number:
                self._journal.add("analysis", now, analysis)
                self._act(now)
            return self._journal.state

    def run(
        self,
        on_step: Callable[[RolloutState, TallowError | None], None] = lambda _state, _error: None,
        stop: threading.Event | None = None,
    ) -> RolloutState:
        """Step until the candidate is off, or until `stop` is set.

        `on_step` is called after each step with the state, and the error if there was one: the next
        step tries again. `DamagedLogError` if the log was cut or edited; `RolloutError` if another
        controller runs.
        """
        stop = stop or threading.Event()
        with self.guard():
            while True:
                error: TallowError | None = None
                try:
                    state = self.step()
                except DamagedLogError:
                    raise
                except TallowError as raised:
                    state, error = self._journal.state, raised
                on_step(state, error)
                is_off = state.phase == "reverted" and not state.is_pending
                if is_off or stop.wait(self._seconds_to_next_step(state)):
                    return state

    def guard(self) -> AbstractContextManager[None]:
        """Be the only controller while this lasts; `RolloutError` if there is another one."""
        return self._journal.log.hold_control(self._journal.who)

    def _seconds_to_next_step(self, state: RolloutState) -> float:
        # A person may have advanced by a newer plan, to a stage that this one does not have.
        current = [stage for stage in self.plan.stages if stage.name == state.stage]
        seconds = min(stage.interval_seconds for stage in current or self.plan.stages)
        return min(seconds / ROLLOUT_LOOKS, ROLLOUT_LOOK_SECONDS_MAX)

    def _act(self, now: datetime) -> bool:
        """Do the action that follows from the analyses so far; the lock must be held."""
        state = self._journal.state
        action = state.due_action(self.plan)
        if action is None:
            return False
        assert state.last is not None
        why, evidence = state.last.reason, state.last.evidence
        successes = f"{state.successes} analyses of stage {state.stage} were successes"
        if action == "fail":
            self._journal.turn_off("fail", now, f"stage {state.stage}: {why}", evidence)
        elif action == "pause":
            reason = f"{state.inconclusive} inconclusive analyses at stage {state.stage}: {why}"
            self._journal.add("pause", now, {"reason": reason, "evidence": evidence})
        elif action == "complete":
            self._journal.add("complete", now, {"reason": successes, "evidence": evidence})
        else:
            after = self.plan.after(state.stage)
            assert after is not None
            self._journal.change("promote", now, after.name, after.setting, successes, evidence)
        return True

    def _follow_clock(self, now: datetime) -> None:
        """Begin a new interval if the clock is now before the present one; the lock must be held.

        Otherwise nothing would be analysed until the clock shows that time again. Earlier evidence,
        whose times the clock passes a second time, no longer counts.
        """
        state = self._journal.state
        back = timedelta(seconds=ROLLOUT_CLOCK_SECONDS)
        if not state.is_on or state.interval_start is None or now >= state.interval_start - back:
            return
        # It was set back since the last step: evidence since then is not judged yet.
        since = now - timedelta(seconds=self.plan.stage(state.stage).interval_seconds)
        reason = (
            f"the clock was set back: it showed {state.interval_start:%Y-%m-%d %H:%M:%S} UTC before"
        )
        self._journal.add("clock", now, {"reason": reason, "since": since.isoformat()})

    # Evidence

    def _analyse(self, state: RolloutState, now: datetime) -> dict[str, Any] | None:
        """Return an analysis to log: of a complete interval, or of one that already fails."""
        if not state.is_on or state.interval_start is None or now <= state.interval_start:
            return None
        stage = self.plan.stage(state.stage)
        is_over = now >= state.interval_start + timedelta(seconds=stage.interval_seconds)
        position = self._position()
        totals, analysis = self._judge(stage, state, now, is_over)
        fails = analysis.verdict == "failure" and state.failures >= stage.failures
        if not (is_over or fails):
            return None
        return {
            "stage": stage.name,
            "since": state.interval_start.isoformat(),
            "until": now.isoformat(),
            "verdict": analysis.verdict,
            "reason": analysis.reason,
            "gates": [asdict(gate) for gate in analysis.gates],
            "evidence": asdict(totals),
            "position": position,
        }

    def _judge(
        self, stage: Stage, state: RolloutState, now: datetime, is_over: bool
    ) -> tuple[Totals, Analysis]:
        assert state.interval_start is not None
        expected = (
            0 if is_over else max(stage.calls, state.last.evidence["tried"] if state.last else 0)
        )
        try:
            totals = self._totals(state, state.interval_start, now)
            analysis = analyse(stage, totals, expected)
            late = self._judge_last_again(state) or self._judge_stage_again(stage, state)
        except Exception as error:  # noqa: BLE001 - unreadable evidence is none, for any reason
            text = f"the evidence cannot be read: {type(error).__name__}: {error}"
            return Totals(), Analysis("inconclusive", text, ())
        return (totals, analysis) if late is None else late

    def _judge_last_again(self, state: RolloutState) -> tuple[Totals, Analysis] | None:
        """Judge the last interval again: a call that hangs is observed only when it is ended."""
        last = state.last
        if last is None or last.verdict == "failure":
            return None
        totals = self._totals(state, last.since, last.until)
        return _late_failure(self.plan.stage(last.stage), totals, "of the interval before")

    def _judge_stage_again(
        self, stage: Stage, state: RolloutState
    ) -> tuple[Totals, Analysis] | None:
        """Judge this stage's last intervals again as one: none of them failed by itself.

        If they fail together, evidence was delayed by calls that hung.
        """
        if state.failures or state.since is None or state.interval_start is None:
            return None
        reach = timedelta(seconds=ROLLOUT_LATE_INTERVALS * stage.interval_seconds)
        since = max(state.since, state.interval_start - reach)
        totals = self._totals(state, since, state.interval_start)
        return _late_failure(stage, totals, f"since {since:%H:%M:%S} UTC")

    def _position(self) -> int:
        """Return the position of the newest evidence, in its own order; 0 if it has none."""
        if not isinstance(self._evidence, OrderedEvidence):
            return 0
        try:
            return self._evidence.position(self.plan.paths.experiment)
        except Exception:  # noqa: BLE001 - the problem is reported where the evidence is judged
            return self._journal.state.analysed

    def _totals(self, state: RolloutState, since: datetime, until: datetime) -> Totals:
        experiment = self.plan.paths.experiment
        if state.position and isinstance(self._evidence, OrderedEvidence):
            return self._evidence.totals_after(experiment, since, until, state.position)
        return self._evidence.totals(experiment, since, until)


def _late_failure(stage: Stage, totals: Totals, which: str) -> tuple[Totals, Analysis] | None:
    """Return a failure by evidence that came late; None if it shows none."""
    analysis = analyse(stage, totals)
    if analysis.verdict != "failure":
        return None
    reason = f"evidence that came late, {which}: {analysis.reason}"
    return totals, Analysis("failure", reason, analysis.gates)
