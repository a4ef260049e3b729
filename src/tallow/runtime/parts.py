"""What a thread made of its share of a block: bars, and what became of the candles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import read_only
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.aggregate import CandleArrays
from tallow.data.kernels.longer import ShorterBars, are_whole
from tallow.data.reading.schema import NUMBERS, time_view
from tallow.runtime.bar_frames import BarColumns
from tallow.runtime.operations import Failure


@dataclass(frozen=True)
class Part:
    """What one thread made of its share of a block."""

    where: slice
    calendar_of: Ints
    state: Floats
    tally: Floats
    candles: bars.CandleArrays
    frame: pl.DataFrame
    columns: BarColumns
    result: bars.AggregateResult
    failures: list[Failure]

    @cached_property
    def as_bars(self) -> ShorterBars | None:
        """The bars as arrays, as what scratch memory held is gone.

        None where volumes have fractions: these add up to other bits in another order.
        """
        if not are_whole(self.candles.volume):  # type: ignore[no-untyped-call]
            return None
        frame, columns = self.frame, self.frame.columns
        interest = frame["open_interest"] if "open_interest" in columns else None
        numbers = [read_only(frame[name].to_numpy()) for name in NUMBERS]
        numbers.append(read_only(np.empty(0) if interest is None else interest.to_numpy()))
        candles = read_only(frame["candles"].to_numpy().astype(np.float64))
        times = read_only(time_view(frame))
        return ShorterBars(CandleArrays(self.result.bars.offsets, times, *numbers), candles)
