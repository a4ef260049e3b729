"""The files of one version of the table: which of them a read needs, and which can be believed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from tallow.core.errors import StoreError
from tallow.core.limits import STORE_FILE_ROWS
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME, from_us
from tallow.data.reading.rules import within_years
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE
from tallow.data.store.files import NEVER_NULL, READING, TableLocation, damaged
from tallow.data.store.lineage import Lineage
from tallow.data.store.log import SERIES_KEY, Selection
from tallow.data.store.statistics import (
    END_NAMES,
    FACTS_SCHEMA,
    TIMES,
    Facts,
    is_vouched,
    measures,
)

INDEX_SCHEMA: dict[str, Any] = {
    "path": pl.String,
    "size": pl.Int64,
    **FACTS_SCHEMA,
    "own": pl.Boolean,
    "refused": pl.String,
}
_SELECTED = ("timeframe", "adjustment", "instrument", "timestamp", "received_at")
_ORDER = [f"min.{name}" for name in ("timeframe", "adjustment", "instrument", "timestamp")]
_LEAST = ("", "", "", BEGIN_OF_TIME, 1, BEGIN_OF_TIME)
_GREATEST = (*["\U0010ffff" * 8] * 3, END_OF_TIME, 2**31 - 1, END_OF_TIME)
_WIDEST = (0, *_LEAST, *_GREATEST, False)
_NOTHING_KNOWN = (None,) * len(FACTS_SCHEMA)
FOREIGN = (
    "another tool wrote it; take it out of the table, or restore an earlier version with that tool"
)


class Examiner:
    """Reads files not known to be right, each once: what others wrote, or said of ours.

    `latest` says what the latest receipt is that can be right, in microseconds since 1970 UTC:
    receipts rise from write to write, so that a later one would move all that follow.
    """

    def __init__(self, location: TableLocation, latest: Callable[[], int]) -> None:
        self._location, self._latest = location, latest
        self._known: dict[tuple[str, int], tuple[Facts, str | None]] = {}

    def look(self, path: str, size: int) -> tuple[Facts, str | None]:
        """Return a file's facts by its rows, null where unknown; and why it is refused."""
        if (path, size) not in self._known:
            self._known[path, size] = self._examined(path, size)
        return self._known[path, size]

    def _examined(self, path: str, size: int) -> tuple[Facts, str | None]:
        cut = damaged(self._location, pl.DataFrame({"path": [path], "size": [size]}))
        if cut:
            return _NOTHING_KNOWN, cut[path]
        try:
            found = self._location.read([path], lambda rows: rows.select(_questions()).collect())
        except StoreError as error:
            reason = str(error).removeprefix("store: ").removesuffix(f"; {READING}")
            return _NOTHING_KNOWN, f"{reason}; {FOREIGN}"
        answers = found.row(0, named=True)
        facts = tuple(answers[name] for name in FACTS_SCHEMA)
        wrong = self._fault(answers)
        return facts, None if wrong is None else f"{self._location.of(path)}: {wrong}; {FOREIGN}"

    def _fault(self, answers: Mapping[str, Any]) -> str | None:
        """Return what is wrong with a file's rows, by the answers to `_questions`."""
        if not answers["rows"]:
            return "has no rows"
        for question, wrong in answers.items():
            if question.startswith("has ") and wrong:
                return question
        if answers["max.received_at"] > (latest := self._latest()):
            times = (answers["max.received_at"], latest)
            received, by = (from_us(time).isoformat() for time in times)
            return f"has rows that were received at {received}, and none can be later than {by}"
        return None


def _questions() -> list[pl.Expr]:
    """Return a file's facts, and under the name of each fault how many rows have it."""
    nulls = [pl.col(name).null_count().alias(f"has rows without {name}") for name in NEVER_NULL]
    finite = pl.all_horizontal(pl.col(name).is_finite().fill_null(False) for name in NUMBERS)
    none = pl.all_horizontal(pl.col(name).is_null() for name in NUMBERS)
    wrong = {
        "has deletions with prices, or candles without": ~pl.when("deleted")
        .then(none)
        .otherwise(finite),
        "has revisions below 1": pl.col("revision") < 1,
        "has times that no calendar knows": pl.any_horizontal(
            within_years(pl.col(name)).is_null() for name in TIMES
        ),
    }
    return [*measures(), *nulls, *(rows.sum().alias(name) for name, rows in wrong.items())]


@dataclass(frozen=True)
class FileIndex:
    """The files of one version of the table, with the ends of what is in them.

    `facts` has a row per file, in the order of the keys they begin with: path, size, rows,
    ``min.`` and ``max.`` of the key's columns, the revision and the receipt time (times as
    microseconds), and `interest`, whether it holds open interest; `own`, whether Tallow wrote it
    and it was said so; `refused`, why it cannot be read, or null.
    """

    version: int
    flushed: int
    properties: Mapping[str, str]
    lineage: Lineage
    facts: pl.DataFrame

    @classmethod
    def of(
        cls,
        version: int,
        flushed: int,
        properties: Mapping[str, str],
        lineage: Lineage,
        actions: Any,
        examiner: Examiner,
    ) -> FileIndex:
        """Return the index of a table's add actions, as deltalake flattens them."""
        facts = _trusted_facts(_facts_of_log(pl.DataFrame(actions)), lineage.checked, examiner)
        return cls(version, flushed, properties, lineage, facts.sort(_ORDER))

    @property
    def is_checked(self) -> bool:
        """Whether no row lies out of order, or twice."""
        return self.lineage.checked and self.all_own

    @cached_property
    def all_own(self) -> bool:
        """Whether Tallow wrote all files."""
        return bool(self.facts["own"].all())

    @cached_property
    def interest(self) -> dict[tuple[str | None, str | None], bool]:
        """Whether series of a timeframe and adjustment have open interest, as far as was asked."""
        return {}

    @cached_property
    def latest_times(self) -> dict[tuple[str, str], int]:
        """Times that no row of a timeframe and adjustment is after, as far as was asked."""
        return {}

    def own_without(self, gone: Collection[str]) -> bool:
        """Say whether Tallow wrote all files but these."""
        return set(self.facts.filter(~pl.col("own"))["path"]) <= set(gone)

    @cached_property
    def last_received(self) -> int:
        """The latest receipt time in any file, or 0."""
        known = self.facts if self.all_own else self.facts.filter(pl.col("refused").is_null())
        return int(known["max.received_at"].max() or 0)  # type: ignore[arg-type]

    @cached_property
    def _ends(self) -> list[tuple[Any, ...]]:
        return self.facts[[f"{end}.{name}" for name in _SELECTED for end in ("min", "max")]].rows()

    def select(self, selection: Selection) -> pl.DataFrame:
        """Return the facts of the files that may hold rows of a selection."""
        names = selection.instruments
        limits = [
            (selection.timeframe, selection.timeframe),
            (selection.adjustment, selection.adjustment),
            (None, None) if names is None else (names[0], names[-1]) if names else ("", ""),
            (selection.start, _before(selection.end)),
            (selection.received_from, _before(selection.received_before)),
        ]
        # In plain Python: a query over a few hundred files would take longer to plan.
        hit = [i for i, ends in enumerate(self._ends) if _overlaps(ends, limits)]
        return self.facts if len(hit) == len(self._ends) else self.facts[hit]


def overlapping(facts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Return the files in groups: those whose keys overlap, and small neighbours, together.

    `facts` are those of a `FileIndex`, in the order of first keys.
    """
    low_names = [f"min.{name}" for name in SERIES_KEY]
    high_names = [f"max.{name}" for name in SERIES_KEY]
    lows, highs = facts.select(low_names).rows(), facts.select(high_names).rows()
    times = facts.select("min.timestamp", "max.timestamp").rows()
    start = 0
    for i in range(1, len(facts) + 1):
        if i < len(facts):
            high = max(highs[start:i])
            # Two files of one series overlap only where their times do.
            alone = lows[i] == highs[i] == high == lows[i - 1] and times[i][0] > times[i - 1][1]
            small = int(facts["rows"][start : i + 1].sum()) <= STORE_FILE_ROWS // 2
            if small or (lows[i] <= high and not alone):
                continue
        if i > start:
            yield facts[start:i]
        start = i


def _facts_of_log(actions: pl.DataFrame) -> pl.DataFrame:
    """Return what the log says of each file, null where it says nothing."""
    there = dict.fromkeys(actions.columns)
    wanted = {"path": "path", "size": "size_bytes", "rows": "num_records"}
    wanted |= {name: name for name in END_NAMES}
    columns = []
    for name, source in wanted.items():
        column = pl.col(source) if source in there else pl.lit(None)
        if name.endswith(TIMES):
            column = column.cast(TIME_TYPE).to_physical()
        columns.append(column.cast(INDEX_SCHEMA[name]).alias(name))
    nulls = f"null_count.{OPEN_INTEREST}"
    interest = pl.col(nulls) < pl.col("num_records") if nulls in there else pl.lit(None)
    if not len(actions):
        return pl.DataFrame(schema=list(INDEX_SCHEMA.items())[:-2])
    return actions.select(*columns, interest.cast(pl.Boolean).alias("interest"))


def _trusted_facts(said: pl.DataFrame, checked: bool, examiner: Examiner) -> pl.DataFrame:
    """Return the facts of files: what the log says where it is vouched for, or what is in them."""
    known = said.select(~pl.any_horizontal(pl.all().is_null())).to_series()
    if checked and known.all():
        return said.with_columns(own=pl.lit(True), refused=pl.lit(None, pl.String))
    rows = []
    for (path, size, *own), whole in zip(said.iter_rows(), known, strict=True):
        if whole and (checked or is_vouched(path, tuple(own))):
            rows.append((path, size, *own, True, None))
            continue
        facts, refused = examiner.look(path, size)
        if refused is not None:
            facts = _widest(own, facts)
        rows.append((path, size, *facts, False, refused))
    return pl.DataFrame(rows, INDEX_SCHEMA, orient="row")


def _widest(said: Sequence[Any], read: Facts) -> Facts:
    """Return what a refused file may hold at most, by its rows, or else by what the log says."""
    known = zip(read, said, _WIDEST, strict=True)
    return tuple(next(one for one in each if one is not None) for each in known)


def _before(end: int | None) -> int | None:
    return None if end is None else end - 1


def _overlaps(ends: Sequence[Any], limits: Sequence[tuple[Any, Any]]) -> bool:
    """Say whether a file's ends, two a column, overlap all limits, both included; None is none."""
    for (low, high), first, last in zip(limits, ends[::2], ends[1::2], strict=True):
        if (low is not None and last < low) or (high is not None and first > high):
            return False
    return True
