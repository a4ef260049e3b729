"""Asks engines for instruments in blocks; the control twice, to see whether it is repeatable.

An engine that fails in a block is asked for each instrument alone: one bad instrument is one error.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ComparisonError, EmptyWarning, NoBarsError, TallowWarning
from tallow.core.limits import COMPARE_BLOCK_ROWS, COMPARE_FAILURES_ASKED
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_KEY
from tallow.data.universe_files import find_universe
from tallow.migrate.compare.matching import Match, Tolerance, match_rows
from tallow.migrate.compare.pairing import Answer, join_rows
from tallow.migrate.compare.pool import comparing_processes
from tallow.migrate.compare.values import (
    BlockComparer,
    ComparisonRules,
    ComparisonValues,
    OnInstrument,
    compare_answers,
)
from tallow.migrate.engines.bars import shared_bars
from tallow.migrate.protocol import Engine, Request
from tallow.runtime.universes import MemberCut, UniverseReport

StageProgress = Callable[[str, int, int], None]
"""Called with the present stage of the work, the steps done, and the steps in all."""

EMPTY = pl.DataFrame(schema={"instrument": pl.String, "timestamp": pl.Datetime("us", "UTC")})


@dataclass
class NoiseFloor:
    """The control against itself: values compared, and those that differ in its second answer."""

    compared: int = 0
    differing: int = 0
    series: dict[str, int] = field(default_factory=dict)


@dataclass
class ComparisonRun:
    """All instruments compared; `errors` are why a side could not answer, by instrument.

    `left_out` is what a universe left out of each side's answer.
    """

    values: ComparisonValues
    noise: NoiseFloor = field(default_factory=NoiseFloor)
    errors: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"control": {}, "candidate": {}}
    )
    left_out: dict[str, UniverseReport] = field(default_factory=dict)


def ask_and_compare(
    control: Engine,
    candidate: Engine,
    request: Request,
    rules: ComparisonRules,
    progress: StageProgress,
    workers: int = 1,
) -> ComparisonRun:
    """Compare both engines' answers for every instrument.

    `ComparisonError` if one of them answers for no instrument: there is nothing to compare.
    """
    run = ComparisonRun(ComparisonValues())
    instruments, members = request.candles["instrument"].n_unique(), _SideMembers(request)
    progress("Comparing", 0, instruments)
    done = itertools.count(1)

    def advance() -> None:
        progress("Comparing", next(done), instruments)

    processes = workers if len(request.candles) > COMPARE_BLOCK_ROWS else 1
    with ExitStack() as stack:
        compare: BlockComparer = partial(_compare_here, run.values, rules)
        if processes > 1:
            compare = stack.enter_context(comparing_processes(run.values, rules, processes))
        for block in split_blocks(request):
            # Engines on our own bars, and the search for causes, need the same ones.
            with shared_bars():
                first = ask(control, block, run.errors["control"])
                second = ask(control, block, {})
                other = ask(candidate, block, run.errors["candidate"])
                first, second, other = members.cut(first, second, other)
                _add_noise(run.noise, first, second, rules.tolerance)
                # A side that failed for an instrument has an error, and no missing values besides.
                failed = [name for errors in run.errors.values() for name in errors]
                answers = [
                    frame.filter(~pl.col("instrument").is_in(failed)) for frame in (first, other)
                ]
                compare(block, answers[0], answers[1], advance)
    _require_answers(control, candidate, run)
    run.left_out = members.reports()
    return run


class _SideMembers:
    """Cuts the answers of both sides to the members of a request's universe, if it has one."""

    def __init__(self, request: Request) -> None:
        universe = find_universe(request.universe)
        self._cuts: list[MemberCut] = []
        self._known = set(request.candles["instrument"].unique())
        if universe is not None:
            calendars = CalendarAssignment(*request.venue.values())
            self._cuts = [MemberCut(universe, calendars) for _ in range(3)]

    def cut(self, *answers: pl.DataFrame) -> Sequence[pl.DataFrame]:
        """Return the answers of the control, of it again, and of the candidate."""
        if not self._cuts:
            return answers
        for answer in answers:
            # Stored values come without candles.
            self._known.update(answer["instrument"].unique() if "instrument" in answer else ())
        # What is no answer by the protocol is refused where it is read.
        keys = {"instrument": pl.String, "timestamp": pl.Datetime("us", "UTC")}
        return [
            cut.cut(answer) if answer.schema.items() >= keys.items() else answer
            for cut, answer in zip(self._cuts, answers, strict=True)
        ]

    def reports(self) -> dict[str, UniverseReport]:
        """Return what was left out of each side's answer; nothing without a universe."""
        sides = zip(("control", "candidate"), self._cuts[::2], strict=False)
        return {side: cut.report(cut.universe.instruments, self._known) for side, cut in sides}


def _compare_here(
    values: ComparisonValues,
    rules: ComparisonRules,
    block: Request,
    control: pl.DataFrame,
    candidate: pl.DataFrame,
    on_instrument: OnInstrument,
) -> None:
    values.add(compare_answers(block, control, candidate, rules, on_instrument))


def split_blocks(request: Request) -> Iterator[Request]:
    """Yield parts of a request, each with whole instruments."""
    names, offsets = instrument_runs(request.candles)
    first = 0
    # Without candles, stored values are compared with stored values: all of them at once.
    while first < len(names) or first == 0:
        end = offsets[min(first, len(names))] + COMPARE_BLOCK_ROWS
        last = max(int(np.searchsorted(offsets, end, "right")) - 1, first + 1)
        rows = request.candles[int(offsets[first]) : int(offsets[min(last, len(names))])]
        yield replace(request, candles=rows)
        first = last


def ask(engine: Engine, request: Request, errors: MutableMapping[str, str]) -> pl.DataFrame:
    """Return an engine's answer; reasons why it could not answer go to `errors` by instrument."""
    try:
        return _require_answer(engine, request)
    # A user's engine may raise anything, and it counts as an error in the verdict.
    except Exception as error:  # noqa: BLE001
        names = request.candles["instrument"].unique(maintain_order=True).to_list()
        if len(names) <= 1:
            errors["".join(names) or "all"] = _error_text(error)
            return EMPTY
    answers, failures = [EMPTY], dict[str, str]()
    for number, name in enumerate(names):
        if len(failures) == number == COMPARE_FAILURES_ASKED:
            # It fails for all of them: each further request might take its whole time limit.
            failures |= dict.fromkeys(names[number:], failures[names[0]])
            break
        own = request.candles.filter(pl.col("instrument") == name)
        answers.append(ask(engine, replace(request, candles=own), failures))
    errors.update(failures)
    return pl.concat(answers, how="diagonal_relaxed").sort(CANDLE_KEY)


def _require_answer(engine: Engine, request: Request) -> pl.DataFrame:
    with warnings.catch_warnings():
        # A warning says that instruments are missing: asked for alone, each gives its reason.
        warnings.simplefilter("error", TallowWarning)
        # An answer without a bar is one, too.
        warnings.simplefilter("ignore", EmptyWarning)
        answer = engine.answer(request)
    if not len(request.candles):
        return answer
    asked = request.candles["instrument"].unique()
    return answer.filter(pl.col("instrument").is_in(asked.to_list()))


def _error_text(error: Exception) -> str:
    is_own = type(error).__module__.startswith("tallow.")
    return str(error) if is_own else f"{type(error).__name__}: {error}"


def _add_noise(
    noise: NoiseFloor, first: pl.DataFrame, second: pl.DataFrame, tolerance: Tolerance
) -> None:
    left, right = Answer.of("control", first), Answer.of("control", second)
    for rows in join_rows(left, right):
        for name in dict.fromkeys((*left.columns, *right.columns)):
            matches = match_rows(rows.pair(name), tolerance, (None, None))
            noise.compared += int(np.count_nonzero(matches != Match.NOTHING))
            if differing := int(np.count_nonzero(matches >= Match.DIFFERENT)):
                noise.differing += differing
                noise.series[name] = noise.series.get(name, 0) + differing


def _require_answers(control: Engine, candidate: Engine, run: ComparisonRun) -> None:
    if run.values.instruments:
        return
    for side, engine in (("control", control), ("candidate", candidate)):
        for name, why in run.errors[side].items():
            raise ComparisonError(
                f"compare: {side}={engine.name!r}; it must answer for one instrument at least; "
                f"{name}: {why}"
            )
    raise NoBarsError(
        "compare: no bars on either side; nothing to compare; look at start=, end=, calendar= and "
        "the candles"
    )
