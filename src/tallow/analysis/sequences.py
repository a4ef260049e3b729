"""Sequences of moves as frames: each one, the patterns they make, and scores of instruments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tallow.analysis.sequence_result import SequenceResult
from tallow.analysis.wilson import ratio, wilson_interval
from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.time import from_us
from tallow.data.kernels import sequence_scores as scores
from tallow.data.kernels import sequences as kernels
from tallow.data.kernels.sequences import MoveRows, Patterns, Sequences
from tallow.data.reading.schema import TIME_TYPE
from tallow.runtime.operations import to_series


@dataclass(frozen=True, eq=False)
class MoveBars:
    """Closed bars of instruments with their moves, and when each bar opened, in microseconds."""

    names: Sequence[str]
    opens: Times
    rows: MoveRows


def analyse(bars: MoveBars, horizon: int, split: float, threshold: float) -> SequenceResult:
    """Return the sequences of bars with patterns and scores.

    Parameters
    ----------
    horizon
        Bars after which it is looked what came of a sequence.
    split
        Share of the bars that are the first part of the history.
    threshold
        Strength from which a move is strong.
    """
    rows = kernels.as_read_only(bars.rows)
    split_at = _split_time(rows.ends, split)
    found = kernels.find_sequences(rows, horizon, split_at)
    counts = kernels.count_outcomes(rows, horizon, split_at)
    own = _pattern_frame(kernels.group_patterns(found.offsets, found), counts, bars.names)
    everything = np.array([0, len(found.kind)])
    together = kernels.group_patterns(everything, found)
    pooled = _pattern_frame(together, counts.sum(axis=0, keepdims=True), ("",))
    numbers = scores.score(rows, found, counts, threshold)
    newest = None if not len(rows.ends) else from_us(int(rows.ends.max()))
    return SequenceResult(
        _sequence_frame(bars, found),
        own,
        pooled.drop("instrument"),
        _score_frame(bars.names, numbers, found, own),
        horizon,
        None if newest is None else from_us(split_at),
        newest,
    )


def _split_time(ends: Times, split: float) -> int:
    """Return by when this share of all bars had closed."""
    if not len(ends):
        return 0
    place = int(split * (len(ends) - 1))
    return int(np.partition(ends, place)[place])


def _sequence_frame(bars: MoveBars, found: Sequences) -> pl.DataFrame:
    codes = np.repeat(np.arange(len(bars.names)), np.diff(found.offsets))
    ends = np.append(bars.rows.ends, 0)[found.known]
    over = pl.Series(found.known >= 0)
    return pl.DataFrame(
        {
            "instrument": _names(bars.names, codes),
            "start": pl.Series(bars.opens[found.first]).cast(TIME_TYPE),
            "end": pl.Series(bars.opens[found.last]).cast(TIME_TYPE),
            **_kind_columns(found.kind),
            "length": found.length,
            "strength": found.strength,
            "return_percent": found.gain,
            "gap": _counts(found.gap, found.gap >= 0),
            "volume": found.volume,
            "over_at": pl.Series(ends).cast(TIME_TYPE).set(~over, None),
            "outcome_percent": to_series("outcome_percent", found.outcome),
        }
    )


def _kind_columns(kind: Ints) -> dict[str, pl.Series]:
    """Return what a kind is in two columns."""
    strong = kind & kernels.STRONG
    return {
        "type": pl.Series(["weak", "strong"]).gather(pl.Series(strong)),
        "direction": pl.Series(np.where(kind & kernels.UP, 1, -1).astype(np.int8)),
    }


def _names(names: Sequence[str], codes: Ints) -> pl.Series:
    return pl.Series(list(names), dtype=pl.String).gather(pl.Series(codes))


def _counts(values: Ints, known: Flags) -> pl.Series:
    """Return whole numbers, null where one is not known."""
    return pl.Series(values).set(pl.Series(~known), None)


def _pattern_frame(found: Patterns, counts: Ints, names: Sequence[str]) -> pl.DataFrame:
    """Return patterns, the most frequent of each group first; the dominant one is marked."""
    sums, up = found.sums, (found.kind & kernels.UP) > 0
    base = counts[found.group].astype(np.float64)
    alike = np.where(up, base[:, kernels.RISES], base[:, kernels.FALLS])
    frequency, outcomes = sums[kernels.FREQUENCY], sums[kernels.OUTCOMES]
    strength = sums[kernels.STRENGTH] / frequency
    success = ratio(sums[kernels.SUCCESSES], outcomes)
    low, high = wilson_interval(sums[kernels.SUCCESSES], outcomes)
    usual = ratio(alike, base[:, kernels.ALL])
    first_success = ratio(sums[kernels.FIRST_SUCCESSES], sums[kernels.FIRST_OUTCOMES])
    dominance = _dominance(found, first_success, len(counts))
    order = np.lexsort((found.length, found.kind, -strength, -frequency, found.group))
    frame = pl.DataFrame(
        {
            "instrument": _names(names, found.group),
            **_kind_columns(found.kind),
            "length": found.length,
            "frequency": frequency.astype(np.int64),
            "strength": strength,
            "return_percent": sums[kernels.GAIN] / frequency,
            "gap": to_series("gap", ratio(sums[kernels.GAP], sums[kernels.GAPS])),
            "outcomes": outcomes.astype(np.int64),
            "success": to_series("success", success),
            "success_low": to_series("success_low", low),
            "success_high": to_series("success_high", high),
            "base_rate": to_series("base_rate", usual),
            "outcome_percent": to_series("", ratio(sums[kernels.OUTCOME], outcomes)),
            "first_frequency": sums[kernels.FIRST_FREQUENCY].astype(np.int64),
            "first_success": to_series("first_success", first_success),
            "dominance": to_series("dominance", dominance),
            "is_dominant": _is_dominant(found, dominance),
        }
    )
    return frame[order]


def _dominance(found: Patterns, success: Floats, groups: int) -> Floats:
    """Return, of the first part alone, share of all patterns x mean strength x success."""
    frequency = found.sums[kernels.FIRST_FREQUENCY]
    in_all: Floats = np.bincount(found.group, frequency, groups).astype(np.float64)[found.group]
    strength = ratio(found.sums[kernels.FIRST_STRENGTH], frequency)
    return ratio(frequency, in_all) * strength * success


def _is_dominant(found: Patterns, dominance: Floats) -> Flags:
    """Mark the pattern of each group with the highest dominance above 0; of equals the shortest."""
    order = np.lexsort((found.kind, found.length, -np.nan_to_num(dominance), found.group))
    groups = found.group[order]
    is_first = np.diff(groups, prepend=-1) != 0
    marked = np.zeros(len(groups), np.bool_)
    marked[order[is_first]] = True
    return marked & (np.nan_to_num(dominance) > 0.0)


def _score_frame(
    names: Sequence[str], numbers: Floats, found: Sequences, patterns: pl.DataFrame
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
        "predictions": trials,
        **{name: numbers[scores.SCORES.index(name)] for name in scores.SCORES[9:]},
    }
    frame = pl.DataFrame(
        {
            "instrument": pl.Series(list(names), dtype=pl.String),
            "sequences": numbers[scores.SEQUENCES].astype(np.int64),
            **{name: to_series(name, values) for name, values in columns.items()},
        }
    ).with_columns(pl.col("predictions").cast(pl.Int64))
    dominant = patterns.filter("is_dominant").select(
        "instrument", pl.col("type", "direction", "length").name.prefix("dominant_")
    )
    whole = frame.join(dominant, on="instrument", how="left", maintain_order="left")
    return whole.with_columns(**_current(found))


def _current(found: Sequences) -> dict[str, pl.Series]:
    """Return what goes on with each instrument; null where its newest bar is in no sequence."""
    ends = found.offsets[1:]
    last = np.append(np.arange(len(found.kind)), -1)[np.where(np.diff(found.offsets), ends - 1, -1)]
    goes_on = (last >= 0) & (np.append(found.known, 0)[last] < 0)
    none = pl.Series(~goes_on)
    kinds = _kind_columns(np.append(found.kind, 0)[last])
    columns = {
        **kinds,
        "length": pl.Series(np.append(found.length, 0)[last]),
        "strength": pl.Series(np.append(found.strength, 0.0)[last]),
    }
    return {f"current_{name}": column.set(none, None) for name, column in columns.items()}
