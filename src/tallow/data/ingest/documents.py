"""From documents into a store: each file is read, written at once and counted, one after the other.

A file that cannot be read stops no other one. What was written stays, whatever happens after it,
and doing all of it again changes nothing. A repaired table (`ingest.repair_table`) is known by its
columns, and closes the rows of the quarantine that are accepted now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Unpack

import polars as pl

from tallow.core.calendars import Beyond
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import CandleInputError, StoreError, TallowError
from tallow.core.limits import QUARANTINE_PREVIEW
from tallow.core.renamed import renamed
from tallow.core.text import counted, first_of, to_html
from tallow.core.time import now_us
from tallow.data.ingest.repair_table import RepairedRows, is_repair_table, read_repairs
from tallow.data.providers.document import Document, read_document
from tallow.data.providers.registry import readers
from tallow.data.reading.assumptions import warn_once
from tallow.data.reading.candles import Candles
from tallow.data.reading.file_names import OneKey, takes_key
from tallow.data.reading.files import find_files
from tallow.data.reading.options import ReadKeywords
from tallow.data.reading.quarantine import empty_quarantine
from tallow.data.reading.stamps import FileStamps
from tallow.data.store.settling import answered_rows, open_rows
from tallow.data.store.sizing import require_stored
from tallow.data.store.store import Store
from tallow.data.store.write import COUNTS

REPAIRED = "repaired"
"""What stands for the format of a repaired table."""

Progress = Callable[[int, int], None]
"""Called with the files done and the files in all; raise in it to cancel."""


@dataclass(frozen=True)
class FileReport:
    """What became of a file's rows of one series kind; it was one write.

    Attributes
    ----------
    source
        The file, as it was named.
    rows_in
        Always `new` + `identical` + `revised` + `quarantined`.
    settled
        Rows that were in the store's quarantine before, and need no attention any more.
    by_rule
        Quarantined rows by the rule they broke first.
    instrument
        The first by name of those that have a candle in it.
    first, last
        Earliest and latest candle's open, in UTC; None without candles.
    notes
        What nobody said of the candles, each with that by which it is known: how long they last, by
        their steps, or that prices are raw, as such documents have them.
    ignored_columns
        Columns that no field was read from.
    """

    source: str
    format: str
    timeframe: str
    adjustment: str
    rows_in: int
    new: int
    identical: int
    revised: int
    quarantined: int
    settled: int
    by_rule: dict[str, int]
    instrument: str | None
    first: datetime | None
    last: datetime | None
    notes: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class IngestReport:
    """What became of all files.

    Attributes
    ----------
    files
        One report per write, in the order in which they were written.
    failures
        Why a file could not be read, by its name; nothing of it was written.
    quarantine
        The first few of the quarantined rows, to show them; the store's ledger has all.
    hint
        A sentence where stamps look like those of the close; empty elsewhere.
    """

    files: tuple[FileReport, ...]
    failures: dict[str, str] = field(default_factory=dict)
    quarantine: pl.DataFrame = field(default_factory=empty_quarantine)
    hint: str = ""

    def total(self, count: str) -> int:
        """Return the sum over all files of a count, such as ``rows_in``."""
        return sum(getattr(file, count) for file in self.files)

    @property
    def by_rule(self) -> dict[str, int]:
        """Quarantined rows of all files by the rule they broke first."""
        found: dict[str, int] = {}
        for file in self.files:
            for rule, rows in file.by_rule.items():
                found[rule] = found.get(rule, 0) + rows
        return found

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that no field was read from, of all files, each once."""
        return tuple(dict.fromkeys(name for file in self.files for name in file.ignored_columns))

    def _repr_html_(self) -> str:
        counts = ", ".join(f"{self.total(name):,} {name}" for name in COUNTS)
        notes = [f"quarantined: {rule} {rows:,}" for rule, rows in self.by_rule.items()]
        notes += [f"failed: {why}" for why in self.failures.values()]
        columns = ("source", "format", "timeframe", "adjustment", "rows_in", *COUNTS)
        files = pl.DataFrame([{name: getattr(f, name) for name in columns} for f in self.files])
        title = f"IngestReport({counted(len(self.files), 'file')}: {counts})"
        return to_html(title, [*notes, *filter(None, [self.hint])], [files])


@renamed(timeframe="source_timeframe", instrument="instrument_key")
@warn_once
def ingest(
    store: Store,
    inputs: str | Path | Sequence[str | Path],
    *,
    source_timeframe: str | None = None,
    adjustment: str | None = None,
    calendar: str | Mapping[str, str | tuple[str, str]] = "XNSE",
    calendar_dates: str | Path | None = None,
    beyond_coverage: Beyond = "assume",
    now: int | None = None,
    progress: Progress | None = None,
    **said: Unpack[ReadKeywords],
) -> IngestReport:
    """Write files into a store, each in one write, in the order in which they are named.

    Parameters
    ----------
    inputs
        Paths and globs; a glob's files come sorted by name. Where two files say different things
        of a candle, the later one is right.
    source_timeframe, adjustment, said
        As in `tallow.data.providers.document.read_document`, the same for all files; `now`, too.
    calendar, calendar_dates, beyond_coverage
        Whose sessions tell how long candles last, and their zone, where nothing else does; and by
        which a hint on stamps goes.

    Raises
    ------
    TallowError
        If there is no such file or format, or not a single file can be read: the first reason.
    StoreError
        If the store cannot be written. The files before stay written.

    Notes
    -----
    Holds one file at a time; where `instrument_key` is given, a number for each candle of all.
    """
    paths = find_documents(inputs)
    if (name := said.get("format")) is not None:
        readers().find(name)
    moment = now_us() if now is None else now
    kind = partial(read_document, source_timeframe=source_timeframe, adjustment=adjustment)
    calendars = CalendarAssignment(calendar, calendar_dates, beyond_coverage)
    read = partial(kind, now=moment, calendar=calendars, **said)
    watch = FileStamps(calendars) if said.get("stamped") != "close" else None
    one = OneKey(said.get("instrument_key"), takes_key(said.get("pattern")))
    work = _Work(store, read, said.get("timezone"), moment, watch, one)
    for done, path in enumerate(paths, 1):
        work.take(path)
        if progress is not None:
            progress(done, len(paths))
    if work.failures and not work.files:
        raise CandleInputError(first_of(list(work.failures.values())))
    hint = "" if watch is None else watch.hint()
    return IngestReport(tuple(work.files), work.failures, work.quarantine, hint)


def find_documents(inputs: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the files that paths and globs name, each once; any ending may be a document's.

    `CandleInputError` as `find_files` raises it.
    """
    return list(dict.fromkeys(find_files("ingest", inputs, "*")))


def find_repairs(
    store: Store, path: Path, timezone: str | None, now: int
) -> list[tuple[RepairedRows, set[int]]]:
    """Read a repaired table of a store's quarantine, as `read_repairs` does.

    Each part is returned with the numbers of the open rows that it settles once it is written.
    """
    rows = store.ledger.held(everything=True)
    waiting = open_rows(rows)
    numbers = set(rows.filter(pl.col("settled_by").is_null())["id"])
    found = []
    for part in read_repairs(path, rows, timezone, now):
        series = (part.timeframe, part.adjustment)
        others = answered_rows(waiting, part.candles, part.sources, *series)
        found.append((part, numbers.intersection([*part.accepted, *others])))
    return found


@dataclass
class _Work:
    """The files so far."""

    store: Store
    read: Callable[[Path], Document]
    timezone: str | None
    now: int
    stamps: FileStamps | None
    one: OneKey
    files: list[FileReport] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    quarantine: pl.DataFrame = field(default_factory=empty_quarantine)

    def take(self, path: Path) -> None:
        """Read and write one file; what is wrong with it is a failure of it alone."""
        try:
            take = self._repairs if is_repair_table(path) else self._document
            take(path)
        except StoreError:
            raise
        except TallowError as error:
            self.failures[str(path)] = str(error)

    def _document(self, path: Path) -> None:
        document = self.read(path)
        series = (document.timeframe.text, document.adjustment)
        if document.is_sized_by_steps:
            names = document.candles.frame["instrument"].unique().to_list()
            require_stored(document.timeframe, names, self.store)
        self.one.take(str(path), document.candles.frame, series)
        # The ledger outlives the folder that this command was given in.
        source = str(path.absolute())
        quarantined = document.candles.quarantine.with_columns(source=pl.lit(source))
        candles = replace(document.candles, quarantine=quarantined)
        notes = document.notes
        self._write(path, document.format, candles, series, set(), candles.report.by_rule, notes)
        if self.stamps is not None and document.timeframe.unit == "minute":
            self.stamps.see(str(path), document.candles.frame)

    def _repairs(self, path: Path) -> None:
        # All are read before the first is written: a mistake in one is seen in time.
        for part, repaired in find_repairs(self.store, path, self.timezone, self.now):
            series = (part.timeframe, part.adjustment)
            self._write(path, REPAIRED, part.candles, series, repaired, part.by_rule)

    def _write(
        self,
        path: Path,
        format_: str,
        candles: Candles,
        series: tuple[str, str],
        repaired: set[int],
        by_rule: dict[str, int],
        notes: tuple[str, ...] = (),
    ) -> None:
        timeframe, adjustment = series
        source = str(path.absolute())
        wrote = self.store.append(candles, adjustment=adjustment, source=source)
        others = repaired.difference(wrote.settled)
        if others:
            # After the write: killed in between, the rows stay open, and the same again settles
            # them.
            self.store.ledger.settle(sorted(others), wrote.entry)
        few = pl.concat([self.quarantine, candles.quarantine.head(QUARANTINE_PREVIEW)])
        self.quarantine = few.head(QUARANTINE_PREVIEW)
        report = FileReport(
            source=str(path),
            format=format_,
            timeframe=timeframe,
            adjustment=adjustment,
            rows_in=wrote.rows_in,
            new=wrote.new,
            identical=wrote.identical,
            revised=wrote.revised,
            quarantined=wrote.quarantined,
            settled=len(wrote.settled) + len(others),
            by_rule=by_rule,
            instrument=candles.frame["instrument"][0] if len(candles) else None,
            first=candles.report.first,
            last=candles.report.last,
            notes=notes,
            ignored_columns=candles.report.ignored_columns,
        )
        self.files.append(report)
