"""The way of a candle, step by step; each step names the function where it lives.

1. A frame becomes candles, bad rows in their quarantine - `data.reading.readers.read_candles`;
   files are found, and read as they are needed - `tallow.data.reading.candle_files.CandleFiles`.
2. The text of the indicators becomes specs - `tallow.core.spec.parse_specs` - and these a plan,
   each computation once - `tallow.plan.plan.make_plan`.
3. The calendar gives the sessions - `tallow.core.calendars.load_calendar` - and with the timeframe
   the buckets - `tallow.data.kernels.buckets.bucket_table`.
4. The frame is cut into blocks of whole instruments - `tallow.runtime.blocks.frame_blocks`; files
   are streamed as blocks - `tallow.runtime.stream.run_files`.
5. One compiled pass turns a block's candles into bars - `tallow.data.kernels.aggregate.aggregate`.
6. Each indicator's kernel runs over these bars - `tallow.runtime.operations.Machine`, in threads.
7. Bars and indicators become a frame, NaN becomes null - `tallow.runtime.operations.to_series`.
8. The range asked for is cut out - `tallow.runtime.outputs.Outputs` - and the result returned, or
   written - `tallow.data.writers.FrameWriter`.

Candles may also come from a store, for a range of bars - `tallow.runtime.query.StoreQueries`:

9. The range becomes the rows that its bars are made of - `tallow.runtime.spans.span_of`.
10. The kernels go on from a snapshot that the log has not contradicted since, or see just the rows
    that their windows need; steps 5 to 8 are the same - `tallow.runtime.ranged.RangeRun`.
11. What is asked again is cut from cached bars - `tallow.runtime.cached_bars.extend_or_repair`.

While the market is open they come one by one - `tallow.runtime.live.live_engine.LiveEngine`.
A condition is asked of all at a moment - `tallow.runtime.screens.requests.ScreenRequests`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from tallow.core.calendars import Beyond
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError
from tallow.core.limits import THREADS_MAX
from tallow.core.moments import Moment
from tallow.core.renamed import renamed
from tallow.core.spec import check_convention
from tallow.core.timeframe import Timeframe, parse_timeframe, parse_timeframes
from tallow.data.kernels.aggregate import NoTrade, require_no_trade
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.options import ReadKeywords, read_options
from tallow.data.universe import Universe
from tallow.data.universe_files import find_universe
from tallow.explain.requests import ExplainRequests
from tallow.plan.plan import Indicators
from tallow.runtime import expressions as _expressions  # noqa: F401 - adds pl.col().tallow
from tallow.runtime.cache import IndicatorCache
from tallow.runtime.outputs import Progress
from tallow.runtime.ranges import Range
from tallow.runtime.requests import (
    CandleRequests,
    InputKeywords,
    RowKeywords,
    RunKeywords,
    Timeframes,
    as_asked,
)
from tallow.runtime.results import ProcessingResult, RunReport
from tallow.runtime.warming import KernelUser

if TYPE_CHECKING:
    from tallow.data.store.store import Store
    from tallow.runtime.array_run import ArrayResult
    from tallow.runtime.live.live_engine import LiveEngine
    from tallow.runtime.query import StoreQueries


class AnalyticsEngine(ExplainRequests, KernelUser):
    """Candles in; bars at any timeframe, with every indicator, out.

    Parameters
    ----------
    calendar
        One name (``"XNSE"``, ``"XNSE:derivatives"``, ``"FX"``, ``"XNSE, XNSE:derivatives from
        2026-09-01"``), or a mapping from instrument to names; the key ``"*"`` is for all others.
    calendar_dates
        A TOML file that adds sessions and holidays; see `tallow.core.calendars.load_calendar`.
    beyond_coverage
        Dates without facts; ``assume``, ``raise`` or ``weekdays``: see `load_calendar`.
    convention
        ``tradingview`` or ``talib``: the seeds and flat cases of the indicators.
    no_trade
        ``drop``: a candle without volume that repeats the close before it makes no bar, as on
        TradingView; instruments without any volume are recognised and kept. ``keep``: it counts.
    threads
        Worker threads; as many as there are processors by default.
    store
        The candles that `query` reads: a `Store`, or what `tallow.open_store` opens.
    cache
        Where `query` keeps what was asked; engines may share one. By default, one of its own.

    Examples
    --------
    >>> import polars as pl
    >>> rows = [
    ...     ("RAYMOND", "2025-07-18T09:15+05:30", 700.0, 702.0, 699.0, 701.0, 900),
    ...     ("RAYMOND", "2025-07-18T09:16+05:30", 701.0, 704.0, 700.5, 703.4, 435),
    ... ]
    >>> candles = pl.DataFrame(rows, ["symbol", "ts", *"ohlcv"], orient="row")
    >>> result = AnalyticsEngine(calendar="XNSE").process_candles(candles, "5m", "ema(1), vwap")
    >>> result.frame.select("close", "candles", "is_final", "ema_1").to_dicts()
    [{'close': 703.4, 'candles': 2, 'is_final': False, 'ema_1': 703.4}]
    """

    def __init__(
        self,
        calendar: str | Mapping[str, str | tuple[str, str]] = "XNSE",
        *,
        calendar_dates: str | os.PathLike[str] | None = None,
        beyond_coverage: Beyond = "assume",
        convention: str = "tradingview",
        no_trade: NoTrade = "drop",
        threads: int | None = None,
        store: Store | str | Path | None = None,
        cache: IndicatorCache | None = None,
    ) -> None:
        self.calendars = CalendarAssignment(calendar, calendar_dates, beyond_coverage)
        self.convention = check_convention(convention)
        require_no_trade(no_trade)
        self.no_trade = no_trade
        if threads is not None and not 1 <= threads <= THREADS_MAX:
            raise ParameterError(f"engine: threads={threads}; must be 1..{THREADS_MAX}")
        self.threads = threads or min(os.cpu_count() or 1, THREADS_MAX)
        self._pool = ThreadPoolExecutor(self.threads, "tallow") if self.threads > 1 else None
        self.cache = cache if cache is not None else IndicatorCache()
        asked, work = (self.calendars, convention, no_trade), (self._pool, self.threads)
        self._requests = CandleRequests(*asked, *work)
        self._queries: StoreQueries | None = None
        if store is not None:
            from tallow.data.store.store import open_store
            from tallow.runtime.query import StoreQueries

            opened = open_store(store) if isinstance(store, str | Path) else store
            self._queries = StoreQueries(opened, *asked, *work, self.cache)

    @property
    def store(self) -> Store | None:
        """The store that `query` reads; None without one."""
        return None if self._queries is None else self._queries.store

    @overload
    def process_candles(
        self,
        candles: Any,
        timeframe: str | Timeframe = ...,
        indicators: Indicators = ...,
        **wanted: Unpack[RunKeywords],
    ) -> ProcessingResult: ...
    @overload
    def process_candles(
        self,
        candles: Any,
        timeframe: Iterable[str | Timeframe],
        indicators: Indicators = ...,
        **wanted: Unpack[RunKeywords],
    ) -> dict[str, ProcessingResult]: ...
    @renamed(as_of="final_at", instrument="instrument_key")
    def process_candles(
        self,
        candles: Any,
        timeframe: Timeframes = "5m",
        indicators: Indicators = "default",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        instruments: str | list[str] | None = None,
        universe: str | Path | Universe | None = None,
        final_at: str | datetime | None = None,
        source_timeframe: str | Timeframe | None = None,
        progress: Progress | None = None,
        output_zone: str | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> ProcessingResult | dict[str, ProcessingResult]:
        """Aggregate candles to a timeframe, or several, and compute indicators on the bars.

        Parameters
        ----------
        candles
            `Candles`, or whatever `read_candles` takes: a frame, a path, a glob.
        timeframe
            One timeframe; or several different ones: the candles are read and checked once.
        start, end
            Bars to return: ``start <= open < end``; a bare date is a session, included at both
            ends, and so are ``"today"``, ``"yesterday"`` and ``"-5d"``, days of the calendar's
            zone, in which a time without an offset is, too. Indicators see all earlier candles.
        instruments, universe
            Names; and a `Universe`, a file of one, or the name of one in the engine's store: only
            bars of its members on the date of their session. Both together: what is in both.
        final_at
            A bar is final if it ends by then; by default, by the end of its instrument's last row.
        source_timeframe, reading
            What an input leaves out, by name as in `read_candles`; `Candles` leave out nothing.
        output_zone
            By whose clocks the bars' times are shown, such as ``Asia/Kolkata``; UTC by default.

        Returns
        -------
        ProcessingResult
            Or, for several timeframes, ``{timeframe: ProcessingResult}``, each as by itself.

        Raises
        ------
        TallowError
            On anything wrong with the arguments; if every instrument fails, with the first reason.
        """
        list_ = find_universe(universe, self.store.universes if self.store else None)
        wanted = Range.of(start, end, instruments, list_).checked(self.calendars)
        given: Any = {"source_timeframe": source_timeframe, **reading}
        asked = (candles, given, timeframe, indicators, wanted, final_at, progress)
        return as_asked(self._requests.to_frames(*asked, output_zone), timeframe)

    @overload
    def process_files(  # type: ignore[overload-overlap] # of text the first counts
        self,
        inputs: str | Path | Sequence[str | Path] | CandleFiles,
        output: str | Path,
        timeframe: str | Timeframe = ...,
        indicators: Indicators = ...,
        **wanted: Unpack[RunKeywords],
    ) -> RunReport: ...
    @overload
    def process_files(
        self,
        inputs: str | Path | Sequence[str | Path] | CandleFiles,
        output: str | Path,
        timeframe: Iterable[str | Timeframe],
        indicators: Indicators = ...,
        **wanted: Unpack[RunKeywords],
    ) -> dict[str, RunReport]: ...
    @renamed(as_of="final_at", instrument="instrument_key")
    def process_files(
        self,
        inputs: str | Path | Sequence[str | Path] | CandleFiles,
        output: str | Path,
        timeframe: Timeframes = "5m",
        indicators: Indicators = "default",
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        instruments: str | list[str] | None = None,
        universe: str | Path | Universe | None = None,
        final_at: str | datetime | None = None,
        source_timeframe: str | Timeframe | None = None,
        progress: Progress | None = None,
        output_zone: str | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> RunReport | dict[str, RunReport]:
        """Do as `process_candles`, from files to files, without any whole in memory.

        Parameters
        ----------
        inputs
            Paths and globs; or `CandleFiles`, with what is said of them.
        output
            Ends in ``.parquet``, ``.arrow`` or ``.csv``; appears whole or not at all. Of several
            timeframes each has its own: ``bars_{timeframe}.parquet``.
        progress
            Called with the rows done and the rows in all (0 where that is not known).
        source_timeframe, reading
            As in `read_candles`, by name.

        Returns
        -------
        RunReport
            Or, for several timeframes, ``{timeframe: RunReport}``.

        Raises
        ------
        TallowError
            As `process_candles`, and if an output cannot be written.
        """
        if not isinstance(inputs, CandleFiles):
            inputs = CandleFiles.find(inputs, read_options(source_timeframe, **reading))
        list_ = find_universe(universe, self.store.universes if self.store else None)
        wanted = Range.of(start, end, instruments, list_).checked(self.calendars)
        inputs = inputs.in_calendar(self.calendars)
        asked = (inputs, output, timeframe, indicators, wanted, final_at, progress)
        return as_asked(self._requests.to_files(*asked, output_zone), timeframe)

    @renamed(as_of="known_at")
    def query(
        self,
        instruments: str | list[str] | None = None,
        timeframe: str | Timeframe | Sequence[str | Timeframe] = "5m",
        start: Moment | None = None,
        end: Moment | None = None,
        indicators: Indicators = "default",
        known_at: str | datetime | None = None,
        *,
        final_at: str | datetime | None = None,
        source_timeframe: str | Timeframe = "1m",
        adjustment: str = "raw",
        output_zone: str | None = None,
        universe: str | Path | Universe | None = None,
    ) -> Any:
        """Return bars of a range from the store, as right as if all its candles had been read.

        Parameters
        ----------
        instruments, timeframe
            One, or several; all instruments by default.
        start, end, output_zone, universe
            As in `process_candles`; a stored universe is that of `known_at`.
        known_at
            Answer with what the store knew at that moment; what it knows now by default.
        final_at
            A bar is final if it ends by then: by `known_at` by default, and not later than that.
        source_timeframe, adjustment
            Which candles of the store the bars are made of.

        Returns
        -------
        ProcessingResult
            Or, for several timeframes, ``{timeframe: ProcessingResult}``. `open_interest` is there
            if candles of that kind have it. Its report counts the candles that were read.

        Raises
        ------
        TallowError
            As `process_candles`; also if the store does not know an instrument.

        Notes
        -----
        The first query of its kind reads an instrument's whole history, where an indicator is
        recursive, and leaves snapshots for later ones. Bars of one instrument stay in the cache and
        go on there; other answers are kept until the next write.
        """
        if self._queries is None:
            why = "query: store=None; the engine has no candles; give it some: "
            raise ParameterError(why + 'AnalyticsEngine(store="folder")')
        ask, moments = self._queries.ask, (known_at, final_at)
        rest = (start, end, indicators, *moments, source_timeframe, adjustment, universe)
        zone = require_output_zone(output_zone)
        if isinstance(timeframe, str | Timeframe):
            return ask(instruments, timeframe, *rest).in_zone(zone)
        sizes = map(parse_timeframe, timeframe)
        return {size.text: ask(instruments, size, *rest).in_zone(zone) for size in sizes}

    def live(
        self,
        timeframes: str | Timeframe | Iterable[str | Timeframe] = "5m",
        indicators: Indicators = "default",
        **options: Any,
    ) -> LiveEngine:
        """Return a `LiveEngine` of this engine's calendars, convention and store.

        What it writes, `query` knows at once. `options`: `grace`, `keep`, `output_zone` and
        `universe`.
        """
        from tallow.runtime.live.live_engine import LiveEngine

        options |= {"no_trade": self.no_trade, "store": self.store, "convention": self.convention}
        return LiveEngine(timeframes, indicators, calendar=self.calendars, **options)

    def calculate_arrays(
        self,
        candles: Any,
        timeframe: str | Timeframe = "5m",
        indicators: Indicators = "default",
        **reading: Unpack[InputKeywords],
    ) -> ArrayResult:
        """Do as `process_candles` with one timeframe; return arrays, and make no frame."""
        return self._requests.to_arrays(candles, timeframe, indicators, reading)

    @renamed(as_of="final_at", instrument="instrument_key")
    def aggregate_timeframes(
        self,
        candles: Any,
        timeframes: str | Timeframe | Sequence[str | Timeframe],
        *,
        final_at: str | datetime | None = None,
        **asked: Unpack[RowKeywords],
    ) -> dict[str, Any]:
        """Aggregate candles to several timeframes; return ``{timeframe: frame of bars}``.

        Errors are those of `process_candles`.
        """
        sizes = parse_timeframes(timeframes)
        results = self.process_candles(candles, sizes, (), final_at=final_at, **asked)
        return {size: result.frame for size, result in results.items()}

    @renamed(instrument="instrument_key")
    def calculate_indicators(
        self, candles: Any, indicators: Indicators = "default", **asked: Unpack[RowKeywords]
    ) -> Any:
        """Compute indicators on the candles as they are; return them with a column per output.

        No row is dropped or added: fillers, auction prints and rows outside the session count. Of a
        day that the calendar does not know, values that need a session warn (`TallowWarning`).
        Errors are those of `process_candles`; one, too, if a kernel fails for every instrument.
        """
        return self._requests.to_rows(candles, indicators, asked)
