"""The files of a store's table: how one is written, what is in each, which of them a read needs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.errors import DamagedFileError, StoreError
from tallow.core.limits import STORE_FILE_ROWS, STORE_GROUP_ROWS
from tallow.data.durable import sync_file
from tallow.data.runs import instrument_runs
from tallow.data.schema import OPEN_INTEREST, TIME_TYPE
from tallow.data.store.location import TableFolder
from tallow.data.store.log import LOG_SCHEMA, VALUES, Selection

_STATISTICS = ("timeframe", "adjustment", "instrument", "timestamp", "revision", "received_at")
WRITING = "check the disk, its room and its rights"
READING = "restore it from a backup, or read the rest with partial=True"
"""What to do about a file that cannot be written, or read."""

Query = Callable[[pl.LazyFrame], pl.DataFrame]
"""Takes the rows of files, and collects what it makes of them."""

_OWN_NAME = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})\.parquet")
_NEVER_NULL = tuple(name for name in LOG_SCHEMA if name not in VALUES)
_ADVICE = re.compile(r", (?:hint:|consider passing).*")
"""What Polars recommends to who calls it."""

_ALLOW_HTTP = ("allow_http", "aws_allow_http")


@dataclass(frozen=True)
class Place:
    """Where a table's files lie: a folder or a bucket, and how to get in.

    `table_id` is the table's own, which its log says; the names of its files are signed with it.
    """

    root: str
    options: Mapping[str, str] | None = None
    table_id: str = ""
    link: TableFolder | None = None

    @classmethod
    def at(cls, location: Path | str, options: Mapping[str, str] | None) -> Place:
        """Return the place of a `plain_location`."""
        link = TableFolder(location) if isinstance(location, Path) else None
        return cls(str(location), options, link=link)

    @property
    def folder(self) -> Path | None:
        """The local folder, or None for a bucket."""
        return None if self.link is None else Path(self.root)

    @property
    def table(self) -> str:
        """What deltalake is to open, so that it finds the log where this says."""
        return self.root if self.link is None else self.link.name

    def of(self, path: str) -> str:
        """Return the whole name of a file of the table."""
        return f"{self.root.rstrip('/')}/{path}"

    def read(self, paths: Sequence[str], query: Query) -> pl.DataFrame:
        """Return what a query makes of the rows of files, one after the other.

        Raises
        ------
        StoreError
            If one cannot be read, or holds what no log does; it names the first such file.
        """
        try:
            return self._read(paths, query)
        except StoreError:
            if len(paths) == 1:
                raise
        # One by one, to find it; where all can be read, it was the way there that failed.
        for path in paths:
            self._read([path], query)
        return self._read(paths, query)

    def _read(self, paths: Sequence[str], query: Query) -> pl.DataFrame:
        name = self.of(paths[0])
        with naming(name, READING):
            scan = pl.scan_parquet(
                [self.of(path) for path in paths],
                # A bracket in a folder's name is no pattern.
                glob=False,
                # A damaged file may say that its prices have half the bits: nothing is inferred.
                schema=LOG_SCHEMA,
                storage_options=dict(self.options) if self.options else None,
            )
            rows = query(scan)
        for column in _NEVER_NULL:
            if column in rows.columns and rows[column].null_count():
                raise DamagedFileError(f"store: {name}: has rows without {column}; {READING}")
        return rows

    def write(self, rows: pl.DataFrame) -> list[AddAction]:
        """Write rows as files of moderate size, durably; return what the log says of them."""
        written: list[AddAction] = []
        try:
            for piece in pieces(rows):
                written.append(self._write_one(piece))  # noqa: PERF401 - what an error leaves
        except BaseException:
            self.discard(written)
            raise
        return written

    def discard(self, written: Sequence[AddAction]) -> None:
        """Remove files that will never be part of the table: a full disk needs their room."""
        for action in written:
            with suppress(Exception):
                if self.folder is None:
                    import obstore

                    obstore.delete(self.bucket, action.path)
                else:
                    (self.folder / action.path).unlink()

    def _write_one(self, frame: pl.DataFrame) -> AddAction:
        path = own_name(self.table_id)
        with naming(self.of(path)):
            size = self._put(frame, path) if self.folder is None else _save(frame, self.of(path))
        return AddAction(path, size, {}, int(time.time() * 1000), True, _statistics(frame))

    def _put(self, frame: pl.DataFrame, path: str) -> int:
        """Upload a file. Encoded here, because Polars does not say how long it was."""
        import obstore

        body = io.BytesIO()
        _encode(frame, body)
        obstore.put(self.bucket, path, body.getvalue())
        return body.tell()

    @cached_property
    def bucket(self) -> Any:
        """The client for a bucket."""
        from obstore.store import from_url

        options: Any = dict(self.options or {})
        # The other two libraries read the environment for this; obstore has to be told.
        plain = [
            options.pop(name, os.environ.get(name.upper(), "false")).lower() == "true"
            for name in _ALLOW_HTTP
        ]
        client: Any = {"allow_http": any(plain)}
        return from_url(self.root, config=options, client_options=client)


def own_name(table_id: str) -> str:
    """Return a new name for a file of a table, signed, so that nobody else's is taken for it."""
    drawn = uuid.uuid4().hex
    return f"{drawn}-{_signature(drawn, table_id)}.parquet"


def is_own_name(name: str, table_id: str) -> bool:
    """Say whether `own_name` made a name, for this table."""
    found = _OWN_NAME.fullmatch(name)
    return found is not None and found[2] == _signature(found[1], table_id)


def _signature(drawn: str, table_id: str) -> str:
    return hashlib.blake2b(f"{table_id} {drawn}".encode(), digest_size=8).hexdigest()


def pieces(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut rows in the log's order into files: no series in two, but for one that is too long.

    Files then overlap only where they must, and a series that is too long has files of its own.
    """
    start = 0
    offsets = instrument_runs(rows)[1].tolist()
    for low, high in pairwise(offsets):
        is_long = high - low > STORE_FILE_ROWS
        if start < low and (is_long or high - start > STORE_FILE_ROWS):
            yield rows[start:low]
            start = low
        if is_long:
            yield from rows[low:high].iter_slices(STORE_FILE_ROWS)
            start = high
    if start < len(rows):
        yield rows[start:]


def _save(frame: pl.DataFrame, name: str) -> int:
    try:
        _encode(frame, name)
        sync_file(Path(name))
        return Path(name).stat().st_size
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _encode(frame: pl.DataFrame, target: str | io.BytesIO) -> None:
    frame.write_parquet(
        target, compression="zstd", compression_level=1, row_group_size=STORE_GROUP_ROWS
    )


def remove_action(path: str, size: int) -> RemoveAction:
    """Return what the log says of a file that is part of the table no more."""
    return RemoveAction(path, False, int(time.time() * 1000), size, {})


def _statistics(frame: pl.DataFrame) -> str:
    """Return a file's statistics in the words of the Delta protocol."""
    ends = frame.select(
        *(pl.col(name).min().alias(f"min.{name}") for name in _STATISTICS),
        *(pl.col(name).max().alias(f"max.{name}") for name in _STATISTICS),
        pl.col(OPEN_INTEREST).null_count().alias(OPEN_INTEREST),
    ).row(0, named=True)
    return json.dumps(
        {
            "numRecords": len(frame),
            "minValues": {name: _plain(ends[f"min.{name}"]) for name in _STATISTICS},
            "maxValues": {name: _plain(ends[f"max.{name}"]) for name in _STATISTICS},
            "nullCount": {OPEN_INTEREST: ends[OPEN_INTEREST]},
        }
    )


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


@dataclass(frozen=True)
class FileIndex:
    """The files of one version of the table, with the ends of what is in them.

    `facts` has a row per file, in the order of the keys they begin with: path, size, rows,
    ``min.`` and ``max.`` of the key's columns, the revision and the receipt time (times as
    microseconds), and `interest`, whether it holds open interest.
    """

    version: int
    flushed: int
    properties: Mapping[str, str]
    facts: pl.DataFrame

    @classmethod
    def of(
        cls, version: int, flushed: int, properties: Mapping[str, str], actions: Any
    ) -> FileIndex:
        """Return the index of a table's add actions, as deltalake flattens them."""
        table = pl.DataFrame(actions)
        if not len(table):
            return cls(version, flushed, properties, pl.DataFrame(schema=_INDEX_SCHEMA))
        ends = [f"{end}.{name}" for end in ("min", "max") for name in _STATISTICS]
        interest = pl.col(f"null_count.{OPEN_INTEREST}") < pl.col("num_records")
        facts = table.select(
            "path",
            pl.col("size_bytes").alias("size"),
            pl.col("num_records").alias("rows"),
            *(
                pl.col(name).cast(TIME_TYPE).to_physical() if name.endswith(_TIMES) else name
                for name in ends
            ),
            interest.alias("interest"),
        )
        if (broken := facts.filter(pl.any_horizontal(pl.all().is_null()))).height:
            raise ValueError(f"its log does not say what is in {broken['path'][0]}")
        order = [f"min.{name}" for name in ("timeframe", "adjustment", "instrument", "timestamp")]
        return cls(version, flushed, properties, facts.cast(_INDEX_SCHEMA).sort(order))  # type: ignore[arg-type]

    @cached_property
    def last_received(self) -> int:
        """The latest receipt time in any file, or 0."""
        return int(self.facts["max.received_at"].max() or 0)  # type: ignore[arg-type]

    @cached_property
    def _ends(self) -> list[tuple[Any, ...]]:
        return self.facts.select(
            f"{end}.{name}" for name in _SELECTED for end in ("min", "max")
        ).rows()

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


def _before(end: int | None) -> int | None:
    return None if end is None else end - 1


def _overlaps(ends: Sequence[Any], limits: Sequence[tuple[Any, Any]]) -> bool:
    """Say whether a file's ends, two a column, overlap all limits, both included; None is none."""
    for (low, high), first, last in zip(limits, ends[::2], ends[1::2], strict=True):
        if (low is not None and last < low) or (high is not None and first > high):
            return False
    return True


_SELECTED = ("timeframe", "adjustment", "instrument", "timestamp", "received_at")
_TIMES = ("timestamp", "received_at")
_INDEX_SCHEMA: dict[str, Any] = {
    "path": pl.String,
    "size": pl.Int64,
    "rows": pl.Int64,
    **{
        f"{end}.{name}": pl.Int64 if name in _TIMES else LOG_SCHEMA[name]
        for end in ("min", "max")
        for name in _STATISTICS
    },
    "interest": pl.Boolean,
}


def damaged(place: Place, facts: pl.DataFrame) -> dict[str, str]:
    """Return which local files are not as long as the log says, and why.

    A Parquet file cut short makes Polars panic, which nothing may catch for certain.
    """
    if place.folder is None or not len(facts):
        return {}
    found = {}
    for path, size in facts.select("path", "size").iter_rows():
        try:
            there = os.stat(place.of(path)).st_size  # noqa: PTH116 - a Path each costs more
        except FileNotFoundError:
            found[path] = f"{place.of(path)}: is missing"
            continue
        if there != size:
            found[path] = f"{place.of(path)}: has {there:,} bytes; the log says {size:,}"
    return found


def require_whole(found: Mapping[str, str]) -> None:
    """Raise `DamagedFileError` if a file is damaged."""
    if found:
        raise DamagedFileError(f"store: {'; '.join(found.values())}; {READING}")


@contextmanager
def naming(name: str, advice: str = WRITING) -> Iterator[None]:
    """Turn what Polars and the system raise over a file into an error that names it."""
    try:
        yield
    # A damaged file can make Polars panic, and a panic is a BaseException.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if isinstance(error, StoreError):
            raise
        reason = _ADVICE.sub("", (str(error).strip().splitlines() or [type(error).__name__])[0])
        raise StoreError(f"store: {name}: {reason}; {advice}") from error
