"""The face of a store: what is written is classified here, what is read is the latest of each key.

A write goes: `read_candles` checks the rows, the backend takes its lock, `classify` compares them
with what the log knows, and what is new or revised is appended. Readers never wait for writers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import ParameterError, StoreError
from tallow.core.limits import STORE_GROUP_SECONDS, STORE_VIEW_ATTEMPTS
from tallow.core.renamed import renamed
from tallow.core.text import without_secrets
from tallow.core.time import now_us
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.candles import Candles
from tallow.data.reading.known_times import only_begun
from tallow.data.reading.row_keys import candle_keys
from tallow.data.reading.schema import CANDLE_COLUMNS, OPEN_INTEREST
from tallow.data.reading.session_rows import CalendarName
from tallow.data.store.backend import Backend, CompactionReport, Meanwhile, StoreStats
from tallow.data.store.classify import classify, classify_deletions
from tallow.data.store.location import STATE_FOLDER, needs_package, plain_location, require_folder
from tallow.data.store.reader import StoreReader, StoreState
from tallow.data.store.settling import OpenRows
from tallow.data.store.sizing import read_sized
from tallow.data.store.symbols import record_symbols
from tallow.data.store.write import WriteReport, append

KEEP_HOURS = 168.0
"""How long files stay that compaction replaced: a week, as usual for Delta tables."""


def open_store(
    location: str | Path,
    *,
    create: bool = False,
    state: Path | None = None,
    storage_options: Mapping[str, str] | None = None,
    clock: Callable[[], int] = now_us,
    longest_wait: float = STORE_GROUP_SECONDS,
) -> Store:
    """Open a store, in a folder, a bucket or a database.

    Parameters
    ----------
    location
        A folder (a name, or a ``file://`` URL), a bucket's URL (``s3://bucket/candles``), or
        ``postgresql://...``.
    create
        Make it where there is none. By default that is an error, whoever opens a store: a misspelt
        name would be a new and empty one.
    state
        Local folder for the tail of a bucket; by default one of the user's own, by the bucket's
        name. Losing it loses the writes that are not in the bucket yet.
    storage_options
        What the bucket asks for, such as ``aws_region`` or ``aws_endpoint_url``; what is not given
        is taken from the environment.
    clock
        Gives the time in microseconds since 1970 UTC.
    longest_wait
        Small writes that threads bring while a commit runs share the next, so that one wait for
        the disk is enough for all. For so many seconds that one takes in others which come while it
        is written, too. Who writes alone waits for nobody; a database joins commits by itself.

    Raises
    ------
    ParameterError
        If `longest_wait` is not 0..1.
    StoreError
        If there is no store, it cannot be opened, or an extra is not installed.
    """
    if not 0 <= longest_wait <= 1:
        raise ParameterError(f"store: longest_wait={longest_wait}; must be 0..1, in seconds")
    open_it = partial(
        open_backend, location, state, storage_options, clock, longest_wait=longest_wait
    )
    return Store(open_it, create)


class Store(StoreReader):
    """Candles of years, each with all its revisions; nothing is lost, and nothing overwritten.

    Examples
    --------
    >>> import tempfile
    >>> import polars as pl
    >>> candle = {"symbol": ["RAYMOND"], "ts": ["2025-07-18T09:15+05:30"], "v": [900]}
    >>> prices = {"o": [700.0], "h": [702.0], "l": [699.0], "c": [701.0]}
    >>> with tempfile.TemporaryDirectory() as folder, open_store(folder, create=True) as store:
    ...     report = store.write(pl.DataFrame(candle | prices), source_timeframe="1m")
    ...     again = store.write(pl.DataFrame(candle | prices), source_timeframe="1m")
    ...     (report.new, again.new, again.identical, store.read()["close"].to_list())
    (1, 0, 1, [701.0])
    """

    def __init__(self, open_it: Callable[[bool], Backend], create: bool = False) -> None:
        self._open, self._lock = open_it, threading.Lock()
        self._kept, self._open_rows = open_it(create), OpenRows()

    @property
    def backend(self) -> Backend:
        """The backend that keeps the log: opened again where its files were replaced, by a backup.

        Raises
        ------
        StoreError
            If there is no store any more; nothing is written to what was removed.
        """
        backend = self._kept
        if not backend.is_replaced():
            return backend
        with self._lock:
            if self._kept is backend:
                self._kept = self._open(False)
                self._kept.begin_generation()
            return self._kept

    def state(self) -> StoreState:
        """Look at the store once: what is read of the state that this returns is of one moment.

        Where others remove history meanwhile, its `view` is no longer `is_of_one_epoch`.
        """
        return StoreState(self.backend)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state_folder(self) -> Path:
        """The local folder for what is derived from the store."""
        return self.backend.state_folder

    @property
    def ledger(self) -> Any:
        """The writes so far, and the quarantined rows: `tallow.data.store.ledger.Ledger`."""
        return self.backend.ledger()

    @renamed(timeframe="source_timeframe")
    def write(
        self,
        candles: Any,
        *,
        source_timeframe: str | None = None,
        adjustment: str = "raw",
        source: str | None = None,
        calendar: CalendarName = "XNSE",
    ) -> WriteReport:
        """Add candles: new ones, the same again, or corrections. Durable when it returns.

        Parameters
        ----------
        candles
            Whatever `tallow.read_candles` takes. Those that have not begun are quarantined.
        source_timeframe
            How long each candle lasts. Where it is not given, `Candles` say it, and of others it is
            the commonest step of neighbouring rows of a session, seen 20 times at least; the report
            says so. Of fewer, a warning: for this version they are 1m, the next one asks.
        adjustment
            What prices they have. Other prices of the same instrument are another series.
        calendar
            Whose sessions tell of the timeframe, and of the zone of times that carry none.
        source
            Where they come from; by default what was read, such as the file's name.

        Raises
        ------
        TallowError
            If the input cannot be candles, or their steps contradict each other.
        StoreError
            If they cannot be written; nothing is then.
        TimeframeError
            If their steps say something else than `source_timeframe`.
        """
        read, notes = read_sized(candles, source_timeframe, calendar, self)
        name = source or ", ".join(read.report.sources[:3])
        wrote = self.append(read, adjustment=adjustment, source=name)
        return replace(wrote, notes=notes) if notes else wrote

    def append(
        self,
        candles: Candles,
        *,
        adjustment: str = "raw",
        source: str,
        meanwhile: Meanwhile = nullcontext,
    ) -> WriteReport:
        """Add candles as `write` does, but only those that were read: no rule is checked again.

        `meanwhile` gives a context that is entered when the write's place in the order of writes is
        certain, and left when it is durable.
        """
        read, backend = only_begun(candles), self.backend
        frame = read.frame
        if OPEN_INTEREST not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.Float64).alias(OPEN_INTEREST))
        series = (read.source_timeframe.text, adjustment, source)
        if tuple(frame.columns) != CANDLE_COLUMNS:
            frame = frame.select(CANDLE_COLUMNS)
        wrote = append(backend, frame, series, classify, read, meanwhile=meanwhile)
        if read.symbols is not None and len(frame):
            own = read.symbols.filter(pl.col("instrument").is_in(frame["instrument"].unique()))
            # After the candles: cut off in between, the same candles again bring them.
            record_symbols(backend, own, frame["timestamp"][0], source)
        return self._open_rows.settle(backend, read, series, wrote)

    @renamed(timeframe="source_timeframe")
    def delete(
        self,
        keys: Any,
        *,
        source_timeframe: str = "1m",
        adjustment: str = "raw",
        source: str = "delete",
        meanwhile: Meanwhile = nullcontext,
    ) -> WriteReport:
        """Delete candles by a revision that says so; `known_at` before it still shows them.

        Parameters
        ----------
        keys
            A frame with columns `instrument` and `timestamp`; times of any kind that candles have.
        meanwhile
            As in `append`.

        Raises
        ------
        CandleInputError
            If it is not such a frame, or a row has no name or time.

        Returns
        -------
        WriteReport
            `revised` candles were deleted; keys without a candle are `identical`.
        """
        given = candle_keys(keys, "delete")
        unique = given.unique().sort("instrument", "timestamp")
        series = (parse_timeframe(source_timeframe).text, adjustment, source)
        repeated = len(given) - len(unique)
        return append(self.backend, unique, series, classify_deletions, None, repeated, meanwhile)

    def require_writable(self) -> None:
        """Raise `StoreError` if this user may only read the store."""
        with self.backend.writing():
            pass

    def damaged(self) -> list[str]:
        """Return what is wrong with which of the store's files; nothing where all are whole."""
        return self.backend.damaged()

    def stats(self) -> StoreStats:
        """Return how much there is, and how it is stored."""
        return self.backend.stats()

    def compact(self, keep_hours: float = KEEP_HOURS) -> CompactionReport:
        """Sort and merge files, so that one instrument's range is one part of one file.

        Parameters
        ----------
        keep_hours
            Replaced files stay for readers that began before, and are removed after this time.
        """
        return self.backend.compact(keep_hours)

    def prune(
        self,
        *,
        before: int | None = None,
        superseded_before: int | None = None,
        keep_hours: float = KEEP_HOURS,
    ) -> CompactionReport:
        """Remove what is too old; the only thing that does, and there is no way back.

        Parameters
        ----------
        before
            Candles with earlier timestamps go, with all their revisions.
        superseded_before
            Revisions that were superseded by this moment, or the newest write if that is earlier,
            go; `known_at` does not reach behind it then. Both in microseconds since 1970 UTC.
        """
        if before is None and superseded_before is None:
            raise ParameterError("prune: neither before= nor superseded_before= is given; give one")
        if superseded_before is not None:
            # What comes later is not pruned, whatever moment was named: questions about it hold.
            superseded_before = min(superseded_before, self.last_received())
        return self.backend.prune(before, superseded_before, keep_hours)

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
        open_it = partial(open_backend, target, state, storage_options, now_us, to_fill=True)
        with Store(open_it, create=True) as other:
            for left in reversed(range(STORE_VIEW_ATTEMPTS)):
                before = self.token()
                try:
                    with self.backend.contents() as found:
                        other.backend.load(found)
                    break
                except StoreError:
                    # A compaction that keeps nothing removes files that are being read.
                    if not left or self.token() == before:
                        raise
            return other.stats()

    def flush(self) -> None:
        """Move the durable tail into the table."""
        self.backend.flush()

    def close(self) -> None:
        """Release files and connections; everything acknowledged is durable already."""
        self.backend.close()


def open_backend(
    location: str | Path,
    state: Path | None,
    storage_options: Mapping[str, str] | None,
    clock: Callable[[], int],
    create: bool,
    to_fill: bool = False,
    longest_wait: float = STORE_GROUP_SECONDS,
) -> Backend:
    """Open what keeps a store; see `tallow.data.store.store.open_store`.

    With `to_fill`, for a copy of another store: one that is made is a store when that is whole, and
    nobody else can open it before.
    """
    place = str(location)
    try:
        scheme, mark, rest = place.partition("://")
        if mark and scheme.lower() in ("postgresql", "postgres"):
            # The server's library takes another spelling for a database's name.
            return _database(f"{scheme.lower()}://{rest}", state, create, clock, to_fill)
        from tallow.data.store.delta_backend import DeltaBackend
    except ModuleNotFoundError as error:
        raise needs_package(without_secrets(place), error) from error
    plain = plain_location(location)
    if isinstance(plain, Path):
        require_folder(plain, create)
        folder = state or plain / STATE_FOLDER
    else:
        folder = _local_state(plain, state)
    return DeltaBackend(plain, folder, storage_options, create, clock, to_fill, longest_wait)


def _database(
    place: str, state: Path | None, create: bool, clock: Callable[[], int], to_fill: bool
) -> Backend:
    from tallow.data.store.postgres import PostgresBackend
    from tallow.data.store.server import identity

    return PostgresBackend(place, _local_state(identity(place), state), create, clock, to_fill)


def _local_state(place: str, state: Path | None) -> Path:
    """Return the folder for what is kept on this machine of a store elsewhere."""
    import hashlib
    import os

    if state is not None:
        return state
    try:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError as error:
        raise StoreError(
            f"store: {without_secrets(place)}: this user has no home; set XDG_STATE_HOME, or "
            "give open_store(..., state=FOLDER)"
        ) from error
    return home / "tallow" / hashlib.sha256(place.encode()).hexdigest()[:16]
