"""Engines are asked for instruments in blocks; the control twice, to see whether it repeats itself.

An engine that fails in a block is asked for each instrument alone: one bad instrument is one error.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import polars as pl

from tallow.core.errors import ComparisonError, TallowWarning
from tallow.core.limits import COMPARE_BLOCK_ROWS, COMPARE_FAILURES_ASKED
from tallow.data.runs import instrument_runs
from tallow.migrate.compare.matching import Match, Tolerance, match_rows
from tallow.migrate.compare.pairing import KEYS, Answer, join_rows
from tallow.migrate.compare.pool import comparer
from tallow.migrate.compare.values import Rules, Values
from tallow.migrate.protocol import Engine, Request

Progress = Callable[[str, int, int], None]
"""Called with what is done now, how far it is, and how far it goes."""

EMPTY = pl.DataFrame(schema={"instrument": pl.String, "timestamp": pl.Datetime("us", "UTC")})


@dataclass
class Noise:
    """The control against itself: values compared, and those that its second answer changed."""

    compared: int = 0
    differing: int = 0
    series: dict[str, int] = field(default_factory=dict)


@dataclass
class Asked:
    """What comparing all instruments gave.

    Attributes
    ----------
    errors
        Why a side could not answer, by instrument.
    """

    values: Values
    noise: Noise = field(default_factory=Noise)
    errors: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"control": {}, "candidate": {}}
    )


def ask_and_compare(
    control: Engine,
    candidate: Engine,
    request: Request,
    rules: Rules,
    progress: Progress,
    workers: int = 1,
) -> Asked:
    """Compare both engines' answers for every instrument.

    Raises
    ------
    ComparisonError
        If one of them answers for no instrument: there is nothing to compare.
    """
    asked = Asked(Values())
    instruments = request.candles["instrument"].n_unique()
    progress("Comparing", 0, instruments)
    move = partial(_move, progress, itertools.count(1), instruments)
    several = workers if len(request.candles) > COMPARE_BLOCK_ROWS else 1
    with comparer(asked.values, rules, several) as pool:
        for block in blocks(request):
            first = ask(control, block, asked.errors["control"])
            again = ask(control, block, {})
            other = ask(candidate, block, asked.errors["candidate"])
            _add_noise(asked.noise, first, again, rules.tolerance)
            # Whoever failed for an instrument has an error, and no missing values besides.
            failed = [name for errors in asked.errors.values() for name in errors]
            told = [frame.filter(~pl.col("instrument").is_in(failed)) for frame in (first, other)]
            pool.compare(block, told[0], told[1], move)
        pool.finish()
    _require_answers(control, candidate, asked)
    return asked


def blocks(request: Request) -> Iterator[Request]:
    """Yield parts of a request, each with whole instruments."""
    names, offsets = instrument_runs(request.candles)
    first = 0
    # Without candles, stored values are compared with stored values: all of them at once.
    while first < len(names) or first == 0:
        room = offsets[min(first, len(names))] + COMPARE_BLOCK_ROWS
        last = max(int(np.searchsorted(offsets, room, "right")) - 1, first + 1)
        rows = request.candles[int(offsets[first]) : int(offsets[min(last, len(names))])]
        yield replace(request, candles=rows)
        first = last


def ask(engine: Engine, request: Request, errors: MutableMapping[str, str]) -> pl.DataFrame:
    """Return an engine's answer; why it could not answer is put into `errors` by instrument."""
    try:
        return _answered(engine, request)
    # A user's engine may raise anything, and it is a count in the verdict, not the end.
    except Exception as error:  # noqa: BLE001
        names = request.candles["instrument"].unique(maintain_order=True).to_list()
        if len(names) <= 1:
            errors["".join(names) or "all"] = _told(error)
            return EMPTY
    answers, failures = [EMPTY], dict[str, str]()
    for place, name in enumerate(names):
        if len(failures) == place == COMPARE_FAILURES_ASKED:
            # It fails for all: each further question might take its whole time limit.
            failures |= dict.fromkeys(names[place:], failures[names[0]])
            break
        own = request.candles.filter(pl.col("instrument") == name)
        answers.append(ask(engine, replace(request, candles=own), failures))
    errors.update(failures)
    return pl.concat(answers, how="diagonal_relaxed").sort(KEYS)


def _answered(engine: Engine, request: Request) -> pl.DataFrame:
    with warnings.catch_warnings():
        # A warning says that instruments were left out: asked alone, each says why.
        warnings.simplefilter("error", TallowWarning)
        answer = engine.answer(request)
    if not len(request.candles):
        return answer
    asked = request.candles["instrument"].unique()
    return answer.filter(pl.col("instrument").is_in(asked.to_list()))


def _told(error: Exception) -> str:
    text = str(error)
    return (
        text if type(error).__module__.startswith("tallow.") else f"{type(error).__name__}: {text}"
    )


def _move(progress: Progress, done: Iterator[int], instruments: int) -> None:
    progress("Comparing", next(done), instruments)


def _add_noise(
    noise: Noise, first: pl.DataFrame, again: pl.DataFrame, tolerance: Tolerance
) -> None:
    left, right = Answer.of("control", first), Answer.of("control", again)
    for rows in join_rows(left, right):
        for name in dict.fromkeys((*left.columns, *right.columns)):
            matches = match_rows(rows.pair(name), tolerance, (None, None))
            noise.compared += int(np.count_nonzero(matches != Match.NOTHING))
            if differing := int(np.count_nonzero(matches >= Match.DIFFERENT)):
                noise.differing += differing
                noise.series[name] = noise.series.get(name, 0) + differing


def _require_answers(control: Engine, candidate: Engine, asked: Asked) -> None:
    if asked.values.instruments:
        return
    for side, engine in (("control", control), ("candidate", candidate)):
        for name, why in asked.errors[side].items():
            raise ComparisonError(
                f"compare: {side}={engine.name!r}; it must answer for one instrument at least; "
                f"{name}: {why}"
            )
    raise ComparisonError(
        "compare: no bars on either side; nothing to compare; look at start=, end= and the candles"
    )
