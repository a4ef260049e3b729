"""What is answered about sequences of moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from tallow.core.text import counted, to_html
from tallow.data.output_zone import in_zone


@dataclass(frozen=True, repr=False)
class SequenceResult:
    """Sequences of moves of one kind, the patterns they make, and scores of instruments.

    A sequence is bars in a row whose moves (the indicator `move`) are all strong, or all weak, and
    all up, or all down. It is known to be over by the bar behind it. What came of it is how far the
    close was, `horizon` bars after that one, from that one's close.

    Attributes
    ----------
    sequences
        A row each: `instrument`; `start` and `end`, the opens of its first and last bar; `type`
        (``strong`` or ``weak``), `direction` (1 or -1), `length` in bars; `strength`, the mean of
        its moves' (0..1); `return_percent`, from the first open to the last close; `gap`, bars
        since the one before of its type and direction; `volume`, its bars' mean; `over_at`, when it
        was known to be over, null while it goes on; `outcome_percent`, what came of it, in its own
        direction, null until it is known.
    patterns
        Sequences of 2 bars and more that are over, by `instrument`, `type`, `direction` and
        `length`, the most frequent first: `frequency`; means of `strength`, `return_percent` and
        `gap`. Of the rest of the history, from `split_at` on: `outcomes`, the sequences whose
        outcome is known; `success`, the share of these with one above 0; `success_low` and
        `success_high`, Wilson's interval of 95 %; `base_rate`, the share of all bars whose close
        lay in that direction `horizon` bars later; `outcome_percent`, the mean. Of the first
        part: `first_frequency`, `first_success`, and `dominance` (0..1), the share of its
        patterns x mean strength x success, by which one may be the one that `is_dominant`.
    pooled
        The same of all instruments together.
    scores
        A row for each `instrument`, null where there are too few sequences:

        - `sequences` that are over; `strong_length`, `weak_length`, their mean lengths.
        - `quality` (0..1): 0.3 x mean(1 - 1 / length) + 0.4 x (mean strength - threshold) /
          (1 - threshold) + 0.3 / (1 + variance of lengths / squared mean), of strong ones.
        - `continuity` (0..1): mean(1 / gap) of strong ones.
        - `momentum` (-1..1): of direction x strength of the newest 5, one that goes on among
          them, 0.7 x mean weighted 1, 2, ... 5 by age + 0.3 x mean.
        - `predictive` (0..1): of `predictions` in the rest of the history, the share that was
          right; foretold is the direction that followed sequences of a type and direction mostly in
          the first part. `predictive_low` and `predictive_high` as for patterns;
          `predictive_base`: the share right by foretelling what followed all bars mostly.
        - `volume` (0..1): mean in strong moves / (that + mean in others); 0.5 where equal.
        - `volume_trend` (-1..1): correlation of volume with the number of the bar.
        - `volume_steadiness` (0..1): 1 / (1 + variance / squared mean) of volume.
        - `dominant_type`, `dominant_direction`, `dominant_length`: the dominant pattern.
        - `current_type`, `current_direction`, `current_length`, `current_strength`: what goes on.
    horizon
        Bars after which it was looked what came of a sequence.
    split_at
        The end of the first part of the history, which chooses; the rest measures.
    judged_at
        When the newest bar ended; None where there is none.
    notes
        Sentences about the answer.
    why_empty
        Why there is no bar; empty where there is one.
    quarantined
        Rows of the candles that break a rule, and are in no bar.
    """

    sequences: pl.DataFrame
    patterns: pl.DataFrame
    pooled: pl.DataFrame
    scores: pl.DataFrame
    horizon: int
    split_at: datetime | None
    judged_at: datetime | None
    notes: tuple[str, ...] = ()
    why_empty: str = ""
    quarantined: int = 0

    def in_zone(self, zone: str | None) -> SequenceResult:
        """Return the answer with times by a zone's clocks."""
        if zone is None:
            return self
        moments = {
            name: None if moment is None else moment.astimezone(ZoneInfo(zone))
            for name, moment in (("split_at", self.split_at), ("judged_at", self.judged_at))
        }
        return replace(self, sequences=in_zone(self.sequences, zone), **moments)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        said = counted(len(self.sequences), "sequence")
        return f"SequenceResult({said}, {counted(len(self.scores), 'instrument')})"

    def _repr_html_(self) -> str:
        said = [*self.notes, *filter(None, [self.why_empty])]
        return to_html(repr(self), said, [self.scores, self.patterns])
