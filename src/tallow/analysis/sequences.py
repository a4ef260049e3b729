"""Sequences of moves as frames: each one, the patterns they make, and scores of instruments."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl

from tallow.analysis.sequence_result import SequenceResult
from tallow.analysis.wilson import ratio, wilson_interval
from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.time import from_us
from tallow.data.kernels import sequence_scores as scores
from tallow.data.kernels import sequences as kernels
from tallow.data.kernels.sequences import MoveRows, Patterns, Sequences
from tallow.data.reading.schema import TIME_TYPE
from tallow.runtime.operations import in_parallel, split_evenly, to_series


@dataclass(frozen=True, eq=False)
class MoveBars:
    """Closed bars of instruments with their moves."""

    names: Sequence[str]
    rows: MoveRows


def analyse(
    bars: MoveBars,
    horizon: int,
    split: float,
    threshold: float,
    pool: Executor | None = None,
    threads: int = 1,
) -> SequenceResult:
    """Return the sequences of bars with patterns and scores.

    Parameters
    ----------
    horizon
        Bars after which it is looked what came of a sequence.
    split
        Share of the bars that are the first part of the history.
    threshold
        Strength from which a move is strong.
    pool, threads
        Who shares the instruments.
    """
    rows = kernels.as_read_only(bars.rows)
    split_at = kernels.split_time(rows, split)
    found = kernels.room_for_sequences(rows)
    counts = np.zeros((len(bars.names), kernels.OUTCOME_COUNTS), np.int64)
    numbers = np.full((len(scores.SCORES), len(bars.names)), np.nan)

    def find(own: slice) -> None:
        when = (own.start, own.stop, horizon, split_at)
        kernels.find_sequences(rows, found, *when)
        kernels.count_outcomes(rows, counts, *when)

    def sum_up(own: slice) -> Patterns:
        scores.score(rows, asked, counts, numbers, own.start, own.stop, threshold)
        return kernels.group_patterns(asked, own.start, own.stop)

    parts = split_evenly(rows.offsets, threads) or [slice(0, len(bars.names))]
    in_parallel(pool, [partial(find, own) for own in parts])
    asked = kernels.of_those_asked(rows, found)
    grouped = in_parallel(pool, [partial(sum_up, own) for own in parts])
    own = _Ranking(kernels.join_patterns(grouped), counts)
    # Here, and not on threads: many small steps of Python only wait for each other there.
    frame = _sequence_frame(bars.names, asked)
    patterns, pooled = _pattern_frames(bars.names, own)
    scored = _score_frame(bars.names, numbers, asked, own)
    newest = None if not len(rows.ends) else from_us(int(rows.ends.max()))
    return SequenceResult(
        frame,
        patterns,
        pooled,
        scored,
        horizon,
        None if newest is None else from_us(split_at),
        newest,
    )


def _sequence_frame(names: Sequence[str], found: Sequences) -> pl.DataFrame:
    codes = np.repeat(np.arange(len(names), dtype=np.uint32), np.diff(found.offsets))
    is_over = (found.stage & kernels.OVER) > 0
    return pl.DataFrame(
        {
            "instrument": _names(names, codes),
            "start": pl.Series(found.start).cast(TIME_TYPE),
            "end": pl.Series(found.end).cast(TIME_TYPE),
            **_kind_columns(found.kind),
            "length": found.length,
            "strength": found.strength,
            "return_percent": found.gain,
            "gap": _counts(found.gap, found.gap >= 0),
            "volume": found.volume,
            "over_at": _counts(found.over_at, is_over).cast(TIME_TYPE),
            "outcome_percent": to_series("outcome_percent", found.outcome),
        }
    )


def _pattern_frames(names: Sequence[str], own: _Ranking) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return patterns by instrument, and those of all together."""
    counts = own.counts.sum(axis=0, keepdims=True)
    pooled = _Ranking(kernels.pool_patterns(own.found), counts)
    columns = {"instrument": _names(names, own.found.group), **own.columns()}
    return pl.DataFrame(columns), pl.DataFrame(pooled.columns())


def _kind_columns(kind: Any) -> dict[str, pl.Series]:
    """Return what a kind is in two columns."""
    strong = (kind & kernels.STRONG).astype(np.uint32)
    return {
        # An index of a small type is a gather without a query.
        "type": pl.Series(["weak", "strong"])[strong],
        "direction": pl.Series(((kind & kernels.UP) - 1).astype(np.int8)),
    }


def _names(names: Sequence[str], codes: Any) -> pl.Series:
    found: pl.Series = pl.Series(list(names), dtype=pl.String)[codes.astype(np.uint32)]
    return found


def _counts(values: Any, known: Flags) -> pl.Series:
    """Return whole numbers, null where one is not known."""
    return pl.Series(values.astype(np.int64)).set(pl.Series(~known), None)


@dataclass(frozen=True, eq=False)
class _Ranking:
    """Patterns by group, in their order, and what came after all bars of a group."""

    found: Patterns
    counts: Ints

    def columns(self) -> dict[str, pl.Series]:
        """Return what is known of each."""
        found, sums = self.found, self.found.sums
        base = self.counts[found.group].astype(np.float64)
        is_up = (found.kind & kernels.UP) > 0
        alike = np.where(is_up, base[:, kernels.RISES], base[:, kernels.FALLS])
        frequency, outcomes = sums[kernels.FREQUENCY], sums[kernels.OUTCOMES]
        low, high = wilson_interval(sums[kernels.SUCCESSES], outcomes)
        numbers = {
            "frequency": frequency.astype(np.int64),
            "strength": sums[kernels.STRENGTH] / frequency,
            "return_percent": sums[kernels.GAIN] / frequency,
            "gap": ratio(sums[kernels.GAP], sums[kernels.GAPS]),
            "outcomes": outcomes.astype(np.int64),
            "success": ratio(sums[kernels.SUCCESSES], outcomes),
            "success_low": low,
            "success_high": high,
            "base_rate": ratio(alike, base[:, kernels.ALL]),
            "outcome_percent": ratio(sums[kernels.OUTCOME], outcomes),
            "first_frequency": sums[kernels.FIRST_FREQUENCY].astype(np.int64),
            "first_success": self._first_success,
            "dominance": self.dominance,
        }
        return {
            **_kind_columns(found.kind),
            "length": pl.Series(found.length),
            **{name: to_series(name, values) for name, values in numbers.items()},
            "is_dominant": pl.Series(self.is_dominant),
        }

    @property
    def _first_success(self) -> Floats:
        sums = self.found.sums
        return ratio(sums[kernels.FIRST_SUCCESSES], sums[kernels.FIRST_OUTCOMES])

    @cached_property
    def dominance(self) -> Floats:
        """Of the first part alone: share of all patterns x mean strength x success."""
        group, frequency = self.found.group, self.found.sums[kernels.FIRST_FREQUENCY]
        in_all: Floats = np.bincount(group, frequency).astype(np.float64)[group]
        strength = ratio(self.found.sums[kernels.FIRST_STRENGTH], frequency)
        return ratio(frequency, in_all) * strength * self._first_success

    @cached_property
    def is_dominant(self) -> Flags:
        """Whether a pattern has the highest dominance of its group; of equals, the shortest one."""
        found, values = self.found, np.nan_to_num(self.dominance)
        starts = np.flatnonzero(np.diff(found.group, prepend=-1))
        if not len(starts):
            return np.zeros(0, np.bool_)
        which = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))
        is_best = (values == np.maximum.reduceat(values, starts)[which]) & (values > 0.0)
        cells = np.where(is_best, kernels.KINDS * found.length + found.kind, np.iinfo(np.int64).max)
        is_first: Flags = is_best & (cells == np.minimum.reduceat(cells, starts)[which])
        return is_first


def _score_frame(
    names: Sequence[str], numbers: Floats, found: Sequences, patterns: _Ranking
) -> pl.DataFrame:
    """Return the scores of instruments, with the pattern that is dominant and what goes on."""
    trials, hits = numbers[scores.PREDICTIONS], numbers[scores.HITS]
    low, high = wilson_interval(hits, trials)
    columns = {
        **{name: numbers[scores.SCORES.index(name)] for name in scores.SCORES[1:6]},
        "predictive": ratio(hits, trials),
        "predictive_low": low,
        "predictive_high": high,
        "predictive_base": ratio(numbers[scores.USUAL_HITS], trials),
        "predictions": trials.astype(np.int64),
        **{name: numbers[scores.SCORES.index(name)] for name in scores.SCORES[9:]},
    }
    return pl.DataFrame(
        {
            "instrument": pl.Series(list(names), dtype=pl.String),
            "sequences": numbers[scores.SEQUENCES].astype(np.int64),
            **{name: to_series(name, values) for name, values in columns.items()},
            **_dominant(patterns, len(names)),
            **_current(found),
        }
    )


def _dominant(patterns: _Ranking, instruments: int) -> dict[str, pl.Series]:
    """Return the dominant pattern of each instrument; null where it has none."""
    own = np.full(instruments, -1)
    marked = np.flatnonzero(patterns.is_dominant)
    own[patterns.found.group[marked]] = marked
    return _described("dominant", patterns.found, own)


def _described(what: str, found: Patterns | Sequences, places: Ints) -> dict[str, pl.Series]:
    """Return what some are, each by its place; null where that is below 0."""
    kinds = _kind_columns(_take(found.kind, places))
    columns = {**kinds, "length": pl.Series(_take(found.length, places))}
    known = _counts(np.arange(len(places)), places >= 0).cast(pl.UInt32)
    return {f"{what}_{name}": column.gather(known) for name, column in columns.items()}


def _current(found: Sequences) -> dict[str, pl.Series]:
    """Return what goes on with each instrument; null where its newest bar is in no sequence."""
    last = np.where(np.diff(found.offsets) > 0, found.offsets[1:] - 1, -1)
    last = np.where(_take(found.stage, last) & kernels.OVER, -1, last)
    strength = _take(found.strength, last)
    strength[last < 0] = np.nan
    return {
        **_described("current", found, last),
        "current_strength": to_series("current_strength", strength),
    }


def _take(column: Any, places: Ints) -> Any:
    """Return the values at places; where one is below 0, anything."""
    return column[np.maximum(places, 0)] if len(column) else np.zeros(len(places), column.dtype)
