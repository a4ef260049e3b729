"""Decides about a rollout, interval by interval, by its plan, its log and the evidence."""

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
from tallow.migrate.rollout.book import Book
from tallow.migrate.rollout.gates import Analysis, analyse
from tallow.migrate.rollout.plan import Plan, Stage
from tallow.migrate.rollout.rollout import Clock, now_utc, who_am_i
from tallow.migrate.rollout.state import State


class Controller:
    """Leads a rollout from stage to stage, or to off.

    Everything it knows is in the log: one that was killed is replaced by another.

    Parameters
    ----------
    evidence
        Where totals are read.
    who
        Who started it; the log names the controller itself for what it does on its own.
    clock
        Gives times in UTC, by the clock of the observations.
    """

    def __init__(
        self,
        plan: Plan,
        evidence: EvidenceSource,
        who: str | None = None,
        clock: Clock = now_utc,
    ) -> None:
        self.plan, self._evidence, self._clock = plan, evidence, clock
        self._book = Book(plan.places, f"controller of {who or who_am_i()}")

    def step(self) -> State:
        """Do what is due now: at most one analysis, and what follows from it.

        Raises
        ------
        DamagedLogError
            If the log was cut or edited: where the rollout stands is not certain.
        RolloutError, FlagError
            If a file cannot be read or written; the next step tries again.
        """
        now = self._clock()
        with self._book.locked(now):
            if self._act(now):
                return self._book.state
            self._follow_clock(now)
            state = self._book.state
        # Without the lock: evidence may take long, and a person who reverts does not wait for it.
        looked = self._look(state, now)
        if looked is None:
            return state
        with self._book.locked(now) as fresh:
            # Somebody did something meanwhile: it counts, and the analysis is done anew.
            if fresh.number == state.number:
                self._book.add("analysis", now, looked)
                self._act(now)
            return self._book.state

    def run(
        self,
        tell: Callable[[State, TallowError | None], None] = lambda _state, _error: None,
        stop: threading.Event | None = None,
    ) -> State:
        """Step until the candidate is off, or until told to stop.

        Parameters
        ----------
        tell
            Called after each step with the state, and what went wrong if something did: the next
            step tries again.
        stop
            Ends the run when it is set.

        Raises
        ------
        DamagedLogError
            If the log was cut or edited.
        RolloutError
            If another controller runs.
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
                    state, error = self._book.state, raised
                tell(state, error)
                is_off = state.phase == "reverted" and not state.is_pending
                if is_off or stop.wait(self._patience(state)):
                    return state

    def guard(self) -> AbstractContextManager[None]:
        """Return a context in which this is the only controller.

        Raises
        ------
        RolloutError
            When entered, if another controller runs.
        """
        return self._book.log.guarded(self._book.who)

    def _patience(self, state: State) -> float:
        # A person may have advanced by a newer plan, to a stage that this one does not have.
        known = [stage for stage in self.plan.stages if stage.name == state.stage]
        seconds = min(stage.interval_seconds for stage in known or self.plan.stages)
        return min(seconds / ROLLOUT_LOOKS, ROLLOUT_LOOK_SECONDS_MAX)

    def _act(self, now: datetime) -> bool:
        """Do what the analyses so far ask for; the lock must be held."""
        state = self._book.state
        act = state.due(self.plan)
        if act is None:
            return False
        assert state.last is not None
        why, evidence = state.last.reason, state.last.evidence
        if act == "fail":
            self._book.turn_off("fail", now, f"stage {state.stage}: {why}", evidence)
        elif act == "pause":
            reason = f"{state.inconclusive} inconclusive analyses at stage {state.stage}: {why}"
            self._book.add("pause", now, {"reason": reason, "evidence": evidence})
        elif act == "complete":
            self._book.add("complete", now, {"reason": self._held(state), "evidence": evidence})
        else:
            after = self.plan.after(state.stage)
            assert after is not None
            self._book.change(
                "promote", now, after.name, after.setting, self._held(state), evidence
            )
        return True

    def _follow_clock(self, now: datetime) -> None:
        """Begin a new interval where the clock shows a time before this one's; lock held.

        Else nothing would be looked at until it shows that time again. Evidence of before, whose
        times come once more, counts no more.
        """
        state = self._book.state
        back = timedelta(seconds=ROLLOUT_CLOCK_SECONDS)
        if not state.is_on or state.window is None or now >= state.window - back:
            return
        # It was set back since the last look: what is new since then was not judged yet.
        since = now - timedelta(seconds=self.plan.stage(state.stage).interval_seconds)
        reason = f"the clock was set back: it showed {state.window:%Y-%m-%d %H:%M:%S} UTC before"
        self._book.add("clock", now, {"reason": reason, "since": since.isoformat()})

    def _held(self, state: State) -> str:
        return f"{state.successes} analyses of stage {state.stage} were successes"

    # Evidence

    def _look(self, state: State, now: datetime) -> dict[str, Any] | None:
        """Return an analysis to be logged: of a whole interval, or of one that failed before."""
        if not state.is_on or state.window is None or now <= state.window:
            return None
        stage = self.plan.stage(state.stage)
        is_over = now >= state.window + timedelta(seconds=stage.interval_seconds)
        position = self._position()
        totals, analysis = self._judge(stage, state, now, is_over)
        fails = analysis.verdict == "failure" and state.failures >= stage.failures
        if not (is_over or fails):
            return None
        return {
            "stage": stage.name,
            "since": state.window.isoformat(),
            "until": now.isoformat(),
            "verdict": analysis.verdict,
            "reason": analysis.reason,
            "gates": [asdict(finding) for finding in analysis.findings],
            "evidence": asdict(totals),
            "position": position,
        }

    def _judge(
        self, stage: Stage, state: State, now: datetime, is_over: bool
    ) -> tuple[Totals, Analysis]:
        assert state.window is not None
        expected = (
            0 if is_over else max(stage.calls, state.last.evidence["tried"] if state.last else 0)
        )
        try:
            totals = self._totals(state, state.window, now)
            analysis = analyse(stage, totals, expected)
            late = self._late(state) or self._very_late(stage, state)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is no evidence
            text = f"the evidence cannot be read: {type(error).__name__}: {error}"
            return Totals(), Analysis("inconclusive", text, ())
        return (totals, analysis) if late is None else late

    def _late(self, state: State) -> tuple[Totals, Analysis] | None:
        """Look again at the last interval: a call that hung is observed when it is given up."""
        last = state.last
        if last is None or last.verdict == "failure":
            return None
        totals = self._totals(state, last.since, last.until)
        analysis = analyse(self.plan.stage(last.stage), totals)
        if analysis.verdict != "failure":
            return None
        reason = f"evidence that came late, of the interval before: {analysis.reason}"
        return totals, Analysis("failure", reason, analysis.findings)

    def _very_late(self, stage: Stage, state: State) -> tuple[Totals, Analysis] | None:
        """Look again at this stage's last intervals as one: none failed, so neither do they all.

        Where they do, evidence waited behind calls that hung.
        """
        if state.failures or state.since is None or state.window is None:
            return None
        reach = timedelta(seconds=ROLLOUT_LATE_INTERVALS * stage.interval_seconds)
        since = max(state.since, state.window - reach)
        totals = self._totals(state, since, state.window)
        analysis = analyse(stage, totals)
        if analysis.verdict != "failure":
            return None
        reason = f"evidence that came late, since {since:%H:%M:%S} UTC: {analysis.reason}"
        return totals, Analysis("failure", reason, analysis.findings)

    def _position(self) -> int:
        """Return how far the evidence goes, in its own order; 0 where nobody knows."""
        if not isinstance(self._evidence, OrderedEvidence):
            return 0
        try:
            return self._evidence.position(self.plan.places.experiment)
        except Exception:  # noqa: BLE001 - what is wrong with it is told where it is judged
            return self._book.state.looked

    def _totals(self, state: State, since: datetime, until: datetime) -> Totals:
        experiment = self.plan.places.experiment
        if state.position and isinstance(self._evidence, OrderedEvidence):
            return self._evidence.totals_after(experiment, since, until, state.position)
        return self._evidence.totals(experiment, since, until)
