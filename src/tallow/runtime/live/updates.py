"""What updates of a live engine return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.errors import ParameterError
from tallow.core.operator import Output
from tallow.core.text import to_html
from tallow.data.coverage.provisional import ProvisionalBars
from tallow.data.output_zone import in_zone
from tallow.runtime.live.bar_rows import BarRows


@dataclass(frozen=True)
class LiveReport:
    """Where the rows of an update went.

    ``rows_in = appended + late + revised + deleted + repeated + quarantined``.

    Attributes
    ----------
    appended
        Candles later than all before of their instrument.
    late
        Candles that came after a later one.
    revised, deleted
        Candles that were replaced, or removed.
    repeated
        Rows that equal what is known, or that a later row of the same update replaces.
    quarantined
        Rows that break a rule; `quarantine` has them with the rule, and so has the engine's store.
        `refused` is another name of this count.
    hint
        A sentence where stamps look like those of the close, in the first report that knows.
    """

    rows_in: int
    appended: int
    late: int
    revised: int
    deleted: int
    repeated: int
    quarantined: int
    quarantine: pl.DataFrame
    hint: str = ""

    def __post_init__(self) -> None:
        went = self.appended + self.late + self.revised + self.deleted
        assert self.rows_in == went + self.repeated + self.quarantined, self

    @property
    def refused(self) -> int:
        """The same as `quarantined`."""
        return self.quarantined

    @property
    def corrected(self) -> int:
        """Candles that changed what was known: late, revised and deleted ones."""
        return self.late + self.revised + self.deleted


@dataclass(frozen=True)
class ArrayUpdate:
    """The rows that an update changed, as arrays, by timeframe.

    Of one instrument they ascend in time; instruments are in no order. `provisional` says per
    timeframe which rows' sessions are assumed.
    """

    revision: int
    rows: Mapping[str, BarRows]
    report: LiveReport
    provisional: Mapping[str, Flags] = field(default_factory=dict)


class UpdateSource(Protocol):
    """What an update says."""

    def by_timeframe(self) -> list[BarRows]:
        """Return the rows that changed, of each timeframe."""
        ...

    def report(self) -> LiveReport:
        """Return where the update's rows went."""
        ...


class Shown(NamedTuple):
    """What arrays need to be shown as frames.

    The names of all instruments, their places among the sorted ones, whether there is open
    interest; which columns are not float64; which bars' sessions are assumed, by timeframe; and by
    whose clocks times are shown.
    """

    names: pl.Series
    rank: Ints
    interest: bool
    kinds: Mapping[str, Output]
    assumed: Mapping[str, ProvisionalBars]
    output_zone: str | None

    def frame(self, rows: BarRows) -> pl.DataFrame:
        """Return rows as a frame."""
        frame = rows.frame(self.names, self.rank, self.interest, self.kinds)
        return in_zone(frame, self.output_zone)


class LiveUpdate:
    """The rows that an update changed; frames are made when they are looked at.

    Attributes
    ----------
    revision
        The engine's; it rises with every update that changes a row, also over a restart: a time in
        microseconds since 1970 UTC.
    """

    def __init__(self, revision: int, source: UpdateSource, shown: Shown) -> None:
        self.revision, self._source, self._shown = revision, source, shown

    @cached_property
    def rows(self) -> Mapping[str, BarRows]:
        """The rows as arrays, by timeframe."""
        return dict(zip(self._shown.assumed, self._source.by_timeframe(), strict=True))

    @cached_property
    def report(self) -> LiveReport:
        """Where the update's rows went."""
        return self._source.report()

    @cached_property
    def frames(self) -> Mapping[str, pl.DataFrame]:
        """The rows as frames, by timeframe.

        `instrument`, `timestamp`, the candle columns, `candles`, `is_final`, `revision`, then one
        column per output; sorted by instrument and timestamp. A row with 0 candles says that the
        bar was removed. Rows that did not change are not there.
        """
        return {size: self._shown.frame(rows) for size, rows in self.rows.items()}

    def __repr__(self) -> str:
        changed = ", ".join(f"{len(rows):,} of {size}" for size, rows in self.rows.items())
        rows = self.report.quarantined
        return f"LiveUpdate({changed}{f'; {rows:,} quarantined' if rows else ''})"

    def _repr_html_(self) -> str:
        return to_html(
            repr(self), [self.report.hint] if self.report.hint else [], self.frames.values()
        )

    @cached_property
    def provisional(self) -> Mapping[str, pl.DataFrame]:
        """Per timeframe, `instrument` and `timestamp` of the rows whose sessions are assumed."""
        return {size: self._shown.assumed[size].among(frame) for size, frame in self.frames.items()}

    def may_be_provisional(self, timeframe: str) -> bool:
        """Say whether any row of a timeframe may be provisional, without making frames."""
        return self._shown.assumed[timeframe].may_have(self.rows[timeframe].timestamp)

    @property
    def frame(self) -> pl.DataFrame:
        """The frame of the one timeframe."""
        if len(self.frames) != 1:
            raise ParameterError(
                f"frame: the engine has the timeframes {', '.join(self.frames)}; take frames[...]"
            )
        return next(iter(self.frames.values()))
