"""What can be asked of a store: of its newest state, or of one that stays as it was."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import polars as pl

from tallow.core.errors import RangeError
from tallow.core.renamed import renamed
from tallow.core.time import from_us
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_COLUMNS, time_view
from tallow.data.store.actions import StoredActions
from tallow.data.store.backend import Backend, LogPoint, LogView
from tallow.data.store.log import (
    ACTION,
    LOG_ORDER,
    LOG_SCHEMA,
    SERIES_KEY,
    TIMELESS,
    Selection,
    current_rows,
)
from tallow.data.store.symbols import SymbolAnswer, find_keys, read_symbols
from tallow.data.store.universes import StoredUniverses


class StoreReader:
    """Reads candles and actions; every answer is of one state of the store."""

    @property
    def backend(self) -> Backend:
        """The backend that keeps the log."""
        raise NotImplementedError

    def view(self) -> LogView:
        """Return the state of the log that is asked about."""
        return self.backend.view()

    @property
    def epoch(self) -> str:
        """What changes where history was removed."""
        return self.view().epoch

    @property
    def actions(self) -> StoredActions:
        """The corporate actions that are recorded beside the candles."""
        return StoredActions(self.backend, self.view)

    @property
    def universes(self) -> StoredUniverses:
        """The dated lists of members that are recorded beside the candles."""
        return StoredUniverses(self.backend, self.view)

    @renamed(timeframe="source_timeframe", as_of="known_at")
    def read(
        self,
        instruments: str | Sequence[str] | None = None,
        *,
        source_timeframe: str = "1m",
        adjustment: str = "raw",
        start: int | None = None,
        end: int | None = None,
        known_at: int | None = None,
        partial: bool = False,
    ) -> pl.DataFrame:
        """Return candles as they are known now, or were at a moment.

        Parameters
        ----------
        instruments
            One name, several, or None for all; what there is not has no rows.
        start, end, known_at
            ``start <= timestamp < end``, received by `known_at`; microseconds since 1970 UTC.
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
        wanted = Selection.of(instruments, source_timeframe, adjustment, start, end, known_at)
        columns = [*CANDLE_COLUMNS, "revision", "deleted"]
        view = self.view()
        _require_kept(view, wanted)
        return current_rows(view.scan(wanted, columns, partial))[list(CANDLE_COLUMNS)]

    @renamed(timeframe="source_timeframe", as_of="known_at")
    def log(
        self,
        instruments: Sequence[str] | None = None,
        *,
        source_timeframe: str | None = None,
        adjustment: str | None = None,
        start: int | None = None,
        end: int | None = None,
        known_at: int | None = None,
    ) -> pl.DataFrame:
        """Return every revision, with all columns of the log; arguments as in `read`."""
        selection = Selection.of(instruments, source_timeframe, adjustment, start, end, known_at)
        return self.view().scan(selection, list(LOG_SCHEMA))

    def series(self, instruments: str | Sequence[str] | None = None) -> pl.DataFrame:
        """Return each series of some instruments, or of all: first and last candle, their number.

        Reads the keys of all their candles.
        """
        columns = [*SERIES_KEY, "timestamp", "revision", "deleted"]
        rows = current_rows(
            self.view().scan(Selection.of(instruments, None, None, None, None, None), columns)
        )
        return (
            rows.filter(~pl.col("timeframe").is_in([ACTION, *TIMELESS]))
            .group_by(SERIES_KEY)
            .agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max(), candles=pl.len())
            .sort(SERIES_KEY)
        )

    def symbols(self) -> pl.DataFrame:
        """Return which symbols keys have: columns `instrument` and `symbol`, sorted by symbol."""
        return read_symbols(self.view())

    def find_keys(self, names: str | Sequence[str]) -> SymbolAnswer:
        """Return names with the key of each symbol among them, and which symbol is which key.

        `RangeError` if a symbol is that of several keys.
        """
        asked = [names] if isinstance(names, str) else list(names)
        symbols = self.symbols()
        among = sorted(set(asked).intersection(symbols["symbol"]))
        # A key may be spelt as another one's symbol: then the key is meant.
        rows = self.view().scan(Selection(tuple(among), None, None), LOG_ORDER) if among else None
        known = () if rows is None else rows["instrument"].unique().to_list()
        return find_keys(asked, symbols, known)

    def instruments(self) -> list[str]:
        """Return the keys of all instruments with candles, sorted. Reads all keys."""
        names: list[str] = self.series()["instrument"].unique().sort().to_list()
        return names

    def other_kinds(self, source_timeframe: str, adjustment: str) -> str:
        """Say which kinds of candles there are; nothing where those of this kind are among them.

        Reads all keys.
        """
        found = self.series().select("timeframe", "adjustment").unique()
        ordered = found.sort("timeframe", "adjustment").iter_rows()
        kinds = [f"{size} {name}" for size, name in ordered]
        if not kinds:
            return "the store has none"
        wanted = f"{source_timeframe} {adjustment}"
        if wanted in kinds:
            return ""
        return (
            f"the store has {', '.join(kinds)}, and no {wanted}; see source_timeframe= and "
            "adjustment="
        )

    def token(self) -> Hashable:
        """Return what changes with every change that a reader would see. Costs microseconds."""
        return self.view().token

    def last_received(self) -> int:
        """Return the receipt time of the newest write in microseconds, or 0."""
        return self.view().last_received

    def last_time(self) -> int | None:
        """Return a time after which there is no row; None where there is none at all."""
        ends = self.view().ends()
        return self.backend.stats().last if ends is None else ends[1]

    def point(self) -> LogPoint:
        """Return which state this is: the epoch, and the receipt of the newest write."""
        view = self.view()
        return LogPoint(view.epoch, view.last_received)

    def has_received(self, received_at: int) -> bool:
        """Say whether a write of that receipt is there."""
        only = Selection(None, None, None, None, None, received_at, received_at + 1)
        return len(self.view().scan(only, [*LOG_ORDER])) > 0

    @renamed(timeframe="source_timeframe", as_of="known_at")
    def changed_since(
        self,
        received_at: int,
        instruments: Sequence[str] | None = None,
        *,
        source_timeframe: str = "1m",
        adjustment: str = "raw",
        known_at: int | None = None,
    ) -> dict[str, int]:
        """Return, per instrument with rows received later, the earliest timestamp among them."""
        selection = Selection.of(instruments, source_timeframe, adjustment, None, None, known_at)
        selection = selection.replace(received_from=received_at + 1)
        rows = self.view().scan(selection, ["instrument", "timestamp", "revision"])
        names, offsets = instrument_runs(rows)
        # In the log's order: an instrument's first row is its earliest.
        return dict(zip(names, time_view(rows)[offsets[:-1]].tolist(), strict=True))

    def names(self, source_timeframe: str = "1m", adjustment: str = "raw") -> set[str]:
        """Return the instruments that ever had candles of such series."""
        return self.view().names(Selection(None, source_timeframe, adjustment))

    @renamed(timeframe="source_timeframe")
    def has_interest(self, source_timeframe: str = "1m", adjustment: str = "raw") -> bool:
        """Say whether candles of such series have open interest."""
        return self.view().has_interest(Selection(None, source_timeframe, adjustment))


class StoreState(StoreReader):
    """A store as it was when it was looked at, whatever is written meanwhile; see `Store.state`.

    Attributes
    ----------
    home
        The store's folder on this machine, and its epoch: what is derived from it is of these.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend, self._view = backend, backend.view()
        self.home = str(backend.state_folder), self._view.epoch

    @property
    def backend(self) -> Backend:
        """The backend that keeps the log."""
        return self._backend

    def view(self) -> LogView:
        """Return the state of the log that was looked at."""
        return self._view


def _require_kept(view: LogView, selection: Selection) -> None:
    """Raise `RangeError` if a selection asks for revisions that were pruned."""
    asked = selection.received_before
    if asked is None:
        return
    # Nothing was superseded after the newest write, whatever moment a pruning named; and where
    # nothing was pruned, nothing was known before the first write.
    horizon = min(view.horizon, view.last_received)
    if horizon and asked <= horizon:
        reached = from_us(horizon).isoformat()
        raise RangeError(
            f"known_at: earlier than {reached}; what was superseded by then has been pruned; "
            "ask for a later moment"
        )
