"""What a screen answers: who matches at a moment, or matches over a range, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.text import counted, to_html
from tallow.core.time import BEGIN_OF_TIME, from_us
from tallow.data.output_zone import in_zone
from tallow.data.reading.schema import TIME_TYPE
from tallow.screens.evaluation import Evaluation
from tallow.screens.nodes import Node
from tallow.screens.panels import Panel, codes_among
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
    """Judge the newest closed bar of the instruments asked about, if it is the newest of all.

    These are sorted by name.
    """
    newest = base.closed.newest
    opens = np.append(base.opens, BEGIN_OF_TIME)[newest]
    is_judged = (newest >= 0) & (opens == opens.max(initial=BEGIN_OF_TIME))
    judged = np.append(np.where(is_judged, newest, -1), -1)
    places = judged[codes_among(base.names, asked)]
    matches = evaluation.condition(screen.condition)
    states = np.append(matches.states, np.int8(UNKNOWN))[places]
    unknown = np.flatnonzero(states == UNKNOWN)
    why = np.where(places[unknown] < 0, NO_BAR, NO_VALUE).tolist()
    among = np.zeros(len(base.opens), dtype=np.bool_)
    among[places[places >= 0]] = True
    found = _rows(screen, evaluation, base, places[states == MATCHED])
    ends = base.ends[newest[is_judged]]
    return ScreenResult(
        # They are sorted by name already.
        found if screen.sort is None else _sorted(screen, found, _SORT),
        _counts(states),
        pl.DataFrame([_names(asked, unknown), pl.Series("why", why, pl.String)]),
        evaluation.why_unknown(screen.condition, among),
        from_us(int(ends.max())) if len(ends) else None,
    )


def judge_range(screen: Screen, evaluation: Evaluation, base: Panel, wanted: Flags) -> ScreenResult:
    """Judge the bars that are wanted, ``[rows of the base panel]``."""
    matches = evaluation.condition(screen.condition)
    judged = wanted & matches.is_final
    found = _rows(screen, evaluation, base, np.flatnonzero(judged & matches.matched))
    by = ["timestamp"] if screen.sort is None else ["timestamp", _SORT]
    frame = _sorted(screen, found, *by)
    why = evaluation.why_unknown(screen.condition, judged)
    return ScreenResult(frame, _counts(matches.states[judged]), NOT_JUDGED, why, None)


def _rows(screen: Screen, evaluation: Evaluation, base: Panel, found: Ints) -> pl.DataFrame:
    """Return rows of the base panel with the numbers beside them, and what they are sorted by."""
    trees = screen.columns if screen.sort is None else {**screen.columns, _SORT: screen.sort}
    numbers = {name: evaluation.number(tree)[found] for name, tree in trees.items()}
    if "close" not in numbers:
        numbers = {"close": base.columns["close"][found], **numbers}
    names = _names(base.names, base.codes[found])
    time = pl.Series("timestamp", base.opens[found]).cast(TIME_TYPE)
    columns = [pl.Series(name, values, nan_to_null=True) for name, values in numbers.items()]
    return pl.DataFrame([names, time, *columns])


def _sorted(screen: Screen, frame: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return rows sorted by columns, and then by instrument."""
    descending = [name == _SORT and not screen.ascending for name in (*by, "instrument")]
    rows = frame.sort(*by, "instrument", descending=descending, nulls_last=True)
    return rows if screen.sort is None else rows.drop(_SORT)


def _names(names: Sequence[str], places: Ints) -> pl.Series:
    return pl.Series("instrument", [names[place] for place in places.tolist()], pl.String)


def _counts(states: Any) -> dict[str, int]:
    found = np.bincount(states, minlength=3)
    return {"matched": int(found[MATCHED]), "not": int(found[0]), "unknown": int(found[UNKNOWN])}
