"""Sequences as a backend without arrays finds them: loops over rows, lists and dictionaries.

It has all that `tallow.analysis.sequences` answers, from the same daily bars.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

LENGTH, THRESHOLD, WEIGHT, HORIZON = 20, 0.55, 0.3, 5
Row = dict[str, Any]


def find_all(market: Mapping[str, Sequence[Row]], split_at: int) -> tuple[Any, ...]:
    """Return sequences, patterns by instrument and together, and scores, of bars by instrument."""
    sequences: list[Row] = []
    patterns, scores = [], []
    together: dict[Any, Row] = {}
    market_base = [0] * 6
    for name, bars in market.items():
        kinds, strengths = find_moves(bars)
        own = find_sequences(name, bars, kinds, strengths, split_at)
        base = count_base(bars, strengths, split_at)
        found: dict[Any, Row] = {}
        for each in own:
            if each["over_at"] is not None and each["length"] >= 2:
                key = (each["type"], each["direction"], each["length"])
                add(found.setdefault(key, defaultdict(float)), each)
                add(together.setdefault(key, defaultdict(float)), each)
        sequences += own
        of_own = finish(name, found, base)
        patterns += of_own
        scores.append(score(name, bars, kinds, strengths, own, base) | picked(of_own, own))
        market_base = [a + b for a, b in zip(market_base, base, strict=True)]
    return sequences, patterns, finish("", together, market_base), scores


def find_moves(bars: Sequence[Row]) -> tuple[list[Any], list[float | None]]:
    """Return each bar's type and direction, None where it is in no sequence, and its strength."""
    kinds: list[Any] = []
    strengths: list[float | None] = []
    sizes: list[float] = []
    volumes: list[float] = []
    for bar in bars:
        gain = bar["close"] - bar["open"]
        size = 100.0 * abs(gain) / min(bar["open"], bar["close"])
        kind, strength = None, None
        if len(sizes) >= LENGTH:
            usual = sum(sizes[-LENGTH:]) / LENGTH
            strength = size / (size + usual) if size > 0 else 0.0
            traded = bar["volume"] + sum(volumes[-LENGTH:]) / LENGTH
            if traded > 0:
                strength = (1 - WEIGHT) * strength + WEIGHT * bar["volume"] / traded
            if gain != 0:
                kind = ("strong" if strength >= THRESHOLD else "weak", 1 if gain > 0 else -1)
        kinds.append(kind)
        strengths.append(strength)
        sizes.append(size)
        volumes.append(bar["volume"])
    return kinds, strengths


def find_sequences(
    name: str,
    bars: Sequence[Row],
    kinds: Sequence[Any],
    strengths: Sequence[float | None],
    split_at: int,
) -> list[Row]:
    """Return the sequences of an instrument."""
    found = []
    last_of: dict[Any, int] = {}
    first = 0
    while first < len(bars):
        kind, last = kinds[first], first
        if kind is None:
            first += 1
            continue
        while last + 1 < len(bars) and kinds[last + 1] == kind:
            last += 1
        known, length = last + 1, last - first + 1
        over_at = outcome = None
        in_first = in_rest = False
        if known < len(bars):
            over_at = bars[known]["ends"]
            if known + HORIZON < len(bars):
                now, later = bars[known]["close"], bars[known + HORIZON]
                outcome = kind[1] * 100.0 * (later["close"] - now) / now
                in_first, in_rest = later["ends"] <= split_at, over_at >= split_at
        found.append(
            {
                "instrument": name,
                "start": bars[first]["opens"],
                "end": bars[last]["opens"],
                "type": kind[0],
                "direction": kind[1],
                "length": length,
                "strength": sum(strengths[first:known]) / length,  # type: ignore[arg-type]
                "return_percent": 100.0 * (bars[last]["close"] / bars[first]["open"] - 1.0),
                "gap": first - last_of[kind] - 1 if kind in last_of else None,
                "volume": sum(bar["volume"] for bar in bars[first:known]) / length,
                "over_at": over_at,
                "outcome_percent": outcome,
                "is_early": over_at is not None and over_at <= split_at,
                "in_first": in_first,
                "in_rest": in_rest,
            }
        )
        last_of[kind] = last
        first = known
    return found


def count_base(bars: Sequence[Row], strengths: Sequence[float | None], split_at: int) -> list[int]:
    """Return how often closes rise and fall, of all, in the first part and in the rest."""
    counts = [0] * 6
    for row in range(len(bars) - HORIZON):
        if strengths[row] is None:
            continue
        now, later = bars[row], bars[row + HORIZON]
        rises, falls = later["close"] > now["close"], later["close"] < now["close"]
        if later["ends"] <= split_at:
            counts[0] += rises
            counts[1] += falls
            counts[2] += 1
        if now["ends"] >= split_at:
            counts[3] += rises
            counts[4] += falls
            counts[5] += 1
    return counts


def add(sums: Row, each: Row) -> None:
    """Add a sequence to its pattern."""
    sums["frequency"] += 1
    sums["strength"] += each["strength"]
    sums["return_percent"] += each["return_percent"]
    if each["gap"] is not None:
        sums["gap"] += each["gap"]
        sums["gaps"] += 1
    if each["is_early"]:
        sums["early"] += 1
        sums["early_strength"] += each["strength"]
    if each["in_first"]:
        sums["first"] += 1
        sums["first_successes"] += each["outcome_percent"] > 0
    if each["in_rest"]:
        sums["outcomes"] += 1
        sums["successes"] += each["outcome_percent"] > 0
        sums["outcome"] += each["outcome_percent"]


def finish(name: str, found: Mapping[Any, Row], base: Sequence[int]) -> list[Row]:
    """Return patterns, the most frequent first, with the dominant one marked."""
    early = sum(sums["early"] for sums in found.values())
    rows = []
    for (kind, direction, length), sums in found.items():
        count, outcomes = sums["frequency"], sums["outcomes"]
        dominance = success = None
        if sums["first"]:
            share, success = sums["early"] / early, sums["first_successes"] / sums["first"]
            dominance = share * (sums["early_strength"] / sums["early"]) * success
        low, high = wilson(sums["successes"], outcomes)
        rows.append(
            {
                "instrument": name,
                "type": kind,
                "direction": direction,
                "length": length,
                "frequency": int(count),
                "strength": sums["strength"] / count,
                "return_percent": sums["return_percent"] / count,
                "gap": sums["gap"] / sums["gaps"] if sums["gaps"] else None,
                "outcomes": int(outcomes),
                "success": sums["successes"] / outcomes if outcomes else None,
                "success_low": low,
                "success_high": high,
                "base_rate": base[3 if direction > 0 else 4] / base[5] if base[5] else None,
                "outcome_percent": sums["outcome"] / outcomes if outcomes else None,
                "first_frequency": int(sums["early"]),
                "first_success": success,
                "dominance": dominance,
            }
        )
    rows.sort(key=lambda row: (-row["frequency"], -row["strength"]))
    best = max(rows, key=lambda row: row["dominance"] or 0.0, default=None)
    for row in rows:
        row["is_dominant"] = row is best and bool(row["dominance"])
    return rows


def wilson(successes: float, trials: float) -> tuple[float | None, float | None]:
    """Return the limits of an interval of 95 %."""
    if not trials:
        return None, None
    z, share = 1.959964, successes / trials
    middle = (successes + z * z / 2) / (trials + z * z)
    reach = z * math.sqrt(share * (1 - share) * trials + z * z / 4) / (trials + z * z)
    return middle - reach, middle + reach


def score(
    name: str,
    bars: Sequence[Row],
    kinds: Sequence[Any],
    strengths: Sequence[float | None],
    own: Sequence[Row],
    base: Sequence[int],
) -> Row:
    """Return the scores of an instrument."""
    over = [s for s in own if s["over_at"] is not None]
    strong = [s for s in over if s["type"] == "strong"]
    weak = [s["length"] for s in over if s["type"] == "weak"]
    lengths, gaps = [s["length"] for s in strong], [s["gap"] for s in strong if s["gap"]]
    quality = None
    if len(strong) > 1:
        mean = sum(lengths) / len(lengths)
        spread = sum((n - mean) ** 2 for n in lengths) / len(lengths)
        above = sum(s["strength"] for s in strong) / len(strong) - THRESHOLD
        long = sum(1 - 1 / n for n in lengths) / len(lengths)
        quality = 0.3 * long + 0.4 * above / (1 - THRESHOLD) + 0.3 / (1 + spread / mean**2)
    values = [s["direction"] * s["strength"] for s in own[-5:]]
    weights = range(1, len(values) + 1)
    weighted = sum(w * v for w, v in zip(weights, values, strict=True)) / max(sum(weights), 1)
    after: dict[Any, int] = defaultdict(int)
    hits = usual = said = 0
    for each in own:
        if each["in_first"]:
            after[each["type"], each["direction"]] += way(each)
    for each in own:
        foretold = after[each["type"], each["direction"]]
        if each["in_rest"] and foretold:
            said += 1
            hits += foretold * way(each) > 0
            usual += (base[0] - base[1]) * way(each) > 0
    low, high = wilson(hits, said)
    return {
        "instrument": name,
        "sequences": len(over),
        "strong_length": sum(lengths) / len(lengths) if lengths else None,
        "weak_length": sum(weak) / len(weak) if weak else None,
        "quality": quality,
        "continuity": sum(1 / gap for gap in gaps) / len(gaps) if gaps else None,
        "momentum": 0.7 * weighted + 0.3 * sum(values) / max(len(values), 1),
        "predictive": hits / said if said else None,
        "predictive_low": low,
        "predictive_high": high,
        "predictive_base": usual / said if said and base[0] != base[1] else None,
        "predictions": said,
        **volumes(bars, kinds, strengths),
    }


def picked(patterns: Sequence[Row], own: Sequence[Row]) -> Row:
    """Return the dominant pattern of an instrument, and what goes on with it."""
    best = next((row for row in patterns if row["is_dominant"]), {})
    last = own[-1] if own and own[-1]["over_at"] is None else {}
    names = ("type", "direction", "length")
    return {
        **{f"dominant_{name}": best.get(name) for name in names},
        **{f"current_{name}": last.get(name) for name in (*names, "strength")},
    }


def way(each: Row) -> int:
    """Return where prices went after a sequence."""
    went = each["direction"] * each["outcome_percent"]
    return (went > 0) - (went < 0)


def volumes(bars: Sequence[Row], kinds: Sequence[Any], strengths: Sequence[float | None]) -> Row:
    """Return the scores of volume."""
    every, strong, others = [], [], []
    for bar, kind, strength in zip(bars, kinds, strengths, strict=True):
        if strength is not None:
            every.append(bar["volume"])
            (strong if kind and kind[0] == "strong" else others).append(bar["volume"])
    if not strong or not others:
        return {}
    mean, middle = sum(every) / len(every), (len(every) - 1) / 2
    own, rest = sum(strong) / len(strong), sum(others) / len(others)
    squares = sum((v - mean) ** 2 for v in every)
    both = sum((v - mean) * (k - middle) for k, v in enumerate(every))
    steps = sum((k - middle) ** 2 for k in range(len(every)))
    return {
        "volume": own / (own + rest),
        "volume_trend": both / math.sqrt(squares * steps),
        "volume_steadiness": 1 / (1 + squares / len(every) / mean**2),
    }
