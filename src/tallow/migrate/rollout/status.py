"""Where a rollout stands: what its plan, its log and its flag file say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tallow.core.errors import DamagedLogError
from tallow.migrate.rollout.audit import AuditEntry
from tallow.migrate.rollout.journal import Journal
from tallow.migrate.rollout.plan import RolloutPlan, Stage
from tallow.migrate.rollout.state import RolloutState, setting_facts

VERDICTS = ("successes", "failures", "inconclusive")


@dataclass(frozen=True)
class RolloutStatus:
    """A rollout, whoever asks.

    Attributes
    ----------
    controller
        Who watches it right now; None if nobody does.
    problems
        What is wrong with its log or flag file.
    """

    plan: RolloutPlan
    state: RolloutState
    controller: str | None
    problems: tuple[str, ...]

    @property
    def is_unwatched(self) -> bool:
        """Whether it is on, and no controller looks at its evidence."""
        return self.controller is None and self.state.is_on and self.state.phase != "new"


def read_status(plan: RolloutPlan, journal: Journal) -> RolloutStatus:
    """Read what is new in a rollout's log, and look at its flag.

    `RolloutError` if the log cannot be read; one that is damaged is a problem of the answer.
    """
    problems = []
    try:
        journal.refresh()
    except DamagedLogError as error:
        problems.append(str(error))
    state, (found, why) = journal.state, journal.read_flag()
    if state.phase != "new" and found != state.setting:
        problems.append(why or f"the flag file says {found}, the log {state.setting}")
    return RolloutStatus(plan, state, journal.log.find_controller(), tuple(problems))


def state_facts(plan: RolloutPlan, state: RolloutState) -> dict[str, Any]:
    """Return a rollout's state, as JSON shows it."""
    return {
        "experiment": plan.paths.experiment,
        "phase": state.phase,
        "stage": state.stage,
        "setting": setting_facts(state.setting),
        "since": None if state.since is None else state.since.isoformat(),
        **{name: getattr(state, name) for name in ("reason", *VERDICTS)},
    }


def stage_facts(stage: Stage) -> dict[str, Any]:
    """Return a stage with its rules and gates, as JSON shows it."""
    return asdict(stage) | {"setting": setting_facts(stage.setting)}


def entry_facts(entries: Iterable[AuditEntry]) -> list[Mapping[str, Any]]:
    """Return lines of the log, as JSON shows them."""
    return [asdict(each) | {"at": each.at.isoformat()} for each in entries]
