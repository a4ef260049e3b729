"""Two engines compared: `compare` for a migration's report, `judge` for one call's two answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError
from tallow.core.limits import COMPARE_RUNS_MAX, THREADS_MAX
from tallow.core.time import from_us
from tallow.core.timeframe import parse_timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.universe_files import find_universe
from tallow.migrate.compare.asking import ComparisonRun, NoiseFloor, StageProgress, ask_and_compare
from tallow.migrate.compare.counts import ValueCounts, WorstRow, cause_name
from tallow.migrate.compare.flips import COUNTS, DecisionCounts
from tallow.migrate.compare.measuring import Cost, measure, select_measured_part
from tallow.migrate.compare.values import ComparisonRules, ComparisonValues, compare_answers
from tallow.migrate.compare.verdict import Thresholds, Verdict, judge_by
from tallow.migrate.engines import EngineSource
from tallow.migrate.engines.bars import analytics_engine
from tallow.migrate.engines.registry import require_names_of_series
from tallow.migrate.evidence import Judgement
from tallow.migrate.protocol import Engine, Request
from tallow.plan.plan import make_plan
from tallow.runtime.ranges import Range, moment_text
from tallow.runtime.universes import UniverseReport

SCHEMA_VERSION = 2
"""Raised when a field of `Comparison.to_dict` is removed or changes its meaning."""

RUNS = 5


@dataclass(frozen=True)
class EngineSummary:
    """One engine of a comparison; `errors` are why it could not answer, by instrument."""

    name: str
    version: str
    errors: Mapping[str, str]
    cost: Cost


@dataclass(frozen=True)
class Comparison:
    """A control and a candidate, compared on one request.

    Attributes
    ----------
    request
        The request to both, with the same candles.
    noise
        The control against itself.
    measured_instrument, measured_candles
        What time and memory were measured on; None where they were not measured.
    left_out
        What the request's universe left out of the answers, by side; nothing without one.
    """

    request: Request
    rules: ComparisonRules
    control: EngineSummary
    candidate: EngineSummary
    values: ComparisonValues
    noise: NoiseFloor
    verdict: Verdict
    measured_instrument: str | None = None
    measured_candles: int = 0
    output_zone: str | None = None
    left_out: Mapping[str, UniverseReport] = dataclasses.field(default_factory=dict)

    @property
    def zone(self) -> str:
        """By whose clocks times are shown: of the zone that was asked for, or the venue's."""
        return self.output_zone or analytics_engine(self.request).calendars.calendars[0].timezone

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON; ``docs/adr/0012`` describes the fields."""
        values = self.values
        both, control, candidate = values.rows
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict.to_dict(),
            "control": dataclasses.asdict(self.control),
            "candidate": dataclasses.asdict(self.candidate),
            "measured_on": {
                "instrument": self.measured_instrument,
                "candles": self.measured_candles,
            },
            "request": self._request(),
            "rules": self._rules(),
            "noise_floor": dataclasses.asdict(self.noise),
            "bars": {"both": both, "only_control": control, "only_candidate": candidate},
            "left_out": {side: each.to_dict() for side, each in self.left_out.items()},
            "first": time_text(values.first, self.output_zone),
            "last": time_text(values.last, self.output_zone),
            "total": values.total().to_dict(),
            "series": {name: self._series(name, one) for name, one in values.series().items()},
            "not_compared": {
                "only_control": list(values.names.only_control),
                "only_candidate": list(values.names.only_candidate),
            },
            "flips": {
                name: _flips_to_dict(counts, self.output_zone)
                for name, counts in values.flips.items()
            },
            "instruments": {
                instrument: {name: counts.to_dict() for name, counts in by_series.items()}
                for instrument, by_series in values.instruments.items()
            },
        }

    def _series(self, name: str, counts: ValueCounts) -> dict[str, Any]:
        control, candidate = self.values.decimals.get(name, (None, None))
        return counts.to_dict() | {
            "decimals": {"control": control, "candidate": candidate},
            "worst": [
                _row_to_dict(row, self.output_zone) for row in self.values.worst.get(name, ())
            ],
        }

    def _request(self) -> dict[str, Any]:
        request = self.request
        start, end = map(moment_text, (request.start, request.end))
        names = ("timeframe", "source_timeframe", "indicators", "convention", "no_trade")
        fields = {name: getattr(request, name) for name in names} | request.venue
        return fields | {"start": start, "end": end, "candles": len(request.candles)}

    def _rules(self) -> dict[str, Any]:
        rejected = [cause_name(cause) for cause in self.rules.rejected]
        return {"tolerance": vars(self.rules.tolerance), "rejected_causes": rejected}


def compare(
    control: str | EngineSource | Engine,
    candidate: str | EngineSource | Engine,
    request: Request,
    *,
    rules: ComparisonRules | None = None,
    thresholds: Thresholds | None = None,
    runs: int = RUNS,
    workers: int = 1,
    progress: StageProgress = lambda what, done, total: None,
    output_zone: str | None = None,
) -> Comparison:
    """Give both engines the same request, and report what differs, why, and whether it matters.

    Parameters
    ----------
    control, candidate
        What `load_engine` reads, or an engine. `EngineSource` adds a user's names of series.
    request
        Its candles go to both engines. They may be empty where both are stored values.
    rules
        Tolerances, and causes that are not accepted as an explanation.
    runs
        Timed runs of each engine; 0 measures nothing.
    workers
        Processes that find causes; a script with more needs ``if __name__ == "__main__":``.
    output_zone
        By whose clocks the report shows times; the venue's by default, and UTC as plain values.

    Raises
    ------
    ComparisonError
        If an engine answers nothing, or its answer breaks the protocol.
    TallowError
        If an engine is unknown, or a name of its series, or the request cannot be read.
    """
    rules, thresholds = rules or ComparisonRules(), thresholds or Thresholds()
    if not 0 <= runs <= COMPARE_RUNS_MAX:
        raise ParameterError(f"compare: runs={runs}; must be 0..{COMPARE_RUNS_MAX}")
    if not 1 <= workers <= THREADS_MAX:
        raise ParameterError(f"compare: workers={workers}; must be 1..{THREADS_MAX}")
    request, output_zone = read_request(request), require_output_zone(output_zone)
    sources = [EngineSource(e) if isinstance(e, str) else e for e in (control, candidate)]
    engines = [each.load() if isinstance(each, EngineSource) else each for each in sources]
    run = ask_and_compare(engines[0], engines[1], request, rules, progress, workers)
    require_names_of_series(sources, engines)
    costs, measured = [Cost(why="not asked for")] * 2, None
    if runs and len(request.candles):
        measured = select_measured_part(request)
        costs = _measure(sources, measured, runs, progress)
    errors = [run.errors[side] for side in ("control", "candidate")]
    verdict = _judge_run(run, request, thresholds, (costs[0], costs[1]))
    # A remote engine sends its version with its first answer.
    sides = [
        EngineSummary(engine.name, engine.version, reasons, cost)
        for engine, reasons, cost in zip(engines, errors, costs, strict=True)
    ]
    return Comparison(
        request=request,
        rules=rules,
        control=sides[0],
        candidate=sides[1],
        values=run.values,
        noise=run.noise,
        verdict=verdict,
        measured_instrument=None if measured is None else measured.candles["instrument"][0],
        measured_candles=0 if measured is None else len(measured.candles),
        output_zone=output_zone,
        left_out=run.left_out,
    )


def _judge_run(
    run: ComparisonRun, request: Request, thresholds: Thresholds, costs: tuple[Cost, Cost]
) -> Verdict:
    wanted = make_plan(request.indicators).columns
    return judge_by(
        thresholds,
        costs,
        run.values.total(),
        noise=run.noise.differing,
        decisions=run.values.decisions(),
        requested=len(wanted),
        left_out=tuple(name for name in wanted if name not in run.values.names.compared),
        errors=(len(run.errors["control"]), len(run.errors["candidate"])),
    )


def _measure(
    sources: Sequence[EngineSource | Engine], request: Request, runs: int, progress: StageProgress
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
    rules: ComparisonRules | None = None,
) -> Judgement:
    """Compare two answers to one call: the counts of `compare`, without measuring.

    Raises
    ------
    ComparisonError
        If one of them breaks the protocol of engines.
    """
    values = compare_answers(request, control, candidate, rules or ComparisonRules())
    total = values.total()
    return Judgement(
        compared=total.compared,
        equal=total.same,
        explained=total.explained,
        unexplained=total.unexplained,
        flips=values.flipped,
        causes=dict(total.causes),
    )


def read_request(request: Request) -> Request:
    """Return a request with dates and instants for its range, whatever they were written as.

    Raises the error of a wrong request before engines are asked: it is not an engine's.
    """
    parse_timeframe(request.timeframe)
    make_plan(request.indicators)
    calendars = CalendarAssignment(*request.venue.values())
    universe = find_universe(request.universe)
    wanted = Range.of(request.start, request.end, None, universe)
    wanted.check_found(request.candles["instrument"].unique().to_list())
    start, end = wanted.at(calendars.calendars[0])
    candles = wanted.pick(request.candles)
    return dataclasses.replace(request, start=start, end=end, candles=candles, universe=universe)


def time_text(microseconds: int | None, zone: str | None) -> str | None:
    """Return a time as ISO-8601 text by a zone's clocks, or in UTC."""
    if microseconds is None:
        return None
    moment = from_us(microseconds).astimezone(ZoneInfo(zone or "UTC"))
    return moment.isoformat() if zone else moment.isoformat().replace("+00:00", "Z")


def _row_to_dict(row: WorstRow, zone: str | None) -> dict[str, Any]:
    control, candidate = row.values()
    return {
        "instrument": row.instrument,
        "timestamp": time_text(row.timestamp, zone),
        "control": control,
        "candidate": candidate,
        "causes": list(row.causes),
    }


def _flips_to_dict(counts: DecisionCounts, zone: str | None) -> dict[str, Any]:
    first = [
        dataclasses.asdict(flip) | {"timestamp": time_text(flip.timestamp, zone)}
        for flip in counts.first
    ]
    return {name: getattr(counts, name) for name in COUNTS} | {"first": first}
