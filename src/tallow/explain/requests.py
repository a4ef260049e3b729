"""What an engine is asked about one value; what else it is asked beyond bars comes with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

from tallow.analysis.requests import AnalysisRequests
from tallow.core.moments import Moment
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.options import ReadKeywords
from tallow.plan.plan import Indicators

if TYPE_CHECKING:
    from tallow.explain.explanation import Explanation
    from tallow.explain.sources import ExplainSource


class ExplainRequests(AnalysisRequests):
    """The part of an engine that says where a value comes from."""

    def explain(
        self,
        instrument: str,
        column: str,
        at: Moment,
        timeframe: str | Timeframe = "5m",
        *,
        candles: Any = None,
        indicators: Indicators = "default",
        known_at: str | datetime | None = None,
        source_timeframe: str | Timeframe | None = None,
        adjustment: str = "raw",
        output_zone: str | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> Explanation:
        """Say where one value of one bar comes from, and compute it a second time.

        Parameters
        ----------
        instrument
            Whose bar; of a store, a key or a symbol.
        column
            ``open``, ``high``, ``low``, ``close`` or ``volume`` of the bar; an output's column,
            such as ``bb_upper_20_2``; or a spec with one output, ``ema(rsi(14), 9)``.
        at
            When the bar opens; of days and longer, also a date of it.
        timeframe
            Of which bars.
        candles
            What `process_candles` takes; without, the candles of the engine's store.
        indicators
            The set that is asked for: where the column is one of its, the value comes as `query`
            gives it with that set, from the same cache.
        known_at
            With a store: what it knew then.
        source_timeframe, adjustment, output_zone, reading
            As in `process_candles` and `query`.

        Returns
        -------
        Explanation
            Its `to_dict` is for JSON. A value that is null, or a bar that is not there, says why.

        Raises
        ------
        RangeError
            If the instrument is unknown, or no bar opens at that time: the one that contains it is
            named.
        ParameterError, SpecError
            If there is no such column.
        TallowError
            As `process_candles` and `query`.
        """
        from tallow.explain.asking import explain_value
        from tallow.explain.columns import find_column

        zone, size = require_output_zone(output_zone), parse_timeframe(timeframe)
        asked = find_column(column, indicators, self.convention)
        given: Any = {"source_timeframe": source_timeframe, **reading}
        source = self._explained_source(candles, given, adjustment, known_at)
        return explain_value(self, source, instrument, asked, at, size).in_zone(zone)

    def _explained_source(
        self, candles: Any, given: Any, adjustment: str, known_at: str | datetime | None
    ) -> ExplainSource:
        """Return where to look: candles that are given, or the engine's store."""
        from tallow.data.reading.candles import Candles
        from tallow.explain.sources import GivenCandles, StoredSource, require_no_receipts
        from tallow.runtime.asked_candles import candles_or_store
        from tallow.runtime.ranges import moment_us

        if candles is not None:
            require_no_receipts(known_at)
        found = candles_or_store(self, candles, given, "explain")
        if isinstance(found, Candles):
            return GivenCandles(self._requests, found, self.calendars)
        known = None if known_at is None else moment_us("known_at", known_at)
        size = parse_timeframe(given["source_timeframe"] or "1m")
        return StoredSource(found, size, adjustment, known)
