"""What a screen answers: who matches at a moment, or matches over a range, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.text import counted, to_html
from tallow.core.time import BEGIN_OF_TIME, from_us
from tallow.data.output_zone import in_zone
from tallow.data.reading.schema import TIME_TYPE
from tallow.screens.evaluation import Evaluation
from tallow.screens.nodes import Node
from tallow.screens.panels import Panel
from tallow.screens.series import MATCHED, UNKNOWN

NO_BAR, NO_VALUE = "no bar at this time", "a value is not known"
_SORT = "\0"
"""A column that no answer has, as nobody can name it."""

NOT_JUDGED = pl.DataFrame(schema={"instrument": pl.String, "why": pl.String})


@dataclass(frozen=True)
class Screen:
    """A condition, the numbers to show beside each match, and by which to sort.

    Without `sort`, matches are sorted by instrument; else by it, the highest first, or the lowest
    where it is `ascending`; what has no value for it comes last.
    """

    condition: Node
    columns: Mapping[str, Node] = field(default_factory=dict)
    sort: Node | None = None
    ascending: bool = False

    @property
    def trees(self) -> list[Node]:
        """All that is computed."""
        sort = [] if self.sort is None else [self.sort]
        return [self.condition, *self.columns.values(), *sort]


@dataclass(frozen=True, repr=False)
class ScreenResult:
    """Which instruments match, and how many do not, or are unknown.

    Attributes
    ----------
    frame
        A row for each match: `instrument`, `timestamp` (the open of the bar that was judged),
        `close`, and a column for each number that was asked for; sorted.
    counts
        How many bars are ``matched``, ``not`` and ``unknown``; of a moment, as many as there are
        instruments.
    unknown
        Of a moment: `instrument` and `why` of those that are unknown.
    why_unknown
        For how many unknown bars each value of the condition is not known, by its text.
    judged_at
        Of a moment: when the bar ended that was judged; None where there is none.
    notes
        Sentences about the answer.
    why_empty
        Why no bar could be judged; empty where one could. Python is warned of it, too
        (`tallow.core.errors.EmptyWarning`).
    quarantined
        Rows of the candles that break a rule of the question, as its timeframe, and are in no bar.
    """

    frame: pl.DataFrame
    counts: dict[str, int]
    unknown: pl.DataFrame
    why_unknown: dict[str, int]
    judged_at: datetime | None
    notes: tuple[str, ...] = ()
    why_empty: str = ""
    quarantined: int = 0

    def in_zone(self, zone: str | None) -> ScreenResult:
        """Return the answer with times by a zone's clocks."""
        judged = self.judged_at
        if judged is not None and zone is not None:
            judged = judged.astimezone(ZoneInfo(zone))
        return replace(self, frame=in_zone(self.frame, zone), judged_at=judged)

    def __repr__(self) -> str:
        shown = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        return f"ScreenResult({shown})"

    def _repr_html_(self) -> str:
        said = [*self.notes, *filter(None, [self.why_empty])]
        return to_html(repr(self), said, [self.frame])


@dataclass(frozen=True, repr=False)
class SweepResult:
    """What a sweep answers.

    Attributes
    ----------
    frame
        A row for each combination: a column (float64) for each range, called as the range is
        written; `matched`, `not` and `unknown`, the counts (int64); `instruments`, the list of
        those that match, sorted by name.
    judged_at
        Of a moment: when the bar ended that was judged; None where there is none.
    notes
        Sentences about the answer.
    why_empty
        Why no bar could be judged in any combination; empty where one could.
    quarantined
        As in `ScreenResult`.
    """

    frame: pl.DataFrame
    judged_at: datetime | None
    notes: tuple[str, ...] = ()
    why_empty: str = ""
    quarantined: int = 0

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        values: Sequence[tuple[float, ...]],
        found: Sequence[ScreenResult],
    ) -> SweepResult:
        """Return the answers of screens as one; `values` are those of the ranges in each."""
        swept = {name: [row[place] for row in values] for place, name in enumerate(names)}
        counted = {name: [each.counts[name] for each in found] for name in found[0].counts}
        matching = [each.frame["instrument"].unique().sort().to_list() for each in found]
        frame = pl.DataFrame(
            swept | counted | {"instruments": matching},
            schema_overrides={"instruments": pl.List(pl.String)},
        )
        whys = [each.why_empty for each in found]
        why = whys[0] if all(whys) else ""
        first = found[0]
        return cls(frame, first.judged_at, first.notes, why, first.quarantined)

    def in_zone(self, zone: str | None) -> SweepResult:
        """Return the answer with times by a zone's clocks."""
        judged = self.judged_at
        if judged is None or zone is None:
            return self
        return replace(self, judged_at=judged.astimezone(ZoneInfo(zone)))

    def __repr__(self) -> str:
        return f"SweepResult({counted(len(self.frame), 'combination')})"

    def _repr_html_(self) -> str:
        said = [*self.notes, *filter(None, [self.why_empty])]
        return to_html(repr(self), said, [self.frame])


def judge_moment(
    screen: Screen, evaluation: Evaluation, base: Panel, asked: Sequence[str]
) -> ScreenResult:
    """Judge the newest closed bar of the instruments asked about, if it is the newest of all."""
    newest = np.full(len(base.names), -1)
    newest[base.closed.codes] = base.closed.rows
    some = newest[newest >= 0]
    judged = some[base.opens[some] == base.opens[some].max(initial=BEGIN_OF_TIME)]
    place_of = {base.names[code]: row for row, code in zip(judged, base.codes[judged], strict=True)}
    places = np.array([place_of.get(name, -1) for name in asked], dtype=np.int64)
    matches = evaluation.condition(screen.condition)
    states = np.append(matches.states, UNKNOWN)[places]
    unknown = pl.DataFrame(
        {
            "instrument": [
                name for name, state in zip(asked, states, strict=True) if state == UNKNOWN
            ],
            "why": np.where(places < 0, NO_BAR, NO_VALUE)[states == UNKNOWN].tolist(),
        },
        schema=NOT_JUDGED.schema,
    )
    among = np.zeros(len(base.opens), dtype=np.bool_)
    among[places[places >= 0]] = True
    return ScreenResult(
        _rows(screen, evaluation, base, places[states == MATCHED]).drop(_SORT),
        _counts(states),
        unknown,
        evaluation.why_unknown(screen.condition, among),
        from_us(int(base.ends[judged].max())) if len(judged) else None,
    )


def judge_range(screen: Screen, evaluation: Evaluation, base: Panel, wanted: Flags) -> ScreenResult:
    """Judge the bars that are wanted, ``[rows of the base panel]``."""
    matches = evaluation.condition(screen.condition)
    judged = wanted & matches.is_final
    frame = _rows(screen, evaluation, base, np.flatnonzero(judged & matches.matched))
    order, descending = ["timestamp", _SORT, "instrument"], [False, not screen.ascending, False]
    frame = frame.sort(order, descending=descending, nulls_last=True).drop(_SORT)
    why = evaluation.why_unknown(screen.condition, judged)
    return ScreenResult(frame, _counts(matches.states[judged]), NOT_JUDGED, why, None)


def _rows(screen: Screen, evaluation: Evaluation, base: Panel, found: Ints) -> pl.DataFrame:
    """Return rows of the base panel with the numbers beside them, sorted, with what by."""
    numbers = {name: evaluation.number(tree)[found] for name, tree in screen.columns.items()}
    sort: Floats = np.zeros(len(found))
    if screen.sort is not None:
        sort = evaluation.number(screen.sort)[found]
    names = pl.Series("instrument", [base.names[k] for k in base.codes[found].tolist()], pl.String)
    time = pl.Series("timestamp", base.opens[found]).cast(TIME_TYPE)
    if "close" not in numbers:
        numbers = {"close": base.columns["close"][found], **numbers}
    columns = [pl.Series(name, values, nan_to_null=True) for name, values in numbers.items()]
    by = pl.Series(_SORT, sort, nan_to_null=True)
    frame = pl.DataFrame([names, time, *columns, by])
    return frame.sort(
        _SORT, "instrument", descending=[not screen.ascending, False], nulls_last=True
    )


def _counts(states: Any) -> dict[str, int]:
    found = np.bincount(states, minlength=3)
    return {"matched": int(found[MATCHED]), "not": int(found[0]), "unknown": int(found[UNKNOWN])}
