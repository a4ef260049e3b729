"""Two answers, side by side: an outer join of their rows, series by series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Times
from tallow.core.errors import ComparisonError
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_KEY, NUMBERS, time_view
from tallow.migrate.pairs import SeriesPair
from tallow.migrate.protocol import Request
from tallow.plan.plan import make_plan


@dataclass(frozen=True)
class Answer:
    """One side's answer as arrays; `runs` are the rows of each instrument."""

    timestamp: Times
    columns: dict[str, Floats]
    runs: dict[str, slice]

    @classmethod
    def of(cls, name: str, frame: pl.DataFrame) -> Answer:
        """Read an engine's frame; `ComparisonError` with its `name` if it breaks the protocol."""
        for key, kind in zip(CANDLE_KEY, (pl.String, pl.Datetime("us", "UTC")), strict=True):
            if frame.schema.get(key) != kind:
                raise ComparisonError(
                    f"compare: engine={name!r}; its answer must have a column {key!r} of type "
                    f"{kind}, not {frame.schema.get(key)}"
                )
        frame = _sort(name, frame)
        numeric = [column for column, kind in frame.schema.items() if kind.is_numeric()]
        values = frame.select(pl.col(numeric).cast(pl.Float64).fill_null(float("nan")))
        names, offsets = instrument_runs(frame)
        runs = map(slice, offsets[:-1], offsets[1:])
        return cls(
            timestamp=time_view(frame),
            columns={column: values[column].to_numpy() for column in numeric},
            runs=dict(zip(names, runs, strict=True)),
        )

    def time_of(self, instrument: str) -> Times:
        """Return the times of an instrument's rows."""
        return self.timestamp[self.runs.get(instrument, slice(0))]

    def values(self, instrument: str, series: str) -> Floats:
        """Return an instrument's values; NaN in all its rows if the answer lacks the series."""
        rows = self.runs.get(instrument, slice(0))
        column = self.columns.get(series)
        return np.full(len(self.timestamp[rows]), np.nan) if column is None else column[rows]


def _sort(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame in order; the rows of a user's file may be in another one."""
    frame = frame.sort(CANDLE_KEY)
    repeated = frame.filter(frame.select(CANDLE_KEY).is_duplicated()) if len(frame) else frame
    if len(repeated):
        instrument, time = repeated["instrument"][0], repeated["timestamp"][0]
        raise ComparisonError(
            f"compare: engine={name!r}; it answers {instrument} at {time:%Y-%m-%dT%H:%MZ} more "
            "than once; rows must be unique in instrument and timestamp"
        )
    return frame


@dataclass(frozen=True)
class SeriesNames:
    """The series that are compared, and those that only one side has."""

    compared: tuple[str, ...] = ()
    only_control: tuple[str, ...] = ()
    only_candidate: tuple[str, ...] = ()

    def merge(self, other: SeriesNames) -> SeriesNames:
        """Return the names of two blocks: a user's engine may have more in one of them."""
        compared = dict.fromkeys((*self.compared, *other.compared))
        control = dict.fromkeys((*self.only_control, *other.only_control))
        candidate = dict.fromkeys((*self.only_candidate, *other.only_candidate))
        return SeriesNames(
            tuple(compared),
            tuple(name for name in control if name not in compared),
            tuple(name for name in candidate if name not in compared),
        )


def choose_series(request: Request, control: Answer, candidate: Answer) -> SeriesNames:
    """Return which series are compared: bars first, then indicators in the requested order.

    A requested series that the control has is compared even if the candidate lacks it: then all of
    its values are missing. Any other series is compared where both have it.
    """
    requested = make_plan(request.indicators).columns
    both = [name for name in control.columns if name in candidate.columns]
    order = dict.fromkeys(
        [
            *(name for name in NUMBERS if name in both),
            *(name for name in requested if name in control.columns),
            *both,
        ]
    )
    return SeriesNames(
        compared=tuple(order),
        only_control=tuple(name for name in control.columns if name not in order),
        only_candidate=tuple(name for name in candidate.columns if name not in order),
    )


@dataclass(frozen=True)
class InstrumentRows:
    """The rows of one instrument of both sides, each array of shape (rows,).

    `timestamp` is int64, microseconds since 1970 in UTC, rising; `in_control` and `in_candidate`
    are true where that side has the row.
    """

    instrument: str
    timestamp: Times
    in_control: Flags
    in_candidate: Flags
    control: Answer
    candidate: Answer

    def pair(self, series: str) -> SeriesPair:
        """Return one series of both sides."""
        return SeriesPair(
            self.instrument,
            series,
            self.timestamp,
            self._spread(self.control.values(self.instrument, series), self.in_control),
            self._spread(self.candidate.values(self.instrument, series), self.in_candidate),
            self.in_control,
            self.in_candidate,
        )

    def close(self) -> Floats:
        """Return a close for each row: the candidate's, else the control's."""
        pair = self.pair("close")
        return np.where(np.isnan(pair.candidate), pair.control, pair.candidate)

    def _spread(self, values: Floats, rows: Flags) -> Floats:
        spread = np.full(len(rows), np.nan)
        spread[rows] = values
        return spread


def join_rows(control: Answer, candidate: Answer) -> Iterator[InstrumentRows]:
    """Yield the rows of each instrument, all of both sides."""
    for instrument in sorted(control.runs.keys() | candidate.runs.keys()):
        left, right = control.time_of(instrument), candidate.time_of(instrument)
        time = np.union1d(left, right)
        yield InstrumentRows(
            instrument, time, np.isin(time, left), np.isin(time, right), control, candidate
        )
