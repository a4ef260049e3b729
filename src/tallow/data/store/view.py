"""One state of a log that lies in files and a tail: what a reader sees, whatever is written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

import polars as pl

from tallow.core.errors import StoreError
from tallow.core.limits import STORE_VIEW_ATTEMPTS
from tallow.core.time import BEGIN_OF_TIME, END_OF_TIME
from tallow.data.reading.schema import OPEN_INTEREST
from tallow.data.store.backend import StoreStats
from tallow.data.store.batches import NO_ROWS, Tail
from tallow.data.store.classify import following
from tallow.data.store.files import TableLocation, damaged, require_whole
from tallow.data.store.index import FileIndex, overlapping
from tallow.data.store.lineage import tails_of
from tallow.data.store.log import LOG_ORDER, Selection
from tallow.data.store.order import in_log_order, unique_rows
from tallow.data.store.table import EPOCH, HORIZON

T = TypeVar("T")


@dataclass(frozen=True)
class DeltaView:
    """One state of the log: a tail and the files, each batch in one of the two.

    `generation` sets apart what was opened again; `identity` is the tail's own, where those of
    other machines may be flushed to the files; `renew` looks at the log again.
    """

    location: TableLocation
    tail: Tail
    files: FileIndex
    generation: str = ""
    identity: str | None = None
    renew: Callable[[], DeltaView] | None = None
    _epochs: list[str] = field(default_factory=list)

    @property
    def token(self) -> Hashable:
        """What changes with every change of the log that a reader would see."""
        return (self.files.version, *self.tail.token, self.generation)

    @property
    def last_received(self) -> int:
        """The receipt time of the newest write, or 0."""
        return max(self.tail.last_received, self.files.last_received)

    @property
    def horizon(self) -> int:
        """The moment before which `known_at` cannot reach: superseded revisions were pruned."""
        return int(self.files.properties.get(HORIZON, "0"))

    @property
    def epoch(self) -> str:
        """What changes where history is removed, so that nothing derived from it is trusted."""
        files = self.files
        mark = f"{files.properties[EPOCH]} {files.lineage.id}{self.generation}"
        if self.identity is None:
            return mark
        # Another machine's rows may have been received before the last ones that this one saw.
        tails = tails_of(self.location, self.tail.reached, files.version)
        own = all(tail == self.identity for tail in tails)
        return f"{mark} {self.tail.alone if own else files.version}"

    def is_of_one_epoch(self) -> bool:
        """Say whether no history was removed while this was read."""
        return all(epoch == self.epoch for epoch in self._epochs)

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return the rows of a selection in the log's order."""
        return self._looked(selection, lambda view, rows: view._scan(rows, columns, skip_damaged))

    def names(self, selection: Selection) -> set[str]:
        """Return the instruments of a selection's rows."""
        return self._looked(selection, DeltaView._names)

    def _looked(self, selection: Selection, look: Callable[[DeltaView, Selection], T]) -> T:
        """Return what a look at files and tail finds; again where files were removed meanwhile."""
        view = self
        for _ in range(STORE_VIEW_ATTEMPTS):
            try:
                return look(view, selection)
            except StoreError:
                # A compaction that keeps nothing removes files that this state needs.
                newer = view if view.renew is None else view.renew()
                if newer.files.version == view.files.version:
                    raise
            view = newer
            self._epochs.append(view.epoch)
            selection = selection.up_to(self.last_received)
        return look(view, selection)

    def _names(self, selection: Selection) -> set[str]:
        facts = self.files.select(selection)
        require_whole(damaged(self.location, facts))
        found = set(self.tail.scan(selection, LOG_ORDER)["instrument"].unique())
        # All rows of a file with one kind of series are of that kind: others need not be looked at.
        is_kind = selection == Selection(None, selection.timeframe, selection.adjustment)
        is_mixed = _is_mixed() if is_kind else pl.lit(value=True)
        for some, where in ((~is_mixed, pl.lit(value=True)), (is_mixed, selection.where())):
            paths = facts.filter(some)["path"].to_list()
            if paths:
                found.update(self._read_names(paths, where))
        return found

    def _read_names(self, paths: list[str], where: pl.Expr) -> list[str]:
        name = pl.col("instrument")

        def read(rows: pl.LazyFrame) -> pl.DataFrame:
            # Rows of an instrument follow each other: to compare neighbours is cheap.
            firsts = name.ne_missing(name.shift())
            return rows.filter(where).select(name).filter(firsts).collect()

        return self.location.read(paths, read)["instrument"].unique().to_list()

    def _scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool
    ) -> pl.DataFrame:
        before = selection.received_before
        if before is not None and before > self.last_received:
            selection = selection.replace(received_before=None)
        facts = self.files.select(selection)
        if len(facts) and (broken := damaged(self.location, facts)):
            if not skip_damaged:
                require_whole(broken)
            facts = facts.filter(~pl.col("path").is_in(list(broken)))
        paths = facts["path"].to_list()
        parts = [self._read(paths, selection, columns, skip_damaged)] if paths else []
        late = self.tail.scan(selection, columns)
        if parts and not self.files.is_checked:
            parts = [unique_rows(in_log_order(parts[0]), skip_damaged)]
            late = following(late, parts[0])
        if len(late):
            parts.append(late)
        if not parts:
            return NO_ROWS[list(columns)]
        rows = parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=False)
        # A file that Tallow wrote is sorted.
        sorted_already = len(parts) == len(facts) == 1 and self.files.is_checked
        return rows if sorted_already else in_log_order(rows)

    def has_interest(self, selection: Selection) -> bool:
        """Say whether any row of a timeframe and adjustment has open interest."""
        kind = (selection.timeframe, selection.adjustment)
        if any(kind in batch.with_interest for batch in self.tail.batches):
            return True
        known = self.files.interest
        if kind not in known:
            known[kind] = self._files_have_interest(selection)
        return known[kind]

    def _files_have_interest(self, selection: Selection) -> bool:
        facts = self.files.select(selection)
        if not facts["interest"].any():
            return False
        facts = facts.filter("interest")
        mixed = facts.filter(_is_mixed())
        if len(mixed) < len(facts):
            return True
        # Of a file with several kinds of series, the statistics do not say which of them has it.
        files = replace(self, tail=Tail(), files=replace(self.files, facts=mixed), renew=None)
        rows = files.scan(selection, ["instrument", "timestamp", "revision", OPEN_INTEREST])
        return rows[OPEN_INTEREST].null_count() < len(rows)

    def latest_time(self, timeframe: str, adjustment: str) -> int:
        """Return a time after which there is no row of a timeframe and adjustment."""
        kind, known = (timeframe, adjustment), self.files.latest_times
        if kind not in known:
            known[kind] = self._latest_in_files(Selection(None, timeframe, adjustment))
        return max([known[kind], *(batch.latest_time(kind) for batch in self.tail.batches)])

    def _latest_in_files(self, selection: Selection) -> int:
        facts = self.files.select(selection)
        mixed = facts.filter(_is_mixed())
        found = facts.filter(~_is_mixed())["max.timestamp"].to_list()
        try:
            require_whole(damaged(self.location, mixed))
            if len(mixed):
                # Corporate actions beside candles may be of next year.
                latest = pl.col("timestamp").max().to_physical().alias("latest")
                rows = self.location.read(
                    mixed["path"].to_list(),
                    lambda rows: rows.filter(selection.where()).select(latest).collect(),
                )
                found += rows["latest"].drop_nulls().to_list()
        except StoreError:
            # Who needs to know reads what there is, and hears of it.
            return END_OF_TIME
        return max(found, default=BEGIN_OF_TIME)

    def ends(self) -> tuple[int, int] | None:
        """Return times between which all rows lie; None where there is none."""
        known = self.files.facts.filter(pl.col("refused").is_null())
        ends = known.select(pl.col("min.timestamp").min(), pl.col("max.timestamp").max()).row(0)
        batches = self.tail.batches
        firsts = [batch.first for batch in batches] + [e for e in ends[:1] if e is not None]
        lasts = [batch.last for batch in batches] + [e for e in ends[1:] if e is not None]
        return (min(firsts), max(lasts)) if firsts else None

    def stats(self) -> StoreStats:
        """Return how much there is, and how it is stored."""
        facts, tail = self.files.facts, self.tail
        first, last = self.ends() or (None, None)
        return StoreStats(
            location=self.location.root,
            rows=int(facts["rows"].sum()) + tail.rows,
            tail_rows=tail.rows,
            files=len(facts),
            bytes=int(facts["size"].sum()),
            overlapping=sum(len(group) for group in overlapping(facts) if len(group) > 1),
            version=self.files.version,
            first=first,
            last=last,
            last_received=self.last_received,
            horizon=self.horizon,
        )

    def _read(
        self, paths: list[str], selection: Selection, columns: Sequence[str], skip_damaged: bool
    ) -> pl.DataFrame:
        def read(some: list[str]) -> pl.DataFrame:
            return self.location.read(
                some, lambda rows: rows.filter(selection.where()).select(columns).collect()
            )

        if not skip_damaged:
            return read(paths)
        with suppress(StoreError):
            return read(paths)
        whole = [NO_ROWS.select(columns)]
        for path in paths:
            with suppress(StoreError):
                whole.append(read([path]))
        return pl.concat(whole)


def _is_mixed() -> pl.Expr:
    """Say of a file's facts whether it has rows of several timeframes or adjustments."""
    ends = (("min.timeframe", "max.timeframe"), ("min.adjustment", "max.adjustment"))
    return pl.any_horizontal(pl.col(low) != pl.col(high) for low, high in ends)
