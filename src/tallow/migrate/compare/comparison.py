"""Two engines compared: `compare` for a migration's report, `judge` for one call's two answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from tallow.core.errors import ParameterError
from tallow.core.limits import COMPARE_RUNS_MAX, THREADS_MAX
from tallow.core.timeframe import parse_timeframe
from tallow.migrate.compare.asking import Asked, Noise, Progress, ask_and_compare
from tallow.migrate.compare.counts import Counts, Place, cause_name
from tallow.migrate.compare.flips import Decided
from tallow.migrate.compare.measuring import Cost, Named, measure, measured_part
from tallow.migrate.compare.values import Rules, Values, compare_answers
from tallow.migrate.compare.verdict import Found, Thresholds, Verdict, judge_by
from tallow.migrate.evidence import Judgement
from tallow.migrate.protocol import Engine, Request
from tallow.plan.plan import make_plan
from tallow.runtime.ranges import Moment, Range

SCHEMA_VERSION = 1
"""Raised when a field of `Comparison.to_dict` changes its meaning or goes; new ones may come."""

RUNS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Side:
    """One engine of a comparison.

    Attributes
    ----------
    errors
        Why it could not answer, by instrument.
    """

    name: str
    version: str
    errors: Mapping[str, str]
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Comparison:
    """A control and a candidate, compared on one request.

    Attributes
    ----------
    request
        What both were asked; both were given the same candles.
    noise
        The control against itself.
    measured_instrument, measured_candles
        The one whose request time and memory were measured on; None where they were not.
    """

    request: Request
    rules: Rules
    control: Side
    candidate: Side
    values: Values
    noise: Noise
    verdict: Verdict
    measured_instrument: str | None = None
    measured_candles: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON; ``docs/adr/0012`` says what is what."""
        values = self.values
        both, control, candidate = values.rows
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict.to_dict(),
            "control": self.control.to_dict(),
            "candidate": self.candidate.to_dict(),
            "measured_on": {
                "instrument": self.measured_instrument,
                "candles": self.measured_candles,
            },
            "request": self._request(),
            "rules": self._rules(),
            "noise_floor": dataclasses.asdict(self.noise),
            "bars": {"both": both, "only_control": control, "only_candidate": candidate},
            "first": time_text(values.first),
            "last": time_text(values.last),
            "total": values.total().to_dict(),
            "series": {name: self._series(name, one) for name, one in values.series().items()},
            "not_compared": {
                "only_control": list(values.names.only_control),
                "only_candidate": list(values.names.only_candidate),
            },
            "flips": {name: _flips(decided) for name, decided in values.flips.items()},
            "instruments": {
                instrument: {name: counts.to_dict() for name, counts in by_series.items()}
                for instrument, by_series in values.instruments.items()
            },
        }

    def _series(self, name: str, counts: Counts) -> dict[str, Any]:
        control, candidate = self.values.decimals.get(name, (None, None))
        return counts.to_dict() | {
            "decimals": {"control": control, "candidate": candidate},
            "worst": [_place(place) for place in self.values.places.get(name, ())],
        }

    def _request(self) -> dict[str, Any]:
        request = self.request
        start, end = map(_moment_text, (request.start, request.end))
        names = ("timeframe", "indicators", "calendar")
        told = {name: getattr(request, name) for name in names}
        return told | {"start": start, "end": end, "candles": len(request.candles)}

    def _rules(self) -> dict[str, Any]:
        rejected = [cause_name(cause) for cause in self.rules.rejected]
        return {"tolerance": vars(self.rules.tolerance), "rejected_causes": rejected}


def compare(
    control: str | Named | Engine,
    candidate: str | Named | Engine,
    request: Request,
    *,
    rules: Rules | None = None,
    thresholds: Thresholds | None = None,
    runs: int = RUNS,
    workers: int = 1,
    progress: Progress = lambda what, done, total: None,
) -> Comparison:
    """Ask both engines the same, and say what differs, why, and whether it matters.

    Parameters
    ----------
    control, candidate
        What `load_engine` reads, or an engine. `Named` adds a user's own names of series.
    request
        Its candles go to both engines. They may be none where both are stored values.
    rules
        Tolerances, and causes that are not accepted as an explanation.
    runs
        Timed runs of each engine; 0 measures nothing.
    workers
        Processes that look for causes, where there are many candles. More than one are spawned: a
        script that asks for them needs ``if __name__ == "__main__":``.

    Raises
    ------
    ComparisonError
        If an engine answers nothing, or what no engine may answer.
    TallowError
        If an engine is unknown, or the request cannot be read.
    """
    rules, thresholds = rules or Rules(), thresholds or Thresholds()
    if not 0 <= runs <= COMPARE_RUNS_MAX:
        raise ParameterError(f"compare: runs={runs}; must be 0..{COMPARE_RUNS_MAX}")
    if not 1 <= workers <= THREADS_MAX:
        raise ParameterError(f"compare: workers={workers}; must be 1..{THREADS_MAX}")
    check_request(request)
    sources = [Named(each) if isinstance(each, str) else each for each in (control, candidate)]
    engines = [each.load() if isinstance(each, Named) else each for each in sources]
    asked = ask_and_compare(engines[0], engines[1], request, rules, progress, workers)
    part = measured_part(request)
    is_measured = runs > 0 and len(part.candles) > 0
    costs = (
        _costs(sources, part, runs, progress) if is_measured else [Cost(why="not asked for")] * 2
    )
    failed = [asked.errors[side] for side in ("control", "candidate")]
    found = _found(asked, make_plan(request.indicators).columns, failed)
    verdict = judge_by(thresholds, found, (costs[0], costs[1]))
    # A remote engine says its version with its first answer.
    sides = [
        Side(engine.name, engine.version, errors, cost)
        for engine, errors, cost in zip(engines, failed, costs, strict=True)
    ]
    return Comparison(
        request=request,
        rules=rules,
        control=sides[0],
        candidate=sides[1],
        values=asked.values,
        noise=asked.noise,
        verdict=verdict,
        measured_instrument=part.candles["instrument"][0] if is_measured else None,
        measured_candles=len(part.candles) if is_measured else 0,
    )


def _found(asked: Asked, wanted: Sequence[str], failed: Sequence[Mapping[str, str]]) -> Found:
    """Return what a verdict is made of."""
    compared = asked.values.names.compared
    return Found(
        asked.values.total(),
        asked.noise.differing,
        asked.values.decisions(),
        len(wanted),
        tuple(name for name in wanted if name not in compared),
        (len(failed[0]), len(failed[1])),
    )


def _costs(
    sources: Sequence[Named | Engine], request: Request, runs: int, progress: Progress
) -> list[Cost]:
    costs: list[Cost] = []
    for source in sources:
        progress("Measuring", len(costs), len(sources))
        costs.append(measure(source, request, runs))
    return costs


def judge(
    control: pl.DataFrame,
    candidate: pl.DataFrame,
    request: Request,
    rules: Rules | None = None,
) -> Judgement:
    """Compare two answers to one call: the counts of `compare`, without measuring.

    Raises
    ------
    ComparisonError
        If one of them is not what an engine must answer.
    """
    values = compare_answers(request, control, candidate, rules or Rules())
    total = values.total()
    return Judgement(
        compared=total.compared,
        equal=total.same,
        explained=total.explained,
        unexplained=total.unexplained,
        flips=values.flipped,
        causes=dict(total.causes),
    )


def check_request(request: Request) -> None:
    """Raise what is wrong with a request before engines are asked: it is no engine's error."""
    parse_timeframe(request.timeframe)
    make_plan(request.indicators)
    Range.of(request.start, request.end, None)


def moment(microseconds: int) -> datetime:
    """Return an instant given in microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def time_text(microseconds: int | None) -> str | None:
    """Return an instant as ISO-8601 text in UTC."""
    if microseconds is None:
        return None
    return moment(microseconds).isoformat().replace("+00:00", "Z")


def _moment_text(given: Moment | None) -> str | None:
    return given.isoformat() if isinstance(given, date) else given


def _place(place: Place) -> dict[str, Any]:
    control, candidate = place.values()
    return {
        "instrument": place.instrument,
        "timestamp": time_text(place.timestamp),
        "control": control,
        "candidate": candidate,
        "causes": list(place.causes),
    }


def _flips(decided: Decided) -> dict[str, Any]:
    first = [
        dataclasses.asdict(flip) | {"timestamp": time_text(flip.timestamp)}
        for flip in decided.first
    ]
    names = ("control", "candidate", "same", "flipped", "unexplained")
    return {name: getattr(decided, name) for name in names} | {"first": first}
