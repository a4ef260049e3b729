"""What an engine is asked for beyond bars: screens, and sequences of moves."""

from __future__ import annotations

from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tallow.core.errors import EmptyWarning, warn_caller
from tallow.core.moments import Moment
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.output_zone import require_output_zone
from tallow.data.reading.options import ReadKeywords
from tallow.data.universe import Universe
from tallow.runtime.screens.requests import ScreenRequests

if TYPE_CHECKING:
    from tallow.analysis.sequence_result import SequenceResult


class AnalysisRequests(ScreenRequests):
    """The part of an engine that answers questions about many bars at once."""

    threads: int
    _pool: Executor | None

    def sequences(
        self,
        timeframe: str | Timeframe = "1d",
        *,
        candles: Any = None,
        at: Moment | None = None,
        known_at: str | datetime | None = None,
        start: Moment | None = None,
        moves: str = "move",
        horizon: int = 5,
        split: float = 0.5,
        instruments: str | list[str] | None = None,
        universe: str | Path | Universe | None = None,
        source_timeframe: str | Timeframe | None = None,
        adjustment: str = "raw",
        output_zone: str | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> SequenceResult:
        """Find bars in a row whose moves are alike, and measure what came after them.

        Nothing that is answered about a moment changes when more candles come.

        Parameters
        ----------
        timeframe
            Of whose closed bars.
        candles
            What `process_candles` takes; without, the candles of the engine's store.
        at, known_at
            As of when, as in `screen`: the bars that had closed by then, as they were known.
        start
            Bars from this date or time on; moves are measured beside all earlier ones, and a
            sequence that began before is left out. All bars by default.
        moves
            The indicator `move` with its parameters: ``"move(20, threshold=0.6)"``.
        horizon
            Bars after which it is looked what came of a sequence, from the bar on by which it was
            known to be over: 1 and more.
        split
            Share of the history, above 0 and below 1, that chooses the dominant patterns and what
            they foretell; all successes are those of the rest.
        instruments, universe
            Of whom; of a universe, sequences whose last bar is of a member on its date.
        source_timeframe, adjustment, output_zone, reading
            As in `process_candles` and `query`.

        Raises
        ------
        TallowError
            As `process_candles` and `query`; `ParameterError` for a `horizon`, `split` or `moves`
            that cannot be.
        """
        from tallow.analysis.sequence_asking import SequenceQuestion, ask_sequences
        from tallow.runtime.screens.asking import source_of

        size, how = parse_timeframe(timeframe), self.convention
        question = SequenceQuestion.read(size, moves, horizon, split, how)
        given: Any = {"source_timeframe": source_timeframe, **reading}
        source = source_of(self, candles, given, adjustment, "sequences")
        asked = (at, known_at, start), (instruments, universe)
        found = ask_sequences(self, question, source, *asked)
        if found.why_empty:
            warn_caller(found.why_empty, EmptyWarning)
        return found.in_zone(require_output_zone(output_zone))
