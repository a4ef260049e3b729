"""What tests of rollouts share: a plan in a folder, a clock by hand, and evidence by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tallow.migrate.evidence import Totals
from tallow.migrate.rollout.audit import AuditEntry, AuditLog
from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.plan import RolloutPlan, read_plan
from tallow.migrate.rollout.rollout import Rollout

BEGIN = datetime(2026, 1, 5, 4, tzinfo=UTC)
GOOD = Totals(calls=200, tried=200, compared=2_000, equal=2_000)

PLAN = """
experiment = "engine"
flags = "{flags}"
interval_seconds = 60
calls = 100
successes = 2
failures = 0
inconclusive = 1
gates.unexplained = 0.001
gates.errors = {{ fail_above = 0.01, pass_below = 0.005 }}
{more}
"""


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Evidence:
    """Totals at moments; those of an interval are added up."""

    clock: Clock
    seen: list[tuple[datetime, Totals]] = field(default_factory=list)
    broken: bool = False

    def add(self, totals: Totals, at: datetime | None = None) -> None:
        self.seen.append((at or self.clock.now, totals))

    def totals(self, experiment: str, since: datetime, until: datetime) -> Totals:
        assert experiment == "engine"
        if self.broken:
            raise OSError("the disk is gone")
        return added_up(totals for at, totals in self.seen if since <= at < until)


def added_up(parts: Iterable[Totals]) -> Totals:
    counts: dict[str, Any] = {}
    for part in parts:
        for each in fields(Totals):
            value = getattr(part, each.name)
            if isinstance(value, int):
                counts[each.name] = (counts.get(each.name) or 0) + value
            elif isinstance(value, float):
                counts[each.name] = max(counts.get(each.name) or 0.0, value)
    return Totals(**counts)


@dataclass
class World:
    """A rollout in a folder, with all that acts on it."""

    folder: Path
    more: str = ""
    flags_name: str = "flags.toml"
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        (self.folder / "plan.toml").write_text(PLAN.format(more=self.more, flags=self.flags_name))
        self.evidence = Evidence(self.clock)

    @property
    def plan(self) -> RolloutPlan:
        return read_plan(self.folder / "plan.toml")

    @property
    def flags(self) -> Path:
        return self.folder / self.flags_name

    @property
    def person(self) -> Rollout:
        return Rollout(self.plan, "ann@desk", self.clock)

    @property
    def controller(self) -> Controller:
        return Controller(self.plan, self.evidence, "ann@desk", self.clock)

    def interval(self, totals: Totals = GOOD) -> str:
        """Let an interval pass with these totals in its middle, and step; return the stage."""
        self.clock.wait(30)
        self.evidence.add(totals)
        self.clock.wait(31)
        state = self.controller.step()
        return state.stage if state.phase in ("running", "complete") else state.phase

    def log(self) -> list[AuditEntry]:
        log = AuditLog(self.folder / "rollout.log")
        entries = log.read()
        assert log.problem is None
        return entries

    def whats(self) -> list[str]:
        return [entry.what for entry in self.log()]
