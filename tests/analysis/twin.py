"""Sequences a second time: slow, in plain Python, row by row, straight from their definition.

It shares nothing with the package. Moves are the textbook's, intervals are SciPy's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import StatisticsError, correlation, fmean, pvariance
from typing import Any

from scipy.stats import binomtest

from tallow.textbook import ORACLES, Column

Row = dict[str, Any]
World = Mapping[str, Sequence["Bar"]]


@dataclass(frozen=True)
class Bar:
    """A closed bar; it is open from `opens` to `ends`."""

    opens: int
    ends: int
    open: float
    close: float
    volume: float


@dataclass(frozen=True)
class Asked:
    """What is asked of the twin."""

    length: int = 3
    threshold: float = 0.55
    volume_weight: float = 0.3
    horizon: int = 2
    split: float = 0.5


@dataclass(frozen=True)
class Moved:
    """A bar's move; no `kind` where it is not known, or flat."""

    kind: tuple[str, int] | None
    is_known: bool
    strength: float
    is_strong: bool


def moves_of(bars: Sequence[Bar], asked: Asked) -> list[Moved]:
    columns: list[Column] = [
        [b.open for b in bars],
        [b.close for b in bars],
        [b.volume for b in bars],
    ]
    found = ORACLES["move"](vars(asked), *columns)
    moved = []
    for _, direction, strength, strong, _ in zip(*found, strict=True):
        kind = None
        if strength is not None and direction:
            kind = ("strong" if strong else "weak", int(direction))
        known = strength is not None
        moved.append(Moved(kind, known, strength or 0.0, bool(strong)))
    return moved


def split_time(world: World, split: float) -> int:
    ends = sorted(bar.ends for bars in world.values() for bar in bars)
    return ends[int(split * (len(ends) - 1))]


def sequences_of(name: str, bars: Sequence[Bar], asked: Asked) -> Iterator[Row]:
    """Yield the sequences of an instrument; an outcome is None until it is known."""
    moved = moves_of(bars, asked)
    last_of: dict[tuple[str, int], int] = {}
    for kind, group in groupby(range(len(bars)), lambda row: moved[row].kind):
        rows = list(group)
        if kind is None:
            continue
        first, last = rows[0], rows[-1]
        known = last + 1 if last + 1 < len(bars) else None
        after = (
            None
            if known is None or known + asked.horizon >= len(bars)
            else bars[known + asked.horizon]
        )
        yield {
            "instrument": name,
            "start": bars[first].opens,
            "end": bars[last].opens,
            "type": kind[0],
            "direction": kind[1],
            "length": len(rows),
            "strength": fmean(moved[row].strength for row in rows),
            "return_percent": 100.0 * (bars[last].close / bars[first].open - 1.0),
            "gap": first - last_of[kind] - 1 if kind in last_of else None,
            "volume": fmean(bars[row].volume for row in rows),
            "over_at": None if known is None else bars[known].ends,
            "outcome_percent": None
            if known is None or after is None
            else kind[1] * 100.0 * (after.close - bars[known].close) / bars[known].close,
            "outcome_at": None if after is None else after.ends,
        }
        last_of[kind] = last


def every_sequence(world: World, asked: Asked) -> list[Row]:
    return [row for name, bars in world.items() for row in sequences_of(name, bars, asked)]


# Patterns


def interval(successes: int, trials: int) -> tuple[float | None, float | None]:
    if not trials:
        return None, None
    found = binomtest(successes, trials).proportion_ci(0.95, "wilson")
    return found.low, found.high


def share(some: float, of_all: float) -> float | None:
    return some / of_all if of_all else None


def ways(bars: Sequence[Bar], asked: Asked, split_at: int, *, first: bool) -> list[int]:
    """Return where closes are after each bar of a part of the history: up, down, nowhere."""
    found = []
    for row, moved in enumerate(moves_of(bars, asked)):
        if moved.is_known and row + asked.horizon < len(bars):
            now, later = bars[row], bars[row + asked.horizon]
            if later.ends <= split_at if first else now.ends >= split_at:
                found.append((later.close > now.close) - (later.close < now.close))
    return found


def patterns_of(world: World, asked: Asked, *, pooled: bool) -> list[Row]:
    """Return patterns by group, those of a group most frequent first."""
    split_at = split_time(world, asked.split)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in world:
        groups["" if pooled else name].append(name)
    return [
        {"instrument": group, **row}
        for group, names in groups.items()
        for row in group_patterns([world[name] for name in names], asked, split_at)
    ]


def group_patterns(histories: Sequence[Sequence[Bar]], asked: Asked, split_at: int) -> list[Row]:
    made: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for bars in histories:
        for each in sequences_of("", bars, asked):
            if each["length"] >= 2 and each["over_at"] is not None:
                made[each["type"], each["direction"], each["length"]].append(each)
    usual = [way for bars in histories for way in ways(bars, asked, split_at, first=False)]
    in_first = sum(each["over_at"] <= split_at for own in made.values() for each in own)
    rows = [pattern(key, own, usual, in_first, split_at) for key, own in made.items()]
    best = max(
        rows,
        key=lambda r: (r["dominance"] or 0.0, -r["length"], r["type"] == "weak", -r["direction"]),
        default=None,
    )
    for row in rows:
        row["is_dominant"] = row is best and bool(row["dominance"])
    return rows


def pattern(
    key: tuple[str, int, int], own: list[Row], usual: list[int], in_first: int, split_at: int
) -> Row:
    known = [each for each in own if each["outcome_percent"] is not None]
    rest = [each["outcome_percent"] for each in known if each["over_at"] >= split_at]
    first = [each["outcome_percent"] for each in known if each["outcome_at"] <= split_at]
    early = [each for each in own if each["over_at"] <= split_at]
    gaps = [each["gap"] for each in own if each["gap"] is not None]
    low, high = interval(sum(x > 0 for x in rest), len(rest))
    success = share(sum(x > 0 for x in first), len(first))
    dominance = None
    if success is not None:
        dominance = len(early) / in_first * fmean(each["strength"] for each in early) * success
    return {
        **dict(zip(("type", "direction", "length"), key, strict=True)),
        "frequency": len(own),
        "strength": fmean(each["strength"] for each in own),
        "return_percent": fmean(each["return_percent"] for each in own),
        "gap": fmean(gaps) if gaps else None,
        "outcomes": len(rest),
        "success": share(sum(x > 0 for x in rest), len(rest)),
        "success_low": low,
        "success_high": high,
        "base_rate": share(sum(way == key[1] for way in usual), len(usual)),
        "outcome_percent": fmean(rest) if rest else None,
        "first_frequency": len(early),
        "first_success": success,
        "dominance": dominance,
    }


# Scores


def scores_of(world: World, asked: Asked) -> list[Row]:
    split_at = split_time(world, asked.split)
    return [scores(name, bars, asked, split_at) for name, bars in world.items()]


def scores(name: str, bars: Sequence[Bar], asked: Asked, split_at: int) -> Row:
    every = list(sequences_of(name, bars, asked))
    over = [each for each in every if each["over_at"] is not None]
    strong = [each for each in over if each["type"] == "strong"]
    weak = [each["length"] for each in over if each["type"] == "weak"]
    near = [1.0 / each["gap"] for each in strong if each["gap"] is not None]
    own = group_patterns([bars], asked, split_at)
    dominant = next((row for row in own if row["is_dominant"]), {})
    current = every[-1] if every and every[-1]["over_at"] is None else {}
    return {
        "instrument": name,
        "sequences": len(over),
        "strong_length": fmean(each["length"] for each in strong) if strong else None,
        "weak_length": fmean(weak) if weak else None,
        "quality": quality(strong, asked.threshold) if len(strong) > 1 else None,
        "continuity": fmean(near) if near else None,
        "momentum": momentum(every[-5:]) if every else None,
        **foretold(every, ways(bars, asked, split_at, first=True), split_at),
        **volumes(bars, moves_of(bars, asked)),
        **{f"dominant_{key}": dominant.get(key) for key in ("type", "direction", "length")},
        **{
            f"current_{key}": current.get(key)
            for key in ("type", "direction", "length", "strength")
        },
    }


def quality(strong: list[Row], threshold: float) -> float:
    lengths = [each["length"] for each in strong]
    long = fmean(1.0 - 1.0 / n for n in lengths)
    mean = fmean(each["strength"] for each in strong)
    above = (mean - threshold) / (1.0 - threshold) if threshold < 1.0 else 1.0
    even = 1.0 / (1.0 + pvariance(lengths) / fmean(lengths) ** 2)
    return 0.3 * long + 0.4 * above + 0.3 * even


def momentum(newest: list[Row]) -> float:
    values = [each["direction"] * each["strength"] for each in newest]
    weights = range(1, len(values) + 1)
    return 0.7 * fmean(values, weights) + 0.3 * fmean(values)


def foretold(every: list[Row], usual: list[int], split_at: int) -> Row:
    known = [each for each in every if each["outcome_percent"] is not None]

    def way(each: Row) -> int:
        went = each["direction"] * each["outcome_percent"]
        return (went > 0) - (went < 0)

    after: dict[tuple[str, int], int] = defaultdict(int)
    for each in known:
        if each["outcome_at"] <= split_at:
            after[each["type"], each["direction"]] += way(each)
    rest = [each for each in known if each["over_at"] >= split_at]
    said = [each for each in rest if after[each["type"], each["direction"]]]
    hits = sum(after[each["type"], each["direction"]] * way(each) > 0 for each in said)
    as_usual = sum(sum(usual) * way(each) > 0 for each in said)
    low, high = interval(hits, len(said))
    return {
        "predictive": share(hits, len(said)),
        "predictive_low": low,
        "predictive_high": high,
        "predictive_base": share(as_usual, len(said)) if sum(usual) else None,
        "predictions": len(said),
    }


def volumes(bars: Sequence[Bar], moved: Sequence[Moved]) -> Row:
    pairs = [
        (bar.volume, each.is_strong) for bar, each in zip(bars, moved, strict=True) if each.is_known
    ]
    every = [volume for volume, _ in pairs]
    strong = [volume for volume, is_strong in pairs if is_strong]
    others = [volume for volume, is_strong in pairs if not is_strong]
    own = trend = steady = None
    if every and sum(every) > 0:
        if strong and others:
            own = fmean(strong) / (fmean(strong) + fmean(others))
        try:
            trend = correlation(range(len(every)), every)
        except StatisticsError:
            trend = None
        steady = 1.0 / (1.0 + pvariance(every) / fmean(every) ** 2)
    return {"volume": own, "volume_trend": trend, "volume_steadiness": steady}
