"""The files of a store's table: how one is written, what is in each, which of them a read needs."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.disk import make_folder, sync_file
from tallow.core.errors import DamagedFileError, StoreError
from tallow.core.limits import STORE_FILE_ROWS, STORE_GROUP_ROWS
from tallow.data.reading.runs import instrument_runs
from tallow.data.store.location import TableFolder
from tallow.data.store.log import LOG_SCHEMA, VALUES
from tallow.data.store.statistics import facts_of, is_own_name, own_name, to_json

WRITING = "check the disk, its room and its rights"
READING = "restore it from a backup, or read the rest with Store.read(..., partial=True)"
"""What to do about a file that cannot be written, or read."""

Query = Callable[[pl.LazyFrame], pl.DataFrame]
"""Takes the rows of files, and collects what it makes of them."""

NEVER_NULL = tuple(name for name in LOG_SCHEMA if name not in VALUES)
_ADVICE = re.compile(r", (?:hint:|consider passing).*")
"""What Polars recommends to its callers."""

_OTHERS_TIMES = pl.ScanCastOptions(
    datetime_cast=["nanosecond-downcast", "millisecond-upcast", "convert-timezone"]
)
_ALLOW_HTTP = ("allow_http", "aws_allow_http")


@dataclass(frozen=True)
class TableLocation:
    """Where a table's files lie: a folder or a bucket, and how to get in.

    `table_id` is the table's own, which its log says; the names of its files are signed with it.
    """

    root: str
    options: Mapping[str, str] | None = None
    table_id: str = ""
    link: TableFolder | None = None

    @classmethod
    def at(cls, location: Path | str, options: Mapping[str, str] | None) -> TableLocation:
        """Return that of a `plain_location`."""
        link = TableFolder(location) if isinstance(location, Path) else None
        return cls(str(location), options, link=link)

    @cached_property
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

        `StoreError` if one cannot be read, or holds what no log does; it names the first such file.
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
                # A bracket in a folder's name is not a pattern.
                glob=False,
                # A damaged file may say that its prices have half the bits: nothing is inferred.
                schema=LOG_SCHEMA,
                # Others write times as they have them; a file of ours with such ones is damaged.
                cast_options=None if self._are_own(paths) else _OTHERS_TIMES,
                storage_options=dict(self.options) if self.options else None,
            )
            rows = query(scan)
        for column in NEVER_NULL:
            if column in rows.columns and rows[column].null_count():
                raise DamagedFileError(f"store: {name}: has rows without {column}; {READING}")
        return rows

    def _are_own(self, paths: Sequence[str]) -> bool:
        return all(is_own_name(path, self.table_id) for path in paths)

    def commit(self, version: int) -> bytes:
        """Return the log's words on a version; none where they were cleaned up."""
        name = f"_delta_log/{version:020d}.json"
        with naming(self.of(name), READING), suppress(FileNotFoundError):
            if self.folder is not None:
                return (self.folder / name).read_bytes()
            import obstore

            return bytes(obstore.get(self.bucket, name).bytes())
        return b""

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
        self.remove([action.path for action in written])

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files that nothing needs, as far as that works."""
        for path in paths:
            with suppress(Exception):
                if self.folder is None:
                    import obstore

                    obstore.delete(self.bucket, path)
                else:
                    (self.folder / path).unlink()

    def _write_one(self, frame: pl.DataFrame) -> AddAction:
        facts = facts_of(frame)
        path = own_name(self.table_id, facts)
        with naming(self.of(path)):
            size = self._put(frame, path) if self.folder is None else _save(frame, self.of(path))
        return AddAction(path, size, {}, int(time.time() * 1000), True, to_json(facts))

    def put(self, frame: pl.DataFrame, path: str) -> None:
        """Write a frame beside the table, durably."""
        with naming(self.of(path)):
            if self.folder is None:
                self._put(frame, path)
            else:
                make_folder((self.folder / path).parent)
                _save(frame, self.of(path))

    def get(self, path: str) -> pl.DataFrame:
        """Read what `put` wrote."""
        options = dict(self.options) if self.options else None
        with naming(self.of(path), READING):
            return pl.read_parquet(self.of(path), glob=False, storage_options=options)

    def beside(self, folder: str) -> list[str]:
        """Return the files in a folder beside the table, none where there is no such folder."""
        with naming(self.of(folder)), suppress(FileNotFoundError):
            if self.folder is not None:
                return [f"{folder}/{path.name}" for path in (self.folder / folder).iterdir()]
            import obstore

            found = obstore.list_with_delimiter(self.bucket, f"{folder}/")["objects"]
            return [each["path"] for each in found]
        return []

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
        # The other two libraries read the environment for this; obstore has to be given it.
        plain = [
            options.pop(name, os.environ.get(name.upper(), "false")).lower() == "true"
            for name in _ALLOW_HTTP
        ]
        client: Any = {"allow_http": any(plain)}
        return from_url(self.root, config=options, client_options=client)


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


def damaged(location: TableLocation, facts: pl.DataFrame) -> dict[str, str]:
    """Return which files are refused, or local and not as long as the log says, and why.

    A Parquet file cut short makes Polars panic, which nothing may catch for certain.
    """
    found = {}
    if "refused" in facts.columns and facts["refused"].null_count() < len(facts):
        refused = facts.filter(pl.col("refused").is_not_null())
        found = dict(refused.select("path", "refused").iter_rows())
    if location.folder is None:
        return found
    for path, size in zip(facts["path"].to_list(), facts["size"].to_list(), strict=True):
        if path in found:
            continue
        try:
            there = os.stat(location.of(path)).st_size  # noqa: PTH116 - a Path each costs more
        except FileNotFoundError:
            found[path] = f"{location.of(path)}: is missing"
            continue
        if there != size:
            found[path] = f"{location.of(path)}: has {there:,} bytes; the log says {size:,}"
    return found


def require_whole(found: Mapping[str, str]) -> None:
    """Raise `DamagedFileError` if a file is damaged."""
    if found:
        raise DamagedFileError(f"store: {'; '.join(found.values())}; {READING}")


def _errors_over_files() -> tuple[type[BaseException], ...]:
    # A damaged file can make Polars panic, and a panic is a BaseException.
    found = pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError
    if "obstore" not in sys.modules:
        return found
    from obstore.exceptions import BaseError

    return (*found, BaseError)


@contextmanager
def naming(name: str, advice: str = WRITING) -> Iterator[None]:
    """Turn what Polars and the system raise over a file into an error that names it."""
    try:
        yield
    except _errors_over_files() as error:
        if isinstance(error, StoreError):
            raise
        reason = _ADVICE.sub("", (str(error).strip().splitlines() or [type(error).__name__])[0])
        raise StoreError(f"store: {name}: {reason}; {advice}") from error
