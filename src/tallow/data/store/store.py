"""The face of a store: what is written is classified here, what is read is the latest of each key.

A write goes: `read_candles` checks the rows, the backend takes its lock, `classify` compares them
with what the log knows, and what is new or revised is appended. Readers never wait for writers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import ParameterError, StoreError
from tallow.core.time import now_us
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.candles import Candles
from tallow.data.reading.given import read_as_given
from tallow.data.reading.known_times import only_begun
from tallow.data.reading.readers import read_candles
from tallow.data.reading.row_keys import candle_keys
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, time_view
from tallow.data.store.actions import ACTION, StoredActions
from tallow.data.store.backends import Opened, opened
from tallow.data.store.backup import copy
from tallow.data.store.classify import classify, classify_deletions
from tallow.data.store.log import (
    LOG_ORDER,
    LOG_SCHEMA,
    SERIES_KEY,
    Backend,
    Compacted,
    LogPoint,
    Selection,
    StoreStats,
    current,
    require_kept,
)
from tallow.data.store.settling import OpenRows
from tallow.data.store.write import WriteReport, append

CANDLE_COLUMNS = (*CANDLE_SCHEMA, OPEN_INTEREST)
KEEP_HOURS = 168.0
"""How long files stay that compaction replaced: a week, as is usual for Delta tables."""


def open_store(
    location: str | Path,
    *,
    create: bool = False,
    state: Path | None = None,
    storage_options: Mapping[str, str] | None = None,
    clock: Callable[[], int] = now_us,
) -> Store:
    """Open a store, in a folder, a bucket or a database.

    Parameters
    ----------
    location
        A folder (a name, or a ``file://`` URL), a bucket's URL (``s3://bucket/candles``), or
        ``postgresql://...``.
    create
        Make it where there is none.
    state
        Local folder for the tail of a bucket; by default one of the user's own, by the bucket's
        name. Losing it loses the writes that are not in the bucket yet.
    storage_options
        What the bucket asks for, such as ``aws_region`` or ``aws_endpoint_url``; what is not given
        is taken from the environment.
    clock
        Gives the time in microseconds since 1970 UTC.

    Raises
    ------
    StoreError
        If there is no store, it cannot be opened, or an extra is not installed.
    """
    return Store(opened(location, create, state, storage_options, clock))


class Store:
    """Candles of years, each with all its revisions; nothing is lost, and nothing overwritten.

    Examples
    --------
    >>> import tempfile
    >>> import polars as pl
    >>> candle = {"symbol": ["RAYMOND"], "ts": ["2025-07-18T09:15+05:30"], "v": [900]}
    >>> prices = {"o": [700.0], "h": [702.0], "l": [699.0], "c": [701.0]}
    >>> with tempfile.TemporaryDirectory() as folder, open_store(folder, create=True) as store:
    ...     report = store.write(pl.DataFrame(candle | prices))
    ...     again = store.write(pl.DataFrame(candle | prices))
    ...     (report.new, again.new, again.identical, store.read()["close"].to_list())
    (1, 0, 1, [701.0])
    """

    def __init__(self, opened: Opened) -> None:
        self._opened, self._open_rows = opened, OpenRows()

    @property
    def _backend(self) -> Backend:
        return self._opened.backend()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state_folder(self) -> Path:
        """The local folder for what is derived from the store."""
        return self._backend.state_folder

    @property
    def epoch(self) -> str:
        """What changes where history was taken away."""
        return self._backend.epoch

    @property
    def ledger(self) -> Any:
        """The writes so far, and the rows set aside: `tallow.data.store.ledger.Ledger`."""
        return self._backend.ledger()

    @property
    def actions(self) -> StoredActions:
        """The corporate actions that are recorded beside the candles."""
        return StoredActions(self._backend)

    def write(
        self,
        candles: Any,
        *,
        timeframe: str = "1m",
        adjustment: str = "raw",
        source: str | None = None,
    ) -> WriteReport:
        """Add candles: new ones, the same again, or corrections. Durable when it returns.

        Parameters
        ----------
        candles
            Whatever `tallow.read_candles` takes. Those that have not begun are set aside.
        timeframe, adjustment
            Of which series they are. Other prices of the same instrument are another series.
        source
            Where they come from; by default what was read, such as the file's name.

        Raises
        ------
        TallowError
            If the input cannot be candles.
        StoreError
            If they cannot be written; nothing is then.
        """
        size = parse_timeframe(timeframe)
        read = read_as_given(read_candles, candles, source_timeframe=size)
        if read.source_timeframe != size:
            raise StoreError(
                f"store: timeframe={timeframe}; these candles were read as "
                f"{read.source_timeframe.text}; read them with read_candles(candles, "
                f"source_timeframe={size.text!r})"
            )
        name = source or ", ".join(read.report.sources[:3])
        return self.append(read, adjustment=adjustment, source=name)

    def append(self, candles: Candles, *, adjustment: str = "raw", source: str) -> WriteReport:
        """Add candles as `write` does, but only those that were read: no rule is checked again."""
        read, backend = only_begun(candles), self._backend
        frame = read.frame
        if OPEN_INTEREST not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.Float64).alias(OPEN_INTEREST))
        series = (read.source_timeframe.text, adjustment, source)
        wrote = append(backend, frame.select(CANDLE_COLUMNS), series, classify, read)
        return self._open_rows.settle(backend, read, series, wrote)

    def delete(
        self,
        keys: Any,
        *,
        timeframe: str = "1m",
        adjustment: str = "raw",
        source: str = "delete",
    ) -> WriteReport:
        """Delete candles by a revision that says so; `as_of` before it still shows them.

        Parameters
        ----------
        keys
            A frame with columns `instrument` and `timestamp`; times of any kind that candles have.

        Raises
        ------
        CandleInputError
            If it is no such frame, or a row has no name or time.

        Returns
        -------
        WriteReport
            `revised` candles were deleted; keys without a candle are `identical`.
        """
        given = candle_keys(keys, "delete")
        unique = given.unique().sort("instrument", "timestamp")
        series = (parse_timeframe(timeframe).text, adjustment, source)
        return append(
            self._backend, unique, series, classify_deletions, None, len(given) - len(unique)
        )

    def read(
        self,
        instruments: Sequence[str] | None = None,
        *,
        timeframe: str = "1m",
        adjustment: str = "raw",
        start: int | None = None,
        end: int | None = None,
        as_of: int | None = None,
        partial: bool = False,
    ) -> pl.DataFrame:
        """Return candles as they are known now, or were at a moment.

        Parameters
        ----------
        instruments
            Names, or None for all.
        start, end, as_of
            ``start <= timestamp < end``, received by `as_of`; microseconds since 1970 UTC.
        partial
            Leave out what lies in damaged files, instead of raising; `damaged` names them.

        Returns
        -------
        pl.DataFrame
            Candle columns and `open_interest`, sorted by instrument and timestamp, and unique.

        Raises
        ------
        DamagedFileError
            If a file is damaged, and not `partial`.
        """
        wanted = Selection.of(instruments, timeframe, adjustment, start, end, as_of)
        columns = [*CANDLE_COLUMNS, "revision", "deleted"]
        require_kept(self._backend, wanted)
        return current(self._backend.scan(wanted, columns, partial)).select(CANDLE_COLUMNS)

    def log(
        self,
        instruments: Sequence[str] | None = None,
        *,
        timeframe: str | None = None,
        adjustment: str | None = None,
        start: int | None = None,
        end: int | None = None,
        as_of: int | None = None,
    ) -> pl.DataFrame:
        """Return every revision, with all columns of the log; arguments as in `read`."""
        selection = Selection.of(instruments, timeframe, adjustment, start, end, as_of)
        return self._backend.scan(selection, list(LOG_SCHEMA))

    def series(self) -> pl.DataFrame:
        """Return each series with its first and last candle and their number. Reads all keys."""
        columns = [*SERIES_KEY, "timestamp", "revision", "deleted"]
        rows = current(self._backend.scan(Selection(None, None, None), columns))
        return (
            rows.filter(pl.col("timeframe") != ACTION)
            .group_by(SERIES_KEY)
            .agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max(), candles=pl.len())
            .sort(SERIES_KEY)
        )

    def token(self) -> Hashable:
        """Return what changes with every change that a reader would see. Costs microseconds."""
        return self._backend.token()

    def last_received(self) -> int:
        """Return the receipt time of the newest write in microseconds, or 0."""
        return self._backend.last_received()

    def point(self) -> LogPoint:
        """Return which state this is: the epoch, and the receipt of the newest write."""
        # In this order: who notes an old epoch for a new state looks again.
        epoch = self.epoch
        return LogPoint(epoch, self.last_received())

    def has_received(self, received_at: int) -> bool:
        """Say whether a write of that receipt is there."""
        only = Selection(None, None, None, None, None, received_at, received_at + 1)
        return len(self._backend.scan(only, [*LOG_ORDER])) > 0

    def changed_since(
        self,
        received_at: int,
        instruments: Sequence[str] | None = None,
        *,
        timeframe: str = "1m",
        adjustment: str = "raw",
        as_of: int | None = None,
    ) -> dict[str, int]:
        """Return, per instrument with rows received later, the earliest timestamp among them."""
        selection = Selection.of(instruments, timeframe, adjustment, None, None, as_of)
        selection = selection.replace(received_from=received_at + 1)
        rows = self._backend.scan(selection, ["instrument", "timestamp", "revision"])
        names, offsets = instrument_runs(rows)
        # In the log's order: an instrument's first row is its earliest.
        return dict(zip(names, time_view(rows)[offsets[:-1]].tolist(), strict=True))

    def has_interest(self, timeframe: str = "1m", adjustment: str = "raw") -> bool:
        """Say whether candles of such series have open interest."""
        return self._backend.has_interest(Selection(None, timeframe, adjustment))

    def damaged(self) -> list[str]:
        """Return what is wrong with which of the store's files; nothing where all are whole."""
        return self._backend.damaged()

    def stats(self) -> StoreStats:
        """Return how much there is, and how it lies."""
        return self._backend.stats()

    def compact(self, keep_hours: float = KEEP_HOURS) -> Compacted:
        """Sort and merge files, so that one instrument's range lies in one stretch of one file.

        Parameters
        ----------
        keep_hours
            Replaced files stay for readers that began before, and are removed after this time.
        """
        return self._backend.compact(keep_hours)

    def prune(
        self,
        *,
        before: int | None = None,
        superseded_before: int | None = None,
        keep_hours: float = KEEP_HOURS,
    ) -> Compacted:
        """Take away what is too old; the only thing that does, and there is no way back.

        Parameters
        ----------
        before
            Candles with earlier timestamps go, with all their revisions.
        superseded_before
            Revisions that were superseded by this moment, or the newest write if that is earlier,
            go; `as_of` does not reach behind it then. Both in microseconds since 1970 UTC.
        """
        if before is None and superseded_before is None:
            raise ParameterError("prune: neither before= nor superseded_before= is given; give one")
        if superseded_before is not None:
            # What comes later is not pruned, whatever moment was named: questions about it hold.
            superseded_before = min(superseded_before, self.last_received())
        return self._backend.prune(before, superseded_before, keep_hours)

    def backup(
        self,
        target: str | Path,
        *,
        state: Path | None = None,
        storage_options: Mapping[str, str] | None = None,
    ) -> StoreStats:
        """Copy everything, all revisions and the ledger, to a new store, and return its stats.

        The copy is a store like any other, whatever the kind of either: to restore is to back up
        the other way round. It is of one moment, whatever is written meanwhile; until it is whole
        it cannot be opened, and where it was cut off it can be begun again.

        Raises
        ------
        StoreError
            If the target holds rows already, or a file of this store is damaged.
        """
        place = opened(target, True, state, storage_options, to_fill=True)
        with Store(place) as other:
            copy(self._backend, other._backend)
            return other.stats()

    def flush(self) -> None:
        """Move the durable tail into the table."""
        self._backend.flush()

    def close(self) -> None:
        """Release files and connections; everything acknowledged is durable already."""
        self._backend.close()
