"""What is known of a candidate while it runs: observations in, totals of an interval out.

Processes that serve write observations; whoever decides about a rollout reads totals. Neither
needs the other, nor the code of the candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

Side = Literal["control", "candidate"]


@dataclass(frozen=True)
class Judgement:
    """What comparing two answers to one call found; counts of values.

    ``unexplained`` are values that differ for no cause that is known and accepted;
    ``explained`` those that differ for one. ``flips`` are decisions that differ: crossings,
    squeezes, overbought states.
    """

    compared: int = 0
    equal: int = 0
    explained: int = 0
    unexplained: int = 0
    flips: int = 0
    causes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """One call as it was answered, and what the side that ran aside made of it.

    Parameters
    ----------
    experiment
        The flag's name.
    key
        What the flag is sticky by: the instrument.
    served
        The side whose answer the caller got. A candidate that failed was replaced by the control.
    control_ms, candidate_ms
        How long each took in the serving process; None where it did not run there, or raised. A
        candidate that was too late for the caller counts with its deadline.
    error
        What the candidate raised, or that it was too slow or too large; None where it was well.
    skipped
        Why the call, though sampled, was not compared: no room in the queue, inputs that cannot be
        copied. None where it was, or was not sampled.
    staleness_seconds
        How old the newest data in the served answer was, where the call tells it; not known where
        there was nothing to compare.
    judgement
        None where the answers were not compared.
    aside_ms
        How long the other side took aside, in a process of the lowest priority; None where it did
        not run there, or raised.
    """

    experiment: str
    at: datetime
    key: str
    served: Side
    control_ms: float | None = None
    candidate_ms: float | None = None
    error: str | None = None
    skipped: str | None = None
    staleness_seconds: float | None = None
    judgement: Judgement | None = None
    aside_ms: float | None = None


@dataclass(frozen=True)
class Totals:
    """Observations of one experiment in one interval, added up.

    ``served`` counts calls whose answer was the candidate's; ``tried`` those where it ran at all,
    or failed to; ``skipped`` those that were sampled but did not fit the budget. ``compared`` to
    ``flips`` count values. The staleness is the worst that was seen.

    ``control_p99_ms`` and ``candidate_p99_ms`` are over calls that ran in the serving processes:
    what callers waited for. The other two are over calls that ran aside, and never mixed in: on a
    busy host the lowest priority is slow, whatever runs with it. None where there were too few
    calls; of fewer than a hundred, one is left out: it may be an accident.
    """

    calls: int = 0
    served: int = 0
    tried: int = 0
    errors: int = 0
    skipped: int = 0
    compared: int = 0
    equal: int = 0
    explained: int = 0
    unexplained: int = 0
    flips: int = 0
    control_p99_ms: float | None = None
    candidate_p99_ms: float | None = None
    control_aside_p99_ms: float | None = None
    candidate_aside_p99_ms: float | None = None
    staleness_seconds: float | None = None
    causes: dict[str, int] = field(default_factory=dict)


class EvidenceSource(Protocol):
    """Where a rollout reads what happened."""

    def totals(self, experiment: str, since: datetime, until: datetime) -> Totals:
        """Return what was observed in ``since <= at < until``."""


@runtime_checkable
class OrderedEvidence(EvidenceSource, Protocol):
    """Evidence that knows its own order, whatever the clocks of its observations say.

    A clock that is set back passes the same times twice: only the order tells them apart.
    """

    def position(self, experiment: str) -> int:
        """Return a number that no observation of before exceeds, and each one after does."""
        ...

    def totals_after(
        self, experiment: str, since: datetime, until: datetime, position: int
    ) -> Totals:
        """Return what was observed in ``since <= at < until``, and written after a position."""
        ...
