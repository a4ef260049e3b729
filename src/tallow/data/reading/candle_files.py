"""Candle files: each is opened once, for its columns, its rows in all and its batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from tallow.core.limits import BLOCK_ROWS
from tallow.core.timeframe import Timeframe
from tallow.data.providers.opening import open_source
from tallow.data.reading.assembly import assemble
from tallow.data.reading.batches import Batch, as_said, read_batches
from tallow.data.reading.candles import Candles
from tallow.data.reading.file_names import OverlapWatch, by_name, takes_key
from tallow.data.reading.files import RawSource, expand_paths
from tallow.data.reading.options import ReadOptions
from tallow.data.reading.schema import OPEN_INTEREST, find_column
from tallow.data.reading.session_rows import CalendarName


@dataclass(frozen=True)
class CandleFiles:
    """Files with their options; each is opened when it is first needed."""

    paths: Sequence[Path]
    options: ReadOptions

    @property
    def source_timeframe(self) -> Timeframe:
        """How long each candle lasts: as it is given, or as all files say of themselves."""
        return self._said.source_timeframe

    @classmethod
    def find(cls, source: str | Path | Sequence[str | Path], options: ReadOptions) -> CandleFiles:
        """Return the files that paths and globs name; see `expand_paths` for the errors."""
        return cls(expand_paths(source), options)

    def in_calendar(self, calendar: CalendarName) -> CandleFiles:
        """Return the files with a calendar for times without a zone, if they have none."""
        if self.options.calendar is not None:
            return self
        return replace(self, options=replace(self.options, calendar=calendar))

    @cached_property
    def _sources(self) -> list[RawSource]:
        """The files, opened; of several, those in memory as a whole release their rows."""
        return [
            source if source.on_disk or len(self.paths) == 1 else self._without_rows(source, path)
            for path in self.paths
            for source in [self._open(path)]
        ]

    @cached_property
    def _said(self) -> ReadOptions:
        """The options, with what the files say of themselves."""
        if self.options.timeframe_given:
            return self.options
        return as_said(self._sources, self.options)

    def _open(self, path: Path) -> RawSource:
        return open_source(path, BLOCK_ROWS, self.options.format)

    def _without_rows(self, source: RawSource, path: Path) -> RawSource:
        """Return a source that opens its file again for its rows."""
        count = None if source.count is None else partial(int, source.count())
        return replace(source, rows=lambda: self._open(path).rows(), count=count)

    @cached_property
    def has_interest(self) -> bool:
        """Whether any of the files has open interest: then every candle has the column."""
        return any(find_column(OPEN_INTEREST, list(each.schema)) for each in self._sources)

    @cached_property
    def row_count(self) -> int:
        """The rows in all files together, or 0 where they would have to be read for that."""
        counts = [each.count for each in self._sources]
        return 0 if None in counts else sum(count() for count in counts if count is not None)

    def batches(self) -> Iterator[Batch]:
        """Read the files batch by batch, every row checked on its own, in file order.

        Each file gives at least one batch, which may be empty. Keys may repeat, within a batch and
        across them. Errors are those of `tallow.data.reading.readers.read_candles`; a broken file
        may raise after some of its batches were given.
        """
        is_keyed = self.options.instrument_key is not None or takes_key(self.options.pattern)
        several = is_keyed and len(self.paths) > 1
        apart = OverlapWatch(self.options.instrument_key) if several else None
        for raw, options in zip(self._sources, self._options(self._said), strict=True):
            for batch in read_batches(raw, replace(options, has_interest=self.has_interest)):
                if apart is not None:
                    apart.see(batch.source, batch.frame, options.instrument_key)
                yield batch
        if apart is not None:
            apart.check()

    def _options(self, said: ReadOptions) -> Iterator[ReadOptions]:
        """Yield each file's options, with the facts in its name."""
        for path in self.paths:
            yield said if said.pattern is None else by_name(path, said.pattern, said)

    def read(self) -> Candles:
        """Read the files whole; see `tallow.data.reading.readers.read_candles`."""
        raws = [self._open(path) for path in self.paths]
        said = as_said(raws, self.options)
        return assemble(raws, said if said.pattern is None else [*self._options(said)])
