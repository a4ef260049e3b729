"""Candles into bars that end by price or by what was traded: Renko, volume and dollar bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Unpack

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.errors import CandleInputError, ParameterError, SpecError, excerpt, near_matches
from tallow.core.limits import TRANSFORMED_ROWS_MAX
from tallow.core.operator import Parameter
from tallow.core.spec_text import arguments_of, pieces_of
from tallow.core.timeframe import Timeframe
from tallow.data.kernels.transform import (
    DOLLAR_BARS,
    PRICES,
    RENKO,
    STATE,
    VOLUME_BARS,
    make_bricks,
    make_traded_bars,
)
from tallow.data.reading.candles import Candles
from tallow.data.reading.interchange import to_native
from tallow.data.reading.options import ReadKeywords
from tallow.data.reading.readers import read_candles
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

_LEAST: Final = 1e-9


@dataclass(frozen=True)
class _Kind:
    """A way to end bars, and what its size is of."""

    code: int
    size: Parameter


_KINDS: Final = {
    "renko": _Kind(RENKO, Parameter("size", 1.0, "price from brick to brick", _LEAST, 1e12)),
    "volume_bars": _Kind(
        VOLUME_BARS, Parameter("size", 100_000.0, "volume that ends a bar", _LEAST, 1e18)
    ),
    "dollar_bars": _Kind(
        DOLLAR_BARS,
        Parameter("size", 10_000_000.0, "price times volume that ends a bar", _LEAST, 1e24),
    ),
}


class CandleTransformer:
    """Takes candles as they come, and returns the bars that they complete.

    However candles are cut into updates, the bars are the same, bit for bit.

    Parameters
    ----------
    transformer
        ``renko(size)``: bricks of that price, by closes, from the first close on; against the
        newest brick's direction it takes two sizes. ``volume_bars(size)``, ``dollar_bars(size)``:
        a bar ends with the candle by which so much volume, or close times volume, was traded.

    Raises
    ------
    SpecError, ParameterError
        If the text names no transformer, or a size that it cannot have.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> start = datetime(2025, 7, 18, 3, 45, tzinfo=UTC)
    >>> closes = [100.0, 102.5, 101.0, 99.9, 98.0]
    >>> candles = pl.DataFrame(
    ...     {
    ...         "instrument": "A",
    ...         "timestamp": [start + timedelta(minutes=k) for k in range(5)],
    ...         **{name: closes for name in ("open", "high", "low", "close")},
    ...         "volume": 10.0,
    ...     }
    ... )
    >>> bricks = CandleTransformer("renko(1)").update(candles)
    >>> list(zip(bricks["open"], bricks["close"]))
    [(100.0, 101.0), (101.0, 102.0), (101.0, 100.0), (100.0, 99.0), (99.0, 98.0)]
    >>> bricks["volume"].to_list()
    [20.0, 0.0, 20.0, 10.0, 0.0]
    """

    def __init__(self, transformer: str) -> None:
        self._name, self._size = _read(transformer)
        self._kind = _KINDS[self._name].code
        self._numbers: dict[str, int] = {}
        self._states = np.empty((0, STATE))
        self._newest = np.empty(0, dtype=np.int64)

    def update(
        self,
        candles: Any,
        source_timeframe: str | Timeframe | None = None,
        **reading: Unpack[ReadKeywords],
    ) -> Any:
        """Take candles, later ones than before; return the bars that are complete with them.

        Parameters
        ----------
        candles, source_timeframe, reading
            As of `tallow.read_candles`.

        Returns
        -------
        DataFrame
            `instrument`; `timestamp`: of the first candle, or for a brick of the candle that
            completes it (of several at once, a microsecond apart); `open high low close volume`;
            `candles` since the bar before; `end`, the open of the last candle. By instrument and
            time, of the library that the candles came in.

        Raises
        ------
        CandleInputError
            If an instrument's candles are not later than its last ones: nothing changes then.
        ParameterError
            If there would be more than `TRANSFORMED_ROWS_MAX` bars.
        """
        read = read_candles(candles, source_timeframe=source_timeframe, **reading)
        names, offsets = instrument_runs(read.frame)
        which = self._grown([*names])
        self._require_later(read, names, offsets, which)
        states, newest = self._states[which], time_view(read.frame)[offsets[1:] - 1]
        made = self._made(read, offsets, states)
        self._states[which], self._newest[which] = states, newest
        return to_native(_frame(names, *made), read.native)

    def _grown(self, names: list[str]) -> Ints:
        """Return instruments' numbers, with room for new ones."""
        for name in names:
            self._numbers.setdefault(name, len(self._numbers))
        more = len(self._numbers) - len(self._states)
        self._states = np.concatenate([self._states, np.zeros((more, STATE))])
        oldest = np.full(more, np.iinfo(np.int64).min)
        self._newest = np.append(self._newest, oldest)
        return np.array([self._numbers[name] for name in names], dtype=np.int64)

    def _require_later(self, read: Candles, names: Any, offsets: Ints, which: Ints) -> None:
        first = time_view(read.frame)[offsets[:-1]]
        late = np.flatnonzero(first <= self._newest[which])
        if len(late):
            place = int(late[0])
            raise CandleInputError(
                f"transform: instrument={excerpt(names[place])}; has a candle that is not later "
                f"than its last one before; {self._name} goes on from there alone; begin again "
                "with a new transformer for late or corrected candles"
            )

    def _made(self, read: Candles, offsets: Ints, states: Floats) -> tuple[Ints, Floats]:
        """Return the bars' numbers and prices; the states change."""
        columns = read.frame.select("open", "high", "low", "close", "volume")
        given = np.ascontiguousarray(columns.to_numpy().T)
        time, room = time_view(read.frame), len(read.frame)
        while True:
            times, out = np.empty((4, room), np.int64), np.empty((PRICES, room))
            after, rows = states.copy(), (self._size, offsets, time, given, times, out)
            if self._kind == RENKO:
                count = make_bricks(after, *rows)
            else:
                count = make_traded_bars(after, self._kind, *rows)
            if count <= room:
                states[:] = after
                return times[:, :count], out[:, :count]
            if room >= TRANSFORMED_ROWS_MAX:
                raise ParameterError(
                    f"transform: size={self._size:g}; makes more than {TRANSFORMED_ROWS_MAX:,} "
                    "bricks of these candles; give a larger size"
                )
            room = min(4 * max(room, 1_024), TRANSFORMED_ROWS_MAX)


def transform_candles(
    candles: Any,
    transformer: str,
    source_timeframe: str | Timeframe | None = None,
    **reading: Unpack[ReadKeywords],
) -> Any:
    """Return the bars that candles complete: Renko bricks, volume or dollar bars.

    As `CandleTransformer.update` of all of them. Indicators go on from there as expressions:
    ``bars.with_columns(pl.col("close").tallow.ema(9).over("instrument"))``.
    """
    return CandleTransformer(transformer).update(candles, source_timeframe, **reading)


def _read(text: str) -> tuple[str, float]:
    """Return the name and the size of a transformer's text."""
    pieces = pieces_of(str(text).strip())
    if pieces is None or pieces.outputs:
        raise SpecError(f"transformer: {excerpt(text)}; must read like renko(5)")
    if pieces.name not in _KINDS:
        hint = near_matches(pieces.name, _KINDS)
        raise SpecError(f"transformer: {excerpt(pieces.name)}; unknown; {hint}")
    given, parameter = (
        arguments_of(text, pieces.arguments, has_texts=False),
        _KINDS[pieces.name].size,
    )
    values = [*given.positional, *given.named.values()]
    if len(values) != 1 or set(given.named) - {parameter.name}:
        raise SpecError(
            f"transformer: {excerpt(text)}; takes one value, size, the {parameter.description}; "
            f"give {pieces.name}({parameter.default:g})"
        )
    return pieces.name, float(parameter.check(pieces.name, values[0]))


def _frame(names: Any, times: Ints, out: Floats) -> pl.DataFrame:
    """Return bars as a frame."""
    instant = pl.Datetime("us", "UTC")
    columns = {
        "instrument": pl.Series(names, dtype=pl.String).gather(times[0]),
        "timestamp": pl.Series(times[1]).cast(instant),
        **dict(zip(("open", "high", "low", "close", "volume"), map(pl.Series, out), strict=True)),
        "candles": pl.Series(times[3]),
        "end": pl.Series(times[2]).cast(instant),
    }
    return pl.DataFrame(columns)
