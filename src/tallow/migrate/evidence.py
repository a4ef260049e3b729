"""What is known about a candidate while it runs: observations in, totals of an interval out.

Serving processes write observations; the controller of a rollout reads totals. Neither needs the
other, or the candidate's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

Side = Literal["control", "candidate"]

Decision = Literal["off", "shadow", "candidate"]
"""``off``: only the control runs; ``shadow``: it answers, and the candidate runs in the background;
``candidate``: the candidate answers."""


@dataclass(frozen=True)
class Judgement:
    """The result of comparing two answers to one call, as counts of values.

    ``explained`` values differ for a known and accepted cause, ``unexplained`` ones without one.
    ``flips`` are decisions that differ: crossings, squeezes, overbought states.
    """

    compared: int = 0
    equal: int = 0
    explained: int = 0
    unexplained: int = 0
    flips: int = 0
    causes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """One call as it was answered, and the result of the side that ran in the background.

    Parameters
    ----------
    experiment
        The flag's name.
    key
        What the flag is sticky by: the instrument.
    served
        The side whose answer the caller got. A candidate that failed was replaced by the control.
    control_ms, candidate_ms
        How long each took in the serving process; None if it did not run there, or raised. A
        candidate that was too late for the caller counts with its deadline.
    error
        What the candidate raised, or that it was too slow or too large; None if it was neither.
    skipped
        Why a sampled call was not compared: a full queue, inputs that cannot be copied. None if it
        was compared or not sampled.
    staleness_seconds
        Age of the newest data in the served answer, if the experiment has `newest`; None if the
        call was not compared.
    judgement
        None if the answers were not compared.
    background_ms
        How long the other side took in the background, in a process of the lowest priority; None if
        it did not run there, or raised.
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
    background_ms: float | None = None


@dataclass(frozen=True)
class Totals:
    """Observations of one experiment in one interval, added up.

    ``served`` counts calls that the candidate answered; ``tried`` those in which it ran or failed;
    ``skipped`` those that were sampled but did not fit the budget. ``compared`` to ``flips`` count
    values. The staleness is the largest one.

    ``control_p99_ms`` and ``candidate_p99_ms`` are over calls in the serving processes: the time
    that callers waited. The other two are over calls in the background, and kept apart: on a busy
    host, everything is slow at the lowest priority. None if there were too few calls; of fewer than
    a hundred, the slowest is left out, which may be an accident.
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
    control_background_p99_ms: float | None = None
    candidate_background_p99_ms: float | None = None
    staleness_seconds: float | None = None
    causes: dict[str, int] = field(default_factory=dict)


class EvidenceSource(Protocol):
    """Where a rollout reads its totals."""

    def totals(self, experiment: str, since: datetime, until: datetime) -> Totals:
        """Return what was observed in ``since <= at < until``."""


@runtime_checkable
class OrderedEvidence(EvidenceSource, Protocol):
    """Evidence with an order of its own, independent of the times of its observations.

    A clock that is set back passes the same times twice; only the order distinguishes them.
    """

    def position(self, experiment: str) -> int:
        """Return a number that no observation so far exceeds, and every later one does."""
        ...

    def totals_after(
        self, experiment: str, since: datetime, until: datetime, position: int
    ) -> Totals:
        """Return what was observed in ``since <= at < until``, and written after a position."""
        ...
